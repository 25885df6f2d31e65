//! String moves and stores: run once on the shadows, then on the client's memory.

use crate::constants;
use crate::context::offset;
use crate::decode::Client;
use crate::emit::Memory;
use crate::translate::{Level, Translator};
use iced_x86::Register;

/// Registers that the shadow run changes, and where their client values wait.
const PARKED: [(Register, u32); 4] = [
    (Register::RDI, offset::SCRATCH),
    (Register::RSI, offset::SCRATCH + 8),
    (Register::RCX, offset::SCRATCH + 16),
    (Register::RAX, offset::SCRATCH + 24),
];

impl Translator<'_> {
    pub(crate) fn string_move(&mut self, client: &Client) {
        self.on_shadows(client, &[Register::RDI, Register::RSI], |_| {});
        self.copy(client);
    }

    pub(crate) fn string_store(&mut self, client: &Client) {
        let rax_active = self.level == Level::Active && self.zero_general & 1 == 0;
        self.on_shadows(client, &[Register::RDI], |translator| {
            if rax_active {
                let slot = translator.asm.shadow_slot(0);
                translator.asm.load(Register::RAX, slot);
            } else {
                let zero = translator.asm.context(constants::ZERO);
                translator.asm.load(Register::RAX, zero);
            }
        });
        self.copy(client);
    }

    /// Runs the instruction with the shadow offset added to `pointers`; all registers are as before afterwards.
    fn on_shadows(&mut self, client: &Client, pointers: &[Register], prepare: impl FnOnce(&mut Self)) {
        for (register, place) in PARKED {
            let place = self.asm.context(place);
            self.asm.store(place, register);
        }
        let distance = self.asm.context(constants::SHADOW_OFFSET);
        self.asm.load(Register::RAX, distance);
        for pointer in pointers {
            self.asm.address_of(*pointer, Memory { index: Register::RAX, ..Memory::at(*pointer, 0) });
        }
        prepare(self);
        self.copy(client);
        for (register, place) in PARKED {
            let place = self.asm.context(place);
            self.asm.load(register, place);
        }
        if self.level == Level::Active {
            let repeated = client.instruction.has_rep_prefix() || client.instruction.has_repne_prefix();
            let mut written = 1 << Register::RDI.number();
            if pointers.len() > 1 {
                written |= 1 << Register::RSI.number();
            }
            if repeated {
                written |= 1 << Register::RCX.number();
            }
            self.zero_general |= written;
        }
    }
}
