//! Where functions take their arguments and leave their values: System V ABI for x86-64, section 3.2.3.

use crate::table::{Row, Rule};
use crate::{Format, Function};
use alloc::vec;
use alloc::vec::Vec;

/// Where a number is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In a vector register, from this byte on.
    Vector { register: usize, byte: usize },
    /// This far above the stack pointer at the entry.
    Stack { distance: u64 },
    /// In st(`position`).
    X87 { position: usize },
    /// Where the general register with this number points at the entry, in encoding order.
    Pointer { register: usize },
}

/// How many numbers a function takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Real(usize),
    Complex(usize),
    /// One number of the function's type, and one of 80 bits.
    Toward,
}

/// Places of a function's floating-point arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FloatArguments {
    /// How many vector registers hold some, from xmm0 on.
    pub registers: usize,
    /// Bytes of each of these registers that belong to arguments.
    pub bytes: usize,
    /// 80-bit numbers above the return address, 16 bytes apart.
    pub extended: usize,
}

/// Number of rdi and rsi.
const RDI: usize = 7;
const RSI: usize = 6;

impl FloatArguments {
    pub fn of(kind: Kind, format: Format) -> FloatArguments {
        let in_registers = |registers, bytes| FloatArguments { registers, bytes, extended: 0 };
        let on_stack = |extended| FloatArguments { extended, ..FloatArguments::default() };
        match (kind, format) {
            (Kind::Real(count), Format::Binary32) => in_registers(count, 4),
            (Kind::Real(count), Format::Binary64) => in_registers(count, 8),
            (Kind::Real(count), Format::Binary128) => in_registers(count, 16),
            (Kind::Real(count), Format::Extended) => on_stack(count),
            // Both parts are in one register.
            (Kind::Complex(count), Format::Binary32) => in_registers(count, 8),
            (Kind::Complex(count), Format::Binary64) => in_registers(2 * count, 8),
            (Kind::Complex(count), Format::Extended | Format::Binary128) => on_stack(2 * count),
            (Kind::Toward, Format::Binary32) => FloatArguments { registers: 1, bytes: 4, extended: 1 },
            (Kind::Toward, Format::Extended) => on_stack(2),
            (Kind::Toward, _) => FloatArguments { registers: 1, bytes: 8, extended: 1 },
        }
    }
}

/// How many numbers a function of the table takes.
pub(crate) fn kind(row: usize) -> Kind {
    match Row::<f64>::ALL[row].rule {
        Rule::Instructions(count) | Rule::Constant(count) => Kind::Real(count),
        Rule::One(_) | Rule::WithInteger(_) | Rule::SineAndCosine => Kind::Real(1),
        Rule::Two(_) | Rule::EachOfTwo(_) => Kind::Real(2),
        Rule::Complex(_) | Rule::ComplexParts(_) | Rule::OfComplex(_) => Kind::Complex(1),
        Rule::ComplexTwo(_) => Kind::Complex(2),
    }
}

impl Function {
    /// Where the arguments are, for tests whether one is active.
    pub fn float_arguments(self) -> FloatArguments {
        FloatArguments::of(kind(self.row), self.format)
    }

    /// Where each argument is at the entry; real and imaginary parts are arguments of their own.
    pub fn arguments(self) -> Vec<Place> {
        let (count, is_complex) = match kind(self.row) {
            Kind::Real(count) => (count, false),
            Kind::Complex(count) => (2 * count, true),
            Kind::Toward => (1, false),
        };
        (0..count).map(|number| argument(number, is_complex, self.format)).collect()
    }

    /// Where each value is at the return.
    pub fn values(self) -> Vec<Place> {
        let is_complex = match Row::<f64>::ALL[self.row].rule {
            Rule::SineAndCosine => {
                return vec![Place::Pointer { register: RDI }, Place::Pointer { register: RSI }];
            }
            Rule::Complex(_) | Rule::ComplexTwo(_) | Rule::ComplexParts(_) => true,
            _ => false,
        };
        let count = if is_complex { 2 } else { 1 };
        let place = |number| match self.format {
            Format::Extended => Place::X87 { position: number },
            format => argument(number, is_complex, format),
        };
        (0..count).map(place).collect()
    }
}

fn argument(number: usize, is_complex: bool, format: Format) -> Place {
    match format {
        Format::Extended => Place::Stack { distance: 8 + 16 * number as u64 },
        Format::Binary32 if is_complex => Place::Vector { register: number / 2, byte: 4 * (number % 2) },
        _ => Place::Vector { register: number, byte: 0 },
    }
}
