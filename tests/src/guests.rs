//! The guests that compute derivatives, with the compilers and options that they are compiled with.

use crate::{compile, copied, each, full, rust_program, Language, Program};
use std::path::{Path, PathBuf};

const C_GUESTS: &[&str] = &[
    "polynomial.c",
    "division_sqrt.c",
    "min_max_sign.c",
    "conditionals.c",
    "matrix_multiply.c",
    "stencil.c",
    "dot_product.c",
    "complex_numbers.c",
    "structures_by_value.c",
    "moved_memory.c",
    "every_size.c",
    "thread_local_variables.c",
    "integer_registers.c",
    "control_flow.c",
    "conversions.c",
    "special_cases.c",
    "interrupted_blocks.c",
    "threads_with_queue.c",
    "negations_by_turns.c",
    "repaired_faults.c",
    "bit_tricks.c",
    "parts_of_numbers.c",
    "split_numbers.c",
    "variables_at_fixed_addresses.c",
    "sums_of_any_numbers.c",
    "exchanged_between_threads.c",
    "calls_through_variables.c",
    "expected_variables.c",
    "changed_by_others.c",
];

/// Compilers with options.
pub type Compilers<'a> = &'a [(&'a str, &'a [&'a str])];

/// Options for a first impression: each level and each instruction set once.
pub const EACH_LEVEL_ONCE: Compilers = &[
    ("gcc", &["-O0"]),
    ("gcc", &["-O2"]),
    ("gcc", &["-O3", "-mavx2", "-mfma"]),
    ("gcc", &["-Ofast", "-msse4.1"]),
    ("clang", &["-O0"]),
    ("clang", &["-O1", "-mavx"]),
    ("gcc", &["-O1", "-mavx"]),
    ("clang", &["-Ofast", "-mavx2", "-mfma"]),
];

const LEVELS: [&str; 5] = ["-O0", "-O1", "-O2", "-O3", "-Ofast"];
const INSTRUCTION_SETS: [&[&str]; 4] = [&[], &["-msse4.1"], &["-mavx"], &["-mavx2", "-mfma"]];

/// What is done with a compiled guest; its derivatives have the tolerance given.
pub type Check = fn(&Path, f64) -> Result<(), String>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Real {
    Float,
    Double,
    /// 80 bits. What the guests compare has 64.
    Extended,
}

impl Real {
    fn options(self) -> &'static [&'static str] {
        match self {
            Real::Float => &["-DREAL=float", "-DREAL_IS_FLOAT"],
            Real::Double => &["-DREAL=double"],
            Real::Extended => &["-DREAL=long double", "-DREAL_IS_EXTENDED"],
        }
    }

    fn tolerance(self) -> f64 {
        match self {
            Real::Float => 1e-5,
            Real::Double | Real::Extended => 1e-12,
        }
    }
}

/// Compilers with options: some, or in full tests all.
fn compilers(some: Compilers<'static>) -> Vec<(&'static str, Vec<&'static str>)> {
    if !full() {
        return some.iter().map(|(compiler, options)| (*compiler, options.to_vec())).collect();
    }
    let mut all = Vec::new();
    for compiler in ["gcc", "clang"] {
        for level in LEVELS {
            for instructions in INSTRUCTION_SETS {
                all.push((compiler, [&[level], instructions].concat()));
            }
        }
    }
    all
}

/// Some or all levels of optimisation, with the instruction sets given.
fn levels<'a>(some: &[&'a str], instructions: &[&'a str]) -> Vec<Vec<&'a str>> {
    let levels = if full() { &LEVELS } else { some };
    levels.iter().map(|level| [&[*level], instructions].concat()).collect()
}

/// Guests in C for binary64 and binary32.
pub fn c(some: Compilers<'static>, check: Check) {
    c_guests(C_GUESTS, some, check);
}

/// These guests in C, for binary64 and binary32.
pub fn c_guests(guests: &[&str], some: Compilers<'static>, check: Check) {
    let mut all = Vec::new();
    for guest in guests {
        for (compiler, options) in compilers(some) {
            for real in [Real::Double, Real::Float] {
                all.push((*guest, compiler, options.clone(), real));
            }
        }
    }
    each(&all, |(guest, compiler, options, real)| {
        let options = [options, real.options(), &["-pthread"]].concat();
        let libraries = &["-lm"];
        let program = compile(&Program {
            language: Language::C,
            compiler,
            sources: &[guest],
            options: &options,
            libraries,
        })?;
        check(&program, real.tolerance())
    });
}

/// Compiled for this processor, which has AVX-512.
const FOR_THIS_PROCESSOR: [(&str, &[&str]); 4] = [
    ("gcc", &["-O3", "-march=native", "-mprefer-vector-width=512"]),
    ("gcc", &["-Ofast", "-march=native"]),
    ("gcc", &["-O2", "-march=native"]),
    ("clang", &["-Ofast", "-march=native", "-mprefer-vector-width=512"]),
];

/// Guests in C with AVX-512, where the processor has it.
pub fn c_with_avx512(check: Check) {
    if !crate::has_avx512() {
        println!("not tested: this processor has no AVX-512");
        return;
    }
    let mut all = Vec::new();
    for guest in C_GUESTS {
        for (compiler, options) in FOR_THIS_PROCESSOR {
            for real in [Real::Double, Real::Float] {
                all.push((*guest, compiler, options, real));
            }
        }
    }
    each(&all, |(guest, compiler, options, real)| {
        let options = [*options, real.options(), &["-pthread"]].concat();
        let (sources, libraries) = (&[*guest], &["-lm"]);
        let program =
            compile(&Program { language: Language::C, compiler, sources, options: &options, libraries })?;
        check(&program, real.tolerance())
    });
}

/// Guests in C with instructions up to SSE2.
pub fn c_without_avx(check: Check) {
    let mut all = Vec::new();
    for guest in C_GUESTS {
        for (compiler, level) in [("gcc", "-O0"), ("gcc", "-O3"), ("clang", "-Ofast")] {
            for real in [Real::Double, Real::Float] {
                all.push((*guest, compiler, level, real));
            }
        }
    }
    each(&all, |(guest, compiler, level, real)| {
        let options = [&[*level][..], real.options(), &["-pthread"]].concat();
        let libraries = &["-lm"];
        let sources = &[*guest];
        let program =
            compile(&Program { language: Language::C, compiler, sources, options: &options, libraries })?;
        check(&program, real.tolerance())
    });
}

/// Guests in C that compute with the x87 unit. What belongs to vector registers, or to numbers of a certain size, is
/// left out.
pub fn x87(check: Check) {
    // At -O0 compilers change signs by `btc` and by `xor` of a byte. Sums in 80 bits are not rounded to integers.
    let is_of_vectors = |guest: &str| {
        [
            "integer_registers.c",
            "min_max_sign.c",
            "bit_tricks.c",
            "parts_of_numbers.c",
            "split_numbers.c",
            "negations_by_turns.c",
        ]
        .contains(&guest)
    };
    let mut all = vec![
        ("extended_numbers.c", "gcc", vec!["-O0"], Real::Extended),
        ("extended_numbers.c", "gcc", vec!["-O2"], Real::Extended),
        ("extended_numbers.c", "clang", vec!["-O2"], Real::Extended),
    ];
    for guest in C_GUESTS.iter().filter(|guest| !is_of_vectors(guest)) {
        for level in ["-O0", "-O2"] {
            all.push((*guest, "gcc", vec![level], Real::Extended));
            for real in [Real::Float, Real::Double] {
                all.push((*guest, "gcc", vec![level, "-mfpmath=387"], real));
            }
        }
        all.push((*guest, "clang", vec!["-O1"], Real::Extended));
    }
    each(&all, |(guest, compiler, options, real)| {
        let options = [options, real.options(), &["-pthread"]].concat();
        let libraries = &["-lm"];
        let program = compile(&Program {
            language: Language::C,
            compiler,
            sources: &[guest],
            options: &options,
            libraries,
        })?;
        check(&program, real.tolerance())
    });
}

/// Functions of the mathematics library, of glibc's shared and static ones.
pub fn mathematical_functions(check: Check) {
    let mut all = Vec::new();
    for real in [Real::Float, Real::Double, Real::Extended] {
        all.push(("gcc", vec!["-O0", "-fno-builtin"], real));
        all.push(("gcc", vec!["-O2"], real));
        all.push(("gcc", vec!["-Ofast", "-mavx2", "-mfma"], real));
        all.push(("clang", vec!["-O1"], real));
    }
    // With long double, `expl` called from inside of the library reads padding that may hold an old shadow, and
    // reports it.
    for real in [Real::Float, Real::Double] {
        all.push(("gcc", vec!["-O2", "-static"], real));
    }
    all.push(("musl-gcc", vec!["-O1", "-fno-builtin"], Real::Double));
    all.push(("musl-gcc", vec!["-O1", "-fno-builtin", "-static"], Real::Double));
    each(&all, |(compiler, options, real)| {
        let options = [options, real.options()].concat();
        let sources = &["mathematical_functions.c"];
        let libraries = &["-lm"];
        let program =
            compile(&Program { language: Language::C, compiler, sources, options: &options, libraries })?;
        check(&program, real.tolerance())
    });
}

/// Functions that round their value to a narrower type.
pub fn narrowing_functions(check: Check) {
    let all = [("gcc", vec!["-O0", "-fno-builtin"]), ("gcc", vec!["-O2"]), ("clang", vec!["-O1", "-mavx2"])];
    each(&all, |(compiler, options)| {
        let sources = &["narrowing_functions.c"];
        let libraries = &["-lm"];
        let program = compile(&Program { language: Language::C, compiler, sources, options, libraries })?;
        check(&program, Real::Double.tolerance())
    });
}

/// Calls of functions of the mathematics library that signal handlers, threads and other contexts interrupt.
pub fn interrupted_calls(check: Check) {
    let all = [("gcc", vec!["-O0"]), ("gcc", vec!["-O2"]), ("clang", vec!["-O1", "-mavx2"])];
    each(&all, |(compiler, options)| {
        let options = [&options[..], &["-pthread"]].concat();
        let sources = &["interrupted_calls.c"];
        let libraries = &["-lm"];
        let program =
            compile(&Program { language: Language::C, compiler, sources, options: &options, libraries })?;
        check(&program, Real::Double.tolerance())
    });
}

/// Loops that compilers turn into calls of functions of vectors.
pub fn vector_functions(check: Check) {
    let mut all = vec![vec!["-Ofast"], vec!["-Ofast", "-mavx"], vec!["-Ofast", "-mavx2", "-mfma"]];
    if crate::has_avx512() {
        all.push(vec!["-Ofast", "-march=native", "-mprefer-vector-width=512"]);
    }
    let all: Vec<_> = all
        .into_iter()
        .flat_map(|options| [(options.clone(), Real::Float), (options, Real::Double)])
        .collect();
    each(&all, |(options, real)| {
        let options = [options, real.options()].concat();
        let libraries = &["-lmvec", "-lm"];
        let program = compile(&Program { libraries, ..Program::c(&["loops_of_functions.c"], &options) })?;
        calls_functions_of_vectors(&program)?;
        check(&program, real.tolerance())
    });
}

/// Else the test would be about something else.
fn calls_functions_of_vectors(program: &Path) -> Result<(), String> {
    let bytes = std::fs::read(program).map_err(|error| error.to_string())?;
    let has = |name: &str| bytes.windows(name.len()).any(|window| window == name.as_bytes());
    let missing: Vec<_> =
        ["v_sin", "v_exp10", "v_erfc", "vv_pow", "vv_hypot"].into_iter().filter(|name| !has(name)).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("{} calls no {missing:?}", program.display()))
    }
}

