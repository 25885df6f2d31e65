//! Numbers of two bytes: binary16 and bfloat16.

use crate::harness::compare::number;
use crate::harness::examine::{every_form, with_expectation};
use crate::harness::families::{codes, family, Family, VECTOR_FEATURES, WIDE_FEATURES};
use crate::harness::generate::Generated;
use crate::harness::random::Random;
use crate::harness::report::Failures;
use crate::harness::run::Harness;
use crate::harness::values::Content;
use half::bf16;
use iced_x86::{Code, Instruction, Register};
use std::is_x86_feature_detected;

/// Does it write numbers of two bytes, whose dot values may have no room?
pub fn has_two_bytes(code: Code) -> bool {
    match family(code) {
        Family::Arithmetic(_, content, _) => content == Content::F16,
        Family::Same { .. } => {
            let name = format!("{code:?}").to_lowercase();
            ["ph_", "ph2", "phx", "sh_", "sh2", "bf16_"].iter().any(|part| name.contains(part))
        }
        _ => false,
    }
}

#[test]
fn numbers_of_two_bytes() {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    for features in [VECTOR_FEATURES, WIDE_FEATURES] {
        for code in codes(features).into_iter().filter(|code| has_two_bytes(*code)) {
            every_form(&mut harness, &mut failures, code, family(code));
        }
    }
    let conversions = if is_x86_feature_detected!("f16c") { 20 } else { 0 };
    let arithmetic = if is_x86_feature_detected!("avx512fp16") { 1000 } else { 0 };
    failures.finish(conversions + arithmetic);
}

/// Words whose upper halves are numbers.
fn pairs(bytes: &mut [u8], random: &mut Random) {
    for lane in bytes.chunks_mut(2) {
        lane.copy_from_slice(&bf16::from_f64(random.moderate()).to_le_bytes());
    }
}

#[test]
fn sums_of_products_of_bfloat16() {
    if !is_x86_feature_detected!("avx512bf16") {
        return;
    }
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    let (target, one, other) = (Register::ZMM1, Register::ZMM20, Register::ZMM3);
    let code = Code::EVEX_Vdpbf16ps_zmm_k1z_zmm_zmmm512b32;
    let instruction = Instruction::with3(code, target, one, other).expect("the operands fit");
    let generated = Generated::from(instruction, false, None);
    let seed = &mut Random(7);
    let mut values = [[0; 64]; 3];
    values.iter_mut().for_each(|value| pairs(value, seed));
    let prepare = |machine: &mut crate::harness::machine::Machine, _: &mut Random| {
        for (register, value) in [target, one, other].into_iter().zip(values) {
            machine.vectors[register.number()] = value;
        }
    };
    with_expectation(&mut harness, &mut failures, &generated, 60, prepare, |before, _, expected| {
        let shadow = |register: Register| before.shadows.vectors[register.number()];
        let half = |bytes: &[u8; 64], at: usize| bf16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f64();
        for at in (0..64).step_by(4) {
            let mut sum = number(&shadow(target)[at..at + 4]);
            for part in [at, at + 2] {
                for (dots, factors) in [(shadow(one), values[2]), (shadow(other), values[1])] {
                    let dot = half(&dots, part);
                    sum += if dot == 0.0 { 0.0 } else { dot * half(&factors, part) };
                }
            }
            let result = (sum as f32).to_le_bytes();
            expected.shadows.vectors[target.number()][at..at + 4].copy_from_slice(&result);
        }
    });
    failures.finish(60);
}
