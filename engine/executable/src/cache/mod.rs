//! A thread's code cache: translations, the links between them, and the tables of indirect branches.
//!
//! Context and code are addressed absolutely, so a cache belongs to one thread and needs no lock. A translation is
//! found by client address and state. Direct exits are linked by patching a jump; indirect branches go through a
//! table per state class, indexed by the low 16 bits of the target, which leads to an entrance that checks the target
//! and goes on to the entrance that was there before. A translation that is made because of an indirect branch has
//! its entrance in front.
//!
//! Code lives in extents of the window. The main thread has one large extent, other threads start small and get more.
//! When no extent is to be had, everything is flushed: nothing outside of the cache refers to translations, since each
//! return into it goes through [`Cache::resume_address`].
//!
//! Invariant: exits, blocks, table entries and counters of one epoch are valid until [`Cache::flush`] starts the next.

mod collection;
mod kept;
mod tables;

use self::kept::Kept;
use crate::address_map::AddressMap;
use crate::atomic_lock;
use crate::boundaries::{Found, PackedBoundaries};
use crate::client_view::{ClientView, KnownAddresses};
use crate::code_memory::{write_code, CodeMemory};
use crate::counters::Counters;
use crate::detail;
use crate::fatal;
use crate::invalidate;
use crate::memory;
use crate::passive_pages;
use crate::recording;
use crate::sys::PAGE;
use crate::unwinders;
use crate::window::{self, Region};
use crate::write_protection;
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use derivgrind_translate::context::{Context, CLASSES};
use derivgrind_translate::glue::{self, Arrival, Common};
use derivgrind_translate::interface::{
    ClientCode, Entry, Exit, ExitKind, Job, Observed, Registers, Settings, Translation,
};
use derivgrind_translate::state::{Class, State};
use derivgrind_translate::templates::Templates;
use derivgrind_translate::translate;
use hashbrown::HashMap;

/// Room that is asked for before a translation of unknown length is made.
const TYPICAL_TRANSLATION: u64 = 32 << 10;
/// Counters that one translation may need.
const SITES_PER_TRANSLATION: u64 = 1024;
/// Versions of one address before less specific states are used.
const VERSION_LIMIT: u8 = 4;
/// No entrance is longer.
const ENTRANCE_ROOM: u64 = 64;

struct Block {
    pc: u64,
    state: State,
    address: u32,
    boundaries: u32,
    /// Number of the first exit that is linked to this block.
    first_incoming: u32,
}

/// The part of a table in which an indirect branch did not find its target.
#[derive(Clone, Copy, Debug)]
pub struct Missed {
    pub class: Class,
    pub arrival: Arrival,
}

/// End of a list of exits.
const NO_EXIT: u32 = u32::MAX;

#[derive(Clone, Copy)]
pub struct ExitRecord {
    pub kind: ExitKind,
    pub target: u64,
    pub state: State,
    /// Address of the rel32 that can be patched.
    patch: u32,
    /// What the rel32 was before it was patched.
    unlinked: u32,
    /// Next exit that is linked to the same block.
    next_incoming: u32,
}

pub struct Cache {
    context: u64,
    common: Common,
    templates: Rc<Templates>,
    /// Tables by class; those that do not exist yet repeat the first.
    tables: [u64; CLASSES],
    owned_tables: Vec<Region>,
    /// Slots of the tables that lead to entrances: a target's low 16 bits.
    entered: Vec<(Missed, u16)>,
    memory: CodeMemory,
    blocks: Vec<Block>,
    index: AddressMap<(u64, u64), u32>,
    known: KnownAddresses,
    versions: AddressMap<u64, u8>,
    exits: Vec<ExitRecord>,
    /// Blocks by the client pages that they translate, and by the pages of shadow memory on which they rely.
    pages: AddressMap<u64, Vec<u32>>,
    boundaries: PackedBoundaries,
    /// What translations were made to depend on, by block.
    observed: Vec<(u32, Observed)>,
    passive_pages: Vec<(u32, u64)>,
    pub counters: Counters,
    /// Where the thread's position on the tape is; 0: there is no tape.
    pub tape_state: u64,
    /// Translations of earlier runs; only in the main thread's cache, and before its first flush.
    kept: Option<Box<Kept>>,
    /// Number of flushes so far.
    pub epoch: u64,
    /// Number of translations made so far.
    pub made: u64,
}

