//! Calls of library functions with active arguments: the functions run as they are, on passive arguments, and are
//! differentiated when they return.
//!
//! At the entry ([`begin`]) arguments and their shadows are noted, and the return address is replaced by
//! [`RETURN_TRAP`]. When the function returns there ([`end`]), the partial derivatives are computed from arguments
//! and values, and the values get their shadows. A function that never returns, because a signal handler has left it
//! by a jump, leaves its note behind, which is found by no stack pointer, replaced by the next call from the same
//! place, or thrown away when there are many.

use crate::client_memory;
use crate::computed::{self, Places};
use crate::counters;
use crate::direct_calls::{self, Description};
use crate::dispatch::Continuation;
use crate::extended::{self, FirstShadows};
use crate::library_functions;
use crate::recording;
use crate::return_addresses::is_shown;
use crate::shadow;
use crate::threads::Thread;
use crate::vector_arguments::{Bytes, Seen};
use alloc::vec::Vec;
use derivgrind_functions::extended::{with_free_unit, Extended};
use derivgrind_functions::places::Place;
use derivgrind_functions::{Arguments, Format, Function, Mask, MOST_ARGUMENTS, MOST_VALUES};
use derivgrind_translate::computed::apply::{self, NewShadow, Surroundings};
use derivgrind_translate::computed::{self as rules, Change, ExtendedTerm, Real, Term, X87State};
use derivgrind_translate::context::Context;
use derivgrind_translate::direct_calls::{Note, RETURN_TRAP};
use derivgrind_translate::state::State;

/// A call that has not returned yet.
pub struct Call {
    function: Function,
    entry: u64,
    return_address: u64,
    /// General registers at the entry.
    registers: [u64; 16],
    /// Lanes that are computed.
    lanes: u64,
    /// Where values go whose addresses are in vectors.
    pointers: Vec<u64>,
    /// Lane by lane.
    arguments: Vec<Argument>,
}

impl Call {
    /// Where the return address belongs, and what it is.
    pub fn place_and_return_address(&self) -> (u64, u64) {
        (self.registers[RSP], self.return_address)
    }
}

#[derive(Clone, Copy)]
struct Argument {
    place: rules::Place,
    value: Bytes,
    shadow: Bytes,
}

/// Notes of calls that will never return are looked for when there are so many, or twice as many, and so on.
const MANY_CALLS: usize = 64;
/// Bytes above the return address that hold an argument of 80 bits.
const STACK_ARGUMENT: u64 = 16;
/// Numbers of rsp, rsi and rdi.
const RSP: usize = 4;
const RSI: usize = 6;
const RDI: usize = 7;

/// The function at `next` is called, with at least one active argument.
pub fn begin(thread: &mut Thread, next: Continuation) -> Continuation {
    let context = thread.context();
    let registers = context.registers;
    let Some(function) = library_functions::function(next.pc) else {
        return Continuation { state: after(context, next.state, &FirstShadows::default()), ..next };
    };
    let seen = match function.lanes() {
        1 => Seen::first(context, next.state),
        _ => Seen::all(context, next.state),
    };
    let places = function.arguments().into_iter();
    let arguments: Vec<Argument> =
        places.map(|place| argument(context, &seen, resolve(&registers, 0, place))).collect();
    let address = |place| match place {
        Place::PointerInVector { register, byte } => Some(seen.address(context, register, byte)),
        _ => None,
    };
    let pointers = function.values().into_iter().filter_map(address).collect();
    let lanes = computed_lanes(context, &seen, function);
    let state = match function.keeps_registers() {
        true => without(context, next.state, &arguments, real(function.format)),
        false => after(context, next.state, &FirstShadows::default()),
    };
    let next = Continuation { pc: next.pc, state };
    for argument in &arguments {
        if let rules::Place::Memory { address } = argument.place {
            shadow::clear(address, STACK_ARGUMENT);
        }
    }
    let return_address = client_memory::read_value::<u64>(registers[RSP]);
    let Ok(return_address) = return_address else { return next };
    if client_memory::write_value(registers[RSP], &RETURN_TRAP).is_ok() {
        thread.calls.retain(|call| call.registers[RSP] != registers[RSP]);
        thread.shown.retain(|shown| shown.place() != registers[RSP]);
        direct_calls::retain(thread.context(), |note| note.stack_pointer != registers[RSP]);
        direct_calls::make_room(thread);
        forget_old_calls(thread);
        let entry = next.pc;
        thread.calls.push(Call { function, entry, return_address, registers, lanes, pointers, arguments });
    }
    next
}

