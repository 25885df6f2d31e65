//! Signals: the client believes that it handles them, the engine does.
//!
//! The kernel may interrupt a thread anywhere: between two instructions of a translation, in the engine, in a system
//! call made for the client. The client's handler may only see states that its own code can have. So the engine
//! installs its own handler ([`handler`]), which queues the signal and brings the thread to the dispatcher: from
//! translated code by single-stepping to the next instruction boundary, from a blocking system call by letting it
//! fail with `EINTR` or by stepping back in front of it. The dispatcher then builds the frame that the kernel would
//! have built ([`frame`]) and continues at the client's handler ([`delivery`]).
//!
//! * What the client has set is in [`actions`]; `SIG_DFL` and `SIG_IGN` are passed to the kernel where possible.
//! * A queued signal blocks all others until it is delivered, so the kernel goes on queueing and ordering them.
//! * `SIGSEGV`, `SIGBUS`, `SIGFPE`, `SIGILL` and `SIGTRAP` are never really blocked, since the engine needs them; the
//!   client's mask holds them back when they come from other processes.
//! * [`KICK_SIGNAL`] belongs to the engine; the client cannot see it.

pub mod actions;
pub mod breakpoint;
pub mod delivery;
pub mod frame;
pub mod handler;
pub mod trap_flag;

pub use actions::ActionTable;

use crate::call;
use crate::sys::kernel;
use alloc::sync::Arc;
use breakpoint::Breakpoint;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use derivgrind_translate::state::State;
use trap_flag::ClientTrapFlag;

/// Makes a thread leave its code cache. The last real-time signal, which C libraries leave alone.
pub const KICK_SIGNAL: u32 = 64;

pub const SIGNAL_COUNT: usize = 64;

pub const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// Signals that the processor raises.
pub const SYNCHRONOUS: u64 = bit(kernel::SIGSEGV)
    | bit(kernel::SIGBUS)
    | bit(kernel::SIGFPE)
    | bit(kernel::SIGILL)
    | bit(kernel::SIGTRAP);

/// Signals that the kernel never blocks for a thread of the client.
const NEVER_BLOCKED: u64 = SYNCHRONOUS | bit(KICK_SIGNAL);
/// Signals that nobody can block.
const UNBLOCKABLE: u64 = bit(kernel::SIGKILL) | bit(kernel::SIGSTOP);

/// The kernel's `stack_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct AlternateStack {
    pub start: u64,
    pub flags: u32,
    pub padding: u32,
    pub size: u64,
}

impl AlternateStack {
    pub const DISABLED: AlternateStack =
        AlternateStack { start: 0, flags: kernel::SS_DISABLE, padding: 0, size: 0 };

    pub fn contains(&self, pointer: u64) -> bool {
        pointer > self.start && pointer - self.start <= self.size
    }
}

/// The kernel's `siginfo_t`.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub struct SignalInformation(pub [u8; 128]);

impl SignalInformation {
    pub fn code(&self) -> i32 {
        i32::from_le_bytes(self.0[8..12].try_into().expect("four bytes"))
    }

    pub fn address(&self) -> u64 {
        u64::from_le_bytes(self.0[16..24].try_into().expect("eight bytes"))
    }

    pub fn set_address(&mut self, address: u64) {
        self.0[16..24].copy_from_slice(&address.to_le_bytes());
    }

    /// What the kernel says about a fault that it finds itself.
    pub fn fault(signal: u32, code: i32, address: u64) -> SignalInformation {
        let mut information = SignalInformation([0; 128]);
        information.0[0..4].copy_from_slice(&signal.to_le_bytes());
        information.0[8..12].copy_from_slice(&code.to_le_bytes());
        information.set_address(address);
        information
    }
}

/// A signal on its way to the client.
#[derive(Clone, Copy)]
pub struct Queued {
    pub signal: u32,
    pub information: SignalInformation,
    /// Raised by the instruction at which the client continues.
    pub fault: Option<Fault>,
}

/// What the kernel says about a fault besides the `siginfo_t`.
#[derive(Clone, Copy)]
pub struct Fault {
    pub error: u64,
    pub trap: u64,
    pub address: u64,
}

const QUEUE_LENGTH: usize = 16;

/// Where a thread was taken out of its code cache.
#[derive(Clone, Copy)]
pub struct Interruption {
    pub pc: u64,
    pub state: State,
}

/// Signal state of a thread. The queue is written by the thread's own signal handler, the rest by its dispatcher.
pub struct SignalState {
    pub actions: Arc<ActionTable>,
    /// The client's signal mask.
    pub mask: u64,
    /// Mask during the current system call if it has one of its own (`sigsuspend`, `ppoll`, ...).
    pub temporary_mask: Option<u64>,
    pub alternate_stack: AlternateStack,
    queue: UnsafeCell<[Option<Queued>; QUEUE_LENGTH]>,
    /// Number of entries; a word, because the system call stub tests it.
    queued: AtomicU32,
    /// Signals that the client's mask holds back.
    held: alloc::vec::Vec<Queued>,
    interruption: UnsafeCell<Interruption>,
    /// The handler steps through code with the trap flag.
    stepping: AtomicBool,
    /// Address of the instruction that was executed last with the trap flag.
    stepped_from: AtomicU64,
    breakpoint: Breakpoint,
    pub trap_flag: ClientTrapFlag,
    /// A kick came while the thread was not in its cache.
    kicked: AtomicBool,
}

