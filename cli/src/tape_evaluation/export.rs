//! `--export`: the tape for other programs.

use crate::options::Layout;
use crate::recording::Recording;
use anyhow::{bail, Context, Result};
use derivgrind_tape::blocks::BlockWriter;
use derivgrind_tape::operations::Recorded;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, stdout, BufWriter, IsTerminal, Write};

/// Write the whole tape.
pub fn export(recording: &Recording, layout: Layout) -> Result<()> {
    match layout {
        Layout::Blocks => blocks(recording),
        Layout::Csv => csv(recording),
        Layout::Dot => dot(recording),
    }
}

/// The file of `--output`, or stdout.
pub fn output(recording: &Recording) -> Result<Box<dyn Write>> {
    let Some(path) = &recording.options.output else {
        return Ok(Box::new(BufWriter::new(stdout())));
    };
    if same_file(path, &recording.path("dg-tape")) {
        bail!("{} is the tape itself and cannot be overwritten", path.display());
    }
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Box::new(BufWriter::new(file)))
}

fn same_file(left: &std::path::Path, right: &std::path::Path) -> bool {
    match (left.canonicalize(), right.canonicalize()) {
        (Ok(left), Ok(right)) => left == right,
        _ => false,
    }
}

fn blocks(recording: &Recording) -> Result<()> {
    if recording.options.output.is_none() && stdout().is_terminal() {
        bail!("blocks are no text for a terminal; --output=FILE says where they go");
    }
    let mut writer = BlockWriter::new(output(recording)?)?;
    recording.tape.visit(&mut |recorded| writer.write(recorded))?;
    writer.skip_to(recording.tape.indices())?;
    writer.finish().context("cannot write the blocks")
}

fn csv(recording: &Recording) -> Result<()> {
    let marks = Marks::read(recording)?;
    let mut output = output(recording)?;
    writeln!(output, "index,function,operand1,partial1,operand2,partial2,address,input,output")?;
    recording.tape.visit(&mut |recorded| {
        let Recorded { index, operands, partials, address, .. } = recorded;
        writeln!(
            output,
            "{index},{},{},{:e},{},{:e},{address:#x},{},{}",
            if recorded.is_hole() { "passive" } else { recorded.function.name() },
            operands[0],
            partials[0],
            operands[1],
            partials[1],
            numbers(marks.inputs.get(index)),
            numbers(marks.outputs.get(index))
        )
    })?;
    output.flush().context("cannot write the values")
}

fn dot(recording: &Recording) -> Result<()> {
    let marks = Marks::read(recording)?;
    let mut output = output(recording)?;
    writeln!(output, "digraph tape {{")?;
    recording.tape.visit(&mut |recorded| dot_node(&mut output, recorded, &marks))?;
    writeln!(output, "}}")?;
    output.flush().context("cannot write the graph")
}

fn dot_node(output: &mut dyn Write, recorded: &Recorded, marks: &Marks) -> io::Result<()> {
    let index = recorded.index;
    let mark = marks.of(index);
    if recorded.is_hole() && mark.is_empty() {
        return Ok(());
    }
    let shape = if mark.is_empty() { "ellipse" } else { "box" };
    let name = if recorded.is_hole() { "passive" } else { recorded.function.name() };
    let separator = if mark.is_empty() { "" } else { "\\n" };
    writeln!(output, "  n{index} [label=\"{index} {name}{separator}{mark}\", shape={shape}];")?;
    for (operand, partial) in recorded.operands.into_iter().zip(recorded.partials) {
        if operand != 0 {
            writeln!(output, "  n{operand} -> n{index} [label=\"{partial}\"];")?;
        }
    }
    Ok(())
}

/// Which inputs and outputs have which index.
pub struct Marks {
    inputs: HashMap<u64, Vec<usize>>,
    outputs: HashMap<u64, Vec<usize>>,
}

impl Marks {
    /// From the index files, if they are there: a tape without them can be shown, too.
    pub fn read(recording: &Recording) -> Result<Marks> {
        let mut marks = Marks { inputs: HashMap::new(), outputs: HashMap::new() };
        if recording.path("dg-input-indices").exists() {
            marks.inputs = recording.inputs()?.numbers();
        }
        if recording.path("dg-output-indices").exists() {
            marks.outputs = recording.outputs()?.numbers();
        }
        Ok(marks)
    }

    /// Such as `input 3, output 1`.
    pub fn of(&self, index: u64) -> String {
        let mut marks = Vec::new();
        for (kind, numbers) in [("input", &self.inputs), ("output", &self.outputs)] {
            for number in numbers.get(&index).into_iter().flatten() {
                marks.push(format!("{kind} {number}"));
            }
        }
        marks.join(", ")
    }
}

/// Numbers of variables with blanks between them.
fn numbers(variables: Option<&Vec<usize>>) -> String {
    let words: Vec<String> = variables.into_iter().flatten().map(usize::to_string).collect();
    words.join(" ")
}
