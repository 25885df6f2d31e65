//! x87 instructions against dual numbers: values are binary64 numbers, so that the derivatives of the standard
//! library's functions are an oracle of their own.

use crate::harness::compare;
use crate::harness::examine::Case;
use crate::harness::generate::{generate, Addressing, Aliasing, Generated, Wish};
use crate::harness::machine::{word, Machine, Shadows};
use crate::harness::random::Random;
use crate::harness::region::AREAS;
use crate::harness::report::{describe, Failures};
use crate::harness::run::{Configuration, End, Harness, Outcome, Program};
use crate::harness::tape::Dot;
use crate::harness::values::{random_machine, random_shadows, random_states, Content};
use crate::harness::x87::{expected, extended, pushes, read_real, real_in_memory, rounded, Dual, Results};
use derivgrind_translate::computed::extended_shadows::marked;
use derivgrind_translate::interface::{ExitKind, Mode};
use derivgrind_translate::recording::TAG;
use derivgrind_translate::state::State;
use iced_x86::{Code, Instruction, MemorySize, Mnemonic};
use std::collections::HashMap;

/// Do the numbers of a case have to lie in a certain range?
fn in_range(mnemonic: Mnemonic, position: usize, number: f64) -> f64 {
    match (mnemonic, position) {
        (Mnemonic::Fsqrt | Mnemonic::Fyl2x, 0) => number.abs(),
        (Mnemonic::F2xm1, 0) => (number / 100.0).sin(),
        (Mnemonic::Fyl2xp1, 0) => number.sin() * 0.29,
        (Mnemonic::Fscale, 1) => number.sin() * 60.0,
        _ => number,
    }
}

/// Values at which partial derivatives are infinite or undefined.
const SPECIAL: [f64; 8] = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.0, -0.0, 1e300, 1e-310, f64::MAX];

fn is_arithmetic(mnemonic: Mnemonic) -> bool {
    let name = format!("{mnemonic:?}").to_lowercase();
    ["add", "sub", "mul", "div"].iter().any(|operation| name.contains(operation))
}

struct Stack {
    top: usize,
    numbers: [Dual; 8],
}

fn random_stack(mnemonic: Mnemonic, active: bool, random: &mut Random) -> Stack {
    let numbers = std::array::from_fn(|position| {
        if is_arithmetic(mnemonic) && random.once_in(4) {
            return Dual { value: SPECIAL[random.below(SPECIAL.len())], dot: 0.0 };
        }
        let dot = if !active || random.once_in(3) { 0.0 } else { random.moderate() };
        Dual { value: in_range(mnemonic, position, random.moderate()), dot }
    });
    Stack { top: random.below(8), numbers }
}

fn install(stack: &Stack, code: Code, machine: &mut Machine, shadows: &mut Shadows) {
    machine.x87[3] = (stack.top << 3) as u8;
    let room = pushes(code).max(0) as usize;
    for (position, number) in stack.numbers.iter().enumerate() {
        let physical = (stack.top + position) % 8;
        machine.x87[32 + 16 * position..][..10].copy_from_slice(&extended(number.value));
        // What is pushed goes to an empty register, which has no shadow.
        let empty = position >= 8 - room;
        machine.x87[4] |= u8::from(!empty) << physical;
        if !empty {
            shadows.x87[physical][..10].copy_from_slice(&extended(number.dot));
        }
    }
}

