//! Damaged tapes: an error that names a byte, or a result, but never a panic or an access out of bounds.

mod random;
mod recorder;

use derivgrind_tape::cell::{Cell, Reached};
use derivgrind_tape::file::{Fault, Tape, TapeError};
use derivgrind_tape::format::{read_u64, Ended, ThreadPosition, CHUNK_HEADER, PAGE};
use derivgrind_tape::program::Direction;
use derivgrind_tape::structure::{
    Element, Function, Operand, Operation, OperationError, Structure, StructureError,
};
use derivgrind_tape::sweep::DamageKind;
use proptest::prelude::*;
use random::random_tape;
use recorder::Recorder;
use std::fs;

/// Do everything with a tape that can be done with one.
fn exercise(bytes: &[u8]) -> Result<(), TapeError> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("dg-tape");
    fs::write(&path, bytes).expect("it can be written");
    let tape = Tape::open(&path)?;
    // What a damaged header claims is refused by whoever makes the cells.
    if tape.indices() < 1 << 20 {
        for direction in [Direction::Reverse, Direction::Forward] {
            let mut cells = vec![[1.0; 4]; tape.indices() as usize];
            tape.sweep(direction, &mut cells, &mut |_| {})?;
            let mut cells = vec![Reached::YES; tape.indices() as usize];
            tape.sweep(direction, &mut cells, &mut |_| {})?;
        }
    }
    tape.visit(&mut |_| Ok(()))
}

/// Whether the error is one that a damaged file leads to; it must name a byte of the file or before its end.
fn check(outcome: Result<(), TapeError>, length: usize) {
    match outcome {
        Ok(()) | Err(TapeError::NotATape { .. }) => {}
        Err(TapeError::Damaged { offset, .. }) => assert!(offset <= length as u64),
        Err(other) => panic!("{other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn flipped_bytes(tape in random_tape(), flips in prop::collection::vec((any::<u32>(), any::<bool>(), 1..=255_u8), 1..4)) {
        let mut bytes = tape.file;
        let used: Vec<usize> = (0..bytes.len()).filter(|offset| bytes[*offset] != 0).collect();
        for (where_to, is_used, flip) in flips {
            // Most of a small tape are zeros behind the end of chunks.
            let offset = match is_used {
                true => used[where_to as usize % used.len()],
                false => where_to as usize % bytes.len(),
            };
            bytes[offset] ^= flip;
        }
        check(exercise(&bytes), bytes.len());
    }

    #[test]
    fn truncated_files(tape in random_tape(), length in any::<u32>()) {
        let length = length as usize % tape.file.len();
        let outcome = exercise(&tape.file[..length]);
        prop_assert!(outcome.is_err());
        check(outcome, length);
    }

    #[test]
    fn damaged_blocks(tape in random_tape(), flips in prop::collection::vec((any::<u32>(), 1..=255_u8), 0..4), cut in 0..40_usize) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("dg-tape");
        fs::write(&path, &tape.file).expect("it can be written");
        let mut bytes = Vec::new();
        let mut writer = derivgrind_tape::blocks::BlockWriter::new(&mut bytes).expect("memory can be written");
        let opened = Tape::open(&path).expect("the tape is sound");
        opened.visit(&mut |recorded| writer.write(recorded)).expect("the tape is sound");
        writer.finish().expect("memory can be written");
        let is_sound = flips.is_empty();
        for (offset, flip) in flips {
            let offset = 32 + offset as usize % (bytes.len() - 32);
            bytes[offset] ^= flip;
        }
        bytes.truncate(bytes.len().saturating_sub(cut).max(32));
        let outcome = exercise(&bytes);
        prop_assert!(!is_sound || outcome.is_ok());
        check(outcome, bytes.len());
    }
}

/// Two inputs, a value of each of two threads, and an output in the chunk of a third.
fn threads(kill: Option<bool>) -> Vec<u8> {
    let mut recorder = Recorder::default();
    let inputs = [recorder.input(), recorder.input()];
    recorder.next_chunk(1, 10);
    let first = recorder.two_operands([inputs[0], inputs[1]], [2.0, 3.0]);
    // Written earlier, but later in the order of indices.
    recorder.next_chunk(2, 30);
    let second = recorder.two_operands([first, 20], [5.0, 7.0]);
    match kill {
        None => recorder.next_chunk(1, 20),
        Some(position) => recorder.kill(position, 1, 20),
    }
    recorder.two_operands([first, 0], [11.0, 0.0]);
    recorder.blank_page();
    recorder.next_chunk(3, 40);
    recorder.output(second);
    recorder.finish(Ended::NotAtAll)
}

