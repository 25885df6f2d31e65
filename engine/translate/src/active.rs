//! Blocks in which shadows travel: what is common to all rules.
//!
//! Shadow code of an instruction stands before or after the client's own copy of it, whichever lets it see the values
//! it needs. General registers are taken to be passive wherever possible: a load into one is checked like in a passive
//! block, and only where the check fails is the block translated again from there, with that load moving its shadow.

use crate::checks::OnActive;
use crate::context::offset;
use crate::decode::Client;
use crate::emit::{xmm, ymm, zmm, Operand};
use crate::encodings::{Form, Shape, Width};
use crate::logic::Origin;
use crate::rounding::Rounding;
use crate::rules::{self, Binary, Element, Lanes, Rule};
use crate::state::State;
use crate::translate::Translator;
use crate::upper_parts::Access;
use crate::vectors::Pending;
use iced_x86::{Code, EncodingKind, Instruction, Mnemonic, OpKind, Register};

impl Translator<'_> {
    pub(crate) fn active(&mut self, client: &Client) {
        let instruction = &client.instruction;
        self.expect_passive(instruction);
        if self.vectors.in_registers() {
            self.vectors.own = crate::vectors::used_by(instruction);
        }
        let kept = self.upper_to_keep(instruction);
        // Legacy shadow code leaves bits 128 and up of the slots alone, too.
        let by_itself = self.vectors.legacy && !self.vectors.in_registers();
        if let Some(number) = kept.filter(|_| !by_itself) {
            self.save_upper(number);
        }
        self.apply(client);
        self.client_control();
        self.track_origin(instruction);
        match kept {
            Some(number) if !by_itself => self.restore_upper(number),
            Some(number) if self.vectors.is_zero(number) => self.clear_lower(number),
            _ => {}
        }
        self.end_of_instruction();
    }

    fn apply(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let rule = rules::rule(instruction);
        if self.rule_is_applied() && !matches!(rule, Rule::SaveState | Rule::RestoreState) {
            self.applied(client);
            return;
        }
        match self.upper_part() {
            Access::None => {}
            Access::Changes { is_moved } => return self.part_changes(client, is_moved),
            Access::ChangesCopy => return self.passive_result(client),
            Access::Writes { .. } => {
                let on_active = self.apply_rule(instruction);
                self.check_upper_part(instruction, on_active);
                self.check_changed_part(instruction, on_active);
            }
        }
        if rules::uses_mmx(instruction) && !matches!(rule, Rule::MaskedStore | Rule::Passive) {
            return self.x87(client);
        }
        if instruction.encoding() == EncodingKind::EVEX {
            return match self.rounding() {
                Rounding::No => self.apply_wide(client, rule),
                Rounding::Always => self.rounded_wide(client, rule),
                Rounding::Tested(_) => self.computed_rule(client),
            };
        }
        match self.rounding() {
            Rounding::No => self.apply_rule_of(client, rule),
            Rounding::Always => self.rounded(client, rule),
            Rounding::Tested(candidate) => {
                let tested = self.test_rounding(client, rule, candidate);
                self.apply_rule_of(client, rule);
                if let Some(tested) = tested {
                    self.clear_rounded(tested);
                }
            }
        }
    }

    fn apply_rule_of(&mut self, client: &Client, rule: Rule) {
        let instruction = &client.instruction;
        if self.job.settings.mode.has_indices() && self.apply_to_indices(client, rule) {
            return;
        }
        match rule {
            Rule::Binary(operation, element, lanes) => {
                self.differentiate_binary(client, operation, element, lanes);
            }
            Rule::Unary(function, element, lanes) => {
                self.differentiate_unary(client, function, element, lanes)
            }
            Rule::Fused { negated, addend, order, element, lanes } => {
                self.differentiate_fused(client, negated, addend, order, element, lanes);
            }
            Rule::Alternating(_) | Rule::Horizontal(..) | Rule::Convert(..) => {
                self.same_arithmetic(client, all_operands(instruction));
            }
            Rule::Logic(logic) => self.differentiate_logic(client, logic),
            Rule::Same(shadows) => self.same(client, shadows),
            Rule::MaskedMove => self.same_on_low_registers(client, 0b101),
            Rule::Gather => self.gather(client),
            Rule::PassiveLane(element) => self.passive_scalar(client, element),
            Rule::Passive if self.takes_number_apart(instruction) => self.number_taken_apart(client),
            Rule::Passive => self.passive_result(client),
            Rule::LaneMove => self.lane_move(client),
            Rule::ZeroUpper => self.zero_upper(client),
            Rule::ZeroAll => {
                self.write_back_all();
                self.copy(client);
                (0..16).for_each(|number| self.set_zero(number));
                self.vectors.upper = false;
            }
            Rule::Move => self.general_move(client),
            Rule::Push => self.push(client),
            Rule::Pop => self.pop(client),
            Rule::Exchange => self.exchange(client),
            Rule::DotProduct(element) => self.dot_product(client, element),
            Rule::CompareExchange => self.compare_exchange(client),
            Rule::ExchangeAdd => self.exchange_add(client),
            Rule::ConditionalMove => self.conditional_move(client),
            Rule::ShiftHalves => self.shift_halves(client),
            Rule::UniteHalves => self.unite_halves(client),
            Rule::MaskHalves => self.mask_halves(client),
            Rule::FlipSigns => self.flip_signs(client),
            Rule::Bits => self.bits(client),
            Rule::ConvertNarrow(..) => self.computed_rule(client),
            Rule::StringMove => self.string_move(client),
            Rule::StringStore => self.string_store(client),
            Rule::SaveState => self.save_state(client),
            Rule::RestoreState => self.restore_state(client),
            Rule::Leave => self.leave_frame(client),
            Rule::MaskedStore => self.masked_store(client),
            Rule::Opaque => self.opaque(client),
            Rule::X87(..) => self.x87(client),
            Rule::SameWide(_)
            | Rule::Wide(_)
            | Rule::Binary16(_)
            | Rule::ConvertPair
            | Rule::SumOfProducts
            | Rule::ComplexProduct { .. } => unreachable!("a rule of EVEX encodings"),
            Rule::None => self.without_rule(client),
        }
    }

    /// Rules that are others where shadows are indices; false if there is no difference.
    fn apply_to_indices(&mut self, client: &Client, rule: Rule) -> bool {
        let paused = !self.records();
        match rule {
            Rule::Binary(_, Element::F32, _)
            | Rule::Unary(_, Element::F32, _)
            | Rule::Fused { element: Element::F32, .. }
            | Rule::Alternating(Element::F32)
            | Rule::Horizontal(_, Element::F32)
            | Rule::Convert(..)
                if self.job.settings.mode.has_wide_indices() =>
            {
                // A binary32 has no room for such an index: counted.
                self.without_rule(client);
            }
            Rule::DotProduct(_) => self.computed_rule(client),
            Rule::Binary(Binary::Minimum | Binary::Maximum, ..) => return false,
            Rule::Convert(from, lanes) => self.convert_indices(client, from, lanes),
            Rule::Binary(_, element, Lanes::Scalar) | Rule::Unary(_, element, Lanes::Scalar) if paused => {
                let instruction = &client.instruction;
                let target = instruction.op0_register().number();
                let three = instruction.op_count() == 3;
                let rest = if three { instruction.op1_register().number() } else { target };
                self.passive_lane(client, element, target, rest);
            }
            Rule::Fused { element, lanes: Lanes::Scalar, .. } if paused => {
                let target = client.instruction.op0_register().number();
                self.passive_lane(client, element, target, target);
            }
            Rule::Binary(..) | Rule::Unary(..) | Rule::Fused { .. } if paused => self.passive_result(client),
            Rule::Alternating(_) | Rule::Horizontal(..) if paused => self.passive_result(client),
            Rule::Binary(operation, element, lanes) => self.record_binary(client, operation, element, lanes),
            Rule::Unary(function, element, lanes) => self.record_unary(client, function, element, lanes),
            Rule::Fused { negated, addend, order, element, lanes } => {
                self.record_fused(client, negated, addend, order, element, lanes);
            }
            Rule::Alternating(element) => self.record_alternating(client, element),
            Rule::Horizontal(operation, element) => self.record_horizontal(client, operation, element),
            _ => return false,
        }
        true
    }

    pub(crate) fn set_zero(&mut self, number: usize) {
        if number >= 16 {
            let place = self.target(number);
            self.clear(place);
            self.vectors.masks.forget(number);
            return;
        }
        self.vectors.zero |= 1 << number;
        self.vectors.forget(number);
        self.vectors.masks.forget(number);
    }

    /// The shadow of a register was written; `wide`: also bits 128 and up.
    pub(crate) fn set_active(&mut self, number: usize, wide: bool) {
        if number >= 16 {
            self.vectors.masks.forget(number);
            self.wide_may_be_active();
            return;
        }
        self.vectors.zero &= !(1 << number);
        self.vectors.upper |= wide;
        self.vectors.forget_lanes(number);
        self.vectors.masks.forget(number);
    }

    /// A comparison whose result is not active, with the lowest lane alone or all lanes.
    fn passive_scalar(&mut self, client: &Client, element: Element) {
        let instruction = &client.instruction;
        if matches!(
            instruction.mnemonic(),
            Mnemonic::Cvtsi2sd | Mnemonic::Cvtsi2ss | Mnemonic::Vcvtsi2sd | Mnemonic::Vcvtsi2ss
        ) {
            let on_active = self.instruction_site(instruction);
            self.check_general_operands(instruction, on_active);
            self.check_memory_operand(instruction, on_active);
        }
        let target = instruction.op0_register().number();
        let legacy = instruction.encoding() == EncodingKind::Legacy;
        let first = if legacy { target } else { instruction.op1_register().number() };
        self.passive_lane(client, element, target, first);
    }

    /// Remembers which registers hold masks, and forgets what was known about a register that is overwritten.
    fn track_origin(&mut self, instruction: &Instruction) {
        if matches!(rules::rule(instruction), Rule::Logic(_)) || instruction.op_count() == 0 {
            return;
        }
        if instruction.op0_kind() != OpKind::Register || !instruction.op0_register().is_vector_register() {
            return;
        }
        let target = instruction.op0_register().number();
        if target >= 16 {
            return;
        }
        if instruction.encoding() == EncodingKind::EVEX {
            self.origins[target] = Origin::Unknown;
            return;
        }
        self.origins[target] = match instruction.mnemonic() {
            Mnemonic::Cmppd
            | Mnemonic::Cmpps
            | Mnemonic::Vcmppd
            | Mnemonic::Vcmpps
            | Mnemonic::Pcmpeqd
            | Mnemonic::Pcmpeqq
            | Mnemonic::Pcmpgtd
            | Mnemonic::Pcmpgtq
            | Mnemonic::Vpcmpeqd
            | Mnemonic::Vpcmpeqq
            | Mnemonic::Vpcmpgtd
            | Mnemonic::Vpcmpgtq => Origin::Mask(self.position as u32),
            Mnemonic::Movapd
            | Mnemonic::Movaps
            | Mnemonic::Movdqa
            | Mnemonic::Vmovapd
            | Mnemonic::Vmovaps
            | Mnemonic::Vmovdqa
                if instruction.op1_kind() == OpKind::Register =>
            {
                self.origins[instruction.op1_register().number()]
            }
            _ => Origin::Unknown,
        };
    }

    pub(crate) fn end_of_instruction(&mut self) {
        self.vectors.masks.let_go();
        if self.vectors.in_registers() {
            self.vectors.write_back(&mut self.asm);
            self.vectors.restore_homes(&mut self.asm);
        } else {
            self.vectors.release();
        }
    }

    /// Tests the shadow of a vector register: its lowest 128 bits, or 256 if it is read as a wide one.
    pub(crate) fn check_vector(&mut self, number: usize, wide: bool, on_active: OnActive) {
        if self.vectors.is_zero(number) {
            return;
        }
        let shadow = self.shadow(number);
        let legacy = self.form() == Form::Legacy;
        let upper = wide && self.vectors.upper;
        let width = if upper && !legacy { Width::L256 } else { Width::L128 };
        let shape = Shape { element: Element::F64, width };
        self.check_lanes(shape, shadow, on_active);
        if upper && legacy {
            let slot = self.vectors.home_slot(&self.asm, number);
            self.check_place(slot.offset_by(16), 16, on_active);
        }
    }

    /// Cached shadows go home, borrowed registers come back.
    pub(crate) fn write_back_all(&mut self) {
        self.vectors.write_back(&mut self.asm);
    }

    pub(crate) fn write_back(&mut self, pending: &Pending) {
        self.vectors.settle(&mut self.asm, pending);
    }

    /// Makes the places of shadows valid that `to` no longer knows to be zero.
    pub(crate) fn materialize(&mut self, to: State) {
        for number in 0..16 {
            let bit = 1 << number;
            if self.vectors.zero & bit != 0 && to.zero_vector() & bit == 0 {
                self.vectors.clear_home(&mut self.asm, number);
            }
            let not_stack_pointer = number != Register::RSP.number();
            if not_stack_pointer && self.zero_general & bit != 0 && to.zero_general() & bit == 0 {
                let slot = self.asm.shadow_slot(number);
                self.asm.store_zero(slot, 8);
            }
        }
        self.vectors.zero = to.zero_vector();
        self.vectors.upper = to.upper();
        self.zero_general = to.zero_general();
    }
}

