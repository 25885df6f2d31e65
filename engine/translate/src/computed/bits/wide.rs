//! Instructions in EVEX encoding: what [`super::vector`] says about a lane, in lanes that the mask lets through.
//!
//! Logic without a mask is judged in lanes of 64 bits, whatever the instruction calls them: without a mask compilers
//! take either.

use super::super::machine::place_of;
use super::super::wide::Operation;
use super::super::Change;
use super::vector::{self, fits, lane, lanes, single_lane, Second};
use super::word::{Target, Word};
use super::{ternary, Seen};
use crate::rules::Lanes;
use crate::wide_operations::WideShape;
use alloc::vec::Vec;
use iced_x86::{Instruction, Mnemonic, OpKind};

pub(in crate::computed) fn changes(instruction: &Instruction, seen: &Seen) -> Option<Vec<Change>> {
    let mnemonic = instruction.mnemonic();
    let wide = Wide { instruction, seen, operation: Operation { instruction, machine: seen.machine } };
    if let Some(changes) = single_lane(instruction, seen) {
        return changes;
    }
    if let Some((narrow, size)) = vector::widening(mnemonic) {
        return wide.widened(narrow, size);
    }
    if let Some((size, signed)) = vector::packing(mnemonic) {
        return wide.packed(size, signed);
    }
    if let Some(narrowing) = narrowing(mnemonic) {
        return wide.narrowed(narrowing);
    }
    if let Some(size) = broadcast(mnemonic) {
        return wide.broadcast(size);
    }
    match mnemonic {
        Mnemonic::Vpternlogd => wide.ternary(4),
        Mnemonic::Vpternlogq => wide.ternary(8),
        _ => match double_shift(mnemonic) {
            Some((size, right)) => wide.double_shift(size, right),
            None => wide.each_lane(),
        },
    }
}

struct Wide<'a> {
    instruction: &'a Instruction,
    seen: &'a Seen<'a>,
    operation: Operation<'a>,
}

