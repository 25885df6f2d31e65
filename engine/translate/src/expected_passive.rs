//! Variables of an active block that are expected to be passive.
//!
//! Where little is kept in registers, a block reads numbers like the width of a mesh or a step in time from memory, often
//! again and again. A shadow costs at each use, and most where it enters a product; a test for zero costs once. So a
//! variable that is passive when the block is translated is tested if it is a factor or divisor, or is read again. It is
//! known to be passive until something active may be stored there ([`crate::proven`]), or another thread may have done
//! so ([`synchronises`](crate::atomics::synchronises)).
//!
//! If it has become active, the test leaves the block for a translation of the instruction whose state says that nothing
//! is assumed. The block stays as it is: a variable that is active for good costs a test and a jump each time.

use crate::checks::OnActive;
use crate::context::SHADOW_OFFSET;
use crate::control::has_memory;
use crate::decode::Client;
use crate::emit::Memory;
use crate::interface::{ClientCode, Entry, Observed};
use crate::memory;
use crate::observation::Observation;
use crate::passive::{active_state, is_on_stack};
use crate::places::Places;
use crate::rules::{self, Binary, Rule};
use crate::translate::Translator;
use alloc::vec::Vec;
use iced_x86::{Instruction, InstructionInfoFactory, OpKind, Register};

/// The instructions whose operand in memory is expected to be passive.
pub(crate) fn find(
    info: &mut InstructionInfoFactory,
    client: &dyn ClientCode,
    entry: Entry,
    has_threads: bool,
    instructions: &[Client],
) -> Vec<Observed> {
    let registers = match entry {
        Entry::Unknown => return Vec::new(),
        Entry::Again { observed, .. } => {
            let is_passive = |seen: &&Observed| matches!(seen, Observed::Passive { .. });
            return observed.iter().filter(is_passive).copied().collect();
        }
        Entry::Seen(registers) => registers,
    };
    let uses = worthwhile_uses(info, has_threads, instructions);
    if uses.is_empty() {
        return Vec::new();
    }
    let mut observation = Observation::new(client, registers);
    let mut expected = Vec::new();
    for (position, instruction) in instructions.iter().map(|client| &client.instruction).enumerate() {
        if uses.contains(&position) && is_passive(client, &observation, instruction) {
            expected.extend(u8::try_from(position).map(|position| Observed::Passive { position }));
        }
        observation.step(info, instruction);
    }
    expected
}

/// Instructions that read a variable whose test would pay.
fn worthwhile_uses(
    info: &mut InstructionInfoFactory,
    has_threads: bool,
    instructions: &[Client],
) -> Vec<usize> {
    let mut places = Places::new(has_threads);
    let mut uses: Vec<(usize, u32)> = Vec::new();
    for (position, instruction) in instructions.iter().map(|client| &client.instruction).enumerate() {
        if let Some(variable) = tested_variable(instruction) {
            uses.push((position, places.name(variable, instruction.memory_size().size())));
        }
        places.follow(info, instruction);
    }
    let is_repeated = |name: u32| uses.iter().filter(|(_, other)| *other == name).count() > 1;
    let pays = |(position, name): &(usize, u32)| is_repeated(*name) || is_factor(&instructions[*position..]);
    uses.iter().filter(|one| pays(one)).map(|(position, _)| *position).collect()
}

/// Does what the first instruction reads from memory become a factor or divisor in this block?
fn is_factor(instructions: &[Client]) -> bool {
    let mut instructions = instructions.iter().map(|client| &client.instruction);
    let Some(first) = instructions.next() else { return false };
    let multiplies = |instruction: &Instruction| {
        matches!(
            rules::rule(instruction),
            Rule::Binary(Binary::Multiply | Binary::Divide, ..) | Rule::Fused { .. }
        )
    };
    if !matches!(rules::rule(first), Rule::Same(_)) {
        return multiplies(first);
    }
    let loaded = first.op0_register().number();
    for instruction in instructions {
        let is_loaded = |operand: u32| {
            instruction.op_kind(operand) == OpKind::Register
                && instruction.op_register(operand).is_vector_register()
                && instruction.op_register(operand).number() == loaded
        };
        if multiplies(instruction) && (0..instruction.op_count()).any(is_loaded) {
            return true;
        }
        if instruction.op_count() > 0 && is_loaded(0) {
            return false;
        }
    }
    false
}

/// The variable that the instruction takes a number from: on the stack, or at a fixed address. What other registers
/// point at is often an element of an array, and the next one the next time.
fn tested_variable(instruction: &Instruction) -> Option<Memory> {
    let reads_number = matches!(
        rules::rule(instruction),
        Rule::Binary(..) | Rule::Unary(..) | Rule::Fused { .. } | Rule::Same(_)
    ) && has_memory(instruction)
        && instruction.op0_kind() == OpKind::Register
        && instruction.op0_register().is_vector_register()
        && instruction.memory_size().size() != 0;
    let operand = memory::direct(instruction).filter(|_| reads_number)?;
    let is_variable =
        operand.index == Register::None && (operand.base == Register::None || is_on_stack(instruction));
    is_variable.then_some(operand)
}

