//! Logical instructions in EVEX encoding, by the meaning that [`crate::logic`] gives them: lanes of 32 bits are
//! judged by the other operand, all lanes at once with masks. Lanes that the client's mask leaves out have no shadow
//! here.

use crate::checks::OnActive;
use crate::constants;
use crate::decode::Client;
use crate::emit::Operand;
use crate::encodings::Masking;
use crate::rules::{Lanes, Logic};
use crate::translate::Translator;
use crate::wide_operations::{WideOperation, WideShape, WideSource};
use iced_x86::{Code, Instruction, Mnemonic, Register};

/// Bytes of a lane of the client's mask.
pub(crate) fn lane_bytes(instruction: &Instruction) -> usize {
    use Mnemonic::*;
    let narrow = [Vandps, Vandnps, Vorps, Vxorps, Vpandd, Vpandnd, Vpord, Vpxord, Vpternlogd];
    if narrow.contains(&instruction.mnemonic()) {
        4
    } else {
        8
    }
}

impl Translator<'_> {
    pub(crate) fn differentiate_wide_logic(&mut self, client: &Client, logic: Logic) {
        let instruction = &client.instruction;
        let shape = WideShape::new(instruction, lane_bytes(instruction), Lanes::Packed);
        let [one, other] = [1, 2].map(|operand| self.wide_source(instruction, operand, shape));
        let same = one.number.is_some() && one.number == other.number;
        if same && matches!(logic, Logic::And | Logic::Or) {
            self.copy(client);
            let shadow = match one.shadow {
                Some(shadow) => shadow,
                None => self.cleared(),
            };
            self.finish_wide(instruction, shape, shadow);
            return;
        }
        if same || one.shadow.is_none() && other.shadow.is_none() {
            self.passive_lanes(client, shape);
            return;
        }
        if self.job.settings.mode.has_indices() {
            self.computed_rule(client);
            return;
        }
        // What the masks below do not resolve is left to the values.
        let on_active = self.apply_rule(instruction);
        let first = one.shadow.and_then(|shadow| {
            if logic == Logic::AndNot {
                self.leave_unless_cleared(shape, shadow, other.value, on_active);
                return None;
            }
            Some(self.judge_wide(logic, shape, shadow, one, other, on_active))
        });
        let second = other.shadow.map(|shadow| self.judge_wide(logic, shape, shadow, other, one, on_active));
        let result = match (first, second) {
            (Some(first), Some(second)) => {
                let lanes = shape.register(first);
                self.asm.ternary(shape.or_code(), lanes, lanes, Operand::Register(shape.register(second)));
                first
            }
            (Some(result), None) | (None, Some(result)) => result,
            (None, None) => self.cleared(),
        };
        self.copy(client);
        self.finish_wide(instruction, shape, result);
    }

    /// A temporary with what an operand contributes to the shadow of the result.
    fn judge_wide(
        &mut self,
        logic: Logic,
        shape: WideShape,
        shadow: usize,
        side: WideSource,
        other: WideSource,
        on_active: OnActive,
    ) -> usize {
        let lanes = shape.in_halves();
        let active = self.masked_shadow(shape, shadow);
        let doubled = self.vectors.low_temporary(&mut self.asm);
        let shift = lanes.shift_code();
        self.asm.built(Instruction::with3(shift, lanes.register(doubled), other.value, 1u32));
        let [kept, dropped, bad] = [0, 1, 2].map(|_| self.vectors.mask_temporary(&mut self.asm));
        let register = lanes.register(doubled);
        let all_bits = Operand::Memory(self.asm.context(constants::ALL_BUT_LOWEST));
        let (all, none) = match logic {
            Logic::And => (kept, dropped),
            Logic::AndNot | Logic::Or | Logic::Xor => (dropped, kept),
        };
        self.asm.ternary(lanes.equal_code(), all, register, all_bits);
        self.asm.ternary(lanes.test_not_code(), none, register, Operand::Register(register));
        let lanes_of = lanes.register(active);
        self.asm.ternary(lanes.code(WideOperation::Test), bad, lanes_of, Operand::Register(lanes_of));
        let mask_operation = |code, target, first, second| Instruction::with3(code, target, first, second);
        if logic == Logic::And {
            // A binary64 whose upper half alone is kept loses bits of its mantissa.
            self.cut_mantissas(shape, kept, dropped, bad);
        } else {
            self.asm.built(mask_operation(Code::VEX_Kandw_kr_kr_kr, kept, kept, bad));
            self.asm.built(mask_operation(Code::VEX_Kandnw_kr_kr_kr, bad, kept, bad));
            if logic == Logic::AndNot {
                self.asm.built(mask_operation(Code::VEX_Kandnw_kr_kr_kr, bad, dropped, bad));
            }
        }
        self.count_any(bad, on_active);
        // Bits of the truth table: 4 mask, 2 value, 1 sign bit. Set where the sign of the result differs.
        let table: u32 = match logic {
            Logic::And => 0x08,
            Logic::AndNot => 0x80,
            Logic::Or => 0x20,
            Logic::Xor => 0xa0,
        };
        self.move_wide(lanes, doubled, other.value);
        let sign = Operand::Memory(self.asm.context(constants::SIGN32));
        self.asm.with_immediate(lanes.ternary_code(), register, side.value, sign, table);
        let code = lanes.code(WideOperation::Xor);
        self.asm.masked(code, register, register, Operand::Register(lanes_of), Masking::Zero(kept));
        for mask in [kept, dropped, bad] {
            self.vectors.free_mask(mask);
        }
        if active != shadow {
            self.vectors.free(active);
        }
        doubled
    }

    /// `bad`, the active lanes, becomes those that are neither kept nor dropped, and lower halves of lanes of 64 bits
    /// that are not kept, active or not, while the upper half is kept and active. `kept` becomes the active ones
    /// among them.
    fn cut_mantissas(&mut self, shape: WideShape, kept: Register, dropped: Register, bad: Register) {
        let lanes = shape.in_halves();
        let halves = self.vectors.mask_temporary(&mut self.asm);
        let built = |code, target, first, second| Instruction::with3(code, target, first, second);
        self.asm.built(built(Code::VEX_Kandw_kr_kr_kr, halves, kept, bad));
        self.asm.built(Instruction::with3(Code::VEX_Kshiftrw_kr_kr_imm8, halves, halves, 1u32));
        self.asm.built(built(Code::VEX_Kandnw_kr_kr_kr, halves, kept, halves));
        self.asm.built(built(Code::VEX_Kandw_kr_kr_kr, kept, kept, bad));
        self.asm.built(built(Code::VEX_Kandnw_kr_kr_kr, bad, kept, bad));
        self.asm.built(built(Code::VEX_Kandnw_kr_kr_kr, bad, dropped, bad));
        // The constant is not zero in lower halves.
        let lower = Operand::Memory(self.asm.context(constants::SIGN_EVEN_F32));
        let scratch = self.vectors.low_temporary(&mut self.asm);
        let register = lanes.register(scratch);
        self.asm.binary(lanes.code(WideOperation::Move), register, lower);
        let test = lanes.code(WideOperation::Test);
        self.asm.masked(test, halves, register, Operand::Register(register), Masking::Merge(halves));
        self.vectors.free(scratch);
        if shape.bytes == 4 && shape.mask != Register::None {
            self.asm.built(built(Code::VEX_Kandw_kr_kr_kr, halves, halves, shape.mask));
        }
        self.asm.built(built(Code::VEX_Korw_kr_kr_kr, bad, bad, halves));
        self.vectors.free_mask(halves);
    }

    /// The shadow without the lanes that the client's mask leaves out.
    pub(crate) fn masked_shadow(&mut self, shape: WideShape, shadow: usize) -> usize {
        if shape.mask == Register::None {
            return shadow;
        }
        let active = self.vectors.low_temporary(&mut self.asm);
        let source = Operand::Register(shape.register(shadow));
        self.asm.masked_binary(shape.move_code(), shape.register(active), source, Masking::Zero(shape.mask));
        active
    }

    /// Leaves where there are active lanes of an inverted value that the other operand does not clear.
    fn leave_unless_cleared(
        &mut self,
        shape: WideShape,
        shadow: usize,
        other: Register,
        on_active: OnActive,
    ) {
        let lanes = shape.in_halves();
        let active = self.masked_shadow(shape, shadow);
        let bad = self.vectors.mask_temporary(&mut self.asm);
        let test = lanes.code(WideOperation::Test);
        let register = lanes.register(active);
        self.asm.ternary(test, bad, register, Operand::Register(register));
        self.asm.masked(test, bad, other, Operand::Register(other), Masking::Merge(bad));
        self.count_any(bad, on_active);
        self.vectors.free_mask(bad);
        if active != shadow {
            self.vectors.free(active);
        }
    }

    /// Leaves if the mask, of at most 16 lanes, is not empty.
    fn count_any(&mut self, mask: Register, on_active: OnActive) {
        if self.flags_dead {
            self.asm.built(Instruction::with2(Code::VEX_Kortestw_kr_kr, mask, mask));
            let jump = self.asm.jump(Code::Jne_rel32_64);
            self.when_active(jump, false, on_active);
        } else {
            self.spill_rcx();
            self.asm.built(Instruction::with2(Code::VEX_Kmovw_r32_kr, Register::ECX, mask));
            self.leave_unless_rcx_is_zero(on_active);
            self.restore_rcx();
        }
    }
}
