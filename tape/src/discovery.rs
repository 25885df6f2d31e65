//! Finds the chunks of a tape and checks everything that can be checked without reading the executions.

use crate::checksum;
use crate::file::{ExecutionChunk, Fault};
use crate::format::{read_u32, read_u64, ChunkHeader, ChunkKind, Ended, FileHeader, ThreadPosition};
use crate::format::{CHUNK_HEADER, CHUNK_MAGIC, PAGE, UNFINISHED, VERSION};
use crate::program::{Direction, Programs};
use crate::structure::{Structure, StructureError};
use crate::sweep::count_results;
use std::collections::BTreeMap;

/// A fault and its offset in the file.
type Located = (u64, Fault);

/// What a tape consists of.
pub struct Chunks {
    pub ended: Ended,
    pub structures: BTreeMap<u32, Structure>,
    /// Those that are not empty, in the order of their indices.
    pub executions: Vec<ExecutionChunk>,
    pub threads: usize,
}

/// Read the headers of the file and of all its chunks.
pub fn discover(file: &[u8]) -> Result<Chunks, Located> {
    let header = file_header(file)?;
    let ended = Ended::from_number(header.ended).ok_or((16, Fault::Ended(header.ended)))?;
    let chunks = chunk_headers(file, &header, ended)?;
    let structures = structures(file, &chunks)?;
    let positions = thread_positions(file, &chunks)?;
    let mut threads: Vec<u32> = chunks.iter().map(|(_, chunk)| chunk.thread).collect();
    threads.sort_unstable();
    threads.dedup();
    let mut executions = Vec::new();
    for (offset, chunk) in &chunks {
        if chunk.kind == ChunkKind::Executions {
            executions.extend(execution_chunk(file, *offset, chunk, &positions, &structures)?);
        }
    }
    executions.sort_by_key(|chunk| chunk.indices.start);
    check_order(&executions)?;
    Ok(Chunks { ended, structures, executions, threads: threads.len() })
}

fn file_header(file: &[u8]) -> Result<FileHeader, Located> {
    let short = (file.len() as u64, Fault::Short(PAGE));
    let (Some(version), Some(length)) = (read_u32(file, 8), read_u32(file, 12)) else {
        return Err(short);
    };
    if version != VERSION {
        return Err((8, Fault::Version(version)));
    }
    if u64::from(length) != PAGE {
        return Err((12, Fault::HeaderLength(length)));
    }
    let (Some(ended), Some(bytes), Some(has_values)) =
        (read_u64(file, 16), read_u64(file, 24), read_u64(file, 32))
    else {
        return Err(short);
    };
    if bytes < PAGE || bytes % CHUNK_HEADER != 0 {
        return Err((24, Fault::Bytes(bytes)));
    }
    if bytes > file.len() as u64 {
        return Err((file.len() as u64, Fault::Short(bytes)));
    }
    Ok(FileHeader { ended, bytes, has_values })
}

fn chunk_headers(file: &[u8], header: &FileHeader, ended: Ended) -> Result<Vec<(u64, ChunkHeader)>, Located> {
    let mut chunks = Vec::new();
    let mut offset = PAGE;
    while offset < header.bytes {
        let start = offset as usize;
        let is_blank = file[start..start + CHUNK_HEADER as usize].iter().all(|byte| *byte == 0);
        if is_blank && ended != Ended::Completely {
            // The recorder had the room, but had not yet begun to use it.
            offset += CHUNK_HEADER;
            continue;
        }
        let chunk = chunk_header(&file[start..header.bytes as usize]);
        let chunk = chunk.map_err(|(within, fault)| (offset + within, fault))?;
        chunks.push((offset, chunk));
        offset += chunk.length;
    }
    Ok(chunks)
}

/// The header of the chunk that begins with `bytes`, which are at least a header.
fn chunk_header(bytes: &[u8]) -> Result<ChunkHeader, Located> {
    if bytes[..8] != CHUNK_MAGIC {
        return Err((0, Fault::NoChunk));
    }
    let word = |offset| read_u64(bytes, offset).unwrap_or_default();
    let half = |offset| read_u32(bytes, offset).unwrap_or_default();
    let length = word(8);
    if length < CHUNK_HEADER || length % CHUNK_HEADER != 0 || length > bytes.len() as u64 {
        return Err((8, Fault::ChunkLength(length)));
    }
    let kind = ChunkKind::from_number(half(16)).ok_or((16, Fault::ChunkKind(half(16))))?;
    let used = word(24);
    let may_be_unfinished = kind == ChunkKind::Executions && used == UNFINISHED;
    if used > length - CHUNK_HEADER && !may_be_unfinished {
        return Err((24, Fault::Used(used)));
    }
    Ok(ChunkHeader {
        length,
        kind,
        thread: half(20),
        used,
        first_index: word(32),
        last_index: word(40),
        address: word(48),
        checksum: word(56),
    })
}

