//! The header: the sealed part of the head.

use store::{Mark, Revision};
use types::Buffer;

use super::{
    bytes::{Reader, Sink},
    charter::FORMAT,
    seal::{self, Keys, NONCE_LEN, TAG_LEN},
};
use crate::Error;

/// How many buckets there are: one for each first byte of a record's name.
pub(super) const BUCKETS: usize = 256;

/// A keyed hash over a set of marks: the XOR of their keyed hashes, so that one can be put in or taken out.
pub(super) type Bucket = [u8; 16];

/// What the token knows of its store as a whole. The layout is in the documentation of [`super`].
#[derive(Clone)]
pub(super) struct Header {
    pub(super) revision: Revision,
    /// How many objects there are.
    pub(super) count: u64,
    /// Hash of the charter that belongs to it.
    pub(super) charter: [u8; 32],
    buckets: Vec<Bucket>,
}

impl Header {
    /// Of a token without objects.
    pub(super) fn blank(revision: Revision, charter: &[u8]) -> Self {
        Self { revision, count: 0, charter: seal::digest(&[charter]), buckets: vec![[0; 16]; BUCKETS] }
    }

    pub(super) fn bucket(&self, first_byte: u8) -> Bucket {
        self.buckets.get(usize::from(first_byte)).copied().unwrap_or_default()
    }

    /// Puts a mark in.
    pub(super) fn enter(&mut self, keys: &Keys, mark: &Mark) {
        self.count = self.count.saturating_add(1);
        self.flip(keys, mark);
    }

    /// Takes a mark out.
    pub(super) fn strike(&mut self, keys: &Keys, mark: &Mark) {
        self.count = self.count.saturating_sub(1);
        self.flip(keys, mark);
    }

    fn flip(&mut self, keys: &Keys, mark: &Mark) {
        let [first, ..] = mark.id.0;
        if let Some(bucket) = self.buckets.get_mut(usize::from(first)) {
            combine(bucket, &keys.marks.hash_mark(mark));
        }
    }

    pub(super) fn seal(&self, keys: &Keys) -> Result<Vec<u8>, Error> {
        let Self { revision, count, charter, buckets } = self;
        let nonce: [u8; NONCE_LEN] = seal::random()?;
        let mut sealed = Vec::with_capacity(NONCE_LEN + 48 + 16 * BUCKETS + TAG_LEN);
        sealed.put(&nonce);
        sealed.put(&revision.0.to_be_bytes());
        sealed.put(&count.to_be_bytes());
        sealed.put(charter);
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
        let (revision, count, charter) = (Revision(reader.u64()?), reader.u64()?, reader.array()?);
        let buckets = (0..BUCKETS).map(|_| reader.array()).collect::<Option<_>>()?;
        reader.is_empty().then_some(Self { revision, count, charter, buckets })
    }
}

/// The hash of a bucket that has these marks.
pub(super) fn bucket_of(keys: &Keys, marks: &[Mark]) -> Bucket {
    marks.iter().fold([0; 16], |mut bucket, mark| {
        combine(&mut bucket, &keys.marks.hash_mark(mark));
        bucket
    })
}

fn combine(bucket: &mut Bucket, hash: &[u8; 16]) {
    bucket.iter_mut().zip(hash).for_each(|(to, from)| *to ^= from);
}

fn bound(keys: &Keys) -> Vec<u8> {
    let mut bound = b"strongroom header".to_vec();
    bound.put(&FORMAT.to_be_bytes());
    bound.put(keys.serial.as_str().as_bytes());
    bound.put(&keys.epoch.to_be_bytes());
    bound
}
