//! The token's log: entries of the audit, sealed each by itself, and what the sealed header knows of them.

use std::sync::Arc;

use crypto::{SUITE, edwards::Curve};
use store::{Change, LogEntry, Serial};
use types::Buffer;

use super::{
    bytes::{Reader, Sink},
    seal::{self, AES_256_GCM, Key, NONCE_LEN, TAG_LEN},
    token_header::FORMAT,
};
use crate::{
    Error,
    audit::{self, BEFORE_THE_FIRST, Event, Link},
};

/// What the sealed header knows of the log.
#[derive(Clone)]
pub(super) struct Log {
    /// How many entries there are.
    pub(super) size: u64,
    /// The link of the last one.
    pub(super) last: Link,
    keys: Arc<LogKeys>,
}

/// What entries are sealed with, and what signs checkpoints.
struct LogKeys {
    /// Each with the number of the first entry that it seals.
    sealing: Vec<(u64, Key)>,
    /// The seed of an Ed25519 key.
    signing: Key,
}

impl Log {
    /// Without entries.
    pub(super) fn new() -> Result<Self, Error> {
        let keys = LogKeys { sealing: vec![(1, Key::random()?)], signing: Key::random()? };
        Ok(Self { size: 0, last: BEFORE_THE_FIRST, keys: Arc::new(keys) })
    }

    /// With another key for what follows: the token's keys are exchanged.
    pub(super) fn under_a_new_key(&self) -> Result<Self, Error> {
        let mut sealing: Vec<_> = self.keys.sealing.iter().map(|(from, key)| (*from, key.duplicate())).collect();
        sealing.push((self.next(), Key::random()?));
        let keys = LogKeys { sealing, signing: self.keys.signing.duplicate() };
        Ok(Self { keys: Arc::new(keys), ..self.clone() })
    }

    fn next(&self) -> u64 {
        self.size.saturating_add(1)
    }

    /// Adds an entry, and gives the change that writes it.
    pub(super) fn append(&mut self, serial: &Serial, who: &str, event: &Event) -> Result<Change, Error> {
        let number = self.next();
        let text = match event.is_checkpoint() {
            false => event.text(number, who),
            true => event.signed_text(number, who, |text| {
                self.sign(&audit::signed(serial.as_str(), &audit::link(&self.last, number, text)))
            })?,
        };
        let (_, key) = self.keys.sealing.last().ok_or(Error::Internal("a log has no key"))?;
        let nonce: [u8; NONCE_LEN] = seal::random()?;
        let mut body = text.clone().into_bytes();
        let tag = key.seal(&nonce, &bound(serial, number), &mut body)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + body.len() + TAG_LEN);
        sealed.put(&[AES_256_GCM]);
        sealed.put(&nonce);
        sealed.put(&body);
        sealed.put(&tag);
        self.last = audit::link(&self.last, number, &text);
        self.size = number;
        Ok(Change::Append(number, sealed))
    }

    /// Signs with the key that signs checkpoints.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let key = (SUITE.edwards_private)(Curve::Ed25519, self.keys.signing.expose())?;
        Ok(key.sign(message)?)
    }

    /// The public key that checks checkpoints.
    pub(super) fn public_key(&self) -> Result<Vec<u8>, Error> {
        Ok((SUITE.edwards_private)(Curve::Ed25519, self.keys.signing.expose())?.public())
    }

    /// The text of an entry; `None` if it is not what was written under this number.
    pub(super) fn open(&self, serial: &Serial, (number, sealed): &LogEntry) -> Option<String> {
        // The last key of those that were there by then.
        let (_, key) = self.keys.sealing.iter().rev().find(|(from, _)| from <= number)?;
        let (&algorithm, rest) = sealed.split_first()?;
        if algorithm != AES_256_GCM {
            return None;
        }
        let (rest, tag) = rest.split_last_chunk::<TAG_LEN>()?;
        let (nonce, body) = rest.split_first_chunk()?;
        let mut body = body.to_vec();
        key.open(nonce, &bound(serial, *number), &mut body, tag)?;
        String::from_utf8(body).ok()
    }

    /// As it stands in the sealed header.
    pub(super) fn encode(&self) -> Buffer {
        let Self { size, last, keys } = self;
        let mut out = Vec::with_capacity(72 + 40 * keys.sealing.len());
        out.put(&size.to_be_bytes());
        out.put(last);
        out.put(keys.signing.expose());
        for (from, key) in &keys.sealing {
            out.put(&from.to_be_bytes());
            out.put(key.expose());
        }
        Buffer::new(out)
    }

    /// `None` if it is cut off.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let (size, last, signing) = (reader.u64()?, reader.array()?, key(reader)?);
        let mut sealing = Vec::new();
        while !reader.is_empty() {
            sealing.push((reader.u64()?, key(reader)?));
        }
        Some(Self { size, last, keys: Arc::new(LogKeys { sealing, signing }) })
    }
}

fn key(reader: &mut Reader<'_>) -> Option<Key> {
    let mut key = Key::blank();
    key.expose_mut().copy_from_slice(reader.take(32)?);
    Some(key)
}

fn bound(serial: &Serial, number: u64) -> Vec<u8> {
    let mut bound = b"strongroom log".to_vec();
    bound.put(&FORMAT.to_be_bytes());
    bound.put(&[AES_256_GCM]);
    bound.put(serial.as_str().as_bytes());
    bound.put(&number.to_be_bytes());
    bound
}
