//! Compare-and-exchange and exchange-and-add, the instructions of which atomic operations are made.
//!
//! A program with several threads adds to a shared number by a loop: load, add, compare-and-exchange, again if
//! another thread was faster. Value and shadow must change together, or the derivative of what the other thread has
//! added is lost. So where shadows move, the instruction and the move stand between [`Translator::lock`] and
//! [`Translator::unlock`]. The load at the start of the loop may still pair a new value with an old shadow; therefore
//! an exchange for which the values agree and the shadows do not is treated as one that has failed, and the loop runs
//! again. Compilers look at the zero flag or at the value that was found; so that both tell of a failure, that is one
//! with its lowest bit changed, as if another thread had been there for a moment.
//!
//! A mere exchange never fails, so also where everything is passive, the shadow is tested under the lock.

use crate::checks::OnActive;
use crate::context::offset;
use crate::control::has_memory;
use crate::decode::Client;
use crate::emit::{Jump, Memory};
use crate::translate::Translator;
use iced_x86::{Code, FlowControl, Instruction, Mnemonic, Register};

/// What is stored if the comparison succeeds, and what is compared or loaded, for the lower and the upper half.
const NEW: [Register; 2] = [Register::RBX, Register::RCX];
const EXPECTED: [Register; 2] = [Register::RAX, Register::RDX];

/// May what is known about memory be void behind this instruction, because the block has waited for another thread?
/// Waiting takes an instruction that orders accesses, or the test of what that thread has written.
pub(crate) fn synchronises(instruction: &Instruction, has_threads: bool) -> bool {
    let orders = instruction.has_lock_prefix()
        || matches!(
            instruction.mnemonic(),
            Mnemonic::Xchg | Mnemonic::Mfence | Mnemonic::Lfence | Mnemonic::Sfence | Mnemonic::Pause
        );
    orders || has_threads && instruction.flow_control() == FlowControl::ConditionalBranch
}

