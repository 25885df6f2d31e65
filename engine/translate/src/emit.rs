//! The assembler: a thin layer over iced-x86's encoder that knows the context and the shadow memory.

use crate::context::offset;
use crate::templates::Templates;
use alloc::rc::Rc;
use alloc::vec::Vec;
use iced_x86::{Code, Encoder, IcedError, Instruction, MemoryOperand, Register};

/// A memory operand of shadow code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub base: Register,
    pub index: Register,
    pub scale: u32,
    pub displacement: i64,
    /// GS: the shadow of the address; none: the client's memory or the context.
    pub segment: Register,
}

impl Memory {
    pub const fn absolute(address: u64) -> Memory {
        Memory {
            base: Register::None,
            index: Register::None,
            scale: 1,
            displacement: address as i64,
            segment: Register::None,
        }
    }
    pub const fn at(base: Register, displacement: i64) -> Memory {
        Memory { base, index: Register::None, scale: 1, displacement, segment: Register::None }
    }
    /// The shadow of this client address.
    pub const fn shadow(self) -> Memory {
        Memory { segment: Register::GS, ..self }
    }
    pub const fn offset_by(self, bytes: i64) -> Memory {
        Memory { displacement: self.displacement + bytes, ..self }
    }
    pub fn operand(self) -> MemoryOperand {
        let size = if self.base == Register::None {
            8
        } else if self.displacement != 0 {
            1
        } else {
            0
        };
        MemoryOperand::new(self.base, self.index, self.scale, self.displacement, size, false, self.segment)
    }
}

/// A second operand: a register or memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    Register(Register),
    Memory(Memory),
}

/// A forward reference in emitted code: where a displacement has to be written.
#[derive(Clone, Copy)]
#[must_use]
pub struct Jump {
    at: usize,
    short: bool,
}

pub struct Assembler {
    encoder: Encoder,
    pub code: Vec<u8>,
    address: u64,
    context: u64,
    templates: Option<Rc<Templates>>,
}

/// General register by its number in encodings.
pub fn general(number: usize) -> Register {
    Register::RAX + number as u32
}
pub fn xmm(number: usize) -> Register {
    Register::XMM0 + number as u32
}
pub fn ymm(number: usize) -> Register {
    Register::YMM0 + number as u32
}

pub fn zmm(number: usize) -> Register {
    Register::ZMM0 + number as u32
}

