//! Dot values of guests against analytic ones, and values against the native run.
//!
//! A guest prints lines `NAME VALUE DOT EXPECTED`. Natively DOT is zero; all else must be the same bit by bit, and DOT
//! must be EXPECTED up to rounding. Nothing may be reported: all instructions of these programs have rules.

use derivgrind_tests::lines::{is_alarmed, number, sorted};
use derivgrind_tests::{compile, derivgrind, guests, has_avx512, native, run, Finished, Program, Shadows};
use std::path::Path;

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
    let pairs = sorted(expected.lines()).into_iter().zip(sorted(found.lines()));
    let wrong: Vec<_> =
        pairs.filter_map(|(native, tool)| check_line(&native, &tool, tolerance).err()).take(5).collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n    "))
    }
}

fn check(program: &Path, tolerance: f64) -> Result<(), String> {
    check_with(&[], program, tolerance, Shadows::all())
}

fn check_with_exact_flags(program: &Path, tolerance: f64) -> Result<(), String> {
    check_with(&["--fp-flags=exact"], program, tolerance, Shadows::all())
}

fn check_in_registers(program: &Path, tolerance: f64) -> Result<(), String> {
    check_with(&[], program, tolerance, &Shadows::all()[..1])
}

fn check_without_avx(program: &Path, tolerance: f64) -> Result<(), String> {
    check_with(&[], program, tolerance, &[Shadows::MemorySse2])
}

fn check_with(options: &[&str], program: &Path, tolerance: f64, places: &[Shadows]) -> Result<(), String> {
    let path = program.to_str().expect("target directories have plain names");
    for shadows in places {
        let expected = run(&mut native(&[path], *shadows))?;
        let found = run(&mut derivgrind(options, &[path], *shadows))?;
        check_output(&expected, &found, tolerance)
            .map_err(|error| format!("{}, {shadows:?}:\n    {error}", program.display()))?;
    }
    Ok(())
}

#[test]
fn c() {
    guests::c(guests::EACH_LEVEL_ONCE, check);
}

#[test]
fn compiled_for_this_processor_with_avx512() {
    guests::c_with_avx512(check);
}

#[test]
fn c_with_exact_flags() {
    guests::c(&[("gcc", &["-O1"]), ("gcc", &["-O3", "-mavx2", "-mfma"])], check_with_exact_flags);
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
fn numbers_of_two_bytes() {
    let compiled = |options| {
        compile(&Program { libraries: &["-lm"], ..Program::c(&["numbers_of_two_bytes.c"], options) })
    };
    const TOLERANCE: f64 = 4e-3;
    if is_x86_feature_detected!("f16c") {
        check(&compiled(&["-O2", "-mavx", "-mf16c"]).unwrap(), TOLERANCE).unwrap();
    }
    // The program sees these only where shadows are in memory.
    if is_x86_feature_detected!("avx512fp16") && is_x86_feature_detected!("avx512bf16") {
        let program = compiled(&["-O3", "-march=sapphirerapids"]).unwrap();
        check_with(&[], &program, TOLERANCE, &[Shadows::Memory]).unwrap();
    }
}

/// The functions are not trusted, and reports about them are not wanted here.
#[test]
fn functions_of_extended_numbers_by_instructions() {
    let words = &["-O1", "-fno-builtin"];
    let program = Program { libraries: &["-lm"], ..Program::c(&["extended_functions.c"], words) };
    let program = compile(&program).unwrap_or_else(|error| panic!("{error}"));
    let path = program.to_str().expect("target directories have plain names");
    for shadows in Shadows::all() {
        let expected = run(&mut native(&[path], *shadows)).expect("it runs natively");
        let found = run(&mut derivgrind(&["-q"], &[path], *shadows)).expect("it runs");
        check_output(&expected, &found, 1e-10).unwrap_or_else(|error| panic!("{shadows:?}: {error}"));
    }
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
fn zmm_registers_outlive_shadow_code_that_borrows_registers() {
    if !has_avx512() {
        return;
    }
    let options = &["-O2", "-mavx512f"];
    let program =
        compile(&Program::c(&["wide_registers.c"], options)).unwrap_or_else(|error| panic!("{error}"));
    check(&program, 1e-12).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn instructions_by_name() {
    guests::instructions_by_name(check);
}
