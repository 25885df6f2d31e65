//! The engine's image, its configuration, and the step from the launcher into it.

use crate::failure::Failure;
use crate::math_rules;
use crate::options::Options;
use crate::program::Program;
use crate::recording::Files;
use anyhow::{anyhow, bail, Context};
use derivgrind_functions::user::UserFunction;
use rustix::fd::{AsRawFd, OwnedFd, RawFd};
use rustix::fs::{memfd_create, MemfdFlags};
use rustix::io::{write, Errno};
use rustix::process::{getrlimit, Resource};
use std::env;
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// The engine executable, built by the build script.
static IMAGE: &[u8] = include_bytes!(env!("DERIVGRIND_ENGINE_IMAGE"));

/// Name of the engine in argv[0].
const ENGINE_NAME: &str = "derivgrind-engine";

/// What has been prepared for the engine.
pub struct Parts<'a> {
    pub log_descriptor: RawFd,
    pub recording: Option<&'a Files>,
    pub rules: &'a [UserFunction],
    /// Where translations are kept.
    pub kept: Option<PathBuf>,
}

/// The engine's first argument: lines `key=value`.
pub fn config(options: &Options, option_words: &[OsString], parts: Parts) -> Result<CString, Failure> {
    let Parts { log_descriptor, recording, rules, kept } = parts;
    let launcher = env::current_exe().context("cannot find the path of derivgrind itself")?;
    let mut text = b"launcher=".to_vec();
    text.extend_from_slice(launcher.as_os_str().as_bytes());
    text.extend_from_slice(
        format!(
            "\nvector-shadows={}\ntrace-children={}\naslr={}\nmath-interception={}\nfp-flags={}\nlog-fd={log_descriptor}\nverbosity={}\n",
            options.vector_shadows.name(),
            options.trace_children.name(),
            options.aslr.name(),
            options.math_interception.name(),
            options.fp_flags.name(),
            options.verbosity(),
        )
        .as_bytes(),
    );
    for word in option_words.iter().filter(|word| !is_internal(word)) {
        text.extend_from_slice(b"option=");
        text.extend_from_slice(word.as_bytes());
        text.push(b'\n');
    }
    let mut lines = 8 + rules.len();
    for function in rules {
        text.extend_from_slice(format!("math-rule={function}\n").as_bytes());
    }
    if let Some(path) = &options.math_rules {
        // The last one counts, and a program that the client executes may have another working directory.
        text.extend_from_slice(b"option=--math-rules=");
        text.extend_from_slice(math_rules::absolute(path)?.as_os_str().as_bytes());
        text.push(b'\n');
        lines += 1;
    }
    // A path with a line break is not worth an error.
    if let Some(path) = kept.filter(|path| !path.as_os_str().as_bytes().contains(&b'\n')) {
        text.extend_from_slice(b"kept-translations=");
        text.extend_from_slice(path.as_os_str().as_bytes());
        text.push(b'\n');
        lines += 1;
    }
    if let Some(files) = recording {
        files.keep_open()?;
        text.extend_from_slice(b"record=");
        text.extend_from_slice(&files.for_engine());
        text.push(b'\n');
        lines += 1;
    }
    if let Some(descriptor) = options.exec_filters_fd {
        text.extend_from_slice(format!("filters-fd={descriptor}\n").as_bytes());
        lines += 1;
    }
    lines += option_words.iter().filter(|word| !is_internal(word)).count();
    if text.iter().filter(|byte| **byte == b'\n').count() != lines {
        return Err(Failure::Option("an option or the path of derivgrind contains a line break".to_string()));
    }
    Ok(CString::new(text).map_err(|_| anyhow!("a command line cannot contain a zero byte"))?)
}

/// Options that the engine sets are about one start and not for the next program.
fn is_internal(word: &OsString) -> bool {
    let bytes = word.as_bytes();
    bytes.starts_with(b"--exec-argv0=")
        || bytes.starts_with(b"--exec-filters-fd=")
        || bytes == b"--exec-in-place"
}

/// Become the engine. Returns only if that failed.
pub fn execute(config: CString, program: Program) -> Failure {
    match try_execute(config, program) {
        Ok(never) => match never {},
        Err(error) => Failure::Tool(error),
    }
}

enum Never {}

fn try_execute(config: CString, program: Program) -> anyhow::Result<Never> {
    check_file_size_limit()?;
    let image = image_in_memory().context("cannot put the engine into memory")?;
    let mut arguments =
        vec![CString::new(ENGINE_NAME)?, config, CString::new(program.path.into_os_string().into_vec())?];
    for word in program.arguments {
        arguments.push(CString::new(word.into_vec())?);
    }
    let mut pointers: Vec<_> = arguments.iter().map(|argument| argument.as_ptr()).collect();
    pointers.push(std::ptr::null());
    // SAFETY: both arrays end with a null pointer and hold strings that outlive the call. `environ` is what this
    // process was started with: nothing in the launcher changes it.
    unsafe {
        libc::fexecve(image.as_raw_fd(), pointers.as_ptr(), environment());
    }
    Err(anyhow!("cannot execute the engine: {}", io::Error::last_os_error()))
}

/// The environment exactly as it was given, also entries that are no `name=value`.
fn environment() -> *const *const libc::c_char {
    extern "C" {
        static environ: *const *const libc::c_char;
    }
    // SAFETY: the C library sets it before `main`, and the launcher has one thread.
    unsafe { environ }
}

/// A file in memory counts against the limit on the size of files, and the kernel would send a signal.
fn check_file_size_limit() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Fsize).current;
    if limit.is_some_and(|limit| limit < IMAGE.len() as u64) {
        bail!(
            "the limit on the size of files (ulimit -f) is below the {} bytes that derivgrind needs",
            IMAGE.len()
        );
    }
    Ok(())
}

/// A file in memory that holds the engine. It is closed when the engine is executed.
fn image_in_memory() -> Result<OwnedFd, Errno> {
    // Kernels before 6.3 do not know EXEC and do not need it.
    let file = match memfd_create(ENGINE_NAME, MemfdFlags::CLOEXEC | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => memfd_create(ENGINE_NAME, MemfdFlags::CLOEXEC)?,
        other => other?,
    };
    let mut rest = IMAGE;
    while !rest.is_empty() {
        match write(&file, rest) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => rest = &rest[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(file)
}
