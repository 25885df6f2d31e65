//! Mapped memory, and hints to the kernel about it.

use memmap2::{Mmap, MmapMut, MmapOptions};
use rustix::mm::{madvise, Advice};
use std::fs::File;
use std::io;
use std::ops::Range;

/// What large pages are aligned to.
pub const LARGE_PAGE: usize = 2 << 20;

/// Map a file for reading.
pub fn map_file(file: &File, length: u64) -> io::Result<Mmap> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    // SAFETY: the mapping is only read, as bytes. If another process writes to the tape meanwhile, bytes change between
    // two reads: a reader decides by each byte that it has read, and never reads one twice to rely on the first result.
    unsafe { MmapOptions::new().len(length).map(file) }
}

/// Map a new file, to which nothing else has access, for writing.
pub fn map_own_file(file: &File, length: usize) -> io::Result<MmapMut> {
    // SAFETY: the file has no name, so that no other process changes it.
    unsafe { MmapOptions::new().len(length).map_mut(file) }
}

/// Zeros in memory, in large pages where the kernel gives them.
pub fn map_memory(length: usize) -> io::Result<MmapMut> {
    let map = MmapOptions::new().len(length).no_reserve_swap().map_anon()?;
    advise(&Place::of(&map), 0..length, Advice::LinuxHugepage);
    Ok(map)
}

/// Where a mapping is, for hints from a thread that does not own it.
#[derive(Clone, Copy)]
pub struct Place {
    address: usize,
    length: usize,
}

impl Place {
    pub fn of(map: &[u8]) -> Place {
        Place { address: map.as_ptr() as usize, length: map.len() }
    }

    pub fn addresses(&self) -> Range<usize> {
        self.address..self.address + self.length
    }
}

/// Bring in a part of a file that is read soon: cheaper than a page fault for each few pages.
pub fn populate_for_reading(place: &Place, part: Range<usize>) {
    advise(place, part, Advice::LinuxPopulateRead);
}

/// Bring in zeros that are written to soon.
pub fn populate_for_writing(place: &Place, part: Range<usize>) {
    advise(place, part, Advice::LinuxPopulateWrite);
}

/// Forget that a part of a file was read.
pub fn forget(map: &Mmap, part: Range<usize>) {
    // The mapping is of a file and only read, so that the content is the same when it comes back.
    advise(&Place::of(map), part, Advice::LinuxDontNeed);
}

/// Give memory back. Whole large pages within `part` become zero; the part that does is returned.
pub fn discard(map: &mut MmapMut, part: Range<usize>, is_file: bool) -> Range<usize> {
    let address = map.as_ptr() as usize;
    let start = (address + part.start).next_multiple_of(LARGE_PAGE) - address;
    let end = ((address + part.end) / LARGE_PAGE * LARGE_PAGE).saturating_sub(address);
    if start >= end {
        return part.start..part.start;
    }
    let advice = if is_file { Advice::LinuxRemove } else { Advice::LinuxDontNeed };
    advise(&Place::of(map), start..end, advice);
    start..end
}

/// Give back memory of a mapping without a file, all of which is zero.
pub fn discard_zeros(place: &Place, part: Range<usize>) {
    advise(place, part, Advice::LinuxDontNeed);
}

/// All advice is a hint: kernels that do not know it refuse it, and the sweep is right without it.
fn advise(place: &Place, part: Range<usize>, advice: Advice) {
    let page = rustix::param::page_size();
    let start = (place.address + part.start.min(place.length)) / page * page;
    let end = place.address + part.end.min(place.length);
    if start < end {
        // SAFETY: the range lies within a mapping that exists while there are borrows of it, and what would change
        // content (the advice of `discard`) has exclusive access.
        let _ = unsafe { madvise(start as *mut _, end - start, advice) };
    }
}
