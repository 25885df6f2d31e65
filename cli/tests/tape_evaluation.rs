//! `tape-evaluation` as a program: what it computes, prints and refuses.

#[path = "../../tape/tests/recorder/mod.rs"]
mod recorder;

use derivgrind_tape::format::Ended;
use derivgrind_tape::structure::{Element, Function, Operand, Operation, Structure};
use recorder::Recorder;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A directory with a tape.
struct Recording {
    directory: TempDir,
}

impl Recording {
    fn new(tape: &[u8], inputs: &[u64], outputs: &[u64]) -> Recording {
        let recording = Recording { directory: tempfile::tempdir().expect("a temporary directory") };
        recording.write("dg-tape", tape);
        recording.write("dg-input-indices", lines(inputs).as_bytes());
        recording.write("dg-output-indices", lines(outputs).as_bytes());
        recording
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).expect("the temporary directory can be written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect(name)
    }

    fn run(&self, words: &[&str]) -> Output {
        tape_evaluation(&[&[self.directory.path().to_str().expect("UTF-8")], words].concat())
    }

    /// Run and return stderr.
    fn succeed(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let stderr = String::from_utf8(output.stderr).expect("messages are UTF-8");
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        stderr
    }

    /// Run and return stdout.
    fn shown(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let stderr = String::from_utf8(output.stderr).expect("messages are UTF-8");
        assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
        String::from_utf8(output.stdout).expect("it is text")
    }

    /// Run and return the only sentence, with the directory as DIR.
    fn refusal(&self, words: &[&str]) -> String {
        let sentence = sentence(self.run(words));
        sentence.replace(self.directory.path().to_str().expect("UTF-8"), "DIR")
    }

    fn numbers(&self, name: &str) -> Vec<Vec<f64>> {
        let number = |word: &str| word.parse().expect("a number");
        self.read(name).lines().map(|line| line.split(' ').map(number).collect()).collect()
    }
}

fn tape_evaluation(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tape-evaluation")).args(words).output().expect("it starts")
}

fn sentence(output: Output) -> String {
    let stderr = String::from_utf8(output.stderr).expect("messages are UTF-8");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty());
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr.trim_end().strip_prefix("tape-evaluation: ").expect(&stderr).to_string()
}

fn lines(numbers: &[u64]) -> String {
    numbers.iter().map(|number| format!("{number}\n")).collect()
}

/// A structure with one product of binary64 operands with narrow indices.
fn product() -> Structure {
    let operation = Operation {
        function: Function::Product,
        element: Element::Binary64,
        lanes: 1,
        signs: 0,
        result: 0,
        operands: [Operand::Narrow(0), Operand::Narrow(4)],
        values: [Some(8), Some(16)],
    };
    Structure { payload: 24, results: 1, address: 0x1234, operations: vec![operation] }
}

fn multiply(recorder: &mut Recorder, number: u32, operands: [u32; 2], values: [f64; 2]) -> u64 {
    let mut payload = operands.map(u32::to_le_bytes).concat();
    payload.extend(values.map(f64::to_le_bytes).concat());
    recorder.execute(number, 1, &payload)
}

/// y = x1 * x2 at x1 = 3, x2 = -4.
fn published_example() -> Recording {
    let mut recorder = Recorder::default();
    let number = recorder.structure(&product());
    let (x1, x2) = (recorder.input(), recorder.input());
    let y = multiply(&mut recorder, number, [x1 as u32, x2 as u32], [3.0, -4.0]);
    let output = recorder.output(y);
    Recording::new(&recorder.finish(Ended::Completely), &[x1, x2], &[output])
}

/// Its classic layout: the dummy block, two inputs, the product, the copy that is the output.
fn published_blocks() -> Vec<u8> {
    let block = |operands: [u64; 2], partials: [f64; 2]| {
        let mut bytes = operands.map(u64::to_le_bytes).concat();
        bytes.extend(partials.map(f64::to_le_bytes).concat());
        bytes
    };
    let none = [0.0, 0.0];
    [
        block([0, 0], none),
        block([0, 0], none),
        block([0, 0], none),
        block([1, 2], [-4.0, 3.0]),
        block([3, 0], [1.0, 0.0]),
    ]
    .concat()
}

/// Two outputs y1 = x1 * x2, y2 = 5 x2 + 7 x3, at x = 3, -4, 2.
fn two_outputs(ended: Ended) -> Recording {
    let mut recorder = Recorder::default();
    let number = recorder.structure(&product());
    let inputs = [recorder.input(), recorder.input(), recorder.input()];
    let first = multiply(&mut recorder, number, [1, 2], [3.0, -4.0]);
    let second = recorder.two_operands([inputs[1], inputs[2]], [5.0, 7.0]);
    let outputs = [recorder.output(first), recorder.output(second)];
    Recording::new(&recorder.finish(ended), &inputs, &outputs)
}

