//! The PKCS#11 module itself: `libstrongroom.so`.
//!
//! Everything is in the crates below; this one gives the shared object its name.
#![forbid(unsafe_code)]

pub use abi::*;
