//! The parts of the development commands that tests use.

pub mod headers;
