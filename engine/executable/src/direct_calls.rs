//! The engine's part of calls that translated code differentiates by itself, see
//! [`derivgrind_translate::direct_calls`].
//!
//! A [`Handler`] is called as a function from the code cache, on the engine's stack, while the thread counts as being
//! in its cache. So it takes no lock, and a signal steps through it. What it cannot do it leaves to
//! [`crate::library_calls`], which finds notes here.

use crate::client_memory;
use crate::recording;
use crate::return_addresses::is_shown;
use crate::shadow;
use crate::threads::Thread;
use alloc::boxed::Box;
use core::ptr;
use derivgrind_functions::direct::Formula;
use derivgrind_functions::{Format, Function};
use derivgrind_tape::structure::TWO_OPERANDS;
use derivgrind_translate::context::{offset, Context, SHADOW_START};
use derivgrind_translate::direct_calls::{Handler, Note, Outcome, NOTES, RETURN_TRAP};
use derivgrind_translate::interface::DirectFunction;
use derivgrind_translate::recording::{TapeState, TAG, TWO_OPERANDS_PAYLOAD};

const REFUSED: Outcome = Outcome { shadow: 0, is_done: 0 };

/// What translated code notes of a function.
#[repr(C)]
pub struct Description {
    /// The first field, where translated code finds it.
    handler: Handler,
    formula: Formula,
    pub function: Function,
    /// Where it begins.
    pub entry: u64,
}

/// Describes the function at `entry` to the translator, if its calls are differentiated in this way.
pub fn describe(function: Function, entry: u64) -> Option<DirectFunction> {
    let formula = function.formula()?;
    let is_binary32 = function.format == Format::Binary32;
    let handler = match (is_binary32, recording::is_on()) {
        (false, false) => handler::<false, false>(formula),
        (true, false) => handler::<true, false>(formula),
        (false, true) => handler::<false, true>(formula),
        (true, true) => handler::<true, true>(formula),
    };
    // Notes may refer to it as long as the process lives.
    let description = Box::leak(Box::new(Description { handler, formula, function, entry }));
    Some(DirectFunction {
        description: description as *const Description as u64,
        arguments: function.float_arguments().registers,
        needs_registers: formula.needs_registers(),
    })
}

fn handler<const BINARY32: bool, const RECORDS: bool>(formula: Formula) -> Handler {
    match formula {
        Formula::One(_) => of_one::<BINARY32, RECORDS>,
        Formula::Two(_) => of_two::<BINARY32, RECORDS>,
        Formula::EachOfTwo(_) => of_each::<BINARY32, RECORDS>,
        Formula::WithInteger(_) => with_integer::<BINARY32, RECORDS>,
        Formula::SineAndCosine => sine_and_cosine::<BINARY32, RECORDS>,
    }
}

/// The function of a note.
pub fn description(note: &Note) -> &'static Description {
    // SAFETY: notes are written with the addresses of descriptions, which live for ever.
    unsafe { &*(note.function as *const Description) }
}

/// Prepares the context of a new thread.
pub fn prepare(context: &mut Context) {
    set_count(context, 0);
}

fn word(context: &mut Context, place: u32) -> &mut u64 {
    let place = context as *mut Context as u64 + u64::from(place);
    // SAFETY: the context is longer than what `Context` describes; these words belong to it.
    unsafe { &mut *(place as *mut u64) }
}

/// Address of the note in front of the first.
fn none(context: &Context) -> u64 {
    context as *const Context as u64 + u64::from(offset::NOTES)
}

fn count(context: &mut Context) -> usize {
    let bytes = *word(context, offset::NEXT_NOTE) - none(context);
    bytes as usize / size_of::<Note>() - 1
}

fn set_count(context: &mut Context, count: usize) {
    let end = none(context) + ((count + 1) * size_of::<Note>()) as u64;
    *word(context, offset::NEXT_NOTE) = end;
}

/// The notes of the thread of this context, the latest at the end.
pub fn notes(context: &mut Context) -> &mut [Note] {
    let count = count(context);
    let first = none(context) as *mut Note;
    // SAFETY: these notes have been written; the borrow of the context lasts as long.
    unsafe { core::slice::from_raw_parts_mut(first.add(1), count) }
}

/// Keeps the notes for which this holds.
pub fn retain(context: &mut Context, is_kept: impl Fn(&Note) -> bool) {
    let notes = notes(context);
    let mut kept = 0;
    for number in 0..notes.len() {
        if is_kept(&notes[number]) {
            notes[kept] = notes[number];
            kept += 1;
        }
    }
    set_count(context, kept);
}

