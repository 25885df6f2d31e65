//! Instructions that concern all vector registers at once.

use crate::harness::compare::Expected;
use crate::harness::examine::with_expectation;
use crate::harness::generate::Generated;
use crate::harness::machine::{Machine, DEFAULT_CONTROL};
use crate::harness::random::Random;
use crate::harness::reference::Before;
use crate::harness::region::AREAS;
use crate::harness::report::Failures;
use crate::harness::run::{Harness, Program, MEMORY_AVX512};
use crate::harness::values::{random_machine, random_shadows, Content};
use derivgrind_translate::state::State;
use iced_x86::{Code, Instruction, MemoryOperand, Register};

const TIMES: usize = 40;
/// Where state is saved: aligned as `xsave` demands.
const PLACE: u64 = AREAS[0] + 0x100;
/// Offsets of the lower and upper halves (Intel SDM volume 1, sections 10.5 and 13.4).
const LOWER: u64 = 160;
const UPPER: u64 = 576;
/// Offset of x87 numbers.
const NUMBERS: u64 = 32;
/// Top of the x87 stack in images to be restored.
const TOP: usize = 3;

fn check(
    generated: &Generated,
    prepare: impl Fn(&mut Machine, &mut Random),
    expect: impl Fn(&Before, &Machine, &mut Expected),
) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    with_expectation(&mut harness, &mut failures, generated, TIMES, prepare, expect);
    failures.finish(TIMES);
}

fn at_rbx(code: Code) -> Generated {
    let operand = MemoryOperand::with_base(Register::RBX);
    let instruction = Instruction::with1(code, operand).expect("the operands fit");
    let mut generated = Generated::from(instruction, false, Some((PLACE, 832)));
    generated.addresses.push((3, PLACE));
    generated
}

#[test]
fn vzeroupper_clears_upper_halves_of_shadows() {
    check(
        &Generated::from(Instruction::with(Code::VEX_Vzeroupper), false, None),
        |_, _| {},
        |_, _, expected| {
            for shadow in &mut expected.shadows.vectors[..16] {
                shadow[16..].fill(0);
            }
        },
    );
}

#[test]
fn vzeroall_clears_shadows() {
    check(
        &Generated::from(Instruction::with(Code::VEX_Vzeroall), false, None),
        |_, _| {},
        |_, _, expected| {
            expected.shadows.vectors[..16].fill([0; 64]);
        },
    );
}

/// x87, SSE and AVX.
fn all_components(machine: &mut Machine) {
    machine.general[0] = 7;
    machine.general[2] = 0;
}

#[test]
fn saved_registers_have_saved_shadows() {
    let wide =
        [Code::Xsave_mem, Code::Xsave64_mem, Code::Xsavec_mem, Code::Xsavec64_mem, Code::Xsaveopt64_mem];
    let narrow = [Code::Fxsave_m512byte, Code::Fxsave64_m512byte];
    for code in wide.into_iter().chain(narrow) {
        let prepare = |machine: &mut Machine, random: &mut Random| {
            all_components(machine);
            machine.x87[3] = (random.below(8) << 3) as u8;
            // The header must be valid.
            machine.memory.at_mut(PLACE + 512, 64).fill(0);
        };
        check(&at_rbx(code), prepare, |before, _, expected| {
            expected.shadows.memory.at_mut(PLACE, LOWER as usize).fill(0);
            let top = top(before.machine);
            for number in 0..8 {
                let place = PLACE + NUMBERS + 16 * number as u64;
                let shadow = &before.shadows.x87[(top + number) % 8];
                expected.shadows.memory.at_mut(place, 10).copy_from_slice(&shadow[..10]);
            }
            for (number, shadow) in before.shadows.vectors[..16].iter().enumerate() {
                let at = 16 * number as u64;
                expected.shadows.memory.at_mut(PLACE + LOWER + at, 16).copy_from_slice(&shadow[..16]);
                if wide.contains(&code) {
                    expected.shadows.memory.at_mut(PLACE + UPPER + at, 16).copy_from_slice(&shadow[16..32]);
                }
            }
        });
    }
}

/// Number of the physical x87 register that is st(0).
fn top(machine: &Machine) -> usize {
    usize::from(machine.x87[3] >> 3 & 7)
}

/// Saves, changes registers, and restores from the same area, as the dynamic linker does.
#[test]
fn what_only_zmm_registers_have_survives_saving_and_restoring() {
    if !is_x86_feature_detected!("avx512bw") {
        return;
    }
    let operand = || MemoryOperand::with_base(Register::RBX);
    let clear =
        |register| Instruction::with3(Code::EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, register, register, register);
    let instructions = [
        clear(Register::ZMM29),
        Instruction::with1(Code::Xsave64_mem, operand()),
        clear(Register::ZMM1),
        clear(Register::ZMM17),
        Instruction::with1(Code::Xrstor64_mem, operand()),
    ];
    let instructions: Vec<_> = instructions.into_iter().map(|one| one.expect("the operands fit")).collect();
    let mut generated = Generated::sequence(&instructions, false, None);
    generated.addresses.push((3, PLACE));
    let prepare = |machine: &mut Machine, _: &mut Random| {
        machine.general[0] = 0xe7;
        machine.general[2] = 0;
        machine.memory.at_mut(PLACE + 512, 64).fill(0);
    };
    let mut harness = Harness::lock();
    let mut random = Random(5);
    let program =
        Program { bytes: generated.bytes.clone(), far: false, constant: None, skipped: 0, arguments: None };
    for state in [State::UNKNOWN, State::active(!0, 0x00f0, true), State::ZERO] {
        let mut machine = random_machine(Content::F64, MEMORY_AVX512, &mut random);
        let mut shadows = random_shadows(Content::F64, MEMORY_AVX512, state, &mut random);
        for vector in &mut shadows.vectors[16..] {
            Content::F64.fill_shadow(vector, &mut random);
        }
        generated.prepare(&mut machine);
        prepare(&mut machine, &mut random);
        shadows.memory.at_mut(PLACE, 1792).fill(0);
        let native = harness.native(&program, &machine).expect("it runs natively");
        let outcome = harness.translated(&program, MEMORY_AVX512, state, &machine, &shadows, 1);
        let outcome = outcome.unwrap_or_else(|(fault, _)| panic!("{fault:?}"));
        assert!(outcome.machine.vectors == native.vectors, "values are the native ones");
        shadows.vectors[29] = [0; 64];
        for (number, vector) in shadows.vectors.iter().enumerate() {
            assert_eq!(outcome.shadows.vectors[number], *vector, "shadow of register {number}, {state:?}");
        }
    }
}

