//! Recording of EVEX arithmetic: pieces of at most 256 bits, recorded as in [`crate::records`].
//!
//! Operands are stored in the context first, without the lanes that the client's mask leaves out; so memory is read
//! once, and an operation has no more lanes than elsewhere. The indices of the pieces' results are put together, and
//! the client's mask decides which of them go to the target's shadow.

use crate::context::offset;
use crate::decode::Client;
use crate::derivatives::{Second, SecondShadow};
use crate::emit::{xmm, ymm, zmm, Memory, Operand};
use crate::encodings::{Shape, Width};
use crate::recording::{self, signs, Function, Indices};
use crate::rules::{Addend, Binary, Element, Order, Rule, Unary, Wide};
use crate::translate::Translator;
use crate::wide_operations::{computed_lanes, WideShape};
use alloc::vec::Vec;
use iced_x86::{Code, Instruction, Register};
use recording::Operand::{Absent, Result};

/// Bytes of the context for an operand: its shadow and its value.
const PLACE: u32 = 128;
const VALUE: i64 = 64;

/// An operand that has been stored.
#[derive(Clone, Copy)]
struct Stored {
    place: Memory,
    /// The client register whose lanes it is, if none are left out.
    register: Option<usize>,
    zero: bool,
}

/// What has been recorded of a piece.
struct Piece {
    shape: Shape,
    /// Offset of its bytes in the registers.
    offset: i64,
    /// Indices of the result.
    indices: usize,
    /// Where the result's value is to be stored in the payload.
    value: Option<u32>,
    /// Number of the first result.
    result: u32,
}

/// What is recorded.
#[derive(Clone, Copy)]
enum Recorded {
    Sum { signs: u8 },
    Product,
    Quotient,
    SquareRoot,
    Fused { negated: bool, addend: Addend },
}

