//! x87 instructions a second time: what they do to dot values of binary64, by the functions of the standard library.

use iced_x86::{Code, Instruction, MemorySize, OpKind};

/// A binary64 number with 80 bits.
pub fn extended(number: f64) -> [u8; 10] {
    let mut bytes = [0; 10];
    // SAFETY: leaves the x87 unit as it was.
    unsafe {
        std::arch::asm!("fld qword ptr [{}]", "fstp tbyte ptr [{}]", in(reg) &number, in(reg) &mut bytes);
    }
    bytes
}

/// Rounds to binary64.
pub fn rounded(bytes: &[u8]) -> f64 {
    let (number, mut result): ([u8; 10], f64) = (bytes[..10].try_into().expect("ten bytes"), 0.0);
    // SAFETY: leaves the x87 unit as it was.
    unsafe {
        std::arch::asm!("fld tbyte ptr [{}]", "fstp qword ptr [{}]", in(reg) &number, in(reg) &mut result);
    }
    result
}

/// A number and its dot value, or the absence of one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dual {
    pub value: f64,
    pub dot: f64,
}

/// What becomes of numbers on the stack, by position behind the instruction, and of memory.
#[derive(Default)]
pub struct Results {
    pub stack: Vec<(usize, f64)>,
    pub memory: Option<f64>,
    pub counted: bool,
}

/// How many numbers more are on the stack.
pub fn pushes(code: Code) -> i32 {
    let name = format!("{:?}", code.mnemonic()).to_lowercase();
    match name.as_str() {
        "fld" | "fild" | "fbld" | "fxtract" | "fsincos" | "fptan" => 1,
        "fpatan" | "fyl2x" | "fyl2xp1" => -1,
        "fcompp" | "fucompp" => -2,
        _ if name.starts_with("fld") && !matches!(name.as_str(), "fldcw" | "fldenv") => 1,
        "fincstp" => -1,
        "fdecstp" => 1,
        "ffreep" | "fstpnce" => -1,
        _ => -i32::from(name.ends_with('p') && !matches!(name.as_str(), "fnop" | "fincstp" | "fdecstp")),
    }
}

/// Comparisons and constants: they change no number that is there.
const LEAVE_NUMBERS: &[&str] = &[
    "fcom", "fcomp", "fcompp", "fucom", "fucomp", "fucompp", "fcomi", "fcomip", "fucomi", "fucomip", "ficom",
    "ficomp", "ftst", "fxam", "fld1", "fldl2e", "fldl2t", "fldlg2", "fldln2", "fldpi", "fldz", "fincstp",
    "fdecstp", "fnop",
];

