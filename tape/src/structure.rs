//! Structures: which operations a piece of straight code consists of.

use crate::format::{read_u32, read_u64};
use alloc::vec::Vec;
use thiserror::Error;

/// An input: one result that depends on nothing.
pub const INPUT: u32 = 1;
/// Two indices of 8 bytes, then two binary64 partial derivatives.
pub const TWO_OPERANDS: u32 = 2;
/// The same, then the value of the result.
pub const TWO_OPERANDS_AND_VALUE: u32 = 3;
/// A copy of the value whose index of 8 bytes is the payload.
pub const OUTPUT: u32 = 4;
/// Numbers from here on are described in the tape.
pub const FIRST_RECORDED: u32 = 16;
/// Numbers are below this limit, so that a table of them is small.
pub const NUMBER_LIMIT: u32 = 1 << 24;

/// Bit of an index of 4 bytes that marks the result of a binary32 operation; it is no part of the index.
pub const BINARY32_MARK: u32 = 1 << 31;

const HEADER_BYTES: usize = 24;
const OPERATION_BYTES: usize = 24;
const ABSENT: u32 = u32::MAX;
const RESULT_BIT: u32 = 1 << 31;
const WIDE_BIT: u32 = 1 << 30;

/// What is wrong with the entry of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StructureError {
    #[error("the entry of a structure is longer than the chunk")]
    Short,
    #[error("structure {0} has a number outside of {FIRST_RECORDED} to {last}", last = NUMBER_LIMIT - 1)]
    Number(u32),
    #[error("structure {0} is described twice, in two ways")]
    Twice(u32),
    #[error("the payload of structure {0} has a length that is no multiple of 4")]
    Payload(u32),
    #[error("operation {operation} of structure {structure} {what}")]
    Operation { structure: u32, operation: usize, what: OperationError },
}

/// What is wrong with an operation of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OperationError {
    #[error("has the unknown function {0}")]
    Function(u8),
    #[error("has elements of {0} bytes")]
    Element(u8),
    #[error("has no lanes")]
    Lanes,
    #[error("has results that overlap or lie outside of those of its structure")]
    Results,
    #[error("uses a result that is not computed before it")]
    Order,
    #[error("has an operand or a value outside of the payload")]
    Payload,
    #[error("lacks a value that a partial derivative needs")]
    Value,
    #[error("has a second operand, which its function does not have")]
    Operands,
}

/// The elementary functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Function {
    Input = 0,
    Linear = 1,
    Sum = 2,
    Product = 3,
    Quotient = 4,
    SquareRoot = 5,
    Reciprocal = 6,
    ReciprocalSquareRoot = 7,
}

impl Function {
    pub const ALL: [Function; 8] = [
        Function::Input,
        Function::Linear,
        Function::Sum,
        Function::Product,
        Function::Quotient,
        Function::SquareRoot,
        Function::Reciprocal,
        Function::ReciprocalSquareRoot,
    ];

    pub fn from_number(number: u8) -> Option<Function> {
        Function::ALL.get(number as usize).copied()
    }

    pub fn name(self) -> &'static str {
        match self {
            Function::Input => "input",
            Function::Linear => "linear",
            Function::Sum => "sum",
            Function::Product => "product",
            Function::Quotient => "quotient",
            Function::SquareRoot => "square root",
            Function::Reciprocal => "reciprocal",
            Function::ReciprocalSquareRoot => "reciprocal square root",
        }
    }

    /// How many operands it has.
    pub fn operands(self) -> usize {
        match self {
            Function::Input => 0,
            Function::SquareRoot | Function::Reciprocal | Function::ReciprocalSquareRoot => 1,
            Function::Linear | Function::Sum | Function::Product | Function::Quotient => 2,
        }
    }

    /// Which of the two values the partial derivative of `operand` is computed from.
    pub fn needs(self, operand: usize) -> [bool; 2] {
        match (self, operand) {
            (Function::Input | Function::Sum, _) => [false, false],
            (Function::Linear, 0) | (Function::Product, 1) => [true, false],
            (Function::Linear, _) | (Function::Product, _) => [false, true],
            (Function::Quotient, 0) => [true, false],
            (Function::Quotient, _) => [true, true],
            (Function::SquareRoot | Function::Reciprocal | Function::ReciprocalSquareRoot, _) => {
                [true, false]
            }
        }
    }

    /// The partial derivative with respect to `operand`, from the values that the table of the format names.
    pub fn partial(self, operand: usize, values: [f64; 2]) -> f64 {
        match (self, operand) {
            (Function::Input, _) => 0.0,
            (Function::Sum, _) => 1.0,
            (Function::Linear, operand) => values[operand],
            (Function::Product, operand) => values[1 - operand],
            (Function::Quotient, 0) => 1.0 / values[0],
            (Function::Quotient, _) => -values[1] / values[0],
            (Function::SquareRoot, _) => 0.5 / values[0],
            (Function::Reciprocal, _) => -1.0 / (values[0] * values[0]),
            (Function::ReciprocalSquareRoot, _) => -0.5 / (values[0] * crate::steps::square_root(values[0])),
        }
    }
}

