//! All functions against derivatives with 40 digits.

mod reference;

use derivgrind_functions::extended::{with_free_unit, Extended};
use derivgrind_functions::{names, Arguments, Function, MOST_ARGUMENTS, MOST_VALUES};
use reference::{Line, Sum};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Points for each function.
const POINTS: usize = 8;
const POINTS_IN_FULL_TESTS: usize = 100;

fn function(line: &Line, format: &str) -> Function {
    let name = format!("{}{format}", line.name);
    names::find(name.as_bytes()).unwrap_or_else(|| panic!("{name} is not in the table"))
}

fn lines() -> &'static [Line] {
    static LINES: OnceLock<Vec<Line>> = OnceLock::new();
    let full = std::env::var_os("DERIVGRIND_FULL_TESTS").is_some();
    LINES.get_or_init(|| reference::lines(if full { POINTS_IN_FULL_TESTS } else { POINTS }, 53, 1000))
}

fn fill<N: Copy, const LENGTH: usize>(zero: N, numbers: impl Iterator<Item = N>) -> [N; LENGTH] {
    let mut all = [zero; LENGTH];
    for (place, number) in all.iter_mut().zip(numbers) {
        *place = number;
    }
    all
}

/// Largest error that is allowed, in units of the last place of a partial derivative, or of how much it changes with
/// the logarithm of an argument.
const LIMIT: f64 = 4.0;

fn largest_errors(
    lines: &[Line],
    unit: f64,
    compute: impl Fn(&Line) -> Vec<Vec<f64>>,
) -> BTreeMap<&str, f64> {
    let mut errors: BTreeMap<&str, f64> = BTreeMap::new();
    for line in lines {
        // Both values of a complex function have parts of the same derivative.
        for errors_of_value in compute(line) {
            for (error, (size, _)) in errors_of_value.iter().zip(&line.sizes) {
                let relative = error.abs() / size.max(f64::MIN_POSITIVE / unit) / unit;
                let largest = errors.entry(&line.name).or_default();
                // NaN is an error, too.
                *largest = if relative.is_nan() { f64::INFINITY } else { largest.max(relative) };
            }
        }
    }
    errors
}

fn judge(errors: &BTreeMap<&str, f64>) {
    let wrong: Vec<_> = errors.iter().filter(|(_, error)| **error > LIMIT).collect();
    assert!(wrong.is_empty(), "units of the last place: {wrong:?}");
    assert!(errors.len() > 70);
}

#[test]
fn binary64() {
    let lines = lines();
    let errors = largest_errors(lines, f64::EPSILON, |line| {
        let numbers = fill(0.0, line.arguments.iter().map(|(high, _)| *high));
        let values = fill(0.0, line.values.iter().map(|(high, _)| *high));
        let arguments = Arguments { numbers, register: line.integer as u64 };
        let partials = function(line, "").partials(&arguments, values);
        let differences = |(found, expected): (&[f64; MOST_ARGUMENTS], Vec<Sum>)| {
            found.iter().zip(expected).map(|(found, (high, low))| (found - high) - low).collect()
        };
        partials.iter().zip(line.expected()).map(differences).collect()
    });
    judge(&errors);
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
        let partials = function(line, "l").extended_partials(&arguments, values);
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
    judge(&errors);
}
