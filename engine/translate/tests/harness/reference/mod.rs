//! Shadows as they should be: dual numbers for arithmetic, the instruction itself for copies.

mod dual_numbers;
mod passive;
mod room;

use super::compare::{number, Expected};
use super::families::{Lanes, Logic};
use super::generate::{nth, Generated};
use super::machine::{Machine, Shadows};
use super::region::{self, REFERENCE};
use super::run::{Harness, Program};
use super::values::Content;
use derivgrind_translate::state::State;
pub use dual_numbers::{arithmetic, dot_product, paused};
use iced_x86::{
    Encoder, EncodingKind, Instruction, InstructionInfoFactory, OpKind, Register, RoundingControl,
};
pub use passive::{passive, passive_lane, passive_lanes, writes};
pub use room::Format;

/// A case: an instruction and the state it meets.
pub struct Before<'a> {
    pub generated: &'a Generated,
    pub machine: &'a Machine,
    pub shadows: &'a Shadows,
    pub state: State,
    /// Does shadow arithmetic have a control word of its own?
    pub own_control: bool,
}

impl Before<'_> {
    fn instruction(&self) -> &Instruction {
        &self.generated.instruction
    }

    fn is_legacy(&self) -> bool {
        self.instruction().encoding() == EncodingKind::Legacy
    }

    fn is_register(&self, operand: u32) -> bool {
        self.instruction().op_kind(operand) == OpKind::Register
    }

    fn vector(&self, operand: u32) -> usize {
        self.instruction().op_register(operand).number()
    }

    /// Value and shadow of a vector operand, as bytes.
    fn operand(&self, operand: u32) -> (Vec<u8>, Vec<u8>) {
        if self.is_register(operand) {
            let register = self.vector(operand);
            return (self.machine.vectors[register].to_vec(), self.shadows.vectors[register].to_vec());
        }
        let (address, size) = self.generated.place.expect("a memory operand");
        // An embedded broadcast is in all lanes.
        let times = if self.instruction().is_broadcast() { 64 / size } else { 1 };
        let read = |memory: &super::machine::Memory| memory.at(address, size).repeat(times);
        (read(&self.machine.memory), read(&self.shadows.memory))
    }

    pub fn unchanged(&self) -> Expected {
        Expected::exactly(self.shadows.clone())
    }

    /// Number of the operand that is the first source.
    fn first_source(&self) -> u32 {
        if self.is_legacy() || self.vector_operands() < 3 {
            0
        } else {
            1
        }
    }

    fn vector_operands(&self) -> u32 {
        let last = self.instruction().op_count() - 1;
        last + u32::from(self.instruction().op_kind(last) != OpKind::Immediate8)
    }

    /// What happens to a lane of an EVEX instruction.
    fn fate(&self, lane: usize) -> Fate {
        let instruction = self.instruction();
        let mask = match instruction.op_mask() {
            Register::None => return Fate::Computed,
            mask => self.machine.masks[mask.number()],
        };
        match (mask >> lane & 1 != 0, instruction.zeroing_masking()) {
            (true, _) => Fate::Computed,
            (false, true) => Fate::Zero,
            (false, false) => Fate::Kept,
        }
    }

    /// The target's shadow above what the instruction computes: kept by legacy instructions, cleared by others.
    fn clear_upper(&self, shadow: &mut [u8; 64], bytes: usize) {
        if !self.is_legacy() {
            shadow[bytes.max(16)..].fill(0);
        }
    }
}

/// What a mask makes of a lane.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Computed,
    Zero,
    Kept,
}

