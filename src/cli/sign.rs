//! Signatures, codes and digests of files and streams.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    str::FromStr,
};

use clap::Args;
use engine::{Access, Engine};
use serde_json::json;
use types::{
    AttributeType as A, KeyType, Mechanism, MechanismType as M, Mgf, ObjectClass, ObjectHandle, Output, OutputResult,
    Params, SessionHandle, Value,
};

use crate::{
    answer::{Answer, done},
    ecdsa,
    fault::Fault,
    flow::{self, Input, Outlet, PART},
    key::{self, Hex, Key, KeyChoice, hex},
    select::TokenChoice,
};

/// A way to sign.
#[derive(Clone, Copy)]
pub(crate) struct Scheme {
    name: &'static str,
    key_type: KeyType,
    /// Bytes of a number of the curve for which it is what people take; 0 if it does not matter.
    width: usize,
    id: M,
    params: fn() -> Params,
    /// Whether it takes a message of any length.
    any_length: bool,
}

const fn plain(name: &'static str, key_type: KeyType, width: usize, id: M) -> Scheme {
    Scheme { name, key_type, width, id, params: || Params::None, any_length: true }
}

macro_rules! pss {
    ($name:literal, $id:ident, $hash:ident, $mgf:ident, $len:literal) => {
        Scheme {
            params: || Params::Pss { hash: M::$hash, mgf: Mgf::$mgf, salt_len: $len },
            ..plain($name, KeyType::RSA, 0, M::$id)
        }
    };
}

/// The first that fits a key is taken if none is named.
const SIGNATURES: &[Scheme] = &[
    pss!("rsa-pss-sha256", SHA256_RSA_PKCS_PSS, SHA256, MGF1_SHA256, 32),
    pss!("rsa-pss-sha384", SHA384_RSA_PKCS_PSS, SHA384, MGF1_SHA384, 48),
    pss!("rsa-pss-sha512", SHA512_RSA_PKCS_PSS, SHA512, MGF1_SHA512, 64),
    plain("rsa-pkcs1-sha256", KeyType::RSA, 0, M::SHA256_RSA_PKCS),
    plain("rsa-pkcs1-sha384", KeyType::RSA, 0, M::SHA384_RSA_PKCS),
    plain("rsa-pkcs1-sha512", KeyType::RSA, 0, M::SHA512_RSA_PKCS),
    plain("ecdsa-sha256", KeyType::EC, 32, M::ECDSA_SHA256),
    plain("ecdsa-sha384", KeyType::EC, 48, M::ECDSA_SHA384),
    plain("ecdsa-sha512", KeyType::EC, 66, M::ECDSA_SHA512),
    Scheme { any_length: false, ..plain("ed25519", KeyType::EC_EDWARDS, 0, M::EDDSA) },
];

/// The same for codes.
const CODES: &[Scheme] = &[
    plain("hmac-sha256", KeyType::SHA256_HMAC, 0, M::SHA256_HMAC),
    plain("hmac-sha384", KeyType::SHA384_HMAC, 0, M::SHA384_HMAC),
    plain("hmac-sha512", KeyType::SHA512_HMAC, 0, M::SHA512_HMAC),
    plain("hmac-sha256", KeyType::GENERIC_SECRET, 0, M::SHA256_HMAC),
    plain("hmac-sha384", KeyType::GENERIC_SECRET, 0, M::SHA384_HMAC),
    plain("hmac-sha512", KeyType::GENERIC_SECRET, 0, M::SHA512_HMAC),
    plain("aes-cmac", KeyType::AES, 0, M::AES_CMAC),
];

/// How the bytes of a result are written.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Encoding {
    /// As they are.
    Raw,
    /// Hexadecimal digits.
    Hex,
    /// Base64.
    Base64,
}

/// How both numbers of an ECDSA signature are written.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// As OpenSSL, certificates and cloud services have them (RFC 3279).
    Der,
    /// One after the other, as PKCS#11, JWS and IEEE P1363 have them.
    Plain,
}

