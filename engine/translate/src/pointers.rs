//! Loads into general registers whose shadow need not be tested.
//!
//! A value that an address is made of, or that is jumped to, is a pointer or an index and no float; a value that is
//! overwritten unread does not matter. Both are seen by looking ahead on the fall-through path of the block. What is
//! compared on the way stays undecided: pointers are tested for null before they are used. A branch that is taken may
//! lead to where a value is read after all, but what is a pointer here is no float there.

use crate::control::has_memory;
use crate::decode::Client;
use crate::passive::is_write;
use crate::rules;
use crate::without_rule::is_read;
use alloc::vec::Vec;
use iced_x86::{FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpKind};

/// For each instruction: may it load an untested value into the general register that is its first operand?
pub(crate) fn untested_loads(info: &mut InstructionInfoFactory, instructions: &[Client]) -> Vec<bool> {
    let mut untested = alloc::vec![false; instructions.len()];
    let mut behind = Harmless::default();
    for (k, client) in instructions.iter().enumerate().rev() {
        let instruction = &client.instruction;
        match instruction.flow_control() {
            FlowControl::Next => {}
            FlowControl::ConditionalBranch => behind.unread = 0,
            _ => behind = Harmless::default(),
        }
        let target = (instruction.op_count() > 0 && instruction.op0_kind() == OpKind::Register)
            .then(|| instruction.op0_register())
            .filter(|register| register.is_gpr64());
        untested[k] = instruction.mnemonic() == Mnemonic::Mov
            && target.is_some_and(|register| behind.all() >> register.number() & 1 != 0);
        behind = before(info, instruction, behind, untested[k]);
    }
    untested
}

/// Sets of general registers, by what becomes of the values that they hold at a point.
#[derive(Clone, Copy, Default)]
struct Harmless {
    pointers: u16,
    /// Overwritten before they are read.
    unread: u16,
}

impl Harmless {
    fn all(self) -> u16 {
        self.pointers | self.unread
    }
}

/// The sets in front of an instruction, from those behind it.
fn before(
    info: &mut InstructionInfoFactory,
    instruction: &Instruction,
    behind: Harmless,
    target_harmless: bool,
) -> Harmless {
    let (mut written, mut read) = (0, 0);
    for used in info.info(instruction).used_registers() {
        let register = used.register();
        if !register.is_gpr() {
            continue;
        }
        let bit = 1u16 << register.full_register().number();
        if is_read(used.access()) {
            read |= bit;
        }
        if is_write(used.access()) {
            // A partial or conditional write keeps a part of the old value.
            let whole = register.is_gpr64() || register.is_gpr32();
            if whole && used.access() == iced_x86::OpAccess::Write {
                written |= bit;
            } else {
                read |= bit;
            }
        }
    }
    let mut address = 0;
    if has_memory(instruction) && instruction.mnemonic() != Mnemonic::Lea {
        for register in [instruction.memory_base(), instruction.memory_index()] {
            if register.is_gpr64() {
                address |= 1u16 << register.number();
            }
        }
    }
    let jumps = matches!(instruction.flow_control(), FlowControl::IndirectBranch | FlowControl::IndirectCall);
    if jumps && instruction.op0_kind() == OpKind::Register {
        address |= 1u16 << instruction.op0_register().number();
    }
    let compares = rules::rule(instruction) == rules::Rule::Passive;
    let copies = instruction.mnemonic() == Mnemonic::Mov
        && instruction.op1_kind() == OpKind::Register
        && target_harmless;
    let decided_by_reading = if compares || copies { 0 } else { read };
    Harmless {
        pointers: behind.pointers & !written & !decided_by_reading | address,
        unread: (behind.unread | written) & !decided_by_reading & !address,
    }
}
