//! The pure half of the engine: decode, classify, lower, encode.
#![no_std]
extern crate alloc;

pub mod context;
pub mod glue;
pub mod interface;
pub mod state;
pub mod translate;
