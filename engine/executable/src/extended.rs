//! Register state beyond the general registers: XSAVE, AVX-512 shadow registers, segment bases.
//!
//! The engine is compiled for SSE2 and changes nothing but the low 128 bits of xmm0-15, which the common exit code has
//! saved in the context. So everything else is live in the processor while the engine runs, and is read from there.

use crate::call;
use crate::settings;
use crate::sys::{kernel, Outcome};
use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicU64, Ordering};
use derivgrind_translate::context::Context;

/// Bytes of the area that XSAVE shares with FXSAVE.
pub const LEGACY_SIZE: usize = 512;
/// The part of it that holds the x87 unit, and MXCSR.
pub const LEGACY_NUMBERS: usize = 160;
/// Offset of the x87 numbers in the area, which are 16 bytes apart.
pub const NUMBERS_OFFSET: usize = 32;
/// The header behind it.
pub const HEADER_SIZE: usize = 64;
/// Offset of the low halves of xmm0-15 in the area.
pub const VECTORS_OFFSET: usize = 160;
/// Offset of MXCSR in the area.
pub const MXCSR_OFFSET: usize = 24;
/// x87, SSE and AVX state.
const VISIBLE_FEATURES: u64 = 7;
const AVX_FEATURE: u64 = 1 << 2;
/// Mask registers, and bits that only zmm registers have.
const AVX512_FEATURES: u64 = 7 << 5;

/// XCR0: what the operating system has enabled. Only if XSAVE is there.
pub fn enabled_features() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the caller has found the OSXSAVE bit.
    unsafe { asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack)) };
    u64::from(high) << 32 | u64::from(low)
}

/// XCR0 as the client sees it.
pub fn client_features() -> u64 {
    visible_features(settings::hides_avx512())
}

/// What signal frames save. A client that uses AVX-512 although it was hidden wants all of it back.
pub fn frame_features() -> u64 {
    visible_features(settings::shadows_in_registers())
}

fn visible_features(without_avx512: bool) -> u64 {
    let enabled = enabled_features();
    if without_avx512 {
        enabled & VISIBLE_FEATURES
    } else {
        // Tile data is left out of signal frames: no shadows travel through it and it is eight kilobytes.
        enabled & !(3 << 17)
    }
}

/// Size of the uncompacted XSAVE area for these features.
pub fn area_size(features: u64) -> usize {
    if !settings::has_xsave() {
        return LEGACY_SIZE;
    }
    let enabled = (2..COMPONENTS as u32).filter(|feature| features >> feature & 1 != 0);
    enabled.map(|feature| component(feature).end()).fold(LEGACY_SIZE + HEADER_SIZE, usize::max)
}

/// Offset of a state component in the area.
pub fn component_offset(feature: u32) -> usize {
    component(feature).offset
}

/// State components that XCR0 has room for.
const COMPONENTS: usize = 63;

/// What CPUID says of each component: size in the upper half, offset in the lower one; zero if nobody has asked yet.
/// In a virtual machine the instruction may take as long as the translation of a hundred blocks.
static KNOWN_COMPONENTS: [AtomicU64; COMPONENTS] = [const { AtomicU64::new(0) }; COMPONENTS];

struct Component {
    offset: usize,
    size: usize,
}

impl Component {
    fn end(self) -> usize {
        self.offset + self.size
    }
}

fn component(feature: u32) -> Component {
    let known = &KNOWN_COMPONENTS[feature as usize];
    let mut word = known.load(Ordering::Relaxed);
    if word == 0 {
        let leaf = core::arch::x86_64::__cpuid_count(0xd, feature);
        word = u64::from(leaf.eax) << 32 | u64::from(leaf.ebx);
        known.store(word, Ordering::Relaxed);
    }
    Component { offset: word as u32 as usize, size: (word >> 32) as usize }
}

/// Saves the client's extended state.
///
/// # Safety
/// `area` is a multiple of 64 and [`area_size`] of [`frame_features`] zeroed bytes long; translated code was left
/// through the common exit, and nothing but the engine's own compiled code has run since.
pub unsafe fn save(context: &Context, area: *mut u8) {
    // SAFETY: the caller's promise; the low halves come from the context.
    unsafe {
        if settings::has_xsave() {
            let features = frame_features();
            asm!("xsave64 [{area}]", area = in(reg) area, in("eax") features as u32, in("edx") (features >> 32) as u32,
                 options(nostack));
        } else {
            asm!("fxsave64 [{area}]", area = in(reg) area, options(nostack));
        }
        let vectors = area.add(VECTORS_OFFSET) as *mut [[u64; 2]; 16];
        *vectors = context.vectors;
        if settings::has_xsave() {
            // The component may have been in its initial state while the context holds something else.
            *(area.add(LEGACY_SIZE) as *mut u64) |= 2;
        }
    }
}

