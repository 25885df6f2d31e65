//! x87 and MMX instructions: passive ones stay in the block, active ones have a computed rule.
//!
//! Nearly always no shadow of the stack is active, which a word of the context tells. No state tells it, so that
//! there are no more translations than without: a block tests the word in front of its first x87 instruction. In the
//! block nothing becomes active after that, since what is loaded is tested, too.

use crate::checks::OnActive;
use crate::context::offset;
use crate::decode::Client;
use crate::rules;
use crate::translate::{Level, Translator};
use iced_x86::{Instruction, OpKind};

impl Translator<'_> {
    pub(crate) fn x87(&mut self, client: &Client) {
        let on_active = self.apply_rule(&client.instruction);
        self.check_stack(on_active);
        self.check_all_operands(&client.instruction, on_active);
        self.passive_result(client);
    }

    /// Leaves if the shadow of any x87 register is not zero.
    pub(crate) fn check_stack(&mut self, on_active: OnActive) {
        if self.stack_is_zero {
            return;
        }
        let active = self.asm.context(offset::X87_ACTIVE);
        self.check_place(active, 8, on_active);
        self.stack_is_zero = true;
    }

    /// Tests the shadows of the MMX registers that the instruction names.
    pub(crate) fn check_mmx_operands(&mut self, instruction: &Instruction, on_active: OnActive) {
        for operand in 0..instruction.op_count() {
            let register = instruction.op_register(operand);
            if instruction.op_kind(operand) == OpKind::Register && register.is_mm() {
                let slot = self.asm.context(offset::X87_SHADOWS + 16 * register.number() as u32);
                self.check_place(slot, 8, on_active);
            }
        }
    }

    /// How many instructions a block takes that begins with one whose rule has been applied: mostly the next one has to
    /// leave to the engine, too, so that its translation may as well begin there.
    pub(crate) fn up_to_stack(&self, instructions: &[Client]) -> usize {
        let applied = self.level == Level::Active && self.job.state.rule_is_applied();
        let uses_stack = |client: &Client| rules::uses_stack(&client.instruction);
        if !applied || !instructions.first().is_some_and(uses_stack) {
            return instructions.len();
        }
        let next = instructions[1..].iter().position(uses_stack);
        next.map_or(instructions.len(), |position| position + 1)
    }
}
