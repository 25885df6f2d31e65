//! Code in files that are written to while they are mapped.
//!
//! A write through memory faults, a write by a system call does not. Few programs do that, so nobody looks before a
//! file that has code in this process, or the memory of a process (`/proc/PID/mem`), is open for writing.

use super::Call;
use crate::call;
use crate::invalidate;
use crate::memory::{self, AddressSpace};
use crate::modules;
use crate::sys::{self, kernel, Outcome};
use crate::threads::Thread;
use alloc::format;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

/// Has a file with code of this process been open for writing?
static OPEN: AtomicBool = AtomicBool::new(false);

/// Has memory of a process been open as a file for writing?
static MEMORY_OPEN: AtomicBool = AtomicBool::new(false);

/// The descriptor's file is mapped, and may be executed.
pub fn note_mapped(descriptor: i32) {
    // SAFETY: asks only.
    let flags = unsafe { call!(kernel::__NR_fcntl, descriptor, kernel::F_GETFL) };
    if !sys::is_failure(flags) && flags as u32 & kernel::O_ACCMODE != kernel::O_RDONLY {
        OPEN.store(true, Ordering::Relaxed);
    }
}

/// Memory that is shared, and may be that of a file which is open for writing, may be executed from now on.
pub fn note_executable(space: &AddressSpace, start: u64, end: u64) {
    if space.mappings.overlapping(start, end).iter().any(|(_, _, attributes)| attributes.shared.is_some()) {
        OPEN.store(true, Ordering::Relaxed);
    }
}

/// Called after a successful call.
pub fn follow(thread: &Thread, call: &Call, outcome: Outcome) {
    let [first, second, third, fourth, ..] = call.arguments;
    let written = match call.number {
        kernel::__NR_open => return note_opened(outcome, second),
        kernel::__NR_openat => return note_opened(outcome, third),
        kernel::__NR_creat => return note_opened(outcome, u64::from(kernel::O_WRONLY)),
        kernel::__NR_write
        | kernel::__NR_pwrite64
        | kernel::__NR_writev
        | kernel::__NR_pwritev
        | kernel::__NR_pwritev2
        | kernel::__NR_sendfile => first,
        kernel::__NR_copy_file_range | kernel::__NR_splice => third,
        _ => return,
    };
    if OPEN.load(Ordering::Relaxed) {
        for (start, end) in places(written as i32) {
            invalidate::code_changed(thread, start, end);
        }
    }
    if MEMORY_OPEN.load(Ordering::Relaxed) && is_memory(written as i32) {
        let length = outcome.max(0) as u64;
        let has_place =
            matches!(call.number, kernel::__NR_pwrite64 | kernel::__NR_pwritev | kernel::__NR_pwritev2);
        let start = if has_place { fourth } else { sys::position(written as i32).wrapping_sub(length) };
        invalidate::code_changed(thread, start, start.saturating_add(length));
    }
}

fn note_opened(outcome: Outcome, flags: u64) {
    let writes = flags as u32 & kernel::O_ACCMODE != kernel::O_RDONLY;
    if writes && !OPEN.load(Ordering::Relaxed) && !places(outcome as i32).is_empty() {
        OPEN.store(true, Ordering::Relaxed);
    }
    if writes && !MEMORY_OPEN.load(Ordering::Relaxed) && is_memory(outcome as i32) {
        MEMORY_OPEN.store(true, Ordering::Relaxed);
    }
}

/// Is the descriptor's file the memory of a process?
fn is_memory(descriptor: i32) -> bool {
    let link = format!("/proc/self/fd/{descriptor}\0");
    sys::read_link(link.as_bytes()).is_some_and(|path| path.starts_with(b"/proc/") && path.ends_with(b"/mem"))
}

/// Where the descriptor's file is mapped as code.
fn places(descriptor: i32) -> Vec<(u64, u64)> {
    let Some(identity) = sys::identity(descriptor) else { return Vec::new() };
    let mut found = Vec::new();
    modules::for_each(|module| {
        if module.identity == Some(identity) {
            found.push((module.start, module.end));
        }
    });
    for (start, end, attributes) in memory::read().mappings.overlapping(0, u64::MAX) {
        let executable = attributes.protection & kernel::PROT_EXEC != 0;
        if executable && attributes.shared.is_some_and(|backing| backing.object == identity) {
            found.push((start, end));
        }
    }
    found
}
