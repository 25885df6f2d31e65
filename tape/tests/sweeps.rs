//! Sweeps over random tapes against the simplest evaluation, and against each other.

mod random;
mod recorder;

use derivgrind_tape::cell::{Cell, Reached};
use derivgrind_tape::file::Tape;
use derivgrind_tape::program::Direction;
use derivgrind_tape::structure::Function;
use proptest::prelude::*;
use random::{random_tape, Numbers, RandomTape};
use std::collections::BTreeSet;
use std::fs;

/// The tape as a file.
fn open(tape: &RandomTape) -> (tempfile::TempDir, Tape) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("dg-tape");
    fs::write(&path, &tape.file).expect("it can be written");
    let opened = Tape::open(&path).expect("the tape is sound");
    assert_eq!(opened.indices(), tape.indices);
    (directory, opened)
}

/// Some seeds are zero, the others between -2 and 2.
fn seeds(numbers: &mut Numbers, range: std::ops::Range<u64>, indices: u64) -> Vec<f64> {
    let mut seeds = vec![0.0; indices as usize];
    for index in range {
        let value = numbers.value();
        seeds[index as usize] = match numbers.next() % 4 {
            0 => 0.0,
            1 => -value,
            _ => value,
        };
    }
    seeds
}

fn sweep<const COLUMNS: usize>(tape: &Tape, direction: Direction, seeds: &[Vec<f64>]) -> Vec<[f64; COLUMNS]> {
    let mut cells = vec![[0.0; COLUMNS]; tape.indices() as usize];
    for (index, cell) in cells.iter_mut().enumerate() {
        for column in 0..COLUMNS {
            cell[column] = seeds[column][index];
        }
    }
    tape.sweep(direction, &mut cells, &mut |_| {}).expect("the tape is sound");
    cells
}

