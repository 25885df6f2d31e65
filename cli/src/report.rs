//! The summary at exit: what met active values and was not differentiated.
//!
//! The engine counts but knows only addresses, because the client ends with it. It leaves a list of the files that
//! were mapped and of the addresses that were counted; here they get function, file and line. The list is text:
//!
//! ```text
//! module START END FILEOFFSET PATH     one executable mapping of a file, addresses in hexadecimal
//! site COUNT KIND PC NAME              KIND `i`: an instruction; `f`: a library function
//! left WORDS KIND NUMBER PC TARGET     active numbers left through descriptor (`d`), process (`p`), message queue (`q`) or
//!                                      shared memory (`m`, its address)
//! passive-output NUMBER                an output of a recording, counted from 1, that depends on no input
//! unused-rule NAME LIBRARY             a rule of --math-rules for a function that no file has
//! ```

use crate::failure::Failure;
use crate::functions::{purpose, Purpose};
use crate::log::Log;
use crate::options::Options;
use crate::symbols::{Place, Symbols};
use anyhow::Context;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::FromRawFd;

/// Rows of each list, unless `-v` asks for all.
const ROWS: usize = 20;

/// Something that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Instruction,
    Function,
}

#[derive(Debug, PartialEq, Eq)]
struct Site {
    count: u64,
    kind: Kind,
    pc: u64,
    name: String,
}

/// An executable mapping of a file that the client made.
#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    pub start: u64,
    pub end: u64,
    pub file_offset: u64,
    pub path: String,
}

/// Print the report that the engine left in `descriptor`.
pub fn print(descriptor: i32, options: &Options, log: &mut Log) -> Result<(), Failure> {
    if let Some(process) = options.report_pid {
        log.about_process(process);
    }
    // SAFETY: the engine has opened it for this.
    let mut file = unsafe { File::from_raw_fd(descriptor) };
    let mut text = String::new();
    file.rewind()
        .and_then(|()| file.read_to_string(&mut text))
        .with_context(|| format!("cannot read the engine's report from descriptor {descriptor}"))?;
    if options.is_quiet() {
        return Ok(());
    }
    for line in summary(&text, options.is_verbose()) {
        log.line(&line);
    }
    Ok(())
}

/// What a site means for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Instruction,
    Function,
    /// Conversion of a number to text, which has no derivative.
    Conversion,
    /// Bytes or an integer that are only compared with others; it is not listed.
    Comparison,
}

/// The lines of the summary.
fn summary(text: &str, all_rows: bool) -> Vec<String> {
    let (modules, sites) = parse(text);
    let mut symbols = Symbols::new(modules);
    let counted = sites.iter().filter(|site| site.count > 0);
    let described: Vec<Described> = counted.map(|site| describe(site, &mut symbols)).collect();
    let mut lines = Vec::new();
    for (group, heading) in [
        (
            Group::Instruction,
            "Active values met instructions that are not differentiated; their results are passive:",
        ),
        (Group::Function, "Active values met library functions whose derivatives are not known:"),
    ] {
        lines.extend(list(heading, &rows(&described, group), all_rows));
    }
    if !lines.is_empty() {
        lines.push("Derivatives that depend on these places may be wrong.".to_string());
    }
    let left = what_has_left(text, &mut symbols);
    let heading = "Active numbers left the program as bytes, which have no derivative (in words of 8 bytes):";
    lines.extend(list_of(heading, &left, ["word", "words"], all_rows));
    lines.extend(passive_outputs(text, all_rows));
    lines.extend(unused_rules(text));
    let conversions = rows(&described, Group::Conversion);
    if all_rows {
        lines.extend(list(
            "Active values were converted to text, which has no derivative:",
            &conversions,
            true,
        ));
    } else if !conversions.is_empty() {
        lines.push(
            "Active values were converted to text, which has no derivative (-v says where).".to_string(),
        );
    }
    lines
}

/// What has left the program, the most first.
fn what_has_left(text: &str, symbols: &mut Symbols) -> Vec<Row> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("left "));
    let mut rows: Vec<Row> = lines.filter_map(|line| parse_left(line, symbols)).collect();
    rows.sort_by(|left, right| right.count.cmp(&left.count).then_with(|| left.words.cmp(&right.words)));
    rows
}

