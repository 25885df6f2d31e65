//! The tape in the hands of the client: positions, resets and reverse sweeps while the program runs.
//!
//! An optimiser records one evaluation, asks for the gradient, goes back to where it began and records the next: so
//! neither the tape nor the memory for adjoints grows from step to step, and no file is read.

use super::child;
use super::indices;
use super::recorder::{Recorder, Window};
use super::tape::{self, Written};
use crate::client_memory;
use crate::extended;
use crate::lock::Mutex;
use crate::print;
use crate::settings;
use crate::shadow;
use crate::sys::{self, PAGE};
use crate::threads::{self, Thread};
use alloc::vec::Vec;
use derivgrind_tape::format::CHUNK_HEADER;
use derivgrind_tape::program::{Direction, Programs};
use derivgrind_tape::sweep::sweep;

/// The adjoint of one index.
type Bar = [f64; 1];

/// Where the client may come back to, and what the last sweep has left.
struct Control {
    /// Next index and place in the file, in ascending order.
    positions: Vec<Position>,
    programs: Option<Programs<Bar>>,
    /// How many structures have a program.
    known: usize,
    /// Adjoints of all indices: window and length.
    bars: Option<(Window, u64)>,
}

#[derive(Clone, Copy)]
struct Position {
    index: u64,
    /// Chunks of executions in front of it.
    chunks: usize,
}

// SAFETY: reached with the lock held only.
unsafe impl Send for Control {}

static CONTROL: Mutex<Control> =
    Mutex::new(Control { positions: Vec::new(), programs: None, known: 0, bars: None });

/// `TAPE_POSITION`: writes a number that stands for what has been recorded so far.
pub fn position(thread: &Thread, target: u64) -> u64 {
    if !super::is_on() {
        return 0;
    }
    let _ = tape::end();
    thread.recorder.lock().close();
    let (index, chunks) = tape::end();
    let mut control = CONTROL.lock();
    if control.positions.last().is_none_or(|last| last.index < index) {
        control.positions.push(Position { index, chunks });
    }
    u64::from(client_memory::write(target, &index.to_le_bytes()).is_ok())
}

/// `TAPE_RESET`: forgets what was recorded behind a position.
pub fn reset(thread: &Thread, source: u64) -> u64 {
    let Ok(index) = client_memory::read_value::<u64>(source) else {
        return 0;
    };
    let mut control = CONTROL.lock();
    let Some(number) = control.positions.iter().position(|position| position.index == index) else {
        return 0;
    };
    if !close_all(thread) {
        return 0;
    }
    child::adopt_tape();
    if !tape::drop_behind(control.positions[number].chunks, index) {
        return 0;
    }
    indices::drop_behind(index);
    control.positions.truncate(number + 1);
    thread.recorder.lock().begin_small();
    clear(&mut control);
    1
}

/// `TAPE_REVERSE`: adjoints of everything that the values with the given indices depend on.
pub fn reverse(thread: &Thread, indices: u64, bars: u64, count: u64) -> u64 {
    // A ring has lost what the sweep would need.
    if !super::is_on() || Recorder::is_ring() || count > 1 << 32 {
        return 0;
    }
    let (Ok(indices), Ok(seeds)) = (read_words(indices, count), read_words(bars, count)) else {
        return 0;
    };
    if !close_all(thread) {
        return 0;
    }
    let mut control = CONTROL.lock();
    clear(&mut control);
    let (end, _) = tape::end();
    if indices.iter().any(|index| *index >= end) {
        return 0;
    }
    let window = Window::allocate(sys::page_up(end * 8));
    if sys::map_engine_memory(window.start, sys::page_up(end * 8), sys::READ_WRITE).is_err() {
        window.free();
        return 0;
    }
    // SAFETY: fresh zeroed memory for `end` numbers, which nobody else knows.
    let cells = unsafe { core::slice::from_raw_parts_mut(window.start as *mut Bar, end as usize) };
    for (index, seed) in indices.iter().zip(&seeds) {
        cells[*index as usize][0] += f64::from_bits(*seed);
    }
    cells[0] = [0.0];
    let done = extended::with_default_rounding(|| sweep_all(&mut control, cells));
    control.bars = Some((window, end));
    u64::from(done)
}

/// `TAPE_GET_BAR`: the adjoint of an index after the last sweep.
pub fn get_bar(index: u64, target: u64) -> u64 {
    let Ok(index) = client_memory::read_value::<u64>(index) else {
        return 0;
    };
    let control = CONTROL.lock();
    let bar: u64 = match &control.bars {
        // SAFETY: the window holds `end` numbers.
        Some((window, end)) if index < *end => unsafe { *((window.start + 8 * index) as *const u64) },
        _ => return 0,
    };
    if client_memory::write(target, &bar.to_le_bytes()).is_err() {
        return 0;
    }
    if settings::differentiating() {
        shadow::clear(target, 8);
    }
    1
}

/// `TAPE_CLEAR_BARS`: gives the memory of the adjoints back.
pub fn clear_bars() -> u64 {
    if !super::is_on() {
        return 0;
    }
    clear(&mut CONTROL.lock());
    1
}

fn clear(control: &mut Control) {
    if let Some((window, end)) = control.bars.take() {
        // SAFETY: the adjoints are ours, and nobody holds a reference.
        unsafe { sys::unmap(window.start, sys::page_up(end * 8)) };
        window.free();
    }
}

/// Closes what all threads are writing; false if one of them is recording at this moment.
fn close_all(thread: &Thread) -> bool {
    let mut quiet = true;
    threads::for_each(|other| {
        if core::ptr::eq(other, thread) || !other.in_cache() {
            other.recorder.lock().close();
        } else {
            quiet &= !other.recorder.lock().is_writing();
        }
    });
    quiet
}

fn read_words(address: u64, count: u64) -> Result<Vec<u64>, client_memory::BadAddress> {
    let mut words = alloc::vec![0u64; count as usize];
    for (number, word) in words.iter_mut().enumerate() {
        *word = client_memory::read_value(address + 8 * number as u64)?;
    }
    Ok(words)
}

fn sweep_all(control: &mut Control, cells: &mut [Bar]) -> bool {
    let programs = control.programs.get_or_insert_with(|| Programs::new(Direction::Reverse));
    control.known = tape::for_each_structure(control.known, |number, structure| {
        // What the translator describes is in order.
        let _ = programs.add(number, structure);
    });
    let mut chunks = tape::written();
    chunks.sort_by_key(|chunk| chunk.first_index);
    chunks.iter().rev().all(|chunk| sweep_chunk(programs, chunk, cells))
}

fn sweep_chunk(programs: &Programs<Bar>, chunk: &Written, cells: &mut [Bar]) -> bool {
    let before = chunk.offset % PAGE;
    let window = Window::allocate(sys::page_up(chunk.length + before));
    let Ok(start) = window.map(tape::descriptor(), chunk.offset, chunk.length) else {
        window.free();
        return false;
    };
    // SAFETY: the chunk is mapped, and closed: nobody writes to it.
    let executions =
        unsafe { core::slice::from_raw_parts((start + CHUNK_HEADER) as *const u8, chunk.used as usize) };
    let swept = sweep(programs, executions, chunk.first_index..chunk.last_index, cells);
    if let Err(damage) = &swept {
        print::print(format_args!("The tape cannot be evaluated: {damage}."));
    }
    window.free();
    swept.is_ok()
}
