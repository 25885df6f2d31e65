//! The engine's heap: power-of-two size classes carved from a region of its own, large blocks mapped one by one.
//!
//! The translator allocates and frees small vectors all the time, so a block goes to the free list of its class and
//! comes back from there. Nothing is shared with the client: its heap, its libc and its `brk` do not exist for the
//! engine.

use crate::call;
use crate::lock::{self, RawLock};
use crate::sys::{self, kernel};
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;

/// Addresses of the heap.
pub const HEAP_START: u64 = 0x5100_0000_0000;
pub const HEAP_END: u64 = 0x5200_0000_0000;
/// Small blocks come from here, large ones from the rest.
const SMALL_END: u64 = 0x5180_0000_0000;
/// The heap grows by this much at a time: a large page, which spares page faults. Not the first time, since short
/// programs need less.
const GROWTH: u64 = 2 << 20;
const SMALLEST: usize = 16;
/// Blocks of at least this size are mapped and unmapped.
const LARGE: usize = 1 << 20;
const CLASS_COUNT: usize = 64;

struct Heap {
    free: [*mut u8; CLASS_COUNT],
    next: u64,
    mapped_end: u64,
    next_large: u64,
}

struct Allocator {
    lock: RawLock,
    heap: UnsafeCell<Heap>,
}

// SAFETY: the heap is only touched with the lock held, or by the only thread.
unsafe impl Sync for Allocator {}

impl Allocator {
    fn with_heap<T>(&self, work: impl FnOnce(&mut Heap) -> T) -> T {
        if !lock::is_shared() {
            // SAFETY: there is one thread.
            return work(unsafe { &mut *self.heap.get() });
        }
        self.lock.acquire();
        // SAFETY: the lock is held.
        let result = work(unsafe { &mut *self.heap.get() });
        self.lock.release();
        result
    }
}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator {
    lock: RawLock::new(),
    heap: UnsafeCell::new(Heap {
        free: [ptr::null_mut(); CLASS_COUNT],
        next: HEAP_START,
        mapped_end: HEAP_START,
        next_large: SMALL_END,
    }),
};

fn class_size(layout: Layout) -> usize {
    layout.size().max(layout.align()).max(SMALLEST).next_power_of_two()
}

impl Heap {
    fn take(&mut self, size: usize) -> *mut u8 {
        let class = size.trailing_zeros() as usize;
        let block = self.free[class];
        if !block.is_null() {
            // SAFETY: a free block holds the address of the next one.
            self.free[class] = unsafe { *(block as *mut *mut u8) };
            return block;
        }
        let start = (self.next + size as u64 - 1) & !(size as u64 - 1);
        let end = start + size as u64;
        if end > SMALL_END {
            return ptr::null_mut();
        }
        if end > self.mapped_end {
            let length = (end - self.mapped_end).next_multiple_of(GROWTH);
            if sys::map_engine_memory(self.mapped_end, length, sys::READ_WRITE).is_err() {
                return ptr::null_mut();
            }
            if self.mapped_end != HEAP_START {
                prefer_large_pages(self.mapped_end, length);
            }
            self.mapped_end += length;
        }
        self.next = end;
        start as *mut u8
    }

    fn put(&mut self, block: *mut u8, size: usize) {
        let class = size.trailing_zeros() as usize;
        // SAFETY: the block is free and large enough for a pointer.
        unsafe { *(block as *mut *mut u8) = self.free[class] };
        self.free[class] = block;
    }

    fn take_large(&mut self, size: usize) -> *mut u8 {
        let length = size as u64;
        let start = self.place_large(length);
        if start + length > HEAP_END || sys::map_engine_memory(start, length, sys::READ_WRITE).is_err() {
            return ptr::null_mut();
        }
        prefer_large_pages(start, length);
        start as *mut u8
    }

    /// The addresses of freed large blocks are not used again: there are terabytes of them.
    fn place_large(&mut self, length: u64) -> u64 {
        let start = self.next_large.next_multiple_of(length);
        self.next_large = start + length;
        start
    }

    /// Gives a large block another size by moving its pages.
    ///
    /// # Safety
    /// `block` is a large block of `size` bytes, which nobody uses any more.
    unsafe fn resize_large(&mut self, block: *mut u8, size: usize, new_size: usize) -> *mut u8 {
        let length = new_size as u64;
        let start = self.place_large(length);
        if start + length > HEAP_END {
            return ptr::null_mut();
        }
        let flags = kernel::MREMAP_MAYMOVE | kernel::MREMAP_FIXED;
        // SAFETY: the caller's promise; nothing has ever been at the new place.
        let outcome = unsafe { call!(kernel::__NR_mremap, block, size, new_size, flags, start) };
        if outcome as u64 == start {
            start as *mut u8
        } else {
            ptr::null_mut()
        }
    }
}

fn prefer_large_pages(start: u64, length: u64) {
    // SAFETY: advice on memory of the heap.
    unsafe { call!(kernel::__NR_madvise, start, length, kernel::MADV_HUGEPAGE) };
}

// SAFETY: blocks are disjoint, aligned to their power-of-two size, and stay valid until they are freed.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = class_size(layout);
        self.with_heap(|heap| if size >= LARGE { heap.take_large(size) } else { heap.take(size) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let size = class_size(layout);
        if size >= LARGE {
            // SAFETY: large blocks are mappings of their own.
            unsafe { sys::unmap(block as u64, size as u64) };
            return;
        }
        self.with_heap(|heap| heap.put(block, size));
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller guarantees that the size is valid for the alignment.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let (size, new_size_class) = (class_size(layout), class_size(new_layout));
        if size == new_size_class {
            return block;
        }
        if size >= LARGE && new_size_class >= LARGE {
            // SAFETY: the caller gives the block up.
            return self.with_heap(|heap| unsafe { heap.resize_large(block, size, new_size_class) });
        }
        // SAFETY: the new block is disjoint from the old one and both hold the bytes that are copied.
        unsafe {
            let new_block = self.alloc(new_layout);
            if !new_block.is_null() {
                ptr::copy_nonoverlapping(block, new_block, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            new_block
        }
    }
}

/// Holds the heap still while the process forks.
pub fn acquire_for_fork() {
    ALLOCATOR.lock.acquire();
}

pub fn release_after_fork() {
    ALLOCATOR.lock.release();
}
