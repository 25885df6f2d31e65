//! Runs client code natively and in translation.

use super::machine::{Machine, Shadows};
use super::random::Random;
use super::region::{self, Region, ATOMIC_LOCK, CACHE, CACHE_SIZE, CLIENT_CODE, CONTEXT, COUNTERS};
use super::switch::{self, Fault};
use super::tape::{self, Written};
use derivgrind_functions::places::FloatArguments;
use derivgrind_translate::context::{offset, CLASSES, SHADOW_OFFSET};
use derivgrind_translate::glue::{MISS, SAMPLE};
use derivgrind_translate::interface::{
    ClientCode, Entry, Exit, ExitKind, HostVectors, Job, LibraryFunction, Mode, Registers, Settings, Site,
    Translation, Treatment, VectorShadows,
};
use derivgrind_translate::state::State;
use derivgrind_translate::templates::Templates;
use derivgrind_translate::translate::translate;
use iced_x86::{Code, Encoder, Instruction, MemoryOperand, Register};
use std::sync::MutexGuard;

/// A way to place shadows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Configuration {
    pub name: &'static str,
    pub mode: Mode,
    pub vector_shadows: VectorShadows,
    pub host_vectors: HostVectors,
    /// Does shadow arithmetic have a control word of its own?
    pub own_control: bool,
}

pub const REGISTERS: Configuration = Configuration {
    name: "registers",
    mode: Mode::Forward,
    vector_shadows: VectorShadows::Registers,
    host_vectors: HostVectors::Avx512,
    own_control: false,
};
pub const MEMORY_SSE2: Configuration = Configuration {
    name: "memory, SSE2",
    mode: Mode::Forward,
    vector_shadows: VectorShadows::Memory,
    host_vectors: HostVectors::Sse2,
    own_control: false,
};
pub const MEMORY_AVX2: Configuration = Configuration {
    name: "memory, AVX2",
    mode: Mode::Forward,
    vector_shadows: VectorShadows::Memory,
    host_vectors: HostVectors::Avx2,
    own_control: false,
};
pub const MEMORY_AVX512: Configuration = Configuration {
    name: "memory, AVX-512",
    mode: Mode::Forward,
    vector_shadows: VectorShadows::Memory,
    host_vectors: HostVectors::Avx512,
    own_control: false,
};

impl Configuration {
    /// Those that this processor can execute.
    pub fn available() -> Vec<Configuration> {
        static NOTICE: std::sync::Once = std::sync::Once::new();
        let all = [REGISTERS, MEMORY_SSE2, MEMORY_AVX2, MEMORY_AVX512];
        let (available, missing): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|configuration| configuration.host_vectors <= host());
        NOTICE.call_once(|| {
            for configuration in missing {
                println!("not tested on this processor: shadows in {}", configuration.name);
            }
        });
        available
    }

    /// The same where shadows are what the mode says.
    pub fn in_mode(self, mode: Mode) -> Configuration {
        Configuration { mode, ..self }
    }

    /// The same where shadow arithmetic has a control word of its own.
    pub fn with_own_control(self) -> Configuration {
        Configuration { own_control: true, ..self }
    }

    pub fn settings(self) -> Settings {
        Settings {
            differentiating: true,
            mode: self.mode,
            vector_shadows: self.vector_shadows,
            hides_avx512: self.in_registers(),
            host_vectors: self.host_vectors,
            notices_zmm: false,
            own_control: self.own_control,
            has_threads: false,
        }
    }

    pub fn in_registers(self) -> bool {
        self.vector_shadows == VectorShadows::Registers
    }

    /// May the client use VEX instructions?
    pub fn has_vex(self) -> bool {
        self.host_vectors != HostVectors::Sse2
    }

    /// May the client use EVEX instructions?
    pub fn has_evex(self) -> bool {
        self.vector_shadows == VectorShadows::Memory && self.host_vectors == HostVectors::Avx512
    }
}

