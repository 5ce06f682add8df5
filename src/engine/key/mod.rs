pub(crate) mod prepare;
pub(crate) mod strength;
pub(crate) mod types;

use std::sync::{Arc, OnceLock};

use ::types::{AttributeType, KeyType};
use crypto::{Hash, SUITE, Secret, aes::AesKey, dh, dsa, ec, edwards, mac::MacKey, montgomery, rsa, tdes::TdesKey};

use crate::{Error, object::Attributes};

use self::types::Keys;

/// A key that is ready to compute with.
pub(crate) enum Material {
    /// An AES key.
    Aes(Aes),
    /// A Triple DES key.
    Tdes(Arc<dyn TdesKey>),
    /// Bytes for HMAC, or to derive from.
    Secret(Bytes),
    /// An RSA public key.
    RsaPublic(Arc<dyn rsa::PublicKey>),
    /// An RSA private key.
    RsaPrivate(Arc<dyn rsa::PrivateKey>),
    /// A point of a short Weierstrass curve.
    EcPublic(ec::Curve, Arc<dyn ec::PublicKey>),
    /// A scalar for a short Weierstrass curve.
    EcPrivate(ec::Curve, Arc<dyn ec::PrivateKey>),
    /// An EdDSA public key.
    EdwardsPublic(edwards::Curve, Arc<dyn edwards::PublicKey>),
    /// An EdDSA private key.
    EdwardsPrivate(edwards::Curve, Arc<dyn edwards::PrivateKey>),
    /// The public key of a Montgomery curve. It is only ever the other side of an agreement, which names
    /// it by its bytes; all that can be wrong with it is its length.
    MontgomeryPublic,
    /// The private key of a Montgomery curve.
    MontgomeryPrivate(montgomery::Curve, Arc<dyn montgomery::PrivateKey>),
    /// A Diffie-Hellman public key. As that of a Montgomery curve, it is only ever the other side of an agreement.
    DhPublic,
    /// A Diffie-Hellman private key.
    DhPrivate(Arc<dh::PrivateKey>),
    /// A DSA public key.
    DsaPublic(Arc<dyn dsa::PublicKey>),
    /// A DSA private key.
    DsaPrivate(Arc<dyn dsa::PrivateKey>),
    /// Nothing here computes with such an object.
    None,
}

/// An AES key, for each of the ways to use it.
pub(crate) struct Aes {
    key: Arc<dyn AesKey>,
    cmac: OnceLock<Arc<dyn MacKey>>,
}

/// A secret key without an algorithm of its own.
pub(crate) struct Bytes {
    value: Secret,
    /// One for each of [`Hash::ALL`].
    hmac: [OnceLock<Arc<dyn MacKey>>; Hash::ALL.len()],
}

/// Which lengths in bytes the secret keys of a type have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lengths {
    /// One of these, in ascending order.
    OneOf(&'static [usize]),
    /// Any from one byte to this.
    UpTo(usize),
}

/// The longest secret key that is made, taken in or derived, in bytes. The specification has no limit, but
/// a length that a template names must not exhaust the host's memory.
pub(crate) const MAX_SECRET_LEN: usize = 1 << 20;

impl Material {
    /// Makes a key ready from its object's attributes.
    ///
    /// # Errors
    /// [`crypto::Error::KeyInvalid`] if attributes are missing or their numbers are no key,
    /// [`crypto::Error::KeySize`] if the key is too small or too large to be used, and those of
    /// [`crate::curve::Curve::of`].
    pub(crate) fn prepare(attributes: &Attributes) -> Result<Self, Error> {
        match types::half_of(attributes) {
            Some(half) => (half.prepare)(attributes),
            None => Ok(Self::None),
        }
    }

    pub(crate) fn aes(&self) -> Result<&Aes, Error> {
        match self {
            Self::Aes(key) => Ok(key),
            _ => Err(Error::KeyTypeInconsistent),
        }
    }

    pub(crate) fn tdes(&self) -> Result<&Arc<dyn TdesKey>, Error> {
        match self {
            Self::Tdes(key) => Ok(key),
            _ => Err(Error::KeyTypeInconsistent),
        }
    }

    pub(crate) fn secret(&self) -> Result<&Bytes, Error> {
        match self {
            Self::Secret(key) => Ok(key),
            _ => Err(Error::KeyTypeInconsistent),
        }
    }

    pub(crate) fn rsa_public(&self) -> Result<&Arc<dyn rsa::PublicKey>, Error> {
        match self {
            Self::RsaPublic(key) => Ok(key),
            _ => Err(Error::KeyTypeInconsistent),
        }
    }

    pub(crate) fn rsa_private(&self) -> Result<&Arc<dyn rsa::PrivateKey>, Error> {
        match self {
            Self::RsaPrivate(key) => Ok(key),
            _ => Err(Error::KeyTypeInconsistent),
        }
    }
}

impl Aes {
    pub(crate) fn key(&self) -> &Arc<dyn AesKey> {
        &self.key
    }

    /// The key for CMAC; its subkeys are computed at first use.
    pub(crate) fn cmac(&self) -> &Arc<dyn MacKey> {
        self.cmac.get_or_init(|| self.key.cmac())
    }
}

impl Bytes {
    /// The key for HMAC with this hash; what depends on the key alone is computed at first use.
    pub(crate) fn hmac(&self, hash: Hash) -> Result<Arc<dyn MacKey>, Error> {
        let make = || (SUITE.hmac)(hash, &self.value).map_err(Error::Crypto);
        let index = Hash::ALL.iter().position(|known| *known == hash);
        let Some(cell) = index.and_then(|index| self.hmac.get(index)) else { return make() };
        match cell.get() {
            Some(key) => Ok(Arc::clone(key)),
            None => {
                // Two threads may both make it; either one will do.
                let key = make()?;
                Ok(Arc::clone(cell.get_or_init(|| key)))
            }
        }
    }
}

impl Lengths {
    /// Those of a type of secret key; `None` for types that are not offered.
    pub(crate) fn of(key_type: KeyType) -> Option<Self> {
        match types::find(key_type)?.keys {
            Keys::Secret { lengths, .. } => Some(lengths),
            Keys::Pair { .. } => None,
        }
    }

    pub(crate) fn allows(self, len: usize) -> bool {
        match self {
            Self::OneOf(lengths) => lengths.contains(&len),
            Self::UpTo(most) => (1..=most).contains(&len),
        }
    }

    /// The length that a template asks for (CKA_VALUE_LEN), if it does or if there is only one.
    ///
    /// # Errors
    /// [`Error::AttributeValueInvalid`] if no key of the type has it.
    pub(crate) fn wanted(self, template: &Attributes) -> Result<Option<usize>, Error> {
        let Some(len) = template.number(AttributeType::VALUE_LEN) else {
            return Ok(match self {
                Self::OneOf([only]) => Some(*only),
                Self::OneOf(_) | Self::UpTo(_) => None,
            });
        };
        match usize::try_from(len) {
            Ok(len) if self.allows(len) => Ok(Some(len)),
            _ => Err(Error::AttributeValueInvalid(AttributeType::VALUE_LEN)),
        }
    }
}
