//! The tape: what a recording run writes, and the sweeps over it.
//!
//! The format is described in `docs/tape.md`. It has few bytes because the shape of straight code is written once, as a
//! [`structure::Structure`], and each run of that code only as indices and values (an *execution*).
//!
//! A sweep has 1 to 3 ns for an operation, which is less than a mispredicted branch. So each structure becomes a
//! `program::Program` once: a list of steps, each with a function that is compiled for its kind of partial
//! derivative, its kinds of operands and its number of lanes (`steps`). Everything that can be known of a structure
//! is checked then; the steps check only what the payload says, that is, the order of indices. In the most frequent
//! case, a reverse sweep with one column, structures that are executed often become machine code (`generated`).
//!
//! The modules up to [`sweep`] need no operating system: the engine records and evaluates with them inside of a client.
//! With the feature `std` there are files ([`mod@file`], [`indices`]), adjoint vectors that are larger than memory
//! ([`vector`]), whose memory is used again (`recycling`), and evaluations for many seeds ([`evaluation`]).
//!
//! Invariants:
//! - No tape, however damaged, leads to an access out of bounds, a panic or an endless loop.
//! - A reverse sweep and a forward sweep over the same tape are transposed linear maps, up to rounding.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]
extern crate alloc;

pub mod cell;
pub mod checksum;
pub mod format;
pub mod operations;
pub mod program;
#[allow(unsafe_code)]
mod steps;
pub mod structure;
pub mod sweep;

#[cfg(feature = "std")]
pub mod blocks;
#[cfg(feature = "std")]
mod discovery;
#[cfg(feature = "std")]
pub mod evaluation;
#[cfg(feature = "std")]
pub mod file;
#[cfg(feature = "std")]
mod generated;
#[cfg(feature = "std")]
pub mod indices;
#[cfg(feature = "std")]
#[allow(unsafe_code)]
mod mapping;
#[cfg(feature = "std")]
mod pipeline;
#[cfg(feature = "std")]
#[allow(unsafe_code)]
mod recycling;
#[cfg(feature = "std")]
pub mod vector;
