//! Expressions of partial derivatives: a parser by recursive descent that writes postfix steps.
//!
//! `x`, `y`, `z`, `w` or `x1` to `x4` are the arguments, `value` is what the function has returned, `n` its first
//! integer argument. Operators bind as in mathematics: `-x^2` is `-(x^2)`, and `2^3^2` is `2^(3^2)`.

use super::Wrong;
use derivgrind_functions::user::{is_sound, Binary, Step, Unary};
use toml::Spanned;

const ARGUMENTS: [&[&str]; 4] = [&["x", "x1"], &["y", "x2"], &["z", "x3"], &["w", "x4"]];

/// Compiles an expression of a function with so many arguments.
pub fn compiled(text: &Spanned<String>, arguments: usize) -> Result<Vec<Step>, Wrong> {
    let mut parser = Parser {
        text: text.as_ref(),
        position: 0,
        // Behind the quotation mark; an expression has no need for escapes.
        start: text.span().start + 1,
        arguments,
        steps: Vec::new(),
        depth: 0,
    };
    parser.sum()?;
    if !parser.rest().is_empty() {
        return Err(parser.unexpected());
    }
    if is_sound(&parser.steps) {
        Ok(parser.steps)
    } else {
        Err(Wrong::new(text.span(), "the expression is nested too deeply"))
    }
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
    /// Where the expression begins in the file.
    start: usize,
    arguments: usize,
    steps: Vec<Step>,
    depth: usize,
}

/// Parentheses and signs within each other.
const DEEPEST: usize = 64;

impl<'a> Parser<'a> {
    /// What follows, without spaces in front.
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.position..];
        let trimmed = rest.trim_start();
        self.position += rest.len() - trimmed.len();
        trimmed
    }

    fn take(&mut self, symbol: char) -> bool {
        let found = self.rest().starts_with(symbol);
        if found {
            self.position += symbol.len_utf8();
        }
        found
    }

    fn wrong(&self, position: usize, what: String) -> Wrong {
        let place = self.start + position;
        Wrong::new(place..place, what)
    }

    fn unexpected(&mut self) -> Wrong {
        let what = match self.rest().chars().next() {
            Some(symbol) => format!("`{symbol}` is not expected here"),
            None => "the expression is not complete".to_string(),
        };
        self.wrong(self.position, what)
    }

    fn sum(&mut self) -> Result<(), Wrong> {
        self.product()?;
        loop {
            let operator = match self.rest().chars().next() {
                Some('+') => Binary::Sum,
                Some('-') => Binary::Difference,
                _ => return Ok(()),
            };
            self.position += 1;
            self.product()?;
            self.steps.push(Step::Binary(operator));
        }
    }

    fn product(&mut self) -> Result<(), Wrong> {
        self.signed()?;
        loop {
            let operator = match self.rest().chars().next() {
                Some('*') => Binary::Product,
                Some('/') => Binary::Quotient,
                _ => return Ok(()),
            };
            self.position += 1;
            self.signed()?;
            self.steps.push(Step::Binary(operator));
        }
    }

    fn signed(&mut self) -> Result<(), Wrong> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong(self.position, "the expression is nested too deeply".to_string()));
        }
        if self.take('-') {
            self.signed()?;
            self.steps.push(Step::Unary(Unary::Negated));
        } else if self.take('+') {
            self.signed()?;
        } else {
            self.power()?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn power(&mut self) -> Result<(), Wrong> {
        self.primary()?;
        if self.take('^') {
            self.signed()?;
            self.steps.push(Step::Binary(Binary::Power));
        }
        Ok(())
    }

    fn primary(&mut self) -> Result<(), Wrong> {
        let rest = self.rest();
        match rest.chars().next() {
            Some('(') => {
                self.position += 1;
                self.sum()?;
                self.closed()
            }
            Some(digit) if digit.is_ascii_digit() || digit == '.' => self.number(rest),
            Some(letter) if letter.is_ascii_alphabetic() => self.named(rest),
            _ => Err(self.unexpected()),
        }
    }

    fn closed(&mut self) -> Result<(), Wrong> {
        if self.take(')') {
            Ok(())
        } else {
            Err(self.wrong(self.position, "a `)` is missing here".to_string()))
        }
    }

    fn number(&mut self, rest: &str) -> Result<(), Wrong> {
        let digits = |text: &str| {
            text.len() - text.trim_start_matches(|digit: char| digit.is_ascii_digit() || digit == '.').len()
        };
        let mut length = digits(rest);
        if let Some(exponent) = rest[length..].strip_prefix(['e', 'E']) {
            let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            let count = digits(unsigned);
            if count > 0 {
                length += 1 + exponent.len() - unsigned.len() + count;
            }
        }
        let Ok(number) = rest[..length].parse() else {
            return Err(self.wrong(self.position, format!("`{}` is no number", &rest[..length])));
        };
        self.position += length;
        self.steps.push(Step::Number(number));
        Ok(())
    }

    fn named(&mut self, rest: &str) -> Result<(), Wrong> {
        let length = rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (name, position) = (&rest[..length], self.position);
        self.position += length;
        if let Some(number) = ARGUMENTS.iter().position(|names| names.contains(&name)) {
            if number >= self.arguments {
                let what =
                    format!("`{name}` is argument {} of a function with {}", number + 1, self.arguments);
                return Err(self.wrong(position, what));
            }
            self.steps.push(Step::Argument(number));
            return Ok(());
        }
        let step = match name {
            "value" => Step::Value,
            "n" => Step::Integer,
            "pi" => Step::Number(std::f64::consts::PI),
            "e" => Step::Number(std::f64::consts::E),
            _ => return self.call(name, position),
        };
        self.steps.push(step);
        Ok(())
    }

    fn call(&mut self, name: &str, position: usize) -> Result<(), Wrong> {
        let (step, takes) = match (Unary::named(name), Binary::named(name)) {
            // This is how a minus sign is written in steps.
            (Some(function), _) if function != Unary::Negated => (Step::Unary(function), 1),
            (_, Some(function)) => (Step::Binary(function), 2),
            _ => {
                return Err(self.wrong(
                    position,
                    format!("`{name}` is neither an argument nor a function that is known"),
                ))
            }
        };
        let mut count = 0;
        if self.take('(') {
            count = 1;
            self.sum()?;
            while self.take(',') {
                count += 1;
                self.sum()?;
            }
            self.closed()?;
        }
        if count != takes {
            return Err(self.wrong(position, format!("`{name}` takes {takes} arguments, not {count}")));
        }
        self.steps.push(step);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> String {
        let steps = compiled(&Spanned::new(0..text.len(), text.to_string()), 4);
        let steps = steps.unwrap_or_else(|wrong| panic!("{text}: {}", wrong.what));
        steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn operators_bind_as_in_mathematics() {
        assert_eq!(steps("x + y * z"), "x0 x1 x2 * +");
        assert_eq!(steps("x - y - z"), "x0 x1 - x2 -");
        assert_eq!(steps("-x^y^z"), "x0 x1 x2 ^ ^ neg");
        assert_eq!(steps("x^-y"), "x0 x1 neg ^");
        assert_eq!(steps("(x + w) / n"), "x0 x3 + n /");
        assert_eq!(steps("atan2(sin(x), value)"), "x0 sin value atan2");
    }

    #[test]
    fn numbers() {
        let of = |number: f64| format!("#{:x}", number.to_bits());
        assert_eq!(steps("1.5e-3"), of(1.5e-3));
        assert_eq!(steps(".5"), of(0.5));
    }
}
