//! Tests of what the table says about special points.

use crate::extended::with_free_unit;
use crate::{names, Arguments, MOST_ARGUMENTS};
use std::vec::Vec;

const INFINITE: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

fn partials(name: &str, numbers: &[f64], integer: i64, value: f64) -> Vec<f64> {
    let function = names::find(name.as_bytes()).expect("a function of the table");
    let mut all = [0.0; MOST_ARGUMENTS];
    all[..numbers.len()].copy_from_slice(numbers);
    let arguments = Arguments { numbers: all, register: integer as u64 };
    function.partials(&arguments, [value, 0.0])[0][..numbers.len()].to_vec()
}

#[track_caller]
fn expect(name: &str, numbers: &[f64], value: f64, expected: &[f64]) {
    expect_with_integer(name, numbers, 0, value, expected);
}

#[track_caller]
fn expect_with_integer(name: &str, numbers: &[f64], integer: i64, value: f64, expected: &[f64]) {
    let found = partials(name, numbers, integer, value);
    let same = |(found, expected): (&f64, &f64)| found == expected || found.is_nan() && expected.is_nan();
    assert!(found.iter().zip(expected).all(same), "{name} {numbers:?}: {found:?} instead of {expected:?}");
}

#[test]
fn powers() {
    expect("pow", &[0.0, 3.0], 0.0, &[0.0, 0.0]);
    expect("pow", &[0.0, 1.0], 0.0, &[1.0, 0.0]);
    expect("pow", &[0.0, 0.5], 0.0, &[INFINITE, 0.0]);
    expect("pow", &[0.0, 0.0], 1.0, &[0.0, -INFINITE]);
    expect("pow", &[0.0, -1.0], INFINITE, &[-INFINITE, -INFINITE]);
    expect("pow", &[-2.0, 3.0], -8.0, &[12.0, NAN]);
    expect("pow", &[-2.0, 0.0], 1.0, &[0.0, NAN]);
    expect("pow", &[2.0, 0.0], 1.0, &[0.0, core::f64::consts::LN_2]);
    expect("pow", &[1.0, INFINITE], 1.0, &[INFINITE, 0.0]);
    expect("pow", &[-8.0, 0.5], NAN, &[NAN, NAN]);
    expect_with_integer("pown", &[0.0], 1, 0.0, &[1.0]);
    expect_with_integer("pown", &[5.0], 0, 1.0, &[0.0]);
    // The value overflows, its derivative with respect to the base does not; and the other way round.
    let (base, value, slope) = (libm::exp2(664.0), libm::exp2(996.0), 1.5 * libm::exp2(332.0));
    expect("pow", &[base, 1.5], value, &[slope, value * libm::log(base)]);
    expect("pow", &[1e-200, 2.0], 0.0, &[2e-200, 0.0]);
}

#[test]
fn ends_of_domains() {
    for (name, x, value, expected) in [
        ("asin", 1.0, 1.5, INFINITE),
        ("asin", -1.0, -1.5, INFINITE),
        ("acos", 1.0, 0.0, -INFINITE),
        ("asin", 2.0, NAN, NAN),
        ("acosh", 1.0, 0.0, INFINITE),
        ("atanh", 1.0, INFINITE, INFINITE),
        ("atanh", 2.0, NAN, NAN),
        ("log", 0.0, -INFINITE, INFINITE),
        ("log", -0.0, -INFINITE, -INFINITE),
        ("log", -1.0, NAN, NAN),
        ("log1p", -1.0, -INFINITE, INFINITE),
        ("cbrt", 0.0, 0.0, INFINITE),
        ("rsqrt", 0.0, INFINITE, -INFINITE),
        ("tgamma", 0.0, INFINITE, -INFINITE),
        ("lgamma", -2.0, INFINITE, NAN),
        ("y0", 0.0, -INFINITE, INFINITE),
        ("y1", 0.0, -INFINITE, INFINITE),
    ] {
        expect(name, &[x], value, &[expected]);
    }
}

