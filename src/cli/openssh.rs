//! Keys as OpenSSH has them: a line of authorized_keys, and its own form of a private key (PROTOCOL.key).
//!
//! The library (ssh-key 0.6) reads no private value of a curve that OpenSSH wrote without the zeros in front of it: one of 256
//! keys, and every second one of P-521. So the block of private values is opened here, and the value padded.

use der::Decode;
use ssh_key::{
    Cipher, Kdf,
    private::{EcdsaKeypair, KeypairData},
    public::KeyData,
};
use x509_cert::spki::SubjectPublicKeyInfoRef;
use zeroize::Zeroizing;

use crate::{
    export::{self, Family, Random},
    fault::Fault,
    formats::{self, Curve, EC, ED25519, Found, Password, RsaPrivateKey, RsaPublicKey},
    label::Label,
    pin::Pin,
};

/// The first bytes of a private key.
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// How long the lines of a private key are.
const LINE: usize = 70;
/// What the block of a private key without a password is padded to.
const BLOCK: usize = 8;
/// So often a file may want its password hashed (`ssh-keygen -a`): minutes.
const MOST_ROUNDS: u32 = 10_000;

fn bad(why: impl std::fmt::Display) -> Fault {
    Fault::Usage(why.to_string())
}

fn number(number: &ssh_key::Mpint) -> Vec<u8> {
    number.as_positive_bytes().map(<[u8]>::to_vec).unwrap_or_default()
}

/// A line of authorized_keys.
pub(crate) fn read_public(line: &str) -> Result<Found, Fault> {
    let line = line.lines().next().unwrap_or_default();
    let key = ssh_key::PublicKey::from_openssh(line)
        .map_err(|why| bad(format!("a public key of OpenSSH that cannot be read: {why}")))?;
    match key.key_data() {
        KeyData::Ed25519(key) => formats::public_of(ED25519, None, &key.0),
        KeyData::Rsa(key) => formats::rsa_public(&number(&key.n), &number(&key.e)),
        KeyData::Ecdsa(key) => {
            let curve = Curve::of_ssh(key.curve().as_str())?;
            formats::public_of(EC, Some(der::Any::from(curve.oid)), key.as_sec1_bytes())
        }
        _ => Err(bad("a public key of OpenSSH of a kind that is not offered: RSA, ECDSA and Ed25519 are")),
    }
}

/// A private key, in the lines that `ssh-keygen` writes.
pub(crate) fn read_private(text: &str, password: &Password<'_>) -> Result<Found, Fault> {
    let unread = |why: &dyn std::fmt::Display| bad(format!("an OpenSSH key that cannot be read: {why}"));
    let mut file = Zeroizing::new(Vec::new());
    pem_rfc7468::Decoder::new_wrapped(text.as_bytes(), LINE)
        .and_then(|mut lines| lines.decode_to_end(&mut file).map(drop))
        .map_err(|why| unread(&why))?;
    let sealed = Sealed::read(&file).ok_or_else(|| unread(&"it is cut short, or has several keys"))?;
    let block = padded(&sealed.open(password)?)?;
    let key = ssh_key::PrivateKey::from_bytes(&plain_file(sealed.public, &block)?).map_err(|why| unread(&why))?;
    match key.key_data() {
        KeypairData::Ed25519(pair) => {
            formats::seed(ED25519, &Zeroizing::new(pair.private.to_bytes())[..], &pair.public.0)
        }
        KeypairData::Rsa(pair) => {
            let secret = |part| Zeroizing::new(number(part));
            let (n, e, private) = (number(&pair.public.n), number(&pair.public.e), &pair.private);
            formats::rsa(&n, &e, &secret(&private.d), &secret(&private.p), &secret(&private.q))
        }
        KeypairData::Ecdsa(pair) => {
            let (private, point) = match pair {
                EcdsaKeypair::NistP256 { public, private } => (private.as_slice(), public.as_bytes()),
                EcdsaKeypair::NistP384 { public, private } => (private.as_slice(), public.as_bytes()),
                EcdsaKeypair::NistP521 { public, private } => (private.as_slice(), public.as_bytes()),
            };
            formats::scalar(Curve::of_ssh(pair.curve().as_str())?.oid, private, Some(point))
        }
        _ => Err(bad("an OpenSSH key of a kind that is not offered: RSA, ECDSA and Ed25519 are")),
    }
}

