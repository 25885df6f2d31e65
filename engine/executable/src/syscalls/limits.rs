//! Limits on the size of the address space and of data: the shadow memory lies in both, so the kernel must not know
//! them.
//!
//! They are kept here, and mappings of the client are compared with them. A program that is executed gets them from the
//! kernel again.

use super::Call;
use crate::call;
use crate::client_memory;
use crate::lock::Mutex;
use crate::memory::AddressSpace;
use crate::settings;
use crate::stack;
use crate::sys::{self, errno, failure, kernel, Outcome};
use crate::threads::Thread;

/// The kernel's `struct rlimit`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
struct Limit {
    soft: u64,
    hard: u64,
}

const UNLIMITED: Limit = Limit { soft: u64::MAX, hard: u64::MAX };

/// Limits that are kept here.
const KEPT: [u32; 2] = [kernel::RLIMIT_AS, kernel::RLIMIT_DATA];

static LIMITS: Mutex<[Limit; 2]> = Mutex::new([UNLIMITED; 2]);

/// At the start: takes the limits from the kernel, as far as it lets go of them.
pub fn take_over() {
    let mut limits = LIMITS.lock();
    for (resource, limit) in KEPT.into_iter().zip(limits.iter_mut()) {
        *limit = kernel_limit(resource);
        lift(resource, *limit);
    }
}

fn lift(resource: u32, limit: Limit) {
    if limit != UNLIMITED && set_kernel_limit(resource, UNLIMITED) != 0 {
        set_kernel_limit(resource, Limit { soft: limit.hard, ..limit });
    }
}

fn kernel_limit(resource: u32) -> Limit {
    let mut limit = UNLIMITED;
    // SAFETY: the kernel fills our structure.
    unsafe { call!(kernel::__NR_prlimit64, 0, resource, 0, &raw mut limit) };
    limit
}

fn set_kernel_limit(resource: u32, limit: Limit) -> Outcome {
    // SAFETY: the kernel reads our structure.
    unsafe { call!(kernel::__NR_prlimit64, 0, resource, &raw const limit, 0) }
}

/// Gives the limits to the kernel before another program is executed.
pub fn give_back() {
    for (resource, limit) in KEPT.into_iter().zip(*LIMITS.lock()) {
        // A child that borrows this memory may have set another one.
        if limit != UNLIMITED && kernel_limit(resource) == UNLIMITED {
            set_kernel_limit(resource, limit);
        }
    }
}

/// The other program could not be executed.
pub fn take_back() {
    for (resource, limit) in KEPT.into_iter().zip(*LIMITS.lock()) {
        lift(resource, limit);
    }
}

pub fn execute(thread: &Thread, call: &Call) -> Option<Outcome> {
    let [first, second, third, fourth, ..] = call.arguments;
    let (process, resource, new, old) = match call.number {
        kernel::__NR_getrlimit => (0, first, 0, second),
        kernel::__NR_setrlimit => (0, first, second, 0),
        kernel::__NR_prlimit64 => (first as i32, second, third, fourth),
        _ => return None,
    };
    let own = process == 0 || process == sys::process_id();
    // A child that borrows the memory has limits of its own, with which it will execute a program.
    if !own || thread.borrows_memory {
        return None;
    }
    let index = KEPT.iter().position(|kept| u64::from(*kept) == resource & 0xffff_ffff)?;
    Some(exchange(index, new, old))
}

fn exchange(index: usize, new: u64, old: u64) -> Outcome {
    let mut limits = LIMITS.lock();
    let before = limits[index];
    if new != 0 {
        let Ok(limit) = client_memory::read_value::<Limit>(new) else {
            return failure(errno::EFAULT);
        };
        if limit.soft > limit.hard {
            return failure(errno::EINVAL);
        }
        if limit.hard > before.hard && !settings::has_capability(settings::CAP_SYS_RESOURCE) {
            return failure(errno::EPERM);
        }
        limits[index] = limit;
    }
    if old != 0 && client_memory::write_value(old, &before).is_err() {
        return failure(errno::EFAULT);
    }
    0
}

/// May the client map `length` more bytes?
pub fn allow(space: &AddressSpace, length: u64, private_and_writable: bool) -> bool {
    let [all, data] = *LIMITS.lock();
    let fits = |limit: Limit, counted: &dyn Fn(&crate::mappings::Attributes) -> bool| {
        // The first stack is larger than what the kernel would count.
        limit.soft == u64::MAX
            || (space.mappings.total(counted) + length).saturating_sub(stack::size()) <= limit.soft
    };
    let is_data = |attributes: &crate::mappings::Attributes| {
        attributes.protection & kernel::PROT_WRITE != 0 && attributes.shared.is_none()
    };
    fits(all, &|_| true) && (!private_and_writable || fits(data, &is_data))
}

pub fn acquire_for_fork() {
    core::mem::forget(LIMITS.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { LIMITS.release() };
}
