//! Threads of the client, each with a context, a code cache and two stacks of the engine.
//!
//! FS belongs to the client and GS holds the shadow offset, so the engine cannot keep a pointer to the current thread
//! in a register. It comes in through the context when translated code exits, and through the stack in a signal
//! handler: a thread's stacks lie in an aligned block whose first word points to the thread.
//!
//! Invariant: a thread in the registry is either running or about to; its memory is freed only after it has left the
//! registry, by itself at its exit or by its creator if it shares memory through `vfork`.

use crate::cache::Cache;
use crate::computed;
use crate::filters::user_dispatch::UserDispatch;
use crate::filters::Filters;
use crate::invalidate;
use crate::library_calls::Call;
use crate::library_functions::Awaited;
use crate::lock::{self, Mutex};
use crate::mappings::{Attributes, Mappings};
use crate::memory::{ENGINE_STACKS_END, ENGINE_STACKS_START};
use crate::recording::{self, Recorder};
use crate::return_addresses::Shown;
use crate::settings;
use crate::signals::{ActionTable, SignalState};
use crate::sys::{self, kernel, Outcome};
use crate::window::{self, Region};
use crate::{call, direct_calls, dispatch};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{compiler_fence, AtomicBool, AtomicI32, AtomicU64, Ordering};
use derivgrind_translate::constants;
use derivgrind_translate::context::{Context, CONTEXT_SIZE, TABLE_SIZE};
use derivgrind_translate::interface::{Mode, Settings, VectorShadows};

/// Stacks of a thread: header page, signal stack, guard page, engine stack.
const STACK_BLOCK: u64 = 512 << 10;
pub const SIGNAL_STACK_SIZE: u64 = 128 << 10;
/// Code memory of the first thread and of others at their start.
const MAIN_CODE_SIZE: u64 = 64 << 20;
const THREAD_CODE_SIZE: u64 = 512 << 10;
/// Indirect branches in active code between two looks at the shadows.
pub const SAMPLE_BUDGET: u64 = 1000;

pub struct Thread {
    context: *mut Context,
    /// Context and first table.
    region: Region,
    stacks: u64,
    pub cache: Cache,
    pub signals: SignalState,
    process_id: AtomicI32,
    thread_id: AtomicI32,
    in_cache: AtomicBool,
    seen_generation: AtomicU64,
    /// The generation that other threads must have seen before this one goes on; 0: none.
    waits_for: AtomicU64,
    /// Where this thread's translations have the shadows of vector registers; it follows the process at its next exit
    /// from the cache.
    shadows_in_registers: AtomicBool,
    /// Belongs to a process that shares the memory of another one, until it executes a program or exits.
    pub borrows_memory: bool,
    /// A debugger of the client has this process, and wants to see the program that it executes next, not the engine.
    pub is_debugged: bool,
    /// Its creator waits for that (`vfork`) and frees it then.
    pub freed_by_creator: bool,
    /// Resolvers of library functions that are running.
    pub awaited: Vec<Awaited>,
    /// Library functions that are running and will be differentiated.
    pub calls: Vec<Call>,
    /// Return addresses of such functions that are in their places, because a signal handler runs.
    pub shown: Vec<Shown>,
    /// The stack pointer where an exception was thrown that has not been caught.
    pub thrown_at: Option<u64>,
    /// What the client has forbidden itself.
    pub filters: Mutex<Filters>,
    /// System calls that the client wants to get as signals.
    pub user_dispatch: Option<UserDispatch>,
    /// CPUID raises a signal.
    pub cpuid_faults: bool,
    /// Another thread's filters came with its promise to gain no privileges, which this thread must make, too.
    pub gives_up_privileges: AtomicBool,
    /// Counter of the request `DISABLE`.
    pub disabled: u64,
    pub recorder: Mutex<Recorder>,
    /// Shadows that a computed rule leaves behind.
    pub computed: computed::Pending,
}

struct Registry(Vec<*mut Thread>);

// SAFETY: threads are reached through the registry only with its lock held, and only their atomics are touched.
unsafe impl Send for Registry {}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry(Vec::new()));
static STACKS: Mutex<Mappings> = Mutex::new(Mappings::new());

