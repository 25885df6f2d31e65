//! Copies by clients that use AVX-512: shadows live in memory.
//!
//! The same instruction runs, with the same masks, on low registers that hold shadows and on shadow memory. Registers
//! 16 to 31 have their shadows in slots that are always valid. No state says whether they are zero:
//! [`offset::WIDE_ACTIVE`] is zero only if all of them are. Passive blocks look at it before the first instruction
//! that names such a register.

use crate::checks::OnActive;
use crate::context::offset;
use crate::decode::Client;
use crate::passive::active_state;
use crate::rules::{self, Lanes, Rule, Wide};
use crate::translate::Translator;
use crate::wide_operations::{computed_lanes, WideShape};
use crate::without_rule::is_read;
use alloc::vec::Vec;
use iced_x86::{Code, EncodingKind, Instruction, OpKind, Register};

/// A register of the same width.
pub(crate) fn as_wide_as(register: Register, number: usize) -> Register {
    let first = match register {
        register if register.is_zmm() => Register::ZMM0,
        register if register.is_ymm() => Register::YMM0,
        _ => Register::XMM0,
    };
    first + number as u32
}

/// Is the result of `vpternlog` all zeros or all ones?
fn is_constant_table(instruction: &Instruction) -> bool {
    matches!(instruction.immediate8(), 0 | 0xff)
}

