//! Mechanisms: one row each, facts and functions together.
//!
//! What a mechanism cannot do is `None`; its `CKF_` flags follow from what it can.

mod aes;
mod dh;
mod digest;
mod dsa;
mod ec;
mod envelope;
mod hmac;
mod mac;
mod rsa;
mod secret;
mod signature;
mod tdes;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::fixture;

use crypto::{Hash, Secret, aes::Cipher};
use types::{AttributeType, KeyType, MechanismType, ObjectClass, Params, Shape, Value};

use crate::{
    Error,
    object::{Object, ObjectBuilder},
    profile::Risk,
    wrapping::Padding,
};

/// One mechanism.
pub struct Mechanism {
    /// Its number; its name follows.
    pub id: MechanismType,
    /// What parameter it takes.
    pub shape: Shape,
    /// The smallest and the largest key as `C_GetMechanismInfo` tells them, in the unit that the
    /// specification gives for the mechanism; 0 and 0 if it uses no key.
    pub key_size: (u64, u64),
    /// Further `CKF_` flags that do not follow from the functions: those of elliptic curves.
    pub traits: u64,
    /// The types of key that it uses; empty if it uses none.
    pub(crate) keys: &'static [KeyType],
    /// The type of key that it makes (generation), if it makes one by itself.
    pub(crate) makes: Option<KeyType>,
    pub(crate) digest: Option<Hash>,
    pub(crate) encrypt: Option<Start<Transform>>,
    pub(crate) decrypt: Option<Start<Transform>>,
    /// If it encrypts message by message.
    pub(crate) message: Option<OfMessage>,
    pub(crate) sign: Option<Start<Signing>>,
    pub(crate) verify: Option<Start<Verifying>>,
    pub(crate) sign_recover: Option<Start<Box<dyn SinglePart>>>,
    pub(crate) verify_recover: Option<Start<Box<dyn SinglePart>>>,
    pub(crate) generate: Option<Generate>,
    pub(crate) generate_pair: Option<GeneratePair>,
    pub(crate) wrap: Option<Wrap>,
    pub(crate) unwrap: Option<Unwrap>,
    pub(crate) derive: Option<Derive>,
    /// The classes of keys that it wraps and unwraps; empty if it does neither.
    pub(crate) wraps: &'static [ObjectClass],
    /// How an unwrapped key lies in what `unwrap` gives.
    pub(crate) padding: Padding,
    /// Whether a wrapped key that somebody has changed is noticed.
    pub(crate) integrity: Integrity,
    /// With which versions of a key it decrypts and unwraps.
    pub(crate) versions: Versions,
    /// What decrypting with it lets be asked, if it does.
    pub(crate) oracle: Option<Risk>,
    /// What is wrong with protecting anything by it from now on, if something is.
    pub(crate) outdated: Option<Risk>,
}

/// Whether a wrapping notices a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Integrity {
    /// It does.
    Checked,
    /// It unwraps what it gets.
    Unchecked,
}

/// With which versions of a key something is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versions {
    /// With the one that the caller names.
    Named,
    /// With that one, or an older one of the same key, if that can still be used so.
    All,
}

/// The parameter for a message with this nonce, this associated data and a tag of so many bits.
pub(crate) type OfMessage = fn(Vec<u8>, Vec<u8>, u64) -> Params;
/// Begins an operation with a key.
pub(crate) type Start<T> = fn(&Object, &Params) -> Result<T, Error>;
/// Makes a secret key.
pub(crate) type Generate = fn(&Params, &ObjectBuilder) -> Result<Parts, Error>;
/// Makes a key pair, the public key first.
pub(crate) type GeneratePair = fn(&Params, &ObjectBuilder, &ObjectBuilder) -> Result<(Parts, Parts), Error>;
/// Wraps what [`crate::wrapping::to_wrap`] gives of a key.
pub(crate) type Wrap = fn(&Object, &Params, &[u8]) -> Result<Vec<u8>, Error>;
/// Gives what [`crate::wrapping::from_wrapped`] makes a key of.
pub(crate) type Unwrap = fn(&Object, &Params, &[u8]) -> Result<Secret, Error>;
/// Gives the value of a new secret key, as long as the builder says.
pub(crate) type Derive = fn(&Object, &Params, &ObjectBuilder) -> Result<Secret, Error>;

/// Attributes that making a key gives.
pub(crate) type Parts = Vec<(AttributeType, Value)>;

/// A running encryption or decryption.
pub(crate) enum Transform {
    /// In as many parts as the caller likes.
    Stream(Box<dyn Cipher>),
    /// In one part only.
    SinglePart(Box<dyn SinglePart>),
}

