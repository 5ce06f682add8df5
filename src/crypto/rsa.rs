//! RSA (RFC 8017). Numbers are big-endian; leading zeros are allowed in and never put out, except that
//! signatures and ciphertexts have the length of the modulus.

use crate::{Error, Hash, Secret};

/// The smallest modulus that is generated or used, in bits.
pub const MIN_BITS: usize = 1024;
/// The largest modulus that is generated or used, in bits.
pub const MAX_BITS: usize = 16384;

/// A private key as its numbers.
#[derive(Clone, Copy)]
pub struct PrivateParts<'a> {
    /// Modulus.
    pub n: &'a [u8],
    /// Public exponent; empty if it is not known.
    pub e: &'a [u8],
    /// Private exponent.
    pub d: &'a [u8],
    /// What makes it fast; `None` if it is not known.
    pub crt: Option<CrtParts<'a>>,
}

/// The numbers for the Chinese remainder theorem.
#[derive(Clone, Copy)]
pub struct CrtParts<'a> {
    /// First prime.
    pub p: &'a [u8],
    /// Second prime.
    pub q: &'a [u8],
    /// `d mod (p-1)`.
    pub dp: &'a [u8],
    /// `d mod (q-1)`.
    pub dq: &'a [u8],
    /// `q^-1 mod p`.
    pub qinv: &'a [u8],
}

/// A new key pair as its numbers.
pub struct KeyPair {
    /// Modulus.
    pub n: Vec<u8>,
    /// Public exponent.
    pub e: Vec<u8>,
    /// Private exponent.
    pub d: Secret,
    /// First prime.
    pub p: Secret,
    /// Second prime.
    pub q: Secret,
    /// `d mod (p-1)`.
    pub dp: Secret,
    /// `d mod (q-1)`.
    pub dq: Secret,
    /// `q^-1 mod p`.
    pub qinv: Secret,
}

/// Parameters of a PSS signature (RFC 8017, 9.1).
#[derive(Clone, Copy, Debug)]
pub struct Pss {
    /// Hash of the message; the digest must have its length.
    pub hash: Hash,
    /// Hash of the mask generation function MGF1.
    pub mgf: Hash,
    /// Length of the salt in bytes.
    pub salt_len: usize,
}

/// Parameters of an OAEP encryption (RFC 8017, 7.1).
#[derive(Clone, Copy, Debug)]
pub struct Oaep<'a> {
    /// Hash of the label.
    pub hash: Hash,
    /// Hash of the mask generation function MGF1.
    pub mgf: Hash,
    /// The label L.
    pub label: &'a [u8],
}

/// A public key that is ready for use.
pub trait PublicKey: Send + Sync {
    /// Length of the modulus in bytes.
    fn size(&self) -> usize;

    /// `input^e mod n`, as long as the modulus. [`Error::InputLength`] if the input is longer than the
    /// modulus, [`Error::InputValue`] if it is not below it.
    fn raw(&self, input: &[u8]) -> Result<Vec<u8>, Error>;

    /// Checks a PKCS#1 v1.5 signature over `data`, which is a `DigestInfo` or what else the signer put
    /// there (RFC 8017, 8.2.2, from step 3).
    fn verify_pkcs1(&self, data: &[u8], signature: &[u8]) -> Result<(), Error>;

    /// Checks a PSS signature over a digest.
    fn verify_pss(&self, pss: Pss, digest: &[u8], signature: &[u8]) -> Result<(), Error>;

    /// PKCS#1 v1.5 encryption of at most `size - 11` bytes.
    fn encrypt_pkcs1(&self, message: &[u8]) -> Result<Vec<u8>, Error>;

    /// OAEP encryption of at most `size - 2 * hash - 2` bytes.
    fn encrypt_oaep(&self, oaep: Oaep<'_>, message: &[u8]) -> Result<Vec<u8>, Error>;
}

/// A private key that is ready for use. Each operation is blinded, and its result is checked with the
/// public key before it is given out: a wrong one is [`Error::Fault`].
pub trait PrivateKey: Send + Sync {
    /// Length of the modulus in bytes.
    fn size(&self) -> usize;

    /// `input^d mod n`, as long as the modulus. [`Error::InputLength`] if the input is longer than the
    /// modulus, [`Error::InputValue`] if it is not below it.
    fn raw(&self, input: &[u8]) -> Result<Secret, Error>;

    /// PKCS#1 v1.5 signature over `data` of at most `size - 11` bytes, which is a `DigestInfo` or whatever
    /// the caller wants there. [`Error::InputLength`] if it does not fit.
    fn sign_pkcs1(&self, data: &[u8]) -> Result<Vec<u8>, Error>;

    /// PSS signature over a digest of the length of `pss.hash`. [`Error::Parameter`] if the salt does
    /// not fit the modulus.
    fn sign_pss(&self, pss: Pss, digest: &[u8]) -> Result<Vec<u8>, Error>;

    /// PKCS#1 v1.5 decryption. A wrong padding is no error: it gives bytes that depend on the key and the
    /// ciphertext alone (implicit rejection), in the same time. Only a ciphertext of a wrong length or
    /// value is an error.
    fn decrypt_pkcs1(&self, ciphertext: &[u8]) -> Result<Secret, Error>;

    /// OAEP decryption. [`Error::CiphertextInvalid`] for every fault of the padding alike.
    fn decrypt_oaep(&self, oaep: Oaep<'_>, ciphertext: &[u8]) -> Result<Secret, Error>;
}
