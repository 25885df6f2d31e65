//! What an operation on the bits of a real number means for its derivative.
//!
//! Within a binade the bits of a number, read as an integer, are a linear function of it: `w = 2^(f - e) |x| + const`
//! with exponent `e` and `f` bits of fraction. So where the fraction is kept, or an integer is added, the derivative
//! of the result is that of the operand times a power of two, which follows from the exponents before and after:
//! `2^(e' - e)`. This covers signs, exponents that are changed by an addition or by masks, and all detours on which
//! the word is no number in between. A word that cannot be a number, because its exponent would be extremely small,
//! is taken for an integer made from one (a fraction that was masked out, say), and counts as if it had the exponent
//! [`Kind::reference`]. If the low bits of a fraction are cut off, the result is piecewise constant and has
//! derivative zero.
//!
//! Words of 32 bits may be binary32, or the upper half of a binary64. The shadow of such a half is the upper half of
//! a dot value, and a power of two is a change of its exponent, as it is for the number itself.

use crate::rounding;

/// What a word is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Binary64,
    Binary32,
    /// The upper 32 bits of a binary64.
    Upper,
}

/// The derivative is multiplied by a power of two, and negated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scale {
    pub negative: bool,
    pub exponent: i32,
}

impl Scale {
    pub const ONE: Scale = Scale { negative: false, exponent: 0 };

    /// As a number. One that is too large is the largest: what has become so large is an integer, which is compared
    /// or cut off. The way back from there is not known.
    pub fn factor(self) -> Option<f64> {
        let exponent = (self.exponent >= -1022).then_some(self.exponent.min(1023))?;
        let magnitude = f64::from_bits(((exponent + 1023) as u64) << 52);
        Some(if self.negative { -magnitude } else { magnitude })
    }
}

/// What an operation does to the shadow of one of its operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    Scaled(Scale),
    /// Piecewise constant.
    Constant,
    /// Only bytes whose bit is set are left, as they were.
    Bytes(u8),
    Unknown,
}

/// Logical operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Logic {
    And,
    Or,
    Xor,
}

impl Logic {
    pub fn of(self, one: u64, other: u64) -> u64 {
        match self {
            Logic::And => one & other,
            Logic::Or => one | other,
            Logic::Xor => one ^ other,
        }
    }
}

impl Kind {
    /// Bits of the word.
    pub fn bits(self) -> u32 {
        if self == Kind::Binary64 {
            64
        } else {
            32
        }
    }

    /// Bits of the fraction.
    fn fraction_bits(self) -> u32 {
        match self {
            Kind::Binary64 => 52,
            Kind::Binary32 => 23,
            Kind::Upper => 20,
        }
    }

    pub fn fraction(self) -> u64 {
        (1 << self.fraction_bits()) - 1
    }

    /// As many low bits of the fraction are cut off at least where that is meant to cut it off. Fewer are no way to
    /// split a number, and the result is not understood.
    pub fn least_cut(self) -> u32 {
        if self == Kind::Binary64 {
            12
        } else {
            6
        }
    }

    /// The same for a mask, which says more clearly what is meant. Eight bits may be a byte that is replaced.
    fn least_masked(self) -> u32 {
        self.least_cut().min(10)
    }

    fn is_negative(self, word: u64) -> bool {
        word >> (self.bits() - 1) & 1 != 0
    }

    /// The exponent of words that are no numbers: one that a binary32 and an upper half share.
    fn reference(self) -> i32 {
        if self == Kind::Binary32 {
            0x7f
        } else {
            0x3f8
        }
    }

    fn exponent(self, word: u64) -> i32 {
        let bits = self.bits() - 1 - self.fraction_bits();
        let largest = (1 << bits) - 1;
        let exponent = (word >> self.fraction_bits()) as i32 & largest;
        // A negative integer, or a small one: a fraction, with or without a leading bit.
        let (small, large) = if self == Kind::Upper { (64, 0x7f8) } else { (8, largest) };
        let is_integer = exponent < small || exponent >= large && self.is_negative(word);
        if is_integer {
            self.reference()
        } else {
            exponent
        }
    }

    /// The kind of a word of 32 bits of which the operation concerns these bits: an upper half, if they begin at the
    /// exponent of a binary64.
    pub fn of_half(concerned: u64) -> Kind {
        const BETWEEN: u64 = 0x0070_0000;
        if concerned & Kind::Upper.fraction() == 0 && concerned & BETWEEN != 0 {
            Kind::Upper
        } else {
            Kind::Binary32
        }
    }

