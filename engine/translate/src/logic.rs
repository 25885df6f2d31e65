//! Logical instructions on active floats: absolute value, negation, sign transfer, selection by masks.
//!
//! Nothing tells whether the operands are binary32 or binary64, so lanes of 32 bits are judged by themselves; a
//! binary64 is two lanes whose masks agree. In a lane the passive operand (the mask) decides. All bits but the sign
//! set, or none of them, and the value is kept or dropped; then only the sign can change, and the shadow's sign
//! changes with it. Any other mask on an active lane, and one that drops the lower half of a binary64 alone, is left
//! to [`crate::computed`]. Compilers select with `(a & m) | (b & ~m)`: where a mask is known to come from a
//! comparison in the same block ([`Origin`]), the shadows take one instruction each.

use crate::checks::OnActive;
use crate::constants;
use crate::context::offset;
use crate::decode::Client;
use crate::emit::{Memory, Operand};
use crate::encodings::{self, Form, Masking, Operation, Shape, Width};
use crate::rules::{Element, Lanes, Logic};
use crate::translate::Translator;
use iced_x86::{Code, EncodingKind, Instruction, OpKind, Register};

/// What is known about the value of a vector register within a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    Unknown,
    /// Every lane is all ones or all zeros; the number names the value.
    Mask(u32),
    /// Zero in lanes where the mask is clear (or set, if `inverted`).
    Selected {
        mask: u32,
        inverted: bool,
    },
}

/// An operand of a logical instruction.
#[derive(Clone, Copy)]
pub(crate) struct Side {
    /// Register that holds its value.
    pub value: usize,
    /// Number of the client register, if it is one.
    register: Option<usize>,
    /// Register that holds its shadow, if that was in memory.
    loaded: Option<usize>,
    pub zero: bool,
}

