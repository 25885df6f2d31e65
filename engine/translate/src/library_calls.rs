//! Calls of library functions that rules for instructions do not differentiate.
//!
//! At the entry of a function whose derivative is known an active block leaves to the engine if an argument is
//! active. The engine makes the arguments passive, so that the block that it continues with finds none. Arguments of
//! functions that are piecewise constant become passive in the block. Functions that nothing is known about are
//! counted.

use crate::checks::OnActive;
use crate::context::offset;
use crate::emit::Memory;
use crate::encodings::{Shape, Width};
use crate::interface::{ExitKind, SiteKind, Treatment};
use crate::passive::active_state;
use crate::rules::Element;
use crate::translate::{Level, Translator};
use derivgrind_functions::places::FloatArguments;
use iced_x86::{Code, Instruction, Register};

/// Bytes of an x87 number, and of its place on the stack.
const EXTENDED: (usize, i64) = (10, 16);
/// Bytes below the return address that functions of such numbers use. At the entry there is nothing that anybody needs.
const BELOW: usize = 256;

impl Translator<'_> {
    /// At the start of a block. One call counts once, however many arguments are active. True if the block ends here,
    /// because it goes on in the zero state.
    pub(crate) fn check_library_function(&mut self) -> bool {
        if self.job.state.rule_is_applied() {
            // This is the second translation that is entered for the call.
            return false;
        }
        let Some(function) = self.client.library_function(self.job.pc) else { return false };
        let arguments = function.arguments;
        self.discard_padding(arguments);
        if self.level == Level::Passive {
            // Active arguments in memory, between passive registers.
            self.check_stack_arguments(arguments, OnActive::Leave(self.job.pc, active_state(false)));
            return false;
        }
        if let Some(direct) = function.direct.filter(|_| self.can_note_calls()) {
            self.note_call(direct, arguments.bytes);
            return true;
        }
        match function.treatment {
            Treatment::Instructions => {}
            Treatment::Constant => self.discard_arguments(arguments),
            Treatment::Differentiated => {
                let on_active = OnActive::Serve(ExitKind::ActiveCall, self.job.pc, self.state());
                self.check_arguments(arguments, on_active);
            }
            Treatment::Unknown => {
                let on_active = OnActive::Count(self.site(self.job.pc, SiteKind::Function));
                self.count_first(|translator| translator.check_arguments(arguments, on_active));
            }
        }
        self.end_of_instruction();
        false
    }

    /// Behind a number of 80 bits its place on the stack holds what was there before. Libraries read it together with
    /// the exponent, also that of numbers that they put on the stack themselves, below the return address.
    fn discard_padding(&mut self, arguments: FloatArguments) {
        if arguments.extended > 0 {
            let below = Memory::at(Register::RSP, -(BELOW as i64)).shadow();
            self.zero_place(below, BELOW);
        }
        for number in 0..arguments.extended {
            let (bytes, distance) = EXTENDED;
            let place = Memory::at(Register::RSP, 8 + distance * number as i64 + bytes as i64);
            self.zero_place(place.shadow(), distance as usize - bytes);
        }
    }

    /// Makes the arguments passive.
    fn discard_arguments(&mut self, arguments: FloatArguments) {
        for number in 0..arguments.registers {
            self.set_zero(number);
        }
        for number in 0..arguments.extended {
            let (bytes, distance) = EXTENDED;
            self.zero_place(Memory::at(Register::RSP, 8 + distance * number as i64).shadow(), bytes);
        }
    }

    fn check_arguments(&mut self, arguments: FloatArguments, on_active: OnActive) {
        for number in 0..arguments.registers {
            self.check_argument(number, arguments.bytes, on_active);
        }
        self.check_stack_arguments(arguments, on_active);
    }

    fn check_stack_arguments(&mut self, arguments: FloatArguments, on_active: OnActive) {
        for number in 0..arguments.extended {
            let (bytes, distance) = EXTENDED;
            let place = Memory::at(Register::RSP, 8 + distance * number as i64).shadow();
            self.check_place(place, bytes, on_active);
        }
    }

    /// Tests the lowest bytes of the shadow of a vector register, at a point where no shadow is cached.
    fn check_argument(&mut self, number: usize, bytes: usize, on_active: OnActive) {
        if self.vectors.is_zero(number) {
            return;
        }
        let valid = if self.vectors.upper { self.vectors.shadow_size(number) } else { 16 };
        let bytes = bytes.min(valid);
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
