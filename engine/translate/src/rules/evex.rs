//! Rules of EVEX encodings. Arithmetic shares rows with AVX; copies, permutations and what is new in AVX-512 stand
//! here.

use super::{narrow, table, Element, Lanes, Logic, Rule, Wide, INDEX};
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
    Mnemonic::Vcompressps, Mnemonic::Vcompresspd, Mnemonic::Vexpandps, Mnemonic::Vexpandpd,
    Mnemonic::Vpcompressb, Mnemonic::Vpcompressw, Mnemonic::Vpcompressd, Mnemonic::Vpcompressq,
    Mnemonic::Vpexpandb, Mnemonic::Vpexpandw, Mnemonic::Vpexpandd, Mnemonic::Vpexpandq,
    Mnemonic::Vmovd, Mnemonic::Vmovq, Mnemonic::Vmovsh,
];

/// Permutations of which the second operand tells what goes where.
#[rustfmt::skip] // One family a line.
const BY_SECOND: &[Mnemonic] = &[
    Mnemonic::Vpermb, Mnemonic::Vpermw, Mnemonic::Vpermd, Mnemonic::Vpermps,
    Mnemonic::Vpermt2b, Mnemonic::Vpermt2w, Mnemonic::Vpermt2d, Mnemonic::Vpermt2q,
    Mnemonic::Vpermt2ps, Mnemonic::Vpermt2pd,
];

/// Comparisons and tests, where their result is a mask register.
#[rustfmt::skip] // One family a line.
const COMPARISONS: &[Mnemonic] = &[
    Mnemonic::Vpcmpeqb, Mnemonic::Vpcmpeqw, Mnemonic::Vpcmpeqd, Mnemonic::Vpcmpeqq,
    Mnemonic::Vpcmpgtb, Mnemonic::Vpcmpgtw, Mnemonic::Vpcmpgtd, Mnemonic::Vpcmpgtq,
    Mnemonic::Vpcmpb, Mnemonic::Vpcmpw, Mnemonic::Vpcmpd, Mnemonic::Vpcmpq,
    Mnemonic::Vpcmpub, Mnemonic::Vpcmpuw, Mnemonic::Vpcmpud, Mnemonic::Vpcmpuq,
    Mnemonic::Vcmpps, Mnemonic::Vcmppd, Mnemonic::Vcmpss, Mnemonic::Vcmpsd,
    Mnemonic::Vcmpph, Mnemonic::Vcmpsh, Mnemonic::Vfpclassph, Mnemonic::Vfpclasssh,
    Mnemonic::Vptestmb, Mnemonic::Vptestmw, Mnemonic::Vptestmd, Mnemonic::Vptestmq,
    Mnemonic::Vptestnmb, Mnemonic::Vptestnmw, Mnemonic::Vptestnmd, Mnemonic::Vptestnmq,
    Mnemonic::Vfpclassps, Mnemonic::Vfpclasspd, Mnemonic::Vfpclassss, Mnemonic::Vfpclasssd,
    Mnemonic::Vpmovb2m, Mnemonic::Vpmovw2m, Mnemonic::Vpmovd2m, Mnemonic::Vpmovq2m,
];

