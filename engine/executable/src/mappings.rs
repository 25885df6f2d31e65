//! What is mapped where: disjoint address ranges with attributes, and the gaps between them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Attributes of a mapped range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attributes {
    /// `PROT_*` bits as the client asked for them.
    pub protection: u32,
    /// Backed by a file.
    pub file: bool,
    /// Writable now or in the past.
    pub ever_writable: bool,
    /// Others may have the same memory at another address.
    pub shared: Option<Backing>,
}

/// What a shared mapping shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backing {
    /// The same for two mappings of one file, or of one System V segment.
    pub object: u64,
    /// Address minus position in the object.
    pub displacement: u64,
}

impl Attributes {
    /// Those of the same memory at an address that is higher by `distance`.
    pub fn moved_by(self, distance: u64) -> Attributes {
        let shared = self
            .shared
            .map(|backing| Backing { displacement: backing.displacement.wrapping_add(distance), ..backing });
        Attributes { shared, ..self }
    }
}

#[derive(Clone, Copy)]
struct Mapping {
    end: u64,
    attributes: Attributes,
}

/// Mapped ranges by start address.
pub struct Mappings {
    ranges: BTreeMap<u64, Mapping>,
}

impl Mappings {
    pub const fn new() -> Self {
        Mappings { ranges: BTreeMap::new() }
    }

    /// The mapping that contains `address`: start, end, attributes.
    pub fn find(&self, address: u64) -> Option<(u64, u64, Attributes)> {
        let (start, mapping) = self.ranges.range(..=address).next_back()?;
        (address < mapping.end).then_some((*start, mapping.end, mapping.attributes))
    }

    /// Bytes of the mappings whose attributes are `counted`.
    pub fn total(&self, counted: &dyn Fn(&Attributes) -> bool) -> u64 {
        let ranges = self.ranges.iter().filter(|(_, mapping)| counted(&mapping.attributes));
        ranges.map(|(start, mapping)| mapping.end - start).sum()
    }

    /// Mappings that overlap `[start, end)`, cut to it.
    pub fn overlapping(&self, start: u64, end: u64) -> Vec<(u64, u64, Attributes)> {
        let first = self.find(start).map_or(start, |(first, ..)| first);
        let mut found = Vec::new();
        for (from, mapping) in self.ranges.range(first..end) {
            if mapping.end > start {
                found.push(((*from).max(start), mapping.end.min(end), mapping.attributes));
            }
        }
        found
    }

    /// Ranges at other addresses that show the same memory as `[start, end)`.
    pub fn aliases(&self, start: u64, end: u64) -> Vec<(u64, u64, Attributes)> {
        let mut found = Vec::new();
        for (from, to, attributes) in self.overlapping(start, end) {
            let Some(backing) = attributes.shared else { continue };
            for (other, mapping) in &self.ranges {
                let same = mapping.attributes.shared.filter(|shared| shared.object == backing.object);
                let Some(shared) = same.filter(|shared| *shared != backing) else { continue };
                let distance = shared.displacement.wrapping_sub(backing.displacement);
                let (first, last) = (from.wrapping_add(distance), to.wrapping_add(distance));
                if first.max(*other) < last.min(mapping.end) {
                    found.push((first.max(*other), last.min(mapping.end), mapping.attributes));
                }
            }
        }
        found
    }

    pub fn is_free(&self, start: u64, end: u64) -> bool {
        let before = self.ranges.range(..end).next_back();
        before.is_none_or(|(_, mapping)| mapping.end <= start)
    }

    /// Replaces whatever is in `[start, end)`.
    pub fn insert(&mut self, start: u64, end: u64, attributes: Attributes) {
        self.remove(start, end);
        let mut from = start;
        let mut to = end;
        // Neighbours that look alike become one, as in the kernel, so that the tree stays small.
        if let Some((before, mapping)) = self.ranges.range(..start).next_back() {
            if mapping.end == start && mapping.attributes == attributes {
                from = *before;
            }
        }
        if let Some(mapping) = self.ranges.get(&end) {
            if mapping.attributes == attributes {
                to = mapping.end;
                self.ranges.remove(&end);
            }
        }
        self.ranges.insert(from, Mapping { end: to, attributes });
    }

    pub fn remove(&mut self, start: u64, end: u64) {
        for (from, to, _) in self.overlapping(start, end) {
            let (whole_start, whole_end, attributes) =
                self.find(from).expect("an overlapping mapping exists");
            self.ranges.remove(&whole_start);
            if whole_start < from {
                self.ranges.insert(whole_start, Mapping { end: from, attributes });
            }
            if to < whole_end {
                self.ranges.insert(to, Mapping { end: whole_end, attributes });
            }
        }
    }

    /// Changes the protection of everything mapped in `[start, end)`.
    pub fn protect(&mut self, start: u64, end: u64, protection: u32, writable: bool) {
        for (from, to, mut attributes) in self.overlapping(start, end) {
            attributes.protection = protection;
            attributes.ever_writable |= writable;
            self.insert(from, to, attributes);
        }
    }

    /// First gap of `length` bytes in `[low, high)` at a multiple of `alignment`.
    pub fn find_gap(&self, low: u64, high: u64, length: u64, alignment: u64) -> Option<u64> {
        let align = |address: u64| (address + alignment - 1) & !(alignment - 1);
        let mut candidate = align(self.find(low).map_or(low, |(_, end, _)| end));
        for (start, mapping) in self.ranges.range(low..high) {
            if candidate.checked_add(length)? <= *start {
                break;
            }
            candidate = candidate.max(align(mapping.end));
        }
        (candidate.checked_add(length)? <= high).then_some(candidate)
    }
}
