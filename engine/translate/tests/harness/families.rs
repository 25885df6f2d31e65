//! What instructions mean for derivatives, said a second time: by the names of instructions, without a look at the
//! rules that are tested.

use super::values::Content;
use iced_x86::{Code, CpuidFeature, EncodingKind, Mnemonic};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Minimum,
    Maximum,
    SquareRoot,
    /// Approximations of 1 / a and 1 / sqrt(a).
    Reciprocal,
    ReciprocalRoot,
    /// The first source times two to the power of the second, rounded down.
    Scale,
    /// The mantissa in an interval that the immediate names.
    Mantissa,
    /// Minimum or maximum, of absolute values or not, with a sign that the immediate names.
    Range,
    /// What is left when a piecewise constant function is subtracted.
    Reduce,
    /// Sign of the product, signs of the addend in even and odd lanes, numbers of factors and addend.
    Fused {
        product: i8,
        even: i8,
        odd: i8,
        factors: [u32; 2],
        addend: u32,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Logic {
    And,
    AndNot,
    Or,
    Xor,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    Arithmetic(Operation, Content, Lanes),
    Logic(Logic),
    /// A dot product of lanes.
    DotProduct(Content),
    /// The shadow of the result is what the instruction makes of the shadows of its operands; bits are set for
    /// operands that stand for their value all the same.
    Same {
        values: u8,
        content: Content,
    },
    /// The lowest lane of that many bytes is passive, the others come from the first source.
    PassiveLane(usize),
    /// Lanes of that many bytes that are computed are passive; masks keep others.
    PassiveLanes(usize, Lanes),
    /// Old target, first source or a constant.
    FixUp(Content, Lanes),
    /// A permutation of two tables whose indices, in lanes of that many bytes, are in the target.
    IndexedByTarget(usize),
    /// Passive, and an active operand is no loss.
    Passive,
    /// Passive, and an active operand is counted.
    Counted,
    /// What the computed rule says.
    Bits,
    /// Arithmetic while recording is paused: the lanes that are computed are passive.
    Paused(Operation, Content, Lanes),
    /// Not to be run on random operands, or tested elsewhere.
    Elsewhere,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lanes {
    Scalar,
    Packed,
}

/// Name of a mnemonic without the `v` of VEX forms.
pub fn stem(code: Code) -> String {
    let name = format!("{:?}", code.mnemonic()).to_lowercase();
    let vex = matches!(code.op_code().encoding(), EncodingKind::VEX | EncodingKind::EVEX);
    match name.strip_prefix('v') {
        Some(stem) if vex => stem.to_string(),
        _ => name,
    }
}

/// The family of a code.
pub fn family(code: Code) -> Family {
    let info = code.op_code();
    let stem = stem(code);
    let uses_mmx = (0..info.op_count()).any(|k| format!("{:?}", info.op_kind(k)).starts_with("mm_"));
    if is_elsewhere(code, &stem) {
        return Family::Elsewhere;
    }
    if info.encoding() == EncodingKind::EVEX {
        return evex(code, &stem);
    }
    if uses_masks(code) {
        return Family::Counted;
    }
    if is_x87(code) {
        return if X87_PASSIVE.contains(&stem.as_str()) { Family::Passive } else { Family::Elsewhere };
    }
    if uses_mmx && (MMX_COPIES.contains(&stem.as_str()) || stem.starts_with("punpck")) {
        return Family::Elsewhere;
    }
    if uses_mmx {
        let converts = stem.starts_with("cvt") && stem.ends_with("pi");
        let passive = converts || stem.starts_with("pcmp") || COMPARES_BYTES.contains(&stem.as_str());
        let on_bits = works_on_bits(&stem, true) || ["pand", "pandn", "por", "pxor"].contains(&stem.as_str());
        return match (passive, on_bits) {
            (true, _) => Family::Passive,
            (false, true) => Family::Bits,
            (false, false) => Family::Counted,
        };
    }
    if let Some(family) = arithmetic(&stem) {
        return family;
    }
    let vector = has_vector(code);
    match stem.as_str() {
        "andpd" | "andps" | "pand" => Family::Logic(Logic::And),
        "andnpd" | "andnps" | "pandn" => Family::Logic(Logic::AndNot),
        "orpd" | "orps" | "por" => Family::Logic(Logic::Or),
        "xorpd" | "xorps" | "pxor" => Family::Logic(Logic::Xor),
        "dppd" => Family::DotProduct(Content::F64),
        "dpps" => Family::DotProduct(Content::F32),
        "addsubpd" | "haddpd" | "hsubpd" => Family::Same { values: 0, content: Content::F64 },
        "addsubps" | "haddps" | "hsubps" => Family::Same { values: 0, content: Content::F32 },
        "cvtss2sd" | "cvtps2pd" => Family::Same { values: 0, content: Content::F32 },
        "cvtsd2ss" | "cvtpd2ps" => Family::Same { values: 0, content: Content::F64 },
        "cvtph2ps" => Family::Same { values: 0, content: Content::F16 },
        "cvtps2ph" => Family::Same { values: 0, content: Content::F32 },
        "pshufb" if !vector => Family::Counted,
        "pshufb" => same(1 << (info.op_count() - 1)),
        "permilpd" | "permilps" if is_register_or_memory(code, 2) => same(0b100),
        "permps" | "permd" => same(0b010),
        "permpd" | "permq" if is_register_or_memory(code, 2) => same(0b010),
        "blendvpd" | "blendvps" | "pblendvb" => same(0b1000),
        "maskmovpd" | "maskmovps" | "pmaskmovd" | "pmaskmovq" => same(0b010),
        stem if COPIES.contains(&stem) && vector => same(0),
        "mov" | "movnti" => general_move(code),
        "cmpsd" | "roundsd" => Family::PassiveLane(8),
        "cmpss" | "roundss" => Family::PassiveLane(4),
        stem if PASSIVE.contains(&stem) => Family::Passive,
        stem if works_on_bits(stem, vector) => Family::Bits,
        _ => Family::Counted,
    }
}

/// Tests of these instructions with active numbers stand apart.
pub fn is_x87(code: Code) -> bool {
    let unit = [CpuidFeature::FPU, CpuidFeature::FPU287, CpuidFeature::FPU387];
    code.cpuid_features().iter().any(|feature| unit.contains(feature))
}

/// Logic, integer sums, shifts and parts.
fn works_on_bits(stem: &str, vector: bool) -> bool {
    const GENERAL: &[&str] = &[
        "and", "or", "xor", "not", "andn", "bts", "btr", "btc", "add", "sub", "inc", "dec", "neg", "lea",
        "shl", "shr", "sar", "sal", "shlx", "shrx", "sarx", "rol", "ror", "rorx", "shld", "shrd", "bzhi",
        "bextr", "bswap", "movbe", "movzx", "movsx", "movsxd", "cbw", "cwde", "cdqe", "cwd", "cdq", "cqo",
    ];
    const LANES: &[&str] = &[
        "paddd", "paddq", "psubd", "psubq", "pslld", "psllq", "psrld", "psrlq", "psrad", "psllvd", "psllvq",
        "psrlvd", "psrlvq", "psravd", "pminsd", "pminud", "pmaxsd", "pmaxud", "packssdw", "packusdw",
        "packsswb", "packuswb", "pinsrb", "pinsrw", "pextrb", "pextrw",
    ];
    const WIDE: &[&str] = &[
        "psraq", "psravq", "prold", "prolq", "prolvd", "prolvq", "prord", "prorq", "prorvd", "prorvq",
        "pminsq", "pminuq", "pmaxsq", "pmaxuq", "pmovwb", "pmovdb", "pmovdw", "pmovqb", "pmovqw", "pmovqd",
        "pmovswb", "pmovsdb", "pmovsdw", "pmovsqb", "pmovsqw", "pmovsqd", "pmovuswb", "pmovusdb", "pmovusdw",
        "pmovusqb", "pmovusqw", "pmovusqd", "movw",
    ];
    let widens = stem.starts_with("pmovzx") || stem.starts_with("pmovsx");
    if vector {
        widens || LANES.contains(&stem) || WIDE.contains(&stem)
    } else {
        GENERAL.contains(&stem)
    }
}

fn evex(code: Code, stem: &str) -> Family {
    let info = code.op_code();
    let kind = |k: u32| format!("{:?}", info.op_kind(k));
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| stem.starts_with(prefix));
    if kind(0).starts_with("k_") {
        let compares = begins(&["pcmp", "cmp", "ptest", "fpclass", "pmov"]);
        return if compares { Family::Passive } else { Family::Counted };
    }
    if let Some(family) = arithmetic(stem) {
        return family;
    }
    if let Some(family) = evex_conversion(stem) {
        return family;
    }
    let from_general = begins(&["pbroadcast"]) && (kind(1).starts_with("r32") || kind(1).starts_with("r64"));
    let by_register = is_register_or_memory(code, 2);
    match stem {
        "fixupimmps" => Family::FixUp(Content::F32, Lanes::Packed),
        "fixupimmpd" => Family::FixUp(Content::F64, Lanes::Packed),
        "fixupimmss" => Family::FixUp(Content::F32, Lanes::Scalar),
        "fixupimmsd" => Family::FixUp(Content::F64, Lanes::Scalar),
        "andps" | "andpd" | "pandd" | "pandq" => Family::Logic(Logic::And),
        "andnps" | "andnpd" | "pandnd" | "pandnq" => Family::Logic(Logic::AndNot),
        "orps" | "orpd" | "pord" | "porq" => Family::Logic(Logic::Or),
        "xorps" | "xorpd" | "pxord" | "pxorq" => Family::Logic(Logic::Xor),
        "pternlogd" | "pternlogq" => Family::Bits,
        "dpbf16ps" => Family::Elsewhere,
        "extractps" | "pinsrd" | "pinsrq" | "pextrd" | "pextrq" => Family::Bits,
        "pconflictd" | "plzcntd" | "popcntd" => Family::PassiveLanes(4, Lanes::Packed),
        "pconflictq" | "plzcntq" | "popcntq" | "psadbw" => Family::PassiveLanes(8, Lanes::Packed),
        "popcntw" | "dbpsadbw" => Family::PassiveLanes(2, Lanes::Packed),
        "popcntb" => Family::PassiveLanes(1, Lanes::Packed),
        "pminub" | "pminsb" | "pmaxub" | "pmaxsb" => Family::PassiveLanes(1, Lanes::Packed),
        "pminuw" | "pminsw" | "pmaxuw" | "pmaxsw" => Family::PassiveLanes(2, Lanes::Packed),
        _ if from_general => Family::Bits,
        _ if begins(&["pbroadcastm"]) => Family::Counted,
        "movdqu8" | "movdqu16" | "movdqu32" | "movdqu64" | "movdqa32" | "movdqa64" => same(0),
        "alignd" | "alignq" | "blendmps" | "blendmpd" => same(0),
        "permpd" | "permq" if by_register => same(0b010),
        "permps" | "permd" | "permw" | "permb" => same(0b010),
        "permilpd" | "permilps" if by_register => same(0b100),
        "pshufb" => same(0b100),
        _ if begins(&["permt2"]) => same(0b010),
        "permi2b" => Family::IndexedByTarget(1),
        "permi2w" => Family::IndexedByTarget(2),
        "permi2d" | "permi2ps" => Family::IndexedByTarget(4),
        "permi2q" | "permi2pd" => Family::IndexedByTarget(8),
        _ if begins(&["compress", "expand", "pcompress", "pexpand"]) => same(0),
        _ if begins(&[
            "broadcast",
            "pblendm",
            "extractf",
            "extracti",
            "insertf",
            "inserti",
            "shuff",
            "shufi",
        ]) =>
        {
            same(0)
        }
        "comisd" | "comiss" | "ucomisd" | "ucomiss" | "comish" | "ucomish" => Family::Passive,
        stem if COPIES.contains(&stem) => same(0),
        stem if works_on_bits(stem, true) => Family::Bits,
        _ => Family::Counted,
    }
}

/// Conversions and roundings.
fn evex_conversion(stem: &str) -> Option<Family> {
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| stem.ends_with(suffix));
    let lanes = if ends(&["sd", "ss", "sh"]) { Lanes::Scalar } else { Lanes::Packed };
    let bytes = match stem {
        _ if ends(&["pd", "sd"]) => 8,
        _ if ends(&["ph", "sh"]) => 2,
        _ => 4,
    };
    if stem.starts_with("rndscale") || stem.starts_with("getexp") {
        return Some(Family::PassiveLanes(bytes, lanes));
    }
    let (from, to) = stem.strip_prefix("cvt")?.split_once('2')?;
    let from = from.strip_prefix('t').unwrap_or(from);
    let converted = |content| Some(Family::Same { values: 0, content });
    let passive = |bytes| Some(Family::PassiveLanes(bytes, Lanes::Packed));
    match (from, to) {
        ("ss", "sd") | ("ps", "pd") | ("ps", "ph" | "phx") | ("ss", "sh") => converted(Content::F32),
        ("sd", "ss" | "sh") | ("pd", "ps" | "ph") => converted(Content::F64),
        ("ph", "ps" | "psx" | "pd") | ("sh", "ss" | "sd") => converted(Content::F16),
        ("neps", "bf16") | ("ne", "ps2bf16") => converted(Content::F32),
        ("ss" | "sd" | "sh", "si" | "usi") => Some(Family::Passive),
        ("ph", "w" | "uw") => passive(2),
        ("ps" | "pd" | "ph", "dq" | "udq") => passive(4),
        ("ps" | "pd" | "ph", "qq" | "uqq") => passive(8),
        _ => None,
    }
}

