//! Forward mode: dot values.

use crate::arrays::Array;
use crate::numbers::Real;
use crate::status::{address, code, require, serve, Outcome, FORWARD};
use client::requests::{GET_DOTVALUE, SET_DOTVALUE};
use core::ffi::c_void;

/// Set the dot value of the number at `x` from a number of the same type at `dot`.
///
/// # Safety
/// Both addresses must be those of such numbers.
#[no_mangle]
pub unsafe extern "C" fn dg_set_dotvalue(x: *mut c_void, dot: *const c_void, number_type: i32) -> i32 {
    // SAFETY: the caller vouches for the addresses.
    unsafe { dg_set_dotvalues(x, 0, dot, 0, 1, number_type) }
}

/// Write the dot value of the number at `x` to a number of the same type at `dot`.
///
/// # Safety
/// Both addresses must be those of such numbers.
#[no_mangle]
pub unsafe extern "C" fn dg_get_dotvalue(x: *const c_void, dot: *mut c_void, number_type: i32) -> i32 {
    // SAFETY: the caller vouches for the addresses.
    unsafe { dg_get_dotvalues(x, 0, dot, 0, 1, number_type) }
}

/// Set the dot values of `length` numbers, the first at `x` and each `x_stride` bytes behind the one before, from numbers
/// of the same type at `dots`, which are `dots_stride` bytes apart.
///
/// # Safety
/// All addresses that are described must be those of such numbers.
#[no_mangle]
pub unsafe extern "C" fn dg_set_dotvalues(
    x: *mut c_void,
    x_stride: isize,
    dots: *const c_void,
    dots_stride: isize,
    length: usize,
    number_type: i32,
) -> i32 {
    let both = Both::new(x.cast(), x_stride, dots.cast(), dots_stride, length, number_type);
    // SAFETY: the caller vouches for the addresses.
    code(both.and_then(|both| unsafe { both.request(SET_DOTVALUE) }))
}

/// Write the dot values of `length` numbers, the first at `x` and each `x_stride` bytes behind the one before, to numbers
/// of the same type at `dots`, which are `dots_stride` bytes apart.
///
/// # Safety
/// All addresses that are described must be those of such numbers.
#[no_mangle]
pub unsafe extern "C" fn dg_get_dotvalues(
    x: *const c_void,
    x_stride: isize,
    dots: *mut c_void,
    dots_stride: isize,
    length: usize,
    number_type: i32,
) -> i32 {
    let both = Both::new(x.cast(), x_stride, dots.cast(), dots_stride, length, number_type);
    // SAFETY: the caller vouches for the addresses.
    code(both.and_then(|both| unsafe { both.request(GET_DOTVALUE) }))
}

/// Numbers and their dot values.
struct Both {
    numbers: Array,
    dots: Array,
}

impl Both {
    fn new(
        x: *const u8,
        x_stride: isize,
        dots: *const u8,
        dots_stride: isize,
        length: usize,
        number_type: i32,
    ) -> Result<Both, crate::status::dg_status> {
        let numbers = Array::new(x, x_stride, length, number_type)?;
        let dots = Array::new(dots, dots_stride, length, number_type)?;
        Ok(Both { numbers, dots })
    }

    /// One request for everything if there are no gaps, else one for each number.
    ///
    /// # Safety
    /// Both arrays are valid.
    unsafe fn request(self, request: u32) -> Outcome {
        let send = |x: *mut u8, dot: *mut u8, size: usize| {
            let arguments = [address(x)?, address(dot)?, size, 0, 0];
            // SAFETY: the caller vouches for the addresses.
            unsafe { serve(request, arguments, FORWARD) }
        };
        if self.numbers.length == 0 {
            return require(FORWARD);
        }
        if let (Some(bytes), Some(_)) = (self.numbers.bytes(), self.dots.bytes()) {
            return send(self.numbers.first, self.dots.first, bytes);
        }
        let mut dots = self.dots.reals();
        self.numbers.each(|number, real: Real| match dots.next() {
            Some(dot) => send(number, dot, real.size()),
            None => Ok(()),
        })
    }
}
