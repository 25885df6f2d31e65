//! Requests about indices, and the files that list those of inputs and outputs.

use super::{child, is_on};
use crate::activation;
use crate::client_memory;
use crate::config;
use crate::lock::Mutex;
use crate::print;
use crate::settings;
use crate::shadow;
use crate::sys;
use crate::threads::Thread;
use alloc::format;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use derivgrind::requests::index_files;
use derivgrind_tape::structure::{INPUT, OUTPUT, TWO_OPERANDS};
use derivgrind_translate::computed::extended_shadows::marked;
use derivgrind_translate::context::SHADOW_START;
use derivgrind_translate::recording::TAG;

/// Bytes of a binary32; other real types have the room for an index of 8 bytes.
const BINARY32: u64 = 4;

/// Bytes of an 80-bit number, with what languages put behind it.
const EXTENDED: [u64; 3] = [10, 12, 16];

/// Descriptors of the child's own files; -1: those of the configuration.
static OWN_FILES: [AtomicI32; 2] = [AtomicI32::new(-1), AtomicI32::new(-1)];

/// Indices that were given to passive values, and the numbers of outputs that are passive.
struct Passive {
    indices: Vec<u64>,
    outputs: Vec<u64>,
    declared_outputs: u64,
}

static PASSIVE: Mutex<Passive> =
    Mutex::new(Passive { indices: Vec::new(), outputs: Vec::new(), declared_outputs: 0 });

pub fn descriptor(file: usize) -> i32 {
    let own = OWN_FILES[file].load(Ordering::SeqCst);
    match &config::current().recording {
        Some(files) if own < 0 => [files.inputs, files.outputs][file],
        _ => own,
    }
}

pub fn length(file: usize) -> u64 {
    sys::file_length(descriptor(file))
}

pub fn replace_files(inputs: i32, outputs: i32) {
    OWN_FILES[0].store(inputs, Ordering::SeqCst);
    OWN_FILES[1].store(outputs, Ordering::SeqCst);
}

/// `GET_INDEX`: writes the 8-byte index of the variable to `target`.
pub fn get(variable: u64, target: u64, size: u64) -> u64 {
    if !is_on() || !has_shadow(variable) {
        return 0;
    }
    // SAFETY: the shadow memory is mapped as a whole; the place may be at any address.
    let (half, whole) = unsafe {
        let place = shadow::of(variable);
        (*(place as *const Unaligned32), *(place as *const Unaligned64))
    };
    let tagged = half.0 & TAG != 0;
    let index = if size == BINARY32 || size == 0 && tagged { u64::from(half.0 & !TAG) } else { whole.0 };
    if size == 0 && tagged {
        report_size();
    }
    match client_memory::write(target, &index.to_le_bytes()) {
        Ok(()) => {
            // An index is no real number, and its place becomes passive.
            shadow::clear(target, 8);
            1
        }
        Err(_) => 0,
    }
}

/// `SET_INDEX`: the variable gets the 8-byte index at `source`.
pub fn set(thread: &mut Thread, variable: u64, source: u64, size: u64) -> u64 {
    if !is_on() || !has_shadow(variable) {
        return 0;
    }
    let Ok(index) = client_memory::read_value::<u64>(source) else {
        return 0;
    };
    if index == 0 && !settings::differentiating() {
        return 1;
    }
    let place = shadow::of(variable);
    let half = index as u32 & !TAG;
    // SAFETY: the shadow memory is mapped as a whole; the place may be at any address.
    unsafe {
        if size == BINARY32 {
            let tagged = if half == 0 { 0 } else { half | TAG };
            *(place as *mut Unaligned32) = Unaligned32(tagged);
        } else if size == 0 && index >> 32 == 0 {
            // The upper half is zero, or belongs to a binary32 behind this one.
            *(place as *mut Unaligned32) = Unaligned32(half);
        } else {
            *(place as *mut Unaligned64) = Unaligned64(index);
        }
    }
    if size > 8 {
        shadow::clear(variable + 8, size - 8);
    }
    if EXTENDED.contains(&size) && index != 0 {
        // SAFETY: as above.
        unsafe { *(place as *mut [u8; 10]) = marked(index) };
    }
    activation::start_differentiating(thread);
    1
}