/// Instructions on the bits of numbers.
#[rustfmt::skip] // One family a line.
const BITS: &[Mnemonic] = &[
    Mnemonic::Vpaddd, Mnemonic::Vpaddq, Mnemonic::Vpsubd, Mnemonic::Vpsubq,
    Mnemonic::Vpslld, Mnemonic::Vpsllq, Mnemonic::Vpsllvd, Mnemonic::Vpsllvq,
    Mnemonic::Vpsrld, Mnemonic::Vpsrlq, Mnemonic::Vpsrlvd, Mnemonic::Vpsrlvq,
    Mnemonic::Vpsrad, Mnemonic::Vpsraq, Mnemonic::Vpsravd, Mnemonic::Vpsravq,
    Mnemonic::Vpsllw, Mnemonic::Vpsllvw, Mnemonic::Vpsrlw, Mnemonic::Vpsrlvw, Mnemonic::Vpsraw, Mnemonic::Vpsravw,
    Mnemonic::Vpshldw, Mnemonic::Vpshldd, Mnemonic::Vpshldq,
    Mnemonic::Vpshldvw, Mnemonic::Vpshldvd, Mnemonic::Vpshldvq,
    Mnemonic::Vpshrdw, Mnemonic::Vpshrdd, Mnemonic::Vpshrdq,
    Mnemonic::Vpshrdvw, Mnemonic::Vpshrdvd, Mnemonic::Vpshrdvq,
    Mnemonic::Vprold, Mnemonic::Vprolq, Mnemonic::Vprolvd, Mnemonic::Vprolvq,
    Mnemonic::Vprord, Mnemonic::Vprorq, Mnemonic::Vprorvd, Mnemonic::Vprorvq,
    Mnemonic::Vpminsd, Mnemonic::Vpminud, Mnemonic::Vpmaxsd, Mnemonic::Vpmaxud,
    Mnemonic::Vpminsq, Mnemonic::Vpminuq, Mnemonic::Vpmaxsq, Mnemonic::Vpmaxuq,
    Mnemonic::Vpmovzxbw, Mnemonic::Vpmovzxbd, Mnemonic::Vpmovzxbq, Mnemonic::Vpmovzxwd, Mnemonic::Vpmovzxwq,
    Mnemonic::Vpmovzxdq,
    Mnemonic::Vpmovsxbw, Mnemonic::Vpmovsxbd, Mnemonic::Vpmovsxbq, Mnemonic::Vpmovsxwd, Mnemonic::Vpmovsxwq,
    Mnemonic::Vpmovsxdq,
    Mnemonic::Vpackssdw, Mnemonic::Vpackusdw, Mnemonic::Vpacksswb, Mnemonic::Vpackuswb,
    Mnemonic::Vpmovwb, Mnemonic::Vpmovdb, Mnemonic::Vpmovdw, Mnemonic::Vpmovqb, Mnemonic::Vpmovqw, Mnemonic::Vpmovqd,
    Mnemonic::Vpmovswb, Mnemonic::Vpmovsdb, Mnemonic::Vpmovsdw, Mnemonic::Vpmovsqb, Mnemonic::Vpmovsqw, Mnemonic::Vpmovsqd,
    Mnemonic::Vpmovuswb, Mnemonic::Vpmovusdb, Mnemonic::Vpmovusdw, Mnemonic::Vpmovusqb, Mnemonic::Vpmovusqw,
    Mnemonic::Vpmovusqd,
    Mnemonic::Vpinsrb, Mnemonic::Vpinsrw, Mnemonic::Vpinsrd, Mnemonic::Vpinsrq,
    Mnemonic::Vpextrb, Mnemonic::Vpextrw, Mnemonic::Vpextrd, Mnemonic::Vpextrq, Mnemonic::Vextractps,
];

/// Comparisons and conversions to general registers.
#[rustfmt::skip] // One family a line.
const TO_GENERAL: &[Mnemonic] = &[
    Mnemonic::Vcomiss, Mnemonic::Vcomisd, Mnemonic::Vucomiss, Mnemonic::Vucomisd,
    Mnemonic::Vcomish, Mnemonic::Vucomish,
    Mnemonic::Vcvtss2si, Mnemonic::Vcvtsd2si, Mnemonic::Vcvttss2si, Mnemonic::Vcvttsd2si,
    Mnemonic::Vcvtsh2si, Mnemonic::Vcvttsh2si, Mnemonic::Vcvtsh2usi, Mnemonic::Vcvttsh2usi,
    Mnemonic::Vcvtss2usi, Mnemonic::Vcvtsd2usi, Mnemonic::Vcvttss2usi, Mnemonic::Vcvttsd2usi,
];

