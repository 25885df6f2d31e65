//! What the launcher tells the engine: `key=value` lines in its first argument.

use crate::lock::Once;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use derivgrind_functions::user::UserFunction;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum VectorShadowChoice {
    Auto,
    Registers,
    Memory,
    /// As on a host without AVX, for tests.
    MemorySse2,
}

/// Files of a recording, opened by the launcher; -1 if they shall be created when there is something to record.
pub struct RecordingFiles {
    /// The directory, for messages and for children.
    pub directory: Vec<u8>,
    pub tape: i32,
    pub inputs: i32,
    pub outputs: i32,
    /// Bytes of the tape that are kept; 0: all.
    pub ring: u64,
    /// The tape is thrown away at the end.
    pub in_memory: bool,
    /// The launcher makes classic blocks of the tape at the end.
    pub as_blocks: bool,
}

impl RecordingFiles {
    pub fn directory_name(&self) -> String {
        String::from_utf8_lossy(&self.directory).into_owned()
    }
}

pub struct Config {
    /// Path of the launcher, ending with a zero byte: it starts traced children and prints the report.
    pub launcher: Vec<u8>,
    pub vector_shadows: VectorShadowChoice,
    pub trace_children: bool,
    /// The client's mappings are at other addresses in each run.
    pub randomises_addresses: bool,
    /// Shadow arithmetic must leave no trace in the client's floating-point flags.
    pub exact_flags: bool,
    /// Calls of library functions are reported.
    pub math_interception: bool,
    /// Functions that the user has described.
    pub user_functions: Vec<&'static UserFunction>,
    pub log_descriptor: i32,
    pub verbosity: Verbosity,
    pub recording: Option<RecordingFiles>,
    /// A file with filters for system calls, from the program that has executed this one.
    pub filters: Option<i32>,
    /// Path of the file in which translations are kept for the next run, ending with a zero byte; empty: they are not.
    pub kept_translations: Vec<u8>,
    /// The launcher's own options, each ending with a zero byte.
    pub options: Vec<Vec<u8>>,
}

static CONFIG: Once<Config> = Once::new();

pub fn get() -> Option<&'static Config> {
    CONFIG.get()
}

/// The configuration, which exists from the start of the client on.
pub fn current() -> &'static Config {
    CONFIG.get().expect("the configuration is read first")
}

/// # Safety
/// As [`Once::set`].
pub unsafe fn install(config: Config) {
    // SAFETY: the caller's promise.
    unsafe { CONFIG.set(config) };
}

/// Reads the launcher's lines; the error is the line that is not understood.
pub fn parse(text: &[u8]) -> Result<Config, &[u8]> {
    let mut config = Config {
        launcher: Vec::new(),
        vector_shadows: VectorShadowChoice::Auto,
        trace_children: false,
        randomises_addresses: false,
        exact_flags: false,
        math_interception: true,
        user_functions: Vec::new(),
        log_descriptor: 2,
        verbosity: Verbosity::Normal,
        recording: None,
        filters: None,
        kept_translations: Vec::new(),
        options: Vec::new(),
    };
    for line in text.split(|byte| *byte == b'\n') {
        if line.is_empty() {
            continue;
        }
        let equals = line.iter().position(|byte| *byte == b'=').ok_or(line)?;
        let (key, value) = (&line[..equals], &line[equals + 1..]);
        match key {
            b"launcher" => config.launcher = with_zero(value),
            b"vector-shadows" => config.vector_shadows = parse_vector_shadows(value).ok_or(line)?,
            b"math-interception" => config.math_interception = value == b"yes",
            b"math-rule" => config.user_functions.push(parse_function(value).ok_or(line)?),
            b"trace-children" => config.trace_children = value == b"yes",
            b"aslr" => config.randomises_addresses = value == b"yes",
            b"fp-flags" => config.exact_flags = value == b"exact",
            b"log-fd" => config.log_descriptor = parse_number(value).ok_or(line)?,
            b"verbosity" => config.verbosity = parse_verbosity(value).ok_or(line)?,
            b"record" => config.recording = Some(parse_recording(value).ok_or(line)?),
            b"filters-fd" => config.filters = Some(parse_number(value).ok_or(line)?),
            b"kept-translations" => config.kept_translations = with_zero(value),
            b"option" => config.options.push(with_zero(value)),
            _ => return Err(line),
        }
    }
    Ok(config)
}

/// `tape,inputs,outputs,ring,flags,directory`.
fn parse_recording(value: &[u8]) -> Option<RecordingFiles> {
    let mut parts = value.splitn(6, |byte| *byte == b',');
    let mut descriptor = || parse_number(parts.next()?);
    let (tape, inputs, outputs) = (descriptor()?, descriptor()?, descriptor()?);
    let ring = core::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    let flags = parts.next()?;
    let (in_memory, as_blocks) = (flags.contains(&b'm'), flags.contains(&b'b'));
    Some(RecordingFiles {
        directory: parts.next()?.to_vec(),
        tape,
        inputs,
        outputs,
        ring,
        in_memory,
        as_blocks,
    })
}

fn parse_function(value: &[u8]) -> Option<&'static UserFunction> {
    let function = UserFunction::parse(core::str::from_utf8(value).ok()?)?;
    Some(Box::leak(Box::new(function)))
}

fn with_zero(value: &[u8]) -> Vec<u8> {
    let mut text = value.to_vec();
    text.push(0);
    text
}

fn parse_vector_shadows(value: &[u8]) -> Option<VectorShadowChoice> {
    match value {
        b"auto" => Some(VectorShadowChoice::Auto),
        b"registers" => Some(VectorShadowChoice::Registers),
        b"memory" => Some(VectorShadowChoice::Memory),
        b"memory-sse2" => Some(VectorShadowChoice::MemorySse2),
        _ => None,
    }
}

fn parse_verbosity(value: &[u8]) -> Option<Verbosity> {
    match value {
        b"quiet" => Some(Verbosity::Quiet),
        b"normal" => Some(Verbosity::Normal),
        b"verbose" => Some(Verbosity::Verbose),
        _ => None,
    }
}

fn parse_number(value: &[u8]) -> Option<i32> {
    core::str::from_utf8(value).ok()?.parse().ok()
}
