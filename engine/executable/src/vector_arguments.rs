//! Vector registers at the entry and at the return of a library function: of most functions the first 128 bits of the
//! first four matter, of those that take vectors all bits of all registers.

use crate::extended::{self, ClientRegisters, FirstShadows, VectorShadows};
use crate::shadow;
use alloc::boxed::Box;
use derivgrind_translate::context::Context;
use derivgrind_translate::state::State;

/// A number of any format in the order of its bytes, or its shadow.
pub type Bytes = [u8; 10];

pub enum Seen {
    First(FirstShadows),
    All(Box<(ClientRegisters, VectorShadows)>),
}

impl Seen {
    pub fn first(context: &mut Context, state: State) -> Seen {
        Seen::First(shadow::read_first_vectors(context, state))
    }

    pub fn all(context: &mut Context, state: State) -> Seen {
        let shadows = shadow::read_vectors(context, state);
        Seen::All(Box::new((extended::client_registers(context), shadows)))
    }

    pub fn value(&self, context: &Context, register: usize, byte: usize) -> Bytes {
        match self {
            Seen::First(_) => from_words(&context.vectors[register], byte),
            Seen::All(all) => {
                let mut bytes = Bytes::default();
                for (to, from) in bytes.iter_mut().zip(&all.0.vectors[register][byte..]) {
                    *to = *from;
                }
                bytes
            }
        }
    }

    pub fn shadow(&self, register: usize, byte: usize) -> Bytes {
        match self {
            Seen::First(first) => from_words(&first[register], byte),
            Seen::All(all) => from_words(&all.1[register], byte),
        }
    }

    /// The lanes that mask register k1 has.
    pub fn mask(&self) -> u64 {
        match self {
            Seen::First(_) => 0,
            Seen::All(all) => all.0.masks[1],
        }
    }

    /// An address in a vector.
    pub fn address(&self, context: &Context, register: usize, byte: usize) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.value(context, register, byte);
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// Bytes from `start` on, as far as there are words.
fn from_words(words: &[u64], start: usize) -> Bytes {
    let mut bytes = Bytes::default();
    for (offset, byte) in bytes.iter_mut().enumerate() {
        let at = start + offset;
        *byte = words.get(at / 8).map_or(0, |word| word.to_le_bytes()[at % 8]);
    }
    bytes
}
