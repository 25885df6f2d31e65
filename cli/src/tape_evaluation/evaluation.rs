//! Reverse and forward evaluation with seeds from files, and the passes over the tape that all evaluations are made of.

use crate::indices::Indices;
use crate::influence;
use crate::numbers::Table;
use crate::recording::Recording;
use anyhow::{bail, Result};
use bytemuck::Pod;
use derivgrind_tape::cell::Cell;
use derivgrind_tape::program::Direction;
use derivgrind_tape::vector::{CellVector, Place};
use indicatif::ProgressBar;
use std::fs;
use std::path::Path;

/// Columns of the widest pass. A cell of eight numbers is a cache line.
pub const WIDEST: usize = 8;

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
    for first in (0..seeds.columns()).step_by(WIDEST) {
        let columns = WIDEST.min(seeds.columns() - first);
        let group = |row: &[f64]| row[first..first + columns].to_vec();
        let group: Vec<Vec<f64>> = seeds.rows().map(group).collect();
        let pass = Pass { recording, direction, from, to, progress: &progress };
        for (row, result) in pass.run(columns, &|row, column| group[row][column])?.into_iter().enumerate() {
            results.row_mut(row)[first..first + columns].copy_from_slice(&result);
        }
    }
    progress.finish_and_clear();
    Ok(results)
}

/// One pass over the tape.
pub struct Pass<'a> {
    pub recording: &'a Recording<'a>,
    pub direction: Direction,
    pub from: &'a Indices,
    pub to: &'a Indices,
    pub progress: &'a ProgressBar,
}

impl Pass<'_> {
    /// The results of each variable. `seed` is asked for the seeds by variable and column; there are at most
    /// [`WIDEST`] columns.
    pub fn run(&self, columns: usize, seed: &dyn Fn(usize, usize) -> f64) -> Result<Vec<Vec<f64>>> {
        match columns {
            1 => self.run_cells::<1>(columns, seed),
            2..=4 => self.run_cells::<4>(columns, seed),
            _ => self.run_cells::<8>(columns, seed),
        }
    }

    fn run_cells<const CELL: usize>(
        &self,
        columns: usize,
        seed: &dyn Fn(usize, usize) -> f64,
    ) -> Result<Vec<Vec<f64>>> {
        let mut cells: CellVector<[f64; CELL]> = new_cells(self.recording)?;
        for (variable, index) in self.from.as_slice().iter().enumerate() {
            if *index != 0 {
                for (column, cell) in cells[*index as usize].iter_mut().enumerate().take(columns) {
                    *cell += seed(variable, column);
                }
            }
        }
        sweep(self.recording, self.direction, &mut cells, self.to, self.progress)?;
        let result = |index: &u64| cells[*index as usize][..columns].to_vec();
        Ok(self.to.as_slice().iter().map(result).collect())
    }
}

/// Sweep over the tape; afterwards the cells of `results` have their values.
pub fn sweep<C: Cell + Pod>(
    recording: &Recording,
    direction: Direction,
    cells: &mut CellVector<C>,
    results: &Indices,
    progress: &ProgressBar,
) -> Result<()> {
    let kept = results.ascending();
    recording.tape.sweep_in_pipeline(direction, cells, &kept, &mut |bytes| progress.inc(bytes))?;
    Ok(())
}

/// A cell for each index, where there is room for them.
pub fn new_cells<C: Pod>(recording: &Recording) -> Result<CellVector<C>> {
    let indices = recording.tape.indices();
    let bytes = indices.saturating_mul(size_of::<C>() as u64);
    let directory: &Path = &recording.options.directory;
    let place = match &recording.options.bars_file {
        Some(path) => Place::File(path),
        None if available_memory().is_some_and(|available| bytes > available) => {
            recording.warn(&format!(
                "the adjoints need {} MB, more than there is memory; they are kept in a file in {}",
                bytes >> 20,
                directory.display()
            ));
            Place::Directory(directory)
        }
        None => Place::Memory,
    };
    Ok(CellVector::new(indices, place)?)
}

/// Bytes that the kernel could give without swapping (proc(5), `MemAvailable`).
fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes << 10)
}
