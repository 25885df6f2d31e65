//! Buffers that system calls find through structures: `iovec`, `msghdr`, `mmsghdr`, `iocb`.

use crate::client_memory;

/// Size of a `msghdr`, and of an element of an array of `mmsghdr`.
pub const MESSAGE_HEADER: u64 = 56;
pub const SEVERAL_STEP: u64 = 64;
/// Of a vector, or messages at once; the kernel takes no more.
pub const MOST_PARTS: u64 = 1024;

/// Visits the first `left` bytes of the buffers in an `iovec` array: address and size of each part.
pub fn for_each_part(vector: u64, length: u64, mut left: u64, mut visit: impl FnMut(u64, u64)) {
    for index in 0..length.min(MOST_PARTS) {
        if left == 0 {
            return;
        }
        let Ok([start, size]) = client_memory::read_value::<[u64; 2]>(vector + 16 * index) else {
            return;
        };
        let count = size.min(left);
        visit(start, count);
        left -= count;
    }
}

/// The vector of a `msghdr` is its third word, followed by its length.
pub fn for_each_part_of_message(message: u64, count: u64, visit: impl FnMut(u64, u64)) {
    if let Ok([vector, length]) = client_memory::read_value::<[u64; 2]>(message + 16) {
        for_each_part(vector, length, count, visit);
    }
}

/// Visits the first `count` elements of an array of `mmsghdr`, with the number of bytes that the kernel has noted.
pub fn for_each_message(array: u64, count: u64, mut visit: impl FnMut(u64, u64)) {
    for index in 0..count {
        let message = array + SEVERAL_STEP * index;
        let Ok(length) = client_memory::read_value::<u32>(message + MESSAGE_HEADER) else {
            return;
        };
        visit(message, u64::from(length));
    }
}

/// A request of `io_submit`: `struct iocb` of linux/aio_abi.h.
pub struct Operation {
    code: u16,
    pub descriptor: u32,
    buffer: u64,
    /// Bytes, or parts of a vector.
    length: u64,
}

const PREAD: u16 = 0;
const PWRITE: u16 = 1;
const PREADV: u16 = 7;
const PWRITEV: u16 = 8;

impl Operation {
    pub fn writes_to_memory(&self) -> bool {
        self.code == PREAD || self.code == PREADV
    }

    pub fn reads_from_memory(&self) -> bool {
        self.code == PWRITE || self.code == PWRITEV
    }

    pub fn for_each_part(&self, mut visit: impl FnMut(u64, u64)) {
        if self.code == PREADV || self.code == PWRITEV {
            for_each_part(self.buffer, self.length, u64::MAX, visit);
        } else {
            visit(self.buffer, self.length);
        }
    }
}

/// Visits the first `count` requests of an array of pointers to them. The kernel has not finished any: what it does
/// to the buffers is taken to happen now, since a program may not touch them until it is told.
pub fn for_each_operation(array: u64, count: u64, mut visit: impl FnMut(&Operation)) {
    for index in 0..count {
        let request = client_memory::read_value::<u64>(array + 8 * index)
            .and_then(client_memory::read_value::<[u64; 5]>);
        let Ok([_, _, code_and_descriptor, buffer, length]) = request else {
            return;
        };
        let operation = Operation {
            code: code_and_descriptor as u16,
            descriptor: (code_and_descriptor >> 32) as u32,
            buffer,
            length,
        };
        visit(&operation);
    }
}
