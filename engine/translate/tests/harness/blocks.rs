//! Random blocks of instructions, with jumps forward and steps of the registers that address memory.

use super::families::{
    codes, family, Family, GENERAL_FEATURES, OLD_FEATURES, VECTOR_FEATURES, WIDE_FEATURES,
};
use super::generate::{generate, Addressing, Aliasing, Generated, Wish, BASE_VALUES};
use super::random::Random;
use super::region::{CLIENT_CODE, STACK_POINTER};
use super::run::{Configuration, Program};
use super::values::Content;
use iced_x86::{
    Code, Decoder, DecoderOptions, EncodingKind, FlowControl, Instruction, MemoryOperand, OpKind, Register,
};
use std::sync::OnceLock;

/// Which instructions a block is made of. Legacy and VEX arithmetic are not mixed where shadows live in memory: their
/// shadow code rounds differently, depending on the other instructions of the block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Legacy,
    Vex,
    Mixed,
    General,
    /// AVX-512, with shadows in memory.
    Wide,
    /// x87 and MMX.
    Old,
    /// A few instructions on numbers, whose variables are on the stack.
    Stack,
}

pub const KINDS: [Kind; 7] =
    [Kind::Legacy, Kind::Vex, Kind::Mixed, Kind::General, Kind::Wide, Kind::Old, Kind::Stack];

/// The variables of [`Kind::Stack`] begin at the stack pointer; one in four is a binary32 at half of this distance.
const VARIABLE_SIZE: usize = 8;
pub const VARIABLES: usize = 4;
/// Another register through which they are written, and the value that it has.
pub const POINTER: (usize, u64) = (BASE_VALUES[0].0, STACK_POINTER + 16);

impl Kind {
    /// Can it be run where shadows are placed so?
    pub fn fits(self, configuration: Configuration) -> bool {
        match self {
            Kind::Legacy | Kind::General | Kind::Old => true,
            Kind::Stack => configuration.in_registers() || !configuration.has_vex(),
            Kind::Vex | Kind::Mixed => configuration.has_vex(),
            Kind::Wide => configuration.has_evex(),
        }
    }
}

/// Codes by kind, with those that matter most several times.
pub fn pool(kind: Kind) -> &'static [Code] {
    static POOLS: OnceLock<Vec<Vec<Code>>> = OnceLock::new();
    let pools = POOLS.get_or_init(|| KINDS.map(make_pool).to_vec());
    &pools[kind as usize]
}

