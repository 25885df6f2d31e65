//! From a client's memory operand to the operand of its shadow.
//!
//! Most operands need a GS prefix and nothing else. Operands relative to FS or GS, with 32-bit address size, or too far
//! away from the cache have no such form: their address is computed in a register that is spilled around the access.

use crate::control::has_memory;
use crate::emit::{Assembler, Memory};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};

/// The client's operand as shadow code may use it, `None` if its address has to be computed first.
pub fn direct(instruction: &Instruction) -> Option<Memory> {
    let segment = instruction.memory_segment();
    if segment == Register::FS || segment == Register::GS {
        return None;
    }
    let (base, index) = (instruction.memory_base(), instruction.memory_index());
    if base == Register::RIP {
        let address = instruction.ip_rel_memory_address();
        return (address >> 31 == 0).then(|| Memory::absolute(address));
    }
    let narrow = base.is_gpr32() || index.is_gpr32() || index == Register::AL;
    if narrow || index.is_vector_register() || base == Register::EIP {
        return None;
    }
    let displacement = instruction.memory_displacement64() as i64;
    if displacement != i64::from(displacement as i32) {
        return None;
    }
    Some(Memory {
        base,
        index,
        scale: instruction.memory_index_scale(),
        displacement,
        segment: Register::None,
    })
}

/// The place that is all an instruction can write by its memory operand, and its size; `None` if it is not known.
pub fn written(instruction: &Instruction) -> Option<(Memory, usize)> {
    use Mnemonic::{Btc, Btr, Bts};
    // The number of a bit in a register may be that of one far away.
    let is_bit_string =
        matches!(instruction.mnemonic(), Btc | Btr | Bts) && instruction.op1_kind() == OpKind::Register;
    let size = instruction.memory_size().size();
    direct(instruction)
        .filter(|_| has_memory(instruction) && !is_bit_string && size != 0)
        .map(|place| (place, size))
}

/// Emits code that puts the address of the client's memory operand into `register`, which the operand may use. The
/// context holds the client's FS and GS base.
pub fn compute_address(asm: &mut Assembler, instruction: &Instruction, register: Register) {
    use crate::context::offset;
    use iced_x86::Code;
    let (base, index) = (instruction.memory_base(), instruction.memory_index());
    let displacement = instruction.memory_displacement64();
    let segment_base = match instruction.memory_segment() {
        Register::FS => Some(asm.context(offset::FS_BASE)),
        Register::GS => Some(asm.context(offset::GS_BASE)),
        _ => None,
    };
    if base == Register::RIP || base == Register::EIP || base == Register::None && index == Register::None {
        let address = if base == Register::RIP || base == Register::EIP {
            instruction.ip_rel_memory_address()
        } else {
            displacement
        };
        asm.built(Instruction::with2(Code::Mov_r64_imm64, register, address));
    } else if index == Register::AL {
        // The table of `xlat`.
        let target = register.full_register32();
        asm.built(Instruction::with2(Code::Movzx_r32_rm8, target, index));
        let operand = iced_x86::MemoryOperand::with_base_index(base.full_register(), register);
        let narrow = base.is_gpr32();
        let (code, target) = if narrow { (Code::Lea_r32_m, target) } else { (Code::Lea_r64_m, register) };
        asm.built(Instruction::with2(code, target, operand));
    } else {
        let operand = iced_x86::MemoryOperand::new(
            base,
            index,
            instruction.memory_index_scale(),
            displacement as i64,
            if base == Register::None { 8 } else { 1 },
            false,
            Register::None,
        );
        // The address size of the operand decides: with 32-bit registers the result is cut off and zero-extended.
        let narrow = base.is_gpr32() || index.is_gpr32();
        let code = if narrow { Code::Lea_r32_m } else { Code::Lea_r64_m };
        let target = if narrow { register.full_register32() } else { register };
        asm.built(Instruction::with2(code, target, operand));
    }
    if let Some(segment_base) = segment_base {
        add_without_flags(asm, register, segment_base);
    }
}

/// register += [memory], by way of a second register that is parked in the context's scratch.
fn add_without_flags(asm: &mut Assembler, register: Register, memory: Memory) {
    let helper = if register == Register::RDX { Register::RAX } else { Register::RDX };
    let park = asm.context(crate::context::offset::SCRATCH + 24);
    asm.store(park, helper);
    asm.load(helper, memory);
    asm.address_of(register, Memory { index: helper, ..Memory::at(register, 0) });
    asm.load(helper, park);
}
