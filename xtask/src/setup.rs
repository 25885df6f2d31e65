//! `cargo xtask setup`: installs the Debian packages that the other commands use.
//!
//! Nothing is installed that is there already, so that this is quick and every command can begin with it.

use crate::command;
use anyhow::{bail, Result};
use clap::ValueEnum;
use std::process::{Command, Stdio};

/// What the packages are for.
///
/// Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Purpose {
    Demo,
    Test,
    Bench,
    /// Tests with `--full`.
    Full,
}

/// Packages and what needs them.
#[rustfmt::skip] // One row a package.
const PACKAGES: &[(Purpose, &str)] = &[
    (Purpose::Demo, "gcc"),              // the C programs of demo and tests
    (Purpose::Demo, "libc6-dev"),
    (Purpose::Demo, "libgsl-dev"),       // the library in the demo that nobody compiled for us
    (Purpose::Test, "g++"),              // the header in C++
    (Purpose::Test, "clang"),            // the header for another compiler
    (Purpose::Test, "gfortran"),         // guest programs
    (Purpose::Test, "make"),             // projects that use an installation, as the following
    (Purpose::Test, "cmake"),
    (Purpose::Test, "pkgconf"),
    (Purpose::Test, "musl-tools"),       // another mathematics library
    (Purpose::Test, "gdb"),              // guest programs
    (Purpose::Test, "valgrind"),         // columns of the benchmark tables
    (Purpose::Test, "xz-utils"),         // guest programs and benchmark, as the following
    (Purpose::Test, "sqlite3"),
    (Purpose::Test, "perl"),
    (Purpose::Test, "python3"),
    (Purpose::Test, "libfftw3-dev"),     // libraries that guest programs differentiate
    (Purpose::Test, "liblapacke-dev"),
    (Purpose::Test, "python3-mpmath"),
    (Purpose::Test, "python3-numpy"),
    (Purpose::Test, "python3-venv"),     // the Python package is built and tested in environments
    (Purpose::Test, "libopenblas0-pthread"), // NumPy with threads, not the reference BLAS
    (Purpose::Bench, "libadolc-dev"),    // a source-level tool, beside the recording mode
    (Purpose::Full, "lua5.4"),           // programs that must run as natively, as the following
    (Purpose::Full, "luajit"),
    (Purpose::Full, "ruby"),
    (Purpose::Full, "nodejs"),
    (Purpose::Full, "php-cli"),
    (Purpose::Full, "zstd"),
    (Purpose::Full, "openssl"),
    (Purpose::Full, "imagemagick"),
    (Purpose::Full, "golang-go"),
    (Purpose::Full, "python3-pytest"),   // NumPy's own tests, as the following
    (Purpose::Full, "python3-hypothesis"),
];

/// Install what is missing; without the right to do so, fail with the command that somebody else can run.
pub fn run(purpose: Purpose) -> Result<()> {
    if command::output(Command::new("dpkg-query").arg("--version")).is_err() {
        eprintln!(
            "This is not a Debian system. Please make sure that the counterparts of these packages are installed: {}",
            wanted(purpose).join(" ")
        );
        return Ok(());
    }
    // The name of the package with Python's tests depends on the version of Python, which may have to come first.
    install_missing(wanted(purpose), purpose)?;
    if purpose >= Purpose::Test {
        install_missing(python_tests().into_iter().collect(), purpose)?;
    }
    Ok(())
}

fn wanted(purpose: Purpose) -> Vec<String> {
    let rows = PACKAGES.iter().filter(|(needed_for, _)| *needed_for <= purpose);
    rows.map(|(_, package)| (*package).to_string()).collect()
}

/// Debian keeps Python's own tests in a package whose name has the version in it.
fn python_tests() -> Option<String> {
    let print_version = "import sys; print('%d.%d' % sys.version_info[:2])";
    let version = command::output(Command::new("/usr/bin/python3").args(["-c", print_version])).ok()?;
    Some(format!("libpython{}-testsuite", version.trim()))
}

fn install_missing(packages: Vec<String>, purpose: Purpose) -> Result<()> {
    let missing: Vec<String> = packages.into_iter().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        let mut all = missing;
        if purpose >= Purpose::Test {
            all.extend(python_tests().filter(|package| !all.contains(package) && !is_installed(package)));
        }
        bail!(
            "some packages are missing, and only root can install them; please run: sudo apt-get install -y {}",
            all.join(" ")
        );
    }
    eprintln!("Installing {} ...", missing.join(" "));
    // The list of packages may be missing or older than the archive.
    if apt_get(&["install"], &missing).is_err() {
        apt_get(&["update"], &[])?;
        apt_get(&["install"], &missing)?;
    }
    Ok(())
}

fn apt_get(action: &[&str], packages: &[String]) -> Result<()> {
    let mut apt = Command::new("apt-get");
    apt.args(["-y", "-qq", "--no-install-recommends"]).args(action).args(packages);
    apt.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(Stdio::null());
    command::run(&mut apt)
}

fn is_installed(package: &str) -> bool {
    let query =
        command::output(Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", package]));
    query.is_ok_and(|status| status == "installed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_includes_those_before_it() {
        let has = |purpose, package: &str| wanted(purpose).iter().any(|other| other == package);
        assert!(has(Purpose::Demo, "gcc") && has(Purpose::Test, "gcc") && has(Purpose::Bench, "gcc"));
        assert!(!has(Purpose::Demo, "xz-utils") && has(Purpose::Bench, "xz-utils"));
        assert!(!has(Purpose::Test, "libadolc-dev") && has(Purpose::Bench, "libadolc-dev"));
    }
}
