//! Makes client instructions: any code of iced-x86's list, with operands of a chosen form.

use super::machine::Machine;
use super::random::Random;
use super::region::{AREA, AREAS, CLIENT_CODE, FS_BASE, STACK_POINTER};
use iced_x86::{
    Code, Decoder, DecoderOptions, Encoder, EncodingKind, Instruction, OpCodeOperandKind, OpKind, Register,
};

/// How a memory operand is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Addressing {
    Base,
    Indexed,
    /// Relative to RIP; whether the cache can reach it depends on where the code lies.
    Relative,
    /// With 32-bit address size.
    Narrow,
    Absolute,
    Stack,
    /// Relative to FS, where thread-local variables are.
    ThreadLocal,
}

impl Addressing {
    pub const ALL: [Addressing; 7] = [
        Addressing::Base,
        Addressing::Indexed,
        Addressing::Relative,
        Addressing::Narrow,
        Addressing::Absolute,
        Addressing::Stack,
        Addressing::ThreadLocal,
    ];
}

/// Which vector operands are the same register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aliasing {
    Distinct,
    TargetIsFirst,
    TargetIsSecond,
    FirstIsSecond,
    All,
}

impl Aliasing {
    pub const ALL: [Aliasing; 5] = [
        Aliasing::Distinct,
        Aliasing::TargetIsFirst,
        Aliasing::TargetIsSecond,
        Aliasing::FirstIsSecond,
        Aliasing::All,
    ];

    /// Numbers for up to four operands.
    fn numbers(self, random: &mut Random, limit: usize) -> [usize; 4] {
        let mut free: Vec<usize> = (0..limit).collect();
        let mut take = || free.swap_remove(random.below(free.len()));
        let mut numbers = [take(), take(), take(), take()];
        match self {
            Aliasing::Distinct => {}
            Aliasing::TargetIsFirst => numbers[1] = numbers[0],
            Aliasing::TargetIsSecond => numbers[2] = numbers[0],
            Aliasing::FirstIsSecond => numbers[2] = numbers[1],
            Aliasing::All => numbers = [numbers[0]; 4],
        }
        numbers
    }
}

/// An instruction and what it accesses.
#[derive(Clone, Debug)]
pub struct Generated {
    pub instruction: Instruction,
    pub bytes: Vec<u8>,
    pub far: bool,
    /// Address and size of the explicit memory operand.
    pub place: Option<(u64, usize)>,
    /// Values of the registers that its address is formed from.
    pub addresses: Vec<(usize, u64)>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// A memory operand where the code allows either; codes that allow only one ignore it.
    pub memory: bool,
    pub addressing: Addressing,
    pub aliasing: Aliasing,
    pub far: bool,
    pub aligned: bool,
    /// Client address of the instruction.
    pub pc: Option<u64>,
    /// Do the registers that address memory have the values of [`BASE_VALUES`]? Else each instruction asks for its own.
    pub fixed_bases: bool,
}

/// General registers that address memory; data uses the others.
const BASES: [usize; 3] = [3, 6, 14];
/// Their values where they are shared by several instructions: near data, far data, an index.
pub const BASE_VALUES: [(usize, u64); 3] =
    [(3, AREAS[0] + AREA as u64 / 2), (6, AREAS[1] + AREA as u64 / 2), (14, 24)];

