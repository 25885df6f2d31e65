//! EVEX encodings of copies and permutations, which can name zmm16-31 directly.
//!
//! A row holds the codes for 128 and 256 bits. Instructions without a row take the detour over low registers.

use iced_x86::{Code, EncodingKind, Instruction, Mnemonic, OpKind, Register};

/// Rows: mnemonic, code for xmm, code for ymm. Operands are those of the VEX form, which has no merged operand.
#[rustfmt::skip] // One row a line.
const UNARY: &[(Mnemonic, Code, Code)] = &[
    (Mnemonic::Movapd, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Vmovapd, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Movaps, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Vmovaps, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Movupd, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Vmovupd, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Movups, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Vmovups, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Movdqa, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Vmovdqa, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Movdqu, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Vmovdqu, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Lddqu, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Vlddqu, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Movntdqa, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Vmovntdqa, Code::EVEX_Vmovups_xmm_k1z_xmmm128, Code::EVEX_Vmovups_ymm_k1z_ymmm256),
    (Mnemonic::Movddup, Code::EVEX_Vmovddup_xmm_k1z_xmmm64, Code::EVEX_Vmovddup_ymm_k1z_ymmm256),
    (Mnemonic::Vmovddup, Code::EVEX_Vmovddup_xmm_k1z_xmmm64, Code::EVEX_Vmovddup_ymm_k1z_ymmm256),
    (Mnemonic::Movshdup, Code::EVEX_Vmovshdup_xmm_k1z_xmmm128, Code::EVEX_Vmovshdup_ymm_k1z_ymmm256),
    (Mnemonic::Vmovshdup, Code::EVEX_Vmovshdup_xmm_k1z_xmmm128, Code::EVEX_Vmovshdup_ymm_k1z_ymmm256),
    (Mnemonic::Movsldup, Code::EVEX_Vmovsldup_xmm_k1z_xmmm128, Code::EVEX_Vmovsldup_ymm_k1z_ymmm256),
    (Mnemonic::Vmovsldup, Code::EVEX_Vmovsldup_xmm_k1z_xmmm128, Code::EVEX_Vmovsldup_ymm_k1z_ymmm256),
    (Mnemonic::Pshufd, Code::EVEX_Vpshufd_xmm_k1z_xmmm128b32_imm8, Code::EVEX_Vpshufd_ymm_k1z_ymmm256b32_imm8),
    (Mnemonic::Vpshufd, Code::EVEX_Vpshufd_xmm_k1z_xmmm128b32_imm8, Code::EVEX_Vpshufd_ymm_k1z_ymmm256b32_imm8),
    (Mnemonic::Pshufhw, Code::EVEX_Vpshufhw_xmm_k1z_xmmm128_imm8, Code::EVEX_Vpshufhw_ymm_k1z_ymmm256_imm8),
    (Mnemonic::Vpshufhw, Code::EVEX_Vpshufhw_xmm_k1z_xmmm128_imm8, Code::EVEX_Vpshufhw_ymm_k1z_ymmm256_imm8),
    (Mnemonic::Pshuflw, Code::EVEX_Vpshuflw_xmm_k1z_xmmm128_imm8, Code::EVEX_Vpshuflw_ymm_k1z_ymmm256_imm8),
    (Mnemonic::Vpshuflw, Code::EVEX_Vpshuflw_xmm_k1z_xmmm128_imm8, Code::EVEX_Vpshuflw_ymm_k1z_ymmm256_imm8),
    (Mnemonic::Cvtps2pd, Code::EVEX_Vcvtps2pd_xmm_k1z_xmmm64b32, Code::EVEX_Vcvtps2pd_ymm_k1z_xmmm128b32),
    (Mnemonic::Vcvtps2pd, Code::EVEX_Vcvtps2pd_xmm_k1z_xmmm64b32, Code::EVEX_Vcvtps2pd_ymm_k1z_xmmm128b32),
    (Mnemonic::Vpermpd, Code::INVALID, Code::EVEX_Vpermpd_ymm_k1z_ymmm256b64_imm8),
    (Mnemonic::Vpermq, Code::INVALID, Code::EVEX_Vpermq_ymm_k1z_ymmm256b64_imm8),
    (Mnemonic::Vbroadcastsd, Code::INVALID, Code::EVEX_Vbroadcastsd_ymm_k1z_xmmm64),
    (Mnemonic::Vbroadcastss, Code::EVEX_Vbroadcastss_xmm_k1z_xmmm32, Code::EVEX_Vbroadcastss_ymm_k1z_xmmm32),
    (Mnemonic::Vpbroadcastq, Code::EVEX_Vpbroadcastq_xmm_k1z_xmmm64, Code::EVEX_Vpbroadcastq_ymm_k1z_xmmm64),
    (Mnemonic::Vpbroadcastd, Code::EVEX_Vpbroadcastd_xmm_k1z_xmmm32, Code::EVEX_Vpbroadcastd_ymm_k1z_xmmm32),
    (Mnemonic::Vpbroadcastw, Code::EVEX_Vpbroadcastw_xmm_k1z_xmmm16, Code::EVEX_Vpbroadcastw_ymm_k1z_xmmm16),
    (Mnemonic::Vpbroadcastb, Code::EVEX_Vpbroadcastb_xmm_k1z_xmmm8, Code::EVEX_Vpbroadcastb_ymm_k1z_xmmm8),
    (Mnemonic::Vbroadcastf128, Code::INVALID, Code::EVEX_Vbroadcastf64x2_ymm_k1z_m128),
    (Mnemonic::Vbroadcasti128, Code::INVALID, Code::EVEX_Vbroadcasti64x2_ymm_k1z_m128),
];

