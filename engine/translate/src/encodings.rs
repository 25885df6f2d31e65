//! Encodings of the instructions that shadow code computes with: legacy, VEX and EVEX forms of one operation.

use crate::emit::{xmm, ymm, Assembler, Memory, Operand};
use crate::rules::{Element, Lanes};
use iced_x86::{Code, Instruction, Register};

/// Operand width of a shadow operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Width {
    Scalar,
    L128,
    L256,
}

/// Lane type and width of a shadow operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    pub element: Element,
    pub width: Width,
}

impl Shape {
    pub fn new(element: Element, lanes: Lanes, operand: Register) -> Shape {
        let width = match (lanes, operand.is_ymm()) {
            (Lanes::Scalar, _) => Width::Scalar,
            (Lanes::Packed, false) => Width::L128,
            (Lanes::Packed, true) => Width::L256,
        };
        Shape { element, width }
    }
    /// The whole register operation of at least this width.
    pub fn packed(self) -> Shape {
        let width = if self.width == Width::L256 { Width::L256 } else { Width::L128 };
        Shape { width, ..self }
    }
    /// Register name of this width.
    pub fn register(self, number: usize) -> Register {
        if self.width == Width::L256 {
            ymm(number)
        } else {
            xmm(number)
        }
    }
    /// Bytes that a memory operand has.
    pub fn bytes(self) -> usize {
        match (self.width, self.element) {
            (Width::Scalar, Element::F32) => 4,
            (Width::Scalar, Element::F64) => 8,
            (Width::L128, _) => 16,
            (Width::L256, _) => 32,
        }
    }
}

/// Instruction set in which an operation is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Legacy,
    Vex,
    Evex,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    And,
    AndNot,
    Or,
    Xor,
    Compare,
    /// target += first * second
    MultiplyAdd,
    /// target -= first * second
    MultiplySubtract,
    /// target := target * second + first. EVEX only.
    MultiplyThenAdd,
}

impl Operation {
    /// Does it round, and raise flags?
    pub fn is_arithmetic(self) -> bool {
        !matches!(self, Operation::And | Operation::AndNot | Operation::Or | Operation::Xor)
    }
}

/// Codes of one operation, lane type and width: legacy, VEX, EVEX. `INVALID` where there is none.
type Row = [Code; 3];

