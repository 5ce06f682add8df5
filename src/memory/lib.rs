//! Memory that the system gives: pages of files that processes share, a page that no child
//! inherits, and with whose rights the program runs.
//!
//! The unsafe code of this crate is in `mapping` and `privilege`. The crate knows nothing of tokens.
#![deny(unsafe_code)]

pub mod counting;
mod fork_mark;
#[allow(unsafe_code)]
mod mapping;
mod page;
mod privilege;

pub use fork_mark::ForkMark;
pub use page::CounterPage;
pub use privilege::is_privileged;
