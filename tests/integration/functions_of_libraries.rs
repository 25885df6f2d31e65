//! Every function of the C library in each precision, forward and recorded, against derivatives with 40 digits.

#[path = "../../engine/functions/tests/reference/mod.rs"]
mod reference;

use derivgrind_tape::file::Tape;
use derivgrind_tape::program::Direction;
use derivgrind_tests::lines::is_alarmed;
use derivgrind_tests::{compile, derivgrind, full, repository, run, Finished, Program, Shadows};
use reference::Line;
use std::collections::BTreeMap;
use std::path::PathBuf;

const POINTS: usize = 3;
const POINTS_IN_FULL_TESTS: usize = 50;

/// A precision: options of the guest, bits of a number, the largest exponent that is tested.
struct Precision {
    options: &'static [&'static str],
    bits: usize,
    largest_exponent: usize,
}

const PRECISIONS: [Precision; 3] = [
    Precision { options: &["-DREAL=float", "-DREAL_IS_FLOAT"], bits: 24, largest_exponent: 120 },
    Precision { options: &["-DREAL=double"], bits: 53, largest_exponent: 1000 },
    Precision { options: &["-DREAL=long double", "-DREAL_IS_EXTENDED"], bits: 64, largest_exponent: 1000 },
];

/// Largest error that is allowed, in units of the last place.
const LIMIT: f64 = 4.0;

impl Precision {
    fn lines(&self) -> Vec<Line> {
        let points = if full() { POINTS_IN_FULL_TESTS } else { POINTS };
        // The script's arguments have at most the bits of binary64.
        reference::lines(points, self.bits.min(53), self.largest_exponent)
    }

    fn guest(&self) -> PathBuf {
        let options = [&["-O1"], self.options].concat();
        let guest = Program { libraries: &["-ldl"], ..Program::c(&["functions_by_name.c"], &options) };
        compile(&guest).unwrap()
    }

    fn judge(&self, errors: &BTreeMap<String, f64>) {
        let is_wrong = |(_, error): &(&String, &f64)| **error > LIMIT;
        let wrong: Vec<_> = errors.iter().filter(is_wrong).collect();
        assert!(wrong.is_empty(), "{} bits, units of the last place: {wrong:?}", self.bits);
        // What this library has of the table.
        assert!(errors.len() >= 50, "{:?}", errors.keys());
    }
}

/// How the guest calls a function.
fn kind(line: &Line) -> &'static str {
    match (line.name.as_str(), line.arguments.len(), line.values.len()) {
        ("jn" | "yn", ..) => "n1",
        ("ldexp", ..) => "1n",
        ("cabs" | "carg", ..) => "r1",
        (_, 2, 2) => "c1",
        (_, 4, 2) => "c2",
        (_, 2, 1) => "2",
        _ => "1",
    }
}

/// What the guest reads.
fn request(lines: &[Line]) -> String {
    let one = |line: &Line| {
        let numbers: Vec<_> = line.arguments.iter().map(|(high, _)| format!("{high:e}")).collect();
        format!("{} {} {} {}\n", line.name, kind(line), line.integer, numbers.join(" "))
    };
    lines.iter().map(one).collect()
}

/// Largest error of each function. `found` says for a line and an argument the derivatives of all values, as the
/// parts of sums; functions that the library does not have are left out.
fn largest_errors(
    lines: &[Line],
    unit: f64,
    mut found: impl FnMut(&Line, usize) -> Option<Vec<(f64, f64)>>,
) -> BTreeMap<String, f64> {
    let mut errors: BTreeMap<String, f64> = BTreeMap::new();
    for line in lines {
        for argument in 0..line.arguments.len() {
            let Some(derivatives) = found(line, argument) else { continue };
            for (row, (high, low)) in line.expected().iter().zip(derivatives) {
                let (expected, rest) = row[argument];
                let difference = ((high - expected) + low - rest).abs();
                let relative = difference / line.sizes[argument].0.max(f64::MIN_POSITIVE / unit) / unit;
                let largest = errors.entry(line.name.clone()).or_default();
                *largest = if relative.is_nan() { f64::INFINITY } else { largest.max(relative) };
            }
        }
    }
    errors
}

