//! Rules of x87 and MMX instructions.
//!
//! The shadow of a register is kept with the physical register, whatever the top of the stack is: pushes, pops and
//! `fincstp` move no shadow, and an MMX register has the same place as the x87 register it is a part of. What is
//! popped becomes passive, so that nothing is active behind the last active number. The top of the stack is known
//! here, where the instruction is about to be executed.

mod arithmetic;
mod functions;
mod images;
mod mmx;

use super::extended::{Extended, Unit};
use super::{Change, ExtendedTerm, Machine, Place, Real};
use crate::rules::X87;
use alloc::vec;
use alloc::vec::Vec;
use iced_x86::{Instruction, MemorySize, Mnemonic, OpKind, Register};
pub(super) use images::{restored, saved};
pub(super) use mmx::changes as mmx_changes;

/// Bytes of a number, and of the place of its shadow.
pub(crate) const NUMBER: usize = 10;
/// Registers of the stack.
const REGISTERS: usize = 8;

/// What an instruction with this rule does to shadows, complete: also what it overwrites.
pub(super) fn changes(
    unit: &Unit,
    instruction: &Instruction,
    machine: &Machine,
    operation: X87,
    pops: u8,
) -> Vec<Change> {
    let stack = Stack { machine, top: machine.x87.top() };
    let mut changes = match operation {
        X87::Load => load(instruction, &stack),
        X87::LoadInteger => stack.load_integer(instruction),
        X87::LoadConstant => vec![zero(stack.pushed())],
        X87::Store => store(instruction, &stack),
        X87::StoreInteger => stack.overwrite_memory(instruction),
        X87::Compare | X87::Round => Vec::new(),
        X87::Exchange => exchange(instruction, &stack),
        X87::ConditionalMove => conditional_move(instruction, &stack),
        X87::Binary(operation) => arithmetic::changes(unit, instruction, &stack, operation, false),
        X87::Reversed(operation) => arithmetic::changes(unit, instruction, &stack, operation, true),
        X87::Function(function) => functions::changes(unit, &stack, function),
        X87::Free => vec![zero(stack.place(number_of(instruction)))],
        X87::Clear => (0..REGISTERS).map(|number| zero(stack.place(number))).collect(),
        X87::Save => images::saved_alone(instruction, machine),
        X87::Restore => images::restored_alone(instruction, machine),
    };
    if operation == X87::Round {
        changes.push(zero(stack.place(0)));
    }
    changes.extend((0..usize::from(pops)).map(|number| zero(stack.place(number))));
    changes
}

/// The numbers in front of the instruction, and the places of their shadows.
struct Stack<'a> {
    machine: &'a Machine<'a>,
    top: usize,
}

impl Stack<'_> {
    /// Where the shadow of st(`number`) is.
    fn place(&self, number: usize) -> Place {
        physical(self.top + number)
    }

    /// Where the shadow of a number is that is pushed next.
    fn pushed(&self) -> Place {
        physical(self.top + REGISTERS - 1)
    }

    fn value(&self, number: usize) -> Extended {
        self.machine.x87.number(number)
    }

    /// Value, place and type of the instruction's memory operand. `None` if it cannot be read.
    fn memory(&self, instruction: &Instruction, unit: &Unit) -> Option<(Extended, Place, Real)> {
        let operand = self.machine.operand(instruction, 0)?;
        let integer = |bits: u32| (operand.word64(0) << (64 - bits)) as i64 >> (64 - bits);
        Some(match instruction.memory_size() {
            MemorySize::Float32 => {
                let value = unit.from_binary32(f32::from_bits(operand.word32(0)));
                (value, operand.place, Real::Binary32)
            }
            MemorySize::Float64 => {
                let value = unit.from_binary64(f64::from_bits(operand.word64(0)));
                (value, operand.place, Real::Binary64)
            }
            MemorySize::Int16 => (unit.from_integer(integer(16)), operand.place, Real::Binary32),
            MemorySize::Int32 => (unit.from_integer(integer(32)), operand.place, Real::Binary32),
            _ => return None,
        })
    }

    fn load_integer(&self, instruction: &Instruction) -> Vec<Change> {
        let mut changes = vec![zero(self.pushed())];
        if let Some(operand) = self.machine.operand(instruction, 0) {
            changes.push(Change::Lose { from: operand.place, size: operand.size });
        }
        changes
    }

    fn overwrite_memory(&self, instruction: &Instruction) -> Vec<Change> {
        let place = self.machine.address(instruction, 0).map(|address| Place::Memory { address });
        let size = instruction.memory_size().size();
        place.map(|to| Change::Zero { to, size }).into_iter().collect()
    }
}

