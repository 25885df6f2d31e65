//! Copies, permutations and linear functions: the same instruction, run on the shadows.
//!
//! With homes in zmm16-31 the EVEX form runs on the homes ([`crate::evex_copies`]). Everything else runs the client's
//! own encoding on low registers.

use crate::control::has_memory;
use crate::decode::Client;
use crate::emit::{xmm, Memory, Operand};
use crate::encodings::{self, Form, Masking, Shape, Width};
use crate::evex_copies::{self, upper_half};
use crate::general::Mirror;
use crate::passive::is_write;
use crate::rules::{Element, Rule};
use crate::translate::Translator;
use crate::wide_clients::as_wide_as;
use crate::without_rule::is_read;
use iced_x86::{Code, EncodingKind, Instruction, Mnemonic, OpKind, Register, RoundingControl};

impl Translator<'_> {
    /// The rule for copies. Bit k of `shadows` is set where operand k stands for its shadow.
    pub(crate) fn same(&mut self, client: &Client, shadows: u8) {
        self.same_on_shadows(client, shadows, false);
    }

    /// The same for linear arithmetic.
    pub(crate) fn same_arithmetic(&mut self, client: &Client, shadows: u8) {
        self.same_on_shadows(client, shadows, true);
    }

    fn same_on_shadows(&mut self, client: &Client, shadows: u8, computes: bool) {
        let instruction = &client.instruction;
        if self.sources_are_zero(instruction, shadows) {
            self.copy_zero(client);
            return;
        }
        let stores = instruction.op0_kind() == OpKind::Memory;
        let first = self.target_is_value(instruction, shadows);
        if !first {
            self.copy(client);
        }
        if computes {
            self.own_control();
        }
        if self.vectors.in_registers() && is_blend_by_sign(instruction) {
            self.blend_by_sign(instruction);
        } else if let (false, Some(home)) = (stores, self.home_of_stack_variable()) {
            return self.load_stack_variable(instruction.op0_register().number(), home);
        } else if let Some(copy) = self.evex_copy(instruction) {
            self.same_on_homes(instruction, shadows, copy);
        } else {
            self.same_low(instruction, shadows);
        }
        if first {
            self.copy(client);
        }
        if stores {
            if instruction.op1_register().is_vector_register() {
                self.hold_stack_variable(instruction.op1_register().number());
            }
        } else {
            let target = instruction.op0_register();
            let lone = self.lone_lane(instruction);
            self.set_active(target.number(), target.is_ymm());
            if let Some(element) = lone {
                self.vectors.set_lone(target.number(), element);
            }
            if evex_copies::copies_register(instruction) {
                let source = instruction.op1_register().number();
                if target.is_ymm() || !self.vectors.upper {
                    self.vectors.masks.copy(target.number(), source);
                }
            }
            self.hold_stack_variable(target.number());
        }
    }

    /// The lane of a copy's result above which there are zeros.
    fn lone_lane(&self, instruction: &Instruction) -> Option<Element> {
        if evex_copies::copies_register(instruction) {
            let source = instruction.op1_register().number();
            let elements = [Element::F32, Element::F64];
            return elements.into_iter().find(|element| self.vectors.is_lone(source, *element));
        }
        match instruction.mnemonic() {
            Mnemonic::Movss | Mnemonic::Vmovss if has_memory(instruction) => Some(Element::F32),
            Mnemonic::Movsd | Mnemonic::Vmovsd if has_memory(instruction) => Some(Element::F64),
            _ => None,
        }
    }

    /// The rule for instructions that have no EVEX form.
    pub(crate) fn same_on_low_registers(&mut self, client: &Client, shadows: u8) {
        let instruction = &client.instruction;
        self.same_low(instruction, shadows);
        self.copy(client);
        if instruction.op0_kind() == OpKind::Register {
            let target = instruction.op0_register();
            self.set_active(target.number(), target.is_ymm());
        }
    }

    fn evex_copy(&self, instruction: &Instruction) -> Option<evex_copies::Copy> {
        if self.vectors.in_registers() {
            evex_copies::evex_copy(instruction)
        } else {
            None
        }
    }

    /// Are all shadows that the instruction reads known to be zero?
    pub(crate) fn sources_are_zero(&mut self, instruction: &Instruction, shadows: u8) -> bool {
        for operand in 0..instruction.op_count() {
            if shadows >> operand & 1 == 0 || !is_read(self.info.info(instruction).op_access(operand)) {
                continue;
            }
            let zero = match instruction.op_kind(operand) {
                OpKind::Register => self.vectors.is_zero(instruction.op_register(operand).number()),
                OpKind::Memory => self.is_passive_memory(instruction),
                _ => true,
            };
            if !zero {
                return false;
            }
        }
        true
    }

    fn copy_zero(&mut self, client: &Client) {
        let instruction = &client.instruction;
        self.copy(client);
        if instruction.op0_kind() == OpKind::Memory {
            self.zero_vector_operand(instruction);
        } else {
            self.set_zero(instruction.op0_register().number());
        }
    }

    /// Writes zero to the shadow of a vector store.
    pub(crate) fn zero_vector_operand(&mut self, instruction: &Instruction) {
        let size = instruction.memory_size().size();
        if size < 32 || !self.vectors.in_registers() {
            self.zero_operand(instruction, size);
            return;
        }
        let zero = self.temporary();
        self.clear(zero);
        let opened = self.open(instruction);
        let place = opened.memory.operand();
        let register = Register::YMM0 + zero as u32;
        self.asm.built(Instruction::with2(Code::EVEX_Vmovups_ymmm256_k1z_ymm, place, register));
        self.close(opened);
    }

    /// Does the instruction overwrite a register that its shadow code reads as a value?
    pub(crate) fn target_is_value(&self, instruction: &Instruction, shadows: u8) -> bool {
        // The mask of legacy blends is xmm0, which is no explicit operand.
        let is_legacy_blend = is_blend_by_sign(instruction) && instruction.encoding() == EncodingKind::Legacy;
        if is_legacy_blend && instruction.op0_register().number() == 0 {
            return true;
        }
        instruction.op0_kind() == OpKind::Register
            && (1..instruction.op_count()).any(|operand| {
                shadows >> operand & 1 == 0
                    && instruction.op_kind(operand) == OpKind::Register
                    && instruction.op_register(operand).number() == instruction.op0_register().number()
            })
    }

    fn same_on_homes(&mut self, instruction: &Instruction, shadows: u8, copy: evex_copies::Copy) {
        for operand in 0..instruction.op_count() {
            let reads = is_read(self.info.info(instruction).op_access(operand))
                || copy.repeats_target && operand == 0;
            if shadows >> operand & 1 != 0 && instruction.op_kind(operand) == OpKind::Register {
                let number = instruction.op_register(operand).number();
                if reads {
                    self.shadow(number);
                } else {
                    self.vectors.keep(number);
                }
            }
        }
        let mut shadow = Instruction::default();
        shadow.set_code(copy.code);
        let mut next = 0;
        let mut opened = None;
        for operand in 0..instruction.op_count() {
            let repeats = if copy.repeats_target && operand == 0 { 2 } else { 1 };
            for _ in 0..repeats {
                let kind = instruction.op_kind(operand);
                shadow.set_op_kind(next, kind);
                match kind {
                    OpKind::Register => {
                        let register = instruction.op_register(operand);
                        let is_shadow = shadows >> operand & 1 != 0;
                        let register = if is_shadow { upper_half(register) } else { register };
                        shadow.set_op_register(next, register);
                    }
                    OpKind::Memory if shadows >> operand & 1 != 0 => {
                        let place = self.open(instruction);
                        set_memory(&mut shadow, place.memory);
                        opened = Some(place);
                    }
                    OpKind::Memory => {
                        let place = self.open(instruction);
                        set_memory(&mut shadow, Memory { segment: Register::None, ..place.memory });
                        opened = Some(place);
                    }
                    _ => shadow.set_immediate8(instruction.immediate8()),
                }
                next += 1;
            }
        }
        self.asm.instruction(&shadow);
        if let Some(opened) = opened {
            self.close(opened);
        }
    }

    /// Runs the client's own instruction on low registers that hold the shadows.
    pub(crate) fn same_low(&mut self, instruction: &Instruction, shadows: u8) {
        let mut shadow = *instruction;
        if matches!(crate::rules::rule(instruction), Rule::Binary(..)) {
            // Rounded down, the difference of zeros is a negative zero.
            shadow.set_rounding_control(RoundingControl::None);
        }
        self.exclude_from_pool(instruction);
        // A legacy instruction leaves bits 128 and up of the low register alone, and all of that goes home.
        let keeps_upper = instruction.encoding() == EncodingKind::Legacy && !self.vectors.legacy;
        for operand in (0..instruction.op_count()).rev() {
            if shadows >> operand & 1 == 0 || instruction.op_kind(operand) != OpKind::Register {
                continue;
            }
            let register = instruction.op_register(operand);
            let access = self.info.info(instruction).op_access(operand);
            let number = register.number();
            let mut low = None;
            if is_read(access) || keeps_upper {
                low = Some(self.vectors.low_shadow(&mut self.asm, number));
            }
            if is_write(access) {
                low = Some(self.vectors.low_target(&mut self.asm, number));
            }
            if let Some(low) = low {
                shadow.set_op_register(operand, as_wide_as(register, low));
            }
        }
        let memory = (0..instruction.op_count()).find(|k| instruction.op_kind(*k) == OpKind::Memory);
        let Some(memory) = memory else {
            self.asm.instruction(&shadow);
            return;
        };
        let opened = self.open(instruction);
        let is_shadow = shadows >> memory & 1 != 0;
        let segment = if is_shadow { Register::GS } else { Register::None };
        set_memory(&mut shadow, Memory { segment, ..opened.memory });
        self.asm.instruction(&shadow);
        self.close(opened);
    }

    /// With homes in registers there is no plan for a whole block: this instruction's registers are not borrowed.
    pub(crate) fn exclude_from_pool(&mut self, instruction: &Instruction) {
        if self.vectors.in_registers() {
            let used = crate::vectors::used_by(instruction);
            let without_vex = instruction.encoding() == EncodingKind::Legacy;
            self.vectors.plan(used, without_vex);
        }
    }

    /// Blends by the sign bits of a register: the register is the client's, the other operands are shadows.
    fn blend_by_sign(&mut self, instruction: &Instruction) {
        let legacy = instruction.encoding() == EncodingKind::Legacy;
        let target = instruction.op0_register();
        let (first, operand) = if legacy { (target, 1) } else { (instruction.op1_register(), 2) };
        let mask = if legacy { Register::XMM0 } else { instruction.op3_register() };
        let wide = target.is_ymm();
        let bytes = matches!(instruction.mnemonic(), Mnemonic::Pblendvb | Mnemonic::Vpblendvb);
        let narrow = matches!(instruction.mnemonic(), Mnemonic::Blendvps | Mnemonic::Vblendvps);
        let (to_mask, blend) = match (bytes, narrow, wide) {
            (true, _, false) => (Code::EVEX_Vpmovb2m_kr_xmm, Code::EVEX_Vpblendmb_xmm_k1z_xmm_xmmm128),
            (true, _, true) => (Code::EVEX_Vpmovb2m_kr_ymm, Code::EVEX_Vpblendmb_ymm_k1z_ymm_ymmm256),
            (_, true, false) => (Code::EVEX_Vpmovd2m_kr_xmm, Code::EVEX_Vblendmps_xmm_k1z_xmm_xmmm128b32),
            (_, true, true) => (Code::EVEX_Vpmovd2m_kr_ymm, Code::EVEX_Vblendmps_ymm_k1z_ymm_ymmm256b32),
            (_, _, false) => (Code::EVEX_Vpmovq2m_kr_xmm, Code::EVEX_Vblendmpd_xmm_k1z_xmm_xmmm128b64),
            (_, _, true) => (Code::EVEX_Vpmovq2m_kr_ymm, Code::EVEX_Vblendmpd_ymm_k1z_ymm_ymmm256b64),
        };
        self.asm.built(Instruction::with2(to_mask, Register::K1, mask));
        self.shadow(first.number());
        self.vectors.keep(target.number());
        let masking = Masking::Merge(Register::K1);
        let (target_home, first_home) = (upper_half(target), upper_half(first));
        if instruction.op_kind(operand) == OpKind::Register {
            let second = instruction.op_register(operand);
            self.shadow(second.number());
            let second = Operand::Register(upper_half(second));
            self.asm.masked(blend, target_home, first_home, second, masking);
        } else if self.is_passive_memory(instruction) {
            let zero = self.temporary();
            self.clear(zero);
            let zero = Operand::Register(if wide { Register::YMM0 } else { Register::XMM0 } + zero as u32);
            self.asm.masked(blend, target_home, first_home, zero, masking);
        } else {
            let opened = self.open(instruction);
            self.asm.masked(blend, target_home, first_home, Operand::Memory(opened.memory), masking);
            self.close(opened);
        }
    }

    /// A gather: the same on the shadow memory, with a copy of the mask, which the instruction clears.
    pub(crate) fn gather(&mut self, client: &Client) {
        let instruction = &client.instruction;
        self.exclude_from_pool(instruction);
        let target = instruction.op0_register();
        let mask_register = instruction.op2_register();
        let low = self.vectors.low_shadow(&mut self.asm, target.number());
        self.vectors.low_target(&mut self.asm, target.number());
        let mask = self.vectors.low_temporary(&mut self.asm);
        let family = |register: Register| if register.is_ymm() { Register::YMM0 } else { Register::XMM0 };
        let copy = Instruction::with2(
            if mask_register.is_ymm() {
                Code::VEX_Vmovaps_ymm_ymmm256
            } else {
                Code::VEX_Vmovaps_xmm_xmmm128
            },
            family(mask_register) + mask as u32,
            mask_register,
        );
        self.asm.built(copy);
        let mut shadow = *instruction;
        shadow.set_op_register(0, family(target) + low as u32);
        shadow.set_op_register(2, family(mask_register) + mask as u32);
        shadow.set_segment_prefix(Register::GS);
        self.asm.instruction(&shadow);
        self.copy(client);
        self.set_active(target.number(), target.is_ymm());
        self.set_zero(mask_register.number());
    }
}

