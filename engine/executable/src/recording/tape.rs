//! The tape's file: chunks, structures and ranges of indices, shared by all threads.

use super::recorder::{write_header, Window};
use crate::call;
use crate::config;
use crate::lock::Mutex;
use crate::print;
use crate::sys::{self, errno, failure, kernel, Outcome};
use alloc::string::String;
use alloc::vec::Vec;
use derivgrind_tape::checksum::{self, Checksum};
use derivgrind_tape::format::{
    ChunkHeader, ChunkKind, Ended, FileHeader, BYTES_OFFSET, CHECKSUM_OFFSET, CHUNK_HEADER, ENDED_OFFSET,
    PAGE, UNFINISHED,
};
use derivgrind_tape::structure::{Structure, BINARY32_MARK, FIRST_RECORDED, NUMBER_LIMIT};
use derivgrind_translate::recording::LEAST_BYTES;

/// Bytes of a chunk of structures, unless one structure needs more.
const STRUCTURES_CHUNK: u64 = 64 << 10;
const MARK: u64 = BINARY32_MARK as u64;

/// A chunk that is mapped and waits for executions.
#[derive(Clone, Copy)]
pub struct Opened {
    /// In the file.
    pub offset: u64,
    /// Of the header in memory.
    pub address: u64,
    pub length: u64,
    pub first_index: u64,
}

/// A chunk of executions that is closed.
#[derive(Clone, Copy)]
pub struct Written {
    /// In the file.
    pub offset: u64,
    pub length: u64,
    /// Bytes of executions.
    pub used: u64,
    pub first_index: u64,
    pub last_index: u64,
}

#[derive(Clone)]
struct StructuresChunk {
    /// In the file.
    offset: u64,
    header: ChunkHeader,
    checksum: Checksum,
}

impl StructuresChunk {
    fn has_room(&self, needed: u64) -> bool {
        CHUNK_HEADER + self.header.used + needed <= self.header.length
    }
}

pub struct Tape {
    descriptor: i32,
    /// Bytes that hold chunks.
    length: u64,
    /// Chunks below this offset are not shortened any more: a child is going to copy them.
    pub pinned: u64,
    /// The first index that belongs to no chunk.
    next_index: u64,
    next_structure: u32,
    /// The chunk of structures that is being filled.
    structures: Option<StructuresChunk>,
    /// Indices need more than 31 bits; caches have to follow.
    wide: bool,
    widens: bool,
    /// All structures, from the first recorded number on.
    all_structures: Vec<Structure>,
    /// The process has no file of its own yet: this many structures are in the file that it will get.
    kept: Option<usize>,
    written: Vec<Written>,
    /// Chunks that were dropped: offset and length.
    dropped: Vec<(u64, u64)>,
    /// Why nothing is recorded any more.
    pub ended: Option<Ended>,
}

static TAPE: Mutex<Tape> = Mutex::new(Tape {
    descriptor: -1,
    length: PAGE,
    pinned: 0,
    next_index: 1,
    next_structure: FIRST_RECORDED,
    structures: None,
    wide: false,
    widens: false,
    all_structures: Vec::new(),
    kept: None,
    written: Vec::new(),
    dropped: Vec::new(),
    ended: None,
});

pub fn open(descriptor: i32) {
    let mut tape = TAPE.lock();
    tape.descriptor = descriptor;
    let header = FileHeader { ended: Ended::NotAtAll as u64, bytes: PAGE, has_values: 0 };
    let mut page = alloc::vec![0; PAGE as usize];
    let encoded = header.encode();
    page[..encoded.len()].copy_from_slice(&encoded);
    tape.write(&page, 0);
}

pub fn lock() -> crate::lock::Guard<'static, Tape> {
    TAPE.lock()
}

impl Tape {
    /// A new chunk of executions for a thread, mapped at its window. It has at least this length, and ends where a page
    /// of the file ends, so that nothing is mapped behind it. `None` if recording has ended.
    pub fn add_executions(&mut self, window: &Window, length: u64, thread: u32) -> Option<Opened> {
        let (offset, length) = self.take_dropped(length).or_else(|| {
            let length = sys::page_up(self.length + length) - self.length;
            Some((self.reserve(length)?, length))
        })?;
        let address = match window.map(self.descriptor, offset, length) {
            Ok(address) => address,
            Err(error) => {
                self.end(Ended::FileError, error);
                return None;
            }
        };
        let first_index = self.take_indices(length);
        let header = ChunkHeader {
            length,
            kind: ChunkKind::Executions,
            thread,
            used: UNFINISHED,
            first_index,
            last_index: 0,
            address: address + CHUNK_HEADER,
            checksum: 0,
        };
        write_header(address, &header);
        self.publish();
        Some(Opened { offset, address, length, first_index })
    }