    /// The kind of a word of 32 bits to which a constant is added. Besides exponents that is a distance between
    /// binades, less than one of them, or the word of a number near one.
    pub fn of_half_in_sum(constant: u64) -> Kind {
        const SMALL: u64 = 1 << 16;
        let distance = (constant as i32).unsigned_abs();
        let is_fraction = (SMALL..1 << Kind::Upper.fraction_bits()).contains(&u64::from(distance));
        let is_near_one = (0x3fe0_0000..0x4010_0000).contains(&distance);
        if is_fraction || is_near_one {
            Kind::Upper
        } else {
            Kind::of_half(constant)
        }
    }

    /// An operation that is linear on integers, with this slope.
    pub fn linear(self, before: u64, after: u64, slope: Scale) -> Scale {
        Scale {
            negative: self.is_negative(before) ^ self.is_negative(after) ^ slope.negative,
            exponent: slope.exponent + self.exponent(after) - self.exponent(before),
        }
    }

    /// A logical operation on a number and a passive word.
    pub fn combined(self, logic: Logic, number: u64, passive: u64) -> Meaning {
        let after = logic.of(number, passive);
        match logic {
            Logic::And => self.replaced(number, passive, after),
            Logic::Or | Logic::Xor => self.changed(logic, number, passive, after),
        }
    }

    /// Bits of a number under a mask, among bits that are passive; `after` is the result.
    pub fn replaced(self, number: u64, mask: u64, after: u64) -> Meaning {
        let kept = mask & self.fraction();
        if kept == self.fraction() {
            return Meaning::Scaled(self.linear(number, after, Scale::ONE));
        }
        if self.takes_fraction_of_upper_half(mask) {
            return Meaning::Scaled(self.linear(number, after, Scale::ONE));
        }
        let bytes = whole_bytes(mask);
        if kept.trailing_zeros() >= self.least_masked() && (bytes.is_none() || self.cuts_off(mask)) {
            return Meaning::Constant;
        }
        match bytes {
            Some(bytes) => Meaning::Bytes(bytes),
            None if self.is_rounded(number) && kept >> (self.fraction_bits() - self.least_cut() / 2) == 0 => {
                Meaning::Constant
            }
            None => Meaning::Unknown,
        }
    }

    /// Does a mask leave the sign, the exponent and some of the fraction, or nothing? Bytes from elsewhere are moved.
    fn cuts_off(self, mask: u64) -> bool {
        let highest = mask >> (self.bits() - 16) == 0xffff;
        mask == 0 || highest && (mask | mask.wrapping_sub(1)) & self.mask() == self.mask()
    }

    fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits())
    }

    /// Does a mask leave the fraction of a binary64 but for its lower half? That is put to its place again, since
    /// nobody has so long a table.
    fn takes_fraction_of_upper_half(self, mask: u64) -> bool {
        self == Kind::Binary64 && mask == FRACTION_OF_UPPER_HALF
    }

    /// Is it a number that was rounded by adding a large constant, so that its low bits are an integer?
    pub fn is_rounded(self, number: u64) -> bool {
        match self {
            Kind::Binary64 => rounding::is_rounded(8, number),
            Kind::Binary32 => rounding::is_rounded(4, number),
            Kind::Upper => false,
        }
    }

    fn changed(self, logic: Logic, number: u64, passive: u64, after: u64) -> Meaning {
        let concerned = passive & self.fraction();
        if concerned == 0 {
            return Meaning::Scaled(self.linear(number, after, Scale::ONE));
        }
        if is_disjoint(number, passive) {
            return Meaning::Scaled(Scale::ONE);
        }
        if concerned != self.fraction() {
            return Meaning::Unknown;
        }
        if logic == Logic::Or {
            return Meaning::Constant;
        }
        if self == Kind::Binary64 && passive != u64::MAX {
            // It might as well be two binary32.
            return Meaning::Unknown;
        }
        // All bits are inverted, but perhaps for the sign: the order of numbers is turned round, or a mask selects
        // from the result or from its opposite.
        let downwards = Scale { negative: true, exponent: 0 };
        Meaning::Scaled(self.linear(number, after, downwards))
    }
}

/// See [`Kind::takes_fraction_of_upper_half`].
pub const FRACTION_OF_UPPER_HALF: u64 = 0x000f_ffff_0000_0000;

/// Does every byte have bits of one word at most?
pub fn is_disjoint(one: u64, other: u64) -> bool {
    one.to_le_bytes().iter().zip(other.to_le_bytes()).all(|(one, other)| *one == 0 || other == 0)
}

