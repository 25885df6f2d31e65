//! The tape in the hands of the program that is being recorded.
//!
//! An optimiser records one evaluation, asks for the gradient, goes back to where it began and records the next:
//!
//! ```
//! use derivgrind::tape;
//!
//! let mut x = 3.0_f64;
//! let begin = tape::position();
//! let input = derivgrind::input(&mut x);
//! let y = x * x;
//! let output = derivgrind::output(&y);
//! if tape::reverse(&[output], &[1.0]) {
//!     assert_eq!(tape::bar(input), Some(6.0));
//! }
//! if let Some(begin) = begin {
//!     tape::reset(begin);
//! }
//! ```

use crate::request::request;
use crate::requests::{TAPE_CLEAR_BARS, TAPE_GET_BAR, TAPE_POSITION, TAPE_RESET, TAPE_REVERSE};

/// A number that stands for what has been recorded so far: `None` outside of recording mode.
#[inline]
pub fn position() -> Option<u64> {
    let mut position = 0u64;
    let arguments = [core::ptr::from_mut(&mut position).expose_provenance(), 0, 0, 0, 0];
    // SAFETY: the request writes eight bytes to `position`.
    let served = unsafe { request(TAPE_POSITION, arguments, 0) == 1 };
    served.then_some(position)
}

/// Drop what was recorded since `position`, and tell whether that was done.
///
/// Indices that were given since are invalid: variables that were computed since must be computed anew.
#[inline]
pub fn reset(position: u64) -> bool {
    let arguments = [core::ptr::from_ref(&position).expose_provenance(), 0, 0, 0, 0];
    // SAFETY: the request reads eight bytes of `position`.
    unsafe { request(TAPE_RESET, arguments, 0) == 1 }
}

/// Evaluate the tape in reverse, with bar values for the indices that [`output`](crate::output) gave, and tell whether
/// that was done. [`bar`] reads the results.
///
/// # Panics
/// If the lengths differ.
#[inline]
pub fn reverse(indices: &[u64], bars: &[f64]) -> bool {
    assert_eq!(indices.len(), bars.len(), "each index needs a bar value");
    let arguments =
        [indices.as_ptr().expose_provenance(), bars.as_ptr().expose_provenance(), indices.len(), 0, 0];
    // SAFETY: the request reads eight bytes for each element of both.
    unsafe { request(TAPE_REVERSE, arguments, 0) == 1 }
}

/// The bar value of an index after the last [`reverse`]: `None` if there is none.
#[inline]
pub fn bar(index: u64) -> Option<f64> {
    let mut bar = 0f64;
    let arguments = [
        core::ptr::from_ref(&index).expose_provenance(),
        core::ptr::from_mut(&mut bar).expose_provenance(),
        0,
        0,
        0,
    ];
    // SAFETY: the request reads the index and writes a floating-point value to `bar`.
    let served = unsafe { request(TAPE_GET_BAR, arguments, 0) == 1 };
    served.then_some(bar)
}

/// Free the memory of the bar values, and tell whether that was done.
#[inline]
pub fn clear_bars() -> bool {
    // SAFETY: the request has no arguments.
    unsafe { request(TAPE_CLEAR_BARS, [0; 5], 0) == 1 }
}
