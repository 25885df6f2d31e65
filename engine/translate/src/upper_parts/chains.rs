//! Parts of numbers that are loaded into general registers, changed there, and stored where they were.
//!
//! So fields of bits are compiled, and accesses by bytes or words. That the place is the same is found by numbering
//! the values of registers: unoptimised code computes an address twice, from variables on the stack. Where the block
//! begins with the load, as it does behind a computed rule, its address was computed before, and may be any.

use crate::control::has_memory;
use crate::decode::Client;
use crate::passive::is_write;
use alloc::vec::Vec;
use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpKind, Register};

/// A part that is stored where it was loaded.
pub(super) struct Chain {
    pub store: usize,
    /// Instructions by which it is changed or moved between registers, and whether it comes from the second operand.
    pub steps: Vec<(usize, bool)>,
    /// Instructions on a copy of it, of which something is put into it again: a bit that is inverted, say.
    pub beside: Vec<usize>,
    /// Bytes of the number, if masks tell; else 0.
    pub number: u8,
    /// Is the place surely the same?
    pub is_certain: bool,
    /// Does translated code stay within the block from the first change on? Behind an exit the block would not know
    /// that there is a part in a register.
    pub stays: bool,
}

/// A value as the block computes it: a number for what is not known, and a distance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Value {
    base: u32,
    distance: i64,
}

/// Registers have these values at first.
const INITIAL: u32 = 16;

/// A part of a number in a register.
#[derive(Clone)]
struct Piece {
    /// Instructions that load it, and from where: a half may be combined of several.
    loads: Vec<(usize, Value)>,
    size: usize,
    steps: Vec<(usize, bool)>,
    beside: Vec<usize>,
    is_changed: bool,
    /// It has been shifted: no part of a number, but perhaps a field of bits that is put into one.
    is_field: bool,
    /// All but the sign has been masked off: perhaps it goes to another number.
    is_sign: bool,
    number: u8,
}

/// A result is known by the instruction and its operands.
type Computed = (Mnemonic, [Value; 2], u64);

#[derive(Default)]
struct Registers {
    values: [Option<Value>; 16],
    pieces: [Option<Piece>; 16],
    computed: Vec<(Computed, Value)>,
    /// Words in memory, of 8 bytes or 4.
    places: Vec<(Value, Value)>,
    /// Halves of numbers in variables, where unoptimised code keeps and changes them.
    variables: Vec<(Value, Piece)>,
    next: u32,
}

/// All such parts in a block. `with_halves`: also those of four bytes.
pub(super) fn find(
    info: &mut InstructionInfoFactory,
    instructions: &[Client],
    with_halves: bool,
) -> Vec<Chain> {
    let largest = if with_halves { 4 } else { 2 };
    let mut registers = Registers { next: INITIAL, ..Registers::default() };
    let mut chains = Vec::new();
    for (position, instruction) in instructions.iter().map(|client| &client.instruction).enumerate() {
        chains.extend(registers.stored(instruction, position).map(|chain| chain.checked(instructions)));
        registers.step(info, instruction, position, largest);
    }
    chains
}

impl Chain {
    fn checked(self, instructions: &[Client]) -> Chain {
        let first = self.steps.first().map_or(self.store, |(first, _)| *first);
        let stays = (first..self.store).all(|position| {
            self.steps.iter().any(|(step, _)| *step == position)
                || self.beside.contains(&position)
                || is_harmless(&instructions[position].instruction)
        });
        Chain { stays, ..self }
    }
}

/// Does it compute an address, as far as one can tell?
fn is_harmless(instruction: &Instruction) -> bool {
    let target = instruction.op0_register();
    let to_register = instruction.op0_kind() == OpKind::Register && target.is_gpr64();
    match instruction.mnemonic() {
        Mnemonic::Mov | Mnemonic::Lea => to_register,
        Mnemonic::Add | Mnemonic::Sub => to_register && instruction.try_immediate(1).is_ok(),
        mnemonic => mnemonic == Mnemonic::Nop,
    }
}