/// Piecewise constant functions, with the bytes of a lane of the result.
#[rustfmt::skip] // The names of a family together.
const PIECEWISE_CONSTANT: &[(&[Mnemonic], usize, Lanes)] = &[
    (
        &[
            Mnemonic::Vpopcntb, Mnemonic::Vpminub, Mnemonic::Vpminsb, Mnemonic::Vpmaxub, Mnemonic::Vpmaxsb,
        ],
        1,
        Lanes::Packed,
    ),
    (
        &[
            Mnemonic::Vcvtph2w, Mnemonic::Vcvttph2w, Mnemonic::Vcvtph2uw, Mnemonic::Vcvttph2uw,
            Mnemonic::Vrndscaleph, Mnemonic::Vgetexpph, Mnemonic::Vpopcntw, Mnemonic::Vdbpsadbw,
            Mnemonic::Vpminuw, Mnemonic::Vpminsw, Mnemonic::Vpmaxuw, Mnemonic::Vpmaxsw,
        ],
        2,
        Lanes::Packed,
    ),
    (
        &[
            Mnemonic::Vcvtps2dq, Mnemonic::Vcvttps2dq, Mnemonic::Vcvtps2udq, Mnemonic::Vcvttps2udq,
            Mnemonic::Vcvtpd2dq, Mnemonic::Vcvttpd2dq, Mnemonic::Vcvtpd2udq, Mnemonic::Vcvttpd2udq,
            Mnemonic::Vrndscaleps, Mnemonic::Vcvtph2dq, Mnemonic::Vcvttph2dq, Mnemonic::Vcvtph2udq,
            Mnemonic::Vcvttph2udq, Mnemonic::Vpconflictd, Mnemonic::Vplzcntd, Mnemonic::Vpopcntd,
            Mnemonic::Vgetexpps,
        ],
        4,
        Lanes::Packed,
    ),
    (
        &[
            Mnemonic::Vrndscaless, Mnemonic::Vgetexpss,
        ],
        4,
        Lanes::Scalar,
    ),
    (
        &[
            Mnemonic::Vcvtps2qq, Mnemonic::Vcvttps2qq, Mnemonic::Vcvtps2uqq, Mnemonic::Vcvttps2uqq,
            Mnemonic::Vcvtpd2qq, Mnemonic::Vcvttpd2qq, Mnemonic::Vcvtpd2uqq, Mnemonic::Vcvttpd2uqq,
            Mnemonic::Vrndscalepd, Mnemonic::Vcvtph2qq, Mnemonic::Vcvttph2qq, Mnemonic::Vcvtph2uqq,
            Mnemonic::Vcvttph2uqq, Mnemonic::Vpconflictq, Mnemonic::Vplzcntq, Mnemonic::Vpopcntq, Mnemonic::Vpsadbw,
            Mnemonic::Vgetexppd,
        ],
        8,
        Lanes::Packed,
    ),
    (
        &[
            Mnemonic::Vrndscalesd, Mnemonic::Vgetexpsd,
        ],
        8,
        Lanes::Scalar,
    ),
];