fn same(values: u8) -> Family {
    Family::Same { values, content: Content::Bits }
}

fn arithmetic(stem: &str) -> Option<Family> {
    if !stem.is_ascii() || stem.len() < 5 {
        return None;
    }
    let (operation, kind) = stem.split_at(stem.len() - 2);
    let (content, lanes) = match kind {
        "sd" => (Content::F64, Lanes::Scalar),
        "ss" => (Content::F32, Lanes::Scalar),
        "pd" => (Content::F64, Lanes::Packed),
        "ps" => (Content::F32, Lanes::Packed),
        "sh" => (Content::F16, Lanes::Scalar),
        "ph" => (Content::F16, Lanes::Packed),
        _ => return None,
    };
    let operation = match operation {
        "add" => Operation::Add,
        "sub" => Operation::Subtract,
        "mul" => Operation::Multiply,
        "div" => Operation::Divide,
        "min" => Operation::Minimum,
        "max" => Operation::Maximum,
        "sqrt" => Operation::SquareRoot,
        "rcp" | "rcp14" => Operation::Reciprocal,
        "rsqrt" | "rsqrt14" => Operation::ReciprocalRoot,
        "scalef" => Operation::Scale,
        "getmant" => Operation::Mantissa,
        "reduce" => Operation::Reduce,
        "range" => Operation::Range,
        fused => {
            let (kind, order) = fused.split_at(fused.len().checked_sub(3)?);
            let (product, even, odd) = match kind {
                "fmadd" => (1, 1, 1),
                "fmsub" => (1, -1, -1),
                "fnmadd" => (-1, 1, 1),
                "fnmsub" => (-1, -1, -1),
                "fmaddsub" => (1, -1, 1),
                "fmsubadd" => (1, 1, -1),
                _ => return None,
            };
            let (factors, addend) = match order {
                "132" => ([0, 2], 1),
                "213" => ([1, 0], 2),
                "231" => ([1, 2], 0),
                _ => return None,
            };
            Operation::Fused { product, even, odd, factors, addend }
        }
    };
    Some(Family::Arithmetic(operation, content, lanes))
}

