//! Every vector instruction of SSE to AVX2 and FMA, one at a time.

use crate::harness::examine::every_form;
use crate::harness::families::{codes, family, Family, VECTOR_FEATURES};
use crate::harness::report::Failures;
use crate::harness::run::Harness;

fn all(least: usize, chosen: impl Fn(Family) -> bool) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    for code in codes(VECTOR_FEATURES) {
        let family = family(code);
        if chosen(family) {
            every_form(&mut harness, &mut failures, code, family);
        }
    }
    failures.finish(least);
}

#[test]
fn real_arithmetic_agrees_with_dual_numbers() {
    all(1000, |family| matches!(family, Family::Arithmetic(..)));
}

#[test]
fn copies_do_to_shadows_what_they_do_to_values() {
    all(1000, |family| matches!(family, Family::Same { .. }));
}

#[test]
fn dot_products_agree_with_dual_numbers() {
    all(100, |family| matches!(family, Family::DotProduct(_)));
}

#[test]
fn logical_instructions_keep_drop_or_change_signs() {
    all(1000, |family| matches!(family, Family::Logic(_)));
}

#[test]
fn comparisons_and_conversions_are_passive() {
    all(1000, |family| matches!(family, Family::Passive | Family::PassiveLane(_)));
}

#[test]
fn what_has_no_rule_is_passive_and_counted() {
    all(1000, |family| family == Family::Counted);
}

#[test]
fn bits_of_lanes_have_the_meaning_that_their_values_give_them() {
    all(500, |family| family == Family::Bits);
}
