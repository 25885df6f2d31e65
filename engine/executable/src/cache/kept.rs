//! Translations that are kept for the next run: short programs take most of their time for code that is executed once.
//!
//! What is kept is the state of the main thread's cache before the first input, when a translation depends on the
//! client's code alone. At the next start everything is put back where it was, but nothing refers to it yet. When a file
//! is mapped that was mapped at the same address then, has not been changed since, and whose code is the same, byte by
//! byte, its translations are *adopted*: they get into the index and into the tables of indirect branches. Those of
//! other files stay unused, and are kept again.
//!
//! Invariant: a translation that is kept leads directly only to others of the same mapping.

use super::collection::collect;
use super::{Block, Cache, ExitRecord, Missed};
use crate::boundaries::PackedBoundaries;
use crate::client_memory;
use crate::config;
use crate::detail;
use crate::invalidate;
use crate::kept_file::{self, checksum, Contents, Entrance, Exit, Module, Page};
use crate::library_functions;
use crate::memory::{self, AddressSpace};
use crate::modules;
use crate::settings;
use crate::sys::{self, kernel, PAGE};
use crate::syscalls::process;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use derivgrind_translate::glue::Arrival;
use derivgrind_translate::interface::{ExitKind, Settings};
use derivgrind_translate::state::{Class, State};

/// A run keeps what it has if it has made at least as many new translations, and this part of those it has found.
const WORTHWHILE: usize = 500;
const WORTHWHILE_PART: usize = 8;
/// More code is not kept: reading it takes time, too. The main thread has room for more than that.
const CODE_LIMIT: u64 = 24 << 20;

/// What the main thread knows about translations of earlier runs.
pub(super) struct Kept {
    circumstances: u64,
    /// The directory where translations are kept.
    directory: Option<u64>,
    /// Seconds since 1970.
    pub start: u64,
    /// Blocks that were found.
    found: usize,
    /// Number of mappings that have been looked at.
    seen_modules: usize,
    /// Those that are not adopted.
    pub waiting: Vec<Module>,
    pages: Vec<Page>,
    block_numbers: Vec<u32>,
    /// In ascending order of `pc`.
    entrances: Vec<Entrance>,
    /// All entrances that the tables have had in this run.
    pub used_entrances: Vec<Entrance>,
}

impl Kept {
    pub fn pages(&self, module: &Module) -> &[Page] {
        &self.pages[module.first_page as usize..][..module.page_count as usize]
    }

    pub fn blocks(&self, page: &Page) -> &[u32] {
        &self.block_numbers[page.first_block as usize..][..page.block_count as usize]
    }

    pub fn entrances(&self, module: &Module) -> &[Entrance] {
        let first = self.entrances.partition_point(|entrance| entrance.pc < module.start);
        let end = self.entrances.partition_point(|entrance| entrance.pc < module.end);
        &self.entrances[first..end]
    }
}

impl Cache {
    /// Puts back what earlier runs have kept. Called before anything is translated.
    pub fn restore(&mut self, settings: &Settings) {
        if config::current().kept_translations.is_empty() {
            return;
        }
        let circumstances = self.circumstances(settings);
        let start = self.after_common();
        // SAFETY: the rest of this thread's code memory, where nothing is yet.
        let memory = unsafe { core::slice::from_raw_parts_mut(start as *mut u8, CODE_LIMIT as usize) };
        let (contents, code_length) = Contents::read(circumstances, memory).unwrap_or_default();
        detail!("{} translations of earlier runs", contents.blocks.len());
        if contents.uses_zmm {
            settings::stop_noticing_zmm();
        }
        self.blocks = contents.blocks.iter().map(Block::restored).collect();
        self.exits = contents.exits.iter().map(ExitRecord::restored).collect();
        self.boundaries = PackedBoundaries::restored(contents.boundaries);
        self.memory.take(start + code_length as u64, self.blocks.len());
        self.index.reserve(self.blocks.len());
        self.kept = Some(Box::new(Kept {
            circumstances,
            directory: kept_file::directory(),
            start: sys::now(),
            found: self.blocks.len(),
            seen_modules: 0,
            waiting: contents.modules,
            pages: contents.pages,
            block_numbers: contents.block_numbers,
            entrances: contents.entrances,
            used_entrances: Vec::new(),
        }));
    }

