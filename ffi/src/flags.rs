//! Bit-trick finding: activity and discreteness flags. In forward mode and in recordings the result is `DG_OTHER_MODE`.

use crate::arrays::Array;
use crate::status::{address, code, serve, Outcome, BIT_TRICK};
use client::requests::{GET_FLAGS, SET_FLAGS};
use core::ffi::c_void;

/// Write the activity and the discreteness flags of `size` bytes at `x` to as many bytes at `activity` and
/// `discreteness`.
///
/// # Safety
/// All three addresses must be valid for `size` bytes.
#[no_mangle]
pub unsafe extern "C" fn dg_get_flags(
    x: *const c_void,
    activity: *mut c_void,
    discreteness: *mut c_void,
    size: usize,
) -> i32 {
    // SAFETY: the caller vouches for the addresses.
    code(unsafe { transfer(GET_FLAGS, x, activity, discreteness, size) })
}

/// Set the activity and the discreteness flags of `size` bytes at `x` from as many bytes at `activity` and
/// `discreteness`.
///
/// # Safety
/// All three addresses must be valid for `size` bytes.
#[no_mangle]
pub unsafe extern "C" fn dg_set_flags(
    x: *mut c_void,
    activity: *const c_void,
    discreteness: *const c_void,
    size: usize,
) -> i32 {
    // SAFETY: the caller vouches for the addresses.
    code(unsafe { transfer(SET_FLAGS, x, activity, discreteness, size) })
}

/// Mark the number at `x`: all of its bits are active and none is discrete.
///
/// # Safety
/// The address must be that of such a number.
#[no_mangle]
pub unsafe extern "C" fn dg_mark_float(x: *mut c_void, number_type: i32) -> i32 {
    let (active, discrete) = ([0xffu8; 10], [0u8; 10]);
    let (active, discrete) = (active.as_ptr().cast(), discrete.as_ptr().cast());
    let mark = |number: *mut u8, size| {
        // SAFETY: the caller vouches for the number; the flags are as many as the bytes of the largest type.
        unsafe { transfer(SET_FLAGS, number.cast(), active, discrete, size) }
    };
    code(Array::scalar(x.cast(), number_type).and_then(|x| x.each(|number, real| mark(number, real.size()))))
}

/// # Safety
/// All three addresses are valid for `size` bytes, or null.
unsafe fn transfer(
    request: u32,
    x: *const c_void,
    activity: *const c_void,
    discreteness: *const c_void,
    size: usize,
) -> Outcome {
    let arguments = [address(x)?, address(activity)?, address(discreteness)?, size, 0];
    // SAFETY: the caller vouches for the addresses.
    unsafe { serve(request, arguments, BIT_TRICK) }
}
