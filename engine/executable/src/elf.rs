//! Reads ELF files and maps their segments as the kernel's loader does.

use crate::call;
use crate::mappings::Attributes;
use crate::memory;
use crate::modules;
use crate::sys::{self, kernel, page_down, page_up};
use alloc::vec::Vec;

const HEADER_SIZE: usize = 64;
const PROGRAM_HEADER_SIZE: usize = 56;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const EM_X86_64: u16 = 62;
const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
/// Its flags are about the stack.
const PT_GNU_STACK: u32 = 0x6474_e551;
const PF_X: u32 = 1;
const PF_W: u32 = 2;
const PF_R: u32 = 4;

/// Why a file cannot be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElfError {
    CannotOpen(i64),
    NotElf,
    WrongArchitecture,
    Truncated,
    NoSegments,
    /// Its fixed addresses are taken by the engine.
    AddressTaken,
    MapFailed(i64),
}

/// An ELF file that is open but not mapped.
pub struct ElfFile {
    descriptor: i32,
    relocatable: bool,
    entry: u64,
    header_offset: u64,
    pub header_count: u16,
    segments: Vec<Segment>,
    /// Path of the interpreter with its terminating zero.
    pub interpreter: Option<Vec<u8>>,
    /// The program keeps code on its stack: pointers to nested functions lead to such code.
    pub has_executable_stack: bool,
}

#[derive(Clone, Copy)]
struct Segment {
    protection: u32,
    offset: u64,
    address: u64,
    file_size: u64,
    memory_size: u64,
}

/// A mapped ELF file.
pub struct Image {
    /// What was added to the file's addresses.
    pub bias: u64,
    pub entry: u64,
    /// Address of the program headers.
    pub headers: u64,
}

fn read_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

impl ElfFile {
    /// Opens and checks the file; `path` ends with a zero byte.
    pub fn open(path: &[u8]) -> Result<ElfFile, ElfError> {
        let descriptor = sys::open_for_reading(path);
        if sys::is_failure(descriptor) {
            return Err(ElfError::CannotOpen(descriptor));
        }
        let descriptor = descriptor as i32;
        let file = Self::read_headers(descriptor);
        if file.is_err() {
            sys::close(descriptor);
        }
        file
    }

    fn read_headers(descriptor: i32) -> Result<ElfFile, ElfError> {
        let mut header = [0u8; HEADER_SIZE];
        let count = sys::read_at(descriptor, &mut header, 0).map_err(ElfError::CannotOpen)?;
        if count < 4 || &header[..4] != b"\x7fELF" {
            return Err(ElfError::NotElf);
        }
        if count < HEADER_SIZE {
            return Err(ElfError::Truncated);
        }
        let kind = read_u16(&header, 16);
        let is_64_bit = header[4] == 2;
        if !is_64_bit || read_u16(&header, 18) != EM_X86_64 || (kind != ET_EXEC && kind != ET_DYN) {
            return Err(ElfError::WrongArchitecture);
        }
        let mut file = ElfFile {
            descriptor,
            relocatable: kind == ET_DYN,
            entry: read_u64(&header, 24),
            header_offset: read_u64(&header, 32),
            header_count: read_u16(&header, 56),
            segments: Vec::new(),
            interpreter: None,
            has_executable_stack: false,
        };
        let mut table = alloc::vec![0u8; PROGRAM_HEADER_SIZE * usize::from(file.header_count)];
        let count = sys::read_at(descriptor, &mut table, file.header_offset).map_err(ElfError::CannotOpen)?;
        if count < table.len() {
            return Err(ElfError::Truncated);
        }
        for header in table.chunks_exact(PROGRAM_HEADER_SIZE) {
            file.take_program_header(header)?;
        }
        if file.segments.is_empty() {
            return Err(ElfError::NoSegments);
        }
        Ok(file)
    }

    fn take_program_header(&mut self, header: &[u8]) -> Result<(), ElfError> {
        let flags = read_u32(header, 4);
        let segment = Segment {
            protection: protection(flags),
            offset: read_u64(header, 8),
            address: read_u64(header, 16),
            file_size: read_u64(header, 32),
            memory_size: read_u64(header, 40),
        };
        match read_u32(header, 0) {
            PT_LOAD if segment.memory_size > 0 => {
                let sane = segment.file_size <= segment.memory_size
                    && segment
                        .address
                        .checked_add(segment.memory_size)
                        .is_some_and(|end| end < memory::FAR_END)
                    && segment.offset % sys::PAGE == segment.address % sys::PAGE;
                if !sane {
                    return Err(ElfError::Truncated);
                }
                self.segments.push(segment);
            }
            PT_INTERP => {
                let mut path = alloc::vec![0u8; segment.file_size.min(sys::PAGE) as usize];
                let count =
                    sys::read_at(self.descriptor, &mut path, segment.offset).map_err(ElfError::CannotOpen)?;
                if count < path.len() || path.last() != Some(&0) {
                    return Err(ElfError::Truncated);
                }
                self.interpreter = Some(path);
            }
            PT_GNU_STACK => self.has_executable_stack = flags & PF_X != 0,
            _ => {}
        }
        Ok(())
    }