    /// A number that stands for everything that translations depend on, besides the client's code.
    fn circumstances(&self, settings: &Settings) -> u64 {
        let configuration = config::current();
        // Where zmm registers are used is known for all that is kept.
        let settings = Settings { notices_zmm: false, ..*settings };
        let text = format!(
            "{settings:?} {:x} {:x} {} {}",
            self.context,
            self.tables[0],
            configuration.math_interception,
            configuration.user_functions.is_empty(),
        );
        checksum(checksum(0, text.as_bytes()), &self.common.code)
    }

    /// Translations of files that have been mapped since the last call get into use, if they are known.
    pub fn adopt_modules(&mut self) {
        let Some(mut kept) = self.kept.take_if(|kept| kept.seen_modules != modules::count()) else {
            return;
        };
        let first = core::mem::replace(&mut kept.seen_modules, modules::count());
        let mut found = Vec::new();
        modules::for_each_from(first, |mapped| {
            let place = kept.waiting.iter().position(|module| is_same(module, mapped));
            found.extend(place.map(|place| kept.waiting.swap_remove(place)));
        });
        for module in found {
            let space = memory::read();
            if !self.can_adopt(&kept, &module, &space) {
                kept.waiting.push(module);
                continue;
            }
            self.adopt(&mut kept, &module);
        }
        self.kept = Some(kept);
    }

    fn can_adopt(&self, kept: &Kept, module: &Module, space: &AddressSpace) -> bool {
        let pages = kept.pages(module);
        is_constant_code(space, module.start, module.end)
            && !pages.iter().any(|page| self.pages.contains_key(&page.number))
            && sum_of_code(pages) == Some(module.sum)
    }

    /// With the address space locked.
    fn adopt(&mut self, kept: &mut Kept, module: &Module) {
        for page in kept.pages(module) {
            let numbers = kept.blocks(page);
            for number in numbers {
                let pc = self.blocks[*number as usize].pc;
                // The engine wants to know when a resolver is called first.
                if pc / PAGE == page.number && !library_functions::is_resolver(pc) {
                    self.index.insert((pc, State::ZERO.0), *number);
                    self.known.insert(pc);
                }
            }
            self.pages.insert(page.number, numbers.to_vec());
            invalidate::note_translated(page.number * PAGE, &[]);
        }
        let entrances = kept.entrances(module).to_vec();
        for entrance in entrances {
            // Another module that was at these addresses has other blocks, and resolvers have none.
            let number = self.index.get(&(entrance.pc, State::ZERO.0));
            if number.is_none_or(|number| self.blocks[*number as usize].address != entrance.body) {
                continue;
            }
            let from = Missed { class: Class::Zero, arrival: Arrival::ALL[entrance.arrival as usize] };
            let address = u64::from(entrance.address);
            let code = self.entrance(from, address, entrance.pc);
            self.put_into_table(from, entrance.pc, address, &code);
            kept.used_entrances.push(entrance);
        }
    }

    /// Notes an entrance that leads to the translation at `body`.
    pub(super) fn note_entrance(&mut self, from: Missed, pc: u64, address: u64, body: u64) {
        if let Some(kept) = &mut self.kept {
            let (address, body, arrival) = (address as u32, body as u32, from.arrival as u32);
            kept.used_entrances.push(Entrance { pc, address, body, arrival, reserved: 0 });
        }
    }

