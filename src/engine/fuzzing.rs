//! What is read from files before anybody has logged in, for those who try bytes that nobody has written
//! (`fuzz/`, and the tests). Nothing of it is part of the engine's service.

use store::Serial;

/// Reads a token header whose checksum is made to fit.
pub fn token_header(bytes: &[u8]) {
    crate::token::fuzz_token_header(bytes, Serial::new("0123456789abcdef").as_ref());
}

/// Reads attributes, as they stand in a public object's clear part.
pub fn attributes(bytes: &[u8]) {
    crate::token::fuzz_attributes(bytes);
}
