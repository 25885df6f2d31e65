//! Numbers for the values of vector registers within a block: equal numbers are equal values.

use crate::checks;
use crate::control::has_memory;
use crate::decode::Client;
use crate::interface::ClientCode;
use crate::passive::is_write;
use crate::rules::{self, Element, Rule};
use alloc::vec::Vec;
use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpKind, Register};

/// An address as the block computes it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Address {
    registers: [Register; 2],
    /// How often these have been written.
    versions: [u32; 2],
    scale: u32,
    displacement: u64,
    segment: Register,
}

/// A place of memory that has been read or written.
struct Place {
    address: Address,
    size: usize,
    /// Its content fills a register.
    is_repeated: bool,
    is_constant: bool,
    /// It was there before the block, at a fixed place of the stack: perhaps a register's content that had no room.
    is_spilled: bool,
    value: u32,
}

impl Place {
    /// Does it not overlap this one, as far as the block tells?
    fn is_apart_from(&self, other: Address, size: usize) -> bool {
        let same = Address { displacement: 0, ..self.address } == Address { displacement: 0, ..other };
        let distance = other.displacement.wrapping_sub(self.address.displacement) as i64;
        same && (distance >= self.size as i64 || distance <= -(size as i64))
    }
}

pub(super) struct Values {
    registers: [u32; 32],
    versions: [u32; 16],
    places: Vec<Place>,
    constants: Vec<(u32, [u64; 4])>,
    next: u32,
    /// Registers that the loop writes with which the block begins.
    written: u32,
}

impl Values {
    pub fn new(info: &mut InstructionInfoFactory, block: &[Client]) -> Values {
        let mut written = 0;
        for client in loop_of(block) {
            for used in info.info(&client.instruction).used_registers() {
                if used.register().is_vector_register() && is_write(used.access()) {
                    written |= 1 << used.register().number();
                }
            }
        }
        let registers = core::array::from_fn(|number| number as u32);
        Values { registers, versions: [0; 16], places: Vec::new(), constants: Vec::new(), next: 32, written }
    }

    /// Is it what a register holds when the block begins, and throughout a loop?
    pub fn is_invariant(&self, value: u32) -> bool {
        value < 32 && self.written >> value & 1 == 0
    }

    /// Is it what a place of the stack holds when the block begins?
    pub fn is_spilled(&self, value: u32) -> bool {
        self.places.iter().any(|place| place.is_spilled && place.value == value)
    }

    /// Are these constants that differ in their signs alone?
    pub fn are_opposite(&self, one: u32, other: u32, element: Element) -> bool {
        let signs = if element == Element::F64 { 1 << 63 } else { 1 << 63 | 1 << 31 };
        match (self.constant(one), self.constant(other)) {
            (Some(one), Some(other)) => {
                let differ =
                    |(one, other): (&u64, &u64)| *one != 0 && one & !signs == other & !signs && one != other;
                let equal = |(one, other): (&u64, &u64)| *one == 0 && *other == 0;
                one.iter().zip(&other).all(|pair| differ(pair) || equal(pair))
            }
            _ => false,
        }
    }

    pub fn register(&self, number: usize) -> u32 {
        self.registers[number]
    }

    /// The words of a value that is known.
    pub fn constant(&self, value: u32) -> Option<[u64; 4]> {
        self.constants.iter().find(|(known, _)| *known == value).map(|(_, words)| *words)
    }

    /// Value of a vector register or a memory operand.
    pub fn operand(
        &mut self,
        client: &dyn ClientCode,
        instruction: &Instruction,
        number: u32,
    ) -> Option<u32> {
        match instruction.op_kind(number) {
            OpKind::Register => {
                let register = instruction.op_register(number);
                register.is_vector_register().then(|| self.register(register.number()))
            }
            OpKind::Memory => self.load(client, instruction, false),
            _ => None,
        }
    }

    fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn address(&self, instruction: &Instruction) -> Option<Address> {
        let (base, index) = (instruction.memory_base(), instruction.memory_index());
        if index.is_vector_register() {
            return None;
        }
        let relative = instruction.is_ip_rel_memory_operand();
        let registers = if relative { [Register::None; 2] } else { [base, index] };
        let version = |register: Register| match register {
            Register::None => 0,
            register => self.versions[register.full_register().number() & 15],
        };
        Some(Address {
            registers,
            versions: registers.map(version),
            scale: instruction.memory_index_scale(),
            displacement: if relative {
                instruction.ip_rel_memory_address()
            } else {
                instruction.memory_displacement64()
            },
            segment: instruction.memory_segment(),
        })
    }

    fn load(&mut self, client: &dyn ClientCode, instruction: &Instruction, is_repeated: bool) -> Option<u32> {
        let address = self.address(instruction)?;
        let is_repeated = is_repeated || instruction.is_broadcast();
        let memory = instruction.memory_size();
        let size = if instruction.is_broadcast() { memory.element_size() } else { memory.size() };
        let known = self
            .places
            .iter()
            .find(|place| place.address == address && place.size == size && place.is_repeated == is_repeated);
        if let Some(place) = known {
            return Some(place.value);
        }
        let value = self.fresh();
        let is_constant = checks::is_constant(client, instruction);
        if is_constant {
            let words = words(client, instruction.ip_rel_memory_address(), size, is_repeated);
            self.constants.extend(words.map(|words| (value, words)));
        }
        let is_spilled = matches!(address.registers, [Register::RSP | Register::RBP, Register::None]);
        self.places.push(Place { address, size, is_repeated, is_constant, is_spilled, value });
        Some(value)
    }

    /// Takes note of what an instruction changes.
    pub fn step(
        &mut self,
        info: &mut InstructionInfoFactory,
        client: &dyn ClientCode,
        instruction: &Instruction,
    ) {
        let moved = self.moved(client, instruction);
        let info = info.info(instruction);
        for used in info.used_registers().iter().filter(|used| is_write(used.access())) {
            let register = used.register();
            if register.is_gpr() {
                self.versions[register.full_register().number()] += 1;
            } else if register.is_vector_register() {
                self.registers[register.number()] = self.fresh();
            }
        }
        if info.used_memory().iter().any(|memory| is_write(memory.access())) {
            let target = self.address(instruction).filter(|_| has_memory(instruction));
            let size = instruction.memory_size().size();
            self.places.retain(|place| {
                place.is_constant || target.is_some_and(|target| place.is_apart_from(target, size))
            });
            self.store(instruction);
        }
        if let Some((register, value)) = moved {
            self.registers[register] = value;
        }
    }

    /// The register and its new value, where an instruction is a move of whole registers or a load.
    fn moved(&mut self, client: &dyn ClientCode, instruction: &Instruction) -> Option<(usize, u32)> {
        use Mnemonic::*;
        let target = instruction.op0_register();
        let operands = instruction.op_count();
        let counts = if instruction.op2_kind() == OpKind::Immediate8 { 2..=3 } else { 2..=2 };
        let is_masked = instruction.op_mask() != Register::None;
        if !counts.contains(&operands) || !target.is_vector_register() || is_masked {
            return None;
        }
        let from_memory = instruction.op1_kind() == OpKind::Memory;
        let value = match instruction.mnemonic() {
            Movapd | Vmovapd | Movaps | Vmovaps | Movdqa | Vmovdqa | Movupd | Vmovupd | Movups | Vmovups
            | Movdqu | Vmovdqu | Vmovdqa32 | Vmovdqa64 | Vmovdqu32 | Vmovdqu64 => {
                self.operand(client, instruction, 1)?
            }
            Movsd | Vmovsd | Movss | Vmovss | Movq | Vmovq | Movd | Vmovd if from_memory => {
                self.operand(client, instruction, 1)?
            }
            Movddup | Vmovddup | Vbroadcastsd | Vbroadcastss | Vpbroadcastq | Vpbroadcastd if from_memory => {
                self.load(client, instruction, true)?
            }
            Shufps | Pshufd | Vpshufd | Vbroadcastss | Vpbroadcastd if !from_memory => {
                return self.repeated(instruction, 4);
            }
            Unpcklpd | Movlhps | Movddup | Vmovddup | Vbroadcastsd | Vpbroadcastq | Punpcklqdq
                if !from_memory =>
            {
                return self.repeated(instruction, 8);
            }
            _ => return None,
        };
        Some((target.number(), value))
    }