#[test]
fn classic_layout_of_the_published_example_byte_by_byte() {
    let recording = published_example();
    let blocks = recording.path("blocks");
    recording.succeed(&["--export=blocks", &format!("--output={}", blocks.display())]);
    assert_eq!(fs::read(blocks).expect("it was written"), published_blocks());
    let output = recording.run(&["--export=blocks"]);
    assert_eq!(output.stdout, published_blocks());
}

#[test]
fn both_layouts_are_evaluated() {
    for tape in [None, Some(published_blocks())] {
        let recording = published_example();
        if let Some(tape) = tape {
            recording.write("dg-tape", &tape);
        }
        let stderr = recording.succeed(&[]);
        assert_eq!(stderr, "tape-evaluation: there is no dg-output-bars; the seed of the only output is 1\n");
        assert_eq!(recording.read("dg-input-bars"), "-4.0000000000000000e0\n3.0000000000000000e0\n");
        recording.write("dg-output-bars", b"0.5\n");
        assert_eq!(recording.succeed(&[]), "");
        assert_eq!(recording.numbers("dg-input-bars"), [[-2.0], [1.5]]);
        recording.write("dg-input-dots", b"1\n 2e0\n");
        assert_eq!(recording.succeed(&["--forward"]), "");
        assert_eq!(recording.numbers("dg-output-dots"), [[2.0]]);
        assert_eq!(recording.shown(&["--stats=classic"]), "3 1 1\n");
    }
}

#[test]
fn several_outputs_need_seeds() {
    let recording = two_outputs(Ended::Completely);
    assert_eq!(
        recording.refusal(&[]),
        "DIR/dg-output-bars is missing, and there are 2 outputs: it needs one number a line, in the order of \
         dg-output-indices"
    );
    assert_eq!(
        recording.refusal(&["--forward"]),
        "DIR/dg-input-dots is missing, and there are 3 inputs: it needs one number a line, in the order of \
         dg-input-indices"
    );
    recording.write("dg-output-bars", b"1\n10\n");
    assert_eq!(recording.succeed(&[]), "");
    assert_eq!(recording.numbers("dg-input-bars"), [[-4.0], [53.0], [70.0]]);
}

#[test]
fn several_columns_of_seeds_are_as_many_evaluations() {
    let recording = two_outputs(Ended::Completely);
    // More than the widest pass.
    let columns: Vec<f64> = (0..11).map(f64::from).collect();
    let row = |factor: f64| columns.iter().map(|value| format!("{} ", factor * value)).collect::<String>();
    let file = recording.path("seeds");
    fs::write(&file, format!("{}\n{}\n", row(1.0), row(-2.0))).expect("it can be written");
    recording.succeed(&[&format!("--bars={}", file.display())]);
    let row = |factor: f64| columns.iter().map(|value| factor * value).collect::<Vec<f64>>();
    assert_eq!(recording.numbers("dg-input-bars"), [row(-4.0), row(3.0 - 10.0), row(-14.0)]);
}

/// Shape and numbers of a NumPy array, by rows.
fn read_npy(bytes: &[u8]) -> (usize, usize, Vec<f64>) {
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let length = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!(length % 64, 0);
    let header = std::str::from_utf8(&bytes[10..length]).expect("the header is ASCII");
    assert!(header.starts_with("{'descr': '<f8', 'fortran_order': ") && header.ends_with('\n'));
    let by_columns = header.contains("True");
    let shape = header.split(['(', ')']).nth(1).expect("a shape");
    let shape: Vec<usize> = shape.split(", ").map(|word| word.parse().expect("a number")).collect();
    let (rows, columns) = (shape[0], shape[1]);
    let number = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().expect("8 bytes"));
    let stored: Vec<f64> = bytes[length..].chunks_exact(8).map(number).collect();
    assert_eq!(stored.len(), rows * columns);
    let mut numbers = Vec::new();
    for row in 0..rows {
        for column in 0..columns {
            numbers.push(stored[if by_columns { column * rows + row } else { row * columns + column }]);
        }
    }
    (rows, columns, numbers)
}

#[test]
fn jacobian_by_rows() {
    let recording = two_outputs(Ended::Completely);
    recording.succeed(&["--jacobian"]);
    let (rows, columns, numbers) =
        read_npy(&fs::read(recording.path("dg-jacobian.npy")).expect("it was written"));
    assert_eq!((rows, columns), (2, 3));
    assert_eq!(numbers, [-4.0, 3.0, 0.0, 0.0, 5.0, 7.0]);
}

