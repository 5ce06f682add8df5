//! The sealed header: the sealed part of the head.

use store::{Change, RecordDigest, Revision};
use types::Buffer;
use zeroize::Zeroize;

use super::{
    bytes::{Reader, Sink},
    log::Log,
    ring::{FIRST_DOMAIN, KeyId},
    seal::{self, AES_256_GCM, Keys, NONCE_LEN, TAG_LEN, TokenKeys},
    sections::{Section, Unknown},
    token_header::FORMAT,
};
use crate::{Error, audit::Event};

/// How many buckets there are: one for each first byte of a record's name.
const BUCKETS: usize = 256;

/// The buckets, by the first bytes of their records' names.
pub(super) fn buckets() -> impl Iterator<Item = u8> {
    0..=u8::MAX
}

/// A keyed hash over a set of digests: the XOR of their keyed hashes, so that one can be put in or taken out.
pub(super) type DigestBucket = [u8; 16];

/// Types of sections.
mod kind {
    pub(super) const STATE: u16 = 1;
    pub(super) const DIGESTS: u16 = 2;
    pub(super) const LOG: u16 = 3;
}

/// What the token knows of its store as a whole. The layout is in `docs/format.md`.
#[derive(Clone)]
pub(super) struct SealedHeader {
    /// The token key that seals it and makes its digests.
    pub(super) key: KeyId,
    /// The domain key that the user's ring has. A login with another one is over.
    pub(super) domain: KeyId,
    pub(super) revision: Revision,
    /// How many records there are.
    pub(super) count: u64,
    /// Hash of the token header that belongs to it.
    pub(super) token_header_hash: [u8; 32],
    buckets: Vec<DigestBucket>,
    /// The audit's entries; `None` before the first.
    log: Option<Log>,
    /// Sections of a newer release that may be kept as they are.
    unknown: Vec<Section>,
}

impl SealedHeader {
    /// Of a token without objects.
    pub(super) fn blank(keys: &Keys, revision: Revision, token_header: &[u8]) -> Result<Self, Error> {
        Ok(Self {
            key: keys.token()?.id,
            domain: FIRST_DOMAIN,
            revision,
            count: 0,
            token_header_hash: seal::digest(&[token_header]),
            buckets: vec![[0; 16]; BUCKETS],
            log: None,
            unknown: Vec::new(),
        })
    }

    pub(super) fn bucket(&self, first_byte: u8) -> DigestBucket {
        self.buckets.get(usize::from(first_byte)).copied().unwrap_or_default()
    }

    /// The log; an empty one if there is none yet.
    pub(super) fn log(&self) -> Result<Log, Error> {
        self.log.clone().map_or_else(Log::new, Ok)
    }

    /// Whether something was written down already.
    pub(super) fn has_log(&self) -> bool {
        self.log.is_some()
    }

    /// Takes a log over from the header of before.
    pub(super) fn keep_log(&mut self, log: Log) {
        self.log = Some(log);
    }

    /// Writes an entry down, and gives the change for it.
    pub(super) fn note(&mut self, keys: &Keys, event: &Event) -> Result<Change, Error> {
        let mut log = self.log()?;
        let change = log.append(&keys.serial, keys.role.word(), event)?;
        self.log = Some(log);
        Ok(change)
    }

    /// Puts a digest in.
    pub(super) fn enter(&mut self, keys: &Keys, digest: &RecordDigest) -> Result<(), Error> {
        self.count = self.count.saturating_add(1);
        self.flip(keys, digest)
    }

    /// Takes a digest out.
    pub(super) fn strike(&mut self, keys: &Keys, digest: &RecordDigest) -> Result<(), Error> {
        self.count = self.count.saturating_sub(1);
        self.flip(keys, digest)
    }

    fn flip(&mut self, keys: &Keys, digest: &RecordDigest) -> Result<(), Error> {
        let [first, ..] = digest.id.0;
        let hash = self.keys(keys)?.digests.hash_digest(digest);
        if let Some(bucket) = self.buckets.get_mut(usize::from(first)) {
            combine(bucket, &hash);
        }
        Ok(())
    }

    /// The hash of a bucket that has these digests.
    pub(super) fn bucket_of(&self, keys: &Keys, digests: &[RecordDigest]) -> Result<DigestBucket, Error> {
        let mut bucket = [0; 16];
        let hasher = &self.keys(keys)?.digests;
        digests.iter().for_each(|digest| combine(&mut bucket, &hasher.hash_digest(digest)));
        Ok(bucket)
    }

    /// Puts the digests of a bucket under another token key. `from` is this header as it was under the old one.
    ///
    /// # Errors
    /// [`Error::Tampered`] if they are not those that the old one has hashed.
    pub(super) fn move_bucket(
        &mut self,
        (from, old): (&Self, &Keys),
        new: &Keys,
        first_byte: u8,
        digests: &[RecordDigest],
    ) -> Result<(), Error> {
        if from.bucket_of(old, digests)? != from.bucket(first_byte) {
            return Err(Error::Tampered("the set of objects"));
        }
        let moved = self.bucket_of(new, digests)?;
        if let Some(bucket) = self.buckets.get_mut(usize::from(first_byte)) {
            *bucket = moved;
        }
        Ok(())
    }

