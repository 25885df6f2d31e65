//! The one place where a system call is made for the client and may block.
//!
//! A signal that comes after the last look at the queue and before the kernel has gone to sleep would be delivered
//! only when the call returns, perhaps never. So the stub looks at the queue itself, and the signal handler moves a
//! thread that it finds between that look and the `syscall` instruction to the abort path. It finds a thread on the
//! instruction also when the kernel restarts a call (`SA_RESTART`).

use crate::signals::frame::UserContext;
use crate::signals::SignalState;
use crate::sys::{self, kernel, Outcome};
use core::arch::global_asm;

/// The call was not made; a signal must be delivered first. The kernel's own number for this, which it never returns.
pub const RESTART: Outcome = -512;

global_asm!(
    ".globl derivgrind_client_call",
    "derivgrind_client_call:",
    "mov rcx, rdi",
    "mov rax, rsi",
    "mov r11, rdx",
    "mov rdi, [r11]",
    "mov rsi, [r11 + 8]",
    "mov rdx, [r11 + 16]",
    "mov r10, [r11 + 24]",
    "mov r8, [r11 + 32]",
    "mov r9, [r11 + 40]",
    ".globl derivgrind_client_call_look",
    "derivgrind_client_call_look:",
    "cmp dword ptr [rcx], 0",
    "jne 2f",
    ".globl derivgrind_client_call_instruction",
    "derivgrind_client_call_instruction:",
    "syscall",
    "ret",
    ".globl derivgrind_client_call_abort",
    "derivgrind_client_call_abort:",
    "2:",
    "mov rax, {restart}",
    "ret",
    restart = const RESTART,
);

extern "C" {
    fn derivgrind_client_call(pending: *const u32, number: u64, arguments: *const [u64; 6]) -> Outcome;
    fn derivgrind_client_call_look();
    fn derivgrind_client_call_instruction();
    fn derivgrind_client_call_abort();
}

/// Makes a system call for the client; [`RESTART`] if a signal must be delivered first.
///
/// # Safety
/// The call must not harm the engine.
pub unsafe fn call(signals: &SignalState, number: u64, arguments: &[u64; 6]) -> Outcome {
    loop {
        // SAFETY: the caller's promise.
        let outcome = unsafe { derivgrind_client_call(signals.pending_word(), number, arguments) };
        // Interrupted only by the engine's own signal: the client must not notice.
        let engine_only =
            outcome == sys::failure(sys::errno::EINTR) && !signals.is_pending() && signals.take_kicked();
        if !engine_only {
            return outcome;
        }
    }
}

/// Called by the signal handler: a thread that has not yet made its call does not make it.
pub fn step_back(user: &mut UserContext) {
    let first = derivgrind_client_call_look as *const () as u64;
    let last = derivgrind_client_call_instruction as *const () as u64;
    if (first..=last).contains(&user.instruction) {
        user.instruction = derivgrind_client_call_abort as *const () as u64;
    }
}

/// Do not confuse with a failure: is it a call that the kernel starts again from the beginning?
pub fn is_restart(outcome: Outcome) -> bool {
    outcome == RESTART
}

/// Number of the system call in the way the kernel reads it.
pub fn number_of(rax: u64) -> u32 {
    rax as u32
}

/// Calls that replace the signal mask while they wait: number, argument that points to the mask.
pub fn temporary_mask_argument(number: u32) -> Option<usize> {
    match number {
        kernel::__NR_rt_sigsuspend => Some(0),
        kernel::__NR_ppoll => Some(3),
        kernel::__NR_epoll_pwait | kernel::__NR_epoll_pwait2 => Some(4),
        _ => None,
    }
}
