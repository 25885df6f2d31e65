//! What machine code and its caller tell each other.

use super::assembler::at;
use iced_x86::{MemoryOperand, Register};
use std::mem::offset_of;

/// Slots for sums that find no register.
pub const SLOTS: u32 = 1024;

/// The register that holds the address of the state.
pub const STATE: Register = Register::RDI;

/// Fields that the code reads and writes.
#[repr(C)]
pub struct State {
    /// Address behind the last execution that is not yet swept.
    pub end: u64,
    /// The index behind its last result.
    pub index: u64,
    /// Address of the cell of index 0.
    pub cells: u64,
    /// Address of an [`Entry`] for each number of a structure.
    pub table: u64,
    /// How many there are.
    pub numbers: u64,
    /// Address of the first execution.
    pub start: u64,
    /// Executions that begin before this address are left to the caller.
    pub lowest: u64,
    /// Executions with results below this index are left to the caller.
    pub stop: u64,
    pub one: f64,
    pub half: f64,
    pub slots: [f64; SLOTS as usize],
}

/// What the code knows of the structure with a number.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Entry {
    /// Address of its code; 0: there is none.
    pub code: u64,
    /// Address behind its last execution that was swept.
    pub last: u64,
}

/// The field at this offset.
pub fn field(offset: usize) -> MemoryOperand {
    at(STATE, offset as i64)
}

pub fn slot(number: u32) -> MemoryOperand {
    at(STATE, offset_of!(State, slots) as i64 + 8 * i64::from(number))
}
