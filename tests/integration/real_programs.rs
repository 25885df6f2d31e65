//! Programs that we did not write, in full tests: output, errors and status are those of the native run.
//!
//! `docs/compatibility.md` lists them with their results.

use derivgrind_tests::{
    active_by_preload, assert_same, derivgrind, full, native, run_for, same_as_native, scratch, Finished,
    Phase, Shadows,
};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Programs that take seconds natively take minutes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

fn is_installed(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':').any(|directory| Path::new(directory).join(program).exists())
}

/// True if a test is wanted and its program is there.
fn wanted(program: &str) -> bool {
    if !full() {
        return false;
    }
    if !is_installed(program) {
        println!("not tested: {program} is not installed");
    }
    is_installed(program)
}

fn same(words: &[&str]) {
    if wanted(words[0]) {
        let options = &["-q", "--trace-children=yes"];
        same_as_native(options, words, str::to_string).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Commands of a shell in a directory of their own; `program` is what they are about.
fn same_script(program: &str, commands: &str) {
    if wanted(program) {
        let directory = scratch().join(format!("real-{program}"));
        std::fs::create_dir_all(&directory).expect("the target directory can be written");
        same(&["bash", "-c", &format!("cd {} && {commands}", directory.display())]);
    }
}

#[test]
fn lua() {
    let program = "local t = {} for i = 1, 100000 do t[i] = math.sin(i) * i end table.sort(t) \
                   print(t[1], t[50000], #t) print(pcall(function() error('x') end)) print(string.format('%.17g', math.pi))";
    same(&["lua5.4", "-e", program]);
}

#[test]
fn luajit() {
    let program = "local s = 0 for i = 1, 5000000 do s = s + math.sqrt(i) * 0.5 end print(s) \
                   local ffi = require('ffi') \
                   ffi.cdef[[double cos(double); void qsort(void*, size_t, size_t, int(*)(const void*, const void*));]] \
                   print(ffi.C.cos(1.5)) local a = ffi.new('int[5]', {5, 3, 1, 4, 2}) \
                   local compare = function(x, y) return ffi.cast('int*', x)[0] - ffi.cast('int*', y)[0] end \
                   ffi.C.qsort(a, 5, 4, compare) print(a[0], a[1], a[4])";
    same(&["luajit", "-e", program]);
}

/// A script that writes code beside that of the compiler, and executes it in threads.
#[test]
fn luajit_with_threads() {
    let script = derivgrind_tests::repository("tests/guests/code_and_threads.lua");
    same(&["luajit", script.to_str().expect("the repository has a plain name")]);
}

#[test]
fn ruby() {
    let program = "h = Hash.new(0); 50000.times { |i| h[i % 97] += Math.sqrt(i) }; p h.values.sum; p (1..200).reduce(:*); \
                   p (1..4).map { |i| Thread.new { (1..1000).sum { |x| x * i * 0.5 } } }.map(&:value); \
                   def r(n) r(n + 1) end; begin; r(0); rescue SystemStackError => e; p e.class; end; p `echo hi`; \
                   fork { exit 3 }; Process.wait; p $?.exitstatus; GC.start";
    same(&["ruby", "-e", program]);
}

#[test]
fn node() {
    let program =
        "let s = 0; for (let i = 1; i < 3e6; i++) s += Math.sqrt(i) * Math.sin(i); console.log(s); \
                   console.log(require('child_process').execSync('echo hi').toString()); \
                   const { Worker } = require('worker_threads'); \
                   new Worker('require(\"worker_threads\").parentPort.postMessage(42)', { eval: true }) \
                     .on('message', value => console.log(value)); \
                   try { (function f() { f() })() } catch (error) { console.log(error.name) } \
                   console.log(require('crypto').createHash('sha256').update('x').digest('hex'))";
    same(&["node", "-e", program]);
}

#[test]
fn php() {
    let program = "$s = 0; for ($i = 1; $i < 500000; $i++) $s += sqrt($i) * sin($i); echo $s, PHP_EOL; \
                   echo md5(preg_replace('/(a+)(b*)/', '[$1|$2]', str_repeat('aabbab', 1000))), PHP_EOL; \
                   echo json_encode(array_map(fn($x) => $x * 1.5, range(1, 10))), PHP_EOL; exit(4);";
    same(&["php", "-r", program]);
}

#[test]
fn grep_with_generated_code() {
    let guests = derivgrind_tests::repository("tests/guests");
    same_script(
        "grep",
        &format!("grep -rhoP '(?<=#include <)[a-z]+(?=\\.h>)' {} | sort | uniq -c", guests.display()),
    );
}

#[test]
fn openssl() {
    same_script(
        "openssl",
        "seq 1 100000 > numbers; openssl dgst -sha256 -sha3-512 numbers; openssl dgst -blake2b512 numbers; \
         openssl enc -aes-256-cbc -S 0102030405060708 -k x -pbkdf2 -in numbers | md5sum; openssl prime 1000003",
    );
}

#[test]
fn compression_with_threads() {
    same_script(
        "zstd",
        "seq 1 200000 > numbers; zstd -T2 -19 --long -f -q numbers -o packed; md5sum < packed; \
         zstd -d -c packed | md5sum; xz -T2 -k -c --block-size=400000 numbers | md5sum",
    );
}

#[test]
fn git() {
    let repository = derivgrind_tests::repository("");
    same_script(
        "git",
        &format!(
            "rm -rf clone; git -c safe.directory=* clone -q {} clone && cd clone && git log --oneline | head -3; \
             git fsck 2>&1 | head -2; git status --short; git grep -c shadow | head -3",
            repository.display()
        ),
    );
}

#[test]
fn make() {
    same_script(
        "make",
        "printf 'all: a b\\na: a.c\\n\\tgcc -O2 a.c -o a -lm\\nb: b.cpp\\n\\tg++ -O1 b.cpp -o b\\n' > Makefile; \
         printf '#include <math.h>\\n#include <stdio.h>\\nint main() { printf(\"%%a\\\\n\", sin(2.0)); }\\n' > a.c; \
         printf '#include <iostream>\\nint main() { std::cout << 1.5 << std::endl; }\\n' > b.cpp; \
         rm -f a b; make && ./a && ./b && md5sum a b",
    );
}

#[test]
fn imagemagick() {
    same_script(
        "convert",
        "convert -size 200x200 gradient:red-blue -swirl 90 -blur 0x3 -resize 50% -depth 8 PNG24:x.png; \
         convert x.png -quality 90 x.jpg; convert x.jpg rgb:- | md5sum",
    );
}

#[test]
fn ffmpeg() {
    let quiet = "ffmpeg -nostdin -loglevel error -bitexact";
    same_script(
        "ffmpeg",
        &format!(
            "{quiet} -f lavfi -i testsrc=duration=1:size=160x120:rate=10 -f lavfi -i sine=frequency=440:duration=1 \
             -c:v mpeg4 -c:a ac3 -flags bitexact -fflags +bitexact -y film.mkv; md5sum film.mkv; \
             {quiet} -i film.mkv -vf scale=80:60 -f rawvideo -pix_fmt rgb24 - | md5sum"
        ),
    );
}

/// Its compiler makes functions that return flags.
#[test]
fn erlang() {
    let program = "M = maps:from_list([{K, K * K} || K <- lists:seq(1, 100)]), \
                   io:format(\"~p ~p ~p~n\", [maps:get(7, M), maps:is_key(101, M), lists:sum(maps:values(M))]), halt().";
    same(&["erl", "-noshell", "-eval", program]);
}

#[test]
fn octave() {
    let program = "printf('%.17g ', eig(hilb(6)), det(hilb(6)), trapz(exp(linspace(0, 1, 1001)))); \
                   [t, y] = ode45(@(t, y) -y, [0 1], 1); printf('%.17g ', y(end)); disp(regexprep('abc', '(b)', '[$1]')); \
                   try; error('bad'); catch e; disp(e.message); end; system('echo hi'); \
                   printf('%.17g ', real(fft(1:9)), sparse(1:3, 1:3, 4:6) \\ [1; 2; 3]);";
    same(&["octave-cli", "--norc", "--eval", program]);
}

#[test]
fn go() {
    if !wanted("go") {
        return;
    }
    let source = derivgrind_tests::repository("tests/guests/static_program.go");
    let program = scratch().join("static_program-go");
    let mut command = Command::new("go");
    command.args(["build", "-o"]).arg(&program).arg(source);
    command.env("CGO_ENABLED", "0").env("GOCACHE", scratch().join("go-cache")).env("GOFLAGS", "-mod=mod");
    assert!(command.status().expect("go is there").success());
    same(&[program.to_str().expect("target directories have plain names")]);
}

/// What a test suite says about its tests: how many ran, and how they ended.
fn totals(finished: &Finished) -> Vec<String> {
    let text = finished.stdout() + &finished.stderr();
    let is_total = |line: &&str| {
        line.starts_with("OK")
            || line.starts_with("FAILED")
            || line.starts_with("Ran ")
            || line.contains(" passed")
    };
    // The times are not compared.
    text.lines().filter(is_total).map(|line| line.split(" in ").next().unwrap_or(line).to_string()).collect()
}

/// Runs a test suite natively and in both phases of forward mode; what hangs natively is left out.
fn same_totals(words: &[&str]) -> Result<(), String> {
    let Ok(expected) = run_for(&mut native(words, Shadows::Memory), PATIENCE) else {
        println!("not tested: {words:?} hangs natively");
        return Ok(());
    };
    for phase in [Phase::Plain, Phase::Active] {
        let mut command = derivgrind(&["-q"], words, Shadows::Memory);
        if phase == Phase::Active {
            active_by_preload(&mut command);
        }
        let found = run_for(&mut command, PATIENCE)?;
        let (expected, found) = (totals(&expected), totals(&found));
        if expected != found {
            return Err(format!("{words:?} {phase:?}: {found:?} instead of {expected:?}"));
        }
    }
    Ok(())
}

#[test]
fn test_suite_of_python() {
    if !full() {
        return;
    }
    let suites = "test_signal test_thread test_threading test_subprocess test_os test_posix test_mmap test_ctypes \
                  test_socket test_asyncio test_multiprocessing_fork test_multiprocessing_spawn test_faulthandler \
                  test_struct test_math test_cmath test_statistics test_decimal";
    let mut errors = Vec::new();
    for suite in suites.split_whitespace() {
        errors.extend(same_totals(&["/usr/bin/python3", "-m", "test", "-v", suite]).err());
    }
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn test_suite_of_numpy() {
    if !full() {
        return;
    }
    let mut errors = Vec::new();
    for part in ["core", "linalg", "fft", "random"] {
        let program = format!("import sys, numpy.{part}; sys.exit(not numpy.{part}.test('fast'))");
        errors.extend(same_totals(&["/usr/bin/python3", "-c", &program]).err());
    }
    assert!(errors.is_empty(), "{errors:#?}");
}

/// The guest that does everything at once, for ten minutes.
#[test]
fn soak() {
    let seconds = if full() { "600" } else { "3" };
    let program = derivgrind_tests::Program::c(&["everything_at_once.c"], &["-O2", "-pthread"]);
    let program = derivgrind_tests::compile(&program).unwrap_or_else(|error| panic!("{error}"));
    let words = [program.to_str().expect("target directories have plain names"), seconds];
    let expected = run_for(&mut native(&words, Shadows::Memory), PATIENCE * 2).unwrap();
    for phase in [Phase::Plain, Phase::Active] {
        let mut command = derivgrind(&["-q"], &words, Shadows::Memory);
        if phase == Phase::Active {
            active_by_preload(&mut command);
        }
        let found = run_for(&mut command, PATIENCE * 2).unwrap_or_else(|error| panic!("{error}"));
        assert_same(&format!("{words:?} {phase:?}"), &expected, &found)
            .unwrap_or_else(|error| panic!("{error}"));
    }
}
