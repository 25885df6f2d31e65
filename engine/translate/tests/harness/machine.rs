//! What a client can see of the machine, and the shadows of all of it.

use super::region::{self, AREA, AREAS, COMMON_STATE, STACK_POINTER, STATE_IN, STATE_OUT};
use std::arch::x86_64::__cpuid_count;

/// The client's memory, by area.
#[derive(Clone, PartialEq, Eq)]
pub struct Memory {
    pub areas: [[u8; AREA]; 3],
}

/// Registers and memory of a client.
#[derive(Clone, PartialEq, Eq)]
pub struct Machine {
    pub general: [u64; 16],
    pub flags: u64,
    /// Bits 256 and up, and registers 16 to 31, matter where the client may use AVX-512.
    pub vectors: [[u8; 64]; 32],
    pub masks: [u64; 8],
    pub control: u32,
    /// The first 160 bytes of the legacy state, with the control word of vectors left out.
    pub x87: [u8; 160],
    pub memory: Memory,
}

/// Shadows of a machine's registers and memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Shadows {
    pub general: [u64; 16],
    /// Bits 256 and up, and registers 16 to 31, matter where the client may use AVX-512.
    pub vectors: [[u8; 64]; 32],
    /// Physical x87 registers.
    pub x87: [[u8; 16]; 8],
    pub memory: Memory,
}

/// Rounding to nearest, all exceptions masked.
pub const DEFAULT_CONTROL: u32 = 0x1f80;

impl Memory {
    pub const fn zero() -> Memory {
        Memory { areas: [[0; AREA]; 3] }
    }

    /// Area and offset of an address.
    fn locate(address: u64) -> (usize, usize) {
        let area = AREAS.iter().position(|start| (*start..*start + AREA as u64).contains(&address));
        let area = area.unwrap_or_else(|| panic!("{address:#x} is no address of the client"));
        (area, (address - AREAS[area]) as usize)
    }

    /// Eight bytes, if they are the client's.
    pub fn word(&self, address: u64) -> Option<u64> {
        let area = AREAS.iter().position(|start| (*start..*start + AREA as u64 - 7).contains(&address))?;
        let offset = (address - AREAS[area]) as usize;
        self.areas[area][offset..offset + 8].try_into().ok().map(u64::from_le_bytes)
    }

    pub fn at(&self, address: u64, size: usize) -> &[u8] {
        let (area, offset) = Self::locate(address);
        &self.areas[area][offset..offset + size]
    }

    pub fn at_mut(&mut self, address: u64, size: usize) -> &mut [u8] {
        let (area, offset) = Self::locate(address);
        &mut self.areas[area][offset..offset + size]
    }

    fn install(&self, distance: u64) {
        for (area, start) in self.areas.iter().zip(AREAS) {
            region::write(start.wrapping_add(distance), area);
        }
    }

    fn collect(distance: u64) -> Memory {
        let mut memory = Memory::zero();
        for (area, start) in memory.areas.iter_mut().zip(AREAS) {
            region::read(start.wrapping_add(distance), area);
        }
        memory
    }
}

impl Machine {
    pub fn zero() -> Machine {
        let mut general = [0; 16];
        general[4] = STACK_POINTER;
        let mut x87 = [0; 160];
        x87[..2].copy_from_slice(&0x37fu16.to_le_bytes());
        Machine {
            general,
            flags: 0x202,
            vectors: [[0; 64]; 32],
            masks: [0; 8],
            control: DEFAULT_CONTROL,
            x87,
            memory: Memory::zero(),
        }
    }

