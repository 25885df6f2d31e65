//! Families of instructions that have no rule: why, and what becomes of active operands.

use super::{Class, Family, Loss};
use iced_x86::{Code, CpuidFeature, FlowControl, Mnemonic};

/// Instructions of a family: those of the features, or those named, whatever their encoding.
struct Row {
    family: Family,
    features: &'static [CpuidFeature],
    mnemonics: &'static [Mnemonic],
}

type Tests = &'static [&'static str];

const COUNTED: &[&str] = &["what_has_no_rule_is_passive_and_counted"];
const GENERAL: &[&str] = &["arithmetic_on_bits_is_passive_and_counted"];
const OLD: &[&str] = &["x87_and_mmx"];
const WIDE: &[&str] = &["avx512_without_rules"];
const LOWERED: &[&str] = &["every_code_is_lowered_as_its_class_says"];

/// A family whose active operands are counted.
const fn counted(tests: Tests, class: Class, name: &'static str, rule: &'static str) -> Family {
    Family { class, name, rule, loss: Loss::Counted, tests }
}

const fn of(family: Family, features: &'static [CpuidFeature], mnemonics: &'static [Mnemonic]) -> Row {
    Row { family, features, mnemonics }
}

/// The family of a code that is never executed.
pub fn not_executed(code: Code) -> Option<Family> {
    let info = code.op_code();
    let (name, rule) = if info.is_privileged() {
        ("Privileged", "a user's program faults, as it does natively")
    } else if crate::decode::is_far(code) {
        ("Far transfers and returns from interrupts", "they leave 64-bit mode: the client gets SIGILL")
    } else {
        ("Instructions of processors of the past", "not decoded: the client gets SIGILL, as it does natively")
    };
    Some(Family { class: Class::Refused, name, rule, loss: Loss::NotExecuted, tests: LOWERED })
}

/// The family of a code without a rule.
pub fn family(code: Code) -> Option<Family> {
    if code.flow_control() != FlowControl::Next {
        return Some(CONTROL);
    }
    let features = code.cpuid_features();
    let fits = |row: &&Row| {
        row.mnemonics.contains(&code.mnemonic())
            || features.iter().any(|feature| row.features.contains(feature))
    };
    let of_mmx = || crate::rules::uses_mmx(&super::representative(code)).then_some(MMX);
    ROWS.iter().find(fits).map(|row| row.family).or_else(of_mmx)
}

const MMX: Family = Family {
    loss: Loss::Unresolved,
    ..counted(
        OLD,
        Class::Bits,
        "Arithmetic and logic of MMX",
        "as in vector registers; what that does not resolve is counted",
    )
};

const CONTROL: Family = Family {
    class: Class::Passive,
    name: "Control",
    rule: "a condition, a counter and what is jumped to are no floats",
    loss: Loss::None,
    tests: LOWERED,
};

use Mnemonic::*;

