//! Keys in files, in every form that they have there: read into PKCS#8, SubjectPublicKeyInfo, or the bytes of a secret key.

use der::{
    Decode, Encode, SliceReader,
    asn1::{BitString, ObjectIdentifier, OctetStringRef, UintRef},
};
use num_bigint::BigUint;
use p12_keystore::{Certificate, Pkcs12Archive};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use sec1::{EcParameters, EcPrivateKey};
use serde_json::Value as Json;
use x509_cert::{
    Certificate as X509,
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef},
};
use zeroize::Zeroizing;

use crate::{answer::Wiped, fault::Fault, openssh, pin::Pin};

/// What a file has.
pub(crate) enum Found {
    /// A private key.
    Private(Private),
    /// A public key (SubjectPublicKeyInfo, DER).
    Public(Vec<u8>),
    /// The bytes of a secret key.
    Secret(Zeroizing<Vec<u8>>),
}

/// A private key of a file.
pub(crate) struct Private {
    /// PKCS#8, DER.
    pub(crate) info: Zeroizing<Vec<u8>>,
    /// What the file has as its public half: the bits of a SubjectPublicKeyInfo.
    pub(crate) public: Option<Vec<u8>>,
    /// Certificates that came with it.
    pub(crate) certificates: Vec<Vec<u8>>,
}

impl Private {
    /// Whether the file has this as its public half, or none. A point may be compressed there (SEC 1, 2.3.3).
    pub(crate) fn belongs_to(&self, derived: &[u8]) -> bool {
        let same = |public: &[u8]| match public {
            [sign @ (2 | 3), x @ ..] => {
                let parity = derived.last().map(|last| 2 + (last & 1));
                derived.get(1..=x.len()) == Some(x) && derived.len() == 1 + 2 * x.len() && parity == Some(*sign)
            }
            public => public == derived,
        };
        self.public.as_deref().is_none_or(same)
    }
}

/// Asks for the password of a file.
pub(crate) type Password<'a> = dyn Fn() -> Result<Pin, Fault> + 'a;

pub(crate) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(crate) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(crate) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
pub(crate) const X25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.110");
/// A short Weierstrass curve that has a name in the forms of keys.
pub(crate) struct Curve {
    pub(crate) oid: ObjectIdentifier,
    /// RFC 7518, 6.2.1.1; RFC 8812, 3.1.
    pub(crate) jwk: &'static str,
    /// RFC 5656, 10.1.
    pub(crate) ssh: Option<&'static str>,
    /// How many bytes a coordinate has.
    pub(crate) width: usize,
}

const CURVES: [Curve; 4] = [
    Curve { oid: P256, jwk: "P-256", ssh: Some("nistp256"), width: 32 },
    Curve { oid: P384, jwk: "P-384", ssh: Some("nistp384"), width: 48 },
    Curve { oid: P521, jwk: "P-521", ssh: Some("nistp521"), width: 66 },
    Curve { oid: SECP256K1, jwk: "secp256k1", ssh: None, width: 32 },
];

impl Curve {
    pub(crate) fn of(oid: ObjectIdentifier) -> Option<&'static Self> {
        CURVES.iter().find(|curve| curve.oid == oid)
    }

    /// A private value with as many bytes as a coordinate.
    pub(crate) fn padded(&self, value: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let missing = self.width.checked_sub(value.len()).ok_or_else(|| bad("the private value is too long"))?;
        let mut padded = Zeroizing::new(vec![0; missing]);
        padded.extend_from_slice(value);
        Ok(padded)
    }

    /// The curve of a name of OpenSSH.
    pub(crate) fn of_ssh(name: &str) -> Result<&'static Self, Fault> {
        let curve = CURVES.iter().find(|curve| curve.ssh == Some(name));
        curve.ok_or_else(|| bad(format!("the curve {name} is not offered")))
    }
}

const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");

/// RFC 8017, A.1.2.
#[derive(der::Sequence)]
pub(crate) struct RsaPrivateKey<'a> {
    version: u8,
    pub(crate) n: UintRef<'a>,
    pub(crate) e: UintRef<'a>,
    pub(crate) d: UintRef<'a>,
    pub(crate) p: UintRef<'a>,
    pub(crate) q: UintRef<'a>,
    pub(crate) dp: UintRef<'a>,
    pub(crate) dq: UintRef<'a>,
    pub(crate) qinv: UintRef<'a>,
}