/// Restores what [`save`] has saved; the low halves of xmm0-15 go into the context.
///
/// # Safety
/// The area is laid out as by [`save`], with a header that the processor accepts (checked by the caller).
pub unsafe fn restore(context: &mut Context, area: *const u8) {
    // SAFETY: the caller's promise. The engine's own values in xmm0-15 are dead across the asm.
    unsafe {
        let vectors_valid;
        if settings::has_xsave() {
            let features = frame_features();
            vectors_valid = *(area.add(LEGACY_SIZE) as *const u64) & 2 != 0;
            asm!("xrstor64 [{area}]", area = in(reg) area, in("eax") features as u32, in("edx") (features >> 32) as u32,
                 out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                 out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                 out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _, options(nostack));
        } else {
            vectors_valid = true;
            asm!("fxrstor64 [{area}]", area = in(reg) area,
                 out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                 out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                 out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _, options(nostack));
        }
        context.vectors =
            if vectors_valid { *(area.add(VECTORS_OFFSET) as *const [[u64; 2]; 16]) } else { [[0; 2]; 16] };
    }
}

/// Brings the x87 unit and MXCSR to the state in which a signal handler begins.
pub fn reset_for_handler() {
    const DEFAULT: u32 = 0x1f80;
    // SAFETY: the client's values have been saved in the frame; compiled code of the engine does not use the unit.
    unsafe {
        asm!("fninit", options(nomem, nostack));
        asm!("ldmxcsr [{}]", in(reg) &DEFAULT, options(nostack, readonly));
    }
}

/// MXCSR, which is the client's while the engine runs.
pub fn control_word() -> u32 {
    let mut control = 0u32;
    // SAFETY: it is stored to a local variable.
    unsafe { asm!("stmxcsr [{}]", in(reg) &mut control, options(nostack)) };
    control
}

/// Runs `work` with the floating-point environment that a program starts with: the client's may trap or round
/// otherwise.
pub fn with_default_rounding<R>(work: impl FnOnce() -> R) -> R {
    const DEFAULT: u32 = 0x1f80;
    let mut clients = 0u32;
    // SAFETY: the control register is put back.
    unsafe {
        asm!("stmxcsr [{}]", in(reg) &mut clients);
        asm!("ldmxcsr [{}]", in(reg) &DEFAULT);
        let result = work();
        asm!("ldmxcsr [{}]", in(reg) &clients);
        result
    }
}

/// Values of the client's vector and mask registers. What the processor does not have, or what holds shadows, is zero.
pub struct ClientRegisters {
    pub vectors: [[u8; 64]; 32],
    pub masks: [u64; 8],
}

impl ClientRegisters {
    /// Registers that nobody looks at.
    pub const NONE: ClientRegisters = ClientRegisters { vectors: [[0; 64]; 32], masks: [0; 8] };
}

/// Reads the client's vector and mask registers; translated code was left through the common exit.
pub fn client_registers(context: &Context) -> ClientRegisters {
    let mut registers = ClientRegisters { vectors: [[0; 64]; 32], masks: [0; 8] };
    let enabled = if settings::has_xsave() { enabled_features() } else { 0 };
    // SAFETY: the places are large enough, and the processor has what is read.
    unsafe {
        if enabled & AVX512_FEATURES == AVX512_FEATURES {
            derivgrind_store_low_zmm(registers.vectors.as_mut_ptr());
            if !settings::shadows_in_registers() {
                derivgrind_store_shadow_registers(registers.vectors[16..].as_mut_ptr().cast());
                derivgrind_store_masks(registers.masks.as_mut_ptr());
            }
        } else if enabled & AVX_FEATURE != 0 {
            derivgrind_store_ymm(registers.vectors.as_mut_ptr());
        }
    }
    for (vector, low) in registers.vectors.iter_mut().zip(&context.vectors) {
        for (bytes, word) in vector.chunks_exact_mut(8).zip(low) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }
    registers
}

/// Reads the client's x87 registers, with control, status and tags in front, as `fxsave` lays them out.
pub fn client_numbers() -> [u8; LEGACY_NUMBERS] {
    #[repr(C, align(16))]
    struct Area([u8; LEGACY_SIZE]);
    let mut area = Area([0; LEGACY_SIZE]);
    // SAFETY: aligned and large enough. The engine's compiled code does not use the unit, so all of it is the client's.
    unsafe { asm!("fxsave64 [{}]", in(reg) &mut area, options(nostack)) };
    let mut numbers = [0; LEGACY_NUMBERS];
    numbers.copy_from_slice(&area.0[..LEGACY_NUMBERS]);
    numbers
}

global_asm!(
    ".globl derivgrind_store_low_zmm",
    "derivgrind_store_low_zmm:",
    ".irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
    "vmovdqu64 [rdi + 64 * \\number], zmm\\number",
    ".endr",
    "ret",
    ".globl derivgrind_store_ymm",
    "derivgrind_store_ymm:",
    ".irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
    "vmovups [rdi + 64 * \\number], ymm\\number",
    ".endr",
    "ret",
    ".globl derivgrind_store_masks",
    "derivgrind_store_masks:",
    ".irp number, 0, 1, 2, 3, 4, 5, 6, 7",
    "kmovq [rdi + 8 * \\number], k\\number",
    ".endr",
    "ret",
);

