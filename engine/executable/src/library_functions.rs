//! Entries of library functions that rules for instructions do not differentiate: the mathematics library looks up
//! tables and works on the bits of numbers.
//!
//! Names come from the library's dynamic symbols, so stripped libraries are fine; those of a program that is linked
//! statically come from its symbols, if it has not been stripped, and so do those that Rust links into everything. Many
//! functions are chosen at run time among versions for different processors (`STT_GNU_IFUNC`): the symbol is a resolver,
//! and what it returns has no name. So when a resolver is about to run for the first time, its return address is
//! replaced by [`RETURN_TRAP`]; the return leaves the code cache, the engine notes the function in rax and goes on at the
//! true address.

use crate::client_memory;
use crate::config;
use crate::direct_calls;
use crate::lock::Mutex;
use crate::symbol_tables::{Kind, Name, Symbol, SymbolFile};
use crate::threads::Thread;
use crate::unwinders;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use derivgrind_functions::places::FloatArguments;
use derivgrind_functions::user::UserFunction;
use derivgrind_functions::{names, Function};
use derivgrind_translate::direct_calls::RETURN_TRAP;
use derivgrind_translate::interface::{DirectFunction, LibraryFunction, Treatment};

/// A symbol that only programs with musl have, whose own names are not weak.
const MUSL_SYMBOL: &[u8] = b"__libc_start_init";
/// How names of functions of vectors begin that Intel's compilers call.
const INTEL: &[u8] = b"__svml_";
/// A part of names of functions that Rust programs bring with them, which have plain names, too: `cbrt` and others.
const RUST: &[u8] = b"compiler_builtins4math";
/// gcc's library of quadruple precision.
const QUADRUPLE: &[u8] = b"libquadmath.so";

/// The entry of a function.
#[derive(Clone)]
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
    /// Positions of the user's rules whose function some file has.
    used_rules: BTreeSet<usize>,
}

static FUNCTIONS: Mutex<Functions> = Mutex::new(Functions {
    entries: BTreeMap::new(),
    resolvers: BTreeMap::new(),
    mathematics: BTreeMap::new(),
    used_rules: BTreeSet::new(),
});
/// Spares the lock while no library with resolvers is mapped.
static ANY_RESOLVERS: AtomicBool = AtomicBool::new(false);

impl Functions {
    /// Of several names of a function the plain one counts: `sin`, not `sinf32x` or `__sin`.
    fn insert(&mut self, symbol: Symbol) {
        let rank = |name: &Name| (name.bytes().starts_with(b"_"), name.bytes().len());
        let map = self.map(&symbol);
        match map.get(&symbol.address) {
            Some(known) if rank(&known.name) <= rank(&symbol.name) => {}
            _ => {
                map.insert(symbol.address, Entry { name: symbol.name, function: None, direct: None });
            }
        }
    }

    /// What the user says counts more.
    fn insert_rule(&mut self, symbol: Symbol, rule: &'static UserFunction) {
        let function = Some(Some(Function::of_user(rule)));
        self.map(&symbol).insert(symbol.address, Entry { name: symbol.name, function, direct: None });
    }

    fn map(&mut self, symbol: &Symbol) -> &mut BTreeMap<u64, Entry> {
        if symbol.is_resolver {
            &mut self.resolvers
        } else {
            &mut self.entries
        }
    }
}

