//! Compiles guests, each set of options once.

use crate::{repository, scratch};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

/// Which front end of a compiler collection is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    C,
    Cxx,
    Fortran,
}

/// What is compiled, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Program<'a> {
    pub language: Language,
    /// `gcc` or `clang`; ignored for Fortran.
    pub compiler: &'a str,
    /// Files of `guests`; the first names the product.
    pub sources: &'a [&'a str],
    /// Words before the sources.
    pub options: &'a [&'a str],
    /// Words after the sources.
    pub libraries: &'a [&'a str],
}

impl<'a> Program<'a> {
    /// A C program for gcc.
    pub fn c(sources: &'a [&'a str], options: &'a [&'a str]) -> Program<'a> {
        Program { language: Language::C, compiler: "gcc", sources, options, libraries: &[] }
    }

    fn command(&self) -> &str {
        match (self.language, self.compiler) {
            (Language::Fortran, _) => "gfortran",
            (Language::Cxx, "clang") => "clang++",
            (Language::Cxx, _) => "g++",
            (Language::C, compiler) => compiler,
        }
    }

    fn product(&self) -> String {
        let stem = self.sources[0].split('.').next().unwrap_or(self.sources[0]);
        let words = [self.command()].into_iter().chain(self.options.iter().copied());
        let words = words.chain(self.sources[1..].iter().copied()).chain(self.libraries.iter().copied());
        let name: String = words.flat_map(|word| ["-", word.trim_start_matches('-')]).collect();
        let plain = |character: char| {
            if character.is_ascii_alphanumeric() || "-.+=".contains(character) {
                character
            } else {
                '_'
            }
        };
        format!("{stem}{name}").chars().map(plain).collect()
    }
}

type Cell = Arc<OnceLock<Result<PathBuf, String>>>;

/// Makes a product once in this process, although several threads may want it at the same time.
fn once(name: &str, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    static CELLS: OnceLock<Mutex<HashMap<String, Cell>>> = OnceLock::new();
    let cells = CELLS.get_or_init(Mutex::default);
    let cell = cells
        .lock()
        .expect("nothing panics while it holds the lock")
        .entry(name.to_string())
        .or_default()
        .clone();
    cell.get_or_init(|| {
        let product = scratch().join(name);
        let unfinished = scratch().join(format!("{name}.{}", std::process::id()));
        if newer_than_sources(&product) {
            return Ok(product);
        }
        make(&unfinished)?;
        std::fs::rename(&unfinished, &product).map_err(|error| format!("{name}: {error}"))?;
        Ok(product)
    })
    .clone()
}

/// Is a product from an earlier run up to date? All guests and the header count as its sources.
fn newer_than_sources(product: &Path) -> bool {
    static NEWEST: OnceLock<SystemTime> = OnceLock::new();
    let newest = NEWEST.get_or_init(|| {
        let folders = ["tests/guests", "headers", "runtime/src"];
        let entries = folders.iter().flat_map(|folder| {
            std::fs::read_dir(repository(folder)).expect("sources can be listed").map_while(Result::ok)
        });
        let times = entries.filter_map(|entry| entry.metadata().ok()?.modified().ok());
        times.max().unwrap_or(SystemTime::UNIX_EPOCH)
    });
    let time = std::fs::metadata(product).and_then(|metadata| metadata.modified());
    time.is_ok_and(|time| time > *newest)
}

/// Compiles a guest.
pub fn compile(program: &Program) -> Result<PathBuf, String> {
    once(&program.product(), |product| {
        let mut command = Command::new(program.command());
        if program.language != Language::Fortran {
            command.args(["-g", "-I"]).arg(repository("headers"));
        }
        command.args(program.options).arg("-o").arg(product);
        for source in program.sources {
            command.arg(repository("tests/guests").join(source));
        }
        finish(command.args(program.libraries))
    })
}

fn finish(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// A product under another name. Programs that run have the file that was there before.
pub fn copied(product: &Path, name: &str) -> Result<PathBuf, String> {
    let (copy, unfinished) = (scratch().join(name), scratch().join(format!("{name}.{}", std::process::id())));
    std::fs::copy(product, &unfinished).map_err(|error| format!("{name}: {error}"))?;
    std::fs::rename(&unfinished, &copy).map_err(|error| format!("{name}: {error}"))?;
    Ok(copy)
}

/// A library that turns differentiation on when it is preloaded.
pub fn library_of_unrelated_input() -> PathBuf {
    let options = ["-O2", "-shared", "-fPIC"];
    compile(&Program::c(&["unrelated_input.c"], &options)).expect("a C compiler")
}

/// Compiles a Rust program with the crate `derivgrind`.
pub fn rust_program(source: &str, options: &[&str]) -> Result<PathBuf, String> {
    let rustc = || Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let library = once("libderivgrind.rlib", |product| {
        let mut command = rustc();
        command.args(["--edition=2021", "--crate-type=rlib", "--crate-name=derivgrind", "-O", "-o"]);
        finish(command.arg(product).arg(repository("runtime/src/lib.rs")))
    })?;
    let words: String = options.iter().flat_map(|word| ["-", word.trim_start_matches('-')]).collect();
    let name = format!("{}{words}", source.trim_end_matches(".rs")).replace(['/', ' '], "_");
    once(&name, |product| {
        let mut command = rustc();
        command.args(["--edition=2021", "-g"]).args(options).arg("-o").arg(product);
        command.arg(format!("--extern=derivgrind={}", library.display()));
        finish(command.arg(repository("tests/guests").join(source)))
    })
}
