//! The report at the end of the client: what met active values and was not differentiated.
//!
//! The engine knows addresses; functions, files and lines are found by the launcher, which can use the standard
//! library. So the engine writes a list into a memory file and runs the launcher on it before the process ends.

use crate::call;
use crate::config::{self, Verbosity};
use crate::counters;
use crate::leaving::{self, Way};
use crate::library_functions;
use crate::memory;
use crate::modules;
use crate::print;
use crate::program;
use crate::recording;
use crate::signals;
use crate::sys::{self, errno, failure, kernel};
use crate::threads::Thread;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};
use derivgrind_translate::interface::SiteKind;
use derivgrind_translate::translate::instruction_name;

static MADE: AtomicBool = AtomicBool::new(false);

/// Makes the report if there is something to report and the memory belongs to this process, which ends.
pub fn make(thread: &Thread) {
    make_for(thread, true);
}

/// The same before the process tries to execute another program.
pub fn make_before_execution(thread: &Thread) {
    make_for(thread, false);
}

fn make_for(thread: &Thread, ends: bool) {
    if thread.borrows_memory || MADE.swap(true, Ordering::SeqCst) {
        return;
    }
    recording::finish(thread, ends);
    let totals = counters::totals();
    let passive_outputs = recording::indices::passive_outputs();
    let conversion = recording::conversion();
    leaving::count_shared(&memory::read(), 0, u64::MAX);
    let left = what_has_left();
    // Programs without inputs, such as a shell that starts others, have no use for rules.
    let has_use = ends && thread.settings().differentiating;
    let unused_rules = if has_use { unused_rules() } else { String::new() };
    let is_any = !totals.is_empty() || !passive_outputs.is_empty() || conversion.is_some();
    if !is_any && left.is_empty() && unused_rules.is_empty() {
        return;
    }
    let mut bytes = Vec::new();
    modules::for_each(|module| {
        let line = format!("module {:x} {:x} {:x} ", module.start, module.end, module.offset);
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(&module.path);
        bytes.push(b'\n');
    });
    let mut sites = String::new();
    for total in &totals {
        let (kind, name) = match total.kind {
            SiteKind::Instruction(code) => ('i', instruction_name(code)),
            SiteKind::Function => ('f', library_functions::name(total.pc)),
        };
        let _ = writeln!(sites, "site {} {} {:x} {}", total.count, kind, total.pc, name);
    }
    sites.push_str(&left);
    sites.push_str(&unused_rules);
    for number in passive_outputs {
        let _ = writeln!(sites, "passive-output {number}");
    }
    bytes.extend_from_slice(sites.as_bytes());
    let directory = conversion.as_ref().map(|(_, directory)| directory.clone());
    let is_explained = memory_file(&bytes).is_some_and(|descriptor| {
        let is_explained = run_launcher(descriptor, conversion);
        sys::close(descriptor);
        is_explained
    });
    if is_explained {
        return;
    }
    if let Some(directory) = directory {
        print::print(format_args!(
            "The tape in {directory} could not be written as blocks, and stays as it is: \
             `tape-evaluation --export=blocks` does it."
        ));
    }
    if !sites.is_empty() && config::current().verbosity != Verbosity::Quiet {
        print_addresses(&sites);
    }
}

/// The report without functions and lines, if the launcher cannot be run: the client may have changed its root
/// directory, its user, or a limit.
fn print_addresses(lines: &str) {
    let launcher = String::from_utf8_lossy(&config::current().launcher);
    print::print(format_args!(
        "Something was not differentiated. {} cannot be run any more to say in which functions. In short:",
        launcher.trim_end_matches('\0'),
    ));
    for line in lines.lines() {
        let words: Vec<&str> = line.splitn(5, ' ').collect();
        match words[..] {
            ["site", count, _, pc, name] => {
                let times = if count == "1" { "time " } else { "times" };
                print::print(format_args!("  {count} {times}  {name}  at {}", place(pc)));
            }
            _ => print::print(format_args!("  {line}")),
        }
    }
}

/// File and offset of an address in hexadecimal digits.
fn place(digits: &str) -> String {
    let mut place = format!("{digits} (generated code)");
    let address = u64::from_str_radix(digits, 16).unwrap_or(0);
    modules::for_each(|module| {
        if (module.start..module.end).contains(&address) {
            let path = String::from_utf8_lossy(&module.path);
            place = format!("{path}, offset {:#x}", address - module.start + module.offset);
        }
    });
    place
}

