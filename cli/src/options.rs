//! The command line. Options are `--name=value`; the first word that is no option starts the client.

use crate::defaults::Source;
use crate::failure::Failure;
use crate::generate::Document;
use crate::unavailable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, ValueEnum};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Differentiate a compiled program while it runs.
///
/// Derivgrind runs PROGRAM and propagates the dot values (directional derivatives) of its floating-point variables.
/// The program declares inputs and reads derivatives with the macros of derivgrind.h or the functions of the Rust
/// crate derivgrind. Defaults are read from ~/.derivgrindrc and from the environment variable DERIVGRIND_OPTS.
///
/// Exit status: that of PROGRAM, or 125 if derivgrind fails, 126 if PROGRAM cannot be executed, 127 if it is not found.
#[derive(Debug, Parser)]
#[command(
    name = "derivgrind",
    bin_name = "derivgrind",
    version,
    override_usage = "derivgrind [OPTIONS] [--] PROGRAM [ARGUMENTS]",
    args_override_self = true,
    disable_help_subcommand = true
)]
pub struct Options {
    /// Where the shadows of vector registers live: `registers` is faster and hides AVX-512 from the program, `memory`
    /// shows it what the processor has.
    #[arg(long, value_enum, value_name = "PLACE", require_equals = true, default_value_t = VectorShadows::Auto)]
    pub vector_shadows: VectorShadows,

    /// Run programs that PROGRAM starts with exec under derivgrind, too.
    #[arg(
        long,
        value_enum,
        value_name = "yes|no",
        require_equals = true,
        num_args = 0..=1,
        hide_possible_values = true,
        default_value_t = Switch::No,
        default_missing_value = "yes"
    )]
    pub trace_children: Switch,

    /// Place the program's memory at other addresses in each run, as natively; by default they are the same.
    #[arg(
        long,
        value_enum,
        value_name = "yes|no",
        require_equals = true,
        num_args = 0..=1,
        hide_possible_values = true,
        default_value_t = Switch::No,
        default_missing_value = "yes"
    )]
    pub aslr: Switch,

    /// Keep translated code in ~/.cache/derivgrind, so that the next run of PROGRAM starts faster.
    #[arg(
        long,
        value_enum,
        value_name = "yes|no",
        require_equals = true,
        num_args = 0..=1,
        hide_possible_values = true,
        default_value_t = Switch::Yes,
        default_missing_value = "yes"
    )]
    pub keep_translations: Switch,

    /// What arithmetic with dot values does to the program's floating-point flags: with `fast` a dot value that is
    /// infinite or no number may leave its mark there, with `exact` they are as they would be without derivgrind.
    #[arg(long, value_enum, value_name = "fast|exact", require_equals = true, hide_possible_values = true, default_value_t = FloatFlags::Fast)]
    pub fp_flags: FloatFlags,

    /// Give functions of mathematics libraries derivatives of their own; `no` leaves them to the rules of their
    /// instructions.
    #[arg(
        long,
        value_enum,
        value_name = "yes|no",
        require_equals = true,
        num_args = 0..=1,
        hide_possible_values = true,
        default_value_t = Switch::Yes,
        default_missing_value = "yes"
    )]
    pub math_interception: Switch,

    /// Read derivatives of more functions from FILE, see docs/math.md.
    #[arg(long, value_name = "FILE", require_equals = true)]
    pub math_rules: Option<PathBuf>,

    /// Write derivgrind's own words to FILE instead of stderr; %p stands for the process id.
    #[arg(long, value_name = "FILE", require_equals = true)]
    pub log_file: Option<PathBuf>,

    /// Record every real operation to a tape in DIR, for `tape-evaluation DIR`.
    #[arg(long, value_name = "DIR", require_equals = true)]
    pub record: Option<PathBuf>,

    /// How the tape is written: `columns` is small, `blocks` has the classic 32 bytes for each operation.
    #[arg(long, value_enum, value_name = "FORMAT", require_equals = true, default_value_t = TapeFormat::Columns)]
    pub tape_format: TapeFormat,

    /// Keep the tape in memory, and throw it away at the end: for measurements.
    #[arg(
        long,
        value_enum,
        value_name = "yes|no",
        require_equals = true,
        num_args = 0..=1,
        hide_possible_values = true,
        default_value_t = Switch::No,
        default_missing_value = "yes"
    )]
    pub tape_in_ram: Switch,

    /// Keep only the last BYTES of each thread's tape: for measurements.
    #[arg(long, value_name = "BYTES", require_equals = true, default_value_t = 0, hide_default_value = true)]
    pub tape_ring: u64,

    /// Print only errors.
    #[arg(short, long, overrides_with = "verbose")]
    quiet: bool,

    /// Print more detail.
    #[arg(short, long, overrides_with = "quiet")]
    verbose: bool,

    /// Print the man page, or completions for a shell.
    #[arg(long, value_enum, value_name = "DOCUMENT", require_equals = true)]
    generate: Option<Document>,

    /// The engine sets this when a traced client executes a program: the argv[0] that the client chose.
    #[arg(long, hide = true, require_equals = true)]
    pub exec_argv0: Option<OsString>,

    /// The engine sets this with `--exec-argv0` if the program takes the place of one that has recorded nothing.
    #[arg(long, hide = true)]
    pub exec_in_place: bool,

    /// The engine sets this with `--exec-argv0` if the client has filters for system calls: the descriptor with them.
    #[arg(long, hide = true, require_equals = true)]
    pub exec_filters_fd: Option<i32>,

    /// The engine sets this when the client has ended: the descriptor with the sites to be explained.
    #[arg(long, hide = true, require_equals = true)]
    pub report_from_fd: Option<i32>,

    /// The engine sets this at the end of a recording: the descriptor of the tape that becomes blocks.
    #[arg(long, hide = true, require_equals = true)]
    pub convert_tape_from_fd: Option<i32>,

    /// The directory of that tape.
    #[arg(long, hide = true, require_equals = true)]
    pub convert_tape_in: Option<PathBuf>,

    /// The process that a report is about.
    #[arg(long, hide = true, require_equals = true)]
    pub report_pid: Option<u32>,

    /// Where a report goes if there is no log file: the client may have closed or redirected its own stderr.
    #[arg(long, hide = true, require_equals = true)]
    pub report_log_fd: Option<i32>,
}

