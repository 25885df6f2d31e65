//! Threads and processes that the client starts: clone, fork, vfork; the end of a thread; segment bases.

use super::Call;
use crate::client_memory;
use crate::dispatch::{self, Continuation};
use crate::extended::{
    self, ARCH_GET_CPUID, ARCH_GET_FS, ARCH_GET_GS, ARCH_SET_CPUID, ARCH_SET_FS, ARCH_SET_GS,
};
use crate::filters;
use crate::fork;
use crate::lock;
use crate::recording;
use crate::report;
use crate::shadow;
use crate::signals::{self, AlternateStack};
use crate::sys::{self, errno, failure, kernel, Outcome};
use crate::threads::{self, Thread};
use alloc::sync::Arc;
use core::arch::global_asm;
use derivgrind_translate::context::SHADOW_START;
use derivgrind_translate::state::State;

pub fn execute(thread: &mut Thread, call: &Call, next: Continuation) -> Option<Outcome> {
    let [first, second, third, fourth, fifth, _] = call.arguments;
    Some(match call.number {
        kernel::__NR_clone => {
            let request = CloneRequest {
                flags: first,
                stack: second,
                parent_id: third,
                child_id: fourth,
                thread_pointer: fifth,
            };
            clone(thread, &request, next)
        }
        kernel::__NR_fork => clone(thread, &CloneRequest::like_fork(u64::from(kernel::SIGCHLD)), next),
        kernel::__NR_vfork => {
            let flags = u64::from(kernel::CLONE_VM | kernel::CLONE_VFORK | kernel::SIGCHLD);
            clone(thread, &CloneRequest::like_fork(flags), next)
        }
        kernel::__NR_clone3 => match CloneRequest::read(first, second) {
            Ok(request) => clone(thread, &request, next),
            Err(error) => error,
        },
        // Restartable sequences are hidden since the kernel compares addresses.
        kernel::__NR_rseq => failure(errno::ENOSYS),
        kernel::__NR_exit => exit(thread, call.number, first),
        kernel::__NR_exit_group if thread.borrows_memory => exit(thread, call.number, first),
        kernel::__NR_arch_prctl => return processor_state(thread, first, second),
        _ => return None,
    })
}

/// First version of `struct clone_args`, see clone(2).
const CLONE_ARGUMENTS_SIZE: u64 = 64;
/// The lowest byte of `clone`'s flags.
const EXIT_SIGNAL: u64 = 0xff;

struct CloneRequest {
    flags: u64,
    stack: u64,
    parent_id: u64,
    child_id: u64,
    thread_pointer: u64,
}

impl CloneRequest {
    fn like_fork(flags: u64) -> CloneRequest {
        CloneRequest { flags, stack: 0, parent_id: 0, child_id: 0, thread_pointer: 0 }
    }

    /// What `clone3` is asked, as far as `clone` can do it; C libraries use that where the new call is missing.
    fn read(address: u64, size: u64) -> Result<CloneRequest, Outcome> {
        if size < CLONE_ARGUMENTS_SIZE {
            return Err(failure(errno::EINVAL));
        }
        let words = client_memory::read_value::<[u64; 8]>(address).map_err(|_| failure(errno::EFAULT))?;
        let [flags, descriptor, child_id, parent_id, exit_signal, stack, stack_size, thread_pointer] = words;
        let more = if size > CLONE_ARGUMENTS_SIZE {
            client_memory::read_value::<[u64; 2]>(address + CLONE_ARGUMENTS_SIZE).unwrap_or_default()
        } else {
            [0; 2]
        };
        let both = flags & u64::from(kernel::CLONE_PIDFD) != 0
            && flags & u64::from(kernel::CLONE_PARENT_SETTID) != 0;
        if flags >> 32 != 0 || more != [0; 2] || both {
            return Err(failure(errno::ENOSYS));
        }
        if flags & EXIT_SIGNAL != 0 || exit_signal & !EXIT_SIGNAL != 0 || (stack == 0) != (stack_size == 0) {
            return Err(failure(errno::EINVAL));
        }
        let pidfd = flags & u64::from(kernel::CLONE_PIDFD) != 0;
        Ok(CloneRequest {
            flags: flags | exit_signal,
            stack: stack + stack_size,
            parent_id: if pidfd { descriptor } else { parent_id },
            child_id,
            thread_pointer,
        })
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & u64::from(flag) != 0
    }
}

