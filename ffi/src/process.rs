//! What concerns the whole process, or a thread of it.

use crate::status::{address, code, mode, require, FORWARD, RECORDING};
use client::requests::DISABLE;
use core::ffi::{c_char, CStr};

/// The version of this library.
const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

/// The version of this library, as in "0.1.0".
#[no_mangle]
pub extern "C" fn dg_version() -> *const c_char {
    VERSION.as_ptr()
}

/// Which mode Derivgrind is in: 'd' forward, 'b' recording, 't' bit-trick finding, 0 outside of it.
#[no_mangle]
pub extern "C" fn dg_get_mode() -> i32 {
    i32::from(mode())
}

/// Add `plus` to a counter of this thread and subtract `minus`. While it is not 0, nothing is recorded; forward mode
/// goes on. The counter before is written to `before` unless that is null.
///
/// # Safety
/// The address must be null or that of such a number.
#[no_mangle]
pub unsafe extern "C" fn dg_disable(plus: u64, minus: u64, before: *mut u64) -> i32 {
    // SAFETY: the arguments are numbers.
    let counter = unsafe { client::request(DISABLE, [plus as usize, minus as usize, 0, 0, 0], 0) };
    let outcome = require(&[FORWARD[0], RECORDING[0]]);
    if outcome.is_ok() && address(before).is_ok() {
        // SAFETY: the caller vouches for the address.
        unsafe { before.write(counter as u64) };
    }
    code(outcome)
}
