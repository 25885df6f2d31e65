//! Rounding by adding and subtracting a large constant.
//!
//! `(x + m) - m` with `m = 1.5 * 2^52` is x rounded to an integer: the bits of x behind the point do not fit into the
//! sum. The argument reductions of mathematical functions do this, often with a fused product and sum, and with
//! `1.5 * 2^k` for other k where a few bits behind the point stay, as an index for a table. The result is piecewise
//! constant and has derivative zero; as two sums it would have derivative one, and all that follows would be wrong.
//!
//! [`find`] looks at a block before it is translated, and numbers the values of its vector registers. A sum is found to
//! round
//! - if an addend is a constant in memory that is never written, and it is `2^52`, `1.5 * 2^52` (for binary32 `2^23`,
//!   `1.5 * 2^23`), perhaps with some low bits that shift the result. One lane is enough to decide for a scalar; for
//!   vectors all lanes must agree, else lanes are tested;
//! - if the addend is subtracted from the sum in the same block or soon behind it, or its opposite added, and it is
//!   such a constant, or `2^k` or `1.5 * 2^k` with k from 30 on (binary32: 12). Where the value is not known when the
//!   block is translated it is tested when the block runs ([`lowering`]); then any register that was set before the
//!   block, or the loop, may be the opposite of `1.5 * 2^k`. So sums without a large constant stay linear, those of
//!   compensated summation included, and a sum is slower only if its addend is subtracted again, or if two constants
//!   in registers follow each other;
//! - if the addend is such a constant at the moment when the block is translated, in a register or in memory. A block is
//!   translated when it is about to be executed, and what it gets from elsewhere as a constant will be the same the
//!   next time. The sum is tested whenever it is executed, see [`Observed`];
//! - if nothing but this sum is computed until the block returns, calls, or jumps to an address that it was given, and
//!   the last addend is passive and such a constant: functions and interpreters that add whatever they get.
//!
//! Sums in EVEX encoding that have to be tested have a computed rule, see [`rounds`], and so have all of x87.
//!
//! Not found: a constant that comes from elsewhere and is subtracted in another block, or not at all, if the block
//! computes something else, too, and has been executed with another addend first; and one that the block computes in a
//! way that [`values`] does not see through. Then the sum stays active, and its bits are: to use them as an integer is counted where that is arithmetic,
//! see [`crate::computed`].

mod lowering;
mod values;

use crate::decode::{Block, Client, End};
use crate::interface::{ClientCode, Entry, Observed};
use crate::observation::Observation;
use crate::rules::{self, Addend, Binary, Element, Lanes, Order, Rule};
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use iced_x86::{EncodingKind, FlowControl, Instruction, InstructionInfoFactory};
use values::Values;

/// What is known about a sum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rounding {
    No,
    /// The result is piecewise constant.
    Always,
    /// It is in lanes in which this operand is such a constant.
    Tested(Candidate),
}

/// An addend whose lanes are tested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Candidate {
    pub operand: u32,
    /// It is known to be subtracted again: any power of two rounds.
    pub is_taken_back: bool,
    /// It may be any number, and is no constant where it is active.
    pub must_be_passive: bool,
}

impl Candidate {
    fn new(operand: u32) -> Candidate {
        Candidate { operand, is_taken_back: false, must_be_passive: false }
    }

    fn passive(operand: u32) -> Candidate {
        Candidate { must_be_passive: true, ..Candidate::new(operand) }
    }
}

/// A sum in a block. Operands are given by their numbers, and by those of their values.
#[derive(Clone, Copy)]
struct Sum {
    position: usize,
    element: Element,
    lanes: Lanes,
    /// Value of the result.
    result: u32,
    addends: [Option<Part>; 2],
}

/// An addend.
#[derive(Clone, Copy)]
struct Part {
    operand: u32,
    value: u32,
    is_subtracted: bool,
}

/// How far behind a sum its addend may be subtracted, where the block ends in between.
const AHEAD: usize = 24;

