//! Makes a translation: the entry point of this crate.
//!
//! A block is translated at one of three levels. *Plain*, before the first input: client instructions only. *Passive*,
//! for the zero state: client instructions, plus checks that loaded data has no active shadow and zero shadows for what
//! is stored. *Active*: every instruction moves or computes shadows. A failed check in a passive block continues in an
//! active translation of the same instruction.

use crate::atomics::synchronises;
use crate::checks::Count;
use crate::control::has_memory;
use crate::decode::{self, Avoid, Block, Client, End};
use crate::direct_calls;
use crate::emit::{Assembler, Jump, Memory};
use crate::expected_passive;
use crate::expected_targets;
use crate::flags;
use crate::general::Mirror;
use crate::interface::{
    Boundary, ClientCode, Exit, ExitKind, HeldShadow, Job, Observed, Site, SiteKind, Translation,
    VectorShadows,
};
use crate::logic::Origin;
use crate::memory;
use crate::passive::is_write;
use crate::passive_pages::PassivePages;
use crate::plain;
use crate::pointers;
use crate::proven::{self, Proven};
use crate::reciprocals::Reciprocals;
use crate::recording::{Recorded, Recording};
use crate::rounding::{self, Rounding};
use crate::rules::{self, Rule};
use crate::stack_variables::StackVariables;
use crate::state::{Class, State};
use crate::upper_parts::{self, Access};
use crate::vectors::{self, Pending, Vectors};
use alloc::vec::Vec;
use iced_x86::{Code, Instruction, InstructionInfoFactory, Register};

/// Which of the three kinds of code is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    Plain,
    Passive,
    Active,
}

/// What has to be done on the way out of a block.
#[derive(Clone)]
pub(crate) struct Unfinished {
    pub recorded: Option<Recorded>,
    vectors: Option<Pending>,
}

/// Code that is reached rarely and placed behind the block.
pub(crate) enum OutOfLine {
    /// Leave by exit number `exit` (counted within this translation), with shadows written back first.
    Leave { jump: Jump, exit: usize, rcx_spilled: bool, pending: Option<Unfinished> },
    /// Count at `site`, then go back.
    Count(Count),
    /// Write `size` zero bytes, then go back.
    Zero { jump: Jump, place: Memory, size: usize, back: u64 },
}

/// One translation in the making.
pub(crate) struct Translator<'a> {
    pub asm: Assembler,
    pub job: &'a Job<'a>,
    pub client: &'a dyn ClientCode,
    pub info: InstructionInfoFactory,
    pub level: Level,
    /// Knowledge about shadows at the current point.
    pub zero_general: u16,
    pub vectors: Vectors,
    /// Where else the shadow of a general register is found.
    pub mirrors: [Mirror; 16],
    /// What is known about the values of vector registers.
    pub origins: [Origin; 16],
    /// Shadow memory that this block has shown to be zero.
    pub proven: Proven,
    /// What the block writes to the tape.
    pub recording: Recording,
    /// Does shadow arithmetic's own control word hold at this point? See [`crate::float_control`].
    pub has_own_control: bool,
    /// Are the shadows of registers 16 to 31 known to be zero? For passive blocks.
    pub wide_is_zero: bool,
    /// The same for the shadows of x87 registers, at any level.
    pub stack_is_zero: bool,
    /// Is all passive that this passive block loads, except for arguments on the stack?
    pub loads_are_passive: bool,
    /// By instruction: loads into general registers that need no test.
    pub untested: Vec<bool>,
    /// See [`upper_parts::find`].
    pub upper_parts: Vec<Access>,
    pub reciprocals: Reciprocals,
    pub stack_variables: StackVariables,
    /// By instruction: sums that round their operand.
    pub roundings: Vec<Rounding>,
    pub observed: Vec<Observed>,
    pub passive_pages: PassivePages,
    /// Did the current instruction write zero to the shadow of what it stores?
    pub stored_zero: bool,
    /// May the instruction change flags in front of it?
    pub flags_dead: bool,
    /// May flags live across calls and returns?
    pub returns_flags: bool,
    /// Is the current instruction the first where a call or a jump has led?
    pub begins_run: bool,
    /// Number of the current instruction, and its address.
    pub position: usize,
    pub pc: u64,
    pub out_of_line: Vec<OutOfLine>,
    /// Class of the table that an indirect branch uses.
    pub table: Option<Class>,
    exits: Vec<Exit>,
    boundaries: Vec<Boundary>,
    held: Vec<Vec<HeldShadow>>,
    sites: Vec<Site>,
}

