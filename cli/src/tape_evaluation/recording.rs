//! What is in the directory: the tape, its inputs and outputs, and where words go.

use crate::options::Options;
use anyhow::Result;
use derivgrind_tape::evaluation::available_memory;
use derivgrind_tape::file::Tape;
use derivgrind_tape::format::Ended;
use derivgrind_tape::indices::Indices;
use derivgrind_tape::vector::Place;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Display;
use std::io::{stderr, IsTerminal};
use std::path::{Path, PathBuf};

/// Sweeps over fewer bytes have no progress bar.
const LONG: u64 = 256 << 20;

/// A recording that is going to be looked at.
pub struct Recording<'a> {
    pub options: &'a Options,
    pub tape: Tape,
}

impl Recording<'_> {
    /// Open the tape, and say so if it is not complete.
    pub fn open(options: &Options) -> Result<Recording<'_>> {
        // What contradicts itself is said before a tape is looked at.
        options.task()?;
        let tape = Tape::open(&options.directory.join("dg-tape"))?;
        let recording = Recording { options, tape };
        if let Some(reason) = recording.reason_of_early_end() {
            recording.warn(&format!(
                "the tape is not complete: {reason}; it is used up to index {}",
                recording.tape.indices() - 1
            ));
        }
        Ok(recording)
    }

    fn reason_of_early_end(&self) -> Option<&'static str> {
        match self.tape.ended() {
            Ended::NotAtAll if self.tape.is_classic() => Some("its last block is cut off"),
            ended => ended.reason(),
        }
    }

    /// A file in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.options.directory.join(name)
    }

    /// Indices of the inputs.
    pub fn inputs(&self) -> Result<Indices> {
        self.indices("input", "dg-input-indices")
    }

    /// Indices of the outputs.
    pub fn outputs(&self) -> Result<Indices> {
        self.indices("output", "dg-output-indices")
    }

    fn indices(&self, kind: &'static str, file: &str) -> Result<Indices> {
        let indices = Indices::read(&self.tape, kind, &self.path(file))?;
        indices.oddities.iter().for_each(|sentence| self.warn(sentence));
        Ok(indices)
    }

    /// Where so many bytes of adjoints are to live.
    pub fn place(&self, bytes: u64) -> Place<'_> {
        let directory: &Path = &self.options.directory;
        match &self.options.bars_file {
            Some(path) => Place::File(path),
            None if available_memory().is_some_and(|available| bytes > available) => {
                self.warn(&format!(
                    "the adjoints need {} MB, more than there is memory; they are kept in a file in {}",
                    bytes >> 20,
                    directory.display()
                ));
                Place::Directory(directory)
            }
            None => Place::Memory,
        }
    }

    /// Say something that is no error.
    pub fn warn(&self, words: &dyn Display) {
        if !self.options.quiet {
            eprintln!("tape-evaluation: {words}");
        }
    }

    /// A progress bar for so many sweeps, which is visible if they take long and stderr is a terminal.
    pub fn progress(&self, sweeps: usize) -> ProgressBar {
        let bytes = self.tape.swept_bytes().saturating_mul(sweeps as u64);
        if self.options.quiet || bytes < LONG || !stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
        let template = "{wide_bar} {bytes} of {total_bytes}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar
    }
}