/// The instruction with random operands, `None` if the wish cannot be met.
pub fn generate(code: Code, wish: Wish, random: &mut Random) -> Option<Generated> {
    let info = code.op_code();
    let evex = info.encoding() == EncodingKind::EVEX;
    let vectors = wish.aliasing.numbers(random, if evex { 32 } else { 16 });
    let general = general_numbers(random);
    let mut instruction = Instruction::default();
    instruction.set_code(code);
    let mut has_memory = false;
    for operand in 0..info.op_count() {
        let kind = info.op_kind(operand);
        let k = operand as usize;
        match operand_kind(kind, wish.memory)? {
            Operand::Register(first) => {
                let numbers = if first.is_vector_register() { vectors } else { general };
                let number = match first {
                    Register::MM0 => k,
                    Register::ST0 => 1 + k,
                    Register::K0 => 1 + k,
                    _ => numbers[k],
                };
                instruction.set_op_kind(operand, OpKind::Register);
                instruction.set_op_register(operand, nth(first, number));
            }
            Operand::Fixed(register) => {
                instruction.set_op_kind(operand, OpKind::Register);
                instruction.set_op_register(operand, register);
            }
            Operand::Memory => {
                has_memory = true;
                instruction.set_op_kind(operand, OpKind::Memory);
            }
            Operand::Immediate(kind) => {
                instruction.set_op_kind(operand, kind);
                set_immediate(&mut instruction, kind, random);
            }
        }
    }
    if info.is_instruction() && matches!(wish.aliasing, Aliasing::All) && has_memory && info.op_count() < 2 {
        return None;
    }
    if evex {
        set_mask(&mut instruction, random);
    }
    let mut addresses = Vec::new();
    let mut place = None;
    if has_memory {
        let size = instruction.memory_size().size();
        let (area, address) = choose_address(wish, size, random)?;
        if wish.fixed_bases {
            set_address_by_fixed_bases(&mut instruction, wish, area, address)?;
        } else {
            set_address(&mut instruction, wish, address, random, &mut addresses);
        }
        place = Some((address, size));
    }
    let pc = wish.pc.unwrap_or(CLIENT_CODE[usize::from(wish.far)]);
    let mut encoder = Encoder::new(64);
    encoder.encode(&instruction, pc).ok()?;
    let bytes = encoder.take_buffer();
    let instruction = Decoder::with_ip(64, &bytes, pc, DecoderOptions::NONE).decode();
    if instruction.code() != code {
        return None;
    }
    Some(Generated { instruction, bytes, far: wish.far, place, addresses })
}

impl Generated {
    /// A given instruction, which accesses no memory or `place`.
    pub fn from(instruction: Instruction, far: bool, place: Option<(u64, usize)>) -> Generated {
        Self::sequence(&[instruction], far, place)
    }

    /// A given instruction at a client address.
    pub fn at(instruction: Instruction, far: bool, pc: u64) -> Generated {
        let mut encoder = Encoder::new(64);
        encoder.encode(&instruction, pc).expect("it can be encoded");
        let bytes = encoder.take_buffer();
        let instruction = Decoder::with_ip(64, &bytes, pc, DecoderOptions::NONE).decode();
        Generated { instruction, bytes, far, place: None, addresses: Vec::new() }
    }

    /// Several instructions; the first gives its name to the case.
    pub fn sequence(instructions: &[Instruction], far: bool, place: Option<(u64, usize)>) -> Generated {
        let start = CLIENT_CODE[usize::from(far)];
        let mut encoder = Encoder::new(64);
        let mut pc = start;
        for instruction in instructions {
            pc += encoder.encode(instruction, pc).expect("it can be encoded") as u64;
        }
        let bytes = encoder.take_buffer();
        let instruction = Decoder::with_ip(64, &bytes, start, DecoderOptions::NONE).decode();
        Generated { instruction, bytes, far, place, addresses: Vec::new() }
    }

    /// Is any of the instructions encoded with VEX? (Those of BMI, too, which hosts without AVX2 do not have.)
    pub fn has_vex(&self) -> bool {
        let decoder = Decoder::with_ip(64, &self.bytes, self.instruction.ip(), DecoderOptions::NONE);
        decoder.into_iter().any(|instruction| instruction.encoding() != EncodingKind::Legacy)
    }

    /// Gives the registers of the address their values.
    pub fn prepare(&self, machine: &mut Machine) {
        for (number, value) in &self.addresses {
            machine.general[*number] = *value;
        }
    }
}

/// Masks some lanes off, sometimes.
fn set_mask(instruction: &mut Instruction, random: &mut Random) {
    let info = instruction.op_code();
    if info.can_use_op_mask_register() && (info.require_op_mask_register() || random.once_in(2)) {
        instruction.set_op_mask(Register::K1 + random.below(7) as u32);
        let zeroes = info.can_use_zeroing_masking() && instruction.op0_kind() == OpKind::Register;
        instruction.set_zeroing_masking(zeroes && random.once_in(2));
    }
    if info.can_broadcast() && (0..instruction.op_count()).any(|k| instruction.op_kind(k) == OpKind::Memory) {
        instruction.set_is_broadcast(random.once_in(3));
    }
    let in_registers = (0..instruction.op_count()).all(|k| instruction.op_kind(k) != OpKind::Memory);
    if in_registers && info.can_use_rounding_control() && random.once_in(3) {
        use iced_x86::RoundingControl::*;
        let modes = [RoundToNearest, RoundDown, RoundUp, RoundTowardZero];
        instruction.set_rounding_control(modes[random.below(4)]);
    } else if in_registers && info.can_suppress_all_exceptions() && random.once_in(3) {
        instruction.set_suppress_all_exceptions(true);
    }
}

