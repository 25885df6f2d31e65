//! Words with shadows, and changes that follow from what operations on them mean.

use super::super::{Change, Place, Real, Term, UPPER_HALF};
use super::meaning::{is_disjoint, Kind, Logic, Meaning, Scale, FRACTION_OF_UPPER_HALF};
use super::shifts::moved;
use super::Seen;
use crate::recording::TAG;
use alloc::vec::Vec;

/// A word of 1, 2, 4 or 8 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    pub value: u64,
    pub shadow: u64,
    /// `None`: passive.
    pub place: Option<Place>,
}

/// Where a result goes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub place: Place,
    /// 1, 2, 4 or 8.
    pub size: usize,
}

/// A summand: a word, shifted to the left and negated.
#[derive(Clone, Copy, Debug)]
pub struct Summand {
    pub word: Word,
    pub slope: Scale,
}

impl Word {
    pub fn passive(value: u64) -> Word {
        Word { value, shadow: 0, place: None }
    }

    pub fn is_active(self) -> bool {
        self.shadow != 0
    }

    /// The lower or upper half of a word of 8 bytes.
    pub fn half(self, upper: bool) -> Word {
        let shift = if upper { 32 } else { 0 };
        Word {
            value: self.value >> shift & 0xffff_ffff,
            shadow: self.shadow >> shift & 0xffff_ffff,
            place: self.place.map(|place| place.offset_by(shift / 8)),
        }
    }
}

impl Target {
    pub fn half(self, upper: bool) -> Target {
        Target { place: self.place.offset_by(if upper { 4 } else { 0 }), size: 4 }
    }

    /// The whole target becomes passive.
    pub fn cleared(self) -> Change {
        Change::Zero { to: self.place, size: self.size }
    }

    /// What comes of these words is not understood: the target is passive, and they are counted. In a register that
    /// holds a scalar, it may be about a lane that nobody needs; the others have their derivatives.
    pub fn lost(self, words: &[Word]) -> Vec<Change> {
        let places = words.iter().filter_map(|word| word.place);
        let lost = places.map(|from| Change::Lose { from, size: self.size });
        lost.chain([self.cleared()]).collect()
    }

    /// All its bits.
    pub fn mask(self) -> u64 {
        u64::MAX >> (64 - 8 * self.size)
    }
}

