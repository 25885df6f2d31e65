//! The pure half of the engine: client bytes in, instrumented bytes out.
//!
//! [`translate::translate`] is a function of the client's bytes, an address, a [`state::State`] and the
//! [`interface::Settings`]. It makes no system call, so all of it runs under `cargo test`. It decodes a superblock
//! ([`decode`]), decides for each instruction what happens to shadows (`rules`), and encodes the client's own
//! instruction next to the code for its shadows ([`emit`]).
//!
//! Invariants of all emitted code: the client's instruction itself is never replaced, so primal results are exact;
//! flags, red zone and general registers are unchanged at every boundary; GS base is the shadow offset throughout.
#![no_std]
extern crate alloc;

pub mod constants;
pub mod context;
mod control;
mod decode;
mod emit;
mod flags;
pub mod glue;
pub mod interface;
mod memory;
mod passive;
mod active;
pub mod state;
pub mod translate;
mod vectors;
