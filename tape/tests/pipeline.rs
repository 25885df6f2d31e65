//! Long tapes: the pipeline with its second thread, which gives memory back, against plain sweeps.

mod random;
mod recorder;

use derivgrind_tape::blocks::BlockWriter;
use derivgrind_tape::file::Tape;
use derivgrind_tape::format::Ended;
use derivgrind_tape::program::Direction;
use derivgrind_tape::vector::{CellVector, Place};
use random::Numbers;
use recorder::Recorder;
use std::fs;
use std::path::Path;

/// Operations, among them an input every hundred thousand; each uses the one before and an older one.
fn long_tape(path: &Path) -> (Vec<u64>, u64) {
    let mut recorder = Recorder::default();
    recorder.alignment = 64;
    let mut numbers = Numbers(1);
    let mut inputs = Vec::new();
    let mut last = recorder.input();
    inputs.push(last);
    for position in 0..300_000_u32 {
        if position % 100_000 == 0 {
            let input = recorder.input();
            inputs.push(input);
            last = recorder.two_operands([last, input], [1.0, 2.0]);
        }
        // Large chunks, then many small ones.
        let is_new_chunk = position % if position < 150_000 { 25_000 } else { 50 } == 0;
        if is_new_chunk {
            recorder.next_chunk(position % 3, recorder.next_index());
        }
        let older = numbers.next() % last;
        last = recorder.two_operands([last, older], [0.5, 0.25 + numbers.value() / 8.0]);
    }
    fs::write(path, recorder.finish(Ended::Completely)).expect("it can be written");
    (inputs, last)
}

fn compare(tape: &Tape, inputs: &[u64], output: u64, place: Place) {
    let indices = tape.indices();
    let mut expected = vec![[0.0; 8]; indices as usize];
    expected[output as usize] = [1.0, 0.0, -2.0, 3.0, 4.0, -5.0, 6.0, 7.0];
    let mut cells: CellVector<[f64; 8]> = CellVector::new(indices, place).expect("there is room");
    cells[output as usize] = expected[output as usize];
    tape.sweep(Direction::Reverse, &mut expected, &mut |_| {}).expect("the tape is sound");
    let mut done = 0;
    let swept = tape.sweep_in_pipeline(Direction::Reverse, &mut cells, inputs, &mut |bytes| done += bytes);
    swept.expect("the tape is sound");
    assert_eq!(done, tape.swept_bytes());
    for input in inputs {
        let input = *input as usize;
        assert_ne!(cells[input][0], 0.0);
        assert_eq!(cells[input], expected[input]);
    }
    // Memory was given back: this cell is more than a large page away from the next input.
    let other = (indices / 2) as usize;
    assert_ne!(expected[other], [0.0; 8]);
    assert_eq!(cells[other], [0.0; 8]);

    cells.clear();
    expected.fill([0.0; 8]);
    for input in inputs {
        cells[*input as usize] = [1.0; 8];
        expected[*input as usize] = [1.0; 8];
    }
    tape.sweep(Direction::Forward, &mut expected, &mut |_| {}).expect("the tape is sound");
    let swept = tape.sweep_in_pipeline(Direction::Forward, &mut cells, &[], &mut |_| {});
    swept.expect("the tape is sound");
    assert_eq!(cells[..], expected[..]);
}

#[test]
fn pipeline_keeps_the_cells_of_inputs() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("dg-tape");
    let (inputs, output) = long_tape(&path);
    let tape = Tape::open(&path).expect("the tape is sound");
    compare(&tape, &inputs, output, Place::Memory);
    compare(&tape, &inputs, output, Place::Directory(directory.path()));
    let bars = directory.path().join("bars");
    compare(&tape, &inputs, output, Place::File(&bars));
    assert!(!bars.exists());

    let blocks = directory.path().join("blocks");
    let file = fs::File::create(&blocks).expect("it can be created");
    let mut writer = BlockWriter::new(std::io::BufWriter::new(file)).expect("it can be written");
    tape.visit(&mut |recorded| writer.write(recorded)).expect("the tape is sound");
    writer.finish().expect("it can be written");
    let tape = Tape::open(&blocks).expect("the blocks are sound");
    compare(&tape, &inputs, output, Place::Memory);
}
