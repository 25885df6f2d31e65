//! Gradients of recorded guests against analytic ones, and their output against the native run.
//!
//! The guests of the tests of derivatives declare their inputs and outputs under `--record` and print the indices.
//! The tape must give the expected dot values in a forward sweep, and the transposed map in a reverse sweep. All
//! other lines must be the native ones bit by bit, and nothing may be reported.

use derivgrind_tests::guests::{self, Compilers};
use derivgrind_tests::lines::{is_alarmed, number, sorted};
use derivgrind_tests::random_programs::random_program;
use derivgrind_tests::tapes::{declared, evaluate, is_declaration};
use derivgrind_tests::{
    compile, derivgrind, each, full, native, repository, run, Finished, Language, Program, Shadows,
};
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

/// The dot value in each line `NAME VALUE DOT EXPECTED`.
fn dot_values(output: &str) -> Option<Vec<f64>> {
    output.lines().map(|line| number(line.rsplit(' ').nth(1)?)).collect()
}

/// Compares what the tape gives with forward mode.
fn agrees_with_forward_mode(program: &Path, shadows: Shadows) -> Result<(), String> {
    let path = program.to_str().expect("target directories have plain names");
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let option = format!("--record={}", directory.path().display());
    let forward = run(&mut derivgrind(&[], &[path], shadows))?;
    let recorded = run(&mut derivgrind(&[&option], &[path], shadows))?;
    for finished in [&forward, &recorded] {
        if !finished.status.success() || is_alarmed(&finished.stderr()) {
            return Err(format!("{}: {}", finished.status, finished.stderr()));
        }
    }
    let dots = dot_values(&forward.stdout()).ok_or("a line is not understood")?;
    let inputs = declared(&recorded.stdout(), "input")?;
    let mut outputs = declared(&recorded.stdout(), "output")?;
    if dots.len() != outputs.len() || dots.iter().all(|dot| *dot == 0.0) {
        return Err(format!("{} outputs, {} of them recorded", dots.len(), outputs.len()));
    }
    for (output, dot) in outputs.iter_mut().zip(dots) {
        output.dot = dot;
    }
    evaluate(directory.path(), &inputs, &outputs, 1e-12)
}

fn check(program: &Path, tolerance: f64) -> Result<(), String> {
    check_with(program, tolerance, Shadows::all())
}

fn check_in_registers(program: &Path, tolerance: f64) -> Result<(), String> {
    check_with(program, tolerance, &Shadows::all()[..1])
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
fn x87() {
    guests::x87(check_in_registers);
}

#[test]
fn compiled_for_this_processor_with_avx512() {
    guests::c_with_avx512(check);
}

#[test]
fn mathematical_functions() {
    guests::mathematical_functions(check);
}

#[test]
fn narrowing_functions() {
    guests::narrowing_functions(check);
}

#[test]
fn interrupted_calls() {
    guests::interrupted_calls(check);
}

#[test]
fn libraries() {
    guests::libraries(check);
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
fn cxx_functions() {
    guests::cxx_functions(check_in_registers);
}

#[test]
fn fortran_intrinsics() {
    guests::fortran_intrinsics(check_in_registers);
}

#[test]
fn vector_functions() {
    guests::vector_functions(check);
}

#[test]
fn functions_of_named_vectors() {
    guests::functions_of_named_vectors(check);
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

#[test]
fn reverse_gradients_of_random_programs_agree_with_forward_mode() {
    let count = if full() { 100 } else { 8 };
    let levels = [["-O0", "-mavx2"], ["-O2", "-msse2"], ["-O3", "-mfma"], ["-Ofast", "-mavx2"]];
    let seeds: Vec<usize> = (0..count).collect();
    each(&seeds, |seed| {
        let source = random_program(*seed as u64, 30 * (1 + seed % 7)).map_err(|error| error.to_string())?;
        let headers = format!("-I{}", repository("tests/guests").display());
        let mut options = levels[seed % 4].to_vec();
        options.push(&headers);
        let program = compile(&Program {
            language: Language::C,
            compiler: ["gcc", "clang"][seed / 4 % 2],
            sources: &[source.to_str().expect("target directories have plain names")],
            options: &options,
            libraries: &["-lm"],
        })?;
        for shadows in Shadows::all() {
            agrees_with_forward_mode(&program, *shadows)
                .map_err(|error| format!("{}, {shadows:?}: {error}", source.display()))?;
        }
        Ok(())
    });
}
