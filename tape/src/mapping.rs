//! Mapped memory, and hints to the kernel about it.

use memmap2::{Advice, Mmap, MmapMut, MmapOptions, UncheckedAdvice};
use std::fs::File;
use std::io;

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
    // A hint: kernels without large pages refuse it.
    let _ = map.advise(Advice::HugePage);
    Ok(map)
}

/// Parts up to this size are brought in at once, which costs less than a page fault for each few pages.
const POPULATED: usize = 256 << 20;

/// A part of a tape is going to be swept now.
pub fn before_sweep(map: &Mmap, offset: usize, length: usize) {
    if length <= POPULATED {
        // A hint: kernels before 5.14 do not know it.
        let _ = map.advise_range(Advice::PopulateRead, offset, length);
    }
}

/// A part of a tape is going to be swept soon.
pub fn announce(map: &Mmap, offset: usize, length: usize) {
    let _ = map.advise_range(Advice::WillNeed, offset, length);
}

/// A part of a tape has been swept.
pub fn after_sweep(map: &Mmap, offset: usize, length: usize) {
    // SAFETY: the mapping is of a file and only read, so that dropped pages have the same content when they come back.
    let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, length) };
}
