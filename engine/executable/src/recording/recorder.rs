//! What one thread writes to the tape: its window, its current chunk, and how far it has come.
//!
//! A thread that comes across an index above those of its chunk begins a new *segment*, with indices above all that
//! have been given out, so that the order of indices holds. Threads that read each other's results all the time do this
//! all the time. So the first segment after such an encounter is small: it is written to memory of the engine and
//! appended to the file when it is closed. Segments grow as long as nothing is encountered.

use super::tape::{self, Opened, Written};
use super::{WINDOWS_END, WINDOWS_START};
use crate::call;
use crate::config;
use crate::fatal;
use crate::lock::Mutex;
use crate::mappings::{Attributes, Mappings};
use crate::sys::{self, kernel, Outcome, PAGE};
use crate::window::{self, Region};
use core::sync::atomic::{AtomicU32, Ordering};
use derivgrind_tape::checksum;
use derivgrind_tape::format::{
    ChunkHeader, ChunkKind, CHECKSUM_OFFSET, CHUNK_HEADER, LAST_INDEX_OFFSET, UNFINISHED, USED_OFFSET,
};
use derivgrind_tape::structure::Structure;
use derivgrind_translate::recording::{TapeState, LEAST_BYTES};

/// Bytes of a thread's first chunk; each further one is twice as long.
const FIRST_CHUNK: u64 = 64 << 10;
/// Still in the processor's cache when its checksum is computed.
const LARGEST_CHUNK: u64 = 1 << 20;
/// Bytes of a small segment, at least, and from which size on segments are chunks of the file.
const SMALLEST_SEGMENT: u64 = 256;
const SMALL_SEGMENTS: u64 = 32 << 10;
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
    pub fn allocate(length: u64) -> Window {
        let mut windows = WINDOWS.lock();
        let whole = length + PAGE + GUARD;
        let Some(start) = windows.find_gap(WINDOWS_START, WINDOWS_END, whole, PAGE) else {
            fatal!("There is no address space for the tape: too many threads.");
        };
        let attributes =
            Attributes { protection: sys::READ_WRITE, file: true, ever_writable: true, shared: None };
        windows.insert(start, start + whole, attributes);
        Window { start, length }
    }

    /// Maps a part of the file, which starts at any offset, and has its pages made ready; returns where it starts.
    pub fn map(&self, descriptor: i32, offset: u64, length: u64) -> Result<u64, Outcome> {
        self.unmap();
        let before = offset % PAGE;
        sys::map_shared(self.start, length + before, descriptor, offset - before)?;
        // SAFETY: our own mapping. Old kernels do not know the advice, and fault page by page.
        unsafe { call!(kernel::__NR_madvise, self.start, length + before, MADV_POPULATE_WRITE) };
        Ok(self.start + before)
    }

    fn unmap(&self) {
        // SAFETY: the window is ours, and its chunk is closed.
        unsafe { sys::unmap(self.start, self.length + PAGE) };
    }

    pub fn free(&self) {
        self.unmap();
        WINDOWS.lock().remove(self.start, self.start + self.length + PAGE + GUARD);
    }
}

const MADV_POPULATE_WRITE: u32 = 23;

/// Writes the header of a chunk that is mapped at `address`.
pub fn write_header(address: u64, header: &ChunkHeader) {
    let bytes = header.encode();
    // SAFETY: a chunk is mapped here, which is longer than its header.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
}

fn write_field(address: u64, value: u64) {
    // SAFETY: a field of the header of a mapped chunk, which is aligned.
    unsafe { *(address as *mut u64) = value };
}

/// Where a thread writes.
struct Chunk {
    /// Offset in the file; `None`: in memory of the engine, to be appended.
    offset: Option<u64>,
    /// Where the header is mapped, or would be.
    address: u64,
    length: u64,
    first_index: u64,
    /// Behind the indices that belong to the chunk.
    end_index: u64,
}

impl Chunk {
    /// The first `used` bytes behind the header, which have been written.
    fn executions(&self, used: u64) -> &[u8] {
        // SAFETY: they are mapped while the chunk is open, and the thread that would write to them is here.
        unsafe { core::slice::from_raw_parts((self.address + CHUNK_HEADER) as *const u8, used as usize) }
    }
}

