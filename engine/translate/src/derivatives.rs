//! Differentiation of real arithmetic: shadows of sums, products, quotients, roots and extrema.
//!
//! With `x'` for the shadow of `x` (Griewank and Walther, Evaluating Derivatives, section 3.1):
//! `(a b)' = a' b + b' a`, `(a / b)' = (a' - (a / b) b') / b`, `sqrt(a)' = a' / (2 sqrt(a))`, and a minimum or maximum
//! has the shadow of the operand that the instruction returns. Approximations have the derivatives of what they
//! approximate, in terms of the approximate result `y`: `(1 / a)' = -y^2 a'`, `(1 / sqrt(a))' = -y^3 a' / 2`. After the
//! step of Newton's method that compilers append, the error of the derivative is a small multiple of that of the value.
//!
//! A signal handler may repair a memory fault of the client's instruction and run it again from its start. So no shadow
//! changes before the last access to client memory of the same instruction.

use crate::context::offset;
use crate::decode::Client;
use crate::emit::{Memory, Operand};
use crate::encodings::{self, Form, Masking, Operation, Shape, Width};
use crate::memory;
use crate::rules::{Binary, Element, Lanes, Unary};
use crate::translate::Translator;
use iced_x86::{Code, EncodingKind, Instruction, OpKind, Register};

/// The operand of an instruction that may be memory.
#[derive(Clone, Copy)]
pub(crate) struct Second {
    /// Its value.
    pub value: Operand,
    /// Number of the register, if it is one.
    pub register: Option<usize>,
    pub shadow: SecondShadow,
    pub zero: bool,
}

impl Second {
    /// An operand that is a register.
    pub fn register(shape: Shape, number: usize, zero: bool) -> Second {
        Second {
            value: Operand::of(shape, number),
            register: Some(number),
            shadow: SecondShadow::Register(number),
            zero,
        }
    }
}

/// What a dot value is divided by.
enum Divisor {
    Value(Operand),
    /// It is multiplied by this instead, see [`crate::reciprocals`].
    Reciprocal(Memory),
}

#[derive(Clone, Copy)]
pub(crate) enum SecondShadow {
    Register(usize),
    Memory(Memory),
    Loaded(usize),
    /// In the home of another register, see [`crate::stack_variables`].
    Held(usize),
}

