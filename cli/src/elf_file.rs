//! Is a file an ELF program that the engine can load?
//!
//! Everything that the kernel would find out while it maps the program is found out here, where it can be explained.

use crate::failure::Obstacle;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{LittleEndian, ReadCache, ReadRef};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

type Header = FileHeader64<LittleEndian>;

/// Longest path of an ELF interpreter that the kernel accepts (PATH_MAX).
const LONGEST_PATH: u64 = 4096;

/// Check a program and the ELF interpreter that it names.
pub fn check_program(file: File) -> Result<(), Obstacle> {
    let Some(interpreter) = check(file)? else { return Ok(()) };
    if !interpreter.exists() {
        return Err(Obstacle::NoElfInterpreter(interpreter));
    }
    check_interpreter(&interpreter)
        .map_err(|obstacle| Obstacle::BadElfInterpreter { path: interpreter, reason: Box::new(obstacle) })
}

fn check_interpreter(path: &Path) -> Result<(), Obstacle> {
    if path.is_dir() {
        return Err(Obstacle::Directory);
    }
    let file = File::open(path).map_err(Obstacle::Unreadable)?;
    check(file).map(|_| ())
}

/// Check one file, and return the path of the ELF interpreter that it names.
fn check(file: File) -> Result<Option<PathBuf>, Obstacle> {
    let length = file.metadata().map_err(Obstacle::Unreadable)?.len();
    let cache = ReadCache::new(file);
    let data = &cache;
    check_identity(data, length)?;
    let header = Header::parse(data).map_err(|_| Obstacle::Truncated("its header is incomplete"))?;
    let endian = LittleEndian;
    match header.e_type(endian) {
        elf::ET_EXEC | elf::ET_DYN => {}
        elf::ET_REL => return Err(Obstacle::NotAProgram("it is an object file")),
        elf::ET_CORE => return Err(Obstacle::NotAProgram("it is a core dump")),
        _ => return Err(Obstacle::NotAProgram("its type is unknown")),
    }
    let segments = header
        .program_headers(endian, data)
        .map_err(|_| Obstacle::Truncated("its program headers are incomplete"))?;
    let mut interpreter = None;
    let mut has_code = false;
    for segment in segments {
        let (offset, size) = segment.file_range(endian);
        let inside = offset.checked_add(size).is_some_and(|end| end <= length);
        match segment.p_type(endian) {
            elf::PT_LOAD if !inside => {
                return Err(Obstacle::Truncated("a segment ends behind the end of the file"))
            }
            elf::PT_LOAD => has_code |= segment.p_flags(endian) & elf::PF_X != 0,
            elf::PT_INTERP if !inside || size > LONGEST_PATH => {
                return Err(Obstacle::Truncated("the name of its ELF interpreter is incomplete"))
            }
            elf::PT_INTERP => {
                let name = data
                    .read_bytes_at(offset, size)
                    .map_err(|()| Obstacle::Truncated("the name of its ELF interpreter is incomplete"))?;
                let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                interpreter = Some(PathBuf::from(OsStr::from_bytes(name)));
            }
            _ => {}
        }
    }
    if !has_code {
        return Err(Obstacle::NotAProgram("it has no code"));
    }
    Ok(interpreter)
}

/// Magic number, word size, byte order and machine.
fn check_identity<'data, R: ReadRef<'data>>(data: R, length: u64) -> Result<(), Obstacle> {
    if length == 0 {
        return Err(Obstacle::Empty);
    }
    let magic = data.read_bytes_at(0, elf::ELFMAG.len() as u64);
    if magic != Ok(&elf::ELFMAG) {
        return Err(Obstacle::UnknownFormat);
    }
    // The same places for each word size (System V ABI, figure 4-3).
    const CLASS: usize = 4;
    const DATA: usize = 5;
    const MACHINE: usize = 18;
    const READ: u64 = 20;
    let header = data.read_bytes_at(0, READ).map_err(|()| Obstacle::Truncated("its header is incomplete"))?;
    let machine = [header[MACHINE], header[MACHINE + 1]];
    let machine = match header[DATA] {
        elf::ELFDATA2MSB => u16::from_be_bytes(machine),
        _ => u16::from_le_bytes(machine),
    };
    match (machine, header[CLASS]) {
        (elf::EM_X86_64, elf::ELFCLASS64) => Ok(()),
        (elf::EM_386, _) => Err(Obstacle::Bits32),
        (elf::EM_X86_64, _) => Err(Obstacle::Architecture("x32, x86-64 with 32-bit addresses".to_string())),
        (other, _) => Err(Obstacle::Architecture(machine_name(other))),
    }
}

fn machine_name(machine: u16) -> String {
    let name = match machine {
        elf::EM_AARCH64 => "AArch64",
        elf::EM_ARM => "ARM",
        elf::EM_IA_64 => "IA-64",
        elf::EM_LOONGARCH => "LoongArch",
        elf::EM_MIPS => "MIPS",
        elf::EM_PPC => "PowerPC",
        elf::EM_PPC64 => "PowerPC 64",
        elf::EM_RISCV => "RISC-V",
        elf::EM_S390 => "S/390",
        elf::EM_SPARC | elf::EM_SPARCV9 => "SPARC",
        _ => return format!("ELF machine {machine}"),
    };
    name.to_string()
}
