//! Which points of a block may change the arithmetic flags: those behind which every flag is written before it is read.

use crate::decode::Client;
use alloc::vec::Vec;
use iced_x86::{FlowControl, RflagsBits};

const ALL: u32 =
    RflagsBits::OF | RflagsBits::SF | RflagsBits::ZF | RflagsBits::AF | RflagsBits::CF | RflagsBits::PF;

/// For each instruction: are all flags dead before it? Nothing is assumed about code behind the block, except that no
/// flag lives across a call or return (System V ABI, section 3.2.3: flags are not preserved across calls).
pub fn dead_before(instructions: &[Client]) -> Vec<bool> {
    let mut dead = alloc::vec![false; instructions.len()];
    let mut live = ALL;
    for (k, client) in instructions.iter().enumerate().rev() {
        let instruction = &client.instruction;
        match instruction.flow_control() {
            FlowControl::Call | FlowControl::IndirectCall | FlowControl::Return => live = 0,
            FlowControl::Next => {
                live = live & !instruction.rflags_modified() | instruction.rflags_read() & ALL;
            }
            _ => live = ALL,
        }
        dead[k] = live == 0;
    }
    dead
}