impl Translator<'_> {
    /// The operand with the given number, of which the instruction reads `shape.bytes()`.
    pub(crate) fn second(&mut self, client: &Client, number: u32, shape: Shape) -> Second {
        let instruction = &client.instruction;
        if instruction.op_kind(number) == OpKind::Register {
            let register = instruction.op_register(number).number();
            return Second::register(shape, register, self.vectors.is_zero(register));
        }
        let zero = self.is_passive_memory(instruction);
        if let Some(place) = memory::direct(instruction) {
            let shadow = match self.home_of_stack_variable().filter(|_| !zero) {
                Some(home) => {
                    self.vectors.keep(home);
                    SecondShadow::Held(home)
                }
                None => SecondShadow::Memory(place.shadow()),
            };
            return Second { value: Operand::Memory(place), register: None, shadow, zero };
        }
        let (value, shadow) = (self.temporary(), self.temporary());
        let form = self.form();
        let opened = self.open(instruction);
        let client_memory = Memory { segment: Register::None, ..opened.memory };
        encodings::load(&mut self.asm, shape, form, value, client_memory);
        encodings::load(&mut self.asm, shape, form, shadow, opened.memory);
        self.close(opened);
        Second {
            value: Operand::of(shape, value),
            register: None,
            shadow: SecondShadow::Loaded(shadow),
            zero,
        }
    }

    pub(crate) fn second_shadow(&mut self, second: Second, shape: Shape) -> usize {
        match second.shadow {
            SecondShadow::Register(number) => self.shadow(number),
            SecondShadow::Loaded(number) => number,
            SecondShadow::Held(home) => {
                let copy = self.temporary();
                self.copy_register(Shape { width: Width::L128, ..shape }, copy, 16 + home);
                copy
            }
            SecondShadow::Memory(place) => {
                let loaded = self.temporary();
                if second.zero {
                    self.clear(loaded);
                } else {
                    let form = self.form();
                    encodings::load(&mut self.asm, shape, form, loaded, place);
                }
                loaded
            }
        }
    }

    /// Number of the first source, and operand number of the second.
    pub(crate) fn sources(instruction: &Instruction) -> (usize, u32) {
        let target = instruction.op0_register().number();
        if instruction.encoding() == EncodingKind::Legacy {
            (target, 1)
        } else {
            (instruction.op1_register().number(), 2)
        }
    }

    pub(crate) fn differentiate_binary(
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
        let is_lone = self.vectors.is_lone(first, element);
        match operation {
            Binary::Add => self.sum(client, shape, target, first, second, Operation::Add),
            Binary::Subtract => self.sum(client, shape, target, first, second, Operation::Subtract),
            Binary::Multiply => self.multiply(client, shape, target, first, second),
            Binary::Divide => self.divide(client, shape, target, first, second),
            Binary::Minimum | Binary::Maximum => {
                self.extremum(client, shape, target, first, second, operation == Binary::Minimum);
            }
        }
        self.set_result(shape, target, is_lone);
    }

    /// The shadow of a result is written. `is_lone`: a scalar instruction has left lanes above it that are zero.
    pub(crate) fn set_result(&mut self, shape: Shape, target: usize, is_lone: bool) {
        self.set_active(target, shape.width == Width::L256);
        if is_lone && shape.width == Width::Scalar {
            self.vectors.set_lone(target, shape.element);
        }
    }

    fn sum(
        &mut self,
        client: &Client,
        shape: Shape,
        target: usize,
        first: usize,
        second: Second,
        operation: Operation,
    ) {
        self.copy(client);
        if let (true, Operation::Add, SecondShadow::Memory(place)) =
            (self.vectors.is_zero(first), operation, second.shadow)
        {
            // The other lanes are passive, too.
            let target_shadow = self.target(target);
            let form = self.form();
            encodings::load(&mut self.asm, shape, form, target_shadow, place);
            return;
        }
        let takes_all =
            |number: usize| shape.width != Width::Scalar || self.vectors.is_lone(number, shape.element);
        if self.vectors.is_zero(first)
            && operation == Operation::Add
            && second.register.is_some_and(takes_all)
        {
            let second_shadow = self.second_shadow(second, shape);
            self.take_shadow(shape, target, second_shadow);
            return;
        }
        let first_shadow = self.shadow(first);
        if second.zero {
            self.take_shadow(shape, target, first_shadow);
            return;
        }
        let operand = match second.shadow {
            SecondShadow::Memory(place) if self.form() != Form::Legacy => Operand::Memory(place),
            SecondShadow::Held(home) => Operand::of(shape, 16 + home),
            _ => Operand::of(shape, self.second_shadow(second, shape)),
        };
        let target_shadow = self.target(target);
        self.compute(operation, shape, target_shadow, first_shadow, operand);
    }

    /// The target has the shadow of an operand.
    fn take_shadow(&mut self, shape: Shape, target: usize, shadow: usize) {
        let target_shadow = self.target(target);
        if target_shadow == shadow {
            self.keep_lower(shape, target_shadow);
        } else {
            self.copy_register(shape, target_shadow, shadow);
        }
    }

    /// Where the new shadow of `target` is formed: in its place, unless that still holds `needed`.
    fn result_beside(&mut self, target: usize, needed: Option<usize>) -> (usize, usize) {
        let place = self.target(target);
        if needed == Some(place) {
            (self.temporary(), place)
        } else {
            (place, place)
        }
    }

    fn multiply(&mut self, client: &Client, shape: Shape, target: usize, first: usize, second: Second) {
        let first_value = Operand::of(shape, first);
        if second.register == Some(first) {
            let shadow = self.shadow(first);
            let place = self.target(target);
            self.product(shape, place, shadow, first_value);
            self.compute(Operation::Add, shape, place, place, Operand::of(shape, place));
            self.copy(client);
            return;
        }
        let second_shadow = (!second.zero).then(|| self.second_shadow(second, shape));
        let first_shadow = (!self.vectors.is_zero(first)).then(|| self.shadow(first));
        if let (Some(first_shadow), Some(second_shadow), None) =
            (first_shadow, second_shadow, second.register)
        {
            let is_lone = self.vectors.is_lone(first, shape.element);
            // The target's shadow is often the last that is known: its term comes last.
            self.product(shape, second_shadow, second_shadow, first_value);
            self.accumulate(shape, second_shadow, first_shadow, second.value, false);
            self.copy(client);
            let place = self.target(target);
            if shape.width == Width::Scalar {
                self.merge_result(shape.element, place, first_shadow, second_shadow, is_lone);
            } else {
                self.copy_register(shape, place, second_shadow);
            }
            return;
        }
        let touches_memory = second.register.is_none() && first_shadow.is_some();
        let needed = second_shadow.filter(|_| first != target);
        let (mut result, place) = self.result_beside(target, needed);
        if second.register.is_none() && !touches_memory && result == place {
            result = self.temporary();
        }
        match first_shadow {
            Some(first_shadow) => self.product(shape, result, first_shadow, second.value),
            None => self.clear(result),
        }
        if let Some(second_shadow) = second_shadow {
            self.accumulate(shape, result, second_shadow, first_value, false);
        }
        self.copy(client);
        self.copy_register(shape, place, result);
    }

    fn divide(&mut self, client: &Client, shape: Shape, target: usize, first: usize, second: Second) {
        let reciprocal = self.shared_reciprocal(&client.instruction, shape, second.value);
        let divisor = match reciprocal {
            Some(reciprocal) => Divisor::Reciprocal(reciprocal),
            None if second.register == Some(target) => {
                Divisor::Value(Operand::Memory(self.save_value(shape, target)))
            }
            None => Divisor::Value(second.value),
        };
        let second_shadow = (!second.zero).then(|| self.second_shadow(second, shape));
        let first_shadow = (!self.vectors.is_zero(first)).then(|| self.shadow(first));
        self.copy(client);
        // Known before the dividend is, which is the last of all.
        let mask = match (&divisor, first_shadow, second_shadow) {
            (Divisor::Reciprocal(_), ..) | (_, _, None) => None,
            _ if self.form() != Form::Evex => None,
            (_, Some(first_shadow), Some(second_shadow)) => {
                Some(self.mask_of_either(shape, first_shadow, second_shadow))
            }
            (_, None, Some(second_shadow)) => Some(self.active_mask(shape, second_shadow)),
        };
        let (result, place) = self.result_beside(target, second_shadow);
        match first_shadow {
            Some(first_shadow) => self.copy_register(shape, result, first_shadow),
            None => self.clear(result),
        }
        if let Some(second_shadow) = second_shadow {
            self.accumulate(shape, result, second_shadow, Operand::of(shape, target), true);
        }
        match (divisor, mask) {
            (Divisor::Reciprocal(reciprocal), _) => {
                self.by_reciprocal(shape, place, result, reciprocal);
            }
            (Divisor::Value(divisor), Some(mask)) => {
                self.quotient_under(shape, place, result, divisor, mask);
            }
            (Divisor::Value(divisor), None) => self.quotient(shape, place, result, divisor),
        }
    }

    /// target := shadow times a shared reciprocal, see [`crate::reciprocals`].
    fn by_reciprocal(&mut self, shape: Shape, target: usize, shadow: usize, reciprocal: Memory) {
        if self.vectors.stale() == 0 {
            return self.product(shape, target, shadow, Operand::Memory(reciprocal));
        }
        self.copy_register(shape, target, shadow);
        let zero = self.temporary();
        self.clear(zero);
        self.compute(Operation::MultiplyThenAdd, shape, target, zero, Operand::Memory(reciprocal));
        self.free(zero);
    }

    /// Saves the value of a client register that the instruction is about to overwrite.
    fn save_value(&mut self, shape: Shape, number: usize) -> Memory {
        let place = self.asm.context(offset::VECTOR_SPILLS + 64);
        let (register, operand) = (shape.register(number), place.operand());
        let code = match (self.low_form(), shape.width) {
            (Form::Legacy, _) => Code::Movups_xmmm128_xmm,
            (_, Width::L256) => Code::VEX_Vmovups_ymmm256_ymm,
            _ => Code::VEX_Vmovups_xmmm128_xmm,
        };
        self.asm.built(Instruction::with2(code, operand, register));
        place
    }

    pub(crate) fn differentiate_unary(
        &mut self,
        client: &Client,
        function: Unary,
        element: Element,
        lanes: Lanes,
    ) {
        let instruction = &client.instruction;
        let shape = Shape::new(element, lanes, instruction.op0_register());
        let target = instruction.op0_register().number();
        let three_operands = instruction.op_count() == 3;
        let first = if three_operands { instruction.op1_register().number() } else { target };
        let second = self.second(client, if three_operands { 2 } else { 1 }, shape);
        if second.zero {
            if lanes == Lanes::Packed {
                self.copy(client);
                self.set_zero(target);
            } else {
                self.passive_lane(client, element, target, first);
            }
            return;
        }
        let shadow = self.second_shadow(second, shape);
        self.copy(client);
        let value = Operand::of(shape, target);
        let is_lone = self.vectors.is_lone(first, element);
        let operand_is_lone = second.register.is_none_or(|number| self.vectors.is_lone(number, element));
        if lanes == Lanes::Packed {
            let place = self.target(target);
            self.times_derivative(function, shape, place, shadow, value);
        } else {
            let rest = self.shadow(first);
            let lane = self.temporary();
            self.times_derivative(function, shape, lane, shadow, value);
            let place = self.target(target);
            self.merge_result(element, place, rest, lane, is_lone && operand_is_lone);
        }
        self.set_result(shape, target, is_lone);
    }

    /// result := shadow times the derivative of a function that has the given value.
    fn times_derivative(
        &mut self,
        function: Unary,
        shape: Shape,
        result: usize,
        shadow: usize,
        value: Operand,
    ) {
        let half = Operand::Memory(self.half(shape.element));
        match function {
            Unary::SquareRoot => {
                // While the root is being computed.
                self.compute(Operation::Multiply, shape, result, shadow, half);
                self.quotient(shape, result, result, value);
                return;
            }
            Unary::Reciprocal => self.product(shape, result, shadow, value),
            Unary::ReciprocalRoot => {
                self.product(shape, result, shadow, value);
                self.product(shape, result, result, value);
                self.compute(Operation::Multiply, shape, result, result, half);
            }
        }
        self.product(shape, result, result, value);
        let zero = self.temporary();
        self.clear(zero);
        self.subtract_from(shape, result, zero);
    }

    /// The lowest lane of the result is passive, the other lanes are those of the first source.
    pub(crate) fn passive_lane(&mut self, client: &Client, element: Element, target: usize, first: usize) {
        self.copy(client);
        if self.vectors.is_zero(first) {
            self.set_zero(target);
            return;
        }
        let rest = self.shadow(first);
        let zero = self.temporary();
        self.clear(zero);
        let place = self.target(target);
        self.merge_lane(element, place, rest, zero);
        self.set_active(target, false);
    }

    /// A minimum is its first operand where that is less, else its second; a maximum where it is greater.
    fn extremum(
        &mut self,
        client: &Client,
        shape: Shape,
        target: usize,
        first: usize,
        second: Second,
        minimum: bool,
    ) {
        let first_shadow = self.shadow(first);
        let second_shadow = self.second_shadow(second, shape);
        if self.form() == Form::Evex {
            // Not less than, or not greater than: the second operand is taken.
            let predicate = if minimum { 5 } else { 10 };
            let code = encodings::code(Operation::Compare, shape, Form::Evex);
            self.asm.with_immediate(code, Register::K1, shape.register(first), second.value, predicate);
            let needed = (first != target).then_some(second_shadow);
            let (result, place) = self.result_beside(target, needed);
            self.copy_register(shape, result, first_shadow);
            self.take_masked(shape, result, second_shadow);
            self.copy_register(shape, place, result);
        } else {
            let mask = self.temporary();
            if minimum {
                self.compare(shape, mask, first, second.value, 1);
            } else {
                self.load_value(shape, mask, second.value);
                self.compare(shape, mask, mask, Operand::of(shape, first), 1);
            }
            let packed = shape.packed();
            let chosen = self.temporary();
            self.compute(Operation::And, packed, chosen, mask, Operand::of(packed, first_shadow));
            self.compute(Operation::AndNot, packed, mask, mask, Operand::of(packed, second_shadow));
            self.compute(Operation::Or, packed, chosen, chosen, Operand::of(packed, mask));
            let place = self.target(target);
            if shape.width == Width::Scalar {
                self.merge_lane(shape.element, place, first_shadow, chosen);
            } else {
                self.copy_register(shape, place, chosen);
            }
        }
        self.copy(client);
    }

    /// Lanes of K1 := those of `source`.
    pub(crate) fn take_masked(&mut self, shape: Shape, target: usize, source: usize) {
        let masking = Masking::Merge(Register::K1);
        self.vectors.masks.forget(target & 15);
        let (target, source) = (shape.register(target), shape.register(source));
        let code = match (shape.width, shape.element) {
            (Width::Scalar, Element::F64) => Code::EVEX_Vmovsd_xmm_k1z_xmm_xmm,
            (Width::Scalar, Element::F32) => Code::EVEX_Vmovss_xmm_k1z_xmm_xmm,
            (Width::L128, Element::F64) => Code::EVEX_Vmovapd_xmm_k1z_xmmm128,
            (Width::L128, Element::F32) => Code::EVEX_Vmovaps_xmm_k1z_xmmm128,
            (Width::L256, Element::F64) => Code::EVEX_Vmovapd_ymm_k1z_ymmm256,
            (Width::L256, Element::F32) => Code::EVEX_Vmovaps_ymm_k1z_ymmm256,
        };
        if shape.width == Width::Scalar {
            self.asm.masked(code, target, target, Operand::Register(source), masking);
        } else {
            let built = Instruction::with2(code, target, source);
            self.asm.built(built.map(|mut instruction| {
                encodings::apply(&mut instruction, masking);
                instruction
            }));
        }
    }

    fn load_value(&mut self, shape: Shape, target: usize, value: Operand) {
        match value {
            Operand::Memory(place) => {
                let form = self.low_form();
                encodings::load(&mut self.asm, shape, form, target, place);
            }
            Operand::Register(register) => self.copy_register(shape, target, register.number()),
        }
    }
}
