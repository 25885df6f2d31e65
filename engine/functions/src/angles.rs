//! Reduction of angles of any size.
//!
//! A large number times 2/π, modulo 4, needs few digits of 2/π: those whose product with the number is neither a
//! multiple of 4 nor too small to matter (M. Payne and R. Hanek, Radian Reduction for Trigonometric Functions, 1983).

mod two_over_pi;

use crate::extended::Extended;
use two_over_pi::DIGITS;

/// Words of 64 digits of 2/π that are looked at. The first two digits of the product are quarter turns; a number of
/// 80 bits is so near to a multiple of a quarter turn that about 70 more vanish, and the last 64 are not exact.
const WINDOW: usize = 4;

/// Exponent of one, and of the last bit of its significand.
const EXPONENT_OF_ONE: i64 = 0x3fff;
const EXPONENT_OF_UNIT: i64 = EXPONENT_OF_ONE + 63;

/// The number of quarter turns modulo 4, and the rest, in quarter turns between -1/2 and 1/2. The angle is finite.
pub fn reduced(angle: Extended) -> (u64, Extended) {
    let [significand @ .., low, high] = angle.0;
    let significand = u64::from_le_bytes(significand);
    let exponent = i64::from(u16::from_le_bytes([low, high & 0x7f])) - EXPONENT_OF_UNIT;
    // The first digit whose product with the last bit of the number is no multiple of 4.
    let first = exponent - 2;
    let mut product = [0, 64, 128, 192].map(|distance| digits(first + distance));
    let mut carry = 0;
    for word in product.iter_mut().rev() {
        let sum = u128::from(*word) * u128::from(significand) + carry;
        *word = sum as u64;
        carry = sum >> 64;
    }
    let fraction = shifted(product, 2);
    let is_above_half = fraction[0] >> 63 != 0;
    let quarters = (product[0] >> 62) + u64::from(is_above_half);
    let rest = if is_above_half { negated(fraction) } else { fraction };
    let rest = number(rest, is_above_half);
    if angle.is_negative() {
        (quarters.wrapping_neg() % 4, rest.negated())
    } else {
        (quarters % 4, rest)
    }
}

/// 64 digits of 2/π from this one on, where number 0 is the first behind the point.
fn digits(first: i64) -> u64 {
    let word = |number: i64| usize::try_from(number).map_or(0, |number| DIGITS[number]);
    let (number, shift) = (first.div_euclid(64), first.rem_euclid(64));
    joined(word(number), word(number + 1), shift as u32)
}

/// The upper word of two that are shifted to the left.
fn joined(upper: u64, lower: u64, bits: u32) -> u64 {
    ((u128::from(upper) << 64 | u128::from(lower)) << bits >> 64) as u64
}

fn shifted([a, b, c, d]: [u64; WINDOW], bits: u32) -> [u64; WINDOW] {
    [joined(a, b, bits), joined(b, c, bits), joined(c, d, bits), joined(d, 0, bits)]
}

fn negated(words: [u64; WINDOW]) -> [u64; WINDOW] {
    let mut carry = true;
    let mut result = words.map(|word| !word);
    for word in result.iter_mut().rev() {
        (*word, carry) = word.overflowing_add(u64::from(carry));
    }
    result
}