/// Takes out the latest note of a function that was entered with this stack pointer.
pub fn take(context: &mut Context, stack_pointer: u64) -> Option<Note> {
    let notes = notes(context);
    let position = notes.iter().rposition(|note| note.stack_pointer == stack_pointer)?;
    let note = notes[position];
    notes[position..].rotate_left(1);
    let count = notes.len() - 1;
    set_count(context, count);
    Some(note)
}

/// Are there any?
pub fn is_any(context: &mut Context) -> bool {
    count(context) > 0
}

/// Makes room if there is none. Handlers of signals that leave by a jump leave notes behind, whose stack has been
/// used for something else since then; if there are no such notes, the oldest goes.
pub fn make_room(thread: &mut Thread) {
    let context = thread.context();
    if count(context) + 1 < NOTES {
        return;
    }
    retain(context, |note| {
        let found = client_memory::read_value::<u64>(note.stack_pointer);
        found.is_ok_and(|address| address == RETURN_TRAP) || is_shown(thread, note.stack_pointer)
    });
    if let Some(oldest) = notes(context).first().map(|note| note.stack_pointer) {
        if count(context) + 1 >= NOTES {
            retain(context, |note| note.stack_pointer != oldest);
        }
    }
}

/// Something active that a function was given, by argument: dot values, or indices without mark.
#[derive(Clone, Copy)]
struct Active<const BINARY32: bool, const RECORDS: bool>([u64; 2]);

impl<const BINARY32: bool, const RECORDS: bool> Active<BINARY32, RECORDS> {
    fn of(note: &Note, arguments: usize) -> Self {
        let shadow = |number: usize| match (number < arguments, BINARY32, RECORDS) {
            (false, ..) => 0,
            (_, true, true) => u64::from(note.shadows[number] as u32 & !TAG),
            (_, true, false) => u64::from(note.shadows[number] as u32),
            (_, false, _) => note.shadows[number],
        };
        Active([0, 1].map(shadow))
    }

    fn is(self, number: usize) -> bool {
        // The negative zero is no dot value.
        if RECORDS {
            self.0[number] != 0
        } else {
            read::<BINARY32>(self.0[number]) != 0.0
        }
    }
}

/// A number as it is in a register.
fn read<const BINARY32: bool>(bits: u64) -> f64 {
    if BINARY32 {
        f64::from(f32::from_bits(bits as u32))
    } else {
        f64::from_bits(bits)
    }
}

/// Unpacks a note, has the partial derivatives computed unless the value is none, and gives the value its shadow.
#[inline(always)]
unsafe fn differentiate<const BINARY32: bool, const RECORDS: bool>(
    note: *const Note,
    value: f64,
    tape: *mut TapeState,
    arguments: usize,
    partials: impl FnOnce(&Formula, [f64; 2], f64, Active<BINARY32, RECORDS>) -> [f64; 2],
) -> Outcome {
    // SAFETY: the caller's promise; the note is not changed meanwhile.
    let note = unsafe { &*note };
    let value = read::<BINARY32>(value.to_bits());
    let active = Active::of(note, arguments);
    let partials = if value.is_nan() {
        [value; 2]
    } else {
        partials(&description(note).formula, note.arguments.map(read::<BINARY32>), value, active)
    };
    if RECORDS {
        // SAFETY: the caller's promise.
        unsafe { record::<BINARY32>(active.0, partials, tape) }
    } else {
        forward(active, partials)
    }
}

unsafe extern "C" fn of_one<const BINARY32: bool, const RECORDS: bool>(
    note: *const Note,
    value: f64,
    tape: *mut TapeState,
) -> Outcome {
    // SAFETY: called by translated code with a note of this thread, when there is room on the tape.
    unsafe {
        differentiate::<BINARY32, RECORDS>(note, value, tape, 1, |formula, [x, _], value, _| match formula {
            Formula::One(derivative) => [derivative(x, value), 0.0],
            _ => [f64::NAN; 2],
        })
    }
}

unsafe extern "C" fn of_two<const BINARY32: bool, const RECORDS: bool>(
    note: *const Note,
    value: f64,
    tape: *mut TapeState,
) -> Outcome {
    // SAFETY: as for one.
    unsafe {
        differentiate::<BINARY32, RECORDS>(note, value, tape, 2, |formula, [x, y], value, _| match formula {
            Formula::Two(derivatives) => derivatives(x, y, value),
            _ => [f64::NAN; 2],
        })
    }
}

unsafe extern "C" fn of_each<const BINARY32: bool, const RECORDS: bool>(
    note: *const Note,
    value: f64,
    tape: *mut TapeState,
) -> Outcome {
    // SAFETY: as for one.
    unsafe {
        differentiate::<BINARY32, RECORDS>(note, value, tape, 2, |formula, [x, y], value, active| {
            let Formula::EachOfTwo(derivatives) = formula else { return [f64::NAN; 2] };
            [0, 1].map(|number| if active.is(number) { derivatives[number](x, y, value) } else { 0.0 })
        })
    }
}

