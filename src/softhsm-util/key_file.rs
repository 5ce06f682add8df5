//! Files with keys and certificates, as attributes.

use der::{
    Decode, Encode,
    asn1::{ObjectIdentifier, OctetStringRef, UintRef},
};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use sec1::EcPrivateKey;
use types::{AttributeType as A, KeyType, ObjectClass, Template, Value};
use x509_cert::{Certificate, spki::SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

use crate::{Fault, fault};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const X25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.110");

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

/// RFC 8017, A.1.1.
#[derive(der::Sequence)]
struct RsaPublicKey<'a> {
    n: UintRef<'a>,
    e: UintRef<'a>,
}

/// The PKCS#8 (DER) of a PEM file.
pub(crate) fn pkcs8(pem: &[u8], password: Option<&str>) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let not_read = "Could not read the PKCS#8 file. Maybe it is encypted (--file-pin <PIN>)";
    let Ok((label, inside)) = pem_rfc7468::decode_vec(pem) else { return fault(not_read) };
    let inside = Zeroizing::new(inside);
    match (label, password) {
        ("PRIVATE KEY", _) => Ok(inside),
        ("ENCRYPTED PRIVATE KEY", Some(password)) => {
            let info = EncryptedPrivateKeyInfoRef::try_from(inside.as_slice());
            match info.ok().and_then(|info| info.decrypt(password).ok()) {
                Some(document) => Ok(Zeroizing::new(document.as_bytes().to_vec())),
                None => fault("Could not decrypt the PKCS#8 file. Maybe wrong PIN to file (--file-pin <PIN>)"),
            }
        }
        _ => fault(not_read),
    }
}

fn bad(why: impl std::fmt::Display) -> Fault {
    Fault(format!("ERROR: The key cannot be read: {why}"))
}

fn of(class: ObjectClass, key_type: KeyType) -> Template {
    vec![(A::CLASS, Value::Number(class.0)), (A::KEY_TYPE, Value::Number(key_type.0))]
}

/// What a private key is, by its algorithm.
fn type_of(oid: ObjectIdentifier) -> Result<KeyType, Fault> {
    let types =
        [(RSA, KeyType::RSA), (EC, KeyType::EC), (ED25519, KeyType::EC_EDWARDS), (X25519, KeyType::EC_MONTGOMERY)];
    let found = types.into_iter().find(|(known, _)| *known == oid).map(|(_, key_type)| key_type);
    found.ok_or_else(|| bad(format!("keys of the algorithm {oid} are not offered")))
}

/// A private key, from its PKCS#8.
pub(crate) fn private(info: &[u8]) -> Result<Template, Fault> {
    let info = PrivateKeyInfoRef::from_der(info).map_err(bad)?;
    let oid = info.algorithm.oid;
    let key_type = type_of(oid)?;
    let inside = info.private_key.as_bytes();
    let mut template = of(ObjectClass::PRIVATE_KEY, key_type);
    match key_type {
        KeyType::RSA => {
            let key = RsaPrivateKey::from_der(inside).map_err(bad)?;
            let parts = [
                (A::MODULUS, key.n),
                (A::PUBLIC_EXPONENT, key.e),
                (A::PRIVATE_EXPONENT, key.d),
                (A::PRIME_1, key.p),
                (A::PRIME_2, key.q),
                (A::EXPONENT_1, key.dp),
                (A::EXPONENT_2, key.dq),
                (A::COEFFICIENT, key.qinv),
            ];
            template.extend(parts.map(|(name, number)| (name, Value::bytes(number.as_bytes()))));
        }
        KeyType::EC => {
            let key = EcPrivateKey::try_from(inside).map_err(bad)?;
            let params = info.algorithm.parameters.ok_or_else(|| bad("it does not name its curve"))?;
            template.push((A::EC_PARAMS, Value::bytes(params.to_der().map_err(bad)?)));
            template.push((A::VALUE, Value::bytes(key.private_key)));
        }
        _ => {
            let seed = <&OctetStringRef>::from_der(inside).map_err(bad)?;
            template.push((A::EC_PARAMS, Value::bytes(oid.to_der().map_err(bad)?)));
            template.push((A::VALUE, Value::bytes(seed.as_bytes())));
        }
    }
    Ok(template)
}

/// A public key, from its SubjectPublicKeyInfo.
pub(crate) fn public(info: &[u8]) -> Result<Template, Fault> {
    let public = SubjectPublicKeyInfoRef::try_from(info).map_err(bad)?;
    let key_type = type_of(public.algorithm.oid)?;
    let bits = public.subject_public_key.raw_bytes();
    let mut template = of(ObjectClass::PUBLIC_KEY, key_type);
    if key_type == KeyType::RSA {
        let RsaPublicKey { n, e } = RsaPublicKey::from_der(bits).map_err(bad)?;
        template.push((A::MODULUS, Value::bytes(n.as_bytes())));
        template.push((A::PUBLIC_EXPONENT, Value::bytes(e.as_bytes())));
    } else {
        let params = match (key_type, &public.algorithm.parameters) {
            (KeyType::EC, Some(params)) => params.to_der(),
            _ => public.algorithm.oid.to_der(),
        };
        let point = OctetStringRef::new(bits).and_then(|point| point.to_der()).map_err(bad)?;
        template.push((A::EC_PARAMS, Value::bytes(params.map_err(bad)?)));
        template.push((A::EC_POINT, Value::bytes(point)));
    }
    Ok(template)
}

/// A certificate, from its PEM.
pub(crate) fn certificate(pem: &[u8]) -> Result<Template, Fault> {
    let not_read = |why: &dyn std::fmt::Display| Fault(format!("ERROR: Could not read the certificate file: {why}"));
    let (label, inside) = pem_rfc7468::decode_vec(pem).map_err(|why| not_read(&why))?;
    if label != "CERTIFICATE" {
        return Err(not_read(&format!("it has a {label}")));
    }
    let certificate = Certificate::from_der(&inside).map_err(|why| not_read(&why))?;
    let certificate = certificate.tbs_certificate();
    let part = |bytes: Result<Vec<u8>, der::Error>| bytes.map(Value::bytes).map_err(|why| not_read(&why));
    Ok(vec![
        (A::CLASS, Value::Number(ObjectClass::CERTIFICATE.0)),
        // CKC_X_509.
        (A::CERTIFICATE_TYPE, Value::Number(0)),
        (A::SUBJECT, part(certificate.subject().to_der())?),
        (A::ISSUER, part(certificate.issuer().to_der())?),
        (A::SERIAL_NUMBER, part(certificate.serial_number().to_der())?),
        (A::VALUE, Value::bytes(inside)),
    ])
}
