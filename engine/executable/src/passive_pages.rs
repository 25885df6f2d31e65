//! Pages of shadow memory that hold nothing but zeros, and on which translations rely.
//!
//! Variables at fixed addresses are rarely active. Where a passive block accesses one, the page of its shadow is made
//! read-only and the block needs no test. The first write to the page faults; the handler makes the page writable for
//! good and has the translations that rely on it forgotten in all threads. The writing thread leaves its cache behind
//! the instruction that writes, and goes on when all others have been interrupted. The engine's own writes fault, too.
//!
//! Blocks that store active values rely on nothing.

use crate::call;
use crate::invalidate;
use crate::lock::Mutex;
use crate::page_set::PageSet;
use crate::sys::{kernel, page_down, PAGE, READ_WRITE};
use crate::threads::Thread;
use crate::write_protection;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use derivgrind_translate::context::{SHADOW_END, SHADOW_START};

/// Each may split a mapping, of which a process may have 65530.
const MOST_PROTECTED: usize = 4096;
/// Faults after which a program is taken for one whose variables at fixed addresses are active.
const MOST_WRITTEN: usize = 128;

struct Pages {
    protected: PageSet,
    written: PageSet,
    protected_count: usize,
    written_count: usize,
}

static PAGES: Mutex<Pages> = Mutex::new(Pages {
    protected: PageSet::new(),
    written: PageSet::new(),
    protected_count: 0,
    written_count: 0,
});
static ANY: AtomicBool = AtomicBool::new(false);

/// May a translation rely on the page of shadow memory at this address?
pub fn is_zero(page: u64) -> bool {
    if !(SHADOW_START..SHADOW_END).contains(&page) {
        return false;
    }
    let pages = PAGES.lock();
    let has_room = pages.protected_count < MOST_PROTECTED && pages.written_count < MOST_WRITTEN;
    pages.protected.contains(page) || has_room && !pages.written.contains(page) && holds_zeros(page)
}

fn holds_zeros(page: u64) -> bool {
    // SAFETY: a page of the shadow memory, which is mapped as a whole.
    let words = unsafe { core::slice::from_raw_parts(page as *const u64, PAGE as usize / 8) };
    words.iter().all(|word| *word == 0)
}

/// Protects the pages on which a translation relies. Returns true if one has been written in the meantime: then the
/// translation must be made again.
pub fn protect(wanted: &[u64]) -> bool {
    let mut pages = PAGES.lock();
    wanted.iter().any(|page| !pages.protect(*page))
}

impl Pages {
    fn protect(&mut self, page: u64) -> bool {
        if self.written.contains(page) {
            return false;
        }
        if self.protected.insert(page) {
            self.protected_count += 1;
            ANY.store(true, Ordering::Relaxed);
            if !set_protection(page, page + PAGE, kernel::PROT_READ) || !holds_zeros(page) {
                self.give_up(page, page + PAGE);
                return false;
            }
        }
        true
    }

    /// Makes the protected pages in `[start, end)` writable for good, and returns them.
    fn give_up(&mut self, start: u64, end: u64) -> Vec<u64> {
        let mut given_up = self.protected.take(start, end);
        let writable = given_up.iter().all(|page| set_protection(*page, page + PAGE, READ_WRITE));
        if !writable {
            // The process has as many mappings as it may have. One for all is possible.
            given_up.extend(self.protected.take(SHADOW_START, SHADOW_END));
            set_protection(SHADOW_START, SHADOW_END, READ_WRITE);
        }
        for page in &given_up {
            self.written.insert(*page);
        }
        self.protected_count -= given_up.len();
        given_up
    }
}

fn set_protection(start: u64, end: u64, protection: u32) -> bool {
    // SAFETY: pages of the shadow memory; a write that this forbids is allowed by `resolve`.
    unsafe { call!(kernel::__NR_mprotect, start, end - start, protection) == 0 }
}

/// Called by the signal handler for a fault: true if the access is to be tried again.
pub fn resolve(thread: &Thread, address: u64, error: u64) -> bool {
    let is_shadow = (SHADOW_START..SHADOW_END).contains(&address);
    if !is_shadow || !ANY.load(Ordering::Relaxed) || !write_protection::is_write(error) {
        return false;
    }
    let page = page_down(address);
    let given_up = {
        let mut pages = PAGES.lock();
        if !pages.protected.contains(page) {
            // Another thread may have been faster.
            return pages.written.contains(page);
        }
        pages.written_count += 1;
        if pages.written_count < MOST_WRITTEN {
            pages.give_up(page, page + PAGE)
        } else {
            pages.give_up(SHADOW_START, SHADOW_END)
        }
    };
    invalidate::shadows_change(thread, &given_up);
    true
}

pub fn acquire_for_fork() {
    core::mem::forget(PAGES.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { PAGES.release() };
}
