//! Names inputs that influence no output.
//!
//! A derivative that is zero does not say it: it may be zero by chance, or because a seed is. So if one is, the tape is
//! swept once more with the question which indices are connected with any output at all.

use crate::numbers::Table;
use crate::recording::Recording;
use anyhow::Result;
use derivgrind_tape::cell::{Cell, Reached};
use derivgrind_tape::evaluation::{new_cells, sweep};
use derivgrind_tape::indices::{Indices, Oddities};
use derivgrind_tape::program::Direction;

/// Name inputs that are not connected with any output; `bars` are the derivatives of all inputs.
pub fn name_inputs_without(
    recording: &Recording,
    inputs: &Indices,
    outputs: &Indices,
    bars: &Table,
) -> Result<()> {
    let has_zeros = bars.rows().any(|row| row.iter().all(|bar| *bar == 0.0));
    if recording.options.quiet || !has_zeros {
        return Ok(());
    }
    let mut cells = new_cells::<Reached>(&recording.tape, &|bytes| recording.place(bytes))?;
    for index in outputs.as_slice() {
        cells[*index as usize] = Reached::YES;
    }
    cells[0] = Reached::ZERO;
    let progress = recording.progress(1);
    let told = &mut |bytes| progress.inc(bytes);
    sweep(&recording.tape, Direction::Reverse, &mut cells, inputs.as_slice(), told)?;
    progress.finish_and_clear();
    let mut without = Oddities::default();
    for (position, index) in inputs.as_slice().iter().enumerate() {
        // What is not on the tape has been told when the indices were read.
        if *index != 0 && cells[*index as usize].is_zero() {
            let number = position + 1;
            without.add(format!("input {number} (line {number} of dg-input-indices) influences no output"));
        }
    }
    without.sentences().iter().for_each(|sentence| recording.warn(sentence));
    Ok(())
}
