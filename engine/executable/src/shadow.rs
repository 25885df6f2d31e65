//! Shadow memory and shadow registers, as the engine sees them.
//!
//! Before the first input every shadow is zero and nothing needs to be done. Afterwards the engine keeps one invariant:
//! memory that is not mapped has zero shadows, so that a new mapping starts passive.

use crate::call;
use crate::extended::{self, FirstShadows, VectorShadows};
use crate::settings;
use crate::sys::{self, kernel, page_down, page_up, Outcome};
use crate::threads::Thread;
use derivgrind_translate::context::{offset, Context, SHADOW_END, SHADOW_OFFSET, SHADOW_START};
use derivgrind_translate::state::{Class, State};

/// Reserves the shadow memory. It is never written before the first input, so it costs address space only.
pub fn map() -> Result<(), Outcome> {
    let length = SHADOW_END - SHADOW_START;
    sys::map_engine_memory(SHADOW_START, length, sys::READ_WRITE)?;
    // A core dump of 32 terabytes would help nobody. A large page for each single active number would be too much.
    for advice in [kernel::MADV_DONTDUMP, kernel::MADV_NOHUGEPAGE] {
        // SAFETY: advice on our own mapping.
        unsafe { call!(kernel::__NR_madvise, SHADOW_START, length, advice) };
    }
    Ok(())
}

/// Address of the shadow of a client address.
pub fn of(address: u64) -> u64 {
    address + SHADOW_OFFSET
}

/// Makes `[start, start + length)` of the client passive.
pub fn clear(start: u64, length: u64) {
    if !settings::differentiating() || length == 0 || start.saturating_add(length) > SHADOW_START {
        return;
    }
    let (first, last) = (of(start), of(start + length));
    let (first_page, last_page) = (page_up(first), page_down(last));
    if first_page >= last_page {
        zero(first, last);
        return;
    }
    zero(first, first_page);
    zero(last_page, last);
    // SAFETY: whole pages of the shadow memory; dropping them makes them read as zero.
    unsafe { call!(kernel::__NR_madvise, first_page, last_page - first_page, kernel::MADV_DONTNEED) };
}

/// Nothing is written where nothing is active: translations may rely on it, see [`crate::passive_pages`].
fn zero(first: u64, last: u64) {
    // SAFETY: inside of the shadow memory, which is mapped as a whole.
    let bytes = unsafe { core::slice::from_raw_parts_mut(first as *mut u8, (last - first) as usize) };
    if bytes.iter().any(|byte| *byte != 0) {
        bytes.fill(0);
    }
}

/// Pages about which the kernel is asked at once. For fewer it is not worth asking.
const PAGES: usize = 512;
/// In an entry of `/proc/self/pagemap`: the page is in memory, or in the swap area.
const EXISTS: u64 = 3 << 62;

/// Visits the parts of `[first, last)` of the shadow memory that were ever written. Reading the others would be
/// harmless but for the page tables that it fills, which matters where a mapping is huge.
fn for_each_touched(first: u64, last: u64, mut visit: impl FnMut(u64, u64)) {
    if last - first <= PAGES as u64 * sys::PAGE {
        return visit(first, last);
    }
    let descriptor = sys::open_for_reading(b"/proc/self/pagemap\0") as i32;
    let mut entries = [0u8; PAGES * 8];
    let mut page = page_down(first);
    while page < last {
        let count = ((page_up(last) - page) / sys::PAGE).min(PAGES as u64) as usize;
        let known = sys::read_at(descriptor, &mut entries[..count * 8], page / sys::PAGE * 8);
        let known = known.unwrap_or(0);
        for (index, entry) in entries[..count * 8].chunks(8).enumerate() {
            let entry = u64::from_le_bytes(entry.try_into().expect("eight bytes"));
            if entry & EXISTS != 0 || index * 8 >= known {
                let start = page + index as u64 * sys::PAGE;
                visit(start.max(first), (start + sys::PAGE).min(last));
            }
        }
        page += count as u64 * sys::PAGE;
    }
    if descriptor >= 0 {
        sys::close(descriptor);
    }
}

