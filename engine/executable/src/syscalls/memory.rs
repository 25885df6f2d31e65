//! mmap, munmap, mprotect, mremap, brk, madvise, System V shared memory.

use super::{code_files, limits, locking, Call};
use crate::call;
use crate::invalidate;
use crate::leaving;
use crate::mappings::{Attributes, Backing};
use crate::memory::{self, AddressSpace, Placement, BREAK_LIMIT};
use crate::modules;
use crate::shadow;
use crate::stack;
use crate::sys::{self, errno, failure, kernel, page_down, page_up, Outcome, PAGE};
use crate::threads::Thread;
use crate::write_protection;

/// Placements that the kernel refuses because something of its own is there are tried again this often.
const PLACEMENT_ATTEMPTS: usize = 16;

pub fn execute(thread: &mut Thread, call: &Call) -> Option<Outcome> {
    let [first, second, third, fourth, fifth, sixth] = call.arguments;
    Some(match call.number {
        kernel::__NR_mmap => {
            let request = MapRequest {
                hint: first,
                length: second,
                protection: third as u32,
                flags: fourth as u32,
                descriptor: fifth as i32,
                offset: sixth,
            };
            map(thread, &request)
        }
        kernel::__NR_munmap => unmap(thread, first, second),
        kernel::__NR_mprotect => protect(thread, first, second, third, None),
        kernel::__NR_pkey_mprotect => protect(thread, first, second, third, Some(fourth)),
        kernel::__NR_mremap => remap(thread, first, second, third, fourth as u32, fifth),
        kernel::__NR_brk => set_break(thread, first) as Outcome,
        kernel::__NR_madvise => advise(thread, first, second, third as u32),
        kernel::__NR_shmat => attach(thread, first, second, third as u32),
        kernel::__NR_shmdt => detach(thread, first),
        kernel::__NR_remap_file_pages => failure(errno::ENOSYS),
        _ => return None,
    })
}

/// In [`Backing::object`]: shared memory without a file, which has the address where it was mapped first; System V
/// memory, which has a number.
const ANONYMOUS: u64 = 1 << 63;
const SEGMENT: u64 = 1 << 62;

struct MapRequest {
    hint: u64,
    length: u64,
    protection: u32,
    flags: u32,
    descriptor: i32,
    offset: u64,
}

impl MapRequest {
    fn is_anonymous(&self) -> bool {
        self.flags & kernel::MAP_ANONYMOUS != 0
    }

    fn attributes(&self) -> Attributes {
        Attributes {
            protection: self.protection,
            file: !self.is_anonymous(),
            // A shared mapping may change through the file at any time.
            ever_writable: self.protection & kernel::PROT_WRITE != 0 || self.flags & kernel::MAP_PRIVATE == 0,
            shared: None,
        }
    }

    /// The attributes once it is mapped at `start`.
    fn attributes_at(&self, start: u64) -> Attributes {
        let backing = || {
            let object =
                if self.is_anonymous() { ANONYMOUS | start } else { sys::identity(self.descriptor)? };
            Some(Backing { object, displacement: start.wrapping_sub(self.offset) })
        };
        Attributes { shared: if self.is_shared() { backing() } else { None }, ..self.attributes() }
    }

    fn is_shared(&self) -> bool {
        self.flags & kernel::MAP_PRIVATE == 0
    }

    fn place_at(&self, address: u64, more_flags: u32) -> Outcome {
        // SAFETY: the callers place it in the client's part of the address space.
        unsafe {
            call!(
                kernel::__NR_mmap,
                address,
                self.length,
                readable(self.protection),
                self.flags & !kernel::MAP_32BIT | more_flags,
                i64::from(self.descriptor),
                self.offset,
            )
        }
    }
}

/// The engine reads what the client executes, so execute-only memory is readable.
fn readable(protection: u32) -> u32 {
    if protection & kernel::PROT_EXEC != 0 {
        protection | kernel::PROT_READ
    } else {
        protection
    }
}

