//! Numbers of 80 bits as numbers of formulas: operators and elementary functions by the x87 unit.

use crate::angles;
use crate::extended::{with_free_unit, Extended, Unit};
use crate::number::Number;
use crate::{Arguments, Function, Partials, MOST_ARGUMENTS, MOST_VALUES};
use core::cmp::Ordering;
use core::ops::{Add, Div, Mul, Neg, Sub};

/// A number that exists only while the unit is free: nobody else can make one.
#[derive(Clone, Copy)]
struct Wide(Extended);

/// [`with_free_unit`] is around all that happens to numbers of this file.
const UNIT: Unit = Unit::while_free();

/// ln 2 as a sum. Multiples of the first part by exponents are exact.
const LN_2: (f64, f64, f64) =
    (0.693_147_180_558_298_7, 1.646_594_958_289_708_2e-12, -1.007_794_913_590_514_4e-28);
/// π / 2 as a sum. Multiples of the first two parts by numbers below [`MOST_TURNS`] are exact.
const HALF_PI: (f64, f64, f64, f64) = (
    1.570_796_326_792_333_3,
    2.563_344_151_583_955_8e-12,
    1.056_299_906_698_742_8e-23,
    -5.278_473_996_974_669e-40,
);
const MOST_TURNS: f64 = 67_108_864.0;

impl Function {
    /// The same as [`Function::partials`] for numbers of 80 bits.
    pub fn extended_partials(
        self,
        arguments: &Arguments<Extended>,
        values: [Extended; MOST_VALUES],
    ) -> [[Extended; MOST_ARGUMENTS]; MOST_VALUES] {
        with_free_unit(|_| {
            let arguments = Arguments { numbers: arguments.numbers.map(Wide), register: arguments.register };
            let partials: Partials<Wide> = self.partials(&arguments, values.map(Wide));
            partials.map(|row| row.map(|partial| partial.0))
        })
    }
}

impl Wide {
    /// The distance from the nearest multiple of a quarter turn, and the number of quarter turns modulo 4. `None` where
    /// the multiple has too many bits.
    fn reduced(self) -> Option<(Wide, u64)> {
        let turns = (self * Wide::of(core::f64::consts::FRAC_2_PI)).rounded();
        if turns.is_nan() || turns.abs() > Wide::of(MOST_TURNS) {
            return None;
        }
        let (first, second, third, fourth) = HALF_PI;
        let rest =
            self - turns * Wide::of(first) - turns * Wide::of(second) - turns * Wide::sum_of(third, fourth);
        Some((rest, (turns.to_f64() as i64).rem_euclid(4) as u64))
    }

    fn sine_and_cosine(self) -> (Wide, Wide) {
        if !self.is_finite() {
            return (Wide::nan(), Wide::nan());
        }
        let (rest, quarter) = self.reduced().unwrap_or_else(|| {
            let (quarter, rest) = angles::reduced(self.0);
            (Wide(rest) * Wide::pi() * Wide::of(0.5), quarter)
        });
        let (sine, cosine) = (Wide(UNIT.sine(rest.0)), Wide(UNIT.cosine(rest.0)));
        match quarter {
            0 => (sine, cosine),
            1 => (cosine, -sine),
            2 => (-sine, -cosine),
            _ => (-cosine, sine),
        }
    }

    /// The exponential function minus one of a small number.
    fn small_exp_m1(self) -> Wide {
        Wide(UNIT.power_of_two_minus_one((self / Wide::ln_2()).0))
    }
}

impl Number for Wide {
    const ASYMPTOTIC: f64 = 18.0;
    const LARGEST_SQUARED_EXPONENT: f64 = 5678.0;
    const SPLITTER: f64 = 4_294_967_297.0;