/// A thread's access to the tape.
pub struct Recorder {
    thread: u32,
    /// A page of the window below 2 GB: a thread chunk of the file once the thread records.
    page: Option<Region>,
    /// The page is part of the file.
    registered: bool,
    windows: [Option<Window>; 2],
    /// For small segments.
    memory: Option<Window>,
    chunk: Option<Chunk>,
    /// The two chunks of the ring.
    ring: [Option<Opened>; 2],
    next_length: u64,
    /// Length of the next segment if it is a small one.
    segment: Option<u64>,
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
            memory: None,
            chunk: None,
            ring: [None, None],
            next_length: FIRST_CHUNK,
            segment: None,
        }
    }

    /// Address of what translations share with the recorder.
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

    fn state(&mut self) -> &mut TapeState {
        let address = self.state_address();
        // SAFETY: the page is ours and lives as long as the recorder.
        unsafe { &mut *(address as *mut TapeState) }
    }

    pub fn position(&mut self) -> u64 {
        self.state().position
    }

    /// The next record faults, and any index begins a new segment.
    fn park(&mut self) {
        let state = self.state();
        state.position = WINDOWS_END - GUARD;
        state.chunk = 0;
        state.set_last_index(0);
    }

    /// Bytes of half the ring of `--tape-ring`.
    fn ring_length() -> Option<u64> {
        let ring = config::current().recording.as_ref()?.ring;
        (ring > 0).then(|| sys::page_up(ring / 2).max(FIRST_CHUNK))
    }

    /// The next chunk is as small as the first one.
    pub fn begin_small(&mut self) {
        self.next_length = FIRST_CHUNK;
    }

    /// Is only the end of the tape kept?
    pub fn is_ring() -> bool {
        Self::ring_length().is_some()
    }

    /// Indices above all others from here on.
    pub fn begin_segment(&mut self) {
        if Self::ring_length().is_none() {
            self.segment =
                Some(self.segment.map_or(SMALLEST_SEGMENT, |length| (length / 4).max(SMALLEST_SEGMENT)));
        }
        self.open_next(SMALLEST_SEGMENT);
    }

    /// Closes the current chunk and opens one with room for at least `needed` bytes.
    pub fn next_chunk(&mut self, needed: u64) {
        self.segment = self.segment.map(|length| 2 * length).filter(|length| *length < SMALL_SEGMENTS);
        self.open_next(needed);
    }

    fn open_next(&mut self, needed: u64) {
        self.close();
        super::child::adopt_tape();
        self.register();
        match (Self::ring_length(), self.segment) {
            (Some(length), _) => self.open_in_ring(length),
            (None, Some(length)) => self.open_in_memory((length + needed).next_multiple_of(8)),
            (None, None) => self.open_in_file(),
        }
    }

    /// Makes the page a part of the file.
    fn register(&mut self) {
        let mut tape = tape::lock();
        if self.registered || tape.ended.is_some() {
            return;
        }
        let address = self.state_address() - CHUNK_HEADER;
        self.registered = tape.add_thread(address, self.thread).is_some();
        drop(tape);
        self.park();
    }

    fn open_in_file(&mut self) {
        let length = self.next_length;
        self.next_length = (2 * length).min(LARGEST_CHUNK);
        let window = self.windows[0].get_or_insert_with(|| Window::allocate(LARGEST_CHUNK));
        let opened = tape::lock().add_executions(window, length, self.thread);
        match opened {
            Some(opened) => {
                self.enter(Some(opened.offset), opened.address, opened.length, opened.first_index)
            }
            None => self.open_in_memory(FIRST_CHUNK),
        }
    }

    /// A segment that ends where nothing is mapped. If recording has ended, it is thrown away.
    fn open_in_memory(&mut self, length: u64) {
        let room = sys::page_up(CHUNK_HEADER + FIRST_CHUNK);
        let memory = self.memory.get_or_insert_with(|| {
            let window = Window::allocate(room);
            if sys::map_engine_memory(window.start, room, sys::READ_WRITE).is_err() {
                fatal!("There is no memory for the tape.");
            }
            window
        });
        let address = memory.start + room - CHUNK_HEADER - length.min(FIRST_CHUNK);
        let length = CHUNK_HEADER + length.min(FIRST_CHUNK);
        let first_index = tape::lock().take_indices(length);
        self.enter(None, address, length, first_index);
    }

    /// The older chunk of the ring, or a new one while it is not complete.
    fn open_in_ring(&mut self, length: u64) {
        self.ring.swap(0, 1);
        if let Some(Opened { offset, address, length, .. }) = self.ring[0] {
            let first_index = tape::lock().take_indices(length);
            write_header(address, &self.header(length, first_index, address));
            self.enter(Some(offset), address, length, first_index);
            return;
        }
        let slot = usize::from(self.windows[0].is_some());
        let window = self.windows[slot].get_or_insert_with(|| Window::allocate(length));
        let opened = tape::lock().add_executions(window, length, self.thread);
        match opened {
            Some(opened) => {
                self.ring[0] = Some(opened);
                self.enter(Some(opened.offset), opened.address, opened.length, opened.first_index);
            }
            None => self.open_in_memory(FIRST_CHUNK),
        }
    }

    fn header(&self, length: u64, first_index: u64, address: u64) -> ChunkHeader {
        ChunkHeader {
            length,
            kind: ChunkKind::Executions,
            thread: self.thread,
            used: UNFINISHED,
            first_index,
            last_index: 0,
            address: address + CHUNK_HEADER,
            checksum: 0,
        }
    }

    fn enter(&mut self, offset: Option<u64>, address: u64, length: u64, first_index: u64) {
        let end_index = first_index + length / u64::from(LEAST_BYTES);
        self.chunk = Some(Chunk { offset, address, length, first_index, end_index });
        let state = self.state();
        state.position = address + CHUNK_HEADER;
        state.next_index = first_index;
        state.chunk = offset.unwrap_or(0);
        state.set_last_index(end_index - 1);
    }

    /// Is a chunk open?
    pub fn is_writing(&self) -> bool {
        self.chunk.is_some()
    }

    /// Closes the current chunk: it can be read without the thread's page.
    pub fn close(&mut self) {
        let Some(chunk) = self.chunk.take() else { return };
        let state = self.state();
        let (position, next_index) = (state.position, state.next_index);
        self.park();
        let used = position - chunk.address - CHUNK_HEADER;
        let mut tape = tape::lock();
        tape.give_back_indices(next_index, chunk.end_index);
        let Some(offset) = chunk.offset else {
            if used > 0 {
                let header = ChunkHeader {
                    used,
                    last_index: next_index,
                    length: (CHUNK_HEADER + used).next_multiple_of(CHUNK_HEADER),
                    ..self.header(0, chunk.first_index, 0)
                };
                tape.append_executions(header, chunk.executions(used));
            }
            return;
        };
        write_field(chunk.address + LAST_INDEX_OFFSET, next_index);
        if Self::ring_length().is_none() {
            let length = tape.shorten(offset, chunk.length, CHUNK_HEADER + used);
            write_field(chunk.address + LENGTH_OFFSET, length);
            let header = ChunkHeader {
                used,
                last_index: next_index,
                ..self.header(length, chunk.first_index, chunk.address)
            };
            write_field(chunk.address + CHECKSUM_OFFSET, checksum::of(&header, chunk.executions(used)));
            tape.note_written(Written {
                offset,
                length,
                used,
                first_index: chunk.first_index,
                last_index: next_index,
            });
        }
        // Last, since it says that the chunk is finished.
        write_field(chunk.address + USED_OFFSET, used);
    }

    /// Appends one execution of a fixed structure with one result; returns its index, which is above those of the
    /// operands.
    pub fn append(&mut self, structure: u32, payload: &[u8], operands: [u64; 2]) -> u64 {
        let length = payload.len() as u64 + 4;
        let last = self.state().last_index[0];
        if operands.iter().any(|operand| *operand > last) {
            self.begin_segment();
        }
        let position = self.state().position;
        let end = self.chunk.as_ref().map_or(0, |chunk| chunk.address + chunk.length);
        if position + length > end {
            self.next_chunk(length);
        }
        let state = self.state();
        let first = state.next_index;
        // SAFETY: there is room in the chunk, which is mapped.
        unsafe {
            core::ptr::copy_nonoverlapping(payload.as_ptr(), state.position as *mut u8, payload.len());
            let number = structure.to_le_bytes();
            let at = state.position + payload.len() as u64;
            core::ptr::copy_nonoverlapping(number.as_ptr(), at as *mut u8, number.len());
        }
        state.position += length;
        state.next_index += 1;
        first
    }

    /// Ends an execution whose payload translated code has written.
    pub fn commit(&mut self, number: u32, structure: &Structure) {
        let state = self.state();
        let end = state.position + u64::from(structure.payload);
        // SAFETY: the check for room at the start of the block covers the longest execution.
        unsafe { core::ptr::copy_nonoverlapping(number.to_le_bytes().as_ptr(), end as *mut u8, 4) };
        state.position = end + 4;
        state.next_index += u64::from(structure.results);
    }

    /// In a forked child: the page and the windows are the parent's, and must not be written.
    pub fn leave_to_parent(&mut self) {
        let Some(page) = self.page else { return };
        // SAFETY: our window below 2 GB; the parent's page is replaced by one of our own.
        unsafe { sys::unmap(page.start, PAGE) };
        let _ = sys::map_engine_memory(page.start, PAGE, sys::READ_WRITE);
        for window in self.windows.iter().flatten() {
            window.unmap();
        }
        self.chunk = None;
        self.ring = [None, None];
        self.registered = false;
        self.next_length = FIRST_CHUNK;
        self.park();
    }

    /// The thread is at its end.
    pub fn release(&mut self) {
        self.close();
        for window in self.windows.iter_mut().chain([&mut self.memory]) {
            if let Some(window) = window.take() {
                window.free();
            }
        }
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
