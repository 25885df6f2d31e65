//! Blocks for the zero state: the client's instructions, and proof that they meet nothing active.
//!
//! All register shadows are zero, so only loads can bring activity in and only stores can leave a wrong shadow behind.
//! A load is preceded by a test of its shadow; if that is not zero, execution continues in an active translation of the
//! same instruction. A store is followed by a store of zero to its shadow. Instructions for which neither is simple
//! are left to the active level altogether.

use crate::checks::OnActive;
use crate::control::has_memory;
use crate::decode::Client;
use crate::emit::Memory;
use crate::general::frame_pointer_size;
use crate::rules::{self, Rule};
use crate::state::State;
use crate::translate::Translator;
use crate::upper_parts::Access;
use crate::wide_clients::is_masked_store;
use crate::without_rule::is_plain_masked_store;
use iced_x86::{Instruction, Mnemonic, OpAccess, OpKind, Register};

impl Translator<'_> {
    pub(crate) fn passive(&mut self, client: &Client) {
        let instruction = &client.instruction;
        match rules::rule(instruction) {
            Rule::StringMove => return self.string_move(client),
            Rule::StringStore => return self.string_store(client),
            Rule::Push => {
                if has_memory(instruction) {
                    self.check_read(instruction);
                }
                self.copy(client);
                let size = pushed_size(instruction);
                return self.zero_place(Memory::at(Register::RSP, 0).shadow(), size);
            }
            Rule::Pop => {
                let size = pushed_size(instruction);
                let on_active = OnActive::Leave(instruction.ip(), active_state(true));
                self.check_place(Memory::at(Register::RSP, 0).shadow(), size, on_active);
            }
            Rule::Leave => {
                let size = frame_pointer_size(instruction);
                let on_active = OnActive::Leave(instruction.ip(), active_state(true));
                self.check_place(Memory::at(Register::RBP, 0).shadow(), size, on_active);
                return self.copy(client);
            }
            Rule::MaskedStore => {
                let on_active = OnActive::Leave(instruction.ip(), active_state(false));
                if rules::uses_mmx(instruction) {
                    self.check_stack(on_active);
                }
                self.check_masked_store(instruction, on_active);
                return self.copy(client);
            }
            Rule::CompareExchange if has_memory(instruction) => {
                // What it stores is passive, like what it replaces; another thread may be about to change the shadow.
                self.check_read(instruction);
                return self.copy(client);
            }
            Rule::Exchange if self.is_exchanged_by_others(instruction) => {
                let on_active = OnActive::Leave(instruction.ip(), active_state(false));
                return self.exchange_passive(client, on_active);
            }
            Rule::SaveState => {
                self.check_stack(OnActive::Leave(instruction.ip(), active_state(false)));
                self.zero_saved_vectors(instruction);
                return self.copy(client);
            }
            Rule::RestoreState => {
                self.check_restored(instruction);
                return self.copy(client);
            }
            _ => {}
        }
        if rules::uses_stack(instruction) {
            self.check_stack(OnActive::Leave(instruction.ip(), active_state(false)));
        }
        self.check_implicit_read(instruction);
        self.check_wide_registers(instruction);
        if !has_memory(instruction) {
            return self.copy(client);
        }
        let access = self.memory_access(instruction);
        if matches!(
            access,
            OpAccess::Read | OpAccess::ReadWrite | OpAccess::CondRead | OpAccess::ReadCondWrite
        ) {
            self.check_read(instruction);
        }
        if let Access::Writes { tests_number: true, .. } = self.upper_part() {
            let on_active = self.apply_rule(instruction);
            self.check_upper_part(instruction, on_active);
        }
        let writes = matches!(
            access,
            OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite | OpAccess::ReadCondWrite
        );
        let size = instruction.memory_size().size();
        // The address must be formed from registers that the instruction has not changed yet.
        let changes_registers = writes && self.writes_general(instruction) != 0;
        if writes && changes_registers {
            self.zero_operand(instruction, size);
        }
        self.copy(client);
        if writes && !changes_registers {
            self.zero_operand(instruction, size);
        }
    }

    /// Tests the shadow of what the instruction reads from memory.
    fn check_read(&mut self, instruction: &Instruction) {
        if rules::is_passive_by_nature(instruction)
            || self.loads_are_passive && !is_on_stack(instruction)
            || self.is_passive_memory(instruction)
            || self.untested[self.position]
            || self.is_on_passive_page(instruction)
        {
            return;
        }
        let loads_general = instruction.op0_kind() == OpKind::Register && instruction.op0_register().is_gpr();
        let state = active_state(loads_general && instruction.mnemonic() == Mnemonic::Mov);
        let size = instruction.memory_size().size();
        self.check_operand(instruction, size, OnActive::Leave(instruction.ip(), state));
    }

    /// How the instruction accesses its explicit memory operand.
    pub(crate) fn memory_access(&mut self, instruction: &Instruction) -> OpAccess {
        let info = self.info.info(instruction);
        let operand = (0..instruction.op_count()).find(|k| instruction.op_kind(*k) == OpKind::Memory);
        operand.map_or(OpAccess::None, |operand| info.op_access(operand))
    }

    /// Set of general registers that the instruction writes.
    pub(crate) fn writes_general(&mut self, instruction: &Instruction) -> u16 {
        let mut written = 0;
        for used in self.info.info(instruction).used_registers() {
            let register = used.register();
            if register.is_gpr() && is_write(used.access()) {
                written |= 1 << register.full_register().number();
            }
        }
        written
    }
}

/// Is the memory operand a variable on the stack, or an argument perhaps?
pub(crate) fn is_on_stack(instruction: &Instruction) -> bool {
    matches!(instruction.memory_base(), Register::RSP | Register::RBP)
}

pub(crate) fn is_write(access: OpAccess) -> bool {
    matches!(access, OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite | OpAccess::ReadCondWrite)
}

/// Bytes that a push or pop moves.
pub(crate) fn pushed_size(instruction: &Instruction) -> usize {
    instruction.stack_pointer_increment().unsigned_abs() as usize
}

/// The active state in which everything is known to be zero.
pub(crate) fn active_state(expects_load: bool) -> State {
    let state = State::active(!0, !0, false);
    if expects_load {
        state.expecting_active_load()
    } else {
        state
    }
}

impl Translator<'_> {
    /// Should the superblock end in front of this instruction, for the active level to take over?
    pub(crate) fn needs_active_level(instruction: &Instruction) -> bool {
        let gathers = has_memory(instruction) && instruction.memory_index().is_vector_register();
        let rule = rules::rule(instruction);
        let moves = rule == Rule::MaskedStore && !is_plain_masked_store(instruction);
        gathers || moves || matches!(rule, Rule::MaskedMove | Rule::Opaque) || is_masked_store(instruction)
    }

    /// `lods` reads memory without an explicit operand.
    fn check_implicit_read(&mut self, instruction: &Instruction) {
        let on_active = OnActive::Leave(instruction.ip(), active_state(false));
        self.check_string_load(instruction, on_active);
    }
}