fn parse_left(line: &str, symbols: &mut Symbols) -> Option<Row> {
    let mut words = line.splitn(5, ' ');
    let count = words.next()?.parse().ok()?;
    let kind = words.next()?;
    let number = hexadecimal(words.next()?)?;
    let pc = hexadecimal(words.next()?)?;
    let target = words.next().unwrap_or_default();
    let named = if target.is_empty() { String::new() } else { format!(" ({target})") };
    let words = match kind {
        "m" => format!("in shared memory at {number:#x}{named}"),
        "d" => format!("to descriptor {}{named}  {}", number as i32, where_is(&symbols.place(pc), pc)),
        "p" => format!("to process {}  {}", number as i32, where_is(&symbols.place(pc), pc)),
        "q" => format!("to message queue {}  {}", number as i32, where_is(&symbols.place(pc), pc)),
        _ => return None,
    };
    Some(Row { count, words })
}

/// Lines about outputs of a recording that depend on no input.
fn passive_outputs(text: &str, all_rows: bool) -> Vec<String> {
    let numbers: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("passive-output ")).collect();
    if numbers.is_empty() {
        return Vec::new();
    }
    let shown = if all_rows { numbers.len() } else { numbers.len().min(ROWS) };
    let mut line = numbers[..shown].join(", ");
    if shown < numbers.len() {
        line.push_str(&format!(" and {} more (-v lists them)", numbers.len() - shown));
    }
    vec![format!("Outputs that depend on no input, by their line in dg-output-indices: {line}")]
}

/// A line about rules for functions that no file has.
fn unused_rules(text: &str) -> Option<String> {
    let named = |line: &str| {
        let (name, library) = line.strip_prefix("unused-rule ")?.split_once(' ')?;
        Some(if library.is_empty() { format!("`{name}`") } else { format!("`{name}` ({library})") })
    };
    let names: Vec<String> = text.lines().filter_map(named).collect();
    let line = format!("--math-rules: no file has these functions: {}", names.join(", "));
    (!names.is_empty()).then_some(line)
}

/// A heading and the rows below it; nothing if there are no rows.
fn list(heading: &str, rows: &[Row], all_rows: bool) -> Vec<String> {
    list_of(heading, rows, ["time", "times"], all_rows)
}

/// The same with what is counted.
fn list_of(heading: &str, rows: &[Row], [one, many]: [&str; 2], all_rows: bool) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![heading.to_string()];
    let shown = if all_rows { rows.len() } else { rows.len().min(ROWS) };
    let width = rows[..shown].iter().map(|row| row.count.to_string().len()).max().unwrap_or(0);
    for row in &rows[..shown] {
        let unit = if row.count == 1 { one } else { many };
        lines.push(format!("  {:>width$} {unit:many$}  {}", row.count, row.words, many = many.len()));
    }
    if shown < rows.len() {
        let rest: u64 = rows[shown..].iter().fold(0, |sum, row| sum.saturating_add(row.count));
        lines.push(format!("  and {} more places, {rest} {many} (-v lists them)", rows.len() - shown));
    }
    lines
}

struct Described {
    group: Group,
    count: u64,
    words: String,
}

fn describe(site: &Site, symbols: &mut Symbols) -> Described {
    let place = symbols.place(site.pc);
    let (group, words) = match site.kind {
        Kind::Instruction => {
            let group = match purpose(&place) {
                Some(Purpose::Comparison) => Group::Comparison,
                Some(Purpose::Conversion) => Group::Conversion,
                None => Group::Instruction,
            };
            (group, instruction(&site.name, &place, site.pc))
        }
        Kind::Function => (Group::Function, function(&site.name, &place)),
    };
    Described { group, count: site.count, words }
}

struct Row {
    count: u64,
    words: String,
}

/// Sites that read the same are one row; the most frequent come first.
fn rows(sites: &[Described], group: Group) -> Vec<Row> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for site in sites.iter().filter(|site| site.group == group) {
        let count = counts.entry(&site.words).or_default();
        *count = count.saturating_add(site.count);
    }
    let mut rows: Vec<_> =
        counts.into_iter().map(|(words, count)| Row { count, words: words.to_string() }).collect();
    rows.sort_by(|left, right| right.count.cmp(&left.count).then_with(|| left.words.cmp(&right.words)));
    rows
}

fn instruction(name: &str, place: &Place, pc: u64) -> String {
    format!("{name}  {}", where_is(place, pc))
}

fn where_is(place: &Place, pc: u64) -> String {
    match (place.functions.first(), &place.line, &place.module) {
        (Some(function), Some(line), _) => format!("in {function} ({line})"),
        (Some(function), None, Some(module)) => format!("in {function} ({module})"),
        (None, Some(line), _) => format!("in a function without a name ({line})"),
        (None, None, Some(module)) => format!("at {:#x} in {module}, which has no name for it", place.offset),
        (_, None, None) => format!("at {pc:#x} (generated code)"),
    }
}