/// Visits the active bytes of `[start, start + length)` of the client.
pub fn for_each_active(start: u64, length: u64, mut visit: impl FnMut(u64)) {
    if !settings::differentiating() || length == 0 || start.saturating_add(length) > SHADOW_START {
        return;
    }
    for_each_touched(of(start), of(start + length), |first, last| {
        // SAFETY: inside of the shadow memory, which is mapped as a whole.
        let bytes = unsafe { core::slice::from_raw_parts(first as *const u8, (last - first) as usize) };
        for (chunk, part) in bytes.chunks(64).enumerate() {
            if part.iter().fold(0, |all, byte| all | byte) == 0 {
                continue;
            }
            for (index, _) in part.iter().enumerate().filter(|(_, byte)| **byte != 0) {
                visit(first - SHADOW_OFFSET + (chunk * 64 + index) as u64);
            }
        }
    });
}

/// Copies shadows with the bytes of `[from, from + length)` that the kernel has moved to `to`, where they are zero.
pub fn follow_move(from: u64, to: u64, length: u64) {
    if !settings::differentiating() || length == 0 {
        return;
    }
    for_each_touched(of(from), of(from + length), |first, last| {
        let count = (last - first) as usize;
        // SAFETY: both lie in the shadow memory, and the ranges do not overlap since the client's do not.
        unsafe {
            let source = core::slice::from_raw_parts(first as *const u8, count);
            if source.iter().any(|byte| *byte != 0) {
                core::ptr::copy_nonoverlapping(source.as_ptr(), (first - from + to) as *mut u8, count);
            }
        }
    });
}

/// Does the thread of this context have its vector shadows in zmm16-31?
fn in_registers(context: &Context) -> bool {
    // SAFETY: a context belongs to a thread, which lives longer.
    unsafe { (*(context.thread as *const Thread)).shadows_in_registers() }
}

/// The slots of vector shadows in the context.
fn slots(context: &mut Context) -> &mut VectorShadows {
    let base = context as *mut Context as u64 + u64::from(offset::VECTOR_SHADOWS);
    // SAFETY: the context is CONTEXT_SIZE bytes long and the slots are a part of it beyond what `Context` describes.
    unsafe { &mut *(base as *mut VectorShadows) }
}

/// Is zero only if the shadows of registers 16 to 31 are, which no state tells about.
fn wide_active(context: &mut Context) -> &mut u64 {
    let place = context as *mut Context as u64 + u64::from(offset::WIDE_ACTIVE);
    // SAFETY: as for the slots.
    unsafe { &mut *(place as *mut u64) }
}

/// Shadows of the physical x87 registers, 16 bytes each.
pub type NumberShadows = [u64; 16];

pub fn numbers(context: &mut Context) -> &mut NumberShadows {
    let place = context as *mut Context as u64 + u64::from(offset::X87_SHADOWS);
    // SAFETY: as for the slots.
    unsafe { &mut *(place as *mut NumberShadows) }
}

/// Is zero only if the shadows of x87 registers are.
fn numbers_active(context: &mut Context) -> &mut u64 {
    let place = context as *mut Context as u64 + u64::from(offset::X87_ACTIVE);
    // SAFETY: as for the slots.
    unsafe { &mut *(place as *mut u64) }
}

pub fn write_numbers(context: &mut Context, shadows: &NumberShadows) {
    *numbers(context) = *shadows;
    *numbers_active(context) = u64::from(shadows.iter().any(|word| *word != 0));
}

/// May anything be active in this thread's registers?
pub fn may_be_active(context: &mut Context, state: State) -> bool {
    state.is_active() || *wide_active(context) != 0 || *numbers_active(context) != 0
}

