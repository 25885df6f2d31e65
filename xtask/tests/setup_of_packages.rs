//! `cargo xtask setup` on a machine where packages are missing, with and without the right to install them.
//!
//! The package manager is a stand-in, so that the test neither needs a network nor changes the machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

/// A user who is not root, whatever its name.
const NOBODY: u32 = 65534;

/// One test at a time: a program that another thread's child still has open for writing cannot be executed.
static ALONE: Mutex<()> = Mutex::new(());

fn executable(path: &Path, content: &[u8]) {
    fs::write(path, content).expect("the temporary directory can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("own files can be changed");
}

/// Run setup with a package manager that knows no package but gcc.
fn setup(directory: &TempDir, as_root: bool) -> Output {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))
        .expect("own files can be changed");
    let query = b"#!/bin/sh\ncase \"$*\" in *--version*) ;; *' gcc') printf installed ;; *) exit 1 ;; esac\n";
    executable(&directory.path().join("dpkg-query"), query);
    let log = directory.path().join("log");
    let apt = format!("#!/bin/sh\necho \"$@\" >> {}\n", log.display());
    executable(&directory.path().join("apt-get"), apt.as_bytes());
    let program = directory.path().join("xtask");
    executable(&program, &fs::read(env!("CARGO_BIN_EXE_xtask")).expect("it was built for this test"));
    let mut command = Command::new(program);
    command.args(["setup", "--for=demo"]).current_dir("/");
    command.env("PATH", format!("{}:/usr/bin:/bin", directory.path().display()));
    command.env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR"));
    if !as_root && is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().expect("xtask starts")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn without_root_the_command_is_printed_and_nothing_is_done() {
    let directory = TempDir::new().expect("a temporary directory");
    let output = setup(&directory, false);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "xtask: some packages are missing, and only root can install them; please run: \
         sudo apt-get install -y libc6-dev libgsl-dev\n"
    );
    assert!(!directory.path().join("log").exists());
}

#[test]
fn root_installs_what_is_missing() {
    if !is_root() {
        // The other test covers this user.
        return;
    }
    let directory = TempDir::new().expect("a temporary directory");
    let output = setup(&directory, true);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = fs::read_to_string(directory.path().join("log")).expect("the stand-in was called");
    assert_eq!(log, "-y -qq --no-install-recommends install libc6-dev libgsl-dev\n");
}
