//! From what a computed rule says to new shadows, be they dot values or indices.

use super::extended::{with_free_unit, Unit};
use super::{extended_shadows, narrow, Change, Machine, Part, Place, Real, Seen, Term, UPPER_HALF};
use crate::interface::Mode;
use crate::recording::TAG;
use alloc::vec::Vec;
use iced_x86::Instruction;

/// The shadows in front of an instruction, and the tape.
pub trait Surroundings {
    fn read(&self, place: Place, bytes: &mut [u8]);
    /// Records an operation with two operands, the second of which may be 0: indices, and partial derivatives. Returns
    /// the index of its result.
    fn record(&mut self, operands: [u64; 2], partials: [f64; 2]) -> u64;
}

/// A shadow to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewShadow {
    pub place: Place,
    bytes: [u8; 64],
    size: usize,
}

impl NewShadow {
    pub fn new(place: Place, bytes: &[u8]) -> NewShadow {
        let mut whole = [0; 64];
        whole[..bytes.len()].copy_from_slice(bytes);
        NewShadow { place, bytes: whole, size: bytes.len() }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.size]
    }
}

/// The shadows that an instruction leaves behind.
pub struct Applied {
    pub shadows: Vec<NewShadow>,
    /// The rule, or the tape, could not say what the result depends on: to be counted.
    pub is_incomplete: bool,
}

/// Applies the rule of an instruction; `part` is what its exit says.
pub fn apply(
    instruction: &Instruction,
    machine: &Machine,
    part: Part,
    mode: Mode,
    surroundings: &mut dyn Surroundings,
) -> Applied {
    if !super::is_x87(instruction) {
        let read = |place, bytes: &mut [u8]| surroundings.read(place, bytes);
        let changes = super::changes(instruction, &Seen { machine, part, mode, shadow: &read });
        return put_together(changes, None, instruction, machine, mode, surroundings);
    }
    with_free_unit(|unit| {
        let changes = super::x87_changes(unit, instruction, machine);
        put_together(Some(changes), Some(unit), instruction, machine, mode, surroundings)
    })
}

/// `unit` is there if changes need it.
fn put_together(
    known: Option<Vec<Change>>,
    unit: Option<&Unit>,
    instruction: &Instruction,
    machine: &Machine,
    mode: Mode,
    surroundings: &mut dyn Surroundings,
) -> Applied {
    let is_incomplete = known.is_none();
    let mut changes = machine.overwritten(instruction, is_incomplete);
    changes.extend(known.into_iter().flatten());
    let mut applied = match unit {
        Some(_) => apply_with(unit, &changes, mode, surroundings),
        None => apply_changes(&changes, mode, surroundings),
    };
    applied.is_incomplete |= is_incomplete;
    applied
}

/// Applies changes, however they came about.
pub fn apply_changes(changes: &[Change], mode: Mode, surroundings: &mut dyn Surroundings) -> Applied {
    let needs_unit = changes.iter().any(|change| matches!(change, Change::Extended { .. }));
    if needs_unit {
        with_free_unit(|unit| apply_with(Some(unit), changes, mode, surroundings))
    } else {
        apply_with(None, changes, mode, surroundings)
    }
}

/// `unit` is there if changes need it.
fn apply_with(
    unit: Option<&Unit>,
    changes: &[Change],
    mode: Mode,
    surroundings: &mut dyn Surroundings,
) -> Applied {
    let mut is_incomplete = false;
    let mut shadows = Vec::with_capacity(changes.len());
    for change in changes {
        shadows.push(match change {
            Change::Lose { from, size } => {
                let mut bytes = [0; 64];
                surroundings.read(*from, &mut bytes[..*size]);
                is_incomplete |= bytes != [0; 64];
                continue;
            }
            Change::Extended { to, real, terms } => {
                let unit = unit.expect("80-bit numbers belong to the x87 unit");
                let shadow = extended_shadows::shadow(unit, mode, *real, terms, surroundings);
                is_incomplete |= !shadow.is_complete;
                NewShadow::new(*to, &shadow.bytes[..real.size()])
            }
            Change::Zero { to, size } => NewShadow::new(*to, &[0; 64][..*size]),
            Change::Set { to, bytes, size } => NewShadow::new(*to, &bytes[..*size]),
            Change::Upper { to, index, partial } => {
                let operands = ([*index, 0], [*partial, 0.0]);
                let index = if mode.records() { surroundings.record(operands.0, operands.1) } else { 0 };
                let has_room = index < u64::from(UPPER_HALF);
                is_incomplete |= !has_room;
                let marked = if has_room && index != 0 { index as u32 | UPPER_HALF } else { 0 };
                NewShadow::new(*to, &marked.to_le_bytes())
            }
            Change::Copy { to, from, size } => {
                let mut bytes = [0; 64];
                surroundings.read(*from, &mut bytes[..*size]);
                NewShadow::new(*to, &bytes[..*size])
            }
            Change::Linear { to, real, terms } if mode == Mode::Forward => {
                let (bytes, is_kept) = dot_value(*real, terms, surroundings);
                is_incomplete |= !is_kept;
                NewShadow::new(*to, &bytes[..real.size()])
            }
            Change::Linear { to, real, terms } => {
                let index = index(mode, *real, terms, surroundings);
                is_incomplete |= index.is_none();
                NewShadow::new(*to, &index.unwrap_or_default()[..real.size()])
            }
        });
    }
    Applied { shadows, is_incomplete }
}

