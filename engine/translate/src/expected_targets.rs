//! Jumps and calls through a variable at a fixed address: that is how programs call functions of other files, through the
//! global offset table.
//!
//! What the variable holds when the code is translated is where such a branch will go nearly always. So the code compares,
//! and goes there directly; only another target has to be looked up. Flags do not live across calls, and a jump of this
//! kind that is executed where a call or a jump has led is a stub of the procedure linkage table, a part of a call.
//!
//! A stub whose function is still to be found leads to code that finds it. The block leaves for the engine then, which
//! goes on where the variable leads to, and forgets the block: the next call translates it with the function's address.

use crate::emit::Memory;
use crate::interface::ClientCode;
use crate::memory;
use iced_x86::{Code, Instruction, Register};

/// Where a branch is expected to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expected {
    /// To this address, as long as the variable holds it.
    Target { variable: Memory, target: u64 },
    /// The function is still to be found; the variable is at this address.
    Unresolved { variable: u64 },
}

/// What is to be expected of a jump or call. `begins_run`: it is executed where a call or a jump has led.
pub(crate) fn find(client: &dyn ClientCode, instruction: &Instruction, begins_run: bool) -> Option<Expected> {
    let is_call = match instruction.code() {
        Code::Jmp_rm64 => false,
        Code::Call_rm64 => true,
        _ => return None,
    };
    if instruction.memory_base() != Register::RIP || !(is_call || begins_run) {
        return None;
    }
    if client.returns_flags(instruction.ip()) {
        return None;
    }
    let variable = memory::direct(instruction)?;
    let target = client.content(instruction.ip_rel_memory_address())?;
    // What can be compared with a constant of 32 bits.
    let code = if target >> 31 == 0 { client.code(target)? } else { return None };
    if !is_call && finds_function(code) {
        return Some(Expected::Unresolved { variable: instruction.ip_rel_memory_address() });
    }
    Some(Expected::Target { variable, target })
}

/// `endbr64`.
const LANDING_PAD: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
/// `push imm32`: the number of the function that is to be found.
const PUSH: u8 = 0x68;

/// Is this where a stub goes as long as its function has not been found?
fn finds_function(code: &[u8]) -> bool {
    let code = code.strip_prefix(&LANDING_PAD).unwrap_or(code);
    code.first() == Some(&PUSH)
}

/// Can this instruction stand in front of a stub's jump?
pub(crate) fn may_precede(instruction: &Instruction) -> bool {
    instruction.code() == Code::Endbr64
}

/// Does an instruction at `at` in the bytes of a run begin it?
pub(crate) fn begins_run(bytes: &[u8], at: usize) -> bool {
    at == 0 || at == LANDING_PAD.len() && bytes.starts_with(&LANDING_PAD)
}
