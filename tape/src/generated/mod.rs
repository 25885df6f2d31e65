//! Machine code for reverse sweeps with one column.
//!
//! The interpreter of [`crate::steps`] needs several instructions to find out what an operation is, and carries
//! adjoints from operation to operation through memory, where a number that was just written is available five cycles
//! later. For structures that are executed often, code is generated instead. It has everything inlined that is known
//! of a structure, and
//! - keeps the adjoints of an execution's own results, and sums of contributions to the same index, in registers;
//! - is made for what indices of the structure have been so far ([`observed`]), and checks that they still are;
//! - brings the cells of a later execution into the cache;
//! - goes on with the code of the next execution without a return.
//!
//! Code does not do everything: before an execution that it was not made for, it returns, and the interpreter runs
//! that one. This is so for executions with an unknown structure, those that do not fit into their chunk or have
//! indices out of order, and those with results whose cells are wanted by the caller. It is also so if a product is
//! NaN, since a zero times infinity is nothing; code writes to cells only after it has found that none is. So errors
//! and special cases are those of the interpreter. Sums may be formed in another order.
//!
//! Cells of an execution's results are zero afterwards, so that their memory can be used for others.
//!
//! Invariant: generated code accesses nothing but the state, the table, the payload of an execution that lies within
//! the slice, and cells of smaller indices than the one behind the last result. Memory is either writable or
//! executable.

mod accumulators;
mod assembler;
mod code;
mod frame;
mod lanes;
mod memory;
mod observed;
mod state;
#[cfg(test)]
mod tests;

use crate::cell::Cell;
use crate::checksum::Checksum;
use crate::program::Programs;
use crate::structure::Structure;
use crate::sweep::{last_execution, run, Damage, DamageKind};
use code::{compile, Surroundings};
use frame::frame;
use memory::CodeMemory;
use observed::{observe, places, Place};
use state::{Entry, State, SLOTS};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// The adjoint of an index.
type Bar = [f64; 1];

/// A structure is executed so often by the interpreter before there is code for it.
const PATIENCE: u32 = 24;
/// Code for a structure is made at most so often.
const MOST_VERSIONS: u32 = 8;

/// After so many results, the caller is told.
const STEP: u64 = 1 << 18;
/// So many results are swept before the checksum of their executions is formed: some ten kilobytes.
const PIECE: u64 = 1 << 12;

/// What is known of a structure.
struct Known {
    executions: u32,
    versions: u32,
    places: Vec<Place>,
}

/// A reverse sweep with generated code.
pub struct Generated<'a> {
    structures: &'a BTreeMap<u32, Structure>,
    programs: &'a Programs<Bar>,
    known: HashMap<u32, Known>,
    table: Vec<Entry>,
    state: Box<State>,
    memory: CodeMemory,
    surroundings: Surroundings,
    entry: u64,
    /// Executions that were left to the interpreter.
    interpreted: u64,
}

