//! `cargo xtask lint` and `cargo xtask test`.

use crate::command;
use crate::headers;
use crate::instructions;
use crate::math;
use crate::python;
use crate::setup::{self, Purpose};
use crate::workspace::Workspace;
use anyhow::Result;

/// Tells tests where the launcher is that was built for them.
pub const LAUNCHER_VARIABLE: &str = "DERIVGRIND";
/// Asks tests for their long form: more random operands, longer programs.
pub const FULL_VARIABLE: &str = "DERIVGRIND_FULL_TESTS";

/// Formatting, lints and generated files, in all workspaces.
pub fn lint(workspace: &Workspace) -> Result<()> {
    step("formatting");
    command::run(workspace.cargo().args(["fmt", "--all", "--check"]))?;
    command::run(workspace.engine_cargo().args(["fmt", "--check"]))?;
    command::run(workspace.library_cargo().args(["fmt", "--check"]))?;
    step("generated files");
    headers::run(workspace.root(), true)?;
    instructions::run(workspace.root(), true)?;
    math::run(workspace.root(), true)?;
    step("lints");
    let deny = ["--", "-D", "warnings"];
    command::run(workspace.cargo().args(["clippy", "--quiet", "--workspace", "--all-targets"]).args(deny))?;
    command::run(workspace.engine_cargo().args(["clippy", "--quiet", "--release"]).args(deny))?;
    command::run(workspace.library_cargo().args(["clippy", "--quiet", "--release"]).args(deny))
}

/// The lints, then all tests.
pub fn test(workspace: &Workspace, full: bool) -> Result<()> {
    setup::run(if full { Purpose::Full } else { Purpose::Test })?;
    lint(workspace)?;
    step("release build");
    let launcher = workspace.build_launcher()?;
    step("Python package");
    python::install_for_tests(workspace)?;
    if full {
        python::set_up_full(workspace)?;
    }
    step("tests");
    let mut tests = workspace.cargo();
    tests.args(["test", "--quiet", "--workspace", "--no-fail-fast"]).env(LAUNCHER_VARIABLE, &launcher);
    if full {
        tests.env(FULL_VARIABLE, "yes");
    }
    command::run(&mut tests)?;
    if full {
        step("tests in release mode");
        let mut tests = workspace.cargo();
        tests.args(["test", "--quiet", "--release", "--workspace", "--no-fail-fast"]);
        command::run(tests.env(LAUNCHER_VARIABLE, &launcher).env(FULL_VARIABLE, "yes"))?;
    }
    Ok(())
}

fn step(name: &str) {
    eprintln!("== {name}");
}
