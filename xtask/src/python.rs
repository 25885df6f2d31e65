//! The wheel of `sdk-python`, and the environments in which it is tested.

use crate::command;
use crate::workspace::Workspace;
use anyhow::{bail, Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds wheels of extensions in Rust.
const MATURIN: &str = "maturin==1.9.6";
/// The packages of the environment for tests: the newest ones, beside the older ones of Debian's interpreter.
const TESTED: [&str; 2] = ["numpy==2.4.6", "scipy==1.17.1"];
/// The Fortran package manager, for full tests.
const FPM: &str = "fpm==0.12.0";
const INTERPRETER: &str = "/usr/bin/python3";

/// Make the environments in which the wheel is built and tested.
pub fn set_up(workspace: &Workspace) -> Result<()> {
    environment(workspace, "tools", &[MATURIN])?;
    environment(workspace, "environment", &TESTED)?;
    Ok(())
}

/// Make the environment with what only full tests need.
pub fn set_up_full(workspace: &Workspace) -> Result<()> {
    environment(workspace, "fpm", &[FPM])?;
    Ok(())
}

/// Build the wheel, which is for all versions of CPython, and return its path.
pub fn build_wheel(workspace: &Workspace) -> Result<PathBuf> {
    let tools = environment(workspace, "tools", &[MATURIN])?;
    let wheels = workspace.scratch("wheels")?;
    fs::remove_dir_all(&wheels).with_context(|| format!("cannot empty {}", wheels.display()))?;
    let mut maturin = Command::new(tools.join("bin/maturin"));
    maturin.args(["build", "--release", "--quiet", "--interpreter", INTERPRETER, "--manifest-path"]);
    maturin.arg(workspace.root().join("sdk-python/Cargo.toml")).arg("--out").arg(&wheels);
    command::run(maturin.env("CARGO_TARGET_DIR", workspace.target()))?;
    let mut files = fs::read_dir(&wheels).with_context(|| format!("cannot read {}", wheels.display()))?;
    let wheel = files.next().context("maturin has built no wheel")??.path();
    if wheel.extension().is_none_or(|extension| extension != "whl") {
        bail!("{} is no wheel", wheel.display());
    }
    Ok(wheel)
}

/// Put the wheel below `prefix`, and the package itself, for `PYTHONPATH`.
pub fn install(workspace: &Workspace, prefix: &Path) -> Result<()> {
    let wheel = build_wheel(workspace)?;
    let folder = prefix.join("lib/derivgrind/python");
    unpack(workspace, &wheel, &folder)?;
    let name = wheel.file_name().context("a wheel has a name")?;
    let shared = prefix.join("share/derivgrind");
    fs::create_dir_all(&shared).with_context(|| format!("cannot create {}", shared.display()))?;
    fs::copy(&wheel, shared.join(name)).with_context(|| format!("cannot copy {}", wheel.display()))?;
    Ok(())
}

/// Install the wheel for tests: into an environment with NumPy and SciPy as they are published, and into a folder that
/// other interpreters find by `PYTHONPATH`. Returns the interpreter of the environment.
pub fn install_for_tests(workspace: &Workspace) -> Result<PathBuf> {
    let wheel = build_wheel(workspace)?;
    let environment = environment(workspace, "environment", &TESTED)?;
    let python = environment.join("bin/python3");
    command::run(pip(&python).args(INSTALL).arg(&wheel))?;
    unpack(workspace, &wheel, &workspace.target().join("python/packages"))?;
    Ok(python)
}

/// From a file, in place of what is there.
const INSTALL: [&str; 4] = ["install", "--no-deps", "--no-index", "--force-reinstall"];

/// Install a wheel into a folder.
fn unpack(workspace: &Workspace, wheel: &Path, folder: &Path) -> Result<()> {
    let mut pip = pip(&environment(workspace, "tools", &[MATURIN])?.join("bin/python3"));
    command::run(pip.args(INSTALL).args(["--upgrade", "--target"]).arg(folder).arg(wheel))
}

/// A virtual environment with some packages, which is made anew when these change.
fn environment(workspace: &Workspace, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let directory = workspace.target().join("python").join(name);
    let list = directory.join("packages.txt");
    let wanted = packages.join("\n");
    if fs::read_to_string(&list).is_ok_and(|installed| installed == wanted) {
        return Ok(directory);
    }
    let mut venv = Command::new(INTERPRETER);
    command::run(venv.args(["-m", "venv", "--clear"]).arg(&directory))?;
    command::run(
        pip(&directory.join("bin/python3")).args(["install", "--only-binary=:all:"]).args(packages),
    )?;
    fs::write(&list, wanted).with_context(|| format!("cannot write {}", list.display()))?;
    Ok(directory)
}

fn pip(python: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]);
    pip
}
