//! Values that the tape holds already: of client registers that have not changed since.
//!
//! A block often multiplies by, or divides by, the same register several times. Its value is in the payload of the
//! execution then, and another operation may refer to the same place.
//!
//! Invariant: what is noted is stored by all ways through the block that reach a later instruction.

use crate::contents::Contents;
use crate::encodings::Shape;
use crate::rules::Element;
use alloc::vec::Vec;

struct Stored {
    name: u32,
    element: Element,
    lanes: u32,
    /// Offset in the payload.
    at: u32,
}

#[derive(Default)]
pub(crate) struct RecordedValues {
    pub contents: Contents,
    stored: Vec<Stored>,
}

impl RecordedValues {
    /// Where the payload holds the value of a client register.
    pub fn find(&self, shape: Shape, number: usize) -> Option<u32> {
        let name = self.contents.name(shape, number)?;
        let fits = |stored: &&Stored| {
            stored.name == name && stored.element == shape.element && stored.lanes >= shape.lanes()
        };
        self.stored.iter().find(fits).map(|stored| stored.at)
    }

    /// The value of the client register is in the payload now.
    pub fn note(&mut self, shape: Shape, number: usize, at: u32) {
        if let Some(name) = self.contents.name(shape, number) {
            self.stored.push(Stored { name, element: shape.element, lanes: shape.lanes(), at });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents::Part;
    use crate::encodings::Width;

    const SCALAR: Shape = Shape { element: Element::F64, width: Width::Scalar };
    const HALF: Shape = Shape { element: Element::F64, width: Width::L128 };
    const WHOLE: Shape = Shape { element: Element::F64, width: Width::L256 };

    #[test]
    fn copies_share_what_is_stored_until_they_change() {
        let mut values = RecordedValues::default();
        values.note(HALF, 3, 40);
        values.contents.copied(1, 3, Part::Low);
        assert_eq!(values.find(SCALAR, 1), Some(40));
        assert_eq!(values.find(HALF, 1), Some(40));
        values.contents.written(3);
        assert_eq!(values.find(HALF, 3), None);
        assert_eq!(values.find(HALF, 1), Some(40));
    }

    #[test]
    fn fewer_lanes_or_bits_than_wanted_are_not_taken() {
        let mut values = RecordedValues::default();
        values.note(SCALAR, 3, 40);
        values.note(WHOLE, 5, 80);
        values.contents.copied(1, 5, Part::Low);
        values.contents.copied(2, 5, Part::Whole);
        assert_eq!(values.find(HALF, 3), None);
        assert_eq!(values.find(Shape { element: Element::F32, ..SCALAR }, 3), None);
        assert_eq!(values.find(WHOLE, 1), None);
        assert_eq!(values.find(WHOLE, 2), Some(80));
        assert_eq!(values.find(SCALAR, 20), None);
    }
}
