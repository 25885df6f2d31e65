//! How this process translates: fixed choices about the host, and whether anything is active yet.

use crate::call;
use crate::config::{Config, VectorShadowChoice};
use crate::fatal;
use crate::sys::kernel;
use core::arch::x86_64::__cpuid_count;
use core::sync::atomic::{AtomicBool, Ordering};
use derivgrind_translate::interface::{HostVectors, Settings, VectorShadows};

static DIFFERENTIATING: AtomicBool = AtomicBool::new(false);
static SHADOWS_IN_REGISTERS: AtomicBool = AtomicBool::new(false);
static HIDES_AVX512: AtomicBool = AtomicBool::new(false);
static HAS_AVX2: AtomicBool = AtomicBool::new(false);
static HAS_AVX512: AtomicBool = AtomicBool::new(false);
static HIDES_AVX: AtomicBool = AtomicBool::new(false);
static USES_ZMM: AtomicBool = AtomicBool::new(false);
static HAS_XSAVE: AtomicBool = AtomicBool::new(false);
static OWN_CONTROL: AtomicBool = AtomicBool::new(false);
static HAS_FSGSBASE: AtomicBool = AtomicBool::new(false);

pub fn current() -> Settings {
    let vector_shadows =
        if shadows_in_registers() { VectorShadows::Registers } else { VectorShadows::Memory };
    let host_vectors = match (HAS_AVX2.load(Ordering::Relaxed), uses_zmm()) {
        (false, _) => HostVectors::Sse2,
        (true, false) => HostVectors::Avx2,
        (true, true) => HostVectors::Avx512,
    };
    Settings {
        differentiating: differentiating(),
        mode: crate::recording::mode(),
        has_threads: crate::recording::has_threads(),
        vector_shadows,
        hides_avx512: hides_avx512(),
        host_vectors,
        notices_zmm: notices_zmm(),
        own_control: own_control(),
    }
}

/// Has the client declared an input?
pub fn differentiating() -> bool {
    DIFFERENTIATING.load(Ordering::SeqCst)
}

/// Returns true for the caller that made the change.
pub fn start_differentiating() -> bool {
    !DIFFERENTIATING.swap(true, Ordering::SeqCst)
}

pub fn shadows_in_registers() -> bool {
    SHADOWS_IN_REGISTERS.load(Ordering::SeqCst)
}

/// Has CPUID told the client that there is no AVX-512? It goes on doing so when shadows have moved to memory: the
/// client has chosen the sizes of its buffers.
pub fn hides_avx512() -> bool {
    HIDES_AVX512.load(Ordering::Relaxed)
}

/// Does CPUID tell the client that there is no AVX? For tests.
pub fn hides_avx() -> bool {
    HIDES_AVX.load(Ordering::Relaxed)
}

pub fn move_shadows_to_memory() {
    SHADOWS_IN_REGISTERS.store(false, Ordering::SeqCst);
}

/// Can the client use zmm0 to zmm15, and has it not done so yet?
pub fn notices_zmm() -> bool {
    HAS_AVX512.load(Ordering::Relaxed) && !uses_zmm()
}

pub fn stop_noticing_zmm() {
    USES_ZMM.store(HAS_AVX512.load(Ordering::Relaxed), Ordering::SeqCst);
}

/// Has the client used zmm0 to zmm15?
pub fn uses_zmm() -> bool {
    USES_ZMM.load(Ordering::SeqCst)
}

/// Does shadow arithmetic run under a control word of its own?
pub fn own_control() -> bool {
    OWN_CONTROL.load(Ordering::SeqCst)
}

pub fn use_own_control() {
    OWN_CONTROL.store(true, Ordering::SeqCst);
}

pub fn has_xsave() -> bool {
    HAS_XSAVE.load(Ordering::Relaxed)
}

pub fn has_fsgsbase() -> bool {
    HAS_FSGSBASE.load(Ordering::Relaxed)
}

const AVX512_STATE: u64 = 0xe6;
const AVX_STATE: u64 = 6;

/// Looks at the host and the user's wish.
pub fn choose(config: &Config, hardware_capabilities_2: u64) {
    let leaf_1 = __cpuid_count(1, 0);
    let leaf_7 =
        if __cpuid_count(0, 0).eax >= 7 { __cpuid_count(7, 0) } else { __cpuid_count(0x7fff_ffff, 0) };
    let bit = |word: u32, number: u32| word >> number & 1 != 0;
    // A host of the time before AVX had no XSAVE either.
    let hides_avx = config.vector_shadows == VectorShadowChoice::MemorySse2;
    HIDES_AVX.store(hides_avx, Ordering::Relaxed);
    let xsave = bit(leaf_1.ecx, 27) && !hides_avx;
    let enabled = if xsave { crate::extended::enabled_features() } else { 0 };
    let avx = enabled & AVX_STATE == AVX_STATE && bit(leaf_1.ecx, 28);
    let avx2 = avx && bit(leaf_1.ecx, 12) && bit(leaf_7.ebx, 5);
    let avx512 = avx2
        && enabled & AVX512_STATE == AVX512_STATE
        && [16, 17, 30, 31].iter().all(|number| bit(leaf_7.ebx, *number));
    OWN_CONTROL.store(config.exact_flags, Ordering::SeqCst);
    HAS_XSAVE.store(xsave, Ordering::Relaxed);
    HAS_AVX2.store(avx2, Ordering::Relaxed);
    HAS_AVX512.store(avx512, Ordering::Relaxed);
    // AT_HWCAP2 says whether the kernel allows the instructions.
    HAS_FSGSBASE.store(hardware_capabilities_2 & 2 != 0, Ordering::Relaxed);
    let registers = match config.vector_shadows {
        VectorShadowChoice::Auto => avx512,
        VectorShadowChoice::Memory | VectorShadowChoice::MemorySse2 => false,
        VectorShadowChoice::Registers => {
            if !avx512 {
                fatal!("--vector-shadows=registers needs a processor with AVX-512 F, BW, DQ and VL; use auto or memory.");
            }
            true
        }
    };
    SHADOWS_IN_REGISTERS.store(registers, Ordering::SeqCst);
    HIDES_AVX512.store(registers, Ordering::Relaxed);
}

/// Numbers of capabilities, see capabilities(7).
pub const CAP_IPC_LOCK: u32 = 14;
pub const CAP_SYS_ADMIN: u32 = 21;
pub const CAP_SYS_RESOURCE: u32 = 24;

/// Version 3 of the structures of capget(2).
const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// Is a capability of the calling thread effective?
pub fn has_capability(number: u32) -> bool {
    let header = [CAPABILITY_VERSION, 0];
    // Effective, permitted and inheritable ones, for the lower 32 and the others.
    let mut sets = [0u32; 6];
    // SAFETY: the structures are as large as the version says.
    let outcome = unsafe { call!(kernel::__NR_capget, header.as_ptr(), sets.as_mut_ptr()) };
    outcome == 0 && sets[0] >> number & 1 != 0
}
