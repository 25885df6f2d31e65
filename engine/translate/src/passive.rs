//! Passive level.
use crate::decode::Client;
use crate::translate::Translator;
impl Translator<'_> {
    pub(crate) fn passive(&mut self, client: &Client) {
        self.copy(client);
    }
}
