//! What formulas of partial derivatives need of a number: written once for all precisions.

use crate::bessel;
use crate::elementary;
use core::ops::{Add, Div, Mul, Neg, Sub};

/// A real number in some precision.
pub trait Number:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// From here on the asymptotic series of the digamma function has full precision.
    const ASYMPTOTIC: f64;
    /// The square of the exponential function is finite up to here.
    const LARGEST_SQUARED_EXPONENT: f64;

    /// Two to the power of half the bits of a number, rounded up, plus one.
    const SPLITTER: f64;

    fn of(number: f64) -> Self;
    fn to_f64(self) -> f64;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    fn exp(self) -> Self;
    fn exp2(self) -> Self;
    fn ln(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn sinh(self) -> Self;
    fn cosh(self) -> Self;
    fn pow(self, exponent: Self) -> Self;
    /// The angle of the point (x, y), where `self` is y.
    fn atan2(self, x: Self) -> Self;
    /// The nearest integer.
    fn rounded(self) -> Self;
    /// Two to the power of an integer.
    fn power_of_two(exponent: i64) -> Self;

    /// Derivatives of Bessel functions, whose arguments are not zero.
    fn bessel_first_kind(self, order: i64) -> Self {
        bessel::derivative_of_first_kind(order, self)
    }
    fn bessel_second_kind(self, order: i64) -> Self {
        bessel::derivative_of_second_kind(order, self)
    }

    /// A number of more digits than binary64 has: the sum of two.
    fn sum_of(high: f64, low: f64) -> Self {
        Self::of(high) + Self::of(low)
    }
    fn pi() -> Self {
        Self::sum_of(core::f64::consts::PI, 1.224_646_799_147_353_2e-16)
    }
    fn ln_2() -> Self {
        Self::sum_of(core::f64::consts::LN_2, 2.319_046_813_846_299_6e-17)
    }
    fn ln_10() -> Self {
        Self::sum_of(core::f64::consts::LN_10, -2.170_756_223_382_249_3e-16)
    }
    fn two_over_root_pi() -> Self {
        Self::sum_of(core::f64::consts::FRAC_2_SQRT_PI, 1.533545961316588e-17)
    }
    fn nan() -> Self {
        Self::of(f64::NAN)
    }
    fn infinity() -> Self {
        Self::of(f64::INFINITY)
    }
    fn zero() -> Self {
        Self::of(0.0)
    }
    fn one() -> Self {
        Self::of(1.0)
    }
    fn square(self) -> Self {
        self * self
    }
    fn is_nan(self) -> bool {
        self.partial_cmp(&self).is_none()
    }
    fn is_finite(self) -> bool {
        self.abs() < Self::infinity()
    }
    /// The sine of pi times the number, whose reduction is exact.
    fn sin_pi(self) -> Self {
        let (distance, sign) = self.to_nearest_integer();
        sign * (Self::pi() * distance).sin()
    }
    fn cos_pi(self) -> Self {
        let (distance, sign) = self.to_nearest_integer();
        let distance = distance.abs();
        let half = Self::of(0.5);
        // Near a zero the sine has the digits.
        let magnitude = if distance > Self::of(0.25) {
            (Self::pi() * (half - distance)).sin()
        } else {
            (Self::pi() * distance).cos()
        };
        sign * magnitude
    }
    /// Distance from the nearest integer, and 1 if that is even, else -1.
    fn to_nearest_integer(self) -> (Self, Self) {
        let integer = self.rounded();
        let half = integer * Self::of(0.5);
        let is_even = half.rounded() == half;
        (self - integer, Self::of(if is_even { 1.0 } else { -1.0 }))
    }
    /// Rounding error of the product `self * other`, which is `product`: T. J. Dekker, A floating-point technique for
    /// extending the available precision, 1971. An instruction that fuses product and sum is no help: it clears upper
    /// halves of vector registers, which are the client's.
    fn product_error(self, other: Self, product: Self) -> Self {
        let split = |number: Self| {
            let shifted = number * Self::of(Self::SPLITTER);
            let high = shifted - (shifted - number);
            (high, number - high)
        };
        let ((a, b), (c, d)) = (split(self), split(other));
        ((a * c - product) + a * d + b * c) + b * d
    }
    /// The exponential function of minus the square.
    fn exp_of_minus_square(self) -> Self {
        let square = self.square();
        let error = self.product_error(self, square);
        let value = (-square).exp();
        if value == Self::zero() {
            return value;
        }
        value - value * error
    }
}

impl Number for f64 {
    const ASYMPTOTIC: f64 = 10.0;
    const LARGEST_SQUARED_EXPONENT: f64 = 355.0;
    const SPLITTER: f64 = 134_217_729.0;

    fn of(number: f64) -> f64 {
        number
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn abs(self) -> f64 {
        libm::fabs(self)
    }
    fn sqrt(self) -> f64 {
        libm::sqrt(self)
    }
    fn exp(self) -> f64 {
        elementary::exp(self)
    }
    fn exp2(self) -> f64 {
        libm::exp2(self)
    }
    fn ln(self) -> f64 {
        libm::log(self)
    }
    fn sin(self) -> f64 {
        elementary::sin(self)
    }
    fn cos(self) -> f64 {
        elementary::cos(self)
    }
    fn sinh(self) -> f64 {
        elementary::sinh(self)
    }
    fn cosh(self) -> f64 {
        elementary::cosh(self)
    }
    fn pow(self, exponent: f64) -> f64 {
        libm::pow(self, exponent)
    }
    fn atan2(self, x: f64) -> f64 {
        libm::atan2(self, x)
    }
    fn rounded(self) -> f64 {
        libm::rint(self)
    }
    // Half the difference of the neighbours: DLMF 10.6.1.
    fn bessel_first_kind(self, order: i64) -> f64 {
        let order = order as i32;
        if order == 0 {
            return -libm::j1(self);
        }
        (libm::jn(order.wrapping_sub(1), self) - libm::jn(order.wrapping_add(1), self)) / 2.0
    }
    fn bessel_second_kind(self, order: i64) -> f64 {
        let order = order as i32;
        if order == 0 {
            return -libm::y1(self);
        }
        let (before, after) = (libm::yn(order.wrapping_sub(1), self), libm::yn(order.wrapping_add(1), self));
        match (before.is_infinite(), after.is_infinite()) {
            // The one of higher order is the larger one.
            (true, true) if order > 0 => -after,
            (true, true) => before,
            _ => (before - after) / 2.0,
        }
    }
    fn power_of_two(exponent: i64) -> f64 {
        libm::ldexp(1.0, exponent.clamp(-5000, 5000) as i32)
    }
}
