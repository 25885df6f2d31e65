//! The tape in the running program.

use crate::status::{address, code, serve, Outcome, RECORDING};
use client::requests::{TAPE_CLEAR_BARS, TAPE_GET_BAR, TAPE_POSITION, TAPE_RESET, TAPE_REVERSE};

/// Write a number that stands for what has been recorded so far to `position`.
///
/// # Safety
/// The address must be that of such a number.
#[no_mangle]
pub unsafe extern "C" fn dg_tape_position(position: *mut u64) -> i32 {
    // SAFETY: the caller vouches for the address.
    code(address(position).and_then(|position| unsafe { send(TAPE_POSITION, [position, 0, 0]) }))
}

/// Drop what was recorded since `position`. Variables that were computed since must be computed anew.
#[no_mangle]
pub extern "C" fn dg_tape_reset(position: u64) -> i32 {
    // SAFETY: the request reads the number.
    code(address(&position).and_then(|position| unsafe { send(TAPE_RESET, [position, 0, 0]) }))
}

/// Evaluate the tape in reverse, with `count` bar values for as many indices that `dg_output` has written.
///
/// # Safety
/// There must be as many indices and bar values.
#[no_mangle]
pub unsafe extern "C" fn dg_tape_reverse(indices: *const u64, bars: *const f64, count: usize) -> i32 {
    let addresses = if count == 0 { Ok((0, 0)) } else { both(indices, bars) };
    // SAFETY: the caller vouches for the addresses.
    code(addresses.and_then(|(indices, bars)| unsafe { send(TAPE_REVERSE, [indices, bars, count]) }))
}

/// Write the bar value of an index after the last evaluation to `bar`.
///
/// # Safety
/// The address must be that of such a number.
#[no_mangle]
pub unsafe extern "C" fn dg_tape_get_bar(index: u64, bar: *mut f64) -> i32 {
    let addresses = both(&index, bar);
    // SAFETY: the caller vouches for the address.
    code(addresses.and_then(|(index, bar)| unsafe { send(TAPE_GET_BAR, [index, bar, 0]) }))
}

/// Free the memory of the bar values.
#[no_mangle]
pub extern "C" fn dg_tape_clear_bars() -> i32 {
    // SAFETY: the request has no arguments.
    code(unsafe { send(TAPE_CLEAR_BARS, [0; 3]) })
}

fn both<S, T>(first: *const S, second: *const T) -> Result<(usize, usize), crate::status::dg_status> {
    Ok((address(first)?, address(second)?))
}

/// # Safety
/// As for [`client::request`].
unsafe fn send(request: u32, [first, second, third]: [usize; 3]) -> Outcome {
    // SAFETY: the caller vouches for the arguments.
    unsafe { serve(request, [first, second, third, 0, 0], RECORDING) }
}
