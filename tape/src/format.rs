//! Headers of the file and of its chunks: constants, offsets, encoding.

/// First bytes of a tape.
pub const FILE_MAGIC: [u8; 8] = *b"DGTAPE\r\n";
/// First bytes of a chunk.
pub const CHUNK_MAGIC: [u8; 8] = *b"DGCHUNK\n";
/// Version of the format.
pub const VERSION: u32 = 1;
/// Bytes of the header of the file.
pub const PAGE: u64 = 4096;
/// Bytes of the header of a chunk.
pub const CHUNK_HEADER: u64 = 64;
/// Value of [`ChunkHeader::used`] while a chunk is being written.
pub const UNFINISHED: u64 = u64::MAX;
/// Offset of [`FileHeader::ended`].
pub const ENDED_OFFSET: u64 = 16;
/// Offset of [`FileHeader::bytes`].
pub const BYTES_OFFSET: u64 = 24;
/// Offset of [`ChunkHeader::used`] in a chunk.
pub const USED_OFFSET: u64 = 24;
/// Offset of [`ChunkHeader::last_index`] in a chunk.
pub const LAST_INDEX_OFFSET: u64 = 40;

/// Offset of [`ChunkHeader::checksum`] in a chunk.
pub const CHECKSUM_OFFSET: u64 = 56;

/// How recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Ended {
    /// Recording goes on, or the client was killed.
    NotAtAll = 0,
    Completely = 1,
    /// Disk full or quota.
    NoSpace = 2,
    /// Another error of the file.
    FileError = 3,
    IndicesExhausted = 4,
}

impl Ended {
    pub fn from_number(number: u64) -> Option<Ended> {
        match number {
            0 => Some(Ended::NotAtAll),
            1 => Some(Ended::Completely),
            2 => Some(Ended::NoSpace),
            3 => Some(Ended::FileError),
            4 => Some(Ended::IndicesExhausted),
            _ => None,
        }
    }

    /// Why a tape is not complete.
    pub fn reason(self) -> Option<&'static str> {
        Some(match self {
            Ended::Completely => return None,
            Ended::NotAtAll => "the program is still running, or was killed",
            Ended::NoSpace => "the disk or a quota was full",
            Ended::FileError => "it could not be written any more",
            Ended::IndicesExhausted => "there were no more indices",
        })
    }
}

/// The header of the file, without what is the same in all files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// [`Ended`] as a number.
    pub ended: u64,
    /// Bytes of the file that hold chunks, this header included.
    pub bytes: u64,
    /// 1 if values of results were recorded.
    pub has_values: u64,
}

impl FileHeader {
    /// The first 40 bytes of the file; zeros follow.
    pub fn encode(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..8].copy_from_slice(&FILE_MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&(PAGE as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.ended.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.has_values.to_le_bytes());
        bytes
    }
}

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ChunkKind {
    Structures = 1,
    Executions = 2,
    Thread = 3,
}

impl ChunkKind {
    pub fn from_number(number: u32) -> Option<ChunkKind> {
        match number {
            1 => Some(ChunkKind::Structures),
            2 => Some(ChunkKind::Executions),
            3 => Some(ChunkKind::Thread),
            _ => None,
        }
    }
}

/// The header of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    /// Bytes of the chunk, this header included.
    pub length: u64,
    pub kind: ChunkKind,
    /// Number of the recording thread.
    pub thread: u32,
    /// Bytes behind this header that are valid, or [`UNFINISHED`].
    pub used: u64,
    /// Executions: index of the first result.
    pub first_index: u64,
    /// Executions: the index behind the last result, once `used` is known.
    pub last_index: u64,
    /// Executions: address of the first byte behind this header in the recording process.
    pub address: u64,
    /// Of content and header, see [`crate::checksum`]; 0: none.
    pub checksum: u64,
}

impl ChunkHeader {
    pub fn encode(&self) -> [u8; CHUNK_HEADER as usize] {
        let mut bytes = [0; CHUNK_HEADER as usize];
        bytes[..8].copy_from_slice(&CHUNK_MAGIC);
        bytes[8..16].copy_from_slice(&self.length.to_le_bytes());
        bytes[16..20].copy_from_slice(&(self.kind as u32).to_le_bytes());
        bytes[20..24].copy_from_slice(&self.thread.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.used.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.first_index.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.last_index.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.address.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.checksum.to_le_bytes());
        bytes
    }
}

/// Content of a thread chunk: how far a thread has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadPosition {
    /// Address in the recording process behind the last complete execution.
    pub position: u64,
    pub next_index: u64,
    /// File offset of the chunk of executions that the thread writes to; 0: none.
    pub chunk: u64,
}

impl ThreadPosition {
    pub fn encode(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.position.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.next_index.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.chunk.to_le_bytes());
        bytes
    }
}

/// A little-endian number at `offset`, if it lies within `bytes`.
pub fn read_u64(bytes: &[u8], offset: usize) -> Option<u64> {
    let part = bytes.get(offset..offset.checked_add(8)?)?;
    Some(u64::from_le_bytes(part.try_into().ok()?))
}

/// A little-endian number at `offset`, if it lies within `bytes`.
pub fn read_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    let part = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(part.try_into().ok()?))
}
