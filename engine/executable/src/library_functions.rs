//! Entries of library functions that rules for instructions do not differentiate: the mathematics library looks up tables
//! and works on the bits of numbers.
//!
//! Names come from the library's dynamic symbols, so stripped libraries are fine; those of a program that is linked
//! statically come from its symbols, if it has not been stripped. Many functions are chosen at run time
//! among versions for different processors (`STT_GNU_IFUNC`): the symbol is a resolver, and what it returns has no name.
//! So when a resolver is about to run for the first time, its return address is replaced by [`RETURN_TRAP`]; the return
//! leaves the code cache, the engine notes the function in rax and goes on at the true address.

use crate::client_memory;
use crate::config;
use crate::direct_calls;
use crate::lock::Mutex;
use crate::sys;
use crate::threads::Thread;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use derivgrind_functions::{names, Function};
use derivgrind_translate::direct_calls::RETURN_TRAP;
use derivgrind_translate::interface::{DirectFunction, LibraryFunction, Treatment};

const SECTION_HEADER_SIZE: usize = 64;
const SYMBOL_SIZE: usize = 24;
const SHT_SYMTAB: u32 = 2;
const SHT_DYNSYM: u32 = 11;
const STB_GLOBAL: u8 = 1;
const STB_WEAK: u8 = 2;
const STT_FUNC: u8 = 2;
const STT_GNU_IFUNC: u8 = 10;
const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
/// A symbol that only programs with musl have, whose own names are not weak.
const MUSL_SYMBOL: &[u8] = b"__libc_start_init";
const PROGRAM_HEADER_SIZE: usize = 56;

/// A name in a library's string table.
#[derive(Clone)]
struct Name {
    strings: Arc<Vec<u8>>,
    offset: u32,
}

/// The entry of a function.
struct Entry {
    name: Name,
    /// What its name says, once somebody has asked.
    function: Option<Option<Function>>,
    /// How its calls are noted, once somebody has asked.
    direct: Option<Option<DirectFunction>>,
}

struct Functions {
    entries: BTreeMap<u64, Entry>,
    /// Entries of resolvers.
    resolvers: BTreeMap<u64, Entry>,
    /// Where the code of libraries lies that contain mathematics alone: its end, by its start.
    mathematics: BTreeMap<u64, u64>,
}

static FUNCTIONS: Mutex<Functions> = Mutex::new(Functions {
    entries: BTreeMap::new(),
    resolvers: BTreeMap::new(),
    mathematics: BTreeMap::new(),
});
/// Spares the lock while no library with resolvers is mapped.
static ANY_RESOLVERS: AtomicBool = AtomicBool::new(false);

impl Name {
    fn bytes(&self) -> &[u8] {
        let rest = self.strings.get(self.offset as usize..).unwrap_or(&[]);
        rest.split(|byte| *byte == 0).next().unwrap_or(rest)
    }
}

/// If `pc` is the entry of such a function: what the translator has to know.
pub fn find(pc: u64) -> Option<LibraryFunction> {
    let mut functions = FUNCTIONS.lock();
    let entry = functions.entries.get_mut(&pc)?;
    let name = entry.name.bytes();
    let Some(function) = *entry.function.get_or_insert_with(|| names::find(name)) else {
        let arguments = names::arguments(name);
        return Some(LibraryFunction { arguments, treatment: Treatment::Unknown, direct: None });
    };
    match function.treatment() {
        Treatment::Instructions => None,
        treatment => Some(LibraryFunction {
            arguments: function.float_arguments(),
            treatment,
            direct: *entry.direct.get_or_insert_with(|| direct_calls::describe(function)),
        }),
    }
}

/// The function at this entry, if its derivative is known.
pub fn function(pc: u64) -> Option<Function> {
    let mut functions = FUNCTIONS.lock();
    let entry = functions.entries.get_mut(&pc)?;
    let name = entry.name.bytes();
    *entry.function.get_or_insert_with(|| names::find(name))
}

/// Functions of the mathematics library that take numbers by pointers.
const BY_POINTERS: [&[u8]; 4] = [b"canonicalize", b"getpayload", b"totalorder", b"fe"];

