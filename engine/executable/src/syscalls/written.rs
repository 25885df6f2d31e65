//! Buffers that the kernel fills: what is read from outside is passive, whatever was active there before.

use super::Call;
use crate::client_memory;
use crate::settings;
use crate::shadow;
use crate::sys::{kernel, Outcome};

/// Clears the shadows of what a successful call has written.
pub fn make_passive(call: &Call, outcome: Outcome) {
    if !settings::differentiating() {
        return;
    }
    let [_, second, third, ..] = call.arguments;
    let count = outcome as u64;
    match call.number {
        kernel::__NR_read | kernel::__NR_pread64 | kernel::__NR_recvfrom => shadow::clear(second, count),
        kernel::__NR_getrandom => shadow::clear(call.arguments[0], count),
        kernel::__NR_readv | kernel::__NR_preadv | kernel::__NR_preadv2 => clear_vector(second, third, count),
        kernel::__NR_recvmsg => clear_message(second, count),
        _ => {}
    }
}

/// Clears the first `left` bytes of the buffers in an `iovec` array.
fn clear_vector(vector: u64, length: u64, mut left: u64) {
    for index in 0..length {
        let Ok([start, size]) = client_memory::read_value::<[u64; 2]>(vector + 16 * index) else {
            return;
        };
        let count = size.min(left);
        shadow::clear(start, count);
        left -= count;
        if left == 0 {
            return;
        }
    }
}

/// The vector of a `msghdr` is its third word, followed by its length.
fn clear_message(message: u64, count: u64) {
    if let Ok([vector, length]) = client_memory::read_value::<[u64; 2]>(message + 16) {
        clear_vector(vector, length, count);
    }
}
