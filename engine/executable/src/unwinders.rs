//! Functions that walk through the stack, and those that take what an exception has brought.
//!
//! Only functions that the user has described call back into programs, so only with such functions are symbols looked
//! at. Each arrival at one of these entries goes by way of the engine, see
//! [`crate::return_addresses::show_to_unwinder`].

use crate::config;
use crate::lock::Mutex;
use crate::symbol_tables::{Kind, SymbolFile};
use alloc::collections::BTreeSet;
use core::sync::atomic::{AtomicBool, Ordering};

/// Of gcc's and LLVM's runtime libraries (Itanium C++ ABI: Exception Handling, 1.3 and 2.5), and of libunwind.
const NAMES: [&[u8]; 9] = [
    b"_Unwind_RaiseException",
    b"_Unwind_ForcedUnwind",
    b"_Unwind_Resume",
    b"_Unwind_Resume_or_Rethrow",
    b"_Unwind_Backtrace",
    b"_Unwind_DeleteException",
    b"__cxa_begin_catch",
    b"__unw_init_local",
    b"_ULx86_64_init_local",
];

static ENTRIES: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());
/// Spares the lock while there are none.
static ANY: AtomicBool = AtomicBool::new(false);

/// Looks at a file of which `[start, end)` maps executable code from `offset` on.
pub fn note_module(descriptor: i32, start: u64, end: u64, offset: u64) {
    let configuration = config::current();
    if configuration.user_functions.is_empty() || !configuration.math_interception {
        return;
    }
    let mut entries = ENTRIES.lock();
    entries.retain(|entry| !(start..end).contains(entry));
    if let Some(file) = SymbolFile::open(descriptor, start, offset) {
        for table in [Kind::Dynamic, Kind::All].into_iter().filter_map(|kind| file.table(kind)) {
            let is_one = |name: &[u8]| NAMES.contains(&name);
            entries.extend(
                table.functions().filter(|symbol| is_one(symbol.name.bytes())).map(|symbol| symbol.address),
            );
        }
    }
    ANY.store(!entries.is_empty(), Ordering::Relaxed);
}

/// Does one of these functions begin at `pc`?
pub fn is_entry(pc: u64) -> bool {
    ANY.load(Ordering::Relaxed) && ENTRIES.lock().contains(&pc)
}

pub fn acquire_for_fork() {
    core::mem::forget(ENTRIES.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { ENTRIES.release() };
}
