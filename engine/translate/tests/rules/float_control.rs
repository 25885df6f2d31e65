//! Flags, traps and rounding: what shadow arithmetic does to the client's control word, and the control word to
//! shadows.

use crate::harness::examine::{every_form_under, Conditions};
use crate::harness::families::{codes, family, Family, VECTOR_FEATURES, WIDE_FEATURES};
use crate::harness::machine::{Machine, Shadows, DEFAULT_CONTROL};
use crate::harness::random::Random;
use crate::harness::region::AREAS;
use crate::harness::report::Failures;
use crate::harness::run::{Configuration, End, Harness, Outcome, Program};
use crate::harness::values::Content;
use derivgrind_translate::interface::ExitKind;
use derivgrind_translate::state::State;
use iced_x86::{Code, Encoder, Instruction, MemoryOperand, Register};

/// Denormals are zero, flush to zero.
const DAZ: u32 = 1 << 6;
const FTZ: u32 = 1 << 15;
/// Two bits of the rounding mode; zero: to nearest.
const ROUNDING: u32 = 3 << 13;
/// Mask of the exception for divisions by zero.
const DIVIDE_MASK: u32 = 1 << 9;

fn computes(family: Family) -> bool {
    match family {
        Family::Arithmetic(..) | Family::DotProduct(_) => true,
        Family::Same { content, .. } => content != Content::Bits,
        _ => false,
    }
}

fn all(conditions: Conditions) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    // Of the many forms of AVX-512, some.
    let step = if std::env::var_os("DERIVGRIND_FULL_TESTS").is_some() { 1 } else { 7 };
    let wide = codes(WIDE_FEATURES).into_iter().step_by(step);
    for code in codes(VECTOR_FEATURES).into_iter().chain(wide) {
        let family = family(code);
        if computes(family) {
            every_form_under(conditions, &mut harness, &mut failures, code, family);
        }
    }
    failures.finish(1000);
}

#[test]
fn passive_lanes_are_quiet_where_denormals_are_flushed() {
    let control = |random: &mut Random| DEFAULT_CONTROL | random.word() as u32 & (DAZ | FTZ | 0x3f);
    all(Conditions { control, ..Conditions::USUAL });
}

#[test]
fn with_a_control_word_of_its_own_shadow_arithmetic_rounds_to_nearest() {
    let control =
        |random: &mut Random| DEFAULT_CONTROL | random.word() as u32 & (DAZ | FTZ | ROUNDING | 0x3f);
    all(Conditions { own_control: true, control, ..Conditions::USUAL });
}

#[test]
fn with_a_control_word_of_its_own_shadow_arithmetic_changes_no_flag() {
    let control =
        |random: &mut Random| DEFAULT_CONTROL | random.word() as u32 & (DAZ | FTZ | ROUNDING | 0x3f);
    all(Conditions { own_control: true, control, active_specials: true, ..Conditions::USUAL });
}

/// Runs one instruction on a machine.
fn run(
    configuration: Configuration,
    instruction: Instruction,
    machine: &Machine,
    shadows: &Shadows,
) -> Option<Outcome> {
    let mut encoder = Encoder::new(64);
    let mut program = Program { bytes: Vec::new(), far: false, constant: None, skipped: 0, arguments: None };
    encoder.encode(&instruction, program.start()).expect("it can be encoded");
    program.bytes = encoder.take_buffer();
    let mut harness = Harness::lock();
    harness.translated(&program, configuration, State::UNKNOWN, machine, shadows, 1).ok()
}

/// The root of zero, whose derivative is infinite.
fn root_of_zero(configuration: Configuration, control: u32) -> Option<Outcome> {
    let root = Instruction::with2(Code::Sqrtsd_xmm_xmmm64, Register::XMM0, Register::XMM1);
    let mut machine = Machine::zero();
    machine.control = control;
    let mut shadows = Shadows::zero();
    shadows.vectors[1][..8].copy_from_slice(&1f64.to_le_bytes());
    run(configuration, root.expect("the operands fit"), &machine, &shadows)
}

#[test]
fn known_an_infinite_derivative_of_an_active_value_raises_a_flag() {
    const DIVIDED_BY_ZERO: u32 = 1 << 2;
    for configuration in Configuration::available() {
        let outcome = root_of_zero(configuration, DEFAULT_CONTROL).expect("no trap");
        assert_eq!(outcome.machine.control, DEFAULT_CONTROL | DIVIDED_BY_ZERO, "{configuration:?}");
        assert_eq!(outcome.shadows.vectors[0][..8], f64::INFINITY.to_le_bytes());
        let outcome = root_of_zero(configuration.with_own_control(), DEFAULT_CONTROL).expect("no trap");
        assert_eq!(outcome.machine.control, DEFAULT_CONTROL, "{configuration:?}");
        assert_eq!(outcome.shadows.vectors[0][..8], f64::INFINITY.to_le_bytes());
    }
}

#[test]
fn shadow_arithmetic_does_not_trap_where_the_client_has_unmasked_exceptions() {
    let control = DEFAULT_CONTROL & !DIVIDE_MASK;
    for configuration in Configuration::available() {
        assert!(root_of_zero(configuration, control).is_none(), "{configuration:?}: the test needs a trap");
        let outcome = root_of_zero(configuration.with_own_control(), control).expect("no trap");
        assert_eq!(outcome.machine.control, control);
    }
}

#[test]
fn a_control_word_under_which_shadow_arithmetic_cannot_run_is_noticed() {
    const PLACE: u64 = AREAS[0] + 0x100;
    let place = MemoryOperand::with_base(Register::RBX);
    let load = Instruction::with1(Code::Ldmxcsr_m32, place).expect("the operand fits");
    let usual = [DEFAULT_CONTROL, DEFAULT_CONTROL | DAZ | FTZ, DEFAULT_CONTROL | 0x3f];
    let unusual = [0, DEFAULT_CONTROL & !DIVIDE_MASK, DEFAULT_CONTROL | 1 << 13, DEFAULT_CONTROL | ROUNDING];
    let end = |configuration: Configuration, control: u32| {
        let mut machine = Machine::zero();
        machine.general[1] = 0x1234_5678_9abc_def0;
        machine.general[3] = PLACE;
        machine.memory.at_mut(PLACE, 4).copy_from_slice(&control.to_le_bytes());
        let outcome = run(configuration, load, &machine, &Shadows::zero()).expect("no fault");
        assert_eq!(outcome.machine.general, machine.general);
        assert_eq!(outcome.machine.flags, machine.flags);
        assert_eq!(outcome.machine.control, control);
        let End::Exit(kind, _) = outcome.end else { panic!("{:?}", outcome.end) };
        kind
    };
    for configuration in Configuration::available() {
        for control in usual {
            assert_eq!(end(configuration, control), ExitKind::Link, "{control:#x}");
        }
        for control in unusual {
            assert_eq!(end(configuration, control), ExitKind::NeedsOwnControl, "{control:#x}");
            assert_eq!(end(configuration.with_own_control(), control), ExitKind::Link, "{control:#x}");
        }
    }
}
