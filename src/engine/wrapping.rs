//! Keys on their way out and in: what is wrapped of a key, and which key was unwrapped.

use crypto::{Hash, SUITE, Secret, room};
use der::{Encode, Header, SliceReader};
use types::{AttributeType, KeyType, ObjectClass, Value};

use crate::{
    Error, der as keys,
    key::{Lengths, Material},
    mechanism::{Mechanism, Parts},
    object::{Attributes, Object, ObjectBuilder},
};

/// How an unwrapped key lies in what an unwrapping gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// It is all of it.
    None,
    /// Zeros follow it, up to a whole number of blocks of so many bytes.
    Zeros(usize),
    /// It is all of it; but where the ciphertext was not made by a wrapping, there is noise of any length
    /// instead, and nobody may learn that (implicit rejection).
    Concealed,
}

/// What is wrapped of a key: the value of a secret key, the PKCS#8 of a private one.
///
/// # Errors
/// [`Error::KeyNotWrappable`] if the mechanism does not wrap such keys.
pub(crate) fn to_wrap(key: &Object, row: &Mechanism) -> Result<Secret, Error> {
    let attributes = &key.attributes;
    match attributes.class().filter(|class| row.wraps.contains(class)) {
        Some(ObjectClass::SECRET_KEY) => {
            let value = attributes.bytes(AttributeType::VALUE).ok_or(Error::KeyNotWrappable)?;
            Ok(room::copy(value)?)
        }
        Some(ObjectClass::PRIVATE_KEY) => keys::private_key_info(attributes),
        _ => Err(Error::KeyNotWrappable),
    }
}

/// The attributes of the key that was unwrapped: its value, or what is in its PKCS#8. Its class and type
/// are the builder's.
///
/// # Errors
/// [`Error::WrappedKeyLenRange`] if its length contradicts the builder, [`Error::WrappedKeyInvalid`] if it is
/// no private key of that type, [`Error::TemplateIncomplete`] if nothing says how long it is.
pub(crate) fn from_wrapped(plain: &[u8], builder: &ObjectBuilder, row: &Mechanism) -> Result<Parts, Error> {
    let template = builder.attributes();
    let class = template.class().ok_or(Error::TemplateIncomplete(AttributeType::CLASS))?;
    let key_type = template.key_type().ok_or(Error::TemplateIncomplete(AttributeType::KEY_TYPE))?;
    match class {
        _ if !row.wraps.contains(&class) => {
            Err(Error::TemplateInconsistent("the mechanism does not unwrap keys of this class"))
        }
        ObjectClass::PRIVATE_KEY => private_key(plain, key_type, row.padding),
        _ => {
            let value = secret_key(plain, key_type, template, row.padding)?;
            Ok(vec![(AttributeType::VALUE, Value::Bytes(value.into()))])
        }
    }
}

/// Whether what was unwrapped as a secret key is the PKCS#8 of a private one.
pub(crate) fn is_disguised(plain: &[u8], builder: &ObjectBuilder) -> bool {
    builder.attributes().class() == Some(ObjectClass::SECRET_KEY)
        && without_zeros(plain).is_some_and(|info| keys::from_private_key_info(info).is_ok())
}

fn private_key(plain: &[u8], key_type: KeyType, padding: Padding) -> Result<Parts, Error> {
    let info = match padding {
        Padding::Zeros(_) => without_zeros(plain).ok_or(Error::WrappedKeyInvalid)?,
        Padding::None | Padding::Concealed => plain,
    };
    let (found, parts) = keys::from_private_key_info(info)?;
    if found != key_type {
        return Err(Error::WrappedKeyInvalid);
    }
    must_be_a_key(&parts, key_type)?;
    Ok(parts)
}

/// What stands before zeros. They cannot just be cut off: the last byte of a key may be one.
fn without_zeros(plain: &[u8]) -> Option<&[u8]> {
    let header = Header::peek(&SliceReader::new(plain).ok()?).ok()?;
    let len = (header.encoded_len().ok()? + header.length()).ok()?;
    let (info, rest) = plain.split_at_checked(usize::try_from(len).ok()?)?;
    rest.iter().all(|byte| *byte == 0).then_some(info)
}

