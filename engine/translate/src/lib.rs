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

mod active;
mod arithmetic;
mod atomics;
mod checks;
pub mod classes;
pub mod computed;
pub mod constants;
mod contents;
pub mod context;
mod control;
mod conversions;
mod copies;
mod decode;
mod derivatives;
pub mod direct_calls;
mod dot_products;
mod emit;
mod encodings;
mod evex_copies;
mod expected_passive;
mod expected_targets;
mod flags;
mod float_control;
mod fused_products;
mod general;
pub mod glue;
mod groups;
mod halves;
mod index_lanes;
pub mod interface;
mod library_calls;
mod logic;
mod masks;
mod memory;
mod observation;
mod passive;
mod passive_pages;
mod places;
mod plain;
mod pointers;
mod proven;
mod reciprocals;
mod recorded_logic;
mod recorded_values;
pub mod recording;
mod records;
mod rounding;
mod rules;
mod saved_states;
mod stack_variables;
pub mod state;
mod strings;
pub mod templates;
pub mod translate;
mod upper_parts;
mod vectors;
mod wide_arithmetic;
mod wide_clients;
mod wide_codes;
mod wide_logic;
mod wide_operations;
mod wide_records;
mod wide_saved_states;
mod without_rule;
mod x87;
