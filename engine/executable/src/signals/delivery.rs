//! Hands queued signals to the client, between two of its instructions.

use super::actions::{self, DEFAULT, IGNORE};
use super::{bit, frame, Queued};
use crate::dispatch::Continuation;
use crate::report;
use crate::return_addresses;
use crate::sys::{self, kernel};
use crate::threads::Thread;
use crate::{call, detail};
use derivgrind_translate::state::State;

/// Number of rsp.
const STACK_POINTER: usize = 4;

/// Delivers everything in the queue; returns where the client goes on.
pub fn deliver(thread: &mut Thread, mut next: Continuation) -> Continuation {
    while let Some(queued) = thread.signals.dequeue() {
        next = deliver_one(thread, &queued, next);
        // The engine's handler has blocked everything; now the client's own mask holds again. Not if the entry of a
        // handler has let another signal in: that one comes first, and may block what would come now.
        if !thread.signals.is_pending() {
            let mask = thread.signals.mask;
            thread.signals.set_mask(mask);
        }
    }
    thread.signals.temporary_mask = None;
    next
}

fn deliver_one(thread: &mut Thread, queued: &Queued, next: Continuation) -> Continuation {
    let signal = queued.signal;
    let action = thread.signals.actions.get(signal);
    let mask = thread.signals.temporary_mask.unwrap_or(thread.signals.mask);
    // The kernel itself holds back most, but one that comes with a fault may be blocked by the handler of that.
    let blocked = bit(signal) & mask != 0;
    if queued.fault.is_some() && (blocked || action.handler <= IGNORE) {
        end(thread, queued, next);
    }
    if blocked {
        thread.signals.held.push(*queued);
        return next;
    }
    match action.handler {
        IGNORE => next,
        DEFAULT if actions::is_ignored_by_default(signal) => next,
        DEFAULT if actions::stops_by_default(signal) => {
            // SAFETY: stops the process as the default action would.
            unsafe { call!(kernel::__NR_kill, sys::process_id(), kernel::SIGSTOP) };
            next
        }
        DEFAULT => end(thread, queued, next),
        _ => enter_handler(thread, queued, next),
    }
}

fn enter_handler(thread: &mut Thread, queued: &Queued, next: Continuation) -> Continuation {
    let signal = queued.signal;
    let action = thread.signals.actions.get(signal);
    if frame::push(thread, queued, &action, next.pc, next.state).is_err() {
        let overflow = Queued { signal: kernel::SIGSEGV, ..*queued };
        end(thread, &overflow, next);
    }
    return_addresses::show(thread, thread.context().registers[STACK_POINTER]);
    let mut mask = thread.signals.temporary_mask.take().unwrap_or(thread.signals.mask) | action.mask;
    if action.flags & u64::from(kernel::SA_NODEFER) == 0 {
        mask |= bit(signal);
    }
    thread.signals.set_mask(mask);
    if action.flags & u64::from(kernel::SA_RESETHAND) != 0 {
        thread.signals.actions.reset(signal);
    }
    Continuation { pc: action.handler, state: State::ZERO }
}

/// The signal ends the process.
fn end(thread: &Thread, queued: &Queued, next: Continuation) -> ! {
    detail!("ended by signal {} at {:#x}", queued.signal, next.pc);
    report::make(thread);
    actions::die_by(queued)
}
