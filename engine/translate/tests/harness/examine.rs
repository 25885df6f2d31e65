//! Runs one instruction in every way and compares.

use super::compare::{self, Expected};
use super::computed;
use super::families::{is_x87, uses_masks, Family, Lanes};
use super::generate::{generate, Addressing, Aliasing, Generated, Wish};
use super::machine::{Machine, Shadows, DEFAULT_CONTROL};
use super::random::Random;
use super::reference::{self, Before};
use super::report::{describe, Failures};
use super::run::{Configuration, End, Harness, Program};
use super::values::{random_machine, random_shadows, random_states, Content};
use derivgrind_translate::interface::{ExitKind, Mode};
use derivgrind_translate::state::State;
use iced_x86::{Code, EncodingKind, FlowControl, Instruction, OpKind};

/// `test ebp, ebp`: what comes before it may change flags.
const OVERWRITES_FLAGS: [u8; 2] = [0x85, 0xed];

/// A case to be run.
pub struct Case {
    pub generated: Generated,
    pub machine: Machine,
    pub shadows: Shadows,
    pub state: State,
    pub configuration: Configuration,
    pub flags_dead: bool,
    /// Must exception flags be as they are natively?
    pub quiet: bool,
    /// Is what becomes of shadows looked at?
    pub checks_shadows: bool,
}

/// Under which circumstances instructions are run.
#[derive(Clone, Copy)]
pub struct Conditions {
    pub mode: Mode,
    /// Does shadow arithmetic have a control word of its own?
    pub own_control: bool,
    /// The client's control word.
    pub control: fn(&mut Random) -> u32,
    /// Are values active at which partial derivatives are infinite? Then shadows are not looked at.
    pub active_specials: bool,
}

impl Conditions {
    pub const USUAL: Conditions = Conditions {
        mode: Mode::Forward,
        own_control: false,
        control: |_| DEFAULT_CONTROL,
        active_specials: false,
    };
}

impl Case {
    pub fn before(&self) -> Before<'_> {
        Before {
            generated: &self.generated,
            machine: &self.machine,
            shadows: &self.shadows,
            state: self.state,
            own_control: self.configuration.own_control,
        }
    }

    pub fn program(&self) -> Program {
        let mut bytes = self.generated.bytes.clone();
        let goes_on = self.generated.instruction.flow_control() == FlowControl::Next;
        if self.flags_dead && goes_on {
            bytes.extend(OVERWRITES_FLAGS);
        }
        Program { bytes, far: self.generated.far, constant: None, skipped: 0, arguments: None }
    }
}

/// Runs a code with all forms of operands, in all configurations and states.
pub fn every_form(harness: &mut Harness, failures: &mut Failures, code: Code, family: Family) {
    every_form_under(Conditions::USUAL, harness, failures, code, family);
}

/// The same where shadows are what the mode says.
pub fn every_form_in(mode: Mode, harness: &mut Harness, failures: &mut Failures, code: Code, family: Family) {
    every_form_under(Conditions { mode, ..Conditions::USUAL }, harness, failures, code, family);
}

/// The same under the given conditions.
pub fn every_form_under(
    conditions: Conditions,
    harness: &mut Harness,
    failures: &mut Failures,
    code: Code,
    family: Family,
) {
    let mut random = Random(code as u64);
    for configuration in Configuration::available() {
        let mut configuration = configuration.in_mode(conditions.mode);
        if conditions.own_control {
            configuration = configuration.with_own_control();
        }
        let encoding = code.op_code().encoding();
        let wide = encoding == EncodingKind::EVEX || uses_masks(code);
        if encoding != EncodingKind::Legacy && !configuration.has_vex() || wide && !configuration.has_evex() {
            continue;
        }
        for form in forms(&mut random) {
            for state in chosen_states(&mut random) {
                let made = make(code, family, form, state, configuration, conditions, &mut random);
                let Some(case) = made else { continue };
                run(harness, failures, &case, family, &mut random);
            }
        }
    }
}

