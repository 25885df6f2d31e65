//! Instructions that access memory of which no operand tells, or with an address of an unusual form.

use crate::harness::compare::Expected;
use crate::harness::examine::with_expectation;
use crate::harness::generate::Generated;
use crate::harness::machine::{word, Machine};
use crate::harness::random::Random;
use crate::harness::reference::Before;
use crate::harness::region::AREAS;
use crate::harness::report::Failures;
use crate::harness::run::Harness;
use iced_x86::{Code, Instruction, MemoryOperand, Register};

const TIMES: usize = 40;
/// Where rbp, rdi and rbx point.
const PLACE: u64 = AREAS[1] + 0x200;

fn check(instruction: Instruction, expect: impl Fn(&Before, &Machine, &mut Expected)) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    let generated = Generated::from(instruction, true, None);
    let prepare = |machine: &mut Machine, random: &mut Random| {
        machine.general[3] = PLACE;
        machine.general[5] = PLACE;
        machine.general[7] = PLACE;
        if random.once_in(2) {
            machine.general[0] &= !0x80;
        }
    };
    with_expectation(&mut harness, &mut failures, &generated, TIMES, prepare, expect);
    failures.finish(TIMES);
}

fn active(shadow: &[u8]) -> bool {
    shadow.iter().any(|byte| *byte != 0)
}

#[test]
fn leave_moves_a_shadow_to_the_frame_pointer() {
    check(Instruction::with(Code::Leaveq), |before, _, expected| {
        expected.shadows.general[5] = word(before.shadows.memory.at(PLACE, 8));
    });
    // A part of a register is counted.
    check(Instruction::with(Code::Leavew), |before, _, expected| {
        expected.counted = active(before.shadows.memory.at(PLACE, 2));
        expected.shadows.general[5] &= !0xffff;
    });
}

#[test]
fn masked_stores_by_rdi_are_counted() {
    let operands = |code, first: Register| {
        let built = match code {
            Code::Maskmovq_rDI_mm_mm => Instruction::with_maskmovq(64, first, first + 1, Register::None),
            Code::Maskmovdqu_rDI_xmm_xmm => {
                Instruction::with_maskmovdqu(64, first, first + 1, Register::None)
            }
            _ => Instruction::with_vmaskmovdqu(64, first, first + 1, Register::None),
        };
        built.expect("the operands fit")
    };
    for code in [Code::Maskmovdqu_rDI_xmm_xmm, Code::VEX_Vmaskmovdqu_rDI_xmm_xmm] {
        check(operands(code, Register::XMM4), |before, _, expected| {
            let vectors = &before.shadows.vectors;
            let place = before.shadows.memory.at(PLACE, 16);
            expected.counted = active(&vectors[4][..16]) || active(&vectors[5][..16]) || active(place);
            expected.shadows.memory.at_mut(PLACE, 16).fill(0);
        });
    }
    check(operands(Code::Maskmovq_rDI_mm_mm, Register::MM1), |before, _, expected| {
        let numbers = &before.shadows.x87;
        let place = before.shadows.memory.at(PLACE, 8);
        expected.counted = active(&numbers[1][..8]) || active(&numbers[2][..8]) || active(place);
        expected.shadows.memory.at_mut(PLACE, 8).fill(0);
    });
}

#[test]
fn a_byte_of_a_table_is_counted() {
    let table = MemoryOperand::with_base_index(Register::RBX, Register::AL);
    let xlat = Instruction::with1(Code::Xlat_m8, table).expect("the operands fit");
    check(xlat, |before, _, expected| {
        let index = before.machine.general[0] & 0xff;
        expected.counted = active(before.shadows.memory.at(PLACE + index, 1));
        expected.shadows.general[0] &= !0xff;
    });
}