    fn of(number: f64) -> Wide {
        Wide(UNIT.from_binary64(number))
    }
    fn to_f64(self) -> f64 {
        UNIT.to_binary64(self.0)
    }
    fn abs(self) -> Wide {
        Wide(self.0.magnitude())
    }
    fn sqrt(self) -> Wide {
        Wide(UNIT.square_root(self.0))
    }
    fn exp(self) -> Wide {
        if self.abs() > Wide::of(12_000.0) {
            // Infinite, zero, or NaN.
            return if self > Wide::zero() { self * Wide::infinity() } else { Wide::zero() };
        }
        if self.is_nan() {
            return self;
        }
        let (first, second, third) = LN_2;
        let exponent = (self / Wide::ln_2()).rounded();
        let rest = self - exponent * Wide::of(first) - exponent * Wide::sum_of(second, third);
        Wide(UNIT.scaled((Wide::one() + rest.small_exp_m1()).0, exponent.0))
    }
    fn exp2(self) -> Wide {
        if self.abs() == Wide::infinity() {
            return self.exp();
        }
        let exponent = self.rounded();
        let rest = Wide(UNIT.power_of_two_minus_one((self - exponent).0));
        Wide(UNIT.scaled((Wide::one() + rest).0, exponent.0))
    }
    fn ln(self) -> Wide {
        Wide(UNIT.natural_logarithm(self.0))
    }
    fn sin(self) -> Wide {
        self.sine_and_cosine().0
    }
    fn cos(self) -> Wide {
        self.sine_and_cosine().1
    }
    fn sinh(self) -> Wide {
        let half = Wide::of(0.5);
        if self.abs() < half {
            let growth = self.small_exp_m1();
            return half * (growth + growth / (growth + Wide::one()));
        }
        let root = (half * self).exp();
        half * root * root - half / root / root
    }
    fn cosh(self) -> Wide {
        let half = Wide::of(0.5);
        let root = (half * self.abs()).exp();
        half * root * root + half / root / root
    }
    fn pow(self, exponent: Wide) -> Wide {
        if exponent == Wide::zero() || self == Wide::one() {
            return Wide::one();
        }
        let magnitude = (exponent * self.abs().ln()).exp();
        let half = exponent * Wide::of(0.5);
        let is_integer = exponent.rounded() == exponent;
        let is_odd = is_integer && half.rounded() != half;
        // A negative zero is no negative number.
        match self.0.is_negative() {
            true if is_odd => -magnitude,
            true if !is_integer && self != Wide::zero() => Wide::nan(),
            _ => magnitude,
        }
    }
    fn atan2(self, x: Wide) -> Wide {
        Wide(UNIT.angle(self.0, x.0))
    }
    fn rounded(self) -> Wide {
        Wide(UNIT.rounded(self.0))
    }
    fn power_of_two(exponent: i64) -> Wide {
        Wide(UNIT.scaled(Extended::ONE, UNIT.from_integer(exponent.clamp(-40_000, 40_000))))
    }
}

impl PartialEq for Wide {
    fn eq(&self, other: &Wide) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Wide {
    fn partial_cmp(&self, other: &Wide) -> Option<Ordering> {
        UNIT.compared(self.0, other.0)
    }
}

impl Add for Wide {
    type Output = Wide;
    fn add(self, other: Wide) -> Wide {
        Wide(UNIT.sum(self.0, other.0))
    }
}

impl Sub for Wide {
    type Output = Wide;
    fn sub(self, other: Wide) -> Wide {
        Wide(UNIT.difference(self.0, other.0))
    }
}

impl Mul for Wide {
    type Output = Wide;
    fn mul(self, other: Wide) -> Wide {
        Wide(UNIT.product(self.0, other.0))
    }
}

impl Div for Wide {
    type Output = Wide;
    fn div(self, other: Wide) -> Wide {
        Wide(UNIT.quotient(self.0, other.0))
    }
}

impl Neg for Wide {
    type Output = Wide;
    fn neg(self) -> Wide {
        Wide(self.0.negated())
    }
}
