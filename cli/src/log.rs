//! The tool's own words: lines with the prefix `==PID==` on stderr or in a log file.

use crate::failure::Failure;
use crate::options::Options;
use anyhow::{anyhow, Context};
use rustix::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use rustix::io::{fcntl_dupfd_cloexec, fcntl_setfd, write, Errno, FdFlags};
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The engine's copy of the log descriptor is moved here, out of the way of the client: programs close, duplicate and
/// compare low descriptor numbers.
const LOWEST_ENGINE_DESCRIPTOR: RawFd = 200;

/// Where lines go, and the process that they are about.
pub struct Log {
    file: Option<File>,
    process: u32,
}

impl Log {
    pub fn to_stderr() -> Log {
        Log { file: None, process: std::process::id() }
    }

    /// Go on in the file that `--log-file` names.
    pub fn redirect(&mut self, pattern: &Path, options: &Options) -> Result<(), Failure> {
        if let Some(process) = options.report_pid {
            self.process = process;
        }
        let path = expand(pattern, self.process);
        // A report and a program that a traced client executes go on in the log that the process has begun.
        let continues = options.report_from_fd.is_some() || options.exec_argv0.is_some();
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write the log file {}", path.display()))?;
        if !continues {
            // Pipes and terminals cannot be truncated and need not be.
            let _ = file.set_len(0);
        }
        self.file = Some(file);
        Ok(())
    }

    /// Go on where the engine's own lines went.
    pub fn continue_at(&mut self, descriptor: RawFd) {
        // SAFETY: the engine has kept it open for this.
        self.file = Some(unsafe { File::from_raw_fd(descriptor) });
    }

    /// Say that the following lines are about another process.
    pub fn about_process(&mut self, process: u32) {
        self.process = process;
    }

    /// Write one line.
    pub fn line(&self, words: &dyn Display) {
        let mut text = String::new();
        for line in words.to_string().lines() {
            text += &format!("=={}== {line}\n", self.process);
        }
        // A line that cannot be written, because stderr is closed or a disk is full, must not stop the client.
        let _ = match &self.file {
            Some(file) => write_all(file, text.as_bytes()),
            None => write_all(rustix::stdio::stderr(), text.as_bytes()),
        };
    }

    /// A high descriptor for the engine that stays open when it is executed.
    pub fn for_engine(&self) -> Result<RawFd, Failure> {
        let duplicate = match &self.file {
            Some(file) => duplicate_high(file),
            None => duplicate_high(rustix::stdio::stderr()),
        };
        let descriptor = match duplicate {
            // The client was started without stderr.
            Err(Errno::BADF) => duplicate_high(File::create("/dev/null").context("cannot open /dev/null")?),
            other => other,
        }
        .map_err(|error| anyhow!("cannot duplicate the descriptor of the log: {error}"))?;
        fcntl_setfd(&descriptor, FdFlags::empty()).context("cannot keep the log open for the engine")?;
        let number = descriptor.as_raw_fd();
        // It now belongs to the engine.
        std::mem::forget(descriptor);
        Ok(number)
    }
}

fn duplicate_high(descriptor: impl rustix::fd::AsFd) -> Result<OwnedFd, Errno> {
    // With `ulimit -n` below 200 there is no high descriptor; the highest possible ones come next.
    let lower = [LOWEST_ENGINE_DESCRIPTOR, 100, 50, 10, 3];
    let mut outcome = Err(Errno::INVAL);
    for lowest in lower {
        outcome = fcntl_dupfd_cloexec(&descriptor, lowest);
        if !matches!(outcome, Err(Errno::INVAL | Errno::MFILE)) {
            break;
        }
    }
    outcome
}

fn write_all(descriptor: impl rustix::fd::AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match write(&descriptor, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Print help or the version.
pub fn show(text: &str) {
    let _ = write_all(rustix::stdio::stdout(), text.as_bytes());
}

/// Replace `%p` by the process id and `%%` by `%`.
fn expand(pattern: &Path, process: u32) -> PathBuf {
    let mut expanded = Vec::new();
    let mut rest = pattern.as_os_str().as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match (byte, tail.first()) {
            (b'%', Some(b'p')) => {
                expanded.extend_from_slice(process.to_string().as_bytes());
                &tail[1..]
            }
            (b'%', Some(b'%')) => {
                expanded.push(b'%');
                &tail[1..]
            }
            _ => {
                expanded.push(byte);
                tail
            }
        };
    }
    PathBuf::from(std::ffi::OsString::from_vec(expanded))
}

#[cfg(test)]
mod tests {
    use super::expand;
    use std::path::Path;

    #[test]
    fn process_id_in_the_name_of_the_log() {
        assert_eq!(expand(Path::new("log.%p"), 17), Path::new("log.17"));
        assert_eq!(expand(Path::new("100%%/%p-%p%"), 5), Path::new("100%/5-5%"));
        assert_eq!(expand(Path::new("plain"), 5), Path::new("plain"));
    }
}