/// Products of a few inputs: `inputs` and `outputs` say how many, and so which way the Jacobian is computed.
fn check_jacobian(inputs: u32, outputs: u32) {
    let mut recorder = Recorder::default();
    let number = recorder.structure(&product());
    let declared: Vec<u64> = (0..inputs).map(|_| recorder.input()).collect();
    let value = |input: u32| 1.0 + f64::from(input) / 8.0;
    let mut expected = vec![0.0; (inputs * outputs) as usize];
    let mut indices = Vec::new();
    for output in 0..outputs {
        let (left, right) = (output % inputs, (3 * output + 1) % inputs);
        expected[(output * inputs + left) as usize] += value(right);
        expected[(output * inputs + right) as usize] += value(left);
        let result = multiply(&mut recorder, number, [1 + left, 1 + right], [value(left), value(right)]);
        indices.push(recorder.output(result));
    }
    let recording = Recording::new(&recorder.finish(Ended::Completely), &declared, &indices);
    let file = recording.path("jacobian.npy");
    recording.succeed(&[&format!("--jacobian={}", file.display())]);
    let (rows, columns, numbers) = read_npy(&fs::read(file).expect("it was written"));
    assert_eq!((rows, columns), (outputs as usize, inputs as usize));
    assert_eq!(numbers, expected);
}

#[test]
fn jacobian_by_forward_and_reverse_passes() {
    check_jacobian(3, 19);
    check_jacobian(19, 3);
    check_jacobian(11, 11);
    check_jacobian(1, 1);
}

#[test]
fn inputs_without_influence_are_named() {
    let mut recorder = Recorder::default();
    let inputs: Vec<u64> = (0..10).map(|_| recorder.input()).collect();
    // Input 2 has an influence, though its derivative is zero.
    let sum = recorder.two_operands([inputs[0], inputs[1]], [2.0, 0.0]);
    let unused = recorder.two_operands([inputs[2], inputs[3]], [1.0, 1.0]);
    assert_ne!(unused, 0);
    let output = recorder.output(sum);
    let recording = Recording::new(&recorder.finish(Ended::Completely), &inputs, &[output]);
    recording.write("dg-output-bars", b"1\n");
    let stderr = recording.succeed(&[]);
    let stderr: Vec<&str> = stderr.lines().collect();
    assert_eq!(stderr.len(), 6, "{stderr:?}");
    assert_eq!(stderr[0], "tape-evaluation: input 3 (line 3 of dg-input-indices) influences no output");
    assert_eq!(stderr[5], "tape-evaluation: the same holds for 3 more");
    assert_eq!(recording.succeed(&["-q"]), "");
    // A seed of zero says nothing about influence.
    recording.write("dg-output-bars", b"0\n");
    assert_eq!(recording.succeed(&[]).lines().count(), 6);
}

#[test]
fn tape_that_ended_early_is_used_as_far_as_it_goes() {
    let recording = two_outputs(Ended::NoSpace);
    recording.write("dg-output-indices", b"6\n7\n8\n9");
    recording.write("dg-output-bars", b"1\n10\n100\n");
    let stderr = recording.succeed(&[]);
    assert!(
        stderr.contains("the tape is not complete: the disk or a quota was full; it is used up to index 7\n")
    );
    assert!(stderr.contains("line 3: index 8 lies behind the end of the tape, whose last index is 7; its"));
    assert!(stderr.contains("dg-output-indices: the last line is cut off and is not used\n"));
    assert_eq!(recording.numbers("dg-input-bars"), [[-4.0], [53.0], [70.0]]);
}

#[test]
fn adjoints_in_a_file() {
    let recording = published_example();
    let file = recording.path("bars");
    let option = format!("--bars-file={}", file.display());
    recording.succeed(&[&option]);
    assert_eq!(recording.numbers("dg-input-bars"), [[-4.0], [3.0]]);
    assert!(!file.exists());
    fs::write(&file, "precious").expect("it can be written");
    assert!(recording.refusal(&["-q", &option]).ends_with("File exists (os error 17)"));
    assert_eq!(fs::read_to_string(&file).expect("it is still there"), "precious");
}

