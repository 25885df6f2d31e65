//! The lock that translated code holds while it changes a value and its shadow together.
//!
//! It is one word for the whole process. Translated code waits for it actively: it is held for a few instructions. A
//! signal is delivered at the next instruction boundary, where the lock is free again.

use crate::fatal;
use crate::sys::PAGE;
use crate::threads::Thread;
use crate::window;
use core::sync::atomic::{AtomicU64, Ordering};
use derivgrind_translate::context::{offset, Context};

static ADDRESS: AtomicU64 = AtomicU64::new(0);

/// Called while the process has one thread.
pub fn create() {
    let Some(page) = window::allocate(PAGE) else {
        fatal!("There is no memory below 2 GB that is writable and executable.");
    };
    ADDRESS.store(page.start, Ordering::SeqCst);
}

pub fn address() -> u64 {
    ADDRESS.load(Ordering::SeqCst)
}

/// The thread was taken out of the middle of a client instruction: it holds the lock no longer.
pub fn give_back(thread: &Thread) {
    let holds = (thread.context() as *mut Context as u64 + u64::from(offset::HOLDS_LOCK)) as *mut u64;
    // SAFETY: a word of the thread's context, which only this thread uses.
    if unsafe { core::ptr::replace(holds, 0) } != 0 {
        clear();
    }
}

/// In a forked child, where no other thread exists.
pub fn clear() {
    // SAFETY: the page lives as long as the process.
    unsafe { (*(address() as *const AtomicU64)).store(0, Ordering::SeqCst) };
}
