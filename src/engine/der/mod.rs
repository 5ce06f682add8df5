//! Keys as other programs write them: SubjectPublicKeyInfo (RFC 5280) and PKCS#8 (RFC 5208, RFC 5958).

pub(crate) mod curve;
pub(crate) mod dh;
pub(crate) mod dsa;
pub(crate) mod rsa;

use crypto::Secret;
use der::{
    Decode, Encode, Sequence, Tag, Tagged,
    asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef},
};
use pkcs8::PrivateKeyInfoRef;
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use types::{KeyType, ObjectClass};

use crate::{Error, key, mechanism::Parts, object::Attributes};

/// A certificate as far as it matters that it is one: something that is signed, an algorithm, a signature (RFC 5280,
/// RFC 5755).
#[derive(Sequence)]
struct Certificate<'a> {
    signed: AnyRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: BitStringRef<'a>,
}

/// Whether bytes are a certificate, and nothing behind it. Who signed it and what it says is its users' business.
pub(crate) fn is_certificate(bytes: &[u8]) -> bool {
    Certificate::from_der(bytes).is_ok_and(|found| found.signed.tag() == Tag::Sequence)
}

/// SubjectPublicKeyInfo of a public or private key; `None` for objects that have none, and for private
/// keys that do not say enough.
///
/// # Errors
/// Those of [`crate::curve::Curve::of`], and [`crypto::Error::KeyInvalid`] if the numbers are no key.
pub(crate) fn public_key_info(attributes: &Attributes) -> Result<Option<Vec<u8>>, Error> {
    let pair = matches!(attributes.class(), Some(ObjectClass::PUBLIC_KEY | ObjectClass::PRIVATE_KEY));
    match attributes.key_type().filter(|_| pair).and_then(key::types::encoding) {
        Some(encoding) => (encoding.public_info)(attributes),
        None => Ok(None),
    }
}

