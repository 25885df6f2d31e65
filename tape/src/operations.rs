//! Operations one by one, for those who look at a tape: statistics, prints, exports. Slower than a sweep.

use crate::structure::{Function, Operand, Operation, Structure, BINARY32_MARK};
use crate::sweep::{positions, Damage, DamageKind};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

/// One operation of an execution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recorded {
    pub index: u64,
    pub function: Function,
    /// 0: passive or none.
    pub operands: [u64; 2],
    /// 0 for operands that are passive.
    pub partials: [f64; 2],
    /// Number of its structure.
    pub structure: u32,
    /// Address of the code in the client; 0: unknown.
    pub address: u64,
}

impl Recorded {
    /// Whether there is no operation in truth: it has operands by its function, but all are passive.
    pub fn is_hole(&self) -> bool {
        self.function != Function::Input && self.operands == [0; 2]
    }
}

/// Show all operations of `executions`, whose results have the `indices`, in ascending order of their indices.
/// Structures must have been checked; those that are fixed must be among them.
pub fn visit<E: From<Damage>>(
    structures: &BTreeMap<u32, Structure>,
    executions: &[u8],
    indices: Range<u64>,
    mut visitor: impl FnMut(&Recorded) -> Result<(), E>,
) -> Result<(), E> {
    let find = |number| {
        let structure = structures.get(&number)?;
        Some(((), structure.payload.checked_add(4)?))
    };
    let mut first = indices.start;
    let mut passive = Vec::new();
    for (start, number) in positions(executions, find)?.into_iter().rev() {
        let Some(structure) = structures.get(&number) else { continue };
        if indices.end - first < u64::from(structure.results) {
            return Err(Damage { offset: start, kind: DamageKind::ManyResults }.into());
        }
        let payload = &executions[start..start + structure.payload as usize];
        // Results of this execution that are holes.
        passive.clear();
        for operation in &structure.operations {
            for lane in 0..usize::from(operation.lanes) {
                let mut recorded = one(operation, payload, first, lane, &passive);
                recorded.structure = number;
                recorded.address = structure.address;
                if recorded.operands.iter().any(|operand| *operand >= recorded.index) {
                    return Err(Damage { offset: start, kind: DamageKind::Order(number) }.into());
                }
                if recorded.is_hole() {
                    passive.push(recorded.index);
                }
                visitor(&recorded)?;
            }
        }
        first += u64::from(structure.results);
    }
    if first != indices.end {
        return Err(Damage { offset: executions.len(), kind: DamageKind::FewResults }.into());
    }
    Ok(())
}

fn one(operation: &Operation, payload: &[u8], first: u64, lane: usize, passive: &[u64]) -> Recorded {
    let limit = first + u64::from(operation.result);
    let operands = operation.operands.map(|operand| {
        let index = match operand {
            Operand::Absent => 0,
            Operand::Narrow(offset) => {
                earlier(read::<4>(payload, offset, lane) & u64::from(!BINARY32_MARK), limit)
            }
            Operand::Wide(offset) => earlier(read::<8>(payload, offset, lane), limit),
            Operand::Result(result) => first + u64::from(result) + lane as u64,
        };
        // Results ascend, so that the list of passive ones does.
        match passive.binary_search(&index) {
            Ok(_) => 0,
            Err(_) => index,
        }
    });
    let values = operation.values.map(|value| match (value, operation.element) {
        (None, _) => 0.0,
        (Some(offset), crate::structure::Element::Binary32) => {
            f64::from(f32::from_bits(read::<4>(payload, offset, lane) as u32))
        }
        (Some(offset), crate::structure::Element::Binary64) => {
            f64::from_bits(read::<8>(payload, offset, lane))
        }
    });
    let mut partials = [0.0; 2];
    for operand in 0..2 {
        if operands[operand] != 0 {
            let partial = operation.function.partial(operand, values);
            partials[operand] = if operation.is_negated(operand, lane) { -partial } else { partial };
        }
    }
    Recorded {
        index: first + u64::from(operation.result) + lane as u64,
        function: operation.function,
        operands,
        partials,
        structure: 0,
        address: 0,
    }
}

/// An index of the payload, or one that is not smaller than any result if it does not belong to an earlier operation.
fn earlier(index: u64, limit: u64) -> u64 {
    if index < limit {
        index
    } else {
        u64::MAX
    }
}

/// The number of `SIZE` bytes in `lane` behind `offset`, which lies in the payload of a structure that was checked.
fn read<const SIZE: usize>(payload: &[u8], offset: u32, lane: usize) -> u64 {
    let start = offset as usize + SIZE * lane;
    let mut bytes = [0; 8];
    bytes[..SIZE].copy_from_slice(&payload[start..start + SIZE]);
    u64::from_le_bytes(bytes)
}