#[test]
fn tables_and_graphs() {
    let recording = published_example();
    let table = recording.shown(&["--print"]);
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1], ["1", "input", "-", "-", "input", "1"]);
    assert_eq!(rows[3], ["3", "product", "-4", "×", "1", "3", "×", "2"]);
    assert_eq!(rows[4], ["4", "sum", "1", "×", "3", "-", "output", "1"]);
    let csv = recording.shown(&["--export=csv"]);
    assert_eq!(csv.lines().nth(3), Some("3,product,1,-4e0,2,3e0,0x1234,,"));
    assert_eq!(csv.lines().nth(4), Some("4,sum,3,1e0,0,0e0,0x0,,1"));
    let graph = recording.shown(&["--export=dot"]);
    assert!(graph.starts_with("digraph tape {\n  n1 [label=\"1 input\\ninput 1\", shape=box];\n"));
    assert!(graph.contains("  n1 -> n3 [label=\"-4\"];\n") && graph.ends_with("}\n"));
    let statistics = recording.shown(&["--stats"]);
    let words: Vec<Vec<&str>> = statistics.lines().map(|line| line.split_whitespace().collect()).collect();
    for expected in [["operations", "2"], ["product", "1"], ["sum", "1"], ["indices", "4"], ["threads", "1"]]
    {
        assert!(words.iter().any(|words| words == &expected), "{expected:?}: {statistics}");
    }
}

#[test]
fn operation_without_active_operands_is_no_operation() {
    let mut recorder = Recorder::default();
    let number = recorder.structure(&product());
    let input = recorder.input();
    multiply(&mut recorder, number, [0, 0], [1.0, 1.0]);
    let output = recorder.output(input);
    let recording = Recording::new(&recorder.finish(Ended::Completely), &[input], &[output]);
    assert!(recording.shown(&["--stats"]).contains("with passive operands only                         1\n"));
    assert_eq!(recording.shown(&["--stats=classic"]), "3 1 0\n");
    assert_eq!(recording.shown(&["--print"]).lines().count(), 3);
}

#[test]
fn wrong_command_lines() {
    let refusal = |words: &[&str]| sentence(tape_evaluation(words));
    assert!(refusal(&[]).starts_with("no directory was named"));
    assert_eq!(refusal(&["a", "b"]), "`b` is one word too many: tape-evaluation takes one directory");
    assert_eq!(refusal(&["a", "--forwrd"]), "unknown option --forwrd; did you mean --forward?");
    assert_eq!(
        refusal(&["a", "--xyzzy"]),
        "unknown option --xyzzy; `tape-evaluation --help` lists the options"
    );
    assert_eq!(
        refusal(&["a", "--export=pdf"]),
        "`pdf` is no value for --export, which takes one of blocks, csv, dot"
    );
    assert_eq!(refusal(&["a", "--export"]), "--export needs a value, as in --export=<LAYOUT>");
    assert_eq!(refusal(&["a", "--forward=yes"]), "--forward takes no value");
    assert_eq!(refusal(&["a", "--forward", "--stats"]), "--forward and --stats cannot be asked for together");
    assert_eq!(refusal(&["a", "--forward", "--bars=x"]), "--bars has no meaning with --forward");
    assert!(refusal(&["a", "--output=x"]).starts_with("--output has no meaning with the reverse evaluation"));
    assert_eq!(refusal(&["a", "--print", "--bars-file=x"]), "--bars-file has no meaning with --print");
    assert_eq!(
        refusal(&["/nonexistent"]),
        "cannot read the tape /nonexistent/dg-tape: No such file or directory (os error 2)"
    );
}

#[test]
fn wrong_tapes() {
    let recording = published_example();
    let refusal = |tape: &[u8]| {
        recording.write("dg-tape", tape);
        recording.refusal(&["-q"])
    };
    assert_eq!(refusal(b""), "DIR/dg-tape is no tape: it is empty");
    let foreign = "DIR/dg-tape is no tape: it begins neither with DGTAPE nor with a block of 32 zero bytes";
    assert_eq!(refusal(b"#!/bin/sh\n"), foreign);
    assert_eq!(refusal(&[0; 31]), foreign);
    assert_eq!(
        refusal(b"DGTAPE\r\n\x01\0\0\0"),
        "the tape DIR/dg-tape is damaged at byte 12: the file ends here, but 4096 bytes belong to the tape"
    );
    assert_eq!(
        refusal(b"DGTAPE\r\n\x02\0\0\0\0\x10\0\0"),
        "the tape DIR/dg-tape is damaged at byte 8: the tape has version 2, and this program reads version 1"
    );
    let mut blocks = published_blocks();
    blocks[96] = 3;
    assert_eq!(
        refusal(&blocks),
        "the tape DIR/dg-tape is damaged at byte 96: an operand of this block has an index that is not smaller than \
         the block's"
    );
    blocks = published_blocks();
    blocks.extend_from_slice(&[1, 2, 3]);
    recording.write("dg-tape", &blocks);
    let stderr = recording.succeed(&[]);
    assert!(stderr.contains("not complete: its last block is cut off; it is used up to index 4"), "{stderr}");
}