extern "C" {
    fn derivgrind_store_low_zmm(vectors: *mut [u8; 64]);
    fn derivgrind_store_ymm(vectors: *mut [u8; 64]);
    fn derivgrind_store_masks(masks: *mut u64);
}

/// Shadows of the vector registers 0-31, 64 bytes each.
pub type VectorShadows = [[u64; 8]; 32];

global_asm!(
    ".globl derivgrind_store_shadow_registers",
    "derivgrind_store_shadow_registers:",
    ".irp number, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
    "vmovdqu64 [rdi + 64 * (\\number - 16)], zmm\\number",
    ".endr",
    "ret",
    ".globl derivgrind_store_first_shadows",
    "derivgrind_store_first_shadows:",
    ".irp number, 16, 17, 18, 19",
    "vmovdqu64 [rdi + 16 * (\\number - 16)], xmm\\number",
    ".endr",
    "ret",
    ".globl derivgrind_load_first_shadows",
    "derivgrind_load_first_shadows:",
    ".irp number, 16, 17, 18, 19",
    "vmovdqu64 xmm\\number, [rdi + 16 * (\\number - 16)]",
    ".endr",
    "ret",
    ".globl derivgrind_load_shadow_registers",
    "derivgrind_load_shadow_registers:",
    ".irp number, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
    "vmovdqu64 zmm\\number, [rdi + 64 * (\\number - 16)]",
    ".endr",
    "ret",
);

extern "C" {
    fn derivgrind_store_shadow_registers(shadows: *mut [u64; 8]);
    fn derivgrind_store_first_shadows(shadows: *mut [u64; 2]);
    fn derivgrind_load_first_shadows(shadows: *const [u64; 2]);
    fn derivgrind_load_shadow_registers(shadows: *const [u64; 8]);
}

/// Copies zmm16-31, the shadows of vector registers 0-15, to the first 16 slots.
pub fn store_shadow_registers(shadows: &mut VectorShadows) {
    // SAFETY: called only if the host has AVX-512; the slots are ours.
    unsafe { derivgrind_store_shadow_registers(shadows.as_mut_ptr()) };
}

/// Bits below 128 of the shadows of vector registers 0 to 3.
pub type FirstShadows = [[u64; 2]; 4];

/// Reads the first shadow registers.
pub fn store_first_shadows(shadows: &mut FirstShadows) {
    // SAFETY: called only if the host has AVX-512 VL; the place is ours.
    unsafe { derivgrind_store_first_shadows(shadows.as_mut_ptr()) };
}

/// Writes the first shadow registers; bits 128 and up become zero.
pub fn load_first_shadows(shadows: &FirstShadows) {
    // SAFETY: as for all of them.
    unsafe { derivgrind_load_first_shadows(shadows.as_ptr()) };
}

/// Loads zmm16-31 from the first 16 slots.
pub fn load_shadow_registers(shadows: &VectorShadows) {
    // SAFETY: called only if the host has AVX-512. Compiled code of the engine does not use these registers, so they
    // keep the values until translated code finds them there.
    unsafe { derivgrind_load_shadow_registers(shadows.as_ptr()) };
}

/// Processor flag that makes unaligned accesses fault.
pub const ALIGNMENT_CHECK: u64 = 1 << 18;

/// Clears the flag for the engine, whose compiled code relies on unaligned accesses. Programs set it to find out how
/// old the processor is (the Java virtual machine does).
#[inline(always)]
pub fn stop_alignment_checks() {
    // SAFETY: changes one flag that compiled code does not use.
    unsafe {
        asm!("pushfq", "and dword ptr [rsp], {mask}", "popfq", mask = const !(ALIGNMENT_CHECK as u32) as i32);
    }
}

/// Sets GS base, which all shadow accesses of this thread use.
pub fn set_gs_base(value: u64) {
    if settings::has_fsgsbase() {
        // SAFETY: the kernel allows the instruction; the engine itself does not use GS.
        unsafe { asm!("wrgsbase {}", in(reg) value, options(nomem, nostack)) };
        return;
    }
    // SAFETY: as above.
    unsafe { call!(kernel::__NR_arch_prctl, ARCH_SET_GS, value) };
}

/// Sets FS base, the client's thread pointer.
pub fn set_fs_base(value: u64) -> crate::sys::Outcome {
    // SAFETY: the engine itself does not use FS.
    unsafe { call!(kernel::__NR_arch_prctl, ARCH_SET_FS, value) }
}

/// Lets CPUID be executed, as it is; fails where the processor cannot forbid it. The engine itself needs it, so a
/// client that forbids it does so for its own instructions only.
pub fn allow_cpuid() -> Outcome {
    // SAFETY: nothing changes.
    unsafe { call!(kernel::__NR_arch_prctl, ARCH_SET_CPUID, 1) }
}

pub const ARCH_GET_CPUID: u64 = 0x1011;
pub const ARCH_SET_CPUID: u64 = 0x1012;
pub const ARCH_SET_GS: u64 = 0x1001;
pub const ARCH_SET_FS: u64 = 0x1002;
pub const ARCH_GET_FS: u64 = 0x1003;
pub const ARCH_GET_GS: u64 = 0x1004;
