//! Locks on futexes, because there is no standard library.
//!
//! Most clients have one thread, and an atomic exchange waits for all stores before it: translating a block would
//! spend a fifth of its time there. So until the second thread starts, locks are marked as taken by ordinary stores.
//!
//! Invariants: a signal handler of the engine takes a lock only if it interrupted translated code (which holds none),
//! or a write of the engine to shadow memory, for which the locks of `passive_pages` and `invalidate` are free;
//! `fork` happens while the forking thread holds every global lock, so that the child finds all of them in order.

use crate::call;
use crate::sys::kernel;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const FREE: u32 = 0;
const TAKEN: u32 = 1;
const CONTENDED: u32 = 2;
/// A held lock is usually released within some hundred nanoseconds.
const SPINS: u32 = 200;

/// Set before the second thread starts. Until then there is nobody to lock out: handlers of the engine take locks only
/// when they have interrupted translated code.
static SHARED: AtomicBool = AtomicBool::new(false);

/// From now on several threads share this memory.
pub fn share() {
    SHARED.store(true, Ordering::Relaxed);
}

/// Have there been several threads?
pub fn is_shared() -> bool {
    SHARED.load(Ordering::Relaxed)
}

/// A lock that guards no data by itself.
pub struct RawLock(AtomicU32);

impl RawLock {
    pub const fn new() -> Self {
        RawLock(AtomicU32::new(FREE))
    }

    pub fn acquire(&self) {
        if !is_shared() && self.0.load(Ordering::Acquire) == FREE {
            self.0.store(TAKEN, Ordering::Relaxed);
            return;
        }
        for _ in 0..SPINS {
            if self.0.compare_exchange_weak(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return;
            }
            core::hint::spin_loop();
        }
        while self.0.swap(CONTENDED, Ordering::Acquire) != FREE {
            let operation = kernel::FUTEX_WAIT | kernel::FUTEX_PRIVATE_FLAG;
            // SAFETY: the word lives as long as the lock.
            unsafe { call!(kernel::__NR_futex, self.0.as_ptr(), operation, CONTENDED, 0) };
        }
    }

    pub fn release(&self) {
        if !is_shared() {
            self.0.store(FREE, Ordering::Release);
            return;
        }
        if self.0.swap(FREE, Ordering::Release) == CONTENDED {
            let operation = kernel::FUTEX_WAKE | kernel::FUTEX_PRIVATE_FLAG;
            // SAFETY: waking has no other effect.
            unsafe { call!(kernel::__NR_futex, self.0.as_ptr(), operation, 1) };
        }
    }
}

/// Data behind a lock.
pub struct Mutex<T> {
    lock: RawLock,
    data: UnsafeCell<T>,
}

// SAFETY: the lock lets one thread at a time reach the data.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    pub const fn new(data: T) -> Self {
        Mutex { lock: RawLock::new(), data: UnsafeCell::new(data) }
    }

    pub fn lock(&self) -> Guard<'_, T> {
        self.lock.acquire();
        Guard { mutex: self }
    }

    /// # Safety
    /// The calling thread holds the lock and has forgotten the guard.
    pub unsafe fn release(&self) {
        self.lock.release();
    }
}

/// Access to the data of a [`Mutex`]; gives the lock back when dropped.
pub struct Guard<'a, T> {
    mutex: &'a Mutex<T>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.mutex.data.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock.
        unsafe { &mut *self.mutex.data.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.mutex.lock.release();
    }
}

/// A value that is written before the second thread exists and only read afterwards.
pub struct Once<T>(UnsafeCell<Option<T>>);

// SAFETY: written by one thread before others start.
unsafe impl<T: Sync> Sync for Once<T> {}

impl<T> Once<T> {
    pub const fn new() -> Self {
        Once(UnsafeCell::new(None))
    }

    /// # Safety
    /// Only while the process has one thread and nobody holds a reference from [`Once::get`].
    pub unsafe fn set(&self, value: T) {
        // SAFETY: the caller's promise.
        unsafe { *self.0.get() = Some(value) };
    }

    pub fn get(&self) -> Option<&T> {
        // SAFETY: nobody writes any more.
        unsafe { (*self.0.get()).as_ref() }
    }
}

const WRITER: u32 = 1 << 31;

/// Data that many read at once and one changes alone.
pub struct SharedLock<T> {
    /// Number of readers, or [`WRITER`].
    state: AtomicU32,
    data: UnsafeCell<T>,
}

// SAFETY: a writer is alone, readers only read.
unsafe impl<T: Send + Sync> Sync for SharedLock<T> {}

impl<T> SharedLock<T> {
    pub const fn new(data: T) -> Self {
        SharedLock { state: AtomicU32::new(0), data: UnsafeCell::new(data) }
    }

    pub fn read(&self) -> ReadGuard<'_, T> {
        if !is_shared() {
            let state = self.state.load(Ordering::Acquire);
            assert!(state & WRITER == 0, "the only thread reads what it is writing");
            self.state.store(state + 1, Ordering::Relaxed);
            return ReadGuard { lock: self };
        }
        let mut attempts = 0;
        loop {
            let state = self.state.load(Ordering::Relaxed);
            if state & WRITER == 0
                && self
                    .state
                    .compare_exchange_weak(state, state + 1, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                return ReadGuard { lock: self };
            }
            self.wait(state, &mut attempts);
        }
    }

    pub fn write(&self) -> WriteGuard<'_, T> {
        self.acquire_for_writing();
        WriteGuard { lock: self }
    }

    /// For `fork`; otherwise use [`SharedLock::write`].
    pub fn acquire_for_writing(&self) {
        let mut attempts = 0;
        while self.state.compare_exchange_weak(0, WRITER, Ordering::Acquire, Ordering::Relaxed).is_err() {
            let state = self.state.load(Ordering::Relaxed);
            self.wait(state, &mut attempts);
        }
    }

    pub fn release_after_writing(&self) {
        self.state.store(0, Ordering::Release);
        if is_shared() {
            self.wake();
        }
    }

    /// Spins first, then sleeps while the state is what was seen; a short time limit stands in for exact wake-ups.
    fn wait(&self, seen: u32, attempts: &mut u32) {
        *attempts += 1;
        if *attempts < SPINS || seen == 0 {
            core::hint::spin_loop();
            return;
        }
        let limit = kernel::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        let operation = kernel::FUTEX_WAIT | kernel::FUTEX_PRIVATE_FLAG;
        // SAFETY: the word and the time limit live long enough.
        unsafe { call!(kernel::__NR_futex, self.state.as_ptr(), operation, seen, &limit as *const _) };
    }

    fn wake(&self) {
        let operation = kernel::FUTEX_WAKE | kernel::FUTEX_PRIVATE_FLAG;
        // SAFETY: waking has no other effect.
        unsafe { call!(kernel::__NR_futex, self.state.as_ptr(), operation, i32::MAX) };
    }
}

pub struct ReadGuard<'a, T> {
    lock: &'a SharedLock<T>,
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard keeps writers out.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> Drop for ReadGuard<'_, T> {
    fn drop(&mut self) {
        let state = &self.lock.state;
        if is_shared() {
            state.fetch_sub(1, Ordering::Release);
        } else {
            state.store(state.load(Ordering::Relaxed) - 1, Ordering::Release);
        }
    }
}

pub struct WriteGuard<'a, T> {
    lock: &'a SharedLock<T>,
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard keeps everybody else out.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard keeps everybody else out.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T> Drop for WriteGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.release_after_writing();
    }
}
