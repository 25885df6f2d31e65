//! Every instruction is classified, and lowering does what its class says.

use crate::harness::region::CLIENT_CODE;
use crate::harness::run::{Configuration, Harness, Program, MEMORY_AVX512, REGISTERS};
use derivgrind_translate::classes::{classify, representative, Family, Loss};
use derivgrind_translate::interface::{Entry, ExitKind, SiteKind};
use derivgrind_translate::state::State;
use iced_x86::{Code, Encoder, EncodingKind, Instruction, InstructionInfoFactory, OpCodeOperandKind, OpKind};
use iced_x86::{OpAccess, Register};
use std::collections::BTreeSet;
use std::panic::{catch_unwind, AssertUnwindSafe};

fn codes() -> impl Iterator<Item = Code> {
    Code::values().filter(|code| code.op_code().is_instruction() && code.op_code().mode64())
}

#[test]
fn every_code_has_a_class() {
    let of = |code: Code| format!("{:?} {:?}", code.mnemonic(), code.cpuid_features());
    let missing: BTreeSet<String> = codes().filter(|code| classify(*code).is_none()).map(of).collect();
    assert!(missing.is_empty(), "{} without a class: {missing:#?}", missing.len());
    assert!(codes().count() > 4000);
}

/// The code's representative, with registers and with a memory operand.
fn forms(code: Code) -> Vec<Instruction> {
    let mut instruction = representative(code);
    let info = code.op_code();
    if info.require_op_mask_register() {
        instruction.set_op_mask(Register::K1);
    }
    for operand in 0..info.op_count() {
        match info.op_kind(operand) {
            _ if instruction.op_kind(operand) == OpKind::NearBranch64 => {
                instruction.set_near_branch64(CLIENT_CODE[0] + 64);
            }
            _ if instruction.op_kind(operand) == OpKind::NearBranch16 => instruction.set_near_branch16(64),
            OpCodeOperandKind::imm8_const_1 => instruction.set_immediate8(1),
            OpCodeOperandKind::imm8 if operand > 0 && is_immediate(&instruction, operand - 1) => {
                instruction.set_op_kind(operand, OpKind::Immediate8_2nd);
            }
            _ => {}
        }
    }
    let mut forms = vec![instruction];
    for operand in 0..info.op_count() {
        if format!("{:?}", info.op_kind(operand)).contains("_or_mem") {
            let mut with_memory = instruction;
            with_memory.set_op_kind(operand, OpKind::Memory);
            with_memory.set_memory_base(Register::RBX);
            with_memory.set_memory_index_scale(1);
            forms.push(with_memory);
        }
    }
    forms
}

fn is_immediate(instruction: &Instruction, operand: u32) -> bool {
    matches!(instruction.op_kind(operand), OpKind::Immediate8 | OpKind::Immediate16)
}

/// Does it read data that can be active?
fn reads_data(instruction: &Instruction) -> bool {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(instruction);
    let is_read = |access: OpAccess| {
        matches!(access, OpAccess::Read | OpAccess::ReadWrite | OpAccess::CondRead | OpAccess::ReadCondWrite)
    };
    (0..instruction.op_count()).any(|operand| {
        let register = instruction.op_register(operand);
        let holds_data = match instruction.op_kind(operand) {
            OpKind::Register => register.is_vector_register() || register.is_gpr(),
            OpKind::Memory => instruction.memory_size().size() > 0,
            _ => false,
        };
        holds_data && is_read(info.op_access(operand))
    })
}

fn check(
    harness: &Harness,
    family: Family,
    instruction: &Instruction,
    configuration: Configuration,
) -> Option<String> {
    let mut encoder = Encoder::new(64);
    let mut program = Program { bytes: Vec::new(), far: false, constant: None, skipped: 0, arguments: None };
    if let Err(error) = encoder.encode(instruction, program.start()) {
        return Some(format!("cannot be encoded: {error}"));
    }
    program.bytes = encoder.take_buffer();
    let translation =
        harness.translate(&program, configuration, program.start(), State::UNKNOWN, Entry::Unknown);
    if translation.exits.iter().any(|exit| exit.kind == ExitKind::NeedsMemoryShadows) {
        return None;
    }
    let counts = translation.sites.iter().any(|site| matches!(site.kind, SiteKind::Instruction(_)));
    match family.loss {
        Loss::None if counts => Some(format!("{}: it is counted", family.name)),
        Loss::Counted if !counts && reads_data(instruction) => {
            Some(format!("{}: it is not counted", family.name))
        }
        _ => None,
    }
}

#[test]
fn every_code_is_lowered_as_its_class_says() {
    let harness = Harness::lock();
    let mut wrong = Vec::new();
    let mut checked = 0;
    for code in codes() {
        let Some(family) = classify(code) else { continue };
        if code.op_code().decoder_option() != 0 {
            continue;
        }
        let evex = code.op_code().encoding() == EncodingKind::EVEX;
        let configurations = if evex { vec![MEMORY_AVX512] } else { vec![REGISTERS, MEMORY_AVX512] };
        for configuration in configurations {
            for instruction in forms(code) {
                checked += 1;
                let attempt = AssertUnwindSafe(|| check(&harness, family, &instruction, configuration));
                let difference = catch_unwind(attempt).unwrap_or(Some("the translator panicked".into()));
                wrong.extend(difference.map(|difference| format!("{code:?}: {difference}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong: {wrong:#?}", wrong.len());
    assert!(checked > 5000, "only {checked} were looked at");
}
