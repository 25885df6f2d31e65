//! Buffers that the kernel fills: what is read from outside is passive, whatever was active there before.

use super::answers::{Size, ANSWERS, PROCESS_ANSWERS, TIME_LEFT};
use super::vectors::{self, MESSAGE_HEADER, MOST_PARTS, SEVERAL_STEP};
use super::Call;
use crate::call;
use crate::client_memory;
use crate::settings;
use crate::shadow;
use crate::sys::{self, errno, failure, kernel, Outcome, PAGE};
use crate::threads::Thread;
use crate::write_protection;
use linux_raw_sys::ptrace;

/// Lifts the protection of code where the call may put something that it gets only once: a datagram is gone when the
/// kernel finds that it cannot write.
pub fn make_writable(thread: &Thread, call: &Call) {
    if !write_protection::is_any() {
        return;
    }
    let [_, second, third, ..] = call.arguments;
    let lift =
        |start: u64, size: u64| write_protection::lift_between(thread, start, start.saturating_add(size));
    match call.number {
        kernel::__NR_read | kernel::__NR_recvfrom | kernel::__NR_mq_timedreceive => lift(second, third),
        kernel::__NR_msgrcv => lift(second, 8 + third),
        kernel::__NR_readv => vectors::for_each_part(second, third, u64::MAX, lift),
        kernel::__NR_recvmsg => vectors::for_each_part_of_message(second, u64::MAX, lift),
        kernel::__NR_recvmmsg => {
            for number in 0..third.min(MOST_PARTS) {
                vectors::for_each_part_of_message(second + SEVERAL_STEP * number, u64::MAX, lift);
            }
        }
        _ => {}
    }
}

/// Clears the shadows of what a call has written.
pub fn make_passive(call: &Call, outcome: Outcome) {
    if !settings::differentiating() {
        return;
    }
    if outcome == failure(errno::EINTR) {
        for (_, argument, size) in TIME_LEFT.iter().filter(|row| row.0 == call.number) {
            clear_structure(call.arguments[*argument], *size);
        }
    }
    if !sys::is_failure(outcome) {
        follow_success(call, outcome as u64);
    }
}