/// RFC 8017, A.1.1.
#[derive(der::Sequence)]
pub(crate) struct RsaPublicKey<'a> {
    pub(crate) n: UintRef<'a>,
    pub(crate) e: UintRef<'a>,
}

/// RFC 5208.
#[derive(der::Sequence)]
struct PrivateKeyInfo<'a> {
    version: u8,
    algorithm: AlgorithmIdentifierOwned,
    private_key: &'a OctetStringRef,
}

fn bad(why: impl std::fmt::Display) -> Fault {
    Fault::Usage(why.to_string())
}

/// Reads a key. `name` is the file's.
pub(crate) fn read(name: &str, bytes: &[u8], password: &Password<'_>) -> Result<Found, Fault> {
    let named = |fault: Fault| match fault {
        Fault::Usage(why) => Fault::Usage(format!("{name}: {why}")),
        other => other,
    };
    let text = std::str::from_utf8(bytes).ok().map(str::trim_start);
    match text {
        Some(text) if text.contains("-----BEGIN ") => pem(text, password).map_err(named),
        Some(text) if text.starts_with('{') => jwk(text).map_err(named),
        Some(text) if text.starts_with("ssh-") || text.starts_with("ecdsa-sha2-") => {
            openssh::read_public(text).map_err(named)
        }
        _ if bytes.first() == Some(&0x30) => der_of(bytes, password).map_err(named),
        _ => Err(named(bad(
            "no key in a form that is known: PKCS#8, PKCS#1, SEC1, PKCS#12, OpenSSH, JWK, a public key or a certificate; \
             the bytes of a secret key want --kind",
        ))),
    }
}

/// The first block that is a key.
fn pem(text: &str, password: &Password<'_>) -> Result<Found, Fault> {
    let (mut last, mut found, mut public_half, mut certificates) = (None, None, None, Vec::new());
    for (start, _) in text.match_indices("-----BEGIN ") {
        let block = text.get(start..).unwrap_or_default();
        let end =
            block.find("-----END ").and_then(|at| Some(at + block.get(at..)?.find('\n').unwrap_or(block.len() - at)));
        let block = block.get(..end.unwrap_or(block.len())).unwrap_or(block);
        if block.contains("Proc-Type:") {
            return Err(bad("encrypted in the old way of OpenSSL: `openssl pkcs8 -topk8` makes a PKCS#8 of it"));
        }
        if block.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----") {
            found = Some(openssh::read_private(block, password)?);
            continue;
        }
        let (label, inside) = match pem_rfc7468::decode_vec(block.as_bytes()) {
            Ok((label, inside)) => (label, Zeroizing::new(inside)),
            Err(why) => return Err(bad(format!("the PEM cannot be read: {why}"))),
        };
        match label {
            "PRIVATE KEY" => found = Some(private(inside)?),
            "ENCRYPTED PRIVATE KEY" => found = Some(decrypted(&inside, password)?),
            "RSA PRIVATE KEY" => found = Some(pkcs1(&inside)?),
            "EC PRIVATE KEY" => found = Some(sec1(&inside)?),
            // A private key may follow.
            "PUBLIC KEY" => public_half = Some(public(inside.to_vec())?),
            "CERTIFICATE" => {
                public_half = public_half.or(Some(certificate(&inside)?));
                certificates.push(inside.to_vec());
            }
            "EC PARAMETERS" => {}
            other => last = Some(other.to_owned()),
        }
    }
    match (found, public_half) {
        (Some(Found::Private(key)), _) => Ok(Found::Private(Private { certificates, ..key })),
        (Some(other), _) | (None, Some(other)) => Ok(other),
        (None, None) => {
            Err(bad(format!("there is no key in it, but {}", last.unwrap_or("nothing that is known".into()))))
        }
    }
}

