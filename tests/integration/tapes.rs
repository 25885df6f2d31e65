//! The files of a recording: what they hold, and what becomes of them when something goes wrong.

use derivgrind_tests::{
    compile, derivgrind, full, launcher, native, run, Finished, Language, Program, Shadows,
};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

fn guest(source: &str, options: &[&str]) -> PathBuf {
    let libraries = &["-lm"];
    compile(&Program { language: Language::C, compiler: "gcc", sources: &[source], options, libraries })
        .expect("guests compile")
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("there is a directory for temporary files")
}

/// Runs a program with `--record` and more options.
fn record(tape: &Path, options: &[&str], words: &[&str], shadows: Shadows) -> Finished {
    let option = format!("--record={}", tape.display());
    let options = [&[option.as_str()], options].concat();
    run(&mut derivgrind(&options, words, shadows)).expect("the program ends")
}

/// Runs a command in a shell that first does something, with `$1` for the directory of the tape.
fn record_after(preparation: &str, tape: &Path, words: &[&str]) -> Finished {
    let mut command = Command::new("sh");
    let script = format!("{preparation}; tape=$1; shift; exec \"$0\" -q --record=\"$tape\" \"$@\"");
    command.arg("-c").arg(script).arg(launcher()).arg(tape).args(words);
    command.env_remove("DERIVGRIND_OPTS").env("HOME", "/nonexistent");
    run(&mut command).expect("the program ends")
}

fn evaluate(tape: &Path, options: &[&str]) -> Finished {
    let mut command = Command::new(launcher().with_file_name("tape-evaluation"));
    run(command.arg(tape).args(options)).expect("the evaluation ends")
}

/// The gradient of the only output.
fn gradient(tape: &Path) -> Vec<f64> {
    let finished = evaluate(tape, &[]);
    assert!(finished.status.success(), "{}", finished.stderr());
    numbers(&tape.join("dg-input-bars"))
}

fn numbers(path: &Path) -> Vec<f64> {
    let text = fs::read_to_string(path).expect("the file exists");
    text.lines().map(|line| line.trim().parse().expect("a number")).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary directories have plain names")
}

/// dummy, two inputs, the product, the output: operands, then partial derivatives.
const BLOCKS: [(u64, u64, f64, f64); 5] =
    [(0, 0, 0.0, 0.0), (0, 0, 0.0, 0.0), (0, 0, 0.0, 0.0), (1, 2, -4.0, 3.0), (3, 0, 1.0, 0.0)];

fn assert_published_blocks(bytes: &[u8]) {
    assert_eq!(bytes.len(), 32 * BLOCKS.len());
    for (block, (first, second, one, other)) in bytes.chunks(32).zip(BLOCKS) {
        let word = |at: usize| u64::from_le_bytes(block[at..at + 8].try_into().expect("eight bytes"));
        let mut operands = [(word(0), f64::from_bits(word(16))), (word(8), f64::from_bits(word(24)))];
        // The compiler decides which factor comes first.
        if operands[0].0 > operands[1].0 && operands[1].0 != 0 {
            operands.swap(0, 1);
        }
        assert_eq!(operands, [(first, one), (second, other)]);
    }
}

#[test]
fn classic_layout_is_that_of_the_published_example() {
    let program = guest("product.c", &["-O0"]);
    for shadows in Shadows::all() {
        let place = directory();
        let tape = place.path().join("tape");
        let finished = record(&tape, &["--tape-format=blocks"], &[text(&program)], *shadows);
        assert!(finished.status.success(), "{}", finished.stderr());
        assert_published_blocks(&fs::read(tape.join("dg-tape")).expect("a tape"));
        assert_eq!(fs::read_to_string(tape.join("dg-input-indices")).expect("inputs"), "1\n2\n");
        assert_eq!(fs::read_to_string(tape.join("dg-output-indices")).expect("outputs"), "4\n");
        assert_eq!(gradient(&tape), [-4.0, 3.0]);

        // The default layout, exported; a second recording takes the place of the first.
        let finished = record(&tape, &[], &[text(&program)], *shadows);
        assert!(finished.status.success(), "{}", finished.stderr());
        let exported = place.path().join("blocks");
        let output = format!("--output={}", exported.display());
        assert!(evaluate(&tape, &["--export=blocks", &output]).status.success());
        assert_published_blocks(&fs::read(exported).expect("blocks"));
        assert_eq!(gradient(&tape), [-4.0, 3.0]);
    }
}