/// The strings of RFC 4251, 5, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn word(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*word))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.word()?).ok()?;
        let (string, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(string)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.string()?).ok()
    }
}

/// What stands in the file of one private key.
struct Sealed<'a> {
    cipher: &'a str,
    kdf: &'a str,
    kdf_options: &'a [u8],
    public: &'a [u8],
    block: &'a [u8],
    /// Of a cipher that authenticates.
    tag: &'a [u8],
}

impl<'a> Sealed<'a> {
    fn read(file: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(file.strip_prefix(MAGIC)?);
        let (cipher, kdf, kdf_options) = (fields.text()?, fields.text()?, fields.string()?);
        let (1, public, block) = (fields.word()?, fields.string()?, fields.string()?) else { return None };
        Some(Self { cipher, kdf, kdf_options, public, block, tag: fields.0 })
    }

    /// The block of private values.
    fn open(&self, password: &Password<'_>) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let mut block = Zeroizing::new(self.block.to_vec());
        if self.cipher == "none" {
            return Ok(block);
        }
        let other = || bad(format!("an OpenSSH key under {} and {}, which are not offered", self.cipher, self.kdf));
        let cipher = Cipher::new(self.cipher).map_err(|_| other())?;
        let mut options = Fields(self.kdf_options);
        let ("bcrypt", Some(salt), Some(rounds)) = (self.kdf, options.string(), options.word()) else {
            return Err(other());
        };
        if rounds > MOST_ROUNDS {
            return Err(bad(format!(
                "an OpenSSH key that wants its password hashed {rounds} times: {MOST_ROUNDS} is the most"
            )));
        }
        let kdf = Kdf::Bcrypt { salt: salt.to_vec(), rounds };
        let tag = self.tag.try_into().ok();
        kdf.derive_key_and_iv(cipher, &*password()?)
            .and_then(|(key, iv)| Ok(cipher.decrypt(&key, &iv, &mut block, tag)?))
            .map_err(|why| bad(format!("an OpenSSH key that does not open: {why}")))?;
        // It begins with one number twice, so that a wrong password is noticed.
        let mut begin = Fields(&block);
        if begin.word() != begin.word() { Err(bad("the password is wrong")) } else { Ok(block) }
    }
}

/// The block as the library wants it that has no password: the private value of a curve is as long as the curve's numbers.
fn padded(block: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let cut_short = || bad("an OpenSSH key that is cut short");
    let mut fields = Fields(block);
    let (_, _, kind) = (fields.word(), fields.word(), fields.text().ok_or_else(cut_short)?);
    let curve = kind.strip_prefix("ecdsa-sha2-").map(Curve::of_ssh).transpose()?;
    // PROTOCOL.agent of OpenSSH, 3.2.
    let before_the_last = match kind {
        "ssh-rsa" => 5,
        "ssh-ed25519" => 1,
        _ if curve.is_some() => 2,
        _ => return Err(bad("an OpenSSH key of a kind that is not offered: RSA, ECDSA and Ed25519 are")),
    };
    for _ in 0..before_the_last {
        fields.string().ok_or_else(cut_short)?;
    }
    let before = block.get(..block.len() - fields.0.len()).ok_or_else(cut_short)?;
    let (last, comment) = (fields.string().ok_or_else(cut_short)?, fields.string().ok_or_else(cut_short)?);
    let last = match curve {
        None => string(last)?,
        Some(curve) => {
            let value = last.get(last.iter().take_while(|byte| **byte == 0).count()..).unwrap_or_default();
            mpint(&curve.padded(value)?)?
        }
    };
    Ok(filled(&[before, &last, &string(comment)?]))
}

/// A block of private values, filled up to a whole number of blocks.
fn filled(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut block = Zeroizing::new(parts.concat());
    let missing = (BLOCK - block.len() % BLOCK) % BLOCK;
    block.extend((1_u8..).take(missing));
    block
}

