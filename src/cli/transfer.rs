//! Keys on their way into a token and out of it: import, export, copies, wrapped keys.

use std::path::PathBuf;

use clap::Args;
use engine::{Engine, Error};
use pkcs8::PrivateKeyInfoRef;
use serde_json::json;
use types::{
    AttributeType as A, KeyType, Mechanism, MechanismType as M, Mgf, ObjectClass, ObjectHandle, Output, Params,
    SessionHandle, Template, Value,
};
use x509_cert::{
    der::{Decode, Encode, asn1::OctetString},
    spki::{ObjectIdentifier, SubjectPublicKeyInfoRef},
};
use zeroize::Zeroizing;

use crate::{
    answer::{Answer, done},
    carrier::{Carrier, MOST_WRAPPED, shorten, wrapped},
    cert,
    export::{self, Format, Half, Subject, Written},
    fault::Fault,
    flow::{self, Input, Outlet},
    formats::{self, Found, Private, RsaPublicKey},
    key::{self, Hex, Key, KeyChoice, Traits, hex},
    kind::{self, Kind},
    pin::Source,
    select::UserLogin,
    sign::Encoding,
};

#[derive(Args)]
pub(crate) struct Import {
    /// The file: PKCS#8, PKCS#1, SEC1, PKCS#12, OpenSSH, JWK, a public key or a certificate, PEM or DER. With --kind, the bytes
    /// of a secret key: raw, hexadecimal digits or base64. `-` is standard input.
    file: PathBuf,
    /// The label of the key.
    #[arg(long, short)]
    label: String,
    /// The kind of a secret key, as for `key create`.
    #[arg(long, short)]
    kind: Option<Kind>,
    /// How the bytes of a secret key are written in the file. Whatever has the right length if nothing is given, and the answer
    /// says what that was.
    #[arg(long, requires = "kind")]
    encoding: Option<Encoding>,
    #[command(flatten)]
    traits: Traits,
    /// Where the password of the file comes from, if it has one.
    #[arg(long, default_value = "prompt")]
    password: Source,
    #[command(flatten)]
    login: UserLogin,
}

#[derive(Args)]
pub(crate) struct Export {
    #[command(flatten)]
    choice: KeyChoice,
    /// The private half too, under a password, or the bytes of a secret key. It must have been made --extractable.
    #[arg(long)]
    private: bool,
    /// How it is written: spki for a public key, pkcs8 for a private one, and base64 for the bytes of a secret key if nothing is
    /// given.
    #[arg(long)]
    format: Option<Format>,
    /// Where the new password of the file comes from: env:NAME, file:PATH, fd:NUMBER, cmd:COMMAND or prompt.
    #[arg(long, default_value = "prompt")]
    password: Source,
    /// Without a password: whoever reads the file has the key.
    #[arg(long, requires = "private")]
    plain: bool,
    /// Where it goes; standard output if nothing is given.
    #[arg(long, short)]
    out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Copy {
    #[command(flatten)]
    choice: KeyChoice,
    /// The label of the copy.
    label: String,
    /// The id of the copy. Without one, a pair has the same, which is made of its public key, and a secret key a random one.
    #[arg(long)]
    id: Option<Hex>,
    /// The copy cannot leave the token, also if the key can.
    #[arg(long)]
    not_extractable: bool,
}

#[derive(Args)]
pub(crate) struct Wrap {
    #[command(flatten)]
    choice: KeyChoice,
    /// The key that wraps: its label, or id:HEX.
    #[arg(long)]
    by: String,
    /// aes-kwp for an AES key (RFC 5649), rsa-aes for an RSA key (any key), rsa-oaep (a secret key). What fits the wrapping key
    /// if none is given.
    #[arg(long)]
    scheme: Option<Scheme>,
    /// Where it goes; standard output if nothing is given.
    #[arg(long, short)]
    out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Unwrap {
    /// The file with the wrapped key; `-` is standard input.
    file: PathBuf,
    /// The key that unwraps: its label, or id:HEX.
    #[arg(long)]
    by: String,
    /// As for `key wrap`.
    #[arg(long)]
    scheme: Option<Scheme>,
    /// The kind of the key that was wrapped, as for `key create`.
    #[arg(long, short)]
    kind: Kind,
    /// The label of the key.
    #[arg(long, short)]
    label: String,
    #[command(flatten)]
    traits: Traits,
    #[command(flatten)]
    login: UserLogin,
}

impl Export {
    /// Whether the result goes to standard output, and nothing but the result.
    pub(crate) fn is_data(&self) -> bool {
        self.out.as_deref().is_some_and(flow::is_dash)
    }
}

impl Wrap {
    /// Whether the result goes to standard output, and nothing but the result.
    pub(crate) fn is_data(&self) -> bool {
        self.out.as_deref().is_some_and(flow::is_dash)
    }
}

/// A way to wrap a key.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scheme {
    /// AES key wrap with padding (RFC 5649).
    AesKwp,
    /// RSA-OAEP with SHA-256 of an AES key, and that wraps.
    RsaAes,
    /// RSA-OAEP with SHA-256.
    RsaOaep,
}

impl Scheme {
    fn of(asked: Option<Self>, by: &Key) -> Result<Self, Fault> {
        match (by.key_type, asked) {
            (Some(KeyType::AES), None | Some(Self::AesKwp)) => Ok(Self::AesKwp),
            (Some(KeyType::RSA), None) => Ok(Self::RsaAes),
            (Some(KeyType::RSA), Some(scheme)) if scheme != Self::AesKwp => Ok(scheme),
            _ => Err(Fault::Usage(format!("key {} of kind {} does not wrap in this way", by.label, by.kind))),
        }
    }

