//! Complex numbers, as far as derivatives of complex functions need them.

use crate::number::Number;
use core::ops::{Add, Div, Mul, Neg, Sub};

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Complex<N> {
    pub real: N,
    pub imaginary: N,
}

impl<N: Number> Complex<N> {
    pub fn new(real: N, imaginary: N) -> Complex<N> {
        Complex { real, imaginary }
    }
    pub fn one() -> Complex<N> {
        Complex::new(N::one(), N::zero())
    }
    pub fn zero() -> Complex<N> {
        Complex::new(N::zero(), N::zero())
    }
    /// Times the imaginary unit.
    pub fn turned(self) -> Complex<N> {
        Complex::new(-self.imaginary, self.real)
    }
    pub fn scaled(self, factor: N) -> Complex<N> {
        Complex::new(self.real * factor, self.imaginary * factor)
    }
    pub fn reciprocal(self) -> Complex<N> {
        Complex::one() / self
    }
    pub fn is_zero(self) -> bool {
        self == Complex::zero()
    }

    /// The root with a real part that is not negative.
    pub fn sqrt(self) -> Complex<N> {
        let (real, imaginary) = (self.real, self.imaginary);
        if self.is_zero() {
            return Complex::zero();
        }
        let half = N::of(0.5);
        let magnitude = (half * self.absolute() + half * real.abs()).sqrt();
        let other = half * imaginary.abs() / magnitude;
        let (root, rest) = if real < N::zero() { (other, magnitude) } else { (magnitude, other) };
        // The sign of a zero tells the side of the branch cut.
        let below = imaginary < N::zero() || imaginary == N::zero() && N::one() / imaginary < N::zero();
        Complex::new(root, if below { -rest } else { rest })
    }

    pub fn absolute(self) -> N {
        let (large, small) = {
            let (real, imaginary) = (self.real.abs(), self.imaginary.abs());
            if real > imaginary {
                (real, imaginary)
            } else {
                (imaginary, real)
            }
        };
        if large == N::zero() {
            return large;
        }
        large * (N::one() + (small / large).square()).sqrt()
    }

    /// The principal value.
    pub fn ln(self) -> Complex<N> {
        let (real, imaginary) = (self.real.abs(), self.imaginary.abs());
        let large = if real > imaginary { real } else { imaginary };
        let small = if real > imaginary { imaginary } else { real };
        let near_one = large > N::of(0.5) && large < N::of(2.0);
        let logarithm = if near_one {
            // large^2 + small^2 - 1, without cancellation.
            let square = small.square();
            let excess = (large - N::one()) * (large + N::one()) + square;
            N::of(0.5) * logarithm_of_one_plus(excess)
        } else {
            self.absolute().ln()
        };
        Complex::new(logarithm, self.imaginary.atan2(self.real))
    }

    pub fn sin(self) -> Complex<N> {
        let (x, y) = (self.real, self.imaginary);
        Complex::new(x.sin() * y.cosh(), x.cos() * y.sinh())
    }
    pub fn cos(self) -> Complex<N> {
        let (x, y) = (self.real, self.imaginary);
        Complex::new(x.cos() * y.cosh(), -(x.sin() * y.sinh()))
    }
    pub fn sinh(self) -> Complex<N> {
        let (x, y) = (self.real, self.imaginary);
        Complex::new(x.sinh() * y.cos(), x.cosh() * y.sin())
    }
    pub fn cosh(self) -> Complex<N> {
        let (x, y) = (self.real, self.imaginary);
        Complex::new(x.cosh() * y.cos(), x.sinh() * y.sin())
    }
}

/// `ln(1 + x)`: the rounding error of the sum is made up for.
pub(crate) fn logarithm_of_one_plus<N: Number>(x: N) -> N {
    let sum = N::one() + x;
    if sum == N::one() || x == N::infinity() {
        return x;
    }
    sum.ln() * (x / (sum - N::one()))
}

impl<N: Number> Add for Complex<N> {
    type Output = Complex<N>;
    fn add(self, other: Complex<N>) -> Complex<N> {
        Complex::new(self.real + other.real, self.imaginary + other.imaginary)
    }
}

impl<N: Number> Sub for Complex<N> {
    type Output = Complex<N>;
    fn sub(self, other: Complex<N>) -> Complex<N> {
        Complex::new(self.real - other.real, self.imaginary - other.imaginary)
    }
}

impl<N: Number> Neg for Complex<N> {
    type Output = Complex<N>;
    fn neg(self) -> Complex<N> {
        Complex::new(-self.real, -self.imaginary)
    }
}

impl<N: Number> Mul for Complex<N> {
    type Output = Complex<N>;
    fn mul(self, other: Complex<N>) -> Complex<N> {
        Complex::new(
            self.real * other.real - self.imaginary * other.imaginary,
            self.real * other.imaginary + self.imaginary * other.real,
        )
    }
}

impl<N: Number> Div for Complex<N> {
    type Output = Complex<N>;
    /// Divides by the larger part first, so that squares do not overflow: R. L. Smith, Algorithm 116, 1962.
    fn div(self, other: Complex<N>) -> Complex<N> {
        if other.real.abs() >= other.imaginary.abs() {
            let ratio = other.imaginary / other.real;
            let divisor = other.real + other.imaginary * ratio;
            Complex::new(
                (self.real + self.imaginary * ratio) / divisor,
                (self.imaginary - self.real * ratio) / divisor,
            )
        } else {
            let ratio = other.real / other.imaginary;
            let divisor = other.real * ratio + other.imaginary;
            Complex::new(
                (self.real * ratio + self.imaginary) / divisor,
                (self.imaginary * ratio - self.real) / divisor,
            )
        }
    }
}