fn info(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<Vec<u8>, Error> {
    let algorithm = AlgorithmIdentifierRef { oid, parameters };
    let key = BitStringRef::from_bytes(key).map_err(too_long)?;
    SubjectPublicKeyInfoRef { algorithm, subject_public_key: key }.to_der().map_err(too_long)
}

fn too_long(_: der::Error) -> Error {
    Error::Internal("a key is too long for DER")
}

/// PKCS#8 of a private key (PKCS#11, Wrapping/unwrapping private keys).
///
/// # Errors
/// [`Error::KeyNotWrappable`] for other objects, and for RSA keys that lack one of their numbers.
pub(crate) fn private_key_info(attributes: &Attributes) -> Result<Secret, Error> {
    if attributes.class() != Some(ObjectClass::PRIVATE_KEY) {
        return Err(Error::KeyNotWrappable);
    }
    let encoding = attributes.key_type().and_then(key::types::encoding).ok_or(Error::KeyNotWrappable)?;
    (encoding.private_info)(attributes)
}

fn wrapped(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<Secret, Error> {
    let algorithm = AlgorithmIdentifierRef { oid, parameters };
    let key = OctetStringRef::new(key).map_err(too_long)?;
    secret_der(&PrivateKeyInfoRef::new(algorithm, key))
}

/// Encodes into a buffer that is as long as it has to be, so that no copy is left behind.
fn secret_der(value: &impl Encode) -> Result<Secret, Error> {
    let len = value.encoded_len().and_then(usize::try_from).map_err(too_long)?;
    let mut output = Secret::new(vec![0; len]);
    value.encode_to_slice(&mut output).map_err(too_long)?;
    Ok(output)
}

/// A private key from its PKCS#8: its type, and the attributes that it gives. Strict: DER, and nothing
/// after it.
///
/// # Errors
/// [`Error::WrappedKeyInvalid`] if it is not PKCS#8 of a type that is offered, [`Error::CurveNotSupported`]
/// and [`Error::DomainParamsInvalid`] if that is what is wrong.
pub(crate) fn from_private_key_info(bytes: &[u8]) -> Result<(KeyType, Parts), Error> {
    let info = PrivateKeyInfoRef::from_der(bytes).map_err(not_a_key)?;
    for (key_type, encoding) in key::types::encodings() {
        if let Some(parts) = (encoding.read)(&info)? {
            return Ok((key_type, parts));
        }
    }
    Err(Error::WrappedKeyInvalid)
}

fn not_a_key(_: der::Error) -> Error {
    Error::WrappedKeyInvalid
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };

    use types::{AttributeType, Value};

    use super::*;
    use crate::{
        curve::Curve,
        mechanism::fixture::{self, object},
        object::Object,
    };

    fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<_> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    /// RFC 8410, 10.3.
    const ED25519: &str = "302e020100300506032b657004220420
        d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842";
    /// RFC 8410, 10.1.
    const ED25519_PUBLIC: &str = "302a300506032b6570032100
        19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
    /// The same with attributes and the public key; RFC 8410, 10.3.
    const ED25519_V2: &str = "3072020101300506032b657004220420
        d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842
        a01f301d060a2a864886f70d01090914310f0c0d437572646c6520436861697273
        81210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

    fn imported(info: &[u8]) -> Object {
        let (key_type, parts) = from_private_key_info(info).unwrap();
        object(ObjectClass::PRIVATE_KEY, key_type, parts)
    }

    /// Made by OpenSSL 3.0.
    const P256: &str =
        "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420aa85c92a801b25adb8a88c4b
        99b159015df325c1fe9671f776b7fb61394b55a2a144034200041879716fd0afab0949ced289505241766d1064646d84
        647a11a17ef04840ad98e9adac43dca5a41a27a6f2b415028e1623e3495b39976ef8799acbb498e75a75";
    const P256_PUBLIC: &str =
        "3059301306072a8648ce3d020106082a8648ce3d030107034200041879716fd0afab0949ced289505241766d1064646d
        84647a11a17ef04840ad98e9adac43dca5a41a27a6f2b415028e1623e3495b39976ef8799acbb498e75a75";

    #[test]
    fn keys_of_another_program_are_read_and_written() {
        let key = imported(&unhex(P256));
        assert_eq!(key.attributes.key_type(), Some(KeyType::EC));
        assert_eq!(*private_key_info(&key.attributes).unwrap(), unhex(P256));
        assert_eq!(public_key_info(&key.attributes).unwrap(), Some(unhex(P256_PUBLIC)));
    }

    #[test]
    fn keys_of_the_standard_are_read_and_written() {
        for info in [ED25519, ED25519_V2] {
            let key = imported(&unhex(info));
            assert_eq!(key.attributes.key_type(), Some(KeyType::EC_EDWARDS));
            assert_eq!(*private_key_info(&key.attributes).unwrap(), unhex(ED25519));
            assert_eq!(public_key_info(&key.attributes).unwrap(), Some(unhex(ED25519_PUBLIC)));
        }
    }

    fn pairs() -> Vec<(&'static str, fixture::Pair)> {
        let curve = |curve| fixture::curve_pair(curve);
        let mut pairs: Vec<_> = crypto::ec::Curve::ALL.map(|known| ("EC", curve(Curve::Weierstrass(known)))).into();
        pairs.push(("RSA", fixture::rsa_pair(1024)));
        pairs.push(("Ed25519", curve(Curve::Edwards(crypto::edwards::Curve::Ed25519))));
        pairs.push(("DH", fixture::dh_pair()));
        pairs.extend(fixture::dsa_pairs().map(|pair| ("DSA", pair)));
        pairs.push(("X25519", curve(Curve::Montgomery(crypto::montgomery::Curve::X25519))));
        pairs
    }

    #[test]
    fn both_keys_of_a_pair_have_the_same_public_key_info() {
        for (name, pair) in pairs() {
            let info = public_key_info(&pair.public.attributes).unwrap();
            assert!(info.is_some(), "{name}");
            assert_eq!(info, public_key_info(&pair.private.attributes).unwrap(), "{name}");
        }
    }

    /// What the command `openssl` makes of its input.
    fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = Command::new("openssl")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command openssl is there");
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        output.stdout
    }

    #[test]
    fn openssl_reads_keys_modulo_a_prime_and_finds_the_same_public_key() {
        for (name, pair) in pairs().into_iter().filter(|(name, _)| ["DH", "DSA"].contains(name)) {
            let private = private_key_info(&pair.private.attributes).unwrap();
            let public = openssl(&["pkey", "-inform", "DER", "-pubout", "-outform", "DER"], &private);
            assert_eq!(public_key_info(&pair.public.attributes).unwrap(), Some(public), "{name}");
            let written = openssl(&["pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER"], &private);
            assert_eq!(written, *private, "{name}");
        }
    }

    #[test]
    fn keys_modulo_a_prime_that_openssl_has_made_are_read() {
        let dh = ["genpkey", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048", "-outform", "DER"];
        let key = imported(&openssl(&dh, b""));
        assert_eq!(key.attributes.key_type(), Some(KeyType::DH));
        assert!(key.material().is_ok());
    }

    #[test]
    fn a_private_key_comes_back_as_it_was() {
        for (name, pair) in pairs() {
            let info = private_key_info(&pair.private.attributes).unwrap();
            let back = imported(&info);
            for (part, value) in pair.private.attributes.iter() {
                assert!(back.attributes.get(part) == Some(value), "{name}: {part}");
            }
            assert_eq!(private_key_info(&pair.public.attributes).err(), Some(Error::KeyNotWrappable), "{name}");
        }
    }

    #[test]
    fn what_is_not_exactly_pkcs8_is_refused() {
        for (name, pair) in pairs() {
            let info = private_key_info(&pair.private.attributes).unwrap();
            let longer = [info.as_slice(), &[0]].concat();
            for wrong in [&info[..info.len() - 1], &info[1..], &longer, &[], &[0x30, 0x80]] {
                assert_eq!(from_private_key_info(wrong).err(), Some(Error::WrappedKeyInvalid), "{name}");
            }
        }
        let mut other_type = unhex(ED25519);
        other_type[11] = 0x71;
        assert_eq!(from_private_key_info(&other_type).err(), Some(Error::WrappedKeyInvalid), "Ed448");
    }

    #[test]
    fn a_public_key_inside_that_belongs_to_another_private_one_is_refused() {
        // The last byte of each is one of the public key.
        for known in [P256, ED25519_V2] {
            let mut info = unhex(known);
            *info.last_mut().unwrap() ^= 1;
            assert_eq!(from_private_key_info(&info).err(), Some(Error::WrappedKeyInvalid));
        }
        // A point in compressed form says the same.
        let compressed = openssl(
            &["ec", "-inform", "DER", "-conv_form", "compressed", "-outform", "DER"],
            &openssl(&["pkcs8", "-inform", "DER", "-nocrypt", "-traditional", "-outform", "DER"], &unhex(P256)),
        );
        let info = openssl(&["pkcs8", "-topk8", "-inform", "DER", "-nocrypt", "-outform", "DER"], &compressed);
        assert!(info.len() < unhex(P256).len());
        assert_eq!(*private_key_info(&imported(&info).attributes).unwrap(), unhex(P256));
    }

    #[test]
    fn no_byte_of_pkcs8_makes_us_stumble() {
        for (_, pair) in pairs() {
            let info = private_key_info(&pair.private.attributes).unwrap();
            for index in 0..info.len().min(90) {
                for byte in [0x00, 0x01, 0x04, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                    let mut bent = info.to_vec();
                    bent[index] = byte;
                    let _ = from_private_key_info(&bent);
                }
            }
        }
    }

    #[test]
    fn an_rsa_key_without_all_numbers_is_not_wrapped() {
        let pair = fixture::rsa_pair(1024);
        let mut attributes = pair.private.attributes.duplicate();
        attributes.remove(AttributeType::COEFFICIENT);
        assert_eq!(private_key_info(&attributes).err(), Some(Error::KeyNotWrappable));
        attributes.remove(AttributeType::PUBLIC_EXPONENT);
        assert_eq!(public_key_info(&attributes), Ok(None));
    }

    #[test]
    fn a_curve_by_name_is_written_by_identifier() {
        let curve = Curve::Edwards(crypto::edwards::Curve::Ed25519);
        let pair = fixture::curve_pair(curve);
        let mut attributes = pair.private.attributes.duplicate();
        let name = [&[0x13, 12], &b"edwards25519"[..]].concat();
        attributes.set(AttributeType::EC_PARAMS, Value::bytes(name));
        assert_eq!(public_key_info(&attributes), public_key_info(&pair.public.attributes));
        assert_eq!(private_key_info(&attributes), private_key_info(&pair.private.attributes));
    }

    #[test]
    fn a_short_scalar_is_filled_up() {
        let params = Curve::Weierstrass(crypto::ec::Curve::P256).params().unwrap();
        let parts = vec![(AttributeType::EC_PARAMS, Value::bytes(params)), (AttributeType::VALUE, Value::bytes([7]))];
        let key = object(ObjectClass::PRIVATE_KEY, KeyType::EC, parts);
        let back = imported(&private_key_info(&key.attributes).unwrap());
        let value = back.attributes.bytes(AttributeType::VALUE).unwrap();
        assert_eq!((value.len(), value.last()), (32, Some(&7)));
    }

    #[test]
    fn other_objects_have_no_public_key_info() {
        let key = fixture::secret(KeyType::AES, &[1; 16]);
        assert_eq!(public_key_info(&key.attributes), Ok(None));
        assert_eq!(public_key_info(&Attributes::default()), Ok(None));
    }
}