/// Functions of vectors that are called by their names, with registers of each size.
pub fn functions_of_named_vectors(check: Check) {
    let mut all = Vec::new();
    for instructions in ["-msse2", "-mavx", "-mavx2", "-mavx512f"] {
        if instructions != "-mavx512f" || crate::has_avx512() {
            all.extend([(instructions, Real::Float), (instructions, Real::Double)]);
        }
    }
    each(&all, |(instructions, real)| {
        let options = [&["-O2", instructions], real.options()].concat();
        let library = library_of_vectors(&options, &format!("vectors{instructions}-{real:?}.so"))?;
        let libraries = &[library.to_str().expect("plain names"), "-lmvec", "-lm"];
        let program = compile(&Program { libraries, ..Program::c(&["named_vectors.c"], &options) })?;
        check(&program, real.tolerance())
    });
}

/// The library with these functions, under a name that is short enough to be part of a program's.
pub fn library_of_vectors(options: &[&str], name: &str) -> Result<PathBuf, String> {
    let options = [options, &["-shared", "-fPIC"]].concat();
    let library = Program { libraries: &["-lm"], ..Program::c(&["named_vectors_library.c"], &options) };
    let library = compile(&library)?;
    copied(&library, name)
}

/// Guests that call libraries which nobody compiled for us.
pub fn libraries(check: Check) {
    let all = [("fourier_transform.c", "-lfftw3"), ("linear_algebra.c", "-llapacke")];
    each(&all, |(guest, library)| {
        let libraries = &[*library, "-lm"];
        let program = compile(&Program { libraries, ..Program::c(&[*guest], &["-O2"]) })?;
        check(&program, Real::Double.tolerance())
    });
}

