//! Recording: indices, inputs and outputs.

use crate::arrays::Array;
use crate::numbers::Real;
use crate::status::{address, code, dg_status, require, serve, Outcome, RECORDING};
use client::requests::{
    index_files, GET_INDEX, INDEX_TO_FILE, NEW_INDEX, NEW_INDEX_NOACTIVITYANALYSIS, SET_INDEX,
};
use core::ffi::c_void;

/// A file that lists indices.
#[allow(non_camel_case_types)] // Names of the C header.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum dg_index_file {
    /// The file of the indices of inputs.
    DG_INPUT_FILE = 0,
    /// The file of the indices of outputs.
    DG_OUTPUT_FILE = 1,
}

/// Declare the number at `x` as an input: it gets a fresh index, which is written to `index` unless that is null. A
/// complex number has two indices.
///
/// # Safety
/// The addresses must be those of such numbers.
#[no_mangle]
pub unsafe extern "C" fn dg_input(x: *mut c_void, number_type: i32, index: *mut u64) -> i32 {
    // SAFETY: the caller vouches for the addresses.
    unsafe { declare(Array::scalar(x.cast(), number_type), index, None, input) }
}

/// The same, and the index is written to the file of input indices.
///
/// # Safety
/// The addresses must be those of such numbers.
#[no_mangle]
pub unsafe extern "C" fn dg_inputf(x: *mut c_void, number_type: i32, index: *mut u64) -> i32 {
    // SAFETY: the caller vouches for the addresses.
    unsafe { dg_inputfs(x, 0, 1, number_type, index) }
}

/// Declare the number at `x` as an output: a copy of it gets an index of its own, which is written to `index` unless that
/// is null. It is 0 if `x` depends on no input.
///
/// # Safety
/// The addresses must be those of such numbers.
#[no_mangle]
pub unsafe extern "C" fn dg_output(x: *const c_void, number_type: i32, index: *mut u64) -> i32 {
    // SAFETY: the caller vouches for the addresses.
    unsafe { declare(Array::scalar(x.cast(), number_type), index, None, output) }
}

/// The same, and the index is written to the file of output indices.
///
/// # Safety
/// The addresses must be those of such numbers.
#[no_mangle]
pub unsafe extern "C" fn dg_outputf(x: *const c_void, number_type: i32, index: *mut u64) -> i32 {
    // SAFETY: the caller vouches for the addresses.
    unsafe { dg_outputfs(x, 0, 1, number_type, index) }
}

/// `dg_inputf` for `length` numbers, the first at `x` and each `stride` bytes behind the one before. `indices` is null or
/// has room for all indices.
///
/// # Safety
/// All addresses that are described must be those of such numbers.
#[no_mangle]
pub unsafe extern "C" fn dg_inputfs(
    x: *mut c_void,
    stride: isize,
    length: usize,
    number_type: i32,
    indices: *mut u64,
) -> i32 {
    let x = Array::new(x.cast(), stride, length, number_type);
    // SAFETY: the caller vouches for the addresses.
    unsafe { declare(x, indices, Some(dg_index_file::DG_INPUT_FILE), input) }
}

/// `dg_outputf` for `length` numbers, the first at `x` and each `stride` bytes behind the one before. `indices` is null or
/// has room for all indices.
///
/// # Safety
/// All addresses that are described must be those of such numbers.
#[no_mangle]
pub unsafe extern "C" fn dg_outputfs(
    x: *const c_void,
    stride: isize,
    length: usize,
    number_type: i32,
    indices: *mut u64,
) -> i32 {
    let x = Array::new(x.cast(), stride, length, number_type);
    // SAFETY: the caller vouches for the addresses.
    unsafe { declare(x, indices, Some(dg_index_file::DG_OUTPUT_FILE), output) }
}

/// Write the index of the number at `x` to `index`; a complex number has two.
///
/// # Safety
/// The addresses must be those of such numbers.
#[no_mangle]
pub unsafe extern "C" fn dg_get_index(x: *const c_void, number_type: i32, index: *mut u64) -> i32 {
    // SAFETY: the caller vouches for the addresses.
    unsafe { dg_get_indices(x, 0, 1, number_type, index) }
}

/// Set the index of the number at `x` from `index`; a complex number has two. With 0 the number becomes passive.
///
/// # Safety
/// The addresses must be those of such numbers.
#[no_mangle]
pub unsafe extern "C" fn dg_set_index(x: *mut c_void, number_type: i32, index: *const u64) -> i32 {
    // SAFETY: the caller vouches for the addresses.
    unsafe { dg_set_indices(x, 0, 1, number_type, index) }
}

/// Write the indices of `length` numbers, the first at `x` and each `stride` bytes behind the one before, to `indices`.
///
/// # Safety
/// All addresses that are described must be those of such numbers.
#[no_mangle]
pub unsafe extern "C" fn dg_get_indices(
    x: *const c_void,
    stride: isize,
    length: usize,
    number_type: i32,
    indices: *mut u64,
) -> i32 {
    let x = Array::new(x.cast(), stride, length, number_type);
    // SAFETY: the caller vouches for the addresses.
    code(x.and_then(|x| unsafe { transfer(x, indices, GET_INDEX) }))
}

/// Set the indices of `length` numbers, the first at `x` and each `stride` bytes behind the one before, from `indices`.
///
/// # Safety
/// All addresses that are described must be those of such numbers.
#[no_mangle]
pub unsafe extern "C" fn dg_set_indices(
    x: *mut c_void,
    stride: isize,
    length: usize,
    number_type: i32,
    indices: *const u64,
) -> i32 {
    let x = Array::new(x.cast(), stride, length, number_type);
    // SAFETY: the caller vouches for the addresses.
    code(x.and_then(|x| unsafe { transfer(x, indices.cast_mut(), SET_INDEX) }))
}

