//! Dot values of guests against analytic ones, and values against the native run.
//!
//! A guest prints lines `NAME VALUE DOT EXPECTED`. Natively DOT is zero; all else must be the same bit by bit, and DOT
//! must be EXPECTED up to rounding. Nothing may be reported: all instructions of these programs have rules.

use derivgrind_tests::{
    compile, derivgrind, each, full, has_avx512, native, run, rust_program, Finished, Language, Program,
    Shadows,
};
use std::path::Path;

const C_GUESTS: &[&str] = &[
    "polynomial.c",
    "division_sqrt.c",
    "min_max_sign.c",
    "conditionals.c",
    "matrix_multiply.c",
    "stencil.c",
    "dot_product.c",
    "complex_numbers.c",
    "structures_by_value.c",
    "moved_memory.c",
    "every_size.c",
    "thread_local_variables.c",
    "integer_registers.c",
    "control_flow.c",
    "conversions.c",
    "threads_with_queue.c",
];

/// Options for a first impression: each level and each instruction set once.
const SOME: &[(&str, &[&str])] = &[
    ("gcc", &["-O0"]),
    ("gcc", &["-O2"]),
    ("gcc", &["-O3", "-mavx2", "-mfma"]),
    ("gcc", &["-Ofast", "-msse4.1"]),
    ("clang", &["-O0"]),
    ("clang", &["-O1", "-mavx"]),
    ("gcc", &["-O1", "-mavx"]),
    ("clang", &["-Ofast", "-mavx2", "-mfma"]),
];

const LEVELS: [&str; 5] = ["-O0", "-O1", "-O2", "-O3", "-Ofast"];
const INSTRUCTION_SETS: [&[&str]; 4] = [&[], &["-msse4.1"], &["-mavx"], &["-mavx2", "-mfma"]];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Real {
    Float,
    Double,
}

impl Real {
    fn options(self) -> &'static [&'static str] {
        match self {
            Real::Float => &["-DREAL=float", "-DREAL_IS_FLOAT"],
            Real::Double => &["-DREAL=double"],
        }
    }

    fn tolerance(self) -> f64 {
        match self {
            Real::Float => 1e-5,
            Real::Double => 1e-12,
        }
    }
}

/// Compilers with options: some, or in full tests all.
fn compilers() -> Vec<(&'static str, Vec<&'static str>)> {
    if !full() {
        return SOME.iter().map(|(compiler, options)| (*compiler, options.to_vec())).collect();
    }
    let mut all = Vec::new();
    for compiler in ["gcc", "clang"] {
        for level in LEVELS {
            for instructions in INSTRUCTION_SETS {
                all.push((compiler, [&[level], instructions].concat()));
            }
        }
    }
    all
}

/// A hexadecimal floating-point number as `%a` prints it.
fn number(word: &str) -> Option<f64> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, word),
    };
    let (mantissa, exponent) = digits.strip_prefix("0x")?.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut value = u64::from_str_radix(whole, 16).ok()? as f64;
    let mut scale = 1.0;
    for digit in fraction.chars() {
        scale /= 16.0;
        value += f64::from(digit.to_digit(16)?) * scale;
    }
    Some(sign * value * 2f64.powi(exponent.parse().ok()?))
}

fn check_line(native: &str, tool: &str, tolerance: f64) -> Result<(), String> {
    let fields = |line: &str| line.rsplitn(4, ' ').map(str::to_string).collect::<Vec<_>>();
    let (native, tool) = (fields(native), fields(tool));
    let ([expected, _, value, name], [same_expected, dot, same_value, same_name]) = (&native[..], &tool[..])
    else {
        return Err(format!("a line is not understood: {native:?} {tool:?}"));
    };
    if (expected, value, name) != (same_expected, same_value, same_name) {
        return Err(format!("{name}: values differ: {native:?} {tool:?}"));
    }
    let read = |word: &str| number(word).ok_or_else(|| format!("{name}: not a number: {word}"));
    let (dot, expected) = (read(dot)?, read(expected)?);
    // A comparison that is false for a NaN.
    if (dot - expected).abs() <= tolerance * expected.abs().max(1.0) {
        Ok(())
    } else {
        Err(format!("{name}: dot value {dot} instead of {expected}"))
    }
}

/// Alarms that are false, although the derivatives are right. A mask of binary32 lanes that keeps the upper half of a
/// 64-bit lane looks as if it cut the mantissa of a binary64 off. The C library clears bits in a word of its stack that
/// it has not written, where active data was before.
const KNOWN_FALSE_ALARMS: [(&str, &str); 2] =
    [("ANDPS xmm1, ", " in select_branch "), ("AND r/m32, imm32 ", " in __parse_one_specmb ")];

/// Is there anything in the summary but false alarms?
fn is_alarmed(summary: &str) -> bool {
    let known = |line: &str| {
        KNOWN_FALSE_ALARMS.iter().any(|(name, place)| line.contains(name) && line.contains(place))
    };
    let places = summary.lines().filter(|line| line.contains(" times  ") || line.contains(" time   "));
    let mut places = places.peekable();
    !summary.is_empty() && (places.peek().is_none() || !places.all(known))
}

