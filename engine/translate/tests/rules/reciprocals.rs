//! Two quotients by the same divisor: their dot values, also where a divisor has no ordinary reciprocal, and flags.

use crate::harness::compare::{Expected, Lane};
use crate::harness::examine::{judge, Case};
use crate::harness::generate::{Generated, BASE_VALUES};
use crate::harness::random::Random;
use crate::harness::report::Failures;
use crate::harness::run::{Configuration, Harness};
use crate::harness::values::{random_machine, random_shadows, random_states, Content};
use iced_x86::{Code, Instruction, MemoryOperand, Register};

const TIMES: usize = 200;
const DIVIDENDS: [usize; 2] = [1, 2];
const DIVISOR: usize = 3;
/// A register and the address that it holds, at which the divisor is, too.
const PLACE: (usize, u64) = BASE_VALUES[0];

fn xmm(number: usize) -> Register {
    Register::XMM0 + number as u32
}

fn ymm(number: usize) -> Register {
    Register::YMM0 + number as u32
}

fn value(content: Content, bytes: &[u8], at: usize) -> f64 {
    match content {
        Content::F32 => f64::from(f32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))),
        _ => f64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes")),
    }
}

fn set(content: Content, bytes: &mut [u8], at: usize, value: f64) {
    match content {
        Content::F32 => bytes[at..at + 4].copy_from_slice(&(value as f32).to_le_bytes()),
        _ => bytes[at..at + 8].copy_from_slice(&value.to_le_bytes()),
    }
}

/// A number whose reciprocal overflows.
fn tiny(content: Content) -> f64 {
    match content {
        Content::F32 => 2f64.powi(-130),
        _ => f64::MIN_POSITIVE / 8.0,
    }
}

/// As many lanes are computed; bits from `kept` bytes on become zero.
fn check(instructions: [Instruction; 2], content: Content, lanes: usize, kept: usize) {
    let generated = Generated::sequence(&instructions, false, None);
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    let mut random = Random(lanes as u64 + 1);
    for configuration in Configuration::available() {
        if generated.has_vex() && !configuration.has_vex() {
            continue;
        }
        for time in 0..TIMES {
            // All flags are the native ones then.
            let configuration = if time % 5 == 0 { configuration.with_own_control() } else { configuration };
            let case = case(&generated, content, lanes, configuration, time, &mut random);
            let native = harness.native(&case.program(), &case.machine).expect("it runs natively");
            let mut expected = case.before().unchanged();
            for result in DIVIDENDS {
                expected.shadows.vectors[result][kept..].fill(0);
                (0..lanes).for_each(|lane| {
                    expect(&case, &native.vectors[result], content, result, lane, &mut expected)
                });
            }
            judge(&mut harness, &mut failures, &case, &native, &expected, random.word());
        }
    }
    failures.finish(TIMES);
}

/// Every second case has divisors without ordinary reciprocals, and every third one passive operands alone, whose flags
/// are those of the native run.
fn case(
    generated: &Generated,
    content: Content,
    lanes: usize,
    configuration: Configuration,
    time: usize,
    random: &mut Random,
) -> Case {
    let states = random_states(random);
    let state = states[random.below(states.len())];
    let mut machine = random_machine(content, configuration, random);
    let mut shadows = random_shadows(content, configuration, state, random);
    for lane in 0..lanes {
        let at = lane * content.size()..(lane + 1) * content.size();
        if time % 2 == 0 {
            // Quotients that are ordinary numbers, while reciprocals are not.
            let divisor = [0.0, tiny(content), -tiny(content), f64::INFINITY][random.below(4)];
            let dividend = [1.0, tiny(content), f64::INFINITY][random.below(3)];
            set(content, &mut machine.vectors[DIVISOR], at.start, divisor);
            for number in DIVIDENDS {
                set(content, &mut machine.vectors[number], at.start, dividend);
                let is_known = state.zero_vector() >> number & 1 != 0;
                let dot = if is_known { 0.0 } else { 3.0 * tiny(content) };
                set(content, &mut shadows.vectors[number], at.start, dot);
            }
        }
        if time % 3 == 0 {
            for number in [DIVIDENDS[0], DIVIDENDS[1], DIVISOR] {
                shadows.vectors[number][at.clone()].fill(0);
            }
        }
    }
    // For those that take it from memory.
    let (number, address) = PLACE;
    machine.general[number] = address;
    machine.memory.at_mut(address, 32).copy_from_slice(&machine.vectors[DIVISOR][..32]);
    shadows.memory.at_mut(address, 32).copy_from_slice(&shadows.vectors[DIVISOR][..32]);
    let flags_dead = random.once_in(2);
    let (generated, quiet, checks_shadows) = (generated.clone(), time % 3 == 0, true);
    Case { generated, machine, shadows, state, configuration, flags_dead, quiet, checks_shadows }
}

