//! MMX registers: their shadows are those of the x87 registers that they are a part of.

use crate::harness::compare::Expected;
use crate::harness::examine::with_expectation;
use crate::harness::generate::Generated;
use crate::harness::machine::Machine;
use crate::harness::random::Random;
use crate::harness::reference::Before;
use crate::harness::region::AREAS;
use crate::harness::report::Failures;
use crate::harness::run::Harness;
use iced_x86::{Code, Instruction, MemoryOperand, Register};

const TIMES: usize = 40;
const PLACE: u64 = AREAS[0] + 0x100;

fn check(
    harness: &mut Harness,
    failures: &mut Failures,
    instruction: Instruction,
    expect: impl Fn(&Before, &Machine, &mut Expected),
) {
    let mut generated = Generated::from(instruction, false, Some((PLACE, 8)));
    generated.addresses.push((3, PLACE));
    let prepare = |machine: &mut Machine, random: &mut Random| {
        machine.x87[3] = (random.below(8) << 3) as u8;
        machine.x87[4] = 0xff;
        machine.general[3] = PLACE;
    };
    with_expectation(harness, failures, &generated, TIMES, prepare, expect);
}

fn with(code: Code, first: Register, second: Register) -> Instruction {
    Instruction::with2(code, first, second).expect("the operands fit")
}

fn place() -> MemoryOperand {
    MemoryOperand::with_base(Register::RBX)
}

fn number(shadow: &[u8]) -> [u8; 16] {
    let mut whole = [0; 16];
    whole[..shadow.len()].copy_from_slice(shadow);
    whole
}

#[test]
fn moves_and_permutations_of_mmx_registers_move_shadows() {
    use Register::{EAX, MM2, MM5, RAX, XMM4};
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    let mut check = |instruction, expect: &dyn Fn(&Before, &mut Expected)| {
        check(&mut harness, &mut failures, instruction, |before, _, expected| expect(before, expected));
    };
    check(with(Code::Movq_mm_mmm64, MM2, MM5), &|before, expected| {
        expected.shadows.x87[2] = number(&before.shadows.x87[5][..8]);
    });
    let load = Instruction::with2(Code::Movq_mm_mmm64, MM2, place()).expect("the operands fit");
    check(load, &|before, expected| {
        expected.shadows.x87[2] = number(before.shadows.memory.at(PLACE, 8));
    });
    for code in [Code::Movq_mmm64_mm, Code::Movntq_m64_mm] {
        let store = Instruction::with2(code, place(), MM5).expect("the operands fit");
        check(store, &|before, expected| {
            expected.shadows.memory.at_mut(PLACE, 8).copy_from_slice(&before.shadows.x87[5][..8]);
        });
    }
    check(with(Code::Movq_mm_rm64, MM2, RAX), &|before, expected| {
        expected.shadows.x87[2] = number(&before.shadows.general[0].to_le_bytes());
    });
    check(with(Code::Movd_mm_rm32, MM2, EAX), &|before, expected| {
        expected.shadows.x87[2] = number(&before.shadows.general[0].to_le_bytes()[..4]);
    });
    let word = |shadow: &[u8; 16]| u64::from_le_bytes(std::array::from_fn(|byte| shadow[byte]));
    check(with(Code::Movq_rm64_mm, RAX, MM5), &|before, expected| {
        expected.shadows.general[0] = word(&before.shadows.x87[5]);
    });
    check(with(Code::Movd_rm32_mm, EAX, MM5), &|before, expected| {
        expected.shadows.general[0] = word(&before.shadows.x87[5]) & 0xffff_ffff;
    });
    check(with(Code::Movq2dq_xmm_mm, XMM4, MM5), &|before, expected| {
        expected.shadows.vectors[4][..16].fill(0);
        expected.shadows.vectors[4][..8].copy_from_slice(&before.shadows.x87[5][..8]);
    });
    check(with(Code::Movdq2q_mm_xmm, MM2, XMM4), &|before, expected| {
        expected.shadows.x87[2] = number(&before.shadows.vectors[4][..8]);
    });
    let shuffle = Instruction::with3(Code::Pshufw_mm_mmm64_imm8, MM2, MM5, 0b01_11_00_10).expect("it fits");
    check(shuffle, &|before, expected| {
        let from = before.shadows.x87[5];
        expected.shadows.x87[2] =
            number(&[from[4], from[5], from[0], from[1], from[6], from[7], from[2], from[3]]);
    });
    for (code, size, start) in [
        (Code::Punpcklbw_mm_mmm32, 1, 0),
        (Code::Punpcklwd_mm_mmm32, 2, 0),
        (Code::Punpckldq_mm_mmm32, 4, 0),
        (Code::Punpckhbw_mm_mmm64, 1, 4),
        (Code::Punpckhwd_mm_mmm64, 2, 4),
        (Code::Punpckhdq_mm_mmm64, 4, 4),
    ] {
        check(with(code, MM2, MM5), &|before, expected| {
            let halves = [before.shadows.x87[2], before.shadows.x87[5]];
            let lanes = (0..4 / size)
                .flat_map(|lane| halves.map(|half| half[start + lane * size..][..size].to_vec()));
            expected.shadows.x87[2] = number(&lanes.flatten().collect::<Vec<_>>());
        });
    }
    failures.finish(15 * TIMES);
}

#[test]
fn emms_clears_shadows() {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    for code in [Code::Emms, Code::Fninit] {
        check(&mut harness, &mut failures, Instruction::with(code), |_, _, expected| {
            expected.shadows.x87 = [[0; 16]; 8];
        });
    }
    failures.finish(2 * TIMES);
}