#[test]
fn wrong_index_files() {
    let recording = two_outputs(Ended::Completely);
    recording.write("dg-output-bars", b"1\n1\n");
    let refusal = |content: &[u8]| {
        recording.write("dg-output-indices", content);
        recording.refusal(&[])
    };
    assert_eq!(refusal(b""), "DIR/dg-output-indices names no output");
    assert_eq!(refusal(b"6\nseven\n"), "DIR/dg-output-indices, line 2: `seven` is no index");
    assert_eq!(refusal(b"6\n-1\n"), "DIR/dg-output-indices, line 2: `-1` is no index");
    assert_eq!(refusal(b"6\n\n7\n"), "DIR/dg-output-indices, line 2: `` is no index");
    assert_eq!(
        refusal(b"6\n8\n"),
        "DIR/dg-output-indices, line 2: index 8 lies behind the end of the tape, whose last index is 7"
    );
    assert!(
        refusal(b"6\n\xff\n").starts_with("cannot read the indices of outputs in DIR/dg-output-indices: ")
    );
    fs::remove_file(recording.path("dg-output-indices")).expect("it was there");
    assert!(recording
        .refusal(&[])
        .starts_with("cannot read the indices of outputs in DIR/dg-output-indices: No such"));
    // Both lines are evaluated, as in the classic tool, but it is said.
    recording.write("dg-output-indices", b"6\n6\n");
    let stderr = recording.succeed(&[]);
    assert!(
        stderr.contains(
            "dg-output-indices, line 2: index 6 is the same as in line 1; seeds of both are added up\n"
        ),
        "{stderr}"
    );
    assert_eq!(recording.numbers("dg-input-bars"), [[-8.0], [6.0], [0.0]]);
    recording.write("dg-output-indices", b"6\n0\n");
    assert!(recording.succeed(&[]).contains("line 2: this output is passive; its derivatives are zero\n"));
    assert_eq!(recording.numbers("dg-input-bars"), [[-4.0], [3.0], [0.0]]);
}

#[test]
fn wrong_seeds() {
    let recording = two_outputs(Ended::Completely);
    recording.write("dg-input-bars", b"of another run");
    let refusal = |content: &[u8]| {
        recording.write("dg-output-bars", content);
        recording.refusal(&[])
    };
    assert_eq!(refusal(b"1\n"), "DIR/dg-output-bars ends before line 2: it has 1 lines for 2 outputs");
    assert_eq!(refusal(b"1\n2\n3\n"), "DIR/dg-output-bars, line 3: there are 3 lines for 2 outputs");
    assert_eq!(refusal(b"1\ntwo\n"), "DIR/dg-output-bars, line 2: `two` is no number");
    assert_eq!(refusal(b"nan\n1\n"), "DIR/dg-output-bars, line 1: `nan` is no finite number");
    assert_eq!(refusal(b"1\n1e999\n"), "DIR/dg-output-bars, line 2: `1e999` is no finite number");
    assert_eq!(refusal(b"1\n2 3\n"), "DIR/dg-output-bars, line 2: there are 2 numbers instead of 1");
    assert_eq!(refusal(b"\n1\n"), "DIR/dg-output-bars, line 1: there are 0 numbers instead of 1");
    // Blank lines at the end do no harm.
    recording.write("dg-output-bars", b"1\n2\n\n");
    recording.succeed(&[]);
    let file = recording.path("seeds");
    fs::write(&file, "1 2\n3\n").expect("it can be written");
    let option = format!("--bars={}", file.display());
    assert_eq!(recording.refusal(&[&option]), "DIR/seeds, line 2: there are 1 numbers instead of 2");
}

#[test]
fn results_that_cannot_be_written() {
    let recording = published_example();
    fs::create_dir(recording.path("dg-input-bars")).expect("it can be created");
    let sentence = recording.refusal(&["-q"]);
    assert_eq!(sentence, "cannot write DIR/dg-input-bars: Is a directory (os error 21)");
    let sentence = recording.refusal(&["--jacobian=/nonexistent/j.npy"]);
    assert!(sentence.starts_with("cannot write /nonexistent/j.npy.incomplete: No such file"), "{sentence}");
    let option = format!("--output={}", recording.path("dg-tape").display());
    let sentence = recording.refusal(&["--export=csv", &option]);
    assert_eq!(sentence, "DIR/dg-tape is the tape itself and cannot be overwritten");
}
