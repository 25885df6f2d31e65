//! Where the shadows of vector registers are.
use crate::decode::Client;
use crate::interface::Settings;
use crate::state::State;
#[derive(Clone)]
pub(crate) struct Pending;
pub(crate) struct Vectors {
    pub zero: u16,
    pub upper: bool,
}
impl Vectors {
    pub fn new(_settings: &Settings, state: State) -> Vectors {
        Vectors { zero: state.zero_vector(), upper: state.upper() }
    }
    pub fn plan(&mut self, _instructions: &[Client]) {}
    pub fn pending(&self) -> Option<Pending> {
        None
    }
}
