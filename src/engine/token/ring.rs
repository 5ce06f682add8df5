//! Rings: the keys that a person's PIN opens.

use types::Buffer;

use super::{
    bytes::{Reader, Sink},
    seal::{self, Key},
};
use crate::{Error, object::Visibility};

/// Names a key of a token. Everything that is sealed says with which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KeyId(pub(super) u32);

/// The token key of a new token.
const FIRST_TOKEN: KeyId = KeyId(1);

/// The domain key of a new token.
pub(super) const FIRST_DOMAIN: KeyId = KeyId(2);

/// What hangs on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// T, the token key: sealed header, digests, records of public objects. Everybody's ring has it.
    Token,
    /// D, the domain key: records and terms of private objects.
    Domain,
}

/// What a key is used for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyState {
    /// It seals and opens.
    Active,
    /// It opens what was sealed with it, until all of that is sealed anew.
    Retired,
}

/// A key of a ring.
pub(super) struct RingKey {
    pub(super) id: KeyId,
    pub(super) purpose: Purpose,
    pub(super) state: KeyState,
    pub(super) key: Key,
}

impl KeyId {
    /// The id of a key that comes later. Those of a new token's keys are small, so it is none of them; and that it is another
    /// one's of before is as good as impossible.
    pub(super) fn random() -> Result<Self, Error> {
        Ok(Self(u32::from_be_bytes(seal::random()?) | 0x8000_0000))
    }
}

impl RingKey {
    /// A new key, active from now on.
    pub(super) fn new(purpose: Purpose, id: KeyId) -> Result<Self, Error> {
        Ok(Self { id, purpose, state: KeyState::Active, key: Key::random()? })
    }

    /// The same key for another ring. Written out, because each copy is one more to lose.
    pub(super) fn duplicate(&self) -> Self {
        Self { key: self.key.duplicate(), ..*self }
    }
}

/// The keys of one person, each id once, the active one of each purpose among them at most once.
pub(super) struct Ring(Vec<RingKey>);

/// A ring has no more keys than this.
const MOST_KEYS: usize = 64;

impl Ring {
    /// Of a new token: a token key and a domain key.
    pub(super) fn new() -> Result<Self, Error> {
        let mut ring = Self(Vec::new());
        ring.add(RingKey::new(Purpose::Token, FIRST_TOKEN)?)?;
        ring.add(RingKey::new(Purpose::Domain, FIRST_DOMAIN)?)?;
        Ok(ring)
    }

    /// Adds an active key; the one of this purpose that was active retires.
    ///
    /// # Errors
    /// [`Error::Internal`] if the ring has no room or knows the id.
    pub(super) fn add(&mut self, fresh: RingKey) -> Result<(), Error> {
        if self.0.len() >= MOST_KEYS || self.has(fresh.id) {
            return Err(Error::Internal("a ring takes no more keys"));
        }
        for key in self.0.iter_mut().filter(|key| key.purpose == fresh.purpose) {
            key.state = KeyState::Retired;
        }
        self.0.push(fresh);
        Ok(())
    }

    /// Whether a key with this id is in it.
    pub(super) fn has(&self, id: KeyId) -> bool {
        self.0.iter().any(|key| key.id == id)
    }

    /// The ids of the keys that seal nothing any more.
    pub(super) fn retired(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().filter(|key| key.state == KeyState::Retired).map(|key| key.id)
    }

    /// The keys that `keep` says, as another ring.
    pub(super) fn filtered(&self, keep: impl Fn(&RingKey) -> bool) -> Self {
        Self(self.0.iter().filter(|key| keep(key)).map(RingKey::duplicate).collect())
    }

    pub(super) fn keys(&self) -> &[RingKey] {
        &self.0
    }

    /// The key that seals for a purpose now.
    pub(super) fn active(&self, purpose: Purpose) -> Option<&RingKey> {
        self.0.iter().find(|key| key.purpose == purpose && key.state == KeyState::Active)
    }

