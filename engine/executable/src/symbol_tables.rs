//! Symbols of a file that is mapped: names and addresses of functions.

use crate::sys;
use alloc::sync::Arc;
use alloc::vec::Vec;

const SECTION_HEADER_SIZE: usize = 64;
const PROGRAM_HEADER_SIZE: usize = 56;
const SYMBOL_SIZE: usize = 24;
const SHT_SYMTAB: u32 = 2;
const SHT_DYNSYM: u32 = 11;
const STB_LOCAL: u8 = 0;
const STB_GLOBAL: u8 = 1;
const STB_WEAK: u8 = 2;
const STV_HIDDEN: u8 = 2;
const STT_FUNC: u8 = 2;
const STT_GNU_IFUNC: u8 = 10;
const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;

/// A name in a library's string table.
#[derive(Clone)]
pub struct Name {
    strings: Arc<Vec<u8>>,
    offset: u32,
}

impl Name {
    pub fn bytes(&self) -> &[u8] {
        let rest = self.strings.get(self.offset as usize..).unwrap_or(&[]);
        rest.split(|byte| *byte == 0).next().unwrap_or(rest)
    }
}

/// Which symbols of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Those that other files may use.
    Dynamic,
    /// All, unless the file has been stripped.
    All,
}

/// A function that a file defines.
pub struct Symbol {
    pub name: Name,
    pub address: u64,
    binding: u8,
    visibility: u8,
    /// It is to be called once, and returns the function.
    pub is_resolver: bool,
}

impl Symbol {
    pub fn is_weak(&self) -> bool {
        self.binding == STB_WEAK
    }

    pub fn is_global(&self) -> bool {
        self.binding == STB_GLOBAL
    }

    /// Was it global in an object file, and has the linker made it local?
    pub fn is_hidden(&self) -> bool {
        self.binding == STB_LOCAL && self.visibility == STV_HIDDEN
    }
}

/// A mapped file and its section headers.
pub struct SymbolFile {
    descriptor: i32,
    header: Vec<u8>,
    sections: Vec<u8>,
    /// What was added to the file's addresses.
    bias: u64,
}

pub struct Table {
    symbols: Vec<u8>,
    strings: Arc<Vec<u8>>,
    bias: u64,
}

impl SymbolFile {
    /// A file of which the bytes from `offset` on are mapped at `start`.
    pub fn open(descriptor: i32, start: u64, offset: u64) -> Option<SymbolFile> {
        let header = read_table(descriptor, 0, 64)?;
        let bias = start.wrapping_sub(address_of(descriptor, &header, offset)?);
        let size = u64::from(quarter(&header, 60)?) * SECTION_HEADER_SIZE as u64;
        let sections = read_table(descriptor, word(&header, 40)?, size)?;
        Some(SymbolFile { descriptor, header, sections, bias })
    }

    /// Is it a program that is linked dynamically?
    pub fn has_interpreter(&self) -> Option<bool> {
        let table = program_headers(self.descriptor, &self.header)?;
        Some(table.chunks_exact(PROGRAM_HEADER_SIZE).any(|segment| half(segment, 0) == Some(PT_INTERP)))
    }

    pub fn table(&self, kind: Kind) -> Option<Table> {
        self.table_with(kind, |_| true)
    }

    /// The table if this is a part of a name. In most libraries it is not, and their symbols are not read.
    pub fn table_mentioning(&self, kind: Kind, part: &[u8]) -> Option<Table> {
        self.table_with(kind, |strings| {
            let mut places = strings.iter().enumerate().filter(|(_, byte)| **byte == part[0]);
            places.any(|(at, _)| strings[at..].starts_with(part))
        })
    }

    fn table_with(&self, kind: Kind, is_wanted: impl Fn(&[u8]) -> bool) -> Option<Table> {
        let wanted = match kind {
            Kind::Dynamic => SHT_DYNSYM,
            Kind::All => SHT_SYMTAB,
        };
        let mut sections = self.sections.chunks_exact(SECTION_HEADER_SIZE);
        let symbols = sections.clone().find(|header| half(header, 4) == Some(wanted))?;
        let strings = sections.nth(half(symbols, 40)? as usize)?;
        let read = |section: &[u8]| read_table(self.descriptor, word(section, 24)?, word(section, 32)?);
        let strings = read(strings)?;
        if !is_wanted(&strings) {
            return None;
        }
        Some(Table { symbols: read(symbols)?, strings: Arc::new(strings), bias: self.bias })
    }
}

impl Table {
    /// Is this a name of the table?
    pub fn contains(&self, name: &[u8]) -> bool {
        self.strings.split(|byte| *byte == 0).any(|string| string == name)
    }

    /// Functions that the file defines.
    pub fn functions(&self) -> impl Iterator<Item = Symbol> + '_ {
        self.symbols.chunks_exact(SYMBOL_SIZE).filter_map(|symbol| {
            let kind = symbol[4] & 0xf;
            let is_function = kind == STT_FUNC || kind == STT_GNU_IFUNC;
            let is_defined = quarter(symbol, 6)? != 0;
            let name = Name { strings: self.strings.clone(), offset: half(symbol, 0)? };
            let address = word(symbol, 8)?.wrapping_add(self.bias);
            let (binding, visibility) = (symbol[4] >> 4, symbol[5] & 3);
            let found = Symbol { name, address, binding, visibility, is_resolver: kind == STT_GNU_IFUNC };
            (is_function && is_defined).then_some(found)
        })
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    field(bytes, at).map(u64::from_le_bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    field(bytes, at).map(u32::from_le_bytes)
}

fn quarter(bytes: &[u8], at: usize) -> Option<u16> {
    field(bytes, at).map(u16::from_le_bytes)
}

/// Largest table that is believed.
const TABLE_LIMIT: u64 = 16 << 20;

fn read_table(descriptor: i32, offset: u64, size: u64) -> Option<Vec<u8>> {
    if size > TABLE_LIMIT {
        return None;
    }
    let mut table = alloc::vec![0; size as usize];
    let count = sys::read_at(descriptor, &mut table, offset).ok()?;
    (count == table.len()).then_some(table)
}

fn program_headers(descriptor: i32, header: &[u8]) -> Option<Vec<u8>> {
    let size = u64::from(quarter(header, 56)?) * PROGRAM_HEADER_SIZE as u64;
    read_table(descriptor, word(header, 32)?, size)
}

/// The file's own address of the byte at `offset`.
fn address_of(descriptor: i32, header: &[u8], offset: u64) -> Option<u64> {
    let table = program_headers(descriptor, header)?;
    for segment in table.chunks_exact(PROGRAM_HEADER_SIZE) {
        let (from, address) = (word(segment, 8)?, word(segment, 16)?);
        if half(segment, 0)? == PT_LOAD && sys::page_down(from) == offset {
            return Some(sys::page_down(address));
        }
    }
    None
}