/// What each instruction of a block is, and what of that was told by its values at the moment. `ahead` gives the
/// instructions from an address on.
pub(crate) fn find(
    info: &mut InstructionInfoFactory,
    client: &dyn ClientCode,
    entry: Entry,
    block: &Block,
    ahead: impl Fn(u64) -> Vec<Client>,
) -> (Vec<Rounding>, Vec<Observed>) {
    let is_sum = |client: &Client| kind(&client.instruction).is_some();
    let Some(last) = block.instructions.iter().rposition(is_sum) else { return (Vec::new(), Vec::new()) };
    let (mut found, mut observed) = match block.end {
        End::Continue(target) if last + AHEAD > block.instructions.len() => {
            let mut instructions = block.instructions.clone();
            instructions.extend(ahead(target).into_iter().take(AHEAD));
            find_in(info, client, entry, &instructions)
        }
        _ => find_in(info, client, entry, &block.instructions),
    };
    found.truncate(block.instructions.len());
    if let Entry::Again { observed: before, .. } = entry {
        observed = before.to_vec();
    }
    let is_new = |seen: &Observed| match seen {
        Observed::Constant { position, .. } => found.get(usize::from(*position)) == Some(&Rounding::No),
        Observed::Passive { .. } => false,
    };
    observed.retain(is_new);
    for seen in &observed {
        if let Observed::Constant { position, operand } = *seen {
            found[usize::from(position)] = Rounding::Tested(Candidate::passive(u32::from(operand)));
        }
    }
    if let Some((position, operand)) = only_sum(block) {
        if found[position] == Rounding::No {
            found[position] = Rounding::Tested(Candidate::passive(operand));
        }
    }
    (found, observed)
}

/// The sum, and its last addend, if that is all that a block computes which ends by leaving its function, and is no
/// loop: that adds up what it gets. Sums in EVEX encoding would have to be computed by the engine, each time.
fn only_sum(block: &Block) -> Option<(usize, u32)> {
    let last = block.instructions.last().filter(|_| matches!(block.end, End::Branch))?;
    let leaves = matches!(
        last.instruction.flow_control(),
        FlowControl::Return | FlowControl::Call | FlowControl::IndirectCall | FlowControl::IndirectBranch
    );
    let computes = |client: &Client| {
        let rule = rules::rule(&client.instruction);
        matches!(
            rule,
            Rule::Binary(..)
                | Rule::Unary(..)
                | Rule::Fused { .. }
                | Rule::Alternating(_)
                | Rule::Horizontal(..)
        )
    };
    let loops = |client: &Client| {
        let instruction = &client.instruction;
        instruction.is_jcc_short_or_near() && instruction.near_branch_target() <= instruction.ip()
    };
    if block.instructions.iter().any(loops) {
        return None;
    }
    let mut computing = (0..).zip(&block.instructions).filter(|(_, client)| computes(client));
    let (position, client) = computing.next().filter(|_| leaves)?;
    if computing.next().is_some() || client.instruction.encoding() == EncodingKind::EVEX {
        return None;
    }
    let (_, _, addends) = kind(&client.instruction)?;
    let (operand, _) = addends.into_iter().flatten().last()?;
    Some((position, operand))
}