/// Each byte of chunks, also one of a value, is noticed when it changes.
#[test]
fn flipped_bits_of_finished_chunks() {
    let mut recorder = Recorder::default();
    recorder.has_checksums = true;
    recorder.alignment = CHUNK_HEADER;
    let inputs = [recorder.input(), recorder.input()];
    let product = Operation {
        function: Function::Product,
        element: Element::Binary64,
        lanes: 1,
        signs: 0,
        result: 0,
        operands: [Operand::Narrow(0), Operand::Narrow(4)],
        values: [Some(8), Some(16)],
    };
    let structure = Structure { payload: 24, results: 1, address: 0, operations: vec![product] };
    let number = recorder.structure(&structure);
    let mut payload = Vec::new();
    inputs.iter().for_each(|input| payload.extend_from_slice(&(*input as u32).to_le_bytes()));
    [3.0_f64, -4.0].iter().for_each(|value| payload.extend_from_slice(&value.to_le_bytes()));
    recorder.execute(number, 1, &payload);
    let sound = recorder.finish(Ended::Completely);
    exercise(&sound).expect("the tape is sound");
    let mut chunk = PAGE as usize;
    let mut chunks = 0;
    while chunk < sound.len() {
        let word = |offset| read_u64(&sound, chunk + offset).expect("a header") as usize;
        for offset in chunk..chunk + CHUNK_HEADER as usize + word(24) {
            let mut flipped = sound.clone();
            flipped[offset] ^= 1 << (offset % 8);
            let outcome = exercise(&flipped);
            assert!(outcome.is_err(), "byte {} of the chunk at {chunk}", offset - chunk);
            check(outcome, sound.len());
        }
        chunk += word(8);
        chunks += 1;
    }
    assert_eq!(chunks, 2);
}

fn bars(bytes: &[u8], output: usize) -> Vec<f64> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("dg-tape");
    fs::write(&path, bytes).expect("it can be written");
    let tape = Tape::open(&path).expect("the tape is sound");
    assert_eq!(tape.ended(), Ended::NotAtAll);
    let mut cells = vec![<[f64; 1]>::ZERO; tape.indices() as usize];
    cells[output] = [1.0];
    tape.sweep(Direction::Reverse, &mut cells, &mut |_| {}).expect("the tape is sound");
    cells.into_iter().map(|[bar]| bar).collect()
}

#[test]
fn chunks_of_threads_are_taken_in_the_order_of_their_indices() {
    let bars = bars(&threads(None), 40);
    assert_eq!(bars[10], 5.0 + 7.0 * 11.0);
    assert_eq!(bars[1..3], [2.0 * 82.0, 3.0 * 82.0]);
}

#[test]
fn chunk_of_a_killed_client_is_used_up_to_the_position_of_its_thread() {
    let bars = bars(&threads(Some(true)), 40);
    assert_eq!(bars[1..3], [2.0 * 82.0, 3.0 * 82.0]);
}

#[test]
fn chunk_of_a_killed_client_without_a_position_is_empty() {
    let bars = bars(&threads(Some(false)), 40);
    assert_eq!(bars[1..3], [0.0, 0.0]);
    // The output's operand is an index of that chunk, and keeps its bar.
    assert_eq!(bars[30], 1.0);
}

fn fault(bytes: &[u8]) -> (u64, Fault) {
    match exercise(bytes) {
        Err(TapeError::Damaged { offset, fault, .. }) => (offset, fault),
        other => panic!("no fault: {other:?}"),
    }
}

/// An input and a product in one chunk at byte 4096, and their structure in a chunk at byte 8192.
fn small() -> Vec<u8> {
    use derivgrind_tape::structure::{Element, Function, Operand, Operation, Structure};
    let mut recorder = Recorder::default();
    let operation = Operation {
        function: Function::Product,
        element: Element::Binary64,
        lanes: 1,
        signs: 0,
        result: 0,
        operands: [Operand::Narrow(0), Operand::Narrow(4)],
        values: [Some(8), Some(16)],
    };
    let structure = Structure { payload: 24, results: 1, address: 0, operations: vec![operation] };
    let number = recorder.structure(&structure);
    recorder.input();
    recorder.execute(number, 1, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 64, 0, 0, 0, 0, 0, 0, 8, 64]);
    recorder.finish(Ended::Completely)
}

