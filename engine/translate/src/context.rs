//! The per-thread context: memory that translated code addresses absolutely.
//!
//! Translated code has no register to spare: GS holds the shadow offset and FS belongs to the client. So each thread
//! owns a context in the low 2 GB, reached by absolute 32-bit addresses, and translations are private to a thread.
//! The engine's view is [`Context`]; translated code uses the `offset` constants. A test keeps both in step.

/// Distance from a client address to its shadow. GS base always holds it. It is no multiple of 4096, because equal
/// page offsets of a client access and its shadow access would look like a dependency to the processor (4K aliasing).
pub const SHADOW_OFFSET: u64 = SHADOW_START + 0x8c0;
/// First address of the shadow memory; client memory lies below.
pub const SHADOW_START: u64 = 0x2000_0000_0000;
/// End of the shadow memory.
pub const SHADOW_END: u64 = 0x4000_0000_0000;
/// Bytes at the start of a thread's region that the context occupies.
pub const CONTEXT_SIZE: u64 = 0x7000;

/// Number of tables for indirect branches, one for each [`crate::state::Class`].
pub const CLASSES: usize = 8;
/// Parts of each such table, one for each [`crate::glue::Arrival`].
pub const ARRIVALS: usize = 3;
/// Entries of each part, indexed by the low 16 bits of the target.
pub const TABLE_ENTRIES: usize = 1 << 16;
/// Bytes of a table.
pub const TABLE_SIZE: u64 = (ARRIVALS * 8 * TABLE_ENTRIES) as u64;

/// Engine's view of the first part of a context.
#[repr(C)]
pub struct Context {
    /// General registers of the client in encoding order (rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 ...).
    pub registers: [u64; 16],
    pub flags: u64,
    /// Stack on which the engine runs.
    pub engine_stack: u64,
    /// `extern "C" fn(*mut Context)`: called on each exit from translated code.
    pub exit_handler: u64,
    /// Cache address at which translated code goes on.
    pub resume: u64,
    /// Which exit was taken: an index into the thread's exits, or a value from [`crate::glue`].
    pub exit: u64,
    /// Target of the indirect branch under way; of returns only when they missed their table.
    pub target: u64,
    pub spilled_rcx: u64,
    pub spilled_rdx: u64,
    pub scratch: [u64; 4],
    /// Indirect branches in active code until the dynamic activity test is made.
    pub budget: u64,
    /// The engine's thread structure; unused by translated code.
    pub thread: u64,
    /// The client's FS base: set by `arch_prctl` and `wrfsbase`.
    pub fs_base: u64,
    /// The client's GS base, which the hardware register does not hold.
    pub gs_base: u64,
    /// Low 128 bits of xmm0-15 while the engine runs.
    pub vectors: [[u64; 2]; 16],
    /// Shadows of the general registers, valid where the state does not say that they are zero.
    pub general_shadows: [u64; 16],
}

/// Offsets from the start of the context.
pub mod offset {
    pub const REGISTERS: u32 = 0;
    pub const FLAGS: u32 = 0x80;
    pub const ENGINE_STACK: u32 = 0x88;
    pub const EXIT_HANDLER: u32 = 0x90;
    pub const RESUME: u32 = 0x98;
    pub const EXIT: u32 = 0xa0;
    pub const TARGET: u32 = 0xa8;
    pub const SPILLED_RCX: u32 = 0xb0;
    pub const SPILLED_RDX: u32 = 0xb8;
    pub const SCRATCH: u32 = 0xc0;
    pub const BUDGET: u32 = 0xe0;
    pub const FS_BASE: u32 = 0xf0;
    pub const GS_BASE: u32 = 0xf8;
    pub const VECTORS: u32 = 0x100;
    pub const GENERAL_SHADOWS: u32 = 0x200;
    /// Room for vector registers that shadow code borrows, 8 x 64 bytes.
    pub const VECTOR_SPILLS: u32 = 0x280;
    /// Client value of the register that holds the tape's position within a block, see [`crate::recording`].
    pub const TAPE_PARKED: u32 = 0x480;
    /// The client's MXCSR while shadow arithmetic runs under its own; else scratch.
    pub const CLIENT_CONTROL: u32 = 0x4a0;
    /// Not zero while shadow arithmetic runs under its own control word.
    pub const HAS_OWN_CONTROL: u32 = 0x4a8;
    /// Zero only if the shadows of registers 16 to 31, whose slots are always valid, are all zero.
    pub const WIDE_ACTIVE: u32 = 0x7c0;
    /// Shadows of the physical x87 registers, 16 bytes each, of which 10 are used. Always valid.
    pub const X87_SHADOWS: u32 = 0x700;
    /// Zero only if all of them are.
    pub const X87_ACTIVE: u32 = 0x780;
    /// Client mask registers that a block borrows, 8 bytes each.
    pub const PARKED_MASKS: u32 = 0x4c0;
    /// Not zero while the thread holds the lock of atomic operations.
    pub const HOLDS_LOCK: u32 = 0x488;
    /// Address behind the last note of a call, see [`crate::direct_calls`].
    pub const NEXT_NOTE: u32 = 0x490;
    /// Constants that shadow code reads; filled by [`crate::constants::fill`].
    pub const CONSTANTS: u32 = 0x800;
    /// Shadows of vector registers 0-31, 64 bytes each, when they live in memory.
    pub const VECTOR_SHADOWS: u32 = 0x1000;
    /// Client vector registers 0-31 that a block borrows, 64 bytes each.
    pub const BORROWED: u32 = 0x1800;
    /// Operands of an instruction that is taken to pieces, 8 x 64 bytes.
    pub const WIDE_OPERANDS: u32 = 0x2000;
    /// The inverted address of the area that shadows are kept for, see [`crate::wide_saved_states`]; 0 if there are
    /// none.
    pub const SHADOWS_KEPT_FOR: u32 = 0x4000;
    /// The same for values of zmm0 to zmm15.
    pub const VALUES_KEPT_FOR: u32 = 0x4008;
    pub const KEPT_VALUES: u32 = 0x4040;
    pub const KEPT_SHADOWS: u32 = 0x4440;
    /// Reciprocals of divisors of the block, see [`crate::reciprocals`], 4 x 32 bytes.
    pub const RECIPROCALS: u32 = 0x4880;
    /// Tables of small numbers, see [`crate::constants`].
    pub const NUMBERS: u32 = 0x2800;
    /// Notes of calls; the first is none.
    pub const NOTES: u32 = 0x5000;
}