/// Numbers of registers for general operands: neither rsp nor those that address memory.
fn general_numbers(random: &mut Random) -> [usize; 4] {
    let mut free: Vec<usize> = (0..16).filter(|number| *number != 4 && !BASES.contains(number)).collect();
    std::array::from_fn(|_| free.swap_remove(random.below(free.len())))
}

fn choose_address(wish: Wish, size: usize, random: &mut Random) -> Option<(usize, u64)> {
    let area = match wish.addressing {
        Addressing::Relative => usize::from(wish.far),
        Addressing::Narrow | Addressing::Absolute | Addressing::ThreadLocal => 0,
        Addressing::Stack => 2,
        Addressing::Base | Addressing::Indexed => random.below(2),
    };
    if size + 128 > AREA {
        return None;
    }
    let unit = if wish.aligned { 64 } else { [4, 8][random.below(2)] };
    let offset = 64 + random.below((AREA - size - 128) / unit) * unit;
    Some((area, AREAS[area] + offset as u64))
}

fn set_address(
    instruction: &mut Instruction,
    wish: Wish,
    address: u64,
    random: &mut Random,
    addresses: &mut Vec<(usize, u64)>,
) {
    let displacement = random.below(256) as i64 - 128;
    instruction.set_memory_displ_size(1);
    instruction.set_memory_index_scale(1);
    match wish.addressing {
        Addressing::Base | Addressing::Narrow => {
            let base = BASES[random.below(BASES.len())];
            let family = if wish.addressing == Addressing::Narrow { Register::EAX } else { Register::RAX };
            instruction.set_memory_base(family + base as u32);
            instruction.set_memory_displacement64(displacement as u64);
            addresses.push((base, address.wrapping_sub(displacement as u64)));
            if wish.addressing == Addressing::Narrow {
                // What lies above bit 31 does not matter.
                addresses[0].1 |= 0x1234 << 32;
            }
        }
        Addressing::Indexed => {
            let scale = [1, 2, 4, 8][random.below(4)];
            let index = random.below(1000) as u64;
            instruction.set_memory_base(Register::RAX + BASES[0] as u32);
            instruction.set_memory_index(Register::RAX + BASES[2] as u32);
            instruction.set_memory_index_scale(scale);
            instruction.set_memory_displacement64(displacement as u64);
            addresses.push((BASES[2], index));
            let base = address.wrapping_sub(displacement as u64).wrapping_sub(index * u64::from(scale));
            addresses.push((BASES[0], base));
        }
        Addressing::Relative => {
            instruction.set_memory_base(Register::RIP);
            instruction.set_memory_displacement64(address);
            instruction.set_memory_displ_size(8);
        }
        Addressing::Absolute => {
            instruction.set_memory_displacement64(address);
            instruction.set_memory_displ_size(8);
        }
        Addressing::ThreadLocal => {
            instruction.set_segment_prefix(Register::FS);
            let displacement = address.wrapping_sub(FS_BASE);
            instruction.set_memory_displ_size(8);
            if random.once_in(2) {
                instruction.set_memory_displacement64(displacement);
            } else {
                instruction.set_memory_base(Register::RAX + BASES[0] as u32);
                instruction.set_memory_displacement64(displacement.wrapping_sub(8));
                addresses.push((BASES[0], 8));
            }
        }
        Addressing::Stack => {
            instruction.set_memory_base(Register::RSP);
            let displacement = address.wrapping_sub(STACK_POINTER) as i64;
            instruction.set_memory_displacement64(displacement as u64);
            instruction.set_memory_displ_size(8);
        }
    }
}

fn set_address_by_fixed_bases(
    instruction: &mut Instruction,
    wish: Wish,
    area: usize,
    address: u64,
) -> Option<()> {
    let narrow = wish.addressing == Addressing::Narrow;
    let family = if narrow { Register::EAX } else { Register::RAX };
    let mut displacement = address;
    match wish.addressing {
        Addressing::Relative => instruction.set_memory_base(Register::RIP),
        Addressing::Absolute => {}
        Addressing::ThreadLocal => {
            instruction.set_segment_prefix(Register::FS);
            displacement = address.wrapping_sub(FS_BASE);
        }
        Addressing::Stack => {
            // The stack pointer moves, so that nothing is known about alignment.
            if instruction.memory_size().size() > 8 {
                return None;
            }
            instruction.set_memory_base(Register::RSP);
            displacement = address.wrapping_sub(STACK_POINTER) / 4;
        }
        Addressing::Base | Addressing::Indexed | Addressing::Narrow => {
            let (base, value) = BASE_VALUES[area];
            instruction.set_memory_base(family + base as u32);
            displacement = address.wrapping_sub(value);
            if wish.addressing == Addressing::Indexed {
                let (index, value) = BASE_VALUES[2];
                instruction.set_memory_index(family + index as u32);
                instruction.set_memory_index_scale(4);
                displacement = displacement.wrapping_sub(4 * value);
            }
        }
    }
    instruction.set_memory_displacement64(displacement);
    instruction.set_memory_displ_size(8);
    Some(())
}

