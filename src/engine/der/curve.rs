//! Keys of elliptic curves in DER (RFC 5915, RFC 8410).

use crypto::{Error as Fault, SUITE, Secret};
use der::{
    Decode, Encode, Sequence,
    asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef},
};
use pkcs8::PrivateKeyInfoRef;
use types::{AttributeType, ObjectClass, Value};

use super::{info, not_a_key, secret_der, too_long, wrapped};
use crate::{Error, curve::Curve, mechanism::Parts, object::Attributes};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// RFC 5915, section 3. The curve is named outside of it; a name inside is no more than allowed.
#[derive(Sequence)]
struct EcPrivateKey<'a> {
    version: u8,
    scalar: &'a OctetStringRef,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    params: Option<AnyRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    point: Option<BitStringRef<'a>>,
}

pub(crate) fn public_info(attributes: &Attributes) -> Result<Option<Vec<u8>>, Error> {
    let secret = attributes.class() == Some(ObjectClass::PRIVATE_KEY);
    let name = if secret { AttributeType::VALUE } else { AttributeType::EC_POINT };
    let (Some(params), Some(bytes)) = (attributes.bytes(AttributeType::EC_PARAMS), attributes.bytes(name)) else {
        return Ok(None);
    };
    let curve = Curve::of(params)?;
    let point = if secret {
        public_point(curve, bytes)?
    } else {
        curve.point(bytes).ok_or(Error::Crypto(Fault::KeyInvalid))?.to_vec()
    };
    let oid = curve.oid()?;
    match curve {
        Curve::Weierstrass(_) => info(EC_PUBLIC_KEY, Some((&oid).into()), &point),
        Curve::Edwards(_) | Curve::Montgomery(_) => info(oid, None, &point),
    }
    .map(Some)
}

/// The public point that belongs to a private value.
fn public_point(curve: Curve, value: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(match curve {
        Curve::Weierstrass(curve) => (SUITE.ec_private)(curve, value)?.point(),
        Curve::Edwards(curve) => (SUITE.edwards_private)(curve, value)?.public(),
        Curve::Montgomery(curve) => (SUITE.montgomery_private)(curve, value)?.public(),
    })
}

pub(crate) fn private_info(attributes: &Attributes) -> Result<Secret, Error> {
    let part = |name| attributes.bytes(name).ok_or(Error::KeyNotWrappable);
    let curve = Curve::of(part(AttributeType::EC_PARAMS)?)?;
    let value = part(AttributeType::VALUE)?;
    let oid = curve.oid()?;
    match curve {
        Curve::Weierstrass(weierstrass) => {
            // The scalar has the length of the field, whatever the attribute's (RFC 5915, section 3).
            let zeros = weierstrass.field_len().saturating_sub(value.len());
            let mut scalar = Secret::new(Vec::with_capacity(zeros + value.len()));
            scalar.resize(zeros, 0);
            scalar.extend_from_slice(value);
            let point = public_point(curve, value)?;
            let key = EcPrivateKey {
                version: 1,
                scalar: OctetStringRef::new(&scalar).map_err(too_long)?,
                params: None,
                point: Some(BitStringRef::from_bytes(&point).map_err(too_long)?),
            };
            wrapped(EC_PUBLIC_KEY, Some((&oid).into()), &secret_der(&key)?)
        }
        // CurvePrivateKey (RFC 8410, section 7).
        Curve::Edwards(_) | Curve::Montgomery(_) => {
            let key = secret_der(&OctetStringRef::new(value).map_err(too_long)?)?;
            wrapped(oid, None, &key)
        }
    }
}

/// A key of a short Weierstrass curve.
pub(crate) fn read(info: &PrivateKeyInfoRef<'_>) -> Result<Option<Parts>, Error> {
    if info.algorithm.oid != EC_PUBLIC_KEY {
        return Ok(None);
    }
    let params = info.algorithm.parameters.ok_or(Error::DomainParamsInvalid)?;
    match Curve::of(&params.to_der().map_err(not_a_key)?)? {
        curve @ Curve::Weierstrass(_) => ec_parts(curve, info).map(Some),
        Curve::Edwards(_) | Curve::Montgomery(_) => Err(Error::CurveNotSupported),
    }
}

/// A key of an Edwards curve.
pub(crate) fn read_edwards(info: &PrivateKeyInfoRef<'_>) -> Result<Option<Parts>, Error> {
    match Curve::of_oid(info.algorithm.oid) {
        Ok(curve @ Curve::Edwards(_)) => string_parts(curve, info).map(Some),
        _ => Ok(None),
    }
}

/// A key of a Montgomery curve.
pub(crate) fn read_montgomery(info: &PrivateKeyInfoRef<'_>) -> Result<Option<Parts>, Error> {
    match Curve::of_oid(info.algorithm.oid) {
        Ok(curve @ Curve::Montgomery(_)) => string_parts(curve, info).map(Some),
        _ => Ok(None),
    }
}

/// CurvePrivateKey (RFC 8410, section 7).
fn string_parts(curve: Curve, info: &PrivateKeyInfoRef<'_>) -> Result<Parts, Error> {
    if info.algorithm.parameters.is_some() {
        return Err(Error::WrappedKeyInvalid);
    }
    let value = <&OctetStringRef>::from_der(info.private_key.as_bytes()).map_err(not_a_key)?;
    curve_parts(curve, value.as_bytes(), &[info.public_key])
}

fn ec_parts(curve: Curve, info: &PrivateKeyInfoRef<'_>) -> Result<Parts, Error> {
    let key = EcPrivateKey::from_der(info.private_key.as_bytes()).map_err(not_a_key)?;
    let EcPrivateKey { version, scalar, params, point } = key;
    if version != 1 {
        return Err(Error::WrappedKeyInvalid);
    }
    // Who names the curve twice has to name the same.
    if let Some(params) = params
        && Curve::of(&params.to_der().map_err(not_a_key)?) != Ok(curve)
    {
        return Err(Error::WrappedKeyInvalid);
    }
    curve_parts(curve, scalar.as_bytes(), &[point, info.public_key])
}

/// What is told of a public key must be what belongs to the private value.
fn curve_parts(curve: Curve, value: &[u8], told: &[Option<BitStringRef<'_>>]) -> Result<Parts, Error> {
    for told in told.iter().flatten() {
        let told = told.as_bytes().ok_or(Error::WrappedKeyInvalid)?;
        let point = public_point(curve, value).map_err(|_| Error::WrappedKeyInvalid)?;
        if told != point && Some(told) != compressed(&point).as_deref() {
            return Err(Error::WrappedKeyInvalid);
        }
    }
    Ok(vec![(AttributeType::EC_PARAMS, Value::bytes(curve.params()?)), (AttributeType::VALUE, Value::bytes(value))])
}

/// An uncompressed point in compressed form (SEC 1, 2.3.3).
fn compressed(point: &[u8]) -> Option<Vec<u8>> {
    let (4, coordinates) = point.split_first().map(|(form, rest)| (*form, rest))? else { return None };
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    let mut compressed = vec![2 + (y.last()? & 1)];
    compressed.extend_from_slice(x);
    Some(compressed)
}
