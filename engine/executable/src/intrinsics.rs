//! Functions that compiled Rust code expects from a C library.
//!
//! Small copies dominate (a few bytes of machine code, a vector of boundaries), so they are done with overlapping
//! moves; large ones use the string instructions, which are fast from some hundred bytes on.

use core::arch::asm;
use core::ptr;

/// From this many bytes on the string instructions win.
const STRING_THRESHOLD: usize = 256;

/// # Safety
/// As the C function.
#[no_mangle]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller guarantees both ranges; every access below stays inside of them.
    unsafe {
        if count >= STRING_THRESHOLD {
            asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
                 options(nostack, preserves_flags));
        } else if count >= 16 {
            // All loads of the tail come before its store, so the overlap with the loop is harmless.
            let last = ptr::read_unaligned(from.add(count - 16) as *const u128);
            let mut offset = 0;
            while offset + 16 < count {
                let part = ptr::read_unaligned(from.add(offset) as *const u128);
                ptr::write_unaligned(to.add(offset) as *mut u128, part);
                offset += 16;
            }
            ptr::write_unaligned(to.add(count - 16) as *mut u128, last);
        } else if count >= 8 {
            let first = ptr::read_unaligned(from as *const u64);
            let last = ptr::read_unaligned(from.add(count - 8) as *const u64);
            ptr::write_unaligned(to as *mut u64, first);
            ptr::write_unaligned(to.add(count - 8) as *mut u64, last);
        } else if count >= 4 {
            let first = ptr::read_unaligned(from as *const u32);
            let last = ptr::read_unaligned(from.add(count - 4) as *const u32);
            ptr::write_unaligned(to as *mut u32, first);
            ptr::write_unaligned(to.add(count - 4) as *mut u32, last);
        } else {
            if count == 0 {
                return to;
            }
            // One to three bytes: first, middle and last, which may be the same.
            let (first, middle, last) = (*from, *from.add(count / 2), *from.add(count - 1));
            *to = first;
            *to.add(count / 2) = middle;
            *to.add(count - 1) = last;
        }
    }
    to
}

/// # Safety
/// As the C function.
#[no_mangle]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller guarantees both ranges; the direction is chosen so that no byte is overwritten before it is
    // read.
    unsafe {
        if (to as usize).wrapping_sub(from as usize) >= count {
            asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
                 options(nostack, preserves_flags));
        } else {
            let mut left = count;
            while left >= 8 {
                left -= 8;
                let part = ptr::read_volatile(from.add(left) as *const [u8; 8]);
                ptr::write_volatile(to.add(left) as *mut [u8; 8], part);
            }
            while left > 0 {
                left -= 1;
                ptr::write_volatile(to.add(left), ptr::read_volatile(from.add(left)));
            }
        }
    }
    to
}

/// # Safety
/// As the C function.
#[no_mangle]
pub unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    // SAFETY: the caller guarantees the range.
    unsafe {
        asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") byte as u8,
             options(nostack, preserves_flags));
    }
    to
}

/// # Safety
/// As the C function.
#[no_mangle]
pub unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    let mut index = 0;
    while index < count {
        // SAFETY: the index is inside of both ranges. Volatile, lest the loop becomes a call of this function.
        let (a, b) = unsafe { (ptr::read_volatile(left.add(index)), ptr::read_volatile(right.add(index))) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
        index += 1;
    }
    0
}

/// # Safety
/// As the C function.
#[no_mangle]
pub unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: same contract.
    unsafe { memcmp(left, right, count) }
}

/// # Safety
/// As the C function.
#[no_mangle]
pub unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the caller guarantees that a zero byte follows.
    while unsafe { ptr::read_volatile(text.add(length)) } != 0 {
        length += 1;
    }
    length
}

/// Named by the prebuilt `core`, never called: the engine aborts on panic.
#[no_mangle]
pub extern "C" fn rust_eh_personality() {}

/// Named by the prebuilt `core`, never called: the engine aborts on panic.
#[no_mangle]
pub extern "C" fn _Unwind_Resume() -> ! {
    crate::sys::exit_group(crate::print::EXIT_TOOL_ERROR)
}
