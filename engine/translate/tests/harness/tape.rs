//! What translated code writes to the tape: collected, and evaluated with dual numbers.
//!
//! The buffer ends with the last byte that a translation has announced to write. Behind it nothing is mapped, so that a
//! write beyond is a fault.

use super::region;
use derivgrind_tape::operations::visit;
use derivgrind_tape::structure::{Function, Structure, FIRST_RECORDED};
use derivgrind_tape::sweep::Damage;
use derivgrind_translate::interface::Translation;
use std::collections::{BTreeMap, HashMap};

/// Position and next index.
pub const STATE: u64 = 0x6300_0000;
pub const BUFFER: u64 = 0x6301_0000;
pub const BUFFER_SIZE: usize = 0x1_0000;
/// Bytes in front of the position that must stay as they are.
const IN_FRONT: usize = 64;
const UNTOUCHED: u8 = 0xa5;

/// Executions and their structures.
pub struct Written {
    pub structures: BTreeMap<u32, Structure>,
    pub executions: Vec<u8>,
    pub first_index: u64,
    pub next_index: u64,
}

/// A dot value, and the magnitude of the terms whose sum it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dot {
    pub value: f64,
    pub scale: f64,
}

impl Written {
    pub fn new(first_index: u64) -> Written {
        Written { structures: BTreeMap::new(), executions: Vec::new(), first_index, next_index: first_index }
    }

    /// Numbers the structures of a translation, and puts position and index in place; returns the position.
    pub fn prepare(&mut self, translation: &mut Translation) -> u64 {
        let first = FIRST_RECORDED + self.structures.len() as u32;
        for reference in &translation.structure_references {
            let at = reference.code_offset as usize;
            let number = first + reference.structure;
            translation.code[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        let longest = translation.structures.iter().map(|structure| structure.payload + 4).max().unwrap_or(0);
        for (number, structure) in (first..).zip(&translation.structures) {
            structure.check(number).expect("structures are sound");
            self.structures.insert(number, structure.clone());
        }
        let position = BUFFER + BUFFER_SIZE as u64 - u64::from(longest);
        region::write(BUFFER, &[UNTOUCHED; BUFFER_SIZE]);
        region::write(STATE, &position.to_le_bytes());
        region::write(STATE + 8, &self.next_index.to_le_bytes());
        position
    }

    /// Takes what was written from `position` on.
    pub fn collect(&mut self, position: u64) {
        let mut state = [0; 16];
        region::read(STATE, &mut state);
        let (end, next) = (super::machine::word(&state), super::machine::word(&state[8..]));
        assert!((position..=BUFFER + BUFFER_SIZE as u64).contains(&end), "the position is {end:#x}");
        let mut in_front = [0; IN_FRONT];
        region::read(position - IN_FRONT as u64, &mut in_front);
        assert_eq!(in_front, [UNTOUCHED; IN_FRONT], "nothing is written in front of the position");
        let mut bytes = vec![0; (end - position) as usize];
        region::read(position, &mut bytes);
        let results = match bytes.last_chunk() {
            Some(number) => {
                let structure = &self.structures[&u32::from_le_bytes(*number)];
                assert_eq!(bytes.len() as u32, structure.payload + 4, "there is one execution");
                u64::from(structure.results)
            }
            None => 0,
        };
        assert_eq!(next - self.next_index, results, "indices are those of the execution's results");
        self.next_index = next;
        self.executions.extend(bytes);
    }

    /// Adds the dot values of all results to those of the inputs. Passive results are not among them.
    pub fn evaluate(&self, dots: &mut HashMap<u64, Dot>) -> Result<(), Damage> {
        let indices = self.first_index..self.next_index;
        visit(&self.structures, &self.executions, indices, |recorded| -> Result<(), Damage> {
            if recorded.is_hole() {
                return Ok(());
            }
            // These instructions are approximations; forward mode differentiates the approximation.
            let approximate =
                matches!(recorded.function, Function::Reciprocal | Function::ReciprocalSquareRoot);
            let mut sum = Dot::default();
            for (operand, partial) in recorded.operands.iter().zip(recorded.partials) {
                let Some(dot) = dots.get(operand).filter(|_| *operand != 0) else {
                    assert_eq!(*operand, 0, "an operand of {recorded:?} is unknown");
                    continue;
                };
                sum.value += partial * dot.value;
                sum.scale += (partial * dot.scale).abs() * if approximate { 1000.0 } else { 1.0 };
            }
            dots.insert(recorded.index, sum);
            Ok(())
        })
    }
}