impl Seen<'_> {
    /// Does a word of 8 bytes hold a binary64, as far as its shadow tells?
    pub fn is_binary64(&self, word: Word) -> bool {
        if self.mode.has_wide_indices() {
            true
        } else if self.has_indices() {
            let tags = u64::from(TAG | UPPER_HALF);
            word.shadow & (tags << 32 | tags) == 0
        } else {
            // The dot value would be denormal.
            word.shadow >> 32 != 0
        }
    }

    /// Is it a part of a number of two bytes at most: the sign and the exponent, or something to be put together
    /// again? An index may be as small.
    pub fn is_piece(&self, word: Word) -> bool {
        !self.has_indices() && (word.value | word.shadow) >> 16 == 0
    }

    /// Is it the upper half of a binary64, by itself, while indices are followed?
    pub fn is_upper_half(&self, word: Word) -> bool {
        let marks = u64::from(TAG | UPPER_HALF);
        self.has_indices() && !self.mode.has_wide_indices() && word.shadow & marks == u64::from(UPPER_HALF)
    }

    /// While dot values are followed: what is left of a number without its highest bytes is put together with a
    /// passive sign and exponent. (A dot value with the exponent of the rest would be none.)
    fn lacks_highest_bytes(&self, target: Target, first: Word, second: Word) -> bool {
        let (rests, normal): (&[u32], _) =
            if target.size == 8 { (&[48, 56], 0x7000_0000_0000_0000) } else { (&[16], 0x6000_0000) };
        let lacks = |low: Word, high: Word| {
            let is_rest =
                |bits: &u32| (low.value | low.shadow) >> bits == 0 && high.value & ((1 << bits) - 1) == 0;
            let is_part = low.shadow >> (4 * target.size) != 0 || target.size == 4 && low.is_active();
            is_part && !high.is_active() && high.value & normal != 0 && rests.iter().any(is_rest)
        };
        let is_whole = matches!(target.size, 4 | 8) && !self.has_indices();
        is_whole && (lacks(first, second) || lacks(second, first))
    }

    /// While indices are followed: the halves of a binary64 are put together. The upper one has the index, and where
    /// it has none it is not known what has become of it.
    fn joins(&self, target: Target, first: Word, second: Word) -> Option<Option<Vec<Change>>> {
        if !self.has_indices() || target.size != 8 {
            return None;
        }
        const EXPONENT: u64 = 0x7ff << 52;
        for (low, high) in [(first, second), (second, first)] {
            let is_half = low.is_active() && self.is_binary64(low) && low.value >> 32 == 0;
            let fits = high.value << 32 == 0 && (!high.is_active() || self.is_binary64(high));
            // An active fraction may get its exponent later.
            if !is_half || !fits || !high.is_active() && high.value & EXPONENT == 0 {
                continue;
            }
            return Some(high.is_active().then(|| moved(target, high, 0)));
        }
        None
    }

    /// The kind of a word of 32 bits.
    fn kind_of_half(&self, word: Word, otherwise: Kind) -> Kind {
        if self.is_upper_half(word) {
            Kind::Upper
        } else {
            otherwise
        }
    }

    /// A logical operation. `is_binary64`: the instruction is made for such lanes.
    pub fn logic(
        &self,
        logic: Logic,
        target: Target,
        first: Word,
        second: Word,
        is_binary64: bool,
    ) -> Option<Vec<Change>> {
        if !first.is_active() && !second.is_active() {
            return Some(alloc::vec![target.cleared()]);
        }
        // Whatever the other operand is, and also where its value happens to stay the same.
        let decides = |word: Word| match logic {
            Logic::And => word.value & target.mask() == 0,
            Logic::Or => word.value & target.mask() == target.mask(),
            Logic::Xor => false,
        };
        if [first, second].into_iter().any(|word| !word.is_active() && decides(word)) {
            return Some(alloc::vec![target.cleared()]);
        }
        if logic != Logic::And {
            if self.lacks_highest_bytes(target, first, second) {
                return None;
            }
            if let Some(changes) = self.joins(target, first, second) {
                return changes;
            }
        }
        if target.size == 8 && self.falls_apart(logic, first, second, is_binary64) {
            let mut changes =
                self.logic(logic, target.half(false), first.half(false), second.half(false), false)?;
            changes.extend(self.logic(
                logic,
                target.half(true),
                first.half(true),
                second.half(true),
                false,
            )?);
            return Some(changes);
        }
        let both = first.is_active() && second.is_active();
        if logic != Logic::And && both && self.unites(first, second) {
            return Some(united(target, &[first, second]));
        }
        if target.size < 4 {
            return self.sign(logic, target, first, second);
        }
        const MAGNITUDES: u64 = 0x7fff_ffff_7fff_ffff;
        if logic == Logic::Xor && both && (first.value ^ second.value) & MAGNITUDES == 0 {
            // A number with its absolute value: the sign is left.
            return Some(alloc::vec![target.cleared()]);
        }
        let mut changes = alloc::vec![target.cleared()];
        let mut kept = false;
        for (number, passive) in [(first, second), (second, first)] {
            if !number.is_active() {
                continue;
            }
            let kind = if target.size == 8 {
                Kind::Binary64
            } else {
                let concerned =
                    if logic == Logic::And { !passive.value & 0xffff_ffff } else { passive.value };
                self.kind_of_half(number, Kind::of_half(concerned))
            };
            let mut meaning = kind.combined(logic, number.value, passive.value);
            let keeps = is_negated_answer(logic, number, passive)
                || target.size == 8 && is_order_turned(logic, passive) && self.is_binary64(number);
            if meaning == Meaning::Unknown && keeps && matches!(target.place, Place::General { .. }) {
                meaning = Meaning::Scaled(Scale::ONE);
            }
            if meaning == Meaning::Unknown && self.is_piece(number) {
                if let Some(set) = self.sign_of_piece(logic, target, number, passive) {
                    changes.push(set);
                    kept = true;
                    continue;
                }
                meaning = Meaning::Constant;
            }
            if meaning == Meaning::Constant {
                continue;
            }
            if kept {
                return None;
            }
            kept = true;
            self.apply(&mut changes, target, kind, number, meaning)?;
        }
        Some(changes)
    }

    /// A logical operation on one or two bytes: the sign of a number is changed in its highest byte, or the result is
    /// an integer.
    fn sign(&self, logic: Logic, target: Target, first: Word, second: Word) -> Option<Vec<Change>> {
        let (number, passive) = if first.is_active() { (first, second) } else { (second, first) };
        let sign = 1 << (8 * target.size - 1);
        let mask = if logic == Logic::And { target.mask() & !sign } else { sign };
        if passive.value != mask || passive.is_active() {
            return Some(alloc::vec![target.cleared()]);
        }
        let changes = logic.of(number.value, mask) ^ number.value;
        let shadow = (number.shadow ^ changes) as u32;
        let set = Change::Set { to: target.place, bytes: shadow.to_le_bytes(), size: target.size };
        // An index has no sign.
        (!self.has_indices()).then(|| alloc::vec![set])
    }

    /// The two highest bytes of a number, by themselves in a longer word: their sign is changed.
    fn sign_of_piece(&self, logic: Logic, target: Target, piece: Word, passive: Word) -> Option<Change> {
        const SIGN: u64 = 1 << 15;
        let is_sign = match logic {
            Logic::And => passive.value & 0xffff == SIGN - 1,
            Logic::Or | Logic::Xor => passive.value == SIGN,
        };
        let changes = (logic.of(piece.value, passive.value) ^ piece.value) & SIGN;
        let shadow = (piece.shadow ^ changes) as u32;
        let set = Change::Set { to: target.place, bytes: shadow.to_le_bytes(), size: 2 };
        (is_sign && !passive.is_active()).then_some(set)
    }

    /// Bits of a word under a mask, among bits that are passive; `after` is the result.
    pub fn replaced(
        &self,
        target: Target,
        word: Word,
        mask: u64,
        after: u64,
        is_binary64: bool,
    ) -> Option<Vec<Change>> {
        if after == word.value & mask {
            return self.logic(Logic::And, target, word, Word::passive(mask), is_binary64);
        }
        let falls_apart = || self.falls_apart(Logic::And, word, Word::passive(mask), is_binary64);
        let mut changes = alloc::vec![target.cleared()];
        if target.size == 8 && falls_apart() {
            for upper in [false, true] {
                let shift = if upper { 32 } else { 0 };
                let [mask, after] = [mask, after].map(|bits| bits >> shift & 0xffff_ffff);
                changes.extend(self.replaced(target.half(upper), word.half(upper), mask, after, false)?);
            }
            return Some(changes);
        }
        let kind = match target.size {
            8 => Kind::Binary64,
            _ => self.kind_of_half(word, Kind::of_half(!mask & 0xffff_ffff)),
        };
        match kind.replaced(word.value, mask, after) {
            Meaning::Constant => {}
            Meaning::Unknown if self.is_piece(word) => {}
            meaning => self.apply(&mut changes, target, kind, word, meaning)?,
        }
        Some(changes)
    }

    /// Are the halves of a word of 8 bytes two words by themselves?
    fn falls_apart(&self, logic: Logic, first: Word, second: Word, is_binary64: bool) -> bool {
        let active = || [first, second].into_iter().filter(|word| word.is_active());
        if self.has_indices() {
            return active().any(|word| !self.is_binary64(word));
        }
        if active().any(|word| !self.is_binary64(word)) {
            return true;
        }
        let passive = if first.is_active() { second } else { first };
        if passive.is_active() {
            return false;
        }
        // What is left alone by the passive operand.
        let left = if logic == Logic::And { passive.value } else { !passive.value };
        let halves = [left as u32, (left >> 32) as u32];
        if left == 0 {
            return false;
        }
        if logic == Logic::And && left == FRACTION_OF_UPPER_HALF {
            return true;
        }
        const SIGN: u32 = 1 << 31;
        let keeps = |half: u32| half | SIGN == u32::MAX;
        let drops = |half: u32| half & !SIGN == 0;
        let is_plain = halves.iter().all(|half| keeps(*half) || logic != Logic::Xor && drops(*half));
        let cuts = drops(halves[0]) && keeps(halves[1]);
        let has_new_exponent = halves[1] & 0x7f80_0000 == 0 && halves[1] & 0x007f_ffff == 0x007f_ffff;
        let is_rounded = active().all(|word| Kind::Binary64.is_rounded(word.value));
        let takes_low_half = logic == Logic::And && halves[1] == 0 && !is_rounded;
        is_plain && !(cuts && is_binary64) || halves[0] == halves[1] || has_new_exponent || takes_low_half
    }

    /// Do the operands contribute bytes side by side? A byte of zeros may have a shadow.
    fn unites(&self, first: Word, second: Word) -> bool {
        is_disjoint(first.value | first.shadow, second.value | second.shadow)
    }

    /// A sum of words, of which some may be shifted or negated, and a passive number; `after` is its value.
    pub fn sum(&self, target: Target, summands: &[Summand], passive: u64, after: u64) -> Option<Vec<Change>> {
        let mut active: Vec<Summand> =
            summands.iter().copied().filter(|summand| summand.word.is_active()).collect();
        if let [one, other] = active.as_slice() {
            if one.word.place == other.word.place && one.slope == other.slope {
                let slope = Scale { exponent: one.slope.exponent + 1, ..one.slope };
                active = alloc::vec![Summand { slope, ..*one }];
            }
        }
        let after = after & target.mask();
        if active.is_empty() {
            return Some(alloc::vec![target.cleared()]);
        }
        let constant = summands
            .iter()
            .filter(|summand| !summand.word.is_active())
            .fold(passive, |sum, summand| sum.wrapping_add(shifted(*summand)))
            & target.mask();
        let plain = active.iter().all(|summand| summand.slope == Scale::ONE);
        let whole = target.size == 8 && active.iter().all(|summand| self.is_binary64(summand.word));
        let half = || self.kind_of_half(active[0].word, Kind::of_half_in_sum(constant & 0xffff_ffff));
        let kind = if whole { Kind::Binary64 } else { half() };
        let exponent_only = constant & kind.fraction() == 0;
        if let ([one, other], true) = (summands, summands.iter().all(|summand| summand.slope == Scale::ONE)) {
            if let Some(changes) = self.joins(target, one.word, other.word).filter(|_| passive == 0) {
                return changes;
            }
        }
        if let ([one], true) = (active.as_slice(), plain) {
            if constant == 0 {
                return Some(united(target, &[one.word]));
            }
            if !exponent_only && self.unites(one.word, Word::passive(constant)) {
                return Some(united(target, &[one.word]));
            }
        }
        if let ([one, other], true, 0) = (active.as_slice(), plain, constant) {
            if self.unites(one.word, other.word) {
                return Some(united(target, &[one.word, other.word]));
            }
        }
        let highest = 1 << (8 * target.size - 1);
        if let ([one], true, true) = (active.as_slice(), plain, target.size < 4 && constant == highest) {
            return self.sign(Logic::Xor, target, one.word, Word::passive(highest));
        }
        if target.size < 4 || active.iter().all(|summand| self.is_piece(summand.word)) {
            return Some(alloc::vec![target.cleared()]);
        }
        if whole {
            return self.linear(target, kind, &active, after);
        }
        let low = if target.size == 8 { target.half(false) } else { target };
        if target.size == 8 && active.iter().any(|summand| summand.word.shadow >> 32 != 0) {
            return None;
        }
        let mut changes = alloc::vec![target.cleared()];
        changes.extend(self.linear(low, kind, &active, after & 0xffff_ffff)?);
        Some(changes)
    }

    fn linear(&self, target: Target, kind: Kind, active: &[Summand], after: u64) -> Option<Vec<Change>> {
        let scale = |summand: &Summand| kind.linear(summand.word.value & target.mask(), after, summand.slope);
        let mut changes = Vec::new();
        if let [one] = active {
            self.apply(&mut changes, target, kind, one.word, Meaning::Scaled(scale(one)))?;
            return Some(changes);
        }
        let real = self.real(target, active.iter().map(|summand| summand.word))?;
        let mut terms = Vec::new();
        for summand in active {
            terms.push(Term { from: summand.word.place?, real, partial: scale(summand).factor()? });
        }
        changes.push(Change::Linear { to: target.place, real, terms });
        Some(changes)
    }

    /// The type of words, `None` for parts of an index.
    fn real(&self, target: Target, mut words: impl Iterator<Item = Word>) -> Option<Real> {
        if target.size == 8 {
            return Some(Real::Binary64);
        }
        let narrow = !self.has_indices() || words.all(|word| word.shadow & u64::from(TAG) != 0);
        narrow.then_some(Real::Binary32)
    }

    fn apply(
        &self,
        changes: &mut Vec<Change>,
        target: Target,
        kind: Kind,
        word: Word,
        meaning: Meaning,
    ) -> Option<()> {
        let from = word.place?;
        match meaning {
            Meaning::Unknown => return None,
            Meaning::Constant => {}
            // An index is as a whole in the lower half.
            Meaning::Bytes(bytes) if self.has_indices() && kind == Kind::Binary64 && bytes != 0x0f => {
                return None;
            }
            Meaning::Bytes(bytes) => {
                for byte in (0..target.size).filter(|byte| bytes >> byte & 1 != 0) {
                    let (to, from) = (target.place.offset_by(byte), from.offset_by(byte));
                    changes.push(Change::Copy { to, from, size: 1 });
                }
            }
            Meaning::Scaled(Scale::ONE) => {
                changes.push(Change::Copy { to: target.place, from, size: target.size });
            }
            Meaning::Scaled(scale) if kind == Kind::Upper && !self.has_indices() => {
                let half = scaled_half(word.shadow as u32, scale);
                changes.push(Change::Set { to: target.place, bytes: half.to_le_bytes(), size: 4 });
            }
            Meaning::Scaled(scale) if self.is_upper_half(word) && target.size == 4 => {
                let index = word.shadow & !u64::from(UPPER_HALF);
                changes.push(Change::Upper { to: target.place, index, partial: scale.factor()? });
            }
            Meaning::Scaled(scale) => {
                let real = self.real(target, [word].into_iter())?;
                let term = Term { from, real, partial: scale.factor()? };
                changes.push(Change::Linear { to: target.place, real, terms: alloc::vec![term] });
            }
        }
        Some(())
    }
}

