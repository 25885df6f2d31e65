//! Functions that the x87 unit computes.
//!
//! Where an operand is too large for a trigonometric function, the instruction leaves it as it is and pushes nothing
//! (Intel SDM volume 1, section 8.3.10).

use super::{multiple, zero, Change, Extended, ExtendedTerm, Place, Real, Stack, Unit};
use crate::rules::Function;
use alloc::vec;
use alloc::vec::Vec;

pub(super) fn changes(unit: &Unit, stack: &Stack, function: Function) -> Vec<Change> {
    let (top, second) = (stack.value(0), stack.value(1));
    let place = stack.place(0);
    let of_top = |partial| vec![multiple(place, place, partial)];
    let one = Extended::ONE;
    match function {
        Function::SquareRoot => {
            let root = unit.square_root(top);
            of_top(unit.quotient(one, unit.sum(root, root)))
        }
        Function::Magnitude if top.is_negative() => of_top(one.negated()),
        Function::Magnitude => Vec::new(),
        Function::Negative => of_top(one.negated()),
        Function::Power => of_top(unit.derivative_of_power(top)),
        Function::Scale => of_top(unit.scaled(one, second)),
        Function::Remainder => remainder(stack, unit, unit.remainder(top, second)),
        Function::RemainderToNearest => remainder(stack, unit, unit.remainder_to_nearest(top, second)),
        Function::Logarithm => {
            let by_factor = unit.binary_logarithm(top);
            let by_argument = unit.quotient(second, unit.times_ln_2(top));
            of_both(stack, by_argument, by_factor)
        }
        Function::LogarithmPlusOne => {
            let by_factor = unit.binary_logarithm_plus_one(top);
            let by_argument = unit.quotient(second, unit.times_ln_2(unit.sum(top, one)));
            of_both(stack, by_argument, by_factor)
        }
        Function::Arctangent => {
            let (by_first, by_second) = arctangent(unit, top, second);
            of_both(stack, by_first, by_second)
        }
        Function::Extract => {
            vec![multiple(stack.pushed(), place, unit.scaled(one, unit.exponent(top).negated())), zero(place)]
        }
        _ if is_too_large(top) => Vec::new(),
        Function::Sine => of_top(unit.cosine(top)),
        Function::Cosine => of_top(unit.sine(top).negated()),
        Function::SineAndCosine => vec![
            multiple(place, place, unit.cosine(top)),
            multiple(stack.pushed(), place, unit.sine(top).negated()),
        ],
        Function::Tangent => {
            let cosine = unit.cosine(top);
            let partial = unit.quotient(unit.quotient(one, cosine), cosine);
            vec![multiple(place, place, partial), zero(stack.pushed())]
        }
    }
}

/// Is the magnitude 2^63 or more, but finite?
fn is_too_large(number: Extended) -> bool {
    let exponent = u16::from_le_bytes([number.0[8], number.0[9] & 0x7f]);
    (0x3fff + 63..0x7fff).contains(&exponent)
}

/// st(1) becomes a function of st(0) and st(1); st(0) is popped.
fn of_both(stack: &Stack, by_first: Extended, by_second: Extended) -> Vec<Change> {
    let to = stack.place(1);
    vec![Change::Extended { to, real: Real::Extended, terms: terms(stack, by_first, by_second) }]
}

fn terms(stack: &Stack, by_first: Extended, by_second: Extended) -> Vec<ExtendedTerm> {
    let term = |from: Place, partial| ExtendedTerm { from, real: Real::Extended, partial };
    vec![term(stack.place(0), by_first), term(stack.place(1), by_second)]
}

/// st(0) - q st(1), where q is an integer.
fn remainder(stack: &Stack, unit: &Unit, result: Extended) -> Vec<Change> {
    let (dividend, divisor) = (stack.value(0), stack.value(1));
    let quotient = unit.rounded(unit.quotient(unit.difference(dividend, result), divisor));
    let to = stack.place(0);
    let terms = terms(stack, Extended::ONE, quotient.negated());
    vec![Change::Extended { to, real: Real::Extended, terms }]
}

/// Partial derivatives of the angle of the point (x, y), without overflow: x/(x^2 + y^2) for y, -y/(x^2 + y^2) for x.
fn arctangent(unit: &Unit, x: Extended, y: Extended) -> (Extended, Extended) {
    let one = Extended::ONE;
    if unit.is_smaller(y, x) {
        let ratio = unit.quotient(y, x);
        let scale = unit.product(x, unit.sum(one, unit.product(ratio, ratio)));
        (unit.quotient(ratio, scale).negated(), unit.quotient(one, scale))
    } else {
        let ratio = unit.quotient(x, y);
        let scale = unit.product(y, unit.sum(one, unit.product(ratio, ratio)));
        (unit.quotient(one, scale).negated(), unit.quotient(ratio, scale))
    }
}
