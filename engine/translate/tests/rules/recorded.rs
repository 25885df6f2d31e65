//! Recording of every instruction with a derivative, and of random blocks, against forward mode.

use crate::harness::blocks::Block;
use crate::harness::examine::every_form_in;
use crate::harness::families::{codes, family, stem, Family, Operation, VECTOR_FEATURES, WIDE_FEATURES};
use crate::harness::generate::{generate, Addressing, Aliasing, Wish, BASE_VALUES};
use crate::harness::machine::Machine;
use crate::harness::random::Random;
use crate::harness::report::Failures;
use crate::harness::run::{Configuration, Harness, Program};
use crate::harness::twins::{run, Twin};
use crate::harness::values::{random_machine, random_shadows, random_states, Content};
use derivgrind_translate::interface::Mode;
use iced_x86::{Code, CpuidFeature, EncodingKind};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Copies that move whole binary64 numbers.
const COPIES_OF_64: &[&str] = &[
    "movapd",
    "movaps",
    "movupd",
    "movups",
    "movdqa",
    "movdqu",
    "lddqu",
    "movntpd",
    "movntps",
    "movntdq",
    "movddup",
    "movsd",
    "movhpd",
    "movlpd",
    "movhps",
    "movlps",
    "movhlps",
    "movlhps",
    "unpcklpd",
    "unpckhpd",
    "punpcklqdq",
    "punpckhqdq",
    "shufpd",
    "blendpd",
    "permilpd",
    "permpd",
    "permq",
    "perm2f128",
    "perm2i128",
    "insertf128",
    "inserti128",
    "extractf128",
    "extracti128",
    "broadcastsd",
    "broadcastf128",
    "broadcasti128",
    "pbroadcastq",
    "movq",
    "pinsrq",
    "pextrq",
    "blendvpd",
];

/// Copies that move whole binary32 numbers.
const COPIES_OF_32: &[&str] = &[
    "movshdup",
    "movsldup",
    "movss",
    "unpcklps",
    "unpckhps",
    "punpckldq",
    "punpckhdq",
    "shufps",
    "blendps",
    "insertps",
    "pshufd",
    "permilps",
    "permps",
    "permd",
    "pblendd",
    "broadcastss",
    "pbroadcastd",
    "movd",
    "pinsrd",
    "pextrd",
    "extractps",
    "blendvps",
];

const HORIZONTAL_64: &[&str] = &["addsubpd", "haddpd", "hsubpd"];
const HORIZONTAL_32: &[&str] = &["addsubps", "haddps", "hsubps"];
const CONVERSIONS_OF_64: &[&str] = &["cvtsd2ss", "cvtpd2ps"];
const CONVERSIONS_OF_32: &[&str] = &["cvtss2sd", "cvtps2pd"];
/// Counted, since an index has no room in two bytes.
const OF_TWO_BYTES: &[&str] = &["cvtps2ph", "cvtph2ps"];

pub fn moves(content: Content, stem: &str) -> bool {
    COPIES_OF_64.contains(&stem) || content == Content::F32 && COPIES_OF_32.contains(&stem)
}

fn is_horizontal(content: Content, stem: &str) -> bool {
    (if content == Content::F32 { HORIZONTAL_32 } else { HORIZONTAL_64 }).contains(&stem)
}

pub fn is_conversion(content: Content, stem: &str) -> bool {
    (if content == Content::F32 { CONVERSIONS_OF_32 } else { CONVERSIONS_OF_64 }).contains(&stem)
}

pub fn is_arithmetic(content: Content, code: Code) -> bool {
    matches!(family(code), Family::Arithmetic(_, of, _) if of == content)
}

/// Has the client of the configuration this instruction?
fn fits(configuration: Configuration, code: Code) -> bool {
    match code.op_code().encoding() {
        EncodingKind::Legacy => true,
        EncodingKind::VEX => configuration.has_vex(),
        _ => configuration.has_evex(),
    }
}

/// Sign masks and whole lanes in the last register or memory operand, as logical instructions want them.
fn put_masks(content: Content, bytes: &mut [u8], random: &mut Random) {
    for lane in bytes.chunks_mut(content.size()) {
        let sign = 1u64 << (8 * content.size() - 1);
        let masks = [0, !0, sign, !sign];
        let mask = masks[random.below(4)].to_le_bytes();
        lane.copy_from_slice(&mask[..lane.len()]);
    }
}

