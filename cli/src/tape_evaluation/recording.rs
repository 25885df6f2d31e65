//! What is in the directory: the tape, its inputs and outputs, and where words go.

use crate::indices::Indices;
use crate::options::Options;
use anyhow::Result;
use derivgrind_tape::file::Tape;
use derivgrind_tape::format::Ended;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Display;
use std::io::{stderr, IsTerminal};
use std::path::PathBuf;

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

    pub fn is_complete(&self) -> bool {
        self.tape.ended() == Ended::Completely
    }

    fn reason_of_early_end(&self) -> Option<&'static str> {
        Some(match self.tape.ended() {
            Ended::Completely => return None,
            Ended::NotAtAll if self.tape.is_classic() => "its last block is cut off",
            Ended::NotAtAll => "the program is still running, or was killed",
            Ended::NoSpace => "the disk or a quota was full",
            Ended::FileError => "it could not be written any more",
            Ended::IndicesExhausted => "there were no more indices",
        })
    }

    /// A file in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.options.directory.join(name)
    }

    /// Indices of the inputs.
    pub fn inputs(&self) -> Result<Indices> {
        Indices::read(self, "input", &self.path("dg-input-indices"))
    }

    /// Indices of the outputs.
    pub fn outputs(&self) -> Result<Indices> {
        Indices::read(self, "output", &self.path("dg-output-indices"))
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
