//! Programs: structures as lists of steps that a sweep runs.

use crate::cell::{Cell, SIGN_BIT};
use crate::steps::{self, Kind, Step};
use crate::structure::{Element, Function, Operand, Operation, Structure, StructureError};
use crate::structure::{FIRST_RECORDED, NUMBER_LIMIT};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

/// Which way a sweep goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Reverse,
}

/// What a sweep knows of a structure. The default is an entry of the table that has no structure.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Program {
    /// Bytes of an execution, its number included; 0: there is no such structure.
    pub length: u32,
    pub results: u32,
    first_step: u32,
    steps: u32,
    first_place: u32,
    places: u32,
}

/// The programs of all structures of a tape, for cells of type `C`.
pub struct Programs<C> {
    table: Vec<Program>,
    /// In the order in which a sweep runs them.
    steps: Vec<Step<C>>,
    /// Where payloads have indices of 4 bytes, each place once.
    places: Vec<u32>,
    direction: Direction,
}

impl<C: Cell> Programs<C> {
    /// The programs of the fixed structures.
    pub fn new(direction: Direction) -> Programs<C> {
        let mut programs = Programs { table: Vec::new(), steps: Vec::new(), places: Vec::new(), direction };
        for (number, structure) in Structure::fixed() {
            programs.insert(number, &structure);
        }
        programs
    }

    /// The programs of these structures, the fixed ones among them or not.
    pub fn of(
        direction: Direction,
        structures: &BTreeMap<u32, Structure>,
    ) -> Result<Programs<C>, StructureError> {
        let mut programs = Programs::new(direction);
        for (number, structure) in structures.range(FIRST_RECORDED..) {
            programs.add(*number, structure)?;
        }
        Ok(programs)
    }

    /// Add the program of a recorded structure. A number must stay with one structure.
    pub fn add(&mut self, number: u32, structure: &Structure) -> Result<(), StructureError> {
        if !(FIRST_RECORDED..NUMBER_LIMIT).contains(&number) {
            return Err(StructureError::Number(number));
        }
        if self.find(number).is_some() {
            return Err(StructureError::Twice(number));
        }
        structure.check(number)?;
        if structure.payload > u32::MAX - 8 {
            return Err(StructureError::Payload(number));
        }
        self.insert(number, structure);
        Ok(())
    }

    fn insert(&mut self, number: u32, structure: &Structure) {
        let number = number as usize;
        if self.table.len() <= number {
            self.table.resize(number + 1, Program::default());
        }
        let first_step = self.steps.len() as u32;
        let forward = self.direction == Direction::Forward;
        let steps = structure.operations.iter().filter_map(|operation| compile(operation, forward));
        self.steps.extend(steps);
        if !forward {
            self.steps[first_step as usize..].reverse();
        }
        let first_place = self.places.len() as u32;
        self.places.extend(narrow_places(structure));
        self.table[number] = Program {
            length: structure.payload + 4,
            results: structure.results,
            first_step,
            steps: self.steps.len() as u32 - first_step,
            first_place,
            places: self.places.len() as u32 - first_place,
        };
    }

    pub fn direction(&self) -> Direction {
        self.direction
    }

    #[inline(always)]
    pub(crate) fn find(&self, number: u32) -> Option<Program> {
        self.table.get(number as usize).copied().filter(|program| program.length != 0)
    }

    /// Offsets in the payload of its indices of 4 bytes.
    #[inline(always)]
    pub(crate) fn places(&self, program: Program) -> &[u32] {
        &self.places[program.first_place as usize..(program.first_place + program.places) as usize]
    }

    #[inline(always)]
    pub(crate) fn steps(&self, program: Program) -> &[Step<C>] {
        let Range { start, end } = program.first_step as usize..(program.first_step + program.steps) as usize;
        &self.steps[start..end]
    }
}

/// Where payloads of the structure have indices of 4 bytes, each place once.
fn narrow_places(structure: &Structure) -> Vec<u32> {
    let mut places = Vec::new();
    for operation in &structure.operations {
        for operand in operation.operands {
            if let Operand::Narrow(place) = operand {
                places.extend((0..u32::from(operation.lanes)).map(|lane| place + 4 * lane));
            }
        }
    }
    places.sort_unstable();
    places.dedup();
    places
}

/// The step of an operation, none if it has no operands.
fn compile<C: Cell>(operation: &Operation, forward: bool) -> Option<Step<C>> {
    let mut operands = operation.operands;
    let mut values = match operation.function {
        Function::Product => [operation.values[1], operation.values[0]],
        _ => operation.values,
    };
    let mut signs = [0, 1].map(|operand| if operation.is_negated(operand, 0) { SIGN_BIT } else { 0 });
    let differs = |operand| operation.is_negated(operand, 0) != operation.is_negated(operand, 1);
    let mut odd_lanes = [differs(0), differs(1)];
    let kind = match (operation.function, operation.element) {
        (Function::Input, _) => return None,
        (Function::Sum, _) => Kind::Unit,
        (Function::Linear | Function::Product, Element::Binary32) => Kind::Given32,
        (Function::Linear | Function::Product, Element::Binary64) => Kind::Given64,
        (Function::Quotient, Element::Binary64) if operands[1] == Operand::Absent => Kind::Inverse64,
        _ => Kind::Computed,
    };
    // Both operands are alike, so that a form for one order is enough.
    if kind != Kind::Computed && rank(operands[0]) < rank(operands[1]) {
        operands.swap(0, 1);
        values.swap(0, 1);
        signs.swap(0, 1);
        odd_lanes.swap(0, 1);
    }
    if operands == [Operand::Absent; 2] {
        return None;
    }
    Some(Step {
        run: steps::choose(kind, operands, operation.lanes, forward),
        result: operation.result,
        shape: steps::shape(kind, operands, operation.lanes),
        operands: operands.map(Operand::encode),
        places: operands.map(Operand::place),
        values: values.map(|value| value.unwrap_or(0)),
        lanes: operation.lanes,
        function: operation.function,
        element: operation.element,
        signs,
        odd_lanes,
    })
}

fn rank(operand: Operand) -> u32 {
    match operand {
        Operand::Absent => 0,
        Operand::Result(_) => 1,
        Operand::Narrow(_) => 2,
        Operand::Wide(_) => 3,
    }
}