/// Lines about rules of the user for functions that no file had.
fn unused_rules() -> String {
    let mut lines = String::new();
    for rule in library_functions::unused_rules() {
        let _ = writeln!(lines, "unused-rule {} {}", rule.name, rule.library);
    }
    lines
}

/// Lines about active numbers that have left the process.
fn what_has_left() -> String {
    let mut lines = String::new();
    leaving::for_each(|way, place, words, target| {
        let (kind, number) = match way {
            Way::Descriptor(descriptor) => ('d', descriptor as u64),
            Way::Process(process) => ('p', process as u64),
            Way::Queue(queue) => ('q', queue as u64),
            Way::Memory(address) => ('m', address),
        };
        let _ = writeln!(lines, "left {words} {kind} {number:x} {place:x} {}", target.escape_default());
    });
    lines
}

/// The client goes on after all: what comes from now on is to be reported at its end.
pub fn make_again_later() {
    if MADE.swap(false, Ordering::SeqCst) {
        counters::clear();
        leaving::clear();
        recording::go_on();
    }
}

fn memory_file(bytes: &[u8]) -> Option<i32> {
    // SAFETY: the name is a C string.
    let descriptor = unsafe { call!(kernel::__NR_memfd_create, c"derivgrind-report".as_ptr(), 0) };
    if sys::is_failure(descriptor) {
        return None;
    }
    let descriptor = descriptor as i32;
    if sys::write_all(descriptor, bytes) {
        return Some(descriptor);
    }
    sys::close(descriptor);
    None
}

/// Runs the launcher in a child and waits for it. False if it has not come to say anything.
fn run_launcher(descriptor: i32, conversion: Option<(i32, String)>) -> bool {
    let configuration = config::current();
    let from = format!("--report-from-fd={descriptor}\0");
    let log = format!("--report-log-fd={}\0", configuration.log_descriptor);
    let process = format!("--report-pid={}\0", sys::process_id());
    let mut words: Vec<u64> =
        [configuration.launcher.as_ptr(), from.as_ptr(), process.as_ptr(), log.as_ptr()]
            .map(|word| word as u64)
            .into();
    words.extend(configuration.options.iter().map(|option| option.as_ptr() as u64));
    let tape = conversion.as_ref().map(|(tape, _)| *tape);
    let conversion = conversion.map(|(tape, directory)| {
        (format!("--convert-tape-from-fd={tape}\0"), format!("--convert-tape-in={directory}\0"))
    });
    if let Some((from, to)) = &conversion {
        words.push(from.as_ptr() as u64);
        words.push(to.as_ptr() as u64);
    }
    words.push(0);
    let before = signals::block_everything();
    // Without an exit signal, so that neither the client's handlers nor its waits see the child.
    // SAFETY: the child has a copy of everything and executes another program at once.
    let child = unsafe { call!(kernel::__NR_clone, kernel::CLONE_VFORK, 0, 0, 0, 0) };
    if child == 0 {
        become_launcher(&words, tape);
    }
    let is_explained = !sys::is_failure(child) && has_spoken(wait_for(child));
    signals::set_kernel_mask(before);
    is_explained
}

/// Does a child with this status of `wait4` say what there is to say? A failure of its own it has said, too.
fn has_spoken(status: u32) -> bool {
    status == 0 || status == (print::EXIT_TOOL_ERROR as u32) << 8
}

fn become_launcher(words: &[u64], tape: Option<i32>) -> ! {
    let log = config::current().log_descriptor;
    signals::set_kernel_mask(0);
    // SAFETY: either the program is replaced or the child ends. The log must survive the replacement.
    unsafe {
        call!(kernel::__NR_fcntl, log, kernel::F_SETFD, 0);
        if let Some(tape) = tape {
            call!(kernel::__NR_fcntl, tape, kernel::F_SETFD, 0);
        }
        call!(kernel::__NR_execve, words[0], words.as_ptr(), program::environment());
    }
    sys::exit_group(print::EXIT_NOT_FOUND)
}

/// `__WALL`: wait for a child of any kind; executing a program gives it the usual exit signal.
const WAIT_ALL: u32 = 0x4000_0000;

fn wait_for(child: i64) -> u32 {
    let mut status = 0u32;
    loop {
        // SAFETY: the status is ours.
        let outcome = unsafe { call!(kernel::__NR_wait4, child, &raw mut status, WAIT_ALL, 0) };
        if outcome != failure(errno::EINTR) {
            return status;
        }
    }
}
