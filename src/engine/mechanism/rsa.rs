use std::sync::Arc;

use crypto::{
    Error as Fault, Hash, SUITE, Secret,
    aes::KeyWrap,
    rsa::{CrtParts, MAX_BITS, MIN_BITS, Oaep, PrivateKey, PrivateParts, Pss, PublicKey},
};
use subtle::ConstantTimeEq;
use types::{AttributeType, KeyType, MechanismType, Mgf, Params, Shape, Value};

use crate::{
    Error,
    object::{Object, ObjectBuilder},
    profile::Risk,
    wrapping::Padding,
};

use super::{
    ALL_KEYS, Integrity, Mechanism, Parts, SECRET_KEYS, Signing, SinglePart, Transform, Verifying, digest,
    no_parameter, put, random,
    signature::{self, Check, Sign},
};

/// What all rows have. Sizes are those of the modulus in bits.
const RSA: Mechanism =
    Mechanism { key_size: (MIN_BITS as u64, MAX_BITS as u64), keys: &[KeyType::RSA], ..Mechanism::BLANK };

/// PKCS#1 v1.5 signature over a message.
macro_rules! pkcs1_signature {
    ($id:ident, $hash:ident) => {
        Mechanism {
            id: MechanismType::$id,
            sign: Some(|key, params| {
                no_parameter(params)?;
                sign_message(key, Format::DigestInfo(Hash::$hash), Hash::$hash)
            }),
            verify: Some(|key, params| {
                no_parameter(params)?;
                verify_message(key, Format::DigestInfo(Hash::$hash), Hash::$hash)
            }),
            ..RSA
        }
    };
}

/// PSS signature over a message.
macro_rules! pss_signature {
    ($id:ident, $hash:ident) => {
        Mechanism {
            id: MechanismType::$id,
            shape: Shape::Pss,
            sign: Some(|key, params| sign_message(key, pss_over(key, params, Hash::$hash)?, Hash::$hash)),
            verify: Some(|key, params| verify_message(key, pss_over(key, params, Hash::$hash)?, Hash::$hash)),
            ..RSA
        }
    };
}