/// Runs each of the instructions by itself, with all forms of operands.
fn each_alone(mode: Mode, least: usize, chosen: impl Fn(Content, Code) -> bool) {
    each_alone_of(VECTOR_FEATURES, mode, least, chosen);
}

/// The same for instructions with other features.
pub fn each_alone_of(
    features: &[CpuidFeature],
    mode: Mode,
    least: usize,
    chosen: impl Fn(Content, Code) -> bool,
) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    let mut compared = 0;
    for configuration in Configuration::available() {
        for code in codes(features) {
            for content in [Content::F64, Content::F32] {
                if !chosen(content, code) || !fits(configuration, code) {
                    continue;
                }
                let mut random = Random(code as u64 + 1);
                for number in 0..FORMS {
                    let Some(twin) = alone(configuration, mode, content, code, number, &mut random) else {
                        continue;
                    };
                    failures.cases += 1;
                    match run(&mut harness, configuration, mode, &twin, random.word()) {
                        Ok(active) => compared += active,
                        Err(text) => failures.add(&format!("{code:?} {content:?}"), || text),
                    }
                }
            }
        }
    }
    failures.finish(least);
    assert!(compared > 50 * least, "only {compared} active lanes were compared");
}

const FORMS: usize = 6;

fn alone(
    configuration: Configuration,
    mode: Mode,
    content: Content,
    code: Code,
    number: usize,
    random: &mut Random,
) -> Option<Twin> {
    let wish = Wish {
        memory: number % 3 == 2,
        addressing: Addressing::ALL[random.below(Addressing::ALL.len())],
        aliasing: Aliasing::ALL[number % 5],
        far: random.once_in(2),
        aligned: true,
        pc: None,
        fixed_bases: false,
    };
    let generated = generate(code, wish, random)?;
    let states = random_states(random);
    let state = states[random.below(states.len())];
    let mut machine = random_machine(content, configuration, random);
    positive(content, &mut machine);
    generated.prepare(&mut machine);
    let mut dots = random_shadows(content, configuration, state, random);
    if matches!(family(code), Family::Logic(_)) {
        let last = generated.instruction.op_count() - 1;
        match generated.place {
            Some((address, size)) => {
                put_masks(content, machine.memory.at_mut(address, size), random);
                dots.memory.at_mut(address, size).fill(0);
            }
            None => {
                let number = generated.instruction.op_register(last).number();
                put_masks(content, &mut machine.vectors[number], random);
                if random.once_in(2) {
                    dots.vectors[number].fill(0);
                }
            }
        }
    }
    if is_conversion(content, &stem(code)) {
        if generated.instruction.has_op_mask() && !generated.instruction.zeroing_masking() {
            return None;
        }
        // The upper half of a binary64 would stay beside a binary32.
        let last = generated.instruction.op_count() - 1;
        let rest = generated.instruction.op_register(last - 1).number();
        let source = generated.instruction.op_register(last);
        if !source.is_xmm() || source.number() != rest {
            dots.vectors[rest][..8].fill(0);
        }
    }
    let program = Program {
        bytes: generated.bytes.clone(),
        far: generated.far,
        constant: None,
        skipped: 0,
        arguments: None,
    };
    Some(Twin::new(program, content, mode, machine, state, dots))
}

/// Roots are real, at first.
fn positive(content: Content, machine: &mut Machine) {
    let clear_signs = |bytes: &mut [u8]| {
        bytes.chunks_mut(content.size()).for_each(|lane| lane[content.size() - 1] &= 0x7f);
    };
    machine.vectors.iter_mut().for_each(|vector| clear_signs(vector));
    machine.memory.areas.iter_mut().for_each(|area| clear_signs(area));
}

#[test]
fn recorded_arithmetic_has_the_derivatives_of_forward_mode() {
    each_alone(Mode::Recording, 1000, is_arithmetic);
}

#[test]
fn recorded_horizontal_and_alternating_arithmetic() {
    each_alone(Mode::Recording, 100, |content, code| is_horizontal(content, &stem(code)));
}

