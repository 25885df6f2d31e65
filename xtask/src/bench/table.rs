//! The table of results, as Markdown that can also be read in a terminal.

use crate::bench::programs::{Limit, Work};
use crate::measure::Turns;

/// One row in words.
pub struct Row {
    pub cells: [String; 7],
    /// Why the row could not be measured.
    pub failure: Option<String>,
    pub within_limit: bool,
}

/// A time beside the native time of the same work, in seconds.
pub enum Comparison {
    Measured {
        time: f64,
        native: f64,
    },
    /// It was killed when it had taken `time`.
    MoreThan {
        time: f64,
        native: f64,
    },
    /// It was killed after so many seconds, before it had said how long it took.
    Unfinished(u64),
}

pub const HEADINGS: [&str; 7] =
    ["work", "native", "derivgrind", "overhead", "at most", "valgrind --tool=none", "valgrind (memcheck)"];

impl Row {
    pub fn measured(
        work: &Work,
        turns: Turns,
        none: Option<Comparison>,
        memcheck: Option<Comparison>,
    ) -> Row {
        let limit = match work.limit {
            Limit::Ratio(limit) => format!("{limit:.1}"),
            Limit::Milliseconds(limit) => format!("{limit:.0} ms"),
        };
        let within_limit = match work.limit {
            Limit::Ratio(limit) => turns.ratio <= limit,
            Limit::Milliseconds(limit) => turns.difference * 1e3 <= limit,
        };
        Row {
            cells: [
                work.name.clone(),
                format!("{:.4} s", turns.native),
                format!("{:.4} s", turns.tool),
                format!(
                    "{}{}",
                    overhead(work, turns.ratio, turns.difference),
                    if within_limit { "" } else { " (above)" }
                ),
                limit,
                none.map_or_else(String::new, |comparison| in_words(work, comparison)),
                memcheck.map_or_else(String::new, |comparison| in_words(work, comparison)),
            ],
            failure: None,
            within_limit,
        }
    }

    /// A row that could not be measured says why.
    pub fn failed(work: &Work, error: &anyhow::Error) -> Row {
        let mut cells: [String; 7] = Default::default();
        cells[0] = work.name.clone();
        cells[2] = "failed".to_string();
        Row { cells, failure: Some(format!("{error:#}")), within_limit: false }
    }
}

fn overhead(work: &Work, ratio: f64, difference: f64) -> String {
    match work.limit {
        Limit::Ratio(_) => format!("{ratio:.2}"),
        Limit::Milliseconds(_) => format!("{:.1} ms", difference * 1e3),
    }
}

fn in_words(work: &Work, comparison: Comparison) -> String {
    let over = |time: f64, native: f64| overhead(work, time / native, time - native);
    match comparison {
        Comparison::Measured { time, native } => over(time, native),
        Comparison::MoreThan { time, native } => format!("> {}", over(time, native)),
        Comparison::Unfinished(seconds) => format!("over {seconds} s"),
    }
}

/// Rows with their headings, columns padded to the same width.
pub fn markdown<'a, const COLUMNS: usize>(
    headings: [&str; COLUMNS],
    rows: impl Iterator<Item = &'a [String; COLUMNS]> + Clone,
) -> String {
    let heading = headings.map(String::from);
    let mut widths = heading.each_ref().map(|cell| cell.chars().count());
    for row in rows.clone() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; COLUMNS]| {
        let padded: Vec<String> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("| {} |\n", padded.join(" | "))
    };
    let mut text = line(&heading);
    text += &line(&widths.map(|width| "-".repeat(width)));
    for row in rows {
        text += &line(row);
    }
    text
}

/// What could not be measured, and why.
pub fn failures<'a>(rows: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> String {
    rows.filter_map(|(name, failure)| Some(format!("\n{name} failed: {}\n", failure?))).collect()
}