fn follow_success(call: &Call, count: u64) {
    let [first, second, third, fourth, fifth, sixth] = call.arguments;
    for (_, argument, size) in ANSWERS.iter().filter(|row| row.0 == call.number) {
        let size = match *size {
            Size::Bytes(size) => size,
            Size::Returned(times) => count * times,
            Size::ReturnedUpTo(limit) => count.min(call.arguments[limit]),
            Size::Argument(number) => call.arguments[number].min(LONGEST_STRUCTURE),
        };
        clear_structure(call.arguments[*argument], size);
    }
    match call.number {
        kernel::__NR_recvfrom => clear_with_size(fifth, sixth),
        kernel::__NR_readv | kernel::__NR_preadv | kernel::__NR_preadv2 | kernel::__NR_process_vm_readv => {
            vectors::for_each_part(second, third, count, shadow::clear);
        }
        kernel::__NR_vmsplice if is_only_read(first) => {
            vectors::for_each_part(second, third, count, shadow::clear);
        }
        kernel::__NR_recvmsg => clear_message(second, count),
        kernel::__NR_recvmmsg => {
            vectors::for_each_message(second, count, |message, length| {
                clear_message(message, length);
                shadow::clear(message, SEVERAL_STEP);
            });
        }
        kernel::__NR_sendmmsg => {
            for message in 0..count {
                shadow::clear(second + SEVERAL_STEP * message + MESSAGE_HEADER, 4);
            }
        }
        kernel::__NR_io_submit => vectors::for_each_operation(third, count, |operation| {
            if operation.writes_to_memory() {
                operation.for_each_part(shadow::clear);
            }
        }),
        kernel::__NR_msgrcv => clear_structure(second, 8 + count),
        kernel::__NR_msgctl | kernel::__NR_shmctl => {
            clear_structure(third, size_of_status(call.number, second));
        }
        kernel::__NR_semctl => clear_structure(fourth, size_of_semaphores(first, third)),
        kernel::__NR_poll => clear_structure(first, 8 * second),
        kernel::__NR_ppoll => {
            clear_structure(first, 8 * second);
            clear_structure(third, 16);
        }
        kernel::__NR_select | kernel::__NR_pselect6 => {
            // Three sets of as many bits as the first argument says, in words of 64; both change their time, too.
            let size = first.min(DESCRIPTOR_LIMIT).div_ceil(64) * 8;
            for set in [second, third, fourth] {
                clear_structure(set, size);
            }
            clear_structure(fifth, 16);
        }
        kernel::__NR_getsockopt => clear_with_size(fourth, fifth),
        kernel::__NR_getsockname | kernel::__NR_getpeername | kernel::__NR_accept | kernel::__NR_accept4 => {
            clear_with_size(second, third);
        }
        kernel::__NR_lsm_get_self_attr => clear_with_size(second, third),
        kernel::__NR_lsm_list_modules => {
            clear_structure(first, 8 * count);
            clear_structure(second, 4);
        }
        kernel::__NR_name_to_handle_at => {
            let length = client_memory::read_value::<u32>(third).unwrap_or(0);
            clear_structure(third, 8 + u64::from(length.min(LONGEST_ANSWER)));
        }
        kernel::__NR_getgroups if first != 0 => clear_structure(second, 4 * count),
        kernel::__NR_get_mempolicy => clear_structure(second, third.div_ceil(64).min(LONGEST_STRUCTURE) * 8),
        kernel::__NR_move_pages => clear_structure(fifth, 4 * second),
        kernel::__NR_mincore => clear_structure(third, second.div_ceil(PAGE)),
        kernel::__NR_syslog if READ_LOG.contains(&first) => clear_structure(second, count.min(third)),
        kernel::__NR_keyctl if READ_KEY.contains(&first) => clear_structure(third, count.min(fourth)),
        kernel::__NR_modify_ldt if first == READ_LDT => clear_structure(second, count),
        kernel::__NR_prctl => {
            for (_, size) in PROCESS_ANSWERS.iter().filter(|row| u64::from(row.0) == first) {
                clear_structure(second, *size);
            }
        }
        kernel::__NR_ptrace => clear_structure(fourth, size_of_debugger_answer(first as u32)),
        kernel::__NR_fcntl => clear_structure(third, size_of_descriptor_answer(second as u32)),
        kernel::__NR_futex => match second & FUTEX_OPERATION {
            FUTEX_WAKE_OP => clear_structure(fifth, 4),
            FUTEX_LOCK_PI | FUTEX_UNLOCK_PI | FUTEX_TRYLOCK_PI | FUTEX_LOCK_PI2 => clear_structure(first, 4),
            _ => {}
        },
        kernel::__NR_ioctl => clear_structure(third, size_of_answer(second)),
        _ => {}
    }
}

/// No structure whose size is an argument is longer.
const LONGEST_STRUCTURE: u64 = 1 << 16;
// First arguments of calls that do many things: linux/keyctl.h, and syslog(2).
const READ_LOG: [u64; 3] = [2, 3, 4];
const READ_KEY: [u64; 3] = [6, 11, 17];
/// First argument of `modify_ldt`.
const READ_LDT: u64 = 0;

/// Is it the end of a pipe that something comes out of? There `vmsplice` writes to memory.
fn is_only_read(descriptor: u64) -> bool {
    // SAFETY: only asks.
    let flags = unsafe { call!(kernel::__NR_fcntl, descriptor, kernel::F_GETFL) };
    !sys::is_failure(flags) && flags as u32 & kernel::O_ACCMODE == kernel::O_RDONLY
}

// Commands of System V queues, segments and semaphores: linux/ipc.h, msg.h, shm.h, sem.h.
const IPC_STAT: u64 = 2;
const IPC_INFO: u64 = 3;
const MSG_STAT: u64 = 11;
const MSG_INFO: u64 = 12;
const MSG_STAT_ANY: u64 = 13;
const SHM_STAT: u64 = 13;
const SHM_INFO: u64 = 14;
const SHM_STAT_ANY: u64 = 15;
const GETALL: u64 = 13;
const SEM_STAT: u64 = 18;
const SEM_INFO: u64 = 19;
const SEM_STAT_ANY: u64 = 20;

