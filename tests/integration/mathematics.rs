//! Functions of C libraries and of NumPy, differentiated by the rules of their instructions alone: no function is
//! known by its name.
//!
//! Their kernels work on the bits of numbers: they take exponents off and put them back, cut fractions off, and round
//! by adding large constants. What is counted on the way is asserted by name. These are tests of bits whose result is
//! only compared, or starting values of iterations: the derivatives are right all the same.

use derivgrind_tests::lines::number;
use derivgrind_tests::tapes::{declared, evaluate, is_declaration};
use derivgrind_tests::{compile, derivgrind, each, has_avx512, native, run, Finished};
use derivgrind_tests::{Language, Program, Shadows};
use std::path::PathBuf;

const RULES_ALONE: &str = "--math-interception=no";

/// A library with a type of numbers.
struct Case {
    compiler: &'static str,
    options: &'static [&'static str],
    tolerance: f64,
    /// Mnemonics and functions that are counted.
    counted: &'static [(&'static str, &'static str)],
}

const DOUBLE: &[&str] = &["-O1", "-fno-builtin", "-DREAL=double"];
const FLOAT: &[&str] = &["-O1", "-fno-builtin", "-DREAL=float", "-DREAL_IS_FLOAT"];
const STATIC_DOUBLE: &[&str] = &["-O1", "-fno-builtin", "-static", "-DREAL=double"];
const STATIC_FLOAT: &[&str] = &["-O1", "-fno-builtin", "-static", "-DREAL=float", "-DREAL_IS_FLOAT"];

const CASES: &[Case] = &[
    Case { compiler: "gcc", options: DOUBLE, tolerance: 1e-10, counted: &[("SAR", "log1p"), ("OR", "tanh")] },
    Case { compiler: "gcc", options: FLOAT, tolerance: 2e-5, counted: &[("SAR", "log1p")] },
    Case {
        compiler: "musl-gcc",
        options: STATIC_DOUBLE,
        tolerance: 1e-10,
        counted: &[("IMUL", "cbrt"), ("OR", "atan2")],
    },
    Case { compiler: "musl-gcc", options: STATIC_FLOAT, tolerance: 2e-5, counted: &[("IMUL", "cbrtf")] },
];

fn all_shadows() -> Vec<Shadows> {
    let mut all = vec![Shadows::Memory, Shadows::MemorySse2];
    if has_avx512() {
        all.push(Shadows::Registers);
    }
    all
}

fn guest(case: &Case) -> Result<PathBuf, String> {
    compile(&Program {
        language: Language::C,
        compiler: case.compiler,
        sources: &["mathematics.c"],
        options: case.options,
        libraries: &["-lm"],
    })
}

/// Lines of a summary that name an instruction which is not among those that are known.
fn unexpected(report: &str, counted: &[(&str, &str)]) -> Vec<String> {
    let is_known = |line: &str| {
        counted
            .iter()
            .any(|(mnemonic, function)| line.contains(&format!("  {mnemonic} ")) && line.contains(function))
    };
    report.lines().filter(|line| line.contains(" time") && !is_known(line)).map(str::to_string).collect()
}

/// The lines `NAME VALUE DOT EXPECTED`: the first two must be the native ones.
fn compare_derivatives(native: &Finished, found: &Finished, tolerance: f64) -> Result<(), String> {
    let (native, found) = (native.stdout(), found.stdout());
    if native.lines().count() != found.lines().count() || native.is_empty() {
        return Err("lines are missing".to_string());
    }
    for (native, line) in native.lines().zip(found.lines()) {
        let words: Vec<&str> = line.split(' ').collect();
        let same = native.split(' ').zip(&words).take(2).all(|(one, other)| one == *other);
        let [_, _, dot, expected] = words[..] else { return Err(format!("{line:?} is not understood")) };
        let (Some(dot), Some(expected)) = (number(dot), number(expected)) else {
            return Err(format!("{line:?} has no numbers"));
        };
        let is_right = (dot - expected).abs() <= tolerance * expected.abs().max(1e-3);
        if !same || !is_right {
            return Err(format!("{line}: the derivative is {dot:e} instead of {expected:e}"));
        }
    }
    Ok(())
}

fn forward(case: &Case, shadows: Shadows) -> Result<(), String> {
    let path = guest(case)?;
    let words = [path.to_str().expect("plain names")];
    let natively = run(&mut native(&words, shadows))?;
    let finished = run(&mut derivgrind(&[RULES_ALONE], &words, shadows))?;
    let unexpected = unexpected(&finished.stderr(), case.counted);
    if !unexpected.is_empty() {
        return Err(unexpected.join("\n"));
    }
    compare_derivatives(&natively, &finished, case.tolerance)
}

