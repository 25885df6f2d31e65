//! Shadows of 80-bit numbers: dot values of 80 bits, or indices of 64 bits with a mark behind them.
//!
//! Libraries take such numbers apart: they replace the two bytes with the exponent, or the eight of the significand,
//! by integers. What such a number is multiplied by by that can no longer be said from its shadow, part of which is
//! still there. It is noticed, since half a dot value is no normal number, and half an index has no mark: the shadow
//! is *torn*, and counts as lost where something is computed from it. Copies are not the place to notice it:
//! compilers copy numbers that have not been written yet.

use super::apply::{self, Surroundings};
use super::extended::{Extended, Unit};
use super::{ExtendedTerm, Real};
use crate::interface::Mode;
use crate::recording::TAG;
use alloc::vec::Vec;

/// What stands behind the index of an 80-bit number.
pub const INDEX_MARK: u16 = 0x7fe1;

/// The bytes of the shadow of an 80-bit number with this index.
pub fn marked(index: u64) -> [u8; 10] {
    let mut bytes = [0; 10];
    if index != 0 {
        bytes[..8].copy_from_slice(&index.to_le_bytes());
        bytes[8..].copy_from_slice(&INDEX_MARK.to_le_bytes());
    }
    bytes
}

/// A new shadow.
pub(super) struct Shadow {
    pub bytes: [u8; 10],
    /// Nothing has been lost.
    pub is_complete: bool,
}

/// The shadow of a sum.
pub(super) fn shadow(
    unit: &Unit,
    mode: Mode,
    real: Real,
    terms: &[ExtendedTerm],
    surroundings: &mut dyn Surroundings,
) -> Shadow {
    match mode {
        Mode::Forward => dot_value(unit, real, terms, surroundings),
        _ => index(unit, mode, real, terms, surroundings),
    }
}

fn dot_value(unit: &Unit, real: Real, terms: &[ExtendedTerm], surroundings: &dyn Surroundings) -> Shadow {
    let mut sum = Extended::ZERO;
    let mut is_complete = true;
    for term in terms {
        let mut bytes = [0; 10];
        surroundings.read(term.from, &mut bytes[..term.real.size()]);
        let [a, b, c, d, e, f, g, h, ..] = bytes;
        let dot = match term.real {
            Real::Binary32 => unit.from_binary32(f32::from_le_bytes([a, b, c, d])),
            Real::Binary64 => unit.from_binary64(f64::from_le_bytes([a, b, c, d, e, f, g, h])),
            Real::Extended => Extended(bytes),
            Real::Bfloat16 | Real::Binary16 => unreachable!("the x87 unit has no such numbers"),
        };
        if !dot.is_sound() {
            is_complete = false;
        } else if !dot.is_zero() {
            sum = unit.sum(sum, unit.product(term.partial, dot));
        }
    }
    let mut bytes = [0; 10];
    match real {
        _ if sum.is_zero() => {}
        Real::Binary32 => bytes[..4].copy_from_slice(&unit.to_binary32(sum).to_le_bytes()),
        Real::Binary64 => bytes[..8].copy_from_slice(&unit.to_binary64(sum).to_le_bytes()),
        Real::Extended => bytes = sum.0,
        Real::Bfloat16 | Real::Binary16 => unreachable!("the x87 unit has no such numbers"),
    }
    Shadow { bytes, is_complete }
}

fn index(
    unit: &Unit,
    mode: Mode,
    real: Real,
    terms: &[ExtendedTerm],
    surroundings: &mut dyn Surroundings,
) -> Shadow {
    let mut active = Vec::new();
    let mut is_complete = true;
    for term in terms {
        let mut bytes = [0; 10];
        surroundings.read(term.from, &mut bytes[..term.real.size()]);
        let [word @ .., _, _] = bytes;
        let index = match term.real {
            Real::Binary32 => u64::from_le_bytes(word) & !u64::from(TAG),
            _ => u64::from_le_bytes(word),
        };
        if term.real == Real::Extended && bytes != marked(index) {
            is_complete = false;
            continue;
        }
        let partial = unit.to_binary64(term.partial);
        if index != 0 && partial != 0.0 {
            active.push((index, partial));
        }
    }
    // A copy in another format is no operation, and goes on while recording is paused.
    let is_copy = matches!(terms, [term] if term.partial == Extended::ONE);
    let index = if is_copy || mode.records() { apply::sum(mode, &active, surroundings) } else { 0 };
    if real == Real::Extended {
        return Shadow { bytes: marked(index), is_complete };
    }
    let mut bytes = [0; 10];
    let written = apply::written(real, index);
    is_complete &= written.is_some();
    bytes[..8].copy_from_slice(&written.unwrap_or_default());
    Shadow { bytes, is_complete }
}