/// Is it a store of a general register by which a part may go back?
pub(super) fn is_candidate(instruction: &Instruction, with_halves: bool) -> bool {
    instruction.mnemonic() == Mnemonic::Mov
        && instruction.op0_kind() == OpKind::Memory
        && instruction.op1_kind() == OpKind::Register
        && (instruction.op1_register().is_gpr8() && !is_high_byte(instruction.op1_register())
            || instruction.op1_register().is_gpr16()
            || with_halves && instruction.op1_register().is_gpr32())
}

fn is_high_byte(register: Register) -> bool {
    matches!(register, Register::AH | Register::BH | Register::CH | Register::DH)
}

fn number(register: Register) -> usize {
    register.full_register().number()
}

impl Registers {
    fn value(&self, register: Register) -> Value {
        let number = number(register);
        self.values[number].unwrap_or(Value { base: number as u32, distance: 0 })
    }

    fn fresh(&mut self) -> Value {
        self.next += 1;
        Value { base: self.next, distance: 0 }
    }

    /// The result of an instruction.
    fn computed(&mut self, key: Computed) -> Value {
        if let Some((_, value)) = self.computed.iter().find(|(known, _)| *known == key) {
            return *value;
        }
        let value = self.fresh();
        self.computed.push((key, value));
        value
    }

    fn address(&mut self, instruction: &Instruction) -> Option<Value> {
        let (base, index) = (instruction.memory_base(), instruction.memory_index());
        let has_segment = matches!(instruction.memory_segment(), Register::FS | Register::GS);
        if has_segment || !base.is_gpr64() || index != Register::None && !index.is_gpr64() {
            return None;
        }
        let mut value = self.value(base);
        if index != Register::None {
            let index = self.value(index);
            value = self.sum(value, index, u64::from(instruction.memory_index_scale()));
        }
        value.distance = value.distance.wrapping_add(instruction.memory_displacement64() as i64);
        Some(value)
    }

    /// A value and a multiple of another.
    fn sum(&mut self, one: Value, other: Value, scale: u64) -> Value {
        let bare = |value: Value| Value { distance: 0, ..value };
        let sum = self.computed((Mnemonic::Add, [bare(one), bare(other)], scale));
        let distance = one.distance.wrapping_add(other.distance.wrapping_mul(scale as i64));
        Value { distance, ..sum }
    }

    /// The chain that ends with a store.
    fn stored(&mut self, instruction: &Instruction, position: usize) -> Option<Chain> {
        if !is_candidate(instruction, true) {
            return None;
        }
        let address = self.address(instruction)?;
        let piece = self.pieces[number(instruction.op1_register())].as_ref()?;
        let is_part = piece.is_changed && !piece.is_field;
        let is_whole = is_part && piece.size == instruction.memory_size().size();
        let is_certain = piece.loads.iter().any(|(_, place)| *place == address);
        let is_unknown = |(load, place): &(usize, Value)| *load == 0 && place.base < INITIAL;
        let may_be = address.base >= INITIAL && piece.loads.iter().any(is_unknown);
        (is_whole && (is_certain || may_be && !piece.is_sign)).then(|| Chain {
            store: position,
            steps: piece.steps.clone(),
            beside: piece.beside.clone(),
            number: piece.number,
            is_certain,
            stays: false,
        })
    }

