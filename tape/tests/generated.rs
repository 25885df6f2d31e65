//! Sweeps with generated code against those of the interpreter.

mod random;
mod recorder;

use derivgrind_tape::file::{Tape, TapeError};
use derivgrind_tape::format::Ended;
use derivgrind_tape::program::Direction;
use derivgrind_tape::structure::{Element, Function, Operand, Operation, Structure};
use derivgrind_tape::vector::{CellVector, Place};
use proptest::prelude::*;
use random::{repetitive_tape, Numbers};
use recorder::Recorder;
use std::fs;
use std::ops::Range;

fn open(bytes: &[u8]) -> (tempfile::TempDir, Result<Tape, TapeError>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("dg-tape");
    fs::write(&path, bytes).expect("it can be written");
    let tape = Tape::open(&path);
    (directory, tape)
}

fn by_interpreter(tape: &Tape, seeds: &[f64]) -> Result<Vec<f64>, TapeError> {
    let mut cells: Vec<[f64; 1]> = seeds.iter().map(|seed| [*seed]).collect();
    tape.sweep(Direction::Reverse, &mut cells, &mut |_| {})?;
    Ok(cells.into_iter().map(|[bar]| bar).collect())
}

fn by_code(tape: &Tape, seeds: &[f64], kept: &[u64]) -> Result<Vec<f64>, TapeError> {
    let mut cells: CellVector<[f64; 1]> =
        CellVector::new(tape.indices(), Place::Memory).expect("there is room");
    for (cell, seed) in cells.iter_mut().zip(seeds) {
        // Memory that nothing is written to is not there.
        if *seed != 0.0 {
            *cell = [*seed];
        }
    }
    tape.sweep_in_pipeline(Direction::Reverse, &mut cells, kept, &mut |_| {})?;
    Ok(cells.iter().map(|[bar]| *bar).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn generated_code_agrees_with_the_interpreter(tape in repetitive_tape(), seed in any::<u64>()) {
        let (_directory, file) = open(&tape.file);
        let file = file.expect("the tape is sound");
        let mut numbers = Numbers(seed);
        let mut seeds = vec![0.0; tape.indices as usize];
        let mut kept: Vec<u64> = (1..=tape.inputs).collect();
        for index in 1..tape.indices {
            if numbers.next() % 16 == 0 {
                seeds[index as usize] = numbers.value();
            }
            if index > tape.inputs && numbers.next() % 200 == 0 {
                kept.push(index);
            }
        }
        let expected = by_interpreter(&file, &seeds).expect("the tape is sound");
        let bounds = tape.absolute().reverse(seeds.clone());
        let bars = by_code(&file, &seeds, &kept).expect("the tape is sound");
        for index in kept {
            let (bar, expected, bound) = (bars[index as usize], expected[index as usize], bounds[index as usize]);
            // Overflow comes earlier or later, depending on the order of sums.
            let is_near = (bar - expected).abs() <= 1e-13 * bound || bound > 1e300;
            prop_assert!(is_near, "index {index}: {bar} instead of {expected}, bound {bound}");
        }
    }

    #[test]
    fn damaged_tapes_with_generated_code(
        tape in repetitive_tape(),
        flips in prop::collection::vec((any::<u32>(), 1..=255_u8), 1..4),
    ) {
        let mut bytes = tape.file;
        let used: Vec<usize> = (0..bytes.len()).filter(|offset| bytes[*offset] != 0).collect();
        for (where_to, flip) in flips {
            bytes[used[where_to as usize % used.len()]] ^= flip;
        }
        let (_directory, file) = open(&bytes);
        let Ok(file) = file else { return Ok(()) };
        if file.indices() > 1 << 20 {
            return Ok(());
        }
        let seeds = vec![1.0; file.indices() as usize];
        let expected = by_interpreter(&file, &seeds);
        let bars = by_code(&file, &seeds, &[1]);
        match (expected, bars) {
            (Ok(_), Ok(_)) => {}
            (Err(_), Err(TapeError::Damaged { offset, .. })) => prop_assert!(offset <= bytes.len() as u64),
            // Indices out of order are not looked at if an adjoint is zero, which depends on rounding.
            (expected, bars) => prop_assert!(false, "{:?} and {:?}", expected.map(|_| ()), bars.map(|_| ())),
        }
    }
}

const SPECIAL: [f64; 8] = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1.0, -2.5, 1e-310];

/// A structure with one operation on two indices, which are followed by two values, and a sum of that and of the first
/// index again.
fn special_structure(function: Function, element: Element) -> Structure {
    let size = element as u32;
    let second = if function.operands() == 2 { Operand::Narrow(4) } else { Operand::Absent };
    let operation = Operation {
        function,
        element,
        lanes: 1,
        signs: 2,
        result: 0,
        operands: [Operand::Narrow(0), second],
        values: [Some(8), Some(8 + size)],
    };
    let sum = Operation {
        function: Function::Sum,
        element,
        lanes: 1,
        signs: 0,
        result: 1,
        operands: [Operand::Result(0), Operand::Narrow(0)],
        values: [None, None],
    };
    Structure { payload: 8 + 2 * size, results: 2, address: 0, operations: vec![operation, sum] }
}

