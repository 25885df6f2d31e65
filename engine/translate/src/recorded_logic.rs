//! Recording of logical instructions on active floats: the rules of [`crate::logic`] for a tape.
//!
//! The tags of indices tell binary32 from binary64 lanes, so a lane of 64 bits is judged as a whole where it holds a
//! binary64. What is kept becomes an operation with the partial derivative 1 or -1. The translation does not know which
//! kind of lanes it will meet: instructions that are not made for binary64 get an operation for either kind, of which
//! one is a hole.

use crate::checks::OnActive;
use crate::computed::UPPER_HALF;
use crate::constants;
use crate::context::offset;
use crate::decode::Client;
use crate::emit::{Memory, Operand};
use crate::encodings::{Form, Operation, Shape, Width};
use crate::logic::Side;
use crate::recording::{self, Function, Indices, TAG};
use crate::rules::{Element, Logic};
use crate::translate::Translator;
use iced_x86::{Code, Instruction, Mnemonic, Register};

/// Places of vectors for which there is no register: which lanes hold binary32, and the result of the first side.
const BINARY32: u32 = 2;
const FIRST_RESULT: u32 = 3;
/// Orders of 32-bit lanes: halves exchanged, and the lower half twice.
pub(crate) const EXCHANGED: u32 = 0xb1;
const LOWER_TWICE: u32 = 0xa0;

/// Registers of one side.
#[derive(Clone, Copy)]
struct Judged {
    shadow: usize,
    value: usize,
    /// The value of the other operand.
    mask: usize,
}

