//! Signal actions, masks, alternate stacks, and the return from a handler.

use super::{Call, Done};
use crate::client_memory;
use crate::dispatch::Continuation;
use crate::report;
use crate::return_addresses;
use crate::shadow;
use crate::signals::actions::{self, Action};
use crate::signals::{self, frame, AlternateStack, KICK_SIGNAL, SYNCHRONOUS};
use crate::sys::{self, errno, failure, kernel, Outcome};
use crate::syscalls::entry;
use crate::threads::Thread;

/// Smallest alternate stack that the kernel accepts.
const SMALLEST_STACK: u64 = kernel::MINSIGSTKSZ as u64;
/// Bytes of a signal set in the kernel's interface.
const SET_SIZE: u64 = 8;

pub fn execute(thread: &mut Thread, call: &Call) -> Option<Done> {
    let [first, second, third, fourth, ..] = call.arguments;
    let outcome = match call.number {
        kernel::__NR_rt_sigaction => set_action(thread, first, second, third, fourth),
        kernel::__NR_rt_sigprocmask => set_mask(thread, first as u32, second, third, fourth),
        kernel::__NR_rt_sigpending => pending(thread, call),
        kernel::__NR_rt_sigtimedwait => wait(thread, call),
        kernel::__NR_sigaltstack => set_alternate_stack(thread, first, second),
        kernel::__NR_rt_sigreturn => return Some(Done::Elsewhere(return_from_handler(thread))),
        kernel::__NR_pselect6 => return Some(Done::Value(select(thread, call))),
        kernel::__NR_kill | kernel::__NR_tkill if second as u32 == KICK_SIGNAL => failure(errno::EINVAL),
        kernel::__NR_tgkill if third as u32 == KICK_SIGNAL => failure(errno::EINVAL),
        _ => return None,
    };
    Some(Done::Value(outcome))
}

fn set_action(thread: &mut Thread, signal: u64, new: u64, old: u64, set_size: u64) -> Outcome {
    if set_size != SET_SIZE {
        return failure(errno::EINVAL);
    }
    let signal = match actions::is_valid(signal) {
        Ok(signal) => signal,
        Err(error) => return error,
    };
    let before = thread.signals.actions.get(signal);
    if new != 0 {
        if signal == kernel::SIGKILL || signal == kernel::SIGSTOP {
            return failure(errno::EINVAL);
        }
        let Ok(action) = client_memory::read_value::<Action>(new) else {
            return failure(errno::EFAULT);
        };
        thread.signals.actions.set(signal, action);
    }
    if old != 0 && client_memory::write_value(old, &before).is_err() {
        return failure(errno::EFAULT);
    }
    0
}

fn set_mask(thread: &mut Thread, how: u32, new: u64, old: u64, set_size: u64) -> Outcome {
    if set_size != SET_SIZE {
        return failure(errno::EINVAL);
    }
    let before = thread.signals.mask;
    if new != 0 {
        let Ok(set) = client_memory::read_value::<u64>(new) else {
            return failure(errno::EFAULT);
        };
        let mask = match how {
            kernel::SIG_BLOCK => before | set,
            kernel::SIG_UNBLOCK => before & !set,
            kernel::SIG_SETMASK => set,
            _ => return failure(errno::EINVAL),
        };
        thread.signals.set_mask(mask);
    }
    if old != 0 && client_memory::write_value(old, &before).is_err() {
        return failure(errno::EFAULT);
    }
    0
}

/// The kernel knows nothing of the signals that are held back here.
fn pending(thread: &mut Thread, call: &Call) -> Outcome {
    let outcome = super::pass(thread, call);
    let held = thread.signals.held_set();
    let set = call.arguments[0];
    if outcome == 0 && held != 0 {
        if let Ok(others) = client_memory::read_value::<u64>(set) {
            let _ = client_memory::write_value(set, &(others | held));
        }
    }
    outcome
}