/// Throws notes away whose place on the stack has been used for something else since then.
fn forget_old_calls(thread: &mut Thread) {
    let count = thread.calls.len();
    if count < MANY_CALLS || !count.is_power_of_two() {
        return;
    }
    let is_awaited = |call: &Call| {
        let place = call.registers[RSP];
        client_memory::read_value::<u64>(place).is_ok_and(|address| address == RETURN_TRAP)
            || is_shown(thread, place)
    };
    let kept: Vec<bool> = thread.calls.iter().map(is_awaited).collect();
    let mut kept = kept.into_iter();
    thread.calls.retain(|_| kept.next().unwrap_or(true));
}

/// A function has returned to the trap: gives its values their shadows, and says where the client goes on. `None` if
/// it is no call that was noted.
pub fn end(thread: &mut Thread, state: State) -> Option<Continuation> {
    let entry = thread.context().registers[RSP] - 8;
    let call = noted(thread, entry)?;
    let changes = extended::with_default_rounding(|| changes(thread.context(), state, &call));
    let mode = thread.settings().mode;
    let applied = apply::apply_changes(&changes, mode, &mut Noted { thread, arguments: &call.arguments });
    recording::follow_widening(thread);
    if applied.is_incomplete {
        counters::count_call(call.entry);
    }
    let context = thread.context();
    let first = in_first_vectors(&applied.shadows);
    let any_vector = applied.shadows.iter().any(|new| matches!(new.place, rules::Place::Vector { .. }));
    let with_vectors = call.function.keeps_registers() || first.is_none() && any_vector;
    if with_vectors || first.is_none() {
        let mut places = Places::read(context, state, with_vectors);
        places.put_all(&applied.shadows);
        places.write(context);
    }
    let state = if with_vectors {
        shadow::observe(context, State::UNKNOWN)
    } else {
        after(context, state, &first.unwrap_or_default())
    };
    Some(Continuation { pc: call.return_address, state })
}

/// Takes out the note of a call with this stack pointer. If translated code has written one, it is the latest.
fn noted(thread: &mut Thread, entry: u64) -> Option<Call> {
    if let Some(note) = direct_calls::take(thread.context(), entry) {
        return Some(call_of(&note));
    }
    let position = thread.calls.iter().rposition(|call| call.registers[RSP] == entry)?;
    Some(thread.calls.remove(position))
}

/// The same call as the engine would have noted it.
fn call_of(note: &Note) -> Call {
    let Description { function, entry, .. } = *direct_calls::description(note);
    let mut registers = [0; 16];
    registers[RSP] = note.stack_pointer;
    [registers[RDI], registers[RSI]] = note.registers;
    let bytes = |word: u64| {
        let mut bytes = Bytes::default();
        bytes[..8].copy_from_slice(&word.to_le_bytes());
        bytes
    };
    let argument = |(number, place)| Argument {
        place: resolve(&registers, 0, place),
        value: bytes(note.arguments[number]),
        shadow: bytes(note.shadows[number]),
    };
    let arguments = function.arguments().into_iter().enumerate().map(argument).collect();
    // These functions have neither masks nor vectors of pointers.
    let (lanes, pointers) = (!0, Vec::new());
    let return_address = note.return_address;
    Call { function, entry, return_address, registers, lanes, pointers, arguments }
}

/// A bit for each lane that the function's mask, if it has one, does not exclude.
fn computed_lanes(context: &Context, seen: &Seen, function: Function) -> u64 {
    match function.mask() {
        Mask::All => !0,
        Mask::Register => seen.mask(),
        Mask::Behind => {
            let is_computed = |place: &Place| match *place {
                Place::Vector { register, byte } => seen.value(context, register, byte)[0] & 0x80 != 0,
                _ => true,
            };
            let lanes = function.mask_behind();
            let bit = |(lane, place): (usize, &Place)| u64::from(is_computed(place)) << lane;
            lanes.iter().enumerate().map(bit).sum()
        }
    }
}

/// Shadows of the first vector registers if nothing else gets a shadow.
fn in_first_vectors(shadows: &[NewShadow]) -> Option<FirstShadows> {
    let mut first = FirstShadows::default();
    for new in shadows {
        let rules::Place::Vector { register, byte } = new.place else { return None };
        if byte + new.bytes().len() > 16 {
            return None;
        }
        let [low, high] = first.get_mut(register)?;
        let mut bytes = (u128::from(*high) << 64 | u128::from(*low)).to_le_bytes();
        bytes[byte..byte + new.bytes().len()].copy_from_slice(new.bytes());
        let whole = u128::from_le_bytes(bytes);
        (*low, *high) = (whole as u64, (whole >> 64) as u64);
    }
    Some(first)
}

