//! Memory of adjoints that a sweep has left behind, used for those that it comes to.
//!
//! A reverse sweep over a long tape needs the adjoints of some megabytes at a time, but goes through gigabytes of them.
//! Zeros from the kernel are expensive: each page is cleared, outside of the caches, and then comes from there. But
//! the pages that a sweep with generated code has passed are zero again. So the kernel is asked to move them to where
//! there is no memory yet.
//!
//! Invariant: a page is moved only if it was swept completely, so that it is zero, and holds no cell that is wanted;
//! and only to a place that has no page, which reads as zeros, too. So nothing changes but the time that it takes.

use crate::mapping::{self, Place, LARGE_PAGE};
use rustix::mm::{mmap_anonymous, mremap_fixed, MapFlags, MremapFlags, ProtFlags};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Each move leaves another mapping, of which a process may have 65530 (proc(5), `max_map_count`).
const MOST_MOVES: usize = 16384;

/// Moves memory of cells from high addresses to low ones.
pub struct Recycler<'a> {
    place: Place,
    kept: &'a [u64],
    pagemap: File,
    /// Bytes that are moved at once.
    unit: usize,
    /// Indices of cells that are zero, in one piece; those above it are done with.
    zeros: Range<u64>,
    /// Address: all memory from here on is there, up to where the sweep is.
    provided: usize,
}

const CELL: usize = size_of::<f64>();

impl<'a> Recycler<'a> {
    /// For binary64 cells at this place, of which some indices are `kept`. None: the kernel does not tell what is
    /// there.
    pub fn new(place: Place, kept: &'a [u64]) -> Option<Recycler<'a>> {
        let pagemap = File::open("/proc/self/pagemap").ok()?;
        let range = place.addresses();
        let unit = (range.len() / MOST_MOVES).next_multiple_of(LARGE_PAGE).max(LARGE_PAGE);
        let provided = range.end / unit * unit;
        Some(Recycler { place, kept, pagemap, unit, zeros: 0..0, provided })
    }

    /// The sweep has set all these cells to zero, but for the kept ones, and comes to lower ones next.
    pub fn passed(&mut self, cells: Range<u64>) {
        if cells.end == self.zeros.start {
            self.zeros.start = cells.start;
        } else {
            self.zeros = cells;
        }
        let base = self.place.addresses().start;
        let start = base + self.zeros.start as usize * CELL;
        loop {
            let end = (base + self.zeros.end as usize * CELL) / self.unit * self.unit;
            let Some(unit) = end.checked_sub(self.unit).filter(|unit| *unit >= start) else { return };
            let first = ((unit - base) / CELL) as u64;
            self.zeros.end = first;
            let kept = self.kept.partition_point(|index| *index < first);
            let is_kept = self.kept.get(kept).is_some_and(|index| base + *index as usize * CELL < end);
            if !is_kept {
                self.recycle(unit);
            }
        }
    }

    /// Use the memory of the unit at this address elsewhere, or give it back.
    fn recycle(&mut self, unit: usize) {
        self.provided = self.provided.min(unit);
        let lowest = self.place.addresses().start;
        while let Some(target) = self.provided.checked_sub(self.unit).filter(|target| *target >= lowest) {
            self.provided = target;
            if self.is_empty(target) {
                self.move_unit(unit, target);
                return;
            }
        }
        let offset = unit - lowest;
        mapping::discard_zeros(&self.place, offset..offset + self.unit);
    }

    /// Whether there is no page, neither in memory nor swapped out.
    fn is_empty(&self, address: usize) -> bool {
        /// An entry is of 8 bytes; bit 63: present, bit 62: swapped (proc(5), `pagemap`).
        const THERE: u8 = 0xc0;
        let page = rustix::param::page_size();
        let mut entries = vec![0; self.unit / page * 8];
        let read = self.pagemap.read_exact_at(&mut entries, (address / page * 8) as u64);
        read.is_ok() && entries.chunks_exact(8).all(|entry| entry[7] & THERE == 0)
    }

    fn move_unit(&mut self, from: usize, to: usize) {
        let flags = MremapFlags::MAYMOVE | MremapFlags::DONTUNMAP;
        // SAFETY: both ranges lie within the mapping of the cells, which exists while there are borrows of it. The
        // first one is zero, and still is so afterwards; nothing is at the second one, which reads as zero and does
        // so afterwards. After a failure, there may be no mapping at the second one, until it is made anew with
        // zeros.
        unsafe {
            if mremap_fixed(from as *mut _, self.unit, self.unit, flags, to as *mut _).is_err() {
                let access = ProtFlags::READ | ProtFlags::WRITE;
                let kind = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
                let mapped = mmap_anonymous(to as *mut _, self.unit, access, kind);
                mapped.expect("memory for adjoints is where it was before");
            }
        }
    }
}
