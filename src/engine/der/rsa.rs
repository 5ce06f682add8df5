//! RSA keys in DER (RFC 8017).

use crypto::Secret;
use der::{
    Decode, Encode, Sequence,
    asn1::{Null, ObjectIdentifier, UintRef},
};
use pkcs8::PrivateKeyInfoRef;
use types::{AttributeType, Value};

use super::{info, not_a_key, secret_der, too_long, wrapped};
use crate::{Error, mechanism::Parts, object::Attributes};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// RFC 8017, A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    n: UintRef<'a>,
    e: UintRef<'a>,
}

/// RFC 8017, A.1.2, of two primes.
#[derive(Sequence)]
struct RsaPrivateKey<'a> {
    version: u8,
    n: UintRef<'a>,
    e: UintRef<'a>,
    d: UintRef<'a>,
    p: UintRef<'a>,
    q: UintRef<'a>,
    dp: UintRef<'a>,
    dq: UintRef<'a>,
    qinv: UintRef<'a>,
}

pub(crate) fn public_info(attributes: &Attributes) -> Result<Option<Vec<u8>>, Error> {
    let number = |name| attributes.bytes(name).filter(|number| !number.is_empty());
    let (Some(n), Some(e)) = (number(AttributeType::MODULUS), number(AttributeType::PUBLIC_EXPONENT)) else {
        return Ok(None);
    };
    let key = (|| RsaPublicKey { n: UintRef::new(n)?, e: UintRef::new(e)? }.to_der())().map_err(too_long)?;
    info(RSA_ENCRYPTION, Some(Null.into()), &key).map(Some)
}

pub(crate) fn private_info(attributes: &Attributes) -> Result<Secret, Error> {
    let number = |name| {
        let number = attributes.bytes(name).filter(|number| !number.is_empty());
        UintRef::new(number.ok_or(Error::KeyNotWrappable)?).map_err(too_long)
    };
    let key = RsaPrivateKey {
        version: 0,
        n: number(AttributeType::MODULUS)?,
        e: number(AttributeType::PUBLIC_EXPONENT)?,
        d: number(AttributeType::PRIVATE_EXPONENT)?,
        p: number(AttributeType::PRIME_1)?,
        q: number(AttributeType::PRIME_2)?,
        dp: number(AttributeType::EXPONENT_1)?,
        dq: number(AttributeType::EXPONENT_2)?,
        qinv: number(AttributeType::COEFFICIENT)?,
    };
    wrapped(RSA_ENCRYPTION, Some(Null.into()), &secret_der(&key)?)
}

pub(crate) fn read(info: &PrivateKeyInfoRef<'_>) -> Result<Option<Parts>, Error> {
    if info.algorithm.oid != RSA_ENCRYPTION {
        return Ok(None);
    }
    info.algorithm.parameters.map_or(Ok(()), |any| any.decode_as::<Null>().map(|_| ())).map_err(not_a_key)?;
    parts(info.private_key.as_bytes()).map(Some)
}

fn parts(key: &[u8]) -> Result<Parts, Error> {
    let key = RsaPrivateKey::from_der(key).map_err(not_a_key)?;
    let RsaPrivateKey { version: 0, n, e, d, p, q, dp, dq, qinv } = key else {
        return Err(Error::WrappedKeyInvalid);
    };
    let numbers = [
        (AttributeType::MODULUS, n),
        (AttributeType::PUBLIC_EXPONENT, e),
        (AttributeType::PRIVATE_EXPONENT, d),
        (AttributeType::PRIME_1, p),
        (AttributeType::PRIME_2, q),
        (AttributeType::EXPONENT_1, dp),
        (AttributeType::EXPONENT_2, dq),
        (AttributeType::COEFFICIENT, qinv),
    ];
    Ok(numbers.into_iter().map(|(name, number)| (name, Value::bytes(number.as_bytes()))).collect())
}
