//! Where the engine keeps the translations of a program for its next run.
//!
//! Each program has a file in `derivgrind` in the user's cache directory, under a name of this build of the engine. The
//! engine reads and replaces the file; what is here chooses it, makes the directory, and takes care that it does not
//! grow without bounds. Whatever goes wrong, nothing is kept, and nothing is said: it only takes longer.

use crate::options::{Options, Switch};
use crate::program::Program;
use rustix::process::geteuid;
use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs::{self, DirBuilder, DirEntry};
use std::hash::{Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A number of the engine's image: translations of another build are of no use.
const BUILD: &str = env!("DERIVGRIND_ENGINE_BUILD");

/// Files of all programs together, before another one is written: that makes 256 MB at most.
const TOTAL_LIMIT: u64 = 192 << 20;

/// Path of the file for `program`; `None` if nothing is kept.
pub fn file(options: &Options, program: &Program) -> Option<PathBuf> {
    // At addresses that are different each time, translations are, too.
    if options.keep_translations == Switch::No || options.aslr == Switch::Yes {
        return None;
    }
    let all_builds = cache_directory()?.join("derivgrind");
    let directory = all_builds.join(BUILD);
    let file = directory.join(name(options, program)?);
    if !file.exists() {
        // Not on the way of every start.
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).ok()?;
        if is_own(&all_builds) && is_own(&directory) {
            make_room(&all_builds);
        }
    }
    // Whoever can write there can make the user execute what he likes.
    (is_own(&all_builds) && is_own(&directory)).then_some(file)
}

/// `XDG_CACHE_HOME` or `~/.cache`, if it is the user's own.
fn cache_directory() -> Option<PathBuf> {
    let path = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // With another user's home directory, as after `sudo`, files would belong to the wrong user.
    let is_users = |path: &PathBuf| fs::metadata(path).is_ok_and(|directory| directory.uid() == user());
    match path("XDG_CACHE_HOME") {
        Some(given) => Some(given).filter(|given| is_users(given) || !given.exists()),
        None => path("HOME").filter(is_users).map(|home| home.join(".cache")),
    }
}

fn user() -> u32 {
    geteuid().as_raw()
}

/// Is this a directory, not a link to one, which nobody but the user can write?
fn is_own(path: &Path) -> bool {
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    fs::symlink_metadata(path).is_ok_and(|metadata| {
        metadata.is_dir() && metadata.uid() == user() && metadata.mode() & WRITABLE_BY_OTHERS == 0
    })
}

/// A number of the program and of the options on which translations depend: runs with other ones would replace the file
/// by turns.
fn name(options: &Options, program: &Program) -> Option<String> {
    let mut hasher = DefaultHasher::new();
    fs::canonicalize(&program.path).ok()?.hash(&mut hasher);
    options.record.is_some().hash(&mut hasher);
    options.math_rules.is_some().hash(&mut hasher);
    [options.vector_shadows.name(), options.math_interception.name(), options.fp_flags.name()]
        .hash(&mut hasher);
    Some(format!("{:016x}", hasher.finish()))
}

/// Removes what has not been written for longest, of other builds, too.
fn make_room(all_builds: &Path) {
    let builds =
        entries(all_builds, |entry| is_number(entry) && entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut files = Vec::new();
    for build in &builds {
        // Those that are being written have the number of a process behind a dot.
        for file in entries(&build.path(), |entry| entry.file_type().is_ok_and(|kind| kind.is_file())) {
            if let (true, Ok(metadata)) = (is_number(&file), file.metadata()) {
                files.push((
                    metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                    metadata.len(),
                    file.path(),
                ));
            }
        }
    }
    files.sort_unstable_by_key(|(modified, _, _)| std::cmp::Reverse(*modified));
    let mut total = 0;
    for (_, length, path) in files {
        total += length;
        if total > TOTAL_LIMIT {
            let _ = fs::remove_file(path);
        }
    }
    for build in builds.iter().filter(|build| build.file_name() != BUILD) {
        // Only if it is empty.
        let _ = fs::remove_dir(build.path());
    }
}

fn entries(directory: &Path, wanted: impl Fn(&DirEntry) -> bool) -> Vec<DirEntry> {
    fs::read_dir(directory).map(|entries| entries.flatten().filter(wanted).collect()).unwrap_or_default()
}

/// Is the name one that derivgrind gives, up to a dot?
fn is_number(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_str().and_then(|name| name.split('.').next()).unwrap_or_default();
    name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
