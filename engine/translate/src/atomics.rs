//! Compare-and-exchange and exchange-and-add, the instructions of which atomic operations are made.

use crate::control::has_memory;
use crate::decode::Client;
use crate::translate::Translator;
use iced_x86::{Code, Instruction, Mnemonic, Register};

/// What is stored if the comparison succeeds, and what is compared or loaded, for the lower and the upper half.
const NEW: [Register; 2] = [Register::RBX, Register::RCX];
const EXPECTED: [Register; 2] = [Register::RAX, Register::RDX];

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
            self.copy(client);
            let failed = self.asm.jump(Code::Jne_rel32_64);
            let opened = self.open(instruction);
            self.copy_shadow(instruction, opened.memory, self.slot(register), size);
            self.close(opened);
            let done = self.asm.jump(Code::Jmp_rel32_64);
            self.asm.land(failed);
            let opened = self.open(instruction);
            self.move_to_slot(instruction, accumulator, opened.memory, size);
            self.close(opened);
            self.asm.land(done);
            // The slot holds the shadow on both paths, another place on one.
            self.forget_mirror(accumulator);
            return;
        }
        let on_active = self.expecting_load(instruction);
        self.check_operand(instruction, size, on_active);
        self.zero_operand(instruction, size);
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
