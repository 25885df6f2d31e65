//! Names for the contents of client vector registers within a block: copies share a name, every write makes a new one.

use crate::encodings::{Shape, Width};
use crate::evex_copies;
use crate::passive::is_write;
use crate::rules::{self, Rule};
use iced_x86::{EncodingKind, Instruction, InstructionInfoFactory};

/// Registers whose contents have names.
const REGISTERS: usize = 16;

/// A part of a register, from bit 0 on: a copy of 128 bits need not be one of 256.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Low = 0,
    Whole = 1,
}

impl Part {
    fn of(shape: Shape) -> Part {
        if shape.width == Width::L256 {
            Part::Whole
        } else {
            Part::Low
        }
    }
}

pub(crate) struct Contents {
    /// By part and register.
    names: [[u32; REGISTERS]; 2],
    next_name: u32,
}

impl Default for Contents {
    fn default() -> Contents {
        let first = core::array::from_fn(|number| number as u32);
        let names = [first, first.map(|name| name + REGISTERS as u32)];
        Contents { names, next_name: 2 * REGISTERS as u32 }
    }
}

impl Contents {
    /// The name of what an operand of this shape reads of the register.
    pub fn name(&self, shape: Shape, number: usize) -> Option<u32> {
        self.names[Part::of(shape) as usize].get(number).copied()
    }

    /// Takes note of what the instruction does to registers.
    pub fn follow(&mut self, info: &mut InstructionInfoFactory, instruction: &Instruction) {
        if evex_copies::copies_register(instruction) && instruction.encoding() != EncodingKind::EVEX {
            let (to, from) = (instruction.op0_register(), instruction.op1_register());
            let part = if to.is_ymm() { Part::Whole } else { Part::Low };
            self.copied(to.number(), from.number(), part);
            return;
        }
        if matches!(rules::rule(instruction), Rule::RestoreState | Rule::ZeroUpper | Rule::ZeroAll) {
            (0..REGISTERS).for_each(|number| self.written(number));
            return;
        }
        for used in info.info(instruction).used_registers() {
            if used.register().is_vector_register() && is_write(used.access()) {
                self.written(used.register().number());
            }
        }
    }

    pub fn written(&mut self, number: usize) {
        for names in &mut self.names {
            if let Some(name) = names.get_mut(number) {
                *name = self.next_name;
                self.next_name += 1;
            }
        }
    }

    pub fn copied(&mut self, to: usize, from: usize, part: Part) {
        self.written(to);
        for names in &mut self.names[..=part as usize] {
            if let (Some(name), true) = (names.get(from).copied(), to < REGISTERS) {
                names[to] = name;
            }
        }
    }
}
