//! Which points of a block may change the arithmetic flags: those behind which every flag is written before it is read.

use crate::decode::Client;
use alloc::vec::Vec;
use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind, Register, RflagsBits};

const ALL: u32 =
    RflagsBits::OF | RflagsBits::SF | RflagsBits::ZF | RflagsBits::AF | RflagsBits::CF | RflagsBits::PF;

/// For each instruction: are all flags dead before it? Nothing is assumed about code behind the block, except that no
/// flag lives across a call or return (System V ABI, section 3.2.3: flags are not preserved across calls).
pub fn dead_before(instructions: &[Client], returns_flags: bool) -> Vec<bool> {
    let mut dead = alloc::vec![false; instructions.len()];
    let mut live = ALL;
    for (k, client) in instructions.iter().enumerate().rev() {
        let instruction = &client.instruction;
        match instruction.flow_control() {
            _ if is_call_or_return(instruction) && !returns_flags => live = 0,
            FlowControl::Next => {
                live = live & !overwritten(instruction) | instruction.rflags_read() & ALL;
            }
            _ => live = ALL,
        }
        dead[k] = live == 0;
    }
    dead
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
