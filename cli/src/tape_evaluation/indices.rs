//! The files `dg-input-indices` and `dg-output-indices`.

use crate::recording::Recording;
use anyhow::{bail, Context, Result};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// How many lines of a file are named one by one when something is odd with them.
const NAMED: usize = 5;

/// Indices in the order in which variables were declared.
pub struct Indices {
    /// 0 for those that are not on the tape.
    indices: Vec<u64>,
}

impl Indices {
    /// Read a file; `kind` is input or output.
    pub fn read(recording: &Recording, kind: &str, path: &Path) -> Result<Indices> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the indices of {kind}s in {}", path.display()))?;
        let name = path.display();
        let end = recording.tape.indices();
        let mut indices = Vec::new();
        let mut oddities = Oddities::default();
        let mut seen: HashMap<u64, usize> = HashMap::new();
        let cut = !recording.is_complete() && !text.is_empty() && !text.ends_with('\n');
        let count = text.lines().count() - usize::from(cut);
        if cut {
            recording.warn(&format!("{name}: the last line is cut off and is not used"));
        }
        for (position, word) in text.lines().take(count).enumerate() {
            let line = position + 1;
            let Ok(index) = word.trim().parse::<u64>() else {
                bail!("{name}, line {line}: `{}` is no index", shortened(word));
            };
            if index >= end {
                let sentence = format!(
                    "{name}, line {line}: index {index} lies behind the end of the tape, whose last index is {}",
                    end - 1
                );
                if recording.is_complete() {
                    bail!("{sentence}");
                }
                oddities.add(format!("{sentence}; its derivatives are zero here"));
                indices.push(0);
                continue;
            }
            if index == 0 {
                oddities
                    .add(format!("{name}, line {line}: this {kind} is passive; its derivatives are zero"));
            } else if let Some(earlier) = seen.insert(index, line) {
                oddities.add(format!(
                    "{name}, line {line}: index {index} is the same as in line {earlier}; seeds of both are added up"
                ));
            }
            indices.push(index);
        }
        oddities.tell(recording);
        if indices.is_empty() {
            bail!("{name} names no {kind}");
        }
        Ok(Indices { indices })
    }

    pub fn count(&self) -> usize {
        self.indices.len()
    }

    /// Index of each variable, 0 for those that are not on the tape.
    pub fn as_slice(&self) -> &[u64] {
        &self.indices
    }

    /// Indices on the tape in ascending order, each once.
    pub fn ascending(&self) -> Vec<u64> {
        let mut ascending: Vec<u64> = self.indices.iter().copied().filter(|index| *index != 0).collect();
        ascending.sort_unstable();
        ascending.dedup();
        ascending
    }

    /// Which variables, counted from 1, have which index.
    pub fn numbers(&self) -> HashMap<u64, Vec<usize>> {
        let mut numbers: HashMap<u64, Vec<usize>> = HashMap::new();
        for (position, index) in self.indices.iter().enumerate() {
            numbers.entry(*index).or_default().push(position + 1);
        }
        numbers.remove(&0);
        numbers
    }
}

/// Sentences about lines, of which only the first are told.
#[derive(Default)]
pub struct Oddities {
    first: Vec<String>,
    count: usize,
}

impl Oddities {
    pub fn add(&mut self, sentence: String) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(sentence);
        }
    }

    pub fn tell(&self, recording: &Recording) {
        for sentence in &self.first {
            recording.warn(sentence);
        }
        if self.count > self.first.len() {
            recording.warn(&format!("the same holds for {} more", self.count - self.first.len()));
        }
    }
}

/// A word that fits into a sentence.
pub fn shortened(word: &str) -> String {
    let mut short: String = word.chars().take(40).collect();
    if short.len() < word.len() {
        short.push('…');
    }
    short
}
