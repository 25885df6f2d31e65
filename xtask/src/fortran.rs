//! The Fortran module: procedures for each type of numbers, from a template for real and one for complex types.

use derivgrind::requests;

const MODULE: &str = include_str!("derivgrind.f90.template");
const REAL_PROCEDURES: &str = include_str!("derivgrind_real.f90.template");
const COMPLEX_PROCEDURES: &str = include_str!("derivgrind_complex.f90.template");

/// Real kinds as procedures are called, and in Fortran's words.
const KINDS: [(&str, &str); 3] =
    [("float", "c_float"), ("double", "c_double"), ("long_double", "c_long_double")];

/// The text of `sdk-fortran/src/derivgrind.f90`.
pub fn generate() -> String {
    let mut procedures = String::new();
    for (name, kind) in KINDS {
        procedures += &REAL_PROCEDURES.replace("@NAME@", name).replace("@TYPE@", &format!("real({kind})"));
    }
    for (part, kind) in KINDS {
        let procedures_of_kind = COMPLEX_PROCEDURES
            .replace("@NAME@", &format!("complex_{part}"))
            .replace("@PART@", part)
            .replace("@TYPE@", &format!("complex({kind})"));
        procedures += &procedures_of_kind;
    }
    let values = [
        ("@PROCEDURES@\n", procedures),
        ("@FORWARD@", char::from(requests::modes::FORWARD).to_string()),
        ("@RECORDING@", char::from(requests::modes::RECORDING).to_string()),
        ("@BIT_TRICK@", char::from(requests::modes::BIT_TRICK).to_string()),
        ("@INPUT@", requests::index_files::INPUT.to_string()),
        ("@OUTPUT@", requests::index_files::OUTPUT.to_string()),
    ];
    let mut text = MODULE.to_string();
    for (placeholder, value) in values {
        assert!(text.contains(placeholder), "the template has no {placeholder}");
        text = text.replace(placeholder, &value);
    }
    text.lines().map(|line| expand(line) + "\n").collect()
}

/// A line with the names of procedures, `@REAL:...@` for real types or `@EACH:...@` for all, which it lists.
fn expand(line: &str) -> String {
    let real: Vec<String> = KINDS.iter().map(|(name, _)| (*name).to_string()).collect();
    let complex = real.iter().map(|name| format!("complex_{name}"));
    let all: Vec<String> = real.iter().cloned().chain(complex).collect();
    for (mark, names) in [("@REAL:", &real), ("@EACH:", &all)] {
        let Some((before, rest)) = line.split_once(mark) else {
            continue;
        };
        let (pattern, after) = rest.split_once('@').expect("the template closes its marks");
        let procedures: Vec<String> = names.iter().map(|name| pattern.replace("NAME", name)).collect();
        // Lines of free-form Fortran have at most 132 columns.
        return format!("{before}{}{after}", procedures.join(", &\n      "));
    }
    line.to_string()
}
