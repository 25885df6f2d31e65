//! `(x + m) - m`: passive where m is a constant by which numbers are rounded, linear for all other m.

use crate::harness::compare::{number, Expected, Lane};
use crate::harness::examine::with_expectation;
use crate::harness::generate::Generated;
use crate::harness::machine::Machine;
use crate::harness::random::Random;
use crate::harness::reference::Before;
use crate::harness::report::Failures;
use crate::harness::run::Harness;
use crate::harness::values::Content;
use iced_x86::{Code, IcedError, Instruction, Register};
use std::cell::Cell;

const TIMES: usize = 40;
const X: usize = 1;
const M: usize = 2;
const SUM: usize = 3;

fn xmm(number: usize) -> Register {
    Register::XMM0 + number as u32
}

fn ymm(number: usize) -> Register {
    Register::YMM0 + number as u32
}

/// Constants, and whether they round.
const CONSTANTS: &[(f64, bool)] = &[
    (6_755_399_441_055_744.0, true),
    (-6_755_399_441_055_744.0, true),
    (4_503_599_627_370_496.0, true),
    (52_776_558_133_248.0, true),
    (35_184_372_088_832.0, true),
    (1.5, false),
    (1e6, false),
    (1048576.0, false),
    (-3.25, false),
    (0.0, false),
];
/// The constant is in register M, and the result in SUM: as many lanes as are computed, of as many bytes as are
/// written. `sign`: of the addend in the second sum.
fn check(instructions: Vec<Result<Instruction, IcedError>>, computed: usize, bytes: usize, sign: f64) {
    let instructions: Vec<_> = instructions.into_iter().map(|one| one.expect("the operands fit")).collect();
    let generated = Generated::sequence(&instructions, false, None);
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    let prepare = |machine: &mut Machine, random: &mut Random| {
        for offset in (0..32).step_by(8) {
            let (constant, _) = CONSTANTS[random.below(CONSTANTS.len())];
            machine.vectors[M][offset..offset + 8].copy_from_slice(&constant.to_le_bytes());
            let x = random.moderate();
            machine.vectors[X][offset..offset + 8].copy_from_slice(&x.to_le_bytes());
        }
    };
    let expect = |before: &Before, _: &Machine, expected: &mut Expected| {
        let (x, m) = (before.shadows.vectors[X], before.shadows.vectors[M]);
        expected.shadows.vectors[SUM][..bytes].copy_from_slice(&x[..bytes]);
        if bytes == 32 {
            // A VEX instruction clears what lies above.
            expected.shadows.vectors[SUM][bytes..].fill(0);
        }
        for lane in 0..computed {
            let at = 8 * lane..8 * lane + 8;
            let constant = number(&before.machine.vectors[M][at.clone()]);
            let rounds = CONSTANTS.iter().any(|(known, rounds)| *known == constant && *rounds);
            let (dot, addend) = (number(&x[at.clone()]), number(&m[at.clone()]));
            // What is left of an addend that is active itself is its own derivative.
            let shadow = if rounds { sign * addend } else { dot };
            let scale = dot.abs() + 2.0 * addend.abs();
            expected.shadows.vectors[SUM][at.clone()].copy_from_slice(&shadow.to_le_bytes());
            let content = Content::F64;
            expected.lanes.push(Lane { register: SUM, offset: at.start, content, shadow, scale });
        }
    };
    with_expectation(&mut harness, &mut failures, &generated, TIMES, prepare, expect);
    failures.finish(TIMES);
}

/// Addends of a sum that nothing takes back in the same block, and whether they round.
const ALONE: &[(f64, bool)] = &[
    (6_755_399_441_055_744.0, true),
    (-6_755_399_441_055_744.0, true),
    (4_503_599_627_370_496.0, true),
    (52_776_558_133_248.0, true),
    (35_184_372_088_832.0, false),
    (1_610_612_736.0, false),
    (1.5, false),
    (0.0, false),
];