#[derive(Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    choice: KeyChoice,
    /// The file; standard input if none is given.
    file: Option<PathBuf>,
    /// rsa-pss-sha256 (or 384, 512), rsa-pkcs1-sha256 (or 384, 512), ecdsa-sha256 (or 384, 512), ed25519. What fits the
    /// key if none is given; RSA-PSS for RSA.
    #[arg(long)]
    scheme: Option<String>,
    /// Where the signature goes; standard output if nothing is given.
    #[arg(long, short)]
    out: Option<PathBuf>,
    /// How it is written: base64 on a terminal, raw elsewhere, if nothing is given.
    #[arg(long)]
    encoding: Option<Encoding>,
    /// How an ECDSA signature is written.
    #[arg(long, default_value = "der")]
    form: Form,
}

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    choice: KeyChoice,
    /// The file; standard input if none is given.
    file: Option<PathBuf>,
    /// The file with the signature: raw, hexadecimal digits or base64.
    #[arg(long, short)]
    signature: PathBuf,
    /// As for `sign`.
    #[arg(long)]
    scheme: Option<String>,
    /// As for `sign`.
    #[arg(long, default_value = "der")]
    form: Form,
    /// The version of the key (`key versions`); the newest if none is given.
    #[arg(long)]
    key_version: Option<u64>,
}

#[derive(Args)]
pub(crate) struct Mac {
    #[command(flatten)]
    choice: KeyChoice,
    /// The file; standard input if none is given.
    file: Option<PathBuf>,
    /// hmac-sha256, hmac-sha384, hmac-sha512 or aes-cmac. What fits the key if none is given.
    #[arg(long)]
    scheme: Option<String>,
    /// Checks this code, in hexadecimal digits, instead of printing one.
    #[arg(long)]
    check: Option<Hex>,
    /// The version of the key (`key versions`) that checks; the newest if none is given.
    #[arg(long, requires = "check")]
    key_version: Option<u64>,
}

#[derive(Args)]
pub(crate) struct Digest {
    /// The file; standard input if none is given.
    file: Option<PathBuf>,
    /// sha1, sha224, sha256, sha384 or sha512.
    #[arg(long, default_value = "sha256")]
    hash: Hash,
    #[command(flatten)]
    token: TokenChoice,
}

impl Sign {
    /// Whether the result goes to standard output, and nothing but the result.
    pub(crate) fn is_data(&self) -> bool {
        self.out.as_deref().is_some_and(flow::is_dash)
    }
}

/// A digest by its name.
#[derive(Clone, Copy)]
pub(crate) struct Hash(&'static str, M);

const HASHES: [Hash; 5] = [
    Hash("sha1", M::SHA_1),
    Hash("sha224", M::SHA224),
    Hash("sha256", M::SHA256),
    Hash("sha384", M::SHA384),
    Hash("sha512", M::SHA512),
];

impl FromStr for Hash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = || HASHES.map(|hash| hash.0).join(", ");
        HASHES.into_iter().find(|hash| hash.0 == text).ok_or_else(|| format!("digests are {}", all()))
    }
}

/// The longest signature, and the longest message that goes at once.
const MOST_SIGNATURE: usize = 8192;
const MOST_AT_ONCE: usize = 64 << 20;

impl Scheme {
    /// The scheme that is named, or what fits the key.
    fn of(
        rows: &'static [Self],
        name: Option<&str>,
        engine: &Engine,
        session: SessionHandle,
        key: &Key,
        half: ObjectHandle,
    ) -> Result<&'static Self, Fault> {
        let object = engine.object(session, half)?;
        let key_type = object.attribute(A::KEY_TYPE).ok().and_then(Value::as_number).map(KeyType);
        let width = key.coordinate_len();
        let fits = |row: &&Self| Some(row.key_type) == key_type;
        let names = || rows.iter().filter(fits).map(|row| row.name).collect::<Vec<_>>().join(", ");
        let found = match name {
            Some(name) => rows.iter().filter(fits).find(|row| row.name == name),
            // The curves with numbers of 28 bytes go with SHA-256, as those of 32.
            None => rows.iter().filter(fits).find(|row| row.width == 0 || row.width >= width.unwrap_or(0)),
        };
        found.ok_or_else(|| {
            let names = names();
            let ways = if names.is_empty() { "there is none".to_owned() } else { format!("there are {names}") };
            Fault::Usage(match name {
                Some(name) => format!("'{name}' is no way for key {} of kind {}: {ways}", key.label, key.kind),
                None => format!("key {} of kind {} does not do that", key.label, key.kind),
            })
        })
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism { id: self.id, params: (self.params)() }
    }
}

