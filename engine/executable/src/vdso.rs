//! The kernel's code for `clock_gettime` and friends, moved to where the client's code is.
//!
//! The kernel maps it near the top of the address space, where nothing has a shadow. Moved as a whole, with the data
//! pages that it reads relative to itself, it is client code like any other: time stays as cheap as natively. Where the
//! kernel does not let it be moved it is hidden, and C libraries use system calls instead.

use crate::call;
use crate::mappings::Attributes;
use crate::memory;
use crate::sys::{self, kernel};
use alloc::vec::Vec;

/// One of the kernel's special mappings.
struct Part {
    start: u64,
    end: u64,
    executable: bool,
}

/// Moves the code that the kernel has mapped at `address`; returns where it is now.
pub fn move_to_client(address: u64) -> Option<u64> {
    let parts = find_parts();
    let start = parts.iter().map(|part| part.start).min()?;
    let end = parts.iter().map(|part| part.end).max()?;
    let contiguous = parts.iter().map(|part| part.end - part.start).sum::<u64>() == end - start;
    if !contiguous || !(start..end).contains(&address) {
        return None;
    }
    let mut space = memory::write();
    let target = space.place_near(end - start)?;
    for part in &parts {
        let place = target + (part.start - start);
        let length = part.end - part.start;
        let flags = kernel::MREMAP_MAYMOVE | kernel::MREMAP_FIXED;
        // SAFETY: the target is free, and nothing in the engine uses these pages.
        let outcome = unsafe { call!(kernel::__NR_mremap, part.start, length, length, flags, place) };
        if outcome as u64 != place {
            return None;
        }
        let execute = if part.executable { kernel::PROT_EXEC } else { 0 };
        let protection = kernel::PROT_READ | execute;
        space.note_mapped(
            place,
            length,
            Attributes { protection, file: false, ever_writable: true, shared: None },
        );
    }
    Some(target + (address - start))
}

/// The special mappings in `/proc/self/maps`, of which the data parts have names that depend on the kernel.
fn find_parts() -> Vec<Part> {
    let mut parts = Vec::new();
    for line in read_maps().split(|byte| *byte == b'\n') {
        let executable = line.ends_with(b"[vdso]");
        let name = line.rsplit(|byte| *byte == b' ').next().unwrap_or(line);
        if !executable && !name.starts_with(b"[vvar") {
            continue;
        }
        let range = line.split(|byte| *byte == b' ').next().unwrap_or(line);
        let mut bounds = range.split(|byte| *byte == b'-').map(parse_hexadecimal);
        if let (Some(Some(start)), Some(Some(end))) = (bounds.next(), bounds.next()) {
            parts.push(Part { start, end, executable });
        }
    }
    parts
}

fn parse_hexadecimal(digits: &[u8]) -> Option<u64> {
    u64::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}

fn read_maps() -> Vec<u8> {
    let mut text = Vec::new();
    let descriptor = sys::open_for_reading(b"/proc/self/maps\0");
    if sys::is_failure(descriptor) {
        return text;
    }
    let mut buffer = [0u8; 4096];
    loop {
        // SAFETY: the buffer is ours.
        let count = unsafe { call!(kernel::__NR_read, descriptor, buffer.as_mut_ptr(), buffer.len()) };
        if count <= 0 {
            break;
        }
        text.extend_from_slice(&buffer[..count as usize]);
    }
    sys::close(descriptor as i32);
    text
}
