//! Checksums of chunks: a damaged value is as wrong as a damaged index, but nothing else would notice it.
//!
//! A reverse sweep goes through a chunk from its end, in pieces that are still in the processor's cache when their
//! part of the checksum is formed: memory is what such a sweep waits for, and a hash function, which begins at the
//! beginning, would read all of it once more. So the checksum is a sum of words with weights, whose parts can be
//! added in any order. It tells words that have changed, are missing or stand at another place.

use crate::format::{ChunkHeader, CHECKSUM_OFFSET};

/// The checksum of a chunk, of which bytes are added as they are written or read.
#[derive(Clone, Copy, Default)]
pub struct Checksum(u64);

/// Bytes that have a weight in common.
const BLOCK: usize = 64;

/// The weight of the n-th word of a block is the n-th power of this, times an odd number that tells the block. It is
/// odd (2^64 over the golden ratio), so that no weight hides a change.
const WORD_FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Checksum {
    /// Adds a part of what is behind the chunk's header; `offset` is where it begins there.
    pub fn add(&mut self, offset: u64, part: &[u8]) {
        let first = offset / BLOCK as u64;
        let before = (offset % BLOCK as u64) as usize;
        let (head, part) = part.split_at(part.len().min((BLOCK - before) % BLOCK));
        let (blocks, tail) = part.split_at(part.len() / BLOCK * BLOCK);
        let next = first + u64::from(before > 0);
        self.add_blocks(first, &filled(before, head));
        self.add_blocks(next, blocks);
        self.add_blocks(next + (blocks.len() / BLOCK) as u64, &filled(0, tail));
    }

    /// Block number p has the weight 2 p + 1.
    fn add_blocks(&mut self, first: u64, blocks: &[u8]) {
        let mut sums = [0_u64; 8];
        // Of all sums so far: the last block counts once, the one before twice. This needs no multiplication.
        let mut sums_of_sums = [0_u64; 8];
        let blocks = blocks.chunks_exact(BLOCK);
        let end = first + blocks.len() as u64;
        for block in blocks {
            let words: [u64; 8] = bytemuck::pod_read_unaligned(block);
            for ((word, sum), of_sums) in words.iter().zip(&mut sums).zip(&mut sums_of_sums) {
                *sum = sum.wrapping_add(u64::from_le(*word));
                *of_sums = of_sums.wrapping_add(*sum);
            }
        }
        let weight = 2 * end + 1;
        let weighted =
            |(sum, of_sums): (u64, u64)| weight.wrapping_mul(sum).wrapping_sub(of_sums.wrapping_mul(2));
        let words = sums.into_iter().zip(sums_of_sums).map(weighted);
        let horner = |total: u64, word: u64| total.wrapping_mul(WORD_FACTOR).wrapping_add(word);
        self.0 = self.0.wrapping_add(words.rev().fold(0, horner));
    }

    /// The checksum of all that was added, and of the header with all other fields as they will be. It is not zero.
    pub fn finish(mut self, header: &ChunkHeader) -> u64 {
        let content = header.used.next_multiple_of(BLOCK as u64);
        self.add(content, &header.encode()[..CHECKSUM_OFFSET as usize]);
        self.0.max(1)
    }
}

/// A part of a block, and zeros around it, which change no sum.
fn filled(before: usize, part: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[before..before + part.len()].copy_from_slice(part);
    block
}

/// The checksum of a chunk with this content.
pub fn of(header: &ChunkHeader, content: &[u8]) -> u64 {
    let mut checksum = Checksum::default();
    checksum.add(0, content);
    checksum.finish(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::ChunkKind;

    const HEADER: ChunkHeader = ChunkHeader {
        length: 4096,
        kind: ChunkKind::Executions,
        thread: 1,
        used: 4000,
        first_index: 7,
        last_index: 900,
        address: 0x7000_0000_0040,
        checksum: 0,
    };

    fn content() -> Vec<u8> {
        (0..4000_u32).map(|byte| (byte.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    #[test]
    fn parts_in_any_order_make_the_whole() {
        let content = content();
        let mut parts = Checksum::default();
        for (start, end) in [(1997, 4000), (1990, 1997), (1983, 1990), (0, 1983)] {
            parts.add(start as u64, &content[start..end]);
        }
        assert_eq!(parts.finish(&HEADER), of(&HEADER, &content));
    }

    #[test]
    fn each_changed_bit_is_noticed() {
        let mut content = content();
        let whole = of(&HEADER, &content);
        for bit in 0..8 * content.len() {
            content[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(of(&HEADER, &content), whole, "bit {bit}");
            content[bit / 8] ^= 1 << (bit % 8);
        }
        assert_ne!(of(&ChunkHeader { thread: 2, ..HEADER }, &content), whole);
        assert_ne!(of(&ChunkHeader { last_index: 901, ..HEADER }, &content), whole);
    }

    #[test]
    fn what_is_missing_or_elsewhere_is_noticed() {
        let content = content();
        let whole = of(&HEADER, &content);
        let mut torn = content.clone();
        torn[512..1024].fill(0);
        assert_ne!(of(&HEADER, &torn), whole);
        let mut exchanged = content;
        exchanged.rotate_left(8);
        assert_ne!(of(&HEADER, &exchanged), whole);
        exchanged.rotate_left(56);
        assert_ne!(of(&HEADER, &exchanged), whole);
    }
}
