//! Shadows as they should be: dual numbers for arithmetic, the instruction itself for copies.

use super::compare::{number, Expected, Lane};
use super::families::{Lanes, Logic, Operation};
use super::generate::{nth, Generated};
use super::machine::{word, Machine, Shadows};
use super::region::{self, REFERENCE};
use super::run::{Harness, Program};
use super::values::Content;
use derivgrind_translate::state::State;
use half::f16;
use iced_x86::RoundingControl;
use iced_x86::{Encoder, EncodingKind, Instruction, InstructionInfoFactory, OpAccess, OpKind, Register};

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
        Expected { shadows: self.shadows.clone(), lanes: Vec::new(), unspecified: Vec::new(), counted: false }
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

/// The rule for real arithmetic.
pub fn arithmetic(before: &Before, operation: Operation, content: Content, lanes: Lanes) -> Expected {
    let mut expected = before.unchanged();
    let target = before.vector(0);
    let size = content.size();
    let register_bytes = before.instruction().op0_register().size();
    let bytes = if lanes == Lanes::Scalar { size } else { register_bytes };
    let count = before.vector_operands();
    let first = before.first_source();
    let last = count - 1;
    let fused = matches!(operation, Operation::Fused { .. });
    let mut result = before.operand(if fused { 0 } else { first }).1;
    result.resize(64, 0);
    let mut result: [u8; 64] = result.try_into().expect("64 bytes");
    if before.is_legacy() {
        result = before.shadows.vectors[target];
    }
    before.clear_upper(&mut result, bytes);
    for offset in (0..bytes).step_by(size) {
        let lane = |operand: u32| {
            let (value, shadow) = before.operand(operand);
            Dual {
                value: number(&value[offset..offset + size]),
                shadow: number(&shadow[offset..offset + size]),
            }
        };
        match before.fate(offset / size) {
            Fate::Computed => {}
            Fate::Zero => {
                result[offset..offset + size].fill(0);
                continue;
            }
            Fate::Kept => {
                let kept = &before.shadows.vectors[target][offset..offset + size];
                result[offset..offset + size].copy_from_slice(kept);
                continue;
            }
        }
        let odd = offset / size % 2 == 1;
        let (shadow, scale) = match operation {
            Operation::Fused { product, even, odd: odd_sign, factors, addend } => {
                let sign = f64::from(if odd { odd_sign } else { even });
                let (one, other, addend) = (lane(factors[0]), lane(factors[1]), lane(addend));
                let terms = [one.shadow_times(other), other.shadow_times(one), addend.shadow];
                let sum = f64::from(product) * (terms[0] + terms[1]) + sign * terms[2];
                (sum, terms.iter().map(|term| term.abs()).sum())
            }
            Operation::SquareRoot => {
                let dual = lane(last);
                let shadow = if dual.shadow == 0.0 { 0.0 } else { dual.shadow / (2.0 * dual.value.sqrt()) };
                (shadow, shadow.abs())
            }
            Operation::Reciprocal | Operation::ReciprocalRoot => {
                let dual = lane(last);
                let partial = match operation {
                    Operation::Reciprocal => -1.0 / (dual.value * dual.value),
                    _ => -0.5 / (dual.value * dual.value.sqrt()),
                };
                let shadow = if dual.shadow == 0.0 { 0.0 } else { dual.shadow * partial };
                // The value is an approximation, of which the derivative is formed.
                let tolerance = match size {
                    2 => 4.0,
                    4 => 200.0,
                    _ => 1e9,
                };
                (shadow, tolerance * shadow.abs())
            }
            Operation::Mantissa => {
                let dual = lane(last);
                let shadow =
                    dual.shadow_times(mantissa_partial(dual.value, before.instruction().immediate8()));
                (shadow, shadow.abs())
            }
            Operation::Range => {
                let (one, other) = (lane(first), lane(last));
                if one.value.is_nan() || other.value.is_nan() {
                    // Which is taken depends on the kind of NaN.
                    let halves = (offset..offset + content.size()).step_by(4);
                    expected.unspecified.extend(halves.map(|half| (target, half)));
                    continue;
                }
                let immediate = before.instruction().immediate8();
                let size = |dual: Dual| if immediate & 2 != 0 { dual.value.abs() } else { dual.value };
                let maximum = immediate & 1 != 0;
                let takes_first = (size(one) < size(other)) != maximum;
                let taken = if takes_first { one } else { other };
                let negative = match immediate >> 2 & 3 {
                    0 => one.value.is_sign_negative(),
                    1 => taken.value.is_sign_negative(),
                    2 => false,
                    _ => true,
                };
                let same = negative == taken.value.is_sign_negative();
                (if same { taken.shadow } else { -taken.shadow }, 0.0)
            }
            Operation::Reduce => (lane(last).shadow, 0.0),
            Operation::Divide => {
                let (one, other) = (lane(first), lane(last));
                let (shadow, scale) = binary(operation, one, other);
                // The quotient may overflow, and what the divisor contributes before it is divided.
                let quotient = (one.value / other.value).abs();
                let largest = quotient.max((other.shadow * quotient).abs());
                (shadow, if content.overflows(largest) { f64::INFINITY } else { scale })
            }
            _ => binary(operation, lane(first), lane(last)),
        };
        expected.lanes.push(Lane { register: target, offset, content, shadow, scale });
        let written = match size {
            2 => f16::from_f64(shadow).to_le_bytes().to_vec(),
            4 => (shadow as f32).to_le_bytes().to_vec(),
            _ => shadow.to_le_bytes().to_vec(),
        };
        let passive =
            (0..count).filter(|operand| fused || *operand == first || *operand == last).all(|operand| {
                lane_bytes(&before.operand(operand).1, offset, size).iter().all(|byte| *byte == 0)
            });
        if passive {
            // Exactly zero: positive zero, since bits tell what is active.
            result[offset..offset + size].fill(0);
            expected.lanes.pop();
        } else {
            result[offset..offset + size].copy_from_slice(&written);
        }
    }
    expected.shadows.vectors[target] = result;
    expected
}

