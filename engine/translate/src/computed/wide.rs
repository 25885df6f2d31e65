//! EVEX arithmetic, lane by lane: all of it where it is recorded, and what is rare in forward mode, too.
//!
//! A lane that the mask leaves alone keeps its shadow. Lanes that are cleared, and what lies above the register, become
//! passive. Memory is read by lanes, since lanes that are masked off may lie where nothing is mapped.

use super::{bits, narrow, numbers, Change, Machine, Place, Real, Seen, Term};
use crate::rounding;
use crate::rules::{self, Addend, Binary, Element, Lanes, Order, Rule, Unary, Wide};
use crate::wide_operations::{computed_lanes, is_fused, result_bytes, WideShape};
use alloc::vec::Vec;
use iced_x86::{Instruction, OpKind};

/// Bytes of a whole register.
const REGISTER: usize = 64;
/// Bytes that a scalar instruction writes.
const SCALAR: usize = 16;

pub(super) fn real(bytes: usize) -> Real {
    match bytes {
        2 => Real::Binary16,
        4 => Real::Binary32,
        _ => Real::Binary64,
    }
}

/// An instruction, and the values in front of it.
pub(super) struct Operation<'a> {
    pub instruction: &'a Instruction,
    pub machine: &'a Machine<'a>,
}

impl Operation<'_> {
    /// Where a lane of an operand is; all lanes of an embedded broadcast are one.
    pub fn place(&self, operand: u32, lane: usize, bytes: usize) -> Option<Place> {
        match self.instruction.op_kind(operand) {
            OpKind::Register => {
                let register = self.instruction.op_register(operand).number();
                Some(Place::Vector { register, byte: lane * bytes })
            }
            OpKind::Memory => {
                let address = self.machine.address(self.instruction, operand)?;
                let lane = if self.instruction.is_broadcast() { 0 } else { lane };
                Some(Place::Memory { address }.offset_by(lane * bytes))
            }
            _ => None,
        }
    }

    /// Bits of a lane.
    pub fn bits(&self, place: Place, bytes: usize) -> Option<u64> {
        let mut word = [0; 8];
        match place {
            Place::Vector { register, byte } => {
                word[..bytes].copy_from_slice(&self.machine.vectors[register][byte..byte + bytes]);
            }
            Place::Memory { address } if !(self.machine.read)(address, &mut word[..bytes]) => return None,
            Place::Memory { .. } => {}
            _ => return None,
        }
        Some(u64::from_le_bytes(word))
    }

    /// Value of a lane, and its place as a term with partial derivative 1.
    fn number(&self, operand: u32, lane: usize, bytes: usize) -> Option<(f64, Term)> {
        self.real(operand, lane, real(bytes))
    }

    pub fn real(&self, operand: u32, lane: usize, real: Real) -> Option<(f64, Term)> {
        let from = self.place(operand, lane, real.size())?;
        let bits = self.bits(from, real.size())?;
        let value = match real {
            Real::Bfloat16 | Real::Binary16 => narrow::value(real, bits as u16),
            Real::Binary32 => f64::from(f32::from_bits(bits as u32)),
            Real::Binary64 | Real::Extended => f64::from_bits(bits),
        };
        Some((value, Term { from, real, partial: 1.0 }))
    }

    /// Is an addend a constant that rounds the number given? Only sums for which this may be so have a computed rule.
    fn rounds(&self, addend: u32, rounded: f64, lane: usize, bytes: usize) -> Option<bool> {
        if bytes == 2 {
            return Some(false);
        }
        let bits = self.bits(self.place(addend, lane, bytes)?, bytes)?;
        Some(rounding::rounds(bytes, bits, rounded))
    }

    /// The mask of the instruction.
    pub fn mask(&self) -> u64 {
        match self.instruction.op_mask() {
            iced_x86::Register::None => !0,
            mask => self.machine.masks[mask.number()],
        }
    }

    /// Bytes of a vector operand, in registers or memory, without regard to a broadcast.
    fn vector_bytes(&self, operand: u32) -> usize {
        match self.instruction.op_kind(operand) {
            OpKind::Register => self.instruction.op_register(operand).size(),
            _ => self.instruction.code().op_code().memory_size().size(),
        }
    }

    /// What happens to the target where lanes become shorter: they go to the lower part of a register, or to memory.
    pub fn by_shorter_lanes(
        &self,
        [before, after]: [usize; 2],
        lane: impl Fn(usize) -> Option<Vec<Change>>,
    ) -> Option<Vec<Change>> {
        let count = self.vector_bytes(1) / before;
        let is_register = self.instruction.op0_kind() == OpKind::Register;
        let mut changes = Vec::new();
        if is_register {
            let to = self.place(0, count, after)?;
            changes.push(Change::Zero { to, size: REGISTER - count * after });
        }
        for number in 0..count {
            let to = self.place(0, number, after)?;
            if self.mask() >> number & 1 != 0 {
                changes.extend(lane(number)?);
            } else if self.instruction.zeroing_masking() {
                changes.push(Change::Zero { to, size: after });
            } else if is_register {
                changes.push(Change::Copy { to, from: to, size: after });
            }
        }
        Some(changes)
    }

    /// What happens to the whole target, if `lane` says it for the lanes that are computed.
    pub fn by_lanes(
        &self,
        shape: WideShape,
        lane: impl Fn(usize) -> Option<Vec<Change>>,
    ) -> Option<Vec<Change>> {
        self.by_lanes_where(shape, |number| self.mask() >> number & 1 != 0, lane)
    }

    /// The same for lanes of another size than those of the mask.
    pub fn by_lanes_where(
        &self,
        shape: WideShape,
        is_computed: impl Fn(usize) -> bool,
        lane: impl Fn(usize) -> Option<Vec<Change>>,
    ) -> Option<Vec<Change>> {
        let target = self.instruction.op0_register().number();
        let to = |byte| Place::Vector { register: target, byte };
        let size = if shape.scalar { SCALAR } else { result_bytes(self.instruction, shape) };
        let mut changes = Vec::new();
        changes.push(Change::Zero { to: to(size), size: REGISTER - size });
        let is_fused = is_fused(self.instruction);
        if shape.scalar {
            let register = if is_fused { target } else { self.instruction.op1_register().number() };
            let from = Place::Vector { register, byte: shape.bytes };
            changes.push(Change::Copy { to: to(shape.bytes), from, size: SCALAR - shape.bytes });
        }
        let count = if shape.scalar { 1 } else { size / shape.bytes };
        for number in 0..count {
            if is_computed(number) {
                changes.extend(lane(number)?);
                continue;
            }
            let (to, size) = (to(number * shape.bytes), shape.bytes);
            changes.push(if shape.zeroes {
                Change::Zero { to, size }
            } else {
                Change::Copy { to, from: to, size }
            });
        }
        Some(changes)
    }
}

