//! Two binary32 numbers in one general register.
//!
//! Compilers put structures of two halves together with `or`, and take them apart with shifts by 32 and masks (System
//! V ABI, section 3.2.3: such a structure is passed in one register). These three instructions move halves of shadows
//! as they move halves of values. Unoptimised code of clang negates a number in a general register, by `xor` of the
//! sign of one or both halves. Any other use of them on active data is left to [`crate::computed`].

use crate::checks::OnActive;
use crate::context::offset;
use crate::decode::Client;
use crate::emit::{Jump, Memory};
use crate::encodings::{Shape, Width};
use crate::recording::{signs, Function, Operand, TAG};
use crate::rules::Element;
use crate::translate::Translator;
use alloc::vec::Vec;
use iced_x86::{Code, Instruction, Mnemonic, OpKind, Register};

/// Bits of a half.
const HALF: u32 = 32;
/// The sign bit of a half.
const SIGN: u32 = 0x8000_0000;

/// A negation in the structure of the block.
#[derive(Clone, Copy)]
struct Negation {
    /// Of the upper half of a register?
    upper: bool,
    element: Element,
    /// Where the index of the operand is stored.
    operand: Memory,
    result: u32,
}

impl Translator<'_> {
    /// `shl`, `shr` and `sar` by 32: a half of the shadow moves, the other is zero.
    pub(crate) fn shift_halves(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let register = instruction.op0_register();
        let by_half = instruction.op0_kind() == OpKind::Register
            && register.is_gpr64()
            && instruction.op1_kind() == OpKind::Immediate8
            && u32::from(instruction.immediate8()) == HALF;
        if !by_half || self.general_is_zero(register) {
            self.bits(client);
            return;
        }
        let low = self.slot(register);
        let high = low.offset_by(4);
        self.leave_binary64(instruction, &[register]);
        let (from, to) = if instruction.mnemonic() == Mnemonic::Shl { (low, high) } else { (high, low) };
        self.copy_shadow(instruction, to, from, 4);
        self.asm.store_zero(from, 4);
        self.forget_mirror(register);
        self.copy(client);
    }

    /// `or` of two registers: each half of the result comes from the operand whose half is not zero.
    pub(crate) fn unite_halves(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let (target, source) = (instruction.op0_register(), instruction.op1_register());
        let passive = !combines_two_registers(instruction)
            || self.general_is_zero(target) && self.general_is_zero(source);
        if passive {
            self.bits(client);
            return;
        }
        self.make_slot_valid(target);
        self.make_slot_valid(source);
        self.leave_binary64(instruction, &[target, source]);
        self.forget_mirror(target);
        let (scratch, parked) = self.park_scratch(instruction);
        let low = self.jump_if_both_halves(scratch, [target, source], 0);
        let high = self.jump_if_both_halves(scratch, [target, source], HALF);
        self.asm.load(scratch, self.slot(source));
        let united = self.slot(target);
        self.asm.built(Instruction::with2(Code::Or_rm64_r64, united.operand(), scratch));
        self.asm.load(scratch, parked);
        let done = self.asm.jump(Code::Jmp_rel32_64);
        // Both have bits in the same half: this is something else.
        self.asm.land(low);
        self.asm.land(high);
        self.asm.load(scratch, parked);
        let on_active = self.apply_rule(instruction);
        for register in [target, source] {
            self.check_place(self.slot(register), 8, on_active);
        }
        self.asm.store_zero(self.slot(target), 8);
        self.asm.land(done);
        // The instruction sets all flags that were changed here.
        self.copy(client);
    }

    /// While indices are followed: where a register holds the index of a binary64, the engine finds out what becomes
    /// of its halves. The instruction sets all flags.
    fn leave_binary64(&mut self, instruction: &Instruction, registers: &[Register]) {
        if !self.job.settings.mode.has_indices() {
            return;
        }
        let on_active = self.apply_rule(instruction);
        for register in registers {
            let slot = self.slot(*register).operand();
            self.asm.built(Instruction::with2(Code::Cmp_rm32_imm8, slot, 0));
            let untagged = self.asm.jump(Code::Jg_rel32_64);
            self.when_active(untagged, false, on_active);
        }
    }

    /// Jumps if a half of both registers has bits.
    fn jump_if_both_halves(&mut self, scratch: Register, registers: [Register; 2], first_bit: u32) -> Jump {
        let [one, other] = registers;
        self.load_half(scratch, one, first_bit);
        let empty = self.asm.jump(Code::Je_rel32_64);
        self.load_half(scratch, other, first_bit);
        let both = self.asm.jump(Code::Jne_rel32_64);
        self.asm.land(empty);
        both
    }

    /// scratch := a half of a register; the zero flag tells whether it is zero.
    fn load_half(&mut self, scratch: Register, register: Register, first_bit: u32) {
        let half = scratch.full_register32();
        if first_bit == 0 {
            self.asm.built(Instruction::with2(Code::Mov_r32_rm32, half, register.full_register32()));
        } else {
            self.asm.built(Instruction::with2(Code::Mov_r64_rm64, scratch, register));
            self.asm.built(Instruction::with2(Code::Shr_rm64_imm8, scratch, first_bit));
        }
        self.asm.built(Instruction::with2(Code::Test_rm32_r32, half, half));
    }

    /// `and` of an active and a passive register: halves of the passive one that are all ones keep the shadow.
    pub(crate) fn mask_halves(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let (target, source) = (instruction.op0_register(), instruction.op1_register());
        let one_is_active = combines_two_registers(instruction)
            && self.general_is_zero(target) != self.general_is_zero(source);
        if !one_is_active {
            self.bits(client);
            return;
        }
        let on_active = self.apply_rule(instruction);
        let mask = if self.general_is_zero(target) { target } else { source };
        let number = if mask == target { source } else { target };
        let (scratch, parked) = self.park_scratch(instruction);
        let others = self.jump_unless_halves(scratch, mask, u32::MAX);
        if mask == target {
            self.asm.load(scratch, self.slot(source));
            self.asm.store(self.slot(target), scratch);
        }
        let slot = self.slot(target);
        for (first_bit, place) in [(0, slot), (HALF, slot.offset_by(4))] {
            self.load_half(scratch, mask, first_bit);
            let kept = self.asm.jump(Code::Jne_rel32_64);
            self.asm.store_zero(place, 4);
            self.asm.land(kept);
        }
        self.leave_others(scratch, parked, others, number, target, on_active);
        self.forget_mirror(target);
        self.make_slot_known(target);
        // The instruction sets all flags that were changed here.
        self.copy(client);
    }

    /// Jumps that are taken if a half of a register is neither zero nor `word`.
    fn jump_unless_halves(&mut self, scratch: Register, register: Register, word: u32) -> [Jump; 2] {
        [0, HALF].map(|first_bit| {
            self.load_half(scratch, register, first_bit);
            let empty = self.asm.jump(Code::Je_rel32_64);
            let half = scratch.full_register32();
            self.asm.built(Instruction::with2(Code::Cmp_rm32_imm32, half, word));
            let other = self.asm.jump(Code::Jne_rel32_64);
            self.asm.land(empty);
            other
        })
    }

    /// The scratch register comes back. Where the jumps lead, the engine finds out what an active number becomes.
    fn leave_others(
        &mut self,
        scratch: Register,
        parked: Memory,
        others: [Jump; 2],
        number: Register,
        target: Register,
        on_active: OnActive,
    ) {
        self.asm.load(scratch, parked);
        let done = self.asm.jump(Code::Jmp_rel32_64);
        others.into_iter().for_each(|jump| self.asm.land(jump));
        self.asm.load(scratch, parked);
        self.check_place(self.slot(number), 8, on_active);
        self.asm.store_zero(self.slot(target), 8);
        self.asm.land(done);
    }

    /// `xor` of an active register with the sign bit of a half or of both.
    pub(crate) fn flip_signs(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let settings = self.job.settings;
        // An operand may be of a younger segment of the tape, which the engine sees to when it records.
        let needs_order = self.records() && settings.has_threads;
        if settings.mode.has_wide_indices() || needs_order {
            self.bits(client);
            return;
        }
        let (target, source) = (instruction.op0_register(), instruction.op1_register());
        let by_constant = instruction.op0_kind() == OpKind::Register
            && target.is_gpr32()
            && instruction.op1_kind() == OpKind::Immediate32
            && instruction.immediate32() == SIGN
            && !self.general_is_zero(target);
        if by_constant {
            self.leave_binary64(instruction, &[target]);
            let negations = self.negations(&[0]);
            let (scratch, parked) = self.park_scratch(instruction);
            self.flip_sign(scratch, self.slot(target), 0, &negations);
            self.asm.store_zero(self.slot(target).offset_by(4), 4);
            self.forget_mirror(target);
            self.asm.load(scratch, parked);
            self.copy(client);
            return;
        }
        let one_is_active = combines_two_registers(instruction)
            && self.general_is_zero(target) != self.general_is_zero(source);
        if !one_is_active {
            self.bits(client);
            return;
        }
        let on_active = self.apply_rule(instruction);
        let mask = if self.general_is_zero(target) { target } else { source };
        let number = if mask == target { source } else { target };
        let negations = self.negations(&[0, HALF]);
        let (scratch, parked) = self.park_scratch(instruction);
        let others = self.jump_unless_halves(scratch, mask, SIGN);
        if mask == target {
            self.asm.load(scratch, self.slot(source));
            self.asm.store(self.slot(target), scratch);
        }
        let slot = self.slot(target);
        for first_bit in [0, HALF] {
            self.load_half(scratch, mask, first_bit);
            let kept = self.asm.jump(Code::Je_rel32_64);
            self.flip_sign(scratch, slot, first_bit, &negations);
            self.asm.land(kept);
        }
        self.leave_others(scratch, parked, others, number, target, on_active);
        self.forget_mirror(target);
        self.make_slot_known(target);
        // The instruction sets all flags that were changed here.
        self.copy(client);
    }

    /// Negates half of a shadow, if it is not zero: a negative zero would look active.
    fn flip_sign(&mut self, scratch: Register, slot: Memory, first_bit: u32, negations: &[Negation]) {
        let upper = first_bit == HALF;
        let place = if upper { slot.offset_by(4) } else { slot };
        if self.job.settings.mode.has_indices() {
            let of = |element| {
                negations.iter().find(|known| known.upper == upper && known.element == element).copied()
            };
            self.negate_indices(scratch, slot, place, upper, of);
            return;
        }
        let half = scratch.full_register32();
        self.asm.built(Instruction::with2(Code::Mov_r32_rm32, half, place.operand()));
        self.asm.built(Instruction::with2(Code::Test_rm32_r32, half, half));
        let zero = self.asm.jump(Code::Je_rel32_64);
        self.asm.built(Instruction::with2(Code::Xor_rm32_imm32, place.operand(), SIGN));
        self.asm.land(zero);
    }

    /// The same for indices: the upper half is the sign of a binary64, or that of a binary32, whose index has a tag.
    fn negate_indices(
        &mut self,
        scratch: Register,
        slot: Memory,
        place: Memory,
        upper: bool,
        of: impl Fn(Element) -> Option<Negation>,
    ) {
        let half = scratch.full_register32();
        self.asm.built(Instruction::with2(Code::Mov_r32_rm32, half, place.operand()));
        self.asm.built(Instruction::with2(Code::Test_rm32_r32, half, half));
        let tagged = self.asm.jump(Code::Js_rel32_64);
        let mut done = Vec::new();
        if upper {
            self.asm.built(Instruction::with2(Code::Mov_r32_rm32, half, slot.operand()));
            self.asm.built(Instruction::with2(Code::Test_rm32_r32, half, half));
            done.push(self.asm.jump(Code::Jle_rel32_64));
            self.negate_index(half, slot, of(Element::F64), 0);
        }
        done.push(self.asm.jump(Code::Jmp_rel32_64));
        self.asm.land(tagged);
        self.negate_index(half, place, of(Element::F32), TAG);
        done.into_iter().for_each(|jump| self.asm.land(jump));
    }

    /// Adds negations of these halves to the structure, whose operands are passive unless [`Self::negate_index`] stores
    /// others. This code must run on all paths; none is needed where nothing is recorded.
    fn negations(&mut self, first_bits: &[u32]) -> Vec<Negation> {
        let mut negations = Vec::new();
        if !self.records() {
            return negations;
        }
        for first_bit in first_bits {
            let upper = *first_bit == HALF;
            let elements: &[Element] = if upper { &[Element::F32, Element::F64] } else { &[Element::F32] };
            for element in elements.iter().copied() {
                let shape = Shape { element, width: Width::Scalar };
                let (operand, place) = self.passive_operand();
                let operands = [operand, Operand::Absent];
                let result = self.record(Function::Sum, shape, signs::NEGATE_FIRST, operands, [None; 2]);
                negations.push(Negation { upper, element, operand: place, result });
            }
        }
        negations
    }

    /// The index in `half` is the operand; the result's index goes to `place`. The result is passive without a
    /// negation.
    fn negate_index(&mut self, half: Register, place: Memory, negation: Option<Negation>, tag: u32) {
        let Some(Negation { operand, result, .. }) = negation else {
            self.asm.store_zero(place, 4);
            return;
        };
        let next = self.next_index().operand();
        self.asm.built(Instruction::with2(Code::Mov_rm32_r32, operand.operand(), half));
        self.asm.built(Instruction::with2(Code::Mov_r32_rm32, half, next));
        let sum = Memory::at(half.full_register(), i64::from((result | tag) as i32)).operand();
        self.asm.built(Instruction::with2(Code::Lea_r32_m, half, sum));
        self.asm.built(Instruction::with2(Code::Mov_rm32_r32, place.operand(), half));
    }

    /// A register that the instruction does not use, and the place where its client value is.
    fn park_scratch(&mut self, instruction: &Instruction) -> (Register, Memory) {
        let scratch = self.unused_register(instruction);
        let parked = self.asm.context(offset::SCRATCH + 8);
        self.asm.store(parked, scratch);
        (scratch, parked)
    }
}

fn combines_two_registers(instruction: &Instruction) -> bool {
    let (target, source) = (instruction.op0_register(), instruction.op1_register());
    instruction.op0_kind() == OpKind::Register
        && instruction.op1_kind() == OpKind::Register
        && target.is_gpr64()
        && source.is_gpr64()
        && target != source
}
