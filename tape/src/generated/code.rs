//! Machine code for one structure.
//!
//! It begins with checks, after any of which it leaves as if it had not been entered. Then come the lanes, whose sums
//! are kept in registers, and the last check. Nothing is written to cells before all checks are passed.

use super::accumulators::{Accumulators, Home};
use super::assembler::{at, cell, Arithmetic, Assembler, Source};
use super::assembler::{ADD, DIVIDE, MULTIPLY, SQUARE_ROOT, SUBTRACT, WIDEN};
use super::frame::{go_on, CELLS, END, FIRST, INDEX, KEEPERS, ONE, OWN, SCRATCH, TABLE};
use super::lanes::{lanes, uses, Lane};
use super::observed::{Place, Seen};
use super::state::{field, slot, Entry, State, SLOTS};
use crate::structure::{Element, Function, Structure, BINARY32_MARK};
use iced_x86::{Code, Instruction, MemoryOperand, Register};
use std::mem::offset_of;

/// XMM registers for intermediate numbers.
const BAR: u32 = 0;
const TERM: u32 = 1;
const PARTIAL: u32 = 2;

/// Structures with more operations have no code: they are rare, and long enough for the interpreter.
const MOST_OPERATIONS: u32 = 1500;
/// Nor have those with more bytes: what is before the first execution is compared as an address, which must not wrap
/// around. The lowest 64 kB of the address space are never mapped.
const MOST_BYTES: u32 = 48 << 10;
/// How many earlier executions of the same structure a prefetch looks ahead; and bytes.
const AHEAD: u32 = 2;
const TAPE_AHEAD: i64 = 4096;

/// Where code goes that leaves, and which registers the processor has.
#[derive(Clone, Copy)]
pub struct Surroundings {
    pub exit: u64,
    pub registers: u32,
}

/// Sums are those of results, then those of places of the payload.
struct Compiler<'a> {
    assembler: Assembler,
    surroundings: Surroundings,
    structure: &'a Structure,
    places: &'a [Place],
    /// Bytes of an execution.
    length: i64,
    sums: Accumulators,
    /// The divisor in the payload whose reciprocal is in `PARTIAL`: several quotients often share one.
    reciprocal: Option<(Element, Option<u32>)>,
    /// Registers with the indices of places.
    kept: Vec<Option<Register>>,
}

/// The code of the structure with this number, to stand at `address`; none if it can have none.
pub fn compile(
    number: u32,
    structure: &Structure,
    places: &[Place],
    address: u64,
    surroundings: Surroundings,
) -> Option<Vec<u8>> {
    let operations: u32 = structure.operations.iter().map(|operation| u32::from(operation.lanes)).sum();
    let is_short = structure.payload <= MOST_BYTES;
    let is_possible = places.iter().all(|place| !matches!(place.seen, Seen::Own(own) if own >= place.limit));
    if operations > MOST_OPERATIONS || structure.results > 2 * MOST_OPERATIONS || !is_short || !is_possible {
        return None;
    }
    let lanes = lanes(structure, places);
    let sums = Accumulators::new(uses(&lanes, structure, places), surroundings.registers);
    let mut compiler = Compiler {
        assembler: Assembler::new(address),
        surroundings,
        structure,
        places,
        length: i64::from(structure.payload) + 4,
        sums,
        reciprocal: None,
        kept: vec![None; places.len()],
    };
    compiler.begin();
    compiler.prefetch(number);
    compiler.check_places();
    for (position, lane) in lanes.iter().enumerate() {
        compiler.lane(lane, position as u32);
    }
    compiler.check_sums();
    compiler.add_to_cells();
    compiler.clear_own_cells();
    compiler.assembler.address_of(END, at(END, -compiler.length));
    compiler.assembler.emit(Instruction::with2(Code::Mov_r64_rm64, INDEX, FIRST));
    go_on(&mut compiler.assembler, surroundings.exit);
    if compiler.sums.slots() > SLOTS {
        return None;
    }
    compiler.assembler.finish()
}

