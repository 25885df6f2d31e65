//! Numbers of two bytes: binary16 and bfloat16.

use crate::harness::compare::{number, Lane};
use crate::harness::examine::{every_form, with_expectation};
use crate::harness::families::{codes, family, Family, VECTOR_FEATURES, WIDE_FEATURES};
use crate::harness::generate::Generated;
use crate::harness::random::Random;
use crate::harness::reference::Format;
use crate::harness::report::Failures;
use crate::harness::run::Harness;
use crate::harness::values::Content;
use half::{bf16, f16};
use iced_x86::{Code, Instruction, Register};
use std::is_x86_feature_detected;

/// Does it write numbers of two bytes, whose dot values may have no room?
fn has_two_bytes(code: Code) -> bool {
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

/// Complex numbers of two binary16.
fn complex_products(code: Code, conjugates: bool, adds: bool, lanes: usize) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    let registers = if lanes == 1 {
        [Register::XMM1, Register::XMM2, Register::XMM3]
    } else {
        [Register::ZMM1, Register::ZMM20, Register::ZMM3]
    };
    let [target, one, other] = registers.map(|register| register.number());
    let instruction =
        Instruction::with3(code, registers[0], registers[1], registers[2]).expect("the operands fit");
    let generated = Generated::from(instruction, false, None);
    let numbers = |bytes: &mut [u8; 64], random: &mut Random| {
        bytes
            .chunks_mut(2)
            .for_each(|lane| lane.copy_from_slice(&f16::from_f64(random.moderate()).to_le_bytes()));
    };
    let prepare = |machine: &mut crate::harness::machine::Machine, random: &mut Random| {
        [target, one, other].iter().for_each(|number| numbers(&mut machine.vectors[*number], random));
    };
    let content = Content::F16;
    let product = |[a, b]: [f64; 2], [c, d]: [f64; 2]| {
        let d = if conjugates { -d } else { d };
        [a * c - b * d, b * c + a * d]
    };
    let sizes = |[a, b]: [f64; 2], [c, d]: [f64; 2]| [a, b, c, d].iter().map(|part| part.abs()).sum::<f64>();
    with_expectation(&mut harness, &mut failures, &generated, 40, prepare, |before, native, expected| {
        let pair = |bytes: &[u8; 64], at: usize| [at, at + 2].map(|at| number(&bytes[at..at + 2]));
        expected.shadows.vectors[target] = [0; 64];
        if lanes == 1 {
            let above = before.shadows.vectors[one][4..16].to_vec();
            expected.shadows.vectors[target][4..16].copy_from_slice(&above);
            assert_eq!(native.vectors[target][4..16], before.machine.vectors[one][4..16]);
        }
        for at in (0..4 * lanes).step_by(4) {
            let value = |number: usize| pair(&before.machine.vectors[number], at);
            let dot = |number: usize| pair(&before.shadows.vectors[number], at);
            if [one, other, target].iter().any(|number| dot(*number).iter().any(|dot| !dot.is_finite())) {
                expected.unspecified.push((target, at));
                expected.is_on_edge = true;
                continue;
            }
            let (added, added_dot) = if adds { (value(target), dot(target)) } else { ([0.0; 2], [0.0; 2]) };
            let primal = product(value(one), value(other));
            let dots = [product(dot(one), value(other)), product(value(one), dot(other))];
            let size = sizes(value(one), value(other)).powi(2);
            let scale =
                sizes(dot(one), dot(other)) * sizes(value(one), value(other)) + sizes(added_dot, [0.0; 2]);
            for half in 0..2 {
                let offset = at + 2 * half;
                let result = number(&native.vectors[target][offset..offset + 2]);
                let exact = added[half] + primal[half];
                assert!((result - exact).abs() <= 4e-3 * (size + exact.abs()), "{result} {exact}");
                let shadow = added_dot[half] + dots[0][half] + dots[1][half];
                let written = f16::from_f64(shadow).to_le_bytes();
                expected.shadows.vectors[target][offset..offset + 2].copy_from_slice(&written);
                expected.lanes.push(Lane { register: target, offset, content, shadow, scale });
                expected.note_room(Format::Binary16, shadow, false);
            }
        }
    });
    failures.finish(40);
}

#[test]
fn products_of_complex_numbers() {
    use Code::*;
    if !is_x86_feature_detected!("avx512fp16") {
        return;
    }
    complex_products(EVEX_Vfmulcph_zmm_k1z_zmm_zmmm512b32_er, false, false, 16);
    complex_products(EVEX_Vfcmulcph_zmm_k1z_zmm_zmmm512b32_er, true, false, 16);
    complex_products(EVEX_Vfmaddcph_zmm_k1z_zmm_zmmm512b32_er, false, true, 16);
    complex_products(EVEX_Vfcmaddcph_zmm_k1z_zmm_zmmm512b32_er, true, true, 16);
    complex_products(EVEX_Vfmulcsh_xmm_k1z_xmm_xmmm32_er, false, false, 1);
    complex_products(EVEX_Vfcmulcsh_xmm_k1z_xmm_xmmm32_er, true, false, 1);
    complex_products(EVEX_Vfmaddcsh_xmm_k1z_xmm_xmmm32_er, false, true, 1);
    complex_products(EVEX_Vfcmaddcsh_xmm_k1z_xmm_xmmm32_er, true, true, 1);
}
