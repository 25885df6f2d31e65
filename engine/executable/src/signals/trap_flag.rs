//! The trap flag that the client sets for itself: after each of its instructions the processor raises SIGTRAP.
//!
//! The engine's handler steps through a translation with the same flag. So while the client has set it, a thread enters
//! its cache with the flag, steps until it is at another instruction of the client, leaves, and the dispatcher queues
//! the signal. In the client's handler the flag is not set, and its frame has it. An instruction that repeats itself is
//! not left in between.

use super::{Queued, SignalInformation};
use crate::sys::kernel;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Nobody waits for the end of an instruction.
const NOWHERE: u64 = u64::MAX;
/// `si_code` of a trap after an instruction.
pub const TRAP_TRACE: i32 = 2;
/// Number of the processor's debug exception.
const DEBUG_EXCEPTION: u64 = 1;

/// The client's trap flag.
pub struct ClientTrapFlag {
    set: AtomicBool,
    /// The instruction behind which a trap is due.
    from: AtomicU64,
}

impl ClientTrapFlag {
    pub fn new() -> ClientTrapFlag {
        ClientTrapFlag { set: AtomicBool::new(false), from: AtomicU64::new(NOWHERE) }
    }

    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::SeqCst)
    }

    /// The client has changed it, in a frame or by `popf`.
    pub fn change(&self, set: bool) {
        self.set.store(set, Ordering::SeqCst);
    }

    /// A handler begins without it.
    pub fn forget(&self) {
        self.change(false);
        self.from.store(NOWHERE, Ordering::SeqCst);
    }

    /// The instruction at `pc` is about to be executed.
    pub fn wait_for_end_of(&self, pc: u64) {
        self.from.store(pc, Ordering::SeqCst);
    }

    pub fn waits_for_end_of(&self, pc: u64) -> bool {
        self.from.load(Ordering::SeqCst) == pc
    }

    /// The signal that is due now that the client is at `pc`.
    pub fn trap_at(&self, pc: u64) -> Option<Queued> {
        let from = self.from.load(Ordering::SeqCst);
        if from == NOWHERE || from == pc {
            return None;
        }
        self.from.store(NOWHERE, Ordering::SeqCst);
        let information = SignalInformation::fault(kernel::SIGTRAP, TRAP_TRACE, pc);
        let fault = Some(super::Fault { error: 0, trap: DEBUG_EXCEPTION, address: 0 });
        Some(Queued { signal: kernel::SIGTRAP, information, fault })
    }
}
