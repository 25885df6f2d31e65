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

/// Files of all programs together.
const TOTAL_LIMIT: u64 = 256 << 20;

/// Path of the file for `program`; `None` if nothing is kept.
pub fn file(options: &Options, program: &Program) -> Option<PathBuf> {
    // At addresses that are different each time, translations are, too.
    if options.keep_translations == Switch::No || options.aslr == Switch::Yes {
        return None;
    }
    let directory = cache_directory()?.join("derivgrind").join(BUILD);
    let file = directory.join(name(options, program)?);
    if !file.exists() {
        // Not on the way of every start.
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).ok()?;
        make_room(&directory);
    }
    Some(file)
}

/// `XDG_CACHE_HOME` or `~/.cache`, if it can be the user's own.
fn cache_directory() -> Option<PathBuf> {
    let given = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    if given.is_some() {
        return given;
    }
    let home = env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute())?;
    // With another user's home directory, as after `sudo`, files would belong to the wrong user.
    let is_own = fs::metadata(&home).is_ok_and(|home| home.uid() == geteuid().as_raw());
    is_own.then(|| home.join(".cache"))
}

/// What translations depend on that the engine does not compare has a part in the name.
fn name(options: &Options, program: &Program) -> Option<String> {
    let mut hasher = DefaultHasher::new();
    fs::canonicalize(&program.path).ok()?.hash(&mut hasher);
    options.record.is_some().hash(&mut hasher);
    options.math_rules.is_some().hash(&mut hasher);
    [options.vector_shadows.name(), options.math_interception.name(), options.fp_flags.name()]
        .hash(&mut hasher);
    Some(format!("{:016x}", hasher.finish()))
}

/// Removes what has not been used for longest, of other builds, too.
fn make_room(directory: &Path) {
    let builds = directory.parent().map(entries).unwrap_or_default();
    let mut files: Vec<(SystemTime, u64, PathBuf)> = builds
        .iter()
        .flat_map(|build| entries(&build.path()))
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .collect();
    files.sort_unstable_by_key(|(modified, _, _)| std::cmp::Reverse(*modified));
    let mut total = 0;
    for (_, length, path) in files {
        total += length;
        if total > TOTAL_LIMIT {
            let _ = fs::remove_file(path);
        }
    }
    for build in builds.iter().filter(|build| build.path() != directory) {
        // Only if it is empty.
        let _ = fs::remove_dir(build.path());
    }
}

fn entries(directory: &Path) -> Vec<DirEntry> {
    fs::read_dir(directory).map(|entries| entries.flatten().collect()).unwrap_or_default()
}
