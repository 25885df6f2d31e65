//! What `/proc/self/cmdline` says: the client's words, not those of the engine.
//!
//! The kernel shows the memory between two addresses, which the process may set with `PR_SET_MM_MAP` (prctl(2)). That
//! takes no privilege, but an option of the kernel (CONFIG_CHECKPOINT_RESTORE). It sets all addresses of its kind at
//! once, so that the others are read from `/proc/self/stat` first (proc(5)). Where it is refused, the words of the
//! engine stay: nothing of the client depends on it.

use crate::call;
use crate::sys::{self, kernel};
use alloc::vec::Vec;

const PR_SET_MM: u32 = 35;
const PR_SET_MM_MAP: u32 = 14;

/// `struct prctl_mm_map` of linux/prctl.h.
#[repr(C)]
struct Map {
    start_code: u64,
    end_code: u64,
    start_data: u64,
    end_data: u64,
    start_brk: u64,
    brk: u64,
    start_stack: u64,
    arg_start: u64,
    arg_end: u64,
    env_start: u64,
    env_end: u64,
    auxv: u64,
    auxv_size: u32,
    exe_fd: i32,
}

/// Numbers of fields in `/proc/self/stat`, from 1 on.
const STATE: usize = 3;
const START_CODE: usize = 26;
const END_CODE: usize = 27;
const START_STACK: usize = 28;
const START_DATA: usize = 45;
const END_DATA: usize = 46;
const START_BRK: usize = 47;
const ENV_START: usize = 50;
const ENV_END: usize = 51;

/// # Safety
/// `stack` is the client's first stack: the number of words, their addresses.
pub unsafe fn show(stack: u64) {
    // SAFETY: the caller's promise. The words lie one behind the other.
    let (start, end) = unsafe {
        let words = stack as *const u64;
        let count = *words as usize;
        if count == 0 {
            return;
        }
        let last = *words.add(count);
        (*words.add(1), last + sys::c_string(last as *const u8).len() as u64 + 1)
    };
    let Some(fields) = read_fields() else { return };
    let field = |number: usize| fields.get(number - STATE).copied().unwrap_or(0);
    // SAFETY: asks for the current break.
    let brk = unsafe { call!(kernel::__NR_brk, 0) } as u64;
    let map = Map {
        start_code: field(START_CODE),
        end_code: field(END_CODE),
        start_data: field(START_DATA),
        end_data: field(END_DATA),
        start_brk: field(START_BRK),
        brk,
        start_stack: field(START_STACK),
        arg_start: start,
        arg_end: end,
        env_start: field(ENV_START),
        env_end: field(ENV_END),
        auxv: 0,
        auxv_size: 0,
        exe_fd: -1,
    };
    // SAFETY: the structure lives during the call.
    unsafe { call!(kernel::__NR_prctl, PR_SET_MM, PR_SET_MM_MAP, &raw const map, size_of::<Map>(), 0) };
}

/// Fields from [`STATE`] on, as far as they are numbers.
fn read_fields() -> Option<Vec<u64>> {
    let descriptor = sys::open_for_reading(b"/proc/self/stat\0");
    if sys::is_failure(descriptor) {
        return None;
    }
    let mut text = [0; 1024];
    let count = sys::read_at(descriptor as i32, &mut text, 0);
    sys::close(descriptor as i32);
    let text = &text[..count.ok()?];
    // The second field is a name in parentheses, which may hold anything.
    let name_end = text.iter().rposition(|byte| *byte == b')')?;
    let fields = text.get(name_end + 2..)?.split(|byte| *byte == b' ');
    Some(
        fields
            .map(|field| core::str::from_utf8(field).ok().and_then(|field| field.parse().ok()).unwrap_or(0))
            .collect(),
    )
}
