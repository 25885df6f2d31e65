//! Dot products of lanes: `dpps` and `dppd`.
//!
//! The immediate says which products are summed (its upper half) and which lanes get the sum (its lower half). The
//! shadows of the products are those of a packed multiplication. The instruction itself, with ones as its second
//! operand, sums and places them: a factor of one is exact and raises nothing.

use crate::constants;
use crate::decode::Client;
use crate::emit::{xmm, ymm, Operand};
use crate::rules::{Binary, Element, Lanes};
use crate::translate::Translator;
use iced_x86::{Code, Instruction};

impl Translator<'_> {
    pub(crate) fn dot_product(&mut self, client: &Client, element: Element) {
        let instruction = &client.instruction;
        self.differentiate_binary(client, Binary::Multiply, element, Lanes::Packed);
        let target = instruction.op0_register();
        if self.vectors.is_zero(target.number()) {
            return;
        }
        self.exclude_from_pool(instruction);
        self.own_control();
        let low = self.vectors.low_shadow(&mut self.asm, target.number());
        self.vectors.low_target(&mut self.asm, target.number());
        let (legacy, wide) = (self.vectors.legacy, target.is_ymm());
        let code = match (element, legacy, wide) {
            (Element::F32, true, _) => Code::Dpps_xmm_xmmm128_imm8,
            (Element::F32, false, false) => Code::VEX_Vdpps_xmm_xmm_xmmm128_imm8,
            (Element::F32, false, true) => Code::VEX_Vdpps_ymm_ymm_ymmm256_imm8,
            (Element::F64, true, _) => Code::Dppd_xmm_xmmm128_imm8,
            (Element::F64, false, _) => Code::VEX_Vdppd_xmm_xmm_xmmm128_imm8,
        };
        let ones = self.asm.context(match element {
            Element::F32 => constants::ONE_F32,
            Element::F64 => constants::ONE_F64,
        });
        let register = if wide { ymm(low) } else { xmm(low) };
        let lanes = u32::from(instruction.immediate8());
        if legacy {
            self.asm.built(Instruction::with3(code, register, ones.operand(), lanes));
        } else {
            self.asm.with_immediate(code, register, register, Operand::Memory(ones), lanes);
        }
        self.set_active(target.number(), wide);
    }
}
