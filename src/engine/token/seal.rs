//! Keys, what is derived from them, and sealing with them.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use store::{RecordDigest, RecordId, Serial};
use zeroize::Zeroizing;

use crate::Error;

/// Length of a nonce in bytes. Each is random; a token key seals far fewer than 2^32 headers, and the
/// key of an object far fewer versions of it.
pub(super) const NONCE_LEN: usize = 12;

/// Length of an authenticator in bytes.
pub(super) const TAG_LEN: usize = 16;

/// 256 bits that nobody may see. On the heap, so that moving it leaves nothing behind.
pub(super) struct Key(Box<Zeroizing<[u8; 32]>>);

/// Hashes with a key, to 16 bytes.
pub(super) struct Hasher(Hmac<Sha256>);

/// What follows from a token key. Gone at logout.
pub(super) struct Keys {
    /// The token key itself: who changes a PIN wraps it again.
    pub(super) token: Key,
    pub(super) header: Key,
    /// For the index terms of private objects.
    pub(super) index: Hasher,
    /// For the hashes in the header.
    pub(super) digests: Hasher,
    pub(super) serial: Serial,
    pub(super) epoch: u64,
}

impl Key {
    pub(super) fn random() -> Result<Self, Error> {
        let mut key = Self::blank();
        (crypto::SUITE.random)(key.expose_mut())?;
        Ok(key)
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
        hkdf.expand_multi_info(info, key.expose_mut()).map_err(|_| Error::Internal("HKDF refused 32 bytes"))?;
        Ok(key)
    }

    /// Seals `buffer` where it is. The nonce is never to be used with this key again.
    pub(super) fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        bound: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_LEN], Error> {
        Aes256Gcm::new(self.expose().into())
            .encrypt_inout_detached(nonce.into(), bound, buffer.into())
            .map(Into::into)
            .map_err(|_| Error::Internal("AES-GCM refused a length"))
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
        Aes256Gcm::new(self.expose().into()).decrypt_inout_detached(nonce.into(), bound, buffer.into(), tag.into()).ok()
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
    pub(super) fn new(token: Key, serial: &Serial, epoch: u64) -> Result<Self, Error> {
        let derive = |info: &[u8]| token.derive(&[info, serial.as_str().as_bytes(), &epoch.to_be_bytes()]);
        Ok(Self {
            header: derive(b"strongroom header")?,
            index: Hasher::new(derive(b"strongroom index")?.expose())?,
            digests: Hasher::new(derive(b"strongroom digests")?.expose())?,
            token,
            serial: serial.clone(),
            epoch,
        })
    }

    /// The key of one object.
    pub(super) fn object(&self, id: RecordId) -> Result<Key, Error> {
        self.token.derive(&[b"strongroom object", &id.0, &self.epoch.to_be_bytes()])
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
        let keys = Keys::new(Key::random().unwrap(), &Serial::new("0123456789abcdef").unwrap(), 1).unwrap();
        let again = Keys::new(Key(keys.token.0.clone()), &keys.serial, 2).unwrap();
        assert_ne!(keys.token.expose(), keys.header.expose());
        assert_ne!(keys.header.expose(), again.header.expose(), "the epoch goes in");
        assert_ne!(keys.index.hash(&[b"a"]), keys.digests.hash(&[b"a"]));
        let (one, two) = (RecordId([1; 16]), RecordId([2; 16]));
        assert_ne!(keys.object(one).unwrap().expose(), keys.object(two).unwrap().expose());
    }
}
