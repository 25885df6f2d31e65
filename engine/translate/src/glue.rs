//! Code that is not translated from the client: the way out of and into the cache, and tables of indirect branches.

use crate::context::{offset, CLASSES};
use crate::emit::{general, xmm, Assembler, Memory};
use alloc::vec::Vec;
use iced_x86::{Code, Instruction, Register};

/// `Context::exit` for an indirect branch of class c that is not in its table: `MISS + c`; target in `Context::target`.
pub const MISS: u64 = 0x7fff_0000;
/// `Context::exit` for an indirect branch of class c whose budget is used up: `SAMPLE + c`. The engine tests the
/// shadows, refills the budget and continues at `Context::target` with the best state that holds.
pub const SAMPLE: u64 = 0x7fff_0010;

/// Code common to all translations of a thread.
pub struct Common {
    pub code: Vec<u8>,
    /// Address of the common exit (equals the address asked for).
    pub exit: u64,
    /// Address of the code that loads the client's registers from the context and jumps to `Context::resume`. The
    /// engine jumps here to start a thread; after an exit it just returns from the handler.
    pub enter: u64,
    /// What empty entries of the tables hold, by class.
    pub misses: [u64; CLASSES],
    /// Where an indirect branch of this class goes when its budget is used up. Follows `misses` in the code.
    pub samples: [u64; CLASSES],
}

/// Builds the common code of a thread whose context is at `context`, to be placed at `address`.
pub fn common(address: u64, context: u64) -> Common {
    let mut asm = Assembler::new(address, context);
    for number in 0..16 {
        let slot = asm.context(offset::REGISTERS + 8 * number as u32);
        asm.store(slot, general(number));
    }
    let stack = asm.context(offset::ENGINE_STACK);
    asm.load(Register::RSP, stack);
    asm.instruction(&Instruction::with(Code::Pushfq));
    let flags = asm.context(offset::FLAGS).operand();
    asm.built(Instruction::with1(Code::Pop_rm64, flags));
    asm.instruction(&Instruction::with(Code::Cld));
    for number in 0..16 {
        let slot = asm.context(offset::VECTORS + 16 * number as u32).operand();
        asm.built(Instruction::with2(Code::Movups_xmmm128_xmm, slot, xmm(number)));
    }
    asm.built(Instruction::with2(Code::Mov_r32_imm32, Register::EDI, context as u32));
    let handler = asm.context(offset::EXIT_HANDLER).operand();
    asm.built(Instruction::with1(Code::Call_rm64, handler));
    let enter = asm.here();
    for number in 0..16 {
        let slot = asm.context(offset::VECTORS + 16 * number as u32).operand();
        asm.built(Instruction::with2(Code::Movups_xmm_xmmm128, xmm(number), slot));
    }
    // Needs a stack: the engine's, which rsp still points to after the call, and on entry.
    asm.built(Instruction::with1(Code::Push_rm64, flags));
    asm.instruction(&Instruction::with(Code::Popfq));
    for number in [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 4] {
        let slot = asm.context(offset::REGISTERS + 8 * number as u32);
        asm.load(general(number), slot);
    }
    let resume = asm.context(offset::RESUME).operand();
    asm.built(Instruction::with1(Code::Jmp_rm64, resume));
    let misses = core::array::from_fn(|class| leave_with_target(&mut asm, address, MISS + class as u64));
    let samples = core::array::from_fn(|class| leave_with_target(&mut asm, address, SAMPLE + class as u64));
    asm.align(64);
    Common { code: asm.code, exit: address, enter, misses, samples }
}

/// An indirect branch that leaves: its target is in rcx, the client's rcx and rdx are spilled.
fn leave_with_target(asm: &mut Assembler, exit: u64, reason: u64) -> u64 {
    asm.align(16);
    let here = asm.here();
    let target = asm.context(offset::TARGET);
    asm.store(target, Register::RCX);
    restore_spilled(asm);
    let slot = asm.context(offset::EXIT);
    asm.store_immediate(slot, reason as u32);
    asm.jump_to(exit);
    here
}

fn restore_spilled(asm: &mut Assembler) {
    let (rcx, rdx) = (asm.context(offset::SPILLED_RCX), asm.context(offset::SPILLED_RDX));
    asm.load(Register::RCX, rcx);
    asm.load(Register::RDX, rdx);
}

/// Code for a table entry: continues at `body` if the target is `pc`, else at `next` (the former entry).
pub fn indirect_entry(address: u64, context: u64, pc: u64, body: u64, next: u64) -> Vec<u8> {
    let mut asm = Assembler::new(address, context);
    add_to_rcx(&mut asm, pc.wrapping_neg());
    let hit = asm.short_jump(Code::Jrcxz_rel8_64);
    add_to_rcx(&mut asm, pc);
    asm.jump_to(next);
    asm.land(hit);
    restore_spilled(&mut asm);
    asm.jump_to(body);
    asm.code
}

/// Adds a constant to rcx without touching flags; rdx is free.
fn add_to_rcx(asm: &mut Assembler, value: u64) {
    if value as i64 == i64::from(value as i32) {
        asm.address_of(Register::RCX, Memory::at(Register::RCX, value as i64));
    } else {
        asm.built(Instruction::with2(Code::Mov_r64_imm64, Register::RDX, value));
        let sum = Memory { index: Register::RDX, ..Memory::at(Register::RCX, 0) };
        asm.address_of(Register::RCX, sum);
    }
}
