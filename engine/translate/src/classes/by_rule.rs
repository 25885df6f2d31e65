//! Families of instructions that have a rule.

use super::{Class, Family, Loss};
use crate::rules::{passive, Addend, Binary, Function, Rule, Unary, Wide, X87};
use iced_x86::Instruction;

const ONE_BY_ONE: &[&str] = &["real_arithmetic_agrees_with_dual_numbers"];
const WIDE: &[&str] = &["avx512_arithmetic_agrees_with_dual_numbers"];
const GENERAL: &[&str] = &["moves_of_registers_and_memory_move_shadows"];
const COMPARISONS: &[&str] = &["comparisons_and_conversions_are_passive"];

const fn arithmetic(name: &'static str, rule: &'static str) -> Family {
    Family { class: Class::Arithmetic, name, rule, loss: Loss::None, tests: ONE_BY_ONE }
}

const fn copy(name: &'static str, rule: &'static str, tests: &'static [&'static str]) -> Family {
    Family { class: Class::Copy, name, rule, loss: Loss::Unresolved, tests }
}

const fn passive(name: &'static str, rule: &'static str, tests: &'static [&'static str]) -> Family {
    Family { class: Class::Passive, name, rule, loss: Loss::None, tests }
}

const fn bits(name: &'static str, rule: &'static str, tests: &'static [&'static str]) -> Family {
    Family { class: Class::Bits, name, rule, loss: Loss::Unresolved, tests }
}

