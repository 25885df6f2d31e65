//! A small recorder for tests: tapes in memory, byte by byte.
#![allow(dead_code)] // Each test program uses a part of it.

use derivgrind_tape::checksum;
use derivgrind_tape::format::{ChunkHeader, ChunkKind, Ended, FileHeader, ThreadPosition};
use derivgrind_tape::format::{CHUNK_HEADER, PAGE, UNFINISHED};
use derivgrind_tape::structure::{Structure, FIRST_RECORDED, INPUT, OUTPUT, TWO_OPERANDS};

/// Address of executions in the imagined recording process.
const ADDRESS: u64 = 0x7000_0000_0000;

/// Bytes of a tape that grow.
pub struct Recorder {
    file: Vec<u8>,
    structures: Vec<u8>,
    next_number: u32,
    chunk: Vec<u8>,
    first_index: u64,
    next_index: u64,
    thread: u32,
    /// What lengths of chunks are multiples of.
    pub alignment: u64,
    /// Without, as the chunks of a client that was killed, a reader has to find out by itself what is wrong.
    pub has_checksums: bool,
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder {
            file: vec![0; PAGE as usize],
            structures: Vec::new(),
            next_number: FIRST_RECORDED,
            chunk: Vec::new(),
            first_index: 1,
            next_index: 1,
            thread: 0,
            alignment: PAGE,
            has_checksums: false,
        }
    }
}

impl Recorder {
    /// Describe a structure and give it a number.
    pub fn structure(&mut self, structure: &Structure) -> u32 {
        let number = self.next_number;
        self.next_number += 1;
        structure.encode(number, &mut self.structures);
        number
    }

    /// Write an execution; its results begin with the index that is returned.
    pub fn execute(&mut self, number: u32, results: u32, payload: &[u8]) -> u64 {
        self.chunk.extend_from_slice(payload);
        self.chunk.extend_from_slice(&number.to_le_bytes());
        let first = self.next_index;
        self.next_index += u64::from(results);
        first
    }

    pub fn input(&mut self) -> u64 {
        self.execute(INPUT, 1, &[])
    }

    pub fn output(&mut self, index: u64) -> u64 {
        self.execute(OUTPUT, 1, &index.to_le_bytes())
    }

    pub fn two_operands(&mut self, operands: [u64; 2], partials: [f64; 2]) -> u64 {
        let mut payload = Vec::new();
        payload.extend(operands.map(u64::to_le_bytes).concat());
        payload.extend(partials.map(f64::to_le_bytes).concat());
        self.execute(TWO_OPERANDS, 1, &payload)
    }

    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    /// Go on with a new chunk of `thread`, whose indices begin with `first_index`.
    pub fn next_chunk(&mut self, thread: u32, first_index: u64) {
        let used = self.chunk.len() as u64;
        let header = self.execution_header(used);
        let content = std::mem::take(&mut self.chunk);
        self.append(&header, &content);
        self.thread = thread;
        self.first_index = first_index;
        self.next_index = first_index;
    }

    /// Leave the chunk as a client leaves it that is killed. With `position`, there is a thread chunk. Then go on
    /// with a new one.
    pub fn kill(&mut self, position: bool, thread: u32, first_index: u64) {
        let offset = self.file.len() as u64;
        let header = self.execution_header(UNFINISHED);
        // Bytes of an execution that is not complete.
        let mut content = std::mem::take(&mut self.chunk);
        let used = content.len() as u64;
        content.extend_from_slice(&[0xab; 12]);
        self.append(&header, &content);
        if position {
            let position =
                ThreadPosition { position: ADDRESS + used, next_index: self.next_index, chunk: offset };
            self.thread_chunk(position);
        }
        self.thread = thread;
        self.first_index = first_index;
        self.next_index = first_index;
    }

    pub fn thread_chunk(&mut self, position: ThreadPosition) {
        let header = ChunkHeader {
            length: 0,
            kind: ChunkKind::Thread,
            thread: self.thread,
            used: 24,
            first_index: 0,
            last_index: 0,
            address: 0,
            checksum: 0,
        };
        self.append(&header, &position.encode());
    }

    /// A page that the recorder had reserved but not begun to use.
    pub fn blank_page(&mut self) {
        self.file.resize(self.file.len() + PAGE as usize, 0);
    }

    /// The whole tape.
    pub fn finish(mut self, ended: Ended) -> Vec<u8> {
        if !self.chunk.is_empty() {
            self.next_chunk(0, 0);
        }
        let structures = std::mem::take(&mut self.structures);
        if !structures.is_empty() {
            let header = ChunkHeader {
                length: 0,
                kind: ChunkKind::Structures,
                thread: 0,
                used: structures.len() as u64,
                first_index: 0,
                last_index: 0,
                address: 0,
                checksum: 0,
            };
            self.append(&header, &structures);
        }
        let header = FileHeader { ended: ended as u64, bytes: self.file.len() as u64, has_values: 0 };
        let header = header.encode();
        self.file[..header.len()].copy_from_slice(&header);
        self.file
    }

    fn execution_header(&self, used: u64) -> ChunkHeader {
        ChunkHeader {
            length: 0,
            kind: ChunkKind::Executions,
            thread: self.thread,
            used,
            first_index: self.first_index,
            last_index: if used == UNFINISHED { 0 } else { self.next_index },
            address: ADDRESS,
            checksum: 0,
        }
    }

    fn append(&mut self, header: &ChunkHeader, content: &[u8]) {
        let length = (CHUNK_HEADER + content.len() as u64).next_multiple_of(self.alignment);
        let end = self.file.len() + length as usize;
        let mut header = ChunkHeader { length, ..*header };
        if self.has_checksums && header.kind != ChunkKind::Thread && header.used != UNFINISHED {
            header.checksum = checksum::of(&header, &content[..header.used as usize]);
        }
        self.file.extend_from_slice(&header.encode());
        self.file.extend_from_slice(content);
        self.file.resize(end, 0);
    }
}
