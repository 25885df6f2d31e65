//! `cargo xtask demo`: two programs are differentiated, one of them also in reverse, and the derivatives are checked
//! by other means.

use crate::command;
use crate::measure::{self, Turns};
use crate::setup::{self, Purpose};
use crate::workspace::Workspace;
use anyhow::{bail, Context, Result};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

const SIZE: &str = "128";
const STEPS: &str = "12000";
const AMPLITUDE: f64 = 0.5;
/// Step of the central difference quotient, whose error is of the order of its square and of roundoff over it.
const STEP: f64 = 1e-5;
/// Largest relative difference between derivative and difference quotient.
const QUOTIENT_TOLERANCE: f64 = 1e-6;
/// Largest difference between the derivative of J0 and -J1: a few units in the last place of the series' terms.
const BESSEL_TOLERANCE: f64 = 1e-13;
/// Steps of the recorded run, so that the tape stays small.
const RECORDED_STEPS: &str = "300";
/// Largest relative difference between forward and reverse mode, which round differently.
const REVERSE_TOLERANCE: f64 = 1e-12;
/// Runs of each kind for the overhead.
const RUNS: usize = 5;

/// Build everything, run both examples, and fail if a derivative is wrong.
pub fn run(workspace: &Workspace) -> Result<()> {
    setup::run(Purpose::Demo)?;
    eprintln!("Building derivgrind ...");
    let launcher = workspace.build_launcher()?;
    let scratch = workspace.scratch("demo")?;
    burgers(workspace, &launcher, &scratch.join("burgers"))?;
    reverse(&launcher, &scratch.join("burgers"), &scratch.join("tape"))?;
    println!();
    bessel(workspace, &launcher, &scratch.join("bessel"))
}

fn burgers(workspace: &Workspace, launcher: &Path, program: &Path) -> Result<()> {
    workspace.compile_c("examples/05-burgers/c/burgers.c", program, &["-O3"], &["-lm"])?;
    let native = |amplitude: f64| {
        let mut command = Command::new(program);
        command.args([SIZE, STEPS, &amplitude.to_string()]);
        command
    };
    let under_tool = || {
        let mut command = Command::new(launcher);
        command.arg(program).args([SIZE, STEPS, &AMPLITUDE.to_string()]);
        command
    };
    let value_at = |amplitude: f64| labelled(&command::output(&mut native(amplitude))?, "value");

    let value = value_at(AMPLITUDE)?;
    let quotient = (value_at(AMPLITUDE + STEP)? - value_at(AMPLITUDE - STEP)?) / (2.0 * STEP);
    let mut native_times = Vec::new();
    let mut tool_times = Vec::new();
    let mut output = String::new();
    for _ in 0..RUNS {
        native_times.push(measure::run(&mut native(AMPLITUDE))?.times.processor);
        let run = measure::run(&mut under_tool())?;
        tool_times.push(run.times.processor);
        output = run.stdout;
    }
    let value_under_tool = labelled(&output, "value")?;
    let derivative = labelled(&output, "derivative")?;
    let difference = (derivative - quotient).abs() / quotient.abs();
    let turns = Turns::of(&native_times, &tool_times);

    println!("Burgers' equation, {SIZE} x {SIZE} points, {STEPS} steps, gcc -O3");
    println!("  mean speed at the end, natively     {value:.17e}");
    println!("  mean speed at the end, derivgrind   {value_under_tool:.17e}");
    println!("  derivative w.r.t. the amplitude     {derivative:.17e}");
    println!("  difference quotient                 {quotient:.17e}");
    println!("  relative difference                 {difference:.1e}");
    println!("  time natively                       {:.3} s", turns.native);
    println!("  time under derivgrind               {:.3} s", turns.tool);
    println!("  overhead                            {:.2} times", turns.ratio);

    if value_under_tool.to_bits() != value.to_bits() {
        bail!("the value under derivgrind differs from the native one");
    }
    // A NaN is no agreement.
    if difference.is_nan() || difference > QUOTIENT_TOLERANCE {
        bail!("the derivative disagrees with the difference quotient");
    }
    Ok(())
}

