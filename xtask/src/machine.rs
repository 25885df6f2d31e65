//! What a measurement was made on and with.

use crate::command;
use std::fs;
use std::process::Command;

/// Lines `name: value` that describe machine and tools.
pub fn description() -> Vec<(&'static str, String)> {
    let system = rustix::system::uname();
    let cores =
        std::thread::available_parallelism().map_or_else(|_| "?".to_string(), |count| count.to_string());
    vec![
        ("processor", format!("{}, {cores} cores", processor())),
        ("AVX-512", if std::is_x86_feature_detected!("avx512f") { "yes" } else { "no" }.to_string()),
        ("kernel", format!("{} {}", system.sysname().to_string_lossy(), kernel_version(&system))),
        ("gcc", first_line("gcc", &["--version"])),
        ("rustc", first_line("rustc", &["--version"])),
        ("valgrind", first_line("valgrind", &["--version"])),
        ("python", first_line("/usr/bin/python3", &["--version"])),
        ("ADOL-C", first_line("dpkg-query", &["-W", "-f", "${Version}", "libadolc-dev"])),
        ("numpy", first_line("/usr/bin/python3", &["-c", "import numpy; print(numpy.__version__)"])),
    ]
}

/// Without what follows the version proper, which names the machine rather than the kernel.
fn kernel_version(system: &rustix::system::Uname) -> String {
    let release = system.release().to_string_lossy();
    release.split('-').next().unwrap_or_default().to_string()
}

/// Model, and family and model number, since a virtual machine may hide the name.
pub fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |name: &str| {
        let line = text.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
        Some(line.split_once(':')?.1.trim().to_string())
    };
    let unknown = || "?".to_string();
    format!(
        "{} (family {}, model {})",
        value("model name").unwrap_or_else(unknown),
        value("cpu family").unwrap_or_else(unknown),
        value("model").unwrap_or_else(unknown)
    )
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let text =
        command::output(Command::new(program).args(arguments)).unwrap_or_else(|_| "not found".to_string());
    text.lines().next().unwrap_or_default().to_string()
}
