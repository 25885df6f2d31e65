//! The client's executable, as `/proc/self/exe` must name it.

use crate::lock::Once;
use alloc::vec::Vec;

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
