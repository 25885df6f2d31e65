//! Translations of one run that the next one finds: it is faster, and nothing else is different.

use derivgrind_tests::lines::agree;
use derivgrind_tests::{compile, copied, derivgrind, launcher, run, Finished, Program, Shadows};
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{symlink, FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, sleep};
use std::time::Duration;
use tempfile::{tempdir, TempDir};

/// A directory in which one test keeps translations.
struct Cache(TempDir);

impl Cache {
    fn new() -> Cache {
        Cache(tempdir().unwrap())
    }

    fn command(&self, options: &[&str], words: &[&str], shadows: Shadows) -> Command {
        let mut command = derivgrind(options, words, shadows);
        command.env("XDG_CACHE_HOME", self.0.path());
        command
    }

    /// The outcome of a run, which must succeed.
    fn run(&self, options: &[&str], words: &[&str]) -> Finished {
        let finished = run(&mut self.command(options, words, Shadows::Memory)).unwrap();
        assert!(finished.status.success(), "{words:?}: {}", finished.stderr());
        finished
    }

    /// Everything that lies in the directory of this build of the engine.
    fn files(&self) -> Vec<PathBuf> {
        let entries = |directory: PathBuf| fs::read_dir(directory).into_iter().flatten().flatten();
        let builds = entries(self.0.path().join("derivgrind"));
        builds.flat_map(|build| entries(build.path())).map(|entry| entry.path()).collect()
    }

    fn only_file(&self) -> PathBuf {
        let mut files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }
}

/// The number in front of these words, among what `-v` says.
fn count(finished: &Finished, words: &str) -> usize {
    let errors = finished.stderr();
    let line = errors.lines().find(|line| line.contains(words));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.unwrap_or_else(|| panic!("no line says how many \"{words}\": {errors}"))
}

fn found(finished: &Finished) -> usize {
    count(finished, "translations of earlier runs")
}

/// Translations that the run itself has made.
fn made(finished: &Finished) -> usize {
    count(finished, "translations, ") - found(finished)
}

const PERL: &[&str] = &["perl", "-e", "print join(',', map { $_ * $_ } grep { /[13]/ } 1..40), \"\\n\""];
const PERL_WITH_MODULE: &[&str] = &["perl", "-MPOSIX=floor", "-e", "print floor(2.5), \"\\n\""];

#[test]
fn the_second_run_translates_next_to_nothing() {
    let bash = &["bash", "-c", "for i in 1 2 3; do echo $((i * i)); done"];
    for words in [PERL, bash, &["ls", "/"]] {
        let cache = Cache::new();
        let first = cache.run(&["-v"], words);
        assert_eq!(found(&first), 0);
        let second = cache.run(&["-v"], words);
        assert_eq!(first.stdout(), second.stdout());
        assert!(found(&second) >= 500, "{words:?}: {}", second.stderr());
        assert!(made(&second) * 20 < made(&first), "{words:?}: {}", second.stderr());
    }
}

#[test]
fn nothing_is_kept_if_it_is_not_wanted_or_of_no_use() {
    for option in ["--keep-translations=no", "--aslr=yes"] {
        let cache = Cache::new();
        cache.run(&["-q", option], PERL);
        assert!(cache.files().is_empty(), "{option}");
    }
}

/// What one run has not used is there for the one after it.
#[test]
fn runs_with_different_libraries_share_a_file() {
    let cache = Cache::new();
    cache.run(&["-v"], PERL_WITH_MODULE);
    cache.run(&["-v"], &["perl", "-MSocket", "-MList::Util=sum", "-MEncode", "-MData::Dumper", "-e", "1"]);
    let third = cache.run(&["-v"], PERL_WITH_MODULE);
    assert_eq!(third.stdout(), "2\n");
    assert!(made(&third) < 100, "{}", third.stderr());
}

#[test]
fn damaged_files_are_replaced() {
    let cache = Cache::new();
    let expected = cache.run(&["-q"], PERL).stdout();
    let file = cache.only_file();
    let good = fs::read(&file).unwrap();
    let damage = |what: &str, content: &[u8]| {
        fs::write(&file, content).unwrap();
        for is_repaired in [false, true] {
            let finished = cache.run(&["-v"], PERL);
            assert_eq!(finished.stdout(), expected, "{what}");
            assert_eq!(found(&finished) > 0, is_repaired, "{what}: {}", finished.stderr());
        }
        assert_eq!(cache.only_file(), file);
    };
    damage("empty", &[]);
    damage("too short", &good[..good.len() - 1]);
    damage("too long", &[good.as_slice(), &[0]].concat());
    for part in 0..12 {
        let mut content = good.clone();
        let place = part * (good.len() - 1) / 11;
        content[place] ^= 0x10;
        damage(&format!("byte {place}"), &content);
    }
}