#[test]
fn each_fault_is_found_where_it_is() {
    let first = 4096 + 64;
    let structure = 8192 + 64;
    let operation = structure + 24;
    let wrong = |what| Fault::Structure(StructureError::Operation { structure: 16, operation: 0, what });
    assert!(exercise(&small()).is_ok());
    let rows = [
        (8, 9, 8, Fault::Version(9)),
        (13, 0, 12, Fault::HeaderLength(0)),
        (16, 5, 16, Fault::Ended(5)),
        (24, 0x21, 24, Fault::Bytes(0x3021)),
        (25, 0x50, 0x3000, Fault::Short(0x5000)),
        (4096, b'X', 4096, Fault::NoChunk),
        (8192, 0, 8192, Fault::NoChunk),
        (4096 + 9, 0, 4096 + 8, Fault::ChunkLength(0)),
        (4096 + 9, 0x30, 4096 + 8, Fault::ChunkLength(0x3000)),
        (4096 + 16, 4, 4096 + 16, Fault::ChunkKind(4)),
        (4096 + 25, 0x10, 4096 + 24, Fault::Used(0x1020)),
        (4096 + 32, 0, 4096 + 32, Fault::Indices),
        (4096 + 40, 40, 4096 + 40, Fault::Indices),
        (4096 + 32, 2, first, Fault::Executions(DamageKind::ManyResults)),
        (4096 + 40, 4, first, Fault::Executions(DamageKind::FewResults)),
        (4096 + 24, 31, first + 27, Fault::Executions(DamageKind::Structure(0x1040))),
        (first, 2, first, Fault::Executions(DamageKind::Length(2))),
        (first + 4, 2, first + 4, Fault::Executions(DamageKind::Order(16))),
        (first + 28, 9, first + 28, Fault::Executions(DamageKind::Structure(9))),
        (structure, 15, structure, Fault::Structure(StructureError::Number(15))),
        (structure + 4, 25, structure, Fault::Structure(StructureError::Payload(16))),
        (structure + 4, 20, structure, wrong(OperationError::Payload)),
        (structure + 12, 2, structure, Fault::Structure(StructureError::Short)),
        (operation, 8, structure, wrong(OperationError::Function(8))),
        (operation + 1, 3, structure, wrong(OperationError::Element(3))),
        (operation + 2, 0, structure, wrong(OperationError::Lanes)),
        (operation + 4, 1, structure, wrong(OperationError::Results)),
        (operation + 11, 0x80, structure, wrong(OperationError::Order)),
        (operation, 6, structure, wrong(OperationError::Operands)),
        (operation + 16, 0xff, structure, wrong(OperationError::Payload)),
    ];
    for (position, byte, offset, expected) in rows {
        let mut bytes = small();
        bytes[position] = byte;
        println!("byte {position}");
        assert_eq!(fault(&bytes), (offset as u64, expected), "byte {position}");
    }
    let mut bytes = small();
    bytes[operation + 16..operation + 20].fill(0xff);
    assert_eq!(fault(&bytes), (structure as u64, wrong(OperationError::Value)));
}

#[test]
fn chunks_that_contradict_each_other() {
    let mut recorder = Recorder::default();
    recorder.input();
    recorder.input();
    recorder.next_chunk(1, 2);
    recorder.input();
    assert_eq!(fault(&recorder.finish(Ended::Completely)), (8192 + 32, Fault::Overlap(4096)));

    let position = ThreadPosition { position: 1, next_index: 1, chunk: 4096 };
    let mut recorder = Recorder::default();
    recorder.input();
    recorder.kill(false, 0, 1);
    recorder.thread_chunk(position);
    assert_eq!(fault(&recorder.finish(Ended::NotAtAll)), (4096, Fault::Position(1)));

    let mut recorder = Recorder::default();
    recorder.input();
    recorder.kill(true, 0, 1);
    recorder.thread_chunk(position);
    assert_eq!(fault(&recorder.finish(Ended::NotAtAll)), (12288 + 64 + 16, Fault::TwoThreads(4096)));

    // Only a tape that did not end completely may have room that was not used.
    let mut recorder = Recorder::default();
    recorder.blank_page();
    assert_eq!(fault(&recorder.finish(Ended::Completely)), (4096, Fault::NoChunk));
}
