//! Keys on their way into files, in the forms that programs want.

use der::{Decode, Encode, asn1::ObjectIdentifier};
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey as Pkcs12Key, PrivateKeyChain};
use pkcs8::PrivateKeyInfoRef;
use sec1::{EcParameters, EcPrivateKey};
use serde_json::{Value as Json, json};
use x509_cert::spki::SubjectPublicKeyInfoRef;
use zeroize::Zeroizing;

use crate::{
    cert,
    fault::Fault,
    formats::{self, Curve, RsaPrivateKey, RsaPublicKey},
    label::Label,
    openssh,
    pin::Pin,
};

/// A form of a key in a file.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Public keys of every kind (SubjectPublicKeyInfo, PEM).
    Spki,
    /// Private keys of every kind (PEM), under a password (PBES2).
    Pkcs8,
    /// RSA keys (PEM).
    Pkcs1,
    /// Private keys of elliptic curves (PEM).
    Sec1,
    /// Private keys under a password, with the certificates that have the key's id.
    Pkcs12,
    /// JSON (RFC 7517): also secret keys.
    Jwk,
    /// What `ssh` reads: a line of authorized_keys, or a private key under a password.
    #[value(alias = "ssh")]
    Openssh,
}

/// Which half of a key is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Public,
    Private,
}

/// What stands in the file.
pub(crate) struct Written {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) data: Json,
}

/// Random bytes that a form wants.
pub(crate) type Random = [u8; 32];

/// A key that is written.
pub(crate) struct Subject<'a> {
    pub(crate) label: &'a Label,
    pub(crate) id: &'a [u8],
    pub(crate) kind: &'a str,
    /// SubjectPublicKeyInfo.
    pub(crate) info: &'a [u8],
}

