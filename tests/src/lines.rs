//! What guests print, and what is reported about them.

/// A hexadecimal floating-point number as `%a` prints it.
pub fn number(word: &str) -> Option<f64> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, word),
    };
    let (mantissa, exponent) = digits.strip_prefix("0x")?.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut value = u64::from_str_radix(whole, 16).ok()? as f64;
    let mut scale = 1.0;
    for digit in fraction.chars() {
        scale /= 16.0;
        value += f64::from(digit.to_digit(16)?) * scale;
    }
    Some(sign * value * 2f64.powi(exponent.parse().ok()?))
}

/// Numbers behind a word at the beginning of a line.
pub fn numbers(text: &str, word: &str) -> Vec<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_default();
    line.split_whitespace().map(|number| number.parse().unwrap_or(f64::NAN)).collect()
}

/// Differences above rounding are an error.
pub fn agree(what: &str, found: &[f64], expected: &[f64]) -> Result<(), String> {
    let close = |(found, expected): (&f64, &f64)| (found - expected).abs() <= 1e-12 * expected.abs().max(1.0);
    if found.len() == expected.len() && found.iter().zip(expected).all(close) {
        Ok(())
    } else {
        Err(format!("{what}: {found:?} instead of {expected:?}"))
    }
}

/// Lines in the order of their names and values: threads may print in any order.
pub fn sorted<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut lines: Vec<_> = lines.map(str::to_string).collect();
    lines.sort_by_key(|line| line.rsplitn(4, ' ').nth(3).map(str::to_string));
    lines
}

/// An alarm that is false: derivatives are right.
struct FalseAlarm {
    /// How instructions begin.
    instructions: &'static [&'static str],
    /// What places contain.
    places: &'static [&'static str],
}

const FALSE_ALARMS: &[FalseAlarm] = &[
    // gcc pops arguments into a register that nobody needs, which `setjmp` then encrypts.
    FalseAlarm {
        instructions: &["XOR r64, "],
        places: &[" in __GI___sigsetjmp ", " in __sigsetjmp ", " in __GI__setjmp ", " in _setjmp "],
    },
    // A mask of binary32 lanes that keeps the upper half of a 64-bit lane looks as if it cut the mantissa of a
    // binary64.
    FalseAlarm { instructions: &["ANDPS "], places: &[" in select_branch "] },
    // Where clang and Rust select a scalar by a mask, the upper lane holds leftovers.
    FalseAlarm {
        instructions: &["ANDPD ", "ANDNPD "],
        places: &[" in part", "::max_of_two_lanes ", " in <f64>::max "],
    },
];

/// Is there anything in the summary but false alarms?
pub fn is_alarmed(summary: &str) -> bool {
    let known = |line: &str| {
        FALSE_ALARMS.iter().any(|alarm| {
            let is_such = alarm.instructions.iter().any(|name| line.contains(&format!("  {name}")));
            is_such && alarm.places.iter().any(|place| line.contains(place))
        })
    };
    let places = summary.lines().filter(|line| line.contains(" times  ") || line.contains(" time   "));
    let mut places = places.peekable();
    !summary.is_empty() && (places.peek().is_none() || !places.all(known))
}