impl Wide<'_> {
    fn shape(&self, size: usize) -> WideShape {
        WideShape::new(self.instruction, size, Lanes::Packed)
    }

    fn target(&self, lane: usize, size: usize) -> Option<Target> {
        Some(Target { place: self.operation.place(0, lane, size)?, size })
    }

    fn word(&self, operand: u32, lane: usize, size: usize) -> Option<Word> {
        let place = self.operation.place(operand, lane, size)?;
        Some(self.seen.word_at(place, self.operation.bits(place, size)?, size))
    }

    /// Bytes of the lanes that logic is judged in, and whether they surely are lanes of 64 bits.
    fn logical_lanes(&self, size: usize) -> (usize, bool) {
        if self.instruction.has_op_mask() || self.instruction.is_broadcast() {
            (size, size == 8)
        } else {
            (8, false)
        }
    }

    fn each_lane(&self) -> Option<Vec<Change>> {
        let (operation, mut size, second) = lanes(self.instruction.mnemonic())?;
        let last = self.instruction.op_count() - 1;
        let mut is_binary64 = false;
        if let vector::Operation::Logic(_) = operation {
            (size, is_binary64) = self.logical_lanes(crate::wide_logic::lane_bytes(self.instruction));
            is_binary64 |= matches!(self.instruction.mnemonic(), Mnemonic::Vandpd | Mnemonic::Vandnpd);
        }
        let adds_halves = vector::is_sum_of_halves(operation, size);
        let is_masked = self.instruction.has_op_mask() || self.instruction.is_broadcast();
        if adds_halves && is_masked && self.seen.has_indices() {
            return self.masked_sums_of_halves(operation);
        }
        let in_pairs = adds_halves && !is_masked;
        if in_pairs {
            size = 8;
        }
        self.operation.by_lanes(self.shape(size), |number| {
            let first = self.word(1, number, size)?;
            let other = match (self.instruction.op_kind(last), second) {
                (OpKind::Immediate8, _) => Word::passive(self.instruction.immediate8().into()),
                (_, Second::Lane) => self.word(last, number, size)?,
                (_, Second::Count) => self.word(last, 0, 8)?,
            };
            let target = self.target(number, size)?;
            if in_pairs {
                return Some(vector::pair_of_sums(self.seen, operation, target, first, other));
            }
            let known = lane(self.seen, operation, target, first, other, is_binary64);
            Some(known.unwrap_or_else(|| target.lost(&[first, other])))
        })
    }

    /// Two lanes of 32 bits at once, of which the mask may let one through: as the upper half of a binary64 has no
    /// index, what is added to it tells nothing by itself.
    fn masked_sums_of_halves(&self, operation: vector::Operation) -> Option<Vec<Change>> {
        let selected = |number: usize| self.operation.mask() >> (2 * number) & 3;
        let last = self.instruction.op_count() - 1;
        let zeroes = self.instruction.zeroing_masking();
        let commutes = operation == vector::Operation::Sum { subtracts: false };
        let is_whole = |word: &Word| word.is_active() && self.seen.is_binary64(*word);
        let lane = |number: usize| {
            let target = self.target(number, 8)?;
            let first = self.word(1, number, 8)?;
            let other = if self.instruction.is_broadcast() {
                let half = self.word(last, 0, 4)?;
                if half.is_active() {
                    return None;
                }
                Word::passive(half.value << 32 | half.value)
            } else {
                self.word(last, number, 8)?
            };
            let kept = if zeroes { Word::passive(0) } else { self.word(0, number, 8)? };
            let (seen, selected) = (self.seen, selected(number));
            if selected == 3 {
                return Some(vector::pair_of_sums(seen, operation, target, first, other));
            }
            if ![first, other, kept].iter().any(is_whole) {
                return Some(self.one_half(operation, target, [first, other], selected == 2));
            }
            // Compilers add to a copy of the number.
            let is_kept = |word: Word| (word.value, word.shadow) == (kept.value, kept.shadow);
            let (changed, added) = if commutes && is_kept(other) { (other, first) } else { (first, other) };
            if is_kept(changed) && !added.is_active() {
                let part = if selected == 2 { !0 << 32 } else { u64::MAX >> 32 };
                let part = Word::passive(added.value & part);
                return Some(vector::pair_of_sums(seen, operation, target, changed, part));
            }
            Some(target.lost(&[first, other, kept]))
        };
        self.operation.by_lanes_where(self.shape(8), |number| selected(number) != 0, lane)
    }

    /// The sum of one half; the other is left out by the mask.
    fn one_half(
        &self,
        operation: vector::Operation,
        target: Target,
        [first, second]: [Word; 2],
        upper: bool,
    ) -> Vec<Change> {
        let (first, second) = (first.half(upper), second.half(upper));
        let known = lane(self.seen, operation, target.half(upper), first, second, false);
        let mut changes = known.unwrap_or_else(|| target.half(upper).lost(&[first, second]));
        let rest = target.half(!upper);
        changes.push(if self.instruction.zeroing_masking() {
            rest.cleared()
        } else {
            Change::Copy { to: rest.place, from: rest.place, size: rest.size }
        });
        changes
    }

    fn ternary(&self, size: usize) -> Option<Vec<Change>> {
        let (size, is_binary64) = self.logical_lanes(size);
        self.operation.by_lanes(self.shape(size), |number| {
            let [first, second, third] = [0, 1, 2].map(|operand| self.word(operand, number, size));
            let words = [first?, second?, third?];
            let (table, target) = (self.instruction.immediate8(), self.target(number, size)?);
            let known = ternary::changes(self.seen, table, target, words, is_binary64);
            Some(known.unwrap_or_else(|| target.lost(&words)))
        })
    }

    /// By a count for all lanes, or one for each in the last operand.
    fn double_shift(&self, size: usize, right: bool) -> Option<Vec<Change>> {
        let bits = 8 * size as u64;
        let by_constant = self.instruction.op_count() == 4;
        let first = if by_constant { 1 } else { 0 };
        self.operation.by_lanes(self.shape(size), |number| {
            let (word, other) = (self.word(first, number, size)?, self.word(first + 1, number, size)?);
            let count = if by_constant {
                Word::passive(self.instruction.immediate8().into())
            } else {
                self.word(2, number, size)?
            };
            if count.is_active() {
                return None;
            }
            let count = (count.value % bits) as u32;
            self.seen.double_shifted(self.target(number, size)?, word, other, count, right)
        })
    }

    fn widened(&self, narrow: usize, size: usize) -> Option<Vec<Change>> {
        self.operation.by_lanes(self.shape(size), |number| {
            let to = self.target(number, size)?;
            let from = self.operation.place(1, number, narrow)?;
            Some(alloc::vec![to.cleared(), Change::Copy { to: to.place, from, size: narrow }])
        })
    }

    /// Lanes that fit into half their size move; others are saturated, and so constant.
    fn packed(&self, size: usize, signed: bool) -> Option<Vec<Change>> {
        let (narrow, half) = (size / 2, 16 / size);
        self.operation.by_lanes(self.shape(narrow), |number| {
            let to = self.target(number, narrow)?;
            let (group, within) = (number / (2 * half), number % (2 * half));
            let operand = if within < half { 1 } else { 2 };
            let word = self.word(operand, group * half + within % half, size)?;
            Some(narrow_lane(to, word, fits(word.value, size, signed)))
        })
    }

    /// Lanes become shorter.
    fn narrowed(&self, narrowing: Narrowing) -> Option<Vec<Change>> {
        let Narrowing { size, narrow, keeps } = narrowing;
        self.operation.by_shorter_lanes([size, narrow], |number| {
            let word = self.word(1, number, size)?;
            Some(narrow_lane(self.target(number, narrow)?, word, keeps.holds(word.value, size, narrow)))
        })
    }

    /// The lowest bytes of a general register go to all lanes.
    fn broadcast(&self, size: usize) -> Option<Vec<Change>> {
        let from = place_of(self.instruction.op1_register())?;
        self.operation.by_lanes(self.shape(size), |number| {
            let to = self.target(number, size)?.place;
            Some(alloc::vec![Change::Copy { to, from, size }])
        })
    }
}

