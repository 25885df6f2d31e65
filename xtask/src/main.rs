//! Entry point of `cargo xtask`.

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use xtask::workspace::Workspace;
use xtask::{bench, checks, demo, headers, install, instructions, math, python, setup};

/// Development commands of Derivgrind.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install the Debian packages that demo, tests and benchmarks need, and the Python packages of tests.
    Setup {
        /// Only what this command needs.
        #[arg(long = "for", value_enum, default_value_t = setup::Purpose::Test)]
        purpose: setup::Purpose,
    },
    /// Differentiate a solver for Burgers' equation and a Bessel function of a library, and check the derivatives.
    Demo,
    /// Check formatting, lints and generated files, then run all tests.
    Test {
        /// Also the tests in release mode and the long ones.
        #[arg(long)]
        full: bool,
    },
    /// Measure run times against native execution and print them as a table.
    Bench(bench::Arguments),
    /// Check formatting, lints and generated files.
    Lint,
    /// Generate headers and the Fortran module from the request codes and the crate ffi.
    Headers {
        /// Write nothing; fail if a committed file is stale.
        #[arg(long)]
        check: bool,
    },
    /// Generate docs/instructions.md from the table of rules.
    Instructions {
        /// Write nothing; fail if the committed document is stale.
        #[arg(long)]
        check: bool,
    },
    /// Generate docs/math.md from the table of mathematical functions.
    Math {
        /// Write nothing; fail if the committed document is stale.
        #[arg(long)]
        check: bool,
    },
    /// Build the wheel of the Python package and install it for tests.
    Wheel,
    /// Build in release mode and install programs, libraries, headers, modules, documents and examples.
    Install {
        #[arg(long, value_name = "DIR")]
        prefix: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let workspace = Workspace::find()?;
    match command {
        Command::Setup { purpose } => {
            setup::run(purpose)?;
            if purpose >= setup::Purpose::Test {
                python::set_up(&workspace)?;
            }
            if purpose >= setup::Purpose::Full {
                python::set_up_full(&workspace)?;
            }
            Ok(())
        }
        Command::Demo => demo::run(&workspace),
        Command::Test { full } => checks::test(&workspace, full),
        Command::Bench(arguments) => bench::run(&workspace, &arguments),
        Command::Lint => checks::lint(&workspace),
        Command::Headers { check } => headers::run(workspace.root(), check),
        Command::Instructions { check } => instructions::run(workspace.root(), check),
        Command::Math { check } => math::run(workspace.root(), check),
        Command::Wheel => python::install_for_tests(&workspace).map(|_| ()),
        Command::Install { prefix } => install::run(&workspace, &prefix),
    }
}
