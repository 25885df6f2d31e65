//! The assembler: a thin layer over iced-x86's encoder with the few instructions that sweeps need.

use iced_x86::{Code, Encoder, IcedError, Instruction, MemoryOperand, Register};

/// A second operand: a register or memory.
#[derive(Clone, Copy)]
pub enum Source {
    Xmm(u32),
    Memory(MemoryOperand),
}

/// Arithmetic of binary64 numbers, as AVX has it: the encoding for the lower 16 registers, and that for all 32.
pub type Arithmetic = [Code; 2];

pub const ADD: Arithmetic = [Code::VEX_Vaddsd_xmm_xmm_xmmm64, Code::EVEX_Vaddsd_xmm_k1z_xmm_xmmm64_er];
pub const SUBTRACT: Arithmetic = [Code::VEX_Vsubsd_xmm_xmm_xmmm64, Code::EVEX_Vsubsd_xmm_k1z_xmm_xmmm64_er];
pub const MULTIPLY: Arithmetic = [Code::VEX_Vmulsd_xmm_xmm_xmmm64, Code::EVEX_Vmulsd_xmm_k1z_xmm_xmmm64_er];
pub const DIVIDE: Arithmetic = [Code::VEX_Vdivsd_xmm_xmm_xmmm64, Code::EVEX_Vdivsd_xmm_k1z_xmm_xmmm64_er];
pub const SQUARE_ROOT: Arithmetic =
    [Code::VEX_Vsqrtsd_xmm_xmm_xmmm64, Code::EVEX_Vsqrtsd_xmm_k1z_xmm_xmmm64_er];
/// The binary64 value of a binary32 number in memory.
pub const WIDEN: Arithmetic =
    [Code::VEX_Vcvtss2sd_xmm_xmm_xmmm32, Code::EVEX_Vcvtss2sd_xmm_k1z_xmm_xmmm32_sae];

/// Machine code that is to stand at an address.
pub struct Assembler {
    encoder: Encoder,
    address: u64,
    error: Option<IcedError>,
}

/// The memory behind a register.
pub fn at(base: Register, displacement: i64) -> MemoryOperand {
    MemoryOperand::with_base_displ(base, displacement)
}

/// A cell: eight bytes per index.
pub fn cell(base: Register, index: Register) -> MemoryOperand {
    MemoryOperand::with_base_index_scale(base, index, 8)
}

fn xmm(number: u32) -> Register {
    Register::XMM0 + number
}

impl Assembler {
    pub fn new(address: u64) -> Assembler {
        Assembler { encoder: Encoder::new(64), address, error: None }
    }

    /// Where the next instruction stands.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// The code, if all instructions could be encoded.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        match self.error {
            None => Some(self.encoder.take_buffer()),
            Some(_) => None,
        }
    }

    pub fn emit(&mut self, instruction: Result<Instruction, IcedError>) {
        match instruction.and_then(|instruction| self.encoder.encode(&instruction, self.address)) {
            Ok(length) => self.address += length as u64,
            Err(error) => self.error = Some(error),
        }
    }

    pub fn jump(&mut self, code: Code, target: u64) {
        self.emit(Instruction::with_branch(code, target));
    }

    /// `target = first (operation) second`.
    pub fn arithmetic(&mut self, operation: Arithmetic, target: u32, first: u32, second: Source) {
        match second {
            Source::Xmm(second) => {
                let all = usize::from(target.max(first).max(second) >= 16);
                let code = operation[all];
                self.emit(Instruction::with3(code, xmm(target), xmm(first), xmm(second)));
            }
            Source::Memory(memory) => {
                let all = usize::from(target.max(first) >= 16);
                self.emit(Instruction::with3(operation[all], xmm(target), xmm(first), memory));
            }
        }
    }

    pub fn load(&mut self, target: u32, memory: MemoryOperand) {
        let code = if target >= 16 { Code::EVEX_Vmovsd_xmm_k1z_m64 } else { Code::VEX_Vmovsd_xmm_m64 };
        self.emit(Instruction::with2(code, xmm(target), memory));
    }

    pub fn copy(&mut self, target: u32, source: u32) {
        let code = if target.max(source) >= 16 {
            Code::EVEX_Vmovapd_xmm_k1z_xmmm128
        } else {
            Code::VEX_Vmovapd_xmm_xmmm128
        };
        self.emit(Instruction::with2(code, xmm(target), xmm(source)));
    }

    pub fn store(&mut self, memory: MemoryOperand, source: u32) {
        let code = if source >= 16 { Code::EVEX_Vmovsd_m64_k1_xmm } else { Code::VEX_Vmovsd_m64_xmm };
        self.emit(Instruction::with2(code, memory, xmm(source)));
    }

    /// Go to `target` if the number is NaN.
    pub fn jump_if_nan(&mut self, number: u32, target: u64) {
        self.emit(Instruction::with2(Code::VEX_Vucomisd_xmm_xmmm64, xmm(number), xmm(number)));
        self.jump(Code::Jp_rel32_64, target);
    }

    pub fn load_general(&mut self, target: Register, memory: MemoryOperand) {
        self.emit(Instruction::with2(Code::Mov_r64_rm64, target, memory));
    }

    pub fn store_general(&mut self, memory: MemoryOperand, source: Register) {
        self.emit(Instruction::with2(Code::Mov_rm64_r64, memory, source));
    }

    pub fn address_of(&mut self, target: Register, memory: MemoryOperand) {
        self.emit(Instruction::with2(Code::Lea_r64_m, target, memory));
    }
}
