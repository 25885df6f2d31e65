//! What the client has asked to happen for each signal.

use super::{bit, handler, Queued, KICK_SIGNAL, SIGNAL_COUNT, SYNCHRONOUS};
use crate::call;
use crate::lock::Mutex;
use crate::settings;
use crate::sys::{self, kernel, Outcome};

/// The kernel's `struct sigaction`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Action {
    pub handler: u64,
    pub flags: u64,
    pub restorer: u64,
    pub mask: u64,
}

pub const DEFAULT: u64 = 0;
pub const IGNORE: u64 = 1;

const DEFAULT_ACTION: Action = Action { handler: DEFAULT, flags: 0, restorer: 0, mask: 0 };

/// Flags that change what the kernel itself does.
const KERNEL_FLAGS: u64 = (kernel::SA_NOCLDSTOP | kernel::SA_NOCLDWAIT | kernel::SA_RESTART) as u64;

/// Actions of a process, or of processes that share them (`CLONE_SIGHAND`).
pub struct ActionTable(Mutex<[Action; SIGNAL_COUNT + 1]>);

impl ActionTable {
    /// The actions that the process has inherited; takes over the signals that the engine needs.
    pub fn inherit() -> ActionTable {
        let mut actions = [DEFAULT_ACTION; SIGNAL_COUNT + 1];
        for (signal, action) in actions.iter_mut().enumerate().skip(1) {
            // SAFETY: only reads into our own structure.
            unsafe { call!(kernel::__NR_rt_sigaction, signal, 0, action as *mut Action, 8) };
        }
        let table = ActionTable(Mutex::new(actions));
        for signal in 1..=SIGNAL_COUNT as u32 {
            if (SYNCHRONOUS | bit(KICK_SIGNAL)) & bit(signal) != 0 {
                table.tell_kernel(signal);
            }
        }
        table
    }

    pub fn copy(&self) -> ActionTable {
        let actions = *self.0.lock();
        ActionTable(Mutex::new(actions))
    }

    pub fn get(&self, signal: u32) -> Action {
        self.0.lock()[signal as usize]
    }

    /// Changes an action as `rt_sigaction` does and returns the one before.
    pub fn set(&self, signal: u32, action: Action) -> Action {
        let before = core::mem::replace(&mut self.0.lock()[signal as usize], action);
        self.tell_kernel(signal);
        before
    }

    /// `SA_RESETHAND`.
    pub fn reset(&self, signal: u32) {
        let mut actions = self.0.lock();
        actions[signal as usize].handler = DEFAULT;
        drop(actions);
        self.tell_kernel(signal);
    }

    /// Makes the kernel call the engine for all signals that would end the process, so that there is a report.
    pub fn catch_fatal_signals(&self) {
        for signal in 1..=SIGNAL_COUNT as u32 {
            if is_fatal_by_default(signal) {
                self.tell_kernel(signal);
            }
        }
    }

    fn tell_kernel(&self, signal: u32) {
        let action = self.get(signal);
        let needed = (SYNCHRONOUS | bit(KICK_SIGNAL)) & bit(signal) != 0;
        let reported =
            action.handler == DEFAULT && is_fatal_by_default(signal) && settings::differentiating();
        let caught = action.handler > IGNORE || needed || reported;
        let restart = if signal == KICK_SIGNAL { u64::from(kernel::SA_RESTART) } else { 0 };
        let installed = if caught {
            handler::action(action.flags & KERNEL_FLAGS | restart)
        } else {
            Action {
                flags: action.flags | u64::from(kernel::SA_RESTORER),
                restorer: handler::restorer(),
                ..action
            }
        };
        // SAFETY: the engine's handler copes with any signal; the other cases have no handler.
        unsafe { call!(kernel::__NR_rt_sigaction, signal, &installed as *const Action, 0, 8) };
    }

    /// Before a program is executed natively: the new program inherits which signals are ignored.
    pub fn pass_ignored_to_kernel(&self) {
        for signal in 1..=SIGNAL_COUNT as u32 {
            if SYNCHRONOUS & bit(signal) != 0 && self.get(signal).handler == IGNORE {
                let ignore = Action { handler: IGNORE, ..DEFAULT_ACTION };
                // SAFETY: the engine does without these signals until the program is replaced.
                unsafe { call!(kernel::__NR_rt_sigaction, signal, &ignore as *const Action, 0, 8) };
            }
        }
    }

    /// Undoes [`ActionTable::pass_ignored_to_kernel`] if the program could not be executed.
    pub fn take_back_from_kernel(&self) {
        for signal in 1..=SIGNAL_COUNT as u32 {
            if SYNCHRONOUS & bit(signal) != 0 {
                self.tell_kernel(signal);
            }
        }
    }

    pub fn acquire_for_fork(&self) {
        core::mem::forget(self.0.lock());
    }

    pub fn release_after_fork(&self) {
        // SAFETY: taken in `acquire_for_fork` by this thread.
        unsafe { self.0.release() };
    }
}

/// What the kernel does for `SIG_DFL`, see signal(7).
pub fn is_ignored_by_default(signal: u32) -> bool {
    matches!(signal, kernel::SIGCHLD | kernel::SIGURG | kernel::SIGWINCH | kernel::SIGCONT)
}

pub fn stops_by_default(signal: u32) -> bool {
    matches!(signal, kernel::SIGSTOP | kernel::SIGTSTP | kernel::SIGTTIN | kernel::SIGTTOU)
}

fn is_fatal_by_default(signal: u32) -> bool {
    !is_ignored_by_default(signal)
        && !stops_by_default(signal)
        && signal != kernel::SIGKILL
        && signal != KICK_SIGNAL
}

/// Ends the process by a signal, so that its parent sees the same as natively.
pub fn die_by(queued: &Queued) -> ! {
    let signal = queued.signal;
    // SAFETY: the process ends; nothing of the client runs any more.
    unsafe {
        call!(kernel::__NR_rt_sigaction, signal, &DEFAULT_ACTION as *const Action, 0, 8);
        super::set_kernel_mask(!bit(signal));
        call!(kernel::__NR_tgkill, sys::process_id(), sys::thread_id(), signal);
    }
    // Only reached if the signal does not end processes after all.
    sys::exit_group(128 + signal as i32)
}

/// Result of the client's `rt_sigaction` for a signal that it may not touch.
pub fn is_valid(signal: u64) -> Result<u32, Outcome> {
    let invalid = sys::failure(sys::errno::EINVAL);
    if signal == 0 || signal > SIGNAL_COUNT as u64 || signal == u64::from(KICK_SIGNAL) {
        return Err(invalid);
    }
    Ok(signal as u32)
}
