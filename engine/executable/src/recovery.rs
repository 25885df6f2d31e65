//! The client's registers and their shadows at a faulting instruction.
//!
//! A translation may have moved registers out of the way when the client's access faults: general registers into the
//! context's spill places for a few instructions (that which holds the tape's position for a whole block), vector
//! registers into its parking places for a whole block (where shadows live in memory), and the stack pointer ahead of
//! a push that is made by hand. The translator leaves no notes about that, since hardly any program ever faults.
//! Instead the code in front of the fault is decoded: a register that was stored to such a place and not loaded back
//! is taken from there.
//!
//! Shadows may be in the wrong place, too. Where they live in registers, the client's instruction may have parked
//! some of them to have temporaries, which is found in the same way. Where they live in memory, a block keeps new
//! ones in low registers until its end; which ones, only the translator can tell ([`HeldShadow`]), and they are sent
//! home unless the client's instruction has done so itself.

use crate::extended;
use crate::settings;
use crate::signals::frame::{UserContext, REGISTER_ORDER};
use core::ops::Range;
use derivgrind_translate::context::{offset, CONTEXT_SIZE};
use derivgrind_translate::interface::HeldShadow;
use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

/// Places for general registers in the context.
const SPILLS: Range<u64> = offset::SPILLED_RCX as u64..offset::BUDGET as u64;
/// Places for vector registers, 64 bytes each.
const PARKING: Range<u64> = offset::BORROWED as u64..offset::BORROWED as u64 + 32 * PLACE;
const PLACE: u64 = 64;
/// Homes of shadows in memory, where shadows in registers are parked.
const HOMES: Range<u64> = offset::VECTOR_SHADOWS as u64..offset::VECTOR_SHADOWS as u64 + 32 * PLACE;
/// Places for mask registers.
const MASKS: Range<u64> = offset::PARKED_MASKS as u64..offset::PARKED_MASKS as u64 + 64;
const STACK_POINTER: usize = 4;

/// Where displaced registers are.
#[derive(Default)]
struct Displaced {
    /// Address of the saved value, by encoding number.
    general: [Option<u64>; 16],
    vector: [Option<u64>; 16],
    /// Bytes of it that were saved.
    saved: [usize; 16],
    masks: [Option<u64>; 8],
    /// Shadows in zmm16 to zmm31 that are parked at home.
    parked_shadows: u16,
    /// Shadows that the client's instruction has sent home already.
    sent_home: u32,
    /// What was added to the stack pointer.
    stack: i64,
}

/// Brings the interrupted registers to what the client's instruction would have found. Addresses are of the cache: the
/// start of the block, of the code of the client's instruction, and the context.
pub fn restore(user: &mut UserContext, block: u64, instruction: u64, context: u64, held: &[HeldShadow]) {
    let displaced = find_displaced(user.instruction, block, instruction, context);
    let frame = Frame { area: user.extended };
    frame.restore_control(context);
    for shadow in held.iter().filter(|shadow| displaced.sent_home >> shadow.number & 1 == 0) {
        send_home(&frame, context, shadow);
    }
    for number in (0..16).filter(|number| displaced.parked_shadows >> number & 1 != 0) {
        frame.restore_shadow(number, home(context, number));
    }
    for (place, number) in REGISTER_ORDER.iter().enumerate() {
        if let Some(address) = displaced.general[*number] {
            // SAFETY: a spill place in the thread's context.
            user.registers[place] = unsafe { *(address as *const u64) };
        }
        if *number == STACK_POINTER {
            user.registers[place] = user.registers[place].wrapping_sub(displaced.stack as u64);
        }
    }
    for (number, address) in displaced.vector.iter().enumerate() {
        if let Some(address) = address {
            frame.restore(number, *address, displaced.saved[number]);
        }
    }
    for (number, address) in displaced.masks.iter().enumerate() {
        if let Some(address) = address {
            frame.restore_mask(number, *address);
        }
    }
}

