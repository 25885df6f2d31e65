//! Rules that the engine computes: it finds the values and shadows of an instruction, and puts new shadows in place.
//!
//! They are put in place at the last moment before translated code is entered ([`commit`]), when no signal and no
//! invalidation can come in between: else the instruction would begin again and its rule be applied twice.

use crate::client_memory;
use crate::dispatch::Continuation;
use crate::extended;
use crate::memory;
use crate::recording;
use crate::settings;
use crate::shadow;
use crate::threads::Thread;
use alloc::vec::Vec;
use derivgrind_tape::structure::TWO_OPERANDS;
use derivgrind_translate::computed::apply::{self, NewShadow, Surroundings};
use derivgrind_translate::computed::{self, Machine, Part, Place, X87State};
use derivgrind_translate::context::{Context, SHADOW_START};
use derivgrind_translate::state::State;
use iced_x86::{Decoder, DecoderOptions, Instruction};

/// What is to be put in place, or has been.
#[derive(Default)]
pub struct Pending {
    shadows: Vec<NewShadow>,
    /// Address of the counter that goes up.
    counter: Option<u64>,
    /// What is in place: the shadows that were there before.
    replaced: Vec<NewShadow>,
}

/// The longest copy between shadows.
const LONGEST: u64 = 64;

/// Applies the rule of the instruction at `next`; with a signal or an invalidation to be looked at first, the
/// instruction begins again after that.
pub fn prepare(thread: &mut Thread, next: Continuation, counter: u64, part: Part) -> Continuation {
    let before = Continuation { pc: next.pc, state: next.state.without_rule_applied() };
    if thread.signals.is_pending() || thread.shadows_in_registers() != settings::shadows_in_registers() {
        return before;
    }
    let Some(instruction) = instruction_at(next.pc) else { return before };
    let applied = extended::with_default_rounding(|| apply_rule(thread, &instruction, part, before.state));
    let counter = applied.is_incomplete.then_some(counter);
    thread.computed = Pending { shadows: applied.shadows, counter, replaced: Vec::new() };
    recording::follow_widening(thread);
    next
}

/// Forgets what was computed: the instruction will not be executed now.
pub fn discard(thread: &mut Thread) {
    thread.computed = Pending::default();
}

/// Puts the new shadows in place; `state` is that of the translation that is entered.
pub fn commit(thread: &mut Thread, state: State) {
    let pending = core::mem::take(&mut thread.computed);
    let mut places = Places::replaced_by(thread.context(), state, &pending.shadows);
    let before = |new: &NewShadow| {
        let mut bytes = [0; LONGEST as usize];
        let length = new.bytes().len();
        places.get(new.place, &mut bytes[..length]);
        NewShadow::new(new.place, &bytes[..length])
    };
    let replaced = pending.shadows.iter().map(before).collect();
    places.put_all(&pending.shadows);
    places.write(thread.context());
    count(pending.counter, 1);
    thread.computed = Pending { replaced, ..pending };
}

/// The instruction has faulted: takes back what [`commit`] has done, since it may be executed again.
pub fn undo(thread: &mut Thread, state: State) {
    let done = core::mem::take(&mut thread.computed);
    let mut places = Places::replaced_by(thread.context(), state, &done.replaced);
    places.put_all(&done.replaced);
    places.write(thread.context());
    count(done.counter, -1);
}

fn count(counter: Option<u64>, step: i64) {
    if let Some(counter) = counter {
        // SAFETY: the counter of a site of the translation that was left, and this thread's own.
        unsafe { *(counter as *mut i64) += step };
    }
}

fn instruction_at(pc: u64) -> Option<Instruction> {
    let space = memory::read();
    let code = space.code(pc)?;
    Some(Decoder::with_ip(64, code, pc, DecoderOptions::NONE).decode())
}

fn apply_rule(thread: &mut Thread, instruction: &Instruction, part: Part, state: State) -> apply::Applied {
    let mode = thread.settings().mode;
    let context = thread.context();
    let read;
    let values = if computed::is_x87(instruction) {
        &extended::ClientRegisters::NONE
    } else {
        read = extended::client_registers(context);
        &read
    };
    let registers = context.registers;
    let x87 = extended::client_numbers();
    let machine = Machine {
        general: &registers,
        flags: context.flags,
        vectors: &values.vectors,
        masks: &values.masks,
        x87: X87State(&x87),
        fs_base: context.fs_base,
        gs_base: context.gs_base,
        read: &|address, bytes| client_memory::read(address, bytes).is_ok(),
    };
    let places = Places::read(context, state, !computed::is_x87(instruction));
    let mut found = Found { thread, places };
    apply::apply(instruction, &machine, part, mode, &mut found)
}

