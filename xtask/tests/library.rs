//! libderivgrind: what it exports is what its header declares and describes, and it depends on nothing.

use object::read::elf::ElfFile64;
use object::{Object, ObjectSymbol};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

/// Builds the library as `cargo xtask install` does.
fn library() -> PathBuf {
    let workspace = xtask::workspace::Workspace::find().expect("Cargo runs this test");
    workspace.build_library().expect("the library can be built")
}

/// Functions of the header with the comments before them.
fn declarations() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("headers/derivgrind_library.h")).expect("it is committed");
    let mut declarations = BTreeMap::new();
    let mut comment = String::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("/*") {
            comment.clear();
        } else if let Some(words) = line.strip_prefix("* ") {
            comment += words;
        } else if let Some((before, _)) = line.split_once('(').filter(|_| !line.starts_with(['*', '#', '/']))
        {
            let name = before.rsplit([' ', '*']).next().unwrap_or(before);
            declarations.insert(name.to_string(), std::mem::take(&mut comment));
        }
    }
    declarations
}

#[test]
fn exported_symbols_header_and_descriptions_agree() {
    let bytes = fs::read(library()).expect("it was built");
    let file = ElfFile64::<object::Endianness>::parse(bytes.as_slice()).expect("it is a library");
    let exported: BTreeSet<String> = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition())
        .map(|symbol| symbol.name().expect("names are text").to_string())
        .collect();
    let declared = declarations();
    assert_eq!(exported, declared.keys().cloned().collect());
    assert!(exported.len() > 25 && exported.iter().all(|name| name.starts_with("dg_")), "{exported:?}");
    let undescribed: Vec<_> = declared.iter().filter(|(_, comment)| comment.len() < 20).collect();
    assert!(undescribed.is_empty(), "{undescribed:?}");
}

/// Each request of the crate has a function, but for those that are parts of others.
#[test]
fn every_request_has_a_function() {
    let declared = declarations();
    for request in derivgrind::requests::ALL {
        let name = format!("dg_{}", request.name.to_lowercase());
        assert!(declared.contains_key(&name), "{name} is missing");
    }
}

#[test]
fn library_needs_nothing_and_cannot_panic() {
    let path = library();
    let bytes = fs::read(&path).expect("it was built");
    let file = ElfFile64::<object::Endianness>::parse(bytes.as_slice()).expect("it is a library");
    let needed: Vec<_> = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_undefined() && !symbol.is_weak())
        .filter_map(|symbol| symbol.name().ok().filter(|name| !name.is_empty()))
        .collect();
    assert!(needed.is_empty(), "{needed:?}");
    let panics: Vec<_> = file
        .symbols()
        .filter_map(|symbol| symbol.name().ok())
        .filter(|name| name.contains("panic"))
        .collect();
    assert!(panics.is_empty(), "{panics:?}");
    let dynamic = Command::new("readelf").arg("-d").arg(&path).output().expect("binutils come with gcc");
    let dynamic = String::from_utf8_lossy(&dynamic.stdout).into_owned();
    assert!(dynamic.contains("SONAME") && dynamic.contains("libderivgrind.so.0"), "{dynamic}");
    assert!(!dynamic.contains("NEEDED"), "{dynamic}");
}

#[test]
fn header_is_accepted_beside_that_with_the_macros() {
    let directory = TempDir::new().expect("a temporary directory");
    let source = directory.path().join("both.c");
    let text = "#include <derivgrind_library.h>\n#include <derivgrind.h>\nint main(void) { return dg_get_mode(); }\n";
    fs::write(&source, text).expect("the temporary directory can be written");
    let languages: [&[&str]; 6] = [
        &["gcc", "-std=c99"],
        &["gcc", "-std=c17"],
        &["clang", "-std=c99"],
        &["g++", "-x", "c++", "-std=c++11"],
        &["g++", "-x", "c++", "-std=c++20"],
        &["clang++", "-x", "c++", "-std=c++20"],
    ];
    for language in languages {
        let output = Command::new(language[0])
            .args(&language[1..])
            .args(["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"])
            .arg(root().join("headers"))
            .arg(&source)
            .output()
            .expect("compilers start");
        assert!(output.status.success(), "{language:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