impl Translator<'_> {
    pub(crate) fn differentiate_logic(&mut self, client: &Client, logic: Logic) {
        let instruction = &client.instruction;
        let target = instruction.op0_register().number();
        let shape = Shape::new(Element::F64, Lanes::Packed, instruction.op0_register());
        let legacy = instruction.encoding() == EncodingKind::Legacy;
        let first = if legacy { target } else { instruction.op1_register().number() };
        let first = self.register_side(first);
        let operand = if legacy { 1 } else { 2 };
        let register = (instruction.op_kind(operand) == OpKind::Register)
            .then(|| instruction.op_register(operand).number());
        let zero = register
            .map_or_else(|| self.is_passive_memory(instruction), |number| self.vectors.is_zero(number));
        let same = register.is_some() && register == first.register;
        let clears = same && matches!(logic, Logic::Xor | Logic::AndNot);
        let origin = self.combined_origin(logic, first.register, register);
        if clears || first.zero && zero {
            self.copy(client);
            self.set_zero(target);
        } else {
            if same {
                let shadow = self.shadow(first.value);
                let place = self.target(target);
                if place == shadow {
                    self.keep_lower(shape, place);
                } else {
                    self.copy_register(shape, place, shadow);
                }
                self.copy(client);
            } else {
                let second = self.second_side(client, register, shape, zero);
                if !self.select(logic, shape, target, first, second) {
                    if self.job.settings.mode.has_indices() {
                        self.record_logic(client, logic, shape, target, first, second);
                    } else {
                        self.judge(client, logic, shape, target, first, second);
                    }
                }
                self.copy(client);
            }
            self.set_active(target, shape.width == Width::L256);
        }
        self.origins[target] = origin;
    }

    fn register_side(&self, number: usize) -> Side {
        Side { value: number, register: Some(number), loaded: None, zero: self.vectors.is_zero(number) }
    }

    fn second_side(&mut self, client: &Client, register: Option<usize>, shape: Shape, zero: bool) -> Side {
        if let Some(number) = register {
            return self.register_side(number);
        }
        let form = self.form();
        let value = self.temporary();
        let opened = self.open(&client.instruction);
        let client_memory = Memory { segment: Register::None, ..opened.memory };
        encodings::load(&mut self.asm, shape, form, value, client_memory);
        let mut loaded = None;
        if !zero {
            let shadow = self.temporary();
            encodings::load(&mut self.asm, shape, form, shadow, opened.memory);
            loaded = Some(shadow);
        }
        self.close(opened);
        Side { value, register: None, loaded, zero }
    }

    pub(crate) fn side_shadow(&mut self, side: Side) -> usize {
        match (side.loaded, side.register) {
            (Some(loaded), _) => loaded,
            (None, Some(number)) => self.shadow(number),
            (None, None) => unreachable!("a passive memory operand has no shadow to be asked for"),
        }
    }

    /// What the result is known to be.
    fn combined_origin(&self, logic: Logic, first: Option<usize>, second: Option<usize>) -> Origin {
        let origin = |number: Option<usize>| number.map_or(Origin::Unknown, |number| self.origins[number]);
        match (logic, origin(first), origin(second)) {
            (Logic::And, Origin::Mask(mask), _) | (Logic::And, _, Origin::Mask(mask)) => {
                Origin::Selected { mask, inverted: false }
            }
            (Logic::AndNot, Origin::Mask(mask), _) => Origin::Selected { mask, inverted: true },
            _ => Origin::Unknown,
        }
    }

    /// Masks from comparisons: the shadows take the same operation. False if nothing is known about the operands.
    fn select(&mut self, logic: Logic, shape: Shape, target: usize, first: Side, second: Side) -> bool {
        let origin = |side: Side| side.register.map_or(Origin::Unknown, |number| self.origins[number]);
        let (first_origin, second_origin) = (origin(first), origin(second));
        let selected = match (logic, first_origin, second_origin) {
            (Logic::And, Origin::Mask(_), _) if first.zero => (Operation::And, first.value, second),
            (Logic::AndNot, Origin::Mask(_), _) if first.zero => (Operation::AndNot, first.value, second),
            (Logic::And, _, Origin::Mask(_)) if second.zero => (Operation::And, second.value, first),
            (
                Logic::Or,
                Origin::Selected { mask, inverted },
                Origin::Selected { mask: other_mask, inverted: other },
            ) if mask == other_mask && inverted != other => {
                let (one, other) = (self.side_shadow(first), self.side_shadow(second));
                let place = self.target(target);
                self.commutative(Operation::Or, shape, place, one, other);
                return true;
            }
            _ => return false,
        };
        let (operation, mask, side) = selected;
        let shadow = self.side_shadow(side);
        let place = self.target(target);
        if self.form() == Form::Legacy && place == shadow && place != mask {
            let result = self.temporary();
            self.compute(operation, shape, result, mask, Operand::of(shape, shadow));
            self.copy_register(shape, place, result);
        } else {
            self.compute(operation, shape, place, mask, Operand::of(shape, shadow));
        }
        true
    }

    /// A commutative operation whose target may be either operand.
    fn commutative(&mut self, operation: Operation, shape: Shape, target: usize, one: usize, other: usize) {
        let (one, other) = if target == other { (other, one) } else { (one, other) };
        self.compute(operation, shape, target, one, Operand::of(shape, other));
    }

    /// Judges every 32-bit lane by its mask.
    fn judge(
        &mut self,
        client: &Client,
        logic: Logic,
        shape: Shape,
        target: usize,
        first: Side,
        second: Side,
    ) {
        let on_active = self.apply_rule(&client.instruction);
        let mut results = [None, None];
        if !first.zero {
            results[0] = self.judge_side(logic, shape, first, second.value, true, on_active);
        }
        if !second.zero {
            results[1] = self.judge_side(logic, shape, second, first.value, false, on_active);
        }
        let place = self.target(target);
        match results {
            [Some(one), Some(other)] => self.commutative(Operation::Or, shape, place, one, other),
            [Some(one), None] | [None, Some(one)] => self.copy_register(shape, place, one),
            [None, None] => self.clear(place),
        }
    }

    /// The shadow that the operand `side` contributes, in a temporary; `mask` holds the value of the other operand.
    fn judge_side(
        &mut self,
        logic: Logic,
        shape: Shape,
        side: Side,
        mask: usize,
        is_first: bool,
        on_active: OnActive,
    ) -> Option<usize> {
        let shadow = self.side_shadow(side);
        let doubled = self.temporary();
        self.shift_left_by_one(shape, doubled, mask);
        let sides = JudgedSide { shadow, value: side.value, mask, doubled };
        if logic == Logic::AndNot && is_first {
            // The value is inverted: there is no meaning to this unless nothing of it is left.
            self.count_unless_dropped(shape, sides, on_active);
            self.free(doubled);
            return None;
        }
        if self.form() == Form::Evex {
            self.judge_with_masks(logic, shape, sides, on_active);
        } else {
            self.judge_without_masks(logic, shape, sides, on_active);
        }
        Some(doubled)
    }

    /// Each 32-bit lane without its sign bit: zero if the mask has no bit but the sign, `ALL_BUT_LOWEST` if all.
    pub(crate) fn shift_left_by_one(&mut self, shape: Shape, target: usize, source: usize) {
        let (target, source) = (shape.register(target), shape.register(source));
        let wide = shape.width == Width::L256;
        match self.form() {
            Form::Legacy => {
                self.asm.built(Instruction::with2(Code::Movaps_xmm_xmmm128, target, source));
                self.asm.built(Instruction::with2(Code::Pslld_xmm_imm8, target, 1u32));
            }
            Form::Vex => {
                let code = if wide { Code::VEX_Vpslld_ymm_ymm_imm8 } else { Code::VEX_Vpslld_xmm_xmm_imm8 };
                self.asm.built(Instruction::with3(code, target, source, 1u32));
            }
            Form::Evex => {
                let code = if wide {
                    Code::EVEX_Vpslld_ymm_k1z_ymmm256b32_imm8
                } else {
                    Code::EVEX_Vpslld_xmm_k1z_xmmm128b32_imm8
                };
                self.asm.built(Instruction::with3(code, target, source, 1u32));
            }
        }
    }
}

