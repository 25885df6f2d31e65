//! What integer and logical instructions do to the derivative of a number, against difference quotients.
//!
//! Short sequences, as mathematical libraries have them, work on the bits of a number. The result is evaluated at the
//! number and at its neighbours. Within a binade it is linear, so that the quotient is exact, or constant. Whatever
//! is not reported must agree, as a dot value and on the tape.

use crate::harness::generate::Generated;
use crate::harness::machine::{Machine, Shadows};
use crate::harness::random::Random;
use crate::harness::run::{Configuration, Harness, Outcome, Program};
use crate::harness::tape::Dot;
use derivgrind_translate::interface::Mode;
use derivgrind_translate::recording::TAG;
use derivgrind_translate::state::State;
use iced_x86::{Code, Instruction, Register};
use std::collections::HashMap;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    Binary64,
    Binary32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    And,
    Or,
    Xor,
    Add,
    Subtract,
    /// To the upper half of a binary64, by a sum of halves.
    AddUpper,
    SubtractUpper,
    ShiftLeft,
    ShiftRight,
    /// Bits under the mask among those of the exponent of one.
    Replace,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    operation: Operation,
    constant: u64,
    /// The lower half, where the constant is not zero, is left out by a mask.
    masked: bool,
}

/// Where the number is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    General,
    Legacy,
    Wide,
}

impl Format {
    fn bits(self) -> u32 {
        if self == Format::Binary64 {
            64
        } else {
            32
        }
    }

    fn fraction(self) -> u32 {
        if self == Format::Binary64 {
            52
        } else {
            23
        }
    }

    fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits())
    }

    fn one(self) -> u64 {
        if self == Format::Binary64 {
            1f64.to_bits()
        } else {
            u64::from(1f32.to_bits())
        }
    }

    fn number(self, bits: u64) -> f64 {
        if self == Format::Binary64 {
            f64::from_bits(bits)
        } else {
            f64::from(f32::from_bits(bits as u32))
        }
    }

    /// Is it a number as programs have it, and no integer?
    fn is_number(self, bits: u64) -> bool {
        let value = self.number(bits).abs();
        (1.0 / LARGEST..LARGEST).contains(&value)
    }
}

impl Step {
    fn random(format: Format, random: &mut Random) -> Step {
        use Operation::*;
        let (fraction, sign) = ((1u64 << format.fraction()) - 1, 1u64 << (format.bits() - 1));
        let exponent = !fraction & !sign & format.mask();
        let new_exponent = |random: &mut Random| (random.below(8) as u64) << format.fraction();
        // A mask of half a binary64 is left out: with it programs split a number in two, whose sum is right.
        let cut = format.mask() << (if format == Format::Binary64 { 20 } else { 10 }) & format.mask();
        let halves = |random: &mut Random| {
            let constant = (random.below(8) as u64) << 52;
            if random.once_in(2) {
                (constant, false)
            } else {
                (constant | constant >> 32, true)
            }
        };
        if format == Format::Binary64 && random.once_in(5) {
            let operation = if random.once_in(2) { AddUpper } else { SubtractUpper };
            let (constant, masked) = halves(random);
            return Step { operation, constant, masked };
        }
        let (operation, constant) = match random.below(12) {
            0 => (And, fraction),
            1 => (And, !sign & format.mask()),
            2 => (And, exponent),
            3 => (And, cut),
            4 => (Or, format.one()),
            5 => (Or, sign),
            6 => (Xor, sign),
            7 => (Add, new_exponent(random)),
            8 => (Subtract, new_exponent(random)),
            9 => (ShiftLeft, 1 + random.below(4) as u64),
            10 => (ShiftRight, u64::from(format.fraction())),
            _ => (Replace, [fraction, fraction | sign, cut & fraction][random.below(3)]),
        };
        Step { operation, constant, masked: false }
    }

