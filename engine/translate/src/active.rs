//! Active level.
use crate::decode::Client;
use crate::emit::Jump;
use crate::state::State;
use crate::translate::Translator;
use crate::vectors::Pending;
impl Translator<'_> {
    pub(crate) fn active(&mut self, client: &Client) {
        self.copy(client);
    }
    pub(crate) fn check_untrusted_function(&mut self, _flags_dead: bool) {}
    pub(crate) fn write_back_all(&mut self) {}
    pub(crate) fn write_back(&mut self, _pending: &Pending) {}
    pub(crate) fn materialize(&mut self, _to: State) {}
    pub(crate) fn count(&mut self, _jump: Jump, _back: u64, _site: usize, _rcx_spilled: bool) {}
}
