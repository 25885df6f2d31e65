//! Shadow memory that a block has shown to be zero: no second test, no second store of zero.
//!
//! Unoptimised code loads the same variables from the stack again and again. A place stays proven until a register of
//! its address changes or something active is stored where it may lie. Where a constant is added to such a register,
//! the place is known by another displacement.

use crate::emit::Memory;
use alloc::vec::Vec;
use iced_x86::{Instruction, Mnemonic, OpKind, Register};

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
        let uses = |register: Register| {
            register != Register::None && written >> register.full_register().number() & 1 != 0
        };
        self.places.retain(|place| !uses(place.operand.base) && !uses(place.operand.index));
    }

    /// A constant was added to this register, see [`step`].
    pub fn register_moved(&mut self, register: Register, distance: i64) {
        self.places.retain_mut(|place| match moved(place.operand, register, distance) {
            Some(operand) => {
                place.operand = operand;
                true
            }
            None => false,
        });
    }

    /// Something active was stored at `operand`, `None` if its address is not known.
    pub fn active_store(&mut self, operand: Option<(Memory, usize)>) {
        let Some((operand, size)) = operand else {
            self.places.clear();
            return;
        };
        self.places.retain(|place| are_disjoint((place.operand, place.size), (operand, size)));
    }
}

/// Do the operands differ by their displacement alone?
pub(crate) fn same_base(one: Memory, other: Memory) -> bool {
    one.base == other.base && one.index == other.index && one.scale == other.scale
}

/// Have two operands, each with its size, surely no byte in common?
pub(crate) fn are_disjoint(one: (Memory, usize), other: (Memory, usize)) -> bool {
    let distance = other.0.displacement - one.0.displacement;
    same_base(one.0, other.0) && (distance >= one.1 as i64 || distance + other.1 as i64 <= 0)
}

/// Register and constant of an instruction that does nothing but add the one to the other.
pub(crate) fn step(instruction: &Instruction) -> Option<(Register, i64)> {
    if instruction.op_count() == 0 || !instruction.op0_register().is_gpr64() {
        return None;
    }
    let register = instruction.op0_register();
    let immediate = instruction.op_count() == 2
        && matches!(instruction.op1_kind(), OpKind::Immediate8to64 | OpKind::Immediate32to64);
    let distance = match instruction.mnemonic() {
        Mnemonic::Add if immediate => instruction.immediate(1) as i64,
        Mnemonic::Sub if immediate => -(instruction.immediate(1) as i64),
        Mnemonic::Inc => 1,
        Mnemonic::Dec => -1,
        Mnemonic::Lea if displaces(instruction, register) => instruction.memory_displacement64() as i64,
        _ => return None,
    };
    Some((register, distance))
}

/// `lea register, [register + displacement]`
fn displaces(instruction: &Instruction, register: Register) -> bool {
    instruction.memory_base() == register && instruction.memory_index() == Register::None
}

/// The operand for the same address after `distance` was added to `register`; `None` if there is none.
pub(crate) fn moved(operand: Memory, register: Register, distance: i64) -> Option<Memory> {
    let mut displacement = operand.displacement;
    if operand.base == register {
        displacement -= distance;
    }
    if operand.index == register {
        displacement -= distance * i64::from(operand.scale);
    }
    (displacement == i64::from(displacement as i32)).then_some(Memory { displacement, ..operand })
}