impl Cache {
    /// A cache for the context at `context`, whose first table is at `zero_table`: fresh memory, or what an earlier
    /// cache of this context has left.
    pub fn new(context: u64, zero_table: u64, code: Region) -> Cache {
        let common = glue::common(code.start, context);
        // SAFETY: the extent is fresh and large enough for the common code.
        unsafe { write_code(code.start, &common.code) };
        let mut cache = Cache {
            context,
            templates: Templates::new(context, common.exit, zero_table),
            common,
            tables: [zero_table; CLASSES],
            owned_tables: Vec::new(),
            entered: Vec::new(),
            memory: CodeMemory::new(code),
            blocks: Vec::new(),
            index: HashMap::default(),
            known: KnownAddresses::new(),
            versions: HashMap::default(),
            exits: Vec::new(),
            pages: HashMap::default(),
            boundaries: PackedBoundaries::default(),
            observed: Vec::new(),
            passive_pages: Vec::new(),
            counters: Counters::default(),
            tape_state: 0,
            kept: None,
            epoch: 0,
            made: 0,
        };
        cache.memory.clear(cache.after_common());
        // SAFETY: the caller owns the table.
        let is_fresh = unsafe { *(zero_table as *const u64) } == 0;
        if is_fresh {
            cache.fill_table(Class::Zero);
        }
        cache
    }

    fn after_common(&self) -> u64 {
        let end = self.common.exit + self.common.code.len() as u64;
        end.next_multiple_of(64)
    }

    /// Address that loads the client's registers and enters translated code.
    pub fn enter_address(&self) -> u64 {
        self.common.enter
    }

    /// Address to which translated code jumps to leave.
    pub fn exit_address(&self) -> u64 {
        self.common.exit
    }

    pub fn exit(&self, number: u64) -> ExitRecord {
        self.exits[number as usize]
    }

    /// Is `address` in this thread's common code or translations?
    pub fn contains(&self, address: u64) -> bool {
        self.memory.contains(address)
    }

    /// Cache address at which `pc` in `state` goes on, translating it if necessary.
    pub fn resume_address(&mut self, pc: u64, state: State, settings: &Settings) -> u64 {
        self.known_address(pc, state).unwrap_or_else(|| self.make(pc, state, settings, None))
    }

    /// The same after an indirect branch has missed its table: the next one will find the translation there.
    pub fn arrive(&mut self, pc: u64, state: State, settings: &Settings, from: Missed) -> u64 {
        if let Some(body) = self.known_address(pc, state) {
            self.enter_into_table(from, pc, body);
            // Making room may have flushed everything.
            return self.resume_address(pc, state, settings);
        }
        self.make(pc, state, settings, Some(from))
    }

    fn known_address(&self, pc: u64, state: State) -> Option<u64> {
        // Most questions come from exits whose target has just been reached for the first time.
        if state == State::ZERO && !self.known.may_contain(pc) {
            return None;
        }
        let number = self.index.get(&(pc, state.0))?;
        Some(u64::from(self.blocks[*number as usize].address))
    }

    fn make(&mut self, pc: u64, state: State, settings: &Settings, from: Option<Missed>) -> u64 {
        self.made += 1;
        let general = state.class().state();
        let by_instruction =
            state.expects_active_load() || state.rule_is_applied() || state.assumes_nothing();
        let specific = state.is_active() && state != general && !by_instruction;
        if specific && self.too_many_versions(pc) {
            return self
                .emit(pc, state, settings, from, |job, client| translate::adapt(job, client, general));
        }
        self.emit(pc, state, settings, from, translate::translate)
    }

