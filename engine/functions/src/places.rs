//! Where functions take their arguments and leave their values: System V ABI for x86-64, section 3.2.3.

use crate::table::{Row, Rule};
use crate::vectors::{Mask, Vector};
use crate::{Format, Function, Which};
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
    /// Where the address points that a vector register holds at the entry, from this byte on.
    PointerInVector { register: usize, byte: usize },
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
        Rule::Three(_) | Rule::ThreeOfExtended(_) => Kind::Real(3),
        Rule::Complex(_) | Rule::ComplexParts(_) | Rule::OfComplex(_) => Kind::Complex(1),
        Rule::ComplexTwo(_) => Kind::Complex(2),
    }
}

/// Numbers and pointers that a version for vectors takes; `None` if there is none.
pub(crate) fn vector_parameters(row: usize) -> Option<usize> {
    match (Row::<f64>::ALL[row].rule, kind(row)) {
        (Rule::WithInteger(_), _) => None,
        (Rule::SineAndCosine, _) => Some(3),
        (_, Kind::Real(count)) => Some(count),
        _ => None,
    }
}

/// Do the values go through pointers?
pub(crate) fn takes_pointers(row: usize) -> bool {
    matches!(Row::<f64>::ALL[row].rule, Rule::SineAndCosine)
}

/// Is the value a complex number?
fn is_complex(row: usize) -> bool {
    matches!(Row::<f64>::ALL[row].rule, Rule::Complex(_) | Rule::ComplexTwo(_) | Rule::ComplexParts(_))
}

impl Function {
    fn kind(self) -> Kind {
        match self.which {
            Which::Row(row) => kind(row),
            Which::User(user) => Kind::Real(user.arguments),
        }
    }

    /// Where the arguments are, for tests whether one is active.
    pub fn float_arguments(self) -> FloatArguments {
        let arguments = FloatArguments::of(self.kind(), self.format);
        match self.vector {
            None => arguments,
            Some(vector) => FloatArguments {
                registers: arguments.registers + self.kept_values(vector),
                bytes: vector.lanes * arguments.bytes,
                extended: 0,
            },
        }
    }

    /// Where each argument is at the entry, lane by lane; real and imaginary parts are arguments of their own.
    pub fn arguments(self) -> Vec<Place> {
        let (count, is_complex) = match self.kind() {
            Kind::Real(count) => (count, false),
            Kind::Complex(count) => (2 * count, true),
            Kind::Toward => (1, false),
        };
        let Some(vector) = self.vector else {
            return (0..count).map(|number| argument(number, is_complex, self.format)).collect();
        };
        let (size, kept) = (self.size(), self.kept_values(vector));
        let registers = (kept..kept + count).chain(0..kept);
        let lane =
            |lane| registers.clone().map(move |register| Place::Vector { register, byte: lane * size });
        (0..vector.lanes).flat_map(lane).collect()
    }

    /// How many registers in front of the arguments have values of lanes that a mask excludes.
    fn kept_values(self, vector: Vector) -> usize {
        match vector.mask {
            Mask::Register => self.values_of_lane(),
            Mask::All | Mask::Behind => 0,
        }
    }

    /// Where the highest byte of each lane is in a vector that is a mask.
    pub fn mask_behind(self) -> Vec<Place> {
        let Some(vector) = self.vector.filter(|vector| vector.mask == Mask::Behind) else {
            return Vec::new();
        };
        let (size, register) = (self.size(), self.float_arguments().registers);
        let place = |lane| Place::Vector { register, byte: lane * size + size - 1 };
        (0..vector.lanes).map(place).collect()
    }

    /// Values in registers.
    fn values_of_lane(self) -> usize {
        match self.which {
            Which::Row(row) if is_complex(row) || takes_pointers(row) => 2,
            _ => 1,
        }
    }

    /// Where each value is at the return, lane by lane.
    pub fn values(self) -> Vec<Place> {
        let has_pointers = self.vector.is_none_or(|vector| vector.pointer_register > 0);
        let is_complex = match self.which {
            Which::Row(row) if takes_pointers(row) && has_pointers => return self.pointers(),
            Which::Row(row) => is_complex(row),
            Which::User(_) => false,
        };
        let count = self.values_of_lane();
        let place = |number| match self.result {
            Format::Extended => Place::X87 { position: number },
            format => argument(number, is_complex, format),
        };
        match self.vector {
            None => (0..count).map(place).collect(),
            Some(vector) => {
                let size = self.size();
                let lane =
                    |lane| (0..count).map(move |register| Place::Vector { register, byte: lane * size });
                (0..vector.lanes).flat_map(lane).collect()
            }
        }
    }

    /// Where sine and cosine go.
    fn pointers(self) -> Vec<Place> {
        let Some(vector) = self.vector else {
            return vec![Place::Pointer { register: RDI }, Place::Pointer { register: RSI }];
        };
        let bytes = 8 * vector.lanes;
        let place = |lane: usize, number: usize| {
            let byte = number * bytes + 8 * lane;
            let (register, byte) = (1 + byte / vector.pointer_register, byte % vector.pointer_register);
            Place::PointerInVector { register, byte }
        };
        (0..vector.lanes).flat_map(|lane| [place(lane, 0), place(lane, 1)]).collect()
    }

    /// Bytes of a number in a vector register.
    fn size(self) -> usize {
        if self.format == Format::Binary32 {
            4
        } else {
            8
        }
    }
}

fn argument(number: usize, is_complex: bool, format: Format) -> Place {
    match format {
        Format::Extended => Place::Stack { distance: 8 + 16 * number as u64 },
        Format::Binary32 if is_complex => Place::Vector { register: number / 2, byte: 4 * (number % 2) },
        _ => Place::Vector { register: number, byte: 0 },
    }
}