/// The rule for copies: the instruction is run natively on registers and memory that hold shadows. Operands whose bits
/// are set in `values` keep their values.
pub fn same(harness: &mut Harness, before: &Before, values: u8) -> Option<Expected> {
    let mut expected = before.unchanged();
    let mut machine = Machine::zero();
    machine.masks = before.machine.masks;
    if !before.own_control {
        machine.control = before.machine.control;
    }
    machine.vectors[0] = before.machine.vectors[0];
    let mut instruction = *before.instruction();
    let mut place = [0; 192];
    for operand in 0..instruction.op_count() {
        let is_value = values >> operand & 1 != 0;
        let renamed = 1 + operand as usize;
        match instruction.op_kind(operand) {
            OpKind::Register => {
                let register = instruction.op_register(operand);
                let family = family_of(register);
                instruction.set_op_register(operand, nth(family, renamed));
                if register.is_vector_register() {
                    let number = register.number();
                    if is_value {
                        machine.vectors[renamed] = before.machine.vectors[number];
                    } else {
                        machine.vectors[renamed] = before.shadows.vectors[number];
                    }
                } else {
                    machine.general[renamed] = before.shadows.general[register.full_register().number()];
                }
            }
            OpKind::Memory => {
                let (address, size) = before.generated.place?;
                let memory = if is_value { &before.machine.memory } else { &before.shadows.memory };
                place[64..64 + size].copy_from_slice(memory.at(address, size));
            }
            _ => {}
        }
    }
    if room::format(&instruction) == Some(Format::Binary16) {
        // Derivatives are rounded to nearest, whatever is done to values.
        instruction.set_rounding_control(RoundingControl::None);
        instruction.set_immediate8(0);
    }
    instruction.set_memory_base(Register::None);
    instruction.set_memory_index(Register::None);
    instruction.set_memory_displacement64(REFERENCE + 64);
    instruction.set_memory_displ_size(8);
    region::write(REFERENCE, &place);
    let program =
        Program { bytes: encode(&instruction)?, far: false, constant: None, skipped: 0, arguments: None };
    let after = harness.native(&program, &machine).ok()?;
    region::read(REFERENCE, &mut place);
    let mut factory = InstructionInfoFactory::new();
    for operand in 0..instruction.op_count() {
        if !writes(factory.info(before.instruction()).op_access(operand)) {
            continue;
        }
        let renamed = 1 + operand as usize;
        if instruction.op_kind(operand) == OpKind::Memory {
            let (address, size) = before.generated.place?;
            expected.shadows.memory.at_mut(address, size).copy_from_slice(&place[64..64 + size]);
            continue;
        }
        let register = before.instruction().op_register(operand);
        if register.is_vector_register() {
            expected.shadows.vectors[register.number()] = after.vectors[renamed];
        } else {
            expected.shadows.general[register.full_register().number()] = after.general[renamed];
        }
    }
    room::note_conversion(before, &mut expected);
    Some(expected)
}

fn encode(instruction: &Instruction) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(64);
    encoder.encode(instruction, region::CLIENT_CODE[0]).ok()?;
    Some(encoder.take_buffer())
}

fn family_of(register: Register) -> Register {
    match register {
        register if register.is_xmm() => Register::XMM0,
        register if register.is_ymm() => Register::YMM0,
        register if register.is_zmm() => Register::ZMM0,
        register if register.is_gpr64() => Register::RAX,
        register if register.is_gpr32() => Register::EAX,
        register if register.is_gpr16() => Register::AX,
        _ => Register::AL,
    }
}

/// The rule for logical instructions, by 32-bit lanes.
pub fn logic(before: &Before, logic: Logic) -> Expected {
    const SIGN: u32 = 1 << 31;
    let mut expected = before.unchanged();
    let target = before.vector(0);
    let bytes = before.instruction().op0_register().size();
    let mut result = before.shadows.vectors[target];
    before.clear_upper(&mut result, bytes);
    let (first, last) = (before.first_source(), before.instruction().op_count() - 1);
    let ((first_value, first_shadow), (second_value, second_shadow)) =
        (before.operand(first), before.operand(last));
    let same = before.is_register(last) && before.vector(first) == before.vector(last);
    let name = format!("{:?}", before.instruction().mnemonic());
    let mask_bytes = if name.ends_with('d') && !name.ends_with("pd") || name.ends_with("ps") { 4 } else { 8 };
    for offset in (0..bytes).step_by(4) {
        match before.fate(offset / mask_bytes) {
            Fate::Computed => {}
            Fate::Zero => {
                result[offset..offset + 4].fill(0);
                continue;
            }
            Fate::Kept => continue,
        }
        let lane_at = |bytes: &[u8], offset: usize| number_u32(&bytes[offset..offset + 4]);
        let lane = |bytes: &[u8]| lane_at(bytes, offset);
        let (one, other) = (lane(&first_value), lane(&second_value));
        let (one_shadow, other_shadow) = (lane(&first_shadow), lane(&second_shadow));
        let mut counted = false;
        let mut side = |shadow: u32, value: u32, mask: u32, is_first: bool| {
            let (none, all) = (mask & !SIGN == 0, mask | SIGN == !0);
            let (kept, dropped) = match logic {
                Logic::And => (all, none),
                Logic::AndNot if is_first => (false, mask == 0),
                Logic::AndNot => (none, all),
                Logic::Or | Logic::Xor => (none, false),
            };
            let computed = match logic {
                Logic::And => value & mask,
                Logic::AndNot => value & !mask,
                Logic::Or => value | mask,
                Logic::Xor => value ^ mask,
            };
            if shadow == 0 || dropped {
                0
            } else if kept {
                shadow ^ (computed ^ value) & SIGN
            } else {
                counted = true;
                0
            }
        };
        let shadow = if same {
            if matches!(logic, Logic::And | Logic::Or) {
                one_shadow
            } else {
                0
            }
        } else {
            side(one_shadow, one, other, true) | side(other_shadow, other, one, false)
        };
        result[offset..offset + 4].copy_from_slice(&shadow.to_le_bytes());
        let cuts_mantissa = |shadow: &[u8], mask: &[u8]| {
            let (low, high) = (lane_at(mask, offset & !7), lane_at(mask, offset | 4));
            let fates = [offset | 4, offset & !7].map(|offset| before.fate(offset / mask_bytes));
            let computed = fates == [Fate::Computed; 2];
            computed && low | SIGN != !0 && high | SIGN == !0 && lane_at(shadow, offset | 4) != 0
        };
        if logic == Logic::And && !same {
            let cut =
                cuts_mantissa(&first_shadow, &second_value) || cuts_mantissa(&second_shadow, &first_value);
            expected.counted |= cut;
        }
        if counted {
            expected.counted = true;
            expected.unspecified.push((target, offset));
        }
    }
    expected.shadows.vectors[target] = result;
    expected
}

