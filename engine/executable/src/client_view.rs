//! The client's code as the translator sees it from one thread.

use crate::address_map::AddressMap;
use crate::client_memory;
use crate::library_functions;
use crate::memory::AddressSpace;
use crate::modules;
use crate::passive_pages;
use alloc::vec::Vec;
use derivgrind_translate::interface::{ClientCode, LibraryFunction};
use derivgrind_translate::state::State;

pub struct ClientView<'a> {
    pub space: &'a AddressSpace,
    /// The thread's translations by address and state.
    pub index: &'a AddressMap<(u64, u64), u32>,
    pub known: &'a KnownAddresses,
}

impl ClientCode for ClientView<'_> {
    fn code(&self, pc: u64) -> Option<&[u8]> {
        self.space.code(pc)
    }

    fn is_constant(&self, address: u64) -> bool {
        self.space.is_constant(address)
    }

    fn constant(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        let readable = self.space.is_constant(address) && self.space.is_constant(address + 7);
        (readable && client_memory::read(address, &mut bytes).is_ok()).then(|| u64::from_le_bytes(bytes))
    }

    fn content(&self, address: u64) -> Option<u64> {
        client_memory::read_value(address).ok()
    }

    fn loads_are_passive(&self, pc: u64) -> bool {
        // What the library has left behind may be anybody's.
        self.space.is_constant(pc) && library_functions::loads_are_passive(pc)
    }

    fn is_translated(&self, pc: u64) -> bool {
        self.known.may_contain(pc) && self.index.contains_key(&(pc, State::ZERO.0))
    }

    fn is_zero_page(&self, page: u64) -> bool {
        passive_pages::is_zero(page)
    }

    fn returns_flags(&self, pc: u64) -> bool {
        !self.space.is_in_program(pc)
    }

    fn takes_numbers_apart(&self, pc: u64) -> bool {
        modules::is_python(pc)
    }

    fn library_function(&self, pc: u64) -> Option<LibraryFunction> {
        library_functions::find(pc)
    }
}

/// A filter for the question whether an address has a translation for the zero state, which the translator asks for
/// every instruction: no bit, no look-up.
pub struct KnownAddresses(Vec<u64>);

/// 64 kilobytes per thread.
const BITS: usize = 1 << 19;

impl KnownAddresses {
    pub fn new() -> KnownAddresses {
        KnownAddresses(alloc::vec![0; BITS / 64])
    }

    pub fn clear(&mut self) {
        self.0.fill(0);
    }

    pub fn insert(&mut self, pc: u64) {
        let (word, bit) = place(pc);
        self.0[word] |= 1 << bit;
    }

    pub fn may_contain(&self, pc: u64) -> bool {
        let (word, bit) = place(pc);
        self.0[word] >> bit & 1 != 0
    }
}

fn place(pc: u64) -> (usize, usize) {
    let bit = (pc ^ pc >> 19) as usize % BITS;
    (bit / 64, bit % 64)
}