fn map(thread: &Thread, request: &MapRequest) -> Outcome {
    let fixed = request.flags & (kernel::MAP_FIXED | kernel::MAP_FIXED_NOREPLACE) != 0;
    if request.length == 0 || request.length > memory::FAR_END {
        return failure(if request.length == 0 { errno::EINVAL } else { errno::ENOMEM });
    }
    let data = request.protection & kernel::PROT_WRITE != 0 && !request.is_shared();
    if !limits::allow(&memory::read(), page_up(request.length), data) {
        return failure(errno::ENOMEM);
    }
    let outcome = if fixed { map_fixed(thread, request) } else { map_anywhere(request) };
    if sys::is_failure(outcome) {
        return outcome;
    }
    let start = outcome as u64;
    let end = start + page_up(request.length);
    if request.protection & kernel::PROT_EXEC != 0 && !request.is_anonymous() {
        code_files::note_mapped(request.descriptor);
        modules::note(request.descriptor, start, end, request.offset);
    }
    invalidate::code_changed(thread, start, end);
    if request.is_shared() && request.protection & kernel::PROT_WRITE != 0 {
        translate_aliases_again(thread, start, end);
    }
    outcome
}

/// Code that can be written at other addresses from now on: its next translations protect it there.
fn translate_aliases_again(thread: &Thread, start: u64, end: u64) {
    let aliases = memory::read().mappings.aliases(start, end);
    for (start, end, _) in aliases {
        invalidate::code_changed(thread, start, end);
    }
}

fn map_fixed(thread: &Thread, request: &MapRequest) -> Outcome {
    let start = request.hint;
    let Some(end) = start.checked_add(page_up(request.length)) else {
        return failure(errno::ENOMEM);
    };
    let no_replace = request.flags & kernel::MAP_FIXED_NOREPLACE != 0;
    if start % PAGE != 0 {
        return failure(errno::EINVAL);
    }
    if !memory::belongs_to_client(start, end) {
        return failure(if no_replace { errno::EEXIST } else { errno::ENOMEM });
    }
    let mut space = memory::write();
    write_protection::lift(&space, start, end);
    leaving::count_shared(&space, start, end);
    let outcome = request.place_at(start, 0);
    if sys::is_failure(outcome) {
        return outcome;
    }
    shadow::clear(start, end - start);
    space.note_mapped(start, request.length, request.attributes_at(start));
    locking::follow(&space, start, request.length);
    drop(space);
    // What was there before may have been code.
    let _ = thread;
    outcome
}

fn map_anywhere(request: &MapRequest) -> Outcome {
    let mut space = memory::write();
    let mut placement = Placement {
        hint: request.hint,
        length: page_up(request.length),
        flags: request.flags,
        file: !request.is_anonymous(),
    };
    for _ in 0..PLACEMENT_ATTEMPTS {
        let Some(address) = space.place(placement) else {
            return failure(errno::ENOMEM);
        };
        let outcome = request.place_at(address, kernel::MAP_FIXED_NOREPLACE);
        if outcome == failure(errno::EEXIST) {
            block(&mut space, address, placement.length);
            placement.hint = 0;
            continue;
        }
        if !sys::is_failure(outcome) {
            space.note_mapped(address, request.length, request.attributes_at(address));
            locking::follow(&space, address, request.length);
        }
        return outcome;
    }
    failure(errno::ENOMEM)
}

/// Something that the engine does not know of is in the way; never try these addresses again.
fn block(space: &mut AddressSpace, address: u64, length: u64) {
    let attributes =
        Attributes { protection: kernel::PROT_NONE, file: false, ever_writable: true, shared: None };
    space.note_mapped(address, length, attributes);
}

