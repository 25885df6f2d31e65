//! Blocks of random instructions: the client computes what it computes natively; each instruction does to shadows
//! what an interpreter of the rules does; and what is cached, kept or remembered across the instructions of a block
//! gives the same as one translation for each instruction.

use crate::harness::blocks::{pool, Block, Kind, KINDS, POINTER, VARIABLES};
use crate::harness::case_file::CaseFile;
use crate::harness::compare::{self, Expected};
use crate::harness::examine::{expectation, x87_numbers, Case};
use crate::harness::families::{family, is_x87, Family};
use crate::harness::generate::{Generated, BASE_VALUES};
use crate::harness::machine::{Machine, Shadows};
use crate::harness::random::Random;
use crate::harness::region::{FS_BASE, STACK_POINTER};
use crate::harness::report::describe;
use crate::harness::run::{Configuration, End, Harness, Outcome};
use crate::harness::values::{random_machine, random_shadows, random_states, Content};
use derivgrind_translate::interface::{ExitKind, SiteKind};
use derivgrind_translate::state::State;
use iced_x86::{Code, Instruction, Mnemonic, OpKind, Register};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Registers, memory and shadows at a point of a block.
#[derive(Clone)]
struct Point {
    state: State,
    machine: Machine,
    shadows: Shadows,
}

/// Sites that were counted. Logical instructions are left out: within a block more is known about masks.
fn counted(outcomes: &[&Outcome]) -> BTreeMap<u64, bool> {
    let mut counted = BTreeMap::new();
    for (site, count) in outcomes.iter().flat_map(|outcome| &outcome.counts) {
        let SiteKind::Instruction(code) = site.kind else { continue };
        let code = Code::try_from(usize::from(code)).expect("a code of iced-x86");
        if *count > 0 && !matches!(family(code), Family::Logic(_)) {
            counted.insert(site.pc, true);
        }
    }
    counted
}

/// What a case begins with.
fn start(case: &CaseFile) -> Point {
    let mut random = Random(case.seed);
    let content = [Content::F64, Content::F32][random.below(2)];
    let mut machine = random_machine(content, case.configuration, &mut random);
    if case.kind == Kind::Old {
        x87_numbers(&mut machine, &mut random);
    }
    for (number, value) in BASE_VALUES {
        machine.general[number] = value;
    }
    let states = random_states(&mut random);
    let state = match (case.passive, case.kind) {
        (true, _) => State::ZERO,
        // Where registers are passive, the shadows of variables stay in theirs, and others are temporaries.
        (false, Kind::Stack) if !random.once_in(4) => {
            State::active(!0, [!0b1111, 0b1_0000, 0b11_0000][random.below(3)], false)
        }
        _ => states[random.below(states.len())],
    };
    let mut shadows = random_shadows(content, case.configuration, state, &mut random);
    if case.passive {
        sparse(&mut shadows, &mut random);
    }
    if case.kind == Kind::Stack {
        ordinary_numbers(&case.block, &mut machine, &mut random);
        machine.general[POINTER.0] = POINTER.1;
        for variable in 0..VARIABLES as u64 {
            if random.once_in(2) {
                shadows.memory.at_mut(STACK_POINTER + 8 * variable, 8).fill(0);
            }
        }
    }
    Point { state, machine, shadows }
}

/// Numbers that no sum rounds to: only a block sees that.
fn ordinary_numbers(block: &Block, machine: &mut Machine, random: &mut Random) {
    let is_narrow = |one: &Generated| format!("{:?}", one.instruction.mnemonic()).ends_with("ss");
    let is_narrow = block.instructions.iter().any(is_narrow);
    let mut number = || 0.5 + (random.word() >> 11) as f64 / 2f64.powi(53);
    let mut word = || {
        let wide = number().to_bits();
        let narrow = |number: f64| u64::from((number as f32).to_bits());
        if is_narrow {
            narrow(number()) << 32 | narrow(number())
        } else {
            wide
        }
    };
    for vector in &mut machine.vectors[..4] {
        vector[..16].chunks_exact_mut(8).for_each(|lane| lane.copy_from_slice(&word().to_le_bytes()));
    }
    let variables = machine.memory.at_mut(STACK_POINTER, 8 * VARIABLES);
    variables.chunks_exact_mut(8).for_each(|variable| variable.copy_from_slice(&word().to_le_bytes()));
    machine.general.iter_mut().filter(|value| **value != STACK_POINTER).for_each(|value| *value = word());
}

