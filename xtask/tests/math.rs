//! `docs/math.md` agrees with the table of mathematical functions.

use std::path::Path;

#[test]
fn the_committed_document_is_what_the_table_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's root");
    xtask::math::run(root, true).unwrap_or_else(|error| panic!("{error:#}"));
}