/// Whoever could write the file could run code as the user.
#[test]
fn files_that_others_can_write_are_not_used() {
    let cache = Cache::new();
    cache.run(&["-q"], PERL);
    fs::set_permissions(cache.only_file(), Permissions::from_mode(0o622)).unwrap();
    assert_eq!(found(&cache.run(&["-v"], PERL)), 0);
    assert!(found(&cache.run(&["-v"], PERL)) > 0);
    assert_eq!(fs::metadata(cache.only_file()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn links_and_pipes_are_no_files() {
    let cache = Cache::new();
    let expected = cache.run(&["-q"], PERL).stdout();
    let file = cache.only_file();
    let elsewhere = cache.0.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert_eq!(found(&cache.run(&["-v"], PERL)), 0);
    fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    assert_eq!(cache.run(&["-q"], PERL).stdout(), expected);
}

#[test]
fn directories_that_others_can_write_are_not_used() {
    let cache = Cache::new();
    let directory = cache.0.path().join("derivgrind");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o777)).unwrap();
    cache.run(&["-q"], PERL);
    assert!(cache.files().is_empty());
}

/// A directory of this name may be anything, and more than what is kept at most.
#[test]
fn files_of_others_stay() {
    let cache = Cache::new();
    let directory = cache.0.path().join("derivgrind");
    let elsewhere = cache.0.path().join("elsewhere");
    for folder in [&directory.join("src"), &directory.join("0123456789abcdef"), &elsewhere] {
        fs::create_dir_all(folder).unwrap();
    }
    symlink(&elsewhere, directory.join("fedcba9876543210")).unwrap();
    let large = [
        directory.join("src/large"),
        directory.join("0123456789abcdef/large"),
        elsewhere.join("0123456789abcdef"),
    ];
    for file in &large {
        File::create(file).unwrap().set_len(1 << 30).unwrap();
    }
    let old = directory.join("0123456789abcdef/0123456789abcdef");
    File::create(&old).unwrap().set_len(1 << 30).unwrap();
    cache.run(&["-q"], PERL);
    assert!(large.iter().all(|file| file.exists()), "{large:?}");
    assert!(!old.exists());
}

#[test]
fn where_nothing_can_be_kept_programs_run_all_the_same() {
    let expected = Cache::new().run(&["-q"], PERL).stdout();
    let mut commands = Vec::new();
    for directory in ["/dev/null", "/proc", "not/absolute"] {
        let mut command = derivgrind(&[], PERL, Shadows::Memory);
        command.env("XDG_CACHE_HOME", directory);
        commands.push(command);
    }
    let mut without_home = derivgrind(&[], PERL, Shadows::Memory);
    without_home.env_remove("HOME").env_remove("XDG_CACHE_HOME");
    commands.push(without_home);
    for mut command in commands {
        let finished = run(&mut command).unwrap();
        assert_eq!(finished.stdout(), expected, "{command:?}");
        assert_eq!(finished.stderr(), "", "{command:?}");
    }
}

/// The kernel would send a signal to whoever writes a file that is too long.
#[test]
fn limits_on_the_size_of_files_hold() {
    let cache = Cache::new();
    let mut command = Command::new("bash");
    let script = "ulimit -Sf 5; trap 'echo signal' XFSZ; echo done";
    command.args(["-c", "ulimit -Sf 10000; exec \"$0\" \"$@\""]).arg(launcher());
    command.args(["-v", "--", "bash", "-c", script]).env("XDG_CACHE_HOME", cache.0.path());
    let finished = run(command.env_remove("DERIVGRIND_OPTS")).unwrap();
    assert_eq!(finished.stdout(), "done\n", "{}", finished.stderr());
    assert!(finished.stderr().contains("translations cannot be kept"), "{}", finished.stderr());
    assert!(cache.files().is_empty(), "{:?}", cache.files());
}

#[test]
fn many_runs_at_the_same_time() {
    let cache = Cache::new();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(cache.run(&["-q"], PERL_WITH_MODULE).stdout(), "2\n"));
        }
    });
    assert!(made(&cache.run(&["-v"], PERL_WITH_MODULE)) < 100);
    cache.only_file();
}

/// A program, and two libraries with different code, which it has at the same address.
struct Chosen {
    program: PathBuf,
    libraries: [PathBuf; 2],
}

/// Files that were changed less than two seconds before are not kept.
const OLD_ENOUGH: Duration = Duration::from_millis(3_100);

impl Chosen {
    fn new() -> Chosen {
        let library = |version: &str| {
            let options = ["-O2", "-shared", "-fPIC", version];
            compile(&Program { libraries: &["-lm"], ..Program::c(&["chosen_function.c"], &options) }).unwrap()
        };
        let program = compile(&Program::c(&["chosen_library.c"], &["-O2"])).unwrap();
        let libraries = [library("-DVERSION=1"), library("-DVERSION=2")];
        sleep(OLD_ENOUGH);
        Chosen { program, libraries }
    }

    /// Runs the program with a library, and compares with this version of its function.
    fn check(&self, cache: &Cache, library: &Path, version: usize) -> Finished {
        let sign = [1.0, -1.0][version];
        let words = [self.program.to_str().unwrap(), library.to_str().unwrap()];
        let finished = cache.run(&["-v"], &words);
        let numbers: Vec<f64> =
            finished.stdout().split_whitespace().map(|word| word.parse().unwrap()).collect();
        let value = 0.5f64.sqrt() + sign * 0.5;
        let expected = [value, value, 0.5 / 0.5f64.sqrt() + 2.0 * sign];
        agree(&format!("{words:?}"), &numbers, &expected).unwrap();
        finished
    }
}

