//! Snapshots of lowering: client instructions and the code that is made of them, a text file for each family of rules
//! and each placement of shadows.

use crate::harness::region::{CACHE, CONTEXT};
use crate::harness::run::{
    Configuration, Harness, Program, MEMORY_AVX2, MEMORY_AVX512, MEMORY_SSE2, REGISTERS,
};
use crate::harness::tape;
use derivgrind_translate::context::offset;
use derivgrind_translate::interface::{Entry, Mode, Observed};
use derivgrind_translate::state::State;
use iced_x86::{Code, Decoder, DecoderOptions, Encoder, Formatter, IcedError, Instruction, IntelFormatter};
use iced_x86::{MemoryOperand, Register};
use std::fmt::Write;

fn xmm(number: u32) -> Register {
    Register::XMM0 + number
}

fn ymm(number: u32) -> Register {
    Register::YMM0 + number
}

fn at_rbx() -> MemoryOperand {
    MemoryOperand::with_base_displ(Register::RBX, 16)
}

type Built = Result<Instruction, IcedError>;

/// Compares the translations of each sequence by itself with the snapshots of the family.
fn family(name: &str, vex: bool, state: State, sequences: Vec<Vec<Built>>) {
    family_in(Mode::Forward, name, vex, state, sequences);
}

fn family_in(mode: Mode, name: &str, vex: bool, state: State, sequences: Vec<Vec<Built>>) {
    let memory = if vex { MEMORY_AVX2 } else { MEMORY_SSE2 };
    let placements = [("registers", REGISTERS), ("memory", memory)];
    family_with(&placements, mode, name, state, sequences);
}

fn family_with(
    placements: &[(&str, Configuration)],
    mode: Mode,
    name: &str,
    state: State,
    sequences: Vec<Vec<Built>>,
) {
    family_entered(placements, mode, name, (state, Entry::Unknown), sequences);
}

fn family_entered(
    placements: &[(&str, Configuration)],
    mode: Mode,
    name: &str,
    (state, entry): (State, Entry),
    sequences: Vec<Vec<Built>>,
) {
    for (placement, configuration) in placements {
        let mut text = String::new();
        for sequence in &sequences {
            text.push_str(&lowered(sequence, configuration.in_mode(mode), state, entry));
            text.push('\n');
        }
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../lowering");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(format!("{name}_{placement}"), text));
    }
}

fn lowered(sequence: &[Built], configuration: Configuration, state: State, entry: Entry) -> String {
    let mut program = Program { bytes: Vec::new(), far: false, constant: None, skipped: 0, arguments: None };
    let mut encoder = Encoder::new(64);
    for instruction in sequence {
        let instruction = instruction.as_ref().expect("the operands fit");
        let pc = program.end();
        encoder.encode(instruction, pc).expect("it can be encoded");
        program.bytes = [program.bytes, encoder.take_buffer()].concat();
        encoder = Encoder::new(64);
    }
    let harness = Harness::lock();
    let translation = harness.translate(&program, configuration, program.start(), state, entry);
    let mut text = String::new();
    disassemble(&mut text, "", program.start(), &program.bytes);
    disassemble(&mut text, "    ", CACHE, &translation.code);
    text
}

/// Addresses are replaced by the names of what lies there.
fn disassemble(text: &mut String, indent: &str, start: u64, bytes: &[u8]) {
    let mut formatter = IntelFormatter::new();
    for mut instruction in Decoder::with_ip(64, bytes, start, DecoderOptions::NONE) {
        let end = start + bytes.len() as u64;
        let mut note = String::new();
        if instruction.is_jcc_short_or_near()
            || instruction.is_jmp_short_or_near()
            || instruction.is_jcx_short()
        {
            let target = instruction.near_branch_target();
            let inside = (start..end).contains(&target);
            note =
                if inside { format!(" ; to +{:#x}", target - start) } else { " ; to the common exit".into() };
            instruction.set_near_branch64(0);
        }
        let address = instruction.memory_displacement64();
        if let Some(field) = address.checked_sub(tape::STATE).filter(|field| *field < 16) {
            let _ = write!(note, " ; {}", ["position", "next index"][field as usize / 8]);
            instruction.set_memory_displacement64(0);
        }
        if let Some(field) = field(address) {
            let _ = write!(note, " ; {field}");
            instruction.set_memory_displacement64(0);
        }
        let mut line = String::new();
        formatter.format(&instruction, &mut line);
        let _ = writeln!(text, "{indent}+{:#04x}  {line}{note}", instruction.ip() - start);
    }
}

