//! Dual numbers: real arithmetic, and sums of products.

use super::room::Format;
use super::{Before, Fate};
use crate::harness::compare::{number, Expected, Lane};
use crate::harness::families::{Lanes, Operation};
use crate::harness::values::Content;
use half::f16;

/// The rule for real arithmetic.
pub fn arithmetic(before: &Before, operation: Operation, content: Content, lanes: Lanes) -> Expected {
    let mut expected = before.unchanged();
    let target = before.vector(0);
    let size = content.size();
    let register_bytes = before.instruction().op0_register().size();
    let bytes = if lanes == Lanes::Scalar { size } else { register_bytes };
    let count = before.vector_operands();
    let first = before.first_source();
    let last = count - 1;
    let fused = matches!(operation, Operation::Fused { .. });
    let mut result = before.operand(if fused { 0 } else { first }).1;
    result.resize(64, 0);
    let mut result: [u8; 64] = result.try_into().expect("64 bytes");
    if before.is_legacy() {
        result = before.shadows.vectors[target];
    }
    before.clear_upper(&mut result, bytes);
    for offset in (0..bytes).step_by(size) {
        let lane = |operand: u32| {
            let (value, shadow) = before.operand(operand);
            Dual {
                value: number(&value[offset..offset + size]),
                shadow: number(&shadow[offset..offset + size]),
            }
        };
        match before.fate(offset / size) {
            Fate::Computed => {}
            Fate::Zero => {
                result[offset..offset + size].fill(0);
                continue;
            }
            Fate::Kept => {
                let kept = &before.shadows.vectors[target][offset..offset + size];
                result[offset..offset + size].copy_from_slice(kept);
                continue;
            }
        }
        let odd = offset / size % 2 == 1;
        let (shadow, scale) = match operation {
            Operation::Fused { product, even, odd: odd_sign, factors, addend } => {
                let sign = f64::from(if odd { odd_sign } else { even });
                let (one, other, addend) = (lane(factors[0]), lane(factors[1]), lane(addend));
                let terms = [one.shadow_times(other), other.shadow_times(one), addend.shadow];
                let sum = f64::from(product) * (terms[0] + terms[1]) + sign * terms[2];
                (sum, terms.iter().map(|term| term.abs()).sum())
            }
            Operation::SquareRoot => {
                let dual = lane(last);
                let root = dual.value.sqrt();
                let shadow = if dual.shadow == 0.0 { 0.0 } else { dual.shadow / (2.0 * root) };
                // Half of a dot value that is denormal is rounded before it is divided.
                let smallest = if size == 8 { f64::MIN_POSITIVE } else { f64::from(f32::MIN_POSITIVE) };
                // A negative zero is active; the partial derivative may be infinite.
                let is_undefined = dual.shadow == 0.0 && dual.value <= 0.0;
                let scale = shadow.abs() + 0.1 * smallest / root;
                (shadow, if is_undefined { f64::INFINITY } else { scale })
            }
            Operation::Reciprocal | Operation::ReciprocalRoot => {
                let dual = lane(last);
                let partial = match operation {
                    Operation::Reciprocal => -1.0 / dual.value / dual.value,
                    _ => -0.5 / dual.value / dual.value.sqrt(),
                };
                let shadow = if dual.shadow == 0.0 { 0.0 } else { dual.shadow * partial };
                // The value is an approximation, of which the derivative is formed.
                let tolerance = match size {
                    2 => 4.0,
                    4 => 200.0,
                    _ => 1e9,
                };
                // The partial derivative has no room, although the result may have.
                let is_extreme = content.overflows(partial.abs()) || content.overflows(1.0 / partial.abs());
                (shadow, if is_extreme { f64::INFINITY } else { tolerance * shadow.abs() })
            }
            Operation::Mantissa => {
                let dual = lane(last);
                let shadow =
                    dual.shadow_times(mantissa_partial(dual.value, before.instruction().immediate8()));
                (shadow, shadow.abs())
            }
            Operation::Range => {
                let (one, other) = (lane(first), lane(last));
                if one.value.is_nan() || other.value.is_nan() {
                    // Which is taken depends on the kind of NaN.
                    let halves = (offset..offset + content.size()).step_by(4);
                    expected.unspecified.extend(halves.map(|half| (target, half)));
                    continue;
                }
                let immediate = before.instruction().immediate8();
                let size = |dual: Dual| if immediate & 2 != 0 { dual.value.abs() } else { dual.value };
                let maximum = immediate & 1 != 0;
                let takes_first = (size(one) < size(other)) != maximum;
                let taken = if takes_first { one } else { other };
                let negative = match immediate >> 2 & 3 {
                    0 => one.value.is_sign_negative(),
                    1 => taken.value.is_sign_negative(),
                    2 => false,
                    _ => true,
                };
                let same = negative == taken.value.is_sign_negative();
                (if same { taken.shadow } else { -taken.shadow }, 0.0)
            }
            Operation::Reduce => (lane(last).shadow, 0.0),
            Operation::Divide => {
                let (one, other) = (lane(first), lane(last));
                let (shadow, scale) = binary(operation, one, other);
                // The quotient may overflow, and what the divisor contributes before it is divided.
                let quotient = (one.value / other.value).abs();
                let largest = quotient.max((other.shadow * quotient).abs());
                (shadow, if content.overflows(largest) { f64::INFINITY } else { scale })
            }
            _ => binary(operation, lane(first), lane(last)),
        };
        expected.lanes.push(Lane { register: target, offset, content, shadow, scale });
        if content == Content::F16 {
            let rounding_decides = operation == Operation::Divide && shadow.abs() < 1e-9 * scale;
            expected.note_room(Format::Binary16, shadow, rounding_decides);
        }
        let written = match size {
            2 => f16::from_f64(shadow).to_le_bytes().to_vec(),
            4 => (shadow as f32).to_le_bytes().to_vec(),
            _ => shadow.to_le_bytes().to_vec(),
        };
        let passive =
            (0..count).filter(|operand| fused || *operand == first || *operand == last).all(|operand| {
                lane_bytes(&before.operand(operand).1, offset, size).iter().all(|byte| *byte == 0)
            });
        if passive {
            // Exactly zero: positive zero, since bits tell what is active.
            result[offset..offset + size].fill(0);
            expected.lanes.pop();
        } else {
            result[offset..offset + size].copy_from_slice(&written);
        }
    }
    expected.shadows.vectors[target] = result;
    expected
}

