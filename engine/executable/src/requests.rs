//! Client requests: how a program declares inputs and asks for derivatives.

use crate::activation;
use crate::client_memory;
use crate::dispatch::Continuation;
use crate::recording::{self, control, indices};
use crate::settings;
use crate::shadow;
use crate::threads::Thread;
use derivgrind::requests::{
    modes, BASE, DISABLE, GET_DOTVALUE, GET_INDEX, GET_MODE, INDEX_TO_FILE, NEW_INDEX,
    NEW_INDEX_NOACTIVITYANALYSIS, SET_DOTVALUE, SET_INDEX, TAPE_CLEAR_BARS, TAPE_GET_BAR, TAPE_POSITION,
    TAPE_RESET, TAPE_REVERSE,
};
use derivgrind_translate::context::SHADOW_START;

/// All requests of the tool have numbers from the base on, below this distance.
const COUNT: u64 = 0x1_0000;

/// Serves the request whose block rax points to; the result goes to rdx, which holds the default result.
pub fn serve(thread: &mut Thread, next: Continuation) -> Continuation {
    let block = thread.context().registers[0];
    let Ok(words) = client_memory::read_value::<[u64; 6]>(block) else {
        return next;
    };
    let [code, first, second, third, ..] = words;
    let base = u64::from(BASE);
    if !(base..base + COUNT).contains(&code) {
        return next;
    }
    let result = match code as u32 {
        GET_DOTVALUE | SET_DOTVALUE if recording::is_on() => 0,
        GET_DOTVALUE => get_dot_value(first, second, third),
        SET_DOTVALUE => set_dot_value(thread, first, second, third),
        DISABLE => {
            let before = thread.disabled;
            thread.disabled = before.wrapping_add(first).wrapping_sub(second);
            if recording::is_on() && (before == 0) != (thread.disabled == 0) {
                // Paused recording is another kind of translation.
                thread.cache.flush();
            }
            before
        }
        GET_INDEX => indices::get(first, second, third),
        SET_INDEX => indices::set(thread, first, second, third),
        NEW_INDEX => indices::new(thread, first, false),
        NEW_INDEX_NOACTIVITYANALYSIS => indices::new(thread, first, true),
        INDEX_TO_FILE => {
            indices::to_file(first, second);
            0
        }
        TAPE_POSITION => control::position(thread, first),
        TAPE_RESET => control::reset(thread, first),
        TAPE_REVERSE => control::reverse(thread, first, second, third),
        TAPE_GET_BAR => control::get_bar(first, second),
        TAPE_CLEAR_BARS => control::clear_bars(),
        GET_MODE if recording::is_on() => u64::from(modes::RECORDING),
        GET_MODE => u64::from(modes::FORWARD),
        _ => 0,
    };
    thread.context().registers[2] = result;
    next
}

/// Is there a shadow for all bytes?
fn has_shadow(address: u64, size: u64) -> bool {
    address.checked_add(size).is_some_and(|end| end <= SHADOW_START)
}

/// Copies the shadow of the variable to where the client wants it.
fn get_dot_value(variable: u64, target: u64, size: u64) -> u64 {
    if !has_shadow(variable, size) {
        return 0;
    }
    // SAFETY: the shadow memory is mapped as a whole.
    let dot_value = unsafe { core::slice::from_raw_parts(shadow::of(variable) as *const u8, size as usize) };
    if client_memory::write(target, dot_value).is_err() {
        return 0;
    }
    // The dot value is a number of its own, and passive.
    shadow::clear(target, size);
    1
}

/// Writes the dot value into the shadow of the variable.
fn set_dot_value(thread: &mut Thread, variable: u64, source: u64, size: u64) -> u64 {
    if !has_shadow(variable, size) {
        return 0;
    }
    let mut dot_value = alloc::vec![0; size as usize];
    if client_memory::read(source, &mut dot_value).is_err() {
        return 0;
    }
    let active = dot_value.iter().any(|byte| *byte != 0);
    if !active && !settings::differentiating() {
        return 1;
    }
    // SAFETY: the shadow memory is mapped as a whole.
    unsafe {
        core::ptr::copy_nonoverlapping(dot_value.as_ptr(), shadow::of(variable) as *mut u8, dot_value.len())
    };
    activation::start_differentiating(thread);
    1
}
