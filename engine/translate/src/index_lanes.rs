//! Lanes of indices: stores to the tape, narrow forms, and the pairs of horizontal instructions.

use crate::emit::{Memory, Operand};
use crate::encodings::{Form, Shape, Width};
use crate::rules::Element;
use crate::translate::Translator;
use iced_x86::{Code, Instruction};

impl Translator<'_> {
    /// Stores all lanes of a shape.
    pub(crate) fn store_lanes(&mut self, shape: Shape, place: Memory, register: usize) {
        let f64 = shape.element == Element::F64;
        let code = match (self.form(), shape.width) {
            (Form::Legacy, Width::Scalar) if f64 => Code::Movsd_xmmm64_xmm,
            (Form::Legacy, Width::Scalar) => Code::Movss_xmmm32_xmm,
            (Form::Legacy, _) => Code::Movups_xmmm128_xmm,
            (Form::Vex, Width::Scalar) if f64 => Code::VEX_Vmovsd_m64_xmm,
            (Form::Vex, Width::Scalar) => Code::VEX_Vmovss_m32_xmm,
            (Form::Vex, Width::L128) => Code::VEX_Vmovups_xmmm128_xmm,
            (Form::Vex, Width::L256) => Code::VEX_Vmovups_ymmm256_ymm,
            (Form::Evex, Width::Scalar) if f64 => Code::EVEX_Vmovsd_m64_k1_xmm,
            (Form::Evex, Width::Scalar) => Code::EVEX_Vmovss_m32_k1_xmm,
            (Form::Evex, Width::L128) => Code::EVEX_Vmovups_xmmm128_k1z_xmm,
            (Form::Evex, Width::L256) => Code::EVEX_Vmovups_ymmm256_k1z_ymm,
        };
        self.asm.built(Instruction::with2(code, place.operand(), shape.register(register)));
    }

    /// Stores the lower halves of 64-bit lanes side by side.
    pub(crate) fn store_narrow(&mut self, shape: Shape, place: Memory, register: usize) {
        let lanes = shape.register(register);
        let operand = place.operand();
        match (self.form(), shape.width) {
            (Form::Legacy, Width::Scalar) => {
                self.asm.built(Instruction::with2(Code::Movd_rm32_xmm, operand, lanes))
            }
            (Form::Vex, Width::Scalar) => {
                self.asm.built(Instruction::with2(Code::VEX_Vmovd_rm32_xmm, operand, lanes))
            }
            (Form::Evex, Width::Scalar) => {
                self.asm.built(Instruction::with2(Code::EVEX_Vmovd_rm32_xmm, operand, lanes))
            }
            (Form::Evex, Width::L128) => {
                self.asm.built(Instruction::with2(Code::EVEX_Vpmovqd_xmmm64_k1z_xmm, operand, lanes))
            }
            (Form::Evex, Width::L256) => {
                self.asm.built(Instruction::with2(Code::EVEX_Vpmovqd_xmmm128_k1z_ymm, operand, lanes))
            }
            (form, width) => {
                let narrow = self.temporary();
                self.narrow_lanes(shape, narrow, register);
                let code = match (form, width) {
                    (Form::Legacy, _) => Code::Movq_xmmm64_xmm,
                    (_, Width::L256) => Code::VEX_Vmovups_xmmm128_xmm,
                    _ => Code::VEX_Vmovq_xmmm64_xmm,
                };
                self.asm.built(Instruction::with2(code, operand, crate::emit::xmm(narrow)));
                self.free(narrow);
            }
        }
    }

    /// target := the lower halves of 64-bit lanes side by side, other lanes zero. Another register than the source.
    pub(crate) fn narrow_lanes(&mut self, shape: Shape, target: usize, source: usize) {
        let (low, lanes) = (crate::emit::xmm(target), shape.register(source));
        match (self.form(), shape.width) {
            (Form::Evex, Width::L256) => {
                self.vectors.masks.forget(target & 15);
                self.asm.built(Instruction::with2(Code::EVEX_Vpmovqd_xmmm128_k1z_ymm, low, lanes));
            }
            (Form::Evex, _) => {
                self.vectors.masks.forget(target & 15);
                self.asm.built(Instruction::with2(Code::EVEX_Vpmovqd_xmmm64_k1z_xmm, low, lanes));
            }
            (Form::Vex, Width::L256) => {
                let half = Code::VEX_Vextractf128_xmmm128_ymm_imm8;
                self.asm.built(Instruction::with3(half, low, lanes, 1u32));
                let source = crate::emit::xmm(source);
                let pick = Code::VEX_Vshufps_xmm_xmm_xmmm128_imm8;
                self.asm.with_immediate(pick, low, source, Operand::Register(low), 0x88);
            }
            (Form::Vex, _) => {
                self.asm.built(Instruction::with3(Code::VEX_Vpshufd_xmm_xmmm128_imm8, low, lanes, 8u32));
                self.asm.built(Instruction::with2(Code::VEX_Vmovq_xmm_xmmm64, low, low));
            }
            (Form::Legacy, _) => {
                self.asm.built(Instruction::with3(Code::Pshufd_xmm_xmmm128_imm8, low, lanes, 8u32));
                self.asm.built(Instruction::with2(Code::Movq_xmm_xmmm64, low, low));
            }
        }
    }

    /// target := the even (or odd) lanes of both operands, as horizontal instructions pair them.
    pub(crate) fn pick_lanes(&mut self, shape: Shape, target: usize, first: usize, second: usize, odd: bool) {
        use Code::*;
        let wide = shape.width == Width::L256;
        let second = Operand::of(shape, second);
        let (place, one) = (shape.register(target), shape.register(first));
        self.vectors.masks.forget(target & 15);
        let f64 = shape.element == Element::F64;
        if self.form() == Form::Legacy {
            self.copy_register(shape, target, first);
            match (f64, odd) {
                (true, false) => self.asm.binary(Unpcklpd_xmm_xmmm128, place, second),
                (true, true) => self.asm.binary(Unpckhpd_xmm_xmmm128, place, second),
                (false, _) => {
                    let Operand::Register(register) = second else {
                        unreachable!("shadows are in registers here");
                    };
                    let pattern = if odd { 0xddu32 } else { 0x88 };
                    self.asm.built(Instruction::with3(Shufps_xmm_xmmm128_imm8, place, register, pattern));
                }
            }
            return;
        }
        let evex = self.form() == Form::Evex;
        if !f64 {
            let code = match (evex, wide) {
                (true, true) => EVEX_Vshufps_ymm_k1z_ymm_ymmm256b32_imm8,
                (true, false) => EVEX_Vshufps_xmm_k1z_xmm_xmmm128b32_imm8,
                (false, true) => VEX_Vshufps_ymm_ymm_ymmm256_imm8,
                (false, false) => VEX_Vshufps_xmm_xmm_xmmm128_imm8,
            };
            self.asm.with_immediate(code, place, one, second, if odd { 0xdd } else { 0x88 });
            return;
        }
        let code = match (evex, wide, odd) {
            (true, true, false) => EVEX_Vunpcklpd_ymm_k1z_ymm_ymmm256b64,
            (true, true, true) => EVEX_Vunpckhpd_ymm_k1z_ymm_ymmm256b64,
            (true, false, false) => EVEX_Vunpcklpd_xmm_k1z_xmm_xmmm128b64,
            (true, false, true) => EVEX_Vunpckhpd_xmm_k1z_xmm_xmmm128b64,
            (false, true, false) => VEX_Vunpcklpd_ymm_ymm_ymmm256,
            (false, true, true) => VEX_Vunpckhpd_ymm_ymm_ymmm256,
            (false, false, false) => VEX_Vunpcklpd_xmm_xmm_xmmm128,
            (false, false, true) => VEX_Vunpckhpd_xmm_xmm_xmmm128,
        };
        self.asm.ternary(code, place, one, second);
    }
}
