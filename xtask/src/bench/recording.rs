//! The table of the recording mode: times of recording and evaluation, size of tape and memory.
//!
//! Tapes lie on the RAM disk, so that no disk is measured. Beside Derivgrind stands ADOL-C where it does the same
//! work in the same run: fewer steps, because it keeps the whole tape in memory. Its times are over the same native
//! times.

use super::programs::{self, Limit, Variant, Work};
use super::{adolc, alternate, chosen, command, labelled, table, time, Arguments, Runner};
use crate::measure::{self, median, Turns};
use crate::workspace::Workspace;
use anyhow::{anyhow, bail, Context, Result};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where tapes are written.
const RAM_DISK: &str = "/dev/shm";
const SIZE: &str = "128";
const AMPLITUDE: &str = "0.5";
/// Steps of tapes that are kept as a whole: enough that the start of a process weighs little.
const KEPT_STEPS: &str = "300";
const KEPT: [&str; 3] = [SIZE, KEPT_STEPS, AMPLITUDE];
/// These runs take some 40 milliseconds natively.
const KEPT_REPETITIONS: usize = 3;
/// A problem whose memory is larger than that of any program as such.
const LARGE: [&str; 3] = ["1024", "20", AMPLITUDE];
/// Rings that fit the cache or do not.
const RINGS: [(&str, u64); 2] = [("1 MB", 1 << 20), ("1 GB", 1 << 30)];
/// Largest relative difference between the derivatives of both tools, which round differently.
const TOLERANCE: f64 = 1e-10;

/// How long recording into a ring may take, over native: for each variant of the solver, both rings.
const RING_LIMITS: [[f64; 2]; 3] = [[6.0, 9.0], [7.0, 10.0], [7.0, 9.0]];
// What other quantities may be.
const COLD_LIMIT: f64 = 30.0;
const REVERSE_LIMIT: f64 = 8.0;
const BYTES_LIMIT: f64 = 16.0;
const MEMORY_LIMIT: f64 = 2.5;

const HEADINGS: [&str; 6] = ["quantity", "native", "derivgrind", "result", "at most", "ADOL-C"];

/// One row in words.
pub struct Row {
    cells: [String; 6],
    /// What could not be measured, and why.
    failure: Option<String>,
    pub within_limit: bool,
}

/// What is measured with.
struct Bench<'a> {
    launcher: &'a Path,
    arguments: &'a Arguments,
    /// A directory on the RAM disk.
    tape: PathBuf,
}

/// A variant of the solver, compiled.
struct Solver<'a> {
    variant: &'a Variant,
    program: PathBuf,
    /// The same with ADOL-C.
    peer: Result<PathBuf>,
}

/// Measure all rows.
pub fn measure(workspace: &Workspace, launcher: &Path, arguments: &Arguments) -> Result<Vec<Row>> {
    let scratch = workspace.scratch("bench")?;
    let directory = tempfile::Builder::new()
        .prefix("derivgrind-bench.")
        .tempdir_in(RAM_DISK)
        .with_context(|| format!("no directory can be made in {RAM_DISK}"))?;
    let bench = Bench { launcher, arguments, tape: directory.path().join("tape") };
    let mut rows = Vec::new();
    for (variant, limits) in programs::BURGERS.iter().zip(RING_LIMITS) {
        let solver = Solver {
            variant,
            program: variant.compile(workspace, &scratch)?,
            peer: adolc::compile(workspace, &scratch, variant),
        };
        for (ring, limit) in RINGS.iter().zip(limits) {
            rows.extend(bench.ring(&solver, ring, limit));
        }
        rows.extend(bench.kept_tape(&solver));
        rows.extend(bench.memory(&solver));
    }
    rows.extend(bench.calls(&programs::recorded_functions(workspace, &scratch)?));
    for work in programs::with_one_active_variable(workspace, &scratch)? {
        rows.extend(bench.passive(&work));
    }
    Ok(rows)
}