fn make_pool(kind: Kind) -> Vec<Code> {
    use Code::*;
    if kind == Kind::Stack {
        return vec![
            Movsd_xmm_xmmm64,
            Movsd_xmm_xmmm64,
            Movsd_xmm_xmmm64,
            Movsd_xmmm64_xmm,
            Movsd_xmmm64_xmm,
            Mulsd_xmm_xmmm64,
            Mulsd_xmm_xmmm64,
            Addsd_xmm_xmmm64,
            Subsd_xmm_xmmm64,
            Divsd_xmm_xmmm64,
            Sqrtsd_xmm_xmmm64,
            Maxsd_xmm_xmmm64,
            Ucomisd_xmm_xmmm64,
            Movss_xmm_xmmm32,
            Movss_xmm_xmmm32,
            Movss_xmm_xmmm32,
            Movss_xmmm32_xmm,
            Movss_xmmm32_xmm,
            Mulss_xmm_xmmm32,
            Mulss_xmm_xmmm32,
            Addss_xmm_xmmm32,
            Subss_xmm_xmmm32,
            Divss_xmm_xmmm32,
            Sqrtss_xmm_xmmm32,
            Maxss_xmm_xmmm32,
            Ucomiss_xmm_xmmm32,
            Movapd_xmm_xmmm128,
            Pxor_xmm_xmmm128,
            Unpcklpd_xmm_xmmm128,
            Movq_rm64_xmm,
            Movq_xmm_rm64,
            Mov_rm64_r64,
            Test_rm64_r64,
        ];
    }
    let moves = [
        Mov_r64_rm64,
        Mov_rm64_r64,
        Mov_r32_rm32,
        Mov_rm32_r32,
        Mov_rm8_r8,
        Mov_rm16_r16,
        Push_r64,
        Pop_r64,
        Push_rm64,
        Xchg_rm64_r64,
        Cmpxchg_rm64_r64,
        Cmove_r64_rm64,
        Cmovs_r32_rm32,
        Shl_rm64_imm8,
        Or_rm64_r64,
        And_rm64_r64,
        Xor_rm64_r64,
        Test_rm64_r64,
        Cmp_rm32_imm8,
        Lea_r64_m,
        Setne_rm8,
        Adc_rm64_r64,
    ];
    let lanes = [
        Movq_xmm_rm64,
        Movq_rm64_xmm,
        Movd_xmm_rm32,
        Movd_rm32_xmm,
        Pinsrq_xmm_rm64_imm8,
        Pextrq_rm64_xmm_imm8,
        VEX_Vmovq_xmm_rm64,
        VEX_Vmovq_rm64_xmm,
        VEX_Vmovd_xmm_rm32,
        VEX_Vmovd_rm32_xmm,
        VEX_Vpinsrq_xmm_xmm_rm64_imm8,
    ];
    let mut pool = Vec::new();
    if kind == Kind::General {
        for code in codes(GENERAL_FEATURES) {
            if !matches!(family(code), Family::Elsewhere) && !is_undefined(code) {
                pool.push(code);
            }
        }
    }
    if kind == Kind::Wide {
        let runs = |code: &Code| family(*code) != Family::Elsewhere;
        pool.extend(codes(WIDE_FEATURES).into_iter().filter(runs));
    }
    if kind == Kind::Old {
        let runs = |code: &Code| !changes_environment(*code);
        pool.extend(codes(OLD_FEATURES).into_iter().filter(runs));
    }
    for code in codes(VECTOR_FEATURES) {
        let legacy = code.op_code().encoding() == EncodingKind::Legacy;
        let times = match (kind, family(code)) {
            (_, Family::Elsewhere) | (Kind::General | Kind::Old, _) => 0,
            (Kind::Mixed | Kind::Wide, Family::Arithmetic(..) | Family::DotProduct(_)) => 0,
            // Not in blocks: they compute with what need not be a number.
            (Kind::Mixed | Kind::Wide, Family::Same { content, .. }) if content != Content::Bits => 0,
            (Kind::Legacy, _) if !legacy => 0,
            (Kind::Vex | Kind::Wide, _) if legacy => 0,
            (_, Family::Counted) => 1,
            _ => 3,
        };
        pool.extend(std::iter::repeat_n(code, times));
    }
    let weight = pool.len() / 60;
    for code in moves {
        pool.extend(std::iter::repeat_n(code, weight.max(1)));
    }
    for code in lanes {
        let legacy = code.op_code().encoding() == EncodingKind::Legacy;
        let either = matches!(kind, Kind::Mixed | Kind::General | Kind::Old);
        let fits = either || legacy == (kind == Kind::Legacy);
        pool.extend(std::iter::repeat_n(code, if fits { weight.max(1) } else { 0 }));
    }
    pool
}

/// Loads control words that may unmask exceptions, or stores addresses of instructions.
fn changes_environment(code: Code) -> bool {
    use iced_x86::Mnemonic::*;
    matches!(
        code.mnemonic(),
        Fldcw | Fldenv | Frstor | Fnsave | Fsave | Fnstenv | Fstenv | Maskmovq | Fnstsw | Fstsw
    )
}

/// Faults, or leaves something undefined that later instructions read.
fn is_undefined(code: Code) -> bool {
    let name = format!("{:?}", code.mnemonic());
    ["Div", "Idiv", "Bsf", "Bsr", "Shld", "Shrd", "Bt", "Bts", "Btr", "Btc", "Movbe"].contains(&name.as_str())
}

#[derive(Clone)]
pub struct Block {
    pub instructions: Vec<Generated>,
    pub far: bool,
}

