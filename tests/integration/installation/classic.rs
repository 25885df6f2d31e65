//! Programs as they were written for the classic tool compile and give right results.

use derivgrind_tests::installation::{installation, run_installed, succeed, Run};
use derivgrind_tests::repository;
use std::fs;

#[test]
fn classic_programs_in_c_and_fortran() {
    let installation = installation();
    let fortran_flags = succeed(installation.command("derivgrind-config").arg("--fflags")).unwrap();
    let include = format!("-I{}", installation.path("include").display());
    let programs = [("classic.c", "gcc", vec![include.as_str()]), ("classic.f90", "gfortran", vec![])];
    for (name, compiler, options) in programs {
        let product = installation.products.join(name.replace('.', "-"));
        let mut command = installation.command(compiler);
        command.arg("-O2").args(options).arg("-o").arg(&product);
        command.arg(repository("tests/languages").join(name));
        if compiler == "gfortran" {
            command.args(fortran_flags.split_whitespace());
        }
        succeed(&mut command).unwrap();
        let tape = product.with_extension("tape");
        for (how, expected) in
            [(Run::Native, [0.0, 0.0]), (Run::Forward, [-4.0, 6.0]), (Run::Recording, [0.0, 0.0])]
        {
            let finished = run_installed(installation, how, &product, &[], &tape).unwrap();
            let printed: Vec<f64> =
                finished.stdout().split_whitespace().map(|word| word.parse().unwrap()).collect();
            assert_eq!(printed, expected, "{name} {how:?}: {}", finished.stderr());
        }
        succeed(installation.command("tape-evaluation").arg("-q").arg(&tape)).unwrap();
        let bars = fs::read_to_string(tape.join("dg-input-bars")).unwrap();
        let bars: Vec<f64> = bars.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(bars, [-4.0, 3.0], "{name}");
    }
}
