//! What system calls write through pointers in their arguments, as far as a row can say it: number of the argument, and
//! size in the x86-64 ABI.
//!
//! Left out is what only a system's administrator can call with success (`quotactl`, `bpf`), and what has not been in
//! kernels for a long time.

use crate::sys::kernel;
use linux_raw_sys::prctl;

/// How many bytes are written.
#[derive(Clone, Copy)]
pub enum Size {
    Bytes(u64),
    /// As many as the call returns, times this.
    Returned(u64),
    /// The same, but at most what the argument of this number says: the call returns how many there would have been.
    ReturnedUpTo(usize),
    /// What the argument of this number says.
    Argument(usize),
}

use Size::{Argument, Bytes, Returned, ReturnedUpTo};

#[rustfmt::skip] // One row a line.
pub const ANSWERS: &[(u32, usize, Size)] = &[
    (kernel::__NR_read, 1, Returned(1)),
    (kernel::__NR_pread64, 1, Returned(1)),
    (kernel::__NR_getrandom, 0, Returned(1)),
    (kernel::__NR_recvfrom, 1, ReturnedUpTo(2)),
    (kernel::__NR_recvmmsg, 4, Bytes(16)),
    (kernel::__NR_sendfile, 2, Bytes(8)),
    (kernel::__NR_splice, 1, Bytes(8)),
    (kernel::__NR_splice, 3, Bytes(8)),
    (kernel::__NR_copy_file_range, 1, Bytes(8)),
    (kernel::__NR_copy_file_range, 3, Bytes(8)),
    (kernel::__NR_mq_timedreceive, 1, Returned(1)),
    (kernel::__NR_mq_timedreceive, 3, Bytes(4)),
    (kernel::__NR_mq_getsetattr, 2, Bytes(64)),
    (kernel::__NR_io_setup, 1, Bytes(8)),
    (kernel::__NR_io_getevents, 3, Returned(32)),
    (kernel::__NR_io_pgetevents, 3, Returned(32)),
    (kernel::__NR_io_cancel, 2, Bytes(32)),
    (kernel::__NR_epoll_wait, 1, Returned(12)),
    (kernel::__NR_epoll_pwait, 1, Returned(12)),
    (kernel::__NR_epoll_pwait2, 1, Returned(12)),
    (kernel::__NR_stat, 1, Bytes(144)),
    (kernel::__NR_fstat, 1, Bytes(144)),
    (kernel::__NR_lstat, 1, Bytes(144)),
    (kernel::__NR_newfstatat, 2, Bytes(144)),
    (kernel::__NR_statx, 4, Bytes(256)),
    (kernel::__NR_statfs, 1, Bytes(120)),
    (kernel::__NR_fstatfs, 1, Bytes(120)),
    (kernel::__NR_ustat, 1, Bytes(32)),
    (kernel::__NR_statmount, 1, Argument(2)),
    (kernel::__NR_listmount, 1, Returned(8)),
    (kernel::__NR_name_to_handle_at, 3, Bytes(4)),
    (kernel::__NR_cachestat, 2, Bytes(40)),
    (kernel::__NR_getdents, 1, Returned(1)),
    (kernel::__NR_getdents64, 1, Returned(1)),
    (kernel::__NR_readlink, 1, Returned(1)),
    (kernel::__NR_readlinkat, 2, Returned(1)),
    (kernel::__NR_getcwd, 0, Returned(1)),
    (kernel::__NR_getxattr, 2, ReturnedUpTo(3)),
    (kernel::__NR_lgetxattr, 2, ReturnedUpTo(3)),
    (kernel::__NR_fgetxattr, 2, ReturnedUpTo(3)),
    (kernel::__NR_listxattr, 1, ReturnedUpTo(2)),
    (kernel::__NR_llistxattr, 1, ReturnedUpTo(2)),
    (kernel::__NR_flistxattr, 1, ReturnedUpTo(2)),
    (kernel::__NR_pipe, 0, Bytes(8)),
    (kernel::__NR_pipe2, 0, Bytes(8)),
    (kernel::__NR_socketpair, 3, Bytes(8)),
    (kernel::__NR_sysinfo, 0, Bytes(112)),
    (kernel::__NR_uname, 0, Bytes(390)),
    (kernel::__NR_getresuid, 0, Bytes(4)),
    (kernel::__NR_getresuid, 1, Bytes(4)),
    (kernel::__NR_getresuid, 2, Bytes(4)),
    (kernel::__NR_getresgid, 0, Bytes(4)),
    (kernel::__NR_getresgid, 1, Bytes(4)),
    (kernel::__NR_getresgid, 2, Bytes(4)),
    (kernel::__NR_capget, 0, Bytes(8)),
    (kernel::__NR_capget, 1, Bytes(24)),
    (kernel::__NR_sched_getaffinity, 2, Returned(1)),
    (kernel::__NR_sched_getparam, 1, Bytes(4)),
    (kernel::__NR_sched_getattr, 1, Argument(2)),
    (kernel::__NR_sched_rr_get_interval, 1, Bytes(16)),
    (kernel::__NR_getcpu, 0, Bytes(4)),
    (kernel::__NR_getcpu, 1, Bytes(4)),
    (kernel::__NR_get_mempolicy, 0, Bytes(4)),
    (kernel::__NR_get_robust_list, 1, Bytes(8)),
    (kernel::__NR_get_robust_list, 2, Bytes(8)),
    (kernel::__NR_getrlimit, 1, Bytes(16)),
    (kernel::__NR_prlimit64, 3, Bytes(16)),
    (kernel::__NR_getrusage, 1, Bytes(144)),
    (kernel::__NR_times, 0, Bytes(32)),
    (kernel::__NR_time, 0, Bytes(8)),
    (kernel::__NR_gettimeofday, 0, Bytes(16)),
    (kernel::__NR_gettimeofday, 1, Bytes(8)),
    (kernel::__NR_clock_gettime, 1, Bytes(16)),
    (kernel::__NR_clock_getres, 1, Bytes(16)),
    (kernel::__NR_adjtimex, 0, Bytes(208)),
    (kernel::__NR_clock_adjtime, 1, Bytes(208)),
    (kernel::__NR_getitimer, 1, Bytes(32)),
    (kernel::__NR_setitimer, 2, Bytes(32)),
    (kernel::__NR_timer_create, 2, Bytes(4)),
    (kernel::__NR_timer_gettime, 1, Bytes(32)),
    (kernel::__NR_timer_settime, 3, Bytes(32)),
    (kernel::__NR_timerfd_gettime, 1, Bytes(32)),
    (kernel::__NR_timerfd_settime, 3, Bytes(32)),
    (kernel::__NR_wait4, 1, Bytes(4)),
    (kernel::__NR_wait4, 3, Bytes(144)),
    (kernel::__NR_waitid, 2, Bytes(128)),
    (kernel::__NR_waitid, 4, Bytes(144)),
    (kernel::__NR_rt_sigtimedwait, 1, Bytes(128)),
    (kernel::__NR_rt_sigpending, 0, Argument(1)),
];

/// Calls that say how much time was left when a signal has interrupted them.
pub const TIME_LEFT: &[(u32, usize, u64)] = &[
    (kernel::__NR_nanosleep, 1, 16),
    (kernel::__NR_clock_nanosleep, 3, 16),
    (kernel::__NR_select, 4, 16),
    (kernel::__NR_pselect6, 4, 16),
    (kernel::__NR_ppoll, 2, 16),
];

/// `prctl`: what is asked for, and the size of the answer behind the second argument.
pub const PROCESS_ANSWERS: &[(u32, u64)] = &[
    (prctl::PR_GET_NAME, 16),
    (prctl::PR_GET_PDEATHSIG, 4),
    (prctl::PR_GET_TSC, 4),
    (prctl::PR_GET_CHILD_SUBREAPER, 4),
    (prctl::PR_GET_TID_ADDRESS, 8),
];
