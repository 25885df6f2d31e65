//! What surrounds a client stays as it is: words, environment, descriptors, exit status, signals.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output};
use tempfile::TempDir;

fn derivgrind() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_derivgrind"));
    command.env_remove("DERIVGRIND_OPTS").env("HOME", "/nonexistent");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(words: &[&str]) -> Output {
    derivgrind().args(words).output().expect("the launcher starts")
}

/// Run a shell command natively and under derivgrind, which must make no difference.
fn same_as_native(script: &str) {
    let native = Command::new("sh").args(["-c", script]).output().expect("sh starts");
    let tool = run(&["-q", "sh", "-c", script]);
    assert_eq!(text(&tool.stdout), text(&native.stdout), "{script}");
    assert_eq!(text(&tool.stderr), text(&native.stderr), "{script}");
    assert_eq!(tool.status, native.status, "{script}");
}

#[test]
fn exit_status_and_fatal_signal() {
    same_as_native("exit 7");
    same_as_native("kill -SEGV $$");
    same_as_native("kill -TERM $$");
    assert_eq!(run(&["sh", "-c", "kill -KILL $$"]).status.signal(), Some(9));
}

#[test]
fn a_wrapper_that_goes_on_as_another_program_is_said() {
    let script = "exec /bin/echo done";
    let said = run(&["sh", "-c", script]);
    assert_eq!(text(&said.stdout), "done\n");
    let stderr = text(&said.stderr);
    assert!(stderr.contains("/bin/echo replaces the program and runs natively"), "{stderr}");
    // A child is what the option's name speaks of, and a program that cannot be executed replaces nothing.
    assert_eq!(text(&run(&["sh", "-c", "/bin/echo done; true"]).stderr), "");
    assert_eq!(text(&run(&["--trace-children=yes", "sh", "-c", script]).stderr), "");
    let missing = text(&run(&["sh", "-c", "exec /bin/no-such-program"]).stderr);
    assert!(!missing.contains("replaces"), "{missing}");
}

#[test]
fn signal_dispositions() {
    // A program that ignores nothing is started, although Rust programs ignore SIGPIPE.
    same_as_native("grep -E 'SigIgn|SigBlk' /proc/self/status");
}

#[test]
fn words_reach_the_client_as_they_are() {
    let output = run(&["-q", "--", "printf", "%s|", "a b", "", "--vector-shadows=x", "--", "*"]);
    assert_eq!(text(&output.stdout), "a b||--vector-shadows=x|--|*|");
    let strange = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    let output = derivgrind().args(["printf", "%s"]).arg(strange).output().expect("the launcher starts");
    assert_eq!(output.stdout, b"\xff\xfe");
}

#[test]
fn environment_is_unchanged() {
    let tool = derivgrind().env_clear().env("ONE", "1").env("TWO", "x=y").arg("/usr/bin/env").output();
    assert_eq!(text(&tool.expect("the launcher starts").stdout), "ONE=1\nTWO=x=y\n");
}

#[test]
fn standard_input_is_the_clients() {
    let mut command = derivgrind();
    let file = fs::File::open("/proc/self/cmdline").expect("procfs");
    let output = command.args(["wc", "-c"]).stdin(file).output().expect("the launcher starts");
    assert!(text(&output.stdout).trim().parse::<u32>().expect("a number") > 0);
}

#[test]
fn closed_standard_descriptors_stay_closed() {
    same_as_native("exec 0<&- 2>&-; ls /proc/self/fd");
    let mut command = derivgrind();
    command.args(["sh", "-c", "test -e /proc/$$/fd/2 && echo open || echo closed"]);
    // SAFETY: closing a descriptor is all that happens between fork and exec.
    unsafe {
        command.pre_exec(|| {
            libc::close(2);
            Ok(())
        });
    }
    assert_eq!(text(&command.output().expect("the launcher starts").stdout), "closed\n");
}

#[test]
fn script_runs_under_its_interpreter_and_says_so() {
    let directory = TempDir::new().expect("a temporary directory");
    let script = directory.path().join("script");
    fs::write(&script, "#!/bin/sh -u\necho \"$0 $1\"\n").expect("the temporary directory can be written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("own files can be changed");
    let path = script.to_str().expect("temporary directories have plain names");
    let output = run(&[path, "word"]);
    assert_eq!(text(&output.stdout), format!("{path} word\n"));
    let note = format!("{path} is a script; its interpreter /bin/sh runs under derivgrind\n");
    assert!(text(&output.stderr).ends_with(&note), "{}", text(&output.stderr));
    assert_eq!(text(&run(&["-q", path, "word"]).stderr), "");
}

#[test]
fn programs_are_looked_up_as_by_a_shell() {
    let directory = TempDir::new().expect("a temporary directory");
    let data = directory.path().join("echo");
    fs::write(&data, "not executable").expect("the temporary directory can be written");
    let path = format!("{}:/usr/bin:/bin", directory.path().display());
    let output =
        derivgrind().env("PATH", path).args(["echo", "found"]).output().expect("the launcher starts");
    assert_eq!(text(&output.stdout), "found\n");
}

#[test]
fn log_file_is_named_after_the_process() {
    let directory = TempDir::new().expect("a temporary directory");
    let option = format!("--log-file={}/log.%p", directory.path().display());
    let output = run(&[&option, "sh", "-c", "echo $$"]);
    let process = text(&output.stdout).trim().to_string();
    assert!(directory.path().join(format!("log.{process}")).is_file());
    assert_eq!(text(&output.stderr), "");
}
