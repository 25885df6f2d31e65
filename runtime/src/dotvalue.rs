//! Forward mode: dot values of scalars and slices.

use crate::request::request;
use crate::requests::{GET_DOTVALUE, SET_DOTVALUE};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A floating-point type that has dot values: `f32` and `f64`.
///
/// A dot value has the type of its variable.
pub trait Real: Copy + Into<f64> + sealed::Sealed + 'static {
    #[doc(hidden)]
    const ZERO: Self;
}

impl Real for f32 {
    const ZERO: f32 = 0.0;
}

impl Real for f64 {
    const ZERO: f64 = 0.0;
}

/// Set the dot value of `x`, and tell whether a tool took it.
///
/// The value of `x` stays as it is. The result is false outside of the tool and in modes without dot values.
#[inline]
pub fn set_dotvalue<T: Real>(x: &mut T, dot: T) -> bool {
    set_dotvalues(core::slice::from_mut(x), core::slice::from_ref(&dot))
}

/// The dot value of `x`: zero if `x` depends on no input, outside of the tool, and in modes without dot values.
#[inline]
pub fn get_dotvalue<T: Real>(x: &T) -> T {
    let mut dot = T::ZERO;
    get_dotvalues(core::slice::from_ref(x), core::slice::from_mut(&mut dot));
    dot
}

/// Set the dot values of all elements of `x`, and tell whether a tool took them.
///
/// # Panics
/// If the lengths differ.
#[inline]
pub fn set_dotvalues<T: Real>(x: &mut [T], dots: &[T]) -> bool {
    assert_eq!(x.len(), dots.len(), "each element needs a dot value");
    let arguments =
        [x.as_mut_ptr().expose_provenance(), dots.as_ptr().expose_provenance(), size_of_val(dots), 0, 0];
    // SAFETY: both addresses are valid for the size given. The request reads the dot values and does not change `x`.
    unsafe { request(SET_DOTVALUE, arguments, 0) == 1 }
}

/// Write the dot values of all elements of `x` to `dots`, and tell whether a tool did so.
///
/// If none did, `dots` holds zeros.
///
/// ```
/// let mut x = [1.0_f64, 2.0, 4.0];
/// let seen = derivgrind::set_dotvalues(&mut x, &[1.0, 0.0, 2.0]);
/// let half = x.map(|x| 0.5 * x);
/// let mut dots = [0.0; 3];
/// derivgrind::get_dotvalues(&half, &mut dots);
/// assert_eq!(dots, if seen { [0.5, 0.0, 1.0] } else { [0.0; 3] });
/// ```
///
/// # Panics
/// If the lengths differ.
#[inline]
pub fn get_dotvalues<T: Real>(x: &[T], dots: &mut [T]) -> bool {
    assert_eq!(x.len(), dots.len(), "each element has a dot value");
    dots.fill(T::ZERO);
    let arguments =
        [x.as_ptr().expose_provenance(), dots.as_mut_ptr().expose_provenance(), size_of_val(x), 0, 0];
    // SAFETY: both addresses are valid for the size given. The request writes floating-point values to `dots`.
    unsafe { request(GET_DOTVALUE, arguments, 0) == 1 }
}