/// If `pc` is the entry of such a function: what the translator has to know.
pub fn find(pc: u64) -> Option<LibraryFunction> {
    if unwinders::is_entry(pc) {
        // Superblocks end in front of it.
        let arguments = FloatArguments { registers: 0, bytes: 0, extended: 0 };
        return Some(LibraryFunction { arguments, treatment: Treatment::Instructions, direct: None });
    }
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
            direct: *entry.direct.get_or_insert_with(|| direct_calls::describe(function, pc)),
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
    let contents = if is_program { Contents::Program } else { contents(path) };
    if config::current().math_interception {
        // A damaged symbol table is not worth more than functions without names.
        let _ = read_symbols(&mut functions, descriptor, path, start, offset, contents);
        // Quadruple precision also converts from and to text.
        if contents == Contents::Mathematics && !file_name(path).starts_with(QUADRUPLE) {
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
    /// Any other library: functions of vectors that Intel's compilers call.
    Other,
}

/// glibc's `libm.so.6`, `libm-2.31.so`, and the vector versions `libmvec.so.1`; gcc's quadruple precision; openlibm;
/// Intel's `libimf.so`; musl's only library.
fn contents(path: &[u8]) -> Contents {
    let file = file_name(path);
    let starts = |prefixes: &[&[u8]]| prefixes.iter().any(|prefix| file.starts_with(prefix));
    if starts(&[b"libm.so", b"libm-", b"libmvec.so", b"libmvec-", QUADRUPLE]) {
        return Contents::Mathematics;
    }
    let is_whole =
        file == b"libc.so" || starts(&[b"ld-musl-", b"libc.musl-", b"libopenlibm.so", b"libimf.so"]);
    if is_whole {
        Contents::WholeLibrary
    } else {
        Contents::Other
    }
}

fn read_symbols(
    functions: &mut Functions,
    descriptor: i32,
    path: &[u8],
    start: u64,
    offset: u64,
    contents: Contents,
) -> Option<()> {
    let file = SymbolFile::open(descriptor, start, offset)?;
    let is_program = contents == Contents::Program;
    let is_dynamic_program = is_program && file.has_interpreter()?;
    let kind = if is_program { Kind::All } else { Kind::Dynamic };
    if !is_dynamic_program {
        let table = match contents {
            Contents::Other => file.table_mentioning(kind, INTEL),
            _ => file.table(kind),
        };
        if let Some(table) = table {
            let is_musl = is_program && table.contains(MUSL_SYMBOL);
            for symbol in table.functions().filter(|symbol| counts(symbol, contents, is_musl)) {
                functions.insert(symbol);
            }
        }
    }
    if matches!(contents, Contents::Program | Contents::Other) {
        if let Some(table) = file.table_mentioning(Kind::All, RUST) {
            for symbol in table.functions().filter(|symbol| symbol.is_hidden() && is_known(&symbol.name)) {
                functions.insert(symbol);
            }
        }
    }
    let rules = rules_for(path);
    if !rules.is_empty() {
        for table in [Kind::Dynamic, Kind::All].into_iter().filter_map(|kind| file.table(kind)) {
            for symbol in table.functions() {
                let is_named =
                    |(_, rule): &&(usize, &UserFunction)| rule.name.as_bytes() == symbol.name.bytes();
                if let Some((number, rule)) = rules.iter().find(is_named) {
                    functions.insert_rule(symbol, rule);
                    functions.used_rules.insert(*number);
                }
            }
        }
    }
    Some(())
}

/// Is the symbol of a file with these contents a function that we look at?
fn counts(symbol: &Symbol, contents: Contents, is_musl: bool) -> bool {
    match contents {
        Contents::Mathematics => true,
        Contents::WholeLibrary => is_known(&symbol.name),
        Contents::Other => symbol.name.bytes().starts_with(INTEL),
        // Names of glibc are weak, or have resolvers; those that a program defines itself are neither.
        Contents::Program => {
            let from_library = symbol.is_weak() || symbol.is_resolver || is_musl && symbol.is_global();
            (from_library || is_of_vectors(&symbol.name)) && is_known(&symbol.name)
        }
    }
}

/// What the user has said about functions of this file, with positions.
fn rules_for(path: &[u8]) -> Vec<(usize, &'static UserFunction)> {
    let file = file_name(path);
    let all = config::current().user_functions.iter().copied().enumerate();
    all.filter(|(_, rule)| file.starts_with(rule.library.as_bytes())).collect()
}

/// Rules of the user for functions that no file had so far.
pub fn unused_rules() -> Vec<&'static UserFunction> {
    let configuration = config::current();
    if !configuration.math_interception {
        return Vec::new();
    }
    let functions = FUNCTIONS.lock();
    let all = configuration.user_functions.iter().copied().enumerate();
    all.filter(|(number, _)| !functions.used_rules.contains(number)).map(|(_, rule)| rule).collect()
}

fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// Names that begin otherwise are parts of functions, with other arguments.
fn is_known(name: &Name) -> bool {
    (!name.bytes().starts_with(b"_") || is_of_vectors(name)) && names::find(name.bytes()).is_some()
}

fn is_of_vectors(name: &Name) -> bool {
    names::is_of_vectors(name.bytes())
}

/// A resolver whose return is awaited.
pub struct Awaited {
    resolver: u64,
    return_address: u64,
}

/// Is `pc` the entry of a resolver?
pub fn is_resolver(pc: u64) -> bool {
    ANY_RESOLVERS.load(Ordering::Relaxed) && FUNCTIONS.lock().resolvers.contains_key(&pc)
}

/// The thread is about to run a new translation of `pc`: if it is a resolver, its return will be noticed.
pub fn watch(thread: &mut Thread, pc: u64) {
    if !is_resolver(pc) {
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
    if let Some(entry) = functions.resolvers.get(&awaited.resolver).cloned() {
        functions.entries.insert(chosen, entry);
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
