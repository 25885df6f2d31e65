//! Where the shadows of vector registers are, at every point of a block.
//!
//! Each shadow has a home: zmm16+n for register n where the host has AVX-512 to spare, else a slot in the context. Code
//! that computes with homes directly is the fast path. All other code works on *low* registers: xmm0-15 that the
//! current instruction (or, with homes in memory, the whole block) does not use. Their client values are parked in the
//! context, and the shadows cached in them are written back before the block is left or, with homes in registers,
//! before the next instruction.
//!
//! A home is stale where the shadow is known to be zero.
//!
//! A client that uses AVX-512 has shadows of 512 bits, also of registers 16 to 31, and lends mask registers, too.

use crate::context::offset;
use crate::emit::{xmm, ymm, zmm, Assembler, Memory};
use crate::interface::{HeldShadow, HostVectors, Settings, VectorShadows};
use crate::masks::Masks;
use crate::rules::Element;
use crate::state::State;
use alloc::vec::Vec;
use iced_x86::{Code, Instruction, OpKind, Register};

/// Cached shadows that must go home, and client registers that must come back, on the way out of a block.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Client register whose shadow a low register holds, and whether it differs from the home.
    cached: [Option<(u8, bool)>; 16],
    borrowed: u16,
    /// Homes in registers that serve as temporaries.
    parked_homes: u16,
    /// Mask registers of the client that are lent.
    borrowed_masks: u8,
}

pub(crate) struct Vectors {
    /// Bit n: the shadow of register n is zero.
    pub zero: u16,
    /// Bits 128 and up of a shadow may be non-zero.
    pub upper: bool,
    pub homes: VectorShadows,
    host: HostVectors,
    /// Low registers are handled with legacy encodings, which leave bits 128 and up alone: so a client that uses no
    /// AVX stays free of the penalty for mixing both. For blocks without VEX instructions, and hosts without AVX.
    pub legacy: bool,
    /// Shadows whose home was stale at the start of the block: its bits 128 and up may be anything.
    fresh: u16,
    /// Low registers that may be borrowed.
    pool: u16,
    cached: [Option<(u8, bool)>; 16],
    borrowed: u16,
    /// Low registers (or, in the fast path, homes) that the current instruction still needs.
    in_use: u16,
    /// Homes in registers only: what mask registers hold.
    pub masks: Masks,
    /// Homes in registers only: registers of the current instruction, whose homes are no temporaries.
    pub own: u16,
    /// Homes in registers only: shadow registers that serve as temporaries and have to be reloaded.
    parked_homes: u16,
    /// Mask registers that may be borrowed, those that are, and those that the current instruction uses.
    mask_pool: u8,
    borrowed_masks: u8,
    masks_in_use: u8,
    /// Bit n: the shadow of register n is zero from bit 64, or 32, to bit 127.
    lone_f64: u16,
    lone_f32: u16,
    /// Does this block say already that registers 16 to 31 may be active?
    pub wide_marked: bool,
}

/// Most vector registers that a block may use when shadows live in memory: the rest are borrowed.
pub(crate) const MOST_USED: u32 = 9;

/// Most mask registers that a block may use; k0 masks nothing, so that it is never borrowed.
pub(crate) const MOST_MASKS_USED: u32 = 3;

impl Vectors {
    pub fn new(settings: &Settings, state: State) -> Vectors {
        Vectors {
            zero: state.zero_vector(),
            upper: state.upper(),
            homes: settings.vector_shadows,
            host: settings.host_vectors,
            legacy: settings.host_vectors == HostVectors::Sse2,
            fresh: state.zero_vector(),
            pool: 0,
            cached: [None; 16],
            borrowed: 0,
            in_use: 0,
            masks: Masks::new(),
            own: 0,
            parked_homes: 0,
            mask_pool: 0,
            borrowed_masks: 0,
            masks_in_use: 0,
            lone_f64: 0,
            lone_f32: 0,
            wide_marked: false,
        }
    }

    /// Chooses the registers to borrow for a block whose instructions use the set `used`, and how to handle them.
    pub fn plan(&mut self, used: u16, without_vex: bool) {
        self.pool = !used;
        self.legacy = self.host == HostVectors::Sse2 || without_vex;
    }

    /// Sets the mask registers that no instruction of the block uses.
    pub fn plan_masks(&mut self, unused: u8) {
        self.mask_pool = unused;
    }

