//! Each request from each language, natively, in forward mode and while recording.

use derivgrind_tests::installation::{installation, run_installed, succeed, Installation, Run};
use derivgrind_tests::{each, full, repository};
use std::fs;
use std::path::{Path, PathBuf};

/// A program of `tests/languages`, and what its index files list.
struct Program {
    name: &'static str,
    /// The command that compiles it, without paths.
    compiler: Vec<&'static str>,
    inputs: usize,
    outputs: usize,
}

fn program(name: &'static str, compiler: &[&'static str], inputs: usize, outputs: usize) -> Program {
    Program { name, compiler: compiler.to_vec(), inputs, outputs }
}

/// Compiles the program with the flags that the installation tells.
fn compile(installation: &Installation, program: &Program) -> Result<PathBuf, String> {
    let source = repository("tests/languages").join(program.name);
    let words = program.compiler.join("").replace(['=', '+'], "_");
    let product = installation.products.join(format!("{}-{words}", program.name.replace('.', "-")));
    let mut command = installation.command(program.compiler[0]);
    command.current_dir(&installation.products).args(&program.compiler[1..]);
    match program.name.rsplit('.').next() {
        Some("rs") => {
            command.arg(format!("--extern=derivgrind={}", rust_library(installation)?.display()));
            command.arg(&source);
        }
        Some("f90") => {
            let flags = succeed(installation.command("derivgrind-config").arg("--fflags"))?;
            command.arg("-cpp").arg(&source).args(flags.split_whitespace());
        }
        _ => {
            command.arg("-I").arg(installation.path("include")).arg(&source);
            if program.name.contains("library") {
                command.arg("-L").arg(installation.path("lib")).arg("-lderivgrind");
                command.arg(format!("-Wl,-rpath,{}", installation.path("lib").display()));
            }
        }
    }
    succeed(command.arg("-o").arg(&product))?;
    Ok(product)
}

/// The crate, compiled without Cargo.
fn rust_library(installation: &Installation) -> Result<PathBuf, String> {
    let library = installation.products.join("libderivgrind.rlib");
    let mut command = installation.command("rustc");
    command.args(["--edition=2021", "--crate-type=rlib", "--crate-name=derivgrind", "-O", "-o"]);
    succeed(command.arg(&library).arg(installation.path("share/derivgrind/runtime/src/lib.rs")))?;
    Ok(library)
}

fn lines(path: &Path) -> Result<usize, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.lines().count())
}

#[test]
fn each_request_has_its_effect_in_its_mode_and_none_elsewhere() {
    let installation = installation();
    installation.assert_complete().unwrap_or_else(|error| panic!("{error}"));
    let mut all = vec![
        program("every_request.c", &["gcc", "-O0"], 3, 1),
        program("every_request.c", &["gcc", "-O3"], 3, 1),
        program("every_request.c", &["clang", "-O2"], 3, 1),
        program("every_request.cpp", &["g++", "-std=c++11", "-O2"], 3, 1),
        program("every_request.cpp", &["g++", "-std=c++20", "-O0"], 3, 1),
        program("every_request.cpp", &["clang++", "-std=c++11", "-O0"], 3, 1),
        program("every_request.cpp", &["clang++", "-std=c++20", "-O2"], 3, 1),
        program("every_request.rs", &["rustc", "--edition=2021"], 3, 1),
        program("every_request.rs", &["rustc", "--edition=2021", "-O"], 3, 1),
        program("every_request_library.c", &["gcc", "-O2"], 5, 3),
        program("every_request_library.c", &["gcc", "-O0", "-static"], 5, 3),
    ];
    let levels = [["-O0"], ["-O1"], ["-O2"], ["-O3"], ["-Ofast"]];
    all.extend(
        levels.iter().map(|level| program("every_request.f90", &[&["gfortran"], &level[..]].concat(), 5, 2)),
    );
    if full() {
        for compiler in ["g++", "clang++"] {
            for standard in ["-std=c++11", "-std=c++14", "-std=c++17", "-std=c++20"] {
                all.push(program("every_request.cpp", &[compiler, standard, "-Ofast"], 3, 1));
            }
        }
    }
    each(&all, |program| {
        let executable = compile(installation, program)?;
        let tape = executable.with_extension("tape");
        for how in [Run::Native, Run::Forward, Run::Recording] {
            let finished = run_installed(installation, how, &executable, &[], &tape)?;
            if !finished.status.success() || !finished.stdout.is_empty() || !finished.stderr.is_empty() {
                let words = format!("{} {:?} {how:?}: {}", program.name, program.compiler, finished.status);
                return Err(format!("{words}\n{}{}", finished.stdout(), finished.stderr()));
            }
        }
        let found = (lines(&tape.join("dg-input-indices"))?, lines(&tape.join("dg-output-indices"))?);
        if found != (program.inputs, program.outputs) {
            return Err(format!("{} {:?}: inputs and outputs {found:?}", program.name, program.compiler));
        }
        Ok(())
    });
}