/// DER does not say what it is: what it can be read as, it is.
fn der_of(bytes: &[u8], password: &Password<'_>) -> Result<Found, Fault> {
    if PrivateKeyInfoRef::from_der(bytes).is_ok() {
        private(Zeroizing::new(bytes.to_vec()))
    } else if EncryptedPrivateKeyInfoRef::try_from(bytes).is_ok() {
        decrypted(bytes, password)
    } else if RsaPrivateKey::from_der(bytes).is_ok() {
        pkcs1(bytes)
    } else if EcPrivateKey::try_from(bytes).is_ok() {
        sec1(bytes)
    } else if SubjectPublicKeyInfoRef::try_from(bytes).is_ok() {
        public(bytes.to_vec())
    } else if X509::from_der(bytes).is_ok() {
        certificate(bytes)
    } else if is_pkcs12(bytes) {
        pkcs12(bytes, password)
    } else {
        Err(bad("DER, but neither PKCS#8, PKCS#1, SEC1, PKCS#12, a public key nor a certificate"))
    }
}

fn private(info: Zeroizing<Vec<u8>>) -> Result<Found, Fault> {
    let read = PrivateKeyInfoRef::from_der(&info).map_err(|why| bad(format!("no PKCS#8: {why}")))?;
    let inside = EcPrivateKey::from_der(read.private_key.as_bytes()).ok().filter(|_| read.algorithm.oid == EC);
    // RFC 5915 has it inside, RFC 5958 beside.
    let beside = read.public_key.map(|bits| bits.raw_bytes());
    let public = inside.and_then(|key| key.public_key).or(beside).map(<[u8]>::to_vec);
    Ok(Found::Private(Private { info, public, certificates: Vec::new() }))
}

/// A public key of its parts.
pub(crate) fn public_of(oid: ObjectIdentifier, parameters: Option<der::Any>, bits: &[u8]) -> Result<Found, Fault> {
    let subject_public_key = BitString::from_bytes(bits).map_err(bad)?;
    let algorithm = AlgorithmIdentifierOwned { oid, parameters };
    public(SubjectPublicKeyInfoOwned { algorithm, subject_public_key }.to_der().map_err(bad)?)
}

pub(crate) fn rsa_public(n: &[u8], e: &[u8]) -> Result<Found, Fault> {
    let key = RsaPublicKey { n: UintRef::new(n).map_err(bad)?, e: UintRef::new(e).map_err(bad)? };
    public_of(RSA, Some(der::Any::null()), &key.to_der().map_err(bad)?)
}

fn public(info: Vec<u8>) -> Result<Found, Fault> {
    SubjectPublicKeyInfoRef::try_from(info.as_slice()).map_err(|why| bad(format!("no public key: {why}")))?;
    Ok(Found::Public(info))
}

fn certificate(bytes: &[u8]) -> Result<Found, Fault> {
    let certificate = X509::from_der(bytes).map_err(|why| bad(format!("no certificate: {why}")))?;
    public(certificate.tbs_certificate().subject_public_key_info().to_der().map_err(bad)?)
}

/// PKCS#8 under a password (PBES2).
fn decrypted(bytes: &[u8], password: &Password<'_>) -> Result<Found, Fault> {
    let info = EncryptedPrivateKeyInfoRef::try_from(bytes).map_err(|why| bad(format!("no encrypted PKCS#8: {why}")))?;
    let inside =
        info.decrypt(&*password()?).map_err(|_| bad("the password is wrong, or the encryption is not PBES2"))?;
    private(Zeroizing::new(inside.as_bytes().to_vec()))
}

/// A PKCS#8 around a key.
fn wrapped(oid: ObjectIdentifier, parameters: Option<der::Any>, key: &[u8]) -> Result<Found, Fault> {
    let private_key = OctetStringRef::new(key).map_err(bad)?;
    let info = PrivateKeyInfo { version: 0, algorithm: AlgorithmIdentifierOwned { oid, parameters }, private_key };
    private(Zeroizing::new(info.to_der().map_err(bad)?))
}

fn pkcs1(bytes: &[u8]) -> Result<Found, Fault> {
    RsaPrivateKey::from_der(bytes).map_err(|why| bad(format!("no RSA key of PKCS#1: {why}")))?;
    wrapped(RSA, Some(der::Any::null()), bytes)
}

