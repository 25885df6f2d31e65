//! Codes of shadow operations with masks, for 128, 256 and 512 bits.

use crate::emit::{xmm, ymm, zmm};
use crate::rules::{Element, Lanes};
use iced_x86::{Code, Instruction, Register};

/// What an operation with a mask works on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WideShape {
    /// Bytes of a lane.
    pub bytes: usize,
    /// Is it the lowest lane alone that is computed?
    pub scalar: bool,
    /// 0 for 128 bits, 1 for 256, 2 for 512.
    size: usize,
    /// The client's mask, none if all lanes are written.
    pub mask: Register,
    /// Do lanes that are masked off become zero?
    pub zeroes: bool,
}

/// Operations on shadows and values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WideOperation {
    Multiply,
    Divide,
    /// target += first * second
    MultiplyAdd,
    /// target -= first * second
    MultiplySubtract,
    Xor,
    /// The first source times a power of two.
    Scale,
    /// Lanes of the second source where the mask is set, else of the first.
    Blend,
    /// A mask of the lanes whose bitwise conjunction is not zero.
    Test,
    Compare,
    /// A full register or memory.
    Move,
    /// One lane of memory, to all lanes.
    Broadcast,
}

impl WideOperation {
    /// Does it round, and raise flags?
    pub fn is_arithmetic(self) -> bool {
        use WideOperation::*;
        matches!(self, Multiply | Divide | MultiplyAdd | MultiplySubtract | Scale)
    }
}

impl WideShape {
    /// The shape of an instruction on lanes of `bytes`.
    pub fn new(instruction: &Instruction, bytes: usize, lanes: Lanes) -> WideShape {
        let widest = instruction.op0_register();
        let size = match lanes {
            Lanes::Packed if widest.is_zmm() => 2,
            Lanes::Packed if widest.is_ymm() => 1,
            _ => 0,
        };
        WideShape {
            bytes,
            scalar: lanes == Lanes::Scalar,
            size,
            mask: instruction.op_mask(),
            zeroes: instruction.zeroing_masking(),
        }
    }

    pub fn of_element(instruction: &Instruction, element: Element, lanes: Lanes) -> WideShape {
        let bytes = if element == Element::F32 { 4 } else { 8 };
        WideShape::new(instruction, bytes, lanes)
    }

    /// The same for lanes of other numbers.
    pub fn with_bytes(self, bytes: usize) -> WideShape {
        WideShape { bytes, ..self }
    }

    /// All lanes of 32 bits.
    pub fn in_halves(self) -> WideShape {
        self.unmasked().with_bytes(4)
    }

    /// The same for all lanes.
    pub fn unmasked(self) -> WideShape {
        WideShape { mask: Register::None, zeroes: false, ..self }
    }

    pub fn element(self) -> Element {
        if self.bytes == 4 {
            Element::F32
        } else {
            Element::F64
        }
    }

    /// Does the result have more than 128 bits?
    pub fn is_wide(self) -> bool {
        self.size > 0
    }

    /// Bytes of a register.
    pub fn register_bytes(self) -> usize {
        16 << self.size
    }

    /// Register of this width.
    pub fn register(self, number: usize) -> Register {
        match self.size {
            0 => xmm(number),
            1 => ymm(number),
            _ => zmm(number),
        }
    }

    /// The code of an operation on lanes of 32 or 64 bits.
    pub fn code(self, operation: WideOperation) -> Code {
        row(operation, self.element())[self.size]
    }

    /// A store of a full register.
    pub fn store_code(self) -> Code {
        use Code::*;
        let row = [EVEX_Vmovups_xmmm128_k1z_xmm, EVEX_Vmovups_ymmm256_k1z_ymm, EVEX_Vmovups_zmmm512_k1z_zmm];
        row[self.size]
    }

    /// Shift of 32-bit lanes to the left.
    pub fn shift_code(self) -> Code {
        use Code::*;
        let row = [
            EVEX_Vpslld_xmm_k1z_xmmm128b32_imm8,
            EVEX_Vpslld_ymm_k1z_ymmm256b32_imm8,
            EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8,
        ];
        row[self.size]
    }

