//! Return addresses that the client sees while a signal handler runs, and since its unwinder has begun.
//!
//! A library function that will be differentiated returns to [`RETURN_TRAP`]. A handler that interrupts it may walk
//! through the stack, to print it or to throw an exception, and must not meet that address: unwinders read what it
//! points to. So [`show`] puts the true addresses back when a handler begins, and [`hide`] takes them away again when
//! it returns. A handler that leaves by a jump or an exception never returns, and neither do the functions that it
//! has interrupted.
//!
//! A function that the user has described may call back into the program, which throws an exception or prints its
//! stack. [`show_to_unwinder`] puts the addresses back when an unwinder begins, and nobody takes them away again: a
//! function that is not left by the exception returns to the true address. So these are kept out of the tables of
//! returns: the return leaves the code cache, and [`awaits`] finds it.

use crate::client_memory;
use crate::direct_calls;
use crate::threads::Thread;
use crate::unwinders::Event;
use alloc::vec::Vec;
use derivgrind_translate::direct_calls::RETURN_TRAP;

/// A return address that is in its place.
pub struct Shown {
    /// Where the handler's frame is, or [`UNWINDER`].
    frame: u64,
    place: u64,
    address: u64,
}

impl Shown {
    pub fn place(&self) -> u64 {
        self.place
    }
}

/// Handlers that leave by a jump leave such notes behind: only the latest are kept.
const MOST: usize = 1024;
/// No frame is there.
const UNWINDER: u64 = 0;
/// Number of rsp.
const RSP: usize = 4;

/// A handler begins whose frame is at this address.
pub fn show(thread: &mut Thread, frame: u64) {
    // Who used this frame before has not returned.
    thread.shown.retain(|shown| shown.frame != frame);
    put_back(thread, frame);
}

/// An unwinder begins, or the program takes an exception that it has brought.
pub fn show_to_unwinder(thread: &mut Thread, event: Event) {
    let stack_pointer = thread.context().registers[RSP];
    if event != Event::Looks {
        if let Some(thrown_at) = thread.thrown_at.take() {
            forget_left(thread, thrown_at, stack_pointer);
        }
    }
    if event == Event::Leaves {
        thread.thrown_at = Some(stack_pointer);
    }
    put_back(thread, UNWINDER);
}

/// Functions that an exception has left: their frames were between where it was thrown and where it is now.
fn forget_left(thread: &mut Thread, thrown_at: u64, stack_pointer: u64) {
    let is_left = |place: u64| (thrown_at..=stack_pointer).contains(&place);
    thread.shown.retain(|shown| !is_left(shown.place));
    thread.calls.retain(|call| !is_left(call.place_and_return_address().0));
    direct_calls::retain(thread.context(), |note| !is_left(note.stack_pointer));
}

fn put_back(thread: &mut Thread, frame: u64) {
    for (place, address) in awaited(thread) {
        let is_trap = client_memory::read_value::<u64>(place).is_ok_and(|found| found == RETURN_TRAP);
        if is_trap && client_memory::write_value(place, &address).is_ok() {
            thread.shown.push(Shown { frame, place, address });
            if frame == UNWINDER {
                thread.cache.forget_returns(address);
            }
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

/// Does the client return to an address that is shown to an unwinder? If not, `None`; else whether it is the function that is awaited
/// that returns, or another one, and the next return to this address has to be noticed, too.
pub fn awaits(thread: &mut Thread, pc: u64) -> Option<bool> {
    let is_awaited = |shown: &Shown| shown.frame == UNWINDER && shown.address == pc;
    if !thread.shown.iter().any(is_awaited) {
        return None;
    }
    let place = thread.context().registers[RSP] - 8;
    let count = thread.shown.len();
    thread.shown.retain(|shown| !is_awaited(shown) || shown.place != place);
    Some(thread.shown.len() < count)
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
