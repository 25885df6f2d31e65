//! Shifts and rotations of words with shadows, and moves of theirs by whole bytes.

use super::super::{Change, Place, UPPER_HALF};
use super::meaning::{Kind, Scale};
use super::word::{Summand, Target, Word};
use super::Seen;
use crate::recording::TAG;
use alloc::vec::Vec;

impl Seen<'_> {
    /// A shift to the left.
    pub fn shifted_left(&self, target: Target, word: Word, count: u32) -> Option<Vec<Change>> {
        let bits = 8 * target.size as u32;
        if !word.is_active() || count >= bits {
            return Some(alloc::vec![target.cleared()]);
        }
        let lost = (word.value | word.shadow) >> (bits - count).min(63) & (u64::MAX >> (64 - count.max(1)));
        if self.is_upper_half(word) && target.size == 8 && count == 32 {
            let index = word.shadow as u32 & !UPPER_HALF;
            let set = Change::Set { to: target.place, bytes: index.to_le_bytes(), size: 4 };
            return Some(alloc::vec![target.cleared(), set]);
        }
        let whole = target.size == 8 && self.is_binary64(word);
        let kind = if whole { Kind::Binary64 } else { Kind::Binary32 };
        // Bytes are put into another order; those that are shifted out come from elsewhere.
        let keeps_bytes = self.has_indices() || target.size >= 4 && kind.is_rounded(word.value);
        let moves_bytes = count % 8 == 0 && (lost == 0 || !keeps_bytes) && !self.is_upper_half(word);
        if count == 0 || moves_bytes {
            return Some(moved(target, word, count as isize / 8));
        }
        if target.size < 4 || self.is_piece(word) {
            return Some(alloc::vec![target.cleared()]);
        }
        if count >= kind.least_cut() {
            // The integer in the low bits of a rounded sum is piecewise constant.
            return kind.is_rounded(word.value).then(|| alloc::vec![target.cleared()]);
        }
        let slope = Scale { negative: false, exponent: count as i32 };
        self.sum(target, &[Summand { word, slope }], 0, word.value << count)
    }

    /// A shift to the right; the sign may come in.
    pub fn shifted_right(&self, target: Target, word: Word, count: u32) -> Option<Vec<Change>> {
        let bits = 8 * target.size as u32;
        if !word.is_active() || count >= bits {
            return Some(alloc::vec![target.cleared()]);
        }
        let is_index = self.has_indices() && self.is_binary64(word);
        if is_index && target.size == 8 && count == 32 {
            let has_room = word.shadow < u64::from(UPPER_HALF) && !self.mode.has_wide_indices();
            let marked = word.shadow as u32 | UPPER_HALF;
            let set = Change::Set { to: target.place, bytes: marked.to_le_bytes(), size: 4 };
            return has_room.then(|| alloc::vec![target.cleared(), set]);
        }
        if count % 8 == 0 && !is_index && !self.is_upper_half(word) {
            return Some(moved(target, word, -(count as isize / 8)));
        }
        let whole = target.size == 8 && self.is_binary64(word);
        let kind = if whole { Kind::Binary64 } else { Kind::Binary32 };
        if is_index && target.size == 4 && count % 8 == 0 {
            // A byte of the lower half, or of the index of a binary32 whose bytes are in another order.
            return None;
        }
        let is_cut = count >= kind.least_cut() || target.size < 4 || self.is_piece(word);
        is_cut.then(|| alloc::vec![target.cleared()])
    }

    /// A shift by whole bytes, by which those of another word come in.
    pub fn double_shifted(
        &self,
        target: Target,
        word: Word,
        other: Word,
        count: u32,
        right: bool,
    ) -> Option<Vec<Change>> {
        let (size, bytes) = (target.size, count as usize / 8);
        if !word.is_active() && !other.is_active() {
            return Some(alloc::vec![target.cleared()]);
        }
        // Of indices only those of binary32 can be moved by parts of a register.
        let is_narrow = |half: u64| half as u32 == 0 || half & u64::from(TAG) != 0;
        let fits = |word: Word| is_narrow(word.shadow) && is_narrow(word.shadow >> 32) && count % 32 == 0;
        let moves = count == 0 || !self.has_indices() || fits(word) && fits(other);
        if count % 8 != 0 || bytes > size || !moves {
            return None;
        }
        let (word, other, rest) = (word.place?, other.place?, size - bytes);
        let copy = |at: usize, from: Place, size: usize| {
            let to = target.place.offset_by(at);
            Change::Copy { to, from, size }
        };
        Some(if right {
            alloc::vec![copy(0, word.offset_by(bytes), rest), copy(rest, other, bytes)]
        } else {
            alloc::vec![copy(bytes, word, rest), copy(0, other.offset_by(rest), bytes)]
        })
    }

    /// A rotation by whole bytes.
    pub fn rotated(&self, target: Target, word: Word, count: Word, right: bool) -> Option<Vec<Change>> {
        let size = target.size;
        let bits = 8 * size as u32;
        if count.is_active() {
            return None;
        }
        if !word.is_active() {
            return Some(alloc::vec![target.cleared()]);
        }
        let count = count.value as u32 % bits;
        let up = if right { (bits - count) % bits } else { count };
        let from = word.place?;
        let bytes = up as usize / 8;
        let copy = |byte: usize| Change::Copy {
            to: target.place.offset_by((byte + bytes) % size),
            from: from.offset_by(byte),
            size: 1,
        };
        (up % 8 == 0).then(|| (0..size).map(copy).collect())
    }
}

/// The shadow moves by whole bytes, upwards if `distance` is positive.
pub fn moved(target: Target, word: Word, distance: isize) -> Vec<Change> {
    let mut changes = alloc::vec![target.cleared()];
    let Some(from) = word.place else { return changes };
    let size = target.size - distance.unsigned_abs();
    let (to, from) = if distance < 0 {
        (target.place, from.offset_by(distance.unsigned_abs()))
    } else {
        (target.place.offset_by(distance as usize), from)
    };
    changes.push(Change::Copy { to, from, size });
    changes
}
