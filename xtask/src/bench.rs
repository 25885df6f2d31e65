//! `cargo xtask bench`: run times against native execution, and the recording mode.
//!
//! Each row of the first table is one piece of work. Native runs and runs under Derivgrind take turns, and neighbours
//! are compared. Valgrind, which takes many times longer, is given less of the same work at the end of the
//! row, is compared with native runs of that, and is killed when its time is over. Where the shadows of vector
//! registers live in registers, AVX-512 is hidden from the client, so that the native runs hide it, too: otherwise
//! other instructions would be compared. The other tables are described where they are made, in `recording` and
//! `requests`.

mod adolc;
mod programs;
mod recording;
mod requests;
mod table;

use crate::command;
use crate::machine;
use crate::measure::{self, median, Ended, Times, Turns};
use crate::setup::{self, Purpose};
use crate::workspace::Workspace;
use anyhow::{bail, Context, Result};
use clap::ValueEnum;
use programs::{Limit, Measured, Work};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use table::{Comparison, Row};

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Runs of each kind, of which the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,

    /// Runs of each kind under Valgrind; 0 leaves these columns out.
    #[arg(long, default_value_t = 1)]
    valgrind_runs: usize,

    /// Seconds after which a run under Valgrind is killed.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    valgrind_limit: u64,

    /// Which time is compared.
    #[arg(long, value_enum, default_value_t = Clock::Processor)]
    time: Clock,

    /// Only rows whose name contains this.
    #[arg(long, default_value = "")]
    only: String,

    /// Write the tables to benches/results, too.
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
    /// With more options.
    Derivgrind(&'a Path, &'a [OsString]),
    Valgrind(&'static str),
}

/// Measure all rows and print the tables.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if arguments.runs == 0 {
        bail!("--runs must be at least 1");
    }
    setup::run(Purpose::Bench)?;
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
    let recorded = recording::measure(workspace, &launcher, arguments)?;
    let requests = requests::measure(workspace, &arguments.only)?;
    let mut text = run_times(arguments, &rows);
    text.push('\n');
    text += &recording::report(&recorded);
    text.push('\n');
    text += &requests::report(&requests);
    text.push('\n');
    text += &conditions(workspace, arguments);
    println!("{text}");
    if arguments.save {
        save(workspace, &text)?;
    }
    let above = rows.iter().filter(|row| !row.within_limit).count()
        + recorded.iter().filter(|row| !row.within_limit).count()
        + requests.iter().filter(|row| !row.is_within_limit()).count();
    if arguments.check && above > 0 {
        bail!("{above} rows are above their limit");
    }
    Ok(())
}

fn measure_row(work: &Work, launcher: &Path, arguments: &Arguments) -> Result<Row> {
    let clock = if matches!(work.limit, Limit::Milliseconds(_)) { Clock::Wall } else { arguments.time };
    let turns = alternate(work, launcher, &[], clock, arguments)?;
    let (none, memcheck) = match arguments.valgrind_runs {
        0 => (None, None),
        _ => {
            let native = less_work(work, clock, arguments)?;
            let compare = |tool| compare_with_valgrind(work, tool, native, clock, arguments);
            (Some(compare("none")?), Some(compare("memcheck")?))
        }
    };
    Ok(Row::measured(work, turns, none, memcheck))
}

/// Native runs and runs under Derivgrind that take turns.
fn alternate(
    work: &Work,
    launcher: &Path,
    options: &[OsString],
    clock: Clock,
    arguments: &Arguments,
) -> Result<Turns> {
    let mut native = Vec::new();
    let mut tool = Vec::new();
    for _ in 0..arguments.runs * work.repetitions {
        native.push(time(work, Runner::Native, clock)?);
        tool.push(time(work, Runner::Derivgrind(launcher, options), clock)?);
    }
    Ok(Turns::of(&native, &tool))
}

/// Native time of the amount of work that Valgrind is given.
fn less_work(work: &Work, clock: Clock, arguments: &Arguments) -> Result<f64> {
    let times: Result<Vec<f64>> = (0..arguments.runs * work.repetitions)
        .map(|_| time_of(work, &mut command(work, &work.less, Runner::Native), clock))
        .collect();
    Ok(median(&times?))
}

fn compare_with_valgrind(
    work: &Work,
    tool: &'static str,
    native: f64,
    clock: Clock,
    arguments: &Arguments,
) -> Result<Comparison> {
    let limit = Duration::from_secs(arguments.valgrind_limit);
    let mut times = Vec::new();
    for _ in 0..arguments.valgrind_runs {
        let mut command = command(work, &work.less, Runner::Valgrind(tool));
        match measure::run_within(&mut command, limit)? {
            Ended::Completed(run) => times.push(counted(work, &run.stdout, run.times, clock)?),
            // One run that is killed tells enough: the others would take as long.
            Ended::Killed(_) if work.measured == Measured::Printed => {
                return Ok(Comparison::Unfinished(arguments.valgrind_limit));
            }
            Ended::Killed(times) => {
                return Ok(Comparison::MoreThan { time: chosen(times, clock), native });
            }
        }
    }
    Ok(Comparison::Measured { time: median(&times), native })
}

