//! How a key is made ready from its object's attributes: one function for each kind of numbers.

use std::sync::OnceLock;

use crypto::{SUITE, Secret, dh, dsa, rsa};
use types::{AttributeType, KeyType};

use super::{Aes, Bytes, Material};
use crate::{Error, curve::Curve, object::Attributes};

/// # Errors
/// Those of [`Material::prepare`].
pub(super) type Prepare = fn(&Attributes) -> Result<Material, Error>;

/// An attribute without which there is no key.
fn part(attributes: &Attributes, name: AttributeType) -> Result<&[u8], Error> {
    attributes.bytes(name).ok_or(Error::Crypto(crypto::Error::KeyInvalid))
}

pub(super) fn aes(attributes: &Attributes) -> Result<Material, Error> {
    let value = part(attributes, AttributeType::VALUE)?;
    Ok(Material::Aes(Aes { key: (SUITE.aes)(value)?, cmac: OnceLock::new() }))
}

pub(super) fn tdes(attributes: &Attributes) -> Result<Material, Error> {
    Ok(Material::Tdes((SUITE.tdes)(part(attributes, AttributeType::VALUE)?)?))
}

pub(super) fn secret(attributes: &Attributes) -> Result<Material, Error> {
    let value = part(attributes, AttributeType::VALUE)?;
    Ok(Material::Secret(Bytes { value: Secret::new(value.to_vec()), hmac: Default::default() }))
}

pub(super) fn rsa_public(attributes: &Attributes) -> Result<Material, Error> {
    let n = part(attributes, AttributeType::MODULUS)?;
    let e = part(attributes, AttributeType::PUBLIC_EXPONENT)?;
    Ok(Material::RsaPublic((SUITE.rsa_public)(n, e)?))
}

pub(super) fn rsa_private(attributes: &Attributes) -> Result<Material, Error> {
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

pub(super) fn point(attributes: &Attributes) -> Result<Material, Error> {
    let curve = curve(attributes)?;
    let encoded = part(attributes, AttributeType::EC_POINT)?;
    let point = curve.point(encoded).ok_or(Error::Crypto(crypto::Error::KeyInvalid))?;
    Ok(match curve {
        Curve::Weierstrass(curve) => Material::EcPublic(curve, (SUITE.ec_public)(curve, point)?),
        Curve::Edwards(curve) => Material::EdwardsPublic(curve, (SUITE.edwards_public)(curve, point)?),
        Curve::Montgomery(_) => Material::MontgomeryPublic,
    })
}

pub(super) fn scalar(attributes: &Attributes) -> Result<Material, Error> {
    let value = part(attributes, AttributeType::VALUE)?;
    Ok(match curve(attributes)? {
        Curve::Weierstrass(curve) => Material::EcPrivate(curve, (SUITE.ec_private)(curve, value)?),
        Curve::Edwards(curve) => Material::EdwardsPrivate(curve, (SUITE.edwards_private)(curve, value)?),
        Curve::Montgomery(curve) => Material::MontgomeryPrivate(curve, (SUITE.montgomery_private)(curve, value)?),
    })
}

/// The curve of a key, which must be of the form that the type of key is for.
fn curve(attributes: &Attributes) -> Result<Curve, Error> {
    let curve = Curve::of(part(attributes, AttributeType::EC_PARAMS)?)?;
    let fits: Option<KeyType> = attributes.key_type();
    if fits == Some(curve.key_type()) { Ok(curve) } else { Err(Error::CurveNotSupported) }
}

/// The group of a Diffie-Hellman key.
pub(crate) fn dh_group(attributes: &Attributes) -> Result<dh::Group<'_>, Error> {
    Ok(dh::Group { p: part(attributes, AttributeType::PRIME)?, g: part(attributes, AttributeType::BASE)? })
}

pub(super) fn dh_public(attributes: &Attributes) -> Result<Material, Error> {
    dh_group(attributes)?.check_public(part(attributes, AttributeType::VALUE)?)?;
    Ok(Material::DhPublic)
}

pub(super) fn dh_private(attributes: &Attributes) -> Result<Material, Error> {
    let value = part(attributes, AttributeType::VALUE)?;
    Ok(Material::DhPrivate(dh_group(attributes)?.private(value)?))
}

/// The group of a DSA key.
pub(crate) fn dsa_group(attributes: &Attributes) -> Result<dsa::Group<'_>, Error> {
    Ok(dsa::Group {
        p: part(attributes, AttributeType::PRIME)?,
        q: part(attributes, AttributeType::SUBPRIME)?,
        g: part(attributes, AttributeType::BASE)?,
    })
}

pub(super) fn dsa_public(attributes: &Attributes) -> Result<Material, Error> {
    let value = part(attributes, AttributeType::VALUE)?;
    Ok(Material::DsaPublic((SUITE.dsa_public)(dsa_group(attributes)?, value)?))
}

pub(super) fn dsa_private(attributes: &Attributes) -> Result<Material, Error> {
    let value = part(attributes, AttributeType::VALUE)?;
    Ok(Material::DsaPrivate((SUITE.dsa_private)(dsa_group(attributes)?, value)?))
}
