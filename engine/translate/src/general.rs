//! Shadows of general registers: compilers move floats through them.

use crate::checks::OnActive;
use crate::context::offset;
use crate::control::has_memory;
use crate::decode::Client;
use crate::emit::Memory;
use crate::encodings::{Shape, Width};
use crate::passive::pushed_size;
use crate::rules::Element;
use crate::state::State;
use crate::translate::Translator;
use iced_x86::{Code, Instruction, OpKind, Register};

/// Where the shadow of a general register is found besides its slot. Unoptimised code moves each float argument and
/// result through rax; a second way spares the trip through the slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mirror {
    None,
    /// The low lane of the shadow of this vector register, while that has this content.
    Vector {
        number: usize,
        content: u32,
    },
    /// Shadow memory, for the instruction with this number.
    Memory {
        place: Memory,
        position: usize,
    },
}

impl Translator<'_> {
    /// The vector register whose shadow begins with the shadow of a general register.
    pub(crate) fn mirror_in_vector(&self, register: Register) -> Option<usize> {
        match self.mirrors[register.full_register().number()] {
            Mirror::Vector { number, content }
                if self.vectors.masks.content(number) == content && !self.vectors.is_zero(number) =>
            {
                Some(number)
            }
            _ => None,
        }
    }

    /// Where the shadow of a general register is to be loaded from.
    pub(crate) fn mirror_in_memory(&self, register: Register) -> Memory {
        match self.mirrors[register.full_register().number()] {
            Mirror::Memory { place, position } if position == self.position => place,
            _ => self.slot(register),
        }
    }

    /// The slot of a register has changed: its shadow is nowhere else.
    pub(crate) fn forget_mirror(&mut self, register: Register) {
        self.mirrors[register.full_register().number()] = Mirror::None;
    }

    /// Where a load into a general register goes on if the loaded data is active: the same instruction, translated to
    /// move the shadow.
    pub(crate) fn expecting_load(&self, instruction: &Instruction) -> OnActive {
        let vectors = &self.vectors;
        let state =
            State::active(self.zero_general | 1 << Register::RSP.number(), vectors.zero, vectors.upper);
        OnActive::Leave(instruction.ip(), state.expecting_active_load())
    }

    /// Is this the instruction that the translation was made for because its operand is active?
    pub(crate) fn expects_active_operand(&self) -> bool {
        self.position == 0 && self.job.state.expects_active_load()
    }

    pub(crate) fn general_is_zero(&self, register: Register) -> bool {
        self.zero_general >> register.full_register().number() & 1 != 0
    }

    pub(crate) fn slot(&self, register: Register) -> Memory {
        self.asm.shadow_slot(register.full_register().number())
    }

    /// Copies `size` bytes of shadow memory without touching flags.
    pub(crate) fn copy_shadow(&mut self, instruction: &Instruction, to: Memory, from: Memory, size: usize) {
        if self.vectors.in_registers() {
            let (load, store) = match size {
                1 => (Code::VEX_Kmovb_kr_km8, Code::VEX_Kmovb_m8_kr),
                2 => (Code::VEX_Kmovw_kr_km16, Code::VEX_Kmovw_m16_kr),
                4 => (Code::VEX_Kmovd_kr_km32, Code::VEX_Kmovd_m32_kr),
                _ => (Code::VEX_Kmovq_kr_km64, Code::VEX_Kmovq_m64_kr),
            };
            self.asm.built(Instruction::with2(load, Register::K1, from.operand()));
            self.asm.built(Instruction::with2(store, to.operand(), Register::K1));
            return;
        }
        let register = self.unused_register(instruction);
        let register = if [to.base, from.base].contains(&register) { Register::R15 } else { register };
        let park = self.asm.context(offset::SCRATCH + 8);
        self.asm.store(park, register);
        let (load, store, part) = match size {
            1 => (Code::Mov_r8_rm8, Code::Mov_rm8_r8, Register::AL + register.number() as u32),
            2 => (Code::Mov_r16_rm16, Code::Mov_rm16_r16, Register::AX + register.number() as u32),
            4 => (Code::Mov_r32_rm32, Code::Mov_rm32_r32, register.full_register32()),
            _ => (Code::Mov_r64_rm64, Code::Mov_rm64_r64, register),
        };
        let part = if size == 1 { low_byte(register) } else { part };
        self.asm.built(Instruction::with2(load, part, from.operand()));
        self.asm.built(Instruction::with2(store, to.operand(), part));
        self.asm.load(register, park);
    }

    pub(crate) fn general_move(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let target = instruction.op0_register();
        let source = instruction.op1_register();
        match (instruction.op0_kind(), instruction.op1_kind()) {
            (OpKind::Register, OpKind::Memory) if target.is_gpr64() || target.is_gpr32() => {
                self.load_general(client, target);
            }
            (OpKind::Register, OpKind::Register)
                if (target.is_gpr64() || target.is_gpr32()) && source.is_gpr() =>
            {
                self.copy(client);
                if self.general_is_zero(source) {
                    self.zero_general |= 1 << target.full_register().number();
                } else {
                    self.move_to_slot(instruction, target, self.slot(source), target.size());
                }
            }
            (OpKind::Memory, OpKind::Register) if source.is_gpr() => self.store_general(client, source),
            _ => self.bits(client),
        }
    }

    /// Gives a general register the shadow at `from`; a 32-bit move clears the upper half.
    pub(crate) fn move_to_slot(
        &mut self,
        instruction: &Instruction,
        target: Register,
        from: Memory,
        size: usize,
    ) {
        let slot = self.slot(target);
        if from != slot {
            self.copy_shadow(instruction, slot, from, size);
        }
        if size == 4 {
            self.asm.store_zero(slot.offset_by(4), 4);
        }
        self.zero_general &= !(1 << target.full_register().number());
        let in_memory =
            from.segment == Register::GS && size == 8 && from.base != target && from.index != target;
        self.mirrors[target.full_register().number()] = if in_memory && from.base != Register::RCX {
            Mirror::Memory { place: from, position: self.position + 1 }
        } else {
            Mirror::None
        };
    }

    fn load_general(&mut self, client: &Client, target: Register) {
        let instruction = &client.instruction;
        let size = target.size();
        let passive = self.is_passive_memory(instruction) || self.untested[self.position];
        if !self.expects_active_operand() || passive {
            if !passive {
                let on_active = self.expecting_load(instruction);
                self.check_operand(instruction, size, on_active);
            }
            self.copy(client);
            self.zero_general |= 1 << target.full_register().number();
            return;
        }
        let opened = self.open(instruction);
        self.move_to_slot(instruction, target, opened.memory, size);
        self.close(opened);
        self.copy(client);
    }

    fn store_general(&mut self, client: &Client, source: Register) {
        let instruction = &client.instruction;
        let size = source.size();
        self.copy(client);
        if self.general_is_zero(source) {
            self.zero_operand(instruction, size);
            return;
        }
        if let (8, Some(number)) = (size, self.mirror_in_vector(source)) {
            let shadow = self.shadow(number);
            let opened = self.open(instruction);
            let shape = Shape { element: Element::F64, width: Width::Scalar };
            self.store_lane(shape, opened.memory, shadow);
            self.close(opened);
            self.hold_stack_variable(number);
            return;
        }
        let high = matches!(source, Register::AH | Register::BH | Register::CH | Register::DH);
        let from = self.slot(source).offset_by(i64::from(high));
        let opened = self.open(instruction);
        self.copy_shadow(instruction, opened.memory, from, size);
        self.close(opened);
    }

    pub(crate) fn push(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let size = pushed_size(instruction);
        let top = Memory::at(Register::RSP, -(size as i64)).shadow();
        if has_memory(instruction) && !self.is_passive_memory(instruction) {
            let opened = self.open(instruction);
            self.copy_shadow(instruction, top, opened.memory, size);
            self.close(opened);
        } else if instruction.op_count() > 0
            && instruction.op0_kind() == OpKind::Register
            && instruction.op0_register().is_gpr()
            && !self.general_is_zero(instruction.op0_register())
        {
            let slot = self.slot(instruction.op0_register());
            self.copy_shadow(instruction, top, slot, size);
        } else {
            self.zero_place(top, size);
        }
        self.copy(client);
    }

    pub(crate) fn pop(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let size = pushed_size(instruction);
        let top = Memory::at(Register::RSP, 0).shadow();
        let target = instruction.op0_register();
        let to_general = instruction.op0_kind() == OpKind::Register && target.is_gpr64();
        if to_general && self.expects_active_operand() {
            self.move_to_slot(instruction, target, top, size);
            // The place is not addressed by the new stack pointer.
            self.forget_mirror(target);
            self.copy(client);
            return;
        }
        let on_active =
            if to_general { self.expecting_load(instruction) } else { self.instruction_site(instruction) };
        self.check_place(top, size, on_active);
        self.passive_result(client);
    }

    /// `leave`: rbp comes from where it points.
    pub(crate) fn leave_frame(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let size = frame_pointer_size(instruction);
        let place = Memory::at(Register::RBP, 0).shadow();
        let whole = size == 8;
        if whole && self.expects_active_operand() {
            self.move_to_slot(instruction, Register::RBP, place, size);
            self.copy(client);
            return;
        }
        let on_active =
            if whole { self.expecting_load(instruction) } else { self.instruction_site(instruction) };
        self.check_place(place, size, on_active);
        self.passive_result(client);
    }

    pub(crate) fn exchange(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let (one, other) = (instruction.op0_register(), instruction.op1_register());
        let size = other.size();
        if size < 4 {
            self.without_rule(client);
        } else if has_memory(instruction) {
            self.exchange_memory(client, other, size);
        } else {
            self.copy(client);
            if self.general_is_zero(one) && self.general_is_zero(other) {
                return;
            }
            self.make_slot_valid(one);
            self.make_slot_valid(other);
            self.swap_shadows(instruction, self.slot(one), self.slot(other), size);
            if size == 4 {
                self.asm.store_zero(self.slot(one).offset_by(4), 4);
                self.asm.store_zero(self.slot(other).offset_by(4), 4);
            }
        }
    }

    fn exchange_memory(&mut self, client: &Client, register: Register, size: usize) {
        let instruction = &client.instruction;
        let locked = self.job.settings.has_threads;
        let others_exchange = self.is_exchanged_by_others(instruction);
        if self.expects_active_operand() || others_exchange && !self.general_is_zero(register) {
            if locked {
                self.lock();
            }
            self.make_slot_valid(register);
            let opened = self.open(instruction);
            self.swap_shadows(instruction, opened.memory, self.slot(register), size);
            self.close(opened);
            if size == 4 {
                self.asm.store_zero(self.slot(register).offset_by(4), 4);
            }
            self.copy(client);
            if locked {
                self.unlock();
            }
            return;
        }
        let on_active = self.expecting_load(instruction);
        if others_exchange {
            self.exchange_passive(client, on_active);
            return;
        }
        self.check_operand(instruction, size, on_active);
        if self.general_is_zero(register) {
            self.zero_operand(instruction, size);
        } else {
            let opened = self.open(instruction);
            self.copy_shadow(instruction, opened.memory, self.slot(register), size);
            self.close(opened);
        }
        self.copy(client);
        self.zero_general |= 1 << register.full_register().number();
    }

    pub(crate) fn make_slot_valid(&mut self, register: Register) {
        if self.general_is_zero(register) {
            self.forget_mirror(register);
            self.asm.store_zero(self.slot(register), 8);
            self.zero_general &= !(1 << register.full_register().number());
        }
    }

    /// The slot of a register has been written.
    pub(crate) fn make_slot_known(&mut self, register: Register) {
        self.zero_general &= !(1 << register.full_register().number());
    }

    fn swap_shadows(&mut self, instruction: &Instruction, one: Memory, other: Memory, size: usize) {
        self.mirrors = [Mirror::None; 16];
        let parked = self.asm.context(offset::SCRATCH + 16);
        self.copy_shadow(instruction, parked, one, size);
        self.copy_shadow(instruction, one, other, size);
        self.copy_shadow(instruction, other, parked, size);
    }

    pub(crate) fn conditional_move(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let target = instruction.op0_register();
        let size = target.size();
        let from_memory = has_memory(instruction);
        if size < 4 {
            self.without_rule(client);
            return;
        }
        let expected = from_memory && self.expects_active_operand();
        if from_memory && !expected && !self.is_passive_memory(instruction) {
            let on_active = self.expecting_load(instruction);
            self.check_operand(instruction, size, on_active);
        }
        let source = instruction.op1_register();
        let source_zero = if from_memory { !expected } else { self.general_is_zero(source) };
        if source_zero && self.general_is_zero(target) {
            self.copy(client);
            return;
        }
        self.make_slot_valid(target);
        self.forget_mirror(target);
        let mut condition = *instruction;
        condition.negate_condition_code();
        let skip = self.asm.jump(jump_on_same_condition(&condition));
        let slot = self.slot(target);
        if source_zero {
            self.asm.store_zero(slot, size);
        } else if from_memory {
            let opened = self.open(instruction);
            self.copy_shadow(instruction, slot, opened.memory, size);
            self.close(opened);
        } else {
            self.copy_shadow(instruction, slot, self.slot(source), size);
        }
        self.asm.land(skip);
        if size == 4 {
            self.asm.store_zero(slot.offset_by(4), 4);
        }
        self.copy(client);
    }
}

