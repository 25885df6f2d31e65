//! The narrow interface between the pure translator and the engine that runs its output.

use crate::computed::Part;
pub use crate::recording::StructureReference;
use crate::state::{Class, State};
use crate::templates::Templates;
use alloc::rc::Rc;
use alloc::vec::Vec;
use derivgrind_functions::places::FloatArguments;
pub use derivgrind_functions::Treatment;
pub use derivgrind_tape::structure::Structure;

/// Where the shadows of vector registers live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VectorShadows {
    /// zmm16-31 hold the shadows of xmm/ymm0-15. Needs AVX-512 F, BW, DQ and VL, and a client that does not use it.
    Registers,
    /// Slots in the context.
    Memory,
}

/// Vector instructions that shadow code may use in [`VectorShadows::Memory`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum HostVectors {
    Sse2,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL as well.
    Avx512,
}

/// What shadows are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Dot values.
    Forward,
    /// Indices of operations on a tape.
    Recording,
    /// The same with more than 2^31 operations on the tape: operands are stored with 8 bytes.
    RecordingWide,
    /// Indices that are copied, while results of operations are passive: the client has paused recording.
    Paused,
}

impl Mode {
    /// Are operations written to the tape?
    pub fn records(self) -> bool {
        matches!(self, Mode::Recording | Mode::RecordingWide)
    }
    pub fn has_wide_indices(self) -> bool {
        self == Mode::RecordingWide
    }
    pub fn has_indices(self) -> bool {
        self != Mode::Forward
    }
}

/// What holds for every translation of a process until its caches are flushed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// False until the first input: client code is copied without shadows.
    pub differentiating: bool,
    pub mode: Mode,
    /// The process has had several threads. Then atomic operations change value and shadow together, and in a recording
    /// an operand from a younger segment of the tape needs a new segment, see [`ExitKind::NewSegment`].
    pub has_threads: bool,
    pub vector_shadows: VectorShadows,
    /// CPUID has hidden AVX-512 from the client, so its XSAVE masks are cut. Stays true when shadows move to memory
    /// because the client uses AVX-512 all the same.
    pub hides_avx512: bool,
    pub host_vectors: HostVectors,
    /// The host has AVX-512 and the client may use it, but has not used zmm0 to zmm15 yet: shadow code need not save
    /// what lies above 256 bits of the registers that it borrows.
    pub notices_zmm: bool,
    /// Shadow arithmetic runs under a control word of its own, so that the client's keeps its flags: to nearest, all
    /// exceptions masked. Without that, a client that unmasks an exception or rounds differently is noticed, see
    /// [`ExitKind::NeedsOwnControl`].
    pub own_control: bool,
}

/// What the translator asks about the client's address space.
pub trait ClientCode {
    /// Executable bytes from `pc` to the end of their mapping, `None` if nothing executable is mapped there.
    fn code(&self, pc: u64) -> Option<&[u8]>;
    /// True if `address` lies in a file mapping that was never writable: such data is passive.
    fn is_constant(&self, address: u64) -> bool;
    /// Eight bytes at an address for which [`Self::is_constant`] holds, if they can be read.
    fn constant(&self, _address: u64) -> Option<u64> {
        None
    }
    /// True if the code at `pc` belongs to a function of numbers, which gets no pointers to them. In the zero state
    /// what it loads is passive, except for arguments on the stack.
    fn loads_are_passive(&self, _pc: u64) -> bool {
        false
    }
    /// True if a translation of `pc` exists for the zero state: a superblock links to it instead of repeating it.
    fn is_translated(&self, _pc: u64) -> bool {
        false
    }
    /// True if the page of shadow memory at this address holds zeros and the engine will know when that changes, see
    /// [`Translation::passive_pages`].
    fn is_zero_page(&self, _page: u64) -> bool {
        false
    }
    /// True for code at `pc` that need not follow the System V ABI: its functions may return something in flags.
    fn returns_flags(&self, _pc: u64) -> bool {
        false
    }
    /// True for code that converts a number to an integer to have its digits, not to round it: there that is counted.
    fn takes_numbers_apart(&self, _pc: u64) -> bool {
        false
    }
    /// Eight bytes of any memory at this moment, if they can be read.
    fn content(&self, _address: u64) -> Option<u64> {
        None
    }
    /// If `pc` is the entry of a library function that rules for instructions do not differentiate.
    fn library_function(&self, pc: u64) -> Option<LibraryFunction>;
}