/// Is the lowest bit alone changed, in a byte that is passive? Unoptimised code negates what a function has answered, in a
/// register whose other bytes are left from something else.
fn is_negated_answer(logic: Logic, number: Word, passive: Word) -> bool {
    logic == Logic::Xor && !passive.is_active() && passive.value == 1 && number.shadow & 0xff == 0
}

/// Are all bits changed but the sign of a binary64? This turns the order of negative numbers round, to compare them as
/// integers; the number comes back in the same way, if at all.
fn is_order_turned(logic: Logic, passive: Word) -> bool {
    logic == Logic::Xor && !passive.is_active() && passive.value == i64::MAX as u64
}

/// The value of a summand.
fn shifted(summand: Summand) -> u64 {
    let value = summand.word.value << summand.slope.exponent;
    if summand.slope.negative {
        value.wrapping_neg()
    } else {
        value
    }
}

/// The upper half of a dot value, with another exponent.
fn scaled_half(half: u32, scale: Scale) -> u32 {
    let exponent = (half >> 20 & 0x7ff) as i32;
    let sign = if scale.negative { 1 << 31 } else { 0 };
    if exponent == 0 {
        return half ^ sign;
    }
    let exponent = (exponent + scale.exponent).clamp(1, 0x7fe) as u32;
    half & 0x800f_ffff ^ sign | exponent << 20
}

/// Each byte of the result comes from the operand whose byte is not zero.
fn united(target: Target, words: &[Word]) -> Vec<Change> {
    let mut changes = alloc::vec![target.cleared()];
    for word in words {
        let Some(from) = word.place else { continue };
        if let [_] = words {
            changes.push(Change::Copy { to: target.place, from, size: target.size });
            continue;
        }
        for byte in (0..target.size).filter(|byte| word.shadow >> (8 * byte) & 0xff != 0) {
            let (to, from) = (target.place.offset_by(byte), from.offset_by(byte));
            changes.push(Change::Copy { to, from, size: 1 });
        }
    }
    changes
}
