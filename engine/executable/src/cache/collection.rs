//! What of a cache is kept for the next run, see [`super::kept`].

use super::kept::{is_constant_code, sum_of_code, Kept};
use super::{Block, Cache, ExitRecord, NO_EXIT};
use crate::kept_file::{Contents, Entrance, Module, Page};
use crate::memory;
use crate::modules;
use crate::settings;
use crate::sys::{self, PAGE};
use alloc::vec::Vec;
use derivgrind_translate::state::State;

/// A file that was changed so shortly before the start may be changed once more without getting another time.
const RACE_SECONDS: u64 = 2;

/// Instead of the number of a module: no page of the block has been looked at, or the block is not kept.
const UNSEEN: u32 = u32::MAX;
const NOT_KEPT: u32 = u32::MAX - 1;

/// Everything that is kept of `cache`, whose code from `code_start` on is `code`: that is changed and comes back.
/// `None` if nothing can be kept.
pub(super) fn collect(
    cache: &Cache,
    kept: &Kept,
    mut code: Vec<u8>,
    code_start: u64,
) -> Option<(Contents, Vec<u8>)> {
    let mut collection = Collection {
        cache,
        module_of: alloc::vec![UNSEEN; cache.blocks.len()],
        contents: Contents::default(),
    };
    collection.take_used(kept);
    collection.take_waiting(kept);
    let contents = &mut collection.contents;
    contents.blocks = cache.blocks.iter().map(Block::kept).collect();
    contents.exits = cache.exits.iter().map(ExitRecord::kept).collect::<Option<_>>()?;
    contents.uses_zmm = settings::uses_zmm();
    contents.boundaries = cache.boundaries.bytes().to_vec();
    let key = |entrance: &Entrance| (entrance.pc, entrance.arrival, entrance.body);
    contents.entrances.sort_unstable_by_key(key);
    contents.entrances.dedup_by_key(|entrance| key(entrance));
    collection.separate(&mut code, code_start);
    Some((collection.contents, code))
}

struct Collection<'a> {
    cache: &'a Cache,
    /// By block.
    module_of: Vec<u32>,
    contents: Contents,
}