/// The module compiled with the options of the program, as a build system does.
#[test]
fn fortran_module_may_be_optimised_with_the_program() {
    let installation = installation();
    each(&["-O0", "-O2", "-Ofast"], |level| {
        let product = installation.products.join(format!("optimised{level}"));
        fs::create_dir_all(&product).map_err(|error| error.to_string())?;
        let mut command = installation.command("gfortran");
        command.current_dir(&product).args(["-cpp", level, "-flto=1", "-march=native", "-I"]);
        command.arg(installation.path("include"));
        for source in ["derivgrind.f90", "derivgrind_requests.c"] {
            command.arg(installation.path("share/derivgrind/sdk-fortran/src").join(source));
        }
        succeed(command.arg(repository("tests/languages/every_request.f90")).args(["-o", "program"]))?;
        for how in [Run::Native, Run::Forward, Run::Recording] {
            let finished =
                run_installed(installation, how, &product.join("program"), &[], &product.join("tape"))?;
            if !finished.status.success() || !finished.stderr.is_empty() {
                return Err(format!("{level} {how:?}: {}{}", finished.stdout(), finished.stderr()));
            }
        }
        Ok(())
    });
}

/// Types without derivatives, constants and temporaries: each must be refused with a sentence of ours.
#[test]
fn cpp_refuses_what_has_no_derivative() {
    let installation = installation();
    let refused = [
        ("int x = 1; derivgrind::inputf(x);", "only float, double, long double"),
        ("int x = 1; derivgrind::set_dotvalue(x, 1.0);", "only float, double, long double"),
        ("std::vector<int> x(2); derivgrind::inputf(x);", "only float, double, long double"),
        ("std::string x; derivgrind::outputf(x);", "only float, double, long double"),
        ("struct {} x; derivgrind::inputf(x);", "only float, double, long double"),
        ("const double x = 1; derivgrind::inputf(x);", "a constant cannot become active"),
        ("const double x = 1; derivgrind::set_dotvalue(x, 1.0);", "a constant cannot become active"),
        (
            "const std::vector<double> x(2); derivgrind::set_dotvalue(x, std::vector<double>(2));",
            "a constant cannot",
        ),
        ("derivgrind::inputf(1.0);", "only a variable can be an input"),
        (
            "std::vector<double> x(2); derivgrind::set_dotvalue(x, std::vector<float>(2));",
            "has the type of its number",
        ),
        ("std::vector<bool> x(2); derivgrind::inputf(x);", "are not in memory"),
    ];
    each(&refused, |(statement, sentence)| {
        let head = "#include <derivgrind.hpp>\n#include <string>\n#include <vector>\n";
        for compiler in ["g++", "clang++"] {
            let number = refused.iter().position(|other| other.0 == *statement).unwrap_or_default();
            let source = installation.products.join(format!("refused{number}.cpp"));
            fs::write(&source, format!("{head}int main() {{ {statement} }}\n"))
                .map_err(|error| error.to_string())?;
            let mut command = installation.command(compiler);
            command
                .args(["-std=c++11", "-fsyntax-only", "-I"])
                .arg(installation.path("include"))
                .arg(&source);
            let output = command.output().map_err(|error| error.to_string())?;
            let message = String::from_utf8_lossy(&output.stderr);
            if output.status.success() || !message.contains(sentence) {
                return Err(format!("{compiler}: {statement}: {message}"));
            }
        }
        Ok(())
    });
}