#[test]
fn recorded_sums_of_products() {
    let chosen = |content, code| matches!(family(code), Family::DotProduct(of) if of == content);
    each_alone(Mode::Recording, 30, chosen);
}

#[test]
fn recorded_conversions() {
    each_alone(Mode::Recording, 50, |content, code| is_conversion(content, &stem(code)));
}

#[test]
fn recorded_copies() {
    each_alone(Mode::Recording, 500, |content, code| moves(content, &stem(code)));
}

#[test]
fn recorded_changes_of_signs() {
    // Those that are made for binary64 are counted where they meet binary32.
    let is_made_for_it = |content, code| {
        matches!(family(code), Family::Logic(_)) && (content == Content::F64 || !stem(code).ends_with("pd"))
    };
    each_alone(Mode::Recording, 100, is_made_for_it);
}

#[test]
fn recorded_with_operands_of_eight_bytes() {
    let of_64 = |content, code| {
        let stem = stem(code);
        content == Content::F64
            && (is_arithmetic(content, code) || is_horizontal(content, &stem) || moves(content, &stem))
    };
    each_alone(Mode::RecordingWide, 1000, of_64);
}

/// Runs what has nothing to record, in a mode with indices: the family says what happens to shadows.
fn as_in_forward_mode(mode: Mode, least: usize, chosen: impl Fn(&str, Family) -> Option<Family>) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    for code in codes(VECTOR_FEATURES) {
        if let Some(family) = chosen(&stem(code), family(code)) {
            every_form_in(mode, &mut harness, &mut failures, code, family);
        }
    }
    failures.finish(least);
}

fn computes_with_indices(stem: &str) -> bool {
    [HORIZONTAL_64, HORIZONTAL_32, CONVERSIONS_OF_64, CONVERSIONS_OF_32].concat().contains(&stem)
}

#[test]
fn copies_comparisons_and_instructions_without_rule_are_the_same_while_recording() {
    as_in_forward_mode(Mode::Recording, 1000, |stem, family| match family {
        Family::Arithmetic(..) | Family::Logic(_) | Family::DotProduct(_) => None,
        _ if computes_with_indices(stem) => None,
        _ if OF_TWO_BYTES.contains(&stem) => Some(Family::Counted),
        family => Some(family),
    });
}

#[test]
fn while_paused_results_are_passive_and_copies_are_not() {
    as_in_forward_mode(Mode::Paused, 1000, |stem, family| match family {
        Family::Arithmetic(Operation::Minimum | Operation::Maximum, ..) => Some(family),
        Family::Arithmetic(operation, content, lanes) => Some(Family::Paused(operation, content, lanes)),
        Family::Same { .. } if OF_TWO_BYTES.contains(&stem) => Some(Family::Counted),
        Family::Same { .. } if !computes_with_indices(stem) => Some(family),
        _ => None,
    });
}

#[test]
fn binary32_is_counted_where_indices_have_more_than_32_bits() {
    as_in_forward_mode(Mode::RecordingWide, 1000, |_, family| match family {
        Family::Arithmetic(Operation::Minimum | Operation::Maximum, ..) => None,
        Family::Arithmetic(_, Content::F32, _) => Some(Family::Counted),
        _ => None,
    });
}

/// One random block.
fn block(
    harness: &mut Harness,
    configuration: Configuration,
    content: Content,
    pool: &[Code],
    seed: u64,
    choices: &[u64],
) -> Result<usize, TestCaseError> {
    let mut random = Random(seed);
    let block = Block::new(pool, random.once_in(2), choices);
    prop_assume!(!block.instructions.is_empty());
    let mut machine = random_machine(content, configuration, &mut random);
    positive(content, &mut machine);
    for (number, value) in BASE_VALUES {
        machine.general[number] = value;
    }
    let states = random_states(&mut random);
    let state = states[random.below(states.len())];
    let dots = random_shadows(content, configuration, state, &mut random);
    let program = block.program(0..block.instructions.len());
    let mode =
        if content == Content::F64 && random.once_in(4) { Mode::RecordingWide } else { Mode::Recording };
    let twin = Twin::new(program, content, mode, machine, state, dots);
    run(harness, configuration, mode, &twin, seed).map_err(TestCaseError::fail)
}

