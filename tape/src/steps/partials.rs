//! Where partial derivatives come from: a type for each way, so that a step is compiled for it.

use super::operands::read;
use super::Step;
use crate::cell::Cell;
use crate::structure::Element;

/// The partial derivatives of a step.
pub trait Partials {
    /// All are one.
    const ARE_UNIT: bool = false;

    /// # Safety
    /// As for [`Run`]; the step has operand `NUMBER`, and `lane` is below its number of lanes.
    unsafe fn partial<C, const NUMBER: usize>(step: &Step<C>, payload: *const u8, lane: usize) -> f64;
}

pub struct Unit;
pub struct Given32;
pub struct Given64;
pub struct Inverse64;
pub struct Computed;

impl Partials for Unit {
    const ARE_UNIT: bool = true;

    #[inline(always)]
    unsafe fn partial<C, const NUMBER: usize>(_step: &Step<C>, _payload: *const u8, _lane: usize) -> f64 {
        1.0
    }
}

impl Partials for Given32 {
    #[inline(always)]
    unsafe fn partial<C, const NUMBER: usize>(step: &Step<C>, payload: *const u8, lane: usize) -> f64 {
        // SAFETY: the caller vouches for the payload.
        f64::from(unsafe { read::<f32>(payload, step.values[NUMBER] as usize + 4 * lane) })
    }
}

impl Partials for Given64 {
    #[inline(always)]
    unsafe fn partial<C, const NUMBER: usize>(step: &Step<C>, payload: *const u8, lane: usize) -> f64 {
        // SAFETY: the caller vouches for the payload.
        unsafe { read::<f64>(payload, step.values[NUMBER] as usize + 8 * lane) }
    }
}

impl Partials for Inverse64 {
    #[inline(always)]
    unsafe fn partial<C, const NUMBER: usize>(step: &Step<C>, payload: *const u8, lane: usize) -> f64 {
        // SAFETY: as the caller vouches.
        1.0 / unsafe { Given64::partial::<C, 0>(step, payload, lane) }
    }
}

impl Partials for Computed {
    #[inline(always)]
    unsafe fn partial<C, const NUMBER: usize>(step: &Step<C>, payload: *const u8, lane: usize) -> f64 {
        let needs = step.function.needs(NUMBER);
        let mut values = [0.0; 2];
        for number in 0..2 {
            if needs[number] {
                // SAFETY: the caller vouches for the payload, and a value that is needed is there.
                values[number] = unsafe {
                    match step.element {
                        Element::Binary32 => {
                            f64::from(read::<f32>(payload, step.values[number] as usize + 4 * lane))
                        }
                        Element::Binary64 => read::<f64>(payload, step.values[number] as usize + 8 * lane),
                    }
                };
            }
        }
        step.function.partial(NUMBER, values)
    }
}

/// Add `partial * from` to `to`, with the partial derivative of operand `NUMBER` in `lane`.
///
/// # Safety
/// As for [`Partials::partial`].
#[inline(always)]
pub unsafe fn propagate<C: Cell, P: Partials, const NUMBER: usize>(
    step: &Step<C>,
    payload: *const u8,
    lane: usize,
    to: &mut C,
    from: &C,
) {
    let sign = step.sign(NUMBER, lane);
    if P::ARE_UNIT {
        to.add_signed(sign, from);
    } else {
        // SAFETY: as the caller vouches.
        let partial = unsafe { P::partial::<C, NUMBER>(step, payload, lane) };
        to.add_scaled(f64::from_bits(partial.to_bits() ^ sign), from);
    }
}

/// The processor's square root; `core` has none.
pub fn square_root(value: f64) -> f64 {
    use core::arch::x86_64::{_mm_cvtsd_f64, _mm_set_sd, _mm_sqrt_pd};
    // SAFETY: every x86-64 processor has SSE2.
    unsafe { _mm_cvtsd_f64(_mm_sqrt_pd(_mm_set_sd(value))) }
}