/// Copies of whole registers with 32 or 64 bits, and all stores, move shadows; parts of registers are counted.
fn general_move(code: Code) -> Family {
    match code {
        Code::Mov_r32_rm32 | Code::Mov_rm32_r32 | Code::Mov_r64_rm64 | Code::Mov_rm64_r64 => same(0),
        Code::Mov_EAX_moffs32 | Code::Mov_RAX_moffs64 => same(0),
        Code::Mov_rm8_r8 | Code::Mov_rm16_r16 => Family::Elsewhere,
        Code::Movnti_m32_r32 | Code::Movnti_m64_r64 => same(0),
        _ => Family::Bits,
    }
}

/// Does an operand name xmm or ymm registers?
fn has_vector(code: Code) -> bool {
    let info = code.op_code();
    (0..info.op_count()).any(|k| {
        let kind = format!("{:?}", info.op_kind(k));
        kind.starts_with("xmm") || kind.starts_with("ymm")
    })
}

/// Does the instruction compute with mask registers?
pub fn uses_masks(code: Code) -> bool {
    let info = code.op_code();
    (0..info.op_count()).any(|k| format!("{:?}", info.op_kind(k)).starts_with("k_"))
}

fn is_register_or_memory(code: Code, operand: u32) -> bool {
    let info = code.op_code();
    info.op_count() > operand && format!("{:?}", info.op_kind(operand)).contains("_or_mem")
}

