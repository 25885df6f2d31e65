//! Functions at some points with values and derivatives of 40 digits, which `derivatives.py` computes with mpmath by
//! difference quotients of the functions themselves.

use std::process::Command;

const SCRIPT: &str = include_str!("derivatives.py");

/// A number as the sum of two.
pub type Sum = (f64, f64);

/// A function at a point.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: String,
    pub integer: i64,
    pub arguments: Vec<Sum>,
    pub values: Vec<Sum>,
    /// As printed: of holomorphic functions the complex derivatives.
    partials: Vec<Sum>,
    /// By argument: what errors are compared with.
    pub sizes: Vec<Sum>,
}

impl Line {
    /// Partial derivatives by value and argument.
    pub fn expected(&self) -> Vec<Vec<Sum>> {
        let is_complex = self.arguments.len() > 1 && self.values.len() == 2;
        if !is_complex {
            return vec![self.partials.clone()];
        }
        let minus = |(high, low): Sum| (-high, -low);
        let real = self.partials.chunks(2).flat_map(|pair| [pair[0], minus(pair[1])]).collect();
        let imaginary = self.partials.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
        vec![real, imaginary]
    }
}

/// All functions at so many points whose arguments have so many bits; arguments and derivatives are between two to the
/// power of minus the largest exponent, and two to the power of it.
pub fn lines(points: usize, bits: usize, largest_exponent: usize) -> Vec<Line> {
    let numbers = [points, 1, bits, largest_exponent].map(|number| number.to_string());
    let output = Command::new("python3").args(["-c", SCRIPT]).args(numbers).output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(parsed).collect()
}

fn parsed(line: &str) -> Line {
    let sum = |word: &str| {
        let (high, low) = word.split_once(',').expect("two parts");
        (high.parse().expect("a number"), low.parse().expect("a number"))
    };
    let mut parts = line.split(" ; ").map(|part| part.split(' ').collect::<Vec<_>>());
    let mut next = || parts.next().expect("four parts");
    let first = next();
    let sums = |words: &[&str]| words.iter().map(|word| sum(word)).collect();
    Line {
        name: first[0].to_string(),
        integer: first[1].parse().expect("an integer"),
        arguments: sums(&first[2..]),
        values: sums(&next()),
        partials: sums(&next()),
        sizes: sums(&next()),
    }
}
