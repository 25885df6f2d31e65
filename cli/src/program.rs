//! Finds the program that the user named and makes sure that it can be run, before anything of it runs.

use crate::elf_file;
use crate::failure::{Failure, Obstacle};
use crate::script;
use rustix::fs::{accessat, Access, AtFlags, CWD};
use rustix::process::{getegid, geteuid};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A program that passed all checks.
pub struct Program {
    /// The ELF file to be loaded, in the form in which it would be given to `execve`.
    pub path: PathBuf,
    /// argv, from argv[0] on.
    pub arguments: Vec<OsString>,
    /// The script that `path` is the interpreter of.
    pub script: Option<PathBuf>,
}

/// Longest chain of scripts that are each other's interpreter, as in the kernel.
const DEEPEST_SCRIPT: usize = 5;

/// Find the program that the words of the command line start.
///
/// `exec_argv0` is set if a traced client executes the program: then there is no search in PATH, and argv[0] is this.
pub fn find(mut words: Vec<OsString>, exec_argv0: Option<OsString>) -> Result<Program, Failure> {
    if words.is_empty() {
        return Err(Failure::Option(
            "no program was named; usage: derivgrind [options] [--] program [arguments]".to_string(),
        ));
    }
    let named = words[0].clone();
    let path = match &exec_argv0 {
        Some(_) => existing(Path::new(&named))?,
        None => look_up(&named)?,
    };
    if let Some(argv0) = exec_argv0 {
        words[0] = argv0;
    }
    resolve(path, words)
}

/// Follow scripts to the ELF program that interprets them.
fn resolve(named: PathBuf, words: Vec<OsString>) -> Result<Program, Failure> {
    let refuse = |reason| Failure::CannotExecute { path: named.clone(), reason };
    let mut path = named.clone();
    let mut arguments = words;
    let mut script = None;
    for _ in 0..=DEEPEST_SCRIPT {
        match examine(&path) {
            Ok(Format::Elf) => return Ok(Program { path, arguments, script }),
            Ok(Format::Script(line)) => {
                // As the kernel does: interpreter, its argument, path of the script, arguments without argv[0].
                let mut next = vec![line.interpreter.clone().into_os_string()];
                next.extend(line.argument);
                next.push(path.clone().into_os_string());
                next.extend(arguments.drain(1..));
                arguments = next;
                script = script.or(Some(path));
                if !line.interpreter.exists() {
                    return Err(refuse(Obstacle::ScriptInterpreterMissing(line.interpreter)));
                }
                path = line.interpreter;
            }
            Err(obstacle) if script.is_none() => return Err(refuse(obstacle)),
            Err(obstacle) => {
                return Err(refuse(Obstacle::BadScriptInterpreter { path, reason: Box::new(obstacle) }))
            }
        }
    }
    Err(refuse(Obstacle::ScriptsTooDeep))
}

/// What a file that can be executed is.
enum Format {
    Elf,
    Script(script::FirstLine),
}

fn examine(path: &Path) -> Result<Format, Obstacle> {
    let metadata = fs::metadata(path).map_err(Obstacle::Unreadable)?;
    if metadata.is_dir() {
        return Err(Obstacle::Directory);
    }
    if !metadata.is_file() {
        return Err(Obstacle::NotAFile);
    }
    if !is_executable(path) {
        return Err(Obstacle::NotExecutable);
    }
    if changes_user(&metadata) {
        return Err(Obstacle::ChangesUser);
    }
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => Obstacle::NotReadable,
        _ => Obstacle::Unreadable(error),
    })?;
    match script::first_line(&file)? {
        Some(line) => Ok(Format::Script(line)),
        None => elf_file::check_program(file).map(|()| Format::Elf),
    }
}

/// For the effective user: only the kernel knows all that decides this.
fn is_executable(path: &Path) -> bool {
    accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

/// True if executing the file natively would change the effective user or group.
fn changes_user(metadata: &fs::Metadata) -> bool {
    const SET_USER: u32 = 0o4000;
    const SET_GROUP_OF_EXECUTABLE: u32 = 0o2010;
    let mode = metadata.permissions().mode();
    let user = mode & SET_USER != 0 && metadata.uid() != geteuid().as_raw();
    let group =
        mode & SET_GROUP_OF_EXECUTABLE == SET_GROUP_OF_EXECUTABLE && metadata.gid() != getegid().as_raw();
    user || group
}

/// Search as `execvp` does: words with a slash are paths, others are looked for in PATH, and a file that may not be
/// executed does not end the search.
fn look_up(name: &OsStr) -> Result<PathBuf, Failure> {
    if name.as_bytes().contains(&b'/') {
        return existing(Path::new(name));
    }
    let search_path = env::var_os("PATH").unwrap_or_else(|| OsString::from("/bin:/usr/bin"));
    let mut not_executable = None;
    for directory in env::split_paths(&search_path) {
        let directory = if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory };
        let candidate = directory.join(name);
        if !candidate.is_file() {
            continue;
        }
        if is_executable(&candidate) {
            return Ok(candidate);
        }
        not_executable.get_or_insert(candidate);
    }
    match not_executable {
        Some(path) => Err(Failure::CannotExecute { path, reason: Obstacle::NotExecutable }),
        None => Err(Failure::NotInPath(PathBuf::from(name))),
    }
}

fn existing(path: &Path) -> Result<PathBuf, Failure> {
    match fs::metadata(path) {
        Ok(_) => Ok(path.to_path_buf()),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Err(Failure::NoSuchFile(path.to_path_buf())),
            _ => {
                Err(Failure::CannotExecute { path: path.to_path_buf(), reason: Obstacle::Unreadable(error) })
            }
        },
    }
}
