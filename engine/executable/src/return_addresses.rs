//! Return addresses that the client sees while a signal handler runs.
//!
//! A library function that will be differentiated returns to [`RETURN_TRAP`]. A handler that interrupts it may walk
//! through the stack, to print it or to throw an exception, and must not meet that address: unwinders read what it
//! points to. So [`show`] puts the true addresses back when a handler begins, and [`hide`] takes them away again when
//! it returns. A handler that leaves by a jump or an exception never returns, and neither do the functions that it
//! has interrupted.

use crate::client_memory;
use crate::direct_calls;
use crate::threads::Thread;
use alloc::vec::Vec;
use derivgrind_translate::direct_calls::RETURN_TRAP;

/// A return address that is in its place.
pub struct Shown {
    /// Where the handler's frame is.
    frame: u64,
    place: u64,
    address: u64,
}

/// Handlers that leave by a jump leave such notes behind: only the latest are kept.
const MOST: usize = 64;

/// A handler begins whose frame is at this address.
pub fn show(thread: &mut Thread, frame: u64) {
    // Who used this frame before has not returned.
    thread.shown.retain(|shown| shown.frame != frame);
    for (place, address) in awaited(thread) {
        let is_trap = client_memory::read_value::<u64>(place).is_ok_and(|found| found == RETURN_TRAP);
        if is_trap && client_memory::write_value(place, &address).is_ok() {
            thread.shown.push(Shown { frame, place, address });
        }
    }
    let too_many = thread.shown.len().saturating_sub(MOST);
    thread.shown.drain(..too_many);
}

/// The handler with this frame returns.
pub fn hide(thread: &mut Thread, frame: u64) {
    let awaited = awaited(thread);
    thread.shown.retain(|shown| {
        if shown.frame != frame {
            return true;
        }
        let found = client_memory::read_value::<u64>(shown.place);
        let is_there = found.is_ok_and(|found| found == shown.address);
        if is_there && awaited.contains(&(shown.place, shown.address)) {
            let _ = client_memory::write_value(shown.place, &RETURN_TRAP);
        }
        false
    });
}

/// Is the return address at this place shown?
pub fn is_shown(thread: &Thread, place: u64) -> bool {
    thread.shown.iter().any(|shown| shown.place == place)
}

/// Places of return addresses, and what belongs there. Of several notes for a place the first counts.
fn awaited(thread: &Thread) -> Vec<(u64, u64)> {
    let direct = direct_calls::notes(thread.context()).iter().rev();
    let direct = direct.map(|note| (note.stack_pointer, note.return_address));
    direct.chain(thread.calls.iter().map(|call| call.place_and_return_address())).collect()
}
