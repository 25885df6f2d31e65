//! The functions of Rust's `f64`, and of `f32` by way of `f64`, against their derivatives.

#[path = "rust_check.rs"]
mod rust_check;

use rust_check::{check, input};
use std::f64::consts::{LN_10, LN_2};
use std::hint::black_box;

fn main() {
    let x = black_box(1.3f64);
    let t = || input(x, 1.0);
    check("sin", t().sin(), x.cos());
    check("cos", t().cos(), -x.sin());
    check("tan", t().tan(), 1.0 / (x.cos() * x.cos()));
    check("sin_cos", t().sin_cos().0, x.cos());
    check("asin", (t() / 2.0).asin(), 0.5 / (1.0 - x * x / 4.0).sqrt());
    check("acos", (t() / 2.0).acos(), -0.5 / (1.0 - x * x / 4.0).sqrt());
    check("atan", t().atan(), 1.0 / (1.0 + x * x));
    check("atan2", t().atan2(2.0), 2.0 / (4.0 + x * x));
    check("sinh", t().sinh(), x.cosh());
    check("cosh", t().cosh(), x.sinh());
    check("tanh", t().tanh(), 1.0 / (x.cosh() * x.cosh()));
    check("asinh", t().asinh(), 1.0 / (1.0 + x * x).sqrt());
    check("acosh", t().acosh(), 1.0 / (x * x - 1.0).sqrt());
    check("atanh", (t() / 2.0).atanh(), 0.5 / (1.0 - x * x / 4.0));
    check("exp", t().exp(), x.exp());
    check("exp2", t().exp2(), x.exp2() * LN_2);
    check("exp_m1", t().exp_m1(), x.exp());
    check("ln", t().ln(), 1.0 / x);
    check("ln_1p", t().ln_1p(), 1.0 / (1.0 + x));
    check("log2", t().log2(), 1.0 / (x * LN_2));
    check("log10", t().log10(), 1.0 / (x * LN_10));
    check("log", t().log(3.0), 1.0 / (x * 3f64.ln()));
    check("sqrt", t().sqrt(), 0.5 / x.sqrt());
    check("cbrt", t().cbrt(), 1.0 / (3.0 * x.cbrt() * x.cbrt()));
    check("hypot", t().hypot(2.0), x / x.hypot(2.0));
    check("powi", t().powi(black_box(7)), 7.0 * x.powi(6));
    check("powf", t().powf(2.5), 2.5 * x.powf(1.5));
    check("powf of the exponent", 2.5f64.powf(t()), 2.5f64.powf(x) * 2.5f64.ln());
    check("mul_add", t().mul_add(3.0, 1.0), 3.0);
    check("abs", (-t()).abs(), 1.0);
    check("signum", t() * t().signum(), 1.0);
    check("copysign", t().copysign(-1.0), -1.0);
    check("floor", t() * t().floor(), 1.0);
    check("ceil", t() * t().ceil(), 2.0);
    check("round", t() * t().round(), 1.0);
    check("trunc", t() * t().trunc(), 1.0);
    check("fract", t().fract(), 1.0);
    check("rem_euclid", (-t()).rem_euclid(0.5), -1.0);
    check("rem", t() % 0.5, 1.0);
    check("min", t().min(2.0), 1.0);
    check("max", t().max(2.0), 0.0);
    check("clamp", t().clamp(0.0, 1.0), 0.0);
    check("max, behind a lane that nobody needs", max_of_two_lanes(t()), 3.0);
    check("order", ordered(&[-t(), t(), -3.0 * t(), 0.5 * t()]), -3.0 - 2.0 + 0.5 * 3.0 + 4.0);
    check("recip", t().recip(), -1.0 / (x * x));
    check("to_degrees", t().to_degrees(), 180.0 / std::f64::consts::PI);
    let narrow = x as f32;
    let of_float = |function: fn(f32) -> f32| f64::from(function(t() as f32));
    check("sine of f32", of_float(f32::sin), f64::from(narrow.cos()));
    check("logarithm of f32", of_float(f32::ln), f64::from(1.0 / narrow));
    check("cube root of f32", of_float(f32::cbrt), f64::from(1.0 / (3.0 * narrow.cbrt() * narrow.cbrt())));
    check("exponential of f32", of_float(f32::exp), f64::from(narrow.exp()));
}

/// The maximum is selected by a mask, whose upper lane is what was in the register before: bits of an active number.
#[inline(never)]
fn max_of_two_lanes(x: f64) -> f64 {
    use std::arch::x86_64::{_mm_cvtsd_f64, _mm_mul_pd, _mm_set1_pd, _mm_set_pd, _mm_unpackhi_pd};
    // SAFETY: every processor for which this is compiled has these instructions.
    #[allow(unused_unsafe)]
    unsafe {
        let pair = _mm_mul_pd(_mm_set1_pd(x), _mm_set_pd(3.0, 2.0));
        _mm_cvtsd_f64(pair).max(_mm_cvtsd_f64(_mm_unpackhi_pd(pair, pair)))
    }
}

/// Numbers are sorted as integers.
#[inline(never)]
fn ordered(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let products = sorted.iter().zip(1..).map(|(number, position)| number * f64::from(position));
    products.sum()
}