impl Translator<'_> {
    /// Success stores the register's shadow, failure loads the memory's shadow into rax. The zero flag tells.
    pub(crate) fn compare_exchange(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let register = instruction.op1_register();
        if matches!(instruction.mnemonic(), Mnemonic::Cmpxchg8b | Mnemonic::Cmpxchg16b) {
            self.compare_exchange_pair(client);
            return;
        }
        if !has_memory(instruction) || register.size() < 4 || addressed_by(instruction, &EXPECTED[..1]) {
            self.without_rule(client);
            return;
        }
        let size = register.size();
        let accumulator = Register::RAX;
        let registers_are_zero = self.general_is_zero(register) && self.general_is_zero(accumulator);
        if self.expects_active_operand() || !registers_are_zero {
            self.make_slot_valid(register);
            self.make_slot_valid(accumulator);
            let stale = self.job.settings.has_threads.then(|| {
                self.lock();
                self.jump_if_stale(instruction, accumulator, size)
            });
            self.copy(client);
            let failed = self.asm.jump(Code::Jne_rel32_64);
            let opened = self.open(instruction);
            self.copy_shadow(instruction, opened.memory, self.slot(register), size);
            self.close(opened);
            let done = self.asm.jump(Code::Jmp_rel32_64);
            if let Some(stale) = stale {
                self.asm.land(stale);
                self.load_expected(instruction, accumulator, size);
            }
            self.asm.land(failed);
            let opened = self.open(instruction);
            self.move_to_slot(instruction, accumulator, opened.memory, size);
            self.close(opened);
            self.asm.land(done);
            if stale.is_some() {
                self.unlock();
            }
            // The slot holds the shadow on both paths, another place on one.
            self.forget_mirror(accumulator);
            return;
        }
        let on_active = self.expecting_load(instruction);
        self.check_operand(instruction, size, on_active);
        // The shadow is zero, and another thread may be about to change it: it is left alone.
        self.copy(client);
        self.zero_general |= 1;
    }

    /// The same with two registers for each of the three values.
    fn compare_exchange_pair(&mut self, client: &Client) {
        let instruction = &client.instruction;
        if addressed_by(instruction, &EXPECTED) {
            self.without_rule(client);
            return;
        }
        let size = instruction.memory_size().size();
        let half = size / 2;
        let are_zero = NEW.iter().chain(&EXPECTED).all(|register| self.general_is_zero(*register));
        if !self.expects_active_operand() && are_zero {
            let on_active = self.expecting_load(instruction);
            self.check_operand(instruction, size, on_active);
            self.copy(client);
            return;
        }
        for register in NEW.into_iter().chain(EXPECTED) {
            self.make_slot_valid(register);
        }
        let locked = self.job.settings.has_threads;
        if locked {
            self.lock();
        }
        self.copy(client);
        let failed = self.asm.jump(Code::Jne_rel32_64);
        let opened = self.open(instruction);
        for (register, distance) in NEW.into_iter().zip([0, half as i64]) {
            let place = opened.memory.offset_by(distance);
            self.copy_shadow(instruction, place, self.slot(register), half);
        }
        self.close(opened);
        let done = self.asm.jump(Code::Jmp_rel32_64);
        self.asm.land(failed);
        let opened = self.open(instruction);
        for (register, distance) in EXPECTED.into_iter().zip([0, half as i64]) {
            let place = opened.memory.offset_by(distance);
            let slot = self.slot(register);
            self.copy_shadow(instruction, slot, place, half);
            if half == 4 {
                self.asm.store_zero(slot.offset_by(4), 4);
            }
            self.forget_mirror(register);
        }
        self.close(opened);
        self.asm.land(done);
        if locked {
            self.unlock();
        }
    }

    /// May other threads exchange a binary64 there at the same time? Locks of threads are exchanged more often than
    /// numbers; they have 32 bits.
    pub(crate) fn is_exchanged_by_others(&self, instruction: &Instruction) -> bool {
        self.job.settings.has_threads && has_memory(instruction) && instruction.memory_size().size() == 8
    }

    /// An exchange of a passive register: what is found may just have become active.
    pub(crate) fn exchange_passive(&mut self, client: &Client, on_active: OnActive) {
        let instruction = &client.instruction;
        self.lock();
        let opened = self.open(instruction);
        if !opened.in_rcx {
            self.spill_rcx();
        }
        self.asm.load(Register::RCX, opened.memory);
        let zero = self.asm.short_jump(Code::Jrcxz_rel8_64);
        self.unlock();
        self.restore_rcx();
        let active = self.asm.jump(Code::Jmp_rel32_64);
        self.when_active(active, false, on_active);
        self.asm.land(zero);
        self.restore_rcx();
        self.copy(client);
        self.unlock();
    }

    /// Waits until no other thread changes a value and its shadow. Flags and registers are as before.
    pub(crate) fn lock(&mut self) {
        let lock = Memory::absolute(self.job.atomic_lock);
        self.spill_rcx();
        let again = self.asm.here();
        self.asm.built(Instruction::with2(Code::Mov_r32_imm32, Register::ECX, 1u32));
        self.asm.built(Instruction::with2(Code::Xchg_rm64_r64, lock.operand(), Register::RCX));
        let free = self.asm.short_jump(Code::Jrcxz_rel8_64);
        self.asm.instruction(&Instruction::with(Code::Pause));
        self.asm.jump_to(again);
        self.asm.land(free);
        self.restore_rcx();
        // If the client's instruction faults, the engine gives the lock back.
        let holds = self.asm.context(offset::HOLDS_LOCK);
        self.asm.store_immediate(holds, 1);
    }

    pub(crate) fn unlock(&mut self) {
        let holds = self.asm.context(offset::HOLDS_LOCK);
        self.asm.store_zero(holds, 8);
        self.asm.store_zero(Memory::absolute(self.job.atomic_lock), 8);
    }

    /// Jumps, with the zero flag clear, if the shadows of accumulator and memory differ. The instruction sets all
    /// flags.
    fn jump_if_stale(&mut self, instruction: &Instruction, accumulator: Register, size: usize) -> Jump {
        let opened = self.open(instruction);
        let scratch = self.register_beside_rcx(instruction);
        let parked = self.asm.context(offset::SCRATCH);
        self.asm.store(parked, scratch);
        let slot = self.slot(accumulator);
        self.asm.load(scratch, slot);
        let (code, part) = match size {
            4 => (Code::Cmp_r32_rm32, scratch.full_register32()),
            _ => (Code::Cmp_r64_rm64, scratch),
        };
        self.asm.built(Instruction::with2(code, part, opened.memory.operand()));
        self.asm.load(scratch, parked);
        self.close(opened);
        self.asm.jump(Code::Jne_rel32_64)
    }

    /// The accumulator gets the value in memory, or if it has that already, another one. The zero flag is clear then,
    /// as after a comparison that has failed.
    fn load_expected(&mut self, instruction: &Instruction, accumulator: Register, size: usize) {
        let opened = self.open(instruction);
        let client = Memory { segment: Register::None, ..opened.memory };
        let (load, compare, change, part) = match size {
            4 => (Code::Mov_r32_rm32, Code::Cmp_r32_rm32, Code::Xor_rm32_imm8, accumulator.full_register32()),
            _ => (Code::Mov_r64_rm64, Code::Cmp_r64_rm64, Code::Xor_rm64_imm8, accumulator),
        };
        let again = self.asm.here();
        self.asm.built(Instruction::with2(compare, part, client.operand()));
        let differs = self.asm.jump(Code::Jne_rel32_64);
        self.asm.built(Instruction::with2(change, part, 1i32));
        self.asm.built(Instruction::with2(compare, part, client.operand()));
        let changed = self.asm.jump(Code::Jne_rel32_64);
        self.asm.jump_to(again);
        self.asm.land(differs);
        self.asm.built(Instruction::with2(load, part, client.operand()));
        self.asm.land(changed);
        self.close(opened);
    }

    /// The register gets the old value and its shadow. The sum of bits has no derivative: active operands are counted.
    pub(crate) fn exchange_add(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let register = instruction.op1_register();
        let size = register.size();
        if size < 4 || !has_memory(instruction) {
            self.without_rule(client);
            return;
        }
        let on_active = self.instruction_site(instruction);
        if !self.expects_active_operand() {
            let elsewhere = self.expecting_load(instruction);
            self.check_operand(instruction, size, elsewhere);
            if !self.general_is_zero(register) {
                self.check_place(self.slot(register), size, on_active);
            }
            self.copy(client);
            self.zero_general |= 1 << register.full_register().number();
            return;
        }
        self.make_slot_valid(register);
        self.count_first(|translator| {
            translator.check_operand(instruction, size, on_active);
            translator.check_place(translator.slot(register), size, on_active);
        });
        let opened = self.open(instruction);
        self.move_to_slot(instruction, register, opened.memory, size);
        self.zero_place(opened.memory, size);
        self.close(opened);
        // The place no longer holds it.
        self.forget_mirror(register);
        self.copy(client);
    }
}

/// Is the address formed from one of these registers, which a failed comparison overwrites?
fn addressed_by(instruction: &Instruction, overwritten: &[Register]) -> bool {
    let address = [instruction.memory_base(), instruction.memory_index()];
    address
        .into_iter()
        .filter(|register| register.is_gpr())
        .any(|register| overwritten.contains(&register.full_register()))
}
