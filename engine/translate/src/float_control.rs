//! The floating-point control word MXCSR: the client's, and that of shadow arithmetic.
//!
//! By default shadow arithmetic runs under the client's control word. A passive lane raises no flag then, but an
//! active one may: the derivative of a root at zero divides by zero. And if the client does not round to nearest, the
//! difference of two zeros may be a negative zero, which looks active. So there is a second way, in which each piece
//! of shadow arithmetic loads a control word of its own and puts the client's back, flags and all
//! ([`Translator::own_control`]). The user may ask for it, and a process comes to it by itself when the client
//! unmasks an exception or leaves the default rounding: instructions that load the control word are followed by a
//! look at it ([`Translator::watch_control`]).
//!
//! Flushing of denormal numbers, which many clients of today switch on, is left as it is: without a control word of its
//! own, shadow arithmetic takes denormal dot values for zero where the client takes its values for zero.
//!
//! Invariant: each copy of a client instruction runs under the client's control word.

use crate::constants;
use crate::context::offset;
use crate::emit::Memory;
use crate::interface::ExitKind;
use crate::translate::{OutOfLine, Translator};
use iced_x86::{Code, Instruction, Mnemonic, Register};

impl Translator<'_> {
    /// Shadow arithmetic comes, until [`Self::client_control`].
    pub(crate) fn own_control(&mut self) {
        if !self.job.settings.own_control || self.has_own_control {
            return;
        }
        self.has_own_control = true;
        let clients = self.asm.context(offset::CLIENT_CONTROL);
        self.asm.built(Instruction::with1(Code::Stmxcsr_m32, clients.operand()));
        // From here on a fault finds the client's control word in the context.
        let flag = self.asm.context(offset::HAS_OWN_CONTROL);
        self.asm.built(Instruction::with2(Code::Mov_rm64_imm32, flag.operand(), 1));
        let own = self.asm.context(constants::CONTROL);
        self.asm.built(Instruction::with1(Code::Ldmxcsr_m32, own.operand()));
    }

    /// The client's control word is back.
    pub(crate) fn client_control(&mut self) {
        if !self.has_own_control {
            return;
        }
        self.has_own_control = false;
        let clients = self.asm.context(offset::CLIENT_CONTROL);
        self.asm.built(Instruction::with1(Code::Ldmxcsr_m32, clients.operand()));
        let flag = self.asm.context(offset::HAS_OWN_CONTROL);
        self.asm.store_zero(flag, 8);
    }

    /// Behind an instruction that has loaded the control word: leaves if it is not one under which shadow arithmetic
    /// can run.
    pub(crate) fn watch_control(&mut self, instruction: &Instruction) {
        if self.job.settings.own_control || !loads_control(instruction) {
            return;
        }
        let loaded = self.asm.context(offset::CLIENT_CONTROL);
        self.asm.built(Instruction::with1(Code::Stmxcsr_m32, loaded.operand()));
        self.spill_rcx();
        self.asm.built(Instruction::with2(Code::Movzx_r32_rm16, Register::ECX, loaded.operand()));
        // Bits 7 to 14 become bits 8 to 15, and then a byte, without a change of flags.
        let twice = Memory { index: Register::RCX, ..Memory::at(Register::RCX, 0) };
        self.asm.address_of(Register::RCX, twice);
        self.asm.built(Instruction::with2(Code::Movzx_r32_rm8, Register::ECX, Register::CH));
        let table = self.asm.context(constants::UNUSUAL_CONTROL);
        let entry = Memory { base: Register::RCX, ..table };
        self.asm.built(Instruction::with2(Code::Movzx_r32_rm8, Register::ECX, entry.operand()));
        let usual = self.asm.short_jump(Code::Jrcxz_rel8_64);
        let jump = self.asm.jump(Code::Jmp_rel32_64);
        self.asm.land(usual);
        let state = self.state();
        let pending = self.pending();
        let exit = self.exit(ExitKind::NeedsOwnControl, instruction.next_ip(), state);
        self.out_of_line.push(OutOfLine::Leave { jump, exit, rcx_spilled: true, pending });
        self.restore_rcx();
    }
}

/// Does it load the control word?
fn loads_control(instruction: &Instruction) -> bool {
    use Mnemonic::*;
    matches!(instruction.mnemonic(), Ldmxcsr | Vldmxcsr | Fxrstor | Fxrstor64 | Xrstor | Xrstor64)
}
