//! Buffers that the kernel fills: what is read from outside is passive, whatever was active there before.

use super::Call;
use crate::client_memory;
use crate::settings;
use crate::shadow;
use crate::sys::{kernel, Outcome};

/// Clears the shadows of what a successful call has written.
pub fn make_passive(call: &Call, outcome: Outcome) {
    if !settings::differentiating() {
        return;
    }
    let [_, second, third, ..] = call.arguments;
    let count = outcome as u64;
    match call.number {
        kernel::__NR_read | kernel::__NR_pread64 | kernel::__NR_recvfrom => shadow::clear(second, count),
        kernel::__NR_getrandom => shadow::clear(call.arguments[0], count),
        kernel::__NR_readv | kernel::__NR_preadv | kernel::__NR_preadv2 => clear_vector(second, third, count),
        kernel::__NR_recvmsg => clear_message(second, count),
        kernel::__NR_poll | kernel::__NR_ppoll => clear_structure(call.arguments[0], 8 * second),
        kernel::__NR_epoll_wait | kernel::__NR_epoll_pwait => clear_structure(second, 12 * count),
        kernel::__NR_ioctl => clear_structure(third, size_of_answer(second)),
        number => {
            for (_, argument, size) in ANSWERS.iter().filter(|row| row.0 == number) {
                clear_structure(call.arguments[*argument], if *size == RESULT { count } else { *size });
            }
        }
    }
}

/// In [`ANSWERS`]: the call returns how many bytes it has written.
const RESULT: u64 = 0;

/// Calls that answer with a structure: the number of the argument that points to it, and its size in the x86-64 ABI.
#[rustfmt::skip] // One row a line.
const ANSWERS: &[(u32, usize, u64)] = &[
    (kernel::__NR_stat, 1, 144),
    (kernel::__NR_fstat, 1, 144),
    (kernel::__NR_lstat, 1, 144),
    (kernel::__NR_newfstatat, 2, 144),
    (kernel::__NR_statx, 4, 256),
    (kernel::__NR_statfs, 1, 120),
    (kernel::__NR_fstatfs, 1, 120),
    (kernel::__NR_getdents, 1, RESULT),
    (kernel::__NR_getdents64, 1, RESULT),
    (kernel::__NR_readlink, 1, RESULT),
    (kernel::__NR_readlinkat, 2, RESULT),
    (kernel::__NR_getcwd, 0, RESULT),
    (kernel::__NR_getxattr, 2, RESULT),
    (kernel::__NR_lgetxattr, 2, RESULT),
    (kernel::__NR_fgetxattr, 2, RESULT),
    (kernel::__NR_pipe, 0, 8),
    (kernel::__NR_pipe2, 0, 8),
    (kernel::__NR_socketpair, 3, 8),
    (kernel::__NR_sysinfo, 0, 112),
    (kernel::__NR_uname, 0, 390),
    (kernel::__NR_sched_getaffinity, 2, RESULT),
    (kernel::__NR_getcpu, 0, 4),
    (kernel::__NR_getcpu, 1, 4),
    (kernel::__NR_getrlimit, 1, 16),
    (kernel::__NR_prlimit64, 3, 16),
    (kernel::__NR_getrusage, 1, 144),
    (kernel::__NR_times, 0, 32),
    (kernel::__NR_time, 0, 8),
    (kernel::__NR_gettimeofday, 0, 16),
    (kernel::__NR_clock_gettime, 1, 16),
    (kernel::__NR_clock_getres, 1, 16),
    (kernel::__NR_getitimer, 1, 32),
    (kernel::__NR_setitimer, 2, 32),
    (kernel::__NR_timer_create, 2, 4),
    (kernel::__NR_timer_gettime, 1, 32),
    (kernel::__NR_timerfd_gettime, 1, 32),
    (kernel::__NR_wait4, 1, 4),
    (kernel::__NR_wait4, 3, 144),
    (kernel::__NR_waitid, 2, 128),
    (kernel::__NR_waitid, 4, 144),
    (kernel::__NR_rt_sigtimedwait, 1, 128),
];

/// The size of an answer is a part of the request's number if the request has `_IOR` form; older ones have no form.
fn size_of_answer(request: u64) -> u64 {
    const TCGETS: u64 = 0x5401;
    const TIOCGPGRP: u64 = 0x540f;
    const TIOCGWINSZ: u64 = 0x5413;
    const FIONREAD: u64 = 0x541b;
    match request {
        TCGETS => 36,
        TIOCGWINSZ => 8,
        TIOCGPGRP | FIONREAD => 4,
        _ if request & 0x8000_0000 != 0 => request >> 16 & 0x3fff,
        _ => 0,
    }
}

/// An answer is optional with many calls.
fn clear_structure(start: u64, size: u64) {
    if start != 0 {
        shadow::clear(start, size);
    }
}

/// Clears the first `left` bytes of the buffers in an `iovec` array.
fn clear_vector(vector: u64, length: u64, mut left: u64) {
    for index in 0..length {
        let Ok([start, size]) = client_memory::read_value::<[u64; 2]>(vector + 16 * index) else {
            return;
        };
        let count = size.min(left);
        shadow::clear(start, count);
        left -= count;
        if left == 0 {
            return;
        }
    }
}

/// The vector of a `msghdr` is its third word, followed by its length.
fn clear_message(message: u64, count: u64) {
    if let Ok([vector, length]) = client_memory::read_value::<[u64; 2]>(message + 16) {
        clear_vector(vector, length, count);
    }
}