    /// Takes note of what an instruction does.
    fn step(
        &mut self,
        info: &mut InstructionInfoFactory,
        instruction: &Instruction,
        position: usize,
        largest: usize,
    ) {
        if instruction.mnemonic() == Mnemonic::Cdqe {
            let value = self.extended(self.value(Register::RAX));
            self.values[0] = Some(value);
            self.pieces[0] = None;
            return;
        }
        let value = self.result(instruction);
        let piece = self.piece(instruction, position, largest);
        let half = self.stored_half(instruction, position);
        let written = info.info(instruction).used_registers().iter();
        for register in written.filter(|used| is_write(used.access())).map(|used| used.register()) {
            if register.is_gpr() {
                self.pieces[number(register)] = None;
                let fresh = self.fresh();
                self.values[number(register)] = Some(fresh);
            }
        }
        if instruction.op0_kind() == OpKind::Register && instruction.op0_register().is_gpr() {
            let target = number(instruction.op0_register());
            if value.is_some() {
                self.values[target] = value;
            }
            self.pieces[target] = piece;
        }
        self.store(instruction, half);
    }

    /// The half that an instruction leaves in memory, if it comes from a number.
    fn stored_half(&mut self, instruction: &Instruction, position: usize) -> Option<Piece> {
        use Mnemonic::{Add, And, Dec, Inc, Mov, Not, Or, Sub, Xor};
        if instruction.op0_kind() != OpKind::Memory || instruction.memory_size().size() != 4 {
            return None;
        }
        let from_register =
            instruction.op1_kind() == OpKind::Register && instruction.op1_register().is_gpr32();
        let source = from_register.then(|| self.pieces[number(instruction.op1_register())].clone()).flatten();
        let source = source.filter(|piece| piece.size == 4);
        let address = self.address(instruction)?;
        let old = self.variable(address);
        let changed = |mut piece: Piece| {
            piece.steps.push((position, false));
            Piece { is_changed: true, ..piece }
        };
        match instruction.mnemonic() {
            Mov => source,
            Add | Sub | Inc | Dec if is_small_step(instruction) => old,
            And | Or | Xor | Add | Sub => match (old, source) {
                (Some(old), source) => Some(changed(united(old, source))),
                (None, source) => source.map(changed),
            },
            Not => old.map(changed),
            _ => None,
        }
    }

    /// The half in a variable.
    fn variable(&self, address: Value) -> Option<Piece> {
        self.variables.iter().find(|(place, _)| *place == address).map(|(_, piece)| piece.clone())
    }

    /// The value of the first operand, a register of 8 bytes.
    fn result(&mut self, instruction: &Instruction) -> Option<Value> {
        let target = instruction.op0_register();
        if instruction.op0_kind() != OpKind::Register || !target.is_gpr64() && !target.is_gpr32() {
            return None;
        }
        if target.is_gpr32() {
            let is_load = instruction.mnemonic() == Mnemonic::Mov && has_memory(instruction);
            return is_load.then(|| self.loaded(instruction)).flatten();
        }
        let old = self.value(target);
        let from_register = instruction.op1_kind() == OpKind::Register && instruction.op1_register().is_gpr();
        let source = from_register.then(|| self.value(instruction.op1_register()));
        let constant = instruction.try_immediate(1).ok();
        let moved = |distance: u64| Value { distance: old.distance.wrapping_add(distance as i64), ..old };
        match (instruction.mnemonic(), source, constant) {
            (Mnemonic::Mov, Some(source), _) => Some(source),
            (Mnemonic::Mov, None, None) if has_memory(instruction) => self.loaded(instruction),
            (Mnemonic::Add, None, Some(constant)) => Some(moved(constant)),
            (Mnemonic::Sub, None, Some(constant)) => Some(moved(constant.wrapping_neg())),
            (Mnemonic::Add, Some(source), _) => Some(self.sum(old, source, 1)),
            (Mnemonic::Lea, ..) if instruction.memory_base() == Register::None => {
                let index = self.value(instruction.memory_index());
                let key = (Mnemonic::Lea, [index; 2], u64::from(instruction.memory_index_scale()));
                Some(self.computed(key))
            }
            (Mnemonic::Lea, ..) => self.address(instruction),
            (Mnemonic::Shl | Mnemonic::Sal, _, Some(count)) => {
                Some(self.computed((Mnemonic::Shl, [old; 2], count)))
            }
            (Mnemonic::Movsxd, Some(source), _) => Some(self.extended(source)),
            (Mnemonic::Movsxd, None, _) => self.loaded(instruction).map(|value| self.extended(value)),
            _ => None,
        }
    }

