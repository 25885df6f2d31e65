//! The upper part of a number in memory is written by an integer instruction.
//!
//! While indices are followed it looks passive, since the index of a binary64 is in the lower half of its shadow, and
//! would stay as it is. A dot value would lose its exponent. The values before and after tell what has happened to the
//! number: another sign or another exponent is a factor. If its fraction is another one, too, nothing is known, and it
//! is counted. The mark behind the index of an 80-bit number is in the bytes with its sign, the highest bit of the
//! index of a binary32 in that with its own; there signs are understood.
//!
//! Translated code asks for this where [`crate::upper_parts`] has found such an instruction.

use super::super::extended::Extended;
use super::super::extended_shadows::marked;
use super::super::{Change, ExtendedTerm, Place, Real, Term, UPPER_HALF};
use super::meaning::{Kind, Scale};
use super::word::{Target, Word};
use super::Seen;
use crate::recording::TAG;
use alloc::vec::Vec;

/// An operand that is written: the value before, what is stored or combined with it, and the value after.
pub(super) struct Written {
    pub target: Target,
    pub before: Word,
    pub source: Word,
    pub after: u64,
    /// Does the instruction store the source as it is?
    pub is_copy: bool,
}

/// What happens to the number whose upper part is written; `None` if there is no such number.
pub(super) fn changes(seen: &Seen, written: &Written) -> Option<Vec<Change>> {
    let Place::Memory { address } = written.target.place else { return None };
    if written.target.size == 8 {
        return None;
    }
    if !seen.has_indices() {
        let is_replaced = written.is_copy && !written.source.is_active();
        return is_replaced.then(|| binary64(seen, written, address)).flatten();
    }
    extended(seen, written, address)
        .or_else(|| binary32(seen, written, address))
        .or_else(|| binary64(seen, written, address))
}

/// Its sign alone.
fn binary32(seen: &Seen, written: &Written, address: u64) -> Option<Vec<Change>> {
    let Target { size, .. } = written.target;
    let highest = 1 << (8 * size - 1);
    let changes = written.before.value ^ written.after;
    if size > 2 || changes & !highest != 0 || written.source.is_active() || seen.mode.has_wide_indices() {
        return None;
    }
    let to = Place::Memory { address: address.wrapping_sub(4 - size as u64) };
    let is_number = seen.word_at(to, 0, 4).shadow & u64::from(TAG) != 0;
    let (real, partial) = (Real::Binary32, if changes == 0 { 1.0 } else { -1.0 });
    let terms = alloc::vec![Term { from: to, real, partial }];
    is_number.then(|| alloc::vec![Change::Linear { to, real, terms }])
}

fn extended(seen: &Seen, written: &Written, address: u64) -> Option<Vec<Change>> {
    let Target { size, .. } = written.target;
    let highest = 1 << (8 * size - 1);
    let changes = written.before.value ^ written.after;
    if size > 2 || changes & !highest != 0 || written.source.is_active() {
        return None;
    }
    let start = Place::Memory { address: address.wrapping_sub(10 - size as u64) };
    let mut shadow = [0; 10];
    (seen.shadow)(start, &mut shadow);
    let [index @ .., _, _] = shadow;
    let index = u64::from_le_bytes(index);
    if index == 0 || shadow != marked(index) {
        return None;
    }
    let partial = if changes == 0 { Extended::ONE } else { Extended::ONE.negated() };
    let real = Real::Extended;
    Some(alloc::vec![Change::Extended {
        to: start,
        real,
        terms: alloc::vec![ExtendedTerm { from: start, real, partial }],
    }])
}

fn binary64(seen: &Seen, written: &Written, address: u64) -> Option<Vec<Change>> {
    let Written { target, source, .. } = written;
    let distance = 8 - target.size as u64;
    let start = address.wrapping_sub(distance);
    let to = Place::Memory { address: start };
    let mut value = [0; 8];
    if !(seen.machine.read)(start, &mut value) {
        return None;
    }
    let before = u64::from_le_bytes(value);
    let shadow = seen.word_at(to, before, 8).shadow;
    let lower = shadow as u32;
    let is_active = match seen.has_indices() {
        true if seen.mode.has_wide_indices() => shadow != 0,
        true => lower != 0 && lower & (TAG | UPPER_HALF) == 0,
        // Else there is an integer beside a binary32.
        false => shadow >> 32 != 0,
    };
    if !is_active {
        return None;
    }
    if source.is_active() {
        let joins = written.is_copy && target.size == 4 && seen.is_upper_half(*source);
        let index = source.shadow as u32 & !UPPER_HALF;
        let set = Change::Set { to, bytes: index.to_le_bytes(), size: 4 };
        return joins.then(|| alloc::vec![target.cleared(), set]);
    }
    value[distance as usize..].copy_from_slice(&written.after.to_le_bytes()[..target.size]);
    let after = u64::from_le_bytes(value);
    let Some(partial) = factor(before, after) else {
        return Some(alloc::vec![Change::Lose { from: to, size: 8 }, Change::Zero { to, size: 8 }]);
    };
    let real = Real::Binary64;
    Some(alloc::vec![Change::Linear { to, real, terms: alloc::vec![Term { from: to, real, partial }] }])
}

/// The factor between two numbers that differ by sign and exponent alone.
fn factor(before: u64, after: u64) -> Option<f64> {
    const SIGN: u64 = 1 << 63;
    let kind = Kind::Binary64;
    let changes = before ^ after;
    if changes & !SIGN == 0 {
        return Some(if changes == 0 { 1.0 } else { -1.0 });
    }
    let is_normal = |word: u64| !matches!(word >> 52 & 0x7ff, 0 | 0x7ff);
    let is_scaled = changes & kind.fraction() == 0 && is_normal(before) && is_normal(after);
    is_scaled.then(|| kind.linear(before, after, Scale::ONE).factor()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_exponents_are_factors() {
        let of = |before: f64, after: f64| factor(before.to_bits(), after.to_bits());
        assert_eq!(of(3.0, 3.0), Some(1.0));
        assert_eq!(of(3.0, -3.0), Some(-1.0));
        assert_eq!(of(-0.0, 0.0), Some(-1.0));
        assert_eq!(of(3.0, -0.75), Some(-0.25));
        assert_eq!(of(3.0, 3.5), None);
        assert_eq!(of(4.0, 0.0), None);
        assert_eq!(of(4.0, f64::INFINITY), None);
    }
}
