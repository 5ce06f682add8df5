//! Algorithms behind small traits.
//!
//! This crate knows no word of PKCS#11: no handle, no template, no `CK_`. It knows keys, messages and
//! what may go wrong between them. [`SUITE`] is what the module uses; [`backends`] hold the libraries
//! behind it, each as one [`Suite`], so that a test can run every primitive of one against the other.
#![deny(unsafe_code)]
// Lengths are checked where bytes enter this crate; block arithmetic in `get(..)` would hide it.
#![allow(clippy::indexing_slicing)]

pub mod aes;
pub mod backends;
pub mod dh;
pub mod digest;
pub mod dsa;
pub mod ec;
pub mod edwards;
mod error;
mod keys;
pub mod mac;
pub mod montgomery;
mod number;
mod padding;
pub mod room;
pub mod rsa;
mod suite;
pub mod tdes;

pub use digest::Hash;
pub use error::Error;
pub use keys::{keys, use_heap};
pub use suite::{Power, Prepared, SUITE, Started, Suite};

/// Bytes that are wiped when they are dropped.
pub type Secret = zeroize::Zeroizing<Vec<u8>>;