    pub(super) fn encode(&self) -> Buffer {
        // As long as it will be, so that no copy is left by growing.
        let mut bytes = Buffer::new(Vec::with_capacity(self.0.len().saturating_mul(38)));
        for RingKey { id, purpose, state, key } in &self.0 {
            bytes.put(&id.0.to_be_bytes());
            bytes.put(&[purpose.number(), state.number()]);
            bytes.put(key.expose());
        }
        bytes
    }

    /// `None` unless it is what [`Ring::encode`] writes.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (mut reader, mut ring) = (Reader::new(bytes), Self(Vec::new()));
        while !reader.is_empty() {
            let id = KeyId(reader.u32()?);
            let (purpose, state) = (Purpose::of_number(reader.u8()?)?, KeyState::of_number(reader.u8()?)?);
            let mut key = Key::blank();
            key.expose_mut().copy_from_slice(reader.take(32)?);
            let fresh = RingKey { id, purpose, state, key };
            let doubled = state == KeyState::Active && ring.active(purpose).is_some();
            if doubled || ring.has(id) || ring.0.len() >= MOST_KEYS {
                return None;
            }
            ring.0.push(fresh);
        }
        ring.active(Purpose::Token).is_some().then_some(ring)
    }
}

impl Purpose {
    /// On which key an object of this visibility hangs.
    pub(super) fn of(visibility: Visibility) -> Self {
        match visibility {
            Visibility::Public => Self::Token,
            Visibility::Private => Self::Domain,
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::Token => 1,
            Self::Domain => 2,
        }
    }

    fn of_number(number: u8) -> Option<Self> {
        [Self::Token, Self::Domain].into_iter().find(|purpose| purpose.number() == number)
    }
}

impl KeyState {
    fn number(self) -> u8 {
        match self {
            Self::Active => 1,
            Self::Retired => 2,
        }
    }

    fn of_number(number: u8) -> Option<Self> {
        [Self::Active, Self::Retired].into_iter().find(|state| state.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_read_as_it_was_written() {
        let mut ring = Ring::new().unwrap();
        ring.add(RingKey::new(Purpose::Domain, KeyId(3)).unwrap()).unwrap();
        let bytes = ring.encode();
        let again = Ring::decode(&bytes).unwrap();
        let facts = |ring: &Ring| ring.keys().iter().map(|key| (key.id, key.purpose, key.state)).collect::<Vec<_>>();
        assert_eq!(facts(&again), facts(&ring));
        assert_eq!(facts(&again)[1], (KeyId(2), Purpose::Domain, KeyState::Retired));
        assert_eq!(again.active(Purpose::Domain).unwrap().key.expose(), ring.keys()[2].key.expose());
        for len in 0..bytes.len() {
            assert!(len % 38 == 0 && len > 0 || Ring::decode(&bytes[..len]).is_none(), "cut off at {len}");
        }
    }

    #[test]
    fn a_ring_that_is_full_or_knows_the_id_takes_no_key_and_stays_readable() {
        let mut ring = Ring::new().unwrap();
        assert!(ring.add(RingKey::new(Purpose::Token, FIRST_DOMAIN).unwrap()).is_err());
        while ring.add(RingKey::new(Purpose::Token, KeyId::random().unwrap()).unwrap()).is_ok() {}
        assert_eq!(Ring::decode(&ring.encode()).unwrap().keys().len(), MOST_KEYS);
    }

    #[test]
    fn a_ring_has_each_id_once_and_one_active_key_of_a_purpose() {
        let ring = Ring::new().unwrap();
        let token = ring.filtered(|key| key.purpose == Purpose::Token).encode();
        let twice = [&token[..], &token[..]].concat();
        assert!(Ring::decode(&twice).is_none(), "an id twice");
        let mut other = twice.clone();
        other[41] = 9;
        assert!(Ring::decode(&other).is_none(), "two active token keys");
        other[43] = 2;
        assert!(Ring::decode(&other).is_some(), "one active and one retired");
        assert!(Ring::decode(&ring.filtered(|key| key.purpose == Purpose::Domain).encode()).is_none(), "no token key");
    }
}
