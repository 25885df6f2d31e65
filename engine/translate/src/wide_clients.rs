//! Copies by clients that use AVX-512: shadows live in memory, and the client's registers are lent to them.
//!
//! The client's registers named by the instruction are saved, loaded with their shadows, and the same instruction runs,
//! with the same masks, on these and on shadow memory. Registers 16 to 31 have their shadows in slots that are always
//! valid. No state says whether they are zero: [`offset::WIDE_ACTIVE`] is zero only if all of them are. Passive blocks
//! look at it before the first instruction that names such a register. Bits 256 and up of registers 0 to 15 have no
//! shadows: instructions that name zmm0 to zmm15 have no rule.

use crate::checks::OnActive;
use crate::context::offset;
use crate::decode::Client;
use crate::emit::{ymm, Memory};
use crate::passive::{active_state, is_write};
use crate::translate::Translator;
use crate::without_rule::is_read;
use alloc::vec::Vec;
use iced_x86::{Code, EncodingKind, Instruction, OpAccess, OpKind, Register};

fn zmm(number: usize) -> Register {
    Register::ZMM0 + number as u32
}

/// Has the register a slot that is always valid?
pub(crate) fn is_wide(register: Register) -> bool {
    register.is_vector_register() && register.number() >= 16
}

/// Is it a store that leaves some of its memory operand alone?
pub(crate) fn is_masked_store(instruction: &Instruction) -> bool {
    instruction.op_mask() != Register::None && instruction.op0_kind() == OpKind::Memory
}

