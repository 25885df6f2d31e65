//! Where sums of contributions are while an execution is swept: in registers, or in slots of memory if there are more
//! sums than registers. The sum whose next use is farthest away gives its register up (Belady: A study of replacement
//! algorithms for a virtual-storage computer, 1966).

use super::assembler::Assembler;
use super::state::slot;

/// Registers below this one are for intermediate numbers and constants.
pub const FIRST_REGISTER: u32 = 4;

/// What is known of one sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// Nothing has been added to it.
    Nowhere,
    Register(u32),
    Slot(u32),
}

/// All sums of a structure, by number.
pub struct Accumulators {
    pub homes: Vec<Home>,
    /// Whether the register or slot holds the sum with the opposite sign.
    pub negative: Vec<bool>,
    /// Positions at which a sum is used, the next one at the end.
    uses: Vec<Vec<u32>>,
    /// Which sum is in each register from [`FIRST_REGISTER`] on.
    owners: Vec<Option<usize>>,
    free_slots: Vec<u32>,
    slots: u32,
}

impl Accumulators {
    /// `uses` are ascending positions for each sum.
    pub fn new(mut uses: Vec<Vec<u32>>, registers: u32) -> Accumulators {
        for positions in &mut uses {
            positions.reverse();
        }
        Accumulators {
            homes: vec![Home::Nowhere; uses.len()],
            negative: vec![false; uses.len()],
            uses,
            owners: vec![None; (registers - FIRST_REGISTER) as usize],
            free_slots: Vec::new(),
            slots: 0,
        }
    }

    /// How many slots were in use at once.
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// The code has come to this position: uses before it are past.
    pub fn advance(&mut self, sum: usize, position: u32) {
        while self.uses[sum].last().is_some_and(|used| *used < position) {
            self.uses[sum].pop();
        }
    }

    /// A register for this sum, whose old home is given up; a sum in register `pinned` stays there.
    pub fn take_register(&mut self, sum: usize, pinned: Option<u32>, assembler: &mut Assembler) -> u32 {
        if let Home::Register(register) = self.homes[sum] {
            return register;
        }
        let free = self.owners.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| self.evict(pinned, assembler));
        if let Home::Slot(slot) = self.homes[sum] {
            self.free_slots.push(slot);
        }
        self.owners[place] = Some(sum);
        let register = FIRST_REGISTER + place as u32;
        self.homes[sum] = Home::Register(register);
        register
    }

    fn evict(&mut self, pinned: Option<u32>, assembler: &mut Assembler) -> usize {
        let mut farthest = None;
        for (place, owner) in self.owners.iter().enumerate() {
            let Some(owner) = *owner else { continue };
            if pinned == Some(FIRST_REGISTER + place as u32) {
                continue;
            }
            let next = self.uses[owner].last().copied().unwrap_or(u32::MAX);
            if farthest.is_none_or(|(_, _, most)| next > most) {
                farthest = Some((place, owner, next));
            }
        }
        let Some((place, owner, _)) = farthest else { unreachable!("more registers than one") };
        let number = self.free_slots.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        assembler.store(slot(number), FIRST_REGISTER + place as u32);
        self.homes[owner] = Home::Slot(number);
        place
    }

    /// The sum is of no use any more.
    pub fn release(&mut self, sum: usize) {
        match self.homes[sum] {
            Home::Nowhere => {}
            Home::Register(register) => self.owners[(register - FIRST_REGISTER) as usize] = None,
            Home::Slot(slot) => self.free_slots.push(slot),
        }
        self.homes[sum] = Home::Nowhere;
    }
}