/// The family of an instruction with this rule; `None` for an instruction without a rule.
pub fn family(rule: Rule, instruction: &Instruction) -> Option<Family> {
    Some(match rule {
        Rule::Binary(operation, ..) => binary(operation),
        Rule::Unary(function, ..) => unary(function),
        Rule::Fused { addend, .. } => fused(addend),
        Rule::Alternating(_) => {
            arithmetic("Alternating sums", "even lanes: (a - b)' = a' - b'; odd lanes: (a + b)' = a' + b'")
        }
        Rule::Horizontal(..) => {
            arithmetic("Horizontal sums", "as sums and differences, of neighbouring lanes")
        }
        Rule::Convert(..) => arithmetic("Conversions between binary32 and binary64", "y = a: y' = a'"),
        Rule::Binary16(_) => narrow(
            "Arithmetic of binary16",
            "as for wider numbers, with dot values of binary16; counted where that has no room, and where it is recorded",
        ),
        Rule::ConvertNarrow(..) | Rule::ConvertPair => narrow(
            "Conversions of binary16 and bfloat16",
            "y = a: y' = a', in the format of y; counted where that has no room, and where it is recorded",
        ),
        Rule::SumOfProducts => {
            narrow("Sums of products of bfloat16", "(c + a b)' = c' + a' b + b' a; counted where it is recorded")
        }
        Rule::ComplexProduct { .. } => Family {
            tests: &["products_of_complex_numbers"],
            ..narrow(
                "Complex products of binary16",
                "(c + a b)' = c' + a' b + b' a; counted where that has no room, and where it is recorded",
            )
        },
        Rule::DotProduct(_) => Family {
            tests: &["dot_products_agree_with_dual_numbers"],
            ..arithmetic("Dot products of lanes", "y = sum of a b: y' = sum of a' b + a b'")
        },
        Rule::Logic(_) => bits(
            "Logic on vector registers",
            "a mask that keeps, clears or flips the sign bit, or the whole lane, does the same to the shadow",
            &["logical_instructions_keep_drop_or_change_signs", "legacy_selection", "wide_selection"],
        ),
        Rule::ShiftHalves | Rule::UniteHalves | Rule::MaskHalves => bits(
            "Halves of general registers",
            "two binary32 numbers in one register are put together and taken apart by or, and, and shifts by 32",
            &["halves_of_registers_are_shifted", "halves_of_registers_are_united", "halves_of_registers_are_masked"],
        ),
        Rule::FlipSigns => bits(
            "Signs in general registers",
            "xor with sign bits negates the shadow",
            &["blocks_on_general_registers"],
        ),
        Rule::Bits => bits(
            "Bits of numbers",
            "the operation and its passive operand decide: a sign, a power of two, a fraction that is cut off, bytes that move",
            &["bits_of_numbers_have_the_meaning_that_their_values_give_them"],
        ),
        Rule::Same(_) | Rule::LaneMove => copy(
            "Moves, shuffles, selection by a mask, lanes to and from general registers",
            "the same instruction, on shadows; masks and selectors are those of the values",
            &["copies_do_to_shadows_what_they_do_to_values"],
        ),
        Rule::SameWide(_) => copy(
            "Moves and permutations of AVX-512",
            "the same instruction, on shadows; masks and selectors are those of the values",
            &["avx512_copies_do_to_shadows_what_they_do_to_values"],
        ),
        Rule::Wide(rule) => return wide(rule),
        Rule::MaskedMove => copy(
            "Masked loads and stores",
            "the same instruction, on shadows; masks are those of the values",
            &["copies_do_to_shadows_what_they_do_to_values"],
        ),
        Rule::Gather => copy(
            "Gathers",
            "the same gather, of shadows",
            &["gathers_collect_shadows"],
        ),
        Rule::ZeroUpper | Rule::ZeroAll => {
            copy("Clearing of vector registers", "shadows are cleared, too", &["vzeroall_clears_shadows"])
        }
        Rule::Move | Rule::Exchange | Rule::ConditionalMove | Rule::Push | Rule::Pop | Rule::Leave => copy(
            "Moves of general registers",
            "shadows move with the bytes; parts of a register that are loaded are counted",
            GENERAL,
        ),
        Rule::StringMove | Rule::StringStore => copy(
            "String moves and stores",
            "the same instruction, on shadows",
            &["string_instructions_move_and_fill_shadows"],
        ),
        Rule::CompareExchange => copy(
            "Compare and exchange",
            "shadows move with the bytes",
            &["compare_and_exchange_moves_a_shadow_either_way"],
        ),
        Rule::ExchangeAdd => bits(
            "Exchange and add",
            "the sum is one of integers: counted; the old value moves",
            &["exchange_and_add_loads_a_shadow_and_counts_the_sum"],
        ),
        Rule::SaveState | Rule::RestoreState => copy(
            "Saved register states",
            "shadows of vector registers are saved and restored with them",
            &["saved_registers_have_saved_shadows", "restored_registers_have_restored_shadows"],
        ),
        Rule::X87(operation, _) => x87(operation),
        Rule::PassiveLane(_) | Rule::Passive => passive_family(instruction),
        Rule::MaskedStore => Family {
            class: Class::Refused,
            name: "Masked stores to where rdi points",
            rule: "counted where value or place is active; the place is passive then",
            loss: Loss::Counted,
            tests: &["masked_stores_by_rdi_are_counted"],
        },
        Rule::Opaque => Family {
            class: Class::Refused,
            name: "Accesses to memory that no operand tells",
            rule: "counted wherever shadows are followed, since what is accessed is not known",
            loss: Loss::Counted,
            tests: &["every_code_is_lowered_as_its_class_says"],
        },
        Rule::None => return None,
    })
}

