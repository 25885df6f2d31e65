//! Buffers that the kernel fills: what is read from outside is passive, whatever was active there before.

use super::vectors::{self, MESSAGE_HEADER, SEVERAL_STEP};
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
    let [_, second, third, fourth, fifth, sixth] = call.arguments;
    let count = outcome as u64;
    match call.number {
        kernel::__NR_read | kernel::__NR_pread64 => shadow::clear(second, count),
        kernel::__NR_recvfrom => {
            shadow::clear(second, count);
            clear_with_size(fifth, sixth);
        }
        kernel::__NR_getrandom => shadow::clear(call.arguments[0], count),
        kernel::__NR_readv | kernel::__NR_preadv | kernel::__NR_preadv2 | kernel::__NR_process_vm_readv => {
            vectors::for_each_part(second, third, count, shadow::clear);
        }
        kernel::__NR_recvmsg => clear_message(second, count),
        kernel::__NR_recvmmsg => {
            vectors::for_each_message(second, count, |message, length| {
                clear_message(message, length);
                shadow::clear(message, SEVERAL_STEP);
            });
        }
        kernel::__NR_io_submit => vectors::for_each_operation(third, count, |operation| {
            if operation.writes_to_memory() {
                operation.for_each_part(shadow::clear);
            }
        }),
        kernel::__NR_io_getevents | kernel::__NR_io_pgetevents => clear_structure(fourth, 32 * count),
        kernel::__NR_msgrcv => clear_structure(second, 8 + count),
        kernel::__NR_poll | kernel::__NR_ppoll => clear_structure(call.arguments[0], 8 * second),
        kernel::__NR_epoll_wait | kernel::__NR_epoll_pwait | kernel::__NR_epoll_pwait2 => {
            clear_structure(second, 12 * count);
        }
        kernel::__NR_select | kernel::__NR_pselect6 => {
            // Three sets of as many bits as the first argument says, in words of 64; select changes its time, too.
            let size = call.arguments[0].min(DESCRIPTOR_LIMIT).div_ceil(64) * 8;
            for set in &call.arguments[1..4] {
                clear_structure(*set, size);
            }
            clear_structure(fifth, 16);
        }
        kernel::__NR_getsockopt => clear_with_size(fourth, fifth),
        kernel::__NR_getsockname | kernel::__NR_getpeername | kernel::__NR_accept | kernel::__NR_accept4 => {
            clear_with_size(second, third);
        }
        kernel::__NR_fcntl if second == u64::from(kernel::F_GETLK) => clear_structure(third, 32),
        kernel::__NR_futex if third & FUTEX_OPERATION == FUTEX_WAKE_OP => clear_structure(fifth, 4),
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

/// A buffer and the word that says how long the answer is.
fn clear_with_size(start: u64, size: u64) {
    if start == 0 || size == 0 {
        return;
    }
    if let Ok(length) = client_memory::read_value::<u32>(size) {
        shadow::clear(start, u64::from(length.min(LONGEST_ANSWER)));
    }
    shadow::clear(size, 4);
}

/// The kernel may say a length that is longer than the buffer; no address or option is longer than this.
const LONGEST_ANSWER: u32 = 4096;
/// More descriptors a process cannot have, whatever it says to `select`.
const DESCRIPTOR_LIMIT: u64 = 1 << 20;
const FUTEX_OPERATION: u64 = 0x7f;
const FUTEX_WAKE_OP: u64 = 5;

/// The buffers of a `msghdr`, the address and the control messages; also its words for their lengths.
fn clear_message(message: u64, count: u64) {
    let Ok([name, name_length, vector, length, control, control_length, _]) =
        client_memory::read_value::<[u64; 7]>(message)
    else {
        return;
    };
    vectors::for_each_part(vector, length, count, shadow::clear);
    clear_structure(name, (name_length & 0xffff_ffff).min(u64::from(LONGEST_ANSWER)));
    clear_structure(control, control_length);
    shadow::clear(message, MESSAGE_HEADER);
}