    /// Nothing is known about registers 16 to 31.
    pub fn is_zero(&self, number: usize) -> bool {
        u32::from(self.zero) >> number & 1 != 0
    }

    /// Is the shadow of a register zero above its lowest lane, up to bit 127?
    pub fn is_lone(&self, number: usize, element: Element) -> bool {
        let lone = match element {
            Element::F64 => self.lone_f64,
            Element::F32 => self.lone_f32,
        };
        self.is_zero(number) || u32::from(lone) >> number & 1 != 0
    }

    /// The shadow of a register has just become what `is_lone` says.
    pub fn set_lone(&mut self, number: usize, element: Element) {
        let bit = 1u32.checked_shl(number as u32).unwrap_or(0) as u16;
        self.lone_f64 |= bit;
        if element == Element::F32 {
            self.lone_f32 |= bit;
        }
    }

    /// Nothing is known about the lanes of a shadow.
    pub fn forget_lanes(&mut self, number: usize) {
        if number < 16 {
            self.lone_f64 &= !(1 << number);
            self.lone_f32 &= !(1 << number);
        }
    }

    /// Have registers 0 to 15 shadows of 512 bits?
    pub fn tracks_zmm(&self) -> bool {
        self.host == HostVectors::Avx512 && !self.in_registers()
    }

    /// Bytes of the shadow of a client register.
    pub fn shadow_size(&self, number: usize) -> usize {
        if number >= 16 || self.tracks_zmm() {
            64
        } else {
            32
        }
    }

    pub fn in_registers(&self) -> bool {
        self.homes == VectorShadows::Registers
    }

    /// Shadows that are not at home, where the homes are in memory: for one who leaves without the block's own code.
    pub fn held(&self) -> Vec<HeldShadow> {
        let clears_upper =
            |number: u8| self.legacy && self.host != HostVectors::Sse2 && self.fresh >> number & 1 != 0;
        let held = |(low, cached): (usize, &Option<(u8, bool)>)| match *cached {
            Some((number, true)) => Some(HeldShadow {
                low: low as u8,
                number,
                size: if self.legacy { 16 } else { self.shadow_size(usize::from(number)) as u8 },
                clears_upper: clears_upper(number),
            }),
            _ => None,
        };
        self.cached.iter().enumerate().filter_map(held).collect()
    }

    /// What an exit at this point has to do first.
    pub fn pending(&self) -> Option<Pending> {
        let pending = Pending {
            cached: self.cached,
            borrowed: self.borrowed,
            parked_homes: self.parked_homes,
            borrowed_masks: self.borrowed_masks,
        };
        let anything = self.borrowed | self.parked_homes | u16::from(self.borrowed_masks);
        (anything != 0).then_some(pending)
    }
}

/// The same where shadow code records, which needs more of them.
pub(crate) const MOST_USED_RECORDING: u32 = 7;

/// The home of a shadow when it is a register.
pub(crate) fn home_register(number: usize) -> Register {
    xmm(16 + number)
}

/// Register operations on full shadows, in the encoding of the host.
impl Vectors {
    pub fn home_slot(&self, asm: &Assembler, number: usize) -> Memory {
        asm.context(offset::VECTOR_SHADOWS + 64 * number as u32)
    }

    /// Low register := shadow of client register `number`.
    fn fetch(&self, asm: &mut Assembler, low: usize, number: usize) {
        if self.is_zero(number) {
            self.clear(asm, low);
            return;
        }
        let slot = self.home_slot(asm, number);
        if !self.in_registers() && !self.legacy && self.shadow_size(number) == 64 {
            let load = Code::EVEX_Vmovups_zmm_k1z_zmmm512;
            asm.built(Instruction::with2(load, zmm(low), slot.operand()));
        } else if !self.in_registers() {
            self.load_full(asm, low, slot);
        } else if self.legacy {
            let store = Code::EVEX_Vmovups_xmmm128_k1z_xmm;
            asm.built(Instruction::with2(store, slot.operand(), xmm(16 + number)));
            self.load_full(asm, low, slot);
        } else {
            asm.built(Instruction::with2(Code::EVEX_Vmovups_ymm_k1z_ymmm256, ymm(low), ymm(16 + number)));
        }
    }

