//! Code that is not translated from the client: the way out of and into the cache, and tables of indirect branches.
//!
//! An indirect branch jumps to what its table holds for the low 16 bits of its target. That is an *entrance*: it tests
//! the whole target, and if another one is meant, jumps to the entrance that was in the table before. Most entrances
//! stand directly in front of the translation that they lead to. On the way rcx is spilled. Where an entrance finds the
//! target is the branch's [`Arrival`]; each has tables of its own. Flags do not live across returns, whose entrances
//! compare. Those of jumps and calls subtract without touching flags: whether these are dead at the target that an
//! entrance is for does not help another one that is meant.

use crate::context::{offset, ARRIVALS, CLASSES, TABLE_ENTRIES};
use crate::emit::{general, xmm, Assembler, Memory};
use alloc::vec::Vec;
use iced_x86::{Code, Instruction, Register};

/// `Context::exit` for an indirect branch of class c that is not in its table: `MISS + CLASSES * arrival + c`; target in
/// `Context::target`.
pub const MISS: u64 = 0x7fff_0000;
/// `Context::exit` for an indirect branch of class c whose budget is used up: `SAMPLE + c`. The engine tests the
/// shadows, refills the budget and continues at `Context::target` with the best state that holds.
pub const SAMPLE: u64 = MISS + (CLASSES * Arrival::ALL.len()) as u64;

/// Where an indirect branch leaves its target, and so which part of a table it uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Arrival {
    /// In the context, after a jump or a call.
    Context = 0,
    /// Below the stack pointer, where a return has popped it.
    Return = 1,
    /// In rax, after a jump or a call. Compilers choose it most often.
    Rax = 2,
}

impl Arrival {
    pub const ALL: [Arrival; ARRIVALS] = [Arrival::Context, Arrival::Return, Arrival::Rax];

    /// Distance of this part from the start of a table.
    pub const fn offset(self) -> u64 {
        self as u64 * 8 * TABLE_ENTRIES as u64
    }
}

/// Code common to all translations of a thread.
pub struct Common {
    pub code: Vec<u8>,
    /// Address of the common exit (equals the address asked for).
    pub exit: u64,
    /// Address of the code that loads the client's registers from the context and jumps to `Context::resume`. The
    /// engine jumps here to start a thread; after an exit it just returns from the handler.
    pub enter: u64,
    /// What empty entries of the tables hold, by arrival and class.
    pub misses: [[u64; CLASSES]; Arrival::ALL.len()],
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
    let misses = Arrival::ALL.map(|arrival| {
        core::array::from_fn(|class| {
            let reason = MISS + (arrival as usize * CLASSES + class) as u64;
            leave_with_target(&mut asm, address, reason, arrival)
        })
    });
    let samples = core::array::from_fn(|class| {
        leave_with_target(&mut asm, address, SAMPLE + class as u64, Arrival::Context)
    });
    asm.align(64);
    Common { code: asm.code, exit: address, enter, misses, samples }
}

/// An indirect branch that leaves.
fn leave_with_target(asm: &mut Assembler, exit: u64, reason: u64, arrival: Arrival) -> u64 {
    asm.align(16);
    let here = asm.here();
    let target = asm.context(offset::TARGET);
    match arrival {
        Arrival::Context => {}
        Arrival::Return => {
            asm.load(Register::RCX, POPPED);
            asm.store(target, Register::RCX);
        }
        Arrival::Rax => asm.store(target, Register::RAX),
    }
    restore_rcx(asm);
    let slot = asm.context(offset::EXIT);
    asm.store_immediate(slot, reason as u32);
    asm.jump_to(exit);
    here
}

/// Where a return has popped its target from.
const POPPED: Memory = Memory::at(Register::RSP, -8);

fn restore_rcx(asm: &mut Assembler) {
    let spilled = asm.context(offset::SPILLED_RCX);
    asm.load(Register::RCX, spilled);
}

