//! Sign and exponent of a number in memory, changed by integer instructions: recorded against forward mode.
//!
//! The upper part of a binary64 has no index of its own there, and a dot value loses what is overwritten, so that the
//! number that it belongs to must be found.

use crate::harness::generate::Generated;
use crate::harness::machine::Shadows;
use crate::harness::random::Random;
use crate::harness::region::AREAS;
use crate::harness::report::Failures;
use crate::harness::run::{Configuration, Harness, Program};
use crate::harness::twins::{run, Twin};
use crate::harness::values::{random_machine, Content};
use derivgrind_translate::computed::extended_shadows::marked;
use derivgrind_translate::interface::Mode;
use derivgrind_translate::state::State;
use iced_x86::{Code, Instruction, MemoryOperand, Register};

const RCX: usize = 1;
const RDI: usize = 7;
/// Where the number is, and a copy of it.
const NUMBER: u64 = AREAS[0] + 0x100;
const COPY: i64 = 0x20;
/// Where a pointer to it is.
const POINTER: i64 = 0x40;
/// Where a variable is.
const VARIABLE: i64 = 0x60;

fn place(displacement: i64) -> MemoryOperand {
    MemoryOperand::with_base_displ(Register::RDI, displacement)
}

fn made(instruction: Result<Instruction, iced_x86::IcedError>) -> Instruction {
    instruction.expect("the operands fit")
}

fn program(instructions: &[Instruction]) -> Program {
    let bytes = Generated::sequence(instructions, false, None).bytes;
    Program { bytes, far: false, constant: None, skipped: 0, arguments: None }
}

/// A program starts in a passive block, or with unknown shadows.
const STATES: [State; 2] = [State::ZERO, State::UNKNOWN];

/// Dot values of the number and of nothing else.
fn dots(random: &mut Random) -> Shadows {
    let mut shadows = Shadows::zero();
    shadows.memory.at_mut(NUMBER, 8).copy_from_slice(&random.moderate().to_le_bytes());
    shadows
}

const BOTH: [Mode; 2] = [Mode::Recording, Mode::RecordingWide];

/// Runs instructions on an active number, and loads it.
fn on_number(modes: &[Mode], instructions: &[Instruction]) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    let mut random = Random(11);
    let mut all = instructions.to_vec();
    all.push(made(Instruction::with2(Code::Movsd_xmm_xmmm64, Register::XMM5, place(0))));
    let mut compared = 0;
    for configuration in Configuration::available() {
        for mode in modes.iter().copied() {
            for state in STATES.repeat(4) {
                let mut machine = random_machine(Content::F64, configuration, &mut random);
                machine.general[RDI] = NUMBER;
                machine.memory.at_mut(NUMBER, 8).copy_from_slice(&random.moderate().to_le_bytes());
                let twin = Twin::new(program(&all), Content::F64, mode, machine, state, dots(&mut random));
                failures.cases += 1;
                match run(&mut harness, configuration, mode, &twin, random.word()) {
                    Ok(active) => compared += active,
                    Err(text) => failures.add(&format!("{mode:?}"), || text),
                }
            }
        }
    }
    let cases = failures.cases;
    failures.finish(8);
    assert!(compared >= 2 * cases, "only {compared} active lanes were compared");
}

const SIGN: u32 = 1 << 31;
const EXPONENT: u32 = 1 << 20;

#[test]
fn the_upper_half_is_changed_where_it_is() {
    let constants = [
        (Code::Xor_rm32_imm32, SIGN),
        (Code::And_rm32_imm32, !SIGN),
        (Code::Or_rm32_imm32, SIGN),
        (Code::Add_rm32_imm32, 3 * EXPONENT),
        (Code::Sub_rm32_imm32, 2 * EXPONENT),
    ];
    for (code, constant) in constants {
        on_number(&BOTH, &[made(Instruction::with2(code, place(4), constant))]);
    }
}

