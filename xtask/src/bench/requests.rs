//! The table of what requests cost outside of the tool, where they do nothing.

use super::table;
use crate::command;
use crate::python;
use crate::workspace::Workspace;
use anyhow::{bail, Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the programs measure, in this order.
const REQUESTS: [&str; 5] = ["set_dotvalue", "get_dotvalue", "inputf", "outputf", "mode"];
/// Nanoseconds that a request of a compiled program may take.
const LIMIT: f64 = 5.0;
/// Nanoseconds of a call in Python.
const PYTHON_LIMIT: f64 = 100.0;

/// One language.
pub struct Row {
    language: &'static str,
    /// Nanoseconds of each request.
    times: Vec<f64>,
    limit: f64,
}

impl Row {
    pub fn is_within_limit(&self) -> bool {
        self.times.iter().all(|time| *time < self.limit)
    }

    fn cells(&self) -> [String; 7] {
        let mark = if self.is_within_limit() { "" } else { " (above)" };
        let limit = format!("{:.0}{mark}", self.limit);
        let time =
            |number: usize| self.times.get(number).map_or_else(String::new, |time| format!("{time:.1}"));
        [self.language.to_string(), time(0), time(1), time(2), time(3), time(4), limit]
    }
}

/// Compiles and runs the programs of the languages whose names contain `only`.
pub fn measure(workspace: &Workspace, only: &str) -> Result<Vec<Row>> {
    let scratch = workspace.scratch("requests")?;
    let compilers: [(&str, Compiler); 4] =
        [("C", compile_c), ("C++", compile_cxx), ("Fortran", compile_fortran), ("Rust", compile_rust)];
    let mut rows = Vec::new();
    for (language, compile) in compilers {
        if !format!("requests in {language}").contains(only) {
            continue;
        }
        eprintln!("requests in {language} ...");
        let program = compile(workspace, &scratch)?;
        let output = command::output(&mut Command::new(program))?;
        rows.push(Row { language, times: times(&output)?, limit: LIMIT });
    }
    if "requests in Python".contains(only) {
        eprintln!("requests in Python ...");
        let mut interpreter = Command::new(python::install_for_tests(workspace)?);
        let output = command::output(interpreter.arg(source(workspace, "requests.py")))?;
        rows.push(Row { language: "Python", times: times(&output)?, limit: PYTHON_LIMIT });
    }
    Ok(rows)
}

/// The table.
pub fn report(rows: &[Row]) -> String {
    let mut text = String::from("# Requests outside of Derivgrind\n\n");
    text += "Nanoseconds of a request on one binary64 number, in a loop (benches/programs/requests.*), compiled with -O2.\n\n";
    let [set, get, input, output, mode] = REQUESTS;
    text += &table::markdown(
        ["language", set, get, input, output, mode, "at most"],
        rows.iter().map(Row::cells).collect::<Vec<_>>().iter(),
    );
    text
}

/// Lines `NAME NANOSECONDS`.
fn times(output: &str) -> Result<Vec<f64>> {
    let lines: Vec<_> = output.lines().collect();
    if lines.len() != REQUESTS.len() {
        bail!("there should be {} lines in {output:?}", REQUESTS.len());
    }
    let time = |(line, name): (&&str, &str)| {
        let number = line.strip_prefix(name).with_context(|| format!("`{line}` is not about {name}"))?;
        number.trim().parse().with_context(|| format!("`{line}` has no time"))
    };
    lines.iter().zip(REQUESTS).map(time).collect()
}

/// Compiles a program, and returns its path.
type Compiler = fn(&Workspace, &Path) -> Result<PathBuf>;

fn source(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.root().join("benches/programs").join(name)
}

fn compile_c(workspace: &Workspace, scratch: &Path) -> Result<PathBuf> {
    let product = scratch.join("c");
    workspace.compile_c("benches/programs/requests.c", &product, &["-O2"], &[])?;
    Ok(product)
}

fn compile_cxx(workspace: &Workspace, scratch: &Path) -> Result<PathBuf> {
    let product = scratch.join("cxx");
    let mut compiler = Command::new("g++");
    compiler.args(["-O2", "-std=c++11", "-I"]).arg(workspace.root().join("headers"));
    command::run(compiler.arg(source(workspace, "requests.cpp")).arg("-o").arg(&product))?;
    Ok(product)
}

fn compile_fortran(workspace: &Workspace, scratch: &Path) -> Result<PathBuf> {
    let product = scratch.join("fortran");
    let sdk = workspace.root().join("sdk-fortran");
    // Each source on its own, as in a library.
    let mut objects = Vec::new();
    for file in [
        sdk.join("src/derivgrind.f90"),
        sdk.join("src/derivgrind_requests.c"),
        source(workspace, "requests.f90"),
    ] {
        let object =
            scratch.join(file.file_name().context("a source has a name")?).with_extension("fortran.o");
        let mut compiler = Command::new("gfortran");
        compiler.current_dir(scratch).args(["-O2", "-c", "-I"]).arg(workspace.root().join("headers"));
        command::run(compiler.arg(file).arg("-o").arg(&object))?;
        objects.push(object);
    }
    command::run(Command::new("gfortran").args(objects).arg("-o").arg(&product))?;
    Ok(product)
}

fn compile_rust(workspace: &Workspace, scratch: &Path) -> Result<PathBuf> {
    let product = scratch.join("rust");
    let library = scratch.join("libderivgrind.rlib");
    let mut crate_compiler = Command::new("rustc");
    crate_compiler.args([
        "--edition=2021",
        "--crate-type=rlib",
        "--crate-name=derivgrind",
        "-Copt-level=2",
        "-o",
    ]);
    command::run(crate_compiler.arg(&library).arg(workspace.root().join("runtime/src/lib.rs")))?;
    let mut compiler = Command::new("rustc");
    compiler
        .args(["--edition=2021", "-Copt-level=2", "-o"])
        .arg(&product)
        .arg(source(workspace, "requests.rs"));
    command::run(compiler.arg(format!("--extern=derivgrind={}", library.display())))?;
    Ok(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_within_their_limit_or_say_that_they_are_not() {
        let row = |times: &[f64]| Row { language: "C", times: times.to_vec(), limit: LIMIT };
        assert!(row(&[1.0; 5]).is_within_limit() && row(&[1.0; 5]).cells()[6] == "5");
        assert!(!row(&[1.0, 1.0, 5.1, 1.0, 1.0]).is_within_limit());
        assert_eq!(row(&[1.0, 1.0, 5.1, 1.0, 1.0]).cells()[6], "5 (above)");
        assert!(times("set_dotvalue 1\nget_dotvalue 2\ninputf 3\noutputf 4\nmode 5\n").is_ok());
        assert!(times("set_dotvalue 1\n").is_err());
        assert!(times("set_dotvalue 1\nget_dotvalue 2\noutputf 3\ninputf 4\nmode 5\n").is_err());
    }
}
