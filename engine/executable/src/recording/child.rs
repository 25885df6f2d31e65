//! A forked child records into a directory of its own, beginning with what its parent had recorded, and a program
//! that it executes into an empty one.
//!
//! Most children execute another program at once, and most programs have nothing to record, so nothing is done before
//! the first record. Until then a forked child has the parent's file open; what had been written before the fork does
//! not change any more, and the child writes nothing to it.

use super::{indices, tape};
use crate::call;
use crate::config;
use crate::lock::Mutex;
use crate::print;
use crate::sys::{self, kernel};
use crate::threads::Thread;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

/// The files are still the parent's, or do not exist.
static WITHOUT: AtomicBool = AtomicBool::new(false);
/// Lengths at the fork: tape, inputs, outputs.
static LENGTHS: Mutex<[u64; 3]> = Mutex::new([0; 3]);

/// The process has a directory of its own.
static OWN: AtomicBool = AtomicBool::new(false);

/// Does the process have no files of its own yet?
pub fn has_no_files() -> bool {
    WITHOUT.load(Ordering::SeqCst)
}

/// Is this the process that the launcher created the files for?
pub fn is_first() -> bool {
    !has_no_files() && !OWN.load(Ordering::SeqCst)
}

/// The program starts without files.
pub fn create_later() {
    tape::keep_structures();
    WITHOUT.store(true, Ordering::SeqCst);
}

/// The directory of this process's tape.
pub fn directory(configured: &str) -> String {
    if OWN.load(Ordering::SeqCst) {
        format!("{configured}.{}", sys::process_id())
    } else {
        configured.into()
    }
}

/// The child lets go of what it would share with its parent.
pub fn detach(thread: &Thread) {
    thread.recorder.lock().leave_to_parent();
    *LENGTHS.lock() = [tape::length(), indices::length(0), indices::length(1)];
    tape::keep_structures();
    WITHOUT.store(true, Ordering::SeqCst);
}

/// Makes sure that the files belong to this process.
pub fn adopt_tape() {
    if !WITHOUT.swap(false, Ordering::SeqCst) {
        return;
    }
    let Some(files) = &config::current().recording else { return };
    OWN.store(true, Ordering::SeqCst);
    let directory = directory(&files.directory_name());
    print::print(format_args!("Process {} records to {directory}.", sys::process_id()));
    let mut path = directory.clone().into_bytes();
    path.push(0);
    // SAFETY: the path is a C string. If the directory exists, its files are replaced.
    unsafe { call!(kernel::__NR_mkdirat, kernel::AT_FDCWD, path.as_ptr(), 0o777) };
    let lengths = *LENGTHS.lock();
    let sources = [tape::descriptor(), indices::descriptor(0), indices::descriptor(1)];
    let mut own = Vec::new();
    for (name, (source, length)) in FILES.iter().zip(sources.into_iter().zip(lengths)) {
        let path = format!("{directory}/{name}\0");
        let descriptor = sys::create_high(path.as_bytes());
        if descriptor >= 0 && source >= 0 {
            sys::copy_range(source, descriptor, length);
        }
        own.push(descriptor);
    }
    if own.iter().any(|descriptor| *descriptor < 0) {
        print::print(format_args!("{directory} cannot be written: the process is not recorded."));
    }
    if sources[0] < 0 {
        tape::open(own[0]);
    }
    tape::replace_file(own[0]);
    indices::replace_files(own[1], own[2]);
}

const FILES: [&str; 3] = ["dg-tape", "dg-input-indices", "dg-output-indices"];