/// Does the code at `pc` belong to a function of numbers, which gets no pointers to them?
pub fn loads_are_passive(pc: u64) -> bool {
    let functions = FUNCTIONS.lock();
    let is_mathematics = functions.mathematics.range(..=pc).next_back().is_some_and(|(_, end)| pc < *end);
    if !is_mathematics {
        return false;
    }
    // What has no name belongs to the function in front of it, or to another one without pointers.
    let around = functions.entries.range(..=pc).next_back();
    let takes_pointers = |name: &Name| BY_POINTERS.iter().any(|start| name.bytes().starts_with(start));
    around.is_some_and(|(_, entry)| !takes_pointers(&entry.name))
}

/// The function's name.
pub fn name(pc: u64) -> String {
    let functions = FUNCTIONS.lock();
    let name =
        functions.entries.get(&pc).map(|entry| String::from_utf8_lossy(entry.name.bytes()).into_owned());
    name.unwrap_or_else(|| String::from("?"))
}

/// Looks at a file of which `[start, end)` maps executable code from `offset` on.
pub fn note_module(descriptor: i32, path: &[u8], start: u64, end: u64, offset: u64) {
    let mut functions = FUNCTIONS.lock();
    // Whatever was there before is gone.
    functions.entries.retain(|address, _| !(start..end).contains(address));
    functions.resolvers.retain(|address, _| !(start..end).contains(address));
    functions.mathematics.retain(|other, other_end| *other >= end || *other_end <= start);
    let is_program = !PROGRAM_IS_MAPPED.swap(true, Ordering::Relaxed);
    let contents = if is_program { Some(Contents::Program) } else { contents(path) };
    if let Some(contents) = contents.filter(|_| config::current().math_interception) {
        // A damaged symbol table is not worth more than functions without names.
        let _ = read_symbols(&mut functions, descriptor, start, offset, contents);
        if contents == Contents::Mathematics {
            functions.mathematics.insert(start, end);
        }
        ANY_RESOLVERS.store(!functions.resolvers.is_empty(), Ordering::Relaxed);
    }
}

/// The program is the first file that is mapped.
static PROGRAM_IS_MAPPED: AtomicBool = AtomicBool::new(false);

/// What a file may contain, and so which of its symbols count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contents {
    /// Mathematics alone: everything counts.
    Mathematics,
    /// The whole C library, too: names that are known count.
    WholeLibrary,
    /// A program: if it is linked statically, known names count that come from a C library.
    Program,
}

