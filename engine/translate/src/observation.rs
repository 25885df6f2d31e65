//! What registers and memory hold while a block runs that is about to be executed, as far as its moves tell.
//!
//! It shows which tests are worth their time: an addend that comes from elsewhere may be a rounding constant
//! ([`crate::rounding`]), a variable is mostly as passive as it is now ([`crate::expected_passive`]). So an instruction
//! that is not understood, or a store to an unknown place, does no harm but for a test that is missing or in vain.

use crate::interface::{ClientCode, Registers};
use crate::passive::is_write;
use alloc::vec::Vec;
use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpKind, Register};

#[derive(Clone, Copy)]
enum Value {
    Known(u64),
    /// What memory held at this address when the block began. It is not read before it is asked for.
    At(u64),
}

pub(crate) struct Observation<'a> {
    client: &'a dyn ClientCode,
    general: [Option<Value>; 16],
    /// Lowest eight bytes.
    vectors: [Option<Value>; 32],
    /// By address; the latest is the last.
    stored: Vec<(u64, Value)>,
}

impl<'a> Observation<'a> {
    pub fn new(client: &'a dyn ClientCode, registers: &Registers) -> Observation<'a> {
        let mut vectors = [None; 32];
        for (value, words) in vectors.iter_mut().zip(&registers.vectors) {
            *value = Some(Value::Known(words[0]));
        }
        let general = registers.general.map(|value| Some(Value::Known(value)));
        Observation { client, general, vectors, stored: Vec::new() }
    }

    /// The lowest eight bytes of an operand.
    pub fn operand(&self, instruction: &Instruction, operand: u32) -> Option<u64> {
        self.resolved(self.value(instruction, operand)?)
    }

    /// Takes note of what an instruction changes.
    pub fn step(&mut self, info: &mut InstructionInfoFactory, instruction: &Instruction) {
        if instruction.mnemonic() == Mnemonic::Push {
            let value = self.value(instruction, 0);
            let top = self.register(Register::RSP).map(|top| top.wrapping_sub(8));
            self.set(Register::RSP, top.map(Value::Known));
            self.stored.extend(top.zip(value));
            return;
        }
        let moved = self.moved(instruction);
        if instruction.op0_kind() == OpKind::Memory {
            self.stored.extend(self.address(instruction).zip(moved));
            return;
        }
        for used in info.info(instruction).used_registers().iter().filter(|used| is_write(used.access())) {
            self.set(used.register(), None);
        }
        if moved.is_some() {
            self.set(instruction.op0_register(), moved);
        }
    }

    /// What the first operand of a move becomes.
    fn moved(&self, instruction: &Instruction) -> Option<Value> {
        use Mnemonic::*;
        let operands = instruction.op_count();
        match instruction.mnemonic() {
            Mov | Movsd | Vmovsd | Movss | Vmovss if operands == 2 => self.value(instruction, 1),
            Movapd | Vmovapd | Movaps | Vmovaps | Movupd | Vmovupd | Movups | Vmovups | Movdqa | Vmovdqa
            | Movdqu | Vmovdqu | Vmovdqa32 | Vmovdqa64 | Vmovdqu32 | Vmovdqu64 | Movq | Vmovq | Movd
            | Vmovd | Movddup | Vmovddup | Vbroadcastsd | Vbroadcastss | Vpbroadcastq | Vpbroadcastd
            | Vinsertf128 | Vinserti128 => self.value(instruction, 1),
            // The lowest lane stays, or is that of the first source.
            Unpcklpd | Unpcklps | Movlhps | Punpcklqdq | Vunpcklpd | Vunpcklps | Vmovlhps | Vpunpcklqdq => {
                self.value(instruction, operands - 2)
            }
            Shufps | Shufpd | Vshufps | Vshufpd if instruction.immediate8() & 3 == 0 => {
                self.value(instruction, operands - 3)
            }
            Pshufd | Vpshufd if instruction.immediate8() & 3 == 0 => self.value(instruction, 1),
            Lea => self.address(instruction).map(Value::Known),
            Add | Sub => {
                let constant = instruction.try_immediate(1).ok()?;
                let before = self.operand(instruction, 0)?;
                let adds = instruction.mnemonic() == Add;
                Some(Value::Known(before.wrapping_add(if adds { constant } else { constant.wrapping_neg() })))
            }
            _ => None,
        }
    }

    fn value(&self, instruction: &Instruction, operand: u32) -> Option<Value> {
        match instruction.op_kind(operand) {
            OpKind::Register => self.get(instruction.op_register(operand)),
            OpKind::Memory => {
                let address = self.address(instruction)?;
                let stored = self.stored.iter().rfind(|(place, _)| *place == address);
                Some(stored.map_or(Value::At(address), |(_, value)| *value))
            }
            _ => instruction.try_immediate(operand).ok().map(Value::Known),
        }
    }

    fn resolved(&self, value: Value) -> Option<u64> {
        match value {
            Value::Known(value) => Some(value),
            Value::At(address) => self.client.content(address),
        }
    }

    /// Address of the memory operand.
    pub fn address(&self, instruction: &Instruction) -> Option<u64> {
        if matches!(instruction.memory_segment(), Register::FS | Register::GS) {
            return None;
        }
        if instruction.is_ip_rel_memory_operand() {
            return Some(instruction.ip_rel_memory_address());
        }
        let base = self.register(instruction.memory_base())?;
        let index = self.register(instruction.memory_index())?;
        let scaled = index.wrapping_mul(u64::from(instruction.memory_index_scale()));
        Some(base.wrapping_add(scaled).wrapping_add(instruction.memory_displacement64()))
    }

    /// A register of an address.
    fn register(&self, register: Register) -> Option<u64> {
        match register {
            Register::None => Some(0),
            register => self.resolved(self.get(register)?),
        }
    }

    fn get(&self, register: Register) -> Option<Value> {
        if register.is_gpr64() {
            self.general[register.number()]
        } else if register.is_vector_register() {
            self.vectors[register.number()]
        } else {
            None
        }
    }

    fn set(&mut self, register: Register, value: Option<Value>) {
        if register.is_gpr() {
            let value = value.filter(|_| register.is_gpr64());
            self.general[register.full_register().number()] = value;
        } else if register.is_vector_register() {
            self.vectors[register.number()] = value;
        }
    }
}
