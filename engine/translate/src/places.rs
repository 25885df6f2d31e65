//! Names for what places in memory hold within a block: a place keeps its name until something may be stored there, by
//! the block or, where it has waited for another thread, by that.

use crate::atomics::synchronises;
use crate::emit::Memory;
use crate::memory;
use crate::passive::is_write;
use crate::proven::{are_disjoint, same_base};
use alloc::vec::Vec;
use iced_x86::{Instruction, InstructionInfoFactory};

/// Places that have names.
pub(crate) struct Places {
    has_threads: bool,
    named: Vec<Place>,
    next_name: u32,
}

struct Place {
    operand: Memory,
    size: usize,
    name: u32,
}

impl Places {
    pub fn new(has_threads: bool) -> Places {
        Places { has_threads, named: Vec::new(), next_name: 0 }
    }

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

    /// Takes note of what the instruction changes.
    pub fn follow(&mut self, info: &mut InstructionInfoFactory, instruction: &Instruction) {
        if synchronises(instruction, self.has_threads) {
            self.named.clear();
        }
        if self.named.is_empty() {
            return;
        }
        let used = info.info(instruction);
        if used.used_memory().iter().any(|memory| is_write(memory.access())) {
            match memory::written(instruction).filter(|_| used.used_memory().len() == 1) {
                Some(written) => {
                    self.named.retain(|place| are_disjoint((place.operand, place.size), written));
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
