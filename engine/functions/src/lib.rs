//! Mathematical functions of libraries, and their derivatives.
//!
//! A library computes its functions by look-ups in tables, on the bits of numbers, by polynomials whose derivatives
//! are no good approximations of the derivative. So rules for instructions do not give the derivative of the
//! function. The engine calls none of the functions here in place of the client's: it waits for the client's own
//! function to return, and then asks, knowing arguments and values, for the partial derivatives.
//!
//! [`table`] says what the derivatives are, in formulas for any precision of [`Number`]; [`names`] finds a function
//! by the names that libraries give it; [`places`] says where the calling convention has arguments and values.
//!
//! The crate is pure: no state, no system calls, no memory but that of its results.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod angles;
mod bessel;
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
pub mod user;
mod vectors;
mod wide;

use complex::Complex;
use number::Number;
use table::{Row, Rule};
use user::UserFunction;
use vectors::Vector;

pub use vectors::Mask;

/// Type of arguments and values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Binary32,
    Binary64,
    /// 80 bits.
    Extended,
    Binary128,
}

/// A function of the table, or the user's, in one precision.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Function {
    which: Which,
    /// Type of the arguments.
    pub format: Format,
    /// Type of the values.
    pub result: Format,
    /// The integer argument has 64 bits, not 32.
    has_long_integer: bool,
    /// The function takes vectors of arguments.
    vector: Option<Vector>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Which {
    /// Position in the table.
    Row(usize),
    User(&'static UserFunction),
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
    /// A function that the user has described.
    pub fn of_user(user: &'static UserFunction) -> Function {
        Function {
            which: Which::User(user),
            format: user.format,
            result: user.format,
            has_long_integer: user.has_long_integer,
            vector: None,
        }
    }

    /// What an engine does about calls with active arguments.
    pub fn treatment(self) -> Treatment {
        let row = match self.which {
            Which::Row(row) => row,
            Which::User(user) => return user.treatment,
        };
        match Row::<f64>::ALL[row].rule {
            Rule::Instructions(_) => Treatment::Instructions,
            Rule::Constant(_) => Treatment::Constant,
            Rule::ThreeOfExtended(_) if self.format != Format::Extended => Treatment::Instructions,
            _ => Treatment::Differentiated,
        }
    }

    /// How many calls a call stands for: more than one if the arguments are vectors.
    pub fn lanes(self) -> usize {
        self.vector.map_or(1, |vector| vector.lanes)
    }

    /// Which lanes are computed. Behind the arguments of a lane are its values for the case that mask register k1
    /// excludes it.
    pub fn mask(self) -> Mask {
        self.vector.map_or(Mask::All, |vector| vector.mask)
    }

    /// Vector registers above those of arguments live on behind a call.
    pub fn keeps_registers(self) -> bool {
        self.vector.is_some_and(|vector| vector.keeps_registers)
    }

    /// Partial derivatives of a call that has returned these values. What the function does not have stays zero.
    pub fn partials<N: Number>(self, arguments: &Arguments<N>, values: [N; MOST_VALUES]) -> Partials<N> {
        let [x, y, z, last] = arguments.numbers;
        let value = values[0];
        let (first, second) = (Complex::new(x, y), Complex::new(z, last));
        let complex_value = Complex::new(values[0], values[1]);
        let mut partials = [[N::zero(); MOST_ARGUMENTS]; MOST_VALUES];
        let row = match self.which {
            Which::Row(row) => row,
            Which::User(user) => {
                partials[0] = user.partials(arguments, self.integer(arguments.register), value);
                return partials;
            }
        };
        match Row::<N>::ALL[row].rule {
            Rule::Instructions(_) | Rule::Constant(_) => {}
            Rule::One(derivative) => partials[0][0] = derivative(x, value),
            Rule::Two(derivatives) => partials[0][..2].copy_from_slice(&derivatives(x, y, value)),
            Rule::EachOfTwo(derivatives) => {
                partials[0][..2].copy_from_slice(&derivatives.map(|derivative| derivative(x, y, value)));
            }
            Rule::Three(derivatives) | Rule::ThreeOfExtended(derivatives) => {
                partials[0][..3].copy_from_slice(&derivatives(x, y, z, value))
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

/// Enters the derivative with respect to the complex number whose real part is argument number `argument`: the
/// equations of Cauchy and Riemann.
fn holomorphic<N: Number>(partials: &mut Partials<N>, argument: usize, derivative: Complex<N>) {
    let Complex { real, imaginary } = derivative;
    partials[0][argument] = real;
    partials[0][argument + 1] = -imaginary;
    partials[1][argument] = imaginary;
    partials[1][argument + 1] = real;
}