// One operation a line.
#[rustfmt::skip]
fn row(operation: Operation, shape: Shape) -> Row {
    use Code::*;
    use Element::*;
    use Operation::*;
    use Width::*;
    match (operation, shape.element, shape.width) {
        (Add, F64, Scalar) => [Addsd_xmm_xmmm64, VEX_Vaddsd_xmm_xmm_xmmm64, EVEX_Vaddsd_xmm_k1z_xmm_xmmm64_er],
        (Add, F64, L128) => [Addpd_xmm_xmmm128, VEX_Vaddpd_xmm_xmm_xmmm128, EVEX_Vaddpd_xmm_k1z_xmm_xmmm128b64],
        (Add, F64, L256) => [INVALID, VEX_Vaddpd_ymm_ymm_ymmm256, EVEX_Vaddpd_ymm_k1z_ymm_ymmm256b64],
        (Add, F32, Scalar) => [Addss_xmm_xmmm32, VEX_Vaddss_xmm_xmm_xmmm32, EVEX_Vaddss_xmm_k1z_xmm_xmmm32_er],
        (Add, F32, L128) => [Addps_xmm_xmmm128, VEX_Vaddps_xmm_xmm_xmmm128, EVEX_Vaddps_xmm_k1z_xmm_xmmm128b32],
        (Add, F32, L256) => [INVALID, VEX_Vaddps_ymm_ymm_ymmm256, EVEX_Vaddps_ymm_k1z_ymm_ymmm256b32],
        (Subtract, F64, Scalar) => [Subsd_xmm_xmmm64, VEX_Vsubsd_xmm_xmm_xmmm64, EVEX_Vsubsd_xmm_k1z_xmm_xmmm64_er],
        (Subtract, F64, L128) => [Subpd_xmm_xmmm128, VEX_Vsubpd_xmm_xmm_xmmm128, EVEX_Vsubpd_xmm_k1z_xmm_xmmm128b64],
        (Subtract, F64, L256) => [INVALID, VEX_Vsubpd_ymm_ymm_ymmm256, EVEX_Vsubpd_ymm_k1z_ymm_ymmm256b64],
        (Subtract, F32, Scalar) => [Subss_xmm_xmmm32, VEX_Vsubss_xmm_xmm_xmmm32, EVEX_Vsubss_xmm_k1z_xmm_xmmm32_er],
        (Subtract, F32, L128) => [Subps_xmm_xmmm128, VEX_Vsubps_xmm_xmm_xmmm128, EVEX_Vsubps_xmm_k1z_xmm_xmmm128b32],
        (Subtract, F32, L256) => [INVALID, VEX_Vsubps_ymm_ymm_ymmm256, EVEX_Vsubps_ymm_k1z_ymm_ymmm256b32],
        (Multiply, F64, Scalar) => [Mulsd_xmm_xmmm64, VEX_Vmulsd_xmm_xmm_xmmm64, EVEX_Vmulsd_xmm_k1z_xmm_xmmm64_er],
        (Multiply, F64, L128) => [Mulpd_xmm_xmmm128, VEX_Vmulpd_xmm_xmm_xmmm128, EVEX_Vmulpd_xmm_k1z_xmm_xmmm128b64],
        (Multiply, F64, L256) => [INVALID, VEX_Vmulpd_ymm_ymm_ymmm256, EVEX_Vmulpd_ymm_k1z_ymm_ymmm256b64],
        (Multiply, F32, Scalar) => [Mulss_xmm_xmmm32, VEX_Vmulss_xmm_xmm_xmmm32, EVEX_Vmulss_xmm_k1z_xmm_xmmm32_er],
        (Multiply, F32, L128) => [Mulps_xmm_xmmm128, VEX_Vmulps_xmm_xmm_xmmm128, EVEX_Vmulps_xmm_k1z_xmm_xmmm128b32],
        (Multiply, F32, L256) => [INVALID, VEX_Vmulps_ymm_ymm_ymmm256, EVEX_Vmulps_ymm_k1z_ymm_ymmm256b32],
        (Divide, F64, Scalar) => [Divsd_xmm_xmmm64, VEX_Vdivsd_xmm_xmm_xmmm64, EVEX_Vdivsd_xmm_k1z_xmm_xmmm64_er],
        (Divide, F64, L128) => [Divpd_xmm_xmmm128, VEX_Vdivpd_xmm_xmm_xmmm128, EVEX_Vdivpd_xmm_k1z_xmm_xmmm128b64],
        (Divide, F64, L256) => [INVALID, VEX_Vdivpd_ymm_ymm_ymmm256, EVEX_Vdivpd_ymm_k1z_ymm_ymmm256b64],
        (Divide, F32, Scalar) => [Divss_xmm_xmmm32, VEX_Vdivss_xmm_xmm_xmmm32, EVEX_Vdivss_xmm_k1z_xmm_xmmm32_er],
        (Divide, F32, L128) => [Divps_xmm_xmmm128, VEX_Vdivps_xmm_xmm_xmmm128, EVEX_Vdivps_xmm_k1z_xmm_xmmm128b32],
        (Divide, F32, L256) => [INVALID, VEX_Vdivps_ymm_ymm_ymmm256, EVEX_Vdivps_ymm_k1z_ymm_ymmm256b32],
        (And, F64, Scalar | L128) => [Andpd_xmm_xmmm128, VEX_Vandpd_xmm_xmm_xmmm128, EVEX_Vandpd_xmm_k1z_xmm_xmmm128b64],
        (And, F64, L256) => [INVALID, VEX_Vandpd_ymm_ymm_ymmm256, EVEX_Vandpd_ymm_k1z_ymm_ymmm256b64],
        (And, F32, Scalar | L128) => [Andps_xmm_xmmm128, VEX_Vandps_xmm_xmm_xmmm128, EVEX_Vandps_xmm_k1z_xmm_xmmm128b32],
        (And, F32, L256) => [INVALID, VEX_Vandps_ymm_ymm_ymmm256, EVEX_Vandps_ymm_k1z_ymm_ymmm256b32],
        (AndNot, F64, Scalar | L128) => [Andnpd_xmm_xmmm128, VEX_Vandnpd_xmm_xmm_xmmm128, EVEX_Vandnpd_xmm_k1z_xmm_xmmm128b64],
        (AndNot, F64, L256) => [INVALID, VEX_Vandnpd_ymm_ymm_ymmm256, EVEX_Vandnpd_ymm_k1z_ymm_ymmm256b64],
        (AndNot, F32, Scalar | L128) => [Andnps_xmm_xmmm128, VEX_Vandnps_xmm_xmm_xmmm128, EVEX_Vandnps_xmm_k1z_xmm_xmmm128b32],
        (AndNot, F32, L256) => [INVALID, VEX_Vandnps_ymm_ymm_ymmm256, EVEX_Vandnps_ymm_k1z_ymm_ymmm256b32],
        (Or, F64, Scalar | L128) => [Orpd_xmm_xmmm128, VEX_Vorpd_xmm_xmm_xmmm128, EVEX_Vorpd_xmm_k1z_xmm_xmmm128b64],
        (Or, F64, L256) => [INVALID, VEX_Vorpd_ymm_ymm_ymmm256, EVEX_Vorpd_ymm_k1z_ymm_ymmm256b64],
        (Or, F32, Scalar | L128) => [Orps_xmm_xmmm128, VEX_Vorps_xmm_xmm_xmmm128, EVEX_Vorps_xmm_k1z_xmm_xmmm128b32],
        (Or, F32, L256) => [INVALID, VEX_Vorps_ymm_ymm_ymmm256, EVEX_Vorps_ymm_k1z_ymm_ymmm256b32],
        (Xor, F64, Scalar | L128) => [Xorpd_xmm_xmmm128, VEX_Vxorpd_xmm_xmm_xmmm128, EVEX_Vxorpd_xmm_k1z_xmm_xmmm128b64],
        (Xor, F64, L256) => [INVALID, VEX_Vxorpd_ymm_ymm_ymmm256, EVEX_Vxorpd_ymm_k1z_ymm_ymmm256b64],
        (Xor, F32, Scalar | L128) => [Xorps_xmm_xmmm128, VEX_Vxorps_xmm_xmm_xmmm128, EVEX_Vxorps_xmm_k1z_xmm_xmmm128b32],
        (Xor, F32, L256) => [INVALID, VEX_Vxorps_ymm_ymm_ymmm256, EVEX_Vxorps_ymm_k1z_ymm_ymmm256b32],
        (Compare, F64, Scalar) => [Cmpsd_xmm_xmmm64_imm8, VEX_Vcmpsd_xmm_xmm_xmmm64_imm8, EVEX_Vcmpsd_kr_k1_xmm_xmmm64_imm8_sae],
        (Compare, F64, L128) => [Cmppd_xmm_xmmm128_imm8, VEX_Vcmppd_xmm_xmm_xmmm128_imm8, EVEX_Vcmppd_kr_k1_xmm_xmmm128b64_imm8],
        (Compare, F64, L256) => [INVALID, VEX_Vcmppd_ymm_ymm_ymmm256_imm8, EVEX_Vcmppd_kr_k1_ymm_ymmm256b64_imm8],
        (Compare, F32, Scalar) => [Cmpss_xmm_xmmm32_imm8, VEX_Vcmpss_xmm_xmm_xmmm32_imm8, EVEX_Vcmpss_kr_k1_xmm_xmmm32_imm8_sae],
        (Compare, F32, L128) => [Cmpps_xmm_xmmm128_imm8, VEX_Vcmpps_xmm_xmm_xmmm128_imm8, EVEX_Vcmpps_kr_k1_xmm_xmmm128b32_imm8],
        (Compare, F32, L256) => [INVALID, VEX_Vcmpps_ymm_ymm_ymmm256_imm8, EVEX_Vcmpps_kr_k1_ymm_ymmm256b32_imm8],
        (MultiplyAdd, F64, Scalar) => [INVALID, VEX_Vfmadd231sd_xmm_xmm_xmmm64, EVEX_Vfmadd231sd_xmm_k1z_xmm_xmmm64_er],
        (MultiplyAdd, F64, L128) => [INVALID, VEX_Vfmadd231pd_xmm_xmm_xmmm128, EVEX_Vfmadd231pd_xmm_k1z_xmm_xmmm128b64],
        (MultiplyAdd, F64, L256) => [INVALID, VEX_Vfmadd231pd_ymm_ymm_ymmm256, EVEX_Vfmadd231pd_ymm_k1z_ymm_ymmm256b64],
        (MultiplyAdd, F32, Scalar) => [INVALID, VEX_Vfmadd231ss_xmm_xmm_xmmm32, EVEX_Vfmadd231ss_xmm_k1z_xmm_xmmm32_er],
        (MultiplyAdd, F32, L128) => [INVALID, VEX_Vfmadd231ps_xmm_xmm_xmmm128, EVEX_Vfmadd231ps_xmm_k1z_xmm_xmmm128b32],
        (MultiplyAdd, F32, L256) => [INVALID, VEX_Vfmadd231ps_ymm_ymm_ymmm256, EVEX_Vfmadd231ps_ymm_k1z_ymm_ymmm256b32],
        (MultiplySubtract, F64, Scalar) => [INVALID, VEX_Vfnmadd231sd_xmm_xmm_xmmm64, EVEX_Vfnmadd231sd_xmm_k1z_xmm_xmmm64_er],
        (MultiplySubtract, F64, L128) => [INVALID, VEX_Vfnmadd231pd_xmm_xmm_xmmm128, EVEX_Vfnmadd231pd_xmm_k1z_xmm_xmmm128b64],
        (MultiplySubtract, F64, L256) => [INVALID, VEX_Vfnmadd231pd_ymm_ymm_ymmm256, EVEX_Vfnmadd231pd_ymm_k1z_ymm_ymmm256b64],
        (MultiplySubtract, F32, Scalar) => [INVALID, VEX_Vfnmadd231ss_xmm_xmm_xmmm32, EVEX_Vfnmadd231ss_xmm_k1z_xmm_xmmm32_er],
        (MultiplySubtract, F32, L128) => [INVALID, VEX_Vfnmadd231ps_xmm_xmm_xmmm128, EVEX_Vfnmadd231ps_xmm_k1z_xmm_xmmm128b32],
        (MultiplySubtract, F32, L256) => [INVALID, VEX_Vfnmadd231ps_ymm_ymm_ymmm256, EVEX_Vfnmadd231ps_ymm_k1z_ymm_ymmm256b32],
        (MultiplyThenAdd, F64, Scalar) => [INVALID, INVALID, EVEX_Vfmadd132sd_xmm_k1z_xmm_xmmm64_er],
        (MultiplyThenAdd, F64, L128) => [INVALID, INVALID, EVEX_Vfmadd132pd_xmm_k1z_xmm_xmmm128b64],
        (MultiplyThenAdd, F64, L256) => [INVALID, INVALID, EVEX_Vfmadd132pd_ymm_k1z_ymm_ymmm256b64],
        (MultiplyThenAdd, F32, Scalar) => [INVALID, INVALID, EVEX_Vfmadd132ss_xmm_k1z_xmm_xmmm32_er],
        (MultiplyThenAdd, F32, L128) => [INVALID, INVALID, EVEX_Vfmadd132ps_xmm_k1z_xmm_xmmm128b32],
        (MultiplyThenAdd, F32, L256) => [INVALID, INVALID, EVEX_Vfmadd132ps_ymm_k1z_ymm_ymmm256b32],
    }
}

