//! Recording of real arithmetic: the rules of [`crate::derivatives`] for a tape.
//!
//! An operation stores the indices of its operands and the values that its partial derivatives are made of, and its
//! result gets the next index where an operand is active, else index 0. No partial derivative is computed here.

use crate::constants;
use crate::decode::Client;
use crate::derivatives::{Second, SecondShadow};
use crate::emit::{Memory, Operand};
use crate::encodings::{self, Form, Masking, Operation, Shape, Width};
use crate::recording::{self, signs, Function, Indices};
use crate::rules::{Addend, Binary, Element, Lanes, Order, Unary};
use crate::translate::Translator;
use iced_x86::{Code, Instruction, Register};
use recording::Operand::{Absent, Result};

/// Where lanes of a scalar result come from that the instruction does not compute.
#[derive(Clone, Copy)]
struct Target {
    /// The client register that is written.
    number: usize,
    /// The client register with the other lanes.
    rest: usize,
}

impl Translator<'_> {
    pub(crate) fn record_binary(
        &mut self,
        client: &Client,
        operation: Binary,
        element: Element,
        lanes: Lanes,
    ) {
        let instruction = &client.instruction;
        let shape = Shape::new(element, lanes, instruction.op0_register());
        let target = instruction.op0_register().number();
        let (first, operand) = Self::sources(instruction);
        let second = self.second(client, operand, shape);
        if self.vectors.is_zero(first) && second.zero {
            self.copy(client);
            self.set_zero(target);
            return;
        }
        let first = Second::register(shape, first, self.vectors.is_zero(first));
        let target = Target { number: target, rest: Self::sources(instruction).0 };
        match operation {
            Binary::Add => self.record_sum(client, shape, target, [first, second], 0),
            Binary::Subtract => self.record_sum(client, shape, target, [first, second], signs::NEGATE_SECOND),
            Binary::Multiply => self.record_product(client, shape, target, [first, second]),
            Binary::Divide => self.record_quotient(client, shape, target, [first, second]),
            Binary::Minimum | Binary::Maximum => unreachable!("extrema move indices"),
        }
    }

    fn record_sum(&mut self, client: &Client, shape: Shape, target: Target, terms: [Second; 2], sign: u8) {
        let indices = terms.map(|term| self.indices(term, shape));
        let operands = self.record_operands(shape, indices);
        self.copy(client);
        let result = self.record(Function::Sum, shape, sign, operands, [None; 2]);
        self.assign(shape, target, &indices, result);
    }

    fn record_product(&mut self, client: &Client, shape: Shape, target: Target, factors: [Second; 2]) {
        let indices = factors.map(|factor| self.indices(factor, shape));
        let operands = self.record_operands(shape, indices);
        let values = self.factor_values(shape, factors);
        self.copy(client);
        let result = self.record(Function::Product, shape, 0, operands, values);
        self.assign(shape, target, &indices, result);
    }

    /// Stores each factor whose value is the other one's partial derivative.
    pub(crate) fn factor_values(&mut self, shape: Shape, factors: [Second; 2]) -> [Option<u32>; 2] {
        let [one, other] = factors;
        if one.register.is_some() && one.register == other.register {
            return [Some(self.store_value(shape, one)); 2];
        }
        let first = (!other.zero).then(|| self.store_value(shape, one));
        let second = (!one.zero).then(|| self.store_value(shape, other));
        [first, second]
    }

    fn record_quotient(&mut self, client: &Client, shape: Shape, target: Target, operands: [Second; 2]) {
        let indices = operands.map(|operand| self.indices(operand, shape));
        let [_, divisor] = operands;
        let recorded = self.record_operands(shape, indices);
        let mut values = [Some(self.store_value(shape, divisor)), None];
        self.copy(client);
        if !divisor.zero {
            values[1] = Some(self.record_values(shape, target.number));
        }
        let result = self.record(Function::Quotient, shape, 0, recorded, values);
        self.assign(shape, target, &indices, result);
    }

    pub(crate) fn record_unary(&mut self, client: &Client, function: Unary, element: Element, lanes: Lanes) {
        let instruction = &client.instruction;
        let shape = Shape::new(element, lanes, instruction.op0_register());
        let target = instruction.op0_register().number();
        let three_operands = instruction.op_count() == 3;
        let rest = if three_operands { instruction.op1_register().number() } else { target };
        let operand = self.second(client, if three_operands { 2 } else { 1 }, shape);
        if operand.zero {
            self.passive_unary(client, element, lanes, target, rest);
            return;
        }
        let indices = self.indices(operand, shape);
        let operands = self.record_operands(shape, [indices, None]);
        let function = match function {
            Unary::SquareRoot => Function::SquareRoot,
            Unary::Reciprocal => Function::Reciprocal,
            Unary::ReciprocalRoot => Function::ReciprocalSquareRoot,
        };
        let value = if function == Function::SquareRoot {
            self.copy(client);
            self.record_values(shape, target)
        } else {
            let value = self.store_value(shape, operand);
            self.copy(client);
            value
        };
        let result = self.record(function, shape, 0, operands, [Some(value), None]);
        self.assign(shape, Target { number: target, rest }, &[indices, None], result);
    }

    pub(crate) fn record_fused(
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
        let number = instruction.op0_register().number();
        let first = instruction.op1_register().number();
        let second = self.second(client, 2, shape);
        if self.vectors.is_zero(number) && self.vectors.is_zero(first) && second.zero {
            self.copy(client);
            return;
        }
        let first = Second::register(shape, first, self.vectors.is_zero(first));
        let old = Second::register(shape, number, self.vectors.is_zero(number));
        let (factors, summand) = match order {
            Order::O132 => ([old, second], first),
            Order::O213 => ([old, first], second),
            Order::O231 => ([first, second], old),
        };
        let [one, other] = factors.map(|factor| self.indices(factor, shape));
        let added = self.indices(summand, shape);
        let product_is_active = one.is_some() || other.is_some();
        let mut operands = [Absent; 2];
        let mut sign = if negated { signs::NEGATE_FIRST } else { 0 };
        let mut result = 0;
        if product_is_active {
            let recorded = self.record_operands(shape, [one, other]);
            let values = self.factor_values(shape, factors);
            // Alone, the product itself is negated.
            let both =
                if negated && added.is_none() { signs::NEGATE_FIRST | signs::NEGATE_SECOND } else { 0 };
            result = self.record(Function::Product, shape, both, recorded, values);
            operands[0] = Result(result);
        }
        if let Some(added) = added {
            operands[1] = self.record_indices(shape, added);
            sign |= match addend {
                Addend::Plus => 0,
                Addend::Minus => signs::NEGATE_SECOND,
                Addend::MinusPlus => signs::NEGATE_SECOND_EVEN,
                Addend::PlusMinus => signs::NEGATE_SECOND_ODD,
            };
            result = self.record(Function::Sum, shape, sign, operands, [None; 2]);
        }
        self.copy(client);
        self.assign(shape, Target { number, rest: number }, &[one, other, added], result);
    }

    /// Sums and differences of neighbouring lanes.
    pub(crate) fn record_horizontal(&mut self, client: &Client, operation: Binary, element: Element) {
        let instruction = &client.instruction;
        let shape = Shape::new(element, Lanes::Packed, instruction.op0_register());
        let number = instruction.op0_register().number();
        let (first, operand) = Self::sources(instruction);
        let second = self.second(client, operand, shape);
        if self.vectors.is_zero(first) && second.zero {
            self.copy(client);
            self.set_zero(number);
            return;
        }
        let first = Second::register(shape, first, false);
        let second = Second { zero: false, ..second };
        let [one, other] = [first, second].map(|operand| self.second_shadow(operand, shape));
        let indices = [false, true].map(|odd| {
            let register = self.temporary();
            self.pick_lanes(shape, register, one, other, odd);
            Some(Indices { register, client: None })
        });
        let operands = self.record_operands(shape, indices);
        self.copy(client);
        let sign = if operation == Binary::Subtract { signs::NEGATE_SECOND } else { 0 };
        let result = self.record(Function::Sum, shape, sign, operands, [None; 2]);
        self.assign(shape, Target { number, rest: number }, &indices, result);
    }

    /// Even lanes are subtracted, odd lanes are added.
    pub(crate) fn record_alternating(&mut self, client: &Client, element: Element) {
        let instruction = &client.instruction;
        let shape = Shape::new(element, Lanes::Packed, instruction.op0_register());
        let number = instruction.op0_register().number();
        let (first, operand) = Self::sources(instruction);
        let second = self.second(client, operand, shape);
        if self.vectors.is_zero(first) && second.zero {
            self.copy(client);
            self.set_zero(number);
            return;
        }
        let target = Target { number, rest: first };
        let first = Second::register(shape, first, self.vectors.is_zero(first));
        self.record_sum(client, shape, target, [first, second], signs::NEGATE_SECOND_EVEN);
    }

    /// The indices of an operand; `None` if it is known to be passive.
    pub(crate) fn indices(&mut self, operand: Second, shape: Shape) -> Option<Indices> {
        if operand.zero {
            return None;
        }
        let register = self.second_shadow(operand, shape);
        let client = match operand.shadow {
            SecondShadow::Register(number) => Some(number),
            _ => None,
        };
        Some(Indices { register, client })
    }

    pub(crate) fn record_operands(
        &mut self,
        shape: Shape,
        indices: [Option<Indices>; 2],
    ) -> [recording::Operand; 2] {
        indices.map(|indices| indices.map_or(Absent, |indices| self.record_indices(shape, indices)))
    }

    /// Stores the value of an operand that the instruction has not overwritten yet, unless the tape holds it.
    pub(crate) fn store_value(&mut self, shape: Shape, operand: Second) -> u32 {
        match operand.value {
            Operand::Register(register) => {
                let number = register.number();
                let is_client = operand.register == Some(number);
                if let Some(at) = self.recording.values.find(shape, number).filter(|_| is_client) {
                    return at;
                }
                let at = self.record_values(shape, number);
                if is_client {
                    self.recording.values.note(shape, number, at);
                }
                at
            }
            Operand::Memory(place) => {
                let loaded = self.temporary();
                let form = self.form();
                encodings::load(&mut self.asm, shape, form, loaded, place);
                let at = self.record_values(shape, loaded);
                self.free(loaded);
                at
            }
        }
    }

    fn passive_unary(&mut self, client: &Client, element: Element, lanes: Lanes, target: usize, rest: usize) {
        if lanes == Lanes::Packed {
            self.copy(client);
            self.set_zero(target);
        } else {
            self.passive_lane(client, element, target, rest);
        }
    }
}

