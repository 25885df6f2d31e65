//! Gradients of recorded guests against analytic ones, and their output against the native run.
//!
//! The guests of the tests of derivatives declare their inputs and outputs under `--record` and print the indices. The
//! tape must give the expected dot values in a forward sweep, and the transposed map in a reverse sweep. All other lines
//! must be the native ones bit by bit, and nothing may be reported.

use derivgrind_tests::guests::{self, Compilers};
use derivgrind_tests::lines::{is_alarmed, sorted};
use derivgrind_tests::tapes::{declared, evaluate, is_declaration};
use derivgrind_tests::{derivgrind, native, run, Finished, Shadows};
use std::path::Path;

const SOME: Compilers = &[
    ("gcc", &["-O0"]),
    ("clang", &["-O0"]),
    ("gcc", &["-O2"]),
    ("gcc", &["-O3", "-mavx2", "-mfma"]),
    ("clang", &["-Ofast", "-mavx2", "-mfma"]),
];

fn check_run(native: &Finished, tool: &Finished, directory: &Path, tolerance: f64) -> Result<(), String> {
    if !native.status.success() || native.stdout.is_empty() {
        return Err(format!("natively: {}", native.status));
    }
    if tool.status != native.status || is_alarmed(&tool.stderr()) {
        return Err(format!("{}: {}", tool.status, tool.stderr()));
    }
    let (expected, found) = (native.stdout(), tool.stdout());
    let expected = sorted(expected.lines());
    let lines = sorted(found.lines().filter(|line| !is_declaration(line)));
    if let Some((expected, found)) = expected.iter().zip(&lines).find(|(expected, found)| expected != found) {
        return Err(format!("{found:?} instead of {expected:?}"));
    }
    let (inputs, outputs) = (declared(&found, "input")?, declared(&found, "output")?);
    // Without inputs, all derivatives are zero.
    let is_vacuous = inputs.is_empty() && outputs.iter().any(|output| output.dot != 0.0);
    if expected.len() != lines.len() || is_vacuous || outputs.is_empty() {
        return Err("lines are missing".to_string());
    }
    evaluate(directory, &inputs, &outputs, tolerance)
}

fn check(program: &Path, tolerance: f64) -> Result<(), String> {
    check_with(program, tolerance, Shadows::all())
}

fn check_without_avx(program: &Path, tolerance: f64) -> Result<(), String> {
    check_with(program, tolerance, &[Shadows::MemorySse2])
}

fn check_with(program: &Path, tolerance: f64, places: &[Shadows]) -> Result<(), String> {
    let path = program.to_str().expect("target directories have plain names");
    for shadows in places {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let option = format!("--record={}", directory.path().display());
        let expected = run(&mut native(&[path], *shadows))?;
        let found = run(&mut derivgrind(&[&option], &[path], *shadows))?;
        check_run(&expected, &found, directory.path(), tolerance)
            .map_err(|error| format!("{}, {shadows:?}:\n    {error}", program.display()))?;
    }
    Ok(())
}

#[test]
fn c() {
    guests::c(SOME, check);
}

#[test]
fn processor_without_avx() {
    guests::c_without_avx(check_without_avx);
}

#[test]
fn cxx() {
    guests::cxx(check);
}

#[test]
fn fortran() {
    guests::fortran(check);
}

#[test]
fn rust() {
    guests::rust(check);
}

#[test]
fn openmp() {
    guests::openmp(check);
}

#[test]
fn instructions_by_name() {
    guests::instructions_by_name(check);
}