fn check_output(native: &Finished, tool: &Finished, tolerance: f64) -> Result<(), String> {
    if !native.status.success() || native.stdout.is_empty() {
        return Err(format!("natively: {}", native.status));
    }
    if tool.status != native.status || is_alarmed(&tool.stderr()) {
        return Err(format!("{}: {}", tool.status, tool.stderr()));
    }
    let (expected, found) = (native.stdout(), tool.stdout());
    if expected.lines().count() != found.lines().count() {
        return Err("the number of lines differs".to_string());
    }
    // Threads may print in any order.
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_string).collect();
        lines.sort_by_key(|line| line.rsplitn(4, ' ').nth(3).map(str::to_string));
        lines
    };
    let pairs = sorted(&expected).into_iter().zip(sorted(&found));
    let wrong: Vec<_> =
        pairs.filter_map(|(native, tool)| check_line(&native, &tool, tolerance).err()).take(5).collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n    "))
    }
}

fn check(program: &Path, tolerance: f64) -> Result<(), String> {
    check_with(program, tolerance, Shadows::all())
}

fn check_with(program: &Path, tolerance: f64, places: &[Shadows]) -> Result<(), String> {
    let path = program.to_str().expect("target directories have plain names");
    for shadows in places {
        let expected = run(&mut native(&[path], *shadows))?;
        let found = run(&mut derivgrind(&[], &[path], *shadows))?;
        check_output(&expected, &found, tolerance)
            .map_err(|error| format!("{}, {shadows:?}:\n    {error}", program.display()))?;
    }
    Ok(())
}

#[test]
fn c() {
    let mut all = Vec::new();
    for guest in C_GUESTS {
        for (compiler, options) in compilers() {
            for real in [Real::Double, Real::Float] {
                all.push((*guest, compiler, options.clone(), real));
            }
        }
    }
    each(&all, |(guest, compiler, options, real)| {
        let options = [options, real.options(), &["-pthread"]].concat();
        let libraries = &["-lm"];
        let program = compile(&Program {
            language: Language::C,
            compiler,
            sources: &[guest],
            options: &options,
            libraries,
        })?;
        check(&program, real.tolerance())
    });
}

#[test]
fn processor_without_avx() {
    let mut all = Vec::new();
    for guest in C_GUESTS {
        for (compiler, level) in [("gcc", "-O0"), ("gcc", "-O3"), ("clang", "-Ofast")] {
            for real in [Real::Double, Real::Float] {
                all.push((*guest, compiler, level, real));
            }
        }
    }
    each(&all, |(guest, compiler, level, real)| {
        let options = [&[*level][..], real.options(), &["-pthread"]].concat();
        let libraries = &["-lm"];
        let sources = &[*guest];
        let program =
            compile(&Program { language: Language::C, compiler, sources, options: &options, libraries })?;
        check_with(&program, real.tolerance(), &[Shadows::MemorySse2])
    });
}

/// Some or all levels of optimisation, with the instruction sets given.
fn levels<'a>(some: &[&'a str], instructions: &[&'a str]) -> Vec<Vec<&'a str>> {
    let levels = if full() { &LEVELS } else { some };
    levels.iter().map(|level| [&[*level], instructions].concat()).collect()
}

#[test]
fn cxx() {
    let mut all = Vec::new();
    for compiler in ["gcc", "clang"] {
        for options in levels(&["-O0", "-O2", "-Ofast"], &[]) {
            all.push((compiler, options.clone()));
            all.push((compiler, [&options[..], &["-mavx2", "-mfma"]].concat()));
        }
    }
    each(&all, |(compiler, options)| {
        let sources = &["containers.cpp"];
        let program =
            compile(&Program { language: Language::Cxx, compiler, sources, options, libraries: &["-lm"] })?;
        check(&program, Real::Double.tolerance())
    });
}

#[test]
fn fortran() {
    let object = compile(&Program::c(&["check_for_fortran.c"], &["-O2", "-c"])).expect("a C compiler");
    let object = object.to_str().expect("target directories have plain names");
    let mut all = levels(&["-O0", "-O2"], &[]);
    all.extend(levels(&["-O3", "-Ofast"], &["-mavx2", "-mfma"]));
    each(&all, |options| {
        let program = compile(&Program {
            language: Language::Fortran,
            compiler: "gfortran",
            sources: &["fortran_arrays.f90"],
            options,
            libraries: &["-x", "none", object],
        })?;
        check(&program, Real::Double.tolerance())
    });
}

#[test]
fn rust() {
    let all = [["-Copt-level=0"], ["-Copt-level=3"]];
    each(&all, |options| check(&rust_program("rust_values.rs", options)?, Real::Double.tolerance()));
}

#[test]
fn openmp() {
    let mut all = levels(&["-O0", "-O2", "-Ofast"], &["-fopenmp"]);
    all.extend(levels(&["-O3"], &["-fopenmp", "-mavx2", "-mfma"]));
    for real in [Real::Double, Real::Float] {
        each(&all, |options| {
            let options = [options, real.options()].concat();
            check(&compile(&Program::c(&["openmp.c"], &options))?, real.tolerance())
        });
    }
}

#[test]
fn zmm_registers_outlive_shadow_code_that_borrows_registers() {
    if !has_avx512() {
        return;
    }
    let options = &["-O2", "-mavx512f"];
    let program =
        compile(&Program::c(&["wide_registers.c"], options)).unwrap_or_else(|error| panic!("{error}"));
    check(&program, Real::Double.tolerance()).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn instructions_by_name() {
    let all: Vec<_> = ["gcc", "clang"]
        .iter()
        .flat_map(|compiler| {
            levels(&["-O0", "-O2"], &["-mavx2", "-mfma"]).into_iter().map(|options| (*compiler, options))
        })
        .collect();
    each(&all, |(compiler, options)| {
        let sources = &["vector_intrinsics.c"];
        let program =
            compile(&Program { language: Language::C, compiler, sources, options, libraries: &[] })?;
        // Binary32 is compared in binary64.
        check(&program, Real::Float.tolerance())
    });
}
