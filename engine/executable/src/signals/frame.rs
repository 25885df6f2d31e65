//! The frame that the kernel pushes for a signal handler, built and read by the engine on the client's stack.
//!
//! Layout after the kernel's `arch/x86/kernel/signal_64.c`: return address, `ucontext`, `siginfo`, and above them the
//! XSAVE area with its two magic numbers. Sizes come from CPUID, never from a structure.
//!
//! Shadows travel in the shadow of the frame: the shadow of a saved register's place is the register's shadow. So a
//! handler that looks into the frame sees dot values, `longjmp` out of a handler leaves nothing behind, and
//! `rt_sigreturn` finds everything.

use super::actions::Action;
use super::handler::TRAP_FLAG;
use super::{AlternateStack, Queued};
use crate::client_memory;
use crate::extended::{self, VectorShadows};
use crate::settings;
use crate::shadow;
use crate::sys::{kernel, PAGE};
use crate::threads::Thread;
use alloc::vec::Vec;
use derivgrind_translate::context::Context;
use derivgrind_translate::state::State;

/// The kernel's `ucontext` with the `sigcontext` in it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct UserContext {
    pub context_flags: u64,
    pub link: u64,
    pub stack: AlternateStack,
    /// In the order of [`REGISTER_ORDER`].
    pub registers: [u64; 16],
    pub instruction: u64,
    pub flags: u64,
    pub segments: [u16; 4],
    pub error: u64,
    pub trap: u64,
    pub old_mask: u64,
    pub fault_address: u64,
    pub extended: u64,
    pub reserved: [u64; 8],
    pub mask: u64,
}

/// Encoding numbers of the general registers in the order of the `sigcontext`.
pub const REGISTER_ORDER: [usize; 16] = [8, 9, 10, 11, 12, 13, 14, 15, 7, 6, 5, 3, 2, 0, 1, 4];

