//! Instructions whose result is passive: those without a rule, and those that are passive by nature.

use crate::checks::OnActive;
use crate::computed::NUMBER;
use crate::constants;
use crate::context::offset;
use crate::control::has_memory;
use crate::decode::Client;
use crate::emit::{Memory, Operand};
use crate::encodings::{Form, Operation, Shape, Width};
use crate::passive::is_write;
use crate::rules::Element;
use crate::translate::Translator;
use crate::wide_clients::is_masked_store;
use alloc::vec::Vec;
use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpAccess, OpKind, Register};

/// Within so many instructions behind the conversion.
const ROUNDING_DOWN: usize = 4;

impl Translator<'_> {
    /// Runs the instruction, counts active operands, and makes what it writes passive.
    pub(crate) fn without_rule(&mut self, client: &Client) {
        let instruction = &client.instruction;
        if !is_zero_idiom(instruction) {
            let on_active = self.instruction_site(instruction);
            self.check_all_operands(instruction, on_active);
        }
        self.passive_result(client);
    }

    /// Is it a conversion to an integer that keeps the digits of a number?
    pub(crate) fn takes_number_apart(&self, instruction: &Instruction) -> bool {
        let converts = matches!(
            instruction.mnemonic(),
            Mnemonic::Cvtsd2si | Mnemonic::Cvttsd2si | Mnemonic::Vcvtsd2si | Mnemonic::Vcvttsd2si
        );
        converts && self.client.takes_numbers_apart(instruction.ip()) && !self.rounds(instruction)
    }

    /// Is it converted back at once, as compilers round numbers down?
    fn rounds(&self, instruction: &Instruction) -> bool {
        let target = instruction.op0_register();
        let Some(code) = self.client.code(instruction.next_ip()).filter(|_| target.is_gpr64()) else {
            return false;
        };
        let behind = Decoder::with_ip(64, code, instruction.next_ip(), DecoderOptions::NONE);
        let is_converted_back = |next: Instruction| {
            let converts = matches!(next.mnemonic(), Mnemonic::Cvtsi2sd | Mnemonic::Vcvtsi2sd);
            converts && next.op_register(next.op_count() - 1) == target
        };
        behind.into_iter().take(ROUNDING_DOWN).any(is_converted_back)
    }

    /// Counts if the number is active; what lies above it in its register does not matter.
    pub(crate) fn number_taken_apart(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let on_active = self.instruction_site(instruction);
        if instruction.op1_kind() == OpKind::Memory {
            self.check_memory_operand(instruction, on_active);
        } else {
            let number = instruction.op1_register().number();
            if !self.vectors.is_zero(number) {
                let shadow = self.shadow(number);
                let place = self.asm.context(offset::VECTOR_SPILLS + 64);
                self.store_lane(Shape { element: Element::F64, width: Width::Scalar }, place, shadow);
                self.check_place(place, 8, on_active);
            }
        }
        self.passive_result(client);
    }

    /// Looks for an active operand of an instruction.
    pub(crate) fn check_all_operands(&mut self, instruction: &Instruction, on_active: OnActive) {
        let vectors = self.vectors_read(instruction);
        self.count_first(|translator| {
            translator.check_general_operands(instruction, on_active);
            translator.check_vector_operands(vectors, on_active);
            translator.check_wide_operands(instruction, on_active);
            translator.check_memory_operand(instruction, on_active);
            translator.check_string_load(instruction, on_active);
        });
    }

    /// Memory that no operand names: counted, and what is known to be written is passive.
    pub(crate) fn opaque(&mut self, client: &Client) {
        let on_active = self.instruction_site(&client.instruction);
        let jump = self.asm.jump(Code::Jmp_rel32_64);
        self.when_active(jump, false, on_active);
        self.passive_result(client);
    }

    /// A store of some bytes to where rdi points: counted if there is something active on either side. What was there
    /// is passive then, also where a byte has stayed.
    pub(crate) fn masked_store(&mut self, client: &Client) {
        let instruction = &client.instruction;
        if !is_plain_masked_store(instruction) {
            self.opaque(client);
            return;
        }
        let vectors = self.vectors_read(instruction);
        self.count_first(|translator| {
            let on_active = translator.instruction_site(instruction);
            translator.check_vector_operands(vectors, on_active);
            translator.check_mmx_operands(instruction, on_active);
            translator.check_masked_store(instruction, on_active);
        });
        self.copy(client);
        self.zero_place(Memory::at(Register::RDI, 0).shadow(), masked_store_size(instruction));
    }

    /// Tests the shadow of the place of a masked store.
    pub(crate) fn check_masked_store(&mut self, instruction: &Instruction, on_active: OnActive) {
        let place = Memory::at(Register::RDI, 0).shadow();
        self.check_place(place, masked_store_size(instruction), on_active);
    }

    /// Runs the instruction and makes what it writes passive.
    pub(crate) fn passive_result(&mut self, client: &Client) {
        let instruction = &client.instruction;
        let writes_memory = has_memory(instruction)
            && !has_many_addresses(instruction)
            && is_write(self.memory_access(instruction));
        let size = instruction.memory_size().size();
        let general = self.writes_general(instruction);
        if writes_memory && general != 0 {
            self.zero_operand(instruction, size);
        }
        self.copy(client);
        if writes_memory && general == 0 {
            self.zero_operand(instruction, size);
        }
        self.make_written_passive(instruction);
    }

    fn make_written_passive(&mut self, instruction: &Instruction) {
        let written: Vec<Register> = self
            .info
            .info(instruction)
            .used_registers()
            .iter()
            .filter(|used| is_write(used.access()))
            .map(|used| used.register())
            .collect();
        for register in written {
            if register.is_gpr() {
                self.overwrite_general(register);
            } else if register.is_vector_register() {
                self.set_zero(register.number());
            } else if register.is_mm() && !self.stack_is_zero {
                let slot = self.asm.context(offset::X87_SHADOWS + 16 * register.number() as u32);
                self.zero_place(slot, NUMBER);
            }
        }
    }

    /// A general register was given a passive value.
    pub(crate) fn overwrite_general(&mut self, register: Register) {
        let number = register.full_register().number();
        if register.is_gpr8() || register.is_gpr16() {
            if self.zero_general >> number & 1 == 0 {
                let slot = self.asm.shadow_slot(number);
                self.asm.store_zero(slot.offset_by(high_byte(register)), register.size());
                self.forget_mirror(register);
            }
        } else {
            self.zero_general |= 1 << number;
        }
    }

    /// Counts general registers that the instruction reads as data and that are active.
    pub(crate) fn check_general_operands(&mut self, instruction: &Instruction, on_active: OnActive) {
        if self.zero_general | 1 << Register::RSP.number() == !0 {
            return;
        }
        // As an addition, `lea` may be told to work on the bits of a number.
        let adds = instruction.mnemonic() == Mnemonic::Lea;
        let address =
            if adds { [Register::None; 2] } else { [instruction.memory_base(), instruction.memory_index()] };
        let explicit = |register: Register| {
            (0..instruction.op_count())
                .any(|k| instruction.op_kind(k) == OpKind::Register && instruction.op_register(k) == register)
        };
        let read: Vec<Register> = self
            .info
            .info(instruction)
            .used_registers()
            .iter()
            .filter(|used| is_read(used.access()) && used.register().is_gpr())
            .map(|used| used.register())
            .filter(|register| !address.contains(register) || explicit(*register))
            .collect();
        for register in read {
            let number = register.full_register().number();
            if number != Register::RSP.number() && self.zero_general >> number & 1 == 0 {
                let slot = self.asm.shadow_slot(number).offset_by(high_byte(register));
                self.check_place(slot, register.size(), on_active);
            }
        }
    }

    /// Sets of the vector registers that the instruction reads, and of those it reads more than 128 bits of. Their
    /// shadows are made ready to be tested.
    fn vectors_read(&mut self, instruction: &Instruction) -> (u16, u16) {
        let (mut read, mut wide) = (0u16, 0u16);
        // What lies above 256 bits, and registers 16 to 31, are tested at home.
        let mut flushed = Vec::new();
        for used in self.info.info(instruction).used_registers() {
            let register = used.register();
            if !is_read(used.access()) || !register.is_vector_register() {
                continue;
            }
            if register.number() >= 16 || register.is_zmm() {
                flushed.push(register.number());
            }
            if register.number() < 16 {
                read |= 1 << register.number();
                wide |= u16::from(!register.is_xmm()) << register.number();
            }
        }
        for number in flushed {
            self.vectors.flush(&mut self.asm, number);
        }
        read &= !self.vectors.zero;
        if read != 0 && self.form() != Form::Evex {
            let lanes = self.temporary();
            (0..16).filter(|number| read >> number & 1 != 0).for_each(|number| {
                self.shadow(number);
            });
            self.free(lanes);
        }
        (read, wide)
    }

    fn check_vector_operands(&mut self, (read, wide): (u16, u16), on_active: OnActive) {
        for number in 0..16 {
            if read >> number & 1 != 0 {
                self.check_vector(number, wide >> number & 1 != 0, on_active);
            }
        }
    }

    pub(crate) fn check_memory_operand(&mut self, instruction: &Instruction, on_active: OnActive) {
        if !has_memory(instruction) || self.is_passive_memory(instruction) {
            return;
        }
        if has_many_addresses(instruction) {
            // The shadows of gathers and scatters without a rule are not looked at: better a needless report than none.
            let jump = self.asm.jump(Code::Jmp_rel32_64);
            self.when_active(jump, false, on_active);
            return;
        }
        // A masked store leaves places alone whose shadows are then lost.
        if is_read(self.memory_access(instruction)) || is_masked_store(instruction) {
            self.check_operand(instruction, instruction.memory_size().size(), on_active);
        }
    }

    /// `lods` reads memory without an explicit operand.
    pub(crate) fn check_string_load(&mut self, instruction: &Instruction, on_active: OnActive) {
        let size = match instruction.mnemonic() {
            Mnemonic::Lodsb => 1,
            Mnemonic::Lodsw => 2,
            Mnemonic::Lodsd => 4,
            Mnemonic::Lodsq => 8,
            _ => return,
        };
        self.check_place(Memory::at(Register::RSI, 0).shadow(), size, on_active);
    }

    /// Counts, or leaves, if a register that holds a shadow is not zero.
    pub(crate) fn check_lanes(&mut self, shape: Shape, shadow: usize, on_active: OnActive) {
        if self.form() == Form::Evex {
            self.vectors.masks.drop_scratch();
            self.mask_active(shape, Register::K4, shadow);
            self.count_mask(on_active);
            return;
        }
        let shape = Shape { element: Element::F64, ..shape };
        let lanes = self.temporary();
        let zero = Operand::Memory(self.asm.context(constants::ZERO));
        self.equal_lanes(shape, lanes, shadow, zero);
        let ones = Operand::Memory(self.asm.context(constants::ONES));
        self.compute(Operation::AndNot, shape, lanes, lanes, ones);
        self.count_lanes(shape, lanes, on_active);
        self.free(lanes);
    }
}

