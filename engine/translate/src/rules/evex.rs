//! Rules of AVX-512 instructions: copies and permutations, as clients use them that see AVX-512 (the C library's
//! `memcpy` does), and comparisons into mask registers. Arithmetic has no rules yet.

use super::Rule;
use iced_x86::{Instruction, Mnemonic, OpKind, Register};

/// Copies and permutations of all operands.
#[rustfmt::skip] // One family a line.
const ALL: &[Mnemonic] = &[
    Mnemonic::Vmovdqu8, Mnemonic::Vmovdqu16, Mnemonic::Vmovdqu32, Mnemonic::Vmovdqu64,
    Mnemonic::Vmovdqa32, Mnemonic::Vmovdqa64,
    Mnemonic::Vmovups, Mnemonic::Vmovupd, Mnemonic::Vmovaps, Mnemonic::Vmovapd,
    Mnemonic::Vmovntdq, Mnemonic::Vmovntps, Mnemonic::Vmovntpd, Mnemonic::Vmovntdqa,
    Mnemonic::Vmovddup, Mnemonic::Vmovshdup, Mnemonic::Vmovsldup,
    Mnemonic::Vmovss, Mnemonic::Vmovsd, Mnemonic::Vmovlhps, Mnemonic::Vmovhlps,
    Mnemonic::Vmovlps, Mnemonic::Vmovlpd, Mnemonic::Vmovhps, Mnemonic::Vmovhpd,
    Mnemonic::Vbroadcastss, Mnemonic::Vbroadcastsd,
    Mnemonic::Vbroadcastf32x2, Mnemonic::Vbroadcastf32x4, Mnemonic::Vbroadcastf32x8,
    Mnemonic::Vbroadcastf64x2, Mnemonic::Vbroadcastf64x4,
    Mnemonic::Vbroadcasti32x2, Mnemonic::Vbroadcasti32x4, Mnemonic::Vbroadcasti32x8,
    Mnemonic::Vbroadcasti64x2, Mnemonic::Vbroadcasti64x4,
    Mnemonic::Vpbroadcastb, Mnemonic::Vpbroadcastw, Mnemonic::Vpbroadcastd, Mnemonic::Vpbroadcastq,
    Mnemonic::Vpshufd, Mnemonic::Vpshufhw, Mnemonic::Vpshuflw, Mnemonic::Vpslldq, Mnemonic::Vpsrldq,
    Mnemonic::Vunpcklps, Mnemonic::Vunpckhps, Mnemonic::Vunpcklpd, Mnemonic::Vunpckhpd,
    Mnemonic::Vpunpcklbw, Mnemonic::Vpunpckhbw, Mnemonic::Vpunpcklwd, Mnemonic::Vpunpckhwd,
    Mnemonic::Vpunpckldq, Mnemonic::Vpunpckhdq, Mnemonic::Vpunpcklqdq, Mnemonic::Vpunpckhqdq,
    Mnemonic::Vshufps, Mnemonic::Vshufpd, Mnemonic::Vinsertps,
    Mnemonic::Vshuff32x4, Mnemonic::Vshuff64x2, Mnemonic::Vshufi32x4, Mnemonic::Vshufi64x2,
    Mnemonic::Valignd, Mnemonic::Valignq, Mnemonic::Vpalignr,
    Mnemonic::Vinsertf32x4, Mnemonic::Vinsertf32x8, Mnemonic::Vinsertf64x2, Mnemonic::Vinsertf64x4,
    Mnemonic::Vinserti32x4, Mnemonic::Vinserti32x8, Mnemonic::Vinserti64x2, Mnemonic::Vinserti64x4,
    Mnemonic::Vextractf32x4, Mnemonic::Vextractf32x8, Mnemonic::Vextractf64x2, Mnemonic::Vextractf64x4,
    Mnemonic::Vextracti32x4, Mnemonic::Vextracti32x8, Mnemonic::Vextracti64x2, Mnemonic::Vextracti64x4,
    Mnemonic::Vblendmps, Mnemonic::Vblendmpd,
    Mnemonic::Vpblendmb, Mnemonic::Vpblendmw, Mnemonic::Vpblendmd, Mnemonic::Vpblendmq,
    Mnemonic::Vmovd, Mnemonic::Vmovq,
];