fn unmap(thread: &Thread, start: u64, length: u64) -> Outcome {
    let end = start.saturating_add(page_up(length));
    if start % PAGE != 0 || length == 0 || !memory::belongs_to_client(start, end) {
        return failure(errno::EINVAL);
    }
    let mut space = memory::write();
    write_protection::lift(&space, start, end);
    leaving::count_shared(&space, start, end);
    // SAFETY: only client memory.
    let outcome = unsafe { call!(kernel::__NR_munmap, start, length) };
    if sys::is_failure(outcome) {
        return outcome;
    }
    shadow::clear(start, end - start);
    space.note_unmapped(start, length);
    drop(space);
    invalidate::code_changed(thread, start, end);
    outcome
}

/// Bits of the protection that are not `PROT_READ`, `PROT_WRITE`, `PROT_EXEC`.
const PROTECTION_BITS: u32 = kernel::PROT_READ | kernel::PROT_WRITE | kernel::PROT_EXEC;

fn protect(
    thread: &Thread,
    mut start: u64,
    mut length: u64,
    mut protection: u64,
    key: Option<u64>,
) -> Outcome {
    if protection & u64::from(kernel::PROT_GROWSDOWN) != 0 {
        // For the kernel the first stack is an ordinary mapping.
        if let Some(bottom) = stack::start_around(start) {
            length += start - bottom;
            start = bottom;
            protection &= !u64::from(kernel::PROT_GROWSDOWN);
        }
    }
    let end = start.saturating_add(page_up(length));
    if length > 0 && !memory::belongs_to_client(start, end) {
        return failure(errno::ENOMEM);
    }
    let wanted = protection as u32;
    let mut space = memory::write();
    write_protection::lift(&space, start, end);
    // SAFETY: only client memory.
    let outcome = unsafe {
        match key {
            None => call!(kernel::__NR_mprotect, start, length, readable(wanted)),
            Some(key) => call!(kernel::__NR_pkey_mprotect, start, length, readable(wanted), key),
        }
    };
    if sys::is_failure(outcome) || length == 0 {
        return outcome;
    }
    let was_executable = executable_part(&space, start, end);
    if wanted & kernel::PROT_EXEC != 0 {
        code_files::note_executable(&space, start, end);
    }
    let writable = wanted & kernel::PROT_WRITE != 0;
    space.mappings.protect(start, end, wanted & PROTECTION_BITS, writable);
    drop(space);
    let executable = wanted & kernel::PROT_EXEC != 0;
    if executable || was_executable {
        invalidate::code_changed(thread, start, end);
    }
    if writable {
        translate_aliases_again(thread, start, end);
    }
    outcome
}

fn executable_part(space: &AddressSpace, start: u64, end: u64) -> bool {
    let parts = space.mappings.overlapping(start, end);
    parts.iter().any(|(_, _, attributes)| attributes.protection & kernel::PROT_EXEC != 0)
}