/// The code of an operation in a form.
pub(crate) fn code(operation: Operation, shape: Shape, form: Form) -> Code {
    let code = row(operation, shape)[form as usize];
    assert!(code != Code::INVALID, "{operation:?} {shape:?} has no {form:?} form");
    code
}

impl Operand {
    /// A register of the width of `shape`.
    pub(crate) fn of(shape: Shape, number: usize) -> Operand {
        Operand::Register(shape.register(number))
    }
}

/// Mask of an EVEX operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Masking {
    None,
    /// Lanes whose bit is clear become zero.
    Zero(Register),
    /// Lanes whose bit is clear keep their value.
    Merge(Register),
}

impl Assembler {
    /// An instruction with a second operand that is a register or memory.
    pub(crate) fn binary(&mut self, code: Code, target: Register, second: Operand) {
        self.built(match second {
            Operand::Register(register) => Instruction::with2(code, target, register),
            Operand::Memory(memory) => Instruction::with2(code, target, memory.operand()),
        });
    }

    /// An instruction with a second operand and a mask.
    pub(crate) fn masked_binary(&mut self, code: Code, target: Register, second: Operand, masking: Masking) {
        let built = match second {
            Operand::Register(register) => Instruction::with2(code, target, register),
            Operand::Memory(memory) => Instruction::with2(code, target, memory.operand()),
        };
        self.built(built.map(|mut instruction| {
            apply(&mut instruction, masking);
            instruction
        }));
    }

