//! Bit-trick finding: which bits are active, and which hold discrete data. In forward mode and in recordings results are
//! false.

use crate::dotvalue::Real;
use crate::request::request;
use crate::requests::{GET_FLAGS, SET_FLAGS};

/// Bytes of the largest type.
const LARGEST: usize = 8;

/// Write the activity and the discreteness flags of `x` to byte arrays as long as `x`, and tell whether a tool did so.
///
/// # Panics
/// If the lengths differ.
#[inline]
pub fn get_flags<T: Real>(x: &T, activity: &mut [u8], discreteness: &mut [u8]) -> bool {
    assert_lengths::<T>(activity, discreteness);
    let arguments = [
        core::ptr::from_ref(x).expose_provenance(),
        activity.as_mut_ptr().expose_provenance(),
        discreteness.as_mut_ptr().expose_provenance(),
        size_of::<T>(),
        0,
    ];
    // SAFETY: all three addresses are valid for the size given, and the request writes bytes to the latter two.
    unsafe { request(GET_FLAGS, arguments, 0) == 1 }
}

/// Set the activity and the discreteness flags of `x` from byte arrays as long as `x`, and tell whether a tool took them.
///
/// # Panics
/// If the lengths differ.
#[inline]
pub fn set_flags<T: Real>(x: &mut T, activity: &[u8], discreteness: &[u8]) -> bool {
    assert_lengths::<T>(activity, discreteness);
    let arguments = [
        core::ptr::from_mut(x).expose_provenance(),
        activity.as_ptr().expose_provenance(),
        discreteness.as_ptr().expose_provenance(),
        size_of::<T>(),
        0,
    ];
    // SAFETY: all three addresses are valid for the size given. The request does not change `x`.
    unsafe { request(SET_FLAGS, arguments, 0) == 1 }
}

/// Mark a number: all of its bits are active and none is discrete. The result tells whether a tool took it.
#[inline]
pub fn mark_float<T: Real>(x: &mut T) -> bool {
    set_flags(x, &[0xff; LARGEST][..size_of::<T>()], &[0; LARGEST][..size_of::<T>()])
}

fn assert_lengths<T>(activity: &[u8], discreteness: &[u8]) {
    assert_eq!(activity.len(), size_of::<T>(), "a flag for each bit");
    assert_eq!(discreteness.len(), size_of::<T>(), "a flag for each bit");
}
