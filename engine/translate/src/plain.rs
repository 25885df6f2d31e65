//! Blocks before the first input: the client's code as it is, but for its branches.
//!
//! A program that starts up runs much code once, so translation is a large part of its time. The general translator
//! decides much for each instruction that does not matter here. This one copies runs of instructions as bytes,
//! corrects operands relative to RIP, and takes what it adds from templates. What it cannot do is left to the general
//! one: the block ends in front of such an instruction, and a block that begins with one is none of this module's.
//!
//! Invariant: the code is the same as the general translator's at [`crate::translate::Level::Plain`].

use crate::context::offset;
use crate::control;
use crate::decode::{self, Avoid};
use crate::emit::{Assembler, Memory};
use crate::expected_targets::{self, Expected};
use crate::glue::Arrival;
use crate::interface::{Boundary, ClientCode, Exit, ExitKind, Job, Translation};
use crate::memory;
use crate::saved_states;
use crate::state::{Class, State};
use crate::templates;
use alloc::vec::Vec;
use core::cell::Cell;
use iced_x86::{
    Code, Decoder, DecoderOptions, EncodingKind, FlowControl, Instruction, Mnemonic, OpKind, Register,
};

/// What is done with an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Not looked at yet.
    New,
    Copied,
    /// Copied, if it does not begin a client request.
    Rotation,
    Conditional,
    Jump,
    Call,
    Return,
    /// An indirect jump or call.
    Indirect,
    /// Left to the general translator.
    Other,
}

/// Kinds by [`Code`], found out when one is met first.
pub(crate) struct Kinds(Vec<Cell<Kind>>);

impl Kinds {
    pub fn new() -> Kinds {
        Kinds(alloc::vec![Cell::new(Kind::New); Code::values().len()])
    }

    fn of(&self, instruction: &Instruction) -> Kind {
        let place = &self.0[instruction.code() as usize];
        if place.get() == Kind::New {
            place.set(kind(instruction));
        }
        place.get()
    }
}

/// Kind of all instructions with the code of this one.
fn kind(instruction: &Instruction) -> Kind {
    let code = instruction.code();
    let is_evex = instruction.encoding() == EncodingKind::EVEX;
    if is_evex || decode::is_far(code) || decode::engine_acts(instruction, Avoid::Avx512).is_some() {
        return Kind::Other;
    }
    match code {
        Code::Jmp_rel8_64 | Code::Jmp_rel32_64 => return Kind::Jump,
        Code::Call_rel32_64 => return Kind::Call,
        Code::Retnq => return Kind::Return,
        Code::Jmp_rm64 | Code::Call_rm64 => return Kind::Indirect,
        Code::Rol_rm64_imm8 => return Kind::Rotation,
        _ => {}
    }
    let sets_base = matches!(
        instruction.mnemonic(),
        Mnemonic::Rdfsbase | Mnemonic::Rdgsbase | Mnemonic::Wrfsbase | Mnemonic::Wrgsbase
    );
    match instruction.flow_control() {
        FlowControl::Next if sets_base || saved_states::has_component_mask(instruction) => Kind::Other,
        FlowControl::Next => Kind::Copied,
        FlowControl::ConditionalBranch if templates::is_known(near(instruction)) => Kind::Conditional,
        _ => Kind::Other,
    }
}

/// The form of a branch with a 32-bit displacement.
fn near(branch: &Instruction) -> Code {
    let mut near = *branch;
    near.as_near_branch();
    near.code()
}

#[cfg(test)]
mod tests;

struct Plain<'a> {
    job: &'a Job<'a>,
    client: &'a dyn ClientCode,
    code: Vec<u8>,
    exits: Vec<Exit>,
    boundaries: Vec<Boundary>,
    table: Option<Class>,
    /// Number of jumps that were followed.
    jumps: usize,
}

/// Client bytes from the start of a straight run, and which of them still have to be copied.
struct Run<'c> {
    bytes: &'c [u8],
    copied: usize,
    end: usize,
}

/// What comes after an instruction.
enum After {
    Next,
    /// The superblock goes on at the target of a jump.
    Follow(u64),
    /// The instruction was translated and ends the block.
    End,
    /// The block ends in front of the instruction.
    Stop,
}

/// Translates the code that starts at `job.pc`; `None` if that is left to the general translator.
pub(crate) fn translate(job: &Job, client: &dyn ClientCode) -> Option<Translation> {
    let mut plain = Plain {
        job,
        client,
        code: Vec::with_capacity(1024),
        exits: Vec::with_capacity(16),
        boundaries: Vec::with_capacity(decode::MAXIMUM),
        table: None,
        jumps: 0,
    };
    let mut ranges = Vec::new();
    let mut pc = job.pc;
    loop {
        let Some(bytes) = client.code(pc) else {
            plain.stop(pc);
            break;
        };
        let start = pc;
        let mut decoder = Decoder::with_ip(64, bytes, start, DecoderOptions::NONE);
        let next = plain.run(&mut decoder, bytes, start);
        ranges.push((start, decoder.ip().max(start + 1)));
        match next {
            Some(target) => pc = target,
            None => break,
        }
    }
    // Nothing was translated if the first instruction is not for this module.
    (!plain.code.is_empty()).then(|| plain.finish(ranges))
}

