//! Sweeps over whole tapes: while a stretch is swept, a second thread brings in the memory of the next ones.
//!
//! What is expensive in a sweep over a long tape are not the operations but the first accesses to memory: page tables
//! of the tape, and pages of zeros for adjoints. Both can be done ahead. And the adjoints that a reverse sweep has
//! left behind are of no use, except for those of inputs: they are given back, so that a sweep needs memory only for
//! the part of the adjoints that is between the tape's end and its present position and still in use. With generated
//! code, `recycling` does better.

use crate::cell::Cell;
use crate::mapping::{self, Place};
use crate::program::Direction;
use crate::vector::CellVector;
use bytemuck::Pod;
use memmap2::Mmap;
use std::ops::Range;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Tapes up to this length are swept without a second thread.
const SHORT: usize = 4 << 20;
/// Stretches up to this length are brought in at once.
const POPULATED: usize = 256 << 20;

/// A part of a tape that is swept at once: several chunks if they are small.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    pub bytes: usize,
    /// From the first index to the one behind the last one.
    pub indices: Range<u64>,
    /// Which chunks it consists of, in the order of their indices.
    pub chunks: Range<usize>,
    /// Where in the file the large ones among them are.
    pub parts: Vec<Range<usize>>,
}

/// What happens to the memory of cells that the sweep has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// It is given back, and memory for the next cells is brought in, here.
    Managed,
    /// The sweep itself sees to it.
    Recycled,
}

/// Which cells have their values after a reverse sweep; others may be zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keeping<'a> {
    pub memory: Memory,
    /// Indices that ascend.
    pub kept: &'a [u64],
}

/// Whether a second thread pays for a tape that consists of these.
pub(crate) fn is_long(stretches: &[Stretch]) -> bool {
    stretches.iter().map(|stretch| stretch.bytes).sum::<usize>() > SHORT
}

/// Sweep all stretches, which are in the order of the direction.
pub(crate) fn run<C: Cell + Pod, E>(
    map: &Mmap,
    stretches: &[Stretch],
    direction: Direction,
    cells: &mut CellVector<C>,
    keeping: &Keeping,
    mut sweep: impl FnMut(&Stretch, &mut [C]) -> Result<(), E>,
) -> Result<(), E> {
    let is_long = is_long(stretches);
    let is_managed = keeping.memory == Memory::Managed;
    let tape_place = Place::of(map);
    let cell_place = cells.place();
    thread::scope(|scope| {
        // Room for one message: the second thread is at most two stretches ahead.
        let (sender, receiver) = sync_channel(1);
        let helper = move || {
            for stretch in stretches {
                if stretch.bytes <= POPULATED {
                    for part in &stretch.parts {
                        mapping::populate_for_reading(&tape_place, part.clone());
                    }
                    if is_managed {
                        mapping::populate_for_writing(&cell_place, bytes_of::<C>(&stretch.indices));
                    }
                }
                if sender.send(()).is_err() {
                    return;
                }
            }
        };
        if is_long {
            scope.spawn(helper);
        }
        let mut swept_from = stretches.first().map_or(0, |stretch| stretch.indices.end);
        for stretch in stretches {
            if is_long {
                // An error: the second thread has brought in all.
                let _ = receiver.recv();
            }
            sweep(stretch, cells)?;
            if is_long {
                for part in &stretch.parts {
                    mapping::forget(map, part.clone());
                }
                if direction == Direction::Reverse && is_managed {
                    swept_from = cells.discard(stretch.indices.start..swept_from, keeping.kept);
                }
            }
        }
        drop(receiver);
        Ok(())
    })
}

/// Where the cells of these indices are in their vector.
pub(crate) fn bytes_of<C>(indices: &Range<u64>) -> Range<usize> {
    indices.start as usize * size_of::<C>()..indices.end as usize * size_of::<C>()
}
