//! Recording: indices of operations on the tape, inputs and outputs.

use crate::dotvalue::Real;
use crate::request::request;
use crate::requests::{
    index_files, GET_INDEX, INDEX_TO_FILE, NEW_INDEX, NEW_INDEX_NOACTIVITYANALYSIS, SET_INDEX,
};

/// The index of `x`: 0 if `x` depends on no input, outside of the tool, and in modes without indices.
#[inline]
pub fn get_index<T: Real>(x: &T) -> u64 {
    let mut index = 0u64;
    let arguments = [
        core::ptr::from_ref(x).expose_provenance(),
        core::ptr::from_mut(&mut index).expose_provenance(),
        size_of::<T>(),
        0,
        0,
    ];
    // SAFETY: the address of `x` is valid for its size, and the request writes eight bytes to `index`.
    unsafe { request(GET_INDEX, arguments, 0) };
    index
}

/// Set the index of `x`, and tell whether a tool took it. With 0, `x` becomes passive.
#[inline]
pub fn set_index<T: Real>(x: &mut T, index: u64) -> bool {
    let arguments = [
        core::ptr::from_mut(x).expose_provenance(),
        core::ptr::from_ref(&index).expose_provenance(),
        size_of::<T>(),
        0,
        0,
    ];
    // SAFETY: the address of `x` is valid for its size. The request reads the index and does not change `x`.
    unsafe { request(SET_INDEX, arguments, 0) == 1 }
}

/// Declare `x` as an input: it gets a fresh index, which is the result (0 outside of recording mode).
#[inline]
pub fn input<T: Real>(x: &mut T) -> u64 {
    let index = new_index(NEW_INDEX_NOACTIVITYANALYSIS, 0, (*x).into());
    if index != 0 {
        set_index(x, index);
    }
    index
}

/// The same, and write the index to the file of input indices.
#[inline]
pub fn inputf<T: Real>(x: &mut T) -> u64 {
    to_file(index_files::INPUT, input(x))
}

/// Declare `x` as an output: a copy of it gets an index of its own, which is the result. It is 0 if `x` depends on no
/// input, and outside of recording mode.
#[inline]
pub fn output<T: Real>(x: &T) -> u64 {
    new_index(NEW_INDEX, get_index(x), (*x).into())
}

/// The same, and write the index to the file of output indices.
#[inline]
pub fn outputf<T: Real>(x: &T) -> u64 {
    to_file(index_files::OUTPUT, output(x))
}

/// Addresses of operands, partial derivatives, result and value, as the requests want them.
type Operands = [usize; 6];

/// The index of a new operation with one operand and the partial derivative 1.
fn new_index(code: u32, operand: u64, value: f64) -> u64 {
    let (none, one, zero) = (0u64, 1f64, 0f64);
    let mut index = 0u64;
    let operands: Operands = [
        core::ptr::from_ref(&operand).expose_provenance(),
        core::ptr::from_ref(&none).expose_provenance(),
        core::ptr::from_ref(&one).expose_provenance(),
        core::ptr::from_ref(&zero).expose_provenance(),
        core::ptr::from_mut(&mut index).expose_provenance(),
        core::ptr::from_ref(&value).expose_provenance(),
    ];
    let arguments = [core::ptr::from_ref(&operands).expose_provenance(), 0, 0, 0, 0];
    // SAFETY: all addresses are those of variables of the type that the request wants.
    unsafe { request(code, arguments, 0) };
    index
}

fn to_file(file: u32, index: u64) -> u64 {
    let arguments = [file as usize, core::ptr::from_ref(&index).expose_provenance(), 0, 0, 0];
    // SAFETY: the request reads the index.
    unsafe { request(INDEX_TO_FILE, arguments, 0) };
    index
}