impl Thread {
    /// Makes a thread that is not running yet and puts it into the registry.
    pub fn create(main: bool, actions: Arc<ActionTable>) -> Result<*mut Thread, Outcome> {
        let no_memory = sys::failure(sys::errno::EAGAIN);
        let Low { region, code } = allocate_low(main).ok_or(no_memory)?;
        let stacks = match allocate_stacks() {
            Ok(stacks) => stacks,
            Err(error) => {
                give_back_low(Low { region, code });
                return Err(error);
            }
        };
        // SAFETY: the region starts with a zeroed context.
        let bytes =
            unsafe { core::slice::from_raw_parts_mut(region.start as *mut u8, CONTEXT_SIZE as usize) };
        constants::fill(bytes);
        let context = region.start as *mut Context;
        let thread = Box::into_raw(Box::new(Thread {
            context,
            region,
            stacks,
            cache: Cache::new(region.start, region.start + CONTEXT_SIZE, code),
            signals: SignalState::new(actions),
            process_id: AtomicI32::new(0),
            thread_id: AtomicI32::new(0),
            in_cache: AtomicBool::new(false),
            seen_generation: AtomicU64::new(invalidate::generation()),
            waits_for: AtomicU64::new(0),
            shadows_in_registers: AtomicBool::new(settings::shadows_in_registers()),
            borrows_memory: false,
            is_debugged: false,
            freed_by_creator: false,
            awaited: Vec::new(),
            calls: Vec::new(),
            shown: Vec::new(),
            thrown_at: None,
            filters: Mutex::new(Filters::None),
            user_dispatch: None,
            cpuid_faults: false,
            gives_up_privileges: AtomicBool::new(false),
            disabled: 0,
            recorder: Mutex::new(Recorder::new()),
            computed: computed::Pending::default(),
        }));
        if recording::is_on() {
            // SAFETY: nobody else knows the thread yet.
            unsafe { (*thread).cache.tape_state = (*thread).recorder.lock().state_address() };
        }
        // SAFETY: context and stack block are ours; the block's first word is where handlers look.
        unsafe {
            (*context).engine_stack = stacks + STACK_BLOCK - 64;
            (*context).exit_handler = dispatch::exit_handler as *const () as u64;
            (*context).budget = SAMPLE_BUDGET;
            (*context).thread = thread as u64;
            direct_calls::prepare(&mut *context);
            *(stacks as *mut u64) = thread as u64;
        }
        REGISTRY.lock().0.push(thread);
        Ok(thread)
    }

    #[allow(clippy::mut_from_ref)]
    pub fn context(&self) -> &mut Context {
        // SAFETY: the context lives as long as the thread; only its own thread calls this, and no reference is kept
        // across a return into translated code.
        unsafe { &mut *self.context }
    }

    /// Called by the new thread itself, with all signals blocked.
    pub fn adopt_current(&self) {
        self.process_id.store(sys::process_id(), Ordering::SeqCst);
        self.thread_id.store(sys::thread_id(), Ordering::SeqCst);
        self.install_signal_stack();
    }

    fn install_signal_stack(&self) {
        let stack = crate::signals::AlternateStack {
            start: self.stacks + sys::PAGE,
            flags: 0,
            padding: 0,
            size: SIGNAL_STACK_SIZE,
        };
        // SAFETY: the stack lives as long as the thread.
        unsafe { call!(kernel::__NR_sigaltstack, &stack as *const _, 0) };
    }

    /// The process that a new thread will belong to.
    pub fn join_process(&self, id: i32) {
        self.process_id.store(id, Ordering::SeqCst);
    }

    pub fn process_id(&self) -> i32 {
        self.process_id.load(Ordering::SeqCst)
    }

    pub fn thread_id(&self) -> i32 {
        self.thread_id.load(Ordering::SeqCst)
    }

    pub fn in_cache(&self) -> bool {
        self.in_cache.load(Ordering::SeqCst)
    }

