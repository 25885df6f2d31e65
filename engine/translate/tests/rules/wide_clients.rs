//! Clients that use AVX-512, from the state in which no register that a state tells about is active.

use crate::harness::generate::Generated;
use crate::harness::machine::{Machine, Shadows};
use crate::harness::random::Random;
use crate::harness::region::{AREAS, STACK_POINTER};
use crate::harness::run::{Harness, Outcome, Program, MEMORY_AVX512};
use derivgrind_translate::state::State;
use iced_x86::{Code, Instruction, MemoryOperand, Register};

const FROM: u64 = AREAS[0] + 0x100;
const TO: u64 = AREAS[0] + 0x200;

/// A copy of 64 bytes by way of zmm17; the store is masked with k1.
fn copy() -> Vec<Instruction> {
    let (load, store) = (Code::EVEX_Vmovdqu64_zmm_k1z_zmmm512, Code::EVEX_Vmovdqu64_zmmm512_k1z_zmm);
    let (from, to) = (MemoryOperand::with_base(Register::RBX), MemoryOperand::with_base(Register::RSI));
    let load = Instruction::with2(load, Register::ZMM17, from).expect("the operands fit");
    let mut store = Instruction::with2(store, to, Register::ZMM17).expect("the operands fit");
    store.set_op_mask(Register::K1);
    vec![load, store]
}

fn run(harness: &mut Harness, instructions: &[Instruction], shadows: &Shadows, mask: u64) -> Outcome {
    let bytes = Generated::sequence(instructions, false, None).bytes;
    let program = Program { bytes, far: false, constant: None, skipped: 0, arguments: None };
    let mut machine = Machine::zero();
    machine.general[4] = STACK_POINTER;
    machine.general[3] = FROM;
    machine.general[6] = TO;
    machine.masks[1] = mask;
    Random(3).fill(machine.memory.at_mut(FROM, 64));
    let native = harness.native(&program, &machine).expect("it runs natively");
    let outcome = harness.translated(&program, MEMORY_AVX512, State::ZERO, &machine, shadows, 1);
    let outcome = outcome.unwrap_or_else(|(fault, _)| panic!("{fault:?}"));
    assert!(outcome.machine.memory == native.memory, "the copy is the native one");
    assert_eq!(outcome.count(), 0);
    outcome
}

#[test]
fn copies_through_wide_registers_move_shadows_from_any_state() {
    if !is_x86_feature_detected!("avx512bw") {
        return;
    }
    let mut harness = Harness::lock();
    let mut random = Random(2);
    for (loaded, stale, kept) in [
        (false, false, false),
        (true, false, false),
        (false, true, false),
        (false, false, true),
        (true, true, true),
    ] {
        for mask in [0xff, 0x5a, 0] {
            let mut shadows = Shadows::zero();
            if loaded {
                random.fill(shadows.memory.at_mut(FROM, 64));
            }
            if stale {
                random.fill(&mut shadows.vectors[17]);
            }
            if kept {
                random.fill(shadows.memory.at_mut(TO, 64));
            }
            let outcome = run(&mut harness, &copy(), &shadows, mask);
            assert_eq!(outcome.shadows.vectors[17], *shadows.memory.at(FROM, 64), "{loaded} {stale} {kept}");
            for lane in 0..8 {
                let from = if mask >> lane & 1 != 0 { FROM } else { TO };
                let expected = shadows.memory.at(from + 8 * lane, 8);
                assert_eq!(
                    outcome.shadows.memory.at(TO + 8 * lane, 8),
                    expected,
                    "{loaded} {stale} {kept} {lane}"
                );
            }
        }
    }
}

#[test]
fn stores_of_stale_wide_registers_are_not_taken_for_passive() {
    if !is_x86_feature_detected!("avx512bw") {
        return;
    }
    let mut harness = Harness::lock();
    let mut shadows = Shadows::zero();
    Random(4).fill(&mut shadows.vectors[17]);
    let outcome = run(&mut harness, &copy()[1..], &shadows, 0xff);
    assert_eq!(*outcome.shadows.memory.at(TO, 64), shadows.vectors[17]);
}
