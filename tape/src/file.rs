//! Tapes in files.
//!
//! A file is mapped and never read as a whole: sweeps go from chunk to chunk, so that a tape may be larger than memory.

use crate::blocks;
use crate::cell::Cell;
use crate::checksum::Checksum;
use crate::discovery::{discover, Chunks};
use crate::format::{ChunkHeader, Ended, CHUNK_HEADER, FILE_MAGIC};
use crate::generated::Generated;
use crate::mapping;
use crate::operations::{visit, Recorded};
use crate::pipeline::{self, Keeping, Memory, Stretch};
use crate::program::{Direction, Programs};
use crate::recycling::Recycler;
use crate::structure::{Structure, StructureError};
use crate::sweep::{sweep, Damage, DamageKind};
use crate::vector::CellVector;
use bytemuck::Pod;
use memmap2::Mmap;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A tape cannot be evaluated.
#[derive(Debug, Error)]
pub enum TapeError {
    #[error("cannot read the tape {path}: {error}", path = .path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{path} is no tape: {what}", path = .path.display())]
    NotATape { path: PathBuf, what: &'static str },
    #[error("the tape {path} is damaged at byte {offset}: {fault}", path = .path.display())]
    Damaged { path: PathBuf, offset: u64, fault: Fault },
    /// From the function that was given to [`Tape::visit`].
    #[error(transparent)]
    Visitor(#[from] io::Error),
}

/// What is wrong with a tape.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("the file ends here, but {0} bytes belong to the tape")]
    Short(u64),
    #[error("the tape has version {0}, and this program reads version 1")]
    Version(u32),
    #[error("the header has a length of {0} bytes instead of 4096")]
    HeaderLength(u32),
    #[error("{0} is no way in which recording ends")]
    Ended(u64),
    #[error("the tape cannot have a length of {0} bytes")]
    Bytes(u64),
    #[error("no chunk begins here")]
    NoChunk,
    #[error("a chunk of {0} bytes does not fit here")]
    ChunkLength(u64),
    #[error("{0} is no kind of chunk")]
    ChunkKind(u32),
    #[error("{0} bytes are not within the chunk")]
    Used(u64),
    #[error("two threads write to the chunk at byte {0}")]
    TwoThreads(u64),
    #[error("the thread that writes to this chunk is at address {0:#x}, outside of it")]
    Position(u64),
    #[error("the chunk cannot have these indices")]
    Indices,
    #[error("the chunk has indices that also the chunk at byte {0} has")]
    Overlap(u64),
    #[error("the chunk is not as it was recorded: its checksum is another one")]
    Checksum,
    #[error("an operand of this block has an index that is not smaller than the block's")]
    BlockOrder,
    #[error("{0}")]
    Structure(StructureError),
    #[error("{0}")]
    Executions(DamageKind),
}

/// The part of a chunk of executions that is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionChunk {
    /// File offset of the first execution.
    pub offset: u64,
    pub bytes: u64,
    pub indices: Range<u64>,
    pub header: ChunkHeader,
    /// Whether the recorder has finished it; else the client was killed.
    pub is_finished: bool,
}

/// How the operations are stored.
enum Content {
    Chunks(Chunks),
    /// The classic layout: so many blocks, the dummy included.
    Blocks(u64),
}

/// A tape in a file.
pub struct Tape {
    path: PathBuf,
    map: Mmap,
    content: Content,
}

