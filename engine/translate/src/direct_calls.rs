//! Calls of mathematical functions that are differentiated without leaving the code cache.
//!
//! A loop of calls would spend most of its time on the way to the engine and back. So for functions of one or two
//! numbers in vector registers ([`derivgrind_functions::direct`]) translated code does itself what the engine does
//! for others. At the entry it writes a [`Note`], replaces the return address by [`RETURN_TRAP`], and goes on in the
//! zero state. That address has a translation of its own, which calls the engine's code for the derivative as a
//! function, gives the value its shadow, and goes on behind the call. Whatever is unusual (the last note is not that
//! of the call, the tape needs a new segment) is left to the engine, which finds notes as well.
//!
//! At the entry of a function, and behind it, only what the System V ABI says is alive: arguments or value, the
//! registers that a function preserves, and the stack above. So there are registers for all that, flags may change,
//! and the shadows of all others are forgotten.
//!
//! A signal in the middle of it makes the engine step on to the next boundary, also through its own code.

use crate::context::offset;
use crate::emit::{xmm, ymm, zmm, Memory};
use crate::glue::Arrival;
use crate::interface::{DirectFunction, ExitKind, HostVectors, Mode};
use crate::recording::{TapeState, TRAILER, TWO_OPERANDS_PAYLOAD};
use crate::state::{Class, State};
use crate::translate::{Level, OutOfLine, Translator};
use crate::vectors::home_register;
use alloc::vec::Vec;
use core::mem::offset_of;
use iced_x86::{Code, Instruction, Register};

/// An address at which the client can have no code.
pub const RETURN_TRAP: u64 = 0x7fff_ff70;

/// A call that has not returned.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Note {
    /// At the entry: it points to the return address.
    pub stack_pointer: u64,
    pub return_address: u64,
    /// [`DirectFunction::description`].
    pub function: u64,
    /// rdi and rsi.
    pub registers: [u64; 2],
    /// The lowest 8 bytes of the first vector registers, and their shadows.
    pub arguments: [u64; 2],
    pub shadows: [u64; 2],
}

/// The engine's code that differentiates a call which has returned this value.
pub type Handler = unsafe extern "C" fn(note: *const Note, value: f64, tape: *mut TapeState) -> Outcome;

/// What it returns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Of the value in xmm0.
    pub shadow: u64,
    /// 0: nothing has been done, leave the call to the engine.
    pub is_done: u64,
}

/// Notes of a thread, the first of which is none.
pub const NOTES: usize = 64;
const SIZE: i64 = size_of::<Note>() as i64;

/// General registers that a function preserves: rbx, rbp, r12 to r15.
const PRESERVED: u16 = 1 << 3 | 1 << 5 | 0xf000;
/// Registers that are free at the entry and at the return of any function.
const FREE: Register = Register::R10;
const NEXT: Register = Register::R11;
/// Where handlers return the shadow.
const SHADOW: Register = Register::RAX;

/// Where a field of the note is that begins `distance` bytes from where [`offset::NEXT_NOTE`] points.
fn field(distance: i64, field: usize) -> Memory {
    Memory::at(NEXT, distance + field as i64)
}

/// A field of a note that is being written.
fn new(at: usize) -> Memory {
    field(0, at)
}

/// A field of the last note.
fn last(at: usize) -> Memory {
    field(-SIZE, at)
}

/// A store of the lowest 8 bytes of a vector register.
const STORE_LOW: Code = Code::Movlps_m64_xmm;

