//! Loads into general registers whose shadow need not be tested.
//!
//! A value that an address is made of, or that is jumped to, is a pointer or an index and no float; a value that is
//! overwritten unread does not matter. Both are seen by looking ahead on the fall-through path of the block. What is
//! compared on the way stays undecided: pointers are tested for null before they are used. A branch that is taken may
//! lead to where a value is read after all, but what is a pointer here is no float there.
//!
//! Unoptimised code makes an address of sums and multiples, whose operands are no floats either. What is masked or
//! shifted to the right may be one: fields of its bits choose the entries of tables.

use crate::control::has_memory;
use crate::decode::Client;
use crate::passive::is_write;
use crate::rules;
use crate::without_rule::is_read;
use alloc::vec::Vec;
use iced_x86::{FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpKind, Register};

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
            .filter(|register| register.is_gpr64() || register.is_gpr32());
        let is_harmless =
            target.is_some_and(|register| behind.all() >> register.full_register().number() & 1 != 0);
        let is_loaded = matches!(instruction.mnemonic(), Mnemonic::Mov | Mnemonic::Movsxd);
        untested[k] = is_loaded && is_harmless || adds_memory_to_address(instruction, behind);
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
    let used = info.info(instruction);
    // Compilers fill gaps with long instructions that name registers, whatever is in them, and do nothing.
    let accesses_memory = !used.used_memory().is_empty();
    for used in used.used_registers() {
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
    if has_memory(instruction) && accesses_memory {
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
    let makes_address =
        adds_or_multiplies(instruction) && behind.pointers >> target_of(instruction).number() & 1 != 0;
    if makes_address {
        address |= read;
    }
    let compares = rules::rule(instruction) == rules::Rule::Passive;
    let copies = instruction.mnemonic() == Mnemonic::Mov
        && instruction.op1_kind() == OpKind::Register
        && target_harmless;
    let decided_by_reading = if compares || copies || makes_address { 0 } else { read };
    Harmless {
        pointers: behind.pointers & !written & !decided_by_reading | address,
        unread: (behind.unread | written) & !decided_by_reading & !address,
    }
}

/// Is something in memory added to what becomes an address?
fn adds_memory_to_address(instruction: &Instruction, behind: Harmless) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Add | Mnemonic::Sub)
        && adds_or_multiplies(instruction)
        && instruction.op1_kind() == OpKind::Memory
        && behind.pointers >> target_of(instruction).number() & 1 != 0
}

/// Is the first operand, a register, a sum or a multiple of the others?
fn adds_or_multiplies(instruction: &Instruction) -> bool {
    use Mnemonic::{Add, Cdqe, Dec, Imul, Inc, Lea, Mov, Movsxd, Neg, Sal, Shl, Sub};
    match instruction.mnemonic() {
        Cdqe => true,
        Add | Dec | Imul | Inc | Lea | Mov | Movsxd | Neg | Sal | Shl | Sub => {
            let target = instruction.op0_register();
            instruction.op0_kind() == OpKind::Register && (target.is_gpr64() || target.is_gpr32())
        }
        _ => false,
    }
}

/// The register that such an instruction writes.
fn target_of(instruction: &Instruction) -> Register {
    if instruction.mnemonic() == Mnemonic::Cdqe {
        Register::RAX
    } else {
        instruction.op0_register().full_register()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Code, IcedError, MemoryOperand};
    use Register::{EAX, EDX, RAX, RBP, RDX};

    fn untested(instructions: &[Result<Instruction, IcedError>]) -> Vec<bool> {
        let client = |instruction: &Result<Instruction, IcedError>| Client {
            instruction: *instruction.as_ref().expect("the operands fit"),
            bytes: Default::default(),
            offsets: Default::default(),
        };
        let clients: Vec<Client> = instructions.iter().map(client).collect();
        untested_loads(&mut InstructionInfoFactory::new(), &clients)
    }

    fn variable(displacement: i64) -> MemoryOperand {
        MemoryOperand::with_base_displ(RBP, displacement)
    }

    fn access() -> Result<Instruction, IcedError> {
        Instruction::with2(Code::Movsd_xmm_xmmm64, Register::XMM0, MemoryOperand::with_base(RAX))
    }

    #[test]
    fn sums_of_an_index_and_a_pointer_are_addresses() {
        let scaled = MemoryOperand::new(Register::None, RAX, 8, 0, 8, false, Register::None);
        let found = untested(&[
            Instruction::with2(Code::Mov_r32_rm32, EAX, variable(-28)),
            Ok(Instruction::with(Code::Cdqe)),
            Instruction::with2(Code::Lea_r64_m, RDX, scaled),
            Instruction::with2(Code::Mov_r64_rm64, RAX, variable(-40)),
            Instruction::with2(Code::Add_rm64_r64, RAX, RDX),
            access(),
        ]);
        assert_eq!(found, [true, false, false, true, false, false]);
    }

    #[test]
    fn what_is_added_to_an_address_is_an_index() {
        let sum = |code| Instruction::with2(code, EAX, variable(-28));
        let scaled = MemoryOperand::new(Register::None, RAX, 8, 0, 8, false, Register::None);
        let load = || Instruction::with2(Code::Mov_r64_rm64, RDX, scaled);
        let used =
            || Instruction::with2(Code::Movsd_xmm_xmmm64, Register::XMM0, MemoryOperand::with_base(RDX));
        for code in [Code::Add_r32_rm32, Code::Sub_r32_rm32] {
            assert_eq!(untested(&[sum(code), load(), used()]), [true, true, false]);
        }
        let masked = sum(Code::And_r32_rm32);
        assert_eq!(untested(&[masked, load(), used()]), [false, true, false]);
        let stored = Instruction::with2(Code::Mov_rm32_r32, variable(-32), EAX);
        assert_eq!(untested(&[sum(Code::Add_r32_rm32), stored]), [false; 2]);
    }

    #[test]
    fn instructions_that_do_nothing_say_nothing_about_the_registers_that_they_name() {
        let address = || MemoryOperand::new(RAX, RAX, 1, 0, 0, false, Register::None);
        for filler in [Code::Nop_rm32, Code::Nop_rm64] {
            let found = untested(&[
                Instruction::with2(Code::Mov_r64_rm64, RAX, variable(-40)),
                Instruction::with1(filler, address()),
                Instruction::with2(Code::Movq_xmm_rm64, Register::XMM0, RAX),
            ]);
            assert_eq!(found, [false; 3]);
        }
    }

    #[test]
    fn fields_of_bits_may_be_those_of_floats() {
        let found = untested(&[
            Instruction::with2(Code::Mov_r32_rm32, EAX, variable(-28)),
            Instruction::with2(Code::And_rm32_imm8, EAX, 63),
            Instruction::with2(Code::Mov_r32_rm32, EDX, variable(-32)),
            Instruction::with2(Code::Shr_rm32_imm8, EDX, 20u32),
            Instruction::with2(Code::Add_rm64_r64, RAX, RDX),
            access(),
        ]);
        assert_eq!(found, [false; 6]);
    }

    #[test]
    fn what_is_stored_as_well_is_tested() {
        let found = untested(&[
            Instruction::with2(Code::Mov_r64_rm64, RAX, variable(-40)),
            Instruction::with2(Code::Mov_rm64_r64, variable(-48), RAX),
        ]);
        assert_eq!(found, [false; 2]);
    }
}
