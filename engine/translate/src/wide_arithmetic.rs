//! Differentiation of EVEX arithmetic: the formulas of [`crate::derivatives`] with the client's masks.
//!
//! Shadows are in low registers, values where the client has them; memory operands are loaded once, with the client's
//! mask, so that lanes that are masked off fault as little as they do natively, and have no shadow. A term is formed
//! under a mask of the lanes in which its shadow is active: others contribute exactly zero and raise no flag. The
//! result is formed in a temporary, and only lanes that the client's instruction writes go to the target's shadow,
//! after the last access to client memory.

use crate::constants;
use crate::decode::Client;
use crate::emit::Operand;
use crate::encodings::Masking;
use crate::rules::{Addend, Binary, Element, Order, Rule, Unary, Wide};
use crate::translate::Translator;
use crate::wide_operations::{is_fused, result_bytes, WideOperation, WideShape, WideSource};
use iced_x86::{Code, Instruction, Register};

/// Predicates of comparisons that signal nothing for quiet NaNs: not less than, not greater than.
const NOT_LESS: u32 = 0x15;
const NOT_GREATER: u32 = 0x1a;

impl Translator<'_> {
    /// Forward mode.
    pub(crate) fn differentiate_wide(&mut self, client: &Client, rule: Rule) {
        let instruction = &client.instruction;
        let shape = |element, lanes| WideShape::of_element(instruction, element, lanes);
        match rule {
            Rule::Binary(Binary::Add | Binary::Subtract, ..) => self.same_wide(client, 0b111),
            Rule::Binary(Binary::Multiply, element, lanes) => {
                self.multiply_wide(client, shape(element, lanes))
            }
            Rule::Binary(Binary::Divide, element, lanes) => self.divide_wide(client, shape(element, lanes)),
            Rule::Binary(operation, element, lanes) => {
                self.extremum_wide(client, shape(element, lanes), operation == Binary::Minimum);
            }
            Rule::Unary(Unary::SquareRoot, element, lanes) => {
                self.function_wide(client, shape(element, lanes), Unary::SquareRoot);
            }
            Rule::Wide(Wide::Reciprocal(element, lanes)) => {
                self.function_wide(client, shape(element, lanes), Unary::Reciprocal);
            }
            Rule::Wide(Wide::ReciprocalRoot(element, lanes)) => {
                self.function_wide(client, shape(element, lanes), Unary::ReciprocalRoot);
            }
            Rule::Fused { negated, addend, order, element, lanes } => {
                self.fused_wide(client, shape(element, lanes), negated, addend, order);
            }
            Rule::Wide(Wide::Scale(element, lanes)) => self.scale_wide(client, shape(element, lanes)),
            Rule::Wide(Wide::Mantissa(element, lanes)) => self.mantissa_wide(client, shape(element, lanes)),
            Rule::Wide(Wide::Reduce(element, lanes)) => self.reduce_wide(client, shape(element, lanes)),
            _ => self.without_rule(client),
        }
    }

    /// Lanes that are computed become passive.
    pub(crate) fn passive_lanes(&mut self, client: &Client, shape: WideShape) {
        let instruction = &client.instruction;
        let target = instruction.op0_register().number();
        let rest = match (shape.scalar, is_fused(instruction)) {
            (false, _) => None,
            (true, true) => Some(target),
            (true, false) => Some(instruction.op1_register().number()),
        };
        let kept = (shape.mask != Register::None && !shape.zeroes).then_some(target);
        self.copy(client);
        if [rest, kept].into_iter().flatten().all(|number| self.vectors.is_zero(number)) {
            self.set_zero(target);
            return;
        }
        let zero = self.cleared();
        self.finish_wide(instruction, shape, zero);
        if result_bytes(instruction, shape) == 8 {
            let place = shape.register(self.target(target));
            self.asm.binary(Code::EVEX_Vmovq_xmm_xmmm64, place, Operand::Register(place));
        }
    }

    /// Is nothing that the instruction computes from active? Then it is done.
    fn is_all_passive(&mut self, client: &Client, shape: WideShape, sources: &[WideSource]) -> bool {
        let passive = sources.iter().all(|source| source.shadow.is_none());
        if passive {
            self.passive_lanes(client, shape);
        }
        passive
    }
}