    fn keys<'a>(&self, keys: &'a Keys) -> Result<&'a TokenKeys, Error> {
        keys.token_with(self.key).ok_or(Error::Tampered("the token's header"))
    }

    pub(super) fn seal(&self, keys: &Keys) -> Result<Vec<u8>, Error> {
        let Self { key: _, domain, revision, count, token_header_hash, buckets, log, unknown } = self;
        let mut state = Vec::new();
        state.put(&revision.0.to_be_bytes());
        state.put(&count.to_be_bytes());
        state.put(token_header_hash);
        state.put(&domain.0.to_be_bytes());
        let mut body = Vec::with_capacity(256 + 16 * BUCKETS);
        Section::required(kind::STATE, state).write(&mut body);
        Section::required(kind::DIGESTS, buckets.concat()).write(&mut body);
        if let Some(log) = log {
            let mut section = Section::required(kind::LOG, log.encode().to_vec());
            section.write(&mut body);
            section.value.zeroize();
        }
        unknown.iter().for_each(|section| section.write(&mut body));
        seal_sections(keys, self.keys(keys)?, body)
    }

    /// Bytes as the sections of a sealed header, for [`crate::fuzzing`].
    pub(super) fn seal_body(keys: &Keys, sections: &[u8]) -> Result<Vec<u8>, Error> {
        seal_sections(keys, keys.token()?, sections.to_vec())
    }

    /// # Errors
    /// [`Error::Tampered`], [`Error::LoginOver`] if it is sealed with a key that the ring does not have, and
    /// [`Error::NeedsNewerRelease`] if it has a section that must be understood and is not.
    pub(super) fn open(keys: &Keys, sealed: &[u8]) -> Result<Self, Error> {
        Self::read(keys, sealed).unwrap_or(Err(Error::Tampered("the token's header")))
    }

    fn read(keys: &Keys, sealed: &[u8]) -> Option<Result<Self, Error>> {
        let mut reader = Reader::new(sealed);
        let (algorithm, key) = (reader.u8()?, KeyId(reader.u32()?));
        if algorithm != AES_256_GCM {
            return None;
        }
        let (rest, tag) = sealed.get(5..)?.split_last_chunk::<TAG_LEN>()?;
        let (nonce, body) = rest.split_first_chunk()?;
        let mut body = Buffer::new(body.to_vec());
        let Some(token) = keys.token_with(key) else { return Some(Err(Error::LoginOver)) };
        token.header.open(nonce, &bound(keys, key), &mut body, tag)?;
        let (mut state, mut buckets, mut log, mut unknown) = (None, None, None, Vec::new());
        for mut section in Section::read_all(&mut Reader::new(&body))? {
            let mut reader = Reader::new(&section.value);
            match section.kind {
                kind::STATE if state.is_none() => {
                    state = Some((Revision(reader.u64()?), reader.u64()?, reader.array()?, KeyId(reader.u32()?)));
                }
                kind::DIGESTS if buckets.is_none() => {
                    buckets = Some((0..BUCKETS).map(|_| reader.array()).collect::<Option<Vec<_>>>()?);
                }
                kind::LOG if log.is_none() => {
                    log = Some(Log::decode(&mut reader)?);
                    section.value.zeroize();
                    continue;
                }
                kind::STATE | kind::DIGESTS | kind::LOG => return None,
                _ if section.unknown == Unknown::Keep => {
                    unknown.push(section);
                    continue;
                }
                // The token header names the release; this one cannot tell it from here.
                _ => return Some(Err(Error::NeedsNewerRelease((0, 0)))),
            }
            if !reader.is_empty() {
                return None;
            }
        }
        let ((revision, count, token_header_hash, domain), buckets) = (state?, buckets?);
        Some(Ok(Self { key, domain, revision, count, token_header_hash, buckets, log, unknown }))
    }
}

fn seal_sections(keys: &Keys, token: &TokenKeys, mut body: Vec<u8>) -> Result<Vec<u8>, Error> {
    let nonce: [u8; NONCE_LEN] = seal::random()?;
    let tag = token.header.seal(&nonce, &bound(keys, token.id), &mut body)?;
    let mut sealed = Vec::with_capacity(1 + size_of::<KeyId>() + NONCE_LEN + body.len() + TAG_LEN);
    sealed.put(&[AES_256_GCM]);
    sealed.put(&token.id.0.to_be_bytes());
    sealed.put(&nonce);
    sealed.put(&body);
    sealed.put(&tag);
    Ok(sealed)
}

fn combine(bucket: &mut DigestBucket, hash: &[u8; 16]) {
    bucket.iter_mut().zip(hash).for_each(|(to, from)| *to ^= from);
}

fn bound(keys: &Keys, key: KeyId) -> Vec<u8> {
    let mut bound = b"strongroom header".to_vec();
    bound.put(&FORMAT.to_be_bytes());
    bound.put(&[AES_256_GCM]);
    bound.put(&key.0.to_be_bytes());
    bound.put(keys.serial.as_str().as_bytes());
    bound.put(&keys.epoch.to_be_bytes());
    bound
}