/// Numbers that are no key never become an object.
fn must_be_a_key(parts: &Parts, key_type: KeyType) -> Result<(), Error> {
    let mut attributes: Attributes = parts.iter().map(|(name, value)| (*name, value.duplicate())).collect();
    attributes.set(AttributeType::CLASS, Value::Number(ObjectClass::PRIVATE_KEY.0));
    attributes.set(AttributeType::KEY_TYPE, Value::Number(key_type.0));
    match Material::prepare(&attributes) {
        Ok(_) => Ok(()),
        Err(Error::Crypto(crypto::Error::KeyInvalid | crypto::Error::KeySize)) => Err(Error::WrappedKeyInvalid),
        Err(other) => Err(other),
    }
}

fn secret_key(plain: &[u8], key_type: KeyType, template: &Attributes, padding: Padding) -> Result<Secret, Error> {
    let lengths = Lengths::of(key_type).ok_or(Error::TemplateInconsistent("such a key cannot be unwrapped"))?;
    // A length that no such key has contradicts what was wrapped, too.
    let wanted = lengths.wanted(template).map_err(|_| Error::WrappedKeyLenRange)?;
    let value = match padding {
        Padding::None => whole(plain, lengths, wanted),
        Padding::Zeros(block) => before_zeros(plain, lengths, wanted, block),
        Padding::Concealed => return concealed(plain, lengths, wanted),
    }?;
    Ok(room::copy(value)?)
}

fn whole(plain: &[u8], lengths: Lengths, wanted: Option<usize>) -> Result<&[u8], Error> {
    if lengths.allows(plain.len()) && wanted.is_none_or(|len| len == plain.len()) {
        Ok(plain)
    } else {
        Err(Error::WrappedKeyLenRange)
    }
}

/// The key before fewer zeros than a block. To take less than was wrapped, or to cut off what is not zero,
/// would let a long key be tried piece by piece.
fn before_zeros(plain: &[u8], lengths: Lengths, wanted: Option<usize>, block: usize) -> Result<&[u8], Error> {
    let fits = |len: &usize| {
        let zeros = plain.get(*len..);
        zeros.is_some_and(|zeros| zeros.len() < block && zeros.iter().all(|byte| *byte == 0))
    };
    let len = match (wanted, lengths) {
        (Some(len), _) => Some(len).filter(fits),
        // At least one block less, if the end of the longer one is all zero: that is the padding.
        (None, Lengths::OneOf(known)) => known.iter().copied().find(fits),
        (None, Lengths::UpTo(_)) => return Err(Error::TemplateIncomplete(AttributeType::VALUE_LEN)),
    };
    len.and_then(|len| plain.get(..len)).ok_or(Error::WrappedKeyLenRange)
}

/// A key of the length that was asked for, whatever came out: if it has another, a key that depends on all
/// of it takes its place, so that a wrong padding looks like a key that nobody knows.
fn concealed(plain: &[u8], lengths: Lengths, wanted: Option<usize>) -> Result<Secret, Error> {
    let len = match (wanted, lengths) {
        (Some(len), _) => len,
        (None, _) if lengths.allows(plain.len()) => plain.len(),
        (None, Lengths::OneOf(known)) => known.last().copied().ok_or(Error::WrappedKeyLenRange)?,
        (None, Lengths::UpTo(_)) => return Err(Error::WrappedKeyLenRange),
    };
    let substitute = substitute(plain, len)?;
    let value = room::copy(plain)?;
    Ok(if plain.len() == len { value } else { substitute })
}

