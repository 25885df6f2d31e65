//! Every instruction on general registers, one at a time.

use crate::harness::examine::every_form;
use crate::harness::families::{codes, family, Family, GENERAL_FEATURES};
use crate::harness::report::Failures;
use crate::harness::run::Harness;

fn all(least: usize, chosen: impl Fn(Family) -> bool) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    for code in codes(GENERAL_FEATURES) {
        let family = family(code);
        if chosen(family) {
            every_form(&mut harness, &mut failures, code, family);
        }
    }
    failures.finish(least);
}

#[test]
fn moves_of_registers_and_memory_move_shadows() {
    all(100, |family| matches!(family, Family::Same { .. }));
}

#[test]
fn comparisons_are_passive() {
    all(100, |family| matches!(family, Family::Passive));
}

#[test]
fn bits_of_numbers_have_the_meaning_that_their_values_give_them() {
    all(1000, |family| family == Family::Bits);
}

#[test]
fn arithmetic_on_bits_is_passive_and_counted() {
    all(300, |family| family == Family::Counted);
}
