//! `cargo xtask install --prefix=DIR`.

use crate::headers;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Build in release mode and copy programs and header below `prefix`.
pub fn run(workspace: &Workspace, prefix: &Path) -> Result<()> {
    let launcher = workspace.build_launcher()?;
    copy(&launcher, &prefix.join("bin/derivgrind"))?;
    copy(&launcher.with_file_name("tape-evaluation"), &prefix.join("bin/tape-evaluation"))?;
    install_header(workspace.root(), prefix)
}

/// Copy the header of the checkout at `root` below `prefix`.
pub fn install_header(root: &Path, prefix: &Path) -> Result<()> {
    let header = headers::path(root);
    copy(&header, &prefix.join("include/derivgrind.h"))?;
    // Sources written for the classic tool include it by this name.
    copy(&header, &prefix.join("include/valgrind/derivgrind.h"))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let directory = to.parent().context("the target has a directory")?;
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    // A running program cannot be overwritten, but its name can be given to a new file.
    let fresh = to.with_extension("new");
    fs::copy(from, &fresh)
        .with_context(|| format!("cannot copy {} to {}", from.display(), fresh.display()))?;
    fs::rename(&fresh, to).with_context(|| format!("cannot replace {}", to.display()))?;
    eprintln!("{}", to.display());
    Ok(())
}