/// Bytes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Element {
    Binary32 = 4,
    Binary64 = 8,
}

/// Where the indices of an operand come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// There is none, or it is passive.
    Absent,
    /// Indices of 4 bytes at this offset in the payload.
    Narrow(u32),
    /// Indices of 8 bytes at this offset in the payload.
    Wide(u32),
    /// Consecutive results of the same execution from this one on.
    Result(u32),
}

impl Operand {
    pub fn encode(self) -> u32 {
        match self {
            Operand::Absent => ABSENT,
            Operand::Narrow(offset) => offset,
            Operand::Wide(offset) => offset | RESULT_BIT | WIDE_BIT,
            Operand::Result(result) => result | RESULT_BIT,
        }
    }

    /// The offset, or the result.
    pub fn place(self) -> u32 {
        match self {
            Operand::Absent => 0,
            Operand::Narrow(place) | Operand::Wide(place) | Operand::Result(place) => place,
        }
    }

    pub fn decode(word: u32) -> Operand {
        match word {
            ABSENT => Operand::Absent,
            _ if word & RESULT_BIT == 0 => Operand::Narrow(word),
            _ if word & WIDE_BIT == 0 => Operand::Result(word & !RESULT_BIT),
            _ => Operand::Wide(word & !(RESULT_BIT | WIDE_BIT)),
        }
    }
}

/// One operation, or the same on several neighbouring lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    pub function: Function,
    pub element: Element,
    pub lanes: u8,
    /// Bit *k* negates the partial derivative of operand *k*, bit 4 + *k* that in odd lanes.
    pub signs: u8,
    /// The first result, relative to the first of the execution.
    pub result: u32,
    pub operands: [Operand; 2],
    /// Offsets in the payload.
    pub values: [Option<u32>; 2],
}

impl Operation {
    /// Whether the partial derivative with respect to `operand` is negated in `lane`.
    pub fn is_negated(&self, operand: usize, lane: usize) -> bool {
        let everywhere = self.signs >> operand & 1;
        let in_odd_lanes = self.signs >> (4 + operand) & 1;
        everywhere ^ (in_odd_lanes & lane as u8 & 1) == 1
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&[self.function as u8, self.element as u8, self.lanes, self.signs]);
        bytes.extend_from_slice(&self.result.to_le_bytes());
        for operand in self.operands {
            bytes.extend_from_slice(&operand.encode().to_le_bytes());
        }
        for value in self.values {
            bytes.extend_from_slice(&value.unwrap_or(ABSENT).to_le_bytes());
        }
    }

    fn decode(bytes: &[u8]) -> Result<Operation, OperationError> {
        let word = |offset| read_u32(bytes, offset).unwrap_or(ABSENT);
        let function = Function::from_number(bytes[0]).ok_or(OperationError::Function(bytes[0]))?;
        let element = match bytes[1] {
            4 => Element::Binary32,
            8 => Element::Binary64,
            other => return Err(OperationError::Element(other)),
        };
        let value = |offset| Some(word(offset)).filter(|value| *value != ABSENT);
        Ok(Operation {
            function,
            element,
            lanes: bytes[2],
            signs: bytes[3],
            result: word(4),
            operands: [Operand::decode(word(8)), Operand::decode(word(12))],
            values: [value(16), value(20)],
        })
    }

    /// Check against the payload's length and the results that are computed before and in the structure.
    fn check(&self, structure: &Structure, results_before: u64) -> Result<(), OperationError> {
        let lanes = u64::from(self.lanes);
        if lanes == 0 {
            return Err(OperationError::Lanes);
        }
        let first = u64::from(self.result);
        if first < results_before || first + lanes > u64::from(structure.results) {
            return Err(OperationError::Results);
        }
        let in_payload = |offset: u32, size: u64| {
            if u64::from(offset) + lanes * size > u64::from(structure.payload) {
                return Err(OperationError::Payload);
            }
            Ok(())
        };
        for value in self.values.into_iter().flatten() {
            in_payload(value, self.element as u64)?;
        }
        for (number, operand) in self.operands.into_iter().enumerate() {
            match operand {
                Operand::Absent => continue,
                Operand::Narrow(offset) => in_payload(offset, 4)?,
                Operand::Wide(offset) => in_payload(offset, 8)?,
                Operand::Result(result) => {
                    if u64::from(result) + lanes > first {
                        return Err(OperationError::Order);
                    }
                }
            }
            if number >= self.function.operands() {
                return Err(OperationError::Operands);
            }
            let needs = self.function.needs(number);
            if (0..2).any(|value| needs[value] && self.values[value].is_none()) {
                return Err(OperationError::Value);
            }
        }
        Ok(())
    }
}

