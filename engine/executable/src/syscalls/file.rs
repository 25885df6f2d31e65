//! Files that would show the engine instead of the client, and the engine's own descriptors.

use super::Call;
use crate::call;
use crate::client_memory;
use crate::print;
use crate::program;
use crate::recording;
use crate::sys::{self, errno, failure, kernel, Outcome};
use crate::threads::Thread;
use alloc::format;
use alloc::vec::Vec;

pub fn execute(thread: &mut Thread, call: &Call) -> Option<Outcome> {
    let [first, second, third, fourth, ..] = call.arguments;
    match call.number {
        kernel::__NR_readlink => read_link(first, second, third),
        kernel::__NR_readlinkat => read_link(second, third, fourth),
        kernel::__NR_open | kernel::__NR_stat | kernel::__NR_lstat | kernel::__NR_access => {
            with_path(thread, call, 0)
        }
        kernel::__NR_openat
        | kernel::__NR_newfstatat
        | kernel::__NR_statx
        | kernel::__NR_faccessat
        | kernel::__NR_faccessat2 => with_path(thread, call, 1),
        kernel::__NR_close if own_descriptors().contains(&(first as u32)) => Some(failure(errno::EBADF)),
        kernel::__NR_dup2 | kernel::__NR_dup3 if is_log(second) => {
            relocate_log();
            None
        }
        kernel::__NR_close_range => Some(close_range(first as u32, second as u32, third)),
        _ => None,
    }
}

/// Does the path name the client's executable through `/proc`?
pub fn names_executable(path: &[u8]) -> bool {
    path == b"/proc/self/exe"
        || path == b"/proc/thread-self/exe"
        || path == format!("/proc/{}/exe", sys::process_id()).as_bytes()
}

fn is_executable_path(address: u64) -> bool {
    // Cheap test first: this runs at every open and stat.
    const PREFIX: [u8; 6] = *b"/proc/";
    if client_memory::read_value::<[u8; 6]>(address).ok() != Some(PREFIX) {
        return false;
    }
    client_memory::read_string(address).is_ok_and(|path| names_executable(&path))
}

fn read_link(path: u64, buffer: u64, size: u64) -> Option<Outcome> {
    if !is_executable_path(path) {
        return None;
    }
    let size = size as i32;
    if size <= 0 {
        return Some(failure(errno::EINVAL));
    }
    let target = program::path_without_zero();
    let count = target.len().min(size as usize);
    Some(match client_memory::write(buffer, &target[..count]) {
        Ok(()) => count as Outcome,
        Err(_) => failure(errno::EFAULT),
    })
}

/// Makes the call with the client's real executable in place of `/proc/self/exe`.
fn with_path(thread: &mut Thread, call: &Call, position: usize) -> Option<Outcome> {
    if !is_executable_path(call.arguments[position]) {
        return None;
    }
    let mut changed = *call;
    changed.arguments[position] = program::path().as_ptr() as u64;
    Some(super::pass(thread, &changed))
}

fn is_log(descriptor: u64) -> bool {
    let log = print::log_descriptor();
    log > 2 && descriptor as i32 == log
}

/// The client wants the log's descriptor number for itself.
fn relocate_log() {
    let log = print::log_descriptor();
    // SAFETY: duplicates a descriptor of the engine.
    let moved = unsafe { call!(kernel::__NR_fcntl, log, kernel::F_DUPFD_CLOEXEC, log + 1) };
    if !sys::is_failure(moved) {
        print::set_log_descriptor(moved as i32);
    }
}

/// In ascending order. Programs that close all descriptors close none of these.
fn own_descriptors() -> Vec<u32> {
    let log = print::log_descriptor();
    let mut own = recording::descriptors();
    own.extend((log > 2).then_some(log));
    own.sort_unstable();
    own.into_iter().filter_map(|descriptor| u32::try_from(descriptor).ok()).collect()
}

fn close_range(first: u32, last: u32, flags: u64) -> Outcome {
    // SAFETY: the client closes its own descriptors.
    let close = |first: u32, last: u32| unsafe { call!(kernel::__NR_close_range, first, last, flags) };
    if first > last {
        return close(first, last);
    }
    let mut start = first;
    for own in own_descriptors().into_iter().filter(|own| (first..=last).contains(own)) {
        let outcome = if start < own { close(start, own - 1) } else { 0 };
        if sys::is_failure(outcome) {
            return outcome;
        }
        start = own + 1;
    }
    if start <= last {
        close(start, last)
    } else {
        0
    }
}
