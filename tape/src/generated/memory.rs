//! Memory for machine code: writable or executable, never both.

use memmap2::{Mmap, MmapMut, MmapOptions};
use std::io;

/// Room for code; only what is used takes memory.
const ROOM: usize = 32 << 20;

/// A region that code is appended to.
pub struct CodeMemory {
    /// None only while its protection changes, or after that has failed.
    map: Option<Mmap>,
    used: usize,
}

impl CodeMemory {
    pub fn new() -> io::Result<CodeMemory> {
        let map = MmapOptions::new().len(ROOM).no_reserve_swap().map_anon()?;
        Ok(CodeMemory { map: Some(map.make_exec()?), used: 0 })
    }

    /// Where the next code will stand, if the region is there.
    pub fn next_address(&self) -> Option<u64> {
        let start = self.map.as_ref()?.as_ptr() as u64;
        Some(start + self.used as u64)
    }

    /// Append code, which must not be running; false: there is no room, or the system does not allow it.
    pub fn append(&mut self, code: &[u8]) -> bool {
        let end = self.used + code.len().next_multiple_of(64);
        if end > ROOM {
            return false;
        }
        let Some(map) = self.map.take() else { return false };
        let Ok(mut writable) = map.make_mut() else { return false };
        writable[self.used..self.used + code.len()].copy_from_slice(code);
        self.used = end;
        self.map = make_executable(writable);
        self.map.is_some()
    }
}

fn make_executable(map: MmapMut) -> Option<Mmap> {
    map.make_exec().ok()
}