/// Shadows of all vector registers, wherever they live; those that `state` says are zero read as zero. Registers 16
/// to 31 have shadows only if these live in memory, in slots that are always valid.
pub fn read_vectors(context: &mut Context, state: State) -> VectorShadows {
    let mut shadows = [[0; 8]; 32];
    if in_registers(context) {
        extended::store_shadow_registers(&mut shadows);
    } else {
        shadows = *slots(context);
    }
    for (number, shadow) in shadows[..16].iter_mut().enumerate() {
        if state.zero_vector() >> number & 1 != 0 {
            *shadow = [0; 8];
        } else {
            shadow[if state.upper() { 8 } else { 2 }..].fill(0);
        }
    }
    shadows
}

/// Fills the slots, wherever the thread of this context has its shadows now.
pub fn fill_slots(context: &mut Context, shadows: &VectorShadows) {
    *slots(context) = *shadows;
    let active = shadows[16..].iter().flatten().any(|word| *word != 0);
    *wide_active(context) = u64::from(active);
}

/// Puts the shadows of all vector registers where translated code expects them.
pub fn write_vectors(context: &mut Context, shadows: &VectorShadows) {
    if in_registers(context) {
        extended::load_shadow_registers(shadows);
    } else {
        fill_slots(context, shadows);
    }
}

/// Shadows of the vector registers that hold arguments and values of most functions.
pub fn read_first_vectors(context: &mut Context, state: State) -> FirstShadows {
    let mut shadows = FirstShadows::default();
    if in_registers(context) {
        extended::store_first_shadows(&mut shadows);
    } else {
        for (shadow, slot) in shadows.iter_mut().zip(slots(context)) {
            shadow.copy_from_slice(&slot[..2]);
        }
    }
    for (number, shadow) in shadows.iter_mut().enumerate() {
        if state.zero_vector() >> number & 1 != 0 {
            *shadow = [0; 2];
        }
    }
    shadows
}

/// Puts them where translated code expects them, with zeros from bit 128 on.
pub fn write_first_vectors(context: &mut Context, shadows: &FirstShadows) {
    if in_registers(context) {
        extended::load_first_shadows(shadows);
        return;
    }
    for (slot, [low, high]) in slots(context).iter_mut().zip(shadows) {
        *slot = [*low, *high, 0, 0, 0, 0, 0, 0];
    }
}

/// Shadows of the general registers; those that `state` says are zero read as zero.
pub fn read_general(context: &Context, state: State) -> [u64; 16] {
    let mut shadows = context.general_shadows;
    for (number, shadow) in shadows.iter_mut().enumerate() {
        if state.zero_general() >> number & 1 != 0 {
            *shadow = 0;
        }
    }
    shadows
}

/// The best state that holds now, found by looking at the shadows that `state` does not already know to be zero.
pub fn observe(context: &mut Context, state: State) -> State {
    if !state.is_active() {
        return State::ZERO;
    }
    let general = read_general(context, state);
    let vectors = read_vectors(context, state);
    let mut low = 0;
    let mut high = 0;
    for shadow in &vectors[..16] {
        low |= shadow[0] | shadow[1];
        high |= shadow[2..].iter().fold(0, |bits, word| bits | word);
    }
    let passive = |shadow: &u64| *shadow == 0;
    let few = vectors[4..16].iter().flatten().all(passive);
    let class = if !general.iter().all(passive) {
        context.general_shadows = general;
        match general {
            _ if high != 0 => Class::UnknownUpper,
            [_, rcx, _, rest @ ..] if rcx == 0 && rest.iter().all(passive) && few => Class::ScratchFew,
            [_, rcx, _, rest @ ..] if rcx == 0 && rest.iter().all(passive) => Class::Scratch,
            _ => Class::Unknown,
        }
    } else if high != 0 {
        // All general registers are passive; their slots in the context may stay stale.
        Class::ActiveUpper
    } else if low != 0 && few {
        Class::ActiveFew
    } else if low != 0 {
        Class::Active
    } else {
        write_vectors(context, &vectors);
        return State::ZERO;
    };
    explicit(context, &vectors, class.state())
}

/// `state` knows no vector register to be zero, so the stale places must be made zero.
fn explicit(context: &mut Context, vectors: &VectorShadows, state: State) -> State {
    write_vectors(context, vectors);
    state
}