/// The oracle: `stack` is in front of the instruction, results count from the top behind it.
pub fn expected(instruction: &Instruction, stack: &[Dual; 8], memory: Dual, flags: u64) -> Results {
    let mut results = Results::default();
    let pop = (-pushes(instruction.code())) as usize;
    let name = format!("{:?}", instruction.mnemonic()).to_lowercase();
    let from_memory = instruction.op0_kind() == OpKind::Memory;
    let named = |operand: u32| instruction.op_register(operand).number();
    let last = instruction.op_count().saturating_sub(1);
    let [top, second, ..] = *stack;
    let times = |dual: Dual, partial: f64| if dual.dot == 0.0 { 0.0 } else { dual.dot * partial };
    let both = |by_top: f64, by_second: f64| times(top, by_top) + times(second, by_second);
    let (x, y) = (top.value, second.value);
    let base = name.trim_start_matches("fi").trim_start_matches('f').trim_end_matches('p');
    match name.as_str() {
        "fld" if from_memory => results.stack.push((0, memory.dot)),
        "fld" => results.stack.push((0, stack[named(0)].dot)),
        "fist" | "fistp" | "fisttp" | "fbstp" => results.memory = Some(0.0),
        "frndint" => results.stack.push((0, 0.0)),
        "ffree" => results.stack.push((named(0), 0.0)),
        _ if LEAVE_NUMBERS.contains(&name.as_str()) => {}
        "fild" | "fbld" => results.counted = memory.dot != 0.0,
        "fst" if from_memory => results.memory = Some(top.dot),
        "fstp" if from_memory => results.memory = Some(top.dot),
        "fst" => results.stack.push((named(last), top.dot)),
        "fstp" | "fstpnce" if named(last) == 0 => {}
        "fstp" | "fstpnce" => results.stack.push((named(last) - 1, top.dot)),
        "fxch" => results.stack.extend([(0, stack[named(1)].dot), (named(1), top.dot)]),
        _ if name.starts_with("fcmov") => {
            let (carry, parity, zero) = (flags & 1 != 0, flags >> 2 & 1 != 0, flags >> 6 & 1 != 0);
            let moves = match &name[5..] {
                "b" => carry,
                "e" => zero,
                "be" => carry || zero,
                "u" => parity,
                "nb" => !carry,
                "ne" => !zero,
                "nbe" => !carry && !zero,
                _ => !parity,
            };
            results.stack.push((0, if moves { stack[named(1)].dot } else { top.dot }));
        }
        "fsqrt" => results.stack.push((0, times(top, 0.5 / x.sqrt()))),
        "fabs" => results.stack.push((0, top.dot * x.signum())),
        "fchs" => results.stack.push((0, -top.dot)),
        "fsin" => results.stack.push((0, times(top, x.cos()))),
        "fcos" => results.stack.push((0, -times(top, x.sin()))),
        "fsincos" => results.stack.extend([(1, times(top, x.cos())), (0, -times(top, x.sin()))]),
        "fptan" => results.stack.extend([(1, times(top, 1.0 + x.tan().powi(2))), (0, 0.0)]),
        "f2xm1" => results.stack.push((0, times(top, x.exp2() * std::f64::consts::LN_2))),
        "fscale" => results.stack.push((0, times(top, y.trunc().exp2()))),
        "fprem" => results.stack.push((0, both(1.0, -(x / y).trunc()))),
        "fprem1" => results.stack.push((0, both(1.0, -(x / y).round_ties_even()))),
        "fyl2x" => results.stack.push((0, both(y / (x * std::f64::consts::LN_2), x.log2()))),
        "fyl2xp1" => {
            let logarithm = x.ln_1p() / std::f64::consts::LN_2;
            results.stack.push((0, both(y / ((x + 1.0) * std::f64::consts::LN_2), logarithm)));
        }
        "fpatan" => {
            let square = x * x + y * y;
            results.stack.push((0, both(-y / square, x / square)));
        }
        "fxtract" => results.stack.extend([(0, times(top, (-x.abs().log2().floor()).exp2())), (1, 0.0)]),
        _ => {
            let (target, other) = if from_memory { (0, memory) } else { (named(0), stack[named(1)]) };
            let integer = matches!(instruction.memory_size(), MemorySize::Int16 | MemorySize::Int32);
            results.counted = integer && memory.dot != 0.0;
            let other = if integer { Dual { dot: 0.0, ..other } } else { other };
            let target_number = stack[target];
            let (one, two) =
                if base.ends_with('r') { (other, target_number) } else { (target_number, other) };
            let dot = match base.trim_end_matches('r') {
                "add" => one.dot + two.dot,
                "sub" => one.dot - two.dot,
                "mul" => times(one, two.value) + times(two, one.value),
                "div" => times(one, 1.0 / two.value) - times(two, one.value / two.value / two.value),
                other => panic!("{other} is no operation"),
            };
            if pop == 0 || target > 0 {
                results.stack.push((target - pop, dot));
            }
        }
    }
    results
}

pub fn real_in_memory(size: MemorySize, number: f64) -> Vec<u8> {
    match size {
        MemorySize::Float32 => (number as f32).to_le_bytes().to_vec(),
        MemorySize::Float64 => number.to_le_bytes().to_vec(),
        MemorySize::Float80 => extended(number).to_vec(),
        MemorySize::Int16 => (number as i16 | 1).to_le_bytes().to_vec(),
        MemorySize::Int32 => (number as i32 | 1).to_le_bytes().to_vec(),
        MemorySize::Int64 => (number as i64 | 1).to_le_bytes().to_vec(),
        _ => vec![0x12, 0x34, 0x56, 0x78, 0x90, 0, 0, 0, 0, 0],
    }
}

pub fn read_real(size: MemorySize, bytes: &[u8]) -> f64 {
    match size {
        MemorySize::Float32 => f64::from(f32::from_le_bytes(bytes.try_into().expect("four bytes"))),
        MemorySize::Float64 => f64::from_le_bytes(bytes.try_into().expect("eight bytes")),
        MemorySize::Float80 => rounded(bytes),
        MemorySize::Int16 => f64::from(i16::from_le_bytes(bytes.try_into().expect("two bytes"))),
        MemorySize::Int32 => f64::from(i32::from_le_bytes(bytes.try_into().expect("four bytes"))),
        _ => 0.0,
    }
}