/// An entrance, and the ends of those of its instructions that end in a field.
struct Entrance {
    code: Vec<u8>,
    /// In the field: the target, or its negative. Only if that has 32 bits.
    after_target: usize,
    after_next: usize,
}

/// An entrance for branches to `pc`, which go on behind it. Others go to `next`, the former content of the table.
fn entrance(address: u64, context: u64, pc: u64, arrival: Arrival, next: u64) -> Entrance {
    let mut asm = Assembler::new(address, context);
    let (after_target, after_next);
    match arrival {
        Arrival::Context | Arrival::Rax => {
            subtract(&mut asm, arrival, pc);
            after_target = asm.code.len();
            let hit = asm.short_jump(Code::Jrcxz_rel8_64);
            asm.jump_to(next);
            after_next = asm.code.len();
            asm.land(hit);
        }
        Arrival::Return => {
            after_target = compare_popped(&mut asm, pc);
            asm.built(Instruction::with_branch(Code::Jne_rel32_64, next));
            after_next = asm.code.len();
        }
    }
    restore_rcx(&mut asm);
    Entrance { code: asm.code, after_target, after_next }
}

/// Entrances for targets below 2^31, encoded once for a thread.
pub(crate) struct Entrances([Entrance; ARRIVALS]);

/// A target whose field has 32 bits.
const TYPICAL_TARGET: u64 = 1 << 30;

impl Entrances {
    pub fn new(context: u64) -> Entrances {
        Entrances(Arrival::ALL.map(|arrival| entrance(0, context, TYPICAL_TARGET, arrival, 0)))
    }

    /// Code of an entrance.
    pub fn make(&self, address: u64, context: u64, pc: u64, arrival: Arrival, next: u64) -> Vec<u8> {
        // Smaller ones have shorter fields.
        if !(1 << 16..1 << 31).contains(&pc) {
            return entrance(address, context, pc, arrival, next).code;
        }
        let known = &self.0[arrival as usize];
        let mut code = known.code.clone();
        let target = match arrival {
            Arrival::Context | Arrival::Rax => pc.wrapping_neg(),
            Arrival::Return => pc,
        };
        let distance = next.wrapping_sub(address + known.after_next as u64);
        for (end, value) in [(known.after_target, target), (known.after_next, distance)] {
            code[end - 4..end].copy_from_slice(&(value as u32).to_le_bytes());
        }
        code
    }
}

/// Puts the difference between the target, which is in rax or in the context, and `pc` into rcx without touching flags.
fn subtract(asm: &mut Assembler, arrival: Arrival, pc: u64) {
    let target = if arrival == Arrival::Rax { Register::RAX } else { Register::RCX };
    if arrival != Arrival::Rax {
        let place = asm.context(offset::TARGET);
        asm.load(target, place);
    }
    let negative = pc.wrapping_neg() as i64;
    if negative == i64::from(negative as i32) {
        asm.address_of(Register::RCX, Memory::at(target, negative));
    } else {
        let spilled = asm.context(offset::SPILLED_RDX);
        asm.store(spilled, Register::RDX);
        asm.built(Instruction::with2(Code::Mov_r64_imm64, Register::RDX, negative));
        let sum = Memory { index: Register::RDX, ..Memory::at(target, 0) };
        asm.address_of(Register::RCX, sum);
        asm.load(Register::RDX, spilled);
    }
}

/// Compares what was popped with `pc`; rcx is free. Returns the end of the instruction that holds `pc`.
fn compare_popped(asm: &mut Assembler, pc: u64) -> usize {
    let signed = pc as i64;
    if signed == i64::from(signed as i32) {
        asm.built(Instruction::with2(Code::Cmp_rm64_imm32, POPPED.operand(), signed as i32));
        asm.code.len()
    } else {
        asm.built(Instruction::with2(Code::Mov_r64_imm64, Register::RCX, pc));
        let end = asm.code.len();
        asm.built(Instruction::with2(Code::Cmp_rm64_r64, POPPED.operand(), Register::RCX));
        end
    }
}
