//! What is on a tape, in numbers.

use crate::options::Style;
use crate::recording::Recording;
use anyhow::Result;
use derivgrind_tape::format::Ended;
use derivgrind_tape::structure::Function;
use std::io::{stdout, BufWriter, Write};

/// Operations by kind.
#[derive(Default)]
struct Counts {
    by_function: [u64; Function::ALL.len()],
    holes: u64,
    /// Blocks with 0, 1 and 2 active operands.
    by_operands: [u64; 3],
}

/// Print statistics to stdout.
pub fn print(recording: &Recording, style: Style) -> Result<()> {
    let mut counts = Counts::default();
    recording.tape.visit(&mut |recorded| {
        if recorded.is_hole() {
            counts.holes += 1;
        } else {
            counts.by_function[recorded.function as usize] += 1;
        }
        counts.by_operands[recorded.operands.iter().filter(|operand| **operand != 0).count()] += 1;
        Ok(())
    })?;
    match style {
        Style::Readable => readable(recording, &counts),
        Style::Classic => classic(recording, &counts),
    }
}

/// The three numbers of the classic tool, for the tape as blocks: the dummy block and indices without an operation
/// count as blocks without active operands.
fn classic(recording: &Recording, counts: &Counts) -> Result<()> {
    let [_, one, two] = counts.by_operands;
    let none = recording.tape.indices() - one - two;
    writeln!(stdout(), "{none} {one} {two}")?;
    Ok(())
}

fn readable(recording: &Recording, counts: &Counts) -> Result<()> {
    let tape = &recording.tape;
    let mut output = BufWriter::new(stdout().lock());
    let mut line = |name: &str, value: String| writeln!(output, "{name:<34}{value:>18}");
    let operations: u64 = counts.by_function[1..].iter().sum();
    let lines = |file: &str| match std::fs::read_to_string(recording.path(file)) {
        Ok(text) => text.lines().count().to_string(),
        Err(_) => "unknown".to_string(),
    };
    let layout = if tape.is_classic() { "classic blocks" } else { "executions" };
    line("layout", layout.to_string())?;
    line("recording ended", ended(tape.ended()).to_string())?;
    line("bytes", tape.bytes().to_string())?;
    line("bytes of operations", tape.swept_bytes().to_string())?;
    line("indices", (tape.indices() - 1).to_string())?;
    line("declared inputs", lines("dg-input-indices"))?;
    line("declared outputs", lines("dg-output-indices"))?;
    line("operations", operations.to_string())?;
    for function in Function::ALL {
        let count = counts.by_function[function as usize];
        if count != 0 {
            let name = if function == Function::Input { "without operands" } else { function.name() };
            line(&format!("  {name}"), count.to_string())?;
        }
    }
    line("with passive operands only", counts.holes.to_string())?;
    if operations != 0 {
        let bytes = tape.swept_bytes() as f64 / operations as f64;
        line("bytes per operation", format!("{bytes:.2}"))?;
    }
    if let Some(structures) = tape.structures() {
        line("structures", structures.len().to_string())?;
        line("chunks of executions", tape.chunks().len().to_string())?;
        let unfinished = tape.chunks().iter().filter(|chunk| !chunk.is_finished).count();
        if unfinished != 0 {
            line("  not finished", unfinished.to_string())?;
        }
        line("threads", tape.threads().to_string())?;
    }
    output.flush()?;
    Ok(())
}

fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::NotAtAll => "not at all",
        Ended::Completely => "completely",
        Ended::NoSpace => "disk full",
        Ended::FileError => "file error",
        Ended::IndicesExhausted => "indices exhausted",
    }
}
