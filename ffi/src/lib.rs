//! `libderivgrind`: the client requests as C functions, for every language that can call them.
//!
//! C, C++ and Fortran have macros, templates and modules that send requests themselves, and need no library. Other
//! languages load this one. Numbers are passed by address, because a dot value belongs to the bytes of a variable; with
//! their type, so that there is one function for a request and not one for each type; and arrays with the distance of
//! their elements, so that a column of a matrix needs no copy.
//!
//! Each request natively costs a few instructions. Status codes tell what has happened: see [`status::dg_status`].
//!
//! **Invariants.** The library has no dependency, not even on the C library, so that it fits every process. Nothing in it
//! panics or allocates. Functions that the header declares are those that the library exports.
#![no_std]
// Loops that copy must not become calls of `memcpy`, which belongs to the C library.
#![no_builtins]

mod arrays;
mod dotvalues;
mod flags;
mod indices;
mod numbers;
mod process;
mod status;
mod tape;

/// The compiler wants to know what a panic would do. There is none: a test looks for it in the library.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
