//! Repeated string instructions are not stepped through: with the trap flag they trap after every element. A breakpoint
//! behind them lets them run at full speed.
//!
//! Code caches belong to threads, so nobody else meets the breakpoint.

use super::frame::UserContext;
use crate::threads::Thread;
use core::cell::Cell;
use iced_x86::{Decoder, DecoderOptions, Instruction};

const BREAKPOINT: u8 = 0xcc;
/// No instruction is longer.
const LONGEST_INSTRUCTION: usize = 15;

/// A byte of translated code that a breakpoint has replaced.
#[derive(Clone, Copy)]
struct Replaced {
    address: u64,
    byte: u8,
}

#[derive(Default)]
pub struct Breakpoint(Cell<Option<Replaced>>);

// SAFETY: used only by the handler of the thread that owns it.
unsafe impl Sync for Breakpoint {}

impl Breakpoint {
    /// If the next instruction is a repeated string instruction of a translation, sets the breakpoint behind it.
    pub fn set_behind_repetition(&self, thread: &Thread, user: &UserContext) -> bool {
        if !thread.cache.contains(user.instruction) {
            return false;
        }
        let Some(next) = repetition_end(user.instruction) else {
            return false;
        };
        // SAFETY: translated code of this thread, which is writable.
        unsafe {
            let code = next as *mut u8;
            self.0.set(Some(Replaced { address: next, byte: *code }));
            *code = BREAKPOINT;
        }
        true
    }

    /// Takes the breakpoint away, whether it was hit or not; a thread that has hit it is moved back onto it.
    pub fn clear(&self, user: &mut UserContext) -> bool {
        let Some(replaced) = self.0.take() else {
            return false;
        };
        // SAFETY: as above.
        unsafe { *(replaced.address as *mut u8) = replaced.byte };
        let hit = user.instruction == replaced.address + 1;
        if hit {
            user.instruction = replaced.address;
        }
        hit
    }
}

fn repetition_end(address: u64) -> Option<u64> {
    // SAFETY: code memory is longer than the translations in it.
    let code = unsafe { core::slice::from_raw_parts(address as *const u8, LONGEST_INSTRUCTION) };
    let mut instruction = Instruction::default();
    Decoder::with_ip(64, code, address, DecoderOptions::NONE).decode_out(&mut instruction);
    let repeated = instruction.has_rep_prefix() || instruction.has_repne_prefix();
    (repeated && instruction.is_string_instruction()).then(|| instruction.next_ip())
}
