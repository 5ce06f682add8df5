//! States of operations that are saved for the caller: sealed, so that he neither learns nor makes one.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use crypto::{Hash, SUITE, digest::Digest};
use once_cell::sync::OnceCell;
use zeroize::Zeroizing;

use crate::Error;

const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// What is authenticated with each.
const BOUND: &[u8] = b"strongroom digest state 1";

/// The key of this process: what is saved by one is of no use to another.
#[derive(Default)]
pub(crate) struct StateKey(OnceCell<Zeroizing<[u8; 32]>>);

impl StateKey {
    fn cipher(&self) -> Result<Aes256Gcm, Error> {
        let key = self.0.get_or_try_init(|| {
            let mut key = Zeroizing::new([0; 32]);
            (SUITE.random)(&mut *key)?;
            Ok::<_, Error>(key)
        })?;
        Ok(Aes256Gcm::new((&**key).into()))
    }

    /// How long the saved state of a digest is.
    pub(crate) fn len(digest: &dyn Digest) -> usize {
        NONCE_LEN + 2 + digest.save().len() + TAG_LEN
    }

    /// Seals a digest, and whether it has been fed.
    pub(crate) fn seal(&self, digest: &dyn Digest, fed: bool) -> Result<Vec<u8>, Error> {
        let number = Hash::ALL.iter().position(|hash| *hash == digest.hash());
        let number = number.and_then(|number| u8::try_from(number).ok()).ok_or(Error::StateUnsaveable)?;
        let mut nonce = [0; NONCE_LEN];
        (SUITE.random)(&mut nonce)?;
        let mut inside = Zeroizing::new(vec![number, u8::from(fed)]);
        inside.extend_from_slice(&digest.save());
        let tag = self.cipher()?.encrypt_inout_detached((&nonce).into(), BOUND, inside.as_mut_slice().into());
        let tag: [u8; TAG_LEN] = tag.map_err(|_| Error::Internal("AES-GCM refused a length"))?.into();
        Ok([&nonce[..], &inside, &tag].concat())
    }

    /// The digest that was sealed, and whether it had been fed.
    ///
    /// # Errors
    /// [`Error::SavedStateInvalid`] for anything else.
    pub(crate) fn open(&self, state: &[u8]) -> Result<(Box<dyn Digest>, bool), Error> {
        let invalid = || Error::SavedStateInvalid;
        let (nonce, rest) = state.split_first_chunk::<NONCE_LEN>().ok_or_else(invalid)?;
        let (inside, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or_else(invalid)?;
        let mut inside = Zeroizing::new(inside.to_vec());
        let opened =
            self.cipher()?.decrypt_inout_detached(nonce.into(), BOUND, inside.as_mut_slice().into(), tag.into());
        opened.map_err(|_| invalid())?;
        let [number, fed, digest @ ..] = inside.as_slice() else { return Err(invalid()) };
        let hash = Hash::ALL.get(usize::from(*number)).ok_or_else(invalid)?;
        let digest = (SUITE.digest_resume)(*hash, digest).map_err(|_| invalid())?;
        Ok((digest, *fed == 1))
    }
}