impl Block {
    /// Random instructions of a pool, with jumps forward.
    pub fn new(pool: &[Code], far: bool, choices: &[u64]) -> Block {
        let mut instructions: Vec<Generated> = Vec::new();
        let mut pc = CLIENT_CODE[usize::from(far)];
        let mut moved = [0; 16];
        for choice in choices {
            let mut random = Random(*choice);
            // A jump goes past the next instruction, which must not be a step.
            let behind_jump =
                instructions.last().is_some_and(|last| last.instruction.flow_control() != FlowControl::Next);
            if random.once_in(5) && !behind_jump {
                let step = step(far, pc, &mut moved, &mut random);
                pc += step.bytes.len() as u64;
                instructions.push(step);
            }
            if random.once_in(12) {
                let jump = jump_over_next(far, pc, &mut random);
                pc += jump.bytes.len() as u64;
                instructions.push(jump);
            }
            let code = pool[random.below(pool.len())];
            let wish = Wish {
                memory: random.once_in(3),
                addressing: Addressing::ALL[random.below(Addressing::ALL.len())],
                aliasing: Aliasing::ALL[random.below(5)],
                far,
                aligned: true,
                pc: Some(pc),
                fixed_bases: true,
            };
            if let Some(generated) = generate(code, wish, &mut random) {
                let generated = follow_steps(generated, pc, &moved);
                pc += generated.bytes.len() as u64;
                instructions.push(generated);
            }
        }
        aim_jumps(&mut instructions, pc);
        Block { instructions, far }
    }

    /// Random instructions of [`Kind::Stack`].
    pub fn of_variables(far: bool, choices: &[u64]) -> Block {
        // One type of numbers: a part of the other is none.
        let other = choices.first().map_or("sd", |choice| ["sd", "ss"][(choice >> 32 & 1) as usize]);
        let fits = |code: &&Code| !format!("{:?}", code.mnemonic()).ends_with(other);
        let pool: Vec<Code> = pool(Kind::Stack).iter().filter(fits).copied().collect();
        let mut instructions: Vec<Generated> = Vec::new();
        let mut pc = CLIENT_CODE[usize::from(far)];
        for choice in choices {
            let mut random = Random(*choice);
            let wish = Wish {
                memory: !random.once_in(4),
                addressing: Addressing::Stack,
                aliasing: Aliasing::ALL[random.below(5)],
                far,
                aligned: true,
                pc: Some(pc),
                fixed_bases: true,
            };
            let Some(generated) = generate(pool[random.below(pool.len())], wish, &mut random) else {
                continue;
            };
            let mut instruction = generated.instruction;
            let is_quotient = |code: Code| matches!(code, Code::Divsd_xmm_xmmm64 | Code::Divss_xmm_xmmm32);
            if is_quotient(instruction.code())
                && instructions.iter().any(|one| is_quotient(one.instruction.code()))
            {
                // Two might share a reciprocal.
                continue;
            }
            few_registers(&mut instruction);
            if instruction.memory_base() == Register::RSP {
                let mut place = (VARIABLE_SIZE * random.below(VARIABLES)) as i64;
                if instruction.memory_size().size() == 4 && random.once_in(4) {
                    place += VARIABLE_SIZE as i64 / 2;
                }
                if random.once_in(6) {
                    instruction.set_memory_base(Register::RAX + POINTER.0 as u32);
                    place -= (POINTER.1 - STACK_POINTER) as i64;
                }
                instruction.set_memory_displacement64(place as u64);
            }
            let generated = Generated::at(instruction, far, pc);
            pc += generated.bytes.len() as u64;
            instructions.push(generated);
        }
        Block { instructions, far }
    }

    /// The block of these instructions, by their bytes.
    pub fn of(far: bool, bytes: &[Vec<u8>]) -> Block {
        let mut pc = CLIENT_CODE[usize::from(far)];
        let mut decode = |bytes: &Vec<u8>| {
            let instruction = Decoder::with_ip(64, bytes, pc, DecoderOptions::NONE).decode();
            pc += bytes.len() as u64;
            let (place, addresses) = (None, Vec::new());
            Generated { instruction, bytes: bytes.clone(), far, place, addresses }
        };
        Block { instructions: bytes.iter().map(&mut decode).collect(), far }
    }

