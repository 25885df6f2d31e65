//! Client requests, and the summary of what was not differentiated.

use derivgrind_tests::{compile, derivgrind, native, repository, run, Language, Program, Shadows};
use std::path::PathBuf;

fn guest(source: &str, options: &[&str]) -> PathBuf {
    let libraries = &["-lm"];
    let program = Program { language: Language::C, compiler: "gcc", sources: &[source], options, libraries };
    compile(&program).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn results_of_requests() {
    let expected = "\
mode 100
set 1
get 1 2.5
float -3.5
array 5 4 3 2 1
element 3, dot value of a dot value 0
disable 0 1 3 0
while disabled 7.5
cleared 0, value 1.5
index 0 0
running on valgrind 0
foreign 1234 99
rotations alone 1
";
    for level in ["-O0", "-O2"] {
        let program = guest("requests.c", &[level]);
        for shadows in Shadows::all() {
            let words = [program.to_str().expect("plain names")];
            let finished = run(&mut derivgrind(&[], &words, *shadows)).unwrap();
            assert_eq!(finished.stdout(), expected, "{level} {shadows:?}");
            assert_eq!(finished.stderr(), "", "{level} {shadows:?}");
            let outside = run(&mut native(&words, *shadows)).unwrap();
            assert!(
                outside.stdout().starts_with("mode 0\nset 0\nget 0 -1\nfloat -1\n"),
                "{}",
                outside.stdout()
            );
        }
    }
}

/// Number of the line of the guest that has this remark.
fn line_of(remark: &str) -> usize {
    let text =
        std::fs::read_to_string(repository("tests/guests/without_rule.c")).expect("the guest can be read");
    1 + text.lines().position(|line| line.contains(remark)).expect(remark)
}

#[test]
fn what_has_no_rule_is_named() {
    let program = guest("without_rule.c", &["-O1", "-msse4.1"]);
    let words = [program.to_str().expect("plain names")];
    for shadows in Shadows::all() {
        let finished = run(&mut derivgrind(&[], &words, *shadows)).unwrap();
        let report = finished.stderr();
        let has = |count: &str, name: &str, place: &str| {
            let line = report.lines().find(|line| line.contains(name) && line.contains(place));
            let line = line.unwrap_or_else(|| panic!("{name} {place} is missing: {report}"));
            assert!(line.contains(count), "{line}");
        };
        let product = format!("without_rule.c:{})", line_of("PMULLD HERE"));
        has(" 3 times ", "PMULLD", "in integer_product (");
        has(" 3 times ", "PMULLD", &product);
        has(" 1 time ", "FILD", "in bits_as_integer");
        has(" 1 time ", "sinf128  (libm.so", "");
        has(" 2 times ", "cosf128  (libm.so", "");
        assert!(report.lines().all(|line| line.starts_with("==")), "{report}");
        assert!(finished.status.success());
        let line = format!("without_rule.c:{})", line_of("X87 HERE"));
        has(" 1 time ", "FILD", &line);
        let quiet = run(&mut derivgrind(&["-q"], &words, *shadows)).unwrap();
        assert_eq!(quiet.status, finished.status);
    }
}

/// Where the summary cannot be made as usual, files and addresses are named.
#[test]
fn no_restriction_silences_the_summary() {
    let program = guest("restricted_at_the_end.c", &["-O1", "-msse4.1"]);
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().to_str().expect("plain names");
    let report = |taken: &str| {
        let words = [program.to_str().expect("plain names"), taken, empty];
        let finished = run(&mut derivgrind(&[], &words, Shadows::Memory)).unwrap();
        assert!(finished.status.success(), "{taken}: {}", finished.stderr());
        finished.stderr()
    };
    for taken in ["nothing", "stderr", "stderr by another file"] {
        let report = report(taken);
        assert!(report.contains("1 time   PMULLD") && report.contains("in main ("), "{taken}: {report}");
    }
    for taken in ["descriptors", "file sizes", "all descriptors", "user", "root"] {
        let report = report(taken);
        let line = report.lines().find(|line| line.contains("PMULLD")).unwrap_or_default();
        assert!(line.contains(" in main (") || line.contains("restricted_at_the_end"), "{taken}: {report}");
    }
    let record = format!("--record={empty}/tape");
    let words = [program.to_str().expect("plain names"), "descriptors"];
    let finished = run(&mut derivgrind(&[&record, "--tape-format=blocks"], &words, Shadows::Memory)).unwrap();
    assert!(finished.stderr().contains("could not be written as blocks, and stays as it is"));
}

#[test]
fn what_leaves_the_program_is_named() {
    let program = guest("leaving_data.c", &["-O2"]);
    let file = derivgrind_tests::scratch().join("leaving-data-of-summary");
    let words = [&program, &file].map(|path| path.to_str().expect("plain names"));
    let finished = run(&mut derivgrind(&[], &words, Shadows::Memory)).unwrap();
    let report = finished.stderr();
    let has = |count: &str, words: [&str; 2]| {
        let line =
            report.lines().find(|line| line.contains(count) && words.iter().all(|word| line.contains(word)));
        line.unwrap_or_else(|| panic!("{count} {words:?} is missing: {report}"));
    };
    has(" 10 words ", ["(pipe:[", "in send_by_pipe ("]);
    has("  8 words ", ["(socket:[", "in main ("]);
    has(" 30 words ", ["leaving-data-of-summary)", "in main ("]);
    has("  1 word ", ["in shared memory at 0x", "leaving-data-of-summary)"]);
    assert_eq!(report.lines().filter(|line| line.contains(" word")).count(), 10, "{report}");
}

#[test]
fn one_call_of_a_library_function_counts_once_and_a_passive_one_never() {
    let program = guest("library_functions.c", &["-O1", "-fno-builtin"]);
    let program = program.to_str().expect("plain names");
    for shadows in Shadows::all() {
        let finished = run(&mut derivgrind(&[], &[program], *shadows)).unwrap();
        let report = finished.stderr();
        for (name, times) in [("sqrtf128", 1), ("hypotf128", 2), ("powf128", 4), ("fmaf128", 5)] {
            let line = report.lines().find(|line| line.contains(&format!(" {name}  (libm.so")));
            let line = line.unwrap_or_else(|| panic!("{name} is missing: {report}"));
            assert!(line.contains(&format!(" {times} time")), "{shadows:?}: {line}");
        }
        let passive = run(&mut derivgrind(&[], &[program, "passive"], *shadows)).unwrap();
        assert_eq!(passive.stderr(), "", "{shadows:?}");
    }
}

#[test]
fn clean_programs_have_no_summary() {
    let program = guest("without_rule.c", &["-O1", "-msse4.1"]);
    let words = [program.to_str().expect("plain names"), "clean"];
    for shadows in Shadows::all() {
        let finished = run(&mut derivgrind(&[], &words, *shadows)).unwrap();
        assert_eq!(finished.stderr(), "");
    }
}

/// Bytes behind the end of a string are compared, too, and bits of flags with what was on the stack.
#[test]
fn searches_in_strings_beside_active_numbers_are_not_reported() {
    let program = guest("strings_beside_numbers.c", &["-O1", "-fno-builtin"]);
    let words = [program.to_str().expect("plain names")];
    let directory = tempfile::tempdir().unwrap();
    let record = format!("--record={}", directory.path().display());
    for shadows in Shadows::all().iter().chain(&[Shadows::MemorySse2]) {
        for options in [&[][..], &[&*record]] {
            let finished = run(&mut derivgrind(options, &words, *shadows)).unwrap();
            assert_eq!(finished.stdout(), "29\n");
            assert_eq!(finished.stderr(), "", "{options:?} {shadows:?}");
        }
    }
}
