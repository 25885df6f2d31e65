//! Tables of indirect branches, and the entrances that they lead to, see [`derivgrind_translate::glue`].

use super::{Cache, Missed, ENTRANCE_ROOM};
use crate::code_memory::write_code;
use crate::fatal;
use crate::window;
use alloc::vec::Vec;
use derivgrind_translate::context::{TABLE_ENTRIES, TABLE_SIZE};
use derivgrind_translate::glue::Arrival;
use derivgrind_translate::state::Class;

impl Cache {
    /// The next returns to `pc` miss their tables.
    pub fn forget_returns(&mut self, pc: u64) {
        self.forget_arrivals(pc, &[Arrival::Return]);
    }

    /// The whole chain goes; entries of other targets come back at their next miss.
    pub(super) fn forget_arrivals(&mut self, pc: u64, arrivals: &[Arrival]) {
        for class in Class::ALL.into_iter().filter(|class| self.owns_table(*class)) {
            for arrival in arrivals.iter().copied() {
                // SAFETY: the slot is in the table.
                unsafe { *self.slot(Missed { class, arrival }, pc) = self.miss(Missed { class, arrival }) };
            }
        }
    }

    /// Where the table of an indirect branch says where `pc` is.
    fn slot(&self, from: Missed, pc: u64) -> *mut u64 {
        let part = self.tables[from.class as usize] + from.arrival.offset();
        (part as *mut u64).wrapping_add(pc as usize % TABLE_ENTRIES)
    }

    fn miss(&self, from: Missed) -> u64 {
        self.common.misses[from.arrival as usize][from.class as usize]
    }

    pub(super) fn owns_table(&self, class: Class) -> bool {
        class == Class::Zero || self.tables[class as usize] != self.tables[0]
    }

    /// An entrance at `address`, with the code for `pc` to follow.
    pub(super) fn entrance(&self, from: Missed, address: u64, pc: u64) -> Vec<u8> {
        // SAFETY: the slot is in the table.
        let before = unsafe { *self.slot(from, pc) };
        self.templates.entrance(address, pc, from.arrival, before)
    }

    /// Writes the entrance for `pc` and lets the table lead to it.
    pub(super) fn put_into_table(&mut self, from: Missed, pc: u64, address: u64, code: &[u8]) {
        debug_assert!(self.owns_table(from.class));
        let slot = self.slot(from, pc);
        // SAFETY: the caller has reserved the memory; the slot is in the table.
        let before = unsafe {
            write_code(address, code);
            core::ptr::replace(slot, address)
        };
        if before == self.miss(from) {
            self.entered.push((from, pc as u16));
        }
    }

    /// Puts a translation that exists already into a table.
    pub(super) fn enter_into_table(&mut self, from: Missed, pc: u64, body: u64) {
        let epoch = self.epoch;
        let address = self.reserve(2 * ENTRANCE_ROOM);
        if self.epoch != epoch {
            // The flush has taken the translation with it; the next miss will try again.
            return;
        }
        let mut code = self.entrance(from, address, pc);
        self.templates.go_on(&mut code, address, body);
        self.put_into_table(from, pc, address, &code);
        self.note_entrance(from, pc, address, body);
        self.memory.take(address + code.len() as u64, self.blocks.len());
    }

    pub(super) fn empty_tables(&mut self) {
        for (from, target) in core::mem::take(&mut self.entered) {
            // SAFETY: the slot is in the table.
            unsafe { *self.slot(from, u64::from(target)) = self.miss(from) };
        }
    }

    /// Makes the table of an active class: a megabyte, and many threads never meet an active value.
    pub(super) fn allocate_table(&mut self, class: Class) {
        let Some(region) = window::allocate(TABLE_SIZE) else {
            fatal!("The memory below 2 GB is full: too many threads.");
        };
        self.tables[class as usize] = region.start;
        self.owned_tables.push(region);
        self.fill_table(class);
    }

    pub(super) fn fill_table(&mut self, class: Class) {
        for arrival in Arrival::ALL {
            let part = (self.tables[class as usize] + arrival.offset()) as *mut u64;
            // SAFETY: each part has this many entries.
            let entries = unsafe { core::slice::from_raw_parts_mut(part, TABLE_ENTRIES) };
            entries.fill(self.miss(Missed { class, arrival }));
        }
    }
}
