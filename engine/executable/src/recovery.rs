//! The client's registers at a faulting instruction.
//!
//! A translation may have moved registers out of the way when the client's access faults: general registers into the
//! context's spill places for a few instructions (that which holds the tape's position for a whole block), vector registers into its parking places for a whole block (where
//! shadows live in memory), and the stack pointer ahead of a push that is made by hand. The translator leaves no notes
//! about that, since hardly any program ever faults. Instead the code in front of the fault is decoded: a register that
//! was stored to such a place and not loaded back is taken from there.

use crate::extended;
use crate::settings;
use crate::signals::frame::{UserContext, REGISTER_ORDER};
use core::ops::Range;
use derivgrind_translate::context::{offset, CONTEXT_SIZE};
use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

/// Places for general registers in the context.
const SPILLS: Range<u64> = offset::SPILLED_RCX as u64..offset::BUDGET as u64;
/// Places for vector registers, 64 bytes each.
const PARKING: Range<u64> = offset::BORROWED as u64..offset::BORROWED as u64 + 32 * PLACE;
const PLACE: u64 = 64;
const STACK_POINTER: usize = 4;

/// Where displaced registers are.
#[derive(Default)]
struct Displaced {
    /// Address of the saved value, by encoding number.
    general: [Option<u64>; 16],
    vector: [Option<u64>; 16],
    /// What was added to the stack pointer.
    stack: i64,
}

/// Brings the interrupted registers to what the client's instruction would have found. Addresses are of the cache: the
/// start of the block, of the code of the client's instruction, and the context.
pub fn restore(user: &mut UserContext, block: u64, instruction: u64, context: u64) {
    let displaced = find_displaced(user.instruction, block, instruction, context);
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
            restore_vector(user, number, *address);
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
    if !matches!(executed.mnemonic(), Mnemonic::Mov | Mnemonic::Movups | Mnemonic::Vmovups) {
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
    }
}

/// Bit of the upper halves of ymm0-15 in the header of the XSAVE area.
const AVX: u32 = 2;

/// Puts a parked register into the frame from which the kernel will load it.
fn restore_vector(user: &mut UserContext, number: usize, parked: u64) {
    let area = user.extended;
    if area == 0 {
        return;
    }
    // SAFETY: the kernel's own frame on the signal stack, laid out as CPUID says; a parking place is 64 bytes long.
    unsafe {
        let parked = parked as *const [u64; 2];
        let low = area + (extended::VECTORS_OFFSET + 16 * number) as u64;
        *(low as *mut [u64; 2]) = *parked;
        if settings::has_xsave() && extended::enabled_features() >> AVX & 1 != 0 {
            let header = (area + extended::LEGACY_SIZE as u64) as *mut u64;
            let component = area + extended::component_offset(AVX) as u64;
            if *header >> AVX & 1 == 0 {
                core::ptr::write_bytes(component as *mut u8, 0, 16 * 16);
            }
            *header |= 1 << AVX | 2;
            *((component + 16 * number as u64) as *mut [u64; 2]) = *parked.add(1);
        }
    }
}
