//! The end of the process and its replacement by another program.

use super::Call;
use crate::call;
use crate::client_memory;
use crate::config::{self, Verbosity};
use crate::detail;
use crate::print;
use crate::program;
use crate::recording;
use crate::report;
use crate::settings;
use crate::signals;
use crate::sys::{self, errno, failure, kernel, Outcome};
use crate::syscalls::{file, limits};
use crate::threads::Thread;
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, Ordering};

/// The process that the user started under the tool, while it has not made others.
static FIRST: AtomicI32 = AtomicI32::new(0);

pub fn remember_first() {
    FIRST.store(sys::process_id(), Ordering::Relaxed);
}

pub fn execute(thread: &mut Thread, call: &Call) -> Option<Outcome> {
    let [first, second, third, fourth, fifth, _] = call.arguments;
    match call.number {
        kernel::__NR_exit_group => {
            thread.cache.describe();
            report::make(thread);
            sys::exit_group(first as i32)
        }
        kernel::__NR_execve => {
            let request = ExecRequest {
                directory: kernel::AT_FDCWD as u64,
                path: first,
                arguments: second,
                environment: third,
                flags: 0,
            };
            Some(execute_program(thread, &request))
        }
        kernel::__NR_execveat => {
            let request = ExecRequest {
                directory: first,
                path: second,
                arguments: third,
                environment: fourth,
                flags: fifth,
            };
            Some(execute_program(thread, &request))
        }
        kernel::__NR_ptrace if first == PTRACE_TRACEME => {
            thread.is_debugged = true;
            None
        }
        kernel::__NR_prctl if first == PR_SET_SECCOMP => Some(refuse_filter(call.pc)),
        kernel::__NR_seccomp => Some(refuse_filter(call.pc)),
        _ => None,
    }
}

const PTRACE_TRACEME: u64 = 0;
const PR_SET_SECCOMP: u64 = 22;

/// A filter would forbid the engine what it needs, and the kernel cannot tell its calls from the client's. Programs find a
/// kernel without filters, which they have to cope with.
fn refuse_filter(pc: u64) -> Outcome {
    detail!(
        "the filter for system calls (seccomp) at {:#x} is refused: it would concern derivgrind, too",
        pc
    );
    failure(errno::EINVAL)
}

struct ExecRequest {
    directory: u64,
    path: u64,
    arguments: u64,
    environment: u64,
    flags: u64,
}

fn execute_program(thread: &mut Thread, request: &ExecRequest) -> Outcome {
    let Ok(path) = client_memory::read_string(request.path) else {
        return failure(errno::EFAULT);
    };
    let mut path = path;
    if file::names_executable(&path) {
        path = program::path_without_zero().to_vec();
    }
    path.push(0);
    if settings::differentiating() && is_executable(request, &path) {
        report::make_before_execution(thread);
    }
    if !config::current().trace_children || thread.is_debugged {
        announce_native_program(request, &path);
    } else {
        if let Some(outcome) = execute_traced(thread, request, &path) {
            return outcome;
        }
    }
    replace(
        thread,
        request.directory,
        path.as_ptr() as u64,
        request.arguments,
        request.environment,
        request.flags,
    )
}

/// A program that replaces what the user has started (a wrapper, a shell with one command) runs natively, and the user
/// would wait for derivatives in vain. That children do so is what the option says.
fn announce_native_program(request: &ExecRequest, path: &[u8]) {
    let first = FIRST.load(Ordering::Relaxed) == sys::process_id();
    if !first || config::current().verbosity == Verbosity::Quiet || !is_executable(request, path) {
        return;
    }
    let name = String::from_utf8_lossy(path.strip_suffix(b"\0").unwrap_or(path));
    print::print(format_args!(
        "{name} replaces the program and runs natively; with --trace-children=yes it runs under derivgrind."
    ));
}

/// The system call itself, with the signal state that the new program inherits.
fn replace(
    thread: &Thread,
    directory: u64,
    path: u64,
    arguments: u64,
    environment: u64,
    flags: u64,
) -> Outcome {
    thread.signals.actions.pass_ignored_to_kernel();
    limits::give_back();
    signals::set_kernel_mask(thread.signals.mask);
    // SAFETY: either everything is replaced or nothing changes.
    let outcome = unsafe { call!(kernel::__NR_execveat, directory, path, arguments, environment, flags) };
    limits::take_back();
    report::make_again_later();
    signals::set_kernel_mask(thread.signals.kernel_mask());
    thread.signals.actions.take_back_from_kernel();
    outcome
}

