//! The files `dg-input-indices` and `dg-output-indices`.

use crate::file::Tape;
use crate::format::Ended;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// How many lines of a file are named one by one when something is odd with them.
const NAMED: usize = 5;

/// A file of indices cannot be used.
#[derive(Debug, Error)]
pub enum IndicesError {
    #[error("cannot read the indices of {kind}s in {path}: {error}", path = .path.display())]
    Unreadable { kind: &'static str, path: PathBuf, error: io::Error },
    #[error("{path}, line {line}: `{word}` is no index", path = .path.display())]
    NoIndex { path: PathBuf, line: usize, word: String },
    #[error("{0}")]
    BehindTheEnd(String),
    #[error("{path} names no {kind}", path = .path.display())]
    Empty { kind: &'static str, path: PathBuf },
}

/// Indices in the order in which variables were declared.
pub struct Indices {
    /// 0 for those that are not on the tape.
    indices: Vec<u64>,
    /// Sentences about what is odd.
    pub oddities: Vec<String>,
}

impl Indices {
    /// Read a file; `kind` is input or output.
    pub fn read(tape: &Tape, kind: &'static str, path: &Path) -> Result<Indices, IndicesError> {
        let text = fs::read_to_string(path).map_err(|error| IndicesError::Unreadable {
            kind,
            path: path.to_path_buf(),
            error,
        })?;
        let is_complete = tape.ended() == Ended::Completely;
        let name = path.display();
        let end = tape.indices();
        let mut indices = Vec::new();
        let mut oddities = Oddities::default();
        let mut seen: HashMap<u64, usize> = HashMap::new();
        let cut = !is_complete && !text.is_empty() && !text.ends_with('\n');
        let count = text.lines().count() - usize::from(cut);
        if cut {
            oddities.first.push(format!("{name}: the last line is cut off and is not used"));
        }
        for (position, word) in text.lines().take(count).enumerate() {
            let line = position + 1;
            let Ok(index) = word.trim().parse::<u64>() else {
                return Err(IndicesError::NoIndex { path: path.to_path_buf(), line, word: shortened(word) });
            };
            if index >= end {
                let sentence = format!(
                    "{name}, line {line}: index {index} lies behind the end of the tape, whose last index is {}",
                    end - 1
                );
                if is_complete {
                    return Err(IndicesError::BehindTheEnd(sentence));
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
        if indices.is_empty() {
            return Err(IndicesError::Empty { kind, path: path.to_path_buf() });
        }
        Ok(Indices { indices, oddities: oddities.sentences() })
    }

    pub fn count(&self) -> usize {
        self.indices.len()
    }

    /// Index of each variable, 0 for those that are not on the tape.
    pub fn as_slice(&self) -> &[u64] {
        &self.indices
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

/// Sentences about lines, of which only the first are kept.
#[derive(Default)]
pub struct Oddities {
    first: Vec<String>,
    count: usize,
}

impl Oddities {
    pub fn add(&mut self, sentence: String) {
        self.count += 1;
        if self.count <= NAMED {
            self.first.push(sentence);
        }
    }

    pub fn sentences(mut self) -> Vec<String> {
        if let Some(more) = self.count.checked_sub(NAMED).filter(|more| *more > 0) {
            self.first.push(format!("the same holds for {more} more"));
        }
        self.first
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