pub(super) static MECHANISMS: &[Mechanism] = &[
    Mechanism {
        id: MechanismType::RSA_PKCS_KEY_PAIR_GEN,
        makes: Some(KeyType::RSA),
        generate_pair: Some(generate_pair),
        keys: &[],
        ..RSA
    },
    Mechanism {
        id: MechanismType::RSA_PKCS,
        encrypt: Some(|key, params| encryption(key, pkcs1(params)?)),
        decrypt: Some(|key, params| decryption(key, pkcs1(params)?)),
        sign: Some(|key, params| sign_input(key, plain(params, Format::Pkcs1)?)),
        verify: Some(|key, params| verify_input(key, plain(params, Format::Pkcs1)?)),
        sign_recover: Some(|key, params| sign_recoverably(key, plain(params, Format::Pkcs1)?)),
        verify_recover: Some(|key, params| recover(key, plain(params, Format::Pkcs1)?)),
        wrap: Some(|key, params, plain| pkcs1(params)?.encrypt(&**public(key)?, plain)),
        unwrap: Some(|key, params, wrapped| pkcs1(params)?.decrypt(&**private(key)?, wrapped)),
        wraps: SECRET_KEYS,
        padding: Padding::Concealed,
        oracle: Some(Risk::Pkcs1Decryption),
        ..RSA
    },
    Mechanism {
        id: MechanismType::RSA_X_509,
        encrypt: Some(|key, params| encryption(key, raw(params)?)),
        decrypt: Some(|key, params| decryption(key, raw(params)?)),
        sign: Some(|key, params| sign_input(key, plain(params, Format::Raw)?)),
        verify: Some(|key, params| verify_input(key, plain(params, Format::Raw)?)),
        sign_recover: Some(|key, params| sign_recoverably(key, plain(params, Format::Raw)?)),
        verify_recover: Some(|key, params| recover(key, plain(params, Format::Raw)?)),
        // No wrapping: a key that is its own cube root away is none.
        ..RSA
    },
    Mechanism {
        id: MechanismType::RSA_PKCS_OAEP,
        shape: Shape::Oaep,
        encrypt: Some(|key, params| encryption(key, oaep(params)?)),
        decrypt: Some(|key, params| decryption(key, oaep(params)?)),
        wrap: Some(|key, params, plain| oaep(params)?.encrypt(&**public(key)?, plain)),
        unwrap: Some(|key, params, wrapped| oaep(params)?.decrypt(&**private(key)?, wrapped)),
        wraps: SECRET_KEYS,
        integrity: Integrity::Checked,
        ..RSA
    },
    Mechanism {
        id: MechanismType::RSA_PKCS_PSS,
        shape: Shape::Pss,
        sign: Some(|key, params| sign_input(key, pss(key, params)?)),
        verify: Some(|key, params| verify_input(key, pss(key, params)?)),
        ..RSA
    },
    pkcs1_signature!(SHA1_RSA_PKCS, Sha1),
    pkcs1_signature!(SHA224_RSA_PKCS, Sha224),
    pkcs1_signature!(SHA256_RSA_PKCS, Sha256),
    pkcs1_signature!(SHA384_RSA_PKCS, Sha384),
    pkcs1_signature!(SHA512_RSA_PKCS, Sha512),
    pss_signature!(SHA1_RSA_PKCS_PSS, Sha1),
    pss_signature!(SHA224_RSA_PKCS_PSS, Sha224),
    pss_signature!(SHA256_RSA_PKCS_PSS, Sha256),
    pss_signature!(SHA384_RSA_PKCS_PSS, Sha384),
    pss_signature!(SHA512_RSA_PKCS_PSS, Sha512),
    Mechanism {
        id: MechanismType::RSA_AES_KEY_WRAP,
        shape: Shape::RsaAesWrap,
        wrap: Some(wrap_with_aes),
        unwrap: Some(unwrap_with_aes),
        wraps: ALL_KEYS,
        integrity: Integrity::Checked,
        ..RSA
    },
];

const MASKS: [(Mgf, Hash); 5] = [
    (Mgf::MGF1_SHA1, Hash::Sha1),
    (Mgf::MGF1_SHA224, Hash::Sha224),
    (Mgf::MGF1_SHA256, Hash::Sha256),
    (Mgf::MGF1_SHA384, Hash::Sha384),
    (Mgf::MGF1_SHA512, Hash::Sha512),
];

fn mask(mgf: Mgf) -> Result<Hash, Error> {
    let row = MASKS.iter().find(|(known, _)| *known == mgf);
    row.map(|(_, hash)| *hash).ok_or(Error::MechanismParamInvalid)
}

fn public(key: &Object) -> Result<&Arc<dyn PublicKey>, Error> {
    key.material()?.rsa_public()
}

fn private(key: &Object) -> Result<&Arc<dyn PrivateKey>, Error> {
    key.material()?.rsa_private()
}

/// How a message becomes a number to encrypt.
enum Scheme {
    Pkcs1,
    Raw,
    Oaep { hash: Hash, mgf: Hash, label: Vec<u8> },
}

fn pkcs1(params: &Params) -> Result<Scheme, Error> {
    no_parameter(params)?;
    Ok(Scheme::Pkcs1)
}

fn raw(params: &Params) -> Result<Scheme, Error> {
    no_parameter(params)?;
    Ok(Scheme::Raw)
}

fn oaep(params: &Params) -> Result<Scheme, Error> {
    let Params::Oaep { hash, mgf, label } = params else { return Err(Error::MechanismParamInvalid) };
    Ok(Scheme::Oaep { hash: digest::hash(*hash)?, mgf: mask(*mgf)?, label: label.clone() })
}

impl Scheme {
    /// The longest message for a modulus of `size` bytes.
    ///
    /// # Errors
    /// [`Error::KeySizeRange`] if not even an empty one fits.
    fn limit(&self, size: usize) -> Result<usize, Error> {
        let overhead = match self {
            Self::Pkcs1 => 11,
            Self::Raw => 0,
            Self::Oaep { hash, .. } => 2 * hash.output_len() + 2,
        };
        size.checked_sub(overhead).ok_or(Error::KeySizeRange)
    }

