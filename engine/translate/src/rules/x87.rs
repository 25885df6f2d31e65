//! Rules of x87 instructions, and how many numbers they pop. Pushes are a part of the rule.

use super::{Binary, Rule};
use iced_x86::Mnemonic;

/// What an instruction does to the numbers of the x87 stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum X87 {
    /// A number is pushed, from memory or the stack.
    Load,
    /// An integer is pushed: derivatives do not get through its bits.
    LoadInteger,
    LoadConstant,
    /// st(0) goes to memory or to another place of the stack.
    Store,
    /// st(0) goes to memory as an integer, which is passive.
    StoreInteger,
    Compare,
    Exchange,
    ConditionalMove,
    /// First operand with second.
    Binary(Binary),
    /// Second operand with first.
    Reversed(Binary),
    Function(Function),
    /// st(0) becomes an integer, which is passive.
    Round,
    /// A number is given up.
    Free,
    /// All numbers are given up.
    Clear,
    /// The unit goes to memory, and is empty afterwards.
    Save,
    Restore,
}

/// Functions of st(0), and of st(1) where it says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Function {
    SquareRoot,
    Magnitude,
    Negative,
    Sine,
    Cosine,
    /// Pushes the cosine.
    SineAndCosine,
    /// Pushes 1.
    Tangent,
    /// 2^x - 1
    Power,
    /// st(0) 2^st(1)
    Scale,
    /// Remainder of st(0) by st(1).
    Remainder,
    RemainderToNearest,
    /// st(1) log2 st(0)
    Logarithm,
    /// st(1) log2(st(0) + 1)
    LogarithmPlusOne,
    /// Angle of the point (st(0), st(1)).
    Arctangent,
    /// The exponent, and pushes the significand.
    Extract,
}

