//! `--math-rules`: functions that the user describes, in a library that loses derivatives by itself.

use derivgrind_tests::lines::{is_alarmed, number};
use derivgrind_tests::tapes::{declared, evaluate, is_declaration};
use derivgrind_tests::{
    compile, copied, derivgrind, native, repository, run, Finished, Language, Program, Shadows,
};
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The program, linked against its library.
fn program() -> PathBuf {
    let options = &["-O1", "-shared", "-fPIC"];
    let library = Program { libraries: &["-lm"], ..Program::c(&["closed_library.c"], options) };
    // Rules name the library by the beginning of its file's name.
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    let short = LIBRARY.get_or_init(|| copied(&compile(&library).unwrap(), "closed_library.so.1").unwrap());
    let libraries = &[short.to_str().expect("plain names"), "-lm"];
    compile(&Program { libraries, ..Program::c(&["closed_functions.c"], &["-O1"]) }).unwrap()
}

fn rules() -> String {
    format!("--math-rules={}", repository("tests/guests/closed_functions.toml").display())
}

/// Names of lines whose dot value is not the expected one.
fn wrong_lines(finished: &Finished) -> Vec<String> {
    let output = finished.stdout();
    assert_eq!(output.lines().count(), 9, "{output}{}", finished.stderr());
    let is_wrong = |line: &&str| {
        let words: Vec<&str> = line.rsplit(' ').collect();
        let (expected, dot) = (number(words[0]).unwrap(), number(words[1]).unwrap());
        let tolerance = if line.starts_with("wave") { 1e-6 } else { 1e-14 };
        (dot - expected).abs() > tolerance
    };
    output.lines().filter(is_wrong).map(|line| line.split(" 0x").next().unwrap_or(line).to_string()).collect()
}

#[test]
fn derivatives_are_those_of_the_rules() {
    let program = program();
    let words = [program.to_str().expect("plain names")];
    for shadows in Shadows::all() {
        let finished = run(&mut derivgrind(&[&rules()], &words, *shadows)).unwrap();
        assert!(!is_alarmed(&finished.stderr()), "{}", finished.stderr());
        assert_eq!(wrong_lines(&finished), Vec::<String>::new());
        // Without them, the test would be about something else.
        for options in [vec![], vec!["--math-interception=no".to_string(), rules()]] {
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            assert!(wrong_lines(&run(&mut derivgrind(&options, &words, *shadows)).unwrap()).len() >= 5);
        }
    }
}

#[test]
fn recorded_calls_have_the_derivatives_of_the_rules() {
    let program = program();
    let directory = tempfile::tempdir().unwrap();
    let record = format!("--record={}", directory.path().display());
    let words = [program.to_str().expect("plain names")];
    let finished = run(&mut derivgrind(&[&rules(), &record], &words, Shadows::all()[0])).unwrap();
    assert!(!is_alarmed(&finished.stderr()), "{}", finished.stderr());
    let output = finished.stdout();
    let (inputs, outputs) = (declared(&output, "input").unwrap(), declared(&output, "output").unwrap());
    assert_eq!((inputs.len(), outputs.len()), (15, 9));
    evaluate(directory.path(), &inputs, &outputs, 1e-6).unwrap();
}

/// Programs whose functions with rules are left by exceptions: with runtime libraries that are linked in different ways.
fn throwing_programs() -> Vec<PathBuf> {
    let throwing = |sources| Program { language: Language::Cxx, ..Program::c(sources, &["-O1"]) };
    let options = &["-O2", "-shared", "-fPIC"];
    let library = compile(&Program { options, ..throwing(&["throwing_library.cpp"]) }).unwrap();
    let libraries = &[library.to_str().expect("plain names"), "-pthread"];
    let of_library = Program { libraries, ..throwing(&["throwing_functions.cpp"]) };
    let whole = throwing(&["throwing_functions.cpp", "throwing_library.cpp"]);
    let static_runtime = &["-O1", "-static-libgcc", "-static-libstdc++", "-pthread"];
    [
        of_library,
        Program { compiler: "clang", options: &["-O1", "-pthread"], ..whole },
        Program { options: static_runtime, ..whole },
        Program { options: &["-O0", "-static", "-pthread"], ..whole },
    ]
    .map(|program| compile(&program).unwrap())
    .into()
}

/// Lines without the third word of four, the dot value, and without inputs and outputs.
fn values(output: &str) -> Vec<Vec<&str>> {
    fn value(line: &str) -> Vec<&str> {
        let mut words: Vec<_> = line.split(' ').collect();
        if words.iter().rev().take(3).all(|word| number(word).is_some()) {
            words.remove(words.len() - 2);
        }
        words
    }
    output.lines().filter(|line| !is_declaration(line)).map(value).collect()
}