    /// Other threads see this in one order with the generation; without them the thread's own handlers do.
    pub fn set_in_cache(&self, value: bool) {
        if lock::is_shared() {
            self.in_cache.store(value, Ordering::SeqCst);
        } else {
            self.in_cache.store(value, Ordering::Release);
            compiler_fence(Ordering::SeqCst);
        }
    }

    pub fn seen_generation(&self) -> u64 {
        self.seen_generation.load(Ordering::SeqCst)
    }

    pub fn set_seen_generation(&self, value: u64) {
        self.seen_generation.store(value, Ordering::SeqCst);
    }

    pub fn promise_to_wait_for(&self, generation: u64) {
        self.waits_for.store(generation, Ordering::SeqCst);
    }

    pub fn take_promise_to_wait(&self) -> Option<u64> {
        match self.waits_for.swap(0, Ordering::SeqCst) {
            0 => None,
            generation => Some(generation),
        }
    }

    pub fn shadows_in_registers(&self) -> bool {
        self.shadows_in_registers.load(Ordering::SeqCst)
    }

    pub fn set_shadows_in_registers(&self, value: bool) {
        self.shadows_in_registers.store(value, Ordering::SeqCst);
    }

    /// How this thread translates.
    pub fn settings(&self) -> Settings {
        let homes =
            if self.shadows_in_registers() { VectorShadows::Registers } else { VectorShadows::Memory };
        let mut current = Settings { vector_shadows: homes, ..settings::current() };
        if self.disabled != 0 && current.mode.records() {
            current.mode = Mode::Paused;
        }
        current
    }

    /// Top of the stack on which a new thread runs until it enters its cache.
    pub fn engine_stack(&self) -> u64 {
        self.stacks + STACK_BLOCK - 64
    }
}

/// What a thread needs below 2 GB.
#[derive(Clone, Copy)]
struct Low {
    /// Context and first table.
    region: Region,
    /// First extent of code.
    code: Region,
}

/// Memory of threads that have ended: programs that start threads all the time need no page faults for it.
static POOL: Mutex<Vec<Low>> = Mutex::new(Vec::new());
const POOL_LIMIT: usize = 16;

fn allocate_low(main: bool) -> Option<Low> {
    if main {
        // The table and the first code share a large page.
        let all = window::allocate_large(CONTEXT_SIZE + TABLE_SIZE + MAIN_CODE_SIZE)?;
        let region = Region { start: all.start, length: CONTEXT_SIZE + TABLE_SIZE };
        return Some(Low { region, code: Region { start: region.end(), length: MAIN_CODE_SIZE } });
    }
    if let Some(low) = POOL.lock().pop() {
        // SAFETY: the context of a thread that has ended.
        unsafe { core::ptr::write_bytes(low.region.start as *mut u8, 0, CONTEXT_SIZE as usize) };
        return Some(low);
    }
    let region = window::allocate(CONTEXT_SIZE + TABLE_SIZE)?;
    let Some(code) = window::allocate(THREAD_CODE_SIZE) else {
        // SAFETY: just allocated and not used.
        unsafe { window::free(region) };
        return None;
    };
    Some(Low { region, code })
}

fn give_back_low(low: Low) {
    let mut pool = POOL.lock();
    if low.code.length == THREAD_CODE_SIZE && pool.len() < POOL_LIMIT {
        pool.push(low);
        return;
    }
    drop(pool);
    // SAFETY: the caller does not use it any more.
    unsafe {
        window::free(low.region);
        window::free(low.code);
    }
}

/// The thread whose signal stack contains `address`.
pub fn of_signal_stack(address: u64) -> *mut Thread {
    let block = address & !(STACK_BLOCK - 1);
    // SAFETY: handlers run on signal stacks only, which lie in blocks that begin with this pointer.
    unsafe { *(block as *const *mut Thread) }
}

