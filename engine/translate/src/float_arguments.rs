//! Where the functions of the mathematics library take their floating-point arguments, by name.
//!
//! An argument is looked for where it is passed (System V ABI, section 3.2.3) and nowhere else: registers behind the last
//! one, and what lies above a number in its register, may hold active values from before.

/// Places of a function's floating-point arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FloatArguments {
    /// How many vector registers hold some, from xmm0 on.
    pub registers: usize,
    /// Bytes of each of these registers that belong to arguments.
    pub bytes: usize,
    /// 80-bit numbers above the return address, 16 bytes apart.
    pub extended: usize,
}

/// Type of the arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    Binary32,
    Binary64,
    Extended,
    Binary128,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Real(usize),
    Complex(usize),
    /// One number of the function's type, and one of 80 bits.
    Toward,
}

// Lists of names, as many a line as fit.
#[rustfmt::skip]
const REAL_NONE: &[&str] = &[
    "canonicalize", "getpayload", "iscanonical", "matherr", "nan", "totalorder", "totalordermag",
];
#[rustfmt::skip]
const REAL_ONE: &[&str] = &[
    "acos", "acosh", "acospi", "asin", "asinh", "asinpi", "atan", "atanh", "atanpi", "cbrt", "ceil", "compoundn", "cos",
    "cosh", "cospi", "dsqrt", "erf", "erfc", "exp", "exp10", "exp10m1", "exp2", "exp2m1", "expm1", "fabs", "finite",
    "floor", "fpclassify", "frexp", "fromfp", "fromfpx", "fsqrt", "gamma", "ilogb", "isinf", "isnan", "issignaling", "j0",
    "j1", "jn", "ldexp", "lgamma", "llogb", "llrint", "llround", "log", "log10", "log10p1", "log1p", "log2", "log2p1",
    "logb", "logp1", "lrint", "lround", "modf", "nearbyint", "nextdown", "nextup", "pow10", "pown", "rint", "rootn",
    "round", "roundeven", "rsqrt", "scalbln", "scalbn", "setpayload", "setpayloadsig", "signbit", "significand", "sin",
    "sincos", "sinh", "sinpi", "sqrt", "tan", "tanh", "tanpi", "tgamma", "trunc", "ufromfp", "ufromfpx", "y0", "y1", "yn",
];
#[rustfmt::skip]
const REAL_TWO: &[&str] = &[
    "add", "atan2", "atan2pi", "copysign", "dadd", "ddiv", "div", "dmul", "drem", "dsub", "fadd", "fdim", "fdiv", "fmax",
    "fmaximum", "fmaximum_mag", "fmaximum_mag_num", "fmaximum_num", "fmaxmag", "fmin", "fminimum", "fminimum_mag",
    "fminimum_mag_num", "fminimum_num", "fminmag", "fmod", "fmul", "fsub", "hypot", "iseqsig", "mul", "nextafter", "pow",
    "powr", "remainder", "remquo", "scalb", "sub",
];
const REAL_THREE: &[&str] = &["dfma", "ffma", "fma"];
#[rustfmt::skip]
const COMPLEX_ONE: &[&str] = &[
    "cabs", "cacos", "cacosh", "carg", "casin", "casinh", "catan", "catanh", "ccos", "ccosh", "cexp", "cimag", "clog",
    "clog10", "conj", "cproj", "creal", "csin", "csinh", "csqrt", "ctan", "ctanh",
];

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

/// The arguments of a function of `libm` or `libmvec`. A name that is not known is taken to have one in xmm0: something
/// active there may be lost.
pub fn of(name: &[u8]) -> FloatArguments {
    let name = core::str::from_utf8(name).unwrap_or("");
    let found = match name.strip_prefix("_ZGV") {
        Some(vector) => of_vector_function(vector),
        None => kind_and_format(name).map(|(kind, format)| arguments(kind, format)),
    };
    found.unwrap_or(FloatArguments { registers: 1, bytes: 8, extended: 0 })
}

fn arguments(kind: Kind, format: Format) -> FloatArguments {
    let in_registers = |registers, bytes| FloatArguments { registers, bytes, extended: 0 };
    let on_stack = |extended| FloatArguments { extended, ..FloatArguments::default() };
    match (kind, format) {
        (Kind::Real(count), Format::Binary32) => in_registers(count, 4),
        (Kind::Real(count), Format::Binary64) => in_registers(count, 8),
        (Kind::Real(count), Format::Binary128) => in_registers(count, 16),
        (Kind::Real(count), Format::Extended) => on_stack(count),
        // Both parts are in one register.
        (Kind::Complex(count), Format::Binary32) => in_registers(count, 8),
        (Kind::Complex(count), Format::Binary64) => in_registers(2 * count, 8),
        (Kind::Complex(count), Format::Extended | Format::Binary128) => on_stack(2 * count),
        (Kind::Toward, Format::Binary32) => FloatArguments { registers: 1, bytes: 4, extended: 1 },
        (Kind::Toward, Format::Extended) => on_stack(2),
        (Kind::Toward, _) => FloatArguments { registers: 1, bytes: 8, extended: 1 },
    }
}

fn kind_and_format(name: &str) -> Option<(Kind, Format)> {
    let name = name.trim_start_matches('_');
    let name = name.strip_suffix("_finite").unwrap_or(name);
    let name = name.strip_suffix("_r").unwrap_or(name);
    if let Some(kind) = kind(name) {
        return Some((kind, Format::Binary64));
    }
    let plain = RESULTS.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    ENDINGS.iter().find_map(|(ending, format)| Some((kind(plain.strip_suffix(ending)?)?, *format)))
}

fn kind(base: &str) -> Option<Kind> {
    let lists = [
        (REAL_NONE, Kind::Real(0)),
        (REAL_ONE, Kind::Real(1)),
        (REAL_TWO, Kind::Real(2)),
        (REAL_THREE, Kind::Real(3)),
        (COMPLEX_ONE, Kind::Complex(1)),
        (&["cpow"], Kind::Complex(2)),
        (&["nexttoward"], Kind::Toward),
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
        assert_eq!(of(name.as_bytes()), FloatArguments { registers, bytes, extended }, "{name}");
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
