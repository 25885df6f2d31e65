//! Recorded guests: what they say about their tape, and what its evaluation must give.

use crate::lines::number;
use derivgrind_tape::file::Tape;
use derivgrind_tape::format::Ended;
use derivgrind_tape::program::Direction;
use std::path::Path;

/// An input or output of a guest: its index, and its dot value or the expected one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Declared {
    pub index: u64,
    pub dot: f64,
}

/// The lines `input# INDEX DOT` or `output# INDEX EXPECTED` of a guest, as `kind` says.
pub fn declared(output: &str, kind: &str) -> Result<Vec<Declared>, String> {
    let lines = output.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix("# "));
    let read = |line: &str| {
        let (index, dot) = line.split_once(' ')?;
        Some(Declared { index: index.parse().ok()?, dot: number(dot)? })
    };
    lines.map(|line| read(line).ok_or_else(|| format!("a line is not understood: {kind}# {line}"))).collect()
}

/// Is it one of these lines?
pub fn is_declaration(line: &str) -> bool {
    line.starts_with("input# ") || line.starts_with("output# ")
}

/// Numbers between -1 and 1 that are the same in each run.
fn bars(count: usize) -> impl Iterator<Item = f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..count).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    })
}

/// Evaluates the tape in both directions: dot values of outputs must be the expected ones, and both sweeps must be
/// transposed linear maps.
pub fn evaluate(
    directory: &Path,
    inputs: &[Declared],
    outputs: &[Declared],
    tolerance: f64,
) -> Result<(), String> {
    compare_files(directory, inputs, outputs)?;
    let tape = Tape::open(&directory.join("dg-tape")).map_err(|error| error.to_string())?;
    if tape.ended() != Ended::Completely {
        return Err(format!("recording ended like this: {:?}", tape.ended()));
    }
    let count = tape.indices() as usize;
    if let Some(stray) = inputs.iter().chain(outputs).find(|declared| declared.index as usize >= count) {
        return Err(format!("{stray:?} is not on the tape, which has {count} indices"));
    }
    let mut dots = vec![[0.0]; count];
    for input in inputs {
        dots[input.index as usize][0] = input.dot;
    }
    tape.sweep(Direction::Forward, &mut dots, &mut |_| ()).map_err(|error| error.to_string())?;
    // Index 0 is the passive one.
    dots[0] = [0.0];
    for (position, output) in outputs.iter().enumerate() {
        let dot = dots[output.index as usize][0];
        // A comparison that is false for a NaN.
        let is_right = (dot - output.dot).abs() <= tolerance * output.dot.abs().max(1.0);
        if !is_right {
            return Err(format!("output {position}: dot value {dot} instead of {}", output.dot));
        }
    }
    let mut adjoints = vec![[0.0]; count];
    let (mut expected, mut magnitude) = (0.0, 1.0);
    for (output, bar) in outputs.iter().zip(bars(outputs.len())).filter(|(output, _)| output.index != 0) {
        adjoints[output.index as usize][0] += bar;
        expected += bar * dots[output.index as usize][0];
        magnitude += (bar * dots[output.index as usize][0]).abs();
    }
    tape.sweep(Direction::Reverse, &mut adjoints, &mut |_| ()).map_err(|error| error.to_string())?;
    let mut found = 0.0;
    for input in inputs {
        found += input.dot * adjoints[input.index as usize][0];
        magnitude += (input.dot * adjoints[input.index as usize][0]).abs();
    }
    let agrees = (found - expected).abs() <= 1e-12 * magnitude;
    if agrees {
        Ok(())
    } else {
        Err(format!("the reverse sweep gives {found} where the forward sweep gives {expected}"))
    }
}

/// The files of indices must list what the guest has declared.
fn compare_files(directory: &Path, inputs: &[Declared], outputs: &[Declared]) -> Result<(), String> {
    for (name, all) in [("dg-input-indices", inputs), ("dg-output-indices", outputs)] {
        let text =
            std::fs::read_to_string(directory.join(name)).map_err(|error| format!("{name}: {error}"))?;
        let mut listed: Vec<u64> = text.lines().map(|line| line.parse().unwrap_or(u64::MAX)).collect();
        let mut declared: Vec<u64> =
            all.iter().map(|declared| declared.index).filter(|index| *index != 0).collect();
        // Threads may print and list in different orders.
        listed.sort_unstable();
        declared.sort_unstable();
        if listed != declared {
            return Err(format!("{name} lists {listed:?} instead of {declared:?}"));
        }
        if declared.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(format!("{name}: an index belongs to two variables"));
        }
    }
    Ok(())
}
