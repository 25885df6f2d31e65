//! Instructions on general registers.

use super::super::machine::place_of;
use super::super::{Change, Operand, Place};
use super::meaning::{Logic, Scale};
use super::shifts::moved;
use super::upper_part::{self, Written};
use super::word::{Summand, Target, Word};
use super::{Logical, Seen};
use alloc::vec::Vec;
use iced_x86::{Instruction, Mnemonic, OpKind, Register};

pub(super) fn changes(instruction: &Instruction, seen: &Seen) -> Option<Vec<Change>> {
    if let Some(changes) = extended(instruction.mnemonic()) {
        return Some(changes);
    }
    let general = General { instruction, seen };
    let first = general.operand(0)?;
    let target = Target { place: first.place, size: first.size };
    if !matches!(first.size, 1 | 2 | 4 | 8) {
        return None;
    }
    let of_number = general.written(&first, target).and_then(|written| upper_part::changes(seen, &written));
    if of_number.is_some() {
        return of_number;
    }
    let mut changes = general.operation(&first, target)?;
    let widens = instruction.op0_kind() == OpKind::Register && first.size == 4;
    if widens {
        changes.push(Change::Zero { to: first.place.offset_by(4), size: 4 });
    }
    Some(changes)
}

/// Sign extensions of rax, whose operands have no name: the sign alone is constant.
fn extended(mnemonic: Mnemonic) -> Option<Vec<Change>> {
    let size = match mnemonic {
        Mnemonic::Cdq | Mnemonic::Cqo | Mnemonic::Cwd => return Some(Vec::new()),
        Mnemonic::Cdqe => 4,
        Mnemonic::Cwde => 2,
        Mnemonic::Cbw => 1,
        _ => return None,
    };
    let place = Place::General { register: 0, byte: 0 };
    let width = if size == 1 { 2 } else { 8 };
    Some(alloc::vec![Change::Zero { to: place, size: width }, Change::Copy { to: place, from: place, size },])
}

struct General<'a> {
    instruction: &'a Instruction,
    seen: &'a Seen<'a>,
}