#[test]
fn functions_may_be_left_by_exceptions() {
    let rules = format!("--math-rules={}", repository("tests/guests/throwing_functions.toml").display());
    for program in throwing_programs() {
        let words = [program.to_str().expect("plain names")];
        for shadows in Shadows::all() {
            let expected = run(&mut native(&words, *shadows)).unwrap();
            let finished = run(&mut derivgrind(&[&rules], &words, *shadows)).unwrap();
            assert_eq!((finished.status, finished.stderr()), (expected.status, String::new()));
            let (expected, found) = (expected.stdout(), finished.stdout());
            assert_eq!(values(&found), values(&expected));
            let checked: Vec<_> = found.lines().filter(|line| line.matches(" 0x").count() == 3).collect();
            let wrong = |line: &&&str| {
                let words: Vec<_> = line.rsplit(' ').collect();
                words[0] != words[1]
            };
            assert_eq!(checked.iter().filter(wrong).collect::<Vec<_>>(), Vec::<&&str>::new());
            assert_eq!(checked.len(), 13);
        }
    }
}

#[test]
fn recorded_functions_may_be_left_by_exceptions() {
    let rules = format!("--math-rules={}", repository("tests/guests/throwing_functions.toml").display());
    for program in throwing_programs() {
        let words = [program.to_str().expect("plain names")];
        let directory = tempfile::tempdir().unwrap();
        let record = format!("--record={}", directory.path().display());
        let finished = run(&mut derivgrind(&[&rules, &record], &words, Shadows::all()[0])).unwrap();
        assert_eq!((finished.status.code(), finished.stderr()), (Some(0), String::new()));
        let output = finished.stdout();
        let inputs = declared(&output, "input").unwrap();
        let mut outputs = declared(&output, "output").unwrap();
        // The passive one.
        outputs.retain(|output| output.index != 0);
        assert_eq!((inputs.len(), outputs.len()), (1, 12));
        evaluate(directory.path(), &inputs, &outputs, 1e-14).unwrap();
    }
}

/// A name with a mistake, or a library that the program does not load, would go unnoticed.
#[test]
fn rules_for_functions_that_no_file_has_are_named() {
    let program = program();
    let words = [program.to_str().expect("plain names")];
    let file = tempfile::NamedTempFile::new().unwrap();
    let one = |name: &str| format!("[[function]]\nname = \"{name}\"\nlinear = [1, 1]\n");
    let text =
        format!("{}{}{}library = \"libother.so\"\n", one("closed_product"), one("closed_prodct"), one("f"));
    fs::write(file.path(), text).unwrap();
    let option = format!("--math-rules={}", file.path().display());
    let report = run(&mut derivgrind(&[&option], &words, Shadows::all()[0])).unwrap().stderr();
    let expected = "--math-rules: no file has these functions: `closed_prodct`, `f` (libother.so)";
    assert!(report.lines().any(|line| line.ends_with(expected)), "{report}");
    let quiet = run(&mut derivgrind(&["-q", &option], &words, Shadows::all()[0])).unwrap();
    assert_eq!(quiet.stderr(), "");
    let without_inputs = run(&mut derivgrind(&[&option], &["/bin/true"], Shadows::all()[0])).unwrap();
    assert_eq!(without_inputs.stderr(), "");
}

/// The working directory of a program that the client executes is another one.
#[test]
fn a_relative_path_is_good_for_executed_programs() {
    let program = program();
    let path = program.to_str().expect("plain names");
    let script = format!("cd / && exec {path}");
    let words = ["/bin/sh", "-c", &script];
    let mut command = derivgrind(
        &["--trace-children=yes", "--math-rules=tests/guests/closed_functions.toml"],
        &words,
        Shadows::all()[0],
    );
    let finished = run(command.current_dir(repository("."))).unwrap();
    assert_eq!(wrong_lines(&finished), Vec::<String>::new(), "{}", finished.stderr());
}

#[test]
fn what_is_wrong_is_said_in_one_sentence_before_the_program_starts() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rules.toml");
    let head = "[[function]]\nname = \"f\"\n";
    for (text, place, words) in [
        ("[[function]\n".to_string(), "line 1, column ", ""),
        (format!("{head}partials = [\"x + foo\"]\n"), "line 3, column 18: ", "`foo`"),
        (format!("{head}arguments = 2\npartials = [\"x\"]\n"), "line 3, column 13: ", "2 arguments"),
        (format!("{head}linear = [1]\n{head}linear = [1]\n"), "line 5, column 8: ", "already"),
    ] {
        fs::write(&file, text).unwrap();
        let option = format!("--math-rules={}", file.display());
        let finished = run(&mut derivgrind(&[&option], &["/bin/true"], Shadows::all()[0])).unwrap();
        let error = finished.stderr();
        assert_eq!(finished.status.code(), Some(125), "{error}");
        assert!(error.contains(place) && error.contains(words) && error.lines().count() == 1, "{error}");
    }
    let finished =
        run(&mut derivgrind(&["--math-rules=/nowhere.toml"], &["/bin/true"], Shadows::all()[0])).unwrap();
    assert_eq!(finished.status.code(), Some(125));
    assert!(finished.stderr().contains("cannot read the rules in /nowhere.toml"), "{}", finished.stderr());
}
