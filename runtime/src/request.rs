//! The magic instruction sequence.
//!
//! It is Valgrind's, so that one binary works under this tool and under the classic one. The four rotations of a
//! register add up to a multiple of its width and exchanging a register with itself changes nothing, so that natively
//! only flags are affected. The tool looks for exactly these instructions, in exactly this encoding.

/// Send a request to the tool and return its answer, or `default` outside of the tool.
///
/// `code` is one of [`crate::requests`].
///
/// # Safety
/// The arguments must be what the request asks for. Addresses among them must be valid for the accesses that the
/// request makes, and their provenance must have been exposed.
#[inline(always)]
pub unsafe fn request(code: u32, arguments: [usize; 5], default: usize) -> usize {
    let [first, second, third, fourth, fifth] = arguments;
    let block = [code as usize, first, second, third, fourth, fifth];
    // SAFETY: natively the sequence leaves all registers and memory as they are. Under the tool it does what the
    // caller has vouched for; the compiler takes into account that it may read and write any exposed memory.
    unsafe { magic_sequence(&block, default) }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn magic_sequence(block: &[usize; 6], default: usize) -> usize {
    let mut result = default;
    // SAFETY: see `request`. RDI and RBX hold the same value afterwards, so that they need not be declared.
    unsafe {
        core::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") block.as_ptr(),
            inlateout("rdx") result,
            options(nostack),
        );
    }
    result
}

#[cfg(target_arch = "x86")]
#[inline(always)]
unsafe fn magic_sequence(block: &[usize; 6], default: usize) -> usize {
    let mut result = default;
    // SAFETY: see `request`. EDI and EBX hold the same value afterwards, so that they need not be declared.
    unsafe {
        core::arch::asm!(
            "rol edi, 3",
            "rol edi, 13",
            "rol edi, 29",
            "rol edi, 19",
            "xchg ebx, ebx",
            in("eax") block.as_ptr(),
            inlateout("edx") result,
            options(nostack),
        );
    }
    result
}

/// There is no tool for other architectures.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
#[inline(always)]
unsafe fn magic_sequence(_block: &[usize; 6], default: usize) -> usize {
    default
}
