//! The witness: what this machine has seen of a token, outside of the token.
//!
//! Whoever puts yesterday's token file in the place of today's, or cuts its log, brings back a state that was good
//! once. The token itself cannot tell. So each commit leaves its epoch, its revision and the tag of the sealed header in
//! the state directory, with a MAC under the token key, and each login compares.
//!
//! The witness says nothing if it was removed, and whoever can write both directories can put both back. The documents
//! say so.

use store::Revision;

use super::{
    bytes::{Reader, Sink},
    ring::KeyId,
    seal::Keys,
    token_header::FORMAT,
};
use crate::Error;

/// A state of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) epoch: u64,
    pub(super) revision: Revision,
    /// The authentication tag of the sealed header: two states that differ have different ones.
    pub(super) tag: [u8; 16],
}

/// What a witness says of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Testimony {
    /// It is as new as what was seen, or newer.
    Fresh,
    /// Something newer was seen: this state was put back.
    Older,
}

impl Witness {
    /// Of a head with this sealed header.
    pub(super) fn new(epoch: u64, revision: Revision, sealed: &[u8]) -> Self {
        Self { epoch, revision, tag: sealed.last_chunk().copied().unwrap_or_default() }
    }

    /// What this one, which was seen earlier, says of `now`.
    pub(super) fn says_of(&self, now: &Self) -> Testimony {
        let seen = (self.epoch, self.revision);
        match (now.epoch, now.revision).cmp(&seen) {
            std::cmp::Ordering::Less => Testimony::Older,
            // Two states that have the same number: somebody has put one back and gone on from there.
            std::cmp::Ordering::Equal if now.tag != self.tag => Testimony::Older,
            _ => Testimony::Fresh,
        }
    }

    /// The epoch and the revision that a witness names, for who has no key to know whether that is true.
    pub(crate) fn claim(bytes: &[u8]) -> Option<(u64, u64)> {
        let mut reader = Reader::new(bytes);
        if reader.u16()? != FORMAT {
            return None;
        }
        reader.u32()?;
        Some((reader.u64()?, reader.u64()?))
    }

    pub(super) fn encode(&self, keys: &Keys) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(64);
        let token = keys.token()?;
        bytes.put(&FORMAT.to_be_bytes());
        bytes.put(&token.id.0.to_be_bytes());
        bytes.put(&self.epoch.to_be_bytes());
        bytes.put(&self.revision.0.to_be_bytes());
        bytes.put(&self.tag);
        let mac = token.witness.hash(&[&bytes]);
        bytes.put(&mac);
        Ok(bytes)
    }

    /// `None` if it is damaged, or was written under a key that is not ours.
    pub(super) fn decode(keys: &Keys, bytes: &[u8]) -> Option<Self> {
        let (body, mac) = bytes.split_last_chunk::<16>()?;
        let mut reader = Reader::new(body);
        if reader.u16()? != FORMAT {
            return None;
        }
        let token = keys.token_with(KeyId(reader.u32()?))?;
        let witness = Self { epoch: reader.u64()?, revision: Revision(reader.u64()?), tag: reader.array()? };
        (reader.is_empty() && token.witness.hash(&[body]) == *mac).then_some(witness)
    }

    /// Whether bytes that [`Witness::decode`] does not believe tell of something newer than `now`. A later epoch has other
    /// keys, and so has the same epoch after a rotation: a token from before does not have them.
    pub(super) fn foretells(keys: &Keys, bytes: &[u8], now: &Self) -> bool {
        let mut reader = Reader::new(bytes);
        let claim = (|| {
            reader.u16()?;
            Some((KeyId(reader.u32()?), reader.u64()?, Revision(reader.u64()?)))
        })();
        claim.is_some_and(|(key, epoch, revision)| {
            let is_foreign = keys.token_with(key).is_none();
            epoch > now.epoch || is_foreign && epoch == now.epoch && revision > now.revision
        })
    }
}

#[cfg(test)]
mod tests {
    use store::Serial;

    use super::*;
    use crate::token::ring::{Purpose, Ring, RingKey};

    fn keys() -> Keys {
        Keys::new(Ring::new().unwrap(), crate::token::Role::User, &Serial::new("0123456789abcdef").unwrap(), 1).unwrap()
    }

    #[test]
    fn a_witness_is_read_as_it_was_written_and_no_bit_of_it_can_be_changed() {
        let keys = keys();
        let witness = Witness::new(3, Revision(9), b"sealed, with its tag");
        let bytes = witness.encode(&keys).unwrap();
        assert_eq!(Witness::decode(&keys, &bytes), Some(witness));
        assert_eq!(Witness::decode(&self::keys(), &bytes), None, "another token's key");
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Witness::decode(&keys, &changed), None);
        }
        for len in 0..bytes.len() {
            assert_eq!(Witness::decode(&keys, &bytes[..len]), None);
        }
    }

    #[test]
    fn a_witness_under_a_key_that_the_token_has_not_got_is_believed_as_far_as_it_tells_of_something_newer() {
        let (before, mut ring) = (keys(), Ring::new().unwrap());
        ring.add(RingKey::new(Purpose::Token, KeyId(9)).unwrap()).unwrap();
        let after = Keys::new(ring, crate::token::Role::User, &before.serial, 1).unwrap();
        let left = Witness::new(1, Revision(9), b"sealed").encode(&after).unwrap();
        assert_eq!(Witness::decode(&before, &left), None);
        let at = |epoch, revision| Witness::new(epoch, Revision(revision), b"sealed");
        for (now, newer) in [(at(1, 8), true), (at(1, 9), false), (at(2, 1), false)] {
            assert_eq!(Witness::foretells(&before, &left, &now), newer, "{now:?}");
        }
        let mut damaged = Witness::new(1, Revision(9), b"sealed").encode(&before).unwrap();
        damaged[15] ^= 1;
        assert!(!Witness::foretells(&before, &damaged, &at(1, 8)), "of a key that is there, the MAC decides");
    }

    #[test]
    fn what_is_older_or_another_state_of_the_same_number_is_noticed() {
        let at = |epoch, revision, tag: &[u8]| Witness::new(epoch, Revision(revision), &tag.repeat(16));
        let seen = at(2, 5, b"a");
        for (now, says) in [
            (at(2, 5, b"a"), Testimony::Fresh),
            (at(2, 6, b"b"), Testimony::Fresh),
            (at(3, 0, b"b"), Testimony::Fresh),
            (at(2, 4, b"a"), Testimony::Older),
            (at(1, 9, b"a"), Testimony::Older),
            (at(2, 5, b"b"), Testimony::Older),
        ] {
            assert_eq!(seen.says_of(&now), says, "{now:?}");
        }
    }
}
