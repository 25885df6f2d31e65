//! The request codes: the single source from which the C header, the tests and the engine take them.
//!
//! A request is six words, the code and five arguments. Sizes are in bytes, addresses are addresses of the client.
//! Codes and argument order are those of the classic tool, so that programs compiled for it keep working. Requests
//! that the classic tool does not have start at [`EXTENSIONS`].

/// Code of the first request: the two letters that Valgrind's convention gives each tool, in the upper half.
pub const BASE: u32 = ((b'D' as u32) << 24) | ((b'G' as u32) << 16);

/// Code of the first request that the classic tool does not know.
pub const EXTENSIONS: u32 = BASE + 0x100;

/// Name, code and meaning of a request, for generated headers and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Name of the constant in this module.
    pub name: &'static str,
    pub code: u32,
    /// Arguments and result in one sentence.
    pub meaning: &'static str,
}

macro_rules! requests {
    ($($name:ident = $offset:literal, $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $name: u32 = BASE + $offset;
        )*

        /// Every request, in ascending order of code.
        pub const ALL: &[Request] = &[
            $(Request { name: stringify!($name), code: $name, meaning: $meaning },)*
        ];
    };
}

requests! {
    GET_DOTVALUE = 0, "Address of x, where to put its dot value, size of both; result 1.";
    SET_DOTVALUE = 1, "Address of x, address of the dot value, size of both; result 1.";
    DISABLE = 2, "Plus, minus: added to and subtracted from a counter of this thread; result: the counter before.";
    GET_INDEX = 3, "Address of x, where to put its 8-byte index, size of x (0: unknown); result 1.";
    SET_INDEX = 4, "Address of x, address of an 8-byte index, size of x (0: unknown); result 1.";
    NEW_INDEX = 5, "Address of six pointers: index 1, index 2, partial derivative 1, partial derivative 2, where to put the new index, value; result 1. Passive operands give index 0.";
    NEW_INDEX_NOACTIVITYANALYSIS = 6, "The same, but always a new index; result 1.";
    INDEX_TO_FILE = 7, "Which file, address of an 8-byte index; result 0.";
    GET_MODE = 8, "No arguments; result: a mode.";
    GET_FLAGS = 9, "Address of x, where to put its activity flags and its discreteness flags, size of each; result 1.";
    SET_FLAGS = 10, "Address of x, address of activity flags and of discreteness flags, size of each; result 1.";
    TAPE_POSITION = 0x100, "Where to put an 8-byte number that stands for what has been recorded so far; result 1.";
    TAPE_RESET = 0x101, "Address of such a number: what was recorded since is dropped, and indices given since are invalid; result 1.";
    TAPE_REVERSE = 0x102, "Address of 8-byte indices, address of as many binary64 bar values, their number: evaluates the tape in reverse; result 1.";
    TAPE_GET_BAR = 0x103, "Address of an 8-byte index, where to put its binary64 bar value after the last evaluation; result 1.";
    TAPE_CLEAR_BARS = 0x104, "No arguments: frees the memory of the bar values; result 1.";
}

/// Results of [`GET_MODE`]. Outside of the tool the result is 0.
pub mod modes {
    /// Forward mode: dot values are propagated.
    pub const FORWARD: u8 = b'd';
    /// Recording mode: a tape for the reverse mode is written.
    pub const RECORDING: u8 = b'b';
    /// Bit-trick-finding mode.
    pub const BIT_TRICK: u8 = b't';
}

/// First argument of [`INDEX_TO_FILE`].
pub mod index_files {
    /// The file of the indices of inputs.
    pub const INPUT: u32 = 0;
    /// The file of the indices of outputs.
    pub const OUTPUT: u32 = 1;
}