/// Words of the guest's lines `NAME ARGUMENT WORDS`, in their order.
struct Answers<'a> {
    lines: std::iter::Peekable<std::str::Lines<'a>>,
}

impl<'a> Answers<'a> {
    fn next(&mut self, name: &str, argument: usize) -> Option<Vec<&'a str>> {
        let prefix = format!("{name} {argument} ");
        let words = self.lines.peek()?.strip_prefix(&prefix)?;
        self.lines.next();
        Some(words.split(' ').collect())
    }
}

/// A number of 80 bits as `%La` prints it, as the sum of two.
fn wide_number(word: &str) -> (f64, f64) {
    let (sign, digits) = word.strip_prefix('-').map_or((1.0, word), |digits| (-1.0, digits));
    let Some((mantissa, exponent)) = digits.strip_prefix("0x").and_then(|digits| digits.split_once('p'))
    else {
        return (if digits == "inf" { sign * f64::INFINITY } else { f64::NAN }, 0.0);
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let bits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).expect("at most 64 bits");
    let exponent: i32 = exponent.parse().expect("a number");
    // Two steps, since the first power may be too small.
    let scale = |number: u64| {
        sign * number as f64
            * 2f64.powi(exponent / 2)
            * 2f64.powi(exponent - exponent / 2 - 4 * fraction.len() as i32)
    };
    (scale(bits >> 32 << 32), scale(bits & 0xffff_ffff))
}

fn run_guest(precision: &Precision, options: &[&str], lines: &[Line]) -> Finished {
    let guest = precision.guest();
    let requests = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(requests.path(), request(lines)).unwrap();
    let words = [guest.to_str().expect("plain names"), requests.path().to_str().expect("plain names")];
    let finished = run(&mut derivgrind(options, &words, Shadows::all()[0])).unwrap();
    assert!(finished.status.success(), "{}", finished.stderr());
    finished
}

fn forward_errors(
    precision: &Precision,
    options: &[&str],
    lines: &[Line],
) -> (BTreeMap<String, f64>, Finished) {
    let finished = run_guest(precision, options, lines);
    let output = finished.stdout();
    let mut answers = Answers { lines: output.lines().peekable() };
    let unit = 2f64.powi(1 - precision.bits as i32);
    let errors = largest_errors(lines, unit, |line, argument| {
        Some(answers.next(&line.name, argument)?.into_iter().map(wide_number).collect())
    });
    assert_eq!(answers.lines.next(), None);
    (errors, finished)
}

#[test]
fn forward() {
    for precision in &PRECISIONS {
        let (errors, finished) = forward_errors(precision, &[], &precision.lines());
        assert!(!is_alarmed(&finished.stderr()), "{}", finished.stderr());
        precision.judge(&errors);
    }
}

/// Rules for instructions are good enough if derivatives have ten digits. `docs/math.md` lists the others.
#[test]
fn functions_for_which_rules_alone_are_not_good_enough() {
    const GOOD: f64 = 1e-10;
    let precision = &PRECISIONS[1];
    let (errors, _) = forward_errors(precision, &["--math-interception=no"], &precision.lines());
    let is_bad = |(_, error): &(&String, &f64)| **error * f64::EPSILON > GOOD;
    let found: Vec<_> = errors.iter().filter(is_bad).map(|(name, _)| format!("`{name}`")).collect();
    let document = std::fs::read_to_string(repository("docs/math.md")).unwrap();
    let list = document.lines().find_map(|line| line.strip_prefix("Not good enough, with glibc: ")).unwrap();
    let listed: Vec<_> = list.trim_end_matches('.').split(", ").collect();
    let is_missing = |name: &&String| !listed.contains(&name.as_str());
    assert_eq!(found.iter().filter(is_missing).collect::<Vec<_>>(), Vec::<&String>::new(), "{errors:?}");
}

