//! The tape's side of a block: what a translation writes when its client instructions are recorded.
//!
//! In recording mode the shadow of a value is the index of the operation that computed it. All operations of a block
//! write into one *execution* of the tape (docs/tape.md): its layout, the *structure*, is known at translation time,
//! so the code that runs stores indices and values at constant distances from the tape position, and the structure's
//! number behind them. An operation has its result's index whether it is active or not; a passive one is a hole that
//! nothing refers to. So no write depends on another one, and nothing is counted while the client runs.
//!
//! The position is in a general register that no instruction of the block uses, from the first operation of the block
//! to its exit. On the way out the structure of what has been recorded so far is closed, and the position and the
//! next index go back to memory. Room is checked once, at the first operation, by writing to the last place that the
//! block may write: behind the tape's chunk lies a page that cannot be written, and the engine changes chunks on the
//! fault.
//!
//! A binary32 has four bytes for its index, the highest bit of which is set ([`TAG`]): so the two kinds of indices can
//! be told apart where instructions do not say what they work on. Indices stay below this bit, or have it clear.

use crate::checks::OnActive;
use crate::constants;
use crate::context::offset;
use crate::emit::{general, Memory, Operand as EmitOperand};
use crate::encodings::{Form, Operation as ShadowOperation, Shape, Width};
use crate::interface::ExitKind;
use crate::recorded_values::RecordedValues;
use crate::rules::Element;
use crate::translate::Translator;
use alloc::vec::Vec;
pub use derivgrind_tape::structure::{Element as Bytes, Function, Operand, Operation, Structure};
use iced_x86::{Code, Instruction, Register};

/// Bit of the index of a binary32.
pub const TAG: u32 = derivgrind_tape::structure::BINARY32_MARK;
/// What translated code and engine share about a thread's place on the tape.
#[repr(C)]
pub struct TapeState {
    /// Address behind the last execution.
    pub position: u64,
    /// Index of the next result.
    pub next_index: u64,
    /// Offset in the file of the chunk that is being written; for readers of the tape.
    pub chunk: u64,
    reserved: [u64; 5],
    /// The largest index of the thread's segment, in each lane.
    pub last_index: [u64; 4],
    pub last_index_narrow: [u32; 8],
    /// The same with the mark of binary32.
    pub last_index_tagged: [u32; 8],
}

const LAST_INDEX: i64 = 64;
const LAST_INDEX_NARROW: i64 = 96;
const LAST_INDEX_TAGGED: i64 = 128;

impl TapeState {
    pub fn set_last_index(&mut self, index: u64) {
        self.last_index = [index; 4];
        self.last_index_narrow = [index as u32; 8];
        self.last_index_tagged = [index as u32 | TAG; 8];
    }
}

/// Bytes of a structure's number, which ends an execution.
pub(crate) const TRAILER: u32 = 4;
/// Bytes of the payload of [`derivgrind_tape::structure::TWO_OPERANDS`].
pub const TWO_OPERANDS_PAYLOAD: u32 = 32;
/// Predicate of integer comparisons: greater.
const ABOVE: u32 = 6;
/// Limits of a block: the table of small numbers in the context, and the room behind a chunk.
const MOST_RESULTS: u32 = 440;
const MOST_PAYLOAD: u32 = 16 << 10;

/// Signs of an operation: bits of `Operation::signs`.
pub mod signs {
    pub const NEGATE_FIRST: u8 = 0b01;
    pub const NEGATE_SECOND: u8 = 0b10;
    /// The second operand is negated in odd lanes.
    pub const NEGATE_SECOND_ODD: u8 = 0b10_0000;
    /// The second operand is negated in even lanes.
    pub const NEGATE_SECOND_EVEN: u8 = 0b10_0010;
}

/// Where the number of a structure has to be written into the code, once it has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StructureReference {
    /// Offset of four bytes in the translation.
    pub code_offset: u32,
    /// Position in the translation's list of structures.
    pub structure: u32,
}

/// How far a block has recorded, for an exit that is emitted later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Recorded {
    payload: u32,
    results: u32,
    operations: usize,
}

impl Recorded {
    /// The payload with room for the bytes that each result has at least: so a chunk's bytes limit its indices.
    fn padded_payload(&self) -> u32 {
        self.payload.max(LEAST_BYTES * self.results).next_multiple_of(4)
    }
}

/// Bytes of an execution for each of its results, at least.
pub const LEAST_BYTES: u32 = 2;

