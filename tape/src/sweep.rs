//! Sweeps over the executions of a chunk.
//!
//! An execution ends with the number of its structure, so that executions are found from the last to the first. A
//! forward sweep finds them all before it starts.

use crate::cell::Cell;
use crate::program::{Direction, Program, Programs};
use crate::steps;
use alloc::vec::Vec;
use core::ops::Range;
use thiserror::Error;

/// Executions that do not fit to the rest of the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{kind}")]
pub struct Damage {
    /// Where it is, from the first byte of the executions on.
    pub offset: usize,
    pub kind: DamageKind,
}

/// What is wrong with executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DamageKind {
    #[error("an execution has the unknown structure {0}")]
    Structure(u32),
    #[error("an execution of structure {0} is longer than the bytes before its end")]
    Length(u32),
    #[error("the executions of a chunk have more results than the chunk has indices")]
    ManyResults,
    #[error("the executions of a chunk have fewer results than the chunk has indices")]
    FewResults,
    #[error(
        "an execution of structure {0} has an operand whose index is not smaller than that of the result"
    )]
    Order(u32),
    #[error("a chunk has indices for which there are no adjoints")]
    Indices,
}

/// One execution in a slice of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Execution<T> {
    pub start: usize,
    pub structure: u32,
    /// What the lookup function gives for its structure.
    pub found: T,
}

/// The last execution that ends at `end`. `find` gives for a structure what the caller needs, and bytes of an
/// execution.
#[inline(always)]
pub(crate) fn last_execution<T>(
    executions: &[u8],
    end: usize,
    find: impl FnOnce(u32) -> Option<(T, u32)>,
) -> Result<Execution<T>, Damage> {
    let damage = |kind| Damage { offset: end.saturating_sub(4), kind };
    let Some(&number) = executions[..end].last_chunk() else {
        return Err(Damage { offset: 0, kind: DamageKind::Length(0) });
    };
    let structure = u32::from_le_bytes(number);
    let (found, length) = find(structure).ok_or_else(|| damage(DamageKind::Structure(structure)))?;
    let Some(start) = end.checked_sub(length as usize) else {
        return Err(damage(DamageKind::Length(structure)));
    };
    Ok(Execution { start, structure, found })
}

/// Run the programs over `executions`, whose results have the `indices`, in their direction.
///
/// `cells` are those of all indices from 0 on. Cell 0 belongs to passive operands and stays as it is. After an error,
/// cells have been changed by a part of the sweep.
pub fn sweep<C: Cell>(
    programs: &Programs<C>,
    executions: &[u8],
    indices: Range<u64>,
    cells: &mut [C],
) -> Result<(), Damage> {
    if indices.start == 0 || indices.start > indices.end || indices.end > cells.len() as u64 {
        return Err(Damage { offset: 0, kind: DamageKind::Indices });
    }
    match programs.direction() {
        Direction::Reverse => reverse(programs, executions, indices, cells),
        Direction::Forward => forward(programs, executions, indices, cells),
    }
}

fn reverse<C: Cell>(
    programs: &Programs<C>,
    executions: &[u8],
    indices: Range<u64>,
    cells: &mut [C],
) -> Result<(), Damage> {
    let mut end = executions.len();
    let mut first = indices.end;
    let mut ahead = Ahead::default();
    while end > 0 {
        let execution = last_execution(executions, end, |number| {
            let program = programs.find(number)?;
            Some((program, program.length))
        })?;
        let results = u64::from(execution.found.results);
        if first - indices.start < results {
            return Err(Damage { offset: execution.start, kind: DamageKind::ManyResults });
        }
        first -= results;
        prefetch(programs, executions, execution, cells);
        if let Some((execution, first)) = ahead.exchange(Some((execution, first))) {
            run(programs, executions, execution, first, cells)?;
        }
        end = execution.start;
    }
    for _ in 0..AHEAD {
        if let Some((execution, first)) = ahead.exchange(None) {
            run(programs, executions, execution, first, cells)?;
        }
    }
    if first != indices.start {
        return Err(Damage { offset: 0, kind: DamageKind::FewResults });
    }
    Ok(())
}

/// How many executions are found before they are run, so that the cells of their operands are in the cache by then.
/// Measured: fewer are too few for memory, more bring nothing.
const AHEAD: usize = 6;

