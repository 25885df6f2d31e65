//! What one thread writes to the tape: its window, its current chunk, and how far it has come.

use super::{tape, WINDOWS_END, WINDOWS_START};
use crate::call;
use crate::config;
use crate::fatal;
use crate::lock::Mutex;
use crate::mappings::{Attributes, Mappings};
use crate::sys::{self, kernel, Outcome, PAGE};
use crate::window::{self, Region};
use core::sync::atomic::{AtomicU32, Ordering};
use derivgrind_tape::format::{ChunkHeader, CHUNK_HEADER, LAST_INDEX_OFFSET, USED_OFFSET};

/// Bytes of a thread's first chunk; each further one is twice as long.
const FIRST_CHUNK: u64 = 64 << 10;
const LARGEST_CHUNK: u64 = 16 << 20;
/// Nothing is mapped for this distance behind a chunk: more than one execution can have.
const GUARD: u64 = 1 << 20;

static WINDOWS: Mutex<Mappings> = Mutex::new(Mappings::new());
static NEXT_THREAD: AtomicU32 = AtomicU32::new(1);

/// Addresses where chunks are mapped for one thread.
pub struct Window {
    pub start: u64,
    length: u64,
}

impl Window {
    fn allocate(length: u64) -> Window {
        let mut windows = WINDOWS.lock();
        let whole = length + GUARD;
        let Some(start) = windows.find_gap(WINDOWS_START, WINDOWS_END, whole, PAGE) else {
            fatal!("There is no address space for the tape: too many threads.");
        };
        let attributes = Attributes { protection: sys::READ_WRITE, file: true, ever_writable: true };
        windows.insert(start, start + whole, attributes);
        Window { start, length }
    }

    /// Maps a part of the file and has its pages made ready.
    pub fn map(&self, descriptor: i32, offset: u64, length: u64) -> Result<(), Outcome> {
        self.unmap();
        sys::map_shared(self.start, length, descriptor, offset)?;
        // SAFETY: our own mapping. Old kernels do not know the advice, and fault page by page.
        unsafe { call!(kernel::__NR_madvise, self.start, length, MADV_POPULATE_WRITE) };
        Ok(())
    }

    fn unmap(&self) {
        // SAFETY: the window is ours, and its chunk is closed.
        unsafe { sys::unmap(self.start, self.length) };
    }

    pub fn write_header(&self, header: &ChunkHeader) {
        let bytes = header.encode();
        // SAFETY: a chunk is mapped here, which is longer than its header.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start as *mut u8, bytes.len()) };
    }

    fn write_field(&self, offset: u64, value: u64) {
        // SAFETY: as above; fields are aligned.
        unsafe { *((self.start + offset) as *mut u64) = value };
    }
}

const MADV_POPULATE_WRITE: u32 = 23;

/// The words that translated code reads and writes, see `Job::tape_state`.
#[repr(C)]
struct State {
    position: u64,
    next_index: u64,
    chunk: u64,
}

struct Chunk {
    /// In the file.
    offset: u64,
    length: u64,
    /// Behind the indices that belong to the chunk.
    end_index: u64,
}

/// A thread's access to the tape.
pub struct Recorder {
    thread: u32,
    /// A page of the window below 2 GB: a thread chunk of the file once the thread records.
    page: Option<Region>,
    /// The page is part of the file.
    registered: bool,
    windows: [Option<Window>; 2],
    /// Which window is being written.
    current: usize,
    chunk: Option<Chunk>,
    /// Where the chunks of the windows are in the file, for the ring.
    offsets: [u64; 2],
    next_length: u64,
    /// Results and payload go to memory that is thrown away: the request `DISABLE`, or recording has ended.
    discards: bool,
}

// SAFETY: a recorder belongs to a thread; others reach it only while that thread does not exist.
unsafe impl Send for Recorder {}

