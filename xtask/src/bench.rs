//! `cargo xtask bench`: run times against native execution.
//!
//! Each row is one piece of work. Native runs and runs under Derivgrind take turns, and the medians are compared;
//! Valgrind, which takes many times longer, has a few runs at the end. Where the shadows of vector registers live in
//! registers, AVX-512 is hidden from the client, so that the native runs hide it, too: otherwise other instructions
//! would be compared.

mod programs;
mod table;

use crate::command;
use crate::machine;
use crate::measure::{self, median, Times};
use crate::setup::{self, Purpose};
use crate::workspace::Workspace;
use anyhow::{bail, Context, Result};
use clap::ValueEnum;
use programs::{Limit, Measured, Work};
use std::fs;
use std::path::Path;
use std::process::Command;
use table::Row;

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Runs of each kind, of which the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,

    /// Runs of each kind under Valgrind; 0 leaves these columns out.
    #[arg(long, default_value_t = 1)]
    valgrind_runs: usize,

    /// Which time is compared.
    #[arg(long, value_enum, default_value_t = Clock::Processor)]
    time: Clock,

    /// Only rows whose name contains this.
    #[arg(long, default_value = "")]
    only: String,

    /// Write the table to benches/results, too.
    #[arg(long)]
    save: bool,

    /// Fail if a row is above its limit.
    #[arg(long)]
    check: bool,
}

/// A time of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Clock {
    /// User and system time.
    Processor,
    /// Time that passes.
    Wall,
}

/// What runs the work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runner<'a> {
    Native,
    Derivgrind(&'a Path),
    Valgrind(&'static str),
}

/// Measure all rows and print the table.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if arguments.runs == 0 {
        bail!("--runs must be at least 1");
    }
    setup::run(Purpose::Test)?;
    eprintln!("Building derivgrind and the programs ...");
    let launcher = workspace.build_launcher()?;
    let work = programs::all(workspace)?;
    let mut rows = Vec::new();
    for work in work.iter().filter(|work| work.name.contains(&arguments.only)) {
        eprintln!("{} ...", work.name);
        // One row that cannot be measured must not hide the others.
        let row = match measure_row(work, &launcher, arguments) {
            Ok(row) => row,
            Err(error) => Row::failed(work, &error),
        };
        rows.push(row);
    }
    let text = report(workspace, arguments, &rows);
    println!("{text}");
    if arguments.save {
        save(workspace, &text)?;
    }
    let above = rows.iter().filter(|row| !row.within_limit).count();
    if arguments.check && above > 0 {
        bail!("{above} rows are above their limit");
    }
    Ok(())
}

fn measure_row(work: &Work, launcher: &Path, arguments: &Arguments) -> Result<Row> {
    let runs = arguments.runs * work.repetitions;
    let clock = if matches!(work.limit, Limit::Milliseconds(_)) { Clock::Wall } else { arguments.time };
    let mut native = Vec::new();
    let mut tool = Vec::new();
    for _ in 0..runs {
        native.push(time(work, Runner::Native, clock)?);
        tool.push(time(work, Runner::Derivgrind(launcher), clock)?);
    }
    let valgrind = |tool: &'static str| -> Result<Option<f64>> {
        if arguments.valgrind_runs == 0 {
            return Ok(None);
        }
        let times: Result<Vec<f64>> =
            (0..arguments.valgrind_runs).map(|_| time(work, Runner::Valgrind(tool), clock)).collect();
        Ok(Some(median(&times?)))
    };
    Ok(Row::measured(work, median(&native), median(&tool), valgrind("none")?, valgrind("memcheck")?))
}

/// Seconds of one run.
fn time(work: &Work, runner: Runner, clock: Clock) -> Result<f64> {
    let mut command = match runner {
        Runner::Native => Command::new(&work.words[0]),
        Runner::Derivgrind(launcher) => {
            let mut command = Command::new(launcher);
            command.arg("-q").arg(format!("--vector-shadows={}", work.shadows.name())).arg(&work.words[0]);
            command
        }
        Runner::Valgrind(tool) => {
            let mut command = Command::new("valgrind");
            command.arg("-q").arg(format!("--tool={tool}")).arg(&work.words[0]);
            command
        }
    };
    command.args(&work.words[1..]).envs(work.environment.iter().cloned());
    if runner == Runner::Native {
        command.envs(work.native_environment.iter().cloned());
    }
    let run = measure::run(&mut command)?;
    let times = match work.measured {
        Measured::Process => run.times,
        Measured::Printed => printed(&run.stdout)?,
    };
    Ok(match clock {
        Clock::Processor => times.processor,
        Clock::Wall => times.wall,
    })
}

/// Times of the part of a program that the program itself measured: `seconds WALL PROCESSOR`.
fn printed(stdout: &str) -> Result<Times> {
    let line = stdout
        .lines()
        .find_map(|line| line.strip_prefix("seconds "))
        .context("the program printed no times")?;
    let (wall, processor) = line.split_once(' ').context("the program printed one time")?;
    Ok(Times { wall: wall.trim().parse()?, processor: processor.trim().parse()? })
}

fn report(workspace: &Workspace, arguments: &Arguments, rows: &[Row]) -> String {
    let clock = match arguments.time {
        Clock::Processor => "user and system time",
        Clock::Wall => "wall time",
    };
    let mut text = String::from("# Run times against native execution\n\n");
    text += &format!(
        "Medians of {} alternating runs ({} for Valgrind), {clock}; start-up: wall time over native.\n",
        arguments.runs, arguments.valgrind_runs
    );
    text += "`registers` and `memory` say where the shadows of vector registers live. Native runs that are compared with\n\
             `registers` hide AVX-512 as Derivgrind does.\n\n";
    text += &table::markdown(rows);
    text.push('\n');
    for (name, value) in machine::description() {
        text += &format!("- {name}: {value}\n");
    }
    let mut git = Command::new("git");
    let commit = command::output(git.current_dir(workspace.root()).args(["describe", "--always", "--dirty"]));
    text += &format!("- commit: {}\n", commit.unwrap_or_default().trim());
    text += &format!(
        "- command: `cargo xtask bench --runs={} --valgrind-runs={}{}`\n",
        arguments.runs,
        arguments.valgrind_runs,
        if arguments.time == Clock::Wall { " --time=wall" } else { "" }
    );
    text
}

/// Results are named after the day and the processor.
fn save(workspace: &Workspace, text: &str) -> Result<()> {
    let date = command::output(Command::new("date").arg("+%F"))?;
    let processor: String = machine::processor()
        .to_lowercase()
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    let directory = workspace.root().join("benches/results");
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let path = directory.join(format!("{}-{processor}.md", date.trim()));
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("{}", path.display());
    Ok(())
}
