//! Programs run as natively: output, errors and status are the same, before and after an input is declared.

use derivgrind_tests::{full, same_as_native};

fn all(output: &str) -> String {
    output.to_string()
}

fn same(words: &[&str]) {
    same_as_native(&["-q"], words, all).unwrap_or_else(|error| panic!("{error}"));
}

fn same_with_children(words: &[&str]) {
    same_as_native(&["-q", "--trace-children=yes"], words, all).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn ls() {
    same(&["ls", "-lR", if full() { "/usr" } else { "/usr/lib/x86_64-linux-gnu/perl-base" }]);
}
