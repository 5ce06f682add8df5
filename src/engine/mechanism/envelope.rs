//! Envelopes: what an AES key encrypts or wraps is a blob that says by which key and how, and which `strongroom datakey` opens,
//! too. Byte by byte in `docs/format-blob.md`.

use std::sync::Arc;

use crypto::{
    Error as Fault, Secret,
    aes::{AesKey, Mode},
};
use types::{AttributeType, KeyType, MechanismType, Params, Shape};

use crate::{
    Error,
    blob::{Blob, Content, Wrap},
    object::Object,
};

use super::{ALL_KEYS, Integrity, Mechanism, SinglePart, Transform, Versions, aes};

pub(super) static MECHANISMS: &[Mechanism] = &[Mechanism {
    id: MechanismType::SR_ENVELOPE,
    shape: Shape::Context,
    key_size: (16, 32),
    keys: &[KeyType::AES],
    encrypt: Some(|key, params| Ok(Transform::SinglePart(Box::new(Sealing(Envelope::sealing(key, params)?))))),
    decrypt: Some(|key, params| Ok(Transform::SinglePart(Box::new(Opening(Envelope::of(key, params)?))))),
    wrap: Some(|key, params, plain| Envelope::sealing(key, params)?.seal(plain)),
    unwrap: Some(|key, params, wrapped| Envelope::of(key, params)?.open(wrapped)),
    wraps: ALL_KEYS,
    integrity: Integrity::Checked,
    versions: Versions::All,
    ..Mechanism::BLANK
}];

/// Lengths of what is in a blob beside id and ciphertext: what stands before the id, the length of the wrapped key, and in that
/// nonce and tag.
const BEFORE_THE_ID: usize = 7;
const LENGTH: usize = 2;
const NONCE: usize = 12;
const TAG: usize = 16;
/// More does not go into a blob, which has two bytes for the length.
const MOST: usize = u16::MAX as usize - NONCE - TAG;

/// The key by which blobs are sealed and opened, and their context.
struct Envelope {
    key: Arc<dyn AesKey>,
    /// The id that a new blob has.
    key_id: Vec<u8>,
    context: Vec<u8>,
}

impl Envelope {
    /// For a key that seals: its id must go into a blob.
    fn sealing(key: &Object, params: &Params) -> Result<Self, Error> {
        let envelope = Self::of(key, params)?;
        envelope.bound(Content::DataKey, &envelope.key_id)?;
        Ok(envelope)
    }

    fn of(key: &Object, params: &Params) -> Result<Self, Error> {
        let Params::Context(context) = params else { return Err(Error::MechanismParamInvalid) };
        let key_id = key.attributes.bytes(AttributeType::ID).unwrap_or_default().to_vec();
        Ok(Self { key: Arc::clone(aes::aes(key)?), key_id, context: context.clone() })
    }

    /// What is authenticated beside the key in a blob: its header, and the context.
    fn bound(&self, content: Content, key_id: &[u8]) -> Result<Vec<u8>, Error> {
        // A blob has one byte for the length of the id.
        let header = Blob::header(content, Wrap::AesGcm, key_id).ok_or(Error::KeySizeRange)?;
        Ok([&*header, &*self.context].concat())
    }

    /// How long the blob of so many bytes is, with an id of so many.
    fn sealed_len(len: usize, id_len: usize) -> usize {
        len.saturating_add(BEFORE_THE_ID + id_len + LENGTH + NONCE + TAG)
    }

    fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, Error> {
        if plain.len() > MOST {
            return Err(Fault::InputLength.into());
        }
        let bound = self.bound(Content::DataKey, &self.key_id)?;
        let mut wrapped = vec![0; NONCE];
        (crypto::SUITE.random)(&mut wrapped)?;
        let mode = Mode::Gcm { iv: &wrapped, aad: &bound, tag_len: TAG };
        // What the cipher makes of the key lies where keys do.
        let sealed = crypto::keys(|| aes::run(self.key.encryptor(mode)?, plain))?;
        wrapped.extend_from_slice(&sealed);
        let key_id = self.key_id.clone();
        let blob = Blob { content: Content::DataKey, wrap: Wrap::AesGcm, key_id, wrapped }.encode();
        Ok(blob.ok_or(Fault::InputLength)?)
    }

    fn open(&self, bytes: &[u8]) -> Result<Secret, Error> {
        let blob = Blob::decode(bytes).map_err(|_| Fault::CiphertextInvalid)?;
        if blob.wrap != Wrap::AesGcm {
            return Err(Fault::CiphertextInvalid.into());
        }
        let bound = self.bound(blob.content, &blob.key_id)?;
        let (nonce, sealed) = blob.wrapped.split_at_checked(NONCE).ok_or(Fault::CiphertextInvalid)?;
        let mode = Mode::Gcm { iv: nonce, aad: &bound, tag_len: TAG };
        crypto::keys(|| aes::run(self.key.decryptor(mode)?, sealed)).map_err(|error| match error {
            Error::Crypto(Fault::CiphertextLength) => Fault::CiphertextInvalid.into(),
            other => other,
        })
    }
}

struct Sealing(Envelope);

impl SinglePart for Sealing {
    fn output_len(&self, input_len: usize) -> usize {
        Envelope::sealed_len(input_len, self.0.key_id.len())
    }

    fn run(&mut self, input: &[u8]) -> Result<Secret, Error> {
        Ok(Secret::new(self.0.seal(input)?))
    }
}

struct Opening(Envelope);

impl SinglePart for Opening {
    fn output_len(&self, input_len: usize) -> usize {
        input_len.saturating_sub(Envelope::sealed_len(0, 0))
    }

    fn run(&mut self, input: &[u8]) -> Result<Secret, Error> {
        self.0.open(input)
    }
}
