//! Changes of how a whole process is translated.

use crate::detail;
use crate::dispatch::Continuation;
use crate::extended;
use crate::invalidate;
use crate::settings;
use crate::shadow;
use crate::threads::Thread;
use derivgrind_translate::constants::DEFAULT_CONTROL;
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

/// The client executes AVX-512 instructions while zmm16-31 hold shadows: from now on the process has its vector shadows
/// in memory. Every thread moves its own when it leaves its cache the next time, see [`follow_process`].
pub fn move_shadows_to_memory(thread: &mut Thread, next: Continuation) -> Continuation {
    if settings::shadows_in_registers() {
        detail!("AVX-512 at {:#x}: vector shadows move to memory", next.pc);
        settings::move_shadows_to_memory();
        invalidate::flush_all(thread);
    }
    next
}

/// The client uses zmm0 to zmm15, of which shadow code that borrows registers has kept 256 bits. Without such code only
/// the place itself is translated again.
pub fn save_full_registers(thread: &mut Thread, next: Continuation) -> Continuation {
    let is_news = settings::notices_zmm();
    if is_news {
        detail!("zmm registers at {:#x}: shadow code saves all of the registers that it borrows", next.pc);
        settings::stop_noticing_zmm();
    }
    if !settings::differentiating() {
        invalidate::code_changed(thread, next.pc, next.pc + 1);
    } else if is_news {
        invalidate::flush_all(thread);
    }
    next
}

/// Looks at the client's control word, under which the engine runs: if an exception is unmasked, or rounding is not to
/// nearest, shadow arithmetic gets a control word of its own in the whole process.
pub fn follow_control(thread: &Thread) {
    if settings::own_control() || !settings::differentiating() {
        return;
    }
    let control = extended::control_word();
    if control & CHECKED_CONTROL != DEFAULT_CONTROL {
        detail!("control word {:#x}: shadow arithmetic has one of its own from now on", control);
        settings::use_own_control();
        invalidate::flush_all(thread);
    }
}

/// Masks of exceptions and rounding mode.
const CHECKED_CONTROL: u32 = 0x7f80;

/// Moves this thread's vector shadows if the process has moved; returns the state that holds then.
pub fn follow_process(thread: &mut Thread, state: State) -> State {
    if thread.shadows_in_registers() == settings::shadows_in_registers() {
        return state;
    }
    let context = thread.context();
    let vectors = shadow::read_vectors(context, state);
    let general = shadow::read_general(context, state);
    shadow::fill_slots(context, &vectors);
    context.general_shadows = general;
    thread.set_shadows_in_registers(false);
    thread.cache.flush();
    if state.is_active() {
        State::UNKNOWN
    } else {
        State::ZERO
    }
}
