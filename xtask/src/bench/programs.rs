//! The pieces of work that are measured.

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// One piece of work: a command, how it is measured, and how long it may take.
pub struct Work {
    pub name: String,
    pub words: Vec<OsString>,
    /// Words for less of the same work, which Valgrind is given.
    pub less: Vec<OsString>,
    pub environment: Vec<(OsString, OsString)>,
    /// More of it for native runs.
    pub native_environment: Vec<(OsString, OsString)>,
    pub shadows: Shadows,
    /// Programs that the program executes run under the tool, too.
    pub with_children: bool,
    /// Runs find the translations of those before, as they do for users.
    pub keeps_translations: bool,
    pub measured: Measured,
    pub limit: Limit,
    /// Work that takes less than half a second, or nearly as long as its limit, is run more often.
    pub repetitions: usize,
}

/// Value of `--vector-shadows`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shadows {
    Auto,
    Registers,
    Memory,
}

impl Shadows {
    pub fn name(self) -> &'static str {
        match self {
            Shadows::Auto => "auto",
            Shadows::Registers => "registers",
            Shadows::Memory => "memory",
        }
    }
}

/// Which part of the run counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// The whole process.
    Process,
    /// The part that the program itself measures and prints.
    Printed,
}

/// How long the work may take under Derivgrind.
#[derive(Clone, Copy, PartialEq)]
pub enum Limit {
    /// Times the native run.
    Ratio(f64),
    /// Longer than the native run.
    Milliseconds(f64),
}

/// How the solver of the first example is compiled.
pub struct Variant {
    pub label: &'static str,
    pub options: &'static [&'static str],
    /// Time steps that take about a second natively.
    pub steps: &'static str,
    /// How many of them Valgrind is given: it computes FMA in software.
    fewer_steps: &'static str,
}

/// All variants of the solver.
pub const BURGERS: [Variant; 3] = [
    Variant { label: "gcc -O3", options: &["-O3"], steps: "6000", fewer_steps: "3000" },
    Variant {
        label: "gcc -O3 -mavx2 -mfma",
        options: &["-O3", "-mavx2", "-mfma"],
        steps: "12000",
        fewer_steps: "3000",
    },
    Variant { label: "gcc -O0", options: &["-O0"], steps: "1500", fewer_steps: "1500" },
];

impl Variant {
    /// Compile the solver, and return its path.
    pub fn compile(&self, workspace: &Workspace, scratch: &Path) -> Result<PathBuf> {
        let program = scratch.join(self.file_name("burgers"));
        workspace.compile_c("examples/05-burgers/c/burgers.c", &program, self.options, &["-lm"])?;
        Ok(program)
    }

    /// A name of a program that is compiled in this way.
    pub fn file_name(&self, program: &str) -> String {
        format!("{program}{}", self.label.replace("gcc", "").replace(' ', ""))
    }
}

const PYTHON: &str = "/usr/bin/python3";

/// Settings that hide AVX-512 from a native program as Derivgrind does when shadows live in registers. Not for runs
/// under Derivgrind: NumPy spends time on a warning about features that it does not find anyway.
const WITHOUT_AVX512: [(&str, &str); 2] = [
    (
        "GLIBC_TUNABLES",
        "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD,-AVX512ER,-AVX512PF,-AVX512_VBMI,-AVX512_VNNI,\
         -AVX512_BITALG,-AVX512_IFMA,-AVX512_VBMI2,-AVX512_VPOPCNTDQ",
    ),
    ("NPY_DISABLE_CPU_FEATURES", "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"),
];

/// Settings of all runs. OpenBLAS is told its kernels: for a processor that it does not know it takes the oldest ones.
const SURROUNDINGS: [(&str, &str); 2] = [("OPENBLAS_NUM_THREADS", "1"), ("OPENBLAS_CORETYPE", "Haswell")];

/// Every row of the table, after the programs for them have been compiled.
pub fn all(workspace: &Workspace) -> Result<Vec<Work>> {
    let scratch = workspace.scratch("bench")?;
    let mut all = burgers(workspace, &scratch)?;
    all.extend(functions(workspace, &scratch)?);
    all.extend(without_inputs(workspace, &scratch)?);
    all.extend(with_one_active_variable(workspace, &scratch)?);
    all.push(Work {
        repetitions: 4,
        limit: Limit::Milliseconds(20.0),
        ..whole("start-up of /bin/true", &["/bin/true".into()], 0.0)
    });
    Ok(all)
}