/// Copies, permutations, selections, lanes to and from general registers.
const COPIES: &[&str] = &[
    "movapd",
    "movaps",
    "movupd",
    "movups",
    "movdqa",
    "movdqu",
    "lddqu",
    "movntpd",
    "movntps",
    "movntdq",
    "movntdqa",
    "movddup",
    "movshdup",
    "movsldup",
    "movsd",
    "movss",
    "movsh",
    "movhpd",
    "movlpd",
    "movhps",
    "movlps",
    "movhlps",
    "movlhps",
    "unpcklpd",
    "unpckhpd",
    "unpcklps",
    "unpckhps",
    "punpcklqdq",
    "punpckhqdq",
    "punpckldq",
    "punpckhdq",
    "punpcklwd",
    "punpckhwd",
    "punpcklbw",
    "punpckhbw",
    "shufpd",
    "shufps",
    "palignr",
    "pblendw",
    "blendpd",
    "blendps",
    "insertps",
    "pshufd",
    "pshufhw",
    "pshuflw",
    "pslldq",
    "psrldq",
    "permilpd",
    "permilps",
    "permpd",
    "permq",
    "perm2f128",
    "perm2i128",
    "insertf128",
    "inserti128",
    "pblendd",
    "extractf128",
    "extracti128",
    "broadcastsd",
    "broadcastss",
    "broadcastf128",
    "broadcasti128",
    "pbroadcastq",
    "pbroadcastd",
    "pbroadcastw",
    "pbroadcastb",
    "extractps",
    "movd",
    "movq",
    "pinsrd",
    "pinsrq",
    "pextrd",
    "pextrq",
];

