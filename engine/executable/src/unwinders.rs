//! Functions that walk through the stack, and those that take what an exception has brought.
//!
//! Only functions that the user has described call back into programs, so only with such functions are symbols looked
//! at. Each arrival at one of these entries goes by way of the engine, see
//! [`crate::return_addresses::show_to_unwinder`].

use crate::config;
use crate::lock::Mutex;
use crate::symbol_tables::{Kind, SymbolFile};
use alloc::collections::BTreeMap;
use core::sync::atomic::{AtomicBool, Ordering};

/// What happens when such a function is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// An exception, or the end of a thread, begins to leave functions, or goes on with it.
    Leaves,
    /// It has come to where it ends.
    Ends,
    /// Nothing but a look at the stack.
    Looks,
}

/// Of gcc's and LLVM's runtime libraries (Itanium C++ ABI: Exception Handling, 1.3 and 2.5), and of libunwind.
const NAMES: [(&[u8], Event); 9] = [
    (b"_Unwind_RaiseException", Event::Leaves),
    (b"_Unwind_ForcedUnwind", Event::Leaves),
    (b"_Unwind_Resume", Event::Leaves),
    (b"_Unwind_Resume_or_Rethrow", Event::Leaves),
    (b"_Unwind_Backtrace", Event::Looks),
    (b"_Unwind_DeleteException", Event::Ends),
    (b"__cxa_begin_catch", Event::Ends),
    (b"__unw_init_local", Event::Looks),
    (b"_ULx86_64_init_local", Event::Looks),
];

static ENTRIES: Mutex<BTreeMap<u64, Event>> = Mutex::new(BTreeMap::new());
/// Spares the lock while there are none.
static ANY: AtomicBool = AtomicBool::new(false);

/// Looks at a file of which `[start, end)` maps executable code from `offset` on.
pub fn note_module(descriptor: i32, start: u64, end: u64, offset: u64) {
    let configuration = config::current();
    if configuration.user_functions.is_empty() || !configuration.math_interception {
        return;
    }
    let mut entries = ENTRIES.lock();
    entries.retain(|entry, _| !(start..end).contains(entry));
    if let Some(file) = SymbolFile::open(descriptor, start, offset) {
        for table in [Kind::Dynamic, Kind::All].into_iter().filter_map(|kind| file.table(kind)) {
            for symbol in table.functions() {
                let known = NAMES.iter().find(|(name, _)| *name == symbol.name.bytes());
                entries.extend(known.map(|(_, event)| (symbol.address, *event)));
            }
        }
    }
    ANY.store(!entries.is_empty(), Ordering::Relaxed);
}

/// Does one of these functions begin at `pc`?
pub fn is_entry(pc: u64) -> bool {
    event_at(pc).is_some()
}

/// What a call of the function at `pc` means, if it is one of these.
pub fn event_at(pc: u64) -> Option<Event> {
    if ANY.load(Ordering::Relaxed) {
        ENTRIES.lock().get(&pc).copied()
    } else {
        None
    }
}

pub fn acquire_for_fork() {
    core::mem::forget(ENTRIES.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { ENTRIES.release() };
}
