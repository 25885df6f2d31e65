//! What the client is told about the processor.
//!
//! While shadows live in zmm16-31 the client must not use these registers, so AVX-512 and everything that is built on
//! it is hidden, with the sizes of the XSAVE area that follow from it. In either mode extensions are hidden that the
//! translator does not know.

use crate::extended;
use crate::settings;
use core::arch::x86_64::{__cpuid_count, CpuidResult};
use derivgrind_translate::context::Context;

const RAX: usize = 0;
const RCX: usize = 1;
const RDX: usize = 2;
const RBX: usize = 3;

/// Executes CPUID for the client.
pub fn emulate(context: &mut Context) {
    let leaf = context.registers[RAX] as u32;
    let subleaf = context.registers[RCX] as u32;
    let mut result = __cpuid_count(leaf, subleaf);
    hide_unknown_extensions(leaf, subleaf, &mut result);
    if settings::hides_avx512() {
        hide_avx512(leaf, subleaf, &mut result);
    }
    if settings::hides_avx() {
        hide_avx512(leaf, subleaf, &mut result);
        hide_avx(leaf, subleaf, &mut result);
    }
    context.registers[RAX] = u64::from(result.eax);
    context.registers[RBX] = u64::from(result.ebx);
    context.registers[RCX] = u64::from(result.ecx);
    context.registers[RDX] = u64::from(result.edx);
}

/// Executes XGETBV for the client.
pub fn emulate_xgetbv(context: &mut Context) {
    let features =
        if context.registers[RCX] as u32 == 0 { extended::enabled_features() } else { features_in_use() };
    let features = if settings::hides_avx512() { features & extended::client_features() } else { features };
    context.registers[RAX] = features & 0xffff_ffff;
    context.registers[RDX] = features >> 32;
}

/// XINUSE: register sets that are not in their initial state.
fn features_in_use() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: a client that asks for it has seen in CPUID that it may.
    unsafe {
        core::arch::asm!("xgetbv", in("ecx") 1, out("eax") low, out("edx") high, options(nomem, nostack));
    }
    u64::from(high) << 32 | u64::from(low)
}

fn clear(word: &mut u32, bits: &[u32]) {
    for bit in bits {
        *word &= !(1 << bit);
    }
}

fn hide_unknown_extensions(leaf: u32, subleaf: u32, result: &mut CpuidResult) {
    match (leaf, subleaf) {
        (7, 0) => {
            // Transactions: HLE, RTM.
            clear(&mut result.ebx, &[4, 11]);
            // Shadow stacks; MOVDIR64B and ENQCMD.
            clear(&mut result.ecx, &[7, 28, 29]);
            // TSXLDTRK, indirect branch tracking; AMX: BF16, TILE, INT8.
            clear(&mut result.edx, &[16, 20, 22, 24, 25]);
        }
        (7, 1) => {
            // AMX-FP16.
            clear(&mut result.eax, &[21]);
            // AMX-COMPLEX, APX.
            clear(&mut result.edx, &[8, 21]);
        }
        // CLZERO.
        (0x8000_0008, _) => clear(&mut result.ebx, &[0]),
        // LWP, FMA4, XOP, TBM: AMD processors of the past.
        (0x8000_0001, _) => clear(&mut result.ecx, &[11, 15, 16, 21]),
        _ => {}
    }
}

fn hide_avx512(leaf: u32, subleaf: u32, result: &mut CpuidResult) {
    match (leaf, subleaf) {
        (7, 0) => {
            // F, DQ, IFMA, PF, ER, CD, BW, VL.
            clear(&mut result.ebx, &[16, 17, 21, 26, 27, 28, 30, 31]);
            // VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ; PKU and OSPKE, whose state component is hidden too.
            clear(&mut result.ecx, &[1, 3, 4, 6, 11, 12, 14]);
            // 4VNNIW, 4FMAPS, VP2INTERSECT, FP16; AMX: BF16, TILE, INT8.
            clear(&mut result.edx, &[2, 3, 8, 22, 23, 24, 25]);
        }
        (7, 1) => {
            // AVX512_BF16, AMX-FP16.
            clear(&mut result.eax, &[5, 21]);
            // AMX-COMPLEX, AVX10.
            clear(&mut result.edx, &[8, 19]);
        }
        (0xd, _) if settings::hides_avx() => {}
        (0xd, 0) => {
            let size = extended::area_size(extended::client_features()) as u32;
            result.eax = extended::client_features() as u32;
            result.ebx = size;
            result.ecx = size;
            result.edx = 0;
        }
        // The compacted format of the same components, no supervisor states.
        (0xd, 1) => {
            result.ebx = extended::area_size(extended::client_features()) as u32;
            result.ecx = 0;
            result.edx = 0;
        }
        (0xd, component) if extended::client_features() >> component.min(63) & 1 == 0 => hide(result),
        // AMX tiles, AVX10.
        (0x1d | 0x1e | 0x24, _) => hide(result),
        _ => {}
    }
}

/// What a processor of the time before AVX does not have: also no XSAVE, and no general instructions in VEX encoding.
fn hide_avx(leaf: u32, subleaf: u32, result: &mut CpuidResult) {
    match (leaf, subleaf) {
        // FMA, XSAVE, OSXSAVE, AVX, F16C.
        (1, _) => clear(&mut result.ecx, &[12, 26, 27, 28, 29]),
        (7, 0) => {
            // BMI1, AVX2, BMI2.
            clear(&mut result.ebx, &[3, 5, 8]);
            // VAES, VPCLMULQDQ.
            clear(&mut result.ecx, &[9, 10]);
        }
        // AVX-VNNI, AVX-IFMA, AVX-VNNI-INT8, AVX-NE-CONVERT.
        (7, 1) => {
            clear(&mut result.eax, &[4, 23]);
            clear(&mut result.edx, &[4, 5]);
        }
        (0xd, _) => hide(result),
        _ => {}
    }
}

fn hide(result: &mut CpuidResult) {
    *result = CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 };
}
