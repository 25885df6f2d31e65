//! Functions by the names that libraries give them, and where those take their arguments that are not in the table.
//!
//! An argument is looked for where it is passed and nowhere else: registers behind the last one, and what lies above a
//! number in its register, may hold active values from before.

use crate::places::{self, FloatArguments, Kind};
use crate::table::Row;
use crate::vectors::{self, Mask};
use crate::{Format, Function, Which};

// Lists of names that are not in the table, as many a line as fit.
const REAL_NONE: &[&str] = &["getpayload", "iscanonical", "matherr", "nan", "totalorder", "totalordermag"];
const REAL_ONE: &[&str] = &["setpayload", "setpayloadsig"];

/// Endings of names, the longer ones first. `_Float32x` is binary64, `_Float64x` has 80 bits; `q` is that of
/// libquadmath.
const ENDINGS: &[(&str, Format)] = &[
    ("f128", Format::Binary128),
    ("f32x", Format::Binary64),
    ("f64x", Format::Extended),
    ("f32", Format::Binary32),
    ("f64", Format::Binary64),
    ("f", Format::Binary32),
    ("l", Format::Extended),
    ("q", Format::Binary128),
];

/// Beginnings of functions that round their result to another type, `fadd`, `f32xdivf64x`, and this type.
const RESULTS: &[(&str, Format)] = &[
    ("f32x", Format::Binary64),
    ("f64x", Format::Extended),
    ("f32", Format::Binary32),
    ("f64", Format::Binary64),
    ("f", Format::Binary32),
    ("d", Format::Binary64),
];

/// These functions by the name in which the result is `float` and the arguments are `double`.
const NARROWING: &[&str] = &["fadd", "fsub", "fmul", "fdiv", "fsqrt", "ffma"];

/// Functions whose integer argument is a `long` or a `long long`.
const LONG_INTEGERS: &[&str] = &["compoundn", "pown", "rootn", "scalbln"];

/// What a name says.
#[derive(Clone, Copy)]
struct Meaning<'a> {
    base: &'a str,
    format: Format,
    result: Format,
}

/// The function of the table with this name. There is none in quadruple precision.
pub fn find(name: &[u8]) -> Option<Function> {
    let text = core::str::from_utf8(name).ok()?;
    if is_of_vectors(name) {
        of_vectors(text)
    } else {
        scalar(text)
    }
}

fn of_vectors(name: &str) -> Option<Function> {
    let parsed = vectors::parse(name)?;
    let meaning = meaning(parsed.scalar)?;
    let row = row(meaning.base)?;
    let parameters = places::vector_parameters(row)?;
    let fits = parsed.fits(meaning.format) && meaning.format == meaning.result;
    let counts = parsed.parameters.is_none_or(|found| found == parameters);
    // Vectors of pointers may need more than the eight registers for arguments. Intel's functions have none.
    let room = 7 * parsed.vector.pointer_register;
    let has_pointers = places::takes_pointers(row) && parsed.vector.pointer_register > 0;
    let has_places = !has_pointers || 2 * 8 * parsed.vector.lanes <= room;
    let is_known = fits && counts && has_places;
    is_known.then_some(Function { vector: Some(parsed.vector), ..scalar(parsed.scalar)? })
}

/// Is it the name of a function of vectors?
pub fn is_of_vectors(name: &[u8]) -> bool {
    name.starts_with(b"_ZGV") || name.starts_with(b"__svml_")
}

fn scalar(name: &str) -> Option<Function> {
    let Meaning { base, format, result } = meaning(name)?;
    let has_long_integer = LONG_INTEGERS.contains(&base);
    let which = Which::Row(row(base)?);
    let is_known = format != Format::Binary128 && result != Format::Binary128;
    is_known.then_some(Function { which, format, result, has_long_integer, vector: None })
}

fn row(base: &str) -> Option<usize> {
    Row::<f64>::ALL.iter().position(|row| row.names.contains(&base))
}

/// The arguments of a function of `libm` or `libmvec`. A name that is not known is taken to have one in xmm0: something
/// active there may be lost.
pub fn arguments(name: &[u8]) -> FloatArguments {
    let text = core::str::from_utf8(name).unwrap_or("");
    let found = if is_of_vectors(name) {
        of_vector_function(text)
    } else {
        kind_and_format(text).map(|(kind, format)| FloatArguments::of(kind, format))
    };
    found.unwrap_or(FloatArguments { registers: 1, bytes: 8, extended: 0 })
}

fn kind_and_format(name: &str) -> Option<(Kind, Format)> {
    if let Some(meaning) = meaning(name) {
        return Some((kind(meaning.base)?, meaning.format));
    }
    let (base, format) = known(name, |base| kind(base).is_some())?;
    Some((kind(base)?, format))
}

/// What the name of a function of the table says.
fn meaning(name: &str) -> Option<Meaning<'_>> {
    if let Some(narrowing) = narrowing(name) {
        return Some(narrowing);
    }
    let (base, format) = known(name, |base| row(base).is_some() && !NARROWING.contains(&base))?;
    Some(Meaning { base, format, result: format })
}

/// A function that rounds to another type: `f32addf64` is `fadd`.
fn narrowing(name: &str) -> Option<Meaning<'static>> {
    RESULTS.iter().find_map(|(prefix, result)| {
        let rest = name.strip_prefix(prefix)?;
        NARROWING.iter().find_map(|base| {
            let ending = rest.strip_prefix(&base[1..])?;
            // `fadd`, `faddl`, `daddl`; but `f32addf64`.
            let is_short = *prefix == "f" || *prefix == "d";
            let format = match ending {
                "" if is_short => Format::Binary64,
                "l" if is_short => Format::Extended,
                _ if is_short => return None,
                _ => ENDINGS.iter().find(|(known, _)| *known == ending && known.len() > 1)?.1,
            };
            Some(Meaning { base, format, result: *result })
        })
    })
}

