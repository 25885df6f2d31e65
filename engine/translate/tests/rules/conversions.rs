//! Conversions of an integer: the result is passive, the other lanes keep their shadows, and an integer that is the
//! bits of an active number is counted.

use crate::harness::compare::Expected;
use crate::harness::examine::with_expectation;
use crate::harness::generate::Generated;
use crate::harness::machine::Machine;
use crate::harness::random::Random;
use crate::harness::reference::Before;
use crate::harness::region::AREAS;
use crate::harness::report::Failures;
use crate::harness::run::Harness;
use iced_x86::{Code, EncodingKind, Instruction, MemoryOperand, Register};

const TIMES: usize = 40;
const PLACE: u64 = AREAS[1] + 0x200;

#[test]
fn conversions_of_integers_are_passive() {
    use Code::*;
    let codes = [
        (Cvtsi2sd_xmm_rm32, 4, 8),
        (Cvtsi2sd_xmm_rm64, 8, 8),
        (Cvtsi2ss_xmm_rm32, 4, 4),
        (Cvtsi2ss_xmm_rm64, 8, 4),
        (VEX_Vcvtsi2sd_xmm_xmm_rm32, 4, 8),
        (VEX_Vcvtsi2sd_xmm_xmm_rm64, 8, 8),
        (VEX_Vcvtsi2ss_xmm_xmm_rm64, 8, 4),
    ];
    for (code, from, to) in codes {
        check(code, from, to, false);
        check(code, from, to, true);
    }
}

fn built(code: Code, from: usize, memory: bool) -> Instruction {
    let source = if from == 8 { Register::RDX } else { Register::EDX };
    let place = MemoryOperand::with_base(Register::RBX);
    let (target, first) = (Register::XMM1, Register::XMM6);
    let built = match (code.op_code().encoding(), memory) {
        (EncodingKind::Legacy, false) => Instruction::with2(code, target, source),
        (EncodingKind::Legacy, true) => Instruction::with2(code, target, place),
        (_, false) => Instruction::with3(code, target, first, source),
        (_, true) => Instruction::with3(code, target, first, place),
    };
    built.expect("the operands fit")
}

fn check(code: Code, from: usize, to: usize, memory: bool) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    let generated = Generated::from(built(code, from, memory), true, None);
    let legacy = code.op_code().encoding() == EncodingKind::Legacy;
    let prepare = |machine: &mut Machine, _: &mut Random| machine.general[3] = PLACE;
    let expect = |before: &Before, _: &Machine, expected: &mut Expected| {
        let register = before.shadows.general[2].to_le_bytes();
        let shadow = if memory { before.shadows.memory.at(PLACE, from) } else { &register[..from] };
        expected.counted = shadow.iter().any(|byte| *byte != 0);
        let mut result = before.shadows.vectors[if legacy { 1 } else { 6 }];
        result[..to].fill(0);
        if !legacy {
            result[16..].fill(0);
        }
        expected.shadows.vectors[1] = result;
    };
    with_expectation(&mut harness, &mut failures, &generated, TIMES, prepare, expect);
    failures.finish(TIMES);
}