/// The sum of X and of what the other instructions put into register ADDEND.
fn check_alone(before_sum: Vec<Result<Instruction, IcedError>>, repeats: bool) {
    const ADDEND: usize = 4;
    let mut instructions = before_sum;
    instructions.push(Instruction::with2(Code::Movapd_xmm_xmmm128, xmm(SUM), xmm(X)));
    instructions.push(Instruction::with2(Code::Addpd_xmm_xmmm128, xmm(SUM), xmm(ADDEND)));
    let instructions: Vec<_> = instructions.into_iter().map(|one| one.expect("the operands fit")).collect();
    let generated = Generated::sequence(&instructions, false, None);
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    let constants = Cell::new(0);
    let prepare = |machine: &mut Machine, random: &mut Random| {
        let (constant, _) = ALONE[random.below(ALONE.len())];
        for offset in (0..32).step_by(8) {
            machine.vectors[M][offset..offset + 8].copy_from_slice(&constant.to_le_bytes());
            machine.vectors[X][offset..offset + 8].copy_from_slice(&random.moderate().to_le_bytes());
        }
    };
    let expect = |before: &Before, _: &Machine, expected: &mut Expected| {
        let (x, m) = (before.shadows.vectors[X], before.shadows.vectors[M]);
        let constant = number(&before.machine.vectors[M][..8]);
        let rounds = ALONE.iter().any(|(known, rounds)| *known == constant && *rounds);
        for at in [0, 8] {
            let from = if repeats { 0 } else { at };
            let addend = &m[from..from + 8];
            expected.shadows.vectors[ADDEND][at..at + 8].copy_from_slice(addend);
            let (dot, addend) = (number(&x[at..at + 8]), number(addend));
            // An active number is no constant.
            let is_constant = rounds && addend == 0.0;
            constants.set(constants.get() + usize::from(is_constant && dot != 0.0));
            let shadow = if is_constant { 0.0 } else { dot + addend };
            let scale = dot.abs() + addend.abs();
            expected.shadows.vectors[SUM][at..at + 8].copy_from_slice(&shadow.to_le_bytes());
            expected.lanes.push(Lane { register: SUM, offset: at, content: Content::F64, shadow, scale });
        }
    };
    with_expectation(&mut harness, &mut failures, &generated, TIMES, prepare, expect);
    failures.finish(TIMES);
    assert!(constants.get() > 0, "an active number was rounded");
}

/// A block is translated when it is about to be executed: what is in its registers then is seen.
#[test]
fn rounding_by_an_addend_that_is_seen() {
    let (m, addend) = (xmm(M), xmm(4));
    check_alone(vec![Instruction::with2(Code::Movapd_xmm_xmmm128, addend, m)], false);
    check_alone(
        vec![
            Instruction::with2(Code::Movapd_xmm_xmmm128, addend, m),
            Instruction::with2(Code::Unpcklpd_xmm_xmmm128, addend, m),
        ],
        true,
    );
    check_alone(vec![Instruction::with3(Code::Pshufd_xmm_xmmm128_imm8, addend, m, 0x44u32)], true);
}

/// An active number that happens to be such a constant.
#[test]
fn a_power_of_two_is_doubled() {
    let doubled = Instruction::with2(Code::Addpd_xmm_xmmm128, xmm(M), xmm(M)).expect("the operands fit");
    let generated = Generated::sequence(&[doubled], false, None);
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    let prepare = |machine: &mut Machine, _: &mut Random| {
        for offset in [0, 8] {
            machine.vectors[M][offset..offset + 8].copy_from_slice(&(2f64.powi(52)).to_le_bytes());
        }
    };
    let expect = |before: &Before, _: &Machine, expected: &mut Expected| {
        for at in [0, 8] {
            let shadow = 2.0 * number(&before.shadows.vectors[M][at..at + 8]);
            expected.shadows.vectors[M][at..at + 8].copy_from_slice(&shadow.to_le_bytes());
            let scale = shadow.abs();
            expected.lanes.push(Lane { register: M, offset: at, content: Content::F64, shadow, scale });
        }
    };
    with_expectation(&mut harness, &mut failures, &generated, TIMES, prepare, expect);
    failures.finish(TIMES);
}

#[test]
fn rounding_of_vectors() {
    let (x, m, sum) = (xmm(X), xmm(M), xmm(SUM));
    check(
        vec![
            Instruction::with2(Code::Movapd_xmm_xmmm128, sum, x),
            Instruction::with2(Code::Addpd_xmm_xmmm128, sum, m),
            Instruction::with2(Code::Subpd_xmm_xmmm128, sum, m),
        ],
        2,
        16,
        -1.0,
    );
    // The constant is overwritten by the sum.
    check(
        vec![
            Instruction::with2(Code::Movapd_xmm_xmmm128, sum, m),
            Instruction::with2(Code::Addpd_xmm_xmmm128, sum, x),
            Instruction::with2(Code::Subpd_xmm_xmmm128, sum, m),
        ],
        2,
        16,
        -1.0,
    );
    check(
        vec![
            Instruction::with2(Code::Movapd_xmm_xmmm128, sum, x),
            Instruction::with2(Code::Addsd_xmm_xmmm64, sum, m),
            Instruction::with2(Code::Subsd_xmm_xmmm64, sum, m),
        ],
        1,
        16,
        -1.0,
    );
}

#[test]
fn rounding_of_wide_vectors() {
    let (x, m, sum) = (ymm(X), ymm(M), ymm(SUM));
    check(
        vec![
            Instruction::with3(Code::VEX_Vaddpd_ymm_ymm_ymmm256, sum, x, m),
            Instruction::with3(Code::VEX_Vsubpd_ymm_ymm_ymmm256, sum, sum, m),
        ],
        4,
        32,
        -1.0,
    );
    check(
        vec![
            Instruction::with3(Code::VEX_Vsubpd_ymm_ymm_ymmm256, sum, x, m),
            Instruction::with3(Code::VEX_Vaddpd_ymm_ymm_ymmm256, sum, m, sum),
        ],
        4,
        32,
        1.0,
    );
}
