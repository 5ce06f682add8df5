//! Memory that the system gives: pages of files that processes share, and a page that no child inherits.
//!
//! The unsafe code of this crate is in `mapping`. The crate knows nothing of tokens.
#![deny(unsafe_code)]

pub mod counting;
mod fork_mark;
#[allow(unsafe_code)]
mod mapping;
mod page;

pub use fork_mark::ForkMark;
pub use page::CounterPage;
