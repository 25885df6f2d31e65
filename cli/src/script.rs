//! The first line of a script: `#!interpreter argument`.

use crate::failure::Obstacle;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// As much of a file as the kernel looks at (BINPRM_BUF_SIZE in linux/binfmts.h).
const KERNEL_READS: usize = 256;

/// What the first line of a script says.
#[derive(Debug, PartialEq, Eq)]
pub struct FirstLine {
    pub interpreter: PathBuf,
    /// Everything after the interpreter is one argument, as for the kernel.
    pub argument: Option<OsString>,
}

/// The first line of `file` if it is a script.
pub fn first_line(file: &File) -> Result<Option<FirstLine>, Obstacle> {
    let mut buffer = [0; KERNEL_READS];
    let mut length = 0;
    while length < KERNEL_READS {
        match file.read_at(&mut buffer[length..], length as u64).map_err(Obstacle::Unreadable)? {
            0 => break,
            count => length += count,
        }
    }
    let Some(rest) = buffer[..length].strip_prefix(b"#!") else { return Ok(None) };
    parse(rest).map(Some)
}

fn parse(rest: &[u8]) -> Result<FirstLine, Obstacle> {
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (interpreter, argument) = line.split_at(end);
    if interpreter.is_empty() {
        return Err(Obstacle::NoScriptInterpreter);
    }
    let argument = argument.trim_ascii();
    Ok(FirstLine {
        interpreter: PathBuf::from(OsStr::from_bytes(interpreter)),
        argument: (!argument.is_empty()).then(|| OsStr::from_bytes(argument).to_os_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreter_and_one_argument() {
        let line = parse(b" /usr/bin/env -S  python3 -u \necho").unwrap();
        assert_eq!(line.interpreter, PathBuf::from("/usr/bin/env"));
        assert_eq!(line.argument, Some(OsString::from("-S  python3 -u")));
        assert_eq!(parse(b"/bin/sh").unwrap().argument, None);
        assert!(matches!(parse(b"  \n/bin/sh"), Err(Obstacle::NoScriptInterpreter)));
    }
}