/// The dot value, and whether the format has room for it.
fn dot_value(real: Real, terms: &[Term], surroundings: &dyn Surroundings) -> ([u8; 8], bool) {
    let mut sum = 0.0;
    for term in terms {
        let mut bytes = [0; 8];
        surroundings.read(term.from, &mut bytes[..term.real.size()]);
        let [a, b, c, d, ..] = bytes;
        let dot = match term.real {
            Real::Bfloat16 | Real::Binary16 => narrow::value(term.real, u16::from_le_bytes([a, b])),
            Real::Binary32 => f64::from(f32::from_le_bytes([a, b, c, d])),
            Real::Binary64 | Real::Extended => f64::from_le_bytes(bytes),
        };
        if dot != 0.0 {
            sum += term.partial * dot;
        }
    }
    let mut bytes = [0; 8];
    let mut is_kept = true;
    match real {
        Real::Bfloat16 | Real::Binary16 => {
            let bits = narrow::nearest(real, sum);
            bytes[..2].copy_from_slice(&bits.to_le_bytes());
            is_kept = narrow::has_room(real, sum);
        }
        Real::Binary32 => bytes[..4].copy_from_slice(&(sum as f32).to_le_bytes()),
        Real::Binary64 | Real::Extended => bytes = sum.to_le_bytes(),
    }
    (bytes, is_kept)
}

/// `None` if the index has no room.
fn index(mode: Mode, real: Real, terms: &[Term], surroundings: &mut dyn Surroundings) -> Option<[u8; 8]> {
    let mut active = Vec::new();
    for term in terms {
        let mut bytes = [0; 8];
        surroundings.read(term.from, &mut bytes[..term.real.size()]);
        let index = match term.real {
            // Part of an index at best.
            Real::Bfloat16 | Real::Binary16 if bytes != [0; 8] => return None,
            Real::Binary32 => u64::from_le_bytes(bytes) & !u64::from(TAG),
            _ => u64::from_le_bytes(bytes),
        };
        if index != 0 && term.partial != 0.0 {
            active.push((index, term.partial));
        }
    }
    written(real, sum(mode, &active, surroundings))
}

/// Index of a sum of operands with partial derivatives.
pub(super) fn sum(mode: Mode, active: &[(u64, f64)], surroundings: &mut dyn Surroundings) -> u64 {
    match active {
        [] => 0,
        [(index, partial)] if *partial == 1.0 => *index,
        _ if !mode.records() => 0,
        [first, rest @ ..] => {
            let rest = if rest.is_empty() { &[(0, 0.0)] } else { rest };
            let start = *first;
            rest.iter()
                .fold(start, |sum, term| (surroundings.record([sum.0, term.0], [sum.1, term.1]), 1.0))
                .0
        }
    }
}

/// The bytes of an index of a number of at most eight bytes.
pub(super) fn written(real: Real, index: u64) -> Option<[u8; 8]> {
    match real {
        _ if index == 0 => Some([0; 8]),
        Real::Bfloat16 | Real::Binary16 => None,
        Real::Binary32 if index >= u64::from(TAG) => None,
        Real::Binary32 => Some((index | u64::from(TAG)).to_le_bytes()),
        _ => Some(index.to_le_bytes()),
    }
}