/// The solver of the first example, everything active.
fn burgers(workspace: &Workspace, scratch: &Path) -> Result<Vec<Work>> {
    let mut all = Vec::new();
    for (shadows, limit) in [(Shadows::Registers, 2.0), (Shadows::Memory, 3.5)] {
        if shadows == Shadows::Registers && !has_avx512() {
            eprintln!("rows with shadows in registers are left out: this processor has no AVX-512");
            continue;
        }
        for variant in &BURGERS {
            let program = variant.compile(workspace, scratch)?;
            let words = |steps: &str| [program.clone().into(), "128".into(), steps.into(), "0.5".into()];
            let name = format!("Burgers {}, all active, {}", variant.label, shadows.name());
            let mut work = whole(&name, &words(variant.steps), limit);
            work.less = words(variant.fewer_steps).to_vec();
            work.shadows = shadows;
            work.repetitions = 3;
            if shadows == Shadows::Memory {
                work.native_environment.clear();
            }
            all.push(work);
        }
    }
    Ok(all)
}

/// A loop of calls of the mathematics library: words for the loop, which with `passive` declares no input.
fn calls(workspace: &Workspace, scratch: &Path, name: &str, passive: bool, limit: f64) -> Result<Work> {
    let program = scratch.join("transcendental");
    workspace.compile_c("benches/programs/transcendental.c", &program, &["-O2"], &["-lm"])?;
    let words = |points: &str| {
        let mut words: Vec<OsString> = vec![program.clone().into(), points.into()];
        words.extend(passive.then(|| "passive".into()));
        words
    };
    let name = format!("mathematical functions, {name}");
    Ok(Work { less: words("900000"), ..whole(&name, &words("9000000"), limit) })
}

/// The same with everything active, in forward mode.
fn functions(workspace: &Workspace, scratch: &Path) -> Result<Vec<Work>> {
    let mut in_memory = calls(workspace, scratch, "all active, memory", false, 4.0)?;
    in_memory.shadows = Shadows::Memory;
    in_memory.native_environment.clear();
    Ok(vec![calls(workspace, scratch, "all active, auto", false, 2.5)?, in_memory])
}

/// The same to be recorded.
pub fn recorded_functions(workspace: &Workspace, scratch: &Path) -> Result<Work> {
    calls(workspace, scratch, "all active", false, 5.0)
}

/// Forward mode is on, and the program declares no input.
fn without_inputs(workspace: &Workspace, scratch: &Path) -> Result<Vec<Work>> {
    let data = scratch.join("five-megabytes");
    fs::write(&data, text(5_000_000)).with_context(|| format!("cannot write {}", data.display()))?;
    let less = scratch.join("one-megabyte");
    fs::write(&less, text(1_000_000)).with_context(|| format!("cannot write {}", less.display()))?;
    Ok(vec![
        compression(scratch, "no input", 1.1),
        python(workspace, "Python loop of 10^7 additions, no input", LOOP, None, 1.4),
        python(workspace, "NumPy matmul 500 x 500, no input", MATMUL, None, 1.1),
        calls(workspace, scratch, "no input", true, 1.1)?,
        whole("import numpy, no input", &[PYTHON.into(), "-c".into(), "import numpy".into()], 1.8),
        first_import(),
        compilation(scratch)?,
    ])
}

/// The same with one active variable that the program does not use.
pub fn with_one_active_variable(workspace: &Workspace, scratch: &Path) -> Result<Vec<Work>> {
    let active = scratch.join("libactive.so");
    workspace.compile_c("benches/programs/active.c", &active, &["-O2", "-shared", "-fPIC"], &[])?;
    let library = Some(active.as_os_str());
    let mut xz = compression(scratch, "one active elsewhere", 1.3);
    xz.environment.push(("LD_PRELOAD".into(), active.clone().into()));
    let mut calls = calls(workspace, scratch, "one active elsewhere", true, 1.3)?;
    calls.environment.push(("LD_PRELOAD".into(), active.clone().into()));
    Ok(vec![
        xz,
        calls,
        python(workspace, "Python loop of 10^7 additions, one active elsewhere", LOOP, library, 2.0),
        python(workspace, "NumPy matmul 500 x 500, one active elsewhere", MATMUL, library, 1.5),
    ])
}

/// As if nothing had been kept by an earlier run.
fn first_import() -> Work {
    let words = [PYTHON.into(), "-c".into(), "import numpy".into()];
    Work { keeps_translations: false, ..whole("import numpy, no input, nothing kept", &words, 2.2) }
}

fn compression(scratch: &Path, suffix: &str, limit: f64) -> Work {
    let words = |file: &str| ["xz".into(), "-9".into(), "-c".into(), scratch.join(file).into()];
    let name = format!("xz -9 of 5 MB, {suffix}");
    Work { less: words("one-megabyte").to_vec(), ..whole(&name, &words("five-megabytes"), limit) }
}

