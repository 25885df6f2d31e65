//! The engine: loads the client into its own process and runs it from a code cache.
//!
//! The launcher executes this program with the client's arguments. It is a static executable without libc, linked
//! high in the address space, so that client, shadows and engine never meet. It maps the client's ELF file and
//! interpreter ([`elf`], [`stack`]), then translates from the entry point on ([`cache`]; the translator itself is the
//! crate `derivgrind-translate`). Translated code leaves the cache through [`dispatch`], which is the hub: links
//! between translations, system calls ([`syscalls`]), client requests ([`requests`]), signals ([`signals`]), changes
//! of code ([`invalidate`]).
//!
//! Invariants:
//! * No user-space code of the client runs outside of a code cache.
//! * The engine touches nothing of the client but through system calls, the frames of signal handlers, and requests.
//! * While the engine runs, the client's registers are in the thread's context, except for what the engine's compiled
//!   code cannot change (see [`extended`]).

#![no_std]
#![no_main]
#![deny(unsafe_op_in_unsafe_fn)]

extern crate alloc;

mod activation;
mod address_map;
mod allocator;
mod atomic_lock;
mod boundaries;
mod cache;
mod client_memory;
mod client_view;
mod code_memory;
mod computed;
mod config;
mod counters;
mod cpuid;
mod direct_calls;
mod dispatch;
mod elf;
mod extended;
mod filters;
mod fork;
mod intrinsics;
mod invalidate;
mod kept_file;
mod leaving;
mod library_calls;
mod library_functions;
mod lock;
mod mappings;
mod memory;
mod modules;
mod page_set;
mod passive_pages;
mod print;
mod process_words;
mod program;
mod recording;
mod recovery;
mod report;
mod requests;
mod return_addresses;
mod settings;
mod shadow;
mod signals;
mod stack;
mod start;
mod symbol_tables;
mod sys;
mod syscalls;
mod threads;
mod unwinders;
mod vdso;
mod vector_arguments;
mod vsyscall;
mod window;
mod write_protection;
