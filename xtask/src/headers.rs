//! `cargo xtask headers`: generates what other languages include, from the request codes of the crate `derivgrind`,
//! from templates and from the crate `ffi`.

use crate::{fortran, library_header};
use anyhow::{bail, Context, Result};
use derivgrind::requests;
use std::fs;
use std::path::{Path, PathBuf};

const HEADER: &str = "headers/derivgrind.h";
const TEMPLATE: &str = include_str!("derivgrind.h.template");
/// Widest line of the header.
const WIDTH: usize = 120;

/// What is generated, and where it is committed.
pub fn files(root: &Path) -> Result<Vec<(&'static str, String)>> {
    Ok(vec![
        (HEADER, generate()),
        ("headers/derivgrind_library.h", library_header::generate(root)?),
        ("sdk-fortran/src/derivgrind.f90", fortran::generate()),
    ])
}

/// Write the files, or with `check` fail if a committed one is stale.
pub fn run(root: &Path, check: bool) -> Result<()> {
    for (name, text) in files(root)? {
        let path = root.join(name);
        if fs::read_to_string(&path).unwrap_or_default() == text {
            continue;
        }
        if check {
            bail!("{name} is stale: run `cargo xtask headers` and commit the result");
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Where the header for C and C++ is committed.
pub fn path(root: &Path) -> PathBuf {
    root.join(HEADER)
}

/// The text of the header for C and C++.
pub fn generate() -> String {
    let values = [
        ("@REQUESTS@\n", request_definitions()),
        ("@EXTENSIONS@", code(requests::EXTENSIONS)),
        ("@FORWARD@", char::from(requests::modes::FORWARD).to_string()),
        ("@RECORDING@", char::from(requests::modes::RECORDING).to_string()),
        ("@BIT_TRICK@", char::from(requests::modes::BIT_TRICK).to_string()),
        ("@INPUT@", requests::index_files::INPUT.to_string()),
        ("@OUTPUT@", requests::index_files::OUTPUT.to_string()),
    ];
    let mut text = TEMPLATE.to_string();
    for (placeholder, value) in values {
        assert!(text.contains(placeholder), "the template has no {placeholder}");
        text = text.replace(placeholder, &value);
    }
    text
}

fn request_definitions() -> String {
    let mut text = String::new();
    for request in requests::ALL {
        text += &comment(request.meaning);
        text += &format!("#define DERIVGRIND_REQUEST_{} {}\n", request.name, code(request.code));
    }
    text
}

fn code(code: u32) -> String {
    format!("{code:#010x}ul")
}

/// Words in a C comment, broken into lines.
fn comment(words: &str) -> String {
    let mut text = String::from("/*");
    let mut column = text.len();
    for word in words.split_whitespace() {
        if column + 1 + word.len() + " */".len() > WIDTH {
            text += "\n *";
            column = 2;
        }
        text.push(' ');
        text += word;
        column += 1 + word.len();
    }
    text + " */\n"
}