fn structures(file: &[u8], chunks: &[(u64, ChunkHeader)]) -> Result<BTreeMap<u32, Structure>, Located> {
    let mut structures: BTreeMap<u32, Structure> = Structure::fixed().into_iter().collect();
    for (offset, chunk) in chunks {
        if chunk.kind != ChunkKind::Structures {
            continue;
        }
        let mut start = offset + CHUNK_HEADER;
        let end = start + chunk.used;
        if !is_whole(chunk, &file[start as usize..end as usize]) {
            return Err((*offset, Fault::Checksum));
        }
        while start < end {
            let located = |error| (start, Fault::Structure(error));
            let entry = &file[start as usize..end as usize];
            let (number, structure) = Structure::decode(entry).map_err(located)?;
            let length = structure.encoded_length() as u64;
            if structures.insert(number, structure).is_some() {
                return Err(located(StructureError::Twice(number)));
            }
            start += length;
        }
    }
    Ok(structures)
}

/// Is the content what the checksum is of, if there is one?
fn is_whole(chunk: &ChunkHeader, content: &[u8]) -> bool {
    chunk.checksum == 0 || chunk.checksum == checksum::of(chunk, content)
}

fn thread_positions(
    file: &[u8],
    chunks: &[(u64, ChunkHeader)],
) -> Result<BTreeMap<u64, ThreadPosition>, Located> {
    let mut positions = BTreeMap::new();
    for (offset, chunk) in chunks {
        if chunk.kind != ChunkKind::Thread {
            continue;
        }
        if chunk.checksum != 0 {
            // It was of another kind.
            return Err((*offset, Fault::Checksum));
        }
        if chunk.used < 24 {
            continue;
        }
        let start = (offset + CHUNK_HEADER) as usize;
        let word = |word: usize| read_u64(file, start + 8 * word).unwrap_or_default();
        let position = ThreadPosition { position: word(0), next_index: word(1), chunk: word(2) };
        if position.chunk != 0 && positions.insert(position.chunk, position).is_some() {
            return Err((offset + CHUNK_HEADER + 16, Fault::TwoThreads(position.chunk)));
        }
    }
    Ok(positions)
}

/// What can be evaluated of a chunk of executions; none if it is empty.
fn execution_chunk(
    file: &[u8],
    offset: u64,
    chunk: &ChunkHeader,
    positions: &BTreeMap<u64, ThreadPosition>,
    structures: &BTreeMap<u32, Structure>,
) -> Result<Option<ExecutionChunk>, Located> {
    let start = offset + CHUNK_HEADER;
    let is_finished = chunk.used != UNFINISHED;
    let used = match (is_finished, positions.get(&offset)) {
        (true, _) => chunk.used,
        (false, None) => 0,
        (false, Some(position)) => {
            let used = position.position.wrapping_sub(chunk.address);
            if used > chunk.length - CHUNK_HEADER {
                return Err((offset, Fault::Position(position.position)));
            }
            used
        }
    };
    if used == 0 {
        return Ok(None);
    }
    if chunk.first_index == 0 {
        return Err((offset + 32, Fault::Indices));
    }
    let last_index = if is_finished {
        chunk.last_index
    } else {
        let executions = &file[start as usize..(start + used) as usize];
        let programs = lengths(structures).map_err(|error| (offset, Fault::Structure(error)))?;
        let results = count_results(&programs, executions);
        let results =
            results.map_err(|damage| (start + damage.offset as u64, Fault::Executions(damage.kind)))?;
        chunk.first_index.checked_add(results).ok_or((offset + 32, Fault::Indices))?
    };
    let count = last_index.checked_sub(chunk.first_index).ok_or((offset + 40, Fault::Indices))?;
    let most = structures
        .values()
        .map(|structure| f64::from(structure.results) / (f64::from(structure.payload) + 4.0))
        .fold(0.0, f64::max);
    // Before an adjoint vector is made for them; whether the number is right, the sweep finds out.
    if count as f64 > used as f64 * most + 1.0 {
        return Err((offset + 40, Fault::Indices));
    }
    let indices = chunk.first_index..last_index;
    let header = *chunk;
    Ok(Some(ExecutionChunk { offset: start, bytes: used, indices, header, is_finished }))
}

/// Programs of which only the lengths are needed.
fn lengths(structures: &BTreeMap<u32, Structure>) -> Result<Programs<[f64; 1]>, StructureError> {
    Programs::of(Direction::Reverse, structures)
}

fn check_order(executions: &[ExecutionChunk]) -> Result<(), Located> {
    for pair in executions.windows(2) {
        if pair[1].indices.start < pair[0].indices.end {
            return Err((pair[1].offset - CHUNK_HEADER + 32, Fault::Overlap(pair[0].offset - CHUNK_HEADER)));
        }
    }
    Ok(())
}