fn sec1(bytes: &[u8]) -> Result<Found, Fault> {
    let key = EcPrivateKey::try_from(bytes).map_err(|why| bad(format!("no key of SEC1: {why}")))?;
    let curve = key.parameters.and_then(EcParameters::named_curve);
    let curve = curve.ok_or_else(|| bad("the key does not name its curve"))?;
    wrapped(EC, Some(der::Any::from(curve)), bytes)
}

pub(crate) fn scalar(curve: ObjectIdentifier, d: &[u8], point: Option<&[u8]>) -> Result<Found, Fault> {
    let key = EcPrivateKey { private_key: d, parameters: None, public_key: point };
    let key = Zeroizing::new(key.to_der().map_err(bad)?);
    wrapped(EC, Some(der::Any::from(curve)), &key)
}

/// RFC 8410: the seed is an octet string of its own.
pub(crate) fn seed(oid: ObjectIdentifier, d: &[u8], point: &[u8]) -> Result<Found, Fault> {
    let key = OctetStringRef::new(d).and_then(|seed| seed.to_der()).map_err(bad)?;
    match wrapped(oid, None, &Zeroizing::new(key))? {
        Found::Private(key) => Ok(Found::Private(Private { public: Some(point.to_vec()), ..key })),
        other => Ok(other),
    }
}

/// The parts of an RSA key; what follows from them is computed. The numbers of the library are not wiped (num-bigint 0.4).
pub(crate) fn rsa(n: &[u8], e: &[u8], d: &[u8], p: &[u8], q: &[u8]) -> Result<Found, Fault> {
    let number = BigUint::from_bytes_be;
    let one = BigUint::from(1_u8);
    let (d_number, p_number, q_number) = (number(d), number(p), number(q));
    if p_number <= one || q_number <= one {
        return Err(bad("the primes of the RSA key are none"));
    }
    if &p_number * &q_number != number(n) {
        return Err(bad("the modulus of the RSA key is not the product of its primes"));
    }
    let turns_back = |prime: &BigUint| (number(e) * &d_number) % (prime - &one) == one;
    if !turns_back(&p_number) || !turns_back(&q_number) {
        return Err(bad("the two exponents of the RSA key do not belong together"));
    }
    let [dp, dq] = [&p_number, &q_number].map(|prime| Zeroizing::new((&d_number % (prime - &one)).to_bytes_be()));
    let inverse = q_number.modinv(&p_number).ok_or_else(|| bad("the primes of the RSA key do not fit each other"))?;
    let qinv = Zeroizing::new(inverse.to_bytes_be());
    let uint = |bytes| UintRef::new(bytes).map_err(bad);
    let key = RsaPrivateKey {
        version: 0,
        n: uint(n)?,
        e: uint(e)?,
        d: uint(d)?,
        p: uint(p)?,
        q: uint(q)?,
        dp: uint(&dp)?,
        dq: uint(&dq)?,
        qinv: uint(&qinv)?,
    };
    pkcs1(&Zeroizing::new(key.to_der().map_err(bad)?))
}

