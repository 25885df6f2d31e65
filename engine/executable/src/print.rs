//! What the tool says: lines prefixed with the process id, on the log's descriptor.

use crate::config::{self, Verbosity};
use crate::sys;
use alloc::string::String;
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

/// Writes the lines of `text`, each with the prefix, in one system call.
pub fn print(text: core::fmt::Arguments) {
    let mut message = String::new();
    let _ = message.write_fmt(text);
    let mut lines = String::new();
    for line in message.lines() {
        let _ = writeln!(lines, "=={}== {}", sys::process_id(), line);
    }
    sys::write_all(log_descriptor(), lines.as_bytes());
}

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

/// A panic is an error of the engine; it cannot allocate safely, so it formats into a buffer on the stack.
#[panic_handler]
fn panic(information: &core::panic::PanicInfo) -> ! {
    let mut line = StackLine { bytes: [0; 512], length: 0 };
    let _ = writeln!(line, "=={}== internal error of derivgrind: {}", sys::process_id(), information);
    let length = line.length;
    sys::write_all(log_descriptor(), &line.bytes[..length]);
    sys::exit_group(EXIT_TOOL_ERROR)
}

struct StackLine {
    bytes: [u8; 512],
    length: usize,
}

impl Write for StackLine {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let room = self.bytes.len() - self.length;
        let count = text.len().min(room);
        self.bytes[self.length..self.length + count].copy_from_slice(&text.as_bytes()[..count]);
        self.length += count;
        Ok(())
    }
}
