//! Translations of client code that has changed must not run any more, in any thread.
//!
//! Caches belong to threads, so the thread that unmaps, protects or maps over translated code cannot touch the others'.
//! It writes the range into a log, which raises the generation, and makes every other thread that is in its cache leave
//! it: by a signal whose handler steps to the next instruction boundary and goes to the dispatcher. There each thread
//! works off what it has not seen of the log.
//!
//! Entering is the mirror image: a thread sets `in_cache`, then looks at the generation. Both are sequentially
//! consistent, so either the thread sees the new generation or the other one sees that it is in the cache.
//!
//! Invariant: when [`code_changed`] returns, no thread executes a translation of the range made before the call.

use crate::call;
use crate::lock::Mutex;
use crate::page_set::PageSet;
use crate::signals::KICK_SIGNAL;
use crate::sys::{self, kernel};
use crate::threads::{self, Thread};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

/// Length of the log + number of entries dropped from it.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Client pages of which any thread may have a translation.
static TRANSLATED: Mutex<PageSet> = Mutex::new(PageSet::new());

/// Entries that are kept; a thread that has missed more flushes everything.
const LOG_LENGTH: usize = 256;

struct Log {
    /// Generation before the first entry.
    first: u64,
    ranges: Vec<(u64, u64)>,
}

static LOG: Mutex<Log> = Mutex::new(Log { first: 0, ranges: Vec::new() });

/// The range that stands for all translations.
const EVERYTHING: (u64, u64) = (0, u64::MAX);

pub fn generation() -> u64 {
    GENERATION.load(Ordering::SeqCst)
}

/// Notes that a translation of `pc` covers `ranges`. Called with the address space locked for reading.
pub fn note_translated(pc: u64, ranges: &[(u64, u64)]) {
    let mut translated = TRANSLATED.lock();
    // Also where nothing could be translated: the translation says so, and must go when something is mapped there.
    translated.insert(pc);
    for (start, end) in ranges {
        let mut address = *start;
        while address < *end {
            translated.insert(address);
            address = sys::page_down(address) + sys::PAGE;
        }
    }
}

/// The client's code in `[start, end)` is gone or may be different now.
pub fn code_changed(thread: &Thread, start: u64, end: u64) {
    if start < end && !TRANSLATED.lock().take(start, end).is_empty() {
        let generation = announce((start, end));
        make_others_see(thread, generation);
    }
}

/// The same from a signal handler, which must not wait: other threads stop executing the code soon.
pub fn code_changes_soon(thread: &Thread, start: u64, end: u64) {
    TRANSLATED.lock().take(start, end);
    let generation = announce((start, end));
    for_each_behind(thread, generation, kick);
}

/// The same for these pages of shadow memory, see [`crate::passive_pages`]: the thread waits in
/// [`wait_where_promised`], before it goes on.
pub fn shadows_change(thread: &Thread, pages: &[u64]) {
    let mut generation = 0;
    for page in pages {
        generation = announce((*page, page + sys::PAGE));
    }
    for_each_behind(thread, generation, |other| {
        kick(other);
        thread.promise_to_wait_for(generation);
    });
}

/// What the thread has written may not be seen by others in translations that rely on its being zero. Called by the
/// thread itself, outside of its cache.
pub fn wait_where_promised(thread: &Thread) {
    if let Some(generation) = thread.take_promise_to_wait() {
        // A thread may be in its cache and wait for this one: the kernel may have asked it for a page.
        if !interrupt_others() {
            make_others_see(thread, generation);
        }
    }
}

/// Interrupts all threads that are running, so that they see signals which have been sent to them before they go on
/// (membarrier(2)). False if the kernel cannot.
fn interrupt_others() -> bool {
    use linux_raw_sys::general::membarrier_cmd::{
        MEMBARRIER_CMD_PRIVATE_EXPEDITED as INTERRUPT, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED as REGISTER,
    };
    // SAFETY: no effect but on the scheduler.
    unsafe {
        let outcome = call!(kernel::__NR_membarrier, INTERRUPT as u64, 0, 0);
        if outcome != sys::failure(sys::errno::EPERM) {
            return outcome == 0;
        }
        call!(kernel::__NR_membarrier, REGISTER as u64, 0, 0);
        call!(kernel::__NR_membarrier, INTERRUPT as u64, 0, 0) == 0
    }
}

/// The same from a signal handler, which must not wait.
pub fn flush_soon(thread: &Thread) {
    let generation = announce(EVERYTHING);
    for_each_behind(thread, generation, kick);
}

/// Makes every thread forget all translations before it runs another one.
pub fn flush_all(thread: &Thread) {
    let generation = announce(EVERYTHING);
    make_others_see(thread, generation);
}

fn announce(range: (u64, u64)) -> u64 {
    let mut log = LOG.lock();
    if log.ranges.len() == LOG_LENGTH {
        let dropped = LOG_LENGTH / 2;
        log.ranges.drain(..dropped);
        log.first += dropped as u64;
    }
    log.ranges.push(range);
    GENERATION.fetch_add(1, Ordering::SeqCst) + 1
}

/// Brings a thread's cache up to date. Called by the thread itself, outside of its cache.
pub fn catch_up(thread: &mut Thread) {
    loop {
        let seen = thread.seen_generation();
        let (ranges, generation) = {
            let log = LOG.lock();
            let generation = log.first + log.ranges.len() as u64;
            if seen < log.first {
                (alloc::vec![EVERYTHING], generation)
            } else {
                (log.ranges[(seen - log.first) as usize..].to_vec(), generation)
            }
        };
        if ranges.contains(&EVERYTHING) {
            thread.cache.flush();
        } else {
            for (start, end) in &ranges {
                thread.cache.forget(*start, *end);
            }
        }
        thread.set_seen_generation(generation);
        if generation == self::generation() {
            return;
        }
    }
}

fn for_each_behind(thread: &Thread, generation: u64, mut act: impl FnMut(&Thread)) {
    threads::for_each(|other| {
        if !core::ptr::eq(other, thread) && other.in_cache() && other.seen_generation() < generation {
            act(other);
        }
    });
}

fn make_others_see(thread: &Thread, generation: u64) {
    for_each_behind(thread, generation, kick);
    // No lock is held while waiting: the signal handler of a thread that is waited for may be in
    // [`code_changes_soon`], which looks at all threads.
    while is_any_behind(thread, generation) {
        // SAFETY: no effect but on the scheduler.
        unsafe { call!(kernel::__NR_sched_yield) };
    }
}

fn is_any_behind(thread: &Thread, generation: u64) -> bool {
    let mut any = false;
    for_each_behind(thread, generation, |_| any = true);
    any
}

fn kick(thread: &Thread) {
    // SAFETY: the engine handles this signal; if the thread is just ending, the call fails.
    unsafe { call!(kernel::__NR_tgkill, thread.process_id(), thread.thread_id(), KICK_SIGNAL) };
}

pub fn acquire_for_fork() {
    core::mem::forget(TRANSLATED.lock());
    core::mem::forget(LOG.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe {
        LOG.release();
        TRANSLATED.release();
    }
}
