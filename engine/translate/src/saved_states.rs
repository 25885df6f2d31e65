//! fxsave, xsave and their inverses carry shadows of registers along. For those of x87 registers they have a computed
//! rule.
//!
//! Layout (Intel SDM volume 1, sections 10.5 and 13.4): xmm registers at offset 160, 16 bytes each; the upper halves of
//! ymm registers at 576, in the standard and in the compacted format alike, since AVX is the first extended component.

use crate::checks::OnActive;
use crate::constants;
use crate::context::offset;
use crate::decode::Client;
use crate::emit::{xmm, ymm, Memory, Operand};
use crate::memory;
use crate::passive::active_state;
use crate::rules::{self, Rule};
use crate::translate::Translator;
use iced_x86::{Code, Instruction, Mnemonic, Register};

const XMM: i64 = 160;
const UPPER: i64 = 576;
/// x87 numbers, 16 bytes each.
const X87: i64 = 32;

/// fxsave and fxrstor know no ymm registers.
fn has_upper(instruction: &Instruction) -> bool {
    !matches!(
        instruction.mnemonic(),
        Mnemonic::Fxsave | Mnemonic::Fxsave64 | Mnemonic::Fxrstor | Mnemonic::Fxrstor64
    )
}

/// Offsets of the x87 numbers.
fn numbers() -> impl Iterator<Item = i64> {
    (0..8).map(|number| X87 + 16 * number)
}

/// Offsets of the 16-byte pieces of the x87 unit: control words and numbers.
fn unit() -> impl Iterator<Item = i64> {
    (0..XMM).step_by(16)
}

/// Offsets of the 16-byte pieces that shadows of vector registers are saved to.
fn pieces(instruction: &Instruction) -> impl Iterator<Item = i64> {
    let upper = has_upper(instruction).then_some(UPPER);
    [Some(XMM), upper].into_iter().flatten().flat_map(|start| (0..16).map(move |number| start + 16 * number))
}

/// Does eax tell which components are saved or restored?
pub(crate) fn has_component_mask(instruction: &Instruction) -> bool {
    has_upper(instruction) && matches!(rules::rule(instruction), Rule::SaveState | Rule::RestoreState)
}