impl Translator<'_> {
    /// Records what each side contributes to the result, and puts the indices into the target's shadow.
    pub(crate) fn record_logic(
        &mut self,
        client: &Client,
        logic: Logic,
        shape: Shape,
        target: usize,
        first: Side,
        second: Side,
    ) {
        if !self.records() {
            let place = self.target(target);
            self.clear(place);
            return;
        }
        let on_active = self.apply_rule(&client.instruction);
        let wide = self.job.settings.mode.has_wide_indices();
        let binary64_only = wide || is_made_for_binary64(client.instruction.mnemonic());
        let mut kept = None;
        if !first.zero {
            let shadow = self.side_shadow(first);
            let judged = Judged { shadow, value: first.value, mask: second.value };
            if logic == Logic::AndNot {
                self.count_unless_cleared(shape, judged, on_active);
            } else {
                let result = self.record_side(logic, shape, judged, binary64_only, on_active);
                if second.zero {
                    kept = Some(result);
                } else {
                    let place = self.vector_place(FIRST_RESULT);
                    self.store_lanes(shape, place, result);
                    self.free(result);
                }
            }
        }
        if !second.zero {
            let shadow = self.side_shadow(second);
            let judged = Judged { shadow, value: second.value, mask: first.value };
            let result = self.record_side(logic, shape, judged, binary64_only, on_active);
            if !first.zero && logic != Logic::AndNot {
                let other = Operand::Memory(self.vector_place(FIRST_RESULT));
                self.compute_aligned(Operation::Or, shape, result, other);
            }
            kept = Some(result);
        }
        let place = self.target(target);
        match kept {
            Some(result) => self.copy_register(shape, place, result),
            None => self.clear(place),
        }
    }

    /// A temporary with the indices of what `side` contributes.
    fn record_side(
        &mut self,
        logic: Logic,
        shape: Shape,
        side: Judged,
        binary64_only: bool,
        on_active: OnActive,
    ) -> usize {
        let active = self.activity(shape, side.shadow);
        let keep = self.kept_lanes(logic, shape, side, active, binary64_only, on_active);
        let sign = self.changed_signs(logic, shape, side);
        // Indices of binary64: the lower halves of lanes that hold one.
        let binary32 = Operand::Memory(self.vector_place(BINARY32));
        let wide_lanes = self.temporary();
        self.load_vector(shape, wide_lanes, binary32);
        self.compute(Operation::AndNot, shape, wide_lanes, wide_lanes, Operand::of(shape, keep));
        self.compute(Operation::And, shape, wide_lanes, wide_lanes, Operand::of(shape, active));
        let untagged = Operand::Memory(self.asm.context(constants::UNTAGGED));
        self.compute(Operation::And, shape, wide_lanes, wide_lanes, untagged);
        let sign64 = Operand::Memory(self.asm.context(constants::SIGN64));
        self.copy_register(shape, active, sign);
        self.compute(Operation::And, shape, active, active, sign64);
        let one = Operand::Memory(self.asm.context(constants::ONE_F64));
        self.compute(Operation::Or, shape, active, active, one);
        let result = self.record_signs(shape, wide_lanes, active);
        if !binary64_only {
            let lanes = Shape { element: Element::F32, ..shape };
            let one = Operand::Memory(self.asm.context(constants::ONE_F32));
            self.compute(Operation::Or, shape, sign, sign, one);
            let binary32 = Operand::Memory(self.vector_place(BINARY32));
            self.compute_aligned(Operation::And, shape, keep, binary32);
            self.compute(Operation::And, shape, keep, keep, Operand::of(shape, side.shadow));
            let narrow = self.record_signs(lanes, keep, sign);
            self.compute(Operation::Or, shape, result, result, Operand::of(shape, narrow));
            self.free(narrow);
        } else {
            self.free(keep);
            self.free(sign);
        }
        result
    }

    /// Records lanes with partial derivatives 1 or -1. Both registers are used up; the result is a temporary.
    fn record_signs(&mut self, shape: Shape, indices: usize, partials: usize) -> usize {
        let operand = Indices { register: indices, client: None };
        let operands = [self.record_indices(shape, operand), recording::Operand::Absent];
        let values = [Some(self.record_values(shape, partials)), None];
        self.free(partials);
        let result = self.record(Function::Linear, shape, 0, operands, values);
        let new = self.new_indices(shape, &[Some(operand)], result);
        self.free(indices);
        new
    }

    /// A temporary that is not zero in both halves of lanes that hold an active binary64, and in active binary32 lanes.
    /// Which lanes of 64 bits hold binary32 goes to memory.
    fn activity(&mut self, shape: Shape, shadow: usize) -> usize {
        let (binary32, other) = (self.temporary(), self.temporary());
        let tag = Operand::Memory(self.asm.context(constants::SIGN32));
        self.copy_register(shape, binary32, shadow);
        self.compute(Operation::And, shape, binary32, binary32, tag);
        self.shuffle_halves(shape, other, binary32, EXCHANGED);
        self.compute(Operation::Or, shape, binary32, binary32, Operand::of(shape, other));
        self.spread_signs(shape, binary32);
        let place = self.vector_place(BINARY32);
        self.store_lanes(shape, place, binary32);
        self.shuffle_halves(shape, other, shadow, LOWER_TWICE);
        self.compute(Operation::AndNot, shape, binary32, binary32, Operand::of(shape, other));
        self.copy_register(shape, other, shadow);
        self.compute_aligned(Operation::And, shape, other, Operand::Memory(place));
        self.compute(Operation::Or, shape, binary32, binary32, Operand::of(shape, other));
        self.free(other);
        binary32
    }

    /// A temporary of ones in lanes whose value is kept but for the sign. Active lanes that are neither kept nor
    /// dropped are counted.
    fn kept_lanes(
        &mut self,
        logic: Logic,
        shape: Shape,
        side: Judged,
        active: usize,
        binary64_only: bool,
        on_active: OnActive,
    ) -> usize {
        let (all, none) = (self.temporary(), self.temporary());
        self.shift_left_by_one(shape, none, side.mask);
        self.copy_register(shape, all, none);
        let all_bits = Operand::Memory(self.asm.context(constants::ALL_BUT_LOWEST));
        self.equal_halves(shape, all, all_bits);
        let zero = Operand::Memory(self.asm.context(constants::ZERO));
        self.equal_halves(shape, none, zero);
        let (keep, drop) = match logic {
            Logic::And => (all, Some(none)),
            Logic::AndNot => (none, Some(all)),
            Logic::Or | Logic::Xor => (none, None),
        };
        let other = self.temporary();
        self.clear_marked_halves(shape, keep, other, side.shadow);
        self.demand_whole_lanes(shape, keep, other, binary64_only);
        if let Some(drop) = drop {
            self.demand_whole_lanes(shape, drop, other, binary64_only);
        }
        // other := lanes about which there is nothing to say
        self.copy_register(shape, other, active);
        self.equal_halves(shape, other, zero);
        self.compute(Operation::Or, shape, other, other, Operand::of(shape, keep));
        if let Some(drop) = drop {
            self.compute(Operation::Or, shape, other, other, Operand::of(shape, drop));
        }
        let ones = Operand::Memory(self.asm.context(constants::ONES));
        self.compute(Operation::AndNot, shape, other, other, ones);
        self.check_lanes(shape, other, on_active);
        self.free(other);
        self.free(if keep == all { none } else { all });
        keep
    }

    /// Clears lanes with the mark of an upper half that is by itself, which the computed rule knows.
    fn clear_marked_halves(&mut self, shape: Shape, lanes: usize, other: usize, shadow: usize) {
        if self.job.settings.mode.has_wide_indices() {
            return;
        }
        debug_assert_eq!(UPPER_HALF << 1, TAG);
        self.shift_left_by_one(shape, other, shadow);
        self.spread_signs(shape, other);
        self.compute(Operation::AndNot, shape, other, other, Operand::of(shape, lanes));
        self.copy_register(shape, lanes, other);
    }

    /// Clears lanes of 64 bits that hold a binary64 and of which only one half is set; with `binary64_only` also those
    /// that hold binary32.
    fn demand_whole_lanes(&mut self, shape: Shape, lanes: usize, other: usize, binary64_only: bool) {
        self.shuffle_halves(shape, other, lanes, EXCHANGED);
        let binary32 = Operand::Memory(self.vector_place(BINARY32));
        if !binary64_only {
            self.compute_aligned(Operation::Or, shape, other, binary32);
        }
        self.compute(Operation::And, shape, lanes, lanes, Operand::of(shape, other));
        if binary64_only {
            self.load_vector(shape, other, binary32);
            self.compute(Operation::AndNot, shape, other, other, Operand::of(shape, lanes));
            self.copy_register(shape, lanes, other);
        }
    }

    /// A temporary with the sign bits that the instruction changes, of each half.
    fn changed_signs(&mut self, logic: Logic, shape: Shape, side: Judged) -> usize {
        let sign = self.temporary();
        let (value, mask) = (Operand::of(shape, side.value), Operand::of(shape, side.mask));
        match logic {
            Logic::And => self.compute(Operation::AndNot, shape, sign, side.mask, value),
            Logic::AndNot => self.compute(Operation::And, shape, sign, side.mask, value),
            Logic::Or => self.compute(Operation::AndNot, shape, sign, side.value, mask),
            Logic::Xor => self.copy_register(shape, sign, side.mask),
        }
        let bits = Operand::Memory(self.asm.context(constants::SIGN32));
        self.compute(Operation::And, shape, sign, sign, bits);
        sign
    }

    /// Counts active lanes of an inverted value unless the other operand clears them.
    fn count_unless_cleared(&mut self, shape: Shape, side: Judged, on_active: OnActive) {
        let active = self.activity(shape, side.shadow);
        let zero = Operand::Memory(self.asm.context(constants::ZERO));
        let cleared = self.temporary();
        self.copy_register(shape, cleared, side.mask);
        self.equal_halves(shape, cleared, zero);
        self.compute(Operation::AndNot, shape, cleared, cleared, Operand::of(shape, active));
        self.check_lanes(shape, cleared, on_active);
        self.free(cleared);
        self.free(active);
    }
}