/// `(a / b)' = (a' - (a / b) b') / b`, and nothing where both are passive.
fn expect(
    case: &Case,
    results: &[u8],
    content: Content,
    result: usize,
    lane: usize,
    expected: &mut Expected,
) {
    let offset = lane * content.size();
    let divisor = value(content, &case.machine.vectors[DIVISOR], offset);
    let quotient = value(content, results, offset);
    let dot = value(content, &case.shadows.vectors[result], offset);
    let dot_of_divisor = value(content, &case.shadows.vectors[DIVISOR], offset);
    let term = if dot_of_divisor == 0.0 { 0.0 } else { quotient * dot_of_divisor };
    let is_passive = dot == 0.0 && dot_of_divisor == 0.0;
    let shadow = if is_passive { 0.0 } else { (dot - term) / divisor };
    let scale = (dot.abs() + term.abs()) / divisor.abs();
    let place = &mut expected.shadows.vectors[result][offset..offset + content.size()];
    match content {
        Content::F32 => place.copy_from_slice(&(shadow as f32).to_le_bytes()),
        _ => place.copy_from_slice(&shadow.to_le_bytes()),
    }
    if !is_passive {
        expected.lanes.push(Lane { register: result, offset, content, shadow, scale });
    }
}

fn pair(of: impl Fn(usize) -> Instruction) -> [Instruction; 2] {
    DIVIDENDS.map(of)
}

fn legacy(code: Code) -> [Instruction; 2] {
    pair(|number| Instruction::with2(code, xmm(number), xmm(DIVISOR)).expect("the operands fit"))
}

#[test]
fn quotients_by_variables() {
    let place = MemoryOperand::with_base(Register::RAX + PLACE.0 as u32);
    let scalar =
        |code| pair(|number| Instruction::with2(code, xmm(number), place).expect("the operands fit"));
    check(scalar(Code::Divsd_xmm_xmmm64), Content::F64, 1, 64);
    check(scalar(Code::Divss_xmm_xmmm32), Content::F32, 1, 64);
    let code = Code::VEX_Vdivpd_ymm_ymm_ymmm256;
    let wide = |number| Instruction::with3(code, ymm(number), ymm(number), place).expect("the operands fit");
    check(pair(wide), Content::F64, 4, 32);
}

#[test]
fn scalar_quotients() {
    check(legacy(Code::Divsd_xmm_xmmm64), Content::F64, 1, 64);
    check(legacy(Code::Divss_xmm_xmmm32), Content::F32, 1, 64);
}

#[test]
fn quotients_of_vectors() {
    check(legacy(Code::Divpd_xmm_xmmm128), Content::F64, 2, 64);
    check(legacy(Code::Divps_xmm_xmmm128), Content::F32, 4, 64);
}

#[test]
fn quotients_of_wide_vectors() {
    let wide = |code: Code| {
        pair(|number| {
            Instruction::with3(code, ymm(number), ymm(number), ymm(DIVISOR)).expect("the operands fit")
        })
    };
    check(wide(Code::VEX_Vdivpd_ymm_ymm_ymmm256), Content::F64, 4, 32);
    check(wide(Code::VEX_Vdivps_ymm_ymm_ymmm256), Content::F32, 8, 32);
}
