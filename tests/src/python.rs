//! Interpreters of Python, with the package of `sdk-python`.

use crate::{has_avx512, repository, run, scratch, Finished, Shadows};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which interpreter, with which packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpreter {
    /// The system's, with its own packages.
    System,
    /// One in a virtual environment, with the newest NumPy and SciPy.
    Environment,
}

/// Where `cargo xtask wheel` has installed the package.
fn installed() -> PathBuf {
    let directory = scratch().join("../python");
    let message = "the Python package is not installed for tests; please run: cargo xtask wheel";
    assert!(directory.join("packages/derivgrind").exists(), "{message}");
    directory
}

/// The Fortran package manager, which is published as a package of Python.
pub fn fpm() -> PathBuf {
    installed().join("fpm/bin/fpm")
}

impl Interpreter {
    pub fn path(self) -> PathBuf {
        match self {
            Interpreter::System => "/usr/bin/python3".into(),
            Interpreter::Environment => installed().join("environment/bin/python3"),
        }
    }

    /// Lets a command that starts this interpreter find the package.
    pub fn prepare(self, command: &mut Command) {
        command.env_remove("PYTHONHOME").env_remove("PYTHONPATH").env("OPENBLAS_NUM_THREADS", "1");
        if self == Interpreter::System {
            command.env("PYTHONPATH", installed().join("packages"));
        }
    }

    /// Features that are hidden under the tool, by the names that this version of NumPy gives them.
    fn hidden_features(self) -> &'static str {
        match self {
            Interpreter::System => "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL",
            Interpreter::Environment => "X86_V4 AVX512_ICL AVX512_SPR",
        }
    }
}

/// Where shadows are: in registers, if there are enough. Then NumPy does not see AVX-512.
pub fn shadows() -> Shadows {
    match has_avx512() {
        true => Shadows::Registers,
        false => Shadows::Memory,
    }
}

/// A file of `tests/python`.
pub fn script(name: &str) -> String {
    repository("tests/python").join(name).to_str().expect("the repository has a plain name").to_string()
}

/// How a script is run.
#[derive(Clone, Copy, Debug)]
pub enum Mode<'a> {
    Native,
    Forward,
    Recording(&'a Path),
}

/// Runs a script of `tests/python` with arguments.
pub fn run_script(
    interpreter: Interpreter,
    mode: Mode,
    name: &str,
    arguments: &[&str],
) -> Result<Finished, String> {
    run_script_with(shadows(), interpreter, mode, name, arguments)
}

/// The same with shadows in some place.
pub fn run_script_with(
    shadows: Shadows,
    interpreter: Interpreter,
    mode: Mode,
    name: &str,
    arguments: &[&str],
) -> Result<Finished, String> {
    let path = interpreter.path();
    let name = script(name);
    let mut words = vec![path.to_str().expect("target directories have plain names"), &name];
    words.extend(arguments);
    let record;
    let mut command = match mode {
        Mode::Native => crate::native(&words, shadows),
        Mode::Forward => crate::derivgrind(&[], &words, shadows),
        Mode::Recording(directory) => {
            record = format!("--record={}", directory.display());
            crate::derivgrind(&[&record], &words, shadows)
        }
    };
    interpreter.prepare(&mut command);
    if matches!(mode, Mode::Native) && shadows == Shadows::Registers {
        command.env("NPY_DISABLE_CPU_FEATURES", interpreter.hidden_features());
    }
    run(&mut command)
}
