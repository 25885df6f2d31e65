//! Options that the interface names but that nothing stands behind yet. They are refused by name: an option that was
//! accepted and had no effect would look as if it worked.

/// Names without the leading `--`, and what the option would do.
const OPTIONS: &[(&str, &str)] = &[
    ("diffquotdebug", "output for difference quotients"),
    ("record-stop", "the connection to gdb"),
    ("record-values", "values on the tape"),
    ("trick", "bit-trick finding"),
    ("typegrind", "marks of results that are not understood"),
    ("vgdb", "the connection to gdb"),
    ("vgdb-error", "the connection to gdb"),
    ("warn-unwrapped", "immediate warnings"),
];

/// The sentence that refuses `word`, if it is such an option.
pub fn refusal(word: &str) -> Option<String> {
    let name = word.strip_prefix("--")?.split('=').next()?;
    let (_, purpose) = OPTIONS.iter().find(|(option, _)| *option == name)?;
    Some(format!("--{name} is not available yet: this version of derivgrind does not have {purpose}"))
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[test]
    fn known_names_are_refused_with_and_without_a_value() {
        assert_eq!(
            refusal("--record-values=yes").unwrap(),
            "--record-values is not available yet: this version of derivgrind does not have values on the tape"
        );
        assert!(refusal("--typegrind").is_some());
        assert!(refusal("--recor").is_none());
        assert!(refusal("--log-file=x").is_none());
    }
}
