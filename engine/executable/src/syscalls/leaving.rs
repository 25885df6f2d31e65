//! Active numbers whose bytes leave through the kernel, where their derivatives cannot follow: they are counted.

use super::vectors;
use super::Call;
use crate::leaving::{self, Way};
use crate::settings;
use crate::sys::{kernel, Outcome};
use crate::threads::Thread;

/// Counts the active words of what a successful call has sent.
pub fn count(thread: &Thread, call: &Call, outcome: Outcome) {
    if !settings::differentiating() {
        return;
    }
    let [first, second, third, ..] = call.arguments;
    let count = outcome as u64;
    let mut words = 0;
    let mut add = |start, length| words += leaving::active_words(start, length);
    let mut descriptor = first as i32;
    match call.number {
        kernel::__NR_write | kernel::__NR_pwrite64 | kernel::__NR_sendto => add(second, count),
        kernel::__NR_writev
        | kernel::__NR_pwritev
        | kernel::__NR_pwritev2
        | kernel::__NR_vmsplice
        | kernel::__NR_process_vm_writev => vectors::for_each_part(second, third, count, add),
        kernel::__NR_sendmsg => vectors::for_each_part_of_message(second, count, add),
        kernel::__NR_sendmmsg => vectors::for_each_message(second, count, |message, length| {
            vectors::for_each_part_of_message(message, length, &mut add);
        }),
        kernel::__NR_msgsnd => add(second, 8 + third),
        kernel::__NR_io_submit => vectors::for_each_operation(third, count, |operation| {
            if operation.reads_from_memory() {
                descriptor = operation.descriptor as i32;
                operation.for_each_part(&mut add);
            }
        }),
        _ => return,
    }
    if words > 0 {
        let way = match call.number {
            kernel::__NR_process_vm_writev => Way::Process(descriptor),
            kernel::__NR_msgsnd => Way::Queue(descriptor),
            _ => Way::Descriptor(descriptor),
        };
        leaving::note(thread, way, words, call.pc);
    }
}