/// A piece of straight code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Bytes of the payload of an execution.
    pub payload: u32,
    /// Results of an execution.
    pub results: u32,
    /// Address of the code in the client; 0: unknown.
    pub address: u64,
    /// In the order of execution.
    pub operations: Vec<Operation>,
}

impl Structure {
    /// Bytes of the entry.
    pub fn encoded_length(&self) -> usize {
        HEADER_BYTES + OPERATION_BYTES * self.operations.len()
    }

    /// Append the entry of this structure under `number`.
    pub fn encode(&self, number: u32, bytes: &mut Vec<u8>) {
        bytes.reserve(self.encoded_length());
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&self.payload.to_le_bytes());
        bytes.extend_from_slice(&self.results.to_le_bytes());
        bytes.extend_from_slice(&(self.operations.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&self.address.to_le_bytes());
        for operation in &self.operations {
            operation.encode(bytes);
        }
    }

    /// The structure whose entry `bytes` begins with, and its number. It is checked.
    pub fn decode(bytes: &[u8]) -> Result<(u32, Structure), StructureError> {
        let word = |offset| read_u32(bytes, offset).ok_or(StructureError::Short);
        let number = word(0)?;
        let count = word(12)? as usize;
        let address = read_u64(bytes, 16).ok_or(StructureError::Short)?;
        let end = count.checked_mul(OPERATION_BYTES).and_then(|length| length.checked_add(HEADER_BYTES));
        let entries = end.and_then(|end| bytes.get(HEADER_BYTES..end)).ok_or(StructureError::Short)?;
        if !(FIRST_RECORDED..NUMBER_LIMIT).contains(&number) {
            return Err(StructureError::Number(number));
        }
        let mut operations = Vec::with_capacity(count);
        for (operation, entry) in entries.chunks_exact(OPERATION_BYTES).enumerate() {
            let decoded = Operation::decode(entry);
            operations.push(decoded.map_err(|what| StructureError::Operation {
                structure: number,
                operation,
                what,
            })?);
        }
        let structure = Structure { payload: word(4)?, results: word(8)?, address, operations };
        structure.check(number)?;
        Ok((number, structure))
    }

    /// Check everything that sweeps take for granted. `number` is for the error.
    pub fn check(&self, number: u32) -> Result<(), StructureError> {
        if self.payload % 4 != 0 {
            return Err(StructureError::Payload(number));
        }
        let mut results_before = 0;
        for (index, operation) in self.operations.iter().enumerate() {
            operation.check(self, results_before).map_err(|what| StructureError::Operation {
                structure: number,
                operation: index,
                what,
            })?;
            results_before = u64::from(operation.result) + u64::from(operation.lanes);
        }
        Ok(())
    }

    /// The structures that every tape has without describing them.
    pub fn fixed() -> [(u32, Structure); 4] {
        let operation = |function, operands, values| Operation {
            function,
            element: Element::Binary64,
            lanes: 1,
            signs: 0,
            result: 0,
            operands,
            values,
        };
        let absent = [Operand::Absent, Operand::Absent];
        let wide = [Operand::Wide(0), Operand::Wide(8)];
        let input = operation(Function::Input, absent, [None, None]);
        let linear = operation(Function::Linear, wide, [Some(16), Some(24)]);
        let copy = operation(Function::Sum, [Operand::Wide(0), Operand::Absent], [None, None]);
        let structure = |payload, operation| Structure {
            payload,
            results: 1,
            address: 0,
            operations: alloc::vec![operation],
        };
        [
            (INPUT, structure(0, input)),
            (TWO_OPERANDS, structure(32, linear)),
            (TWO_OPERANDS_AND_VALUE, structure(40, linear)),
            (OUTPUT, structure(8, copy)),
        ]
    }
}