fn is_made_for_binary64(mnemonic: Mnemonic) -> bool {
    matches!(
        mnemonic,
        Mnemonic::Andpd
            | Mnemonic::Vandpd
            | Mnemonic::Andnpd
            | Mnemonic::Vandnpd
            | Mnemonic::Orpd
            | Mnemonic::Vorpd
            | Mnemonic::Xorpd
            | Mnemonic::Vxorpd
    )
}

/// Operations on vectors of 32-bit halves.
impl Translator<'_> {
    fn vector_place(&self, number: u32) -> Memory {
        self.asm.context(offset::VECTOR_SPILLS + 64 * number)
    }

    fn load_vector(&mut self, shape: Shape, target: usize, place: Operand) {
        let Operand::Memory(place) = place else {
            unreachable!("a place in the context");
        };
        let form = self.form();
        crate::encodings::load(&mut self.asm, shape, form, target, place);
        if form == Form::Evex {
            self.vectors.masks.forget(target & 15);
        }
    }

    /// target op= a place in the context, which is aligned as legacy encodings want it.
    fn compute_aligned(&mut self, operation: Operation, shape: Shape, target: usize, place: Operand) {
        self.compute(operation, shape, target, target, place);
    }

    pub(crate) fn shuffle_halves(&mut self, shape: Shape, target: usize, source: usize, order: u32) {
        let code = match (self.form(), shape.width) {
            (Form::Legacy, _) => Code::Pshufd_xmm_xmmm128_imm8,
            (Form::Vex, Width::L256) => Code::VEX_Vpshufd_ymm_ymmm256_imm8,
            (Form::Vex, _) => Code::VEX_Vpshufd_xmm_xmmm128_imm8,
            (Form::Evex, Width::L256) => Code::EVEX_Vpshufd_ymm_k1z_ymmm256b32_imm8,
            (Form::Evex, _) => Code::EVEX_Vpshufd_xmm_k1z_xmmm128b32_imm8,
        };
        self.forget_temporary(target);
        self.asm.built(Instruction::with3(code, shape.register(target), shape.register(source), order));
    }

    /// Each half becomes copies of its highest bit.
    fn spread_signs(&mut self, shape: Shape, number: usize) {
        let register = shape.register(number);
        let code = match (self.form(), shape.width) {
            (Form::Legacy, _) => {
                self.asm.built(Instruction::with2(Code::Psrad_xmm_imm8, register, 31u32));
                return;
            }
            (Form::Vex, Width::L256) => Code::VEX_Vpsrad_ymm_ymm_imm8,
            (Form::Vex, _) => Code::VEX_Vpsrad_xmm_xmm_imm8,
            (Form::Evex, Width::L256) => Code::EVEX_Vpsrad_ymm_k1z_ymmm256b32_imm8,
            (Form::Evex, _) => Code::EVEX_Vpsrad_xmm_k1z_xmmm128b32_imm8,
        };
        self.forget_temporary(number);
        self.asm.built(Instruction::with3(code, register, register, 31u32));
    }

    /// Each half becomes ones where it equals the operand, else zeros.
    fn equal_halves(&mut self, shape: Shape, number: usize, operand: Operand) {
        if self.form() != Form::Evex {
            self.equal_lanes(shape, number, number, operand);
            return;
        }
        self.forget_temporary(number);
        let register = shape.register(number);
        let (compare, expand) = if shape.width == Width::L256 {
            (Code::EVEX_Vpcmpeqd_kr_k1_ymm_ymmm256b32, Code::EVEX_Vpmovm2d_ymm_kr)
        } else {
            (Code::EVEX_Vpcmpeqd_kr_k1_xmm_xmmm128b32, Code::EVEX_Vpmovm2d_xmm_kr)
        };
        self.asm.ternary(compare, Register::K1, register, operand);
        self.asm.built(Instruction::with2(expand, register, Register::K1));
    }

    pub(crate) fn forget_temporary(&mut self, number: usize) {
        if self.form() == Form::Evex {
            self.vectors.masks.forget(number & 15);
        }
    }
}
