//! The engine's own signal handler: runs on the thread's signal stack, with all signals blocked.
//!
//! It never takes a lock when it has interrupted the engine, because the interrupted code may hold it. When it has
//! interrupted translated code, no lock is held and it may do as it likes.

use super::actions::Action;
use super::frame::UserContext;
use super::trap_flag::TRAP_TRACE;
use super::{bit, Fault, Interruption, Queued, SignalInformation, KICK_SIGNAL, SYNCHRONOUS};
use crate::atomic_lock;
use crate::dispatch::INTERRUPTED;
use crate::extended;
use crate::invalidate;
use crate::passive_pages;
use crate::recording;
use crate::recovery;
use crate::sys::kernel;
use crate::syscalls::entry;
use crate::threads::{self, Thread};
use crate::{client_memory, fatal, write_protection};
use alloc::vec::Vec;
use core::arch::global_asm;
use core::sync::atomic::Ordering;
use derivgrind_translate::context::{Context, SHADOW_END, SHADOW_OFFSET, SHADOW_START};
use derivgrind_translate::interface::Translation;

global_asm!(
    ".globl derivgrind_signal_return",
    "derivgrind_signal_return:",
    "mov eax, {number}",
    "syscall",
    "ud2",
    number = const kernel::__NR_rt_sigreturn,
);

extern "C" {
    fn derivgrind_signal_return();
}

/// Processor flag that raises a trap after each instruction.
pub const TRAP_FLAG: u64 = 1 << 8;
/// The instruction `pushfq`, which would store the trap flag.
const PUSHF: u8 = 0x9c;
const POPF: u8 = 0x9d;
const SIZE_PREFIX: u8 = 0x66;

pub fn restorer() -> u64 {
    derivgrind_signal_return as *const () as u64
}

/// The engine's handler with some of the client's flags.
pub fn action(client_flags: u64) -> Action {
    let flags = kernel::SA_SIGINFO | kernel::SA_ONSTACK | kernel::SA_RESTORER;
    Action {
        handler: handle as *const () as u64,
        flags: u64::from(flags) | client_flags,
        restorer: restorer(),
        mask: !0,
    }
}

/// `si_code` of a breakpoint instruction.
const SI_KERNEL: i32 = 0x80;

/// The kernel calls this.
extern "C" fn handle(signal: i32, information: *mut SignalInformation, user: *mut UserContext) {
    extended::stop_alignment_checks();
    // SAFETY: both lie in the frame that the kernel has pushed, and so on the signal stack of a thread.
    let (information, user, thread) = unsafe {
        let thread = threads::of_signal_stack(user as u64);
        (&mut *information, &mut *user, &*thread)
    };
    let signal = signal as u32;
    if thread.signals.breakpoint.clear(user) {
        leave_or_step(thread, user);
        return;
    }
    if signal == KICK_SIGNAL {
        kicked(thread, user);
        return;
    }
    let raised_by_processor = SYNCHRONOUS & bit(signal) != 0 && information.code() > 0;
    if raised_by_processor {
        fault(thread, signal, information, user);
        return;
    }
    thread.signals.enqueue(Queued { signal, information: *information, fault: None });
    // Nothing else until this one is delivered: so the kernel keeps the order.
    user.mask = !super::NEVER_BLOCKED;
    if thread.in_cache() {
        leave_or_step(thread, user);
    } else {
        entry::step_back(user);
    }
}

fn kicked(thread: &Thread, user: &mut UserContext) {
    if !thread.in_cache() {
        thread.signals.kicked.store(true, Ordering::SeqCst);
        return;
    }
    if thread.seen_generation() != invalidate::generation() {
        leave_or_step(thread, user);
    }
}

