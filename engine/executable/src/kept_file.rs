//! Files in which translations are kept for the next run of a program, see [`crate::cache`].
//!
//! A file is a header and sections, arrays of plain numbers. It is written under another name and renamed, so that
//! nobody sees a part of one. What is read is checked against a sum over all of it: a file that is damaged, or that
//! somebody else may have written, is no file.

use crate::call;
use crate::config;
use crate::sys::{self, kernel};
use alloc::format;
use alloc::vec::Vec;

/// A structure of numbers without padding, for which every content is valid.
///
/// # Safety
/// That is what it is.
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($(#[$documentation:meta])* $name:ident { $($(#[$field_documentation:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$documentation])*
        #[derive(Clone, Copy)]
        #[repr(C)]
        pub struct $name { $($(#[$field_documentation])* pub $field: $type,)* }
        const _: () = assert!(size_of::<$name>() == 0 $(+ size_of::<$type>())*);
        // SAFETY: all fields are numbers, and there is nothing between them.
        unsafe impl Plain for $name {}
    };
}

// SAFETY: numbers.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}

plain! {
    /// A mapping of code whose translations are kept.
    Module {
        start: u64,
        end: u64,
        /// Position of `start` in the file that is mapped.
        offset: u64,
        /// Of that file, see [`sys::version`].
        version: u64,
        /// Over the pages of code that were translated.
        sum: u64,
        /// In [`Contents::pages`].
        first_page: u32,
        page_count: u32,
    }
}

plain! {
    /// A page of the client's code.
    Page {
        number: u64,
        /// In [`Contents::block_numbers`]: the blocks that translate something on this page.
        first_block: u32,
        block_count: u32,
    }
}

plain! {
    /// A translation in the zero state.
    Block {
        pc: u64,
        address: u32,
        boundaries: u32,
        first_incoming: u32,
        reserved: u32,
    }
}

plain! {
    /// A way out of a translation.
    Exit {
        target: u64,
        patch: u32,
        unlinked: u32,
        next_incoming: u32,
        kind: u32,
        /// Address of the variable that an unresolved stub jumps through.
        variable: u32,
        reserved: u32,
    }
}

plain! {
    /// An entrance in front of a translation, or one that jumps to it.
    Entrance {
        pc: u64,
        address: u32,
        /// Address of the translation.
        body: u32,
        /// Of the branches that come this way.
        arrival: u32,
        reserved: u32,
    }
}

plain! {
    Header {
        magic: u64,
        /// What the translations depend on, besides the code.
        circumstances: u64,
        /// 1: some of them use zmm0 to zmm15 and do not say so.
        uses_zmm: u64,
        /// Over all of the file.
        sum: u64,
        lengths: [u64; SECTIONS],
    }
}

const SECTIONS: usize = 8;
const MAGIC: u64 = u64::from_le_bytes(*b"DGKEPT\0\x01");

#[derive(Default)]
pub struct Contents {
    pub modules: Vec<Module>,
    pub pages: Vec<Page>,
    pub block_numbers: Vec<u32>,
    pub blocks: Vec<Block>,
    pub exits: Vec<Exit>,
    pub boundaries: Vec<u8>,
    pub entrances: Vec<Entrance>,
    pub uses_zmm: bool,
}

impl Contents {
    fn sections<'a>(&'a self, code: &'a [u8]) -> [&'a [u8]; SECTIONS] {
        [
            bytes(&self.modules),
            bytes(&self.pages),
            bytes(&self.block_numbers),
            bytes(&self.blocks),
            bytes(&self.exits),
            bytes(&self.boundaries),
            bytes(&self.entrances),
            code,
        ]
    }

    /// Reads what was kept under these circumstances for the program of this process, and the code to the start of
    /// `memory`. The result is the length of that.
    pub fn read(circumstances: u64, memory: &mut [u8]) -> Option<(Contents, usize)> {
        // What is no file must not be waited for.
        let flags = kernel::O_RDONLY | kernel::O_NOFOLLOW | kernel::O_NONBLOCK;
        let file = File::open(&config::current().kept_translations, flags)?;
        if !belongs_to_user(file.descriptor()) {
            return None;
        }
        let mut header = [Header { magic: 0, circumstances: 0, uses_zmm: 0, sum: 0, lengths: [0; SECTIONS] }];
        let mut position = 0;
        file.fill(bytes_mut(&mut header), &mut position)?;
        let [header] = header;
        let is_meant = header.magic == MAGIC && header.circumstances == circumstances;
        let total = header.lengths.iter().try_fold(position, |sum, length| sum.checked_add(*length))?;
        if !is_meant || sys::file_length(file.descriptor()) != total {
            return None;
        }
        let mut lengths = header.lengths.into_iter();
        let mut length = || lengths.next().unwrap_or(0);
        let contents = Contents {
            modules: file.section(length(), &mut position)?,
            pages: file.section(length(), &mut position)?,
            block_numbers: file.section(length(), &mut position)?,
            blocks: file.section(length(), &mut position)?,
            exits: file.section(length(), &mut position)?,
            boundaries: file.section(length(), &mut position)?,
            entrances: file.section(length(), &mut position)?,
            uses_zmm: header.uses_zmm != 0,
        };
        let code = memory.get_mut(..length() as usize)?;
        file.fill(code, &mut position)?;
        (contents.sum(code, circumstances) == header.sum).then_some((contents, code.len()))
    }

    fn sum(&self, code: &[u8], circumstances: u64) -> u64 {
        let start = checksum(circumstances, &[self.uses_zmm.into()]);
        self.sections(code).into_iter().fold(start, checksum)
    }

    /// Replaces what is kept; false if that cannot be done, and the next run will translate once more.
    pub fn write(&self, code: &[u8], circumstances: u64) -> bool {
        let sections = self.sections(code);
        let lengths = sections.map(|section| section.len() as u64);
        let uses_zmm = u64::from(self.uses_zmm);
        let header =
            [Header { magic: MAGIC, circumstances, uses_zmm, sum: self.sum(code, circumstances), lengths }];
        let length = size_of::<Header>() as u64 + lengths.iter().sum::<u64>();
        if length > sys::file_size_limit() {
            // The kernel would send a signal.
            return false;
        }
        let path = &config::current().kept_translations;
        let name = &path[..path.len() - 1];
        let mut new = name.to_vec();
        new.extend_from_slice(format!(".{}\0", sys::process_id()).as_bytes());
        // Somebody may have been killed while writing it.
        // SAFETY: the path is a C string.
        unsafe { call!(kernel::__NR_unlink, new.as_ptr()) };
        let flags = kernel::O_WRONLY | kernel::O_CREAT | kernel::O_EXCL;
        let Some(file) = File::open(&new, flags) else {
            return false;
        };
        let is_written = sys::write_all(file.descriptor(), bytes(&header))
            && sections.into_iter().all(|section| sys::write_all(file.descriptor(), section));
        // SAFETY: both paths are C strings.
        unsafe {
            if is_written && call!(kernel::__NR_rename, new.as_ptr(), path.as_ptr()) == 0 {
                return true;
            }
            call!(kernel::__NR_unlink, new.as_ptr());
        }
        false
    }
}

/// Which directory it is where translations are kept.
pub fn directory() -> Option<u64> {
    let path = &config::current().kept_translations;
    let end = path.iter().rposition(|byte| *byte == b'/')?;
    let mut directory = path[..end].to_vec();
    directory.push(0);
    sys::identity_of(&directory)
}

/// The next run begins anew.
pub fn remove() {
    // SAFETY: the path is a C string.
    unsafe { call!(kernel::__NR_unlink, config::current().kept_translations.as_ptr()) };
}

/// An open file, closed at the end.
struct File(sys::Outcome);

impl File {
    fn open(path: &[u8], flags: u32) -> Option<File> {
        let outcome = sys::open_high(path, flags, 0o600);
        (!sys::is_failure(outcome)).then_some(File(outcome))
    }

    fn descriptor(&self) -> i32 {
        self.0 as i32
    }

    fn fill(&self, buffer: &mut [u8], position: &mut u64) -> Option<()> {
        let count = sys::read_at(self.descriptor(), buffer, *position).ok()?;
        *position += count as u64;
        (count == buffer.len()).then_some(())
    }

    fn section<T: Plain>(&self, length: u64, position: &mut u64) -> Option<Vec<T>> {
        let count = length as usize / size_of::<T>();
        if count * size_of::<T>() != length as usize {
            return None;
        }
        let mut section: Vec<T> = Vec::new();
        section.try_reserve_exact(count).ok()?;
        // SAFETY: every content is valid, and what is not filled is not used.
        unsafe {
            section.set_len(count);
            self.fill(bytes_mut(&mut section), position)?;
        }
        Some(section)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        sys::close(self.descriptor());
    }
}

fn bytes<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: no padding.
    unsafe { core::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

fn bytes_mut<T: Plain>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: no padding, and every content is valid.
    unsafe { core::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}

/// Is it a file that nobody but the user can have written?
fn belongs_to_user(descriptor: i32) -> bool {
    const KIND: u32 = 0o170_000;
    const FILE: u32 = 0o100_000;
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    // SAFETY: no effect.
    let user = unsafe { call!(kernel::__NR_geteuid) } as u32;
    sys::owner_and_mode(descriptor)
        .is_some_and(|(owner, mode)| owner == user && mode & KIND == FILE && mode & WRITABLE_BY_OTHERS == 0)
}

/// A sum that changes with each of the bytes, for damage, not against intent.
pub fn checksum(seed: u64, bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut lanes = [seed ^ bytes.len() as u64, 1, 2, 3];
    let mut add = |words: &[u8]| {
        for (lane, word) in lanes.iter_mut().zip(words.chunks_exact(8)) {
            let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
            let mixed = (*lane ^ word).wrapping_mul(FACTOR);
            *lane = mixed ^ mixed >> 32;
        }
    };
    let mut groups = bytes.chunks_exact(32);
    for group in &mut groups {
        add(group);
    }
    let mut last = [0; 32];
    last[..groups.remainder().len()].copy_from_slice(groups.remainder());
    add(&last);
    lanes.into_iter().fold(0, |sum, lane| (sum ^ lane).wrapping_mul(FACTOR))
}
