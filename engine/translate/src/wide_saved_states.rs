//! xsave and its inverses in clients that use AVX-512: what lies above 256 bits, and registers 16 to 31.
//!
//! Where these components are in the client's area depends on the components that are asked for, and the area may
//! have no room for them: a C library that was told that there is no AVX-512 has made it too small, while the program
//! passes arguments in zmm registers all the same. So their shadows, and in that case also the values that would get
//! lost, are kept in the context, for the area that was saved last. This is what lazy binding of functions needs: the
//! dynamic linker saves the arguments of a call, looks up the function, and restores them from the same area.

use crate::checks::OnActive;
use crate::constants;
use crate::context::offset;
use crate::emit::{ymm, zmm, Memory, Operand};
use crate::encodings::Masking;
use crate::interface::VectorShadows;
use crate::memory;
use crate::passive::active_state;
use crate::translate::Translator;
use iced_x86::{Code, Instruction, Register};

/// The mask of the upper four 64-bit lanes.
const UPPER_LANES: u32 = 0xf0;

impl Translator<'_> {
    /// May the client use registers 16 to 31, or more than 256 bits of the others?
    fn has_wide_client(&self) -> bool {
        let settings = self.job.settings;
        let in_memory = settings.vector_shadows == VectorShadows::Memory;
        in_memory && (settings.notices_zmm || self.vectors.tracks_zmm())
    }

    /// Keeps the shadows for the area of this instruction.
    pub(crate) fn keep_wide_shadows(&mut self, instruction: &Instruction) {
        if !self.has_wide_client() {
            return;
        }
        let spilled = self.lend_zmm0();
        for number in 0..32 {
            let (slot, kept) = (self.vectors.home_slot(&self.asm, number), self.kept_shadow(number));
            if self.vectors.is_zero(number) {
                let clear = Code::EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32;
                self.asm.built(Instruction::with3(clear, zmm(0), zmm(0), zmm(0)));
            } else {
                self.load_zmm0(slot);
            }
            self.store_zmm0(kept);
        }
        self.load_zmm0(spilled);
        let tag = self.asm.context(offset::SHADOWS_KEPT_FOR);
        self.tag_area(instruction, tag);
    }

    /// For passive blocks: there is nothing to be kept, and if there is, the block is left.
    pub(crate) fn check_kept_shadows(&mut self, instruction: &Instruction, saves: bool) {
        if !self.has_wide_client() {
            return;
        }
        let on_active = OnActive::Leave(instruction.ip(), active_state(false));
        let tag = self.asm.context(offset::SHADOWS_KEPT_FOR);
        if saves {
            let active = self.asm.context(offset::WIDE_ACTIVE);
            self.check_place(active, 8, on_active);
            self.asm.store_zero(tag, 8);
        } else {
            self.check_place(tag, 8, on_active);
        }
    }

    /// Brings kept shadows back, if they are those of the area of this instruction.
    pub(crate) fn bring_wide_shadows_back(&mut self, instruction: &Instruction) {
        if !self.has_wide_client() {
            return;
        }
        let tag = self.asm.context(offset::SHADOWS_KEPT_FOR);
        let hidden = self.job.settings.hides_avx512;
        self.if_kept_for_area(instruction, tag, |translator| {
            let spilled = translator.lend_zmm0();
            for number in 0..16 {
                let kept = translator.kept_shadow(number).offset_by(32);
                let upper = translator.vectors.home_slot(&translator.asm, number).offset_by(32);
                let (load, store) = (Code::EVEX_Vmovups_ymm_k1z_ymmm256, Code::EVEX_Vmovups_ymmm256_k1z_ymm);
                translator.asm.built(Instruction::with2(load, ymm(0), kept.operand()));
                translator.asm.built(Instruction::with2(store, upper.operand(), ymm(0)));
            }
            // What the client does not know of it does not restore.
            for number in (16..32).filter(|_| !hidden) {
                let (slot, kept) =
                    (translator.vectors.home_slot(&translator.asm, number), translator.kept_shadow(number));
                translator.load_zmm0(kept);
                translator.store_zmm0(slot);
            }
            translator.load_zmm0(spilled);
            let active = translator.asm.context(offset::WIDE_ACTIVE);
            translator.asm.store_immediate(active, 1);
            translator.asm.store_zero(tag, 8);
        });
    }

    /// Keeps the values of zmm0 to zmm15, for which the client's area has no room.
    pub(crate) fn keep_upper_values(&mut self, instruction: &Instruction) {
        if !self.vectors.tracks_zmm() {
            return;
        }
        for number in 0..16 {
            let kept = self.kept_value(number).operand();
            self.asm.built(Instruction::with2(Code::EVEX_Vmovups_zmmm512_k1z_zmm, kept, zmm(number)));
        }
        let tag = self.asm.context(offset::VALUES_KEPT_FOR);
        self.tag_area(instruction, tag);
    }

    pub(crate) fn bring_upper_values_back(&mut self, instruction: &Instruction) {
        if !self.vectors.tracks_zmm() {
            return;
        }
        let tag = self.asm.context(offset::VALUES_KEPT_FOR);
        self.if_kept_for_area(instruction, tag, |translator| {
            let parked = translator.asm.context(offset::PARKED_MASKS).operand();
            let mask = Register::K1;
            translator.asm.built(Instruction::with2(Code::VEX_Kmovq_m64_kr, parked, mask));
            let upper = translator.asm.context(constants::BYTES + UPPER_LANES).operand();
            translator.asm.built(Instruction::with2(Code::VEX_Kmovb_kr_km8, mask, upper));
            for number in 0..16 {
                let kept = Operand::Memory(translator.kept_value(number));
                let load = Code::EVEX_Vmovupd_zmm_k1z_zmmm512;
                translator.asm.masked_binary(load, zmm(number), kept, Masking::Merge(mask));
            }
            translator.asm.built(Instruction::with2(Code::VEX_Kmovq_kr_km64, mask, parked));
        });
    }

    fn kept_value(&self, number: usize) -> Memory {
        self.asm.context(offset::KEPT_VALUES + 64 * number as u32)
    }

    fn kept_shadow(&self, number: usize) -> Memory {
        self.asm.context(offset::KEPT_SHADOWS + 64 * number as u32)
    }

    /// Saves zmm0; returns the place.
    fn lend_zmm0(&mut self) -> Memory {
        let place = self.asm.context(offset::VECTOR_SPILLS);
        self.store_zmm0(place);
        place
    }

    fn load_zmm0(&mut self, place: Memory) {
        let load = Instruction::with2(Code::EVEX_Vmovups_zmm_k1z_zmmm512, zmm(0), place.operand());
        self.asm.built(load);
    }

    fn store_zmm0(&mut self, place: Memory) {
        let store = Instruction::with2(Code::EVEX_Vmovups_zmmm512_k1z_zmm, place.operand(), zmm(0));
        self.asm.built(store);
    }

    /// Stores the inverted address of the area: `not` leaves the flags alone.
    fn tag_area(&mut self, instruction: &Instruction, tag: Memory) {
        self.spill_rcx();
        memory::compute_address(&mut self.asm, instruction, Register::RCX);
        self.asm.built(Instruction::with1(Code::Not_rm64, Register::RCX));
        self.asm.store(tag, Register::RCX);
        self.restore_rcx();
    }

    /// Runs `body` if the tag is that of the area.
    fn if_kept_for_area(&mut self, instruction: &Instruction, tag: Memory, body: impl FnOnce(&mut Self)) {
        let parked = self.asm.context(offset::SCRATCH);
        self.spill_rcx();
        memory::compute_address(&mut self.asm, instruction, Register::RCX);
        self.asm.store(parked, Register::RAX);
        self.asm.load(Register::RAX, tag);
        // Zero for the sum of an address, its inversion, and one.
        let sum = Memory { index: Register::RAX, ..Memory::at(Register::RCX, 1) };
        self.asm.address_of(Register::RCX, sum);
        self.asm.load(Register::RAX, parked);
        let same = self.asm.short_jump(Code::Jrcxz_rel8_64);
        self.restore_rcx();
        let other = self.asm.jump(Code::Jmp_rel32_64);
        self.asm.land(same);
        self.restore_rcx();
        body(self);
        self.asm.land(other);
    }
}
