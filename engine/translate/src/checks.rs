//! Tests whether shadows are zero, and what happens when they are not.
//!
//! Where the flags are dead a test is `cmp` and `jne`. Elsewhere it is a load into rcx, which is spilled, and `jrcxz`.
//! Both leave a client that has no active data undisturbed for the price of a load and a branch that is never taken.

use crate::context::offset;
use crate::control::has_memory;
use crate::emit::{xmm, ymm, Jump, Memory};
use crate::interface::{ClientCode, ExitKind, SiteKind};
use crate::memory;
use crate::passive::is_on_stack;
use crate::state::State;
use crate::translate::{Level, OutOfLine, Translator};
use alloc::vec::Vec;
use iced_x86::{Code, Instruction, Register};

/// Register for zeros in passive blocks.
const FREE_HOME: usize = 29;

/// What to do when a shadow is not zero.
#[derive(Clone, Copy)]
pub(crate) enum OnActive {
    /// Continue at the client address with a translation for this state.
    Leave(u64, State),
    /// Count at this site and go on.
    Count(usize),
    /// Let the engine serve the client instruction at this address, and execute it from its start.
    Serve(ExitKind, u64, State),
}

/// A place that is counted, out of line.
pub(crate) struct Count {
    jump: Jump,
    site: usize,
    /// Where the block goes on.
    back: u64,
    /// Is the client's rcx spilled where the jump is?
    rcx_spilled: bool,
    /// Is it to be spilled where the block goes on?
    leaves_spilled: bool,
}

/// How a shadow memory operand is addressed while it is open.
#[derive(Clone, Copy)]
pub(crate) struct Opened {
    pub memory: Memory,
    /// The address is in rcx, whose client value is spilled.
    pub in_rcx: bool,
}