/// Indices that the tape already holds or that follow from the structure.
#[derive(Clone, Copy)]
struct Known {
    /// Name of the shadow, see [`crate::masks`].
    content: u32,
    element: Element,
    lanes: u32,
    operand: Operand,
}

#[derive(Default)]
pub(crate) struct Recording {
    /// Address of the client's code.
    address: u64,
    /// Registers that no instruction of the block uses.
    unused: u16,
    /// The register that holds the position.
    position: Option<Register>,
    /// The same after the end of the block, for exits that are emitted behind it.
    ended: Option<Register>,
    /// Offset in the code of the distance that the check for room writes at.
    room: usize,
    payload: u32,
    results: u32,
    operations: Vec<Operation>,
    known: Vec<Known>,
    pub values: RecordedValues,
    /// What had been recorded in front of the current client instruction.
    before: Option<Recorded>,
    pub structures: Vec<Structure>,
    pub references: Vec<StructureReference>,
}

/// General registers that are never used for the position: rsp, and rcx, which shadow code borrows.
const RESERVED: u16 = 1 << 4 | 1 << 1;

impl Recording {
    pub fn new(address: u64) -> Recording {
        Recording { address, ..Recording::default() }
    }

    /// Sets the general registers that the block uses; false if none would be left.
    pub fn plan(&mut self, used: u16) -> bool {
        let unused = !(used | RESERVED);
        if unused == 0 {
            return false;
        }
        self.unused = unused;
        true
    }

    pub fn is_open(&self) -> bool {
        self.position.is_some()
    }

    /// The block has ended; its exits are emitted now.
    pub fn reopen(&mut self) {
        self.position = self.position.or(self.ended);
    }

    /// The register with the position, as a bit.
    pub fn register(&self) -> u32 {
        self.position.map_or(0, |register| 1 << register.number())
    }

    /// Is there no room for another instruction?
    pub fn is_full(&self) -> bool {
        self.results > MOST_RESULTS || self.payload > MOST_PAYLOAD
    }

    /// A client instruction begins.
    pub fn begin_instruction(&mut self) {
        self.before = self.recorded();
    }

    /// What had been recorded when the current instruction began.
    pub fn recorded_before(&self) -> Option<Recorded> {
        let nothing = Recorded { payload: 0, results: 0, operations: 0 };
        self.is_open().then(|| self.before.unwrap_or(nothing))
    }

    pub fn recorded(&self) -> Option<Recorded> {
        self.is_open().then_some(Recorded {
            payload: self.payload,
            results: self.results,
            operations: self.operations.len(),
        })
    }

    /// Number of the structure of the operations up to here.
    pub fn structure(&mut self, recorded: Recorded) -> u32 {
        let structure = Structure {
            payload: recorded.padded_payload(),
            results: recorded.results,
            address: self.address,
            operations: self.operations[..recorded.operations].to_vec(),
        };
        let known = self.structures.iter().position(|other| *other == structure);
        known.unwrap_or_else(|| {
            self.structures.push(structure);
            self.structures.len() - 1
        }) as u32
    }

    /// Takes `bytes` of the payload.
    fn take(&mut self, bytes: u32) -> u32 {
        let at = self.payload;
        self.payload += bytes;
        at
    }

    /// Takes room for values that are stored later.
    pub fn reserve_values(&mut self, shape: Shape) -> u32 {
        self.take(shape.element_bytes() * shape.lanes())
    }

    /// An operand that needs no room: it was stored or computed in this execution.
    fn known(&self, content: u32, shape: Shape) -> Option<Operand> {
        let fits = |known: &&Known| {
            known.content == content && known.element == shape.element && known.lanes >= shape.lanes()
        };
        self.known.iter().find(fits).map(|known| known.operand)
    }

    /// The shadow with this name holds these indices.
    fn note(&mut self, content: u32, shape: Shape, operand: Operand) {
        self.known.push(Known { content, element: shape.element, lanes: shape.lanes(), operand });
    }
}

impl Shape {
    pub(crate) fn lanes(self) -> u32 {
        match (self.width, self.element) {
            (Width::Scalar, _) => 1,
            (Width::L128, Element::F64) => 2,
            (Width::L128, Element::F32) | (Width::L256, Element::F64) => 4,
            (Width::L256, Element::F32) => 8,
        }
    }

    fn element_bytes(self) -> u32 {
        match self.element {
            Element::F32 => 4,
            Element::F64 => 8,
        }
    }
}

