//! Functions of vectors: names, and where the lanes are.
//!
//! `_ZGVdN4vv_pow` is the function in the vector function ABI for x86-64: instruction set, masked or not, lanes, a letter
//! for each parameter. A masked version has its mask behind the arguments, and what it leaves in a lane that the mask
//! excludes is not defined. `__svml_pow4`, `__svml_powf8_mask` are those of Intel's compilers. With 512 bits the masked
//! ones take the values of excluded lanes in the first register, in front of the arguments, and the mask in k1.

use crate::Format;

/// How a function takes its vectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Vector {
    pub lanes: usize,
    /// The first register has the values of lanes that mask register k1 excludes.
    pub has_mask: bool,
    /// Registers that are no arguments live on.
    pub keeps_registers: bool,
    /// Bytes of each register that holds pointers.
    pub pointer_register: usize,
}

/// A name that has been taken to pieces.
pub(crate) struct Parsed<'a> {
    pub vector: Vector,
    /// The function's name for single numbers.
    pub scalar: &'a str,
    /// Bytes of an argument; `None` for any power of two.
    bytes: Option<usize>,
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
    matches!(parameters.get(1..2)?, "N" | "M").then_some(())?;
    let rest = parameters.get(2..)?;
    let letters = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let lanes = rest.strip_suffix(letters)?.parse().ok()?;
    letters.chars().all(|letter| letter == 'v').then_some(())?;
    let vector = Vector { lanes, has_mask: false, keeps_registers: false, pointer_register };
    Some(Parsed { vector, scalar, bytes: Some(bytes), parameters: Some(letters.len()) })
}

/// Endings of names that say how precise the results are.
const PRECISIONS: [&str; 4] = ["_ha", "_la", "_ep", "_xa"];

fn of_intel(name: &str) -> Option<Parsed<'_>> {
    let name = PRECISIONS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    let unmasked = name.strip_suffix("_mask");
    let name = unmasked.unwrap_or(name);
    let name = PRECISIONS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    let lanes = ["16", "8", "4", "2"].into_iter().find(|lanes| name.ends_with(lanes))?;
    let scalar = name.strip_suffix(lanes)?;
    let lanes = lanes.parse().ok()?;
    let size = if scalar.ends_with('f') && scalar != "erf" { 4 } else { 8 };
    let has_mask = unmasked.is_some() && lanes * size == 64;
    let vector = Vector { lanes, has_mask, keeps_registers: true, pointer_register: 0 };
    Some(Parsed { vector, scalar, bytes: None, parameters: None })
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
        self.bytes.map_or([16, 32, 64].contains(&bytes), |expected| expected == bytes)
    }
}