fn lane_bytes(bytes: &[u8], offset: usize, size: usize) -> &[u8] {
    &bytes[offset..offset + size]
}

#[derive(Clone, Copy)]
struct Dual {
    value: f64,
    shadow: f64,
}

impl Dual {
    /// Zero if the shadow is, whatever the partial derivative.
    fn shadow_times(self, partial: Dual) -> f64 {
        if self.shadow == 0.0 {
            0.0
        } else {
            self.shadow * partial.value
        }
    }
}

/// Mantissa of a positive number divided by the number (Intel SDM volume 2, VGETMANTPD).
fn mantissa_partial(value: f64, immediate: u8) -> Dual {
    let exponent = value.abs().log2().floor();
    let (mantissa, partial) = (value.abs() * (-exponent).exp2(), (-exponent).exp2());
    let sign = match immediate >> 2 & 3 {
        2 | 3 if value < 0.0 => f64::NAN,
        0 | 2 => 1.0,
        _ => value.signum(),
    };
    let halves = match immediate & 3 {
        0 => false,
        1 => exponent.rem_euclid(2.0) == 1.0,
        2 => true,
        _ => mantissa >= 1.5,
    };
    Dual { value: sign * if halves { partial / 2.0 } else { partial }, shadow: 0.0 }
}

/// Shadow of the result, and magnitude of its terms.
fn binary(operation: Operation, one: Dual, other: Dual) -> (f64, f64) {
    let sum = |terms: [f64; 2]| (terms[0] + terms[1], terms[0].abs() + terms[1].abs());
    match operation {
        Operation::Add => sum([one.shadow, other.shadow]),
        Operation::Subtract => sum([one.shadow, -other.shadow]),
        Operation::Multiply => sum([one.shadow_times(other), other.shadow_times(one)]),
        Operation::Divide => {
            let quotient = Dual { value: -one.value / other.value, shadow: 0.0 };
            let terms = [one.shadow, other.shadow_times(quotient)];
            if terms == [0.0, 0.0] {
                return (0.0, 0.0);
            }
            sum(terms.map(|term| term / other.value))
        }
        Operation::Scale => {
            let factor = Dual { value: other.value.floor().exp2(), shadow: 0.0 };
            let shadow = one.shadow_times(factor);
            (shadow, shadow.abs())
        }
        Operation::Minimum | Operation::Maximum => {
            let minimum = operation == Operation::Minimum;
            let takes_first = if minimum { one.value < other.value } else { one.value > other.value };
            let shadow = if takes_first { one.shadow } else { other.shadow };
            (shadow, shadow.abs())
        }
        _ => unreachable!("no binary operation"),
    }
}

/// Arithmetic whose lanes are passive.
pub fn paused(before: &Before, operation: Operation, content: Content, lanes: Lanes) -> Expected {
    let mut expected = arithmetic(before, operation, content, lanes);
    for lane in std::mem::take(&mut expected.lanes) {
        let place = &mut expected.shadows.vectors[lane.register];
        place[lane.offset..lane.offset + content.size()].fill(0);
    }
    expected
}

/// The rule for dot products: sums within 128 bits.
pub fn dot_product(before: &Before, content: Content) -> Expected {
    let mut expected = before.unchanged();
    let target = before.vector(0);
    let (first, second) = (before.first_source(), before.instruction().op_count() - 2);
    let ((one, one_shadow), (other, other_shadow)) = (before.operand(first), before.operand(second));
    let mask = before.instruction().immediate8();
    let size = content.size();
    let bytes = before.instruction().op0_register().size();
    let mut result = before.shadows.vectors[target];
    before.clear_upper(&mut result, bytes);
    result[..bytes].fill(0);
    for part in (0..bytes).step_by(16) {
        let summed = |lane: &usize| mask >> (4 + lane) & 1 != 0;
        let terms: Vec<f64> = (0..16 / size)
            .filter(summed)
            .flat_map(|lane| {
                let at = |bytes: &[u8]| number(&bytes[part + lane * size..part + (lane + 1) * size]);
                let term = |shadow: f64, value: f64| if shadow == 0.0 { 0.0 } else { shadow * value };
                [term(at(&one_shadow), at(&other)), term(at(&other_shadow), at(&one))]
            })
            .collect();
        let (shadow, scale) = (terms.iter().sum::<f64>(), terms.iter().map(|term| term.abs()).sum::<f64>());
        for lane in (0..16 / size).filter(|lane| mask >> lane & 1 != 0 && scale != 0.0) {
            let offset = part + lane * size;
            expected.lanes.push(Lane { register: target, offset, content, shadow, scale });
        }
    }
    expected.shadows.vectors[target] = result;
    expected
}
