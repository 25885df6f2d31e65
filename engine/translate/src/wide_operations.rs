//! Operands and results of EVEX arithmetic, and the few operations that its rules are made of.

use crate::constants;
use crate::emit::{Memory, Operand};
use crate::encodings::Masking;
use crate::rules::{Element, Lanes, Rule, Wide};
use crate::translate::Translator;
pub(crate) use crate::wide_codes::{WideOperation, WideShape};
use iced_x86::{Code, Instruction, OpKind, Register};

/// A source of an instruction.
#[derive(Clone, Copy)]
pub(crate) struct WideSource {
    /// The register with its value: a client register, or a temporary.
    pub value: Register,
    /// The low register with its shadow, `None` if it is known to be passive.
    pub shadow: Option<usize>,
    /// The client register, if it is one.
    pub number: Option<usize>,
}

impl Translator<'_> {
    /// A temporary of zeros.
    pub(crate) fn cleared(&mut self) -> usize {
        let zero = self.vectors.low_temporary(&mut self.asm);
        self.clear(zero);
        zero
    }

    /// A source operand: memory is loaded, a shadow is brought to a low register.
    pub(crate) fn wide_source(
        &mut self,
        instruction: &Instruction,
        operand: u32,
        shape: WideShape,
    ) -> WideSource {
        if instruction.op_kind(operand) == OpKind::Register {
            let number = instruction.op_register(operand).number();
            let shadow =
                (!self.vectors.is_zero(number)).then(|| self.vectors.low_shadow(&mut self.asm, number));
            return WideSource { value: shape.register(number), shadow, number: Some(number) };
        }
        let passive = self.is_passive_memory(instruction);
        let value = self.vectors.low_temporary(&mut self.asm);
        let shadow = (!passive).then(|| self.vectors.low_temporary(&mut self.asm));
        let opened = self.open(instruction);
        let client_memory = Memory { segment: Register::None, ..opened.memory };
        self.load_wide(instruction, shape, value, client_memory);
        if let Some(shadow) = shadow {
            self.load_wide(instruction, shape, shadow, opened.memory);
        }
        self.close(opened);
        WideSource { value: shape.register(value), shadow, number: None }
    }

    /// Loads a memory operand as the instruction does; lanes that are masked off become zero.
    pub(crate) fn load_wide(
        &mut self,
        instruction: &Instruction,
        shape: WideShape,
        target: usize,
        place: Memory,
    ) {
        let code = match (shape.scalar, shape.bytes) {
            (true, 4) => Code::EVEX_Vmovss_xmm_k1z_m32,
            (true, _) => Code::EVEX_Vmovsd_xmm_k1z_m64,
            _ if instruction.is_broadcast() => shape.code(WideOperation::Broadcast),
            _ => shape.code(WideOperation::Move),
        };
        let masking = match shape.mask {
            Register::None => Masking::None,
            mask => Masking::Zero(mask),
        };
        self.asm.masked_binary(code, shape.register(target), Operand::Memory(place), masking);
    }

    /// A mask of the lanes that are computed and in which the shadow is active.
    pub(crate) fn active_lanes(&mut self, shape: WideShape, shadow: usize) -> Register {
        let mask = self.vectors.mask_temporary(&mut self.asm);
        let register = shape.register(shadow);
        let tested = if shape.scalar {
            let lowest = if shape.bytes == 4 { constants::LOWEST_F32 } else { constants::LOWEST_F64 };
            Operand::Memory(self.asm.context(lowest))
        } else {
            Operand::Register(register)
        };
        let masking = match shape.mask {
            Register::None => Masking::None,
            client => Masking::Merge(client),
        };
        self.asm.masked(shape.code(WideOperation::Test), mask, register, tested, masking);
        mask
    }

    pub(crate) fn compute_wide(
        &mut self,
        operation: WideOperation,
        shape: WideShape,
        target: usize,
        first: Register,
        second: Operand,
        masking: Masking,
    ) {
        if operation.is_arithmetic() {
            self.own_control();
        }
        self.asm.masked(shape.code(operation), shape.register(target), first, second, masking);
    }

    /// target := shadow * partial in active lanes, else zero.
    pub(crate) fn product_wide(&mut self, shape: WideShape, target: usize, shadow: usize, partial: Register) {
        let mask = self.active_lanes(shape, shadow);
        let (shadow, partial) = (shape.register(shadow), Operand::Register(partial));
        self.compute_wide(WideOperation::Multiply, shape, target, shadow, partial, Masking::Zero(mask));
        self.vectors.free_mask(mask);
    }

    /// target += shadow * partial in active lanes (or -=).
    pub(crate) fn accumulate_wide(
        &mut self,
        shape: WideShape,
        target: usize,
        shadow: usize,
        partial: Register,
        negated: bool,
    ) {
        let operation = if negated { WideOperation::MultiplySubtract } else { WideOperation::MultiplyAdd };
        let mask = self.active_lanes(shape, shadow);
        let (shadow, partial) = (shape.register(shadow), Operand::Register(partial));
        self.compute_wide(operation, shape, target, shadow, partial, Masking::Merge(mask));
        self.vectors.free_mask(mask);
    }

    /// Moves a full register.
    pub(crate) fn move_wide(&mut self, shape: WideShape, target: usize, source: Register) {
        let code = shape.code(WideOperation::Move);
        self.asm.binary(code, shape.register(target), Operand::Register(source));
    }

    /// The lanes of `result` that the instruction computes go to the shadow of its target.
    pub(crate) fn finish_wide(&mut self, instruction: &Instruction, shape: WideShape, result: usize) {
        let target = instruction.op0_register().number();
        let masking = match (shape.mask, shape.zeroes) {
            (Register::None, _) => Masking::None,
            (mask, true) => Masking::Zero(mask),
            (mask, false) => Masking::Merge(mask),
        };
        let merges = matches!(masking, Masking::Merge(_));
        if shape.scalar {
            // Fused products have their target as first source.
            let rest = if is_fused(instruction) { target } else { instruction.op1_register().number() };
            let rest = self.vectors.low_shadow(&mut self.asm, rest);
            if merges {
                self.vectors.low_shadow(&mut self.asm, target);
            }
            let place = self.vectors.low_target(&mut self.asm, target);
            let code = match shape.bytes {
                4 => Code::EVEX_Vmovss_xmm_k1z_xmm_xmm,
                _ => Code::EVEX_Vmovsd_xmm_k1z_xmm_xmm,
            };
            let lane = Operand::Register(shape.register(result));
            self.asm.masked(code, shape.register(place), shape.register(rest), lane, masking);
        } else {
            if merges {
                self.vectors.low_shadow(&mut self.asm, target);
            }
            let place = self.vectors.low_target(&mut self.asm, target);
            let source = Operand::Register(shape.register(result));
            self.asm.masked_binary(shape.move_code(), shape.register(place), source, masking);
        }
        self.set_active(target, shape.is_wide());
    }

    pub(crate) fn sign_bits(&self, shape: WideShape) -> Operand {
        let bits = if shape.bytes == 4 { constants::SIGN32 } else { constants::SIGN64 };
        Operand::Memory(self.asm.context(bits))
    }
}

