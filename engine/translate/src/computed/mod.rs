//! Computed rules: for instructions that are too rare, or too complicated, for shadow code of their own.
//!
//! An active block tests whether an operand of such an instruction is active ([`lowering`]). If so, it leaves to the
//! engine in front of the instruction, where all client registers and shadows are at home. A pure function,
//! [`changes`], says from the values what the instruction does to shadows; what that means for dot values and for
//! indices is said once, in [`apply`]. Execution goes on at the same instruction, in a translation whose state says
//! that its rule has been applied: there the first instruction stands as it is. Passive operands cost what they cost
//! in front of any other instruction.

pub mod apply;
mod bits;
mod dot_products;
pub mod extended_shadows;
mod lowering;
mod machine;
mod narrow;
mod numbers;
mod wide;
mod x87;

pub(crate) use x87::NUMBER;

use crate::interface::Mode;
use crate::rules::{self, Rule};
use alloc::vec::Vec;
pub use derivgrind_functions::extended;
use extended::{Extended, Unit};
use iced_x86::{EncodingKind, Instruction};
pub use machine::{Machine, Operand, X87State};

/// Where a shadow is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A byte of a general register, by its number.
    General { register: usize, byte: usize },
    /// A byte of a vector register.
    Vector { register: usize, byte: usize },
    /// A byte of a physical x87 register, whose lowest eight bytes are an MMX register.
    X87 { register: usize, byte: usize },
    /// Shadow of an address of the client.
    Memory { address: u64 },
}

impl Place {
    /// The place some bytes further on.
    pub fn offset_by(self, distance: usize) -> Place {
        match self {
            Place::General { register, byte } => Place::General { register, byte: byte + distance },
            Place::Vector { register, byte } => Place::Vector { register, byte: byte + distance },
            Place::X87 { register, byte } => Place::X87 { register, byte: byte + distance },
            Place::Memory { address } => Place::Memory { address: address.wrapping_add(distance as u64) },
        }
    }
}

/// Type of a real number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Real {
    /// The upper half of a binary32.
    Bfloat16,
    Binary16,
    Binary32,
    Binary64,
    /// 80 bits. Its index has eight bytes, like that of a binary64.
    Extended,
}

impl Real {
    /// Bytes of its shadow.
    pub const fn size(self) -> usize {
        match self {
            Real::Bfloat16 | Real::Binary16 => 2,
            Real::Binary32 => 4,
            Real::Binary64 => 8,
            Real::Extended => 10,
        }
    }
}

/// An operand and the partial derivative with respect to it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Term {
    pub from: Place,
    pub real: Real,
    pub partial: f64,
}

/// The same with a partial derivative of 80 bits.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ExtendedTerm {
    pub from: Place,
    pub real: Real,
    pub partial: Extended,
}

/// What an instruction does to the shadow of one place. All changes read the shadows in front of the instruction.
/// Changes to one place take effect in their order.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// The derivative of a real number is a sum of derivatives times partial derivatives. A passive operand contributes
    /// zero, whatever its partial derivative.
    Linear { to: Place, real: Real, terms: Vec<Term> },
    /// The same in arithmetic of 80 bits. One term with the partial derivative 1 is a copy in another format.
    Extended { to: Place, real: Real, terms: Vec<ExtendedTerm> },
    /// Shadows of bytes that move; at most 64.
    Copy { to: Place, from: Place, size: usize },
    /// Part of a dot value, or an index, that is known: the lowest bytes.
    Set { to: Place, bytes: [u8; 4], size: usize },
    /// The upper half of a binary64 that is the one with this index times the partial derivative.
    Upper { to: Place, index: u64, partial: f64 },
    /// The bytes are passive; at most 64.
    Zero { to: Place, size: usize },
    /// Derivatives of these bytes are lost: to be counted if they are active.
    Lose { from: Place, size: usize },
}

/// What the block tells about an instruction that may write the upper part of a number in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Of a number of so many bytes; 0: not known.
    Upper(u8),
    /// What it stores was loaded from there and changed; its shadow is that of the part.
    Changed(u8),
}

/// What the rules see: values and shadows in front of an instruction.
pub struct Seen<'a> {
    pub machine: &'a Machine<'a>,
    pub part: Part,
    pub mode: Mode,
    pub shadow: &'a dyn Fn(Place, &mut [u8]),
}
/// Marks the index of a binary64 of which the upper half is by itself: it has nothing of the index.
pub(crate) const UPPER_HALF: u32 = 1 << 30;

/// What an instruction does to shadows, `None` if that cannot be said: then it is counted, and what it writes is
/// passive. A register that it writes, whatever it was before, is passive where no change says something else. All
/// other places that no change names stay as they are.
pub fn changes(instruction: &Instruction, seen: &Seen) -> Option<Vec<Change>> {
    let machine = seen.machine;
    let rule = rules::rule(instruction);
    if instruction.encoding() == EncodingKind::EVEX {
        return wide::changes(instruction, seen, rule);
    }
    if rules::uses_mmx(instruction) {
        return Some(x87::mmx_changes(instruction, seen));
    }
    match rule {
        Rule::X87(..) => Some(extended::with_free_unit(|unit| x87_changes(unit, instruction, machine))),
        Rule::SaveState => Some(x87::saved(instruction, machine)),
        Rule::RestoreState => Some(x87::restored(instruction, machine)),
        Rule::ConvertNarrow(..) => wide::changes(instruction, seen, rule),
        Rule::DotProduct(element) => dot_products::changes(instruction, machine, element),
        Rule::Bits | Rule::Logic(_) | Rule::Move => bits::changes(instruction, seen),
        Rule::ShiftHalves | Rule::UniteHalves | Rule::MaskHalves | Rule::FlipSigns => {
            bits::changes(instruction, seen)
        }
        _ => None,
    }
}

/// Does the instruction compute with numbers of the x87 stack? Its rule needs no vector register.
pub fn is_x87(instruction: &Instruction) -> bool {
    matches!(rules::rule(instruction), Rule::X87(..))
}

fn x87_changes(unit: &Unit, instruction: &Instruction, machine: &Machine) -> Vec<Change> {
    match rules::rule(instruction) {
        Rule::X87(operation, pops) => x87::changes(unit, instruction, machine, operation, pops),
        _ => Vec::new(),
    }
}

/// Do the changes of an instruction name all that it overwrites?
fn is_complete(instruction: &Instruction) -> bool {
    matches!(rules::rule(instruction), Rule::X87(..) | Rule::SaveState | Rule::RestoreState)
        || rules::uses_mmx(instruction)
}
