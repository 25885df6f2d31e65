//! Raw system calls and the few wrappers that the engine needs for itself.

use core::arch::asm;
pub use linux_raw_sys::errno;
pub use linux_raw_sys::general as kernel;

/// Result of a system call as the kernel gives it: negative values from -4095 on are error numbers.
pub type Outcome = i64;

/// The kernel's failure value for `error`.
pub const fn failure(error: u32) -> Outcome {
    -(error as i64)
}

pub const fn is_failure(outcome: Outcome) -> bool {
    outcome < 0 && outcome >= -4095
}

/// # Safety
/// Whatever the system call demands.
#[inline(always)]
pub unsafe fn syscall(number: u32, arguments: [u64; 6]) -> Outcome {
    let [a, b, c, d, e, f] = arguments;
    let outcome: i64;
    // SAFETY: the caller vouches for the effects; registers are declared.
    unsafe {
        asm!("syscall", inlateout("rax") i64::from(number) => outcome,
             in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
             lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    outcome
}

/// A system call with up to six arguments, the missing ones 0.
#[macro_export]
macro_rules! call {
    ($number:expr $(, $argument:expr)* $(,)?) => {{
        let given = [$($argument as u64),*];
        let mut arguments = [0u64; 6];
        arguments[..given.len()].copy_from_slice(&given);
        $crate::sys::syscall($number, arguments)
    }};
}

pub const PAGE: u64 = 4096;

pub const fn page_down(address: u64) -> u64 {
    address & !(PAGE - 1)
}

pub const fn page_up(address: u64) -> u64 {
    address.wrapping_add(PAGE - 1) & !(PAGE - 1)
}

pub const READ_WRITE: u32 = kernel::PROT_READ | kernel::PROT_WRITE;
pub const READ_WRITE_EXECUTE: u32 = READ_WRITE | kernel::PROT_EXEC;

/// Maps anonymous memory at exactly `address`, where nothing may be mapped yet.
pub fn map_engine_memory(address: u64, length: u64, protection: u32) -> Result<(), Outcome> {
    map_anonymous(address, length, protection, kernel::MAP_NORESERVE)
}

/// The same for memory that counts against the limits of the system, as the client's own does.
pub fn map_reserved_memory(address: u64, length: u64, protection: u32) -> Result<(), Outcome> {
    map_anonymous(address, length, protection, 0)
}

fn map_anonymous(address: u64, length: u64, protection: u32, more_flags: u32) -> Result<(), Outcome> {
    let flags = kernel::MAP_PRIVATE | kernel::MAP_ANONYMOUS | kernel::MAP_FIXED_NOREPLACE | more_flags;
    // SAFETY: MAP_FIXED_NOREPLACE touches no mapping that exists.
    let outcome = unsafe { call!(kernel::__NR_mmap, address, length, protection, flags, !0u64, 0) };
    if outcome as u64 == address {
        return Ok(());
    }
    if !is_failure(outcome) {
        // A kernel that does not know the flag takes the address as a hint.
        // SAFETY: the mapping was made a moment ago and nobody knows of it.
        unsafe { call!(kernel::__NR_munmap, outcome, length) };
        return Err(failure(errno::EEXIST));
    }
    Err(outcome)
}

/// # Safety
/// Nothing may use the memory any more.
pub unsafe fn unmap(address: u64, length: u64) {
    // SAFETY: see above.
    unsafe { call!(kernel::__NR_munmap, address, length) };
}

pub fn exit_group(status: i32) -> ! {
    loop {
        // SAFETY: ends the process.
        unsafe { call!(kernel::__NR_exit_group, status) };
    }
}

pub fn process_id() -> i32 {
    // SAFETY: no effect.
    unsafe { call!(kernel::__NR_getpid) as i32 }
}

pub fn thread_id() -> i32 {
    // SAFETY: no effect.
    unsafe { call!(kernel::__NR_gettid) as i32 }
}

/// Opens a file read-only and close-on-exec; `path` ends with a zero byte.
pub fn open_for_reading(path: &[u8]) -> Outcome {
    debug_assert_eq!(path.last(), Some(&0));
    let flags = kernel::O_RDONLY | kernel::O_CLOEXEC;
    // SAFETY: the path is a C string.
    unsafe { call!(kernel::__NR_openat, kernel::AT_FDCWD, path.as_ptr(), flags, 0) }
}

/// Maps a part of a file, shared, at exactly `address`, in place of what is mapped there.
pub fn map_shared(address: u64, length: u64, descriptor: i32, offset: u64) -> Result<(), Outcome> {
    let flags = kernel::MAP_SHARED | kernel::MAP_FIXED;
    // SAFETY: the caller owns the addresses.
    let outcome = unsafe { call!(kernel::__NR_mmap, address, length, READ_WRITE, flags, descriptor, offset) };
    if outcome as u64 == address {
        Ok(())
    } else {
        Err(outcome)
    }
}

/// Writes everything at an offset.
pub fn write_at(descriptor: i32, bytes: &[u8], offset: u64) -> Result<(), Outcome> {
    let mut done = 0;
    while done < bytes.len() {
        let rest = &bytes[done..];
        // SAFETY: the bytes are ours.
        let outcome = unsafe {
            call!(kernel::__NR_pwrite64, descriptor, rest.as_ptr(), rest.len(), offset + done as u64)
        };
        if outcome == failure(errno::EINTR) {
            continue;
        }
        if outcome <= 0 {
            return Err(if outcome == 0 { failure(errno::ENOSPC) } else { outcome });
        }
        done += outcome as usize;
    }
    Ok(())
}

/// Largest size that a file of this process may have.
pub fn file_size_limit() -> u64 {
    let mut limit = [u64::MAX; 2];
    // SAFETY: the kernel writes two words.
    unsafe { call!(kernel::__NR_prlimit64, 0, kernel::RLIMIT_FSIZE, 0, limit.as_mut_ptr()) };
    limit[0]
}

pub fn file_length(descriptor: i32) -> u64 {
    // SAFETY: moves the position of a file that is only appended to.
    let outcome = unsafe { call!(kernel::__NR_lseek, descriptor, 0, kernel::SEEK_END) };
    outcome.max(0) as u64
}

/// Where the next byte goes that is written to the file.
pub fn position(descriptor: i32) -> u64 {
    // SAFETY: moves nothing.
    let outcome = unsafe { call!(kernel::__NR_lseek, descriptor, 0, kernel::SEEK_CUR) };
    outcome.max(0) as u64
}

/// Has the file no name any more?
pub fn is_deleted(descriptor: i32) -> bool {
    status(descriptor).is_some_and(|status| status[LINKS] == 0)
}

/// Creates or empties a file that is appended to; the descriptor is high, where clients do not look for theirs.
pub fn create_high(path: &[u8]) -> i32 {
    let flags = kernel::O_RDWR | kernel::O_CREAT | kernel::O_TRUNC;
    let outcome = open_high(path, flags, 0o666);
    if is_failure(outcome) {
        -1
    } else {
        outcome as i32
    }
}

/// Opens a file, close-on-exec; the descriptor is high, where clients do not look for theirs.
pub fn open_high(path: &[u8], flags: u32, mode: u32) -> Outcome {
    debug_assert_eq!(path.last(), Some(&0));
    let flags = flags | kernel::O_CLOEXEC;
    // SAFETY: the path is a C string.
    let low = unsafe { call!(kernel::__NR_openat, kernel::AT_FDCWD, path.as_ptr(), flags, mode) };
    if is_failure(low) {
        return low;
    }
    // SAFETY: our own descriptors.
    let high = unsafe { call!(kernel::__NR_fcntl, low, kernel::F_DUPFD_CLOEXEC, 512) };
    close(low as i32);
    high
}

/// Copies the first `length` bytes of a file.
pub fn copy_range(from: i32, to: i32, length: u64) {
    let mut done = 0;
    while done < length {
        let (mut source, mut target) = (done, done);
        // SAFETY: offsets are ours; both files are the engine's.
        let outcome = unsafe {
            call!(
                kernel::__NR_copy_file_range,
                from,
                &mut source as *mut u64,
                to,
                &mut target as *mut u64,
                length - done,
                0
            )
        };
        if outcome <= 0 {
            return;
        }
        done += outcome as u64;
    }
    // SAFETY: what follows is appended.
    unsafe { call!(kernel::__NR_lseek, to, length, kernel::SEEK_SET) };
}

pub fn close_on_exec(descriptor: i32) {
    // SAFETY: the descriptor belongs to the engine.
    unsafe { call!(kernel::__NR_fcntl, descriptor, kernel::F_SETFD, kernel::FD_CLOEXEC) };
}

pub fn close(descriptor: i32) {
    // SAFETY: the engine closes only what it opened.
    unsafe { call!(kernel::__NR_close, descriptor) };
}

/// Reads at `offset` until `buffer` is full or the file ends; returns the number of bytes.
pub fn read_at(descriptor: i32, buffer: &mut [u8], offset: u64) -> Result<usize, Outcome> {
    let mut done = 0;
    while done < buffer.len() {
        let rest = &mut buffer[done..];
        // SAFETY: the buffer is ours.
        let outcome = unsafe {
            call!(kernel::__NR_pread64, descriptor, rest.as_mut_ptr(), rest.len(), offset + done as u64)
        };
        if outcome == failure(errno::EINTR) {
            continue;
        }
        if outcome < 0 {
            return Err(outcome);
        }
        if outcome == 0 {
            break;
        }
        done += outcome as usize;
    }
    Ok(done)
}

/// Writes everything, or gives up at the first error and returns false.
pub fn write_all(descriptor: i32, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        // SAFETY: the bytes are ours.
        let outcome = unsafe { call!(kernel::__NR_write, descriptor, bytes.as_ptr(), bytes.len()) };
        if outcome == failure(errno::EINTR) || outcome == failure(errno::EAGAIN) {
            continue;
        }
        if outcome <= 0 {
            return false;
        }
        bytes = &bytes[outcome as usize..];
    }
    true
}

/// Name of a link's target, without a terminating zero; `None` if it cannot be read.
pub fn read_link(path: &[u8]) -> Option<alloc::vec::Vec<u8>> {
    debug_assert_eq!(path.last(), Some(&0));
    let mut buffer = alloc::vec![0u8; PAGE as usize];
    // SAFETY: the path is a C string and the buffer is ours.
    let outcome = unsafe { call!(kernel::__NR_readlink, path.as_ptr(), buffer.as_mut_ptr(), buffer.len()) };
    if outcome < 0 {
        return None;
    }
    buffer.truncate(outcome as usize);
    Some(buffer)
}

/// The bytes of a C string without the zero.
///
/// # Safety
/// `text` points to bytes that end with a zero and live long enough.
pub unsafe fn c_string<'a>(text: *const u8) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe { core::slice::from_raw_parts(text, crate::intrinsics::strlen(text)) }
}