/// General registers that live on behind a call: rbx, rbp, r12 to r15. No vector register does (System V ABI, 3.2.1).
const KEPT: u16 = 1 << 3 | 1 << 5 | 0xf000;
const FEW_VECTORS: u16 = 0b1111;

/// Leaves shadows in these vector registers, and in general registers that live on; returns the state with no others.
fn after(context: &mut Context, state: State, first: &FirstShadows) -> State {
    let mut general = shadow::read_general(context, state);
    for (number, shadow) in general.iter_mut().enumerate() {
        if KEPT >> number & 1 == 0 {
            *shadow = 0;
        }
    }
    let vectors_are_passive = *first == FirstShadows::default();
    let general_are_passive = general.iter().all(|shadow| *shadow == 0);
    if vectors_are_passive && general_are_passive {
        return State::ZERO;
    }
    context.general_shadows = general;
    let zero_general = if general_are_passive { !0 } else { 1 << RSP };
    if vectors_are_passive {
        return State::active(zero_general, !0, false);
    }
    shadow::write_first_vectors(context, first);
    State::active(zero_general, !FEW_VECTORS, false)
}

/// The same without those of the arguments, while all others stay: of functions that keep registers.
fn without(context: &mut Context, state: State, arguments: &[Argument], real: Real) -> State {
    let mut places = Places::read(context, state, true);
    let zero = |argument: &Argument| NewShadow::new(argument.place, &[0; 8][..real.size()]);
    places.put_all(&arguments.iter().map(zero).collect::<Vec<_>>());
    places.write(context);
    shadow::observe(context, State::UNKNOWN)
}

/// What the call does to the shadows of its values.
fn changes(context: &mut Context, state: State, call: &Call) -> Vec<Change> {
    let values = values(context, state, call);
    let lanes = call.function.lanes();
    let arguments = call.arguments.chunks_exact(call.arguments.len() / lanes);
    let values = values.chunks_exact(values.len() / lanes);
    let mut changes = Vec::with_capacity(lanes);
    for (lane, (arguments, values)) in arguments.zip(values).enumerate() {
        if call.lanes >> lane & 1 != 0 {
            changes.extend(lane_changes(call, arguments, values));
        } else {
            changes.extend(excluded_lane(call.function, arguments, values));
        }
    }
    changes
}

/// The lane is not computed: its values are the last arguments, if there are such, else none.
fn excluded_lane(
    function: Function,
    arguments: &[Argument],
    values: &[(rules::Place, Bytes)],
) -> Vec<Change> {
    let real = real(function.result);
    let kept = match function.mask() {
        Mask::Register => &arguments[arguments.len() - values.len()..],
        Mask::All | Mask::Behind => &[],
    };
    let term = |argument: &Argument| Term { from: argument.place, real, partial: 1.0 };
    let change = |(number, (to, _)): (usize, &(rules::Place, Bytes))| {
        let terms = kept.get(number).map(term).into_iter().collect();
        Change::Linear { to: *to, real, terms }
    };
    values.iter().enumerate().map(change).collect()
}

fn lane_changes(call: &Call, arguments: &[Argument], values: &[(rules::Place, Bytes)]) -> Vec<Change> {
    let function = call.function;
    let (format, result) = (function.format, function.result);
    let (from_real, real) = (real(format), real(result));
    let register = call.registers[RDI];
    let numbers = arguments.iter().map(|argument| argument.value);
    let returned = values.iter().map(|(_, value)| *value);
    let partials_of = values.iter().map(|(place, _)| *place);
    if format == Format::Extended {
        let given = Arguments { numbers: fill(numbers.map(Extended)), register };
        let partials = function.extended_partials(&given, fill(returned.map(|value| widened(value, result))));
        let change = |(to, partials): (rules::Place, &[Extended; MOST_ARGUMENTS])| {
            let term = |(argument, partial): (&Argument, &Extended)| ExtendedTerm {
                from: argument.place,
                real: from_real,
                partial: *partial,
            };
            Change::Extended { to, real, terms: arguments.iter().zip(partials).map(term).collect() }
        };
        return partials_of.zip(&partials).map(change).collect();
    }
    let given = Arguments { numbers: fill(numbers.map(|number| read(number, format))), register };
    let returned: [f64; MOST_VALUES] = fill(returned.map(|value| read(value, result)));
    let partials = function.partials(&given, returned);
    let change = |(to, partials): (rules::Place, &[f64; MOST_ARGUMENTS])| {
        let term = |(argument, partial): (&Argument, &f64)| Term {
            from: argument.place,
            real: from_real,
            partial: *partial,
        };
        Change::Linear { to, real, terms: arguments.iter().zip(partials).map(term).collect() }
    };
    partials_of.zip(&partials).map(change).collect()
}

