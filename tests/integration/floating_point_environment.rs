//! Flags, traps and rounding modes of programs that are differentiated.

use derivgrind_tests::lines::{is_alarmed, number};
use derivgrind_tests::{compile, derivgrind, full, native, run, Program, Shadows};
use std::path::PathBuf;

const GUEST: &str = "floating_point_environment.c";

/// The guest, with different instructions.
fn guests() -> Vec<PathBuf> {
    let some: &[&[&str]] = &[&["-O2"], &["-O3", "-mavx2", "-mfma"]];
    let more: &[&[&str]] = &[&["-O0"], &["-O1", "-mavx"], &["-O3"]];
    let options = if full() { [some, more].concat() } else { some.to_vec() };
    let program = |options| {
        let program = Program { libraries: &["-lm"], ..Program::c(&[GUEST], options) };
        compile(&program).unwrap_or_else(|error| panic!("{error}"))
    };
    options.into_iter().map(program).collect()
}

/// Values and flags are the native ones, dot values are as the guest expects.
fn check(tool: &[&str], what: &str) {
    for program in guests() {
        let words = [program.to_str().expect("a plain name"), what];
        for shadows in Shadows::all() {
            let expected = run(&mut native(&words, *shadows)).unwrap();
            let found = run(&mut derivgrind(tool, &words, *shadows)).unwrap();
            let place = format!("{}, {what}, {tool:?}, {shadows:?}", program.display());
            assert!(expected.status.success() && expected.stdout().lines().count() > 2, "{place}");
            assert_eq!(found.status, expected.status, "{place}: {}", found.stderr());
            assert!(!is_alarmed(&found.stderr()), "{place}: {}", found.stderr());
            compare(&place, &expected.stdout(), &found.stdout());
        }
    }
}

fn compare(place: &str, expected: &str, found: &str) {
    assert_eq!(expected.lines().count(), found.lines().count(), "{place}:\n{found}");
    for (native, tool) in expected.lines().zip(found.lines()) {
        let split = |line: &str| line.rsplitn(3, ' ').map(str::to_string).collect::<Vec<_>>();
        let (native, tool) = (split(native), split(tool));
        assert_eq!((&native[0], &native[2]), (&tool[0], &tool[2]), "{place}:\n{found}");
        let dot = number(&tool[1]).expect("a dot value");
        let wanted = number(&tool[0]).expect("what it should be");
        assert!((dot - wanted).abs() <= 1e-12 * wanted.abs().max(1.0), "{place}: {tool:?}");
    }
}

#[test]
fn passive_lanes_raise_no_flags() {
    check(&[], "passive");
    check(&["--fp-flags=exact"], "passive");
}

#[test]
fn exact_flags_are_those_of_the_native_run() {
    check(&["--fp-flags=exact"], "active");
}

#[test]
fn only_the_programs_own_arithmetic_traps() {
    check(&[], "traps");
    check(&["--fp-flags=exact"], "traps");
}

#[test]
fn derivatives_are_right_in_all_rounding_modes() {
    check(&[], "downward");
    check(&[], "upward");
}

/// NumPy looks at the flags behind each operation.
#[test]
fn numpy_meets_no_error_that_it_does_not_meet_natively() {
    let options = ["-O2", "-shared", "-fPIC"];
    let library = compile(&Program::c(&["dot_values_of_arrays.c"], &options)).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/guests/floating_point_errors.py");
    let library = library.to_str().expect("a plain name");
    for (tool, how) in [(&[][..], "fast"), (&["--fp-flags=exact"][..], "exact")] {
        let words = ["/usr/bin/python3", script, library, how];
        for shadows in Shadows::all() {
            let expected = run(&mut native(&words, *shadows)).unwrap();
            assert!(expected.status.success(), "{}", expected.stderr());
            let found = run(&mut derivgrind(tool, &words, *shadows)).unwrap();
            assert_eq!(found.stdout(), expected.stdout(), "{how}, {shadows:?}: {}", found.stderr());
            assert_eq!(found.status, expected.status, "{}", found.stderr());
        }
    }
}
