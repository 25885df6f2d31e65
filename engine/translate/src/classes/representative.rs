//! One instruction of each code, with operands that no rule refuses.

use iced_x86::{Code, EncodingKind, Instruction, OpCodeOperandKind, OpKind, Register};

/// An instruction with distinct registers where a code allows registers or memory.
pub fn representative(code: Code) -> Instruction {
    let mut instruction = Instruction::default();
    instruction.set_code(code);
    let info = code.op_code();
    // Registers above 15 have a place for all bits of their shadow.
    let first = if info.encoding() == EncodingKind::EVEX { 16 } else { 0 };
    for operand in 0..info.op_count() {
        let kind = info.op_kind(operand);
        let (kind, register) = match register(kind, first + 1 + operand) {
            Some(register) => (OpKind::Register, register),
            None => (other_kind(kind), Register::None),
        };
        instruction.set_op_kind(operand, kind);
        if kind == OpKind::Register {
            instruction.set_op_register(operand, register);
        } else if kind == OpKind::Memory {
            set_address(&mut instruction, info.op_kind(operand));
        }
    }
    // The target's address has the same size.
    if instruction.op0_kind() == OpKind::Register && info.op_kind(0) == OpCodeOperandKind::r32_reg_mem {
        instruction.set_memory_base(Register::EBX);
    }
    instruction
}

/// A register of the operand's kind, `None` if it is another kind of operand.
fn register(kind: OpCodeOperandKind, number: u32) -> Option<Register> {
    use OpCodeOperandKind::*;
    let low = number & 15;
    Some(match kind {
        r8_or_mem | r8_reg | r8_opcode => Register::AL + (low & 3),
        r16_or_mem | r16_reg | r16_reg_mem | r16_rm | r16_opcode => Register::AX + low,
        r32_or_mem | r32_or_mem_mpx | r32_reg | r32_reg_mem | r32_rm | r32_opcode | r32_vvvv => {
            Register::EAX + low
        }
        r64_or_mem | r64_or_mem_mpx | r64_reg | r64_reg_mem | r64_rm | r64_opcode | r64_vvvv => {
            Register::RAX + low
        }
        mm_or_mem | mm_reg | mm_rm => Register::MM0 + (low & 7),
        xmm_or_mem | xmm_reg | xmm_rm | xmm_vvvv | xmmp3_vvvv | xmm_is4 | xmm_is5 => Register::XMM0 + number,
        ymm_or_mem | ymm_reg | ymm_rm | ymm_vvvv | ymm_is4 | ymm_is5 => Register::YMM0 + number,
        zmm_or_mem | zmm_reg | zmm_rm | zmm_vvvv | zmmp3_vvvv => Register::ZMM0 + number,
        k_or_mem | k_reg | kp1_reg | k_rm | k_vvvv => Register::K0 + (low & 7),
        bnd_or_mem_mpx | bnd_reg => Register::BND0 + (low & 3),
        tmm_reg | tmm_rm | tmm_vvvv => Register::TMM0 + (low & 7),
        sti_opcode => Register::ST0 + low,
        st0 => Register::ST0,
        seg_reg => Register::ES,
        cr_reg => Register::CR0,
        dr_reg => Register::DR0,
        tr_reg => Register::TR0,
        es => Register::ES,
        cs => Register::CS,
        ss => Register::SS,
        ds => Register::DS,
        fs => Register::FS,
        gs => Register::GS,
        al => Register::AL,
        cl => Register::CL,
        ax => Register::AX,
        dx => Register::DX,
        eax => Register::EAX,
        rax => Register::RAX,
        _ => return Option::None,
    })
}

fn other_kind(kind: OpCodeOperandKind) -> OpKind {
    use OpCodeOperandKind::*;
    match kind {
        seg_rSI => OpKind::MemorySegRSI,
        es_rDI => OpKind::MemoryESRDI,
        seg_rDI => OpKind::MemorySegRDI,
        imm4_m2z | imm8 | imm8_const_1 => OpKind::Immediate8,
        imm8sex16 => OpKind::Immediate8to16,
        imm8sex32 => OpKind::Immediate8to32,
        imm8sex64 => OpKind::Immediate8to64,
        imm16 => OpKind::Immediate16,
        imm32 => OpKind::Immediate32,
        imm32sex64 => OpKind::Immediate32to64,
        imm64 => OpKind::Immediate64,
        farbr2_2 => OpKind::FarBranch16,
        farbr4_2 => OpKind::FarBranch32,
        br16_1 | br16_2 => OpKind::NearBranch16,
        br32_1 | br32_4 => OpKind::NearBranch32,
        br64_1 | br64_4 | xbegin_2 | xbegin_4 | brdisp_2 | brdisp_4 => OpKind::NearBranch64,
        _ => OpKind::Memory,
    }
}

fn set_address(instruction: &mut Instruction, kind: OpCodeOperandKind) {
    use OpCodeOperandKind::*;
    if kind == mem_offs {
        instruction.set_memory_displ_size(8);
        return;
    }
    instruction.set_memory_base(Register::RBX);
    instruction.set_memory_index_scale(1);
    let index = match kind {
        seg_rBX_al => Register::AL,
        mem_vsib32x | mem_vsib64x => Register::XMM5,
        mem_vsib32y | mem_vsib64y => Register::YMM5,
        mem_vsib32z | mem_vsib64z => Register::ZMM5,
        sibmem | mem_mib => Register::RSI,
        _ => Register::None,
    };
    instruction.set_memory_index(index);
}