/// The table with what it shows.
pub fn report(rows: &[Row]) -> String {
    let mut text = String::from("# Recording\n\n");
    text += &format!(
        "Burgers' equation, everything active, {SIZE} x {SIZE} points. Medians as above; `result` is over native except for \
         bytes.\n\
         - ring: only the last bytes of the tape are kept, in memory that is used again and again.\n\
         - cold tape: the tape of {KEPT_STEPS} steps, in new memory of a RAM disk; `tape-evaluation` reads it from there.\n\
         - resident set: the largest, of {0} x {0} points, with a ring of 1 MB. At {SIZE} x {SIZE} points the program itself \
         has 2 MB,\n  less than Derivgrind's own code and tables.\n\
         - one active elsewhere: a preloaded library declares an input that the program does not use.\n\
         - ADOL-C: {KEPT_STEPS} steps of the same scheme in its type `adouble`, with the same options of the compiler. The \
         tape is in new\n  memory, or (warm) in memory that the process has used before. Times are those of the parts of one \
         process, while\n  Derivgrind's are of whole processes. Bytes are those of the tape and of the values that its \
         evaluation needs, for each\n  operation by its own count. Derivatives agree with Derivgrind's to {TOLERANCE:e}, \
         relatively.\n\n",
        LARGE[0],
    );
    text += &table::markdown(HEADINGS, rows.iter().map(|row| &row.cells));
    text += &table::failures(rows.iter().map(|row| (row.cells[0].as_str(), row.failure.as_deref())));
    text
}