/// Is the shadow of the memory operand zero at the moment?
fn is_passive(client: &dyn ClientCode, observation: &Observation, instruction: &Instruction) -> bool {
    let Some(address) = observation.address(instruction) else { return false };
    let size = instruction.memory_size().size();
    (0..size).step_by(8).all(|start| {
        let shadow = client.content(address.wrapping_add(SHADOW_OFFSET).wrapping_add(start as u64));
        let unused = 64 - 8 * (size - start).min(8);
        shadow.is_some_and(|shadow| shadow << unused == 0)
    })
}

impl Translator<'_> {
    /// Tests the memory operand of the current instruction if it is expected to be passive.
    pub(crate) fn expect_passive(&mut self, instruction: &Instruction) {
        let is_expected = |seen: &Observed| match seen {
            Observed::Passive { position } => usize::from(*position) == self.position,
            Observed::Constant { .. } => false,
        };
        if !self.observed.iter().any(is_expected) || !self.flags_dead || self.rule_is_applied() {
            return;
        }
        if self.is_passive_memory(instruction) {
            return;
        }
        let leaves = self.when_assumption_fails(instruction);
        self.check_operand(instruction, instruction.memory_size().size(), leaves);
    }

    /// Goes on with the current instruction in a translation that assumes nothing.
    pub(crate) fn when_assumption_fails(&self, instruction: &Instruction) -> OnActive {
        let state = self.state();
        // What fails is active, which the zero state would not expect.
        let state = if state.is_active() { state } else { active_state(false) };
        OnActive::Leave(instruction.ip(), state.assuming_nothing())
    }

    /// Has the block shown that the memory operand is passive?
    pub(crate) fn is_proven(&self, instruction: &Instruction) -> bool {
        let size = instruction.memory_size().size();
        !self.proven.is_empty()
            && size != 0
            && memory::direct(instruction).is_some_and(|operand| self.proven.contains(operand, size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Code, IcedError, MemoryOperand};
    use Register::{RBP, RDI, XMM0, XMM1, XMM2};

    type Built = Result<Instruction, IcedError>;

    fn uses(instructions: &[Built]) -> Vec<usize> {
        let client = |instruction: &Built| Client {
            instruction: *instruction.as_ref().expect("the operands fit"),
            bytes: Default::default(),
            offsets: Default::default(),
        };
        let clients: Vec<Client> = instructions.iter().map(client).collect();
        worthwhile_uses(&mut InstructionInfoFactory::new(), false, &clients)
    }

    fn at(base: Register, displacement: i64) -> MemoryOperand {
        MemoryOperand::with_base_displ(base, displacement)
    }

    fn load(target: Register, place: MemoryOperand) -> Built {
        Instruction::with2(Code::Movsd_xmm_xmmm64, target, place)
    }

    fn store(place: MemoryOperand) -> Built {
        Instruction::with2(Code::Movsd_xmmm64_xmm, place, XMM2)
    }

    #[test]
    fn addends_are_tested_if_they_are_read_again() {
        let sum = || Instruction::with2(Code::Addsd_xmm_xmmm64, XMM0, at(RBP, -8));
        assert_eq!(uses(&[sum()]), []);
        assert_eq!(uses(&[sum(), load(XMM1, at(RBP, -8))]), [0, 1]);
        assert_eq!(uses(&[sum(), load(XMM1, at(RBP, -16))]), []);
        assert_eq!(uses(&[sum(), store(at(RBP, -8)), sum()]), []);
        assert_eq!(uses(&[sum(), store(at(RDI, 0)), sum()]), []);
    }

    #[test]
    fn factors_and_divisors_are_tested_always() {
        let product = |second: Register| Instruction::with2(Code::Mulsd_xmm_xmmm64, XMM0, second);
        assert_eq!(uses(&[Instruction::with2(Code::Divsd_xmm_xmmm64, XMM0, at(RBP, -8))]), [0]);
        assert_eq!(uses(&[load(XMM1, at(RBP, -8)), product(XMM1)]), [0]);
        assert_eq!(uses(&[load(XMM1, at(RBP, -8)), product(XMM2)]), []);
        assert_eq!(uses(&[load(XMM1, at(RBP, -8)), load(XMM1, at(RBP, -16)), product(XMM1)]), [1]);
    }

    #[test]
    fn elements_of_arrays_are_no_variables() {
        let product = |place| Instruction::with2(Code::Mulsd_xmm_xmmm64, XMM0, place);
        assert_eq!(uses(&[product(at(RDI, 8)), product(at(RDI, 8))]), []);
        let element = || MemoryOperand::with_base_index(RBP, RDI);
        assert_eq!(uses(&[product(element()), product(element())]), []);
    }
}
