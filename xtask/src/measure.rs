//! Run times of single processes, and medians of runs that take turns.
//!
//! The machines that this runs on are shared: a neighbour on the same core halves their speed, for a second or for
//! minutes. So what is compared takes turns, run by run, each run is compared with the one next to it, and the median
//! of that is what counts ([`Turns`]).

use crate::command;
use anyhow::{bail, Context, Result};
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Times of one process, or medians of several, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    pub wall: f64,
    /// User and system time of the process and of the children it waited for.
    pub processor: f64,
}

/// What runs of two kinds that took turns say, natively and under a tool: medians, times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turns {
    pub native: f64,
    pub tool: f64,
    /// Of neighbouring runs.
    pub ratio: f64,
    /// The same, in seconds.
    pub difference: f64,
}

impl Turns {
    /// From times of runs in the order in which they took turns.
    pub fn of(native: &[f64], tool: &[f64]) -> Turns {
        let neighbours = |compare: fn(f64, f64) -> f64| {
            let compared: Vec<f64> =
                native.iter().zip(tool).map(|(native, tool)| compare(*native, *tool)).collect();
            median(&compared)
        };
        Turns {
            native: median(native),
            tool: median(tool),
            ratio: neighbours(|native, tool| tool / native),
            difference: neighbours(|native, tool| tool - native),
        }
    }
}

/// One run and what it printed.
pub struct Run {
    pub times: Times,
    /// The largest resident set in bytes. The kernel counts what the process was before it executed the program, too,
    /// so that this is never less than the resident set of the process that measures.
    pub resident: u64,
    pub stdout: String,
}

/// How a run with a time limit ended.
pub enum Ended {
    Completed(Run),
    /// It was killed; these are its times until then.
    Killed(Times),
}

/// No single run that is measured takes this long; one that does hangs.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// Run a command to its end; one that hangs is an error.
pub fn run(command: &mut Command) -> Result<Run> {
    match run_within(command, TIME_LIMIT)? {
        Ended::Completed(run) => Ok(run),
        Ended::Killed(_) => {
            bail!("`{}` was killed after {} seconds", command::words(command), TIME_LIMIT.as_secs())
        }
    }
}

/// Run a command to its end, or kill it when its time is over.
pub fn run_within(command: &mut Command, limit: Duration) -> Result<Ended> {
    let description = command::words(command);
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{description}`"))?;
    // Read stderr beside stdout: a full pipe would stop the child.
    let mut stderr = child.stderr.take().context("stderr is piped")?;
    let errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        text
    });
    let process = libc::pid_t::try_from(child.id())?;
    let (ended, end) = mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        let late = end.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
        if late {
            // SAFETY: a call without pointers. The child has not been waited for, so that the number is still its own.
            unsafe { libc::kill(process, libc::SIGKILL) };
        }
        late
    });
    let mut stdout = Vec::new();
    child.stdout.take().context("stdout is piped")?.read_to_end(&mut stdout)?;
    // Its output ends when it ends, so that the guard can be sent away before the child is waited for.
    drop(ended);
    let late = guard.join().unwrap_or(false);
    let (status, processor, resident) = wait(process)?;
    let times = Times { wall: start.elapsed().as_secs_f64(), processor };
    if late {
        return Ok(Ended::Killed(times));
    }
    if status != 0 {
        let errors = errors.join().unwrap_or_default();
        let errors = String::from_utf8_lossy(&errors);
        bail!(
            "`{description}` failed (wait status {status:#x}): {}",
            errors.lines().next_back().unwrap_or_default()
        );
    }
    Ok(Ended::Completed(Run { times, resident, stdout: String::from_utf8_lossy(&stdout).into_owned() }))
}

/// Wait for a child, and return its wait status, its processor time in seconds and its largest resident set in bytes.
fn wait(process: libc::pid_t) -> Result<(i32, f64, u64)> {
    let mut status = 0;
    // SAFETY: all fields of the structure are numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to variables of the right type that live during the call. The child is ours, and
        // nobody else waits for it: its `Child` is dropped without doing so.
        let waited = unsafe { libc::wait4(process, &mut status, 0, &mut usage) };
        if waited == process {
            break;
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error).context("cannot wait for a child");
        }
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    let processor = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    Ok((status, processor, u64::try_from(usage.ru_maxrss)? * 1024))
}

/// The largest resident set of this process since it executed its program, in bytes.
pub fn own_resident() -> Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("cannot read the state of this process")?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let kilobytes: u64 = size.context("the kernel tells no largest resident set")?.parse()?;
    Ok(kilobytes * 1024)
}

/// The median; of an even number of values, the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn neighbours_are_compared() {
        // In the second turn the machine was slow.
        let turns = Turns::of(&[1.0, 2.0, 1.0], &[3.0, 6.0, 3.5]);
        assert_eq!(turns, Turns { native: 1.0, tool: 3.5, ratio: 3.0, difference: 2.5 });
    }

    #[test]
    fn output_and_times_of_a_process() {
        let run = run(Command::new("sh").args(["-c", "echo words; echo more >&2"])).unwrap();
        assert_eq!(run.stdout, "words\n");
        assert!(run.times.wall > 0.0);
        assert!(run.resident >= 1 << 16, "{}", run.resident);
    }

    #[test]
    fn memory_of_a_process() {
        // A program that fills 64 MB.
        let fill = "x=$(head -c 67108864 /dev/zero | tr '\\0' x); echo ${#x}";
        let run = run(Command::new("sh").args(["-c", fill])).unwrap();
        assert_eq!(run.stdout, "67108864\n");
        assert!(run.resident > 64 << 20, "{}", run.resident);
        assert!(own_resident().unwrap() < run.resident);
    }

    #[test]
    fn run_that_takes_too_long_is_killed() {
        let limit = Duration::from_millis(200);
        match run_within(Command::new("sleep").arg("60"), limit).unwrap() {
            Ended::Completed(_) => panic!("sleep was not killed"),
            Ended::Killed(times) => {
                assert!(times.wall >= limit.as_secs_f64() && times.wall < 30.0, "{times:?}")
            }
        }
    }

    #[test]
    fn failure_is_an_error_with_the_last_words() {
        let error = run(Command::new("sh").args(["-c", "echo reason >&2; exit 3"])).err().unwrap();
        assert!(error.to_string().contains("reason"), "{error}");
    }
}
