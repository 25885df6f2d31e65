//! NumPy: functions of arrays by the rules of their instructions alone, and linear algebra by BLAS and LAPACK.

use derivgrind_tests::lines::number;
use derivgrind_tests::tapes::{declared, evaluate, is_declaration};
use derivgrind_tests::{compile, derivgrind, has_avx512, repository, run, Language, Program, Shadows};
use std::path::PathBuf;

const PYTHON: &str = "/usr/bin/python3";

/// The library by which scripts give arrays dot values.
fn library() -> PathBuf {
    let program = Program {
        language: Language::C,
        compiler: "gcc",
        sources: &["shadows_of_arrays.c"],
        options: &["-O1", "-shared", "-fPIC"],
        libraries: &[],
    };
    compile(&program).unwrap()
}

fn ways() -> Vec<Shadows> {
    if has_avx512() {
        vec![Shadows::Registers, Shadows::Memory]
    } else {
        vec![Shadows::Memory]
    }
}

/// The kernels without AVX-512, which NumPy does not see where shadows are in registers, and those with it.
#[test]
fn functions_of_numpy_on_arrays_have_their_derivatives() {
    let library = library();
    let script = repository("tests/guests/numpy_functions.py");
    let words = [PYTHON, script.to_str().unwrap(), library.to_str().unwrap()];
    for shadows in ways() {
        let finished = run(&mut derivgrind(&["--math-interception=no"], &words, shadows)).unwrap();
        assert!(finished.status.success(), "{}", finished.stderr());
        let output = finished.stdout();
        assert!(output.lines().count() >= 190, "{output}");
        for line in output.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let tolerance = if words[0] == "float64" { 1e-10 } else { 2e-4 };
            let error: f64 = words[3].parse().unwrap_or(f64::INFINITY);
            assert!(error < tolerance, "{shadows:?}: {line}\n{}", finished.stderr());
        }
        let is_known = |line: &str| line.contains("  SAR ") && line.contains("log1p");
        let unknown = finished.stderr().lines().any(|line| line.contains(" time") && !is_known(line));
        assert!(!unknown, "{shadows:?}: {}", finished.stderr());
    }
}

/// Sums of many products lose some digits, and so do eigenvalues that are close to each other.
const TOLERANCE: f64 = 1e-9;

#[test]
fn linear_algebra_of_numpy_has_analytic_derivatives() {
    let library = library();
    let script = repository("tests/guests/numpy_linear_algebra.py");
    let words = [PYTHON, script.to_str().unwrap(), library.to_str().unwrap()];
    for shadows in ways() {
        let finished = run(&mut derivgrind(&[], &words, shadows)).unwrap();
        assert!(finished.status.success(), "{}", finished.stderr());
        let output = finished.stdout();
        assert!(output.lines().count() > 5000, "{output}");
        for line in output.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let (dot, expected) = (number(words[2]).unwrap(), number(words[3]).unwrap());
            let is_right = (dot - expected).abs() <= TOLERANCE * expected.abs().max(1e-3);
            assert!(is_right, "{shadows:?}: {line}: {dot:e} instead of {expected:e}");
        }
    }
}

#[test]
fn recorded_linear_algebra_of_numpy_has_analytic_derivatives() {
    let library = library();
    let script = repository("tests/guests/numpy_linear_algebra.py");
    let words = [PYTHON, script.to_str().unwrap(), library.to_str().unwrap()];
    for shadows in ways() {
        let directory = tempfile::tempdir().unwrap();
        let option = format!("--record={}", directory.path().display());
        let finished = run(&mut derivgrind(&[&option], &words, shadows)).unwrap();
        assert!(finished.status.success(), "{}", finished.stderr());
        let output = finished.stdout();
        let inputs = declared(&output, "input").unwrap();
        let outputs = declared(&output, "output").unwrap();
        assert_eq!(outputs.len(), output.lines().filter(|line| !is_declaration(line)).count());
        assert!(outputs.len() > 5000);
        evaluate(directory.path(), &inputs, &outputs, TOLERANCE).unwrap();
    }
}
