//! Counters that translated code increments where an active value meets something that is not differentiated.
//!
//! They are addressed absolutely, so they live in the window, in chunks of a thread. Which site a counter belongs to
//! is known to the whole process, so that the report finds the counters of threads that still run. When a thread ends
//! or its cache is flushed, its counters are added to the totals.

use crate::fatal;
use crate::lock::Mutex;
use crate::window::{self, Region};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use derivgrind_translate::interface::{Site, SiteKind};

const CHUNK_SIZE: u64 = 16 << 10;
const CELL: u64 = 8;

struct Sites {
    /// Sites by the address of their counter.
    live: BTreeMap<u64, Site>,
    /// Counts of sites that are gone, by address and kind (see [`kind_key`]).
    totals: BTreeMap<(u64, u32), u64>,
}

static SITES: Mutex<Sites> = Mutex::new(Sites { live: BTreeMap::new(), totals: BTreeMap::new() });

impl Sites {
    /// Moves the counts in `[start, end)` to the totals.
    fn collect(&mut self, start: u64, end: u64) {
        for (address, site) in self.live.range(start..end) {
            // SAFETY: the cells of live sites exist; their thread may add to them at the same time, which loses at most
            // what is being counted in this moment.
            let count = unsafe { core::ptr::replace(*address as *mut u64, 0) };
            if count > 0 {
                *self.totals.entry((site.pc, kind_key(site.kind))).or_insert(0) += count;
            }
        }
    }
}

/// The counters of one thread.
#[derive(Default)]
pub struct Counters {
    chunks: Vec<Region>,
    /// Chunk that is being filled, and how many of its cells are taken.
    current: usize,
    taken: u64,
}

impl Counters {
    /// Address of a run of at least `room` free cells.
    pub fn next_free(&mut self, room: u64) -> u64 {
        let full = self.taken + room > CHUNK_SIZE / CELL;
        if full {
            self.current += 1;
            self.taken = 0;
        }
        if self.current == self.chunks.len() {
            let Some(chunk) = window::allocate(CHUNK_SIZE) else {
                fatal!("The memory below 2 GB is full: too many threads.");
            };
            self.chunks.push(chunk);
        }
        self.chunks[self.current].start + self.taken * CELL
    }

    /// Notes the sites whose counters start at `first`, as given by [`Self::next_free`].
    pub fn take(&mut self, first: u64, sites: &[Site]) {
        if sites.is_empty() {
            return;
        }
        let mut all = SITES.lock();
        for (index, site) in sites.iter().enumerate() {
            all.live.insert(first + index as u64 * CELL, *site);
        }
        self.taken += sites.len() as u64;
    }

    /// Adds all counts to the totals and forgets the sites.
    pub fn collect(&mut self) {
        if self.chunks.is_empty() {
            return;
        }
        let mut sites = SITES.lock();
        for chunk in &self.chunks {
            sites.collect(chunk.start, chunk.end());
        }
        let chunks = &self.chunks;
        sites.live.retain(|address, _| !chunks.iter().any(|chunk| chunk.contains(*address)));
        self.current = 0;
        self.taken = 0;
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

/// All sites of the process with a count, in ascending order of address.
pub fn totals() -> Vec<Total> {
    let mut sites = SITES.lock();
    sites.collect(0, u64::MAX);
    let mut list = Vec::new();
    for ((pc, key), count) in &sites.totals {
        let kind = match *key {
            FUNCTION_KEY => SiteKind::Function,
            code => SiteKind::Instruction(code as u16),
        };
        list.push(Total { pc: *pc, kind, count: *count });
    }
    list
}

/// Counts a call of the function at `pc` that could not be differentiated.
pub fn count_call(pc: u64) {
    *SITES.lock().totals.entry((pc, FUNCTION_KEY)).or_insert(0) += 1;
}

/// A forked child starts with nothing to report.
pub fn clear() {
    let mut sites = SITES.lock();
    sites.collect(0, u64::MAX);
    sites.totals.clear();
}

pub fn acquire_for_fork() {
    core::mem::forget(SITES.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { SITES.release() };
}