impl Translator<'_> {
    /// Makes the shadow of the client's memory operand addressable until [`Self::close`].
    pub(crate) fn open(&mut self, instruction: &Instruction) -> Opened {
        match memory::direct(instruction) {
            Some(operand) => Opened { memory: operand.shadow(), in_rcx: false },
            None => {
                self.spill_rcx();
                memory::compute_address(&mut self.asm, instruction, Register::RCX);
                Opened { memory: Memory::at(Register::RCX, 0).shadow(), in_rcx: true }
            }
        }
    }

    pub(crate) fn close(&mut self, opened: Opened) {
        if opened.in_rcx {
            self.restore_rcx();
        }
    }

    pub(crate) fn spill_rcx(&mut self) {
        let spilled = self.asm.context(offset::SPILLED_RCX);
        self.asm.store(spilled, Register::RCX);
    }

    /// Tests `size` bytes of the shadow of the instruction's memory operand.
    pub(crate) fn check_operand(&mut self, instruction: &Instruction, size: usize, on_active: OnActive) {
        self.check_beside_operand(instruction, 0, size, on_active);
    }

    /// The same some bytes further on.
    pub(crate) fn check_beside_operand(
        &mut self,
        instruction: &Instruction,
        start: i64,
        size: usize,
        on_active: OnActive,
    ) {
        let direct = memory::direct(instruction).map(|operand| operand.offset_by(start));
        if direct.is_some_and(|operand| self.proven.contains(operand, size)) {
            return;
        }
        for (distance, width) in words(size) {
            let opened = self.open(instruction);
            self.check_word(opened.memory.offset_by(start + distance), width, opened.in_rcx, on_active);
            if opened.in_rcx {
                self.restore_rcx();
            }
        }
        if let (Some(operand), OnActive::Leave(..)) = (direct, on_active) {
            self.proven.add(operand, size);
        }
    }

    /// Tests a place within an opened operand, and closes it.
    pub(crate) fn check_opened(&mut self, opened: Opened, place: Memory, size: usize, on_active: OnActive) {
        if !opened.in_rcx {
            self.check_place(place, size, on_active);
            return;
        }
        for (distance, width) in words(size) {
            // Without flags the test loads into rcx, which is the address: it is saved a second time.
            let parked = self.asm.context(offset::SCRATCH + 16);
            self.asm.store(parked, Register::RCX);
            self.check_word(place.offset_by(distance), width, true, on_active);
            self.asm.load(Register::RCX, parked);
        }
        self.close(opened);
    }

    /// Tests a shadow at a place that does not depend on rcx being spilled.
    pub(crate) fn check_place(&mut self, place: Memory, size: usize, on_active: OnActive) {
        for (distance, width) in words(size) {
            self.check_word(place.offset_by(distance), width, false, on_active);
        }
    }

    fn check_word(&mut self, place: Memory, size: usize, rcx_spilled: bool, on_active: OnActive) {
        if self.flags_dead {
            self.asm.compare_zero(place, size);
            let jump = self.asm.jump(Code::Jne_rel32_64);
            self.when_active(jump, rcx_spilled, on_active);
            return;
        }
        if !rcx_spilled {
            self.spill_rcx();
        }
        self.load_zero_extended(place, size);
        self.leave_unless_rcx_is_zero(on_active);
        if !rcx_spilled {
            self.restore_rcx();
        }
    }

    /// rcx, whose client value is spilled, holds what must be zero.
    pub(crate) fn leave_unless_rcx_is_zero(&mut self, on_active: OnActive) {
        let zero = self.asm.short_jump(Code::Jrcxz_rel8_64);
        let jump = self.asm.jump(Code::Jmp_rel32_64);
        self.asm.land(zero);
        self.when_active(jump, true, on_active);
    }

    fn load_zero_extended(&mut self, place: Memory, size: usize) {
        let (code, register) = match size {
            1 => (Code::Movzx_r32_rm8, Register::ECX),
            2 => (Code::Movzx_r32_rm16, Register::ECX),
            4 => (Code::Mov_r32_rm32, Register::ECX),
            _ => (Code::Mov_r64_rm64, Register::RCX),
        };
        self.asm.built(Instruction::with2(code, register, place.operand()));
    }

    /// `jump` is taken when something is active. The code behind it is where counting returns to.
    pub(crate) fn when_active(&mut self, jump: Jump, rcx_spilled: bool, on_active: OnActive) {
        match on_active {
            OnActive::Leave(pc, state) => self.leave_early(jump, pc, state, rcx_spilled),
            OnActive::Serve(kind, pc, state) => {
                let mut pending = self.pending();
                if let Some(unfinished) = &mut pending {
                    unfinished.recorded = self.recording.recorded_before();
                }
                let exit = self.exit(kind, pc, state);
                self.out_of_line.push(OutOfLine::Leave { jump, exit, rcx_spilled, pending });
            }
            OnActive::Count(site) => {
                let back = self.asm.here();
                let count = Count { jump, site, back, rcx_spilled, leaves_spilled: rcx_spilled };
                self.out_of_line.push(OutOfLine::Count(count));
            }
        }
    }

    fn leave_early(&mut self, jump: Jump, pc: u64, state: State, rcx_spilled: bool) {
        let pending = self.pending();
        let exit = self.exit(ExitKind::Link, pc, state);
        self.out_of_line.push(OutOfLine::Leave { jump, exit, rcx_spilled, pending });
    }

    /// Several tests of one instruction: the first that finds something active counts, and the rest is skipped. The
    /// tests must emit nothing that has to happen.
    pub(crate) fn count_first(&mut self, tests: impl FnOnce(&mut Self)) {
        let before = self.out_of_line.len();
        tests(self);
        let end = self.asm.here();
        for item in &mut self.out_of_line[before..] {
            if let OutOfLine::Count(count) = item {
                count.back = end;
                count.leaves_spilled = false;
            }
        }
    }

    /// Out of line: one more at a site. Touches neither flags nor registers.
    pub(crate) fn count(&mut self, count: Count) {
        self.asm.land(count.jump);
        if !count.rcx_spilled {
            self.spill_rcx();
        }
        let counter = Memory::absolute(self.job.first_counter + 8 * count.site as u64);
        self.asm.load(Register::RCX, counter);
        self.asm.address_of(Register::RCX, Memory::at(Register::RCX, 1));
        self.asm.store(counter, Register::RCX);
        if !count.leaves_spilled {
            self.restore_rcx();
        }
        self.asm.jump_to(count.back);
    }

    /// A site for this instruction.
    pub(crate) fn instruction_site(&mut self, instruction: &Instruction) -> OnActive {
        let kind = SiteKind::Instruction(instruction.code() as u16);
        OnActive::Count(self.site(instruction.ip(), kind))
    }

    /// Writes zero to the shadow of the instruction's memory operand.
    pub(crate) fn zero_operand(&mut self, instruction: &Instruction, size: usize) {
        self.stored_zero = true;
        if self.is_on_passive_page(instruction) {
            return;
        }
        let direct = memory::direct(instruction);
        if direct.is_some_and(|operand| self.proven.contains(operand, size)) {
            return;
        }
        let opened = self.open(instruction);
        if self.is_stored_rarely(instruction, size) {
            self.zero_if_active(opened.memory, size);
        } else {
            self.zero_place(opened.memory, size);
        }
        self.close(opened);
        if let Some(operand) = direct {
            self.proven.add(operand, size);
        }
    }

    /// Is zero to be stored only where something else is? So the shadow of a large table stays without memory, and
    /// without a share of the cache. The stack is in the cache anyway, where a store is cheaper than a test.
    fn is_stored_rarely(&self, instruction: &Instruction, size: usize) -> bool {
        let changes_flags = instruction.rflags_modified() != 0;
        self.level == Level::Passive
            && self.flags_dead
            && !changes_flags
            && matches!(size, 1 | 2 | 4 | 8)
            && !is_on_stack(instruction)
    }

    fn zero_if_active(&mut self, place: Memory, size: usize) {
        self.asm.compare_zero(place, size);
        let jump = self.asm.jump(Code::Jne_rel32_64);
        let back = self.asm.here();
        self.out_of_line.push(OutOfLine::Zero { jump, place, size, back });
    }

    /// Writes `size` zero bytes.
    pub(crate) fn zero_place(&mut self, place: Memory, size: usize) {
        if self.level == Level::Passive && self.vectors.in_registers() && matches!(size, 16 | 32) {
            return self.zero_by_vector(place, size);
        }
        for (distance, width) in words(size) {
            self.asm.store_zero(place.offset_by(distance), width);
        }
    }

    /// The same by one store, of a home: in a passive block they are free.
    fn zero_by_vector(&mut self, place: Memory, size: usize) {
        let (narrow, wide) = (xmm(FREE_HOME), ymm(FREE_HOME));
        let clear = Code::EVEX_Vpxorq_xmm_k1z_xmm_xmmm128b64;
        self.asm.built(Instruction::with3(clear, narrow, narrow, narrow));
        let (code, register) = match size {
            16 => (Code::EVEX_Vmovupd_xmmm128_k1z_xmm, narrow),
            _ => (Code::EVEX_Vmovupd_ymmm256_k1z_ymm, wide),
        };
        self.asm.built(Instruction::with2(code, place.operand(), register));
    }

    /// Is the shadow of the memory operand known to be zero at this point?
    pub(crate) fn is_passive_memory(&self, instruction: &Instruction) -> bool {
        if !has_memory(instruction) {
            return false;
        }
        if self.is_proven(instruction) {
            return true;
        }
        if instruction.is_ip_rel_memory_operand() {
            return is_constant(self.client, instruction);
        }
        // The stack protector's canary (System V ABI, x86-64 glibc: offset 0x28 of the thread control block).
        instruction.memory_segment() == Register::FS
            && instruction.memory_base() == Register::None
            && instruction.memory_index() == Register::None
            && instruction.memory_displacement64() == 0x28
    }
}

/// Is the memory operand addressed by the instruction pointer, and never written?
pub(crate) fn is_constant(client: &dyn ClientCode, instruction: &Instruction) -> bool {
    has_memory(instruction)
        && instruction.is_ip_rel_memory_operand()
        && client.is_constant(instruction.ip_rel_memory_address())
}

/// Splits an operand size into pieces that general-register instructions can handle.
fn words(size: usize) -> Vec<(i64, usize)> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < size {
        let width = [8, 4, 2, 1].into_iter().find(|width| size - at >= *width).unwrap_or(1);
        pieces.push((at as i64, width));
        at += width;
    }
    pieces
}
