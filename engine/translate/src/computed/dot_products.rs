//! Sums of products, `dpps` and `dppd`, within each 128 bits: the upper half of the immediate says which products are
//! summed, the lower half which lanes get the sum.

use super::{Change, Machine, Operand, Real, Term};
use crate::rules::Element;
use alloc::vec::Vec;
use iced_x86::Instruction;

pub(super) fn changes(instruction: &Instruction, machine: &Machine, element: Element) -> Option<Vec<Change>> {
    let last = instruction.op_count() - 2;
    let (first, second) = (machine.operand(instruction, last - 1)?, machine.operand(instruction, last)?);
    let target = machine.operand(instruction, 0)?;
    let real = match element {
        Element::F32 => Real::Binary32,
        Element::F64 => Real::Binary64,
    };
    let lanes = 16 / real.size();
    let chosen = instruction.immediate8();
    let mut changes = Vec::new();
    for lane in 0..target.size / real.size() {
        let to = target.place.offset_by(lane * real.size());
        if chosen >> (lane % lanes) & 1 == 0 {
            changes.push(Change::Zero { to, size: real.size() });
            continue;
        }
        let group = lane / lanes * lanes;
        let mut terms = Vec::new();
        for factor in (group..group + lanes).filter(|factor| chosen >> (4 + factor % lanes) & 1 != 0) {
            terms.push(term(&first, &second, factor, real));
            terms.push(term(&second, &first, factor, real));
        }
        changes.push(Change::Linear { to, real, terms });
    }
    Some(changes)
}

/// The derivative of a product with respect to a lane of one factor.
fn term(of: &Operand, other: &Operand, lane: usize, real: Real) -> Term {
    let partial = match real {
        Real::Binary32 => f64::from(f32::from_bits(other.word32(lane))),
        _ => f64::from_bits(other.word64(lane)),
    };
    Term { from: of.place.offset_by(lane * real.size()), real, partial }
}