impl Translator<'_> {
    /// Can this block note calls, or let them begin in the zero state? No shadow of a general register must live on.
    pub(crate) fn can_note_calls(&self) -> bool {
        let preserved_are_passive = self.zero_general & PRESERVED == PRESERVED;
        self.level == Level::Active && preserved_are_passive && self.can_differentiate_calls()
    }

    /// Shadow arithmetic needs a control word of its own, or gives no indices: the engine sees to it.
    fn can_differentiate_calls(&self) -> bool {
        let settings = self.job.settings;
        settings.differentiating && !settings.own_control && settings.mode != Mode::Paused
    }

    /// The call of a function whose arguments have so many bytes: notes it if one is active. In any case the function
    /// begins in the zero state, since nothing else is alive.
    pub(crate) fn note_call(&mut self, function: DirectFunction, bytes: usize) {
        let state = self.job.state;
        let may_be_active = |number: &usize| state.zero_vector() >> number & 1 == 0;
        let Some(last) = (0..function.arguments).rfind(may_be_active) else {
            return self.enter_function();
        };
        let next = self.asm.context(offset::NEXT_NOTE);
        self.asm.load(NEXT, next);
        let shadow = |number: usize| new(offset_of!(Note, shadows) + 8 * number);
        for number in 0..function.arguments {
            self.note_shadow(number, shadow(number));
        }
        let mut active = Vec::new();
        for number in (0..last).filter(may_be_active) {
            self.asm.compare_zero(shadow(number), bytes);
            active.push(self.asm.jump(Code::Jne_rel32_64));
        }
        self.asm.compare_zero(shadow(last), bytes);
        let passive = self.asm.jump(Code::Je_rel32_64);
        self.link_conditional(passive, self.job.pc, State::ZERO, false);
        active.into_iter().for_each(|jump| self.asm.land(jump));
        self.write_note(function);
        self.enter_function();
    }

    fn enter_function(&mut self) {
        self.zero_general = !0;
        self.vectors.zero = !0;
        self.link(self.job.pc);
    }

    /// Writes the rest of a note, if there is room, and lets the function return to the trap.
    fn write_note(&mut self, function: DirectFunction) {
        // There is always room for the shadows of one more.
        let end = self.asm.context(offset::NOTES).displacement + NOTES as i64 * SIZE;
        self.asm.built(Instruction::with2(Code::Cmp_rm64_imm32, NEXT, end as i32));
        let full = self.asm.jump(Code::Jae_rel32_64);
        let exit = self.exit(ExitKind::ActiveCall, self.job.pc, self.job.state);
        self.out_of_line.push(OutOfLine::Leave { jump: full, exit, rcx_spilled: false, pending: None });
        self.asm.store(new(offset_of!(Note, stack_pointer)), Register::RSP);
        self.asm.load(FREE, Memory::at(Register::RSP, 0));
        self.asm.store(new(offset_of!(Note, return_address)), FREE);
        self.asm.built(Instruction::with2(Code::Mov_r64_imm64, FREE, function.description));
        self.asm.store(new(offset_of!(Note, function)), FREE);
        if function.needs_registers {
            self.asm.store(new(offset_of!(Note, registers)), Register::RDI);
            self.asm.store(new(offset_of!(Note, registers) + 8), Register::RSI);
        }
        for argument in 0..function.arguments {
            let place = new(offset_of!(Note, arguments) + 8 * argument);
            self.asm.built(Instruction::with2(STORE_LOW, place.operand(), xmm(argument)));
        }
        self.asm.store_immediate(Memory::at(Register::RSP, 0), RETURN_TRAP as u32);
        let next = self.asm.context(offset::NEXT_NOTE);
        self.asm.address_of(NEXT, Memory::at(NEXT, SIZE));
        self.asm.store(next, NEXT);
    }

    fn note_shadow(&mut self, number: usize, place: Memory) {
        if self.job.state.zero_vector() >> number & 1 != 0 {
            self.asm.store_zero(place, 8);
        } else if self.vectors.in_registers() {
            let store = Code::EVEX_Vmovlps_m64_xmm;
            self.asm.built(Instruction::with2(store, place.operand(), home_register(number)));
        } else {
            let slot = self.vectors.home_slot(&self.asm, number);
            self.asm.load(FREE, slot);
            self.asm.store(place, FREE);
        }
    }

    /// The translation of [`RETURN_TRAP`]: a noted function has returned.
    pub(crate) fn differentiate_call(&mut self) {
        if self.job.state != State::ZERO || !self.can_differentiate_calls() {
            self.leave(ExitKind::Returned, RETURN_TRAP);
            return;
        }
        let next = self.asm.context(offset::NEXT_NOTE);
        self.asm.load(NEXT, next);
        self.asm.address_of(FREE, Memory::at(Register::RSP, -8));
        let noted = last(offset_of!(Note, stack_pointer)).operand();
        self.asm.built(Instruction::with2(Code::Cmp_rm64_r64, noted, FREE));
        let unknown = self.asm.jump(Code::Jne_rel32_64);
        self.call_handler();
        let refused = self.asm.jump(Code::Je_rel32_64);
        self.asm.load(Register::RCX, last(offset_of!(Note, return_address)));
        self.asm.address_of(NEXT, Memory::at(NEXT, -SIZE));
        self.asm.store(next, NEXT);
        // There entrances look for it.
        self.asm.store(Memory::at(Register::RSP, -8), Register::RCX);
        self.give_shadow();
        self.table = Some(Class::ActiveFew);
        self.asm.built(Instruction::with2(Code::Movzx_r32_rm16, Register::ECX, Register::CX));
        let part = self.job.tables[Class::ActiveFew as usize] + Arrival::Return.offset();
        self.asm.jump_by_table(part);
        self.asm.land(unknown);
        self.asm.land(refused);
        self.leave(ExitKind::Returned, RETURN_TRAP);
    }

    /// Calls the engine's code on the engine's stack. rax holds the shadow then, and the zero flag says that nothing
    /// was done.
    fn call_handler(&mut self) {
        let value = self.asm.context(offset::VECTORS).operand();
        let (next, engine_stack) =
            (self.asm.context(offset::NEXT_NOTE), self.asm.context(offset::ENGINE_STACK));
        if self.records() {
            let state = Memory::absolute(self.job.tape_state);
            self.asm.load(FREE, state);
            // The check for room for two values: faults at the end of a chunk.
            let room = 2 * TWO_OPERANDS_PAYLOAD + TRAILER;
            let end = Memory::at(FREE, i64::from(room)).operand();
            self.asm.built(Instruction::with2(Code::Mov_rm32_imm32, end, 0));
            self.asm.built(Instruction::with2(
                Code::Mov_r32_imm32,
                Register::ESI,
                self.job.tape_state as u32,
            ));
        }
        self.asm.built(Instruction::with2(Code::Movups_xmmm128_xmm, value, xmm(0)));
        self.asm.load(Register::RSP, engine_stack);
        self.asm.address_of(Register::RDI, Memory::at(NEXT, -SIZE));
        self.asm.load(FREE, last(offset_of!(Note, function)));
        self.asm.built(Instruction::with1(Code::Call_rm64, Memory::at(FREE, 0).operand()));
        self.asm.load(NEXT, next);
        self.asm.load(Register::RSP, last(offset_of!(Note, stack_pointer)));
        self.asm.address_of(Register::RSP, Memory::at(Register::RSP, 8));
        self.asm.built(Instruction::with2(Code::Movups_xmm_xmmm128, xmm(0), value));
        self.asm.built(Instruction::with2(Code::Test_rm64_r64, Register::RDX, Register::RDX));
    }

    /// The shadow in rax becomes that of xmm0, and the state that of [`Class::ActiveFew`]: those of xmm1 to xmm3 are
    /// zero.
    fn give_shadow(&mut self) {
        let (shadow, zero) = (1, 2);
        if self.vectors.in_registers() {
            self.asm.built(Instruction::with2(Code::EVEX_Vmovq_xmm_rm64, home_register(0), SHADOW));
            for number in 1..4 {
                let home = home_register(number);
                self.asm.built(Instruction::with3(
                    Code::EVEX_Vpxorq_xmm_k1z_xmm_xmmm128b64,
                    home,
                    home,
                    home,
                ));
            }
            return;
        }
        let slots: [Memory; 4] = core::array::from_fn(|number| self.vectors.home_slot(&self.asm, number));
        let host = self.job.settings.host_vectors;
        if host == HostVectors::Sse2 {
            self.asm.built(Instruction::with2(Code::Movq_xmm_rm64, xmm(shadow), SHADOW));
            self.asm.built(Instruction::with2(Code::Xorps_xmm_xmmm128, xmm(zero), xmm(zero)));
        } else {
            self.asm.built(Instruction::with2(Code::VEX_Vmovq_xmm_rm64, xmm(shadow), SHADOW));
            let clear = Code::VEX_Vxorps_xmm_xmm_xmmm128;
            self.asm.built(Instruction::with3(clear, xmm(zero), xmm(zero), xmm(zero)));
        }
        let (store, register, bytes): (_, fn(usize) -> Register, _) = match host {
            HostVectors::Sse2 => (Code::Movups_xmmm128_xmm, xmm, 16),
            HostVectors::Avx2 => (Code::VEX_Vmovups_ymmm256_ymm, ymm, 32),
            HostVectors::Avx512 => (Code::EVEX_Vmovups_zmmm512_k1z_zmm, zmm, 64),
        };
        for (number, slot) in slots.into_iter().enumerate() {
            for distance in (0..64).step_by(bytes) {
                let source = if number == 0 && distance == 0 { shadow } else { zero };
                let place = slot.offset_by(distance as i64).operand();
                self.asm.built(Instruction::with2(store, place, register(source)));
            }
        }
    }
}
