//! Steps: the inner loops of a sweep, each compiled for one shape of operation.
//!
//! A step is called with a payload and the cells, and trusts what was checked when its structure was: that offsets lie
//! within the payload, and results within those of the execution. The sweep has checked that the execution lies within
//! its chunk, and its results within the cells. What only the payload says are indices of operands. A step compares
//! each with the index of its result, since a smaller index lies within the cells, too, and returns false if one is not
//! smaller.

mod frequent;
mod operands;
mod partials;

pub use frequent::{run_reverse, shape, Shape};
pub use operands::{prefetch, prefetch_tape};
pub use partials::square_root;

use crate::cell::Cell;
use crate::structure::{Element, Function, Operand};
use operands::{Absent, Any, InExecution, Narrow, Source, Wide};
use partials::{propagate, Computed, Given32, Given64, Inverse64, Partials, Unit};

/// One operation of a program: a cache line.
pub struct Step<C> {
    /// For operations of all shapes.
    pub run: Run<C>,
    pub result: u32,
    pub shape: Shape,
    pub lanes: u8,
    pub function: Function,
    pub element: Element,
    /// As in the format: offsets in the payload, or results with upper bits set.
    pub operands: [u32; 2],
    /// The same without the upper bits.
    pub places: [u32; 2],
    /// Offsets in the payload of the two values; 0 if the function has none there.
    pub values: [u32; 2],
    /// For each operand, what the partial derivative is combined with to have the right sign.
    pub signs: [u64; 2],
    /// For each operand, whether the sign is another one in odd lanes.
    pub odd_lanes: [bool; 2],
}

impl<C> Step<C> {
    #[inline(always)]
    fn sign(&self, operand: usize, lane: usize) -> u64 {
        self.signs[operand] ^ (u64::from(self.odd_lanes[operand]) & lane as u64) << 63
    }
}

/// # Safety
/// `payload` has the length that the step's structure was checked for; `cells` can be read and written up to the last
/// result of the execution, whose first result has index `first`; nothing else refers to the cells.
pub type Run<C> = unsafe fn(step: &Step<C>, payload: *const u8, cells: *mut C, first: u64) -> bool;

/// Where the partial derivatives come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They are one.
    Unit,
    /// They are binary32 values of the payload.
    Given32,
    /// They are binary64 values of the payload.
    Given64,
    /// There is one, the inverse of a binary64 value of the payload.
    Inverse64,
    /// They are computed from values of the payload.
    Computed,
}

/// The reverse step. `LANES` is 0 if their number is read from the step.
///
/// # Safety
/// As for [`Run`].
unsafe fn reverse<C: Cell, A: Source, B: Source, P: Partials, const LANES: usize>(
    step: &Step<C>,
    payload: *const u8,
    cells: *mut C,
    first: u64,
) -> bool {
    let lanes = if LANES == 0 { usize::from(step.lanes) } else { LANES };
    for lane in 0..lanes {
        let result = first + u64::from(step.result) + lane as u64;
        // SAFETY: the caller vouches for the cells up to the last result, and for the payload; operands are compared
        // with the result before they are used.
        unsafe {
            let bar = *cells.add(result as usize);
            if bar.is_zero() {
                continue;
            }
            let operands = [
                A::index(step.operands[0], payload, first, lane),
                B::index(step.operands[1], payload, first, lane),
            ];
            let limit = first + u64::from(step.result);
            let is_ordered = (A::IS_RESULT || operands[0] < limit) & (B::IS_RESULT || operands[1] < limit);
            if !is_ordered {
                return false;
            }
            if A::IS_RESULT || operands[0] != 0 {
                propagate::<C, P, 0>(step, payload, lane, &mut *cells.add(operands[0] as usize), &bar);
            }
            if B::IS_PRESENT && (B::IS_RESULT || operands[1] != 0) {
                propagate::<C, P, 1>(step, payload, lane, &mut *cells.add(operands[1] as usize), &bar);
            }
        }
    }
    true
}

