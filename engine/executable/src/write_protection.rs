//! Client code in pages that the client may write: just-in-time compilers patch code without telling anybody.
//!
//! A page of which a translation exists is made read-only. A write to it faults; the handler makes the page writable
//! again, has its translations forgotten in all threads, and steps over the write to the next instruction boundary, so
//! that the thread executes nothing that it has just overwritten. When the code runs again, it is translated again and
//! the page is protected again.
//!
//! The kernel writes into client memory too and reports `EFAULT`; then all protections are lifted and the call is made
//! again.

use crate::call;
use crate::invalidate;
use crate::lock::Mutex;
use crate::memory::{self, AddressSpace};
use crate::page_set::PageSet;
use crate::sys::{self, kernel, PAGE};
use crate::threads::Thread;

static PROTECTED: Mutex<PageSet> = Mutex::new(PageSet::new());

/// Bit of a page fault's error code. Whether the page is present says nothing: the kernel may have taken it away.
const WRITE: u64 = 2;

/// Protects the pages of translated ranges that the client may write. Returns true if a page was not protected before:
/// then the translation may have seen old code and must be made again.
pub fn protect(space: &AddressSpace, ranges: &[(u64, u64)]) -> bool {
    let mut any_new = false;
    for (start, end) in ranges {
        let mut page = sys::page_down(*start);
        while page < *end {
            any_new |= protect_page(space, page);
            page += PAGE;
        }
    }
    any_new
}

fn protect_page(space: &AddressSpace, page: u64) -> bool {
    let writable =
        space.mappings.find(page).is_some_and(|(_, _, found)| found.protection & kernel::PROT_WRITE != 0);
    if !writable {
        return false;
    }
    let mut protected = PROTECTED.lock();
    if !protected.insert(page) {
        return false;
    }
    // SAFETY: takes a right away that the fault handler gives back.
    unsafe { call!(kernel::__NR_mprotect, page, PAGE, kernel::PROT_READ | kernel::PROT_EXEC) };
    true
}

/// Called by the signal handler for a fault: true if the access is to be tried again.
pub fn resolve(thread: &Thread, address: u64, error: u64) -> bool {
    if error & WRITE == 0 {
        return false;
    }
    let page = sys::page_down(address);
    {
        let mut protected = PROTECTED.lock();
        if !protected.contains(page) {
            drop(protected);
            // Another thread may have been faster.
            let space = memory::read();
            let found = space.mappings.find(address);
            return found.is_some_and(|(_, _, attributes)| attributes.protection & PATCHABLE == PATCHABLE);
        }
        protected.take(page, page + PAGE);
        make_writable(page);
    }
    invalidate::code_changes_soon(thread, page, page + PAGE);
    true
}

/// Protection of pages that can hold code and be written.
const PATCHABLE: u32 = kernel::PROT_WRITE | kernel::PROT_EXEC;

fn make_writable(page: u64) {
    // SAFETY: gives back what the client has asked for.
    unsafe { call!(kernel::__NR_mprotect, page, PAGE, sys::READ_WRITE_EXECUTE) };
}

/// Lifts the protection in `[start, end)`, because the client changes the mapping. The caller holds the address space
/// for writing and invalidates the translations.
pub fn lift(start: u64, end: u64) {
    for page in PROTECTED.lock().take(start, end) {
        make_writable(page);
    }
}

/// Lifts all protections because a system call could not write; false if there were none.
pub fn lift_all(thread: &Thread) -> bool {
    let pages = PROTECTED.lock().take(0, u64::MAX);
    for page in &pages {
        make_writable(*page);
    }
    for page in &pages {
        invalidate::code_changed(thread, *page, *page + PAGE);
    }
    !pages.is_empty()
}

pub fn acquire_for_fork() {
    core::mem::forget(PROTECTED.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { PROTECTED.release() };
}
