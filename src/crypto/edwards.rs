//! EdDSA (RFC 8032).

use crate::{Error, Secret};

/// An Edwards curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// Ed25519: 32-byte keys, 64-byte signatures.
    Ed25519,
}

impl Curve {
    /// Length of a private seed and of a public key in bytes.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Ed25519 => 32,
        }
    }

    /// Length of a signature in bytes.
    #[must_use]
    pub const fn signature_len(self) -> usize {
        match self {
            Self::Ed25519 => 64,
        }
    }
}

/// A new key pair.
pub struct KeyPair {
    /// The private seed (RFC 8032, 5.1.5).
    pub seed: Secret,
    /// The public key.
    pub public: Vec<u8>,
}

/// A public key that is ready for use.
pub trait PublicKey: Send + Sync {
    /// Checks a pure EdDSA signature over a message.
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error>;
}

/// A private key that is ready for use.
pub trait PrivateKey: Send + Sync {
    /// The public key.
    fn public(&self) -> Vec<u8>;

    /// Pure EdDSA signature over a message.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error>;
}