/// Bits 128 and up of shadows.
impl Translator<'_> {
    /// A legacy instruction leaves bits 128 and up of its target alone, and so must its shadow code.
    fn upper_to_keep(&self, instruction: &Instruction) -> Option<usize> {
        if !self.vectors.upper
            || instruction.encoding() != EncodingKind::Legacy
            || instruction.op_count() == 0
        {
            return None;
        }
        let to_xmm0 = crate::vectors::writes_xmm0(instruction);
        let register = if to_xmm0 { Register::XMM0 } else { instruction.op0_register() };
        let writes = instruction.op0_kind() == OpKind::Register && register.is_xmm();
        (writes && !self.vectors.is_zero(register.number())).then(|| register.number())
    }

    /// The lower half of a shadow becomes zero, the upper half stays.
    fn clear_lower(&mut self, number: usize) {
        let place = self.target(number);
        self.clear(place);
        self.set_active(number, true);
    }

    fn save_upper(&mut self, number: usize) {
        let place = self.asm.context(offset::VECTOR_SPILLS).operand();
        let shadow = self.shadow(number);
        if self.vectors.tracks_zmm() {
            self.asm.built(Instruction::with2(Code::EVEX_Vmovups_zmmm512_k1z_zmm, place, zmm(shadow)));
            return;
        }
        let code = if self.vectors.in_registers() {
            Code::EVEX_Vextractf64x2_xmmm128_k1z_ymm_imm8
        } else {
            Code::VEX_Vextractf128_xmmm128_ymm_imm8
        };
        self.asm.built(Instruction::with3(code, place, ymm(shadow), 1u32));
    }

    fn restore_upper(&mut self, number: usize) {
        if self.vectors.in_registers() {
            // Shadow code on low registers has the new shadow still to be sent home.
            self.write_back_all();
        }
        let place = self.asm.context(offset::VECTOR_SPILLS);
        let shadow = self.shadow(number);
        self.target(number);
        if self.vectors.tracks_zmm() {
            let whole = self.temporary();
            let load = Code::EVEX_Vmovups_zmm_k1z_zmmm512;
            self.asm.built(Instruction::with2(load, zmm(whole), place.operand()));
            let insert = Code::EVEX_Vinsertf64x2_zmm_k1z_zmm_xmmm128_imm8;
            self.asm.with_immediate(insert, zmm(shadow), zmm(whole), Operand::Register(xmm(shadow)), 0);
            self.set_active(number, true);
            return;
        }
        let code = if self.vectors.in_registers() {
            Code::EVEX_Vinsertf64x2_ymm_k1z_ymm_xmmm128_imm8
        } else {
            Code::VEX_Vinsertf128_ymm_ymm_xmmm128_imm8
        };
        self.asm.with_immediate(code, ymm(shadow), ymm(shadow), Operand::Memory(place), 1);
        self.set_active(number, true);
    }

    /// The shadow in `place` stays as it is, but for bits 128 and up, which a VEX instruction on 128 bits clears.
    pub(crate) fn keep_lower(&mut self, shape: Shape, place: usize) {
        let is_wide = shape.width == Width::L256;
        let code = match self.form() {
            Form::Vex if is_wide => Code::VEX_Vmovaps_ymm_ymmm256,
            Form::Vex => Code::VEX_Vmovaps_xmm_xmmm128,
            Form::Evex => Code::EVEX_Vmovaps_xmm_k1z_xmmm128,
            Form::Legacy => return,
        };
        if self.vectors.upper && (!is_wide || self.vectors.tracks_zmm()) {
            let register = shape.register(place);
            self.asm.built(Instruction::with2(code, register, register));
            self.vectors.masks.forget(place & 15);
        }
    }

    fn zero_upper(&mut self, client: &Client) {
        self.write_back_all();
        self.copy(client);
        if !self.vectors.upper {
            return;
        }
        if self.vectors.tracks_zmm() {
            self.cut_off_upper();
        } else {
            self.clear_upper_halves();
        }
        self.vectors.upper = false;
        (0..16).for_each(|number| self.vectors.masks.forget(number));
    }

    /// Bits 128 to 511 of all slots become zero.
    fn cut_off_upper(&mut self) {
        let zero = self.temporary();
        self.clear(zero);
        for number in (0..16).filter(|number| self.vectors.zero >> number & 1 == 0) {
            let slot = self.vectors.home_slot(&self.asm, number);
            let (middle, last) = (slot.offset_by(16).operand(), slot.offset_by(48).operand());
            self.asm.built(Instruction::with2(Code::VEX_Vmovups_ymmm256_ymm, middle, ymm(zero)));
            self.asm.built(Instruction::with2(Code::VEX_Vmovups_xmmm128_xmm, last, xmm(zero)));
        }
        self.free(zero);
    }

    fn clear_upper_halves(&mut self) {
        for number in 0..16 {
            if self.vectors.in_registers() {
                if !self.vectors.is_zero(number) {
                    let home = crate::vectors::home_register(number);
                    self.asm.built(Instruction::with2(Code::EVEX_Vmovaps_xmm_k1z_xmmm128, home, home));
                }
            } else {
                let slot = self.vectors.home_slot(&self.asm, number);
                self.asm.store_zero(slot.offset_by(16), 8);
                self.asm.store_zero(slot.offset_by(24), 8);
            }
        }
    }
}

/// All operands stand for their shadows.
fn all_operands(instruction: &Instruction) -> u8 {
    (1 << instruction.op_count()) - 1
}
