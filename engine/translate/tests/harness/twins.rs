//! Runs the same code with dot values and with indices: the tape must give the dot values.
//!
//! Forward mode is compared with dual numbers elsewhere. Each active place of the machine is an input of its own here.
//! Where shadows are indices, a lane with the index of an operation whose operands are all passive is an error, and so
//! is an index that no operation has.

use super::compare;
use super::machine::{word, Machine, Shadows};
use super::region::AREAS;
use super::report::describe;
use super::run::{Configuration, Harness, Outcome, Program};
use super::tape::Dot;
use super::values::Content;
use derivgrind_translate::interface::Mode;
use derivgrind_translate::recording::TAG;
use derivgrind_translate::state::State;
use std::collections::HashMap;

/// Where indices start in [`Mode::RecordingWide`].
const WIDE: u64 = 0x7_0000_0001;

/// A machine with dot values, and the same with indices.
pub struct Twin {
    program: Program,
    content: Content,
    machine: Machine,
    state: State,
    dots: Shadows,
    indices: Shadows,
    inputs: HashMap<u64, Dot>,
    first_index: u64,
    quiet: bool,
}

impl Twin {
    pub fn new(
        program: Program,
        content: Content,
        mode: Mode,
        machine: Machine,
        state: State,
        dots: Shadows,
    ) -> Twin {
        let mut indices = dots.clone();
        let mut inputs = HashMap::new();
        let mut next = if mode == Mode::RecordingWide { WIDE } else { 1 };
        let mut number = |bytes: &mut [u8]| {
            for lane in bytes.chunks_mut(content.size()) {
                if lane.iter().all(|byte| *byte == 0) {
                    continue;
                }
                let value = compare::number(lane);
                inputs.insert(next, Dot { value, scale: value.abs() });
                if content == Content::F32 {
                    lane.copy_from_slice(&(next as u32 | TAG).to_le_bytes());
                } else {
                    lane.copy_from_slice(&next.to_le_bytes());
                }
                next += 1;
            }
        };
        for general in &mut indices.general {
            let mut bytes = general.to_le_bytes();
            number(&mut bytes);
            *general = u64::from_le_bytes(bytes);
        }
        indices.vectors.iter_mut().for_each(|vector| number(vector));
        indices.memory.areas.iter_mut().for_each(|area| number(area));
        Twin { program, content, machine, state, dots, indices, inputs, first_index: next, quiet: false }
    }
}

/// All places of shadows in pieces of 8 bytes, with names.
fn pieces(shadows: &Shadows) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for (number, general) in shadows.general.iter().enumerate() {
        all.push((format!("general register {number}"), *general));
    }
    for (number, vector) in shadows.vectors.iter().enumerate() {
        for offset in (0..64).step_by(8) {
            all.push((format!("vector register {number} from byte {offset} on"), word(&vector[offset..])));
        }
    }
    for (area, start) in shadows.memory.areas.iter().zip(AREAS) {
        for offset in (0..area.len()).step_by(8) {
            all.push((format!("memory at {:#x}", start + offset as u64), word(&area[offset..])));
        }
    }
    all
}

/// What forward mode and the tape say about 8 bytes of shadow. Number of active lanes that were compared.
fn compare_piece(dot: u64, index: u64, dots: &HashMap<u64, Dot>) -> Result<usize, String> {
    let halves = |word: u64| [word as u32, (word >> 32) as u32];
    let is_narrow = halves(index).iter().any(|half| half & TAG != 0);
    let mut lanes = Vec::new();
    if is_narrow {
        for (dot, index) in halves(dot).into_iter().zip(halves(index)) {
            if index != 0 && index & TAG == 0 {
                return Err(format!("half of the indices {:x?} has no tag", halves(u64::from(index))));
            }
            lanes.push((f64::from(f32::from_bits(dot)), u64::from(index & !TAG), 2e-5));
        }
    } else if index == 0 {
        // Negative zeros are passive, too.
        if halves(dot).iter().any(|half| half & !TAG != 0) && f64::from_bits(dot) != 0.0 {
            return Err(format!(
                "passive instead of {:?} = {:e}",
                halves(dot).map(f32::from_bits),
                f64::from_bits(dot)
            ));
        }
    } else {
        lanes.push((f64::from_bits(dot), index, 1e-12));
    }
    let mut active = 0;
    for (expected, index, tolerance) in lanes.into_iter().filter(|(_, index, _)| *index != 0) {
        let Some(found) = dots.get(&index) else {
            return Err(format!("index {index:#x} belongs to no operation, or to a passive one"));
        };
        if !expected.is_finite() || !found.value.is_finite() || found.scale > 1e30 {
            continue;
        }
        active += 1;
        if (found.value - expected).abs() > tolerance * found.scale.max(1e-30) {
            return Err(format!(
                "index {index:#x} gives {} instead of {expected} (scale {})",
                found.value, found.scale
            ));
        }
    }
    Ok(active)
}

/// Runs the twins and compares them. Active lanes that were compared, or what differs.
pub fn run(
    harness: &mut Harness,
    configuration: Configuration,
    mode: Mode,
    twin: &Twin,
    seed: u64,
) -> Result<usize, String> {
    let program = &twin.program;
    let Ok(native) = harness.native(program, &twin.machine) else { return Ok(0) };
    let mut translated = |mode, shadows, first_index| {
        harness.first_index = first_index;
        let configuration = configuration.in_mode(mode);
        harness
            .translated(program, configuration, twin.state, &twin.machine, shadows, seed)
            .map_err(|(fault, made)| describe(program, configuration, &made, &[format!("{fault:x?}")]))
    };
    let recorded = translated(mode, &twin.indices, twin.first_index)?;
    let forward = translated(Mode::Forward, &twin.dots, 1)?;
    let mut differences = compare::primal(&native, &recorded.machine, configuration, twin.quiet);
    let mut active = 0;
    if recorded.end != forward.end {
        differences.push(format!("ended at {:?} instead of {:?}", recorded.end, forward.end));
    }
    // Tags tell lanes of binary32 from halves of a binary64; forward mode has to take one for the other.
    let known_to_be_narrow = twin.content == Content::F32;
    if (recorded.count() == 0) != (forward.count() == 0) && !known_to_be_narrow {
        differences.push(format!("counted {} times, in forward mode {}", recorded.count(), forward.count()));
    }
    if recorded.count() == 0 && forward.count() == 0 {
        active += compare_shadows(twin, &recorded, &forward, &mut differences);
    }
    if differences.is_empty() {
        return Ok(active);
    }
    let mut text = describe(program, configuration, &recorded.translations, &differences);
    text.push_str(&format!("{:?}\n{:#?}\n", twin.content, recorded.written.structures));
    Err(text)
}

fn compare_shadows(
    twin: &Twin,
    recorded: &Outcome,
    forward: &Outcome,
    differences: &mut Vec<String>,
) -> usize {
    let mut dots = twin.inputs.clone();
    if let Err(damage) = recorded.written.evaluate(&mut dots) {
        differences.push(format!("the tape is damaged: {damage}"));
        return 0;
    }
    let mut active = 0;
    for ((name, dot), (_, index)) in pieces(&forward.shadows).into_iter().zip(pieces(&recorded.shadows)) {
        match compare_piece(dot, index, &dots) {
            Ok(compared) => active += compared,
            Err(error) => differences.push(format!("{name}: {error}")),
        }
    }
    active
}
