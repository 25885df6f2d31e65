//! Man pages and completions, and the program that tells where everything is.

use derivgrind_tests::installation::{installation, succeed};
use std::fs;

#[test]
fn man_pages_and_completions_name_the_options() {
    let installation = installation();
    let programs = [("derivgrind", "record", "vector"), ("tape-evaluation", "forward", "jacobian")];
    for (program, option, other) in programs {
        let documents = [
            format!("share/man/man1/{program}.1"),
            format!("share/bash-completion/completions/{program}"),
            format!("share/zsh/site-functions/_{program}"),
            format!("share/fish/vendor_completions.d/{program}.fish"),
        ];
        for name in documents {
            let text = fs::read_to_string(installation.path(&name))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(text.contains(option) && text.contains(other), "{name}: {text}");
            assert!(
                !text.contains("report-from-fd") && !text.contains("report\\-from"),
                "{name} names what is internal"
            );
        }
        let completion = installation.path(&format!("share/bash-completion/completions/{program}"));
        succeed(installation.command("bash").arg("-n").arg(completion)).unwrap();
    }
}

#[test]
fn config_program_answers_wherever_it_is_called_by_whatever_name() {
    let installation = installation();
    let prefix = installation.prefix.display();
    let answer = |option: &str| {
        succeed(installation.command("derivgrind-config").current_dir("/").args(option.split(' '))).unwrap()
    };
    assert_eq!(answer("--cflags"), format!("-I{prefix}/include\n"));
    assert_eq!(answer("--incdir"), format!("{prefix}/include\n"));
    assert_eq!(answer("--libdir"), format!("{prefix}/lib\n"));
    assert_eq!(answer("--pythondir"), format!("{prefix}/lib/derivgrind/python\n"));
    assert_eq!(answer("--version"), format!("{}\n", env!("CARGO_PKG_VERSION")));
    let libraries = format!("-L{prefix}/lib -Wl,-rpath,{prefix}/lib -lderivgrind");
    assert_eq!(answer("--cflags --libs"), format!("-I{prefix}/include {libraries}\n"));
    assert!(answer("--fflags").starts_with(&format!("-I{prefix}/lib/derivgrind/fortran/gfortran-")));

    let link = installation.products.join("link-to-config");
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(installation.path("bin/derivgrind-config"), &link).unwrap();
    assert_eq!(succeed(installation.command(&link).arg("--incdir")).unwrap(), format!("{prefix}/include\n"));

    let wrong = installation.command("derivgrind-config").arg("--no-such").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let other =
        installation.command("derivgrind-config").arg("--fflags").env("FC", "no-such-compiler").output();
    let other = other.unwrap();
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other.stderr).contains("share/derivgrind/sdk-fortran"));
}
