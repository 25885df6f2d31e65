//! Recording: indices of operations on the tape, inputs and outputs.

use crate::dotvalue::Real;
use crate::request::request;
use crate::requests::{
    index_files, GET_INDEX, INDEX_TO_FILE, NEW_INDEX, NEW_INDEX_NOACTIVITYANALYSIS, SET_INDEX,
};

/// The index of `x`: 0 if `x` depends on no input, outside of the tool, and in modes without indices.
#[inline]
pub fn get_index<T: Real>(x: &T) -> u64 {
    recorded_index(x).unwrap_or(0)
}

/// The index of `x`, if there is a recording.
#[inline]
fn recorded_index<T: Real>(x: &T) -> Option<u64> {
    let mut index = 0u64;
    let arguments = [
        core::ptr::from_ref(x).expose_provenance(),
        core::ptr::from_mut(&mut index).expose_provenance(),
        size_of::<T>(),
        0,
        0,
    ];
    // SAFETY: the address of `x` is valid for its size, and the request writes eight bytes to `index`.
    let served = unsafe { request(GET_INDEX, arguments, 0) == 1 };
    served.then_some(index)
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
    new_input(x).unwrap_or(0)
}

/// The same, and write the index to the file of input indices.
#[inline]
pub fn inputf<T: Real>(x: &mut T) -> u64 {
    let Some(index) = new_input(x) else { return 0 };
    index_to_file(IndexFile::Input, index);
    index
}

/// Declare all elements of `x` as inputs, as [`inputf`] does.
///
/// ```
/// let mut matrix = [[1.0, 2.0], [3.0, 4.0]];
/// derivgrind::inputfs(matrix.as_flattened_mut());
/// ```
pub fn inputfs<T: Real>(x: &mut [T]) {
    for element in x {
        inputf(element);
    }
}

/// Declare `x` as an output: a copy of it gets an index of its own, which is the result. It is 0 if `x` depends on no
/// input, and outside of recording mode.
#[inline]
pub fn output<T: Real>(x: &T) -> u64 {
    new_output(x).unwrap_or(0)
}

/// The same, and write the index to the file of output indices.
#[inline]
pub fn outputf<T: Real>(x: &T) -> u64 {
    let Some(index) = new_output(x) else { return 0 };
    index_to_file(IndexFile::Output, index);
    index
}

/// Declare all elements of `x` as outputs, as [`outputf`] does.
pub fn outputfs<T: Real>(x: &[T]) {
    for element in x {
        outputf(element);
    }
}

/// What an operation depends on: the index of an operand, and the partial derivative with respect to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operand {
    pub index: u64,
    pub partial_derivative: f64,
}

impl Operand {
    /// No operand, or one that depends on no input.
    pub const PASSIVE: Operand = Operand { index: 0, partial_derivative: 0.0 };
}

/// Record an operation whose partial derivatives are known, and return its index, which [`set_index`] gives to the
/// result. It is 0 if both operands are passive, and outside of recording mode. `value` is the value of the result.
///
/// A function whose operations are not to be recorded one by one becomes one operation:
///
/// ```
/// use derivgrind::{Operand, without_recording};
///
/// fn cube(x: &f64) -> f64 {
///     let mut result = without_recording(|| x * x * x);
///     let operand = Operand { index: derivgrind::get_index(x), partial_derivative: 3.0 * x * x };
///     let index = derivgrind::new_index([operand, Operand::PASSIVE], result);
///     derivgrind::set_index(&mut result, index);
///     result
/// }
///
/// let mut x = 2.0;
/// let input = derivgrind::input(&mut x);
/// let output = derivgrind::output(&cube(&x));
/// if derivgrind::tape::reverse(&[output], &[1.0]) {
///     assert_eq!(derivgrind::tape::bar(input), Some(12.0));
/// }
/// ```
#[inline]
pub fn new_index(operands: [Operand; 2], value: f64) -> u64 {
    record(NEW_INDEX, operands, value).unwrap_or(0)
}

/// The same, but the operation gets an index also if both operands are passive.
#[inline]
pub fn new_index_noactivityanalysis(operands: [Operand; 2], value: f64) -> u64 {
    record(NEW_INDEX_NOACTIVITYANALYSIS, operands, value).unwrap_or(0)
}

/// A file that lists indices, one a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IndexFile {
    Input,
    Output,
}

/// Write an index to a file. Outside of recording mode nothing is written.
#[inline]
pub fn index_to_file(file: IndexFile, index: u64) {
    let number = match file {
        IndexFile::Input => index_files::INPUT,
        IndexFile::Output => index_files::OUTPUT,
    };
    let arguments = [number as usize, core::ptr::from_ref(&index).expose_provenance(), 0, 0, 0];
    // SAFETY: the request reads the index.
    unsafe { request(INDEX_TO_FILE, arguments, 0) };
}

/// `x_new = x_old` with an index that no operation has, if there is a recording.
#[inline]
fn new_input<T: Real>(x: &mut T) -> Option<u64> {
    let index = record(NEW_INDEX_NOACTIVITYANALYSIS, [Operand::PASSIVE; 2], (*x).into())?;
    set_index(x, index);
    Some(index)
}

/// An extra copy of `x` with partial derivative 1, so that two outputs never share an index.
#[inline]
fn new_output<T: Real>(x: &T) -> Option<u64> {
    let operand = Operand { index: recorded_index(x)?, partial_derivative: 1.0 };
    record(NEW_INDEX, [operand, Operand::PASSIVE], (*x).into())
}

/// The index of a new operation, if there is a recording.
#[inline]
fn record(code: u32, [first, second]: [Operand; 2], value: f64) -> Option<u64> {
    let mut index = 0u64;
    // Addresses of operands, partial derivatives, result and value, as the requests want them.
    let block: [usize; 6] = [
        core::ptr::from_ref(&first.index).expose_provenance(),
        core::ptr::from_ref(&second.index).expose_provenance(),
        core::ptr::from_ref(&first.partial_derivative).expose_provenance(),
        core::ptr::from_ref(&second.partial_derivative).expose_provenance(),
        core::ptr::from_mut(&mut index).expose_provenance(),
        core::ptr::from_ref(&value).expose_provenance(),
    ];
    let arguments = [core::ptr::from_ref(&block).expose_provenance(), 0, 0, 0, 0];
    // SAFETY: all addresses are those of variables of the type that the request wants.
    let served = unsafe { request(code, arguments, 0) == 1 };
    served.then_some(index)
}