fn find_in(
    info: &mut InstructionInfoFactory,
    client: &dyn ClientCode,
    entry: Entry,
    instructions: &[Client],
) -> (Vec<Rounding>, Vec<Observed>) {
    let mut observed = Vec::new();
    let mut found = alloc::vec![Rounding::No; instructions.len()];
    let mut values = Values::new(info, instructions);
    let mut sums: Vec<Sum> = Vec::new();
    let mut observation = match entry {
        Entry::Seen(registers) => Some(Observation::new(client, registers)),
        Entry::Unknown | Entry::Again { .. } => None,
    };
    for (position, instruction) in instructions.iter().map(|client| &client.instruction).enumerate() {
        let sum = sum_at(&mut values, client, instruction, position);
        values.step(info, client, instruction);
        let seen = sum.as_ref().zip(observation.as_ref());
        let rounding_addend =
            seen.and_then(|(sum, observation)| seen_to_round(observation, instruction, sum));
        if let Some(observation) = &mut observation {
            observation.step(info, instruction);
        }
        let Some(mut sum) = sum else { continue };
        sum.result = values.register(instruction.op0_register().number());
        for part in sum.addends.into_iter().flatten() {
            let constant = values.constant(part.value);
            if constant.is_some_and(|words| all_lanes(&sum, instruction, words, is_exact))
                && !part.is_subtracted
            {
                found[position] = Rounding::Always;
            }
        }
        let taken_back = undone(&sums, &sum, &values);
        if let Some((earlier, part)) = taken_back {
            let whole = &instructions[earlier.position].instruction;
            let is_large = |words| all_lanes(earlier, whole, words, is_large_constant);
            found[earlier.position] = match values.constant(part.value).map(is_large) {
                _ if found[earlier.position] == Rounding::Always => Rounding::Always,
                Some(true) => Rounding::Always,
                Some(false) if earlier.lanes == Lanes::Scalar => Rounding::No,
                _ => Rounding::Tested(Candidate { is_taken_back: true, ..Candidate::new(part.operand) }),
            };
        }
        if let (Some(operand), None) = (rounding_addend, taken_back) {
            observed.push(Observed::Constant { position: position as u8, operand: operand as u8 });
        }
        if let Some((earlier, operand)) = followed(&sums, &sum, &values) {
            if found[earlier] == Rounding::No {
                found[earlier] = Rounding::Tested(Candidate::new(operand));
            }
        }
        sums.push(sum);
    }
    (found, observed)
}

/// The operand of a sum that is a rounding constant at the moment. A number that happens to be one is no such constant if
/// the other addend is as large and has the same sign, as where a power of two is doubled.
fn seen_to_round(observation: &Observation, instruction: &Instruction, sum: &Sum) -> Option<u32> {
    let bits = |part: &Part| observation.operand(instruction, part.operand);
    let number = |part: &Part| {
        let number = value(sum.element, bits(part)?);
        Some(if part.is_subtracted { -number } else { number })
    };
    let exceeds = |part: &Part, constant: f64| {
        number(part).is_some_and(|other| other * constant.signum() > constant.abs() / 2.0)
    };
    let rounds = |part: &&Part| {
        let others = sum.addends.iter().flatten().filter(|other| other.operand != part.operand);
        bits(part).is_some_and(|bits| is_rounding_alone(sum.element, bits))
            && number(part).is_some_and(|constant| !others.clone().any(|other| exceeds(other, constant)))
    };
    sum.addends.iter().flatten().find(rounds).map(|part| part.operand)
}

fn value(element: Element, bits: u64) -> f64 {
    match element {
        Element::F64 => f64::from_bits(bits),
        Element::F32 => f64::from(f32::from_bits(bits as u32)),
    }
}

/// The earlier sum, and its operand, where registers that were set before the block are added one after the other. Of
/// vectors also places of the stack, where compilers keep constants of a loop that has no registers for them; scalars
/// there are variables, in code that is not optimised.
fn followed(sums: &[Sum], sum: &Sum, values: &Values) -> Option<(usize, u32)> {
    let [Some(one), Some(other)] = sum.addends else { return None };
    let is_set_before =
        |value| values.is_invariant(value) || sum.lanes == Lanes::Packed && values.is_spilled(value);
    for (whole, part) in [(one, other), (other, one)] {
        let earlier = sums.iter().find(|earlier| earlier.result == whole.value);
        let Some(earlier) = earlier.filter(|_| is_set_before(part.value)) else { continue };
        let mut addends = earlier.addends.iter().flatten();
        if let Some(addend) = addends.find(|addend| is_set_before(addend.value)) {
            return Some((earlier.position, addend.operand));
        }
    }
    None
}

/// An operand that is added, by its number, or subtracted.
type Addends = [Option<(u32, bool)>; 2];