#[rustfmt::skip] // One family of instructions a line.
const ROWS: &[Row] = &[
    of(
        counted(LOWERED, Class::Refused, "Real arithmetic of 3DNow!", "no rule: processors of the past"),
        &[CpuidFeature::D3NOW, CpuidFeature::D3NOWEXT],
        &[],
    ),
    of(
        counted(LOWERED, Class::Refused, "FMA4 and XOP", "no rule: CPUID hides them, processors of the past"),
        &[CpuidFeature::FMA4, CpuidFeature::XOP, CpuidFeature::TBM, CpuidFeature::LWP],
        &[],
    ),
    of(
        counted(LOWERED, Class::Refused, "Tiles (AMX)", "no rule: CPUID hides them; each load of a tile is counted"),
        &[
            CpuidFeature::AMX_TILE, CpuidFeature::AMX_INT8, CpuidFeature::AMX_BF16, CpuidFeature::AMX_FP16,
            CpuidFeature::AMX_COMPLEX,
        ],
        &[],
    ),
    of(
        counted(
            LOWERED, Class::Refused,
            "Conversions of AVX-NE-CONVERT",
            "no rule: few programs have them",
        ),
        &[CpuidFeature::AVX_NE_CONVERT],
        &[],
    ),
    of(
        counted(WIDE, Class::Refused, "Real arithmetic of Xeon Phi", "no rule: processors of the past"),
        &[CpuidFeature::AVX512ER, CpuidFeature::AVX512_4FMAPS],
        &[],
    ),
    of(
        counted(WIDE, Class::Refused, "Intersections of AVX-512", "no rule: processors of the past"),
        &[CpuidFeature::AVX512_VP2INTERSECT],
        &[],
    ),
    of(
        counted(
            LOWERED, Class::Refused,
            "Prefetches by vectors of addresses",
            "they compute nothing, but are counted as the gathers without a rule are: processors of the past",
        ),
        &[CpuidFeature::AVX512PF],
        &[],
    ),
    of(
        counted(
            WIDE, Class::Bits,
            "Mask registers",
            "they have no shadows: bits that come from a general register or from memory are counted",
        ),
        &[],
        &[
            Kaddb, Kaddw, Kaddd, Kaddq, Kandb, Kandw, Kandd, Kandq, Kandnb, Kandnw, Kandnd, Kandnq,
            Kmovb, Kmovw, Kmovd, Kmovq, Knotb, Knotw, Knotd, Knotq, Korb, Korw, Kord, Korq,
            Kortestb, Kortestw, Kortestd, Kortestq, Kshiftlb, Kshiftlw, Kshiftld, Kshiftlq,
            Kshiftrb, Kshiftrw, Kshiftrd, Kshiftrq, Ktestb, Ktestw, Ktestd, Ktestq,
            Kunpckbw, Kunpckwd, Kunpckdq, Kxnorb, Kxnorw, Kxnord, Kxnorq, Kxorb, Kxorw, Kxord, Kxorq,
            Vpmovm2b, Vpmovm2w, Vpmovm2d, Vpmovm2q, Vpbroadcastmb2q, Vpbroadcastmw2d,
        ],
    ),
    of(
        counted(GENERAL, Class::Bits, "Integer arithmetic", "on the bits of an active number it is counted"),
        &[CpuidFeature::ADX, CpuidFeature::RAO_INT, CpuidFeature::CMPCCXADD],
        &[Add, Adc, Sub, Sbb, Inc, Dec, Neg, Mul, Imul, Div, Idiv, Mulx, Lea],
    ),
    of(
        counted(GENERAL, Class::Bits, "Shifts, rotations and logic of general registers", "on the bits of an active number they are counted"),
        &[CpuidFeature::BMI2],
        &[
            Not, Rol, Ror, Rcl, Rcr, Sal, Shld, Shrd, Bts, Btr, Btc, Bswap, Movbe, Andn, Bextr, Blsi, Blsmsk, Blsr,
        ],
    ),
    of(
        counted(
            GENERAL, Class::Bits,
            "Parts of numbers in general registers",
            "extensions and loads of parts of an active number are counted",
        ),
        &[],
        &[Movsx, Movsxd, Movzx, Cbw, Cwde, Cdqe, Cwd, Cdq, Cqo, Lodsb, Lodsw, Lodsd, Lodsq, Xlatb],
    ),
    of(
        counted(
            COUNTED, Class::Bits,
            "Bytes and words of vector registers",
            "parts of an active number are counted",
        ),
        &[],
        &[
            Pinsrb, Vpinsrb, Pinsrw, Vpinsrw, Pextrb, Vpextrb, Pextrw, Vpextrw, Vpinsrd, Vpinsrq, Vpextrd, Vpextrq,
            Packsswb, Vpacksswb, Packssdw, Vpackssdw, Packuswb, Vpackuswb, Packusdw, Vpackusdw,
            Pmovsxbw, Vpmovsxbw, Pmovsxbd, Vpmovsxbd, Pmovsxbq, Vpmovsxbq, Pmovsxwd, Vpmovsxwd,
            Pmovsxwq, Vpmovsxwq, Pmovsxdq, Vpmovsxdq, Pmovzxbw, Vpmovzxbw, Pmovzxbd, Vpmovzxbd,
            Pmovzxbq, Vpmovzxbq, Pmovzxwd, Vpmovzxwd, Pmovzxwq, Vpmovzxwq, Pmovzxdq, Vpmovzxdq,
            Vpmovdb, Vpmovdw, Vpmovqb, Vpmovqd, Vpmovqw, Vpmovwb, Vpmovsdb, Vpmovsdw, Vpmovsqb, Vpmovsqd, Vpmovsqw,
            Vmovw, Vpmovswb, Vpmovusdb, Vpmovusdw, Vpmovusqb, Vpmovusqd, Vpmovusqw, Vpmovuswb, Vpmultishiftqb,
        ],
    ),
    of(
        counted(COUNTED, Class::Bits, "Shifts and rotations of vector lanes", "on the bits of an active number they are counted"),
        &[],
        &[
            Psllw, Vpsllw, Pslld, Vpslld, Psllq, Vpsllq, Psrlw, Vpsrlw, Psrld, Vpsrld, Psrlq, Vpsrlq,
            Psraw, Vpsraw, Psrad, Vpsrad, Vpsraq, Vpsllvw, Vpsllvd, Vpsllvq, Vpsrlvw, Vpsrlvd, Vpsrlvq,
            Vpsravw, Vpsravd, Vpsravq, Vprold, Vprolq, Vprolvd, Vprolvq, Vprord, Vprorq, Vprorvd, Vprorvq,
            Vpshldw, Vpshldd, Vpshldq, Vpshldvw, Vpshldvd, Vpshldvq, Vpshrdw, Vpshrdd, Vpshrdq, Vpshrdvw, Vpshrdvd, Vpshrdvq,
        ],
    ),
    of(
        counted(COUNTED, Class::Bits, "Arithmetic on integer lanes", "on the bits of an active number it is counted"),
        &[
            CpuidFeature::AVX512_IFMA, CpuidFeature::AVX_IFMA, CpuidFeature::AVX512_VNNI, CpuidFeature::AVX_VNNI,
            CpuidFeature::AVX_VNNI_INT8, CpuidFeature::AVX_VNNI_INT16, CpuidFeature::AVX512_4VNNIW,
            CpuidFeature::AVX512_BITALG, CpuidFeature::AVX512_VPOPCNTDQ,
        ],
        &[
            Paddb, Vpaddb, Paddw, Vpaddw, Paddd, Vpaddd, Paddq, Vpaddq,
            Paddsb, Vpaddsb, Paddsw, Vpaddsw, Paddusb, Vpaddusb, Paddusw, Vpaddusw,
            Psubb, Vpsubb, Psubw, Vpsubw, Psubd, Vpsubd, Psubq, Vpsubq,
            Psubsb, Vpsubsb, Psubsw, Vpsubsw, Psubusb, Vpsubusb, Psubusw, Vpsubusw,
            Pmullw, Vpmullw, Pmulld, Vpmulld, Vpmullq, Pmulhw, Vpmulhw, Pmulhuw, Vpmulhuw, Pmulhrsw, Vpmulhrsw,
            Pmuludq, Vpmuludq, Pmuldq, Vpmuldq, Pmaddwd, Vpmaddwd, Pmaddubsw, Vpmaddubsw,
            Pavgb, Vpavgb, Pavgw, Vpavgw, Pabsb, Vpabsb, Pabsw, Vpabsw, Pabsd, Vpabsd, Vpabsq,
            Psignb, Vpsignb, Psignw, Vpsignw, Psignd, Vpsignd,
            Phaddw, Vphaddw, Phaddd, Vphaddd, Phaddsw, Vphaddsw, Phsubw, Vphsubw, Phsubd, Vphsubd, Phsubsw, Vphsubsw,
            Pminsd, Vpminsd, Vpminsq, Pminud, Vpminud, Vpminuq,
            Pmaxsd, Vpmaxsd, Vpmaxsq, Pmaxud, Vpmaxud, Vpmaxuq,
        ],
    ),
    of(
        counted(
            COUNTED, Class::Bits,
            "Conversions from integers of several lanes",
            "an integer carries no derivative; one whose bits are an active number is counted",
        ),
        &[],
        &[
            Cvtdq2pd, Vcvtdq2pd, Cvtdq2ps, Vcvtdq2ps, Cvtpi2pd, Cvtpi2ps, Vcvtqq2pd, Vcvtqq2ps, Vcvtudq2pd, Vcvtudq2ps,
            Vcvtuqq2pd, Vcvtuqq2ps, Vcvtsi2sd, Vcvtsi2ss, Vcvtusi2sd, Vcvtusi2ss,
            Vcvtw2ph, Vcvtuw2ph, Vcvtdq2ph, Vcvtudq2ph, Vcvtqq2ph, Vcvtuqq2ph, Vcvtsi2sh, Vcvtusi2sh,
        ],
    ),
    of(
        counted(
            LOWERED, Class::Bits,
            "Ciphers and products of polynomials",
            "counted: the operand could be computed from the result",
        ),
        &[
            CpuidFeature::AES, CpuidFeature::VAES, CpuidFeature::GFNI, CpuidFeature::PCLMULQDQ,
            CpuidFeature::VPCLMULQDQ, CpuidFeature::SM4, CpuidFeature::AESKLE, CpuidFeature::WIDE_KL,
        ],
        &[],
    ),
    of(
        counted(LOWERED, Class::Refused, "Moves that only old programs or processors use", "no rule"),
        &[CpuidFeature::SSE4A, CpuidFeature::MOVDIRI, CpuidFeature::CET_SS],
        &[Lss, Lfs, Lgs],
    ),
    of(
        Family { loss: Loss::NotExecuted, tests: LOWERED, ..counted(
            LOWERED, Class::Refused,
            "Segments, enclaves, virtual machines, keys, user interrupts",
            "the processor faults, or the kernel does not offer it",
        ) },
        &[
            CpuidFeature::SGX1, CpuidFeature::SMX, CpuidFeature::SVM, CpuidFeature::VMX, CpuidFeature::SEV_ES,
            CpuidFeature::UINTR, CpuidFeature::MONITOR, CpuidFeature::PADLOCK_UNDOC, CpuidFeature::MPX,
        ],
        &[],
    ),
];
