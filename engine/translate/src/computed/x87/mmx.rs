//! MMX registers: the lowest eight bytes of physical x87 registers. Moves and permutations move shadows; what works on
//! the bits of numbers does to shadows what it does in vector registers, and all else that is active is lost.

use super::super::bits::lanes_alone;
use super::{physical, Change, Machine, Place, NUMBER};
use crate::computed::Seen;
use crate::passive::is_write;
use crate::rules::{self, Rule};
use crate::without_rule::{is_read, is_zero_idiom};
use alloc::vec;
use alloc::vec::Vec;
use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpKind, Register};

/// Bytes of an MMX register.
const SIZE: usize = 8;

pub(in crate::computed) fn changes(instruction: &Instruction, seen: &Seen) -> Vec<Change> {
    let machine = seen.machine;
    let operand = |number: u32| place(instruction, machine, number);
    let (first, second) = (operand(0), operand(1));
    let mut changes = overwritten(instruction, machine);
    match (instruction.mnemonic(), first, second) {
        (Mnemonic::Movd, Some(to), Some(from)) => {
            changes.push(Change::Copy { to, from, size: width(instruction) })
        }
        (Mnemonic::Movq | Mnemonic::Movntq | Mnemonic::Movq2dq | Mnemonic::Movdq2q, Some(to), Some(from)) => {
            changes.push(Change::Copy { to, from, size: SIZE })
        }
        (mnemonic, Some(to), Some(from)) => match sources(mnemonic, instruction) {
            Some(sources) => changes.extend(permutation(&sources, to, from)),
            None => changes.extend(on_bits(instruction, seen)),
        },
        _ => changes.extend(on_bits(instruction, seen)),
    }
    changes
}

/// Bytes that `movd` moves.
fn width(instruction: &Instruction) -> usize {
    let wide = (0..2).any(|operand| instruction.op_register(operand).is_gpr64());
    if wide {
        8
    } else {
        4
    }
}

fn place(instruction: &Instruction, machine: &Machine, number: u32) -> Option<Place> {
    match instruction.op_kind(number) {
        OpKind::Memory => machine.address(instruction, number).map(|address| Place::Memory { address }),
        OpKind::Register => place_of(instruction.op_register(number)),
        _ => None,
    }
}

fn place_of(register: Register) -> Option<Place> {
    if register.is_mm() {
        return Some(physical(register.number()));
    }
    super::super::machine::place_of(register)
}

/// Zeros for what the instruction writes, before anything else.
fn overwritten(instruction: &Instruction, machine: &Machine) -> Vec<Change> {
    let mut factory = InstructionInfoFactory::new();
    let access = factory.info(instruction).op0_access();
    if !is_write(access) || sources(instruction.mnemonic(), instruction).is_some() {
        return Vec::new();
    }
    let Some(to) = place(instruction, machine, 0) else { return Vec::new() };
    let size = match to {
        Place::X87 { .. } => NUMBER,
        Place::General { .. } => 8,
        Place::Vector { .. } => 16,
        Place::Memory { .. } => instruction.memory_size().size(),
    };
    vec![Change::Zero { to, size }]
}

/// Logic, sums and shifts. What they do not resolve is lost.
fn on_bits(instruction: &Instruction, seen: &Seen) -> Vec<Change> {
    lanes_alone(instruction, seen).unwrap_or_else(|| lost(instruction, seen.machine))
}

/// What is read and active is lost.
fn lost(instruction: &Instruction, machine: &Machine) -> Vec<Change> {
    if is_zero_idiom(instruction) || rules::rule(instruction) == Rule::Passive {
        return Vec::new();
    }
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(instruction);
    let mut changes = Vec::new();
    for number in 0..instruction.op_count() {
        let Some(from) = place(instruction, machine, number) else { continue };
        let size = match from {
            Place::Memory { .. } => instruction.memory_size().size(),
            Place::X87 { .. } => SIZE,
            _ if instruction.mnemonic() == Mnemonic::Pinsrw => 2,
            _ => instruction.op_register(number).size(),
        };
        if is_read(info.op_access(number)) {
            changes.push(Change::Lose { from, size });
        }
    }
    changes
}

/// For each byte of the result: the operand that it comes from, and the byte there. `None`: it is no permutation.
fn sources(mnemonic: Mnemonic, instruction: &Instruction) -> Option<[(bool, usize); SIZE]> {
    let unpacked = |size: usize, start: usize| {
        core::array::from_fn(|byte| {
            let lane = byte / size;
            (lane % 2 != 0, start + lane / 2 * size + byte % size)
        })
    };
    Some(match mnemonic {
        Mnemonic::Pshufw => {
            let order = instruction.immediate8();
            core::array::from_fn(|byte| {
                let lane = usize::from(order >> (byte / 2 * 2) & 3);
                (true, 2 * lane + byte % 2)
            })
        }
        Mnemonic::Punpcklbw => unpacked(1, 0),
        Mnemonic::Punpcklwd => unpacked(2, 0),
        Mnemonic::Punpckldq => unpacked(4, 0),
        Mnemonic::Punpckhbw => unpacked(1, 4),
        Mnemonic::Punpckhwd => unpacked(2, 4),
        Mnemonic::Punpckhdq => unpacked(4, 4),
        _ => return None,
    })
}

fn permutation(sources: &[(bool, usize); SIZE], to: Place, from: Place) -> Vec<Change> {
    let mut changes = vec![Change::Zero { to: to.offset_by(SIZE), size: NUMBER - SIZE }];
    for (byte, (second, source)) in sources.iter().enumerate() {
        let origin = if *second { from } else { to };
        let (to, from) = (to.offset_by(byte), origin.offset_by(*source));
        changes.push(Change::Copy { to, from, size: 1 });
    }
    changes
}
