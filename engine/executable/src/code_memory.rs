//! The memory that a thread's code cache fills: extents of the window, one after the other.

use crate::window::{self, Region};
use alloc::vec::Vec;

/// Extents of one thread together.
const CODE_LIMIT: u64 = 128 << 20;
const CODE_ALIGNMENT: u64 = 16;

struct Extent {
    region: Region,
    /// Where the next translation goes.
    next: u64,
    /// Numbers of the blocks in this extent.
    blocks: (usize, usize),
}

pub struct CodeMemory {
    extents: Vec<Extent>,
    /// Index of the extent that is being filled.
    current: usize,
}

/// There is no more memory to be had.
pub struct Full;

impl CodeMemory {
    pub fn new(first: Region) -> CodeMemory {
        let extent = Extent { region: first, next: first.start, blocks: (0, 0) };
        CodeMemory { extents: alloc::vec![extent], current: 0 }
    }

    pub fn contains(&self, address: u64) -> bool {
        self.extents.iter().any(|extent| extent.region.contains(address))
    }

    /// Numbers of the blocks in the extent of `address`, in ascending order of their addresses.
    pub fn blocks_around(&self, address: u64) -> Option<core::ops::Range<usize>> {
        let extent = self.extents.iter().find(|extent| extent.region.contains(address))?;
        Some(extent.blocks.0..extent.blocks.1)
    }

    /// Address of `length` free bytes; `block_count` is the number of blocks so far.
    pub fn reserve(&mut self, length: u64, block_count: usize) -> Result<u64, Full> {
        loop {
            let extent = &self.extents[self.current];
            if extent.next + length <= extent.region.end() {
                return Ok(extent.next);
            }
            if self.current + 1 == self.extents.len() {
                self.grow(length)?;
            }
            self.current += 1;
            self.extents[self.current].blocks = (block_count, block_count);
        }
    }

    fn grow(&mut self, length: u64) -> Result<(), Full> {
        let total: u64 = self.extents.iter().map(|extent| extent.region.length).sum();
        let wanted = total.max(length);
        if total + wanted > CODE_LIMIT {
            return Err(Full);
        }
        let region = window::allocate(wanted).ok_or(Full)?;
        self.extents.push(Extent { region, next: region.start, blocks: (0, 0) });
        Ok(())
    }

    /// Can `length` bytes be had at all?
    pub fn could_hold(&self, length: u64) -> bool {
        length <= self.extents[0].region.length / 2
    }

    /// Does code of `length` bytes fit at `address`, which was reserved last?
    pub fn fits(&self, address: u64, length: u64) -> bool {
        address + length <= self.extents[self.current].region.end()
    }

    /// Notes that the reserved bytes are used up to `end`, and the number of blocks now.
    pub fn take(&mut self, end: u64, block_count: usize) {
        let extent = &mut self.extents[self.current];
        extent.next = end.next_multiple_of(CODE_ALIGNMENT);
        extent.blocks.1 = block_count;
    }

    /// Forgets what is in the memory, but for the first bytes up to `start`.
    pub fn clear(&mut self, start: u64) {
        for extent in &mut self.extents {
            extent.next = extent.region.start;
            extent.blocks = (0, 0);
        }
        self.extents[0].next = start;
        self.current = 0;
    }

    /// Where the used part of the first extent ends, if there are no others.
    pub fn end_of_only_extent(&self) -> Option<u64> {
        (self.extents.len() == 1).then_some(self.extents[0].next)
    }

    pub fn used(&self) -> u64 {
        self.extents.iter().map(|extent| extent.next - extent.region.start).sum()
    }

    /// Gives everything back but the first extent, which is returned.
    ///
    /// # Safety
    /// No code in this memory runs any more.
    pub unsafe fn release(&mut self) -> Region {
        for extent in self.extents.drain(1..) {
            // SAFETY: the caller's promise.
            unsafe { window::free(extent.region) };
        }
        self.extents[0].region
    }
}

/// # Safety
/// `[address, address + code.len())` is reserved code memory of the calling thread.
pub unsafe fn write_code(address: u64, code: &[u8]) {
    // SAFETY: the caller's promise.
    unsafe { core::ptr::copy_nonoverlapping(code.as_ptr(), address as *mut u8, code.len()) };
}
