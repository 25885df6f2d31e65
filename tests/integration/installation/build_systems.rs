//! What build systems make of the installation, beyond what the examples use.

use derivgrind_tests::installation::{installation, run_installed, succeed, Run};
use derivgrind_tests::repository;
use std::fs;

const PROJECT: &str = "\
cmake_minimum_required(VERSION 3.16)
project(languages C CXX Fortran)
find_package(derivgrind @VERSION@ EXACT CONFIG REQUIRED)
find_package(derivgrind CONFIG REQUIRED)
add_executable(c every_request.c)
target_link_libraries(c derivgrind::headers)
add_executable(library every_request_library.c)
target_link_libraries(library derivgrind::derivgrind)
add_executable(cxx every_request.cpp)
set_property(TARGET cxx PROPERTY CXX_STANDARD 17)
target_link_libraries(cxx derivgrind::headers)
add_executable(fortran every_request.f90)
set_property(TARGET fortran PROPERTY Fortran_PREPROCESS ON)
target_link_libraries(fortran derivgrind::fortran)
if(NOT EXISTS \"${DERIVGRIND_PROGRAM}\" OR NOT EXISTS \"${DERIVGRIND_TAPE_EVALUATION}\")
  message(FATAL_ERROR \"the programs are not there\")
endif()
";

#[test]
fn cmake_finds_the_library_and_compiles_the_modules() {
    let installation = installation();
    let directory = installation.products.join("cmake");
    fs::create_dir_all(&directory).unwrap();
    for file in fs::read_dir(repository("tests/languages")).unwrap().map_while(Result::ok) {
        fs::copy(file.path(), directory.join(file.file_name())).unwrap();
    }
    let project = PROJECT.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    fs::write(directory.join("CMakeLists.txt"), project).unwrap();
    let mut configure = installation.command("cmake");
    configure.current_dir(&directory).args(["-B", "build"]);
    succeed(configure.arg(format!("-DCMAKE_PREFIX_PATH={}", installation.prefix.display()))).unwrap();
    succeed(installation.command("cmake").current_dir(&directory).args(["--build", "build"])).unwrap();
    for program in ["c", "library", "cxx", "fortran"] {
        let program = directory.join("build").join(program);
        for how in [Run::Native, Run::Forward] {
            let finished = run_installed(installation, how, &program, &[], &directory.join("tape")).unwrap();
            assert!(finished.status.success(), "{} {how:?}: {}", program.display(), finished.stdout());
        }
    }
    // Another version is not compatible.
    fs::write(
        directory.join("CMakeLists.txt"),
        "cmake_minimum_required(VERSION 3.16)\nproject(newer C)\nfind_package(derivgrind 9.0 CONFIG REQUIRED)\n",
    )
    .unwrap();
    let mut configure = installation.command("cmake");
    configure.current_dir(&directory).args(["-B", "newer"]);
    let refused = succeed(configure.arg(format!("-DCMAKE_PREFIX_PATH={}", installation.prefix.display())));
    assert!(refused.unwrap_err().contains("version: 0.1.0"));
}

#[test]
fn pkg_config_links_the_library() {
    let installation = installation();
    let flags =
        succeed(installation.command("pkg-config").args(["--cflags", "--libs", "derivgrind"])).unwrap();
    let product = installation.products.join("by-pkg-config");
    let mut compile = installation.command("gcc");
    compile.arg(repository("tests/languages/every_request_library.c")).arg("-o").arg(&product);
    succeed(compile.args(flags.split_whitespace())).unwrap();
    let libraries = succeed(installation.command("ldd").arg(&product)).unwrap();
    assert!(libraries.contains("libderivgrind.so.0 => not found"), "{libraries}");
    let library_path = installation.path("lib");
    let mut run = installation.command("derivgrind");
    succeed(run.arg(&product).env("LD_LIBRARY_PATH", library_path)).unwrap();
}
