//! Computed rules, applied as the engine does it.

use super::compare::Expected;
use super::machine::{Machine, Shadows};
use super::reference::{self, Before};
use super::region;
use super::run::{Configuration, Outcome, Program};
use super::tape::Written;
use derivgrind_tape::structure::{Structure, TWO_OPERANDS};
use derivgrind_translate::computed::apply::{apply, Applied, Surroundings};
use derivgrind_translate::computed::{self, Part, Place, X87State};
use derivgrind_translate::interface::{ClientCode, Mode};
use iced_x86::{Decoder, DecoderOptions, Instruction};

/// Applies the rule of the instruction at `pc`; true if it is to be counted.
pub fn serve(
    program: &Program,
    configuration: Configuration,
    pc: u64,
    part: Part,
    outcome: &mut Outcome,
) -> bool {
    let code = program.code(pc).expect("a rule belongs to an instruction");
    let instruction = Decoder::with_ip(64, code, pc, DecoderOptions::NONE).decode();
    let found = Found { shadows: &outcome.shadows, written: &mut outcome.written };
    let applied = applied(&instruction, &outcome.machine, part, configuration.mode, found);
    for new in &applied.shadows {
        write(&mut outcome.shadows, new.place, new.bytes());
    }
    applied.is_incomplete
}

/// What the computed rule of a case's instruction makes of the shadows, if an operand is active. The rules themselves
/// are tested elsewhere: this is about the way to them and back.
pub fn expectation(before: &Before, mode: Mode, first_index: u64) -> Expected {
    let passive = reference::passive(before, true);
    if !passive.counted {
        return passive;
    }
    let mut written = Written::new(first_index);
    let found = Found { shadows: before.shadows, written: &mut written };
    let applied = applied(&before.generated.instruction, before.machine, Part::Upper(0), mode, found);
    let mut expected = before.unchanged();
    for new in &applied.shadows {
        write(&mut expected.shadows, new.place, new.bytes());
    }
    expected.counted = applied.is_incomplete;
    expected
}

fn applied(
    instruction: &Instruction,
    machine: &Machine,
    part: Part,
    mode: Mode,
    mut found: Found,
) -> Applied {
    // SAFETY: the harness owns the context.
    let (fs_base, gs_base) = unsafe { ((*region::context()).fs_base, (*region::context()).gs_base) };
    let seen = computed::Machine {
        general: &machine.general,
        flags: machine.flags,
        vectors: &machine.vectors,
        masks: &machine.masks,
        x87: X87State(&machine.x87),
        fs_base,
        gs_base,
        read: &|address, bytes| {
            bytes.copy_from_slice(machine.memory.at(address, bytes.len()));
            true
        },
    };
    apply(instruction, &seen, part, mode, &mut found)
}

struct Found<'a> {
    shadows: &'a Shadows,
    written: &'a mut Written,
}

impl Surroundings for Found<'_> {
    fn read(&self, place: Place, bytes: &mut [u8]) {
        match place {
            Place::General { register, byte } => {
                let shadow = self.shadows.general[register].to_le_bytes();
                bytes.copy_from_slice(&shadow[byte..byte + bytes.len()]);
            }
            Place::Vector { register, byte } => {
                let shadow = self.shadows.vectors[register];
                bytes.copy_from_slice(&shadow[byte..byte + bytes.len()]);
            }
            Place::X87 { register, byte } => {
                bytes.copy_from_slice(&self.shadows.x87[register][byte..byte + bytes.len()]);
            }
            Place::Memory { address } => {
                bytes.copy_from_slice(self.shadows.memory.at(address, bytes.len()));
            }
        }
    }

    fn record(&mut self, operands: [u64; 2], partials: [f64; 2]) -> u64 {
        let words = operands.into_iter().chain(partials.map(f64::to_bits));
        self.written.executions.extend(words.flat_map(u64::to_le_bytes));
        self.written.executions.extend(TWO_OPERANDS.to_le_bytes());
        self.written
            .structures
            .extend(Structure::fixed().into_iter().filter(|(number, _)| *number == TWO_OPERANDS));
        self.written.next_index += 1;
        self.written.next_index - 1
    }
}

fn write(shadows: &mut Shadows, place: Place, bytes: &[u8]) {
    match place {
        Place::General { register, byte } => {
            let mut shadow = shadows.general[register].to_le_bytes();
            shadow[byte..byte + bytes.len()].copy_from_slice(bytes);
            shadows.general[register] = u64::from_le_bytes(shadow);
        }
        Place::Vector { register, byte } => {
            shadows.vectors[register][byte..byte + bytes.len()].copy_from_slice(bytes);
        }
        Place::X87 { register, byte } => {
            shadows.x87[register][byte..byte + bytes.len()].copy_from_slice(bytes);
        }
        Place::Memory { address } => {
            shadows.memory.at_mut(address, bytes.len()).copy_from_slice(bytes);
        }
    }
}
