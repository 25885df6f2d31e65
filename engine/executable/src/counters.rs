//! Counters that translated code increments where an active value meets something that is not differentiated.
//!
//! They are addressed absolutely, so they live in the window, in chunks of a thread. When a thread ends or its cache is
//! flushed, they are added to the totals of the process.

use crate::fatal;
use crate::lock::Mutex;
use crate::window::{self, Region};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use derivgrind_translate::interface::{Site, SiteKind};

const CHUNK_SIZE: u64 = 64 << 10;
const CELL: u64 = 8;

/// Counts by address and kind, the latter as [`kind_key`].
static TOTALS: Mutex<BTreeMap<(u64, u32), u64>> = Mutex::new(BTreeMap::new());

#[derive(Default)]
pub struct Counters {
    chunks: Vec<Region>,
    /// Chunk that is being filled, and how many of its cells are taken.
    current: usize,
    taken: u64,
    sites: Vec<(u64, Site)>,
}

impl Counters {
    /// Address of a run of at least `room` free cells.
    pub fn next_free(&mut self, room: u64) -> u64 {
        let full = self.taken + room > CHUNK_SIZE / CELL;
        if self.chunks.is_empty() || full {
            if full {
                self.current += 1;
            }
            if self.current == self.chunks.len() {
                let Some(chunk) = window::allocate(CHUNK_SIZE) else {
                    fatal!("The memory below 2 GB is full: too many threads.");
                };
                self.chunks.push(chunk);
            }
            self.taken = 0;
        }
        self.chunks[self.current].start + self.taken * CELL
    }

    /// Notes the sites whose counters start at `first`, as given by [`Self::next_free`].
    pub fn take(&mut self, first: u64, sites: &[Site]) {
        for (index, site) in sites.iter().enumerate() {
            self.sites.push((first + index as u64 * CELL, *site));
        }
        self.taken += sites.len() as u64;
    }

    /// Adds all counts to the totals and forgets the sites.
    pub fn collect(&mut self) {
        self.add_to_totals();
        self.sites.clear();
        self.current = 0;
        self.taken = 0;
    }

    fn add_to_totals(&mut self) {
        let mut totals = None;
        for (address, site) in &self.sites {
            let cell = *address as *mut u64;
            // SAFETY: the cell lies in a chunk of this thread.
            let count = unsafe { core::ptr::replace(cell, 0) };
            if count == 0 {
                continue;
            }
            let totals = totals.get_or_insert_with(|| TOTALS.lock());
            *totals.entry((site.pc, kind_key(site.kind))).or_insert(0) += count;
        }
    }

    /// Gives the memory back.
    pub fn release(&mut self) {
        self.collect();
        for chunk in self.chunks.drain(..) {
            // SAFETY: no translation that counts here is left.
            unsafe { window::free(chunk) };
        }
    }
}

fn kind_key(kind: SiteKind) -> u32 {
    match kind {
        SiteKind::Instruction(code) => u32::from(code),
        SiteKind::Function => FUNCTION_KEY,
    }
}

const FUNCTION_KEY: u32 = u32::MAX;

/// A site of the report.
pub struct Total {
    pub pc: u64,
    pub kind: SiteKind,
    pub count: u64,
}

pub fn totals() -> Vec<Total> {
    let totals = TOTALS.lock();
    let mut list = Vec::new();
    for ((pc, key), count) in totals.iter() {
        let kind = match *key {
            FUNCTION_KEY => SiteKind::Function,
            code => SiteKind::Instruction(code as u16),
        };
        list.push(Total { pc: *pc, kind, count: *count });
    }
    list
}

/// A forked child starts with nothing to report.
pub fn clear_totals() {
    TOTALS.lock().clear();
}

pub fn acquire_for_fork() {
    core::mem::forget(TOTALS.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { TOTALS.release() };
}