/// Makes most of memory passive.
fn sparse(shadows: &mut Shadows, random: &mut Random) {
    for area in &mut shadows.memory.areas {
        for piece in area.chunks_mut(64) {
            if !random.once_in(4) {
                piece.fill(0);
            }
        }
    }
}

/// Makes words that are a negative zero, or its upper half, zero.
fn clear_negative_zeros(shadows: &mut Shadows) {
    let areas = shadows.memory.areas.iter_mut().flat_map(|area| area.chunks_exact_mut(4));
    let registers = shadows.vectors.iter_mut().flat_map(|vector| vector.chunks_exact_mut(4));
    for word in areas.chain(registers).filter(|word| **word == [0, 0, 0, 0x80]) {
        word.fill(0);
    }
    for general in shadows.general.iter_mut().filter(|general| **general == 1 << 63) {
        *general = 0;
    }
}

/// Do two quotients perhaps share the reciprocal of a divisor? That rounds otherwise than one instruction at a time.
fn shares_reciprocals(block: &Block) -> bool {
    let is_quotient = |generated: &&Generated| {
        let name = format!("{:?}", generated.instruction.mnemonic());
        ["Divs", "Divp", "Vdiv"].iter().any(|start| name.starts_with(start))
    };
    block.instructions.iter().filter(is_quotient).count() > 1
}

/// Runs a case. The error says what is wrong; `None` if the block cannot be run natively, or compared.
fn run(harness: &mut Harness, case: &CaseFile) -> Option<Result<(), String>> {
    let shares = case.configuration.in_registers() && shares_reciprocals(&case.block);
    if shares || case.block.instructions.is_empty() {
        return None;
    }
    let start = start(case);
    let (block, configuration) = (&case.block, case.configuration);
    let whole = block.program(0..block.instructions.len());
    let native = harness.native(&whole, &start.machine).ok()?;
    let ran =
        harness.translated(&whole, configuration, start.state, &start.machine, &start.shadows, case.seed);
    let outcome = match ran {
        Ok(outcome) => outcome,
        Err((fault, made)) => {
            return Some(Err(describe(&whole, configuration, &made, &[format!("{fault:x?}")])));
        }
    };
    let mut differences = compare::primal(&native, &outcome.machine, configuration, false);
    let steps = match one_at_a_time(harness, case, start) {
        Ok(steps) => steps,
        Err(text) => return Some(Err(format!("a single instruction: {text}"))),
    };
    if let Some(last) = steps.last() {
        let (mut expected, mut computed) = (last.shadows.clone(), outcome.shadows.clone());
        if case.kind == Kind::Stack {
            // A product that underflows is a negative zero unless the zero of a passive operand is added.
            [&mut expected, &mut computed].into_iter().for_each(clear_negative_zeros);
        }
        differences.extend(compare::shadows(&Expected::exactly(expected), &computed));
    }
    let (one, other) = (counted(&steps.iter().collect::<Vec<_>>()), counted(&[&outcome]));
    if one != other {
        differences.push(format!("counted one at a time: {one:x?}, in a block: {other:x?}"));
    }
    let ends = [ExitKind::Link, ExitKind::NotExecutable].map(|kind| End::Exit(kind, whole.end()));
    if !ends.contains(&outcome.end) {
        differences.push(format!("ended at {:x?}", outcome.end));
    }
    if differences.is_empty() {
        return Some(Ok(()));
    }
    let mut text = describe(&whole, configuration, &outcome.translations, &differences);
    let last = steps.last().map(|step| step.state);
    text.push_str(&format!("   state one at a time: {last:x?}, in a block: {:x?}\n", outcome.state));
    Some(Err(text))
}