impl Plain<'_> {
    /// Translates a straight run. Returns the target of an unconditional jump that the superblock follows.
    fn run(&mut self, decoder: &mut Decoder, bytes: &[u8], start: u64) -> Option<u64> {
        let client = self.client;
        let mut run = Run { bytes, copied: 0, end: 0 };
        let mut instruction = Instruction::default();
        loop {
            let pc = decoder.ip();
            let first = self.boundaries.is_empty();
            if !first && (self.boundaries.len() >= decode::MAXIMUM || client.is_translated(pc)) {
                self.flush(&mut run);
                self.go_on(pc);
                return None;
            }
            decoder.decode_out(&mut instruction);
            match self.instruction(&mut run, decoder, &instruction, (pc - start) as usize) {
                After::Next => {}
                After::Follow(target) => {
                    self.flush(&mut run);
                    let repeated = self.boundaries.iter().any(|known| known.pc == target);
                    self.jumps += 1;
                    let jumps_only = self.jumps == decode::MAXIMUM;
                    if repeated || target == pc || jumps_only || client.is_translated(target) {
                        self.go_on(target);
                        return None;
                    }
                    return Some(target);
                }
                After::End => return None,
                After::Stop => {
                    self.flush(&mut run);
                    self.stop(pc);
                    return None;
                }
            }
        }
    }

    /// Translates the instruction that begins at `at` in the run's bytes.
    fn instruction(
        &mut self,
        run: &mut Run,
        decoder: &Decoder,
        instruction: &Instruction,
        at: usize,
    ) -> After {
        let kind = self.job.templates.kinds.of(instruction);
        let is_request = kind == Kind::Rotation && run.bytes[at..].starts_with(&decode::MAGIC);
        if kind == Kind::Other || is_request || instruction.segment_prefix() == Register::GS {
            return After::Stop;
        }
        let pc = instruction.ip();
        let end = at + instruction.len();
        if matches!(kind, Kind::Copied | Kind::Rotation) {
            let base = instruction.memory_base();
            if base == Register::EIP || base == Register::RIP && !self.reaches(run, instruction, end) {
                return After::Stop;
            }
            self.boundary(run, pc);
            run.end = end;
            if base == Register::RIP {
                self.copy_relative(run, decoder, instruction, at);
            }
            return After::Next;
        }
        if kind == Kind::Jump {
            return After::Follow(instruction.near_branch_target());
        }
        let expected = if kind == Kind::Indirect {
            let begins_run = expected_targets::begins_run(run.bytes, at);
            expected_targets::find(self.client, instruction, begins_run)
        } else {
            None
        };
        let is_unresolved = matches!(expected, Some(Expected::Unresolved { .. }));
        if kind == Kind::Indirect && (is_unresolved || !is_simple(instruction)) {
            return After::Stop;
        }
        self.flush(run);
        self.boundary(run, pc);
        run.copied = end;
        run.end = end;
        match kind {
            Kind::Conditional => {
                self.link(near(instruction), instruction.near_branch_target());
                return After::Next;
            }
            Kind::Call => {
                self.push_return_address(instruction.next_ip());
                self.go_on(instruction.near_branch_target());
            }
            Kind::Return => {
                self.table = Some(Class::Zero);
                if self.client.returns_flags(pc) {
                    self.return_with_flags();
                } else {
                    self.job.templates.plain_return(&mut self.code);
                }
            }
            _ => {
                if let Some(Expected::Target { variable, target }) = expected {
                    self.expect(instruction, variable, target);
                }
                self.indirect(instruction);
            }
        }
        After::End
    }

    fn boundary(&mut self, run: &Run, pc: u64) {
        let code_offset = (self.code.len() + run.end - run.copied) as u32;
        let state = State::ZERO;
        self.boundaries.push(Boundary { code_offset, pc, state, parked: false, recorded: None });
    }

    /// Copies the bytes that still have to be copied.
    fn flush(&mut self, run: &mut Run) {
        self.code.extend_from_slice(&run.bytes[run.copied..run.end]);
        run.copied = run.end;
    }

    /// Displacement from the copy of an instruction that ends at `end` in the run to what it addresses.
    fn distance(&self, run: &Run, instruction: &Instruction, end: usize) -> i64 {
        let here = self.job.address + (self.code.len() + end - run.copied) as u64;
        instruction.ip_rel_memory_address().wrapping_sub(here) as i64
    }

    fn reaches(&self, run: &Run, instruction: &Instruction, end: usize) -> bool {
        let distance = self.distance(run, instruction, end);
        distance == i64::from(distance as i32)
    }

    /// Copies everything up to an instruction with an operand relative to RIP, and corrects the operand.
    fn copy_relative(&mut self, run: &mut Run, decoder: &Decoder, instruction: &Instruction, at: usize) {
        let distance = self.distance(run, instruction, run.end) as i32;
        let field = decoder.get_constant_offsets(instruction).displacement_offset();
        let place = self.code.len() + (at - run.copied) + field;
        self.flush(run);
        self.code[place..place + 4].copy_from_slice(&distance.to_le_bytes());
    }

    /// A jump with this code to a client address, by an exit that the engine links to its translation.
    fn link(&mut self, code: Code, target: u64) {
        let jump = self.job.templates.jump(code).expect("a template of a near jump");
        self.code.extend_from_slice(jump);
        let patch = self.code.len() as u32 - 4;
        self.exits.push(Exit { kind: ExitKind::Link, target, state: State::ZERO, patch });
    }

    /// Ends the block in front of an instruction for the general translator. A block that begins with it stays empty.
    fn stop(&mut self, pc: u64) {
        if pc != self.job.pc || !self.code.is_empty() {
            self.go_on(pc);
        }
    }

    /// Ends the block.
    fn go_on(&mut self, target: u64) {
        self.link(Code::Jmp_rel32_64, target);
    }

    fn push_return_address(&mut self, address: u64) {
        if address >> 31 == 0 {
            self.job.templates.push(&mut self.code, address as u32);
        } else {
            self.assemble(|asm| asm.push_far_address(address));
        }
    }

    /// A return whose entrance leaves flags alone.
    fn return_with_flags(&mut self) {
        let part = self.job.tables[Class::Zero as usize] + Arrival::Context.offset();
        self.assemble(|asm| {
            let spilled = asm.context(offset::SPILLED_RCX);
            asm.store(spilled, Register::RCX);
            asm.built(Instruction::with1(Code::Pop_r64, Register::RCX));
            asm.store_target(Register::RCX);
            asm.built(Instruction::with2(Code::Movzx_r32_rm16, Register::ECX, Register::CX));
            asm.jump_by_table(part);
        });
    }

    /// See [`crate::expected_targets`].
    fn expect(&mut self, instruction: &Instruction, variable: Memory, target: u64) {
        self.assemble(|asm| asm.compare(variable, target as u32));
        if instruction.code() != Code::Call_rm64 {
            self.link(Code::Je_rel32_64, target);
            return;
        }
        let mut other = None;
        self.assemble(|asm| other = Some(asm.jump(Code::Jne_rel32_64)));
        self.push_return_address(instruction.next_ip());
        self.go_on(target);
        self.assemble(|asm| other.into_iter().for_each(|other| asm.land(other)));
    }

    /// See [`crate::glue`].
    fn indirect(&mut self, instruction: &Instruction) {
        self.table = Some(Class::Zero);
        let is_call = instruction.code() == Code::Call_rm64;
        let arrival = control::arrival(instruction, false);
        let part = self.job.tables[Class::Zero as usize] + arrival.offset();
        let by_register = instruction.op0_kind() == OpKind::Register;
        let holder = if by_register { instruction.op0_register() } else { Register::RCX };
        self.assemble(|asm| {
            let spilled = asm.context(offset::SPILLED_RCX);
            asm.store(spilled, Register::RCX);
            match memory::direct(instruction) {
                Some(operand) if !by_register => asm.load(Register::RCX, operand),
                _ if arrival == Arrival::Rax => {}
                _ => asm.store_target(holder),
            }
        });
        if is_call {
            self.push_return_address(instruction.next_ip());
        }
        self.assemble(|asm| {
            if !by_register {
                asm.store_target(holder);
            }
            asm.built(Instruction::with2(Code::Movzx_r32_rm16, Register::ECX, control::low_word(holder)));
            asm.jump_by_table(part);
        });
    }

    /// Appends what `emit` assembles.
    fn assemble(&mut self, emit: impl FnOnce(&mut Assembler)) {
        let mut asm = Assembler::new(self.job.address, self.job.context);
        asm.code = core::mem::take(&mut self.code);
        emit(&mut asm);
        self.code = asm.code;
    }

    /// Adds the ways out of the exits that are not linked.
    fn finish(mut self, ranges: Vec<(u64, u64)>) -> Translation {
        for (place, exit) in self.exits.iter().enumerate() {
            let field = exit.patch as usize;
            let distance = (self.code.len() - (field + 4)) as u32;
            self.code[field..field + 4].copy_from_slice(&distance.to_le_bytes());
            self.job.templates.leave(&mut self.code, self.job.address, self.job.first_exit + place as u32);
        }
        Translation {
            code: self.code,
            exits: self.exits,
            boundaries: self.boundaries,
            sites: Vec::new(),
            table: self.table,
            held: Vec::new(),
            structures: Vec::new(),
            structure_references: Vec::new(),
            ranges,
            observed: Vec::new(),
            passive_pages: Vec::new(),
        }
    }
}

/// Can the target of an indirect branch be had by one load, or from a register other than rsp?
fn is_simple(instruction: &Instruction) -> bool {
    if instruction.op0_kind() == OpKind::Register {
        instruction.op0_register() != Register::RSP
    } else {
        memory::direct(instruction).is_some()
    }
}