impl Collection<'_> {
    /// What this run has used.
    fn take_used(&mut self, kept: &Kept) {
        let mapped = unchanged_modules(kept.start);
        let mut pages: Vec<(u64, &[u32])> =
            self.cache.pages.iter().map(|(page, numbers)| (*page, numbers.as_slice())).collect();
        pages.sort_unstable_by_key(|(page, _)| *page);
        for (page, numbers) in &pages {
            let contains = |module: &Module| (module.start..module.end).contains(&(page * PAGE));
            let module = mapped.iter().position(contains).map_or(NOT_KEPT, |place| place as u32);
            for number in *numbers {
                let known = &mut self.module_of[*number as usize];
                *known = if *known == UNSEEN || *known == module { module } else { NOT_KEPT };
            }
        }
        for (number, module) in self.module_of.iter_mut().enumerate() {
            if !is_current(self.cache, number) {
                *module = NOT_KEPT;
            }
        }
        for (place, module) in mapped.into_iter().enumerate() {
            let first_page = self.contents.pages.len();
            for (page, numbers) in &pages {
                if (module.start..module.end).contains(&(page * PAGE)) {
                    let is_part = |number: &u32| self.module_of[*number as usize] == place as u32;
                    let numbers: Vec<u32> = numbers.iter().copied().filter(is_part).collect();
                    self.add_page(*page, &numbers);
                }
            }
            self.add_module(module, first_page);
        }
        let used = kept.used_entrances.iter().filter(|entrance| {
            let number = self.cache.index.get(&(entrance.pc, State::ZERO.0));
            let leads_to = |number: &u32| {
                let number = *number as usize;
                self.cache.blocks[number].address == entrance.body && self.module_of[number] < NOT_KEPT
            };
            number.is_some_and(leads_to)
        });
        self.contents.entrances.extend(used);
    }

    /// What earlier runs have kept and this one has not used.
    fn take_waiting(&mut self, kept: &Kept) {
        for module in &kept.waiting {
            let is_newer = |other: &Module| {
                (other.start, other.end, other.offset, other.version)
                    == (module.start, module.end, module.offset, module.version)
            };
            if self.contents.modules.iter().any(is_newer) {
                continue;
            }
            let first_page = self.contents.pages.len();
            for page in kept.pages(module) {
                for number in kept.blocks(page) {
                    self.module_of[*number as usize] = self.contents.modules.len() as u32;
                }
                self.add_page(page.number, kept.blocks(page));
            }
            // Other modules may have been at these addresses.
            let number = self.contents.modules.len() as u32;
            let entrances = kept.entrances(module).iter().filter(|entrance| {
                let block = self.cache.blocks.partition_point(|block| block.address < entrance.body);
                self.module_of.get(block) == Some(&number)
            });
            self.contents.entrances.extend(entrances);
            self.add_module(*module, first_page);
        }
    }

    fn add_page(&mut self, number: u64, blocks: &[u32]) {
        let first_block = self.contents.block_numbers.len() as u32;
        self.contents.block_numbers.extend_from_slice(blocks);
        self.contents.pages.push(Page { number, first_block, block_count: blocks.len() as u32 });
    }

    /// Adds a module, whose pages are those from `first_page` on.
    fn add_module(&mut self, module: Module, first_page: usize) {
        let pages = &self.contents.pages[first_page..];
        let (first_page, page_count) = (first_page as u32, pages.len() as u32);
        let sum = if module.sum == 0 { sum_of_code(pages).unwrap_or(0) } else { module.sum };
        self.contents.modules.push(Module { sum, first_page, page_count, ..module });
    }

    /// Takes back the links from one module to another, and those to and from blocks that are not kept.
    fn separate(&mut self, code: &mut [u8], code_start: u64) {
        let owners = self.owners();
        let Contents { blocks, exits, .. } = &mut self.contents;
        for (number, block) in blocks.iter_mut().enumerate() {
            let mut incoming = core::mem::replace(&mut block.first_incoming, NO_EXIT);
            while incoming != NO_EXIT {
                let exit = &mut exits[incoming as usize];
                let next = core::mem::replace(&mut exit.next_incoming, NO_EXIT);
                let module = self.module_of[number];
                if module < NOT_KEPT && self.module_of[owners[incoming as usize] as usize] == module {
                    exit.next_incoming = block.first_incoming;
                    block.first_incoming = incoming;
                } else {
                    let place = (u64::from(exit.patch) - code_start) as usize;
                    code[place..place + 4].copy_from_slice(&exit.unlinked.to_le_bytes());
                }
                incoming = next;
            }
        }
    }

    /// The blocks of all exits that can be linked. Both are in the order of their addresses.
    fn owners(&self) -> Vec<u32> {
        let blocks = &self.cache.blocks;
        let mut block = 0;
        let owner = |exit: &ExitRecord| {
            while exit.patch != 0 && blocks.get(block + 1).is_some_and(|next| next.address <= exit.patch) {
                block += 1;
            }
            block as u32
        };
        self.cache.exits.iter().map(owner).collect()
    }
}

/// Is this block what its address is translated to now, for the zero state?
fn is_current(cache: &Cache, number: usize) -> bool {
    let block = &cache.blocks[number];
    block.state == State::ZERO && cache.index.get(&(block.pc, block.state.0)) == Some(&(number as u32))
}

/// Mappings of code whose files are as they were when they were mapped.
fn unchanged_modules(start: u64) -> Vec<Module> {
    let mut mapped = Vec::new();
    modules::for_each(|module| {
        let module_again =
            |(other, _): &(Module, Vec<u8>)| module.end <= other.start || other.end <= module.start;
        mapped.retain(module_again);
        if let Some(version) = module.version {
            let mut path = module.path.clone();
            path.push(0);
            let (start, end, offset) = (module.start, module.end, module.offset);
            let module = Module { start, end, offset, version, sum: 0, first_page: 0, page_count: 0 };
            mapped.push((module, path));
        }
    });
    mapped.retain(|(module, path)| {
        let is_unchanged = |(now, changed)| now == module.version && changed + RACE_SECONDS < start;
        sys::version_of(path).is_some_and(is_unchanged)
    });
    let space = memory::read();
    let modules = mapped.into_iter().map(|(module, _)| module);
    modules.filter(|module| is_constant_code(&space, module.start, module.end)).collect()
}
