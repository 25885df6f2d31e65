//! The end of the process and its replacement by another program.

use super::Call;
use crate::call;
use crate::client_memory;
use crate::config::{self, Verbosity};
use crate::filters;
use crate::print;
use crate::program;
use crate::recording;
use crate::report;
use crate::settings;
use crate::signals;
use crate::sys::{self, errno, failure, kernel, Outcome};
use crate::syscalls::{file, limits};
use crate::threads::Thread;
use crate::window;
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, Ordering};
use linux_raw_sys::prctl;

/// The process that the user started under the tool, while it has not made others.
static FIRST: AtomicI32 = AtomicI32::new(0);

pub fn remember_first() {
    FIRST.store(sys::process_id(), Ordering::Relaxed);
}

/// Is this that process?
pub fn is_first() -> bool {
    FIRST.load(Ordering::Relaxed) == sys::process_id()
}

pub fn execute(thread: &mut Thread, call: &Call) -> Option<Outcome> {
    let [first, second, third, fourth, fifth, _] = call.arguments;
    match call.number {
        kernel::__NR_exit_group => {
            thread.cache.describe();
            thread.cache.keep();
            report::make(thread);
            sys::exit_group(first as i32)
        }
        kernel::__NR_execve => {
            let request = ExecRequest {
                number: call.number,
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
                number: call.number,
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
        kernel::__NR_prctl if first == u64::from(prctl::PR_SET_MDWE) => {
            window::keep_executable();
            None
        }
        _ => filters::user_dispatch::execute(thread, call).or_else(|| filters::execute(thread, call)),
    }
}

const PTRACE_TRACEME: u64 = 0;

struct ExecRequest {
    /// Of the system call.
    number: u32,
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
    thread.cache.keep();
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
    let request = ExecRequest { path: path.as_ptr() as u64, ..*request };
    let full = full_path(&request, &path);
    let gets_filters = is_accessible(&full) && first_bytes(&full).is_none_or(|start| is_program(&start));
    replace(thread, &request, gets_filters)
}

/// A program that replaces what the user has started (a wrapper, a shell with one command) runs natively, and the user
/// would wait for derivatives in vain. That children do so is what the option says.
fn announce_native_program(request: &ExecRequest, path: &[u8]) {
    if !is_first() || config::current().verbosity == Verbosity::Quiet || !is_executable(request, path) {
        return;
    }
    let name = String::from_utf8_lossy(path.strip_suffix(b"\0").unwrap_or(path));
    print::print(format_args!(
        "{name} replaces the program and runs natively; with --trace-children=yes it runs under derivgrind."
    ));
}

/// The system call itself, with the signal state that the new program inherits. If it gets the client's filters, they
/// stay in the kernel also if the call fails: so it gets them only if that is not to be expected.
fn replace(thread: &Thread, request: &ExecRequest, gets_filters: bool) -> Outcome {
    thread.signals.actions.pass_ignored_to_kernel();
    limits::give_back();
    signals::set_kernel_mask(thread.signals.mask);
    let refused = if gets_filters { filters::give_to_kernel(thread) } else { 0 };
    let ExecRequest { number, directory, path, arguments, environment, flags } = *request;
    let outcome = if sys::is_failure(refused) {
        refused
    } else if number == kernel::__NR_execve {
        // SAFETY: either everything is replaced or nothing changes.
        unsafe { call!(number, path, arguments, environment) }
    } else {
        // SAFETY: as above.
        unsafe { call!(number, directory, path, arguments, environment, flags) }
    };
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
    let filters = match filters::give_to_next_engine(thread) {
        Ok(filters) => filters,
        Err(error) => return Some(error),
    };
    let filters_option = filters.map(|file| alloc::format!("--exec-filters-fd={file}\0"));
    words.extend(filters_option.iter().map(|option| option.as_ptr() as u64));
    words.push(c"--".as_ptr() as u64);
    words.push(full.as_ptr() as u64);
    words.extend(arguments.iter().skip(1));
    words.push(0);
    let launcher = ExecRequest {
        number: kernel::__NR_execve,
        path: configuration.launcher.as_ptr() as u64,
        arguments: words.as_ptr() as u64,
        ..*request
    };
    let outcome = replace(thread, &launcher, false);
    if let Some(file) = filters {
        sys::close(file);
    }
    Some(outcome)
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
const SCRIPT: &[u8] = b"#!";
const MACHINE_OFFSET: usize = 18;
const EM_X86_64: u16 = 62;

/// Does the kernel accept it, and is it a program for this machine or a script?
fn can_be_traced(path: &[u8]) -> bool {
    if !is_accessible(path) {
        return false;
    }
    let Some(start) = first_bytes(path) else { return false };
    let machine = u16::from_le_bytes([start[MACHINE_OFFSET], start[MACHINE_OFFSET + 1]]);
    start.starts_with(SCRIPT) || (start.starts_with(&ELF_64_LITTLE_ENDIAN) && machine == EM_X86_64)
}

/// Is it a script or a program, of whatever machine? Else the kernel says that it cannot execute it.
fn is_program(start: &[u8]) -> bool {
    start.starts_with(SCRIPT) || start.starts_with(&ELF_64_LITTLE_ENDIAN[..4])
}

/// The beginning of a file that can be read.
fn first_bytes(path: &[u8]) -> Option<[u8; 20]> {
    let descriptor = sys::open_for_reading(path);
    if sys::is_failure(descriptor) {
        return None;
    }
    let mut start = [0u8; 20];
    let count = sys::read_at(descriptor as i32, &mut start, 0);
    sys::close(descriptor as i32);
    count.is_ok().then_some(start)
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