fn lane_bytes(bytes: &[u8], offset: usize, size: usize) -> &[u8] {
    &bytes[offset..offset + size]
}

#[derive(Clone, Copy)]
struct Dual {
    value: f64,
    shadow: f64,
}

impl Dual {
    /// Zero if the shadow is, whatever the partial derivative.
    fn shadow_times(self, partial: Dual) -> f64 {
        if self.shadow == 0.0 {
            0.0
        } else {
            self.shadow * partial.value
        }
    }
}

/// Mantissa of a positive number divided by the number (Intel SDM volume 2, VGETMANTPD).
fn mantissa_partial(value: f64, immediate: u8) -> Dual {
    let exponent = value.abs().log2().floor();
    let (mantissa, partial) = (value.abs() * (-exponent).exp2(), (-exponent).exp2());
    let sign = match immediate >> 2 & 3 {
        0 => 1.0,
        1 => value.signum(),
        _ if value.is_sign_negative() => f64::NAN,
        _ => 1.0,
    };
    let halves = match immediate & 3 {
        0 => false,
        1 => exponent.rem_euclid(2.0) == 1.0,
        2 => true,
        _ => mantissa >= 1.5,
    };
    Dual { value: sign * if halves { partial / 2.0 } else { partial }, shadow: 0.0 }
}