// One row a line: the table is read by columns.
#[rustfmt::skip]
const RULES: &[(Mnemonic, Rule)] = &[
    // Moves.
    (Mnemonic::Fld, Rule::X87(X87::Load, 0)),
    (Mnemonic::Fild, Rule::X87(X87::LoadInteger, 0)),
    (Mnemonic::Fbld, Rule::X87(X87::LoadInteger, 0)),
    (Mnemonic::Fld1, Rule::X87(X87::LoadConstant, 0)),
    (Mnemonic::Fldl2e, Rule::X87(X87::LoadConstant, 0)),
    (Mnemonic::Fldl2t, Rule::X87(X87::LoadConstant, 0)),
    (Mnemonic::Fldlg2, Rule::X87(X87::LoadConstant, 0)),
    (Mnemonic::Fldln2, Rule::X87(X87::LoadConstant, 0)),
    (Mnemonic::Fldpi, Rule::X87(X87::LoadConstant, 0)),
    (Mnemonic::Fldz, Rule::X87(X87::LoadConstant, 0)),
    (Mnemonic::Fst, Rule::X87(X87::Store, 0)),
    (Mnemonic::Fstp, Rule::X87(X87::Store, 1)),
    (Mnemonic::Fstpnce, Rule::X87(X87::Store, 1)),
    (Mnemonic::Fist, Rule::X87(X87::StoreInteger, 0)),
    (Mnemonic::Fistp, Rule::X87(X87::StoreInteger, 1)),
    (Mnemonic::Fisttp, Rule::X87(X87::StoreInteger, 1)),
    (Mnemonic::Fbstp, Rule::X87(X87::StoreInteger, 1)),
    (Mnemonic::Fxch, Rule::X87(X87::Exchange, 0)),
    (Mnemonic::Fcmovb, Rule::X87(X87::ConditionalMove, 0)),
    (Mnemonic::Fcmove, Rule::X87(X87::ConditionalMove, 0)),
    (Mnemonic::Fcmovbe, Rule::X87(X87::ConditionalMove, 0)),
    (Mnemonic::Fcmovu, Rule::X87(X87::ConditionalMove, 0)),
    (Mnemonic::Fcmovnb, Rule::X87(X87::ConditionalMove, 0)),
    (Mnemonic::Fcmovne, Rule::X87(X87::ConditionalMove, 0)),
    (Mnemonic::Fcmovnbe, Rule::X87(X87::ConditionalMove, 0)),
    (Mnemonic::Fcmovnu, Rule::X87(X87::ConditionalMove, 0)),
    // Arithmetic.
    (Mnemonic::Fadd, Rule::X87(X87::Binary(Binary::Add), 0)),
    (Mnemonic::Faddp, Rule::X87(X87::Binary(Binary::Add), 1)),
    (Mnemonic::Fiadd, Rule::X87(X87::Binary(Binary::Add), 0)),
    (Mnemonic::Fsub, Rule::X87(X87::Binary(Binary::Subtract), 0)),
    (Mnemonic::Fsubp, Rule::X87(X87::Binary(Binary::Subtract), 1)),
    (Mnemonic::Fisub, Rule::X87(X87::Binary(Binary::Subtract), 0)),
    (Mnemonic::Fsubr, Rule::X87(X87::Reversed(Binary::Subtract), 0)),
    (Mnemonic::Fsubrp, Rule::X87(X87::Reversed(Binary::Subtract), 1)),
    (Mnemonic::Fisubr, Rule::X87(X87::Reversed(Binary::Subtract), 0)),
    (Mnemonic::Fmul, Rule::X87(X87::Binary(Binary::Multiply), 0)),
    (Mnemonic::Fmulp, Rule::X87(X87::Binary(Binary::Multiply), 1)),
    (Mnemonic::Fimul, Rule::X87(X87::Binary(Binary::Multiply), 0)),
    (Mnemonic::Fdiv, Rule::X87(X87::Binary(Binary::Divide), 0)),
    (Mnemonic::Fdivp, Rule::X87(X87::Binary(Binary::Divide), 1)),
    (Mnemonic::Fidiv, Rule::X87(X87::Binary(Binary::Divide), 0)),
    (Mnemonic::Fdivr, Rule::X87(X87::Reversed(Binary::Divide), 0)),
    (Mnemonic::Fdivrp, Rule::X87(X87::Reversed(Binary::Divide), 1)),
    (Mnemonic::Fidivr, Rule::X87(X87::Reversed(Binary::Divide), 0)),
    // Functions.
    (Mnemonic::Fsqrt, Rule::X87(X87::Function(Function::SquareRoot), 0)),
    (Mnemonic::Fabs, Rule::X87(X87::Function(Function::Magnitude), 0)),
    (Mnemonic::Fchs, Rule::X87(X87::Function(Function::Negative), 0)),
    (Mnemonic::Fsin, Rule::X87(X87::Function(Function::Sine), 0)),
    (Mnemonic::Fcos, Rule::X87(X87::Function(Function::Cosine), 0)),
    (Mnemonic::Fsincos, Rule::X87(X87::Function(Function::SineAndCosine), 0)),
    (Mnemonic::Fptan, Rule::X87(X87::Function(Function::Tangent), 0)),
    (Mnemonic::F2xm1, Rule::X87(X87::Function(Function::Power), 0)),
    (Mnemonic::Fscale, Rule::X87(X87::Function(Function::Scale), 0)),
    (Mnemonic::Fprem, Rule::X87(X87::Function(Function::Remainder), 0)),
    (Mnemonic::Fprem1, Rule::X87(X87::Function(Function::RemainderToNearest), 0)),
    (Mnemonic::Fyl2x, Rule::X87(X87::Function(Function::Logarithm), 1)),
    (Mnemonic::Fyl2xp1, Rule::X87(X87::Function(Function::LogarithmPlusOne), 1)),
    (Mnemonic::Fpatan, Rule::X87(X87::Function(Function::Arctangent), 1)),
    (Mnemonic::Fxtract, Rule::X87(X87::Function(Function::Extract), 0)),
    (Mnemonic::Frndint, Rule::X87(X87::Round, 0)),
    // Comparisons.
    (Mnemonic::Fcomp, Rule::X87(X87::Compare, 1)),
    (Mnemonic::Fcompp, Rule::X87(X87::Compare, 2)),
    (Mnemonic::Fucomp, Rule::X87(X87::Compare, 1)),
    (Mnemonic::Fucompp, Rule::X87(X87::Compare, 2)),
    (Mnemonic::Fcomip, Rule::X87(X87::Compare, 1)),
    (Mnemonic::Fucomip, Rule::X87(X87::Compare, 1)),
    (Mnemonic::Ficomp, Rule::X87(X87::Compare, 1)),
    // The unit.
    (Mnemonic::Ffree, Rule::X87(X87::Free, 0)),
    (Mnemonic::Ffreep, Rule::X87(X87::Free, 1)),
    (Mnemonic::Finit, Rule::X87(X87::Clear, 0)),
    (Mnemonic::Fninit, Rule::X87(X87::Clear, 0)),
    (Mnemonic::Femms, Rule::X87(X87::Clear, 0)),
    (Mnemonic::Fsave, Rule::X87(X87::Save, 0)),
    (Mnemonic::Fnsave, Rule::X87(X87::Save, 0)),
    (Mnemonic::Frstor, Rule::X87(X87::Restore, 0)),
];

/// The mnemonics of x87 instructions follow each other, but for `emms`.
const FIRST: usize = Mnemonic::F2xm1 as usize;
const COUNT: usize = Mnemonic::Fyl2xp1 as usize - FIRST + 1;

/// Row number + 1, by mnemonic; 0: no rule.
static INDEX: [u8; COUNT] = index();

const fn index() -> [u8; COUNT] {
    let mut index = [0; COUNT];
    let mut row = 0;
    while row < RULES.len() {
        index[RULES[row].0 as usize - FIRST] = row as u8 + 1;
        row += 1;
    }
    index
}

pub(super) fn rule(mnemonic: Mnemonic) -> Option<Rule> {
    if mnemonic == Mnemonic::Emms {
        return Some(Rule::X87(X87::Clear, 0));
    }
    let row = *INDEX.get((mnemonic as usize).wrapping_sub(FIRST))?;
    let row = usize::from(row).checked_sub(1)?;
    Some(RULES[row].1)
}
