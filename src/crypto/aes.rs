//! AES (FIPS 197) and its modes (SP 800-38A, -38B, -38D, -38F).

use std::sync::Arc;

use crate::{Error, Secret, mac::MacKey};

/// Length of a block in bytes.
pub const BLOCK: usize = 16;

/// How blocks are chained.
#[derive(Clone, Copy, Debug)]
pub enum Mode<'a> {
    /// Electronic codebook; whole blocks only.
    Ecb,
    /// Cipher block chaining; whole blocks only.
    Cbc {
        /// The initialisation vector.
        iv: &'a [u8; BLOCK],
    },
    /// Cipher block chaining with PKCS#7 padding; any length.
    CbcPad {
        /// The initialisation vector.
        iv: &'a [u8; BLOCK],
    },
    /// Counter mode. Only the lowest `counter_bits` bits count (1 to 128); a message for which they
    /// would wrap around to a value used before is [`Error::Exhausted`].
    Ctr {
        /// The first counter block.
        block: &'a [u8; BLOCK],
        /// How many low bits of it are the counter.
        counter_bits: u32,
    },
    /// Galois/counter mode. Encryption appends the tag. Decryption puts out nothing before the tag was
    /// checked: `update` collects, `finish` gives all.
    Gcm {
        /// The nonce, at least one byte; 12 bytes are usual.
        iv: &'a [u8],
        /// What is authenticated but not encrypted.
        aad: &'a [u8],
        /// Length of the tag in bytes: 4, 8, 12 to 16.
        tag_len: usize,
    },
}

/// How a key is wrapped (SP 800-38F).
#[derive(Clone, Copy, Debug)]
pub enum KeyWrap {
    /// KW, RFC 3394: multiples of 8 bytes, at least 16. With this initial value
    /// (usually [`KeyWrap::KW_IV`]).
    Kw([u8; 8]),
    /// KWP, RFC 5649: any length from 1. With this upper half of the initial value
    /// (usually [`KeyWrap::KWP_IV`]); the lower half is the length.
    Kwp([u8; 4]),
}

impl KeyWrap {
    /// The initial value of RFC 3394, 2.2.3.1.
    pub const KW_IV: [u8; 8] = [0xa6; 8];
    /// The initial value of RFC 5649, section 3.
    pub const KWP_IV: [u8; 4] = [0xa6, 0x59, 0x59, 0xa6];
}

/// An AES key that is ready for use.
pub trait AesKey: Send + Sync {
    /// An encryption in this mode. [`Error::Parameter`] if the mode's parameters are out of range.
    fn encryptor(&self, mode: Mode<'_>) -> Result<Box<dyn Cipher>, Error>;

    /// A decryption in this mode. [`Error::Parameter`] if the mode's parameters are out of range.
    fn decryptor(&self, mode: Mode<'_>) -> Result<Box<dyn Cipher>, Error>;

    /// CMAC under this key; the subkeys are computed once.
    fn cmac(&self) -> Arc<dyn MacKey>;

    /// Wraps a key. [`Error::InputLength`] if the wrap does not take its length.
    fn wrap(&self, how: KeyWrap, key: &[u8]) -> Result<Vec<u8>, Error>;

    /// Unwraps a key. [`Error::CiphertextLength`] if no wrap has that length, [`Error::CiphertextInvalid`]
    /// if it was not wrapped under this key and initial value.
    fn unwrap(&self, how: KeyWrap, wrapped: &[u8]) -> Result<Secret, Error>;
}

/// A running encryption or decryption. After an error it is of no more use.
pub trait Cipher: Send {
    /// How many bytes `update` puts out for `len` bytes of input, exactly.
    fn update_len(&self, len: usize) -> usize;

    /// How much room to have for what `update` puts out, told to somebody who asks beforehand. More than
    /// [`Cipher::update_len`] where that is 0 because all of it comes at the end.
    fn update_hint(&self, len: usize) -> usize {
        self.update_len(len)
    }

    /// Takes more input and puts out what is ready. `output` must have [`Cipher::update_len`] bytes, else
    /// [`Error::OutputLength`] and nothing has happened.
    fn update(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error>;

    /// How many bytes `finish` puts out at most, now.
    fn finish_len(&self) -> usize;

    /// Ends the message and puts out the rest. `output` must have [`Cipher::finish_len`] bytes.
    ///
    /// # Errors
    /// Encrypting, [`Error::InputLength`] if a mode without padding was fed a broken block; decrypting,
    /// [`Error::CiphertextLength`] then, and [`Error::CiphertextInvalid`] for a wrong padding or tag.
    fn finish(&mut self, output: &mut [u8]) -> Result<usize, Error>;

    /// How many bytes [`Cipher::once`] puts out at most for a whole message of `len` bytes.
    fn once_len(&self, len: usize) -> usize;

    /// A whole message in one step, on a cipher that has been fed nothing: what `update` and `finish` put
    /// out together. `output` must have [`Cipher::once_len`] bytes.
    fn once(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Error>;
}