impl Translator<'_> {
    /// For passive blocks: goes on in an active one unless the shadows of registers 16 to 31 are all zero.
    pub(crate) fn check_wide_registers(&mut self, instruction: &Instruction) {
        if self.wide_is_zero || instruction.encoding() != EncodingKind::EVEX {
            return;
        }
        let named = |k| instruction.op_kind(k) == OpKind::Register && is_wide(instruction.op_register(k));
        if (0..instruction.op_count()).any(named) {
            let flag = self.asm.context(offset::WIDE_ACTIVE);
            self.check_place(flag, 8, OnActive::Leave(instruction.ip(), active_state(false)));
            self.wide_is_zero = true;
        }
    }

    /// The rule for copies. Bit k of `shadows` is set where operand k stands for its shadow.
    pub(crate) fn same_wide(&mut self, client: &Client, shadows: u8) {
        let instruction = &client.instruction;
        if (0..instruction.op_count()).any(|k| is_general(instruction, k)) {
            self.lane_of_wide(client);
            return;
        }
        // Low registers are the client's from here on.
        self.write_back_all();
        let stores = instruction.op0_kind() == OpKind::Memory;
        if stores {
            self.copy(client);
        }
        let lent = self.lend(instruction, shadows);
        self.run_on_shadows(instruction, shadows);
        if !stores {
            let target = instruction.op0_register().number();
            self.store_shadow(target);
        }
        for number in lent {
            let place = self.asm.context(offset::BORROWED + 64 * number as u32);
            let load = Instruction::with2(Code::EVEX_Vmovups_zmm_k1z_zmmm512, zmm(number), place.operand());
            self.asm.built(load);
        }
        if !stores {
            self.copy(client);
            let target = instruction.op0_register();
            if !is_wide(target) {
                self.set_active(target.number(), target.is_ymm());
            }
        }
    }

    /// Saves the client's registers that will hold shadows, and loads the shadows that are read. Returns their numbers.
    fn lend(&mut self, instruction: &Instruction, shadows: u8) -> Vec<usize> {
        let mut lent = Vec::new();
        let mut read = Vec::new();
        for operand in 0..instruction.op_count() {
            if shadows >> operand & 1 == 0 || instruction.op_kind(operand) != OpKind::Register {
                continue;
            }
            let number = instruction.op_register(operand).number();
            if !lent.contains(&number) {
                lent.push(number);
            }
            // The target is read, too, where a mask keeps some of it.
            let access = self.info.info(instruction).op_access(operand);
            let reads = access != OpAccess::Write || instruction.op_mask() != Register::None;
            if reads && !read.contains(&number) {
                read.push(number);
            }
        }
        for number in &lent {
            let place = self.asm.context(offset::BORROWED + 64 * *number as u32);
            let store = Instruction::with2(Code::EVEX_Vmovups_zmmm512_k1z_zmm, place.operand(), zmm(*number));
            self.asm.built(store);
        }
        for number in read {
            self.load_shadow(number);
        }
        lent
    }

    fn load_shadow(&mut self, number: usize) {
        let slot = self.vectors.home_slot(&self.asm, number).operand();
        let load = if number >= 16 {
            Instruction::with2(Code::EVEX_Vmovups_zmm_k1z_zmmm512, zmm(number), slot)
        } else if self.vectors.is_zero(number) {
            Instruction::with3(
                Code::EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32,
                zmm(number),
                zmm(number),
                zmm(number),
            )
        } else {
            Instruction::with2(Code::EVEX_Vmovups_ymm_k1z_ymmm256, ymm(number), slot)
        };
        self.asm.built(load);
    }

    fn store_shadow(&mut self, number: usize) {
        let slot = self.vectors.home_slot(&self.asm, number).operand();
        if number < 16 {
            self.asm.built(Instruction::with2(Code::EVEX_Vmovups_ymmm256_k1z_ymm, slot, ymm(number)));
            return;
        }
        self.asm.built(Instruction::with2(Code::EVEX_Vmovups_zmmm512_k1z_zmm, slot, zmm(number)));
        self.wide_may_be_active();
    }

    fn wide_may_be_active(&mut self) {
        let flag = self.asm.context(offset::WIDE_ACTIVE);
        self.asm.store_immediate(flag, 1);
    }

    fn run_on_shadows(&mut self, instruction: &Instruction, shadows: u8) {
        let mut shadow = *instruction;
        let memory = (0..instruction.op_count()).find(|k| instruction.op_kind(*k) == OpKind::Memory);
        let Some(operand) = memory else {
            self.asm.instruction(&shadow);
            return;
        };
        let opened = self.open(instruction);
        let is_shadow = shadows >> operand & 1 != 0;
        let segment = if is_shadow { Register::GS } else { Register::None };
        crate::copies::set_memory(&mut shadow, Memory { segment, ..opened.memory });
        self.asm.instruction(&shadow);
        self.close(opened);
    }

    /// `vmovd` and `vmovq` between a general register and register 16 to 31, or 0 to 15 in EVEX encoding.
    fn lane_of_wide(&mut self, client: &Client) {
        let instruction = &client.instruction;
        self.write_back_all();
        let (target, source) = (instruction.op0_register(), instruction.op1_register());
        let size = if target.is_gpr() { target.size() } else { source.size() };
        self.copy(client);
        if target.is_gpr() {
            let number = target.full_register().number();
            if !is_wide(source) && self.vectors.is_zero(source.number()) {
                self.zero_general |= 1 << number;
                return;
            }
            let (from, slot) = (self.vectors.home_slot(&self.asm, source.number()), self.slot(target));
            self.copy_shadow(instruction, slot, from, size);
            if size == 4 {
                self.asm.store_zero(slot.offset_by(4), 4);
            }
            self.forget_mirror(target);
            self.make_slot_known(target);
            return;
        }
        let number = target.number();
        if !is_wide(target) && self.general_is_zero(source) {
            self.set_zero(number);
            return;
        }
        self.clear_slot(number);
        if !self.general_is_zero(source) {
            let (from, slot) = (self.slot(source), self.vectors.home_slot(&self.asm, number));
            self.copy_shadow(instruction, slot, from, size);
            if is_wide(target) {
                self.wide_may_be_active();
            }
        }
        if !is_wide(target) {
            self.set_active(number, false);
        }
    }

    /// The slot of a vector register becomes zero, as far as it is used.
    pub(crate) fn clear_slot(&mut self, number: usize) {
        let slot = self.vectors.home_slot(&self.asm, number);
        self.zero_place(slot, if number < 16 { 32 } else { 64 });
    }

    /// Counts registers 16 to 31 that an instruction without a rule reads and that are active.
    pub(crate) fn check_wide_operands(&mut self, instruction: &Instruction, on_active: OnActive) {
        let read: Vec<Register> = self
            .info
            .info(instruction)
            .used_registers()
            .iter()
            .filter(|used| is_read(used.access()) && is_wide(used.register()))
            .map(|used| used.register())
            .collect();
        for register in read {
            let slot = self.vectors.home_slot(&self.asm, register.number());
            self.check_place(slot, register.size(), on_active);
        }
    }

    /// Makes registers 16 to 31 passive that an instruction without a rule writes.
    pub(crate) fn clear_wide_results(&mut self, instruction: &Instruction) {
        let written: Vec<usize> = self
            .info
            .info(instruction)
            .used_registers()
            .iter()
            .filter(|used| is_write(used.access()) && is_wide(used.register()))
            .map(|used| used.register().number())
            .collect();
        for number in written {
            self.clear_slot(number);
        }
    }
}

fn is_general(instruction: &Instruction, operand: u32) -> bool {
    instruction.op_kind(operand) == OpKind::Register && instruction.op_register(operand).is_gpr()
}
