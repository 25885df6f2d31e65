//! The upper part of a number in memory is written by an integer instruction.
//!
//! While indices are followed it looks passive, since the index of a binary64 is in the lower half of its shadow, and
//! would stay as it is. A dot value would lose its exponent. The values before and after tell what has happened to the
//! number: another sign or another exponent is a factor. If its fraction is another one, too, nothing is known, and it
//! is counted. The mark behind the index of an 80-bit number is in the bytes with its sign, where signs are understood,
//! and the highest bit of the index of a binary32 in those with its own.
//!
//! Dot values do not tell a binary32 from the upper half of a binary64: the block may, or where the number ends, or
//! which bits are changed.
//!
//! Translated code asks for this where [`crate::upper_parts`] has found such an instruction.

use super::super::extended::Extended;
use super::super::extended_shadows::marked;
use super::super::{Change, ExtendedTerm, Part, Place, Real, Term, UPPER_HALF};
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

impl Written {
    /// Where the number begins that ends with what is written.
    fn start_of(&self, size: usize) -> Option<u64> {
        match self.target.place {
            Place::Memory { address } => {
                Some(address.wrapping_sub(size as u64).wrapping_add(self.target.size as u64))
            }
            _ => None,
        }
    }

    /// Is nothing changed but the highest bit?
    fn changes_sign_alone(&self) -> bool {
        (self.before.value ^ self.after) & (self.target.mask() >> 1) == 0
    }

    /// The number of so many bytes before and after.
    fn values(&self, seen: &Seen, size: usize) -> Option<[u64; 2]> {
        let mut value = [0; 8];
        if !(seen.machine.read)(self.start_of(size)?, &mut value[..size]) {
            return None;
        }
        let before = u64::from_le_bytes(value);
        value[size - self.target.size..size].copy_from_slice(&self.after.to_le_bytes()[..self.target.size]);
        Some([before, u64::from_le_bytes(value)])
    }

    /// The factor, if it is a number of this kind.
    fn factor(&self, seen: &Seen, kind: Kind) -> Option<f64> {
        let [before, after] = self.values(seen, kind.bits() as usize / 8)?;
        factor(kind, before, after)
    }

    /// The same for a number of 80 bits, whose two highest bytes are its sign and its exponent.
    fn scaled_extended(&self, start: Place) -> Vec<Change> {
        let real = Real::Extended;
        let Some(partial) = self.factor_of_extended() else {
            let size = real.size();
            return alloc::vec![Change::Lose { from: start, size }, Change::Zero { to: start, size }];
        };
        let terms = alloc::vec![ExtendedTerm { from: start, real, partial }];
        alloc::vec![Change::Extended { to: start, real, terms }]
    }

    fn factor_of_extended(&self) -> Option<Extended> {
        const EXPONENT: u64 = 0x7fff;
        const BIAS: u64 = 0x3fff;
        let (before, after) = (self.before.value, self.after);
        let mut partial = Extended::ONE;
        if !self.changes_sign_alone() {
            let exponent = |word: u64| (1..EXPONENT).contains(&(word & EXPONENT)).then_some(word & EXPONENT);
            let exponents = (self.target.size == 2).then(|| exponent(before).zip(exponent(after))).flatten();
            let (before, after) = exponents?;
            let distance = (BIAS + after).checked_sub(before).filter(|word| (1..EXPONENT).contains(word))?;
            partial.0[8..].copy_from_slice(&(distance as u16).to_le_bytes());
        }
        let is_negated = (before ^ after) >> (8 * self.target.size - 1) & 1 != 0;
        Some(if is_negated { partial.negated() } else { partial })
    }

    /// Do the bytes look like those of a small integer before and after? No program makes such numbers of each other
    /// by other than a change of sign, while counters stand where numbers have been, whose indices are left.
    fn is_integer(&self, seen: &Seen) -> bool {
        let is_odd = |word: u64| !f64::from_bits(word).is_normal() && !f64::from_bits(word).is_infinite();
        self.values(seen, 8).is_some_and(|values| values.into_iter().all(is_odd))
    }

    /// The number is the old one times a factor; it is lost if there is none.
    fn scaled(&self, real: Real, factor: Option<f64>) -> Option<Vec<Change>> {
        let (size, to) = (real.size(), Place::Memory { address: self.start_of(real.size())? });
        Some(match factor {
            Some(partial) => {
                let terms = alloc::vec![Term { from: to, real, partial }];
                alloc::vec![Change::Linear { to, real, terms }]
            }
            None => alloc::vec![Change::Lose { from: to, size }, Change::Zero { to, size }],
        })
    }
}

/// What happens to the number whose upper part is written; `None` if there is no such number.
pub(super) fn changes(seen: &Seen, written: &Written) -> Option<Vec<Change>> {
    if written.target.size == 8 || !matches!(written.target.place, Place::Memory { .. }) {
        return None;
    }
    let returns = match seen.part {
        Part::Changed(_) if written.source.is_active() => true,
        Part::Changed(_) | Part::Upper(_) => false,
    };
    if returns && written.source.shadow != written.before.shadow {
        return Some(written.target.lost(&[written.source]));
    }
    if seen.has_indices() {
        let found = extended(seen, written, returns)
            .or_else(|| binary32(seen, written, returns))
            .or_else(|| binary64(seen, written));
        let lost = || returns.then(|| written.target.lost(&[written.source]));
        return found.or_else(lost);
    }
    if returns {
        return dot_value(seen, written);
    }
    if written.source.is_active() {
        return None;
    }
    let is_part = written.target.size < 4 && written.before.is_active();
    match written.is_copy {
        true => binary64(seen, written),
        false if is_part && !written.changes_sign_alone() => dot_value(seen, written),
        false => None,
    }
}