#[test]
fn special_points() {
    for options in [["-O0", "-fno-builtin"], ["-O2", "-fno-builtin"]] {
        let guest = Program { libraries: &["-lm"], ..Program::c(&["special_points.c"], &options) };
        let guest = compile(&guest).unwrap();
        for shadows in Shadows::all() {
            let words = [guest.to_str().expect("plain names")];
            let finished = run(&mut derivgrind(&[], &words, *shadows)).unwrap();
            assert!(!is_alarmed(&finished.stderr()), "{}", finished.stderr());
            let output = finished.stdout();
            let is_wrong = |line: &&str| {
                let words: Vec<&str> = line
                    .split(' ')
                    .map(|word| word.trim_start_matches("-nan").trim_start_matches("nan"))
                    .collect();
                words[1] != words[2]
            };
            assert_eq!(output.lines().filter(is_wrong).collect::<Vec<_>>(), Vec::<&str>::new());
            assert!(output.lines().count() > 60, "{output}");
        }
    }
}

/// Modules of Python, and loops of NumPy, which has functions of its own for some types and processors: those are
/// differentiated by rules for their instructions.
#[test]
fn python_and_numpy() {
    let options = &["-O1", "-shared", "-fPIC"];
    let library = compile(&Program::c(&["shadows_of_arrays.c"], options)).unwrap();
    let script = repository("tests/guests/python_functions.py");
    let words = ["/usr/bin/python3", script.to_str().unwrap(), library.to_str().unwrap()];
    let finished = run(&mut derivgrind(&[], &words, Shadows::all()[0])).unwrap();
    assert!(finished.status.success() && !is_alarmed(&finished.stderr()), "{}", finished.stderr());
    let output = finished.stdout();
    assert!(output.lines().count() >= 240, "{output}");
    let is_wrong = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        // NumPy's own hyperbolic tangent looks polynomials up.
        let tolerance = match (words[0], words[1]) {
            ("float32", "tanh") => 1e-4,
            ("float32", _) => 1e-5,
            _ => 1e-12,
        };
        !words[2].parse().is_ok_and(|error: f64| error < tolerance)
    };
    assert_eq!(output.lines().filter(is_wrong).collect::<Vec<_>>(), Vec::<&str>::new());
}

/// Partial derivatives on the tape are binary64.
#[test]
fn recorded() {
    for precision in &PRECISIONS {
        let lines = precision.lines();
        let directory = tempfile::tempdir().unwrap();
        let option = format!("--record={}", directory.path().display());
        let finished = run_guest(precision, &[&option], &lines);
        assert!(!is_alarmed(&finished.stderr()), "{}", finished.stderr());
        let output = finished.stdout();
        let tape = Tape::open(&directory.path().join("dg-tape")).unwrap();
        let mut dots = vec![[0.0]; tape.indices() as usize];
        let index = |word: &str| word.parse::<usize>().expect("an index");
        for line in output.lines() {
            dots[index(line.split(' ').nth(2).expect("an input"))][0] = 1.0;
        }
        tape.sweep(Direction::Forward, &mut dots, &mut |_| ()).unwrap();
        dots[0] = [0.0];
        let mut answers = Answers { lines: output.lines().peekable() };
        let bits = precision.bits.min(53);
        let errors = largest_errors(&lines, 2f64.powi(1 - bits as i32), |line, argument| {
            let words = answers.next(&line.name, argument)?;
            Some(words[1..].iter().map(|word| (dots[index(word)][0], 0.0)).collect())
        });
        assert_eq!(answers.lines.next(), None);
        Precision { bits, ..*precision }.judge(&errors);
    }
}