fn remap(thread: &Thread, old: u64, old_length: u64, new_length: u64, flags: u32, target: u64) -> Outcome {
    let old_end = old.saturating_add(page_up(old_length).max(PAGE));
    if old % PAGE != 0
        || new_length == 0
        || new_length > memory::FAR_END
        || !memory::belongs_to_client(old, old_end)
    {
        return failure(errno::EINVAL);
    }
    let (old_size, new_size) = (page_up(old_length), page_up(new_length));
    let mut space = memory::write();
    let Some((_, _, attributes)) = space.mappings.find(old) else {
        return failure(errno::EFAULT);
    };
    let data = attributes.protection & kernel::PROT_WRITE != 0 && attributes.shared.is_none();
    if new_size > old_size && !limits::allow(&space, new_size - old_size, data) {
        return failure(errno::ENOMEM);
    }
    write_protection::lift(&space, old, old_end);
    let fixed = flags & kernel::MREMAP_FIXED != 0;
    let keeps_old = flags & kernel::MREMAP_DONTUNMAP != 0;
    let can_stay = !fixed && !keeps_old && old_length != 0;
    let fits = new_size <= old_size || {
        memory::belongs_to_client(old, old + new_size)
            && space.mappings.is_free(old + old_size, old + new_size)
    };
    if can_stay && fits {
        // SAFETY: grows into free client memory, or shrinks.
        let outcome = unsafe { call!(kernel::__NR_mremap, old, old_length, new_length, 0) };
        if !sys::is_failure(outcome) {
            note_resized(&mut space, old, old_size, new_size, attributes);
            drop(space);
            invalidate::code_changed(thread, old + new_size.min(old_size), old + old_size);
            return outcome;
        }
    }
    if flags & kernel::MREMAP_MAYMOVE == 0 {
        return failure(if fixed { errno::EINVAL } else { errno::ENOMEM });
    }
    let target = if fixed {
        if target % PAGE != 0 || !memory::belongs_to_client(target, target.saturating_add(new_size)) {
            return failure(errno::EINVAL);
        }
        target
    } else {
        match space.place(Placement { hint: 0, length: new_size, flags: 0, file: false }) {
            Some(target) => target,
            None => return failure(errno::ENOMEM),
        }
    };
    write_protection::lift(&space, target, target + new_size);
    let flags = flags | kernel::MREMAP_FIXED;
    // SAFETY: the target is client memory, free or given up by the client.
    let outcome = unsafe { call!(kernel::__NR_mremap, old, old_length, new_length, flags, target) };
    if sys::is_failure(outcome) {
        return outcome;
    }
    shadow::clear(target, new_size);
    shadow::follow_move(old, target, old_size.min(new_size));
    let moved_away = old_length != 0;
    if moved_away {
        shadow::clear(old, old_size);
        if !keeps_old {
            space.note_unmapped(old, old_size);
        }
    }
    space.note_mapped(target, new_size, attributes.moved_by(target.wrapping_sub(old)));
    drop(space);
    invalidate::code_changed(thread, old, old + old_size);
    invalidate::code_changed(thread, target, target + new_size);
    if attributes.shared.is_some() {
        translate_aliases_again(thread, target, target + new_size);
    }
    outcome
}

fn note_resized(space: &mut AddressSpace, start: u64, old_size: u64, new_size: u64, attributes: Attributes) {
    if new_size > old_size {
        space.note_mapped(start + old_size, new_size - old_size, attributes);
    } else if new_size < old_size {
        shadow::clear(start + new_size, old_size - new_size);
        space.note_unmapped(start + new_size, old_size - new_size);
    }
}

/// `brk`: returns the new break, or the old one if it cannot be moved.
fn set_break(thread: &Thread, wanted: u64) -> u64 {
    let mut space = memory::write();
    let current = space.program_break;
    if !(space.break_start..=space.break_start + BREAK_LIMIT).contains(&wanted) {
        return current;
    }
    let (old_top, new_top) = (page_up(current), page_up(wanted));
    if new_top > old_top {
        if !space.mappings.is_free(old_top, new_top)
            || !limits::allow(&space, new_top - old_top, true)
            || sys::map_reserved_memory(old_top, new_top - old_top, sys::READ_WRITE).is_err()
        {
            return current;
        }
        let attributes =
            Attributes { protection: sys::READ_WRITE, file: false, ever_writable: true, shared: None };
        space.note_mapped(old_top, new_top - old_top, attributes);
        locking::follow(&space, old_top, new_top - old_top);
    } else if new_top < old_top {
        // SAFETY: the client gives this memory up.
        unsafe { sys::unmap(new_top, old_top - new_top) };
        shadow::clear(new_top, old_top - new_top);
        space.note_unmapped(new_top, old_top - new_top);
    }
    space.program_break = wanted;
    drop(space);
    invalidate::code_changed(thread, new_top, old_top.max(new_top));
    wanted
}

