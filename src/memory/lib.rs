//! Memory that the system gives: pages of files that processes share.
//!
//! The unsafe code of this crate is in `mapping`. The crate knows nothing of tokens.
#![deny(unsafe_code)]

pub mod counting;
#[allow(unsafe_code)]
mod mapping;
mod page;

pub use page::CounterPage;