    /// Shadow of client register `number` := low register.
    fn send_home(&self, asm: &mut Assembler, low: usize, number: usize) {
        let slot = self.home_slot(asm, number);
        if !self.in_registers() && !self.legacy && self.shadow_size(number) == 64 {
            let store = Code::EVEX_Vmovups_zmmm512_k1z_zmm;
            asm.built(Instruction::with2(store, slot.operand(), zmm(low)));
        } else if !self.in_registers() {
            self.store_full(asm, slot, low);
            if self.legacy && self.host != HostVectors::Sse2 && self.fresh >> number & 1 != 0 {
                for word in 2..self.shadow_size(number) as i64 / 8 {
                    asm.store_zero(slot.offset_by(8 * word), 8);
                }
            }
        } else if self.legacy {
            self.store_full(asm, slot, low);
            let load = Code::EVEX_Vmovups_xmm_k1z_xmmm128;
            asm.built(Instruction::with2(load, xmm(16 + number), slot.operand()));
        } else {
            asm.built(Instruction::with2(Code::EVEX_Vmovups_ymm_k1z_ymmm256, ymm(16 + number), ymm(low)));
        }
    }

    fn clear(&self, asm: &mut Assembler, low: usize) {
        if self.legacy {
            asm.built(Instruction::with2(Code::Pxor_xmm_xmmm128, xmm(low), xmm(low)));
        } else {
            asm.built(Instruction::with3(Code::VEX_Vpxor_xmm_xmm_xmmm128, xmm(low), xmm(low), xmm(low)));
        }
    }

    fn load_full(&self, asm: &mut Assembler, low: usize, place: Memory) {
        let place = place.operand();
        if self.legacy {
            asm.built(Instruction::with2(Code::Movups_xmm_xmmm128, xmm(low), place));
        } else {
            asm.built(Instruction::with2(Code::VEX_Vmovups_ymm_ymmm256, ymm(low), place));
        }
    }

    fn store_full(&self, asm: &mut Assembler, place: Memory, low: usize) {
        let place = place.operand();
        if self.legacy {
            asm.built(Instruction::with2(Code::Movups_xmmm128_xmm, place, xmm(low)));
        } else {
            asm.built(Instruction::with2(Code::VEX_Vmovups_ymmm256_ymm, place, ymm(low)));
        }
    }

    /// Parks the client's value of a low register: all that code on low registers changes. A VEX instruction also
    /// clears bits 256 and up, which a client with AVX-512 may use.
    fn park(&self, asm: &mut Assembler, low: usize) {
        let place = asm.context(offset::BORROWED + 64 * low as u32);
        if self.parks_everything() {
            asm.built(Instruction::with2(Code::EVEX_Vmovups_zmmm512_k1z_zmm, place.operand(), zmm(low)));
        } else {
            self.store_full(asm, place, low);
        }
    }

    fn unpark(&self, asm: &mut Assembler, low: usize) {
        let place = asm.context(offset::BORROWED + 64 * low as u32);
        if self.parks_everything() {
            asm.built(Instruction::with2(Code::EVEX_Vmovups_zmm_k1z_zmmm512, zmm(low), place.operand()));
        } else {
            self.load_full(asm, low, place);
        }
    }

    fn parks_everything(&self) -> bool {
        self.host == HostVectors::Avx512 && !self.legacy && !self.in_registers()
    }

    /// Carries out what an exit has to do.
    pub fn settle(&self, asm: &mut Assembler, pending: &Pending) {
        for (low, cached) in pending.cached.iter().enumerate() {
            if let Some((number, true)) = cached {
                self.send_home(asm, low, usize::from(*number));
            }
        }
        for low in 0..16 {
            if pending.borrowed >> low & 1 != 0 {
                self.unpark(asm, low);
            }
        }
        for number in 0..16 {
            if pending.parked_homes >> number & 1 != 0 {
                self.bring_home_back(asm, number);
            }
        }
        for number in 0..8 {
            if pending.borrowed_masks >> number & 1 != 0 {
                let parked = Self::mask_parking(asm, number).operand();
                asm.built(Instruction::with2(Code::VEX_Kmovq_kr_km64, Register::K0 + number, parked));
            }
        }
    }

    /// A mask is not needed any more.
    pub fn free_mask(&mut self, mask: Register) {
        self.masks_in_use &= !(1 << mask.number());
    }

    fn mask_parking(asm: &Assembler, number: u32) -> Memory {
        asm.context(offset::PARKED_MASKS + 8 * number)
    }