/// Translates the code that starts at `job.pc`.
pub fn translate(job: &Job, client: &dyn ClientCode) -> Translation {
    let settings = job.settings;
    let level = match (settings.differentiating, job.state.is_active()) {
        (false, _) => Level::Plain,
        (true, false) => Level::Passive,
        (true, true) => Level::Active,
    };
    if job.pc == direct_calls::RETURN_TRAP {
        let mut translator = Translator::new(job, client, level);
        translator.differentiate_call();
        return translator.finish(Vec::new());
    }
    if level == Level::Plain && !job.describes_boundaries {
        if let Some(translation) = plain::translate(job, client) {
            return translation;
        }
    }
    general(job, client, level)
}

/// Translates at any level.
pub(crate) fn general(job: &Job, client: &dyn ClientCode, level: Level) -> Translation {
    let block = decode::decode(job.pc, client, avoid(job), level != Level::Active);
    let mut translator = Translator::new(job, client, level);
    translator.block(&block);
    translator.finish(block.ranges)
}

/// Instructions that end a block.
fn avoid(job: &Job) -> Avoid {
    match job.settings.vector_shadows {
        VectorShadows::Registers => Avoid::Avx512,
        VectorShadows::Memory if job.settings.notices_zmm => Avoid::LowZmm,
        VectorShadows::Memory => Avoid::None,
    }
}

/// Code that brings the shadows from `job.state` to `to`, a state that knows less, and continues at `job.pc`.
pub fn adapt(job: &Job, client: &dyn ClientCode, to: State) -> Translation {
    let mut translator = Translator::new(job, client, Level::Active);
    translator.materialize(to);
    translator.link(job.pc);
    translator.finish(Vec::new())
}

/// Human-readable mnemonic and operand form of a [`SiteKind::Instruction`].
pub fn instruction_name(code: u16) -> alloc::string::String {
    match Code::try_from(usize::from(code)) {
        Ok(code) => code.op_code().instruction_string().into(),
        Err(_) => alloc::string::String::from("unknown instruction"),
    }
}

