//! Mask registers that say which lanes of a shadow are active.
//!
//! A shadow enters several products before it changes, so its mask is kept, in k2-k7, under a name for the content of
//! zmm16+n. Copies share the name; every write gives the register a new one. K1 to K4 also serve as scratch.
//!
//! Recording needs several masks at once. What an instruction has asked for is *held* until its end: no other mask
//! takes the place.

use crate::encodings::{Shape, Width};
use crate::rules::Element;
use iced_x86::Register;

#[derive(Clone, Copy)]
struct Entry {
    content: u32,
    element: Element,
    width: Width,
}

pub(crate) struct Masks {
    /// By number of the mask register.
    entries: [Option<Entry>; 8],
    /// The one to be replaced next.
    next: usize,
    /// Bits of those that the current instruction uses.
    held: u8,
    /// Name of the content of each zmm16+n; where shadows are in memory, of that of each client register.
    contents: [u32; 32],
    names: u32,
}

/// Can a mask for `known` be used for `wanted`? Scalar: only the lowest bit is set.
fn serves(known: Width, wanted: Width) -> bool {
    known == wanted || known == Width::L256 && wanted == Width::L128
}

/// The first mask register that is kept.
const FIRST: usize = 2;

impl Masks {
    pub fn new() -> Masks {
        let contents = core::array::from_fn(|number| number as u32);
        Masks { entries: [None; 8], next: FIRST, held: 0, contents, names: 32 }
    }

    /// The mask register that holds the mask of zmm16+n.
    pub fn find(&mut self, shape: Shape, home: usize) -> Option<Register> {
        let content = self.contents[home];
        let known = |entry: &Option<Entry>| {
            entry.is_some_and(|entry| {
                entry.content == content && entry.element == shape.element && serves(entry.width, shape.width)
            })
        };
        let number = self.entries.iter().position(known)?;
        self.held |= 1 << number;
        Some(Register::K0 + number as u32)
    }

    /// The masks of the instruction are not needed any more.
    pub fn let_go(&mut self) {
        self.held = 0;
    }

    /// A mask register that will hold the mask of zmm16+n.
    pub fn assign(&mut self, shape: Shape, home: usize) -> Register {
        let mask = self.reserve();
        self.name(mask, shape, home);
        mask
    }

    /// The mask register `mask` now holds the mask of zmm16+n.
    pub fn name(&mut self, mask: Register, shape: Shape, home: usize) {
        let content = self.contents[home];
        let entry = Entry { content, element: shape.element, width: shape.width };
        self.entries[mask.number()] = Some(entry);
    }

    /// A mask register for new content, which has no name yet.
    pub fn reserve(&mut self) -> Register {
        let useless =
            |entry: &Option<Entry>| entry.is_none_or(|entry| !self.contents.contains(&entry.content));
        // No instruction needs as many as there are.
        let mut order = (self.next..8).chain(FIRST..self.next).filter(|number| self.held >> number & 1 == 0);
        let first = order.clone().next().unwrap_or(self.next);
        let number = order.find(|number| useless(&self.entries[*number])).unwrap_or(first);
        self.next = if number == 7 { FIRST } else { number + 1 };
        self.entries[number] = None;
        self.held |= 1 << number;
        Register::K0 + number as u32
    }

    /// Name of what zmm16+n holds.
    pub fn content(&self, home: usize) -> u32 {
        self.contents[home]
    }

    /// zmm16+n is written.
    pub fn forget(&mut self, home: usize) {
        self.contents[home] = self.names;
        self.names += 1;
    }

    /// All bits of zmm16+`from` were copied to zmm16+`to`.
    pub fn copy(&mut self, to: usize, from: usize) {
        self.contents[to] = self.contents[from];
    }

    /// K1 to K4 are used for something else.
    pub fn drop_scratch(&mut self) {
        self.entries[..5].fill(None);
    }
}