    pub fn note_written(&mut self, written: Written) {
        self.written.push(written);
    }

    /// A dropped chunk with at least this length whose end is that of a page.
    fn take_dropped(&mut self, length: u64) -> Option<(u64, u64)> {
        let fits =
            |(offset, available): &(u64, u64)| *available >= length && (offset + available) % PAGE == 0;
        let number = self.dropped.iter().position(fits)?;
        Some(self.dropped.swap_remove(number))
    }

    /// Appends a chunk of executions that is complete.
    pub fn append_executions(&mut self, header: ChunkHeader, executions: &[u8]) {
        if self.ended.is_some() {
            return;
        }
        let offset = self.length;
        let end = offset + header.length;
        let header = ChunkHeader { checksum: checksum::of(&header, executions), ..header };
        let mut bytes = header.encode().to_vec();
        bytes.extend_from_slice(executions);
        bytes.resize(header.length as usize, 0);
        if end > sys::file_size_limit() {
            self.fail(failure(errno::EFBIG));
            return;
        }
        match sys::write_at(self.descriptor, &bytes, offset) {
            Ok(()) => {
                self.length = end;
                self.publish();
                self.note_written(Written {
                    offset,
                    length: header.length,
                    used: header.used,
                    first_index: header.first_index,
                    last_index: header.last_index,
                });
            }
            Err(error) => self.fail(error),
        }
    }

    /// A page that says how far a thread has come, mapped at `address`; `None` if recording has ended.
    pub fn add_thread(&mut self, address: u64, thread: u32) -> Option<()> {
        let offset = self.reserve_page()?;
        let header = ChunkHeader {
            length: PAGE,
            kind: ChunkKind::Thread,
            thread,
            used: 24,
            first_index: 0,
            last_index: 0,
            address: 0,
            checksum: 0,
        };
        self.write(&header.encode(), offset);
        if let Err(error) = sys::map_shared(address, PAGE, self.descriptor, offset) {
            self.end(Ended::FileError, error);
            return None;
        }
        self.publish();
        Some(())
    }

    /// Indices for a chunk of this many bytes.
    pub fn take_indices(&mut self, bytes: u64) -> u64 {
        let count = bytes / u64::from(LEAST_BYTES);
        // No index has the bit that marks those of binary32, or is zero in its lower half.
        if (self.next_index + count) & MARK != 0 {
            self.next_index = (self.next_index | MARK | (MARK - 1)) + 2;
        }
        // Long before there are such indices, all translations must be able to handle them.
        if self.next_index > MARK / 2 && !self.wide {
            self.wide = true;
            self.widens = true;
        }
        let first = self.next_index;
        self.next_index += count;
        first
    }

    /// The last `end - next` indices of a range were not used.
    pub fn give_back_indices(&mut self, next: u64, end: u64) {
        if self.next_index == end {
            self.next_index = next;
        }
    }

    /// A chunk uses only `used` of its bytes: if it is the last one, the rest is given back. Returns its length.
    pub fn shorten(&mut self, offset: u64, length: u64, used: u64) -> u64 {
        let needed = used.next_multiple_of(CHUNK_HEADER);
        if offset + length != self.length || needed >= length || offset < self.pinned {
            return length;
        }
        self.length = offset + needed;
        self.publish();
        needed
    }

    /// Room at the end of the file, on the disk.
    fn reserve(&mut self, length: u64) -> Option<u64> {
        if self.ended.is_some() {
            return None;
        }
        let offset = self.length;
        let outcome = self.allocate(offset, length);
        if sys::is_failure(outcome) {
            self.fail(outcome);
            return None;
        }
        self.length = offset + length;
        Some(offset)
    }

