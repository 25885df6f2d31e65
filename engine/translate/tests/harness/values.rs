//! Random values and shadows of a machine.

use super::machine::{Machine, Shadows, DEFAULT_CONTROL};
use super::random::Random;
use super::region::STACK_POINTER;
use super::run::Configuration;
use derivgrind_translate::state::State;
use half::f16;

/// What the bytes of registers and memory mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    F64,
    F32,
    F16,
    /// Any bits.
    Bits,
}

impl Content {
    pub fn size(self) -> usize {
        match self {
            Content::F16 => 2,
            Content::F32 => 4,
            _ => 8,
        }
    }

    /// Is it near the largest number, or beyond?
    pub fn overflows(self, magnitude: f64) -> bool {
        let largest = match self {
            Content::F16 => f16::MAX.to_f64(),
            Content::F32 => f64::from(f32::MAX),
            _ => f64::MAX,
        };
        magnitude.is_nan() || magnitude > largest / 16.0
    }

    /// Writes random lanes.
    pub fn fill(self, bytes: &mut [u8], random: &mut Random) {
        for lane in bytes.chunks_mut(self.size()) {
            self.write(lane, random);
        }
    }

    /// Writes random lanes, about every third of which is zero.
    pub fn fill_shadow(self, bytes: &mut [u8], random: &mut Random) {
        for lane in bytes.chunks_mut(self.size()) {
            if random.once_in(3) {
                lane.fill(0);
            } else {
                self.write(lane, random);
            }
        }
    }

    fn write(self, lane: &mut [u8], random: &mut Random) {
        match self {
            Content::F64 => lane.copy_from_slice(&random.moderate().to_le_bytes()[..lane.len()]),
            Content::F32 => lane.copy_from_slice(&(random.moderate() as f32).to_le_bytes()[..lane.len()]),
            Content::F16 => {
                lane.copy_from_slice(&f16::from_f64(random.moderate()).to_le_bytes()[..lane.len()]);
            }
            Content::Bits => random.fill(lane),
        }
    }

    /// Values at which partial derivatives are infinite or undefined.
    pub fn special(self, random: &mut Random) -> Vec<u8> {
        let values = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.0, -0.0, 1e300, 1e-310, f64::MAX];
        let value = values[random.below(values.len())];
        match self {
            Content::F32 => {
                let narrow = [f32::INFINITY, f32::NAN, 0.0, -0.0, f32::MAX, 1e-40, 1e30, f32::NEG_INFINITY];
                narrow[random.below(narrow.len())].to_le_bytes().to_vec()
            }
            Content::F16 => f16::from_f64(value).to_le_bytes().to_vec(),
            _ => value.to_le_bytes().to_vec(),
        }
    }
}

/// A machine with random content. Bits that the configuration's client cannot see are zero.
pub fn random_machine(content: Content, configuration: Configuration, random: &mut Random) -> Machine {
    let mut machine = Machine::zero();
    for general in &mut machine.general {
        *general = random.word();
    }
    machine.general[4] = STACK_POINTER;
    // CF, PF, AF, ZF, SF, OF
    machine.flags = 0x202 | random.word() & 0x8d5;
    let (count, size) = if configuration.has_evex() { (32, 64) } else { (16, 32) };
    for vector in &mut machine.vectors[..count] {
        content.fill(&mut vector[..size], random);
    }
    if configuration.has_evex() {
        machine.masks = std::array::from_fn(|_| random.word());
    }
    for area in &mut machine.memory.areas {
        content.fill(area, random);
    }
    machine.control = DEFAULT_CONTROL;
    machine
}

/// Random shadows that agree with a state.
pub fn random_shadows(
    content: Content,
    configuration: Configuration,
    state: State,
    random: &mut Random,
) -> Shadows {
    let mut shadows = Shadows::zero();
    for (number, general) in shadows.general.iter_mut().enumerate() {
        if state.zero_general() >> number & 1 == 0 && number != 4 {
            let mut bytes = [0; 8];
            content.fill_shadow(&mut bytes, random);
            *general = u64::from_le_bytes(bytes);
        }
    }
    let size = match (state.upper(), configuration.has_vex()) {
        (true, true) if configuration.has_evex() => 64,
        (true, true) => 32,
        _ => 16,
    };
    for (number, vector) in shadows.vectors[..16].iter_mut().enumerate() {
        if state.zero_vector() >> number & 1 == 0 {
            content.fill_shadow(&mut vector[..size], random);
        }
    }
    if configuration.has_evex() && random.once_in(2) {
        shadows.vectors[16..].iter_mut().for_each(|vector| content.fill_shadow(vector, random));
    }
    for area in &mut shadows.memory.areas {
        content.fill_shadow(area, random);
    }
    if random.once_in(4) {
        shadows.x87.iter_mut().for_each(|number| content.fill_shadow(&mut number[..8], random));
    }
    shadows
}

/// Active states of every kind.
pub fn random_states(random: &mut Random) -> Vec<State> {
    let stack_pointer = 1 << 4;
    let mut sets = || (random.word() as u16 | stack_pointer, random.word() as u16);
    let (first, second, third) = (sets(), sets(), sets());
    vec![
        State::UNKNOWN,
        State::active(!0, 0, false),
        State::active(!0, first.1, true),
        State::active(first.0, first.1, true),
        State::active(second.0, second.1, false),
        State::active(third.0 | third.1, third.0 | third.1, true),
    ]
}
