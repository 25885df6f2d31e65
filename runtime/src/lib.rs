//! Talk to Derivgrind from a Rust program.
//!
//! Derivgrind runs a compiled program and carries a *dot value* (a directional derivative) along with each of its
//! floating-point values. The program, or somebody who can change a few of its lines, says which values are inputs and
//! reads the derivative of the outputs:
//!
//! ```
//! let mut x = 3.0_f64;
//! derivgrind::set_dotvalue(&mut x, 1.0);
//! let y = x * x;
//! println!("y = {y}, dy/dx = {}", derivgrind::get_dotvalue(&y));
//! ```
//!
//! While Derivgrind records, it carries the *index* of the operation that computed a value instead, and writes all
//! operations to a tape, from which gradients are computed. Then inputs and outputs are declared:
//!
//! ```
//! let mut x = 3.0_f64;
//! derivgrind::inputf(&mut x);
//! let y = x * x;
//! derivgrind::outputf(&y);
//! ```
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
mod indices;
mod mode;
mod request;
pub mod requests;

pub use disabled::{without_recording, Disabled};
pub use dotvalue::{get_dotvalue, get_dotvalues, set_dotvalue, set_dotvalues, Real};
pub use indices::{get_index, input, inputf, output, outputf, set_index};
pub use mode::{mode, Mode};
pub use request::request;
