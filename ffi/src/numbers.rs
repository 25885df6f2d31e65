//! Types of numbers.

use crate::status::dg_status;

/// The type of a number.
#[allow(non_camel_case_types)] // Names of the C header.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum dg_type {
    /// C `float`, Fortran `real(4)`: binary32.
    DG_FLOAT = 0,
    /// C `double`, Fortran `real(8)`: binary64.
    DG_DOUBLE = 1,
    /// C `long double`, Fortran `real(10)`: 10 bytes in a place of 16.
    DG_LONG_DOUBLE = 2,
    /// Real and imaginary part of type float.
    DG_COMPLEX_FLOAT = 3,
    /// Real and imaginary part of type double.
    DG_COMPLEX_DOUBLE = 4,
    /// Real and imaginary part of type long double.
    DG_COMPLEX_LONG_DOUBLE = 5,
}

/// A real type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Real {
    Float,
    Double,
    Extended,
}

impl Real {
    /// Bytes that have a meaning.
    pub fn size(self) -> usize {
        match self {
            Real::Float => 4,
            Real::Double => 8,
            Real::Extended => 10,
        }
    }

    /// Bytes from one part of a complex number to the next.
    pub fn room(self) -> usize {
        match self {
            Real::Extended => 16,
            _ => self.size(),
        }
    }

    /// The value of a number, rounded.
    ///
    /// # Safety
    /// There is such a number at the address.
    pub unsafe fn value(self, number: *const u8) -> f64 {
        // SAFETY: the caller vouches for the address.
        unsafe {
            match self {
                Real::Float => f64::from(number.cast::<f32>().read_unaligned()),
                Real::Double => number.cast::<f64>().read_unaligned(),
                Real::Extended => rounded(number),
            }
        }
    }
}

/// An 80-bit number as a binary64.
///
/// # Safety
/// There is an 80-bit number at the address.
#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
unsafe fn rounded(number: *const u8) -> f64 {
    let mut value = 0f64;
    // SAFETY: the unit's stack is empty at the call of a function, and is so afterwards.
    unsafe {
        core::arch::asm!(
            "fld tbyte ptr [{number}]",
            "fstp qword ptr [{value}]",
            number = in(reg) number,
            value = in(reg) &mut value,
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
            out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
            options(nostack),
        );
    }
    value
}

/// There is no tool for other architectures, so that nobody asks for the value.
#[cfg(not(any(target_arch = "x86_64", target_arch = "x86")))]
unsafe fn rounded(_number: *const u8) -> f64 {
    0.0
}

/// What a number is made of.
#[derive(Clone, Copy)]
pub struct Kind {
    pub real: Real,
    /// 2 for a complex number.
    pub parts: usize,
}

impl Kind {
    /// The kind with the number of a [`dg_type`].
    pub fn from_number(number: i32) -> Result<Kind, dg_status> {
        const TYPES: [(dg_type, Real, usize); 6] = [
            (dg_type::DG_FLOAT, Real::Float, 1),
            (dg_type::DG_DOUBLE, Real::Double, 1),
            (dg_type::DG_LONG_DOUBLE, Real::Extended, 1),
            (dg_type::DG_COMPLEX_FLOAT, Real::Float, 2),
            (dg_type::DG_COMPLEX_DOUBLE, Real::Double, 2),
            (dg_type::DG_COMPLEX_LONG_DOUBLE, Real::Extended, 2),
        ];
        let found = TYPES.iter().find(|(kind, ..)| *kind as i32 == number);
        found.map(|(_, real, parts)| Kind { real: *real, parts: *parts }).ok_or(dg_status::DG_UNKNOWN_NUMBER)
    }

    /// Bytes of a number in an array without gaps.
    pub fn room(self) -> usize {
        self.parts * self.real.room()
    }

    /// Is every byte of an array without gaps part of a number?
    pub fn is_dense(self) -> bool {
        self.real != Real::Extended
    }
}
