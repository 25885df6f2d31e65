//! Shadow memory that a block has shown to be zero: no second test, no second store of zero.
//!
//! Unoptimised code loads the same variables from the stack again and again. A place stays proven until a register of
//! its address changes or something active is stored where it may lie.

use crate::emit::Memory;
use alloc::vec::Vec;

#[derive(Clone, Copy)]
struct Place {
    operand: Memory,
    size: usize,
}

/// More places cost more to search than they save.
const MOST: usize = 24;

#[derive(Default)]
pub(crate) struct Proven {
    places: Vec<Place>,
}

impl Proven {
    pub fn contains(&self, operand: Memory, size: usize) -> bool {
        self.places.iter().any(|place| {
            let distance = operand.displacement - place.operand.displacement;
            same_base(place.operand, operand) && distance >= 0 && distance as usize + size <= place.size
        })
    }

    pub fn add(&mut self, operand: Memory, size: usize) {
        if self.contains(operand, size) {
            return;
        }
        if self.places.len() == MOST {
            self.places.remove(0);
        }
        self.places.push(Place { operand, size });
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// These general registers were written.
    pub fn registers_changed(&mut self, written: u16) {
        let uses = |register: iced_x86::Register| {
            register != iced_x86::Register::None && written >> register.full_register().number() & 1 != 0
        };
        self.places.retain(|place| !uses(place.operand.base) && !uses(place.operand.index));
    }

    /// Something active was stored at `operand`, `None` if its address is not known.
    pub fn active_store(&mut self, operand: Option<(Memory, usize)>) {
        let Some((operand, size)) = operand else {
            self.places.clear();
            return;
        };
        self.places.retain(|place| {
            let distance = operand.displacement - place.operand.displacement;
            let disjoint = distance >= place.size as i64 || distance + size as i64 <= 0;
            same_base(place.operand, operand) && disjoint
        });
    }
}

/// Do the operands differ by their displacement alone?
pub(crate) fn same_base(one: Memory, other: Memory) -> bool {
    one.base == other.base && one.index == other.index && one.scale == other.scale
}