fn clone(thread: &mut Thread, request: &CloneRequest, next: Continuation) -> Outcome {
    let answers = [
        (kernel::CLONE_PARENT_SETTID | kernel::CLONE_PIDFD, request.parent_id),
        (kernel::CLONE_CHILD_SETTID, request.child_id),
    ];
    for (flags, answer) in answers {
        // In both processes.
        if request.has(flags) {
            shadow::clear(answer, 4);
        }
    }
    if request.has(kernel::CLONE_VM) {
        clone_sharing_memory(thread, request, next)
    } else {
        fork::fork(
            thread,
            request.flags,
            |thread| {
                if request.stack != 0 {
                    thread.context().registers[4] = request.stack;
                }
                if request.has(kernel::CLONE_SETTLS) {
                    thread.context().fs_base = request.thread_pointer;
                }
            },
            [request.parent_id, request.child_id, request.thread_pointer],
        )
    }
}

global_asm!(
    // rdi flags, rsi top of the new stack, rdx parent id, rcx child id, r8 thread pointer, r9 argument of the child.
    ".globl derivgrind_clone",
    "derivgrind_clone:",
    "mov r10, rcx",
    "mov [rsi - 16], r9",
    "sub rsi, 16",
    "mov eax, {number}",
    "syscall",
    "test rax, rax",
    "jz 2f",
    "ret",
    "2:",
    "mov rdi, [rsp]",
    "xor ebp, ebp",
    "call {start}",
    "ud2",
    number = const kernel::__NR_clone,
    start = sym start_child,
);

extern "C" {
    fn derivgrind_clone(
        flags: u64,
        stack: u64,
        parent: u64,
        child: u64,
        thread_pointer: u64,
        argument: u64,
    ) -> Outcome;
}

/// What the new thread needs, on its own stack's thread structure.
struct Start {
    thread: *mut Thread,
    next: Continuation,
}

fn clone_sharing_memory(thread: &mut Thread, request: &CloneRequest, next: Continuation) -> Outcome {
    let shares_process = request.has(kernel::CLONE_THREAD);
    lock::share();
    let actions = if request.has(kernel::CLONE_SIGHAND) {
        thread.signals.actions.clone()
    } else {
        Arc::new(thread.signals.actions.copy())
    };
    recording::prepare_for_threads(thread);
    let child = match Thread::create(false, actions) {
        Ok(child) => child,
        Err(error) => return error,
    };
    // SAFETY: the child does not run yet.
    let stack = unsafe {
        prepare_child(thread, &mut *child, request, next);
        if request.has(kernel::CLONE_VFORK) && !shares_process {
            (*child).signals.alternate_stack = thread.signals.alternate_stack;
            (*child).freed_by_creator = true;
        }
        (*child).borrows_memory = thread.borrows_memory || !shares_process;
        (*child).engine_stack()
    };
    let start = alloc::boxed::Box::into_raw(alloc::boxed::Box::new(Start {
        thread: child,
        next: Continuation {
            pc: next.pc,
            state: if next.state.is_active() { State::UNKNOWN } else { State::ZERO },
        },
    }));
    let before = signals::block_everything();
    // SAFETY: the child runs on its own engine stack and takes `start` over.
    let outcome = unsafe {
        derivgrind_clone(
            request.flags,
            stack,
            request.parent_id,
            request.child_id,
            request.thread_pointer,
            start as u64,
        )
    };
    signals::set_kernel_mask(before);
    let failed = sys::is_failure(outcome);
    if failed {
        // SAFETY: nobody else has taken it.
        drop(unsafe { alloc::boxed::Box::from_raw(start) });
    }
    if failed || (request.has(kernel::CLONE_VFORK) && !shares_process) {
        // SAFETY: the child does not run, or it has left this memory by exec or exit.
        unsafe { threads::destroy(child) };
    }
    outcome
}