fn host() -> HostVectors {
    let wide = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    if wide {
        HostVectors::Avx512
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        HostVectors::Avx2
    } else {
        HostVectors::Sse2
    }
}

/// Client code and where it lies.
#[derive(Clone, Debug)]
pub struct Program {
    pub bytes: Vec<u8>,
    /// Above 4 GB?
    pub far: bool,
    /// Data that the client cannot write: its shadow is zero.
    pub constant: Option<u64>,
    /// Bytes in front of it.
    pub skipped: u64,
    /// It is a library function with these arguments, whose derivative is not known.
    pub arguments: Option<FloatArguments>,
}

impl Program {
    pub fn start(&self) -> u64 {
        CLIENT_CODE[usize::from(self.far)] + self.skipped
    }
    pub fn end(&self) -> u64 {
        self.start() + self.bytes.len() as u64
    }
}

impl ClientCode for Program {
    fn code(&self, pc: u64) -> Option<&[u8]> {
        let at = pc.checked_sub(self.start())? as usize;
        (at < self.bytes.len()).then(|| &self.bytes[at..])
    }
    fn is_constant(&self, address: u64) -> bool {
        self.constant == Some(address)
    }
    fn library_function(&self, pc: u64) -> Option<LibraryFunction> {
        let arguments = self.arguments.filter(|_| pc == self.start())?;
        Some(LibraryFunction { arguments, treatment: Treatment::Unknown, direct: None })
    }
}

/// A program and what its memory holds.
struct Running<'a> {
    program: &'a Program,
    machine: &'a Machine,
    shadows: &'a Shadows,
}

impl ClientCode for Running<'_> {
    fn code(&self, pc: u64) -> Option<&[u8]> {
        self.program.code(pc)
    }
    fn is_constant(&self, address: u64) -> bool {
        self.program.is_constant(address)
    }
    fn content(&self, address: u64) -> Option<u64> {
        let shadow = || self.shadows.memory.word(address.wrapping_sub(SHADOW_OFFSET));
        self.machine.memory.word(address).or_else(shadow)
    }
    fn library_function(&self, pc: u64) -> Option<LibraryFunction> {
        self.program.library_function(pc)
    }
}

/// Where a run in translation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// At an exit that does not lead on within the program.
    Exit(ExitKind, u64),
    /// At an indirect branch, whose class and target are given.
    Indirect(u64, u64),
}

/// Result of a run in translation.
pub struct Outcome {
    pub machine: Machine,
    pub shadows: Shadows,
    pub state: State,
    pub end: End,
    /// Sites, and how often each was counted.
    pub counts: Vec<(Site, u64)>,
    /// How many of them belong to the last translation.
    last_sites: usize,
    /// All translations that were run.
    pub translations: Vec<Made>,
    /// What they wrote to the tape.
    pub written: Written,
}

/// A translation and what it was made for.
pub struct Made {
    pub pc: u64,
    pub state: State,
    pub code: Vec<u8>,
}

