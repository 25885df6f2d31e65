//! A child with a copy of the memory: all engine locks are held across the fork, so the child finds them in order.

use crate::allocator;
use crate::atomic_lock;
use crate::call;
use crate::counters;
use crate::filters;
use crate::invalidate;
use crate::leaving;
use crate::library_functions;
use crate::memory;
use crate::modules;
use crate::passive_pages;
use crate::recording;
use crate::signals;
use crate::sys::{kernel, Outcome};
use crate::syscalls::{limits, locking};
use crate::threads::{self, Thread};
use crate::unwinders;
use crate::window;
use crate::write_protection;

/// Makes the child by `clone` with `flags` (without `CLONE_VM`); `in_child` adapts the child's registers. `words` are
/// the parent id, child id and thread pointer arguments.
pub fn fork(thread: &mut Thread, flags: u64, in_child: impl FnOnce(&mut Thread), words: [u64; 3]) -> Outcome {
    let before = signals::block_everything();
    if recording::is_on() {
        // What has been recorded does not change any more: the child may copy it.
        thread.recorder.lock().close();
    }
    acquire_all(thread);
    // SAFETY: the child gets a copy of this stack and returns here too.
    let outcome = unsafe { call!(kernel::__NR_clone, flags, 0, words[0], words[1], words[2]) };
    release_all(thread);
    if outcome == 0 {
        threads::keep_only(thread);
        atomic_lock::clear();
        counters::clear();
        leaving::clear();
        locking::forget();
        thread.borrows_memory = false;
        thread.freed_by_creator = false;
        thread.user_dispatch = None;
        thread.signals.forget_queue();
        thread.adopt_current();
        recording::in_child(thread);
        in_child(thread);
    }
    signals::set_kernel_mask(before);
    outcome
}

/// In the order in which they nest elsewhere.
fn acquire_all(thread: &Thread) {
    filters::acquire_for_fork();
    threads::acquire_for_fork();
    memory::acquire_for_fork();
    invalidate::acquire_for_fork();
    write_protection::acquire_for_fork();
    passive_pages::acquire_for_fork();
    library_functions::acquire_for_fork();
    unwinders::acquire_for_fork();
    modules::acquire_for_fork();
    counters::acquire_for_fork();
    leaving::acquire_for_fork();
    limits::acquire_for_fork();
    recording::acquire_for_fork();
    window::acquire_for_fork();
    thread.signals.actions.acquire_for_fork();
    allocator::acquire_for_fork();
}

fn release_all(thread: &Thread) {
    allocator::release_after_fork();
    thread.signals.actions.release_after_fork();
    window::release_after_fork();
    recording::release_after_fork();
    limits::release_after_fork();
    leaving::release_after_fork();
    counters::release_after_fork();
    modules::release_after_fork();
    unwinders::release_after_fork();
    library_functions::release_after_fork();
    passive_pages::release_after_fork();
    write_protection::release_after_fork();
    invalidate::release_after_fork();
    memory::release_after_fork();
    threads::release_after_fork();
    filters::release_after_fork();
}
