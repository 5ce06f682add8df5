//! Files that are encrypted by a key of a token: envelope encryption. Each file has a key of its own, and only that is
//! encrypted by the token's key.

use std::path::PathBuf;

use clap::Args;
use engine::{
    Engine, KeyState,
    blob::{Blob, Content, Wrap},
};
use types::{
    AttributeType as A, Kdf, KeyType, Mechanism, MechanismType as M, Mgf, ObjectClass, ObjectHandle, Output,
    OutputResult, Params, Rv, SessionHandle, Template, Value,
};
use zeroize::Zeroizing;

use crate::{
    answer::{Answer, done},
    context::{Context, Pair},
    fault::Fault,
    flow::{self, Input, Outlet},
    key::{self, Key, KeyChoice, hex},
    pump,
};

/// How much of a file is encrypted at a time, and what is added to it.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
const NONCE: usize = 12;
/// Length of the key of a file.
const FILE_KEY: usize = 32;

#[derive(Args)]
pub(crate) struct Crypt {
    #[command(flatten)]
    choice: KeyChoice,
    /// The file; standard input if none is given.
    file: Option<PathBuf>,
    /// Where the result goes; standard output if nothing is given.
    #[arg(long, short)]
    out: Option<PathBuf>,
    #[command(flatten)]
    context: Given,
}

/// The encryption context.
#[derive(Args)]
pub(crate) struct Given {
    /// NAME=VALUE, as often as you like: what was encrypted with it is decrypted with the same only. It is not kept with the data.
    #[arg(long)]
    pub(crate) context: Vec<Pair>,
}

impl Crypt {
    /// Whether the result goes to standard output.
    pub(crate) fn is_data(&self) -> bool {
        self.out.as_deref().is_none_or(flow::is_dash)
    }
}

impl Given {
    pub(crate) fn canonical(&self) -> Result<Vec<u8>, Fault> {
        Ok(Context::of(&self.context).map_err(Fault::Usage)?.canonical())
    }
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// The key that a blob holds.
type Opened = Result<Zeroizing<Vec<u8>>, Fault>;

/// A key of a token for which something is encrypted.
pub(crate) struct Recipient<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) session: SessionHandle,
    pub(crate) key: &'a Key,
}

fn gcm(nonce: &[u8], aad: &[u8]) -> Mechanism {
    let params = Params::Gcm { iv: nonce.to_vec(), aad: aad.to_vec(), tag_bits: TAG as u64 * 8 };
    Mechanism { id: M::AES_GCM, params }
}

fn oaep(label: &[u8]) -> Mechanism {
    let params = Params::Oaep { hash: M::SHA256, mgf: Mgf::MGF1_SHA256, label: label.to_vec() };
    Mechanism { id: M::RSA_PKCS_OAEP, params }
}

