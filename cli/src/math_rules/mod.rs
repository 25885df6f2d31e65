//! `--math-rules=FILE`: derivatives of functions that the user knows and the tool does not.
//!
//! The file is TOML, described in `docs/math.md`. It is compiled here, so that whatever is wrong is said with line and
//! column before the client starts; the engine gets a line for each function (`derivgrind_functions::user`).

mod expression;

use crate::failure::Failure;
use anyhow::{Context, Result};
use derivgrind_functions::user::{Step, UserFunction};
use derivgrind_functions::{Format, Treatment, MOST_ARGUMENTS};
use serde::Deserialize;
use std::fs;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;

/// Registers that hold arguments, and as many on the stack.
const MOST_PASSIVE: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    function: Vec<Spanned<Entry>>,
}

/// One `[[function]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    library: Option<Spanned<String>>,
    #[serde(default, rename = "type")]
    format: Type,
    #[serde(default)]
    integer: Integer,
    arguments: Option<Spanned<usize>>,
    partials: Option<Spanned<Vec<Spanned<String>>>>,
    linear: Option<Spanned<Vec<f64>>>,
    treat: Option<Spanned<Treat>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum Type {
    #[serde(rename = "float")]
    Float,
    #[default]
    #[serde(rename = "double")]
    Double,
    #[serde(rename = "long double")]
    LongDouble,
}

/// Type of the first integer argument.
#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
enum Integer {
    #[default]
    #[serde(rename = "int")]
    Int,
    #[serde(rename = "long")]
    Long,
}

#[derive(Clone, Copy, Deserialize)]
enum Treat {
    #[serde(rename = "passive")]
    Passive,
    #[serde(rename = "instructions")]
    Instructions,
}

/// What is wrong, and where in the file.
pub struct Wrong {
    place: Range<usize>,
    what: String,
}

impl Wrong {
    fn new(place: Range<usize>, what: impl Into<String>) -> Wrong {
        Wrong { place, what: what.into() }
    }
}

/// The functions of a file.
pub fn read(path: &Path) -> Result<Vec<UserFunction>, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::Option(format!("cannot read the rules in {}: {error}", path.display())))?;
    compiled(&text).map_err(|wrong| {
        let (line, column) = line_and_column(&text, wrong.place.start);
        Failure::Option(format!("{}, line {line}, column {column}: {}", path.display(), wrong.what))
    })
}

/// The path for programs that the client executes in another directory.
pub fn absolute(path: &Path) -> Result<std::path::PathBuf> {
    std::path::absolute(path).context("the working directory is gone")
}