/// Blocks for each configuration: few and always the same, or as many as `DERIVGRIND_TEST_BLOCKS` says, and others each
/// time.
fn random_blocks(content: Content, encoding: EncodingKind) {
    let wanted = std::env::var("DERIVGRIND_TEST_BLOCKS").ok().and_then(|number| number.parse().ok());
    let cases = wanted.unwrap_or(CASES);
    let pool = pool(content, encoding);
    let harness = std::cell::RefCell::new(Harness::lock());
    let compared = std::cell::Cell::new(0);
    for configuration in Configuration::available() {
        let fits = match encoding {
            EncodingKind::Legacy => true,
            EncodingKind::EVEX => configuration.has_evex(),
            _ => configuration.has_vex(),
        };
        if !fits {
            continue;
        }
        let mut settings = Config::with_cases(cases);
        settings.failure_persistence = None;
        let mut runner = match wanted {
            Some(_) => TestRunner::new(settings),
            None => TestRunner::new_with_rng(settings, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
        };
        let strategy = (any::<u64>(), prop::collection::vec(any::<u64>(), 2..40));
        let result = runner.run(&strategy, |(seed, choices)| {
            let active = block(&mut harness.borrow_mut(), configuration, content, &pool, seed, &choices)?;
            compared.set(compared.get() + active);
            Ok(())
        });
        if let Err(error) = result {
            panic!("{error}");
        }
    }
    assert!(compared.get() > 100 * cases as usize, "only {} active lanes were compared", compared.get());
}

const CASES: u32 = 150;

fn pool(content: Content, encoding: EncodingKind) -> Vec<Code> {
    let is_sign_change = |stem: &str| ["xorps", "andps", "orps", "andnps"].contains(&stem);
    let mut pool = Vec::new();
    // EVEX instructions stand beside VEX instructions.
    let (features, others) = match encoding {
        EncodingKind::EVEX => (WIDE_FEATURES, codes(VECTOR_FEATURES)),
        _ => (VECTOR_FEATURES, Vec::new()),
    };
    let with_vex = |code: &Code| code.op_code().encoding() == EncodingKind::VEX;
    let all = codes(features).into_iter().filter(|code| code.op_code().encoding() == encoding);
    for code in all.chain(others.into_iter().filter(with_vex)) {
        let stem = stem(code);
        let of_addition = ["add", "sub", "mul", "div"].iter().any(|name| stem.starts_with(name));
        let times = match code {
            // The tape has the exact function.
            _ if stem.contains("14") => 0,
            // What cancels out in forward mode is active on the tape, and counted.
            _ if encoding == EncodingKind::EVEX && family(code) == Family::Counted => 0,
            // A mask of 32-bit lanes may cut a binary64 in two.
            _ if content == Content::F64 && encoding == EncodingKind::EVEX && stem.ends_with("ps") => 0,
            code if is_arithmetic(content, code) && of_addition => 20,
            code if is_arithmetic(content, code) && encoding == EncodingKind::Legacy => 4,
            code if is_arithmetic(content, code) || is_horizontal(content, &stem) => 2,
            _ if moves(content, &stem) => 2,
            _ if is_sign_change(&stem) => 0,
            _ => 0,
        };
        pool.extend(std::iter::repeat_n(code, times));
    }
    pool
}

#[test]
fn recorded_blocks_of_legacy_binary64() {
    random_blocks(Content::F64, EncodingKind::Legacy);
}

#[test]
fn recorded_blocks_of_legacy_binary32() {
    random_blocks(Content::F32, EncodingKind::Legacy);
}

#[test]
fn recorded_blocks_of_vex_binary64() {
    random_blocks(Content::F64, EncodingKind::VEX);
}

#[test]
fn recorded_blocks_of_vex_binary32() {
    random_blocks(Content::F32, EncodingKind::VEX);
}

#[test]
fn recorded_blocks_with_avx512() {
    if is_x86_feature_detected!("avx512bw") {
        random_blocks(Content::F64, EncodingKind::EVEX);
        random_blocks(Content::F32, EncodingKind::EVEX);
    }
}
