//! Client code in pages that the client may write: just-in-time compilers patch code without telling anybody.
//!
//! A page of which a translation exists is made read-only. A write to it faults; the handler makes the page writable
//! again, has its translations forgotten in all threads, and steps over the write to the next instruction boundary, so
//! that the thread executes nothing that it has just overwritten. When the code runs again, it is translated again and
//! the page is protected again.
//!
//! Where the same memory is mapped at several addresses, the writable ones are protected, too.
//!
//! The kernel writes into client memory too and reports `EFAULT`; then all protections are lifted and the call is made
//! again. A call that takes a message away from somewhere cannot be made again: for such calls they are lifted before.

use crate::call;
use crate::invalidate;
use crate::lock::Mutex;
use crate::memory::{self, AddressSpace};
use crate::page_set::PageSet;
use crate::sys::{self, kernel, PAGE};
use crate::threads::Thread;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

static PROTECTED: Mutex<PageSet> = Mutex::new(PageSet::new());
static ANY: AtomicBool = AtomicBool::new(false);

/// Bit of a page fault's error code. Whether the page is present says nothing: the kernel may have taken it away.
const WRITE: u64 = 2;
/// The same for an access that a protection key forbids.
const PROTECTION_KEY: u64 = 0x20;

/// Is this the error code of a write that the page does not allow?
pub fn is_write(error: u64) -> bool {
    error & WRITE != 0 && error & PROTECTION_KEY == 0
}

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
    let mut any_new = protect_if_writable(space, page);
    for (alias, _, _) in space.mappings.aliases(page, page + PAGE) {
        any_new |= protect_if_writable(space, alias);
    }
    any_new
}

fn protect_if_writable(space: &AddressSpace, page: u64) -> bool {
    let protection = protection(space, page);
    if protection & kernel::PROT_WRITE == 0 {
        return false;
    }
    let mut protected = PROTECTED.lock();
    if !protected.insert(page) {
        return false;
    }
    ANY.store(true, Ordering::Relaxed);
    // SAFETY: takes a right away that the fault handler gives back.
    unsafe { call!(kernel::__NR_mprotect, page, PAGE, kernel::PROT_READ | protection & kernel::PROT_EXEC) };
    true
}

/// What the client has asked for; 0 where nothing is mapped.
fn protection(space: &AddressSpace, page: u64) -> u32 {
    space.mappings.find(page).map_or(0, |(_, _, found)| found.protection)
}

/// Called by the signal handler for a fault: true if the access is to be tried again.
pub fn resolve(thread: &Thread, address: u64, error: u64) -> bool {
    if !is_write(error) {
        return false;
    }
    let page = sys::page_down(address);
    let mut changed = alloc::vec![(page, page + PAGE)];
    {
        let space = memory::read();
        let mut protected = PROTECTED.lock();
        let aliases = space.mappings.aliases(page, page + PAGE);
        if !protected.contains(page) {
            // Another thread may have been faster.
            let protection = protection(&space, page);
            let can_hold_code = protection & kernel::PROT_EXEC != 0 || !aliases.is_empty();
            return can_hold_code && protection & kernel::PROT_WRITE != 0;
        }
        protected.take(page, page + PAGE);
        make_writable(&space, page);
        changed.extend(aliases.iter().map(|(start, end, _)| (*start, *end)));
    }
    for (start, end) in changed {
        invalidate::code_changes_soon(thread, start, end);
    }
    true
}

fn make_writable(space: &AddressSpace, page: u64) {
    let protection = protection(space, page) | kernel::PROT_READ;
    // SAFETY: gives back what the client has asked for.
    unsafe { call!(kernel::__NR_mprotect, page, PAGE, protection) };
}

/// Lifts the protection in `[start, end)`, because the client changes the mapping. The caller holds the address space
/// for writing and invalidates the translations.
pub fn lift(space: &AddressSpace, start: u64, end: u64) {
    for page in PROTECTED.lock().take(start, end) {
        make_writable(space, page);
    }
}

/// Is any page protected? Perhaps, if one ever was.
pub fn is_any() -> bool {
    ANY.load(Ordering::Relaxed)
}

/// Lifts all protections because a system call could not write; false if there were none.
pub fn lift_all(thread: &Thread) -> bool {
    lift_for_kernel(thread, 0, u64::MAX)
}

/// Lifts the protections in `[start, end)`, because a system call will write there.
pub fn lift_between(thread: &Thread, start: u64, end: u64) {
    lift_for_kernel(thread, start, end);
}

fn lift_for_kernel(thread: &Thread, start: u64, end: u64) -> bool {
    let mut changed = Vec::new();
    {
        let space = memory::read();
        for page in PROTECTED.lock().take(start, end) {
            make_writable(&space, page);
            changed.push((page, page + PAGE));
            let aliases = space.mappings.aliases(page, page + PAGE);
            changed.extend(aliases.iter().map(|(start, end, _)| (*start, *end)));
        }
    }
    for (start, end) in &changed {
        invalidate::code_changed(thread, *start, *end);
    }
    !changed.is_empty()
}

pub fn acquire_for_fork() {
    core::mem::forget(PROTECTED.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { PROTECTED.release() };
}