#[test]
fn a_second_recording_replaces_the_first_only_if_all_files_can_be_written() {
    let program = guest("product.c", &["-O0"]);
    let place = directory();
    let tape = place.path().join("tape");
    assert!(record(&tape, &[], &[text(&program)], Shadows::Memory).status.success());
    let before = fs::read(tape.join("dg-tape")).expect("a tape");
    // A directory stands where the last of the three files would be written.
    fs::create_dir(tape.join("dg-output-indices.new")).expect("a directory");
    let finished = record(&tape, &[], &[text(&program)], Shadows::Memory);
    assert_eq!(finished.status.code(), Some(125));
    assert_eq!(finished.stderr().lines().count(), 1, "{}", finished.stderr());
    assert_eq!(fs::read(tape.join("dg-tape")).expect("a tape"), before);
    assert_eq!(gradient(&tape), [-4.0, 3.0]);
}

#[test]
fn directories_that_cannot_be_written_are_refused_before_the_program_starts() {
    let program = guest("product.c", &["-O0"]);
    let place = directory();
    let file = place.path().join("file");
    fs::write(&file, "").expect("a file");
    for tape in [file.join("tape"), PathBuf::from("/proc/tape")] {
        let finished = record(&tape, &[], &[text(&program)], Shadows::Memory);
        assert_eq!(finished.status.code(), Some(125));
        assert!(finished.stderr().contains("cannot record to"), "{}", finished.stderr());
    }
}

#[test]
fn a_killed_program_leaves_a_tape_up_to_its_last_operation() {
    let program = guest("long_recording.c", &["-O1"]);
    for shadows in Shadows::all() {
        let place = directory();
        let finished = record(place.path(), &[], &[text(&program), "300000", "kill"], *shadows);
        assert_eq!(finished.status.signal(), Some(9));
        let evaluated = evaluate(place.path(), &[]);
        assert!(evaluated.status.success(), "{}", evaluated.stderr());
        assert!(evaluated.stderr().contains("was killed"), "{}", evaluated.stderr());
        assert_eq!(numbers(&place.path().join("dg-input-bars")), [1.0]);
    }
}

#[test]
fn a_full_file_ends_the_recording_and_not_the_program() {
    let program = guest("long_recording.c", &["-O1"]);
    let place = directory();
    // The shell counts blocks of 512 bytes.
    let finished = record_after("ulimit -f 8000", place.path(), &[text(&program), "2000000"]);
    assert!(finished.status.success());
    assert!(finished.stderr().contains("the file may not grow"), "{}", finished.stderr());
    let evaluated = evaluate(place.path(), &[]);
    assert!(evaluated.stderr().contains("not complete"), "{}", evaluated.stderr());
    assert!(evaluated.stderr().contains("lies behind the end of the tape"), "{}", evaluated.stderr());
}

#[test]
fn a_limit_on_files_that_is_too_low_for_derivgrind_itself_is_said() {
    let program = guest("product.c", &["-O0"]);
    let place = directory();
    let finished = record_after("ulimit -f 10", place.path(), &[text(&program)]);
    assert_eq!(finished.status.code(), Some(125));
    assert!(finished.stderr().contains("ulimit -f"), "{}", finished.stderr());
    assert_eq!(finished.stderr().lines().count(), 1, "{}", finished.stderr());
}

