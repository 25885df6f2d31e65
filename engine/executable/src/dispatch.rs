//! Where translated code comes when it cannot go on by itself, and where it is sent on.
//!
//! The common exit code has saved the client's registers in the context and calls [`exit_handler`] on the engine's
//! stack. The handler finds out why, serves the client, and determines a [`Continuation`]: a client address and the
//! state there. Signals and invalidations are looked at here and nowhere else, immediately before translated code is
//! entered again.
//!
//! Invariant: `in_cache` is set after the last look at generation and signals could still be undone, and cleared before
//! anything else happens on the way out. So a signal handler that finds it set may step forward to a boundary.

use crate::cache::{ExitRecord, Missed};
use crate::client_memory;
use crate::computed;
use crate::cpuid;
use crate::direct_calls;
use crate::extended;
use crate::invalidate;
use crate::library_calls;
use crate::library_functions;
use crate::recording;
use crate::requests;
use crate::return_addresses;
use crate::shadow;
use crate::signals::handler::TRAP_FLAG;
use crate::signals::{delivery, Fault, Queued, SignalInformation};
use crate::sys::kernel;
use crate::syscalls;
use crate::threads::{Thread, SAMPLE_BUDGET};
use crate::unwinders;
use crate::vsyscall;
use crate::{activation, detail};
use core::arch::asm;
use derivgrind_translate::context::{Context, CLASSES, SHADOW_OFFSET};
use derivgrind_translate::direct_calls::RETURN_TRAP;
use derivgrind_translate::glue::{Arrival, MISS, SAMPLE};
use derivgrind_translate::interface::ExitKind;
use derivgrind_translate::state::{Class, State};

/// `Context::exit` after the signal handler has taken the thread out of its cache.
pub const INTERRUPTED: u64 = SAMPLE + CLASSES as u64;

/// Where the client goes on.
#[derive(Clone, Copy, Debug)]
pub struct Continuation {
    pub pc: u64,
    pub state: State,
}

/// What makes the way to the continuation shorter next time.
enum Shortcut {
    None,
    /// Patch the exit of this number.
    Link(u64),
    /// Enter the target into this table.
    Table(Missed),
}

/// Called by the common exit code; `Context::resume` says where it returns to.
pub extern "C" fn exit_handler(context: *mut Context) {
    // SAFETY: the context is that of the current thread, and aligned.
    if unsafe { (*context).flags } & extended::ALIGNMENT_CHECK != 0 {
        extended::stop_alignment_checks();
    }
    // SAFETY: the context's thread is the current one, and nothing else refers to it now.
    let thread = unsafe { &mut *((*context).thread as *mut Thread) };
    thread.set_in_cache(false);
    let context = thread.context();
    context.flags &= !TRAP_FLAG;
    let reason = context.exit;
    if reason < MISS {
        let exit = thread.cache.exit(reason);
        if exit.kind == ExitKind::Link {
            let next = Continuation { pc: exit.target, state: exit.state };
            proceed(thread, next, Shortcut::Link(reason));
        } else {
            let next = serve(thread, &exit);
            proceed(thread, next, Shortcut::None);
        }
    } else if reason < SAMPLE {
        let which = (reason - MISS) as usize;
        let class = Class::ALL[which % CLASSES];
        let missed = Missed { class, arrival: Arrival::ALL[which / CLASSES] };
        let next = Continuation { pc: context.target, state: class.state() };
        if next.pc == RETURN_TRAP {
            if direct_calls::is_any(context) {
                // The next one need not come here.
                let settings = thread.settings();
                thread.cache.arrive(next.pc, next.state, &settings, missed);
            }
            let next = returned(thread, next);
            proceed(thread, next, Shortcut::None);
        } else {
            match missed.arrival {
                Arrival::Return => arrive_by_return(thread, next, Shortcut::Table(missed)),
                Arrival::Context | Arrival::Rax => proceed(thread, next, Shortcut::Table(missed)),
            }
        }
    } else {
        let next = if reason == INTERRUPTED {
            let interruption = thread.signals.interruption();
            let state = interruption.state.without_rule_applied();
            if interruption.state.rule_is_applied() {
                computed::undo(thread, state);
            }
            Continuation { pc: interruption.pc, state }
        } else {
            let next = sample(thread, Class::ALL[(reason - SAMPLE) as usize]);
            if next.pc != RETURN_TRAP {
                return arrive_by_return(thread, next, Shortcut::None);
            }
            returned(thread, next)
        };
        proceed(thread, next, Shortcut::None);
    }
}

