//! `--print`: a table of all operations.

use crate::export::{output, Marks};
use crate::recording::Recording;
use anyhow::{Context, Result};
use std::io::Write;

/// Print one line for each operation that is one, with marks at inputs and outputs.
pub fn print(recording: &Recording) -> Result<()> {
    let marks = Marks::read(recording)?;
    let mut output = output(recording)?;
    writeln!(output, "{:>12}  {:<23} {:<36} {:<36} marks", "index", "function", "operand 1", "operand 2")?;
    recording.tape.visit(&mut |recorded| {
        let mark = marks.of(recorded.index);
        if recorded.is_hole() && mark.is_empty() {
            return Ok(());
        }
        let name = if recorded.is_hole() { "passive" } else { recorded.function.name() };
        let operand = |number: usize| match recorded.operands[number] {
            0 => "-".to_string(),
            index => format!("{} × {index}", recorded.partials[number]),
        };
        let line =
            format!("{:>12}  {:<23} {:<36} {:<36} {mark}", recorded.index, name, operand(0), operand(1));
        writeln!(output, "{}", line.trim_end())
    })?;
    output.flush().context("cannot write the table")
}
