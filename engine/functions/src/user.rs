//! Functions that the user describes: partial derivatives as expressions in postfix form.
//!
//! The launcher compiles what the user has written, and the engine evaluates it. In between, a function is a line of
//! words: name, library (`*` for any), type, number of arguments, what is done; then the steps of each partial
//! derivative behind a semicolon. So `f * d 2 D ; x1 ; x0` is a product.

use crate::complex::{logarithm_of_one_plus, Complex};
use crate::number::Number;
use crate::{Arguments, Format, Treatment, MOST_ARGUMENTS};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display, Write};

/// Most numbers that an expression holds at a time.
pub const DEPTH: usize = 16;

/// What the user has said about a function of real numbers.
#[derive(Clone, PartialEq, Debug)]
pub struct UserFunction {
    pub name: String,
    /// How the name of the library's file begins; empty: any.
    pub library: String,
    pub format: Format,
    pub arguments: usize,
    /// The first general register holds a `long`, not an `int`.
    pub has_long_integer: bool,
    pub treatment: Treatment,
    /// With respect to each argument, if it is differentiated.
    pub partials: Vec<Vec<Step>>,
}

/// A step of an expression.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Step {
    Number(f64),
    Argument(usize),
    /// The first integer argument.
    Integer,
    /// What the function has returned.
    Value,
    /// A function of the last number.
    Unary(Unary),
    /// A function of the last two numbers.
    Binary(Binary),
}

/// Functions with their names.
macro_rules! named {
    ($(#[$documentation:meta])* $type:ident: $($variant:ident = $name:literal),* $(,)?) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $type { $($variant),* }

        impl $type {
            pub const ALL: &'static [$type] = &[$($type::$variant),*];

            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),* }
            }

            pub fn named(name: &str) -> Option<$type> {
                $type::ALL.iter().copied().find(|function| function.name() == name)
            }
        }
    };
}

named! {
    /// Functions of one number.
    Unary: Negated = "neg", Abs = "abs", Sign = "sign", Sqrt = "sqrt", Cbrt = "cbrt", Exp = "exp", Exp2 = "exp2",
    Expm1 = "expm1", Log = "log", Log2 = "log2", Log10 = "log10", Log1p = "log1p", Sin = "sin", Cos = "cos", Tan = "tan",
    Asin = "asin", Acos = "acos", Atan = "atan", Sinh = "sinh", Cosh = "cosh", Tanh = "tanh", Asinh = "asinh",
    Acosh = "acosh", Atanh = "atanh",
}

named! {
    /// Operators, and functions of two numbers.
    Binary: Sum = "+", Difference = "-", Product = "*", Quotient = "/", Power = "^", Pow = "pow", Atan2 = "atan2",
    Hypot = "hypot", Min = "min", Max = "max",
}

impl Step {
    /// How many numbers it takes and leaves.
    fn effect(self) -> (usize, usize) {
        match self {
            Step::Number(_) | Step::Argument(_) | Step::Integer | Step::Value => (0, 1),
            Step::Unary(_) => (1, 1),
            Step::Binary(_) => (2, 1),
        }
    }

    fn parse(word: &str) -> Option<Step> {
        if let Some(bits) = word.strip_prefix('#') {
            return Some(Step::Number(f64::from_bits(u64::from_str_radix(bits, 16).ok()?)));
        }
        if let Some(number) = word.strip_prefix('x').and_then(|number| number.parse().ok()) {
            return Some(Step::Argument(number)).filter(|_| number < MOST_ARGUMENTS);
        }
        match word {
            "n" => Some(Step::Integer),
            "value" => Some(Step::Value),
            _ => Unary::named(word).map(Step::Unary).or_else(|| Binary::named(word).map(Step::Binary)),
        }
    }
}

impl Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Step::Number(number) => write!(formatter, "#{:x}", number.to_bits()),
            Step::Argument(number) => write!(formatter, "x{number}"),
            Step::Integer => formatter.write_str("n"),
            Step::Value => formatter.write_str("value"),
            Step::Unary(function) => formatter.write_str(function.name()),
            Step::Binary(function) => formatter.write_str(function.name()),
        }
    }
}

/// Does each step find its numbers, is there room for them, and is one left?
pub fn is_sound(steps: &[Step]) -> bool {
    let mut depth = 0usize;
    for step in steps {
        let (takes, leaves) = step.effect();
        let Some(rest) = depth.checked_sub(takes) else { return false };
        depth = rest + leaves;
        if depth > DEPTH {
            return false;
        }
    }
    depth == 1
}

const FORMATS: [(&str, Format); 3] =
    [("f", Format::Binary32), ("d", Format::Binary64), ("l", Format::Extended)];
const TREATMENTS: [(&str, Treatment); 3] =
    [("D", Treatment::Differentiated), ("P", Treatment::Constant), ("I", Treatment::Instructions)];