impl Recorder {
    pub fn new() -> Recorder {
        Recorder {
            thread: 0,
            page: None,
            registered: false,
            windows: [None, None],
            current: 0,
            chunk: None,
            offsets: [0; 2],
            next_length: FIRST_CHUNK,
            discards: false,
        }
    }

    /// Address of the position and the next index, for translations.
    pub fn state_address(&mut self) -> u64 {
        if self.page.is_none() {
            let Some(page) = window::allocate(PAGE) else {
                fatal!("The memory below 2 GB is full: too many threads.");
            };
            self.page = Some(page);
            self.thread = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
            self.park();
        }
        self.page.map_or(0, |page| page.start + CHUNK_HEADER)
    }

    fn state(&mut self) -> &mut State {
        let address = self.state_address();
        // SAFETY: the page is ours and lives as long as the recorder.
        unsafe { &mut *(address as *mut State) }
    }

    pub fn position(&mut self) -> u64 {
        self.state().position
    }

    /// The next record faults, or finds no room.
    fn park(&mut self) {
        let guard =
            self.windows[0].as_ref().map_or(WINDOWS_END - PAGE, |window| window.start + window.length);
        let state = self.state();
        state.position = guard;
        state.chunk = 0;
    }

    /// Bytes for the ring of `--tape-ring`, half of it.
    fn ring() -> Option<u64> {
        let ring = config::current().recording.as_ref()?.ring;
        (ring > 0).then(|| sys::page_up(ring / 2).max(FIRST_CHUNK))
    }

    /// Closes the current chunk and opens another one.
    pub fn next_chunk(&mut self) {
        let ring = Self::ring();
        if ring.is_some() && self.windows[1].is_some() {
            self.reuse_chunk();
            return;
        }
        self.close();
        super::child::adopt_tape();
        let mut tape = tape::lock();
        if !self.registered && tape.ended.is_none() {
            let address = self.state_address() - CHUNK_HEADER;
            let saved = (self.state().position, self.state().next_index);
            self.registered = tape.add_thread(address, self.thread).is_some();
            let state = self.state();
            (state.position, state.next_index) = saved;
        }
        let length = ring.unwrap_or(self.next_length);
        let slot = usize::from(ring.is_some() && self.windows[0].is_some());
        if self.windows[slot].is_none() {
            self.windows[slot] = Some(Window::allocate(ring.unwrap_or(LARGEST_CHUNK)));
        }
        self.current = slot;
        let Some(window) = &self.windows[slot] else { return };
        let start = window.start + CHUNK_HEADER;
        match tape.add_executions(window, length, self.thread) {
            Some((offset, first_index)) => {
                self.chunk = Some(Chunk { offset, length, end_index: first_index + length / 2 });
                self.offsets[slot] = offset;
                self.next_length = (2 * self.next_length).min(LARGEST_CHUNK);
                let state = self.state();
                (state.position, state.next_index, state.chunk) = (start, first_index, offset);
            }
            None => {
                let first_index = tape.take_indices(FIRST_CHUNK);
                self.discard(first_index);
            }
        }
    }

    /// From now on records go to memory that is used again and again.
    fn discard(&mut self, first_index: u64) {
        let Some(window) = &self.windows[self.current] else { return };
        window.unmap();
        let _ = sys::map_engine_memory(window.start, FIRST_CHUNK, sys::READ_WRITE);
        let start = window.start + CHUNK_HEADER;
        self.discards = true;
        let state = self.state();
        (state.position, state.next_index, state.chunk) = (start, first_index, 0);
    }

    /// The ring is complete: the older half is overwritten.
    fn reuse_chunk(&mut self) {
        self.finish_chunk();
        self.current = 1 - self.current;
        let thread = self.thread;
        let Some(window) = &self.windows[self.current] else { return };
        let length = window.length;
        let mut tape = tape::lock();
        let first_index = tape.take_indices(length);
        let address = window.start + CHUNK_HEADER;
        let offset = self.offsets[self.current];
        let header = ChunkHeader {
            length,
            kind: derivgrind_tape::format::ChunkKind::Executions,
            thread,
            used: derivgrind_tape::format::UNFINISHED,
            first_index,
            last_index: 0,
            address,
        };
        window.write_header(&header);
        self.chunk = Some(Chunk { offset, length, end_index: first_index + length / 2 });
        let state = self.state();
        (state.position, state.next_index, state.chunk) = (address, first_index, offset);
    }

