//! Families of instructions that have a rule.

use super::{Class, Family, Loss};
use crate::rules::{passive, Addend, Binary, Rule, Unary};
use iced_x86::Instruction;

const ONE_BY_ONE: &[&str] = &["real_arithmetic_agrees_with_dual_numbers"];
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
