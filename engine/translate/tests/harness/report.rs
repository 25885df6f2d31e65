//! What a failed test prints: the first failure of each instruction, with its translation.

use super::region::CACHE;
use super::run::{Configuration, Made, Program};
use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Failures, by what failed.
#[derive(Default)]
pub struct Failures {
    first: BTreeMap<String, (usize, String)>,
    pub cases: usize,
}

impl Failures {
    pub fn add(&mut self, what: &str, text: impl FnOnce() -> String) {
        match self.first.get_mut(what) {
            Some((count, _)) => *count += 1,
            None => {
                self.first.insert(what.to_string(), (1, text()));
            }
        }
    }

    /// Panics with what was found. `least`: cases that must have been run.
    pub fn finish(self, least: usize) {
        println!("{} cases", self.cases);
        if !self.first.is_empty() {
            let mut text = String::new();
            for (what, (count, first)) in &self.first {
                let _ = writeln!(text, "\n=== {what}: {count} failures, the first:\n{first}");
            }
            let names: Vec<_> = self.first.keys().cloned().collect();
            panic!("{text}\n{} of {} cases: {}", self.first.len(), self.cases, names.join(", "));
        }
        assert!(self.cases >= least, "only {} cases were run", self.cases);
    }
}

/// Describes a case.
pub fn describe(
    program: &Program,
    configuration: Configuration,
    translations: &[Made],
    differences: &[String],
) -> String {
    let mut text = format!("{}\n", configuration.name);
    disassemble(&mut text, program.start(), &program.bytes);
    for made in translations {
        let _ = writeln!(text, "-- translation of {:#x} for {}", made.pc, state(made));
        disassemble(&mut text, CACHE, &made.code);
    }
    for difference in differences {
        let _ = writeln!(text, "** {difference}");
    }
    text
}

fn state(made: &Made) -> String {
    let state = made.state;
    let (general, vector) = (state.zero_general(), state.zero_vector());
    format!("zero general {general:#06x}, zero vector {vector:#06x}, upper {}", state.upper())
}

fn disassemble(text: &mut String, address: u64, bytes: &[u8]) {
    let mut formatter = IntelFormatter::new();
    for instruction in Decoder::with_ip(64, bytes, address, DecoderOptions::NONE) {
        let mut line = String::new();
        formatter.format(&instruction, &mut line);
        let _ = writeln!(text, "   {:x}  {line}", instruction.ip());
    }
}