/// The rules of EVEX encodings.
pub(super) fn changes(instruction: &Instruction, seen: &Seen, rule: Rule) -> Option<Vec<Change>> {
    let machine = seen.machine;
    match rule {
        Rule::Wide(Wide::Range(element, lanes)) => range(instruction, machine, element, lanes),
        Rule::Wide(Wide::FixUp(element, lanes)) => fix_up(instruction, machine, element, lanes),
        Rule::ConvertNarrow(from, to, lanes) => narrow::converted(instruction, machine, from, to, lanes),
        Rule::ConvertPair => narrow::converted_pair(instruction, machine),
        Rule::SumOfProducts => narrow::sum_of_products(instruction, machine),
        Rule::ComplexProduct { conjugates, adds, lanes } => {
            narrow::complex_product(instruction, machine, conjugates, adds, lanes)
        }
        Rule::Wide(Wide::Ternary(_)) | Rule::Logic(_) | Rule::Bits => bits::wide(instruction, seen),
        _ => arithmetic(instruction, machine, rule),
    }
}

/// The rules of [`crate::wide_arithmetic`].
fn arithmetic(instruction: &Instruction, machine: &Machine, rule: Rule) -> Option<Vec<Change>> {
    let shape = computed_lanes(instruction, rule)?;
    let operation = Operation { instruction, machine };
    let register = instruction.op0_register().number();
    operation.by_lanes(shape, |lane| {
        let terms = terms(&operation, rules::on_binary32(rule), shape.bytes, lane)?;
        let to = Place::Vector { register, byte: lane * shape.bytes };
        Some(alloc::vec![Change::Linear { to, real: real(shape.bytes), terms }])
    })
}

fn times(term: Term, partial: f64) -> Term {
    Term { partial, ..term }
}

/// What a lane of the result depends on.
fn terms(operation: &Operation, rule: Rule, bytes: usize, lane: usize) -> Option<Vec<Term>> {
    let number = |operand| operation.number(operand, lane, bytes);
    let last = operation.instruction.op_count() - 1;
    let terms = match rule {
        Rule::Binary(binary, ..) => {
            let ((one, first), (other, second)) = (number(1)?, number(2)?);
            let rounds = |addend, rounded| operation.rounds(addend, rounded, lane, bytes);
            match binary {
                Binary::Add | Binary::Subtract if rounds(1, other)? || rounds(2, one)? => Vec::new(),
                Binary::Add => alloc::vec![first, second],
                Binary::Subtract => alloc::vec![first, times(second, -1.0)],
                Binary::Multiply => alloc::vec![times(first, other), times(second, one)],
                Binary::Divide => {
                    alloc::vec![times(first, 1.0 / other), times(second, -(one / other) / other)]
                }
                Binary::Minimum => alloc::vec![if one < other { first } else { second }],
                Binary::Maximum => alloc::vec![if one > other { first } else { second }],
            }
        }
        Rule::Unary(Unary::SquareRoot, ..) => {
            let (value, term) = number(last)?;
            alloc::vec![times(term, 0.5 / numbers::square_root(value))]
        }
        Rule::Wide(Wide::Reciprocal(..)) => {
            let (value, term) = number(last)?;
            alloc::vec![times(term, -1.0 / value / value)]
        }
        Rule::Wide(Wide::ReciprocalRoot(..)) => {
            let (value, term) = number(last)?;
            alloc::vec![times(term, -0.5 / value / numbers::square_root(value))]
        }
        Rule::Fused { negated, addend, order, .. } => fused(operation, bytes, lane, negated, addend, order)?,
        Rule::Convert(from, _) => {
            let bytes = if from == Element::F32 { 4 } else { 8 };
            alloc::vec![operation.number(last, lane, bytes)?.1]
        }
        Rule::Wide(Wide::Scale(..)) => {
            let ((_, term), (exponent, _)) = (number(1)?, number(2)?);
            alloc::vec![times(term, numbers::power_of_two(exponent))]
        }
        Rule::Wide(Wide::Mantissa(..)) => {
            let (value, term) = number(last - 1)?;
            let immediate = operation.instruction.immediate8();
            alloc::vec![times(term, numbers::mantissa_partial(value, immediate))]
        }
        Rule::Wide(Wide::Reduce(..)) => alloc::vec![number(last - 1)?.1],
        Rule::Wide(Wide::PassiveLanes(..)) => Vec::new(),
        _ => return None,
    };
    Some(terms)
}

