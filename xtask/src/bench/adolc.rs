//! The peer of the recording mode: ADOL-C, a source-level tool, with the same scheme.

use super::programs::Variant;
use super::{chosen, labelled, printed, Clock};
use crate::command;
use crate::measure;
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One run, times in seconds.
pub struct Run {
    /// Recording into memory that the process has not used before.
    pub cold: f64,
    /// The same into memory that it has used.
    pub warm: f64,
    pub reverse: f64,
    pub bytes_per_operation: f64,
    pub derivative: f64,
}

/// Compile the program, and return its path.
pub fn compile(workspace: &Workspace, scratch: &Path, variant: &Variant) -> Result<PathBuf> {
    let program = scratch.join(variant.file_name("burgers-adolc"));
    let source = workspace.root().join("benches/programs/burgers_adolc.cpp");
    let mut compiler = Command::new("g++");
    compiler.args(variant.options).arg(source).arg("-o").arg(&program).arg("-ladolc");
    command::run(&mut compiler)?;
    Ok(program)
}

/// Run a program that `compile` made.
pub fn run(program: &Path, words: &[&str], clock: Clock) -> Result<Run> {
    let run = measure::run(Command::new(program).args(words))?;
    let time = |name: &str| -> Result<f64> { Ok(chosen(printed(&run.stdout, name)?, clock)) };
    let number = |name: &str| -> Result<f64> { Ok(labelled(&run.stdout, name)?.parse()?) };
    Ok(Run {
        cold: time("recording")?,
        warm: time("recording-again")?,
        reverse: time("reverse")?,
        bytes_per_operation: number("bytes")? / number("operations")?,
        derivative: number("derivative")?,
    })
}
