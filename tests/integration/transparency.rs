//! Programs run as natively: output, errors and status are the same, before and after an input is declared.
//!
//! In the phase `Active` a preloaded library declares an input that nothing else reads, so that all of the program is
//! translated with shadows; static programs are linked with it.

use derivgrind_tests::{
    active_by_preload, assert_same, compile, derivgrind, full, native, run, rust_program, same_as_native,
    same_with_shadows, scratch, Language, Program, Shadows,
};
use std::fs;
use std::path::{Path, PathBuf};

fn all(output: &str) -> String {
    output.to_string()
}

fn same(words: &[&str]) {
    same_as_native(&["-q"], words, all).unwrap_or_else(|error| panic!("{error}"));
}

fn same_with_children(words: &[&str]) {
    same_as_native(&["-q", "--trace-children=yes"], words, all).unwrap_or_else(|error| panic!("{error}"));
}

/// Also while the program is recorded.
fn same_in_all_modes(words: &[&str]) {
    same(words);
    let directory =
        scratch().join(format!("transparency-{}.tape", words[0].rsplit('/').next().unwrap_or("")));
    let record = format!("--record={}", directory.display());
    let expected = run(&mut native(words, Shadows::Memory)).unwrap_or_else(|error| panic!("{error}"));
    let mut command = derivgrind(&["-q", &record], words, Shadows::Memory);
    active_by_preload(&mut command);
    let found = run(&mut command).unwrap_or_else(|error| panic!("{error}"));
    assert_same(&format!("{words:?} recorded"), &expected, &found).unwrap_or_else(|error| panic!("{error}"));
    fs::remove_dir_all(&directory).expect("the recording has made the directory");
}

