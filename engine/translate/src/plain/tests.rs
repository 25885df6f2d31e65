//! The code is that of the general translator.

use super::{translate, Vec};
use crate::context::CLASSES;
use crate::emit::{Assembler, Memory};
use crate::glue;
use crate::interface::{
    ClientCode, Entry, ExitKind, HostVectors, Job, LibraryFunction, Mode, Settings, Translation,
    VectorShadows,
};
use crate::state::State;
use crate::templates::Templates;
use crate::translate::{general, Level};
use iced_x86::{Code, Instruction, MemoryOperand, Register};

const CONTEXT: u64 = 0x4000_0000;
const COMMON: u64 = 0x4001_0000;
const TABLE: u64 = 0x4010_0000;
const CACHE: u64 = 0x4020_0000;
const NEAR: u64 = 0x1800_0000;
const FAR: u64 = 0x7000_0000_0000;
/// Room for a program; the second half is where its jumps lead to.
const LENGTH: u64 = 0x1000;
const ELSEWHERE: u64 = LENGTH / 2;

struct Program {
    start: u64,
    bytes: Vec<u8>,
    /// An address that has been translated.
    known: u64,
    /// What all variables hold.
    content: u64,
}

impl ClientCode for Program {
    fn code(&self, pc: u64) -> Option<&[u8]> {
        self.bytes.get(pc.checked_sub(self.start)? as usize..).filter(|rest| !rest.is_empty())
    }
    fn is_constant(&self, _address: u64) -> bool {
        false
    }
    fn is_translated(&self, pc: u64) -> bool {
        pc == self.known
    }
    fn content(&self, _address: u64) -> Option<u64> {
        Some(self.content)
    }
    fn library_function(&self, _pc: u64) -> Option<LibraryFunction> {
        None
    }
}

impl Program {
    fn new(start: u64, emit: impl Fn(&mut Assembler)) -> Program {
        let mut asm = Assembler::new(start, CONTEXT);
        emit(&mut asm);
        // A hole that is no instruction.
        asm.code.resize(ELSEWHERE as usize, 6);
        asm.built(Instruction::with2(Code::Xor_rm64_r64, Register::RAX, Register::RDX));
        asm.instruction(&Instruction::with(Code::Retnq));
        asm.code.resize(LENGTH as usize, 6);
        Program { start, bytes: asm.code, known: 0, content: 0 }
    }

    /// By this module, if it takes the block, and by the general translator.
    fn both(&self) -> (Option<Translation>, Translation) {
        let settings = Settings {
            differentiating: false,
            mode: Mode::Forward,
            has_threads: false,
            vector_shadows: VectorShadows::Memory,
            hides_avx512: false,
            host_vectors: HostVectors::Sse2,
            notices_zmm: false,
            own_control: false,
        };
        let common = glue::common(COMMON, CONTEXT);
        let job = Job {
            pc: self.start,
            state: State::ZERO,
            entry: Entry::Unknown,
            address: CACHE,
            context: CONTEXT,
            common_exit: common.exit,
            templates: Templates::new(CONTEXT, common.exit, TABLE),
            tables: [TABLE; CLASSES],
            samples: common.samples,
            first_exit: 7,
            first_counter: 0,
            tape_state: 0,
            atomic_lock: 0,
            describes_boundaries: false,
            settings: &settings,
        };
        (translate(&job, self), general(&job, self, Level::Plain))
    }

    fn check_same(&self) {
        let (plain, general) = self.both();
        let plain = plain.expect("a block for this module");
        assert_eq!(plain.code, general.code);
        assert_eq!(plain.exits, general.exits);
        assert_eq!(plain.boundaries, general.boundaries);
        assert_eq!(plain.table, general.table);
        assert_eq!(plain.ranges, general.ranges);
    }
}

/// Appends a part of a program.
type Part = fn(&mut Assembler);

fn some_work(asm: &mut Assembler) {
    asm.load(Register::RBX, Memory::at(Register::RDI, 24));
    asm.built(Instruction::with2(Code::Addsd_xmm_xmmm64, Register::XMM1, Register::XMM2));
}

fn relative_load(asm: &mut Assembler) {
    let operand = MemoryOperand::with_base_displ(Register::RIP, (asm.here() + 0x800) as i64);
    asm.built(Instruction::with3(Code::Imul_r64_rm64_imm32, Register::RSI, operand, 1234));
}

/// A branch of each kind ends a block, behind a branch that does not and an operand relative to RIP.
#[test]
fn same_code_for_each_branch() {
    let ends: [Part; 8] = [
        |asm| asm.instruction(&Instruction::with(Code::Retnq)),
        |asm| asm.jump_to_by(Code::Call_rel32_64, asm.here() + 0x300),
        |asm| asm.built(Instruction::with1(Code::Jmp_rm64, Register::R11)),
        |asm| asm.built(Instruction::with1(Code::Call_rm64, Register::RCX)),
        |asm| asm.built(Instruction::with1(Code::Call_rm64, Memory::at(Register::RSP, 8).operand())),
        |asm| {
            let place = MemoryOperand::with_base_displ(Register::RIP, (asm.here() + 0x400) as i64);
            asm.built(Instruction::with1(Code::Jmp_rm64, place));
        },
        |asm| asm.jump_to(asm.here() / LENGTH * LENGTH + ELSEWHERE),
        |asm| asm.jump_to(asm.here() / LENGTH * LENGTH),
    ];
    for end in ends {
        let program = Program::new(NEAR, |asm| {
            some_work(asm);
            asm.jump_to_by(Code::Je_rel8_64, asm.here() + 0x20);
            relative_load(asm);
            asm.jump_to_by(Code::Jg_rel32_64, asm.here() + 0x200);
            some_work(asm);
            end(asm);
        });
        program.check_same();
    }
}

