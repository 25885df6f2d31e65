//! Values that the tape holds already: of client registers that have not changed since.
//!
//! A block often multiplies by, or divides by, the same register several times. Its value is in the payload of the
//! execution then, and another operation may refer to the same place. So the content of each client register has a
//! name, which copies share and every write replaces.
//!
//! Invariant: what is noted is stored by all ways through the block that reach a later instruction.

use crate::encodings::{Shape, Width};
use crate::evex_copies;
use crate::passive::is_write;
use crate::rules::{self, Element, Rule};
use crate::translate::Translator;
use alloc::vec::Vec;
use iced_x86::{EncodingKind, Instruction};

/// Client registers whose values are recorded as they are; the pieces of others go through memory.
const REGISTERS: usize = 16;

/// A part of a register, from bit 0 on: a copy of 128 bits need not be one of 256.
#[derive(Clone, Copy)]
enum Part {
    Low = 0,
    Whole = 1,
}

impl Part {
    fn of(shape: Shape) -> Part {
        if shape.width == Width::L256 {
            Part::Whole
        } else {
            Part::Low
        }
    }
}

struct Stored {
    name: u32,
    element: Element,
    lanes: u32,
    /// Offset in the payload.
    at: u32,
}

pub(crate) struct RecordedValues {
    /// Names of contents by part and register.
    names: [[u32; REGISTERS]; 2],
    next_name: u32,
    stored: Vec<Stored>,
}

impl Default for RecordedValues {
    fn default() -> RecordedValues {
        let first = core::array::from_fn(|number| number as u32);
        let names = [first, first.map(|name| name + REGISTERS as u32)];
        RecordedValues { names, next_name: 2 * REGISTERS as u32, stored: Vec::new() }
    }
}

impl RecordedValues {
    /// Where the payload holds the value of a client register.
    pub fn find(&self, shape: Shape, number: usize) -> Option<u32> {
        let name = self.name(shape, number)?;
        let fits = |stored: &&Stored| {
            stored.name == name && stored.element == shape.element && stored.lanes >= shape.lanes()
        };
        self.stored.iter().find(fits).map(|stored| stored.at)
    }

    /// The value of the client register is in the payload now.
    pub fn note(&mut self, shape: Shape, number: usize, at: u32) {
        if let Some(name) = self.name(shape, number) {
            self.stored.push(Stored { name, element: shape.element, lanes: shape.lanes(), at });
        }
    }

    fn name(&self, shape: Shape, number: usize) -> Option<u32> {
        self.names[Part::of(shape) as usize].get(number).copied()
    }

    fn written(&mut self, number: usize) {
        for names in &mut self.names {
            if let Some(name) = names.get_mut(number) {
                *name = self.next_name;
                self.next_name += 1;
            }
        }
    }

    fn copied(&mut self, to: usize, from: usize, part: Part) {
        self.written(to);
        for names in &mut self.names[..=part as usize] {
            if let (Some(name), true) = (names.get(from).copied(), to < REGISTERS) {
                names[to] = name;
            }
        }
    }
}

impl Translator<'_> {
    /// Takes note of what the instruction did to the client's vector registers.
    pub(crate) fn follow_values(&mut self, instruction: &Instruction) {
        let values = &mut self.recording.values;
        if evex_copies::copies_register(instruction) && instruction.encoding() != EncodingKind::EVEX {
            let (to, from) = (instruction.op0_register(), instruction.op1_register());
            let part = if to.is_ymm() { Part::Whole } else { Part::Low };
            values.copied(to.number(), from.number(), part);
            return;
        }
        if matches!(rules::rule(instruction), Rule::RestoreState | Rule::ZeroUpper | Rule::ZeroAll) {
            (0..REGISTERS).for_each(|number| values.written(number));
            return;
        }
        for used in self.info.info(instruction).used_registers() {
            if used.register().is_vector_register() && is_write(used.access()) {
                values.written(used.register().number());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALAR: Shape = Shape { element: Element::F64, width: Width::Scalar };
    const HALF: Shape = Shape { element: Element::F64, width: Width::L128 };
    const WHOLE: Shape = Shape { element: Element::F64, width: Width::L256 };

    #[test]
    fn copies_share_what_is_stored_until_they_change() {
        let mut values = RecordedValues::default();
        values.note(HALF, 3, 40);
        values.copied(1, 3, Part::Low);
        assert_eq!(values.find(SCALAR, 1), Some(40));
        assert_eq!(values.find(HALF, 1), Some(40));
        values.written(3);
        assert_eq!(values.find(HALF, 3), None);
        assert_eq!(values.find(HALF, 1), Some(40));
    }

    #[test]
    fn fewer_lanes_or_bits_than_wanted_are_not_taken() {
        let mut values = RecordedValues::default();
        values.note(SCALAR, 3, 40);
        values.note(WHOLE, 5, 80);
        values.copied(1, 5, Part::Low);
        values.copied(2, 5, Part::Whole);
        assert_eq!(values.find(HALF, 3), None);
        assert_eq!(values.find(Shape { element: Element::F32, ..SCALAR }, 3), None);
        assert_eq!(values.find(WHOLE, 1), None);
        assert_eq!(values.find(WHOLE, 2), Some(80));
        assert_eq!(values.find(SCALAR, 20), None);
    }
}