/// Two states, or all of them if `DERIVGRIND_TEST_ALL_STATES` is set.
fn chosen_states(random: &mut Random) -> Vec<State> {
    let mut states = random_states(random);
    if std::env::var_os("DERIVGRIND_TEST_ALL_STATES").is_none() {
        while states.len() > 2 {
            states.swap_remove(random.below(states.len()));
        }
    }
    states
}

/// Registers with every aliasing, memory with every addressing.
fn forms(random: &mut Random) -> Vec<Wish> {
    let registers = Aliasing::ALL.map(|aliasing| (false, Addressing::Base, aliasing));
    let memory = Addressing::ALL.map(|addressing| (true, addressing, Aliasing::ALL[random.below(2)]));
    let wish = |(memory, addressing, aliasing)| Wish {
        memory,
        addressing,
        aliasing,
        far: random.once_in(2),
        aligned: random.once_in(2),
        pc: None,
        fixed_bases: false,
    };
    registers.into_iter().chain(memory).map(wish).collect()
}

fn content(family: Family, random: &mut Random) -> Content {
    match family {
        Family::Arithmetic(_, content, _)
        | Family::Paused(_, content, _)
        | Family::Same { content, .. }
        | Family::FixUp(content, _)
        | Family::DotProduct(content) => content,
        Family::PassiveLane(4) => Content::F32,
        _ => [Content::F64, Content::F32, Content::Bits][random.below(3)],
    }
}

fn make(
    code: Code,
    family: Family,
    form: Wish,
    state: State,
    configuration: Configuration,
    conditions: Conditions,
    random: &mut Random,
) -> Option<Case> {
    let generated = generate(code, form, random)?;
    if is_bit_string(&generated.instruction) {
        return None;
    }
    let content = content(family, random);
    let mut machine = random_machine(content, configuration, random);
    let mut shadows = random_shadows(content, configuration, state, random);
    generated.prepare(&mut machine);
    if let Some((address, size)) = generated.place {
        // The operand need not be aligned.
        content.fill(machine.memory.at_mut(address, size), random);
        content.fill_shadow(shadows.memory.at_mut(address, size), random);
    }
    x87_numbers(&mut machine, random);
    if is_x87(code) {
        shadows.x87 = [[0; 16]; 8];
    }
    machine.control = (conditions.control)(random);
    let lanes = match family {
        Family::Arithmetic(_, content, lanes) => Some((content, lanes)),
        Family::DotProduct(content) => Some((content, Lanes::Packed)),
        Family::Same { content, .. } if conditions.active_specials && content != Content::Bits => {
            Some((content, Lanes::Packed))
        }
        _ => None,
    };
    if let Some((content, lanes)) = lanes {
        let before = shadows.clone();
        special_lanes(&generated, &mut machine, &mut shadows, content, lanes, random);
        if conditions.active_specials {
            shadows = before;
        }
    }
    if let Family::Logic(_) = family {
        masks(&generated, &mut machine, random);
    }
    let flags_dead = random.once_in(2);
    let checks_shadows = !conditions.active_specials;
    Some(Case { generated, machine, shadows, state, configuration, flags_dead, quiet: true, checks_shadows })
}

/// Fills the registers of x87 and MMX with numbers: bytes 32 and up of the state, 16 for each.
pub fn x87_numbers(machine: &mut Machine, random: &mut Random) {
    for register in machine.x87[32..].chunks_mut(16) {
        random.fill(&mut register[..8]);
        register[7] |= 0x80;
        register[8..10].copy_from_slice(&(0x3ff0u16 + random.below(32) as u16).to_le_bytes());
    }
    // All of them are in use.
    machine.x87[4] = 0xff;
}

/// Bit tests with a register as bit number access memory beside their operand.
fn is_bit_string(instruction: &Instruction) -> bool {
    use iced_x86::Mnemonic::*;
    let tests_bits = matches!(instruction.mnemonic(), Bt | Bts | Btr | Btc);
    tests_bits && instruction.op0_kind() == OpKind::Memory && instruction.op1_kind() == OpKind::Register
}