/// Something that is done to a whole input at once.
pub(crate) trait SinglePart: Send {
    /// How many bytes come out at most of `input_len` bytes.
    fn output_len(&self, input_len: usize) -> usize;

    fn run(&mut self, input: &[u8]) -> Result<Secret, Error>;
}

/// A running signature or MAC.
pub(crate) enum Signing {
    /// In as many parts as the caller likes.
    Stream(Box<dyn Signer>),
    /// In one part only.
    SinglePart(Box<dyn Signer>),
}

/// A running verification.
pub(crate) enum Verifying {
    /// In as many parts as the caller likes.
    Stream(Box<dyn Verifier>),
    /// In one part only.
    SinglePart(Box<dyn Verifier>),
}

/// Makes a signature or MAC. One that is [`Signing::SinglePart`] is only asked for `once`.
pub(crate) trait Signer: Send {
    /// Length of the signature in bytes, exactly.
    fn signature_len(&self) -> usize;

    fn update(&mut self, data: &[u8]) -> Result<(), Error>;

    /// Writes the signature to `output`, which has [`Signer::signature_len`] bytes.
    fn finish(&mut self, output: &mut [u8]) -> Result<(), Error>;

    /// Signs `data` in one step, when nothing was fed before.
    fn once(&mut self, data: &[u8], output: &mut [u8]) -> Result<(), Error> {
        self.update(data)?;
        self.finish(output)
    }
}

/// Checks a signature or MAC. One that is [`Verifying::SinglePart`] is only asked for `once`.
pub(crate) trait Verifier: Send {
    fn update(&mut self, data: &[u8]) -> Result<(), Error>;

    /// `Ok` if the signature is right; else [`crypto::Error::SignatureInvalid`] or
    /// [`crypto::Error::SignatureLength`].
    fn finish(&mut self, signature: &[u8]) -> Result<(), Error>;

    /// Checks a signature over `data` in one step, when nothing was fed before.
    fn once(&mut self, data: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.update(data)?;
        self.finish(signature)
    }
}

impl Mechanism {
    /// What is at risk in one of its uses.
    pub(crate) fn risks(&self, usage: AttributeType) -> impl Iterator<Item = Risk> {
        let protects = [AttributeType::ENCRYPT, AttributeType::WRAP, AttributeType::SIGN].contains(&usage);
        let oracle = self.oracle.filter(|_| usage == AttributeType::DECRYPT);
        oracle.into_iter().chain(self.outdated.filter(|_| protects))
    }

    /// Whether what it encrypts is open if a nonce comes twice.
    pub(crate) fn takes_nonce(&self) -> bool {
        self.message.is_some() || self.shape == Shape::Ctr
    }
}

/// The row of a mechanism, if it is offered.
#[must_use]
pub fn find(id: MechanismType) -> Option<&'static Mechanism> {
    // Asked twice at each use of a key, so the places of the rows with small numbers are kept by number.
    static PLACES: std::sync::OnceLock<Vec<Option<u8>>> = std::sync::OnceLock::new();
    let table = table();
    let found = |number: u64| table.binary_search_by_key(&number, |row| row.id.0).ok();
    let places = PLACES
        .get_or_init(|| (0..SMALL).map(|number| found(number).and_then(|place| u8::try_from(place).ok())).collect());
    let place = match usize::try_from(id.0).ok().and_then(|number| places.get(number)) {
        Some(place) => usize::from((*place)?),
        None => found(id.0)?,
    };
    table.get(place).copied()
}

/// Above all numbers of the specification's mechanisms that are offered.
const SMALL: u64 = 0x2200;

/// Every mechanism that is offered, in the order of the numbers.
pub fn all() -> impl ExactSizeIterator<Item = &'static Mechanism> {
    table().iter().copied()
}

fn table() -> &'static [&'static Mechanism] {
    static TABLE: std::sync::OnceLock<Vec<&'static Mechanism>> = std::sync::OnceLock::new();
    TABLE.get_or_init(|| {
        let families: [&'static [Mechanism]; 10] = [
            rsa::MECHANISMS,
            ec::MECHANISMS,
            dh::MECHANISMS,
            dsa::MECHANISMS,
            aes::MECHANISMS,
            tdes::MECHANISMS,
            secret::MECHANISMS,
            hmac::MECHANISMS,
            digest::MECHANISMS,
            envelope::MECHANISMS,
        ];
        let mut rows: Vec<_> = families.into_iter().flatten().collect();
        rows.sort_by_key(|row| row.id);
        rows
    })
}