impl Recipient<'_> {
    /// How keys are wrapped for it.
    pub(crate) fn wrap(&self) -> Result<Wrap, Fault> {
        match (self.key.key_type, self.key.coordinate_len()) {
            (Some(KeyType::AES), _) => Ok(Wrap::AesGcm),
            (Some(KeyType::RSA), _) => Ok(Wrap::RsaOaep),
            (Some(KeyType::EC), Some(_)) | (Some(KeyType::EC_MONTGOMERY), _) => Ok(Wrap::Agreement),
            _ => Err(Fault::Usage(format!(
                "nothing is encrypted for key {} of kind {}: AES, RSA, X25519 and curves of NIST do",
                self.key.label, self.key.kind
            ))),
        }
    }

    fn run(
        &self,
        mechanism: &Mechanism,
        key: ObjectHandle,
        input: &[u8],
        way: Way,
    ) -> Result<Zeroizing<Vec<u8>>, engine::Error> {
        let mut output = Zeroizing::new(vec![0; input.len() + 4096]);
        let written = match way {
            Way::Encrypt => {
                self.engine.encrypt_init_with_own_nonce(self.session, mechanism, key)?;
                self.engine.encrypt(self.session, input, Output::Buffer(&mut output))?
            }
            Way::Decrypt => {
                self.engine.decrypt_init(self.session, mechanism, key)?;
                self.engine.decrypt(self.session, input, Output::Buffer(&mut output))?
            }
        };
        if let OutputResult::Written(len) = written {
            output.truncate(len);
        }
        Ok(output)
    }

    /// Wraps a key for it.
    pub(crate) fn seal(&self, content: Content, plain: &[u8], context: &[u8]) -> Result<Vec<u8>, Fault> {
        let wrap = self.wrap()?;
        // A secret key is refused below, where it is written down; a public key would do.
        if wrap != Wrap::AesGcm && self.key.state != KeyState::Enabled {
            return Err(engine::Error::KeyFunctionNotPermitted.into());
        }
        let opens = if wrap == Wrap::Agreement { "derive" } else { "decrypt" };
        if self.key.half(ObjectClass::PUBLIC_KEY).is_none_or(|_| self.key.half(ObjectClass::PRIVATE_KEY).is_some())
            && !self.key.can.contains(&opens)
        {
            // Nobody could decrypt it.
            return Err(engine::Error::KeyFunctionNotPermitted.into());
        }
        let too_long = || Fault::Usage(format!("the id of key {} is too long for a blob", self.key.label));
        let header = Blob::header(content, wrap, &self.key.id).ok_or_else(too_long)?;
        let bound = [&*header, context].concat();
        let wrapped = match wrap {
            Wrap::AesGcm => {
                let mut nonce = vec![0; NONCE];
                self.engine.random(self.session, &mut nonce)?;
                let key = self.key.must_have(ObjectClass::SECRET_KEY)?;
                let sealed = self.run(&gcm(&nonce, &bound), key, plain, Way::Encrypt)?;
                nonce.extend_from_slice(&sealed);
                nonce
            }
            Wrap::RsaOaep => {
                let key = self.key.must_have(ObjectClass::PUBLIC_KEY)?;
                // RFC 8017, 7.1.1, with SHA-256.
                let most = (self.key.bits / 8).saturating_sub(2 * 32 + 2);
                if plain.len() > most {
                    return Err(Fault::Usage(format!(
                        "key {} of kind {} encrypts {most} bytes at most, and this has {}: an AES key, or one that agrees, takes it",
                        self.key.label,
                        self.key.kind,
                        plain.len()
                    )));
                }
                self.run(&oaep(&bound), key, plain, Way::Encrypt)?.to_vec()
            }
            Wrap::Agreement => {
                let (mut wrapped, ephemeral) = self.ephemeral()?;
                let theirs = self.key.point().ok_or_else(|| Fault::Failed("the public half is not known".into()))?;
                let secret = self.agree(ephemeral, &theirs, &wrapped)?;
                let sealed = self.run(&gcm(&[0; NONCE], &bound), secret, plain, Way::Encrypt)?;
                self.engine.destroy_object(self.session, secret)?;
                self.engine.destroy_object(self.session, ephemeral)?;
                wrapped.extend_from_slice(&sealed);
                wrapped
            }
        };
        Blob { content, wrap, key_id: self.key.id.clone(), wrapped }.encode().ok_or_else(too_long)
    }

    /// The key that a blob holds, opened by the newest version of an AES key or an older one; `None` if the key is another one, or is
    /// bound to other mechanisms.
    fn open_by_any_version(&self, blob: &Blob, context: &[u8]) -> Option<Opened> {
        if blob.wrap != Wrap::AesGcm {
            return None;
        }
        let key = self.key.half(ObjectClass::SECRET_KEY).filter(|_| self.key.key_type == Some(KeyType::AES))?;
        let envelope = Mechanism { id: M::SR_ENVELOPE, params: Params::Context(context.to_vec()) };
        match self.run(&envelope, key, &blob.encode()?, Way::Decrypt) {
            Err(engine::Error::MechanismInvalid) => None,
            opened => Some(opened.map_err(|error| self.unopened(error, blob))),
        }
    }

    /// Why a blob was not opened.
    fn unopened(&self, error: engine::Error, blob: &Blob) -> Fault {
        match Rv::from(&error) {
            // A key that was taken in again may have another id: the tag decides.
            Rv::ENCRYPTED_DATA_INVALID | Rv::ENCRYPTED_DATA_LEN_RANGE if blob.key_id != self.key.id => {
                self.another(blob)
            }
            Rv::ENCRYPTED_DATA_INVALID | Rv::ENCRYPTED_DATA_LEN_RANGE => changed(),
            _ => error.into(),
        }
    }

    fn another(&self, blob: &Blob) -> Fault {
        Fault::Failed(format!(
            "it was encrypted for the key with the id {}, and key {} has the id {}",
            hex(&blob.key_id),
            self.key.label,
            hex(&self.key.id)
        ))
    }

    /// The key that a blob holds.
    fn open(&self, blob: &Blob, context: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        if blob.wrap != self.wrap()? {
            return Err(self.another(blob));
        }
        let header = Blob::header(blob.content, blob.wrap, &blob.key_id).unwrap_or_default();
        let bound = [&*header, context].concat();
        let opened = match blob.wrap {
            Wrap::AesGcm => {
                let key = self.key.must_have(ObjectClass::SECRET_KEY)?;
                let (nonce, sealed) = blob.wrapped.split_at_checked(NONCE).ok_or_else(changed)?;
                self.run(&gcm(nonce, &bound), key, sealed, Way::Decrypt)
            }
            Wrap::RsaOaep => {
                let key = self.key.must_have(ObjectClass::PRIVATE_KEY)?;
                self.run(&oaep(&bound), key, &blob.wrapped, Way::Decrypt)
            }
            Wrap::Agreement => {
                let key = self.key.must_have(ObjectClass::PRIVATE_KEY)?;
                let len = self.key.point().map_or(0, |point| point.len());
                let (point, sealed) = blob.wrapped.split_at_checked(len).ok_or_else(changed)?;
                let secret = match self.agree(key, point, point) {
                    // A point that is none.
                    Err(Fault::Engine(error)) if Rv::from(&error) == Rv::MECHANISM_PARAM_INVALID => {
                        return Err(changed());
                    }
                    other => other?,
                };
                let opened = self.run(&gcm(&[0; NONCE], &bound), secret, sealed, Way::Decrypt);
                if opened.is_err() {
                    // Of the key of the session nobody would know.
                    self.engine.note_vain_derivation(self.session, M::ECDH1_DERIVE, key)?;
                }
                self.engine.destroy_object(self.session, secret)?;
                opened
            }
        };
        opened.map_err(|error| self.unopened(error, blob))
    }

    /// An ephemeral key on the curve of this one: its point, and its private half.
    fn ephemeral(&self) -> Result<(Vec<u8>, ObjectHandle), Fault> {
        let object = self.engine.object(self.session, self.key.must_have(ObjectClass::PUBLIC_KEY)?)?;
        let params = object.attribute(A::EC_PARAMS)?.duplicate();
        let id = match self.key.key_type {
            Some(KeyType::EC_MONTGOMERY) => M::EC_MONTGOMERY_KEY_PAIR_GEN,
            _ => M::EC_KEY_PAIR_GEN,
        };
        let public: Template = vec![(A::EC_PARAMS, params), (A::PRIVATE, Value::Flag(false))];
        let private: Template = vec![(A::DERIVE, Value::Flag(true))];
        let mechanism = Mechanism { id, params: Params::None };
        let (public, private) = self.engine.generate_key_pair(self.session, &mechanism, public, private)?;
        let point = key::describe(self.engine, self.session, public)?.point();
        self.engine.destroy_object(self.session, public)?;
        Ok((point.ok_or_else(|| Fault::Failed("the ephemeral key has no point".into()))?, private))
    }

    /// What a private key and a public one agree on: an AES key (SHA-256 KDF of X9.63, with the ephemeral point).
    fn agree(&self, private: ObjectHandle, public: &[u8], ephemeral: &[u8]) -> Result<ObjectHandle, Fault> {
        let params = Params::Ecdh { kdf: Kdf::SHA256_KDF, shared: ephemeral.to_vec(), public: public.to_vec() };
        let mechanism = Mechanism { id: M::ECDH1_DERIVE, params };
        Ok(self.engine.derive_key(self.session, &mechanism, private, secret_template())?)
    }

    /// Makes the key of a file ready.
    fn file_key(&self, value: &[u8]) -> Result<ObjectHandle, Fault> {
        let mut template = secret_template();
        template.retain(|(name, _)| *name != A::VALUE_LEN);
        template.push((A::VALUE, Value::bytes(value)));
        Ok(self.engine.create_object(self.session, template)?)
    }
}

