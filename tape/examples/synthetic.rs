//! How long a sweep takes: a synthetic tape of a stencil, `synthetic DIR [LANES [MILLIONS [ITERATIONS]]]`.
//!
//! The nine operations of a grid point are those of a step of Burgers' equation in one dimension. The tape is written
//! to DIR and then swept: reverse with 1, 4 and 8 columns, forward with 1.

use derivgrind_tape::checksum;
use derivgrind_tape::format::{ChunkHeader, ChunkKind, FileHeader, CHUNK_HEADER, PAGE};
use derivgrind_tape::program::Direction;
use derivgrind_tape::structure::{Element, Function, Operand, Operation, Structure, FIRST_RECORDED, INPUT};
use derivgrind_tape::vector::{CellVector, Place};
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

const POINTS: u32 = 4000;
const CHUNK_BYTES: usize = 16 << 20;

/// Offsets of the payload, in units of lanes × 4 bytes.
fn structure(lanes: u32) -> Structure {
    let narrow = |place: u32| Operand::Narrow(4 * lanes * place);
    let result = |number: u32| Operand::Result(lanes * number);
    let value = |place: u32| Some(4 * lanes * place);
    let none = Operand::Absent;
    let rows = [
        (Function::Sum, 2, [narrow(0), narrow(1)], [None, None]),
        (Function::Product, 0, [narrow(0), result(0)], [value(4), value(6)]),
        (Function::Sum, 0, [narrow(1), narrow(2)], [None, None]),
        (Function::Product, 0, [narrow(0), none], [None, value(8)]),
        (Function::Sum, 2, [result(2), result(3)], [None, None]),
        (Function::Product, 0, [result(1), none], [None, value(10)]),
        (Function::Product, 0, [result(4), none], [None, value(12)]),
        (Function::Sum, 2, [result(6), result(5)], [None, None]),
        (Function::Sum, 0, [narrow(0), result(7)], [None, None]),
    ];
    let operation = |number: usize| {
        let (function, signs, operands, values) = rows[number];
        let result = lanes * number as u32;
        Operation {
            function,
            element: Element::Binary64,
            lanes: lanes as u8,
            signs,
            result,
            operands,
            values,
        }
    };
    Structure {
        payload: 4 * lanes * 14,
        results: 9 * lanes,
        address: 0,
        operations: (0..rows.len()).map(operation).collect(),
    }
}

struct Writer {
    file: BufWriter<File>,
    bytes: u64,
    first_index: u64,
    chunk: Vec<u8>,
}

impl Writer {
    fn flush(&mut self, kind: ChunkKind, last_index: u64) -> std::io::Result<()> {
        let length = (CHUNK_HEADER + self.chunk.len() as u64).next_multiple_of(PAGE);
        let header = ChunkHeader {
            length,
            kind,
            thread: 0,
            used: self.chunk.len() as u64,
            first_index: self.first_index,
            last_index,
            address: 0,
            checksum: 0,
        };
        let header = ChunkHeader { checksum: checksum::of(&header, &self.chunk), ..header };
        self.chunk.resize((length - CHUNK_HEADER) as usize, 0);
        self.file.write_all(&header.encode())?;
        self.file.write_all(&self.chunk)?;
        self.chunk.clear();
        self.bytes += length;
        self.first_index = last_index;
        Ok(())
    }
}

