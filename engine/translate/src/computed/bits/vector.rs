//! Instructions on lanes of vector registers.

use super::super::{Change, Operand};
use super::meaning::Scale;
use super::shifts::moved;
use super::word::{Summand, Target, Word};
use super::{Logical, Seen};
use alloc::vec::Vec;
use iced_x86::{EncodingKind, Instruction, Mnemonic, OpKind};

/// What happens to each lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operation {
    Logic(Logical),
    Sum {
        subtracts: bool,
    },
    ShiftLeft,
    ShiftRight,
    Rotation {
        right: bool,
    },
    /// One of the operands, by comparison of integers.
    Extremum {
        minimum: bool,
        signed: bool,
    },
}

/// How the operands of a lane are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Second {
    /// The lane of the last operand.
    Lane,
    /// A count for all lanes: an immediate, or the lowest 64 bits of the last operand.
    Count,
}

pub(super) fn changes(instruction: &Instruction, seen: &Seen) -> Option<Vec<Change>> {
    if let Some((narrow, wide)) = widening(instruction.mnemonic()) {
        return widened(instruction, seen, narrow, wide);
    }
    if let Some(changes) = single_lane(instruction, seen) {
        return changes;
    }
    if let Some(wide) = packing(instruction.mnemonic()) {
        return packed(instruction, seen, wide);
    }
    lanes_alone(instruction, seen)
}

/// Instructions that work lane by lane.
pub(in crate::computed) fn lanes_alone(instruction: &Instruction, seen: &Seen) -> Option<Vec<Change>> {
    let (operation, size, second) = lanes(instruction.mnemonic())?;
    each_lane(instruction, seen, operation, size, second)
}

/// Insertion and extraction of one lane; `None` for other instructions.
pub(super) fn single_lane(instruction: &Instruction, seen: &Seen) -> Option<Option<Vec<Change>>> {
    Some(match instruction.mnemonic() {
        Mnemonic::Pinsrb | Mnemonic::Vpinsrb => inserted(instruction, seen, 1),
        Mnemonic::Pinsrw | Mnemonic::Vpinsrw => inserted(instruction, seen, 2),
        Mnemonic::Pinsrd | Mnemonic::Vpinsrd => inserted(instruction, seen, 4),
        Mnemonic::Pinsrq | Mnemonic::Vpinsrq => inserted(instruction, seen, 8),
        Mnemonic::Pextrb | Mnemonic::Vpextrb => extracted(instruction, seen, 1),
        Mnemonic::Pextrw | Mnemonic::Vpextrw => extracted(instruction, seen, 2),
        Mnemonic::Pextrd | Mnemonic::Vpextrd | Mnemonic::Vextractps => extracted(instruction, seen, 4),
        Mnemonic::Pextrq | Mnemonic::Vpextrq => extracted(instruction, seen, 8),
        Mnemonic::Vmovw => lowest_word(instruction, seen),
        _ => return None,
    })
}

