//! Where things are, and how they are built.

use crate::command;
use anyhow::{Context, Result};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The checkout that `cargo xtask` was called in.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    pub fn find() -> Result<Workspace> {
        let here = env::var_os("CARGO_MANIFEST_DIR").context("call this as `cargo xtask`")?;
        let root = Path::new(&here).parent().context("xtask lies in the workspace")?.to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(directory) => env::current_dir()?.join(directory),
            None => root.join("target"),
        };
        Ok(Workspace { root, target })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where everything is built.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Cargo at the root of the workspace.
    pub fn cargo(&self) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        cargo
    }

    /// Cargo in the workspace of the engine executable.
    pub fn engine_cargo(&self) -> Command {
        let mut cargo = self.cargo();
        cargo.current_dir(self.root.join("engine/executable"));
        cargo.env("CARGO_TARGET_DIR", self.target.join("engine"));
        cargo
    }

    /// Cargo in the workspace of libderivgrind.
    pub fn library_cargo(&self) -> Command {
        let mut cargo = self.cargo();
        cargo.current_dir(self.root.join("ffi"));
        cargo.env("CARGO_TARGET_DIR", self.target.join("ffi"));
        cargo
    }

    /// Build libderivgrind in release mode, and return the path of the shared one.
    pub fn build_library(&self) -> Result<PathBuf> {
        command::run(self.library_cargo().args(["build", "--release", "--quiet"]))?;
        Ok(self.target.join("ffi/release/libderivgrind.so"))
    }

    /// Build the launcher, with the engine in it, in release mode, and return its path.
    pub fn build_launcher(&self) -> Result<PathBuf> {
        command::run(self.cargo().args(["build", "--release", "--quiet", "--package", "derivgrind-cli"]))?;
        Ok(self.target.join("release/derivgrind"))
    }

    /// A directory for what demo and benchmarks compile.
    pub fn scratch(&self, name: &str) -> Result<PathBuf> {
        let directory = self.target.join("xtask").join(name);
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        Ok(directory)
    }

    /// Compile a C program that includes `derivgrind.h`. Libraries follow the source file.
    pub fn compile_c(
        &self,
        source: &str,
        product: &Path,
        options: &[&str],
        libraries: &[&str],
    ) -> Result<()> {
        let mut gcc = Command::new("gcc");
        gcc.args(options).arg("-I").arg(self.root.join("headers"));
        gcc.arg(self.root.join(source)).arg("-o").arg(product).args(libraries);
        command::run(&mut gcc)
    }
}