#[test]
fn the_sign_is_changed_in_a_byte_or_two() {
    for (code, constant) in
        [(Code::Xor_rm8_imm8, 0x80), (Code::And_rm8_imm8, 0x7f), (Code::Or_rm8_imm8, 0x80)]
    {
        on_number(&BOTH, &[made(Instruction::with2(code, place(7), constant))]);
    }
    for (code, constant) in
        [(Code::Xor_rm16_imm16, 0x8000), (Code::And_rm16_imm16, 0x7fff), (Code::Or_rm16_imm16, 0x8000)]
    {
        on_number(&BOTH, &[made(Instruction::with2(code, place(6), constant))]);
    }
}

/// A copy of the number, whose upper half goes through eax, as unions of numbers and integers are compiled.
fn by_way_of_eax(changes: &[(Code, u32)]) {
    let load = made(Instruction::with2(Code::Mov_r32_rm32, Register::EAX, place(COPY + 4)));
    let store = made(Instruction::with2(Code::Mov_rm32_r32, place(COPY + 4), Register::EAX));
    by_way_of_a_register(load, changes, store);
}

/// The same for other parts.
fn by_way_of_a_register(load_part: Instruction, changes: &[(Code, u32)], store_part: Instruction) {
    let load = |to, from| made(Instruction::with2(Code::Movsd_xmm_xmmm64, to, place(from)));
    let store = |to, from| made(Instruction::with2(Code::Movsd_xmmm64_xmm, place(to), from));
    let mut instructions = vec![load(Register::XMM0, 0), store(COPY, Register::XMM0), load_part];
    for (code, constant) in changes {
        instructions.push(made(Instruction::with2(*code, Register::EAX, *constant)));
    }
    instructions.push(store_part);
    // Half of a dot value is compared with nothing.
    instructions.push(made(Instruction::with2(Code::Mov_r32_imm32, Register::EAX, 0)));
    instructions.push(load(Register::XMM1, COPY));
    // An index of more than 32 bits has a part in the upper half: what is loaded there is counted.
    on_number(&[Mode::Recording], &instructions);
}

#[test]
fn the_upper_half_is_stored_by_itself() {
    by_way_of_eax(&[(Code::Xor_rm32_imm32, SIGN)]);
    by_way_of_eax(&[(Code::And_rm32_imm32, !SIGN)]);
    by_way_of_eax(&[(Code::Add_rm32_imm32, 5 * EXPONENT)]);
    by_way_of_eax(&[(Code::And_rm32_imm32, 0x800f_ffff), (Code::Or_rm32_imm32, 0x3fe0_0000)]);
    by_way_of_eax(&[]);
}

#[test]
fn fields_of_bits_are_stored_by_bytes_or_words() {
    let load = |code, at| made(Instruction::with2(code, Register::EAX, place(COPY + at)));
    let store = |code, at, from| made(Instruction::with2(code, place(COPY + at), from));
    // The exponent, as unoptimised code sets it; the sign; the sign of minus the absolute value.
    let words = (load(Code::Movzx_r32_rm16, 6), store(Code::Mov_rm16_r16, 6, Register::AX));
    by_way_of_a_register(words.0, &[(Code::And_rm32_imm32, 0x800f), (Code::Or_rm32_imm32, 0x3fe0)], words.1);
    by_way_of_a_register(words.0, &[(Code::And_rm32_imm32, 0x7fff)], words.1);
    by_way_of_a_register(words.0, &[(Code::Xor_rm32_imm32, 0x8000)], words.1);
    let bytes = (load(Code::Movzx_r32_rm8, 7), store(Code::Mov_rm8_r8, 7, Register::AL));
    by_way_of_a_register(bytes.0, &[(Code::And_rm32_imm32, 0x7f)], bytes.1);
    by_way_of_a_register(bytes.0, &[(Code::And_rm32_imm32, 0x7f), (Code::Or_rm32_imm32, 0x80)], bytes.1);
}