/// RFC 7518, 6.
fn jwk(text: &str) -> Result<Found, Fault> {
    let tree = Wiped(serde_json::from_str(text).map_err(|why| bad(format!("no JSON: {why}")))?);
    let key: &Json = &tree.0;
    let word = |name: &str| key.get(name).and_then(Json::as_str);
    let part = |name: &str| {
        let text = word(name).ok_or_else(|| bad(format!("the JWK has no '{name}'")))?;
        let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes());
        bytes.map(Zeroizing::new).map_err(|_| bad(format!("'{name}' of the JWK is not base64url")))
    };
    // Each number of a curve has one length (RFC 7518, 6.2; RFC 8037, 2).
    let exact = |name: &str, len: usize, curve: &str| match part(name)? {
        bytes if bytes.len() == len => Ok(bytes),
        bytes => Err(bad(format!("'{name}' of the JWK has {} bytes, and {len} on the curve {curve}", bytes.len()))),
    };
    let is_private = key.get("d").is_some();
    match (word("kty"), word("crv")) {
        (Some("oct"), _) => Ok(Found::Secret(part("k")?)),
        (Some("RSA"), _) if !is_private => rsa_public(&part("n")?, &part("e")?),
        (Some("RSA"), _) if key.get("p").is_none() => {
            Err(bad("the JWK has the private exponent, but not the primes 'p' and 'q' of the key: write it with them"))
        }
        (Some("RSA"), _) => rsa(&part("n")?, &part("e")?, &part("d")?, &part("p")?, &part("q")?),
        (Some("EC"), Some(crv)) => {
            let curve = CURVES.iter().find(|curve| curve.jwk == crv);
            let curve = curve.ok_or_else(|| bad(format!("the curve {crv} is not offered")))?;
            let number = |name| exact(name, curve.width, crv);
            let point = [&[4], &**number("x")?, &**number("y")?].concat();
            if is_private {
                scalar(curve.oid, &number("d")?, Some(&point))
            } else {
                public_of(EC, Some(der::Any::from(curve.oid)), &point)
            }
        }
        (Some("OKP"), Some(crv @ ("Ed25519" | "X25519"))) => {
            let oid = if crv == "Ed25519" { ED25519 } else { X25519 };
            let x = exact("x", 32, crv)?;
            if is_private { seed(oid, &exact("d", 32, crv)?, &x) } else { public_of(oid, None, &x) }
        }
        (Some("EC" | "OKP"), None) => Err(bad("the JWK has no 'crv'")),
        _ => Err(bad("a JWK of a kind that is not offered: RSA, EC, OKP (Ed25519, X25519) and oct are")),
    }
}

/// RFC 7292: a sequence that begins with the number 3.
fn is_pkcs12(bytes: &[u8]) -> bool {
    let version = || {
        let mut reader = SliceReader::new(bytes).ok()?;
        let header = der::Header::decode(&mut reader).ok()?;
        let start = bytes.len().checked_sub(u32::from(header.length()) as usize)?;
        bytes.get(start..start + 3).map(|version| version == [2, 1, 3])
    };
    version().unwrap_or(false)
}

fn pkcs12(bytes: &[u8], password: &Password<'_>) -> Result<Found, Fault> {
    let password = password()?;
    let text = std::str::from_utf8(&password).map_err(|_| bad("the password of a PKCS#12 is text"))?;
    let archive = Pkcs12Archive::from_pkcs12(bytes, text)
        .map_err(|why| bad(format!("the PKCS#12 does not open: the password is wrong, or {why}")))?;
    let certificates: Vec<Vec<u8>> = archive.certs.iter().map(|bag| Certificate::as_der(&bag.cert).to_vec()).collect();
    // Before anything is in the token.
    certificates.iter().try_for_each(|bytes| certificate(bytes).map(drop))?;
    match &archive.keys[..] {
        [bag] => match private(Zeroizing::new(bag.key.as_der().to_vec()))? {
            Found::Private(key) => Ok(Found::Private(Private { certificates, ..key })),
            other => Ok(other),
        },
        [] => Err(bad("there is no key in the PKCS#12")),
        several => {
            Err(bad(format!("there are {} keys in the PKCS#12: `openssl pkcs12` takes them apart", several.len())))
        }
    }
}

/// PKCS#8 under a password: PBES2 with scrypt and AES-256.
pub(crate) fn encrypted(info: &[u8], password: &[u8], random: &[u8; 32]) -> Result<Vec<u8>, Fault> {
    let (salt, iv) = random.split_at(16);
    let iv = iv.try_into().map_err(bad)?;
    // As much work as OpenSSL lets a file ask for: 16 MiB, five times (OWASP's lowest for scrypt).
    let work = pkcs8::pkcs5::scrypt::Params::new(14, 8, 5).map_err(bad)?;
    let params = pkcs8::pkcs5::pbes2::Parameters::generate_scrypt_aes256cbc(work, salt, iv);
    let params = params.map_err(bad)?;
    let info = PrivateKeyInfoRef::from_der(info).map_err(bad)?;
    let sealed = info.encrypt_with_params(params, password).map_err(bad)?;
    Ok(sealed.as_bytes().to_vec())
}
