//! Where the indices of operands come from: a type for each way, so that a step is compiled for it.

use crate::structure::{Operand, BINARY32_MARK};

/// Where the indices of an operand come from.
pub trait Source {
    const IS_PRESENT: bool = true;
    /// The index is a result of the execution: neither passive nor out of order.
    const IS_RESULT: bool = false;

    /// # Safety
    /// As for [`Run`], with `word` from the step's operands and `lane` below its number of lanes.
    unsafe fn index(word: u32, payload: *const u8, first: u64, lane: usize) -> u64;
}

pub struct Absent;
pub struct Narrow;
pub struct Wide;
pub struct InExecution;
/// Any of them, found out each time.
pub struct Any;

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
    #[inline(always)]
    unsafe fn index(word: u32, payload: *const u8, first: u64, lane: usize) -> u64 {
        // SAFETY: the caller vouches for the payload.
        unsafe {
            match Operand::decode(word) {
                Operand::Absent => 0,
                Operand::Narrow(_) => Narrow::index(word, payload, first, lane),
                Operand::Wide(_) => Wide::index(word, payload, first, lane),
                Operand::Result(_) => InExecution::index(word, payload, first, lane),
            }
        }
    }
}

/// # Safety
/// The bytes of a `T` at `offset` behind `payload` can be read, and any bytes are a `T`.
#[inline(always)]
pub unsafe fn read<T: bytemuck::AnyBitPattern>(payload: *const u8, offset: usize) -> T {
    // SAFETY: as the caller vouches.
    unsafe { payload.add(offset).cast::<T>().read_unaligned() }
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