/// Runs one case; true if it ran.
fn run_one(harness: &mut Harness, failures: &mut Failures, code: Code, random: &mut Random) {
    let addressing = Addressing::ALL[random.below(Addressing::ALL.len())];
    let wish = Wish {
        memory: true,
        addressing,
        aliasing: Aliasing::ALL[random.below(2)],
        far: random.once_in(2),
        aligned: random.once_in(2),
        pc: None,
        fixed_bases: false,
    };
    let Some(generated) = generate(code, wish, random) else { return };
    let all = Configuration::available();
    let configuration = all[random.below(all.len())];
    let states = random_states(random);
    let state = states[random.below(states.len())];
    let mut machine = random_machine(Content::F64, configuration, random);
    let mut shadows = random_shadows(Content::F64, configuration, state, random);
    shadows.x87 = [[0; 16]; 8];
    generated.prepare(&mut machine);
    let instruction = generated.instruction;
    let stack = random_stack(code.mnemonic(), !random.once_in(4), random);
    install(&stack, code, &mut machine, &mut shadows);
    let size = instruction.memory_size();
    let mut memory = Dual { value: 0.0, dot: 0.0 };
    if let Some((address, length)) = generated.place {
        let bytes = real_in_memory(size, random.moderate());
        machine.memory.at_mut(address, length).copy_from_slice(&bytes);
        memory.value = read_real(size, &bytes);
        let real = matches!(size, MemorySize::Float32 | MemorySize::Float64 | MemorySize::Float80);
        let mut dot = if real { real_in_memory(size, random.moderate()) } else { vec![1; length] };
        if random.once_in(2) {
            dot.fill(0);
        }
        shadows.memory.at_mut(address, length).copy_from_slice(&dot);
        memory.dot = if real { read_real(size, &dot) } else { f64::from(dot[0]) };
    }
    let results = expected(&instruction, &stack.numbers, memory, machine.flags);
    let case = Case {
        generated,
        machine,
        shadows,
        state,
        configuration,
        flags_dead: random.once_in(2),
        quiet: true,
        checks_shadows: true,
    };
    let native = harness.native(&case.program(), &case.machine).expect("it runs natively");
    failures.cases += 1;
    let ran = harness.translated(
        &case.program(),
        configuration,
        state,
        &case.machine,
        &case.shadows,
        random.word(),
    );
    let outcome = ran.unwrap_or_else(|(fault, _)| panic!("{code:?}: {fault:x?}"));
    let differences = judge(&case, &native, &outcome, &stack, &results);
    if !differences.is_empty() {
        failures.add(&format!("{code:?}"), || {
            describe(&case.program(), configuration, &outcome.translations, &differences)
        });
    }
    for mode in [Mode::Recording, Mode::RecordingWide, Mode::Paused] {
        let differences = recorded(harness, &case, mode, &stack, memory, &results);
        if !differences.is_empty() {
            failures.add(&format!("{code:?} in {mode:?}"), || differences.join("\n"));
        }
    }
}

/// Runs the case with indices: each active number is an input, and the tape must give the dot values.
fn recorded(
    harness: &mut Harness,
    case: &Case,
    mode: Mode,
    stack: &Stack,
    memory: Dual,
    results: &Results,
) -> Vec<String> {
    let code = case.generated.instruction.code();
    let size = case.generated.instruction.memory_size();
    let mut shadows = case.shadows.clone();
    let mut inputs = HashMap::new();
    let mut next: u64 = if mode == Mode::RecordingWide { 1 << 33 } else { 1 };
    let mut index_of = |dot: f64| {
        inputs.insert(next, Dot { value: dot, scale: dot.abs() });
        next += 1;
        next - 1
    };
    for (position, number) in stack.numbers.iter().enumerate() {
        let slot = &mut shadows.x87[(stack.top + position) % 8];
        if *slot != [0; 16] {
            *slot = [0; 16];
            slot[..10].copy_from_slice(&marked(index_of(number.dot)));
        }
    }
    if let Some((address, length)) = case.generated.place.filter(|_| memory.dot != 0.0) {
        let place = shadows.memory.at_mut(address, length);
        let index: u64 = index_of(memory.dot);
        place.fill(0);
        match size {
            MemorySize::Float32 => place.copy_from_slice(&(index as u32 | TAG).to_le_bytes()),
            MemorySize::Float80 => place.copy_from_slice(&marked(index)),
            _ if length < 8 => place.fill(1),
            _ => place[..8].copy_from_slice(&index.to_le_bytes()),
        }
    }
    // A binary32 in memory has no room for such an index.
    let is_narrow = mode == Mode::RecordingWide && size == MemorySize::Float32;
    if is_narrow && memory.dot != 0.0 {
        return Vec::new();
    }
    harness.first_index = next;
    let configuration = case.configuration.in_mode(mode);
    let ran = harness.translated(&case.program(), configuration, case.state, &case.machine, &shadows, 1);
    harness.first_index = 1;
    let outcome = ran.unwrap_or_else(|(fault, _)| panic!("{code:?}: {fault:x?}"));
    let mut differences = Vec::new();
    let lost = results.counted || is_narrow && results.memory.is_some_and(|dot| dot != 0.0);
    if (outcome.count() == 0) == lost {
        differences.push(format!("counted {} times, expected: {lost}", outcome.count()));
    }
    outcome.written.evaluate(&mut inputs).expect("the tape is sound");
    let is_copy = matches!(code.mnemonic(), Mnemonic::Fld | Mnemonic::Fst | Mnemonic::Fstp | Mnemonic::Fxch)
        || format!("{:?}", code.mnemonic()).starts_with("Fcmov");
    let mut compare = |what: String, wanted: f64, index: u64| {
        let dot = if index == 0 { 0.0 } else { inputs.get(&index).map_or(f64::NAN, |dot| dot.value) };
        let wanted = if mode == Mode::Paused && !is_copy { dot } else { wanted };
        let is_kept = index != 0 && mode == Mode::Paused && index >= next;
        let is_large = !wanted.is_finite() || wanted.abs() > 1e290 || wanted.abs() < 1e-290;
        let is_close = (dot - wanted).abs() <= 1e-12 * wanted.abs().max(1e-3);
        let is_close = is_close || is_large && wanted != 0.0;
        if is_kept || !is_close {
            differences.push(format!("{what}: index {index} has dot value {dot}, expected {wanted}"));
        }
    };
    let top = (stack.top as i32 - pushes(code)).rem_euclid(8) as usize;
    for (position, wanted) in &results.stack {
        let slot = outcome.shadows.x87[(top + position) % 8];
        compare(format!("st({position})"), *wanted, word(&slot));
    }
    if let (Some(wanted), Some((address, length)), false) = (results.memory, case.generated.place, lost) {
        let mut bytes = [0; 16];
        bytes[..length].copy_from_slice(outcome.shadows.memory.at(address, length));
        let tag = if size == MemorySize::Float32 { !u64::from(TAG) } else { !0 };
        compare("memory".into(), wanted, word(&bytes) & tag);
    }
    differences
}