/// The address is computed twice, from the stack, as unoptimised code does it, and the number is not accessed.
#[test]
fn a_part_comes_back_by_way_of_a_pointer() {
    let address = |at: i64| {
        let variable = MemoryOperand::with_base_displ(Register::RDI, POINTER);
        let load = made(Instruction::with2(Code::Mov_r64_rm64, Register::RAX, variable));
        [load, made(Instruction::with2(Code::Add_rm64_imm8, Register::RAX, at as i32))]
    };
    let there = MemoryOperand::with_base(Register::RAX);
    let cases = [
        (4, Code::Mov_r32_rm32, vec![(Code::Xor_rm32_imm32, SIGN)], Code::Mov_rm32_r32, Register::ECX),
        (
            4,
            Code::Mov_r32_rm32,
            vec![(Code::Add_rm32_imm32, 3 * EXPONENT)],
            Code::Mov_rm32_r32,
            Register::ECX,
        ),
        (6, Code::Movzx_r32_rm16, vec![(Code::And_rm32_imm32, 0x7fff)], Code::Mov_rm16_r16, Register::CX),
        (
            6,
            Code::Movzx_r32_rm16,
            vec![(Code::And_rm32_imm32, 0x800f), (Code::Or_rm32_imm32, 0x3fe0)],
            Code::Mov_rm16_r16,
            Register::CX,
        ),
        (7, Code::Movzx_r32_rm8, vec![(Code::Xor_rm32_imm32, 0x80)], Code::Mov_rm8_r8, Register::CL),
    ];
    for (at, load, changes, store, part) in cases {
        let pointer = made(Instruction::with2(Code::Lea_r64_m, Register::RAX, place(0)));
        let variable = MemoryOperand::with_base_displ(Register::RDI, POINTER);
        let mut instructions =
            vec![pointer, made(Instruction::with2(Code::Mov_rm64_r64, variable, Register::RAX))];
        instructions.extend(address(at));
        instructions.push(made(Instruction::with2(load, Register::ECX, there)));
        let of = |(code, constant): &(Code, u32)| made(Instruction::with2(*code, Register::ECX, *constant));
        instructions.extend(changes.iter().map(of));
        instructions.extend(address(at));
        instructions.push(made(Instruction::with2(store, there, part)));
        // Half of a dot value is compared with nothing.
        instructions.push(made(Instruction::with2(Code::Mov_r32_imm32, Register::ECX, 0)));
        on_number(&[Mode::Recording], &instructions);
    }
}

/// As unoptimised code does it: `int half = number->words[1]; half ^= 1 << 31; number->words[1] = half;`
#[test]
fn the_upper_half_is_changed_in_a_variable() {
    let half = place(VARIABLE);
    let pointer = [
        made(Instruction::with2(Code::Lea_r64_m, Register::RSI, place(0))),
        made(Instruction::with2(Code::Mov_rm64_r64, place(POINTER), Register::RSI)),
    ];
    let load_pointer = made(Instruction::with2(Code::Mov_r64_rm64, Register::RSI, place(POINTER)));
    let upper = MemoryOperand::with_base_displ(Register::RSI, 4);
    let with_constant = |code, constant: u32| vec![made(Instruction::with2(code, half, constant))];
    let by_register = vec![
        made(Instruction::with2(Code::Mov_r32_rm32, Register::EAX, half)),
        made(Instruction::with2(Code::Xor_rm32_imm32, Register::EAX, SIGN)),
        made(Instruction::with2(Code::Mov_rm32_r32, half, Register::EAX)),
    ];
    let of_memory = vec![
        made(Instruction::with2(Code::Mov_r32_imm32, Register::EAX, SIGN)),
        made(Instruction::with2(Code::Xor_r32_rm32, Register::EAX, half)),
        made(Instruction::with2(Code::Mov_rm32_r32, half, Register::EAX)),
    ];
    let changes = [
        with_constant(Code::Xor_rm32_imm32, SIGN),
        with_constant(Code::And_rm32_imm32, !SIGN),
        with_constant(Code::Add_rm32_imm32, 3 * EXPONENT),
        [with_constant(Code::And_rm32_imm32, 0x800f_ffff), with_constant(Code::Or_rm32_imm32, 0x3fe0_0000)]
            .concat(),
        by_register,
        of_memory,
    ];
    for changes in changes {
        let mut instructions = pointer.to_vec();
        instructions.push(load_pointer);
        instructions.push(made(Instruction::with2(Code::Mov_r32_rm32, Register::ECX, upper)));
        instructions.push(made(Instruction::with2(Code::Mov_rm32_r32, half, Register::ECX)));
        instructions.extend(changes);
        instructions.push(load_pointer);
        instructions.push(made(Instruction::with2(Code::Mov_r32_rm32, Register::EDX, half)));
        instructions.push(made(Instruction::with2(Code::Mov_rm32_r32, upper, Register::EDX)));
        // Half of a dot value is compared with nothing.
        for register in [Register::EAX, Register::ECX, Register::EDX] {
            instructions.push(made(Instruction::with2(Code::Mov_r32_imm32, register, 0)));
        }
        instructions.push(made(Instruction::with2(Code::Mov_rm32_imm32, half, 0)));
        on_number(&[Mode::Recording], &instructions);
    }
}