impl Tape {
    /// Map the file and check its headers and structures.
    pub fn open(path: &Path) -> Result<Tape, TapeError> {
        let unreadable = |error| TapeError::Unreadable { path: path.to_path_buf(), error };
        let not_a_tape = |what| TapeError::NotATape { path: path.to_path_buf(), what };
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(not_a_tape("it is not a regular file"));
        }
        if metadata.len() == 0 {
            return Err(not_a_tape("it is empty"));
        }
        let map = mapping::map_file(&file, metadata.len()).map_err(unreadable)?;
        let content = if map.starts_with(&FILE_MAGIC) {
            let chunks = discover(&map);
            Content::Chunks(chunks.map_err(|(offset, fault)| TapeError::Damaged {
                path: path.to_path_buf(),
                offset,
                fault,
            })?)
        } else if map.starts_with(&[0; blocks::BLOCK]) {
            Content::Blocks((map.len() / blocks::BLOCK) as u64)
        } else {
            return Err(not_a_tape("it begins neither with DGTAPE nor with a block of 32 zero bytes"));
        };
        Ok(Tape { path: path.to_path_buf(), map, content })
    }

    pub fn is_classic(&self) -> bool {
        matches!(self.content, Content::Blocks(_))
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.map.len() as u64
    }

    /// How recording ended; the classic layout does not say it, and has at most an incomplete block at the end.
    pub fn ended(&self) -> Ended {
        match &self.content {
            Content::Chunks(chunks) => chunks.ended,
            Content::Blocks(_) if self.map.len() % blocks::BLOCK != 0 => Ended::NotAtAll,
            Content::Blocks(_) => Ended::Completely,
        }
    }

    /// The index behind the last one.
    pub fn indices(&self) -> u64 {
        match &self.content {
            Content::Chunks(chunks) => chunks.executions.last().map_or(1, |chunk| chunk.indices.end),
            Content::Blocks(count) => *count,
        }
    }

    /// Chunks of executions that are not empty, in the order of their indices; none in the classic layout.
    pub fn chunks(&self) -> &[ExecutionChunk] {
        match &self.content {
            Content::Chunks(chunks) => &chunks.executions,
            Content::Blocks(_) => &[],
        }
    }

    /// Structures by their numbers, the fixed ones included; none in the classic layout.
    pub fn structures(&self) -> Option<&BTreeMap<u32, Structure>> {
        match &self.content {
            Content::Chunks(chunks) => Some(&chunks.structures),
            Content::Blocks(_) => None,
        }
    }

    /// How many threads have written chunks; 1 in the classic layout.
    pub fn threads(&self) -> usize {
        match &self.content {
            Content::Chunks(chunks) => chunks.threads,
            Content::Blocks(_) => 1,
        }
    }

    /// Bytes that a sweep goes through.
    pub fn swept_bytes(&self) -> u64 {
        match &self.content {
            Content::Chunks(chunks) => chunks.executions.iter().map(|chunk| chunk.bytes).sum(),
            Content::Blocks(count) => (count - 1) * blocks::BLOCK as u64,
        }
    }

    /// Evaluate. `cells` are those of all indices and hold the seeds; `progress` is told bytes that are done. Panics if
    /// there are fewer cells than [`Tape::indices`].
    pub fn sweep<C: Cell>(
        &self,
        direction: Direction,
        cells: &mut [C],
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), TapeError> {
        assert!(cells.len() as u64 >= self.indices(), "there is a cell for each index");
        let programs = self.programs(direction)?;
        for stretch in self.stretches(direction) {
            self.sweep_stretch(&programs, &stretch, cells)?;
            progress(stretch.bytes as u64);
        }
        Ok(())
    }

    /// The same with a second thread, and in a reverse sweep with memory only for adjoints that are in use: afterwards
    /// only the cells of `kept` indices, which ascend, have their values.
    pub fn sweep_in_pipeline<C: Cell + Pod>(
        &self,
        direction: Direction,
        cells: &mut CellVector<C>,
        kept: &[u64],
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), TapeError> {
        assert!(cells.len() as u64 >= self.indices(), "there is a cell for each index");
        let stretches = self.stretches(direction);
        let is_simple = C::IS_ONE_COLUMN && direction == Direction::Reverse;
        let structures = self.structures().filter(|_| is_simple);
        let single = structures.map(|_| self.programs(Direction::Reverse)).transpose()?;
        let generated = structures.zip(single.as_ref());
        let mut generated = generated.and_then(|(structures, single)| Generated::new(structures, single));
        let programs = match generated {
            Some(_) => Programs::new(direction),
            None => self.programs(direction)?,
        };
        let is_recycled = generated.is_some() && cells.is_memory() && pipeline::is_long(&stretches);
        let mut recycler = is_recycled.then(|| Recycler::new(cells.place(), kept)).flatten();
        let memory = match recycler {
            Some(_) => Memory::Recycled,
            None => Memory::Managed,
        };
        let kept_by = Keeping { memory, kept };
        pipeline::run(&self.map, &stretches, direction, cells, &kept_by, |stretch, cells| {
            let mut passed = |indices| {
                if let Some(recycler) = &mut recycler {
                    recycler.passed(indices);
                }
            };
            match &mut generated {
                Some(generated) => self.sweep_generated(generated, stretch, cells, kept, &mut passed)?,
                None => self.sweep_stretch(&programs, stretch, cells)?,
            }
            progress(stretch.bytes as u64);
            Ok(())
        })
    }

    fn sweep_generated<C: Cell + Pod>(
        &self,
        generated: &mut Generated,
        stretch: &Stretch,
        cells: &mut [C],
        kept: &[u64],
        passed: &mut dyn FnMut(Range<u64>),
    ) -> Result<(), TapeError> {
        for chunk in self.chunks()[stretch.chunks.clone()].iter().rev() {
            let cells = bytemuck::cast_slice_mut(cells);
            let swept = generated.sweep(self.executions(chunk), chunk.indices.clone(), cells, kept, passed);
            let checksum = swept.map_err(|damage| self.execution_error(chunk, damage))?;
            self.check(chunk, checksum)?;
        }
        Ok(())
    }

    /// Is the chunk, whose executions have this checksum, as it was recorded?
    fn check(&self, chunk: &ExecutionChunk, checksum: Checksum) -> Result<(), TapeError> {
        let recorded = chunk.header.checksum;
        if chunk.is_finished && recorded != 0 && recorded != checksum.finish(&chunk.header) {
            return Err(self.damaged(chunk.offset - CHUNK_HEADER, Fault::Checksum));
        }
        Ok(())
    }

    fn check_executions(&self, chunk: &ExecutionChunk) -> Result<(), TapeError> {
        let mut checksum = Checksum::default();
        checksum.add(0, self.executions(chunk));
        self.check(chunk, checksum)
    }

    fn programs<C: Cell>(&self, direction: Direction) -> Result<Programs<C>, TapeError> {
        let programs = match &self.content {
            Content::Chunks(chunks) => Programs::of(direction, &chunks.structures),
            Content::Blocks(_) => Ok(Programs::new(direction)),
        };
        programs.map_err(|error| self.damaged(0, Fault::Structure(error)))
    }

    fn sweep_stretch<C: Cell>(
        &self,
        programs: &Programs<C>,
        stretch: &Stretch,
        cells: &mut [C],
    ) -> Result<(), TapeError> {
        match &self.content {
            Content::Chunks(chunks) => {
                let count = stretch.chunks.len();
                for position in 0..count {
                    let position = match programs.direction() {
                        Direction::Forward => position,
                        Direction::Reverse => count - 1 - position,
                    };
                    let chunk = &chunks.executions[stretch.chunks.start + position];
                    self.check_executions(chunk)?;
                    let swept = sweep(programs, self.executions(chunk), chunk.indices.clone(), cells);
                    swept.map_err(|damage| self.execution_error(chunk, damage))?;
                }
                Ok(())
            }
            Content::Blocks(_) => {
                let swept = blocks::sweep(&self.map, stretch.indices.clone(), programs.direction(), cells);
                swept.map_err(|block| self.block_error(block))
            }
        }
    }

    fn stretches(&self, direction: Direction) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = match &self.content {
            Content::Chunks(chunks) => stretches(&chunks.executions),
            Content::Blocks(count) => blocks::stretches(*count),
        };
        if direction == Direction::Reverse {
            stretches.reverse();
        }
        stretches
    }

    /// Show all operations, in ascending order of their indices.
    pub fn visit(&self, visitor: &mut dyn FnMut(&Recorded) -> io::Result<()>) -> Result<(), TapeError> {
        let Content::Chunks(chunks) = &self.content else {
            return blocks::visit(&self.map, |block| self.block_error(block), visitor);
        };
        for chunk in &chunks.executions {
            self.check_executions(chunk)?;
            let visited = visit(
                &chunks.structures,
                self.executions(chunk),
                chunk.indices.clone(),
                |recorded| -> Result<(), Interruption> { Ok(visitor(recorded)?) },
            );
            visited.map_err(|interruption| match interruption {
                Interruption::Damage(damage) => self.execution_error(chunk, damage),
                Interruption::Visitor(error) => TapeError::Visitor(error),
            })?;
        }
        Ok(())
    }

    fn executions(&self, chunk: &ExecutionChunk) -> &[u8] {
        &self.map[chunk.offset as usize..(chunk.offset + chunk.bytes) as usize]
    }

    fn execution_error(&self, chunk: &ExecutionChunk, damage: Damage) -> TapeError {
        self.damaged(chunk.offset + damage.offset as u64, Fault::Executions(damage.kind))
    }

    fn block_error(&self, block: u64) -> TapeError {
        self.damaged(block * blocks::BLOCK as u64, Fault::BlockOrder)
    }

    fn damaged(&self, offset: u64, fault: Fault) -> TapeError {
        TapeError::Damaged { path: self.path.clone(), offset, fault }
    }
}