/// Record an operation on two operands with the given indices and partial derivatives, whose result is `value`, and write
/// its index to `index`. It is 0 if both operands have index 0: they are passive.
///
/// # Safety
/// The address must be that of an index.
#[no_mangle]
pub unsafe extern "C" fn dg_new_index(
    index1: u64,
    index2: u64,
    partial_derivative1: f64,
    partial_derivative2: f64,
    value: f64,
    index: *mut u64,
) -> i32 {
    let operands = [(index1, partial_derivative1), (index2, partial_derivative2)];
    // SAFETY: the caller vouches for the address.
    code(unsafe { record(NEW_INDEX, operands, value, index) })
}

/// The same, but the operation always gets an index.
///
/// # Safety
/// The address must be that of an index.
#[no_mangle]
pub unsafe extern "C" fn dg_new_index_noactivityanalysis(
    index1: u64,
    index2: u64,
    partial_derivative1: f64,
    partial_derivative2: f64,
    value: f64,
    index: *mut u64,
) -> i32 {
    let operands = [(index1, partial_derivative1), (index2, partial_derivative2)];
    // SAFETY: the caller vouches for the address.
    code(unsafe { record(NEW_INDEX_NOACTIVITYANALYSIS, operands, value, index) })
}

/// Write an index to the file with the number of a `dg_index_file`.
#[no_mangle]
pub extern "C" fn dg_index_to_file(file: i32, index: u64) -> i32 {
    let all = [dg_index_file::DG_INPUT_FILE, dg_index_file::DG_OUTPUT_FILE];
    let file = all.into_iter().find(|known| *known as i32 == file).ok_or(dg_status::DG_UNKNOWN_NUMBER);
    code(file.and_then(|file| to_file(file, index)))
}

/// How a real number gets an index of its own.
type Declaration = unsafe fn(*mut u8, Real) -> Result<u64, dg_status>;

/// Declare all numbers of an array.
///
/// # Safety
/// There are such numbers, and `indices` is null or has room for all indices.
unsafe fn declare(
    x: Result<Array, dg_status>,
    indices: *mut u64,
    file: Option<dg_index_file>,
    declaration: Declaration,
) -> i32 {
    let mut place = indices;
    let mut declare_one = |number, real| {
        // SAFETY: the caller vouches for the numbers.
        let index = unsafe { declaration(number, real)? };
        if !indices.is_null() {
            // SAFETY: there is room for as many indices as there are real numbers.
            unsafe { place.write(index) };
            place = place.wrapping_add(1);
        }
        file.map_or(Ok(()), |file| to_file(file, index))
    };
    let declare_all = |x: Array| {
        require(RECORDING)?;
        x.each(&mut declare_one)
    };
    code(x.and_then(declare_all))
}

/// A fresh index for a real number.
///
/// # Safety
/// There is such a number.
unsafe fn input(number: *mut u8, real: Real) -> Result<u64, dg_status> {
    let mut index = 0;
    // SAFETY: the caller vouches for the number.
    unsafe {
        record(NEW_INDEX_NOACTIVITYANALYSIS, [(0, 0.0); 2], real.value(number), &mut index)?;
        transfer_one(number, real, &mut index, SET_INDEX)?;
    }
    Ok(index)
}

/// An index for a copy of a real number.
///
/// # Safety
/// There is such a number.
unsafe fn output(number: *mut u8, real: Real) -> Result<u64, dg_status> {
    let (mut old, mut index) = (0, 0);
    // SAFETY: the caller vouches for the number.
    unsafe {
        transfer_one(number, real, &mut old, GET_INDEX)?;
        record(NEW_INDEX, [(old, 1.0), (0, 0.0)], real.value(number), &mut index)?;
    }
    Ok(index)
}

/// Read or write the indices of all numbers of an array.
///
/// # Safety
/// There are such numbers, and as many indices as there are real numbers.
unsafe fn transfer(x: Array, indices: *mut u64, request: u32) -> Outcome {
    if x.length == 0 {
        return require(RECORDING);
    }
    address(indices)?;
    let mut place = indices;
    x.each(|number, real| {
        // SAFETY: the caller vouches for numbers and indices.
        unsafe { transfer_one(number, real, place, request)? };
        place = place.wrapping_add(1);
        Ok(())
    })
}

/// # Safety
/// There are such a number and an index.
unsafe fn transfer_one(number: *mut u8, real: Real, index: *mut u64, request: u32) -> Outcome {
    let arguments = [address(number)?, address(index)?, real.size(), 0, 0];
    // SAFETY: the caller vouches for the addresses.
    unsafe { serve(request, arguments, RECORDING) }
}

/// # Safety
/// The address is that of an index, or null.
unsafe fn record(request: u32, operands: [(u64, f64); 2], value: f64, index: *mut u64) -> Outcome {
    let [first, second] = &operands;
    let block = [
        address(&first.0)?,
        address(&second.0)?,
        address(&first.1)?,
        address(&second.1)?,
        address(index)?,
        address(&value)?,
    ];
    // SAFETY: all addresses are those of variables of the type that the request wants.
    unsafe { serve(request, [address(&block)?, 0, 0, 0, 0], RECORDING) }
}

fn to_file(file: dg_index_file, index: u64) -> Outcome {
    require(RECORDING)?;
    let number = match file {
        dg_index_file::DG_INPUT_FILE => index_files::INPUT,
        dg_index_file::DG_OUTPUT_FILE => index_files::OUTPUT,
    };
    // SAFETY: the request reads the index.
    unsafe { client::request(INDEX_TO_FILE, [number as usize, address(&index)?, 0, 0, 0], 0) };
    Ok(())
}
