//! Translations of client code that has changed must not run any more, in any thread.
//!
//! Caches belong to threads, so the thread that unmaps, protects or maps over translated code cannot flush the others'.
//! It raises the generation, then makes every other thread that is in its cache leave it: by a signal whose handler
//! steps to the next instruction boundary and goes to the dispatcher, which sees the new generation and flushes.
//!
//! Entering is the mirror image: a thread sets `in_cache`, then looks at the generation. Both are sequentially
//! consistent, so either the thread sees the new generation or the other one sees that it is in the cache.
//!
//! Invariant: when [`code_changed`] returns, no thread executes a translation made before the call.

use crate::call;
use crate::lock::Mutex;
use crate::signals::KICK_SIGNAL;
use crate::sys::{self, kernel};
use crate::threads::{self, Thread};
use alloc::collections::BTreeMap;
use core::sync::atomic::{AtomicU64, Ordering};

/// Pages per entry of the set of translated pages.
const GROUP: u64 = 64;

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Client pages of which any thread may have a translation: bit sets by page number / [`GROUP`].
static TRANSLATED: Mutex<BTreeMap<u64, u64>> = Mutex::new(BTreeMap::new());

pub fn generation() -> u64 {
    GENERATION.load(Ordering::SeqCst)
}

/// Notes that a translation of `pc` covers `ranges`. Called with the address space locked for reading.
pub fn note_translated(pc: u64, ranges: &[(u64, u64)]) {
    let mut translated = TRANSLATED.lock();
    let mut note = |start: u64, end: u64| {
        for page in start / sys::PAGE..=(end - 1) / sys::PAGE {
            *translated.entry(page / GROUP).or_insert(0) |= 1 << (page % GROUP);
        }
    };
    // Also where nothing could be translated: the translation says so, and must go when something is mapped there.
    note(pc, pc + 1);
    for (start, end) in ranges {
        if end > start {
            note(*start, *end);
        }
    }
}

/// Takes the pages of `[start, end)` out of the set; was any of them in it?
fn forget(start: u64, end: u64) -> bool {
    let (first, last) = (start / sys::PAGE, end.saturating_sub(1) / sys::PAGE);
    let mut translated = TRANSLATED.lock();
    let mut any = false;
    translated.retain_range(first / GROUP, last / GROUP, |group, bits| {
        let low = first.saturating_sub(group * GROUP).min(GROUP);
        let high = (last + 1 - group * GROUP).min(GROUP);
        let ones = if high - low == GROUP { !0 } else { ((1u64 << (high - low)) - 1) << low };
        any |= *bits & ones != 0;
        *bits &= !ones;
        *bits != 0
    });
    any
}

trait RetainRange {
    fn retain_range(&mut self, first: u64, last: u64, keep: impl FnMut(u64, &mut u64) -> bool);
}

impl RetainRange for BTreeMap<u64, u64> {
    fn retain_range(&mut self, first: u64, last: u64, mut keep: impl FnMut(u64, &mut u64) -> bool) {
        let mut empty = alloc::vec::Vec::new();
        for (group, bits) in self.range_mut(first..=last) {
            if !keep(*group, bits) {
                empty.push(*group);
            }
        }
        for group in empty {
            self.remove(&group);
        }
    }
}

/// The client's code in `[start, end)` is gone or may be different now.
pub fn code_changed(thread: &Thread, start: u64, end: u64) {
    if start < end && forget(start, end) {
        flush_all(thread);
    }
}

/// Makes every thread forget all translations before it runs another one.
pub fn flush_all(thread: &Thread) {
    let generation = GENERATION.fetch_add(1, Ordering::SeqCst) + 1;
    threads::for_each(|other| {
        if core::ptr::eq(other, thread) {
            return;
        }
        let mut kicked = false;
        while other.in_cache() && other.seen_generation() < generation {
            if !kicked {
                kick(other);
                kicked = true;
            }
            // SAFETY: no effect but on the scheduler.
            unsafe { call!(kernel::__NR_sched_yield) };
        }
    });
}

fn kick(thread: &Thread) {
    // SAFETY: the engine handles this signal; if the thread is just ending, the call fails.
    unsafe { call!(kernel::__NR_tgkill, thread.process_id(), thread.thread_id(), KICK_SIGNAL) };
}

pub fn acquire_for_fork() {
    core::mem::forget(TRANSLATED.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { TRANSLATED.release() };
}
