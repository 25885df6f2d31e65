//! The address space: who lives where, and where the client's new mappings go.
//!
//! | addresses | use |
//! | --- | --- |
//! | up to 0x1000_0000 | programs linked at a fixed address |
//! | 0x1000_0000 | the main program, if it can be placed |
//! | 0x1800_0000 - 0x4000_0000 | "near": libraries and `MAP_32BIT` |
//! | 0x4000_0000 - 0x8000_0000 | the window: contexts, tables and code caches |
//! | 0x10_0000_0000 | `brk` |
//! | 0x100_0000_0000 - `SHADOW_START` | "far": stacks and all other mappings |
//! | `SHADOW_START` - `SHADOW_END` | shadows |
//! | 0x5000_0000_0000 on | engine image, heap, stacks |
//!
//! The kernel would place mappings above the client's range, where they have no shadow, so every placement is made
//! here. Near mappings keep the RIP-relative operands of libraries within reach of the code caches.
//!
//! Invariants: everything the client has mapped is in [`AddressSpace::mappings`]; the shadow of what is not mapped is
//! zero, so a new mapping needs no work. Translation reads the client's code with the lock held for reading; whoever
//! unmaps holds it for writing.

use crate::lock::{ReadGuard, SharedLock, WriteGuard};
use crate::mappings::{Attributes, Mappings};
use crate::sys::{self, kernel, PAGE};
use derivgrind_translate::context::SHADOW_START;

pub const PROGRAM_START: u64 = 0x1000_0000;
pub const NEAR_START: u64 = 0x1800_0000;
pub const NEAR_END: u64 = 0x4000_0000;
pub const WINDOW_START: u64 = 0x4000_0000;
pub const WINDOW_END: u64 = 0x8000_0000;
pub const BREAK_START: u64 = 0x10_0000_0000;
/// The client's heap can grow to this size.
pub const BREAK_LIMIT: u64 = 0x10_0000_0000;
pub const FAR_START: u64 = 0x100_0000_0000;
pub const FAR_END: u64 = SHADOW_START;
/// Stacks of the engine, one block per thread.
pub const ENGINE_STACKS_START: u64 = 0x5200_0000_0000;
pub const ENGINE_STACKS_END: u64 = 0x5300_0000_0000;

/// By how many pages places differ with `--aslr=yes`, at most: 64 MB, 256 MB, 4 TB, 8 GB.
const PROGRAM_PAGES: u64 = 1 << 14;
const NEAR_PAGES: u64 = 1 << 16;
const FAR_PAGES: u64 = 1 << 30;
const BREAK_PAGES: u64 = 1 << 21;

/// Private file mappings up to this size are taken for libraries.
const NEAR_FILE_LIMIT: u64 = 128 << 20;
/// Mappings from this size on are aligned for large pages, as the kernel does it.
const LARGE_PAGE: u64 = 2 << 20;

pub struct AddressSpace {
    pub mappings: Mappings,
    /// Where the program goes, the search for near gaps and for far ones begins, and the heap begins.
    pub program_start: u64,
    near_start: u64,
    far_start: u64,
    pub break_start: u64,
    /// Where the search for a gap starts: end of the last placement, or the lowest address unmapped since.
    far_cursor: u64,
    pub program_break: u64,
}

static SPACE: SharedLock<AddressSpace> = SharedLock::new(AddressSpace {
    mappings: Mappings::new(),
    program_start: PROGRAM_START,
    near_start: NEAR_START,
    far_start: FAR_START,
    break_start: BREAK_START,
    far_cursor: FAR_START,
    program_break: BREAK_START,
});

pub fn read() -> ReadGuard<'static, AddressSpace> {
    SPACE.read()
}

pub fn write() -> WriteGuard<'static, AddressSpace> {
    SPACE.write()
}

pub fn acquire_for_fork() {
    SPACE.acquire_for_writing();
}

pub fn release_after_fork() {
    SPACE.release_after_writing();
}

/// Is all of `[start, end)` where the client may map?
pub fn belongs_to_client(start: u64, end: u64) -> bool {
    let below_window = end <= WINDOW_START;
    let above_window = start >= WINDOW_END && end <= SHADOW_START;
    start < end && (below_window || above_window)
}

/// What decides the place of a mapping.
#[derive(Clone, Copy)]
pub struct Placement {
    /// Address the client proposes, or 0.
    pub hint: u64,
    pub length: u64,
    pub flags: u32,
    pub file: bool,
}

