//! System calls that a thread wants to get as SIGSYS instead of making them (prctl(2), `PR_SET_SYSCALL_USER_DISPATCH`):
//! all but those from a range of addresses, while a byte of its memory says so. Programs that run foreign binaries do.
//!
//! In the kernel this would meet the engine's own calls, so the engine does it for the client's. It ends with the
//! thread and with the execution of a program, and no new thread or process inherits it.

use super::{end_process, queued, trap};
use crate::call;
use crate::client_memory;
use crate::dispatch::Continuation;
use crate::signals::Queued;
use crate::sys::{errno, failure, is_failure, kernel, Outcome};
use crate::syscalls::Call;
use crate::threads::Thread;
use linux_raw_sys::prctl;

/// Modes: newer kernels know the third.
const OFF: u64 = 0;
const ALL_BUT_RANGE: u64 = 1;
const RANGE: u64 = 2;

/// What the selector says.
const ALLOW: u8 = 0;
const BLOCK: u8 = 1;

/// Addresses of user space end here.
const HIGHEST_SELECTOR: u64 = 0x7fff_ffff_efff;

/// What a thread has asked for.
#[derive(Clone, Copy)]
pub struct UserDispatch {
    /// Calls from these addresses are made: a length and a start, with numbers modulo 2^64.
    start: u64,
    length: u64,
    /// Address of the byte; 0: there is none, and all other calls raise the signal.
    selector: u64,
}

pub fn execute(thread: &mut Thread, call: &Call) -> Option<Outcome> {
    let [option, mode, start, length, selector, _] = call.arguments;
    if call.number != kernel::__NR_prctl || option != u64::from(prctl::PR_SET_SYSCALL_USER_DISPATCH) {
        return None;
    }
    let unknown = missing_in_kernel(mode);
    if is_failure(unknown) {
        return Some(unknown);
    }
    let is_empty = start.wrapping_add(length) <= start;
    let valid = match mode {
        OFF => start == 0 && length == 0 && selector == 0,
        ALL_BUT_RANGE => start == 0 || !is_empty,
        RANGE => length != 0 && !is_empty,
        _ => false,
    };
    if !valid {
        return Some(failure(errno::EINVAL));
    }
    if mode != OFF && selector > HIGHEST_SELECTOR {
        return Some(failure(errno::EFAULT));
    }
    thread.user_dispatch = match mode {
        OFF => None,
        ALL_BUT_RANGE => Some(UserDispatch { start, length, selector }),
        _ => {
            let (start, length) = (start.wrapping_add(length), length.wrapping_neg());
            Some(UserDispatch { start, length, selector })
        }
    };
    Some(0)
}

/// The error number of a kernel that does not know this mode.
fn missing_in_kernel(mode: u64) -> Outcome {
    let option = u64::from(prctl::PR_SET_SYSCALL_USER_DISPATCH);
    // SAFETY: it is off, or concerns calls from the lowest page, where nobody is; then it is turned off again.
    unsafe {
        let outcome = if mode == RANGE { call!(kernel::__NR_prctl, option, RANGE, 1, 1, 0) } else { 0 };
        if is_failure(outcome) {
            return outcome;
        }
        call!(kernel::__NR_prctl, option, OFF, 0, 0, 0)
    }
}

/// Where the client goes on if the call is not to be made; `next` is behind the instruction.
pub fn judge(thread: &mut Thread, call: &Call, next: Continuation) -> Option<Continuation> {
    let wish = thread.user_dispatch?;
    if next.pc.wrapping_sub(wish.start) < wish.length {
        return None;
    }
    if wish.selector != 0 {
        match client_memory::read_value::<u8>(wish.selector) {
            Ok(ALLOW) => return None,
            Ok(BLOCK) => {}
            Ok(_) => end_process(thread, &raised(call, next.pc)),
            Err(_) => {
                let signal = kernel::SIGSEGV;
                end_process(thread, &Queued { signal, ..raised(call, next.pc) })
            }
        }
    }
    Some(trap(thread, raised(call, next.pc), next))
}

fn raised(call: &Call, next_pc: u64) -> Queued {
    queued(call, next_pc, kernel::SYS_USER_DISPATCH, 0)
}
