//! One test for several vector loads of a passive block.
//!
//! The inner loop of a matrix product loads as often as it multiplies. The shadows of loads that certainly follow, at
//! addresses that are known already up to a constant, are combined and tested at the first of them; what failed can be
//! run again from there. Needs homes in registers, which in a passive block are all free.

use crate::checks::OnActive;
use crate::control::has_memory;
use crate::decode::Client;
use crate::emit::{ymm, Memory, Operand};
use crate::encodings::{self, Form, Shape, Width};
use crate::memory;
use crate::passive::{active_state, is_write};
use crate::proven::{self, same_base};
use crate::rules::{self, Element};
use crate::translate::Translator;
use crate::without_rule::is_read;
use alloc::vec::Vec;
use iced_x86::{Code, FlowControl, Instruction, Register};

/// The loads to be tested with the first of them.
pub(crate) type Group = Vec<(Memory, usize)>;

/// Loads that one test may cover.
const MOST: usize = 48;
/// Registers that serve as accumulator and as temporary.
const ACCUMULATOR: usize = 31;
const LOADED: usize = 30;

/// The same bytes with neighbours joined.
fn joined(group: &Group) -> Group {
    let mut joined: Group = Vec::new();
    let mut sorted = group.clone();
    sorted.sort_by_key(|(operand, _)| operand.displacement);
    for (operand, size) in sorted {
        let neighbour = joined.iter_mut().find(|(known, known_size)| {
            let distance = operand.displacement - known.displacement;
            same_base(*known, operand) && distance <= *known_size as i64
        });
        match neighbour {
            Some((known, known_size)) => {
                let end = (operand.displacement - known.displacement) as usize + size;
                *known_size = end.max(*known_size);
            }
            None => joined.push((operand, size)),
        }
    }
    joined
}

/// The same bytes, split into sizes of loads.
fn pieces(group: &Group) -> Group {
    let mut pieces = Vec::new();
    for (operand, size) in group {
        let mut at = 0;
        while at < *size {
            let width = [32, 16, 8, 4].into_iter().find(|width| size - at >= *width).unwrap_or(4);
            pieces.push((operand.offset_by(at as i64), width));
            at += width;
        }
    }
    pieces
}

/// What instructions did to general registers since the start of a group.
#[derive(Clone, Copy, Default)]
struct Changes {
    /// Registers with new values.
    unknown: u16,
    /// What was added to the others.
    distance: [i64; 16],
}

impl Changes {
    /// The operand as it would have been at the start of the group; `None` if that is not known.
    fn undo(&self, mut operand: Memory) -> Option<Memory> {
        let mut registers = alloc::vec![operand.base, operand.index];
        registers.dedup();
        for register in registers.into_iter().filter(|register| *register != Register::None) {
            let number = register.full_register().number();
            if self.unknown >> number & 1 != 0 {
                return None;
            }
            operand = proven::moved(operand, register, -self.distance[number])?;
        }
        Some(operand)
    }

    fn step(&mut self, register: Register, distance: i64) {
        let sum = &mut self.distance[register.number()];
        match sum.checked_add(distance) {
            Some(new) => *sum = new,
            None => self.unknown |= 1 << register.number(),
        }
    }
}

impl Translator<'_> {
    /// By instruction: the group of loads that starts there; empty for all others.
    pub(crate) fn load_groups(&mut self, instructions: &[Client]) -> Vec<Group> {
        let mut groups: Vec<Group> = instructions.iter().map(|_| Vec::new()).collect();
        let mut start = 0;
        let mut changes = Changes::default();
        for (k, client) in instructions.iter().enumerate() {
            let instruction = &client.instruction;
            if let Some((operand, size)) = self.vector_access(instruction) {
                let continued = changes.undo(operand).filter(|_| (1..MOST).contains(&groups[start].len()));
                if continued.is_none() {
                    start = k;
                    changes = Changes::default();
                }
                groups[start].push((continued.unwrap_or(operand), size));
            }
            match proven::step(instruction) {
                Some((register, distance)) => changes.step(register, distance),
                None => changes.unknown |= self.writes_general(instruction),
            }
            if instruction.flow_control() != FlowControl::Next && k + 1 < instructions.len() {
                // What follows is not certain to be executed.
                start = k + 1;
                changes = Changes::default();
            }
        }
        groups
    }

    /// Operand and size of an access that is worth a place in a group.
    fn vector_access(&mut self, instruction: &Instruction) -> Option<(Memory, usize)> {
        let size = instruction.memory_size().size();
        if !has_memory(instruction) || ![4, 8, 16, 32].contains(&size) {
            return None;
        }
        let operand = memory::direct(instruction)?;
        let access = self.memory_access(instruction);
        let stores = is_write(access) && size >= 16 && instruction.op1_register().is_vector_register();
        let loads = is_read(access)
            && instruction.op0_register().is_vector_register()
            && !rules::is_passive_by_nature(instruction)
            && !self.is_passive_memory(instruction);
        (stores || loads).then_some((operand, size))
    }

    /// Tests a group at its first load.
    pub(crate) fn check_group(&mut self, instruction: &Instruction, group: &Group) {
        let bytes: usize = group.iter().map(|(_, size)| size).sum();
        if bytes < 32 {
            return;
        }
        let joined = joined(group);
        for (k, (operand, size)) in pieces(&joined).into_iter().enumerate() {
            self.accumulate_shadow(operand.shadow(), size, k == 0);
        }
        let shape = Shape { element: Element::F64, width: Width::L256 };
        self.mask_active(shape, Register::K4, ACCUMULATOR);
        self.count_mask(OnActive::Leave(instruction.ip(), active_state(false)));
        for (operand, size) in joined {
            self.proven.add(operand, size);
        }
    }

    fn accumulate_shadow(&mut self, place: Memory, size: usize, first: bool) {
        let element = if size == 4 { Element::F32 } else { Element::F64 };
        let width = match size {
            32 => Width::L256,
            16 => Width::L128,
            _ => Width::Scalar,
        };
        let shape = Shape { element, width };
        if first {
            encodings::load(&mut self.asm, shape, Form::Evex, ACCUMULATOR, place);
            return;
        }
        let accumulator = ymm(ACCUMULATOR);
        let wide = Code::EVEX_Vporq_ymm_k1z_ymm_ymmm256b64;
        match size {
            32 => self.asm.ternary(wide, accumulator, accumulator, Operand::Memory(place)),
            16 => {
                encodings::load(&mut self.asm, shape, Form::Evex, LOADED, place);
                self.asm.ternary(wide, accumulator, accumulator, Operand::Register(ymm(LOADED)));
            }
            _ => {
                let narrow = Code::EVEX_Vpord_ymm_k1z_ymm_ymmm256b32;
                let code = if size == 8 { wide } else { narrow };
                let repeated = Instruction::with3(code, accumulator, accumulator, place.operand());
                self.asm.built(repeated.map(|mut instruction| {
                    instruction.set_is_broadcast(true);
                    instruction
                }));
            }
        }
    }
}