impl UserContext {
    pub fn stack_pointer(&self) -> u64 {
        self.registers[15]
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Frame {
    return_address: u64,
    user: UserContext,
    information: super::SignalInformation,
}

const RED_ZONE: u64 = 128;
const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
const FP_XSTATE_MAGIC2: u32 = 0x4650_5845;
/// Where the kernel's `_fpx_sw_bytes` lies in the area.
const SOFTWARE_BYTES: usize = 464;
const UC_FP_XSTATE: u64 = 1;
const UC_SIGCONTEXT_SS: u64 = 2;
const UC_STRICT_RESTORE_SS: u64 = 4;
const USER_CODE_SEGMENT: u16 = 0x33;
const USER_DATA_SEGMENT: u16 = 0x2b;
/// Flags that a handler starts without: direction, resume, trap.
const CLEARED_FLAGS: u64 = 1 << 10 | 1 << 16 | 1 << 8;
/// Flags that `rt_sigreturn` takes from the frame (the kernel's FIX_EFLAGS).
const RESTORED_FLAGS: u64 = 0x0005_0dd5;
const RFLAGS_FIXED: u64 = 0x202;

fn frame_area_size() -> usize {
    let features = if settings::has_xsave() { extended::frame_features() } else { 0 };
    extended::area_size(features)
}

/// The client's stack cannot hold the frame.
pub struct StackOverflow;

/// Pushes a frame for `queued` onto the client's stack and points the registers at the handler.
pub fn push(
    thread: &mut Thread,
    queued: &Queued,
    action: &Action,
    pc: u64,
    state: State,
) -> Result<(), StackOverflow> {
    let area_size = frame_area_size();
    let total_area = area_size + if settings::has_xsave() { 4 } else { 0 };
    let context = thread.context();
    let (mut pointer, entering_alternate) = choose_stack(thread, action, context.registers[4]);
    pointer = (pointer - total_area as u64) & !63;
    let area_address = pointer;
    pointer -= core::mem::size_of::<Frame>() as u64;
    pointer = (pointer & !15) - 8;
    let frame_end = area_address + total_area as u64;
    if thread.signals.alternate_stack.contains(context.registers[4]) || entering_alternate {
        let stack = &thread.signals.alternate_stack;
        if action.flags & u64::from(kernel::SA_ONSTACK) != 0 && pointer <= stack.start {
            return Err(StackOverflow);
        }
    }
    let area = extended_area(context, area_size, total_area);
    let frame = Frame {
        return_address: action.restorer,
        user: user_context(thread, queued, pc, area_address),
        information: queued.information,
    };
    // SAFETY: `Frame` consists of integers without padding.
    let frame_bytes = unsafe {
        core::slice::from_raw_parts(&frame as *const Frame as *const u8, core::mem::size_of::<Frame>())
    };
    client_memory::write(area_address, &area.bytes()[..total_area]).map_err(|_| StackOverflow)?;
    client_memory::write(pointer, frame_bytes).map_err(|_| StackOverflow)?;
    if settings::differentiating() {
        shadow::clear(pointer, frame_end - pointer);
        save_shadows(context, state, pointer, area_address);
    }
    thread.signals.trap_flag.forget();
    extended::reset_for_handler();
    let user_offset = core::mem::offset_of!(Frame, user) as u64;
    let information_offset = core::mem::offset_of!(Frame, information) as u64;
    context.registers[4] = pointer;
    context.registers[7] = u64::from(queued.signal);
    context.registers[6] = pointer + information_offset;
    context.registers[2] = pointer + user_offset;
    context.registers[0] = 0;
    context.flags &= !CLEARED_FLAGS;
    if entering_alternate && thread.signals.alternate_stack.flags & kernel::SS_AUTODISARM != 0 {
        thread.signals.alternate_stack = AlternateStack::DISABLED;
    }
    Ok(())
}

/// Top of the stack for the frame, and whether it is the alternate one and was not in use.
fn choose_stack(thread: &Thread, action: &Action, stack_pointer: u64) -> (u64, bool) {
    let alternate = &thread.signals.alternate_stack;
    let wanted = action.flags & u64::from(kernel::SA_ONSTACK) != 0;
    let enabled = alternate.flags & kernel::SS_DISABLE == 0 && alternate.size > 0;
    let auto_disarm = alternate.flags & kernel::SS_AUTODISARM != 0;
    let in_use = !auto_disarm && alternate.contains(stack_pointer);
    if wanted && enabled && !in_use {
        return (alternate.start + alternate.size, true);
    }
    (stack_pointer - RED_ZONE, false)
}

fn user_context(thread: &Thread, queued: &Queued, pc: u64, area_address: u64) -> UserContext {
    let context = thread.context();
    let mut registers = [0; 16];
    for (place, number) in REGISTER_ORDER.iter().enumerate() {
        registers[place] = context.registers[*number];
    }
    let fault = queued.fault;
    let extended_flag = if settings::has_xsave() { UC_FP_XSTATE } else { 0 };
    UserContext {
        context_flags: extended_flag | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
        link: 0,
        stack: thread.signals.alternate_stack,
        registers,
        instruction: pc,
        flags: context.flags | if thread.signals.trap_flag.is_set() { TRAP_FLAG } else { 0 },
        segments: [USER_CODE_SEGMENT, 0, 0, USER_DATA_SEGMENT],
        error: fault.map_or(0, |fault| fault.error),
        trap: fault.map_or(0, |fault| fault.trap),
        old_mask: thread.signals.mask,
        fault_address: fault.map_or(0, |fault| fault.address),
        extended: area_address,
        reserved: [0; 8],
        mask: thread.signals.mask,
    }
}

/// A buffer that XSAVE accepts.
struct Area {
    words: Vec<[u64; 8]>,
    offset: usize,
}

impl Area {
    fn new(size: usize) -> Area {
        Area { words: alloc::vec![[0; 8]; size / 64 + 2], offset: 0 }.aligned()
    }

    fn aligned(mut self) -> Area {
        let address = self.words.as_ptr() as usize;
        self.offset = address.next_multiple_of(64) - address;
        self
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the vector is 64 bytes longer than the offset can be.
        unsafe {
            core::slice::from_raw_parts(
                (self.words.as_ptr() as *const u8).add(self.offset),
                self.words.len() * 64 - 64,
            )
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`.
        unsafe {
            core::slice::from_raw_parts_mut(
                (self.words.as_mut_ptr() as *mut u8).add(self.offset),
                self.words.len() * 64 - 64,
            )
        }
    }
}

fn extended_area(context: &Context, size: usize, total: usize) -> Area {
    let mut area = Area::new(total);
    // SAFETY: aligned, zeroed and large enough.
    unsafe { extended::save(context, area.bytes_mut().as_mut_ptr()) };
    if settings::has_xsave() {
        let bytes = area.bytes_mut();
        let software = &mut bytes[SOFTWARE_BYTES..];
        software[0..4].copy_from_slice(&FP_XSTATE_MAGIC1.to_le_bytes());
        software[4..8].copy_from_slice(&(total as u32).to_le_bytes());
        software[8..16].copy_from_slice(&extended::frame_features().to_le_bytes());
        software[16..20].copy_from_slice(&(size as u32).to_le_bytes());
        bytes[size..size + 4].copy_from_slice(&FP_XSTATE_MAGIC2.to_le_bytes());
    }
    area
}

/// Restores the client's registers, mask and stack from the frame at its stack pointer; returns where it continues.
pub fn pop(thread: &mut Thread) -> Result<(u64, State), StackOverflow> {
    let context = thread.context();
    let address = context.registers[4];
    let mut bytes = [0u8; core::mem::size_of::<UserContext>()];
    client_memory::read(address, &mut bytes).map_err(|_| StackOverflow)?;
    // SAFETY: any bytes are a valid `UserContext`.
    let user: UserContext = unsafe { core::ptr::read_unaligned(bytes.as_ptr() as *const UserContext) };
    for (place, number) in REGISTER_ORDER.iter().enumerate() {
        context.registers[*number] = user.registers[place];
    }
    context.flags = user.flags & RESTORED_FLAGS & !TRAP_FLAG | RFLAGS_FIXED;
    thread.signals.trap_flag.change(user.flags & TRAP_FLAG != 0);
    restore_extended(context, user.extended)?;
    let state = restore_shadows(context, address, user.extended);
    thread.signals.alternate_stack = user.stack;
    thread.signals.set_mask(user.mask);
    Ok((user.instruction, state))
}

fn restore_extended(context: &mut Context, address: u64) -> Result<(), StackOverflow> {
    let size = frame_area_size();
    let mut area = Area::new(size);
    if address == 0 {
        // The kernel resets the registers for a frame without them.
        let bytes = area.bytes_mut();
        bytes[0..2].copy_from_slice(&0x37fu16.to_le_bytes());
        bytes[extended::MXCSR_OFFSET..][..4].copy_from_slice(&0x1f80u32.to_le_bytes());
    } else {
        read_area(address, &mut area, size)?;
    }
    let bytes = area.bytes_mut();
    // A bit that the processor does not know would fault: 0xffff is what every x86-64 processor accepts.
    let mut control =
        u32::from_le_bytes(bytes[extended::MXCSR_OFFSET..][..4].try_into().expect("four bytes"));
    control &= 0xffff;
    bytes[extended::MXCSR_OFFSET..][..4].copy_from_slice(&control.to_le_bytes());
    // SAFETY: aligned, and the header has been checked.
    unsafe { extended::restore(context, area.bytes().as_ptr()) };
    Ok(())
}

fn read_area(address: u64, area: &mut Area, size: usize) -> Result<(), StackOverflow> {
    client_memory::read(address, &mut area.bytes_mut()[..extended::LEGACY_SIZE])
        .map_err(|_| StackOverflow)?;
    if !settings::has_xsave() {
        return Ok(());
    }
    let bytes = area.bytes_mut();
    let magic = u32::from_le_bytes(bytes[SOFTWARE_BYTES..][..4].try_into().expect("four bytes"));
    if magic != FP_XSTATE_MAGIC1 {
        // Only the legacy part is valid.
        bytes[extended::LEGACY_SIZE] = 3;
        return Ok(());
    }
    let rest = extended::LEGACY_SIZE as u64;
    client_memory::read(address + rest, &mut bytes[extended::LEGACY_SIZE..size])
        .map_err(|_| StackOverflow)?;
    let header = &mut bytes[extended::LEGACY_SIZE..extended::LEGACY_SIZE + extended::HEADER_SIZE];
    let features =
        u64::from_le_bytes(header[0..8].try_into().expect("eight bytes")) & extended::frame_features();
    header.fill(0);
    header[0..8].copy_from_slice(&features.to_le_bytes());
    Ok(())
}

/// Places of the general registers in the frame.
fn registers_address(user_address: u64) -> u64 {
    user_address + core::mem::offset_of!(UserContext, registers) as u64
}

/// Parts of vector register `number` in the XSAVE area: offset, first word, number of words.
fn vector_parts(number: usize) -> Vec<(usize, usize, usize)> {
    let features = if settings::has_xsave() { extended::frame_features() } else { 3 };
    let mut parts = Vec::new();
    if number < 16 {
        parts.push((extended::VECTORS_OFFSET + 16 * number, 0, 2));
        if features & 1 << 2 != 0 {
            parts.push((extended::component_offset(2) + 16 * number, 2, 2));
        }
        if features & 1 << 6 != 0 {
            parts.push((extended::component_offset(6) + 32 * number, 4, 4));
        }
    } else if features & 1 << 7 != 0 {
        parts.push((extended::component_offset(7) + 64 * (number - 16), 0, 8));
    }
    parts
}

fn save_shadows(context: &mut Context, state: State, frame: u64, area: u64) {
    if !shadow::may_be_active(context, state) {
        return;
    }
    let general = shadow::read_general(context, state);
    let registers = registers_address(frame + core::mem::offset_of!(Frame, user) as u64);
    let vectors = shadow::read_vectors(context, state);
    // SAFETY: the frame is client memory, so its shadow is mapped.
    unsafe {
        for (place, number) in REGISTER_ORDER.iter().enumerate() {
            *(shadow::of(registers + 8 * place as u64) as *mut u64) = general[*number];
        }
        for (number, vector) in vectors.iter().enumerate() {
            for (offset, first, count) in vector_parts(number) {
                let target = shadow::of(area + offset as u64) as *mut u64;
                core::ptr::copy_nonoverlapping(vector[first..].as_ptr(), target, count);
            }
        }
        let top = top(area);
        for (number, words) in shadow::numbers(context).chunks_exact(2).enumerate() {
            let place = number_place(area, number, top);
            core::ptr::copy_nonoverlapping(words.as_ptr(), shadow::of(place) as *mut u64, 2);
        }
    }
    // The handler starts with an empty x87 unit.
    shadow::write_numbers(context, &[0; 16]);
}

/// Number of the physical x87 register that is st(0) in the area.
///
/// # Safety
/// The area is client memory that can be read.
unsafe fn top(area: u64) -> usize {
    // SAFETY: the caller's promise; the status word.
    let status = unsafe { *((area + 2) as *const u16) };
    usize::from(status >> 11 & 7)
}

/// Where the area has the number of a physical x87 register.
fn number_place(area: u64, register: usize, top: usize) -> u64 {
    area + (extended::NUMBERS_OFFSET + (register + 8 - top) % 8 * 16) as u64
}

fn restore_shadows(context: &mut Context, user: u64, area: u64) -> State {
    if !settings::differentiating() || area < 16 * PAGE || user >= derivgrind_translate::context::SHADOW_START
    {
        return State::ZERO;
    }
    let mut vectors: VectorShadows = [[0; 8]; 32];
    let mut numbers = [0; 16];
    let registers = registers_address(user);
    // SAFETY: the frame was just read, so it is client memory and its shadow is mapped.
    unsafe {
        for (place, number) in REGISTER_ORDER.iter().enumerate() {
            context.general_shadows[*number] = *(shadow::of(registers + 8 * place as u64) as *const u64);
        }
        for (number, vector) in vectors.iter_mut().enumerate() {
            for (offset, first, count) in vector_parts(number) {
                let source = shadow::of(area + offset as u64) as *const u64;
                core::ptr::copy_nonoverlapping(source, vector[first..].as_mut_ptr(), count);
            }
        }
        let top = top(area);
        for (number, words) in numbers.chunks_exact_mut(2).enumerate() {
            let place = number_place(area, number, top);
            core::ptr::copy_nonoverlapping(shadow::of(place) as *const u64, words.as_mut_ptr(), 2);
        }
    }
    shadow::write_numbers(context, &numbers);
    shadow::write_vectors(context, &vectors);
    shadow::observe(context, State::UNKNOWN)
}