/// Registers of one side that is judged. `doubled` becomes the result.
#[derive(Clone, Copy)]
struct JudgedSide {
    shadow: usize,
    value: usize,
    mask: usize,
    doubled: usize,
}

/// With AVX-512 masks: K1 active lanes, K2 all bits set, K3 no bit set, K4 to be counted.
impl Translator<'_> {
    fn judge_with_masks(&mut self, logic: Logic, shape: Shape, sides: JudgedSide, on_active: OnActive) {
        let JudgedSide { shadow, value, mask, doubled } = sides;
        self.vectors.masks.drop_scratch();
        self.lane_masks(logic, shape, shadow, doubled);
        let (mut keep, drop) = match logic {
            Logic::And => (Register::K2, Some(Register::K3)),
            Logic::AndNot => (Register::K3, Some(Register::K2)),
            Logic::Or | Logic::Xor => (Register::K3, None),
        };
        match drop {
            Some(_) => self.mask_operation(Code::VEX_Korw_kr_kr_kr, Register::K2, Register::K3),
            None => self.mask_operation(Code::VEX_Korw_kr_kr_kr, keep, keep),
        }
        self.mask_operation(Code::VEX_Kandnw_kr_kr_kr, Register::K4, Register::K1);
        if logic == Logic::And {
            keep = self.add_cut_mantissas();
        }
        self.count_mask(on_active);
        // Bits of the truth table: 4 mask, 2 value, 1 sign bit. Set where the sign of the result differs.
        let table: u32 = match logic {
            Logic::And => 0x08,
            Logic::AndNot => 0x80,
            Logic::Or => 0x20,
            Logic::Xor => 0xa0,
        };
        let wide = shape.width == Width::L256;
        self.copy_register(shape, doubled, mask);
        let ternary = if wide {
            Code::EVEX_Vpternlogd_ymm_k1z_ymm_ymmm256b32_imm8
        } else {
            Code::EVEX_Vpternlogd_xmm_k1z_xmm_xmmm128b32_imm8
        };
        let sign = Operand::Memory(self.asm.context(constants::SIGN32));
        let result = shape.register(doubled);
        self.asm.with_immediate(ternary, result, shape.register(value), sign, table);
        let code = if wide {
            Code::EVEX_Vpxord_ymm_k1z_ymm_ymmm256b32
        } else {
            Code::EVEX_Vpxord_xmm_k1z_xmm_xmmm128b32
        };
        let shadow = Operand::of(shape, shadow);
        self.asm.masked(code, result, result, shadow, Masking::Zero(keep));
    }

    /// K1, K2 and K3. For `and`, K2 and K3 include passive lanes; elsewhere K3 says which shadows are kept.
    fn lane_masks(&mut self, logic: Logic, shape: Shape, shadow: usize, doubled: usize) {
        self.mask_active(Shape { element: Element::F32, ..shape }, Register::K1, shadow);
        let wide = shape.width == Width::L256;
        let equal = if wide {
            Code::EVEX_Vpcmpeqd_kr_k1_ymm_ymmm256b32
        } else {
            Code::EVEX_Vpcmpeqd_kr_k1_xmm_xmmm128b32
        };
        let none = if wide {
            Code::EVEX_Vptestnmd_kr_k1_ymm_ymmm256b32
        } else {
            Code::EVEX_Vptestnmd_kr_k1_xmm_xmmm128b32
        };
        let all = Operand::Memory(self.asm.context(constants::ALL_BUT_LOWEST));
        let register = shape.register(doubled);
        let within = if logic == Logic::And { Masking::None } else { Masking::Merge(Register::K1) };
        self.asm.masked(equal, Register::K2, register, all, within);
        self.asm.masked(none, Register::K3, register, Operand::Register(register), within);
    }

    /// K4 := an operation on two masks.
    fn mask_operation(&mut self, code: Code, first: Register, second: Register) {
        self.asm.built(Instruction::with3(code, Register::K4, first, second));
    }

    /// K4 := also binary64 lanes of which the mask keeps the upper half alone: their mantissa is cut off. It need not
    /// be active there: dot values like 1 have no bits in the lower half. Returns the mask of the active lanes that
    /// are kept. K2 and K3 are used up.
    fn add_cut_mantissas(&mut self) -> Register {
        let (kept, all, cut, bad) = (Register::K1, Register::K2, Register::K3, Register::K4);
        self.asm.built(Instruction::with3(Code::VEX_Kandw_kr_kr_kr, kept, kept, all));
        self.asm.built(Instruction::with3(Code::VEX_Kshiftrw_kr_kr_imm8, cut, kept, 1u32));
        self.asm.built(Instruction::with3(Code::VEX_Kandnw_kr_kr_kr, cut, all, cut));
        let even = self.asm.context(constants::BYTES + 0x55);
        self.asm.built(Instruction::with2(Code::VEX_Kmovb_kr_km8, all, even.operand()));
        self.asm.built(Instruction::with3(Code::VEX_Kandw_kr_kr_kr, cut, cut, all));
        self.asm.built(Instruction::with3(Code::VEX_Korw_kr_kr_kr, bad, bad, cut));
        kept
    }

    /// Counts if K4 is not empty.
    pub(crate) fn count_mask(&mut self, on_active: OnActive) {
        if self.flags_dead {
            let test = Instruction::with2(Code::VEX_Kortestw_kr_kr, Register::K4, Register::K4);
            self.asm.built(test);
            let jump = self.asm.jump(Code::Jne_rel32_64);
            self.when_active(jump, false, on_active);
        } else {
            self.spill_rcx();
            self.asm.built(Instruction::with2(Code::VEX_Kmovw_r32_kr, Register::ECX, Register::K4));
            self.leave_unless_rcx_is_zero(on_active);
            self.restore_rcx();
        }
    }
}

