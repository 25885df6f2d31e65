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

/// Lines in the order of their names and values: threads may print in any order.
pub fn sorted<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut lines: Vec<_> = lines.map(str::to_string).collect();
    lines.sort_by_key(|line| line.rsplitn(4, ' ').nth(3).map(str::to_string));
    lines
}

/// Alarms that are false, although the derivatives are right. A mask of binary32 lanes that keeps the upper half of a
/// 64-bit lane looks as if it cut the mantissa of a binary64 off. The C library clears bits in a word of its stack that
/// it has not written, where active data was before. Rust's own cube root, which is part of each program, looks at the
/// bits of a remainder before it rounds. Where clang selects a scalar by a mask, the upper lane holds leftovers. And gcc
/// pops arguments into a register that nobody needs, which `setjmp` then encrypts.
const KNOWN_FALSE_ALARMS: [(&str, &str); 7] = [
    ("XOR r64, r/m64 ", " in __GI___sigsetjmp "),
    ("SHL r/m64, imm8 ", "::cbrt_round "),
    ("SHLD r/m64, r64, imm8 ", "::cbrt_round "),
    ("ANDPS xmm1, ", " in select_branch "),
    ("AND r/m32, imm32 ", " in __parse_one_specmb "),
    ("ANDPD xmm1, ", " in part"),
    ("ANDNPD xmm1, ", " in part"),
];

/// Is there anything in the summary but false alarms?
pub fn is_alarmed(summary: &str) -> bool {
    let known = |line: &str| {
        KNOWN_FALSE_ALARMS.iter().any(|(name, place)| line.contains(name) && line.contains(place))
    };
    let places = summary.lines().filter(|line| line.contains(" times  ") || line.contains(" time   "));
    let mut places = places.peekable();
    !summary.is_empty() && (places.peek().is_none() || !places.all(known))
}
