//! Blocks of random instructions: what is cached, kept or remembered across instructions of a block gives the same as
//! one translation for each instruction.

use crate::harness::compare::{self, Expected};
use crate::harness::families::{codes, family, Family, GENERAL_FEATURES, VECTOR_FEATURES, WIDE_FEATURES};
use crate::harness::generate::{generate, Addressing, Aliasing, Generated, Wish, BASE_VALUES};
use crate::harness::random::Random;
use crate::harness::region::CLIENT_CODE;
use crate::harness::report::describe;
use crate::harness::run::{Configuration, End, Harness, Outcome, Program};
use crate::harness::values::{random_machine, random_shadows, random_states, Content};
use derivgrind_translate::interface::{ExitKind, SiteKind};
use derivgrind_translate::state::State;
use iced_x86::{Code, EncodingKind, FlowControl, Instruction, MemoryOperand, Register};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Which instructions a block is made of. Legacy and VEX arithmetic are not mixed where shadows live in memory: their
/// shadow code rounds differently, depending on the other instructions of the block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Legacy,
    Vex,
    Mixed,
    General,
    /// With EVEX instructions.
    Wide,
}

const KINDS: [Kind; 5] = [Kind::Legacy, Kind::Vex, Kind::Mixed, Kind::General, Kind::Wide];

/// Codes by kind, with those that matter most several times.
fn pool(kind: Kind) -> &'static [Code] {
    static POOLS: OnceLock<Vec<Vec<Code>>> = OnceLock::new();
    let pools = POOLS.get_or_init(|| KINDS.map(make_pool).to_vec());
    &pools[kind as usize]
}

fn make_pool(kind: Kind) -> Vec<Code> {
    use Code::*;
    let moves = [
        Mov_r64_rm64,
        Mov_rm64_r64,
        Mov_r32_rm32,
        Mov_rm32_r32,
        Mov_rm8_r8,
        Mov_rm16_r16,
        Push_r64,
        Pop_r64,
        Push_rm64,
        Xchg_rm64_r64,
        Cmpxchg_rm64_r64,
        Cmove_r64_rm64,
        Cmovs_r32_rm32,
        Shl_rm64_imm8,
        Or_rm64_r64,
        And_rm64_r64,
        Xor_rm64_r64,
        Test_rm64_r64,
        Cmp_rm32_imm8,
        Lea_r64_m,
        Setne_rm8,
        Adc_rm64_r64,
    ];
    let lanes = [
        Movq_xmm_rm64,
        Movq_rm64_xmm,
        Movd_xmm_rm32,
        Movd_rm32_xmm,
        Pinsrq_xmm_rm64_imm8,
        Pextrq_rm64_xmm_imm8,
        VEX_Vmovq_xmm_rm64,
        VEX_Vmovq_rm64_xmm,
        VEX_Vmovd_xmm_rm32,
        VEX_Vmovd_rm32_xmm,
        VEX_Vpinsrq_xmm_xmm_rm64_imm8,
    ];
    let mut pool = Vec::new();
    if kind == Kind::General {
        for code in codes(GENERAL_FEATURES) {
            if !matches!(family(code), Family::Elsewhere) && !is_undefined(code) {
                pool.push(code);
            }
        }
    }
    if kind == Kind::Wide {
        for code in codes(WIDE_FEATURES) {
            let times = match family(code) {
                Family::Elsewhere => 0,
                Family::Counted => 1,
                Family::Arithmetic(..) => 6,
                _ => 3,
            };
            pool.extend(std::iter::repeat_n(code, times));
        }
    }
    for code in codes(VECTOR_FEATURES) {
        let legacy = code.op_code().encoding() == EncodingKind::Legacy;
        let times = match (kind, family(code)) {
            (_, Family::Elsewhere) | (Kind::General, _) => 0,
            (Kind::Mixed, Family::Arithmetic(..) | Family::DotProduct(_)) => 0,
            // Not in blocks: they compute with what need not be a number.
            (Kind::Mixed, Family::Same { content, .. }) if content != Content::Bits => 0,
            (Kind::Legacy, _) if !legacy => 0,
            (Kind::Vex | Kind::Wide, _) if legacy => 0,
            (_, Family::Counted) => 1,
            _ => 3,
        };
        pool.extend(std::iter::repeat_n(code, times));
    }
    let weight = pool.len() / 60;
    for code in moves {
        pool.extend(std::iter::repeat_n(code, weight.max(1)));
    }
    for code in lanes {
        let legacy = code.op_code().encoding() == EncodingKind::Legacy;
        let fits = matches!(kind, Kind::Mixed | Kind::General) || legacy == (kind == Kind::Legacy);
        pool.extend(std::iter::repeat_n(code, if fits { weight.max(1) } else { 0 }));
    }
    pool
}

