//! Variables on the stack whose shadows are still in a register.
//!
//! Code that keeps its variables on the stack stores a number and loads it again a few instructions later. The value
//! takes about five cycles for this, and the shadow of a result, which is known after the value, as long again: in a
//! chain of such results the processor waits for shadows. So what is stored or loaded and will be loaded again before
//! it may change is copied to a home that is stale because its own shadow is zero ([`crate::vectors`]), which costs no
//! time, and a later load is a copy from there. The name of its content comes along, so a mask made for one copy serves
//! all ([`crate::masks`]).
//!
//! Nothing has to be done to forget a variable: a home that is written has another content from then on.
//!
//! Only the stack, and not behind an instruction that may have waited for another thread
//! ([`synchronises`](crate::atomics::synchronises)): a number there may be shared, too.

use crate::control::has_memory;
use crate::decode::Client;
use crate::emit::{xmm, Memory, Operand};
use crate::encodings::{Shape, Width};
use crate::memory;
use crate::passive::is_on_stack;
use crate::places::Places;
use crate::rules::{self, Element, Lanes, Rule};
use crate::translate::Translator;
use crate::vectors::used_by;
use alloc::vec::Vec;
use iced_x86::{Code, Instruction, InstructionInfoFactory, Mnemonic, OpKind, Register};

/// What the instructions of a block do with numbers on the stack.
#[derive(Default)]
pub(crate) struct StackVariables {
    /// By instruction.
    uses: Vec<Option<Use>>,
    /// Registers that the block uses: their homes will not stay stale.
    used: u16,
    held: Vec<Held>,
}

/// A number that an instruction loads or stores.
#[derive(Clone, Copy)]
struct Use {
    element: Element,
    /// Name of the number, see [`Places`].
    name: u32,
    /// The last instruction that loads it, if any does.
    last: Option<usize>,
}

/// A variable whose shadow is in the home of a register, as long as that has this content.
#[derive(Clone, Copy)]
struct Held {
    name: u32,
    last: usize,
    home: usize,
    content: u32,
}

impl StackVariables {
    /// The uses in these instructions.
    pub fn find(
        info: &mut InstructionInfoFactory,
        has_threads: bool,
        instructions: &[Client],
    ) -> StackVariables {
        let mut places = Places::new(has_threads);
        let mut uses = Vec::with_capacity(instructions.len());
        let mut last_loads: Vec<(u32, usize)> = Vec::new();
        for (position, instruction) in instructions.iter().map(|client| &client.instruction).enumerate() {
            let variable = number_on_stack(instruction);
            let stores = instruction.op_count() > 0 && instruction.op0_kind() == OpKind::Memory;
            if stores {
                places.follow(info, instruction);
            }
            let found = variable.map(|(operand, element)| {
                let name = places.name(operand, instruction.memory_size().size());
                if !stores {
                    last_loads.retain(|(loaded, _)| *loaded != name);
                    last_loads.push((name, position));
                }
                Use { element, name, last: None }
            });
            uses.push(found);
            if !stores {
                places.follow(info, instruction);
            }
        }
        for one in uses.iter_mut().flatten() {
            let last = last_loads.iter().find(|(name, _)| *name == one.name);
            one.last = last.map(|(_, position)| *position);
        }
        let used = instructions.iter().fold(0, |used, client| used | used_by(&client.instruction));
        StackVariables { uses, used, held: Vec::new() }
    }

    /// No home is known to hold a variable any more.
    pub fn forget(&mut self) {
        self.held.clear();
    }
}

/// The place on the stack that holds a number which the instruction loads or stores.
fn number_on_stack(instruction: &Instruction) -> Option<(Memory, Element)> {
    if !has_memory(instruction) {
        return None;
    }
    let element = match rules::rule(instruction) {
        Rule::Binary(_, element, Lanes::Scalar)
        | Rule::Unary(_, element, Lanes::Scalar)
        | Rule::Fused { element, lanes: Lanes::Scalar, .. } => element,
        Rule::Same(_) => match instruction.mnemonic() {
            Mnemonic::Movsd | Mnemonic::Vmovsd => Element::F64,
            Mnemonic::Movss | Mnemonic::Vmovss => Element::F32,
            _ => return None,
        },
        Rule::Move if instruction.op0_kind() == OpKind::Memory && instruction.op1_register().is_gpr64() => {
            Element::F64
        }
        _ => return None,
    };
    let operand = memory::direct(instruction)?;
    (operand.index == Register::None && is_on_stack(instruction)).then_some((operand, element))
}

impl Translator<'_> {
    fn stack_variable(&self) -> Option<Use> {
        // A copy of 128 bits is one of the whole shadow.
        self.stack_variables.uses.get(self.position).copied().flatten().filter(|_| !self.vectors.upper)
    }

    /// The home that holds the shadow of the number on the stack which the current instruction loads.
    pub(crate) fn home_of_stack_variable(&self) -> Option<usize> {
        let variable = self.stack_variable()?;
        let masks = &self.vectors.masks;
        let is_held = |held: &&Held| held.name == variable.name && masks.content(held.home) == held.content;
        self.stack_variables.held.iter().find(is_held).map(|held| held.home)
    }

    /// The current instruction has loaded or stored a number on the stack whose shadow is the lowest lane of that of
    /// a register: copies it to a home if it will be loaded again.
    pub(crate) fn hold_stack_variable(&mut self, number: usize) {
        let position = self.position;
        let Some(variable) = self.stack_variable() else { return };
        let Some(last) = variable.last.filter(|last| *last > position) else { return };
        let masks = &self.vectors.masks;
        self.stack_variables
            .held
            .retain(|held| held.last > position && masks.content(held.home) == held.content);
        let taken = self.stack_variables.held.iter().fold(0, |taken, held| taken | 1u16 << held.home);
        let free = self.vectors.stale() & !(taken | self.stack_variables.used);
        let is_lone = self.vectors.is_lone(number, variable.element);
        if free == 0 || !is_lone && variable.element == Element::F32 {
            return;
        }
        let home = free.trailing_zeros() as usize;
        let (to, from) = (xmm(16 + home), Operand::Register(xmm(16 + number)));
        if is_lone {
            self.asm.binary(Code::EVEX_Vmovaps_xmm_k1z_xmmm128, to, from);
            self.vectors.masks.copy(home, number);
        } else {
            self.asm.binary(Code::EVEX_Vmovq_xmm_xmmm64, to, from);
            self.vectors.masks.forget(home);
        }
        let content = self.vectors.masks.content(home);
        self.stack_variables.held.push(Held { name: variable.name, last, home, content });
    }

    /// The current instruction loads a number on the stack into a register, whose shadow `home` holds. The lanes above
    /// become zero.
    pub(crate) fn load_stack_variable(&mut self, number: usize, home: usize) {
        let Some(variable) = self.stack_variable() else { return };
        self.set_active(number, false);
        let target = self.target(number);
        self.copy_register(Shape { element: variable.element, width: Width::L128 }, target, 16 + home);
        self.vectors.set_lone(number, variable.element);
    }
}
