use std::sync::Arc;

use crate::{Error, Hash, Secret, aes, digest, dsa, ec, edwards, mac, montgomery, rsa, tdes};

/// What is prepared once and then shared by everyone who uses it.
pub type Prepared<T> = Result<Arc<T>, Error>;

/// A digest that takes a message.
pub type Started = Result<Box<dyn digest::Digest>, Error>;

/// See [`Suite::power`].
pub type Power = fn(&[u8], &[u8], &[u8]) -> Result<Secret, Error>;

/// What a backend can do: one row per use. What it lacks is [`Error::Unsupported`].
#[derive(Clone, Copy)]
pub struct Suite {
    /// The backend's name, for people.
    pub name: &'static str,
    /// Starts a digest.
    pub digest: fn(Hash) -> Started,
    /// Goes on where a digest was saved; [`Error::InputValue`] for what this backend has not saved.
    pub digest_resume: fn(Hash, &[u8]) -> Started,
    /// Prepares an HMAC key of any length.
    pub hmac: fn(Hash, &[u8]) -> Prepared<dyn mac::MacKey>,
    /// Prepares an AES key of 16, 24 or 32 bytes.
    pub aes: fn(&[u8]) -> Prepared<dyn aes::AesKey>,
    /// Prepares a Triple DES key of 16 or 24 bytes, whatever its parity.
    pub tdes: fn(&[u8]) -> Prepared<dyn tdes::TdesKey>,
    /// Prepares an RSA public key from modulus and exponent; [`Error::KeySize`] outside
    /// [`rsa::MIN_BITS`] to [`rsa::MAX_BITS`].
    pub rsa_public: fn(&[u8], &[u8]) -> Prepared<dyn rsa::PublicKey>,
    /// Prepares an RSA private key; [`Error::KeyInvalid`] if its numbers contradict each other.
    pub rsa_private: fn(rsa::PrivateParts<'_>) -> Prepared<dyn rsa::PrivateKey>,
    /// Makes an RSA key pair of that many bits with that public exponent (odd, at least 3).
    pub rsa_generate: fn(usize, &[u8]) -> Result<rsa::KeyPair, Error>,
    /// Prepares an EC public key from a point, compressed or not.
    pub ec_public: fn(ec::Curve, &[u8]) -> Prepared<dyn ec::PublicKey>,
    /// Prepares an EC private key from a scalar, which may lack leading zeros.
    pub ec_private: fn(ec::Curve, &[u8]) -> Prepared<dyn ec::PrivateKey>,
    /// Makes an EC key pair.
    pub ec_generate: fn(ec::Curve) -> Result<ec::KeyPair, Error>,
    /// Prepares an Edwards public key.
    pub edwards_public: fn(edwards::Curve, &[u8]) -> Prepared<dyn edwards::PublicKey>,
    /// Prepares an Edwards private key from its seed.
    pub edwards_private: fn(edwards::Curve, &[u8]) -> Prepared<dyn edwards::PrivateKey>,
    /// Makes an Edwards key pair.
    pub edwards_generate: fn(edwards::Curve) -> Result<edwards::KeyPair, Error>,
    /// Prepares a Montgomery private key.
    pub montgomery_private: fn(montgomery::Curve, &[u8]) -> Prepared<dyn montgomery::PrivateKey>,
    /// Makes a Montgomery key pair.
    pub montgomery_generate: fn(montgomery::Curve) -> Result<montgomery::KeyPair, Error>,
    /// A power modulo an odd number: modulus, base (below it), exponent, each without leading zeros. As long as the
    /// modulus, and in a time that depends on lengths only.
    pub power: Power,
    /// Prepares a DSA public key from its group and value.
    pub dsa_public: fn(dsa::Group<'_>, &[u8]) -> Prepared<dyn dsa::PublicKey>,
    /// Prepares a DSA private key from its group and value.
    pub dsa_private: fn(dsa::Group<'_>, &[u8]) -> Prepared<dyn dsa::PrivateKey>,
    /// Fills a buffer with random bytes fit for keys.
    pub random: fn(&mut [u8]) -> Result<(), Error>,
}

/// The suite that the module uses: AWS-LC, RustCrypto where it is much faster, and RustCrypto alone in a
/// portable build. Of what AWS-LC lacks here
/// it is RustCrypto that does it.
#[cfg(feature = "awslc")]
pub static SUITE: Suite = Suite {
    name: "awslc",
    tdes: crate::backends::rustcrypto::SUITE.tdes,
    ec_public: overlay::ec_public,
    ec_private: overlay::ec_private,
    ec_generate: overlay::ec_generate,
    ..crate::backends::awslc::SUITE
};

/// The suite that the module uses.
#[cfg(not(feature = "awslc"))]
pub static SUITE: Suite = crate::backends::rustcrypto::SUITE;

/// The rows in which the two libraries share the work.
#[cfg(feature = "awslc")]
mod overlay {
    use super::{Error, Prepared, Suite, ec};
    use crate::backends::{awslc, rustcrypto};

    /// The better suite for a curve: AWS-LC has no arithmetic of its own for secp256k1, and is seven times
    /// slower there.
    fn of_curve(curve: ec::Curve) -> &'static Suite {
        match curve {
            ec::Curve::P224 | ec::Curve::P256 | ec::Curve::P384 | ec::Curve::P521 => &awslc::SUITE,
            ec::Curve::Secp256k1 => &rustcrypto::SUITE,
        }
    }

    pub(super) fn ec_public(curve: ec::Curve, point: &[u8]) -> Prepared<dyn ec::PublicKey> {
        (of_curve(curve).ec_public)(curve, point)
    }

    pub(super) fn ec_private(curve: ec::Curve, scalar: &[u8]) -> Prepared<dyn ec::PrivateKey> {
        (of_curve(curve).ec_private)(curve, scalar)
    }

    pub(super) fn ec_generate(curve: ec::Curve) -> Result<ec::KeyPair, Error> {
        (of_curve(curve).ec_generate)(curve)
    }
}