    /// The lowest lane of a constant in all lanes.
    fn repeated(&mut self, instruction: &Instruction, size: usize) -> Option<(usize, u32)> {
        let (target, source) = (instruction.op0_register().number(), instruction.op1_register().number());
        let legacy_pair = matches!(
            instruction.mnemonic(),
            Mnemonic::Shufps | Mnemonic::Unpcklpd | Mnemonic::Movlhps | Mnemonic::Punpcklqdq
        );
        let by_immediate =
            matches!(instruction.mnemonic(), Mnemonic::Shufps | Mnemonic::Pshufd | Mnemonic::Vpshufd);
        if legacy_pair && self.register(target) != self.register(source) {
            return None;
        }
        let size = match by_immediate.then(|| instruction.immediate8()) {
            None => size,
            Some(0) => 4,
            Some(0x44) => 8,
            Some(_) => return None,
        };
        let word = self.constant(self.register(source))?[0];
        let low = word & 0xffff_ffff;
        let word = if size == 4 { low << 32 | low } else { word };
        let value = self.fresh();
        self.constants.push((value, [word; 4]));
        Some((target, value))
    }

    /// A store of a whole value: a load gives it back.
    fn store(&mut self, instruction: &Instruction) {
        let is_move = matches!(rules::rule(instruction), Rule::Same(_) | Rule::LaneMove);
        let plain = is_move
            && instruction.op_count() == 2
            && has_memory(instruction)
            && instruction.op1_kind() == OpKind::Register
            && instruction.op1_register().is_vector_register();
        let halves = matches!(
            instruction.mnemonic(),
            Mnemonic::Movhpd | Mnemonic::Vmovhpd | Mnemonic::Movhps | Mnemonic::Vmovhps
        );
        if !plain || halves {
            return;
        }
        let Some(address) = self.address(instruction) else { return };
        let value = self.register(instruction.op1_register().number());
        let size = instruction.memory_size().size();
        let place = Place { address, size, is_repeated: false, is_constant: false, is_spilled: false, value };
        self.places.push(place);
    }
}

/// The instructions up to the last jump back to the start: what follows belongs to the way out of a loop, and may use
/// the registers of its constants for something else. Empty for a block that begins no loop: there a register that
/// was set before may be a constant, whatever is written to it later.
fn loop_of(block: &[Client]) -> &[Client] {
    let start = block.first().map(|client| client.instruction.ip());
    let jumps_back = |client: &Client| Some(client.instruction.near_branch_target()) == start;
    let end = block.iter().rposition(jumps_back).map_or(0, |last| last + 1);
    &block[..end]
}

/// A constant as it is in a register.
fn words(client: &dyn ClientCode, address: u64, size: usize, is_repeated: bool) -> Option<[u64; 4]> {
    let mut words = [0; 4];
    match size {
        4 => {
            // The word may be the last of its page, or the first.
            let below = || client.constant(address.wrapping_sub(4)).map(|words| words >> 32);
            let word = client.constant(address).map(|words| words & 0xffff_ffff).or_else(below)?;
            words[0] = word;
            if is_repeated {
                words = [word << 32 | word; 4];
            }
        }
        8 => {
            words[0] = client.constant(address)?;
            if is_repeated {
                words = [words[0]; 4];
            }
        }
        16 | 32 if !is_repeated => {
            for (number, word) in words[..size / 8].iter_mut().enumerate() {
                *word = client.constant(address + 8 * number as u64)?;
            }
        }
        64 if !is_repeated => {
            for number in 0..8 {
                let word = client.constant(address + 8 * number as u64)?;
                if number >= 4 && word != words[number - 4] {
                    return None;
                }
                words[number % 4] = word;
            }
        }
        _ => return None,
    }
    Some(words)
}
