//! `cargo xtask install`, and what is installed: every language uses it, natively and under derivgrind.

mod build_systems;
mod classic;
mod documents;
mod every_request;
mod examples;
