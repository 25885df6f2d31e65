//! What becomes of every instruction: one answer for each code of iced-x86's list that is valid in 64-bit mode.
//!
//! Tools that treat an instruction that they do not know as a constant are wrong in silence. Here every code has a
//! [`Family`], and the family's [`Class`] says what happens to an active operand. For instructions with a rule the
//! family follows from the very table that lowering uses ([`by_rule`]); the others have a table of their own
//! ([`without_rule`]). `docs/instructions.md` is printed from it, and tests compare it with what lowering does.

mod by_rule;
mod representative;
mod without_rule;

use crate::rules::{self, uses_mmx, Rule};
use iced_x86::Code;
pub use representative::representative;

/// What an instruction does with active operands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Arithmetic with real numbers: differentiated by a rule.
    Arithmetic,
    /// Bytes move: their shadows move in the same way.
    Copy,
    /// The result carries no derivative, whatever the operands.
    Passive,
    /// Works on the bits of its operands, which may be floats. What the rule resolves is differentiated, and all else
    /// is counted.
    Bits,
    /// Not differentiated: counted where an active operand is met, or not executed at all.
    Refused,
}

impl Class {
    pub const ALL: [Class; 5] = [Class::Arithmetic, Class::Copy, Class::Passive, Class::Bits, Class::Refused];
}

/// What happens to an active operand that the rule does not differentiate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// There is none.
    None,
    /// The rule decides by operands and values; what it does not resolve is counted.
    Unresolved,
    /// It is counted.
    Counted,
    /// The client cannot execute the instruction, natively or here.
    NotExecuted,
}

/// Instructions that have the same rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Family {
    pub class: Class,
    pub name: &'static str,
    /// The rule as a formula or in words, or the reason why there is none.
    pub rule: &'static str,
    pub loss: Loss,
    /// Names of the tests of the translator that cover it.
    pub tests: &'static [&'static str],
}

/// The family of a code, `None` if it has not been thought about.
pub fn classify(code: Code) -> Option<Family> {
    let instruction = representative(code);
    let info = code.op_code();
    if info.is_privileged() || info.decoder_option() != 0 || crate::decode::is_far(code) {
        return without_rule::not_executed(code);
    }
    let rule = rules::rule(&instruction);
    let has_vector_rule = matches!(rule, Rule::Same(_) | Rule::Logic(_) | Rule::LaneMove);
    if by_rule::moves_mmx(&instruction) {
        return Some(by_rule::MMX);
    }
    if rule == Rule::None || has_vector_rule && uses_mmx(&instruction) {
        return without_rule::family(code);
    }
    by_rule::family(rule, &instruction)
}
