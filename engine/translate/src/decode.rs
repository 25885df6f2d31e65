//! Decodes a superblock: one entry, many exits, across unconditional jumps and past conditional ones.

use crate::interface::{ClientCode, ExitKind};
use alloc::vec::Vec;
use iced_x86::{
    Code, ConstantOffsets, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register,
};

/// A longer block saves exits; a shorter one wastes less when its first branch leaves.
pub(crate) const MAXIMUM: usize = 96;

/// In an active block an exit costs what it knows of shadows, too.
const MAXIMUM_ACTIVE: usize = 192;

/// `rol rdi,3; rol rdi,13; rol rdi,61; rol rdi,51; xchg rbx,rbx`: a client request.
pub(crate) const MAGIC: [u8; 19] =
    [0x48, 0xc1, 0xc7, 3, 0x48, 0xc1, 0xc7, 13, 0x48, 0xc1, 0xc7, 61, 0x48, 0xc1, 0xc7, 51, 0x48, 0x87, 0xdb];

/// A decoded client instruction.
#[derive(Clone)]
pub struct Client {
    pub instruction: Instruction,
    pub bytes: [u8; 15],
    /// Of an operand relative to the instruction pointer.
    pub offsets: ConstantOffsets,
}

impl Client {
    pub fn raw(&self) -> &[u8] {
        &self.bytes[..self.instruction.len()]
    }
}

/// Instructions that the engine has to hear of before they are translated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Avoid {
    None,
    /// All of AVX-512.
    Avx512,
    /// Those that name zmm0 to zmm15.
    LowZmm,
}

/// How a superblock ends.
pub enum End {
    /// The last instruction transfers control.
    Branch,
    /// Execution continues at the address.
    Continue(u64),
    /// The engine has to act for the instruction at `pc`; it then continues at `target`.
    Engine { kind: ExitKind, pc: u64, target: u64 },
}

pub struct Block {
    pub instructions: Vec<Client>,
    pub end: End,
    /// Client byte ranges that the block was made of.
    pub ranges: Vec<(u64, u64)>,
}

/// Decodes from `pc` on. `link_to_known`: stop where a translation for the zero state exists.
pub fn decode(pc: u64, client: &dyn ClientCode, avoid: Avoid, link_to_known: bool) -> Block {
    let mut block = Block { instructions: Vec::with_capacity(32), end: End::Branch, ranges: Vec::new() };
    let mut pc = pc;
    loop {
        let start = pc;
        let Some(code) = client.code(pc) else {
            block.end = if block.instructions.is_empty() {
                End::Engine { kind: ExitKind::NotExecutable, pc, target: pc }
            } else {
                End::Continue(pc)
            };
            return block;
        };
        let mut decoder = Decoder::with_ip(64, code, pc, DecoderOptions::NONE);
        let next = run(&mut block, &mut decoder, code, start, client, avoid, link_to_known);
        let end = decoder.ip().max(start + 1);
        block.ranges.push((start, end));
        match next {
            Some(target) => pc = target,
            None => return block,
        }
    }
}

