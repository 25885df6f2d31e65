//! Negations in general registers, as unoptimised code makes them: recorded against forward mode.
//!
//! Which half is negated is known only when the code runs, but the layout on the tape is not: the halves that keep
//! their sign have holes there.

use crate::harness::generate::Generated;
use crate::harness::machine::Machine;
use crate::harness::random::Random;
use crate::harness::report::Failures;
use crate::harness::run::{Configuration, Harness, Program};
use crate::harness::twins::{run, Twin};
use crate::harness::values::{random_machine, random_shadows, Content};
use derivgrind_translate::interface::Mode;
use derivgrind_translate::state::State;
use iced_x86::{Code, Instruction, Register};

const RAX: usize = 0;
const RDX: usize = 2;
const UPPER: u64 = 1 << 63;
const LOWER: u64 = 1 << 31;

/// Runs instructions on an active rax and a mask in rdx.
fn with_masks(content: Content, masks: &[u64], instructions: &[Instruction]) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    let mut random = Random(7);
    let generated = Generated::sequence(instructions, false, None);
    let mut compared = 0;
    for configuration in Configuration::available() {
        for mask in masks {
            for all_zero in [0u16, !0] {
                // Only rax is active among general registers.
                let state = State::active(!1, all_zero, false);
                let mut machine: Machine = random_machine(content, configuration, &mut random);
                machine.general[RDX] = *mask;
                let dots = random_shadows(content, configuration, state, &mut random);
                machine.general[RAX] = random.moderate().to_bits();
                let program = Program {
                    bytes: generated.bytes.clone(),
                    far: false,
                    constant: None,
                    skipped: 0,
                    arguments: None,
                };
                let twin = Twin::new(program, content, Mode::Recording, machine, state, dots);
                failures.cases += 1;
                match run(&mut harness, configuration, Mode::Recording, &twin, random.word()) {
                    Ok(active) => compared += active,
                    Err(text) => failures.add(&format!("{mask:#x}"), || text),
                }
            }
        }
    }
    failures.finish(2 * masks.len());
    assert!(compared > 0, "active lanes were compared");
}

fn exclusive_or() -> Instruction {
    Instruction::with2(Code::Xor_rm64_r64, Register::RAX, Register::RDX).expect("the operands fit")
}

/// Operations in front and behind, so that the negation is not alone in its execution.
fn among_others(width: Code) -> Vec<Instruction> {
    let sum = Instruction::with2(width, Register::XMM0, Register::XMM1).expect("the operands fit");
    vec![sum, exclusive_or(), sum, exclusive_or()]
}

#[test]
fn a_skipped_negation_of_a_binary64_leaves_all_registers_in_place() {
    for _ in 0..10 {
        with_masks(Content::F64, &[0, UPPER], &[exclusive_or()]);
    }
}

#[test]
fn a_negation_of_a_binary64_among_other_operations() {
    with_masks(Content::F64, &[0, UPPER], &among_others(Code::Addsd_xmm_xmmm64));
}

#[test]
fn negations_of_one_or_both_binary32() {
    for _ in 0..10 {
        with_masks(Content::F32, &[0, UPPER, LOWER, UPPER | LOWER], &[exclusive_or()]);
    }
}

#[test]
fn a_negation_of_binary32_among_other_operations() {
    with_masks(Content::F32, &[0, UPPER, LOWER, UPPER | LOWER], &among_others(Code::Mulss_xmm_xmmm32));
}

#[test]
fn a_negation_of_a_binary32_by_a_constant() {
    let negation = Instruction::with2(Code::Xor_rm32_imm32, Register::EAX, 1u32 << 31).expect("it fits");
    with_masks(Content::F32, &[0], &[negation, exclusive_or(), negation]);
}
