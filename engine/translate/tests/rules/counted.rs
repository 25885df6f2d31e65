//! Instruction sets without rules: they compute what they compute natively, and active operands are counted.

use crate::harness::examine::every_form;
use crate::harness::families::{codes, family, Family, OLD_FEATURES, WIDE_FEATURES};
use crate::harness::report::Failures;
use crate::harness::run::Harness;
use iced_x86::CpuidFeature;

fn all(features: &[CpuidFeature], least: usize) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    for code in codes(features) {
        if family(code) != Family::Elsewhere {
            every_form(&mut harness, &mut failures, code, family(code));
        }
    }
    failures.finish(least);
}

#[test]
fn x87_and_mmx() {
    all(OLD_FEATURES, 1000);
}

#[test]
fn avx512() {
    let least = if is_x86_feature_detected!("avx512f") { 1000 } else { 0 };
    all(WIDE_FEATURES, least);
}