impl Translator<'_> {
    pub(crate) fn record_wide(&mut self, client: &Client, rule: Rule) {
        let instruction = &client.instruction;
        let Some(shape) = computed_lanes(instruction, rule) else {
            self.computed_rule(client);
            return;
        };
        let converts = matches!(rule, Rule::Convert(..));
        if self.job.settings.mode.has_wide_indices() && (shape.bytes == 4 || converts) {
            // A binary32 has no room for such an index: counted.
            self.without_rule(client);
            return;
        }
        match rule {
            Rule::Binary(Binary::Minimum | Binary::Maximum, ..) | Rule::Wide(Wide::Reduce(..)) => {
                self.differentiate_wide(client, rule);
            }
            Rule::Binary(Binary::Add, ..) => {
                self.record_pieces(client, shape, Recorded::Sum { signs: 0 }, &[1, 2])
            }
            Rule::Binary(Binary::Subtract, ..) => {
                self.record_pieces(client, shape, Recorded::Sum { signs: signs::NEGATE_SECOND }, &[1, 2]);
            }
            Rule::Binary(Binary::Multiply, ..) => {
                self.record_pieces(client, shape, Recorded::Product, &[1, 2])
            }
            Rule::Binary(Binary::Divide, ..) => {
                self.record_pieces(client, shape, Recorded::Quotient, &[1, 2])
            }
            Rule::Unary(Unary::SquareRoot, ..) => {
                let last = instruction.op_count() - 1;
                self.record_pieces(client, shape, Recorded::SquareRoot, &[last]);
            }
            Rule::Fused { negated, addend, order, .. } => {
                let operands = match order {
                    Order::O132 => [0, 2, 1],
                    Order::O213 => [0, 1, 2],
                    Order::O231 => [1, 2, 0],
                };
                self.record_pieces(client, shape, Recorded::Fused { negated, addend }, &operands);
            }
            _ => self.computed_rule(client),
        }
    }

    fn record_pieces(&mut self, client: &Client, shape: WideShape, recorded: Recorded, operands: &[u32]) {
        let instruction = &client.instruction;
        let has_values = !matches!(recorded, Recorded::Sum { .. });
        let mut stored = Vec::new();
        for (number, operand) in operands.iter().enumerate() {
            stored.push(self.store_operand(instruction, *operand, shape, number as u32, has_values));
        }
        if stored.iter().all(|operand| operand.zero) {
            self.passive_lanes(client, shape);
            return;
        }
        let mut pieces: Vec<Piece> = Vec::new();
        for (offset, piece) in pieces_of(shape) {
            pieces.push(self.record_piece(piece, offset, recorded, &stored));
        }
        self.copy(client);
        let target = instruction.op0_register().number();
        for piece in &pieces {
            if let Some(at) = piece.value {
                self.store_result(piece, at, target);
            }
        }
        let indices = pieces[0].indices;
        if let Some(upper) = pieces.get(1) {
            let insert = Code::EVEX_Vinsertf64x4_zmm_k1z_zmm_ymmm256_imm8;
            let upper = Operand::Register(ymm(upper.indices));
            self.asm.with_immediate(insert, zmm(indices), zmm(indices), upper, 1);
        }
        self.finish_wide(instruction, shape, indices);
        if shape.mask == Register::None {
            self.note_result(pieces[0].shape, target, pieces[0].result);
        }
    }

    /// Stores shadow and value of an operand.
    fn store_operand(
        &mut self,
        instruction: &Instruction,
        operand: u32,
        shape: WideShape,
        number: u32,
        has_values: bool,
    ) -> Stored {
        let place = self.asm.context(offset::WIDE_OPERANDS + PLACE * number);
        let source = self.wide_source(instruction, operand, shape);
        let register = source.number.filter(|_| shape.mask == Register::None);
        if let Some(shadow) = source.shadow {
            let lanes = self.masked_shadow(shape, shadow);
            let store = shape.store_code();
            self.asm.built(Instruction::with2(store, place.operand(), shape.register(lanes)));
            self.free(lanes);
            self.free(shadow);
        }
        if has_values {
            let value = place.offset_by(VALUE).operand();
            self.asm.built(Instruction::with2(shape.store_code(), value, source.value));
        }
        if source.number.is_none() {
            self.free(source.value.number());
        }
        Stored { place, register, zero: source.shadow.is_none() }
    }

    /// A piece of an operand.
    fn piece_of(&self, stored: &Stored, shape: Shape, offset: i64) -> Second {
        let register = stored.register.filter(|_| offset == 0);
        let place = stored.place.offset_by(offset);
        let shadow = register.map_or(SecondShadow::Memory(place), SecondShadow::Register);
        let value = match register {
            Some(number) if number < 16 => Operand::of(shape, number),
            _ => Operand::Memory(place.offset_by(VALUE)),
        };
        Second { value, register: stored.register, shadow, zero: stored.zero }
    }

    fn record_piece(&mut self, shape: Shape, offset: i64, recorded: Recorded, stored: &[Stored]) -> Piece {
        let seconds: Vec<Second> = stored.iter().map(|stored| self.piece_of(stored, shape, offset)).collect();
        let mut indices: Vec<Option<Indices>> = Vec::new();
        for second in &seconds {
            indices.push(self.indices(*second, shape));
        }
        let mut value = None;
        let result = match recorded {
            Recorded::Sum { signs } => {
                let operands = self.record_operands(shape, [indices[0], indices[1]]);
                self.record(Function::Sum, shape, signs, operands, [None; 2])
            }
            Recorded::Product => {
                let operands = self.record_operands(shape, [indices[0], indices[1]]);
                let values = self.factor_values(shape, [seconds[0], seconds[1]]);
                self.record(Function::Product, shape, 0, operands, values)
            }
            Recorded::Quotient => {
                let operands = self.record_operands(shape, [indices[0], indices[1]]);
                let divisor = self.store_value(shape, seconds[1]);
                value = (!seconds[1].zero).then(|| self.recording.reserve_values(shape));
                self.record(Function::Quotient, shape, 0, operands, [Some(divisor), value])
            }
            Recorded::SquareRoot => {
                let operands = self.record_operands(shape, [indices[0], None]);
                value = Some(self.recording.reserve_values(shape));
                self.record(Function::SquareRoot, shape, 0, operands, [value, None])
            }
            Recorded::Fused { negated, addend } => {
                self.record_fused_piece(shape, negated, addend, &seconds, &indices)
            }
        };
        let new = self.new_indices(shape, &indices, result);
        for indices in indices.into_iter().flatten() {
            if indices.register != new {
                self.free(indices.register);
            }
        }
        Piece { shape, offset, indices: new, value, result }
    }

    fn record_fused_piece(
        &mut self,
        shape: Shape,
        negated: bool,
        addend: Addend,
        seconds: &[Second],
        indices: &[Option<Indices>],
    ) -> u32 {
        let (one, other, added) = (indices[0], indices[1], indices[2]);
        let mut operands = [Absent; 2];
        let mut sign = if negated { signs::NEGATE_FIRST } else { 0 };
        let mut result = 0;
        if one.is_some() || other.is_some() {
            let recorded = self.record_operands(shape, [one, other]);
            let values = self.factor_values(shape, [seconds[0], seconds[1]]);
            // Alone, the product itself is negated.
            let both =
                if negated && added.is_none() { signs::NEGATE_FIRST | signs::NEGATE_SECOND } else { 0 };
            result = self.record(Function::Product, shape, both, recorded, values);
            operands[0] = Result(result);
        }
        if let Some(added) = added {
            operands[1] = self.record_indices(shape, added);
            sign |= match addend {
                Addend::Plus => 0,
                Addend::Minus => signs::NEGATE_SECOND,
                Addend::MinusPlus => signs::NEGATE_SECOND_EVEN,
                Addend::PlusMinus => signs::NEGATE_SECOND_ODD,
            };
            result = self.record(Function::Sum, shape, sign, operands, [None; 2]);
        }
        result
    }

    /// Stores the value of a piece of the result, which may be in any register.
    fn store_result(&mut self, piece: &Piece, at: u32, target: usize) {
        let place = self.payload(at).operand();
        if piece.offset != 0 {
            let code = Code::EVEX_Vextractf64x4_ymmm256_k1z_zmm_imm8;
            self.asm.built(Instruction::with3(code, place, zmm(target), 1u32));
            return;
        }
        let (code, register) = match (piece.shape.width, piece.shape.element) {
            (Width::Scalar, Element::F32) => (Code::EVEX_Vmovss_m32_k1_xmm, xmm(target)),
            (Width::Scalar, Element::F64) => (Code::EVEX_Vmovsd_m64_k1_xmm, xmm(target)),
            (Width::L128, _) => (Code::EVEX_Vmovups_xmmm128_k1z_xmm, xmm(target)),
            (Width::L256, _) => (Code::EVEX_Vmovups_ymmm256_k1z_ymm, ymm(target)),
        };
        self.asm.built(Instruction::with2(code, place, register));
    }
}

/// Offsets and shapes of the pieces of a register.
fn pieces_of(shape: WideShape) -> Vec<(i64, Shape)> {
    let element = shape.element();
    let width = match (shape.scalar, shape.register_bytes()) {
        (true, _) => Width::Scalar,
        (false, 16) => Width::L128,
        _ => Width::L256,
    };
    let count = shape.register_bytes().div_ceil(32) as i64;
    (0..count).map(|piece| (32 * piece, Shape { element, width })).collect()
}
