//! The step from the test into a code cache and back.
//!
//! All registers are given to the client by `xrstor` and the common code; the exit handler takes them with `xsave`
//! and returns to the caller. FS is the client's meanwhile, so that nothing in between may use thread-local storage.
//! A fault ends the run in the same way: the signal handler continues behind the exit handler.

use super::region::{context, COMMON_STATE, CONTEXT, STATE_CLEAN, STATE_IN, STATE_OUT};
use derivgrind_translate::context::offset;
use std::arch::global_asm;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Once;

global_asm!(
    ".globl derivgrind_test_enter",
    "derivgrind_test_enter:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "rdfsbase rax",
    "push rax",
    "mov rax, [{fs_base}]",
    "wrfsbase rax",
    "mov [{stack}], rsp",
    "mov eax, {components}",
    "xor edx, edx",
    "xrstor64 [{input}]",
    "jmp rdi",
    ".globl derivgrind_test_leave",
    "derivgrind_test_leave:",
    "add rsp, 8",
    ".globl derivgrind_test_abandon",
    "derivgrind_test_abandon:",
    "cld",
    "mov eax, {components}",
    "xor edx, edx",
    "xsave64 [{output}]",
    "xrstor64 [{clean}]",
    "pop rax",
    "wrfsbase rax",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    fs_base = const CONTEXT + offset::FS_BASE as u64,
    stack = const CONTEXT + offset::ENGINE_STACK as u64,
    components = const COMMON_STATE,
    input = const STATE_IN,
    output = const STATE_OUT,
    clean = const STATE_CLEAN,
);

extern "C" {
    fn derivgrind_test_enter(enter: u64);
    fn derivgrind_test_leave();
    fn derivgrind_test_abandon();
}

/// A fault of the code that ran.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    pub signal: u64,
    /// Address of the instruction.
    pub at: u64,
    /// Address of the access.
    pub address: u64,
}

static RUNNING: AtomicBool = AtomicBool::new(false);
static SIGNAL: AtomicU64 = AtomicU64::new(0);
static AT: AtomicU64 = AtomicU64::new(0);
static ADDRESS: AtomicU64 = AtomicU64::new(0);
static HANDLERS: Once = Once::new();

/// Runs code at `start` until it exits. Registers come from the context and the state area.
pub fn run(enter: u64, start: u64) -> Result<(), Fault> {
    HANDLERS.call_once(catch_faults);
    SIGNAL.store(0, Ordering::Relaxed);
    // SAFETY: the caller holds the lock, so that the context is this thread's.
    unsafe {
        (*context()).resume = start;
        (*context()).exit_handler = derivgrind_test_leave as *const () as u64;
    }
    RUNNING.store(true, Ordering::SeqCst);
    // SAFETY: `enter` is the common code; it comes back by the exit handler or by the signal handler.
    unsafe { derivgrind_test_enter(enter) }
    RUNNING.store(false, Ordering::SeqCst);
    match SIGNAL.load(Ordering::Relaxed) {
        0 => Ok(()),
        signal => {
            Err(Fault { signal, at: AT.load(Ordering::Relaxed), address: ADDRESS.load(Ordering::Relaxed) })
        }
    }
}

fn catch_faults() {
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP] {
        // SAFETY: an all-zero action is valid; the handler is async-signal-safe.
        let result = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_fault as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            libc::sigaction(signal, &action, std::ptr::null_mut())
        };
        assert_eq!(result, 0, "signal {signal} can be caught");
    }
}

/// Uses no thread-local storage and no lock. The alternate stack is the one that std gives to each thread.
extern "C" fn on_fault(signal: libc::c_int, info: *mut libc::siginfo_t, user: *mut libc::c_void) {
    if !RUNNING.load(Ordering::SeqCst) {
        // SAFETY: the default action ends the process when the instruction is repeated.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
        }
        return;
    }
    let user = user.cast::<libc::ucontext_t>();
    // SAFETY: the kernel passes valid pointers; the engine's stack was set by `derivgrind_test_enter`.
    unsafe {
        let registers = &mut (*user).uc_mcontext.gregs;
        SIGNAL.store(signal as u64, Ordering::Relaxed);
        AT.store(registers[libc::REG_RIP as usize] as u64, Ordering::Relaxed);
        ADDRESS.store((*info).si_addr() as u64, Ordering::Relaxed);
        registers[libc::REG_RIP as usize] = derivgrind_test_abandon as *const () as i64;
        registers[libc::REG_RSP as usize] = (*context()).engine_stack as i64;
    }
}
