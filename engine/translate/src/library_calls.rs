//! Calls of library functions whose derivatives are not to be trusted yet: counted where an argument is active.

use crate::checks::OnActive;
use crate::context::offset;
use crate::emit::Memory;
use crate::encodings::{Shape, Width};
use crate::interface::SiteKind;
use crate::rules::Element;
use crate::translate::Translator;
use iced_x86::{Code, Instruction, Register};

/// Bytes of an x87 number, and of its place on the stack.
const EXTENDED: (usize, i64) = (10, 16);
/// Widest shadows of vector registers.
const WIDEST: usize = 32;

impl Translator<'_> {
    /// At the start of a block. One call counts once, however many arguments are active.
    pub(crate) fn check_untrusted_function(&mut self) {
        if self.job.state.rule_is_applied() {
            // This is the second translation that is entered for the call.
            return;
        }
        let Some(arguments) = self.client.untrusted_function(self.job.pc) else { return };
        let on_active = OnActive::Count(self.site(self.job.pc, SiteKind::Function));
        let bytes = arguments.bytes.min(WIDEST);
        self.count_first(|translator| {
            for number in 0..arguments.registers {
                translator.check_argument(number, bytes, on_active);
            }
            for number in 0..arguments.extended {
                let (bytes, distance) = EXTENDED;
                let place = Memory::at(Register::RSP, 8 + distance * number as i64).shadow();
                translator.check_place(place, bytes, on_active);
            }
        });
        self.end_of_instruction();
    }

    /// Tests the lowest bytes of the shadow of a vector register, at a point where no shadow is cached.
    fn check_argument(&mut self, number: usize, bytes: usize, on_active: OnActive) {
        if self.vectors.is_zero(number) {
            return;
        }
        if !self.vectors.in_registers() {
            let slot = self.vectors.home_slot(&self.asm, number);
            self.check_place(slot, bytes, on_active);
            return;
        }
        let place = self.asm.context(offset::VECTOR_SPILLS);
        let shadow = self.shadow(number);
        if bytes > 8 {
            let shape = Shape { element: Element::F64, width: Width::L256 };
            let register = shape.register(shadow);
            let store = Instruction::with2(Code::EVEX_Vmovups_ymmm256_k1z_ymm, place.operand(), register);
            self.asm.built(store);
        } else {
            self.store_lane(Shape { element: Element::F64, width: Width::Scalar }, place, shadow);
        }
        self.check_place(place, bytes, on_active);
    }
}
