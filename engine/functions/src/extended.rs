//! Numbers of 80 bits, and arithmetic on them by the processor's own x87 unit.
//!
//! The unit holds the client's numbers. [`with_free_unit`] puts them aside (and with them the client's rounding,
//! precision and exception masks), so that the operations of [`Unit`] round to nearest with 64 bits and trap never.
//! Compiled code does not use the unit by itself: the target's floating-point numbers live in vector registers.

use core::arch::asm;
use core::cmp::Ordering;

/// An 80-bit number in the order of its bytes in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extended(pub [u8; 10]);

impl Extended {
    pub const ZERO: Extended = Extended([0; 10]);
    pub const ONE: Extended = Extended([0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f]);

    pub fn is_zero(self) -> bool {
        let [rest @ .., last] = self.0;
        rest.iter().all(|byte| *byte == 0) && last & 0x7f == 0
    }

    /// Could an operation have had this result? A significand without its exponent is none, nor the reverse.
    pub fn is_sound(self) -> bool {
        let has_exponent = self.0[8] != 0 || self.0[9] & 0x7f != 0;
        let is_normal = self.0[7] & 0x80 != 0;
        has_exponent == is_normal
    }

    pub fn is_negative(self) -> bool {
        self.0[9] & 0x80 != 0
    }

    pub fn negated(mut self) -> Extended {
        self.0[9] ^= 0x80;
        self
    }

    pub fn magnitude(mut self) -> Extended {
        self.0[9] &= 0x7f;
        self
    }
}

/// The state of the unit as `fnsave` stores it.
#[repr(C, align(16))]
struct Saved([u8; 108]);

/// The right to use the x87 unit.
pub struct Unit(());

/// Runs `work` with an empty x87 unit in its initial state; afterwards it is as it was, but for the upper half of the
/// address of its last instruction.
pub fn with_free_unit<R>(work: impl FnOnce(&Unit) -> R) -> R {
    let mut saved = Saved([0; 108]);
    // SAFETY: stores 108 bytes; compiled code has nothing in the unit.
    unsafe { asm!("fnsave [{}]", in(reg) &mut saved, options(nostack)) };
    let result = work(&Unit(()));
    // SAFETY: reads what has been stored.
    unsafe { asm!("frstor [{}]", in(reg) &saved, options(nostack, readonly)) };
    result
}

