//! Instructions in EVEX encoding.

use super::{arithmetic, is_register_or_memory, same, works_on_bits, Family, Lanes, Logic, COPIES};
use crate::harness::values::Content;
use iced_x86::Code;

pub fn family(code: Code, stem: &str) -> Family {
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
        _ if begins(&["fmulc", "fcmulc", "fmaddc", "fcmaddc"]) => Family::Elsewhere,
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
