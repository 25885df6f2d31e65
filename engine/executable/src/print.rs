//! What the tool says: lines prefixed with the process id, on the log's descriptor.

use crate::config::{self, Verbosity};
use crate::sys;
use core::fmt::Write;
use core::sync::atomic::{AtomicI32, Ordering};

/// Exit status for an error of the tool itself.
pub const EXIT_TOOL_ERROR: i32 = 125;
/// Exit status if the program cannot be executed.
pub const EXIT_CANNOT_EXECUTE: i32 = 126;
/// Exit status if the program is not found.
pub const EXIT_NOT_FOUND: i32 = 127;

/// Where the tool's own words go: standard error until the configuration is known.
static LOG: AtomicI32 = AtomicI32::new(2);

pub fn log_descriptor() -> i32 {
    LOG.load(Ordering::Relaxed)
}

pub fn set_log_descriptor(descriptor: i32) {
    LOG.store(descriptor, Ordering::Relaxed);
}

/// Writes the lines of `text`, each with the prefix, in one system call. Nothing is allocated: a signal handler may
/// have interrupted the allocator.
pub fn print(text: core::fmt::Arguments) {
    let mut lines = StackLines { bytes: [0; LONGEST], length: 0, at_start: true };
    let _ = lines.write_fmt(text);
    let _ = lines.write_str("\n");
    sys::write_all(log_descriptor(), &lines.bytes[..lines.length]);
}

/// A path and some words; what is longer is cut.
const LONGEST: usize = 5000;

/// Says something that only `-v` shows.
#[macro_export]
macro_rules! detail {
    ($($argument:tt)*) => {
        if $crate::print::speaks_in_detail() {
            $crate::print::print(format_args!($($argument)*))
        }
    };
}

/// Says why the tool cannot go on and ends the process.
#[macro_export]
macro_rules! fatal {
    ($($argument:tt)*) => {{
        $crate::print::print(format_args!($($argument)*));
        $crate::sys::exit_group($crate::print::EXIT_TOOL_ERROR)
    }};
}

pub fn speaks_in_detail() -> bool {
    config::get().is_some_and(|config| config.verbosity == Verbosity::Verbose)
}

#[panic_handler]
fn panic(information: &core::panic::PanicInfo) -> ! {
    print(format_args!("internal error of derivgrind: {information}"));
    sys::exit_group(EXIT_TOOL_ERROR)
}

struct StackLines {
    bytes: [u8; LONGEST],
    length: usize,
    at_start: bool,
}

impl StackLines {
    fn put(&mut self, text: &str) {
        let room = self.bytes.len() - self.length;
        let count = text.len().min(room);
        self.bytes[self.length..self.length + count].copy_from_slice(&text.as_bytes()[..count]);
        self.length += count;
    }
}

impl Write for StackLines {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for line in text.split_inclusive('\n') {
            if core::mem::take(&mut self.at_start) {
                let _ = Prefix(self).write_fmt(format_args!("=={}== ", sys::process_id()));
            }
            self.put(line);
            self.at_start = line.ends_with('\n');
        }
        Ok(())
    }
}

/// Writes the prefix itself.
struct Prefix<'a>(&'a mut StackLines);

impl Write for Prefix<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.put(text);
        Ok(())
    }
}