pub(crate) fn is_read(access: OpAccess) -> bool {
    matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

/// Is it addressed by rdi alone? (With another segment or address size it is opaque.)
pub(crate) fn is_plain_masked_store(instruction: &Instruction) -> bool {
    let segment = instruction.segment_prefix();
    instruction.op0_kind() == OpKind::MemorySegRDI && !matches!(segment, Register::FS | Register::GS)
}

fn masked_store_size(instruction: &Instruction) -> usize {
    if instruction.mnemonic() == Mnemonic::Maskmovq {
        8
    } else {
        16
    }
}

/// Does a vector register hold the addresses?
fn has_many_addresses(instruction: &Instruction) -> bool {
    instruction.memory_index().is_vector_register()
}

/// Offset of a register's lowest byte in its full register.
fn high_byte(register: Register) -> i64 {
    i64::from(matches!(register, Register::AH | Register::BH | Register::CH | Register::DH))
}

/// Instructions whose result does not depend on their operands.
pub(crate) fn is_zero_idiom(instruction: &Instruction) -> bool {
    if instruction.has_op_mask() && !instruction.zeroing_masking() {
        return false;
    }
    let same = |one: u32, other: u32| {
        instruction.op_kind(one) == OpKind::Register
            && instruction.op_kind(other) == OpKind::Register
            && instruction.op_register(one) == instruction.op_register(other)
    };
    match instruction.mnemonic() {
        Mnemonic::Xor | Mnemonic::Sub | Mnemonic::Sbb => same(0, 1),
        Mnemonic::Psubb | Mnemonic::Psubw | Mnemonic::Psubd | Mnemonic::Psubq => same(0, 1),
        Mnemonic::Vpsubb | Mnemonic::Vpsubw | Mnemonic::Vpsubd | Mnemonic::Vpsubq => same(1, 2),
        _ => false,
    }
}