/// Keys that have only their bytes.
const SECRET_KEYS: &[ObjectClass] = &[ObjectClass::SECRET_KEY];
/// Those, and private keys as PKCS#8.
const ALL_KEYS: &[ObjectClass] = &[ObjectClass::SECRET_KEY, ObjectClass::PRIVATE_KEY];

/// # Errors
/// [`Error::MechanismParamInvalid`] if there is a parameter.
fn no_parameter(params: &Params) -> Result<(), Error> {
    match params {
        Params::None => Ok(()),
        _ => Err(Error::MechanismParamInvalid),
    }
}

/// Puts a result into the output of a [`Signer`], which has the length that it said.
fn put(output: &mut [u8], bytes: &[u8]) -> Result<(), Error> {
    if output.len() != bytes.len() {
        return Err(Error::Crypto(crypto::Error::OutputLength));
    }
    output.copy_from_slice(bytes);
    Ok(())
}

/// Fresh random bytes that nobody has seen.
fn random(len: usize) -> Result<Secret, Error> {
    let mut bytes = crypto::room::zeros(len)?;
    (crypto::SUITE.random)(&mut bytes)?;
    Ok(bytes)
}

/// The `CKF_` bits of a mechanism's functions (PKCS#11, `CK_MECHANISM_INFO`).
mod flag {
    pub(super) const MESSAGE_ENCRYPT: u64 = 0x0000_0002;
    pub(super) const MESSAGE_DECRYPT: u64 = 0x0000_0004;
    pub(super) const MULTI_MESSAGE: u64 = 0x0000_0020;
    pub(super) const ENCRYPT: u64 = 0x0000_0100;
    pub(super) const DECRYPT: u64 = 0x0000_0200;
    pub(super) const DIGEST: u64 = 0x0000_0400;
    pub(super) const SIGN: u64 = 0x0000_0800;
    pub(super) const SIGN_RECOVER: u64 = 0x0000_1000;
    pub(super) const VERIFY: u64 = 0x0000_2000;
    pub(super) const VERIFY_RECOVER: u64 = 0x0000_4000;
    pub(super) const GENERATE: u64 = 0x0000_8000;
    pub(super) const GENERATE_KEY_PAIR: u64 = 0x0001_0000;
    pub(super) const WRAP: u64 = 0x0002_0000;
    pub(super) const UNWRAP: u64 = 0x0004_0000;
    pub(super) const DERIVE: u64 = 0x0008_0000;
}

impl Mechanism {
    /// A row that does nothing, to write rows with `..`.
    pub(crate) const BLANK: Self = Self {
        id: MechanismType(0),
        shape: Shape::None,
        key_size: (0, 0),
        traits: 0,
        keys: &[],
        makes: None,
        digest: None,
        encrypt: None,
        decrypt: None,
        message: None,
        sign: None,
        verify: None,
        sign_recover: None,
        verify_recover: None,
        generate: None,
        generate_pair: None,
        wrap: None,
        unwrap: None,
        derive: None,
        wraps: &[],
        padding: Padding::None,
        integrity: Integrity::Unchecked,
        versions: Versions::Named,
        oracle: None,
        outdated: None,
    };

    /// Whether it encrypts in messages and wraps with associated data, with parameters of the message's.
    #[must_use]
    pub fn takes_messages(&self) -> bool {
        self.message.is_some()
    }

    /// The `CKF_` flags of `C_GetMechanismInfo`.
    #[must_use]
    pub fn flags(&self) -> u64 {
        let functions = [
            (self.encrypt.is_some(), flag::ENCRYPT),
            (self.decrypt.is_some(), flag::DECRYPT),
            (self.message.is_some(), flag::MESSAGE_ENCRYPT | flag::MESSAGE_DECRYPT | flag::MULTI_MESSAGE),
            (self.digest.is_some(), flag::DIGEST),
            (self.sign.is_some(), flag::SIGN),
            (self.sign_recover.is_some(), flag::SIGN_RECOVER),
            (self.verify.is_some(), flag::VERIFY),
            (self.verify_recover.is_some(), flag::VERIFY_RECOVER),
            (self.generate.is_some(), flag::GENERATE),
            (self.generate_pair.is_some(), flag::GENERATE_KEY_PAIR),
            (self.wrap.is_some(), flag::WRAP),
            (self.unwrap.is_some(), flag::UNWRAP),
            (self.derive.is_some(), flag::DERIVE),
        ];
        functions.iter().filter(|(can, _)| *can).fold(self.traits, |flags, (_, bit)| flags | bit)
    }
}
