//! Evaluations for variables: seeds of some indices, results of others, a few columns in each pass over the tape.

use crate::cell::Cell;
use crate::file::{Tape, TapeError};
use crate::program::Direction;
use crate::vector::{CellVector, Place, VectorError};
use bytemuck::Pod;
use std::fs;
use thiserror::Error;

/// Columns of the widest pass. A cell of eight numbers is a cache line.
pub const WIDEST: usize = 8;

/// An evaluation that failed.
#[derive(Debug, Error)]
pub enum EvaluationError {
    #[error(transparent)]
    Tape(#[from] TapeError),
    #[error(transparent)]
    Vector(#[from] VectorError),
}

/// Which evaluation it is.
pub struct Evaluation<'a> {
    pub tape: &'a Tape,
    pub direction: Direction,
    /// Indices of the variables that have seeds; 0 for those that are not on the tape.
    pub from: &'a [u64],
    /// Indices of the variables whose results are wanted.
    pub to: &'a [u64],
    /// Where so many bytes of cells are to live.
    pub place: &'a dyn Fn(u64) -> Place<'a>,
}

impl Evaluation<'_> {
    /// One pass: the results of each variable of `to`. `seed` is asked for the seeds by variable and column; there are
    /// at most [`WIDEST`] columns. `progress` is told bytes that are done.
    pub fn pass(
        &self,
        columns: usize,
        seed: &dyn Fn(usize, usize) -> f64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<Vec<f64>>, EvaluationError> {
        match columns {
            1 => self.pass_with::<1>(columns, seed, progress),
            2..=4 => self.pass_with::<4>(columns, seed, progress),
            _ => self.pass_with::<8>(columns, seed, progress),
        }
    }

    fn pass_with<const CELL: usize>(
        &self,
        columns: usize,
        seed: &dyn Fn(usize, usize) -> f64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<Vec<f64>>, EvaluationError> {
        let mut cells: CellVector<[f64; CELL]> = new_cells(self.tape, self.place)?;
        for (variable, index) in self.from.iter().enumerate() {
            if *index != 0 {
                for (column, cell) in cells[*index as usize].iter_mut().enumerate().take(columns) {
                    *cell += seed(variable, column);
                }
            }
        }
        sweep(self.tape, self.direction, &mut cells, self.to, progress)?;
        let result = |index: &u64| cells[*index as usize][..columns].to_vec();
        Ok(self.to.iter().map(result).collect())
    }
}

/// Sweep over the tape; afterwards the cells of the indices `to` have their values.
pub fn sweep<C: Cell + Pod>(
    tape: &Tape,
    direction: Direction,
    cells: &mut CellVector<C>,
    to: &[u64],
    progress: &mut dyn FnMut(u64),
) -> Result<(), TapeError> {
    let mut kept: Vec<u64> = to.iter().copied().filter(|index| *index != 0).collect();
    kept.sort_unstable();
    kept.dedup();
    tape.sweep_in_pipeline(direction, cells, &kept, progress)
}

/// A cell for each index, zero.
pub fn new_cells<'a, C: Pod>(
    tape: &Tape,
    place: &dyn Fn(u64) -> Place<'a>,
) -> Result<CellVector<C>, VectorError> {
    let bytes = tape.indices().saturating_mul(size_of::<C>() as u64);
    CellVector::new(tape.indices(), place(bytes))
}

/// Bytes that the kernel could give without swapping (proc(5), `MemAvailable`).
pub fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes << 10)
}