/// The field of the context at an address.
fn field(address: u64) -> Option<String> {
    let at = u32::try_from(address.checked_sub(CONTEXT)?).ok().filter(|at| *at < 0x1_0000 + 0x1000)?;
    let slot = |start: u32, size: u32| format!("{}+{:#x}", (at - start) / size, (at - start) % size);
    Some(match at {
        0x1_0000.. => format!("counter {}", slot(0x1_0000, 8)),
        offset::NUMBERS..offset::SHADOWS_KEPT_FOR => format!("small numbers +{:#x}", at - offset::NUMBERS),
        offset::SHADOWS_KEPT_FOR.. => format!("kept +{:#x}", at - offset::SHADOWS_KEPT_FOR),
        offset::WIDE_OPERANDS..offset::NUMBERS => format!("operand {}", slot(offset::WIDE_OPERANDS, 128)),
        offset::BORROWED.. => format!("parked register {}", slot(offset::BORROWED, 64)),
        offset::VECTOR_SHADOWS.. => format!("shadow of vector register {}", slot(offset::VECTOR_SHADOWS, 64)),
        offset::CONSTANTS.. => format!("constant {:#x}", at - offset::CONSTANTS),
        offset::TAPE_PARKED => "client value of the position's register".into(),
        offset::VECTOR_SPILLS.. => format!("spill {}", slot(offset::VECTOR_SPILLS, 64)),
        offset::GENERAL_SHADOWS.. => {
            format!("shadow of general register {}", slot(offset::GENERAL_SHADOWS, 8))
        }
        _ => format!("context {at:#x}"),
    })
}

const ACTIVE: fn() -> State = || State::active(!0, 0, false);

#[test]
fn arithmetic() {
    let legacy =
        [Code::Addsd_xmm_xmmm64, Code::Mulsd_xmm_xmmm64, Code::Divsd_xmm_xmmm64, Code::Minsd_xmm_xmmm64];
    let mut sequences: Vec<_> =
        legacy.iter().map(|code| vec![Instruction::with2(*code, xmm(0), xmm(1))]).collect();
    sequences.push(vec![Instruction::with2(Code::Mulpd_xmm_xmmm128, xmm(0), at_rbx())]);
    sequences.push(vec![Instruction::with2(Code::Sqrtsd_xmm_xmmm64, xmm(0), xmm(1))]);
    family("arithmetic", false, ACTIVE(), sequences);
}

#[test]
fn shared_divisors() {
    let quotient = |number: u32| Instruction::with2(Code::Divsd_xmm_xmmm64, xmm(number), xmm(3));
    let placements = [("registers", REGISTERS)];
    let state = State::active(!0, 1 << 3, false);
    family_with(&placements, Mode::Forward, "shared_divisors", state, vec![vec![quotient(0), quotient(1)]]);
}

#[test]
fn variables_on_the_stack() {
    let variable = || MemoryOperand::with_base_displ(Register::RSP, 8);
    let sequence = vec![
        Instruction::with2(Code::Movsd_xmmm64_xmm, variable(), xmm(0)),
        Instruction::with2(Code::Movsd_xmm_xmmm64, xmm(1), variable()),
        Instruction::with2(Code::Mulsd_xmm_xmmm64, xmm(1), variable()),
    ];
    let placements = [("registers", REGISTERS)];
    let state = State::active(!0, !0b11, false);
    family_with(&placements, Mode::Forward, "variables_on_the_stack", state, vec![sequence]);
}

