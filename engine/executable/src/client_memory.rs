//! Access to the client's memory through pointers that the client gave and that may be wrong.
//!
//! The copy is one string instruction; if it faults, the signal handler finds the instruction pointer in its range and
//! goes on behind it.

use crate::shadow;
use crate::signals::frame::UserContext;
use core::arch::global_asm;

global_asm!(
    ".globl derivgrind_copy",
    "derivgrind_copy:",
    "mov rcx, rdx",
    ".globl derivgrind_copy_start",
    "derivgrind_copy_start:",
    "rep movsb",
    ".globl derivgrind_copy_end",
    "derivgrind_copy_end:",
    // What is left; zero if nothing has gone wrong.
    "mov rax, rcx",
    "ret",
);

extern "C" {
    fn derivgrind_copy(to: *mut u8, from: *const u8, count: usize) -> usize;
    fn derivgrind_copy_start();
    fn derivgrind_copy_end();
}

/// An address that the client gave is not mapped, or not as needed.
#[derive(Debug)]
pub struct BadAddress;

/// Copies from the client.
pub fn read(address: u64, bytes: &mut [u8]) -> Result<(), BadAddress> {
    // SAFETY: faults are caught; the target is ours.
    let left = unsafe { derivgrind_copy(bytes.as_mut_ptr(), address as *const u8, bytes.len()) };
    if left == 0 {
        Ok(())
    } else {
        Err(BadAddress)
    }
}

/// Copies to the client; the bytes are passive afterwards.
pub fn write(address: u64, bytes: &[u8]) -> Result<(), BadAddress> {
    if !crate::memory::belongs_to_client(address, address.saturating_add(bytes.len() as u64)) {
        return Err(BadAddress);
    }
    // SAFETY: faults are caught; the target is in the client's part of the address space.
    let left = unsafe { derivgrind_copy(address as *mut u8, bytes.as_ptr(), bytes.len()) };
    shadow::clear(address, bytes.len() as u64);
    if left == 0 {
        Ok(())
    } else {
        Err(BadAddress)
    }
}

/// Reads a plain value.
pub fn read_value<T: Copy>(address: u64) -> Result<T, BadAddress> {
    let mut value = core::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: the bytes of the value; callers use types for which all bytes are valid.
    let bytes =
        unsafe { core::slice::from_raw_parts_mut(value.as_mut_ptr() as *mut u8, core::mem::size_of::<T>()) };
    read(address, bytes)?;
    // SAFETY: filled above.
    Ok(unsafe { value.assume_init() })
}

/// Writes a plain value.
pub fn write_value<T: Copy>(address: u64, value: &T) -> Result<(), BadAddress> {
    // SAFETY: the bytes of a value without padding.
    let bytes =
        unsafe { core::slice::from_raw_parts(value as *const T as *const u8, core::mem::size_of::<T>()) };
    write(address, bytes)
}

/// Reads a C string without its zero.
pub fn read_string(address: u64) -> Result<alloc::vec::Vec<u8>, BadAddress> {
    let mut text = alloc::vec::Vec::new();
    loop {
        let byte: u8 = read_value(address + text.len() as u64)?;
        if byte == 0 {
            return Ok(text);
        }
        text.push(byte);
    }
}

/// Has the copy faulted?
pub fn is_copying(user: &UserContext) -> bool {
    let start = derivgrind_copy_start as *const () as u64;
    let end = derivgrind_copy_end as *const () as u64;
    (start..end).contains(&user.instruction)
}

/// Called by the signal handler: if the copy has faulted, it ends early.
pub fn recover(user: &mut UserContext) -> bool {
    let copies = is_copying(user);
    if copies {
        user.instruction = derivgrind_copy_end as *const () as u64;
    }
    copies
}
