//! Runs programs natively and under derivgrind, with a time limit.

use crate::{has_avx512, library_of_unrelated_input, scratch};
use rustix::process::{kill_process_group, Pid, Signal};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Where the shadows of vector registers live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shadows {
    Registers,
    Memory,
    /// In memory, as on a processor without AVX.
    MemorySse2,
}

impl Shadows {
    /// What this processor can do.
    pub fn all() -> &'static [Shadows] {
        if has_avx512() {
            &[Shadows::Registers, Shadows::Memory]
        } else {
            &[Shadows::Memory]
        }
    }

    fn option(self) -> &'static str {
        match self {
            Shadows::Registers => "--vector-shadows=registers",
            Shadows::Memory => "--vector-shadows=memory",
            Shadows::MemorySse2 => "--vector-shadows=memory-sse2",
        }
    }
}

/// Has an input been declared?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Plain,
    Active,
}

/// How a program ended and what it printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Finished {
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// The launcher named by `DERIVGRIND`, or the one beside the test.
pub fn launcher() -> PathBuf {
    if let Some(path) = std::env::var_os("DERIVGRIND") {
        return path.into();
    }
    let test = std::env::current_exe().expect("tests know where they are");
    let path = test.ancestors().nth(2).expect("tests lie in a target directory").join("derivgrind");
    assert!(path.exists(), "{} is missing; please build it or set DERIVGRIND", path.display());
    path
}

/// The words of a command.
type Words<'a> = &'a [&'a str];

/// A command that runs natively, on a processor with the features that the client sees under derivgrind.
pub fn native(words: Words, shadows: Shadows) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    if shadows == Shadows::Registers {
        hide_avx512(&mut command);
        // Under derivgrind NumPy would warn that there is nothing to disable.
        let features = "AVX512F AVX512CD AVX512_KNL AVX512_KNM AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL";
        command.env("NPY_DISABLE_CPU_FEATURES", supported_by_numpy(features));
    }
    if shadows == Shadows::MemorySse2 {
        hide_avx(&mut command);
    }
    command
}

/// Hides AVX-512 from glibc and OpenBLAS, which choose functions by processor.
pub fn hide_avx512(command: &mut Command) {
    let features = ["F", "VL", "BW", "DQ", "CD", "IFMA", "VBMI", "_VBMI2", "_VNNI", "_BITALG", "_VPOPCNTDQ"];
    let hidden: Vec<_> = features.iter().map(|feature| format!("-AVX512{feature}")).collect();
    command.env("GLIBC_TUNABLES", format!("glibc.cpu.hwcaps={}", hidden.join(",")));
    command.env("OPENBLAS_CORETYPE", "Haswell");
}

/// Hides AVX from glibc.
fn hide_avx(command: &mut Command) {
    let features = ["AVX", "AVX2", "AVX_Fast_Unaligned_Load", "FMA", "BMI1", "BMI2", "XSAVE", "XSAVEC"];
    let hidden: Vec<_> = features.iter().map(|feature| format!("-{feature}")).collect();
    command.env("GLIBC_TUNABLES", format!("glibc.cpu.hwcaps={}", hidden.join(",")));
}

/// NumPy warns about features that the processor does not have.
fn supported_by_numpy(features: &str) -> String {
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let has = |flag: &str| flags.split_whitespace().any(|word| word == flag);
    let supported = |feature: &&str| match *feature {
        "AVX512_KNL" => has("avx512er"),
        "AVX512_KNM" => has("avx512_4vnniw"),
        "AVX512_CNL" => has("avx512ifma") && has("avx512vbmi"),
        "AVX512_ICL" => has("avx512_vbmi2") && has("avx512_bitalg"),
        "AVX512_CLX" => has("avx512_vnni"),
        _ => true,
    };
    features.split(' ').filter(supported).collect::<Vec<_>>().join(" ")
}