#[test]
fn a_deleted_tape_is_reported() {
    let program = guest("long_recording.c", &["-O1"]);
    let place = directory();
    let tape = place.path().join("tape");
    let finished = record(&tape, &[], &[text(&program), "10", "delete", text(&tape)], Shadows::Memory);
    assert!(finished.status.success());
    assert!(finished.stderr().contains("was deleted while the program was running"), "{}", finished.stderr());
}

#[test]
fn a_forked_child_has_a_tape_of_its_own() {
    let program = guest("long_recording.c", &["-O1"]);
    for shadows in Shadows::all() {
        let place = directory();
        let tape = place.path().join("tape");
        let finished = record(&tape, &[], &[text(&program), "20000", "fork"], *shadows);
        assert!(finished.status.success(), "{}", finished.stderr());
        let told = finished.stderr().lines().filter(|line| line.contains("records to")).count();
        assert_eq!(told, 1, "{}", finished.stderr());
        let child = place.path().join(format!("tape.{}", finished.stdout().trim()));
        assert_eq!(gradient(&tape), [1.0]);
        // y = x = 2 and z = y y x
        assert_eq!(gradient(&child), [12.0]);
    }
}

#[test]
fn a_child_leaves_the_tape_of_its_parent_alone() {
    let program = guest("children_beside_parents.c", &["-O1"]);
    for shadows in Shadows::all() {
        for (option, child_records) in [("idle", false), ("record", true)] {
            let place = directory();
            let tape = place.path().join("tape");
            let finished = record(&tape, &[], &[text(&program), option], *shadows);
            assert!(finished.status.success(), "{option}: {}", finished.stderr());
            // z = 2 (sum of k + x)
            assert_eq!(gradient(&tape), [2.0], "{option}");
            let child = place.path().join(format!("tape.{}", finished.stdout().trim()));
            if child_records {
                assert_eq!(gradient(&child), [13.0]);
            }
        }
    }
}

#[test]
fn a_program_in_place_of_a_wrapper_records_to_its_directory() {
    let program = guest("product.c", &["-O0"]);
    let place = directory();
    let tape = place.path().join("tape");
    // The shell has children, too, which record nothing.
    let script = format!("/bin/true; test -n \"$(/bin/echo x)\" && exec {}", text(&program));
    let words = ["/bin/sh", "-c", &script];
    let finished = record(&tape, &["--trace-children=yes"], &words, Shadows::Memory);
    assert!(finished.status.success(), "{}", finished.stderr());
    assert_eq!(gradient(&tape), [-4.0, 3.0]);
    assert_eq!(fs::read_dir(place.path()).expect("the directory").count(), 1, "no other tape");
}

#[test]
fn an_executed_program_has_a_tape_of_its_own_if_children_are_traced() {
    let program = guest("long_recording.c", &["-O1"]);
    let executed = guest("product.c", &["-O0"]);
    for traced in [false, true] {
        let place = directory();
        let tape = place.path().join("tape");
        let words = [text(&program), "100", "exec", text(&executed)];
        let option = if traced { "--trace-children=yes" } else { "--trace-children=no" };
        let finished = record(&tape, &[option], &words, Shadows::Memory);
        assert!(finished.status.success(), "{}", finished.stderr());
        assert_eq!(gradient(&tape), [1.0]);
        let child = place.path().join(format!("tape.{}", finished.stdout().trim()));
        if traced {
            assert_eq!(gradient(&child), [-4.0, 3.0]);
        } else {
            let outputs = fs::read_to_string(child.join("dg-output-indices")).unwrap_or_default();
            assert_eq!(outputs, "", "the executed program ran natively");
        }
    }
}

#[test]
fn gradients_do_not_depend_on_the_number_of_threads() {
    let program = guest("shared_sums.c", &["-O2", "-fopenmp"]);
    let place = directory();
    fs::write(place.path().join("dg-output-bars"), "1\n-0.5\n0.25\n2\n").expect("seeds");
    let repetitions = if full() { 100 } else { 10 };
    for shadows in Shadows::all() {
        assert!(record(place.path(), &[], &[text(&program), "1"], *shadows).status.success());
        let expected = gradient(place.path());
        for repetition in 0..repetitions {
            let threads = ["2", "3", "8"][repetition % 3];
            assert!(record(place.path(), &[], &[text(&program), threads], *shadows).status.success());
            let found = gradient(place.path());
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{found} instead of {expected}");
            }
        }
    }
}

