//! Elementary functions of binary64 that derivatives of frequent functions need, as fast as the functions themselves.
//!
//! The derivative of a sine takes a cosine, which must not cost more than the program's own sine. Those of the `libm`
//! crate are correct to less than a unit of the last place, and branch much for it. These come with an error of two
//! units, which is plenty for a derivative, from one polynomial. Arguments far from zero are left to the crate.
//!
//! Argument and multiple of the period are subtracted in parts whose products are exact (Cody and Waite, Software
//! Manual for the Elementary Functions, 1980). Polynomials are the Taylor series of the function, up to a term that
//! vanishes.

/// Adding it leaves the nearest integer in the lowest bits of the sum.
const SHIFTER: f64 = 1.5 * (1u64 << 52) as f64;

/// Largest multiple of a quarter turn whose products with the parts are exact, in radians.
const LARGEST_ANGLE: f64 = 1.5e6;
const QUARTER: f64 = core::f64::consts::FRAC_PI_2;
/// A quarter turn minus [`QUARTER`], and minus this as well.
const QUARTER_REST: f64 = 6.123_233_995_736_766e-17;
const QUARTER_LAST: f64 = -1.497_384_904_859_183_3e-33;
const QUARTER_PARTS: [f64; 4] = [
    upper_bits(QUARTER),
    QUARTER - upper_bits(QUARTER),
    upper_bits(QUARTER_REST),
    QUARTER_REST - upper_bits(QUARTER_REST) + QUARTER_LAST,
];

/// The number with the upper 33 bits of its significand.
const fn upper_bits(number: f64) -> f64 {
    f64::from_bits(number.to_bits() & !((1 << 20) - 1))
}

/// Powers of the square in sine and cosine behind the first term.
const POWERS: usize = 8;
/// Coefficients of sine and cosine: `(-1)^k / (2 k + 1)!` and `(-1)^k / (2 k)!` from k = 1 on.
const CIRCULAR: [[f64; POWERS]; 2] = [series(1, -1.0), series(0, -1.0)];
/// The same for the hyperbolic sine.
const HYPERBOLIC: [f64; POWERS] = series(1, 1.0);

/// `sign^k / (2 k + odd)!` from k = 1 on.
const fn series(odd: u32, sign: f64) -> [f64; POWERS] {
    let mut coefficients = [0.0; POWERS];
    let mut factor = if odd == 1 { 1.0 } else { 0.0 };
    let mut term = 1.0;
    let mut k = 0;
    while k < POWERS {
        term = term * sign / ((factor + 1.0) * (factor + 2.0));
        factor += 2.0;
        coefficients[k] = term;
        k += 1;
    }
    coefficients
}

/// `z (c0 + c1 z + ...)`, with the order of operations of Estrin.
fn polynomial(c: &[f64; POWERS], z: f64) -> f64 {
    let (z2, z4) = (z * z, (z * z) * (z * z));
    let low = (c[0] + c[1] * z) + z2 * (c[2] + c[3] * z);
    let high = (c[4] + c[5] * z) + z2 * (c[6] + c[7] * z);
    z * (low + z4 * high)
}

/// Sine of the angle plus so many quarter turns; `None` for large angles.
fn sine(angle: f64, quarters: u64) -> Option<f64> {
    // A NaN is not below.
    let is_small = angle.abs() < LARGEST_ANGLE;
    if !is_small {
        return None;
    }
    let shifted = angle * core::f64::consts::FRAC_2_PI + SHIFTER;
    let multiple = shifted - SHIFTER;
    let rest = QUARTER_PARTS.iter().fold(angle, |rest, part| rest - multiple * part);
    let quadrant = shifted.to_bits().wrapping_add(quarters);
    let is_cosine = (quadrant & 1) as usize;
    let first = [rest, 1.0][is_cosine];
    let magnitude = first + first * polynomial(&CIRCULAR[is_cosine], rest * rest);
    Some(f64::from_bits(magnitude.to_bits() ^ (quadrant & 2) << 62))
}

pub fn sin(x: f64) -> f64 {
    sine(x, 0).unwrap_or_else(|| libm::sin(x))
}

pub fn cos(x: f64) -> f64 {
    sine(x, 1).unwrap_or_else(|| libm::cos(x))
}

/// Numbers whose exponential function, and its inverse, are normal.
const LARGEST_EXPONENT: f64 = 700.0;
const LN_2_PARTS: [f64; 2] =
    [upper_bits(core::f64::consts::LN_2), core::f64::consts::LN_2 - upper_bits(core::f64::consts::LN_2)];