/// A library function that rules for instructions do not differentiate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LibraryFunction {
    pub arguments: FloatArguments,
    pub treatment: Treatment,
    /// Its calls are differentiated without leaving the cache, see [`crate::direct_calls`].
    pub direct: Option<DirectFunction>,
}

/// What a call of such a function notes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DirectFunction {
    /// Address of what the engine knows about it, which begins with the address of a
    /// [`crate::direct_calls::Handler`].
    pub description: u64,
    /// Numbers in vector registers, 1 or 2.
    pub arguments: usize,
    /// It takes something in general registers.
    pub needs_registers: bool,
}

/// What the client's registers hold where a translation begins.
#[derive(Clone, Copy, Default)]
pub struct Registers {
    /// In encoding order.
    pub general: [u64; 16],
    /// Low 128 bits.
    pub vectors: [[u64; 2]; 16],
}

/// What is known about the way into a translation.
#[derive(Clone, Copy)]
pub enum Entry<'a> {
    /// Nothing: the level does not ask.
    Unknown,
    /// It is about to be executed with these registers.
    Seen(&'a Registers),
    /// It was made before, with this [`Translation::observed`] and [`Translation::passive_pages`], and shall become the
    /// same.
    Again { observed: &'a [Observed], passive_pages: &'a [u64] },
}

/// What a block tests because of what was seen when it was translated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Observed {
    /// A sum whose addend was a rounding constant, see [`crate::rounding`]: numbers of the instruction within the block,
    /// and of its operand.
    Constant { position: u8, operand: u8 },
    /// An instruction whose operand in memory was passive, see [`crate::expected_passive`]: its number.
    Passive { position: u8 },
}

/// One translation to be made.
pub struct Job<'a> {
    pub pc: u64,
    pub state: State,
    pub entry: Entry<'a>,
    /// Address at which the code will run, below 2^31.
    pub address: u64,
    /// Address of the thread's context, below 2^31.
    pub context: u64,
    /// Address of the common exit of this thread, see [`crate::glue::common`].
    pub common_exit: u64,
    /// Templates for this thread.
    pub templates: Rc<Templates>,
    /// Addresses of the tables for indirect branches, by class (parts: [`crate::glue::Arrival`]). The engine makes
    /// tables when they are needed: if [`Translation::table`] names one that does not exist, the job is done again.
    pub tables: [u64; crate::context::CLASSES],
    /// Where indirect branches go whose budget is used up, see [`crate::glue::Common::samples`].
    pub samples: [u64; crate::context::CLASSES],
    /// Number of the first exit that this translation creates.
    pub first_exit: u32,
    /// Address of the 8-byte counter of the first site that this translation creates; the next follow behind it.
    pub first_counter: u64,
    /// Address, below 2^31, of [`crate::recording::TapeState`]. Only for recording.
    pub tape_state: u64,
    /// Address, below 2^31, of the word that a thread sets while it changes a value and its shadow together. It is the
    /// same for all threads.
    pub atomic_lock: u64,
    /// True: [`Boundary::recorded`] is wanted.
    pub describes_boundaries: bool,
    pub settings: &'a Settings,
}