/// One or two bytes of an active number become others, while dot values are followed.
fn dot_value(seen: &Seen, written: &Written) -> Option<Vec<Change>> {
    let Written { target, before, after, .. } = written;
    if written.changes_sign_alone() {
        // So does the sign of the dot value, whatever the type.
        let shadow = (before.shadow ^ before.value ^ after) as u32;
        let bytes = shadow.to_le_bytes();
        return Some(alloc::vec![Change::Set { to: target.place, bytes, size: target.size }]);
    }
    if written.start_of(10)? % 16 == 0 {
        // Only numbers of 80 bits end there.
        return Some(written.scaled_extended(Place::Memory { address: written.start_of(10)? }));
    }
    let (Part::Upper(bytes) | Part::Changed(bytes)) = seen.part;
    let [narrow, wide] = [Kind::Binary32, Kind::Binary64].map(|kind| written.factor(seen, kind));
    let end = written.start_of(0)?;
    match (bytes, end % 8) {
        (4, _) | (0, 4) => written.scaled(Real::Binary32, narrow),
        (8, _) => written.scaled(Real::Binary64, wide),
        // Only in a binary64 are the bits an exponent.
        (_, 0) if narrow.is_none() && wide.is_some() => written.scaled(Real::Binary64, wide),
        _ => Some(target.lost(&[Word { place: Some(target.place), ..*before }])),
    }
}

/// While indices are followed: the tag tells that it is one.
fn binary32(seen: &Seen, written: &Written, returns: bool) -> Option<Vec<Change>> {
    let Target { size, .. } = written.target;
    if size > 2 || written.source.is_active() && !returns || seen.mode.has_wide_indices() {
        return None;
    }
    let start = Place::Memory { address: written.start_of(4)? };
    let is_number = seen.word_at(start, 0, 4).shadow & u64::from(TAG) != 0;
    let factor = written.factor(seen, Kind::Binary32);
    is_number.then(|| written.scaled(Real::Binary32, factor)).flatten()
}

/// While indices are followed: the mark tells that it is one.
fn extended(seen: &Seen, written: &Written, returns: bool) -> Option<Vec<Change>> {
    let is_change = written.changes_sign_alone() || returns || !written.is_copy;
    if written.target.size > 2 || !is_change || written.source.is_active() && !returns {
        return None;
    }
    let start = Place::Memory { address: written.start_of(10)? };
    let mut shadow = [0; 10];
    (seen.shadow)(start, &mut shadow);
    let [index @ .., _, _] = shadow;
    let index = u64::from_le_bytes(index);
    (index != 0 && shadow == marked(index)).then(|| written.scaled_extended(start))
}

fn binary64(seen: &Seen, written: &Written) -> Option<Vec<Change>> {
    let Written { target, source, .. } = written;
    let start = written.start_of(8)?;
    let to = Place::Memory { address: start };
    let shadow = seen.word_at(to, 0, 8).shadow;
    let lower = shadow as u32;
    let is_active = match seen.has_indices() {
        true if seen.mode.has_wide_indices() => shadow != 0,
        true => lower != 0 && lower & (TAG | UPPER_HALF) == 0,
        // Else there is an integer beside a binary32.
        false => shadow >> 32 != 0,
    };
    // Where the block does not tell that there is a number, it is where compilers place one.
    let is_known = !matches!(seen.part, Part::Upper(0) | Part::Changed(0));
    if !is_active || !is_known && start % 8 != 0 {
        return None;
    }
    if source.is_active() {
        let joins = written.is_copy && target.size == 4 && seen.is_upper_half(*source);
        let index = source.shadow as u32 & !UPPER_HALF;
        let set = Change::Set { to, bytes: index.to_le_bytes(), size: 4 };
        return joins.then(|| alloc::vec![target.cleared(), set]);
    }
    let factor = written.factor(seen, Kind::Binary64);
    let is_integer = seen.has_indices() && factor.is_none() && written.is_integer(seen);
    (!is_integer).then(|| written.scaled(Real::Binary64, factor)).flatten()
}

/// The factor between two numbers that differ by sign and exponent alone.
fn factor(kind: Kind, before: u64, after: u64) -> Option<f64> {
    let sign = 1 << (kind.bits() - 1);
    let changes = before ^ after;
    if changes & !sign == 0 {
        return Some(if changes == 0 { 1.0 } else { -1.0 });
    }
    let exponents = (sign - 1) & !kind.fraction();
    let exponent = |word: u64| word & exponents;
    let is_normal = |word: u64| exponent(word) != 0 && exponent(word) != exponents;
    let is_scaled = changes & kind.fraction() == 0 && is_normal(before) && is_normal(after);
    let distance = exponent(after) as i64 - exponent(before) as i64;
    let exponent = (distance / (kind.fraction() as i64 + 1)) as i32;
    is_scaled.then(|| Scale { negative: changes & sign != 0, exponent }.factor()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_exponents_are_factors() {
        let of = |before: f64, after: f64| factor(Kind::Binary64, before.to_bits(), after.to_bits());
        assert_eq!(of(3.0, 3.0), Some(1.0));
        assert_eq!(of(3.0, -3.0), Some(-1.0));
        assert_eq!(of(-0.0, 0.0), Some(-1.0));
        assert_eq!(of(3.0, -0.75), Some(-0.25));
        assert_eq!(of(3.0, 3.5), None);
        assert_eq!(of(4.0, 0.0), None);
        assert_eq!(of(4.0, f64::INFINITY), None);
    }
}
