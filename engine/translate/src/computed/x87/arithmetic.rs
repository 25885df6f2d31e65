//! The four operations, between two numbers of the stack or with one in memory.

use super::{number_of, Change, Extended, ExtendedTerm, Real, Stack, Unit};
use crate::rules::Binary;
use alloc::vec;
use alloc::vec::Vec;
use iced_x86::{Instruction, MemorySize, OpKind};

/// The first operand is the target unless the operation is `reversed`.
pub(super) fn changes(
    unit: &Unit,
    instruction: &Instruction,
    stack: &Stack,
    operation: Binary,
    reversed: bool,
) -> Vec<Change> {
    let (target, other) = if instruction.op0_kind() == OpKind::Memory {
        let Some(other) = stack.memory(instruction, unit) else { return Vec::new() };
        (0, other)
    } else {
        let (target, other) = (instruction.op0_register().number(), number_of(instruction));
        (target, (stack.value(other), stack.place(other), Real::Extended))
    };
    let to = stack.place(target);
    let (value, from, real) = other;
    let (partial, other_partial) = if reversed {
        let (first, second) = partials(unit, operation, value, stack.value(target));
        (second, first)
    } else {
        partials(unit, operation, stack.value(target), value)
    };
    let mut terms = vec![ExtendedTerm { from: to, real: Real::Extended, partial }];
    let is_integer = matches!(instruction.memory_size(), MemorySize::Int16 | MemorySize::Int32);
    if !is_integer {
        terms.push(ExtendedTerm { from, real, partial: other_partial });
    }
    let mut changes = vec![Change::Extended { to, real: Real::Extended, terms }];
    if is_integer {
        changes.push(Change::Lose { from, size: instruction.memory_size().size() });
    }
    changes
}

fn partials(unit: &Unit, operation: Binary, first: Extended, second: Extended) -> (Extended, Extended) {
    let one = Extended::ONE;
    match operation {
        Binary::Add => (one, one),
        Binary::Subtract => (one, one.negated()),
        Binary::Multiply => (second, first),
        _ => {
            let quotient = unit.quotient(first, second);
            (unit.quotient(one, second), unit.quotient(quotient, second).negated())
        }
    }
}