impl<'a> Generated<'a> {
    /// None: the processor does not have AVX, or the system does not allow generated code.
    pub fn new(
        structures: &'a BTreeMap<u32, Structure>,
        programs: &'a Programs<Bar>,
    ) -> Option<Generated<'a>> {
        if !is_x86_feature_detected!("avx") {
            return None;
        }
        let registers = if is_x86_feature_detected!("avx512f") { 32 } else { 16 };
        Generated::with_registers(structures, programs, registers)
    }

    fn with_registers(
        structures: &'a BTreeMap<u32, Structure>,
        programs: &'a Programs<Bar>,
        registers: u32,
    ) -> Option<Generated<'a>> {
        let mut memory = CodeMemory::new().ok()?;
        let exit = memory.next_address()?;
        let (frame, entry) = frame(exit)?;
        if !memory.append(&frame) {
            return None;
        }
        let numbers = structures.keys().next_back().map_or(0, |number| *number as usize + 1);
        Some(Generated {
            structures,
            programs,
            known: HashMap::new(),
            table: vec![Entry::default(); numbers],
            state: Box::new(State {
                end: 0,
                index: 0,
                cells: 0,
                table: 0,
                numbers: numbers as u64,
                start: 0,
                lowest: 0,
                stop: 0,
                one: 1.0,
                half: 0.5,
                slots: [0.0; SLOTS as usize],
            }),
            memory,
            surroundings: Surroundings { exit, registers },
            entry,
            interpreted: 0,
        })
    }

    /// As [`crate::sweep::sweep`] in reverse, but afterwards only the cells of `kept` indices, which ascend, and of
    /// smaller indices than those of the executions have their values; others are zero. `passed` is told of which they
    /// are, from time to time, from the last to the first. What is returned is of the executions.
    pub fn sweep(
        &mut self,
        executions: &[u8],
        indices: Range<u64>,
        cells: &mut [Bar],
        kept: &[u64],
        passed: &mut dyn FnMut(Range<u64>),
    ) -> Result<Checksum, Damage> {
        if indices.start == 0 || indices.start > indices.end || indices.end > cells.len() as u64 {
            return Err(Damage { offset: 0, kind: DamageKind::Indices });
        }
        let passive = cells[0];
        let swept = self.sweep_all(executions, indices, cells, kept, passed);
        cells[0] = passive;
        swept
    }

    fn sweep_all(
        &mut self,
        executions: &[u8],
        indices: Range<u64>,
        cells: &mut [Bar],
        mut kept: &[u64],
        passed: &mut dyn FnMut(Range<u64>),
    ) -> Result<Checksum, Damage> {
        let mut end = executions.len();
        let mut index = indices.end;
        let mut told = indices.end;
        let mut checksum = Checksum::default();
        while end > 0 {
            kept = &kept[..kept.partition_point(|kept| *kept < index)];
            if told - index >= STEP {
                passed(index..told);
                told = index;
            }
            let lowest = indices.start.max(index.saturating_sub(PIECE));
            let stop = kept.last().map_or(lowest, |kept| lowest.max(kept + 1));
            let (start, first) = self.run_code(executions, end, index, stop, cells);
            if start < end {
                checksum.add(start as u64, &executions[start..end]);
                (end, index) = (start, first);
                continue;
            }
            let execution = last_execution(executions, end, |number| {
                let program = self.programs.find(number)?;
                Some((program, program.length))
            })?;
            let results = u64::from(execution.found.results);
            if index - indices.start < results {
                return Err(Damage { offset: execution.start, kind: DamageKind::ManyResults });
            }
            let first = index - results;
            checksum.add(execution.start as u64, &executions[execution.start..end]);
            run(self.programs, executions, execution, first, cells)?;
            self.interpreted += 1;
            self.learn(execution.structure, &executions[execution.start..end], first);
            for own in first..index {
                if kept.binary_search(&own).is_err() {
                    cells[own as usize] = Bar::ZERO;
                }
            }
            end = execution.start;
            index = first;
        }
        passed(index..told);
        if index != indices.start {
            return Err(Damage { offset: 0, kind: DamageKind::FewResults });
        }
        Ok(checksum)
    }

    /// Run code for executions before `end` as far as there is code and results are not below `stop`. What is
    /// returned is the end of the next one, and the index behind its last result.
    #[allow(unsafe_code)]
    fn run_code(
        &mut self,
        executions: &[u8],
        end: usize,
        index: u64,
        stop: u64,
        cells: &mut [Bar],
    ) -> (usize, u64) {
        let start = executions.as_ptr() as u64;
        // The number of the execution before is read.
        if end < 8 || self.entry == 0 {
            return (end, index);
        }
        self.state.start = start;
        self.state.lowest = start + 4;
        self.state.end = start + end as u64;
        self.state.index = index;
        self.state.stop = stop;
        self.state.cells = cells.as_mut_ptr() as u64;
        self.state.table = self.table.as_mut_ptr() as u64;
        let state: *mut State = &mut *self.state;
        // SAFETY: there is code at `entry` that follows the System V calling convention, and the state describes memory
        // to which there is exclusive access, or for the executions, which are only read, access. All results of
        // executions that code runs lie within the cells: they are below `index`, and not below `stop`. See the module
        // for what code does.
        unsafe {
            let entry = core::mem::transmute::<u64, unsafe extern "sysv64" fn(*mut State)>(self.entry);
            entry(state);
        }
        ((self.state.end - start) as usize, self.state.index)
    }

    /// The interpreter has run an execution: make code if it is time.
    fn learn(&mut self, number: u32, execution: &[u8], first: u64) {
        let Some(structure) = self.structures.get(&number) else { return };
        let known = self.known.entry(number).or_insert_with(|| Known {
            executions: 0,
            versions: 0,
            places: places(structure),
        });
        if known.versions == MOST_VERSIONS {
            return;
        }
        let is_new = observe(&mut known.places, &execution[..execution.len() - 4], first);
        known.executions = known.executions.saturating_add(1);
        let is_time = if known.versions == 0 { known.executions >= PATIENCE } else { is_new };
        if !is_time {
            return;
        }
        known.versions += 1;
        let made = self.memory.next_address().and_then(|address| {
            let code = compile(number, structure, &known.places, address, self.surroundings)?;
            self.memory.append(&code).then_some(address)
        });
        match made {
            Some(address) => self.table[number as usize].code = address,
            None => {
                // Without memory there is none of the code made before, either.
                known.versions = MOST_VERSIONS;
                if self.memory.next_address().is_none() {
                    self.table.fill(Entry::default());
                    self.entry = 0;
                }
            }
        }
    }
}