// One family a line.
#[rustfmt::skip]
pub(super) fn lanes(mnemonic: Mnemonic) -> Option<(Operation, usize, Second)> {
    use Mnemonic::*;
    use Operation::*;
    let logic = |logic| (Logic(Logical { logic, inverts_first: false }), 8, Second::Lane);
    let add = Sum { subtracts: false };
    let subtract = Sum { subtracts: true };
    let least = |signed| Extremum { minimum: true, signed };
    let most = |signed| Extremum { minimum: false, signed };
    Some(match mnemonic {
        Andps | Vandps | Andpd | Vandpd | Pand | Vpand | Vpandd | Vpandq => logic(super::Logic::And),
        Orps | Vorps | Orpd | Vorpd | Por | Vpor | Vpord | Vporq => logic(super::Logic::Or),
        Xorps | Vxorps | Xorpd | Vxorpd | Pxor | Vpxor | Vpxord | Vpxorq => logic(super::Logic::Xor),
        Andnps | Vandnps | Andnpd | Vandnpd | Pandn | Vpandn | Vpandnd | Vpandnq => {
            (Logic(Logical { logic: super::Logic::And, inverts_first: true }), 8, Second::Lane)
        }
        Paddd | Vpaddd => (add, 4, Second::Lane),
        Paddq | Vpaddq => (add, 8, Second::Lane),
        Psubd | Vpsubd => (subtract, 4, Second::Lane),
        Psubq | Vpsubq => (subtract, 8, Second::Lane),
        Psllw | Vpsllw => (ShiftLeft, 2, Second::Count),
        Psrlw | Vpsrlw | Psraw | Vpsraw => (ShiftRight, 2, Second::Count),
        Vpsllvw => (ShiftLeft, 2, Second::Lane),
        Vpsrlvw | Vpsravw => (ShiftRight, 2, Second::Lane),
        Pslld | Vpslld => (ShiftLeft, 4, Second::Count),
        Psllq | Vpsllq => (ShiftLeft, 8, Second::Count),
        Psrld | Vpsrld | Psrad | Vpsrad => (ShiftRight, 4, Second::Count),
        Psrlq | Vpsrlq | Vpsraq => (ShiftRight, 8, Second::Count),
        Vpsllvd => (ShiftLeft, 4, Second::Lane),
        Vpsllvq => (ShiftLeft, 8, Second::Lane),
        Vpsrlvd | Vpsravd => (ShiftRight, 4, Second::Lane),
        Vpsrlvq | Vpsravq => (ShiftRight, 8, Second::Lane),
        Vprold => (Rotation { right: false }, 4, Second::Count),
        Vprolq => (Rotation { right: false }, 8, Second::Count),
        Vprolvd => (Rotation { right: false }, 4, Second::Lane),
        Vprolvq => (Rotation { right: false }, 8, Second::Lane),
        Vprord => (Rotation { right: true }, 4, Second::Count),
        Vprorq => (Rotation { right: true }, 8, Second::Count),
        Vprorvd => (Rotation { right: true }, 4, Second::Lane),
        Vprorvq => (Rotation { right: true }, 8, Second::Lane),
        Pminsd | Vpminsd => (least(true), 4, Second::Lane),
        Pminud | Vpminud => (least(false), 4, Second::Lane),
        Pmaxsd | Vpmaxsd => (most(true), 4, Second::Lane),
        Pmaxud | Vpmaxud => (most(false), 4, Second::Lane),
        Vpminsq => (least(true), 8, Second::Lane),
        Vpminuq => (least(false), 8, Second::Lane),
        Vpmaxsq => (most(true), 8, Second::Lane),
        Vpmaxuq => (most(false), 8, Second::Lane),
        _ => return None,
    })
}

fn each_lane(
    instruction: &Instruction,
    seen: &Seen,
    operation: Operation,
    size: usize,
    second: Second,
) -> Option<Vec<Change>> {
    let target = seen.machine.operand(instruction, 0)?;
    let last = instruction.op_count() - 1;
    let first = if instruction.op_count() == 2 { target } else { seen.machine.operand(instruction, 1)? };
    let other = match instruction.op_kind(last) {
        OpKind::Register | OpKind::Memory => Some(seen.machine.operand(instruction, last)?),
        _ => None,
    };
    let is_binary64 = matches!(
        instruction.mnemonic(),
        Mnemonic::Andpd | Mnemonic::Vandpd | Mnemonic::Andnpd | Mnemonic::Vandnpd
    );
    let in_pairs = is_sum_of_halves(operation, size);
    let size = if in_pairs { 8 } else { size };
    let mut changes = Vec::new();
    for at in (0..target.size).step_by(size) {
        let place = Target { place: target.place.offset_by(at), size };
        let word = seen.word(&first, at, size);
        let passive = || Some(Word::passive(instruction.try_immediate(last).ok()?));
        let operand = match (&other, second) {
            (Some(other), Second::Lane) => seen.word(other, at, size),
            (Some(other), Second::Count) => seen.word(other, 0, 8),
            (None, _) => passive()?,
        };
        if in_pairs {
            changes.extend(pair_of_sums(seen, operation, place, word, operand));
            continue;
        }
        let known = lane(seen, operation, place, word, operand, is_binary64);
        changes.extend(known.unwrap_or_else(|| place.lost(&[word, operand])));
    }
    Some(changes)
}

/// May two lanes of this sum be the halves of a binary64? Exponents are added in this way, too.
pub(super) fn is_sum_of_halves(operation: Operation, size: usize) -> bool {
    size == 4 && matches!(operation, Operation::Sum { .. })
}

