//! Variables at fixed addresses, of which most are never active.
//!
//! A passive block does not test the shadow of such a variable, nor writes zero to it, if all of the page of shadow
//! memory is zero. The block names the page, and the engine sees to it that the block is not executed any more when
//! something active is written there. Active blocks test everything, because they are what writes.

use crate::context::SHADOW_OFFSET;
use crate::control::has_memory;
use crate::interface::Entry;
use crate::translate::{Level, Translator};
use alloc::vec::Vec;
use iced_x86::{Instruction, Register};

const PAGE: u64 = 4096;

/// Pages that the block has asked about, and whether it relies on them. The answer may not change within a block.
#[derive(Default)]
pub(crate) struct PassivePages(Vec<(u64, bool)>);

impl PassivePages {
    pub fn relied_on(self) -> Vec<u64> {
        self.0.into_iter().filter(|(_, relies)| *relies).map(|(page, _)| page).collect()
    }
}

impl Translator<'_> {
    /// Is the memory operand a variable at a fixed address, and zero is its shadow while this block exists?
    pub(crate) fn is_on_passive_page(&mut self, instruction: &Instruction) -> bool {
        if self.level != Level::Passive {
            return false;
        }
        let Some(address) = fixed_address(instruction) else { return false };
        let first = address.wrapping_add(SHADOW_OFFSET);
        let last = first.wrapping_add(instruction.memory_size().size().max(1) as u64 - 1);
        self.relies_on(first & !(PAGE - 1)) && self.relies_on(last & !(PAGE - 1))
    }

    fn relies_on(&mut self, page: u64) -> bool {
        if let Some((_, relies)) = self.passive_pages.0.iter().find(|(known, _)| *known == page) {
            return *relies;
        }
        let relies = match self.job.entry {
            Entry::Again { passive_pages, .. } => passive_pages.contains(&page),
            _ => self.client.is_zero_page(page),
        };
        self.passive_pages.0.push((page, relies));
        relies
    }
}

fn fixed_address(instruction: &Instruction) -> Option<u64> {
    let is_fixed = has_memory(instruction)
        && !matches!(instruction.memory_segment(), Register::FS | Register::GS)
        && instruction.memory_index() == Register::None
        && matches!(instruction.memory_base(), Register::None | Register::RIP);
    // For both kinds the displacement is the address.
    is_fixed.then(|| instruction.memory_displacement64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Code, MemoryOperand};

    fn address(memory: MemoryOperand) -> Option<u64> {
        let instruction = Instruction::with2(Code::Mov_r64_rm64, Register::RAX, memory);
        fixed_address(&instruction.expect("the operands fit"))
    }

    #[test]
    fn fixed_addresses() {
        let absolute =
            |segment| MemoryOperand::new(Register::None, Register::None, 1, 0x60_1000, 4, false, segment);
        assert_eq!(address(absolute(Register::None)), Some(0x60_1000));
        assert_eq!(address(absolute(Register::FS)), None);
        assert_eq!(
            address(MemoryOperand::with_base_displ(Register::RIP, 0x7fff_f7dd_1234)),
            Some(0x7fff_f7dd_1234)
        );
        assert_eq!(address(MemoryOperand::with_base_displ(Register::RBX, 0x60_1000)), None);
        let indexed =
            MemoryOperand::new(Register::None, Register::RAX, 8, 0x60_1000, 4, false, Register::None);
        assert_eq!(address(indexed), None);
    }
}