/// What only AVX-512 has.
fn wide(rule: Wide) -> Option<Family> {
    const COPIES: &[&str] = &["avx512_copies_do_to_shadows_what_they_do_to_values"];
    let of_wide = |name, rule| Family { tests: WIDE, ..arithmetic(name, rule) };
    Some(match rule {
        Wide::Reciprocal(..) => of_wide("Reciprocals", "y = 1 / a: y' = -y^2 a'"),
        Wide::ReciprocalRoot(..) => of_wide("Reciprocal roots", "y = 1 / sqrt(a): y' = -y^3 a' / 2"),
        Wide::Scale(..) => of_wide("Products with a power of two", "y = a 2^floor(b): y' = a' 2^floor(b)"),
        Wide::Mantissa(..) => of_wide("Mantissas", "y = a 2^-e: y' = a' 2^-e"),
        Wide::Reduce(..) => of_wide("Reduced arguments", "y = a - round(a): y' = a'"),
        Wide::Range(..) => Family {
            loss: Loss::Unresolved,
            ..of_wide("Minima and maxima of AVX-512", "the shadow of the operand that is returned, with its sign")
        },
        Wide::FixUp(..) => Family {
            loss: Loss::Unresolved,
            tests: &["avx512_special_values_are_fixed_up"],
            ..arithmetic("Values for special cases", "the shadow of the operand that is returned, or zero")
        },
        Wide::Ternary(_) => bits(
            "Logic of three operands",
            "where the other operands keep a value but for its sign, or drop it, its shadow is kept or dropped",
            &["functions_of_three_bits_that_compilers_write"],
        ),
        Wide::PassiveLanes(..) => passive(
            "Piecewise constant functions of AVX-512",
            "roundings, exponents, conversions to integers, comparisons: piecewise constant; masks keep other lanes",
            &["avx512_comparisons_are_passive"],
        ),
        Wide::FromInteger(_) => Family {
            loss: Loss::Unresolved,
            ..passive(
                "Conversions from an integer",
                "an integer carries no derivative; one whose bits are an active number is counted",
                &["integers_become_passive_lanes"],
            )
        },
        Wide::IndexedByTarget(_) => copy(
            "Permutations of two tables",
            "the same instruction, on shadows; indices are those of the values",
            COPIES,
        ),
        Wide::Gather => copy("Gathers with masks", "the same gather, of shadows", &["wide_gathers_collect_shadows"]),
        Wide::Scatter => copy("Scatters", "the same scatter, of shadows", &["scatters_spread_shadows"]),
    })
}

fn narrow(name: &'static str, rule: &'static str) -> Family {
    Family { loss: Loss::Unresolved, tests: &["numbers_of_two_bytes"], ..arithmetic(name, rule) }
}

fn binary(operation: Binary) -> Family {
    match operation {
        Binary::Add | Binary::Subtract => arithmetic("Sums and differences", "(a +- b)' = a' +- b'"),
        Binary::Multiply => arithmetic("Products", "(a b)' = a' b + b' a"),
        Binary::Divide => arithmetic("Quotients", "(a / b)' = (a' - (a / b) b') / b"),
        Binary::Minimum | Binary::Maximum => {
            arithmetic("Minima and maxima", "the shadow of the operand that the instruction returns")
        }
    }
}

fn unary(function: Unary) -> Family {
    match function {
        Unary::SquareRoot => arithmetic("Square roots", "sqrt(a)' = a' / (2 sqrt(a))"),
        Unary::Reciprocal => {
            arithmetic("Approximate reciprocals", "y = 1 / a: y' = -y^2 a', with the approximate y")
        }
        Unary::ReciprocalRoot => arithmetic(
            "Approximate reciprocal roots",
            "y = 1 / sqrt(a): y' = -y^3 a' / 2, with the approximate y",
        ),
    }
}

fn fused(addend: Addend) -> Family {
    match addend {
        Addend::Plus | Addend::Minus => {
            arithmetic("Fused products and sums", "(+-(a b) +- c)' = +-(a' b + b' a) +- c'")
        }
        Addend::MinusPlus | Addend::PlusMinus => {
            arithmetic("Fused products and alternating sums", "(a b +- c)' = a' b + b' a +- c', sign by lane")
        }
    }
}

fn x87(operation: X87) -> Family {
    let computes = |name, rule, tests| Family { loss: Loss::Unresolved, tests, ..arithmetic(name, rule) };
    let leaves_passive =
        |name, rule| Family { loss: Loss::Unresolved, ..passive(name, rule, &["x87_and_mmx"]) };
    match operation {
        X87::Load | X87::Store => copy(
            "Loads and stores of x87 numbers",
            "the shadow moves, and changes its format as the number does",
            &["loads_and_stores"],
        ),
        X87::Exchange | X87::ConditionalMove => copy(
            "Moves in the x87 stack",
            "shadows move with the numbers",
            &["exchanges_and_conditional_moves"],
        ),
        X87::Save | X87::Restore => copy(
            "Saved states of the x87 unit",
            "shadows are saved and restored with the numbers",
            &["saved_x87_states_carry_shadows"],
        ),
        X87::Clear | X87::Free => leaves_passive("Clearing of x87 registers", "shadows are cleared, too"),
        X87::LoadInteger | X87::LoadConstant => leaves_passive(
            "Integers and constants as x87 numbers",
            "an integer carries no derivative; one whose bits are an active float is counted",
        ),
        X87::StoreInteger | X87::Round => {
            leaves_passive("Rounding of x87 numbers", "piecewise constant: derivative zero")
        }
        X87::Compare => leaves_passive("Comparisons of x87 numbers", "piecewise constant: derivative zero"),
        X87::Binary(_) | X87::Reversed(_) => computes(
            "Real arithmetic of x87",
            "as in vector registers, in 80 bits; the bits of an integer operand are counted if they are active",
            &["x87_arithmetic"],
        ),
        X87::Function(function) => {
            let (name, rule) = x87_function(function);
            computes(name, rule, &["x87_functions"])
        }
    }
}

