//! What is known about shadows at a program point: the key of a block version.
//!
//! The zero state says that every register shadow is zero. A block translated for it runs the client's instructions as
//! they are and only checks that what it loads from memory is passive. All other states are active: shadows travel.
//! An active state still knows some registers to be passive, and lowering uses that.

/// State at a program point. Two blocks of one address with different states are different translations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct State(pub u64);

const ACTIVE: u64 = 1 << 34;
const GENERAL_CHECKED_ONCE: u64 = 1 << 33;
const RULE_APPLIED: u64 = 1 << 35;
const ASSUMES_NOTHING: u64 = 1 << 36;
const UPPER: u64 = 1 << 32;
/// Number of rsp, which is never active.
const STACK_POINTER: u32 = 4;

impl State {
    /// Every register shadow is zero (also the only state before the first input).
    pub const ZERO: State = State(0);
    /// Nothing is known.
    pub const UNKNOWN: State = State(ACTIVE | UPPER | 1 << STACK_POINTER);

    /// An active state from bit sets of registers whose shadow is zero; `upper`: bits 128 and up of a vector shadow
    /// may be non-zero.
    pub fn active(zero_general: u16, zero_vector: u16, upper: bool) -> State {
        let upper = if upper { UPPER } else { 0 };
        State(ACTIVE | upper | u64::from(zero_vector) << 16 | u64::from(zero_general))
    }
    /// The same state for a block whose first instruction may load an active value into a general register.
    pub fn expecting_active_load(self) -> State {
        State(self.0 | GENERAL_CHECKED_ONCE)
    }
    pub fn expects_active_load(self) -> bool {
        self.0 & GENERAL_CHECKED_ONCE != 0
    }
    /// The same state for a block whose first instruction has had its rule applied by the engine, see
    /// [`crate::computed`].
    pub fn with_rule_applied(self) -> State {
        State(self.0 | RULE_APPLIED)
    }
    pub fn without_rule_applied(self) -> State {
        State(self.0 & !RULE_APPLIED)
    }
    pub fn rule_is_applied(self) -> bool {
        self.0 & RULE_APPLIED != 0
    }
    /// The same state for a block in which an assumption has failed, see [`crate::reciprocals`] and
    /// [`crate::expected_passive`].
    pub fn assuming_nothing(self) -> State {
        State(self.0 | ASSUMES_NOTHING)
    }
    pub fn assumes_nothing(self) -> bool {
        self.0 & ASSUMES_NOTHING != 0
    }
    pub fn is_active(self) -> bool {
        self.0 & ACTIVE != 0
    }
    /// Bit r is set where the shadow of general register r is zero (its slot in the context is then stale).
    pub fn zero_general(self) -> u16 {
        if self.is_active() {
            self.0 as u16
        } else {
            !0
        }
    }
    /// Bit n is set where the shadow of vector register n is zero (the place of the shadow is then stale).
    pub fn zero_vector(self) -> u16 {
        if self.is_active() {
            (self.0 >> 16) as u16
        } else {
            !0
        }
    }
    /// May bits 128 and up of a vector shadow be non-zero?
    pub fn upper(self) -> bool {
        self.0 & UPPER != 0
    }
    /// The class whose table an indirect branch from this state uses.
    pub fn class(self) -> Class {
        let maybe_active = !(self.zero_general() | 1 << STACK_POINTER);
        let few = !self.upper() && !self.zero_vector() & !FEW_VECTORS == 0;
        if !self.is_active() {
            Class::Zero
        } else if maybe_active == 0 && self.upper() {
            Class::ActiveUpper
        } else if maybe_active == 0 && few {
            Class::ActiveFew
        } else if maybe_active == 0 {
            Class::Active
        } else if self.upper() {
            Class::UnknownUpper
        } else if maybe_active & !SCRATCH == 0 && few {
            Class::ScratchFew
        } else if maybe_active & !SCRATCH == 0 {
            Class::Scratch
        } else {
            Class::Unknown
        }
    }
}

/// rax and rdx: unoptimised code moves floats through them around calls.
const SCRATCH: u16 = 1 << 0 | 1 << 2;

/// xmm0 to xmm3: arguments and results of most functions.
const FEW_VECTORS: u16 = 0b1111;

/// States at the targets of indirect branches, each with a table of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Class {
    /// All shadows are zero.
    Zero = 0,
    /// General registers are passive, bits 128 and up of vector shadows are zero.
    Active = 1,
    /// General registers are passive.
    ActiveUpper = 2,
    /// General registers but rax and rdx are passive, bits 128 and up of vector shadows are zero.
    Scratch = 3,
    /// Bits 128 and up of vector shadows are zero.
    Unknown = 4,
    /// Nothing is known.
    UnknownUpper = 5,
    /// Like `Active`, and only xmm0 to xmm3 may be active.
    ActiveFew = 6,
    /// Like `Scratch`, and only xmm0 to xmm3 may be active.
    ScratchFew = 7,
}

impl Class {
    pub const ALL: [Class; crate::context::CLASSES] = [
        Class::Zero,
        Class::Active,
        Class::ActiveUpper,
        Class::Scratch,
        Class::Unknown,
        Class::UnknownUpper,
        Class::ActiveFew,
        Class::ScratchFew,
    ];

    pub fn state(self) -> State {
        match self {
            Class::Zero => State::ZERO,
            Class::Active => State::active(!0, 0, false),
            Class::ActiveUpper => State::active(!0, 0, true),
            Class::Scratch => State::active(!SCRATCH, 0, false),
            Class::Unknown => State::active(1 << STACK_POINTER, 0, false),
            Class::UnknownUpper => State::UNKNOWN,
            Class::ActiveFew => State::active(!0, !FEW_VECTORS, false),
            Class::ScratchFew => State::active(!SCRATCH, !FEW_VECTORS, false),
        }
    }
}