    fn encrypt(&self, key: &dyn PublicKey, message: &[u8]) -> Result<Vec<u8>, Error> {
        if message.len() > self.limit(key.size())? {
            return Err(Error::Crypto(Fault::InputLength));
        }
        Ok(match self {
            Self::Pkcs1 => key.encrypt_pkcs1(message)?,
            Self::Raw => key.raw(message)?,
            Self::Oaep { hash, mgf, label } => key.encrypt_oaep(Oaep { hash: *hash, mgf: *mgf, label }, message)?,
        })
    }

    fn decrypt(&self, key: &dyn PrivateKey, ciphertext: &[u8]) -> Result<Secret, Error> {
        self.limit(key.size())?;
        if ciphertext.len() != key.size() {
            return Err(Error::Crypto(Fault::CiphertextLength));
        }
        let message = match self {
            Self::Pkcs1 => key.decrypt_pkcs1(ciphertext),
            Self::Raw => key.raw(ciphertext),
            Self::Oaep { hash, mgf, label } => key.decrypt_oaep(Oaep { hash: *hash, mgf: *mgf, label }, ciphertext),
        };
        message.map_err(|fault| match fault {
            Fault::InputLength => Error::Crypto(Fault::CiphertextLength),
            Fault::InputValue => Error::Crypto(Fault::CiphertextInvalid),
            other => Error::Crypto(other),
        })
    }
}

struct Encryption {
    key: Arc<dyn PublicKey>,
    scheme: Scheme,
}

fn encryption(key: &Object, scheme: Scheme) -> Result<Transform, Error> {
    let key = Arc::clone(public(key)?);
    scheme.limit(key.size())?;
    Ok(Transform::SinglePart(Box::new(Encryption { key, scheme })))
}

impl SinglePart for Encryption {
    fn output_len(&self, _input_len: usize) -> usize {
        self.key.size()
    }

    fn run(&mut self, input: &[u8]) -> Result<Secret, Error> {
        Ok(Secret::new(self.scheme.encrypt(&*self.key, input)?))
    }
}

struct Decryption {
    key: Arc<dyn PrivateKey>,
    scheme: Scheme,
    /// The longest message.
    limit: usize,
}

fn decryption(key: &Object, scheme: Scheme) -> Result<Transform, Error> {
    let key = Arc::clone(private(key)?);
    let limit = scheme.limit(key.size())?;
    Ok(Transform::SinglePart(Box::new(Decryption { key, scheme, limit })))
}

impl SinglePart for Decryption {
    fn output_len(&self, _input_len: usize) -> usize {
        self.limit
    }

    fn run(&mut self, input: &[u8]) -> Result<Secret, Error> {
        self.scheme.decrypt(&*self.key, input)
    }
}

/// How a digest or what else is signed becomes a number.
#[derive(Clone, Copy)]
enum Format {
    /// Block type 01 around what is given.
    Pkcs1,
    /// Block type 01 around a digest with its algorithm.
    DigestInfo(Hash),
    /// Zeros before what is given.
    Raw,
    Pss(Pss),
}

fn plain(params: &Params, format: Format) -> Result<Format, Error> {
    no_parameter(params)?;
    Ok(format)
}

fn pss(key: &Object, params: &Params) -> Result<Format, Error> {
    let Params::Pss { hash, mgf, salt_len } = params else { return Err(Error::MechanismParamInvalid) };
    let hash = digest::hash(*hash)?;
    let mgf = mask(*mgf)?;
    let salt_len = usize::try_from(*salt_len).map_err(|_| Error::MechanismParamInvalid)?;
    // As many bytes as one bit less than the modulus needs (RFC 8017, 8.1.1).
    let modulus = key.attributes.bytes(AttributeType::MODULUS).ok_or(Error::KeyTypeInconsistent)?;
    let encoded_len = bit_len(modulus).saturating_sub(1).div_ceil(8);
    let limit = encoded_len.checked_sub(2 + hash.output_len()).ok_or(Error::KeySizeRange)?;
    if salt_len > limit {
        return Err(Error::MechanismParamInvalid);
    }
    Ok(Format::Pss(Pss { hash, mgf, salt_len }))
}