fn function(name: &str, place: &Place) -> String {
    match &place.module {
        Some(module) => format!("{name}  ({module})"),
        None => name.to_string(),
    }
}

/// A line that does not read as expected is left out: a report that is almost complete is better than none.
fn parse(text: &str) -> (Vec<Module>, Vec<Site>) {
    let mut modules = Vec::new();
    let mut sites = Vec::new();
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("module", rest)) => modules.extend(parse_module(rest)),
            Some(("site", rest)) => sites.extend(parse_site(rest)),
            _ => {}
        }
    }
    (modules, sites)
}

fn parse_module(rest: &str) -> Option<Module> {
    let mut words = rest.splitn(4, ' ');
    Some(Module {
        start: hexadecimal(words.next()?)?,
        end: hexadecimal(words.next()?)?,
        file_offset: hexadecimal(words.next()?)?,
        path: words.next()?.to_string(),
    })
}

fn parse_site(rest: &str) -> Option<Site> {
    let mut words = rest.splitn(4, ' ');
    Some(Site {
        count: words.next()?.parse().ok()?,
        kind: match words.next()? {
            "i" => Kind::Instruction,
            "f" => Kind::Function,
            _ => return None,
        },
        pc: hexadecimal(words.next()?)?,
        name: words.next()?.to_string(),
    })
}

fn hexadecimal(word: &str) -> Option<u64> {
    u64::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_numbers_that_left() {
        let text =
            "left 10 d 5 1000 pipe:[7]\nleft 20 m 7f00 0 /dev/shm/x\nleft 1 d 3 1000 \nleft x d 3 1000 \n";
        let lines = summary(text, false);
        assert_eq!(
            lines[1..],
            [
                "  20 words  in shared memory at 0x7f00 (/dev/shm/x)",
                "  10 words  to descriptor 5 (pipe:[7])  at 0x1000 (generated code)",
                "   1 word   to descriptor 3  at 0x1000 (generated code)"
            ]
        );
    }

    #[test]
    fn outputs_without_inputs_are_named() {
        let text = "passive-output 2\npassive-output 5\n";
        let line = "Outputs that depend on no input, by their line in dg-output-indices: 2, 5";
        assert_eq!(summary(text, false), [line]);
    }

    #[test]
    fn counts_of_equal_rows_add_up_and_rows_are_sorted() {
        let text = "site 2 i 1000 rcpps xmm, xmm\nsite 5 i 1000 rcpps xmm, xmm\nsite 40 i 2000 dpps xmm, xmm, imm8\n\
                    site 1 f 3000 sin\nsite 0 i 4000 never\n";
        assert_eq!(
            summary(text, false),
            [
                "Active values met instructions that are not differentiated; their results are passive:",
                "  40 times  dpps xmm, xmm, imm8  at 0x2000 (generated code)",
                "   7 times  rcpps xmm, xmm  at 0x1000 (generated code)",
                "Active values met library functions whose derivatives are not known:",
                "  1 time   sin",
                "Derivatives that depend on these places may be wrong.",
            ]
        );
    }

    #[test]
    fn long_lists_are_cut_unless_all_rows_are_asked_for() {
        let text: String = (0..30).map(|n| format!("site 1 i {n:x} form{n:02}\n")).collect();
        let lines = summary(&text, false);
        assert_eq!(lines.len(), 1 + ROWS + 1 + 1);
        assert_eq!(lines[ROWS + 1], "  and 10 more places, 10 times (-v lists them)");
        assert_eq!(summary(&text, true).len(), 1 + 30 + 1);
    }

    #[test]
    fn damaged_lines_are_left_out() {
        let (modules, sites) =
            parse("module 1000 zz 0 /bin/x\nmodule 1000 2000 0 /a b\nsite x i 0 y\nsite 1 q 0 y\nnoise\n");
        assert_eq!(
            modules,
            [Module { start: 0x1000, end: 0x2000, file_offset: 0, path: "/a b".to_string() }]
        );
        assert!(sites.is_empty());
    }

    #[test]
    fn nothing_counted_prints_nothing() {
        assert!(summary("module 1000 2000 0 /bin/true\n", false).is_empty());
    }

    #[test]
    fn conversion_to_text_is_no_alarm() {
        // The file does not exist, so that the place has a module and no function, as in a stripped library.
        let text = "module 1000 2000 0 /nowhere/libc.so.6\nsite 3 i 1800 SHR r/m64, imm8\n";
        let short = ["Active values were converted to text, which has no derivative (-v says where)."];
        assert_eq!(summary(text, false), short);
        let long = summary(text, true);
        assert_eq!(long[1], "  3 times  SHR r/m64, imm8  at 0x800 in libc.so.6, which has no name for it");
    }
}
