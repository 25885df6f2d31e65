//! Code that is not translated from the client: the way out of and into the cache, and tables of indirect branches.

use crate::context::CLASSES;
use alloc::vec::Vec;

/// `Context::exit` for an indirect branch of class c that is not in its table: `MISS + c`; target in `Context::target`.
pub const MISS: u64 = 0x7fff_0000;
/// `Context::exit` for an indirect branch of class c whose budget is used up: `SAMPLE + c`. The engine tests the
/// shadows, refills the budget and continues at `Context::target` with the best state that holds.
pub const SAMPLE: u64 = 0x7fff_0010;

/// Code common to all translations of a thread.
pub struct Common {
    pub code: Vec<u8>,
    /// Address of the common exit (equals the address asked for).
    pub exit: u64,
    /// Address of the code that loads the client's registers from the context and jumps to `Context::resume`. The
    /// engine jumps here to start a thread; after an exit it just returns from the handler.
    pub enter: u64,
    /// What empty entries of the tables hold, by class.
    pub misses: [u64; CLASSES],
}

/// Builds the common code of a thread whose context is at `context`, to be placed at `address`.
pub fn common(_address: u64, _context: u64) -> Common {
    todo!()
}

/// Code for a table entry: continues at `body` if the target is `pc`, else at `next` (the former entry).
pub fn indirect_entry(_address: u64, _context: u64, _pc: u64, _body: u64, _next: u64) -> Vec<u8> {
    todo!()
}
