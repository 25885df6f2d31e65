//! `docs/instructions.md` agrees with the translator, and the tests that it names exist.

use derivgrind_translate::classes::classify;
use iced_x86::Code;
use std::collections::BTreeSet;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's root")
}

#[test]
fn the_committed_document_is_what_the_table_says() {
    xtask::instructions::run(root(), true).unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn the_tests_that_it_names_exist() {
    let directory = root().join("engine/translate/tests/rules");
    let mut sources = String::new();
    for entry in std::fs::read_dir(directory).expect("the tests of the translator") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            sources += &std::fs::read_to_string(path).expect("a source file");
        }
    }
    let families = Code::values().filter_map(classify);
    let names: BTreeSet<&str> = families.flat_map(|family| family.tests).copied().collect();
    let missing: Vec<_> = names.iter().filter(|name| !sources.contains(&format!("fn {name}()"))).collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
    assert!(names.len() > 10);
}