fn recorded(case: &Case, shadows: Shadows) -> Result<(), String> {
    let path = guest(case)?;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let option = format!("--record={}", directory.path().display());
    let words = [path.to_str().expect("plain names")];
    let finished = run(&mut derivgrind(&[RULES_ALONE, &option], &words, shadows))?;
    let unexpected = unexpected(&finished.stderr(), case.counted);
    if !unexpected.is_empty() {
        return Err(unexpected.join("\n"));
    }
    let output = finished.stdout();
    let (inputs, outputs) = (declared(&output, "input")?, declared(&output, "output")?);
    let lines = output.lines().filter(|line| !is_declaration(line)).count();
    if outputs.len() != lines || lines == 0 {
        return Err(format!("{} of {lines} outputs are recorded", outputs.len()));
    }
    evaluate(directory.path(), &inputs, &outputs, case.tolerance)
}

fn in_all_ways(work: fn(&Case, Shadows) -> Result<(), String>) {
    let ways: Vec<(&Case, Shadows)> =
        CASES.iter().flat_map(|case| all_shadows().into_iter().map(move |shadows| (case, shadows))).collect();
    each(&ways, |(case, shadows)| {
        let name = |error| format!("{} {:?}, {shadows:?}: {error}", case.compiler, case.options);
        work(case, *shadows).map_err(name)
    });
}

#[test]
fn functions_of_c_libraries_have_their_derivatives() {
    in_all_ways(forward);
}

#[test]
fn recorded_functions_of_c_libraries_have_their_derivatives() {
    in_all_ways(recorded);
}

/// musl reduces large arguments in a fixed-point number, as integers that a conversion makes. A conversion to an
/// integer is piecewise constant, and nothing tells that here all of its pieces together are not. glibc's binary32
/// version multiplies the bits as an integer, which is counted.
#[test]
fn known_reduction_of_large_arguments_by_integers() {
    for (case, is_counted) in [(&CASES[2], false), (&CASES[1], true)] {
        let path = guest(case).unwrap();
        let words = [path.to_str().expect("plain names"), "large"];
        let finished = run(&mut derivgrind(&[RULES_ALONE], &words, Shadows::all()[0])).unwrap();
        let dots = finished.stdout();
        let is_passive = |line: &str| line.split(' ').nth(2).and_then(number) == Some(0.0);
        assert!(dots.lines().any(is_passive), "{dots}");
        assert_eq!(finished.stderr().contains("IMUL"), is_counted, "{}", finished.stderr());
    }
}

/// Options by which the compiler calls the functions of libmvec for two, four and eight binary64, and where shadows
/// are.
fn vector_widths() -> Vec<(&'static [&'static str], Shadows)> {
    const TWO: &[&str] = &["-Ofast", "-march=x86-64"];
    const FOUR: &[&str] = &["-Ofast", "-march=haswell"];
    const EIGHT: &[&str] = &["-Ofast", "-march=skylake-avx512", "-mprefer-vector-width=512"];
    let mut all = vec![(TWO, Shadows::Memory), (TWO, Shadows::MemorySse2)];
    if is_x86_feature_detected!("avx2") {
        all.push((FOUR, Shadows::Memory));
    }
    if has_avx512() {
        all.extend([(FOUR, Shadows::Registers), (EIGHT, Shadows::Memory)]);
    }
    all
}

fn vector_functions(options: &[&str], shadows: Shadows) -> Result<(), String> {
    // Tests of bits, and starting values: derivatives are right.
    let known = [("SAR", "log1p"), ("OR", "tanh")];
    for (real, tolerance) in [(&["-DREAL=double"][..], 1e-10), (&["-DREAL=float", "-DREAL_IS_FLOAT"], 1e-3)] {
        let program = compile(&Program {
            language: Language::C,
            compiler: "gcc",
            sources: &["vector_functions.c"],
            options: &[options, real].concat(),
            libraries: &["-lm"],
        })?;
        let words = [program.to_str().expect("plain names")];
        let finished = run(&mut derivgrind(&[RULES_ALONE], &words, shadows))?;
        let output = finished.stdout();
        if output.lines().count() != 26 {
            return Err(format!("lines are missing: {output}"));
        }
        for line in output.lines() {
            let error = line.split_once(' ').and_then(|(_, error)| error.parse().ok());
            if error.unwrap_or(f64::INFINITY) > tolerance {
                return Err(format!("{real:?}: {line}"));
            }
        }
        let unexpected = unexpected(&finished.stderr(), &known);
        if !unexpected.is_empty() {
            return Err(unexpected.join("\n"));
        }
    }
    Ok(())
}

#[test]
fn vector_functions_of_libmvec_have_their_derivatives() {
    each(&vector_widths(), |(options, shadows)| {
        vector_functions(options, *shadows).map_err(|error| format!("{options:?}, {shadows:?}: {error}"))
    });
}
