//! Memory for what a caller sends, of whose length he decides: where there is none, that is an error and not the end of
//! the process.

use crate::{Error, Secret};

/// So many zeros, wiped when they are dropped.
///
/// # Errors
/// [`Error::Memory`].
pub fn zeros(len: usize) -> Result<Secret, Error> {
    let mut bytes = reserved(len)?;
    bytes.resize(len, 0);
    Ok(bytes)
}

/// A copy, wiped when it is dropped.
///
/// # Errors
/// [`Error::Memory`].
pub fn copy(from: &[u8]) -> Result<Secret, Error> {
    padded(from, from.len())
}

/// A copy with zeros behind it, up to `len` bytes.
///
/// # Errors
/// [`Error::Memory`].
pub fn padded(from: &[u8], len: usize) -> Result<Secret, Error> {
    let mut bytes = reserved(len.max(from.len()))?;
    bytes.extend_from_slice(from);
    bytes.resize(len.max(from.len()), 0);
    Ok(bytes)
}

/// Adds to what is no secret.
///
/// # Errors
/// [`Error::Memory`]; then nothing is added.
pub fn append(to: &mut Vec<u8>, from: &[u8]) -> Result<(), Error> {
    to.try_reserve(from.len()).map_err(|_| Error::Memory)?;
    to.extend_from_slice(from);
    Ok(())
}

/// As long as it will be, so that no copy is left by growing.
fn reserved(len: usize) -> Result<Secret, Error> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Error::Memory)?;
    Ok(Secret::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_memory_for_is_an_error() {
        assert_eq!(zeros(isize::MAX.unsigned_abs()).err(), Some(Error::Memory));
        assert_eq!(*padded(b"abc", 5).unwrap(), b"abc\0\0");
        assert_eq!(*copy(b"abc").unwrap(), b"abc");
        let mut bytes = b"ab".to_vec();
        append(&mut bytes, b"c").unwrap();
        assert_eq!(bytes, b"abc");
    }
}
