//! The header: the sealed part of the head.

use store::{RecordDigest, Revision};
use types::Buffer;

use super::{
    bytes::{Reader, Sink},
    seal::{self, Keys, NONCE_LEN, TAG_LEN},
    token_header::FORMAT,
};
use crate::Error;

/// How many buckets there are: one for each first byte of a record's name.
pub(super) const BUCKETS: usize = 256;

/// A keyed hash over a set of digests: the XOR of their keyed hashes, so that one can be put in or taken out.
pub(super) type DigestBucket = [u8; 16];

/// What the token knows of its store as a whole. The layout is in the documentation of [`super`].
#[derive(Clone)]
pub(super) struct SealedHeader {
    pub(super) revision: Revision,
    /// How many objects there are.
    pub(super) count: u64,
    /// Hash of the token header that belongs to it.
    pub(super) token_header_hash: [u8; 32],
    buckets: Vec<DigestBucket>,
}

impl SealedHeader {
    /// Of a token without objects.
    pub(super) fn blank(revision: Revision, token_header: &[u8]) -> Self {
        Self { revision, count: 0, token_header_hash: seal::digest(&[token_header]), buckets: vec![[0; 16]; BUCKETS] }
    }

    pub(super) fn bucket(&self, first_byte: u8) -> DigestBucket {
        self.buckets.get(usize::from(first_byte)).copied().unwrap_or_default()
    }

    /// Puts a digest in.
    pub(super) fn enter(&mut self, keys: &Keys, digest: &RecordDigest) {
        self.count = self.count.saturating_add(1);
        self.flip(keys, digest);
    }

    /// Takes a digest out.
    pub(super) fn strike(&mut self, keys: &Keys, digest: &RecordDigest) {
        self.count = self.count.saturating_sub(1);
        self.flip(keys, digest);
    }

    fn flip(&mut self, keys: &Keys, digest: &RecordDigest) {
        let [first, ..] = digest.id.0;
        if let Some(bucket) = self.buckets.get_mut(usize::from(first)) {
            combine(bucket, &keys.digests.hash_digest(digest));
        }
    }

    pub(super) fn seal(&self, keys: &Keys) -> Result<Vec<u8>, Error> {
        let Self { revision, count, token_header_hash, buckets } = self;
        let nonce: [u8; NONCE_LEN] = seal::random()?;
        let mut sealed = Vec::with_capacity(NONCE_LEN + 48 + 16 * BUCKETS + TAG_LEN);
        sealed.put(&nonce);
        sealed.put(&revision.0.to_be_bytes());
        sealed.put(&count.to_be_bytes());
        sealed.put(token_header_hash);
        for bucket in buckets {
            sealed.put(bucket);
        }
        let body = sealed.get_mut(NONCE_LEN..).unwrap_or_default();
        let tag = keys.header.seal(&nonce, &bound(keys), body)?;
        sealed.put(&tag);
        Ok(sealed)
    }

    pub(super) fn open(keys: &Keys, sealed: &[u8]) -> Result<Self, Error> {
        Self::read(keys, sealed).ok_or(Error::Tampered("the token's header"))
    }

    fn read(keys: &Keys, sealed: &[u8]) -> Option<Self> {
        let (rest, tag) = sealed.split_last_chunk()?;
        let (nonce, body) = rest.split_first_chunk()?;
        let mut body = Buffer::new(body.to_vec());
        keys.header.open(nonce, &bound(keys), &mut body, tag)?;
        let mut reader = Reader::new(&body);
        let (revision, count, token_header_hash) = (Revision(reader.u64()?), reader.u64()?, reader.array()?);
        let buckets = (0..BUCKETS).map(|_| reader.array()).collect::<Option<_>>()?;
        reader.is_empty().then_some(Self { revision, count, token_header_hash, buckets })
    }
}

/// The hash of a bucket that has these digests.
pub(super) fn bucket_of(keys: &Keys, digests: &[RecordDigest]) -> DigestBucket {
    digests.iter().fold([0; 16], |mut bucket, digest| {
        combine(&mut bucket, &keys.digests.hash_digest(digest));
        bucket
    })
}

fn combine(bucket: &mut DigestBucket, hash: &[u8; 16]) {
    bucket.iter_mut().zip(hash).for_each(|(to, from)| *to ^= from);
}

fn bound(keys: &Keys) -> Vec<u8> {
    let mut bound = b"strongroom header".to_vec();
    bound.put(&FORMAT.to_be_bytes());
    bound.put(keys.serial.as_str().as_bytes());
    bound.put(&keys.epoch.to_be_bytes());
    bound
}