/// PSS for a mechanism that hashes by itself: the parameter has to name the same hash.
fn pss_over(key: &Object, params: &Params, hash: Hash) -> Result<Format, Error> {
    match pss(key, params)? {
        Format::Pss(pss) if pss.hash != hash => Err(Error::MechanismParamInvalid),
        format => Ok(format),
    }
}

/// How many bits a number has.
fn bit_len(number: &[u8]) -> usize {
    let number = without_zeros(number);
    let high = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    8 * number.len() - high
}

/// A number without leading zeros.
fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

struct SigningKey {
    key: Arc<dyn PrivateKey>,
    format: Format,
}

impl Sign for SigningKey {
    fn signature_len(&self) -> usize {
        self.key.size()
    }

    fn sign(&self, input: &[u8], output: &mut [u8]) -> Result<(), Error> {
        match self.format {
            Format::Pkcs1 => put(output, &self.key.sign_pkcs1(input)?),
            Format::DigestInfo(hash) => {
                put(output, &self.key.sign_pkcs1(&[hash.digest_info_prefix(), input].concat())?)
            }
            Format::Raw => put(output, &self.key.raw(input)?),
            Format::Pss(pss) => {
                must_be_digest(input, pss.hash)?;
                put(output, &self.key.sign_pss(pss, input)?)
            }
        }
    }
}

struct CheckingKey {
    key: Arc<dyn PublicKey>,
    format: Format,
}

impl Check for CheckingKey {
    fn check(&self, input: &[u8], signature: &[u8]) -> Result<(), Error> {
        if signature.len() != self.key.size() {
            return Err(Error::Crypto(Fault::SignatureLength));
        }
        match self.format {
            Format::Pkcs1 => Ok(self.key.verify_pkcs1(input, signature)?),
            Format::DigestInfo(hash) => {
                Ok(self.key.verify_pkcs1(&[hash.digest_info_prefix(), input].concat(), signature)?)
            }
            Format::Raw => {
                let opened = open(&*self.key, signature)?;
                let zeros = opened.len().checked_sub(input.len()).ok_or(Error::Crypto(Fault::InputLength))?;
                let signed = [vec![0; zeros].as_slice(), input].concat();
                if bool::from(opened.ct_eq(&signed)) { Ok(()) } else { Err(Error::Crypto(Fault::SignatureInvalid)) }
            }
            Format::Pss(pss) => {
                must_be_digest(input, pss.hash)?;
                Ok(self.key.verify_pss(pss, input, signature)?)
            }
        }
    }
}

fn must_be_digest(input: &[u8], hash: Hash) -> Result<(), Error> {
    if input.len() == hash.output_len() { Ok(()) } else { Err(Error::Crypto(Fault::InputLength)) }
}

/// The number that was signed, as long as the modulus.
fn open(key: &dyn PublicKey, signature: &[u8]) -> Result<Vec<u8>, Error> {
    key.raw(signature).map_err(|fault| match fault {
        Fault::InputValue => Error::Crypto(Fault::SignatureInvalid),
        other => Error::Crypto(other),
    })
}

fn signing_key(key: &Object, format: Format) -> Result<SigningKey, Error> {
    Ok(SigningKey { key: Arc::clone(private(key)?), format })
}

fn checking_key(key: &Object, format: Format) -> Result<CheckingKey, Error> {
    Ok(CheckingKey { key: Arc::clone(public(key)?), format })
}

fn sign_input(key: &Object, format: Format) -> Result<Signing, Error> {
    Ok(signature::sign_whole(signing_key(key, format)?))
}

fn verify_input(key: &Object, format: Format) -> Result<Verifying, Error> {
    Ok(signature::check_whole(checking_key(key, format)?))
}

fn sign_message(key: &Object, format: Format, hash: Hash) -> Result<Signing, Error> {
    signature::sign_digested(signing_key(key, format)?, hash)
}

