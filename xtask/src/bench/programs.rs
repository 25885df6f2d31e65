//! The pieces of work that are measured.

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::fs;
use std::path::Path;

/// One piece of work: a command, how it is measured, and how long it may take.
pub struct Work {
    pub name: String,
    pub words: Vec<OsString>,
    pub environment: Vec<(OsString, OsString)>,
    /// More of it for native runs.
    pub native_environment: Vec<(OsString, OsString)>,
    pub shadows: Shadows,
    pub measured: Measured,
    pub limit: Limit,
    /// Work that takes milliseconds is run more often.
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

const PYTHON: &str = "/usr/bin/python3";

/// Settings that hide AVX-512 from a native program as Derivgrind does when shadows live in registers. Not for runs under
/// Derivgrind: NumPy spends time on a warning about features that it does not find anyway.
const WITHOUT_AVX512: [(&str, &str); 3] = [
    (
        "GLIBC_TUNABLES",
        "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD,-AVX512ER,-AVX512PF,-AVX512_VBMI,-AVX512_VNNI,\
         -AVX512_BITALG,-AVX512_IFMA,-AVX512_VBMI2,-AVX512_VPOPCNTDQ",
    ),
    ("NPY_DISABLE_CPU_FEATURES", "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"),
    ("OPENBLAS_CORETYPE", "Haswell"),
];

/// Every row of the table, after the programs for them have been compiled.
pub fn all(workspace: &Workspace) -> Result<Vec<Work>> {
    let scratch = workspace.scratch("bench")?;
    let active = scratch.join("libactive.so");
    workspace.compile_c("benches/programs/active.c", &active, &["-O2", "-shared", "-fPIC"], &[])?;
    let mut all = burgers(workspace, &scratch)?;
    all.extend(without_inputs(workspace, &scratch)?);
    all.extend(with_one_active_variable(workspace, &scratch, &active)?);
    all.push(Work {
        repetitions: 4,
        limit: Limit::Milliseconds(20.0),
        ..whole("start-up of /bin/true", &["/bin/true".into()], 0.0)
    });
    Ok(all)
}

/// The solver of the first example, everything active.
fn burgers(workspace: &Workspace, scratch: &Path) -> Result<Vec<Work>> {
    let variants: [(&str, &[&str], &str); 3] = [
        ("gcc -O3", &["-O3"], "6000"),
        ("gcc -O3 -mavx2 -mfma", &["-O3", "-mavx2", "-mfma"], "12000"),
        ("gcc -O0", &["-O0"], "1500"),
    ];
    let mut all = Vec::new();
    for (shadows, limit) in [(Shadows::Registers, 2.0), (Shadows::Memory, 3.5)] {
        if shadows == Shadows::Registers && !has_avx512() {
            eprintln!("rows with shadows in registers are left out: this processor has no AVX-512");
            continue;
        }
        for (label, options, steps) in variants {
            let program = scratch.join(format!("burgers{}", label.replace("gcc", "").replace(' ', "")));
            workspace.compile_c("examples/01-burgers/burgers.c", &program, options, &["-lm"])?;
            let words = [program.into(), "128".into(), steps.into(), "0.5".into()];
            let mut work = whole(&format!("Burgers {label}, all active, {}", shadows.name()), &words, limit);
            work.shadows = shadows;
            if shadows == Shadows::Memory {
                work.native_environment.clear();
            }
            all.push(work);
        }
    }
    Ok(all)
}

/// Forward mode is on, and the program declares no input.
fn without_inputs(workspace: &Workspace, scratch: &Path) -> Result<Vec<Work>> {
    let data = scratch.join("five-megabytes");
    fs::write(&data, text(5_000_000)).with_context(|| format!("cannot write {}", data.display()))?;
    let script = |name: &str| workspace.root().join("benches/programs").join(name).into_os_string();
    Ok(vec![
        whole("xz -9 of 5 MB, no input", &["xz".into(), "-9".into(), "-c".into(), data.into()], 1.1),
        part("Python loop of 10^7 additions, no input", &[PYTHON.into(), script("loop.py")], 1.4),
        part("NumPy matmul 500 x 500, no input", &[PYTHON.into(), script("matmul.py")], 1.1),
        whole("import numpy, no input", &[PYTHON.into(), "-c".into(), "import numpy".into()], 2.2),
    ])
}

/// The same with one active variable that the program does not use.
fn with_one_active_variable(workspace: &Workspace, scratch: &Path, active: &Path) -> Result<Vec<Work>> {
    let data = scratch.join("five-megabytes");
    let script = |name: &str| workspace.root().join("benches/programs").join(name).into_os_string();
    let library = active.as_os_str().to_os_string();
    let mut xz = whole(
        "xz -9 of 5 MB, one active elsewhere",
        &["xz".into(), "-9".into(), "-c".into(), data.into()],
        1.3,
    );
    xz.environment.push(("LD_PRELOAD".into(), library.clone()));
    Ok(vec![
        xz,
        part(
            "Python loop of 10^7 additions, one active elsewhere",
            &[PYTHON.into(), script("loop.py"), library.clone()],
            2.0,
        ),
        part(
            "NumPy matmul 500 x 500, one active elsewhere",
            &[PYTHON.into(), script("matmul.py"), library],
            1.5,
        ),
    ])
}

/// Work that is measured as a whole.
fn whole(name: &str, words: &[OsString], limit: f64) -> Work {
    let mut native_environment: Vec<(OsString, OsString)> = Vec::new();
    if has_avx512() {
        native_environment
            .extend(WITHOUT_AVX512.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    }
    Work {
        name: name.to_string(),
        words: words.to_vec(),
        environment: vec![("OPENBLAS_NUM_THREADS".into(), "1".into())],
        native_environment,
        shadows: Shadows::Auto,
        measured: Measured::Process,
        limit: Limit::Ratio(limit),
        repetitions: 1,
    }
}

/// Work that measures a part of itself.
fn part(name: &str, words: &[OsString], limit: f64) -> Work {
    Work { measured: Measured::Printed, ..whole(name, words, limit) }
}

fn has_avx512() -> bool {
    std::is_x86_feature_detected!("avx512f")
        && std::is_x86_feature_detected!("avx512bw")
        && std::is_x86_feature_detected!("avx512dq")
        && std::is_x86_feature_detected!("avx512vl")
}

/// Text of made-up words, the same on each machine, that compresses about as well as prose.
fn text(length: usize) -> Vec<u8> {
    // Marsaglia, Xorshift RNGs (2003), the 64-bit generator with shifts 13, 7, 17.
    let mut state: u64 = 0x2545_f491_4f6c_dd1d;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
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