/// A set bit for each byte that is all ones, if all others are zero.
fn whole_bytes(mask: u64) -> Option<u8> {
    let mut bytes = 0;
    for (number, byte) in mask.to_le_bytes().into_iter().enumerate() {
        match byte {
            0 => {}
            0xff => bytes |= 1 << number,
            _ => return None,
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(meaning: Meaning) -> f64 {
        match meaning {
            Meaning::Scaled(scale) => scale.factor().expect("a moderate number"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_sign_alone_changes() {
        let x = (-3.7f64).to_bits();
        let kind = Kind::Binary64;
        assert_eq!(scaled(kind.combined(Logic::And, x, !(1 << 63))), -1.0);
        assert_eq!(scaled(kind.combined(Logic::Or, x, 1 << 63)), 1.0);
        assert_eq!(scaled(kind.combined(Logic::Xor, x, 1 << 63)), -1.0);
    }

    #[test]
    fn a_fraction_with_a_new_exponent_is_scaled() {
        let x = 11.25f64.to_bits();
        let kind = Kind::Binary64;
        let first = kind.combined(Logic::And, x, (1 << 52) - 1);
        let fraction = x & ((1 << 52) - 1);
        let second = kind.combined(Logic::Or, fraction, 0x3fe << 52);
        assert_eq!(scaled(first) * scaled(second), 1.0 / 16.0);
        assert_eq!(f64::from_bits(fraction | 0x3fe << 52), 11.25 / 16.0);
    }

    #[test]
    fn a_cut_fraction_is_constant_even_where_nothing_is_lost() {
        for mask in [0x7ff0 << 48, 0xffff_ffff_f800_0000, 0xfff0 << 48, 1 << 63] {
            assert_eq!(Kind::Binary64.combined(Logic::And, 1.5f64.to_bits(), mask), Meaning::Constant);
        }
        assert_eq!(
            Kind::Binary32.combined(Logic::And, u64::from(1.5f32.to_bits()), 0xffff_f000),
            Meaning::Constant
        );
    }

    #[test]
    fn bytes_are_taken_out_unless_the_rest_of_the_fraction_is_cut_off() {
        let x = 1.3f64.to_bits();
        for (mask, bytes) in
            [(0xff << 56, 0x80), (0xff << 48, 0x40), (0xffff << 32, 0x30), (!(0xff << 48), 0xbf)]
        {
            assert_eq!(Kind::Binary64.combined(Logic::And, x, mask), Meaning::Bytes(bytes), "{mask:#x}");
        }
        assert_eq!(Kind::Binary64.combined(Logic::And, x, 0xffff << 48), Meaning::Constant);
        let x = u64::from(1.3f32.to_bits());
        assert_eq!(Kind::Binary32.combined(Logic::And, x, 0xff00_0000), Meaning::Bytes(8));
        assert_eq!(Kind::Binary32.combined(Logic::And, x, 0xffff_0000), Meaning::Constant);
    }

    #[test]
    fn the_fraction_of_an_upper_half_and_inverted_bits_are_scaled() {
        let kind = Kind::Binary64;
        let fraction = kind.combined(Logic::And, 11.3f64.to_bits(), FRACTION_OF_UPPER_HALF);
        // In units of a number whose exponent is the reference.
        assert_eq!(scaled(fraction), 2f64.powi(kind.reference() - 0x3ff - 3));
        // The magnitude falls as that of the number grows, and the sign is the other one.
        assert!(scaled(kind.combined(Logic::Xor, 1.3f64.to_bits(), u64::MAX)) > 0.0);
    }

    #[test]
    fn low_bits_alone_are_not_understood() {
        assert_eq!(Kind::Binary64.combined(Logic::And, 1.3f64.to_bits(), 0xfff), Meaning::Unknown);
        assert_eq!(Kind::Binary64.combined(Logic::And, 1.3f64.to_bits(), !1), Meaning::Unknown);
        assert_eq!(Kind::Binary64.combined(Logic::Or, 1.3f64.to_bits(), 1), Meaning::Unknown);
    }

    #[test]
    fn an_upper_half_is_told_by_the_bits_that_are_concerned() {
        assert_eq!(Kind::of_half(0xfff0_0000), Kind::Upper);
        assert_eq!(Kind::of_half(0x3ff0_0000), Kind::Upper);
        assert_eq!(Kind::of_half(0x3f80_0000), Kind::Binary32);
        assert_eq!(Kind::of_half(0x7fff_ffff), Kind::Binary32);
    }
}