    /// Closes the current chunk: it can be read without the thread's page.
    pub fn close(&mut self) {
        self.finish_chunk();
        if self.page.is_some() && !self.discards {
            self.park();
        }
    }

    fn finish_chunk(&mut self) {
        let Some(chunk) = self.chunk.take() else { return };
        let state = self.state();
        let (position, next_index) = (state.position, state.next_index);
        let is_ring = Self::ring().is_some();
        let Some(window) = &self.windows[self.current] else { return };
        let used = position - window.start - CHUNK_HEADER;
        let mut tape = tape::lock();
        tape.give_back_indices(next_index, chunk.end_index);
        window.write_field(LAST_INDEX_OFFSET, next_index);
        window.write_field(USED_OFFSET, used);
        if is_ring {
            return;
        }
        let length = tape.shorten(chunk.offset, chunk.length, CHUNK_HEADER + used);
        window.write_field(LENGTH_OFFSET, length);
    }

    /// Appends one execution of a fixed structure with `results` results; returns the first index.
    pub fn append(&mut self, structure: u32, payload: &[u8], results: u64) -> u64 {
        let length = payload.len() as u64 + 4;
        let has_room = self.windows[self.current].as_ref().is_some_and(|window| {
            let end = window.start + self.chunk.as_ref().map_or(0, |chunk| chunk.length);
            // SAFETY: the page exists if a window does.
            let position =
                self.page.map_or(0, |page| unsafe { *((page.start + CHUNK_HEADER) as *const u64) });
            position + length <= end
        });
        if !has_room {
            self.next_chunk();
        }
        let state = self.state();
        let first = state.next_index;
        // SAFETY: there is room in the chunk (or in memory that is thrown away), which is mapped.
        unsafe {
            core::ptr::copy_nonoverlapping(payload.as_ptr(), state.position as *mut u8, payload.len());
            let number = structure.to_le_bytes();
            let at = state.position + payload.len() as u64;
            core::ptr::copy_nonoverlapping(number.as_ptr(), at as *mut u8, number.len());
        }
        state.position += length;
        state.next_index += results;
        first
    }

    /// In a forked child: the page and the window are the parent's, and must not be written.
    pub fn leave_to_parent(&mut self) {
        let Some(page) = self.page else { return };
        let state = self.state();
        let (position, next_index) = (state.position, state.next_index);
        // SAFETY: our window below 2 GB; the parent's page is replaced by one of our own.
        unsafe { sys::unmap(page.start, PAGE) };
        let _ = sys::map_engine_memory(page.start, PAGE, sys::READ_WRITE);
        let state = self.state();
        (state.position, state.next_index) = (position, next_index);
        for window in self.windows.iter().flatten() {
            window.unmap();
        }
        self.chunk = None;
        self.registered = false;
        self.next_length = FIRST_CHUNK;
        self.park();
    }

    /// The thread is at its end.
    pub fn release(&mut self) {
        self.close();
        let mut windows = WINDOWS.lock();
        for slot in &mut self.windows {
            if let Some(window) = slot.take() {
                window.unmap();
                windows.remove(window.start, window.start + window.length + GUARD);
            }
        }
        drop(windows);
        if let Some(page) = self.page.take() {
            // SAFETY: no translation of the thread runs any more.
            unsafe { window::free(page) };
        }
        self.registered = false;
    }
}

/// Offset of the length in the header of a chunk.
const LENGTH_OFFSET: u64 = 8;

pub fn acquire_for_fork() {
    core::mem::forget(WINDOWS.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { WINDOWS.release() };
}
