//! Client code in writable pages (placeholder for self-modifying code).

use crate::threads::Thread;

/// Handles a write to a page that the engine has protected; false if it has not.
pub fn resolve(_thread: &Thread, _address: u64) -> bool {
    false
}