#[test]
fn derivatives_of_a_library_that_is_there_or_another_one() {
    let chosen = Chosen::new();
    let cache = Cache::new();
    for round in 0..3 {
        for (version, library) in chosen.libraries.iter().enumerate() {
            let finished = chosen.check(&cache, library, version);
            assert_eq!(found(&finished) > 0, round + version > 0, "{}", finished.stderr());
        }
    }
}

/// Its time of modification and its size are those of before, and it lies at the same place on the disk.
#[test]
fn a_library_that_has_been_changed_is_translated_again() {
    let chosen = Chosen::new();
    let cache = Cache::new();
    let library = copied(&chosen.libraries[0], "changing_library.so").unwrap();
    sleep(OLD_ENOUGH);
    chosen.check(&cache, &library, 0);
    assert!(found(&chosen.check(&cache, &library, 0)) > 0);
    let time = fs::metadata(&library).unwrap().modified().unwrap();
    // Tables behind the code may be longer or shorter.
    let mut new = fs::read(&chosen.libraries[1]).unwrap();
    new.resize(fs::metadata(&library).unwrap().len() as usize, 0);
    let file = OpenOptions::new().write(true).open(&library).unwrap();
    file.write_all_at(&new, 0).unwrap();
    file.set_modified(time).unwrap();
    drop(file);
    for _ in 0..2 {
        chosen.check(&cache, &library, 1);
        sleep(OLD_ENOUGH);
    }
}

#[test]
fn code_that_is_changed_through_a_file_of_memory() {
    let program = compile(&Program::c(&["patches_itself.c"], &["-O1"])).unwrap();
    sleep(OLD_ENOUGH);
    let cache = Cache::new();
    for words in [&[] as &[&str], &["patch"], &["patch", "again"], &[]] {
        let words = [&[program.to_str().unwrap()], words].concat();
        let native = Command::new(words[0]).args(&words[1..]).output().unwrap();
        let finished = cache.run(&["-v"], &words);
        assert_eq!(finished.stdout().as_bytes(), native.stdout, "{words:?}: {}", finished.stderr());
    }
}

/// Libraries with so much code that each is kept, at the same addresses.
struct Large {
    directory: TempDir,
}

const CALLER: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words) {
  void *library = count == 3 ? dlopen(words[1], RTLD_NOW) : NULL;
  int (*const *functions)(int) = library ? dlsym(library, "functions") : NULL;
  int wrong = !functions;
  for (int round = 0; functions && round < 2; round++)
    for (int number = 0; number < 1500; number++)
      wrong += functions[number](5) != 5 + 10 * number + atoi(words[2]);
  printf("%d wrong\n", wrong);
  return wrong != 0;
}
"#;

impl Large {
    fn new() -> Large {
        let large = Large { directory: tempdir().unwrap() };
        large.compile("caller", CALLER, &[]);
        large
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_string()
    }

    fn compile(&self, name: &str, source: &str, options: &[&str]) {
        let file = self.path(&format!("{name}.c"));
        fs::write(&file, source).unwrap();
        let mut gcc = Command::new("gcc");
        gcc.args(["-O1", &file, "-o", &self.path(name)]).args(options);
        assert!(gcc.status().unwrap().success());
    }

    fn library(&self, name: &str, version: u32) {
        let functions = (0..1500).map(|number| {
            let sum = 10 * number + version;
            format!("static int f{number}(int x) {{ return x > 1000000 ? x * 3 + {version} : x + {sum}; }}\n")
        });
        let names = (0..1500).map(|number| format!("f{number},"));
        let functions: String = functions.collect();
        let names: String = names.collect();
        let source = format!("{functions}int (*const functions[])(int) = {{{names}}};\n");
        self.compile(name, &source, &["-shared", "-fPIC"]);
    }

    fn check(&self, cache: &Cache, library: &str, version: u32) {
        let words = [&self.path("caller"), &self.path(library), &version.to_string()];
        let words = words.map(|word| word.as_str());
        assert_eq!(cache.run(&["-q"], &words).stdout(), "0 wrong\n");
    }
}

#[test]
fn libraries_by_turns_at_the_same_addresses() {
    let large = Large::new();
    large.library("first", 1);
    large.library("second", 2);
    sleep(OLD_ENOUGH);
    let cache = Cache::new();
    for _ in 0..4 {
        large.check(&cache, "first", 1);
        large.check(&cache, "second", 2);
    }
}

#[test]
fn a_library_that_is_compiled_again() {
    let large = Large::new();
    let cache = Cache::new();
    for version in 1..4 {
        large.library("library", version);
        sleep(OLD_ENOUGH);
        for _ in 0..3 {
            large.check(&cache, "library", version);
        }
    }
}