fn low_byte(register: Register) -> Register {
    match register.number() {
        4..=7 => Register::SPL + (register.number() as u32 - 4),
        8..=15 => Register::R8L + (register.number() as u32 - 8),
        number => Register::AL + number as u32,
    }
}

/// The near jump with the condition of a conditional move.
fn jump_on_same_condition(instruction: &Instruction) -> Code {
    use iced_x86::ConditionCode;
    match instruction.condition_code() {
        ConditionCode::o => Code::Jo_rel32_64,
        ConditionCode::no => Code::Jno_rel32_64,
        ConditionCode::b => Code::Jb_rel32_64,
        ConditionCode::ae => Code::Jae_rel32_64,
        ConditionCode::e => Code::Je_rel32_64,
        ConditionCode::ne => Code::Jne_rel32_64,
        ConditionCode::be => Code::Jbe_rel32_64,
        ConditionCode::a => Code::Ja_rel32_64,
        ConditionCode::s => Code::Js_rel32_64,
        ConditionCode::ns => Code::Jns_rel32_64,
        ConditionCode::p => Code::Jp_rel32_64,
        ConditionCode::np => Code::Jnp_rel32_64,
        ConditionCode::l => Code::Jl_rel32_64,
        ConditionCode::ge => Code::Jge_rel32_64,
        ConditionCode::le => Code::Jle_rel32_64,
        ConditionCode::g => Code::Jg_rel32_64,
        ConditionCode::None => unreachable!("only conditional moves come here"),
    }
}

/// Bytes of the frame pointer that `leave` loads.
pub(crate) fn frame_pointer_size(instruction: &Instruction) -> usize {
    if instruction.code() == Code::Leavew {
        2
    } else {
        8
    }
}