/// Seconds of one run.
fn time(work: &Work, runner: Runner, clock: Clock) -> Result<f64> {
    time_of(work, &mut command(work, &work.words, runner), clock)
}

fn time_of(work: &Work, command: &mut Command, clock: Clock) -> Result<f64> {
    let run = measure::run(command)?;
    counted(work, &run.stdout, run.times, clock)
}

fn command(work: &Work, words: &[OsString], runner: Runner) -> Command {
    let children = work.with_children.then_some("--trace-children=yes");
    let mut command = match runner {
        Runner::Native => Command::new(&words[0]),
        Runner::Derivgrind(launcher, options) => {
            let mut command = Command::new(launcher);
            command.arg("-q").arg(format!("--vector-shadows={}", work.shadows.name()));
            command.args((!work.keeps_translations).then_some("--keep-translations=no"));
            command.args(options).args(children).arg(&words[0]);
            command
        }
        Runner::Valgrind(tool) => {
            let mut command = Command::new("valgrind");
            command.arg("-q").arg(format!("--tool={tool}")).args(children).arg(&words[0]);
            command
        }
    };
    command.args(&words[1..]).envs(work.environment.iter().cloned());
    if runner == Runner::Native {
        command.envs(work.native_environment.iter().cloned());
    }
    command
}

/// The time that counts.
fn counted(work: &Work, stdout: &str, times: Times, clock: Clock) -> Result<f64> {
    Ok(match work.measured {
        Measured::Process => chosen(times, clock),
        Measured::Printed => chosen(printed(stdout, "seconds")?, clock),
    })
}

fn chosen(times: Times, clock: Clock) -> f64 {
    match clock {
        Clock::Processor => times.processor,
        Clock::Wall => times.wall,
    }
}

/// Times of the part of a program that the program itself measured: `NAME WALL PROCESSOR`.
fn printed(stdout: &str, name: &str) -> Result<Times> {
    let rest = labelled(stdout, name)?;
    let (wall, processor) = rest.split_once(' ').with_context(|| format!("one time after `{name}`"))?;
    Ok(Times { wall: wall.trim().parse()?, processor: processor.trim().parse()? })
}

/// What follows a name at the beginning of a line.
fn labelled<'a>(text: &'a str, name: &str) -> Result<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .map(str::trim)
        .with_context(|| format!("nothing was printed after `{name}`"))
}

fn run_times(arguments: &Arguments, rows: &[Row]) -> String {
    let clock = match arguments.time {
        Clock::Processor => "user and system time",
        Clock::Wall => "wall time",
    };
    let mut text = String::from("# Run times against native execution\n\n");
    text += &format!(
        "Medians of {} alternating runs ({} for Valgrind), {clock}; `overhead`: the median of what each run takes over the\n\
         native run before it; start-up: wall time over native.\n",
        arguments.runs, arguments.valgrind_runs
    );
    text += "Runs under Derivgrind find translations that those before have kept, but where the row says that nothing\n\
             is kept.\n";
    text += "`registers` and `memory` say where the shadows of vector registers live. Native runs that are compared with\n\
             `registers` hide AVX-512 as Derivgrind does.\n";
    if arguments.valgrind_runs > 0 {
        text += &format!(
            "The columns of Valgrind are over native, too, but both for less of the same work: half of the time steps with \
             -O3,\na quarter with FMA, 1 MB, 200 lines, a tenth of the points, 10^6 additions, 5 products. `> N`: a run was killed \
             after {0} seconds, and had used N times\nthe native time by then; `over {0} s`: the same where only the program could have said how long it \
             took.\n",
            arguments.valgrind_limit
        );
    }
    text.push('\n');
    text += &table::markdown(table::HEADINGS, rows.iter().map(|row| &row.cells));
    text += &table::failures(rows.iter().map(|row| (row.cells[0].as_str(), row.failure.as_deref())));
    text
}

/// What both tables were made on and with.
fn conditions(workspace: &Workspace, arguments: &Arguments) -> String {
    let mut text = String::new();
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

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "recording 2.5 2.25\nrecording-again 1.5 1.25\nvalue 3\n";

    #[test]
    fn times_after_a_name() {
        let times = |name| printed(PRINTED, name).map(|times| (times.wall, times.processor)).ok();
        assert_eq!(times("recording"), Some((2.5, 2.25)));
        assert_eq!(times("recording-again"), Some((1.5, 1.25)));
        assert_eq!(times("value"), None);
        assert_eq!(times("record"), None);
    }
}
