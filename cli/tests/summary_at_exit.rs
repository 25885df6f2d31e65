//! The launcher explains the addresses that the engine counted.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// A report about this test program itself, given to the launcher as the engine does.
#[test]
fn addresses_become_functions_and_lines() {
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let path = directory.path().join("report");
    let mut report = String::new();
    for line in fs::read_to_string("/proc/self/maps").expect("mappings can be read").lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        if words.len() >= 6 && words[1].contains('x') && words[5].starts_with('/') {
            let (start, end) = words[0].split_once('-').expect("a range");
            report += &format!("module {start} {end} {} {}\n", words[2], words[5]);
        }
    }
    let here = addresses_become_functions_and_lines as fn() as usize;
    report += &format!("site 12 i {here:x} rcpps xmm, xmm/m128\nsite 3 f {here:x} sin\n");
    fs::write(&path, report).expect("the temporary directory can be written");

    let file = File::open(&path).expect("it was just written");
    let descriptor = file.as_raw_fd();
    let mut command = Command::new(env!("CARGO_BIN_EXE_derivgrind"));
    command.args([&format!("--report-from-fd={descriptor}"), "--report-pid=4711"]);
    command.env_remove("DERIVGRIND_OPTS").env("HOME", "/nonexistent").stderr(Stdio::piped());
    // SAFETY: only a descriptor flag is changed between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::fcntl(descriptor, libc::F_SETFD, 0);
            Ok(())
        });
    }
    let output = command.output().expect("the launcher starts");
    let text = String::from_utf8(output.stderr).expect("reports are UTF-8");
    assert!(output.status.success());
    assert!(text.lines().all(|line| line.starts_with("==4711== ")), "{text}");
    let row = text.lines().nth(1).expect("a row");
    assert!(row.contains("12 times  rcpps xmm, xmm/m128  in "), "{text}");
    assert!(
        row.contains("addresses_become_functions_and_lines") && row.contains("summary_at_exit.rs:"),
        "{text}"
    );
    assert!(text.contains("3 times  sin  (summary_at_exit"), "{text}");
}
