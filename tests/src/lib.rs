//! Guests: small programs that the tests compile and run, natively and under derivgrind.
//!
//! A guest is one file in `guests`. It is compiled once for each set of options into the target directory, and again
//! when a source is newer. Every run has a time limit after which its process group is killed: a hang is a failure, not
//! a stuck test.

mod compile;
pub mod guests;
pub mod installation;
pub mod lines;
pub mod python;
pub mod random_programs;
mod run;
pub mod tapes;

pub use compile::{compile, copied, library_of_unrelated_input, rust_program, Language, Program};
pub use run::{
    active_by_preload, assert_same, derivgrind, hide_avx512, launcher, native, run, run_for, same_as_native,
    same_with_shadows, Finished, Phase, Shadows,
};

use std::path::PathBuf;

/// Are the long forms of tests wanted?
pub fn full() -> bool {
    std::env::var_os("DERIVGRIND_FULL_TESTS").is_some()
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().expect("the repository is there").join(path)
}

/// Where compiled guests and other products of tests lie.
pub fn scratch() -> PathBuf {
    // Tests lie in target/PROFILE/deps.
    let test = std::env::current_exe().expect("tests know where they are");
    let directory = test.ancestors().nth(3).expect("tests lie in a target directory").join("guests");
    std::fs::create_dir_all(&directory).expect("the target directory can be written");
    directory
}

/// Does the processor have what shadows in registers need?
pub fn has_avx512() -> bool {
    let features = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    ["avx512f", "avx512vl", "avx512bw", "avx512dq"].iter().all(|feature| features.contains(feature))
}

/// Call `work` for all items, two at a time, and collect what goes wrong, so that one failure does not hide others.
pub fn each<T: Sync>(items: &[T], work: impl Fn(&T) -> Result<(), String> + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failures = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| loop {
                let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some(item) = items.get(index) else {
                    break;
                };
                if let Err(failure) = work(item) {
                    failures.lock().expect("no worker panics while it holds the lock").push(failure);
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no worker panics while it holds the lock");
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), items.len(), failures.join("\n"));
}