pub fn cxx(check: Check) {
    let mut all = Vec::new();
    for compiler in ["gcc", "clang"] {
        for options in levels(&["-O0", "-O2", "-Ofast"], &[]) {
            all.push((compiler, options.clone()));
            all.push((compiler, [&options[..], &["-mavx2", "-mfma"]].concat()));
        }
    }
    each(&all, |(compiler, options)| {
        let sources = &["containers.cpp"];
        let program =
            compile(&Program { language: Language::Cxx, compiler, sources, options, libraries: &["-lm"] })?;
        check(&program, Real::Double.tolerance())
    });
}

pub fn fortran(check: Check) {
    let object = compile(&Program::c(&["check_for_fortran.c"], &["-O2", "-c"])).expect("a C compiler");
    let object = object.to_str().expect("target directories have plain names");
    let mut all = levels(&["-O0", "-O2"], &[]);
    all.extend(levels(&["-O3", "-Ofast"], &["-mavx2", "-mfma"]));
    each(&all, |options| {
        let program = compile(&Program {
            language: Language::Fortran,
            compiler: "gfortran",
            sources: &["fortran_arrays.f90"],
            options,
            libraries: &["-x", "none", object],
        })?;
        check(&program, Real::Double.tolerance())
    });
}

/// Functions of C++'s standard library.
pub fn cxx_functions(check: Check) {
    let mut all = Vec::new();
    for real in [Real::Float, Real::Double] {
        all.push(("gcc", vec!["-std=c++20", "-O0"], real));
        all.push(("gcc", vec!["-std=c++20", "-Ofast", "-mavx2", "-mfma"], real));
        all.push(("clang", vec!["-std=c++20", "-O1"], real));
    }
    each(&all, |(compiler, options, real)| {
        let options = [&options[..], real.options()].concat();
        let sources = &["functions.cpp"];
        let libraries = &["-lm"];
        let program =
            compile(&Program { language: Language::Cxx, compiler, sources, options: &options, libraries })?;
        check(&program, real.tolerance())
    });
}