/// Returns operations and the indices of the last time step.
fn write(path: &Path, lanes: u32, operations: u64) -> Result<(u64, Vec<u32>), Box<dyn Error>> {
    let structure = structure(lanes);
    let mut writer = Writer {
        file: BufWriter::new(File::create(path)?),
        bytes: PAGE,
        first_index: 1,
        chunk: Vec::with_capacity(CHUNK_BYTES + 4096),
    };
    writer.file.write_all(&[0; PAGE as usize])?;
    structure.encode(FIRST_RECORDED, &mut writer.chunk);
    writer.flush(ChunkKind::Structures, 1)?;
    let mut index = 1;
    let mut row: Vec<u32> = Vec::new();
    for _ in 0..POINTS {
        writer.chunk.extend_from_slice(&INPUT.to_le_bytes());
        row.push(index);
        index += 1;
    }
    let mut count = 0;
    while count < operations {
        let before = row.clone();
        for start in (1..POINTS - lanes - 1).step_by(lanes as usize) {
            for shift in [0, -1, 1, 0] {
                for lane in 0..lanes {
                    let point = (start + lane).wrapping_add_signed(shift);
                    writer.chunk.extend_from_slice(&before[point as usize].to_le_bytes());
                }
            }
            for value in [0.3_f64, 0.01, 2.0, 0.1, 0.2] {
                for _ in 0..lanes {
                    writer.chunk.extend_from_slice(&value.to_le_bytes());
                }
            }
            writer.chunk.extend_from_slice(&FIRST_RECORDED.to_le_bytes());
            for lane in 0..lanes {
                row[(start + lane) as usize] = index + 8 * lanes + lane;
            }
            index += 9 * lanes;
            count += u64::from(9 * lanes);
        }
        if writer.chunk.len() > CHUNK_BYTES {
            writer.flush(ChunkKind::Executions, u64::from(index))?;
        }
    }
    writer.flush(ChunkKind::Executions, u64::from(index))?;
    let mut file = writer.file.into_inner()?;
    let header = FileHeader { ended: 1, bytes: writer.bytes, has_values: 0 };
    std::io::Seek::rewind(&mut file)?;
    file.write_all(&header.encode())?;
    Ok((count, row))
}

fn measure<const COLUMNS: usize>(
    path: &Path,
    direction: Direction,
    operations: u64,
    last_row: &[u32],
) -> Result<(), Box<dyn Error>>
where
    [f64; COLUMNS]: bytemuck::Pod,
{
    let begin = Instant::now();
    let tape = derivgrind_tape::file::Tape::open(path)?;
    let kept: Vec<u64> = (1..u64::from(POINTS)).collect();
    let mut cells: CellVector<[f64; COLUMNS]> = CellVector::new(tape.indices(), Place::Memory)?;
    for index in last_row {
        cells[*index as usize] = [1.0; COLUMNS];
    }
    if direction == Direction::Forward {
        cells[1..POINTS as usize].fill([1.0; COLUMNS]);
    }
    tape.sweep_in_pipeline(direction, &mut cells, &kept, &mut |_| {})?;
    let cold = begin.elapsed();
    let sum: f64 = cells[1..POINTS as usize].iter().map(|cell| cell[0]).sum();
    let begin = Instant::now();
    tape.sweep(direction, &mut cells, &mut |_| {})?;
    let warm = begin.elapsed();
    println!(
        "{direction:?} {COLUMNS} columns: {:.2} ns per operation in a pipeline, {:.2} without; sum {sum:e}",
        cold.as_nanos() as f64 / operations as f64,
        warm.as_nanos() as f64 / operations as f64
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let directory = words.next().ok_or("a directory is needed")?;
    let lanes = words.next().map_or(Ok(1), |word| word.parse())?;
    let millions: u64 = words.next().map_or(Ok(100), |word| word.parse())?;
    let iterations: u32 = words.next().map_or(Ok(1), |word| word.parse())?;
    let path = Path::new(&directory).join("synthetic-tape");
    let (operations, last_row) = write(&path, lanes, millions * 1_000_000)?;
    let bytes = path.metadata()?.len();
    println!("{operations} operations, {:.1} bytes per operation", bytes as f64 / operations as f64);
    for _ in 0..iterations {
        measure::<1>(&path, Direction::Reverse, operations, &last_row)?;
        measure::<1>(&path, Direction::Forward, operations, &last_row)?;
        measure::<4>(&path, Direction::Reverse, operations, &last_row)?;
        measure::<8>(&path, Direction::Reverse, operations, &last_row)?;
    }
    std::fs::remove_file(&path)?;
    Ok(())
}
