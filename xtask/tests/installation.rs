//! What `cargo xtask install` copies is what a user compiles with.

use std::path::Path;
use std::process::Command;

#[test]
fn header_is_found_by_both_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    xtask::install::install_header(root, directory.path()).expect("the temporary directory can be written");
    for name in ["derivgrind.h", "valgrind/derivgrind.h"] {
        let status = Command::new("gcc")
            .args(["-fsyntax-only", "-x", "c", "/dev/null", "-include", name, "-I"])
            .arg(directory.path().join("include"))
            .status()
            .expect("gcc starts");
        assert!(status.success(), "{name}");
    }
}
