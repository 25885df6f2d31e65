//! Requests about numbers at an address, of any size: what the crate `derivgrind` offers for `f32` and `f64`.

use crate::elements::Elements;
use derivgrind::requests::{DISABLE, GET_DOTVALUE, GET_INDEX, SET_DOTVALUE, SET_INDEX};
use derivgrind::{index_to_file, new_index, new_index_noactivityanalysis, request, IndexFile, Operand};

/// Copy dot values from the numbers `dots` to the shadows of `elements`, which have the same shape. False: no tool.
pub fn set_dot_values(elements: &Elements, dots: &Elements) -> bool {
    about_pairs(SET_DOTVALUE, elements, dots)
}

/// Copy the shadows of `elements` to the numbers `dots`, which have the same shape. False: no tool.
pub fn get_dot_values(elements: &Elements, dots: &Elements) -> bool {
    about_pairs(GET_DOTVALUE, elements, dots)
}

fn about_pairs(code: u32, elements: &Elements, dots: &Elements) -> bool {
    let about = |address: usize, dot: usize, size: usize| {
        // SAFETY: numbers of this size are at both addresses; `get` writes to dot values only, which are ours.
        unsafe { request(code, [address, dot, size, 0, 0], 0) == 1 }
    };
    if elements.is_contiguous() && dots.is_contiguous() {
        return about(elements.start, dots.start, elements.count() * elements.size);
    }
    let pairs = elements.addresses().zip(dots.addresses());
    pairs.fold(false, |any, (address, dot)| any | about(address, dot, elements.size))
}

/// Declare the number at the address as an input, and return its index; 0: nothing is recorded.
pub fn declare_input(address: usize, size: usize) -> u64 {
    let index = new_index_noactivityanalysis([Operand::PASSIVE; 2], value(address, size));
    if index != 0 {
        set_index(address, size, index);
    }
    index_to_file(IndexFile::Input, index);
    index
}

/// Declare the number at the address as an output.
pub fn declare_output(address: usize, size: usize) {
    let operand = Operand { index: get_index(address, size), partial_derivative: 1.0 };
    index_to_file(IndexFile::Output, new_index([operand, Operand::PASSIVE], value(address, size)));
}

/// The number at the address, for those who look at the tape. It may be at any address.
fn value(address: usize, size: usize) -> f64 {
    let pointer = core::ptr::with_exposed_provenance::<u8>(address);
    // SAFETY: a number of this size is at the address.
    unsafe {
        match size {
            4 => f64::from(pointer.cast::<f32>().read_unaligned()),
            8 => pointer.cast::<f64>().read_unaligned(),
            // Rust has no 80-bit numbers, and to take an active one apart would be reported.
            _ => f64::NAN,
        }
    }
}

/// The index of the number at the address.
pub fn get_index(address: usize, size: usize) -> u64 {
    let mut index = 0u64;
    let target = core::ptr::from_mut(&mut index).expose_provenance();
    // SAFETY: a number of this size is at the address, and the request writes eight bytes to `index`.
    unsafe { request(GET_INDEX, [address, target, size, 0, 0], 0) };
    index
}

/// Give the number at the address an index. False: nothing is recorded.
pub fn set_index(address: usize, size: usize, index: u64) -> bool {
    let source = core::ptr::from_ref(&index).expose_provenance();
    // SAFETY: a number of this size is at the address, and the request reads the index.
    unsafe { request(SET_INDEX, [address, source, size, 0, 0], 0) == 1 }
}

/// Add to and subtract from the counter that pauses recording in this thread.
pub fn disable(plus: usize, minus: usize) {
    // SAFETY: the arguments are numbers.
    unsafe { request(DISABLE, [plus, minus, 0, 0, 0], 0) };
}