/// Feeds all of a message to `take`, in parts.
fn feed(input: &mut Input, mut take: impl FnMut(&[u8]) -> Result<(), engine::Error>) -> Result<(), Fault> {
    let mut buffer = vec![0; PART];
    loop {
        let len = input.fill(&mut buffer)?;
        take(buffer.get(..len).unwrap_or_default())?;
        if len < PART {
            return Ok(());
        }
    }
}

/// The bytes that were written to a buffer of enough room.
fn bytes(mut buffer: Vec<u8>, written: OutputResult) -> Vec<u8> {
    if let OutputResult::Written(len) = written {
        buffer.truncate(len);
    }
    buffer
}

/// A signature or code of what comes in.
fn signed(
    engine: &Engine,
    session: SessionHandle,
    scheme: &Scheme,
    half: ObjectHandle,
    input: &mut Input,
) -> Result<Vec<u8>, Fault> {
    engine.sign_init(session, &scheme.mechanism(), half)?;
    let mut signature = vec![0; MOST_SIGNATURE];
    let written = if scheme.any_length {
        feed(input, |part| engine.sign_update(session, part))?;
        engine.sign_final(session, Output::Buffer(&mut signature))?
    } else {
        engine.sign(session, &input.whole(MOST_AT_ONCE)?, Output::Buffer(&mut signature))?
    };
    Ok(bytes(signature, written))
}

/// Whether a signature or code is that of what comes in.
fn is_right(
    engine: &Engine,
    session: SessionHandle,
    scheme: &Scheme,
    half: ObjectHandle,
    input: &mut Input,
    signature: &[u8],
) -> Result<bool, Fault> {
    engine.verify_init(session, &scheme.mechanism(), half)?;
    let verdict = if scheme.any_length {
        feed(input, |part| engine.verify_update(session, part))?;
        engine.verify_final(session, signature)
    } else {
        engine.verify(session, &input.whole(MOST_AT_ONCE)?, signature)
    };
    match verdict.map_err(|error| (types::Rv::from(&error), error)) {
        Ok(()) => Ok(true),
        Err((types::Rv::SIGNATURE_INVALID | types::Rv::SIGNATURE_LEN_RANGE, _)) => Ok(false),
        Err((_, error)) => Err(error.into()),
    }
}

pub(crate) fn sign(engine: &Engine, asked: &Sign) -> Result<Answer, Fault> {
    let Sign { choice, file, scheme, out, encoding, form } = asked;
    let mut input = Input::open(file.as_deref(), "signing")?;
    let (_, session, key) = choice.choose(engine)?;
    let half = key.must_have(ObjectClass::PRIVATE_KEY)?;
    let scheme = Scheme::of(SIGNATURES, scheme.as_deref(), engine, session, &key, half)?;
    let mut signature = signed(engine, session, scheme, half, &mut input)?;
    if scheme.key_type == KeyType::EC && *form == Form::Der {
        signature = ecdsa::to_der(&signature)?;
    }
    let to_terminal = out.is_none() && io::stdout().is_terminal();
    let text = match encoding.unwrap_or(if to_terminal { Encoding::Base64 } else { Encoding::Raw }) {
        Encoding::Raw => signature.clone(),
        Encoding::Hex => format!("{}\n", hex(&signature)).into_bytes(),
        Encoding::Base64 => format!("{}\n", data_encoding::BASE64.encode(&signature)).into_bytes(),
    };
    let mut answer =
        Answer::new("", json!({ "scheme": scheme.name, "signature": data_encoding::BASE64.encode(&signature) }));
    match out {
        Some(out) => Outlet::open(Some(out))?.whole(&text)?,
        None => answer.bytes = text.into(),
    }
    Ok(answer)
}