/// A compiler, which starts two other programs.
fn compilation(scratch: &Path) -> Result<Work> {
    let words = |functions: usize| -> Result<Vec<OsString>> {
        let source = scratch.join(format!("{functions}-functions.c"));
        fs::write(&source, c_source(functions))
            .with_context(|| format!("cannot write {}", source.display()))?;
        let object = source.with_extension("o");
        Ok(vec!["gcc".into(), "-O2".into(), "-c".into(), source.into(), "-o".into(), object.into()])
    };
    let work = whole("gcc -O2 of 1,000 lines, no input", &words(100)?, 3.0);
    Ok(Work { less: words(20)?, with_children: true, ..work })
}

/// A script, and how often it repeats its work: in the row, and for Valgrind.
type Script = (&'static str, &'static str, &'static str);
const LOOP: Script = ("loop.py", "10000000", "1000000");
const MATMUL: Script = ("matmul.py", "50", "5");

/// A script that measures a part of itself.
fn python(workspace: &Workspace, name: &str, script: Script, library: Option<&OsStr>, limit: f64) -> Work {
    let (file, often, less_often) = script;
    let path = workspace.root().join("benches/programs").join(file);
    let words = |often: &str| {
        let mut words: Vec<OsString> = vec![PYTHON.into(), path.clone().into(), often.into()];
        words.extend(library.map(OsString::from));
        words
    };
    let work = whole(name, &words(often), limit);
    Work { measured: Measured::Printed, less: words(less_often), repetitions: 3, ..work }
}

/// Work that is measured as a whole.
pub fn whole(name: &str, words: &[OsString], limit: f64) -> Work {
    let words_of = |settings: &[(&str, &str)]| -> Vec<(OsString, OsString)> {
        settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    };
    let native_environment = if has_avx512() { words_of(&WITHOUT_AVX512) } else { Vec::new() };
    Work {
        name: name.to_string(),
        words: words.to_vec(),
        less: words.to_vec(),
        environment: words_of(&SURROUNDINGS),
        native_environment,
        shadows: Shadows::Auto,
        with_children: false,
        keeps_translations: true,
        measured: Measured::Process,
        limit: Limit::Ratio(limit),
        repetitions: 1,
    }
}

fn has_avx512() -> bool {
    std::is_x86_feature_detected!("avx512f")
        && std::is_x86_feature_detected!("avx512bw")
        && std::is_x86_feature_detected!("avx512dq")
        && std::is_x86_feature_detected!("avx512vl")
}

/// Functions of C of ten lines each, on the same machine or another always the same ones.
fn c_source(functions: usize) -> String {
    let mut random = random_numbers();
    let mut text =
        String::from("#include <math.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\n");
    for number in 0..functions {
        let mut constant = || 1.0 + random(1000) as f64 / 8.0;
        let (first, second, third) = (constant(), constant(), constant());
        let operator = ["+", "-", "*", "/"][random(4) as usize];
        let function = ["sqrt", "fabs", "exp", "floor"][random(4) as usize];
        let other = match number {
            0 => String::from("a[0]"),
            _ => format!("function_{}(a, n / 2)", random(number as u64)),
        };
        text += &format!(
            "double function_{number}(double *a, int n) {{\n  double sum = {first:?};\n  for (int i = 1; i < n; i++) {{\n    \
             if (a[i] > {second:?} && (i & {mask}) != 0)\n      sum += a[i] {operator} a[i - 1];\n    else\n      \
             a[i] = {function}(sum) / ({third:?} + a[i] * a[i]);\n  }}\n  return n > 2 ? sum + {other} : sum;\n}}\n",
            mask = random(64),
        );
    }
    text
}

/// Numbers below a bound, the same on each machine: Marsaglia, Xorshift RNGs (2003), the 64-bit generator with shifts
/// 13, 7, 17.
fn random_numbers() -> impl FnMut(u64) -> u64 {
    let mut state: u64 = 0x2545_f491_4f6c_dd1d;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

/// Text of made-up words, the same on each machine, that compresses about as well as prose.
fn text(length: usize) -> Vec<u8> {
    let mut random = random_numbers();
    let mut words = Vec::new();
    for _ in 0..4000 {
        let letters = 2 + random(8);
        let word: Vec<u8> = (0..letters).map(|_| b'a' + random(26) as u8).collect();
        words.push(word);
    }
    let mut text = Vec::with_capacity(length + 16);
    while text.len() < length {
        // The product of two uniform numbers makes some words frequent and most rare.
        let rank = random(4000) * random(4000) / 4000;
        text.extend_from_slice(&words[rank as usize]);
        text.push(if random(12) == 0 { b'\n' } else { b' ' });
    }
    text.truncate(length);
    text
}