fn find_displaced(fault: u64, block: u64, instruction: u64, context: u64) -> Displaced {
    let mut displaced = Displaced::default();
    // SAFETY: translated code of this thread.
    let code = unsafe { core::slice::from_raw_parts(block as *const u8, (fault - block) as usize) };
    let decoder = Decoder::with_ip(64, code, block, DecoderOptions::NONE);
    for executed in decoder {
        if executed.ip() == instruction {
            // Between client instructions no general register is displaced but that with the tape's position.
            let parked = context + u64::from(offset::TAPE_PARKED);
            for place in &mut displaced.general {
                *place = place.filter(|address| *address == parked);
            }
            displaced.stack = 0;
            displaced.sent_home = 0;
        }
        follow(&mut displaced, &executed, context);
    }
    displaced
}

fn follow(displaced: &mut Displaced, executed: &Instruction, context: u64) {
    if executed.code() == Code::Lea_r64_m && executed.op0_register() == Register::RSP {
        displaced.stack += executed.memory_displacement64() as i64;
        return;
    }
    let moves = [Mnemonic::Mov, Mnemonic::Movups, Mnemonic::Vmovups, Mnemonic::Kmovq];
    if !moves.contains(&executed.mnemonic()) {
        return;
    }
    let stores = executed.op0_kind() == OpKind::Memory && executed.op1_kind() == OpKind::Register;
    let loads = executed.op0_kind() == OpKind::Register && executed.op1_kind() == OpKind::Memory;
    let absolute = executed.memory_base() == Register::None && executed.memory_index() == Register::None;
    if !(stores || loads) || !absolute {
        return;
    }
    let address = executed.memory_displacement64();
    let place = address.wrapping_sub(context);
    if place >= CONTEXT_SIZE {
        return;
    }
    let register = if stores { executed.op1_register() } else { executed.op0_register() };
    let number = register.number();
    if HOMES.contains(&place) && register.is_vector_register() {
        let shadow = ((place - HOMES.start) / PLACE) as usize;
        if number < 16 && stores {
            displaced.sent_home |= 1 << shadow;
        } else if number == 16 + shadow && register.is_ymm() {
            let bit = 1 << shadow;
            displaced.parked_shadows =
                if stores { displaced.parked_shadows | bit } else { displaced.parked_shadows & !bit };
        }
        return;
    }
    if MASKS.contains(&place) && executed.mnemonic() == Mnemonic::Kmovq {
        displaced.masks[number] = stores.then_some(address);
        return;
    }
    let is_spill = SPILLS.contains(&place) || place == u64::from(offset::TAPE_PARKED);
    let slots = if register.is_gpr64() && is_spill {
        &mut displaced.general
    } else if register.is_vector_register() && number < 16 && place == PARKING.start + PLACE * number as u64 {
        &mut displaced.vector
    } else {
        return;
    };
    if loads && slots[number] == Some(address) {
        slots[number] = None;
    } else if stores && slots[number].is_none() {
        slots[number] = Some(address);
        if register.is_vector_register() {
            displaced.saved[number] = register.size();
        }
    }
}

/// Where the shadow of a client register lives in memory.
fn home(context: u64, number: usize) -> u64 {
    context + HOMES.start + PLACE * number as u64
}

/// Writes the shadow in a low register to its home.
fn send_home(frame: &Frame, context: u64, shadow: &HeldShadow) {
    let Some(vector) = frame.vector(usize::from(shadow.low)) else { return };
    let home = home(context, usize::from(shadow.number)) as *mut u64;
    // SAFETY: a home in the thread's context.
    unsafe {
        for (word, bits) in vector.into_iter().enumerate() {
            if word < usize::from(shadow.size) / 8 {
                *home.add(word) = bits;
            } else if shadow.clears_upper {
                *home.add(word) = 0;
            }
        }
    }
}

/// State components in the header of the XSAVE area: xmm0-15, the upper halves of ymm0-15, mask registers, the upper
/// halves of zmm0-15, and zmm16-31.
const SSE: u32 = 1;
const AVX: u32 = 2;
const MASK_REGISTERS: u32 = 5;
const UPPER_ZMM: u32 = 6;
const HIGH_ZMM: u32 = 7;

