//! Changes of how a whole process is translated.

use crate::dispatch::Continuation;
use crate::invalidate;
use crate::settings;
use crate::shadow;
use crate::threads::Thread;
use crate::{detail, fatal};
use derivgrind_translate::state::State;

/// The first input: from now on shadows travel.
pub fn start_differentiating(thread: &mut Thread) {
    if !settings::start_differentiating() {
        return;
    }
    detail!("first input: differentiation starts");
    thread.signals.actions.catch_fatal_signals();
    invalidate::flush_all(thread);
}

/// The client executes AVX-512 instructions while zmm16-31 hold shadows.
pub fn move_shadows_to_memory(thread: &mut Thread, next: Continuation) -> Continuation {
    if !settings::shadows_in_registers() {
        // Another thread has moved them already; the flush that follows makes new translations.
        return next;
    }
    if crate::threads::count() > 1 && settings::differentiating() {
        fatal!("The program uses AVX-512 in several threads although it was hidden; run it with --vector-shadows=memory.");
    }
    detail!("AVX-512 at {:#x}: vector shadows move to memory", next.pc);
    let context = thread.context();
    let shadows = shadow::read_vectors(context, next.state);
    let state = if next.state.is_active() { State::UNKNOWN } else { State::ZERO };
    let general = shadow::read_general(context, next.state);
    settings::move_shadows_to_memory();
    shadow::write_vectors(context, &shadows);
    context.general_shadows = general;
    invalidate::flush_all(thread);
    Continuation { pc: next.pc, state }
}
