//! Calls of library functions whose derivatives are not known: one call counts once, and a passive call never.

use crate::harness::machine::{Machine, Shadows};
use crate::harness::random::Random;
use crate::harness::region::STACK_POINTER;
use crate::harness::run::{Configuration, Harness, Program};
use derivgrind_functions::names;
use derivgrind_functions::places::FloatArguments;
use derivgrind_translate::state::State;

/// nop
const CODE: [u8; 1] = [0x90];

fn counts(harness: &mut Harness, arguments: FloatArguments, shadows: &Shadows) -> Vec<u64> {
    let skipped = 0;
    let program =
        Program { bytes: CODE.to_vec(), far: false, constant: None, skipped, arguments: Some(arguments) };
    let mut machine = Machine::zero();
    machine.general[4] = STACK_POINTER;
    let run = |configuration: Configuration| {
        let outcome = harness.translated(&program, configuration, State::UNKNOWN, &machine, shadows, 1);
        outcome.unwrap_or_else(|(fault, _)| panic!("{configuration:?} {fault:?}")).count()
    };
    Configuration::available().into_iter().map(run).collect()
}

#[test]
fn stale_registers_behind_the_arguments_are_not_counted() {
    let mut harness = Harness::lock();
    let mut random = Random(1);
    for (name, registers, bytes, extended) in [
        ("sin", 1, 8, 0),
        ("powf", 2, 4, 0),
        ("cpow", 4, 8, 0),
        ("_ZGVbN2vv_pow", 2, 16, 0),
        ("fmal", 0, 0, 3),
    ] {
        let arguments = names::arguments(name.as_bytes());
        let mut shadows = Shadows::zero();
        for vector in &mut shadows.vectors {
            random.fill(&mut vector[..16]);
        }
        random.fill(shadows.memory.at_mut(STACK_POINTER, 256));
        for vector in &mut shadows.vectors[..registers] {
            vector[..bytes].fill(0);
        }
        for place in 0..extended {
            shadows.memory.at_mut(STACK_POINTER + 8 + 16 * place, 10).fill(0);
        }
        let passive = counts(&mut harness, arguments, &shadows);
        assert!(passive.iter().all(|count| *count == 0), "{name}: {passive:?}");
        // Each argument by itself, and all of them.
        let mut all = shadows.clone();
        for register in 0..registers {
            let mut one = shadows.clone();
            for shadows in [&mut one, &mut all] {
                shadows.vectors[register][bytes - 1] = 0x40;
            }
            let active = counts(&mut harness, arguments, &one);
            assert!(active.iter().all(|count| *count == 1), "{name}, register {register}: {active:?}");
        }
        for place in 0..extended {
            let mut one = shadows.clone();
            for shadows in [&mut one, &mut all] {
                shadows.memory.at_mut(STACK_POINTER + 8 + 16 * place, 10)[9] = 0x40;
            }
            let active = counts(&mut harness, arguments, &one);
            assert!(active.iter().all(|count| *count == 1), "{name}, place {place}: {active:?}");
        }
        let active = counts(&mut harness, arguments, &all);
        assert!(active.iter().all(|count| *count == 1), "{name}: {active:?}");
    }
}