fn fused(
    operation: &Operation,
    bytes: usize,
    lane: usize,
    negated: bool,
    addend: Addend,
    order: Order,
) -> Option<Vec<Term>> {
    let (factors, summand) = match order {
        Order::O132 => ([0, 2], 1),
        Order::O213 => ([0, 1], 2),
        Order::O231 => ([1, 2], 0),
    };
    let [one, other] = factors.map(|operand| operation.number(operand, lane, bytes));
    let ((one, first), (other, second)) = (one?, other?);
    let (_, added) = operation.number(summand, lane, bytes)?;
    if operation.rounds(summand, one * other, lane, bytes)? {
        return Some(Vec::new());
    }
    let product = if negated { -1.0 } else { 1.0 };
    let is_odd = lane % 2 != 0;
    let adds = match addend {
        Addend::Plus => true,
        Addend::Minus => false,
        Addend::MinusPlus => is_odd,
        Addend::PlusMinus => !is_odd,
    };
    let sign = if adds { 1.0 } else { -1.0 };
    Some(alloc::vec![times(first, product * other), times(second, product * one), times(added, sign)])
}

/// `vrange`: the operand whose absolute value the result has, with the sign of the result.
fn range(
    instruction: &Instruction,
    machine: &Machine,
    element: Element,
    lanes: Lanes,
) -> Option<Vec<Change>> {
    let shape = WideShape::of_element(instruction, element, lanes);
    let operation = Operation { instruction, machine };
    let immediate = instruction.immediate8();
    let register = instruction.op0_register().number();
    operation.by_lanes(shape, |lane| {
        let (one, first) = operation.number(1, lane, shape.bytes)?;
        let (other, second) = operation.number(2, lane, shape.bytes)?;
        let takes_first = match immediate & 3 {
            // A quiet NaN loses against a number (Intel SDM volume 2, VRANGEPD).
            _ if other.is_nan() => true,
            _ if one.is_nan() => false,
            0 => numbers::is_not_greater(one, other),
            1 => !numbers::is_not_greater(one, other),
            2 => one.abs() < other.abs() || one.abs() == other.abs() && numbers::is_not_greater(one, other),
            _ => one.abs() > other.abs() || one.abs() == other.abs() && !numbers::is_not_greater(one, other),
        };
        let (value, term) = if takes_first { (one, first) } else { (other, second) };
        let negative = match immediate >> 2 & 3 {
            0 => one.is_sign_negative(),
            1 => value.is_sign_negative(),
            2 => false,
            _ => true,
        };
        let sign = if negative == value.is_sign_negative() { 1.0 } else { -1.0 };
        let to = Place::Vector { register, byte: lane * shape.bytes };
        let terms = alloc::vec![times(term, sign)];
        Some(alloc::vec![Change::Linear { to, real: real(shape.bytes), terms }])
    })
}

/// `vfixupimm`: a class of the first source chooses the old target, the first source, or a constant.
fn fix_up(
    instruction: &Instruction,
    machine: &Machine,
    element: Element,
    lanes: Lanes,
) -> Option<Vec<Change>> {
    let shape = WideShape::of_element(instruction, element, lanes);
    let operation = Operation { instruction, machine };
    let register = instruction.op0_register().number();
    operation.by_lanes(shape, |lane| {
        let bytes = shape.bytes;
        let source = operation.place(1, lane, bytes)?;
        let class = numbers::class(operation.bits(source, bytes)?, bytes);
        let table = operation.bits(operation.place(2, lane, bytes)?, bytes)?;
        let to = Place::Vector { register, byte: lane * bytes };
        Some(match table >> (4 * class) & 0xf {
            0 => alloc::vec![Change::Copy { to, from: to, size: bytes }],
            1 => alloc::vec![Change::Copy { to, from: source, size: bytes }],
            _ => alloc::vec![Change::Zero { to, size: bytes }],
        })
    })
}