fn verify_message(key: &Object, format: Format, hash: Hash) -> Result<Verifying, Error> {
    signature::check_digested(checking_key(key, format)?, hash)
}

fn sign_recoverably(key: &Object, format: Format) -> Result<Box<dyn SinglePart>, Error> {
    Ok(Box::new(signing_key(key, format)?))
}

impl SinglePart for SigningKey {
    fn output_len(&self, _input_len: usize) -> usize {
        self.key.size()
    }

    fn run(&mut self, input: &[u8]) -> Result<Secret, Error> {
        let mut signature = Secret::new(vec![0; self.key.size()]);
        self.sign(input, &mut signature)?;
        Ok(signature)
    }
}

fn recover(key: &Object, format: Format) -> Result<Box<dyn SinglePart>, Error> {
    Ok(Box::new(checking_key(key, format)?))
}

/// Verification with recovery: what was signed comes out of the signature.
impl SinglePart for CheckingKey {
    fn output_len(&self, _input_len: usize) -> usize {
        match self.format {
            Format::Pkcs1 => self.key.size().saturating_sub(11),
            Format::DigestInfo(_) | Format::Raw | Format::Pss(_) => self.key.size(),
        }
    }

    fn run(&mut self, signature: &[u8]) -> Result<Secret, Error> {
        if signature.len() != self.key.size() {
            return Err(Error::Crypto(Fault::SignatureLength));
        }
        let opened = open(&*self.key, signature)?;
        match self.format {
            Format::Raw => Ok(Secret::new(opened)),
            Format::Pkcs1 => {
                let signed = block_type_1(&opened).ok_or(Error::Crypto(Fault::SignatureInvalid))?;
                Ok(Secret::new(signed.to_vec()))
            }
            Format::DigestInfo(_) | Format::Pss(_) => Err(Error::Internal("nothing to recover from a digest")),
        }
    }
}

/// What is in `00 01 FF … FF 00`, of at least eight `FF` (RFC 8017, 9.2). Nothing here is secret.
fn block_type_1(block: &[u8]) -> Option<&[u8]> {
    let filled = block.strip_prefix(&[0, 1])?;
    let fill = filled.iter().take_while(|byte| **byte == 0xff).count();
    if fill < 8 {
        return None;
    }
    filled.get(fill..)?.strip_prefix(&[0])
}

/// A temporary AES key wraps the key, and OAEP the AES key; the latter comes first.
fn wrap_with_aes(key: &Object, params: &Params, plain: &[u8]) -> Result<Vec<u8>, Error> {
    let (aes_len, oaep) = temporary(params)?;
    let temporary = random(aes_len)?;
    // That the AES key does not fit is not the fault of the key to wrap.
    let mut wrapped = oaep.encrypt(&**public(key)?, &temporary).map_err(|error| match error {
        Error::Crypto(Fault::InputLength) => Error::KeySizeRange,
        other => other,
    })?;
    wrapped.extend((SUITE.aes)(&temporary)?.wrap(KeyWrap::Kwp(KeyWrap::KWP_IV), plain)?);
    Ok(wrapped)
}

fn unwrap_with_aes(key: &Object, params: &Params, wrapped: &[u8]) -> Result<Secret, Error> {
    let (aes_len, oaep) = temporary(params)?;
    let key = private(key)?;
    let (first, second) = wrapped.split_at_checked(key.size()).ok_or(Error::Crypto(Fault::CiphertextLength))?;
    let temporary = oaep.decrypt(&**key, first)?;
    if temporary.len() != aes_len {
        return Err(Error::Crypto(Fault::CiphertextInvalid));
    }
    Ok((SUITE.aes)(&temporary)?.unwrap(KeyWrap::Kwp(KeyWrap::KWP_IV), second)?)
}