/// Bytes that follow from `plain`, and from which nothing follows for it.
fn substitute(plain: &[u8], len: usize) -> Result<Secret, Error> {
    let key = (SUITE.hmac)(Hash::Sha256, plain)?;
    let mut block = Secret::new(vec![0; key.output_len()]);
    let mut output = room::zeros(len)?;
    for (counter, chunk) in (1_u32..).zip(output.chunks_mut(key.output_len())) {
        key.once(&counter.to_be_bytes(), &mut block);
        chunk.copy_from_slice(block.get(..chunk.len()).unwrap_or_default());
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use types::MechanismType;

    use super::*;
    use crate::{
        curve::Curve,
        mechanism::{
            Parts,
            fixture::{self, builder, bytes, number, row},
        },
        object::Origin,
    };

    /// The value that is made of `plain`.
    fn secret(id: MechanismType, plain: &[u8], key_type: KeyType, len: Option<u64>) -> Result<Vec<u8>, Error> {
        let template = len.map(|len| number(AttributeType::VALUE_LEN, len)).into_iter().collect();
        let builder = builder(ObjectClass::SECRET_KEY, key_type, Origin::Unwrapped, template)?;
        let parts = from_wrapped(plain, &builder, row(id))?;
        let [(AttributeType::VALUE, value)] = parts.as_slice() else { panic!("a secret key has one part") };
        Ok(value.as_bytes().unwrap().to_vec())
    }

    fn private(id: MechanismType, plain: &[u8], key_type: KeyType) -> Result<Parts, Error> {
        let builder = builder(ObjectClass::PRIVATE_KEY, key_type, Origin::Unwrapped, vec![])?;
        from_wrapped(plain, &builder, row(id))
    }

    const AES: KeyType = KeyType::AES;
    const GENERIC: KeyType = KeyType::GENERIC_SECRET;
    const LENGTH: Result<Vec<u8>, Error> = Err(Error::WrappedKeyLenRange);

    #[test]
    fn a_mechanism_that_knows_the_length_gives_that_and_no_other() {
        for id in [MechanismType::AES_CBC_PAD, MechanismType::AES_KEY_WRAP_KWP, MechanismType::RSA_PKCS_OAEP] {
            assert_eq!(secret(id, &bytes(24), AES, None), Ok(bytes(24)), "{id}");
            assert_eq!(secret(id, &bytes(24), AES, Some(24)), Ok(bytes(24)), "{id}");
            assert_eq!(secret(id, &bytes(5), GENERIC, None), Ok(bytes(5)), "{id}");
            assert_eq!(secret(id, &bytes(32), AES, Some(16)), LENGTH, "{id}: nothing is cut off");
            assert_eq!(secret(id, &bytes(5), GENERIC, Some(4)), LENGTH, "{id}");
            assert_eq!(secret(id, &bytes(20), AES, None), LENGTH, "{id}");
            assert_eq!(secret(id, &[], GENERIC, None), LENGTH, "{id}");
        }
    }

    #[test]
    fn zeros_after_a_key_are_taken_away_up_to_a_block() {
        let padded = |len, to| {
            let mut plain = vec![0x77; len];
            plain.resize(to, 0);
            plain
        };
        let (kw, cbc) = (MechanismType::AES_KEY_WRAP, MechanismType::AES_CBC);
        assert_eq!(secret(kw, &padded(20, 24), GENERIC, Some(20)), Ok(vec![0x77; 20]));
        assert_eq!(secret(kw, &padded(20, 24), GENERIC, Some(22)), Ok(padded(20, 22)), "a key may end in zeros");
        assert_eq!(secret(kw, &padded(20, 24), GENERIC, Some(16)), LENGTH, "less than n - 7");
        assert_eq!(secret(kw, &padded(20, 24), GENERIC, Some(25)), LENGTH);
        assert_eq!(secret(kw, &padded(24, 24), GENERIC, Some(20)), LENGTH, "what is cut off is not zero");
        let unknown = Err(Error::TemplateIncomplete(AttributeType::VALUE_LEN));
        assert_eq!(secret(kw, &padded(24, 24), GENERIC, None), unknown, "nothing tells the length");

        assert_eq!(secret(cbc, &padded(24, 32), AES, Some(24)), Ok(vec![0x77; 24]));
        assert_eq!(secret(cbc, &padded(24, 32), AES, None), Ok(vec![0x77; 24]), "the type tells the length");
        assert_eq!(secret(cbc, &padded(32, 32), AES, None), Ok(vec![0x77; 32]));
        assert_eq!(secret(cbc, &padded(16, 16), AES, None), Ok(vec![0x77; 16]));
        assert_eq!(secret(cbc, &padded(32, 32), AES, Some(16)), LENGTH);
        assert_eq!(secret(cbc, &padded(48, 48), AES, None), LENGTH);
        assert_eq!(secret(cbc, &padded(16, 16), AES, Some(17)), LENGTH, "no key of the type is that long");
    }

    #[test]
    fn noise_of_any_length_becomes_a_key_that_nobody_knows() {
        let pkcs1 = MechanismType::RSA_PKCS;
        assert_eq!(secret(pkcs1, &bytes(32), AES, Some(32)), Ok(bytes(32)));
        assert_eq!(secret(pkcs1, &bytes(16), AES, None), Ok(bytes(16)));
        assert_eq!(secret(pkcs1, &bytes(100), GENERIC, None), Ok(bytes(100)));
        for len in 0..245 {
            let key = secret(pkcs1, &bytes(len), AES, Some(16)).unwrap();
            assert_eq!(key.len(), 16, "{len} bytes came out");
            assert_eq!(key, secret(pkcs1, &bytes(len), AES, Some(16)).unwrap(), "the same each time");
            assert_eq!(key == bytes(len), len == 16);
            assert!(secret(pkcs1, &bytes(len), AES, None).is_ok(), "{len} bytes came out");
        }
    }

    #[test]
    fn a_private_key_is_of_the_type_that_the_template_says() {
        let pair = fixture::curve_pair(Curve::Weierstrass(crypto::ec::Curve::P384));
        let id = MechanismType::AES_KEY_WRAP_KWP;
        let plain = to_wrap(&pair.private, row(id)).unwrap();
        assert!(private(id, &plain, KeyType::EC).is_ok());
        assert_eq!(private(id, &plain, KeyType::RSA).err(), Some(Error::WrappedKeyInvalid));
        assert_eq!(private(id, &plain, KeyType::EC_EDWARDS).err(), Some(Error::WrappedKeyInvalid));
        let refused = private(MechanismType::RSA_PKCS_OAEP, &plain, KeyType::EC).err();
        assert!(matches!(refused, Some(Error::TemplateInconsistent(_))), "it does not unwrap such keys");
    }

    #[test]
    fn zeros_after_a_private_key_count_only_where_they_are_put() {
        let pair = fixture::curve_pair(Curve::Edwards(crypto::edwards::Curve::Ed25519));
        let mut attributes = pair.private.attributes.duplicate();
        let mut seed = bytes(32);
        seed[30..].fill(0);
        attributes.set(AttributeType::VALUE, Value::bytes(seed.as_slice()));
        let plain = keys::private_key_info(&attributes).unwrap();
        assert!(plain.ends_with(&[0, 0]), "the key itself ends in zeros");
        let longer = [plain.as_slice(), &[0, 0]].concat();
        let other = [plain.as_slice(), &[0, 1]].concat();
        let (kw, kwp) = (MechanismType::AES_KEY_WRAP, MechanismType::AES_KEY_WRAP_KWP);
        let value = |parts: Result<Parts, Error>| {
            let found = parts?.into_iter().find(|(name, _)| *name == AttributeType::VALUE);
            Ok(found.unwrap().1.as_bytes().unwrap().to_vec())
        };
        assert_eq!(value(private(kw, &longer, KeyType::EC_EDWARDS)), Ok(seed.clone()));
        assert_eq!(value(private(kw, &plain, KeyType::EC_EDWARDS)), Ok(seed.clone()));
        assert_eq!(value(private(kwp, &plain, KeyType::EC_EDWARDS)), Ok(seed));
        assert_eq!(value(private(kw, &other, KeyType::EC_EDWARDS)), Err(Error::WrappedKeyInvalid));
        assert_eq!(value(private(kwp, &longer, KeyType::EC_EDWARDS)), Err(Error::WrappedKeyInvalid));
        for garbage in [&[][..], &[0], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0; 64]] {
            assert_eq!(private(kw, garbage, KeyType::EC_EDWARDS).err(), Some(Error::WrappedKeyInvalid));
        }
    }

    #[test]
    fn numbers_that_are_no_key_are_not_unwrapped() {
        let pair = fixture::rsa_pair(1024);
        let mut attributes = pair.private.attributes.duplicate();
        let mut prime = attributes.bytes(AttributeType::PRIME_1).unwrap().to_vec();
        prime[20] ^= 4;
        attributes.set(AttributeType::PRIME_1, Value::bytes(prime));
        let plain = keys::private_key_info(&attributes).unwrap();
        let refused = private(MechanismType::AES_KEY_WRAP_KWP, &plain, KeyType::RSA).err();
        assert_eq!(refused, Some(Error::WrappedKeyInvalid));
    }
}