/// Result of a translation: position-dependent code for [`Job::address`].
pub struct Translation {
    pub code: Vec<u8>,
    /// Exits, numbered from [`Job::first_exit`].
    pub exits: Vec<Exit>,
    /// One per client instruction, in ascending order of code offset. At its start all client registers are in place.
    pub boundaries: Vec<Boundary>,
    /// By boundary: shadows that are not at home there. Only if the job asks for it.
    pub held: Vec<Vec<HeldShadow>>,
    /// Places where a counter goes up when an active value meets something that is not differentiated.
    pub sites: Vec<Site>,
    /// Class of the table that the code uses: with `None` no table is needed.
    pub table: Option<Class>,
    /// What executions of this code write to the tape.
    pub structures: Vec<Structure>,
    /// Where the code needs the numbers that structures have on the tape.
    pub structure_references: Vec<StructureReference>,
    /// Client byte ranges `[start, end)` that were translated.
    pub ranges: Vec<(u64, u64)>,
    /// What depends on the values that were seen.
    pub observed: Vec<Observed>,
    /// Pages of shadow memory that must hold zeros as long as this translation is executed.
    pub passive_pages: Vec<u64>,
}

/// Start of the code of one client instruction. The general registers are in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// Offset in the translation.
    pub code_offset: u32,
    /// Address of the client instruction.
    pub pc: u64,
    /// With the mark of an applied rule if it has been applied to this instruction.
    pub state: State,
    /// The block has borrowed vector registers or holds shadows in them: only its own code can leave here.
    pub parked: bool,
    /// Position in [`Translation::structures`] of what has been recorded up to here; only if the job asks for it.
    pub recorded: Option<u32>,
}

/// The shadow of a client register that is in a low vector register, and newer than what is at home in the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldShadow {
    pub low: u8,
    /// The client register.
    pub number: u8,
    /// Bytes that are held.
    pub size: u8,
    /// What is at home above 128 bits is not valid: these bits are zero.
    pub clears_upper: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    pub kind: ExitKind,
    /// Client address at which execution goes on.
    pub target: u64,
    /// State there.
    pub state: State,
    /// Offset of the rel32 that may be patched to jump to the target directly; only for [`ExitKind::Link`].
    pub patch: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitKind {
    /// Continue at `target`.
    Link,
    /// Execute the system call whose number and arguments are in the registers, then continue at `target`.
    SystemCall,
    /// Emulate CPUID, an instruction of this length in front of `target`, then continue.
    Cpuid { length: u8 },
    /// Emulate XGETBV, then continue.
    Xgetbv,
    /// Serve the client request at [rax] with default result rdx, then continue.
    ClientRequest,
    /// An operand's index is not below those of the thread's segment of the tape: begin another one, then continue.
    NewSegment,
    /// Apply the rule of the instruction at `target`, see [`crate::computed`], then continue there. What is not
    /// resolved is counted at the address.
    ComputedRule { counter: u64, part: Part },
    /// The library function at `target` is called with an active argument: note the arguments, make them passive, and
    /// differentiate the function when it returns.
    ActiveCall,
    /// A library function has returned to [`crate::direct_calls::RETURN_TRAP`]: differentiate it, or do what else its
    /// return is awaited for.
    Returned,
    /// The client executes AVX-512 instructions while shadows live in zmm16-31: move them to memory, then continue.
    NeedsMemoryShadows,
    /// The client is about to use zmm0 to zmm15 for the first time: from now on shadow code has to save all of the
    /// registers that it borrows, then continue.
    NeedsFullRegisters,
    /// The client has unmasked a floating-point exception, or does not round to nearest: from now on shadow arithmetic
    /// needs a control word of its own, then continue.
    NeedsOwnControl,
    /// The stub at `target` jumps through the variable at this address, whose function is still to be found: continue
    /// where the variable leads to, and translate the stub again when it is called next.
    Unresolved { variable: u64 },
    /// The bytes at `target` are no instruction: the client gets SIGILL there.
    Undecodable,
    /// Nothing executable is mapped at `target`: the client gets SIGSEGV there.
    NotExecutable,
}

/// What is counted at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteKind {
    /// An instruction without a rule met an active operand. Holds iced-x86's `Code` as a number.
    Instruction(u16),
    /// A library function whose derivative is not known was called with an active argument.
    Function,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    pub pc: u64,
    pub kind: SiteKind,
}
