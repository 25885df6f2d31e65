//! Differentiation rules: which instruction does what to shadows.
//!
//! Rules are data ([`table`]), a row per mnemonic. A mnemonic's legacy and VEX forms, all widths and all operand kinds
//! share a row; lowering reads the rest from the instruction. Instructions that are passive by nature stand in lists
//! ([`passive`]). What has no row is [`Rule::None`]: it runs natively, its result is passive, and an active operand is
//! counted. [`crate::classes`] says for all codes what that means, from the same table.

mod evex;
mod narrow;
pub(crate) mod passive;
mod table;
mod x87;

use crate::computed::Real;
use iced_x86::{EncodingKind, Instruction, Mnemonic, OpKind};
pub(crate) use x87::{Function, X87};

/// Lane type of a real-arithmetic instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Element {
    F32,
    F64,
}

/// Which lanes an instruction computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lanes {
    /// The lowest; the others are copied from the first source.
    Scalar,
    /// All of the operand size.
    Packed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Minimum,
    Maximum,
}

/// Functions of one operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unary {
    SquareRoot,
    /// An approximation of 1 / a.
    Reciprocal,
    /// An approximation of 1 / sqrt(a).
    ReciprocalRoot,
}

/// Which way the addend of a fused multiply-add enters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Addend {
    /// product + addend
    Plus,
    /// product - addend
    Minus,
    /// Even lanes: product - addend; odd lanes: product + addend.
    MinusPlus,
    /// Even lanes: product + addend; odd lanes: product - addend.
    PlusMinus,
}

/// Which operands are multiplied: 132 means first times third plus second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    O132,
    O213,
    O231,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Logic {
    And,
    /// Not the first, and the second.
    AndNot,
    Or,
    Xor,
}

/// Rules of instructions that only AVX-512 has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wide {
    /// An approximation of 1 / a.
    Reciprocal(Element, Lanes),
    /// An approximation of 1 / sqrt(a).
    ReciprocalRoot(Element, Lanes),
    /// The first source times a power of two.
    Scale(Element, Lanes),
    /// A power of two times the source, or its absolute value.
    Mantissa(Element, Lanes),
    /// The source minus a piecewise constant function of it.
    Reduce(Element, Lanes),
    /// The operand that is the minimum or maximum, in absolute value or not, with some sign.
    Range(Element, Lanes),
    /// The old target, the first source, or a constant, by the class of the first source.
    FixUp(Element, Lanes),
    /// Any function of three bits; bytes of a lane.
    Ternary(usize),
    /// The lanes that are computed are passive; bytes of a lane.
    PassiveLanes(usize, Lanes),
    /// The lowest lane comes from an integer; bytes of it.
    FromInteger(usize),
    /// A permutation of two tables whose indices are in the target; bytes of a lane.
    IndexedByTarget(usize),
    Gather,
    Scatter,
}

/// What an instruction does to shadows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rule {
    Binary(Binary, Element, Lanes),
    Unary(Unary, Element, Lanes),
    /// Product negated or not, addend, order.
    Fused {
        negated: bool,
        addend: Addend,
        order: Order,
        element: Element,
        lanes: Lanes,
    },
    /// Even lanes are subtracted, odd lanes are added.
    Alternating(Element),
    /// Sums or differences of neighbouring lanes.
    Horizontal(Binary, Element),
    /// Conversion from this element to the other.
    Convert(Element, Lanes),
    /// Arithmetic of binary16: the rule of this instruction on binary32.
    Binary16(Mnemonic),
    /// Conversions of which one side has two bytes.
    ConvertNarrow(Real, Real, Lanes),
    /// Two operands of binary32 become one of bfloat16.
    ConvertPair,
    /// A binary32 plus two products of bfloat16.
    SumOfProducts,
    /// Products of complex numbers of two binary16, perhaps of the conjugate of the second, perhaps added to the
    /// target.
    ComplexProduct {
        conjugates: bool,
        adds: bool,
        lanes: Lanes,
    },
    Logic(Logic),
    /// Sums of products, placed by an immediate.
    DotProduct(Element),
    /// Copies and permutations: the same instruction on the shadows of the operands whose bits are
    /// set; the other operands (masks, indices, immediates) are the client's.
    Same(u8),
    /// The same for a client that uses AVX-512, with shadows in memory.
    SameWide(u8),
    /// What only AVX-512 has.
    Wide(Wide),
    /// The lowest lane of the result is passive, the others are copied from the first source.
    PassiveLane(Element),
    /// The result is passive whatever the operands: comparison, rounding, conversion to integer.
    Passive,
    /// Moves between a general register (or memory) and a lane of a vector register.
    LaneMove,
    ZeroUpper,
    ZeroAll,
    /// `mov` of a general register, memory or immediate.
    Move,
    Push,
    Pop,
    Exchange,
    ExchangeAdd,
    CompareExchange,
    ConditionalMove,
    /// Shifts, `or` and `and` of general registers that hold two numbers.
    ShiftHalves,
    UniteHalves,
    MaskHalves,
    /// `xor` of a general register with sign bits.
    FlipSigns,
    /// Other instructions on bits, see [`crate::computed`].
    Bits,
    StringMove,
    StringStore,
    /// fxsave and xsave with its kin.
    SaveState,
    /// fxrstor and xrstor.
    RestoreState,
    /// Numbers of the x87 stack, and how many of them are popped.
    X87(X87, u8),
    MaskedMove,
    Gather,
    /// `leave` reads memory that no operand names.
    Leave,
    /// `maskmovdqu` and its kin store to where rdi points.
    MaskedStore,
    /// Its operands do not tell what memory it accesses: it is counted wherever shadows are followed.
    Opaque,
    /// No rule.
    None,
}

