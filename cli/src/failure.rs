//! What can go wrong before the client starts, in the words that the user reads, and the exit statuses.

use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Exit status when the tool itself failed or was called wrongly.
pub const TOOL_ERROR: i32 = 125;
/// Exit status when a program was found but cannot be executed.
pub const CANNOT_EXECUTE: i32 = 126;
/// Exit status when a program was not found.
pub const NOT_FOUND: i32 = 127;

/// The launcher stops, with one sentence and one exit status.
#[derive(Debug, Error)]
pub enum Failure {
    #[error("{0}")]
    Option(String),

    #[error("{}: no such program in PATH", .0.display())]
    NotInPath(PathBuf),

    #[error("{}: no such file", .0.display())]
    NoSuchFile(PathBuf),

    #[error("cannot execute {}: {reason}", .path.display())]
    CannotExecute { path: PathBuf, reason: Obstacle },

    #[error("{0:#}")]
    Tool(#[from] anyhow::Error),
}

/// Why a file that exists cannot be executed.
#[derive(Debug, Error)]
pub enum Obstacle {
    #[error("it is a directory")]
    Directory,
    #[error("it is not a regular file")]
    NotAFile,
    #[error("permission denied (is it marked as executable?)")]
    NotExecutable,
    #[error("it cannot be read, and a program can be translated only if its code can be read")]
    NotReadable,
    #[error("it would run with the rights of another user, which a program under derivgrind cannot get")]
    ChangesUser,
    #[error("{0}")]
    Unreadable(io::Error),
    #[error("the file is empty")]
    Empty,
    #[error("it is neither an ELF program nor a script that begins with #!")]
    UnknownFormat,
    #[error("it is a 32-bit program, and only 64-bit x86-64 programs are supported")]
    Bits32,
    #[error("it is a program for another architecture ({0}), and only x86-64 is supported")]
    Architecture(String),
    #[error("it is an ELF file, but not a program ({0})")]
    NotAProgram(&'static str),
    #[error("the ELF file is truncated ({0})")]
    Truncated(&'static str),
    #[error("its ELF interpreter {} does not exist", .0.display())]
    NoElfInterpreter(PathBuf),
    #[error("its ELF interpreter {} cannot be used: {reason}", .path.display())]
    BadElfInterpreter { path: PathBuf, reason: Box<Obstacle> },
    #[error("its first line names no interpreter")]
    NoScriptInterpreter,
    #[error("the interpreter {} of this script does not exist", .0.display())]
    ScriptInterpreterMissing(PathBuf),
    #[error("the interpreter {} of this script cannot be executed: {reason}", .path.display())]
    BadScriptInterpreter { path: PathBuf, reason: Box<Obstacle> },
    #[error("scripts that are each other's interpreter are nested too deeply")]
    ScriptsTooDeep,
}

impl Failure {
    pub fn status(&self) -> i32 {
        match self {
            Failure::Option(_) | Failure::Tool(_) => TOOL_ERROR,
            Failure::CannotExecute { .. } => CANNOT_EXECUTE,
            Failure::NotInPath(_) | Failure::NoSuchFile(_) => NOT_FOUND,
        }
    }
}