impl Outcome {
    /// Counts at a site of the last translation.
    fn count_at(&mut self, site: usize, is_counted: bool) {
        let first = self.counts.len() - self.last_sites;
        self.counts[first + site].1 += u64::from(is_counted);
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

/// Owns the fixed addresses for as long as it lives.
pub struct Harness {
    _guard: MutexGuard<'static, ()>,
    region: Region,
    /// The index of the first result of a run.
    pub first_index: u64,
}

const WIDE_ACTIVE: usize = offset::WIDE_ACTIVE as usize;
const X87_ACTIVE: usize = offset::X87_ACTIVE as usize;
const X87_SLOTS: usize = offset::X87_SHADOWS as usize;
/// Slots of registers 16 to 31.
const WIDE_SLOTS: usize = offset::VECTOR_SHADOWS as usize + 16 * 64;
const FIRST_EXIT: u32 = 0x100;
/// Exits that are patched go to code of the test's own in the second half of the cache.
const PATCHED: u64 = CACHE + CACHE_SIZE as u64 / 2;
const PATCHED_SIZE: u64 = 64;
/// Translations of one program that may follow each other.
const MOST: usize = 2000;

impl Harness {
    pub fn lock() -> Harness {
        let (guard, region) = region::lock();
        Harness { _guard: guard, region, first_index: 1 }
    }

    /// Runs the client's bytes where they lie.
    pub fn native(&mut self, program: &Program, machine: &Machine) -> Result<Machine, Fault> {
        region::write(program.start(), &program.bytes);
        // jmp [rip]; the address of the common exit
        let mut leave = vec![0xff, 0x25, 0, 0, 0, 0];
        leave.extend(self.region.common.exit.to_le_bytes());
        region::write(program.end(), &leave);
        machine.install();
        switch::run(self.region.common.enter, program.start())?;
        Ok(Machine::collect())
    }

    pub fn translate(
        &self,
        program: &dyn ClientCode,
        configuration: Configuration,
        pc: u64,
        state: State,
        entry: Entry,
    ) -> Translation {
        let job = Job {
            pc,
            state,
            entry,
            address: CACHE,
            context: CONTEXT,
            common_exit: self.region.common.exit,
            templates: Templates::new(CONTEXT, self.region.common.exit, self.region.tables[0]),
            tables: self.region.tables,
            samples: self.region.common.samples,
            first_exit: FIRST_EXIT,
            first_counter: COUNTERS,
            tape_state: tape::STATE,
            atomic_lock: ATOMIC_LOCK,
            describes_boundaries: false,
            settings: &configuration.settings(),
        };
        translate(&job, program)
    }

    /// Translates the program and runs it to its end. Places of shadows that the states call stale are filled with
    /// garbage, so that reading one is noticed.
    pub fn translated(
        &mut self,
        program: &Program,
        configuration: Configuration,
        state: State,
        machine: &Machine,
        shadows: &Shadows,
        seed: u64,
    ) -> Result<Outcome, (Fault, Vec<Made>)> {
        let mut random = Random(seed);
        let mut outcome = Outcome {
            machine: machine.clone(),
            shadows: shadows.clone(),
            state,
            end: End::Exit(ExitKind::Link, program.start()),
            counts: Vec::new(),
            last_sites: 0,
            translations: Vec::new(),
            written: Written::new(self.first_index),
        };
        region::write(program.start(), &program.bytes);
        // No area has been saved.
        region::write(CONTEXT + u64::from(offset::SHADOWS_KEPT_FOR), &[0; 16]);
        let mut pc = program.start();
        for _ in 0..MOST {
            let patched = random.once_in(2);
            let step = self.step(program, configuration, pc, patched, &mut outcome, &mut random);
            if let Err(fault) = step {
                return Err((fault, outcome.translations));
            }
            match outcome.end {
                End::Exit(ExitKind::Link, target) if (program.start()..program.end()).contains(&target) => {
                    pc = target;
                }
                End::Exit(ExitKind::ComputedRule { counter, part }, target) => {
                    let is_counted =
                        super::computed::serve(program, configuration, target, part, &mut outcome);
                    let site = (counter - COUNTERS) / 8;
                    outcome.count_at(site as usize, is_counted);
                    pc = target;
                }
                _ => return Ok(outcome),
            }
        }
        panic!("no end after {MOST} translations");
    }

    fn step(
        &mut self,
        program: &Program,
        configuration: Configuration,
        pc: u64,
        patched: bool,
        outcome: &mut Outcome,
        random: &mut Random,
    ) -> Result<(), Fault> {
        let registers = Registers {
            general: outcome.machine.general,
            vectors: core::array::from_fn(|number| {
                let vector = &outcome.machine.vectors[number];
                [0, 8].map(|at| u64::from_le_bytes(vector[at..at + 8].try_into().expect("eight bytes")))
            }),
        };
        let entry = Entry::Seen(&registers);
        let running = Running { program, machine: &outcome.machine, shadows: &outcome.shadows };
        let mut translation = self.translate(&running, configuration, pc, outcome.state, entry);
        let position = outcome.written.prepare(&mut translation);
        assert!(translation.code.len() < CACHE_SIZE / 2, "the code has room");
        region::write(CACHE, &translation.code);
        if patched {
            self.patch(&translation.exits);
        }
        region::write(COUNTERS, &vec![0; 8 * translation.sites.len()]);
        install(&outcome.machine, &outcome.shadows, outcome.state, configuration, random);
        outcome.translations.push(Made { pc, state: outcome.state, code: translation.code });
        switch::run(self.region.common.enter, CACHE)?;
        outcome.written.collect(position);
        outcome.last_sites = translation.sites.len();
        for (number, site) in translation.sites.iter().enumerate() {
            let mut count = [0; 8];
            region::read(COUNTERS + 8 * number as u64, &mut count);
            outcome.counts.push((*site, u64::from_le_bytes(count)));
        }
        // SAFETY: the lock makes this the only user of the context.
        let (exit, target) = unsafe { ((*region::context()).exit, (*region::context()).target) };
        match exit.checked_sub(u64::from(FIRST_EXIT)).and_then(|k| translation.exits.get(k as usize)) {
            Some(exit) => {
                outcome.end = End::Exit(exit.kind, exit.target);
                outcome.state = exit.state;
            }
            None => {
                let class = if exit >= SAMPLE { exit - SAMPLE } else { exit - MISS };
                let class = derivgrind_translate::state::Class::ALL[class as usize % CLASSES];
                outcome.end = End::Indirect(class as u64, target);
                outcome.state = class.state();
            }
        }
        collect(outcome, configuration);
        Ok(())
    }

    /// Lets every exit that can be patched go to code that reports the same exit.
    fn patch(&self, exits: &[Exit]) {
        for (number, exit) in exits.iter().enumerate().filter(|(_, exit)| exit.patch != 0) {
            assert_eq!(exit.kind, ExitKind::Link, "only links are patched");
            let place = PATCHED + PATCHED_SIZE * number as u64;
            let slot = CONTEXT + u64::from(offset::EXIT);
            let slot =
                MemoryOperand::new(Register::None, Register::None, 1, slot as i64, 8, false, Register::None);
            let store = Instruction::with2(Code::Mov_rm64_imm32, slot, (FIRST_EXIT + number as u32) as i32);
            let jump = Instruction::with_branch(Code::Jmp_rel32_64, self.region.common.exit);
            let mut encoder = Encoder::new(64);
            let mut at = place;
            for instruction in [store, jump] {
                let instruction = instruction.expect("the operands fit");
                at += encoder.encode(&instruction, at).expect("it can be encoded") as u64;
            }
            region::write(place, &encoder.take_buffer());
            let distance = place.wrapping_sub(CACHE + u64::from(exit.patch) + 4) as u32;
            region::write(CACHE + u64::from(exit.patch), &distance.to_le_bytes());
        }
    }
}

/// Puts machine and shadows in place; what the state says to be stale becomes garbage.
fn install(
    machine: &Machine,
    shadows: &Shadows,
    state: State,
    configuration: Configuration,
    random: &mut Random,
) {
    let mut with_homes = machine.clone();
    // SAFETY: the lock makes this the only user of the context.
    let context = unsafe { std::slice::from_raw_parts_mut(CONTEXT as *mut u8, 0x2000) };
    let registers =
        [offset::SPILLED_RCX as usize..offset::BUDGET as usize, offset::VECTOR_SPILLS as usize..0x488];
    for garbage in registers {
        random.fill(&mut context[garbage]);
    }
    random.fill(&mut context[offset::VECTOR_SHADOWS as usize..0x2000]);
    for number in 0..16 {
        let slot = offset::GENERAL_SHADOWS as usize + 8 * number;
        // The engine puts all shadows in place when it has applied a rule.
        let is_stale = |zero: u16| zero >> number & 1 != 0 && !state.rule_is_applied();
        let value = if is_stale(state.zero_general()) { random.word() } else { shadows.general[number] };
        context[slot..slot + 8].copy_from_slice(&value.to_le_bytes());
        let mut home = [0; 64];
        random.fill(&mut home);
        if !is_stale(state.zero_vector()) {
            let size = if configuration.has_evex() { 64 } else { 32 };
            home[..size].copy_from_slice(&shadows.vectors[number][..size]);
        }
        if configuration.in_registers() {
            with_homes.vectors[16 + number] = home;
        } else {
            let slot = offset::VECTOR_SHADOWS as usize + 64 * number;
            context[slot..slot + 64].copy_from_slice(&home);
        }
    }
    // Registers 16 to 31: the flag may be set although they are all zero.
    let active = shadows.vectors[16..].iter().flatten().any(|byte| *byte != 0);
    let flag = configuration.has_evex() && (active || random.once_in(4));
    context[WIDE_ACTIVE..WIDE_ACTIVE + 8].copy_from_slice(&u64::from(flag).to_le_bytes());
    if configuration.has_evex() {
        context[WIDE_SLOTS..][..1024].copy_from_slice(shadows.vectors[16..].as_flattened());
    }
    let active = shadows.x87.iter().flatten().any(|byte| *byte != 0);
    context[X87_ACTIVE..][..8].copy_from_slice(&u64::from(active).to_le_bytes());
    context[X87_SLOTS..][..128].copy_from_slice(shadows.x87.as_flattened());
    if configuration.in_registers() {
        with_homes.masks = std::array::from_fn(|_| random.word());
    }
    with_homes.install();
    shadows.install_memory();
    // SAFETY: as above.
    unsafe {
        (*region::context()).budget = if random.once_in(4) { 1 } else { 1 << 20 };
        (*region::context()).exit = 0;
    }
}

/// Reads machine and shadows back; a shadow that the state calls zero is zero.
fn collect(outcome: &mut Outcome, configuration: Configuration) {
    let mut machine = Machine::collect();
    let state = outcome.state;
    // SAFETY: as in `install`.
    let context = unsafe { std::slice::from_raw_parts(CONTEXT as *const u8, 0x2000) };
    let mut shadows = Shadows::zero();
    for number in 0..16 {
        if state.zero_general() >> number & 1 == 0 {
            let slot = offset::GENERAL_SHADOWS as usize + 8 * number;
            shadows.general[number] = super::machine::word(&context[slot..]);
        }
        if state.zero_vector() >> number & 1 == 0 {
            let slot = offset::VECTOR_SHADOWS as usize + 64 * number;
            let home = if configuration.in_registers() {
                &machine.vectors[16 + number][..32]
            } else {
                &context[slot..slot + 64]
            };
            // Without AVX there are no bits 128 and up.
            let size = match (configuration.has_evex(), configuration.has_vex()) {
                (true, _) => 64,
                (false, true) => 32,
                _ => 16,
            };
            shadows.vectors[number][..size].copy_from_slice(&home[..size]);
        }
    }
    if configuration.has_evex() {
        shadows.vectors[16..].as_flattened_mut().copy_from_slice(&context[WIDE_SLOTS..][..1024]);
        let active = shadows.vectors[16..].iter().flatten().any(|byte| *byte != 0);
        let flag = super::machine::word(&context[WIDE_ACTIVE..]);
        assert!(flag != 0 || !active, "the flag says that the shadows of registers 16 to 31 are zero");
    }
    shadows.x87.as_flattened_mut().copy_from_slice(&context[X87_SLOTS..][..128]);
    shadows.memory = Shadows::collect_memory();
    if configuration.in_registers() {
        machine.vectors[16..].fill([0; 64]);
        machine.masks = [0; 8];
    }
    outcome.machine = machine;
    outcome.shadows = shadows;
}
