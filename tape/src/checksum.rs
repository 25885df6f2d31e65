//! Checksums of chunks: a damaged value is as wrong as a damaged index, but nothing else would notice it.

use crate::format::{ChunkHeader, CHECKSUM_OFFSET};
use xxhash_rust::xxh3::Xxh3Default;

/// The checksum of a chunk, of which bytes are added as they are written.
#[derive(Clone)]
pub struct Checksum(Xxh3Default);

impl Checksum {
    pub fn new() -> Checksum {
        Checksum(Xxh3Default::new())
    }

    /// Adds what follows in the chunk behind its header.
    pub fn add(&mut self, content: &[u8]) {
        self.0.update(content);
    }

    /// The checksum of all that was added, and of the header with all other fields as they will be. It is not zero.
    pub fn finish(&self, header: &ChunkHeader) -> u64 {
        let mut all = self.0.clone();
        all.update(&header.encode()[..CHECKSUM_OFFSET as usize]);
        all.digest().max(1)
    }
}

impl Default for Checksum {
    fn default() -> Checksum {
        Checksum::new()
    }
}

/// The checksum of a chunk with this content.
pub fn of(header: &ChunkHeader, content: &[u8]) -> u64 {
    let mut checksum = Checksum::new();
    checksum.add(content);
    checksum.finish(header)
}