    fn apply(self, format: Format, bits: u64) -> u64 {
        let constant = self.constant;
        let result = match self.operation {
            Operation::And => bits & constant,
            Operation::Or => bits | constant,
            Operation::Xor => bits ^ constant,
            Operation::Add => bits.wrapping_add(constant),
            Operation::Subtract => bits.wrapping_sub(constant),
            Operation::AddUpper => bits.wrapping_add(constant >> 32 << 32),
            Operation::SubtractUpper => bits.wrapping_sub(constant >> 32 << 32),
            Operation::ShiftLeft => bits << constant,
            Operation::ShiftRight => bits >> constant,
            Operation::Replace => bits & constant | format.one(),
        };
        result & format.mask()
    }

    /// The instruction; its constant is in register `number`, and that of an exponent in `ones`. `None` if there is
    /// none.
    fn instruction(self, format: Format, place: Place, number: u32, ones: Register) -> Option<Instruction> {
        use Operation::*;
        let wide = format == Format::Binary64;
        let count = self.constant as u32;
        let either = |one, other| if wide { one } else { other };
        let instruction = match place {
            Place::General => {
                let (target, constant) = if wide {
                    (Register::RAX, Register::RAX + number)
                } else {
                    (Register::EAX, Register::EAX + number)
                };
                let code = match self.operation {
                    And => either(Code::And_rm64_r64, Code::And_rm32_r32),
                    Or => either(Code::Or_rm64_r64, Code::Or_rm32_r32),
                    Xor => either(Code::Xor_rm64_r64, Code::Xor_rm32_r32),
                    Add => either(Code::Add_rm64_r64, Code::Add_rm32_r32),
                    Subtract => either(Code::Sub_rm64_r64, Code::Sub_rm32_r32),
                    ShiftLeft => either(Code::Shl_rm64_imm8, Code::Shl_rm32_imm8),
                    ShiftRight => either(Code::Shr_rm64_imm8, Code::Shr_rm32_imm8),
                    AddUpper | SubtractUpper | Replace => return None,
                };
                if matches!(self.operation, ShiftLeft | ShiftRight) {
                    Instruction::with2(code, target, count)
                } else {
                    Instruction::with2(code, target, constant)
                }
            }
            Place::Legacy => {
                let code = match self.operation {
                    And => Code::Pand_xmm_xmmm128,
                    Or => Code::Por_xmm_xmmm128,
                    Xor => Code::Pxor_xmm_xmmm128,
                    Add => either(Code::Paddq_xmm_xmmm128, Code::Paddd_xmm_xmmm128),
                    Subtract => either(Code::Psubq_xmm_xmmm128, Code::Psubd_xmm_xmmm128),
                    AddUpper if !self.masked => Code::Paddd_xmm_xmmm128,
                    SubtractUpper if !self.masked => Code::Psubd_xmm_xmmm128,
                    ShiftLeft => either(Code::Psllq_xmm_imm8, Code::Pslld_xmm_imm8),
                    ShiftRight => either(Code::Psrlq_xmm_imm8, Code::Psrld_xmm_imm8),
                    AddUpper | SubtractUpper | Replace => return None,
                };
                if matches!(self.operation, ShiftLeft | ShiftRight) {
                    Instruction::with2(code, Register::XMM0, count)
                } else {
                    Instruction::with2(code, Register::XMM0, Register::XMM0 + number)
                }
            }
            Place::Wide => {
                let (target, constant) = (Register::ZMM0, Register::ZMM0 + number);
                let code = match self.operation {
                    And => Code::EVEX_Vpandq_zmm_k1z_zmm_zmmm512b64,
                    Or => Code::EVEX_Vpord_zmm_k1z_zmm_zmmm512b32,
                    Xor => Code::EVEX_Vpxorq_zmm_k1z_zmm_zmmm512b64,
                    Add => either(
                        Code::EVEX_Vpaddq_zmm_k1z_zmm_zmmm512b64,
                        Code::EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32,
                    ),
                    Subtract => either(
                        Code::EVEX_Vpsubq_zmm_k1z_zmm_zmmm512b64,
                        Code::EVEX_Vpsubd_zmm_k1z_zmm_zmmm512b32,
                    ),
                    AddUpper => Code::EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32,
                    SubtractUpper => Code::EVEX_Vpsubd_zmm_k1z_zmm_zmmm512b32,
                    ShiftLeft => either(
                        Code::EVEX_Vpsllq_zmm_k1z_zmmm512b64_imm8,
                        Code::EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8,
                    ),
                    ShiftRight => either(
                        Code::EVEX_Vpsrlq_zmm_k1z_zmmm512b64_imm8,
                        Code::EVEX_Vpsrld_zmm_k1z_zmmm512b32_imm8,
                    ),
                    Replace => either(
                        Code::EVEX_Vpternlogq_zmm_k1z_zmm_zmmm512b64_imm8,
                        Code::EVEX_Vpternlogd_zmm_k1z_zmm_zmmm512b32_imm8,
                    ),
                };
                match self.operation {
                    ShiftLeft | ShiftRight => Instruction::with3(code, target, target, count),
                    // The first and the second, or the third.
                    Replace => Instruction::with4(code, target, constant, ones, 0xeau32),
                    _ => Instruction::with3(code, target, target, constant),
                }
            }
        };
        let mut instruction = instruction.expect("the operands fit");
        if self.masked {
            instruction.set_op_mask(UPPER_HALVES);
        }
        Some(instruction)
    }
}