/// Bytes of `msqid_ds`, `msginfo`, `shmid_ds`, `shminfo` and `shm_info`.
fn size_of_status(number: u32, command: u64) -> u64 {
    match (number, command) {
        (kernel::__NR_msgctl, IPC_STAT | MSG_STAT | MSG_STAT_ANY) => 120,
        (kernel::__NR_msgctl, IPC_INFO | MSG_INFO) => 32,
        (kernel::__NR_shmctl, IPC_STAT | SHM_STAT | SHM_STAT_ANY) => 112,
        (kernel::__NR_shmctl, IPC_INFO) => 72,
        (kernel::__NR_shmctl, SHM_INFO) => 48,
        _ => 0,
    }
}

/// Bytes of `semid_ds`, `seminfo`, or of all values of a set.
fn size_of_semaphores(identifier: u64, command: u64) -> u64 {
    const STATUS: usize = 104;
    const COUNT: usize = 80;
    match command {
        IPC_STAT | SEM_STAT | SEM_STAT_ANY => STATUS as u64,
        IPC_INFO | SEM_INFO => 40,
        GETALL => {
            let mut status = [0u8; STATUS];
            // SAFETY: fills our structure.
            unsafe { call!(kernel::__NR_semctl, identifier, 0, IPC_STAT, status.as_mut_ptr()) };
            2 * u64::from(u16::from_le_bytes([status[COUNT], status[COUNT + 1]]))
        }
        _ => 0,
    }
}

fn size_of_debugger_answer(request: u32) -> u64 {
    match request {
        ptrace::PTRACE_PEEKTEXT | ptrace::PTRACE_PEEKDATA | ptrace::PTRACE_PEEKUSR => 8,
        ptrace::PTRACE_GETREGS => 216,
        ptrace::PTRACE_GETFPREGS => 512,
        ptrace::PTRACE_GETEVENTMSG => 8,
        ptrace::PTRACE_GETSIGINFO => 128,
        _ => 0,
    }
}

fn size_of_descriptor_answer(command: u32) -> u64 {
    match command {
        kernel::F_GETLK | kernel::F_OFD_GETLK => 32,
        kernel::F_GETOWN_EX | kernel::F_GET_RW_HINT | kernel::F_GET_FILE_RW_HINT => 8,
        _ => 0,
    }
}

/// The size of an answer is a part of the request's number if the request has `_IOR` form; older ones have no form.
fn size_of_answer(request: u64) -> u64 {
    const TCGETS: u64 = 0x5401;
    const TCGETA: u64 = 0x5405;
    const TIOCGPGRP: u64 = 0x540f;
    const TIOCOUTQ: u64 = 0x5411;
    const TIOCGWINSZ: u64 = 0x5413;
    const TIOCMGET: u64 = 0x5415;
    const FIONREAD: u64 = 0x541b;
    const TIOCGETD: u64 = 0x5424;
    const TIOCGSID: u64 = 0x5429;
    const FIGETBSZ: u64 = 2;
    const BLKGETSIZE: u64 = 0x1260;
    const BLKSSZGET: u64 = 0x1268;
    const SIOCGPGRP: u64 = 0x8904;
    const SIOCATMARK: u64 = 0x8905;
    // Of network interfaces: `struct ifreq`, or the shorter `struct ifconf`.
    const SIOCGIFNAME: u64 = 0x8910;
    const SIOCGIFMAP: u64 = 0x8970;
    match request {
        TCGETS => 36,
        TCGETA => 18,
        TIOCGWINSZ | BLKGETSIZE => 8,
        TIOCGPGRP | FIONREAD | TIOCOUTQ | TIOCMGET | TIOCGETD | TIOCGSID => 4,
        FIGETBSZ | BLKSSZGET | SIOCGPGRP | SIOCATMARK => 4,
        SIOCGIFNAME..=SIOCGIFMAP => 40,
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
const FUTEX_LOCK_PI: u64 = 6;
const FUTEX_UNLOCK_PI: u64 = 7;
const FUTEX_TRYLOCK_PI: u64 = 8;
const FUTEX_LOCK_PI2: u64 = 13;

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
