//! Conversions between binary32 and binary64.
//!
//! A dot value is converted by the same instruction. An index moves between four tagged and eight untagged bytes (see
//! [`crate::recording`]): a conversion is no operation of its own, since its partial derivative is 1.

use crate::constants;
use crate::decode::Client;
use crate::emit::{xmm, Memory, Operand};
use crate::encodings::{self, Form, Masking, Operation, Shape, Width};
use crate::rules::{Element, Lanes};
use crate::translate::Translator;
use iced_x86::{Code, Instruction, OpKind, Register};

impl Translator<'_> {
    /// Moves the indices of a conversion from `from`.
    pub(crate) fn convert_indices(&mut self, client: &Client, from: Element, lanes: Lanes) {
        let instruction = &client.instruction;
        let target = instruction.op0_register().number();
        let last = instruction.op_count() - 1;
        let rest = if last == 2 { instruction.op1_register().number() } else { target };
        let to = if from == Element::F32 { Element::F64 } else { Element::F32 };
        let zero = match instruction.op_kind(last) {
            OpKind::Register => self.vectors.is_zero(instruction.op_register(last).number()),
            _ => self.is_passive_memory(instruction),
        };
        if zero && lanes == Lanes::Packed {
            self.copy(client);
            self.set_zero(target);
            return;
        }
        if zero {
            self.passive_lane(client, to, target, rest);
            return;
        }
        let wide_side =
            if from == Element::F64 { instruction.op_register(last) } else { instruction.op0_register() };
        let is_wide = wide_side.is_ymm() || instruction.memory_size().size() == 32;
        let width = match lanes {
            Lanes::Scalar => Width::Scalar,
            Lanes::Packed if is_wide => Width::L256,
            Lanes::Packed => Width::L128,
        };
        let source = self.converted_source(instruction, last);
        let converted = self.temporary();
        if from == Element::F32 {
            self.widen(width, converted, source);
        } else {
            self.narrow(width, converted, source);
        }
        self.copy(client);
        let rest = (lanes == Lanes::Scalar).then(|| self.shadow(rest));
        let place = self.target(target);
        let shape = Shape { element: to, width: if to == Element::F32 { Width::L128 } else { width } };
        match rest {
            Some(rest) => self.merge_lane(to, place, rest, converted),
            None => self.copy_register(shape, place, converted),
        }
        self.set_active(target, shape.width == Width::L256);
    }

    /// A register with the indices of the operand: no more is read from memory than the instruction reads.
    fn converted_source(&mut self, instruction: &Instruction, operand: u32) -> usize {
        if instruction.op_kind(operand) == OpKind::Register {
            return self.shadow(instruction.op_register(operand).number());
        }
        let (element, width) = match instruction.memory_size().size() {
            4 => (Element::F32, Width::Scalar),
            8 => (Element::F64, Width::Scalar),
            16 => (Element::F64, Width::L128),
            _ => (Element::F64, Width::L256),
        };
        let loaded = self.temporary();
        let form = self.form();
        let opened = self.open(instruction);
        encodings::load(&mut self.asm, Shape { element, width }, form, loaded, opened.memory);
        self.close(opened);
        loaded
    }

    /// target := the 32-bit lanes of the source as 64-bit lanes without tag.
    fn widen(&mut self, width: Width, target: usize, source: usize) {
        let shape = Shape { element: Element::F64, width }.packed();
        let (lanes, low) = (shape.register(target), xmm(source));
        let wide = shape.width == Width::L256;
        match self.form() {
            Form::Legacy => {
                let zero = self.temporary();
                self.clear(zero);
                self.copy_register(shape, target, source);
                self.asm.binary(Code::Punpckldq_xmm_xmmm128, lanes, Operand::Register(xmm(zero)));
                self.free(zero);
            }
            Form::Vex if wide => {
                self.asm.binary(Code::VEX_Vpmovzxdq_ymm_xmmm128, lanes, Operand::Register(low))
            }
            Form::Vex => self.asm.binary(Code::VEX_Vpmovzxdq_xmm_xmmm64, lanes, Operand::Register(low)),
            Form::Evex => {
                self.vectors.masks.forget(target & 15);
                let code = if wide {
                    Code::EVEX_Vpmovzxdq_ymm_k1z_xmmm128
                } else {
                    Code::EVEX_Vpmovzxdq_xmm_k1z_xmmm64
                };
                self.asm.binary(code, lanes, Operand::Register(low));
            }
        }
        let untagged = Operand::Memory(self.asm.context(constants::UNTAGGED));
        self.compute(Operation::And, shape, target, target, untagged);
    }

    /// target := the 64-bit lanes of the source as tagged 32-bit lanes.
    fn narrow(&mut self, width: Width, target: usize, source: usize) {
        let shape = Shape { element: Element::F64, width }.packed();
        self.narrow_lanes(shape, target, source);
        let lanes = Shape { element: Element::F32, width: Width::L128 };
        let tag: Memory = self.asm.context(constants::SIGN32);
        if self.form() == Form::Evex {
            self.mask_active(lanes, Register::K1, target);
            let code = Code::EVEX_Vpord_xmm_k1z_xmm_xmmm128b32;
            self.asm.masked(
                code,
                xmm(target),
                xmm(target),
                Operand::Memory(tag),
                Masking::Zero(Register::K1),
            );
            return;
        }
        let passive = self.temporary();
        let zero = Operand::Memory(self.asm.context(constants::ZERO));
        self.equal_lanes(lanes, passive, target, zero);
        self.compute(Operation::AndNot, lanes, passive, passive, Operand::Memory(tag));
        self.compute(Operation::Or, lanes, target, target, Operand::of(lanes, passive));
        self.free(passive);
    }
}
