//! Memory below 2 GB for what translated code addresses absolutely: contexts, tables, counters and code.

use crate::call;
use crate::lock::Mutex;
use crate::mappings::{Attributes, Mappings};
use crate::memory::{WINDOW_END, WINDOW_START};
use crate::sys::{self, kernel};

static USED: Mutex<Mappings> = Mutex::new(Mappings::new());

const ATTRIBUTES: Attributes =
    Attributes { protection: sys::READ_WRITE_EXECUTE, file: false, ever_writable: true, shared: None };

/// A block of the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Region {
    pub start: u64,
    pub length: u64,
}

impl Region {
    pub fn end(&self) -> u64 {
        self.start + self.length
    }

    pub fn contains(&self, address: u64) -> bool {
        address >= self.start && address < self.end()
    }
}

/// Zeroed memory that can be read, written and executed; `None` if the window is full.
pub fn allocate(length: u64) -> Option<Region> {
    allocate_aligned(length, sys::PAGE)
}

/// The same for table and code of the main thread: large pages spare page faults and misses of the instruction TLB.
pub fn allocate_large(length: u64) -> Option<Region> {
    let region = allocate_aligned(length, LARGE_PAGE)?;
    // SAFETY: advice on fresh memory.
    unsafe { call!(kernel::__NR_madvise, region.start, region.length, kernel::MADV_HUGEPAGE) };
    Some(region)
}

const LARGE_PAGE: u64 = 2 << 20;

fn allocate_aligned(length: u64, alignment: u64) -> Option<Region> {
    let length = sys::page_up(length);
    let mut used = USED.lock();
    let mut low = WINDOW_START;
    loop {
        let start = used.find_gap(low, WINDOW_END, length, alignment)?;
        if sys::map_engine_memory(start, length, sys::READ_WRITE_EXECUTE).is_ok() {
            used.insert(start, start + length, ATTRIBUTES);
            return Some(Region { start, length });
        }
        // The kernel has put something there; look further on.
        low = start + length.max(16 * sys::PAGE);
        if low >= WINDOW_END {
            return None;
        }
    }
}

/// # Safety
/// The region comes from [`allocate`] and nothing uses it any more.
pub unsafe fn free(region: Region) {
    let mut used = USED.lock();
    // SAFETY: the caller's promise.
    unsafe { sys::unmap(region.start, region.length) };
    used.remove(region.start, region.end());
}

pub fn acquire_for_fork() {
    core::mem::forget(USED.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { USED.release() };
}
