//! Keys, what is derived from them, and sealing with them.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use store::{RecordDigest, RecordId, Serial};
use zeroize::Zeroizing;

use super::{
    Role,
    ring::{KeyId, KeyState, Purpose, Ring, RingKey},
};
use crate::{Error, object::Visibility};

/// Length of a nonce in bytes. Each is random; a token key seals far fewer than 2^32 headers, and the
/// key of an object far fewer versions of it.
pub(super) const NONCE_LEN: usize = 12;

/// Length of an authenticator in bytes.
pub(super) const TAG_LEN: usize = 16;

/// The algorithm of a seal, as a byte in what is sealed. There is one.
pub(super) const AES_256_GCM: u8 = 1;

/// Overwrites the part of the stack that the functions called before have used: AES-GCM leaves blocks of plaintext
/// and round keys there, about 8 KiB deep.
#[inline(never)]
fn scrub_stack() {
    let mut depth = [0_u8; 16 * 1024];
    // Seen by nobody, so it has to be written.
    std::hint::black_box(&mut depth);
}

/// 256 bits that nobody may see. On the heap, so that moving it leaves nothing behind.
pub(super) struct Key(Box<Zeroizing<[u8; 32]>>);

/// Hashes with a key, to 16 bytes.
pub(super) struct Hasher(Hmac<Sha256>);

/// A person's ring, and what follows from its keys. Gone at logout.
pub(super) struct Keys {
    /// Who changes a PIN seals it again.
    pub(super) ring: Ring,
    /// What follows from each token key.
    token: Vec<TokenKeys>,
    /// What follows from each domain key.
    domain: Vec<DomainKeys>,
    pub(super) serial: Serial,
    pub(super) epoch: u64,
    /// Whose they are.
    pub(super) role: Role,
}

/// What follows from a token key.
pub(super) struct TokenKeys {
    pub(super) id: KeyId,
    pub(super) header: Key,
    /// For the hashes in the sealed header.
    pub(super) digests: Hasher,
    /// For the MAC of the witness.
    pub(super) witness: Hasher,
}

/// What follows from a domain key.
pub(super) struct DomainKeys {
    pub(super) id: KeyId,
    /// For the index terms of private objects.
    pub(super) index: Hasher,
}

impl Key {
    pub(super) fn random() -> Result<Self, Error> {
        let mut key = Self::blank();
        (crypto::SUITE.random)(key.expose_mut())?;
        Ok(key)
    }

    /// A second key with the same bits. Written out, because each copy is one more to lose.
    pub(super) fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    /// A key to be filled in.
    pub(super) fn blank() -> Self {
        Self(Box::new(Zeroizing::new([0; 32])))
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn expose_mut(&mut self) -> &mut [u8; 32] {
        &mut self.0
    }

    /// HKDF of bytes that are not a key yet (RFC 5869, without salt).
    pub(super) fn extract(material: &[u8], info: &[&[u8]]) -> Result<Self, Error> {
        Self::expand(&Hkdf::<Sha256>::new(None, material), info)
    }

    /// Another key for another use (HKDF-Expand: this one is uniform already).
    pub(super) fn derive(&self, info: &[&[u8]]) -> Result<Self, Error> {
        let hkdf =
            Hkdf::<Sha256>::from_prk(self.expose()).map_err(|_| Error::Internal("a key is too short for HKDF"))?;
        Self::expand(&hkdf, info)
    }

    fn expand(hkdf: &Hkdf<Sha256>, info: &[&[u8]]) -> Result<Self, Error> {
        let mut key = Self::blank();
        let expanded = hkdf.expand_multi_info(info, key.expose_mut());
        scrub_stack();
        expanded.map_err(|_| Error::Internal("HKDF refused 32 bytes"))?;
        Ok(key)
    }

    /// Seals `buffer` where it is. The nonce is never to be used with this key again.
    pub(super) fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        bound: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_LEN], Error> {
        let sealed = Aes256Gcm::new(self.expose().into())
            .encrypt_inout_detached(nonce.into(), bound, buffer.into())
            .map(Into::into)
            .map_err(|_| Error::Internal("AES-GCM refused a length"));
        scrub_stack();
        sealed
    }

    /// Opens `buffer` where it is; `None` if it is not what was sealed, and then the buffer is worthless.
    #[must_use]
    pub(super) fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        bound: &[u8],
        buffer: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Option<()> {
        let cipher = Aes256Gcm::new(self.expose().into());
        let opened = cipher.decrypt_inout_detached(nonce.into(), bound, buffer.into(), tag.into()).ok();
        scrub_stack();
        opened
    }
}

impl Hasher {
    pub(super) fn new(key: &[u8]) -> Result<Self, Error> {
        Hmac::new_from_slice(key).map(Self).map_err(|_| Error::Internal("HMAC refused a key"))
    }

    /// The first half of HMAC-SHA256 over the parts, one after the other.
    pub(super) fn hash(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        half(&mac.finalize().into_bytes().into())
    }

    /// A record's share in the hash of its bucket.
    pub(super) fn hash_digest(&self, digest: &RecordDigest) -> [u8; 16] {
        self.hash(&[&digest.id.0, &digest.version.0.to_be_bytes(), &digest.tag])
    }
}

