//! Shadow arithmetic: the few operations of which all differentiation rules are made, in every encoding.
//!
//! A passive lane contributes exactly zero and raises no exception flag, whatever the partial derivative is: with EVEX
//! the lane is masked off; otherwise its partial derivative is replaced by zero before the multiplication.

use crate::constants;
use crate::emit::{Memory, Operand};
use crate::encodings::{self, Form, Masking, Operation, Shape, Width};
use crate::rules::Element;
use crate::translate::Translator;
use iced_x86::{Code, Instruction, Register};

/// Predicate of compare instructions: not equal, or unordered.
const NOT_EQUAL: u32 = 4;

impl Translator<'_> {
    /// Encoding of shadow operations.
    pub(crate) fn form(&self) -> Form {
        if self.vectors.in_registers() {
            Form::Evex
        } else {
            self.low_form()
        }
    }

    /// Encoding of operations on low registers.
    pub(crate) fn low_form(&self) -> Form {
        if self.vectors.legacy {
            Form::Legacy
        } else {
            Form::Vex
        }
    }

    /// The shadow of a client register.
    pub(crate) fn shadow(&mut self, number: usize) -> usize {
        if self.vectors.in_registers() {
            self.vectors.home(&mut self.asm, number)
        } else {
            self.vectors.low_shadow(&mut self.asm, number)
        }
    }

    /// The register that takes the new shadow of a client register. If its old shadow was asked for, it is the same.
    pub(crate) fn target(&mut self, number: usize) -> usize {
        self.vectors.forget_lanes(number);
        if self.vectors.in_registers() {
            self.vectors.keep(number);
            16 + number
        } else {
            self.vectors.low_target(&mut self.asm, number)
        }
    }

    pub(crate) fn temporary(&mut self) -> usize {
        if self.vectors.in_registers() {
            self.vectors.home_temporary(&mut self.asm)
        } else {
            self.vectors.low_temporary(&mut self.asm)
        }
    }

    /// A temporary is not needed any more.
    pub(crate) fn free(&mut self, temporary: usize) {
        self.vectors.free(temporary);
    }

    /// target := first op second. `target` may be `first`; it may be a register `second` only if `first` is it too or
    /// the form has three operands.
    pub(crate) fn compute(
        &mut self,
        operation: Operation,
        shape: Shape,
        target: usize,
        first: usize,
        second: Operand,
    ) {
        self.compute_masked(operation, shape, target, first, second, Masking::None);
    }

    fn compute_masked(
        &mut self,
        operation: Operation,
        shape: Shape,
        target: usize,
        first: usize,
        second: Operand,
        masking: Masking,
    ) {
        if operation.is_arithmetic() {
            self.own_control();
        }
        let form = self.form();
        let code = encodings::code(operation, shape, form);
        let (target, first) = (shape.register(target), shape.register(first));
        if form == Form::Legacy {
            if target != first {
                self.asm.built(Instruction::with2(Code::Movaps_xmm_xmmm128, target, first));
            }
            self.asm.binary(code, target, second);
        } else {
            self.asm.masked(code, target, first, second, masking);
            self.vectors.masks.forget(target.number() & 15);
        }
    }

    /// Copies a full register.
    pub(crate) fn copy_register(&mut self, shape: Shape, target: usize, source: usize) {
        if target == source {
            return;
        }
        let shape = shape.packed();
        let code = match (self.form(), shape.width) {
            (Form::Legacy, _) => Code::Movaps_xmm_xmmm128,
            (Form::Vex, Width::L256) => Code::VEX_Vmovaps_ymm_ymmm256,
            (Form::Vex, _) => Code::VEX_Vmovaps_xmm_xmmm128,
            (Form::Evex, Width::L256) => Code::EVEX_Vmovaps_ymm_k1z_ymmm256,
            (Form::Evex, _) => Code::EVEX_Vmovaps_xmm_k1z_xmmm128,
        };
        self.asm.binary(code, shape.register(target), Operand::of(shape, source));
        if self.form() == Form::Evex {
            let (to, from) = (target & 15, source & 15);
            self.vectors.masks.forget(to);
            let full = shape.width == Width::L256 || !self.vectors.upper;
            if full && target >= 16 && source >= 16 {
                self.vectors.masks.copy(to, from);
            }
        }
    }

    /// target := 0
    pub(crate) fn clear(&mut self, target: usize) {
        let shape = Shape { element: Element::F64, width: Width::L128 };
        let register = shape.register(target);
        let second = Operand::Register(register);
        match self.form() {
            Form::Legacy => self.asm.binary(Code::Pxor_xmm_xmmm128, register, second),
            Form::Vex => self.asm.ternary(Code::VEX_Vpxor_xmm_xmm_xmmm128, register, register, second),
            Form::Evex => {
                self.vectors.masks.forget(target & 15);
                self.asm.ternary(Code::EVEX_Vpxorq_xmm_k1z_xmm_xmmm128b64, register, register, second);
            }
        }
    }

    /// Lowest lane of target := lowest lane of `low`, its other lanes := those of `rest`. Legacy: `target` is `rest`.
    pub(crate) fn merge_lane(&mut self, element: Element, target: usize, rest: usize, low: usize) {
        let shape = Shape { element, width: Width::L128 };
        let (target, rest, low) = (shape.register(target), shape.register(rest), shape.register(low));
        let code = match (self.form(), element) {
            (Form::Legacy, Element::F64) => Code::Movsd_xmm_xmmm64,
            (Form::Legacy, Element::F32) => Code::Movss_xmm_xmmm32,
            (Form::Vex, Element::F64) => Code::VEX_Vmovsd_xmm_xmm_xmm,
            (Form::Vex, Element::F32) => Code::VEX_Vmovss_xmm_xmm_xmm,
            (Form::Evex, Element::F64) => Code::EVEX_Vmovsd_xmm_k1z_xmm_xmm,
            (Form::Evex, Element::F32) => Code::EVEX_Vmovss_xmm_k1z_xmm_xmm,
        };
        if self.form() == Form::Legacy {
            if target != rest {
                self.asm.built(Instruction::with2(Code::Movaps_xmm_xmmm128, target, rest));
            }
            self.asm.built(Instruction::with2(code, target, low));
        } else {
            self.asm.built(Instruction::with3(code, target, rest, low));
            self.vectors.masks.forget(target.number() & 15);
        }
    }

    /// The same where `is_lone` says that the other lanes of `rest` and `low` are zero.
    pub(crate) fn merge_result(
        &mut self,
        element: Element,
        target: usize,
        rest: usize,
        low: usize,
        is_lone: bool,
    ) {
        if is_lone {
            self.copy_register(Shape { element, width: Width::L128 }, target, low);
        } else {
            self.merge_lane(element, target, rest, low);
        }
    }

    /// Mask register := lanes of the shadow that are not zero. EVEX only.
    pub(crate) fn mask_active(&mut self, shape: Shape, mask: Register, shadow: usize) {
        let shape = shape.packed();
        let code = match (shape.element, shape.width) {
            (Element::F64, Width::L256) => Code::EVEX_Vptestmq_kr_k1_ymm_ymmm256b64,
            (Element::F64, _) => Code::EVEX_Vptestmq_kr_k1_xmm_xmmm128b64,
            (Element::F32, Width::L256) => Code::EVEX_Vptestmd_kr_k1_ymm_ymmm256b32,
            (Element::F32, _) => Code::EVEX_Vptestmd_kr_k1_xmm_xmmm128b32,
        };
        let register = shape.register(shadow);
        self.asm.ternary(code, mask, register, Operand::Register(register));
    }

    /// A mask register with the lanes of the shadow that are not zero. EVEX only.
    pub(crate) fn active_mask(&mut self, shape: Shape, shadow: usize) -> Register {
        let (shape, home) = (shape.packed(), shadow & 15);
        if let Some(mask) = self.vectors.masks.find(shape, home) {
            return mask;
        }
        let mask = self.vectors.masks.assign(shape, home);
        self.mask_active(shape, mask, shadow);
        mask
    }

    /// A temporary with the partial derivative where the shadow is active, zero elsewhere. For forms without masks.
    fn masked_partial(&mut self, shape: Shape, shadow: usize, partial: Operand) -> usize {
        let temporary = self.temporary();
        let packed = shape.packed();
        let (partial, loaded) = self.whole(shape, partial);
        self.active_bits(packed, temporary, shadow);
        self.compute(Operation::And, packed, temporary, temporary, partial);
        if let Some(loaded) = loaded {
            self.free(loaded);
        }
        temporary
    }

    /// The same for a divisor, with one elsewhere.
    fn masked_divisor(&mut self, shape: Shape, shadow: usize, divisor: Operand) -> usize {
        let mask = self.temporary();
        let packed = shape.packed();
        let (divisor, loaded) = self.whole(shape, divisor);
        let one = Operand::Memory(self.one(shape.element));
        self.active_bits(packed, mask, shadow);
        let masked = loaded.unwrap_or_else(|| self.temporary());
        match loaded {
            Some(_) => self.compute(Operation::And, packed, masked, masked, Operand::of(packed, mask)),
            None => self.compute(Operation::And, packed, masked, mask, divisor),
        }
        self.compute(Operation::AndNot, packed, mask, mask, one);
        self.compute(Operation::Or, packed, masked, masked, Operand::of(packed, mask));
        self.free(mask);
        masked
    }

    /// An operand of which operations on all lanes may read all bytes, and the temporary that it was loaded into.
    fn whole(&mut self, shape: Shape, operand: Operand) -> (Operand, Option<usize>) {
        let form = self.low_form();
        match operand {
            Operand::Memory(place) if shape.width == Width::Scalar || form == Form::Legacy => {
                let loaded = self.temporary();
                encodings::load(&mut self.asm, shape, form, loaded, place);
                (Operand::of(shape.packed(), loaded), Some(loaded))
            }
            _ => (operand, None),
        }
    }

    /// target := all ones in active lanes of the shadow.
    fn active_bits(&mut self, shape: Shape, target: usize, shadow: usize) {
        self.own_control();
        let zero = Operand::Memory(self.asm.context(constants::ZERO));
        self.compare(shape, target, shadow, zero, NOT_EQUAL);
    }

    /// target := all ones in lanes where the predicate holds. For forms without masks.
    pub(crate) fn compare(
        &mut self,
        shape: Shape,
        target: usize,
        first: usize,
        second: Operand,
        predicate: u32,
    ) {
        let form = self.low_form();
        let code = encodings::code(Operation::Compare, shape, form);
        let (target, first) = (shape.register(target), shape.register(first));
        if form == Form::Legacy {
            if target != first {
                self.asm.built(Instruction::with2(Code::Movaps_xmm_xmmm128, target, first));
            }
            self.asm.built(match second {
                Operand::Register(register) => Instruction::with3(code, target, register, predicate),
                Operand::Memory(memory) => Instruction::with3(code, target, memory.operand(), predicate),
            });
        } else {
            self.asm.with_immediate(code, target, first, second, predicate);
        }
    }

    /// target := shadow * partial in active lanes, zero in passive ones; scalar: other lanes of the shadow.
    pub(crate) fn product(&mut self, shape: Shape, target: usize, shadow: usize, partial: Operand) {
        if self.form() == Form::Evex {
            let masking = Masking::Zero(self.active_mask(shape, shadow));
            self.compute_masked(Operation::Multiply, shape, target, shadow, partial, masking);
        } else {
            let partial = self.masked_partial(shape, shadow, partial);
            self.compute(Operation::Multiply, shape, target, shadow, Operand::of(shape, partial));
            self.free(partial);
        }
    }

    /// target += shadow * partial (or -=) in active lanes.
    pub(crate) fn accumulate(
        &mut self,
        shape: Shape,
        target: usize,
        shadow: usize,
        partial: Operand,
        negated: bool,
    ) {
        let operation = if negated { Operation::MultiplySubtract } else { Operation::MultiplyAdd };
        match self.form() {
            Form::Evex => {
                let masking = Masking::Merge(self.active_mask(shape, shadow));
                self.compute_masked(operation, shape, target, shadow, partial, masking);
            }
            Form::Vex => {
                let partial = self.masked_partial(shape, shadow, partial);
                let second = Operand::of(shape, partial);
                self.compute(operation, shape, target, shadow, second);
                self.free(partial);
            }
            Form::Legacy => {
                let product = self.masked_partial(shape, shadow, partial);
                self.compute(Operation::Multiply, shape, product, product, Operand::of(shape, shadow));
                let operation = if negated { Operation::Subtract } else { Operation::Add };
                self.compute(operation, shape, target, target, Operand::of(shape, product));
                self.free(product);
            }
        }
    }

    /// A mask register with the lanes in which either shadow is not zero. EVEX only.
    pub(crate) fn mask_of_either(&mut self, shape: Shape, one: usize, other: usize) -> Register {
        let (one, other) = (self.active_mask(shape, one), self.active_mask(shape, other));
        let either = self.vectors.masks.reserve();
        self.asm.built(Instruction::with3(Code::VEX_Korb_kr_kr_kr, either, one, other));
        either
    }

    /// The same where a mask register has all lanes in which the shadow is active. EVEX only.
    pub(crate) fn quotient_under(
        &mut self,
        shape: Shape,
        target: usize,
        shadow: usize,
        divisor: Operand,
        mask: Register,
    ) {
        self.compute_masked(Operation::Divide, shape, target, shadow, divisor, Masking::Zero(mask));
    }

    /// target := shadow / divisor in active lanes, zero in passive ones; scalar: other lanes of the shadow.
    pub(crate) fn quotient(&mut self, shape: Shape, target: usize, shadow: usize, divisor: Operand) {
        if self.form() == Form::Evex {
            let masking = Masking::Zero(self.active_mask(shape, shadow));
            self.compute_masked(Operation::Divide, shape, target, shadow, divisor, masking);
            return;
        }
        // A passive lane is divided by one: zero, and no flag is raised.
        let divisor = self.masked_divisor(shape, shadow, divisor);
        self.compute(Operation::Divide, shape, target, shadow, Operand::of(shape, divisor));
        self.free(divisor);
    }

    pub(crate) fn one(&self, element: Element) -> Memory {
        self.asm.context(match element {
            Element::F64 => constants::ONE_F64,
            Element::F32 => constants::ONE_F32,
        })
    }

    pub(crate) fn half(&self, element: Element) -> Memory {
        self.asm.context(match element {
            Element::F64 => constants::HALF_F64,
            Element::F32 => constants::HALF_F32,
        })
    }
}
