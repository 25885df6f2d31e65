//! Instructions that transfer control: where they lead, what they push, and the state they leave with.

use crate::harness::compare::Expected;
use crate::harness::examine::with_expectation;
use crate::harness::generate::Generated;
use crate::harness::machine::Machine;
use crate::harness::random::Random;
use crate::harness::reference::Before;
use crate::harness::region::{AREAS, CLIENT_CODE, STACK_POINTER};
use crate::harness::report::Failures;
use crate::harness::run::Harness;
use iced_x86::{Code, Instruction, MemoryOperand, Register};

const TIMES: usize = 40;
const PLACE: u64 = AREAS[0] + 0x200;

/// Runs a branch to the end of the program.
fn check(
    instruction: Instruction,
    prepare: impl Fn(&mut Machine, u64),
    expect: impl Fn(&Before, &mut Expected),
) {
    for far in [false, true] {
        let generated = Generated::from(instruction, far, None);
        let end = CLIENT_CODE[usize::from(far)] + generated.bytes.len() as u64;
        let mut harness = Harness::lock();
        let mut failures = Failures::default();
        let prepare = |machine: &mut Machine, _: &mut Random| prepare(machine, end);
        let expect = |before: &Before, _: &Machine, expected: &mut Expected| expect(before, expected);
        with_expectation(&mut harness, &mut failures, &generated, TIMES, prepare, expect);
        failures.finish(TIMES);
    }
}

fn store(machine: &mut Machine, address: u64, value: u64) {
    machine.memory.at_mut(address, 8).copy_from_slice(&value.to_le_bytes());
}

/// A return address is passive.
fn pushes(_: &Before, expected: &mut Expected) {
    expected.shadows.memory.at_mut(STACK_POINTER - 8, 8).fill(0);
}

fn nothing(_: &Before, _: &mut Expected) {}

#[test]
fn returns_go_to_what_they_pop() {
    let prepare = |machine: &mut Machine, end: u64| store(machine, STACK_POINTER, end);
    check(Instruction::with(Code::Retnq), prepare, nothing);
    check(Instruction::with1(Code::Retnq_imm16, 24).expect("an immediate"), prepare, nothing);
}

#[test]
fn indirect_jumps_go_to_registers_and_memory() {
    for register in [Register::RAX, Register::RCX, Register::RDX, Register::R12] {
        let jump = Instruction::with1(Code::Jmp_rm64, register).expect("a register");
        check(jump, |machine, end| machine.general[register.number()] = end, nothing);
    }
    for base in [Register::RCX, Register::RDX, Register::RBX, Register::RSP] {
        let operand = MemoryOperand::with_base_displ(base, 16);
        let jump = Instruction::with1(Code::Jmp_rm64, operand).expect("an operand");
        let place = if base == Register::RSP { STACK_POINTER } else { PLACE };
        let prepare = |machine: &mut Machine, end: u64| {
            machine.general[base.number()] = place;
            store(machine, place + 16, end);
        };
        check(jump, prepare, nothing);
    }
}

#[test]
fn indirect_calls_push_a_passive_return_address() {
    for register in [Register::RAX, Register::RCX, Register::RDX] {
        let call = Instruction::with1(Code::Call_rm64, register).expect("a register");
        check(call, |machine, end| machine.general[register.number()] = end, pushes);
    }
    let operand = MemoryOperand::with_base_displ(Register::RSP, 16);
    let call = Instruction::with1(Code::Call_rm64, operand).expect("an operand");
    check(call, |machine, end| store(machine, STACK_POINTER + 16, end), pushes);
    let operand = MemoryOperand::new(Register::None, Register::None, 1, 0x10, 8, false, Register::FS);
    let call = Instruction::with1(Code::Call_rm64, operand).expect("an operand");
    check(call, |machine, end| store(machine, crate::harness::region::FS_BASE + 0x10, end), pushes);
}

#[test]
fn direct_calls_push_a_passive_return_address() {
    for far in [false, true] {
        let start = CLIENT_CODE[usize::from(far)];
        let call = Instruction::with_branch(Code::Call_rel32_64, start + 5).expect("a branch");
        let generated = Generated::from(call, far, None);
        let mut harness = Harness::lock();
        let mut failures = Failures::default();
        let expect = |before: &Before, _: &Machine, expected: &mut Expected| pushes(before, expected);
        with_expectation(&mut harness, &mut failures, &generated, TIMES, |_, _| {}, expect);
        failures.finish(TIMES);
    }
}
