pub(crate) mod strength;

use std::sync::{Arc, OnceLock};

use crypto::{Hash, SUITE, Secret, aes::AesKey, ec, edwards, mac::MacKey, montgomery, rsa};
use types::{AttributeType, KeyType, ObjectClass};

use crate::{Error, curve::Curve, object::Attributes};

/// A key that is ready to compute with.
pub(crate) enum Material {
    /// An AES key.
    Aes(Aes),
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
    /// [`Curve::of`].
    pub(crate) fn prepare(attributes: &Attributes) -> Result<Self, Error> {
        let (Some(class), Some(key_type)) = (attributes.class(), attributes.key_type()) else {
            return Ok(Self::None);
        };
        match (class, key_type) {
            (ObjectClass::SECRET_KEY, KeyType::AES) => aes(attributes),
            (ObjectClass::SECRET_KEY, other) if Lengths::of(other).is_some() => secret(attributes),
            (ObjectClass::PUBLIC_KEY, KeyType::RSA) => rsa_public(attributes),
            (ObjectClass::PRIVATE_KEY, KeyType::RSA) => rsa_private(attributes),
            (ObjectClass::PUBLIC_KEY, KeyType::EC | KeyType::EC_EDWARDS | KeyType::EC_MONTGOMERY) => {
                point(key_type, attributes)
            }
            (ObjectClass::PRIVATE_KEY, KeyType::EC | KeyType::EC_EDWARDS | KeyType::EC_MONTGOMERY) => {
                scalar(key_type, attributes)
            }
            _ => Ok(Self::None),
        }
    }

    pub(crate) fn aes(&self) -> Result<&Aes, Error> {
        match self {
            Self::Aes(key) => Ok(key),
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
        match key_type {
            KeyType::AES => Some(Self::OneOf(&[16, 24, 32])),
            KeyType::GENERIC_SECRET
            | KeyType::SHA_1_HMAC
            | KeyType::SHA224_HMAC
            | KeyType::SHA256_HMAC
            | KeyType::SHA384_HMAC
            | KeyType::SHA512_HMAC => Some(Self::UpTo(MAX_SECRET_LEN)),
            _ => None,
        }
    }

    pub(crate) fn allows(self, len: usize) -> bool {
        match self {
            Self::OneOf(lengths) => lengths.contains(&len),
            Self::UpTo(most) => (1..=most).contains(&len),
        }
    }

    /// The length that a template asks for (CKA_VALUE_LEN), if it does.
    ///
    /// # Errors
    /// [`Error::AttributeValueInvalid`] if no key of the type has it.
    pub(crate) fn wanted(self, template: &Attributes) -> Result<Option<usize>, Error> {
        let Some(len) = template.number(AttributeType::VALUE_LEN) else { return Ok(None) };
        match usize::try_from(len) {
            Ok(len) if self.allows(len) => Ok(Some(len)),
            _ => Err(Error::AttributeValueInvalid(AttributeType::VALUE_LEN)),
        }
    }
}

/// An attribute without which there is no key.
fn part(attributes: &Attributes, name: AttributeType) -> Result<&[u8], Error> {
    attributes.bytes(name).ok_or(Error::Crypto(crypto::Error::KeyInvalid))
}

fn aes(attributes: &Attributes) -> Result<Material, Error> {
    let value = part(attributes, AttributeType::VALUE)?;
    Ok(Material::Aes(Aes { key: (SUITE.aes)(value)?, cmac: OnceLock::new() }))
}

fn secret(attributes: &Attributes) -> Result<Material, Error> {
    let value = part(attributes, AttributeType::VALUE)?;
    Ok(Material::Secret(Bytes { value: Secret::new(value.to_vec()), hmac: Default::default() }))
}

fn rsa_public(attributes: &Attributes) -> Result<Material, Error> {
    let n = part(attributes, AttributeType::MODULUS)?;
    let e = part(attributes, AttributeType::PUBLIC_EXPONENT)?;
    Ok(Material::RsaPublic((SUITE.rsa_public)(n, e)?))
}

fn rsa_private(attributes: &Attributes) -> Result<Material, Error> {
    let number = |name| attributes.bytes(name).filter(|number| !number.is_empty());
    // What makes it fast is all there or of no use.
    let crt = || {
        Some(rsa::CrtParts {
            p: number(AttributeType::PRIME_1)?,
            q: number(AttributeType::PRIME_2)?,
            dp: number(AttributeType::EXPONENT_1)?,
            dq: number(AttributeType::EXPONENT_2)?,
            qinv: number(AttributeType::COEFFICIENT)?,
        })
    };
    let parts = rsa::PrivateParts {
        n: part(attributes, AttributeType::MODULUS)?,
        e: number(AttributeType::PUBLIC_EXPONENT).unwrap_or_default(),
        d: part(attributes, AttributeType::PRIVATE_EXPONENT)?,
        crt: crt(),
    };
    Ok(Material::RsaPrivate((SUITE.rsa_private)(parts)?))
}

fn point(key_type: KeyType, attributes: &Attributes) -> Result<Material, Error> {
    let curve = curve(key_type, attributes)?;
    let encoded = part(attributes, AttributeType::EC_POINT)?;
    let point = curve.point(encoded).ok_or(Error::Crypto(crypto::Error::KeyInvalid))?;
    Ok(match curve {
        Curve::Weierstrass(curve) => Material::EcPublic(curve, (SUITE.ec_public)(curve, point)?),
        Curve::Edwards(curve) => Material::EdwardsPublic(curve, (SUITE.edwards_public)(curve, point)?),
        Curve::Montgomery(_) => Material::MontgomeryPublic,
    })
}

fn scalar(key_type: KeyType, attributes: &Attributes) -> Result<Material, Error> {
    let value = part(attributes, AttributeType::VALUE)?;
    Ok(match curve(key_type, attributes)? {
        Curve::Weierstrass(curve) => Material::EcPrivate(curve, (SUITE.ec_private)(curve, value)?),
        Curve::Edwards(curve) => Material::EdwardsPrivate(curve, (SUITE.edwards_private)(curve, value)?),
        Curve::Montgomery(curve) => Material::MontgomeryPrivate(curve, (SUITE.montgomery_private)(curve, value)?),
    })
}

/// The curve of a key, which must be of the form that the type of key is for.
fn curve(key_type: KeyType, attributes: &Attributes) -> Result<Curve, Error> {
    let curve = Curve::of(part(attributes, AttributeType::EC_PARAMS)?)?;
    if curve.key_type() == key_type { Ok(curve) } else { Err(Error::CurveNotSupported) }
}
