//! Python: the package, and programs that are differentiated with the interpreters as they are.
//!
//! `tests/python` holds the cases: functions of a few numbers in CPython, NumPy and SciPy. All cases of an
//! interpreter run in one process, natively, in forward mode and recorded; what is not differentiated runs in
//! processes of its own, because the summary belongs to a process. `docs/python.md` is the table of the cases.

use derivgrind_tests::lines::{agree, numbers};
use derivgrind_tests::python::{run_script, run_script_with, script, shadows, Interpreter, Mode};
use derivgrind_tests::{each, full, launcher, repository, Finished, Shadows};
use std::path::Path;
use tempfile::TempDir;

/// What is reported although derivatives are right: the interpreter and NumPy's dispatch set and clear bits in words of
/// the stack that they have not written as a whole, where active data was before.
const OF_STACK_WORDS: &[&str] = &["AND r/m32, ", "OR r/m32, ", "AND r32, ", "OR r32, "];
const WITH_STACK_WORDS: &[&str] = &[" in _PyEval_", " in ufunc_", " in PyUFunc_"];

/// Lines of the summary that name a place, but for false alarms.
fn alarms(summary: &str) -> Vec<&str> {
    let names_a_place = |line: &&str| line.contains(" times  ") || line.contains(" time   ");
    let contains_one = |line: &str, parts: &[&str]| parts.iter().any(|part| line.contains(part));
    let is_false = |line: &str| contains_one(line, OF_STACK_WORDS) && contains_one(line, WITH_STACK_WORDS);
    summary.lines().filter(names_a_place).filter(|line| !is_false(line)).collect()
}

fn succeeded(finished: Finished) -> Finished {
    assert!(finished.status.success(), "{}\n{}", finished.stdout(), finished.stderr());
    finished
}

/// A file in a directory, as a word.
fn word(directory: &Path, name: &str) -> String {
    directory.join(name).to_str().expect("temporary directories have plain names").to_string()
}

/// Runs cases in all modes, in which nothing may be reported, and compares derivatives.
fn compare_cases(shadows: Shadows, interpreter: Interpreter, modules: &str) -> Finished {
    let directory = TempDir::new().expect("a temporary directory");
    let file = |name: &str| word(directory.path(), name);
    let (native, forward, recorded, tape) = (file("native"), file("forward"), file("recorded"), file("tape"));
    let run = |mode, target: &str| {
        succeeded(run_script_with(shadows, interpreter, mode, "run_cases.py", &[target, modules]).unwrap())
    };
    let all = [Mode::Native, Mode::Forward, Mode::Recording(Path::new(&tape))];
    let files = [&native, &forward, &recorded];
    let pairs: Vec<_> = all.into_iter().zip(files).collect();
    each(&pairs, |(mode, target)| {
        let finished = run(*mode, target);
        let stderr = finished.stderr();
        match alarms(&stderr)[..] {
            [] => Ok(()),
            _ => Err(format!("{mode:?}: {stderr}")),
        }
    });
    let words = [modules, &native, &forward, &recorded, &tape];
    run_script(interpreter, Mode::Native, "compare_cases.py", &words).unwrap()
}

fn cases_are_exact(interpreter: Interpreter, modules: &str) {
    succeeded(compare_cases(shadows(), interpreter, modules));
}

#[test]
fn cases_with_the_interpreter_of_the_system() {
    cases_are_exact(Interpreter::System, "core_cases,numpy_cases");
}

#[test]
fn cases_with_an_interpreter_in_an_environment() {
    cases_are_exact(Interpreter::Environment, "core_cases,numpy_cases");
}

#[test]
fn cases_of_scipy() {
    cases_are_exact(Interpreter::Environment, "scipy_cases");
}

/// With shadows in memory NumPy and OpenBLAS see AVX-512, and take other functions.
#[test]
fn cases_with_the_features_of_the_processor() {
    if full() {
        for modules in ["core_cases,numpy_cases", "scipy_cases"] {
            succeeded(compare_cases(Shadows::Memory, Interpreter::Environment, modules));
        }
    }
}