    /// A mask of 32-bit lanes that are equal.
    pub fn equal_code(self) -> Code {
        use Code::*;
        let row = [
            EVEX_Vpcmpeqd_kr_k1_xmm_xmmm128b32,
            EVEX_Vpcmpeqd_kr_k1_ymm_ymmm256b32,
            EVEX_Vpcmpeqd_kr_k1_zmm_zmmm512b32,
        ];
        row[self.size]
    }

    /// A mask of 32-bit lanes whose bitwise conjunction is zero.
    pub fn test_not_code(self) -> Code {
        use Code::*;
        let row = [
            EVEX_Vptestnmd_kr_k1_xmm_xmmm128b32,
            EVEX_Vptestnmd_kr_k1_ymm_ymmm256b32,
            EVEX_Vptestnmd_kr_k1_zmm_zmmm512b32,
        ];
        row[self.size]
    }

    /// Any function of the bits of three operands.
    pub fn ternary_code(self) -> Code {
        use Code::*;
        let row = [
            EVEX_Vpternlogd_xmm_k1z_xmm_xmmm128b32_imm8,
            EVEX_Vpternlogd_ymm_k1z_ymm_ymmm256b32_imm8,
            EVEX_Vpternlogd_zmm_k1z_zmm_zmmm512b32_imm8,
        ];
        row[self.size]
    }

    pub fn or_code(self) -> Code {
        use Code::*;
        let row = [
            EVEX_Vpord_xmm_k1z_xmm_xmmm128b32,
            EVEX_Vpord_ymm_k1z_ymm_ymmm256b32,
            EVEX_Vpord_zmm_k1z_zmm_zmmm512b32,
        ];
        row[self.size]
    }

    /// A move with a mask for each lane.
    pub fn move_code(self) -> Code {
        use Code::*;
        let row = match self.bytes {
            1 => {
                [EVEX_Vmovdqu8_xmm_k1z_xmmm128, EVEX_Vmovdqu8_ymm_k1z_ymmm256, EVEX_Vmovdqu8_zmm_k1z_zmmm512]
            }
            2 => [
                EVEX_Vmovdqu16_xmm_k1z_xmmm128,
                EVEX_Vmovdqu16_ymm_k1z_ymmm256,
                EVEX_Vmovdqu16_zmm_k1z_zmmm512,
            ],
            _ => row(WideOperation::Move, self.element()),
        };
        row[self.size]
    }
}