/// The same for instructions whose VEX form merges two sources; the legacy form's target is the first.
#[rustfmt::skip] // One row a line.
const MERGING: &[(Mnemonic, Code, Code)] = &[
    (Mnemonic::Unpcklpd, Code::EVEX_Vunpcklpd_xmm_k1z_xmm_xmmm128b64, Code::EVEX_Vunpcklpd_ymm_k1z_ymm_ymmm256b64),
    (Mnemonic::Vunpcklpd, Code::EVEX_Vunpcklpd_xmm_k1z_xmm_xmmm128b64, Code::EVEX_Vunpcklpd_ymm_k1z_ymm_ymmm256b64),
    (Mnemonic::Unpckhpd, Code::EVEX_Vunpckhpd_xmm_k1z_xmm_xmmm128b64, Code::EVEX_Vunpckhpd_ymm_k1z_ymm_ymmm256b64),
    (Mnemonic::Vunpckhpd, Code::EVEX_Vunpckhpd_xmm_k1z_xmm_xmmm128b64, Code::EVEX_Vunpckhpd_ymm_k1z_ymm_ymmm256b64),
    (Mnemonic::Unpcklps, Code::EVEX_Vunpcklps_xmm_k1z_xmm_xmmm128b32, Code::EVEX_Vunpcklps_ymm_k1z_ymm_ymmm256b32),
    (Mnemonic::Vunpcklps, Code::EVEX_Vunpcklps_xmm_k1z_xmm_xmmm128b32, Code::EVEX_Vunpcklps_ymm_k1z_ymm_ymmm256b32),
    (Mnemonic::Unpckhps, Code::EVEX_Vunpckhps_xmm_k1z_xmm_xmmm128b32, Code::EVEX_Vunpckhps_ymm_k1z_ymm_ymmm256b32),
    (Mnemonic::Vunpckhps, Code::EVEX_Vunpckhps_xmm_k1z_xmm_xmmm128b32, Code::EVEX_Vunpckhps_ymm_k1z_ymm_ymmm256b32),
    (Mnemonic::Punpcklqdq, Code::EVEX_Vpunpcklqdq_xmm_k1z_xmm_xmmm128b64, Code::EVEX_Vpunpcklqdq_ymm_k1z_ymm_ymmm256b64),
    (Mnemonic::Vpunpcklqdq, Code::EVEX_Vpunpcklqdq_xmm_k1z_xmm_xmmm128b64, Code::EVEX_Vpunpcklqdq_ymm_k1z_ymm_ymmm256b64),
    (Mnemonic::Punpckhqdq, Code::EVEX_Vpunpckhqdq_xmm_k1z_xmm_xmmm128b64, Code::EVEX_Vpunpckhqdq_ymm_k1z_ymm_ymmm256b64),
    (Mnemonic::Vpunpckhqdq, Code::EVEX_Vpunpckhqdq_xmm_k1z_xmm_xmmm128b64, Code::EVEX_Vpunpckhqdq_ymm_k1z_ymm_ymmm256b64),
    (Mnemonic::Punpckldq, Code::EVEX_Vpunpckldq_xmm_k1z_xmm_xmmm128b32, Code::EVEX_Vpunpckldq_ymm_k1z_ymm_ymmm256b32),
    (Mnemonic::Vpunpckldq, Code::EVEX_Vpunpckldq_xmm_k1z_xmm_xmmm128b32, Code::EVEX_Vpunpckldq_ymm_k1z_ymm_ymmm256b32),
    (Mnemonic::Punpckhdq, Code::EVEX_Vpunpckhdq_xmm_k1z_xmm_xmmm128b32, Code::EVEX_Vpunpckhdq_ymm_k1z_ymm_ymmm256b32),
    (Mnemonic::Vpunpckhdq, Code::EVEX_Vpunpckhdq_xmm_k1z_xmm_xmmm128b32, Code::EVEX_Vpunpckhdq_ymm_k1z_ymm_ymmm256b32),
    (Mnemonic::Punpcklwd, Code::EVEX_Vpunpcklwd_xmm_k1z_xmm_xmmm128, Code::EVEX_Vpunpcklwd_ymm_k1z_ymm_ymmm256),
    (Mnemonic::Vpunpcklwd, Code::EVEX_Vpunpcklwd_xmm_k1z_xmm_xmmm128, Code::EVEX_Vpunpcklwd_ymm_k1z_ymm_ymmm256),
    (Mnemonic::Punpckhwd, Code::EVEX_Vpunpckhwd_xmm_k1z_xmm_xmmm128, Code::EVEX_Vpunpckhwd_ymm_k1z_ymm_ymmm256),
    (Mnemonic::Vpunpckhwd, Code::EVEX_Vpunpckhwd_xmm_k1z_xmm_xmmm128, Code::EVEX_Vpunpckhwd_ymm_k1z_ymm_ymmm256),
    (Mnemonic::Punpcklbw, Code::EVEX_Vpunpcklbw_xmm_k1z_xmm_xmmm128, Code::EVEX_Vpunpcklbw_ymm_k1z_ymm_ymmm256),
    (Mnemonic::Vpunpcklbw, Code::EVEX_Vpunpcklbw_xmm_k1z_xmm_xmmm128, Code::EVEX_Vpunpcklbw_ymm_k1z_ymm_ymmm256),
    (Mnemonic::Punpckhbw, Code::EVEX_Vpunpckhbw_xmm_k1z_xmm_xmmm128, Code::EVEX_Vpunpckhbw_ymm_k1z_ymm_ymmm256),
    (Mnemonic::Vpunpckhbw, Code::EVEX_Vpunpckhbw_xmm_k1z_xmm_xmmm128, Code::EVEX_Vpunpckhbw_ymm_k1z_ymm_ymmm256),
    (Mnemonic::Shufpd, Code::EVEX_Vshufpd_xmm_k1z_xmm_xmmm128b64_imm8, Code::EVEX_Vshufpd_ymm_k1z_ymm_ymmm256b64_imm8),
    (Mnemonic::Vshufpd, Code::EVEX_Vshufpd_xmm_k1z_xmm_xmmm128b64_imm8, Code::EVEX_Vshufpd_ymm_k1z_ymm_ymmm256b64_imm8),
    (Mnemonic::Shufps, Code::EVEX_Vshufps_xmm_k1z_xmm_xmmm128b32_imm8, Code::EVEX_Vshufps_ymm_k1z_ymm_ymmm256b32_imm8),
    (Mnemonic::Vshufps, Code::EVEX_Vshufps_xmm_k1z_xmm_xmmm128b32_imm8, Code::EVEX_Vshufps_ymm_k1z_ymm_ymmm256b32_imm8),
    (Mnemonic::Palignr, Code::EVEX_Vpalignr_xmm_k1z_xmm_xmmm128_imm8, Code::EVEX_Vpalignr_ymm_k1z_ymm_ymmm256_imm8),
    (Mnemonic::Vpalignr, Code::EVEX_Vpalignr_xmm_k1z_xmm_xmmm128_imm8, Code::EVEX_Vpalignr_ymm_k1z_ymm_ymmm256_imm8),
    (Mnemonic::Pshufb, Code::EVEX_Vpshufb_xmm_k1z_xmm_xmmm128, Code::EVEX_Vpshufb_ymm_k1z_ymm_ymmm256),
    (Mnemonic::Vpshufb, Code::EVEX_Vpshufb_xmm_k1z_xmm_xmmm128, Code::EVEX_Vpshufb_ymm_k1z_ymm_ymmm256),
    (Mnemonic::Vpermps, Code::INVALID, Code::EVEX_Vpermps_ymm_k1z_ymm_ymmm256b32),
    (Mnemonic::Vpermd, Code::INVALID, Code::EVEX_Vpermd_ymm_k1z_ymm_ymmm256b32),
    (Mnemonic::Vinsertf128, Code::INVALID, Code::EVEX_Vinsertf64x2_ymm_k1z_ymm_xmmm128_imm8),
    (Mnemonic::Vinserti128, Code::INVALID, Code::EVEX_Vinserti64x2_ymm_k1z_ymm_xmmm128_imm8),
    (Mnemonic::Movhlps, Code::EVEX_Vmovhlps_xmm_xmm_xmm, Code::INVALID),
    (Mnemonic::Vmovhlps, Code::EVEX_Vmovhlps_xmm_xmm_xmm, Code::INVALID),
    (Mnemonic::Movlhps, Code::EVEX_Vmovlhps_xmm_xmm_xmm, Code::INVALID),
    (Mnemonic::Vmovlhps, Code::EVEX_Vmovlhps_xmm_xmm_xmm, Code::INVALID),
    (Mnemonic::Insertps, Code::EVEX_Vinsertps_xmm_xmm_xmmm32_imm8, Code::INVALID),
    (Mnemonic::Vinsertps, Code::EVEX_Vinsertps_xmm_xmm_xmmm32_imm8, Code::INVALID),
    (Mnemonic::Cvtss2sd, Code::EVEX_Vcvtss2sd_xmm_k1z_xmm_xmmm32_sae, Code::INVALID),
    (Mnemonic::Vcvtss2sd, Code::EVEX_Vcvtss2sd_xmm_k1z_xmm_xmmm32_sae, Code::INVALID),
    (Mnemonic::Cvtsd2ss, Code::EVEX_Vcvtsd2ss_xmm_k1z_xmm_xmmm64_er, Code::INVALID),
    (Mnemonic::Vcvtsd2ss, Code::EVEX_Vcvtsd2ss_xmm_k1z_xmm_xmmm64_er, Code::INVALID),
];

