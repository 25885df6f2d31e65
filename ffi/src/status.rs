//! What functions return.

use client::requests::{modes, GET_MODE};
use core::ffi::{c_char, CStr};

/// What has become of a request. Negative numbers are mistakes of the program.
#[allow(non_camel_case_types)] // Names of the C header.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum dg_status {
    /// The request was served.
    DG_OK = 0,
    /// Nothing was done: the program does not run under Derivgrind.
    DG_NO_TOOL = 1,
    /// Nothing was done: the request makes no sense in the mode that Derivgrind is in.
    DG_OTHER_MODE = 2,
    /// An address is null.
    DG_NULL_POINTER = -1,
    /// The number of a type or of a file is none of those that this header lists.
    DG_UNKNOWN_NUMBER = -2,
    /// Derivgrind refused: an address cannot be accessed, or there is no such index or position on the tape.
    DG_REFUSED = -3,
}

use dg_status::{DG_NO_TOOL, DG_NULL_POINTER, DG_OK, DG_OTHER_MODE, DG_REFUSED, DG_UNKNOWN_NUMBER};

impl dg_status {
    fn sentence(self) -> &'static CStr {
        match self {
            DG_OK => c"The request was served.",
            DG_NO_TOOL => c"Nothing was done: the program does not run under derivgrind.",
            DG_OTHER_MODE => c"Nothing was done: the request makes no sense in this mode of derivgrind.",
            DG_NULL_POINTER => c"An address is null.",
            DG_UNKNOWN_NUMBER => c"There is no type or file with this number.",
            DG_REFUSED => {
                c"Derivgrind refused: an address cannot be accessed, or there is no such index or position on the tape."
            }
        }
    }
}

/// What a function returns after its requests: those that return 1 when they are served.
pub type Outcome = Result<(), dg_status>;

/// The status as C sees it.
pub fn code(outcome: Outcome) -> i32 {
    match outcome {
        Ok(()) => DG_OK as i32,
        Err(status) => status as i32,
    }
}

/// A request that answers 1 if it was served. `modes` are those in which it makes sense.
///
/// # Safety
/// As for [`client::request`].
pub unsafe fn serve(request: u32, arguments: [usize; 5], modes: &[u8]) -> Outcome {
    // SAFETY: the caller vouches for the arguments.
    match unsafe { client::request(request, arguments, 0) } {
        1 => Ok(()),
        _ => Err(why_not(modes)),
    }
}

/// Why was a request not served?
fn why_not(modes: &[u8]) -> dg_status {
    match mode() {
        0 => DG_NO_TOOL,
        mode if modes.contains(&mode) => DG_REFUSED,
        _ => DG_OTHER_MODE,
    }
}

/// Is the tool in one of these modes?
pub fn require(modes: &[u8]) -> Outcome {
    match mode() {
        0 => Err(DG_NO_TOOL),
        mode if modes.contains(&mode) => Ok(()),
        _ => Err(DG_OTHER_MODE),
    }
}

pub const FORWARD: &[u8] = &[modes::FORWARD];
pub const RECORDING: &[u8] = &[modes::RECORDING];
pub const BIT_TRICK: &[u8] = &[modes::BIT_TRICK];

/// The letter of the mode, 0 outside of the tool.
pub fn mode() -> u8 {
    // SAFETY: the request has no arguments.
    unsafe { client::request(GET_MODE, [0; 5], 0) as u8 }
}

/// The address of something that is there.
pub fn address<T>(pointer: *const T) -> Result<usize, dg_status> {
    if pointer.is_null() {
        Err(DG_NULL_POINTER)
    } else {
        Ok(pointer.expose_provenance())
    }
}

/// A sentence for a status, which need not be freed.
#[no_mangle]
pub extern "C" fn dg_strerror(status: i32) -> *const c_char {
    let all = [DG_OK, DG_NO_TOOL, DG_OTHER_MODE, DG_NULL_POINTER, DG_UNKNOWN_NUMBER, DG_REFUSED];
    let known = all.into_iter().find(|known| *known as i32 == status);
    known.map_or(c"This is no status of derivgrind.", dg_status::sentence).as_ptr()
}
