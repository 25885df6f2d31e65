//! Memory at fixed addresses: a context, room for code, and the client's code, data and stack, with their shadows.
//!
//! Translated code addresses its context absolutely and below 2 GB, so the addresses are fixed and one test runs at a
//! time. The far places lie above 4 GB, where RIP-relative operands are out of reach of the cache.

use derivgrind_translate::constants;
use derivgrind_translate::context::{
    Context, CLASSES, CONTEXT_SIZE, SHADOW_OFFSET, TABLE_ENTRIES, TABLE_SIZE,
};
use derivgrind_translate::glue::{self, Arrival, Common};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

pub const CONTEXT: u64 = 0x6000_0000;
/// State of the processor before and after a run, as `xsave` lays it out.
pub const STATE_IN: u64 = CONTEXT + CONTEXT_SIZE;
pub const STATE_OUT: u64 = STATE_IN + 0x1000;
pub const STATE_CLEAN: u64 = STATE_IN + 0x2000;
/// State components that the tests know: x87, SSE, AVX, and the three of AVX-512.
pub const COMMON_STATE: u32 = 0b1110_0111;
/// Counters of sites.
pub const COUNTERS: u64 = 0x6001_0000;
/// The lock of atomic operations, behind the counters.
pub const ATOMIC_LOCK: u64 = COUNTERS + 0xf000;
/// Code common to all translations.
const COMMON: u64 = 0x6002_0000;
/// Translations.
pub const CACHE: u64 = 0x6003_0000;
pub const CACHE_SIZE: usize = 0x4_0000;
/// Tables for indirect branches.
const TABLES: u64 = 0x6100_0000;
/// Bytes of each of the client's areas of memory.
pub const AREA: usize = 2048;
/// The client's areas: near data, far data, stack.
pub const AREAS: [u64; 3] = [0x6201_0000, 0x1000_0001_0000, 0x6203_0000];
/// Where the client's code lies, near and far.
pub const CLIENT_CODE: [u64; 2] = [0x6200_0000, 0x1000_0000_0000];
pub const CLIENT_CODE_SIZE: usize = 0x2000;
/// Memory of the reference: what an instruction does to shadows is found by running it on them.
pub const REFERENCE: u64 = 0x6205_0000;
/// Stack of the client: rsp lies in the middle of its area.
pub const STACK_POINTER: u64 = AREAS[2] + AREA as u64 / 2;
/// The client's FS base: the middle of its near data, so that no operand is at `fs:[0x28]`, where the stack protector's
/// canary lies.
pub const FS_BASE: u64 = AREAS[0] + AREA as u64 / 2 + 2;

/// The mapped memory; holding it means to be the only one who runs code.
pub struct Region {
    pub common: Common,
    pub tables: [u64; CLASSES],
}

static LOCK: Mutex<()> = Mutex::new(());
static MAPPED: Once = Once::new();

/// Waits until no other test runs code, and prepares this thread for it.
pub fn lock() -> (MutexGuard<'static, ()>, Region) {
    let guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    MAPPED.call_once(map_all);
    let common = glue::common(COMMON, CONTEXT);
    let tables = std::array::from_fn(|class| TABLES + class as u64 * TABLE_SIZE);
    set_gs_base();
    (guard, Region { common, tables })
}

fn map_all() {
    const HWCAP2_FSGSBASE: libc::c_ulong = 1 << 1;
    // SAFETY: reads the auxiliary vector.
    let features = unsafe { libc::getauxval(libc::AT_HWCAP2) };
    assert!(features & HWCAP2_FSGSBASE != 0, "these tests need a processor and a kernel with wrfsbase");
    map(CONTEXT, CONTEXT_SIZE as usize + 0x3000);
    map(COUNTERS, 0x1000);
    map(COMMON, 0x1000);
    map(CACHE, CACHE_SIZE);
    map(TABLES, CLASSES * TABLE_SIZE as usize);
    map(REFERENCE, 0x2000);
    map(super::tape::STATE, 0x1000);
    map(super::tape::BUFFER, super::tape::BUFFER_SIZE);
    for address in CLIENT_CODE {
        map(address, CLIENT_CODE_SIZE);
        map_shadow(address, CLIENT_CODE_SIZE);
    }
    for address in AREAS {
        map(address, AREA);
        map_shadow(address, AREA);
    }
    // SAFETY: mapped above, and used by nobody else.
    let context = unsafe { std::slice::from_raw_parts_mut(CONTEXT as *mut u8, CONTEXT_SIZE as usize) };
    constants::fill(context);
    // SAFETY: as above.
    unsafe { (*self::context()).fs_base = FS_BASE };
    // The test itself masks all floating-point exceptions.
    write(STATE_CLEAN + 24, &0x1f80u32.to_le_bytes());
    let common = glue::common(COMMON, CONTEXT);
    write(COMMON, &common.code);
    for arrival in Arrival::ALL {
        for (class, miss) in common.misses[arrival as usize].iter().enumerate() {
            let table = TABLES + class as u64 * TABLE_SIZE + arrival.offset();
            for entry in 0..TABLE_ENTRIES as u64 {
                write(table + entry * 8, &miss.to_le_bytes());
            }
        }
    }
}

fn map_shadow(address: u64, size: usize) {
    let start = (address + SHADOW_OFFSET) & !0xfff;
    let end = (address + SHADOW_OFFSET + size as u64 + 0xfff) & !0xfff;
    map(start, (end - start) as usize);
}

fn map(address: u64, size: usize) {
    let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: the flags make the call fail where anything is mapped already.
    let place = unsafe { libc::mmap(address as *mut libc::c_void, size, protection, flags, -1, 0) };
    assert_eq!(place as u64, address, "the test needs {size:#x} bytes at {address:#x}");
}

fn set_gs_base() {
    const ARCH_SET_GS: libc::c_int = 0x1001;
    // SAFETY: nothing in a Rust program uses GS.
    let result = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, SHADOW_OFFSET) };
    assert_eq!(result, 0, "the GS base can be set");
}

/// Writes into mapped memory.
pub fn write(address: u64, bytes: &[u8]) {
    // SAFETY: callers pass addresses within what `map_all` mapped; the lock makes this the only user.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) }
}

/// Reads from mapped memory.
pub fn read(address: u64, bytes: &mut [u8]) {
    // SAFETY: as for `write`.
    unsafe { std::ptr::copy_nonoverlapping(address as *const u8, bytes.as_mut_ptr(), bytes.len()) }
}

/// The context, at its fixed address.
pub fn context() -> *mut Context {
    CONTEXT as *mut Context
}