    fn too_many_versions(&mut self, pc: u64) -> bool {
        let count = self.versions.entry(pc).or_insert(0);
        if *count == VERSION_LIMIT {
            return true;
        }
        *count += 1;
        false
    }

    fn emit(
        &mut self,
        pc: u64,
        state: State,
        settings: &Settings,
        from: Option<Missed>,
        produce: impl Fn(&Job, &dyn ClientCode) -> Translation,
    ) -> u64 {
        let mut room = TYPICAL_TRANSLATION;
        loop {
            let start = self.reserve(room + ENTRANCE_ROOM);
            let entrance = from.map(|from| self.entrance(from, start, pc));
            let address = start + entrance.as_ref().map_or(0, |entrance| entrance.len() as u64);
            let first_counter =
                if settings.differentiating { self.counters.next_free(SITES_PER_TRANSLATION) } else { 0 };
            // SAFETY: the context is this thread's, which is not in its cache; nothing refers to its fields here.
            let registers = state.is_active().then(|| unsafe { registers(self.context) });
            let job = Job {
                pc,
                state,
                entry: registers.as_ref().map_or(Entry::Unknown, Entry::Seen),
                address,
                context: self.context,
                common_exit: self.common.exit,
                templates: self.templates.clone(),
                tables: self.tables,
                samples: self.common.samples,
                first_exit: self.exits.len() as u32,
                first_counter,
                tape_state: self.tape_state,
                atomic_lock: atomic_lock::address(),
                describes_boundaries: false,
                settings,
            };
            let space = memory::read();
            let client = ClientView { space: &space, index: &self.index, known: &self.known };
            let mut translation = produce(&job, &client);
            if let Some(class) = translation.table.filter(|class| !self.owns_table(*class)) {
                drop(space);
                self.allocate_table(class);
                continue;
            }
            let length = translation.code.len() as u64;
            if !self.memory.fits(address, length) {
                room = length;
                continue;
            }
            if write_protection::protect(&space, &translation.ranges) {
                continue;
            }
            if passive_pages::protect(&translation.passive_pages) {
                continue;
            }
            // With the lock held: who unmaps the code later finds it among the translated pages.
            invalidate::note_translated(pc, &translation.ranges);
            drop(space);
            recording::number_structures(&mut translation);
            self.install(&job, &translation);
            if let (Some(entrance), Some(from)) = (entrance, from) {
                self.put_into_table(from, pc, start, &entrance);
                self.note_entrance(from, pc, start, address);
            }
            return address;
        }
    }

    fn install(&mut self, job: &Job, translation: &Translation) {
        // SAFETY: `emit` has checked that the code fits into the extent.
        unsafe { write_code(job.address, &translation.code) };
        for exit in &translation.exits {
            self.exits.push(record(exit, job.address));
        }
        self.counters.take(job.first_counter, &translation.sites);
        let boundaries = self.boundaries.add(job.pc, job.state, &translation.boundaries);
        let number = self.blocks.len() as u32;
        self.observed.extend(translation.observed.iter().map(|seen| (number, *seen)));
        let address = job.address as u32;
        self.blocks.push(Block {
            pc: job.pc,
            state: job.state,
            address,
            boundaries,
            first_incoming: NO_EXIT,
        });
        self.index.insert((job.pc, job.state.0), number);
        if job.state == State::ZERO {
            self.known.insert(job.pc);
        }
        self.passive_pages.extend(translation.passive_pages.iter().map(|page| (number, *page)));
        self.note_pages(number, job.pc, translation);
        self.link_known(job.first_exit);
        self.memory.take(job.address + translation.code.len() as u64, self.blocks.len());
    }

    /// Address of `length` free bytes of code memory.
    fn reserve(&mut self, length: u64) -> u64 {
        loop {
            if let Ok(address) = self.memory.reserve(length, self.blocks.len()) {
                return address;
            }
            if !self.memory.could_hold(length) {
                fatal!("The memory below 2 GB is full: too many threads.");
            }
            self.flush();
        }
    }

