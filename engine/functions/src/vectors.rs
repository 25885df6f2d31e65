//! Functions of vectors: names, and where the lanes are.
//!
//! `_ZGVdN4vv_pow` is the function in the vector function ABI for x86-64: instruction set, masked or not, lanes, a
//! letter for each parameter. A masked version has its mask in a vector behind the arguments, and what it leaves in a
//! lane that the mask excludes is not defined. `__svml_pow4`, `__svml_powf8_mask` are those of Intel's compilers,
//! which say more behind the number of lanes: how precise the values are, and for which processors the code is. With
//! 512 bits the masked ones take the values of excluded lanes in the first register, in front of the arguments, and
//! the mask in k1. Sine and cosine together are returned in two registers.

use crate::Format;

/// How a function takes its vectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Vector {
    pub lanes: usize,
    pub mask: Mask,
    /// Registers that are no arguments live on.
    pub keeps_registers: bool,
    /// Bytes of each register that holds pointers; 0 if there are none, since all values are in registers.
    pub pointer_register: usize,
}

/// Which lanes are computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mask {
    All,
    /// Those in mask register k1. The first registers have the values of the others.
    Register,
    /// Those that have the highest bit set in the register behind the arguments. The others have no value.
    Behind,
}

/// A name that has been taken to pieces.
pub(crate) struct Parsed<'a> {
    pub vector: Vector,
    /// The function's name for single numbers.
    pub scalar: &'a str,
    /// Bytes of an argument; `None` for any power of two.
    bytes: Option<usize>,
    /// Bytes of a number.
    pub size: usize,
    /// How many vectors there are, pointers among them.
    pub parameters: Option<usize>,
}

/// Splits the name of a function of vectors.
pub(crate) fn parse(name: &str) -> Option<Parsed<'_>> {
    if let Some(name) = name.strip_prefix("_ZGV") {
        return of_abi(name);
    }
    of_intel(name.strip_prefix("__svml_")?)
}

fn of_abi(name: &str) -> Option<Parsed<'_>> {
    let (parameters, scalar) = name.split_once('_')?;
    // Floating-point registers, and those of integers.
    let (bytes, pointer_register) = match parameters.get(..1)? {
        "b" => (16, 16),
        "c" => (32, 16),
        "d" => (32, 32),
        "e" => (64, 64),
        _ => return None,
    };
    let mask = match (parameters.get(1..2)?, bytes) {
        ("N", _) => Mask::All,
        ("M", 16 | 32) => Mask::Behind,
        _ => return None,
    };
    let rest = parameters.get(2..)?;
    let letters = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let lanes: usize = rest.strip_suffix(letters)?.parse().ok()?;
    letters.chars().all(|letter| letter == 'v').then_some(())?;
    let vector = Vector { lanes, mask, keeps_registers: false, pointer_register };
    let size = bytes / lanes.max(1);
    Some(Parsed { vector, scalar, bytes: Some(bytes), size, parameters: Some(letters.len()) })
}

/// Words that say how precise the results are, or that they are the same on all processors.
const PRECISIONS: [&str; 6] = ["ha", "la", "ep", "xa", "br", "cr"];

/// Words that say for which processors a function is, `e9` or `z0`.
fn is_processor(word: &str) -> bool {
    matches!(word.as_bytes(), [b'a'..=b'z', b'0'..=b'9'] | b"ex")
}

fn of_intel(name: &str) -> Option<Parsed<'_>> {
    let mut words = name.split('_');
    let name = words.next()?;
    let mut is_masked = false;
    for word in words {
        is_masked |= word == "mask";
        let is_known = word == "mask" || PRECISIONS.contains(&word) || is_processor(word);
        is_known.then_some(())?;
    }
    let lanes = ["16", "8", "4", "2", "1"].into_iter().find(|lanes| name.ends_with(lanes))?;
    let scalar = name.strip_suffix(lanes)?;
    let lanes = lanes.parse().ok()?;
    let size = if scalar.ends_with('f') && scalar != "erf" { 4 } else { 8 };
    let mask = match is_masked {
        false => Mask::All,
        true if lanes * size == 64 => Mask::Register,
        true => Mask::Behind,
    };
    let vector = Vector { lanes, mask, keeps_registers: true, pointer_register: 0 };
    Some(Parsed { vector, scalar, bytes: None, size, parameters: None })
}

impl Parsed<'_> {
    /// Do so many numbers of this type fill a register?
    pub fn fits(&self, format: Format) -> bool {
        let size = match format {
            Format::Binary32 => 4,
            Format::Binary64 => 8,
            Format::Extended | Format::Binary128 => return false,
        };
        let bytes = self.vector.lanes * size;
        let is_usual = self.vector.lanes == 1 || [16, 32, 64].contains(&bytes);
        self.bytes.map_or(is_usual, |expected| expected == bytes)
    }
}
