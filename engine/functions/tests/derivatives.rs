//! All functions against derivatives with 40 digits, which `reference.py` computes with mpmath by difference quotients of
//! the functions themselves.

use derivgrind_functions::extended::{with_free_unit, Extended};
use derivgrind_functions::{names, Arguments, Function, MOST_ARGUMENTS, MOST_VALUES};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::OnceLock;

/// Points for each function.
const POINTS: usize = 12;
const POINTS_IN_FULL_TESTS: usize = 300;

/// A number as the sum of two.
type Sum = (f64, f64);

struct Line {
    name: String,
    integer: i64,
    arguments: Vec<Sum>,
    values: Vec<Sum>,
    partials: Vec<Sum>,
}

impl Line {
    /// By value and argument.
    fn expected(&self) -> Vec<Vec<Sum>> {
        let is_complex = self.arguments.len() > 1 && self.values.len() == 2;
        if !is_complex {
            return vec![self.partials.clone()];
        }
        let minus = |(high, low): Sum| (-high, -low);
        let real = self.partials.chunks(2).flat_map(|pair| [pair[0], minus(pair[1])]).collect();
        let imaginary = self.partials.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
        vec![real, imaginary]
    }

    fn function(&self, format: &str) -> Function {
        let name = format!("{}{format}", self.name);
        names::find(name.as_bytes()).unwrap_or_else(|| panic!("{name} is not in the table"))
    }
}

fn lines() -> &'static [Line] {
    static LINES: OnceLock<Vec<Line>> = OnceLock::new();
    LINES.get_or_init(computed_lines)
}

fn computed_lines() -> Vec<Line> {
    let points =
        if std::env::var_os("DERIVGRIND_FULL_TESTS").is_some() { POINTS_IN_FULL_TESTS } else { POINTS };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference.py");
    let output = Command::new("python3").args([script, &points.to_string(), "1"]).output();
    let output = output.expect("python3 runs");
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
    let mut next = || parts.next().expect("three parts");
    let first = next();
    let sums = |words: &[&str]| words.iter().map(|word| sum(word)).collect();
    let (name, integer) = (first[0].to_string(), first[1].parse().expect("an integer"));
    Line { name, integer, arguments: sums(&first[2..]), values: sums(&next()), partials: sums(&next()) }
}

fn fill<N: Copy, const LENGTH: usize>(zero: N, numbers: impl Iterator<Item = N>) -> [N; LENGTH] {
    let mut all = [zero; LENGTH];
    for (place, number) in all.iter_mut().zip(numbers) {
        *place = number;
    }
    all
}

/// Errors that are allowed, in units of the last place of a partial derivative.
fn limit(name: &str) -> f64 {
    match name {
        // Differences of neighbours, and the digamma function near its zero.
        "j0" | "j1" | "y0" | "y1" | "jn" | "yn" => 3000.0,
        "tgamma" | "lgamma" => 300.0,
        // Powers by a logarithm, and roots of differences.
        "casin" | "cacos" | "casinh" | "cacosh" | "catan" | "catanh" | "clog" | "cpow" | "exp10m1" => 100.0,
        _ => 8.0,
    }
}

fn largest_errors(
    lines: &[Line],
    unit: f64,
    compute: impl Fn(&Line) -> Vec<Vec<f64>>,
) -> BTreeMap<&str, f64> {
    let mut errors: BTreeMap<&str, f64> = BTreeMap::new();
    for line in lines {
        let found = compute(line);
        for (found, expected) in found.iter().zip(line.expected()) {
            // Parts of a complex derivative are compared with the larger one.
            let smallest = f64::MIN_POSITIVE / unit;
            let size = expected.iter().map(|(high, _)| high.abs()).fold(smallest, f64::max);
            for (error, (high, _)) in found.iter().zip(&expected) {
                let scale = if line.name.starts_with('c') { size } else { high.abs().max(smallest) };
                let relative = error.abs() / scale / unit;
                let largest = errors.entry(&line.name).or_default();
                // NaN is an error, too.
                *largest = if relative.is_nan() { f64::INFINITY } else { largest.max(relative) };
            }
        }
    }
    errors
}

fn judge(errors: &BTreeMap<&str, f64>, limit: impl Fn(&str) -> f64) {
    let wrong: Vec<_> = errors.iter().filter(|(name, error)| **error > limit(name)).collect();
    assert!(wrong.is_empty(), "units of the last place: {wrong:?}");
    assert!(errors.len() > 60);
}

#[test]
fn binary64() {
    let lines = lines();
    let errors = largest_errors(lines, f64::EPSILON, |line| {
        let numbers = fill(0.0, line.arguments.iter().map(|(high, _)| *high));
        let values = fill(0.0, line.values.iter().map(|(high, _)| *high));
        let arguments = Arguments { numbers, register: line.integer as u64 };
        let partials = line.function("").partials(&arguments, values);
        let differences = |(found, expected): (&[f64; MOST_ARGUMENTS], Vec<Sum>)| {
            found.iter().zip(expected).map(|(found, (high, low))| (found - high) - low).collect()
        };
        partials.iter().zip(line.expected()).map(differences).collect()
    });
    judge(&errors, limit);
}

#[test]
fn extended() {
    let lines = lines();
    let unit = 2f64.powi(-63);
    let errors = largest_errors(lines, unit, |line| {
        let wide = |(high, low): Sum| {
            with_free_unit(|unit| unit.sum(unit.from_binary64(high), unit.from_binary64(low)))
        };
        let numbers: [Extended; MOST_ARGUMENTS] =
            fill(Extended::ZERO, line.arguments.iter().copied().map(wide));
        let values: [Extended; MOST_VALUES] = fill(Extended::ZERO, line.values.iter().copied().map(wide));
        let arguments = Arguments { numbers, register: line.integer as u64 };
        let partials = line.function("l").extended_partials(&arguments, values);
        let difference = |(found, (high, low)): (&Extended, Sum)| {
            with_free_unit(|unit| {
                let rest = unit.difference(*found, unit.from_binary64(high));
                unit.to_binary64(unit.difference(rest, unit.from_binary64(low)))
            })
        };
        let differences = |(found, expected): (&[Extended; MOST_ARGUMENTS], Vec<Sum>)| {
            found.iter().zip(expected).map(difference).collect()
        };
        partials.iter().zip(line.expected()).map(differences).collect()
    });
    judge(&errors, |name| match name {
        // These are computed with the precision of binary64.
        "j0" | "j1" | "y0" | "y1" | "jn" | "yn" => 3000.0 * 2048.0,
        // And these above 10^8.
        "cos" | "sin" => 2.0 * 2048.0,
        _ => limit(name),
    });
}
