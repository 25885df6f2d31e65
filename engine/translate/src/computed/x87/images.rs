//! Images of the x87 state in memory: shadows of numbers travel in the shadow of the image, in the order of the stack.
//!
//! Layout (Intel SDM volume 1, figures 8-9 to 8-12 and section 10.5.1): `fnsave` stores an environment of 28 bytes,
//! or 14 with an operand-size prefix, and numbers of 10 bytes behind it; `fxsave` and `xsave` store numbers in 16
//! bytes each from offset 32 on. The status word, which tells the top of the stack, follows the control word, which
//! has two bytes or four.

use super::{copy, physical, zero, Change, Machine, Place, NUMBER, REGISTERS};
use crate::rules::{self, Rule};
use alloc::vec::Vec;
use iced_x86::Instruction;

/// Where an image has what.
struct Layout {
    status: u64,
    numbers: u64,
    distance: u64,
    size: usize,
}

const EXTENDED_STATE: Layout = Layout { status: 2, numbers: 32, distance: 16, size: 160 };

/// Component of the x87 state in `xsave`'s mask, and where the image tells which components it has.
const COMPONENT: u64 = 1;
const PRESENT: u64 = 512;

fn layout(instruction: &Instruction) -> Layout {
    let size = instruction.memory_size().size();
    let (status, numbers) = if size == 94 { (2, 14) } else { (4, 28) };
    Layout { status, numbers, distance: NUMBER as u64, size }
}

fn top(status: [u8; 2]) -> usize {
    usize::from(u16::from_le_bytes(status) >> 11 & 7)
}

/// Shadows of numbers to the image at `address`, and zeros around them.
fn store(machine: &Machine, address: u64, layout: &Layout) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut start = 0;
    while start < layout.size {
        let size = (layout.size - start).min(64);
        changes.push(Change::Zero { to: Place::Memory { address: address + start as u64 }, size });
        start += size;
    }
    for number in 0..REGISTERS {
        let place = address + layout.numbers + layout.distance * number as u64;
        changes.push(copy(Place::Memory { address: place }, physical(machine.x87.top() + number)));
    }
    changes
}

/// Shadows of numbers from the image.
fn load(machine: &Machine, address: u64, layout: &Layout) -> Vec<Change> {
    let mut status = [0; 2];
    if !(machine.read)(address + layout.status, &mut status) {
        return Vec::new();
    }
    let place = |number: usize| address + layout.numbers + layout.distance * number as u64;
    let moved = |number| copy(physical(top(status) + number), Place::Memory { address: place(number) });
    (0..REGISTERS).map(moved).collect()
}

fn clear() -> Vec<Change> {
    (0..REGISTERS).map(|register| zero(physical(register))).collect()
}

/// `fnsave` leaves an empty stack.
pub(super) fn saved_alone(instruction: &Instruction, machine: &Machine) -> Vec<Change> {
    let Some(address) = machine.address(instruction, 0) else { return Vec::new() };
    let mut changes = store(machine, address, &layout(instruction));
    changes.extend(clear());
    changes
}

pub(super) fn restored_alone(instruction: &Instruction, machine: &Machine) -> Vec<Change> {
    let Some(address) = machine.address(instruction, 0) else { return Vec::new() };
    load(machine, address, &layout(instruction))
}

/// Does the instruction save or restore the x87 component?
fn is_wanted(instruction: &Instruction, machine: &Machine) -> bool {
    !crate::saved_states::has_component_mask(instruction) || machine.general[0] & COMPONENT != 0
}

/// What `fxsave`, `xsave` and their kin do to the shadows of x87 numbers, and to nothing else.
pub(in crate::computed) fn saved(instruction: &Instruction, machine: &Machine) -> Vec<Change> {
    debug_assert_eq!(rules::rule(instruction), Rule::SaveState);
    match machine.address(instruction, 0) {
        Some(address) if is_wanted(instruction, machine) => store(machine, address, &EXTENDED_STATE),
        _ => Vec::new(),
    }
}

/// The same for their inverses.
pub(in crate::computed) fn restored(instruction: &Instruction, machine: &Machine) -> Vec<Change> {
    let Some(address) = machine.address(instruction, 0) else { return Vec::new() };
    if !is_wanted(instruction, machine) {
        return Vec::new();
    }
    if crate::saved_states::has_component_mask(instruction) {
        let mut present = [0; 8];
        if (machine.read)(address + PRESENT, &mut present) && u64::from_le_bytes(present) & COMPONENT == 0 {
            return clear();
        }
    }
    load(machine, address, &EXTENDED_STATE)
}