    /// A mask register with arbitrary content, for the current instruction only.
    pub fn mask_temporary(&mut self, asm: &mut Assembler) -> Register {
        let available = self.mask_pool & !self.masks_in_use;
        let borrowed = available & self.borrowed_masks;
        let number = if borrowed != 0 { borrowed } else { available }.trailing_zeros();
        assert!(number < 8, "the pool of mask registers is large enough");
        let mask = Register::K0 + number;
        if borrowed == 0 {
            let parked = Self::mask_parking(asm, number).operand();
            asm.built(Instruction::with2(Code::VEX_Kmovq_m64_kr, parked, mask));
        }
        self.borrowed_masks |= 1 << number;
        self.masks_in_use |= 1 << number;
        mask
    }

    fn bring_home_back(&self, asm: &mut Assembler, number: usize) {
        let place = self.parking(asm, number).operand();
        asm.built(Instruction::with2(Code::EVEX_Vmovups_ymm_k1z_ymmm256, ymm(16 + number), place));
    }
}

/// Low registers: borrowing, caching, writing back.
impl Vectors {
    /// A low register with arbitrary content, for the current instruction only.
    pub fn low_temporary(&mut self, asm: &mut Assembler) -> usize {
        let low = self.free_low(asm);
        self.in_use |= 1 << low;
        low
    }

    fn free_low(&mut self, asm: &mut Assembler) -> usize {
        let available = self.pool & !self.in_use;
        let empty = |low: &usize| available >> low & 1 != 0 && self.cached[*low].is_none();
        let borrowed = self.borrowed;
        if let Some(low) = (0..16).filter(empty).find(|low| borrowed >> low & 1 != 0) {
            return low;
        }
        if let Some(low) = (0..16).find(empty) {
            self.park(asm, low);
            self.borrowed |= 1 << low;
            return low;
        }
        let low = (0..16).find(|low| available >> low & 1 != 0).expect("the pool is large enough");
        self.evict(asm, low);
        low
    }

    fn evict(&mut self, asm: &mut Assembler, low: usize) {
        if let Some((number, true)) = self.cached[low] {
            self.send_home(asm, low, usize::from(number));
        }
        self.cached[low] = None;
    }

    /// A low register that holds the shadow of client register `number`.
    pub fn low_shadow(&mut self, asm: &mut Assembler, number: usize) -> usize {
        let low = match self.cached_in(number) {
            Some(low) => low,
            None => {
                let low = self.free_low(asm);
                self.fetch(asm, low, number);
                self.cached[low] = Some((number as u8, false));
                low
            }
        };
        self.in_use |= 1 << low;
        low
    }

    /// A low register that will be given the new shadow of client register `number`.
    pub fn low_target(&mut self, asm: &mut Assembler, number: usize) -> usize {
        let low = match self.cached_in(number) {
            Some(low) => low,
            None => self.free_low(asm),
        };
        self.cached[low] = Some((number as u8, true));
        self.in_use |= 1 << low;
        low
    }

    fn cached_in(&self, number: usize) -> Option<usize> {
        (0..16).find(|low| matches!(self.cached[*low], Some((held, _)) if usize::from(held) == number))
    }

    /// The shadow of `number` is no longer what is cached.
    pub fn forget(&mut self, number: usize) {
        if let Some(low) = self.cached_in(number) {
            self.cached[low] = None;
        }
    }

    /// The shadow of `number` goes home, and is not cached any more.
    pub fn flush(&mut self, asm: &mut Assembler, number: usize) {
        if let Some(low) = self.cached_in(number) {
            self.evict(asm, low);
        }
    }

    /// The current instruction is done.
    pub fn release(&mut self) {
        self.in_use = 0;
        self.masks_in_use = 0;
    }

    /// A temporary is not needed any more.
    pub fn free(&mut self, register: usize) {
        self.in_use &= !(1 << (register & 15));
    }

    /// Marks a home or low register as needed by the current instruction.
    pub fn keep(&mut self, number: usize) {
        self.in_use |= 1 << number;
    }

    /// Everything cached goes home, everything borrowed comes back.
    pub fn write_back(&mut self, asm: &mut Assembler) {
        if self.borrowed != 0 || self.borrowed_masks != 0 {
            let pending = Pending {
                cached: self.cached,
                borrowed: self.borrowed,
                parked_homes: 0,
                borrowed_masks: self.borrowed_masks,
            };
            self.settle(asm, &pending);
        }
        self.cached = [None; 16];
        self.borrowed = 0;
        self.borrowed_masks = 0;
        self.in_use = 0;
        self.masks_in_use = 0;
    }
}