/// Shadow of the result, and magnitude of its terms.
fn binary(operation: Operation, one: Dual, other: Dual) -> (f64, f64) {
    let sum = |terms: [f64; 2]| (terms[0] + terms[1], terms[0].abs() + terms[1].abs());
    match operation {
        Operation::Add => sum([one.shadow, other.shadow]),
        Operation::Subtract => sum([one.shadow, -other.shadow]),
        Operation::Multiply => sum([one.shadow_times(other), other.shadow_times(one)]),
        Operation::Divide => {
            let quotient = Dual { value: -one.value / other.value, shadow: 0.0 };
            let terms = [one.shadow, other.shadow_times(quotient)];
            if terms == [0.0, 0.0] {
                return (0.0, 0.0);
            }
            sum(terms.map(|term| term / other.value))
        }
        Operation::Scale => {
            let factor = Dual { value: other.value.floor().exp2(), shadow: 0.0 };
            let shadow = one.shadow_times(factor);
            (shadow, shadow.abs())
        }
        Operation::Minimum | Operation::Maximum => {
            let minimum = operation == Operation::Minimum;
            let takes_first = if minimum { one.value < other.value } else { one.value > other.value };
            let shadow = if takes_first { one.shadow } else { other.shadow };
            (shadow, shadow.abs())
        }
        _ => unreachable!("no binary operation"),
    }
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
    if is_narrowed(&instruction) {
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
    Some(expected)
}

/// Is it a conversion to binary16?
fn is_narrowed(instruction: &Instruction) -> bool {
    use iced_x86::Mnemonic::*;
    matches!(instruction.mnemonic(), Vcvtps2ph | Vcvtps2phx | Vcvtpd2ph | Vcvtss2sh | Vcvtsd2sh)
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

/// Arithmetic whose lanes are passive.
pub fn paused(before: &Before, operation: Operation, content: Content, lanes: Lanes) -> Expected {
    let mut expected = arithmetic(before, operation, content, lanes);
    for lane in std::mem::take(&mut expected.lanes) {
        let place = &mut expected.shadows.vectors[lane.register];
        place[lane.offset..lane.offset + content.size()].fill(0);
    }
    expected
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

/// The rule for dot products: sums within 128 bits.
pub fn dot_product(before: &Before, content: Content) -> Expected {
    let mut expected = before.unchanged();
    let target = before.vector(0);
    let (first, second) = (before.first_source(), before.instruction().op_count() - 2);
    let ((one, one_shadow), (other, other_shadow)) = (before.operand(first), before.operand(second));
    let mask = before.instruction().immediate8();
    let size = content.size();
    let bytes = before.instruction().op0_register().size();
    let mut result = before.shadows.vectors[target];
    before.clear_upper(&mut result, bytes);
    result[..bytes].fill(0);
    for part in (0..bytes).step_by(16) {
        let summed = |lane: &usize| mask >> (4 + lane) & 1 != 0;
        let terms: Vec<f64> = (0..16 / size)
            .filter(summed)
            .flat_map(|lane| {
                let at = |bytes: &[u8]| number(&bytes[part + lane * size..part + (lane + 1) * size]);
                let term = |shadow: f64, value: f64| if shadow == 0.0 { 0.0 } else { shadow * value };
                [term(at(&one_shadow), at(&other)), term(at(&other_shadow), at(&one))]
            })
            .collect();
        let (shadow, scale) = (terms.iter().sum::<f64>(), terms.iter().map(|term| term.abs()).sum::<f64>());
        for lane in (0..16 / size).filter(|lane| mask >> lane & 1 != 0 && scale != 0.0) {
            let offset = part + lane * size;
            expected.lanes.push(Lane { register: target, offset, content, shadow, scale });
        }
    }
    expected.shadows.vectors[target] = result;
    expected
}

fn number_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("4 bytes"))
}

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
        let class = match value {
            _ if value.is_nan() => 0,
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
    let adds = instruction.mnemonic() == iced_x86::Mnemonic::Lea;
    let addresses =
        if adds { [Register::None; 2] } else { [instruction.memory_base(), instruction.memory_index()] };
    let explicit = |register: Register| {
        (0..instruction.op_count()).any(|k| before.is_register(k) && instruction.op_register(k) == register)
    };
    for used in info.used_registers() {
        let register = used.register();
        let read = reads(used.access()) && (!addresses.contains(&register) || explicit(register));
        if read && !is_idiom(instruction) {
            expected.counted |= counted && is_active(before, register);
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

fn is_active(before: &Before, register: Register) -> bool {
    if register.is_vector_register() {
        let shadow = before.shadows.vectors[register.number()];
        return shadow[..register.size()].iter().any(|byte| *byte != 0);
    }
    if register.is_mm() {
        return before.shadows.x87[register.number()][..8].iter().any(|byte| *byte != 0);
    }
    if !register.is_gpr() {
        return false;
    }
    let shadow = before.shadows.general[register.full_register().number()].to_le_bytes();
    let start = usize::from(is_high(register));
    shadow[start..start + register.size()].iter().any(|byte| *byte != 0)
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

pub fn reads(access: OpAccess) -> bool {
    matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

pub fn writes(access: OpAccess) -> bool {
    matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}