impl UserFunction {
    /// Reads the line that [`Display`] writes.
    pub fn parse(line: &str) -> Option<UserFunction> {
        let mut parts = line.split(';');
        let mut words = parts.next()?.split_whitespace();
        let mut next = || words.next();
        let (name, library) = (next()?.to_string(), next()?);
        let library = if library == "*" { String::new() } else { library.to_string() };
        let letter = next()?;
        let format = FORMATS.iter().find(|(known, _)| *known == letter)?.1;
        let arguments = next()?.parse().ok()?;
        let letter = next()?;
        let treatment = TREATMENTS.iter().find(|(known, _)| *known == letter)?.1;
        let has_long_integer = next() == Some("long");
        let steps = |part: &str| part.split_whitespace().map(Step::parse).collect::<Option<Vec<_>>>();
        let partials: Vec<_> = parts.map(steps).collect::<Option<_>>()?;
        let expected = if treatment == Treatment::Differentiated { arguments } else { 0 };
        let is_sound = partials.len() == expected && partials.iter().all(|steps| is_sound(steps));
        let function =
            UserFunction { name, library, format, arguments, has_long_integer, treatment, partials };
        is_sound.then_some(function)
    }

    /// Partial derivatives of a call.
    pub(crate) fn partials<N: Number>(
        &self,
        arguments: &Arguments<N>,
        integer: i64,
        value: N,
    ) -> [N; MOST_ARGUMENTS] {
        let mut all = [N::zero(); MOST_ARGUMENTS];
        for (partial, steps) in all.iter_mut().zip(&self.partials) {
            *partial = evaluated(steps, arguments, integer, value);
        }
        all
    }
}

impl Display for UserFunction {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let library = if self.library.is_empty() { "*" } else { &self.library };
        let format =
            FORMATS.iter().find(|(_, format)| *format == self.format).map_or("?", |(letter, _)| letter);
        let treatment = TREATMENTS.iter().find(|(_, known)| *known == self.treatment);
        let treatment = treatment.map_or("?", |(letter, _)| letter);
        let integer = if self.has_long_integer { " long" } else { "" };
        write!(formatter, "{} {library} {format} {} {treatment}{integer}", self.name, self.arguments)?;
        for steps in &self.partials {
            formatter.write_char(';')?;
            for step in steps {
                write!(formatter, " {step}")?;
            }
        }
        Ok(())
    }
}

/// NaN where the steps are not sound.
fn evaluated<N: Number>(steps: &[Step], arguments: &Arguments<N>, integer: i64, value: N) -> N {
    let mut numbers = [N::nan(); DEPTH];
    let mut depth = 0usize;
    for step in steps {
        let (takes, _) = step.effect();
        let Some(first) = depth.checked_sub(takes).filter(|first| *first < DEPTH) else {
            return N::nan();
        };
        let x = numbers[first];
        numbers[first] = match step {
            Step::Number(number) => N::of(*number),
            Step::Argument(number) => arguments.numbers[*number],
            Step::Integer => N::of(integer as f64),
            Step::Value => value,
            Step::Unary(function) => unary(*function, x),
            Step::Binary(function) => binary(*function, x, numbers[first + 1]),
        };
        depth = first + 1;
    }
    numbers[0]
}

fn unary<N: Number>(function: Unary, x: N) -> N {
    let (one, half) = (N::one(), N::of(0.5));
    match function {
        Unary::Negated => -x,
        Unary::Abs => x.abs(),
        Unary::Sign if x > N::zero() => one,
        Unary::Sign if x < N::zero() => -one,
        Unary::Sign => x,
        Unary::Sqrt => x.sqrt(),
        Unary::Cbrt => cube_root(x),
        Unary::Exp => x.exp(),
        Unary::Exp2 => x.exp2(),
        Unary::Expm1 if x.abs() < one => N::of(2.0) * (x * half).sinh() * (x * half).exp(),
        Unary::Expm1 => x.exp() - one,
        Unary::Log => x.ln(),
        Unary::Log2 => x.ln() / N::ln_2(),
        Unary::Log10 => x.ln() / N::ln_10(),
        Unary::Log1p => logarithm_of_one_plus(x),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Tan => x.sin() / x.cos(),
        Unary::Asin => x.atan2(((one - x) * (one + x)).sqrt()),
        Unary::Acos => ((one - x) * (one + x)).sqrt().atan2(x),
        Unary::Atan => x.atan2(one),
        Unary::Sinh => x.sinh(),
        Unary::Cosh => x.cosh(),
        Unary::Tanh if x.abs() > N::of(50.0) => unary(Unary::Sign, x),
        Unary::Tanh => x.sinh() / x.cosh(),
        Unary::Asinh => {
            let root = Complex::new(one, x).absolute();
            let rest = if root.is_finite() { x.abs() / (one + root) } else { one };
            unary(Unary::Sign, x) * logarithm_of_one_plus(x.abs() + x.abs() * rest)
        }
        Unary::Acosh => logarithm_of_one_plus(x - one + (x - one).sqrt() * (x + one).sqrt()),
        Unary::Atanh => half * logarithm_of_one_plus(N::of(2.0) * x / (one - x)),
    }
}