fn judge(case: &Case, native: &Machine, outcome: &Outcome, stack: &Stack, results: &Results) -> Vec<String> {
    let code = case.generated.instruction.code();
    let mut differences = compare::primal(native, &outcome.machine, case.configuration, true);
    let mut shadows = case.before().unchanged();
    let mut close = |what: String, wanted: f64, place: &[u8], computed: f64, tolerance: f64| {
        // Binary64 has less room.
        let is_large = !wanted.is_finite() || wanted.abs() > 1e290 || wanted.abs() < 1e-290;
        let is_close = (wanted - computed).abs() <= tolerance * wanted.abs().max(1e-3);
        let is_close = is_close || is_large && wanted != 0.0;
        let is_passive = wanted != 0.0 || place.iter().all(|byte| *byte == 0);
        if !is_close || !is_passive {
            differences.push(format!("{what}: expected {wanted:e}, computed {computed:e}"));
        }
    };
    let top = (stack.top as i32 - pushes(code)).rem_euclid(8) as usize;
    let after = |position: usize| (top + position) % 8;
    let pops = if code == Code::Fincstp { 0 } else { (-pushes(code)).max(0) };
    for popped in 0..pops as usize {
        shadows.shadows.x87[(stack.top + popped) % 8].fill(0);
    }
    for (position, wanted) in &results.stack {
        let computed = outcome.shadows.x87[after(*position)];
        let name = format!("shadow of st({position})");
        close(name, *wanted, &computed, rounded(&computed), 1e-12);
        shadows.shadows.x87[after(*position)] = computed;
    }
    let instruction = &case.generated.instruction;
    if let (Some(wanted), Some((address, length))) = (results.memory, case.generated.place) {
        let computed = outcome.shadows.memory.at(address, length).to_vec();
        let size = instruction.memory_size();
        let tolerance = if size == MemorySize::Float32 { 1e-6 } else { 1e-12 };
        close("shadow of memory".into(), wanted, &computed, read_real(size, &computed), tolerance);
        shadows.shadows.memory.at_mut(address, length).copy_from_slice(&computed);
    }
    if !case.configuration.has_vex() {
        shadows.shadows.vectors.iter_mut().for_each(|shadow| shadow[16..].fill(0));
    }
    differences.extend(compare::shadows(&shadows, &outcome.shadows));
    if !matches!(outcome.end, End::Exit(ExitKind::Link, target) if target == case.program().end()) {
        differences.push(format!("ended at {:?}", outcome.end));
    }
    if (outcome.count() == 0) == results.counted {
        differences.push(format!("counted {} times, expected: {}", outcome.count(), results.counted));
    }
    differences
}

