//! Arrays with any distance of their elements.

use crate::numbers::{Kind, Real};
use crate::status::{address, dg_status, Outcome};

/// Elements of an array in memory.
#[derive(Clone, Copy)]
pub struct Array {
    pub first: *mut u8,
    /// Bytes from one element to the next.
    pub stride: isize,
    pub length: usize,
    pub kind: Kind,
}

impl Array {
    /// An array as a caller describes it; its address may be null if it has no elements.
    pub fn new(first: *const u8, stride: isize, length: usize, kind: i32) -> Result<Array, dg_status> {
        let kind = Kind::from_number(kind)?;
        if length > 0 {
            address(first)?;
        }
        Ok(Array { first: first.cast_mut(), stride, length, kind })
    }

    /// One number.
    pub fn scalar(number: *const u8, kind: i32) -> Result<Array, dg_status> {
        Array::new(number, 0, 1, kind)
    }

    /// Bytes of the whole array if each byte is part of an element, in their order.
    pub fn bytes(self) -> Option<usize> {
        let contiguous = self.length == 1 || self.stride == self.kind.room() as isize;
        if contiguous && self.kind.is_dense() {
            self.length.checked_mul(self.kind.room())
        } else {
            None
        }
    }

    /// Addresses of real numbers: of an element, or of its real and imaginary part.
    pub fn reals(self) -> impl Iterator<Item = *mut u8> {
        let Array { first, stride, length, kind } = self;
        (0..length).flat_map(move |element| {
            let start = first.wrapping_offset((element as isize).wrapping_mul(stride));
            (0..kind.parts).map(move |part| start.wrapping_add(part * kind.real.room()))
        })
    }

    /// Do something with each real number, up to the first failure.
    pub fn each(self, mut work: impl FnMut(*mut u8, Real) -> Outcome) -> Outcome {
        for number in self.reals() {
            work(number, self.kind.real)?;
        }
        Ok(())
    }
}