    fn note_pages(&mut self, number: u32, pc: u64, translation: &Translation) {
        let mut note = |page: u64| {
            let blocks = self.pages.entry(page).or_default();
            if blocks.last() != Some(&number) {
                blocks.push(number);
            }
        };
        note(pc / PAGE);
        for (start, end) in &translation.ranges {
            for page in start / PAGE..=(end - 1) / PAGE {
                note(page);
            }
        }
        for page in &translation.passive_pages {
            note(page / PAGE);
        }
    }

    /// Patches a direct exit so that it jumps to the translation of its target.
    pub fn link(&mut self, number: u64) {
        let exit = &mut self.exits[number as usize];
        if unwinders::is_entry(exit.target) {
            return;
        }
        let Some(target) = self.index.get(&(exit.target, exit.state.0)) else {
            return;
        };
        if exit.patch == 0 {
            return;
        }
        let block = &mut self.blocks[*target as usize];
        let displacement = block.address.wrapping_sub(exit.patch + 4);
        // SAFETY: the field lies in a translation of this epoch, and only this thread executes it.
        exit.unlinked = unsafe { exchange_displacement(exit.patch, displacement) };
        exit.next_incoming = block.first_incoming;
        block.first_incoming = number as u32;
    }

    /// Links the exits from `first` on whose targets have been translated already, which spares a way to the dispatcher
    /// each. Active code has too many states for this to hit.
    fn link_known(&mut self, first: u32) {
        for number in first..self.exits.len() as u32 {
            let exit = &self.exits[number as usize];
            if exit.patch != 0 && exit.state == State::ZERO && self.known.may_contain(exit.target) {
                self.link(u64::from(number));
            }
        }
    }

    /// Forgets the translations of client code in `[start, end)`. Their memory stays in use until the next flush.
    pub fn forget(&mut self, start: u64, end: u64) {
        let (first, last) = (start / PAGE, (end - 1) / PAGE);
        let pages: Vec<u64> = if last - first < self.pages.len() as u64 {
            (first..=last).filter(|page| self.pages.contains_key(page)).collect()
        } else {
            self.pages.keys().copied().filter(|page| (first..=last).contains(page)).collect()
        };
        for page in pages {
            for number in self.pages.remove(&page).unwrap_or_default() {
                self.forget_block(number);
            }
        }
    }

    /// Forgets the translation of `pc` in `state`.
    pub fn forget_translation(&mut self, pc: u64, state: State) {
        if let Some(number) = self.index.get(&(pc, state.0)).copied() {
            self.forget_block(number);
        }
    }

    fn forget_block(&mut self, number: u32) {
        let block = &mut self.blocks[number as usize];
        let mut incoming = core::mem::replace(&mut block.first_incoming, NO_EXIT);
        while incoming != NO_EXIT {
            let exit = &mut self.exits[incoming as usize];
            // SAFETY: as in `link`.
            unsafe { exchange_displacement(exit.patch, exit.unlinked) };
            incoming = core::mem::replace(&mut exit.next_incoming, NO_EXIT);
        }
        let key = (block.pc, block.state.0);
        if self.index.get(&key) == Some(&number) {
            self.index.remove(&key);
        }
        let pc = block.pc;
        self.forget_arrivals(pc, &Arrival::ALL);
    }

    /// Forgets all translations.
    pub fn flush(&mut self) {
        detail!("code cache flushed: {} translations", self.blocks.len());
        self.keep();
        self.kept = None;
        self.epoch += 1;
        self.memory.clear(self.after_common());
        self.blocks.clear();
        self.index.clear();
        self.known.clear();
        self.versions.clear();
        self.exits.clear();
        self.pages.clear();
        self.boundaries.clear();
        self.observed.clear();
        self.passive_pages.clear();
        self.counters.collect();
        self.empty_tables();
    }

