//! Code that runs short of registers, and how much is left to the interpreter.

use super::Generated;
use crate::program::{Direction, Programs};
use crate::structure::{Element, Function, Operand, Operation, Structure, FIRST_RECORDED};
use crate::sweep::sweep;
use std::collections::BTreeMap;

const EXECUTIONS: u64 = 500;
const OPERATIONS: u32 = 90;
/// Offset in the payload.
const DIVISORS: u32 = 160 + 160;

/// Numbers that look random (Knuth's linear congruential generator for MMIX).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % limit
    }
}

/// Products, sums, quotients and roots of results and of 40 indices of the payload, all of them used again and again, as
/// are the values: 20 factors and two divisors.
fn wide_structure(numbers: &mut Numbers) -> Structure {
    let mut operations = Vec::new();
    for result in 0..OPERATIONS {
        let mut operand = || match numbers.below(2) {
            0 if result > 0 => Operand::Result(numbers.below(u64::from(result)) as u32),
            _ => Operand::Narrow(4 * numbers.below(40) as u32),
        };
        let mut operands = [operand(), operand()];
        let function = match numbers.below(8) {
            0..3 => Function::Product,
            3 | 4 => Function::Quotient,
            5 if result % 4 == 0 => Function::SquareRoot,
            _ => Function::Sum,
        };
        let values = match function {
            Function::Product => [Some(160 + 8 * (result % 20)), Some(160 + 8 * (result % 7))],
            Function::Quotient | Function::SquareRoot => {
                operands[1] = Operand::Absent;
                [Some(DIVISORS + 8 * (result % 3 / 2)), None]
            }
            _ => [None, None],
        };
        let signs = numbers.below(4) as u8;
        operations.push(Operation {
            function,
            element: Element::Binary64,
            lanes: 1,
            signs,
            result,
            operands,
            values,
        });
    }
    Structure { payload: DIVISORS + 16, results: OPERATIONS, address: 0, operations }
}

#[test]
fn sums_without_registers_are_in_slots() {
    let mut numbers = Numbers(1);
    let number = FIRST_RECORDED;
    let mut structures: BTreeMap<u32, Structure> = Structure::fixed().into_iter().collect();
    structures.insert(number, wide_structure(&mut numbers));
    let signed = structures.clone();
    let programs: Programs<[f64; 1]> =
        Programs::of(Direction::Reverse, &structures).expect("the structure is sound");
    let inputs = 3;
    let mut executions = Vec::new();
    for execution in 0..EXECUTIONS {
        for _ in 0..40 {
            let index = 1 + numbers.below(inputs + execution * u64::from(OPERATIONS));
            executions.extend((index as u32).to_le_bytes());
        }
        for _ in 0..20 {
            executions.extend((numbers.below(1000) as f64 / 4e3).to_le_bytes());
        }
        for _ in 0..2 {
            executions.extend((1.0 + numbers.below(1000) as f64 / 4e3).to_le_bytes());
        }
        executions.extend(number.to_le_bytes());
    }
    let indices = 1 + inputs..1 + inputs + EXECUTIONS * u64::from(OPERATIONS);
    let mut seeds = vec![[0.0]; indices.end as usize];
    seeds[0] = [7.0];
    for cell in seeds.iter_mut().rev().take(1000) {
        *cell = [1.0];
    }
    let mut expected = seeds.clone();
    sweep(&programs, &executions, indices.clone(), &mut expected).expect("the executions are sound");
    // With positive partial derivatives, as a bound of rounding errors.
    for operation in structures.get_mut(&number).into_iter().flat_map(|structure| &mut structure.operations) {
        operation.signs = 0;
    }
    let positive: Programs<[f64; 1]> =
        Programs::of(Direction::Reverse, &structures).expect("the structure is sound");
    let mut bounds = seeds.clone();
    sweep(&positive, &executions, indices.clone(), &mut bounds).expect("the executions are sound");
    for registers in [7, 16, 32] {
        if registers == 32 && !is_x86_feature_detected!("avx512f") {
            continue;
        }
        let mut cells = seeds.clone();
        let generated = Generated::with_registers(&signed, &programs, registers);
        let mut generated = generated.expect("generated code is possible");
        let mut passed = 0;
        generated
            .sweep(&executions, indices.clone(), &mut cells, &[], &mut |indices| {
                passed += indices.end - indices.start
            })
            .expect("the executions are sound");
        for input in 1..=inputs as usize {
            let ([bar], [expected], [bound]) = (cells[input], expected[input], bounds[input]);
            assert_ne!(expected, 0.0);
            assert!((bar - expected).abs() <= 1e-13 * bound, "{registers}: {bar}, {expected}");
        }
        assert_eq!(cells[0], [7.0]);
        assert!(cells[1 + inputs as usize..].iter().all(|cell| *cell == [0.0]));
        assert_eq!(passed, EXECUTIONS * u64::from(OPERATIONS));
        assert!(generated.interpreted < 30, "{}", generated.interpreted);
    }
}