impl Compiler<'_> {
    /// The payload at this offset.
    fn payload(&self, offset: u32) -> MemoryOperand {
        at(END, i64::from(offset) - self.length)
    }

    /// Check that the execution lies within what is swept.
    fn begin(&mut self) {
        let exit = self.surroundings.exit;
        let length = self.length;
        let results = i64::from(self.structure.results);
        let assembler = &mut self.assembler;
        assembler.address_of(SCRATCH, at(END, -length));
        assembler.emit(Instruction::with2(Code::Cmp_r64_rm64, SCRATCH, field(offset_of!(State, lowest))));
        assembler.jump(Code::Jb_rel32_64, exit);
        assembler.address_of(FIRST, at(INDEX, -results));
        assembler.emit(Instruction::with2(Code::Cmp_r64_rm64, FIRST, field(offset_of!(State, stop))));
        assembler.jump(Code::Jl_rel32_64, exit);
        let own = MemoryOperand::with_base_index_scale(CELLS, FIRST, 8);
        assembler.address_of(OWN, own);
    }

    /// Bring into the cache the cells that will be needed some executions later: if the distance from the last
    /// execution of this structure to this one is that of the next ones, their indices are at known places of the
    /// tape.
    fn prefetch(&mut self, number: u32) {
        let length = self.length;
        let guess = KEEPERS[0];
        let entry = i64::from(number) * size_of::<Entry>() as i64;
        let last = at(TABLE, entry + offset_of!(Entry, last) as i64);
        let assembler = &mut self.assembler;
        for line in (0..length).step_by(64) {
            assembler.emit(Instruction::with1(Code::Prefetcht0_m8, at(END, line - length - TAPE_AHEAD)));
        }
        let places = self.places.iter().filter(|place| matches!(place.seen, Seen::Never | Seen::Earlier));
        if places.clone().count() == 0 {
            return;
        }
        assembler.load_general(guess, last);
        assembler.store_general(last, END);
        assembler.emit(Instruction::with2(Code::Sub_r64_rm64, guess, END));
        assembler.emit(Instruction::with2(Code::Shl_rm64_imm8, guess, AHEAD.trailing_zeros()));
        assembler.emit(Instruction::with1(Code::Neg_rm64, guess));
        assembler.emit(Instruction::with2(Code::Add_r64_rm64, guess, SCRATCH));
        // Whatever it is, it must be within the executions and not behind this one.
        let start = field(offset_of!(State, start));
        assembler.emit(Instruction::with2(Code::Cmp_r64_rm64, guess, start));
        assembler.emit(Instruction::with2(Code::Cmovb_r64_rm64, guess, start));
        assembler.emit(Instruction::with2(Code::Cmp_r64_rm64, guess, SCRATCH));
        assembler.emit(Instruction::with2(Code::Cmova_r64_rm64, guess, SCRATCH));
        for place in places {
            let code = if place.is_wide { Code::Mov_r64_rm64 } else { Code::Mov_r32_rm32 };
            let target = if place.is_wide { SCRATCH } else { Register::EAX };
            assembler.emit(Instruction::with2(code, target, at(guess, i64::from(place.offset))));
            assembler.emit(Instruction::with1(Code::Prefetcht0_m8, cell(CELLS, SCRATCH)));
        }
    }

    /// Load the index at a place.
    fn load_index(&mut self, place: Place, register: Register) {
        let memory = self.payload(place.offset);
        if place.is_wide {
            self.assembler.load_general(register, memory);
            return;
        }
        let half = register.full_register32();
        self.assembler.emit(Instruction::with2(Code::Mov_r32_rm32, half, memory));
        self.assembler.emit(Instruction::with2(Code::And_rm32_imm32, half, !BINARY32_MARK));
    }

    /// Leave if an index is not what it has been.
    fn check_places(&mut self) {
        let exit = self.surroundings.exit;
        let mut keepers = KEEPERS.into_iter();
        for (number, place) in self.places.iter().enumerate() {
            match place.seen {
                Seen::Never | Seen::Earlier => {
                    let keeper = keepers.next();
                    let register = keeper.unwrap_or(SCRATCH);
                    self.kept[number] = keeper;
                    self.load_index(*place, register);
                    self.assembler.emit(Instruction::with2(Code::Cmp_r64_rm64, register, FIRST));
                    self.assembler.jump(Code::Jae_rel32_64, exit);
                }
                Seen::Passive => {
                    self.load_index(*place, SCRATCH);
                    self.assembler.emit(Instruction::with2(Code::Test_rm64_r64, SCRATCH, SCRATCH));
                    self.assembler.jump(Code::Jne_rel32_64, exit);
                }
                Seen::Own(own) => {
                    self.load_index(*place, SCRATCH);
                    self.assembler.emit(Instruction::with2(Code::Sub_r64_rm64, SCRATCH, FIRST));
                    self.assembler.emit(Instruction::with2(Code::Cmp_rm64_imm32, SCRATCH, own as i32));
                    self.assembler.jump(Code::Jne_rel32_64, exit);
                }
            }
        }
    }

    fn own_cell(&self, result: usize) -> MemoryOperand {
        at(OWN, 8 * result as i64)
    }

    /// Propagate the adjoint of one result.
    fn lane(&mut self, lane: &Lane, position: u32) {
        let home = self.sums.homes[lane.result];
        let (bar, pinned) = match home {
            Home::Nowhere => {
                self.assembler.load(BAR, self.own_cell(lane.result));
                (BAR, None)
            }
            Home::Register(register) => (register, Some(register)),
            Home::Slot(number) => {
                self.assembler.load(BAR, slot(number));
                (BAR, None)
            }
        };
        let is_bar_negative = home != Home::Nowhere && self.sums.negative[lane.result];
        for (number, operand) in lane.operands.iter().enumerate() {
            let Some(term) = *operand else { continue };
            let (contribution, is_partial_negative) = self.contribution(lane, number, bar);
            let is_negated = term.is_negated ^ is_bar_negative ^ is_partial_negative;
            self.sums.advance(term.sum, position + 1);
            self.add(term.sum, contribution, is_negated, pinned);
        }
        self.sums.release(lane.result);
    }

    /// The register with the product of the adjoint and the partial derivative with respect to an operand, and whether
    /// its sign is the opposite one.
    fn contribution(&mut self, lane: &Lane, number: usize, bar: u32) -> (u32, bool) {
        let half = field(offset_of!(State, half));
        let is_negative = match (lane.function, number) {
            (Function::Input | Function::Sum, _) => return (bar, false),
            (Function::Linear, number) => return self.product(lane, number, bar),
            (Function::Product, number) => return self.product(lane, 1 - number, bar),
            (Function::Quotient, 0) => {
                self.reciprocal_of(lane);
                false
            }
            (Function::Quotient, _) => {
                self.reciprocal = None;
                self.value(PARTIAL, lane, 1);
                self.with_value(DIVIDE, PARTIAL, PARTIAL, lane, 0);
                true
            }
            (Function::SquareRoot, _) => {
                self.reciprocal = None;
                self.assembler.load(PARTIAL, half);
                self.with_value(DIVIDE, PARTIAL, PARTIAL, lane, 0);
                false
            }
            (Function::Reciprocal, _) => {
                self.reciprocal = None;
                self.value(PARTIAL, lane, 0);
                self.with_value(MULTIPLY, PARTIAL, PARTIAL, lane, 0);
                self.assembler.arithmetic(DIVIDE, PARTIAL, ONE, Source::Xmm(PARTIAL));
                true
            }
            (Function::ReciprocalSquareRoot, _) => {
                self.reciprocal = None;
                self.value(TERM, lane, 0);
                self.assembler.arithmetic(SQUARE_ROOT, PARTIAL, TERM, Source::Xmm(TERM));
                self.assembler.arithmetic(MULTIPLY, PARTIAL, TERM, Source::Xmm(PARTIAL));
                self.assembler.load(TERM, half);
                self.assembler.arithmetic(DIVIDE, PARTIAL, TERM, Source::Xmm(PARTIAL));
                true
            }
        };
        self.assembler.arithmetic(MULTIPLY, TERM, PARTIAL, Source::Xmm(bar));
        (TERM, is_negative)
    }

    /// PARTIAL := one over the divisor.
    fn reciprocal_of(&mut self, lane: &Lane) {
        let divisor = Some((lane.element, lane.values[0]));
        if self.reciprocal != divisor {
            self.with_value(DIVIDE, PARTIAL, ONE, lane, 0);
            self.reciprocal = divisor;
        }
    }

    /// The adjoint times a value of the payload.
    fn product(&mut self, lane: &Lane, value: usize, bar: u32) -> (u32, bool) {
        self.with_value(MULTIPLY, TERM, bar, lane, value);
        (TERM, false)
    }

    fn value(&mut self, target: u32, lane: &Lane, value: usize) {
        let memory = self.payload(lane.values[value].unwrap_or_default());
        match lane.element {
            Element::Binary64 => self.assembler.load(target, memory),
            // The upper half is of no interest; that of a constant is there early.
            Element::Binary32 => self.assembler.arithmetic(WIDEN, target, ONE, Source::Memory(memory)),
        }
    }

    /// `target = first (operation) value`.
    fn with_value(&mut self, operation: Arithmetic, target: u32, first: u32, lane: &Lane, value: usize) {
        match lane.element {
            Element::Binary64 => {
                let memory = self.payload(lane.values[value].unwrap_or_default());
                self.assembler.arithmetic(operation, target, first, Source::Memory(memory));
            }
            Element::Binary32 => {
                self.value(TERM, lane, value);
                self.assembler.arithmetic(operation, target, first, Source::Xmm(TERM));
            }
        }
    }

    /// Add a contribution to a sum, or subtract it.
    fn add(&mut self, sum: usize, contribution: u32, is_negated: bool, pinned: Option<u32>) {
        let before = self.sums.homes[sum];
        let register = self.sums.take_register(sum, pinned, &mut self.assembler);
        let first = match before {
            Home::Nowhere => {
                self.sums.negative[sum] = is_negated;
                if sum >= self.structure.results as usize {
                    self.assembler.copy(register, contribution);
                    return;
                }
                // What later executions have added.
                let own = self.own_cell(sum);
                if is_negated {
                    self.assembler.arithmetic(SUBTRACT, register, contribution, Source::Memory(own));
                } else {
                    self.assembler.arithmetic(ADD, register, contribution, Source::Memory(own));
                }
                return;
            }
            Home::Register(register) => register,
            Home::Slot(number) => {
                self.assembler.load(register, slot(number));
                register
            }
        };
        let operation = if is_negated == self.sums.negative[sum] { ADD } else { SUBTRACT };
        self.assembler.arithmetic(operation, register, first, Source::Xmm(contribution));
    }

    /// Sums of places, as they are now.
    fn sums_of_places(&self) -> Vec<(usize, Home)> {
        let results = self.structure.results as usize;
        let homes = self.sums.homes[results..].iter().copied().enumerate();
        homes.filter(|(_, home)| *home != Home::Nowhere).collect()
    }

    /// Leave if a contribution is NaN: it may come from a zero, and should then not be there. A product that is NaN
    /// makes all sums NaN that depend on it, so that a test of their sum finds it. Rarely that is NaN without a reason.
    fn check_sums(&mut self) {
        let sums = self.sums_of_places();
        let mut total = None;
        for (_, home) in &sums {
            let source = match *home {
                Home::Nowhere => continue,
                Home::Register(register) => Source::Xmm(register),
                Home::Slot(number) => Source::Memory(slot(number)),
            };
            match (total, source) {
                (None, Source::Xmm(register)) => total = Some(register),
                (None, Source::Memory(memory)) => {
                    self.assembler.load(TERM, memory);
                    total = Some(TERM);
                }
                (Some(first), source) => {
                    self.assembler.arithmetic(ADD, TERM, first, source);
                    total = Some(TERM);
                }
            }
        }
        if let Some(mut total) = total {
            if total >= 16 {
                self.assembler.copy(TERM, total);
                total = TERM;
            }
            self.assembler.jump_if_nan(total, self.surroundings.exit);
        }
    }

    /// Add the sums of places to the cells of their indices. Two places may have the same index.
    fn add_to_cells(&mut self) {
        let results = self.structure.results as usize;
        for (number, home) in self.sums_of_places() {
            let place = self.places[number];
            let index = self.kept[number].unwrap_or(SCRATCH);
            if index == SCRATCH {
                self.load_index(place, SCRATCH);
            }
            let target = cell(CELLS, index);
            let is_negative = self.sums.negative[results + number];
            let (register, source) = match home {
                Home::Nowhere => continue,
                Home::Register(register) => (register, Source::Xmm(register)),
                Home::Slot(number) => (TERM, Source::Memory(slot(number))),
            };
            if is_negative {
                self.assembler.load(TERM, target);
                self.assembler.arithmetic(SUBTRACT, TERM, TERM, source);
                self.assembler.store(target, TERM);
                continue;
            }
            if register == TERM {
                self.assembler.load(TERM, target);
                self.assembler.arithmetic(ADD, TERM, TERM, source);
            } else {
                self.assembler.arithmetic(ADD, register, register, Source::Memory(target));
            }
            self.assembler.store(target, register);
        }
    }

    /// Nothing refers to this execution's results any more: cells that are zero again can be used again.
    fn clear_own_cells(&mut self) {
        let zero = Register::YMM0 + TERM;
        let half = Register::XMM0 + TERM;
        self.assembler.emit(Instruction::with3(Code::VEX_Vxorps_xmm_xmm_xmmm128, half, half, half));
        let mut result = 0;
        let results = self.structure.results as usize;
        while result < results {
            let left = results - result;
            let memory = self.own_cell(result);
            if left >= 4 {
                self.assembler.emit(Instruction::with2(Code::VEX_Vmovups_ymmm256_ymm, memory, zero));
                result += 4;
            } else if left >= 2 {
                self.assembler.emit(Instruction::with2(Code::VEX_Vmovups_xmmm128_xmm, memory, half));
                result += 2;
            } else {
                self.assembler.store(memory, TERM);
                result += 1;
            }
        }
    }
}