/// Row number + 1 in the table, by mnemonic; 0: no rule.
static INDEX: [u16; 2048] = index();

const fn index() -> [u16; 2048] {
    let mut index = [0; 2048];
    let mut row = 0;
    while row < table::RULES.len() {
        let mnemonic = table::RULES[row].0 as usize;
        assert!(index[mnemonic] == 0, "a mnemonic has two rows");
        row += 1;
        index[mnemonic] = row as u16;
    }
    index
}

/// The rule of an instruction.
pub(crate) fn rule(instruction: &Instruction) -> Rule {
    let row = INDEX[instruction.mnemonic() as usize];
    // AVX-512 forms share mnemonics with AVX, but have masks and more registers.
    if instruction.encoding() == EncodingKind::EVEX {
        return evex::rule(instruction);
    }
    if row == 0 {
        let mnemonic = instruction.mnemonic();
        let otherwise = if passive::contains(mnemonic) { Rule::Passive } else { Rule::None };
        return x87::rule(mnemonic).or_else(|| narrow::rule(mnemonic)).unwrap_or(otherwise);
    }
    let rule = table::RULES[usize::from(row) - 1].1;
    // String instructions share mnemonics with SSE2 instructions.
    let string = instruction.is_string_instruction();
    match (instruction.mnemonic(), string) {
        (Mnemonic::Movsd, true) => Rule::StringMove,
        (Mnemonic::Cmpsd, true) => Rule::Passive,
        (Mnemonic::Vpermilpd | Mnemonic::Vpermilps, _) if instruction.op2_kind() == OpKind::Immediate8 => {
            Rule::Same(0b011)
        }
        (Mnemonic::Vpermpd | Mnemonic::Vpermq, _) if instruction.op2_kind() != OpKind::Immediate8 => {
            Rule::Same(0b101)
        }
        _ => rule,
    }
}

/// The rule of an EVEX instruction on binary32 that does what this one does to binary16; other rules as they are.
pub(crate) fn on_binary32(rule: Rule) -> Rule {
    match rule {
        Rule::Binary16(mnemonic) => evex::arithmetic(mnemonic),
        other => other,
    }
}

/// Is an operand an MMX register?
pub(crate) fn uses_mmx(instruction: &Instruction) -> bool {
    (0..instruction.op_count())
        .any(|k| instruction.op_kind(k) == OpKind::Register && instruction.op_register(k).is_mm())
}

/// Does the instruction read or write the shadows of x87 or MMX registers?
pub(crate) fn uses_stack(instruction: &Instruction) -> bool {
    matches!(rule(instruction), Rule::X87(..)) || uses_mmx(instruction)
}

/// Comparisons and the like: their result carries no derivative, and active operands are no loss.
pub(crate) fn is_passive_by_nature(instruction: &Instruction) -> bool {
    matches!(rule(instruction), Rule::Passive | Rule::PassiveLane(_) | Rule::Wide(Wide::PassiveLanes(..)))
        && !matches!(instruction.mnemonic(), Mnemonic::Cvtsi2sd | Mnemonic::Cvtsi2ss)
        && !matches!(instruction.mnemonic(), Mnemonic::Vcvtsi2sd | Mnemonic::Vcvtsi2ss)
}