/// Names of the cases of a module, and what the summary says about them.
fn listed(module: &str) -> Vec<(String, String)> {
    let list = "import sys; sys.path.insert(0, sys.argv[1]); import cases, importlib; importlib.import_module(sys.argv[2]); \
                [print(name, case.counted, sep='\\t') for name, case in cases.CASES.items()]";
    let output = std::process::Command::new(Interpreter::System.path())
        .args(["-c", list, &script(""), module])
        .output()
        .expect("Python starts");
    let text = String::from_utf8(output.stdout).expect("names are text");
    let split = |line: &str| line.split_once('\t').map(|(name, counted)| (name.into(), counted.into()));
    let all: Vec<_> = text.lines().filter_map(split).collect();
    assert!(!all.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    all
}

#[test]
fn what_is_not_differentiated_is_reported() {
    each(&listed("reported_cases"), |(name, counted)| {
        let directory = TempDir::new().expect("a temporary directory");
        let tape = directory.path().join("tape");
        let target = word(directory.path(), "results");
        for mode in [Mode::Forward, Mode::Recording(&tape)] {
            if matches!(mode, Mode::Forward) && name.ends_with("when it is recorded") {
                continue;
            }
            let words = [target.as_str(), "reported_cases", name];
            let finished = succeeded(run_script(Interpreter::System, mode, "run_cases.py", &words)?);
            if !finished.stderr().contains(counted.as_str()) {
                return Err(format!("{name}, {mode:?}: {counted} is missing in: {}", finished.stderr()));
            }
        }
        Ok(())
    });
}

/// Neither differentiated nor reported: an exact sum drops a term that is zero, although its derivative is not.
#[test]
fn known_limits_that_are_silent() {
    let compared = compare_cases(shadows(), Interpreter::System, "silent_cases").stdout();
    for (name, _) in listed("silent_cases") {
        assert!(
            compared.contains(&format!("{name}: dot values")),
            "{name} is better than it was: {compared}"
        );
    }
}

#[test]
fn functions_of_the_package() {
    for interpreter in [Interpreter::System, Interpreter::Environment] {
        let directory = TempDir::new().expect("a temporary directory");
        let tape = directory.path().join("tape");
        let modes =
            [(Mode::Native, "native"), (Mode::Forward, "forward"), (Mode::Recording(&tape), "recording")];
        for (mode, name) in modes {
            let finished = succeeded(run_script(interpreter, mode, "api.py", &[name]).unwrap());
            assert_eq!(finished.stdout(), "right\n");
        }
    }
}

#[test]
fn programs_are_run_and_tapes_are_evaluated() {
    for interpreter in [Interpreter::System, Interpreter::Environment] {
        let path = interpreter.path();
        let mut command = std::process::Command::new(path);
        command.arg(script("running.py")).env("DERIVGRIND", launcher()).env("HOME", "/nonexistent");
        interpreter.prepare(&mut command);
        let finished = succeeded(derivgrind_tests::run(&mut command).unwrap());
        assert_eq!(finished.stdout(), "right\n", "{}", finished.stderr());
    }
}

#[test]
fn examples() {
    let examples: [(&str, &[&str]); 5] = [
        ("01-cube/python/cube.py", &[]),
        ("02-rosenbrock/python/rosenbrock.py", &[]),
        ("03-ode/python/ode.py", &[]),
        ("04-linear-solve/python/linear_solve.py", &[]),
        ("05-burgers/python/burgers.py", &["12", "20", "0.5"]),
    ];
    for (example, words) in examples {
        let folder = example.split('/').next().expect("a path");
        let expected = std::fs::read_to_string(repository("examples").join(folder).join("expected.txt"))
            .unwrap_or_else(|error| panic!("{folder}: {error}"));
        let (value, derivative) = (numbers(&expected, "value"), numbers(&expected, "derivative"));
        assert!(!value.is_empty() && !derivative.is_empty(), "{folder}");
        let directory = TempDir::new().expect("a temporary directory");
        let tape = directory.path().join("tape");
        let name = format!("../../examples/{example}");
        for mode in [Mode::Native, Mode::Forward, Mode::Recording(&tape)] {
            let finished = succeeded(run_script(Interpreter::System, mode, &name, words).unwrap());
            agree(example, &numbers(&finished.stdout(), "value"), &value).unwrap();
            let seen = if matches!(mode, Mode::Forward) { &derivative[..] } else { &[] };
            agree(example, &numbers(&finished.stdout(), "derivative"), seen).unwrap();
        }
        let program = "import sys, derivgrind.tape; print(*derivgrind.tape.open(sys.argv[1]).reverse())";
        let mut command = std::process::Command::new(Interpreter::System.path());
        Interpreter::System.prepare(command.arg("-c").arg(program).arg(&tape));
        let bars = succeeded(derivgrind_tests::run(&mut command).unwrap()).stdout();
        agree(example, &numbers(&bars, ""), &derivative).unwrap();
    }
}

#[test]
fn the_table_in_the_documentation_is_that_of_the_cases() {
    let table = succeeded(run_script(Interpreter::Environment, Mode::Native, "table.py", &[]).unwrap());
    let written = std::fs::read_to_string(repository("docs/python.md")).expect("the table can be read");
    let command = "target/python/environment/bin/python3 tests/python/table.py > docs/python.md";
    assert!(table.stdout() == written, "please run: {command}");
}
