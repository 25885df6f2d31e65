//! What has left the process although it was active: through a descriptor, or by memory that is shared with others.
//!
//! A word of shared memory may be read by anybody at any time, so that there is no moment at which it leaves. It is
//! counted when the mapping goes, or at the end of the process. The same covers memory that one process has mapped
//! twice: the shadow belongs to an address, and at the other one the numbers are passive.

use crate::call;
use crate::client_memory;
use crate::lock::Mutex;
use crate::memory::AddressSpace;
use crate::modules;
use crate::settings;
use crate::shadow;
use crate::sys;
use crate::threads::Thread;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

const WORD: u64 = 8;
/// Rows that are kept; what comes later goes to the row for all others.
const ROWS: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Descriptor(i32),
    Process(i32),
    Queue(i32),
    /// Mapped from this address on.
    Memory(u64),
}

struct Row {
    words: u64,
    /// What the descriptor is, as `/proc` says it.
    target: String,
}

/// By way and place.
static ROWS_BY_PLACE: Mutex<BTreeMap<(Way, u64), Row>> = Mutex::new(BTreeMap::new());

/// How many aligned words of `[start, start + length)` have an active byte.
pub fn active_words(start: u64, length: u64) -> u64 {
    let mut count = 0;
    let mut last = u64::MAX;
    shadow::for_each_active(start, length, |address| {
        if last != address / WORD {
            last = address / WORD;
            count += 1;
        }
    });
    count
}

/// Notes that active words have left by a system call at `pc`.
pub fn note(thread: &Thread, way: Way, words: u64, pc: u64) {
    let place = caller(thread.context().registers[RSP], pc);
    let mut rows = ROWS_BY_PLACE.lock();
    if let Some(row) = rows.get_mut(&(way, place)) {
        row.words += words;
    } else if rows.len() < ROWS {
        let target = match way {
            Way::Descriptor(descriptor) => {
                let link = sys::read_link(format!("/proc/self/fd/{descriptor}\0").as_bytes());
                String::from_utf8_lossy(&link.unwrap_or_default()).into_owned()
            }
            _ => String::new(),
        };
        rows.insert((way, place), Row { words, target });
    }
}

const RSP: usize = 4;
/// Words of the stack that are looked at.
const DEPTH: u64 = 512;

/// The system call stands in the C library, which says little. The first word of the stack that looks like a return
/// address into another file says more.
fn caller(stack: u64, pc: u64) -> u64 {
    let mut ranges: Vec<(u64, u64, bool)> = Vec::new();
    modules::for_each(|module| {
        let own = (module.start..module.end).contains(&pc);
        ranges.push((module.start, module.end, own));
    });
    for index in 0..DEPTH {
        let Ok(word) = client_memory::read_value::<u64>(stack + WORD * index) else { break };
        let other = ranges.iter().any(|(start, end, own)| !own && (start + 8..*end).contains(&word));
        if other && follows_call(word) {
            return word - 1;
        }
    }
    pc
}

/// Does a call instruction end at `address`? `E8` with four bytes, or `FF /2` in one of its lengths.
fn follows_call(address: u64) -> bool {
    let Ok(bytes) = client_memory::read_value::<[u8; 8]>(address - 8) else { return false };
    let indirect = |length: usize| {
        let at = 8 - length;
        bytes[at] == 0xff && bytes[at + 1] >> 3 & 7 == 2
    };
    bytes[3] == 0xe8 || [2, 3, 4, 6, 7].into_iter().any(indirect)
}

/// Counts what is active in the shared mappings of `[start, end)`, which go or whose process ends.
pub fn count_shared(space: &AddressSpace, start: u64, end: u64) {
    if !settings::differentiating() {
        return;
    }
    for (start, end, attributes) in space.mappings.overlapping(start, end) {
        if attributes.shared.is_none() || !attributes.ever_writable {
            continue;
        }
        let words = active_words(start, end - start);
        if words == 0 {
            continue;
        }
        let mut rows = ROWS_BY_PLACE.lock();
        if rows.len() < ROWS {
            let row = rows
                .entry((Way::Memory(start), 0))
                .or_insert_with(|| Row { words: 0, target: mapped_file(start) });
            row.words += words;
        }
    }
}

/// What `/proc/self/maps` says is mapped at `address`.
fn mapped_file(address: u64) -> String {
    let descriptor = sys::open_for_reading(b"/proc/self/maps\0");
    if sys::is_failure(descriptor) {
        return String::new();
    }
    let mut text = Vec::new();
    let mut part = [0; 4096];
    // SAFETY: the buffer is ours.
    while let count @ 1.. =
        unsafe { call!(sys::kernel::__NR_read, descriptor, part.as_mut_ptr(), part.len()) }
    {
        text.extend_from_slice(&part[..count as usize]);
    }
    sys::close(descriptor as i32);
    let text = String::from_utf8_lossy(&text);
    let contains = |line: &&str| {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let bounds = range.map(|(start, end)| (u64::from_str_radix(start, 16), u64::from_str_radix(end, 16)));
        matches!(bounds, Some((Ok(start), Ok(end))) if (start..end).contains(&address))
    };
    let name = text.lines().find(contains).and_then(|line| line.find('/').map(|at| line[at..].into()));
    name.unwrap_or_default()
}

/// Calls `visit` for each row: way, address of the place, words, what it is.
pub fn for_each(mut visit: impl FnMut(Way, u64, u64, &str)) {
    for ((way, place), row) in ROWS_BY_PLACE.lock().iter() {
        visit(*way, *place, row.words, &row.target);
    }
}

/// A forked child starts with nothing to report.
pub fn clear() {
    ROWS_BY_PLACE.lock().clear();
}

pub fn acquire_for_fork() {
    core::mem::forget(ROWS_BY_PLACE.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { ROWS_BY_PLACE.release() };
}