impl Bench<'_> {
    /// Recording into a ring.
    fn ring(&self, solver: &Solver, ring: &(&str, u64), limit: f64) -> Vec<Row> {
        let name = solver.quantity(&format!("recording, ring of {}", ring.0));
        let work = solver.work([SIZE, solver.variant.steps, AMPLITUDE]);
        self.group(std::slice::from_ref(&name), || {
            let turns = self.times(&work, &[ring_option(ring.1)])?;
            Ok(vec![Row::of_times(&name, turns, limit)])
        })
    }

    /// Recording calls of functions into a ring that fits the cache.
    fn calls(&self, work: &Work) -> Vec<Row> {
        let (label, bytes) = RINGS[0];
        let name = format!("{}: recording, ring of {label}", work.name);
        self.group(std::slice::from_ref(&name), || {
            let Limit::Ratio(limit) = work.limit else { bail!("the limit is no ratio") };
            let turns = self.times(work, &[ring_option(bytes)])?;
            Ok(vec![Row::of_times(&name, turns, limit)])
        })
    }

    /// Recording while the program does nothing with the only active variable.
    fn passive(&self, work: &Work) -> Vec<Row> {
        let name = format!("{}: recording", work.name);
        self.group(std::slice::from_ref(&name), || {
            let Limit::Ratio(limit) = work.limit else { bail!("the limit is no ratio") };
            let turns = self.times(work, &[])?;
            Ok(vec![Row::of_times(&name, turns, limit)])
        })
    }

    /// A tape that is kept as a whole, and its evaluation.
    fn kept_tape(&self, solver: &Solver) -> Vec<Row> {
        let names = ["recording, cold tape", "reverse evaluation", "bytes of tape per operation"]
            .map(|quantity| solver.quantity(quantity));
        self.group(&names, || {
            let mut kept = Kept::default();
            let mut peer = Ok(Peer::default());
            for run in 0..self.arguments.runs * KEPT_REPETITIONS {
                self.keep(solver, &mut kept)?;
                // A run of the peer takes seconds.
                if run % KEPT_REPETITIONS == 0 {
                    peer = peer.and_then(|peer| self.run_peer(solver, &kept, peer));
                }
            }
            let [recording, reverse] =
                [&kept.recording, &kept.reverse].map(|times| Turns::of(&kept.native, times));
            let bytes = self.bytes_per_operation()?;
            let mut rows = vec![
                Row::of_times(&names[0], recording, COLD_LIMIT),
                Row::of_times(&names[1], reverse, REVERSE_LIMIT),
                Row::new(&names[2], ["".to_string(), format!("{bytes:.2}")], bytes, BYTES_LIMIT),
            ];
            match peer {
                Ok(peer) => {
                    let [cold, warm, reverse] =
                        [&peer.cold, &peer.warm, &peer.reverse].map(|times| median(times) / recording.native);
                    rows[0].set_peer(format!("{cold:.1} (warm {warm:.1})"));
                    rows[1].set_peer(format!("{reverse:.1}"));
                    rows[2].set_peer(format!("{:.2}", peer.bytes_per_operation));
                }
                Err(error) => rows.iter_mut().for_each(|row| row.fail(&format!("ADOL-C: {error:#}"))),
            }
            Ok(rows)
        })
    }

    /// One native run, one that is recorded, and one evaluation.
    fn keep(&self, solver: &Solver, kept: &mut Kept) -> Result<()> {
        let work = solver.work(KEPT);
        let clock = self.arguments.time;
        kept.native.push(time(&work, Runner::Native, clock)?);
        kept.recording.push(time(&work, Runner::Derivgrind(self.launcher, &[self.record()]), clock)?);
        let run = measure::run(self.evaluator().arg("-q").arg(&self.tape))?;
        kept.reverse.push(chosen(run.times, clock));
        let bars = fs::read_to_string(self.tape.join("dg-input-bars")).context("no gradient was written")?;
        kept.derivative = bars.trim().parse().context("the gradient is no number")?;
        Ok(())
    }

    /// One run of ADOL-C, which has to come to the same derivative.
    fn run_peer(&self, solver: &Solver, kept: &Kept, mut peer: Peer) -> Result<Peer> {
        let program = solver.peer.as_ref().map_err(|error| anyhow!("{error:#}"))?;
        let run = adolc::run(program, &KEPT, self.arguments.time)?;
        let difference = (run.derivative - kept.derivative).abs() / kept.derivative.abs();
        // A NaN is no agreement.
        if difference.is_nan() || difference > TOLERANCE {
            bail!("its derivative {:e} disagrees with {:e}", run.derivative, kept.derivative);
        }
        peer.cold.push(run.cold);
        peer.warm.push(run.warm);
        peer.reverse.push(run.reverse);
        peer.bytes_per_operation = run.bytes_per_operation;
        Ok(peer)
    }

    /// Of the last tape.
    fn bytes_per_operation(&self) -> Result<f64> {
        let statistics = measure::run(self.evaluator().arg("--stats").arg(&self.tape))?.stdout;
        Ok(labelled(&statistics, "bytes per operation")?.parse()?)
    }

    /// Largest resident sets.
    fn memory(&self, solver: &Solver) -> Vec<Row> {
        let name = solver.quantity("resident set, ring of 1 MB");
        let work = solver.work(LARGE);
        self.group(std::slice::from_ref(&name), || {
            let options = [self.record(), ring_option(RINGS[0].1)];
            let resident = |runner| -> Result<f64> {
                Ok(measure::run(&mut command(&work, &work.words, runner))?.resident as f64)
            };
            let mut native = Vec::new();
            let mut tool = Vec::new();
            for _ in 0..self.arguments.runs {
                native.push(resident(Runner::Native)?);
                tool.push(resident(Runner::Derivgrind(self.launcher, &options))?);
            }
            let [native, tool] = [&native, &tool].map(|sizes| median(sizes));
            // The kernel would have told the size of this process instead.
            if native <= measure::own_resident()? as f64 {
                bail!("the native run is smaller than the process that measures it");
            }
            let cells = [native, tool].map(|size| format!("{:.1} MB", size / 1e6));
            Ok(vec![Row::new(&name, cells, tool / native, MEMORY_LIMIT)])
        })
    }

    /// Measure rows that belong together if one of them is wanted. What fails must not hide other rows.
    fn group(&self, names: &[String], measured: impl FnOnce() -> Result<Vec<Row>>) -> Vec<Row> {
        if !names.iter().any(|name| name.contains(&self.arguments.only)) {
            return Vec::new();
        }
        eprintln!("{} ...", names[0]);
        measured().unwrap_or_else(|error| names.iter().map(|name| Row::failed(name, &error)).collect())
    }

    /// Native runs and recorded ones.
    fn times(&self, work: &Work, options: &[OsString]) -> Result<Turns> {
        let mut all = vec![self.record()];
        all.extend_from_slice(options);
        alternate(work, self.launcher, &all, self.arguments.time, self.arguments)
    }

    fn record(&self) -> OsString {
        let mut option = OsString::from("--record=");
        option.push(&self.tape);
        option
    }

    fn evaluator(&self) -> Command {
        Command::new(self.launcher.with_file_name("tape-evaluation"))
    }
}

