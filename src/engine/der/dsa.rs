//! DSA keys in DER (RFC 3279).

use crypto::Secret;
use der::{
    Decode, Encode, Sequence,
    asn1::{AnyRef, ObjectIdentifier, UintRef},
};
use pkcs8::PrivateKeyInfoRef;
use types::{AttributeType, ObjectClass, Value};

use super::{info, not_a_key, secret_der, too_long, wrapped};
use crate::{Error, key::prepare::dsa_group, mechanism::Parts, object::Attributes};

/// RFC 3279, 2.3.2.
const ID_DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");

/// RFC 3279, 2.3.2.
#[derive(Sequence)]
struct Params<'a> {
    p: UintRef<'a>,
    q: UintRef<'a>,
    g: UintRef<'a>,
}

/// The parameters of a key; `None` if it lacks one.
fn params(attributes: &Attributes) -> Result<Option<Vec<u8>>, Error> {
    let Ok(group) = dsa_group(attributes) else { return Ok(None) };
    let number = |bytes| UintRef::new(bytes).map_err(too_long);
    let params = Params { p: number(group.p)?, q: number(group.q)?, g: number(group.g)? };
    params.to_der().map(Some).map_err(too_long)
}

pub(crate) fn public_info(attributes: &Attributes) -> Result<Option<Vec<u8>>, Error> {
    let (Some(params), Some(value)) = (params(attributes)?, attributes.bytes(AttributeType::VALUE)) else {
        return Ok(None);
    };
    let public = match attributes.class() {
        Some(ObjectClass::PRIVATE_KEY) => dsa_group(attributes)?.public(value)?,
        _ => value.to_vec(),
    };
    let key = UintRef::new(&public).and_then(|number| number.to_der()).map_err(too_long)?;
    info(ID_DSA, Some(AnyRef::from_der(&params).map_err(too_long)?), &key).map(Some)
}

pub(crate) fn private_info(attributes: &Attributes) -> Result<Secret, Error> {
    let (Some(params), Some(value)) = (params(attributes)?, attributes.bytes(AttributeType::VALUE)) else {
        return Err(Error::KeyNotWrappable);
    };
    let key = secret_der(&UintRef::new(value).map_err(too_long)?)?;
    wrapped(ID_DSA, Some(AnyRef::from_der(&params).map_err(too_long)?), &key)
}

pub(crate) fn read(info: &PrivateKeyInfoRef<'_>) -> Result<Option<Parts>, Error> {
    if info.algorithm.oid != ID_DSA {
        return Ok(None);
    }
    let params: Params<'_> =
        info.algorithm.parameters.ok_or(Error::DomainParamsInvalid)?.decode_as().map_err(not_a_key)?;
    let value = UintRef::from_der(info.private_key.as_bytes()).map_err(not_a_key)?;
    let numbers = [
        (AttributeType::PRIME, params.p),
        (AttributeType::SUBPRIME, params.q),
        (AttributeType::BASE, params.g),
        (AttributeType::VALUE, value),
    ];
    Ok(Some(numbers.into_iter().map(|(name, number)| (name, Value::bytes(number.as_bytes()))).collect()))
}