/// Results that depend on their operands piecewise constantly, or not at all.
const PASSIVE: &[&str] = &[
    "cmppd",
    "cmpps",
    "roundpd",
    "roundps",
    "ucomisd",
    "ucomiss",
    "comisd",
    "comiss",
    "cvtsd2si",
    "cvtss2si",
    "cvttsd2si",
    "cvttss2si",
    "cvtpd2dq",
    "cvttpd2dq",
    "cvtps2dq",
    "cvttps2dq",
    "movmskpd",
    "movmskps",
    "pmovmskb",
    "ptest",
    "testpd",
    "testps",
    "pcmpeqb",
    "pcmpeqw",
    "pcmpeqd",
    "pcmpeqq",
    "pcmpgtb",
    "pcmpgtw",
    "pcmpgtd",
    "pcmpgtq",
    "pcmpestri",
    "pcmpestri64",
    "pcmpistri",
    "pcmpestrm",
    "pcmpestrm64",
    "pcmpistrm",
    "cmp",
    "test",
    "bt",
    "prefetchnta",
    "prefetcht0",
    "prefetcht1",
    "prefetcht2",
    "prefetchw",
    "nop",
    "fldcw",
    "fnstcw",
    "popcnt",
    "lzcnt",
    "tzcnt",
    "bsf",
    "bsr",
    "psadbw",
    "mpsadbw",
    "phminposuw",
    "pminub",
    "pminuw",
    "pminsb",
    "pminsw",
    "pmaxub",
    "pmaxuw",
    "pmaxsb",
    "pmaxsw",
    "crc32",
    "lahf",
    "sahf",
];