fn x87_function(function: Function) -> (&'static str, &'static str) {
    match function {
        Function::SquareRoot => ("Square roots of x87", "sqrt(a)' = a' / (2 sqrt(a))"),
        Function::Magnitude => ("Absolute values of x87", "|a|' = a' or -a' by the sign of a"),
        Function::Negative => ("Changes of sign of x87", "(-a)' = -a'"),
        Function::Sine => ("Sines of x87", "sin(a)' = cos(a) a'"),
        Function::Cosine => ("Cosines of x87", "cos(a)' = -sin(a) a'"),
        Function::SineAndCosine => ("Sines with cosines of x87", "sin(a)' = cos(a) a', cos(a)' = -sin(a) a'"),
        Function::Tangent => ("Tangents of x87", "tan(a)' = a' / cos(a)^2"),
        Function::Power => ("Powers of two of x87", "(2^a - 1)' = ln 2 2^a a'"),
        Function::Scale => ("Scaling of x87", "(a 2^n)' = a' 2^n"),
        Function::Remainder | Function::RemainderToNearest => ("Remainders of x87", "(a - n b)' = a' - n b'"),
        Function::Logarithm => ("Logarithms of x87", "(b log2(a))' = b' log2(a) + b a' / (a ln 2)"),
        Function::LogarithmPlusOne => {
            ("Logarithms near 1 of x87", "(b log2(a + 1))' = b' log2(a + 1) + b a' / ((a + 1) ln 2)")
        }
        Function::Arctangent => ("Arctangents of x87", "arctan(b / a)' = (a b' - b a') / (a^2 + b^2)"),
        Function::Extract => ("Significands and exponents of x87", "a = m 2^n: m' = a' / 2^n, n' = 0"),
    }
}

pub const MMX: Family = copy(
    "Moves and permutations of MMX",
    "shadows move with the bytes",
    &["moves_and_permutations_of_mmx_registers_move_shadows"],
);

/// Does the instruction move bytes of MMX registers and nothing else?
pub fn moves_mmx(instruction: &Instruction) -> bool {
    use iced_x86::Mnemonic::*;
    let moves = matches!(
        instruction.mnemonic(),
        Movd | Movdq2q
            | Movntq
            | Movq
            | Movq2dq
            | Pshufw
            | Punpcklbw
            | Punpcklwd
            | Punpckldq
            | Punpckhbw
            | Punpckhwd
            | Punpckhdq
    );
    moves && crate::rules::uses_mmx(instruction)
}

fn passive_family(instruction: &Instruction) -> Family {
    let listed = passive::GROUPS.iter().find(|group| group.mnemonics.contains(&instruction.mnemonic()));
    if let Some(group) = listed {
        return passive(group.name, group.reason, &["every_code_is_lowered_as_its_class_says"]);
    }
    let from_integer = matches!(
        instruction.mnemonic(),
        iced_x86::Mnemonic::Cvtsi2sd
            | iced_x86::Mnemonic::Cvtsi2ss
            | iced_x86::Mnemonic::Vcvtsi2sd
            | iced_x86::Mnemonic::Vcvtsi2ss
    );
    if from_integer {
        return Family {
            loss: Loss::Unresolved,
            ..passive(
                "Conversions from integers",
                "an integer carries no derivative; one whose bits are an active float is counted",
                &["conversions_of_integers_are_passive"],
            )
        };
    }
    passive(
        "Comparisons, tests, rounding, conversions to integers, signs as masks, control words",
        "piecewise constant: derivative zero",
        COMPARISONS,
    )
}
