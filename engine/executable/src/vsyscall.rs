//! The page at the end of the address space where old programs call `gettimeofday`, `time` and `getcpu`
//! (vsyscall(7)): the kernel does not let it be read, so its three functions are served here.

use crate::dispatch::Continuation;
use crate::sys::kernel;
use crate::syscalls;
use crate::threads::Thread;
use crate::{client_memory, shadow};

const RAX: usize = 0;
const RSP: usize = 4;

/// Serves the call if `next` is one of the functions; the client goes on where the caller wants it.
pub fn serve(thread: &mut Thread, next: Continuation) -> Option<Continuation> {
    let number = match next.pc {
        0xffff_ffff_ff60_0000 => kernel::__NR_gettimeofday,
        0xffff_ffff_ff60_0400 => kernel::__NR_time,
        0xffff_ffff_ff60_0800 => kernel::__NR_getcpu,
        _ => return None,
    };
    let caller = client_memory::read_value(thread.context().registers[RSP]).ok()?;
    let outcome = syscalls::serve_function(thread, number, next.pc);
    let context = thread.context();
    context.registers[RAX] = outcome as u64;
    context.registers[RSP] += 8;
    Some(Continuation { pc: caller, state: shadow::observe(context, next.state) })
}