    /// The client instruction to which a cache address belongs; `None` in common code and between blocks.
    pub fn find_boundary(&self, address: u64) -> Option<Found> {
        self.find_block(address).map(|(_, found)| found)
    }

    /// The same, with the address of the translation.
    pub fn find_block(&self, address: u64) -> Option<(u64, Found)> {
        let blocks = &self.blocks[self.memory.blocks_around(address)?];
        let after = blocks.partition_point(|block| u64::from(block.address) <= address);
        let block = blocks[..after].last()?;
        let offset = (address - u64::from(block.address)) as u32;
        let found = self.boundaries.find(block.boundaries, block.pc, block.state, offset)?;
        Some((u64::from(block.address), found))
    }

    /// The translation at this address once more, with what it has recorded at each boundary.
    pub fn describe_block(&self, address: u64, settings: &Settings) -> Option<Translation> {
        let blocks = &self.blocks[self.memory.blocks_around(address)?];
        let number = blocks.partition_point(|block| u64::from(block.address) < address);
        let block = blocks.get(number).filter(|block| u64::from(block.address) == address)?;
        let observed: Vec<Observed> = of_block(&self.observed, number);
        let passive_pages: Vec<u64> = of_block(&self.passive_pages, number);
        let job = Job {
            pc: block.pc,
            state: block.state,
            entry: Entry::Again { observed: &observed, passive_pages: &passive_pages },
            address,
            context: self.context,
            common_exit: self.common.exit,
            tables: self.tables,
            samples: self.common.samples,
            first_exit: 0,
            first_counter: self.context,
            tape_state: self.tape_state,
            atomic_lock: atomic_lock::address(),
            describes_boundaries: true,
            settings,
            templates: self.templates.clone(),
        };
        let space = memory::read();
        let client = ClientView { space: &space, index: &self.index, known: &self.known };
        Some(translate::translate(&job, &client))
    }

    /// What has been translated since the last flush, for `-v`.
    pub fn describe(&self) {
        detail!(
            "{} translations, {} exits, {} flushes, {} KB of code",
            self.blocks.len(),
            self.exits.len(),
            self.epoch,
            self.memory.used() >> 10
        );
    }

    /// Gives all memory back but the first extent, which is returned. The cache must not be used afterwards.
    pub fn release(&mut self) -> Region {
        self.counters.release();
        self.empty_tables();
        for region in self.owned_tables.drain(..) {
            // SAFETY: as above.
            unsafe { window::free(region) };
        }
        // SAFETY: the thread will not run translated code any more.
        unsafe { self.memory.release() }
    }
}

/// What is noted about the block of this number.
fn of_block<T: Copy>(notes: &[(u32, T)], number: usize) -> Vec<T> {
    notes.iter().filter(|(block, _)| *block as usize == number).map(|(_, note)| *note).collect()
}

/// The client's registers while its thread is not in its cache.
///
/// # Safety
/// `context` is the address of a context to whose registers nobody holds a mutable reference.
unsafe fn registers(context: u64) -> Registers {
    let context = context as *const Context;
    // SAFETY: the caller's promise.
    unsafe { Registers { general: (*context).registers, vectors: (*context).vectors } }
}

fn record(exit: &Exit, address: u64) -> ExitRecord {
    let patch = if exit.kind == ExitKind::Link && exit.patch != 0 { address as u32 + exit.patch } else { 0 };
    ExitRecord {
        kind: exit.kind,
        target: exit.target,
        state: exit.state,
        patch,
        unlinked: 0,
        next_incoming: NO_EXIT,
    }
}

/// # Safety
/// `patch` is the address of a rel32 in a translation of the current epoch.
unsafe fn exchange_displacement(patch: u32, displacement: u32) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { core::ptr::replace(u64::from(patch) as *mut Unaligned, Unaligned(displacement)).0 }
}

/// A displacement in machine code.
#[repr(C, packed)]
struct Unaligned(u32);
