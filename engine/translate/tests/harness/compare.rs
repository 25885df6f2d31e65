//! Compares what a run left behind with what it should have left.

use super::machine::{Machine, Memory, Shadows};
use super::region::AREAS;
use super::run::Configuration;
use super::values::Content;
use half::f16;

/// A lane whose shadow is known up to rounding.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    pub register: usize,
    /// Byte in the register.
    pub offset: usize,
    pub content: Content,
    pub shadow: f64,
    /// Magnitude of the terms whose sum the shadow is.
    pub scale: f64,
}

/// Shadows after an instruction.
#[derive(Clone)]
pub struct Expected {
    pub shadows: Shadows,
    pub lanes: Vec<Lane>,
    /// 32-bit lanes of a register whose shadow is not specified, since they were counted.
    pub unspecified: Vec<(usize, usize)>,
    /// Is the site counted?
    pub counted: bool,
    /// A dot value lies so close to the edge of its format that rounding decides whether it is lost, and counted.
    pub is_on_edge: bool,
}

impl Expected {
    /// These shadows, and nothing is counted.
    pub fn exactly(shadows: Shadows) -> Expected {
        Expected { shadows, lanes: Vec::new(), unspecified: Vec::new(), counted: false, is_on_edge: false }
    }

    /// May it be counted so often? One execution counts once, however many operands are active.
    pub fn allows(&self, count: u64) -> bool {
        count == u64::from(self.counted) || self.is_on_edge && count <= 1
    }
}

/// Exceptions that a passive lane must not raise: invalid, divide by zero, overflow.
const LOUD: u32 = 0b1101;

/// Differences between the client's view of a native and a translated run.
pub fn primal(
    native: &Machine,
    translated: &Machine,
    configuration: Configuration,
    quiet: bool,
) -> Vec<String> {
    let mut differences = Vec::new();
    for number in 0..16 {
        if native.general[number] != translated.general[number] {
            let (one, other) = (native.general[number], translated.general[number]);
            differences.push(format!("general register {number}: native {one:#x}, translated {other:#x}"));
        }
    }
    if native.flags != translated.flags {
        differences.push(format!("flags: native {:#x}, translated {:#x}", native.flags, translated.flags));
    }
    let (count, size) = if configuration.has_evex() { (32, 64) } else { (16, 32) };
    for number in 0..count {
        let (one, other) = (&native.vectors[number][..size], &translated.vectors[number][..size]);
        if one != other {
            differences.push(format!(
                "vector register {number}: native {}, translated {}",
                hex(one),
                hex(other)
            ));
        }
    }
    if configuration.has_evex() && native.masks != translated.masks {
        differences.push(format!("masks: native {:x?}, translated {:x?}", native.masks, translated.masks));
    }
    // The address of the last x87 instruction differs.
    if native.x87[..8] != translated.x87[..8] || native.x87[16..] != translated.x87[16..] {
        differences.push(format!("x87: native {}, translated {}", hex(&native.x87), hex(&translated.x87)));
    }
    let visible = match (configuration.own_control, quiet) {
        (true, _) => !0,
        (false, true) => !0x3f | LOUD,
        (false, false) => !0x3f,
    };
    if (native.control ^ translated.control) & visible != 0 {
        differences
            .push(format!("MXCSR: native {:#x}, translated {:#x}", native.control, translated.control));
    }
    memory("memory", &native.memory, &translated.memory, &mut differences);
    differences
}

/// Differences between expected and computed shadows.
pub fn shadows(expected: &Expected, computed: &Shadows) -> Vec<String> {
    let mut differences = Vec::new();
    let mut computed = computed.clone();
    for lane in &expected.lanes {
        let wanted = &expected.shadows.vectors[lane.register];
        let size = lane.content.size();
        let place = &mut computed.vectors[lane.register][lane.offset..lane.offset + size];
        let value = number(place);
        // What is denormal may have been flushed to zero, but for binary16.
        let (tolerance, denormal) = match size {
            2 => (1e-3, f16::MIN_POSITIVE_SUBNORMAL.to_f64()),
            4 => (1e-5, f64::from(f32::MIN_POSITIVE)),
            _ => (1e-12, f64::MIN_POSITIVE),
        };
        let same = value == lane.shadow || value.is_nan() && lane.shadow.is_nan();
        let close = same || (value - lane.shadow).abs() <= tolerance * lane.scale + 8.0 * denormal;
        // Beyond the largest number terms overflow one by one, and in another order elsewhere.
        if close || lane.content.overflows(lane.scale) && !value.is_finite() {
            place.copy_from_slice(&wanted[lane.offset..lane.offset + size]);
        } else {
            differences.push(format!("{lane:?}: computed {value}"));
        }
    }
    for (register, offset) in &expected.unspecified {
        let wanted = expected.shadows.vectors[*register][*offset..*offset + 4].to_vec();
        computed.vectors[*register][*offset..*offset + 4].copy_from_slice(&wanted);
    }
    for number in 0..32 {
        let (one, other) = (&expected.shadows.vectors[number], &computed.vectors[number]);
        if one != other {
            let (one, other) = (hex(one), hex(other));
            differences.push(format!("shadow of vector register {number}: expected {one}, computed {other}"));
        }
    }
    for number in 0..16 {
        let (one, other) = (expected.shadows.general[number], computed.general[number]);
        if one != other {
            differences
                .push(format!("shadow of general register {number}: expected {one:#x}, computed {other:#x}"));
        }
    }
    for (number, (one, other)) in expected.shadows.x87.iter().zip(&computed.x87).enumerate() {
        if one != other {
            let (one, other) = (hex(one), hex(other));
            differences.push(format!("shadow of x87 register {number}: expected {one}, computed {other}"));
        }
    }
    memory("shadow of memory", &expected.shadows.memory, &computed.memory, &mut differences);
    differences
}

fn memory(what: &str, expected: &Memory, computed: &Memory, differences: &mut Vec<String>) {
    for (area, start) in AREAS.iter().enumerate() {
        let (one, other) = (&expected.areas[area], &computed.areas[area]);
        if let Some(first) = (0..one.len()).find(|k| one[*k] != other[*k]) {
            let end = (first + 32).min(one.len());
            differences.push(format!(
                "{what} at {:#x}: expected {}, computed {}",
                start + first as u64,
                hex(&one[first..end]),
                hex(&other[first..end])
            ));
        }
    }
}

/// The number in 2, 4 or 8 bytes.
pub fn number(bytes: &[u8]) -> f64 {
    match *bytes {
        [a, b] => f16::from_le_bytes([a, b]).to_f64(),
        [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
        _ => f64::from_le_bytes(bytes.try_into().expect("8 bytes")),
    }
}

/// Bytes in pieces of four, the lowest first.
pub fn hex(bytes: &[u8]) -> String {
    let word = |piece: &[u8]| piece.iter().rev().map(|byte| format!("{byte:02x}")).collect::<String>();
    bytes.chunks(4).map(word).collect::<Vec<_>>().join(" ")
}