fn advise(thread: &Thread, start: u64, length: u64, advice: u32) -> Outcome {
    let end = start.saturating_add(page_up(length));
    if length > 0 && !memory::belongs_to_client(start, end) {
        return failure(errno::ENOMEM);
    }
    let loses_content = matches!(
        advice,
        kernel::MADV_DONTNEED | kernel::MADV_FREE | kernel::MADV_REMOVE | kernel::MADV_DONTNEED_LOCKED
    );
    if !loses_content {
        // SAFETY: only client memory.
        return unsafe { call!(kernel::__NR_madvise, start, length, advice) };
    }
    let space = memory::write();
    write_protection::lift(&space, start, end);
    // SAFETY: only client memory.
    let outcome = unsafe { call!(kernel::__NR_madvise, start, length, advice) };
    drop(space);
    if !sys::is_failure(outcome) {
        shadow::clear(page_down(start), end - page_down(start));
    }
    invalidate::code_changed(thread, start, end);
    outcome
}

/// `shmat`: the size of the segment decides where it goes.
fn attach(thread: &Thread, identifier: u64, address: u64, flags: u32) -> Outcome {
    let Some(size) = segment_size(identifier) else {
        // Let the kernel say what is wrong.
        // SAFETY: fails as the query did.
        return unsafe { call!(kernel::__NR_shmat, identifier, address, flags) };
    };
    let mut space = memory::write();
    let rounded = if flags & SHM_RND != 0 { page_down(address) } else { address };
    let place = if address != 0 {
        if !memory::belongs_to_client(rounded, rounded.saturating_add(size)) {
            return failure(errno::EINVAL);
        }
        address
    } else {
        match space.place_far(size, PAGE) {
            Some(place) => place,
            None => return failure(errno::ENOMEM),
        }
    };
    // SAFETY: in the client's part of the address space; without SHM_REMAP the kernel replaces nothing.
    let outcome = unsafe { call!(kernel::__NR_shmat, identifier, place, flags) };
    if !sys::is_failure(outcome) {
        let start = outcome as u64;
        let shared = Some(Backing { object: SEGMENT | identifier, displacement: start });
        let write = if flags & SHM_RDONLY != 0 { 0 } else { kernel::PROT_WRITE };
        let execute = if flags & SHM_EXEC != 0 { kernel::PROT_EXEC } else { 0 };
        let protection = kernel::PROT_READ | write | execute;
        space.note_mapped(start, size, Attributes { protection, file: true, ever_writable: true, shared });
        drop(space);
        invalidate::code_changed(thread, start, start + size);
    }
    outcome
}

const SHM_RDONLY: u32 = 0o10000;
const SHM_RND: u32 = 0o20000;
const SHM_EXEC: u32 = 0o100000;
const IPC_STAT: u64 = 2;
/// Offset of `shm_segsz` behind `struct ipc64_perm`.
const SEGMENT_SIZE_OFFSET: usize = 48;

fn segment_size(identifier: u64) -> Option<u64> {
    let mut status = [0u8; 256];
    // SAFETY: the buffer is larger than `struct shmid64_ds`.
    let outcome = unsafe { call!(kernel::__NR_shmctl, identifier, IPC_STAT, status.as_mut_ptr()) };
    if sys::is_failure(outcome) {
        return None;
    }
    let size = u64::from_le_bytes(status[SEGMENT_SIZE_OFFSET..][..8].try_into().expect("eight bytes"));
    Some(page_up(size))
}

fn detach(thread: &Thread, start: u64) -> Outcome {
    let mut space = memory::write();
    let found = space.mappings.find(start);
    if let Some((_, end, _)) = found {
        leaving::count_shared(&space, start, end);
    }
    // SAFETY: the kernel detaches only what was attached.
    let outcome = unsafe { call!(kernel::__NR_shmdt, start) };
    if let (false, Some((_, end, _))) = (sys::is_failure(outcome), found) {
        shadow::clear(start, end - start);
        space.note_unmapped(start, end - start);
        drop(space);
        invalidate::code_changed(thread, start, end);
    }
    outcome
}
