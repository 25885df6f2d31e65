//! From the kernel's entry into the engine to the client's first instruction.

use crate::atomic_lock;
use crate::config;
use crate::dispatch::{self, Continuation};
use crate::elf::{ElfError, ElfFile};
use crate::filters;
use crate::memory;
use crate::print::{self, EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND};
use crate::process_words;
use crate::program;
use crate::recording;
use crate::settings;
use crate::shadow;
use crate::signals::{self, ActionTable};
use crate::stack::{self, ProgramFacts};
use crate::sys::{self, errno, kernel};
use crate::syscalls::{limits, process};
use crate::threads::Thread;
use crate::vdso;
use crate::{call, fatal};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::arch::global_asm;
use derivgrind_translate::state::State;
use linux_raw_sys::auxvec;

global_asm!(
    ".globl _start",
    "_start:",
    "mov rdi, rsp",
    "xor ebp, ebp",
    "and rsp, -16",
    "call {main}",
    "ud2",
    main = sym main,
);

/// What the kernel has put on the stack.
struct Inherited {
    arguments: Vec<&'static [u8]>,
    environment: Vec<&'static [u8]>,
    auxiliary: *const u64,
}

/// # Safety
/// `stack` is what the kernel has set rsp to.
unsafe fn read_inherited(stack: *const u64) -> Inherited {
    // SAFETY: layout of the System V ABI: count, arguments, zero, environment, zero, auxiliary vector.
    unsafe {
        let count = *stack as usize;
        let mut pointer = stack.add(1);
        let mut arguments = Vec::new();
        for _ in 0..count {
            arguments.push(sys::c_string(*pointer as *const u8));
            pointer = pointer.add(1);
        }
        pointer = pointer.add(1);
        program::set_environment(pointer as u64);
        let mut environment = Vec::new();
        while *pointer != 0 {
            environment.push(sys::c_string(*pointer as *const u8));
            pointer = pointer.add(1);
        }
        Inherited { arguments, environment, auxiliary: pointer.add(1) }
    }
}

/// `derivgrind-engine CONFIG PROGRAM_PATH argv0 args...`
extern "C" fn main(stack: *const u64) -> ! {
    // SAFETY: called by `_start` with the kernel's stack pointer.
    let inherited = unsafe { read_inherited(stack) };
    let [_, configuration, path, client_arguments @ ..] = inherited.arguments.as_slice() else {
        fatal!("The engine is started by derivgrind, not by hand.");
    };
    configure(configuration);
    atomic_lock::create();
    recording::start();
    // SAFETY: the vector comes from the kernel.
    let auxiliary = unsafe { stack::auxiliary_entries(inherited.auxiliary) };
    let capabilities = auxiliary.iter().find(|(key, _)| *key == u64::from(auxvec::AT_HWCAP2));
    settings::choose(config::current(), capabilities.map_or(0, |(_, value)| *value));
    limits::take_over();
    if shadow::map().is_err() {
        fatal!(
            "There is no address space for the shadow memory (32 TB, reserved only): lift the hard limits `ulimit -Hv` and `ulimit -Hd` and use \
             vm.overcommit_memory 0 or 1."
        );
    }
    let (entry, pointer) = load(path, client_arguments, &inherited);
    start_client(entry, pointer)
}

fn configure(text: &[u8]) {
    match config::parse(text) {
        // SAFETY: the process has one thread.
        Ok(parsed) => unsafe { config::install(parsed) },
        Err(line) => {
            fatal!("The engine does not understand `{}` from its launcher.", String::from_utf8_lossy(line))
        }
    }
    process::remember_first();
    let log = config::current().log_descriptor;
    print::set_log_descriptor(log);
    if log > 2 {
        // SAFETY: the log belongs to the engine.
        unsafe { call!(kernel::__NR_fcntl, log, kernel::F_SETFD, kernel::FD_CLOEXEC) };
    }
}

/// Maps program and interpreter and builds the stack; returns entry point and stack pointer.
fn load(path: &[u8], arguments: &[&[u8]], inherited: &Inherited) -> (u64, u64) {
    let mut path_with_zero = path.to_vec();
    path_with_zero.push(0);
    let file = ElfFile::open(&path_with_zero).unwrap_or_else(|error| refuse(path, error));
    if config::current().randomises_addresses {
        memory::write().randomise(stack::random());
    }
    let start = memory::read().program_start;
    let image = file.map(Some(start)).unwrap_or_else(|error| refuse(path, error));
    let mut entry = image.entry;
    let mut interpreter_bias = 0;
    if let Some(interpreter) = &file.interpreter {
        let name = &interpreter[..interpreter.len() - 1];
        let file = ElfFile::open(interpreter).unwrap_or_else(|error| refuse_interpreter(path, name, error));
        let image = file.map(None).unwrap_or_else(|error| refuse_interpreter(path, name, error));
        entry = image.entry;
        interpreter_bias = image.bias;
    }
    // SAFETY: the process has one thread.
    unsafe { program::set_path(canonical_path(&path_with_zero)) };
    set_process_name(path);
    let facts = ProgramFacts {
        headers: image.headers,
        header_count: file.header_count,
        entry: image.entry,
        interpreter_bias,
        path,
        has_executable_stack: file.has_executable_stack,
        vdso: kernel_code(inherited).and_then(vdso::move_to_client),
    };
    // SAFETY: the vector comes from the kernel.
    let built = unsafe { stack::build(arguments, &inherited.environment, inherited.auxiliary, &facts) };
    match built {
        Ok(pointer) => {
            // SAFETY: the stack was just built.
            unsafe { process_words::show(pointer) };
            (entry, pointer)
        }
        Err(_) => fatal!("There is no memory for the program's stack."),
    }
}

