//! Surroundings in which a client cannot run: one sentence, status 125, and nothing of the client has run.

use derivgrind_tests::{derivgrind, launcher, run, Shadows};
use std::process::Command;

#[test]
fn no_address_space_for_the_shadow() {
    for limit in ["1000000", "100000000"] {
        let script = format!("ulimit -v {limit}; exec \"$0\" /bin/echo must not appear");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(launcher()).env_remove("DERIVGRIND_OPTS");
        let finished = run(&mut command).unwrap();
        assert_eq!(finished.status.code(), Some(125), "{limit}: {}", finished.stderr());
        assert_eq!(finished.stdout(), "", "{limit}");
        assert_eq!(finished.stderr().lines().count(), 1, "{}", finished.stderr());
        assert!(finished.stderr().starts_with("=="), "{}", finished.stderr());
    }
}

#[test]
fn vector_shadows_that_are_no_place() {
    let mut command = Command::new(launcher());
    command.args(["--vector-shadows=nowhere", "/bin/echo", "must not appear"]);
    let finished = run(&mut command).unwrap();
    assert_eq!(finished.status.code(), Some(125));
    assert_eq!(finished.stdout(), "");
    assert_eq!(finished.stderr().lines().count(), 1, "{}", finished.stderr());
}

#[test]
fn traced_children_that_cannot_be_executed_get_the_kernels_error() {
    for shadows in Shadows::all() {
        let words = ["sh", "-c", "/nonexistent/program; echo $?; /etc/passwd; echo $?; /usr; echo $?"];
        let finished = run(&mut derivgrind(&["-q", "--trace-children=yes"], &words, *shadows)).unwrap();
        assert_eq!(finished.stdout(), "127\n126\n126\n", "{}", finished.stderr());
    }
}