/// Intrinsic functions of Fortran, of its three kinds of numbers that processors compute with.
pub fn fortran_intrinsics(check: Check) {
    let kinds = [("c_float", Real::Float), ("c_double", Real::Double), ("c_long_double", Real::Extended)];
    let mut all = Vec::new();
    for (kind, real) in kinds {
        for options in [vec!["-O0"], vec!["-O2"], vec!["-Ofast", "-mavx2", "-mfma"]] {
            // At -O0 the sign of an 80-bit number changes in a general register, which is reported at best.
            if (real, options[0]) != (Real::Extended, "-O0") {
                all.push((format!("-DKIND={kind}"), real, options));
            }
        }
    }
    each(&all, |(kind, real, options)| {
        let object = [&["-O2", "-c"], real.options()].concat();
        let object = compile(&Program::c(&["check_for_fortran.c"], &object))?;
        let options = [&["-cpp", kind], &options[..]].concat();
        let program = compile(&Program {
            language: Language::Fortran,
            compiler: "gfortran",
            sources: &["fortran_intrinsics.f90"],
            options: &options,
            libraries: &["-x", "none", object.to_str().expect("plain names")],
        })?;
        check(&program, real.tolerance())
    });
}

pub fn rust(check: Check) {
    let mut all = Vec::new();
    for options in [["-Copt-level=0"], ["-Copt-level=3"]] {
        all.push(("rust_values.rs", options, Real::Double));
        // Some of its functions are those of f32.
        all.push(("rust_functions.rs", options, Real::Float));
    }
    each(&all, |(source, options, real)| check(&rust_program(source, options)?, real.tolerance()));
}

pub fn openmp(check: Check) {
    let mut all = levels(&["-O0", "-O2", "-Ofast"], &["-fopenmp"]);
    all.extend(levels(&["-O3"], &["-fopenmp", "-mavx2", "-mfma"]));
    for real in [Real::Double, Real::Float] {
        each(&all, |options| {
            let options = [options, real.options()].concat();
            check(&compile(&Program::c(&["openmp.c"], &options))?, real.tolerance())
        });
    }
}

pub fn instructions_by_name(check: Check) {
    let all: Vec<_> = ["gcc", "clang"]
        .iter()
        .flat_map(|compiler| {
            levels(&["-O0", "-O2"], &["-mavx2", "-mfma"]).into_iter().map(|options| (*compiler, options))
        })
        .collect();
    each(&all, |(compiler, options)| {
        let sources = &["vector_intrinsics.c"];
        let program =
            compile(&Program { language: Language::C, compiler, sources, options, libraries: &[] })?;
        // Binary32 is compared in binary64.
        check(&program, Real::Float.tolerance())
    });
}
