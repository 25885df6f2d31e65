//! x87 instructions against dual numbers: values are binary64 numbers, so that the derivatives of the standard library's
//! functions are an oracle of their own.

use crate::harness::compare;
use crate::harness::examine::Case;
use crate::harness::generate::{generate, Addressing, Aliasing, Wish};
use crate::harness::machine::{word, Machine, Shadows};
use crate::harness::random::Random;
use crate::harness::report::{describe, Failures};
use crate::harness::run::{Configuration, End, Harness, Outcome};
use crate::harness::tape::Dot;
use crate::harness::values::{random_machine, random_shadows, random_states, Content};
use derivgrind_translate::computed::extended_shadows::marked;
use derivgrind_translate::interface::{ExitKind, Mode};
use derivgrind_translate::recording::TAG;
use iced_x86::{Code, Instruction, MemorySize, Mnemonic, OpKind};
use std::collections::HashMap;

/// A binary64 number with 80 bits.
pub fn extended(number: f64) -> [u8; 10] {
    let mut bytes = [0; 10];
    // SAFETY: leaves the x87 unit as it was.
    unsafe {
        std::arch::asm!("fld qword ptr [{}]", "fstp tbyte ptr [{}]", in(reg) &number, in(reg) &mut bytes);
    }
    bytes
}

/// Rounds to binary64.
pub fn rounded(bytes: &[u8]) -> f64 {
    let (number, mut result): ([u8; 10], f64) = (bytes[..10].try_into().expect("ten bytes"), 0.0);
    // SAFETY: leaves the x87 unit as it was.
    unsafe {
        std::arch::asm!("fld tbyte ptr [{}]", "fstp qword ptr [{}]", in(reg) &number, in(reg) &mut result);
    }
    result
}

/// A number and its dot value, or the absence of one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dual {
    pub value: f64,
    pub dot: f64,
}

/// What becomes of numbers on the stack, by position behind the instruction, and of memory.
#[derive(Default)]
pub struct Results {
    pub stack: Vec<(usize, f64)>,
    pub memory: Option<f64>,
    pub counted: bool,
}

/// How many numbers more are on the stack.
pub fn pushes(code: Code) -> i32 {
    let name = format!("{:?}", code.mnemonic()).to_lowercase();
    match name.as_str() {
        "fld" | "fild" | "fbld" | "fxtract" | "fsincos" | "fptan" => 1,
        "fpatan" | "fyl2x" | "fyl2xp1" => -1,
        "fcompp" | "fucompp" => -2,
        _ if name.starts_with("fld") && !matches!(name.as_str(), "fldcw" | "fldenv") => 1,
        "fincstp" => -1,
        "fdecstp" => 1,
        "ffreep" | "fstpnce" => -1,
        _ => -i32::from(name.ends_with('p') && !matches!(name.as_str(), "fnop" | "fincstp" | "fdecstp")),
    }
}

/// Comparisons and constants: they change no number that is there.
const LEAVE_NUMBERS: &[&str] = &[
    "fcom", "fcomp", "fcompp", "fucom", "fucomp", "fucompp", "fcomi", "fcomip", "fucomi", "fucomip", "ficom",
    "ficomp", "ftst", "fxam", "fld1", "fldl2e", "fldl2t", "fldlg2", "fldln2", "fldpi", "fldz", "fincstp",
    "fdecstp", "fnop",
];