    /// A sign extension.
    fn extended(&mut self, value: Value) -> Value {
        self.computed((Mnemonic::Movsxd, [value; 2], 0))
    }

    fn loaded(&mut self, instruction: &Instruction) -> Option<Value> {
        let address = self.address(instruction)?;
        if let Some((_, value)) = self.places.iter().find(|(place, _)| *place == address) {
            return Some(*value);
        }
        let value = self.fresh();
        self.places.push((address, value));
        Some(value)
    }

    /// Memory that is written; variables that hold pointers are taken to be written by their own address alone.
    fn store(&mut self, instruction: &Instruction, half: Option<Piece>) {
        let writes = has_memory(instruction)
            && instruction.op0_kind() == OpKind::Memory
            && !matches!(instruction.mnemonic(), Mnemonic::Cmp | Mnemonic::Test | Mnemonic::Push);
        if !writes {
            return;
        }
        let Some(address) = self.address(instruction) else { return };
        let size = instruction.memory_size().size() as i64;
        let is_left = |place: Value, length: i64| {
            let distance = address.distance.wrapping_sub(place.distance);
            place.base != address.base || distance >= length || distance <= -size
        };
        self.places.retain(|(place, _)| is_left(*place, 8));
        self.variables.retain(|(place, _)| is_left(*place, 4));
        self.variables.extend(half.map(|half| (address, half)));
        let is_word = instruction.mnemonic() == Mnemonic::Mov
            && instruction.op1_kind() == OpKind::Register
            && instruction.op1_register().is_gpr64();
        if is_word {
            self.places.push((address, self.value(instruction.op1_register())));
        }
    }

    /// The part of a number that the first operand holds then, a register.
    fn piece(&mut self, instruction: &Instruction, position: usize, largest: usize) -> Option<Piece> {
        use Mnemonic::{
            Add, And, Btc, Btr, Bts, Dec, Inc, Mov, Movsx, Movzx, Not, Or, Sal, Sar, Shl, Shr, Sub, Xor,
        };
        let target = instruction.op0_register();
        if instruction.op0_kind() != OpKind::Register || !target.is_gpr() {
            return None;
        }
        let old = self.pieces[number(target)].clone();
        let from_register = instruction.op1_kind() == OpKind::Register && instruction.op1_register().is_gpr();
        let source = from_register.then(|| instruction.op1_register());
        let other = || {
            source
                .filter(|source| !is_high_byte(*source))
                .and_then(|source| self.pieces[number(source)].clone())
        };
        let changed = |mut piece: Piece, from_source: bool| {
            piece.steps.push((position, from_source));
            piece.is_changed = true;
            Some(piece)
        };
        match instruction.mnemonic() {
            Mov | Movzx | Movsx if has_memory(instruction) => {
                self.loaded_piece(instruction, position, largest)
            }
            Mov | Movzx | Movsx if !is_high_byte(target) => {
                let mut piece =
                    other().filter(|piece| source.is_some_and(|source| source.size() >= piece.size))?;
                piece.steps.push((position, true));
                Some(piece)
            }
            And | Or | Xor | Add | Sub if has_memory(instruction) => {
                let piece = self.loaded_piece(instruction, position, largest)?;
                let is_half = piece.size == 4 && target.size() == 4;
                is_half.then(|| changed(united(piece, old), false)).flatten()
            }
            And | Or | Xor | Sub
                if source.is_some_and(|source| source.full_register() == target.full_register()) =>
            {
                None
            }
            And | Or | Xor | Add | Sub | Bts | Btr | Btc => {
                let commutes = matches!(instruction.mnemonic(), Or | Xor | Add);
                match (old, other()) {
                    (old, Some(piece)) if commutes && old.as_ref().is_none_or(|old| old.is_field) => {
                        changed(united(piece, old), true)
                    }
                    (None, piece) => changed(piece.filter(|_| instruction.mnemonic() == And)?, true),
                    (Some(mut piece), other) => {
                        let mask =
                            instruction.try_immediate(1).ok().filter(|_| instruction.mnemonic() == And);
                        piece.number =
                            mask.and_then(|mask| number_of_mask(mask, piece.size)).unwrap_or(piece.number);
                        let all_but_sign = (1 << (8 * piece.size - 1)) - 1;
                        piece.is_sign |= mask.is_some_and(|mask| mask & all_but_sign == 0);
                        match is_small_step(instruction) && piece.size == 4 {
                            true => Some(piece),
                            false => changed(united(piece, other), false),
                        }
                    }
                }
            }
            Inc | Dec if old.as_ref().is_some_and(|old| old.size == 4) => old,
            Not | Inc | Dec => changed(old?, false),
            Shl | Sal | Shr | Sar => {
                let is_field = instruction.try_immediate(1).is_ok_and(|count| count % 8 != 0);
                let field = old.filter(|piece| is_field && piece.size < 4)?;
                changed(Piece { is_field: true, ..field }, false)
            }
            _ => None,
        }
    }