/// Homes in registers: the fast path.
impl Vectors {
    /// Makes the home of `number` valid.
    pub fn home(&mut self, asm: &mut Assembler, number: usize) -> usize {
        if self.is_zero(number) {
            self.clear_home(asm, number);
        }
        self.keep(number);
        16 + number
    }

    pub fn clear_home(&mut self, asm: &mut Assembler, number: usize) {
        if self.in_registers() {
            self.masks.forget(number);
            let home = home_register(number);
            asm.built(Instruction::with3(Code::EVEX_Vpxorq_xmm_k1z_xmm_xmmm128b64, home, home, home));
        } else {
            let home = self.home_slot(asm, number);
            for word in 0..self.shadow_size(number) as i64 / 8 {
                asm.store_zero(home.offset_by(8 * word), 8);
            }
        }
    }

    /// A home that the current instruction may overwrite: a stale one, or one that is parked.
    pub fn home_temporary(&mut self, asm: &mut Assembler) -> usize {
        let free = !(self.in_use | self.own);
        let stale = free & (self.zero | self.parked_homes);
        let number = match (stale, free) {
            (0, 0) => panic!("an instruction uses all shadow registers"),
            (0, _) => {
                let number = 15 - free.leading_zeros() as usize;
                let place = self.parking(asm, number).operand();
                asm.built(Instruction::with2(Code::EVEX_Vmovups_ymmm256_k1z_ymm, place, ymm(16 + number)));
                self.parked_homes |= 1 << number;
                number
            }
            _ => 15 - stale.leading_zeros() as usize,
        };
        self.masks.forget(number);
        self.keep(number);
        16 + number
    }

    /// Homes that hold nothing, and that the current instruction does not use.
    pub fn stale(&self) -> u16 {
        self.zero & !(self.in_use | self.own | self.parked_homes)
    }

    /// Brings parked homes back; the current instruction is done.
    pub fn restore_homes(&mut self, asm: &mut Assembler) {
        for number in 0..16 {
            if self.parked_homes >> number & 1 != 0 {
                self.masks.forget(number);
                self.bring_home_back(asm, number);
            }
        }
        self.parked_homes = 0;
        self.in_use = 0;
    }

    /// Homes in registers leave the slots free for parking.
    fn parking(&self, asm: &Assembler, number: usize) -> Memory {
        self.home_slot(asm, number)
    }
}

/// Set of vector registers 0-15 that the instruction names, or uses without naming them. Instructions that concern all
/// registers do not count: nothing is borrowed while they run.
pub(crate) fn used_by(instruction: &Instruction) -> u16 {
    let mut used = 0;
    for operand in 0..instruction.op_count() {
        let register = instruction.op_register(operand);
        if instruction.op_kind(operand) == OpKind::Register && register.is_vector_register() {
            used |= 1u32 << register.number();
        }
    }
    let index = instruction.memory_index();
    if index.is_vector_register() {
        used |= 1 << index.number();
    }
    if matches!(
        instruction.code(),
        Code::Blendvpd_xmm_xmmm128 | Code::Blendvps_xmm_xmmm128 | Code::Pblendvb_xmm_xmmm128
    ) {
        used |= 1;
    }
    if writes_xmm0(instruction) {
        used |= 1;
    }
    used as u16
}

/// Set of mask registers that the instruction names.
pub(crate) fn masks_used_by(instruction: &Instruction) -> u8 {
    let mut used = 0;
    let is_mask = |register: Register| (Register::K0..=Register::K7).contains(&register);
    for operand in 0..instruction.op_count() {
        let register = instruction.op_register(operand);
        if instruction.op_kind(operand) == OpKind::Register && is_mask(register) {
            used |= 1 << register.number();
        }
    }
    if is_mask(instruction.op_mask()) {
        used |= 1 << instruction.op_mask().number();
    }
    used
}

/// Is the result a mask in xmm0, which no operand names?
pub(crate) fn writes_xmm0(instruction: &Instruction) -> bool {
    use iced_x86::Mnemonic;
    matches!(
        instruction.mnemonic(),
        Mnemonic::Pcmpestrm
            | Mnemonic::Pcmpestrm64
            | Mnemonic::Pcmpistrm
            | Mnemonic::Vpcmpestrm
            | Mnemonic::Vpcmpestrm64
            | Mnemonic::Vpcmpistrm
    )
}
