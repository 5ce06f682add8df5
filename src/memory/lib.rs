//! Memory that the system gives: pages of files that processes share, a page that no child inherits, pages for keys,
//! and with whose rights the program runs.
//!
//! The unsafe code of this crate is in `mapping`, `heap` and `privilege`. The crate knows nothing of tokens.
#![deny(unsafe_code)]

mod arena;
pub mod counting;
mod fork_mark;
#[allow(unsafe_code)]
mod heap;
#[allow(unsafe_code)]
mod mapping;
mod page;
mod privilege;

pub use arena::{ArenaFork, keys, lockable};
pub use fork_mark::ForkMark;
pub use heap::{Heap, c_free, c_malloc, c_realloc};
pub use page::CounterPage;
pub use privilege::is_privileged;