impl Translator<'_> {
    /// Runs xsave or xrstor without the components that the client does not know of, as zmm16-31 hold shadows and the
    /// client's buffer has no room for them (glibc's lazy binding asks for them unconditionally). `pext` and `pdep`
    /// cut the mask, since they leave the flags alone.
    pub(crate) fn copy_with_component_mask(&mut self, instruction: &Instruction) {
        let (rax, rcx) = (self.asm.context(offset::SCRATCH), self.asm.context(offset::SCRATCH + 8));
        self.asm.store(rax, Register::RAX);
        self.asm.store(rcx, Register::RCX);
        memory::compute_address(&mut self.asm, instruction, Register::RCX);
        let known = Operand::Memory(self.asm.context(constants::STATE_COMPONENTS));
        for code in [Code::VEX_Pext_r32_r32_rm32, Code::VEX_Pdep_r32_r32_rm32] {
            self.asm.ternary(code, Register::EAX, Register::EAX, known);
        }
        let place = Memory::at(Register::RCX, 0).operand();
        self.asm.built(Instruction::with1(instruction.code(), place));
        self.asm.load(Register::RAX, rax);
        self.asm.load(Register::RCX, rcx);
        match rules::rule(instruction) {
            Rule::SaveState => self.keep_upper_values(instruction),
            _ => self.bring_upper_values_back(instruction),
        }
    }

    /// For passive blocks: what is saved has no active shadow.
    pub(crate) fn zero_saved_vectors(&mut self, instruction: &Instruction) {
        if has_upper(instruction) {
            self.check_kept_shadows(instruction, true);
        }
        let opened = self.open(instruction);
        for piece in pieces(instruction).chain(unit()) {
            self.zero_place(opened.memory.offset_by(piece), 16);
        }
        self.close(opened);
    }

    pub(crate) fn save_state(&mut self, client: &Client) {
        let instruction = &client.instruction;
        self.write_back_all();
        let numbers_are_saved = self.rule_is_applied();
        if !numbers_are_saved {
            let on_active = self.apply_rule(instruction);
            self.check_stack(on_active);
        }
        self.copy(client);
        let opened = self.open(instruction);
        if !numbers_are_saved {
            unit().for_each(|place| self.zero_place(opened.memory.offset_by(place), 16));
        }
        for number in 0..16 {
            let low = opened.memory.offset_by(XMM + 16 * number as i64);
            let high = has_upper(instruction).then(|| opened.memory.offset_by(UPPER + 16 * number as i64));
            if self.vectors.is_zero(number) {
                self.zero_place(low, 16);
                if let Some(high) = high {
                    self.zero_place(high, 16);
                }
            } else if self.vectors.in_registers() {
                let home = xmm(16 + number);
                self.asm.built(Instruction::with2(Code::EVEX_Vmovups_xmmm128_k1z_xmm, low.operand(), home));
                if let Some(high) = high {
                    let code = Code::EVEX_Vextractf64x2_xmmm128_k1z_ymm_imm8;
                    self.asm.built(Instruction::with3(code, high.operand(), ymm(16 + number), 1u32));
                }
            } else {
                let slot = self.vectors.home_slot(&self.asm, number);
                self.copy_words(slot, low);
                if let Some(high) = high {
                    self.copy_words(slot.offset_by(16), high);
                }
            }
        }
        self.close(opened);
        if has_upper(instruction) {
            self.keep_wide_shadows(instruction);
        }
    }

    pub(crate) fn restore_state(&mut self, client: &Client) {
        let instruction = &client.instruction;
        self.write_back_all();
        let applied = self.rule_is_applied();
        let expects_upper =
            self.vectors.upper || self.expects_active_operand() || applied || self.vectors.tracks_zmm();
        let upper = has_upper(instruction) && expects_upper;
        if has_upper(instruction) && !upper {
            // Upper halves are hardly ever active, and code for which they are is slower.
            let on_active = self.expecting_load(instruction);
            for number in 0..16 {
                let opened = self.open(instruction);
                let place = opened.memory.offset_by(UPPER + 16 * number);
                self.check_opened(opened, place, 16, on_active);
            }
        }
        if !applied {
            let on_active = self.apply_rule(instruction);
            self.check_stack(on_active);
            self.check_numbers(instruction, on_active);
        }
        let opened = self.open(instruction);
        for number in 0..16 {
            let low = opened.memory.offset_by(XMM + 16 * number as i64);
            let high = upper.then(|| opened.memory.offset_by(UPPER + 16 * number as i64));
            if self.vectors.is_zero(number) {
                self.vectors.clear_home(&mut self.asm, number);
            }
            if self.vectors.in_registers() {
                let home = ymm(16 + number);
                let insert = Code::EVEX_Vinsertf64x2_ymm_k1z_ymm_xmmm128_imm8;
                self.asm.with_immediate(insert, home, home, Operand::Memory(low), 0);
                if let Some(high) = high {
                    self.asm.with_immediate(insert, home, home, Operand::Memory(high), 1);
                }
            } else {
                let slot = self.vectors.home_slot(&self.asm, number);
                self.copy_words(low, slot);
                if let Some(high) = high {
                    self.copy_words(high, slot.offset_by(16));
                }
            }
            self.set_active(number, upper);
        }
        self.close(opened);
        if has_upper(instruction) {
            self.bring_wide_shadows_back(instruction);
        }
        self.copy(client);
    }

    /// Copies 16 bytes through a spilled register that is not the address.
    fn copy_words(&mut self, from: Memory, to: Memory) {
        let used = [from.base, from.index, to.base, to.index];
        let register = [Register::RAX, Register::RBX, Register::RSI, Register::RDI, Register::R8]
            .into_iter()
            .find(|register| !used.contains(register))
            .unwrap_or(Register::R9);
        let park = self.asm.context(crate::context::offset::SCRATCH);
        self.asm.store(park, register);
        for word in [0, 8] {
            self.asm.load(register, from.offset_by(word));
            self.asm.store(to.offset_by(word), register);
        }
        self.asm.load(register, park);
    }

    /// For passive blocks: a state to be restored may hold active shadows.
    pub(crate) fn check_restored(&mut self, instruction: &Instruction) {
        if has_upper(instruction) {
            self.check_kept_shadows(instruction, false);
        }
        let on_active = OnActive::Leave(instruction.ip(), active_state(false));
        for piece in pieces(instruction) {
            let opened = self.open(instruction);
            self.check_opened(opened, opened.memory.offset_by(piece), 16, on_active);
        }
        self.check_stack(on_active);
        self.check_numbers(instruction, on_active);
    }

    /// Tests the shadows of x87 numbers in a state to be restored.
    fn check_numbers(&mut self, instruction: &Instruction, on_active: OnActive) {
        for place in numbers() {
            let opened = self.open(instruction);
            self.check_opened(opened, opened.memory.offset_by(place), 16, on_active);
        }
    }
}
