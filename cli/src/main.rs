//! The launcher: `derivgrind [options] [--] program [args]`.
//!
//! The launcher and the engine are two programs, because they need opposite things. The engine lives in the client's
//! process: it must be static, without a C library, and linked where no client and no shadow memory is. Parsing
//! options, explaining what is wrong with a program, and reading debug information need a comfortable library. So the
//! launcher does everything that can be said before the client starts, then executes the engine, whose image it
//! carries in itself. The process id, the descriptors and the environment stay as they are.
//!
//! The engine comes back to the launcher in two cases. When a traced client executes another program, the engine
//! executes the launcher with the original options, and `--exec-argv0` for the name that the client chose. And when
//! active values met something that is not differentiated, it starts the launcher once the client has ended:
//! `--report-from-fd` names the descriptor with the addresses to be explained.
//!
//! Invariants:
//! - Nothing of the client's surroundings changes. In particular the run-time system of Rust's standard library, which
//!   ignores SIGPIPE and opens closed standard descriptors, does not start: `main` is C's.
//! - Whatever goes wrong before the client starts is one sentence on stderr (or in the log) and one of the three exit
//!   statuses of [`failure`].
#![cfg_attr(not(test), no_main)]

mod defaults;
mod elf_file;
mod engine_image;
mod failure;
mod functions;
mod generate;
mod kept_translations;
mod log;
mod math_rules;
mod options;
mod processor;
mod program;
mod recording;
mod report;
mod script;
mod symbols;
mod unavailable;

use failure::Failure;
use log::Log;
use options::Options;
use std::ffi::OsString;

/// Entry point without the initialisation of Rust's standard library, see the invariants above.
#[cfg(not(test))]
#[no_mangle]
pub extern "C" fn main(_count: libc::c_int, _arguments: *const *const libc::c_char) -> libc::c_int {
    launch(std::env::args_os().skip(1).collect())
}

/// Returns an exit status; does not return if the engine takes over.
#[cfg_attr(test, allow(dead_code))]
fn launch(words: Vec<OsString>) -> i32 {
    let (option_words, program_words) = options::split(words);
    let mut log = Log::to_stderr();
    match start(&option_words, program_words, &mut log) {
        Ok(()) => 0,
        Err(failure) => {
            log.line(&failure);
            failure.status()
        }
    }
}

fn start(option_words: &[OsString], program_words: Vec<OsString>, log: &mut Log) -> Result<(), Failure> {
    let options = match options::parse(&defaults::read()?, option_words)? {
        options::Parsed::Run(options) => options,
        options::Parsed::Show(text) => {
            log::show(&text);
            return Ok(());
        }
    };
    if let Some(descriptor) = options.report_from_fd {
        return explain(descriptor, &options, log);
    }
    if let Some(path) = &options.log_file {
        log.redirect(path, &options)?;
    }
    run(&options, option_words, program_words, log)
}

/// The client has ended.
fn explain(descriptor: i32, options: &Options, log: &mut Log) -> Result<(), Failure> {
    let is_redirected = options.log_file.as_ref().is_some_and(|path| log.redirect(path, options).is_ok());
    if let (false, Some(descriptor)) = (is_redirected, options.report_log_fd) {
        log.continue_at(descriptor);
    }
    report::print(descriptor, options, log)?;
    match (options.convert_tape_from_fd, &options.convert_tape_in) {
        (Some(tape), Some(directory)) => recording::convert(tape, directory),
        _ => Ok(()),
    }
}

fn run(
    options: &Options,
    option_words: &[OsString],
    program_words: Vec<OsString>,
    log: &mut Log,
) -> Result<(), Failure> {
    processor::check(options.vector_shadows)?;
    let program = program::find(program_words, options.exec_argv0.clone())?;
    if let Some(script) = &program.script {
        let told = if options.exec_argv0.is_some() { options.is_verbose() } else { !options.is_quiet() };
        if told {
            log.line(&format!(
                "{} is a script; its interpreter {} runs under derivgrind",
                script.display(),
                program.path.display()
            ));
        }
    }
    let log_descriptor = log.for_engine()?;
    let recording = recording::open_files(options)?;
    let rules = options.math_rules.as_deref().map(math_rules::read).transpose()?.unwrap_or_default();
    let kept = kept_translations::file(options, &program);
    let parts = engine_image::Parts { log_descriptor, recording: recording.as_ref(), rules: &rules, kept };
    let config = engine_image::config(options, option_words, parts)?;
    Err(engine_image::execute(config, program))
}
