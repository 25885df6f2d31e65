//! The Jacobian as a NumPy array.
//!
//! A pass gives a few rows (reverse) or columns (forward). They are written as they come: NumPy's format stores a
//! matrix by rows or by columns, and says which, so that nothing is ever kept but the results of one pass.

use crate::recording::Recording;
use anyhow::{Context, Result};
use derivgrind_tape::evaluation::{Evaluation, WIDEST};
use derivgrind_tape::program::Direction;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Derivatives of all outputs with respect to all inputs, to `path`.
pub fn write(recording: &Recording, path: &Path) -> Result<()> {
    let inputs = recording.inputs()?;
    let outputs = recording.outputs()?;
    let direction = if inputs.count() < outputs.count() { Direction::Forward } else { Direction::Reverse };
    let (from, to) = match direction {
        Direction::Forward => (inputs.as_slice(), outputs.as_slice()),
        Direction::Reverse => (outputs.as_slice(), inputs.as_slice()),
    };
    // Under its name only once it is complete.
    let incomplete = with_suffix(path, ".incomplete");
    let cannot = || format!("cannot write {}", incomplete.display());
    let mut file = BufWriter::new(File::create(&incomplete).with_context(cannot)?);
    let header = header(outputs.count(), inputs.count(), direction == Direction::Forward);
    file.write_all(&header).with_context(cannot)?;
    let place = |bytes| recording.place(bytes);
    let evaluation = Evaluation { tape: &recording.tape, direction, from, to, place: &place };
    let progress = recording.progress(from.len().div_ceil(WIDEST));
    for first in (0..from.len()).step_by(WIDEST) {
        let columns = WIDEST.min(from.len() - first);
        let seed = |variable: usize, column: usize| f64::from(u8::from(variable == first + column));
        let results = evaluation.pass(columns, &seed, &mut |bytes| progress.inc(bytes))?;
        write_lines(&mut file, &results, columns).with_context(cannot)?;
    }
    progress.finish_and_clear();
    file.flush().with_context(cannot)?;
    fs::rename(&incomplete, path).with_context(|| format!("cannot write {}", path.display()))
}

/// Write the results of each of the columns of a pass, one behind the other.
fn write_lines(file: &mut impl Write, results: &[Vec<f64>], columns: usize) -> io::Result<()> {
    for column in 0..columns {
        for result in results {
            file.write_all(&result[column].to_le_bytes())?;
        }
    }
    Ok(())
}

/// The header of version 1.0 of NumPy's format (numpy.lib.format): magic, version, length, a Python dictionary that is
/// padded so that numbers begin at a multiple of 64.
fn header(rows: usize, columns: usize, is_by_columns: bool) -> Vec<u8> {
    let order = if is_by_columns { "True" } else { "False" };
    let mut text = format!("{{'descr': '<f8', 'fortran_order': {order}, 'shape': ({rows}, {columns}), }}");
    let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
    text.push_str(&" ".repeat(length - 1 - text.len()));
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend_from_slice(&(length as u16).to_le_bytes());
    header.extend_from_slice(text.as_bytes());
    header
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}
