//! Quotients by the same divisor share its reciprocal.
//!
//! The derivative of `a / b` takes a division of its own, and the divider is the slowest part of a processor: a loop
//! that keeps it busy natively would take twice as long. Programs divide by the same number again and again, such as
//! the width of a mesh. Where a block has two quotients or more by the same content of a register or of memory, the
//! first one stores the reciprocal in the context, and dot values are multiplied by it: an error of one and a half
//! units in the last place instead of half a unit. With shadows in memory it is not the divider that a loop waits for,
//! and the registers for all this would have to be borrowed.
//!
//! That fails where the reciprocal is not an ordinary number. The test for it leaves the block, in front of the
//! instruction and before any flag is raised, for a translation whose state says that nothing is assumed.
//!
//! By an ordinary number a passive lane needs no mask: it stays zero. Zero is added so that it does not become a negative
//! one, which looks active. That needs a register; where none is free, a mask takes less time.
//!
//! Invariant: a reciprocal is stored by all ways through the block that reach a later instruction.

use crate::checks::OnActive;
use crate::contents::Contents;
use crate::context::offset;
use crate::decode::Client;
use crate::emit::{Memory, Operand};
use crate::encodings::{self, Form, Operation, Shape, Width};
use crate::memory;
use crate::places::Places;
use crate::rules::{self, Binary, Element, Rule};
use crate::translate::Translator;
use alloc::vec::Vec;
use iced_x86::{Code, EncodingKind, Instruction, InstructionInfoFactory, OpKind, Register};

/// How many divisors of a block have a place in the context.
const PLACES: usize = 4;
/// Bytes of a place.
const PLACE_SIZE: u32 = 32;

/// Classes of floating-point numbers that are no reciprocals (Intel SDM, VFPCLASSPD): NaN, zeros, infinities, and
/// numbers that are not normal.
const UNUSUAL: u32 = 0b1011_1111;

/// The shared divisors of a block.
#[derive(Default)]
pub(crate) struct Reciprocals {
    /// By instruction: the number of the divisor that it shares with another one.
    shared: Vec<Option<u8>>,
    /// Bit n: the reciprocal of divisor n is in its place.
    stored: u8,
}

/// What two quotients have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Divisor {
    name: u32,
    is_memory: bool,
    shape: Shape,
}

impl Reciprocals {
    /// The shared divisors of these instructions.
    pub fn find(
        info: &mut InstructionInfoFactory,
        has_threads: bool,
        instructions: &[Client],
    ) -> Reciprocals {
        let is_quotient = |client: &&Client| quotient(&client.instruction).is_some();
        if instructions.iter().filter(is_quotient).count() < 2 {
            return Reciprocals::default();
        }
        let mut values = Values { registers: Contents::default(), places: Places::new(has_threads) };
        let mut divisors = Vec::with_capacity(instructions.len());
        for client in instructions {
            divisors.push(values.divisor(&client.instruction));
            values.follow(info, &client.instruction);
        }
        let mut all: Vec<Divisor> = Vec::new();
        for (position, divisor) in divisors.iter().enumerate() {
            let Some(divisor) = divisor else { continue };
            if divisors[position + 1..].contains(&Some(*divisor)) && !all.contains(divisor) {
                all.push(*divisor);
            }
        }
        all.truncate(PLACES);
        let number = |divisor: &Divisor| all.iter().position(|one| one == divisor).map(|number| number as u8);
        let shared = divisors.iter().map(|divisor| divisor.as_ref().and_then(number)).collect();
        Reciprocals { shared, stored: 0 }
    }
}

/// Number of the divisor among the operands of a quotient, and its shape.
fn quotient(instruction: &Instruction) -> Option<(u32, Shape)> {
    let Rule::Binary(Binary::Divide, element, lanes) = rules::rule(instruction) else { return None };
    let is_known = instruction.encoding() != EncodingKind::EVEX;
    let shape = || Shape::new(element, lanes, instruction.op0_register());
    is_known.then(|| (instruction.op_count() - 1, shape()))
}

/// What registers hold, and places in memory that are still as they were.
struct Values {
    registers: Contents,
    places: Places,
}