/// A translation for each instruction, compared with the interpreter.
fn one_at_a_time(harness: &mut Harness, case: &CaseFile, start: Point) -> Result<Vec<Outcome>, String> {
    let configuration = case.configuration;
    let mut steps: Vec<Outcome> = Vec::new();
    let mut point = start;
    let mut next = Some(0);
    while let Some(k) = next {
        let generated = &case.block.instructions[k];
        let mut program = case.block.program(k..k + 1);
        program.skipped = generated.instruction.ip() - program.start();
        let outcome = harness
            .translated(&program, configuration, point.state, &point.machine, &point.shadows, case.seed)
            .map_err(|(fault, made)| describe(&program, configuration, &made, &[format!("{fault:x?}")]))?;
        // The bits of general registers need not be a number. What one instruction makes of numbers is told by its own
        // tests.
        let differences = match case.kind {
            Kind::Stack => Vec::new(),
            _ => interpret(harness, configuration, generated, &point, &outcome),
        };
        if !differences.is_empty() {
            return Err(describe(&program, configuration, &outcome.translations, &differences));
        }
        point = Point {
            state: outcome.state,
            machine: outcome.machine.clone(),
            shadows: outcome.shadows.clone(),
        };
        next = match outcome.end {
            // Behind a lone jump there is nothing to be decoded.
            End::Exit(ExitKind::Link | ExitKind::NotExecutable, target) => case.block.number(target),
            end => return Err(format!("an instruction ended at {end:x?}")),
        };
        steps.push(outcome);
    }
    Ok(steps)
}

/// Differences between what an instruction has done to shadows and what its rule says.
fn interpret(
    harness: &mut Harness,
    configuration: Configuration,
    generated: &Generated,
    before: &Point,
    outcome: &Outcome,
) -> Vec<String> {
    let mut generated = generated.clone();
    generated.place = place(&generated.instruction, &before.machine);
    let family = family(generated.instruction.code());
    // By the value of its operands an exclusive or is more than its family says; x87 instructions have an interpreter
    // of their own, and are compared natively and one at a time here.
    if generated.instruction.mnemonic() == Mnemonic::Xor || is_x87(generated.instruction.code()) {
        return Vec::new();
    }
    let case = Case {
        generated,
        machine: before.machine.clone(),
        shadows: before.shadows.clone(),
        state: before.state,
        configuration,
        flags_dead: false,
        quiet: false,
        checks_shadows: true,
    };
    let Some(mut expected) = expectation(harness, &case, family) else { return Vec::new() };
    if !configuration.has_vex() {
        // There are no bits 128 and up.
        expected.shadows.vectors.iter_mut().for_each(|shadow| shadow[16..].fill(0));
    }
    let mut differences = compare::shadows(&expected, &outcome.shadows);
    if !expected.allows(outcome.count()) {
        differences.push(format!("counted {} times, expected: {}", outcome.count(), expected.counted));
    }
    differences
}

/// Address and size of the memory operand.
fn place(instruction: &Instruction, machine: &Machine) -> Option<(u64, usize)> {
    let operand = (0..instruction.op_count()).find(|k| instruction.op_kind(*k) == OpKind::Memory)?;
    let value = |register: Register, _: usize, _: usize| match register {
        Register::FS => Some(FS_BASE),
        register if register.is_gpr32() => Some(machine.general[register.number()] & 0xffff_ffff),
        register if register.is_gpr64() => Some(machine.general[register.number()]),
        _ => Some(0),
    };
    let address = instruction.virtual_address(operand, 0, value)?;
    Some((address, instruction.memory_size().size()))
}

/// Cases that each kind and configuration is tried with at least.
const CASES: u32 = 30;

/// Runs random blocks of a kind in all configurations, for a second; in full tests for longer. What they are depends on
/// nothing but how many there are.
fn random_blocks(kind: Kind, passive: bool) {
    let configurations: Vec<_> =
        Configuration::available().into_iter().filter(|configuration| kind.fits(*configuration)).collect();
    let total = if std::env::var_os("DERIVGRIND_FULL_TESTS").is_some() { 60_000 } else { 1_000 };
    // What a block remembers of variables shows in few of them.
    let total = if kind == Kind::Stack { 5 * total } else { total };
    let budget = Duration::from_millis(total) / configurations.len().max(1) as u32;
    let harness = RefCell::new(Harness::lock());
    for configuration in configurations {
        let begin = Instant::now();
        let mut round = 0u8;
        while round == 0 || begin.elapsed() < budget {
            some_blocks(&harness, configuration, kind, passive, round);
            round = round.wrapping_add(1);
        }
    }
}

