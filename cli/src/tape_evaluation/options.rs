//! The command line.

use crate::generate::Document;
use anyhow::{bail, Result};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// Evaluate the tape that `derivgrind --record=DIR` has written.
///
/// Without options: the reverse evaluation, from bar values of the outputs in DIR/dg-output-bars to bar values of the
/// inputs in DIR/dg-input-bars. All such files have one number a line, in the order in which inputs and outputs were
/// declared. Without dg-output-bars, a single output has the bar value 1.
///
/// Exit status: 0, or 1 after a sentence on stderr.
#[derive(Debug, Parser)]
#[command(
    name = "tape-evaluation",
    bin_name = "tape-evaluation",
    version,
    override_usage = "tape-evaluation DIR [OPTIONS]",
    args_override_self = true
)]
pub struct Options {
    /// The directory with the tape.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,

    /// Forward evaluation: from dot values in DIR/dg-input-dots to dot values in DIR/dg-output-dots.
    #[arg(long)]
    forward: bool,

    /// Count what is on the tape; `classic` prints how many blocks have 0, 1 and 2 active operands.
    #[arg(
        long,
        value_enum,
        value_name = "STYLE",
        require_equals = true,
        num_args = 0..=1,
        default_missing_value = "readable"
    )]
    stats: Option<Style>,

    /// Print a table of all operations.
    #[arg(long)]
    print: bool,

    /// Write all operations as classic 32-byte blocks, as comma-separated values or as a graph for Graphviz.
    #[arg(long, value_enum, value_name = "LAYOUT", require_equals = true)]
    export: Option<Layout>,

    /// Where an export or a print goes, instead of stdout.
    #[arg(long, value_name = "FILE", require_equals = true)]
    pub output: Option<PathBuf>,

    /// Read bar values from FILE, which may have several columns for as many evaluations; dg-input-bars gets as many.
    #[arg(long, value_name = "FILE", require_equals = true)]
    pub bars: Option<PathBuf>,

    /// Write all derivatives of outputs (rows) with respect to inputs (columns) as a NumPy array, to
    /// DIR/dg-jacobian.npy if FILE is not given.
    #[arg(long, value_name = "FILE", require_equals = true, num_args = 0..=1)]
    jacobian: Option<Option<PathBuf>>,

    /// Keep adjoints in the file PATH, which must not exist and is removed; by itself a file in DIR is used when they
    /// are larger than memory.
    #[arg(long, value_name = "PATH", require_equals = true)]
    pub bars_file: Option<PathBuf>,

    /// Print only errors.
    #[arg(short, long)]
    pub quiet: bool,

    /// Print the man page, or completions for a shell.
    #[arg(long, value_enum, value_name = "DOCUMENT", require_equals = true, exclusive = true)]
    pub generate: Option<Document>,
}

/// How `--stats` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Style {
    Readable,
    Classic,
}

/// What `--export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    Blocks,
    Csv,
    Dot,
}

/// What the options ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    Reverse,
    Forward,
    Statistics(Style),
    Print,
    Export(Layout),
    Jacobian(PathBuf),
}

impl Options {
    /// The task, unless the options ask for two.
    pub fn task(&self) -> Result<Task> {
        let mut tasks = Vec::new();
        if self.forward {
            tasks.push(("--forward", Task::Forward));
        }
        if let Some(style) = self.stats {
            tasks.push(("--stats", Task::Statistics(style)));
        }
        if self.print {
            tasks.push(("--print", Task::Print));
        }
        if let Some(layout) = self.export {
            tasks.push(("--export", Task::Export(layout)));
        }
        if let Some(path) = &self.jacobian {
            let path = path.clone().unwrap_or_else(|| self.directory.join("dg-jacobian.npy"));
            tasks.push(("--jacobian", Task::Jacobian(path)));
        }
        if let [(first, _), (second, _), ..] = tasks.as_slice() {
            bail!("{first} and {second} cannot be asked for together");
        }
        let (name, task) = tasks.pop().unwrap_or(("the reverse evaluation", Task::Reverse));
        if self.bars.is_some() && task != Task::Reverse {
            bail!("--bars has no meaning with {name}");
        }
        if self.output.is_some() && !matches!(task, Task::Print | Task::Export(_)) {
            bail!("--output has no meaning with {name}, only with --print and --export");
        }
        if self.bars_file.is_some() && !matches!(task, Task::Reverse | Task::Forward | Task::Jacobian(_)) {
            bail!("--bars-file has no meaning with {name}");
        }
        Ok(task)
    }
}

/// One sentence instead of the several paragraphs of the parser.
pub fn sentence(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        _ => String::new(),
    };
    // The parser names an argument as in `--output=<FILE>`; the user typed what stands before `=`.
    let argument = context(ContextKind::InvalidArg);
    let name = argument.split(['=', '[']).next().unwrap_or_default().trim();
    let value = context(ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::MissingRequiredArgument => {
            "no directory was named: tape-evaluation DIR, as in derivgrind --record=DIR".to_string()
        }
        ErrorKind::UnknownArgument if !name.starts_with('-') => {
            format!("`{name}` is one word too many: tape-evaluation takes one directory")
        }
        ErrorKind::UnknownArgument => match context(ContextKind::SuggestedArg).as_str() {
            "" => format!("unknown option {name}; `tape-evaluation --help` lists the options"),
            suggestion => format!("unknown option {name}; did you mean {suggestion}?"),
        },
        ErrorKind::InvalidValue if value.is_empty() => format!("{name} needs a value, as in {argument}"),
        ErrorKind::InvalidValue => {
            format!(
                "`{value}` is no value for {name}, which takes one of {}",
                context(ContextKind::ValidValue)
            )
        }
        ErrorKind::NoEquals => format!("{name} needs a value, as in {argument}"),
        ErrorKind::TooManyValues => format!("{name} takes no value"),
        _ => error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_string(),
    }
}