/// Bytes of the result; what lies above is zero, whatever the mask.
pub(crate) fn result_bytes(instruction: &Instruction, shape: WideShape) -> usize {
    use Code::*;
    let narrows = matches!(
        instruction.code(),
        EVEX_Vcvtpd2dq_xmm_k1z_xmmm128b64
            | EVEX_Vcvtpd2ps_xmm_k1z_xmmm128b64
            | EVEX_Vcvttpd2dq_xmm_k1z_xmmm128b64
            | EVEX_Vcvtpd2udq_xmm_k1z_xmmm128b64
            | EVEX_Vcvttpd2udq_xmm_k1z_xmmm128b64
    );
    if narrows {
        8
    } else {
        shape.register_bytes()
    }
}

pub(crate) fn is_fused(instruction: &Instruction) -> bool {
    let rule = crate::rules::on_binary32(crate::rules::rule(instruction));
    matches!(rule, Rule::Fused { .. })
}

/// The lanes that a rule computes, `None` if it has none of its own.
pub(crate) fn computed_lanes(instruction: &Instruction, rule: Rule) -> Option<WideShape> {
    if let Rule::Binary16(_) = rule {
        let shape = computed_lanes(instruction, crate::rules::on_binary32(rule))?;
        return Some(shape.with_bytes(2));
    }
    let (element, lanes) = match rule {
        Rule::Binary(_, element, lanes) | Rule::Unary(_, element, lanes) => (element, lanes),
        Rule::Fused { element, lanes, .. } => (element, lanes),
        Rule::Convert(Element::F32, lanes) => (Element::F64, lanes),
        Rule::Convert(Element::F64, lanes) => (Element::F32, lanes),
        Rule::Wide(
            Wide::Reciprocal(element, lanes)
            | Wide::ReciprocalRoot(element, lanes)
            | Wide::Scale(element, lanes)
            | Wide::Mantissa(element, lanes)
            | Wide::Reduce(element, lanes)
            | Wide::Range(element, lanes)
            | Wide::FixUp(element, lanes),
        ) => (element, lanes),
        Rule::Logic(_) => {
            let bytes = crate::wide_logic::lane_bytes(instruction);
            return Some(WideShape::new(instruction, bytes, Lanes::Packed));
        }
        Rule::Wide(Wide::PassiveLanes(bytes, lanes)) => {
            return Some(WideShape::new(instruction, bytes, lanes))
        }
        Rule::Wide(Wide::Ternary(bytes)) => return Some(WideShape::new(instruction, bytes, Lanes::Packed)),
        _ => return None,
    };
    Some(WideShape::of_element(instruction, element, lanes))
}