fn allocate_stacks() -> Result<u64, Outcome> {
    let mut stacks = STACKS.lock();
    let mut low = ENGINE_STACKS_START;
    loop {
        let gap = stacks.find_gap(low, ENGINE_STACKS_END, STACK_BLOCK, STACK_BLOCK);
        let start = gap.ok_or(sys::failure(sys::errno::EAGAIN))?;
        match sys::map_engine_memory(start, STACK_BLOCK, sys::READ_WRITE) {
            Ok(()) => {
                let guard = start + sys::PAGE + SIGNAL_STACK_SIZE;
                // SAFETY: our own fresh mapping.
                unsafe { call!(kernel::__NR_mprotect, guard, sys::PAGE, kernel::PROT_NONE) };
                let attributes = Attributes {
                    protection: sys::READ_WRITE,
                    file: false,
                    ever_writable: true,
                    shared: None,
                };
                stacks.insert(start, start + STACK_BLOCK, attributes);
                return Ok(start);
            }
            // A thread that has left the registry still stands on it for its last instructions.
            Err(error) if error == sys::failure(sys::errno::EEXIST) => low = start + STACK_BLOCK,
            Err(error) => return Err(error),
        }
    }
}

/// Calls `visit` for every thread, with the registry locked.
pub fn for_each(mut visit: impl FnMut(&Thread)) {
    for thread in &REGISTRY.lock().0 {
        // SAFETY: threads in the registry are alive; only atomics are touched through the reference.
        visit(unsafe { &**thread });
    }
}

pub fn count() -> usize {
    REGISTRY.lock().0.len()
}

/// Threads of one process; others may share its memory.
pub fn count_of_process(id: i32) -> usize {
    let mut count = 0;
    for_each(|thread| count += usize::from(thread.process_id() == id));
    count
}

fn remove_from_registry(thread: *mut Thread) {
    REGISTRY.lock().0.retain(|other| *other != thread);
}

/// Frees a thread that does not run (any more); returns its stacks, which the caller unmaps.
///
/// # Safety
/// Nobody uses the thread, except that the caller may stand on its engine stack.
unsafe fn dismantle(thread: *mut Thread) -> u64 {
    remove_from_registry(thread);
    // SAFETY: the caller's promise; `create` made the box.
    unsafe {
        let mut thread = Box::from_raw(thread);
        thread.recorder.lock().release();
        let code = thread.cache.release();
        give_back_low(Low { region: thread.region, code });
        STACKS.lock().remove(thread.stacks, thread.stacks + STACK_BLOCK);
        thread.stacks
    }
}

/// Frees a thread that could not be started, or whose process has left the shared memory.
///
/// # Safety
/// The thread does not run.
pub unsafe fn destroy(thread: *mut Thread) {
    // SAFETY: the caller's promise.
    unsafe {
        let stacks = dismantle(thread);
        sys::unmap(stacks, STACK_BLOCK);
    }
}

/// Ends the calling thread by the system call `number` and frees everything that belongs to it.
///
/// # Safety
/// `thread` is the calling thread and all signals are blocked.
pub unsafe fn exit(thread: *mut Thread, number: u32, status: u64) -> ! {
    // The block is still in use until the last instruction, so nobody may take its place before the kernel says so:
    // `allocate_stacks` maps without replacing.
    // SAFETY: the caller's promise. After the first system call there is no stack.
    unsafe {
        let stacks = dismantle(thread);
        core::arch::asm!(
            "syscall", "mov rax, r13", "mov rdi, r12", "syscall", "ud2",
            in("rax") u64::from(kernel::__NR_munmap), in("rdi") stacks, in("rsi") STACK_BLOCK, in("r12") status,
            in("r13") u64::from(number),
            options(noreturn)
        );
    }
}

/// In a forked child: the other threads do not exist here.
pub fn keep_only(thread: *mut Thread) {
    let others: Vec<*mut Thread> =
        REGISTRY.lock().0.iter().copied().filter(|other| *other != thread).collect();
    for other in others {
        // SAFETY: it does not run in this process.
        unsafe { destroy(other) };
    }
}

pub fn acquire_for_fork() {
    core::mem::forget(REGISTRY.lock());
    core::mem::forget(STACKS.lock());
    core::mem::forget(POOL.lock());
}

pub fn release_after_fork() {
    // SAFETY: taken in `acquire_for_fork` by this thread.
    unsafe {
        POOL.release();
        STACKS.release();
        REGISTRY.release();
    }
}