/// A branch to `next` that may be the return of a library function to an address that is shown.
fn arrive_by_return(thread: &mut Thread, next: Continuation, shortcut: Shortcut) {
    match return_addresses::awaits(thread, next.pc) {
        None => proceed(thread, next, shortcut),
        Some(false) => proceed(thread, next, Shortcut::None),
        Some(true) => {
            let next = library_calls::end(thread, next.state).unwrap_or(next);
            proceed(thread, next, Shortcut::None);
        }
    }
}

/// A library function has returned to the engine, which wanted to know.
fn returned(thread: &mut Thread, next: Continuation) -> Continuation {
    library_calls::end(thread, next.state).unwrap_or_else(|| {
        let pc = library_functions::resolved(thread).unwrap_or(next.pc);
        Continuation { pc, ..next }
    })
}

/// The budget of indirect branches in active code is used up: is anything still active?
fn sample(thread: &mut Thread, class: Class) -> Continuation {
    let context = thread.context();
    context.budget = SAMPLE_BUDGET;
    let state = shadow::observe(context, class.state());
    Continuation { pc: context.target, state }
}

/// Prepares the return into translated code at `next`, unless a signal or an invalidation comes first.
fn proceed(thread: &mut Thread, mut next: Continuation, mut shortcut: Shortcut) {
    let epoch = thread.cache.epoch;
    if let Some(event) = unwinders::event_at(next.pc) {
        return_addresses::show_to_unwinder(thread, event);
        shortcut = Shortcut::None;
    }
    if let Some(trap) = thread.signals.trap_flag.trap_at(next.pc) {
        thread.signals.enqueue_first(trap);
    }
    loop {
        if thread.signals.is_pending() {
            if next.pc == RETURN_TRAP {
                // The handler is told where the client really is.
                next = returned(thread, next);
            }
            next.state = next.state.without_rule_applied();
            next = delivery::deliver(thread, next);
            shortcut = Shortcut::None;
        }
        next.state = activation::follow_process(thread, next.state);
        activation::follow_control(thread);
        let generation = invalidate::generation();
        if thread.seen_generation() != generation {
            invalidate::catch_up(thread);
            invalidate::wait_where_promised(thread);
        }
        thread.cache.adopt_modules();
        let settings = thread.settings();
        let made = thread.cache.made;
        let address = match shortcut {
            Shortcut::Table(missed) => thread.cache.arrive(next.pc, next.state, &settings, missed),
            _ => thread.cache.resume_address(next.pc, next.state, &settings),
        };
        let by_branch =
            matches!(shortcut, Shortcut::Table(Missed { arrival: Arrival::Context | Arrival::Rax, .. }));
        if by_branch && thread.cache.made != made {
            library_functions::watch(thread, next.pc);
        }
        if let Shortcut::Link(exit) = shortcut {
            if thread.cache.epoch == epoch {
                thread.cache.link(exit);
            }
        }
        shortcut = Shortcut::None;
        thread.context().resume = address;
        if thread.signals.trap_flag.is_set() {
            thread.context().flags |= TRAP_FLAG;
            thread.signals.step_one_instruction(next.pc, thread.cache.enter_address());
        }
        thread.set_in_cache(true);
        if invalidate::generation() == thread.seen_generation() && !thread.signals.is_pending() {
            if next.state.rule_is_applied() {
                computed::commit(thread, next.state);
            } else {
                computed::discard(thread);
            }
            return;
        }
        thread.set_in_cache(false);
        thread.context().flags &= !TRAP_FLAG;
    }
}

