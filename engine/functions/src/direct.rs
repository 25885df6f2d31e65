//! Functions whose calls translated code differentiates by itself: of one or two binary64 or binary32 numbers in vector
//! registers, with one value there, and `sincos`.

use crate::table::{Row, Rule};
use crate::{Format, Function, Which};

/// Partial derivatives of such a function, without anything that its kind does not need.
#[derive(Clone, Copy)]
pub enum Formula {
    One(fn(x: f64, value: f64) -> f64),
    Two(fn(x: f64, y: f64, value: f64) -> [f64; 2]),
    EachOfTwo([fn(x: f64, y: f64, value: f64) -> f64; 2]),
    WithInteger(fn(integer: i64, x: f64, value: f64) -> f64),
    /// The values go through pointers in the first two general registers.
    SineAndCosine,
}

impl Formula {
    /// Does the function take something in general registers?
    pub fn needs_registers(self) -> bool {
        matches!(self, Formula::WithInteger(_) | Formula::SineAndCosine)
    }
}

impl Function {
    /// The formula, if the function is one of these.
    pub fn formula(self) -> Option<Formula> {
        let is_in_registers = matches!(self.format, Format::Binary32 | Format::Binary64);
        let row = match self.which {
            Which::Row(row) if is_in_registers && self.result == self.format && self.vector.is_none() => row,
            _ => return None,
        };
        match Row::<f64>::ALL[row].rule {
            Rule::One(derivative) => Some(Formula::One(derivative)),
            Rule::Two(derivatives) => Some(Formula::Two(derivatives)),
            Rule::EachOfTwo(derivatives) => Some(Formula::EachOfTwo(derivatives)),
            Rule::WithInteger(derivative) => Some(Formula::WithInteger(derivative)),
            Rule::SineAndCosine => Some(Formula::SineAndCosine),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::names;

    #[test]
    fn numbers_in_registers_only() {
        let is_direct = |name: &str| names::find(name.as_bytes()).unwrap().formula().is_some();
        for name in ["sin", "sinf", "pow", "powf", "scalbn", "sincos", "jnf"] {
            assert!(is_direct(name), "{name}");
        }
        for name in ["sinl", "cexp", "floor", "fmax", "fadd", "_ZGVbN2v_sin", "__svml_sin1"] {
            assert!(!is_direct(name), "{name}");
        }
    }
}