    /// Keeps what is there for the next run, if that is worth while.
    pub fn keep(&mut self) {
        let Some(kept) = &mut self.kept else {
            return;
        };
        let new = self.blocks.len() - kept.found;
        if new < WORTHWHILE + kept.found / WORTHWHILE_PART || !process::is_first() {
            return;
        }
        kept.found = self.blocks.len();
        // The program may have another root directory by now.
        if kept.directory.is_none() || kept.directory != kept_file::directory() {
            return;
        }
        let start = self.after_common();
        let Some(end) = self.memory.end_of_only_extent() else {
            return;
        };
        if end - start > CODE_LIMIT {
            kept_file::remove();
            return;
        }
        let kept = self.kept.as_ref().expect("just looked at");
        // SAFETY: the code memory of this thread, which is not in its cache.
        let code = unsafe { core::slice::from_raw_parts(start as *const u8, (end - start) as usize) };
        let collected = collect(self, kept, code.to_vec(), start);
        if collected.is_some_and(|(contents, code)| contents.write(&code, kept.circumstances)) {
            detail!("{} translations are kept for the next run", self.blocks.len());
        } else {
            detail!("translations cannot be kept");
        }
    }
}

/// Is this the mapping for which translations were kept?
fn is_same(module: &Module, mapped: &modules::Module) -> bool {
    (module.start, module.end, module.offset) == (mapped.start, mapped.end, mapped.offset)
        && Some(module.version) == mapped.version
}

/// Is all of this one private mapping of a file that is executable and was never writable?
pub(super) fn is_constant_code(space: &AddressSpace, start: u64, end: u64) -> bool {
    space.mappings.find(start).is_some_and(|(_, mapping_end, attributes)| {
        end <= mapping_end
            && attributes.protection & kernel::PROT_EXEC != 0
            && attributes.file
            && !attributes.ever_writable
    })
}

/// A sum over these pages of client code; `None` if they cannot be read.
pub(super) fn sum_of_code(pages: &[Page]) -> Option<u64> {
    let mut content = [0; PAGE as usize];
    pages.iter().try_fold(0, |sum, page| {
        client_memory::read(page.number * PAGE, &mut content).ok()?;
        Some(checksum(sum, &content))
    })
}

impl Block {
    fn restored(kept: &kept_file::Block) -> Block {
        let kept_file::Block { pc, address, boundaries, first_incoming, .. } = *kept;
        Block { pc, state: State::ZERO, address, boundaries, first_incoming }
    }

    pub(super) fn kept(&self) -> kept_file::Block {
        let Block { pc, address, boundaries, first_incoming, .. } = *self;
        kept_file::Block { pc, address, boundaries, first_incoming, reserved: 0 }
    }
}

impl ExitRecord {
    fn restored(kept: &Exit) -> ExitRecord {
        let Exit { target, patch, unlinked, next_incoming, kind, variable, .. } = *kept;
        let kind = match kind & 0xff {
            CPUID => ExitKind::Cpuid { length: (kind >> 8) as u8 },
            UNRESOLVED => ExitKind::Unresolved { variable: u64::from(variable) },
            kind => KINDS.get(kind as usize).copied().unwrap_or(ExitKind::Undecodable),
        };
        ExitRecord { kind, target, state: State::ZERO, patch, unlinked, next_incoming }
    }

    /// `None` for exits that plain code does not have.
    pub(super) fn kept(&self) -> Option<Exit> {
        let ExitRecord { state, target, patch, unlinked, next_incoming, .. } = *self;
        if state != State::ZERO {
            return None;
        }
        let mut variable = 0;
        let kind = match self.kind {
            ExitKind::Cpuid { length } => CPUID | u32::from(length) << 8,
            ExitKind::Unresolved { variable: address } => {
                variable = u32::try_from(address).ok()?;
                UNRESOLVED
            }
            kind => KINDS.iter().position(|known| *known == kind)? as u32,
        };
        Some(Exit { target, patch, unlinked, next_incoming, kind, variable, reserved: 0 })
    }
}

/// What plain code leaves for, by number.
const KINDS: [ExitKind; 8] = [
    ExitKind::Link,
    ExitKind::SystemCall,
    ExitKind::Xgetbv,
    ExitKind::ClientRequest,
    ExitKind::NeedsMemoryShadows,
    ExitKind::NeedsFullRegisters,
    ExitKind::Undecodable,
    ExitKind::NotExecutable,
];
/// CPUID, with its length in the second byte.
const CPUID: u32 = 0x80;
const UNRESOLVED: u32 = 0x81;