/// Element, lanes and addends of a sum.
fn kind(instruction: &Instruction) -> Option<(Element, Lanes, Addends)> {
    match rules::rule(instruction) {
        Rule::Binary(operation @ (Binary::Add | Binary::Subtract), element, lanes) => {
            let first = u32::from(instruction.encoding() != EncodingKind::Legacy);
            let subtracts = operation == Binary::Subtract;
            Some((element, lanes, [Some((first, false)), Some((first + 1, subtracts))]))
        }
        Rule::Fused { addend: addend @ (Addend::Plus | Addend::Minus), order, element, lanes, .. } => {
            let operand = match order {
                Order::O132 => 1,
                Order::O213 => 2,
                Order::O231 => 0,
            };
            Some((element, lanes, [Some((operand, addend == Addend::Minus)), None]))
        }
        _ => None,
    }
}

fn sum_at(
    values: &mut Values,
    client: &dyn ClientCode,
    instruction: &Instruction,
    position: usize,
) -> Option<Sum> {
    let (element, lanes, operands) = kind(instruction)?;
    let addends = operands.map(|operand| {
        let (operand, is_subtracted) = operand?;
        let value = values.operand(client, instruction, operand)?;
        Some(Part { operand, value, is_subtracted })
    });
    Some(Sum { position, element, lanes, result: 0, addends })
}

/// The earlier sum, and its addend, that a sum takes back.
fn undone<'a>(sums: &'a [Sum], sum: &Sum, values: &Values) -> Option<(&'a Sum, Part)> {
    let [Some(one), Some(other)] = sum.addends else { return None };
    for (whole, part) in [(one, other), (other, one)] {
        for earlier in sums.iter().filter(|earlier| earlier.result == whole.value) {
            // With the sign that the addend has within the whole.
            let is_taken_back = |addend: &&Part| {
                let changes_sign = (addend.is_subtracted ^ whole.is_subtracted) != part.is_subtracted;
                let is_taken_back = if changes_sign {
                    addend.value == part.value
                } else {
                    values.are_opposite(addend.value, part.value, sum.element)
                };
                is_taken_back && earlier.element == sum.element
            };
            if let Some(addend) = earlier.addends.iter().flatten().find(is_taken_back) {
                return Some((earlier, *addend));
            }
        }
    }
    None
}

/// Does a test hold for all lanes that a sum has?
fn all_lanes(sum: &Sum, instruction: &Instruction, words: [u64; 4], test: fn(Element, u64) -> bool) -> bool {
    let bytes = match (sum.lanes, sum.element) {
        (Lanes::Scalar, Element::F32) => 4,
        (Lanes::Scalar, Element::F64) => 8,
        (Lanes::Packed, _) => instruction.op0_register().size(),
    };
    let size = if sum.element == Element::F64 { 8 } else { 4 };
    (0..bytes).step_by(size).all(|at| {
        // A wider register has been filled with copies.
        let word = words[at / 8 % words.len()] >> (8 * (at % 8));
        test(sum.element, if size == 4 { word & 0xffff_ffff } else { word })
    })
}

/// Bits of the fraction below which a constant may have others set: they shift the rounded number.
const LOW_BITS_F64: u64 = 0xffff;
const LOW_BITS_F32: u64 = 0x3ff;
/// Least k of `1.5 * 2^k`.
const LEAST_F64: u64 = 30;
const LEAST_F32: u64 = 12;

/// The words of [`crate::constants::ROUNDING_F64`] and [`crate::constants::ROUNDING_F32`].
pub(crate) const WORDS_F64: [u64; 6] = [
    ((1 << 52) - 1) & !LOW_BITS_F64,
    1023 << 52,
    1023 << 52 | 1 << 51,
    0x7ff << 52,
    (1023 + LEAST_F64) << 52,
    (1023 + 52) << 52,
];
pub(crate) const WORDS_F32: [u64; 5] =
    [((1 << 23) - 1) & !LOW_BITS_F32, 127 << 23, 127 << 23 | 1 << 22, 0xff << 23, (127 + LEAST_F32) << 23];