/// Of numbers as programs have them.
const LARGEST: f64 = 1e20;

/// Index of the number.
const INPUT: u64 = 1;

/// For each configuration.
const SEQUENCES: usize = 500;

/// Sequences that were compared.
#[derive(Default, Debug)]
struct Compared {
    scaled: usize,
    constant: usize,
    reported: usize,
    parts: usize,
}

const ONES: u32 = 9;
const UPPER_HALVES: Register = Register::K1;

/// The derivative of a result of which `word` is the shadow; `None` if it is a part of a number.
fn derivative(format: Format, mode: Mode, word: u64, outcome: &Outcome) -> Option<f64> {
    if mode == Mode::Forward {
        return Some(format.number(word));
    }
    if word == 0 {
        return Some(0.0);
    }
    let tag = u64::from(TAG);
    let has_tag = word & (tag << 32 | tag) != 0;
    if has_tag != (format == Format::Binary32) {
        return None;
    }
    let mut dots = HashMap::from([(INPUT, Dot { value: 1.0, scale: 1.0 })]);
    outcome.written.evaluate(&mut dots).unwrap_or_else(|damage| panic!("the tape is damaged: {damage}"));
    let index = if has_tag { word & !tag } else { word };
    Some(dots.get(&index).unwrap_or_else(|| panic!("no operation has index {index}")).value)
}