#[test]
fn same_code_far_from_the_cache() {
    let program = Program::new(FAR, |asm| {
        some_work(asm);
        asm.jump_to_by(Code::Call_rel32_64, asm.here() + 0x300);
    });
    program.check_same();
}

#[test]
fn stops_where_a_translation_exists() {
    let mut program = Program::new(NEAR, |asm| {
        some_work(asm);
        some_work(asm);
    });
    let (_, whole) = program.both();
    program.known = whole.boundaries[2].pc;
    program.check_same();
    let (plain, _) = program.both();
    assert_eq!(plain.map(|translation| translation.boundaries.len()), Some(2));
}

#[test]
fn a_long_block_is_cut() {
    Program::new(NEAR, |asm| (0..200).for_each(|_| some_work(asm))).check_same();
}

/// These are left to the general translator: a block ends in front of one, and none begins with one.
#[test]
fn leaves_the_rest() {
    let rest: [(u64, Part); 7] = [
        (NEAR, |asm| asm.instruction(&Instruction::with(Code::Syscall))),
        (NEAR, |asm| asm.instruction(&Instruction::with(Code::Cpuid))),
        (NEAR, |asm| asm.bytes(&crate::decode::MAGIC)),
        (NEAR, |asm| asm.load(Register::RAX, Memory::at(Register::RDX, 0).shadow())),
        (NEAR, |asm| asm.jump_to_by(Code::Loop_rel8_64_RCX, asm.here() + 0x10)),
        (NEAR, |asm| asm.bytes(&[6])),
        (FAR, relative_load),
    ];
    for (start, instruction) in rest {
        assert!(Program::new(start, instruction).both().0.is_none());
        let program = Program::new(start, |asm| {
            some_work(asm);
            instruction(asm);
        });
        let plain = program.both().0.expect("a block for this module");
        assert_eq!((plain.boundaries.len(), plain.exits.len()), (2, 1));
        assert_eq!(plain.exits[0].target, start + length_of_work());
    }
}

fn length_of_work() -> u64 {
    let mut asm = Assembler::new(NEAR, CONTEXT);
    some_work(&mut asm);
    asm.code.len() as u64
}

fn through_variable(asm: &mut Assembler, code: Code) {
    let place = MemoryOperand::with_base_displ(Register::RIP, (asm.here() + 0x400) as i64);
    asm.built(Instruction::with1(code, place));
}

fn stub(asm: &mut Assembler) {
    through_variable(asm, Code::Jmp_rm64);
}

fn stub_with_landing_pad(asm: &mut Assembler) {
    asm.instruction(&Instruction::with(Code::Endbr64));
    stub(asm);
}

/// The functions of other files that stubs and calls lead to are jumped to directly; a jump elsewhere may carry flags.
#[test]
fn expected_targets_are_linked() {
    let programs: [(Part, bool); 5] = [
        (stub, true),
        (stub_with_landing_pad, true),
        (|asm| through_variable(asm, Code::Call_rm64), true),
        (
            |asm| {
                some_work(asm);
                through_variable(asm, Code::Call_rm64);
            },
            true,
        ),
        (
            |asm| {
                some_work(asm);
                stub(asm);
            },
            false,
        ),
    ];
    for (emit, is_expected) in programs {
        let mut program = Program::new(NEAR, emit);
        program.content = NEAR + ELSEWHERE;
        program.check_same();
        let (plain, _) = program.both();
        let targets = plain.map(|translation| translation.exits.iter().map(|exit| exit.target).collect());
        let expected: Vec<u64> = is_expected.then_some(NEAR + ELSEWHERE).into_iter().collect();
        assert_eq!(targets, Some(expected));
        // No code there, and far away.
        for content in [0, FAR] {
            program.content = content;
            program.check_same();
            assert_eq!(program.both().1.exits, []);
        }
    }
}

/// Where a function is still to be found, the engine is asked to do it, and the stub is translated again.
#[test]
fn unresolved_stubs_are_left_to_the_engine() {
    let finder = |asm: &mut Assembler, with_landing_pad: bool| {
        asm.code.resize(0x100, 6);
        if with_landing_pad {
            asm.instruction(&Instruction::with(Code::Endbr64));
        }
        asm.built(Instruction::with1(Code::Pushq_imm32, 3));
    };
    for with_landing_pad in [false, true] {
        let mut program = Program::new(NEAR, |asm| {
            stub(asm);
            finder(asm, with_landing_pad);
        });
        program.content = NEAR + 0x100;
        let (plain, general) = program.both();
        assert!(plain.is_none());
        let [exit] = general.exits[..] else { panic!("{:?}", general.exits) };
        assert_eq!((exit.target, exit.state), (NEAR, State::ZERO));
        assert!(matches!(exit.kind, ExitKind::Unresolved { .. }));
        assert_eq!(general.table, None);
    }
    // Behind the landing pad another block begins.
    let mut program = Program::new(NEAR, |asm| {
        stub_with_landing_pad(asm);
        finder(asm, true);
    });
    program.content = NEAR + 0x100;
    let exits = program.both().0.map(|plain| plain.exits);
    assert_eq!(
        exits.map(|exits| exits.iter().map(|exit| exit.target).collect()),
        Some(alloc::vec![NEAR + 4])
    );
}

/// Jumps in a circle end the block.
#[test]
fn jumps_only() {
    let program = Program::new(NEAR, |asm| {
        asm.jump_to_by(Code::Jmp_rel8_64, NEAR + 2);
        asm.jump_to_by(Code::Jmp_rel8_64, NEAR);
    });
    let (plain, general) = program.both();
    assert_eq!(plain.map(|translation| translation.exits.len()), Some(1));
    assert_eq!(general.exits.len(), 1);
}
