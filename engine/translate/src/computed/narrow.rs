//! Numbers of two bytes: formats of values and dot values, conversions, and their products.

use super::wide::Operation;
use super::{Change, Machine, Place, Real, Term};
use crate::rules::Lanes;
use crate::wide_operations::WideShape;
use alloc::vec::Vec;
use half::{bf16, f16};
use iced_x86::Instruction;

/// The number with these bits.
pub(super) fn value(real: Real, bits: u16) -> f64 {
    match real {
        Real::Bfloat16 => bf16::from_bits(bits).to_f64(),
        _ => f16::from_bits(bits).to_f64(),
    }
}

/// Bits of the nearest number of the format.
pub(super) fn nearest(real: Real, value: f64) -> u16 {
    // The library looks at the upper half alone: what the lower half has goes into its last bit, as ties need to know
    // it.
    let (upper, lower) = (value.to_bits() >> 32, value.to_bits() as u32);
    let value = f64::from_bits((upper | u64::from(lower != 0)) << 32);
    match real {
        Real::Bfloat16 => bf16::from_f64(value).to_bits(),
        _ => f16::from_f64(value).to_bits(),
    }
}

/// Is a number that is neither zero nor infinite neither in the format?
pub(super) fn has_room(real: Real, number: f64) -> bool {
    let narrow = value(real, nearest(real, number));
    number == 0.0 || !number.is_finite() || narrow != 0.0 && narrow.is_finite()
}

/// One lane of the result is one number, in another format.
fn copied(operation: &Operation, to: (usize, Real), from: (u32, usize, Real)) -> Option<Vec<Change>> {
    let place = operation.place(0, to.0, to.1.size())?;
    let (_, term) = operation.real(from.0, from.1, from.2)?;
    Some(alloc::vec![Change::Linear { to: place, real: to.1, terms: alloc::vec![term] }])
}

pub(super) fn converted(
    instruction: &Instruction,
    machine: &Machine,
    from: Real,
    to: Real,
    lanes: Lanes,
) -> Option<Vec<Change>> {
    let operation = Operation { instruction, machine };
    let operand = if lanes == Lanes::Scalar { 2 } else { 1 };
    let lane = |number| copied(&operation, (number, to), (operand, number, from));
    if lanes == Lanes::Packed && to.size() < from.size() {
        return operation.by_shorter_lanes([from.size(), to.size()], lane);
    }
    operation.by_lanes(WideShape::new(instruction, to.size(), lanes), lane)
}

/// The lower half of the result comes from the second source.
pub(super) fn converted_pair(instruction: &Instruction, machine: &Machine) -> Option<Vec<Change>> {
    let operation = Operation { instruction, machine };
    let shape = WideShape::new(instruction, Real::Bfloat16.size(), Lanes::Packed);
    let half = shape.register_bytes() / 4;
    operation.by_lanes(shape, |number| {
        let operand = if number < half { 2 } else { 1 };
        copied(&operation, (number, Real::Bfloat16), (operand, number % half, Real::Binary32))
    })
}

/// A binary32 plus the products of two pairs of bfloat16.
pub(super) fn sum_of_products(instruction: &Instruction, machine: &Machine) -> Option<Vec<Change>> {
    let operation = Operation { instruction, machine };
    let shape = WideShape::new(instruction, Real::Binary32.size(), Lanes::Packed);
    operation.by_lanes(shape, |number| {
        let mut terms = alloc::vec![operation.real(0, number, Real::Binary32)?.1];
        for part in 0..2 {
            let [one, other] =
                [1, 2].map(|operand| pair_part(&operation, operand, number, part, Real::Bfloat16));
            let ((value, term), (other_value, other_term)) = (one?, other?);
            terms.push(Term { partial: other_value, ..term });
            terms.push(Term { partial: value, ..other_term });
        }
        let to = operation.place(0, number, Real::Binary32.size())?;
        Some(alloc::vec![Change::Linear { to, real: Real::Binary32, terms }])
    })
}

/// Products of complex numbers, of which each lane is one.
pub(super) fn complex_product(
    instruction: &Instruction,
    machine: &Machine,
    conjugates: bool,
    adds: bool,
    lanes: Lanes,
) -> Option<Vec<Change>> {
    let operation = Operation { instruction, machine };
    let real = Real::Binary16;
    let sign = if conjugates { -1.0 } else { 1.0 };
    operation.by_lanes(WideShape::new(instruction, 2 * real.size(), lanes), |number| {
        let part = |operand, part| pair_part(&operation, operand, number, part, real);
        let [(a, of_a), (b, of_b)] = [part(1, 0)?, part(1, 1)?];
        let [(c, of_c), (d, of_d)] = [part(2, 0)?, part(2, 1)?];
        let times = |term: Term, partial: f64| Term { partial, ..term };
        // (a + b i) (c + d i) = a c - b d + (b c + a d) i
        let products = [
            [times(of_a, c), times(of_c, a), times(of_b, -sign * d), times(of_d, -sign * b)],
            [times(of_b, c), times(of_c, b), times(of_a, sign * d), times(of_d, sign * a)],
        ];
        let mut changes = Vec::new();
        for (half, product) in products.into_iter().enumerate() {
            let mut terms = product.to_vec();
            if adds {
                terms.push(part(0, half)?.1);
            }
            let to = operation.place(0, number, 4)?.offset_by(2 * half);
            changes.push(Change::Linear { to, real, terms });
        }
        Some(changes)
    })
}

/// A number of a pair; what is broadcast is a pair.
fn pair_part(
    operation: &Operation,
    operand: u32,
    pair: usize,
    part: usize,
    real: Real,
) -> Option<(f64, Term)> {
    let from: Place = operation.place(operand, pair, 4)?.offset_by(2 * part);
    let value = value(real, operation.bits(from, 2)? as u16);
    Some((value, Term { from, real, partial: 1.0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_just_above_a_tie_is_rounded_up() {
        let tie = 1.0 + 2f64.powi(-11);
        assert_eq!(nearest(Real::Binary16, tie), 0x3c00);
        assert_eq!(nearest(Real::Binary16, tie + f64::EPSILON), 0x3c01);
    }

    #[test]
    fn what_has_no_room_is_noticed() {
        for real in [Real::Binary16, Real::Bfloat16] {
            assert_eq!(value(real, nearest(real, -1.5)), -1.5);
            assert!([0.0, 1.5, 3e4, f64::INFINITY, f64::NAN]
                .into_iter()
                .all(|number| has_room(real, number)));
            assert!(!has_room(real, 1e300));
            assert!(!has_room(real, -1e-300));
        }
        assert!(!has_room(Real::Binary16, 1e5));
        assert!(has_room(Real::Bfloat16, 1e5));
    }
}