/// Can the shadows of a gather or scatter be addressed by a GS prefix?
fn is_addressed_directly(instruction: &Instruction) -> bool {
    let segment = instruction.memory_segment();
    let base = instruction.memory_base();
    segment != Register::FS && segment != Register::GS && !base.is_gpr32()
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

    /// The rules of EVEX encodings.
    pub(crate) fn apply_wide(&mut self, client: &Client, rule: Rule) {
        let instruction = &client.instruction;
        if self.rule_is_applied() {
            self.applied(client);
            return;
        }
        let paused = self.job.settings.mode.has_indices() && !self.records();
        match rule {
            Rule::SameWide(shadows) => self.same_wide(client, shadows),
            Rule::Passive => self.passive_result(client),
            Rule::Wide(Wide::PassiveLanes(bytes, lanes)) => {
                self.passive_lanes(client, WideShape::new(instruction, bytes, lanes));
            }
            Rule::Wide(Wide::FromInteger(bytes)) => {
                let on_active = self.instruction_site(instruction);
                self.check_general_operands(instruction, on_active);
                self.check_memory_operand(instruction, on_active);
                self.passive_lanes(client, WideShape::new(instruction, bytes, Lanes::Scalar));
            }
            Rule::Wide(Wide::IndexedByTarget(bytes)) => self.permute_by_target(client, bytes),
            Rule::Wide(Wide::Gather | Wide::Scatter) if !is_addressed_directly(instruction) => {
                self.without_rule(client);
            }
            Rule::Wide(Wide::Gather) => self.gather_wide(client),
            Rule::Wide(Wide::Scatter) => self.scatter(client),
            Rule::Bits => self.bits(client),
            Rule::Binary16(_)
            | Rule::ConvertNarrow(..)
            | Rule::ConvertPair
            | Rule::SumOfProducts
            | Rule::ComplexProduct { .. } => self.computed_rule(client),
            _ if paused && computed_lanes(instruction, rule).is_some() => {
                let shape = computed_lanes(instruction, rule);
                shape.into_iter().for_each(|shape| self.passive_lanes(client, shape));
            }
            Rule::Wide(Wide::Ternary(bytes)) if is_constant_table(instruction) => {
                self.passive_lanes(client, WideShape::new(instruction, bytes, Lanes::Packed));
            }
            Rule::Wide(Wide::Range(..) | Wide::FixUp(..) | Wide::Ternary(_)) => self.computed_rule(client),
            Rule::Logic(logic) => self.differentiate_wide_logic(client, logic),
            Rule::None => self.without_rule(client),
            _ if self.job.settings.mode.has_indices() => self.record_wide(client, rule),
            Rule::Convert(..) => self.same_wide(client, 0b111),
            _ => self.differentiate_wide(client, rule),
        }
    }

    /// The rule for copies. Bit k of `shadows` is set where operand k stands for its shadow.
    pub(crate) fn same_wide(&mut self, client: &Client, shadows: u8) {
        let instruction = &client.instruction;
        if (0..instruction.op_count()).any(|k| is_general(instruction, k)) {
            self.lane_of_wide(client);
            return;
        }
        let stores = instruction.op0_kind() == OpKind::Memory;
        if !stores && self.sources_are_zero(instruction, shadows) {
            self.copy(client);
            self.set_zero(instruction.op0_register().number());
            return;
        }
        let first = self.target_is_value(instruction, shadows);
        if !first {
            self.copy(client);
        }
        if matches!(rules::rule(instruction), Rule::Binary(..) | Rule::Convert(..)) {
            self.own_control();
        }
        self.same_low(instruction, shadows);
        if first {
            self.copy(client);
        }
        if !stores {
            let target = instruction.op0_register();
            self.set_active(target.number(), !target.is_xmm());
        }
    }

    /// A permutation of two tables, whose indices are in the target.
    fn permute_by_target(&mut self, client: &Client, bytes: usize) {
        let instruction = &client.instruction;
        let target = instruction.op0_register();
        let shape = WideShape::new(instruction, bytes, Lanes::Packed);
        let tables = [1, 2].map(|operand| match instruction.op_kind(operand) {
            OpKind::Register => {
                let number = instruction.op_register(operand).number();
                Some(self.vectors.low_shadow(&mut self.asm, number))
            }
            _ => None,
        });
        let result = self.vectors.low_temporary(&mut self.asm);
        self.move_wide(shape.unmasked(), result, target);
        let mut shadow = *instruction;
        shadow.set_op_mask(Register::None);
        shadow.set_zeroing_masking(false);
        shadow.set_op0_register(shape.register(result));
        for (operand, low) in [1, 2].into_iter().zip(tables) {
            if let Some(low) = low {
                shadow.set_op_register(operand, shape.register(low));
            }
        }
        self.with_shadow_memory(instruction, shadow);
        self.copy(client);
        self.finish_wide(instruction, shape, result);
    }

    /// Runs an instruction whose memory operand, if it has one, is the shadow of that of the client's instruction.
    fn with_shadow_memory(&mut self, instruction: &Instruction, mut shadow: Instruction) {
        if !crate::control::has_memory(instruction) {
            self.asm.instruction(&shadow);
            return;
        }
        let opened = self.open(instruction);
        crate::copies::set_memory(&mut shadow, opened.memory);
        self.asm.instruction(&shadow);
        self.close(opened);
    }

    /// The same on the shadow memory, with a copy of the mask, which the instruction clears.
    fn gather_wide(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let target = instruction.op0_register();
        let mut shadow = self.with_copied_mask(instruction);
        self.vectors.low_shadow(&mut self.asm, target.number());
        let low = self.vectors.low_target(&mut self.asm, target.number());
        shadow.set_op0_register(as_wide_as(target, low));
        self.asm.instruction(&shadow);
        self.copy(client);
        self.set_active(target.number(), !target.is_xmm());
    }

    /// Shadows are stored first: after a fault the instruction goes on with the places that are left.
    fn scatter(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let source = instruction.op1_register();
        let mut shadow = self.with_copied_mask(instruction);
        let low = self.vectors.low_shadow(&mut self.asm, source.number());
        shadow.set_op1_register(as_wide_as(source, low));
        self.asm.instruction(&shadow);
        self.copy(client);
    }

    fn with_copied_mask(&mut self, instruction: &Instruction) -> Instruction {
        let mask = self.vectors.mask_temporary(&mut self.asm);
        self.asm.built(Instruction::with2(Code::VEX_Kmovq_kr_km64, mask, instruction.op_mask()));
        let mut shadow = *instruction;
        shadow.set_op_mask(mask);
        shadow.set_segment_prefix(Register::GS);
        shadow
    }

    /// Says that registers 16 to 31 may be active; a block says it once.
    pub(crate) fn wide_may_be_active(&mut self) {
        if !self.vectors.wide_marked {
            self.vectors.wide_marked = true;
            let flag = self.asm.context(offset::WIDE_ACTIVE);
            self.asm.store_immediate(flag, 1);
        }
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
        let size = self.vectors.shadow_size(number);
        self.zero_place(slot, size);
    }

    /// Counts registers 16 to 31, and bits 256 and up of others, that an instruction without a rule reads and that are
    /// active.
    pub(crate) fn check_wide_operands(&mut self, instruction: &Instruction, on_active: OnActive) {
        let read: Vec<Register> = self
            .info
            .info(instruction)
            .used_registers()
            .iter()
            .filter(|used| is_read(used.access()))
            .map(|used| used.register())
            .filter(|register| is_wide(*register) || register.is_zmm())
            .collect();
        for register in read {
            let slot = self.vectors.home_slot(&self.asm, register.number());
            if is_wide(register) {
                self.check_place(slot, register.size(), on_active);
            } else if self.vectors.tracks_zmm()
                && self.vectors.upper
                && !self.vectors.is_zero(register.number())
            {
                self.check_place(slot.offset_by(32), 32, on_active);
            }
        }
    }
}

fn is_general(instruction: &Instruction, operand: u32) -> bool {
    instruction.op_kind(operand) == OpKind::Register && instruction.op_register(operand).is_gpr()
}
