//! Elliptic curves over prime fields (SEC 1, SP 800-186): ECDSA and ECDH.

use crate::{Error, Secret};

/// A short Weierstrass curve. All of these have cofactor 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-224.
    P224,
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// secp256k1 (SEC 2).
    Secp256k1,
}

impl Curve {
    /// Every curve.
    pub const ALL: [Self; 5] = [Self::P224, Self::P256, Self::P384, Self::P521, Self::Secp256k1];

    /// Length of a coordinate in bytes. The orders of all of these curves have the same length.
    #[must_use]
    pub const fn field_len(self) -> usize {
        match self {
            Self::P224 => 28,
            Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// Size of the field in bits.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            Self::P224 => 224,
            Self::P256 | Self::Secp256k1 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }
}

/// A new key pair as its numbers.
pub struct KeyPair {
    /// The private scalar, [`Curve::field_len`] bytes.
    pub scalar: Secret,
    /// The public point, uncompressed (SEC 1, 2.3.3).
    pub point: Vec<u8>,
}

/// A public key that is ready for use: a point that was found to be on its curve, and not at infinity.
pub trait PublicKey: Send + Sync {
    /// Checks `signature`, which is r and s of [`Curve::field_len`] bytes each, over a digest. Of a digest
    /// longer than the order the leftmost bits are used (FIPS 186-5, 6.4.2).
    fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<(), Error>;
}

/// A private key that is ready for use.
pub trait PrivateKey: Send + Sync {
    /// The public point, uncompressed.
    fn point(&self) -> Vec<u8>;

    /// Signature over a digest of any length: r and s of [`Curve::field_len`] bytes each, in `output`,
    /// which must have twice that length. Returns the length.
    fn sign(&self, digest: &[u8], output: &mut [u8]) -> Result<usize, Error>;

    /// The x coordinate of the product with the peer's point, [`Curve::field_len`] bytes. The peer's point
    /// may be compressed or not; [`Error::PeerInvalid`] if it is not on the curve or at infinity.
    fn agree(&self, peer: &[u8]) -> Result<Secret, Error>;
}