impl<'a> Translator<'a> {
    fn new(job: &'a Job<'a>, client: &'a dyn ClientCode, level: Level) -> Translator<'a> {
        Translator {
            asm: Assembler::with_templates(job.address, job.context, job.templates.clone()),
            job,
            client,
            info: InstructionInfoFactory::new(),
            level,
            zero_general: job.state.zero_general(),
            vectors: Vectors::new(job.settings, job.state),
            mirrors: [Mirror::None; 16],
            origins: [Origin::Unknown; 16],
            proven: Proven::default(),
            recording: Recording::new(job.pc),
            has_own_control: false,
            wide_is_zero: false,
            stack_is_zero: false,
            loads_are_passive: false,
            untested: Vec::new(),
            upper_parts: Vec::new(),
            reciprocals: Reciprocals::default(),
            stack_variables: StackVariables::default(),
            roundings: Vec::new(),
            observed: Vec::new(),
            passive_pages: PassivePages::default(),
            stored_zero: false,
            flags_dead: false,
            returns_flags: client.returns_flags(job.pc),
            begins_run: true,
            position: 0,
            pc: job.pc,
            out_of_line: Vec::with_capacity(8),
            table: None,
            exits: Vec::with_capacity(8),
            boundaries: Vec::with_capacity(32),
            held: Vec::new(),
            sites: Vec::new(),
        }
    }

    /// Knowledge about shadows at this point, as the key of a translation.
    pub fn state(&self) -> State {
        if self.level != Level::Active {
            return State::ZERO;
        }
        let zero_general = self.zero_general | 1 << Register::RSP.number();
        if zero_general == !0 && self.vectors.zero == !0 {
            return State::ZERO;
        }
        State::active(zero_general, self.vectors.zero, self.vectors.upper)
    }

    fn block(&mut self, block: &Block) {
        let dead = match self.level {
            Level::Plain => alloc::vec![false; block.instructions.len()],
            Level::Passive | Level::Active => flags::dead_before(&block.instructions, self.returns_flags),
        };
        let length = self.length(&block.instructions).min(self.up_to_stack(&block.instructions));
        if self.level != Level::Plain {
            self.untested = pointers::untested_loads(&mut self.info, &block.instructions);
            let has_indices = self.job.settings.mode.has_indices();
            self.upper_parts = upper_parts::find(&mut self.info, &block.instructions, length, has_indices);
        }
        self.loads_are_passive = self.level == Level::Passive && self.client.loads_are_passive(self.job.pc);
        let tests_loads = self.level == Level::Passive && !self.loads_are_passive;
        let groups = if tests_loads && self.vectors.in_registers() {
            self.load_groups(&block.instructions[..length])
        } else {
            Vec::new()
        };
        let has_threads = self.job.settings.has_threads;
        let shares = !self.job.settings.mode.has_indices() && self.vectors.in_registers();
        if self.level == Level::Active && shares {
            self.stack_variables =
                StackVariables::find(&mut self.info, has_threads, &block.instructions[..length]);
        }
        if self.level == Level::Active && shares && !self.job.state.assumes_nothing() {
            self.reciprocals = Reciprocals::find(&mut self.info, has_threads, &block.instructions[..length]);
        }
        if self.level == Level::Active {
            let ahead = |target| decode::decode(target, self.client, avoid(self.job), false).instructions;
            (self.roundings, self.observed) =
                rounding::find(&mut self.info, self.client, self.job.entry, block, ahead);
            if !self.job.state.assumes_nothing() {
                let instructions = &block.instructions[..length];
                let (client, entry) = (self.client, self.job.entry);
                let expected =
                    expected_passive::find(&mut self.info, client, entry, has_threads, instructions);
                self.observed.extend(expected);
            }
        }
        if self.level != Level::Plain {
            self.flags_dead = dead.first().copied().unwrap_or(false);
            if self.check_library_function() {
                return;
            }
        }
        for (position, client) in block.instructions[..length].iter().enumerate() {
            if self.recording.is_full() {
                self.continue_elsewhere(&client.instruction);
                return;
            }
            self.position = position;
            self.pc = client.instruction.ip();
            if let Some(before) =
                position.checked_sub(1).map(|before| &block.instructions[before].instruction)
            {
                let follows = before.next_ip() == self.pc;
                self.begins_run = !follows || self.begins_run && expected_targets::may_precede(before);
            }
            self.recording.begin_instruction();
            self.flags_dead = dead[position];
            self.boundary(client.instruction.ip());
            if let Some(group) = groups.get(position) {
                self.check_group(&client.instruction, group);
            }
            self.client_instruction(client);
        }
        if let Some(next) = block.instructions.get(length) {
            self.continue_elsewhere(&next.instruction);
            return;
        }
        match block.end {
            End::Branch => {}
            End::Continue(target) => self.link(target),
            End::Engine { kind, pc, target } => {
                self.boundary(pc);
                self.end_recording();
                self.write_back_all();
                self.engine_writes(kind);
                self.leave(kind, target);
            }
        }
    }

    /// How many of the instructions this translation takes. In a passive block, those before the first that is left to
    /// the active level. With shadows in memory, as many as leave enough vector registers to be borrowed.
    fn length(&mut self, instructions: &[Client]) -> usize {
        if self.level == Level::Passive {
            let left = instructions.iter().position(|client| Self::needs_active_level(&client.instruction));
            return left.unwrap_or(instructions.len());
        }
        if self.level == Level::Plain {
            return instructions.len();
        }
        let instructions = if self.records() { self.leaving_a_register(instructions) } else { instructions };
        if self.vectors.in_registers() {
            return instructions.len();
        }
        let most = if self.job.settings.mode.has_indices() {
            vectors::MOST_USED_RECORDING
        } else {
            vectors::MOST_USED
        };
        let mut used = 0u16;
        let mut masks = 0u8;
        let mut without_vex = true;
        for (position, client) in instructions.iter().enumerate() {
            let instruction = &client.instruction;
            let with_this = used | vectors::used_by(instruction);
            let masks_with_this = masks | vectors::masks_used_by(instruction);
            if with_this.count_ones() > most || masks_with_this.count_ones() > vectors::MOST_MASKS_USED {
                self.vectors.plan(used, without_vex);
                self.vectors.plan_masks(!(masks | 1));
                return position;
            }
            used = with_this;
            masks = masks_with_this;
            without_vex &= instruction.encoding() == iced_x86::EncodingKind::Legacy;
        }
        self.vectors.plan(used, without_vex);
        self.vectors.plan_masks(!(masks | 1));
        instructions.len()
    }

    /// The instructions up to which a general register remains for the tape's position.
    fn leaving_a_register<'b>(&mut self, instructions: &'b [Client]) -> &'b [Client] {
        let mut used = 0u16;
        for (position, client) in instructions.iter().enumerate() {
            let mut with_this = used;
            for register in self.info.info(&client.instruction).used_registers() {
                if register.register().is_gpr() {
                    with_this |= 1 << register.register().full_register().number();
                }
            }
            if !self.recording.plan(with_this) {
                return &instructions[..position];
            }
            used = with_this;
        }
        instructions
    }

    /// Ends the translation in front of an instruction.
    fn continue_elsewhere(&mut self, next: &Instruction) {
        if self.level != Level::Passive {
            self.link(next.ip());
            return;
        }
        let jump = self.asm.jump(Code::Jmp_rel32_64);
        let exit = self.exit(ExitKind::Link, next.ip(), crate::passive::active_state(false));
        self.exits[exit].patch = self.asm.displacement_of(jump);
        self.out_of_line.push(OutOfLine::Leave { jump, exit, rcx_spilled: false, pending: None });
    }

    fn client_instruction(&mut self, client: &Client) {
        if synchronises(&client.instruction, self.job.settings.has_threads) {
            self.proven = Proven::default();
            self.stack_variables.forget();
        }
        if self.control(client) || self.segment_base(client) {
            self.update_proven(&client.instruction);
            return;
        }
        match self.level {
            Level::Plain => self.copy(client),
            Level::Passive => self.passive(client),
            Level::Active => self.active(client),
        }
        if self.level != Level::Plain {
            self.watch_control(&client.instruction);
        }
        if self.level == Level::Active && self.recording.is_open() {
            self.recording.values.contents.follow(&mut self.info, &client.instruction);
        }
        self.update_proven(&client.instruction);
    }

    /// Takes note of what the instruction did to places that are proven to be passive.
    fn update_proven(&mut self, instruction: &Instruction) {
        let stored_zero = core::mem::take(&mut self.stored_zero);
        if self.proven.is_empty() {
            return;
        }
        if self.level == Level::Active && !stored_zero && self.writes_memory(instruction) {
            self.proven.active_store(memory::written(instruction));
        }
        if let Some((register, distance)) = proven::step(instruction) {
            self.proven.register_moved(register, distance);
            return;
        }
        let written = self.writes_general(instruction);
        self.proven.registers_changed(written);
    }

    fn writes_memory(&mut self, instruction: &Instruction) -> bool {
        use Rule::{MaskedStore, Opaque, Push, StringMove, StringStore};
        let rule = rules::rule(instruction);
        let implicitly = matches!(rule, Push | StringMove | StringStore | MaskedStore | Opaque);
        implicitly || has_memory(instruction) && is_write(self.memory_access(instruction))
    }

    /// The engine overwrites these registers with passive values.
    fn engine_writes(&mut self, kind: ExitKind) {
        let (rax, rcx, rdx, rbx, r11) = (1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 11);
        self.zero_general |= match kind {
            ExitKind::SystemCall => rax | rcx | r11,
            ExitKind::Cpuid { .. } => rax | rcx | rdx | rbx,
            ExitKind::Xgetbv => rax | rdx,
            ExitKind::ClientRequest => rdx,
            _ => 0,
        };
    }

    /// All client registers are in place here.
    fn boundary(&mut self, pc: u64) {
        let code_offset = self.asm.code.len() as u32;
        // A rule that has been applied is not to be applied again, or must be taken back first.
        let applied = self.rule_is_applied();
        let state = if applied { self.state().with_rule_applied() } else { self.state() };
        let parked = self.pending().is_some() || applied;
        let recorded = self.recording.recorded().filter(|_| self.job.describes_boundaries);
        let recorded = recorded.map(|recorded| self.recording.structure(recorded));
        self.boundaries.push(Boundary { code_offset, pc, state, parked, recorded });
        if self.job.describes_boundaries {
            self.held.push(self.vectors.held());
        }
    }

    /// Registers an exit; its code is emitted by the caller or behind the block.
    pub fn exit(&mut self, kind: ExitKind, target: u64, state: State) -> usize {
        self.exits.push(Exit { kind, target, state, patch: 0 });
        self.exits.len() - 1
    }

    /// Leaves the cache for good.
    pub(crate) fn leave(&mut self, kind: ExitKind, target: u64) {
        let state = self.state();
        let exit = self.exit(kind, target, state);
        self.leave_by(exit);
    }

    fn leave_by(&mut self, exit: usize) {
        let number = self.job.first_exit + exit as u32;
        self.job.templates.leave(&mut self.asm.code, self.job.address, number);
    }

    /// Continues at a client address, by a jump that the engine links to its translation.
    pub fn link(&mut self, target: u64) {
        self.end_recording();
        self.write_back_all();
        let state = self.state();
        let jump = self.asm.jump(Code::Jmp_rel32_64);
        let exit = self.exit(ExitKind::Link, target, state);
        self.exits[exit].patch = self.asm.displacement_of(jump);
        self.out_of_line.push(OutOfLine::Leave { jump, exit, rcx_spilled: false, pending: None });
    }

    /// Leaves through `jump` to a client address with the given state.
    pub fn link_conditional(&mut self, jump: Jump, target: u64, state: State, rcx_spilled: bool) {
        let exit = self.exit(ExitKind::Link, target, state);
        let pending = self.pending();
        if pending.is_none() && !rcx_spilled {
            self.exits[exit].patch = self.asm.displacement_of(jump);
        }
        self.out_of_line.push(OutOfLine::Leave { jump, exit, rcx_spilled, pending });
    }

    /// What an exit at this point has to do first.
    pub fn pending(&self) -> Option<Unfinished> {
        let unfinished = Unfinished { recorded: self.recording.recorded(), vectors: self.vectors.pending() };
        (unfinished.recorded.is_some() || unfinished.vectors.is_some()).then_some(unfinished)
    }

    /// Number of a new site of this translation.
    pub fn site(&mut self, pc: u64, kind: SiteKind) -> usize {
        let site = Site { pc, kind };
        match self.sites.iter().position(|known| *known == site) {
            Some(known) => known,
            None => {
                self.sites.push(site);
                self.sites.len() - 1
            }
        }
    }

    fn finish(mut self, ranges: Vec<(u64, u64)>) -> Translation {
        self.recording.reopen();
        self.finish_room();
        for item in core::mem::take(&mut self.out_of_line) {
            match item {
                OutOfLine::Leave { jump, exit, rcx_spilled, pending } => {
                    self.asm.land(jump);
                    if rcx_spilled {
                        self.restore_rcx();
                    }
                    if let Some(pending) = &pending {
                        self.close_recording(pending.recorded);
                        if let Some(vectors) = &pending.vectors {
                            self.write_back(vectors);
                        }
                    }
                    let links = self.exits[exit].kind == ExitKind::Link;
                    if links && (rcx_spilled || pending.is_some()) {
                        let direct = self.asm.jump(Code::Jmp_rel32_64);
                        self.exits[exit].patch = self.asm.displacement_of(direct);
                        self.asm.land(direct);
                    }
                    self.leave_by(exit);
                }
                OutOfLine::Count(count) => self.count(count),
                OutOfLine::Zero { jump, place, size, back } => {
                    self.asm.land(jump);
                    self.asm.store_zero(place, size);
                    self.asm.jump_to(back);
                }
            }
        }
        Translation {
            code: self.asm.code,
            exits: self.exits,
            boundaries: self.boundaries,
            held: self.held,
            sites: self.sites,
            table: self.table,
            structures: self.recording.structures,
            structure_references: self.recording.references,
            ranges,
            observed: self.observed,
            passive_pages: self.passive_pages.relied_on(),
        }
    }
}
