//! Recording: the engine's side of the tape.
//!
//! Translated code writes executions of structures by itself (`derivgrind_translate::recording`). The engine makes
//! room: it maps chunks of the tape's file where a thread writes, and gives out ranges of indices ([`tape`]). Behind
//! a chunk nothing is mapped, so that translated code faults when it is full; the signal handler calls
//! [`change_chunk`]. Requests append single executions ([`recorder`]).
//!
//! How far a thread has come stands in a page that is part of the file, so that a client that is killed leaves a tape
//! that can be read up to its last execution.
//!
//! Invariants: ranges of indices of chunks do not overlap, and a thread's ranges ascend; what goes wrong with the file
//! ends recording and never the client, which then writes to memory that is thrown away.

mod child;
pub mod control;
pub mod indices;
mod recorder;
mod tape;

pub use recorder::Recorder;

use crate::config;
use crate::invalidate;
use crate::settings;
use crate::signals::frame::{UserContext, REGISTER_ORDER};
use crate::sys;
use crate::threads::{self, Thread};
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use derivgrind_tape::format::Ended;
use derivgrind_translate::interface::{Mode, Translation};
use iced_x86::{Decoder, DecoderOptions, OpKind};

/// Addresses of the windows through which threads write to the tape.
pub const WINDOWS_START: u64 = 0x4800_0000_0000;
pub const WINDOWS_END: u64 = 0x5000_0000_0000;

/// Files that are being written.
pub fn descriptors() -> Vec<i32> {
    if is_on() {
        alloc::vec![tape::descriptor(), indices::descriptor(0), indices::descriptor(1)]
    } else {
        Vec::new()
    }
}

/// Does this process record?
pub fn is_on() -> bool {
    config::current().recording.is_some()
}

/// Several threads record, or will.
static HAS_THREADS: AtomicBool = AtomicBool::new(false);

/// How translations differentiate.
pub fn mode() -> Mode {
    match (is_on(), tape::has_wide_indices()) {
        (false, _) => Mode::Forward,
        (true, false) => Mode::Recording,
        (true, true) => Mode::RecordingWide,
    }
}

pub fn has_threads() -> bool {
    HAS_THREADS.load(Ordering::SeqCst)
}

/// The process is about to have a second thread.
pub fn prepare_for_threads(thread: &Thread) {
    let first = !HAS_THREADS.swap(true, Ordering::SeqCst);
    if first && settings::differentiating() {
        invalidate::flush_all(thread);
    }
}

/// Opens the tape. The process has one thread.
pub fn start() {
    if let Some(files) = &config::current().recording {
        if files.tape < 0 {
            child::create_later();
            return;
        }
        for descriptor in [files.tape, files.inputs, files.outputs] {
            sys::close_on_exec(descriptor);
        }
        tape::open(files.tape);
    }
}

/// Serves a write behind the end of a chunk; false if the fault is another one.
pub fn change_chunk(thread: &Thread, user: &mut UserContext, address: u64) -> bool {
    if !(WINDOWS_START..WINDOWS_END).contains(&address) {
        return false;
    }
    // The check for room: `mov dword ptr [register + distance], 0`.
    // SAFETY: translated code of this thread, which is readable beyond the longest instruction.
    let code = unsafe { core::slice::from_raw_parts(user.instruction as *const u8, 15) };
    let instruction = Decoder::with_ip(64, code, user.instruction, DecoderOptions::NONE).decode();
    if instruction.op0_kind() != OpKind::Memory {
        return false;
    }
    let register = instruction.memory_base();
    let Some(place) = REGISTER_ORDER.iter().position(|number| *number == register.number()) else {
        return false;
    };
    let needed = instruction.memory_displacement64() + 4;
    let mut recorder = thread.recorder.lock();
    recorder.next_chunk(needed);
    user.registers[place] = recorder.position();
    drop(recorder);
    follow_widening(thread);
    true
}

/// Long before indices need more than four bytes, all translations are made anew, with operands of eight.
pub fn follow_widening(thread: &Thread) {
    if tape::take_widening() {
        invalidate::flush_soon(thread);
    }
}

pub fn acquire_for_fork() {
    indices::acquire_for_fork();
    tape::acquire_for_fork();
    recorder::acquire_for_fork();
}

pub fn release_after_fork() {
    recorder::release_after_fork();
    tape::release_after_fork();
    indices::release_after_fork();
}

/// A client instruction has faulted in the middle of a block: what the block has recorded in front of it becomes an
/// execution of its own, because the client's handler and what follows will record, too.
pub fn commit_beginning(thread: &Thread, described: &mut Translation, boundary: usize) {
    let Some(structure) = described.boundaries[boundary].recorded.filter(|_| is_on()) else {
        return;
    };
    let structure = described.structures.swap_remove(structure as usize);
    if structure.results > 0 {
        let number = tape::add_structures(core::slice::from_ref(&structure));
        thread.recorder.lock().commit(number, &structure);
    }
}

/// Gives the structures of a translation their numbers, and writes these into the code.
pub fn number_structures(translation: &mut Translation) {
    if translation.structures.is_empty() {
        return;
    }
    let first = tape::add_structures(&translation.structures);
    for reference in &translation.structure_references {
        let at = reference.code_offset as usize;
        let number = first + reference.structure;
        translation.code[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
}

/// The client is at its end, or about to be replaced, which may fail: what has been recorded is closed. A thread that
/// runs translated code at this moment is left alone if it may have to go on.
pub fn finish(thread: &Thread, ends: bool) {
    if !is_on() || child::has_no_files() {
        return;
    }
    threads::for_each(|other| {
        if core::ptr::eq(other, thread) || ends || !other.in_cache() {
            other.recorder.lock().close();
        }
    });
    tape::finish(Ended::Completely);
}

/// The tape that the launcher shall convert to classic blocks: descriptor and directory.
pub fn conversion() -> Option<(i32, String)> {
    let files = config::current().recording.as_ref().filter(|files| files.as_blocks && !files.in_memory)?;
    if child::has_no_files() {
        return None;
    }
    Some((tape::descriptor(), child::directory(&files.directory_name())))
}

/// The client goes on after all.
pub fn go_on() {
    if is_on() && !child::has_no_files() {
        tape::finish(Ended::NotAtAll);
    }
}

/// Can a program that takes the place of this one have the files? Only the first process has those of the directory
/// that the user named.
pub fn is_unused() -> bool {
    is_on() && child::is_first() && tape::is_empty()
}

/// A forked child has a tape of its own from its first record on.
pub fn in_child(thread: &Thread) {
    if is_on() {
        child::detach(thread);
    }
}