/// The index of a result: the next ones in active lanes, 0 in others.
impl Translator<'_> {
    fn assign(&mut self, shape: Shape, target: Target, operands: &[Option<Indices>], result: u32) {
        let wide = shape.width == Width::L256;
        if self.form() == Form::Evex {
            let (mask, kept) = self.union_of_masks(shape, operands);
            self.assign_masked(shape, target, operands, result, mask);
            self.set_active(target.number, wide);
            if kept {
                self.vectors.masks.name(mask, shape, target.number);
            }
        } else {
            let new = self.new_indices(shape, operands, result);
            let rest = (shape.width == Width::Scalar).then(|| self.shadow(target.rest));
            let place = self.target(target.number);
            match rest {
                Some(rest) => self.merge_lane(shape.element, place, rest, new),
                None => self.copy_register(shape, place, new),
            }
            self.set_active(target.number, wide);
        }
        self.note_result(shape, target.number, result);
    }

    /// The mask of lanes in which an operand is active, and whether it is free to be named.
    fn union_of_masks(&mut self, shape: Shape, operands: &[Option<Indices>]) -> (Register, bool) {
        let mut union = None;
        let mut own = false;
        for indices in operands.iter().flatten() {
            let mask = self.lane_mask(shape, *indices);
            let Some(before) = union else {
                union = Some(mask);
                continue;
            };
            if before == mask {
                continue;
            }
            let sum = if own { before } else { self.vectors.masks.reserve() };
            self.asm.built(Instruction::with3(Code::VEX_Korw_kr_kr_kr, sum, before, mask));
            union = Some(sum);
            own = true;
        }
        (union.expect("an operation is recorded only if an operand may be active"), own)
    }

    /// The active lanes of an operand, other bits clear.
    fn lane_mask(&mut self, shape: Shape, indices: Indices) -> Register {
        let cached = indices.client.and_then(|number| self.vectors.masks.find(shape, number));
        if let Some(mask) = cached {
            return mask;
        }
        let mask = match indices.client {
            Some(number) => self.vectors.masks.assign(shape, number),
            None => self.vectors.masks.reserve(),
        };
        if shape.width != Width::Scalar || indices.client.is_none() {
            self.mask_active(shape, mask, indices.register);
            return mask;
        }
        let (code, lowest) = match shape.element {
            Element::F64 => (Code::EVEX_Vptestmq_kr_k1_xmm_xmmm128b64, constants::LOWEST_F64),
            Element::F32 => (Code::EVEX_Vptestmd_kr_k1_xmm_xmmm128b32, constants::LOWEST_F32),
        };
        let lowest = Operand::Memory(self.asm.context(lowest));
        self.asm.ternary(code, mask, shape.register(indices.register), lowest);
        mask
    }

    fn assign_masked(
        &mut self,
        shape: Shape,
        target: Target,
        operands: &[Option<Indices>],
        result: u32,
        mask: Register,
    ) {
        if shape.width != Width::Scalar || self.vectors.is_zero(target.rest) {
            let place = self.target(target.number);
            self.masked_indices(shape, place, result, Masking::Zero(mask));
            return;
        }
        let rest = self.shadow(target.rest);
        // If no operand is active, the lane of an operand is zero as it stands.
        let merges = operands.iter().flatten().any(|indices| indices.client == Some(target.rest));
        if merges {
            let place = self.target(target.number);
            self.copy_register(shape, place, rest);
            self.masked_indices(shape, place, result, Masking::Merge(mask));
        } else {
            let new = self.temporary();
            self.masked_indices(shape, new, result, Masking::Zero(mask));
            let place = self.target(target.number);
            self.merge_lane(shape.element, place, rest, new);
        }
    }

    fn masked_indices(&mut self, shape: Shape, place: usize, result: u32, masking: Masking) {
        let next = Operand::Memory(self.next_index());
        let small = Operand::Memory(self.small_numbers(shape.element, result));
        let (broadcast, add) = match (shape.element, shape.width) {
            (Element::F64, Width::L256) => {
                (Code::EVEX_Vpbroadcastq_ymm_k1z_xmmm64, Code::EVEX_Vpaddq_ymm_k1z_ymm_ymmm256b64)
            }
            (Element::F64, _) => {
                (Code::EVEX_Vpbroadcastq_xmm_k1z_xmmm64, Code::EVEX_Vpaddq_xmm_k1z_xmm_xmmm128b64)
            }
            (Element::F32, Width::L256) => {
                (Code::EVEX_Vpbroadcastd_ymm_k1z_xmmm32, Code::EVEX_Vpaddd_ymm_k1z_ymm_ymmm256b32)
            }
            (Element::F32, _) => {
                (Code::EVEX_Vpbroadcastd_xmm_k1z_xmmm32, Code::EVEX_Vpaddd_xmm_k1z_xmm_xmmm128b32)
            }
        };
        let register = shape.register(place);
        self.vectors.masks.forget(place & 15);
        self.asm.masked_binary(broadcast, register, next, masking);
        self.asm.masked(add, register, register, small, masking);
    }

    /// Memory with the numbers `first`, `first + 1` ... in lanes of the element's size; tagged for binary32.
    fn small_numbers(&self, element: Element, first: u32) -> Memory {
        match element {
            Element::F64 => self.asm.context(constants::NUMBERS_F64 + 8 * first),
            Element::F32 => self.asm.context(constants::NUMBERS_F32 + 4 * first),
        }
    }

    /// A temporary with the result's indices in active lanes and 0 in others.
    pub(crate) fn new_indices(&mut self, shape: Shape, operands: &[Option<Indices>], result: u32) -> usize {
        let packed = shape.packed();
        if self.form() == Form::Evex {
            let (mask, _) = self.union_of_masks(shape, operands);
            let new = self.temporary();
            self.masked_indices(packed, new, result, Masking::Zero(mask));
            return new;
        }
        let any = self.temporary();
        let mut flattened = operands.iter().flatten();
        let first = flattened.next().expect("an operation is recorded only if an operand may be active");
        self.copy_register(packed, any, first.register);
        for indices in flattened {
            self.compute(Operation::Or, packed, any, any, Operand::of(packed, indices.register));
        }
        self.equal_zero(packed, any);
        let new = self.temporary();
        self.consecutive_indices(packed, new, result);
        self.compute(Operation::AndNot, packed, any, any, Operand::of(packed, new));
        self.free(new);
        any
    }

    /// register := ones in lanes that are zero.
    fn equal_zero(&mut self, shape: Shape, register: usize) {
        let zero = Operand::Memory(self.asm.context(constants::ZERO));
        let whole_lanes = shape.element == Element::F64 && self.job.settings.mode.has_wide_indices();
        if !whole_lanes {
            // The upper half of an index of a binary64 is zero, and so is that of the next index.
            self.equal_lanes(shape, register, register, zero);
        } else if self.form() == Form::Legacy {
            self.equal_lanes(shape, register, register, zero);
            let halves = self.temporary();
            let (halves_register, lanes) = (shape.register(halves), shape.register(register));
            self.asm.built(Instruction::with3(
                Code::Pshufd_xmm_xmmm128_imm8,
                halves_register,
                lanes,
                0xb1u32,
            ));
            self.compute(Operation::And, shape, register, register, Operand::of(shape, halves));
            self.free(halves);
        } else {
            let lanes = shape.register(register);
            let code = match shape.width {
                Width::L256 => Code::VEX_Vpcmpeqq_ymm_ymm_ymmm256,
                _ => Code::VEX_Vpcmpeqq_xmm_xmm_xmmm128,
            };
            self.asm.ternary(code, lanes, lanes, zero);
        }
    }

    /// register := the indices from `result` on.
    fn consecutive_indices(&mut self, shape: Shape, register: usize, result: u32) {
        let next = self.next_index().operand();
        let small = self.small_numbers(shape.element, result);
        let lanes = shape.register(register);
        let f64 = shape.element == Element::F64;
        if self.form() == Form::Legacy {
            let load = if f64 { Code::Movsd_xmm_xmmm64 } else { Code::Movss_xmm_xmmm32 };
            self.asm.built(Instruction::with2(load, lanes, next));
            let pattern = if f64 { 0x44u32 } else { 0 };
            self.asm.built(Instruction::with3(Code::Pshufd_xmm_xmmm128_imm8, lanes, lanes, pattern));
            // Legacy encodings want aligned operands.
            let numbers = self.temporary();
            encodings::load(&mut self.asm, shape, Form::Legacy, numbers, small);
            let add = if f64 { Code::Paddq_xmm_xmmm128 } else { Code::Paddd_xmm_xmmm128 };
            self.asm.built(Instruction::with2(add, lanes, shape.register(numbers)));
            self.free(numbers);
            return;
        }
        let wide = shape.width == Width::L256;
        let (broadcast, add) = match (f64, wide) {
            (true, true) => (Code::VEX_Vpbroadcastq_ymm_xmmm64, Code::VEX_Vpaddq_ymm_ymm_ymmm256),
            (true, false) => (Code::VEX_Vpbroadcastq_xmm_xmmm64, Code::VEX_Vpaddq_xmm_xmm_xmmm128),
            (false, true) => (Code::VEX_Vpbroadcastd_ymm_xmmm32, Code::VEX_Vpaddd_ymm_ymm_ymmm256),
            (false, false) => (Code::VEX_Vpbroadcastd_xmm_xmmm32, Code::VEX_Vpaddd_xmm_xmm_xmmm128),
        };
        self.asm.built(Instruction::with2(broadcast, lanes, next));
        self.asm.ternary(add, lanes, lanes, Operand::Memory(small));
    }
}
