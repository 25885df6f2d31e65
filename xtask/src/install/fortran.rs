//! The Fortran modules: as sources for build systems, and compiled for the compiler that is there.

use super::Installation;
use crate::command;
use anyhow::{Context, Result};
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

const SOURCES: [&str; 3] = ["derivgrind.f90", "derivgrind_clientrequests.f90", "derivgrind_requests.c"];

pub fn install(installation: &Installation) -> Result<()> {
    installation.folder("sdk-fortran", "share/derivgrind/sdk-fortran")?;
    let compiler = env::var("FC").unwrap_or_else(|_| "gfortran".to_string());
    let Ok(version) = command::output(Command::new(&compiler).arg("-dumpversion")) else {
        eprintln!(
            "{compiler} does not start: no Fortran modules are compiled, only their sources are installed"
        );
        return Ok(());
    };
    let major = version.trim().split('.').next().unwrap_or_default();
    let directory = installation.prefix.join(format!("lib/derivgrind/fortran/gfortran-{major}"));
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    compile(&installation.root.join("sdk-fortran"), &compiler, &directory)
}

/// Modules and library in `directory`.
fn compile(sources: &Path, compiler: &str, directory: &Path) -> Result<()> {
    let mut objects = Vec::new();
    for source in SOURCES {
        let object = format!("{source}.o");
        let mut build = Command::new(compiler);
        build.current_dir(directory).args(["-O2", "-fPIC", "-c", "-o", &object]);
        build.arg("-I").arg(sources.join("include")).arg(sources.join("src").join(source));
        command::run(&mut build)?;
        objects.push(object);
    }
    let library = directory.join("libderivgrind_fortran.a");
    let _ = fs::remove_file(&library);
    command::run(
        Command::new("ar").current_dir(directory).args(["rcs", "libderivgrind_fortran.a"]).args(&objects),
    )?;
    for object in objects {
        fs::remove_file(directory.join(object))?;
    }
    Ok(())
}