/// The key that a blob holds, opened by the key or by a version of it that was current once.
pub(crate) fn opened(
    engine: &Engine,
    session: SessionHandle,
    key: &Key,
    blob: &Blob,
    context: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let by = |key| Recipient { engine, session, key }.open(blob, context);
    // The token tries the versions of an AES key by itself. One that is bound to other mechanisms is tried as the others are.
    let at_once = Recipient { engine, session, key }.open_by_any_version(blob, context);
    let is_tried = at_once.is_some();
    let first = at_once.unwrap_or_else(|| by(key));
    // Only what could be another version's.
    if !matches!(first, Err(Fault::Failed(_))) {
        return first;
    }
    let (barred, older): (Vec<_>, Vec<_>) =
        key::older(engine, session, key)?.into_iter().partition(|version| version.is_barred());
    if !is_tried && let Some(opened) = older.iter().find_map(|version| by(version).ok()) {
        return Ok(opened);
    }
    if barred.is_empty() {
        return first;
    }
    Err(Fault::Failed(
        "it was changed, or encrypted with another context, or by a version that does nothing any more (`strongroom key versions`)"
            .into(),
    ))
}

#[derive(Clone, Copy)]
enum Way {
    Encrypt,
    Decrypt,
}

/// An AES key for this process.
fn secret_template() -> Template {
    vec![
        (A::CLASS, Value::Number(ObjectClass::SECRET_KEY.0)),
        (A::KEY_TYPE, Value::Number(KeyType::AES.0)),
        (A::VALUE_LEN, Value::Number(FILE_KEY as u64)),
        (A::ENCRYPT, Value::Flag(true)),
        (A::DECRYPT, Value::Flag(true)),
        (A::SENSITIVE, Value::Flag(true)),
    ]
}

