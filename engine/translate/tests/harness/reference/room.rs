//! Dot values of two bytes: which of them have room in their format.
//!
//! One that becomes zero or infinite, although it is neither, is lost, and counted.

use super::{Before, Fate};
use crate::harness::compare::{number, Expected};
use half::{bf16, f16};
use iced_x86::{Instruction, Mnemonic, OpKind};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Binary16,
    Bfloat16,
}

impl Format {
    fn has_room(self, dot: f64) -> bool {
        let nearest = match self {
            Format::Binary16 => f16::from_f64(dot).to_f64(),
            Format::Bfloat16 => bf16::from_f64(dot).to_f64(),
        };
        dot == 0.0 || !dot.is_finite() || nearest != 0.0 && nearest.is_finite()
    }
}

impl Expected {
    /// The dot value is computed in this format; `rounding_decides` what it is.
    pub fn note_room(&mut self, format: Format, dot: f64, rounding_decides: bool) {
        const NEAR: f64 = 1e-9;
        let has_room = format.has_room(dot);
        let is_on_edge = [1.0 - NEAR, 1.0 + NEAR].iter().any(|near| format.has_room(dot * near) != has_room);
        self.is_on_edge |= is_on_edge || rounding_decides;
        self.counted |= !has_room;
    }
}

/// The format of the results of a conversion to numbers of two bytes.
pub fn format(instruction: &Instruction) -> Option<Format> {
    use Mnemonic::*;
    match instruction.mnemonic() {
        Vcvtps2ph | Vcvtps2phx | Vcvtpd2ph | Vcvtss2sh | Vcvtsd2sh => Some(Format::Binary16),
        Vcvtneps2bf16 | Vcvtne2ps2bf16 => Some(Format::Bfloat16),
        _ => None,
    }
}

/// Takes note of the dot values that a conversion to numbers of two bytes loses. It takes small values of bfloat16 for
/// zero, whatever the control word, which a rule does not do to dot values; and a negative zero is none.
pub fn note_conversion(before: &Before, expected: &mut Expected) {
    use Mnemonic::*;
    let instruction = before.instruction();
    let Some(format) = format(instruction) else { return };
    let mnemonic = instruction.mnemonic();
    let size = if matches!(mnemonic, Vcvtpd2ph | Vcvtsd2sh) { 8 } else { 4 };
    let is_scalar = matches!(mnemonic, Vcvtss2sh | Vcvtsd2sh);
    let bytes = match instruction.op_kind(1) {
        OpKind::Register => instruction.op1_register().size(),
        _ => instruction.code().op_code().memory_size().size(),
    };
    let sources: &[u32] = match mnemonic {
        Vcvtne2ps2bf16 => &[2, 1],
        _ if is_scalar => &[2],
        _ => &[1],
    };
    let lanes = if is_scalar { 1 } else { bytes / size };
    for (part, operand) in sources.iter().enumerate() {
        let (_, shadow) = before.operand(*operand);
        for lane in (0..lanes).filter(|lane| before.fate(part * lanes + lane) == Fate::Computed) {
            let dot = number(&shadow[lane * size..(lane + 1) * size]);
            expected.note_room(format, dot, false);
            let is_small = format == Format::Bfloat16 && dot.abs() < f64::from(f32::MIN_POSITIVE);
            let bits = match dot {
                0.0 => 0,
                _ if is_small => bf16::from_f32(dot as f32).to_bits(),
                _ => continue,
            };
            let at = 2 * (part * lanes + lane);
            let place = match before.generated.place.filter(|_| !before.is_register(0)) {
                Some((address, _)) => expected.shadows.memory.at_mut(address + at as u64, 2),
                None => &mut expected.shadows.vectors[before.vector(0)][at..at + 2],
            };
            place.copy_from_slice(&bits.to_le_bytes());
        }
    }
}