/// The same derivative in reverse: a recording, and the evaluation of its tape.
fn reverse(launcher: &Path, program: &Path, tape: &Path) -> Result<()> {
    let words = [SIZE, RECORDED_STEPS, &AMPLITUDE.to_string()];
    let forward = command::output(Command::new(launcher).arg(program).args(words))?;
    let forward = labelled(&forward, "derivative")?;
    let native = measure::run(Command::new(program).args(words))?;
    let mut option = OsString::from("--record=");
    option.push(tape);
    let recording = measure::run(Command::new(launcher).arg("-q").arg(option).arg(program).args(words))?;
    let evaluator = launcher.with_file_name("tape-evaluation");
    let evaluation = measure::run(Command::new(evaluator).arg("-q").arg(tape))?;
    let gradient = fs::read_to_string(tape.join("dg-input-bars")).context("no gradient was written")?;
    let gradient: f64 = gradient.trim().parse().context("the gradient is no number")?;
    let size = fs::metadata(tape.join("dg-tape")).context("no tape was written")?.len();
    fs::remove_dir_all(tape).context("cannot remove the tape")?;
    let difference = (gradient - forward).abs() / forward.abs();
    let native = native.times.processor;

    println!("The same in reverse, {RECORDED_STEPS} steps");
    println!("  derivative by the tape              {gradient:.17e}");
    println!("  derivative by dot values            {forward:.17e}");
    println!("  relative difference                 {difference:.1e}");
    println!("  tape                                {:.0} MB", size as f64 / 1e6);
    println!("  overhead of recording               {:.1} times", recording.times.processor / native);
    println!(
        "  reverse evaluation                  {:.1} times the run",
        evaluation.times.processor / native
    );
    if difference.is_nan() || difference > REVERSE_TOLERANCE {
        bail!("the two derivatives disagree");
    }
    Ok(())
}

fn bessel(workspace: &Workspace, launcher: &Path, program: &Path) -> Result<()> {
    workspace.compile_c(
        "examples/06-bessel/c/bessel.c",
        program,
        &["-O2"],
        &["-lgsl", "-lgslcblas", "-lm"],
    )?;
    let native = command::output(&mut Command::new(program))?;
    let under_tool = command::output(Command::new(launcher).arg(program))?;

    println!("Bessel function J0 of the GNU Scientific Library, as Debian compiled it");
    println!("  {:>8} {:>24} {:>24} {:>24}", "x", "J0(x)", "derivative", "-J1(x)");
    let mut wrong = 0;
    for (native_line, line) in native.lines().zip(under_tool.lines()) {
        let native_row = numbers(native_line)?;
        let row = numbers(line)?;
        let [x, value, derivative, reference] = row[..] else {
            bail!("unexpected output of the example: {line}")
        };
        println!("  {x:>8} {value:>24.17} {derivative:>24.17} {reference:>24.17}");
        let same_values =
            native_row[1].to_bits() == value.to_bits() && native_row[3].to_bits() == reference.to_bits();
        let difference = (derivative - reference).abs();
        if !same_values || difference.is_nan() || difference > BESSEL_TOLERANCE {
            wrong += 1;
        }
    }
    if native.lines().count() != under_tool.lines().count() || native.is_empty() {
        bail!(
            "the example printed {} lines natively and {} under derivgrind",
            native.lines().count(),
            under_tool.lines().count()
        );
    }
    if wrong > 0 {
        bail!("{wrong} derivatives of J0 disagree with -J1, or values differ from the native ones");
    }
    Ok(())
}

/// The number after a label at the start of a line.
fn labelled(output: &str, label: &str) -> Result<f64> {
    let line = output
        .lines()
        .find_map(|line| line.strip_prefix(label))
        .with_context(|| format!("no {label} was printed"))?;
    line.trim().parse().with_context(|| format!("the {label} is no number: {line}"))
}

fn numbers(line: &str) -> Result<Vec<f64>> {
    line.split_whitespace()
        .map(|word| word.parse().with_context(|| format!("`{word}` is no number")))
        .collect()
}
