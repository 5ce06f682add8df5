//! What an object is made of: brought into the one form in which it is kept, checked when it comes from
//! outside, and what follows from it computed.

use ::types::{AttributeType, CertificateType, KeyType, Value};
use crypto::{
    Error as Fault,
    tdes::{has_odd_parity, set_odd_parity},
};

use super::{Attributes, Origin, check_value};
use crate::{
    Error,
    curve::Curve,
    der,
    key::{Material, types},
};

/// Settles the parts of a new object that has all that it cannot be without.
pub(crate) type Settle = fn(&mut Attributes, Origin) -> Result<(), Error>;

/// For what means nothing here.
pub(super) fn nothing(_: &mut Attributes, _: Origin) -> Result<(), Error> {
    Ok(())
}

/// A certificate is kept as it is: what it says is between its programs. But it is one, and it is here, or it says where
/// it is and what it is the certificate of.
pub(super) fn certificate(attributes: &mut Attributes, _: Origin) -> Result<(), Error> {
    let given = |name| attributes.bytes(name).is_some_and(|bytes| !bytes.is_empty());
    if given(AttributeType::URL) {
        for name in [AttributeType::HASH_OF_SUBJECT_PUBLIC_KEY, AttributeType::HASH_OF_ISSUER_PUBLIC_KEY] {
            if !given(name) {
                return Err(Error::TemplateIncomplete(name));
            }
        }
    } else if !given(AttributeType::VALUE) {
        return Err(Error::AttributeValueInvalid(AttributeType::VALUE));
    }
    let kind = attributes.number(AttributeType::CERTIFICATE_TYPE).map(CertificateType);
    match attributes.bytes(AttributeType::VALUE) {
        Some(value) if !value.is_empty() => {
            if kind != Some(CertificateType::WTLS) && !der::is_certificate(value) {
                return Err(Error::AttributeValueInvalid(AttributeType::VALUE));
            }
            let computed = check_value::of_bytes(value)?;
            set_check_value(attributes, computed)
        }
        _ => {
            if !attributes.has(AttributeType::CHECK_VALUE) {
                attributes.set(AttributeType::CHECK_VALUE, Value::bytes([]));
            }
            Ok(())
        }
    }
}

pub(crate) fn secret(attributes: &mut Attributes, origin: Origin) -> Result<(), Error> {
    let key_type = attributes.key_type();
    let value = attributes.bytes(AttributeType::VALUE).unwrap_or_default();
    let len = value.len();
    let Some((lengths, check_value)) = key_type.and_then(types::secret) else {
        return Err(Error::Internal("a secret key of no type"));
    };
    if !lengths.allows(len) {
        return Err(match origin {
            Origin::Created | Origin::Adopted => Error::AttributeValueInvalid(AttributeType::VALUE),
            Origin::Unwrapped => Error::WrappedKeyLenRange,
            Origin::Generated(_) | Origin::Derived { .. } => Error::KeySizeRange,
        });
    }
    let computed = check_value(value)?;
    let len = u64::try_from(len).map_err(|_| Error::KeySizeRange)?;
    if attributes.number(AttributeType::VALUE_LEN).is_some_and(|said| said != len) {
        return Err(match origin {
            Origin::Unwrapped => Error::WrappedKeyLenRange,
            _ => Error::TemplateInconsistent("the key has another length"),
        });
    }
    attributes.set(AttributeType::VALUE_LEN, Value::Number(len));
    set_check_value(attributes, computed)
}

/// A Triple DES key has odd parity (PKCS#11, "DES3 secret key objects").
pub(crate) fn tdes(attributes: &mut Attributes, origin: Origin) -> Result<(), Error> {
    let value = attributes.bytes(AttributeType::VALUE).unwrap_or_default();
    if !has_odd_parity(value) {
        match origin {
            Origin::Created | Origin::Adopted => return Err(Error::AttributeValueInvalid(AttributeType::VALUE)),
            Origin::Unwrapped => return Err(Error::WrappedKeyInvalid),
            Origin::Generated(_) | Origin::Derived { .. } => {
                let mut odd = ::types::Buffer::new(value.to_vec());
                set_odd_parity(&mut odd);
                attributes.set(AttributeType::VALUE, Value::Bytes(odd.into()));
            }
        }
    }
    secret(attributes, origin)
}

