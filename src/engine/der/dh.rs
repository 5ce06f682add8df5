//! Diffie-Hellman keys in DER (PKCS #3).

use crypto::Secret;
use der::{
    Decode, Encode, Sequence,
    asn1::{AnyRef, ObjectIdentifier, UintRef},
};
use pkcs8::PrivateKeyInfoRef;
use types::{AttributeType, ObjectClass, Value};

use super::{info, not_a_key, secret_der, too_long, wrapped};
use crate::{Error, key::prepare::dh_group, mechanism::Parts, object::Attributes};

/// `dhKeyAgreement` (PKCS #3, section 10).
const DH_KEY_AGREEMENT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.3.1");

/// PKCS #3, section 9.
#[derive(Sequence)]
struct Params<'a> {
    p: UintRef<'a>,
    g: UintRef<'a>,
    /// How many bits private values have: what somebody wished for, no part of a key.
    #[asn1(optional = "true")]
    private_bits: Option<u32>,
}

/// The parameters of a key; `None` if it lacks one.
fn params(attributes: &Attributes) -> Result<Option<Vec<u8>>, Error> {
    let Ok(group) = dh_group(attributes) else { return Ok(None) };
    let number = |bytes| UintRef::new(bytes).map_err(too_long);
    let params = Params { p: number(group.p)?, g: number(group.g)?, private_bits: None };
    params.to_der().map(Some).map_err(too_long)
}

pub(crate) fn public_info(attributes: &Attributes) -> Result<Option<Vec<u8>>, Error> {
    let (Some(params), Some(value)) = (params(attributes)?, attributes.bytes(AttributeType::VALUE)) else {
        return Ok(None);
    };
    let public = match attributes.class() {
        Some(ObjectClass::PRIVATE_KEY) => dh_group(attributes)?.private(value)?.public()?,
        _ => value.to_vec(),
    };
    let key = UintRef::new(&public).and_then(|number| number.to_der()).map_err(too_long)?;
    info(DH_KEY_AGREEMENT, Some(AnyRef::from_der(&params).map_err(too_long)?), &key).map(Some)
}

pub(crate) fn private_info(attributes: &Attributes) -> Result<Secret, Error> {
    let (Some(params), Some(value)) = (params(attributes)?, attributes.bytes(AttributeType::VALUE)) else {
        return Err(Error::KeyNotWrappable);
    };
    let key = secret_der(&UintRef::new(value).map_err(too_long)?)?;
    wrapped(DH_KEY_AGREEMENT, Some(AnyRef::from_der(&params).map_err(too_long)?), &key)
}

pub(crate) fn read(info: &PrivateKeyInfoRef<'_>) -> Result<Option<Parts>, Error> {
    if info.algorithm.oid != DH_KEY_AGREEMENT {
        return Ok(None);
    }
    let params: Params<'_> =
        info.algorithm.parameters.ok_or(Error::DomainParamsInvalid)?.decode_as().map_err(not_a_key)?;
    let value = UintRef::from_der(info.private_key.as_bytes()).map_err(not_a_key)?;
    let numbers = [(AttributeType::PRIME, params.p), (AttributeType::BASE, params.g), (AttributeType::VALUE, value)];
    Ok(Some(numbers.into_iter().map(|(name, number)| (name, Value::bytes(number.as_bytes()))).collect()))
}