/// Lanes to and from general registers and memory.
impl Translator<'_> {
    pub(crate) fn lane_move(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let lane_number = instruction.op_count() > 2 || is_extraction(instruction.mnemonic());
        if lane_number && is_extraction(instruction.mnemonic()) {
            self.extract(client);
        } else if lane_number {
            self.insert(client);
        } else if instruction.op0_kind() == OpKind::Register && instruction.op0_register().is_xmm() {
            self.lane_into_vector(client);
        } else {
            self.lane_out_of_vector(client);
        }
    }

    fn lane_shape(instruction: &Instruction) -> Shape {
        let narrow = matches!(
            instruction.mnemonic(),
            Mnemonic::Movd
                | Mnemonic::Vmovd
                | Mnemonic::Pinsrd
                | Mnemonic::Vpinsrd
                | Mnemonic::Pextrd
                | Mnemonic::Vpextrd
                | Mnemonic::Extractps
                | Mnemonic::Vextractps
        );
        Shape { element: if narrow { Element::F32 } else { Element::F64 }, width: Width::Scalar }
    }

    /// movd and movq into a vector register: the rest becomes zero.
    fn lane_into_vector(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let target = instruction.op0_register().number();
        let shape = Self::lane_shape(instruction);
        let source = instruction.op1_register();
        let zero = match instruction.op1_kind() {
            OpKind::Memory => self.is_passive_memory(instruction),
            _ if source.is_gpr() => self.zero_general >> source.full_register().number() & 1 != 0,
            _ => self.vectors.is_zero(source.number()),
        };
        self.copy(client);
        if zero {
            self.set_zero(target);
            return;
        }
        let form = self.form();
        // A mirror is copied with 64 bits.
        let mirror = if source.is_gpr64() { self.mirror_in_vector(source) } else { None };
        if instruction.op1_kind() == OpKind::Memory {
            let place = self.target(target);
            let opened = self.open(instruction);
            encodings::load(&mut self.asm, shape, form, place, opened.memory);
            self.close(opened);
        } else if let (true, None) = (source.is_gpr(), mirror) {
            let from = self.mirror_in_memory(source);
            let place = self.target(target);
            encodings::load(&mut self.asm, shape, form, place, from);
        } else {
            let shadow = self.shadow(mirror.unwrap_or(source.number()));
            let place = self.target(target);
            let code = match form {
                Form::Legacy => Code::Movq_xmm_xmmm64,
                Form::Vex => Code::VEX_Vmovq_xmm_xmmm64,
                Form::Evex => Code::EVEX_Vmovq_xmm_xmmm64,
            };
            self.asm.built(Instruction::with2(code, xmm(place), xmm(shadow)));
        }
        self.set_active(target, false);
        self.vectors.set_lone(target, Element::F64);
    }

    fn lane_out_of_vector(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let source = instruction.op1_register().number();
        let shape = Self::lane_shape(instruction);
        self.copy(client);
        if instruction.op0_kind() == OpKind::Memory {
            if self.vectors.is_zero(source) {
                self.zero_operand(instruction, shape.bytes());
                return;
            }
            let shadow = self.shadow(source);
            let opened = self.open(instruction);
            self.store_lane(shape, opened.memory, shadow);
            self.close(opened);
            return;
        }
        let target = instruction.op0_register().full_register().number();
        if self.vectors.is_zero(source) {
            self.zero_general |= 1 << target;
            return;
        }
        let shadow = self.shadow(source);
        let slot = self.asm.shadow_slot(target);
        if shape.bytes() == 4 {
            self.asm.store_zero(slot.offset_by(4), 4);
        }
        self.store_lane(shape, slot, shadow);
        self.zero_general &= !(1 << target);
        let content = self.vectors.masks.content(source);
        let whole = shape.bytes() == 8;
        self.mirrors[target] = if whole { Mirror::Vector { number: source, content } } else { Mirror::None };
    }

    pub(crate) fn store_lane(&mut self, shape: Shape, place: Memory, shadow: usize) {
        let code = match (self.form(), shape.element) {
            (Form::Legacy, Element::F64) => Code::Movsd_xmmm64_xmm,
            (Form::Legacy, Element::F32) => Code::Movss_xmmm32_xmm,
            (Form::Vex, Element::F64) => Code::VEX_Vmovsd_m64_xmm,
            (Form::Vex, Element::F32) => Code::VEX_Vmovss_m32_xmm,
            (Form::Evex, Element::F64) => Code::EVEX_Vmovsd_m64_k1_xmm,
            (Form::Evex, Element::F32) => Code::EVEX_Vmovss_m32_k1_xmm,
        };
        self.asm.built(Instruction::with2(code, place.operand(), xmm(shadow)));
    }

    /// pinsrd and pinsrq.
    fn insert(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let legacy = instruction.encoding() == EncodingKind::Legacy;
        let target = instruction.op0_register().number();
        let (first, operand) = if legacy { (target, 1) } else { (instruction.op1_register().number(), 2) };
        let from_memory = instruction.op_kind(operand) == OpKind::Memory;
        let general = instruction.op_register(operand).full_register();
        let source_zero = if from_memory {
            self.is_passive_memory(instruction)
        } else {
            self.zero_general >> general.number() & 1 != 0
        };
        self.copy(client);
        if source_zero && self.vectors.is_zero(first) {
            self.set_zero(target);
            return;
        }
        let wide = Self::lane_shape(instruction).bytes() == 8;
        let code = match (self.form(), wide) {
            (Form::Legacy, true) => Code::Pinsrq_xmm_rm64_imm8,
            (Form::Legacy, false) => Code::Pinsrd_xmm_rm32_imm8,
            (Form::Vex, true) => Code::VEX_Vpinsrq_xmm_xmm_rm64_imm8,
            (Form::Vex, false) => Code::VEX_Vpinsrd_xmm_xmm_rm32_imm8,
            (Form::Evex, true) => Code::EVEX_Vpinsrq_xmm_xmm_rm64_imm8,
            (Form::Evex, false) => Code::EVEX_Vpinsrd_xmm_xmm_rm32_imm8,
        };
        let shadow = self.shadow(first);
        let place = self.target(target);
        let immediate = u32::from(instruction.immediate8());
        let (opened, source) = if source_zero {
            (None, self.asm.context(crate::constants::ZERO))
        } else if from_memory {
            let opened = self.open(instruction);
            (Some(opened), opened.memory)
        } else {
            (None, self.asm.shadow_slot(general.number()))
        };
        if self.form() == Form::Legacy {
            self.copy_register(Shape { element: Element::F64, width: Width::L128 }, place, shadow);
            self.asm.built(Instruction::with3(code, xmm(place), source.operand(), immediate));
        } else {
            self.asm.with_immediate(code, xmm(place), xmm(shadow), Operand::Memory(source), immediate);
        }
        if let Some(opened) = opened {
            self.close(opened);
        }
        self.set_active(target, false);
    }

    /// pextrd, pextrq and extractps.
    fn extract(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let source = instruction.op1_register().number();
        let shape = Self::lane_shape(instruction);
        let to_memory = has_memory(instruction);
        self.copy(client);
        let target = instruction.op0_register().full_register();
        if self.vectors.is_zero(source) {
            if to_memory {
                self.zero_operand(instruction, shape.bytes());
            } else {
                self.zero_general |= 1 << target.number();
            }
            return;
        }
        let code = match (self.form(), shape.element) {
            (Form::Legacy, Element::F64) => Code::Pextrq_rm64_xmm_imm8,
            (Form::Legacy, Element::F32) => Code::Pextrd_rm32_xmm_imm8,
            (Form::Vex, Element::F64) => Code::VEX_Vpextrq_rm64_xmm_imm8,
            (Form::Vex, Element::F32) => Code::VEX_Vpextrd_rm32_xmm_imm8,
            (Form::Evex, Element::F64) => Code::EVEX_Vpextrq_rm64_xmm_imm8,
            (Form::Evex, Element::F32) => Code::EVEX_Vpextrd_rm32_xmm_imm8,
        };
        let shadow = self.shadow(source);
        let immediate = u32::from(instruction.immediate8());
        if to_memory {
            let opened = self.open(instruction);
            let place = opened.memory.operand();
            self.asm.built(Instruction::with3(code, place, xmm(shadow), immediate));
            self.close(opened);
        } else {
            let slot = self.asm.shadow_slot(target.number());
            if shape.bytes() == 4 {
                self.asm.store_zero(slot.offset_by(4), 4);
            }
            self.asm.built(Instruction::with3(code, slot.operand(), xmm(shadow), immediate));
            self.mirrors[target.number()] = Mirror::None;
            self.zero_general &= !(1 << target.number());
        }
    }
}

fn is_extraction(mnemonic: Mnemonic) -> bool {
    matches!(
        mnemonic,
        Mnemonic::Pextrd
            | Mnemonic::Pextrq
            | Mnemonic::Vpextrd
            | Mnemonic::Vpextrq
            | Mnemonic::Extractps
            | Mnemonic::Vextractps
    )
}

fn is_blend_by_sign(instruction: &Instruction) -> bool {
    matches!(
        instruction.mnemonic(),
        Mnemonic::Blendvpd
            | Mnemonic::Blendvps
            | Mnemonic::Pblendvb
            | Mnemonic::Vblendvpd
            | Mnemonic::Vblendvps
            | Mnemonic::Vpblendvb
    )
}

/// Gives an instruction the memory operand.
pub(crate) fn set_memory(instruction: &mut Instruction, memory: Memory) {
    let size = if memory.base == Register::None { 8 } else { 1 };
    instruction.set_memory_base(memory.base);
    instruction.set_memory_index(memory.index);
    instruction.set_memory_index_scale(memory.scale);
    instruction.set_memory_displacement64(memory.displacement as u64);
    instruction.set_memory_displ_size(if memory.displacement == 0 && size == 1 { 0 } else { size });
    instruction.set_segment_prefix(memory.segment);
}
