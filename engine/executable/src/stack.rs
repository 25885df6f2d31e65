//! The client's first stack: strings, argument and environment vectors, auxiliary vector.

use crate::call;
use crate::mappings::Attributes;
use crate::memory;
use crate::sys::{self, kernel, Outcome};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use linux_raw_sys::auxvec;

/// Programs raise their own stack limit and count on growth, which this stack cannot do; untouched pages cost nothing.
const SMALLEST: u64 = 256 << 20;
/// With `ulimit -s unlimited`.
const LARGEST: u64 = 16 << 30;

static START: AtomicU64 = AtomicU64::new(0);
static SIZE: AtomicU64 = AtomicU64::new(0);

/// Size of the first stack, whether used or not.
pub fn size() -> u64 {
    SIZE.load(Ordering::Relaxed)
}

/// Lowest address of the first stack if `address` lies in it.
pub fn start_around(address: u64) -> Option<u64> {
    let start = START.load(Ordering::Relaxed);
    (start..start + size()).contains(&address).then_some(start)
}

/// What the client's auxiliary vector says differently from the engine's own.
pub struct ProgramFacts<'a> {
    pub headers: u64,
    pub header_count: u16,
    pub entry: u64,
    pub interpreter_bias: u64,
    /// Path of the program without a terminating zero.
    pub path: &'a [u8],
    pub has_executable_stack: bool,
    /// Address of the vDSO if the client may use it.
    pub vdso: Option<u64>,
}

/// A stack that is being filled from the top.
struct Filler {
    pointer: u64,
}

impl Filler {
    fn put(&mut self, bytes: &[u8]) -> u64 {
        self.pointer -= bytes.len() as u64;
        // SAFETY: below the top of the new stack, which has room for what the kernel accepted as arguments.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.pointer as *mut u8, bytes.len()) };
        self.pointer
    }

    fn put_string(&mut self, text: &[u8]) -> u64 {
        self.put(&[0]);
        self.put(text)
    }

    fn put_words(&mut self, words: &[u64]) -> u64 {
        for word in words.iter().rev() {
            self.put(&word.to_le_bytes());
        }
        self.pointer
    }
}

/// Makes the stack and returns the client's stack pointer.
///
/// # Safety
/// `auxiliary` points to the auxiliary vector that the kernel has given to the engine.
pub unsafe fn build(
    arguments: &[&[u8]],
    environment: &[&[u8]],
    auxiliary: *const u64,
    facts: &ProgramFacts,
) -> Result<u64, Outcome> {
    let top = map_stack(facts.has_executable_stack)?;
    let mut filler = Filler { pointer: top - 8 };
    let executable_name = filler.put_string(facts.path);
    // The environment lies above the arguments and each in ascending order, as some programs expect.
    let mut environment_pointers: Vec<u64> =
        environment.iter().rev().map(|text| filler.put_string(text)).collect();
    let mut argument_pointers: Vec<u64> =
        arguments.iter().rev().map(|text| filler.put_string(text)).collect();
    environment_pointers.reverse();
    argument_pointers.reverse();
    let platform = filler.put_string(b"x86_64");
    filler.pointer &= !63;
    let random = filler.put(&random_bytes());
    let mut words = Vec::new();
    words.push(argument_pointers.len() as u64);
    words.extend_from_slice(&argument_pointers);
    words.push(0);
    words.extend_from_slice(&environment_pointers);
    words.push(0);
    // SAFETY: the caller's promise.
    for (key, value) in unsafe { auxiliary_entries(auxiliary) } {
        let value = match key as u32 {
            auxvec::AT_PHDR => facts.headers,
            auxvec::AT_PHNUM => u64::from(facts.header_count),
            auxvec::AT_BASE => facts.interpreter_bias,
            auxvec::AT_ENTRY => facts.entry,
            auxvec::AT_EXECFN => executable_name,
            auxvec::AT_RANDOM => random,
            auxvec::AT_PLATFORM => platform,
            auxvec::AT_BASE_PLATFORM | AT_RSEQ_FEATURE_SIZE | AT_RSEQ_ALIGN => continue,
            auxvec::AT_SYSINFO_EHDR => match facts.vdso {
                Some(address) => address,
                None => continue,
            },
            _ => value,
        };
        words.push(key);
        words.push(value);
    }
    words.push(u64::from(auxvec::AT_NULL));
    words.push(0);
    // The psABI wants rsp to be a multiple of 16 at the entry.
    let misalignment = (filler.pointer - 8 * words.len() as u64) % 16;
    filler.pointer -= misalignment;
    Ok(filler.put_words(&words))
}

/// Restartable sequences are hidden: the kernel would not recognise their addresses in the code cache.
const AT_RSEQ_FEATURE_SIZE: u32 = 27;
const AT_RSEQ_ALIGN: u32 = 28;

/// Key and value pairs up to the terminator.
///
/// # Safety
/// `auxiliary` points to an auxiliary vector.
pub unsafe fn auxiliary_entries(mut auxiliary: *const u64) -> Vec<(u64, u64)> {
    let mut entries = Vec::new();
    loop {
        // SAFETY: the vector ends with AT_NULL.
        let (key, value) = unsafe { (*auxiliary, *auxiliary.add(1)) };
        if key == u64::from(auxvec::AT_NULL) {
            return entries;
        }
        entries.push((key, value));
        // SAFETY: as above.
        auxiliary = unsafe { auxiliary.add(2) };
    }
}

/// Random words from the kernel.
pub fn random() -> [u32; 4] {
    let mut words = [0u32; 4];
    // SAFETY: the buffer is ours.
    unsafe { call!(kernel::__NR_getrandom, words.as_mut_ptr(), size_of_val(&words), 0) };
    words
}

fn random_bytes() -> [u8; 16] {
    let mut bytes = [0u8; 16];
    for (bytes, word) in bytes.chunks_mut(4).zip(random()) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn map_stack(is_executable: bool) -> Result<u64, Outcome> {
    let mut limit = [SMALLEST; 2];
    // SAFETY: the kernel fills our array.
    unsafe { call!(kernel::__NR_prlimit64, 0, kernel::RLIMIT_STACK, 0, limit.as_mut_ptr()) };
    let size = sys::page_down(limit[0].clamp(SMALLEST, LARGEST));
    let protection = if is_executable { sys::READ_WRITE_EXECUTE } else { sys::READ_WRITE };
    let mut space = memory::write();
    let start = space.place_far(size, sys::PAGE).ok_or(sys::failure(sys::errno::ENOMEM))?;
    sys::map_engine_memory(start, size, protection)?;
    let attributes = Attributes { protection, file: false, ever_writable: true, shared: None };
    space.note_mapped(start, size, attributes);
    START.store(start, Ordering::Relaxed);
    SIZE.store(size, Ordering::Relaxed);
    Ok(start + size)
}
