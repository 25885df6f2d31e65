//! Random sequences of x87 instructions, mixed with copies by other registers: values are the native ones, and dot
//! values those of an interpreter that takes the rules one by one.

use crate::harness::compare;
use crate::harness::generate::Generated;
use crate::harness::machine::{Machine, Shadows};
use crate::harness::random::Random;
use crate::harness::region::{AREAS, STACK_POINTER};
use crate::harness::report::{describe, Failures};
use crate::harness::run::{Configuration, Harness, Program};
use crate::harness::x87::{expected, pushes, read_real, real_in_memory, rounded, Dual};
use derivgrind_translate::state::State;
use iced_x86::{Code, Instruction, MemoryOperand, MemorySize, OpKind, Register};

/// Variables in memory, 16 bytes apart, and their types.
const PLACE: u64 = AREAS[0] + 0x100;
const VARIABLES: [MemorySize; 8] = [
    MemorySize::Float64,
    MemorySize::Float64,
    MemorySize::Float64,
    MemorySize::Float64,
    MemorySize::Float32,
    MemorySize::Float32,
    MemorySize::Float80,
    MemorySize::Float80,
];
const DISTANCE: u64 = 16;

/// Where a run stands: numbers on the stack, and dot values of them and of variables.
struct Interpreter {
    depth: usize,
    stack: [f64; 8],
    variables: [f64; 8],
    scale: f64,
}

fn variable(number: usize) -> MemoryOperand {
    MemoryOperand::with_base_displ(Register::RBX, (DISTANCE * number as u64) as i64)
}

fn variable_of(instruction: &Instruction) -> usize {
    (instruction.memory_displacement64() / DISTANCE) as usize
}

fn with_variable(codes: [Code; 3], random: &mut Random) -> Instruction {
    let number = random.below(if codes[2] == Code::INVALID { 6 } else { 8 });
    let code = match VARIABLES[number] {
        MemorySize::Float64 => codes[0],
        MemorySize::Float32 => codes[1],
        _ => codes[2],
    };
    Instruction::with1(code, variable(number)).expect("the operand fits")
}

/// An instruction that finds its numbers on a stack of this depth, and keeps one.
fn random_instructions(depth: usize, random: &mut Random) -> Vec<Instruction> {
    use Code::*;
    let position = random.below(depth);
    let with = |code| {
        let (top, other) = (Register::ST0, Register::ST0 + position as u32);
        let target_is_top = format!("{code:?}").ends_with("st0_sti");
        let (first, second) = if target_is_top { (top, other) } else { (other, top) };
        Instruction::with2(code, first, second).expect("the operands fit")
    };
    let named = |code| Instruction::with1(code, Register::ST0 + position as u32).expect("the operand fits");
    let pick = |codes: &[Code], random: &mut Random| codes[random.below(codes.len())];
    let one = match random.below(12) {
        0 if depth < 7 => named(Fld_sti),
        1 if depth < 7 => Instruction::with(pick(&[Fld1, Fldpi, Fldln2], random)),
        0..=3 if depth < 7 => with_variable([Fld_m64fp, Fld_m32fp, Fld_m80fp], random),
        4 if depth > 2 => with_variable([Fstp_m64fp, Fstp_m32fp, Fstp_m80fp], random),
        5 if depth > 2 && position > 0 => {
            with(pick(&[Faddp_sti_st0, Fmulp_sti_st0, Fsubp_sti_st0, Fsubrp_sti_st0], random))
        }
        6 => with(Fxch_st0_sti),
        7 => with(pick(&[Fadd_st0_sti, Fsub_sti_st0, Fsubr_st0_sti, Fmul_st0_sti], random)),
        8 => with_variable(
            pick_all(
                &[[Fadd_m64fp, Fadd_m32fp], [Fmul_m64fp, Fmul_m32fp], [Fsubr_m64fp, Fsubr_m32fp]],
                random,
            ),
            random,
        ),
        9 => Instruction::with(pick(&[Fsin, Fcos, Fchs, Fabs, Fincstp, Fdecstp], random)),
        10 => {
            let (from, to) = (random.below(4), random.below(4));
            let load = Instruction::with2(Mov_r64_rm64, Register::RAX, variable(from));
            let store = Instruction::with2(Mov_rm64_r64, variable(to), Register::RAX);
            return vec![load.expect("it fits"), store.expect("it fits")];
        }
        11 => {
            let (from, to) = (random.below(4), random.below(4));
            let load = Instruction::with2(Movsd_xmm_xmmm64, Register::XMM3, variable(from));
            let sum = Instruction::with2(Addsd_xmm_xmmm64, Register::XMM3, variable(to));
            let store = Instruction::with2(Movsd_xmmm64_xmm, variable(to), Register::XMM3);
            return vec![load.expect("it fits"), sum.expect("it fits"), store.expect("it fits")];
        }
        // Keeps numbers small.
        _ => Instruction::with(Fsin),
    };
    match one.code() {
        // The top moves and comes back.
        Fincstp => vec![one, Instruction::with(Fdecstp)],
        Fdecstp => vec![one, Instruction::with(Fincstp)],
        _ => vec![one],
    }
}

fn pick_all(codes: &[[Code; 2]], random: &mut Random) -> [Code; 3] {
    let [wide, narrow] = codes[random.below(codes.len())];
    [wide, narrow, Code::INVALID]
}