/// Places of lanes whose upper half is kept, and of those that are neither kept nor dropped.
const CUT: u32 = 2;
const OTHERS: u32 = 3;

/// Without masks: lanes of ones in temporaries.
impl Translator<'_> {
    fn judge_without_masks(&mut self, logic: Logic, shape: Shape, sides: JudgedSide, on_active: OnActive) {
        let JudgedSide { shadow, value, mask, doubled } = sides;
        let (all, none) = (self.temporary(), self.temporary());
        let all_constant = Operand::Memory(self.asm.context(constants::ALL_BUT_LOWEST));
        self.equal_lanes(shape, all, doubled, all_constant);
        let zero = Operand::Memory(self.asm.context(constants::ZERO));
        self.equal_lanes(shape, none, doubled, zero);
        // doubled := lanes that are neither kept nor dropped
        let (keep, drop) = match logic {
            Logic::And => (all, Some(none)),
            Logic::AndNot => (none, Some(all)),
            Logic::Or | Logic::Xor => (none, None),
        };
        self.copy_register(shape, doubled, keep);
        if let Some(drop) = drop {
            self.compute(Operation::Or, shape, doubled, doubled, Operand::of(shape, drop));
        }
        let passive = if keep == all { none } else { all };
        self.equal_lanes(shape, passive, shadow, zero);
        self.compute(Operation::Or, shape, doubled, doubled, Operand::of(shape, passive));
        let ones = Operand::Memory(self.asm.context(constants::ONES));
        self.compute(Operation::AndNot, shape, doubled, doubled, ones);
        if logic == Logic::And {
            self.add_cut_mantissas_of_lanes(shape, doubled, all, passive);
        }
        self.count_lanes(shape, doubled, on_active);
        // doubled := sign bits that change, in active lanes
        let (value, mask_operand) = (value, Operand::of(shape, mask));
        match logic {
            Logic::And => self.compute(Operation::AndNot, shape, doubled, mask, Operand::of(shape, value)),
            Logic::AndNot => self.compute(Operation::And, shape, doubled, mask, Operand::of(shape, value)),
            Logic::Or => self.compute(Operation::AndNot, shape, doubled, value, mask_operand),
            Logic::Xor => self.copy_register(shape, doubled, mask),
        }
        let sign = Operand::Memory(self.asm.context(constants::SIGN32));
        self.compute(Operation::And, shape, doubled, doubled, sign);
        self.compute(Operation::AndNot, shape, passive, passive, Operand::of(shape, doubled));
        self.compute(Operation::Xor, shape, passive, passive, Operand::of(shape, shadow));
        self.compute(Operation::And, shape, keep, keep, Operand::of(shape, passive));
        self.copy_register(shape, doubled, keep);
        self.free(all);
        self.free(none);
    }

    /// bad := also binary64 lanes of which the mask keeps the upper half alone. What would need another register is in
    /// memory: an instruction with two active operands, one of them in memory, leaves none.
    fn add_cut_mantissas_of_lanes(&mut self, shape: Shape, bad: usize, all: usize, passive: usize) {
        let others = self.save_lanes(shape, bad, OTHERS);
        // In lower halves: the upper half is kept and active.
        let cut = bad;
        self.copy_register(shape, cut, passive);
        self.compute(Operation::AndNot, shape, cut, cut, Operand::of(shape, all));
        let register = shape.register(cut);
        match (self.form(), shape.width) {
            (Form::Legacy, _) => self.asm.built(Instruction::with2(Code::Psrlq_xmm_imm8, register, 32u32)),
            (_, Width::L256) => {
                self.asm.built(Instruction::with3(Code::VEX_Vpsrlq_ymm_ymm_imm8, register, register, 32u32));
            }
            _ => self.asm.built(Instruction::with3(Code::VEX_Vpsrlq_xmm_xmm_imm8, register, register, 32u32)),
        }
        let upper_is_kept = self.save_lanes(shape, cut, CUT);
        self.compute(Operation::AndNot, shape, cut, all, Operand::Memory(upper_is_kept));
        self.compute(Operation::Or, shape, bad, cut, Operand::Memory(others));
    }

    /// Stores a temporary in one of the places for registers that shadow code borrows.
    fn save_lanes(&mut self, shape: Shape, number: usize, place: u32) -> Memory {
        let place = self.asm.context(offset::VECTOR_SPILLS + 64 * place);
        let code = match (self.form(), shape.width) {
            (Form::Legacy, _) => Code::Movups_xmmm128_xmm,
            (_, Width::L256) => Code::VEX_Vmovups_ymmm256_ymm,
            _ => Code::VEX_Vmovups_xmmm128_xmm,
        };
        self.asm.built(Instruction::with2(code, place.operand(), shape.register(number)));
        place
    }

    /// target := ones in 32-bit lanes where the operands are equal.
    pub(crate) fn equal_lanes(&mut self, shape: Shape, target: usize, first: usize, second: Operand) {
        let wide = shape.width == Width::L256;
        let (target, first) = (shape.register(target), shape.register(first));
        if self.form() == Form::Legacy {
            self.asm.built(Instruction::with2(Code::Movaps_xmm_xmmm128, target, first));
            self.asm.binary(Code::Pcmpeqd_xmm_xmmm128, target, second);
        } else {
            let code =
                if wide { Code::VEX_Vpcmpeqd_ymm_ymm_ymmm256 } else { Code::VEX_Vpcmpeqd_xmm_xmm_xmmm128 };
            self.asm.ternary(code, target, first, second);
        }
    }

    /// Counts if any lane of a register of ones and zeros is set.
    pub(crate) fn count_lanes(&mut self, shape: Shape, lanes: usize, on_active: OnActive) {
        self.spill_rcx();
        let code = match (self.low_form(), shape.width) {
            (Form::Legacy, _) => Code::Pmovmskb_r32_xmm,
            (_, Width::L256) => Code::VEX_Vpmovmskb_r32_ymm,
            _ => Code::VEX_Vpmovmskb_r32_xmm,
        };
        self.asm.built(Instruction::with2(code, Register::ECX, shape.register(lanes)));
        self.leave_unless_rcx_is_zero(on_active);
        self.restore_rcx();
    }

    /// Counts lanes that are active although the other operand does not clear them.
    fn count_unless_dropped(&mut self, shape: Shape, sides: JudgedSide, on_active: OnActive) {
        let JudgedSide { shadow, mask, doubled, .. } = sides;
        if self.form() == Form::Evex {
            self.vectors.masks.drop_scratch();
            self.mask_active(Shape { element: Element::F32, ..shape }, Register::K1, shadow);
            self.mask_active(Shape { element: Element::F32, ..shape }, Register::K2, mask);
            self.asm.built(Instruction::with3(
                Code::VEX_Kandw_kr_kr_kr,
                Register::K4,
                Register::K1,
                Register::K2,
            ));
            self.count_mask(on_active);
            return;
        }
        let zero = Operand::Memory(self.asm.context(constants::ZERO));
        let passive = self.temporary();
        self.equal_lanes(shape, passive, shadow, zero);
        self.equal_lanes(shape, doubled, mask, zero);
        self.compute(Operation::Or, shape, doubled, doubled, Operand::of(shape, passive));
        let ones = Operand::Memory(self.asm.context(constants::ONES));
        self.compute(Operation::AndNot, shape, doubled, doubled, ones);
        self.count_lanes(shape, doubled, on_active);
        self.free(passive);
    }
}