#[test]
fn another_upper_half_is_counted() {
    count(&[
        made(Instruction::with2(Code::Mov_r32_rm32, Register::EAX, place(4))),
        made(Instruction::with2(Code::Xor_rm32_imm32, Register::EAX, 0x12345u32)),
        made(Instruction::with2(Code::Mov_rm32_r32, place(4), Register::EAX)),
    ]);
}

#[test]
fn a_constant_over_the_upper_half_is_counted() {
    count(&[
        made(Instruction::with2(Code::Movsd_xmm_xmmm64, Register::XMM1, place(0))),
        made(Instruction::with2(Code::Mov_rm32_imm32, place(4), 0x3ff1_2345u32)),
    ]);
}

/// The instructions change the upper half of a recorded number to another, which is passive then.
fn count(changed: &[Instruction]) {
    let mut harness = Harness::lock();
    let mut random = Random(5);
    let load = made(Instruction::with2(Code::Movsd_xmm_xmmm64, Register::XMM0, place(0)));
    for configuration in Configuration::available() {
        for state in STATES {
            let mut machine = random_machine(Content::F64, configuration, &mut random);
            machine.general[RDI] = NUMBER;
            machine.memory.at_mut(NUMBER, 8).copy_from_slice(&1.75f64.to_le_bytes());
            let mut shadows = Shadows::zero();
            shadows.memory.at_mut(NUMBER, 8).copy_from_slice(&7u64.to_le_bytes());
            harness.first_index = 9;
            let recording = configuration.in_mode(Mode::Recording);
            let ran = harness.translated(
                &program(&[changed, &[load]].concat()),
                recording,
                state,
                &machine,
                &shadows,
                3,
            );
            let outcome = ran.unwrap_or_else(|(fault, _)| panic!("{fault:?}"));
            assert_eq!(outcome.count(), 1, "{configuration:?}");
            assert_eq!(outcome.shadows.vectors[0][..8], [0; 8], "{configuration:?}");
        }
    }
}

#[test]
fn an_integer_above_numbers_of_four_bytes_is_none_of_them() {
    let mut harness = Harness::lock();
    let mut random = Random(6);
    let change = made(Instruction::with2(Code::Or_rm32_imm32, place(4), EXPONENT));
    for configuration in Configuration::available() {
        for state in STATES {
            let mut machine = random_machine(Content::F32, configuration, &mut random);
            machine.general[RDI] = NUMBER;
            let mut shadows = Shadows::zero();
            shadows.memory.at_mut(NUMBER, 4).copy_from_slice(&0x8000_0007u32.to_le_bytes());
            let recording = configuration.in_mode(Mode::Recording);
            let ran = harness.translated(&program(&[change]), recording, state, &machine, &shadows, 3);
            let outcome = ran.unwrap_or_else(|(fault, _)| panic!("{fault:?}"));
            assert_eq!(outcome.count(), 0, "{configuration:?}");
            assert_eq!(outcome.shadows.memory.at(NUMBER, 8), shadows.memory.at(NUMBER, 8));
        }
    }
}