enum Operand {
    /// One of a family of registers, whose first is given.
    Register(Register),
    Fixed(Register),
    Memory,
    Immediate(OpKind),
}

fn operand_kind(kind: OpCodeOperandKind, memory: bool) -> Option<Operand> {
    use OpCodeOperandKind::*;
    let either = |register| if memory { Operand::Memory } else { Operand::Register(register) };
    Some(match kind {
        mem => Operand::Memory,
        r8_or_mem => either(Register::AL),
        r16_or_mem => either(Register::AX),
        r32_or_mem => either(Register::EAX),
        r64_or_mem => either(Register::RAX),
        mm_or_mem => either(Register::MM0),
        xmm_or_mem => either(Register::XMM0),
        ymm_or_mem => either(Register::YMM0),
        zmm_or_mem => either(Register::ZMM0),
        r8_reg | r8_opcode => Operand::Register(Register::AL),
        r16_reg | r16_rm | r16_opcode => Operand::Register(Register::AX),
        r32_reg | r32_rm | r32_opcode | r32_vvvv => Operand::Register(Register::EAX),
        r64_reg | r64_rm | r64_opcode | r64_vvvv => Operand::Register(Register::RAX),
        mm_reg | mm_rm => Operand::Register(Register::MM0),
        xmm_reg | xmm_rm | xmm_vvvv | xmm_is4 => Operand::Register(Register::XMM0),
        ymm_reg | ymm_rm | ymm_vvvv | ymm_is4 => Operand::Register(Register::YMM0),
        zmm_reg | zmm_rm | zmm_vvvv => Operand::Register(Register::ZMM0),
        k_reg | k_rm | k_vvvv => Operand::Register(Register::K0),
        al => Operand::Fixed(Register::AL),
        cl => Operand::Fixed(Register::CL),
        ax => Operand::Fixed(Register::AX),
        dx => Operand::Fixed(Register::DX),
        eax => Operand::Fixed(Register::EAX),
        rax => Operand::Fixed(Register::RAX),
        st0 => Operand::Fixed(Register::ST0),
        sti_opcode => Operand::Register(Register::ST0),
        k_or_mem => either(Register::K0),
        kp1_reg => return Option::None,
        imm8 => Operand::Immediate(OpKind::Immediate8),
        imm8sex16 => Operand::Immediate(OpKind::Immediate8to16),
        imm8sex32 => Operand::Immediate(OpKind::Immediate8to32),
        imm8sex64 => Operand::Immediate(OpKind::Immediate8to64),
        imm16 => Operand::Immediate(OpKind::Immediate16),
        imm32 => Operand::Immediate(OpKind::Immediate32),
        imm32sex64 => Operand::Immediate(OpKind::Immediate32to64),
        imm64 => Operand::Immediate(OpKind::Immediate64),
        _ => return Option::None,
    })
}

fn set_immediate(instruction: &mut Instruction, kind: OpKind, random: &mut Random) {
    let word = random.word();
    match kind {
        OpKind::Immediate8 => instruction.set_immediate8(word as u8),
        OpKind::Immediate8to16 => instruction.set_immediate8to16(word as i8 as i16),
        OpKind::Immediate8to32 => instruction.set_immediate8to32(word as i8 as i32),
        OpKind::Immediate8to64 => instruction.set_immediate8to64(word as i8 as i64),
        OpKind::Immediate16 => instruction.set_immediate16(word as u16),
        OpKind::Immediate32 => instruction.set_immediate32(word as u32),
        OpKind::Immediate32to64 => instruction.set_immediate32to64(word as i32 as i64),
        _ => instruction.set_immediate64(word),
    }
}

/// Register of the family by its number in encodings.
pub fn nth(first: Register, number: usize) -> Register {
    if first == Register::AL {
        return match number {
            4..=7 => Register::SPL + (number as u32 - 4),
            8.. => Register::R8L + (number as u32 - 8),
            _ => Register::AL + number as u32,
        };
    }
    first + number as u32
}
