//! Surroundings in which a client cannot run.
