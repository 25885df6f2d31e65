//! Sums that may round: which lanes do is found before the instruction, and the shadow is cleared there after it.
//!
//! A constant is told by its fraction and its exponent, each made a number that raises no exception when it is
//! compared.

use super::{Candidate, Rounding};
use crate::constants;
use crate::context::offset;
use crate::decode::Client;
use crate::emit::{Memory, Operand};
use crate::encodings::{self, Form, Masking, Operation, Shape, Width};
use crate::memory;
use crate::recorded_logic::EXCHANGED;
use crate::rules::{Element, Lanes, Rule};
use crate::translate::Translator;
use crate::wide_operations::computed_lanes;
use iced_x86::{Code, EncodingKind, Instruction, OpKind, Register};

/// Predicates of compare instructions.
const EQUAL: u32 = 0;
const NOT_LESS: u32 = 5;

/// Where the mask is until the instruction is done: a place for registers that shadow code borrows.
const MASK: u32 = offset::VECTOR_SPILLS + 64 * 7;

/// What is known about the shadow of an addend that may be a constant.
#[derive(Clone, Copy)]
enum AddendShadow {
    /// It is zero, or does not matter.
    Zero,
    Register(usize),
    /// It has been loaded into a register for this test alone.
    Loaded(usize),
}

impl AddendShadow {
    fn register(self) -> Option<usize> {
        match self {
            AddendShadow::Zero => None,
            AddendShadow::Register(register) | AddendShadow::Loaded(register) => Some(register),
        }
    }
}

/// A sum whose lanes were tested.
pub(crate) struct Tested {
    shape: Shape,
    target: usize,
}