/// How to perform a copy on zmm16-31.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Copy {
    pub code: Code,
    /// The first operand of the client's legacy instruction is also its first source.
    pub repeats_target: bool,
}

/// The EVEX form of a copy, if it has one.
pub(crate) fn evex_copy(instruction: &Instruction) -> Option<Copy> {
    let legacy = instruction.encoding() == EncodingKind::Legacy;
    let plain = |code| Some(Copy { code, repeats_target: false });
    if let Some(copy) = partial_move(instruction, legacy) {
        return Some(copy);
    }
    let mnemonic = instruction.mnemonic();
    let stores = instruction.op0_kind() == OpKind::Memory;
    if stores {
        return match mnemonic {
            Mnemonic::Vextractf128 | Mnemonic::Vextracti128 => {
                plain(Code::EVEX_Vextractf64x2_xmmm128_k1z_ymm_imm8)
            }
            _ if is_full_move(mnemonic) && instruction.op1_register().is_ymm() => {
                plain(Code::EVEX_Vmovups_ymmm256_k1z_ymm)
            }
            _ if is_full_move(mnemonic) => plain(Code::EVEX_Vmovups_xmmm128_k1z_xmm),
            _ => None,
        };
    }
    match mnemonic {
        Mnemonic::Vextractf128 | Mnemonic::Vextracti128 => {
            return plain(Code::EVEX_Vextractf64x2_xmmm128_k1z_ymm_imm8);
        }
        Mnemonic::Vpermilpd | Mnemonic::Vpermilps => return permute_in_lane(instruction),
        Mnemonic::Vcvtpd2ps | Mnemonic::Cvtpd2ps => {
            let wide = instruction.op1_register().is_ymm() || instruction.memory_size().size() == 32;
            return plain(if wide {
                Code::EVEX_Vcvtpd2ps_xmm_k1z_ymmm256b64
            } else {
                Code::EVEX_Vcvtpd2ps_xmm_k1z_xmmm128b64
            });
        }
        Mnemonic::Vpermpd | Mnemonic::Vpermq if instruction.op2_kind() != OpKind::Immediate8 => return None,
        _ => {}
    }
    let find = |rows: &[(Mnemonic, Code, Code)]| {
        let row = rows.iter().find(|row| row.0 == mnemonic)?;
        let code = if instruction.op0_register().is_ymm() { row.2 } else { row.1 };
        (code != Code::INVALID).then_some(code)
    };
    if let Some(code) = find(UNARY) {
        return plain(code);
    }
    find(MERGING).map(|code| Copy { code, repeats_target: legacy })
}