/// Gives some lanes values whose partial derivatives are infinite or undefined, and no shadow. Roots of negative
/// numbers are made positive where the shadow is active.
fn special_lanes(
    generated: &Generated,
    machine: &mut Machine,
    shadows: &mut Shadows,
    content: Content,
    lanes: Lanes,
    random: &mut Random,
) {
    let size = content.size();
    let period = if lanes == Lanes::Scalar { 64 } else { 32 };
    // An embedded broadcast has the same value in all lanes.
    let broadcast = generated.instruction.is_broadcast();
    let chosen: Vec<bool> = (0..period / size).map(|_| !broadcast && random.once_in(4)).collect();
    let mut change = |value: &mut [u8], shadow: &mut [u8], offset: usize| {
        if chosen[offset % period / size] {
            value.copy_from_slice(&content.special(random));
            shadow.fill(0);
        } else {
            // Positive: its root is real.
            value[size - 1] &= 0x7f;
        }
    };
    for (vector, shadow) in machine.vectors.iter_mut().zip(&mut shadows.vectors) {
        for offset in (0..64).step_by(size) {
            change(&mut vector[offset..offset + size], &mut shadow[offset..offset + size], offset);
        }
    }
    let Some((address, length)) = generated.place else { return };
    let (place, shadow) = (machine.memory.at_mut(address, length), shadows.memory.at_mut(address, length));
    for offset in (0..length).step_by(size) {
        change(&mut place[offset..offset + size], &mut shadow[offset..offset + size], offset);
    }
}

/// Puts masks into some lanes of the operands.
fn masks(generated: &Generated, machine: &mut Machine, random: &mut Random) {
    const MASKS: [u32; 6] = [0, !0, 1 << 31, !(1 << 31), 0, !0];
    let mut change = |bytes: &mut [u8]| {
        for lane in bytes.chunks_mut(4) {
            if !random.once_in(16) {
                lane.copy_from_slice(&MASKS[random.below(MASKS.len())].to_le_bytes());
            }
        }
    };
    let instruction = &generated.instruction;
    for operand in 0..instruction.op_count() {
        match instruction.op_kind(operand) {
            OpKind::Memory => {
                let (address, size) = generated.place.expect("a memory operand");
                change(machine.memory.at_mut(address, size));
            }
            OpKind::Register if operand + 2 == instruction.op_count() => {
                change(&mut machine.vectors[instruction.op_register(operand).number()]);
            }
            _ => {}
        }
    }
}

/// Runs an instruction in all configurations, with several states, and compares with what `expect` makes of the machine
/// natively after it and of the expected shadows, which begin as they were.
pub fn with_expectation(
    harness: &mut Harness,
    failures: &mut Failures,
    generated: &Generated,
    times: usize,
    prepare: impl Fn(&mut Machine, &mut Random),
    expect: impl Fn(&Before, &Machine, &mut Expected),
) {
    let mut random =
        Random(generated.bytes.iter().fold(1, |sum, byte| (sum * 31 + u64::from(*byte)) & 0xffff_ffff));
    for configuration in Configuration::available() {
        let is_wide = generated.instruction.encoding() == EncodingKind::EVEX;
        if generated.has_vex() && !configuration.has_vex() || is_wide && !configuration.has_evex() {
            continue;
        }
        for _ in 0..times {
            let states = random_states(&mut random);
            let state = states[random.below(states.len())];
            let mut machine = random_machine(Content::F64, configuration, &mut random);
            let shadows = random_shadows(Content::F64, configuration, state, &mut random);
            generated.prepare(&mut machine);
            prepare(&mut machine, &mut random);
            let flags_dead = random.once_in(2);
            let generated = generated.clone();
            let (quiet, checks_shadows) = (true, true);
            let case =
                Case { generated, machine, shadows, state, configuration, flags_dead, quiet, checks_shadows };
            let native = harness.native(&case.program(), &case.machine).expect("it runs natively");
            let before = case.before();
            let mut expected = before.unchanged();
            expect(&before, &native, &mut expected);
            judge(harness, failures, &case, &native, &expected, random.word());
        }
    }
}