fn changed() -> Fault {
    Fault::Failed("it was changed, or encrypted with another context".into())
}

/// The nonce of a part: its number, and whether it is the last.
fn nonce(number: u64, last: bool) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce
}

pub(crate) fn encrypt(engine: &Engine, asked: &Crypt) -> Result<Answer, Fault> {
    let Crypt { choice, file, out, context } = asked;
    let context = context.canonical()?;
    let input = Input::open(file.as_deref(), "encrypting")?;
    let (_, session, key) = choice.choose(engine)?;
    let recipient = Recipient { engine, session, key: &key };
    let mut value = Zeroizing::new(vec![0; FILE_KEY]);
    engine.random(session, &mut value)?;
    let blob = recipient.seal(Content::File, &value, &context)?;
    let file_key = recipient.file_key(&value)?;

    let mut outlet = Outlet::open(out.as_deref())?;
    outlet.put(&blob)?;
    let (name, mut number) = (input.name().to_owned(), 0);
    let outlet = pump::through(input, outlet, CHUNK, |part, last, room| {
        engine.encrypt_init_with_own_nonce(session, &gcm(&nonce(number, last), &[]), file_key)?;
        number += 1;
        written(engine.encrypt(session, part, Output::Buffer(room))?)
    })?;
    outlet.finish()?;
    done(format!("{name} is encrypted for key {}.", key.label))
}

pub(crate) fn decrypt(engine: &Engine, asked: &Crypt) -> Result<Answer, Fault> {
    let Crypt { choice, file, out, context } = asked;
    let context = context.canonical()?;
    let mut input = Input::open(file.as_deref(), "decrypting")?;
    let named = |fault: Fault, name: &str| match fault {
        Fault::Failed(why) => Fault::Failed(format!("{name} cannot be decrypted: {why}")),
        other => other,
    };
    let name = input.name().to_owned();
    let blob = Blob::read(|len| exactly(&mut input, len)).map_err(|fault: Fault| named(fault, &name))?;
    if blob.content != Content::File {
        return Err(Fault::Usage(format!("{name} is a data key's blob: `strongroom datakey decrypt` opens it")));
    }
    let (_, session, key) = choice.choose(engine)?;
    let recipient = Recipient { engine, session, key: &key };
    let value = opened(engine, session, &key, &blob, &context).map_err(|fault| named(fault, &name))?;
    let file_key = recipient.file_key(&value)?;

    let (outlet, mut number) = (Outlet::open_private(out.as_deref())?, 0);
    let outlet = pump::through(input, outlet, CHUNK + TAG, |part, last, room| {
        engine.decrypt_init(session, &gcm(&nonce(number, last), &[]), file_key)?;
        let begins = number * CHUNK as u64;
        number += 1;
        let opened = engine.decrypt(session, part, Output::Buffer(room)).map_err(|error| match Rv::from(&error) {
            Rv::ENCRYPTED_DATA_INVALID | Rv::ENCRYPTED_DATA_LEN_RANGE => {
                Fault::Failed(format!("{name} was changed or cut off; what is wrong begins at byte {begins}"))
            }
            _ => error.into(),
        })?;
        written(opened)
    })?;
    outlet.finish()?;
    done(format!("{name} is decrypted."))
}

/// How much was written.
fn written(result: OutputResult) -> Result<usize, Fault> {
    match result {
        OutputResult::Written(len) => Ok(len),
        OutputResult::Length(_) | OutputResult::TooSmall(_) => Err(Fault::Failed("a part does not fit".into())),
    }
}

fn exactly(input: &mut Input, len: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; len];
    if input.fill(&mut bytes)? == len { Ok(bytes) } else { Err(Fault::Failed("it is cut off".into())) }
}
