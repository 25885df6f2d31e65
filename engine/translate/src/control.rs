//! Control flow and the client's segment bases: what is the same at every level.

use crate::context::offset;
use crate::decode::Client;
use crate::emit::{general, Jump, Memory};
use crate::expected_targets::{self, Expected};
use crate::glue::Arrival;
use crate::interface::ExitKind;
use crate::memory;
use crate::saved_states;
use crate::state::Class;
use crate::translate::Translator;
use iced_x86::{Code, FlowControl, Instruction, Mnemonic, OpKind, Register};

impl Translator<'_> {
    /// Translates an instruction that transfers control; false if it does not.
    pub(crate) fn control(&mut self, client: &Client) -> bool {
        let instruction = &client.instruction;
        match instruction.flow_control() {
            FlowControl::Next | FlowControl::Interrupt | FlowControl::Exception => return false,
            FlowControl::ConditionalBranch => self.conditional(instruction),
            FlowControl::UnconditionalBranch => self.link(instruction.near_branch_target()),
            FlowControl::Call => {
                self.push_return_address(instruction.next_ip());
                self.link(instruction.near_branch_target());
            }
            FlowControl::IndirectBranch | FlowControl::IndirectCall => self.expected_or_indirect(client),
            FlowControl::Return => self.indirect(client),
            FlowControl::XbeginXabortXend => return self.transaction(instruction),
        }
        true
    }

    fn conditional(&mut self, instruction: &Instruction) {
        let target = instruction.near_branch_target();
        let short_only = matches!(
            instruction.mnemonic(),
            Mnemonic::Loop
                | Mnemonic::Loope
                | Mnemonic::Loopne
                | Mnemonic::Jrcxz
                | Mnemonic::Jecxz
                | Mnemonic::Jcxz
        );
        if matches!(instruction.mnemonic(), Mnemonic::Loop | Mnemonic::Loope | Mnemonic::Loopne) {
            self.zero_general |= 1 << 1;
        }
        let state = self.state();
        if short_only {
            let taken = self.asm.short_jump(instruction.code());
            let not_taken = self.asm.short_jump(Code::Jmp_rel8_64);
            self.asm.land(taken);
            let jump = self.asm.jump(Code::Jmp_rel32_64);
            self.asm.land(not_taken);
            self.link_conditional(jump, target, state, false);
        } else {
            let mut near = *instruction;
            near.as_near_branch();
            let jump = self.asm.jump(near.code());
            self.link_conditional(jump, target, state, false);
        }
    }

    /// Transactions abort at once: a program must be able to go on without them.
    fn transaction(&mut self, instruction: &Instruction) -> bool {
        if instruction.mnemonic() != Mnemonic::Xbegin {
            return false;
        }
        self.asm.built(Instruction::with2(Code::Mov_r32_imm32, Register::EAX, 0u32));
        self.zero_general |= 1;
        self.link(instruction.near_branch_target());
        true
    }

    fn push_return_address(&mut self, address: u64) {
        if address >> 31 == 0 {
            self.asm.built(Instruction::with1(Code::Pushq_imm32, address as i32));
        } else {
            self.asm.push_far_address(address);
        }
        // Unwinders read return addresses as data, and something active may have been there before.
        if self.job.settings.differentiating {
            self.asm.store_zero(Memory::at(Register::RSP, 0).shadow(), 8);
        }
    }

    /// An indirect jump or call, see [`crate::expected_targets`].
    fn expected_or_indirect(&mut self, client: &Client) {
        let instruction = &client.instruction;
        match expected_targets::find(self.client, instruction, self.begins_run) {
            Some(Expected::Target { variable, target }) => {
                self.end_recording();
                self.write_back_all();
                self.asm.compare(variable, target as u32);
                if instruction.flow_control() == FlowControl::IndirectCall {
                    let other = self.asm.jump(Code::Jne_rel32_64);
                    self.push_return_address(instruction.next_ip());
                    self.link(target);
                    self.asm.land(other);
                } else {
                    let state = self.state();
                    let jump = self.asm.jump(Code::Je_rel32_64);
                    self.link_conditional(jump, target, state, false);
                }
            }
            Some(Expected::Unresolved { variable }) if instruction.ip() == self.job.pc => {
                self.end_recording();
                self.write_back_all();
                self.leave(ExitKind::Unresolved { variable }, self.job.pc);
                return;
            }
            _ => {}
        }
        self.indirect(client);
    }

    /// An indirect jump, call or return: spills rcx and continues at what the table holds for the target, see
    /// [`crate::glue`].
    fn indirect(&mut self, client: &Client) {
        self.end_recording();
        self.write_back_all();
        let class = self.state().class();
        if class != Class::Zero {
            self.materialize(class.state());
        }
        self.spill_rcx();
        let instruction = &client.instruction;
        // A jump to a function of another library is followed by a return, which pays for both.
        let is_sampled = class != Class::Zero && !instruction.is_ip_rel_memory_operand();
        let sampled = is_sampled.then(|| self.spend_budget());
        let arrival = arrival(instruction, self.returns_flags);
        self.table = Some(class);
        let part = self.job.tables[class as usize] + arrival.offset();
        if arrival == Arrival::Return {
            self.asm.return_by_table(part);
        } else {
            let holder = self.leave_target(instruction, arrival);
            self.asm.built(Instruction::with2(Code::Movzx_r32_rm16, Register::ECX, low_word(holder)));
            self.asm.jump_by_table(part);
        }
        if let Some(sampled) = sampled {
            self.asm.land(sampled);
            self.restore_rcx();
            self.leave_target(instruction, Arrival::Context);
            self.asm.jump_to(self.job.samples[class as usize]);
        }
    }

    /// Puts the target where the arrival expects it, and does what the branch does to the stack. rcx is spilled and
    /// still holds the client's value. Returns a register that holds the target then.
    fn leave_target(&mut self, instruction: &Instruction, arrival: Arrival) -> Register {
        let flow = instruction.flow_control();
        let named = flow != FlowControl::Return && instruction.op0_kind() == OpKind::Register;
        let holder = if named { instruction.op0_register() } else { Register::RCX };
        if named && holder != Register::RSP {
            if arrival != Arrival::Rax {
                self.asm.store_target(holder);
            }
            if flow == FlowControl::IndirectCall {
                self.push_return_address(instruction.next_ip());
            }
            return holder;
        }
        self.load_target(instruction);
        self.asm.store_target(Register::RCX);
        Register::RCX
    }

    /// Counts the budget down in rcx, which is spilled; the jump returned is taken when it is used up.
    fn spend_budget(&mut self) -> Jump {
        let budget = self.asm.context(offset::BUDGET);
        self.asm.load(Register::RCX, budget);
        self.asm.address_of(Register::RCX, Memory::at(Register::RCX, -1));
        self.asm.store(budget, Register::RCX);
        let used_up = self.asm.short_jump(Code::Jrcxz_rel8_64);
        let go_on = self.asm.short_jump(Code::Jmp_rel8_64);
        self.asm.land(used_up);
        let sampled = self.asm.jump(Code::Jmp_rel32_64);
        self.asm.land(go_on);
        self.restore_rcx();
        sampled
    }

    pub(crate) fn restore_rcx(&mut self) {
        let spilled = self.asm.context(offset::SPILLED_RCX);
        self.asm.load(Register::RCX, spilled);
    }

    /// Puts the target of an indirect branch into rcx, whose client value is still there, and does what the branch
    /// does to the stack.
    fn load_target(&mut self, instruction: &Instruction) {
        if instruction.flow_control() == FlowControl::Return {
            self.asm.built(Instruction::with1(Code::Pop_r64, Register::RCX));
            if instruction.op_count() == 1 {
                let removed = i64::from(instruction.immediate16());
                self.asm.address_of(Register::RSP, Memory::at(Register::RSP, removed));
            }
            return;
        }
        if instruction.op0_kind() == OpKind::Register {
            let target = instruction.op0_register().full_register();
            self.asm.built(Instruction::with2(Code::Mov_r64_rm64, Register::RCX, target));
        } else if let Some(operand) = memory::direct(instruction) {
            self.asm.load(Register::RCX, operand);
        } else {
            memory::compute_address(&mut self.asm, instruction, Register::RCX);
            self.asm.load(Register::RCX, Memory::at(Register::RCX, 0));
        }
        if instruction.flow_control() == FlowControl::IndirectCall {
            self.push_return_address(instruction.next_ip());
        }
    }

    /// Instructions that read or write a segment base: the client's GS base is a field of the context, and the context
    /// follows its FS base. False if the instruction is none of these.
    pub(crate) fn segment_base(&mut self, client: &Client) -> bool {
        let instruction = &client.instruction;
        let register = instruction.op0_register().full_register();
        let (fs, gs) = (self.asm.context(offset::FS_BASE), self.asm.context(offset::GS_BASE));
        match instruction.mnemonic() {
            Mnemonic::Rdgsbase => {
                let narrow = instruction.op0_register().is_gpr32();
                let code = if narrow { Code::Mov_r32_rm32 } else { Code::Mov_r64_rm64 };
                self.asm.built(Instruction::with2(code, instruction.op0_register(), gs.operand()));
                self.zero_general |= 1 << register.number();
            }
            Mnemonic::Wrgsbase => self.store_base(gs, instruction.op0_register()),
            Mnemonic::Wrfsbase => {
                self.asm.instruction(instruction);
                self.store_base(fs, instruction.op0_register());
            }
            _ => return false,
        }
        true
    }

    fn store_base(&mut self, base: Memory, value: Register) {
        if value.is_gpr32() {
            self.asm.store_zero(base, 8);
            self.asm.built(Instruction::with2(Code::Mov_rm32_r32, base.operand(), value));
        } else {
            self.asm.store(base, value);
        }
    }

    /// The client's instruction itself. A RIP-relative operand is adjusted; one that is out of reach of the cache, or
    /// relative to GS, goes through a spilled register.
    pub(crate) fn copy(&mut self, client: &Client) {
        let instruction = &client.instruction;
        self.client_control();
        if self.job.settings.hides_avx512 && saved_states::has_component_mask(instruction) {
            self.copy_with_component_mask(instruction);
            return;
        }
        let uses_gs = has_memory(instruction) && instruction.memory_segment() == Register::GS;
        if !instruction.is_ip_rel_memory_operand() && !uses_gs {
            self.asm.bytes(client.raw());
            return;
        }
        let end = self.asm.here() + client.raw().len() as u64;
        let distance = instruction.ip_rel_memory_address().wrapping_sub(end) as i64;
        if !uses_gs && distance == i64::from(distance as i32) {
            let start = self.asm.code.len();
            self.asm.bytes(client.raw());
            let at = start + client.offsets.displacement_offset();
            self.asm.code[at..at + 4].copy_from_slice(&(distance as i32).to_le_bytes());
            return;
        }
        let register = self.unused_register(instruction);
        let park = self.asm.context(offset::SCRATCH);
        self.asm.store(park, register);
        memory::compute_address(&mut self.asm, instruction, register);
        let mut through = *instruction;
        through.set_memory_base(register);
        through.set_memory_index(Register::None);
        through.set_memory_displacement64(0);
        through.set_memory_displ_size(0);
        through.set_segment_prefix(Register::None);
        self.asm.instruction(&through);
        self.asm.load(register, park);
    }

    /// A general register that the instruction neither reads nor writes.
    pub(crate) fn unused_register(&mut self, instruction: &Instruction) -> Register {
        self.unused_register_but(instruction, 0)
    }

    /// The same, but not rcx.
    pub(crate) fn register_beside_rcx(&mut self, instruction: &Instruction) -> Register {
        self.unused_register_but(instruction, 1 << 1)
    }

    fn unused_register_but(&mut self, instruction: &Instruction, excluded: u32) -> Register {
        let mut used = 1u32 << Register::RSP.number() | self.recording.register() | excluded;
        for register in self.info.info(instruction).used_registers() {
            if register.register().is_gpr() {
                used |= 1 << register.register().full_register().number();
            }
        }
        let free = (0..16).find(|number| used >> number & 1 == 0);
        general(free.expect("no instruction uses all registers"))
    }
}

/// Where an indirect branch leaves its target. A return that removes more leaves it somewhere else than entrances of
/// returns look; and these would change flags.
pub(crate) fn arrival(instruction: &Instruction, returns_flags: bool) -> Arrival {
    if instruction.flow_control() == FlowControl::Return {
        let is_plain = instruction.op_count() == 0 && !returns_flags;
        return if is_plain { Arrival::Return } else { Arrival::Context };
    }
    let is_in_rax = instruction.op0_kind() == OpKind::Register && instruction.op0_register() == Register::RAX;
    if is_in_rax {
        Arrival::Rax
    } else {
        Arrival::Context
    }
}

/// The low 16 bits of a register of 64.
pub(crate) fn low_word(register: Register) -> Register {
    Register::AX + register.number() as u32
}

/// Does the instruction have an explicit memory operand?
pub(crate) fn has_memory(instruction: &Instruction) -> bool {
    (0..instruction.op_count()).any(|operand| instruction.op_kind(operand) == OpKind::Memory)
}
