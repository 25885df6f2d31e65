//! Functions of real numbers that computed rules need and the core library does not have.

/// The square root, not a number for negative numbers.
pub(super) fn square_root(value: f64) -> f64 {
    use core::arch::x86_64::{_mm_cvtsd_f64, _mm_set_sd, _mm_sqrt_pd};
    // SAFETY: every x86-64 processor has SSE2.
    unsafe { _mm_cvtsd_f64(_mm_sqrt_pd(_mm_set_sd(value))) }
}

/// The largest integer that is not greater; numbers without a fraction as they are.
fn floor(value: f64) -> f64 {
    const INTEGERS: f64 = (1u64 << 52) as f64;
    if !(-INTEGERS < value && value < INTEGERS) {
        return value;
    }
    let truncated = value as i64 as f64;
    if truncated > value {
        truncated - 1.0
    } else {
        truncated
    }
}

/// Two to the power of a number that is rounded down.
pub(super) fn power_of_two(exponent: f64) -> f64 {
    if exponent.is_nan() {
        return exponent;
    }
    power(floor(exponent).clamp(-2200.0, 2200.0) as i32)
}

fn power(exponent: i32) -> f64 {
    let normal = |exponent: i32| f64::from_bits(((exponent + 1023) as u64) << 52);
    match exponent {
        1024.. => f64::INFINITY,
        -1022..=1023 => normal(exponent),
        // Rounded once: a product of two normal numbers.
        -1100..=-1023 => normal(exponent + 200) * normal(-200),
        _ => 0.0,
    }
}

/// The exponent of a finite number that is not zero.
fn exponent(value: f64) -> i32 {
    let biased = |value: f64| (value.to_bits() >> 52 & 0x7ff) as i32;
    match biased(value) {
        0 => biased(value * power(64)) - 64 - 1023,
        biased => biased - 1023,
    }
}

/// Derivative of `vgetmant`: a power of two, with the sign that the immediate takes away. The mantissa of a negative
/// number may be none (Intel SDM volume 2).
pub(super) fn mantissa_partial(value: f64, immediate: u8) -> f64 {
    if immediate >> 3 & 1 != 0 && value < 0.0 {
        return f64::NAN;
    }
    let sign = if immediate >> 2 & 1 != 0 && value.is_sign_negative() { -1.0 } else { 1.0 };
    if value == 0.0 || !value.is_finite() {
        // The result is 1, as it is for infinity.
        return sign / value.abs();
    }
    let exponent = exponent(value);
    let fraction = value.to_bits() & ((1 << 52) - 1);
    let halves = match immediate & 3 {
        0 => false,
        1 => exponent % 2 != 0,
        2 => true,
        _ => fraction >> 51 != 0,
    };
    sign * power(-exponent - i32::from(halves))
}

/// Is the first the smaller one, where negative zero is smaller than zero?
pub(super) fn is_not_greater(one: f64, other: f64) -> bool {
    one < other || one == other && (one.is_sign_negative() || !other.is_sign_negative())
}

/// Number of the class of a value in the tables of `vfixupimm` (Intel SDM volume 2).
pub(super) fn class(bits: u64, bytes: usize) -> u32 {
    let (value, quiet) = if bytes == 4 {
        (f64::from(f32::from_bits(bits as u32)), bits >> 22 & 1 != 0)
    } else {
        (f64::from_bits(bits), bits >> 51 & 1 != 0)
    };
    let negative = bits >> (8 * bytes - 1) & 1 != 0;
    match value {
        _ if value.is_nan() => u32::from(!quiet),
        0.0 => 2,
        1.0 => 3,
        _ if value.is_infinite() => 5 - u32::from(negative),
        _ => 7 - u32::from(negative),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers() {
        assert_eq!(power_of_two(3.9), 8.0);
        assert_eq!(power_of_two(-0.5), 0.5);
        assert_eq!(power_of_two(-1074.0), f64::from_bits(1));
        assert_eq!(power_of_two(-1075.0), 0.0);
        assert_eq!(power_of_two(f64::INFINITY), f64::INFINITY);
        assert_eq!(square_root(9.0), 3.0);
    }

    #[test]
    fn mantissas() {
        assert_eq!(mantissa_partial(12.0, 0), 0.125);
        assert_eq!(mantissa_partial(-12.0, 4), -0.125);
        assert!(mantissa_partial(-12.0, 8).is_nan());
        assert_eq!(mantissa_partial(12.0, 1), 0.0625);
        assert_eq!(mantissa_partial(12.0, 3), 0.0625);
        assert_eq!(mantissa_partial(f64::from_bits(1), 0), f64::INFINITY);
    }

    #[test]
    fn classes() {
        let classes = [f64::NAN, 0.0, -0.0, 1.0, f64::NEG_INFINITY, f64::INFINITY, -3.0, 3.0];
        let numbers = classes.map(|value| class(value.to_bits(), 8));
        assert_eq!(numbers, [0, 2, 2, 3, 4, 5, 6, 7]);
    }
}