/// A valid image of a saved state, with random vector registers.
fn image(machine: &mut Machine, _: &mut Random) {
    all_components(machine);
    machine.memory.at_mut(PLACE, 160).fill(0);
    machine.memory.at_mut(PLACE, 2).copy_from_slice(&0x37fu16.to_le_bytes());
    machine.memory.at_mut(PLACE + 3, 1)[0] = (TOP << 3) as u8;
    machine.memory.at_mut(PLACE + 24, 4).copy_from_slice(&DEFAULT_CONTROL.to_le_bytes());
    machine.memory.at_mut(PLACE + 512, 64).fill(0);
    machine.memory.at_mut(PLACE + 512, 1)[0] = 7;
}

#[test]
fn restored_registers_have_restored_shadows() {
    let wide = [Code::Xrstor_mem, Code::Xrstor64_mem];
    let narrow = [Code::Fxrstor_m512byte, Code::Fxrstor64_m512byte];
    for code in wide.into_iter().chain(narrow) {
        check(&at_rbx(code), image, |before, _, expected| {
            for number in 0..8 {
                let place = PLACE + NUMBERS + 16 * number as u64;
                let shadow = before.shadows.memory.at(place, 10);
                expected.shadows.x87[(TOP + number) % 8][..10].copy_from_slice(shadow);
            }
            for (number, shadow) in expected.shadows.vectors[..16].iter_mut().enumerate() {
                let at = 16 * number as u64;
                shadow[..16].copy_from_slice(before.shadows.memory.at(PLACE + LOWER + at, 16));
                if wide.contains(&code) {
                    shadow[16..32].copy_from_slice(before.shadows.memory.at(PLACE + UPPER + at, 16));
                }
            }
        });
    }
}

#[test]
fn components_that_are_not_in_the_image_become_passive() {
    let prepare = |machine: &mut Machine, random: &mut Random| {
        image(machine, random);
        machine.memory.at_mut(PLACE + 512, 1)[0] = 6;
    };
    check(&at_rbx(Code::Xrstor64_mem), prepare, |before, _, expected| {
        expected.shadows.x87 = [[0; 16]; 8];
        for (number, shadow) in expected.shadows.vectors[..16].iter_mut().enumerate() {
            let at = 16 * number as u64;
            shadow[..16].copy_from_slice(before.shadows.memory.at(PLACE + LOWER + at, 16));
            shadow[16..32].copy_from_slice(before.shadows.memory.at(PLACE + UPPER + at, 16));
        }
    });
}

#[test]
fn saved_x87_states_carry_shadows() {
    for (code, start, size) in [
        (Code::Fnsave_m108byte, 28, 108),
        (Code::Fnsave_m94byte, 14, 94),
        (Code::Frstor_m108byte, 28, 108),
        (Code::Frstor_m94byte, 14, 94),
    ] {
        let operand = MemoryOperand::with_base(Register::RBX);
        let instruction = Instruction::with1(code, operand).expect("the operands fit");
        let mut generated = Generated::from(instruction, false, Some((PLACE, size)));
        generated.addresses.push((3, PLACE));
        let restores = matches!(code, Code::Frstor_m108byte | Code::Frstor_m94byte);
        let prepare = |machine: &mut Machine, random: &mut Random| {
            machine.x87[3] = (random.below(8) << 3) as u8;
            if restores {
                machine.memory.at_mut(PLACE, size).fill(0);
                machine.memory.at_mut(PLACE, 2).copy_from_slice(&0x37fu16.to_le_bytes());
                let status = if size == 108 { 4 } else { 2 };
                machine.memory.at_mut(PLACE + status, 2)[1] = (TOP << 3) as u8;
            }
        };
        check(&generated, prepare, |before, _, expected| {
            let place = |number: usize| PLACE + start + 10 * number as u64;
            if restores {
                for number in 0..8 {
                    let shadow = before.shadows.memory.at(place(number), 10);
                    expected.shadows.x87[(TOP + number) % 8][..10].copy_from_slice(shadow);
                }
                return;
            }
            expected.shadows.memory.at_mut(PLACE, size).fill(0);
            for number in 0..8 {
                let shadow = &before.shadows.x87[(top(before.machine) + number) % 8];
                expected.shadows.memory.at_mut(place(number), 10).copy_from_slice(&shadow[..10]);
            }
            expected.shadows.x87 = [[0; 16]; 8];
        });
    }
}
