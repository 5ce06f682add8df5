//! Hash functions (FIPS 180-4).

use zeroize::Zeroizing;

/// `DigestInfo` of an algorithm under 2.16.840.1.101.3.4.2 with NULL parameters.
macro_rules! sha2_digest_info {
    ($arc:literal, $len:literal) => {
        &[
            0x30,
            0x11 + $len,
            0x30,
            0x0d,
            0x06,
            0x09,
            0x60,
            0x86,
            0x48,
            0x01,
            0x65,
            0x03,
            0x04,
            0x02,
            $arc,
            0x05,
            0x00,
            0x04,
            $len,
        ]
    };
}
/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-224, 28 bytes.
    Sha224,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

/// The longest output of a hash function, in bytes.
pub const MAX_OUTPUT_LEN: usize = 64;

impl Hash {
    /// Every hash function, shortest output first.
    pub const ALL: [Self; 5] = [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Length of the output in bytes.
    #[must_use]
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The part of a PKCS#1 v1.5 `DigestInfo` that comes before the digest (RFC 8017, 9.2, note 1).
    #[must_use]
    pub const fn digest_info_prefix(self) -> &'static [u8] {
        match self {
            Self::Sha1 => &[0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14],
            Self::Sha224 => sha2_digest_info!(0x04, 28),
            Self::Sha256 => sha2_digest_info!(0x01, 32),
            Self::Sha384 => sha2_digest_info!(0x02, 48),
            Self::Sha512 => sha2_digest_info!(0x03, 64),
        }
    }
}

/// A running digest.
pub trait Digest: Send {
    /// Length of the output in bytes.
    fn output_len(&self) -> usize;

    /// Takes more of the message.
    fn update(&mut self, data: &[u8]);

    /// Which one it is.
    fn hash(&self) -> Hash;

    /// What there is of the message so far, for [`crate::Suite::digest_resume`] of the same backend. It may tell of a key that
    /// was digested.
    fn save(&self) -> Zeroizing<Vec<u8>>;

    /// Writes the digest to the first [`Digest::output_len`] bytes of `output`, which must have them, and
    /// starts again with an empty message.
    fn finish(&mut self, output: &mut [u8]);
}