/// What a key is, as far as forms differ.
#[derive(Clone, Copy)]
pub(crate) enum Family {
    Rsa,
    Weierstrass(&'static Curve),
    /// A curve of RFC 8410, by its name in a JWK.
    Edwards(&'static str),
    Montgomery(&'static str),
    Other,
}

impl Family {
    pub(crate) fn of(info: &SubjectPublicKeyInfoRef<'_>) -> Self {
        let curve = || info.algorithm.parameters?.decode_as::<ObjectIdentifier>().ok();
        match info.algorithm.oid {
            formats::RSA => Self::Rsa,
            formats::ED25519 => Self::Edwards("Ed25519"),
            formats::X25519 => Self::Montgomery("X25519"),
            formats::EC => curve().and_then(Curve::of).map_or(Self::Other, Self::Weierstrass),
            _ => Self::Other,
        }
    }
}

impl Format {
    /// What is written if nothing is asked for.
    pub(crate) fn usual(half: Half) -> Self {
        match half {
            Half::Public => Self::Spki,
            Half::Private => Self::Pkcs8,
        }
    }

    /// Refuses a private key in it without a password that nobody asked to leave out, and one that cannot be left out.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn must_be_guarded(self, plain: bool) -> Result<(), Fault> {
        match (self, plain) {
            (Self::Pkcs12, true) => Err(bad("a PKCS#12 has a password: leave --plain out")),
            (Self::Pkcs8 | Self::Pkcs12 | Self::Openssh, _) | (_, true) => Ok(()),
            (_, false) => Err(bad(format!(
                "a key as {} is not under a password: --plain says that it is meant, or --format pkcs8",
                self.name()
            ))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Spki => "spki",
            Self::Pkcs8 => "pkcs8",
            Self::Pkcs1 => "pkcs1",
            Self::Sec1 => "sec1",
            Self::Pkcs12 => "pkcs12",
            Self::Jwk => "jwk",
            Self::Openssh => "openssh",
        }
    }

    fn fits(self, half: Half, family: Family) -> bool {
        match self {
            Self::Spki => half == Half::Public,
            Self::Pkcs8 | Self::Pkcs12 => half == Half::Private,
            Self::Pkcs1 => matches!(family, Family::Rsa),
            Self::Sec1 => half == Half::Private && matches!(family, Family::Weierstrass(_)),
            Self::Jwk => !matches!(family, Family::Other),
            Self::Openssh => match family {
                Family::Rsa | Family::Edwards(_) => true,
                Family::Weierstrass(curve) => curve.ssh.is_some(),
                Family::Montgomery(_) | Family::Other => false,
            },
        }
    }

    /// Refuses what such a key cannot be written as, and names what it can.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn must_fit(self, half: Half, key: &Subject<'_>) -> Result<(), Fault> {
        let family = Family::of(&read(key.info)?);
        if self.fits(half, family) {
            return Ok(());
        }
        let all = [Self::Spki, Self::Pkcs8, Self::Pkcs1, Self::Sec1, Self::Pkcs12, Self::Jwk, Self::Openssh];
        let able: Vec<&str> =
            all.into_iter().filter(|format| format.fits(half, family)).map(|format| format.name()).collect();
        let half = if half == Half::Public { "public" } else { "private" };
        Err(bad(format!(
            "a {half} key of kind {} has no form as {}: --format takes {} here",
            key.kind,
            self.name(),
            able.join(", ")
        )))
    }
}

fn bad(why: impl std::fmt::Display) -> Fault {
    Fault::Usage(why.to_string())
}

fn read(info: &[u8]) -> Result<SubjectPublicKeyInfoRef<'_>, Fault> {
    SubjectPublicKeyInfoRef::try_from(info).map_err(|why| bad(format!("the public half cannot be read: {why}")))
}

fn pem(label: &str, bytes: &[u8]) -> Result<Written, Fault> {
    let text = Zeroizing::new(cert::pem(label, bytes)?);
    Ok(Written { bytes: Zeroizing::new(text.as_bytes().to_vec()), data: json!({ "pem": *text }) })
}

/// The public half of a key.
pub(crate) fn public(format: Format, key: &Subject<'_>) -> Result<Written, Fault> {
    format.must_fit(Half::Public, key)?;
    let info = read(key.info)?;
    let bits = info.subject_public_key.raw_bytes();
    match format {
        Format::Pkcs1 => pem("RSA PUBLIC KEY", bits),
        Format::Jwk => jwk(&public_fields(&info)?),
        Format::Openssh => {
            let line = openssh::public_line(&info, key.label)?;
            Ok(Written { bytes: Zeroizing::new(format!("{line}\n").into_bytes()), data: json!({ "openssh": line }) })
        }
        _ => pem("PUBLIC KEY", key.info),
    }
}

/// The private half of a key, from its PKCS#8: under a password, or plain. Certificates are for a PKCS#12.
pub(crate) fn private(
    format: Format,
    key: &Subject<'_>,
    pkcs8: &[u8],
    password: Option<&Pin>,
    certificates: &[Vec<u8>],
    random: &Random,
) -> Result<Written, Fault> {
    format.must_fit(Half::Private, key)?;
    let info = read(key.info)?;
    let inside = PrivateKeyInfoRef::from_der(pkcs8).map_err(bad)?.private_key.as_bytes();
    match format {
        Format::Pkcs1 => pem("RSA PRIVATE KEY", inside),
        Format::Sec1 => {
            let scalar = EcPrivateKey::from_der(inside).map_err(bad)?;
            let curve = info.algorithm.parameters.and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
            let parameters = curve.map(EcParameters::NamedCurve);
            let public_key = Some(info.subject_public_key.raw_bytes());
            let named = EcPrivateKey { private_key: scalar.private_key, parameters, public_key };
            pem("EC PRIVATE KEY", &Zeroizing::new(named.to_der().map_err(bad)?))
        }
        Format::Jwk => {
            let mut fields = public_fields(&info)?;
            fields.extend(private_fields(Family::of(&info), inside)?);
            jwk(&fields)
        }
        Format::Pkcs12 => {
            let password = password.ok_or_else(|| bad("a PKCS#12 has a password: leave --plain out"))?;
            pkcs12(key, pkcs8, password, certificates)
        }
        Format::Openssh => {
            let text = openssh::private_text(&info, inside, key.label, password, random)?;
            Ok(Written { bytes: Zeroizing::new(text.as_bytes().to_vec()), data: json!({ "openssh": *text }) })
        }
        _ => match password {
            Some(password) => pem("ENCRYPTED PRIVATE KEY", &formats::encrypted(pkcs8, password, random)?),
            None => pem("PRIVATE KEY", pkcs8),
        },
    }
}

/// The bytes of a secret key.
pub(crate) fn secret(format: Option<Format>, kind: &str, value: &[u8]) -> Result<Written, Fault> {
    match format {
        None => {
            let text = Zeroizing::new(data_encoding::BASE64.encode(value));
            Ok(Written { bytes: Zeroizing::new(format!("{}\n", *text).into_bytes()), data: json!({ "base64": *text }) })
        }
        Some(Format::Jwk) => jwk(&[("kty", Zeroizing::new("oct".into())), field("k", value)]),
        Some(other) => Err(bad(format!(
            "a secret key of kind {kind} has no form as {}: --format jwk, or none for base64",
            other.name()
        ))),
    }
}

type Field = (&'static str, Zeroizing<String>);

fn field(name: &'static str, value: &[u8]) -> Field {
    (name, Zeroizing::new(data_encoding::BASE64URL_NOPAD.encode(value)))
}

/// Names and base64url: nothing in them that JSON would escape.
fn jwk(fields: &[Field]) -> Result<Written, Fault> {
    let members: Vec<Zeroizing<String>> =
        fields.iter().map(|(name, value)| Zeroizing::new(format!("\"{name}\":\"{}\"", **value))).collect();
    let members: Vec<&str> = members.iter().map(|member| member.as_str()).collect();
    let text = Zeroizing::new(format!("{{{}}}\n", Zeroizing::new(members.join(",")).as_str()));
    let data: Json = serde_json::from_str(&text).map_err(bad)?;
    Ok(Written { bytes: Zeroizing::new(text.as_bytes().to_vec()), data: json!({ "jwk": data }) })
}

/// RFC 7518, 6; RFC 8037, 2; RFC 8812, 3.
fn public_fields(info: &SubjectPublicKeyInfoRef<'_>) -> Result<Vec<Field>, Fault> {
    let bits = info.subject_public_key.raw_bytes();
    let word = |name, value: &str| (name, Zeroizing::new(value.to_owned()));
    Ok(match Family::of(info) {
        Family::Rsa => {
            let RsaPublicKey { n, e } = RsaPublicKey::from_der(bits).map_err(bad)?;
            vec![word("kty", "RSA"), field("n", n.as_bytes()), field("e", e.as_bytes())]
        }
        Family::Weierstrass(curve) => {
            let (x, y) = point(bits, curve)?;
            vec![word("kty", "EC"), word("crv", curve.jwk), field("x", x), field("y", y)]
        }
        Family::Edwards(curve) | Family::Montgomery(curve) => {
            vec![word("kty", "OKP"), word("crv", curve), field("x", bits)]
        }
        Family::Other => return Err(bad("a key of this kind has no form as JWK")),
    })
}

/// The coordinates of an uncompressed point (SEC 1, 2.3.3).
fn point<'a>(bits: &'a [u8], curve: &Curve) -> Result<(&'a [u8], &'a [u8]), Fault> {
    let coordinates = bits.strip_prefix(&[4]).filter(|rest| rest.len() == 2 * curve.width);
    let split = coordinates.and_then(|rest| rest.split_at_checked(curve.width));
    split.ok_or_else(|| bad(format!("the public half is no uncompressed point of {}", curve.jwk)))
}

fn private_fields(family: Family, inside: &[u8]) -> Result<Vec<Field>, Fault> {
    Ok(match family {
        Family::Rsa => {
            let RsaPrivateKey { d, p, q, dp, dq, qinv, .. } = RsaPrivateKey::from_der(inside).map_err(bad)?;
            let numbers = [("d", d), ("p", p), ("q", q), ("dp", dp), ("dq", dq), ("qi", qinv)];
            numbers.into_iter().map(|(name, number)| field(name, number.as_bytes())).collect()
        }
        Family::Weierstrass(curve) => vec![field("d", &scalar(inside, curve)?)],
        Family::Edwards(_) | Family::Montgomery(_) => vec![field("d", &seed(inside)?)],
        Family::Other => return Err(bad("a key of this kind has no form as JWK")),
    })
}

/// The private value of a curve, with as many bytes as a coordinate.
pub(crate) fn scalar(inside: &[u8], curve: &Curve) -> Result<Zeroizing<Vec<u8>>, Fault> {
    curve.padded(EcPrivateKey::from_der(inside).map_err(bad)?.private_key)
}

/// RFC 8410: the seed is an octet string of its own.
pub(crate) fn seed(inside: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let seed = <&der::asn1::OctetStringRef>::from_der(inside).map_err(bad)?;
    Ok(Zeroizing::new(seed.as_bytes().to_vec()))
}

/// So often the password is hashed (OWASP's lowest for PBKDF2 with SHA-256).
const ROUNDS: u32 = 600_000;

/// RFC 7292, with AES-256 and HMAC-SHA-256.
fn pkcs12(key: &Subject<'_>, pkcs8: &[u8], password: &Pin, certificates: &[Vec<u8>]) -> Result<Written, Fault> {
    let password = std::str::from_utf8(password).map_err(|_| bad("the password of a PKCS#12 is text"))?;
    let chain = certificates.iter().map(|bytes| Certificate::from_der(bytes).map_err(bad));
    let chain = chain.collect::<Result<Vec<_>, _>>()?;
    let chain = PrivateKeyChain::new(key.id, Pkcs12Key::from_der(pkcs8).map_err(bad)?, chain);
    let mut store = KeyStore::new();
    // Names in it are of UCS-2.
    let name: String = key.label.chars().filter(|c| u32::from(*c) <= 0xffff).collect();
    store.add_entry(&name, KeyStoreEntry::PrivateKeyChain(chain));
    let bytes = store.writer(password).encryption_iterations(ROUNDS).mac_iterations(ROUNDS).write();
    let bytes = Zeroizing::new(bytes.map_err(|why| bad(format!("the PKCS#12 cannot be made: {why}")))?);
    let data = json!({ "base64": data_encoding::BASE64.encode(&bytes) });
    Ok(Written { bytes, data })
}