fn single(tape: &Tape, direction: Direction, seeds: &[f64]) -> Vec<f64> {
    sweep::<1>(tape, direction, &[seeds.to_vec()]).into_iter().map(|[cell]| cell).collect()
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

fn absolutes(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.abs()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn sweeps_agree_with_the_simplest_evaluation_and_are_transposed(tape in random_tape(), seed in any::<u64>()) {
        let (_directory, file) = open(&tape);
        let mut numbers = Numbers(seed);
        let bars = seeds(&mut numbers, 1..tape.indices, tape.indices);
        let dots = seeds(&mut numbers, 1..tape.indices, tape.indices);
        let swept_bars = single(&file, Direction::Reverse, &bars);
        let swept_dots = single(&file, Direction::Forward, &dots);
        let bounds = tape.absolute();
        let bar_bounds = bounds.reverse(absolutes(&bars));
        let dot_bounds = bounds.forward(absolutes(&dots));
        for (index, expected) in tape.reverse(bars.clone()).into_iter().enumerate() {
            prop_assert!((swept_bars[index] - expected).abs() <= 1e-12 * bar_bounds[index]);
        }
        for (index, expected) in tape.forward(dots.clone()).into_iter().enumerate() {
            prop_assert!((swept_dots[index] - expected).abs() <= 1e-12 * dot_bounds[index]);
        }
        let bound = dot(&bar_bounds, &absolutes(&dots)) + dot(&dot_bounds, &absolutes(&bars));
        let difference = dot(&swept_bars, &dots) - dot(&swept_dots, &bars);
        prop_assert!(difference.abs() <= 1e-12 * bound, "{difference} {bound}");
    }

    #[test]
    fn columns_are_single_sweeps(tape in random_tape(), seed in any::<u64>()) {
        let (_directory, file) = open(&tape);
        let mut numbers = Numbers(seed);
        let seeds: Vec<Vec<f64>> = (0..8).map(|_| seeds(&mut numbers, 1..tape.indices, tape.indices)).collect();
        for direction in [Direction::Reverse, Direction::Forward] {
            let eight = sweep::<8>(&file, direction, &seeds);
            let four = sweep::<4>(&file, direction, &seeds);
            for column in 0..8 {
                let alone = single(&file, direction, &seeds[column]);
                for index in 0..alone.len() {
                    prop_assert_eq!(eight[index][column], alone[index]);
                    if column < 4 {
                        prop_assert_eq!(four[index][column], alone[index]);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_reached_depends_on_no_partial_derivative(tape in random_tape(), seed in any::<u64>()) {
        let (_directory, file) = open(&tape);
        let mut cells = vec![Reached::ZERO; tape.indices as usize];
        let start = 1 + seed % (tape.indices - 1);
        cells[start as usize] = Reached::YES;
        file.sweep(Direction::Reverse, &mut cells, &mut |_| {}).expect("the tape is sound");
        let mut expected = BTreeSet::from([start]);
        for operation in tape.operations.iter().rev() {
            if expected.contains(&operation.result) {
                expected.extend(operation.terms.iter().map(|(operand, _)| *operand));
            }
        }
        for index in 1..tape.indices {
            prop_assert_eq!(!cells[index as usize].is_zero(), expected.contains(&index));
        }
    }

    #[test]
    fn operations_are_shown_one_by_one(tape in random_tape()) {
        let (_directory, file) = open(&tape);
        let mut shown = Vec::new();
        file.visit(&mut |recorded| {
            shown.push(*recorded);
            Ok(())
        }).expect("the tape is sound");
        let mut holes = BTreeSet::new();
        let inputs = tape.inputs as usize;
        prop_assert_eq!(shown.len(), inputs + tape.operations.len());
        for input in &shown[..inputs] {
            prop_assert_eq!(input.function, Function::Input);
        }
        // Holes are passive for others of the same execution; the indices of a payload never lead to one in a tape that
        // the recorder has written, but in these random ones they do.
        for (recorded, simple) in shown[inputs..].iter().zip(&tape.operations) {
            prop_assert_eq!(recorded.index, simple.result);
            prop_assert_eq!(recorded.function, simple.function);
            let mut terms: Vec<(u64, f64)> = Vec::new();
            for operand in 0..2 {
                if recorded.operands[operand] != 0 {
                    terms.push((recorded.operands[operand], recorded.partials[operand]));
                }
            }
            let mut expected = simple.terms.clone();
            expected.retain(|(operand, _)| !holes.contains(operand) || terms.iter().any(|term| term.0 == *operand));
            prop_assert_eq!(terms.len(), expected.len());
            for (term, expected) in terms.iter().zip(&expected) {
                prop_assert_eq!(term.0, expected.0);
                prop_assert!((term.1 - expected.1).abs() <= 1e-15 * expected.1.abs());
            }
            if recorded.is_hole() {
                holes.insert(recorded.index);
            }
            prop_assert_eq!(recorded.is_hole(), expected.is_empty() && simple.function != Function::Input);
        }
    }
}

#[test]
fn zero_partial_derivative_contributes_nothing_of_an_infinite_adjoint() {
    let mut recorder = recorder::Recorder::default();
    let input = recorder.input();
    let infinite = recorder.two_operands([input, 0], [0.0, f64::NAN]);
    let output = recorder.two_operands([input, infinite], [3.0, f64::INFINITY]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("dg-tape");
    fs::write(&path, recorder.finish(derivgrind_tape::format::Ended::Completely)).expect("it can be written");
    let tape = Tape::open(&path).expect("the tape is sound");
    let mut seeds = vec![0.0; tape.indices() as usize];
    seeds[output as usize] = 1.0;
    assert_eq!(single(&tape, Direction::Reverse, &seeds)[input as usize], 3.0);
    let columns =
        sweep::<4>(&tape, Direction::Reverse, &[seeds.clone(), seeds.clone(), seeds.clone(), seeds]);
    assert_eq!(columns[input as usize], [3.0; 4]);
}

#[test]
fn zero_adjoint_contributes_nothing_through_an_infinite_partial_derivative() {
    let mut recorder = recorder::Recorder::default();
    let input = recorder.input();
    let infinite = recorder.two_operands([input, 0], [f64::INFINITY, f64::NAN]);
    let output = recorder.two_operands([input, infinite], [3.0, 0.0]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("dg-tape");
    fs::write(&path, recorder.finish(derivgrind_tape::format::Ended::Completely)).expect("it can be written");
    let tape = Tape::open(&path).expect("the tape is sound");
    let mut seeds = vec![0.0; tape.indices() as usize];
    seeds[output as usize] = 1.0;
    assert_eq!(single(&tape, Direction::Reverse, &seeds)[input as usize], 3.0);
    let zeros = vec![0.0; tape.indices() as usize];
    let columns = sweep::<4>(&tape, Direction::Reverse, &[seeds.clone(), zeros.clone(), seeds, zeros]);
    assert_eq!(columns[input as usize], [3.0, 0.0, 3.0, 0.0]);
}
