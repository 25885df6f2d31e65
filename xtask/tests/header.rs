//! The header is up to date, is accepted by strict compilers, and says what the Rust constants say.

use derivgrind::requests;
use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter, Mnemonic, NumberBase};
use object::{Object, ObjectSection};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

/// Run a compiler on a source file with warnings as errors, and return the path of its product.
fn compile(compiler: &[&str], source: &Path, directory: &TempDir) -> PathBuf {
    let product = directory.path().join("product");
    let output = Command::new(compiler[0])
        .args(&compiler[1..])
        .args(["-pedantic", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(root().join("headers"))
        .arg(source)
        .arg("-o")
        .arg(&product)
        .output()
        .unwrap_or_else(|error| panic!("{} does not start ({error}): run `cargo xtask setup`", compiler[0]));
    assert!(output.status.success(), "{}: {}", compiler.join(" "), String::from_utf8_lossy(&output.stderr));
    product
}

#[test]
fn generated_files_are_not_stale() {
    for (name, text) in xtask::headers::files(&root()).expect("the sources can be read") {
        let committed = fs::read_to_string(root().join(name)).expect("it is committed");
        assert_eq!(committed, text, "{name}: run `cargo xtask headers` and commit the result");
    }
}

#[test]
fn every_macro_compiles_without_a_warning_and_does_nothing_natively() {
    let directory = TempDir::new().expect("a temporary directory");
    let source = root().join("xtask/tests/header/every_macro.c");
    let languages: [&[&str]; 9] = [
        &["gcc", "-std=c89"],
        &["gcc", "-std=c99"],
        &["gcc", "-std=gnu17"],
        &["clang", "-std=c89"],
        &["clang", "-std=gnu17"],
        &["g++", "-x", "c++", "-std=c++98"],
        &["g++", "-x", "c++", "-std=c++20"],
        &["clang++", "-x", "c++", "-std=c++98"],
        &["clang++", "-x", "c++", "-std=c++20"],
    ];
    for language in languages {
        for options in [["-O0"].as_slice(), &["-O3"], &["-O2", "-masm=intel"]] {
            let command = [language, options].concat();
            let program = compile(&command, &source, &directory);
            let status = Command::new(program).status().expect("the program starts");
            assert!(status.success(), "{}: {status}", command.join(" "));
        }
        // Programs for 32 bits cannot be linked or run everywhere, but the header needs nothing to be compiled.
        compile(&[language, &["-m32", "-O2", "-c"]].concat(), &source, &directory);
        compile(&[language, &["-m32", "-O0", "-fPIC", "-c"]].concat(), &source, &directory);
    }
}

#[test]
fn numbers_are_those_of_the_rust_crate() {
    let directory = TempDir::new().expect("a temporary directory");
    let source = directory.path().join("probe.c");
    let mut names: Vec<String> =
        requests::ALL.iter().map(|request| format!("DERIVGRIND_REQUEST_{}", request.name)).collect();
    let mut expected: Vec<u64> = requests::ALL.iter().map(|request| u64::from(request.code)).collect();
    let others = [
        ("DERIVGRIND_REQUEST_EXTENSIONS", u64::from(requests::EXTENSIONS)),
        ("DERIVGRIND_MODE_FORWARD", u64::from(requests::modes::FORWARD)),
        ("DERIVGRIND_MODE_RECORDING", u64::from(requests::modes::RECORDING)),
        ("DERIVGRIND_MODE_BIT_TRICK", u64::from(requests::modes::BIT_TRICK)),
        ("DG_INDEXFILE_INPUT", u64::from(requests::index_files::INPUT)),
        ("DG_INDEXFILE_OUTPUT", u64::from(requests::index_files::OUTPUT)),
    ];
    for (name, number) in others {
        names.push(name.to_string());
        expected.push(number);
    }
    let mut program = String::from("#include <stdio.h>\n#include <derivgrind.h>\nint main(void) {\n");
    for name in &names {
        program += &format!("  printf(\"%lu\\n\", (unsigned long){name});\n");
    }
    program += "  return 0;\n}\n";
    fs::write(&source, program).expect("the temporary directory can be written");
    let output = Command::new(compile(&["gcc"], &source, &directory)).output().expect("the probe starts");
    let printed = String::from_utf8(output.stdout).expect("numbers are ASCII");
    let printed: Vec<u64> = printed.lines().map(|line| line.parse().expect("a number")).collect();
    assert_eq!(printed, expected);
}

/// The instructions from the first rotation to the exchange in a function that makes one request.
fn emitted_sequence(compiler: &[&str], bits: u32) -> String {
    let directory = TempDir::new().expect("a temporary directory");
    let source = directory.path().join("request.c");
    let text =
        "#include <derivgrind.h>\nunsigned long f(void);\nunsigned long f(void) { return DG_GET_MODE; }\n";
    fs::write(&source, text).expect("the temporary directory can be written");
    let bytes = fs::read(compile(compiler, &source, &directory)).expect("the object file was written");
    let file = object::File::parse(bytes.as_slice()).expect("compilers write object files");
    let code = file.section_by_name(".text").expect("there is code").data().expect("it can be read");
    let all: Vec<Instruction> = Decoder::new(bits, code, DecoderOptions::NONE).into_iter().collect();
    let first = all.iter().position(|i| i.mnemonic() == Mnemonic::Rol).expect("a rotation");
    let last = all.iter().position(|i| i.mnemonic() == Mnemonic::Xchg).expect("an exchange");
    let mut formatter = IntelFormatter::new();
    formatter.options_mut().set_number_base(NumberBase::Decimal);
    let mut words = Vec::new();
    for instruction in &all[first..=last] {
        let mut word = String::new();
        formatter.format(instruction, &mut word);
        words.push(word);
    }
    words.join("; ")
}

#[test]
fn emitted_code_is_the_documented_sequence() {
    for compiler in ["gcc", "clang"] {
        for syntax in ["-masm=att", "-masm=intel"] {
            assert_eq!(
                emitted_sequence(&[compiler, "-O2", "-c", syntax], 64),
                "rol rdi,3; rol rdi,13; rol rdi,61; rol rdi,51; xchg rbx,rbx"
            );
            assert_eq!(
                emitted_sequence(&[compiler, "-m32", "-O2", "-c", syntax], 32),
                "rol edi,3; rol edi,13; rol edi,29; rol edi,19; xchg ebx,ebx"
            );
        }
    }
}