impl Assembler {
    pub fn new(address: u64, context: u64) -> Assembler {
        let (encoder, code) = (Encoder::new(64), Vec::with_capacity(1024));
        Assembler { encoder, code, address, context, templates: None }
    }
    /// The same, faster for what is in the templates.
    pub fn with_templates(address: u64, context: u64, templates: Rc<Templates>) -> Assembler {
        Assembler { templates: Some(templates), ..Assembler::new(address, context) }
    }
    /// Address of the next byte.
    pub fn here(&self) -> u64 {
        self.address + self.code.len() as u64
    }
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.code.extend_from_slice(bytes);
    }
    /// Encodes an instruction that this crate built: it is always encodable.
    pub fn instruction(&mut self, instruction: &Instruction) {
        let here = self.here();
        self.encoder.set_buffer(core::mem::take(&mut self.code));
        match self.encoder.encode(instruction, here) {
            Ok(_) => {}
            Err(error) => panic!("cannot encode {:?}: {error}", instruction.code()),
        }
        self.code = self.encoder.take_buffer();
    }
    pub fn built(&mut self, instruction: Result<Instruction, IcedError>) {
        match instruction {
            Ok(instruction) => self.instruction(&instruction),
            Err(error) => panic!("cannot build an instruction: {error}"),
        }
    }
    /// A field of the context.
    pub fn context(&self, offset: u32) -> Memory {
        Memory::absolute(self.context + u64::from(offset))
    }
    pub fn shadow_slot(&self, general: usize) -> Memory {
        self.context(offset::GENERAL_SHADOWS + 8 * general as u32)
    }
    pub fn load(&mut self, register: Register, memory: Memory) {
        self.built(Instruction::with2(Code::Mov_r64_rm64, register, memory.operand()));
    }
    pub fn store(&mut self, memory: Memory, register: Register) {
        self.built(Instruction::with2(Code::Mov_rm64_r64, memory.operand(), register));
    }
    pub fn address_of(&mut self, register: Register, memory: Memory) {
        self.built(Instruction::with2(Code::Lea_r64_m, register, memory.operand()));
    }
    /// Writes `size` (1, 2, 4 or 8) zero bytes.
    pub fn store_zero(&mut self, memory: Memory, size: usize) {
        let code = match size {
            1 => Code::Mov_rm8_imm8,
            2 => Code::Mov_rm16_imm16,
            4 => Code::Mov_rm32_imm32,
            _ => Code::Mov_rm64_imm32,
        };
        self.built(Instruction::with2(code, memory.operand(), 0i32));
    }
    pub fn store_immediate(&mut self, memory: Memory, value: u32) {
        self.built(Instruction::with2(Code::Mov_rm64_imm32, memory.operand(), value as i32));
    }
    /// `cmp` of `size` bytes (1, 2, 4 or 8) with zero: changes flags.
    pub fn compare_zero(&mut self, memory: Memory, size: usize) {
        let code = match size {
            1 => Code::Cmp_rm8_imm8,
            2 => Code::Cmp_rm16_imm8,
            4 => Code::Cmp_rm32_imm8,
            _ => Code::Cmp_rm64_imm8,
        };
        self.built(Instruction::with2(code, memory.operand(), 0i32));
    }
    /// `cmp` of eight bytes with a number below 2^31: changes flags.
    pub fn compare(&mut self, memory: Memory, value: u32) {
        self.built(Instruction::with2(Code::Cmp_rm64_imm32, memory.operand(), value as i32));
    }
    pub fn jump_to(&mut self, target: u64) {
        self.jump_to_by(Code::Jmp_rel32_64, target);
    }
    pub fn jump_to_by(&mut self, code: Code, target: u64) {
        self.built(Instruction::with_branch(code, target));
    }
    /// Pushes an address that is no immediate of a push.
    pub fn push_far_address(&mut self, address: u64) {
        self.address_of(Register::RSP, Memory::at(Register::RSP, -8));
        let halves = [address as u32 as i32, (address >> 32) as i32];
        for (half, place) in halves.into_iter().zip([0, 4]) {
            let memory = Memory::at(Register::RSP, place).operand();
            self.built(Instruction::with2(Code::Mov_rm32_imm32, memory, half));
        }
    }
    /// Pops a return address and jumps to what this half of a table holds for it. rcx is spilled, and holds part of the
    /// address then.
    pub fn return_by_table(&mut self, part: u64) {
        let top = Memory::at(Register::RSP, 0).operand();
        self.built(Instruction::with2(Code::Movzx_r32_rm16, Register::ECX, top));
        self.address_of(Register::RSP, Memory::at(Register::RSP, 8));
        self.jump_by_table(part);
    }
    /// Puts the target of an indirect branch where entrances look for it.
    pub fn store_target(&mut self, holder: Register) {
        let target = self.context(offset::TARGET);
        self.store(target, holder);
    }
    /// Jumps to what this part of a table holds for the number in rcx.
    pub fn jump_by_table(&mut self, part: u64) {
        let entry = Memory { index: Register::RCX, scale: 8, ..Memory::absolute(part) };
        self.built(Instruction::with1(Code::Jmp_rm64, entry.operand()));
    }
    /// A conditional or unconditional jump with a 32-bit displacement to be set later.
    pub fn jump(&mut self, code: Code) -> Jump {
        match self.templates.as_ref().and_then(|templates| templates.jump(code)) {
            Some(bytes) => self.code.extend_from_slice(bytes),
            None => self.jump_to_by(code, self.here()),
        }
        Jump { at: self.code.len() - 4, short: false }
    }
    /// `jrcxz` or `jmp` with an 8-bit displacement to be set later.
    pub fn short_jump(&mut self, code: Code) -> Jump {
        let here = self.here();
        self.built(Instruction::with_branch(code, here));
        Jump { at: self.code.len() - 1, short: true }
    }
    /// Lets a jump end here.
    pub fn land(&mut self, jump: Jump) {
        if jump.short {
            let distance = self.code.len() - (jump.at + 1);
            assert!(distance < 128, "a short jump over {distance} bytes");
            self.code[jump.at] = distance as u8;
        } else {
            let distance = (self.code.len() - (jump.at + 4)) as u32;
            self.code[jump.at..jump.at + 4].copy_from_slice(&distance.to_le_bytes());
        }
    }
    /// Offset in the code of the displacement of a 32-bit jump.
    pub fn displacement_of(&self, jump: Jump) -> u32 {
        jump.at as u32
    }
    /// Pads with NOPs to a multiple of `alignment`.
    pub fn align(&mut self, alignment: usize) {
        while self.here() as usize % alignment != 0 {
            self.built(Ok(Instruction::with(Code::Nopd)));
        }
    }
}