/// A number that two descriptors share only if they are about the same file, as good as certainly.
pub fn identity(descriptor: i32) -> Option<u64> {
    Some(identity_in(&status(descriptor)?))
}

fn identity_in(status: &Status) -> u64 {
    (status[DEVICE].wrapping_mul(MIX) ^ status[FILE]) >> 2
}

/// A number that two descriptors share only if they are about the same file and it has not been changed in between, as
/// good as certainly, and the time of its last change in seconds.
pub fn version(descriptor: i32) -> Option<(u64, u64)> {
    Some(version_in(&status(descriptor)?))
}

/// The same by name. `path` ends with a zero byte.
pub fn version_of(path: &[u8]) -> Option<(u64, u64)> {
    Some(version_in(&status_of(path)?))
}

/// The number of a file without what changes with it, by name.
pub fn identity_of(path: &[u8]) -> Option<u64> {
    Some(identity_in(&status_of(path)?))
}

fn version_in(status: &Status) -> (u64, u64) {
    let parts = [DEVICE, FILE, SIZE, MODIFIED, MODIFIED + 1, CHANGED, CHANGED + 1];
    let number = parts.into_iter().fold(0, |number: u64, part| {
        let mixed = (number ^ status[part]).wrapping_mul(MIX);
        mixed ^ mixed >> 32
    });
    (number, status[MODIFIED].max(status[CHANGED]))
}

