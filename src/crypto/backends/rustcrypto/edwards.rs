//! Ed25519.

use std::sync::Arc;

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use zeroize::Zeroizing;

use super::random;
use crate::{
    Error, Secret,
    edwards::{Curve, KeyPair, PrivateKey, PublicKey},
};

pub(super) fn public(curve: Curve, key: &[u8]) -> Result<Arc<dyn PublicKey>, Error> {
    match curve {
        Curve::Ed25519 => {
            let key = VerifyingKey::try_from(key).map_err(|_| Error::KeyInvalid)?;
            Ok(Arc::new(Public(key)))
        }
    }
}

pub(super) fn private(curve: Curve, seed: &[u8]) -> Result<Arc<dyn PrivateKey>, Error> {
    match curve {
        Curve::Ed25519 => {
            let key = SigningKey::try_from(seed).map_err(|_| Error::KeyInvalid)?;
            Ok(Arc::new(Private(key)))
        }
    }
}

pub(super) fn generate(curve: Curve) -> Result<KeyPair, Error> {
    match curve {
        Curve::Ed25519 => {
            let mut seed = Zeroizing::new([0; 32]);
            random(&mut *seed)?;
            let public = SigningKey::from_bytes(&seed).verifying_key().to_bytes().to_vec();
            Ok(KeyPair { seed: Secret::new(seed.to_vec()), public })
        }
    }
}

struct Public(VerifyingKey);

impl PublicKey for Public {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let signature = Signature::from_slice(signature).map_err(|_| Error::SignatureLength)?;
        self.0.verify(message, &signature).map_err(|_| Error::SignatureInvalid)
    }
}

/// Wipes itself.
struct Private(SigningKey);

impl PrivateKey for Private {
    fn public(&self) -> Vec<u8> {
        self.0.verifying_key().to_bytes().to_vec()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.0.try_sign(message).map_err(|_| Error::Fault)?;
        Ok(signature.to_bytes().to_vec())
    }
}