/// Those of MMX that look at bytes.
const COMPARES_BYTES: &[&str] = &["psadbw", "pmovmskb", "pminub", "pmaxub", "pminsw", "pmaxsw"];

/// x87 instructions that leave nothing active behind; all others have tests of their own.
const X87_PASSIVE: &[&str] = &[
    "fld1", "fldl2e", "fldl2t", "fldlg2", "fldln2", "fldpi", "fldz", "fist", "fistp", "fisttp", "fbstp",
    "fcom", "fcomp", "fcompp", "fucom", "fucomp", "fucompp", "fcomi", "fcomip", "fucomi", "fucomip", "ficom",
    "ficomp", "ftst", "fxam", "frndint", "ffree", "ffreep", "fincstp", "fdecstp", "finit", "fninit", "fldcw",
    "fstcw", "fnstcw", "fstsw", "fnstsw", "fldenv", "fstenv", "fnstenv", "fclex", "fnclex", "fnop",
];

const MMX_COPIES: &[&str] = &["movd", "movq", "movntq", "movq2dq", "movdq2q", "pshufw"];

/// Instructions that need a setting of their own, or none at all in a user's program.
fn is_elsewhere(code: Code, stem: &str) -> bool {
    let info = code.op_code();
    let has = |kind: &str| (0..info.op_count()).any(|k| format!("{:?}", info.op_kind(k)).contains(kind));
    let system = [
        "in",
        "out",
        "hlt",
        "cli",
        "sti",
        "std",
        "cld",
        "clts",
        "cpuid",
        "rdtsc",
        "rdtscp",
        "rdpmc",
        "rdmsr",
        "wrmsr",
        "invd",
        "wbinvd",
        "invlpg",
        "invlpga",
        "invpcid",
        "lgdt",
        "lidt",
        "lldt",
        "lmsw",
        "ltr",
        "sgdt",
        "sidt",
        "sldt",
        "smsw",
        "str",
        "verr",
        "verw",
        "lar",
        "lsl",
        "arpl",
        "monitor",
        "mwait",
        "swapgs",
        "sysret",
        "sysexit",
        "sysenter",
        "syscall",
        "rsm",
        "ud0",
        "ud1",
        "ud2",
        "int",
        "int1",
        "int3",
        "into",
        "iret",
        "lss",
        "lfs",
        "lgs",
        "lds",
        "les",
        "enter",
        "leave",
        "popf",
        "popfd",
        "popfq",
        "pushf",
        "pushfd",
        "pushfq",
        "push",
        "pop",
        "xchg",
        "xadd",
        "cmpxchg",
        "cmpxchg8b",
        "cmpxchg16b",
        "xlatb",
        "maskmovq",
        "maskmovdqu",
        "ldmxcsr",
        "stmxcsr",
        "fxsave",
        "fxrstor",
        "fxsave64",
        "fxrstor64",
        "zeroupper",
        "zeroall",
        "emms",
        "wait",
        "cvtsi2sd",
        "cvtsi2ss",
        "cvtusi2sd",
        "cvtusi2ss",
        "loadall",
        "umov",
        "storeall",
        "ibts",
        "xbts",
        "zalloc",
        "reservednop",
        "retf",
        "wbnoinvd",
        "hintnop",
        "endbr64",
        "endbr32",
        "bound",
        "clflush",
        "clflushopt",
        "clwb",
        "rdfsbase",
        "wrfsbase",
    ];
    system.contains(&stem)
        || stem.starts_with("gather")
        || stem.starts_with("pgather")
        || stem.starts_with("cmov")
        || code == Code::Movsd_m32_m32
        || code == Code::Cmpsd_m32_m32
        || moves_halves(code)
        || has("seg")
        || has("_reg_mpx")
        || has("cr_reg")
        || has("dr_reg")
        || has("tr_reg")
        || has("br16")
        || has("br32")
        || has("br64")
        || has("disp")
        || has("es_rDI")
        || has("far")
        || has("vsib")
        || code.mnemonic() == Mnemonic::INVALID
}