fn line_and_column(text: &str, place: usize) -> (usize, usize) {
    let before = text.get(..place).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |position| position + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

fn compiled(text: &str) -> Result<Vec<UserFunction>, Wrong> {
    let file: File = toml::from_str(text).map_err(|error| {
        // The message may have several lines.
        let message = error.message().split('\n').map(str::trim).collect::<Vec<_>>().join(", ");
        Wrong::new(error.span().unwrap_or(0..0), message)
    })?;
    let mut functions: Vec<UserFunction> = Vec::new();
    for entry in &file.function {
        let entry = entry.as_ref();
        let function = function(entry)?;
        let is_same = |other: &&UserFunction| {
            let overlaps =
                other.library == function.library || other.library.is_empty() || function.library.is_empty();
            other.name == function.name && overlaps
        };
        if functions.iter().any(|other| is_same(&other)) {
            return Err(Wrong::new(entry.name.span(), format!("`{}` has a rule already", function.name)));
        }
        functions.push(function);
    }
    Ok(functions)
}

fn function(entry: &Entry) -> Result<UserFunction, Wrong> {
    let name = word(&entry.name)?;
    let library = entry.library.as_ref().map_or(Ok(String::new()), word)?;
    let (treatment, partials) = treatment(entry)?;
    let arguments = match (&entry.arguments, treatment) {
        (Some(count), Treatment::Differentiated) if *count.as_ref() != partials.len() => {
            return Err(Wrong::new(
                count.span(),
                format!(
                    "`{name}` has {} partial derivatives for {} arguments",
                    partials.len(),
                    count.as_ref()
                ),
            ));
        }
        (_, Treatment::Differentiated) => partials.len(),
        (Some(count), _) if *count.as_ref() <= MOST_PASSIVE => *count.as_ref(),
        (Some(count), _) => {
            return Err(Wrong::new(
                count.span(),
                format!("a function has at most {MOST_PASSIVE} arguments here"),
            ));
        }
        (None, _) => {
            return Err(Wrong::new(entry.name.span(), format!("`{name}` needs `arguments`, their number")))
        }
    };
    Ok(UserFunction {
        name,
        library,
        format: match entry.format {
            Type::Float => Format::Binary32,
            Type::Double => Format::Binary64,
            Type::LongDouble => Format::Extended,
        },
        arguments,
        has_long_integer: entry.integer == Integer::Long,
        treatment,
        partials,
    })
}

/// A name without spaces and the like.
fn word(name: &Spanned<String>) -> Result<String, Wrong> {
    let text = name.as_ref();
    let is_word = !text.is_empty()
        && text != "*"
        && text.chars().all(|letter| letter.is_ascii_graphic() && letter != ';');
    if is_word {
        Ok(text.clone())
    } else {
        Err(Wrong::new(name.span(), format!("{text:?} is no name")))
    }
}

/// What is done, and partial derivatives if it is that.
fn treatment(entry: &Entry) -> Result<(Treatment, Vec<Vec<Step>>), Wrong> {
    let partials = match (&entry.partials, &entry.linear, &entry.treat) {
        (Some(partials), None, None) => {
            let count = partials.as_ref().len();
            let compile = |text: &Spanned<String>| expression::compiled(text, count);
            let found = partials.as_ref().iter().map(compile).collect::<Result<Vec<_>, _>>()?;
            (found, partials.span())
        }
        (None, Some(linear), None) => {
            let found = linear.as_ref().iter().map(|number| vec![Step::Number(*number)]).collect();
            (found, linear.span())
        }
        (None, None, Some(treat)) => {
            return Ok(match treat.as_ref() {
                Treat::Passive => (Treatment::Constant, Vec::new()),
                Treat::Instructions => (Treatment::Instructions, Vec::new()),
            })
        }
        _ => {
            return Err(Wrong::new(
                entry.name.span(),
                format!("`{}` needs one of `partials`, `linear` and `treat`", entry.name.as_ref()),
            ))
        }
    };
    let (found, span): (Vec<Vec<Step>>, _) = partials;
    if found.is_empty() || found.len() > MOST_ARGUMENTS {
        return Err(Wrong::new(span, format!("a function has one to {MOST_ARGUMENTS} arguments here")));
    }
    Ok((Treatment::Differentiated, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let functions = compiled(text).unwrap_or_else(|wrong| panic!("{}", wrong.what));
        functions.iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn expect_wrong(text: &str, line: usize, column: usize, words: &str) {
        let wrong = compiled(text).expect_err("this is wrong");
        assert_eq!(line_and_column(text, wrong.place.start), (line, column), "{}", wrong.what);
        assert!(wrong.what.contains(words), "{}", wrong.what);
        assert!(!wrong.what.contains('\n'));
    }

    #[test]
    fn functions_become_lines() {
        let text = r#"
            [[function]]
            name = "product"
            library = "libclosed.so"
            arguments = 2
            partials = ["y", "x1"]

            [[function]]
            name = "blend"
            type = "long double"
            linear = [1, -0.5]

            [[function]]
            name = "seed"
            arguments = 1
            integer = "long"
            treat = "passive"
        "#;
        let one = format!("#{:x}", 1f64.to_bits());
        let half = format!("#{:x}", (-0.5f64).to_bits());
        let expected = [
            "product libclosed.so d 2 D; x1; x0".to_string(),
            format!("blend * l 2 D; {one}; {half}"),
            "seed * d 1 P long".to_string(),
        ];
        assert_eq!(lines(text), expected);
        for line in lines(text) {
            assert_eq!(UserFunction::parse(&line).map(|function| function.to_string()), Some(line));
        }
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let head = "[[function]]\nname = \"f\"\n";
        let with = |rest: &str| format!("{head}{rest}\n");
        expect_wrong("[[function]\n", 1, 12, "");
        expect_wrong(&with("partials = [\"x\""), 3, 16, "");
        expect_wrong(&with("partial = [\"x\"]"), 3, 1, "partial");
        expect_wrong(&with("partials = [\"x +* 2\"]"), 3, 17, "`*`");
        expect_wrong(&with("partials = [\"1\", \"foo(x)\"]"), 3, 19, "`foo`");
        expect_wrong(&with("partials = [\"y\"]"), 3, 14, "argument");
        expect_wrong(&with("partials = [\"atan2(x)\"]"), 3, 14, "2 arguments");
        expect_wrong(&with("partials = [\"(x\"]"), 3, 16, "`)`");
        expect_wrong(&with("partials = [\"x x\"]"), 3, 16, "`x`");
        expect_wrong(&with("arguments = 2\npartials = [\"x\"]"), 3, 13, "1 partial derivatives for 2");
        expect_wrong(&with("partials = []"), 3, 12, "one to 4");
        expect_wrong(&with("treat = \"passive\""), 2, 8, "`arguments`");
        expect_wrong(&with("arguments = 9\ntreat = \"passive\""), 3, 13, "at most 8");
        expect_wrong(&with("treat = \"linear\""), 3, 9, "linear");
        expect_wrong(&with("linear = [1]\ntreat = \"passive\""), 2, 8, "one of");
        expect_wrong("[[function]]\nname = \"f g\"\nlinear = [1]\n", 2, 8, "no name");
        let twice = format!("{}{}", with("linear = [1]"), with("library = \"l.so\"\nlinear = [1]"));
        expect_wrong(&twice, 5, 8, "already");
        let deep = format!("partials = [\"{}x{}\"]", "x+(".repeat(20), ")".repeat(20));
        expect_wrong(&with(&deep), 3, 13, "nested");
    }
}