/// `NEW_INDEX`: records an operation whose partial derivatives the client gives.
pub fn new(thread: &mut Thread, arguments: u64, always: bool) -> u64 {
    if !is_on() {
        return 0;
    }
    let Ok([first, second, partial1, partial2, target, _value]) =
        client_memory::read_value::<[u64; 6]>(arguments)
    else {
        return 0;
    };
    let read = |address: u64| client_memory::read_value::<u64>(address).ok();
    let (Some(first), Some(second), Some(partial1), Some(partial2)) =
        (read(first), read(second), read(partial1), read(partial2))
    else {
        return 0;
    };
    let passive = first == 0 && second == 0;
    let index = if thread.disabled != 0 || passive && !always {
        0
    } else {
        activation::start_differentiating(thread);
        let mut recorder = thread.recorder.lock();
        let one = 1f64.to_bits();
        if passive {
            recorder.append(INPUT, &[], [0, 0])
        } else if second == 0 && partial1 == one {
            recorder.append(OUTPUT, &first.to_le_bytes(), [first, 0])
        } else {
            let mut payload = [0; 32];
            for (place, word) in payload.chunks_exact_mut(8).zip([first, second, partial1, partial2]) {
                place.copy_from_slice(&word.to_le_bytes());
            }
            recorder.append(TWO_OPERANDS, &payload, [first, second])
        }
    };
    if passive && index != 0 {
        PASSIVE.lock().indices.push(index);
    }
    if client_memory::write(target, &index.to_le_bytes()).is_err() {
        return 0;
    }
    if settings::differentiating() {
        shadow::clear(target, 8);
    }
    1
}

/// `INDEX_TO_FILE`: adds the index to the list of inputs or outputs.
pub fn to_file(file: u64, address: u64) {
    let Ok(index) = client_memory::read_value::<u64>(address) else {
        return;
    };
    if !is_on() || file > u64::from(index_files::OUTPUT) {
        return;
    }
    child::adopt_tape();
    let mut passive = PASSIVE.lock();
    let known = passive.indices.iter().position(|other| *other == index);
    if let Some(known) = known {
        passive.indices.swap_remove(known);
    }
    if file == u64::from(index_files::OUTPUT) {
        passive.declared_outputs += 1;
        if known.is_some() || index == 0 {
            let number = passive.declared_outputs;
            passive.outputs.push(number);
        }
    }
    sys::write_all(descriptor(file as usize), format!("{index}\n").as_bytes());
}

/// Forgets indices from this one on: they will be given again, to other values.
pub fn drop_behind(index: u64) {
    PASSIVE.lock().indices.retain(|passive| *passive < index);
}

/// Numbers of the outputs that depend on no input, counted from 1.
pub fn passive_outputs() -> Vec<u64> {
    PASSIVE.lock().outputs.clone()
}

pub fn acquire_for_fork() {
    core::mem::forget(PASSIVE.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { PASSIVE.release() };
}

fn has_shadow(address: u64) -> bool {
    address < SHADOW_START - 16
}

fn report_size() {
    static REPORTED: AtomicBool = AtomicBool::new(false);
    if !REPORTED.swap(true, Ordering::SeqCst) {
        print::print(format_args!(
            "The program asks for indices of binary32 variables without saying their size: it was compiled with an \
             older header, and is served as well as possible."
        ));
    }
}

#[repr(C, packed)]
#[derive(Clone, Copy)]
struct Unaligned32(u32);

#[repr(C, packed)]
#[derive(Clone, Copy)]
struct Unaligned64(u64);