fn is_full_move(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(
        mnemonic,
        Movapd
            | Movaps
            | Movupd
            | Movups
            | Movdqa
            | Movdqu
            | Movntpd
            | Movntps
            | Movntdq
            | Vmovapd
            | Vmovaps
            | Vmovupd
            | Vmovups
            | Vmovdqa
            | Vmovdqu
            | Vmovntpd
            | Vmovntps
            | Vmovntdq
    )
}

/// Does the instruction copy a full register to another?
pub(crate) fn copies_register(instruction: &Instruction) -> bool {
    is_full_move(instruction.mnemonic())
        && instruction.op0_kind() == OpKind::Register
        && instruction.op1_kind() == OpKind::Register
}

/// Moves of one or two lanes, whose operands differ between load, store and register form.
fn partial_move(instruction: &Instruction, legacy: bool) -> Option<Copy> {
    let stores = instruction.op0_kind() == OpKind::Memory;
    let last = instruction.op_count() - 1;
    let loads = instruction.op_kind(last) == OpKind::Memory;
    let (code, merges) = match (instruction.mnemonic(), stores, loads) {
        (Mnemonic::Movsd | Mnemonic::Vmovsd, true, _) => (Code::EVEX_Vmovsd_m64_k1_xmm, false),
        (Mnemonic::Movsd | Mnemonic::Vmovsd, _, true) => (Code::EVEX_Vmovsd_xmm_k1z_m64, false),
        (Mnemonic::Movsd | Mnemonic::Vmovsd, _, _) => (Code::EVEX_Vmovsd_xmm_k1z_xmm_xmm, true),
        (Mnemonic::Movss | Mnemonic::Vmovss, true, _) => (Code::EVEX_Vmovss_m32_k1_xmm, false),
        (Mnemonic::Movss | Mnemonic::Vmovss, _, true) => (Code::EVEX_Vmovss_xmm_k1z_m32, false),
        (Mnemonic::Movss | Mnemonic::Vmovss, _, _) => (Code::EVEX_Vmovss_xmm_k1z_xmm_xmm, true),
        (Mnemonic::Movhpd | Mnemonic::Vmovhpd | Mnemonic::Movhps | Mnemonic::Vmovhps, true, _) => {
            (Code::EVEX_Vmovhpd_m64_xmm, false)
        }
        (Mnemonic::Movhpd | Mnemonic::Vmovhpd | Mnemonic::Movhps | Mnemonic::Vmovhps, _, _) => {
            (Code::EVEX_Vmovhpd_xmm_xmm_m64, true)
        }
        (Mnemonic::Movlpd | Mnemonic::Vmovlpd | Mnemonic::Movlps | Mnemonic::Vmovlps, true, _) => {
            (Code::EVEX_Vmovlpd_m64_xmm, false)
        }
        (Mnemonic::Movlpd | Mnemonic::Vmovlpd | Mnemonic::Movlps | Mnemonic::Vmovlps, _, _) => {
            (Code::EVEX_Vmovlpd_xmm_xmm_m64, true)
        }
        _ => return None,
    };
    Some(Copy { code, repeats_target: merges && legacy })
}

