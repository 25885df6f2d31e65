//! How generated code is entered and left, and how it goes from one execution to the next.
//!
//! While it runs, RDI is the address of the [`State`], RSI the address behind the execution, RDX that of the cell of
//! index 0, R8 the index behind the last result, R9 the address of the table. Code of a structure computes R11, the
//! index of the first result, and RCX, the address of its cell.

use super::assembler::{at, Assembler};
use super::state::{field, Entry, State};
use iced_x86::{Code, Instruction, MemoryOperand, Register};
use std::mem::offset_of;

pub const END: Register = Register::RSI;
pub const CELLS: Register = Register::RDX;
pub const OWN: Register = Register::RCX;
pub const INDEX: Register = Register::R8;
pub const TABLE: Register = Register::R9;
pub const FIRST: Register = Register::R11;
/// For intermediate numbers.
pub const SCRATCH: Register = Register::RAX;
/// They keep indices of operands from the check to the end.
pub const KEEPERS: [Register; 7] =
    [Register::RBX, Register::RBP, Register::R10, Register::R12, Register::R13, Register::R14, Register::R15];
/// What the calling convention wants to have back (System V ABI, x86-64 supplement, 3.2.1).
const SAVED: [Register; 6] =
    [Register::RBX, Register::RBP, Register::R12, Register::R13, Register::R14, Register::R15];

/// The XMM register that holds the number one.
pub const ONE: u32 = 3;

/// The code that is entered and left by: address of the way out first, relative to `address`; the way in is there.
pub fn frame(address: u64) -> Option<(Vec<u8>, u64)> {
    let mut assembler = Assembler::new(address);
    assembler.store_general(field(offset_of!(State, end)), END);
    assembler.store_general(field(offset_of!(State, index)), INDEX);
    assembler.emit(Ok(Instruction::with(Code::VEX_Vzeroupper)));
    for register in SAVED.into_iter().rev() {
        assembler.emit(Instruction::with1(Code::Pop_r64, register));
    }
    assembler.emit(Ok(Instruction::with(Code::Retnq)));
    let entry = assembler.address();
    for register in SAVED {
        assembler.emit(Instruction::with1(Code::Push_r64, register));
    }
    assembler.load_general(END, field(offset_of!(State, end)));
    assembler.load_general(INDEX, field(offset_of!(State, index)));
    assembler.load_general(CELLS, field(offset_of!(State, cells)));
    assembler.load_general(TABLE, field(offset_of!(State, table)));
    assembler.load(ONE, field(offset_of!(State, one)));
    go_on(&mut assembler, address);
    Some((assembler.finish()?, entry))
}

/// Jump to the code of the execution that ends at RSI, if there is one.
pub fn go_on(assembler: &mut Assembler, exit: u64) {
    let number = Register::EAX;
    assembler.emit(Instruction::with2(Code::Mov_r32_rm32, number, at(END, -4)));
    assembler.emit(Instruction::with2(Code::Cmp_r32_rm32, number, field(offset_of!(State, numbers))));
    assembler.jump(Code::Jae_rel32_64, exit);
    assembler.emit(Instruction::with2(Code::Shl_rm64_imm8, SCRATCH, size_of::<Entry>().trailing_zeros()));
    let code = MemoryOperand::with_base_index(TABLE, SCRATCH);
    assembler.load_general(SCRATCH, code);
    assembler.emit(Instruction::with2(Code::Test_rm64_r64, SCRATCH, SCRATCH));
    assembler.jump(Code::Je_rel32_64, exit);
    assembler.emit(Instruction::with1(Code::Jmp_rm64, SCRATCH));
}