/// Faults, or leaves something undefined that later instructions read.
fn is_undefined(code: Code) -> bool {
    let name = format!("{:?}", code.mnemonic());
    ["Div", "Idiv", "Bsf", "Bsr", "Shld", "Shrd", "Bt", "Bts", "Btr", "Btc", "Movbe"].contains(&name.as_str())
}

pub struct Block {
    pub instructions: Vec<Generated>,
    far: bool,
}

impl Block {
    /// Random instructions of a pool, with jumps forward.
    pub fn new(pool: &[Code], far: bool, choices: &[u64]) -> Block {
        let mut instructions: Vec<Generated> = Vec::new();
        let mut pc = CLIENT_CODE[usize::from(far)];
        let mut moved = [0; 16];
        for choice in choices {
            let mut random = Random(*choice);
            // A jump goes past the next instruction, which must not be a step.
            let behind_jump =
                instructions.last().is_some_and(|last| last.instruction.flow_control() != FlowControl::Next);
            if random.once_in(5) && !behind_jump {
                let step = step(far, pc, &mut moved, &mut random);
                pc += step.bytes.len() as u64;
                instructions.push(step);
            }
            if random.once_in(12) {
                let jump = jump_over_next(far, pc, &mut random);
                pc += jump.bytes.len() as u64;
                instructions.push(jump);
            }
            let code = pool[random.below(pool.len())];
            let wish = Wish {
                memory: random.once_in(3),
                addressing: Addressing::ALL[random.below(Addressing::ALL.len())],
                aliasing: Aliasing::ALL[random.below(5)],
                far,
                aligned: true,
                pc: Some(pc),
                fixed_bases: true,
            };
            if let Some(generated) = generate(code, wish, &mut random) {
                let generated = follow_steps(generated, pc, &moved);
                pc += generated.bytes.len() as u64;
                instructions.push(generated);
            }
        }
        aim_jumps(&mut instructions, pc);
        Block { instructions, far }
    }

    /// The number of the instruction at a client address, `None` at the end.
    fn number(&self, pc: u64) -> Option<usize> {
        self.instructions.iter().position(|generated| generated.instruction.ip() == pc)
    }

    pub fn program(&self, range: std::ops::Range<usize>) -> Program {
        let bytes = self.instructions[range].iter().flat_map(|generated| generated.bytes.clone()).collect();
        Program { bytes, far: self.far, constant: None, skipped: 0, arguments: None }
    }
}

/// A jump whose target is set by [`aim_jumps`].
fn jump_over_next(far: bool, pc: u64, random: &mut Random) -> Generated {
    use Code::*;
    let codes = [
        Je_rel8_64,
        Jne_rel32_64,
        Ja_rel8_64,
        Jbe_rel32_64,
        Js_rel8_64,
        Jl_rel32_64,
        Jp_rel8_64,
        Jo_rel8_64,
        Jmp_rel8_64,
        Jrcxz_rel8_64,
        Loop_rel8_64_RCX,
    ];
    let jump = Instruction::with_branch(codes[random.below(codes.len())], pc).expect("a branch");
    Generated::at(jump, far, pc)
}