fn narrow_lane(to: Target, word: Word, moves: bool) -> Vec<Change> {
    match word.place {
        Some(from) if moves => alloc::vec![Change::Copy { to: to.place, from, size: to.size }],
        _ => alloc::vec![to.cleared()],
    }
}

/// Which numbers a narrowing moves; others are saturated, and so constant.
#[derive(Clone, Copy)]
enum Keeps {
    All,
    Signed,
    Unsigned,
}

impl Keeps {
    fn holds(self, value: u64, size: usize, narrow: usize) -> bool {
        let above = 64 - 8 * size;
        let signed = (value << above) as i64 >> above;
        match self {
            Keeps::All => true,
            Keeps::Signed => signed == signed << (64 - 8 * narrow) >> (64 - 8 * narrow),
            Keeps::Unsigned => value >> (8 * narrow) == 0,
        }
    }
}

/// Bytes of lanes before and after.
#[derive(Clone, Copy)]
struct Narrowing {
    size: usize,
    narrow: usize,
    keeps: Keeps,
}

fn narrowing(mnemonic: Mnemonic) -> Option<Narrowing> {
    use Keeps::{All, Signed, Unsigned};
    use Mnemonic::*;
    let (keeps, size, narrow) = match mnemonic {
        Vpmovwb => (All, 2, 1),
        Vpmovdb => (All, 4, 1),
        Vpmovdw => (All, 4, 2),
        Vpmovqb => (All, 8, 1),
        Vpmovqw => (All, 8, 2),
        Vpmovqd => (All, 8, 4),
        Vpmovswb => (Signed, 2, 1),
        Vpmovsdb => (Signed, 4, 1),
        Vpmovsdw => (Signed, 4, 2),
        Vpmovsqb => (Signed, 8, 1),
        Vpmovsqw => (Signed, 8, 2),
        Vpmovsqd => (Signed, 8, 4),
        Vpmovuswb => (Unsigned, 2, 1),
        Vpmovusdb => (Unsigned, 4, 1),
        Vpmovusdw => (Unsigned, 4, 2),
        Vpmovusqb => (Unsigned, 8, 1),
        Vpmovusqw => (Unsigned, 8, 2),
        Vpmovusqd => (Unsigned, 8, 4),
        _ => return None,
    };
    Some(Narrowing { size, narrow, keeps })
}

/// Bytes of a lane, and whether it is shifted to the right.
fn double_shift(mnemonic: Mnemonic) -> Option<(usize, bool)> {
    Some(match mnemonic {
        Mnemonic::Vpshldw | Mnemonic::Vpshldvw => (2, false),
        Mnemonic::Vpshldd | Mnemonic::Vpshldvd => (4, false),
        Mnemonic::Vpshldq | Mnemonic::Vpshldvq => (8, false),
        Mnemonic::Vpshrdw | Mnemonic::Vpshrdvw => (2, true),
        Mnemonic::Vpshrdd | Mnemonic::Vpshrdvd => (4, true),
        Mnemonic::Vpshrdq | Mnemonic::Vpshrdvq => (8, true),
        _ => return None,
    })
}

/// Bytes of a lane. From a vector register or memory it is a copy like others.
fn broadcast(mnemonic: Mnemonic) -> Option<usize> {
    Some(match mnemonic {
        Mnemonic::Vpbroadcastb => 1,
        Mnemonic::Vpbroadcastw => 2,
        Mnemonic::Vpbroadcastd => 4,
        Mnemonic::Vpbroadcastq => 8,
        _ => return None,
    })
}
