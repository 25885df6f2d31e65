//! Function, file and line of an address of the client.

use crate::report::Module;
use addr2line::Loader;
use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{LittleEndian, Object, ObjectSymbol, ReadCache};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Where Debian and others put debug information that is kept apart from programs.
const DEBUG_DIRECTORY: &str = "/usr/lib/debug";

/// What is known about an address.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The innermost function first, then those that it was inlined into.
    pub functions: Vec<String>,
    /// `file:line`.
    pub line: Option<String>,
    /// Last component of the path of the mapped file.
    pub module: Option<String>,
    /// In that file.
    pub offset: u64,
}

/// Looks up addresses; opens a file when the first address in it is asked for.
pub struct Symbols {
    modules: Vec<Module>,
    files: HashMap<String, Option<SymbolFile>>,
}

impl Symbols {
    pub fn new(modules: Vec<Module>) -> Symbols {
        Symbols { modules, files: HashMap::new() }
    }

    pub fn place(&mut self, address: u64) -> Place {
        // The last one counts: a library that was unloaded may have made room for another one.
        let mapped = self.modules.iter().rev().find(|module| (module.start..module.end).contains(&address));
        let Some(module) = mapped else { return Place::default() };
        let offset = (address - module.start).wrapping_add(module.file_offset);
        let name = Path::new(&module.path).file_name().map(|name| name.to_string_lossy().into_owned());
        let file = self
            .files
            .entry(module.path.clone())
            .or_insert_with(|| SymbolFile::open(Path::new(&module.path)));
        let mut place = file.as_ref().and_then(|file| file.place(offset)).unwrap_or_default();
        place.offset = offset;
        place.module = name.or_else(|| Some(module.path.clone()));
        place
    }
}

/// A mapped file and the files with its symbols and debug information.
struct SymbolFile {
    segments: Vec<Segment>,
    /// In the order in which they are asked: separate debug information first, it knows more.
    sources: Vec<Source>,
}

/// A file with debug information or symbols.
struct Source {
    loader: Option<Loader>,
    /// Functions of the symbol tables, by address.
    functions: Vec<Function>,
}

struct Function {
    start: u64,
    end: u64,
    name: String,
}

/// A part of the file and its address according to the program headers.
struct Segment {
    file_offset: u64,
    size: u64,
    address: u64,
}

impl SymbolFile {
    fn open(path: &Path) -> Option<SymbolFile> {
        let cache = ReadCache::new(File::open(path).ok()?);
        let segments = segments(&cache)?;
        let separate = separate_debug_file(path, &cache);
        let sources = separate.iter().map(PathBuf::as_path).chain([path]).map(Source::open);
        Some(SymbolFile { segments, sources: sources.collect() })
    }

    fn place(&self, file_offset: u64) -> Option<Place> {
        let segment = self.segments.iter().find(|segment| {
            (segment.file_offset..segment.file_offset + segment.size).contains(&file_offset)
        })?;
        let address = (file_offset - segment.file_offset).wrapping_add(segment.address);
        let mut place = Place::default();
        for source in &self.sources {
            place.line = place.line.or_else(|| source.line(address));
            if place.functions.is_empty() {
                place.functions = source.functions(address);
            }
        }
        Some(place)
    }
}

fn segments(cache: &ReadCache<File>) -> Option<Vec<Segment>> {
    let header = FileHeader64::<LittleEndian>::parse(cache).ok()?;
    let segments = header.program_headers(LittleEndian, cache).ok()?;
    let loaded = segments.iter().filter(|segment| segment.p_type(LittleEndian) == PT_LOAD);
    let described = loaded.map(|segment| {
        let (file_offset, size) = segment.file_range(LittleEndian);
        Segment {
            file_offset,
            size: size.min(u64::MAX - file_offset),
            address: segment.p_vaddr(LittleEndian),
        }
    });
    Some(described.collect())
}

impl Source {
    fn open(path: &Path) -> Source {
        Source { loader: Loader::new(path).ok(), functions: functions(path).unwrap_or_default() }
    }

    fn line(&self, address: u64) -> Option<String> {
        let location = self.loader.as_ref()?.find_location(address).ok()??;
        Some(match location.line {
            Some(line) if line > 0 => format!("{}:{line}", location.file?),
            _ => location.file?.to_string(),
        })
    }

    /// The innermost function and those that it was inlined into, then the symbol that covers the address, whose name
    /// may be longer. The next symbol before an address that no symbol covers is not it: in a stripped library, only
    /// some functions have symbols.
    fn functions(&self, address: u64) -> Vec<String> {
        let mut names = self.described_functions(address).unwrap_or_default();
        names.extend(self.symbol(address));
        names
    }

