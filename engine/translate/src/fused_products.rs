//! Differentiation of fused products and sums: `(a b + c)' = a' b + b' a + c'`, and of products with alternating signs.
//!
//! They have no rounding between product and sum, nor do their shadows, which are fused in turn.

use crate::constants;
use crate::control::has_memory;
use crate::decode::Client;
use crate::derivatives::Second;
use crate::emit::Operand;
use crate::encodings::{Form, Operation, Shape, Width};
use crate::rules::{Addend, Element, Lanes, Order};
use crate::translate::Translator;
use iced_x86::{Code, Instruction, Register};

impl Translator<'_> {
    pub(crate) fn differentiate_fused(
        &mut self,
        client: &Client,
        negated: bool,
        addend: Addend,
        order: Order,
        element: Element,
        lanes: Lanes,
    ) {
        let instruction = &client.instruction;
        let shape = Shape::new(element, lanes, instruction.op0_register());
        let target = instruction.op0_register().number();
        let first = instruction.op1_register().number();
        let second = self.second(client, 2, shape);
        let all_zero = self.vectors.is_zero(target) && self.vectors.is_zero(first) && second.zero;
        if all_zero {
            self.copy(client);
            return;
        }
        let target_operand = Second::register(shape, target, self.vectors.is_zero(target));
        let first_operand = Second::register(shape, first, self.vectors.is_zero(first));
        let is_lone = self.vectors.is_lone(target, element);
        let aliased = first == target || second.register == Some(target);
        let simple = addend == Addend::Plus && order == Order::O231 && !aliased;
        if simple {
            self.copy(client);
            let place = self.shadow(target);
            self.target(target);
            if first_operand.zero && second.zero {
                self.keep_lower(shape, place);
            }
            self.add_products(shape, place, [first_operand, second], negated);
        } else {
            let (factors, summand) = match order {
                Order::O132 => ([target_operand, second], first_operand),
                Order::O213 => ([target_operand, first_operand], second),
                Order::O231 => ([first_operand, second], target_operand),
            };
            self.fused_beside(client, shape, target, factors, summand, negated, addend);
        }
        self.set_result(shape, target, is_lone);
    }

    /// result += the derivative of the product of two factors (or -=).
    fn add_products(&mut self, shape: Shape, result: usize, factors: [Second; 2], negated: bool) {
        let [one, other] = factors;
        for (factor, partial) in [(one, other.value), (other, one.value)] {
            if !factor.zero {
                let shadow = self.second_shadow(factor, shape);
                self.accumulate(shape, result, shadow, partial, negated);
            }
        }
    }

    /// Forms the shadow of a fused product in a temporary.
    #[allow(clippy::too_many_arguments)]
    fn fused_beside(
        &mut self,
        client: &Client,
        shape: Shape,
        target: usize,
        factors: [Second; 2],
        summand: Second,
        negated: bool,
        addend: Addend,
    ) {
        let [one, other] = factors;
        let in_place = one.register == Some(target)
            && !one.zero
            && other.register != Some(target)
            && summand.register != Some(target)
            && !has_memory(&client.instruction);
        let old = self.shadow(target);
        let result = if in_place { self.target(target) } else { self.temporary() };
        if one.zero {
            self.clear(result);
        } else {
            let shadow = self.second_shadow(one, shape);
            self.product(shape, result, shadow, other.value);
        }
        if !other.zero {
            let shadow = self.second_shadow(other, shape);
            self.accumulate(shape, result, shadow, one.value, false);
        }
        self.add_summand(shape, result, summand, negated, addend);
        self.copy(client);
        if !in_place {
            let place = self.target(target);
            if shape.width == Width::Scalar {
                self.merge_lane(shape.element, place, old, result);
            } else {
                self.copy_register(shape, place, result);
            }
        }
    }

    /// result := (-)result (+-) the summand's shadow.
    fn add_summand(&mut self, shape: Shape, result: usize, summand: Second, negated: bool, addend: Addend) {
        if summand.zero && !negated {
            return;
        }
        let shadow = self.second_shadow(summand, shape);
        let operand = Operand::of(shape, shadow);
        match (negated, addend) {
            (false, Addend::Plus) => self.compute(Operation::Add, shape, result, result, operand),
            (false, Addend::Minus) => self.compute(Operation::Subtract, shape, result, result, operand),
            (true, Addend::Plus) => {
                self.subtract_from(shape, result, shadow);
            }
            (true, Addend::Minus) => {
                self.compute(Operation::Add, shape, result, result, operand);
                let zero = self.temporary();
                self.clear(zero);
                self.subtract_from(shape, result, zero);
            }
            (_, Addend::MinusPlus) => {
                self.alternate(shape, result, shadow, Operation::Add, Operation::Subtract);
            }
            (_, Addend::PlusMinus) => {
                self.alternate(shape, result, shadow, Operation::Subtract, Operation::Add);
            }
        }
    }

    /// result := minuend - result; scalar: the other lanes of the result do not matter or stay.
    pub(crate) fn subtract_from(&mut self, shape: Shape, result: usize, minuend: usize) {
        if shape.width != Width::Scalar && self.form() != Form::Legacy {
            self.compute(Operation::Subtract, shape, result, minuend, Operand::of(shape, result));
            return;
        }
        // The legacy form would overwrite the subtrahend with the minuend first.
        let difference = self.temporary();
        self.compute(Operation::Subtract, shape, difference, minuend, Operand::of(shape, result));
        if shape.width == Width::Scalar {
            self.merge_lane(shape.element, result, result, difference);
        } else {
            self.copy_register(shape, result, difference);
        }
    }

    /// Odd lanes: result op shadow with `odd`; even lanes with `even`.
    fn alternate(&mut self, shape: Shape, result: usize, shadow: usize, odd: Operation, even: Operation) {
        let operand = Operand::of(shape, shadow);
        let other = self.temporary();
        self.compute(even, shape, other, result, operand);
        self.compute(odd, shape, result, result, operand);
        if self.form() == Form::Evex {
            let mask = self.asm.context(constants::BYTES + 0x55);
            self.asm.built(Instruction::with2(Code::VEX_Kmovb_kr_km8, Register::K1, mask.operand()));
            self.take_masked(shape, result, other);
        } else {
            // Blend with an immediate: bit set, lane from the second source.
            let code = match (shape.element, shape.width) {
                (Element::F64, Width::L256) => Code::VEX_Vblendpd_ymm_ymm_ymmm256_imm8,
                (Element::F64, _) => Code::VEX_Vblendpd_xmm_xmm_xmmm128_imm8,
                (Element::F32, Width::L256) => Code::VEX_Vblendps_ymm_ymm_ymmm256_imm8,
                (Element::F32, _) => Code::VEX_Vblendps_xmm_xmm_xmmm128_imm8,
            };
            let lanes = if shape.element == Element::F64 { 0x5 } else { 0x55 };
            let lanes = if code == Code::VEX_Vblendpd_xmm_xmm_xmmm128_imm8 { 1 } else { lanes };
            let lanes = if code == Code::VEX_Vblendps_xmm_xmm_xmmm128_imm8 { 5 } else { lanes };
            let register = shape.register(result);
            self.asm.with_immediate(code, register, register, Operand::of(shape, other), lanes);
        }
    }
}