/// Chunks with at least so many bytes are a stretch; smaller ones are put together.
const STRETCH: u64 = 2 << 20;
/// The memory of chunks with fewer bytes is not managed chunk by chunk.
const LARGE: u64 = 64 << 10;

/// Put chunks together, which are in the order of their indices.
fn stretches(chunks: &[ExecutionChunk]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for (position, chunk) in chunks.iter().enumerate() {
        let offset = chunk.offset as usize;
        let part = (chunk.bytes >= LARGE).then(|| offset..offset + chunk.bytes as usize);
        match stretches.last_mut() {
            Some(last) if (last.bytes as u64) < STRETCH && chunk.bytes < STRETCH => {
                last.bytes += chunk.bytes as usize;
                last.indices.end = chunk.indices.end;
                last.chunks.end = position + 1;
                last.parts.extend(part);
            }
            _ => stretches.push(Stretch {
                bytes: chunk.bytes as usize,
                indices: chunk.indices.clone(),
                chunks: position..position + 1,
                parts: part.into_iter().collect(),
            }),
        }
    }
    stretches
}

/// Why a visit stopped.
enum Interruption {
    Damage(Damage),
    Visitor(io::Error),
}

impl From<Damage> for Interruption {
    fn from(damage: Damage) -> Interruption {
        Interruption::Damage(damage)
    }
}

impl From<io::Error> for Interruption {
    fn from(error: io::Error) -> Interruption {
        Interruption::Visitor(error)
    }
}
