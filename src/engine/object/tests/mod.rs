//! The rules, each by what a caller sees of it.

mod changing;
mod creating;
mod making;
mod reading;

use std::sync::OnceLock;

use crypto::{SUITE, ec, edwards, montgomery, rsa};
use types::{AttributeType as A, CertificateType, Date, KeyType, MechanismType, ObjectClass as C, Template, Value};

use super::{Attributes, ObjectBuilder, Origin, SessionRights, copy, matches, modify, readable, size};
use crate::{Error, Profile, curve::Curve};

const USER: SessionRights = SessionRights { officer: false, user: true, profile: Profile::Compatible };
const OFFICER: SessionRights = SessionRights { officer: true, user: false, ..USER };
const STRICT: SessionRights = SessionRights { profile: Profile::Strict, ..USER };

const GENERATED: Origin = Origin::Generated(MechanismType::AES_KEY_GEN);
/// From a key that may be seen.
const DERIVED: Origin =
    Origin::Derived { always_sensitive: false, never_extractable: false, sensitive: false, extractable: true };
/// From a key that has never left.
const KEPT: Origin =
    Origin::Derived { always_sensitive: true, never_extractable: true, sensitive: true, extractable: false };

const SECRET_TYPES: [KeyType; 7] = [
    KeyType::AES,
    KeyType::GENERIC_SECRET,
    KeyType::SHA_1_HMAC,
    KeyType::SHA224_HMAC,
    KeyType::SHA256_HMAC,
    KeyType::SHA384_HMAC,
    KeyType::SHA512_HMAC,
];
const PAIR_TYPES: [KeyType; 4] = [KeyType::RSA, KeyType::EC, KeyType::EC_EDWARDS, KeyType::EC_MONTGOMERY];

fn flag(name: A, flag: bool) -> (A, Value) {
    (name, Value::Flag(flag))
}

fn number(name: A, number: u64) -> (A, Value) {
    (name, Value::Number(number))
}

fn bytes(name: A, bytes: impl AsRef<[u8]>) -> (A, Value) {
    (name, Value::bytes(bytes.as_ref()))
}

fn duplicate(template: &[(A, Value)]) -> Template {
    template.iter().map(|(name, value)| (*name, value.duplicate())).collect()
}

/// The template without an attribute.
fn without(mut template: Template, name: A) -> Template {
    template.retain(|(known, _)| *known != name);
    template
}

/// The template with these attributes, in place of what it says of them.
fn with(template: Template, changes: impl IntoIterator<Item = (A, Value)>) -> Template {
    let mut result = template;
    for change in changes {
        result = without(result, change.0);
        result.push(change);
    }
    result
}

fn create(template: Template) -> Result<Attributes, Error> {
    create_as(USER, template)
}

fn create_as(rights: SessionRights, template: Template) -> Result<Attributes, Error> {
    ObjectBuilder::new(template, Origin::Created, rights, &[])?.complete(Vec::new())
}

/// An error, without its object.
fn refusal<T>(result: Result<T, Error>) -> Option<Error> {
    result.err()
}

fn rsa() -> &'static rsa::KeyPair {
    static PAIR: OnceLock<rsa::KeyPair> = OnceLock::new();
    PAIR.get_or_init(|| (SUITE.rsa_generate)(1024, &[1, 0, 1]).unwrap())
}

/// A curve, a public key on it, and the private one.
type CurvePair = (Curve, Vec<u8>, Vec<u8>);

/// The pair on the curve of this type of key.
fn curve_pair(key_type: KeyType) -> &'static CurvePair {
    static PAIRS: OnceLock<[CurvePair; 3]> = OnceLock::new();
    let pairs = PAIRS.get_or_init(|| {
        let p256 = (SUITE.ec_generate)(ec::Curve::P256).unwrap();
        let ed25519 = (SUITE.edwards_generate)(edwards::Curve::Ed25519).unwrap();
        let x25519 = (SUITE.montgomery_generate)(montgomery::Curve::X25519).unwrap();
        [
            (Curve::Weierstrass(ec::Curve::P256), p256.point, p256.scalar.to_vec()),
            (Curve::Edwards(edwards::Curve::Ed25519), ed25519.public, ed25519.seed.to_vec()),
            (Curve::Montgomery(montgomery::Curve::X25519), x25519.public, x25519.scalar.to_vec()),
        ]
    });
    pairs.iter().find(|(curve, ..)| curve.key_type() == key_type).unwrap()
}

/// What making a public key gives.
fn public_parts(key_type: KeyType) -> Template {
    if key_type == KeyType::RSA {
        return vec![bytes(A::MODULUS, &rsa().n), bytes(A::PUBLIC_EXPONENT, &rsa().e)];
    }
    let (curve, public, _) = curve_pair(key_type);
    vec![bytes(A::EC_PARAMS, curve.params().unwrap()), bytes(A::EC_POINT, public)]
}

/// What making a private key gives.
fn private_parts(key_type: KeyType) -> Template {
    if key_type == KeyType::RSA {
        let pair = rsa();
        return vec![
            bytes(A::MODULUS, &pair.n),
            bytes(A::PUBLIC_EXPONENT, &pair.e),
            bytes(A::PRIVATE_EXPONENT, &pair.d),
            bytes(A::PRIME_1, &pair.p),
            bytes(A::PRIME_2, &pair.q),
            bytes(A::EXPONENT_1, &pair.dp),
            bytes(A::EXPONENT_2, &pair.dq),
            bytes(A::COEFFICIENT, &pair.qinv),
        ];
    }
    let (curve, _, private) = curve_pair(key_type);
    vec![bytes(A::EC_PARAMS, curve.params().unwrap()), bytes(A::VALUE, private)]
}

fn key(class: C, key_type: KeyType, parts: Template) -> Template {
    let mut template = vec![number(A::CLASS, class.0), number(A::KEY_TYPE, key_type.0)];
    template.extend(parts);
    template
}

fn public(key_type: KeyType) -> Template {
    key(C::PUBLIC_KEY, key_type, public_parts(key_type))
}

fn private(key_type: KeyType) -> Template {
    key(C::PRIVATE_KEY, key_type, private_parts(key_type))
}

fn secret(key_type: KeyType) -> Template {
    key(C::SECRET_KEY, key_type, vec![bytes(A::VALUE, [7; 32])])
}

fn data() -> Template {
    vec![number(A::CLASS, C::DATA.0), bytes(A::VALUE, b"data")]
}

/// Something signed, by SHA-256 with RSA, with an empty signature.
const CERTIFICATE: [u8; 20] =
    [0x30, 18, 0x30, 0, 0x30, 11, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b, 3, 1, 0];

fn certificate(certificate_type: CertificateType) -> Template {
    let mut template = vec![
        number(A::CLASS, C::CERTIFICATE.0),
        number(A::CERTIFICATE_TYPE, certificate_type.0),
        bytes(A::VALUE, CERTIFICATE),
    ];
    let name = if certificate_type == CertificateType::X_509_ATTR_CERT { A::OWNER } else { A::SUBJECT };
    template.push(bytes(name, b"name"));
    template
}

/// The least that makes an object of each kind.
fn every_kind() -> Vec<Template> {
    let mut templates = vec![data()];
    templates
        .extend([CertificateType::X_509, CertificateType::X_509_ATTR_CERT, CertificateType::WTLS].map(certificate));
    templates.extend(PAIR_TYPES.map(public));
    templates.extend(PAIR_TYPES.map(private));
    templates.extend(SECRET_TYPES.map(secret));
    templates
}