/// The rules.
impl Translator<'_> {
    fn multiply_wide(&mut self, client: &Client, shape: WideShape) {
        let instruction = &client.instruction;
        let [one, other] = [1, 2].map(|operand| self.wide_source(instruction, operand, shape));
        if self.is_all_passive(client, shape, &[one, other]) {
            return;
        }
        let result = self.vectors.low_temporary(&mut self.asm);
        match (one.shadow, other.shadow) {
            (Some(first), second) => {
                self.product_wide(shape, result, first, other.value);
                if let Some(second) = second {
                    self.accumulate_wide(shape, result, second, one.value, false);
                }
            }
            (None, Some(second)) => self.product_wide(shape, result, second, one.value),
            (None, None) => unreachable!("a source is active"),
        }
        self.copy(client);
        self.finish_wide(instruction, shape, result);
    }

    fn divide_wide(&mut self, client: &Client, shape: WideShape) {
        let instruction = &client.instruction;
        let target = instruction.op0_register().number();
        let [one, other] = [1, 2].map(|operand| self.wide_source(instruction, operand, shape));
        if self.is_all_passive(client, shape, &[one, other]) {
            return;
        }
        let mut divisor = other.value;
        if other.number == Some(target) {
            let saved = self.vectors.low_temporary(&mut self.asm);
            self.move_wide(shape, saved, divisor);
            divisor = shape.register(saved);
        }
        self.copy(client);
        let result = match one.shadow {
            Some(first) => {
                let result = self.vectors.low_temporary(&mut self.asm);
                self.move_wide(shape, result, shape.register(first));
                result
            }
            None => self.cleared(),
        };
        if let Some(second) = other.shadow {
            self.accumulate_wide(shape, result, second, shape.register(target), true);
        }
        let active = match (one.shadow, other.shadow) {
            (None, Some(second)) => second,
            _ => result,
        };
        let mask = self.active_lanes(shape, active);
        let (dividend, divisor) = (shape.register(result), Operand::Register(divisor));
        self.compute_wide(WideOperation::Divide, shape, result, dividend, divisor, Masking::Zero(mask));
        self.finish_wide(instruction, shape, result);
    }

    fn extremum_wide(&mut self, client: &Client, shape: WideShape, minimum: bool) {
        let instruction = &client.instruction;
        let [one, other] = [1, 2].map(|operand| self.wide_source(instruction, operand, shape));
        if self.is_all_passive(client, shape, &[one, other]) {
            return;
        }
        let predicate = if minimum { NOT_LESS } else { NOT_GREATER };
        let mask = self.vectors.mask_temporary(&mut self.asm);
        let code = match (shape.scalar, shape.bytes) {
            (true, 4) => Code::EVEX_Vcmpss_kr_k1_xmm_xmmm32_imm8_sae,
            (true, _) => Code::EVEX_Vcmpsd_kr_k1_xmm_xmmm64_imm8_sae,
            _ => shape.code(WideOperation::Compare),
        };
        let compare = Instruction::with4(code, mask, one.value, other.value, predicate);
        self.asm.built(compare.map(|mut compare| {
            compare.set_op_mask(shape.mask);
            compare.set_suppress_all_exceptions(instruction.suppress_all_exceptions());
            compare
        }));
        let result = self.vectors.low_temporary(&mut self.asm);
        let zero = self.cleared();
        let [first, second] = [one, other].map(|source| shape.register(source.shadow.unwrap_or(zero)));
        let masking = Masking::Merge(mask);
        self.compute_wide(WideOperation::Blend, shape, result, first, Operand::Register(second), masking);
        self.copy(client);
        self.finish_wide(instruction, shape, result);
    }

    /// Functions whose derivative is known from their value.
    fn function_wide(&mut self, client: &Client, shape: WideShape, function: Unary) {
        let instruction = &client.instruction;
        let target = instruction.op0_register().number();
        let source = self.wide_source(instruction, instruction.op_count() - 1, shape);
        let Some(shadow) = source.shadow else {
            self.passive_lanes(client, shape);
            return;
        };
        self.copy(client);
        let value = Operand::Register(shape.register(target));
        let result = self.vectors.low_temporary(&mut self.asm);
        let masking = Masking::Zero(self.active_lanes(shape, shadow));
        let (lanes, shadow) = (shape.register(result), shape.register(shadow));
        let half = Operand::Memory(self.half(shape.element()));
        if function == Unary::SquareRoot {
            self.compute_wide(WideOperation::Divide, shape, result, shadow, value, masking);
            self.compute_wide(WideOperation::Multiply, shape, result, lanes, half, masking);
        } else {
            self.compute_wide(WideOperation::Multiply, shape, result, shadow, value, masking);
            self.compute_wide(WideOperation::Multiply, shape, result, lanes, value, masking);
            if function == Unary::ReciprocalRoot {
                self.compute_wide(WideOperation::Multiply, shape, result, lanes, value, masking);
                self.compute_wide(WideOperation::Multiply, shape, result, lanes, half, masking);
            }
            let sign = self.sign_bits(shape);
            self.compute_wide(WideOperation::Xor, shape, result, lanes, sign, masking);
        }
        self.finish_wide(instruction, shape, result);
    }

    fn fused_wide(&mut self, client: &Client, shape: WideShape, negated: bool, addend: Addend, order: Order) {
        let instruction = &client.instruction;
        let sources = [0, 1, 2].map(|operand| self.wide_source(instruction, operand, shape));
        if self.is_all_passive(client, shape, &sources) {
            return;
        }
        let [target, first, second] = sources;
        let ([one, other], summand) = match order {
            Order::O132 => ([target, second], first),
            Order::O213 => ([target, first], second),
            Order::O231 => ([first, second], target),
        };
        let result = match summand.shadow {
            Some(shadow) => self.signed_summand(shape, shadow, addend),
            None => self.cleared(),
        };
        for (factor, partial) in [(one, other.value), (other, one.value)] {
            if let Some(shadow) = factor.shadow {
                self.accumulate_wide(shape, result, shadow, partial, negated);
            }
        }
        self.copy(client);
        self.finish_wide(instruction, shape, result);
    }

    /// A temporary with the shadow of the summand and its sign.
    fn signed_summand(&mut self, shape: WideShape, shadow: usize, addend: Addend) -> usize {
        let result = self.vectors.low_temporary(&mut self.asm);
        let lanes = shape.register(shadow);
        if addend == Addend::Plus {
            self.move_wide(shape, result, lanes);
            return result;
        }
        let masking = Masking::Zero(self.active_lanes(shape, shadow));
        let even = match shape.element() {
            Element::F32 => constants::SIGN_EVEN_F32,
            Element::F64 => constants::SIGN_EVEN_F64,
        };
        let even = Operand::Memory(self.asm.context(even));
        let all = self.sign_bits(shape);
        let bits = if addend == Addend::MinusPlus { even } else { all };
        self.compute_wide(WideOperation::Xor, shape, result, lanes, bits, masking);
        if addend == Addend::PlusMinus {
            self.compute_wide(WideOperation::Xor, shape, result, shape.register(result), even, masking);
        }
        result
    }

    fn scale_wide(&mut self, client: &Client, shape: WideShape) {
        let instruction = &client.instruction;
        let [one, exponent] = [1, 2].map(|operand| self.wide_source(instruction, operand, shape));
        let Some(shadow) = one.shadow else {
            self.passive_lanes(client, shape);
            return;
        };
        let result = self.vectors.low_temporary(&mut self.asm);
        let masking = Masking::Zero(self.active_lanes(shape, shadow));
        let (shadow, exponent) = (shape.register(shadow), Operand::Register(exponent.value));
        self.compute_wide(WideOperation::Scale, shape, result, shadow, exponent, masking);
        self.copy(client);
        self.finish_wide(instruction, shape, result);
    }

    /// The derivative is the quotient of result and source, a power of two.
    fn mantissa_wide(&mut self, client: &Client, shape: WideShape) {
        let instruction = &client.instruction;
        let target = instruction.op0_register().number();
        let source = self.wide_source(instruction, instruction.op_count() - 2, shape);
        let Some(shadow) = source.shadow else {
            self.passive_lanes(client, shape);
            return;
        };
        let mut value = source.value;
        if source.number == Some(target) {
            let saved = self.vectors.low_temporary(&mut self.asm);
            self.move_wide(shape, saved, value);
            value = shape.register(saved);
        }
        self.copy(client);
        let result = self.vectors.low_temporary(&mut self.asm);
        let masking = Masking::Zero(self.active_lanes(shape, shadow));
        let mantissa = shape.register(target);
        self.compute_wide(WideOperation::Divide, shape, result, mantissa, Operand::Register(value), masking);
        let (lanes, shadow) = (shape.register(result), Operand::Register(shape.register(shadow)));
        self.compute_wide(WideOperation::Multiply, shape, result, lanes, shadow, masking);
        self.finish_wide(instruction, shape, result);
    }

    fn reduce_wide(&mut self, client: &Client, shape: WideShape) {
        let instruction = &client.instruction;
        let source = self.wide_source(instruction, instruction.op_count() - 2, shape);
        self.copy(client);
        let shadow = match source.shadow {
            Some(shadow) => shadow,
            None => self.cleared(),
        };
        self.finish_wide(instruction, shape, shadow);
    }
}
