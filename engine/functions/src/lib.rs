//! Mathematical functions of libraries, and their derivatives.
//!
//! A library computes its functions by look-ups in tables, on the bits of numbers, by polynomials whose derivatives are no
//! good approximations of the derivative. So rules for instructions do not give the derivative of the function. The engine
//! calls none of the functions here in place of the client's: it waits for the client's own function to return, and then
//! asks, knowing arguments and values, for the partial derivatives.
//!
//! [`table`] says what the derivatives are, in formulas for any precision of [`Number`]; [`names`] finds a function by the
//! names that libraries give it; [`places`] says where the calling convention has arguments and values.
//!
//! The crate is pure: no state, no system calls, no memory but that of its results.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod complex;
pub mod direct;
mod elementary;
pub mod extended;
pub mod names;
pub mod number;
pub mod places;
pub mod special;
#[cfg(test)]
mod special_points;
pub mod table;
mod wide;

use complex::Complex;
use number::Number;
use table::{Row, Rule};

/// Type of arguments and values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Binary32,
    Binary64,
    /// 80 bits.
    Extended,
    Binary128,
}

/// A function of the table in one precision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Function {
    row: usize,
    pub format: Format,
    /// The integer argument has 64 bits, not 32.
    has_long_integer: bool,
}

/// What becomes of a call with active arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Treatment {
    /// Nothing: rules for its instructions are right.
    Instructions,
    /// The arguments become passive, and so everything that comes from them.
    Constant,
    /// The same, and the value is differentiated when the function returns.
    Differentiated,
    /// Nothing is known about the function: it is counted.
    Unknown,
}

/// How many numbers a function takes at most.
pub const MOST_ARGUMENTS: usize = 4;
/// How many it returns at most.
pub const MOST_VALUES: usize = 2;

/// By value and argument. Real and imaginary parts count as arguments and values of their own.
pub type Partials<N> = [[N; MOST_ARGUMENTS]; MOST_VALUES];

/// The arguments of a call.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<N> {
    pub numbers: [N; MOST_ARGUMENTS],
    /// The first general register.
    pub register: u64,
}

impl Function {
    /// What an engine does about calls with active arguments.
    pub fn treatment(self) -> Treatment {
        match Row::<f64>::ALL[self.row].rule {
            Rule::Instructions(_) => Treatment::Instructions,
            Rule::Constant(_) => Treatment::Constant,
            _ => Treatment::Differentiated,
        }
    }

    /// Partial derivatives of a call that has returned these values. What the function does not have stays zero.
    pub fn partials<N: Number>(self, arguments: &Arguments<N>, values: [N; MOST_VALUES]) -> Partials<N> {
        let [x, y, z, last] = arguments.numbers;
        let value = values[0];
        let (first, second) = (Complex::new(x, y), Complex::new(z, last));
        let complex_value = Complex::new(values[0], values[1]);
        let mut partials = [[N::zero(); MOST_ARGUMENTS]; MOST_VALUES];
        match Row::<N>::ALL[self.row].rule {
            Rule::Instructions(_) | Rule::Constant(_) => {}
            Rule::One(derivative) => partials[0][0] = derivative(x, value),
            Rule::Two(derivatives) => partials[0][..2].copy_from_slice(&derivatives(x, y, value)),
            Rule::EachOfTwo(derivatives) => {
                partials[0][..2].copy_from_slice(&derivatives.map(|derivative| derivative(x, y, value)));
            }
            Rule::WithInteger(derivative) => {
                partials[0][0] = derivative(self.integer(arguments.register), x, value);
            }
            Rule::SineAndCosine => {
                partials[0][0] = values[1];
                partials[1][0] = -values[0];
            }
            Rule::Complex(derivative) => holomorphic(&mut partials, 0, derivative(first, complex_value)),
            Rule::ComplexTwo(derivatives) => {
                let [with_first, with_second] = derivatives(first, second, complex_value);
                holomorphic(&mut partials, 0, with_first);
                holomorphic(&mut partials, 2, with_second);
            }
            Rule::ComplexParts(derivatives) => {
                for (row, parts) in partials.iter_mut().zip(derivatives(first, complex_value)) {
                    row[..2].copy_from_slice(&parts);
                }
            }
            Rule::OfComplex(derivatives) => partials[0][..2].copy_from_slice(&derivatives(first, value)),
        }
        for (row, value) in partials.iter_mut().zip(values) {
            if value.is_nan() {
                *row = [value; MOST_ARGUMENTS];
            }
        }
        partials
    }

    /// The integer argument, from the first general register.
    pub fn integer(self, register: u64) -> i64 {
        if self.has_long_integer {
            register as i64
        } else {
            i64::from(register as i32)
        }
    }
}

/// Enters the derivative with respect to the complex number whose real part is argument number `argument`: the equations
/// of Cauchy and Riemann.
fn holomorphic<N: Number>(partials: &mut Partials<N>, argument: usize, derivative: Complex<N>) {
    let Complex { real, imaginary } = derivative;
    partials[0][argument] = real;
    partials[0][argument + 1] = -imaginary;
    partials[1][argument] = imaginary;
    partials[1][argument + 1] = real;
}
