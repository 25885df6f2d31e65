//! AVX-512 where it is recorded: the tape gives what forward mode gives.

use super::recorded::{each_alone_of, is_arithmetic, is_conversion, moves};
use crate::harness::examine::every_form_in;
use crate::harness::families::{codes, family, stem, Family, Operation, WIDE_FEATURES};
use crate::harness::report::Failures;
use crate::harness::run::Harness;
use crate::harness::values::Content;
use derivgrind_translate::interface::Mode;
use iced_x86::Code;

fn each(mode: Mode, least: usize, chosen: impl Fn(Content, Code) -> bool) {
    if is_x86_feature_detected!("avx512bw") {
        // Forward mode differentiates what an approximation has returned, the tape has the exact function.
        let is_exact = |code| !stem(code).contains("14");
        each_alone_of(WIDE_FEATURES, mode, least, |content, code| chosen(content, code) && is_exact(code));
    }
}

#[test]
fn recorded_avx512_arithmetic_has_the_derivatives_of_forward_mode() {
    each(Mode::Recording, 500, is_arithmetic);
}

#[test]
fn recorded_avx512_conversions() {
    each(Mode::Recording, 20, |content, code| is_conversion(content, &stem(code)));
}

#[test]
fn recorded_avx512_copies() {
    // A mask may cut a binary64 in two.
    each(Mode::Recording, 100, |content, code| content == Content::F32 && moves(content, &stem(code)));
}

#[test]
fn recorded_avx512_changes_of_signs() {
    each(Mode::Recording, 50, |content, code| {
        let narrow = stem(code).ends_with("ps") || stem(code).ends_with('d') && !stem(code).ends_with("pd");
        matches!(family(code), Family::Logic(_)) && narrow == (content == Content::F32)
    });
}

#[test]
fn recorded_avx512_with_operands_of_eight_bytes() {
    each(Mode::RecordingWide, 200, |content, code| content == Content::F64 && is_arithmetic(content, code));
}

#[test]
fn avx512_while_paused() {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    for code in codes(WIDE_FEATURES) {
        let expected = match family(code) {
            Family::Arithmetic(Operation::Minimum | Operation::Maximum, ..) => continue,
            // An index has no room there.
            Family::Arithmetic(_, Content::F16, _) => continue,
            Family::Arithmetic(operation, content, lanes) => Family::Paused(operation, content, lanes),
            family @ (Family::PassiveLanes(..) | Family::IndexedByTarget(_) | Family::Passive) => family,
            _ => continue,
        };
        every_form_in(Mode::Paused, &mut harness, &mut failures, code, expected);
    }
    failures.finish(0);
}
