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
    if matches!(operation, Binary::Add | Binary::Subtract) {
        let before = stack.value(target);
        let constant = if rounds(value, before) {
            Some(ExtendedTerm { from, real, partial: Extended::ONE })
        } else if rounds(before, value) {
            Some(ExtendedTerm { from: to, real: Real::Extended, partial: Extended::ONE })
        } else {
            None
        };
        if let Some(term) = constant {
            return vec![Change::Extended { to, real: Real::Extended, terms: vec![term] }];
        }
    }
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

/// Least k of `1.5 * 2^k` that is taken for a constant by which numbers are rounded, see [`crate::rounding`].
const LEAST: u16 = 51;
/// Bits of the fraction below which such a constant may have others set.
const LOW_BITS: u64 = 0xffff << 11 | 0x7ff;

/// Is the first addend of a sum a constant that rounds the second? Only its own derivative remains.
fn rounds(constant: Extended, number: Extended) -> bool {
    let (fraction, exponent, negative) = parts(constant);
    let (one, half) = (1 << 63, 3 << 62);
    let is_constant = match (fraction & !LOW_BITS, exponent.wrapping_sub(BIAS)) {
        (leading, 52 | 63) if !negative => leading == one || leading == half,
        (_, power) => fraction == half && (LEAST..BIAS).contains(&power),
    };
    is_constant && parts(number).1 < exponent
}

const BIAS: u16 = 0x3fff;

/// Significand, exponent and sign.
fn parts(number: Extended) -> (u64, u16, bool) {
    let [fraction @ .., low, high] = number.0;
    let top = u16::from_le_bytes([low, high]);
    (u64::from_le_bytes(fraction), top & 0x7fff, top >> 15 != 0)
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
