//! `vpternlog`: any function of three bits, which the values of the other operands make a function of one.
//!
//! Of the bits of an operand, some are in the result as they are, some inverted, and the others do not matter. Where
//! but one operand matters that is one of the logical operations with a passive operand, or bits that are kept among
//! bits that are passive. Where several do, as in a selection by a mask, each half of a lane must belong to one of
//! them.

use super::super::Change;
use super::meaning::Logic;
use super::shifts::moved;
use super::word::{Target, Word};
use super::Seen;
use alloc::vec::Vec;

/// All bits of both halves but the signs.
const MAGNITUDES: u64 = 0x7fff_ffff_7fff_ffff;

pub(super) fn changes(
    seen: &Seen,
    table: u8,
    target: Target,
    words: [Word; 3],
    is_binary64: bool,
) -> Option<Vec<Change>> {
    let values = words.map(|word| word.value);
    let after = evaluate(table, values) & target.mask();
    let mut found: Option<Influence> = None;
    for (number, word) in words.iter().enumerate().filter(|(_, word)| word.is_active()) {
        // A register that is named twice is one operand.
        let same = words.map(|other| other.place == word.place);
        if same[..number].contains(&true) {
            continue;
        }
        let mut inverted = values;
        for (bits, _) in inverted.iter_mut().zip(same).filter(|(_, same)| *same) {
            *bits = !*bits;
        }
        let depends = (after ^ evaluate(table, inverted)) & target.mask();
        if depends & MAGNITUDES == 0 {
            continue;
        }
        let influence = Influence { word: *word, depends, opposite: depends & (after ^ word.value) };
        if let Some(other) = found {
            if target.size != 8 {
                return None;
            }
            let whole = joined(seen, target, after, &other, &influence)
                .or_else(|| joined(seen, target, after, &influence, &other));
            return whole.or_else(|| by_halves(seen, table, target, words));
        }
        found = Some(influence);
    }
    match found {
        None => Some(alloc::vec![target.cleared()]),
        Some(influence) => influence.changes(seen, target, after, is_binary64),
    }
}

/// While indices are followed: the lower half of a binary64 is put to an upper half, which has the index.
fn joined(seen: &Seen, target: Target, after: u64, low: &Influence, high: &Influence) -> Option<Vec<Change>> {
    let halves = [after as u32, (after >> 32) as u32];
    let is_low = low.depends >> 32 == 0 && halves[0] == low.word.value as u32;
    let is_high = high.word.value == u64::from(halves[1]) << 32;
    let are_numbers = seen.has_indices() && seen.is_binary64(low.word) && seen.is_binary64(high.word);
    (are_numbers && is_low && is_high).then(|| moved(target, high.word, 0))
}

fn by_halves(seen: &Seen, table: u8, target: Target, words: [Word; 3]) -> Option<Vec<Change>> {
    let mut all = Vec::new();
    for upper in [false, true] {
        let halves = words.map(|word| word.half(upper));
        all.extend(changes(seen, table, target.half(upper), halves, false)?);
    }
    Some(all)
}

/// The one operand that matters.
struct Influence {
    word: Word,
    /// Bits of the result that depend on it.
    depends: u64,
    /// Those among them that are its opposite.
    opposite: u64,
}

impl Influence {
    fn changes(&self, seen: &Seen, target: Target, after: u64, is_binary64: bool) -> Option<Vec<Change>> {
        let word = self.word;
        let (rest, all) = (!self.depends & target.mask(), target.mask());
        let constant = after & rest;
        if self.depends == all {
            return seen.logic(Logic::Xor, target, word, Word::passive(self.opposite), is_binary64);
        }
        if self.opposite & MAGNITUDES != 0 {
            return None;
        }
        if self.opposite == 0 && constant == rest {
            return seen.logic(Logic::Or, target, word, Word::passive(rest), is_binary64);
        }
        seen.replaced(target, word, self.depends, after, is_binary64)
    }
}

/// Bit k of the table is the result where the bits of the operands make up the number k.
fn evaluate(table: u8, [first, second, third]: [u64; 3]) -> u64 {
    let mut result = 0;
    for entry in (0..8).filter(|entry| table >> entry & 1 != 0) {
        let agrees = |value: u64, bit: u32| if entry >> bit & 1 != 0 { value } else { !value };
        result |= agrees(first, 2) & agrees(second, 1) & agrees(third, 0);
    }
    result
}
