//! The header of libderivgrind, made from the exported functions of the crate `ffi`.

use anyhow::{anyhow, Result};
use std::path::Path;

/// The text of `headers/derivgrind_library.h`.
pub fn generate(root: &Path) -> Result<String> {
    let ffi = root.join("ffi");
    let mut config =
        cbindgen::Config::from_file(ffi.join("cbindgen.toml")).map_err(|error| anyhow!(error))?;
    // Parsing sources needs no Cargo.
    config.parse.parse_deps = false;
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(ffi.join("src").join(source));
    }
    let mut text = Vec::new();
    builder.generate()?.write(&mut text);
    Ok(for_c(&String::from_utf8(text)?))
}

/// What Rust says about safety is no news in C.
fn for_c(text: &str) -> String {
    let mut result = String::new();
    let mut lines = text.lines().peekable();
    let mut in_safety = false;
    while let Some(line) = lines.next() {
        let next_is_safety = lines.peek().is_some_and(|next| next.trim() == "* # Safety");
        in_safety = (in_safety || line.trim() == "* # Safety") && line.trim() != "*/";
        if in_safety || next_is_safety && line.trim() == "*" {
            continue;
        }
        result += line.trim_end();
        result.push('\n');
    }
    result
}

/// Files of the crate, in the order in which the header has their functions.
pub const SOURCES: &[&str] =
    &["status.rs", "numbers.rs", "process.rs", "dotvalues.rs", "indices.rs", "tape.rs", "flags.rs"];
