//! Which integer instructions of a block may change the sign or the exponent of a number in memory.
//!
//! While shadows are indices, the upper half of a binary64 has none: a store there looks like that of any integer. A
//! dot value, and the index of a binary32, lose what is overwritten. To test at each store whether there is a number
//! would cost much, and find numbers that are no longer alive. So these are tested:
//! - a store of the highest one, two or four bytes of eight that the block also accesses as a whole, as unions of
//!   numbers and integers, and fields of bits, are compiled. (But a constant is for something new, unless the block
//!   has accessed the number before and leaves the rest of it, and so, for dot values, are four bytes that the block
//!   has not loaded before: two binary32 may be moved together.)
//! - a store of what was loaded from the same place and changed ([`chains`]). The shadow of one or two bytes stays with
//!   them on their way, as it is, and tells at the store that they are back.
//! - with indices also what changes but the sign and the exponent of a number that it finds in memory, by a constant,
//!   and logic on four bytes. (To a dot value that happens in the same way.)
//!
//! What becomes of the number is said by its values, see [`crate::computed`].

mod chains;

use crate::checks::OnActive;
use crate::computed::Part;
use crate::control::has_memory;
use crate::decode::Client;
use crate::memory;
use crate::proven::same_base;
use crate::translate::Translator;
use alloc::vec::Vec;
use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpKind};

/// Bytes that are tested: the lower half, where the index is, or all of a dot value.
const INDEX: usize = 4;
const DOT_VALUE: usize = 8;

/// What an instruction may do to a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    None,
    /// It writes the upper part of a number in memory.
    Writes {
        /// Is the shadow of the number, which would begin eight bytes in front of the end of the operand, to be tested?
        tests_number: bool,
        part: Part,
    },
    /// It changes such a part in a register on its way back, or moves it from its second operand to the first.
    Changes {
        is_moved: bool,
    },
    /// It changes a copy of such a part, which is put into it: the copy is passive.
    ChangesCopy,
}

impl Translator<'_> {
    /// Tests the shadow of the number whose upper part the instruction may change.
    pub(crate) fn check_upper_part(&mut self, instruction: &Instruction, on_active: OnActive) {
        if let Access::Writes { tests_number: true, .. } = self.upper_part() {
            let size = if self.job.settings.mode.has_indices() { INDEX } else { DOT_VALUE };
            let distance = 8 - instruction.memory_size().size() as i64;
            self.check_beside_operand(instruction, -distance, size, on_active);
        }
    }

    /// Tests the shadow of a part that comes back.
    pub(crate) fn check_changed_part(&mut self, instruction: &Instruction, on_active: OnActive) {
        if let Access::Writes { part: Part::Changed(_), .. } = self.upper_part() {
            self.check_general_operands(instruction, on_active);
        }
    }

    /// What the current instruction may do to the upper part of a number.
    pub(crate) fn upper_part(&self) -> Access {
        self.upper_parts.get(self.position).copied().unwrap_or(Access::None)
    }

    /// The part of a number in a register keeps its shadow, whatever is done to its bits.
    pub(crate) fn part_changes(&mut self, client: &Client, is_moved: bool) {
        let instruction = &client.instruction;
        let (target, source) = (instruction.op0_register(), instruction.op1_register());
        let is_pair = instruction.op1_kind() == OpKind::Register && source.is_gpr();
        let copies = matches!(instruction.mnemonic(), Mnemonic::Mov | Mnemonic::Movzx | Mnemonic::Movsx);
        if is_pair && source.full_register() != target.full_register() {
            let other = if is_moved { target } else { source };
            if !copies && !self.general_is_zero(other) {
                let on_active = self.instruction_site(instruction);
                self.check_place(self.slot(other), other.size(), on_active);
            }
            if is_moved && self.general_is_zero(source) {
                self.zero_general |= 1 << target.full_register().number();
            } else if is_moved {
                self.move_to_slot(instruction, target.full_register(), self.slot(source), 8);
            }
        }
        self.copy(client);
    }
}

/// What each instruction may do to the upper part of a number. As many are translated as `length` says.
pub(crate) fn find(
    info: &mut InstructionInfoFactory,
    instructions: &[Client],
    length: usize,
    has_indices: bool,
) -> Vec<Access> {
    let all = || instructions.iter().map(|client| &client.instruction);
    let mut found: Vec<Access> = all()
        .enumerate()
        .map(|(position, store)| access(instructions, position, store, has_indices))
        .collect();
    if !all().any(|instruction| chains::is_candidate(instruction, has_indices)) {
        return found;
    }
    for chain in chains::find(info, &instructions[..length], has_indices) {
        let store = &instructions[chain.store].instruction;
        let (tests_number, number) = match (number(instructions, store), found[chain.store]) {
            (0, _) => (has_indices && chain.is_certain, chain.number),
            (number, Access::Writes { tests_number, .. }) => (tests_number, number),
            (number, _) => (has_indices && chain.is_certain, number),
        };
        // Halves have shadows of their own, or none.
        let keeps_shadow = store.memory_size().size() < 4 && chain.stays;
        let part = if keeps_shadow { Part::Changed(number) } else { Part::Upper(number) };
        if keeps_shadow || tests_number {
            found[chain.store] = Access::Writes { tests_number, part };
        }
        if keeps_shadow {
            for (position, is_moved) in chain.steps {
                found[position] = Access::Changes { is_moved };
            }
            for position in chain.beside {
                found[position] = Access::ChangesCopy;
            }
        }
    }
    found
}

