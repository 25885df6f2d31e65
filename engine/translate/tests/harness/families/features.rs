//! Instructions by the features that a processor must have.

use iced_x86::{Code, CpuidFeature, EncodingKind};

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
