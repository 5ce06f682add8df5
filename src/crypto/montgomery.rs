//! Diffie-Hellman on Montgomery curves (RFC 7748).

use crate::{Error, Secret};

/// A Montgomery curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// X25519: 32-byte keys.
    X25519,
}

impl Curve {
    /// Length of a private scalar, a public key and a shared secret in bytes.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::X25519 => 32,
        }
    }
}

/// A new key pair.
pub struct KeyPair {
    /// The private scalar, not clamped.
    pub scalar: Secret,
    /// The public key.
    pub public: Vec<u8>,
}

/// A private key that is ready for use.
pub trait PrivateKey: Send + Sync {
    /// The public key.
    fn public(&self) -> Vec<u8>;

    /// The shared secret. [`Error::PeerInvalid`] if the peer's key has a wrong length or the secret is
    /// all zero (RFC 7748, 6.1).
    fn agree(&self, peer: &[u8]) -> Result<Secret, Error>;
}