/// The shadows in front of an instruction, and the tape.
struct Found<'a> {
    thread: &'a mut Thread,
    places: Places,
}

impl Surroundings for Found<'_> {
    fn read(&self, place: Place, bytes: &mut [u8]) {
        self.places.get(place, bytes);
    }

    fn record(&mut self, operands: [u64; 2], partials: [f64; 2]) -> u64 {
        record(self.thread, operands, partials)
    }
}

/// Records an operation with given partial derivatives.
pub fn record(thread: &Thread, operands: [u64; 2], partials: [f64; 2]) -> u64 {
    let mut payload = [0; 32];
    let words = operands.into_iter().chain(partials.map(f64::to_bits));
    for (place, word) in payload.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    thread.recorder.lock().append(TWO_OPERANDS, &payload, operands)
}

/// Shadows of all registers. Those of vector registers are looked at only where they are needed.
pub struct Places {
    general: [u64; 16],
    vectors: Option<extended::VectorShadows>,
    numbers: shadow::NumberShadows,
}

impl Places {
    pub fn read(context: &mut Context, state: State, with_vectors: bool) -> Places {
        Places {
            general: shadow::read_general(context, state),
            vectors: with_vectors.then(|| shadow::read_vectors(context, state)),
            numbers: *shadow::numbers(context),
        }
    }

    /// Those that are to be replaced.
    fn replaced_by(context: &mut Context, state: State, shadows: &[NewShadow]) -> Places {
        let is_vector = |new: &NewShadow| matches!(new.place, Place::Vector { .. });
        Places::read(context, state, shadows.iter().any(is_vector))
    }

    pub fn write(&self, context: &mut Context) {
        context.general_shadows = self.general;
        if let Some(vectors) = &self.vectors {
            shadow::write_vectors(context, vectors);
        }
        shadow::write_numbers(context, &self.numbers);
    }

    pub fn get(&self, place: Place, bytes: &mut [u8]) {
        match place {
            Place::General { register, byte } => get(&self.general, 8 * register + byte, bytes),
            Place::Vector { register, byte } => match &self.vectors {
                Some(vectors) => get(vectors.as_flattened(), 64 * register + byte, bytes),
                None => bytes.fill(0),
            },
            Place::X87 { register, byte } => get(&self.numbers, 16 * register + byte, bytes),
            Place::Memory { .. } => read_memory_shadow(place, bytes),
        }
    }

    /// Writes in the order given; memory at once.
    pub fn put_all(&mut self, shadows: &[NewShadow]) {
        for new in shadows {
            let bytes = new.bytes();
            match new.place {
                Place::General { register, byte } => put(&mut self.general, 8 * register + byte, bytes),
                Place::Vector { register, byte } => {
                    if let Some(vectors) = &mut self.vectors {
                        put(vectors.as_flattened_mut(), 64 * register + byte, bytes);
                    }
                }
                Place::X87 { register, byte } => put(&mut self.numbers, 16 * register + byte, bytes),
                Place::Memory { address } if has_shadow(address) => {
                    let to = shadow::of(address) as *mut u8;
                    // SAFETY: the shadow memory is mapped as a whole, and the engine has no reference into it.
                    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
                }
                Place::Memory { .. } => {}
            }
        }
    }
}

/// Shadow of a place in memory; zeros for other places.
pub fn read_memory_shadow(place: Place, bytes: &mut [u8]) {
    match place {
        Place::Memory { address } if has_shadow(address) => {
            // SAFETY: the shadow memory is mapped as a whole.
            unsafe {
                let from = shadow::of(address) as *const u8;
                core::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len());
            }
        }
        _ => bytes.fill(0),
    }
}

fn has_shadow(address: u64) -> bool {
    address < SHADOW_START - LONGEST
}

fn get(words: &[u64], start: usize, bytes: &mut [u8]) {
    for (offset, byte) in bytes.iter_mut().enumerate() {
        let at = start + offset;
        *byte = words[at / 8].to_le_bytes()[at % 8];
    }
}

fn put(words: &mut [u64], start: usize, bytes: &[u8]) {
    let length = core::mem::size_of_val(words);
    // SAFETY: the same memory, and all bytes are valid.
    let all = unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr() as *mut u8, length) };
    all[start..start + bytes.len()].copy_from_slice(bytes);
}