    fn symbol(&self, address: u64) -> Option<String> {
        let after = self.functions.partition_point(|function| function.start <= address);
        // Aliases, and small functions within larger ones, are few.
        let candidates = &self.functions[after.saturating_sub(8)..after];
        let function = candidates.iter().rev().find(|function| address < function.end)?;
        Some(readable(&function.name))
    }

    fn described_functions(&self, address: u64) -> Option<Vec<String>> {
        // Without debug information the loader would answer with the next symbol before the address.
        self.loader.as_ref()?.find_location(address).ok()??;
        let mut frames = self.loader.as_ref()?.find_frames(address).ok()?;
        let mut names = Vec::new();
        while let Some(frame) = frames.next().ok()? {
            let name = frame.function.and_then(|function| function.demangle().ok().map(Cow::into_owned));
            match name {
                Some(name) => names.push(name),
                None if names.is_empty() => return None,
                None => {}
            }
        }
        Some(names)
    }
}

/// The name of a symbol as the program's author wrote it.
fn readable(name: &str) -> String {
    // Without these marks, the short names of functions in C are those of types in C++.
    let is_mangled = name.starts_with("_Z") || name.starts_with("_R");
    if is_mangled {
        addr2line::demangle_auto(name.into(), None).into_owned()
    } else {
        name.to_string()
    }
}

/// Functions with a size in both symbol tables of a file, by address.
fn functions(path: &Path) -> Option<Vec<Function>> {
    let cache = ReadCache::new(File::open(path).ok()?);
    let file = object::File::parse(&cache).ok()?;
    let symbols = file.symbols().chain(file.dynamic_symbols());
    let sized = symbols.filter(|symbol| symbol.is_definition() && symbol.size() > 0);
    let mut functions: Vec<Function> = sized
        .filter_map(|symbol| {
            let end = symbol.address().checked_add(symbol.size())?;
            Some(Function { start: symbol.address(), end, name: symbol.name().ok()?.to_string() })
        })
        .collect();
    functions.sort_by_key(|function| function.start);
    Some(functions)
}

/// The file with the debug information of another one: by build id, else by the name in `.gnu_debuglink`.
fn separate_debug_file(path: &Path, cache: &ReadCache<File>) -> Option<PathBuf> {
    let file = object::File::parse(cache).ok()?;
    if let Ok(Some([first, rest @ ..])) = file.build_id() {
        let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
        let candidate = Path::new(DEBUG_DIRECTORY).join(format!(".build-id/{first:02x}/{rest}.debug"));
        if candidate.is_file() {
            return Some(candidate);
        }
    }
    let (name, _checksum) = file.gnu_debuglink().ok()??;
    let name = std::str::from_utf8(name).ok()?;
    let directory = path.parent()?;
    let under_debug = Path::new(DEBUG_DIRECTORY).join(directory.strip_prefix("/").ok()?).join(name);
    [directory.join(name), directory.join(".debug").join(name), under_debug]
        .into_iter()
        .find(|candidate| candidate != path && candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn landmark() -> u32 {
        std::process::id()
    }

    /// The test's own mappings are those that an engine would report.
    fn own_modules() -> Vec<Module> {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut modules = Vec::new();
        for line in maps.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            if words.len() < 6 || !words[1].contains('x') || !words[5].starts_with('/') {
                continue;
            }
            let (start, end) = words[0].split_once('-').unwrap();
            modules.push(Module {
                start: u64::from_str_radix(start, 16).unwrap(),
                end: u64::from_str_radix(end, 16).unwrap(),
                file_offset: u64::from_str_radix(words[2], 16).unwrap(),
                path: words[5].to_string(),
            });
        }
        modules
    }

    #[test]
    fn function_and_line_of_an_own_function() {
        let mut symbols = Symbols::new(own_modules());
        let place = symbols.place(landmark as fn() -> u32 as usize as u64);
        assert!(place.functions.iter().any(|function| function.contains("landmark")));
        assert!(place.line.unwrap().contains("symbols.rs:"));
    }

    #[test]
    fn function_of_a_stripped_library() {
        let mut symbols = Symbols::new(own_modules());
        let place = symbols.place(libc::getpid as unsafe extern "C" fn() -> i32 as usize as u64);
        assert!(place.functions[0].contains("getpid"));
        assert!(place.module.unwrap().contains("libc"));
    }

    #[test]
    fn unknown_addresses_have_no_place() {
        let mut symbols = Symbols::new(Vec::new());
        assert!(symbols.place(0x1234).functions.is_empty());
    }

    #[test]
    fn names_of_c_stay_as_they_are() {
        let names = ["f", "i", "d", "main", "_ZN4area4ringEd", "_RNvC4area4ring"].map(readable);
        assert_eq!(names, ["f", "i", "d", "main", "area::ring(double)", "area::ring"]);
    }
}
