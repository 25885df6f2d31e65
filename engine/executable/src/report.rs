//! The report at the end of the client.

pub fn make() {}
