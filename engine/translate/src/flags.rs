//! Which points of a block may change the arithmetic flags: those behind which every flag is written before it is read.

use crate::decode::Client;
use alloc::vec::Vec;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register, RflagsBits};

const ALL: u32 =
    RflagsBits::OF | RflagsBits::SF | RflagsBits::ZF | RflagsBits::AF | RflagsBits::CF | RflagsBits::PF;

/// For each instruction: are all flags dead before it? Nothing is assumed about code behind the block, except that no
/// flag lives across a call or return (System V ABI, section 3.2.3: flags are not preserved across calls).
pub fn dead_before(instructions: &[Client]) -> Vec<bool> {
    let mut dead = alloc::vec![false; instructions.len()];
    let mut live = ALL;
    for (k, client) in instructions.iter().enumerate().rev() {
        let instruction = &client.instruction;
        match instruction.flow_control() {
            _ if is_call_or_return(instruction) => live = 0,
            FlowControl::Next => {
                live = live & !overwritten(instruction) | instruction.rflags_read() & ALL;
            }
            _ => live = ALL,
        }
        dead[k] = live == 0;
    }
    dead
}

/// Are all flags dead where this code begins? Looks at no more than its first few instructions.
pub fn are_dead_at_start(code: &[u8]) -> bool {
    const MOST: usize = 24;
    let mut live = ALL;
    for instruction in Decoder::new(64, code, DecoderOptions::NONE).iter().take(MOST) {
        match instruction.flow_control() {
            _ if is_call_or_return(&instruction) => return true,
            FlowControl::Next if instruction.rflags_read() & live == 0 => {
                live &= !overwritten(&instruction);
            }
            _ => return false,
        }
        if live == 0 {
            return true;
        }
    }
    false
}

/// System calls are calls to the decoder, but they preserve flags.
fn is_call_or_return(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Call | Mnemonic::Ret)
}

/// Flags that the instruction certainly overwrites. A shift by nothing and a string comparison of nothing leave all
/// flags alone.
fn overwritten(instruction: &Instruction) -> u32 {
    let repeats = instruction.has_rep_prefix() || instruction.has_repne_prefix();
    if shifts_by_nothing(instruction) || repeats && instruction.is_string_instruction() {
        0
    } else {
        instruction.rflags_modified()
    }
}

/// Is this a shift or rotation whose number of bits may be zero?
fn shifts_by_nothing(instruction: &Instruction) -> bool {
    use Mnemonic::*;
    let shifts =
        matches!(instruction.mnemonic(), Shl | Sal | Shr | Sar | Rol | Ror | Rcl | Rcr | Shld | Shrd);
    let last = instruction.op_count().saturating_sub(1);
    let by_register = instruction.op_register(last) == Register::CL;
    let by_zero = instruction.op_kind(last) == OpKind::Immediate8 && instruction.immediate8() & 0x1f == 0;
    shifts && (by_register || by_zero)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::Assembler;
    use iced_x86::{Code, IcedError, MemoryOperand};

    fn dead_at_start(instructions: &[Result<Instruction, IcedError>]) -> bool {
        let mut asm = Assembler::new(0x1000, 0);
        for instruction in instructions {
            asm.built(instruction.clone());
        }
        are_dead_at_start(&asm.code)
    }

    fn load() -> Result<Instruction, IcedError> {
        Instruction::with2(Code::Mov_r64_rm64, Register::RAX, MemoryOperand::with_base(Register::RDI))
    }

    fn test() -> Result<Instruction, IcedError> {
        Instruction::with2(Code::Test_rm64_r64, Register::RAX, Register::RAX)
    }

    fn branch(code: Code) -> Result<Instruction, IcedError> {
        Instruction::with_branch(code, 0x1000)
    }

    #[test]
    fn flags_are_dead_where_all_are_overwritten_first() {
        assert!(dead_at_start(&[load(), test(), branch(Code::Je_rel32_64)]));
        assert!(dead_at_start(&[load(), branch(Code::Call_rel32_64)]));
        assert!(dead_at_start(&[load(), Ok(Instruction::with(Code::Retnq))]));
        // A shift writes all flags if it shifts at all; what reads them is behind the test.
        let shift = Instruction::with2(Code::Shr_rm64_CL, Register::RAX, Register::CL);
        let set = Instruction::with1(Code::Setb_rm8, Register::AL);
        assert!(dead_at_start(&[shift, test(), set]));
    }

    #[test]
    fn flags_are_live_where_one_is_read_or_may_be() {
        let increment = Instruction::with1(Code::Inc_rm64, Register::RAX);
        let add_carry = Instruction::with2(Code::Adc_rm64_r64, Register::RAX, Register::RDX);
        let shift = Instruction::with2(Code::Shr_rm64_CL, Register::RAX, Register::CL);
        // Increments leave the carry flag, shifts by nothing all flags.
        assert!(!dead_at_start(&[load(), increment, add_carry, test()]));
        assert!(!dead_at_start(&[load(), shift, branch(Code::Jb_rel32_64)]));
        assert!(!dead_at_start(&[load(), branch(Code::Jb_rel32_64)]));
        assert!(!dead_at_start(&[load(), branch(Code::Jmp_rel32_64)]));
        assert!(!dead_at_start(&[load(), Ok(Instruction::with(Code::Syscall)), test()]));
        assert!(!dead_at_start(&[load()]));
        assert!(!dead_at_start(&[]));
    }
}