pub(crate) fn verify(engine: &Engine, asked: &Verify) -> Result<Answer, Fault> {
    let Verify { choice, file, signature, scheme, form, key_version } = asked;
    let mut input = Input::open(file.as_deref(), "verifying")?;
    let given = Input::open(Some(signature), "")?.whole(MOST_SIGNATURE * 2)?;
    let (_, session, key) = choice.choose(engine)?;
    let key = of_version(engine, session, key, *key_version)?;
    let half = key.must_have(ObjectClass::PUBLIC_KEY)?;
    let scheme = Scheme::of(SIGNATURES, scheme.as_deref(), engine, session, &key, half)?;
    let width = key.coordinate_len().unwrap_or(0);
    let read = |bytes: Vec<u8>| match (scheme.key_type, form) {
        (KeyType::EC, Form::Der) => ecdsa::from_der(&bytes, width),
        _ => Some(bytes),
    };
    // Digits are taken for digits only if they are no signature as they are.
    let candidates = [Some(given.clone()), from_text(&given)];
    let signature = candidates.into_iter().flatten().filter_map(read).find(|bytes| {
        scheme.key_type == KeyType::RSA && bytes.len() == key.bits / 8
            || scheme.key_type == KeyType::EC && bytes.len() == 2 * width
            || scheme.key_type == KeyType::EC_EDWARDS && bytes.len() == 64
    });
    let right = match &signature {
        Some(signature) => is_right(engine, session, scheme, half, &mut input, signature)?,
        None => false,
    };
    if right {
        done(format!("The signature of {} is right ({}).", input.name(), scheme.name))
    } else {
        let why = if signature.is_none() { ", and has not even the form of one" } else { "" };
        Err(Fault::Failed(format!("the signature of {} is WRONG{why} ({})", input.name(), scheme.name)))
    }
}

/// A version of a key.
pub(crate) fn of_version(
    engine: &Engine,
    session: SessionHandle,
    key: Key,
    version: Option<u64>,
) -> Result<Key, Fault> {
    match version {
        None => Ok(key),
        Some(version) if version == key.version => Ok(key),
        Some(version) => {
            let older = key::older(engine, session, &key)?;
            let found = older.into_iter().find(|older| older.version == version);
            found.ok_or_else(|| {
                Fault::NotFound(format!(
                    "key {} has no version {version}: `strongroom key versions` has all",
                    key.label
                ))
            })
        }
    }
}

/// What hexadecimal digits or base64 stand for.
pub(crate) fn from_text(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let hex = data_encoding::HEXLOWER_PERMISSIVE.decode(&text);
    hex.or_else(|_| data_encoding::BASE64.decode(&text)).ok()
}

pub(crate) fn mac(engine: &Engine, asked: &Mac) -> Result<Answer, Fault> {
    let Mac { choice, file, scheme, check, key_version } = asked;
    let mut input = Input::open(file.as_deref(), "computing the code")?;
    let (_, session, key) = choice.choose(engine)?;
    let key = of_version(engine, session, key, *key_version)?;
    let half = key.must_have(ObjectClass::SECRET_KEY)?;
    let scheme = Scheme::of(CODES, scheme.as_deref(), engine, session, &key, half)?;
    match check {
        Some(Hex(code)) => {
            if is_right(engine, session, scheme, half, &mut input, code)? {
                done(format!("The code of {} is right ({}).", input.name(), scheme.name))
            } else {
                Err(Fault::Failed(format!("the code of {} is WRONG ({})", input.name(), scheme.name)))
            }
        }
        None => {
            let code = hex(&signed(engine, session, scheme, half, &mut input)?);
            Ok(Answer::new(code.clone(), json!({ "scheme": scheme.name, "hex": code })))
        }
    }
}

pub(crate) fn digest(engine: &Engine, asked: &Digest) -> Result<Answer, Fault> {
    let Digest { file, hash: Hash(name, id), token } = asked;
    let mut input = Input::open(file.as_deref(), "computing the digest")?;
    let token = token.choose(engine)?;
    let session = engine.open_session(token.slot, Access::ReadOnly)?;
    engine.digest_init(session, &Mechanism { id: *id, params: Params::None })?;
    feed(&mut input, |part| engine.digest_update(session, part))?;
    let mut digest = vec![0; 64];
    let written = engine.digest_final(session, Output::Buffer(&mut digest))?;
    let digest = hex(&bytes(digest, written));
    Ok(Answer::new(digest.clone(), json!({ "hash": name, "hex": digest })))
}