impl Keys {
    pub(super) fn new(ring: Ring, role: Role, serial: &Serial, epoch: u64) -> Result<Self, Error> {
        let (mut token, mut domain) = (Vec::new(), Vec::new());
        for RingKey { id, purpose, key, .. } in ring.keys() {
            let derive = |info: &[u8]| key.derive(&[info, serial.as_str().as_bytes(), &epoch.to_be_bytes()]);
            match purpose {
                Purpose::Token => token.push(TokenKeys {
                    id: *id,
                    header: derive(b"strongroom header")?,
                    digests: Hasher::new(derive(b"strongroom digests")?.expose())?,
                    witness: Hasher::new(derive(b"strongroom witness")?.expose())?,
                }),
                Purpose::Domain => {
                    domain.push(DomainKeys { id: *id, index: Hasher::new(derive(b"strongroom index")?.expose())? })
                }
            }
        }
        Ok(Self { ring, token, domain, serial: serial.clone(), epoch, role })
    }

    /// What follows from the active token key.
    pub(super) fn token(&self) -> Result<&TokenKeys, Error> {
        let active = self.ring.active(Purpose::Token);
        let keys = active.and_then(|active| self.token_with(active.id));
        keys.ok_or(Error::Internal("a ring has no active token key"))
    }

    /// What follows from the token key with this id.
    pub(super) fn token_with(&self, id: KeyId) -> Option<&TokenKeys> {
        self.token.iter().find(|keys| keys.id == id)
    }

    /// What follows from the active domain key; `None` if the ring has none.
    pub(super) fn domain(&self) -> Option<&DomainKeys> {
        let active = self.ring.active(Purpose::Domain)?;
        self.domain.iter().find(|keys| keys.id == active.id)
    }

    /// What follows from each domain key.
    pub(super) fn domains(&self) -> &[DomainKeys] {
        &self.domain
    }

    /// The id of the key that seals objects of this visibility.
    ///
    /// # Errors
    /// [`Error::UserNotLoggedIn`] if the ring has none for private ones.
    pub(super) fn sealing(&self, visibility: Visibility) -> Result<KeyId, Error> {
        self.ring.active(Purpose::of(visibility)).map(|key| key.id).ok_or(Error::UserNotLoggedIn)
    }

    /// The key of one object under a key of the ring; `None` if the ring does not have that.
    pub(super) fn object(&self, key: KeyId, id: RecordId) -> Result<Option<Key>, Error> {
        let Some(key) = self.ring.keys().iter().find(|known| known.id == key) else { return Ok(None) };
        key.key.derive(&[b"strongroom object", &id.0, &self.epoch.to_be_bytes()]).map(Some)
    }

    /// Whether something is sealed with this key from now on.
    pub(super) fn is_active(&self, key: KeyId) -> bool {
        self.ring.keys().iter().any(|known| known.id == key && known.state == KeyState::Active)
    }

    /// What hangs on a key of the ring.
    pub(super) fn purpose(&self, key: KeyId) -> Option<Purpose> {
        self.ring.keys().iter().find(|known| known.id == key).map(|known| known.purpose)
    }
}

/// A hash that needs no key, of the parts one after the other.
pub(super) fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// The first half of a hash.
pub(super) fn half(hash: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    half
}

/// Random bytes for salts, nonces and names.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    (crypto::SUITE.random)(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivation_is_hkdf() {
        // RFC 5869, A.3: SHA-256, no salt, no info; the first 32 bytes of its 42.
        let key = Key::extract(&[0x0b; 22], &[]).unwrap();
        let expected = [
            0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63, 0xc1, 0x8f, 0x71, 0x5f, 0x80, 0x2a, 0x06, 0x3c, 0x5a, 0x31, 0xb8, 0xa1,
            0x1f, 0x5c, 0x5e, 0xe1, 0x87, 0x9e, 0xc3, 0x45, 0x4e, 0x5f, 0x3c, 0x73, 0x8d, 0x2d,
        ];
        assert_eq!(key.expose(), &expected);
    }

    #[test]
    fn what_is_derived_for_different_uses_differs() {
        let serial = Serial::new("0123456789abcdef").unwrap();
        let ring = Ring::new().unwrap();
        let keys = Keys::new(ring.filtered(|_| true), Role::User, &serial, 1).unwrap();
        let again = Keys::new(ring, Role::User, &serial, 2).unwrap();
        let [token, domain] = keys.ring.keys() else { panic!("two keys") };
        assert_ne!(token.key.expose(), keys.token().unwrap().header.expose());
        let header = |keys: &Keys| *keys.token().unwrap().header.expose();
        assert_ne!(header(&keys), header(&again), "the epoch goes in");
        assert_ne!(keys.domain().unwrap().index.hash(&[b"a"]), keys.token().unwrap().digests.hash(&[b"a"]));
        let object = |key, id| *keys.object(key, RecordId([id; 16])).unwrap().unwrap().expose();
        assert_ne!(object(token.id, 1), object(token.id, 2));
        assert_ne!(object(token.id, 1), object(domain.id, 1));
        assert!(keys.object(KeyId(99), RecordId([1; 16])).unwrap().is_none());
    }
}