/// Where the shadows of vector registers live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VectorShadows {
    /// In registers if the processor has AVX-512 and the program does not use it, else in memory.
    Auto,
    /// In zmm16 to zmm31.
    Registers,
    /// In memory slots.
    Memory,
    /// In memory slots, as on a processor without AVX, which the program does not see either: for tests.
    #[value(hide = true)]
    MemorySse2,
}

impl VectorShadows {
    /// The word on the command line and in the engine's configuration.
    pub fn name(self) -> &'static str {
        match self {
            VectorShadows::Auto => "auto",
            VectorShadows::Registers => "registers",
            VectorShadows::Memory => "memory",
            VectorShadows::MemorySse2 => "memory-sse2",
        }
    }
}

/// What shadow arithmetic does to floating-point flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FloatFlags {
    /// It runs under the program's control word, unless that has unmasked an exception or does not round to nearest.
    Fast,
    /// It runs under a control word of its own.
    Exact,
}

impl FloatFlags {
    /// The word on the command line and in the engine's configuration.
    pub fn name(self) -> &'static str {
        match self {
            FloatFlags::Fast => "fast",
            FloatFlags::Exact => "exact",
        }
    }
}

/// How a tape is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TapeFormat {
    /// Executions of structures, see docs/tape.md.
    Columns,
    /// The classic layout: written when the program ends.
    Blocks,
}

/// Value of a boolean option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    Yes,
    No,
}

impl Switch {
    pub fn name(self) -> &'static str {
        match self {
            Switch::Yes => "yes",
            Switch::No => "no",
        }
    }
}

impl Options {
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// The word in the engine's configuration.
    pub fn verbosity(&self) -> &'static str {
        match (self.is_quiet(), self.is_verbose()) {
            (true, _) => "quiet",
            (false, true) => "verbose",
            (false, false) => "normal",
        }
    }
}

/// What the options ask for.
pub enum Parsed {
    Run(Options),
    /// Help, version or a document, to be printed to stdout.
    Show(String),
}

/// Part the words of a command line into options and the client's words.
pub fn split(words: Vec<OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let is_option = |word: &OsStr| word.len() > 1 && word.as_encoded_bytes()[0] == b'-';
    let count = words.iter().take_while(|word| is_option(word) && *word != "--").count();
    let mut options = words;
    let mut program = options.split_off(count);
    if program.first().is_some_and(|word| word == "--") {
        program.remove(0);
    }
    (options, program)
}

/// Parse default options and those of the command line, which override them.
pub fn parse(defaults: &[Source], command_line: &[OsString]) -> Result<Parsed, Failure> {
    for source in defaults {
        parse_words(&source.words)
            .map_err(|sentence| Failure::Option(format!("{sentence} (in {})", source.name)))?;
    }
    // On its own first: what is wrong here must not be blamed on a combination.
    parse_words(command_line).map_err(Failure::Option)?;
    let mut all: Vec<OsString> = Vec::new();
    for source in defaults {
        all.extend_from_slice(&source.words);
    }
    all.extend_from_slice(command_line);
    parse_words(&all).map_err(Failure::Option)
}