impl General<'_> {
    fn operation(&self, first: &Operand, target: Target) -> Option<Vec<Change>> {
        let size = target.size;
        let old = self.seen.word(first, 0, size);
        let all = u64::MAX >> (64 - 8 * size);
        match self.instruction.mnemonic() {
            Mnemonic::And => self.logic(Logic::And, target, old, self.source(1, size)?),
            Mnemonic::Or => self.logic(Logic::Or, target, old, self.source(1, size)?),
            Mnemonic::Xor => self.logic(Logic::Xor, target, old, self.source(1, size)?),
            Mnemonic::Not => self.logic(Logic::Xor, target, old, Word::passive(all)),
            Mnemonic::Andn => {
                let (inverted, other) = (self.source(1, size)?, self.source(2, size)?);
                let operation = Logical { logic: Logic::And, inverts_first: true };
                self.seen.logical(operation, target, inverted, other, false)
            }
            Mnemonic::Bts => self.logic(Logic::Or, target, old, self.bit(size)?),
            Mnemonic::Btc => self.logic(Logic::Xor, target, old, self.bit(size)?),
            Mnemonic::Btr => {
                let bit = self.bit(size)?;
                self.logic(Logic::And, target, old, Word::passive(!bit.value & all))
            }
            Mnemonic::Add => self.sum(target, old, self.source(1, size)?, false),
            Mnemonic::Sub => self.sum(target, old, self.source(1, size)?, true),
            Mnemonic::Inc => self.sum(target, old, Word::passive(1), false),
            Mnemonic::Dec => self.sum(target, old, Word::passive(1), true),
            Mnemonic::Neg => self.sum(target, Word::passive(0), old, true),
            Mnemonic::Lea => self.address(target),
            Mnemonic::Shl | Mnemonic::Sal => {
                self.seen.shifted_left(target, old, self.count(self.source(1, 1)?, size)?)
            }
            Mnemonic::Shr | Mnemonic::Sar => {
                self.seen.shifted_right(target, old, self.count(self.source(1, 1)?, size)?)
            }
            Mnemonic::Shlx => {
                let count = self.count(self.source(2, size)?, size)?;
                self.seen.shifted_left(target, self.source(1, size)?, count)
            }
            Mnemonic::Shrx | Mnemonic::Sarx => {
                let count = self.count(self.source(2, size)?, size)?;
                self.seen.shifted_right(target, self.source(1, size)?, count)
            }
            Mnemonic::Rol => self.seen.rotated(target, old, self.source(1, 1)?, false),
            Mnemonic::Ror => self.seen.rotated(target, old, self.source(1, 1)?, true),
            Mnemonic::Rorx => self.seen.rotated(target, self.source(1, size)?, self.source(2, 1)?, true),
            Mnemonic::Shld | Mnemonic::Shrd => self.double_shift(target, old),
            Mnemonic::Bzhi => {
                let count = self.source(2, size)?.value & 0xff;
                let mask = if count >= 8 * size as u64 { all } else { (1 << count) - 1 };
                self.logic(Logic::And, target, self.source(1, size)?, Word::passive(mask))
            }
            Mnemonic::Bextr => self.extracted(target),
            Mnemonic::Bswap => Some(reversed(target, old)),
            Mnemonic::Movbe => Some(reversed(target, self.source(1, size)?)),
            Mnemonic::Mov => Some(self.copied(target, 1)),
            Mnemonic::Movzx | Mnemonic::Movsx | Mnemonic::Movsxd => Some(self.copied(target, 1)),
            _ => None,
        }
    }

    /// What an instruction writes that changes a part of a number, perhaps.
    fn written(&self, first: &Operand, target: Target) -> Option<Written> {
        use Mnemonic::{Add, And, Mov, Or, Sub, Xor};
        if !matches!(self.instruction.mnemonic(), Mov | And | Or | Xor | Add | Sub) {
            return None;
        }
        let before = self.seen.word(first, 0, target.size);
        let source = self.source(1, target.size)?;
        let (one, other) = (before.value, source.value);
        let after = match self.instruction.mnemonic() {
            And => one & other,
            Or => one | other,
            Xor => one ^ other,
            Add => one.wrapping_add(other) & target.mask(),
            Sub => one.wrapping_sub(other) & target.mask(),
            _ => other,
        };
        let is_copy = self.instruction.mnemonic() == Mov;
        Some(Written { target, before, source, after, is_copy })
    }

    /// A memory, register or immediate operand.
    fn source(&self, number: u32, size: usize) -> Option<Word> {
        match self.instruction.op_kind(number) {
            OpKind::Register | OpKind::Memory => {
                let operand = self.operand(number)?;
                Some(self.seen.word(&operand, 0, size.min(operand.size)))
            }
            _ => {
                let value = self.instruction.try_immediate(number).ok()?;
                Some(Word::passive(value & (u64::MAX >> (64 - 8 * size))))
            }
        }
    }

    fn operand(&self, number: u32) -> Option<Operand> {
        self.seen.machine.operand(self.instruction, number)
    }

    fn logic(&self, logic: Logic, target: Target, first: Word, second: Word) -> Option<Vec<Change>> {
        if first.place.is_some() && first.place == second.place {
            return match logic {
                Logic::Xor => Some(alloc::vec![target.cleared()]),
                _ => Some(moved(target, first, 0)),
            };
        }
        self.seen.logic(logic, target, first, second, false)
    }

    /// The bit that an instruction names.
    fn bit(&self, size: usize) -> Option<Word> {
        let number = self.source(1, size)?;
        let of_memory = self.instruction.op0_kind() == OpKind::Memory;
        let beside = of_memory && self.instruction.op1_kind() == OpKind::Register;
        (!number.is_active() && !beside).then(|| Word::passive(1 << (number.value % (8 * size as u64))))
    }

    fn sum(&self, target: Target, first: Word, second: Word, subtracts: bool) -> Option<Vec<Change>> {
        let after = if subtracts {
            first.value.wrapping_sub(second.value)
        } else {
            first.value.wrapping_add(second.value)
        };
        if subtracts && first.place.is_some() && first.place == second.place {
            return Some(alloc::vec![target.cleared()]);
        }
        let summands = [
            Summand { word: first, slope: Scale::ONE },
            Summand { word: second, slope: Scale { negative: subtracts, exponent: 0 } },
        ];
        self.seen.sum(target, &summands, 0, after)
    }

    /// `lea`, which compilers use to add.
    fn address(&self, target: Target) -> Option<Vec<Change>> {
        let instruction = self.instruction;
        let scale = instruction.memory_index_scale().trailing_zeros() as i32;
        let mut summands = Vec::new();
        for (register, exponent) in [(instruction.memory_base(), 0), (instruction.memory_index(), scale)] {
            if register == Register::None || register.is_ip() {
                continue;
            }
            let number = register.number();
            let mut operand = Operand { bytes: [0; 64], size: 8, place: place_of(register)? };
            operand.bytes[..8].copy_from_slice(&self.seen.machine.general[number].to_le_bytes());
            let word = self.seen.word(&operand, 0, target.size);
            summands.push(Summand { word, slope: Scale { negative: false, exponent } });
        }
        let passive = instruction.memory_displacement64();
        let after = summands
            .iter()
            .fold(passive, |sum, summand| sum.wrapping_add(summand.word.value << summand.slope.exponent));
        self.seen.sum(target, &summands, passive, after)
    }

    /// A shift count, which the processor takes modulo the size, but for small operands.
    fn count(&self, count: Word, size: usize) -> Option<u32> {
        let modulus = if size == 8 { 64 } else { 32 };
        (!count.is_active()).then_some(count.value as u32 % modulus)
    }

    /// `shld` and `shrd`.
    fn double_shift(&self, target: Target, old: Word) -> Option<Vec<Change>> {
        let size = target.size;
        let count = self.count(self.source(2, 1)?, size)?;
        let right = self.instruction.mnemonic() == Mnemonic::Shrd;
        self.seen.double_shifted(target, old, self.source(1, size)?, count, right)
    }

    /// `bextr`: a shift to the right, and a mask.
    fn extracted(&self, target: Target) -> Option<Vec<Change>> {
        let size = target.size;
        let word = self.source(1, size)?;
        let control = self.source(2, size)?.value;
        let (start, length) = (control as u32 & 0xff, control as u32 >> 8 & 0xff);
        let ends = start + length >= 8 * size as u32;
        if ends || !word.is_active() {
            return self.seen.shifted_right(target, word, start);
        }
        let mask = ((1u64 << length) - 1) << start;
        if start % 8 == 0 && length % 8 == 0 {
            let mut changes = alloc::vec![target.cleared()];
            let from = word.place?.offset_by(start as usize / 8);
            changes.push(Change::Copy { to: target.place, from, size: length as usize / 8 });
            return Some(changes);
        }
        let dropped = self.seen.logic(Logic::And, target, word, Word::passive(mask), false)?;
        let is_constant = dropped.iter().all(|change| matches!(change, Change::Zero { .. }));
        (start == 0 || is_constant).then_some(dropped)
    }

    /// Moves of parts of registers, with an extension.
    fn copied(&self, target: Target, number: u32) -> Vec<Change> {
        let mut changes = alloc::vec![target.cleared()];
        if let Some(source) = self.operand(number) {
            let size = target.size.min(source.size);
            changes.push(Change::Copy { to: target.place, from: source.place, size });
        }
        changes
    }
}

fn reversed(target: Target, word: Word) -> Vec<Change> {
    let Some(from) = word.place else { return alloc::vec![target.cleared()] };
    let copy = |byte: usize| Change::Copy {
        to: target.place.offset_by(target.size - 1 - byte),
        from: from.offset_by(byte),
        size: 1,
    };
    (0..target.size).map(copy).collect()
}