fn guest(source: &str, options: &[&str]) -> PathBuf {
    let libraries = &["-lm"];
    let program = Program { language: Language::C, compiler: "gcc", sources: &[source], options, libraries };
    compile(&program).unwrap_or_else(|error| panic!("{error}"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("target directories have plain names")
}

/// Bytes that compress neither well nor badly.
fn sample(name: &str, size: usize) -> PathBuf {
    let path = scratch().join(name);
    let mut state = 1u32;
    let bytes: Vec<u8> = (0..size)
        .map(|index| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if index % 7 < 4 {
                (index / 50 % 64) as u8
            } else {
                (state >> 24) as u8 & 0x1f
            }
        })
        .collect();
    fs::write(&path, bytes).expect("the target directory can be written");
    path
}

#[test]
fn ls() {
    same(&["ls", "-lR", if full() { "/usr" } else { "/usr/share/perl" }]);
}

#[test]
fn bash_with_pipes() {
    same_with_children(&[
        "bash",
        "-c",
        "for i in 3 1 2; do echo $i; done | sort -r | while read x; do echo \"x$x\" | sed s/x/y/; done; \
         ls /usr/lib | grep -c lib; diff <(echo a) <(echo b); cat <<< here; (exit 5); echo $?; \
         trap 'echo trapped; exit 3' TERM; kill -TERM $$; sleep 5",
    ]);
}

#[test]
fn xz() {
    let sample = sample("sample-for-xz", if full() { 5_000_000 } else { 400_000 });
    let compressed = sample.with_extension("xz");
    let words = ["sh", "-c", "xz -9 -c \"$0\" | md5sum", text(&sample)];
    same_with_children(&words);
    let words = ["xz", "-k", "-f", text(&sample)];
    same(&words);
    let packed = sample.with_file_name("sample-for-xz.xz");
    fs::rename(&packed, &compressed).expect("xz has written it");
    same(&["xz", "-d", "-c", text(&compressed)]);
}

#[test]
fn sqlite() {
    same(&[
        "sqlite3",
        ":memory:",
        "create table t(a integer primary key, b real, c text); \
         with recursive n(x) as (values(1) union all select x + 1 from n where x < 20000) \
         insert into t select x, x * 1.5, hex(x) from n; create index i on t(c); \
         select sum(b), avg(a), count(*), total(b / a) from t; \
         select a, b, c from t where c like '31%' order by b desc limit 50; select * from missing;",
    ]);
}

#[test]
fn perl() {
    same(&[
        "perl",
        "-e",
        "my %h; $h{$_ % 97} += sqrt($_) * 1.5 for 1 .. 50000; print \"$_ $h{$_}\\n\" for sort keys %h; \
         my $t = join ',', map { $_ * 3 } 1 .. 5000; my $n = () = $t =~ /(\\d)\\1/g; print \"$n\\n\"; \
         local $SIG{ALRM} = sub { die \"alarm\\n\" }; eval { alarm 1; 1 while 1; }; print $@; exit 7;",
    ]);
}

#[test]
fn gcc_compiling() {
    let source = derivgrind_tests::repository("tests/guests/conditionals.c");
    let headers = derivgrind_tests::repository("headers");
    let include = format!("-I{}", headers.display());
    same_with_children(&["gcc", "-O2", "-S", &include, "-o", "-", text(&source)]);
    same_with_children(&["gcc", "-O2", "-c", "-o", "/dev/null", "/nonexistent.c"]);
}

/// Without times and loads, which differ from run to run.
fn results_of_tests(output: &str) -> String {
    output
        .lines()
        .filter(|line| !line.starts_with("Total duration") && !line.contains(" sec"))
        .map(|line| line.split_once("] ").map_or(line, |(_, name)| name))
        .filter(|line| !line.contains("load avg"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn python_tests() {
    let words = ["/usr/bin/python3", "-m", "test", "test_math", "test_float", "test_json"];
    same_as_native(&["-q"], &words, results_of_tests).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn numpy() {
    let program = "
import numpy
a = numpy.arange(90000, dtype=float).reshape(300, 300) % 17 + numpy.eye(300) * 50
print((a @ a).sum().hex(), float(numpy.linalg.solve(a, numpy.ones(300)).sum()).hex())
print([value.hex() for value in numpy.linalg.svd(a[:60, :60])[1].tolist()])
print([abs(value).hex() for value in numpy.fft.fft(a[3]).tolist()])
b = a.astype(numpy.float32)
print((b @ b).sum(), numpy.sin(b).sum(), numpy.sort(b.ravel())[::5000], b.std(), (b > 3).sum())
print(numpy.divide([1.0, -1.0, 0.0], 0.0), numpy.array([1, 2, 3]) ** 2, numpy.exp(a[0, :5]).tolist())
";
    same(&["/usr/bin/python3", "-c", program]);
}

#[test]
fn threads() {
    same(&[text(&guest("threads_plain.c", &["-O2", "-pthread"]))]);
}

#[test]
fn openmp() {
    same(&[text(&guest("openmp_plain.c", &["-O2", "-fopenmp"]))]);
}

#[test]
fn processes() {
    let program = guest("processes.c", &["-O2"]);
    same(&[text(&program)]);
    same_with_children(&[text(&program)]);
}

#[test]
fn signals() {
    same(&[text(&guest("signals.c", &["-O2", "-pthread"]))]);
    same(&[text(&guest("signals.c", &["-O0", "-pthread"]))]);
}

#[test]
fn faults_between_signals() {
    same(&[text(&guest("faults_between_signals.c", &["-O2", "-pthread"]))]);
}

#[test]
fn single_steps() {
    same(&[text(&guest("single_steps.c", &["-O2"]))]);
}

#[test]
fn waiting_for_signals() {
    same_in_all_modes(&[text(&guest("waiting_for_signals.c", &["-O2", "-pthread"]))]);
}

#[test]
fn many_threads() {
    let rounds = if full() { "1000" } else { "40" };
    same_in_all_modes(&[text(&guest("many_threads.c", &["-O2", "-pthread"])), rounds]);
}

#[test]
fn memory_changes() {
    same_in_all_modes(&[text(&guest("memory_changes.c", &["-O2"]))]);
}

#[test]
fn pages_from_a_thread() {
    same_in_all_modes(&[text(&guest("pages_from_a_thread.c", &["-O1", "-pthread"]))]);
}

#[test]
fn segments() {
    same_in_all_modes(&[text(&guest("segments.c", &["-O2", "-pthread"]))]);
}

#[test]
fn changing_code() {
    let options = ["-O2", "-pthread", "-z", "execstack"];
    same_in_all_modes(&[text(&guest("changing_code.c", &options))]);
}

#[test]
fn process_state() {
    let program = guest("process_state.c", &["-O2", "-pthread"]);
    let words = [text(&program), "a b", ""];
    same_in_all_modes(&words);
    same_with_children(&words);
}

#[test]
fn filters() {
    let program = guest("filters.c", &["-O2", "-pthread"]);
    same(&[text(&program)]);
    same_with_children(&[text(&program)]);
}

#[test]
fn process_controls() {
    for options in [&["-O2", "-pthread"][..], &["-O2", "-pthread", "-static"]] {
        same_in_all_modes(&[text(&guest("process_controls.c", options))]);
    }
}

#[test]
fn old_functions() {
    same_in_all_modes(&[text(&guest("old_functions.c", &["-O2"]))]);
}

#[test]
fn addresses_are_random_if_asked() {
    let program = guest("old_functions.c", &["-O2"]);
    let addresses = |option: &str| {
        let words = [text(&program), "addresses"];
        let finished = run(&mut derivgrind(&[option], &words, Shadows::Memory)).unwrap();
        assert!(finished.status.success(), "{}", finished.stderr());
        finished.stdout()
    };
    assert_eq!(addresses("--aslr=no"), addresses("-q"));
    let (first, second) = (addresses("--aslr=yes"), addresses("--aslr"));
    assert_eq!(first.split_whitespace().count(), 4);
    for (first, second) in first.split_whitespace().zip(second.split_whitespace()) {
        assert_ne!(first, second);
    }
    let options = &["-q", "--aslr=yes"];
    same_as_native(options, &["perl", "-e", "print sqrt(2)"], all).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn leaving_data() {
    let file = scratch().join("leaving-data");
    same_in_all_modes(&[text(&guest("leaving_data.c", &["-O2"])), text(&file)]);
}

/// What the kernel writes is passive, and what it does not write keeps its derivatives.
#[test]
fn answers_of_the_kernel() {
    let program = guest("answers_of_kernel.c", &["-O1"]);
    let words = [text(&program)];
    let expected = run(&mut native(&words, Shadows::Memory)).unwrap().stdout();
    let found = run(&mut derivgrind(&[], &words, Shadows::Memory)).unwrap().stdout();
    assert_eq!(found, expected);
    assert!(expected.matches(": written, active 0, lost 0").count() > 80, "{expected}");
}

#[test]
fn generated_code() {
    same(&[text(&guest("generated_code.c", &["-O2"]))]);
}

#[test]
fn indirect_branches() {
    same_in_all_modes(&[text(&guest("indirect_branches.c", &["-O2"]))]);
}

#[test]
fn plugins() {
    let library = guest("plugin.c", &["-O2", "-shared", "-fPIC"]);
    same(&[text(&guest("plugins.c", &["-O2"])), text(&library)]);
}

#[test]
fn surroundings() {
    same(&[text(&guest("surroundings.c", &["-O2"]))]);
}

/// Programs find no AVX, no XSAVE and no BMI, and neither does shadow code.
#[test]
fn processor_without_avx() {
    let sample = sample("sample-for-sse2", 200_000);
    let signals = guest("signals.c", &["-O2", "-pthread"]);
    let threads = guest("threads_plain.c", &["-O2", "-pthread"]);
    for words in [
        &["ls", "-lR", "/usr/share/perl"][..],
        &["xz", "-9", "-c", text(&sample)],
        &["perl", "-e", "print join ',', map { sqrt($_) * sin($_) } 1 .. 3000"],
        &[
            "sqlite3",
            ":memory:",
            "select printf('%.17g', 0.1 * 7), avg(length(name)) from pragma_function_list;",
        ],
        &["/usr/bin/python3", "-m", "test", "test_float"],
        &[text(&signals)],
        &[text(&threads)],
    ] {
        same_with_shadows(&["-q"], words, results_of_tests, &[Shadows::MemorySse2])
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn command_line_in_procfs() {
    for words in [
        &["cat", "/proc/self/cmdline"][..],
        &["bash", "-c", "tr '\\0' ' ' < /proc/$$/cmdline; cat /proc/$$/comm", "name", "a  b", ""],
        &["bash", "-c", "read -r -d '' line < /proc/self/cmdline; echo $line"],
    ] {
        same(words);
    }
    let traced =
        ["bash", "-c", "cat /proc/self/cmdline /proc/self/comm; exec -a other cat /proc/self/cmdline"];
    same_with_children(&traced);
}

#[test]
fn static_c() {
    for link in ["-static", "-static-pie"] {
        for sources in [&["static_program.c"][..], &["static_program.c", "unrelated_input.c"]] {
            let options = ["-O2", "-pthread", link];
            let libraries = &["-lm"];
            let program =
                Program { language: Language::C, compiler: "gcc", sources, options: &options, libraries };
            same(&[text(&compile(&program).unwrap_or_else(|error| panic!("{error}")))]);
        }
    }
}

#[test]
fn static_rust() {
    let object = compile(&Program::c(&["unrelated_input.c"], &["-O2", "-c"])).expect("a C compiler");
    let object = format!("-Clink-arg={}", text(&object));
    let linked = ["-O", "-Ctarget-feature=+crt-static"];
    for options in [&linked[..], &[linked[0], linked[1], &object]] {
        let program = rust_program("static_program.rs", options).unwrap_or_else(|error| panic!("{error}"));
        same(&[text(&program)]);
    }
}