/// Address of the vDSO.
fn kernel_code(inherited: &Inherited) -> Option<u64> {
    // SAFETY: the vector comes from the kernel.
    let auxiliary = unsafe { stack::auxiliary_entries(inherited.auxiliary) };
    let entry = auxiliary.iter().find(|(key, _)| *key == u64::from(auxvec::AT_SYSINFO_EHDR));
    entry.map(|(_, address)| *address)
}

/// What `/proc/self/exe` would say.
fn canonical_path(path: &[u8]) -> Vec<u8> {
    let descriptor = sys::open_for_reading(path);
    if !sys::is_failure(descriptor) {
        let link = format!("/proc/self/fd/{descriptor}\0");
        let target = sys::read_link(link.as_bytes());
        sys::close(descriptor as i32);
        if let Some(target) = target {
            return target;
        }
    }
    path[..path.len() - 1].to_vec()
}

/// `ps` and friends show the program's name, as natively.
fn set_process_name(path: &[u8]) {
    let mut name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path).to_vec();
    name.push(0);
    // SAFETY: the name is a C string.
    unsafe { call!(kernel::__NR_prctl, PR_SET_NAME, name.as_ptr()) };
}

const PR_SET_NAME: u32 = 15;

fn refuse(path: &[u8], error: ElfError) -> ! {
    let name = String::from_utf8_lossy(path);
    print::print(format_args!("{name} cannot be executed: {}.", reason(error)));
    let missing = error == ElfError::CannotOpen(sys::failure(errno::ENOENT));
    sys::exit_group(if missing { EXIT_NOT_FOUND } else { EXIT_CANNOT_EXECUTE })
}

fn refuse_interpreter(path: &[u8], interpreter: &[u8], error: ElfError) -> ! {
    let name = String::from_utf8_lossy(path);
    let interpreter = String::from_utf8_lossy(interpreter);
    print::print(format_args!(
        "{name} cannot be executed: its interpreter {interpreter}: {}.",
        reason(error)
    ));
    sys::exit_group(EXIT_CANNOT_EXECUTE)
}

fn reason(error: ElfError) -> String {
    match error {
        ElfError::CannotOpen(outcome) if outcome == sys::failure(errno::ENOENT) => "no such file".into(),
        ElfError::CannotOpen(outcome) if outcome == sys::failure(errno::EACCES) => "permission denied".into(),
        ElfError::CannotOpen(outcome) => format!("it cannot be read (error {})", -outcome),
        ElfError::NotElf => "it is not an ELF file".into(),
        ElfError::WrongArchitecture => "it is not a 64-bit x86-64 program".into(),
        ElfError::Truncated => "the file is truncated or damaged".into(),
        ElfError::NoSegments => "it has nothing to load".into(),
        ElfError::AddressTaken => "its fixed addresses are taken by the tool".into(),
        ElfError::MapFailed(outcome) => format!("it cannot be mapped (error {})", -outcome),
    }
}

fn start_client(entry: u64, pointer: u64) -> ! {
    let mask = signals::block_everything();
    let actions = Arc::new(ActionTable::inherit());
    let thread = match Thread::create(true, actions) {
        Ok(thread) => thread,
        Err(_) => fatal!(
            "There is no memory for the code cache, which has to be below 2 GB, writable and executable."
        ),
    };
    // SAFETY: nobody else uses the thread; the kernel's stack is not needed any more.
    unsafe {
        (*thread).adopt_current();
        (*thread).signals.mask = mask;
        let settings = (*thread).settings();
        (*thread).cache.restore(&settings);
        if let Some(file) = config::current().filters {
            filters::take_over(&*thread, file);
        }
        let context = (*thread).context();
        context.registers[4] = pointer;
        context.flags = INITIAL_FLAGS;
        dispatch::run(thread, Continuation { pc: entry, state: State::ZERO })
    }
}

/// Interrupts enabled and the bit that is always one: what the kernel starts programs with.
const INITIAL_FLAGS: u64 = 0x202;