    /// Puts everything where code starts from.
    pub fn install(&self) {
        let layout = Layout::of_this_processor();
        let mut area = [0u8; 0x1000];
        area[..160].copy_from_slice(&self.x87);
        area[24..28].copy_from_slice(&self.control.to_le_bytes());
        area[512..520].copy_from_slice(&u64::from(COMMON_STATE & layout.known).to_le_bytes());
        for (number, vector) in self.vectors.iter().enumerate() {
            for (bytes, place) in layout.pieces(number) {
                area[place..place + bytes.len()].copy_from_slice(&vector[bytes]);
            }
        }
        if let Some(masks) = layout.masks {
            for (number, mask) in self.masks.iter().enumerate() {
                area[masks + 8 * number..][..8].copy_from_slice(&mask.to_le_bytes());
            }
        }
        region::write(STATE_IN, &area);
        // SAFETY: the lock makes this the only user of the context.
        let context = unsafe { &mut *region::context() };
        context.registers = self.general;
        context.flags = self.flags;
        for (slot, vector) in context.vectors.iter_mut().zip(&self.vectors) {
            *slot = std::array::from_fn(|k| word(&vector[8 * k..]));
        }
        self.memory.install(0);
    }

    /// Takes everything from where the exit handler left it.
    pub fn collect() -> Machine {
        let layout = Layout::of_this_processor();
        let mut area = [0u8; 0x1000];
        region::read(STATE_OUT, &mut area);
        let mut machine = Machine::zero();
        machine.x87.copy_from_slice(&area[..160]);
        machine.x87[24..32].fill(0);
        machine.control = word(&area[24..]) as u32;
        let present = word(&area[512..]);
        for (number, vector) in machine.vectors.iter_mut().enumerate() {
            for (bytes, place) in layout.pieces(number) {
                let length = bytes.len();
                vector[bytes].copy_from_slice(&area[place..place + length]);
            }
        }
        if let Some(masks) = layout.masks.filter(|_| present >> 5 & 1 != 0) {
            machine.masks = std::array::from_fn(|number| word(&area[masks + 8 * number..]));
        }
        // SAFETY: as in `install`.
        let context = unsafe { &*region::context() };
        machine.general = context.registers;
        machine.flags = context.flags;
        machine.memory = Memory::collect(0);
        machine
    }
}

impl Shadows {
    pub fn zero() -> Shadows {
        Shadows { general: [0; 16], vectors: [[0; 64]; 32], x87: [[0; 16]; 8], memory: Memory::zero() }
    }

    pub fn install_memory(&self) {
        self.memory.install(derivgrind_translate::context::SHADOW_OFFSET);
    }

    pub fn collect_memory() -> Memory {
        Memory::collect(derivgrind_translate::context::SHADOW_OFFSET)
    }
}

/// The first eight bytes as a number.
pub fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

/// Where `xsave` puts state components (Intel SDM volume 1, section 13.4; CPUID leaf 13).
struct Layout {
    known: u32,
    masks: Option<usize>,
    upper_256: Option<usize>,
    upper_registers: Option<usize>,
}

impl Layout {
    fn of_this_processor() -> Layout {
        static LAYOUT: std::sync::OnceLock<[u32; 4]> = std::sync::OnceLock::new();
        let [known, masks, upper_256, upper_registers] = *LAYOUT.get_or_init(|| {
            let leaf = |subleaf| __cpuid_count(13, subleaf);
            [leaf(0).eax, leaf(5).ebx, leaf(6).ebx, leaf(7).ebx]
        });
        let present = |component: u32, offset: u32| (known >> component & 1 != 0).then_some(offset as usize);
        Layout {
            known,
            masks: present(5, masks),
            upper_256: present(6, upper_256),
            upper_registers: present(7, upper_registers),
        }
    }

    /// Byte ranges of a vector register, and their places in the area.
    fn pieces(&self, number: usize) -> Vec<(std::ops::Range<usize>, usize)> {
        if number >= 16 {
            return self
                .upper_registers
                .map(|start| (0..64, start + 64 * (number - 16)))
                .into_iter()
                .collect();
        }
        let mut pieces = vec![(0..16, 160 + 16 * number), (16..32, 576 + 16 * number)];
        pieces.extend(self.upper_256.map(|start| (32..64, start + 32 * number)));
        pieces
    }
}