#[test]
fn infinite_arguments() {
    for (name, value, expected) in [
        ("atan", 1.5, 0.0),
        ("exp", INFINITE, INFINITE),
        ("log", INFINITE, 0.0),
        ("tanh", 1.0, 0.0),
        ("erf", 1.0, 0.0),
        ("sinh", INFINITE, INFINITE),
        ("sin", NAN, NAN),
    ] {
        expect(name, &[INFINITE], value, &[expected]);
    }
    expect("exp", &[-INFINITE], 0.0, &[0.0]);
    expect("tanh", &[-800.0], -1.0, &[0.0]);
}

#[test]
fn origins_and_multiples() {
    expect("hypot", &[0.0, 0.0], 0.0, &[0.0, 0.0]);
    expect("hypot", &[-INFINITE, 1.0], INFINITE, &[-1.0, 0.0]);
    expect("hypot", &[1e300, 1e300], 1.414e300, &[1e300 / 1.414e300, 1e300 / 1.414e300]);
    expect("cabs", &[0.0, 0.0], 0.0, &[0.0, 0.0]);
    // Only the value overflows.
    expect("hypot", &[1.5e308, -1.125e308], INFINITE, &[0.8, -0.6]);
    expect("cabs", &[0.0, f64::MAX], INFINITE, &[0.0, 1.0]);
    expect("hypot", &[NAN, INFINITE], INFINITE, &[NAN, NAN]);
    expect("atan2", &[0.0, 0.0], 0.0, &[NAN, NAN]);
    expect("atan2", &[0.0, -2.0], core::f64::consts::PI, &[-0.5, 0.0]);
    expect("atan2", &[1e300, 1e300], 0.78, &[0.5e-300, -0.5e-300]);
    expect("fmod", &[6.0, 2.0], 0.0, &[1.0, -3.0]);
    expect("fmod", &[-5.0, 2.0], -1.0, &[1.0, 2.0]);
    expect("remainder", &[5.0, 2.0], 1.0, &[1.0, -2.0]);
    expect("fdim", &[2.0, 2.0], 0.0, &[0.0, 0.0]);
    expect("ldexp", &[0.0], 0.0, &[1.0]);
    expect("frexp", &[0.0], 0.0, &[1.0]);
}

#[test]
fn degrees() {
    let tiny = 1e-20;
    let degree = core::f64::consts::PI / 180.0;
    expect("cosd", &[tiny], 1.0, &[-degree * (core::f64::consts::PI * (tiny / 180.0))]);
    expect("cosd", &[180.0], -1.0, &[0.0]);
    expect("sind", &[90.0], 1.0, &[0.0]);
    expect("sind", &[-360.0], 0.0, &[degree]);
}

/// Powers of 80 bits come from logarithms.
#[test]
fn powers_of_80_bits() {
    let wide = |number| with_free_unit(|unit| unit.from_binary64(number));
    let narrow = |number| with_free_unit(|unit| unit.to_binary64(number));
    for (base, exponent, value, expected) in [
        (0.0, 1.0, 0.0, 1.0),
        (0.0, 3.0, 0.0, 0.0),
        (0.0, 0.5, 0.0, INFINITE),
        (-0.0, -2.0, INFINITE, INFINITE),
        (-INFINITE, 1.0, -INFINITE, 1.0),
        (-2.0, 3.0, -8.0, 12.0),
    ] {
        let arguments = Arguments { numbers: [base, exponent, 0.0, 0.0].map(wide), register: 0 };
        let function = names::find(b"powl").expect("a function of the table");
        let found = function.extended_partials(&arguments, [wide(value), wide(0.0)])[0][0];
        assert_eq!(narrow(found), expected, "{base} to the power of {exponent}");
    }
}

#[test]
fn complex_functions_do_not_overflow() {
    for (name, z) in [("ctan", [1.0, 800.0]), ("ctanh", [-800.0, 1.0])] {
        let function = names::find(name.as_bytes()).expect("a function of the table");
        let arguments = Arguments { numbers: [z[0], z[1], 0.0, 0.0], register: 0 };
        assert_eq!(function.partials(&arguments, [0.0, 1.0])[1][..2], [0.0, 0.0], "{name}");
    }
    for name in ["catan", "catanh"] {
        let function = names::find(name.as_bytes()).expect("a function of the table");
        let arguments = Arguments { numbers: [1e200, 1e200, 0.0, 0.0], register: 0 };
        assert_eq!(function.partials(&arguments, [1.5, 0.0])[0][..2], [0.0, 0.0], "{name}");
    }
}
