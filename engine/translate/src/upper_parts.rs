//! Which integer instructions of a block may change the sign or the exponent of a binary64 in memory.
//!
//! While shadows are indices, the upper half of a binary64 has none: a store there looks like that of any integer. A
//! dot value loses what is overwritten. To test at each store whether there is a number would cost much, and find
//! numbers that are no longer alive. So these are tested:
//! - a store of the highest one, two or four bytes of eight that the block also accesses as a whole, as unions of
//!   numbers and integers, and fields of bits, are compiled. (But a constant is for something new, and so, for dot
//!   values, are four bytes that the block has not loaded before: two binary32 may be moved together.)
//! - with indices also what changes but the sign and the exponent of a number that it finds in memory, by a constant.
//!   (To a dot value that happens in the same way.)
//!
//! What becomes of the number is said by its values, see [`crate::computed`].

use crate::checks::OnActive;
use crate::control::has_memory;
use crate::decode::Client;
use crate::memory;
use crate::proven::same_base;
use crate::translate::Translator;
use alloc::vec::Vec;
use iced_x86::{Instruction, Mnemonic, OpKind};

/// Bytes that are tested: the lower half, where the index is, or all of a dot value.
const INDEX: usize = 4;
const DOT_VALUE: usize = 8;

impl Translator<'_> {
    /// Tests the shadow of the number whose upper part the instruction may change.
    pub(crate) fn check_upper_part(&mut self, instruction: &Instruction, on_active: OnActive) {
        let distance = self.upper_part();
        let size = if self.job.settings.mode.has_indices() { INDEX } else { DOT_VALUE };
        if distance != 0 {
            self.check_beside_operand(instruction, -i64::from(distance), size, on_active);
        }
    }

    /// How far in front of the current operand such a number begins; 0 if there is none.
    pub(crate) fn upper_part(&self) -> u8 {
        self.upper_parts.get(self.position).copied().unwrap_or(0)
    }
}

/// For each instruction, how far in front of its operand the number would begin; 0 if it is not to be tested.
pub(crate) fn find(instructions: &[Client], has_indices: bool) -> Vec<u8> {
    let all = || instructions.iter().map(|client| &client.instruction);
    let is_tested = |position: usize, instruction: &Instruction| {
        has_indices && changes_sign_or_exponent(instruction)
            || is_store_of_part(instruction)
                && all().any(|other| is_whole(other, instruction))
                && (!may_be_new(instruction, has_indices)
                    || all().take(position).any(|earlier| is_load_of_part(earlier, instruction)))
    };
    let distance = |instruction: &Instruction| 8 - instruction.memory_size().size() as u8;
    let of =
        |(position, instruction)| if is_tested(position, instruction) { distance(instruction) } else { 0 };
    all().enumerate().map(of).collect()
}

/// Is the memory operand changed by a constant in bits that are no fraction?
fn changes_sign_or_exponent(instruction: &Instruction) -> bool {
    let is_constant = instruction.op_count() == 2 && instruction.op0_kind() == OpKind::Memory;
    let Some(constant) = is_constant.then(|| instruction.try_immediate(1).ok()).flatten() else {
        return false;
    };
    let (all, fraction, sign) = match instruction.memory_size().size() {
        1 => (0xff, 0x7f, 0x80),
        2 => (0xffff, 0x7fff, 0x8000),
        4 => (0xffff_ffff, 0xf_ffff, 0x8000_0000u64),
        _ => return false,
    };
    let constant = constant & all;
    match instruction.mnemonic() {
        Mnemonic::And => constant & fraction == fraction && constant != all,
        Mnemonic::Or | Mnemonic::Xor => constant & fraction == 0 && constant != 0,
        Mnemonic::Add | Mnemonic::Sub => constant & fraction == 0 && constant & !sign != 0,
        _ => false,
    }
}

/// Does it write as many bytes as the upper part of a number has, from a general register or a constant?
fn is_store_of_part(instruction: &Instruction) -> bool {
    use Mnemonic::{Add, And, Mov, Or, Sub, Xor};
    instruction.op_count() == 2
        && instruction.op0_kind() == OpKind::Memory
        && matches!(instruction.memory_size().size(), 1 | 2 | 4)
        && matches!(instruction.mnemonic(), Mov | And | Or | Xor | Add | Sub)
        && (instruction.op1_kind() != OpKind::Register || instruction.op1_register().is_gpr())
}

/// Is it likely that what is stored has nothing to do with what was there?
fn may_be_new(store: &Instruction, has_indices: bool) -> bool {
    let is_constant = store.op1_kind() != OpKind::Register;
    let is_half = store.memory_size().size() == 4;
    store.mnemonic() == Mnemonic::Mov && (is_constant || is_half && !has_indices)
}

/// Does it load what the other writes?
fn is_load_of_part(instruction: &Instruction, part: &Instruction) -> bool {
    if !has_memory(instruction) || instruction.op0_kind() != OpKind::Register {
        return false;
    }
    let (Some(place), Some(written)) = (memory::direct(instruction), memory::direct(part)) else {
        return false;
    };
    instruction.memory_size().size() == part.memory_size().size()
        && place.displacement == written.displacement
        && same_base(place, written)
}

/// Does it access the eight bytes of which the other writes the upper part?
fn is_whole(instruction: &Instruction, part: &Instruction) -> bool {
    if !has_memory(instruction) || instruction.memory_size().size() != 8 {
        return false;
    }
    let (Some(whole), Some(place)) = (memory::direct(instruction), memory::direct(part)) else {
        return false;
    };
    let distance = 8 - part.memory_size().size() as i64;
    place.displacement - whole.displacement == distance && same_base(whole, place)
}