/// A file whose block of private values is under no password.
fn plain_file(public: &[u8], block: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let one = 1_u32.to_be_bytes();
    let (none, empty, public, block) = (string(b"none")?, string(b"")?, string(public)?, string(block)?);
    Ok(Zeroizing::new([MAGIC, &none, &none, &empty, &one, &public, &block].concat()))
}

/// A string of RFC 4251, 5.
fn string(bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let len = u32::try_from(bytes.len()).map_err(bad)?;
    Ok(Zeroizing::new([&len.to_be_bytes()[..], bytes].concat()))
}

/// A positive number of RFC 4251, 5. What is padded stays so: OpenSSH takes leading zeros.
fn mpint(number: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let sign: &[u8] = if number.first().is_some_and(|first| first & 0x80 != 0) { &[0] } else { &[] };
    string(&Zeroizing::new([sign, number].concat()))
}

/// A public key as OpenSSH has it: RFC 4253, 6.6; RFC 5656, 3.1; RFC 8709, 4.
fn blob(info: &SubjectPublicKeyInfoRef<'_>) -> Result<Vec<u8>, Fault> {
    let bits = info.subject_public_key.raw_bytes();
    let parts = match Family::of(info) {
        Family::Rsa => {
            let RsaPublicKey { n, e } = RsaPublicKey::from_der(bits).map_err(bad)?;
            vec![string(b"ssh-rsa")?, mpint(e.as_bytes())?, mpint(n.as_bytes())?]
        }
        Family::Weierstrass(Curve { ssh: Some(name), .. }) => {
            vec![string(format!("ecdsa-sha2-{name}").as_bytes())?, string(name.as_bytes())?, string(bits)?]
        }
        Family::Edwards(_) => vec![string(b"ssh-ed25519")?, string(bits)?],
        _ => return Err(bad("a key of this kind has no form as OpenSSH")),
    };
    Ok(parts.iter().flat_map(|part| part.iter().copied()).collect())
}

/// A line of authorized_keys.
pub(crate) fn public_line(info: &SubjectPublicKeyInfoRef<'_>, label: &Label) -> Result<String, Fault> {
    let mut line = ssh_key::PublicKey::from_bytes(&blob(info)?).map_err(bad)?;
    line.set_comment(label.to_string());
    line.to_openssh().map_err(bad)
}

/// A private key in OpenSSH's own form, under a password with AES-256 and bcrypt. `inside` is the key within its PKCS#8.
pub(crate) fn private_text(
    info: &SubjectPublicKeyInfoRef<'_>,
    inside: &[u8],
    label: &Label,
    password: Option<&Pin>,
    random: &Random,
) -> Result<Zeroizing<String>, Fault> {
    let (check, salt) = random.split_first_chunk::<4>().ok_or_else(|| bad("random bytes are missing"))?;
    let public = blob(info)?;
    let bits = info.subject_public_key.raw_bytes();
    let values = match Family::of(info) {
        Family::Rsa => {
            let RsaPrivateKey { n, e, d, p, q, qinv, .. } = RsaPrivateKey::from_der(inside).map_err(bad)?;
            let mut values = string(b"ssh-rsa")?;
            for number in [n, e, d, qinv, p, q] {
                values.extend_from_slice(&mpint(number.as_bytes())?);
            }
            values
        }
        Family::Weierstrass(curve) => Zeroizing::new([&public[..], &mpint(&export::scalar(inside, curve)?)?].concat()),
        _ => {
            let pair = Zeroizing::new([&export::seed(inside)?, bits].concat());
            Zeroizing::new([&public[..], &string(&pair)?].concat())
        }
    };
    let block = filled(&[check, check, &values, &string(label.to_string().as_bytes())?]);
    let mut key = ssh_key::PrivateKey::from_bytes(&plain_file(&public, &block)?).map_err(bad)?;
    if let Some(password) = password {
        let salt = salt.iter().copied().take(16).collect();
        let kdf = Kdf::Bcrypt { salt, rounds: 24 };
        key = key.encrypt_with(Cipher::Aes256Ctr, kdf, u32::from_be_bytes(*check), &**password).map_err(bad)?;
    }
    key.to_openssh(ssh_key::LineEnding::LF).map_err(bad)
}
