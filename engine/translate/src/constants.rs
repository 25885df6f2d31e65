//! Constants that shadow code reads from the context.

use crate::context::offset::{CONSTANTS, NUMBERS};
use crate::recording::TAG;

/// MXCSR at the start of a program.
pub const DEFAULT_CONTROL: u32 = 0x1f80;

/// Byte k holds k: the source of mask registers.
pub const BYTES: u32 = CONSTANTS;
/// 32 zero bytes.
pub const ZERO: u32 = CONSTANTS + 0x100;
/// 32 bytes of ones.
pub const ONES: u32 = CONSTANTS + 0x140;
/// The sign bit of each 32-bit lane.
pub const SIGN32: u32 = CONSTANTS + 0x180;
/// The sign bit of each 64-bit lane.
pub const SIGN64: u32 = CONSTANTS + 0x1c0;
/// 1.0 in each 64-bit lane.
pub const ONE_F64: u32 = CONSTANTS + 0x200;
/// 1.0 in each 32-bit lane.
pub const ONE_F32: u32 = CONSTANTS + 0x240;
/// 0.5 in each 64-bit lane.
pub const HALF_F64: u32 = CONSTANTS + 0x280;
/// 0.5 in each 32-bit lane.
pub const HALF_F32: u32 = CONSTANTS + 0x2c0;
/// All bits but the lowest of each 32-bit lane.
pub const ALL_BUT_LOWEST: u32 = CONSTANTS + 0x300;
/// The sign bits of even lanes, as add/sub-alternating instructions subtract there: 64 bits, then 32 bits.
pub const SIGN_EVEN_F64: u32 = CONSTANTS + 0x340;
pub const SIGN_EVEN_F32: u32 = CONSTANTS + 0x380;
/// The shadow offset, as a number.
pub const SHADOW_OFFSET: u32 = CONSTANTS + 0x3c0;
/// All ones in the lowest lane only: 64 bits, then 32 bits; zero above.
pub const LOWEST_F64: u32 = CONSTANTS + 0x400;
pub const LOWEST_F32: u32 = CONSTANTS + 0x440;
/// State components that a client without AVX-512 can know: x87, SSE, AVX.
pub const STATE_COMPONENTS: u32 = CONSTANTS + 0x480;

/// All bits but the tag of an index, in each 64-bit lane.
pub const UNTAGGED: u32 = CONSTANTS + 0x4c0;

/// The same in each 32-bit lane.
pub const UNTAGGED32: u32 = CONSTANTS + 0x500;

/// The control word for shadow arithmetic: to nearest, all exceptions masked.
pub const CONTROL: u32 = CONSTANTS + 0x6c0;
/// By bits 7 to 14 of MXCSR: 0 where all exceptions are masked and rounding is to nearest, else 1.
pub const UNUSUAL_CONTROL: u32 = CONSTANTS + 0x700;
/// What tells constants by which numbers are rounded, see [`crate::rounding`]: the bits of the fraction that count,
/// 1, 1.5, the bits of the exponent, the least power of two, and the one of integers. 32 bytes each; in 64-bit lanes,
/// then in 32-bit lanes.
pub const ROUNDING_F64: u32 = CONSTANTS + 0x540;
pub const ROUNDING_F32: u32 = CONSTANTS + 0x540 + 6 * 32;

/// How many small numbers there are.
const COUNT: u32 = 512;
/// 0, 1, 2 ... in 64 bits.
pub const NUMBERS_F64: u32 = NUMBERS;
/// 0, 1, 2 ... in 32 bits, with the tag of binary32.
pub const NUMBERS_F32: u32 = NUMBERS + 8 * COUNT;

/// Writes the constants into a zero-filled context of `CONTEXT_SIZE` bytes.
pub fn fill(context: &mut [u8]) {
    for k in 0..=255u8 {
        context[BYTES as usize + usize::from(k)] = k;
    }
    fill_words(context, ONES, |_| u64::MAX);
    fill_words(context, SIGN32, |_| 0x8000_0000_8000_0000);
    fill_words(context, SIGN64, |_| 1 << 63);
    fill_words(context, ONE_F64, |_| 1f64.to_bits());
    fill_words(context, ONE_F32, |_| u64::from(1f32.to_bits()) << 32 | u64::from(1f32.to_bits()));
    fill_words(context, HALF_F64, |_| 0.5f64.to_bits());
    fill_words(context, HALF_F32, |_| u64::from(0.5f32.to_bits()) << 32 | u64::from(0.5f32.to_bits()));
    fill_words(context, ALL_BUT_LOWEST, |_| 0xffff_fffe_ffff_fffe);
    fill_words(context, SIGN_EVEN_F64, |k| if k % 2 == 0 { 1 << 63 } else { 0 });
    fill_words(context, SIGN_EVEN_F32, |_| 1 << 31);
    fill_words(context, SHADOW_OFFSET, |_| crate::context::SHADOW_OFFSET);
    fill_words(context, STATE_COMPONENTS, |_| 0b111);
    fill_words(context, UNTAGGED, |_| u64::from(!TAG));
    fill_words(context, UNTAGGED32, |_| u64::from(!TAG) << 32 | u64::from(!TAG));
    for (number, word) in crate::rounding::WORDS_F64.into_iter().enumerate() {
        fill_words(context, ROUNDING_F64 + 32 * number as u32, |_| word);
    }
    for (number, word) in crate::rounding::WORDS_F32.into_iter().enumerate() {
        fill_words(context, ROUNDING_F32 + 32 * number as u32, |_| word << 32 | word);
    }
    for number in 0..COUNT {
        let (wide, narrow) = ((NUMBERS_F64 + 8 * number) as usize, (NUMBERS_F32 + 4 * number) as usize);
        context[wide..wide + 8].copy_from_slice(&u64::from(number).to_le_bytes());
        context[narrow..narrow + 4].copy_from_slice(&(number | TAG).to_le_bytes());
    }
    fill_words(context, CONTROL, |_| u64::from(DEFAULT_CONTROL));
    for bits in 0..=255u8 {
        // Six masks, then two bits of the rounding mode.
        let usual = u32::from(bits) << 7 == DEFAULT_CONTROL;
        context[UNUSUAL_CONTROL as usize + usize::from(bits)] = u8::from(!usual);
    }
    fill_words(context, LOWEST_F64, |k| if k == 0 { u64::MAX } else { 0 });
    fill_words(context, LOWEST_F32, |k| if k == 0 { 0xffff_ffff } else { 0 });
}

fn fill_words(context: &mut [u8], at: u32, value: impl Fn(usize) -> u64) {
    for k in 0..8 {
        let start = at as usize + 8 * k;
        context[start..start + 8].copy_from_slice(&value(k).to_le_bytes());
    }
}
