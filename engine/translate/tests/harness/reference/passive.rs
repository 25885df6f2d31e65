//! Results that are passive, and operands that are counted.

use super::{Before, Fate};
use crate::harness::compare::Expected;
use crate::harness::families::Lanes;
use crate::harness::machine::{word, Shadows};
use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

/// A result whose lanes are passive where they are computed.
pub fn passive_lanes(before: &Before, size: usize, lanes: Lanes) -> Expected {
    let mut expected = before.unchanged();
    let target = before.vector(0);
    let bytes = if lanes == Lanes::Scalar { size } else { before.instruction().op0_register().size() };
    let mut result = [0; 64];
    if lanes == Lanes::Scalar {
        result[..16].copy_from_slice(&before.shadows.vectors[before.vector(1)][..16]);
    }
    let name = format!("{:?}", before.instruction().code());
    let narrows = name.contains("pd2") && name.contains("dq_xmm") && name.contains("xmmm128");
    for offset in (0..if narrows { 8 } else { bytes }).step_by(size) {
        let place = offset..offset + size;
        result[place.clone()].fill(0);
        if before.fate(offset / size) == Fate::Kept {
            result[place.clone()].copy_from_slice(&before.shadows.vectors[target][place]);
        }
    }
    expected.shadows.vectors[target] = result;
    expected
}

/// A result whose lowest lane is passive.
pub fn passive_lane(before: &Before, size: usize) -> Expected {
    let mut expected = before.unchanged();
    let target = before.vector(0);
    let mut result = before.shadows.vectors[if before.is_legacy() { target } else { before.vector(1) }];
    before.clear_upper(&mut result, 16);
    result[..size].fill(0);
    expected.shadows.vectors[target] = result;
    expected
}

/// A result that is passive; `counted`: an active operand is.
pub fn passive(before: &Before, counted: bool) -> Expected {
    let mut expected = before.unchanged();
    let instruction = before.instruction();
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(instruction);
    // An addition that is written as an address.
    let adds = instruction.mnemonic() == Mnemonic::Lea;
    let addresses =
        if adds { [Register::None; 2] } else { [instruction.memory_base(), instruction.memory_index()] };
    let explicit = |register: Register| {
        (0..instruction.op_count()).any(|k| before.is_register(k) && instruction.op_register(k) == register)
    };
    for used in info.used_registers() {
        let register = used.register();
        let read = reads(used.access()) && (!addresses.contains(&register) || explicit(register));
        if read && !is_idiom(instruction) {
            expected.counted |= counted && is_active(before, register, bytes_read(instruction, register));
        }
        if writes(used.access()) {
            clear(&mut expected.shadows, register, before.is_legacy());
        }
    }
    let memory = (0..instruction.op_count()).find(|k| instruction.op_kind(*k) == OpKind::Memory);
    if let Some(operand) = memory {
        let (address, size) = before.generated.place.expect("a memory operand");
        let access = info.op_access(operand);
        let masked = instruction.op_mask() != Register::None;
        if reads(access) || masked && writes(access) {
            let shadow = before.shadows.memory.at(address, size);
            expected.counted |= counted && shadow.iter().any(|byte| *byte != 0);
        }
        if writes(access) {
            expected.shadows.memory.at_mut(address, size).fill(0);
        }
    }
    expected
}

/// As many bytes of a register as the instruction reads: half of them where numbers of two bytes become wider.
fn bytes_read(instruction: &Instruction, register: Register) -> usize {
    if instruction.mnemonic() == Mnemonic::Vcvtph2ps && register == instruction.op1_register() {
        instruction.code().op_code().memory_size().size()
    } else {
        register.size()
    }
}

fn is_active(before: &Before, register: Register, bytes: usize) -> bool {
    if register.is_vector_register() {
        let shadow = before.shadows.vectors[register.number()];
        return shadow[..bytes].iter().any(|byte| *byte != 0);
    }
    if register.is_mm() {
        return before.shadows.x87[register.number()][..8].iter().any(|byte| *byte != 0);
    }
    if !register.is_gpr() {
        return false;
    }
    let shadow = before.shadows.general[register.full_register().number()].to_le_bytes();
    let start = usize::from(is_high(register));
    shadow[start..start + bytes].iter().any(|byte| *byte != 0)
}

fn clear(shadows: &mut Shadows, register: Register, legacy: bool) {
    if register.is_vector_register() {
        shadows.vectors[register.number()][..if legacy { 16 } else { 64 }].fill(0);
    } else if register.is_mm() {
        shadows.x87[register.number()] = [0; 16];
    } else if register.is_gpr() {
        let number = register.full_register().number();
        let mut shadow = shadows.general[number].to_le_bytes();
        let start = usize::from(is_high(register));
        let size = if register.size() >= 4 { 8 } else { register.size() };
        shadow[start..start + size].fill(0);
        shadows.general[number] = word(&shadow);
    }
}

fn is_high(register: Register) -> bool {
    matches!(register, Register::AH | Register::BH | Register::CH | Register::DH)
}

/// Instructions whose result does not depend on their operands.
fn is_idiom(instruction: &Instruction) -> bool {
    let name = format!("{:?}", instruction.mnemonic()).to_lowercase();
    let first = instruction.op_count().saturating_sub(2);
    let same = instruction.op_count() >= 2
        && instruction.op_kind(first) == OpKind::Register
        && instruction.op_kind(first + 1) == OpKind::Register
        && instruction.op_register(first) == instruction.op_register(first + 1);
    let idioms =
        ["xor", "sub", "sbb", "psubb", "psubw", "psubd", "psubq", "vpsubb", "vpsubw", "vpsubd", "vpsubq"];
    let keeps_lanes = instruction.has_op_mask() && !instruction.zeroing_masking();
    same && !keeps_lanes && idioms.contains(&name.as_str())
}

fn reads(access: OpAccess) -> bool {
    matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

pub fn writes(access: OpAccess) -> bool {
    matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}