fn binary<N: Number>(function: Binary, x: N, y: N) -> N {
    match function {
        Binary::Sum => x + y,
        Binary::Difference => x - y,
        Binary::Product => x * y,
        Binary::Quotient => x / y,
        Binary::Power | Binary::Pow => power(x, y),
        Binary::Atan2 => x.atan2(y),
        Binary::Hypot => Complex::new(x, y).absolute(),
        Binary::Min if y < x || y.is_nan() => y,
        Binary::Max if y > x || y.is_nan() => y,
        Binary::Min | Binary::Max => x,
    }
}

/// Small integral exponents, which are those of formulas, without a logarithm.
fn power<N: Number>(base: N, exponent: N) -> N {
    const SMALL: f64 = 32.0;
    if exponent.rounded() != exponent || exponent.abs() > N::of(SMALL) {
        return base.pow(exponent);
    }
    let count = exponent.to_f64() as i32;
    let product = (0..count.abs()).fold(N::one(), |product, _| product * base);
    if count < 0 {
        N::one() / product
    } else {
        product
    }
}

fn cube_root<N: Number>(x: N) -> N {
    if x == N::zero() || !x.is_finite() {
        return x;
    }
    let start = unary(Unary::Sign, x) * (x.abs().ln() / N::of(3.0)).exp();
    // One step of Newton's method makes up for the logarithm's rounding.
    start - (start - x / start.square()) / N::of(3.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extended::{with_free_unit, Extended};
    use crate::Function;
    use alloc::format;

    const LINE: &str = "smooth libclosed.so d 2 D; x0 x1 * #4000000000000000 ^; value n + neg";

    #[test]
    fn a_line_is_read_and_written() {
        let function = UserFunction::parse(LINE).expect("a function");
        assert_eq!(function.to_string(), LINE);
        assert_eq!(function.partials[1].len(), 4);
        let passive = UserFunction::parse("f * l 3 P long").expect("a function");
        assert_eq!((passive.treatment, passive.has_long_integer), (Treatment::Constant, true));
        for wrong in [
            "f * d 2 D; x0",
            "f * d 1 D; +",
            "f * d 1 D; x0 x0",
            "f * d 1 D; what",
            "f * q 1 P",
            "f * d 1 D; x9",
        ] {
            assert_eq!(UserFunction::parse(wrong), None, "{wrong}");
        }
        let deep = format!("f * d 1 D;{}", " x0".repeat(DEPTH + 1));
        assert_eq!(UserFunction::parse(&format!("{deep}{}", " +".repeat(DEPTH))), None);
    }

    #[test]
    fn derivatives_are_evaluated() {
        let function = UserFunction::parse(LINE).expect("a function");
        let function = Function::of_user(std::boxed::Box::leak(std::boxed::Box::new(function)));
        let arguments = Arguments { numbers: [1.5, 2.0, 0.0, 0.0], register: -3i64 as u64 };
        assert_eq!(function.partials(&arguments, [10.0, 0.0])[0], [9.0, -7.0, 0.0, 0.0]);
        let wide = |number| with_free_unit(|unit| unit.from_binary64(number));
        let arguments = Arguments { numbers: arguments.numbers.map(wide), register: arguments.register };
        let partials = function.extended_partials(&arguments, [wide(10.0), Extended::ZERO]);
        assert_eq!(partials[0][..2], [wide(9.0), wide(-7.0)]);
    }

    #[test]
    fn functions_are_those_of_the_standard_library() {
        let x = 0.7f64;
        for (function, expected) in [
            (Unary::Sign, 1.0),
            (Unary::Cbrt, x.cbrt()),
            (Unary::Exp2, x.exp2()),
            (Unary::Expm1, x.exp_m1()),
            (Unary::Log2, x.log2()),
            (Unary::Log10, x.log10()),
            (Unary::Log1p, x.ln_1p()),
            (Unary::Tan, x.tan()),
            (Unary::Asin, x.asin()),
            (Unary::Acos, x.acos()),
            (Unary::Atan, x.atan()),
            (Unary::Tanh, x.tanh()),
            (Unary::Asinh, x.asinh()),
            (Unary::Atanh, x.atanh()),
        ] {
            let found = unary(function, x);
            assert!((found - expected).abs() < 1e-15, "{function:?}: {found} instead of {expected}");
        }
        assert!((unary(Unary::Acosh, 1.7f64) - 1.7f64.acosh()).abs() < 1e-15);
        assert!((unary(Unary::Asinh, -1e-9f64) + 1e-9).abs() < 1e-24);
        assert_eq!(unary(Unary::Tanh, -800f64), -1.0);
        for infinite in [Unary::Log1p, Unary::Asinh, Unary::Acosh, Unary::Exp2, Unary::Expm1] {
            assert_eq!(unary(infinite, f64::INFINITY), f64::INFINITY, "{infinite:?}");
        }
        assert_eq!(binary(Binary::Min, 1.0, 2.0) + binary(Binary::Max, 1.0, 2.0), 3.0);
        assert_eq!(binary(Binary::Power, -2.0, -3.0), -0.125);
        assert!((binary(Binary::Power, 2.0f64, 0.5) - 2f64.sqrt()).abs() < 1e-15);
        assert_eq!((binary(Binary::Hypot, 3.0, 4.0), binary(Binary::Atan2, 0.0, 1.0)), (5.0, 0.0));
    }
}