fn row(operation: WideOperation, element: Element) -> [Code; 3] {
    use Code::*;
    use Element::{F32, F64};
    use WideOperation::*;
    match (operation, element) {
        (Multiply, F32) => [
            EVEX_Vmulps_xmm_k1z_xmm_xmmm128b32,
            EVEX_Vmulps_ymm_k1z_ymm_ymmm256b32,
            EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er,
        ],
        (Multiply, F64) => [
            EVEX_Vmulpd_xmm_k1z_xmm_xmmm128b64,
            EVEX_Vmulpd_ymm_k1z_ymm_ymmm256b64,
            EVEX_Vmulpd_zmm_k1z_zmm_zmmm512b64_er,
        ],
        (Divide, F32) => [
            EVEX_Vdivps_xmm_k1z_xmm_xmmm128b32,
            EVEX_Vdivps_ymm_k1z_ymm_ymmm256b32,
            EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er,
        ],
        (Divide, F64) => [
            EVEX_Vdivpd_xmm_k1z_xmm_xmmm128b64,
            EVEX_Vdivpd_ymm_k1z_ymm_ymmm256b64,
            EVEX_Vdivpd_zmm_k1z_zmm_zmmm512b64_er,
        ],
        (MultiplyAdd, F32) => [
            EVEX_Vfmadd231ps_xmm_k1z_xmm_xmmm128b32,
            EVEX_Vfmadd231ps_ymm_k1z_ymm_ymmm256b32,
            EVEX_Vfmadd231ps_zmm_k1z_zmm_zmmm512b32_er,
        ],
        (MultiplyAdd, F64) => [
            EVEX_Vfmadd231pd_xmm_k1z_xmm_xmmm128b64,
            EVEX_Vfmadd231pd_ymm_k1z_ymm_ymmm256b64,
            EVEX_Vfmadd231pd_zmm_k1z_zmm_zmmm512b64_er,
        ],
        (MultiplySubtract, F32) => [
            EVEX_Vfnmadd231ps_xmm_k1z_xmm_xmmm128b32,
            EVEX_Vfnmadd231ps_ymm_k1z_ymm_ymmm256b32,
            EVEX_Vfnmadd231ps_zmm_k1z_zmm_zmmm512b32_er,
        ],
        (MultiplySubtract, F64) => [
            EVEX_Vfnmadd231pd_xmm_k1z_xmm_xmmm128b64,
            EVEX_Vfnmadd231pd_ymm_k1z_ymm_ymmm256b64,
            EVEX_Vfnmadd231pd_zmm_k1z_zmm_zmmm512b64_er,
        ],
        (Xor, F32) => [
            EVEX_Vpxord_xmm_k1z_xmm_xmmm128b32,
            EVEX_Vpxord_ymm_k1z_ymm_ymmm256b32,
            EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32,
        ],
        (Xor, F64) => [
            EVEX_Vpxorq_xmm_k1z_xmm_xmmm128b64,
            EVEX_Vpxorq_ymm_k1z_ymm_ymmm256b64,
            EVEX_Vpxorq_zmm_k1z_zmm_zmmm512b64,
        ],
        (Scale, F32) => [
            EVEX_Vscalefps_xmm_k1z_xmm_xmmm128b32,
            EVEX_Vscalefps_ymm_k1z_ymm_ymmm256b32,
            EVEX_Vscalefps_zmm_k1z_zmm_zmmm512b32_er,
        ],
        (Scale, F64) => [
            EVEX_Vscalefpd_xmm_k1z_xmm_xmmm128b64,
            EVEX_Vscalefpd_ymm_k1z_ymm_ymmm256b64,
            EVEX_Vscalefpd_zmm_k1z_zmm_zmmm512b64_er,
        ],
        (Blend, F32) => [
            EVEX_Vblendmps_xmm_k1z_xmm_xmmm128b32,
            EVEX_Vblendmps_ymm_k1z_ymm_ymmm256b32,
            EVEX_Vblendmps_zmm_k1z_zmm_zmmm512b32,
        ],
        (Blend, F64) => [
            EVEX_Vblendmpd_xmm_k1z_xmm_xmmm128b64,
            EVEX_Vblendmpd_ymm_k1z_ymm_ymmm256b64,
            EVEX_Vblendmpd_zmm_k1z_zmm_zmmm512b64,
        ],
        (Test, F32) => [
            EVEX_Vptestmd_kr_k1_xmm_xmmm128b32,
            EVEX_Vptestmd_kr_k1_ymm_ymmm256b32,
            EVEX_Vptestmd_kr_k1_zmm_zmmm512b32,
        ],
        (Test, F64) => [
            EVEX_Vptestmq_kr_k1_xmm_xmmm128b64,
            EVEX_Vptestmq_kr_k1_ymm_ymmm256b64,
            EVEX_Vptestmq_kr_k1_zmm_zmmm512b64,
        ],
        (Compare, F32) => [
            EVEX_Vcmpps_kr_k1_xmm_xmmm128b32_imm8,
            EVEX_Vcmpps_kr_k1_ymm_ymmm256b32_imm8,
            EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae,
        ],
        (Compare, F64) => [
            EVEX_Vcmppd_kr_k1_xmm_xmmm128b64_imm8,
            EVEX_Vcmppd_kr_k1_ymm_ymmm256b64_imm8,
            EVEX_Vcmppd_kr_k1_zmm_zmmm512b64_imm8_sae,
        ],
        (Move, F32) => {
            [EVEX_Vmovups_xmm_k1z_xmmm128, EVEX_Vmovups_ymm_k1z_ymmm256, EVEX_Vmovups_zmm_k1z_zmmm512]
        }
        (Move, F64) => {
            [EVEX_Vmovupd_xmm_k1z_xmmm128, EVEX_Vmovupd_ymm_k1z_ymmm256, EVEX_Vmovupd_zmm_k1z_zmmm512]
        }
        (Broadcast, F32) => [
            EVEX_Vpbroadcastd_xmm_k1z_xmmm32,
            EVEX_Vpbroadcastd_ymm_k1z_xmmm32,
            EVEX_Vpbroadcastd_zmm_k1z_xmmm32,
        ],
        (Broadcast, F64) => [
            EVEX_Vpbroadcastq_xmm_k1z_xmmm64,
            EVEX_Vpbroadcastq_ymm_k1z_xmmm64,
            EVEX_Vpbroadcastq_zmm_k1z_xmmm64,
        ],
    }
}