    /// Room for a page that begins at a multiple of the page size.
    fn reserve_page(&mut self) -> Option<u64> {
        let gap = sys::page_up(self.length) - self.length;
        if gap > 0 {
            // An empty chunk.
            let offset = self.reserve(gap)?;
            let header = empty_chunk(gap);
            self.write(&header.encode(), offset);
        }
        self.reserve(PAGE)
    }

    /// The file cannot grow.
    fn fail(&mut self, error: Outcome) {
        let full = [errno::ENOSPC, errno::EDQUOT, errno::EFBIG].iter().any(|full| error == failure(*full));
        self.end(if full { Ended::NoSpace } else { Ended::FileError }, error);
    }

    fn allocate(&self, offset: u64, length: u64) -> Outcome {
        // Beyond the limit the kernel would send a signal to the client.
        if offset + length > sys::file_size_limit() {
            return failure(errno::EFBIG);
        }
        // SAFETY: the descriptor is the engine's.
        let outcome = unsafe { call!(kernel::__NR_fallocate, self.descriptor, 0, offset, length) };
        if outcome != failure(errno::EOPNOTSUPP) {
            return outcome;
        }
        // SAFETY: as above.
        unsafe { call!(kernel::__NR_ftruncate, self.descriptor, offset + length) }
    }

    fn write_structures(&mut self, first: u32, structures: &[Structure]) {
        let mut bytes = Vec::new();
        for (number, structure) in (first..).zip(structures) {
            structure.encode(number, &mut bytes);
        }
        let needed = bytes.len() as u64;
        let mut chunk = match self.structures.take().filter(|chunk| chunk.has_room(needed)) {
            Some(chunk) => chunk,
            None => {
                let length = (CHUNK_HEADER + needed).next_multiple_of(CHUNK_HEADER).max(STRUCTURES_CHUNK);
                let Some(offset) = self.reserve(length) else {
                    return;
                };
                let header = empty_chunk(length);
                self.write(&header.encode(), offset);
                self.publish();
                StructuresChunk { offset, header, checksum: Checksum::default() }
            }
        };
        self.write(&bytes, chunk.offset + CHUNK_HEADER + chunk.header.used);
        chunk.checksum.add(chunk.header.used, &bytes);
        chunk.header.used += needed;
        chunk.header.checksum = chunk.checksum.finish(&chunk.header);
        // Number of bytes and checksum change at once.
        self.write(&chunk.header.encode(), chunk.offset);
        self.structures = Some(chunk);
    }

    /// Writes the length to the header.
    fn publish(&mut self) {
        let bytes = self.length.to_le_bytes();
        self.write(&bytes, BYTES_OFFSET);
    }

    fn write(&mut self, bytes: &[u8], offset: u64) {
        if let Err(error) = sys::write_at(self.descriptor, bytes, offset) {
            self.end(Ended::FileError, error);
        }
    }

    /// Recording ends here; the client goes on.
    fn end(&mut self, reason: Ended, error: Outcome) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(reason);
        if self.kept.is_none() {
            // If this fails, too, the tape says that it has no end.
            let _ = sys::write_at(self.descriptor, &(reason as u64).to_le_bytes(), ENDED_OFFSET);
        }
        let why: String = match reason {
            Ended::NoSpace if error == failure(errno::EDQUOT) => "the disk quota is used up".into(),
            Ended::NoSpace if error == failure(errno::EFBIG) => "the file may not grow (ulimit -f)".into(),
            Ended::NoSpace => "the disk is full".into(),
            Ended::IndicesExhausted => "there are no more indices for binary32 values".into(),
            _ => alloc::format!("the tape cannot be written (error {})", -error),
        };
        let directory = config::current().recording.as_ref().map(|files| files.directory_name());
        print::print(format_args!(
            "Recording to {} ends after {} operations: {why}. The program goes on; what was recorded can be evaluated.",
            directory.unwrap_or_default(),
            self.next_index - 1
        ));
    }
}

/// The header of a chunk without content.
fn empty_chunk(length: u64) -> ChunkHeader {
    ChunkHeader {
        length,
        kind: ChunkKind::Structures,
        thread: 0,
        used: 0,
        first_index: 0,
        last_index: 0,
        address: 0,
        checksum: 0,
    }
}