/// Counters and other small integers where a number has been, whose index is left: nothing is counted or changed.
#[test]
fn small_integers_are_no_halves_of_numbers() {
    let mut harness = Harness::lock();
    let mut random = Random(8);
    let load = made(Instruction::with2(Code::Mov_r32_rm32, Register::EAX, place(4)));
    let store = made(Instruction::with2(Code::Mov_rm32_r32, place(4), Register::EAX));
    let by_register = |code| made(Instruction::with2(code, Register::EAX, Register::ECX));
    let steps = [
        vec![load, made(Instruction::with2(Code::Add_rm32_imm8, Register::EAX, 1)), store],
        vec![load, made(Instruction::with1(Code::Dec_rm32, Register::EAX)), store],
        vec![load, by_register(Code::Add_rm32_r32), store],
        vec![load, by_register(Code::Or_rm32_r32), store],
        vec![made(Instruction::with2(Code::Or_rm32_r32, place(4), Register::ECX))],
    ];
    for configuration in Configuration::available() {
        for (state, step) in STATES.into_iter().flat_map(|state| steps.iter().map(move |step| (state, step)))
        {
            for before in [0u32, 1, 999, u32::MAX] {
                let mut machine = random_machine(Content::F64, configuration, &mut random);
                machine.general[RDI] = NUMBER;
                machine.general[RCX] = 12;
                machine.memory.at_mut(NUMBER + 4, 4).copy_from_slice(&before.to_le_bytes());
                let mut shadows = Shadows::zero();
                shadows.memory.at_mut(NUMBER, 8).copy_from_slice(&7u64.to_le_bytes());
                let recording = configuration.in_mode(Mode::Recording);
                let ran = harness.translated(&program(step), recording, state, &machine, &shadows, 3);
                let outcome = ran.unwrap_or_else(|(fault, _)| panic!("{fault:?}"));
                assert_eq!(outcome.count(), 0, "{configuration:?} {before}");
                assert_eq!(outcome.shadows.memory.at(NUMBER, 8), shadows.memory.at(NUMBER, 8));
            }
        }
    }
}

#[test]
fn the_sign_of_an_extended_number_is_changed_in_a_byte() {
    let mut harness = Harness::lock();
    let mut random = Random(7);
    // 2.5, and its sign in the tenth byte.
    let number = [0, 0, 0, 0, 0, 0, 0, 0xa0, 0x00, 0x40];
    let cases = [
        (Code::Xor_rm8_imm8, 0x80, true),
        (Code::And_rm8_imm8, 0x7f, false),
        (Code::Or_rm8_imm8, 0x80, true),
    ];
    for configuration in Configuration::available() {
        for (state, (code, constant, negates)) in
            STATES.into_iter().flat_map(|state| cases.map(|case| (state, case)))
        {
            let change = made(Instruction::with2(code, place(9), constant));
            let mut machine = random_machine(Content::F64, configuration, &mut random);
            machine.general[RDI] = NUMBER;
            machine.memory.at_mut(NUMBER, 10).copy_from_slice(&number);
            let mut shadows = Shadows::zero();
            shadows.memory.at_mut(NUMBER, 10).copy_from_slice(&marked(7));
            harness.first_index = 9;
            let recording = configuration.in_mode(Mode::Recording);
            let ran = harness.translated(&program(&[change]), recording, state, &machine, &shadows, 3);
            let outcome = ran.unwrap_or_else(|(fault, _)| panic!("{fault:?}"));
            assert_eq!(outcome.count(), 0, "{configuration:?} {code:?}");
            let index = if negates { 9 } else { 7 };
            assert_eq!(outcome.shadows.memory.at(NUMBER, 10), marked(index), "{configuration:?} {code:?}");
            assert_eq!(outcome.written.next_index, if negates { 10 } else { 9 });
        }
    }
}