impl Values {
    fn divisor(&mut self, instruction: &Instruction) -> Option<Divisor> {
        let (operand, shape) = quotient(instruction)?;
        if instruction.op_kind(operand) == OpKind::Register {
            let name = self.registers.name(shape, instruction.op_register(operand).number())?;
            return Some(Divisor { name, is_memory: false, shape });
        }
        let name = self.places.name(memory::direct(instruction)?, shape.bytes());
        Some(Divisor { name, is_memory: true, shape })
    }

    fn follow(&mut self, info: &mut InstructionInfoFactory, instruction: &Instruction) {
        self.registers.follow(info, instruction);
        self.places.follow(info, instruction);
    }
}

impl Translator<'_> {
    /// The place of the reciprocal of the divisor, if the current instruction is to multiply by it. The first such
    /// instruction computes it.
    pub(crate) fn shared_reciprocal(
        &mut self,
        instruction: &Instruction,
        shape: Shape,
        divisor: Operand,
    ) -> Option<Memory> {
        let number = self.reciprocals.shared.get(self.position).copied().flatten()?;
        let place = self.asm.context(offset::RECIPROCALS + PLACE_SIZE * u32::from(number));
        if self.reciprocals.stored >> number & 1 == 0 {
            self.reciprocals.stored |= 1 << number;
            let leaves = self.when_assumption_fails(instruction);
            let temporary = self.temporary();
            self.test_reciprocal(shape, temporary, divisor, leaves);
            let ones = self.one(shape.element);
            encodings::load(&mut self.asm, shape, Form::Evex, temporary, ones);
            self.compute(Operation::Divide, shape, temporary, temporary, divisor);
            let store = match shape.width {
                Width::L256 => Code::EVEX_Vmovups_ymmm256_k1z_ymm,
                Width::Scalar | Width::L128 => Code::EVEX_Vmovups_xmmm128_k1z_xmm,
            };
            self.asm.built(Instruction::with2(store, place.operand(), shape.register(temporary)));
            self.free(temporary);
        }
        Some(place)
    }

    /// Leaves if an approximate reciprocal is no ordinary number. The approximation raises no flag.
    fn test_reciprocal(&mut self, shape: Shape, temporary: usize, divisor: Operand, leaves: OnActive) {
        let register = shape.register(temporary);
        let (approximate, classify) = match (shape.element, shape.width) {
            (Element::F64, Width::Scalar) => {
                (Code::EVEX_Vrcp14sd_xmm_k1z_xmm_xmmm64, Code::EVEX_Vfpclasssd_kr_k1_xmmm64_imm8)
            }
            (Element::F64, Width::L128) => {
                (Code::EVEX_Vrcp14pd_xmm_k1z_xmmm128b64, Code::EVEX_Vfpclasspd_kr_k1_xmmm128b64_imm8)
            }
            (Element::F64, Width::L256) => {
                (Code::EVEX_Vrcp14pd_ymm_k1z_ymmm256b64, Code::EVEX_Vfpclasspd_kr_k1_ymmm256b64_imm8)
            }
            (Element::F32, Width::Scalar) => {
                (Code::EVEX_Vrcp14ss_xmm_k1z_xmm_xmmm32, Code::EVEX_Vfpclassss_kr_k1_xmmm32_imm8)
            }
            (Element::F32, Width::L128) => {
                (Code::EVEX_Vrcp14ps_xmm_k1z_xmmm128b32, Code::EVEX_Vfpclassps_kr_k1_xmmm128b32_imm8)
            }
            (Element::F32, Width::L256) => {
                (Code::EVEX_Vrcp14ps_ymm_k1z_ymmm256b32, Code::EVEX_Vfpclassps_kr_k1_ymmm256b32_imm8)
            }
        };
        match shape.width {
            Width::Scalar => self.asm.ternary(approximate, register, register, divisor),
            Width::L128 | Width::L256 => self.asm.binary(approximate, register, divisor),
        }
        self.asm.built(Instruction::with3(classify, Register::K1, register, UNUSUAL));
        if self.flags_dead {
            self.asm.built(Instruction::with2(Code::VEX_Kortestb_kr_kr, Register::K1, Register::K1));
            let jump = self.asm.jump(Code::Jne_rel32_64);
            self.when_active(jump, false, leaves);
            return;
        }
        self.spill_rcx();
        self.asm.built(Instruction::with2(Code::VEX_Kmovb_r32_kr, Register::ECX, Register::K1));
        self.leave_unless_rcx_is_zero(leaves);
        self.restore_rcx();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{IcedError, MemoryOperand};
    use Register::{RBP, RDX, RSI, XMM0, XMM1, XMM2, XMM3, XMM4};

    type Built = Result<Instruction, IcedError>;

    fn shared(instructions: &[Built]) -> Vec<Option<u8>> {
        let client = |instruction: &Built| Client {
            instruction: *instruction.as_ref().expect("the operands fit"),
            bytes: Default::default(),
            offsets: Default::default(),
        };
        let clients: Vec<Client> = instructions.iter().map(client).collect();
        Reciprocals::find(&mut InstructionInfoFactory::new(), false, &clients).shared
    }

    fn by(divisor: Register) -> Built {
        Instruction::with2(Code::Divsd_xmm_xmmm64, XMM0, divisor)
    }

    fn by_variable() -> Built {
        Instruction::with2(Code::Divsd_xmm_xmmm64, XMM0, variable(-24))
    }

    fn variable(displacement: i64) -> MemoryOperand {
        MemoryOperand::with_base_displ(RBP, displacement)
    }

    /// Is a divisor shared across the instruction?
    fn survives(quotient: fn() -> Built, between: Built) -> bool {
        match shared(&[quotient(), between, quotient()])[..] {
            [Some(0), None, Some(0)] => true,
            [None, None, None] => false,
            ref other => panic!("{other:?}"),
        }
    }

    #[test]
    fn divisors_in_registers_live_until_they_are_written() {
        let by_third = || by(XMM3);
        assert!(survives(by_third, Instruction::with2(Code::Addsd_xmm_xmmm64, XMM1, XMM3)));
        assert!(!survives(by_third, Instruction::with2(Code::Addsd_xmm_xmmm64, XMM3, XMM1)));
        assert!(!survives(by_third, Instruction::with2(Code::Movsd_xmm_xmmm64, XMM3, variable(-24))));
        let copied = Instruction::with2(Code::Movapd_xmm_xmmm128, XMM4, XMM3);
        assert_eq!(shared(&[by(XMM3), copied, by(XMM4)]), [Some(0), None, Some(0)]);
    }

    #[test]
    fn divisors_in_memory_live_until_something_may_be_stored_there() {
        let store = |place| Instruction::with2(Code::Movsd_xmmm64_xmm, place, XMM1);
        assert!(survives(by_variable, store(variable(-32))));
        assert!(survives(by_variable, store(variable(-16))));
        assert!(!survives(by_variable, store(variable(-24))));
        assert!(!survives(by_variable, store(variable(-28))));
        assert!(!survives(by_variable, Instruction::with2(Code::Movupd_xmmm128_xmm, variable(-32), XMM1)));
        assert!(!survives(by_variable, store(MemoryOperand::with_base(RDX))));
        assert!(!survives(by_variable, Instruction::with1(Code::Push_r64, RDX)));
        assert!(!survives(by_variable, Instruction::with1(Code::Xsave_mem, variable(-700))));
        assert!(!survives(by_variable, Instruction::with_stosq(64, iced_x86::RepPrefixKind::None)));
    }

    #[test]
    fn divisors_in_memory_have_an_address() {
        assert!(survives(by_variable, Instruction::with2(Code::Add_rm64_r64, RDX, RSI)));
        assert!(!survives(by_variable, Instruction::with2(Code::Add_rm64_imm8, RBP, 8)));
    }

    #[test]
    fn divisors_of_other_shapes_are_others() {
        let packed = Instruction::with2(Code::Divpd_xmm_xmmm128, XMM1, XMM3);
        assert_eq!(shared(&[by(XMM3), packed]), [None, None]);
        let narrow = Instruction::with2(Code::Divss_xmm_xmmm32, XMM2, XMM3);
        assert_eq!(shared(&[by(XMM3), narrow]), [None, None]);
    }

    #[test]
    fn as_many_are_shared_as_have_places() {
        let all: Vec<Built> =
            (0..2 * (PLACES as u32 + 1)).map(|k| by(XMM1 + k % (PLACES as u32 + 1))).collect();
        let found = shared(&all);
        assert_eq!(found.iter().flatten().count(), 2 * PLACES);
        assert_eq!(found[PLACES], None);
    }
}