#[test]
fn expected_passive() {
    let variable = MemoryOperand::with_base_displ(Register::RBP, -24);
    let sequence = vec![
        Instruction::with2(Code::Divsd_xmm_xmmm64, xmm(0), variable),
        Instruction::with2(Code::Mulsd_xmm_xmmm64, xmm(1), variable),
        Instruction::with2(Code::Test_rm64_r64, Register::RAX, Register::RAX),
    ];
    let placements = [("registers", REGISTERS), ("memory", MEMORY_SSE2)];
    let observed = [Observed::Passive { position: 0 }];
    let entry = Entry::Again { observed: &observed, passive_pages: &[] };
    family_entered(&placements, Mode::Forward, "expected_passive", (ACTIVE(), entry), vec![sequence]);
}

#[test]
fn fused() {
    let codes = [Code::VEX_Vfmadd231pd_ymm_ymm_ymmm256, Code::VEX_Vfnmsub213pd_ymm_ymm_ymmm256];
    let sequences =
        codes.iter().map(|code| vec![Instruction::with3(*code, ymm(0), ymm(1), ymm(2))]).collect();
    family("fused", true, State::active(!0, 0, true), sequences);
}

#[test]
fn logic() {
    let codes = [Code::Andpd_xmm_xmmm128, Code::Xorpd_xmm_xmmm128];
    let sequences = codes.iter().map(|code| vec![Instruction::with2(*code, xmm(0), xmm(1))]).collect();
    family("logic", false, State::active(!0, 2, false), sequences);
}

#[test]
fn copies() {
    let sequences = vec![
        vec![Instruction::with2(Code::Movapd_xmm_xmmm128, xmm(0), at_rbx())],
        vec![Instruction::with2(Code::Movsd_xmmm64_xmm, at_rbx(), xmm(0))],
        vec![Instruction::with2(Code::Unpcklpd_xmm_xmmm128, xmm(0), xmm(1))],
        vec![Instruction::with2(Code::Haddpd_xmm_xmmm128, xmm(0), xmm(1))],
        vec![Instruction::with2(Code::Blendvpd_xmm_xmmm128, xmm(2), xmm(1))],
    ];
    family("copies", false, ACTIVE(), sequences);
}

#[test]
fn general_registers() {
    let sequences = vec![
        vec![Instruction::with2(Code::Mov_r64_rm64, Register::RAX, at_rbx())],
        vec![Instruction::with2(Code::Mov_rm64_r64, at_rbx(), Register::RAX)],
        vec![Instruction::with2(Code::Movq_xmm_rm64, xmm(0), Register::RAX)],
        vec![Instruction::with1(Code::Push_r64, Register::RAX)],
        vec![Instruction::with2(Code::Add_rm64_r64, Register::RAX, Register::RDX)],
    ];
    family("general_registers", false, State::active(!0b101, 0, false), sequences);
}

#[test]
fn passive_blocks() {
    let sequences = vec![
        vec![
            Instruction::with2(Code::Movsd_xmm_xmmm64, xmm(0), at_rbx()),
            Instruction::with2(Code::Mulsd_xmm_xmmm64, xmm(0), xmm(0)),
            Instruction::with2(Code::Movsd_xmmm64_xmm, at_rbx(), xmm(0)),
        ],
        // The comparison lets flags change in front of it.
        vec![
            Instruction::with2(Code::Mov_rm64_r64, at_rbx(), Register::RDX),
            Instruction::with2(Code::Cmp_rm64_r64, Register::RDX, Register::RCX),
        ],
    ];
    family("passive_blocks", false, State::ZERO, sequences);
}

/// The same with indices instead of dot values: what a block writes to the tape.
fn recorded_family(name: &str, vex: bool, state: State, sequences: Vec<Vec<Built>>) {
    family_in(Mode::Recording, name, vex, state, sequences);
}

