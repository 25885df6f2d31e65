//! Random tapes, and what they mean by the simplest reading of the format.
#![allow(dead_code)] // Each test program uses a part of it.

use crate::recorder::Recorder;
use derivgrind_tape::structure::{Element, Function, Operand, Operation, Structure};
use proptest::prelude::*;

/// One scalar operation: partial derivatives with respect to indices, passive ones left out.
#[derive(Clone, Debug)]
pub struct Simple {
    pub result: u64,
    pub function: Function,
    pub terms: Vec<(u64, f64)>,
}

/// A tape, and the same as a list of scalar operations.
#[derive(Clone, Debug)]
pub struct RandomTape {
    pub file: Vec<u8>,
    pub operations: Vec<Simple>,
    pub inputs: u64,
    /// The index behind the last one.
    pub indices: u64,
}

/// Numbers from which an operation is made, whatever they are.
#[derive(Clone, Debug)]
struct Choice {
    function: u8,
    is_binary64: bool,
    lanes: u8,
    signs: u8,
    gap: bool,
    operands: [(u8, u32); 2],
}

fn choice() -> impl Strategy<Value = Choice> {
    let lanes = prop_oneof![Just(1), Just(2), Just(4), Just(8), 1..10_u8];
    let operand = || (0..5_u8, any::<u32>());
    (0..8_u8, any::<bool>(), lanes, any::<u8>(), prop::bool::weighted(0.1), operand(), operand()).prop_map(
        |(function, is_binary64, lanes, signs, gap, first, second)| Choice {
            function,
            is_binary64,
            lanes,
            signs,
            gap,
            operands: [first, second],
        },
    )
}

/// Lay out a structure from choices.
fn structure(choices: &[Choice]) -> Structure {
    let mut payload = 0;
    let mut place = |bytes: u32| {
        payload += bytes;
        payload - bytes
    };
    let mut results = 0;
    let mut operations: Vec<Operation> = Vec::new();
    for choice in choices {
        let function = Function::ALL[choice.function as usize];
        let element = if choice.is_binary64 { Element::Binary64 } else { Element::Binary32 };
        let lanes = u32::from(choice.lanes);
        results += u32::from(choice.gap);
        let operand = |number: usize, place: &mut dyn FnMut(u32) -> u32| {
            let (kind, raw) = choice.operands[number];
            match kind {
                _ if number >= function.operands() => Operand::Absent,
                0 => Operand::Absent,
                1 | 2 if results >= lanes => Operand::Result(raw % (results - lanes + 1)),
                3 => Operand::Wide(place(8 * lanes)),
                _ => Operand::Narrow(place(4 * lanes)),
            }
        };
        let operands = [operand(0, &mut place), operand(1, &mut place)];
        let mut needs = [false; 2];
        for (number, operand) in operands.iter().enumerate() {
            for (value, is_needed) in needs.iter_mut().enumerate() {
                *is_needed |= *operand != Operand::Absent && function.needs(number)[value];
            }
        }
        let values = needs.map(|is_needed| is_needed.then(|| place(element as u32 * lanes)));
        operations.push(Operation {
            function,
            element,
            lanes: choice.lanes,
            signs: choice.signs,
            result: results,
            operands,
            values,
        });
        results += lanes;
    }
    Structure { payload, results, address: 0x40_1000, operations }
}

/// Numbers from 0 on that look random.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        // Constants of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A value between 0.5 and 2 that binary32 can represent.
    pub fn value(&mut self) -> f64 {
        0.5 + (self.next() % (1 << 20)) as f64 * (1.5 / f64::from(1 << 20))
    }

    /// The same as [`Numbers::index`], but mostly of the kind that is usual at this place.
    fn usual_index(&mut self, first: u64, result: u32, place: u64) -> u64 {
        let mut usual = Numbers(place);
        if self.next() % 128 == 0 {
            return self.index(first, result);
        }
        match usual.next() % 6 {
            0 => 0,
            1 | 2 if result > 0 => first + usual.next() % u64::from(result),
            _ => self.next() % first,
        }
    }

    /// The index of an operand in the payload, for a result that is so many results behind the first of its execution.
    fn index(&mut self, first: u64, result: u32) -> u64 {
        // Mostly recent ones, sometimes passive ones, or results of the same execution that went through memory.
        match self.next() % 8 {
            0 => 0,
            1..=2 => self.next() % first,
            3 => self.next() % (first + u64::from(result)),
            4 => first + u64::from(result) - 1 - self.next() % u64::from(result + 1),
            _ => first - 1 - self.next() % first.min(12),
        }
    }
}

