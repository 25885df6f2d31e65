//! Differentiation rules, executed: what translated code computes is compared with native execution and with dual
//! numbers.

#[path = "../harness/mod.rs"]
mod harness;

mod bit_factors;
mod blocks;
mod classes;
mod control;
mod conversions;
mod counted;
mod float_control;
mod gather;
mod general;
mod implicit_memory;
mod library_calls;
mod lowering;
mod mmx;
mod moves;
mod narrow;
mod reciprocals;
mod recorded;
mod recorded_signs;
mod rounding;
mod selection;
mod upper_parts;
mod vectors;
mod whole_registers;
mod wide_clients;
mod wide_moves;
mod wide_recorded;
mod x87;
mod x87_blocks;

use derivgrind_translate::interface::ExitKind;
use derivgrind_translate::state::State;
use harness::machine::{Machine, Shadows};
use harness::run::{Configuration, End, Harness, Program};

#[test]
fn a_sum_of_two_registers() {
    let mut harness = Harness::lock();
    // addsd xmm0, xmm1
    let program = Program {
        bytes: vec![0xf2, 0x0f, 0x58, 0xc1],
        far: false,
        constant: None,
        skipped: 0,
        arguments: None,
    };
    let mut machine = Machine::zero();
    machine.vectors[0][..8].copy_from_slice(&2f64.to_le_bytes());
    machine.vectors[1][..8].copy_from_slice(&3f64.to_le_bytes());
    let native = harness.native(&program, &machine).expect("runs");
    assert_eq!(native.vectors[0][..8], 5f64.to_le_bytes());
    let mut shadows = Shadows::zero();
    shadows.vectors[0][..8].copy_from_slice(&10f64.to_le_bytes());
    shadows.vectors[1][..8].copy_from_slice(&20f64.to_le_bytes());
    for configuration in Configuration::available() {
        let outcome = harness.translated(&program, configuration, State::UNKNOWN, &machine, &shadows, 1);
        let outcome = outcome.unwrap_or_else(|(fault, _)| panic!("{configuration:?} {fault:?}"));
        assert_eq!(outcome.end, End::Exit(ExitKind::Link, program.end()));
        assert_eq!(outcome.machine.vectors[0][..8], 5f64.to_le_bytes(), "{configuration:?}");
        assert_eq!(outcome.shadows.vectors[0][..8], 30f64.to_le_bytes(), "{configuration:?}");
    }
}