fn ring_option(bytes: u64) -> OsString {
    format!("--tape-ring={bytes}").into()
}

impl Solver<'_> {
    /// The name of a row.
    fn quantity(&self, quantity: &str) -> String {
        format!("Burgers {}: {quantity}", self.variant.label)
    }

    fn work(&self, words: [&str; 3]) -> Work {
        let mut all: Vec<OsString> = vec![self.program.clone().into()];
        all.extend(words.map(OsString::from));
        // Limits are those of the rows of this table.
        programs::whole(self.variant.label, &all, f64::INFINITY)
    }
}

/// Runs whose tape is kept: times in seconds.
#[derive(Default)]
struct Kept {
    native: Vec<f64>,
    recording: Vec<f64>,
    reverse: Vec<f64>,
    derivative: f64,
}

/// Runs of ADOL-C: times in seconds.
#[derive(Default)]
struct Peer {
    cold: Vec<f64>,
    warm: Vec<f64>,
    reverse: Vec<f64>,
    bytes_per_operation: f64,
}

impl Row {
    fn new(name: &str, [native, tool]: [String; 2], result: f64, limit: f64) -> Row {
        // A NaN is not within the limit.
        let within_limit = result <= limit;
        let result = format!("{result:.2}{}", if within_limit { "" } else { " (above)" });
        let cells = [name.to_string(), native, tool, result, format!("{limit:.1}"), String::new()];
        Row { cells, failure: None, within_limit }
    }

    fn of_times(name: &str, turns: Turns, limit: f64) -> Row {
        Row::new(name, [turns.native, turns.tool].map(|time| format!("{time:.4} s")), turns.ratio, limit)
    }

    fn failed(name: &str, error: &anyhow::Error) -> Row {
        let cells = [name, "", "failed", "", "", ""].map(String::from);
        Row { cells, failure: Some(format!("{error:#}")), within_limit: false }
    }

    fn set_peer(&mut self, result: String) {
        self.cells[5] = result;
    }

    /// Derivgrind was measured, but not the peer.
    fn fail(&mut self, failure: &str) {
        self.set_peer("failed".to_string());
        self.failure = Some(failure.to_string());
        self.within_limit = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_at_and_above_their_limit() {
        let row = |result: f64| Row::new("row", Default::default(), result, 8.0);
        assert!(row(8.0).within_limit);
        assert!(!row(8.1).within_limit && row(8.1).cells[3].ends_with("(above)"));
        assert!(!row(f64::NAN).within_limit);
    }

    #[test]
    fn row_without_its_peer_is_a_failure() {
        let mut row = Row::of_times("row", Turns::of(&[1.0], &[2.0]), 8.0);
        row.fail("ADOL-C: not installed");
        assert!(!row.within_limit);
        let text = report(&[row]);
        assert!(text.contains("row failed: ADOL-C: not installed"), "{text}");
    }
}
