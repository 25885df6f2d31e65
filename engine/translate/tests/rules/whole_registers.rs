//! Instructions that concern all vector registers at once.

use crate::harness::compare::Expected;
use crate::harness::examine::with_expectation;
use crate::harness::generate::Generated;
use crate::harness::machine::{Machine, DEFAULT_CONTROL};
use crate::harness::random::Random;
use crate::harness::reference::Before;
use crate::harness::region::AREAS;
use crate::harness::report::Failures;
use crate::harness::run::Harness;
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