/// Adds structures to the tape; returns the number of the first.
pub fn add_structures(structures: &[Structure]) -> u32 {
    let mut tape = TAPE.lock();
    let first = tape.next_structure;
    if first + structures.len() as u32 > NUMBER_LIMIT {
        tape.end(Ended::IndicesExhausted, 0);
        return first;
    }
    tape.next_structure += structures.len() as u32;
    tape.all_structures.extend_from_slice(structures);
    if tape.kept.is_none() {
        tape.write_structures(first, structures);
    }
    first
}

/// The first index that is free, and how many chunks are closed. From now on chunks keep their lengths, so that they
/// can be used again.
pub fn end() -> (u64, usize) {
    let mut tape = TAPE.lock();
    tape.pinned = u64::MAX;
    (tape.next_index, tape.written.len())
}

pub fn written() -> Vec<Written> {
    TAPE.lock().written.clone()
}

/// Drops all closed chunks but the first `count`: what follows begins at `index` again. False if one of them holds what
/// was recorded before.
pub fn drop_behind(count: usize, index: u64) -> bool {
    let mut tape = TAPE.lock();
    if tape.written[count..].iter().any(|chunk| chunk.first_index < index) {
        return false;
    }
    for chunk in tape.written.split_off(count) {
        // An empty chunk, until it is used again.
        let field = |offset: u64| chunk.offset + offset;
        tape.write(&0u64.to_le_bytes(), field(CHECKSUM_OFFSET));
        tape.write(&0u64.to_le_bytes(), field(derivgrind_tape::format::USED_OFFSET));
        tape.write(&chunk.first_index.to_le_bytes(), field(derivgrind_tape::format::LAST_INDEX_OFFSET));
        tape.dropped.push((chunk.offset, chunk.length));
    }
    tape.next_index = index;
    true
}

/// Calls `visit` for all structures but the first `known`; returns how many there are.
pub fn for_each_structure(known: usize, mut visit: impl FnMut(u32, &Structure)) -> usize {
    let tape = TAPE.lock();
    for (number, structure) in tape.all_structures.iter().enumerate().skip(known) {
        visit(FIRST_RECORDED + number as u32, structure);
    }
    tape.all_structures.len()
}

/// Are there more indices than operands of 4 bytes can name?
pub fn has_wide_indices() -> bool {
    TAPE.lock().wide
}

/// True once, when indices have become wide.
pub fn take_widening() -> bool {
    core::mem::take(&mut TAPE.lock().widens)
}

/// Says in the header how recording ended, and cuts off what is not used.
pub fn finish(ended: Ended) {
    let mut tape = TAPE.lock();
    if tape.ended.is_some() {
        return;
    }
    tape.write(&(ended as u64).to_le_bytes(), ENDED_OFFSET);
    let length = tape.length;
    // SAFETY: the descriptor is the engine's.
    unsafe { call!(kernel::__NR_ftruncate, tape.descriptor, length) };
    let in_memory = config::current().recording.as_ref().is_some_and(|files| files.in_memory);
    if !in_memory && sys::is_deleted(tape.descriptor) {
        let directory = config::current().recording.as_ref().map(|files| files.directory_name());
        print::print(format_args!(
            "The tape in {} was deleted while the program was running: nothing is left of it.",
            directory.unwrap_or_default()
        ));
    }
}

/// The process has no file of its own: structures are not written until [`replace_file`].
pub fn keep_structures() {
    let mut tape = TAPE.lock();
    tape.kept = Some(tape.kept.unwrap_or(tape.all_structures.len()));
}

/// The process has a file of its own, which begins as the one before.
pub fn replace_file(descriptor: i32) {
    let mut tape = TAPE.lock();
    tape.descriptor = descriptor;
    if let Some(written) = tape.kept.take() {
        let rest = tape.all_structures[written..].to_vec();
        if !rest.is_empty() {
            tape.write_structures(FIRST_RECORDED + written as u32, &rest);
        }
    }
}

/// Has nothing been recorded?
pub fn is_empty() -> bool {
    TAPE.lock().next_index == 1
}

pub fn length() -> u64 {
    TAPE.lock().length
}

pub fn descriptor() -> i32 {
    TAPE.lock().descriptor
}

pub fn acquire_for_fork() {
    let mut tape = TAPE.lock();
    tape.pinned = tape.pinned.max(tape.length);
    core::mem::forget(tape);
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { TAPE.release() };
}
