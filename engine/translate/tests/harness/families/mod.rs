//! What instructions mean for derivatives, said a second time: by the names of instructions, without a look at the
//! rules that are tested.

mod evex;
mod features;
mod names;

use super::values::Content;
pub use features::{codes, GENERAL_FEATURES, OLD_FEATURES, VECTOR_FEATURES, WIDE_FEATURES};
use iced_x86::{Code, CpuidFeature, EncodingKind};
use names::{is_elsewhere, COMPARES_BYTES, COPIES, MMX_COPIES, PASSIVE, X87_PASSIVE};

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
        return evex::family(code, &stem);
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
        "packsswb", "packuswb", "pinsrb", "pinsrw", "pextrb", "pextrw", "psllw", "psrlw", "psraw",
    ];
    const WIDE: &[&str] = &[
        "psraq", "psravq", "prold", "prolq", "prolvd", "prolvq", "prord", "prorq", "prorvd", "prorvq",
        "pminsq", "pminuq", "pmaxsq", "pmaxuq", "pmovwb", "pmovdb", "pmovdw", "pmovqb", "pmovqw", "pmovqd",
        "pmovswb", "pmovsdb", "pmovsdw", "pmovsqb", "pmovsqw", "pmovsqd", "pmovuswb", "pmovusdb", "pmovusdw",
        "pmovusqb", "pmovusqw", "pmovusqd", "movw", "psllvw", "psrlvw", "psravw", "pshldw", "pshldd",
        "pshldq", "pshldvw", "pshldvd", "pshldvq", "pshrdw", "pshrdd", "pshrdq", "pshrdvw", "pshrdvd",
        "pshrdvq",
    ];
    let widens = stem.starts_with("pmovzx") || stem.starts_with("pmovsx");
    if vector {
        widens || LANES.contains(&stem) || WIDE.contains(&stem)
    } else {
        GENERAL.contains(&stem)
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