    fn extent(&self) -> (u64, u64) {
        let start = self.segments.iter().map(|segment| page_down(segment.address)).min();
        let end = self.segments.iter().map(|segment| page_up(segment.address + segment.memory_size)).max();
        (start.unwrap_or(0), end.unwrap_or(0))
    }

    /// Maps the segments: where the file says, or at `preferred`, or among the libraries.
    pub fn map(&self, preferred: Option<u64>) -> Result<Image, ElfError> {
        let (start, end) = self.extent();
        let length = end - start;
        let place = if self.relocatable {
            self.choose_place(preferred, length).ok_or(ElfError::AddressTaken)?
        } else {
            start
        };
        if !memory::belongs_to_client(place, place + length) {
            return Err(ElfError::AddressTaken);
        }
        // Reserves the whole extent first, so that nothing comes between the segments.
        let flags = kernel::MAP_PRIVATE | kernel::MAP_ANONYMOUS | kernel::MAP_FIXED_NOREPLACE;
        // SAFETY: replaces no mapping.
        let outcome = unsafe { call!(kernel::__NR_mmap, place, length, kernel::PROT_NONE, flags, !0u64, 0) };
        if outcome as u64 != place {
            return Err(ElfError::AddressTaken);
        }
        let bias = place.wrapping_sub(start);
        for segment in &self.segments {
            self.map_segment(segment, bias)?;
        }
        Ok(Image {
            bias,
            entry: self.entry.wrapping_add(bias),
            headers: self.header_address().wrapping_add(bias),
        })
    }

    fn choose_place(&self, preferred: Option<u64>, length: u64) -> Option<u64> {
        let mut space = memory::write();
        if let Some(address) = preferred {
            let end = address + length;
            if memory::belongs_to_client(address, end) && space.mappings.is_free(address, end) {
                return Some(address);
            }
        }
        space.place_near(length).or_else(|| space.place_far(length, sys::PAGE))
    }

    fn header_address(&self) -> u64 {
        let holds_headers = |segment: &&Segment| {
            segment.offset <= self.header_offset && self.header_offset < segment.offset + segment.file_size
        };
        let segment = self.segments.iter().find(holds_headers);
        segment.map_or(0, |segment| segment.address + self.header_offset - segment.offset)
    }

    fn map_segment(&self, segment: &Segment, bias: u64) -> Result<(), ElfError> {
        let address = segment.address.wrapping_add(bias);
        let start = page_down(address);
        let file_end = address + segment.file_size;
        let memory_end = address + segment.memory_size;
        let writable = segment.protection & kernel::PROT_WRITE != 0;
        let mut anonymous_start = start;
        if segment.file_size > 0 {
            let length = file_end - start;
            let offset = segment.offset - (address - start);
            let flags = kernel::MAP_PRIVATE | kernel::MAP_FIXED;
            self.map_at(start, length, segment.protection, flags, self.descriptor, offset)?;
            let attributes = Attributes {
                protection: segment.protection,
                file: true,
                ever_writable: writable,
                shared: None,
            };
            memory::write().note_mapped(start, length, attributes);
            if segment.protection & kernel::PROT_EXEC != 0 {
                modules::note(self.descriptor, start, start + page_up(length), offset);
            }
            anonymous_start = page_up(file_end);
        }
        if memory_end > anonymous_start {
            let length = page_up(memory_end) - anonymous_start;
            let flags = kernel::MAP_PRIVATE | kernel::MAP_FIXED | kernel::MAP_ANONYMOUS;
            self.map_at(anonymous_start, length, segment.protection, flags, -1, 0)?;
            let attributes = Attributes {
                protection: segment.protection,
                file: false,
                ever_writable: writable,
                shared: None,
            };
            memory::write().note_mapped(anonymous_start, length, attributes);
        }
        if writable && segment.file_size > 0 && segment.memory_size > segment.file_size {
            let rest = page_up(file_end) - file_end;
            // SAFETY: the end of the last file page was mapped writable above; it becomes the start of .bss.
            unsafe { core::ptr::write_bytes(file_end as *mut u8, 0, rest as usize) };
        }
        Ok(())
    }

    fn map_at(
        &self,
        start: u64,
        length: u64,
        protection: u32,
        flags: u32,
        descriptor: i32,
        offset: u64,
    ) -> Result<(), ElfError> {
        // SAFETY: inside of the extent that `map` has reserved.
        let outcome = unsafe {
            call!(kernel::__NR_mmap, start, length, protection, flags, i64::from(descriptor), offset)
        };
        if outcome as u64 == start {
            Ok(())
        } else {
            Err(ElfError::MapFailed(outcome))
        }
    }
}

impl Drop for ElfFile {
    fn drop(&mut self) {
        sys::close(self.descriptor);
    }
}

fn protection(flags: u32) -> u32 {
    let mut protection = 0;
    if flags & PF_R != 0 {
        protection |= kernel::PROT_READ;
    }
    if flags & PF_W != 0 {
        protection |= kernel::PROT_WRITE;
    }
    if flags & PF_X != 0 {
        // The engine reads what the client executes.
        protection |= kernel::PROT_EXEC | kernel::PROT_READ;
    }
    protection
}