/// The same for one that stands alone.
fn access(instructions: &[Client], position: usize, store: &Instruction, has_indices: bool) -> Access {
    if !is_store_of_part(store) {
        return Access::None;
    }
    let earlier = || instructions[..position].iter().map(|client| &client.instruction);
    let number = number(instructions, store);
    let is_tested = has_indices && changes_sign_or_exponent(store)
        || has_whole(instructions, store, 8)
            && (!may_be_new(store, has_indices) || earlier().any(|load| is_load_of_part(load, store)))
        || replaces_half(instructions, position, store);
    if is_tested {
        return Access::Writes { tests_number: true, part: Part::Upper(8) };
    }
    let is_half = store.memory_size().size() == 4 && store.op1_kind() == OpKind::Register;
    let is_logic = matches!(store.mnemonic(), Mnemonic::And | Mnemonic::Or | Mnemonic::Xor);
    let tests_number = has_indices && is_half && is_logic;
    match store.mnemonic() {
        Mnemonic::Mov => Access::None,
        _ => Access::Writes { tests_number, part: Part::Upper(number) },
    }
}

/// Bytes of the number of which the instruction writes the upper part, if the block accesses it as a whole; else 0.
fn number(instructions: &[Client], store: &Instruction) -> u8 {
    match [4, 8].map(|size| has_whole(instructions, store, size)) {
        [true, false] => 4,
        [false, true] => 8,
        _ => 0,
    }
}

fn has_whole(instructions: &[Client], store: &Instruction, size: usize) -> bool {
    instructions.iter().any(|client| is_whole(&client.instruction, store, size))
}

/// Is it a store of a constant over the upper half of a number that was accessed before, and whose lower half stays?
fn replaces_half(instructions: &[Client], position: usize, store: &Instruction) -> bool {
    let is_constant = store.mnemonic() == Mnemonic::Mov && store.op1_kind() != OpKind::Register;
    if !is_constant || store.memory_size().size() != 4 {
        return false;
    }
    let before = &instructions[..position];
    let Some(whole) = before.iter().position(|client| is_whole(&client.instruction, store, 8)) else {
        return false;
    };
    !instructions[whole + 1..].iter().any(|client| is_lower_half(&client.instruction, store))
}

/// Is the memory operand changed by a constant in bits that are no fraction?
fn changes_sign_or_exponent(instruction: &Instruction) -> bool {
    let is_constant = instruction.op_count() == 2 && instruction.op0_kind() == OpKind::Memory;
    let Some(constant) = is_constant.then(|| instruction.try_immediate(1).ok()).flatten() else {
        return false;
    };
    let (all, fraction) = match instruction.memory_size().size() {
        1 => (0xff, 0x7f),
        2 => (0xffff, 0x000f),
        4 => (0xffff_ffff, 0xf_ffff),
        _ => return false,
    };
    let constant = constant & all;
    match instruction.mnemonic() {
        Mnemonic::And => constant & fraction == fraction && constant != all,
        Mnemonic::Or | Mnemonic::Xor | Mnemonic::Add | Mnemonic::Sub => {
            constant & fraction == 0 && constant != 0
        }
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

/// Does it access all bytes of a number of which the other writes the upper part?
fn is_whole(instruction: &Instruction, part: &Instruction, size: usize) -> bool {
    let of_part = part.memory_size().size();
    of_part < size && is_before(instruction, part, size, (size - of_part) as i64)
}

/// Does it write the lower half of a number whose upper half the other writes?
fn is_lower_half(instruction: &Instruction, half: &Instruction) -> bool {
    instruction.op0_kind() == OpKind::Memory && is_before(instruction, half, 4, 4)
}

/// Does it access so many bytes, at so large a distance in front of what the other writes?
fn is_before(instruction: &Instruction, part: &Instruction, size: usize, distance: i64) -> bool {
    if !has_memory(instruction) || instruction.memory_size().size() != size {
        return false;
    }
    let (Some(whole), Some(place)) = (memory::direct(instruction), memory::direct(part)) else {
        return false;
    };
    place.displacement - whole.displacement == distance && same_base(whole, place)
}