/// The oracle: `stack` is in front of the instruction, results count from the top behind it.
pub fn expected(instruction: &Instruction, stack: &[Dual; 8], memory: Dual, flags: u64) -> Results {
    let mut results = Results::default();
    let pop = (-pushes(instruction.code())) as usize;
    let name = format!("{:?}", instruction.mnemonic()).to_lowercase();
    let from_memory = instruction.op0_kind() == OpKind::Memory;
    let named = |operand: u32| instruction.op_register(operand).number();
    let last = instruction.op_count().saturating_sub(1);
    let [top, second, ..] = *stack;
    let times = |dual: Dual, partial: f64| if dual.dot == 0.0 { 0.0 } else { dual.dot * partial };
    let both = |by_top: f64, by_second: f64| times(top, by_top) + times(second, by_second);
    let (x, y) = (top.value, second.value);
    let base = name.trim_start_matches("fi").trim_start_matches('f').trim_end_matches('p');
    match name.as_str() {
        "fld" if from_memory => results.stack.push((0, memory.dot)),
        "fld" => results.stack.push((0, stack[named(0)].dot)),
        "fist" | "fistp" | "fisttp" | "fbstp" => results.memory = Some(0.0),
        "frndint" => results.stack.push((0, 0.0)),
        "ffree" => results.stack.push((named(0), 0.0)),
        _ if LEAVE_NUMBERS.contains(&name.as_str()) => {}
        "fild" | "fbld" => results.counted = memory.dot != 0.0,
        "fst" if from_memory => results.memory = Some(top.dot),
        "fstp" if from_memory => results.memory = Some(top.dot),
        "fst" => results.stack.push((named(last), top.dot)),
        "fstp" | "fstpnce" if named(last) == 0 => {}
        "fstp" | "fstpnce" => results.stack.push((named(last) - 1, top.dot)),
        "fxch" => results.stack.extend([(0, stack[named(1)].dot), (named(1), top.dot)]),
        _ if name.starts_with("fcmov") => {
            let (carry, parity, zero) = (flags & 1 != 0, flags >> 2 & 1 != 0, flags >> 6 & 1 != 0);
            let moves = match &name[5..] {
                "b" => carry,
                "e" => zero,
                "be" => carry || zero,
                "u" => parity,
                "nb" => !carry,
                "ne" => !zero,
                "nbe" => !carry && !zero,
                _ => !parity,
            };
            results.stack.push((0, if moves { stack[named(1)].dot } else { top.dot }));
        }
        "fsqrt" => results.stack.push((0, times(top, 0.5 / x.sqrt()))),
        "fabs" => results.stack.push((0, top.dot * x.signum())),
        "fchs" => results.stack.push((0, -top.dot)),
        "fsin" => results.stack.push((0, times(top, x.cos()))),
        "fcos" => results.stack.push((0, -times(top, x.sin()))),
        "fsincos" => results.stack.extend([(1, times(top, x.cos())), (0, -times(top, x.sin()))]),
        "fptan" => results.stack.extend([(1, times(top, 1.0 + x.tan().powi(2))), (0, 0.0)]),
        "f2xm1" => results.stack.push((0, times(top, x.exp2() * std::f64::consts::LN_2))),
        "fscale" => results.stack.push((0, times(top, y.trunc().exp2()))),
        "fprem" => results.stack.push((0, both(1.0, -(x / y).trunc()))),
        "fprem1" => results.stack.push((0, both(1.0, -(x / y).round_ties_even()))),
        "fyl2x" => results.stack.push((0, both(y / (x * std::f64::consts::LN_2), x.log2()))),
        "fyl2xp1" => {
            let logarithm = x.ln_1p() / std::f64::consts::LN_2;
            results.stack.push((0, both(y / ((x + 1.0) * std::f64::consts::LN_2), logarithm)));
        }
        "fpatan" => {
            let square = x * x + y * y;
            results.stack.push((0, both(-y / square, x / square)));
        }
        "fxtract" => results.stack.extend([(0, times(top, (-x.abs().log2().floor()).exp2())), (1, 0.0)]),
        _ => {
            let (target, other) = if from_memory { (0, memory) } else { (named(0), stack[named(1)]) };
            let integer = matches!(instruction.memory_size(), MemorySize::Int16 | MemorySize::Int32);
            results.counted = integer && memory.dot != 0.0;
            let other = if integer { Dual { dot: 0.0, ..other } } else { other };
            let target_number = stack[target];
            let (one, two) =
                if base.ends_with('r') { (other, target_number) } else { (target_number, other) };
            let dot = match base.trim_end_matches('r') {
                "add" => one.dot + two.dot,
                "sub" => one.dot - two.dot,
                "mul" => times(one, two.value) + times(two, one.value),
                "div" => times(one, 1.0 / two.value) - times(two, one.value / two.value / two.value),
                other => panic!("{other} is no operation"),
            };
            if pop == 0 || target > 0 {
                results.stack.push((target - pop, dot));
            }
        }
    }
    results
}

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

pub fn real_in_memory(size: MemorySize, number: f64) -> Vec<u8> {
    match size {
        MemorySize::Float32 => (number as f32).to_le_bytes().to_vec(),
        MemorySize::Float64 => number.to_le_bytes().to_vec(),
        MemorySize::Float80 => extended(number).to_vec(),
        MemorySize::Int16 => (number as i16 | 1).to_le_bytes().to_vec(),
        MemorySize::Int32 => (number as i32 | 1).to_le_bytes().to_vec(),
        MemorySize::Int64 => (number as i64 | 1).to_le_bytes().to_vec(),
        _ => vec![0x12, 0x34, 0x56, 0x78, 0x90, 0, 0, 0, 0, 0],
    }
}

pub fn read_real(size: MemorySize, bytes: &[u8]) -> f64 {
    match size {
        MemorySize::Float32 => f64::from(f32::from_le_bytes(bytes.try_into().expect("four bytes"))),
        MemorySize::Float64 => f64::from_le_bytes(bytes.try_into().expect("eight bytes")),
        MemorySize::Float80 => rounded(bytes),
        MemorySize::Int16 => f64::from(i16::from_le_bytes(bytes.try_into().expect("two bytes"))),
        MemorySize::Int32 => f64::from(i32::from_le_bytes(bytes.try_into().expect("four bytes"))),
        _ => 0.0,
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
