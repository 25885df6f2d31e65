//! Structures as lanes: one operation each, with the sums that its contributions go to.
//!
//! There is a sum for each result, and one for each place of the payload.

use super::observed::{Place, Seen};
use crate::structure::{Element, Function, Operand, Operation, Structure};

/// One lane of an operation.
pub struct Lane {
    pub function: Function,
    pub element: Element,
    /// The sum that is the adjoint of its result.
    pub result: usize,
    pub operands: [Option<Term>; 2],
    /// Offsets in the payload.
    pub values: [Option<u32>; 2],
}

/// An operand: to which sum its contribution goes.
#[derive(Clone, Copy)]
pub struct Term {
    pub sum: usize,
    pub is_negated: bool,
}

/// Lanes with operands, in the order of a reverse sweep.
pub fn lanes(structure: &Structure, places: &[Place]) -> Vec<Lane> {
    let mut lanes = Vec::new();
    for operation in structure.operations.iter().rev() {
        for lane in (0..u32::from(operation.lanes)).rev() {
            let operands = [0, 1].map(|number| {
                let sum = target(operation, number, lane, structure, places)?;
                Some(Term { sum, is_negated: operation.is_negated(number, lane as usize) })
            });
            let size = operation.element as u32;
            let values = operation.values.map(|value| value.map(|offset| offset + size * lane));
            if operands.iter().any(Option::is_some) {
                lanes.push(Lane {
                    function: operation.function,
                    element: operation.element,
                    result: (operation.result + lane) as usize,
                    operands,
                    values,
                });
            }
        }
    }
    lanes
}

/// The sum that contributions to an operand go to; none if it is passive.
fn target(
    operation: &Operation,
    number: usize,
    lane: u32,
    structure: &Structure,
    places: &[Place],
) -> Option<usize> {
    let (offset, is_wide) = match operation.operands[number] {
        Operand::Absent => return None,
        Operand::Result(result) => return Some((result + lane) as usize),
        Operand::Narrow(offset) => (offset + 4 * lane, false),
        Operand::Wide(offset) => (offset + 8 * lane, true),
    };
    let place =
        places.binary_search_by_key(&(offset, is_wide), |place| (place.offset, place.is_wide)).ok()?;
    match places[place].seen {
        Seen::Passive => None,
        Seen::Own(own) => Some(own as usize),
        Seen::Never | Seen::Earlier => Some(structure.results as usize + place),
    }
}

/// At which lanes each sum is used. Those of places are used at the end, too.
pub fn uses(lanes: &[Lane], structure: &Structure, places: &[Place]) -> Vec<Vec<u32>> {
    let results = structure.results as usize;
    let mut uses = vec![Vec::new(); results + places.len()];
    for (position, lane) in lanes.iter().enumerate() {
        for sum in lane.operands.iter().flatten().map(|term| term.sum).chain([lane.result]) {
            uses[sum].push(position as u32);
        }
    }
    for of_place in &mut uses[results..] {
        of_place.push(lanes.len() as u32);
    }
    uses
}
