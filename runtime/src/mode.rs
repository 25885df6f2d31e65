//! Under which tool does the program run?

use crate::request::request;
use crate::requests::{modes, GET_MODE};

/// What Derivgrind does with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Dot values are propagated.
    Forward,
    /// A tape for the reverse mode is written.
    Recording,
    /// Floating-point values that are used as integers are looked for.
    BitTrick,
}

/// The mode of the tool that runs this program, `None` if there is none.
///
/// ```
/// match derivgrind::mode() {
///     Some(derivgrind::Mode::Forward) => println!("dot values are propagated"),
///     Some(mode) => println!("{mode:?}"),
///     None => println!("this is a native run"),
/// }
/// ```
#[inline]
pub fn mode() -> Option<Mode> {
    // SAFETY: the request has no arguments.
    let answer = unsafe { request(GET_MODE, [0; 5], 0) };
    match u8::try_from(answer).ok()? {
        modes::FORWARD => Some(Mode::Forward),
        modes::RECORDING => Some(Mode::Recording),
        modes::BIT_TRICK => Some(Mode::BitTrick),
        _ => None,
    }
}