impl SignalState {
    pub fn new(actions: Arc<ActionTable>) -> SignalState {
        SignalState {
            actions,
            mask: 0,
            temporary_mask: None,
            alternate_stack: AlternateStack::DISABLED,
            queue: UnsafeCell::new([None; QUEUE_LENGTH]),
            queued: AtomicU32::new(0),
            held: alloc::vec::Vec::new(),
            interruption: UnsafeCell::new(Interruption { pc: 0, state: State::ZERO }),
            stepping: AtomicBool::new(false),
            stepped_from: AtomicU64::new(0),
            breakpoint: Breakpoint::default(),
            trap_flag: ClientTrapFlag::new(),
            kicked: AtomicBool::new(false),
        }
    }

    pub fn is_pending(&self) -> bool {
        self.queued.load(Ordering::SeqCst) != 0
    }

    /// Address of the number of queued signals, for the system call stub.
    pub fn pending_word(&self) -> *const u32 {
        self.queued.as_ptr()
    }

    /// Called by the handler, which nothing interrupts.
    pub fn enqueue(&self, signal: Queued) {
        let count = self.queued.load(Ordering::SeqCst) as usize;
        if count == QUEUE_LENGTH {
            // Cannot happen: a queued signal blocks all others but faults, and a fault ends in the dispatcher.
            crate::fatal!("Too many signals at once.");
        }
        // SAFETY: the dispatcher takes signals out only with signals blocked.
        unsafe { (*self.queue.get())[count] = Some(signal) };
        self.queued.store(count as u32 + 1, Ordering::SeqCst);
    }

    /// Queues what an instruction of the client has raised, in front of all others: the kernel delivers in this order.
    pub fn enqueue_first(&self, signal: Queued) {
        let before = block_everything();
        self.enqueue(signal);
        let count = self.queued.load(Ordering::SeqCst) as usize;
        // SAFETY: signals are blocked, so the handler does not run.
        unsafe { (&mut *self.queue.get())[..count].rotate_right(1) };
        set_kernel_mask(before);
    }

    /// The dispatcher is about to enter the cache for one instruction, with the trap flag; `before` is where code is.
    pub fn step_one_instruction(&self, pc: u64, before: u64) {
        self.trap_flag.wait_for_end_of(pc);
        self.stepped_from.store(before, Ordering::SeqCst);
        self.stepping.store(true, Ordering::SeqCst);
    }

    /// Takes the oldest signal out of the queue.
    pub fn dequeue(&self) -> Option<Queued> {
        let before = block_everything();
        let count = self.queued.load(Ordering::SeqCst) as usize;
        // SAFETY: signals are blocked, so the handler does not run.
        let queue = unsafe { &mut *self.queue.get() };
        let first = queue[0].take();
        if count > 0 {
            queue.rotate_left(1);
            self.queued.store(count as u32 - 1, Ordering::SeqCst);
        }
        set_kernel_mask(before);
        first
    }

    /// Pending signals are not inherited by a forked child.
    pub fn forget_queue(&mut self) {
        *self.queue.get_mut() = [None; QUEUE_LENGTH];
        self.held.clear();
        self.queued.store(0, Ordering::SeqCst);
    }

    pub fn interruption(&self) -> Interruption {
        // SAFETY: written by the handler before it redirects the thread to the dispatcher.
        unsafe { *self.interruption.get() }
    }

    fn set_interruption(&self, interruption: Interruption) {
        // SAFETY: only the thread's own handler writes.
        unsafe { *self.interruption.get() = interruption };
    }

    /// Was there a kick since the last call?
    pub fn take_kicked(&self) -> bool {
        self.kicked.swap(false, Ordering::SeqCst)
    }

    /// Changes the client's mask and tells the kernel.
    pub fn set_mask(&mut self, mask: u64) {
        self.mask = mask & !UNBLOCKABLE;
        set_kernel_mask(self.mask & !NEVER_BLOCKED);
        self.release_held();
    }

    /// Signals that the new mask lets through go back into the queue.
    fn release_held(&mut self) {
        let mask = self.mask;
        let mut index = 0;
        while index < self.held.len() {
            if mask & bit(self.held[index].signal) == 0 {
                let signal = self.held.remove(index);
                let before = block_everything();
                self.enqueue(signal);
                set_kernel_mask(before);
            } else {
                index += 1;
            }
        }
    }

    /// Signals that are held back.
    pub fn held_set(&self) -> u64 {
        self.held.iter().fold(0, |set, queued| set | bit(queued.signal))
    }

    /// Takes out a signal of the set that is held back, the one with the lowest number.
    pub fn take_held(&mut self, set: u64) -> Option<Queued> {
        let candidates = self.held.iter().enumerate().filter(|(_, queued)| set & bit(queued.signal) != 0);
        let (index, _) = candidates.min_by_key(|(_, queued)| queued.signal)?;
        Some(self.held.remove(index))
    }

    /// Mask for the kernel while the client runs.
    pub fn kernel_mask(&self) -> u64 {
        self.mask & !NEVER_BLOCKED
    }
}

/// Blocks all signals of the calling thread; returns the mask before.
pub fn block_everything() -> u64 {
    exchange_kernel_mask(!0)
}

pub fn set_kernel_mask(mask: u64) {
    exchange_kernel_mask(mask);
}

/// The kernel's mask of the calling thread.
pub fn exchange_kernel_mask(mask: u64) -> u64 {
    let mut before = 0u64;
    // SAFETY: both masks are ours.
    unsafe {
        call!(
            kernel::__NR_rt_sigprocmask,
            kernel::SIG_SETMASK,
            &mask as *const u64,
            &mut before as *mut u64,
            8
        )
    };
    before
}
