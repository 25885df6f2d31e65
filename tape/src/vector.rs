//! The cells of all indices: in memory, or in a file without a name when they need more than there is.

use crate::mapping::{self, map_memory, map_own_file};
use crate::pipeline::bytes_of;
use bytemuck::Pod;
use memmap2::MmapMut;
use rustix::fs::{FallocateFlags, OFlags};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Range};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The cells cannot be had.
#[derive(Debug, Error)]
pub enum VectorError {
    #[error("an adjoint vector of {0} bytes cannot be had in memory: {1}")]
    Memory(u64, io::Error),
    #[error("an adjoint vector of {0} bytes cannot be had in the file {path}: {2}", path = .1.display())]
    File(u64, PathBuf, io::Error),
    #[error("an adjoint vector for {0} indices is larger than the address space")]
    Size(u64),
}

/// Where the cells live.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    Memory,
    /// In a new file in this directory, which has no name.
    Directory(&'a Path),
    /// In this file, which is created or overwritten, and is gone once it is mapped.
    File(&'a Path),
}

/// As many cells as a tape has indices, all zero at first.
pub struct CellVector<C> {
    map: MmapMut,
    length: usize,
    is_file: bool,
    cells: PhantomData<C>,
}

impl<C: Pod> CellVector<C> {
    pub fn new(indices: u64, place: Place) -> Result<CellVector<C>, VectorError> {
        let bytes = indices.checked_mul(size_of::<C>() as u64).filter(|bytes| *bytes < 1 << 47);
        let bytes = bytes.ok_or(VectorError::Size(indices))?;
        let length = bytes.max(1) as usize;
        let map = match place {
            Place::Memory => map_memory(length).map_err(|error| VectorError::Memory(bytes, error))?,
            Place::Directory(path) => {
                map_new(path, length, open_unnamed).map_err(|error| file_error(bytes, path, error))?
            }
            Place::File(path) => {
                map_new(path, length, open_named).map_err(|error| file_error(bytes, path, error))?
            }
        };
        let is_file = !matches!(place, Place::Memory);
        Ok(CellVector { map, length: indices as usize, is_file, cells: PhantomData })
    }

    /// Set all cells to zero.
    pub fn clear(&mut self) {
        let cells: &mut [C] = self;
        cells.fill(C::zeroed());
    }

    pub(crate) fn place(&self) -> mapping::Place {
        mapping::Place::of(&self.map)
    }

    /// Whether they are in memory, and not in a file.
    pub(crate) fn is_memory(&self) -> bool {
        !self.is_file
    }

    /// Give back memory of these cells, except for those of `kept` indices, which ascend. Cells that are given back are
    /// zero. Returns the first index from which on everything was given back that can be.
    pub(crate) fn discard(&mut self, indices: Range<u64>, kept: &[u64]) -> u64 {
        let first = kept.partition_point(|index| *index < indices.start);
        let kept = kept[first..].iter().copied().take_while(|index| *index < indices.end);
        let mut start = indices.start;
        let mut lowest = None;
        for end in kept.chain([indices.end]) {
            if start < end {
                let part = mapping::discard(&mut self.map, bytes_of::<C>(&(start..end)), self.is_file);
                if !part.is_empty() {
                    lowest = lowest.or(Some((part.start / size_of::<C>()) as u64));
                }
            }
            start = end + 1;
        }
        lowest.unwrap_or(indices.end)
    }
}

fn file_error(bytes: u64, path: &Path, error: io::Error) -> VectorError {
    VectorError::File(bytes, path.to_path_buf(), error)
}

fn map_new(path: &Path, length: usize, open: fn(&Path) -> io::Result<File>) -> io::Result<MmapMut> {
    let file = open(path)?;
    // With space that is only promised, a full disk would end the program by a signal.
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, length as u64)?;
    map_own_file(&file, length)
}

fn open_unnamed(directory: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlags::TMPFILE.bits() as i32)
        .mode(0o600)
        .open(directory)
}

fn open_named(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    fs::remove_file(path)?;
    Ok(file)
}

impl<C: Pod> Deref for CellVector<C> {
    type Target = [C];

    fn deref(&self) -> &[C] {
        &bytemuck::cast_slice(&self.map[..self.length * size_of::<C>()])[..self.length]
    }
}

impl<C: Pod> DerefMut for CellVector<C> {
    fn deref_mut(&mut self) -> &mut [C] {
        &mut bytemuck::cast_slice_mut(&mut self.map[..self.length * size_of::<C>()])[..self.length]
    }
}
