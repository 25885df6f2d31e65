//! What `cargo xtask install` makes, in a place that it was moved to afterwards.

use crate::{launcher, repository, run, scratch, Finished};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// An installation, and programs that use it.
pub struct Installation {
    pub prefix: PathBuf,
    /// Where programs are built.
    pub products: PathBuf,
}

/// The installation of this process, which is made once.
pub fn installation() -> &'static Installation {
    static INSTALLATION: OnceLock<Installation> = OnceLock::new();
    INSTALLATION.get_or_init(|| Installation::new().unwrap_or_else(|error| panic!("{error}")))
}

impl Installation {
    fn new() -> Result<Installation, String> {
        let directory = scratch().join("installation");
        let _ = fs::remove_dir_all(&directory);
        let (first, prefix) = (directory.join("first"), directory.join("moved"));
        let products = directory.join("products");
        fs::create_dir_all(&products).map_err(|error| format!("{}: {error}", products.display()))?;
        let mut install = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        install.current_dir(repository("")).args(["xtask", "install", "--prefix"]).arg(&first);
        succeed(&mut install)?;
        fs::rename(&first, &prefix).map_err(|error| format!("{}: {error}", first.display()))?;
        Ok(Installation { prefix, products })
    }

    /// A file of the installation.
    pub fn path(&self, name: &str) -> PathBuf {
        self.prefix.join(name)
    }

    /// A command in an environment that has nothing but PATH and what a user is told to set.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        let path = std::env::var("PATH").unwrap_or_default();
        command.env_clear().env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.env("PKG_CONFIG_PATH", self.path("lib/pkgconfig"));
        // Where Rust's tools are, if they are not in PATH themselves.
        for variable in ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
            if let Some(value) = std::env::var_os(variable) {
                command.env(variable, value);
            }
        }
        command
    }

    /// The installed programs are those that are tested.
    pub fn assert_complete(&self) -> Result<(), String> {
        let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        if read(&self.path("bin/derivgrind"))? == read(&launcher())? {
            Ok(())
        } else {
            Err(format!("{} was not installed", launcher().display()))
        }
    }
}

/// Runs a command that must succeed; compilers may take longer than programs under test.
pub fn succeed(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{command:?}: {}{}", text(&output.stdout), text(&output.stderr)))
    }
}

/// How a program uses its installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    Native,
    Forward,
    Recording,
}

/// Runs a program in one of these ways; recordings go to `tape`.
pub fn run_installed(
    installation: &Installation,
    how: Run,
    program: &Path,
    words: &[&str],
    tape: &Path,
) -> Result<Finished, String> {
    let mut command = match how {
        Run::Native => installation.command(program),
        Run::Forward | Run::Recording => installation.command("derivgrind"),
    };
    command.env_remove("HOME");
    if how == Run::Recording {
        let _ = fs::remove_dir_all(tape);
        command.arg(format!("--record={}", tape.display()));
    }
    if how != Run::Native {
        command.arg(program);
    }
    run(command.args(words))
}