    /// The number of the instruction at a client address, `None` at the end.
    pub fn number(&self, pc: u64) -> Option<usize> {
        self.instructions.iter().position(|generated| generated.instruction.ip() == pc)
    }

    pub fn program(&self, range: std::ops::Range<usize>) -> Program {
        let bytes = self.instructions[range].iter().flat_map(|generated| generated.bytes.clone()).collect();
        Program { bytes, far: self.far, constant: None, skipped: 0, arguments: None }
    }
}

/// Lets the instruction use the first vector registers only.
fn few_registers(instruction: &mut Instruction) {
    for operand in 0..instruction.op_count() {
        let register = instruction.op_register(operand);
        if instruction.op_kind(operand) == OpKind::Register && register.is_xmm() {
            instruction.set_op_register(operand, Register::XMM0 + register.number() as u32 % 4);
        }
    }
}

/// A jump whose target is set by [`aim_jumps`].
fn jump_over_next(far: bool, pc: u64, random: &mut Random) -> Generated {
    use Code::*;
    let codes = [
        Je_rel8_64,
        Jne_rel32_64,
        Ja_rel8_64,
        Jbe_rel32_64,
        Js_rel8_64,
        Jl_rel32_64,
        Jp_rel8_64,
        Jo_rel8_64,
        Jmp_rel8_64,
        Jrcxz_rel8_64,
        Loop_rel8_64_RCX,
    ];
    let jump = Instruction::with_branch(codes[random.below(codes.len())], pc).expect("a branch");
    Generated::at(jump, far, pc)
}

/// Moves a register that addresses are made of by a constant.
fn step(far: bool, pc: u64, moved: &mut [i64; 16], random: &mut Random) -> Generated {
    let number = BASE_VALUES[random.below(BASE_VALUES.len())].0;
    let base = Register::RAX + number as u32;
    let distance = [-64, -8, 1, 64][random.below(4)];
    let (instruction, distance) = match random.below(4) {
        0 => (Instruction::with2(Code::Add_rm64_imm8, base, distance), distance),
        1 => (Instruction::with2(Code::Sub_rm64_imm32, base, distance), -distance),
        2 => (Instruction::with1(Code::Inc_rm64, base), 1),
        _ => {
            let operand = MemoryOperand::with_base_displ(base, i64::from(distance));
            (Instruction::with2(Code::Lea_r64_m, base, operand), distance)
        }
    };
    moved[number] += i64::from(distance);
    Generated::at(instruction.expect("a step"), far, pc)
}

/// The instruction with the memory operand that it was made for, after registers have moved.
fn follow_steps(generated: Generated, pc: u64, moved: &[i64; 16]) -> Generated {
    let mut instruction = generated.instruction;
    let distance = |register: Register| if register.is_gpr() { moved[register.number()] } else { 0 };
    let scale = i64::from(instruction.memory_index_scale());
    let total = distance(instruction.memory_base()) + scale * distance(instruction.memory_index());
    if total == 0 {
        return generated;
    }
    let displacement = instruction.memory_displacement64() as i64 - total;
    instruction.set_memory_displacement64(displacement as u64);
    instruction.set_memory_displ_size(8);
    Generated::at(instruction, generated.far, pc)
}

/// Lets jumps go past the next instruction.
fn aim_jumps(instructions: &mut [Generated], end: u64) {
    for k in 0..instructions.len() {
        let instruction = instructions[k].instruction;
        if instruction.is_jcc_short_or_near()
            || instruction.is_jmp_short()
            || instruction.is_jcx_short()
            || instruction.is_loop()
        {
            let target = instructions.get(k + 2).map_or(end, |next| next.instruction.ip());
            let mut jump = instruction;
            jump.set_near_branch64(target);
            instructions[k] = Generated::at(jump, instructions[k].far, instruction.ip());
        }
    }
}