/// Moves a register that addresses are made of by a constant.
fn step(far: bool, pc: u64, moved: &mut [i64; 16], random: &mut Random) -> Generated {
    let number = BASE_VALUES[random.below(BASE_VALUES.len())].0;
    let base = Register::RAX + number as u32;
    let distance = [-64, -8, 1, 64][random.below(4)];
    let (instruction, distance) = match random.below(4) {
        0 => (Instruction::with2(Code::Add_rm64_imm8, base, distance), distance),
        1 => (Instruction::with2(Code::Sub_rm64_imm32, base, distance), -distance),
        2 => (Instruction::with1(Code::Inc_rm64, base), 1),
        _ => {
            let operand = MemoryOperand::with_base_displ(base, i64::from(distance));
            (Instruction::with2(Code::Lea_r64_m, base, operand), distance)
        }
    };
    moved[number] += i64::from(distance);
    Generated::at(instruction.expect("a step"), far, pc)
}

/// The instruction with the memory operand that it was made for, after registers have moved.
fn follow_steps(generated: Generated, pc: u64, moved: &[i64; 16]) -> Generated {
    let mut instruction = generated.instruction;
    let distance = |register: Register| if register.is_gpr() { moved[register.number()] } else { 0 };
    let scale = i64::from(instruction.memory_index_scale());
    let total = distance(instruction.memory_base()) + scale * distance(instruction.memory_index());
    if total == 0 {
        return generated;
    }
    let displacement = instruction.memory_displacement64() as i64 - total;
    instruction.set_memory_displacement64(displacement as u64);
    instruction.set_memory_displ_size(8);
    Generated::at(instruction, generated.far, pc)
}

