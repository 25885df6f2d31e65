//! The evaluation of tapes: `tape-evaluation DIR [options]`.
//!
//! `derivgrind --record=DIR` leaves a tape and the indices of inputs and outputs in DIR. This program reads seeds for
//! one of them from a text file and writes derivatives of the other, prints or exports the tape, or computes a
//! Jacobian. The work is done by the crate `derivgrind-tape`; here are files, words and numbers.
//!
//! Invariants:
//! - Whatever is wrong with a file is one sentence on stderr with its name, and line or byte, and exit status 1.
//! - Results are written only after the whole evaluation has succeeded (a Jacobian: what is written early is marked as
//!   incomplete by its missing name).

mod evaluation;
mod export;
#[path = "../generate.rs"]
mod generate;
mod influence;
mod jacobian;
mod numbers;
mod options;
mod print;
mod recording;
mod statistics;

use anyhow::Result;
use clap::{CommandFactory, FromArgMatches};
use generate::Document;
use options::{Options, Task};
use recording::Recording;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let matches = Options::command().try_get_matches();
    if let Some(document) = matches.as_ref().ok().and_then(|matches| matches.get_one::<Document>("generate"))
    {
        print!("{}", document.text("tape-evaluation", Options::command()));
        return ExitCode::SUCCESS;
    }
    let options = match matches.and_then(|matches| Options::from_arg_matches(&matches)) {
        Ok(options) => options,
        Err(error) if !error.use_stderr() => {
            // Help and version; nothing can be done if they cannot be printed.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("tape-evaluation: {}", options::sentence(&error));
            return ExitCode::FAILURE;
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tape-evaluation: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let recording = Recording::open(options)?;
    match options.task()? {
        Task::Reverse => evaluation::reverse(&recording),
        Task::Forward => evaluation::forward(&recording),
        Task::Statistics(style) => statistics::print(&recording, style),
        Task::Print => print::print(&recording),
        Task::Export(layout) => export::export(&recording, layout),
        Task::Jacobian(path) => jacobian::write(&recording, &path),
    }
}

/// Whether the reader of the output has had enough, as in `tape-evaluation DIR --print | head`.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    kinds.into_iter().any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
