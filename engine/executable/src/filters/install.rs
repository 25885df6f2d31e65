//! The calls by which a client restricts itself: `seccomp`, and `prctl` with `PR_SET_SECCOMP`.

use super::program::{FilterProgram, Instruction};
use super::{Filter, Filters, ANY, CHANGES};
use crate::call;
use crate::client_memory;
use crate::detail;
use crate::settings;
use crate::sys::{errno, failure, kernel, Outcome};
use crate::syscalls::Call;
use crate::threads::{self, Thread};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use linux_raw_sys::prctl;
use linux_raw_sys::ptrace::BPF_MAXINSNS;

/// Operations of `seccomp`, and modes of `prctl`.
const SET_MODE_STRICT: u64 = 0;
const SET_MODE_FILTER: u64 = 1;
const MODE_STRICT: u64 = 1;
const MODE_FILTER: u64 = 2;

/// Flags of `SECCOMP_SET_MODE_FILTER`: the first three, and that a thread that cannot follow is an error number.
const SYNCHRONISE: u64 = 1;
const LISTENER: u64 = 8;
const SYNCHRONISE_WITH_ERROR: u64 = 16;
const KNOWN_FLAGS: u64 = 0x1f;

/// Instructions of all filters of a thread; each filter counts four more.
const LONGEST_PATH: usize = 32768;
const LENGTH_OF_FILTER: usize = 4;

pub fn execute(thread: &Thread, call: &Call) -> Option<Outcome> {
    let [first, second, third, ..] = call.arguments;
    let set_seccomp = u64::from(prctl::PR_SET_SECCOMP);
    Some(match (call.number, first) {
        (kernel::__NR_prctl, option) if option == u64::from(prctl::PR_GET_SECCOMP) => {
            thread.filters.lock().mode()
        }
        (kernel::__NR_prctl, option) if option == set_seccomp => match second {
            MODE_STRICT => set_strict(thread),
            MODE_FILTER => set_filter(thread, call.pc, 0, third, true),
            _ => failure(errno::EINVAL),
        },
        (kernel::__NR_seccomp, SET_MODE_STRICT) if second != 0 || third != 0 => failure(errno::EINVAL),
        (kernel::__NR_seccomp, SET_MODE_STRICT) => set_strict(thread),
        (kernel::__NR_seccomp, SET_MODE_FILTER) => set_filter(thread, call.pc, second, third, false),
        // Questions about the kernel, which harm nobody.
        _ => return None,
    })
}

fn set_strict(thread: &Thread) -> Outcome {
    let mut filters = thread.filters.lock();
    if matches!(*filters, Filters::Programs(_)) {
        return failure(errno::EINVAL);
    }
    *filters = Filters::Strict;
    ANY.store(true, Ordering::SeqCst);
    // The kernel takes the clock of the processor away, too.
    // SAFETY: the engine does not read it.
    unsafe { call!(kernel::__NR_prctl, prctl::PR_SET_TSC, prctl::PR_TSC_SIGSEGV) };
    0
}

fn set_filter(thread: &Thread, pc: u64, flags: u64, address: u64, by_prctl: bool) -> Outcome {
    if flags & !KNOWN_FLAGS != 0 {
        return failure(errno::EINVAL);
    }
    if flags & LISTENER != 0 {
        detail!(
            "the filter for system calls (seccomp) at {:#x} is refused: it wants another process to decide",
            pc
        );
        return failure(errno::EINVAL);
    }
    let filter = match read_filter(address) {
        Ok(program) => Arc::new(Filter { program, by_prctl }),
        Err(error) => return error,
    };
    let _changes = CHANGES.lock();
    let mut programs = match thread.filters.lock().clone() {
        Filters::Strict => return failure(errno::EINVAL),
        Filters::None => Vec::new(),
        Filters::Programs(programs) => programs,
    };
    let longer = |filter: &Arc<Filter>| filter.program.instructions().len() + LENGTH_OF_FILTER;
    if programs.iter().map(longer).sum::<usize>() + filter.program.instructions().len() > LONGEST_PATH {
        return failure(errno::ENOMEM);
    }
    if flags & SYNCHRONISE != 0 {
        if let Some(other) = thread_that_cannot_follow(thread, &programs) {
            let as_error = flags & SYNCHRONISE_WITH_ERROR != 0;
            return if as_error { failure(errno::ESRCH) } else { Outcome::from(other) };
        }
    }
    programs.push(filter);
    ANY.store(true, Ordering::SeqCst);
    let synchronise = flags & SYNCHRONISE != 0;
    if synchronise {
        let restricted = is_restricted();
        for_each_other(thread, |other| {
            *other.filters.lock() = Filters::Programs(programs.clone());
            if restricted {
                other.gives_up_privileges.store(true, Ordering::SeqCst);
            }
        });
    }
    *thread.filters.lock() = Filters::Programs(programs);
    0
}

/// `struct sock_fprog`: a number of instructions and their address.
fn read_filter(address: u64) -> Result<FilterProgram, Outcome> {
    let bad_address = |_| failure(errno::EFAULT);
    let [count, first] = client_memory::read_value::<[u64; 2]>(address).map_err(bad_address)?;
    let count = count & 0xffff;
    if count == 0 || count > u64::from(BPF_MAXINSNS) {
        return Err(failure(errno::EINVAL));
    }
    if !is_restricted() && !settings::has_capability(settings::CAP_SYS_ADMIN) {
        return Err(failure(errno::EACCES));
    }
    let mut instructions = Vec::new();
    for index in 0..count {
        let instruction = client_memory::read_value::<Instruction>(first + 8 * index).map_err(bad_address)?;
        instructions.push(instruction);
    }
    FilterProgram::check(instructions).map_err(|_| failure(errno::EINVAL))
}

/// Has the thread given up to gain privileges by executing a program?
fn is_restricted() -> bool {
    // SAFETY: asks only.
    unsafe { call!(kernel::__NR_prctl, prctl::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 }
}

/// A thread of the process whose filters are not those of the calling thread, or its first ones.
fn thread_that_cannot_follow(thread: &Thread, programs: &[Arc<Filter>]) -> Option<i32> {
    let mut found = None;
    for_each_other(thread, |other| {
        let follows = match &*other.filters.lock() {
            Filters::None => true,
            Filters::Strict => false,
            Filters::Programs(others) => {
                let same = |(one, other)| Arc::ptr_eq(one, other);
                others.len() <= programs.len() && others.iter().zip(programs).all(same)
            }
        };
        if !follows {
            found = Some(other.thread_id());
        }
    });
    found
}

fn for_each_other(thread: &Thread, mut visit: impl FnMut(&Thread)) {
    threads::for_each(|other| {
        if !core::ptr::eq(other, thread) && other.process_id() == thread.process_id() {
            visit(other);
        }
    });
}
