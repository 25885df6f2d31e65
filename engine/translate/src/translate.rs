//! Makes a translation: the entry point of this crate.

use crate::interface::{ClientCode, Job, Translation};
use crate::state::State;

/// Translates the code that starts at `job.pc`.
pub fn translate(_job: &Job, _client: &dyn ClientCode) -> Translation {
    todo!()
}

/// Code that brings the shadows from `job.state` to `to`, a state that knows less, and continues at `job.pc`.
pub fn adapt(_job: &Job, _to: State) -> Translation {
    todo!()
}

/// Human-readable mnemonic and operand form of a [`crate::interface::SiteKind::Instruction`].
pub fn instruction_name(_code: u16) -> alloc::string::String {
    todo!()
}
