//! The files of a recording: opened before the client starts, so that what is wrong with them is said first.
//!
//! An earlier recording in the same directory is replaced only when all new files exist.

use crate::failure::Failure;
use crate::options::{Options, Switch, TapeFormat};
use anyhow::{anyhow, Context};
use derivgrind_tape::blocks::BlockWriter;
use derivgrind_tape::file::Tape;
use rustix::fd::{AsRawFd, OwnedFd, RawFd};
use rustix::fs::{memfd_create, open, MemfdFlags, Mode, OFlags};
use rustix::io::fcntl_dupfd_cloexec;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::BufWriter;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const TAPE: &str = "dg-tape";
const INPUTS: &str = "dg-input-indices";
const OUTPUTS: &str = "dg-output-indices";
/// Ends the names of files that are not in place yet.
const NEW: &str = ".new";
/// Descriptors from here on are out of the way of clients.
const FIRST_DESCRIPTOR: RawFd = 512;

/// What the engine needs to know of a recording.
pub struct Files {
    directory: PathBuf,
    /// Tape, inputs, outputs, which stay open in the engine; `None` if it shall create them when there is something to
    /// record.
    opened: Option<[OwnedFd; 3]>,
    ring: u64,
    in_memory: bool,
    /// The tape becomes blocks at the end.
    as_blocks: bool,
}

/// Open the files that `--record` asks for.
pub fn open_files(options: &Options) -> Result<Option<Files>, Failure> {
    let Some(directory) = &options.record else {
        return if options.tape_ring > 0 || options.tape_in_ram == Switch::Yes {
            Err(Failure::Option("--tape-ring and --tape-in-ram need --record=DIR".to_string()))
        } else {
            Ok(None)
        };
    };
    let directory = absolute(directory)?;
    // Most programs that a client executes have nothing to record.
    let later = options.exec_argv0.is_some() && !options.exec_in_place;
    let opened =
        if later {
            None
        } else {
            let created = create(&directory, options.tape_in_ram == Switch::Yes);
            Some(created.map_err(|error| {
                Failure::Tool(anyhow!("cannot record to {}: {error:#}", directory.display()))
            })?)
        };
    Ok(Some(Files {
        directory,
        opened,
        ring: options.tape_ring,
        in_memory: options.tape_in_ram == Switch::Yes,
        as_blocks: options.tape_format == TapeFormat::Blocks,
    }))
}

fn absolute(directory: &Path) -> Result<PathBuf, Failure> {
    let mut name = OsString::from(env::current_dir().context("the working directory is gone")?);
    name.push("/");
    if directory.is_absolute() {
        name.clear();
    }
    name.push(directory);
    Ok(PathBuf::from(name))
}

/// Tape, inputs, outputs.
fn create(directory: &Path, in_memory: bool) -> anyhow::Result<[OwnedFd; 3]> {
    fs::create_dir_all(directory).context("the directory cannot be created")?;
    let mut names = vec![INPUTS, OUTPUTS];
    let mut opened = Vec::new();
    if !in_memory {
        names.insert(0, TAPE);
    }
    for name in &names {
        let path = directory.join(format!("{name}{NEW}"));
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
        let file = open(&path, flags, Mode::from_raw_mode(0o666))
            .with_context(|| format!("{} cannot be written", path.display()))?;
        opened.push(high(&file)?);
    }
    if in_memory {
        let memory = memfd_create(TAPE, MemfdFlags::CLOEXEC).context("no memory file for the tape")?;
        opened.insert(0, high(&memory)?);
    }
    for name in names {
        let (from, to) = (directory.join(format!("{name}{NEW}")), directory.join(name));
        fs::rename(&from, &to).with_context(|| format!("{} cannot be replaced", to.display()))?;
    }
    opened.try_into().map_err(|_| anyhow!("a file is missing"))
}

fn high(file: &OwnedFd) -> anyhow::Result<OwnedFd> {
    fcntl_dupfd_cloexec(file, FIRST_DESCRIPTOR).context("too many open files")
}

/// Replace the tape in a directory, which `descriptor` refers to, by one in the classic layout.
pub fn convert(descriptor: RawFd, directory: &Path) -> Result<(), Failure> {
    let work = || -> anyhow::Result<()> {
        let tape = Tape::open(Path::new(&format!("/proc/self/fd/{descriptor}")))?;
        let path = directory.join(format!("{TAPE}{NEW}"));
        let file =
            fs::File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        let mut writer = BlockWriter::new(BufWriter::new(file))?;
        tape.visit(&mut |recorded| writer.write(recorded))?;
        writer.skip_to(tape.indices())?;
        writer.finish()?;
        fs::rename(&path, directory.join(TAPE)).context("the tape cannot be replaced")
    };
    work().map_err(|error| {
        Failure::Tool(anyhow!(
            "the tape in {} cannot be written as blocks, and stays as it is: {error:#}",
            directory.display()
        ))
    })
}

impl Files {
    /// The value in the engine's configuration, see there.
    pub fn for_engine(&self) -> Vec<u8> {
        let numbers = self.opened.as_ref().map(|files| files.each_ref().map(AsRawFd::as_raw_fd));
        let [tape, inputs, outputs] = numbers.unwrap_or([-1; 3]);
        let flags = [(self.in_memory, 'm'), (self.as_blocks, 'b')];
        let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, letter)| *letter).collect();
        let mut text = format!("{tape},{inputs},{outputs},{},{flags},", self.ring).into_bytes();
        text.extend_from_slice(self.directory.as_os_str().as_bytes());
        text
    }

    /// Let the engine inherit the descriptors.
    pub fn keep_open(&self) -> anyhow::Result<()> {
        for file in self.opened.iter().flatten() {
            rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty()).context("cannot hand a file on")?;
        }
        Ok(())
    }
}