/// Does what the client's instruction asks of the engine.
fn serve(thread: &mut Thread, exit: &ExitRecord) -> Continuation {
    let next = Continuation { pc: exit.target, state: exit.state };
    match exit.kind {
        // For the control word, `proceed` looks at what the client has loaded.
        ExitKind::Link | ExitKind::NeedsOwnControl => next,
        ExitKind::SystemCall => syscalls::serve(thread, next),
        ExitKind::Cpuid { length } if thread.cpuid_faults => {
            let at = Continuation { pc: next.pc - u64::from(length), ..next };
            raise(thread, kernel::SIGSEGV, SI_KERNEL, 0, GENERAL_PROTECTION, at)
        }
        ExitKind::Cpuid { .. } => {
            cpuid::emulate(thread.context());
            next
        }
        ExitKind::Xgetbv => {
            cpuid::emulate_xgetbv(thread.context());
            next
        }
        ExitKind::ClientRequest => {
            let next = requests::serve(thread, next);
            recording::follow_widening(thread);
            next
        }
        ExitKind::NewSegment => {
            thread.recorder.lock().begin_segment();
            recording::follow_widening(thread);
            next
        }
        ExitKind::ComputedRule { counter, part } => computed::prepare(thread, next, counter, part),
        ExitKind::ActiveCall => library_calls::begin(thread, next),
        ExitKind::Returned => returned(thread, next),
        ExitKind::NeedsMemoryShadows => activation::move_shadows_to_memory(thread, next),
        ExitKind::NeedsFullRegisters => activation::save_full_registers(thread, next),
        ExitKind::Unresolved { variable } => {
            thread.cache.forget_translation(next.pc, next.state);
            // What cannot be read faults when the stub itself is executed.
            let pc = client_memory::read_value(variable).unwrap_or(next.pc);
            Continuation { pc, ..next }
        }
        ExitKind::Undecodable => {
            detail!("no instruction at {:#x}", next.pc);
            raise(thread, kernel::SIGILL, ILL_ILLOPN, 0, 6, next)
        }
        ExitKind::NotExecutable => {
            if let Some(caller) = vsyscall::serve(thread, next) {
                return caller;
            }
            let mapped = crate::memory::read().mappings.find(next.pc).is_some();
            let code = if mapped { SEGV_ACCERR } else { SEGV_MAPERR };
            let error = if mapped { FETCH_ERROR | PRESENT_ERROR } else { FETCH_ERROR };
            raise(thread, kernel::SIGSEGV, code, error, 14, next)
        }
    }
}

const ILL_ILLOPN: i32 = 2;
const SI_KERNEL: i32 = 0x80;
/// Number of the exception, whose signal names no address.
const GENERAL_PROTECTION: u64 = 13;
const SEGV_MAPERR: i32 = 1;
const SEGV_ACCERR: i32 = 2;
/// Bits of a page fault's error code: user-mode instruction fetch, page present.
const FETCH_ERROR: u64 = 0x14;
const PRESENT_ERROR: u64 = 1;

/// The client's instruction at `next` raises a signal, as the processor would.
fn raise(
    thread: &mut Thread,
    signal: u32,
    code: i32,
    error: u64,
    trap: u64,
    next: Continuation,
) -> Continuation {
    let place = if trap == GENERAL_PROTECTION { 0 } else { next.pc };
    let information = SignalInformation::fault(signal, code, place);
    let address = if trap == 14 { next.pc } else { 0 };
    let fault = Fault { error, trap, address };
    thread.signals.enqueue_first(Queued { signal, information, fault: Some(fault) });
    next
}

/// Starts the calling thread at `next`. Its registers are in the context.
///
/// # Safety
/// Runs on the thread's engine stack or one that is not needed any more; signals are blocked.
pub unsafe fn run(thread: *mut Thread, next: Continuation) -> ! {
    // SAFETY: the caller's promise; the reference is gone before translated code runs.
    let (stack, enter) = unsafe {
        let thread = &mut *thread;
        extended::set_gs_base(SHADOW_OFFSET);
        let mask = thread.signals.mask;
        thread.signals.set_mask(mask);
        proceed(thread, next, Shortcut::None);
        (thread.context().engine_stack, thread.cache.enter_address())
    };
    // SAFETY: the common code loads everything from the context.
    unsafe { asm!("mov rsp, {}", "jmp {}", in(reg) stack, in(reg) enter, options(noreturn)) }
}
