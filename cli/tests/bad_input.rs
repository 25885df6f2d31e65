//! Whatever is wrong before the client starts is one sentence and one of three exit statuses.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

fn derivgrind(words: &[&OsStr]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_derivgrind"))
        .args(words)
        .env_remove("DERIVGRIND_OPTS")
        .env("HOME", "/nonexistent")
        .output()
        .expect("the launcher starts")
}

/// Run with these words and return the only line on stderr without its prefix.
fn refusal(words: &[&OsStr], status: i32) -> String {
    let output = derivgrind(words);
    let stderr = String::from_utf8(output.stderr).expect("messages are UTF-8");
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert!(output.stdout.is_empty());
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let (prefix, sentence) = stderr.trim_end().split_once(' ').expect("a prefix and a sentence");
    assert!(prefix.starts_with("==") && prefix.ends_with("=="), "{stderr}");
    sentence.to_string()
}

fn word(text: &str) -> &OsStr {
    OsStr::new(text)
}

/// A file with this content and mode in a directory that goes away with the test.
fn file(directory: &TempDir, name: &str, content: &[u8], mode: u32) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, content).expect("the temporary directory can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("own files can be changed");
    path
}

fn reason(path: &Path) -> String {
    let sentence = refusal(&[path.as_os_str()], 126);
    let start = format!("cannot execute {}: ", path.display());
    sentence.strip_prefix(&start).expect(&sentence).to_string()
}

/// A program that exists everywhere, to be damaged.
fn sound_program() -> Vec<u8> {
    fs::read("/bin/true").expect("/bin/true can be read")
}

#[test]
fn no_program() {
    assert!(refusal(&[], 125).starts_with("no program was named"));
    assert!(refusal(&[word("-q"), word("--")], 125).starts_with("no program was named"));
}

#[test]
fn misspelt_option() {
    assert_eq!(
        refusal(&[word("--log-fil=x"), word("/bin/true")], 125),
        "unknown option --log-fil; did you mean --log-file?"
    );
}

#[test]
fn option_that_is_not_available_yet() {
    assert_eq!(
        refusal(&[word("--record-values=yes"), word("/bin/true")], 125),
        "--record-values is not available yet: this version of derivgrind does not have values on the tape"
    );
}

#[test]
fn mistake_in_default_options() {
    let output = Command::new(env!("CARGO_BIN_EXE_derivgrind"))
        .arg("/bin/true")
        .env("DERIVGRIND_OPTS", "--verbos")
        .env("HOME", "/nonexistent")
        .output()
        .expect("the launcher starts");
    assert_eq!(output.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&output.stderr).contains("(in DERIVGRIND_OPTS)"));
}

#[test]
fn log_file_that_cannot_be_written() {
    let sentence = refusal(&[word("--log-file=/nonexistent/log"), word("/bin/true")], 125);
    assert!(sentence.starts_with("cannot write the log file /nonexistent/log: No such file"), "{sentence}");
}

/// A program must not run with fewer filters than the one that has executed it.
#[test]
fn filters_that_cannot_be_read() {
    let sentence = refusal(&[word("--exec-filters-fd=77"), word("/bin/true")], 125);
    assert_eq!(sentence, "The filters for system calls cannot be read from descriptor 77.");
}

#[test]
fn missing_program() {
    assert_eq!(refusal(&[word("no-such-program")], 127), "no-such-program: no such program in PATH");
    assert_eq!(refusal(&[word("./no-such-program")], 127), "./no-such-program: no such file");
    assert_eq!(refusal(&[word("/bin/true/x")], 127), "/bin/true/x: no such file");
}

#[test]
fn directory() {
    assert_eq!(refusal(&[word("/usr")], 126), "cannot execute /usr: it is a directory");
}

#[test]
fn not_a_program() {
    let directory = TempDir::new().expect("a temporary directory");
    let sound = sound_program();
    assert!(reason(&file(&directory, "plain", &sound, 0o644)).starts_with("permission denied"));
    assert_eq!(reason(&file(&directory, "empty", b"", 0o755)), "the file is empty");
    assert!(reason(&file(&directory, "text", b"echo\n", 0o755))
        .starts_with("it is neither an ELF program nor a script"));
    let mut object_file = sound.clone();
    object_file[16] = 1;
    assert!(reason(&file(&directory, "object", &object_file, 0o755)).contains("object file"));
}

#[test]
fn truncated_program() {
    let directory = TempDir::new().expect("a temporary directory");
    let sound = sound_program();
    for length in [5, 19, 40, 100, 1000, sound.len() / 2] {
        let path = file(&directory, &format!("cut{length}"), &sound[..length], 0o755);
        assert!(reason(&path).starts_with("the ELF file is truncated"), "{length}: {}", reason(&path));
    }
}

#[test]
fn program_for_another_architecture() {
    let directory = TempDir::new().expect("a temporary directory");
    let mut program = sound_program();
    program[18] = 183;
    assert_eq!(
        reason(&file(&directory, "arm", &program, 0o755)),
        "it is a program for another architecture (AArch64), and only x86-64 is supported"
    );
    program[18] = 3;
    program[4] = 1;
    assert_eq!(
        reason(&file(&directory, "x86", &program, 0o755)),
        "it is a 32-bit program, and only 64-bit x86-64 programs are supported"
    );
}

#[test]
fn missing_elf_interpreter() {
    let directory = TempDir::new().expect("a temporary directory");
    let mut program = sound_program();
    let name = b"/lib64/ld-linux-x86-64.so.2";
    let place = program.windows(name.len()).position(|bytes| bytes == name).expect("it is dynamic");
    program[place + 1] = b'X';
    assert_eq!(
        reason(&file(&directory, "strange", &program, 0o755)),
        "its ELF interpreter /Xib64/ld-linux-x86-64.so.2 does not exist"
    );
}

#[test]
fn scripts_with_a_bad_interpreter() {
    let directory = TempDir::new().expect("a temporary directory");
    assert_eq!(
        reason(&file(&directory, "lost", b"#!/no/such/interpreter -x\n", 0o755)),
        "the interpreter /no/such/interpreter of this script does not exist"
    );
    assert_eq!(reason(&file(&directory, "nobody", b"#!\n", 0o755)), "its first line names no interpreter");
    let loops = directory.path().join("loop");
    let path = file(&directory, "loop", format!("#!{}\n", loops.display()).as_bytes(), 0o755);
    assert!(reason(&path).contains("nested too deeply"));
    let text = file(&directory, "text", b"text\n", 0o755);
    let path = file(&directory, "outer", format!("#!{}\n", text.display()).as_bytes(), 0o755);
    assert!(reason(&path).contains("cannot be executed: it is neither"));
}

#[test]
fn help_and_version_go_to_stdout() {
    let help = derivgrind(&[word("--help")]);
    assert!(help.status.success() && help.stderr.is_empty());
    let text = String::from_utf8(help.stdout).expect("help is UTF-8");
    assert!(text.contains("--vector-shadows=<PLACE>"), "{text}");
    assert!(!text.contains("--exec-argv0") && !text.contains("--report"), "{text}");
    let version = derivgrind(&[word("--version")]);
    assert_eq!(
        String::from_utf8_lossy(&version.stdout),
        format!("derivgrind {}\n", env!("CARGO_PKG_VERSION"))
    );
}