/// Permutations of which the second operand tells what goes where.
#[rustfmt::skip] // One family a line.
const BY_SECOND: &[Mnemonic] = &[
    Mnemonic::Vpermb, Mnemonic::Vpermw, Mnemonic::Vpermd, Mnemonic::Vpermps,
    Mnemonic::Vpermt2b, Mnemonic::Vpermt2w, Mnemonic::Vpermt2d, Mnemonic::Vpermt2q,
    Mnemonic::Vpermt2ps, Mnemonic::Vpermt2pd,
];

/// Comparisons, where their result is a mask register.
#[rustfmt::skip] // One family a line.
const COMPARISONS: &[Mnemonic] = &[
    Mnemonic::Vpcmpeqb, Mnemonic::Vpcmpeqw, Mnemonic::Vpcmpeqd, Mnemonic::Vpcmpeqq,
    Mnemonic::Vpcmpgtb, Mnemonic::Vpcmpgtw, Mnemonic::Vpcmpgtd, Mnemonic::Vpcmpgtq,
    Mnemonic::Vpcmpb, Mnemonic::Vpcmpw, Mnemonic::Vpcmpd, Mnemonic::Vpcmpq,
    Mnemonic::Vpcmpub, Mnemonic::Vpcmpuw, Mnemonic::Vpcmpud, Mnemonic::Vpcmpuq,
    Mnemonic::Vcmpps, Mnemonic::Vcmppd, Mnemonic::Vcmpss, Mnemonic::Vcmpsd,
    Mnemonic::Vptestmb, Mnemonic::Vptestmw, Mnemonic::Vptestmd, Mnemonic::Vptestmq,
    Mnemonic::Vptestnmb, Mnemonic::Vptestnmw, Mnemonic::Vptestnmd, Mnemonic::Vptestnmq,
];

pub(super) fn rule(instruction: &Instruction) -> Rule {
    let mnemonic = instruction.mnemonic();
    let compares = (Register::K0..=Register::K7).contains(&instruction.op0_register());
    if compares && COMPARISONS.contains(&mnemonic) {
        return Rule::Passive;
    }
    match shadows(instruction) {
        Some(shadows) if is_tracked(instruction, shadows) => Rule::SameWide(shadows),
        _ => Rule::None,
    }
}

/// Bit k is set where operand k stands for its shadow, as for [`Rule::Same`].
fn shadows(instruction: &Instruction) -> Option<u8> {
    let mnemonic = instruction.mnemonic();
    let by_immediate = instruction.op2_kind() == OpKind::Immediate8;
    match mnemonic {
        Mnemonic::Vpermq | Mnemonic::Vpermpd => Some(if by_immediate { 0b011 } else { 0b101 }),
        Mnemonic::Vpermilps | Mnemonic::Vpermilpd | Mnemonic::Vpshufb => Some(0b011),
        _ if BY_SECOND.contains(&mnemonic) => Some(0b101),
        _ if ALL.contains(&mnemonic) => Some(0b111),
        _ => None,
    }
}

/// The shadows of bits 256 and up of registers 0 to 15 have no place. A register cannot be value and shadow at once. And
/// where the old target is a source, an instruction could not run again after a fault of its memory operand.
fn is_tracked(instruction: &Instruction, shadows: u8) -> bool {
    let registers = || {
        (0..instruction.op_count())
            .filter(|k| instruction.op_kind(*k) == OpKind::Register)
            .map(|k| (instruction.op_register(k), shadows >> k & 1 != 0))
    };
    let cut_off = registers().any(|(register, _)| register.is_zmm() && register.number() < 16);
    let both = registers().any(|(value, is_shadow)| {
        !is_shadow && registers().any(|(shadow, is_shadow)| is_shadow && shadow.number() == value.number())
    });
    let general = registers().any(|(register, _)| register.is_gpr());
    let moves_general = matches!(instruction.mnemonic(), Mnemonic::Vmovd | Mnemonic::Vmovq);
    let loads = (1..instruction.op_count()).any(|k| instruction.op_kind(k) == OpKind::Memory);
    let repeats = shadows == 0b101 && loads && is_two_table(instruction.mnemonic());
    !cut_off && !both && !repeats && (!general || moves_general)
}

fn is_two_table(mnemonic: Mnemonic) -> bool {
    use Mnemonic::*;
    matches!(mnemonic, Vpermt2b | Vpermt2w | Vpermt2d | Vpermt2q | Vpermt2ps | Vpermt2pd)
}
