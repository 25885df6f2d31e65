//! The way to a computed rule and back.

use super::Part;
use crate::checks::OnActive;
use crate::decode::Client;
use crate::interface::{ExitKind, SiteKind};
use crate::passive::is_write;
use crate::state::State;
use crate::translate::Translator;
use crate::upper_parts::Access;
use crate::without_rule::is_zero_idiom;
use alloc::vec::Vec;
use iced_x86::{Instruction, Register};

impl Translator<'_> {
    /// Runs an instruction with a computed rule.
    pub(crate) fn computed_rule(&mut self, client: &Client) {
        let on_active = self.apply_rule(&client.instruction);
        self.check_all_operands(&client.instruction, on_active);
        self.passive_result(client);
    }

    /// An instruction on bits whose code says nothing about shadows.
    pub(crate) fn bits(&mut self, client: &Client) {
        if is_zero_idiom(&client.instruction) {
            self.without_rule(client);
        } else if self.untested[self.position] {
            // A sign extension on the way to an address.
            self.copy(client);
            self.zero_general |= 1 << client.instruction.op0_register().full_register().number();
        } else {
            self.computed_rule(client);
        }
    }

    /// Is this the instruction whose rule the engine has just applied?
    pub(crate) fn rule_is_applied(&self) -> bool {
        self.position == 0 && self.job.state.rule_is_applied()
    }

    /// Leaves to the engine, which applies the rule of this instruction.
    pub(crate) fn apply_rule(&mut self, instruction: &Instruction) -> OnActive {
        let site = self.site(instruction.ip(), SiteKind::Instruction(instruction.code() as u16));
        let counter = self.job.first_counter + 8 * site as u64;
        let zero_general = self.zero_general | 1 << Register::RSP.number();
        let state = State::active(zero_general, self.vectors.zero, self.vectors.upper);
        let part = match self.upper_part() {
            Access::Writes { part, .. } => part,
            _ => Part::Upper(0),
        };
        OnActive::Serve(ExitKind::ComputedRule { counter, part }, instruction.ip(), state.with_rule_applied())
    }

    /// The instruction as it is: the shadows of what it writes are in place already.
    pub(crate) fn applied(&mut self, client: &Client) {
        self.copy(client);
        let written: Vec<Register> = self
            .info
            .info(&client.instruction)
            .used_registers()
            .iter()
            .filter(|used| is_write(used.access()))
            .map(|used| used.register())
            .collect();
        for register in written {
            if register.is_gpr() {
                let number = register.full_register().number();
                self.zero_general &= !(1 << number);
                self.forget_mirror(register);
            } else if register.is_vector_register() {
                self.set_active(register.number(), !register.is_xmm());
            }
        }
    }
}