/// The logarithm of 2 minus what binary64 holds of it.
const LN_2_REST: f64 = 2.319_046_813_846_299_6e-17;
/// `1 / k!` from k = 2 on.
const EXPONENTIAL: [f64; 12] = {
    let mut coefficients = [0.0; 12];
    let mut term = 1.0;
    let mut k = 0;
    while k < 12 {
        term /= (k + 2) as f64;
        coefficients[k] = term;
        k += 1;
    }
    coefficients
};

pub fn exp(x: f64) -> f64 {
    let is_small = x.abs() < LARGEST_EXPONENT;
    if !is_small {
        return libm::exp(x);
    }
    let shifted = x * core::f64::consts::LOG2_E + SHIFTER;
    let multiple = shifted - SHIFTER;
    let rest = x - multiple * LN_2_PARTS[0];
    let rest = rest - multiple * (LN_2_PARTS[1] + LN_2_REST);
    let c = &EXPONENTIAL;
    let (z2, z4) = (rest * rest, (rest * rest) * (rest * rest));
    let low = (c[0] + c[1] * rest) + z2 * (c[2] + c[3] * rest);
    let middle = (c[4] + c[5] * rest) + z2 * (c[6] + c[7] * rest);
    let high = (c[8] + c[9] * rest) + z2 * (c[10] + c[11] * rest);
    let sum = 1.0 + (rest + z2 * (low + z4 * (middle + z4 * high)));
    // The product with a power of two: the integer goes to the exponent.
    f64::from_bits(sum.to_bits().wrapping_add(shifted.to_bits() << 52))
}

pub fn cosh(x: f64) -> f64 {
    let is_small = x.abs() < LARGEST_EXPONENT;
    if !is_small {
        return libm::cosh(x);
    }
    let power = exp(x);
    0.5 * (power + 1.0 / power)
}

pub fn sinh(x: f64) -> f64 {
    if x.abs() < 0.75 {
        return x + x * polynomial(&HYPERBOLIC, x * x);
    }
    let is_small = x.abs() < LARGEST_EXPONENT;
    if !is_small {
        return libm::sinh(x);
    }
    let power = exp(x);
    0.5 * (power - 1.0 / power)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error, in units of the last place.
    fn error(found: fn(f64) -> f64, expected: fn(f64) -> f64, points: impl Iterator<Item = f64>) -> f64 {
        let unit = |number: f64| f64::from_bits(number.abs().to_bits() + 1) - number.abs();
        points.map(|x| (found(x) - expected(x)).abs() / unit(expected(x))).fold(0.0, |largest, error| {
            // NaN is an error, too.
            if error <= largest {
                largest
            } else {
                error
            }
        })
    }

    /// From the smallest distances to far beyond what is left to the crate.
    fn points(largest: f64) -> impl Iterator<Item = f64> {
        let up_to = |scale: f64| (-2000..2000).map(move |number| f64::from(number) * scale / 1999.7);
        [1e-9, 0.01, 1.0, 7.0, 100.0, 1e4, largest].into_iter().flat_map(up_to)
    }

    #[test]
    fn errors_are_small() {
        assert!(error(sin, libm::sin, points(2e6)) < 3.0);
        assert!(error(cos, libm::cos, points(2e6)) < 3.0);
        assert!(error(exp, libm::exp, points(705.0).filter(|x| x.abs() < 706.0)) < 3.0);
        assert!(error(sinh, libm::sinh, points(705.0).filter(|x| x.abs() < 706.0)) < 4.0);
        assert!(error(cosh, libm::cosh, points(705.0).filter(|x| x.abs() < 706.0)) < 4.0);
    }

    /// Where nearly all digits cancel.
    #[test]
    fn multiples_of_a_quarter_turn() {
        let near = || (1..900_000).step_by(7).map(|number| f64::from(number) * QUARTER);
        assert!(error(sin, libm::sin, near()) < 3.0);
        assert!(error(cos, libm::cos, near()) < 3.0);
    }

    #[test]
    fn special_values() {
        assert!(sin(f64::NAN).is_nan() && cos(f64::INFINITY).is_nan() && exp(f64::NAN).is_nan());
        assert_eq!((exp(f64::NEG_INFINITY), exp(800.0), exp(-0.0)), (0.0, f64::INFINITY, 1.0));
        assert_eq!((sin(0.0), cos(0.0), sinh(0.0), cosh(0.0)), (0.0, 1.0, 0.0, 1.0));
        assert_eq!((cosh(800.0), sinh(-800.0)), (f64::INFINITY, f64::NEG_INFINITY));
    }
}
