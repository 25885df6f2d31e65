//! Instructions that nearly every translation needs, encoded once for a thread: the encoder takes longer for one of
//! them than copying all of a block.

use crate::context::offset;
use crate::emit::Assembler;
use crate::glue::{Arrival, Entrances};
use crate::plain::Kinds;
use alloc::rc::Rc;
use alloc::vec::Vec;
use iced_x86::{Code, ConditionCode, Instruction, Register};

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
const LONGEST: usize = 32;

/// A few instructions.
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

/// Is there a template for this jump?
pub(crate) fn is_known(code: Code) -> bool {
    debug_assert_eq!(ConditionCode::None as usize, 0);
    JUMPS[code.condition_code() as usize] == code
}

/// See the module.
pub struct Templates {
    jumps: [Template; JUMPS.len()],
    /// Stores the number of an exit and jumps to the common exit.
    leave: Template,
    /// Offset of the number in it.
    number_at: usize,
    common_exit: u64,
    /// Pushes a return address below 2^31.
    push: Template,
    /// A return in the zero state.
    plain_return: Template,
    entrances: Entrances,
    context: u64,
    pub(crate) kinds: Kinds,
}

impl Templates {
    /// For a thread whose context, common exit and table of the zero state are at these addresses.
    pub fn new(context: u64, common_exit: u64, zero_table: u64) -> Rc<Templates> {
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
        let mut push = Assembler::new(common_exit, context);
        push.built(Instruction::with1(Code::Pushq_imm32, 0));
        let mut plain_return = Assembler::new(common_exit, context);
        let spilled = plain_return.context(offset::SPILLED_RCX);
        plain_return.store(spilled, Register::RCX);
        plain_return.return_by_table(zero_table + Arrival::Return.offset());
        Rc::new(Templates {
            jumps,
            leave: Template::of(&leave.code),
            number_at,
            common_exit,
            push: Template::of(&push.code),
            plain_return: Template::of(&plain_return.code),
            entrances: Entrances::new(context),
            context,
            kinds: Kinds::new(),
        })
    }

    /// Bytes of a jump, with a displacement to be set; `None` if there is no template for it.
    pub(crate) fn jump(&self, code: Code) -> Option<&[u8]> {
        is_known(code).then(|| self.jumps[code.condition_code() as usize].bytes())
    }

    /// Appends the way out by exit `number` to code that will run at `address`.
    pub(crate) fn leave(&self, code: &mut Vec<u8>, address: u64, number: u32) {
        let start = code.len();
        code.extend_from_slice(self.leave.bytes());
        let end = code.len();
        let displacement = self.common_exit.wrapping_sub(address + end as u64) as u32;
        let number_at = start + self.number_at;
        code[number_at..number_at + FIELD].copy_from_slice(&number.to_le_bytes());
        code[end - FIELD..].copy_from_slice(&displacement.to_le_bytes());
    }

    /// An entrance for branches to `pc`, which go on behind it, see [`crate::glue`]. Others go to `next`, the former
    /// content of the table.
    pub fn entrance(&self, address: u64, pc: u64, arrival: Arrival, next: u64) -> Vec<u8> {
        self.entrances.make(address, self.context, pc, arrival, next)
    }

    /// Appends a jump to `target` to an entrance at `address`, whose translation is there.
    pub fn go_on(&self, entrance: &mut Vec<u8>, address: u64, target: u64) {
        entrance.extend_from_slice(self.jumps[0].bytes());
        let end = entrance.len();
        let distance = target.wrapping_sub(address + end as u64) as u32;
        entrance[end - FIELD..].copy_from_slice(&distance.to_le_bytes());
    }

    /// Appends a push of a return address below 2^31.
    pub(crate) fn push(&self, code: &mut Vec<u8>, return_address: u32) {
        code.extend_from_slice(self.push.bytes());
        let end = code.len();
        code[end - FIELD..].copy_from_slice(&return_address.to_le_bytes());
    }

    /// Appends a return in the zero state.
    pub(crate) fn plain_return(&self, code: &mut Vec<u8>) {
        code.extend_from_slice(self.plain_return.bytes());
    }
}
