//! `mlockall`: only the client's memory is locked. Locking everything would give all of the shadow memory pages.

use super::Call;
use crate::call;
use crate::memory::{self, AddressSpace};
use crate::settings;
use crate::stack;
use crate::sys::{errno, failure, kernel, Outcome};
use core::sync::atomic::{AtomicU32, Ordering};

/// Flags of `mlockall` that hold for mappings to come: 0, or `MCL_FUTURE` with or without `MCL_ONFAULT`.
static FUTURE: AtomicU32 = AtomicU32::new(0);

const FLAGS: u64 = (kernel::MCL_CURRENT | kernel::MCL_FUTURE | kernel::MCL_ONFAULT) as u64;

pub fn execute(call: &Call) -> Option<Outcome> {
    match call.number {
        kernel::__NR_mlockall => Some(lock_all(call.arguments[0])),
        kernel::__NR_munlockall => {
            FUTURE.store(0, Ordering::SeqCst);
            for (start, end, _) in memory::read().mappings.overlapping(0, u64::MAX) {
                // SAFETY: changes nothing but whether pages may be swapped out.
                unsafe { call!(kernel::__NR_munlock, start, end - start) };
            }
            Some(0)
        }
        _ => None,
    }
}

fn lock_all(flags: u64) -> Outcome {
    if flags & !FLAGS != 0 || flags & !u64::from(kernel::MCL_ONFAULT) == 0 {
        return failure(errno::EINVAL);
    }
    let flags = flags as u32;
    let space = memory::read();
    let limit = locking_limit();
    if limit == 0 {
        return failure(errno::EPERM);
    }
    let now = flags & kernel::MCL_CURRENT != 0;
    if now && space.mappings.total(&|_| true).saturating_sub(stack::size()) > limit {
        return failure(errno::ENOMEM);
    }
    FUTURE.store(if flags & kernel::MCL_FUTURE != 0 { flags } else { 0 }, Ordering::SeqCst);
    if now {
        for (start, end, _) in space.mappings.overlapping(0, u64::MAX) {
            lock(start, end - start, flags);
        }
    }
    0
}

/// The kernel does not say either which pages it could not lock.
fn lock(start: u64, length: u64, flags: u32) {
    // The first stack has more room than natively; what is not used is not brought in.
    let on_fault = flags & kernel::MCL_ONFAULT != 0 || length == stack::size();
    let flags = if on_fault { kernel::MLOCK_ONFAULT } else { 0 };
    // SAFETY: changes nothing but whether pages are in memory.
    unsafe { call!(kernel::__NR_mlock2, start, length, flags) };
}

/// Bytes that the client may lock.
fn locking_limit() -> u64 {
    if settings::has_capability(settings::CAP_IPC_LOCK) {
        return u64::MAX;
    }
    let mut limit = [0u64; 2];
    // SAFETY: the kernel fills our array.
    unsafe { call!(kernel::__NR_prlimit64, 0, kernel::RLIMIT_MEMLOCK, 0, limit.as_mut_ptr()) };
    limit[0]
}

/// Called for new mappings, with the address space locked.
pub fn follow(_space: &AddressSpace, start: u64, length: u64) {
    let flags = FUTURE.load(Ordering::SeqCst);
    if flags != 0 {
        lock(start, length, flags);
    }
}

/// A forked child has locked nothing.
pub fn forget() {
    FUTURE.store(0, Ordering::SeqCst);
}