#[test]
fn a_program_that_closes_all_descriptors_keeps_its_tape() {
    let program = guest("closes_everything.c", &["-O1"]);
    for words in [&[text(&program)][..], &[text(&program), "at once"]] {
        let place = directory();
        let finished = record(place.path(), &[], words, Shadows::Memory);
        assert!(finished.status.success(), "{}", finished.stderr());
        assert_eq!(finished.stderr(), "");
        // (x / 2)^100000 * x^2, where x is 2.
        assert_eq!(gradient(place.path()), [4.0 * 50_001.0]);
    }
}

#[test]
fn threads_that_take_turns_do_not_exhaust_indices() {
    let program = guest("shared_sums.c", &["-O2", "-fopenmp"]);
    let place = directory();
    let words = [text(&program), "2", "500"];
    assert!(record(place.path(), &[], &words, Shadows::Memory).status.success());
    let last = numbers(&place.path().join("dg-output-indices"));
    // 500 * 64 rounds of at most ten operations, each of which may begin a segment.
    assert!(last.iter().all(|index| *index < 500.0 * 64.0 * 3.0 * 200.0), "{last:?}");
}

#[test]
fn a_program_evaluates_its_own_tape() {
    let program = guest("optimiser.c", &["-O2"]);
    for shadows in Shadows::all() {
        let place = directory();
        let finished = record(place.path(), &[], &[text(&program)], *shadows);
        assert!(finished.status.success(), "{} {}", finished.status, finished.stderr());
        // 200 steps use the space of a few.
        let size = fs::metadata(place.path().join("dg-tape")).expect("a tape").len();
        assert!(size < 4 << 20, "{size}");
    }
    let natively = run(&mut native(&[text(&program)], Shadows::Memory)).expect("the program ends");
    assert_eq!(natively.stdout(), "0 0\n");
    let forward = run(&mut derivgrind(&[], &[text(&program)], Shadows::Memory)).expect("the program ends");
    assert_eq!(forward.stdout(), "0 0\n");
}

#[test]
fn outputs_without_inputs_and_inputs_without_outputs_are_named() {
    let program = guest("passive_outputs.c", &["-O0"]);
    let place = directory();
    let finished = record(place.path(), &[], &[text(&program)], Shadows::Memory);
    let line = "Outputs that depend on no input, by their line in dg-output-indices: 2, 3";
    assert!(finished.stderr().contains(line), "{}", finished.stderr());
    fs::write(place.path().join("dg-output-bars"), "1\n1\n1\n").expect("seeds");
    let evaluated = evaluate(place.path(), &[]);
    assert!(evaluated.stderr().contains("input 2"), "{}", evaluated.stderr());
    assert_eq!(numbers(&place.path().join("dg-input-bars")), [3.0, 0.0]);
}

#[test]
fn a_tape_may_have_more_than_four_gigabytes() {
    if !full() {
        return;
    }
    let program = guest("long_recording.c", &["-O1"]);
    let place = directory();
    let words = [text(&program), "160000000"];
    let option = format!("--record={}", place.path().display());
    // Without the time limit of other runs.
    let status = derivgrind(&[&option], &words, Shadows::all()[0]).status().expect("the program starts");
    assert!(status.success());
    assert!(fs::metadata(place.path().join("dg-tape")).expect("a tape").len() > 1 << 32);
    let status = Command::new(launcher().with_file_name("tape-evaluation")).arg(place.path()).status();
    assert!(status.expect("the evaluation starts").success());
    assert_eq!(numbers(&place.path().join("dg-input-bars")), [1.0]);
}
