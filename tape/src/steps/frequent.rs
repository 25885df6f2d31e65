//! Shapes of operations that are so frequent that a reverse sweep has code for them in its loop.

use super::operands::{Absent, InExecution, Narrow, Source};
use super::partials::{propagate, Given64, Inverse64, Partials, Unit};
use super::{Kind, Step};
use crate::cell::Cell;
use crate::structure::Operand;

/// Operations on one lane: kind of partial derivatives, then where operands come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    UnitResult,
    UnitResultResult,
    UnitNarrow,
    UnitNarrowResult,
    UnitNarrowNarrow,
    GivenResult,
    GivenResultResult,
    GivenNarrow,
    GivenNarrowResult,
    GivenNarrowNarrow,
    InverseResult,
    InverseNarrow,
    /// Any other, by [`Step::run`].
    Other,
}

/// The shape of an operation.
pub fn shape(kind: Kind, operands: [Operand; 2], lanes: u8) -> Shape {
    use Operand::{Absent as None, Narrow as N, Result as R};
    match (kind, operands) {
        _ if lanes != 1 => Shape::Other,
        (Kind::Unit, [R(_), None]) => Shape::UnitResult,
        (Kind::Unit, [R(_), R(_)]) => Shape::UnitResultResult,
        (Kind::Unit, [N(_), None]) => Shape::UnitNarrow,
        (Kind::Unit, [N(_), R(_)]) => Shape::UnitNarrowResult,
        (Kind::Unit, [N(_), N(_)]) => Shape::UnitNarrowNarrow,
        (Kind::Given64, [R(_), None]) => Shape::GivenResult,
        (Kind::Given64, [R(_), R(_)]) => Shape::GivenResultResult,
        (Kind::Given64, [N(_), None]) => Shape::GivenNarrow,
        (Kind::Given64, [N(_), R(_)]) => Shape::GivenNarrowResult,
        (Kind::Given64, [N(_), N(_)]) => Shape::GivenNarrowNarrow,
        (Kind::Inverse64, [R(_), None]) => Shape::InverseResult,
        (Kind::Inverse64, [N(_), None]) => Shape::InverseNarrow,
        _ => Shape::Other,
    }
}

/// Run all steps of an execution in a reverse sweep.
///
/// # Safety
/// As for [`Run`].
#[inline(always)]
pub unsafe fn run_reverse<C: Cell>(steps: &[Step<C>], payload: *const u8, cells: *mut C, first: u64) -> bool {
    use {Absent as No, Given64 as G, InExecution as R, Inverse64 as I, Narrow as N, Unit as U};
    for step in steps {
        // SAFETY: as the caller vouches, and the shape is that of the step.
        let is_ordered = unsafe {
            match step.shape {
                Shape::UnitResult => reverse_lane::<C, R, No, U>(step, payload, cells, first),
                Shape::UnitResultResult => reverse_lane::<C, R, R, U>(step, payload, cells, first),
                Shape::UnitNarrow => reverse_lane::<C, N, No, U>(step, payload, cells, first),
                Shape::UnitNarrowResult => reverse_lane::<C, N, R, U>(step, payload, cells, first),
                Shape::UnitNarrowNarrow => reverse_lane::<C, N, N, U>(step, payload, cells, first),
                Shape::GivenResult => reverse_lane::<C, R, No, G>(step, payload, cells, first),
                Shape::GivenResultResult => reverse_lane::<C, R, R, G>(step, payload, cells, first),
                Shape::GivenNarrow => reverse_lane::<C, N, No, G>(step, payload, cells, first),
                Shape::GivenNarrowResult => reverse_lane::<C, N, R, G>(step, payload, cells, first),
                Shape::GivenNarrowNarrow => reverse_lane::<C, N, N, G>(step, payload, cells, first),
                Shape::InverseResult => reverse_lane::<C, R, No, I>(step, payload, cells, first),
                Shape::InverseNarrow => reverse_lane::<C, N, No, I>(step, payload, cells, first),
                Shape::Other => (step.run)(step, payload, cells, first),
            }
        };
        if !is_ordered {
            return false;
        }
    }
    true
}

/// The reverse step of an operation on one lane, whose operands are results or have narrow indices.
///
/// # Safety
/// As for [`Run`]; the step has these sources and partial derivatives.
#[inline(always)]
unsafe fn reverse_lane<C: Cell, A: Source, B: Source, P: Partials>(
    step: &Step<C>,
    payload: *const u8,
    cells: *mut C,
    first: u64,
) -> bool {
    // SAFETY: the caller vouches for the cells up to the last result, and for the payload; indices of the payload are
    // compared with that of the result before they are used.
    unsafe {
        let own = cells.add(first as usize);
        let limit = first + u64::from(step.result);
        let bar = *own.add(step.result as usize);
        let operands_are_results = A::IS_RESULT && (B::IS_RESULT || !B::IS_PRESENT);
        // Cells of the execution are at hand; others are not touched without need.
        if !(operands_are_results && C::ZERO_IS_HARMLESS) && bar.is_zero() {
            return true;
        }
        if A::IS_RESULT {
            propagate::<C, P, 0>(step, payload, 0, &mut *own.add(step.places[0] as usize), &bar);
        } else {
            let operand = A::index(step.places[0], payload, first, 0);
            if operand >= limit {
                return false;
            }
            if operand != 0 {
                propagate::<C, P, 0>(step, payload, 0, &mut *cells.add(operand as usize), &bar);
            }
        }
        if !B::IS_PRESENT {
            return true;
        }
        if B::IS_RESULT {
            propagate::<C, P, 1>(step, payload, 0, &mut *own.add(step.places[1] as usize), &bar);
        } else {
            let operand = B::index(step.places[1], payload, first, 0);
            if operand >= limit {
                return false;
            }
            if operand != 0 {
                propagate::<C, P, 1>(step, payload, 0, &mut *cells.add(operand as usize), &bar);
            }
        }
        true
    }
}
