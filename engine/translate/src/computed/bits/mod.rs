//! Instructions on the bits of numbers: logic, integer sums, shifts and moves of parts, in general and vector
//! registers.
//!
//! What is done to bits is found from the values ([`meaning`]): the operation and its passive operand decide, and the
//! bits before and after give the factor. The shadow of a word may be a dot value, half of one, two of binary32, or
//! an index; [`word`] brings both together. In a recording the tag of an index tells binary32 from binary64. Dot
//! values have none: there the operation decides, and where it might be both, halves are moved as they are, which is
//! right for pairs, and for a binary64 that is split into a head and a tail the sum of both derivatives is right.
//!
//! The index of a binary64 lies in the lower half of its shadow. Where a shift takes the upper half out of a register
//! its index goes with it, marked with [`super::UPPER_HALF`], and comes back when the half is shifted to its place. A
//! lower half keeps the index, too; where both are put together that of the upper half counts. An upper half that is
//! loaded from memory is passive: where it is put back, [`upper_part`] finds from the values what has become of the
//! number.

mod general;
mod meaning;
mod shifts;
mod ternary;
mod upper_part;
mod vector;
mod wide;
mod word;

use super::{Change, Operand, Place, Seen};
use alloc::vec::Vec;
use iced_x86::{Instruction, OpKind};
use meaning::Logic;
pub(super) use vector::lanes_alone;
pub(super) use wide::changes as wide;
use word::{Target, Word};

/// A logical operation as an instruction has it: one that inverts its first operand is separate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Logical {
    logic: Logic,
    inverts_first: bool,
}

pub(super) fn changes(instruction: &Instruction, seen: &Seen) -> Option<Vec<Change>> {
    let has_vector = (0..instruction.op_count()).any(|k| {
        instruction.op_kind(k) == OpKind::Register && instruction.op_register(k).is_vector_register()
    });
    if has_vector {
        vector::changes(instruction, seen)
    } else {
        general::changes(instruction, seen)
    }
}

impl Seen<'_> {
    fn has_indices(&self) -> bool {
        self.mode.has_indices()
    }

    /// Part of an operand; `at` counts in bytes.
    fn word(&self, operand: &Operand, at: usize, size: usize) -> Word {
        let mut value = [0; 8];
        value[..size].copy_from_slice(&operand.bytes[at..at + size]);
        self.word_at(operand.place.offset_by(at), u64::from_le_bytes(value), size)
    }

    fn word_at(&self, place: Place, value: u64, size: usize) -> Word {
        let mut shadow = [0; 8];
        (self.shadow)(place, &mut shadow[..size]);
        Word { value, shadow: u64::from_le_bytes(shadow), place: Some(place) }
    }

    fn logical(
        &self,
        operation: Logical,
        target: Target,
        first: Word,
        second: Word,
        is_binary64: bool,
    ) -> Option<Vec<Change>> {
        if !operation.inverts_first {
            return self.logic(operation.logic, target, first, second, is_binary64);
        }
        // An active operand that is inverted is not understood, unless the other drops it.
        let inverted = Word { value: !first.value & (u64::MAX >> (64 - 8 * target.size)), ..first };
        let result = self.logic(operation.logic, target, inverted, second, is_binary64)?;
        let from_first = |change: &Change| match change {
            Change::Copy { from, .. } => is_within(*from, first, target.size),
            Change::Linear { terms, .. } => terms.iter().any(|term| is_within(term.from, first, target.size)),
            Change::Set { .. } | Change::Upper { .. } => first.is_active(),
            _ => false,
        };
        (!first.is_active() || !result.iter().any(from_first)).then_some(result)
    }
}

/// Does a place lie in a word?
fn is_within(place: Place, word: Word, size: usize) -> bool {
    (0..size).any(|byte| word.place.is_some_and(|start| start.offset_by(byte) == place))
}
