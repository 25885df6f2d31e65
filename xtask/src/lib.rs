//! The development commands: `cargo xtask setup | demo | test | bench | lint | headers | instructions | install`.
//!
//! Everything that a person or a machine does with this repository beyond plain Cargo is one of these commands, so that
//! there is one way of doing it and it can be tested.

pub mod bench;
pub mod checks;
pub mod command;
pub mod demo;
pub mod fortran;
pub mod headers;
pub mod install;
pub mod instructions;
pub mod library_header;
pub mod machine;
pub mod math;
pub mod measure;
pub mod python;
pub mod setup;
pub mod workspace;
