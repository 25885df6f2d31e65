//! Instructions that nearly every translation needs, encoded once for a thread: the encoder takes longer for one of them
//! than copying all of a block.

use crate::context::offset;
use crate::emit::Assembler;
use alloc::rc::Rc;
use iced_x86::{Code, ConditionCode};

/// Jumps with a 32-bit displacement, by their condition; the first has none.
const JUMPS: [Code; 17] = [
    Code::Jmp_rel32_64,
    Code::Jo_rel32_64,
    Code::Jno_rel32_64,
    Code::Jb_rel32_64,
    Code::Jae_rel32_64,
    Code::Je_rel32_64,
    Code::Jne_rel32_64,
    Code::Jbe_rel32_64,
    Code::Ja_rel32_64,
    Code::Js_rel32_64,
    Code::Jns_rel32_64,
    Code::Jp_rel32_64,
    Code::Jnp_rel32_64,
    Code::Jl_rel32_64,
    Code::Jge_rel32_64,
    Code::Jle_rel32_64,
    Code::Jg_rel32_64,
];

/// Bytes of a displacement or immediate, the last of an instruction.
const FIELD: usize = 4;
/// No template is longer.
const LONGEST: usize = 24;

/// One or two instructions.
#[derive(Clone, Copy)]
struct Template {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Template {
    fn of(code: &[u8]) -> Template {
        let mut bytes = [0; LONGEST];
        bytes[..code.len()].copy_from_slice(code);
        Template { bytes, length: code.len() }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// See the module.
pub struct Templates {
    jumps: [Template; JUMPS.len()],
    /// Stores the number of an exit and jumps to the common exit.
    leave: Template,
    /// Offset of the number in it.
    number_at: usize,
    common_exit: u64,
}

impl Templates {
    /// For a thread whose context and common exit are at these addresses.
    pub fn new(context: u64, common_exit: u64) -> Rc<Templates> {
        let mut leave = Assembler::new(common_exit, context);
        let slot = leave.context(offset::EXIT);
        leave.store_immediate(slot, 0);
        let number_at = leave.code.len() - FIELD;
        leave.jump_to(common_exit);
        let jumps = JUMPS.map(|code| {
            let mut jump = Assembler::new(common_exit, context);
            jump.jump_to_by(code, common_exit);
            Template::of(&jump.code)
        });
        Rc::new(Templates { jumps, leave: Template::of(&leave.code), number_at, common_exit })
    }

    /// Bytes of a jump, with a displacement to be set; `None` if there is no template for it.
    pub(crate) fn jump(&self, code: Code) -> Option<&[u8]> {
        let condition = code.condition_code() as usize;
        debug_assert_eq!(ConditionCode::None as usize, 0);
        (JUMPS[condition] == code).then(|| self.jumps[condition].bytes())
    }

    /// Appends the way out by exit `number` to code that will run at `address`.
    pub(crate) fn leave(&self, code: &mut alloc::vec::Vec<u8>, address: u64, number: u32) {
        let start = code.len();
        code.extend_from_slice(self.leave.bytes());
        let end = code.len();
        let displacement = self.common_exit.wrapping_sub(address + end as u64) as u32;
        let number_at = start + self.number_at;
        code[number_at..number_at + FIELD].copy_from_slice(&number.to_le_bytes());
        code[end - FIELD..].copy_from_slice(&displacement.to_le_bytes());
    }
}
