//! Steps: the inner loops of a sweep, each compiled for one shape of operation.
//!
//! A step is called with a payload and the cells, and trusts what was checked when its structure was: that offsets lie
//! within the payload, and results within those of the execution. The sweep has checked that the execution lies within
//! its chunk, and its results within the cells. What only the payload says are indices of operands. They are those of
//! earlier executions: a step compares each with the first index of its own execution, since a smaller index lies within
//! the cells, too, and returns false if one is not smaller.

use crate::cell::Cell;
use crate::structure::{Element, Function, Operand, BINARY32_MARK};

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

/// Operations on one lane that are so frequent that a reverse sweep has code for them in its loop: kind of partial
/// derivatives, then where operands come from.
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

/// Where the indices of an operand come from.
trait Source {
    const IS_PRESENT: bool = true;
    /// The index is a result of the execution: neither passive nor out of order.
    const IS_RESULT: bool = false;
    /// Indices are compared with the result's, because it depends on the step whether they are results.
    const MAY_BE_RESULT: bool = false;

    /// # Safety
    /// As for [`Run`], with `word` from the step's operands and `lane` below its number of lanes.
    unsafe fn index(word: u32, payload: *const u8, first: u64, lane: usize) -> u64;
}

struct Absent;
struct Narrow;
struct Wide;
struct InExecution;
/// Any of them, found out each time.
struct Any;

impl Source for Absent {
    const IS_PRESENT: bool = false;

    #[inline(always)]
    unsafe fn index(_word: u32, _payload: *const u8, _first: u64, _lane: usize) -> u64 {
        0
    }
}

impl Source for Narrow {
    #[inline(always)]
    unsafe fn index(word: u32, payload: *const u8, _first: u64, lane: usize) -> u64 {
        // SAFETY: the caller vouches for the payload.
        u64::from(unsafe { read::<u32>(payload, word as usize + 4 * lane) } & !BINARY32_MARK)
    }
}

impl Source for Wide {
    #[inline(always)]
    unsafe fn index(word: u32, payload: *const u8, _first: u64, lane: usize) -> u64 {
        // SAFETY: the caller vouches for the payload; the upper two bits mark the kind.
        unsafe { read::<u64>(payload, (word << 2 >> 2) as usize + 8 * lane) }
    }
}

impl Source for InExecution {
    const IS_RESULT: bool = true;

    #[inline(always)]
    unsafe fn index(word: u32, _payload: *const u8, first: u64, lane: usize) -> u64 {
        first + u64::from(word << 1 >> 1) + lane as u64
    }
}

impl Source for Any {
    const MAY_BE_RESULT: bool = true;

    #[inline(always)]
    unsafe fn index(word: u32, payload: *const u8, first: u64, lane: usize) -> u64 {
        // SAFETY: the caller vouches for the payload.
        unsafe {
            match Operand::decode(word) {
                Operand::Absent => 0,
                Operand::Narrow(_) => from_outside(Narrow::index(word, payload, first, lane), first),
                Operand::Wide(_) => from_outside(Wide::index(word, payload, first, lane), first),
                Operand::Result(_) => InExecution::index(word, payload, first, lane),
            }
        }
    }
}

/// An index of the payload, or one that is not smaller than any result if it is wrong.
#[inline(always)]
fn from_outside(index: u64, first: u64) -> u64 {
    if index < first {
        index
    } else {
        u64::MAX
    }
}

/// The partial derivatives of a step.
trait Partials {
    /// All are one.
    const ARE_UNIT: bool = false;

    /// # Safety
    /// As for [`Run`]; the step has operand `NUMBER`, and `lane` is below its number of lanes.
    unsafe fn partial<C, const NUMBER: usize>(step: &Step<C>, payload: *const u8, lane: usize) -> f64;
}

struct Unit;
struct Given32;
struct Given64;
struct Inverse64;
struct Computed;

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

/// # Safety
/// The bytes of a `T` at `offset` behind `payload` can be read, and any bytes are a `T`.
#[inline(always)]
unsafe fn read<T: bytemuck::AnyBitPattern>(payload: *const u8, offset: usize) -> T {
    // SAFETY: as the caller vouches.
    unsafe { payload.add(offset).cast::<T>().read_unaligned() }
}

/// Add `partial * from` to `to`, with the partial derivative of operand `NUMBER` in `lane`.
///
/// # Safety
/// As for [`Partials::partial`].
#[inline(always)]
unsafe fn propagate<C: Cell, P: Partials, const NUMBER: usize>(
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
            let limit = if A::MAY_BE_RESULT { result } else { first };
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
            let limit = if A::MAY_BE_RESULT { result } else { first };
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

/// The processor's square root; `core` has none.
pub fn square_root(value: f64) -> f64 {
    use core::arch::x86_64::{_mm_cvtsd_f64, _mm_set_sd, _mm_sqrt_pd};
    // SAFETY: every x86-64 processor has SSE2.
    unsafe { _mm_cvtsd_f64(_mm_sqrt_pd(_mm_set_sd(value))) }
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
    // compared with the first of the execution before they are used.
    unsafe {
        let own = cells.add(first as usize);
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
            if operand >= first {
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
            if operand >= first {
                return false;
            }
            if operand != 0 {
                propagate::<C, P, 1>(step, payload, 0, &mut *cells.add(operand as usize), &bar);
            }
        }
        true
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

/// Bring the cells of operands into the cache: their indices are at these places of the payload.
///
/// # Safety
/// The places are those of 4-byte indices in the payload, which was checked.
#[inline(always)]
pub unsafe fn prefetch<C>(places: &[u32], payload: *const u8, cells: *const C) {
    use core::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
    for place in places {
        // SAFETY: the caller vouches for the payload. A prefetch has no effect but time, whatever the address.
        unsafe {
            let index = read::<u32>(payload, *place as usize) & !BINARY32_MARK;
            _mm_prefetch(cells.wrapping_add(index as usize).cast(), _MM_HINT_T0);
        }
    }
}

/// Bring bytes before an execution into the cache: processors do it by themselves, but not over the borders of pages.
#[inline(always)]
pub fn prefetch_tape(execution: *const u8, length: usize, distance: usize) {
    use core::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
    for offset in (0..length).step_by(64) {
        // SAFETY: a prefetch has no effect but time, whatever the address.
        unsafe { _mm_prefetch(execution.wrapping_sub(distance).wrapping_add(offset).cast(), _MM_HINT_T0) }
    }
}
