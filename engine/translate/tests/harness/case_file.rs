//! Cases as text files: what a failing test leaves behind, to be run again and to be kept.
//!
//! A file has a line `key value` for each property and for each instruction, whose bytes are hexadecimal. Everything
//! else follows from the seed.

use super::blocks::{Block, Kind, KINDS};
use super::run::Configuration;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A block and how it is run.
#[derive(Clone)]
pub struct CaseFile {
    pub kind: Kind,
    pub configuration: Configuration,
    /// Does it begin in the state in which everything is passive?
    pub passive: bool,
    /// Of values, shadows and everything else that is random.
    pub seed: u64,
    pub block: Block,
}

impl CaseFile {
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "kind {:?}", self.kind);
        let _ = writeln!(text, "shadows {}", self.configuration.name);
        let _ = writeln!(text, "own-control {}", self.configuration.own_control);
        let _ = writeln!(text, "passive {}", self.passive);
        let _ = writeln!(text, "far {}", self.block.far);
        let _ = writeln!(text, "seed {}", self.seed);
        for generated in &self.block.instructions {
            let bytes: String = generated.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let _ = writeln!(text, "instruction {bytes}");
        }
        text
    }

    /// `None` if this processor cannot run it.
    pub fn parse(text: &str) -> Option<CaseFile> {
        let values = |key: &str| {
            let key = format!("{key} ");
            text.lines().filter_map(|line| line.strip_prefix(&key)).map(str::to_string).collect::<Vec<_>>()
        };
        let value = |key: &str| values(key).pop().unwrap_or_else(|| panic!("the case has no {key}"));
        let kind = KINDS.into_iter().find(|kind| format!("{kind:?}") == value("kind")).expect("a kind");
        let name = value("shadows");
        let mut configuration = Configuration::available().into_iter().find(|one| one.name == name)?;
        configuration.own_control = value("own-control") == "true";
        let byte =
            |word: &str, k: usize| u8::from_str_radix(&word[k..k + 2], 16).expect("hexadecimal digits");
        let bytes = |word: &String| (0..word.len()).step_by(2).map(|k| byte(word, k)).collect::<Vec<_>>();
        let instructions: Vec<_> = values("instruction").iter().map(bytes).collect();
        Some(CaseFile {
            kind,
            configuration,
            passive: value("passive") == "true",
            seed: value("seed").parse().expect("a number"),
            block: Block::of(value("far") == "true", &instructions),
        })
    }

    /// Writes it into the directory for temporary files of tests; returns the path.
    pub fn save(&self) -> PathBuf {
        let name = format!("block-{:?}-{:x}.case", self.kind, self.seed).to_lowercase();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, self.to_text()).expect("the directory exists");
        path
    }

    pub fn read(path: &Path) -> Option<CaseFile> {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        CaseFile::parse(&text)
    }
}