    /// An instruction with a third operand that is a register or memory.
    pub(crate) fn ternary(&mut self, code: Code, target: Register, first: Register, second: Operand) {
        self.masked(code, target, first, second, Masking::None);
    }

    pub(crate) fn masked(
        &mut self,
        code: Code,
        target: Register,
        first: Register,
        second: Operand,
        masking: Masking,
    ) {
        let built = match second {
            Operand::Register(register) => Instruction::with3(code, target, first, register),
            Operand::Memory(memory) => Instruction::with3(code, target, first, memory.operand()),
        };
        self.built(built.map(|mut instruction| {
            apply(&mut instruction, masking);
            instruction
        }));
    }

    /// An instruction with a third operand and an immediate.
    pub(crate) fn with_immediate(
        &mut self,
        code: Code,
        target: Register,
        first: Register,
        second: Operand,
        immediate: u32,
    ) {
        self.built(match second {
            Operand::Register(register) => Instruction::with4(code, target, first, register, immediate),
            Operand::Memory(memory) => Instruction::with4(code, target, first, memory.operand(), immediate),
        });
    }
}

pub(crate) fn apply(instruction: &mut Instruction, masking: Masking) {
    match masking {
        Masking::None => {}
        Masking::Zero(mask) => {
            instruction.set_op_mask(mask);
            instruction.set_zeroing_masking(true);
        }
        Masking::Merge(mask) => instruction.set_op_mask(mask),
    }
}