/// `sigwait` and its kind. Signals that the processor can raise, too, are never blocked by the engine's mask, but
/// here they must be, so that the call gets them and not the handler.
fn wait(thread: &mut Thread, call: &Call) -> Outcome {
    let [set, information, _, size, ..] = call.arguments;
    let Ok(wanted) = client_memory::read_value::<u64>(set) else {
        return failure(errno::EFAULT);
    };
    if size != SET_SIZE {
        return super::pass(thread, call);
    }
    if let Some(queued) = thread.signals.take_held(wanted & thread.signals.mask) {
        if information != 0 && client_memory::write(information, &queued.information.0).is_err() {
            return failure(errno::EFAULT);
        }
        return Outcome::from(queued.signal);
    }
    let synchronous = wanted & SYNCHRONOUS & thread.signals.mask;
    if synchronous == 0 {
        return super::pass(thread, call);
    }
    signals::set_kernel_mask(thread.signals.kernel_mask() | synchronous);
    // SAFETY: the call has no effect but on signals; no instruction of the engine faults meanwhile.
    let outcome = unsafe { entry::call(&thread.signals, u64::from(call.number), &call.arguments) };
    signals::set_kernel_mask(thread.signals.kernel_mask());
    if !sys::is_failure(outcome) && information != 0 {
        shadow::clear(information, core::mem::size_of::<signals::SignalInformation>() as u64);
    }
    outcome
}

fn set_alternate_stack(thread: &mut Thread, new: u64, old: u64) -> Outcome {
    let pointer = thread.context().registers[4];
    let current = thread.signals.alternate_stack;
    let enabled = current.flags & kernel::SS_DISABLE == 0;
    let in_use = enabled && current.flags & kernel::SS_AUTODISARM == 0 && current.contains(pointer);
    if new != 0 {
        let Ok(mut stack) = client_memory::read_value::<AlternateStack>(new) else {
            return failure(errno::EFAULT);
        };
        if in_use {
            return failure(errno::EPERM);
        }
        let mode = stack.flags & !kernel::SS_AUTODISARM;
        if mode != 0 && mode != kernel::SS_DISABLE && mode != kernel::SS_ONSTACK {
            return failure(errno::EINVAL);
        }
        if mode == kernel::SS_DISABLE {
            stack = AlternateStack { flags: stack.flags, ..AlternateStack::DISABLED };
        } else if stack.size < SMALLEST_STACK {
            return failure(errno::ENOMEM);
        }
        stack.flags &= !kernel::SS_ONSTACK;
        thread.signals.alternate_stack = stack;
    }
    if old != 0 {
        let mut reported = current;
        if in_use {
            reported.flags |= kernel::SS_ONSTACK;
        }
        if client_memory::write_value(old, &reported).is_err() {
            return failure(errno::EFAULT);
        }
    }
    0
}

fn return_from_handler(thread: &mut Thread) -> Continuation {
    // The handler has taken the first word off the frame.
    return_addresses::hide(thread, thread.context().registers[4] - 8);
    match frame::pop(thread) {
        Ok((pc, state)) => Continuation { pc, state },
        Err(_) => {
            // The kernel kills a process with a broken frame.
            report::make(thread);
            let queued = crate::signals::Queued {
                signal: kernel::SIGSEGV,
                information: crate::signals::SignalInformation::fault(kernel::SIGSEGV, 0, 0),
                fault: None,
            };
            actions::die_by(&queued)
        }
    }
}

/// `pselect6`: the sixth argument points to a pointer to the mask and its size.
fn select(thread: &mut Thread, call: &Call) -> Outcome {
    let argument = call.arguments[5];
    let mask_pointer =
        if argument == 0 { 0 } else { client_memory::read_value::<u64>(argument).unwrap_or(0) };
    thread.signals.temporary_mask =
        if mask_pointer == 0 { None } else { client_memory::read_value(mask_pointer).ok() };
    super::pass(thread, call)
}
