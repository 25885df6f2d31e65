//! Default options: `~/.derivgrindrc`, then `DERIVGRIND_OPTS`, then the command line; the last one counts.

use crate::failure::Failure;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The environment variable with default options.
pub const VARIABLE: &str = "DERIVGRIND_OPTS";
/// The file with default options, in the home directory.
const FILE: &str = ".derivgrindrc";

/// Option words and where they come from, for messages.
pub struct Source {
    pub name: String,
    pub words: Vec<OsString>,
}

/// Default options in ascending order of precedence.
pub fn read() -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    if let Some(home) = env::var_os("HOME").filter(|home| !home.is_empty()) {
        let path = PathBuf::from(home).join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => sources.push(Source { name: path.display().to_string(), words: words(&text) }),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            // The home directory of another user, whose identity the process has given up.
            Err(_) if fs::metadata(&path).is_err() => {}
            Err(error) => return Err(Failure::Option(format!("cannot read {}: {error}", path.display()))),
        }
    }
    if let Some(value) = env::var_os(VARIABLE) {
        let Some(text) = value.to_str() else {
            return Err(Failure::Option(format!("{VARIABLE} is not valid UTF-8")));
        };
        sources.push(Source { name: VARIABLE.to_string(), words: words(text) });
    }
    Ok(sources)
}

/// Words between white space; a line that begins with `#` is a comment.
fn words(text: &str) -> Vec<OsString> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(str::split_whitespace)
        .map(OsString::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn comments_and_white_space_are_skipped() {
        assert_eq!(words("# speed\n-q  --vector-shadows=memory\n\t--trace-children\n").len(), 3);
        assert!(words("").is_empty());
    }
}