/// The forward step. `LANES` is 0 if their number is read from the step.
///
/// # Safety
/// As for [`Run`].
unsafe fn forward<C: Cell, A: Source, B: Source, P: Partials, const LANES: usize>(
    step: &Step<C>,
    payload: *const u8,
    cells: *mut C,
    first: u64,
) -> bool {
    let lanes = if LANES == 0 { usize::from(step.lanes) } else { LANES };
    for lane in 0..lanes {
        let result = first + u64::from(step.result) + lane as u64;
        // SAFETY: the caller vouches for the cells up to the last result, and for the payload; operands are compared
        // with the result before they are used.
        unsafe {
            let operands = [
                A::index(step.operands[0], payload, first, lane),
                B::index(step.operands[1], payload, first, lane),
            ];
            let limit = first + u64::from(step.result);
            let is_ordered = (A::IS_RESULT || operands[0] < limit) & (B::IS_RESULT || operands[1] < limit);
            if !is_ordered {
                return false;
            }
            // What is there already is the seed of an input.
            let mut dot = *cells.add(result as usize);
            if A::IS_RESULT || operands[0] != 0 {
                let from = *cells.add(operands[0] as usize);
                if !from.is_zero() {
                    propagate::<C, P, 0>(step, payload, lane, &mut dot, &from);
                }
            }
            if B::IS_PRESENT && (B::IS_RESULT || operands[1] != 0) {
                let from = *cells.add(operands[1] as usize);
                if !from.is_zero() {
                    propagate::<C, P, 1>(step, payload, lane, &mut dot, &from);
                }
            }
            *cells.add(result as usize) = dot;
        }
    }
    true
}

/// The step for an operation of this shape. If it has one operand, and its partial derivatives are not computed, that
/// is the first; if its operands are of two kinds, these are in the order that [`crate::program`] gives them.
pub fn choose<C: Cell>(kind: Kind, operands: [Operand; 2], lanes: u8, is_forward: bool) -> Run<C> {
    match kind {
        Kind::Unit => choose_sources::<C, Unit>(operands, lanes, is_forward),
        Kind::Given32 => choose_sources::<C, Given32>(operands, lanes, is_forward),
        Kind::Given64 => choose_sources::<C, Given64>(operands, lanes, is_forward),
        Kind::Inverse64 => choose_sources::<C, Inverse64>(operands, lanes, is_forward),
        Kind::Computed => choose_lanes::<C, Any, Any, Computed>(lanes, is_forward),
    }
}

fn choose_sources<C: Cell, P: Partials>(operands: [Operand; 2], lanes: u8, is_forward: bool) -> Run<C> {
    use Operand::{Absent as None, Narrow as N, Result as R, Wide as W};
    match operands {
        [R(_), None] => choose_lanes::<C, InExecution, Absent, P>(lanes, is_forward),
        [R(_), R(_)] => choose_lanes::<C, InExecution, InExecution, P>(lanes, is_forward),
        [N(_), None] => choose_lanes::<C, Narrow, Absent, P>(lanes, is_forward),
        [N(_), R(_)] => choose_lanes::<C, Narrow, InExecution, P>(lanes, is_forward),
        [N(_), N(_)] => choose_lanes::<C, Narrow, Narrow, P>(lanes, is_forward),
        [W(_), None] => choose_lanes::<C, Wide, Absent, P>(lanes, is_forward),
        [W(_), R(_)] => choose_lanes::<C, Wide, InExecution, P>(lanes, is_forward),
        [W(_), W(_)] => choose_lanes::<C, Wide, Wide, P>(lanes, is_forward),
        _ => choose_lanes::<C, Any, Any, P>(lanes, is_forward),
    }
}

fn choose_lanes<C: Cell, A: Source, B: Source, P: Partials>(lanes: u8, is_forward: bool) -> Run<C> {
    match (is_forward, lanes) {
        (false, 1) => reverse::<C, A, B, P, 1>,
        (false, 2) => reverse::<C, A, B, P, 2>,
        (false, 4) => reverse::<C, A, B, P, 4>,
        (false, _) => reverse::<C, A, B, P, 0>,
        (true, 1) => forward::<C, A, B, P, 1>,
        (true, 2) => forward::<C, A, B, P, 2>,
        (true, 4) => forward::<C, A, B, P, 4>,
        (true, _) => forward::<C, A, B, P, 0>,
    }
}

/// Run all steps of an execution in a forward sweep.
///
/// # Safety
/// As for [`Run`].
#[inline(always)]
pub unsafe fn run_forward<C>(steps: &[Step<C>], payload: *const u8, cells: *mut C, first: u64) -> bool {
    for step in steps {
        // SAFETY: as the caller vouches.
        if !unsafe { (step.run)(step, payload, cells, first) } {
            return false;
        }
    }
    true
}