    pub(crate) fn mechanism(self) -> Mechanism {
        let (hash, mgf, label) = (M::SHA256, Mgf::MGF1_SHA256, Vec::new());
        match self {
            Self::AesKwp => Mechanism { id: M::AES_KEY_WRAP_KWP, params: Params::None },
            Self::RsaOaep => Mechanism { id: M::RSA_PKCS_OAEP, params: Params::Oaep { hash, mgf, label } },
            Self::RsaAes => {
                Mechanism { id: M::RSA_AES_KEY_WRAP, params: Params::RsaAesWrap { aes_bits: 256, hash, mgf, label } }
            }
        }
    }
}

/// Label, id and what may be done with it, of a token key.
pub(crate) fn common(label: &str, id: &[u8]) -> Template {
    vec![(A::TOKEN, Value::Flag(true)), (A::LABEL, Value::bytes(label)), (A::ID, Value::bytes(id))]
}

fn guarded(extractable: bool) -> Template {
    vec![(A::EXTRACTABLE, Value::Flag(extractable)), (A::SENSITIVE, Value::Flag(true))]
}

/// The type of key that an algorithm is for.
fn key_type(oid: ObjectIdentifier) -> Result<KeyType, Fault> {
    let types = [
        (formats::RSA, KeyType::RSA),
        (formats::EC, KeyType::EC),
        (formats::ED25519, KeyType::EC_EDWARDS),
        (formats::X25519, KeyType::EC_MONTGOMERY),
    ];
    let found = types.into_iter().find(|(known, _)| *known == oid).map(|(_, key_type)| key_type);
    found.ok_or_else(|| Fault::Usage(format!("keys of the algorithm {oid} are not offered")))
}

/// The public half of a key as an object, from its SubjectPublicKeyInfo.
pub(crate) fn public_parts(info: &[u8]) -> Result<(KeyType, Template), Fault> {
    let bad = |why: &dyn std::fmt::Display| Fault::Usage(format!("the public key cannot be read: {why}"));
    let public = SubjectPublicKeyInfoRef::try_from(info).map_err(|why| bad(&why))?;
    let key_type = key_type(public.algorithm.oid)?;
    let bits = public.subject_public_key.raw_bytes();
    let mut template: Template =
        vec![(A::CLASS, Value::Number(ObjectClass::PUBLIC_KEY.0)), (A::KEY_TYPE, Value::Number(key_type.0))];
    if key_type == KeyType::RSA {
        let RsaPublicKey { n, e } = RsaPublicKey::from_der(bits).map_err(|why| bad(&why))?;
        template.push((A::MODULUS, Value::bytes(n.as_bytes())));
        template.push((A::PUBLIC_EXPONENT, Value::bytes(e.as_bytes())));
    } else {
        let params = match (key_type, &public.algorithm.parameters) {
            (KeyType::EC, Some(params)) => params.to_der(),
            _ => public.algorithm.oid.to_der(),
        };
        let point = OctetString::new(bits).and_then(|point| point.to_der()).map_err(|why| bad(&why))?;
        template.push((A::EC_PARAMS, Value::bytes(params.map_err(|why| bad(&why))?)));
        template.push((A::EC_POINT, Value::bytes(point)));
    }
    Ok((key_type, template))
}

/// The SHA-1 of a public key: the id that a pair gets which is made in a token.
pub(crate) fn id_of(engine: &Engine, session: SessionHandle, info: &[u8]) -> Result<Vec<u8>, Fault> {
    engine.digest_init(session, &Mechanism { id: M::SHA_1, params: Params::None })?;
    let mut id = vec![0; 20];
    let written = engine.digest(session, info, Output::Buffer(&mut id))?;
    shorten(&mut id, written);
    Ok(id)
}

/// Refuses what is in the token already.
fn must_be_new(engine: &Engine, session: SessionHandle, info: &[u8], class: ObjectClass) -> Result<(), Fault> {
    let same = key::all(engine, session)?.into_iter().find(|key| key.info == info && key.half(class).is_some());
    match same {
        Some(key) => Err(Fault::Usage(format!("it is in the token already: {} (id:{})", key.label, hex(&key.id)))),
        None => Ok(()),
    }
}

pub(crate) fn import(engine: &Engine, asked: &Import) -> Result<Answer, Fault> {
    let Import { file, label, kind, encoding, traits, password, login } = asked;
    let Traits { id, can, extractable } = traits;
    let mut input = Input::open(Some(file), "")?;
    let bytes = Zeroizing::new(input.whole(MOST_WRAPPED)?);
    let name = input.name().to_owned();
    let asks = || password.read("Password of the file");
    let (found, taken) = match kind {
        Some(kind) if encoding.is_some() || !is_json(&bytes, kind) => {
            let (value, taken) = secret_bytes(&name, &bytes, kind, *encoding)?;
            (Found::Secret(value), Some(taken))
        }
        _ => (formats::read(&name, &bytes, &asks)?, None),
    };
    let (token, session) = login.log_in(engine)?;
    let given = id.as_ref().map(|Hex(id)| id.clone());
    let public_only = matches!(found, Found::Public(_));
    let made = match found {
        Found::Secret(value) => {
            let kind = match kind {
                Some(kind) => *kind,
                None => {
                    return Err(Fault::Usage(format!("{name} is a secret key: --kind says which, aes-256 for one")));
                }
            };
            let (value, _) = secret_bytes(&name, &value, &kind, Some(Encoding::Raw))?;
            let (_, flags) = kind.flags(can).map_err(Fault::Usage)?;
            let random = key::random_id(engine, session)?;
            let template =
                common(label, &given.unwrap_or(random)).into_iter().chain(flags).chain(guarded(*extractable));
            let value = [(A::VALUE, Value::bytes(value.as_slice()))];
            engine.create_object(session, template.chain(kind.class_and_type()).chain(value).collect())?
        }
        Found::Public(info) => {
            must_be_new(engine, session, &info, ObjectClass::PUBLIC_KEY)?;
            let (key_type, parts) = public_parts(&info)?;
            let (flags, _) = kind::like(key_type)?.flags(can).map_err(Fault::Usage)?;
            let id = given.map_or_else(|| id_of(engine, session, &info), Ok)?;
            let template = parts.into_iter().chain(common(label, &id)).chain(flags).collect();
            engine.create_object(session, template).map_err(|error| unfit(error, &name))?
        }
        Found::Private(private) => {
            let made = bring_pair(engine, session, &private, &name, asked)?;
            let id = key::describe(engine, session, made)?.id;
            for certificate in private.certificates {
                // A certificate of the chain is not the key's.
                cert::keep_of(engine, session, &certificate, label, &id, made)?;
            }
            made
        }
    };
    let made = key::describe(engine, session, made)?;
    let words = match (public_only, *extractable) {
        (true, _) => " Only its public half was in the file.",
        (false, true) => "",
        (false, false) => " The file still has it: delete it if the token's copy is to be the only one.",
    };
    let taken = match taken {
        None => "",
        Some(Encoding::Raw) => " The file was taken as the bytes themselves.",
        Some(Encoding::Hex) => " The file was taken as hexadecimal digits.",
        Some(Encoding::Base64) => " The file was taken as base64.",
    };
    Ok(Answer::new(
        format!("Key {label} of kind {} is in token {}.{taken}{words}", made.kind, token.label),
        made.told(engine, &token)?,
    ))
}

/// What the token says of a key from a file that is none.
fn unfit(error: Error, name: &str) -> Fault {
    match error {
        Error::WrappedKeyInvalid | Error::AttributeValueInvalid(_) => Fault::Usage(format!(
            "{name}: no such key can be: a number in it is out of range, or a point is not on the curve, or its parts do not belong \
             together"
        )),
        other => other.into(),
    }
}

/// Both halves of a pair from a PKCS#8, or none of them. Gives the private one.
fn bring_pair(
    engine: &Engine,
    session: SessionHandle,
    found: &Private,
    name: &str,
    asked: &Import,
) -> Result<ObjectHandle, Fault> {
    let Import { label, traits: Traits { id, can, extractable }, .. } = asked;
    let oid = PrivateKeyInfoRef::from_der(&found.info)
        .map_err(|why| Fault::Usage(format!("no PKCS#8: {why}")))?
        .algorithm
        .oid;
    let key_type = key_type(oid)?;
    let (public_flags, flags) = kind::like(key_type)?.flags(can).map_err(Fault::Usage)?;
    let class = [
        (A::CLASS, Value::Number(ObjectClass::PRIVATE_KEY.0)),
        (A::KEY_TYPE, Value::Number(key_type.0)),
        (A::TOKEN, Value::Flag(false)),
    ];
    let carrier = Carrier::new(engine, session)?;
    // First for this process only: its id follows from what the token finds its public half to be.
    let template: Template = class.into_iter().chain(flags).chain(guarded(*extractable)).collect();
    let passing = carrier.bring_in(&found.info, template).map_err(|fault| match fault {
        Fault::Engine(error) => unfit(error, name),
        other => other,
    })?;
    let public = key::describe(engine, session, passing)?.info;
    let derived = SubjectPublicKeyInfoRef::try_from(&*public).map_err(|why| Fault::Failed(why.to_string()))?;
    if !found.belongs_to(derived.subject_public_key.raw_bytes()) {
        return Err(Fault::Usage(format!(
            "{name}: the public half in it is not that of the private value: it is damaged, or of two keys"
        )));
    }
    must_be_new(engine, session, &public, ObjectClass::PRIVATE_KEY)?;
    let id = id.as_ref().map_or_else(|| id_of(engine, session, &public), |Hex(id)| Ok(id.clone()))?;
    let private = engine.copy_object(session, passing, common(label, &id))?;
    engine.destroy_object(session, passing)?;
    let half = || -> Result<(), Fault> {
        let (_, parts) = public_parts(&public)?;
        let there = key::all(engine, session)?
            .into_iter()
            .any(|key| key.info == public && key.half(ObjectClass::PUBLIC_KEY).is_some());
        if !there {
            engine.create_object(session, parts.into_iter().chain(common(label, &id)).chain(public_flags).collect())?;
        }
        Ok(())
    };
    match half() {
        Ok(()) => Ok(private),
        Err(fault) => {
            engine.destroy_object(session, private)?;
            Err(fault)
        }
    }
}

/// Whether what should be a secret key is JSON, and not bytes that look like it.
fn is_json(bytes: &[u8], kind: &Kind) -> bool {
    kind.secret_len().is_some_and(|len| len != bytes.len()) && bytes.trim_ascii_start().first() == Some(&b'{')
}

/// The bytes of a secret key, and how they were written: as is asked for, or as has the right length.
fn secret_bytes(
    name: &str,
    bytes: &[u8],
    kind: &Kind,
    asked: Option<Encoding>,
) -> Result<(Zeroizing<Vec<u8>>, Encoding), Fault> {
    let Some(len) = kind.secret_len() else {
        return Err(Fault::Usage(format!(
            "a key of kind {} is no secret key: without --kind, the file says what it is",
            kind.name
        )));
    };
    let text: Zeroizing<Vec<u8>> =
        Zeroizing::new(bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect());
    let read = |encoding| match encoding {
        Encoding::Raw => Some(bytes.to_vec()),
        Encoding::Hex => data_encoding::HEXLOWER_PERMISSIVE.decode(&text).ok(),
        Encoding::Base64 => data_encoding::BASE64.decode(&text).ok(),
    };
    let fits = |encoding: &Encoding| asked.is_none_or(|asked| asked == *encoding);
    let ways = [Encoding::Raw, Encoding::Hex, Encoding::Base64].into_iter().filter(fits);
    let found = ways.filter_map(|way| Some((Zeroizing::new(read(way)?), way))).find(|(value, _)| value.len() == len);
    found.ok_or_else(|| {
        let or = match asked {
            None => ", nor digits or base64 of them",
            Some(Encoding::Raw) => "",
            Some(Encoding::Hex) => " in hexadecimal digits",
            Some(Encoding::Base64) => " in base64",
        };
        Fault::Usage(format!("{name} has not the {len} bytes of a key of kind {}{or}", kind.name))
    })
}

pub(crate) fn export(engine: &Engine, asked: &Export) -> Result<Answer, Fault> {
    let Export { choice, private, format, password, plain, out } = asked;
    let (_, session, key) = choice.choose(engine)?;
    let half = if *private { Half::Private } else { Half::Public };
    let secret = key.half(ObjectClass::SECRET_KEY).filter(|_| *private);
    let written = if let Some(secret) = secret {
        if !plain {
            let why = "the bytes of a secret key are not written under a password: --plain, or `strongroom key wrap`";
            return Err(Fault::Usage(why.into()));
        }
        export::secret(*format, &key.kind, &Carrier::new(engine, session)?.bring_out(secret)?)?
    } else {
        let private = private.then(|| key.must_have(ObjectClass::PRIVATE_KEY)).transpose()?;
        let info = key.public_key_info(engine, session).ok_or_else(|| {
            Fault::Usage(format!(
                "key {} has no public half; `--private` exports a secret key that may leave",
                key.label
            ))
        })?;
        let subject = Subject { label: &key.label, id: &key.id, kind: &key.kind, info: &info };
        let format = format.unwrap_or(Format::usual(half));
        // Before somebody types a password for nothing.
        format.must_fit(half, &subject)?;
        match private {
            None => export::public(format, &subject)?,
            Some(private) => {
                format.must_be_guarded(*plain)?;
                let value = Carrier::new(engine, session)?.bring_out(private)?;
                let password = (!plain).then(|| password.read_new("New password of the file")).transpose()?;
                let certificates = cert::all(engine, session)?.into_iter().filter(|found| found.id == key.id);
                let certificates: Vec<Vec<u8>> = certificates.map(|found| found.bytes).collect();
                let mut random = [0; 32];
                engine.random(session, &mut random)?;
                export::private(format, &subject, &value, password.as_ref(), &certificates, &random)?
            }
        }
    };
    let Written { bytes, data } = written;
    match out {
        None => Ok(Answer { bytes, ..Answer::new("", data) }),
        Some(path) => {
            let outlet = if *private { Outlet::open_private(Some(path))? } else { Outlet::open(Some(path))? };
            outlet.whole(&bytes)?;
            Ok(Answer::new("", data))
        }
    }
}

pub(crate) fn copy(engine: &Engine, asked: &Copy) -> Result<Answer, Fault> {
    let Copy { choice, label, id, not_extractable } = asked;
    let (token, session, key) = choice.choose(engine)?;
    let mut given = id.as_ref().map(|Hex(id)| id.clone());
    if given.is_none() && key.half(ObjectClass::SECRET_KEY).is_some() {
        // What is encrypted names its key by this: two of one id could not be told apart.
        given = Some(key::random_id(engine, session)?);
    }
    let mut made: Vec<ObjectHandle> = Vec::new();
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::SECRET_KEY, ObjectClass::PUBLIC_KEY] {
        let Some(half) = key.half(class) else { continue };
        let mut template = vec![(A::LABEL, Value::bytes(label.as_str()))];
        template.extend(given.as_ref().map(|id| (A::ID, Value::bytes(id.as_slice()))));
        if *not_extractable && class != ObjectClass::PUBLIC_KEY {
            template.push((A::EXTRACTABLE, Value::Flag(false)));
        }
        match engine.copy_object(session, half, template) {
            Ok(copy) => made.push(copy),
            Err(fault) => {
                // Both halves or none.
                for copy in made {
                    engine.destroy_object(session, copy)?;
                }
                return Err(fault.into());
            }
        }
    }
    done(format!("Key {} is copied to {label} in token {}.", key.label, token.label))
}