/// All codes of these mnemonics.
fn all(mnemonics: &[Mnemonic], least: usize) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    for code in Code::values().filter(|code| mnemonics.contains(&code.mnemonic())) {
        let mut random = Random(code as u64);
        for _ in 0..80 {
            run_one(&mut harness, &mut failures, code, &mut random);
        }
    }
    failures.finish(least);
}

#[test]
fn loads_and_stores() {
    use Mnemonic::*;
    all(&[Fld, Fst, Fstp, Fstpnce, Fild, Fbld], 1000);
}

#[test]
fn exchanges_and_conditional_moves() {
    use Mnemonic::*;
    all(&[Fxch, Fcmovb, Fcmove, Fcmovbe, Fcmovu, Fcmovnb, Fcmovne, Fcmovnbe, Fcmovnu], 700);
}

#[test]
fn x87_arithmetic() {
    use Mnemonic::*;
    all(&[Fadd, Faddp, Fiadd, Fsub, Fsubp, Fisub, Fsubr, Fsubrp, Fisubr, Fmul, Fmulp, Fimul], 2000);
    all(&[Fdiv, Fdivp, Fidiv, Fdivr, Fdivrp, Fidivr], 1000);
}

#[test]
fn x87_functions() {
    use Mnemonic::*;
    all(&[Fsqrt, Fabs, Fchs, Fsin, Fcos, Fsincos, Fptan, F2xm1, Fscale, Fprem, Fprem1], 800);
    all(&[Fyl2x, Fyl2xp1, Fpatan, Fxtract], 300);
}

#[test]
fn comparisons_rounding_and_constants_leave_passive_numbers() {
    use Mnemonic::*;
    all(&[Fist, Fistp, Fisttp, Fbstp, Frndint, Ffree, Fincstp, Fdecstp, Fxam, Ftst], 1000);
    all(&[Fcom, Fcomp, Fcompp, Fucom, Fucomp, Fucompp, Fcomi, Fcomip, Fucomi, Fucomip, Ficom, Ficomp], 1000);
    all(&[Fld1, Fldl2e, Fldl2t, Fldlg2, Fldln2, Fldpi, Fldz], 500);
}

/// The significand alone tells nothing.
#[test]
fn numbers_whose_exponent_has_been_replaced_are_counted() {
    use iced_x86::{MemoryOperand, Register};
    const PLACE: u64 = AREAS[0] + 0x100;
    let mut harness = Harness::lock();
    let at = |displacement| MemoryOperand::with_base_displ(Register::RBX, displacement);
    let replace = Instruction::with2(Code::Mov_rm16_r16, at(8), Register::AX).expect("the operands fit");
    let load = Instruction::with1(Code::Fld_m80fp, at(0)).expect("the operand fits");
    let add = Instruction::with1(Code::Fadd_m64fp, at(16)).expect("the operand fits");
    for (mode, shadow) in [(Mode::Forward, extended(2.5)), (Mode::Recording, marked(7))] {
        for (replaced, instructions) in [(true, vec![replace, load, add]), (false, vec![load, add])] {
            let bytes = Generated::sequence(&instructions, false, None).bytes;
            let program = Program { bytes, far: false, constant: None, skipped: 0, arguments: None };
            let mut machine = Machine::zero();
            machine.general[3] = PLACE;
            machine.general[0] = 0x3ffe;
            machine.memory.at_mut(PLACE, 10).copy_from_slice(&extended(1.5));
            let mut shadows = Shadows::zero();
            shadows.memory.at_mut(PLACE, 10).copy_from_slice(&shadow);
            for configuration in Configuration::available() {
                let configuration = configuration.in_mode(mode);
                harness.first_index = 8;
                let state = State::UNKNOWN;
                let outcome = harness.translated(&program, configuration, state, &machine, &shadows, 1);
                let outcome = outcome.unwrap_or_else(|(fault, _)| panic!("{fault:x?}"));
                assert_eq!(outcome.count(), u64::from(replaced), "{mode:?}");
                let kept = if replaced { [0; 10] } else { shadow };
                assert_eq!(outcome.shadows.x87[7][..10], kept, "{mode:?}");
            }
        }
    }
    harness.first_index = 1;
}
