//! The client's executable, as `/proc/self/exe` must name it.

use crate::lock::Once;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

static PATH: Once<Vec<u8>> = Once::new();

/// # Safety
/// As [`Once::set`].
pub unsafe fn set_path(mut path: Vec<u8>) {
    path.push(0);
    // SAFETY: the caller's promise.
    unsafe { PATH.set(path) };
}

/// Canonical path with a terminating zero.
pub fn path() -> &'static [u8] {
    PATH.get().map_or(b"\0", |path| path.as_slice())
}

pub fn path_without_zero() -> &'static [u8] {
    let path = path();
    &path[..path.len() - 1]
}

static ENVIRONMENT: AtomicU64 = AtomicU64::new(0);

/// Address of the environment that the engine was started with.
pub fn environment() -> u64 {
    ENVIRONMENT.load(Ordering::Relaxed)
}

pub fn set_environment(address: u64) {
    ENVIRONMENT.store(address, Ordering::Relaxed);
}
