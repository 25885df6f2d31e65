//! The classic layout: block *i* of 32 bytes for index *i*, two operands and two partial derivatives.

use crate::cell::Cell;
use crate::file::TapeError;
use crate::operations::Recorded;
use crate::pipeline::Stretch;
use crate::program::Direction;
use crate::structure::Function;
use std::io::{self, Write};
use std::ops::Range;

/// Bytes of a block.
pub const BLOCK: usize = 32;

/// Blocks of a stretch.
const STRETCH: usize = 1 << 20;

/// Two operands, and the bits of two partial derivatives.
#[derive(Clone, Copy)]
struct Block {
    operands: [u64; 2],
    partials: [f64; 2],
}

fn block(file: &[u8], index: usize) -> Block {
    let words: [u64; 4] = bytemuck::pod_read_unaligned(&file[BLOCK * index..BLOCK * (index + 1)]);
    Block { operands: [words[0], words[1]], partials: [f64::from_bits(words[2]), f64::from_bits(words[3])] }
}

/// The whole layout in stretches.
pub(crate) fn stretches(count: u64) -> Vec<Stretch> {
    let starts = (1..count).step_by(STRETCH);
    let stretch = |start: u64| {
        let end = count.min(start + STRETCH as u64);
        let (offset, bytes) = (start as usize * BLOCK, (end - start) as usize * BLOCK);
        let part = offset..offset + bytes;
        Stretch { bytes, indices: start..end, chunks: 0..0, parts: vec![part] }
    };
    starts.map(stretch).collect()
}

/// Evaluate blocks; the error is the number of one whose operands are not smaller than itself.
pub(crate) fn sweep<C: Cell>(
    file: &[u8],
    blocks: Range<u64>,
    direction: Direction,
    cells: &mut [C],
) -> Result<(), u64> {
    for position in blocks.clone() {
        let index = match direction {
            Direction::Forward => position,
            Direction::Reverse => blocks.end - 1 - (position - blocks.start),
        } as usize;
        let (below, above) = cells.split_at_mut(index);
        let block = block(file, index);
        match direction {
            Direction::Forward => forward(&block, below, &mut above[0]),
            Direction::Reverse => reverse(&block, below, &above[0]),
        }
        .ok_or(index as u64)?;
    }
    Ok(())
}

#[inline(always)]
fn reverse<C: Cell>(block: &Block, below: &mut [C], bar: &C) -> Option<()> {
    if bar.is_zero() {
        return Some(());
    }
    for (operand, partial) in block.operands.into_iter().zip(block.partials) {
        let cell = below.get_mut(usize::try_from(operand).ok()?)?;
        if operand != 0 {
            cell.add_scaled(partial, bar);
        }
    }
    Some(())
}

#[inline(always)]
fn forward<C: Cell>(block: &Block, below: &[C], dot: &mut C) -> Option<()> {
    for (operand, partial) in block.operands.into_iter().zip(block.partials) {
        let cell = below.get(usize::try_from(operand).ok()?)?;
        if operand != 0 && !cell.is_zero() {
            dot.add_scaled(partial, cell);
        }
    }
    Some(())
}

/// Show all blocks but the dummy; `error` makes the error of a block whose operands are not smaller than itself.
pub(crate) fn visit(
    file: &[u8],
    error: impl Fn(u64) -> TapeError,
    visitor: &mut dyn FnMut(&Recorded) -> io::Result<()>,
) -> Result<(), TapeError> {
    for index in 1..file.len() / BLOCK {
        let block = block(file, index);
        let index = index as u64;
        if block.operands.iter().any(|operand| *operand >= index) {
            return Err(error(index));
        }
        let function = if block.operands == [0; 2] { Function::Input } else { Function::Linear };
        let Block { operands, partials } = block;
        visitor(&Recorded { index, function, operands, partials, structure: 0, address: 0 })?;
    }
    Ok(())
}

/// Writes operations as blocks.
pub struct BlockWriter<W> {
    output: W,
    next: u64,
}

impl<W: Write> BlockWriter<W> {
    /// Begins with the dummy block.
    pub fn new(mut output: W) -> io::Result<BlockWriter<W>> {
        output.write_all(&[0; BLOCK])?;
        Ok(BlockWriter { output, next: 1 })
    }

    /// Write one operation. Indices must ascend; for those that are left out an input is written.
    pub fn write(&mut self, recorded: &Recorded) -> io::Result<()> {
        self.skip_to(recorded.index)?;
        let words = [
            recorded.operands[0],
            recorded.operands[1],
            recorded.partials[0].to_bits(),
            recorded.partials[1].to_bits(),
        ];
        self.output.write_all(bytemuck::cast_slice(&words.map(u64::to_le)))?;
        self.next += 1;
        Ok(())
    }

    /// Write inputs up to the one before `index`.
    pub fn skip_to(&mut self, index: u64) -> io::Result<()> {
        while self.next < index {
            self.output.write_all(&[0; BLOCK])?;
            self.next += 1;
        }
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.output.flush()
    }
}