/// The exponent, and the fraction without low bits, as a multiple of one half.
fn parts(element: Element, word: u64) -> (u64, Option<bool>) {
    let (exponent, fraction, half) = match element {
        Element::F64 => {
            ((word >> 52 & 0x7ff).wrapping_sub(1023), word & ((1 << 52) - 1) & !LOW_BITS_F64, 1 << 51)
        }
        Element::F32 => {
            ((word >> 23 & 0xff).wrapping_sub(127), word & ((1 << 23) - 1) & !LOW_BITS_F32, 1 << 22)
        }
    };
    let is_half = match fraction {
        0 => Some(false),
        _ if fraction == half => Some(true),
        _ => None,
    };
    (exponent, is_half)
}

/// A constant by which numbers are rounded to integers, and that has no other use as an addend.
fn is_exact(element: Element, word: u64) -> bool {
    let (exponent, half) = parts(element, word);
    let negative = word >> if element == Element::F64 { 63 } else { 31 } & 1 != 0;
    exponent == point(element) && half.is_some() && !negative
}

/// Least k of `1.5 * 2^k` that is taken for such a constant although nothing subtracts it again. Binary32 has none.
const LEAST_ALONE: u64 = 40;

/// Does a number in a register or in memory have no other use as an addend, whatever its sign?
fn is_rounding_alone(element: Element, bits: u64) -> bool {
    let bits = if element == Element::F32 { bits & 0x7fff_ffff } else { bits & i64::MAX as u64 };
    let (exponent, half) = parts(element, bits);
    let has_room = element == Element::F64 && half == Some(true) && (LEAST_ALONE..=1023).contains(&exponent);
    is_exact(element, bits) || has_room
}

/// Does the first addend of a sum, by its bits, round the second, if it is subtracted again? A mere power of two does
/// so if the second is much smaller.
pub(crate) fn rounds(bytes: usize, bits: u64, rounded: f64) -> bool {
    let (element, addend, distance) = match bytes {
        8 => (Element::F64, f64::from_bits(bits), 1 << 24),
        _ => (Element::F32, f64::from(f32::from_bits(bits as u32)), 1 << 12),
    };
    is_large(element, bits)
        && (is_certain(element, bits) || rounded.abs() * f64::from(distance) < addend.abs())
}

/// Are these the bits of a sum of such a constant and a number that is much smaller? Its low bits are an integer then.
pub(crate) fn is_rounded(bytes: usize, bits: u64) -> bool {
    let (element, room) = if bytes == 8 { (Element::F64, 1 << 20) } else { (Element::F32, 1 << 14) };
    let cleared = bits.wrapping_add(room) & !(2 * room - 1);
    is_large(element, cleared) && is_certain(element, cleared)
}

/// Has a large number no other meaning as an addend?
fn is_certain(element: Element, word: u64) -> bool {
    let (exponent, half) = parts(element, word);
    half == Some(true) || exponent == point(element)
}

/// A number by which numbers are rounded, if it is subtracted again. Compensated sums do the same with a number that
/// happens to be a power of two: there the rest of the sum has the derivative.
fn is_large(element: Element, word: u64) -> bool {
    let (exponent, half) = parts(element, word);
    half.is_some() && large(element).contains(&exponent)
}

/// The same for a constant that a program was compiled with.
fn is_large_constant(element: Element, word: u64) -> bool {
    let exponent = parts(element, word).0;
    let leaves_no_fraction = exponent >= point(element) && large(element).contains(&exponent);
    is_large(element, word) || leaves_no_fraction
}

/// Exponents of large numbers.
fn large(element: Element) -> RangeInclusive<u64> {
    if element == Element::F64 {
        LEAST_F64..=1023
    } else {
        LEAST_F32..=127
    }
}

/// From this exponent on, numbers are integers.
fn point(element: Element) -> u64 {
    if element == Element::F64 {
        52
    } else {
        23
    }
}