/// Length of the temporary key in bytes, and how it is wrapped.
fn temporary(params: &Params) -> Result<(usize, Scheme), Error> {
    let Params::RsaAesWrap { aes_bits, hash, mgf, label } = params else { return Err(Error::MechanismParamInvalid) };
    let len = match aes_bits {
        128 => 16,
        192 => 24,
        256 => 32,
        _ => return Err(Error::MechanismParamInvalid),
    };
    Ok((len, Scheme::Oaep { hash: digest::hash(*hash)?, mgf: mask(*mgf)?, label: label.clone() }))
}

/// 65537, which every implementation can use.
const USUAL_EXPONENT: &[u8] = &[1, 0, 1];
/// Longer public exponents are slow for everybody and safer for nobody (FIPS 186-5, A.1.1).
const MAX_EXPONENT_BITS: usize = 256;

fn generate_pair(params: &Params, public: &ObjectBuilder, _private: &ObjectBuilder) -> Result<(Parts, Parts), Error> {
    no_parameter(params)?;
    let template = public.attributes();
    let modulus_bits = AttributeType::MODULUS_BITS;
    let bits = template.number(modulus_bits).ok_or(Error::TemplateIncomplete(modulus_bits))?;
    let bits = usize::try_from(bits).ok().filter(|bits| (MIN_BITS..=MAX_BITS).contains(bits));
    let bits = bits.ok_or(Error::AttributeValueInvalid(modulus_bits))?;
    let e = exponent(template.bytes(AttributeType::PUBLIC_EXPONENT).unwrap_or(USUAL_EXPONENT))?;
    let pair = (SUITE.rsa_generate)(bits, e).map_err(|fault| match fault {
        Fault::Parameter | Fault::InputValue | Fault::Unsupported => UNUSABLE_EXPONENT,
        other => Error::Crypto(other),
    })?;
    if bit_len(&pair.n) != bits {
        return Err(Error::Crypto(Fault::Fault));
    }
    must_work(&pair)?;
    let public = vec![
        (AttributeType::MODULUS, Value::bytes(pair.n.as_slice())),
        (modulus_bits, Value::Number(bits as u64)),
        (AttributeType::PUBLIC_EXPONENT, Value::bytes(pair.e.as_slice())),
    ];
    let private = vec![
        (AttributeType::MODULUS, Value::Bytes(types::Secret::new(pair.n))),
        (AttributeType::PUBLIC_EXPONENT, Value::Bytes(types::Secret::new(pair.e))),
        (AttributeType::PRIVATE_EXPONENT, Value::Bytes(pair.d.into())),
        (AttributeType::PRIME_1, Value::Bytes(pair.p.into())),
        (AttributeType::PRIME_2, Value::Bytes(pair.q.into())),
        (AttributeType::EXPONENT_1, Value::Bytes(pair.dp.into())),
        (AttributeType::EXPONENT_2, Value::Bytes(pair.dq.into())),
        (AttributeType::COEFFICIENT, Value::Bytes(pair.qinv.into())),
    ];
    Ok((public, private))
}

const UNUSABLE_EXPONENT: Error = Error::TemplateInconsistent("this public exponent cannot be used");

/// A public exponent that a key can be made with.
fn exponent(given: &[u8]) -> Result<&[u8], Error> {
    let e = without_zeros(given);
    let odd = e.last().is_some_and(|byte| byte % 2 == 1);
    if odd && e != [1] && bit_len(e) <= MAX_EXPONENT_BITS { Ok(e) } else { Err(UNUSABLE_EXPONENT) }
}

/// What one key of a pair signs, the other must accept.
fn must_work(pair: &crypto::rsa::KeyPair) -> Result<(), Error> {
    let crt = CrtParts { p: &pair.p, q: &pair.q, dp: &pair.dp, dq: &pair.dq, qinv: &pair.qinv };
    let private = (SUITE.rsa_private)(PrivateParts { n: &pair.n, e: &pair.e, d: &pair.d, crt: Some(crt) });
    let public = (SUITE.rsa_public)(&pair.n, &pair.e);
    let signed = private.and_then(|key| key.sign_pkcs1(b"pair"));
    let checked = signed.and_then(|signature| public?.verify_pkcs1(b"pair", &signature));
    checked.map_err(|_| Error::Crypto(Fault::Fault))
}
