//! The real numbers of an array of any rank and strides, by their addresses.

/// Numbers of one type at regular distances; a complex number is two of them, along an axis of its own.
#[derive(Clone, Debug)]
pub struct Elements {
    /// Address of the first one, whose provenance is exposed.
    pub start: usize,
    /// Bytes of a number: 4, 8, or 16 for 80 bits with padding.
    pub size: usize,
    pub shape: Vec<usize>,
    /// Distances in bytes along each axis.
    pub strides: Vec<isize>,
}

impl Elements {
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether they follow each other without gaps, in the order of [`Elements::addresses`].
    pub fn is_contiguous(&self) -> bool {
        let mut expected = self.size as isize;
        for (length, stride) in self.shape.iter().zip(&self.strides).rev() {
            if *length != 1 && *stride != expected {
                return false;
            }
            expected *= *length as isize;
        }
        true
    }

    /// Their addresses, the last axis first: the order of `numpy.ravel`.
    pub fn addresses(&self) -> Addresses<'_> {
        Addresses {
            elements: self,
            position: vec![0; self.shape.len()],
            address: self.start,
            rest: self.count(),
        }
    }
}

/// Iterates over the addresses of elements.
pub struct Addresses<'a> {
    elements: &'a Elements,
    /// Along each axis.
    position: Vec<usize>,
    address: usize,
    /// How many are still to come.
    rest: usize,
}

impl Iterator for Addresses<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.rest = self.rest.checked_sub(1)?;
        let address = self.address;
        for axis in (0..self.position.len()).rev() {
            let stride = self.elements.strides[axis];
            self.position[axis] += 1;
            self.address = self.address.wrapping_add_signed(stride);
            if self.position[axis] < self.elements.shape[axis] {
                break;
            }
            let back = stride.wrapping_mul(self.position[axis] as isize);
            self.address = self.address.wrapping_add_signed(back.wrapping_neg());
            self.position[axis] = 0;
        }
        Some(address)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rest, Some(self.rest))
    }
}
