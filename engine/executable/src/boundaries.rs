//! Instruction boundaries of translations, packed: a signal needs them, and there is one for each client instruction.
//!
//! A boundary is stored as differences to the one before: code offset and two bits (are registers parked, does the
//! state change) in one variable-length number, the signed step of the pc, and the new state if it changes. Most take
//! two or three bytes.

use alloc::vec::Vec;
use derivgrind_translate::interface::Boundary;
use derivgrind_translate::state::State;

#[derive(Default)]
pub struct PackedBoundaries {
    bytes: Vec<u8>,
}

/// What is known about an offset in a translation.
pub struct Found {
    pub boundary: Boundary,
    /// The offset is the boundary itself, not inside of the instruction.
    pub exact: bool,
}

impl PackedBoundaries {
    /// What [`Self::bytes`] has given.
    pub fn restored(bytes: Vec<u8>) -> PackedBoundaries {
        PackedBoundaries { bytes }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Stores the boundaries of a translation of `pc` in `state`; the result is what [`Self::find`] wants.
    pub fn add(&mut self, pc: u64, state: State, boundaries: &[Boundary]) -> u32 {
        let start = self.bytes.len() as u32;
        self.put_number(boundaries.len() as u64);
        let mut before = Boundary { code_offset: 0, pc, state, parked: false, recorded: None };
        for boundary in boundaries {
            let changes = boundary.state != before.state;
            let code_step = u64::from(boundary.code_offset - before.code_offset);
            self.put_number(code_step << 2 | u64::from(boundary.parked) << 1 | u64::from(changes));
            self.put_number(zigzag(boundary.pc.wrapping_sub(before.pc)));
            if changes {
                self.put_number(boundary.state.0);
            }
            before = *boundary;
        }
        start
    }

    /// Last boundary at or before `offset` in the translation of `pc` in `state`, stored at `start`.
    pub fn find(&self, start: u32, pc: u64, state: State, offset: u32) -> Option<Found> {
        let mut position = start as usize;
        let count = self.number(&mut position);
        let mut boundary = Boundary { code_offset: 0, pc, state, parked: false, recorded: None };
        // The start is a boundary even if nothing is translated there: a jump to itself leaves no instruction.
        let mut found = Some(Found { boundary, exact: offset == 0 });
        for _ in 0..count {
            let step = self.number(&mut position);
            boundary.code_offset += (step >> 2) as u32;
            boundary.parked = step & 2 != 0;
            boundary.pc = boundary.pc.wrapping_add(unzigzag(self.number(&mut position)));
            if step & 1 != 0 {
                boundary.state = State(self.number(&mut position));
            }
            if boundary.code_offset > offset {
                break;
            }
            found = Some(Found { boundary, exact: boundary.code_offset == offset });
        }
        found
    }

    fn put_number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn number(&self, position: &mut usize) -> u64 {
        let mut value = 0;
        let mut shift = 0;
        loop {
            let byte = self.bytes[*position];
            *position += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return value;
            }
            shift += 7;
        }
    }
}

/// Small signed numbers become small unsigned ones.
fn zigzag(value: u64) -> u64 {
    let signed = value as i64;
    ((signed << 1) ^ (signed >> 63)) as u64
}

fn unzigzag(value: u64) -> u64 {
    (value >> 1) ^ (value & 1).wrapping_neg()
}