/// Two lanes of 32 bits. A binary64 whose index is followed is judged as a whole: its upper half has no index.
pub(super) fn pair_of_sums(
    seen: &Seen,
    operation: Operation,
    target: Target,
    first: Word,
    second: Word,
) -> Vec<Change> {
    let is_whole = |word: Word| word.is_active() && seen.has_indices() && seen.is_binary64(word);
    if is_whole(first) || is_whole(second) {
        // Nothing is carried from one half to the other.
        let lowest = if operation == (Operation::Sum { subtracts: true }) { 1 } else { 0 };
        let is_separate = [first, second][lowest..].iter().any(|word| word.value as u32 == 0);
        let known = is_separate.then(|| lane(seen, operation, target, first, second, true)).flatten();
        return known.unwrap_or_else(|| target.lost(&[first, second]));
    }
    let half = |upper: bool| {
        let (target, first, second) = (target.half(upper), first.half(upper), second.half(upper));
        let known = lane(seen, operation, target, first, second, false);
        known.unwrap_or_else(|| target.lost(&[first, second]))
    };
    [half(false), half(true)].concat()
}

/// What happens to one lane.
pub(super) fn lane(
    seen: &Seen,
    operation: Operation,
    target: Target,
    first: Word,
    second: Word,
    is_binary64: bool,
) -> Option<Vec<Change>> {
    let same = first.place.is_some() && first.place == second.place;
    match operation {
        Operation::Logic(Logical { logic: super::Logic::And | super::Logic::Or, inverts_first: false })
            if same =>
        {
            Some(moved(target, first, 0))
        }
        Operation::Logic(_) | Operation::Sum { subtracts: true } if same => {
            Some(alloc::vec![target.cleared()])
        }
        Operation::Logic(logical) => seen.logical(logical, target, first, second, is_binary64),
        Operation::Sum { subtracts } => {
            let (one, other) = (first.value, second.value);
            let after = if subtracts { one.wrapping_sub(other) } else { one.wrapping_add(other) };
            let summands = [
                Summand { word: first, slope: Scale::ONE },
                Summand { word: second, slope: Scale { negative: subtracts, exponent: 0 } },
            ];
            seen.sum(target, &summands, 0, after)
        }
        Operation::ShiftLeft | Operation::ShiftRight if second.is_active() && second.value >= 64 => None,
        Operation::ShiftLeft | Operation::ShiftRight if !moves_parts(seen, target, first, second) => None,
        Operation::ShiftLeft => seen.shifted_left(target, first, second.value.min(64) as u32),
        Operation::ShiftRight => seen.shifted_right(target, first, second.value.min(64) as u32),
        Operation::Rotation { right } => seen.rotated(target, first, second, right),
        Operation::Extremum { minimum, signed } => {
            let bias = if signed { 1 << (8 * target.size - 1) } else { 0 };
            let less = (first.value ^ bias) <= (second.value ^ bias);
            Some(moved(target, if less == minimum { first } else { second }, 0))
        }
    }
}

/// Is a shift of a lane with a part of a number one by whole bytes? Longer lanes may have whole numbers.
fn moves_parts(seen: &Seen, target: Target, lane: Word, count: Word) -> bool {
    let is_whole = !lane.is_active() || target.size >= 4 || count.value >= 8 * target.size as u64;
    is_whole || !seen.has_indices() && count.value % 8 == 0
}

/// Bytes of lanes before and after a widening.
pub(super) fn widening(mnemonic: Mnemonic) -> Option<(usize, usize)> {
    use Mnemonic::*;
    Some(match mnemonic {
        Pmovzxbw | Vpmovzxbw | Pmovsxbw | Vpmovsxbw => (1, 2),
        Pmovzxbd | Vpmovzxbd | Pmovsxbd | Vpmovsxbd => (1, 4),
        Pmovzxbq | Vpmovzxbq | Pmovsxbq | Vpmovsxbq => (1, 8),
        Pmovzxwd | Vpmovzxwd | Pmovsxwd | Vpmovsxwd => (2, 4),
        Pmovzxwq | Vpmovzxwq | Pmovsxwq | Vpmovsxwq => (2, 8),
        Pmovzxdq | Vpmovzxdq | Pmovsxdq | Vpmovsxdq => (4, 8),
        _ => return None,
    })
}