pub(crate) fn wrap(engine: &Engine, asked: &Wrap) -> Result<Answer, Fault> {
    let Wrap { choice, by, scheme, out } = asked;
    let (token, session, key) = choice.choose(engine)?;
    let by = key::choose_in(engine, session, &token, by)?;
    let scheme = Scheme::of(*scheme, &by)?;
    let wrapping = match scheme {
        Scheme::AesKwp => by.must_have(ObjectClass::SECRET_KEY)?,
        Scheme::RsaAes | Scheme::RsaOaep => by.must_have(ObjectClass::PUBLIC_KEY)?,
    };
    let half = key.half(ObjectClass::SECRET_KEY).map_or_else(|| key.must_have(ObjectClass::PRIVATE_KEY), Ok)?;
    let wrapped = wrapped(engine, session, &scheme.mechanism(), wrapping, half)?;
    let data = json!({ "base64": data_encoding::BASE64.encode(&wrapped) });
    match out {
        None => Ok(Answer { bytes: wrapped.into(), ..Answer::new("", data) }),
        Some(path) => {
            Outlet::open(Some(path))?.whole(&wrapped)?;
            Ok(Answer::new(format!("Key {} is wrapped by {}.", key.label, by.label), data))
        }
    }
}

pub(crate) fn unwrap(engine: &Engine, asked: &Unwrap) -> Result<Answer, Fault> {
    let Unwrap { file, by, scheme, kind, label, traits: Traits { id, can, extractable }, login } = asked;
    let wrapped = Input::open(Some(file), "")?.whole(MOST_WRAPPED)?;
    let (token, session) = login.log_in(engine)?;
    let by = key::choose_in(engine, session, &token, by)?;
    let scheme = Scheme::of(*scheme, &by)?;
    let unwrapping = match scheme {
        Scheme::AesKwp => by.must_have(ObjectClass::SECRET_KEY)?,
        Scheme::RsaAes | Scheme::RsaOaep => by.must_have(ObjectClass::PRIVATE_KEY)?,
    };
    let (_, flags) = kind.flags(can).map_err(Fault::Usage)?;
    let mut template: Template = kind.class_and_type();
    let mut given = id.as_ref().map(|Hex(id)| id.clone());
    if given.is_none() && kind.secret_len().is_some() {
        given = Some(key::random_id(engine, session)?);
    }
    template.extend(common(label, &given.clone().unwrap_or_default()));
    template.extend(flags);
    template.extend(guarded(*extractable));
    let made = engine.unwrap_key(session, &scheme.mechanism(), unwrapping, &wrapped, template)?;
    let info = key::describe(engine, session, made)?.info;
    if given.is_none() && !info.is_empty() {
        engine.set_attributes(session, made, vec![(A::ID, Value::bytes(id_of(engine, session, &info)?))])?;
    }
    let made = key::describe(engine, session, made)?;
    Ok(Answer::new(
        format!("Key {label} of kind {} is in token {}.", made.kind, token.label),
        made.told(engine, &token)?,
    ))
}