/// Lets jumps go past the next instruction.
fn aim_jumps(instructions: &mut [Generated], end: u64) {
    for k in 0..instructions.len() {
        let instruction = instructions[k].instruction;
        if instruction.is_jcc_short_or_near()
            || instruction.is_jmp_short()
            || instruction.is_jcx_short()
            || instruction.is_loop()
        {
            let target = instructions.get(k + 2).map_or(end, |next| next.instruction.ip());
            let mut jump = instruction;
            jump.set_near_branch64(target);
            instructions[k] = Generated::at(jump, instructions[k].far, instruction.ip());
        }
    }
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

fn run(
    harness: &mut Harness,
    configuration: Configuration,
    kind: Kind,
    seed: u64,
    choices: &[u64],
    passive: bool,
) -> Result<(), TestCaseError> {
    let mut random = Random(seed);
    let block = Block::new(pool(kind), random.once_in(2), choices);
    prop_assume!(!block.instructions.is_empty());
    let content = [Content::F64, Content::F32][random.below(2)];
    let mut machine = random_machine(content, configuration, &mut random);
    for (number, value) in BASE_VALUES {
        machine.general[number] = value;
    }
    let states = random_states(&mut random);
    let state = if passive { State::ZERO } else { states[random.below(states.len())] };
    let mut shadows = random_shadows(content, configuration, state, &mut random);
    if passive {
        sparse(&mut shadows, &mut random);
    }
    let whole = block.program(0..block.instructions.len());
    let native = harness.native(&whole, &machine);
    prop_assume!(native.is_ok());
    let native = native.expect("it was assumed to run");
    let name = format!("{kind:?}");
    let ran = harness.translated(&whole, configuration, state, &machine, &shadows, seed);
    let outcome = match ran {
        Ok(outcome) => outcome,
        Err((fault, made)) => {
            let text = describe(&whole, configuration, &made, &[format!("{fault:x?}")]);
            return Err(TestCaseError::fail(format!("{name}: {text}")));
        }
    };
    let mut differences = compare::primal(&native, &outcome.machine, configuration, false);
    let steps = one_at_a_time(harness, configuration, &block, state, &machine, &shadows, seed)
        .map_err(|text| TestCaseError::fail(format!("a single instruction: {text}")))?;
    if let Some(last) = steps.last() {
        let expected = Expected {
            shadows: last.shadows.clone(),
            lanes: Vec::new(),
            unspecified: Vec::new(),
            counted: false,
        };
        differences.extend(compare::shadows(&expected, &outcome.shadows));
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
        return Ok(());
    }
    let mut text = describe(&whole, configuration, &outcome.translations, &differences);
    text.push_str(&first_step_that_differs(&steps, &outcome));
    Err(TestCaseError::fail(format!("{name}: {text}")))
}

/// Makes most of memory passive.
fn sparse(shadows: &mut crate::harness::machine::Shadows, random: &mut Random) {
    for area in &mut shadows.memory.areas {
        for piece in area.chunks_mut(64) {
            if !random.once_in(4) {
                piece.fill(0);
            }
        }
    }
}

fn one_at_a_time(
    harness: &mut Harness,
    configuration: Configuration,
    block: &Block,
    state: State,
    machine: &crate::harness::machine::Machine,
    shadows: &crate::harness::machine::Shadows,
    seed: u64,
) -> Result<Vec<Outcome>, String> {
    let mut steps: Vec<Outcome> = Vec::new();
    let (mut state, mut machine, mut shadows) = (state, machine.clone(), shadows.clone());
    let mut next = Some(0);
    while let Some(k) = next {
        let mut program = block.program(k..k + 1);
        program.skipped = block.instructions[k].instruction.ip() - program.start();
        let outcome = harness
            .translated(&program, configuration, state, &machine, &shadows, seed)
            .map_err(|(fault, made)| describe(&program, configuration, &made, &[format!("{fault:x?}")]))?;
        state = outcome.state;
        machine = outcome.machine.clone();
        shadows = outcome.shadows.clone();
        next = match outcome.end {
            // Behind a lone jump there is nothing to be decoded.
            End::Exit(ExitKind::Link | ExitKind::NotExecutable, target) => block.number(target),
            end => return Err(format!("an instruction ended at {end:x?}")),
        };
        steps.push(outcome);
    }
    Ok(steps)
}

fn first_step_that_differs(steps: &[Outcome], outcome: &Outcome) -> String {
    let last = steps.last().map(|step| step.state);
    format!("   state one at a time: {last:x?}, in a block: {:x?}\n", outcome.state)
}

/// Blocks for each kind and configuration: few and always the same, or as many as `DERIVGRIND_TEST_BLOCKS` says, and
/// others each time.
fn random_blocks(kind: Kind, passive: bool) {
    let wanted = std::env::var("DERIVGRIND_TEST_BLOCKS").ok().and_then(|number| number.parse().ok());
    let cases = wanted.unwrap_or(CASES);
    let harness = std::cell::RefCell::new(Harness::lock());
    for configuration in Configuration::available() {
        if kind != Kind::Legacy && kind != Kind::General && !configuration.has_vex() {
            continue;
        }
        if kind == Kind::Wide && !configuration.has_evex() {
            continue;
        }
        let mut settings = Config::with_cases(cases);
        settings.failure_persistence = None;
        settings.max_global_rejects = 20 * cases;
        let mut runner = match wanted {
            Some(_) => TestRunner::new(settings),
            None => TestRunner::new_with_rng(settings, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
        };
        let strategy = (any::<u64>(), prop::collection::vec(any::<u64>(), 2..16));
        let result = runner.run(&strategy, |(seed, choices)| {
            run(&mut harness.borrow_mut(), configuration, kind, seed, &choices, passive)
        });
        if let Err(error) = result {
            panic!("{error}");
        }
    }
}

const CASES: u32 = 80;

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
fn passive_blocks_leave_where_something_is_active() {
    for kind in KINDS {
        random_blocks(kind, true);
    }
}
