//! What is read from token files, for those who try bytes that nobody has written (`fuzz/`, and the tests). Nothing of
//! it is part of the engine's service. Each function panics if what a reader accepts is not what it would write.

/// A token header, with its checksum made to fit.
pub fn token_header(bytes: &[u8]) {
    crate::token::fuzz::token_header(bytes);
}

/// One section of a header.
pub fn sections(bytes: &[u8]) {
    crate::token::fuzz::sections(bytes);
}

/// What is inside the seals of headers: a ring, the sealed header's sections, the witness.
pub fn sealed(bytes: &[u8]) {
    crate::token::fuzz::sealed(bytes);
}

/// A record and its attributes.
pub fn record(bytes: &[u8]) {
    crate::token::fuzz::record(bytes);
}