#[test]
fn zeros_infinities_and_nans_are_treated_alike() {
    for function in Function::ALL.into_iter().filter(|function| function.operands() > 0) {
        for element in [Element::Binary32, Element::Binary64] {
            let mut recorder = Recorder::default();
            let structure = special_structure(function, element);
            let number = recorder.structure(&structure);
            // All inputs first: before an execution whose cells are wanted, code would return.
            let inputs: Vec<u64> = (0..2 * (SPECIAL.len().pow(3) + 100)).map(|_| recorder.input()).collect();
            let mut unused = inputs.iter();
            let mut seeds = vec![0.0; inputs.len() + 1];
            let mut execute = |bar: f64, values: [f64; 2]| {
                let mut payload = Vec::new();
                for input in unused.by_ref().take(2) {
                    payload.extend((*input as u32).to_le_bytes());
                }
                for value in values {
                    match element {
                        Element::Binary32 => payload.extend((value as f32).to_le_bytes()),
                        Element::Binary64 => payload.extend(value.to_le_bytes()),
                    }
                }
                assert_eq!(payload.len() as u32, structure.payload);
                recorder.execute(number, 2, &payload);
                seeds.extend([bar, 0.0]);
            };
            for bar in SPECIAL {
                for first in SPECIAL {
                    for second in SPECIAL {
                        execute(bar, [first, second]);
                    }
                }
            }
            // The sweep begins here, and learns from these.
            for _ in 0..100 {
                execute(1.0, [1.0, 1.0]);
            }
            let (_directory, file) = open(&recorder.finish(Ended::Completely));
            let file = file.expect("the tape is sound");
            let expected = by_interpreter(&file, &seeds).expect("the tape is sound");
            let bars = by_code(&file, &seeds, &inputs).expect("the tape is sound");
            for input in inputs {
                let (bar, expected) = (bars[input as usize], expected[input as usize]);
                let is_same = bar == expected || bar.is_nan() && expected.is_nan();
                assert!(is_same, "{function:?} {element:?}: {bar} instead of {expected}, input {input}");
            }
        }
    }
}

/// Executions with 16 results, of which the last one is half the sum of two earlier ones, in several chunks. Some
/// indices are in no chunk.
fn long_tape() -> (Vec<u8>, Vec<u64>, Vec<Range<u64>>, u64) {
    const RESULTS: u32 = 16;
    let operation = |function, result, operands, value| Operation {
        function,
        element: Element::Binary64,
        lanes: 1,
        signs: 0,
        result,
        operands,
        values: [None, value],
    };
    let mut operations = vec![
        operation(Function::Sum, 0, [Operand::Narrow(0), Operand::Narrow(4)], None),
        operation(Function::Product, 1, [Operand::Result(0), Operand::Absent], Some(8)),
    ];
    for result in 2..RESULTS {
        operations.push(operation(
            Function::Sum,
            result,
            [Operand::Result(result - 1), Operand::Absent],
            None,
        ));
    }
    let mut recorder = Recorder::default();
    let number = recorder.structure(&Structure { payload: 16, results: RESULTS, address: 0, operations });
    let mut numbers = Numbers(5);
    let mut inputs = Vec::new();
    let mut gaps = Vec::new();
    let mut ends = Vec::new();
    for position in 0..400_000_u64 {
        if position % 50_000 == 0 {
            let gap = recorder.next_index()..recorder.next_index() + position % 3 * 100_000;
            recorder.next_chunk(0, gap.end);
            gaps.push(gap);
            for _ in 0..10 {
                let input = recorder.input();
                inputs.push(input);
                ends.push(input);
            }
        }
        let operand = |numbers: &mut Numbers, ends: &[u64]| {
            let back = match numbers.next() % 65536 {
                0 => ends.len() as u64,
                _ => 30_000.min(ends.len() as u64),
            };
            ends[ends.len() - 1 - (numbers.next() % back) as usize]
        };
        let mut payload = Vec::new();
        for _ in 0..2 {
            payload.extend((operand(&mut numbers, &ends) as u32).to_le_bytes());
        }
        payload.extend(0.5_f64.to_le_bytes());
        ends.push(recorder.execute(number, RESULTS, &payload) + u64::from(RESULTS) - 1);
    }
    (recorder.finish(Ended::Completely), inputs, gaps, ends[ends.len() - 1])
}

#[test]
fn memory_of_adjoints_is_used_again() {
    let (bytes, mut kept, gaps, output) = long_tape();
    let (_directory, file) = open(&bytes);
    let file = file.expect("the tape is sound");
    let mut seeds = vec![0.0; file.indices() as usize];
    seeds[output as usize] = 1.0;
    let mut numbers = Numbers(6);
    // Results that are wanted, and cells that no operation makes zero.
    for _ in 0..20 {
        kept.push(1 + numbers.next() % (file.indices() - 1));
    }
    for index in gaps.into_iter().flatten() {
        seeds[index as usize] = 0.25;
    }
    kept.sort_unstable();
    let expected = by_interpreter(&file, &seeds).expect("the tape is sound");
    let bars = by_code(&file, &seeds, &kept).expect("the tape is sound");
    for index in &kept {
        let (bar, expected) = (bars[*index as usize], expected[*index as usize]);
        assert!(
            (bar - expected).abs() <= 1e-12 * expected.abs(),
            "{bar} instead of {expected}, index {index}"
        );
    }
    let reached = kept.iter().filter(|index| bars[**index as usize] != 0.0).count();
    assert!(reached > 40, "{reached}");
}
