//! The examples of each language, built against the installation by their own build files.

use derivgrind_tests::installation::{installation, run_installed, succeed, Installation, Run};
use derivgrind_tests::lines::{agree, numbers};
use derivgrind_tests::python::fpm;
use derivgrind_tests::{each, full, repository};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folder and program of an example, and the words that it is run with.
const EXAMPLES: [(&str, &str, &[&str]); 5] = [
    ("01-cube", "cube", &[]),
    ("02-rosenbrock", "rosenbrock", &[]),
    ("03-ode", "ode", &[]),
    ("04-linear-solve", "linear_solve", &[]),
    ("05-burgers", "burgers", &["12", "20", "0.5"]),
];

/// Languages with the folder in which a build leaves the program.
const LANGUAGES: [(&str, &str); 4] =
    [("c", ""), ("cpp", "build"), ("fortran", ""), ("rust", "target/release")];

/// Commands of examples/README.md.
fn build(installation: &Installation, language: &str, folder: &Path) -> Result<(), String> {
    let prefix = format!("-DCMAKE_PREFIX_PATH={}", installation.prefix.display());
    let commands: &[&[&str]] = match language {
        "cpp" => &[&["cmake", "-B", "build", &prefix], &["cmake", "--build", "build"]],
        "rust" => &[&["cargo", "build", "--release", "--offline", "--quiet"]],
        _ => &[&["make"]],
    };
    for words in commands {
        succeed(installation.command(words[0]).current_dir(folder).args(&words[1..]))?;
    }
    Ok(())
}

/// Runs the program in each way, and compares values and derivatives.
fn check(installation: &Installation, program: &Path, words: &[&str], expected: &str) -> Result<(), String> {
    let value = numbers(expected, "value");
    let derivative = numbers(expected, "derivative");
    let tape = program.with_extension("tape");
    for how in [Run::Native, Run::Forward, Run::Recording] {
        let finished = run_installed(installation, how, program, words, &tape)?;
        let what = format!("{} {how:?}", program.display());
        if !finished.status.success() {
            return Err(format!("{what}: {} {}", finished.status, finished.stderr()));
        }
        agree(&what, &numbers(&finished.stdout(), "value"), &value)?;
        let seen = if how == Run::Forward { &derivative[..] } else { &[] };
        agree(&what, &numbers(&finished.stdout(), "derivative"), seen)?;
    }
    succeed(installation.command("tape-evaluation").arg("-q").arg(&tape))?;
    let bars = fs::read_to_string(tape.join("dg-input-bars")).map_err(|error| error.to_string())?;
    agree(&format!("{} in reverse", program.display()), &numbers(&bars.replace('\n', " "), ""), &derivative)
}

#[test]
fn each_example_in_each_language() {
    let installation = installation();
    let all: Vec<_> =
        EXAMPLES.iter().flat_map(|example| LANGUAGES.map(|language| (*example, language))).collect();
    each(&all, |((folder, name, words), (language, place))| {
        let project = installation.path("share/derivgrind/examples").join(folder).join(language);
        build(installation, language, &project)?;
        let expected = fs::read_to_string(repository("examples").join(folder).join("expected.txt"));
        let expected = expected.map_err(|error| format!("{folder}: {error}"))?;
        if numbers(&expected, "derivative").is_empty() {
            return Err(format!("{folder} expects nothing"));
        }
        check(installation, &project.join(place).join(name), words, &expected)
    });
}

/// A path in it is relative.
const FPM_PROJECT: &str = "\
name = \"cube\"
[dependencies]
derivgrind = { path = \"../../moved/share/derivgrind/sdk-fortran\" }
";

/// The Fortran package manager compiles the modules as a dependency.
#[test]
fn fortran_example_built_by_fpm() {
    if !full() {
        return;
    }
    let installation = installation();
    let project = installation.products.join("fpm");
    fs::create_dir_all(project.join("app")).unwrap();
    fs::write(project.join("fpm.toml"), FPM_PROJECT).unwrap();
    fs::copy(repository("examples/01-cube/fortran/cube.f90"), project.join("app/main.f90")).unwrap();
    let mut install = installation.command(fpm());
    succeed(install.current_dir(&project).args(["install", "--prefix", "installed"])).unwrap();
    let expected = fs::read_to_string(repository("examples/01-cube/expected.txt")).unwrap();
    assert!(!numbers(&expected, "derivative").is_empty());
    check(installation, &project.join("installed/bin/cube"), &[], &expected).unwrap();
}

/// Examples in the documentation of the Rust crate, as tests under derivgrind.
#[test]
fn documentation_of_the_rust_crate_holds_under_derivgrind() {
    let installation = installation();
    let sources = installation.path("share/derivgrind/runtime/src/lib.rs");
    let library = installation.products.join("documented/libderivgrind.rlib");
    fs::create_dir_all(library.parent().expect("it has a directory")).unwrap();
    let mut compile = installation.command("rustc");
    compile.args(["--edition=2021", "--crate-type=rlib", "--crate-name=derivgrind", "-o"]);
    succeed(compile.arg(&library).arg(&sources)).unwrap();
    let tests = |runner: Option<(PathBuf, Vec<String>)>| {
        let mut command: Command = installation.command("rustdoc");
        command.args(["--test", "--edition=2021", "--crate-name=derivgrind"]).arg(&sources);
        command.arg(format!("--extern=derivgrind={}", library.display()));
        if let Some((program, words)) = runner {
            command.arg("--test-runtool").arg(program);
            command.args(words.iter().flat_map(|word| ["--test-runtool-arg", word]));
        }
        succeed(&mut command)
    };
    let passed = tests(None).unwrap();
    assert!(passed.contains("test result: ok."), "{passed}");
    let program = installation.path("bin/derivgrind");
    match tests(Some((program.clone(), vec!["-q".to_string()]))) {
        Ok(passed) => assert!(passed.contains("test result: ok."), "{passed}"),
        Err(message) if message.contains("-Z unstable-options") => {
            println!("not tested: this version of rustdoc cannot run tests by another program");
            return;
        }
        Err(message) => panic!("{message}"),
    }
    let tape = installation.products.join("documented/tape");
    tests(Some((program, vec![format!("--record={}", tape.display())]))).unwrap();
    assert!(tape.join("dg-tape").exists(), "no test was recorded");
}