/// What the family says about a case.
pub fn expectation(harness: &mut Harness, case: &Case, family: Family) -> Option<Expected> {
    let before = case.before();
    Some(match family {
        Family::Arithmetic(operation, content, lanes) => {
            reference::arithmetic(&before, operation, content, lanes)
        }
        Family::DotProduct(content) => reference::dot_product(&before, content),
        Family::Paused(operation, content, lanes) => reference::paused(&before, operation, content, lanes),
        Family::Logic(logic) => {
            let expected = reference::logic(&before, logic);
            // What the masks do not resolve is resolved by values; for EVEX that is tested by recording.
            let evex = case.generated.instruction.encoding() == EncodingKind::EVEX;
            if !expected.counted {
                expected
            } else if evex {
                return None;
            } else {
                computed::expectation(&before, case.configuration.mode, harness.first_index)
            }
        }
        Family::Bits => computed::expectation(&before, case.configuration.mode, harness.first_index),
        Family::Same { values, .. } => reference::same(harness, &before, values)?,
        Family::PassiveLane(size) => reference::passive_lane(&before, size),
        Family::PassiveLanes(bytes, lanes) => reference::passive_lanes(&before, bytes, lanes),
        Family::FixUp(content, lanes) => reference::fix_up(&before, content, lanes),
        Family::IndexedByTarget(bytes) => reference::indexed_by_target(harness, &before, bytes)?,
        Family::Passive => reference::passive(&before, false),
        Family::Counted => reference::passive(&before, true),
        Family::Elsewhere => return None,
    })
}

/// Runs a case whose expectation follows from its family.
pub fn run(harness: &mut Harness, failures: &mut Failures, case: &Case, family: Family, random: &mut Random) {
    let program = case.program();
    // Some instructions fault on some operands.
    let Ok(native) = harness.native(&program, &case.machine) else { return };
    let Some(expected) = expectation(harness, case, family) else { return };
    judge(harness, failures, case, &native, &expected, random.word());
}

/// Divisions: what they do to flags depends on the processor, and on the flags before.
fn leaves_flags_undefined(instruction: &Instruction) -> bool {
    use iced_x86::Mnemonic::*;
    matches!(instruction.mnemonic(), Div | Idiv)
}

/// Runs a case in translation and compares.
pub fn judge(
    harness: &mut Harness,
    failures: &mut Failures,
    case: &Case,
    native: &Machine,
    expected: &Expected,
    seed: u64,
) {
    failures.cases += 1;
    let program = case.program();
    let name = format!("{:?}", case.generated.instruction.code());
    let ran =
        harness.translated(&program, case.configuration, case.state, &case.machine, &case.shadows, seed);
    let outcome = match ran {
        Ok(outcome) => outcome,
        Err((fault, translations)) => {
            let text = [format!("{fault:x?}")];
            failures.add(&name, || describe(&program, case.configuration, &translations, &text));
            return;
        }
    };
    let mut native = native.clone();
    if leaves_flags_undefined(&case.generated.instruction) {
        native.flags = outcome.machine.flags;
    }
    let mut differences = compare::primal(&native, &outcome.machine, case.configuration, case.quiet);
    let mut expected = expected.clone();
    if !case.configuration.has_vex() {
        // There are no bits 128 and up.
        expected.shadows.vectors.iter_mut().for_each(|shadow| shadow[16..].fill(0));
    }
    if case.checks_shadows {
        differences.extend(compare::shadows(&expected, &outcome.shadows));
    }
    let at_end = match outcome.end {
        End::Exit(kind, target) => kind == ExitKind::Link && target == program.end(),
        End::Indirect(_, target) => target == program.end(),
    };
    if !at_end {
        differences.push(format!("ended at {:?}", outcome.end));
    }
    if !expected.allows(outcome.count()) {
        differences.push(format!("counted {} times, expected: {}", outcome.count(), expected.counted));
    }
    if !differences.is_empty() {
        failures.add(&name, || describe(&program, case.configuration, &outcome.translations, &differences));
    }
}
