//! Reverse and forward evaluation with seeds from files.

use crate::influence;
use crate::numbers::Table;
use crate::recording::Recording;
use anyhow::{bail, Result};
use derivgrind_tape::evaluation::{Evaluation, WIDEST};
use derivgrind_tape::indices::Indices;
use derivgrind_tape::program::Direction;

/// From bar values of outputs to bar values of inputs.
pub fn reverse(recording: &Recording) -> Result<()> {
    let inputs = recording.inputs()?;
    let outputs = recording.outputs()?;
    let seeds = match &recording.options.bars {
        Some(path) => Table::read(path, outputs.count(), None, "output")?,
        None => seeds(recording, &outputs, "output", "dg-output-bars")?,
    };
    let bars = evaluate(recording, Direction::Reverse, &seeds, &outputs, &inputs)?;
    influence::name_inputs_without(recording, &inputs, &outputs, &bars)?;
    bars.write(&recording.path("dg-input-bars"))
}

/// From dot values of inputs to dot values of outputs.
pub fn forward(recording: &Recording) -> Result<()> {
    let inputs = recording.inputs()?;
    let outputs = recording.outputs()?;
    let seeds = seeds(recording, &inputs, "input", "dg-input-dots")?;
    let dots = evaluate(recording, Direction::Forward, &seeds, &inputs, &outputs)?;
    dots.write(&recording.path("dg-output-dots"))
}

/// Seeds from a file with one column. Without the file, a single variable has the seed 1.
fn seeds(recording: &Recording, variables: &Indices, kind: &str, file: &str) -> Result<Table> {
    let path = recording.path(file);
    if path.exists() {
        return Table::read(&path, variables.count(), Some(1), kind);
    }
    if variables.count() != 1 {
        bail!(
            "{} is missing, and there are {} {kind}s: it needs one number a line, in the order of dg-{kind}-indices",
            path.display(),
            variables.count()
        );
    }
    recording.warn(&format!("there is no {file}; the seed of the only {kind} is 1"));
    let mut seeds = Table::zeros(1, 1);
    seeds.row_mut(0)[0] = 1.0;
    Ok(seeds)
}

/// Evaluate all columns of `seeds`, which belong to the variables `from`, for the variables `to`.
fn evaluate(
    recording: &Recording,
    direction: Direction,
    seeds: &Table,
    from: &Indices,
    to: &Indices,
) -> Result<Table> {
    let mut results = Table::zeros(to.count(), seeds.columns());
    let progress = recording.progress(seeds.columns().div_ceil(WIDEST));
    let place = |bytes| recording.place(bytes);
    let (from, to) = (from.as_slice(), to.as_slice());
    let evaluation = Evaluation { tape: &recording.tape, direction, from, to, place: &place };
    for first in (0..seeds.columns()).step_by(WIDEST) {
        let columns = WIDEST.min(seeds.columns() - first);
        let group = |row: &[f64]| row[first..first + columns].to_vec();
        let group: Vec<Vec<f64>> = seeds.rows().map(group).collect();
        let seed = |row: usize, column: usize| group[row][column];
        let pass = evaluation.pass(columns, &seed, &mut |bytes| progress.inc(bytes))?;
        for (row, result) in pass.into_iter().enumerate() {
            results.row_mut(row)[first..first + columns].copy_from_slice(&result);
        }
    }
    progress.finish_and_clear();
    Ok(results)
}