/// Loads a memory operand of the given shape, in a form.
pub(crate) fn load_code(shape: Shape, form: Form) -> Code {
    use Code::*;
    match (shape.width, shape.element, form) {
        (Width::Scalar, Element::F64, Form::Legacy) => Movsd_xmm_xmmm64,
        (Width::Scalar, Element::F64, Form::Vex) => VEX_Vmovsd_xmm_m64,
        (Width::Scalar, Element::F64, Form::Evex) => EVEX_Vmovsd_xmm_k1z_m64,
        (Width::Scalar, Element::F32, Form::Legacy) => Movss_xmm_xmmm32,
        (Width::Scalar, Element::F32, Form::Vex) => VEX_Vmovss_xmm_m32,
        (Width::Scalar, Element::F32, Form::Evex) => EVEX_Vmovss_xmm_k1z_m32,
        (Width::L128, _, Form::Legacy) => Movups_xmm_xmmm128,
        (Width::L128, _, Form::Vex) => VEX_Vmovups_xmm_xmmm128,
        (Width::L128, _, Form::Evex) => EVEX_Vmovups_xmm_k1z_xmmm128,
        (Width::L256, _, Form::Evex) => EVEX_Vmovups_ymm_k1z_ymmm256,
        (Width::L256, _, _) => VEX_Vmovups_ymm_ymmm256,
    }
}

/// Loads from memory.
pub(crate) fn load(asm: &mut Assembler, shape: Shape, form: Form, target: usize, place: Memory) {
    let code = load_code(shape, form);
    asm.built(Instruction::with2(code, shape.register(target), place.operand()));
}