/// The fraction with these digits.
fn number(words: [u64; WINDOW], is_negative: bool) -> Extended {
    let [a, b, c, d] = words;
    let zeros = (u128::from(a) << 64 | u128::from(b)).leading_zeros();
    let [a, b, ..] = if zeros < 64 { shifted(words, zeros) } else { shifted([b, c, d, 0], zeros - 64) };
    let significand = a.saturating_add(b >> 63);
    let exponent = (EXPONENT_OF_ONE - 1 - i64::from(zeros)) as u16;
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&significand.to_le_bytes());
    bytes[8..].copy_from_slice(&exponent.to_le_bytes());
    let number = Extended(bytes);
    if is_negative {
        number.negated()
    } else {
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extended::with_free_unit;
    use crate::{names, Arguments};

    fn extended(significand: u64, exponent: u16) -> Extended {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&significand.to_le_bytes());
        bytes[8..].copy_from_slice(&exponent.to_le_bytes());
        Extended(bytes)
    }

    /// Angles with their sines and cosines, from mpmath with 40000 bits. The cosine of the last one is nearly zero.
    #[test]
    fn large_angles_have_sines_and_cosines_of_64_bits() {
        #[rustfmt::skip] // A row for each angle.
        let cases = [
            (0x97b7_5092_3ceb_3ffd, 0x401a, 0xfb7f_209a_fbcd_1770, 0xbffe, 0xbf39_e3bd_31a5_7be4, 0xbffc),
            (0xa163_6369_8b52_9b4a, 0x4027, 0xba05_77f6_0b89_7e05, 0xbffe, 0xafe0_06f6_0942_2453, 0x3ffe),
            (0xea7b_5bf5_5eb5_61a4, 0x403e, 0xffc8_7873_a7aa_041a, 0xbffe, 0xa894_5ad0_5b18_9207, 0x3ffa),
            (0xf95b_929e_9a9a_80fd, 0x403f, 0xbda6_8ede_cc16_3c34, 0xbffe, 0xabf4_91fc_1f87_672b, 0x3ffe),
            (0x94b2_b8fd_a02f_34a6, 0x4063, 0xc891_d5f8_f668_2427, 0x3ffb, 0xfec4_f5c4_15e2_cbbb, 0x3ffe),
            (0x9b08_923d_10c6_7fd9, 0x43e7, 0x9d60_d131_c93c_6885, 0x3ffb, 0xff3e_36dd_2472_5ec4, 0x3ffe),
            (0xe8a8_529f_035e_fa25, 0x444b, 0xea2d_a869_b92a_a1f2, 0xbffe, 0xced9_0767_a1b1_32dd, 0xbffd),
            (0xf81f_9c58_d664_5fa9, 0x5387, 0xdd2d_4fc9_2882_b97d, 0xbffe, 0x80e7_ea21_2c79_5c18, 0xbffe),
            (0x8d00_38ec_4265_0644, 0x7e7f, 0xd48e_fe84_3cb3_3c26, 0x3ffe, 0x8eab_a1d1_2edb_b755, 0x3ffe),
            (0xb116_2427_3bfd_1d33, 0x7ffe, 0x82e9_032c_650e_4644, 0xbffb, 0xff79_f9f4_3607_07a2, 0x3ffe),
            (0x9082_fe7e_4eb5_72f5, 0x5e86, 0x8000_0000_0000_0000, 0x3fff, 0xc3b7_db47_d752_99ab, 0xbfb9),
        ];
        let derivative = |name: &str, angle| {
            let arguments =
                Arguments { numbers: [angle, Extended::ZERO, Extended::ZERO, Extended::ZERO], register: 0 };
            let function = names::find(name.as_bytes()).expect("a function of the table");
            function.extended_partials(&arguments, [Extended::ZERO; 2])[0][0]
        };
        for (significand, exponent, sine, exponent_of_sine, cosine, exponent_of_cosine) in cases {
            for sign in [0, 0x8000] {
                let angle = extended(significand, exponent | sign);
                for (name, expected) in [
                    ("sinl", extended(cosine, exponent_of_cosine)),
                    ("cosl", extended(sine, exponent_of_sine ^ 0x8000 ^ sign)),
                ] {
                    let found = derivative(name, angle);
                    let error = with_free_unit(|unit| {
                        unit.to_binary64(unit.quotient(unit.difference(found, expected), expected))
                    });
                    assert!(error.abs() < 2f64.powi(-62), "{name} {significand:#x} {exponent:#x}: {error}");
                }
            }
        }
    }
}
