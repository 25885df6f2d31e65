//! Programs of filters for system calls: the classic packet filter, as far as seccomp(2) allows it.
//!
//! What is accepted is what `bpf_check_classic` and `seccomp_check_filter` of the kernel accept. A program looks at the
//! system call's number, architecture, address and arguments, and returns an action. Jumps lead forward only, so every
//! program ends.

use alloc::vec::Vec;
use linux_raw_sys::ptrace::*;

/// The kernel's `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    constant: u32,
}

/// The words of a `struct seccomp_data`.
pub type Words = [u32; 16];
const DATA_SIZE: u32 = 64;
const CELLS: usize = BPF_MEMWORDS as usize;

/// A program that has been checked.
pub struct FilterProgram(Vec<Instruction>);

/// It is not a program that the kernel would accept.
pub struct Invalid;

/// Operation and source of operands, without the class.
const OPERATION: u32 = 0xf0;

impl FilterProgram {
    pub fn check(instructions: Vec<Instruction>) -> Result<FilterProgram, Invalid> {
        let count = instructions.len();
        if count == 0 || count > BPF_MAXINSNS as usize {
            return Err(Invalid);
        }
        for (place, instruction) in instructions.iter().enumerate() {
            if !instruction.is_valid(count - place - 1) {
                return Err(Invalid);
            }
        }
        let last = u32::from(instructions[count - 1].code);
        if last & 7 != BPF_RET || reads_unwritten_cells(&instructions) {
            return Err(Invalid);
        }
        Ok(FilterProgram(instructions))
    }

    pub fn instructions(&self) -> &[Instruction] {
        &self.0
    }

    /// The action for a system call.
    pub fn run(&self, data: &Words) -> u32 {
        let mut cells = [0u32; CELLS];
        let (mut a, mut x) = (0u32, 0u32);
        let mut place = 0;
        loop {
            let Instruction { code, if_true, if_false, constant } = self.0[place];
            let code = u32::from(code);
            let operand = if code & BPF_X != 0 { x } else { constant };
            place += 1;
            match code & 7 {
                BPF_LD => a = load(code, constant, data, &cells),
                BPF_LDX => x = load(code, constant, data, &cells),
                BPF_ST => cells[constant as usize] = a,
                BPF_STX => cells[constant as usize] = x,
                BPF_ALU if code & OPERATION == BPF_DIV && operand == 0 => return 0,
                BPF_ALU => a = compute(code & OPERATION, a, operand),
                BPF_JMP if code & OPERATION == BPF_JA => place += constant as usize,
                BPF_JMP => {
                    let taken = compare(code & OPERATION, a, operand);
                    place += usize::from(if taken { if_true } else { if_false });
                }
                BPF_RET => return if code & 0x18 == BPF_A { a } else { constant },
                _ if code & OPERATION == BPF_TXA => a = x,
                _ => x = a,
            }
        }
    }
}

impl Instruction {
    /// Is it allowed with `left` instructions behind it?
    fn is_valid(&self, left: usize) -> bool {
        let Instruction { constant, .. } = *self;
        match u32::from(self.code) {
            // BPF_LD | BPF_W | BPF_ABS
            0x20 => constant % 4 == 0 && constant < DATA_SIZE,
            code => match (code & 7, code & !7) {
                (BPF_LD | BPF_LDX, BPF_IMM | BPF_LEN) => true,
                (BPF_LD | BPF_LDX, BPF_MEM) | (BPF_ST | BPF_STX, 0) => constant < BPF_MEMWORDS,
                (BPF_ALU, BPF_NEG) => true,
                (BPF_ALU, rest) => {
                    let operation = rest & !BPF_X;
                    let known = operation <= BPF_RSH || operation == BPF_XOR;
                    let by_constant = rest & BPF_X == 0;
                    let faulty = match operation {
                        BPF_DIV => constant == 0,
                        BPF_LSH | BPF_RSH => constant >= 32,
                        _ => false,
                    };
                    known && !(by_constant && faulty)
                }
                (BPF_JMP, BPF_JA) => (constant as usize) < left,
                (BPF_JMP, rest) => {
                    let known = matches!(rest & !BPF_X, BPF_JEQ | BPF_JGT | BPF_JGE | BPF_JSET);
                    known && usize::from(self.if_true) < left && usize::from(self.if_false) < left
                }
                (BPF_RET, BPF_K | BPF_A) | (BPF_MISC, BPF_TAX | BPF_TXA) => true,
                _ => false,
            },
        }
    }
}

/// May a cell be read that has not been written on each way to the place? The jumps have been checked.
fn reads_unwritten_cells(instructions: &[Instruction]) -> bool {
    // For each place, a bit for each cell that is written on all jumps to it.
    let mut written_at = alloc::vec![u16::MAX; instructions.len()];
    let mut written = 0;
    for (place, instruction) in instructions.iter().enumerate() {
        written &= written_at[place];
        let Instruction { code, if_true, if_false, constant } = *instruction;
        let code = u32::from(code);
        let mut jump = |distance: usize| written_at[place + 1 + distance] &= written;
        match code & 7 {
            BPF_ST | BPF_STX => written |= 1 << constant,
            BPF_LD | BPF_LDX if code & !7 == BPF_MEM && written >> constant & 1 == 0 => return true,
            BPF_JMP => {
                if code & OPERATION == BPF_JA {
                    jump(constant as usize);
                } else {
                    jump(usize::from(if_true));
                    jump(usize::from(if_false));
                }
                written = u16::MAX;
            }
            _ => {}
        }
    }
    false
}

fn load(code: u32, constant: u32, data: &Words, cells: &[u32; CELLS]) -> u32 {
    match code & !7 {
        BPF_IMM => constant,
        BPF_LEN => DATA_SIZE,
        BPF_MEM => cells[constant as usize],
        _ => data[constant as usize / 4],
    }
}

fn compute(operation: u32, a: u32, operand: u32) -> u32 {
    match operation {
        BPF_ADD => a.wrapping_add(operand),
        BPF_SUB => a.wrapping_sub(operand),
        BPF_MUL => a.wrapping_mul(operand),
        BPF_DIV => a / operand,
        BPF_OR => a | operand,
        BPF_AND => a & operand,
        BPF_LSH => a.wrapping_shl(operand),
        BPF_RSH => a.wrapping_shr(operand),
        BPF_XOR => a ^ operand,
        _ => a.wrapping_neg(),
    }
}

fn compare(operation: u32, a: u32, operand: u32) -> bool {
    match operation {
        BPF_JEQ => a == operand,
        BPF_JGT => a > operand,
        BPF_JGE => a >= operand,
        _ => a & operand != 0,
    }
}