pub(crate) fn rsa_public(attributes: &mut Attributes, origin: Origin) -> Result<(), Error> {
    for name in [AttributeType::MODULUS, AttributeType::PUBLIC_EXPONENT] {
        trim(attributes, name);
    }
    must_be_a_key(attributes, origin, AttributeType::MODULUS)?;
    let bits = bits(attributes.bytes(AttributeType::MODULUS).unwrap_or_default());
    if attributes.number(AttributeType::MODULUS_BITS).is_some_and(|said| said != bits) {
        return Err(Error::TemplateInconsistent("the modulus has another length"));
    }
    attributes.set(AttributeType::MODULUS_BITS, Value::Number(bits));
    set_public_key_info(attributes)
}

pub(crate) fn rsa_private(attributes: &mut Attributes, origin: Origin) -> Result<(), Error> {
    for name in [
        AttributeType::MODULUS,
        AttributeType::PUBLIC_EXPONENT,
        AttributeType::PRIVATE_EXPONENT,
        AttributeType::PRIME_1,
        AttributeType::PRIME_2,
        AttributeType::EXPONENT_1,
        AttributeType::EXPONENT_2,
        AttributeType::COEFFICIENT,
    ] {
        trim(attributes, name);
    }
    settle_primes(attributes)?;
    must_be_a_key(attributes, origin, AttributeType::PRIVATE_EXPONENT)?;
    set_public_key_info(attributes)
}

/// What makes a private RSA key fast, and what follows from it.
const PRIMES: [AttributeType; 5] = [
    AttributeType::PRIME_1,
    AttributeType::PRIME_2,
    AttributeType::EXPONENT_1,
    AttributeType::EXPONENT_2,
    AttributeType::COEFFICIENT,
];

/// Some of these parts are of no use: nobody computes with them, and nobody would notice what is wrong with them. So they
/// are all there, or none of them is.
fn settle_primes(attributes: &mut Attributes) -> Result<(), Error> {
    let part = |name| attributes.bytes(name).filter(|number| !number.is_empty());
    if let (Some(n), Some(p), Some(q)) =
        (part(AttributeType::MODULUS), part(AttributeType::PRIME_1), part(AttributeType::PRIME_2))
        && !is_product(n, p, q)
    {
        return Err(Error::AttributeValueInvalid(AttributeType::PRIME_1));
    }
    if !PRIMES.iter().all(|name| part(*name).is_some()) {
        for name in PRIMES {
            attributes.remove(name);
        }
    }
    Ok(())
}

/// Whether `n` is `p` times `q`, numbers without zeros in front.
fn is_product(n: &[u8], p: &[u8], q: &[u8]) -> bool {
    // What cannot be, costs nothing.
    let digits = p.len().saturating_add(q.len());
    if n.len() > crypto::rsa::MAX_BITS / 8 || digits < n.len() || digits > n.len() + 1 {
        return false;
    }
    let mut product = ::types::Buffer::new(vec![0; p.len() + q.len()]);
    for (shift, factor) in p.iter().rev().enumerate() {
        let mut carry = 0_u16;
        let others = q.iter().rev().chain(std::iter::once(&0));
        for (place, other) in product.iter_mut().rev().skip(shift).zip(others) {
            // At most 255 · 255 + 255 + 255, which is 65,535.
            let sum = u16::from(*factor) * u16::from(*other) + u16::from(*place) + carry;
            let [high, low] = sum.to_be_bytes();
            (*place, carry) = (low, u16::from(high));
        }
    }
    without_zeros(&product) == n
}

pub(crate) fn ec_public(attributes: &mut Attributes, origin: Origin) -> Result<(), Error> {
    let curve = curve(attributes)?;
    let point = attributes.bytes(AttributeType::EC_POINT).and_then(|point| curve.encode_point(point));
    let point = point.ok_or(Error::AttributeValueInvalid(AttributeType::EC_POINT))?;
    attributes.set(AttributeType::EC_POINT, Value::bytes(point));
    must_be_a_key(attributes, origin, AttributeType::EC_POINT)?;
    set_public_key_info(attributes)
}

pub(crate) fn ec_private(attributes: &mut Attributes, origin: Origin) -> Result<(), Error> {
    match curve(attributes)? {
        // As long as the order of the curve (SEC 1, C.4): that is what programs read that take the bytes as they are.
        Curve::Weierstrass(curve) => {
            trim(attributes, AttributeType::VALUE);
            fill(attributes, AttributeType::VALUE, curve.field_len());
        }
        // A string of bytes, least significant first, whatever the specification calls it.
        Curve::Edwards(_) | Curve::Montgomery(_) => {}
    }
    must_be_a_key(attributes, origin, AttributeType::VALUE)?;
    set_public_key_info(attributes)
}

