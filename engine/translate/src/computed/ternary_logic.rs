//! `vpternlog`: any function of three bits, judged by what the values of the other two operands make of it.
//!
//! As in [`crate::logic`], lanes of 32 bits are judged by themselves. Where the result has all bits of an operand but the
//! sign, its shadow is kept, and its sign changes if that of the value does; where it has none of them, the shadow is
//! dropped. Anything else is not resolved.

use super::wide::{real, Operation};
use super::{Change, Place, Seen, Term};
use crate::interface::Mode;
use crate::recording::TAG;
use crate::rules::{Lanes, Logic};
use crate::wide_operations::WideShape;
use alloc::vec::Vec;
use iced_x86::Instruction;

/// All bits of a half but the sign.
const MAGNITUDE: u32 = !(1 << 31);

/// What becomes of an operand in a lane of 32 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Dropped,
    Kept,
    Negated,
    Unclear,
}

/// A lane of an operand.
#[derive(Clone, Copy)]
struct Lane {
    from: Place,
    shadow: u64,
}

/// Logical instructions of two operands, as functions of three that leave the first out.
pub(super) fn of_two_operands(instruction: &Instruction, seen: &Seen, logic: Logic) -> Option<Vec<Change>> {
    let table = match logic {
        Logic::And => 0x88,
        Logic::AndNot => 0x22,
        Logic::Or => 0xee,
        Logic::Xor => 0x66,
    };
    changes(instruction, seen, crate::wide_logic::lane_bytes(instruction), table)
}

pub(super) fn changes(
    instruction: &Instruction,
    seen: &Seen,
    bytes: usize,
    table: u8,
) -> Option<Vec<Change>> {
    let shape = WideShape::new(instruction, bytes, Lanes::Packed);
    let operation = Operation { instruction, machine: seen.machine };
    let register = instruction.op0_register().number();
    operation.by_lanes(shape, |number| {
        let to = Place::Vector { register, byte: number * bytes };
        let mut lanes = [Lane { from: to, shadow: 0 }; 3];
        let mut values = [0; 3];
        for operand in 0..3 {
            let from = operation.place(operand as u32, number, bytes)?;
            let mut shadow = [0; 8];
            (seen.shadow)(from, &mut shadow[..bytes]);
            lanes[operand] = Lane { from, shadow: u64::from_le_bytes(shadow) };
            values[operand] = operation.bits(from, bytes)?;
        }
        let mut changes = alloc::vec![Change::Zero { to, size: bytes }];
        for (operand, lane) in lanes.into_iter().enumerate().filter(|(_, lane)| lane.shadow != 0) {
            // A register that is named twice is one operand.
            let same = lanes.map(|other| other.from == lane.from);
            if same[..operand].contains(&true) {
                continue;
            }
            let half = |high: u32| {
                let values = values.map(|value| (value >> (32 * high)) as u32);
                half(table, values, values[operand], same)
            };
            if bytes == 4 {
                changes.extend(change(half(0), to, lane.from, bytes)?);
            } else {
                changes.extend(of_64_bits([half(0), half(1)], to, lane, seen.mode)?);
            }
        }
        Some(changes)
    })
}

/// A lane of 64 bits: a binary64, or two binary32. Indices tell by their tags; dot values of either kind are moved by the
/// same bytes.
fn of_64_bits(halves: [Fate; 2], to: Place, lane: Lane, mode: Mode) -> Option<Vec<Change>> {
    let tag = u64::from(TAG);
    let is_pair = lane.shadow & (tag | tag << 32) != 0;
    let one_number = match halves {
        [Fate::Dropped, Fate::Dropped] => Some(Fate::Dropped),
        [Fate::Kept, fate @ (Fate::Kept | Fate::Negated)] => Some(fate),
        _ => None,
    };
    match one_number {
        Some(fate) if fate != Fate::Negated || !mode.has_indices() || !is_pair => {
            return change(fate, to, lane.from, 8)
        }
        None if mode.has_indices() && !is_pair => return None,
        // It may be a mantissa that is cut off.
        None if halves[0] == Fate::Dropped && !is_pair => return None,
        _ => {}
    }
    let mut changes = change(halves[0], to, lane.from, 4)?;
    changes.extend(change(halves[1], to.offset_by(4), lane.from.offset_by(4), 4)?);
    Some(changes)
}

fn change(fate: Fate, to: Place, from: Place, bytes: usize) -> Option<Vec<Change>> {
    Some(match fate {
        Fate::Dropped => Vec::new(),
        Fate::Kept => alloc::vec![Change::Copy { to, from, size: bytes }],
        Fate::Negated => {
            let terms = alloc::vec![Term { from, real: real(bytes), partial: -1.0 }];
            alloc::vec![Change::Linear { to, real: real(bytes), terms }]
        }
        Fate::Unclear => return None,
    })
}

fn half(table: u8, values: [u32; 3], value: u32, same: [bool; 3]) -> Fate {
    let result = evaluate(table, values);
    let mut inverted = values;
    for (bits, _) in inverted.iter_mut().zip(same).filter(|(_, same)| *same) {
        *bits = !*bits;
    }
    // Bits of the result that depend on the operand, and those among them that are the opposite of it.
    let depends = result ^ evaluate(table, inverted);
    let opposite = depends & (result ^ value);
    match depends & MAGNITUDE {
        0 => Fate::Dropped,
        MAGNITUDE if opposite & MAGNITUDE != 0 => Fate::Unclear,
        MAGNITUDE if (result ^ value) & !MAGNITUDE != 0 => Fate::Negated,
        MAGNITUDE => Fate::Kept,
        _ => Fate::Unclear,
    }
}

/// Bit k of the table is the result where the bits of the operands make up the number k.
fn evaluate(table: u8, [first, second, third]: [u32; 3]) -> u32 {
    let mut result = 0;
    for entry in (0..8).filter(|entry| table >> entry & 1 != 0) {
        let agrees = |value: u32, bit: u32| if entry >> bit & 1 != 0 { value } else { !value };
        result |= agrees(first, 2) & agrees(second, 1) & agrees(third, 0);
    }
    result
}