fn fault(thread: &Thread, signal: u32, information: &mut SignalInformation, user: &mut UserContext) {
    if signal == kernel::SIGTRAP && thread.signals.stepping.load(Ordering::SeqCst) {
        stepped(thread, user);
        return;
    }
    let sets_trap_flag = signal == kernel::SIGTRAP && information.code() == TRAP_TRACE;
    if sets_trap_flag && thread.in_cache() {
        // The instruction after the `popf` of the client has begun; no address is that of an instruction before it.
        thread.signals.trap_flag.change(true);
        thread.signals.trap_flag.wait_for_end_of(0);
        leave_or_step(thread, user);
        return;
    }
    if signal == kernel::SIGSEGV && passive_pages::resolve(thread, information.address(), user.error) {
        if thread.in_cache() {
            // The value is written, and what follows must not rely on what it was.
            step(thread, user);
        }
        return;
    }
    // The engine copies to the client with no lock that this takes.
    let copies = signal == kernel::SIGSEGV && client_memory::is_copying(user);
    if copies && write_protection::resolve(thread, information.address(), user.error) {
        return;
    }
    if client_memory::recover(user) {
        return;
    }
    if signal == kernel::SIGSEGV
        && thread.in_cache()
        && recording::change_chunk(thread, user, information.address())
    {
        if thread.seen_generation() != invalidate::generation() {
            step(thread, user);
        }
        return;
    }
    if signal == kernel::SIGSEGV && write_protection::resolve(thread, information.address(), user.error) {
        if thread.in_cache() {
            // The translations of the page are stale now: leave at the next boundary.
            step(thread, user);
        }
        return;
    }
    if !thread.in_cache() || !thread.cache.contains(user.instruction) {
        fatal!(
            "internal error of derivgrind: signal {} at {:#x}, address {:#x}",
            signal,
            user.instruction,
            information.address()
        );
    }
    // A breakpoint instruction of the client has been executed when it traps; all others have not.
    let executed = u64::from(signal == kernel::SIGTRAP && information.code() == SI_KERNEL);
    let Some((block, found)) = thread.cache.find_block(user.instruction - executed) else {
        fatal!("internal error of derivgrind: signal {} in common code at {:#x}", signal, user.instruction);
    };
    let pc = found.boundary.pc + executed;
    let mut address = information.address();
    if signal == kernel::SIGSEGV || signal == kernel::SIGBUS {
        if (SHADOW_START..SHADOW_END).contains(&address) {
            address -= SHADOW_OFFSET;
            information.set_address(address);
        }
    } else if address == user.instruction {
        information.set_address(pc);
    }
    stop_stepping(thread, user);
    atomic_lock::give_back(thread);
    let code_offset = found.boundary.code_offset;
    let mut held = Vec::new();
    // Elsewhere a block keeps nothing for itself.
    if recording::is_on() || !thread.shadows_in_registers() {
        let described = thread.cache.describe_block(block, &thread.settings());
        if let Some((mut described, number)) = described.and_then(|described| at(described, code_offset)) {
            recording::commit_beginning(thread, &mut described, number);
            held = described.held.swap_remove(number);
        }
    }
    let code = block + u64::from(code_offset);
    recovery::restore(user, block, code, thread.context() as *const Context as u64, &held);
    let fault = Fault { error: user.error, trap: user.trap, address };
    thread.signals.enqueue_first(Queued { signal, information: *information, fault: Some(fault) });
    user.mask = !super::NEVER_BLOCKED;
    leave(thread, user, Interruption { pc, state: found.boundary.state });
}

/// The number of the last boundary of a translation up to an offset.
fn at(described: Translation, code_offset: u32) -> Option<(Translation, usize)> {
    let number = described.boundaries.iter().rposition(|boundary| boundary.code_offset <= code_offset)?;
    Some((described, number))
}

/// After one instruction with the trap flag.
fn stepped(thread: &Thread, user: &mut UserContext) {
    let before = thread.signals.stepped_from.load(Ordering::SeqCst);
    // SAFETY: the thread has just executed the instruction there, and pushed the flags where its stack pointer points.
    unsafe {
        if *(before as *const u8) == PUSHF && !is_client_instruction(thread, before, PUSHF) {
            *(user.stack_pointer() as *mut u64) &= !TRAP_FLAG;
        }
    }
    if !thread.in_cache() {
        stop_stepping(thread, user);
        return;
    }
    if user.flags & TRAP_FLAG == 0 && is_client_instruction(thread, before, POPF) {
        thread.signals.trap_flag.change(false);
    }
    leave_or_step(thread, user);
}

/// While the client has set its trap flag: does the code at `address` belong to such an instruction of the client?
fn is_client_instruction(thread: &Thread, address: u64, code: u8) -> bool {
    if !thread.signals.trap_flag.is_set() || !thread.cache.contains(address) {
        return false;
    }
    let found = thread.cache.find_boundary(address).and_then(|found| {
        // It may have a prefix for the size.
        client_memory::read_value::<[u8; 2]>(found.boundary.pc).ok()
    });
    found.is_some_and(|bytes| bytes[0] == code || bytes[0] == SIZE_PREFIX && bytes[1] == code)
}

/// Leaves translated code if it is at an instruction boundary with all registers in place, else executes one more
/// instruction of it.
fn leave_or_step(thread: &Thread, user: &mut UserContext) {
    let found = if thread.cache.contains(user.instruction) {
        thread.cache.find_boundary(user.instruction)
    } else {
        None
    };
    match found {
        Some(found) if found.exact && !found.boundary.parked && !goes_on(thread, found.boundary.pc) => {
            stop_stepping(thread, user);
            leave(thread, user, Interruption { pc: found.boundary.pc, state: found.boundary.state });
        }
        _ => step(thread, user),
    }
}

/// Is the thread at an instruction that it is to execute before it leaves?
fn goes_on(thread: &Thread, pc: u64) -> bool {
    thread.signals.trap_flag.waits_for_end_of(pc)
        && !thread.signals.is_pending()
        && thread.seen_generation() == invalidate::generation()
}

fn step(thread: &Thread, user: &mut UserContext) {
    if thread.signals.breakpoint.set_behind_repetition(thread, user) {
        stop_stepping(thread, user);
        return;
    }
    thread.signals.stepping.store(true, Ordering::SeqCst);
    thread.signals.stepped_from.store(user.instruction, Ordering::SeqCst);
    user.flags |= TRAP_FLAG;
}

fn stop_stepping(thread: &Thread, user: &mut UserContext) {
    thread.signals.stepping.store(false, Ordering::SeqCst);
    user.flags &= !TRAP_FLAG;
}

/// All client registers are in place: go out through the common exit, which saves them.
fn leave(thread: &Thread, user: &mut UserContext, interruption: Interruption) {
    thread.signals.set_interruption(interruption);
    thread.context().exit = INTERRUPTED;
    user.instruction = thread.cache.exit_address();
}