fn permute_in_lane(instruction: &Instruction) -> Option<Copy> {
    let wide = instruction.op0_register().is_ymm();
    let immediate = instruction.op2_kind() == OpKind::Immediate8;
    let code = match (instruction.mnemonic(), wide, immediate) {
        (Mnemonic::Vpermilpd, false, true) => Code::EVEX_Vpermilpd_xmm_k1z_xmmm128b64_imm8,
        (Mnemonic::Vpermilpd, true, true) => Code::EVEX_Vpermilpd_ymm_k1z_ymmm256b64_imm8,
        (Mnemonic::Vpermilpd, false, false) => Code::EVEX_Vpermilpd_xmm_k1z_xmm_xmmm128b64,
        (Mnemonic::Vpermilpd, true, false) => Code::EVEX_Vpermilpd_ymm_k1z_ymm_ymmm256b64,
        (_, false, true) => Code::EVEX_Vpermilps_xmm_k1z_xmmm128b32_imm8,
        (_, true, true) => Code::EVEX_Vpermilps_ymm_k1z_ymmm256b32_imm8,
        (_, false, false) => Code::EVEX_Vpermilps_xmm_k1z_xmm_xmmm128b32,
        (_, true, false) => Code::EVEX_Vpermilps_ymm_k1z_ymm_ymmm256b32,
    };
    Some(Copy { code, repeats_target: false })
}

/// The same register of the upper half: xmm3 becomes xmm19.
pub(crate) fn upper_half(register: Register) -> Register {
    register + 16
}