/// How many bytes before an execution come into the cache with it.
const TAPE_AHEAD: usize = 2048;

/// Executions that were found and are to be run, with their first indices.
#[derive(Default)]
struct Ahead {
    waiting: [Option<(Execution<Program>, u64)>; AHEAD],
    oldest: usize,
}

impl Ahead {
    /// Take the oldest out and let another one wait.
    #[inline(always)]
    fn exchange(&mut self, next: Option<(Execution<Program>, u64)>) -> Option<(Execution<Program>, u64)> {
        let oldest = core::mem::replace(&mut self.waiting[self.oldest], next);
        self.oldest = (self.oldest + 1) % AHEAD;
        oldest
    }
}

/// Bring the cells of an execution's operands into the cache.
#[allow(unsafe_code)]
#[inline(always)]
fn prefetch<C>(programs: &Programs<C>, executions: &[u8], execution: Execution<Program>, cells: &[C])
where
    C: Cell,
{
    let payload = executions[execution.start..].as_ptr();
    steps::prefetch_tape(payload, execution.found.length as usize, TAPE_AHEAD);
    // SAFETY: the execution lies within `executions`, and its structure was checked when its program was made.
    unsafe { steps::prefetch(programs.places(execution.found), payload, cells.as_ptr()) }
}

fn forward<C: Cell>(
    programs: &Programs<C>,
    executions: &[u8],
    indices: Range<u64>,
    cells: &mut [C],
) -> Result<(), Damage> {
    let find = |number| {
        let program = programs.find(number)?;
        Some((program, program.length))
    };
    let mut first = indices.start;
    for (start, structure) in positions(executions, find)?.into_iter().rev() {
        let Some((program, _)) = find(structure) else { continue };
        let results = u64::from(program.results);
        if indices.end - first < results {
            return Err(Damage { offset: start, kind: DamageKind::ManyResults });
        }
        run(programs, executions, Execution { start, structure, found: program }, first, cells)?;
        first += results;
    }
    if first != indices.end {
        return Err(Damage { offset: executions.len(), kind: DamageKind::FewResults });
    }
    Ok(())
}

/// Starts and structures of all executions, from the last to the first.
pub(crate) fn positions<T>(
    executions: &[u8],
    find: impl Fn(u32) -> Option<(T, u32)>,
) -> Result<Vec<(usize, u32)>, Damage> {
    let mut end = executions.len();
    let mut positions = Vec::new();
    while end > 0 {
        let execution = last_execution(executions, end, &find)?;
        positions.push((execution.start, execution.structure));
        end = execution.start;
    }
    Ok(positions)
}

/// How many results the executions have.
pub fn count_results<C: Cell>(programs: &Programs<C>, executions: &[u8]) -> Result<u64, Damage> {
    let mut end = executions.len();
    let mut results = 0;
    while end > 0 {
        let execution = last_execution(executions, end, |number| {
            let program = programs.find(number)?;
            Some((program, program.length))
        })?;
        results += u64::from(execution.found.results);
        end = execution.start;
    }
    Ok(results)
}

/// Run the steps of one execution, whose results lie within `cells` from `first` on.
#[allow(unsafe_code)]
#[inline(always)]
pub(crate) fn run<C: Cell>(
    programs: &Programs<C>,
    executions: &[u8],
    execution: Execution<Program>,
    first: u64,
    cells: &mut [C],
) -> Result<(), Damage> {
    let program = execution.found;
    debug_assert!(first + u64::from(program.results) <= cells.len() as u64);
    let payload = executions[execution.start..].as_ptr();
    let cells = cells.as_mut_ptr();
    let steps = programs.steps(program);
    // SAFETY: the structure was checked when its program was made; the execution lies within `executions`, and its
    // results within the cells, as the callers have checked.
    let is_ordered = unsafe {
        match programs.direction() {
            Direction::Reverse => steps::run_reverse(steps, payload, cells, first),
            Direction::Forward => steps::run_forward(steps, payload, cells, first),
        }
    };
    if !is_ordered {
        return Err(Damage { offset: execution.start, kind: DamageKind::Order(execution.structure) });
    }
    Ok(())
}