impl Interpreter {
    /// Follows one instruction, whose operands are those of the machine.
    fn step(&mut self, instructions: &[Instruction], machine: &Machine) {
        let first = &instructions[0];
        match first.code() {
            Code::Mov_r64_rm64 => {
                self.variables[variable_of(&instructions[1])] = self.variables[variable_of(first)];
                return;
            }
            Code::Movsd_xmm_xmmm64 => {
                self.variables[variable_of(&instructions[2])] += self.variables[variable_of(first)];
                return;
            }
            Code::Fincstp | Code::Fdecstp => return,
            _ => {}
        }
        let mut stack = [Dual::default(); 8];
        for (position, dual) in stack.iter_mut().enumerate() {
            *dual =
                Dual { value: rounded(&machine.x87[32 + 16 * position..][..10]), dot: self.stack[position] };
        }
        let named = (first.op0_kind() == OpKind::Memory).then(|| variable_of(first));
        let memory = named.map_or(Dual::default(), |number| {
            let size = VARIABLES[number];
            let bytes = machine.memory.at(PLACE + DISTANCE * number as u64, size.size());
            Dual { value: read_real(size, bytes), dot: self.variables[number] }
        });
        let results = expected(first, &stack, memory, machine.flags);
        let pushed = pushes(first.code());
        let before = self.stack;
        self.depth = (self.depth as i32 + pushed) as usize;
        for (position, dot) in self.stack.iter_mut().enumerate() {
            let from = position as i32 - pushed;
            let kept = (0..8).contains(&from) && position < self.depth;
            *dot = if kept { before[from as usize] } else { 0.0 };
        }
        for (position, dot) in results.stack {
            self.stack[position] = dot;
            self.scale = self.scale.max(dot.abs());
        }
        if let (Some(dot), Some(number)) = (results.memory, named) {
            self.variables[number] = dot;
        }
    }
}

fn run(harness: &mut Harness, failures: &mut Failures, seed: u64) {
    let mut random = Random(seed);
    let mut machine = Machine::zero();
    let mut shadows = Shadows::zero();
    machine.general[3] = PLACE;
    machine.general[4] = STACK_POINTER;
    let top = random.below(8);
    machine.x87[3] = (top << 3) as u8;
    let mut interpreter = Interpreter { depth: 2, stack: [0.0; 8], variables: [0.0; 8], scale: 1.0 };
    for position in 0..interpreter.depth {
        let physical = (top + position) % 8;
        machine.x87[4] |= 1 << physical;
        let value = real_in_memory(MemorySize::Float80, random.moderate().sin());
        machine.x87[32 + 16 * position..][..10].copy_from_slice(&value);
        if random.once_in(2) {
            interpreter.stack[position] = random.moderate().sin();
            let dot = real_in_memory(MemorySize::Float80, interpreter.stack[position]);
            shadows.x87[physical][..10].copy_from_slice(&dot);
        }
    }
    for (number, size) in VARIABLES.into_iter().enumerate() {
        let place = PLACE + DISTANCE * number as u64;
        let value = real_in_memory(size, random.moderate().sin());
        machine.memory.at_mut(place, value.len()).copy_from_slice(&value);
        if random.once_in(2) {
            let dot = real_in_memory(size, random.moderate().sin());
            shadows.memory.at_mut(place, dot.len()).copy_from_slice(&dot);
            interpreter.variables[number] = read_real(size, &dot);
        }
    }
    let program = |instructions: &[Instruction]| {
        let bytes = Generated::sequence(instructions, false, None).bytes;
        Program { bytes, far: false, constant: None, skipped: 0, arguments: None }
    };
    let mut all = Vec::new();
    let mut native = machine.clone();
    for _ in 0..5 + random.below(35) {
        let next = random_instructions(interpreter.depth, &mut random);
        interpreter.step(&next, &native);
        native = harness.native(&program(&next), &native).expect("it runs natively");
        all.extend(next);
    }
    let program = program(&all);
    let configurations = Configuration::available();
    let configuration = configurations[random.below(configurations.len())];
    let state = [State::ZERO, State::UNKNOWN][random.below(2)];
    failures.cases += 1;
    let outcome = harness.translated(&program, configuration, state, &machine, &shadows, random.word());
    let outcome = outcome.unwrap_or_else(|(fault, _)| panic!("{fault:x?}"));
    let mut differences = compare::primal(&native, &outcome.machine, configuration, true);
    let mut close = |what: String, wanted: f64, computed: f64, tolerance: f64| {
        if (wanted - computed).abs() > tolerance * interpreter.scale {
            differences.push(format!("{what}: expected {wanted:e}, computed {computed:e}"));
        }
    };
    let top = usize::from(outcome.machine.x87[3] >> 3 & 7);
    for (position, wanted) in interpreter.stack.into_iter().enumerate() {
        close(format!("st({position})"), wanted, rounded(&outcome.shadows.x87[(top + position) % 8]), 1e-6);
    }
    for (number, wanted) in interpreter.variables.into_iter().enumerate() {
        let size = VARIABLES[number];
        let bytes = outcome.shadows.memory.at(PLACE + DISTANCE * number as u64, size.size());
        close(format!("variable {number}"), wanted, read_real(size, bytes), 1e-6);
    }
    if outcome.count() != 0 {
        differences.push(format!("counted {} times", outcome.count()));
    }
    if !differences.is_empty() {
        failures.add(&format!("seed {seed}"), || {
            describe(&program, configuration, &outcome.translations, &differences)
        });
    }
}

#[test]
fn random_blocks_of_x87_instructions() {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    for seed in 1..400 {
        run(&mut harness, &mut failures, seed);
    }
    failures.finish(300);
}