/// What keys modulo a prime are made of.
const FINITE: [AttributeType; 4] =
    [AttributeType::PRIME, AttributeType::SUBPRIME, AttributeType::BASE, AttributeType::VALUE];

/// A Diffie-Hellman public key, and a DSA key of either half.
pub(crate) fn finite(attributes: &mut Attributes, origin: Origin) -> Result<(), Error> {
    for name in FINITE {
        trim(attributes, name);
    }
    must_be_a_key(attributes, origin, AttributeType::VALUE)?;
    set_public_key_info(attributes)
}

pub(crate) fn dh_private(attributes: &mut Attributes, origin: Origin) -> Result<(), Error> {
    finite(attributes, origin)?;
    let bits = bits(attributes.bytes(AttributeType::VALUE).unwrap_or_default());
    attributes.set(AttributeType::VALUE_BITS, Value::Number(bits));
    Ok(())
}

fn curve(attributes: &Attributes) -> Result<Curve, Error> {
    let params = attributes.bytes(AttributeType::EC_PARAMS).unwrap_or_default();
    let curve = Curve::of(params)?;
    let fits: Option<KeyType> = attributes.key_type();
    if fits == Some(curve.key_type()) { Ok(curve) } else { Err(Error::CurveNotSupported) }
}

/// Refuses numbers from outside that are no key. Those of other keys were made here, or were checked when
/// they were unwrapped.
fn must_be_a_key(attributes: &Attributes, origin: Origin, blamed: AttributeType) -> Result<(), Error> {
    if !matches!(origin, Origin::Created | Origin::Adopted) {
        return Ok(());
    }
    match Material::prepare(attributes) {
        Ok(_) => Ok(()),
        Err(Error::Crypto(fault @ (Fault::Fault | Fault::Unsupported))) => Err(fault.into()),
        Err(Error::Crypto(_)) => Err(Error::AttributeValueInvalid(blamed)),
        Err(other) => Err(other),
    }
}

/// Takes the zeros from the front of a number.
fn trim(attributes: &mut Attributes, name: AttributeType) {
    let trimmed = match attributes.bytes(name) {
        Some(number @ [0, ..]) => Value::bytes(without_zeros(number)),
        _ => return,
    };
    attributes.set(name, trimmed);
}

/// Puts zeros in front of a number.
fn fill(attributes: &mut Attributes, name: AttributeType, len: usize) {
    let number = attributes.bytes(name).unwrap_or_default();
    let Some(missing) = len.checked_sub(number.len()).filter(|missing| *missing > 0) else { return };
    let mut filled = ::types::Buffer::new(Vec::with_capacity(len));
    filled.resize(missing, 0);
    filled.extend_from_slice(number);
    attributes.set(name, Value::Bytes(filled.into()));
}

/// A number without the zeros in front.
pub(super) fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// How many bits a number without zeros in front has.
pub(crate) fn bits(number: &[u8]) -> u64 {
    let Some(first) = number.first() else { return 0 };
    let bytes = u64::try_from(number.len()).unwrap_or(u64::MAX);
    bytes.saturating_mul(8).saturating_sub(u64::from(first.leading_zeros()))
}

/// An empty one stays empty: the caller wants none. Any other must be right.
fn set_check_value(attributes: &mut Attributes, computed: [u8; check_value::LEN]) -> Result<(), Error> {
    match attributes.bytes(AttributeType::CHECK_VALUE) {
        Some(said) if said.is_empty() || said == computed => Ok(()),
        Some(_) => Err(Error::AttributeValueInvalid(AttributeType::CHECK_VALUE)),
        None => {
            attributes.set(AttributeType::CHECK_VALUE, Value::bytes(computed));
            Ok(())
        }
    }
}

/// An empty one is none said. Any other must be right.
fn set_public_key_info(attributes: &mut Attributes) -> Result<(), Error> {
    let computed = der::public_key_info(attributes)?;
    match attributes.bytes(AttributeType::PUBLIC_KEY_INFO) {
        Some(said) if !said.is_empty() && computed.as_deref() != Some(said) => {
            return Err(Error::AttributeValueInvalid(AttributeType::PUBLIC_KEY_INFO));
        }
        _ => {}
    }
    attributes.set(AttributeType::PUBLIC_KEY_INFO, Value::bytes(computed.unwrap_or_default()));
    Ok(())
}