fn parse_words(words: &[OsString]) -> Result<Parsed, String> {
    for word in words {
        let text = word.to_string_lossy();
        if !text.starts_with('-') {
            return Err(format!("`{text}` is not an option"));
        }
        if let Some(refusal) = unavailable::refusal(&text) {
            return Err(refusal);
        }
    }
    let name = OsString::from("derivgrind");
    match Options::try_parse_from(std::iter::once(&name).chain(words)) {
        Ok(options) => Ok(match options.generate {
            Some(document) => Parsed::Show(document.text("derivgrind", Options::command())),
            None => Parsed::Run(options),
        }),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(Parsed::Show(error.to_string())),
            _ => Err(sentence(&error)),
        },
    }
}

/// One sentence instead of the several paragraphs of the parser.
fn sentence(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    // The parser names an argument as in `--log-file=<FILE>`; the user typed what stands before `=`.
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let name = argument.split(['=', '[']).next().unwrap_or_default().trim().trim_end_matches('.');
    match error.kind() {
        ErrorKind::UnknownArgument => match context(ContextKind::SuggestedArg) {
            Some(suggestion) => format!("unknown option {name}; did you mean {suggestion}?"),
            None => format!("unknown option {name}; `derivgrind --help` lists the options"),
        },
        ErrorKind::InvalidValue => {
            let value = context(ContextKind::InvalidValue).unwrap_or_default();
            let valid = context(ContextKind::ValidValue).unwrap_or_default();
            match (value.is_empty(), valid.is_empty()) {
                (true, true) => format!("{name} needs a value, as in {argument}"),
                (true, false) => format!("{name} needs a value: one of {valid}"),
                (false, true) => format!("`{value}` is no value for {name}"),
                (false, false) => format!("`{value}` is no value for {name}, which takes one of {valid}"),
            }
        }
        ErrorKind::NoEquals => format!("{name} needs a value, as in {argument}"),
        ErrorKind::TooManyValues => format!("{name} takes no value"),
        ErrorKind::ValueValidation => {
            format!("`{}` is no value for {name}", context(ContextKind::InvalidValue).unwrap_or_default())
        }
        _ => error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    fn options(text: &str) -> Options {
        match parse(&[], &words(text)) {
            Ok(Parsed::Run(options)) => options,
            Ok(Parsed::Show(_)) => panic!("{text} shows something"),
            Err(failure) => panic!("{text}: {failure}"),
        }
    }

    fn refused(text: &str) -> String {
        match parse(&[], &words(text)) {
            Err(failure) => {
                assert_eq!(failure.status(), 125);
                failure.to_string()
            }
            Ok(_) => panic!("{text} was accepted"),
        }
    }

    #[test]
    fn definition_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn first_word_that_is_no_option_starts_the_client() {
        let (options, program) = split(words("-q --trace-children ls -l --color"));
        assert_eq!(options, words("-q --trace-children"));
        assert_eq!(program, words("ls -l --color"));
        let (options, program) = split(words("-q -- -odd -- x"));
        assert_eq!(options, words("-q"));
        assert_eq!(program, words("-odd -- x"));
    }

    #[test]
    fn booleans_may_stand_bare() {
        assert_eq!(options("").trace_children, Switch::No);
        assert_eq!(options("--trace-children").trace_children, Switch::Yes);
        assert_eq!(options("--trace-children=yes").trace_children, Switch::Yes);
        assert_eq!(options("--trace-children --trace-children=no").trace_children, Switch::No);
    }

    #[test]
    fn command_line_overrides_defaults() {
        let defaults = [Source { name: "test".into(), words: words("--vector-shadows=memory -q") }];
        let Ok(Parsed::Run(merged)) = parse(&defaults, &words("--vector-shadows=auto -v")) else { panic!() };
        assert_eq!(merged.vector_shadows, VectorShadows::Auto);
        assert_eq!(merged.verbosity(), "verbose");
    }

    #[test]
    fn mistakes_are_one_sentence() {
        assert_eq!(
            refused("--trace-childern=yes"),
            "unknown option --trace-childern; did you mean --trace-children?"
        );
        assert_eq!(refused("--xyzzy"), "unknown option --xyzzy; `derivgrind --help` lists the options");
        assert_eq!(
            refused("--vector-shadows=zmm"),
            "`zmm` is no value for --vector-shadows, which takes one of auto, registers, memory"
        );
        assert_eq!(refused("--log-file"), "--log-file needs a value, as in --log-file=<FILE>");
        assert_eq!(
            refused("--trace-children=maybe"),
            "`maybe` is no value for --trace-children, which takes one of yes, no"
        );
        assert_eq!(refused("--quiet=yes"), "--quiet takes no value");
    }

    #[test]
    fn mistakes_in_defaults_name_their_source() {
        let defaults = [Source { name: "DERIVGRIND_OPTS".into(), words: words("--xyzzy") }];
        let Err(failure) = parse(&defaults, &[]) else { panic!() };
        assert!(failure.to_string().ends_with("(in DERIVGRIND_OPTS)"), "{failure}");
    }
}
