//! A set of pages, as bit sets of 64 pages each.

use crate::sys::PAGE;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Pages per entry.
const GROUP: u64 = 64;

pub struct PageSet {
    groups: BTreeMap<u64, u64>,
    /// A page that is in the set: the last one that was added, which is often added again.
    recent: Option<u64>,
}

impl PageSet {
    pub const fn new() -> PageSet {
        PageSet { groups: BTreeMap::new(), recent: None }
    }

    pub fn contains(&self, address: u64) -> bool {
        let page = address / PAGE;
        self.groups.get(&(page / GROUP)).is_some_and(|bits| bits >> (page % GROUP) & 1 != 0)
    }

    /// Adds the page of `address`; true if it is new.
    pub fn insert(&mut self, address: u64) -> bool {
        let page = address / PAGE;
        if self.recent.replace(page) == Some(page) {
            return false;
        }
        let bits = self.groups.entry(page / GROUP).or_insert(0);
        let bit = 1 << (page % GROUP);
        let new = *bits & bit == 0;
        *bits |= bit;
        new
    }

    /// Takes out the pages that overlap `[start, end)` and returns their addresses.
    pub fn take(&mut self, start: u64, end: u64) -> Vec<u64> {
        self.recent = None;
        let mut taken = Vec::new();
        if start >= end {
            return taken;
        }
        let (first, last) = (start / PAGE, (end - 1) / PAGE);
        let mut empty = Vec::new();
        for (group, bits) in self.groups.range_mut(first / GROUP..=last / GROUP) {
            let low = first.saturating_sub(group * GROUP);
            let high = (last - group * GROUP).min(GROUP - 1);
            for index in low..=high {
                if *bits >> index & 1 != 0 {
                    taken.push((group * GROUP + index) * PAGE);
                    *bits &= !(1 << index);
                }
            }
            if *bits == 0 {
                empty.push(*group);
            }
        }
        for group in empty {
            self.groups.remove(&group);
        }
        taken
    }
}
