//! System calls of the client.
//!
//! Most go to the kernel as they are. Those that concern what the engine does itself (address space, threads, signals,
//! segment bases) or that would show the engine to the client are handled, one file per group. A handler returns
//! `None` for what it does not handle.

mod answers;
mod code_files;
pub mod entry;
mod file;
mod leaving;
pub mod limits;
pub mod locking;
mod memory;
pub mod process;
mod signal;
mod signal_descriptors;
mod thread;
mod vectors;
mod written;

use crate::client_memory;
use crate::dispatch::Continuation;
use crate::filters::{self, Verdict};
use crate::shadow;
use crate::sys::{self, kernel, Outcome};
use crate::threads::Thread;
use crate::write_protection;

/// Length of the `syscall` instruction.
pub const INSTRUCTION_LENGTH: u64 = 2;
const RAX: usize = 0;
const RCX: usize = 1;
const R11: usize = 11;

/// A system call with its arguments.
#[derive(Clone, Copy)]
pub struct Call {
    /// Address of the instruction.
    pub pc: u64,
    pub number: u32,
    pub arguments: [u64; 6],
}

/// What comes after a system call.
enum Done {
    /// The client gets this value.
    Value(Outcome),
    /// The client goes on elsewhere, with the registers that are in the context.
    Elsewhere(Continuation),
}

/// Executes the system call in the registers; `next` is behind the instruction.
pub fn serve(thread: &mut Thread, next: Continuation) -> Continuation {
    let again = Continuation { pc: next.pc - INSTRUCTION_LENGTH, state: next.state };
    if thread.signals.is_pending() {
        return again;
    }
    let call = read_call(thread, entry::number_of(thread.context().registers[RAX]), again.pc);
    let done = match filters::judge(thread, &call, next) {
        Some(Verdict::Elsewhere(continuation)) => Done::Elsewhere(continuation),
        Some(Verdict::Value(outcome)) => Done::Value(outcome),
        None => execute(thread, &call, next),
    };
    let outcome = match done {
        Done::Elsewhere(continuation) => return continuation,
        Done::Value(outcome) => outcome,
    };
    if entry::is_restart(outcome) {
        return again;
    }
    finish(thread, outcome, next);
    Continuation { pc: next.pc, state: shadow::observe(thread.context(), next.state) }
}

fn read_call(thread: &Thread, number: u32, pc: u64) -> Call {
    let registers = &thread.context().registers;
    let arguments = [registers[7], registers[6], registers[2], registers[10], registers[8], registers[9]];
    Call { pc, number, arguments }
}

/// A call that a function of the kernel makes with the arguments in the registers.
pub fn serve_function(thread: &mut Thread, number: u32, pc: u64) -> Outcome {
    let call = read_call(thread, number, pc);
    pass(thread, &call)
}

/// Sets the registers as the processor and the kernel leave them.
fn finish(thread: &mut Thread, outcome: Outcome, next: Continuation) {
    thread.context().registers[RAX] = outcome as u64;
    leave_instruction(thread, next);
}

/// What the instruction itself does to registers.
pub fn leave_instruction(thread: &mut Thread, next: Continuation) {
    let context = thread.context();
    context.registers[RCX] = next.pc;
    context.registers[R11] = context.flags;
}

/// Ends the calling thread as `exit` does.
pub fn end_thread(thread: &mut Thread, status: u64) -> ! {
    thread::exit(thread, kernel::__NR_exit, status)
}

/// With these the kernel reads and writes memory when nobody asks for it, so that shadows cannot follow. Programs do
/// without them where a system has them turned off, as many have.
const REFUSED: [u32; 3] =
    [kernel::__NR_io_uring_setup, kernel::__NR_io_uring_enter, kernel::__NR_io_uring_register];

fn execute(thread: &mut Thread, call: &Call, next: Continuation) -> Done {
    if REFUSED.contains(&call.number) {
        return Done::Value(sys::failure(sys::errno::ENOSYS));
    }
    if let Some(outcome) = memory::execute(thread, call) {
        return Done::Value(outcome);
    }
    if let Some(outcome) = limits::execute(thread, call).or_else(|| locking::execute(call)) {
        return Done::Value(outcome);
    }
    if let Some(outcome) = file::execute(thread, call) {
        return Done::Value(outcome);
    }
    if let Some(done) = signal::execute(thread, call) {
        return done;
    }
    if let Some(outcome) = thread::execute(thread, call, next) {
        return Done::Value(outcome);
    }
    if let Some(outcome) = process::execute(thread, call) {
        return Done::Value(outcome);
    }
    Done::Value(pass(thread, call))
}

/// Hands the call to the kernel.
fn pass(thread: &mut Thread, call: &Call) -> Outcome {
    if let Some(argument) = entry::temporary_mask_argument(call.number) {
        let address = call.arguments[argument];
        thread.signals.temporary_mask =
            if address == 0 { None } else { client_memory::read_value(address).ok() };
    }
    written::make_writable(thread, call);
    let gets_signals = signal_descriptors::begin(thread, call);
    // SAFETY: calls that could harm the engine have been handled before.
    let mut outcome = unsafe { entry::call(&thread.signals, u64::from(call.number), &call.arguments) };
    if outcome == sys::failure(sys::errno::EFAULT) && write_protection::lift_all(thread) {
        // SAFETY: as above.
        outcome = unsafe { entry::call(&thread.signals, u64::from(call.number), &call.arguments) };
    }
    if !thread.signals.is_pending() {
        thread.signals.temporary_mask = None;
    }
    if gets_signals {
        signal_descriptors::end(thread);
    }
    if !sys::is_failure(outcome) {
        leaving::count(thread, call, outcome);
    }
    written::make_passive(call, outcome);
    if !sys::is_failure(outcome) {
        code_files::follow(thread, call, outcome);
        signal_descriptors::note(call);
    }
    outcome
}