/// Where the shadow of a physical register is.
fn physical(register: usize) -> Place {
    Place::X87 { register: register % REGISTERS, byte: 0 }
}

fn zero(to: Place) -> Change {
    Change::Zero { to, size: NUMBER }
}

fn copy(to: Place, from: Place) -> Change {
    Change::Copy { to, from, size: NUMBER }
}

/// The one number that the result is a multiple of.
fn multiple(to: Place, from: Place, partial: Extended) -> Change {
    let term = ExtendedTerm { from, real: Real::Extended, partial };
    Change::Extended { to, real: Real::Extended, terms: vec![term] }
}

/// A number in another format.
fn converted(to: Place, result: Real, from: Place, real: Real) -> Change {
    Change::Extended { to, real: result, terms: vec![ExtendedTerm { from, real, partial: Extended::ONE }] }
}

/// Which number of the stack the instruction names, as its last operand.
fn number_of(instruction: &Instruction) -> usize {
    let named = (0..instruction.op_count()).rev().map(|operand| instruction.op_register(operand));
    named.into_iter().find(|register| register.is_st()).map_or(0, Register::number)
}

/// Type of the memory operand; `None` if there is none.
fn memory_type(instruction: &Instruction) -> Option<Real> {
    if instruction.op0_kind() != OpKind::Memory {
        return None;
    }
    Some(match instruction.memory_size() {
        MemorySize::Float32 => Real::Binary32,
        MemorySize::Float64 => Real::Binary64,
        _ => Real::Extended,
    })
}

fn load(instruction: &Instruction, stack: &Stack) -> Vec<Change> {
    let to = stack.pushed();
    let Some(real) = memory_type(instruction) else {
        return vec![copy(to, stack.place(number_of(instruction)))];
    };
    let from = stack.machine.address(instruction, 0).map(|address| Place::Memory { address });
    let moved = from.map(|from| match real {
        Real::Extended => copy(to, from),
        _ => converted(to, Real::Extended, from, real),
    });
    vec![moved.unwrap_or(zero(to))]
}

fn store(instruction: &Instruction, stack: &Stack) -> Vec<Change> {
    let from = stack.place(0);
    let Some(real) = memory_type(instruction) else {
        return vec![copy(stack.place(number_of(instruction)), from)];
    };
    let to = stack.machine.address(instruction, 0).map(|address| Place::Memory { address });
    let moved = to.map(|to| match real {
        Real::Extended => copy(to, from),
        _ => converted(to, real, from, Real::Extended),
    });
    moved.into_iter().collect()
}

fn exchange(instruction: &Instruction, stack: &Stack) -> Vec<Change> {
    let (first, second) = (stack.place(0), stack.place(number_of(instruction)));
    vec![copy(first, second), copy(second, first)]
}

fn conditional_move(instruction: &Instruction, stack: &Stack) -> Vec<Change> {
    const CARRY: u64 = 1;
    const PARITY: u64 = 1 << 2;
    const ZERO: u64 = 1 << 6;
    let any = |flags: u64| stack.machine.flags & flags != 0;
    let moves = match instruction.mnemonic() {
        Mnemonic::Fcmovb => any(CARRY),
        Mnemonic::Fcmove => any(ZERO),
        Mnemonic::Fcmovbe => any(CARRY | ZERO),
        Mnemonic::Fcmovu => any(PARITY),
        Mnemonic::Fcmovnb => !any(CARRY),
        Mnemonic::Fcmovne => !any(ZERO),
        Mnemonic::Fcmovnbe => !any(CARRY | ZERO),
        _ => !any(PARITY),
    };
    let from = stack.place(number_of(instruction));
    moves.then(|| copy(stack.place(0), from)).into_iter().collect()
}
