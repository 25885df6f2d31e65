//! The client's values in front of an instruction.

use super::extended::Extended;
use super::{is_complete, Change, Place};
use crate::passive::is_write;
use alloc::vec::Vec;
use iced_x86::{EncodingKind, Instruction, InstructionInfoFactory, OpAccess, OpKind, Register};

/// What a computed rule sees.
pub struct Machine<'a> {
    /// In encoding order.
    pub general: &'a [u64; 16],
    pub flags: u64,
    /// Bits that the processor does not have are zero.
    pub vectors: &'a [[u8; 64]; 32],
    pub masks: &'a [u64; 8],
    pub x87: X87State<'a>,
    pub fs_base: u64,
    pub gs_base: u64,
    /// Reads client memory; false if it cannot be read.
    pub read: &'a dyn Fn(u64, &mut [u8]) -> bool,
}

/// The x87 registers as `fxsave` stores them.
#[derive(Clone, Copy)]
pub struct X87State<'a>(pub &'a [u8; 160]);

impl X87State<'_> {
    /// Number of the physical register that is st(0).
    pub fn top(&self) -> usize {
        usize::from(u16::from_le_bytes([self.0[2], self.0[3]]) >> 11 & 7)
    }

    /// The number in st(`position`).
    pub fn number(&self, position: usize) -> Extended {
        let mut number = Extended::ZERO;
        number.0.copy_from_slice(&self.0[32 + 16 * (position % 8)..][..10]);
        number
    }

    /// The number in a physical register, of which an MMX register is a part.
    pub fn physical(&self, register: usize) -> Extended {
        self.number(register + 8 - self.top())
    }
}

/// Value of an operand, and where its shadow is.
#[derive(Clone, Copy, Debug)]
pub struct Operand {
    /// The lowest bytes; what the operand does not have is zero.
    pub bytes: [u8; 64],
    pub size: usize,
    pub place: Place,
}

impl Operand {
    /// The lane of four bytes with this number.
    pub fn word32(&self, lane: usize) -> u32 {
        let mut word = [0; 4];
        word.copy_from_slice(&self.bytes[4 * lane..4 * lane + 4]);
        u32::from_le_bytes(word)
    }

    /// The lane of eight bytes with this number.
    pub fn word64(&self, lane: usize) -> u64 {
        let mut word = [0; 8];
        word.copy_from_slice(&self.bytes[8 * lane..8 * lane + 8]);
        u64::from_le_bytes(word)
    }
}

impl Machine<'_> {
    /// Operand number `number`: a general or vector register, or memory. `None` for others, and for memory that
    /// cannot be read.
    pub fn operand(&self, instruction: &Instruction, number: u32) -> Option<Operand> {
        match instruction.op_kind(number) {
            OpKind::Register => self.register(instruction.op_register(number)),
            OpKind::Memory => {
                let size = instruction.memory_size().size().min(64);
                let address = self.address(instruction, number)?;
                let mut bytes = [0; 64];
                (self.read)(address, &mut bytes[..size]).then_some(Operand {
                    bytes,
                    size,
                    place: Place::Memory { address },
                })
            }
            _ => None,
        }
    }

    fn register(&self, register: Register) -> Option<Operand> {
        let size = register.size();
        let mut bytes = [0; 64];
        let of_mmx = || register.is_mm().then(|| Place::X87 { register: register.number(), byte: 0 });
        let place = place_of(register).or_else(of_mmx)?;
        match place {
            Place::General { register, byte } => {
                let value = self.general[register] >> (8 * byte);
                bytes[..size].copy_from_slice(&value.to_le_bytes()[..size]);
            }
            Place::Vector { register, .. } => bytes[..size].copy_from_slice(&self.vectors[register][..size]),
            Place::X87 { register, .. } => {
                bytes[..size].copy_from_slice(&self.x87.physical(register).0[..size]);
            }
            Place::Memory { .. } => return None,
        }
        Some(Operand { bytes, size, place })
    }

    /// Address of a memory operand.
    pub fn address(&self, instruction: &Instruction, operand: u32) -> Option<u64> {
        instruction.virtual_address(operand, 0, |register, _, _| match register {
            Register::FS => Some(self.fs_base),
            Register::GS => Some(self.gs_base),
            _ if register.is_segment_register() => Some(0),
            _ if register.is_gpr64() => Some(self.general[register.number()]),
            _ if register.is_gpr32() => Some(self.general[register.number()] & 0xffff_ffff),
            _ => None,
        })
    }

    /// Zeros for what the instruction overwrites, and if `all`, also for what it may write, or reads and writes.
    pub fn overwritten(&self, instruction: &Instruction, all: bool) -> Vec<Change> {
        if is_complete(instruction) {
            return Vec::new();
        }
        let mut factory = InstructionInfoFactory::new();
        let info = factory.info(instruction);
        let counts = |access| access == OpAccess::Write || all && is_write(access);
        let mut zeros = Vec::new();
        for used in info.used_registers().iter().filter(|used| counts(used.access())) {
            let register = used.register();
            let Some(to) = place_of(register).filter(|_| register != Register::RSP) else { continue };
            let legacy = instruction.encoding() == EncodingKind::Legacy;
            let size = match to {
                Place::Vector { .. } if !legacy => 64,
                Place::General { .. } if register.size() >= 4 => 8,
                _ => register.size(),
            };
            zeros.push(Change::Zero { to, size });
        }
        for operand in 0..instruction.op_count() {
            let memory = instruction.op_kind(operand) == OpKind::Memory;
            if !memory || !counts(info.op_access(operand)) {
                continue;
            }
            if let Some(address) = self.address(instruction, operand) {
                let mut rest = instruction.memory_size().size();
                let mut to = Place::Memory { address };
                while rest != 0 {
                    let size = rest.min(64);
                    zeros.push(Change::Zero { to, size });
                    to = to.offset_by(size);
                    rest -= size;
                }
            }
        }
        zeros
    }
}

/// Where the shadow of a general or vector register begins.
pub fn place_of(register: Register) -> Option<Place> {
    use Register::{AH, BH, CH, DH};
    if register.is_gpr() {
        let byte = usize::from(matches!(register, AH | BH | CH | DH));
        return Some(Place::General { register: register.full_register().number(), byte });
    }
    register.is_vector_register().then(|| Place::Vector { register: register.number(), byte: 0 })
}
