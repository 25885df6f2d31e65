//! Builds the engine executable, which is a Cargo workspace of its own, and hands its path to the launcher.
//!
//! The engine has no std and aborts on panic, so that it cannot be a dependency of this crate: it is built by a second
//! Cargo. That one must not see the settings of the first: compiler flags of a sanitizer or of coverage, the wrapper
//! that turns a build into a run of clippy, or another target directory would break the engine or be ignored by it.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{exit, Command};

/// Settings of the outer Cargo that must not reach the inner one, besides those with a prefix in [`HIDDEN_PREFIXES`].
const HIDDEN: &[&str] = &[
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET",
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "DEBUG",
    "HOST",
    "NUM_JOBS",
    "OPT_LEVEL",
    "OUT_DIR",
    "PROFILE",
    "RUSTC",
    "RUSTC_LINKER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "TARGET",
];
const HIDDEN_PREFIXES: &[&str] =
    &["CARGO_BUILD_", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PKG_", "CARGO_PROFILE_"];

fn main() {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let root = here.parent().expect("the crate lies in the workspace").to_path_buf();
    let engine = root.join("engine/executable");
    watch(&root);

    let target = PathBuf::from(variable("OUT_DIR")).join("engine");
    let mut cargo = Command::new(variable("CARGO"));
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        if HIDDEN.contains(&name) || HIDDEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    // Line tables are of no use in an image that exists only in memory, and copying them there costs time.
    cargo.env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
    cargo.current_dir(&engine).args(["build", "--release", "--quiet", "--target-dir"]).arg(&target);
    match cargo.status() {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("building the engine in {} failed: {status}", engine.display())),
        Err(error) => fail(&format!("building the engine in {} failed: {error}", engine.display())),
    }
    let image = target.join("release/derivgrind-engine");
    if !image.is_file() {
        fail(&format!("the engine was built, but {} is missing", image.display()));
    }
    println!("cargo:rustc-env=DERIVGRIND_ENGINE_IMAGE={}", image.display());
    let content = fs::read(&image).unwrap_or_else(|error| fail(&format!("{}: {error}", image.display())));
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    println!("cargo:rustc-env=DERIVGRIND_ENGINE_BUILD={:016x}", hasher.finish());
}

/// Run again when anything changes that the engine is made from.
fn watch(root: &Path) {
    println!("cargo:rerun-if-changed=build.rs");
    for file in ["Cargo.toml", "runtime/Cargo.toml", "runtime/src"] {
        println!("cargo:rerun-if-changed={}", root.join(file).display());
    }
    // Not the crates as a whole, which would include what somebody has built inside.
    for package in entries(&root.join("engine")) {
        for entry in entries(&package) {
            if !entry.ends_with("target") && !entry.ends_with("tests") {
                println!("cargo:rerun-if-changed={}", entry.display());
            }
        }
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = directory.read_dir().into_iter().flatten();
    entries.flatten().map(|entry| entry.path()).collect()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("Cargo sets {name}"))
}

fn fail(message: &str) -> ! {
    println!("cargo:warning={message}");
    eprintln!("{message}");
    exit(1);
}