/// glibc's `libm.so.6`, `libm-2.31.so`, and the vector versions `libmvec.so.1`; openlibm; musl's only library.
fn contents(path: &[u8]) -> Option<Contents> {
    let file = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let starts = |prefixes: &[&[u8]]| prefixes.iter().any(|prefix| file.starts_with(prefix));
    if starts(&[b"libm.so", b"libm-", b"libmvec.so", b"libmvec-"]) {
        return Some(Contents::Mathematics);
    }
    let is_whole = file == b"libc.so" || starts(&[b"ld-musl-", b"libc.musl-", b"libopenlibm.so"]);
    is_whole.then_some(Contents::WholeLibrary)
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

fn read_symbols(
    functions: &mut Functions,
    descriptor: i32,
    start: u64,
    offset: u64,
    contents: Contents,
) -> Option<()> {
    let header = read_table(descriptor, 0, 64)?;
    let is_program = contents == Contents::Program;
    if is_program && has_interpreter(descriptor, &header)? {
        return None;
    }
    let bias = start.wrapping_sub(address_of(descriptor, &header, offset)?);
    let sections = read_table(
        descriptor,
        word(&header, 40)?,
        u64::from(quarter(&header, 60)?) * SECTION_HEADER_SIZE as u64,
    )?;
    let section = |index: usize| sections.chunks_exact(SECTION_HEADER_SIZE).nth(index);
    let kind = if is_program { SHT_SYMTAB } else { SHT_DYNSYM };
    let symbols = sections.chunks_exact(SECTION_HEADER_SIZE).find(|header| half(header, 4) == Some(kind))?;
    let strings = section(half(symbols, 40)? as usize)?;
    let table = read_table(descriptor, word(symbols, 24)?, word(symbols, 32)?)?;
    let strings = Arc::new(read_table(descriptor, word(strings, 24)?, word(strings, 32)?)?);
    let is_musl = is_program && contains(&strings, MUSL_SYMBOL);
    for symbol in table.chunks_exact(SYMBOL_SIZE) {
        let name = Name { strings: strings.clone(), offset: half(symbol, 0)? };
        let kind = symbol[4] & 0xf;
        let defined = quarter(symbol, 6)? != 0;
        let address = word(symbol, 8)?.wrapping_add(bias);
        let counts = match contents {
            Contents::Mathematics => true,
            Contents::WholeLibrary => is_known(&name),
            // Names of glibc are weak, or have resolvers; those that a program defines itself are neither.
            Contents::Program => {
                let binding = symbol[4] >> 4;
                let from_library =
                    binding == STB_WEAK || kind == STT_GNU_IFUNC || is_musl && binding == STB_GLOBAL;
                from_library && is_known(&name)
            }
        };
        if !defined || !counts {
            continue;
        }
        if kind == STT_FUNC {
            insert(&mut functions.entries, address, name);
        } else if kind == STT_GNU_IFUNC {
            insert(&mut functions.resolvers, address, name);
        }
    }
    Some(())
}

/// Names that begin otherwise are parts of functions, with other arguments.
fn is_known(name: &Name) -> bool {
    !name.bytes().starts_with(b"_") && names::find(name.bytes()).is_some()
}

fn contains(strings: &[u8], name: &[u8]) -> bool {
    strings.split(|byte| *byte == 0).any(|string| string == name)
}

fn has_interpreter(descriptor: i32, header: &[u8]) -> Option<bool> {
    let table = program_headers(descriptor, header)?;
    Some(table.chunks_exact(PROGRAM_HEADER_SIZE).any(|segment| half(segment, 0) == Some(PT_INTERP)))
}

fn program_headers(descriptor: i32, header: &[u8]) -> Option<Vec<u8>> {
    let size = u64::from(quarter(header, 56)?) * PROGRAM_HEADER_SIZE as u64;
    read_table(descriptor, word(header, 32)?, size)
}

/// Of several names of a function the plain one counts: `sin`, not `sinf32x` or `__sin`.
fn insert(map: &mut BTreeMap<u64, Entry>, address: u64, name: Name) {
    let rank = |name: &Name| (name.bytes().starts_with(b"_"), name.bytes().len());
    match map.get(&address) {
        Some(known) if rank(&known.name) <= rank(&name) => {}
        _ => {
            map.insert(address, Entry { name, function: None, direct: None });
        }
    }
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

/// A resolver whose return is awaited.
pub struct Awaited {
    resolver: u64,
    return_address: u64,
}

/// The thread is about to run a new translation of `pc`: if it is a resolver, its return will be noticed.
pub fn watch(thread: &mut Thread, pc: u64) {
    if !ANY_RESOLVERS.load(Ordering::Relaxed) || !FUNCTIONS.lock().resolvers.contains_key(&pc) {
        return;
    }
    let stack = thread.context().registers[4];
    let Ok(return_address) = client_memory::read_value::<u64>(stack) else {
        return;
    };
    if return_address == RETURN_TRAP || client_memory::write_value(stack, &RETURN_TRAP).is_err() {
        return;
    }
    thread.awaited.push(Awaited { resolver: pc, return_address });
}

/// A resolver has returned: notes what it has chosen and says where the client goes on.
pub fn resolved(thread: &mut Thread) -> Option<u64> {
    let awaited = thread.awaited.pop()?;
    let chosen = thread.context().registers[0];
    let mut functions = FUNCTIONS.lock();
    if let Some(name) = functions.resolvers.get(&awaited.resolver).map(|entry| entry.name.clone()) {
        functions.entries.insert(chosen, Entry { name, function: None, direct: None });
    }
    Some(awaited.return_address)
}

pub fn acquire_for_fork() {
    core::mem::forget(FUNCTIONS.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe { FUNCTIONS.release() };
}
