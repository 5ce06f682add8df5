//! The libraries behind the traits, one folder each. A backend is a [`crate::Suite`].

#[cfg(feature = "awslc")]
#[allow(unsafe_code)] // AWS-LC is a C library; each block names the promise it relies on.
pub mod awslc;
pub mod rustcrypto;