/// General instructions by which compilers move one half of a register.
fn moves_halves(code: Code) -> bool {
    use Code::*;
    matches!(code, Shl_rm64_imm8 | Shr_rm64_imm8 | Sar_rm64_imm8 | Sal_rm64_imm8)
        || matches!(code, Or_rm64_r64 | Or_r64_rm64 | And_rm64_r64 | And_r64_rm64)
}

/// Codes for 64-bit mode whose features are all among those given.
pub fn codes(features: &[CpuidFeature]) -> Vec<Code> {
    Code::values()
        .filter(|code| {
            let info = code.op_code();
            let known = code.cpuid_features().iter().all(|feature| features.contains(feature));
            known && info.is_instruction() && info.mode64() && !info.is_privileged()
        })
        .filter(|code| {
            matches!(code.op_code().encoding(), EncodingKind::Legacy | EncodingKind::VEX | EncodingKind::EVEX)
        })
        .collect()
}

/// Features of vector instructions that clients use without AVX-512.
pub const VECTOR_FEATURES: &[CpuidFeature] = &[
    CpuidFeature::SSE,
    CpuidFeature::SSE2,
    CpuidFeature::SSE3,
    CpuidFeature::SSSE3,
    CpuidFeature::SSE4_1,
    CpuidFeature::SSE4_2,
    CpuidFeature::AVX,
    CpuidFeature::AVX2,
    CpuidFeature::FMA,
    CpuidFeature::F16C,
];

/// Features of MMX and x87 instructions.
pub const OLD_FEATURES: &[CpuidFeature] =
    &[CpuidFeature::MMX, CpuidFeature::FPU, CpuidFeature::FPU287, CpuidFeature::FPU387, CpuidFeature::CMOV];

/// Features of AVX-512 instructions.
pub const WIDE_FEATURES: &[CpuidFeature] = &[
    CpuidFeature::AVX512F,
    CpuidFeature::AVX512VL,
    CpuidFeature::AVX512BW,
    CpuidFeature::AVX512DQ,
    CpuidFeature::AVX512CD,
    CpuidFeature::AVX512_IFMA,
    CpuidFeature::AVX512_VBMI,
    CpuidFeature::AVX512_VBMI2,
    CpuidFeature::AVX512_VNNI,
    CpuidFeature::AVX512_BITALG,
    CpuidFeature::AVX512_VPOPCNTDQ,
    CpuidFeature::AVX512_BF16,
    CpuidFeature::AVX512_FP16,
];

/// Features of general instructions.
pub const GENERAL_FEATURES: &[CpuidFeature] = &[
    CpuidFeature::INTEL8086,
    CpuidFeature::INTEL186,
    CpuidFeature::INTEL286,
    CpuidFeature::INTEL386,
    CpuidFeature::INTEL486,
    CpuidFeature::X64,
    CpuidFeature::BMI1,
    CpuidFeature::BMI2,
    CpuidFeature::LZCNT,
    CpuidFeature::POPCNT,
    CpuidFeature::MOVBE,
    CpuidFeature::MULTIBYTENOP,
];