fn sequence(
    harness: &mut Harness,
    configuration: Configuration,
    format: Format,
    place: Place,
    random: &mut Random,
    compared: &mut Compared,
) {
    let steps: Vec<Step> = (0..1 + random.below(3)).map(|_| Step::random(format, random)).collect();
    let mut machine = Machine::zero();
    machine.control = 0x1f80;
    machine.masks[UPPER_HALVES.number()] = 0xaaaa;
    let fill = |machine: &mut Machine, number: usize, word: u64| {
        machine.general[number] = word;
        let lane = format.bits() as usize / 8;
        for at in (0..64).step_by(lane) {
            machine.vectors[number][at..at + lane].copy_from_slice(&word.to_le_bytes()[..lane]);
        }
    };
    let mut instructions = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let register = 1 + number;
        fill(&mut machine, register, step.constant);
        let made = step.instruction(format, place, register as u32, Register::ZMM0 + ONES);
        let Some(instruction) = made else { return };
        instructions.push(instruction);
    }
    fill(&mut machine, ONES as usize, format.one());
    let negative = if random.once_in(2) { -1.0 } else { 1.0 };
    let number = negative * random.moderate().abs();
    let bits =
        if format == Format::Binary64 { number.to_bits() } else { u64::from((number as f32).to_bits()) };
    machine.general[0] = bits;
    machine.vectors[0] = [0; 64];
    machine.vectors[0][..8].copy_from_slice(&bits.to_le_bytes());
    let mut shadows = Shadows::zero();
    let dot = match configuration.mode {
        Mode::Forward => format.one(),
        _ if format == Format::Binary32 => INPUT | u64::from(TAG),
        _ => INPUT,
    };
    shadows.general[0] = dot;
    shadows.vectors[0][..8].copy_from_slice(&dot.to_le_bytes());
    let generated = Generated::sequence(&instructions, false, None);
    let program = Program { bytes: generated.bytes, far: false, constant: None, skipped: 0, arguments: None };
    harness.first_index = INPUT + 1;
    let outcome = harness
        .translated(&program, configuration, State::UNKNOWN, &machine, &shadows, random.word())
        .unwrap_or_else(|(fault, _)| panic!("{steps:?} {fault:?}"));
    let of = |vectors: &[u8; 64], general: u64| match place {
        Place::General => general & format.mask(),
        _ => u64::from_le_bytes(vectors[..8].try_into().expect("eight bytes")) & format.mask(),
    };
    let function = |bits: u64| steps.iter().fold(bits, |bits, step| step.apply(format, bits));
    let value = function(bits);
    assert_eq!(of(&outcome.machine.vectors[0], outcome.machine.general[0]), value, "{steps:?}");
    if outcome.count() != 0 {
        compared.reported += 1;
        return;
    }
    let neighbours = [bits + 4, bits - 4];
    // Dot values of what is read as an extremely large number may overflow; halves of small ones change their sign.
    let mut word = bits;
    let is_extreme = steps.iter().any(|step| {
        let adds_halves = matches!(step.operation, Operation::AddUpper | Operation::SubtractUpper);
        let is_small = format.number(word).abs() < 1.0 / LARGEST;
        word = step.apply(format, word);
        let size = format.number(word).abs();
        size.is_nan() || size >= LARGEST || adds_halves && is_small
    });
    // What is cut off may then be as much as the distance to the neighbours.
    let is_left = |step: &&Step| step.operation == Operation::ShiftLeft;
    let shift: u64 = steps.iter().filter(is_left).map(|step| step.constant).sum();
    if is_extreme || format == Format::Binary32 && shift >= 8 {
        return;
    }
    if !format.is_number(value) || neighbours.iter().any(|bits| !format.is_number(function(*bits))) {
        return;
    }
    let shadow = of(&outcome.shadows.vectors[0], outcome.shadows.general[0]);
    let Some(found) = derivative(format, configuration.mode, shadow, &outcome) else {
        compared.parts += 1;
        return;
    };
    let quotients = neighbours.map(|neighbour| {
        (format.number(function(neighbour)) - format.number(value))
            / (format.number(neighbour) - format.number(bits))
    });
    assert!(
        quotients.contains(&found),
        "{format:?} {place:?} {configuration:?} {steps:?} at {number}: {found} instead of {quotients:?}"
    );
    if found == 0.0 {
        compared.constant += 1;
    } else {
        compared.scaled += 1;
    }
}

fn compare(format: Format, place: Place) {
    let mut harness = Harness::lock();
    let mut random = Random(place as u64 + 5);
    let modes = [Mode::Forward, Mode::Recording];
    let configurations = Configuration::available();
    for configuration in modes.iter().flat_map(|mode| configurations.iter().map(|one| one.in_mode(*mode))) {
        if place == Place::Wide && !configuration.has_evex() {
            continue;
        }
        let mut compared = Compared::default();
        for _ in 0..SEQUENCES {
            sequence(&mut harness, configuration, format, place, &mut random, &mut compared);
        }
        println!("{format:?} {place:?} {:?} {}: {compared:?}", configuration.mode, configuration.name);
        let enough = compared.scaled > SEQUENCES / 10 && compared.constant > SEQUENCES / 15;
        assert!(enough && compared.reported + compared.parts < SEQUENCES / 10, "{compared:?}");
    }
}

#[test]
fn bits_in_general_registers_have_the_factor_of_the_quotient() {
    compare(Format::Binary64, Place::General);
    compare(Format::Binary32, Place::General);
}

#[test]
fn bits_in_vector_registers_have_the_factor_of_the_quotient() {
    compare(Format::Binary64, Place::Legacy);
    compare(Format::Binary32, Place::Legacy);
}

#[test]
fn bits_in_registers_of_avx512_have_the_factor_of_the_quotient() {
    compare(Format::Binary64, Place::Wide);
    compare(Format::Binary32, Place::Wide);
}