/// The user that owns a file, and who may do what with it.
pub fn owner_and_mode(descriptor: i32) -> Option<(u32, u32)> {
    let word = status(descriptor)?[MODE_AND_OWNER];
    Some(((word >> 32) as u32, word as u32))
}

/// Positions in `struct stat`, in words; times have seconds and nanoseconds.
const DEVICE: usize = 0;
const FILE: usize = 1;
const LINKS: usize = 2;
const MODE_AND_OWNER: usize = 3;
const SIZE: usize = 6;
const MODIFIED: usize = 11;
const CHANGED: usize = 13;

const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// As large as `struct stat`.
type Status = [u64; 18];

fn status(descriptor: i32) -> Option<Status> {
    let mut status = [0; 18];
    // SAFETY: the kernel writes the structure.
    let outcome = unsafe { call!(kernel::__NR_fstat, descriptor, status.as_mut_ptr()) };
    (!is_failure(outcome)).then_some(status)
}

fn status_of(path: &[u8]) -> Option<Status> {
    debug_assert_eq!(path.last(), Some(&0));
    let mut status: Status = [0; 18];
    // SAFETY: the path is a C string; the kernel writes the structure.
    let outcome =
        unsafe { call!(kernel::__NR_newfstatat, kernel::AT_FDCWD, path.as_ptr(), status.as_mut_ptr(), 0) };
    (!is_failure(outcome)).then_some(status)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let mut time = [0u64; 2];
    // SAFETY: the kernel writes two words.
    unsafe { call!(kernel::__NR_clock_gettime, kernel::CLOCK_REALTIME_COARSE, time.as_mut_ptr()) };
    time[0]
}
