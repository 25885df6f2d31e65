//! Library functions whose derivatives are not to be trusted yet: the mathematics library works on the bits of numbers,
//! which instruction rules cannot differentiate.
//!
//! Names come from the library's dynamic symbols, so stripped libraries are fine. Many functions are chosen at run time
//! among versions for different processors (`STT_GNU_IFUNC`): the symbol is a resolver, and what it returns has no name.
//! So when a resolver is about to run for the first time, its return address is replaced by [`RETURN_TRAP`]; the return
//! leaves the code cache, the engine notes the function in rax and goes on at the true address.

use crate::client_memory;
use crate::config;
use crate::lock::Mutex;
use crate::sys;
use crate::threads::Thread;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use derivgrind_translate::float_arguments::{self, FloatArguments};

/// An address at which the client can have no code.
pub const RETURN_TRAP: u64 = 0x4fff_ffff_f000;

/// Functions that instruction rules do differentiate: they are a few instructions, or piecewise constant.
const TRUSTED: [&[u8]; 25] = [
    b"ceil",
    b"copysign",
    b"fabs",
    b"finite",
    b"floor",
    b"fma",
    b"fmax",
    b"fmin",
    b"fpclassify",
    b"ilogb",
    b"isinf",
    b"isnan",
    b"issignaling",
    b"llogb",
    b"llrint",
    b"llround",
    b"lrint",
    b"lround",
    b"nearbyint",
    b"rint",
    b"round",
    b"roundeven",
    b"signbit",
    b"sqrt",
    b"trunc",
];

const SECTION_HEADER_SIZE: usize = 64;
const SYMBOL_SIZE: usize = 24;
const SHT_DYNSYM: u32 = 11;
const STT_FUNC: u8 = 2;
const STT_GNU_IFUNC: u8 = 10;
const PT_LOAD: u32 = 1;
const PROGRAM_HEADER_SIZE: usize = 56;

/// A name in a library's string table.
#[derive(Clone)]
struct Name {
    strings: Arc<Vec<u8>>,
    offset: u32,
}

struct Functions {
    /// Entries of untrusted functions.
    entries: BTreeMap<u64, Name>,
    /// Entries of resolvers.
    resolvers: BTreeMap<u64, Name>,
}

static FUNCTIONS: Mutex<Functions> =
    Mutex::new(Functions { entries: BTreeMap::new(), resolvers: BTreeMap::new() });
/// Spares the lock while no library with resolvers is mapped.
static ANY_RESOLVERS: AtomicBool = AtomicBool::new(false);

impl Name {
    fn bytes(&self) -> &[u8] {
        let rest = self.strings.get(self.offset as usize..).unwrap_or(&[]);
        rest.split(|byte| *byte == 0).next().unwrap_or(rest)
    }
}

/// If `pc` is the entry of such a function: where its arguments are.
pub fn arguments(pc: u64) -> Option<FloatArguments> {
    FUNCTIONS.lock().entries.get(&pc).map(|name| float_arguments::of(name.bytes()))
}

/// The function's name.
pub fn name(pc: u64) -> String {
    let functions = FUNCTIONS.lock();
    let name = functions.entries.get(&pc).map(|name| String::from_utf8_lossy(name.bytes()).into_owned());
    name.unwrap_or_else(|| String::from("?"))
}

/// Looks at a file of which `[start, end)` maps executable code from `offset` on.
pub fn note_module(descriptor: i32, path: &[u8], start: u64, end: u64, offset: u64) {
    let mut functions = FUNCTIONS.lock();
    // Whatever was there before is gone.
    functions.entries.retain(|address, _| !(start..end).contains(address));
    functions.resolvers.retain(|address, _| !(start..end).contains(address));
    if config::current().math_interception && is_mathematics_library(path) {
        // A damaged symbol table is not worth more than functions without names.
        let _ = read_symbols(&mut functions, descriptor, start, offset);
        ANY_RESOLVERS.store(!functions.resolvers.is_empty(), Ordering::Relaxed);
    }
}

/// glibc's `libm.so.6`, `libm-2.31.so`, and the vector versions `libmvec.so.1`.
fn is_mathematics_library(path: &[u8]) -> bool {
    let file = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    [&b"libm.so"[..], b"libm-", b"libmvec.so", b"libmvec-"].iter().any(|prefix| file.starts_with(prefix))
}

fn is_trusted(name: &[u8]) -> bool {
    let name = name.strip_prefix(b"__").unwrap_or(name);
    let name = name.strip_suffix(b"_finite").unwrap_or(name);
    let is = |name: &[u8]| TRUSTED.contains(&name);
    is(name) || name.strip_suffix(b"f").is_some_and(is) || name.strip_suffix(b"l").is_some_and(is)
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

fn read_symbols(functions: &mut Functions, descriptor: i32, start: u64, offset: u64) -> Option<()> {
    let header = read_table(descriptor, 0, 64)?;
    let bias = start.wrapping_sub(address_of(descriptor, &header, offset)?);
    let sections = read_table(
        descriptor,
        word(&header, 40)?,
        u64::from(quarter(&header, 60)?) * SECTION_HEADER_SIZE as u64,
    )?;
    let section = |index: usize| sections.chunks_exact(SECTION_HEADER_SIZE).nth(index);
    let symbols =
        sections.chunks_exact(SECTION_HEADER_SIZE).find(|header| half(header, 4) == Some(SHT_DYNSYM))?;
    let strings = section(half(symbols, 40)? as usize)?;
    let table = read_table(descriptor, word(symbols, 24)?, word(symbols, 32)?)?;
    let strings = Arc::new(read_table(descriptor, word(strings, 24)?, word(strings, 32)?)?);
    let mut trusted = BTreeSet::new();
    for symbol in table.chunks_exact(SYMBOL_SIZE) {
        let name = Name { strings: strings.clone(), offset: half(symbol, 0)? };
        let kind = symbol[4] & 0xf;
        let defined = quarter(symbol, 6)? != 0;
        let address = word(symbol, 8)?.wrapping_add(bias);
        if !defined {
            continue;
        }
        if is_trusted(name.bytes()) {
            trusted.insert(address);
        }
        if kind == STT_FUNC {
            insert(&mut functions.entries, address, name);
        } else if kind == STT_GNU_IFUNC {
            insert(&mut functions.resolvers, address, name);
        }
    }
    // One trusted name is enough: `sqrtf64` and `f32xsqrtf64` are `sqrt`.
    functions.entries.retain(|address, _| !trusted.contains(address));
    functions.resolvers.retain(|address, _| !trusted.contains(address));
    Some(())
}

/// Of several names of a function the plain one is shown: `sin`, not `sinf32x` or `__sin`.
fn insert(map: &mut BTreeMap<u64, Name>, address: u64, name: Name) {
    let rank = |name: &Name| (name.bytes().starts_with(b"_"), name.bytes().len());
    match map.get(&address) {
        Some(known) if rank(known) <= rank(&name) => {}
        _ => {
            map.insert(address, name);
        }
    }
}

/// The file's own address of the byte at `offset`.
fn address_of(descriptor: i32, header: &[u8], offset: u64) -> Option<u64> {
    let size = u64::from(quarter(header, 56)?) * PROGRAM_HEADER_SIZE as u64;
    let table = read_table(descriptor, word(header, 32)?, size)?;
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
    if let Some(name) = functions.resolvers.get(&awaited.resolver).cloned() {
        functions.entries.insert(chosen, name);
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
