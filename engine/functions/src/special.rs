//! Special functions, and derivatives that need more than one formula.

use crate::complex::Complex;
use crate::number::Number;

/// Numerators and denominators of `B(2k) / 2k`, from k = 1 on: DLMF 5.11.2.
const SERIES: [(f64, f64); 10] = [
    (1.0, 12.0),
    (-1.0, 120.0),
    (1.0, 252.0),
    (-1.0, 240.0),
    (1.0, 132.0),
    (-691.0, 32760.0),
    (1.0, 12.0),
    (-3617.0, 8160.0),
    (43867.0, 14364.0),
    (-174_611.0, 6600.0),
];

/// The logarithmic derivative of the gamma function: its reflection (DLMF 5.5.4), its recurrence (5.5.2) up to where
/// its asymptotic series (5.11.2) is precise.
pub fn digamma<N: Number>(x: N) -> N {
    if x == N::zero() {
        return -(N::one() / x);
    }
    if x < N::zero() {
        let is_pole = x.rounded() == x;
        return if is_pole { N::nan() } else { digamma(N::one() - x) - N::pi() * x.cos_pi() / x.sin_pi() };
    }
    let mut recurrence = N::zero();
    let mut x = x;
    while x < N::of(N::ASYMPTOTIC) {
        // 1 / x + 1 / (x + 1), with one quotient.
        let next = x + N::one();
        recurrence = recurrence + (x + next) / (x * next);
        x = next + N::one();
    }
    let step = N::one() / x.square();
    let term = |sum: N, (numerator, denominator): &(f64, f64)| {
        (sum + N::of(*numerator) / N::of(*denominator)) * step
    };
    let series = SERIES.iter().rev().fold(N::zero(), term);
    x.ln() - N::of(0.5) / x - series - recurrence
}

/// Derivative of the Bessel function of the second kind.
pub fn bessel_second_kind<N: Number>(order: i64, x: N) -> N {
    if x == N::zero() {
        // Minus infinity is where the function comes from, with the sign of (-1)^order for negative orders.
        let is_reflected = order < 0 && order % 2 != 0;
        return if is_reflected { -N::infinity() } else { N::infinity() };
    }
    x.bessel_second_kind(order)
}

/// Derivative of a power whose value is `value` with respect to its exponent.
pub fn with_exponent<N: Number>(base: N, exponent: N, value: N) -> N {
    if base == N::zero() {
        return if exponent > N::zero() { N::zero() } else { -N::infinity() };
    }
    if value == N::zero() {
        return N::zero();
    }
    // The logarithm of a negative number is NaN.
    value * base.ln()
}

/// Derivative of a power with respect to its base.
pub fn with_base<N: Number>(base: N, exponent: N, value: N) -> N {
    if exponent == N::zero() {
        return N::zero();
    }
    if value == N::zero() || base == N::zero() || !value.is_finite() || !base.is_finite() {
        return exponent * base.pow(exponent - N::one());
    }
    value * (exponent / base)
}

/// Partial derivatives of `atan2(y, x)`. The larger argument is divided by, so that nothing overflows.
pub fn angle<N: Number>(y: N, x: N) -> [N; 2] {
    if x.abs() > y.abs() {
        let ratio = y / x;
        let divisor = x * (N::one() + ratio.square());
        [N::one() / divisor, -ratio / divisor]
    } else {
        let ratio = x / y;
        let divisor = y * (N::one() + ratio.square());
        [ratio / divisor, -(N::one() / divisor)]
    }
}

/// Partial derivatives of the length of (x, y).
pub fn length<N: Number>(x: N, y: N, value: N) -> [N; 2] {
    if value == N::zero() {
        return [N::zero(); 2];
    }
    if value.is_finite() {
        return [x / value, y / value];
    }
    let sign = |part: N| match (part.is_finite(), part > N::zero()) {
        (true, _) => N::zero(),
        (false, true) => N::one(),
        (false, false) => -N::one(),
    };
    match (x.is_finite(), y.is_finite()) {
        (false, false) => [N::nan(); 2],
        // The value has overflowed, its direction has not.
        (true, true) => {
            let quarter = N::of(0.25);
            let value = Complex::new(x * quarter, y * quarter).absolute();
            [x * quarter / value, y * quarter / value]
        }
        _ => [sign(x), sign(y)],
    }
}

/// `1 / ((1 - x) (1 + x))`, whose factors do not cancel.
pub fn one_over_one_minus_square<N: Number>(x: N) -> N {
    N::one() / ((N::one() - x) * (N::one() + x))
}

/// `1 / cosh^2 x`, with one exponential function and one quotient, and without overflow.
pub fn one_over_square_of_hyperbolic_cosine<N: Number>(x: N) -> N {
    let magnitude = x.abs();
    let power = (-(magnitude + magnitude)).exp();
    N::of(4.0) * power / (N::one() + power).square()
}

/// Partial derivatives of a remainder: the quotient is an integer, which does not change.
pub fn remainder<N: Number>(dividend: N, divisor: N, value: N) -> [N; 2] {
    [N::one(), -((dividend - value) / divisor).rounded()]
}
