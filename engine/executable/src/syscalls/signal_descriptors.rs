//! `signalfd` with signals that the processor can raise. The engine's mask never blocks these; when one is sent that
//! the client blocks, it is held back, and the kernel, which fills such descriptors, knows nothing of it. So before
//! the client reads a descriptor or waits for some, signals that are held back are sent to the thread once more, and
//! blocked for as long as the call takes: no instruction of the engine faults meanwhile.

use super::Call;
use crate::call;
use crate::client_memory;
use crate::signals::{self, SYNCHRONOUS};
use crate::sys::{self, kernel, Outcome};
use crate::threads::Thread;
use core::sync::atomic::{AtomicU64, Ordering};

/// Such signals in the set of any descriptor of the process.
static SIGNALS: AtomicU64 = AtomicU64::new(0);

/// A call has succeeded: which signals does it want to read?
pub fn note(call: &Call) {
    if matches!(call.number, kernel::__NR_signalfd | kernel::__NR_signalfd4) {
        let set = client_memory::read_value::<u64>(call.arguments[1]).unwrap_or(0);
        SIGNALS.fetch_or(set & SYNCHRONOUS, Ordering::Relaxed);
    }
}

/// Blocks these signals if the call may get one of them. True: [`end`] is to follow.
pub fn begin(thread: &mut Thread, call: &Call) -> bool {
    let wanted = SIGNALS.load(Ordering::Relaxed) & thread.signals.mask;
    if wanted == 0 || !may_read_or_wait(call.number) {
        return false;
    }
    signals::set_kernel_mask(thread.signals.kernel_mask() | wanted);
    while let Some(queued) = thread.signals.take_held(wanted) {
        send_again(queued.signal, &queued.information);
    }
    true
}

/// What nobody has read comes back to the engine.
pub fn end(thread: &Thread) {
    signals::set_kernel_mask(thread.signals.kernel_mask());
}

fn may_read_or_wait(number: u32) -> bool {
    matches!(
        number,
        kernel::__NR_read
            | kernel::__NR_readv
            | kernel::__NR_poll
            | kernel::__NR_ppoll
            | kernel::__NR_select
            | kernel::__NR_pselect6
            | kernel::__NR_epoll_wait
            | kernel::__NR_epoll_pwait
            | kernel::__NR_epoll_pwait2
    )
}

fn send_again(signal: u32, information: &signals::SignalInformation) -> Outcome {
    let (process, thread) = (sys::process_id(), sys::thread_id());
    // SAFETY: the signal is blocked; a process may say anything to itself.
    unsafe { call!(kernel::__NR_rt_tgsigqueueinfo, process, thread, signal, information as *const _) }
}
