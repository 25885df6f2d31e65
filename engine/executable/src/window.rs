//! Memory below 2 GB for what translated code addresses absolutely: contexts, tables, counters and code.

use crate::call;
use crate::lock::Mutex;
use crate::mappings::{Attributes, Mappings};
use crate::memory::{WINDOW_END, WINDOW_START};
use crate::sys::{self, kernel};

struct Window {
    /// What is in use.
    used: Mappings,
    /// All the rest is mapped, too.
    keeps_executable: bool,
}

static WINDOW: Mutex<Window> = Mutex::new(Window { used: Mappings::new(), keeps_executable: false });

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
    let mut window = WINDOW.lock();
    let mut low = WINDOW_START;
    loop {
        let start = window.used.find_gap(low, WINDOW_END, length, alignment)?;
        if window.keeps_executable || sys::map_engine_memory(start, length, sys::READ_WRITE_EXECUTE).is_ok() {
            window.used.insert(start, start + length, ATTRIBUTES);
            return Some(Region { start, length });
        }
        // The kernel has put something there; look further on.
        low = start + length.max(16 * sys::PAGE);
        if low >= WINDOW_END {
            return None;
        }
    }
}

/// Maps all that is free: from now on the kernel may refuse memory that is writable and executable.
pub fn keep_executable() {
    let mut window = WINDOW.lock();
    if core::mem::replace(&mut window.keeps_executable, true) {
        return;
    }
    let mut low = WINDOW_START;
    while let Some(start) = window.used.find_gap(low, WINDOW_END, sys::PAGE, sys::PAGE) {
        let next = window.used.overlapping(start, WINDOW_END).first().map_or(WINDOW_END, |used| used.0);
        low = next.min(start + LARGE_PAGE);
        if sys::map_engine_memory(start, low - start, sys::READ_WRITE_EXECUTE).is_err() {
            // The kernel has put something there.
            window.used.insert(start, low, ATTRIBUTES);
        }
    }
}

/// # Safety
/// The region comes from [`allocate`] and nothing uses it any more.
pub unsafe fn free(region: Region) {
    let mut window = WINDOW.lock();
    // SAFETY: the caller's promise.
    unsafe {
        if window.keeps_executable {
            call!(kernel::__NR_madvise, region.start, region.length, kernel::MADV_DONTNEED);
        } else {
            sys::unmap(region.start, region.length);
        }
    }
    window.used.remove(region.start, region.end());
}

pub fn acquire_for_fork() {
    core::mem::forget(WINDOW.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { WINDOW.release() };
}
