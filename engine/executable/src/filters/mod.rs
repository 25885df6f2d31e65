//! Filters for system calls that the client installs (seccomp(2)), applied by the engine.
//!
//! Installed in the kernel, a filter would see the engine's own system calls, too, and could end the process for them.
//! So the engine keeps the filters of each thread and asks them at each system call of the client, newest first, as the
//! kernel does. Threads and children inherit them. A program that is executed without the engine gets them from the
//! kernel, one that runs under derivgrind from a file in memory.
//!
//! A filter that hands decisions to another process (`SECCOMP_FILTER_FLAG_NEW_LISTENER`) is refused.

mod hand_over;
mod install;
mod program;
pub mod user_dispatch;

pub use hand_over::{give_to_kernel, give_to_next_engine, take_over};
pub use install::execute;

use crate::call;
use crate::dispatch::Continuation;
use crate::lock::Mutex;
use crate::report;
use crate::signals::{actions, Fault, Queued, SignalInformation};
use crate::sys::{failure, kernel, Outcome};
use crate::syscalls::{self, Call};
use crate::threads::{self, Thread};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use linux_raw_sys::prctl;
use program::{FilterProgram, Words};

/// A filter, and by which of the two system calls the client has installed it.
pub struct Filter {
    program: FilterProgram,
    by_prctl: bool,
}

/// What restricts a thread.
#[derive(Clone, Default)]
pub enum Filters {
    #[default]
    None,
    /// Only `read`, `write`, `exit` and `rt_sigreturn`.
    Strict,
    /// In the order in which they were installed.
    Programs(Vec<Arc<Filter>>),
}

impl Filters {
    /// What `PR_GET_SECCOMP` says.
    fn mode(&self) -> Outcome {
        match self {
            Filters::None => 0,
            Filters::Strict => 1,
            Filters::Programs(_) => 2,
        }
    }
}

/// Has any thread a filter? Until then nobody looks.
static ANY: AtomicBool = AtomicBool::new(false);

/// Held while the filters of other threads change, and while a new thread inherits.
static CHANGES: Mutex<()> = Mutex::new(());

/// What a filter has decided about a call that is not made.
pub enum Verdict {
    Value(Outcome),
    Elsewhere(Continuation),
}

const ACTION: u32 = 0xffff_0000;
const DATA: u32 = 0xffff;
const KILL_THREAD: u32 = 0;
const TRAP: u32 = 0x0003_0000;
const ERRNO: u32 = 0x0005_0000;
const USER_NOTIFICATION: u32 = 0x7fc0_0000;
const TRACE: u32 = 0x7ff0_0000;
const LOG: u32 = 0x7ffc_0000;
const ALLOW: u32 = 0x7fff_0000;

const LARGEST_ERROR: u32 = 4095;
/// `AUDIT_ARCH_X86_64` of linux/audit.h.
const ARCHITECTURE: u32 = 0xc000_003e;

/// Asks the filters of the thread; `None` if the call is to be made.
pub fn judge(thread: &mut Thread, call: &Call, next: Continuation) -> Option<Verdict> {
    if let Some(continuation) = user_dispatch::judge(thread, call, next) {
        return Some(Verdict::Elsewhere(continuation));
    }
    if !ANY.load(Ordering::Relaxed) {
        return None;
    }
    if thread.gives_up_privileges.swap(false, Ordering::SeqCst) {
        // SAFETY: a promise about programs that are executed.
        unsafe { call!(kernel::__NR_prctl, prctl::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    }
    let filters = thread.filters.lock().clone();
    let action = match &filters {
        Filters::None => return None,
        Filters::Strict if is_always_allowed(call.number) => return None,
        Filters::Strict => end_thread(thread, call, kernel::SIGKILL, 0),
        Filters::Programs(filters) => decide(filters, &words(call, next.pc)),
    };
    let data = action & DATA;
    match action & ACTION {
        ALLOW | LOG => None,
        ERRNO => Some(Verdict::Value(failure(data.min(LARGEST_ERROR)))),
        // Nobody listens, and nobody traces.
        USER_NOTIFICATION | TRACE => Some(Verdict::Value(failure(crate::sys::errno::ENOSYS))),
        TRAP => {
            let raised = queued(call, next.pc, kernel::SYS_SECCOMP, data);
            Some(Verdict::Elsewhere(trap(thread, raised, next)))
        }
        KILL_THREAD => end_thread(thread, call, kernel::SIGSYS, data),
        // Also what is not known.
        _ => end_process(thread, &queued(call, next.pc, kernel::SYS_SECCOMP, data)),
    }
}

/// The action that counts most: of the lowest value as a signed number, that of the newest filter.
fn decide(filters: &[Arc<Filter>], words: &Words) -> u32 {
    let order = |action: &u32| (action & ACTION) as i32;
    let actions = filters.iter().rev().map(|filter| filter.program.run(words));
    actions.min_by_key(order).unwrap_or(ALLOW)
}

fn is_always_allowed(number: u32) -> bool {
    matches!(number, kernel::__NR_read | kernel::__NR_write | kernel::__NR_exit | kernel::__NR_rt_sigreturn)
}

/// `struct seccomp_data`.
fn words(call: &Call, next_pc: u64) -> Words {
    let mut words = [0; 16];
    words[0] = call.number;
    words[1] = ARCHITECTURE;
    let long = [next_pc].into_iter().chain(call.arguments);
    for (pair, value) in words[2..].chunks_exact_mut(2).zip(long) {
        pair[0] = value as u32;
        pair[1] = (value >> 32) as u32;
    }
    words
}

/// SIGSYS as the kernel sends it, see sigaction(2).
fn queued(call: &Call, next_pc: u64, code: u32, data: u32) -> Queued {
    let mut information = SignalInformation::fault(kernel::SIGSYS, code as i32, next_pc);
    information.0[4..8].copy_from_slice(&data.to_le_bytes());
    information.0[24..28].copy_from_slice(&call.number.to_le_bytes());
    information.0[28..32].copy_from_slice(&ARCHITECTURE.to_le_bytes());
    // It cannot be blocked or ignored.
    let fault = Some(Fault { error: 0, trap: 0, address: 0 });
    Queued { signal: kernel::SIGSYS, information, fault }
}

/// The registers are those in front of the call, but the instruction has been executed.
fn trap(thread: &mut Thread, raised: Queued, next: Continuation) -> Continuation {
    thread.signals.enqueue_first(raised);
    syscalls::leave_instruction(thread, next);
    next
}

fn end_process(thread: &Thread, queued: &Queued) -> ! {
    report::make(thread);
    actions::die_by(queued)
}

fn end_thread(thread: &mut Thread, call: &Call, signal: u32, data: u32) -> ! {
    if threads::count_of_process(thread.process_id()) == 1 {
        let next_pc = call.pc + syscalls::INSTRUCTION_LENGTH;
        end_process(thread, &Queued { signal, ..queued(call, next_pc, kernel::SYS_SECCOMP, data) });
    }
    syscalls::end_thread(thread, u64::from(signal))
}

/// A new thread has the filters of its creator, and follows other threads if it belongs to the same process.
pub fn inherit(from: &Thread, to: &Thread, same_process: bool) {
    let _changes = CHANGES.lock();
    if same_process {
        to.join_process(from.process_id());
    }
    let filters = from.filters.lock().clone();
    *to.filters.lock() = filters;
}

pub fn acquire_for_fork() {
    core::mem::forget(CHANGES.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { CHANGES.release() };
}
