//! A key as PKCS#8 (RFC 5958), in PEM.

use std::fmt::Display;

use der::{
    Encode,
    asn1::{AnyRef, ObjectIdentifier, OctetStringRef, UintRef},
    pem::LineEnding,
};
use pkcs8::{PrivateKeyInfoRef, SecretDocument, pkcs5};
use sec1::EcPrivateKey;
use x509_cert::spki::AlgorithmIdentifierRef;
use zeroize::Zeroizing;

use crate::{
    Fault,
    bind::{Key, Part},
    fault,
};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");

/// A kind of key.
#[derive(Clone, Copy)]
enum Kind {
    Rsa,
    Dsa,
    /// The curve, and how long a private value is.
    Ec(ObjectIdentifier, usize),
    /// The curve, and how long a private value is.
    Edwards(ObjectIdentifier, usize),
}

/// DNSSEC's algorithms (IANA).
const ALGORITHMS: [(u8, Kind); 11] = [
    (1, Kind::Rsa),
    (3, Kind::Dsa),
    (5, Kind::Rsa),
    (6, Kind::Dsa),
    (7, Kind::Rsa),
    (8, Kind::Rsa),
    (10, Kind::Rsa),
    (13, Kind::Ec(P256, 32)),
    (14, Kind::Ec(P384, 48)),
    (15, Kind::Edwards(ED25519, 32)),
    (16, Kind::Edwards(ED448, 57)),
];

/// RFC 8017, A.1.2.
#[derive(der::Sequence)]
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

/// RFC 3279, 2.3.2.
#[derive(der::Sequence)]
struct DsaParameters<'a> {
    p: UintRef<'a>,
    q: UintRef<'a>,
    g: UintRef<'a>,
}

fn bad(why: impl Display) -> Fault {
    Fault(format!("ERROR: The key cannot be written: {why}"))
}

/// The file; under a password, if there is one.
pub(crate) fn pem(key: &Key, password: Option<&str>) -> Result<Zeroizing<String>, Fault> {
    let Some((_, kind)) = ALGORITHMS.iter().find(|(number, _)| *number == key.algorithm) else {
        return fault(format!("The algorithm {} is not supported.", key.algorithm));
    };
    let info = match *kind {
        Kind::Rsa => rsa(key)?,
        Kind::Dsa => dsa(key)?,
        Kind::Ec(curve, len) => {
            let private_key = &*padded(key.part(Part::PrivateKey)?, len)?;
            let inside = encode(&EcPrivateKey { private_key, parameters: None, public_key: None })?;
            info(EC, Some(AnyRef::from(&curve)), &inside)?
        }
        Kind::Edwards(curve, len) => {
            let seed = key.part(Part::PrivateKey)?;
            if seed.len() != len {
                return fault(format!("A private key of this algorithm has {len} bytes, and this one {}.", seed.len()));
            }
            info(curve, None, &encode(&OctetStringRef::new(seed).map_err(bad)?)?)?
        }
    };
    let (label, document) = match password {
        None => ("PRIVATE KEY", info),
        Some("") => return fault("The password of --pin is empty. Without --pin, the file is not encrypted."),
        Some(password) => ("ENCRYPTED PRIVATE KEY", encrypted(&info, password)?),
    };
    document.to_pem(label, LineEnding::LF).map_err(bad)
}

fn rsa(key: &Key) -> Result<SecretDocument, Fault> {
    let inside = encode(&RsaPrivateKey {
        version: 0,
        n: number(key, Part::Modulus)?,
        e: number(key, Part::PublicExponent)?,
        d: number(key, Part::PrivateExponent)?,
        p: number(key, Part::Prime1)?,
        q: number(key, Part::Prime2)?,
        dp: number(key, Part::Exponent1)?,
        dq: number(key, Part::Exponent2)?,
        qinv: number(key, Part::Coefficient)?,
    })?;
    info(RSA, Some(AnyRef::NULL), &inside)
}

/// PKCS#8 has no public value of it.
fn dsa(key: &Key) -> Result<SecretDocument, Fault> {
    key.part(Part::PublicValue)?;
    let parameters =
        DsaParameters { p: number(key, Part::Prime)?, q: number(key, Part::Subprime)?, g: number(key, Part::Base)? };
    let parameters = parameters.to_der().map_err(bad)?;
    let parameters = AnyRef::try_from(parameters.as_slice()).map_err(bad)?;
    info(DSA, Some(parameters), &encode(&number(key, Part::PrivateValue)?)?)
}

fn number(key: &Key, part: Part) -> Result<UintRef<'_>, Fault> {
    UintRef::new(key.part(part)?).map_err(bad)
}

/// A private value in as many bytes as its curve has.
fn padded(value: &[u8], len: usize) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let mut padded = Zeroizing::new(vec![0; len]);
    let room = len.checked_sub(value.len()).and_then(|begin| padded.get_mut(begin..));
    let Some(room) = room.filter(|_| value.iter().any(|byte| *byte != 0)) else {
        return fault(format!("A private key of this algorithm is a number of 1 to {len} bytes, and not zero."));
    };
    room.copy_from_slice(value);
    Ok(padded)
}

fn encode(value: &impl Encode) -> Result<Zeroizing<Vec<u8>>, Fault> {
    value.to_der().map(Zeroizing::new).map_err(bad)
}

fn info(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, inside: &[u8]) -> Result<SecretDocument, Fault> {
    let private_key = OctetStringRef::new(inside).map_err(bad)?;
    let info = PrivateKeyInfoRef::new(AlgorithmIdentifierRef { oid, parameters }, private_key);
    SecretDocument::encode_msg(&info).map_err(bad)
}

/// PBES2 with scrypt and AES-256.
fn encrypted(info: &SecretDocument, password: &str) -> Result<SecretDocument, Fault> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    getrandom::fill(&mut salt).and_then(|()| getrandom::fill(&mut iv)).map_err(bad)?;
    // As much work as OpenSSL lets a file ask for: 16 MiB, five times (OWASP's lowest for scrypt).
    let work = pkcs5::scrypt::Params::new(14, 8, 5).map_err(bad)?;
    let params = pkcs5::pbes2::Parameters::generate_scrypt_aes256cbc(work, &salt, iv).map_err(bad)?;
    let info: PrivateKeyInfoRef<'_> = info.decode_msg().map_err(bad)?;
    info.encrypt_with_params(params, password).map_err(bad)
}