unsafe extern "C" fn with_integer<const BINARY32: bool, const RECORDS: bool>(
    note: *const Note,
    value: f64,
    tape: *mut TapeState,
) -> Outcome {
    // SAFETY: as for one.
    unsafe {
        let integer = description(&*note).function.integer((*note).registers[0]);
        differentiate::<BINARY32, RECORDS>(note, value, tape, 1, |formula, [x, _], value, _| match formula {
            Formula::WithInteger(derivative) => [derivative(integer, x, value), 0.0],
            _ => [f64::NAN; 2],
        })
    }
}

/// `sincos` has written its values where its pointers point to.
unsafe extern "C" fn sine_and_cosine<const BINARY32: bool, const RECORDS: bool>(
    note: *const Note,
    _value: f64,
    tape: *mut TapeState,
) -> Outcome {
    // SAFETY: as for one.
    let note = unsafe { &*note };
    let [sine, cosine] = note.registers;
    if sine.max(cosine) > SHADOW_START - 8 {
        return REFUSED;
    }
    // SAFETY: the function has just written there, and the shadow memory is mapped as a whole.
    unsafe {
        let values = note.registers.map(|place| match BINARY32 {
            true => f64::from(ptr::read_unaligned(place as *const f32)),
            false => ptr::read_unaligned(place as *const f64),
        });
        let active = Active::<BINARY32, RECORDS>::of(note, 1);
        for (place, partial) in [(sine, values[1]), (cosine, -values[0])] {
            let outcome = match RECORDS {
                true => record::<BINARY32>(active.0, [partial, 0.0], tape),
                false => forward(active, [partial, 0.0]),
            };
            if outcome.is_done == 0 {
                return REFUSED;
            }
            match BINARY32 {
                true => ptr::write_unaligned(shadow::of(place) as *mut u32, outcome.shadow as u32),
                false => ptr::write_unaligned(shadow::of(place) as *mut u64, outcome.shadow),
            }
        }
    }
    done(0)
}

fn done(shadow: u64) -> Outcome {
    Outcome { shadow, is_done: 1 }
}

/// The dot value. What is passive contributes nothing, whatever its partial derivative is.
#[inline(always)]
fn forward<const BINARY32: bool, const RECORDS: bool>(
    active: Active<BINARY32, RECORDS>,
    partials: [f64; 2],
) -> Outcome {
    let term = |number: usize| match active.is(number) {
        true => partials[number] * read::<BINARY32>(active.0[number]),
        false => 0.0,
    };
    let dot = term(0) + term(1);
    done(if BINARY32 { u64::from((dot as f32).to_bits()) } else { dot.to_bits() })
}

/// The index. The code cache has seen that there is room on the tape.
///
/// # Safety
/// The tape is that of the calling thread, which counts as being in its cache, so that nobody else reaches it.
#[inline(always)]
unsafe fn record<const BINARY32: bool>(
    indices: [u64; 2],
    partials: [f64; 2],
    tape: *mut TapeState,
) -> Outcome {
    let mark = if BINARY32 { u64::from(TAG) } else { 0 };
    let is_active = [0, 1].map(|number| indices[number] != 0 && partials[number] != 0.0);
    let (operands, partials) = match is_active {
        [false, false] => return done(0),
        [true, false] => ([indices[0], 0], [partials[0], 0.0]),
        [false, true] => ([indices[1], 0], [partials[1], 0.0]),
        [true, true] => (indices, partials),
    };
    if operands[1] == 0 && partials[0] == 1.0 {
        return done(operands[0] | mark);
    }
    // SAFETY: the caller's promise.
    let tape = unsafe { &mut *tape };
    let index = tape.next_index;
    let is_in_order = operands.iter().all(|operand| *operand <= tape.last_index[0]);
    if !is_in_order || BINARY32 && index >= mark {
        return REFUSED;
    }
    let payload = tape.position as *mut u64;
    // SAFETY: there is room in the chunk, which is mapped.
    unsafe {
        ptr::write_unaligned(payload, operands[0]);
        ptr::write_unaligned(payload.add(1), operands[1]);
        ptr::write_unaligned(payload.add(2), partials[0].to_bits());
        ptr::write_unaligned(payload.add(3), partials[1].to_bits());
        ptr::write_unaligned(payload.byte_add(TWO_OPERANDS_PAYLOAD as usize) as *mut u32, TWO_OPERANDS);
        // Whoever reads the tape of a process that was killed goes by the position.
        ptr::write_volatile(&mut tape.position, tape.position + u64::from(TWO_OPERANDS_PAYLOAD) + 4);
        ptr::write_volatile(&mut tape.next_index, index + 1);
    }
    done(index | mark)
}