/// Other rules.
#[rustfmt::skip] // One row a line.
const OTHERS: &[(Mnemonic, Rule)] = &[
    (Mnemonic::Vpandd, Rule::Logic(Logic::And)),
    (Mnemonic::Vpandq, Rule::Logic(Logic::And)),
    (Mnemonic::Vpandnd, Rule::Logic(Logic::AndNot)),
    (Mnemonic::Vpandnq, Rule::Logic(Logic::AndNot)),
    (Mnemonic::Vpord, Rule::Logic(Logic::Or)),
    (Mnemonic::Vporq, Rule::Logic(Logic::Or)),
    (Mnemonic::Vpxord, Rule::Logic(Logic::Xor)),
    (Mnemonic::Vpxorq, Rule::Logic(Logic::Xor)),
    (Mnemonic::Vrcp14ps, Rule::Wide(Wide::Reciprocal(Element::F32, Lanes::Packed))),
    (Mnemonic::Vrcp14pd, Rule::Wide(Wide::Reciprocal(Element::F64, Lanes::Packed))),
    (Mnemonic::Vrcp14ss, Rule::Wide(Wide::Reciprocal(Element::F32, Lanes::Scalar))),
    (Mnemonic::Vrcp14sd, Rule::Wide(Wide::Reciprocal(Element::F64, Lanes::Scalar))),
    (Mnemonic::Vrsqrt14ps, Rule::Wide(Wide::ReciprocalRoot(Element::F32, Lanes::Packed))),
    (Mnemonic::Vrsqrt14pd, Rule::Wide(Wide::ReciprocalRoot(Element::F64, Lanes::Packed))),
    (Mnemonic::Vrsqrt14ss, Rule::Wide(Wide::ReciprocalRoot(Element::F32, Lanes::Scalar))),
    (Mnemonic::Vrsqrt14sd, Rule::Wide(Wide::ReciprocalRoot(Element::F64, Lanes::Scalar))),
    (Mnemonic::Vscalefps, Rule::Wide(Wide::Scale(Element::F32, Lanes::Packed))),
    (Mnemonic::Vscalefpd, Rule::Wide(Wide::Scale(Element::F64, Lanes::Packed))),
    (Mnemonic::Vscalefss, Rule::Wide(Wide::Scale(Element::F32, Lanes::Scalar))),
    (Mnemonic::Vscalefsd, Rule::Wide(Wide::Scale(Element::F64, Lanes::Scalar))),
    (Mnemonic::Vgetmantps, Rule::Wide(Wide::Mantissa(Element::F32, Lanes::Packed))),
    (Mnemonic::Vgetmantpd, Rule::Wide(Wide::Mantissa(Element::F64, Lanes::Packed))),
    (Mnemonic::Vgetmantss, Rule::Wide(Wide::Mantissa(Element::F32, Lanes::Scalar))),
    (Mnemonic::Vgetmantsd, Rule::Wide(Wide::Mantissa(Element::F64, Lanes::Scalar))),
    (Mnemonic::Vreduceps, Rule::Wide(Wide::Reduce(Element::F32, Lanes::Packed))),
    (Mnemonic::Vreducepd, Rule::Wide(Wide::Reduce(Element::F64, Lanes::Packed))),
    (Mnemonic::Vreducess, Rule::Wide(Wide::Reduce(Element::F32, Lanes::Scalar))),
    (Mnemonic::Vreducesd, Rule::Wide(Wide::Reduce(Element::F64, Lanes::Scalar))),
    (Mnemonic::Vrangeps, Rule::Wide(Wide::Range(Element::F32, Lanes::Packed))),
    (Mnemonic::Vrangepd, Rule::Wide(Wide::Range(Element::F64, Lanes::Packed))),
    (Mnemonic::Vrangess, Rule::Wide(Wide::Range(Element::F32, Lanes::Scalar))),
    (Mnemonic::Vrangesd, Rule::Wide(Wide::Range(Element::F64, Lanes::Scalar))),
    (Mnemonic::Vfixupimmps, Rule::Wide(Wide::FixUp(Element::F32, Lanes::Packed))),
    (Mnemonic::Vfixupimmpd, Rule::Wide(Wide::FixUp(Element::F64, Lanes::Packed))),
    (Mnemonic::Vfixupimmss, Rule::Wide(Wide::FixUp(Element::F32, Lanes::Scalar))),
    (Mnemonic::Vfixupimmsd, Rule::Wide(Wide::FixUp(Element::F64, Lanes::Scalar))),
    (Mnemonic::Vpternlogd, Rule::Wide(Wide::Ternary(4))),
    (Mnemonic::Vpternlogq, Rule::Wide(Wide::Ternary(8))),
    (Mnemonic::Vcvtsi2ss, Rule::Wide(Wide::FromInteger(4))),
    (Mnemonic::Vcvtsi2sd, Rule::Wide(Wide::FromInteger(8))),
    (Mnemonic::Vcvtusi2ss, Rule::Wide(Wide::FromInteger(4))),
    (Mnemonic::Vcvtusi2sd, Rule::Wide(Wide::FromInteger(8))),
    (Mnemonic::Vpermi2b, Rule::Wide(Wide::IndexedByTarget(1))),
    (Mnemonic::Vpermi2w, Rule::Wide(Wide::IndexedByTarget(2))),
    (Mnemonic::Vpermi2d, Rule::Wide(Wide::IndexedByTarget(4))),
    (Mnemonic::Vpermi2ps, Rule::Wide(Wide::IndexedByTarget(4))),
    (Mnemonic::Vpermi2q, Rule::Wide(Wide::IndexedByTarget(8))),
    (Mnemonic::Vpermi2pd, Rule::Wide(Wide::IndexedByTarget(8))),
    (Mnemonic::Vgatherdps, Rule::Wide(Wide::Gather)),
    (Mnemonic::Vgatherdpd, Rule::Wide(Wide::Gather)),
    (Mnemonic::Vgatherqps, Rule::Wide(Wide::Gather)),
    (Mnemonic::Vgatherqpd, Rule::Wide(Wide::Gather)),
    (Mnemonic::Vpgatherdd, Rule::Wide(Wide::Gather)),
    (Mnemonic::Vpgatherdq, Rule::Wide(Wide::Gather)),
    (Mnemonic::Vpgatherqd, Rule::Wide(Wide::Gather)),
    (Mnemonic::Vpgatherqq, Rule::Wide(Wide::Gather)),
    (Mnemonic::Vscatterdps, Rule::Wide(Wide::Scatter)),
    (Mnemonic::Vscatterdpd, Rule::Wide(Wide::Scatter)),
    (Mnemonic::Vscatterqps, Rule::Wide(Wide::Scatter)),
    (Mnemonic::Vscatterqpd, Rule::Wide(Wide::Scatter)),
    (Mnemonic::Vpscatterdd, Rule::Wide(Wide::Scatter)),
    (Mnemonic::Vpscatterdq, Rule::Wide(Wide::Scatter)),
    (Mnemonic::Vpscatterqd, Rule::Wide(Wide::Scatter)),
    (Mnemonic::Vpscatterqq, Rule::Wide(Wide::Scatter)),
];