fn widened(instruction: &Instruction, seen: &Seen, narrow: usize, wide: usize) -> Option<Vec<Change>> {
    let (target, source) = (seen.machine.operand(instruction, 0)?, seen.machine.operand(instruction, 1)?);
    let mut changes = alloc::vec![Change::Zero { to: target.place, size: target.size }];
    for lane in 0..target.size / wide {
        let (to, from) = (target.place.offset_by(lane * wide), source.place.offset_by(lane * narrow));
        changes.push(Change::Copy { to, from, size: narrow });
    }
    Some(changes)
}

/// Bytes of the lanes that are packed, and whether the results are signed.
pub(super) fn packing(mnemonic: Mnemonic) -> Option<(usize, bool)> {
    use Mnemonic::*;
    Some(match mnemonic {
        Packssdw | Vpackssdw => (4, true),
        Packusdw | Vpackusdw => (4, false),
        Packsswb | Vpacksswb => (2, true),
        Packuswb | Vpackuswb => (2, false),
        _ => return None,
    })
}

/// Lanes that fit into half their size move; others are saturated, and so constant.
fn packed(instruction: &Instruction, seen: &Seen, (wide, signed): (usize, bool)) -> Option<Vec<Change>> {
    let target = seen.machine.operand(instruction, 0)?;
    let count = instruction.op_count();
    let first = seen.machine.operand(instruction, count - 2)?;
    let second = seen.machine.operand(instruction, count - 1)?;
    let (narrow, lanes) = (wide / 2, 16 / wide);
    let mut changes = alloc::vec![Change::Zero { to: target.place, size: target.size }];
    for lane in 0..target.size / narrow {
        let (group, within) = (lane / (2 * lanes), lane % (2 * lanes));
        let source = if within < lanes { &first } else { &second };
        let at = 16 * group + wide * (within % lanes);
        if fits(seen.word(source, at, wide).value, wide, signed) {
            let (to, from) = (target.place.offset_by(lane * narrow), source.place.offset_by(at));
            changes.push(Change::Copy { to, from, size: narrow });
        }
    }
    Some(changes)
}

/// Is a signed number one of half the size, signed or not?
pub(super) fn fits(value: u64, wide: usize, signed: bool) -> bool {
    let value = (value << (64 - 8 * wide)) as i64 >> (64 - 8 * wide);
    let half = 1i64 << (4 * wide);
    if signed {
        (-half / 2..half / 2).contains(&value)
    } else {
        (0..half).contains(&value)
    }
}

fn inserted(instruction: &Instruction, seen: &Seen, size: usize) -> Option<Vec<Change>> {
    let count = instruction.op_count();
    let target = seen.machine.operand(instruction, 0)?;
    let lane = usize::from(instruction.immediate8()) % (16 / size);
    let mut changes = Vec::new();
    if instruction.encoding() != EncodingKind::Legacy {
        let first = seen.machine.operand(instruction, 1)?;
        changes.push(Change::Copy { to: target.place, from: first.place, size: 16 });
    }
    let source: Operand = seen.machine.operand(instruction, count - 2)?;
    changes.push(Change::Copy { to: target.place.offset_by(lane * size), from: source.place, size });
    Some(changes)
}

/// A move of two bytes; what lies above them is cleared.
fn lowest_word(instruction: &Instruction, seen: &Seen) -> Option<Vec<Change>> {
    let (target, source) = (seen.machine.operand(instruction, 0)?, seen.machine.operand(instruction, 1)?);
    let size = 2;
    let room = if instruction.op0_register().is_gpr() { 8 } else { target.size };
    Some(alloc::vec![
        Change::Zero { to: target.place, size: room },
        Change::Copy { to: target.place, from: source.place, size },
    ])
}

fn extracted(instruction: &Instruction, seen: &Seen, size: usize) -> Option<Vec<Change>> {
    let (target, source) = (seen.machine.operand(instruction, 0)?, seen.machine.operand(instruction, 1)?);
    let lane = usize::from(instruction.immediate8()) % (16 / size);
    let room = if instruction.op0_kind() == OpKind::Register { 8 } else { size };
    Some(alloc::vec![
        Change::Zero { to: target.place, size: room },
        Change::Copy { to: target.place, from: source.place.offset_by(lane * size), size },
    ])
}