fn real(format: Format) -> Real {
    match format {
        Format::Binary32 => Real::Binary32,
        Format::Extended => Real::Extended,
        _ => Real::Binary64,
    }
}

/// Places and bytes of what the function has returned.
fn values(context: &mut Context, state: State, call: &Call) -> Vec<(rules::Place, Bytes)> {
    let numbers = match call.function.result {
        Format::Extended => extended::client_numbers(),
        _ => [0; extended::LEGACY_NUMBERS],
    };
    let x87 = X87State(&numbers);
    let seen = match call.function.lanes() {
        1 => Seen::First(FirstShadows::default()),
        _ => Seen::all(context, state),
    };
    let mut pointers = call.pointers.iter();
    let value = |place| {
        let resolved = match (place, pointers.len()) {
            (Place::PointerInVector { .. }, 1..) => {
                rules::Place::Memory { address: pointers.next().copied().unwrap_or_default() }
            }
            _ => resolve(&call.registers, x87.top(), place),
        };
        let bytes = match place {
            Place::X87 { position } => x87.number(position).0,
            _ => read_value(context, &seen, resolved),
        };
        (resolved, bytes)
    };
    call.function.values().into_iter().map(value).collect()
}

/// An array of all that there is, and then zeros.
fn fill<N: Copy + Default, const LENGTH: usize>(numbers: impl Iterator<Item = N>) -> [N; LENGTH] {
    let mut all = [N::default(); LENGTH];
    for (place, number) in all.iter_mut().zip(numbers) {
        *place = number;
    }
    all
}

/// Where a shadow is, from the general registers at the entry and the number of the register that is st(0).
fn resolve(registers: &[u64; 16], top: usize, place: Place) -> rules::Place {
    match place {
        Place::Vector { register, byte } => rules::Place::Vector { register, byte },
        Place::Stack { distance } => rules::Place::Memory { address: registers[RSP].wrapping_add(distance) },
        Place::Pointer { register } => rules::Place::Memory { address: registers[register] },
        Place::X87 { position } => rules::Place::X87 { register: (top + position) % 8, byte: 0 },
        // Only values are there, and they are known at the entry.
        Place::PointerInVector { .. } => rules::Place::Memory { address: 0 },
    }
}

fn argument(context: &Context, seen: &Seen, place: rules::Place) -> Argument {
    let mut shadow = Bytes::default();
    match place {
        rules::Place::Vector { register, byte } => shadow = seen.shadow(register, byte),
        _ => computed::read_memory_shadow(place, &mut shadow),
    }
    Argument { place, value: read_value(context, seen, place), shadow }
}

/// Bytes of the number at a place; zeros where memory cannot be read.
fn read_value(context: &Context, seen: &Seen, place: rules::Place) -> Bytes {
    let mut bytes = Bytes::default();
    match place {
        rules::Place::Vector { register, byte } => bytes = seen.value(context, register, byte),
        rules::Place::Memory { address } => {
            // At the end of a page there may be no more than the number.
            for length in [10, 8, 4] {
                if client_memory::read(address, &mut bytes[..length]).is_ok() {
                    break;
                }
            }
        }
        rules::Place::General { .. } | rules::Place::X87 { .. } => {}
    }
    bytes
}

fn read(bytes: Bytes, format: Format) -> f64 {
    let [a, b, c, d, e, f, g, h, ..] = bytes;
    match format {
        Format::Binary32 => f64::from(f32::from_le_bytes([a, b, c, d])),
        _ => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
    }
}

fn widened(bytes: Bytes, format: Format) -> Extended {
    match format {
        Format::Extended => Extended(bytes),
        _ => with_free_unit(|unit| unit.from_binary64(read(bytes, format))),
    }
}

/// The shadows of the arguments at the entry.
struct Noted<'a> {
    thread: &'a mut Thread,
    arguments: &'a [Argument],
}

impl Surroundings for Noted<'_> {
    fn read(&self, place: rules::Place, bytes: &mut [u8]) {
        let noted = self.arguments.iter().find(|argument| argument.place == place);
        let shadow = noted.map_or(Bytes::default(), |argument| argument.shadow);
        bytes.copy_from_slice(&shadow[..bytes.len()]);
    }

    fn record(&mut self, operands: [u64; 2], partials: [f64; 2]) -> u64 {
        computed::record(self.thread, operands, partials)
    }
}