impl AddressSpace {
    /// `--aslr=yes`: moves everything but what has to be within reach of the window, which moves less.
    pub fn randomise(&mut self, random: [u32; 4]) {
        let distance = |index: usize, pages: u64| u64::from(random[index]) % pages * PAGE;
        self.program_start = PROGRAM_START + distance(0, PROGRAM_PAGES);
        self.near_start = NEAR_START + distance(1, NEAR_PAGES);
        self.far_start = FAR_START + distance(2, FAR_PAGES);
        self.break_start = BREAK_START + distance(3, BREAK_PAGES);
        self.far_cursor = self.far_start;
        self.program_break = self.break_start;
    }

    /// An address for a mapping that is not `MAP_FIXED`.
    pub fn place(&mut self, placement: Placement) -> Option<u64> {
        let Placement { hint, length, flags, file } = placement;
        let hint = sys::page_down(hint);
        let hint_end = hint.checked_add(length)?;
        if hint >= sys::PAGE * 16
            && belongs_to_client(hint, hint_end)
            && self.mappings.is_free(hint, hint_end)
        {
            return Some(hint);
        }
        if flags & kernel::MAP_32BIT != 0 {
            return self.place_near(length);
        }
        let library = file && flags & kernel::MAP_PRIVATE != 0 && length <= NEAR_FILE_LIMIT;
        if library {
            if let Some(address) = self.place_near(length) {
                return Some(address);
            }
        }
        self.place_far(length, alignment(length, flags))
    }

    pub fn place_near(&self, length: u64) -> Option<u64> {
        let found = self.mappings.find_gap(self.near_start, NEAR_END, length, PAGE);
        found.or_else(|| self.mappings.find_gap(NEAR_START, NEAR_END, length, PAGE))
    }

    pub fn place_far(&mut self, length: u64, alignment: u64) -> Option<u64> {
        // A guard page between mappings catches overruns and keeps unrelated mappings apart.
        let padded = length.checked_add(PAGE)?;
        let found = self.mappings.find_gap(self.far_cursor, FAR_END, padded, alignment);
        let address = found.or_else(|| self.mappings.find_gap(self.far_start, FAR_END, padded, alignment))?;
        self.far_cursor = address + length;
        Some(address)
    }

    pub fn note_mapped(&mut self, start: u64, length: u64, attributes: Attributes) {
        self.mappings.insert(start, start + sys::page_up(length), attributes);
    }

    pub fn note_unmapped(&mut self, start: u64, length: u64) {
        self.mappings.remove(start, start + sys::page_up(length));
        if start >= self.far_start {
            self.far_cursor = self.far_cursor.min(start);
        }
    }

    fn is_executable(&self, address: u64) -> Option<u64> {
        let (_, end, attributes) = self.mappings.find(address)?;
        (attributes.protection & kernel::PROT_EXEC != 0).then_some(end)
    }
}

fn alignment(length: u64, flags: u32) -> u64 {
    if flags & kernel::MAP_HUGETLB != 0 {
        let logarithm = flags >> kernel::MAP_HUGE_SHIFT & kernel::MAP_HUGE_MASK;
        return if logarithm == 0 { LARGE_PAGE } else { 1 << logarithm };
    }
    if length >= LARGE_PAGE {
        LARGE_PAGE
    } else {
        PAGE
    }
}

impl AddressSpace {
    /// Executable bytes from `pc` to the end of their mapping.
    pub fn code(&self, pc: u64) -> Option<&[u8]> {
        let mut end = self.is_executable(pc)?;
        // An instruction may cross into the next mapping.
        while let Some(next) = self.is_executable(end) {
            end = next;
        }
        // SAFETY: the range is mapped and readable (see `syscalls::memory::readable`), and stays so while the lock is
        // held, which the borrow of `self` implies. The client may change the bytes meanwhile; then it gets a mixture,
        // as from a processor without synchronisation.
        Some(unsafe { core::slice::from_raw_parts(pc as *const u8, (end - pc) as usize) })
    }

    /// Does `address` lie in a private mapping of a file? Code elsewhere was generated by the program.
    pub fn is_in_program(&self, address: u64) -> bool {
        let is_private_file = |attributes: Attributes| attributes.file && attributes.shared.is_none();
        self.mappings.find(address).is_some_and(|(_, _, attributes)| is_private_file(attributes))
    }

    /// Does `address` lie in a file mapping that was never writable?
    pub fn is_constant(&self, address: u64) -> bool {
        self.mappings
            .find(address)
            .is_some_and(|(_, _, attributes)| attributes.file && !attributes.ever_writable)
    }
}