/// The extended state in the kernel's frame, which it will load when the handler returns.
struct Frame {
    area: u64,
}

impl Frame {
    /// A component of `size` bytes; it is zero if it was not in use.
    fn component(&self, feature: u32, size: usize) -> Option<u64> {
        if self.area == 0 || !settings::has_xsave() || extended::enabled_features() >> feature & 1 == 0 {
            return None;
        }
        let component = self.area + extended::component_offset(feature) as u64;
        // SAFETY: the kernel's own frame on the signal stack, laid out as CPUID says.
        unsafe {
            let header = (self.area + extended::LEGACY_SIZE as u64) as *mut u64;
            if *header >> feature & 1 == 0 {
                core::ptr::write_bytes(component as *mut u8, 0, size);
            }
            *header |= 1 << feature | 1 << SSE;
        }
        Some(component)
    }

    fn low_half(&self, number: usize) -> *mut [u64; 2] {
        (self.area + (extended::VECTORS_OFFSET + 16 * number) as u64) as *mut [u64; 2]
    }

    /// The parts of zmm0-15: first word, number of words, place.
    fn parts(&self, number: usize) -> impl Iterator<Item = (usize, usize, *mut u64)> {
        let middle = self.component(AVX, 16 * 16).map(|component| component + 16 * number as u64);
        let upper = self.component(UPPER_ZMM, 16 * 32).map(|component| component + 32 * number as u64);
        let low = Some((0, 2, self.low_half(number) as *mut u64));
        let middle = middle.map(|place| (2, 2, place as *mut u64));
        let upper = upper.map(|place| (4, 4, place as *mut u64));
        [low, middle, upper].into_iter().flatten()
    }

    /// The words of a vector register.
    fn vector(&self, number: usize) -> Option<[u64; 8]> {
        if self.area == 0 {
            return None;
        }
        let mut vector = [0; 8];
        for (first, count, place) in self.parts(number) {
            // SAFETY: as in `component`.
            unsafe { core::ptr::copy_nonoverlapping(place, vector[first..].as_mut_ptr(), count) };
        }
        Some(vector)
    }

    /// Takes `size` bytes of a client register from its parking place of 64 bytes.
    fn restore(&self, number: usize, parked: u64, size: usize) {
        if self.area == 0 {
            return;
        }
        for (first, count, place) in self.parts(number).filter(|(first, ..)| 8 * first < size) {
            // SAFETY: as in `component`; a parking place is 64 bytes long.
            unsafe { core::ptr::copy_nonoverlapping((parked as *const u64).add(first), place, count) };
        }
    }

    /// Takes a client's mask register from its parking place.
    fn restore_mask(&self, number: usize, parked: u64) {
        let Some(component) = self.component(MASK_REGISTERS, 8 * 8) else { return };
        // SAFETY: as in `component`.
        unsafe { *((component + 8 * number as u64) as *mut u64) = *(parked as *const u64) };
    }

    /// Gives the client's control word back if the fault is in shadow arithmetic that runs under its own.
    fn restore_control(&self, context: u64) {
        let flag = (context + u64::from(offset::HAS_OWN_CONTROL)) as *mut u64;
        let clients = (context + u64::from(offset::CLIENT_CONTROL)) as *const u32;
        // SAFETY: fields of the thread's context, and as in `component`.
        unsafe {
            if *flag != 0 && self.area != 0 {
                *((self.area + extended::MXCSR_OFFSET as u64) as *mut u32) = *clients;
            }
            *flag = 0;
        }
    }

    /// Takes the shadow in zmm16+n from its home; it has no bits above 256.
    fn restore_shadow(&self, number: usize, home: u64) {
        let Some(component) = self.component(HIGH_ZMM, 16 * 64) else { return };
        // SAFETY: as in `component`; a home is 64 bytes long.
        unsafe {
            *((component + 64 * number as u64) as *mut [u64; 4]) = *(home as *const [u64; 4]);
        }
    }
}