    fn loaded_piece(&mut self, instruction: &Instruction, position: usize, largest: usize) -> Option<Piece> {
        let size = instruction.memory_size().size();
        if !matches!(size, 1 | 2 | 4) || size > largest {
            return None;
        }
        let address = self.address(instruction)?;
        if let Some(mut half) = self.variable(address).filter(|half| half.size == size) {
            half.loads.push((position, address));
            return Some(half);
        }
        let (steps, beside) = (Vec::new(), Vec::new());
        let loads = alloc::vec![(position, address)];
        Some(Piece {
            loads,
            size,
            steps,
            beside,
            is_changed: false,
            is_field: false,
            is_sign: false,
            number: 0,
        })
    }
}

/// Is a constant added that has no bits of an exponent? A half of a number keeps its derivative then, and such halves
/// are counters nearly always.
fn is_small_step(instruction: &Instruction) -> bool {
    const LEAST_EXPONENT: u64 = 1 << 20;
    let is_sum = matches!(instruction.mnemonic(), Mnemonic::Add | Mnemonic::Sub);
    let constant = instruction.try_immediate(1).ok();
    matches!(instruction.mnemonic(), Mnemonic::Inc | Mnemonic::Dec)
        || is_sum
            && constant.is_some_and(|constant| i64::from(constant as i32).unsigned_abs() < LEAST_EXPONENT)
}

/// A part into which something is put. What comes from the same place is a field of the same number; a half may have
/// come from either place.
fn united(mut one: Piece, other: Option<Piece>) -> Piece {
    let Some(other) = other.filter(|other| one.size == other.size) else { return one };
    if one.size == 4 {
        one.loads.extend(other.loads);
        return one;
    }
    let is_same = one.loads.iter().zip(&other.loads).all(|(one, other)| one.1 == other.1);
    if is_same {
        let is_beside = |position: &usize| one.steps.iter().all(|(step, _)| step != position);
        let steps = other.steps.iter().map(|(step, _)| *step).filter(is_beside);
        let beside: Vec<usize> = steps.chain(other.beside.iter().copied()).collect();
        one.beside.extend(beside);
    }
    one
}

/// Bytes of the number whose fraction, or sign and fraction, is what is left of the highest word under a mask.
fn number_of_mask(mask: u64, size: usize) -> Option<u8> {
    match (size, mask & 0x7fff) {
        (2, 0x000f) => Some(8),
        (2, 0x007f) => Some(4),
        _ => None,
    }
}
