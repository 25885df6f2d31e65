//! Talk to Derivgrind from a Rust program.
//!
//! Derivgrind runs a compiled program and carries a *dot value* (a directional derivative) along with each of its
//! floating-point values. The program, or somebody who can change a few of its lines, says which values are inputs and
//! reads the derivative of the outputs:
//!
//! ```
//! use derivgrind::Mode;
//!
//! let mut x = 3.0_f64;
//! derivgrind::set_dotvalue(&mut x, 1.0);
//! let y = x * x;
//! let dot = derivgrind::get_dotvalue(&y);
//! assert_eq!(dot, if derivgrind::mode() == Some(Mode::Forward) { 6.0 } else { 0.0 });
//! ```
//!
//! While Derivgrind records, it carries the *index* of the operation that computed a value instead, and writes all
//! operations to a tape, from which gradients are computed. Then inputs and outputs are declared:
//!
//! ```
//! let mut x = [3.0_f64, 4.0];
//! derivgrind::inputfs(&mut x);
//! let y = x[0] * x[1];
//! derivgrind::outputf(&y);
//! assert_eq!(derivgrind::get_index(&y) != 0, derivgrind::mode() == Some(derivgrind::Mode::Recording));
//! ```
//!
//! A program can also evaluate its own tape: see [`tape`].
//!
//! Outside of Derivgrind each call is a handful of instructions without any effect: dot values and indices read as zero, and
//! [`mode()`] is `None`. So one binary serves both ways of running it.
//!
//! # How a request reaches the tool
//! A request is a sequence of machine instructions that does nothing on a processor and that no compiler emits
//! (`request`). The tool recognises it while it translates the program. Codes and arguments are listed in
//! [`requests`], from which the C header and the tool's own side are made.
//!
//! # What a dot value is attached to
//! To the bytes of a variable in memory, not to its name. Functions that set a dot value take `&mut`, although the
//! value stays as it is: otherwise the compiler could go on with a copy in a register that has no dot value.
#![no_std]

mod disabled;
mod dotvalue;
mod flags;
mod indices;
mod mode;
mod request;
pub mod requests;
pub mod tape;

pub use disabled::{without_recording, Disabled};
pub use dotvalue::{get_dotvalue, get_dotvalues, set_dotvalue, set_dotvalues, Real};
pub use flags::{get_flags, mark_float, set_flags};
pub use indices::{
    get_index, index_to_file, input, inputf, inputfs, new_index, new_index_noactivityanalysis, output,
    outputf, outputfs, set_index, IndexFile, Operand,
};
pub use mode::{mode, Mode};
pub use request::request;