fn number_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("4 bytes"))
}

/// `vfixupimm`, by the classes of the first source.
pub fn fix_up(before: &Before, content: Content, lanes: Lanes) -> Expected {
    let mut expected = before.unchanged();
    let (target, size) = (before.vector(0), content.size());
    let bytes = if lanes == Lanes::Scalar { size } else { before.instruction().op0_register().size() };
    let old = before.shadows.vectors[target];
    let mut result = [0; 64];
    if lanes == Lanes::Scalar {
        result[..16].copy_from_slice(&before.shadows.vectors[before.vector(1)][..16]);
    }
    let ((source, source_shadow), (table, _)) = (before.operand(1), before.operand(2));
    for offset in (0..bytes).step_by(size) {
        let place = offset..offset + size;
        let value = number(&source[place.clone()]);
        let is_quiet = source[offset + size - 2] & (if size == 4 { 0x40 } else { 0x08 }) != 0;
        let class = match value {
            _ if value.is_nan() => u32::from(!is_quiet),
            0.0 => 2,
            1.0 => 3,
            f64::NEG_INFINITY => 4,
            f64::INFINITY => 5,
            _ if value < 0.0 => 6,
            _ => 7,
        };
        let shadow =
            match (before.fate(offset / size), number_u32(&table[offset..offset + 4]) >> (4 * class) & 15) {
                (Fate::Zero, _) => vec![0; size],
                (Fate::Kept, _) | (_, 0) => old[place.clone()].to_vec(),
                (_, 1) => source_shadow[place.clone()].to_vec(),
                _ => vec![0; size],
            };
        result[place].copy_from_slice(&shadow);
    }
    expected.shadows.vectors[target] = result;
    expected
}

/// A permutation of two tables: like the one that has a table in its target.
pub fn indexed_by_target(harness: &mut Harness, before: &Before, size: usize) -> Option<Expected> {
    let mut expected = before.unchanged();
    let target = before.vector(0);
    let mut instruction = *before.instruction();
    instruction.set_op_mask(Register::None);
    instruction.set_zeroing_masking(false);
    let bytes = instruction.op0_register().size();
    let unmasked = Generated::from(instruction, before.generated.far, before.generated.place);
    let unmasked = Before { generated: &unmasked, ..*before };
    let permuted = same(harness, &unmasked, 1)?.shadows.vectors[target];
    let mut result = [0; 64];
    for offset in (0..bytes).step_by(size) {
        let place = offset..offset + size;
        match before.fate(offset / size) {
            Fate::Computed => result[place.clone()].copy_from_slice(&permuted[place]),
            Fate::Kept => result[place.clone()].copy_from_slice(&before.shadows.vectors[target][place]),
            Fate::Zero => {}
        }
    }
    expected.shadows.vectors[target] = result;
    Some(expected)
}