/// Decodes a straight run. Returns the target of an unconditional jump that the superblock follows.
fn run(
    block: &mut Block,
    decoder: &mut Decoder,
    code: &[u8],
    start: u64,
    client: &dyn ClientCode,
    avoid: Avoid,
    link_to_known: bool,
) -> Option<u64> {
    loop {
        let pc = decoder.ip();
        let rest = &code[(pc - start) as usize..];
        let first = block.instructions.is_empty();
        let maximum = if link_to_known { MAXIMUM } else { MAXIMUM_ACTIVE };
        if !first && (block.instructions.len() >= maximum || link_to_known && client.is_translated(pc)) {
            block.end = End::Continue(pc);
            return None;
        }
        if rest.starts_with(&MAGIC) {
            let target = pc + MAGIC.len() as u64;
            block.end = End::Engine { kind: ExitKind::ClientRequest, pc, target };
            return None;
        }
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            // Also an instruction cut off by the end of its mapping.
            block.end = if first { undecodable(pc) } else { End::Continue(pc) };
            return None;
        }
        if is_far(instruction.code()) {
            block.end = if first { undecodable(pc) } else { End::Continue(pc) };
            return None;
        }
        let next = instruction.next_ip();
        if let Some(kind) = engine_acts(&instruction, avoid) {
            let again = matches!(kind, ExitKind::NeedsMemoryShadows | ExitKind::NeedsFullRegisters);
            let target = if again { pc } else { next };
            block.end = End::Engine { kind, pc, target };
            return None;
        }
        let mut bytes = [0; 15];
        bytes[..instruction.len()].copy_from_slice(&rest[..instruction.len()]);
        let offsets = if instruction.is_ip_rel_memory_operand() {
            decoder.get_constant_offsets(&instruction)
        } else {
            ConstantOffsets::default()
        };
        let flow = instruction.flow_control();
        if flow == FlowControl::UnconditionalBranch {
            let target = instruction.near_branch_target();
            let repeated = block.instructions.iter().any(|known| known.instruction.ip() == target);
            // Jumps leave no instruction that would be found repeated.
            let jumps_only = block.ranges.len() >= MAXIMUM;
            let ends_here = link_to_known && client.is_translated(target);
            let is_call = client.library_function(target).is_some();
            if repeated || target == pc || jumps_only || ends_here || is_call {
                block.end = End::Continue(target);
                return None;
            }
            return Some(target);
        }
        block.instructions.push(Client { instruction, bytes, offsets });
        match flow {
            FlowControl::Next | FlowControl::ConditionalBranch => {}
            FlowControl::Interrupt | FlowControl::Exception => {
                block.end = End::Continue(next);
                return None;
            }
            _ => {
                block.end = End::Branch;
                return None;
            }
        }
    }
}

fn undecodable(pc: u64) -> End {
    End::Engine { kind: ExitKind::Undecodable, pc, target: pc }
}

/// Instructions that the engine executes on the client's behalf.
pub(crate) fn engine_acts(instruction: &Instruction, avoid: Avoid) -> Option<ExitKind> {
    match instruction.mnemonic() {
        Mnemonic::Syscall => Some(ExitKind::SystemCall),
        Mnemonic::Cpuid => Some(ExitKind::Cpuid { length: instruction.len() as u8 }),
        Mnemonic::Xgetbv => Some(ExitKind::Xgetbv),
        _ if avoid == Avoid::Avx512 && is_wide(instruction) => Some(ExitKind::NeedsMemoryShadows),
        _ if avoid == Avoid::LowZmm && names_low_zmm(instruction) => Some(ExitKind::NeedsFullRegisters),
        _ => None,
    }
}

fn names_low_zmm(instruction: &Instruction) -> bool {
    (0..instruction.op_count()).any(|k| {
        let register = instruction.op_register(k);
        instruction.op_kind(k) == OpKind::Register && register.is_zmm() && register.number() < 16
    })
}

/// Uses AVX-512 state: EVEX encodings and mask registers.
fn is_wide(instruction: &Instruction) -> bool {
    if instruction.encoding() == iced_x86::EncodingKind::EVEX {
        return true;
    }
    let uses_mask = |number: u32| {
        instruction.op_kind(number) == OpKind::Register && {
            let register = instruction.op_register(number);
            (Register::K0..=Register::K7).contains(&register)
        }
    };
    (0..instruction.op_count()).any(uses_mask)
}

/// Far transfers and interrupt returns: the client would leave 64-bit mode, where this engine cannot follow.
pub(crate) fn is_far(code: Code) -> bool {
    use Code::*;
    let to_memory = matches!(code, Jmp_m1616 | Jmp_m1632 | Jmp_m1664 | Call_m1616 | Call_m1632 | Call_m1664);
    to_memory
        || matches!(
            code,
            Retfd | Retfq | Retfw | Retfd_imm16 | Retfq_imm16 | Retfw_imm16 | Iretd | Iretq | Iretw
        )
}