impl Translator<'_> {
    /// What is known about the current instruction as a sum.
    pub(crate) fn rounding(&self) -> Rounding {
        self.roundings.get(self.position).copied().unwrap_or(Rounding::No)
    }

    /// The sum is piecewise constant.
    pub(crate) fn rounded(&mut self, client: &Client, rule: Rule) {
        let instruction = &client.instruction;
        match rule {
            Rule::Binary(_, element, Lanes::Scalar) | Rule::Fused { element, lanes: Lanes::Scalar, .. } => {
                let target = instruction.op0_register().number();
                let fused = matches!(rule, Rule::Fused { .. });
                let legacy = instruction.encoding() == EncodingKind::Legacy;
                let rest = if legacy || fused { target } else { instruction.op1_register().number() };
                self.passive_lane(client, element, target, rest);
            }
            _ => self.passive_result(client),
        }
    }

    /// The same for EVEX encodings.
    pub(crate) fn rounded_wide(&mut self, client: &Client, rule: Rule) {
        match computed_lanes(&client.instruction, rule) {
            Some(shape) => self.passive_lanes(client, shape),
            None => self.passive_result(client),
        }
    }

    /// In front of a sum: finds out which lanes of an operand are constants by which numbers are rounded.
    pub(crate) fn test_rounding(
        &mut self,
        client: &Client,
        rule: Rule,
        candidate: Candidate,
    ) -> Option<Tested> {
        let instruction = &client.instruction;
        let (element, lanes) = match rule {
            Rule::Binary(_, element, lanes) | Rule::Fused { element, lanes, .. } => (element, lanes),
            _ => return None,
        };
        let active = |k: u32| match instruction.op_kind(k) {
            OpKind::Register => !self.vectors.is_zero(instruction.op_register(k).number()),
            _ => !self.is_passive_memory(instruction),
        };
        let target = instruction.op0_register().number();
        if !(0..instruction.op_count()).any(active) {
            return None;
        }
        let shape = Shape::new(element, lanes, instruction.op0_register());
        let value = self.temporary();
        self.value_of(instruction, candidate.operand, shape, value);
        let shadow = if candidate.must_be_passive {
            self.shadow_of(instruction, candidate.operand, shape)
        } else {
            AddendShadow::Zero
        };
        if self.form() == Form::Evex {
            self.test_with_masks(shape, value, candidate, shadow);
        } else {
            self.test_without_masks(shape, value, candidate, shadow);
        }
        if let AddendShadow::Loaded(register) = shadow {
            self.free(register);
        }
        self.free(value);
        Some(Tested { shape, target })
    }

    /// Where the shadow of an addend is that must be passive.
    fn shadow_of(&mut self, instruction: &Instruction, operand: u32, shape: Shape) -> AddendShadow {
        if instruction.op_kind(operand) == OpKind::Register {
            let number = instruction.op_register(operand).number();
            return if self.vectors.is_zero(number) {
                AddendShadow::Zero
            } else {
                AddendShadow::Register(self.shadow(number))
            };
        }
        if self.is_passive_memory(instruction) {
            return AddendShadow::Zero;
        }
        let (register, form) = (self.temporary(), self.form());
        let opened = self.open(instruction);
        encodings::load(&mut self.asm, shape, form, register, opened.memory);
        self.close(opened);
        self.forget_temporary(register);
        AddendShadow::Loaded(register)
    }

    fn value_of(&mut self, instruction: &Instruction, operand: u32, shape: Shape, value: usize) {
        if instruction.op_kind(operand) == OpKind::Register {
            self.copy_register(shape.packed(), value, instruction.op_register(operand).number());
            return;
        }
        let form = self.form();
        match memory::direct(instruction) {
            Some(place) => encodings::load(&mut self.asm, shape, form, value, place),
            None => {
                let opened = self.open(instruction);
                let place = Memory { segment: Register::None, ..opened.memory };
                encodings::load(&mut self.asm, shape, form, value, place);
                self.close(opened);
            }
        }
    }

    fn rounding_constants(&self, element: Element) -> [Operand; 6] {
        let start = match element {
            Element::F64 => constants::ROUNDING_F64,
            Element::F32 => constants::ROUNDING_F32,
        };
        core::array::from_fn(|number| Operand::Memory(self.asm.context(start + 32 * number as u32)))
    }

    /// Leaves a mask with bits of lanes that keep their shadow.
    fn test_with_masks(&mut self, shape: Shape, value: usize, candidate: Candidate, addend: AddendShadow) {
        let packed = shape.packed();
        let [fraction, one, half, exponent, least, point] = self.rounding_constants(shape.element);
        self.vectors.masks.drop_scratch();
        let part = self.temporary();
        self.compute(Operation::And, packed, part, value, exponent);
        self.compute(Operation::And, packed, value, value, fraction);
        self.compute(Operation::Or, packed, value, value, one);
        let compare = |translator: &mut Self, mask, within, first: usize, second, predicate| {
            let code = encodings::code(Operation::Compare, packed, Form::Evex);
            let register = packed.register(first);
            let Operand::Memory(place) = second else { unreachable!("a constant") };
            let built = Instruction::with4(code, mask, register, place.operand(), predicate);
            translator.asm.built(built.map(|mut instruction| {
                encodings::apply(&mut instruction, within);
                instruction
            }));
        };
        compare(self, Register::K1, Masking::None, value, half, EQUAL);
        compare(self, Register::K1, Masking::Merge(Register::K1), part, least, NOT_LESS);
        compare(self, Register::K2, Masking::None, value, one, EQUAL);
        let (power, predicate) = if candidate.is_taken_back { (least, NOT_LESS) } else { (point, EQUAL) };
        compare(self, Register::K2, Masking::Merge(Register::K2), part, power, predicate);
        let (first, second) = (Register::K1, Register::K2);
        self.asm.built(Instruction::with3(Code::VEX_Korw_kr_kr_kr, first, first, second));
        if let Some(shadow) = addend.register() {
            self.mask_active(packed, second, shadow);
            self.asm.built(Instruction::with3(Code::VEX_Kandnw_kr_kr_kr, first, second, first));
        }
        if shape.width == Width::Scalar {
            let lowest = self.asm.context(constants::BYTES + 1);
            self.asm.built(Instruction::with2(Code::VEX_Kmovb_kr_km8, second, lowest.operand()));
            self.asm.built(Instruction::with3(Code::VEX_Kandw_kr_kr_kr, first, first, second));
        }
        self.asm.built(Instruction::with2(Code::VEX_Knotw_kr_kr, first, first));
        let place = self.asm.context(MASK);
        self.asm.built(Instruction::with2(Code::VEX_Kmovw_m16_kr, place.operand(), first));
        self.free(part);
    }

    /// Leaves a vector of ones in lanes that lose their shadow.
    fn test_without_masks(&mut self, shape: Shape, value: usize, candidate: Candidate, addend: AddendShadow) {
        let packed = shape.packed();
        let [fraction, one, half, exponent, least, point] = self.rounding_constants(shape.element);
        let (part, other) = (self.temporary(), self.temporary());
        self.compute(Operation::And, packed, part, value, exponent);
        self.compute(Operation::And, packed, value, value, fraction);
        self.compute(Operation::Or, packed, value, value, one);
        self.compare(packed, other, value, half, EQUAL);
        self.compare(packed, value, value, one, EQUAL);
        // What is large, in `other`; what is a power of two, in `value`.
        let large = self.temporary();
        self.compare(packed, large, part, least, NOT_LESS);
        self.compute(Operation::And, packed, other, other, Operand::of(packed, large));
        let (power, predicate) = if candidate.is_taken_back { (least, NOT_LESS) } else { (point, EQUAL) };
        self.compare(packed, part, part, power, predicate);
        self.compute(Operation::And, packed, value, value, Operand::of(packed, part));
        self.compute(Operation::Or, packed, value, value, Operand::of(packed, other));
        if let Some(shadow) = addend.register() {
            let zero = Operand::Memory(self.asm.context(constants::ZERO));
            self.equal_lanes(packed, other, shadow, zero);
            self.compute(Operation::And, packed, value, value, Operand::of(packed, other));
            if shape.element == Element::F64 {
                // Both halves must be zero.
                self.shuffle_halves(packed, other, other, EXCHANGED);
                self.compute(Operation::And, packed, value, value, Operand::of(packed, other));
            }
        }
        let (place, form) = (self.asm.context(MASK), self.form());
        if shape.width == Width::Scalar {
            let lowest = match shape.element {
                Element::F64 => constants::LOWEST_F64,
                Element::F32 => constants::LOWEST_F32,
            };
            let lowest = Operand::Memory(self.asm.context(lowest));
            self.compute(Operation::And, packed, value, value, lowest);
        }
        self.store_lanes_of(form, packed, place, value);
        for register in [part, other, large] {
            self.free(register);
        }
    }

    fn store_lanes_of(&mut self, form: Form, shape: Shape, place: Memory, register: usize) {
        let code = match (form, shape.width) {
            (Form::Legacy, _) => Code::Movups_xmmm128_xmm,
            (_, Width::L256) => Code::VEX_Vmovups_ymmm256_ymm,
            _ => Code::VEX_Vmovups_xmmm128_xmm,
        };
        self.asm.built(Instruction::with2(code, place.operand(), shape.register(register)));
    }

    /// Behind the sum: clears the shadow of lanes that are rounded.
    pub(crate) fn clear_rounded(&mut self, tested: Tested) {
        let Tested { shape, target } = tested;
        if self.vectors.is_zero(target) {
            return;
        }
        let packed = shape.packed();
        let shadow = self.shadow(target);
        let place = self.asm.context(MASK);
        // It is no longer what an operation has left there.
        self.vectors.masks.forget(target);
        if self.form() == Form::Evex {
            self.vectors.masks.drop_scratch();
            let code = match (shape.element, packed.width) {
                (Element::F64, Width::L256) => Code::EVEX_Vmovapd_ymm_k1z_ymmm256,
                (Element::F64, _) => Code::EVEX_Vmovapd_xmm_k1z_xmmm128,
                (Element::F32, Width::L256) => Code::EVEX_Vmovaps_ymm_k1z_ymmm256,
                (Element::F32, _) => Code::EVEX_Vmovaps_xmm_k1z_xmmm128,
            };
            self.asm.built(Instruction::with2(Code::VEX_Kmovw_kr_km16, Register::K1, place.operand()));
            let register = packed.register(shadow);
            let second = Operand::Register(register);
            self.asm.masked_binary(code, register, second, Masking::Zero(Register::K1));
            return;
        }
        let mask = self.temporary();
        let form = self.form();
        encodings::load(&mut self.asm, packed, form, mask, place);
        self.compute(Operation::AndNot, packed, mask, mask, Operand::of(packed, shadow));
        let place = self.target(target);
        self.copy_register(packed, place, mask);
        self.free(mask);
    }
}
