//! Instruction sets without rules, or with a few: they compute what they compute natively, and active operands are
//! counted.

use crate::harness::examine::every_form;
use crate::harness::families::{codes, family, Family, OLD_FEATURES, WIDE_FEATURES};
use crate::harness::report::Failures;
use crate::harness::run::Harness;
use iced_x86::CpuidFeature;

fn all(features: &[CpuidFeature], least: usize, chosen: impl Fn(Family) -> bool) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    for code in codes(features) {
        let family = family(code);
        if family != Family::Elsewhere && chosen(family) {
            every_form(&mut harness, &mut failures, code, family);
        }
    }
    failures.finish(least);
}

fn least() -> usize {
    if is_x86_feature_detected!("avx512f") {
        1000
    } else {
        0
    }
}

#[test]
fn x87_and_mmx() {
    all(OLD_FEATURES, 1000, |_| true);
}

#[test]
fn avx512_without_rules() {
    all(WIDE_FEATURES, least(), |family| family == Family::Counted);
}

#[test]
fn avx512_logic_keeps_drops_or_changes_signs() {
    all(WIDE_FEATURES, least() / 4, |family| matches!(family, Family::Logic(_)));
}

#[test]
fn avx512_bits_of_numbers() {
    all(WIDE_FEATURES, least(), |family| family == Family::Bits);
}

#[test]
fn avx512_special_values_are_fixed_up() {
    all(WIDE_FEATURES, least() / 10, |family| matches!(family, Family::FixUp(..)));
}

#[test]
fn avx512_arithmetic_agrees_with_dual_numbers() {
    all(WIDE_FEATURES, least(), |family| matches!(family, Family::Arithmetic(..)));
}

#[test]
fn avx512_copies_do_to_shadows_what_they_do_to_values() {
    all(WIDE_FEATURES, least(), |family| matches!(family, Family::Same { .. } | Family::IndexedByTarget(_)));
}

#[test]
fn avx512_comparisons_are_passive() {
    let is_passive = |family| matches!(family, Family::Passive | Family::PassiveLanes(..));
    all(WIDE_FEATURES, least(), is_passive);
}
