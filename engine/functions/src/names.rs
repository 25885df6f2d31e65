//! Functions by the names that libraries give them, and where those take their arguments that are not in the table.
//!
//! An argument is looked for where it is passed and nowhere else: registers behind the last one, and what lies above a
//! number in its register, may hold active values from before.

use crate::places::{self, FloatArguments, Kind};
use crate::table::Row;
use crate::{Format, Function};

// Lists of names that are not in the table, as many a line as fit.
const REAL_NONE: &[&str] = &["getpayload", "iscanonical", "matherr", "nan", "totalorder", "totalordermag"];
const REAL_ONE: &[&str] = &["dsqrt", "fsqrt", "setpayload", "setpayloadsig"];
#[rustfmt::skip]
const REAL_TWO: &[&str] = &[
    "add", "dadd", "ddiv", "div", "dmul", "dsub", "fadd", "fdiv", "fmul", "fsub", "mul", "sub",
];
const REAL_THREE: &[&str] = &["dfma", "ffma"];

/// Endings of names, the longer ones first. `_Float32x` is binary64, `_Float64x` has 80 bits.
const ENDINGS: &[(&str, Format)] = &[
    ("f128", Format::Binary128),
    ("f32x", Format::Binary64),
    ("f64x", Format::Extended),
    ("f32", Format::Binary32),
    ("f64", Format::Binary64),
    ("f", Format::Binary32),
    ("l", Format::Extended),
];

/// Beginnings of functions that round their result to another type: `f32addf64`.
const RESULTS: &[&str] = &["f32x", "f64x", "f32", "f64"];

/// The function of the table with this name. There is none in quadruple precision.
pub fn find(name: &[u8]) -> Option<Function> {
    let name = core::str::from_utf8(name).ok()?;
    let (base, format) = known(name, |base| row(base).is_some())?;
    let has_long_integer = LONG_INTEGERS.contains(&base);
    let function = Function { row: row(base)?, format, has_long_integer };
    (format != Format::Binary128).then_some(function)
}

/// Functions whose integer argument is a `long` or a `long long`.
const LONG_INTEGERS: &[&str] = &["compoundn", "pown", "rootn", "scalbln"];

fn row(base: &str) -> Option<usize> {
    Row::<f64>::ALL.iter().position(|row| row.names.contains(&base))
}

/// The arguments of a function of `libm` or `libmvec`. A name that is not known is taken to have one in xmm0: something
/// active there may be lost.
pub fn arguments(name: &[u8]) -> FloatArguments {
    let name = core::str::from_utf8(name).unwrap_or("");
    let found = match name.strip_prefix("_ZGV") {
        Some(vector) => of_vector_function(vector),
        None => kind_and_format(name).map(|(kind, format)| FloatArguments::of(kind, format)),
    };
    found.unwrap_or(FloatArguments { registers: 1, bytes: 8, extended: 0 })
}

fn kind_and_format(name: &str) -> Option<(Kind, Format)> {
    let (base, format) = known(name, |base| kind(base).is_some())?;
    Some((kind(base)?, format))
}

/// Splits a name into one that is known and the type that its ending says.
fn known(name: &str, is_known: impl Fn(&str) -> bool) -> Option<(&str, Format)> {
    let name = name.trim_start_matches('_');
    let name = name.strip_suffix("_finite").unwrap_or(name);
    let name = name.strip_suffix("_r").unwrap_or(name);
    if is_known(name) {
        return Some((name, Format::Binary64));
    }
    let plain = RESULTS.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    ENDINGS.iter().find_map(|(ending, format)| {
        let base = plain.strip_suffix(ending)?;
        is_known(base).then_some((base, *format))
    })
}

fn kind(base: &str) -> Option<Kind> {
    // These have an argument of another type.
    if base == "nexttoward" {
        return Some(Kind::Toward);
    }
    if let Some(row) = row(base) {
        return Some(places::kind(row));
    }
    let lists = [
        (REAL_NONE, Kind::Real(0)),
        (REAL_ONE, Kind::Real(1)),
        (REAL_TWO, Kind::Real(2)),
        (REAL_THREE, Kind::Real(3)),
    ];
    let found = lists.iter().find(|(names, _)| names.contains(&base)).map(|(_, kind)| *kind);
    // Those that access the floating-point environment: feraiseexcept and others.
    found.or_else(|| base.starts_with("fe").then_some(Kind::Real(0)))
}

/// `_ZGVdN4vv_pow`: instruction set, masked or not, lanes, a letter for each parameter (vector function ABI). Further
/// parameters of `sincos` are vectors of pointers.
fn of_vector_function(name: &str) -> Option<FloatArguments> {
    let (parameters, base) = name.split_once('_')?;
    let (kind, format) = kind_and_format(base)?;
    let lanes: usize =
        parameters.get(2..)?.trim_end_matches(|letter: char| letter.is_alphabetic()).parse().ok()?;
    let (Kind::Real(count), size) = (kind, if format == Format::Binary32 { 4 } else { 8 }) else {
        return None;
    };
    Some(FloatArguments { registers: count, bytes: lanes * size, extended: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect(name: &str, registers: usize, bytes: usize, extended: usize) {
        assert_eq!(arguments(name.as_bytes()), FloatArguments { registers, bytes, extended }, "{name}");
    }

    #[test]
    fn variants_of_a_name_differ_by_type() {
        expect("sin", 1, 8, 0);
        expect("sinf", 1, 4, 0);
        expect("sinl", 0, 0, 1);
        expect("sinf128", 1, 16, 0);
        expect("sinf32x", 1, 8, 0);
        expect("sinf64x", 0, 0, 1);
        expect("__exp_finite", 1, 8, 0);
        expect("__powf_finite", 2, 4, 0);
        expect("__atan2l_finite", 0, 0, 2);
        expect("lgammaf_r", 1, 4, 0);
        expect("__gammal_r_finite", 0, 0, 1);
    }

    #[test]
    fn endings_are_not_taken_for_types() {
        expect("erf", 1, 8, 0);
        expect("erff", 1, 4, 0);
        expect("modf", 1, 8, 0);
        expect("ceil", 1, 8, 0);
        expect("fmal", 0, 0, 3);
        expect("fmul", 2, 8, 0);
        expect("fmull", 0, 0, 2);
        expect("drem", 2, 8, 0);
        expect("dreml", 0, 0, 2);
    }

    #[test]
    fn complex_numbers_take_one_or_two_registers() {
        expect("cexp", 2, 8, 0);
        expect("cexpf", 1, 8, 0);
        expect("cexpl", 0, 0, 2);
        expect("cpow", 4, 8, 0);
        expect("cpowf", 2, 8, 0);
    }

    #[test]
    fn results_of_other_types_do_not_matter() {
        expect("f32addf64", 2, 8, 0);
        expect("f32xfmaf64x", 0, 0, 3);
        expect("f64xsqrtf128", 1, 16, 0);
        expect("nexttowardf", 1, 4, 1);
    }

    #[test]
    fn vector_functions() {
        expect("_ZGVbN2v_sin", 1, 16, 0);
        expect("_ZGVcN8v_expf", 1, 32, 0);
        expect("_ZGVdN4vv_pow", 2, 32, 0);
        expect("_ZGVdN4vvv_sincos", 1, 32, 0);
        expect("_ZGVeN16v_logf", 1, 64, 0);
    }

    #[test]
    fn functions_without_numbers_are_never_counted() {
        expect("feraiseexcept", 0, 8, 0);
        expect("nanf", 0, 4, 0);
        expect("a_name_of_the_future", 1, 8, 0);
    }
}
