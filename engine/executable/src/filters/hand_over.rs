//! Filters outlive the execution of a program.

use super::program::{FilterProgram, Instruction};
use super::{Filter, Filters, ANY};
use crate::sys::{self, kernel, Outcome};
use crate::threads::Thread;
use crate::{call, fatal};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use linux_raw_sys::prctl;

const SET_MODE_FILTER: u32 = 1;
const MODE_FILTER: u32 = 2;

/// The kernel's `struct sock_fprog`.
#[repr(C)]
struct SocketFilter {
    count: u16,
    instructions: *const Instruction,
}

/// Immediately before the execution of a program that runs without the engine: the filters go to the kernel, for good.
pub fn give_to_kernel(thread: &Thread) -> Outcome {
    let Filters::Programs(filters) = thread.filters.lock().clone() else { return 0 };
    for filter in &filters {
        let instructions = filter.program.instructions();
        let program = SocketFilter { count: instructions.len() as u16, instructions: instructions.as_ptr() };
        // The filters before this one have let the client make the same call.
        // SAFETY: the kernel copies the program.
        let outcome = unsafe {
            if filter.by_prctl {
                call!(kernel::__NR_prctl, prctl::PR_SET_SECCOMP, MODE_FILTER, &raw const program)
            } else {
                call!(kernel::__NR_seccomp, SET_MODE_FILTER, 0, &raw const program)
            }
        };
        if sys::is_failure(outcome) {
            return outcome;
        }
    }
    0
}

/// In front of each program in the file: its number of instructions, and 1 for `prctl`.
type Head = [u32; 2];
const INSTRUCTION_SIZE: usize = 8;

/// Before the execution of a program under derivgrind: a file in memory with the filters, if there are any.
pub fn give_to_next_engine(thread: &Thread) -> Result<Option<i32>, Outcome> {
    let Filters::Programs(filters) = thread.filters.lock().clone() else { return Ok(None) };
    let mut bytes = Vec::new();
    for filter in &filters {
        let instructions = filter.program.instructions();
        let head: Head = [instructions.len() as u32, u32::from(filter.by_prctl)];
        head.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        // SAFETY: instructions consist of integers without padding.
        bytes.extend_from_slice(unsafe {
            core::slice::from_raw_parts(
                instructions.as_ptr().cast::<u8>(),
                INSTRUCTION_SIZE * instructions.len(),
            )
        });
    }
    // SAFETY: the name is a C string.
    let file = unsafe { call!(kernel::__NR_memfd_create, c"derivgrind-filters".as_ptr(), 0) };
    if sys::is_failure(file) {
        return Err(file);
    }
    sys::write_at(file as i32, &bytes, 0)?;
    Ok(Some(file as i32))
}

/// In the next engine: takes the filters from the file. Without them the program would be allowed too much.
pub fn take_over(thread: &Thread, descriptor: i32) {
    let mut bytes = alloc::vec![0; sys::file_length(descriptor) as usize];
    let complete = sys::read_at(descriptor, &mut bytes, 0) == Ok(bytes.len());
    sys::close(descriptor);
    let Some(filters) = read(&bytes).filter(|_| complete) else {
        fatal!("The filters for system calls cannot be read from descriptor {}.", descriptor);
    };
    *thread.filters.lock() = Filters::Programs(filters);
    ANY.store(true, Ordering::SeqCst);
}

fn read(mut bytes: &[u8]) -> Option<Vec<Arc<Filter>>> {
    let mut filters = Vec::new();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at_checked(size_of::<Head>())?;
        let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
        let (program, others) = rest.split_at_checked(INSTRUCTION_SIZE * word(0) as usize)?;
        let instructions = program.chunks_exact(INSTRUCTION_SIZE).map(|bytes| {
            // SAFETY: any eight bytes are an instruction.
            unsafe { bytes.as_ptr().cast::<Instruction>().read_unaligned() }
        });
        let program = FilterProgram::check(instructions.collect()).ok()?;
        filters.push(Arc::new(Filter { program, by_prctl: word(4) == 1 }));
        bytes = others;
    }
    (!filters.is_empty()).then_some(filters)
}