/// Splits a name into one that is known and the type that its ending says.
fn known(name: &str, is_known: impl Fn(&str) -> bool) -> Option<(&str, Format)> {
    let name = name.trim_start_matches('_');
    let name = name.strip_suffix("_finite").unwrap_or(name);
    let name = name.strip_suffix("_r").unwrap_or(name);
    if is_known(name) {
        return Some((name, Format::Binary64));
    }
    ENDINGS.iter().find_map(|(ending, format)| {
        let base = name.strip_suffix(ending)?;
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
    let lists = [(REAL_NONE, Kind::Real(0)), (REAL_ONE, Kind::Real(1))];
    let found = lists.iter().find(|(names, _)| names.contains(&base)).map(|(_, kind)| *kind);
    // Those that access the floating-point environment: feraiseexcept and others.
    found.or_else(|| base.starts_with("fe").then_some(Kind::Real(0)))
}

/// The vectors of a function whose version for single numbers is known.
fn of_vector_function(name: &str) -> Option<FloatArguments> {
    let parsed = vectors::parse(name)?;
    let registers = match kind_and_format(parsed.scalar) {
        Some((Kind::Real(count), _)) => count,
        Some(_) => return None,
        None => 1,
    };
    let registers = registers + usize::from(parsed.vector.mask == Mask::Register);
    Some(FloatArguments { registers, bytes: parsed.vector.lanes * parsed.size, extended: 0 })
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
    fn results_of_other_types() {
        expect("f32addf64", 2, 8, 0);
        expect("f32xfmaf64x", 0, 0, 3);
        expect("faddl", 0, 0, 2);
        for (name, result) in [
            ("fadd", Format::Binary32),
            ("dmull", Format::Binary64),
            ("f32xsqrtf64x", Format::Binary64),
            ("f32divf32x", Format::Binary32),
        ] {
            assert_eq!(find(name.as_bytes()).map(|function| function.result), Some(result), "{name}");
        }
        for unknown in ["fadd128", "f64xaddf128", "div", "add", "faddf64", "sinq"] {
            assert_eq!(find(unknown.as_bytes()), None, "{unknown}");
        }
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
        expect("__svml_pow4", 2, 32, 0);
        expect("__svml_powf16_mask", 3, 64, 0);
        expect("__svml_powf8_mask", 2, 32, 0);
        expect("__svml_future4", 1, 32, 0);
    }

    /// Lanes and bytes of a function of vectors.
    fn lanes(name: &str) -> Option<(usize, usize)> {
        let function = find(name.as_bytes())?;
        Some((function.lanes(), function.float_arguments().bytes))
    }

    #[test]
    fn vector_functions_have_lanes_that_fill_a_register() {
        assert_eq!(lanes("_ZGVbN2v_sin"), Some((2, 16)));
        assert_eq!(lanes("_ZGVbN4vvv_sincosf"), Some((4, 16)));
        assert_eq!(lanes("_ZGVeN16vv_powf"), Some((16, 64)));
        assert_eq!(lanes("_ZGVdM4v_log"), Some((4, 32)));
        for unknown in
            ["_ZGVbN4v_sin", "_ZGVdN4v_pow", "_ZGVcN8vvv_sincosf", "_ZGVdN4vl_pow", "_ZGVdN4v_mine"]
        {
            assert_eq!(lanes(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn numbers_at_the_end_of_intel_names_are_lanes() {
        for (name, found, bytes) in [
            ("__svml_atan2", 2, 16),
            ("__svml_atan22", 2, 16),
            ("__svml_atan24_ha", 4, 32),
            ("__svml_exp28", 8, 64),
            ("__svml_log102", 2, 16),
            ("__svml_log2f16", 16, 64),
            ("__svml_erff4", 4, 16),
            ("__svml_erf4_ep_mask", 4, 32),
            ("__svml_sinf16_mask", 16, 64),
            ("__svml_sinf8_l9", 8, 32),
            ("__svml_exp2_ha_mask_e9", 2, 16),
            ("__svml_powf16_z0", 16, 64),
            ("__svml_sincos4", 4, 32),
            ("__svml_log10f1_br", 1, 4),
        ] {
            assert_eq!(lanes(name), Some((found, bytes)), "{name}");
        }
        let arguments = |name: &str| find(name.as_bytes()).map(|function| function.arguments().len());
        assert_eq!(arguments("__svml_atan2"), Some(2));
        assert_eq!(arguments("__svml_atan22"), Some(4));
        assert_eq!(arguments("__svml_sin8_mask"), Some(16));
        assert_eq!(arguments("__svml_sin4_mask"), Some(4));
        assert_eq!(arguments("__svml_sincos8_mask"), Some(24));
        let values = |name: &str| find(name.as_bytes()).map(|function| function.values().len());
        assert_eq!(values("__svml_sincosf4"), Some(8));
        for unknown in ["__svml_sin4_what", "__svml_sin3", "__svml_dsin_cout_rare"] {
            assert_eq!(lanes(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn functions_without_numbers_are_never_counted() {
        expect("feraiseexcept", 0, 8, 0);
        expect("nanf", 0, 4, 0);
        expect("a_name_of_the_future", 1, 8, 0);
    }
}