/// Starts the program under the tool; `None` if the kernel shall say what is wrong with it.
fn execute_traced(thread: &Thread, request: &ExecRequest, path: &[u8]) -> Option<Outcome> {
    let full = full_path(request, path);
    if !can_be_traced(&full) {
        return None;
    }
    let configuration = config::current();
    let Ok(arguments) = read_pointers(request.arguments) else {
        return Some(failure(errno::EFAULT));
    };
    let mut words: Vec<u64> = Vec::new();
    words.push(configuration.launcher.as_ptr() as u64);
    for option in &configuration.options {
        words.push(option.as_ptr() as u64);
    }
    let name = match arguments.first() {
        Some(first) => match client_memory::read_string(*first) {
            Ok(name) => name,
            Err(_) => return Some(failure(errno::EFAULT)),
        },
        None => Vec::new(),
    };
    let mut name_option = b"--exec-argv0=".to_vec();
    name_option.extend_from_slice(&name);
    name_option.push(0);
    words.push(name_option.as_ptr() as u64);
    if !thread.borrows_memory && recording::is_unused() {
        words.push(c"--exec-in-place".as_ptr() as u64);
    }
    words.push(c"--".as_ptr() as u64);
    words.push(full.as_ptr() as u64);
    words.extend(arguments.iter().skip(1));
    words.push(0);
    let launcher = configuration.launcher.as_ptr() as u64;
    let directory = kernel::AT_FDCWD as u64;
    Some(replace(thread, directory, launcher, words.as_ptr() as u64, request.environment, 0))
}

/// The path as the launcher can open it.
fn full_path(request: &ExecRequest, path: &[u8]) -> Vec<u8> {
    let relative_to_descriptor = request.directory as i32 != kernel::AT_FDCWD && path[0] != b'/';
    if !relative_to_descriptor {
        let mut full = path.to_vec();
        // The launcher would search PATH for a bare name.
        if !full.contains(&b'/') {
            full.splice(0..0, *b"./");
        }
        return full;
    }
    let mut full = alloc::format!("/proc/self/fd/{}", request.directory as i32).into_bytes();
    if path.len() > 1 {
        full.push(b'/');
        full.extend_from_slice(path);
    } else {
        full.push(0);
    }
    full
}

const X_OK: u32 = 1;

fn is_accessible(path: &[u8]) -> bool {
    // SAFETY: the path is a C string.
    unsafe { call!(kernel::__NR_faccessat, kernel::AT_FDCWD, path.as_ptr(), X_OK) == 0 }
}

/// Will the kernel probably execute it? Then this is the last moment for a report.
fn is_executable(request: &ExecRequest, path: &[u8]) -> bool {
    is_accessible(&full_path(request, path))
}

/// First bytes of an ELF file for 64-bit little-endian machines.
const ELF_64_LITTLE_ENDIAN: [u8; 6] = *b"\x7fELF\x02\x01";
const MACHINE_OFFSET: usize = 18;
const EM_X86_64: u16 = 62;

/// Does the kernel accept it, and is it a program for this machine or a script?
fn can_be_traced(path: &[u8]) -> bool {
    if !is_accessible(path) {
        return false;
    }
    let descriptor = sys::open_for_reading(path);
    if sys::is_failure(descriptor) {
        return false;
    }
    let mut start = [0u8; 20];
    let count = sys::read_at(descriptor as i32, &mut start, 0);
    sys::close(descriptor as i32);
    if count.is_err() {
        return false;
    }
    let machine = u16::from_le_bytes([start[MACHINE_OFFSET], start[MACHINE_OFFSET + 1]]);
    start.starts_with(b"#!") || (start.starts_with(&ELF_64_LITTLE_ENDIAN) && machine == EM_X86_64)
}

/// Pointers of a zero-terminated array.
fn read_pointers(mut address: u64) -> Result<Vec<u64>, client_memory::BadAddress> {
    let mut pointers = Vec::new();
    if address == 0 {
        return Ok(pointers);
    }
    loop {
        let pointer = client_memory::read_value::<u64>(address)?;
        if pointer == 0 {
            return Ok(pointers);
        }
        pointers.push(pointer);
        address += 8;
    }
}