pub(super) fn rule(instruction: &Instruction) -> Rule {
    let mnemonic = instruction.mnemonic();
    if (Register::K0..=Register::K7).contains(&instruction.op0_register()) {
        return if COMPARISONS.contains(&mnemonic) { Rule::Passive } else { Rule::None };
    }
    if TO_GENERAL.contains(&mnemonic) {
        return Rule::Passive;
    }
    if let Some(shadows) = shadows(instruction) {
        return if is_tracked(instruction) { Rule::SameWide(shadows) } else { Rule::Bits };
    }
    if BITS.contains(&mnemonic) {
        return Rule::Bits;
    }
    narrow::rule(mnemonic).unwrap_or_else(|| arithmetic(mnemonic))
}

/// A rule of AVX-512 alone, or one that the mnemonic has in AVX, too.
pub(super) fn arithmetic(mnemonic: Mnemonic) -> Rule {
    if let Some((_, bytes, lanes)) = PIECEWISE_CONSTANT.iter().find(|row| row.0.contains(&mnemonic)) {
        return Rule::Wide(Wide::PassiveLanes(*bytes, *lanes));
    }
    if let Some((_, rule)) = OTHERS.iter().find(|row| row.0 == mnemonic) {
        return *rule;
    }
    let row = usize::from(INDEX[mnemonic as usize]);
    match row.checked_sub(1).map(|row| table::RULES[row].1) {
        Some(rule @ (Rule::Binary(..) | Rule::Unary(..) | Rule::Fused { .. } | Rule::Convert(..))) => rule,
        Some(rule @ Rule::Logic(_)) => rule,
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

/// Are all operands vector registers or memory? Of the others, moves are lowered in the same way.
fn is_tracked(instruction: &Instruction) -> bool {
    let general = (0..instruction.op_count())
        .any(|k| instruction.op_kind(k) == OpKind::Register && instruction.op_register(k).is_gpr());
    !general || matches!(instruction.mnemonic(), Mnemonic::Vmovd | Mnemonic::Vmovq)
}