/// Write one execution and append its operations.
fn execute(
    recorder: &mut Recorder,
    number: u32,
    structure: &Structure,
    numbers: &mut Numbers,
    operations: &mut Vec<Simple>,
    is_usual: bool,
) {
    let first = recorder.next_index();
    let mut payload = vec![0; structure.payload as usize];
    let index = |numbers: &mut Numbers, operation: &Operation, offset: u32| {
        if is_usual {
            numbers.usual_index(first, operation.result, u64::from(number << 16 | offset))
        } else {
            numbers.index(first, operation.result)
        }
    };
    for operation in &structure.operations {
        for lane in 0..u32::from(operation.lanes) {
            let result = first + u64::from(operation.result + lane);
            let operands = operation.operands.map(|operand| match operand {
                Operand::Absent => 0,
                Operand::Narrow(offset) => {
                    let index = index(numbers, operation, offset + 4 * lane);
                    // Results of binary32 operations are marked, which changes nothing.
                    let mark = if numbers.next() % 4 == 0 { 1 << 31 } else { 0 };
                    write(&mut payload, offset + 4 * lane, &(index as u32 | mark).to_le_bytes());
                    index
                }
                Operand::Wide(offset) => {
                    let index = index(numbers, operation, offset + 8 * lane);
                    write(&mut payload, offset + 8 * lane, &index.to_le_bytes());
                    index
                }
                Operand::Result(result) => first + u64::from(result + lane),
            });
            let is_signed = operation.function != Function::SquareRoot
                && operation.function != Function::ReciprocalSquareRoot;
            let values = operation.values.map(|value| {
                let Some(offset) = value else { return f64::NAN };
                let negative = is_signed && numbers.next() % 2 == 0;
                let value = if negative { -numbers.value() } else { numbers.value() };
                match operation.element {
                    Element::Binary32 => {
                        write(&mut payload, offset + 4 * lane, &(value as f32).to_le_bytes())
                    }
                    Element::Binary64 => write(&mut payload, offset + 8 * lane, &value.to_le_bytes()),
                }
                value
            });
            let [a, b] = values;
            // Written down from the table of the format once more.
            let partials = match operation.function {
                Function::Input => [0.0, 0.0],
                Function::Linear => [a, b],
                Function::Sum => [1.0, 1.0],
                Function::Product => [b, a],
                Function::Quotient => [1.0 / a, -b / a],
                Function::SquareRoot => [1.0 / (2.0 * a), f64::NAN],
                Function::Reciprocal => [-1.0 / a.powi(2), f64::NAN],
                Function::ReciprocalSquareRoot => [-1.0 / (2.0 * a * a.sqrt()), f64::NAN],
            };
            let mut terms = Vec::new();
            for (number, bit) in [(0, 1), (1, 2)] {
                let mut sign = if operation.signs & bit == 0 { 1.0 } else { -1.0 };
                if operation.signs & (bit << 4) != 0 && lane % 2 == 1 {
                    sign = -sign;
                }
                if operands[number] != 0 {
                    terms.push((operands[number], sign * partials[number]));
                }
            }
            operations.push(Simple { result, function: operation.function, terms });
        }
    }
    recorder.execute(number, structure.results, &payload);
}

fn write(payload: &mut [u8], offset: u32, bytes: &[u8]) {
    payload[offset as usize..offset as usize + bytes.len()].copy_from_slice(bytes);
}

/// A few inputs, then executions of random structures in chunks of two threads.
pub fn random_tape() -> impl Strategy<Value = RandomTape> {
    tape(5, 12, 0.2, false)
}

/// The same with fewer structures, which are executed more often, mostly with indices of the same kinds.
pub fn repetitive_tape() -> impl Strategy<Value = RandomTape> {
    tape(3, 250, 0.02, true)
}

fn tape(
    structures: usize,
    executions: usize,
    new_chunks: f64,
    is_usual: bool,
) -> impl Strategy<Value = RandomTape> {
    let structures = prop::collection::vec(prop::collection::vec(choice(), 1..6), 1..structures);
    let executions = prop::collection::vec((any::<u32>(), prop::bool::weighted(new_chunks)), 1..executions);
    (1..6_u64, structures, executions, any::<u64>()).prop_map(
        move |(inputs, structures, executions, seed)| {
            let mut recorder = Recorder::default();
            let structures: Vec<Structure> = structures.iter().map(|choices| structure(choices)).collect();
            let mut numbers = Numbers(seed);
            let mut operations = Vec::new();
            for _ in 0..inputs {
                recorder.input();
            }
            let recorded: Vec<u32> =
                structures.iter().map(|structure| recorder.structure(structure)).collect();
            for (position, (which, is_new_chunk)) in executions.into_iter().enumerate() {
                if is_new_chunk {
                    let gap = numbers.next() % 2;
                    recorder.next_chunk(position as u32 % 2, recorder.next_index() + gap);
                }
                let which = which as usize % structures.len();
                execute(
                    &mut recorder,
                    recorded[which],
                    &structures[which],
                    &mut numbers,
                    &mut operations,
                    is_usual,
                );
            }
            let indices = recorder.next_index();
            let file = recorder.finish(derivgrind_tape::format::Ended::Completely);
            RandomTape { file, operations, inputs, indices }
        },
    )
}

impl RandomTape {
    /// Adjoints of all indices.
    pub fn reverse(&self, mut bars: Vec<f64>) -> Vec<f64> {
        for operation in self.operations.iter().rev() {
            for (operand, partial) in &operation.terms {
                let bar = bars[operation.result as usize];
                bars[*operand as usize] += partial * bar;
            }
        }
        bars
    }

    /// Tangents of all indices.
    pub fn forward(&self, mut dots: Vec<f64>) -> Vec<f64> {
        for operation in &self.operations {
            for (operand, partial) in &operation.terms {
                let dot = dots[*operand as usize];
                dots[operation.result as usize] += partial * dot;
            }
        }
        dots
    }

    /// The same tape with the absolute values of all partial derivatives: a bound of rounding errors.
    pub fn absolute(&self) -> RandomTape {
        let mut absolute = self.clone();
        for operation in &mut absolute.operations {
            for (_, partial) in &mut operation.terms {
                *partial = partial.abs();
            }
        }
        absolute
    }
}