#[test]
fn recorded_arithmetic() {
    let mut sequences: Vec<_> =
        [Code::Addsd_xmm_xmmm64, Code::Mulsd_xmm_xmmm64, Code::Divsd_xmm_xmmm64, Code::Mulss_xmm_xmmm32]
            .iter()
            .map(|code| vec![Instruction::with2(*code, xmm(0), xmm(1))])
            .collect();
    sequences.push(vec![Instruction::with2(Code::Mulpd_xmm_xmmm128, xmm(0), at_rbx())]);
    sequences.push(vec![Instruction::with2(Code::Sqrtsd_xmm_xmmm64, xmm(0), xmm(1))]);
    sequences.push(vec![Instruction::with2(Code::Haddpd_xmm_xmmm128, xmm(0), xmm(1))]);
    // The second instruction refers to the first.
    sequences.push(vec![
        Instruction::with2(Code::Mulsd_xmm_xmmm64, xmm(0), xmm(0)),
        Instruction::with2(Code::Addsd_xmm_xmmm64, xmm(0), xmm(0)),
    ]);
    recorded_family("recorded_arithmetic", false, ACTIVE(), sequences);
}

#[test]
fn recorded_fused() {
    let codes = [Code::VEX_Vfmadd231pd_ymm_ymm_ymmm256, Code::VEX_Vfnmsub213pd_ymm_ymm_ymmm256];
    let sequences =
        codes.iter().map(|code| vec![Instruction::with3(*code, ymm(0), ymm(1), ymm(2))]).collect();
    recorded_family("recorded_fused", true, State::active(!0, 0, true), sequences);
}

#[test]
fn recorded_logic() {
    let codes = [Code::Andpd_xmm_xmmm128, Code::Xorps_xmm_xmmm128];
    let sequences = codes.iter().map(|code| vec![Instruction::with2(*code, xmm(0), xmm(1))]).collect();
    recorded_family("recorded_logic", false, State::active(!0, 2, false), sequences);
}

#[test]
fn recorded_conversions() {
    let codes = [Code::Cvtsd2ss_xmm_xmmm64, Code::Cvtps2pd_xmm_xmmm64];
    let sequences = codes.iter().map(|code| vec![Instruction::with2(*code, xmm(0), xmm(1))]).collect();
    recorded_family("recorded_conversions", false, ACTIVE(), sequences);
}

#[test]
fn recorded_signs_in_general_registers() {
    let sequences = vec![vec![Instruction::with2(Code::Xor_rm64_r64, Register::RAX, Register::RDX)]];
    recorded_family("recorded_general_registers", false, State::active(!1, !0, false), sequences);
}

#[test]
fn clients_with_avx512() {
    let (fused, masked) = (Code::EVEX_Vfmadd231pd_zmm_k1z_zmm_zmmm512b64_er, Register::K2);
    let zmm = |number: u32| Register::ZMM0 + number;
    let multiply =
        || Instruction::with3(Code::EVEX_Vmulpd_zmm_k1z_zmm_zmmm512b64_er, zmm(1), zmm(17), at_rbx());
    let broadcast = || {
        multiply().map(|mut instruction| {
            instruction.set_is_broadcast(true);
            instruction.set_op_mask(masked);
            instruction
        })
    };
    let sequences = || -> Vec<Vec<Built>> {
        vec![
            vec![Instruction::with3(Code::EVEX_Vaddpd_zmm_k1z_zmm_zmmm512b64_er, zmm(0), zmm(1), zmm(2))],
            vec![Instruction::with3(fused, zmm(0), zmm(1), zmm(18))],
            vec![broadcast()],
        ]
    };
    let placements = [("memory", MEMORY_AVX512)];
    family_with(&placements, Mode::Forward, "avx512", State::UNKNOWN, sequences());
    family_with(&placements, Mode::Recording, "avx512_recorded", State::UNKNOWN, sequences());
}
