//! Names for what places in memory hold within a block: a place keeps its name until something may be stored there.

use crate::control::has_memory;
use crate::emit::Memory;
use crate::memory;
use crate::passive::is_write;
use crate::proven::{are_disjoint, same_base};
use alloc::vec::Vec;
use iced_x86::{Instruction, InstructionInfoFactory};

/// Places that have names.
#[derive(Default)]
pub(crate) struct Places {
    named: Vec<Place>,
    next_name: u32,
}

struct Place {
    operand: Memory,
    size: usize,
    name: u32,
}

impl Places {
    /// The name of what is at a place now.
    pub fn name(&mut self, operand: Memory, size: usize) -> u32 {
        let is_same = |known: &&Place| {
            same_base(known.operand, operand)
                && known.operand.displacement == operand.displacement
                && known.size == size
        };
        if let Some(known) = self.named.iter().find(is_same) {
            return known.name;
        }
        self.next_name += 1;
        self.named.push(Place { operand, size, name: self.next_name });
        self.next_name
    }

    /// Anything may have changed.
    pub fn forget(&mut self) {
        self.named.clear();
    }

    /// Takes note of what the instruction changes.
    pub fn follow(&mut self, info: &mut InstructionInfoFactory, instruction: &Instruction) {
        if self.named.is_empty() {
            return;
        }
        let used = info.info(instruction);
        if used.used_memory().iter().any(|memory| is_write(memory.access())) {
            let size = instruction.memory_size().size();
            let is_named = has_memory(instruction) && used.used_memory().len() == 1 && size != 0;
            match memory::direct(instruction).filter(|_| is_named) {
                Some(written) => {
                    self.named.retain(|place| are_disjoint((place.operand, place.size), (written, size)));
                }
                None => self.named.clear(),
            }
        }
        for register in used.used_registers().iter().filter(|used| is_write(used.access())) {
            let changed = register.register().full_register();
            let uses = |place: &Place| {
                let registers = [place.operand.base, place.operand.index];
                registers.iter().any(|register| register.full_register() == changed)
            };
            self.named.retain(|place| !changed.is_gpr() || !uses(place));
        }
    }
}
