//! `(a & m) | (b & ~m)`: a mask from a comparison selects shadows as it selects values, and nothing is counted.

use crate::harness::compare::Expected;
use crate::harness::examine::with_expectation;
use crate::harness::generate::Generated;
use crate::harness::machine::Machine;
use crate::harness::random::Random;
use crate::harness::reference::Before;
use crate::harness::report::Failures;
use crate::harness::run::Harness;
use iced_x86::{Code, IcedError, Instruction, Register};

const TIMES: usize = 40;

/// Registers of the operands, with different orders of operands.
const A: usize = 1;
const B: usize = 2;

fn xmm(number: usize) -> Register {
    Register::XMM0 + number as u32
}

fn ymm(number: usize) -> Register {
    Register::YMM0 + number as u32
}

fn check(
    instructions: Vec<Result<Instruction, IcedError>>,
    wide: bool,
    result: usize,
    mask: usize,
    temporary: usize,
) {
    let instructions: Vec<_> = instructions.into_iter().map(|one| one.expect("the operands fit")).collect();
    let generated = Generated::sequence(&instructions, false, None);
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    let expect = |before: &Before, native: &Machine, expected: &mut Expected| {
        let bytes = if wide { 32 } else { 16 };
        for register in [mask, temporary] {
            expected.shadows.vectors[register][..if wide { 64 } else { bytes }].fill(0);
        }
        let mut shadow = before.shadows.vectors[result];
        if wide {
            shadow[bytes..].fill(0);
        }
        for offset in (0..bytes).step_by(8) {
            // The value tells which operand was selected; they differ.
            let value = &native.vectors[result][offset..offset + 8];
            let taken = if *value == before.machine.vectors[A][offset..offset + 8] { A } else { B };
            let source = &before.shadows.vectors[taken][offset..offset + 8];
            shadow[offset..offset + 8].copy_from_slice(source);
        }
        expected.shadows.vectors[result] = shadow;
    };
    with_expectation(
        &mut harness,
        &mut failures,
        &generated,
        TIMES,
        |_: &mut Machine, _: &mut Random| {},
        expect,
    );
    failures.finish(TIMES);
}

#[test]
fn legacy_selection() {
    // movapd x3, x1; cmppd x3, x2, lt; movapd x4, x1; andpd x4, x3; andnpd x3, x2; orpd x3, x4
    check(
        vec![
            Instruction::with2(Code::Movapd_xmm_xmmm128, xmm(3), xmm(A)),
            Instruction::with3(Code::Cmppd_xmm_xmmm128_imm8, xmm(3), xmm(B), 1),
            Instruction::with2(Code::Movapd_xmm_xmmm128, xmm(4), xmm(A)),
            Instruction::with2(Code::Andpd_xmm_xmmm128, xmm(4), xmm(3)),
            Instruction::with2(Code::Andnpd_xmm_xmmm128, xmm(3), xmm(B)),
            Instruction::with2(Code::Orpd_xmm_xmmm128, xmm(4), xmm(3)),
            // Only the result is looked at.
            Instruction::with2(Code::Pxor_xmm_xmmm128, xmm(3), xmm(3)),
        ],
        false,
        4,
        3,
        3,
    );
    // The mask is copied, and the result forms where it was.
    check(
        vec![
            Instruction::with2(Code::Movaps_xmm_xmmm128, xmm(3), xmm(A)),
            Instruction::with3(Code::Cmppd_xmm_xmmm128_imm8, xmm(3), xmm(B), 6),
            Instruction::with2(Code::Movdqa_xmm_xmmm128, xmm(4), xmm(3)),
            Instruction::with2(Code::Pand_xmm_xmmm128, xmm(3), xmm(A)),
            Instruction::with2(Code::Pandn_xmm_xmmm128, xmm(4), xmm(B)),
            Instruction::with2(Code::Por_xmm_xmmm128, xmm(3), xmm(4)),
            Instruction::with2(Code::Pxor_xmm_xmmm128, xmm(4), xmm(4)),
        ],
        false,
        3,
        4,
        4,
    );
}

#[test]
fn wide_selection() {
    let (a, b) = (ymm(A), ymm(B));
    for commuted in [false, true] {
        let (one, other) = if commuted { (ymm(4), ymm(5)) } else { (ymm(5), ymm(4)) };
        check(
            vec![
                Instruction::with4(Code::VEX_Vcmppd_ymm_ymm_ymmm256_imm8, ymm(3), a, b, 1),
                Instruction::with3(Code::VEX_Vandpd_ymm_ymm_ymmm256, ymm(4), ymm(3), a),
                Instruction::with3(Code::VEX_Vandnpd_ymm_ymm_ymmm256, ymm(5), ymm(3), b),
                Instruction::with3(Code::VEX_Vorpd_ymm_ymm_ymmm256, ymm(4), one, other),
                Instruction::with3(Code::VEX_Vpxor_ymm_ymm_ymmm256, ymm(5), ymm(5), ymm(5)),
            ],
            true,
            4,
            3,
            5,
        );
    }
}