fn some_blocks(
    harness: &RefCell<Harness>,
    configuration: Configuration,
    kind: Kind,
    passive: bool,
    round: u8,
) {
    let mut settings = Config::with_cases(CASES);
    settings.failure_persistence = None;
    settings.max_global_rejects = 20 * CASES;
    settings.max_shrink_iters = 400;
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[round; 32]);
    let mut runner = TestRunner::new_with_rng(settings, random);
    let lengths = if kind == Kind::Stack { 16..64 } else { 4..36 };
    let strategy = (any::<u64>(), prop::collection::vec(any::<u64>(), lengths));
    let case = |seed: u64, choices: &[u64]| {
        let far = seed % 2 == 0;
        let block = match kind {
            Kind::Stack => Block::of_variables(far, choices),
            _ => Block::new(pool(kind), far, choices),
        };
        let own_control = seed >> 1 & 1 != 0;
        let configuration = Configuration { own_control, ..configuration };
        CaseFile { kind, configuration, passive, seed, block }
    };
    let result = runner.run(&strategy, |(seed, choices)| {
        let ran = run(&mut harness.borrow_mut(), &case(seed, &choices));
        prop_assume!(ran.is_some());
        ran.expect("it was assumed to run").map_err(TestCaseError::fail)
    });
    match result {
        Err(TestError::Fail(reason, (seed, choices))) => {
            let path = case(seed, &choices).save();
            panic!("{kind:?}: {reason}\nto run it again: DERIVGRIND_REPLAY={} cargo test -p derivgrind-translate --test rules saved_blocks", path.display());
        }
        Err(TestError::Abort(reason)) => panic!("{kind:?}: {reason}"),
        Ok(()) => {}
    }
}

#[test]
fn legacy_blocks() {
    random_blocks(Kind::Legacy, false);
}

#[test]
fn vex_blocks() {
    random_blocks(Kind::Vex, false);
}

#[test]
fn wide_blocks() {
    random_blocks(Kind::Wide, false);
}

#[test]
fn blocks_of_legacy_and_vex_moves() {
    random_blocks(Kind::Mixed, false);
}

#[test]
fn blocks_on_general_registers() {
    random_blocks(Kind::General, false);
}

#[test]
fn blocks_with_variables_on_the_stack() {
    random_blocks(Kind::Stack, false);
}

#[test]
fn blocks_of_x87_and_mmx() {
    random_blocks(Kind::Old, false);
}

#[test]
fn passive_blocks_leave_where_something_is_active() {
    for kind in KINDS {
        random_blocks(kind, true);
    }
}

/// Runs the blocks that are kept because they have failed once, and the one that `DERIVGRIND_REPLAY` names.
#[test]
fn saved_blocks() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/blocks");
    let kept =
        std::fs::read_dir(directory).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let named = std::env::var_os("DERIVGRIND_REPLAY").map(std::path::PathBuf::from);
    let mut harness = Harness::lock();
    let paths: Vec<_> = kept.chain(named).collect();
    assert!(!paths.is_empty(), "no case is kept");
    for path in paths {
        let Some(case) = CaseFile::read(&path) else { continue };
        let ran = run(&mut harness, &case).unwrap_or_else(|| panic!("{}: it faults", path.display()));
        ran.unwrap_or_else(|text| panic!("{}:\n{text}", path.display()));
    }
}

#[test]
fn a_case_file_says_all_of_a_case() {
    let block = Block::new(pool(Kind::Legacy), true, &[1, 2, 3, 4, 5, 6, 7, 8]);
    let configuration = Configuration::available()[0];
    let case = CaseFile { kind: Kind::Legacy, configuration, passive: true, seed: 77, block };
    let read = CaseFile::parse(&case.to_text()).expect("this processor can run it");
    assert_eq!(read.to_text(), case.to_text());
    let instructions = |case: &CaseFile| {
        case.block.instructions.iter().map(|generated| generated.instruction).collect::<Vec<_>>()
    };
    assert_eq!(instructions(&read), instructions(&case));
    assert!(instructions(&case).len() > 4);
}