/// An operand of a recorded operation: the register that holds its indices, and their name if it has one.
#[derive(Clone, Copy)]
pub(crate) struct Indices {
    pub register: usize,
    /// Client register whose shadow they are.
    pub client: Option<usize>,
}

impl Translator<'_> {
    pub(crate) fn records(&self) -> bool {
        self.job.settings.mode.records()
    }

    /// Where the tape's position is between executions.
    fn tape_position(&self) -> Memory {
        Memory::absolute(self.job.tape_state)
    }

    /// The index of the next result.
    pub(crate) fn next_index(&self) -> Memory {
        Memory::absolute(self.job.tape_state + 8)
    }

    /// A place in the payload.
    pub(crate) fn payload(&mut self, at: u32) -> Memory {
        let register = self.open_recording();
        Memory::at(register, i64::from(at))
    }

    /// The register with the position; its client value is parked at the first operation of a block.
    fn open_recording(&mut self) -> Register {
        if let Some(register) = self.recording.position {
            return register;
        }
        let number = 15 - self.recording.unused.leading_zeros() as usize;
        let register = general(number);
        let parked = self.asm.context(offset::TAPE_PARKED);
        self.asm.store(parked, register);
        let position = self.tape_position();
        self.asm.load(register, position);
        // The distance is set when all operations are known: it must have 32 bits.
        let far = Memory::at(register, i64::from(i32::MAX)).operand();
        self.asm.built(Instruction::with2(Code::Mov_rm32_imm32, far, 0));
        self.recording.room = self.asm.code.len() - 8;
        self.recording.position = Some(register);
        register
    }

    /// Ends the execution: on the way out of the block.
    pub(crate) fn close_recording(&mut self, recorded: Option<Recorded>) {
        let (Some(recorded), Some(register)) = (recorded, self.recording.position) else {
            return;
        };
        if recorded.results > 0 {
            let structure = self.recording.structure(recorded);
            let end = Memory::at(register, i64::from(recorded.padded_payload()));
            self.asm.built(Instruction::with2(Code::Mov_rm32_imm32, end.operand(), 0));
            let code_offset = self.asm.code.len() as u32 - 4;
            self.recording.references.push(StructureReference { code_offset, structure });
            self.asm.address_of(register, end.offset_by(i64::from(TRAILER)));
            let (position, next) = (self.tape_position(), self.next_index());
            self.asm.store(position, register);
            self.asm.load(register, next);
            self.asm.address_of(register, Memory::at(register, i64::from(recorded.results)));
            self.asm.store(next, register);
        }
        let parked = self.asm.context(offset::TAPE_PARKED);
        self.asm.load(register, parked);
    }

    /// The block is left for good at this point, or by one of several ways from here on.
    pub(crate) fn end_recording(&mut self) {
        let recorded = self.recording.recorded();
        self.close_recording(recorded);
        self.recording.ended = self.recording.position.take().or(self.recording.ended);
    }

    /// All operations are known: the check for room covers the last byte that may be written.
    pub(crate) fn finish_room(&mut self) {
        if self.recording.is_open() {
            let at = self.recording.room;
            let room = self.recording.recorded().map_or(0, |recorded| recorded.padded_payload());
            self.asm.code[at..at + 4].copy_from_slice(&room.to_le_bytes());
        }
    }

    /// Stores indices into the payload unless they are there or follow from the structure.
    pub(crate) fn record_indices(&mut self, shape: Shape, indices: Indices) -> Operand {
        let content = indices.client.map(|number| self.vectors.masks.content(number));
        if let Some(known) = content.and_then(|content| self.recording.known(content, shape)) {
            return known;
        }
        if self.job.settings.has_threads {
            self.check_order(shape, indices.register);
        }
        let wide = self.job.settings.mode.has_wide_indices() && shape.element == Element::F64;
        let bytes = if wide { 8 } else { 4 };
        let at = self.recording.take(bytes * shape.lanes());
        let place = self.payload(at);
        if shape.element == Element::F64 && !wide {
            self.store_narrow(shape, place, indices.register);
        } else {
            self.store_lanes(shape, place, indices.register);
        }
        let operand = if wide { Operand::Wide(at) } else { Operand::Narrow(at) };
        if let Some(content) = content {
            self.recording.note(content, shape, operand);
        }
        operand
    }

    /// Leaves the block in front of the current instruction if an index is above those of the thread's segment.
    fn check_order(&mut self, shape: Shape, register: usize) {
        let on_active = OnActive::Serve(ExitKind::NewSegment, self.pc, self.state());
        let state = self.job.tape_state as i64;
        let place = |at: i64| EmitOperand::Memory(Memory::absolute((state + at) as u64));
        let packed = shape.packed();
        let is_wide = packed.width == Width::L256;
        if self.form() == Form::Evex {
            let (code, last) = match (shape.element, is_wide) {
                (Element::F64, false) => (Code::EVEX_Vpcmpuq_kr_k1_xmm_xmmm128b64_imm8, LAST_INDEX),
                (Element::F64, true) => (Code::EVEX_Vpcmpuq_kr_k1_ymm_ymmm256b64_imm8, LAST_INDEX),
                (Element::F32, false) => (Code::EVEX_Vpcmpud_kr_k1_xmm_xmmm128b32_imm8, LAST_INDEX_TAGGED),
                (Element::F32, true) => (Code::EVEX_Vpcmpud_kr_k1_ymm_ymmm256b32_imm8, LAST_INDEX_TAGGED),
            };
            self.vectors.masks.drop_scratch();
            let lanes = packed.register(register);
            self.asm.with_immediate(code, Register::K4, lanes, place(last), ABOVE);
            self.count_mask(on_active);
            return;
        }
        let above = self.temporary();
        self.copy_register(packed, above, register);
        let last = if shape.element == Element::F32 {
            let untagged = EmitOperand::Memory(self.asm.context(constants::UNTAGGED32));
            self.compute(ShadowOperation::And, packed, above, above, untagged);
            place(LAST_INDEX_NARROW)
        } else {
            place(LAST_INDEX)
        };
        // Signed comparisons: no index has the highest bit.
        let whole_lanes = shape.element == Element::F64 && self.job.settings.mode.has_wide_indices();
        let lanes = packed.register(above);
        match (self.form() == Form::Legacy, whole_lanes, is_wide) {
            (true, false, _) => self.asm.binary(Code::Pcmpgtd_xmm_xmmm128, lanes, last),
            (true, true, _) => self.asm.binary(Code::Pcmpgtq_xmm_xmmm128, lanes, last),
            (_, false, false) => self.asm.ternary(Code::VEX_Vpcmpgtd_xmm_xmm_xmmm128, lanes, lanes, last),
            (_, false, true) => self.asm.ternary(Code::VEX_Vpcmpgtd_ymm_ymm_ymmm256, lanes, lanes, last),
            (_, true, false) => self.asm.ternary(Code::VEX_Vpcmpgtq_xmm_xmm_xmmm128, lanes, lanes, last),
            (_, true, true) => self.asm.ternary(Code::VEX_Vpcmpgtq_ymm_ymm_ymmm256, lanes, lanes, last),
        }
        self.count_lanes(packed, above, on_active);
        self.free(above);
    }

    /// An operand in the payload that is passive until another index is stored there: its offset and place.
    pub(crate) fn passive_operand(&mut self) -> (Operand, Memory) {
        let at = self.recording.take(4);
        let place = self.payload(at);
        self.asm.store_zero(place, 4);
        (Operand::Narrow(at), place)
    }

    /// Stores values into the payload.
    pub(crate) fn record_values(&mut self, shape: Shape, register: usize) -> u32 {
        let at = self.recording.take(shape.element_bytes() * shape.lanes());
        let place = self.payload(at);
        self.store_lanes(shape, place, register);
        at
    }

    /// Adds an operation; returns its first result.
    pub(crate) fn record(
        &mut self,
        function: Function,
        shape: Shape,
        signs: u8,
        operands: [Operand; 2],
        values: [Option<u32>; 2],
    ) -> u32 {
        // An operation on results alone writes nothing, but needs the block to be open.
        self.open_recording();
        let result = self.recording.results;
        let lanes = shape.lanes();
        self.recording.results += lanes;
        self.recording.operations.push(Operation {
            function,
            element: if shape.element == Element::F32 { Bytes::Binary32 } else { Bytes::Binary64 },
            lanes: lanes as u8,
            signs,
            result,
            operands,
            values,
        });
        result
    }

    /// The shadow of a client register holds the results of an operation from `result` on.
    pub(crate) fn note_result(&mut self, shape: Shape, number: usize, result: u32) {
        let content = self.vectors.masks.content(number);
        self.recording.note(content, shape, Operand::Result(result));
    }
}
