//! `cargo xtask install --prefix=DIR`: everything that a user of one of the languages needs.
//!
//! ```text
//! bin/                        derivgrind, tape-evaluation, derivgrind-config
//! include/                    headers; valgrind/derivgrind.h is the name that programs of the classic tool include
//! lib/                        libderivgrind.so and .a
//! lib/cmake, lib/pkgconfig    the same for build systems
//! lib/derivgrind/fortran/     modules, for each version of the compiler
//! lib/derivgrind/python/      the Python package
//! share/derivgrind/           sources: Fortran modules, the Rust crate, examples; the wheel of the Python package
//! share/man, share/...        man pages, and completions for shells
//! ```
//!
//! Nothing in there knows where it is: the directory can be moved.

mod fortran;

use crate::command;
use crate::python;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of everything.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Programs, and where their documents go.
const PROGRAMS: [&str; 2] = ["derivgrind", "tape-evaluation"];

/// Build in release mode and install below `prefix`.
pub fn run(workspace: &Workspace, prefix: &Path) -> Result<()> {
    fs::create_dir_all(prefix).with_context(|| format!("cannot create {}", prefix.display()))?;
    let prefix = prefix.canonicalize()?;
    let launcher = workspace.build_launcher()?;
    let library = workspace.build_library()?;
    let installation = Installation { root: workspace.root(), prefix: &prefix };
    for program in PROGRAMS {
        let built = launcher.with_file_name(program);
        installation.copy(&built, &format!("bin/{program}"))?;
        installation.documents(&built, program)?;
    }
    installation.headers()?;
    installation.library(&library)?;
    installation.for_build_systems()?;
    fortran::install(&installation)?;
    python::install(workspace, &prefix)?;
    installation.folder("runtime", "share/derivgrind/runtime")?;
    installation.manifest("share/derivgrind/runtime/Cargo.toml")?;
    installation.folder("examples", "share/derivgrind/examples")
}

/// From where to where.
struct Installation<'a> {
    root: &'a Path,
    prefix: &'a Path,
}

impl Installation<'_> {
    fn headers(&self) -> Result<()> {
        self.folder("headers", "include")?;
        self.copy(&self.root.join("headers/derivgrind.h"), "include/valgrind/derivgrind.h")
    }

    /// The library with the names that linkers and programs look for.
    fn library(&self, library: &Path) -> Result<()> {
        let (major, _) = VERSION.split_once('.').context("versions have several numbers")?;
        let file = format!("libderivgrind.so.{VERSION}");
        self.copy(library, &format!("lib/{file}"))?;
        self.copy(&library.with_extension("a"), "lib/libderivgrind.a")?;
        for name in ["libderivgrind.so".to_string(), format!("libderivgrind.so.{major}")] {
            self.link(&file, &format!("lib/{name}"))?;
        }
        Ok(())
    }

    fn for_build_systems(&self) -> Result<()> {
        self.template("derivgrind-config", "bin/derivgrind-config")?;
        self.template("derivgrind.pc", "lib/pkgconfig/derivgrind.pc")?;
        for name in ["derivgrind-config.cmake", "derivgrind-config-version.cmake"] {
            self.template(&format!("cmake/{name}"), &format!("lib/cmake/derivgrind/{name}"))?;
        }
        Ok(())
    }

    /// Man page and completions, which the program prints.
    fn documents(&self, built: &Path, program: &str) -> Result<()> {
        let kinds = [
            ("man", format!("share/man/man1/{program}.1")),
            ("complete-bash", format!("share/bash-completion/completions/{program}")),
            ("complete-zsh", format!("share/zsh/site-functions/_{program}")),
            ("complete-fish", format!("share/fish/vendor_completions.d/{program}.fish")),
        ];
        for (kind, target) in kinds {
            let mut command = Command::new(built);
            command.arg(format!("--generate={kind}")).env_remove("DERIVGRIND_OPTS");
            self.write(&command::output(&mut command)?, &target)?;
        }
        Ok(())
    }

    /// The manifest of a crate says by itself what it takes from the workspace here.
    fn manifest(&self, target: &str) -> Result<()> {
        let path = self.prefix.join(target);
        let text = fs::read_to_string(&path)?;
        let workspace = fs::read_to_string(self.root.join("Cargo.toml"))?;
        let mut result = String::new();
        for line in text.lines().take_while(|line| *line != "[dev-dependencies]") {
            let inherited = line.strip_suffix(".workspace = true").map(|key| format!("{key} = "));
            let found = inherited.and_then(|key| workspace.lines().find(|line| line.starts_with(&key)));
            result += found.unwrap_or(line);
            result.push('\n');
        }
        result += "[workspace]\n";
        fs::write(&path, result).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Copy a file of `sdk-c` that has the version in it.
    fn template(&self, name: &str, target: &str) -> Result<()> {
        let source = self.root.join("sdk-c").join(name);
        let text =
            fs::read_to_string(&source).with_context(|| format!("cannot read {}", source.display()))?;
        let major = VERSION.split('.').next().unwrap_or_default();
        self.write(&text.replace("@VERSION@", VERSION).replace("@MAJOR@", major), target)?;
        let permissions = fs::metadata(&source)?.permissions();
        Ok(fs::set_permissions(self.prefix.join(target), permissions)?)
    }

    /// Copy the files of a folder that belong to the repository.
    fn folder(&self, source: &str, target: &str) -> Result<()> {
        for file in files_below(&self.root.join(source))? {
            let name = file.strip_prefix(self.root.join(source))?;
            self.copy(&file, &format!("{target}/{}", name.display()))?;
        }
        Ok(())
    }

    fn copy(&self, from: &Path, target: &str) -> Result<()> {
        let to = self.place(target)?;
        // A running program cannot be overwritten, but its name can be given to a new file.
        let fresh = to.with_extension("new");
        fs::copy(from, &fresh)
            .with_context(|| format!("cannot copy {} to {}", from.display(), fresh.display()))?;
        fs::rename(&fresh, &to).with_context(|| format!("cannot replace {}", to.display()))
    }

    fn write(&self, text: &str, target: &str) -> Result<()> {
        let to = self.place(target)?;
        fs::write(&to, text).with_context(|| format!("cannot write {}", to.display()))
    }

    fn link(&self, file: &str, target: &str) -> Result<()> {
        let to = self.place(target)?;
        let _ = fs::remove_file(&to);
        symlink(file, &to).with_context(|| format!("cannot create {}", to.display()))
    }

    /// The path of a target, whose directory exists.
    fn place(&self, target: &str) -> Result<PathBuf> {
        let path = self.prefix.join(target);
        let directory = path.parent().context("the target has a directory")?;
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        Ok(path)
    }
}

/// What builds leave in folders with sources.
const PRODUCTS: [&str; 3] = ["target", "build", "Cargo.lock"];

fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        if PRODUCTS.iter().any(|product| entry.file_name() == *product) {
            continue;
        }
        // Links are followed: their targets may not be installed.
        if fs::metadata(entry.path())?.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    Ok(files)
}
