//! X25519.

use std::sync::Arc;

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::random;
use crate::{
    Error, Secret,
    montgomery::{Curve, KeyPair, PrivateKey},
};

pub(super) fn private(curve: Curve, scalar: &[u8]) -> Result<Arc<dyn PrivateKey>, Error> {
    match curve {
        Curve::X25519 => {
            let mut bytes = Zeroizing::new([0; 32]);
            if scalar.len() != bytes.len() {
                return Err(Error::KeyInvalid);
            }
            bytes.copy_from_slice(scalar);
            Ok(Arc::new(Private(StaticSecret::from(*bytes))))
        }
    }
}

pub(super) fn generate(curve: Curve) -> Result<KeyPair, Error> {
    match curve {
        Curve::X25519 => {
            let mut scalar = Zeroizing::new([0; 32]);
            random(&mut *scalar)?;
            let public = PublicKey::from(&StaticSecret::from(*scalar)).to_bytes().to_vec();
            Ok(KeyPair { scalar: Secret::new(scalar.to_vec()), public })
        }
    }
}

/// Wipes itself.
struct Private(StaticSecret);

impl PrivateKey for Private {
    fn public(&self) -> Vec<u8> {
        PublicKey::from(&self.0).to_bytes().to_vec()
    }

    fn agree(&self, peer: &[u8]) -> Result<Secret, Error> {
        let peer: [u8; 32] = peer.try_into().map_err(|_| Error::PeerInvalid)?;
        let secret = self.0.diffie_hellman(&PublicKey::from(peer));
        if !secret.was_contributory() {
            return Err(Error::PeerInvalid);
        }
        Ok(Secret::new(secret.as_bytes().to_vec()))
    }
}