fn prepare_child(parent: &mut Thread, child: &mut Thread, request: &CloneRequest, next: Continuation) {
    let (from, to) = (parent.context(), child.context());
    to.registers = from.registers;
    to.registers[0] = 0;
    to.registers[1] = next.pc;
    to.registers[11] = from.flags;
    if request.stack != 0 {
        to.registers[4] = request.stack;
    }
    to.flags = from.flags;
    to.vectors = from.vectors;
    to.fs_base = if request.has(kernel::CLONE_SETTLS) { request.thread_pointer } else { from.fs_base };
    to.gs_base = from.gs_base;
    if shadow::may_be_active(from, next.state) {
        to.general_shadows = shadow::read_general(from, next.state);
        let vectors = shadow::read_vectors(from, next.state);
        // The kernel copies zmm16-31 with all other registers; make them what the child's state says.
        shadow::write_vectors(from, &vectors);
        shadow::fill_slots(to, &vectors);
        shadow::write_numbers(to, shadow::numbers(from));
    }
    child.set_shadows_in_registers(parent.shadows_in_registers());
    filters::inherit(parent, child, request.has(kernel::CLONE_THREAD));
    child.cpuid_faults = parent.cpuid_faults;
    child.signals.mask = parent.signals.mask;
    child.signals.alternate_stack = AlternateStack::DISABLED;
    child.disabled = 0;
}

/// First code of a new thread: on its engine stack, with all signals blocked.
extern "C" fn start_child(start: *mut Start) -> ! {
    // SAFETY: the parent has handed it over.
    let start = unsafe { alloc::boxed::Box::from_raw(start) };
    let (thread, next) = (start.thread, start.next);
    drop(start);
    // SAFETY: this is the thread, and nobody else uses it.
    unsafe {
        (*thread).adopt_current();
        dispatch::run(thread, next)
    }
}

pub fn exit(thread: &mut Thread, number: u32, status: u64) -> ! {
    if thread.freed_by_creator {
        sys::exit_group(status as i32);
    }
    signals::block_everything();
    if threads::count() == 1 {
        report::make(thread);
    }
    // SAFETY: this is the calling thread, with signals blocked.
    unsafe { threads::exit(thread, number, status) }
}

fn processor_state(thread: &mut Thread, operation: u64, argument: u64) -> Option<Outcome> {
    let context = thread.context();
    Some(match operation {
        ARCH_SET_FS => {
            let outcome = extended::set_fs_base(argument);
            if !sys::is_failure(outcome) {
                context.fs_base = argument;
            }
            outcome
        }
        ARCH_SET_GS if argument >= SHADOW_START => failure(errno::EPERM),
        ARCH_SET_GS => {
            context.gs_base = argument;
            0
        }
        ARCH_GET_FS => give(argument, context.fs_base),
        ARCH_GET_GS => give(argument, context.gs_base),
        ARCH_GET_CPUID => Outcome::from(!thread.cpuid_faults),
        ARCH_SET_CPUID => {
            let outcome = extended::allow_cpuid();
            if !sys::is_failure(outcome) {
                thread.cpuid_faults = argument == 0;
            }
            outcome
        }
        // A shadow stack of return addresses would be the engine's, not the client's.
        ARCH_SHSTK_FIRST..=ARCH_SHSTK_LAST => failure(errno::EINVAL),
        _ => return None,
    })
}

const ARCH_SHSTK_FIRST: u64 = 0x5001;
const ARCH_SHSTK_LAST: u64 = 0x5005;

fn give(address: u64, value: u64) -> Outcome {
    match client_memory::write_value(address, &value) {
        Ok(()) => 0,
        Err(_) => failure(errno::EFAULT),
    }
}
