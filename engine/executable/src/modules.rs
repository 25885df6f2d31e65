//! Every executable file mapping that was ever made, for the report at the end.

use crate::library_functions;
use crate::lock::Mutex;
use crate::sys;
use crate::unwinders;
use alloc::format;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

pub struct Module {
    pub start: u64,
    pub end: u64,
    pub offset: u64,
    pub path: Vec<u8>,
    /// Of the file, see [`sys::identity`].
    pub identity: Option<u64>,
    /// Of the file, see [`sys::version`].
    pub version: Option<u64>,
}

static MODULES: Mutex<Vec<Module>> = Mutex::new(Vec::new());
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Notes that `[start, end)` maps the open file from `offset` on.
pub fn note(descriptor: i32, start: u64, end: u64, offset: u64) {
    let link = format!("/proc/self/fd/{descriptor}\0");
    let path = sys::read_link(link.as_bytes()).unwrap_or_default();
    library_functions::note_module(descriptor, &path, start, end, offset);
    unwinders::note_module(descriptor, start, end, offset);
    let identity = sys::identity(descriptor);
    let version = sys::version(descriptor).map(|(version, _)| version);
    MODULES.lock().push(Module { start, end, offset, path, identity, version });
    COUNT.fetch_add(1, Ordering::Release);
}

/// Number of mappings that were made so far.
pub fn count() -> usize {
    COUNT.load(Ordering::Acquire)
}

/// Is this CPython's own code? Its exact fractions and decimal numbers are made of integers that have all digits of a
/// number.
pub fn is_python(pc: u64) -> bool {
    let modules = MODULES.lock();
    let module = modules.iter().rev().find(|module| (module.start..module.end).contains(&pc));
    let file = module.and_then(|module| module.path.rsplit(|byte| *byte == b'/').next());
    file.is_some_and(|file| file.starts_with(b"python3") || file.starts_with(b"libpython3"))
}

/// Calls `visit` for each mapping in the order in which they were made.
pub fn for_each(visit: impl FnMut(&Module)) {
    for_each_from(0, visit);
}

/// The same without the first ones.
pub fn for_each_from(first: usize, mut visit: impl FnMut(&Module)) {
    for module in &MODULES.lock()[first..] {
        visit(module);
    }
}

pub fn acquire_for_fork() {
    core::mem::forget(MODULES.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { MODULES.release() };
}
