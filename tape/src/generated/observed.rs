//! What the indices in the payloads of a structure have been so far.
//!
//! Code is generated for what was seen: indices that were always passive need no arithmetic, and those that were always
//! the same result of the same execution (a value that went through memory) can stay in registers. The code checks it,
//! and leaves an execution that is different to the interpreter.

use crate::format::{read_u32, read_u64};
use crate::structure::{Operand, Structure, BINARY32_MARK};
use std::collections::BTreeMap;

/// One index in a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub offset: u32,
    pub is_wide: bool,
    /// The first result, relative to that of the execution, of the first operation that uses it.
    pub limit: u32,
    pub seen: Seen,
}

/// What an index has been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Never,
    Passive,
    /// An index of an earlier execution, or passive.
    Earlier,
    /// This result of the same execution.
    Own(u32),
}

/// All indices in the payload of a structure, each once.
pub fn places(structure: &Structure) -> Vec<Place> {
    let mut places: BTreeMap<(u32, bool), Place> = BTreeMap::new();
    for operation in &structure.operations {
        for operand in operation.operands {
            let (offset, is_wide) = match operand {
                Operand::Narrow(offset) => (offset, false),
                Operand::Wide(offset) => (offset, true),
                Operand::Absent | Operand::Result(_) => continue,
            };
            let size = if is_wide { 8 } else { 4 };
            for lane in 0..u32::from(operation.lanes) {
                let offset = offset + size * lane;
                let place = Place { offset, is_wide, limit: operation.result, seen: Seen::Never };
                // Operations are in the order of their results.
                places.entry((offset, is_wide)).or_insert(place);
            }
        }
    }
    places.into_values().collect()
}

/// Take note of the indices of one execution. Whether code that was made before cannot run it.
pub fn observe(places: &mut [Place], payload: &[u8], first: u64) -> bool {
    let mut is_new = false;
    for place in places {
        let offset = place.offset as usize;
        let index = if place.is_wide {
            read_u64(payload, offset)
        } else {
            read_u32(payload, offset).map(|index| u64::from(index & !BINARY32_MARK))
        };
        let seen = match index.unwrap_or_default() {
            0 => Seen::Passive,
            index if index < first => Seen::Earlier,
            index => Seen::Own((index - first) as u32),
        };
        let merged = match (place.seen, seen) {
            (Seen::Earlier, Seen::Passive) => Seen::Earlier,
            (_, seen) => seen,
        };
        is_new |= merged != place.seen;
        place.seen = merged;
    }
    is_new
}