/// Functions of one operand.
macro_rules! unary {
    ($($(#[$documentation:meta])* $name:ident: $($instruction:literal),+;)*) => {
        $($(#[$documentation])*
        pub fn $name(&self, operand: Extended) -> Extended {
            let mut result = Extended::ZERO;
            // SAFETY: the unit is ours and empty before and after; reads and writes ten bytes each.
            unsafe {
                asm!("fld tbyte ptr [{operand}]", $($instruction,)+ "fstp tbyte ptr [{result}]",
                     operand = in(reg) &operand, result = in(reg) &mut result, options(nostack));
            }
            result
        })*
    };
}

/// Functions of two operands, the second of which is in st(0).
macro_rules! binary {
    ($($(#[$documentation:meta])* $name:ident: $($instruction:literal),+;)*) => {
        $($(#[$documentation])*
        pub fn $name(&self, first: Extended, second: Extended) -> Extended {
            let mut result = Extended::ZERO;
            // SAFETY: as for functions of one operand.
            unsafe {
                asm!("fld tbyte ptr [{first}]", "fld tbyte ptr [{second}]", $($instruction,)+
                     "fstp tbyte ptr [{result}]", first = in(reg) &first, second = in(reg) &second,
                     result = in(reg) &mut result, options(nostack));
            }
            result
        })*
    };
}

/// Conversions from numbers in memory.
macro_rules! load {
    ($($name:ident: $type:ty, $instruction:literal;)*) => {
        $(pub fn $name(&self, number: $type) -> Extended {
            let mut result = Extended::ZERO;
            // SAFETY: as for functions of one operand.
            unsafe {
                asm!($instruction, "fstp tbyte ptr [{result}]", number = in(reg) &number,
                     result = in(reg) &mut result, options(nostack));
            }
            result
        })*
    };
}

/// Conversions to numbers in memory.
macro_rules! store {
    ($($name:ident: $type:ty, $instruction:literal;)*) => {
        $(pub fn $name(&self, number: Extended) -> $type {
            let mut result: $type = Default::default();
            // SAFETY: as for functions of one operand.
            unsafe {
                asm!("fld tbyte ptr [{number}]", $instruction, number = in(reg) &number,
                     result = in(reg) &mut result, options(nostack));
            }
            result
        })*
    };
}

impl Unit {
    load! {
        from_binary32: f32, "fld dword ptr [{number}]";
        from_binary64: f64, "fld qword ptr [{number}]";
        from_integer: i64, "fild qword ptr [{number}]";
    }
    store! {
        to_binary32: f32, "fstp dword ptr [{result}]";
        to_binary64: f64, "fstp qword ptr [{result}]";
    }
    unary! {
        square_root: "fsqrt";
        sine: "fsin";
        cosine: "fcos";
        /// The nearest integer.
        rounded: "frndint";
        /// Without its exponent: at least 1 and less than 2.
        significand: "fxtract", "fstp st(1)";
        /// The exponent of the number as a power of two.
        exponent: "fxtract", "fstp st(0)";
        natural_logarithm: "fldln2", "fxch st(1)", "fyl2x";
        binary_logarithm: "fld1", "fxch st(1)", "fyl2x";
        /// The binary logarithm of the number plus one.
        binary_logarithm_plus_one: "fld1", "fxch st(1)", "fyl2xp1";
        /// Two to the power of a number between -1 and 1, times ln 2.
        derivative_of_power: "f2xm1", "fld1", "faddp st(1), st", "fldln2", "fmulp st(1), st";
        times_ln_2: "fldln2", "fmulp st(1), st";
        /// For numbers between -1 and 1.
        power_of_two_minus_one: "f2xm1";
    }
    binary! {
        sum: "faddp st(1), st";
        difference: "fsubp st(1), st";
        product: "fmulp st(1), st";
        quotient: "fdivp st(1), st";
        /// The first times two to the power of the second, cut off to an integer.
        scaled: "fxch st(1)", "fscale", "fstp st(1)";
        /// The angle of the point (x, y), whose y comes first.
        angle: "fpatan";
        remainder: "fxch st(1)", "fprem", "fstp st(1)";
        remainder_to_nearest: "fxch st(1)", "fprem1", "fstp st(1)";
    }

    /// For code that runs inside of [`with_free_unit`] and cannot be handed the unit.
    pub(crate) const fn while_free() -> Unit {
        Unit(())
    }

    /// `None` if one of the numbers is NaN.
    pub fn compared(&self, first: Extended, second: Extended) -> Option<Ordering> {
        let (unordered, above, below): (u8, u8, u8);
        // SAFETY: as for functions of one operand.
        unsafe {
            asm!("fld tbyte ptr [{second}]", "fld tbyte ptr [{first}]", "fucomip st, st(1)", "fstp st(0)",
                 "setp {unordered}", "seta {above}", "setb {below}",
                 first = in(reg) &first, second = in(reg) &second, unordered = lateout(reg_byte) unordered,
                 above = lateout(reg_byte) above, below = lateout(reg_byte) below, options(nostack));
        }
        match (unordered, above, below) {
            (1, ..) => None,
            (_, 1, _) => Some(Ordering::Greater),
            (.., 1) => Some(Ordering::Less),
            _ => Some(Ordering::Equal),
        }
    }

    /// Is the magnitude of the first number less than that of the second?
    pub fn is_smaller(&self, first: Extended, second: Extended) -> bool {
        self.difference(first.magnitude(), second.magnitude()).is_negative()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_their_operands_in_order() {
        let results = with_free_unit(|unit| {
            let (six, three) = (unit.from_binary64(6.0), unit.from_integer(3));
            let back = |number| unit.to_binary64(number);
            [
                back(unit.sum(six, three)),
                back(unit.difference(six, three)),
                back(unit.product(six, three)),
                back(unit.quotient(six, three)),
                back(unit.scaled(six, three)),
                back(unit.remainder(unit.from_integer(8), three)),
                back(unit.remainder_to_nearest(unit.from_integer(8), three)),
                back(unit.significand(six)),
                back(unit.exponent(six)),
                back(unit.binary_logarithm(unit.from_integer(8))),
                back(unit.binary_logarithm_plus_one(Extended::ZERO)),
            ]
        });
        assert_eq!(results, [9.0, 3.0, 18.0, 2.0, 48.0, 2.0, -1.0, 1.5, 2.0, 3.0, 0.0]);
    }

    #[test]
    fn the_unit_is_as_it_was() {
        let number = 1.25f64;
        let (mut left, mut control) = (0f64, 0u16);
        // SAFETY: leaves the unit as it was.
        unsafe { asm!("fninit", "fld qword ptr [{}]", "fldcw [{}]", in(reg) &number, in(reg) &0x27fu16) };
        let sum = with_free_unit(|unit| unit.sum(Extended::ONE, Extended::ONE));
        // SAFETY: takes back what was left there.
        unsafe {
            asm!("fstp qword ptr [{}]", "fnstcw [{}]", "fninit", in(reg) &mut left, in(reg) &mut control);
        }
        assert_eq!((left, control), (number, 0x27f));
        assert_eq!(sum.0, [0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0x40]);
    }

    #[test]
    fn signs_and_zeros() {
        assert!(Extended::ZERO.is_zero() && Extended::ZERO.negated().is_zero());
        assert!(!Extended::ONE.is_zero() && Extended::ONE.negated().is_negative());
        assert_eq!(Extended::ONE.negated().magnitude(), Extended::ONE);
        let (near, far) = (Extended::ONE, Extended([0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0x3f]));
        with_free_unit(|unit| assert!(unit.is_smaller(near.negated(), far) && !unit.is_smaller(far, near)));
    }
}