/// The same command under derivgrind.
pub fn derivgrind(options: Words, words: Words, shadows: Shadows) -> Command {
    let mut command = Command::new(launcher());
    command.arg(shadows.option()).args(options).arg("--").args(words);
    command.env_remove("DERIVGRIND_OPTS").env("HOME", "/nonexistent");
    // Translations are kept from test to test.
    command.env("XDG_CACHE_HOME", scratch().join("cache"));
    if shadows == Shadows::Registers {
        hide_avx512(&mut command);
    }
    command
}

/// Turns differentiation on in all programs that the command starts.
pub fn active_by_preload(command: &mut Command) {
    command.env("LD_PRELOAD", library_of_unrelated_input());
}

/// No guest takes as long; one that does hangs.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Runs a command to its end, or kills it and all that it started, which is an error.
pub fn run(command: &mut Command) -> Result<Finished, String> {
    run_for(command, TIME_LIMIT)
}

/// The same with another time limit.
pub fn run_for(command: &mut Command, limit: Duration) -> Result<Finished, String> {
    let description = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|error| format!("{description}: {error}"))?;
    let group = Pid::from_child(&child);
    let mut stdout = child.stdout.take().expect("stdout is piped");
    let mut stderr = child.stderr.take().expect("stderr is piped");
    let (ended, end) = mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        let late = end.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout);
        if late {
            // It may have ended in this moment.
            let _ = kill_process_group(group, Signal::KILL);
        }
        late
    });
    let errors = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stderr.read_to_end(&mut bytes).map(|_| bytes)
    });
    let mut output = Vec::new();
    let read = stdout.read_to_end(&mut output);
    let status = child.wait().map_err(|error| format!("{description}: {error}"))?;
    drop(ended);
    let late = guard.join().expect("the guard does not panic");
    let errors = errors.join().expect("the reader does not panic");
    if late {
        return Err(format!("{description}: killed after {} seconds", limit.as_secs()));
    }
    read.map_err(|error| format!("{description}: {error}"))?;
    let errors = errors.map_err(|error| format!("{description}: {error}"))?;
    Ok(Finished { status, stdout: output, stderr: errors })
}

/// A difference in how two runs ended is an error that shows where they part.
pub fn assert_same(description: &str, native: &Finished, tool: &Finished) -> Result<(), String> {
    if native.status != tool.status {
        let errors = tool.stderr();
        return Err(format!("{description}: {} instead of {}; {errors}", tool.status, native.status));
    }
    for (name, expected, found) in
        [("stdout", native.stdout(), tool.stdout()), ("stderr", native.stderr(), tool.stderr())]
    {
        if expected != found {
            let pairs = expected.lines().zip(found.lines());
            let (line, words) = pairs
                .enumerate()
                .find(|(_, (expected, found))| expected != found)
                .map_or((0, ("", "(one is longer)")), |(line, words)| (line + 1, words));
            let lengths = (expected.len(), found.len());
            return Err(format!(
                "{description}: {name} differs in line {line}: {:?} instead of {:?}; bytes: {lengths:?}",
                words.1, words.0
            ));
        }
    }
    Ok(())
}

/// Runs a command natively and in all modes of derivgrind, which must make no difference. What `comparable` keeps of
/// the output is compared.
pub fn same_as_native(options: Words, words: Words, comparable: fn(&str) -> String) -> Result<(), String> {
    same_with_shadows(options, words, comparable, Shadows::all())
}

/// The same with shadows in some places.
pub fn same_with_shadows(
    options: Words,
    words: Words,
    comparable: fn(&str) -> String,
    places: &[Shadows],
) -> Result<(), String> {
    let comparable =
        |finished: Finished| Finished { stdout: comparable(&finished.stdout()).into(), ..finished };
    for shadows in places {
        let expected = comparable(run(&mut native(words, *shadows))?);
        for phase in [Phase::Plain, Phase::Active] {
            let mut command = derivgrind(options, words, *shadows);
            if phase == Phase::Active {
                active_by_preload(&mut command);
            }
            let found = comparable(run(&mut command)?);
            assert_same(&format!("{words:?} {shadows:?} {phase:?}"), &expected, &found)?;
        }
    }
    Ok(())
}
